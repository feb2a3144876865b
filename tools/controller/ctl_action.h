/*
 * What the controller wants done, as data: reads, fenced writes, messages to brokers. The shell carries actions out in their order.
 * They and all they point to lie in the arena of the step or in the picture (struct ctl) and hold until the next step.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_ACTION_H
#define KLAMM_TOOLS_CONTROLLER_CTL_ACTION_H

#include "common/arena.h"
#include "common/slice.h"
#include "tools/controller/ctl_event.h"

#include <stdbool.h>
#include <stdint.h>

struct ctl_broker;
struct ctl_broker_config;
struct ctl_lead;
struct ctl_partition;
struct ctl_topic;
struct message_schema;

enum ctl_action_kind {
	CTL_DO_READ,
	CTL_DO_WRITE,
	CTL_DO_CONNECT,     /* keep a connection to this incarnation of the broker */
	CTL_DO_DISCONNECT,  /* drop it, whatever its incarnation */
	CTL_DO_SEND,
	CTL_DO_RAISE_EPOCH, /* give up the office and stand again with an epoch of at least `epoch` (KAFKA-20488) */
	CTL_DO_TIMER,       /* tell CTL_TIMER at `at_ms`; replaces the time asked for before */
	CTL_DO_REPORT,      /* a line for the operator */
};

enum ctl_write_kind {
	CTL_WRITE_FIRST_STATE,    /* create <p> and its state, and `partitions` before when `with_parent` */
	CTL_WRITE_STATE,          /* set the state at `version` */
	CTL_WRITE_TOPIC,          /* set the topic's node at `version`: same assignment, its id `id` */
	CTL_WRITE_MOVES,          /* set the topic's node at `version` with other assignments, and states at theirs, all or nothing */
	CTL_WRITE_ERASE_TOPIC,    /* delete the topic's tree children first, its config, its deletion request */
	CTL_WRITE_ERASE_REQUEST,  /* delete a deletion request only */
	CTL_WRITE_OFFICE,         /* the broker id in /controller */
	CTL_WRITE_ELECTIONS,      /* delete /admin/preferred_replica_election at `version` */
	CTL_WRITE_REASSIGNMENTS,  /* set /admin/reassign_partitions at `version` to `wishes`; none: delete it */
};

/* One partition of CTL_WRITE_MOVES. */
struct ctl_write_move {
	int32_t partition;
	struct ctl_assignment assignment;
	const struct ctl_lead *lead;   /* NULL: it has no state yet */
	int32_t version;               /* of its state */
};

/*
 * Every write is a multi with check(/controller_epoch, epoch_version): S13. That of CTL_WRITE_MOVES is answered by one event: the
 * topic (partition -1) first, then the partitions with a state, all with the same ticket and outcome.
 */
struct ctl_write {
	enum ctl_write_kind kind;
	uint32_t ticket;
	int32_t epoch_version;
	int32_t controller_epoch;      /* goes into the state */
	struct slice topic_name;
	const struct ctl_topic *topic; /* NULL for a request of no topic and the office */
	int32_t partition;             /* -1 if not of a partition */
	int32_t version;
	int64_t created;               /* CTL_WRITE_ERASE_TOPIC: czxid of the topic's node; another one is another topic: done */
	bool with_parent;
	const struct ctl_lead *lead;   /* states */
	const struct ctl_write_move *moves;
	int32_t n_moves;
	const struct ctl_legacy_wish *wishes;
	int32_t n_wishes;
	int32_t broker;                /* office */
};

/* Partitions of one topic in a message. */
struct ctl_part {
	const struct ctl_topic *topic;
	bool has_partitions;
	bool has_configs;
	const int32_t *partitions;
	int32_t n_partitions;
	const int32_t *fresh; /* those of them whose first state this is (states only) */
	int32_t n_fresh;
};

/* What VIEW holds (proto/cluster/cluster.proto). Its bytes are the same for every receiver of it. */
struct ctl_view {
	int32_t controller_epoch;
	int64_t number;
	bool snapshot;
	bool has_brokers;
	const struct ctl_broker *brokers;
	int n_brokers;
	const struct ctl_part *topics;
	int32_t n_topics;
	const struct uuid *removed;
	int n_removed;
	const struct ctl_broker_config *const *broker_configs;
	int n_broker_configs;
	int32_t office;
};

/* What PARTITION_STATES holds, for one broker. */
struct ctl_states {
	int32_t controller_epoch;
	const struct ctl_part *parts;
	int32_t n_parts;
};

/* Replicas of one topic, which may be forgotten here already. */
struct ctl_stop_topic {
	struct slice name;
	struct uuid id;
	const int32_t *partitions;
	int32_t n_partitions;
	bool erase; /* the topic is being deleted: rename the directories for deletion */
};

/* What STOP_REPLICAS holds, for one broker. */
struct ctl_stops {
	int32_t controller_epoch;
	const struct ctl_stop_topic *topics;
	int32_t n_topics;
};

/* The answer to one proposal. */
struct ctl_isr_answer {
	int32_t broker;
	int64_t broker_epoch;
	struct uuid topic_id;
	int32_t partition;
	int64_t number;
	int16_t error;
	int32_t n_ineligible;
	int32_t *ineligible;               /* INELIGIBLE_REPLICA: who may not join */
	const struct ctl_partition *state; /* the state that holds; NULL after an error */
};

/* What ISR_ANSWERS holds, for one broker. */
struct ctl_isr_answers {
	const struct ctl_isr_answer *items;
	int n_items;
};

/* What FORWARD_ANSWER holds. */
struct ctl_forward_answer {
	int64_t number;
	int16_t error;          /* Kafka error of the whole; the body holds when it is 0 */
	const char *message;    /* for the client's user; NULL: none */
	const struct message_schema *schema;
	const void *response;   /* of that schema */
	int32_t version;
};

enum ctl_message {
	CTL_SEND_VIEW,
	CTL_SEND_STATES,
	CTL_SEND_STOP,
	CTL_SEND_ISR_ANSWERS,
	CTL_SEND_SHUTDOWN_ANSWER,
	CTL_SEND_FORWARD_ANSWER,
};

struct ctl_action {
	enum ctl_action_kind kind;
	union {
		struct {                             /* CTL_DO_READ */
			enum ctl_read read;
			struct slice topic;
			int32_t first_partition;     /* CTL_READ_STATES: this one and the n_partitions - 1 after it */
			int32_t n_partitions;
			bool likely_absent;          /* CTL_READ_STATES: new ones; look first whether there are any */
		};
		struct ctl_write write;              /* CTL_DO_WRITE */
		struct {                             /* CTL_DO_CONNECT, CTL_DO_DISCONNECT, CTL_DO_SEND */
			int32_t broker;
			int64_t broker_epoch;
			enum ctl_message message;
			int64_t request;             /* CTL_SEND_STATES, CTL_SEND_STOP */
			union {
				const struct ctl_view *view;     /* CTL_SEND_VIEW */
				const struct ctl_states *states; /* CTL_SEND_STATES */
				const struct ctl_stops *stops;   /* CTL_SEND_STOP */
				const struct ctl_isr_answers *answers;
				int32_t remaining;               /* CTL_SEND_SHUTDOWN_ANSWER */
				const struct ctl_forward_answer *forward;
			};
		};
		int32_t epoch;                       /* CTL_DO_RAISE_EPOCH */
		int64_t at_ms;                       /* CTL_DO_TIMER */
		struct {                             /* CTL_DO_REPORT */
			bool warning;
			const char *text;
		};
	};
};

/* Actions in the order they are to be done. */
struct ctl_actions {
	struct arena *arena;
	struct ctl_action *items;
	int32_t n_items;
	int32_t room;
};

static inline void ctl_actions_init(struct ctl_actions *actions, struct arena *arena)
{
	*actions = (struct ctl_actions){.arena = arena};
}

/* A zeroed action at the end of the list. The pointer holds until the next call. */
struct ctl_action *ctl_action_add(struct ctl_actions *actions, enum ctl_action_kind kind);

void ctl_action_report(struct ctl_actions *actions, bool warning, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
