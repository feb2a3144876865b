/*
 * The cluster as the controller describes it: an immutable, counted value. The hub applies numbered deltas, each giving a new view
 * that shares with the old one every topic and broker that did not change, and posts each worker its own reference (D14).
 *
 *     view 41 ---- topics (sorted by name, and by id) ----> topic a   <----.
 *        |                                            `---> topic b'       |
 *        | view_apply(delta 42)                                            |
 *        v                                                                 |
 *     view 42 ---- topics ---------------------------------> topic b  -----'
 *
 * All text in a view is a slice with a 0 byte behind it and lives as long as the view (or the retained topic) it was taken from.
 * A view may be read, retained and released by any thread; nothing in it changes after it is made.
 */
#ifndef KLAMM_BROKER_META_VIEW_H
#define KLAMM_BROKER_META_VIEW_H

#include "common/arena.h"
#include "common/config_table.h"
#include "common/refcount.h"
#include "common/slice.h"
#include "common/uuid.h"

#define VIEW_NO_LEADER (-1)

/* The entity id of the cluster-wide dynamic broker configuration, "<default>". */
#define VIEW_DEFAULT_BROKER (-1)

struct view_endpoint {
	struct slice listener; /* listener name, "PLAINTEXT" */
	struct slice protocol; /* security protocol, "PLAINTEXT" */
	struct slice host;
	int32_t port;
};

/* A live broker. */
struct view_broker {
	struct refcount refs;
	int32_t id;
	int64_t epoch;     /* czxid of its znode: one incarnation */
	struct slice rack; /* null when it has none */
	bool ours;         /* runs Klamm */
	int n_endpoints;
	const struct view_endpoint *endpoints;
};

struct view_partition {
	int32_t index;
	int32_t leader; /* VIEW_NO_LEADER when there is none */
	int32_t leader_epoch;
	int32_t partition_epoch; /* version of the state znode */
	uint8_t n_replicas;
	uint8_t n_isr;
	uint8_t n_adding;
	uint8_t n_removing;
	uint8_t n_offline;
	bool recovering; /* leader recovery state of an unclean election */
	const int32_t *replicas;
	const int32_t *isr;
	const int32_t *adding;
	const int32_t *removing;
	const int32_t *offline; /* replicas whose log dir has failed, on brokers that live */
};

struct view_topic {
	struct refcount refs;
	struct slice name;
	struct uuid id;
	bool deleting;          /* its deletion is requested: it exists, but takes no changes */
	int32_t config_version; /* zkVersion of /config/topics/<name>; -1 when unknown */
	struct config_pairs config;
	int32_t n_partitions;
	const struct view_partition *partitions; /* partitions[i].index == i */
};

/* The dynamic configuration of one broker, or of all (VIEW_DEFAULT_BROKER). */
struct view_broker_config {
	struct refcount refs;
	int32_t id;
	int32_t version; /* zkVersion of its znode */
	struct config_pairs config;
};

struct view_keeper;

struct view {
	struct refcount refs;
	struct arena arena;         /* of the arrays and the cluster id */
	struct view_keeper *keeper; /* holds the references to the topics; NULL in an empty view */
	struct slice cluster_id;
	int32_t office_broker;    /* the broker that clients are told as the controller; -1: none */
	int32_t controller_epoch; /* -1 in an empty view */
	int64_t number;           /* of the last delta, counted by the controller; -1 in an empty view */
	int n_brokers;
	int n_broker_configs;
	int32_t n_topics;
	int64_t n_partitions;
	struct view_broker **brokers;               /* by id */
	struct view_broker_config **broker_configs; /* by id, VIEW_DEFAULT_BROKER first */
	struct view_topic **topics;                 /* by name, order of bytes */
	struct view_topic **topics_by_id;
};

/* ---- Reading ---- */

/* NULL when it is not alive. */
const struct view_broker *view_broker(const struct view *view, int32_t id);

/* The endpoint of a listener name (exact); NULL when the broker lacks it. */
const struct view_endpoint *view_broker_endpoint(const struct view_broker *broker, struct slice listener);

/* NULL when there is none of this name (resp. id). O(log n). */
const struct view_topic *view_topic(const struct view *view, struct slice name);
const struct view_topic *view_topic_by_id(const struct view *view, const struct uuid *id);

/* Index in view->topics of the first topic whose name is not below `name` (for cursors and prefix listings); n_topics at the end. */
int32_t view_topic_lower_bound(const struct view *view, struct slice name);

/* NULL when the index is out of range. */
const struct view_partition *view_partition(const struct view_topic *topic, int32_t index);

/* Overrides of a broker, or of VIEW_DEFAULT_BROKER; empty when there are none. */
struct config_pairs view_broker_config(const struct view *view, int32_t id);

/* Whether a broker is alive and whether `broker_id` stands in a list of ids. */
bool view_is_alive(const struct view *view, int32_t broker_id);
bool view_ids_contain(const int32_t *ids, int n, int32_t broker_id);

/* Writes those replicas of a partition that are not alive, or whose log dir has failed, to ret_ids (room for n_replicas); returns how many. */
int view_offline_replicas(const struct view *view, const struct view_partition *partition, int32_t *ret_ids);

/* ---- Counting ---- */

/* A view of nothing. */
struct view *view_new_empty(void);
struct view *view_retain(const struct view *view);
/* NULL is allowed. The last release frees the view and all that only it held. */
void view_release(const struct view *view);

/* A topic may be kept longer than the view it came from. */
struct view_topic *view_topic_retain(const struct view_topic *topic);
void view_topic_release(const struct view_topic *topic);

/* ---- Changing: deltas ---- */

/*
 * A topic that is new or changed. When the view has a topic of this name and id it is patched: what is not given stays. Otherwise
 * this is a new topic, also in the place of one with another id, and all its partitions are given. Everything is borrowed for the
 * call. A topic may stand in several entries of one delta (the controller cuts large ones); they count in order.
 */
struct view_topic_delta {
	struct slice name;
	struct uuid id;
	bool deleting;
	bool has_config;        /* config and config_version are given (a new topic without them has none, version -1) */
	int32_t config_version;
	const struct config_pair *config; /* any order */
	int n_config;
	int32_t n_partitions;                    /* those that are new or changed, any order */
	const struct view_partition *partitions;
};

struct view_broker_config_delta {
	int32_t id;                       /* or VIEW_DEFAULT_BROKER */
	int32_t version;
	const struct config_pair *config; /* replaces all; none removes the entity */
	int n_config;
};

/* What changed from delta number-1 to number; with `snapshot` the whole cluster. */
struct view_delta {
	bool snapshot;
	bool has_brokers; /* brokers holds all live brokers, in any order */
	int32_t controller_epoch;
	int64_t number;
	int32_t office_broker;
	struct slice cluster_id; /* null = as it was */
	const struct view_broker *brokers; /* refs unused */
	int n_brokers;
	const struct view_topic_delta *topics;
	int32_t n_topics;
	const struct slice *removed_topics; /* removed before topics are added; unknown names are ignored */
	int32_t n_removed_topics;
	const struct view_broker_config_delta *broker_configs;
	int n_broker_configs;
};

/*
 * The view after a delta, with one reference; the old one is untouched. Costs two copies of the array of topics and O(size of the
 * delta).
 * ERR_VERSION: the delta does not follow (a gap, another controller epoch without a snapshot, an older epoch): ask for a snapshot.
 * ERR_INVALID: it contradicts itself or the view (a new topic lacks a partition, more than LIMIT_REPLICAS replicas, a bad name).
 * ret_view is untouched then.
 */
int view_apply(const struct view *view, const struct view_delta *delta, struct view **ret_view);

/* ---- What changed between two views ---- */

struct view_topic_change {
	const struct view_topic *before; /* NULL: new */
	const struct view_topic *after;  /* NULL: gone */
};

struct view_broker_change {
	const struct view_broker *before; /* NULL: came */
	const struct view_broker *after;  /* NULL: went; both: another incarnation or other endpoints */
};

struct view_diff {
	struct view_topic_change *topics; /* a topic deleted and made anew under its name gives two changes: gone, then new */
	int32_t n_topics;
	struct view_broker_change *brokers;
	int n_brokers;
	bool broker_configs; /* any dynamic broker configuration differs */
};

/* Both views must outlive the result, whose arrays lie in the arena. O(topics), no text is compared for shared topics. */
void view_diff(const struct view *before, const struct view *after, struct arena *arena, struct view_diff *ret_diff);

#endif
