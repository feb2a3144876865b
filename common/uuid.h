/* 128-bit identifiers in Kafka's text form: 22 characters of base64url without padding. All zero stands for none. */
#ifndef KLAMM_COMMON_UUID_H
#define KLAMM_COMMON_UUID_H

#include "common/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define UUID_TEXT_LEN 22

struct uuid {
	uint8_t bytes[16];
};

#define UUID_ZERO ((struct uuid){{0}})

/* A random identifier (version 4) that is never zero and whose text does not begin with '-', as Kafka makes them. */
struct uuid uuid_random(void);

bool uuid_is_zero(const struct uuid *uuid);
bool uuid_equal(const struct uuid *a, const struct uuid *b);

/* The text form, ended by a 0 byte. */
void uuid_format(const struct uuid *uuid, char ret_text[UUID_TEXT_LEN + 1]);

/* 32 lower-case hex digits without dashes, as in names of deleted directories. */
void uuid_format_hex(const struct uuid *uuid, char ret_text[33]);

/* Reads the text form; false (ret_uuid untouched) when it is not one. */
bool uuid_parse(struct slice text, struct uuid *ret_uuid);

#endif
