/* Shared by fetch.c (what is asked and answered) and fetch_wait.c (reading and waiting); nobody else includes it. */
#ifndef KLAMM_BROKER_API_FETCH_INTERNAL_H
#define KLAMM_BROKER_API_FETCH_INTERNAL_H

#include "broker/api/scatter.h"
#include "broker/replica/fetch_session.h"
#include "proto/kafka/fetch.gen.h"

struct fetch_part {
	struct scatter_part part;
	const struct fetch_want *want;
	struct partition_read read;
	struct partition_watch watch;
	int64_t bytes; /* that count for min_bytes */
	bool unread;   /* refused before its owner was asked */
};

/* The parts of one owner, from the first read to the answer. States: see fetch_wait.c. */
struct fetch_group {
	struct fetch *fetch;
	struct scatter_group *scatter;
	struct message watch;     /* request's shard -> owner: watch your partitions */
	struct message woken;     /* owner -> request's shard: there is enough, nothing is watched any more */
	struct message stop;      /* request's shard -> owner and back: do not watch any more */
	int64_t bytes;            /* owner's while it watches */
	int64_t others_bytes;     /* what the other groups have, as of the first read */
	bool end_now;
	bool watching;            /* owner's */
	bool watched;             /* request's shard: it went to watch, and has not said yet that it stopped */
	bool stop_sent;
};

struct fetch {
	struct scatter scatter;
	struct fetch_context context;
	int version;
	bool by_id;
	bool end_now;   /* something is to be told at once */
	bool ending;
	int64_t bytes_min;
	int64_t bytes_max;
	int64_t wait_ms;
	struct fetch_part *parts; /* in the order asked */
	int n_parts;
	struct fetch_group *groups; /* by shard */
	struct timer timer;
	struct fetch_response response;
	struct fetch_response_partition *answers;
	int32_t n_answers;
};

/* Reads all parts, waits if there is not enough, then calls fetch_answer on the request's shard. */
void fetch_wait_start(struct fetch *fetch);

/* Nothing is out or watched any more: answers. */
void fetch_answer(struct fetch *fetch);

#endif
