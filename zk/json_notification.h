/* Sequential notifications and requests of operators: ISR changes, failed log dirs, /admin nodes. */
#ifndef KLAMM_ZK_JSON_NOTIFICATION_H
#define KLAMM_ZK_JSON_NOTIFICATION_H

#include "common/arena.h"
#include "common/error.h"
#include "common/slice.h"

#include <stdint.h>

struct topic_partition_replicas {
	struct slice topic;
	int32_t partition;
	int32_t *replicas; /* reassignment only; else NULL */
	int32_t n_replicas;
};

struct topic_partition_list {
	struct topic_partition_replicas *items;
	int32_t n_items;
};

/* /isr_change_notification/isr_change_<n> and /admin/preferred_replica_election (the same form). */
int partition_list_decode(struct arena *arena, const char *path, struct slice json, struct topic_partition_list *ret_list,
			  struct error *err);
struct slice partition_list_encode(struct arena *arena, const struct topic_partition_list *list);

/* /admin/reassign_partitions: each item has replicas. */
int reassignment_decode(struct arena *arena, const char *path, struct slice json, struct topic_partition_list *ret_list,
			struct error *err);
struct slice reassignment_encode(struct arena *arena, const struct topic_partition_list *list);

/* /log_dir_event_notification/log_dir_event_<n>: the broker whose log dir failed. */
int log_dir_event_decode(struct arena *arena, const char *path, struct slice json, int32_t *ret_broker_id, struct error *err);
struct slice log_dir_event_encode(struct arena *arena, int32_t broker_id);

#endif
