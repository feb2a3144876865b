/* Changes of configurations, planned and written; see config_change.h. */
#include "broker/api/config_change.h"

#include "common/clock.h"
#include "proto/kafka_error.h"

#include <stdlib.h>

/* What is written holds at once here when the view comes back in this time; else a little later. */
#define SHOWN_MS_MAX 2000

/* Whoever meets a conflict so often shares the configuration with a program that does nothing else. */
#define ROUNDS_MAX 5

static void on_altered(struct admin_op *op);

static struct config_pairs overrides_now(const struct view *view, const struct alter_configs_plan *plan)
{
	return plan->of_topic ? plan->topic->config : view_broker_config(view, plan->broker_id);
}

static struct config_pairs copy(struct arena *arena, struct config_pairs pairs)
{
	struct config_pair *list = arena_zalloc(arena, (size_t)pairs.n, sizeof *list);

	for (int i = 0; i < pairs.n; i++)
		list[i] = (struct config_pair){arena_copy(arena, pairs.list[i].key), arena_copy(arena, pairs.list[i].value)};
	return (struct config_pairs){list, pairs.n};
}

/* The view may go while the hub writes, so its texts are copied. */
static struct admin_alter_config item_of(const struct shard *shard, struct arena *arena, const struct alter_configs_plan *plan)
{
	struct admin_alter_config item = {.topic = SLICE_NULL,
					  .broker_id = plan->broker_id,
					  .before = copy(arena, overrides_now(shard->view, plan)),
					  .after = copy(arena, plan->configs)};

	if (plan->of_topic) {
		item.topic = arena_copy(arena, plan->topic->name);
		item.topic_id = plan->topic->id;
	}
	return item;
}

/* Plans one wish; it is put into the operation unless it is refused. */
static void plan(struct config_change *change, int i)
{
	const struct shard *shard = shard_of(change->request->worker);
	struct arena *arena = &change->request->arena;
	struct alter_configs_plan plan;

	alter_configs_plan(shard->view, shard->config, &change->wishes[i], arena, &plan);
	change->results[i] = (struct config_change_result){plan.error, admin_call_message(plan.message)};
	if (plan.error || change->validate_only)
		return;
	change->altering[change->alter.n] = i;
	change->alter.list[change->alter.n++] = item_of(shard, arena, &plan);
}

static void write(struct config_change *change)
{
	if (change->alter.n == 0) {
		change->done(change);
		return;
	}
	change->alter.op.done = on_altered;
	change->alter.op.wait_until_ms = clock_ms() + SHOWN_MS_MAX;
	change->alter.op.deadline_ms = clock_ms() + shard_of(change->request->worker)->config->request_timeout_ms;
	admin_alter_configs(shard_of(change->request->worker)->admin, &change->alter);
}

static void on_altered(struct admin_op *op)
{
	struct config_change *change = CONTAINER_OF(CONTAINER_OF(op, struct admin_alter_configs, op), struct config_change, alter);
	const struct admin_alter_config *written = change->alter.list;
	const int *indexes = change->altering;
	int n = change->alter.n;
	bool again = ++change->rounds < ROUNDS_MAX;

	change->alter.list = arena_zalloc(&change->request->arena, (size_t)n, sizeof *change->alter.list);
	change->altering = arena_zalloc(&change->request->arena, (size_t)n, sizeof *change->altering);
	change->alter.n = 0;
	for (int i = 0; i < n; i++) {
		struct config_change_result *result = &change->results[indexes[i]];

		if (written[i].conflict && again) {
			plan(change, indexes[i]);
			continue;
		}
		*result = (struct config_change_result){written[i].item.error, admin_call_message(written[i].item.message)};
		if (written[i].conflict)
			result->message = SLICE_LITERAL("Another program changes the same configuration at the same time.");
	}
	write(change);
}

static int compare_resources(const void *a, const void *b)
{
	const struct alter_configs_wish *left = *(const struct alter_configs_wish *const *)a;
	const struct alter_configs_wish *right = *(const struct alter_configs_wish *const *)b;

	if (left->resource_type != right->resource_type)
		return left->resource_type < right->resource_type ? -1 : 1;
	return slice_compare(left->resource_name, right->resource_name);
}

/* A resource that stands twice is refused in each place. */
static void refuse_twins(struct config_change *change)
{
	const struct alter_configs_wish **sorted =
		arena_zalloc(&change->request->arena, (size_t)change->n, sizeof(const struct alter_configs_wish *));

	for (int i = 0; i < change->n; i++)
		sorted[i] = &change->wishes[i];
	if (change->n > 1)
		qsort(sorted, (size_t)change->n, sizeof *sorted, compare_resources);
	for (int i = 1; i < change->n; i++) {
		struct config_change_result refusal = {KAFKA_INVALID_REQUEST,
						       SLICE_LITERAL("Each resource must appear at most once.")};

		if (compare_resources(&sorted[i - 1], &sorted[i]))
			continue;
		change->results[sorted[i - 1] - change->wishes] = refusal;
		change->results[sorted[i] - change->wishes] = refusal;
	}
}

void config_change_run(struct config_change *change)
{
	struct arena *arena = &change->request->arena;

	change->results = arena_zalloc(arena, (size_t)change->n, sizeof *change->results);
	change->alter.list = arena_zalloc(arena, (size_t)change->n, sizeof *change->alter.list);
	change->altering = arena_zalloc(arena, (size_t)change->n, sizeof *change->altering);
	refuse_twins(change);
	for (int i = 0; i < change->n; i++)
		if (!change->results[i].error)
			plan(change, i);
	write(change);
}
