/* From topics that are to topics that shall be; see topic_plan_core.h. */
#include "tools/klamm/topic_plan_core.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

struct planner {
	struct arena *arena;
	struct plan_rules rules;
	struct plan plan;
	int cap;
};

char plan_sign(enum plan_kind kind)
{
	static const char signs[] = {
		[PLAN_CREATE] = '+',       [PLAN_ADD_PARTITIONS] = '~', [PLAN_SET_CONFIG] = '~', [PLAN_DELETE_CONFIG] = '~',
		[PLAN_DELETE_TOPIC] = '-', [PLAN_STAYS] = ' ',          [PLAN_CONFLICT] = '!'};

	return signs[kind];
}

const char *plan_kind_name(enum plan_kind kind)
{
	static const char *const names[] = {[PLAN_CREATE] = "create",         [PLAN_ADD_PARTITIONS] = "add-partitions",
					    [PLAN_SET_CONFIG] = "set-config", [PLAN_DELETE_CONFIG] = "delete-config",
					    [PLAN_DELETE_TOPIC] = "delete",   [PLAN_STAYS] = "stays",
					    [PLAN_CONFLICT] = "conflict"};

	return names[kind];
}

static void step_add(struct planner *planner, struct plan_step step)
{
	struct plan *plan = &planner->plan;

	if (plan->n_steps == planner->cap) {
		struct plan_step *steps;

		planner->cap = planner->cap ? 2 * planner->cap : 32;
		steps = arena_alloc(planner->arena, (size_t)planner->cap * sizeof *steps);
		if (plan->n_steps)
			memcpy(steps, plan->steps, (size_t)plan->n_steps * sizeof *steps);
		plan->steps = steps;
	}
	plan->steps[plan->n_steps++] = step;
	plan->n_conflicts += step.kind == PLAN_CONFLICT;
	plan->n_changes += step.kind != PLAN_CONFLICT && step.kind != PLAN_STAYS;
}

static const char *count_text(struct arena *arena, int32_t n, const char *one, const char *many)
{
	return n < 0 ? arena_printf(arena, "default %s", many) : arena_printf(arena, "%d %s", n, n == 1 ? one : many);
}

static void plan_create(struct planner *planner, const struct topic_spec *spec)
{
	struct arena *arena = planner->arena;
	const char *text = arena_printf(arena, "%s, %s", count_text(arena, spec->partitions, "partition", "partitions"),
					count_text(arena, spec->replication_factor, "replica", "replicas"));

	for (int i = 0; i < spec->n_configs; i++)
		text = arena_printf(arena, "%s, %.*s=%.*s", text, SLICE_ARGS(spec->configs[i].key),
				    SLICE_ARGS(spec->configs[i].value));
	step_add(planner, (struct plan_step){.kind = PLAN_CREATE, .spec = spec, .text = text});
}

static void plan_counts(struct planner *planner, const struct topic_spec *spec, const struct topic_state *state)
{
	struct plan_step step = {.spec = spec, .state = state};

	if (spec->partitions > state->partitions) {
		step.kind = PLAN_ADD_PARTITIONS;
		step.text = arena_printf(planner->arena, "partitions: %d -> %d", state->partitions, spec->partitions);
		step_add(planner, step);
	} else if (spec->partitions >= 0 && spec->partitions < state->partitions) {
		step.kind = PLAN_CONFLICT;
		step.text =
			arena_printf(planner->arena, "has %d partitions and the file says %d: partitions cannot be taken away",
				     state->partitions, spec->partitions);
		step_add(planner, step);
	}
	if (spec->replication_factor >= 0 && spec->replication_factor != state->replication_factor) {
		step.kind = PLAN_CONFLICT;
		step.text = arena_printf(planner->arena, "has %d replicas and the file says %d: that needs a reassignment",
					 state->replication_factor, spec->replication_factor);
		step_add(planner, step);
	}
}

static const struct config_pair *pair_find(const struct config_pair *list, int n, struct slice key)
{
	for (int i = 0; i < n; i++)
		if (slice_equal(list[i].key, key))
			return &list[i];
	return NULL;
}

static void plan_configs_set(struct planner *planner, const struct topic_spec *spec, const struct topic_state *state)
{
	for (int i = 0; i < spec->n_configs; i++) {
		const struct config_pair *wanted = &spec->configs[i];
		const struct config_pair *now = pair_find(state->configs, state->n_configs, wanted->key);

		if (now && slice_equal(now->value, wanted->value))
			continue;
		step_add(planner,
			 (struct plan_step){.kind = PLAN_SET_CONFIG,
					    .spec = spec,
					    .state = state,
					    .key = wanted->key,
					    .value = wanted->value,
					    .text = arena_printf(planner->arena, "%.*s: %.*s -> %.*s", SLICE_ARGS(wanted->key),
								 SLICE_ARGS(now ? now->value : SLICE_LITERAL("default")),
								 SLICE_ARGS(wanted->value))});
	}
}

static void plan_configs_left(struct planner *planner, const struct topic_spec *spec, const struct topic_state *state)
{
	for (int i = 0; i < state->n_configs; i++) {
		const struct config_pair *now = &state->configs[i];
		struct plan_step step = {.spec = spec, .state = state, .key = now->key};

		if (pair_find(spec->configs, spec->n_configs, now->key))
			continue;
		step.kind = planner->rules.delete_configs ? PLAN_DELETE_CONFIG : PLAN_STAYS;
		step.text = arena_printf(planner->arena,
					 planner->rules.delete_configs
						 ? "%.*s: %.*s -> default"
						 : "%.*s=%.*s is not in the file and stays (--delete-configs resets it)",
					 SLICE_ARGS(now->key), SLICE_ARGS(now->value));
		step_add(planner, step);
	}
}

static void plan_left(struct planner *planner, const struct topic_state *state)
{
	struct plan_step step = {
		.kind = PLAN_STAYS, .state = state, .text = "is not in the file and stays (--delete deletes it)"};

	if (state->internal)
		return;
	if (planner->rules.delete_topics) {
		step.kind = PLAN_DELETE_TOPIC;
		step.text = arena_printf(planner->arena, "with all records of its %s",
					 count_text(planner->arena, state->partitions, "partition", "partitions"));
	}
	step_add(planner, step);
}

/* Names in order, so that ten thousand topics are found in no time. */
struct name_index {
	const struct slice **names;
	int n;
};

static int by_name(const void *a, const void *b)
{
	const struct slice *const *x = a, *const *y = b;

	return slice_compare(**x, **y);
}

static struct name_index index_make(struct arena *arena, const void *first, size_t stride, int n)
{
	struct name_index index = {arena_alloc(arena, ((size_t)n + 1) * sizeof *index.names), n};

	for (int i = 0; i < n; i++)
		index.names[i] = (const void *)((const char *)first + (size_t)i * stride);
	if (n)
		qsort(index.names, (size_t)n, sizeof *index.names, by_name);
	return index;
}

/* Where the name lies, NULL when it is not there. */
static const struct slice *index_find(const struct name_index *index, struct slice name)
{
	const struct slice *key = &name, **found;

	found = index->n ? bsearch(&key, index->names, (size_t)index->n, sizeof *index->names, by_name) : NULL;
	return found ? *found : NULL;
}

static struct slice step_topic(const struct plan_step *step)
{
	return step->spec ? step->spec->name : step->state->name;
}

/* By topic, what a topic needs in the order it was found. */
static int by_topic(const void *a, const void *b)
{
	const struct plan_step *x = a, *y = b;
	int order = slice_compare(step_topic(x), step_topic(y));

	if (order == 0)
		order = (int)x->kind - (int)y->kind;
	return order ? order : slice_compare(x->key, y->key);
}

void topic_plan_make(struct arena *arena, const struct topic_spec *specs, int n_specs, const struct topic_state *states,
		     int n_states, struct plan_rules rules, struct plan *ret_plan)
{
	struct planner planner = {.arena = arena, .rules = rules};
	struct name_index there = index_make(arena, n_states ? &states->name : NULL, sizeof *states, n_states);
	struct name_index wanted = index_make(arena, n_specs ? &specs->name : NULL, sizeof *specs, n_specs);

	for (int i = 0; i < n_specs; i++) {
		const struct slice *name = index_find(&there, specs[i].name);
		const struct topic_state *state = name ? CONTAINER_OF(name, struct topic_state, name) : NULL;

		if (!state) {
			plan_create(&planner, &specs[i]);
			continue;
		}
		plan_counts(&planner, &specs[i], state);
		plan_configs_set(&planner, &specs[i], state);
		plan_configs_left(&planner, &specs[i], state);
	}
	for (int i = 0; i < n_states; i++)
		if (!index_find(&wanted, states[i].name))
			plan_left(&planner, &states[i]);
	if (planner.plan.n_steps)
		qsort(planner.plan.steps, (size_t)planner.plan.n_steps, sizeof *planner.plan.steps, by_topic);
	*ret_plan = planner.plan;
}
