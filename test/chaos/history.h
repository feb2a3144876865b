/*
 * The history of a run: what clients asked for and what they were told, one fixed record each, in a file that checker.py reads.
 *
 * Byte format of an event (56 bytes, little endian), EVENT in history.py:
 *
 *     i64 ns        when it happened (CLOCK_MONOTONIC)
 *     i64 begin_ns  ENDED, FETCHED, COMMIT*: when it was asked for
 *     i64 sequence  of the value, by its producer; BOUNDS: the end; ASSIGNED, REVOKED, COMMIT*: the generation, -1 when it is not known
 *     i64 offset    told, read or committed (FETCHED: -1 when nothing is); BOUNDS: the start
 *     u64 random    of the value; COMMIT*: the number of the commit, the same in its end as in its beginning
 *     i32 partition
 *     i32 error     librdkafka's number
 *     u16 process   who: the producer, the consumer, the member of the group
 *     u16 producer  of the value
 *     u16 flags     HISTORY_CORRUPT, HISTORY_MISROUTED, HISTORY_EXCUSED
 *     u8  topic     its place in the list of topics
 *     u8  kind
 *
 * Threads may add at the same time; the order in the file is not that of time.
 */
#ifndef KLAMM_TEST_CHAOS_HISTORY_H
#define KLAMM_TEST_CHAOS_HISTORY_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

enum history_kind {
	HISTORY_INVOKE = 1, /* a record is handed to the client library */
	HISTORY_OK,	    /* acknowledged, at an offset or (-1) at one that is not told */
	HISTORY_FAIL,	    /* certainly not written */
	HISTORY_INFO,	    /* nobody knows */
	HISTORY_POLL,	    /* read by a consumer that follows the log */
	HISTORY_FINAL,	    /* read once more when all was over */
	HISTORY_BOUNDS,	    /* start and end of a partition when all was over */
	HISTORY_ENDED,	    /* the end of a partition, as asked for */
	HISTORY_MARK,	    /* the high watermark, as a consumer was shown it */
	HISTORY_RESET,	    /* a consumer had to begin anew */
	HISTORY_FATAL,	    /* a producer had to begin anew */
	/* Of the consumer group. */
	HISTORY_ASSIGNED,     /* a partition is a member's from now on */
	HISTORY_REVOKED,      /* and is not any more */
	HISTORY_TAKEN,	      /* read by a member */
	HISTORY_COMMIT,	      /* an offset is handed to the client library to be committed */
	HISTORY_COMMIT_OK,    /* acknowledged */
	HISTORY_COMMIT_FAIL,  /* certainly refused */
	HISTORY_COMMIT_INFO,  /* nobody knows */
	HISTORY_FETCHED,      /* what is committed, as asked for */
	HISTORY_MEMBER_FATAL, /* a member had to begin anew */
};

#define HISTORY_CORRUPT 1
#define HISTORY_MISROUTED 2
#define HISTORY_EXCUSED 4 /* FATAL: by a known weakness of the client library */

struct history_event {
	int64_t ns, begin_ns, sequence, offset;
	uint64_t random;
	int32_t partition, error;
	uint16_t process, producer, flags;
	uint8_t topic, kind;
};

struct history {
	FILE *file;
	pthread_mutex_t lock;
};

int64_t history_now_ns(void);

/* 0, or -1 with errno. */
int history_open(struct history *history, const char *path);

/* `event->ns` of 0 means now. */
void history_add(struct history *history, const struct history_event *event);

/* 0, or -1 when the file is not whole. Threads that are left behind may go on: what they add is dropped. */
int history_close(struct history *history);

#endif
