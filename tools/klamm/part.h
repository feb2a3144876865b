/*
 * Partitions that something is asked about at their leaders, all leaders one after the other.
 *
 *     parts --(Metadata)--> leader of each --(one request for each leader)--> result or error of each
 *
 * What fails because leadership is moving is asked again for some seconds.
 */
#ifndef KLAMM_TOOLS_KLAMM_PART_H
#define KLAMM_TOOLS_KLAMM_PART_H

#include "tools/klamm/kafka_client.h"

struct part {
	struct slice topic;
	int32_t partition;
	int64_t asked;  /* what is asked for: a time, an offset */
	int32_t leader; /* set by parts_ask */
	int32_t leader_epoch;
	int16_t error; /* Kafka's code, KAFKA_NONE when result is set */
	int64_t result;
};

/*
 * Asks one leader about parts that lie together by topic; sets error and result of each. Returns 0, or a negative code when
 * there is no answer.
 */
typedef int part_ask_fn(void *ctx, struct kafka_client *client, int32_t leader, struct part **parts, int n, struct error *err);

/* Sorts the parts by topic and partition and asks about all. Negative code with err when a broker cannot be asked. */
int parts_ask(struct kafka_client *client, struct part *parts, int n, part_ask_fn *ask, void *ctx, struct error *err);

/* The number of parts from i on that are of the same topic. */
int parts_of_topic(struct part **parts, int n, int i);

/* The part of a topic and partition among those that were asked about (they are sorted); NULL when it is none of them. */
struct part *parts_find(struct part **parts, int n, struct slice topic, int32_t partition);

#endif
