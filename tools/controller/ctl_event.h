/*
 * What the controller is told: everything that happens to it, as data. The shell (controller.c) makes events from answers of
 * ZooKeeper, frames of brokers and timers; tests and the simulation make them from scripts. What they point to is borrowed for
 * the length of the step.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_EVENT_H
#define KLAMM_TOOLS_CONTROLLER_CTL_EVENT_H

#include "common/slice.h"
#include "common/uuid.h"

#include <stdbool.h>
#include <stdint.h>

struct ctl_endpoint {
	struct slice listener;
	struct slice protocol;
	struct slice host;
	int32_t port;
};

struct ctl_pair {
	struct slice name;
	struct slice value;
};

/* Replicas of one partition as the topic node lists them. */
struct ctl_assignment {
	int32_t n_replicas, n_adding, n_removing;
	const int32_t *replicas, *adding, *removing;
};

/* What a broker's disks held when it started (D9, zk/json_broker.h). */
enum ctl_start {
	CTL_START_WHOLE,   /* all that was there, or a broker that does not say */
	CTL_START_UNCLEAN, /* what was not forced to disk may be gone */
	CTL_START_EMPTY,   /* a log dir is new: anything may be gone */
};

/* A node below /brokers/ids that is there. */
struct ctl_broker_read {
	int32_t id;
	int64_t epoch;  /* czxid */
	enum ctl_start start;
	bool durable;     /* CTL_START_UNCLEAN: its file said fsync-isr in all runs that may have lost something */
	int32_t min_isr;  /* min.insync.replicas of topics that do not say, as it leads; 0: it does not say */
	int64_t previous; /* no start since this epoch lost anything, but for `start`; 0: it does not say */
	bool foreign;   /* bears no mark of Klamm: a real Kafka broker */
	bool odd;       /* its content is nonsense */
	struct slice rack;
	const struct ctl_endpoint *endpoints;
	int n_endpoints;
	int inter_broker; /* the endpoint that brokers and controller use; -1: it does not say */
};

enum ctl_read {
	CTL_READ_BROKERS,        /* children of /brokers/ids and all their nodes */
	CTL_READ_TOPICS,         /* children of /brokers/topics */
	CTL_READ_TOPIC,          /* one topic's node */
	CTL_READ_STATES,         /* state nodes of one topic, or of one partition of it */
	CTL_READ_DELETIONS,      /* children of /admin/delete_topics */
	CTL_READ_TOPIC_CONFIG,   /* one topic's config */
	CTL_READ_BROKER_CONFIGS, /* children of /config/brokers and all their nodes */
	CTL_READ_ELECTIONS,      /* /admin/preferred_replica_election */
	CTL_READ_REASSIGNMENTS,  /* /admin/reassign_partitions */
};

/* What became of a node that was read. */
enum ctl_found { CTL_FOUND, CTL_ABSENT, CTL_NONSENSE };

struct ctl_topic_read {
	enum ctl_found found;
	struct slice text;      /* CTL_NONSENSE: why, for the operator */
	int64_t created;        /* czxid */
	int32_t version;
	struct uuid id;         /* zero: the node has none */
	struct uuid spare_id;   /* random: taken when the topic needs one */
	const struct ctl_assignment *partitions; /* 0..n-1 */
	int32_t n_partitions;
};

struct ctl_state_read {
	int32_t partition;
	enum ctl_found found;
	struct slice text;      /* CTL_NONSENSE: why */
	int32_t version;
	int64_t mzxid;
	int32_t leader, leader_epoch, controller_epoch;
	bool recovering;
	const int32_t *isr;
	int32_t n_isr;
	const int64_t *isr_epochs; /* n_isr; NULL: the node does not say */
	bool has_elr;              /* the keys of eligible leader replicas are there */
	const int32_t *elr;
	int32_t n_elr;
	const int64_t *elr_epochs; /* n_elr; NULL: the node does not say */
	const int32_t *lost;       /* last_known_elr */
	int32_t n_lost;
};

struct ctl_config_read {
	int32_t broker;          /* CTL_READ_BROKER_CONFIGS; -1: the defaults */
	int32_t version;         /* -1: there is no such node */
	const struct ctl_pair *pairs;
	int n_pairs;
};

/* One partition that a node below /admin names (ctl_legacy.h). */
struct ctl_legacy_wish {
	struct slice topic;
	int32_t partition;
	const int32_t *replicas; /* reassignments */
	int32_t n_replicas;
};

struct ctl_legacy_read {
	enum ctl_found found;
	struct slice text;       /* CTL_NONSENSE: why */
	int32_t version;         /* -1: it has none */
	const struct ctl_legacy_wish *wishes;
	int32_t n_wishes;
};

/* How a write ended. Lost fence and lost session are no outcomes: the office is over then. */
enum ctl_outcome {
	CTL_DONE,
	CTL_MISSED, /* version, existence or absence is not what was expected, or nobody knows: read again */
	CTL_FAILED, /* ZooKeeper refuses it (size, ACL): reported, tried again after a while */
};

struct ctl_written {
	uint32_t ticket;       /* of the write */
	enum ctl_outcome outcome;
	struct slice topic;    /* empty: a node below /admin */
	int32_t partition;     /* -1: not of a partition */
	int32_t version;       /* CTL_DONE: version of the node now */
};

struct ctl_replica_error {
	struct uuid topic_id;
	int32_t partition;
	int32_t error;         /* Kafka error code */
	bool again;            /* the disk was full: the same may go well later */
};

/* How far a replica's log goes while its partition has no leader. */
struct ctl_replica_end {
	struct uuid topic_id;
	int32_t partition;
	int32_t leader_epoch;  /* of the state without leader that the broker was told */
	int32_t last_epoch;    /* of the last batch; -1: none */
	int64_t end_offset;
};

struct ctl_isr_member {
	int32_t id;
	int64_t epoch;         /* the incarnation that the leader has heard; -1: it was in before */
};

/* A leader wants another ISR (KIP-497, KIP-903). */
struct ctl_isr_proposal {
	struct uuid topic_id;
	int32_t partition;
	int64_t number;        /* the same when the same is asked again */
	int32_t leader_epoch, partition_epoch;
	const struct ctl_isr_member *isr;
	int32_t n_isr;
};

/* A client's request that a broker hands on. */
struct ctl_forwarded {
	int64_t number;        /* the broker's, for the answer */
	int32_t api_key, api_version;
	struct slice body;     /* Kafka's encoding, without header */
	struct slice principal;
};

enum ctl_event_kind {
	CTL_ELECTED,          /* the office is ours: epoch, epoch_version, ruled_since */
	CTL_READ_DONE,        /* an answer to a read, or news after a watch: read */
	CTL_WRITE_DONE,       /* written[n_written] */
	CTL_REACHED,          /* connected to a broker, Hello accepted: broker, broker_epoch */
	CTL_LOST,             /* the connection is gone, or its Hello was refused: broker, broker_epoch */
	CTL_RESULTS,          /* a broker's answer to states or stops: broker, broker_epoch, results */
	CTL_GAP,              /* a broker asks for a snapshot: broker, broker_epoch */
	CTL_LOG_DIR_FAILED,   /* a notification of a broker: broker */
	CTL_ISR_PROPOSED,     /* by leaders: broker, broker_epoch, proposals */
	CTL_SHUTDOWN_ASKED,   /* the broker is about to stop: broker, broker_epoch */
	CTL_FORWARDED,        /* broker, broker_epoch, forwarded */
	CTL_STATES_CHANGED,   /* a legacy notification: the states of `topic` were changed by somebody */
	CTL_TIMER,            /* the time asked for has come */
};

struct ctl_event {
	enum ctl_event_kind kind;
	int32_t epoch, epoch_version; /* CTL_ELECTED */
	int32_t ruled_since;          /* CTL_ELECTED: no controller of others was in office since this epoch */
	int32_t broker;
	int64_t broker_epoch;
	struct slice topic;           /* CTL_READ_DONE of topic, states, topic config; CTL_STATES_CHANGED */

	/* CTL_READ_DONE */
	enum ctl_read read;
	bool asked;                   /* the answer to a CTL_DO_READ (exactly one for each), not news after a watch */
	const struct ctl_broker_read *brokers;
	int n_brokers;
	const struct slice *names;    /* topics, deletions */
	int n_names;
	const struct ctl_topic_read *node;
	const struct ctl_state_read *states; /* those that were asked for */
	int32_t n_states;
	bool has_parents;             /* states: the topic's `partitions` node is there for sure */
	const struct ctl_config_read *configs; /* one of a topic; all of the brokers */
	int n_configs;
	const struct ctl_legacy_read *legacy;  /* elections, reassignments */

	/* CTL_WRITE_DONE */
	const struct ctl_written *written;
	int n_written;

	/* CTL_RESULTS */
	int64_t request;
	int32_t error;
	const struct ctl_replica_error *errors;
	int n_errors;
	const struct ctl_replica_end *ends;
	int n_ends;

	const struct ctl_isr_proposal *proposals; /* CTL_ISR_PROPOSED */
	int n_proposals;
	const struct ctl_forwarded *forwarded;    /* CTL_FORWARDED */
};

#endif
