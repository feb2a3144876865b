/* CreateTopics, CreatePartitions, DeleteTopics: refusals in Kafka's order and words, plans. */
#include "test/lib/unit.h"

#include "broker/meta/create_topics_core.h"
#include "common/limits.h"
#include "common/memory.h"
#include "proto/kafka_error.h"

#include <stdio.h>

static struct arena arena;
static struct view *view;
static struct broker_config *broker;
static struct topics_context context;

static const int32_t r1[] = {1}, r12[] = {1, 2}, r11[] = {1, 1}, r9[] = {9}, r19[] = {1, 9}, r2[] = {2}, r21[] = {2, 1};

static struct broker_config *load(const char *text)
{
	struct properties properties;
	struct broker_config *config = NULL;
	struct error err = {0};

	properties_init(&properties);
	ck_assert_int_eq(properties_parse(&properties, slice_of_text(text), "f", &err), 0);
	ck_assert_int_eq(properties_set(&properties, "zookeeper.connect=z", "--set", &err), 0);
	ck_assert_msg(broker_config_load(&properties, NULL, &config, &err) == 0, "%s", err.text);
	properties_fini(&properties);
	return config;
}

/* Brokers 1 and 2; topics col.x (one replica, two partitions), tt (two replicas), dying, moving. */
static void setup(void)
{
	static const struct view_broker brokers[] = {{.id = 1, .epoch = 1}, {.id = 2, .epoch = 2}};
	const struct view_partition single[] = {{.index = 0, .leader = 1, .n_replicas = 1, .replicas = r2, .n_isr = 1, .isr = r2},
						{.index = 1, .leader = 1, .n_replicas = 1, .replicas = r1, .n_isr = 1, .isr = r1}};
	const struct view_partition twin[] = {{.index = 0, .leader = 1, .n_replicas = 2, .replicas = r21, .n_isr = 2, .isr = r21},
					      {.index = 1, .leader = 1, .n_replicas = 2, .replicas = r12, .n_isr = 2, .isr = r12}};
	const struct view_partition moving[] = {{.index = 0, .leader = 2, .n_replicas = 2, .replicas = r12, .n_isr = 1, .isr = r2,
						 .n_adding = 1, .adding = r1, .n_removing = 1, .removing = r2}};
	const struct view_topic_delta topics[] = {
		{.name = SLICE_LITERAL("col.x"), .id = {{1}}, .n_partitions = 2, .partitions = single},
		{.name = SLICE_LITERAL("tt"), .id = {{2}}, .n_partitions = 2, .partitions = twin},
		{.name = SLICE_LITERAL("dying"), .id = {{3}}, .deleting = true, .n_partitions = 1, .partitions = single},
		{.name = SLICE_LITERAL("moving"), .id = {{4}}, .n_partitions = 1, .partitions = moving},
	};
	const struct view_delta delta = {.snapshot = true, .has_brokers = true, .brokers = brokers, .n_brokers = 2, .topics = topics,
					 .n_topics = 4};
	struct view *empty = view_new_empty();

	arena_init(&arena);
	ck_assert_int_eq(view_apply(empty, &delta, &view), 0);
	view_release(empty);
	broker = load("num.partitions=4\n");
	context = (struct topics_context){view, broker, 42, &arena};
}

static void teardown(void)
{
	view_release(view);
	broker_config_release(broker);
	arena_fini(&arena);
}

static struct create_topic_plan create(struct create_topic_wish wish)
{
	struct create_topic_plan plan;

	create_topics_plan(&context, &wish, 1, &plan);
	return plan;
}

static struct create_topic_wish wish(const char *name, int32_t n_partitions, int16_t replication_factor)
{
	return (struct create_topic_wish){.name = slice_of_text(name), .n_partitions = n_partitions,
					  .replication_factor = replication_factor};
}

static void refused(struct create_topic_wish asked, int16_t error, const char *message)
{
	struct create_topic_plan plan = create(asked);

	ck_assert_str_eq(plan.message ? plan.message : "(none)", message);
	ck_assert_int_eq(plan.error, error);
}

START_TEST(a_topic_is_planned_with_defaults)
{
	struct config_pair configs[] = {{SLICE_LITERAL("segment.ms"), SLICE_LITERAL("1")}, {SLICE_LITERAL("segment.ms"), SLICE_LITERAL("2")}};
	struct create_topic_wish asked = wish("t", -1, -1);
	struct create_topic_plan plan;

	setup();
	asked.configs = configs;
	asked.n_configs = 2;
	plan = create(asked);
	ck_assert_int_eq(plan.error, 0);
	ck_assert_int_eq(plan.assignment.n_partitions, 4);
	ck_assert_int_eq(plan.assignment.replication_factor, 1);
	ck_assert_int_eq(plan.configs.n, 1);
	ck_assert(slice_is_text(plan.configs.list[0].value, "2"));
	/* Leaders alternate, and the same seed gives the same plan. */
	for (int p = 0; p < 4; p++)
		ck_assert_int_eq(plan.assignment.replicas[p], plan.assignment.replicas[(p + 2) % 4]);
	ck_assert_int_ne(plan.assignment.replicas[0], plan.assignment.replicas[1]);
	ck_assert_int_eq(create(wish("t", -1, -1)).assignment.replicas[0], plan.assignment.replicas[0]);
	teardown();
}
END_TEST

START_TEST(refusals_of_create_topics_are_kafkas)
{
	struct config_pair null_configs[] = {{SLICE_LITERAL("segment.ms"), SLICE_NULL}, {SLICE_LITERAL("foo"), SLICE_NULL}};
	struct config_pair unknown = {SLICE_LITERAL("foo"), SLICE_LITERAL("1")};
	struct create_topic_wish asked;

	setup();
	refused(wish("col.x", 0, 1), KAFKA_TOPIC_ALREADY_EXISTS, "Topic 'col.x' already exists.");
	refused(wish("dying", 1, 1), KAFKA_TOPIC_ALREADY_EXISTS, "Topic 'dying' already exists.");
	asked = wish("t", 0, 1);
	asked.configs = null_configs;
	asked.n_configs = 2;
	refused(asked, KAFKA_INVALID_CONFIG, "Null value not supported for topic configs: segment.ms,foo");
	refused(wish("a/b", 0, 9), KAFKA_INVALID_PARTITIONS, "Number of partitions must be larger than 0.");
	refused(wish("t", -2, 1), KAFKA_INVALID_PARTITIONS, "Number of partitions must be larger than 0.");
	refused(wish("t", 1, 0), KAFKA_INVALID_REPLICATION_FACTOR, "Replication factor must be larger than 0.");
	refused(wish("t", 1, 3), KAFKA_INVALID_REPLICATION_FACTOR, "Replication factor: 3 larger than available brokers: 2.");
	asked = wish("a/b", 1, 1);
	asked.configs = &unknown;
	asked.n_configs = 1;
	refused(asked, KAFKA_INVALID_TOPIC_EXCEPTION,
		"Topic name is invalid: 'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'");
	asked.name = SLICE_LITERAL("col_x");
	refused(asked, KAFKA_INVALID_TOPIC_EXCEPTION, "Topic 'col_x' collides with existing topics: col.x");
	asked.name = SLICE_LITERAL("t");
	refused(asked, KAFKA_INVALID_CONFIG, "Unknown topic config name: foo");
	refused(wish("t", LIMIT_TOPIC_PARTITIONS + 1, 1), KAFKA_INVALID_PARTITIONS, "A topic cannot have more than 20000 partitions.");
	teardown();
}
END_TEST

START_TEST(the_replication_factor_left_open_is_the_brokers_default)
{
	struct create_topic_plan plan;

	setup();
	broker_config_release(broker);
	context.config = broker = load("default.replication.factor=2\n");
	plan = create(wish("t", 3, -1));
	ck_assert_int_eq(plan.error, 0);
	ck_assert_int_eq(plan.assignment.replication_factor, 2);
	for (int32_t p = 0; p < 3; p++) {
		const int32_t *replicas = assignment_replicas(&plan.assignment, p);

		ck_assert_int_eq(replicas[0] + replicas[1], 3);
	}
	broker_config_release(broker);
	context.config = broker = load("default.replication.factor=3\n");
	refused(wish("t", 3, -1), KAFKA_INVALID_REPLICATION_FACTOR, "Replication factor: 3 larger than available brokers: 2.");
	teardown();
}
END_TEST

START_TEST(manual_assignments_are_checked)
{
	struct manual_assignment list[2];
	struct create_topic_wish asked = wish("t", -1, -1);

	setup();
	asked.assignments = list;
	asked.n_assignments = 1;
	list[0] = (struct manual_assignment){0, r12, 2};
	ck_assert_int_eq(create(asked).error, 0);
	asked.n_partitions = 1;
	refused(asked, KAFKA_INVALID_REQUEST,
		"Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used at the same time.");
	asked.n_partitions = -1;
	list[0] = (struct manual_assignment){1, r1, 1};
	refused(asked, KAFKA_INVALID_REPLICA_ASSIGNMENT, "partitions should be a consecutive 0-based integer sequence");
	list[0] = (struct manual_assignment){1, r11, 2};
	refused(asked, KAFKA_INVALID_REPLICA_ASSIGNMENT, "Duplicate replica assignment found: 1 -> 1, 1");
	list[0] = (struct manual_assignment){0, r9, 1};
	refused(asked, KAFKA_INVALID_REPLICA_ASSIGNMENT, "Unknown broker(s) in replica assignment: 9.");
	list[0] = (struct manual_assignment){0, r1, 0};
	refused(asked, KAFKA_INVALID_REPLICA_ASSIGNMENT, "Cannot have replication factor of 0 for partition id 0.");
	asked.n_assignments = 2;
	list[0] = (struct manual_assignment){1, r1, 1};
	list[1] = (struct manual_assignment){2, r12, 2};
	refused(asked, KAFKA_INVALID_REPLICA_ASSIGNMENT, "All partitions should have the same number of replicas");
	list[0] = (struct manual_assignment){-1, r1, 1};
	list[1] = (struct manual_assignment){0, r1, 1};
	refused(asked, KAFKA_INVALID_REPLICA_ASSIGNMENT, "partitions should be a consecutive 0-based integer sequence");
	/* A partition given twice counts with its last assignment. */
	list[0] = (struct manual_assignment){0, r1, 1};
	list[1] = (struct manual_assignment){0, r2, 1};
	ck_assert_int_eq(create(asked).assignment.n_partitions, 1);
	ck_assert_int_eq(create(asked).assignment.replicas[0], 2);
	asked.name = SLICE_LITERAL("a/b");
	list[0] = (struct manual_assignment){1, r11, 2};
	ck_assert_int_eq(create(asked).error, KAFKA_INVALID_TOPIC_EXCEPTION);
	teardown();
}
END_TEST

START_TEST(names_that_stand_twice_are_refused_each)
{
	struct create_topic_wish wishes[] = {wish("b", 1, 1), wish("a", 1, 1), wish("b", 1, 1)};
	struct create_topic_plan plans[3];

	setup();
	create_topics_plan(&context, wishes, 3, plans);
	ck_assert_int_eq(plans[0].error, KAFKA_INVALID_REQUEST);
	ck_assert_str_eq(plans[2].message, "Found multiple entries for this topic.");
	ck_assert_int_eq(plans[1].error, 0);
	create_topics_plan(&context, wishes, 0, plans);
	teardown();
}
END_TEST

START_TEST(a_request_is_bounded)
{
	enum { N = 40 };
	struct create_topic_wish wishes[N];
	struct create_topic_plan plans[N];
	char names[N][16];
	int refusals = 0;

	setup();
	for (int i = 0; i < N; i++) {
		snprintf(names[i], sizeof names[i], "n%d", i);
		wishes[i] = wish(names[i], 10000, 1);
	}
	create_topics_plan(&context, wishes, N, plans);
	for (int i = 0; i < N; i++)
		refusals += plans[i].error == KAFKA_INVALID_PARTITIONS;
	ck_assert_int_eq(refusals, N - LIMIT_REQUEST_PARTITIONS / 10000);
	teardown();
}
END_TEST

static struct create_partitions_plan add(const char *name, int32_t n, const struct manual_assignment *assignments, int n_assignments)
{
	struct create_partitions_wish asked = {slice_of_text(name), n, assignments, n_assignments};
	struct create_partitions_plan plan;
	int n_plans;

	create_partitions_plan(&context, &asked, 1, &plan, &n_plans);
	ck_assert_int_eq(n_plans, 1);
	return plan;
}

static void add_refused(struct create_partitions_plan plan, int16_t error, const char *message)
{
	ck_assert_str_eq(plan.message ? plan.message : "(none)", message);
	ck_assert_int_eq(plan.error, error);
}

START_TEST(partitions_go_on_from_the_first_replica)
{
	struct create_partitions_plan plan;

	setup();
	plan = add("col.x", 5, NULL, -1);
	ck_assert_int_eq(plan.error, 0);
	ck_assert_int_eq(plan.added.n_partitions, 3);
	/* Partition 0 lies on broker 2, the second of two: start and shift are 1. */
	ck_assert_int_eq(plan.added.replicas[0], 2);
	ck_assert_int_eq(plan.added.replicas[1], 1);
	ck_assert_int_eq(plan.added.replicas[2], 2);
	teardown();
}
END_TEST

START_TEST(refusals_of_create_partitions_are_kafkas)
{
	const struct manual_assignment one[] = {{0, r12, 2}}, unknown[] = {{0, r19, 2}, {0, r9, 1}}, twice[] = {{0, r11, 2}};
	const struct manual_assignment empty[] = {{0, NULL, 0}}, narrow[] = {{0, r1, 1}, {0, r21, 2}, {0, r2, 1}};
	struct create_partitions_wish wishes[] = {{SLICE_LITERAL("tt"), 3, NULL, -1},
						  {SLICE_LITERAL("col.x"), 3, NULL, -1},
						  {SLICE_LITERAL("tt"), 4, NULL, -1}};
	struct create_partitions_plan plans[3];
	int n;

	setup();
	add_refused(add("tt", 2, NULL, -1), KAFKA_INVALID_PARTITIONS, "Topic already has 2 partitions.");
	add_refused(add("tt", 1, NULL, -1), KAFKA_INVALID_PARTITIONS,
		    "Topic currently has 2 partitions, which is higher than the requested 1.");
	add_refused(add("a/b", 3, NULL, -1), KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "The topic 'a/b' does not exist.");
	add_refused(add("dying", 3, NULL, -1), KAFKA_INVALID_TOPIC_EXCEPTION, "The topic is queued for deletion.");
	add_refused(add("tt", 4, one, 1), KAFKA_INVALID_REPLICA_ASSIGNMENT,
		    "Increasing the number of partitions by 2 but 1 assignments provided.");
	add_refused(add("moving", 3, NULL, -1), KAFKA_REASSIGNMENT_IN_PROGRESS,
		    "A partition reassignment is in progress for the topic 'moving'.");
	add_refused(add("tt", 3, NULL, 0), KAFKA_INVALID_REPLICA_ASSIGNMENT,
		    "Increasing the number of partitions by 1 but 0 assignments provided.");
	add_refused(add("tt", 4, unknown, 2), KAFKA_INVALID_REPLICA_ASSIGNMENT, "Unknown broker(s) in replica assignment: 9, 9.");
	add_refused(add("tt", 3, twice, 1), KAFKA_INVALID_REPLICA_ASSIGNMENT,
		    "Duplicate brokers not allowed in replica assignment: 1, 1 for partition id 2.");
	add_refused(add("tt", 3, empty, 1), KAFKA_INVALID_REPLICA_ASSIGNMENT, "Cannot have replication factor of 0 for partition id 2.");
	add_refused(add("tt", 5, narrow, 3), KAFKA_INVALID_REPLICA_ASSIGNMENT,
		    "Inconsistent replication factor between partitions, partition 0 has 2 while partitions [2, 4] have replication factors "
		    "[1, 1], respectively.");
	ck_assert_int_eq(add("tt", 3, one, 1).error, 0);
	ck_assert_int_eq(add("tt", INT32_MAX, NULL, -1).error, KAFKA_INVALID_PARTITIONS);
	create_partitions_plan(&context, wishes, 3, plans, &n);
	ck_assert_int_eq(n, 2);
	add_refused(plans[0], KAFKA_INVALID_REQUEST, "Duplicate topic in request.");
	ck_assert_int_eq(plans[1].error, 0);
	teardown();
}
END_TEST

START_TEST(topics_are_deleted_by_name_or_id)
{
	struct delete_topic_wish wishes[] = {
		{SLICE_LITERAL("tt"), UUID_ZERO},     {SLICE_NULL, {{1}}},	   {SLICE_LITERAL("tt"), {{2}}},
		{SLICE_NULL, UUID_ZERO},	      {SLICE_NULL, {{77}}},	   {SLICE_LITERAL("../x"), UUID_ZERO},
		{SLICE_LITERAL("tt"), UUID_ZERO},
	};
	static const int16_t errors[] = {0, 0, KAFKA_INVALID_REQUEST, KAFKA_TOPIC_AUTHORIZATION_FAILED, KAFKA_UNKNOWN_TOPIC_ID,
					 KAFKA_UNKNOWN_TOPIC_OR_PARTITION, 0};
	struct delete_topic_plan plans[7];

	setup();
	delete_topics_plan(&context, wishes, 7, plans);
	for (int i = 0; i < 7; i++) {
		ck_assert_int_eq(plans[i].error, errors[i]);
		ck_assert_int_eq(plans[i].topic != NULL, errors[i] == 0);
	}
	ck_assert(slice_is_text(plans[1].name, "col.x"));
	ck_assert(slice_is_null(plans[4].name));
	broker_config_release(broker);
	broker = load("delete.topic.enable=false\n");
	context.config = broker;
	delete_topics_plan(&context, wishes, 1, plans);
	ck_assert_int_eq(plans[0].error, KAFKA_TOPIC_DELETION_DISABLED);
	teardown();
}
END_TEST

UNIT_MAIN("broker/meta/create_topics_core", a_topic_is_planned_with_defaults, refusals_of_create_topics_are_kafkas,
	  the_replication_factor_left_open_is_the_brokers_default, manual_assignments_are_checked, names_that_stand_twice_are_refused_each,
	  a_request_is_bounded, partitions_go_on_from_the_first_replica, refusals_of_create_partitions_are_kafkas,
	  topics_are_deleted_by_name_or_id)
