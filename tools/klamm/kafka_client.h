/*
 * A small blocking client of a cluster: one request, one answer, in our own codec.
 *
 *     kafka_client_open("host:port,host:port")  connects to the first that answers; asks it for its versions
 *     kafka_client_call(node, request)          to any broker, a certain one or the controller; dials it when it is first
 * needed; the highest version that both sides have
 *
 * Errors are sentences that name host and port and what may help. Answers are views into memory that lives until
 * kafka_client_free. Who is where is learned from every Metadata answer that passes. One thread.
 */
#ifndef KLAMM_TOOLS_KLAMM_KAFKA_CLIENT_H
#define KLAMM_TOOLS_KLAMM_KAFKA_CLIENT_H

#include "common/arena.h"
#include "common/error.h"
#include "proto/api.h"
#include "proto/kafka/metadata.gen.h"

#include <stdbool.h>
#include <stdint.h>

/* The largest answer that is read. */
#define CLIENT_FRAME_BYTES_MAX (512 << 20)

#define CLIENT_ANY (-1)
#define CLIENT_CONTROLLER (-2)

struct kafka_client_config {
	const char *bootstrap; /* host:port,host:port */
	const char *client_id;
	int64_t connect_timeout_ms;
	int64_t request_timeout_ms;
};

struct kafka_client;

int kafka_client_open(const struct kafka_client_config *config, struct kafka_client **ret_client, struct error *err);

/* NULL is allowed. */
void kafka_client_free(struct kafka_client *client);

/* Memory that lives as long as the client's answers. */
struct arena *kafka_client_arena(struct kafka_client *client);

/*
 * Sends one request and reads its answer. node: a broker id, CLIENT_ANY or CLIENT_CONTROLLER. Request and answer are the
 * structs of the API's schema. Negative code with a sentence in err when there is no answer; what the answer says is the
 * caller's to read.
 */
int kafka_client_call(struct kafka_client *client, int32_t node, enum api_key key, const void *request, void *ret_response,
		      struct error *err);

/* The version that kafka_client_call would use, -1 when the broker does not serve the API. Dials the broker; negative code in
 * err. */
int kafka_client_version(struct kafka_client *client, int32_t node, enum api_key key, int *ret_version, struct error *err);

struct kafka_range {
	int16_t key, since, until;
};

/* What a broker says that it serves, by ascending key. */
int kafka_client_ranges(struct kafka_client *client, int32_t node, const struct kafka_range **ret_ranges, int *ret_n,
			struct error *err);

/*
 * Topics by name, or all (names NULL); also brings brokers and controller up to date. Never makes topics. Topics are in the
 * order of the answer; those that do not exist have their error_code.
 */
int kafka_client_metadata(struct kafka_client *client, const struct slice *names, int n_names,
			  struct metadata_response *ret_metadata, struct error *err);

/* Time that a broker may take for one request: what goes into the timeout_ms of requests. */
int32_t kafka_client_timeout_ms(const struct kafka_client *client);

#endif
