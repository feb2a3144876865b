/* Cluster views: deltas, sharing, index by id, contradictions, differences, memory. */
#include "test/lib/unit.h"

#include "broker/meta/view.h"
#include "common/error.h"
#include "common/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

static const int32_t ids_1_2[] = {1, 2};
static const int32_t ids_2[] = {2};

static struct view_partition partition(int32_t index, int32_t leader, int32_t epoch)
{
	return (struct view_partition){
		.index = index,
		.leader = leader,
		.leader_epoch = epoch,
		.n_replicas = 2,
		.n_isr = 1,
		.replicas = ids_1_2,
		.isr = ids_2,
	};
}

static struct uuid id_of(int n)
{
	/* Spread, so that the order by id is not the order by name. */
	uint32_t mixed = (uint32_t)n * 2654435761u;
	struct uuid id = UUID_ZERO;

	memcpy(id.bytes, &mixed, sizeof mixed);
	memcpy(id.bytes + 8, &n, sizeof n);
	return id;
}

static struct view_delta delta_at(const struct view *view)
{
	return (struct view_delta){
		.snapshot = view->number < 0,
		.controller_epoch = view->number < 0 ? 7 : view->controller_epoch,
		.number = view->number < 0 ? 1 : view->number + 1,
		.office_broker = 1,
		.cluster_id = SLICE_NULL,
	};
}

/* Applies a delta and gives the new view in the place of the old one. */
static struct view *step(struct view *view, const struct view_delta *delta)
{
	struct view *next = NULL;

	ck_assert_int_eq(view_apply(view, delta, &next), 0);
	view_release(view);
	return next;
}

static struct view *with_topic(struct view *view, const char *name, int id, int32_t n_partitions)
{
	struct view_partition partitions[8];
	struct view_topic_delta topic = {.name = slice_of_text(name), .id = id_of(id), .n_partitions = n_partitions,
					 .partitions = partitions};
	struct view_delta delta = delta_at(view);

	for (int32_t i = 0; i < n_partitions; i++)
		partitions[i] = partition(i, 2, 0);
	delta.topics = &topic;
	delta.n_topics = 1;
	return step(view, &delta);
}

/* Every topic is found by its name and its id, in order. */
static void check_whole(const struct view *view)
{
	int64_t n_partitions = 0;

	for (int32_t i = 0; i < view->n_topics; i++) {
		const struct view_topic *topic = view->topics[i];

		ck_assert_ptr_eq(view_topic(view, topic->name), topic);
		ck_assert_ptr_eq(view_topic_by_id(view, &topic->id), topic);
		if (i > 0)
			ck_assert_int_lt(slice_compare(view->topics[i - 1]->name, topic->name), 0);
		n_partitions += topic->n_partitions;
		for (int32_t p = 0; p < topic->n_partitions; p++)
			ck_assert_int_eq(topic->partitions[p].index, p);
	}
	ck_assert_int_eq(view->n_partitions, n_partitions);
}

START_TEST(an_empty_view_holds_nothing_and_takes_only_a_snapshot)
{
	struct view *view = view_new_empty();
	struct view_delta delta = {.number = 0, .controller_epoch = -1};
	struct view *next = NULL;

	ck_assert_ptr_null(view_topic(view, SLICE_LITERAL("t")));
	ck_assert_ptr_null(view_broker(view, 1));
	ck_assert_int_eq(view_broker_config(view, 1).n, 0);
	ck_assert_int_eq(view_apply(view, &delta, &next), ERR_VERSION);
	ck_assert_ptr_null(next);
	view_release(view);
	view_release(NULL);
}
END_TEST

START_TEST(a_snapshot_brings_brokers_topics_and_configurations)
{
	struct view *view = view_new_empty();
	struct view_endpoint endpoints[] = {
		{SLICE_LITERAL("PLAINTEXT"), SLICE_LITERAL("PLAINTEXT"), SLICE_LITERAL("h"), 9092},
		{SLICE_LITERAL("INTERNAL"), SLICE_LITERAL("PLAINTEXT"), SLICE_LITERAL("i"), 9093},
	};
	struct view_broker brokers[] = {
		{.id = 2, .epoch = 22, .rack = SLICE_LITERAL("r2"), .ours = true},
		{.id = 1, .epoch = 11, .rack = SLICE_NULL, .ours = true, .n_endpoints = 2, .endpoints = endpoints},
	};
	struct view_partition partitions[] = {partition(1, 2, 5), partition(0, -1, 4)};
	struct config_pair config[] = {{SLICE_LITERAL("retention.ms"), SLICE_LITERAL("5")},
				       {SLICE_LITERAL("cleanup.policy"), SLICE_LITERAL("compact")}};
	struct view_topic_delta topic = {.name = SLICE_LITERAL("t"), .id = id_of(3), .has_config = true, .config_version = 9,
					 .config = config, .n_config = 2, .n_partitions = 2, .partitions = partitions};
	struct view_broker_config_delta configs[] = {{1, 4, config, 1}, {VIEW_DEFAULT_BROKER, 5, config, 2}};
	struct view_delta delta = delta_at(view);

	delta.has_brokers = true;
	delta.brokers = brokers;
	delta.n_brokers = 2;
	delta.topics = &topic;
	delta.n_topics = 1;
	delta.broker_configs = configs;
	delta.n_broker_configs = 2;
	delta.cluster_id = SLICE_LITERAL("cluster");
	view = step(view, &delta);
	check_whole(view);

	ck_assert(slice_is_text(view->cluster_id, "cluster"));
	ck_assert_int_eq(view->brokers[0]->id, 1);
	ck_assert(slice_is_null(view_broker(view, 1)->rack));
	ck_assert_str_eq((const char *)view_broker(view, 2)->rack.data, "r2");
	ck_assert_int_eq(view_broker_endpoint(view_broker(view, 1), SLICE_LITERAL("INTERNAL"))->port, 9093);
	ck_assert_ptr_null(view_broker_endpoint(view_broker(view, 1), SLICE_LITERAL("OTHER")));

	const struct view_topic *t = view_topic(view, SLICE_LITERAL("t"));
	struct view_partition ill = *view_partition(t, 0);
	const int32_t failed[] = {2};
	int32_t offline[2];

	ck_assert_int_eq(view_partition(t, 1)->leader_epoch, 5);
	ck_assert_ptr_null(view_partition(t, 2));
	ck_assert_ptr_null(view_partition(t, -1));
	ck_assert_int_eq(t->config_version, 9);
	ck_assert(slice_is_text(config_pairs_get(t->config, SLICE_LITERAL("cleanup.policy")), "compact"));
	ck_assert_int_eq(view_offline_replicas(view, view_partition(t, 0), offline), 0);
	/* A replica on a failed log dir is offline, too, while its broker lives. */
	ill.offline = failed;
	ill.n_offline = 1;
	ck_assert_int_eq(view_offline_replicas(view, &ill, offline), 1);
	ck_assert_int_eq(offline[0], 2);
	ck_assert_int_eq(view_broker_config(view, VIEW_DEFAULT_BROKER).n, 2);
	ck_assert_int_eq(view_broker_config(view, 1).n, 1);
	ck_assert_int_eq(view_broker_config(view, 2).n, 0);
	view_release(view);
}
END_TEST

START_TEST(a_delta_changes_one_partition_and_shares_the_rest)
{
	struct view *view = with_topic(with_topic(view_new_empty(), "a", 1, 3), "b", 2, 3);
	const struct view_topic *b = view_topic(view, SLICE_LITERAL("b"));
	struct view_partition changed = partition(1, 1, 8);
	struct view_topic_delta topic = {.name = SLICE_LITERAL("a"), .id = id_of(1), .n_partitions = 1, .partitions = &changed};
	struct view_delta delta = delta_at(view);
	struct view *next = NULL;

	delta.topics = &topic;
	delta.n_topics = 1;
	ck_assert_int_eq(view_apply(view, &delta, &next), 0);
	check_whole(next);
	ck_assert_ptr_eq(view_topic(next, SLICE_LITERAL("b")), b);
	ck_assert_int_eq(view_topic(next, SLICE_LITERAL("a"))->partitions[1].leader_epoch, 8);
	ck_assert_int_eq(view_topic(next, SLICE_LITERAL("a"))->partitions[2].leader, 2);
	ck_assert_int_eq(view_topic(view, SLICE_LITERAL("a"))->partitions[1].leader_epoch, 0);
	view_release(view);
	check_whole(next);
	view_release(next);
}
END_TEST

START_TEST(partitions_are_added_and_configuration_replaced_by_patches)
{
	struct view *view = with_topic(view_new_empty(), "a", 1, 2);
	struct config_pair config = {SLICE_LITERAL("k"), SLICE_LITERAL("v")};
	struct view_partition added[] = {partition(3, 1, 1), partition(2, 1, 1)};
	struct view_topic_delta topics[] = {
		{.name = SLICE_LITERAL("a"), .id = id_of(1), .n_partitions = 2, .partitions = added},
		{.name = SLICE_LITERAL("a"), .id = id_of(1), .has_config = true, .config_version = 3, .config = &config, .n_config = 1},
	};
	struct view_delta delta = delta_at(view);

	delta.topics = topics;
	delta.n_topics = 2;
	view = step(view, &delta);
	check_whole(view);
	ck_assert_int_eq(view->topics[0]->n_partitions, 4);
	ck_assert_int_eq(view->topics[0]->config_version, 3);
	ck_assert_int_eq(view->topics[0]->config.n, 1);
	view_release(view);
}
END_TEST

START_TEST(a_topic_with_another_id_replaces_the_one_of_its_name)
{
	struct view *before = with_topic(with_topic(view_new_empty(), "a", 1, 2), "b", 2, 1);
	struct view *after;
	struct view_partition partitions[] = {partition(0, 1, 0)};
	struct slice removed[] = {SLICE_LITERAL("a"), SLICE_LITERAL("unknown")};
	struct view_topic_delta topic = {.name = SLICE_LITERAL("a"), .id = id_of(5), .n_partitions = 1, .partitions = partitions};
	struct view_delta delta = delta_at(before);
	struct view_diff diff;
	struct arena arena;

	delta.topics = &topic;
	delta.n_topics = 1;
	delta.removed_topics = removed;
	delta.n_removed_topics = 2;
	ck_assert_int_eq(view_apply(before, &delta, &after), 0);
	check_whole(after);
	ck_assert_int_eq(after->n_topics, 2);
	ck_assert_ptr_null(view_topic_by_id(after, &(struct uuid){0}));

	arena_init(&arena);
	view_diff(before, after, &arena, &diff);
	ck_assert_int_eq(diff.n_topics, 2);
	ck_assert_ptr_null(diff.topics[0].after);
	ck_assert_ptr_null(diff.topics[1].before);
	ck_assert(uuid_equal(&diff.topics[1].after->id, &topic.id));
	arena_fini(&arena);
	view_release(before);
	view_release(after);
}
END_TEST

START_TEST(deltas_that_do_not_follow_ask_for_a_snapshot)
{
	struct view *view = with_topic(view_new_empty(), "a", 1, 1);
	struct view *next = NULL;
	struct view_delta delta = delta_at(view);

	delta.number++;
	ck_assert_int_eq(view_apply(view, &delta, &next), ERR_VERSION);
	delta = delta_at(view);
	delta.controller_epoch++;
	ck_assert_int_eq(view_apply(view, &delta, &next), ERR_VERSION);
	delta.snapshot = true;
	delta.number = 1;
	ck_assert_int_eq(view_apply(view, &delta, &next), 0);
	ck_assert_int_eq(next->n_topics, 0);
	view_release(next);
	delta.controller_epoch = view->controller_epoch - 1;
	ck_assert_int_eq(view_apply(view, &delta, &next), ERR_VERSION);
	view_release(view);
}
END_TEST

START_TEST(contradictions_are_refused_and_leave_no_trace)
{
	struct view *view = with_topic(view_new_empty(), "a", 1, 2);
	struct view_partition gap[] = {partition(0, 1, 0), partition(2, 1, 0)};
	struct view_partition huge[] = {partition(INT32_MAX, 1, 0)};
	struct view_partition negative[] = {partition(-1, 1, 0)};
	struct view_partition wide[] = {partition(0, 1, 0)};
	struct view_partition good[] = {partition(0, 1, 0)};
	struct view_broker twice[] = {{.id = 4}, {.id = 4}};
	struct {
		struct slice name;
		int id;
		const struct view_partition *partitions;
		int n;
	} cases[] = {
		{SLICE_LITERAL("new"), 2, gap, 2},	{SLICE_LITERAL("new"), 2, huge, 1},   {SLICE_LITERAL("new"), 2, negative, 1},
		{SLICE_LITERAL("new"), 2, wide, 1},	{SLICE_LITERAL("new"), 2, NULL, 0},   {SLICE_LITERAL("a/b"), 2, good, 1},
		{SLICE_LITERAL("twin"), 1, good, 1},	{SLICE_LITERAL("a"), 3, gap + 1, 1},
	};
	struct view *next = NULL;

	wide[0].n_isr = 200;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct view_topic_delta topics[] = {
			{.name = SLICE_LITERAL("fine"), .id = id_of(9), .n_partitions = 1, .partitions = good},
			{.name = cases[i].name, .id = id_of(cases[i].id), .n_partitions = cases[i].n, .partitions = cases[i].partitions},
		};
		struct view_delta delta = delta_at(view);

		delta.topics = topics;
		delta.n_topics = 2;
		ck_assert_msg(view_apply(view, &delta, &next) == ERR_INVALID, "case %zu", i);
	}
	struct view_delta delta = delta_at(view);

	delta.has_brokers = true;
	delta.brokers = twice;
	delta.n_brokers = 2;
	ck_assert_int_eq(view_apply(view, &delta, &next), ERR_INVALID);
	ck_assert_ptr_null(next);
	check_whole(view);
	view_release(view);
}
END_TEST

START_TEST(an_equal_snapshot_shares_everything)
{
	struct view *view = with_topic(with_topic(view_new_empty(), "a", 1, 2), "b", 2, 1);
	struct view_partition partitions[] = {partition(0, 2, 0), partition(1, 2, 0)};
	struct view_topic_delta topics[] = {
		{.name = SLICE_LITERAL("b"), .id = id_of(2), .n_partitions = 1, .partitions = partitions, .config_version = -1},
		{.name = SLICE_LITERAL("a"), .id = id_of(1), .n_partitions = 2, .partitions = partitions, .config_version = -1},
	};
	struct view_delta delta = {.snapshot = true, .controller_epoch = 8, .number = 1, .topics = topics, .n_topics = 2};
	struct view *next;
	struct view_diff diff;
	struct arena arena;

	ck_assert_int_eq(view_apply(view, &delta, &next), 0);
	check_whole(next);
	arena_init(&arena);
	view_diff(view, next, &arena, &diff);
	ck_assert_int_eq(diff.n_topics, 0);
	ck_assert_ptr_eq(next->topics[0], view->topics[0]);
	partitions[0].leader = 1;
	delta.number = 2;
	view = (view_release(view), next);
	ck_assert_int_eq(view_apply(view, &delta, &next), 0);
	view_diff(view, next, &arena, &diff);
	ck_assert_int_eq(diff.n_topics, 2);
	ck_assert_ptr_nonnull(diff.topics[0].before);
	ck_assert_ptr_nonnull(diff.topics[0].after);
	arena_fini(&arena);
	view_release(view);
	view_release(next);
}
END_TEST

START_TEST(differences_name_brokers_that_came_went_and_bounced)
{
	struct view_broker first[] = {{.id = 1, .epoch = 10}, {.id = 2, .epoch = 20}, {.id = 3, .epoch = 30}};
	struct view_broker second[] = {{.id = 4, .epoch = 40}, {.id = 3, .epoch = 31}, {.id = 2, .epoch = 20}};
	struct view_broker_config_delta config = {.id = 1, .config = &(struct config_pair){SLICE_LITERAL("k"), SLICE_LITERAL("v")},
						  .n_config = 1};
	struct view *before = view_new_empty(), *after;
	struct view_delta delta = delta_at(before);
	struct view_diff diff;
	struct arena arena;

	delta.has_brokers = true;
	delta.brokers = first;
	delta.n_brokers = 3;
	before = step(before, &delta);
	delta = delta_at(before);
	delta.has_brokers = true;
	delta.brokers = second;
	delta.n_brokers = 3;
	delta.broker_configs = &config;
	delta.n_broker_configs = 1;
	ck_assert_int_eq(view_apply(before, &delta, &after), 0);
	ck_assert_ptr_eq(view_broker(before, 2), view_broker(after, 2));
	arena_init(&arena);
	view_diff(before, after, &arena, &diff);
	ck_assert_int_eq(diff.n_brokers, 3);
	ck_assert_ptr_null(diff.brokers[0].after);
	ck_assert_int_eq(diff.brokers[1].before->epoch, 30);
	ck_assert_int_eq(diff.brokers[1].after->epoch, 31);
	ck_assert_ptr_null(diff.brokers[2].before);
	ck_assert(diff.broker_configs);
	arena_fini(&arena);
	view_release(before);
	before = after;
	delta = delta_at(before);
	config.n_config = 0;
	delta.broker_configs = &config;
	delta.n_broker_configs = 1;
	after = step(before, &delta);
	ck_assert_int_eq(after->n_broker_configs, 0);
	ck_assert_int_eq(after->n_brokers, 3);
	view_release(after);
}
END_TEST

START_TEST(random_deltas_keep_names_and_ids_in_step)
{
	struct view *view = view_new_empty();
	struct view *kept[8] = {0};
	unsigned seed = 4711;
	char names[16][24];

	for (int i = 0; i < 16; i++)
		snprintf(names[i], sizeof names[i], "t%d", i);
	for (int round = 0; round < 2000; round++) {
		struct view_partition partitions[] = {partition(0, 1, round)};
		struct view_topic_delta topics[3];
		struct slice removed = slice_of_text(names[rand_r(&seed) % 16]);
		struct view_delta delta = delta_at(view);

		delta.snapshot |= rand_r(&seed) % 50 == 0;
		delta.n_topics = rand_r(&seed) % 4;
		for (int i = 0; i < delta.n_topics; i++) {
			int name = rand_r(&seed) % 16;

			topics[i] = (struct view_topic_delta){.name = slice_of_text(names[name]), .n_partitions = 1, .partitions = partitions,
							      .id = id_of(name + 16 * (rand_r(&seed) % 2))};
		}
		delta.topics = topics;
		delta.removed_topics = &removed;
		delta.n_removed_topics = rand_r(&seed) % 2;
		view = step(view, &delta);
		check_whole(view);
		/* Others hold older views as long as they like, and one topic of them longer. */
		struct view **slot = &kept[rand_r(&seed) % 8];

		if (*slot)
			check_whole(*slot);
		view_release(*slot);
		*slot = view_retain(view);
	}
	const struct view_topic *last = view->n_topics ? view_topic_retain(view->topics[0]) : NULL;

	view_release(view);
	for (int i = 0; i < 8; i++)
		view_release(kept[i]);
	ck_assert(!last || last->name.len > 0);
	view_topic_release(last);
}
END_TEST

START_TEST(ten_thousand_partitions_cost_less_than_three_megabytes)
{
	enum { N = 10000 };
	struct view *view = view_new_empty();
	struct view_partition *partitions = memory_zalloc(100, sizeof *partitions);
	struct view_topic_delta *topics = memory_zalloc(N, sizeof *topics);
	char(*names)[24] = memory_zalloc(N, sizeof *names);
	static const int32_t replicas[] = {1, 2, 3};
	struct view_delta delta = delta_at(view);
	size_t before = mallinfo2().uordblks;

	for (int i = 0; i < 100; i++)
		partitions[i] = (struct view_partition){.index = i, .leader = 1, .n_replicas = 3, .n_isr = 3, .replicas = replicas, .isr = replicas};
	for (int i = 0; i < N; i++) {
		snprintf(names[i], sizeof names[i], "topic-%d", i);
		topics[i] = (struct view_topic_delta){.name = slice_of_text(names[i]), .id = id_of(i), .n_partitions = 1, .partitions = partitions};
	}
	delta.topics = topics;
	delta.n_topics = N;
	view = step(view, &delta);
	check_whole(view);
	/* One topic for each partition is the dearest way to have them. */
	ck_assert_uint_lt(mallinfo2().uordblks - before, 3u << 20);
	view_release(view);

	view = view_new_empty();
	before = mallinfo2().uordblks;
	for (int i = 0; i < 100; i++)
		topics[i].n_partitions = 100;
	delta.n_topics = 100;
	view = step(view, &delta);
	ck_assert_int_eq(view->n_partitions, N);
	ck_assert_uint_lt(mallinfo2().uordblks - before, 1u << 20);
	view_release(view);
	free(names);
	free(topics);
	free(partitions);
}
END_TEST

UNIT_MAIN("broker/meta/view", an_empty_view_holds_nothing_and_takes_only_a_snapshot,
	  a_snapshot_brings_brokers_topics_and_configurations, a_delta_changes_one_partition_and_shares_the_rest,
	  partitions_are_added_and_configuration_replaced_by_patches, a_topic_with_another_id_replaces_the_one_of_its_name,
	  deltas_that_do_not_follow_ask_for_a_snapshot, contradictions_are_refused_and_leave_no_trace, an_equal_snapshot_shares_everything,
	  differences_name_brokers_that_came_went_and_bounced, random_deltas_keep_names_and_ids_in_step,
	  ten_thousand_partitions_cost_less_than_three_megabytes)
