/*
 * The store of a broker: its log dirs, their disk threads, and every log that lies in them.
 *
 *     store_open      each entry of log.dirs: lock, identity (broker id, cluster id), what the last stop was
 *     store_load      all partitions, one disk thread a dir; logs wait here, by topic and partition, until a controller names them
 *     store_create    folders of new partitions, many at once, in the dir that has the fewest
 *     store_delete    folders of partitions that no shard has, many at once: they get other names
 *     ticks           background sync, durable marks, checkpoints, delayed removal: on the disk threads, when there is something to do
 *     store_close     clean stop
 *
 * Hub's thread. A log in the store belongs to the hub until it is claimed for a shard (store_log.claimed), which then opens it for the topic of
 * that id and no other, until the claim is given back; meanwhile its dir keeps it in mind, for checkpoints and the clean stop. A dir that
 * fails (D10) is told once, by on_dir_failed.
 */
#ifndef KLAMM_BROKER_STORE_H
#define KLAMM_BROKER_STORE_H

#include "broker/log/log_dir.h"
#include "broker/meta/broker_config.h"
#include "broker/replica/partition.h"
#include "broker/rt/disk.h"
#include "zk/json_broker.h"

#include <uthash.h>

struct store;

struct store_dir {
	struct store *store;
	const char *path;
	struct log_dir *dir; /* NULL: could not be opened */
	struct disk disk;
	bool started;
	struct disk_job tick;
	int64_t tick_wait_ms;
	bool ticking;        /* the job is out */
	bool wake_again;     /* woken while it was out */
	struct message wake;
	struct shared_flag woken; /* the message is on its way */
	struct timer timer;
	bool failure_told;
	int n_logs;
	int64_t full_ms;     /* when it last had no room for a partition; 0: never */
	/* While loading. */
	struct disk_job load;
	struct store_log **loaded;
	int n_loaded;
	int load_result;
	struct error load_error;
	struct stray_copy *strays; /* of partitions whose folder in another dir is the replica */
	int n_strays;
	struct disk_job set_aside;
};

/* A log by name. */
struct store_log {
	char *key; /* "topic-7", as its folder is called */
	struct store_dir *dir;
	struct log *log; /* NULL: damaged below the durable mark (D11), being deleted, or its dir has failed */
	struct producer_table producers; /* what its load has found; goes with the log to the shard */
	bool claimed;
	struct store_deletion *deletion; /* who has asked for it; NULL: it is not being deleted */
	struct uuid topic_id; /* it is claimed for this topic */
	UT_hash_handle hh;
};

struct store {
	const struct broker_config *config;
	struct worker *hub;
	struct fd_cache *fds;
	struct store_dir *dirs;
	int n_dirs;
	struct store_log *logs; /* uthash by key */
	struct creation_batch *creations; /* under way */
	struct deletion_part *deletions;
	int n_loading;
	int n_setting_aside;
	int64_t broker_epoch; /* this incarnation; -1: not registered yet */
	struct shared_flag stopping; /* loading ends early */
	void (*on_loaded)(void *ctx, int code, const struct error *err);
	void (*on_dir_failed)(void *ctx, struct store_dir *dir);
	void *ctx;
};

/*
 * Opens all dirs. ERR_BUSY, ERR_CONFIG: the broker may not start (another process, which is given a second to go; another broker's or
 * cluster's dir); err says what to do. A dir that cannot be read or written is left out with a line in the log, unless it is the last one.
 */
int store_open(struct store *store, const struct broker_config *config, struct worker *hub, struct error *err);

/* The cluster id that ZooKeeper has: ERR_CONFIG when a dir is of another cluster. */
int store_set_cluster_id(struct store *store, struct slice cluster_id, struct error *err);

/* The id that the dirs were written under; null when they are new. */
struct slice store_cluster_id(const struct store *store);

/*
 * Loads all partitions; on_loaded comes on the hub, with ERR_CLOSED after store_stop_loading. A dir that was not loaded to its end is not
 * called clean at the stop unless it was found so. Of a partition that lies in two dirs one folder is taken (copies_core.h) and the other set
 * aside, under Kafka's name for stray ones; ERR_CONFIG when an operator has to say which.
 */
void store_load(struct store *store, void (*on_loaded)(void *ctx, int code, const struct error *err), void *ctx);

/* The stop has begun: what is being loaded is the last. */
void store_stop_loading(struct store *store);

/* All entries of log.dirs work: a partition that is not found is not in one of them. */
bool store_is_whole(const struct store *store);

/* A new incarnation: whole_since (membership_whole_since) is written to every dir, synced (D9). */
int store_set_broker_epoch(struct store *store, int64_t epoch, int64_t whole_since);

/*
 * What a registration has to say of the start (D9), when all is loaded: the worst that is owed for a dir. A dir that has failed is not in it: the
 * controller hears of its replicas one by one, and that dir owes its word to the next start. *ret_previous: the last incarnation, -1 unknown.
 * *ret_durable: an unclean stop cost nothing of topics that do not say what they want (log_dir_owed_is_durable).
 */
enum broker_start store_start(const struct store *store, int64_t *ret_previous, bool *ret_durable);

/* The controller has taken in what was said: from now on nothing is owed, and the dirs that work are in use by this incarnation. */
int store_settle(struct store *store);

/* NULL when there is none. */
struct store_log *store_find(struct store *store, struct slice topic, int32_t partition);

struct store_creation {
	struct slice topic; /* lives until done */
	int32_t partition;
	struct uuid topic_id;
	struct log_config config;
	/* Set when done. */
	struct store_log *log; /* NULL: failed, code says why */
	int code;
	/* Of the store. */
	struct store_dir *dir;
};

/* One that had no room is not chosen for so long while there is another. */
#define STORE_FULL_MS 60000

/*
 * Makes the folders on the disk threads; done comes on the hub, later. The array is the caller's until then. What a dir that fails meanwhile has
 * not made ends with an error: a disk that hangs holds up what lies in its own dir, for as long as the watchdog lets it.
 */
void store_create(struct store *store, struct store_creation *list, int n, void (*done)(void *ctx), void *ctx);

/* Of the store: how the dir is in use now. */
void store_note_use(struct store_dir *dir);

/* Of the store: the dir has failed, its disk may never answer. */
void store_fail_creations(struct store_dir *dir);
void store_fail_deletions(struct store_dir *dir);

/* The log is gone (its folder renamed for deletion). */
void store_forget(struct store *store, struct store_log *log);

struct store_deletion {
	struct store_log *log; /* no shard has claimed it; nor may one while store_log.deletion is set */
	struct partition_key key;
	struct slice topic;
	/* Set when done: 0, and the entry is gone. ERR_VERSION: a damaged one that says that it is another topic's. */
	int code;
	/* Of the store. */
	struct deletion_batch *batch;
	struct store_deletion *next; /* of those that ask for the same entry */
};

/*
 * Renames the folders of at least one log on the disk threads; done comes on the hub, later. The array is the caller's until then. A disk that hangs
 * holds up what lies in its own dir, for as long as the watchdog lets it; what was not deleted by then ends with an error. The entry stays until
 * then, so that none of the same name is made before (M2).
 */
void store_delete(struct store *store, struct store_deletion *list, int n, void (*done)(void *ctx), void *ctx);

/* A dir may have failed outside of a tick (an append, a flush): looks, and tells on_dir_failed. */
void store_check_failures(struct store *store);

/* Ends the disk threads after the jobs that they have; what is done is posted. All shards have given up their partitions. */
void store_stop_disks(struct store *store);

/* Clean stop, after store_stop_disks and when all posted messages have run. Negative when a dir could not be closed cleanly. */
int store_close(struct store *store);

#endif
