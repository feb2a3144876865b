/*
 * The controller's picture of the cluster: brokers, topics, partitions, deletions, configs. Only what ZooKeeper said is in it;
 * what is being written stands beside it (`next`) until ZooKeeper has answered.
 *
 *     znodes --> events --> ctl_step --> picture
 *                               |
 *                               +--> actions: reads, fenced writes, messages to brokers
 *
 * Memory: about 250 bytes a partition and 40 bytes a replica, all from one pool, so that losing the office drops everything at
 * once. There is no index from brokers to partitions: a broker that comes or goes costs one walk over all (1 ms for
 * 100,000), and nothing at all is done for a partition while nothing happens.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_STATE_H
#define KLAMM_TOOLS_CONTROLLER_CTL_STATE_H

#include "common/slice.h"
#include "common/uuid.h"
#include "tools/controller/ctl_action.h"
#include "tools/controller/ctl_event.h"
#include "tools/controller/ctl_pool.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- brokers ---- */

struct ctl_broker {
	int32_t id;
	int64_t epoch;                /* czxid of its znode: its incarnation */
	enum ctl_start start;         /* what its disks held then */
	bool durable;                 /* unclean: nothing of topics that do not say is lost */
	int32_t min_isr;              /* min.insync.replicas of topics that do not say, as it leads; 0: it does not say */
	int64_t previous;             /* no start since this epoch lost anything, but for `start` */
	struct slice rack;            /* null: none */
	struct ctl_endpoint *endpoints;
	int n_endpoints;
	int inter_broker;             /* the endpoint that brokers and controller use; -1: it does not say */
	bool ignored;                 /* foreign or nonsense: as if it were not there */
	bool waits;                   /* came back without what it had: counts as down until no ISR and ELR holds it (D9) */
	bool leaving;                 /* in controlled shutdown */
	int32_t told_remaining;       /* leaving: what its last SHUTDOWN_ANSWER said; -1: none was sent */

	/* The channel to it. */
	bool reached;                 /* connected, Hello accepted */
	bool unreachable;             /* not reached for a session time-out: counts as dead */
	int64_t deadline_ms;          /* when it becomes unreachable unless reached before; 0: none set */
	int64_t request;              /* number of the last request sent on this connection */
	int64_t full_request;         /* the request that carried all its states; 0: not sent yet */
	bool settled;                 /* it has answered that one */
	bool view_sent;               /* a snapshot went out on this connection */
	bool view_wanted;             /* it saw a gap: send another one */
	bool states_wanted;           /* send all its states again */

	/* States of replicas that it had no room for (ctl_failure.h). */
	int64_t again_ms;             /* when they are told again; 0: not asked for */
	bool again_due;               /* with the next flush */
};

/* ---- partitions ---- */

enum ctl_partition_state {
	CTL_NON_EXISTENT, /* its states have not been read */
	CTL_NEW,          /* no state znode yet */
	CTL_ONLINE,       /* its state names a leader */
	CTL_OFFLINE,      /* its state names none */
	CTL_PARTITION_STATES,
};

#define CTL_EPOCH_UNKNOWN INT64_C(-1) /* of a member: nobody wrote it down; judged by the state's mzxid */
#define CTL_EPOCH_GONE INT64_C(0)     /* of a member: an incarnation that was gone before the state was written */

/*
 * Leader, ISR and eligible leader replicas (KIP-966): what a state znode holds. Each member is an incarnation: its broker epoch.
 * With a leader, whoever is in the ISR or the ELR has all that was acknowledged; without one, only the ELR says so, and the ISR
 * is what Kafka's tools are shown, never empty.
 */
struct ctl_lead {
	int32_t leader;       /* -1: none */
	int32_t leader_epoch; /* -1: never written */
	int32_t *isr;
	int64_t *isr_epochs;
	int32_t *elr;
	int64_t *elr_epochs;
	int32_t *lost;        /* last_known_elr: were eligible and came back without their tails */
	int16_t n_isr, isr_room;
	int16_t n_elr, elr_room;
	int16_t n_lost, lost_room;
	bool recovering;
};

/* An assignment that somebody asks for, or that is being written (ctl_reassign.h). */
struct ctl_move {
	uint32_t serial;       /* of the asking; another one has taken its place when it is no longer the same */
	bool asked;            /* whoever asked waits for the outcome */
	bool wanted;           /* target is to be written */
	bool settled;          /* error and message are the outcome */
	bool writing;          /* ids are being written */
	bool unknown;          /* that write's outcome is not known: the topic's node is being read */
	int16_t error;
	int16_t n_target;      /* -1: back to the origin */
	int16_t n_replicas, n_adding, n_removing;
	int32_t *target;
	int32_t *ids;          /* n_replicas, then n_adding, then n_removing */
	struct slice message;  /* null: none */
};

/* The log of one replica of a partition without leader. */
struct ctl_end {
	int32_t broker;
	int32_t leader_epoch; /* under which it was told: it holds no longer than that */
	int64_t broker_epoch;
	int32_t last_epoch;
	int64_t end_offset;
};

/* A replica that its broker has not got (ctl_failure.h). */
struct ctl_failure {
	struct ctl_failure *next;
	int32_t broker;
	bool again;      /* the disk was full: its state is told again */
	int64_t request; /* that told the state since, on the present connection; 0: none */
};

struct ctl_partition {
	int32_t *replicas; /* n_replicas, then n_adding, then n_removing */
	struct ctl_move *move; /* NULL: none is asked for or being written */
	struct ctl_end *ends;  /* n_ends; as brokers told them; out of date ones are among them */
	int16_t n_replicas;
	int16_t n_adding;
	int16_t n_removing;
	int16_t n_ends, ends_room;
	uint8_t state;     /* enum ctl_partition_state */
	bool odd : 1;      /* its znode is nonsense: reported, left alone until read again */
	bool reading : 1;  /* its state is being read again */
	bool again : 1;    /* something happened while it was being written or read: decide again afterwards */
	bool creating : 1; /* its first state is being written, or read after that failed */
	bool fresh : 1;    /* its first state was written and nobody has been told yet */
	bool tell_replicas : 1; /* the brokers of its replicas are to be told */
	bool tell_view : 1;     /* the next view is to hold it */
	bool unseen : 1;   /* no view that went out holds it yet */
	bool proposed : 1; /* the write under way is a leader's proposal: it waits for the answer */
	bool void_elr : 1; /* the ELR in the znode no longer counts, and could not be taken out yet */
	bool clearing : 1; /* the write under way drops eligible leaders that a smaller min.insync.replicas makes worthless */
	bool grown : 1;    /* its adding replicas are new and nobody has been told yet */
	int32_t version;   /* of the state znode, the partition epoch; -1: none */
	int32_t controller_epoch; /* in the znode */
	uint32_t ticket;   /* of the write under way; 0: none */
	uint32_t refused;  /* of the last one that ZooKeeper refused */
	int32_t legacy;    /* its place in ctl_legacy.moves, from 1; 0: none */
	int32_t asker;     /* proposed: the leader that waits */
	int64_t number;    /* proposed: of its proposal */
	int64_t asker_epoch;
	struct ctl_failure *failures; /* replicas that their brokers have not got; NULL: none */
	int64_t mzxid;     /* of the state as it was read; 0: it was written here */
	struct ctl_lead now;
	struct ctl_lead next;
};

/* ---- topics ---- */

enum ctl_topic_phase {
	CTL_TOPIC_ASKED,   /* seen in the list; its node is being read */
	CTL_TOPIC_LOADING, /* its states are being read */
	CTL_TOPIC_LIVE,
	CTL_TOPIC_ODD,     /* its node is nonsense or lacks what is needed: it waits, the others live */
};

enum ctl_deletion_phase {
	CTL_DELETION_NONE,
	CTL_DELETION_QUEUED,   /* asked for; waits while something is being written */
	CTL_DELETION_STOPPING, /* brokers erase their replicas */
	CTL_DELETION_ERASING,  /* its znodes are being deleted */
};

/* One broker that has to erase its replicas of a topic. */
struct ctl_stop {
	int32_t broker;
	bool done;
	bool failed;     /* it said no; asked again when it comes back or after a while */
	int64_t request; /* the request it was asked by on its present connection; 0: to be asked */
	int64_t epoch;   /* the incarnation that was asked */
};

struct ctl_configs {
	struct ctl_pair *pairs; /* one piece of memory with the texts behind */
	int n_pairs;
	size_t size;
	int32_t version;        /* of the config znode; -1: there is none */
};

struct ctl_topic {
	struct ctl_topic *next, *prev;          /* all topics, oldest first */
	struct ctl_topic *next_by_name, *next_by_id;
	struct ctl_topic *next_dirty;
	struct ctl_topic *next_moving;
	struct slice name;
	struct uuid id;                         /* zero until its node has been read */
	int64_t created;                        /* czxid of its node */
	int32_t version;                        /* of its node */
	uint32_t ticket;                        /* of the write of its node or of its erasure under way; 0: none */
	uint32_t listed;                        /* the last list of topics it was in */
	uint8_t phase;                          /* enum ctl_topic_phase */
	uint8_t deletion;                       /* enum ctl_deletion_phase */
	bool is_dirty : 1;                      /* in the list of dirty ones */
	bool is_moving : 1;                     /* in the list of those whose reassignments may go on */
	bool moves_written : 1;                 /* the write of its node under way holds moves */
	bool moves_unknown : 1;                 /* its node is being read to learn how such a write ended */
	bool seen : 1;                          /* a view that went out holds it */
	bool configs_dirty : 1;
	bool configs_known : 1;
	bool has_parents : 1;                   /* its `partitions` znode exists */
	bool reread : 1;                        /* its node changed while a write of it was under way */
	int32_t n_partitions;
	int32_t n_writing;                      /* partitions with a write under way */
	int32_t n_creating;                     /* partitions that are `creating` */
	struct ctl_partition *partitions;
	struct ctl_stop *stops;
	int32_t n_stops;
	struct ctl_configs configs;
};

/* A replica that its broker has to erase, since the partition moved away (ctl_leftover.h). */
struct ctl_leftover {
	struct ctl_leftover *next;
	struct slice topic;
	struct uuid topic_id;
	int32_t partition;
	int32_t broker;
	bool failed;     /* it said no */
	int64_t request; /* that it was asked by on its present connection; 0: to be asked */
};

/* One partition in /admin/reassign_partitions. */
struct ctl_legacy_move {
	struct slice topic;
	int32_t partition;
	int32_t n_replicas;
	int32_t *replicas;
	uint32_t serial; /* of the asking for it */
	uint8_t stage;   /* ctl_legacy.c */
};

/* The two nodes below /admin through which old tools ask for elections and reassignments (ctl_legacy.h). */
struct ctl_legacy {
	bool elections_known;      /* the node was read, once at least */
	bool electing;             /* what it asks for is under way */
	bool elections_done;       /* it is to be deleted */
	int32_t elections_version; /* as it was read; -1: there is none */
	uint32_t elections_ticket; /* of its deletion; 0: none is under way */

	bool moves_known;
	bool moves_due;            /* some of them are to be taken out */
	bool moves_reread;         /* it is to be read again before it is written */
	int32_t moves_version;     /* -1: there is none */
	uint32_t moves_ticket;     /* of its write under way; 0: none */
	bool refused;              /* ZooKeeper refused a write of one of them: tried again after a while */
	struct ctl_legacy_move *moves;
	int32_t n_moves, moves_room;
};

struct ctl_broker_config {
	int32_t broker; /* -1: the defaults of all */
	bool dirty;
	struct ctl_configs configs;
};

/* ---- all of it ---- */

struct ctl_settings {
	int32_t session_timeout_ms;   /* a broker not reached for so long counts as down */
	bool unclean_leader_election; /* default of topics that do not say */
	int32_t min_insync_replicas;  /* the same, when brokers do not say; 0 is 1 */
	bool delete_topic_enable;
	bool auto_leader_rebalance;   /* leaderships go back to preferred replicas by themselves */
	int32_t imbalance_check_s;    /* how often that is looked at */
	int32_t imbalance_percent;    /* of the leaderships that a broker should have and has not; more of them move */
};

struct ctl {
	struct ctl_settings settings;
	struct ctl_pool pool;
	bool active;                  /* holds the office */
	bool loading;                 /* first reads are under way: nothing is decided yet */
	struct ctl_actions *out;      /* of the step under way */
	int64_t now_ms;               /* of the step under way */
	int32_t n_asked;              /* reads under way while loading */
	bool topics_wanted;           /* the list of topics is to be read again */
	bool deletions_wanted;        /* and that of deletion requests */
	uint32_t listing;             /* counts the lists of topics read */
	int64_t retry_ms;             /* when what failed is tried again; 0: nothing failed */
	int32_t n_deleting;           /* topics that are to be deleted */
	int32_t n_stopping;           /* those among them whose replicas are being erased */
	int32_t epoch;                /* controller epoch */
	int32_t epoch_version;        /* zkVersion of /controller_epoch: the fencing token of every write */
	int32_t epoch_seen;           /* largest controller epoch in any state znode */
	bool raising;                 /* the office is to be taken anew with an epoch above epoch_seen: this picture is over */
	int32_t ruled_since;          /* ELR keys in states of an older controller epoch are stale: others ruled meanwhile (D9) */
	int32_t n_clearing;           /* partitions that are `clearing`: nobody is told anything meanwhile */
	struct ctl_isr_answer *answers; /* to be sent with the next flush */
	int n_answers;
	int answers_room;
	uint32_t tickets;
	int64_t balance_ms;           /* when leaderships are next brought back to preferred replicas; 0: not asked for */
	int64_t timer_ms;             /* what the shell was last asked for; 0: nothing */

	struct ctl_broker *brokers;   /* by id */
	int n_brokers;
	int brokers_room;
	bool brokers_dirty;
	int32_t office;               /* the broker named in /controller; -1: none */
	bool office_known;            /* what stands in /controller is `office` */

	struct ctl_topic *topics, *topics_last;
	int32_t n_topics;
	struct ctl_topic **by_name, **by_id;
	size_t n_buckets;
	struct ctl_topic *dirty;
	struct ctl_topic *moving;
	uint32_t serials;             /* of askings for reassignments */
	struct ctl_leftover *leftovers;
	int32_t n_failures;           /* of all partitions */
	struct ctl_request *requests; /* of clients, handed on by brokers (ctl_admin.c) */
	int32_t n_requests;

	struct ctl_legacy legacy;

	struct slice *deletions;      /* names in /admin/delete_topics */
	int n_deletions;
	int deletions_room;

	struct ctl_broker_config *broker_configs;
	int n_broker_configs;

	/* The view: numbered by (epoch, view_number). */
	int64_t view_number;
	struct uuid *removed;         /* topics that went since the last view */
	int n_removed;
	int removed_room;
	bool office_dirty;
};

void ctl_init(struct ctl *ctl, const struct ctl_settings *settings);
void ctl_fini(struct ctl *ctl);

/* ---- look-up and upkeep; used by the ctl_ files only ---- */

struct ctl_broker *ctl_broker_find(struct ctl *ctl, int32_t id);
struct ctl_topic *ctl_topic_find(struct ctl *ctl, struct slice name);
struct ctl_topic *ctl_topic_find_id(struct ctl *ctl, const struct uuid *id);

/* A new topic of which only the name is known. */
struct ctl_topic *ctl_topic_add(struct ctl *ctl, struct slice name);
void ctl_topic_set_id(struct ctl *ctl, struct ctl_topic *topic, const struct uuid *id);

/* Forgets the topic; views tell brokers that it is gone. The pointer is dead afterwards. */
void ctl_topic_drop(struct ctl *ctl, struct ctl_topic *topic);

/* No longer part of the view: the next one says that it is gone. */
void ctl_topic_hide(struct ctl *ctl, struct ctl_topic *topic);

/* Room for n partitions; those beyond the present ones are CTL_NON_EXISTENT. */
void ctl_topic_grow(struct ctl *ctl, struct ctl_topic *topic, int32_t n);

/* What was said of replicas that are none any more is forgotten. */
void ctl_partition_set_replicas(struct ctl *ctl, struct ctl_partition *partition, const struct ctl_assignment *assignment);

/* epochs NULL: unknown. */
void ctl_lead_set_isr(struct ctl *ctl, struct ctl_lead *lead, const int32_t *isr, const int64_t *epochs, int n_isr);
void ctl_lead_set_elr(struct ctl *ctl, struct ctl_lead *lead, const int32_t *elr, const int64_t *epochs, int n_elr);
void ctl_lead_set_lost(struct ctl *ctl, struct ctl_lead *lead, const int32_t *lost, int n_lost);
void ctl_lead_copy(struct ctl *ctl, struct ctl_lead *to, const struct ctl_lead *from);
/* The pieces of a move; ids of the plan may be those of the partition itself. Freed: the partition has none. */
void ctl_move_set_target(struct ctl *ctl, struct ctl_move *move, const int32_t *target, int n_target);
void ctl_move_set_plan(struct ctl *ctl, struct ctl_move *move, const struct ctl_assignment *plan);
void ctl_move_set_message(struct ctl *ctl, struct ctl_move *move, struct slice message);
void ctl_move_free(struct ctl *ctl, struct ctl_partition *partition);

/* Takes the place of what the same broker told before. */
void ctl_partition_set_end(struct ctl *ctl, struct ctl_partition *partition, const struct ctl_end *end);
void ctl_partition_free_ends(struct ctl *ctl, struct ctl_partition *partition);

void ctl_partition_drop_failure(struct ctl *ctl, struct ctl_partition *partition, struct ctl_failure *failure);


void ctl_configs_set(struct ctl *ctl, struct ctl_configs *configs, const struct ctl_pair *pairs, int n_pairs, int32_t version);

/* The value of a key, or null. */
struct slice ctl_configs_get(const struct ctl_configs *configs, const char *name);

/* The config of a broker (-1: of all); NULL when there is none. */
struct ctl_broker_config *ctl_broker_config_find(struct ctl *ctl, int32_t broker);

/* Puts the topic on the list of those that the next flush looks at. */
void ctl_topic_touch(struct ctl *ctl, struct ctl_topic *topic);

/* Puts the topic on the list of those whose reassignments the next flush looks at. */
void ctl_topic_list_moving(struct ctl *ctl, struct ctl_topic *topic);
void ctl_topic_unlist_moving(struct ctl *ctl, struct ctl_topic *topic);

static inline bool ctl_configs_same(const struct ctl_configs *configs, const struct ctl_pair *pairs, int n_pairs)
{
	if (configs->n_pairs != n_pairs)
		return false;
	for (int i = 0; i < n_pairs; i++)
		if (!slice_equal(configs->pairs[i].name, pairs[i].name) || !slice_equal(configs->pairs[i].value, pairs[i].value))
			return false;
	return true;
}

#endif
