/*
 * The table of all Kafka APIs that have a schema: key -> name, versions on the wire, tables of request and response.
 * What a broker serves, and who may ask for it, stands beside the handlers in broker/api, not here.
 */
#ifndef KLAMM_PROTO_API_H
#define KLAMM_PROTO_API_H

#include "proto/kafka/api_keys.gen.h" /* enum api_key: API_PRODUCE = 0, API_FETCH = 1, ... */
#include "proto/message.h"

struct api {
	int16_t key;
	const char *name;       /* "Fetch" */
	const char *snake_name; /* "fetch", the name of its schema and handler files */
	int16_t since, until;   /* versions on the wire */
	int16_t flexible_since; /* INT16_MAX = none */
	const struct message_schema *request;
	const struct message_schema *response;
};

/* The row of a key, or NULL. */
const struct api *api_find(int key);

/* The row of a name ("Fetch" or "fetch"), or NULL. */
const struct api *api_find_name(const char *name);

/* All rows, by ascending key. */
int api_count(void);
const struct api *api_at(int index);

static inline bool api_has_version(const struct api *api, int version)
{
	return version >= api->since && version <= api->until;
}

static inline bool api_is_flexible(const struct api *api, int version)
{
	return version >= api->flexible_since;
}

/* Schemas of internal records (keys and values in __consumer_offsets and the like), in the order of the schema files. */
int api_record_count(void);
const struct message_schema *api_record_at(int index);

/* What kgen makes, for api.c. */
extern const struct api api_table[];
extern const int api_table_n;
extern const struct message_schema *const api_record_table[];
extern const int api_record_table_n;

#endif
