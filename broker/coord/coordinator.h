/*
 * The group coordinator of one shard: the groups whose partition of __consumer_offsets this shard owns and leads.
 *
 *     handler, on the connection's shard                     owner's shard
 *       coordinator_route(call) -> owner ---- message ----> coordinator_run(owner->coordinator, call)
 *                                                             partition led here? loaded? -> group -> ... -> log, high watermark
 *       answer <--------------------------- message ------- call->done(call), at once or later
 *
 * Rules
 * - A group lives where its partition of the offsets topic does: partition = abs(Java's String.hashCode of the group id) % partitions
 *   of the topic that exists (kafka.md 5.7).
 * - A call, and all that it points to, belongs to the coordinator from coordinator_run until `done`, which is called exactly once, on the
 *   owner's thread, after coordinator_run has returned: at the end of the loop's turn, or later (a Join or Sync that waits for others; an append
 *   that waits for its replicas; at the latest when the partition is led no more).
 * - In-data is borrowed until done. What goes out is copied into call->arena, which nobody else may touch meanwhile: a request that asks
 *   several owners at once gives every call an arena of its own.
 * - Errors of the whole call are in call->error, those that Kafka tells for an item with the item. `error` is 0 or a Kafka error code.
 * - Answers are given only while the partition is led here and (S9) may be read by partition_may_read; else NOT_COORDINATOR. While it is
 *   loaded, and until the high watermark has reached what was loaded (G3), COORDINATOR_LOAD_IN_PROGRESS; but then a Heartbeat has no error, and
 *   a Sync has REBALANCE_IN_PROGRESS, as in Kafka: the member comes again and keeps its generation.
 */
#ifndef KLAMM_BROKER_COORD_COORDINATOR_H
#define KLAMM_BROKER_COORD_COORDINATOR_H

#include "broker/meta/view.h"
#include "broker/replica/shard.h"
#include "common/arena.h"
#include "proto/kafka/describe_groups.gen.h"
#include "proto/kafka/join_group.gen.h"
#include "proto/kafka/leave_group.gen.h"
#include "proto/kafka/list_groups.gen.h"
#include "proto/kafka/offset_commit.gen.h"
#include "proto/kafka/offset_delete.gen.h"
#include "proto/kafka/offset_fetch.gen.h"
#include "proto/kafka/sync_group.gen.h"

struct coordinator;

/* ---- Where ---- */

/* The partition of the offsets topic that holds a group's records. */
struct coordinator_place {
	struct uuid topic_id;
	int32_t partition;
};

/* False: by this view there is no offsets topic (yet), or it is being deleted. Any thread. */
bool coordinator_place_of(const struct view *view, struct slice group_id, struct coordinator_place *ret_place);

/* ---- Calls ---- */

enum coordinator_kind {
	COORDINATOR_JOIN,
	COORDINATOR_SYNC,
	COORDINATOR_HEARTBEAT,
	COORDINATOR_LEAVE,
	COORDINATOR_COMMIT,
	COORDINATOR_FETCH_OFFSETS,
	COORDINATOR_DELETE_OFFSETS,
	COORDINATOR_DESCRIBE,
	COORDINATOR_DELETE_GROUP,
	COORDINATOR_LIST, /* goes to every shard; group_id and place are not looked at */
	COORDINATOR_KINDS
};

/* Embedded first in what a handler asks. */
struct coordinator_call {
	/* In. */
	enum coordinator_kind kind;
	struct slice group_id;
	struct arena *arena;
	void (*done)(struct coordinator_call *call);
	/* Set by coordinator_route. */
	struct coordinator_place place;
	/* Out. */
	int16_t error;
	/* The coordinator's, until done. */
	struct coordinator_call *prev, *next; /* utlist: of those whose done is called at the end of the loop's turn */
};

/*
 * Which shard of this broker a call is for, by here's view; also when another broker leads the partition: the owner says so. NULL: the call
 * ends here, with call->error (INVALID_GROUP_ID for an empty id, which Kafka takes for Commit, FetchOffsets, Describe and DeleteGroup only;
 * NOT_COORDINATOR without an offsets topic). done is not called by this. Not for COORDINATOR_LIST. On here's thread.
 */
struct shard *coordinator_route(const struct shard *here, struct coordinator_call *call);

/* On the owner's thread. */
void coordinator_run(struct coordinator *coordinator, struct coordinator_call *call);

struct coordinator_join {
	struct coordinator_call call;
	/* In. */
	struct slice member_id;         /* empty: a new member */
	struct slice group_instance_id; /* null: a dynamic member */
	struct slice client_id;
	struct slice client_host;       /* with the slash that Kafka puts before it: "/127.0.0.1" */
	struct slice protocol_type;
	const struct join_group_request_protocol *protocols;
	int32_t n_protocols;
	int32_t session_timeout_ms;
	int32_t rebalance_timeout_ms;   /* of version 0, and -1: the handler puts the session timeout here */
	bool known_id_required;         /* version 4+: a new dynamic member is sent away once with its id (KIP-394) */
	bool skip_assignment_allowed;   /* version 9+ (KIP-814) */
	struct slice reason;            /* null, or why it joins */
	/* Out, set also on errors: generation -1, no protocol (null), no leader (empty), no members; the member id that was given, but with
	 * MEMBER_ID_REQUIRED the one that the member is to come with. */
	int32_t generation;
	struct slice ret_protocol_type; /* null: none */
	struct slice protocol_name;     /* null: none */
	struct slice leader;
	bool skip_assignment;
	struct slice ret_member_id;
	struct join_group_response_member *members; /* for the leader only */
	int32_t n_members;
};

struct coordinator_sync {
	struct coordinator_call call;
	/* In. */
	int32_t generation;
	struct slice member_id;
	struct slice group_instance_id; /* null: not said */
	struct slice protocol_type;     /* null: not said; likewise the next */
	struct slice protocol_name;
	const struct sync_group_request_assignment *assignments;
	int32_t n_assignments;
	/* Out; on errors null, null and empty. */
	struct slice ret_protocol_type;
	struct slice ret_protocol_name;
	struct slice assignment;
};

struct coordinator_heartbeat {
	struct coordinator_call call;
	int32_t generation;
	struct slice member_id;
	struct slice group_instance_id; /* null: not said */
};

struct coordinator_leave {
	struct coordinator_call call;
	/* In: at least one; versions 0-2 name one. */
	const struct leave_group_request_member *members;
	int32_t n_members;
	/* Out: as many in the same order, each with its error; NULL and 0 when call.error is set. */
	struct leave_group_response_member *results;
	int32_t n_results;
};

struct coordinator_commit {
	struct coordinator_call call;
	/* In. */
	int32_t generation;             /* -1: not a member */
	struct slice member_id;         /* empty: likewise */
	struct slice group_instance_id; /* null: not said */
	int64_t retention_time_ms;      /* versions 2-4; -1: as the broker is configured */
	/* Of a topic and partition that exist, which the handler judges by its view. commit_timestamp -1 is now. */
	const struct offset_commit_request_topic *topics;
	int32_t n_topics;
	/* Out: always set, as many in the same order. call.error is that of the whole, and stands with each partition, too. */
	struct offset_commit_response_topic *results;
	int32_t n_results;
};

struct coordinator_fetch_offsets {
	struct coordinator_call call;
	/* In. */
	const struct offset_fetch_request_group_topic *topics;
	int32_t n_topics;    /* -1: all that the group has */
	bool require_stable; /* partitions with pending offsets have UNSTABLE_OFFSET_COMMIT */
	/* Out: in the order asked for, offset -1 and empty metadata where there is none; NULL and 0 when call.error is set. */
	struct offset_fetch_response_group_topic *results;
	int32_t n_results;
};

struct coordinator_delete_offsets {
	struct coordinator_call call;
	/* In: of topics and partitions that exist, which the handler judges. */
	const struct offset_delete_request_topic *topics;
	int32_t n_topics;
	/* Out: as many in the same order; NULL and 0 when call.error is set. */
	struct offset_delete_response_topic *results;
	int32_t n_results;
};

struct coordinator_describe {
	struct coordinator_call call;
	/* Out: all but authorized_operations; group_id and error_code, too. An unknown group is "Dead" without error. */
	struct describe_groups_response_group description;
};

struct coordinator_delete_group {
	struct coordinator_call call; /* error: GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, ... */
};

struct coordinator_list {
	struct coordinator_call call;
	/* In: filters of the request, case does not count; none: all. */
	const struct slice *states;
	int32_t n_states;
	const struct slice *types;
	int32_t n_types;
	/* Out: this shard's; call.error COORDINATOR_LOAD_IN_PROGRESS when some are still being loaded: those that are there stand here, too. */
	struct list_groups_response_group *groups;
	int32_t n_groups;
};

/* ---- Life ---- */

/* Before the worker starts; becomes shard->coordinator, and hears of the leaderships of its partitions from then on. */
void coordinator_open(struct shard *shard);

/*
 * On its worker, after shard_set_view: offsets of topics that the shard's view has no more go. NULL is allowed.
 */
void coordinator_on_view(struct coordinator *coordinator);

/* On its worker, before the partitions close: all calls end with NOT_COORDINATOR, later ones, too. NULL is allowed. */
void coordinator_stop(struct coordinator *coordinator);

/* After worker_join and worker_drain; also of one that was not stopped, since its worker never ran. NULL is allowed. */
void coordinator_free(struct coordinator *coordinator);

#endif
