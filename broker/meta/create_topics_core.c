/*
 * Decisions on CreateTopics, CreatePartitions and DeleteTopics; see create_topics_core.h. Each topic goes through a table of checks
 * in Kafka's order; the first refusal is its answer.
 */
#include "broker/meta/create_topics_core.h"

#include "broker/meta/topic_name_core.h"
#include "common/limits.h"
#include "proto/kafka_error.h"

#include <stdlib.h>

/* What one request goes through; `granted` counts partitions against LIMIT_REQUEST_PARTITIONS. */
struct planner {
	const struct topics_context *context;
	struct arena *arena;
	struct assign_broker *brokers; /* alive, by id */
	int n_brokers;
	int64_t granted;
	uint64_t chance;
};

static void planner_init(struct planner *planner, const struct topics_context *context)
{
	const struct view *view = context->view;

	*planner = (struct planner){
		.context = context,
		.arena = context->arena,
		.brokers = arena_alloc(context->arena, (size_t)view->n_brokers * sizeof(struct assign_broker)),
		.n_brokers = view->n_brokers,
		.chance = context->seed,
	};
	for (int i = 0; i < view->n_brokers; i++)
		planner->brokers[i] = (struct assign_broker){view->brokers[i]->id, view->brokers[i]->rack};
}

/* The next number from the seed (splitmix64), below n. */
static int32_t draw(struct planner *planner, int n)
{
	uint64_t z = planner->chance += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (int32_t)((z ^ (z >> 31)) % (uint64_t)n);
}

static const char *join_ids(struct arena *arena, const int32_t *ids, int n)
{
	const char *text = "";

	for (int i = 0; i < n; i++)
		text = arena_printf(arena, "%s%s%d", text, i ? ", " : "", ids[i]);
	return text;
}

/* A refusal: the code is returned, the text goes to *message. */
static int16_t refuse(const char **message, int16_t error, const char *text)
{
	*message = text;
	return error;
}

/* Counts partitions against the bounds of a topic and of a request. */
static int16_t grant(struct planner *planner, int64_t n_partitions, int64_t total, const char **message)
{
	planner->granted += n_partitions;
	if (total > LIMIT_TOPIC_PARTITIONS)
		return refuse(message, KAFKA_INVALID_PARTITIONS,
			      arena_printf(planner->arena, "A topic cannot have more than %d partitions.", LIMIT_TOPIC_PARTITIONS));
	if (planner->granted > LIMIT_REQUEST_PARTITIONS)
		return refuse(message, KAFKA_INVALID_PARTITIONS,
			      arena_printf(planner->arena, "A request cannot create more than %d partitions.", LIMIT_REQUEST_PARTITIONS));
	return 0;
}

static int16_t check_replication(struct planner *planner, int replication_factor, const char **message)
{
	if (replication_factor > planner->n_brokers)
		return refuse(message, KAFKA_INVALID_REPLICATION_FACTOR,
			      arena_printf(planner->arena, "Replication factor: %d larger than available brokers: %d.",
					   replication_factor, planner->n_brokers));
	if (replication_factor > LIMIT_REPLICAS)
		return refuse(message, KAFKA_INVALID_REPLICATION_FACTOR,
			      arena_printf(planner->arena, "Replication factor: %d larger than the limit of %d.", replication_factor,
					   LIMIT_REPLICAS));
	return 0;
}

/* The first broker id of an assignment that is not alive; true when there is one. */
static bool unknown_brokers(const struct planner *planner, const struct manual_assignment *assignments, int n, const char **ret_ids)
{
	const char *ids = NULL;

	for (int i = 0; i < n; i++) {
		for (int j = 0; j < assignments[i].n_brokers; j++) {
			int32_t id = assignments[i].brokers[j];

			if (view_is_alive(planner->context->view, id))
				continue;
			ids = ids ? arena_printf(planner->arena, "%s, %d", ids, id) : arena_printf(planner->arena, "%d", id);
			/* A few of them tell enough. */
			if (strlen(ids) > 200)
				break;
		}
		if (ids && strlen(ids) > 200)
			break;
	}
	*ret_ids = ids;
	return ids != NULL;
}

/* ---- CreateTopics ---- */

/* A wish on its way through the checks. */
struct creating {
	struct planner *planner;
	const struct create_topic_wish *wish;
	struct create_topic_plan *plan;
	const struct manual_assignment **by_partition; /* of a manual assignment: the last of each partition */
};

static int16_t check_exists(struct creating *creating)
{
	struct slice name = creating->wish->name;

	if (!view_topic(creating->planner->context->view, name))
		return 0;
	return refuse(&creating->plan->message, KAFKA_TOPIC_ALREADY_EXISTS,
		      arena_printf(creating->planner->arena, "Topic '%.*s' already exists.", SLICE_ARGS(name)));
}

static int16_t check_null_configs(struct creating *creating)
{
	const struct create_topic_wish *wish = creating->wish;
	struct arena *arena = creating->planner->arena;
	const char *names = NULL;

	for (int i = 0; i < wish->n_configs; i++) {
		if (!slice_is_null(wish->configs[i].value))
			continue;
		names = names ? arena_printf(arena, "%s,%.*s", names, SLICE_ARGS(wish->configs[i].key))
			      : arena_printf(arena, "%.*s", SLICE_ARGS(wish->configs[i].key));
	}
	if (!names)
		return 0;
	return refuse(&creating->plan->message, KAFKA_INVALID_CONFIG,
		      arena_printf(arena, "Null value not supported for topic configs: %s", names));
}

static int16_t check_both(struct creating *creating)
{
	const struct create_topic_wish *wish = creating->wish;

	if (!wish->n_assignments || (wish->n_partitions == -1 && wish->replication_factor == -1))
		return 0;
	return refuse(&creating->plan->message, KAFKA_INVALID_REQUEST,
		      "Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used at the same time.");
}

/* Counts, before the name is looked at. */
static int16_t check_counts(struct creating *creating)
{
	const struct create_topic_wish *wish = creating->wish;
	const struct broker_config *config = creating->planner->context->config;
	int32_t n_partitions = wish->n_partitions == -1 ? config->num_partitions : wish->n_partitions;
	int replication_factor = wish->replication_factor == -1 ? config->default_replication_factor : wish->replication_factor;
	const char **message = &creating->plan->message;
	int16_t error;

	if (wish->n_assignments)
		return 0;
	if (n_partitions <= 0)
		return refuse(message, KAFKA_INVALID_PARTITIONS, "Number of partitions must be larger than 0.");
	if (replication_factor <= 0)
		return refuse(message, KAFKA_INVALID_REPLICATION_FACTOR, "Replication factor must be larger than 0.");
	error = check_replication(creating->planner, replication_factor, message);
	if (error)
		return error;
	creating->plan->assignment = (struct assignment){n_partitions, (int16_t)replication_factor, NULL};
	return 0;
}

static int16_t check_name(struct creating *creating)
{
	struct slice name = creating->wish->name;
	const struct view *view = creating->planner->context->view;
	struct arena *arena = creating->planner->arena;
	const char *collisions = NULL;

	if (!topic_name_check(name, arena, &creating->plan->message))
		return KAFKA_INVALID_TOPIC_EXCEPTION;
	/* Names without '.' and '_' collide with none. */
	if (!memchr(name.data, '.', name.len) && !memchr(name.data, '_', name.len))
		return 0;
	for (int32_t i = 0; i < view->n_topics && (!collisions || strlen(collisions) < 1000); i++) {
		if (!topic_names_collide(view->topics[i]->name, name))
			continue;
		collisions = collisions ? arena_printf(arena, "%s, %.*s", collisions, SLICE_ARGS(view->topics[i]->name))
					: (const char *)view->topics[i]->name.data;
	}
	if (!collisions)
		return 0;
	return refuse(&creating->plan->message, KAFKA_INVALID_TOPIC_EXCEPTION,
		      arena_printf(arena, "Topic '%.*s' collides with existing topics: %s", SLICE_ARGS(name), collisions));
}

/* The last assignment of each partition; NULL where one is missing among 0..n-1. Duplicates count once, as in Kafka. */
static bool index_assignments(struct creating *creating, int32_t *ret_n)
{
	const struct create_topic_wish *wish = creating->wish;
	int32_t n = 0;

	creating->by_partition = arena_zalloc(creating->planner->arena, (size_t)wish->n_assignments, sizeof(void *));
	for (int i = 0; i < wish->n_assignments; i++) {
		int32_t partition = wish->assignments[i].partition;

		if (partition < 0 || partition >= wish->n_assignments)
			return false;
		n += creating->by_partition[partition] == NULL;
		creating->by_partition[partition] = &wish->assignments[i];
	}
	for (int32_t p = 0; p < n; p++)
		if (!creating->by_partition[p])
			return false;
	*ret_n = n;
	return true;
}

static int16_t check_assignment_shape(struct creating *creating)
{
	const struct create_topic_wish *wish = creating->wish;
	const char **message = &creating->plan->message;
	const struct manual_assignment *list = wish->assignments;

	for (int i = 1; i < wish->n_assignments; i++)
		if (list[i].n_brokers != list[0].n_brokers)
			return refuse(message, KAFKA_INVALID_REPLICA_ASSIGNMENT,
				      "All partitions should have the same number of replicas");
	for (int i = 0; i < wish->n_assignments; i++) {
		/* Checked before pairs are compared, so that a long list costs nothing. */
		if (list[i].n_brokers > LIMIT_REPLICAS)
			return check_replication(creating->planner, list[i].n_brokers, message);
		if (assign_has_duplicate(list[i].brokers, list[i].n_brokers))
			return refuse(message, KAFKA_INVALID_REPLICA_ASSIGNMENT,
				      arena_printf(creating->planner->arena, "Duplicate replica assignment found: %d -> %s",
						   list[i].partition,
						   join_ids(creating->planner->arena, list[i].brokers, list[i].n_brokers)));
	}
	return 0;
}

static int16_t check_assignment(struct creating *creating)
{
	const struct create_topic_wish *wish = creating->wish;
	const char **message = &creating->plan->message;
	struct planner *planner = creating->planner;
	const char *ids;
	int32_t n;
	int16_t error = wish->n_assignments ? check_assignment_shape(creating) : 0;

	if (error || !wish->n_assignments)
		return error;
	if (!index_assignments(creating, &n))
		return refuse(message, KAFKA_INVALID_REPLICA_ASSIGNMENT,
			      "partitions should be a consecutive 0-based integer sequence");
	if (!wish->assignments[0].n_brokers)
		return refuse(message, KAFKA_INVALID_REPLICA_ASSIGNMENT, "Cannot have replication factor of 0 for partition id 0.");
	if (unknown_brokers(planner, wish->assignments, wish->n_assignments, &ids))
		return refuse(message, KAFKA_INVALID_REPLICA_ASSIGNMENT,
			      arena_printf(planner->arena, "Unknown broker(s) in replica assignment: %s.", ids));
	error = check_replication(planner, wish->assignments[0].n_brokers, message);
	if (error)
		return error;
	creating->plan->assignment = (struct assignment){n, (int16_t)wish->assignments[0].n_brokers, NULL};
	return 0;
}

static int16_t check_configs(struct creating *creating)
{
	const struct create_topic_wish *wish = creating->wish;
	struct planner *planner = creating->planner;

	creating->plan->configs = config_pairs_sorted(planner->arena, wish->configs, wish->n_configs);
	if (!topic_config_check(planner->context->config, creating->plan->configs, planner->arena, &creating->plan->message))
		return KAFKA_INVALID_CONFIG;
	return 0;
}

static int16_t check_bounds(struct creating *creating)
{
	int32_t n = creating->plan->assignment.n_partitions;

	return grant(creating->planner, n, n, &creating->plan->message);
}

static void assign_manually(const struct creating *creating)
{
	struct assignment *assignment = &creating->plan->assignment;
	size_t n_replicas = (size_t)assignment->replication_factor;

	assignment->replicas =
		arena_zalloc(creating->planner->arena, (size_t)assignment->n_partitions * n_replicas, sizeof(int32_t));
	for (int32_t p = 0; p < assignment->n_partitions; p++)
		memcpy(assignment->replicas + (size_t)p * n_replicas, creating->by_partition[p]->brokers,
		       n_replicas * sizeof(int32_t));
}

static void assign(struct creating *creating)
{
	struct planner *planner = creating->planner;
	const struct assignment *wanted = &creating->plan->assignment;
	int32_t start = draw(planner, planner->n_brokers);
	int32_t shift = draw(planner, planner->n_brokers);

	if (creating->by_partition)
		assign_manually(creating);
	else
		assign_replicas(planner->brokers, planner->n_brokers, 0, wanted->n_partitions, wanted->replication_factor, start, shift,
				planner->arena, &creating->plan->assignment);
}

static void plan_topic(struct planner *planner, const struct create_topic_wish *wish, struct create_topic_plan *plan)
{
	static int16_t (*const checks[])(struct creating *) = {
		check_exists, check_null_configs, check_both, check_counts, check_name, check_assignment, check_configs, check_bounds,
	};
	struct creating creating = {planner, wish, plan, NULL};

	for (size_t i = 0; i < sizeof checks / sizeof checks[0] && !plan->error; i++)
		plan->error = checks[i](&creating);
	if (!plan->error)
		assign(&creating);
}

/* A name of a request and where it stands; sorted by name, then by place. */
struct named {
	struct slice name;
	int at;
};

static int compare_named(const void *a, const void *b)
{
	const struct named *left = a, *right = b;
	int order = slice_compare(left->name, right->name);

	return order ? order : (left->at > right->at) - (left->at < right->at);
}

static struct named *sorted_names(struct arena *arena, const void *first, size_t stride, int n)
{
	struct named *names = arena_alloc(arena, (size_t)n * sizeof *names);

	for (int i = 0; i < n; i++)
		names[i] = (struct named){*(const struct slice *)(const void *)((const char *)first + (size_t)i * stride), i};
	if (n > 1)
		qsort(names, (size_t)n, sizeof *names, compare_named);
	return names;
}

/* Where a name stands first; *ret_twice tells whether it stands again. */
static int first_place(const struct named *names, int n, struct slice name, bool *ret_twice)
{
	int low = 0, high = n;

	while (low < high) {
		int middle = (low + high) / 2;

		if (slice_compare(names[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_twice = low + 1 < n && slice_equal(names[low + 1].name, name);
	return names[low].at;
}

void create_topics_plan(const struct topics_context *context, const struct create_topic_wish *wishes, int n,
			struct create_topic_plan *ret_plans)
{
	struct named *names = sorted_names(context->arena, &wishes->name, sizeof *wishes, n);
	struct planner planner;

	planner_init(&planner, context);
	for (int i = 0; i < n; i++) {
		bool twice;

		ret_plans[i] = (struct create_topic_plan){0};
		first_place(names, n, wishes[i].name, &twice);
		if (twice)
			ret_plans[i].error = refuse(&ret_plans[i].message, KAFKA_INVALID_REQUEST, "Found multiple entries for this topic.");
		else
			plan_topic(&planner, &wishes[i], &ret_plans[i]);
	}
}

/* ---- CreatePartitions ---- */

/* The number of replicas means little while some come and others go. */
static bool is_moving(const struct view_topic *topic)
{
	for (int32_t i = 0; i < topic->n_partitions; i++)
		if (topic->partitions[i].n_adding > 0 || topic->partitions[i].n_removing > 0)
			return true;
	return false;
}

static int16_t check_increase(struct planner *planner, const struct create_partitions_wish *wish,
			      struct create_partitions_plan *plan)
{
	int32_t now;

	if (!plan->topic)
		return refuse(&plan->message, KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
			      arena_printf(planner->arena, "The topic '%.*s' does not exist.", SLICE_ARGS(wish->name)));
	if (plan->topic->deleting)
		return refuse(&plan->message, KAFKA_INVALID_TOPIC_EXCEPTION, "The topic is queued for deletion.");
	if (is_moving(plan->topic))
		return refuse(&plan->message, KAFKA_REASSIGNMENT_IN_PROGRESS,
			      arena_printf(planner->arena, "A partition reassignment is in progress for the topic '%.*s'.",
					   SLICE_ARGS(wish->name)));
	now = plan->topic->n_partitions;
	if (wish->n_partitions == now)
		return refuse(&plan->message, KAFKA_INVALID_PARTITIONS,
			      arena_printf(planner->arena, "Topic already has %d partitions.", now));
	if (wish->n_partitions < now)
		return refuse(&plan->message, KAFKA_INVALID_PARTITIONS,
			      arena_printf(planner->arena, "Topic currently has %d partitions, which is higher than the requested %d.", now,
					   wish->n_partitions));
	return grant(planner, (int64_t)wish->n_partitions - now, wish->n_partitions, &plan->message);
}

/* Partitions whose assignments have another number of replicas than partition 0: their indexes and numbers, joined. */
static int16_t check_equal_factor(struct planner *planner, const struct create_partitions_wish *wish,
				  struct create_partitions_plan *plan)
{
	const char *partitions = NULL, *factors = "";

	for (int i = 0; i < wish->n_assignments; i++) {
		if (wish->assignments[i].n_brokers == plan->topic->partitions[0].n_replicas)
			continue;
		if (partitions && strlen(partitions) > 1000)
			break;
		factors = arena_printf(planner->arena, "%s%s%d", factors, partitions ? ", " : "", wish->assignments[i].n_brokers);
		partitions = arena_printf(planner->arena, "%s%s%d", partitions ? partitions : "", partitions ? ", " : "",
					  plan->topic->n_partitions + i);
	}
	if (!partitions)
		return 0;
	return refuse(&plan->message, KAFKA_INVALID_REPLICA_ASSIGNMENT,
		      arena_printf(planner->arena,
				   "Inconsistent replication factor between partitions, partition 0 has %d while partitions [%s] have "
				   "replication factors [%s], respectively.",
				   plan->topic->partitions[0].n_replicas, partitions, factors));
}

static int16_t check_added(struct planner *planner, const struct create_partitions_wish *wish, struct create_partitions_plan *plan)
{
	int32_t increase = wish->n_partitions - plan->topic->n_partitions;
	const char *ids;

	if (unknown_brokers(planner, wish->assignments, wish->n_assignments, &ids))
		return refuse(&plan->message, KAFKA_INVALID_REPLICA_ASSIGNMENT,
			      arena_printf(planner->arena, "Unknown broker(s) in replica assignment: %s.", ids));
	if (wish->n_assignments != increase)
		return refuse(&plan->message, KAFKA_INVALID_REPLICA_ASSIGNMENT,
			      arena_printf(planner->arena, "Increasing the number of partitions by %d but %d assignments provided.",
					   increase, wish->n_assignments));
	for (int i = 0; i < wish->n_assignments; i++) {
		const struct manual_assignment *added = &wish->assignments[i];
		int32_t partition = plan->topic->n_partitions + i;

		if (!added->n_brokers)
			return refuse(&plan->message, KAFKA_INVALID_REPLICA_ASSIGNMENT,
				      arena_printf(planner->arena, "Cannot have replication factor of 0 for partition id %d.", partition));
		if (added->n_brokers > LIMIT_REPLICAS || assign_has_duplicate(added->brokers, added->n_brokers))
			return refuse(&plan->message, KAFKA_INVALID_REPLICA_ASSIGNMENT,
				      arena_printf(planner->arena,
						   "Duplicate brokers not allowed in replica assignment: %s for partition id %d.",
						   join_ids(planner->arena, added->brokers,
							    added->n_brokers < LIMIT_REPLICAS ? added->n_brokers : LIMIT_REPLICAS),
						   partition));
	}
	return check_equal_factor(planner, wish, plan);
}

/* Goes on from where the first partition stands in the list of brokers, so that old and new partitions are balanced together. */
static void assign_added(struct planner *planner, const struct create_partitions_wish *wish, struct create_partitions_plan *plan)
{
	const struct view_partition *first = &plan->topic->partitions[0];
	int32_t increase = wish->n_partitions - plan->topic->n_partitions;
	int32_t start = 0;

	while (start < planner->n_brokers && planner->brokers[start].id < first->replicas[0])
		start++;
	if (start == planner->n_brokers)
		start = 0;
	assign_replicas(planner->brokers, planner->n_brokers, plan->topic->n_partitions, increase, first->n_replicas, start, start,
			planner->arena, &plan->added);
}

static void copy_added(struct planner *planner, const struct create_partitions_wish *wish, struct create_partitions_plan *plan)
{
	size_t n_replicas = plan->topic->partitions[0].n_replicas;

	plan->added = (struct assignment){
		.n_partitions = wish->n_assignments,
		.replication_factor = (int16_t)n_replicas,
		.replicas = arena_zalloc(planner->arena, (size_t)wish->n_assignments * n_replicas, sizeof(int32_t)),
	};
	for (int i = 0; i < wish->n_assignments; i++)
		memcpy(plan->added.replicas + (size_t)i * n_replicas, wish->assignments[i].brokers, n_replicas * sizeof(int32_t));
}

static void plan_partitions(struct planner *planner, const struct create_partitions_wish *wish, struct create_partitions_plan *plan)
{
	plan->topic = view_topic(planner->context->view, wish->name);
	plan->error = check_increase(planner, wish, plan);
	if (!plan->error && plan->topic->partitions[0].n_replicas == 0)
		plan->error = refuse(&plan->message, KAFKA_INVALID_REPLICA_ASSIGNMENT, "Partition 0 of the topic has no replicas.");
	if (!plan->error && wish->n_assignments >= 0)
		plan->error = check_added(planner, wish, plan);
	if (!plan->error)
		plan->error = check_replication(planner, plan->topic->partitions[0].n_replicas, &plan->message);
	if (plan->error)
		return;
	if (wish->n_assignments >= 0)
		copy_added(planner, wish, plan);
	else
		assign_added(planner, wish, plan);
}

void create_partitions_plan(const struct topics_context *context, const struct create_partitions_wish *wishes, int n,
			    struct create_partitions_plan *ret_plans, int *ret_n)
{
	struct named *names = sorted_names(context->arena, &wishes->name, sizeof *wishes, n);
	struct planner planner;
	int n_plans = 0;

	planner_init(&planner, context);
	for (int i = 0; i < n; i++) {
		struct create_partitions_plan plan = {.name = wishes[i].name};
		bool twice;

		if (first_place(names, n, wishes[i].name, &twice) != i)
			continue;
		if (twice)
			plan.error = refuse(&plan.message, KAFKA_INVALID_REQUEST, "Duplicate topic in request.");
		else
			plan_partitions(&planner, &wishes[i], &plan);
		ret_plans[n_plans++] = plan;
	}
	*ret_n = n_plans;
}

/* ---- DeleteTopics ---- */

static int16_t plan_delete(const struct topics_context *context, const struct delete_topic_wish *wish, struct delete_topic_plan *plan)
{
	bool has_id = !uuid_is_zero(&wish->id), has_name = !slice_is_null(wish->name);

	if (has_id && has_name)
		return refuse(&plan->message, KAFKA_INVALID_REQUEST, "You can not specify both topic name and topic id.");
	if (has_id)
		plan->topic = view_topic_by_id(context->view, &wish->id);
	else if (has_name)
		plan->topic = view_topic(context->view, wish->name);
	/* Neither: it must not be told whether such a topic exists, and there is none. */
	else
		return KAFKA_TOPIC_AUTHORIZATION_FAILED;
	if (!plan->topic)
		return has_id ? KAFKA_UNKNOWN_TOPIC_ID : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	plan->name = plan->topic->name;
	if (!context->config->delete_topic_enable)
		return refuse(&plan->message, KAFKA_TOPIC_DELETION_DISABLED, "Topic deletion is disabled.");
	return 0;
}

void delete_topics_plan(const struct topics_context *context, const struct delete_topic_wish *wishes, int n,
			struct delete_topic_plan *ret_plans)
{
	for (int i = 0; i < n; i++) {
		ret_plans[i] = (struct delete_topic_plan){.name = wishes[i].name};
		ret_plans[i].error = plan_delete(context, &wishes[i], &ret_plans[i]);
		if (ret_plans[i].error)
			ret_plans[i].topic = NULL;
	}
}
