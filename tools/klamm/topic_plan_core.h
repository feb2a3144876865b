/*
 * What has to be done so that the topics of a cluster become what a file describes: pure comparison, told before it is done.
 *
 *     specs (the file) + states (the cluster) -> steps, by topic name
 *
 * Nothing that a spec leaves out is changed. Topics and configs that the file does not name stay, unless the rules say
 * otherwise. What cannot be done (fewer partitions, another number of replicas) is a conflict: then nothing at all is done.
 */
#ifndef KLAMM_TOOLS_KLAMM_TOPIC_PLAN_CORE_H
#define KLAMM_TOOLS_KLAMM_TOPIC_PLAN_CORE_H

#include "common/arena.h"
#include "common/config_table.h"
#include "common/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct topic_spec {
	struct slice name;
	int32_t partitions;         /* -1: whatever there is; the broker's default for a new topic */
	int32_t replication_factor; /* the same */
	struct config_pair *configs;
	int n_configs;
	int line; /* in the file, for errors */
};

struct topic_state {
	struct slice name;
	int32_t partitions;
	int32_t replication_factor;
	bool internal;
	struct config_pair *configs; /* the topic's own */
	int n_configs;
};

enum plan_kind {
	PLAN_CREATE,
	PLAN_ADD_PARTITIONS,
	PLAN_SET_CONFIG,
	PLAN_DELETE_CONFIG,
	PLAN_DELETE_TOPIC,
	PLAN_STAYS,    /* not in the file, but nobody said to delete it: told, not done */
	PLAN_CONFLICT, /* cannot be done */
};

struct plan_step {
	enum plan_kind kind;
	const struct topic_spec *spec;   /* NULL for topics that the file does not name */
	const struct topic_state *state; /* NULL for new topics */
	struct slice key, value;         /* of configs */
	const char *text;                /* for people: what and from what to what */
};

struct plan_rules {
	bool delete_topics;
	bool delete_configs;
};

struct plan {
	struct plan_step *steps;
	int n_steps;
	int n_changes;
	int n_conflicts;
};

/* Both lists hold each name once. Texts lie in the arena; steps point into the lists. */
void topic_plan_make(struct arena *arena, const struct topic_spec *specs, int n_specs, const struct topic_state *states,
		     int n_states, struct plan_rules rules, struct plan *ret_plan);

/* '+' new, '~' changed, '-' deleted, ' ' stays, '!' conflict. */
char plan_sign(enum plan_kind kind);

/* "create", "add-partitions", ...: for programs. */
const char *plan_kind_name(enum plan_kind kind);

#endif
