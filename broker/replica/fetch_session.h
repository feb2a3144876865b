/*
 * Incremental fetch sessions (KIP-227): the partitions a client wants are remembered, so that an idle fetch over a thousand of
 * them is a few bytes each way.
 *
 *     request -> fetch_session_begin    error | no session | full, to be remembered | incremental: the session with its items
 *     answer  -> fetch_session_create   (full) or, for each item, fetch_session_tell (incremental: is it worth a place?)
 *
 * Owned by one worker. A session belongs to the worker that made it, not to a connection; on another worker its id is unknown and
 * the client starts a new one, as after an eviction. Times come from the caller.
 */
#ifndef KLAMM_BROKER_REPLICA_FETCH_SESSION_H
#define KLAMM_BROKER_REPLICA_FETCH_SESSION_H

#include "common/slice.h"
#include "common/uuid.h"

#include <stdbool.h>
#include <stdint.h>

#define FETCH_SESSION_NONE 0
#define FETCH_EPOCH_FULL 0      /* a full request that wants a session */
#define FETCH_EPOCH_CLOSE (-1)  /* a full request without one; with an id: ends it */

/* Kafka keeps a session at least so long before another may take its slot. */
#define FETCH_SESSION_EVICTION_MS 120000

/* What a client wants of one partition. */
struct fetch_want {
	struct slice topic;       /* name; null when the request speaks of ids */
	struct uuid topic_id;     /* zero when it speaks of names */
	int32_t partition;
	int32_t leader_epoch;     /* -1: not said */
	int32_t last_fetched_epoch;
	int64_t offset;
	int64_t log_start_offset; /* a follower's; -1 for consumers */
	int32_t max_bytes;
};

/* What an answer says of one partition, as far as it decides whether the client must hear it. */
struct fetch_told {
	int16_t error;
	bool has_records;
	bool must_tell; /* diverging epoch or another preferred replica: always worth telling */
	int64_t high_watermark;
	int64_t log_start_offset;
};

struct fetch_item {
	struct fetch_want want;
	int64_t told_high_watermark; /* -1: nothing told yet */
	int64_t told_log_start_offset;
	bool told_error;
};

struct fetch_session;

struct fetch_sessions {
	struct fetch_session *by_id; /* uthash, least recently used first */
	int n_max;                   /* slots of this worker; 0: no sessions */
	int n_items;                 /* partitions of all sessions */
	int n_items_max;
	int32_t next_id;
	int32_t id_step;
};

/* Ids of worker `index` of `n_workers` never meet those of another; seed makes them differ from a former run's. */
void fetch_sessions_init(struct fetch_sessions *sessions, int n_max, int index, int n_workers, uint32_t seed);
void fetch_sessions_fini(struct fetch_sessions *sessions);

enum fetch_kind {
	FETCH_SESSIONLESS,  /* the request's partitions, nothing remembered */
	FETCH_FULL,         /* the request's partitions; fetch_session_create at the answer */
	FETCH_INCREMENTAL,  /* the session's items */
};

struct fetch_context {
	enum fetch_kind kind;
	struct fetch_session *session; /* FETCH_INCREMENTAL only; valid until the next call on the sessions */
	int32_t session_id;            /* to answer; FETCH_SESSION_NONE when the session ends or there is none */
	int32_t epoch;                 /* of the session after this request */
};

/*
 * Judges (id, epoch) of a request and applies its changes to the session: wants added or replaced, forgotten ones removed.
 * by_id: the request speaks of topic ids. Returns 0 or the Kafka error for the top level: FETCH_SESSION_ID_NOT_FOUND,
 * INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR. A session that would outgrow what sessions may remember
 * (LIMIT_FETCH_SESSION_PARTS, of a single one LIMIT_REQUEST_PARTS) is ended: its client makes a new one, or goes without.
 */
int16_t fetch_session_begin(struct fetch_sessions *sessions, int32_t id, int32_t epoch, bool by_id, const struct fetch_want *wants,
			    int n_wants, const struct fetch_want *forgotten, int n_forgotten, int64_t now_ms,
			    struct fetch_context *ret_context);

/* Makes a session of the wants, all told as `told` says; FETCH_SESSION_NONE when every slot is in use by younger ones, or there is no
 * room for so many partitions. */
int32_t fetch_session_create(struct fetch_sessions *sessions, bool by_id, const struct fetch_want *wants, const struct fetch_told *told,
			     int n_wants, int64_t now_ms);

/* The items of a session in order; NULL at the end. Start with NULL. */
struct fetch_item *fetch_session_next(struct fetch_session *session, struct fetch_item *item);
int fetch_session_n_items(const struct fetch_session *session);

/* The session with this id at this epoch, NULL when it has gone or moved on since. */
struct fetch_session *fetch_session_at(struct fetch_sessions *sessions, int32_t id, int32_t epoch);

/*
 * True when an incremental answer must name the partition; remembers what is told. A partition with records moves to the end of
 * the order, so that a busy one does not starve the others. False and nothing done when the session no longer has it.
 */
bool fetch_session_tell(struct fetch_session *session, const struct fetch_want *want, const struct fetch_told *told);

int fetch_sessions_count(const struct fetch_sessions *sessions);

#endif
