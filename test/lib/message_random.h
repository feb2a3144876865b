/*
 * Random messages of any schema and version, for round trips and for load: every field that the version has gets a random
 * value, often a special one (null where it may be, empty, default, smallest, largest); the others their defaults.
 */
#ifndef KLAMM_TEST_LIB_MESSAGE_RANDOM_H
#define KLAMM_TEST_LIB_MESSAGE_RANDOM_H

#include "proto/message.h"

/* A small generator of its own, so that a seed means the same everywhere. */
struct message_random {
	uint64_t state;
	struct arena *arena; /* all that the messages point to */
	int array_max;       /* most elements of an array */
	int text_max;        /* most bytes of a string, of bytes and of records */
};

/* Any seed will do; arrays of up to 3, texts of up to 20. */
void message_random_init(struct message_random *random, uint64_t seed, struct arena *arena);

uint64_t message_random_next(struct message_random *random);

void message_random_fill(struct message_random *random, const struct message_schema *schema, int version, void *ret_message);

/* Whether two messages say the same in the fields that the version has; records are compared by their bytes. */
bool message_equal(const struct message_schema *schema, int version, const void *a, const void *b);

#endif
