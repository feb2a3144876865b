/* shard_figures: what is counted of partitions by role and state, lags, topics; partitions that go away meanwhile. */
#include "test/unit/broker/replica/partition_fixture.h"

#include "broker/replica/replica_follower_core.h"
#include "broker/replica/replica_leader_core.h"
#include "broker/replica/shard_figures.h"

static struct worker asker;
static struct shard_asking asking;
static int n_told;

static void on_told(struct shard_asking *told)
{
	ck_assert_ptr_eq(told, &asking);
	ck_assert(worker_is_current(&asker));
	n_told++;
}

/* The figures of now; the caller's. */
static struct shard_figures *figures(void)
{
	int64_t until = clock_ms() + 10000;

	if (!asker.name[0])
		ck_assert_int_eq(worker_init(&asker, "asker", 0), 0);
	topic_lags_fini(&asking.figures.topics);
	n_told = 0;
	asking.shard = &shard;
	asking.reply_to = &asker;
	asking.done = on_told;
	shard_figures_ask(&asking);
	while (n_told == 0 && clock_ms() < until) {
		worker_turn(&shard.worker, 0);
		worker_turn(&asker, 0);
	}
	ck_assert_int_eq(n_told, 1);
	return &asking.figures;
}

static void end(void)
{
	topic_lags_fini(&asking.figures.topics);
	worker_drain(&asker);
	worker_fini(&asker);
	asker.name[0] = 0;
	teardown();
}

static void lead(int32_t leader_epoch, int32_t n_replicas, int32_t n_isr)
{
	static const int32_t ids[] = {1, 2, 3};
	struct replica_state state = {.leader = 1,
				      .leader_epoch = leader_epoch,
				      .partition_epoch = leader_epoch,
				      .replicas = ids,
				      .n_replicas = n_replicas,
				      .isr = ids,
				      .n_isr = n_isr};

	ck_assert_int_eq(partition_become(partition, &state), 0);
}

/* A view in which the partition has three replicas, this many of which a move is adding. */
static void see_adding(uint8_t n_adding)
{
	static const int32_t ids[] = {1, 2, 3}, added[] = {3, 2};
	struct view_partition seen = {
		.leader = 1, .n_replicas = 3, .n_isr = 1, .n_adding = n_adding, .replicas = ids, .isr = ids, .adding = added};
	struct view_topic_delta topic = {.name = SLICE_LITERAL("t"), .id = topic_id, .n_partitions = 1, .partitions = &seen};
	struct view_delta delta = {
		.snapshot = true, .controller_epoch = 1, .number = 1, .cluster_id = SLICE_LITERAL("c"), .topics = &topic, .n_topics = 1};
	struct view *view;

	ck_assert_int_eq(view_apply(shard.view, &delta, &view), 0);
	shard_set_view(&shard, view, broker_config_retain(config));
}

START_TEST(leaders_are_counted_by_their_isr)
{
	const struct partition_figures *seen = &asking.figures.partitions;

	setup();
	configure("min.insync.replicas", "2");
	lead(1, 3, 3);
	figures();
	ck_assert_int_eq(seen->n_partitions, 1);
	ck_assert_int_eq(seen->n_leaders, 1);
	ck_assert_int_eq(seen->n_under_replicated, 0);
	ck_assert_int_eq(seen->n_at_min_isr, 0);
	lead(2, 3, 2);
	figures();
	ck_assert_int_eq(seen->n_under_replicated, 1);
	ck_assert_int_eq(seen->n_at_min_isr, 1);
	ck_assert_int_eq(seen->n_under_min_isr, 0);
	lead(3, 3, 1);
	figures();
	ck_assert_int_eq(seen->n_under_replicated, 1);
	ck_assert_int_eq(seen->n_at_min_isr, 0);
	ck_assert_int_eq(seen->n_under_min_isr, 1);
	become(2, 4);
	figures();
	ck_assert_int_eq(seen->n_leaders, 0);
	ck_assert_int_eq(seen->n_under_replicated, 0);
	ck_assert_int_eq(seen->n_under_min_isr, 0);
	partition_fail(partition);
	figures();
	ck_assert_int_eq(seen->n_partitions, 1);
	ck_assert_int_eq(seen->n_offline, 1);
	end();
}
END_TEST

START_TEST(replicas_that_a_move_adds_are_not_missed)
{
	const struct partition_figures *seen = &asking.figures.partitions;

	setup();
	lead(1, 3, 1);
	see_adding(2);
	ck_assert_int_eq(figures()->partitions.n_under_replicated, 0);
	see_adding(1);
	ck_assert_int_eq(figures()->partitions.n_under_replicated, 1);
	ck_assert_int_eq(seen->n_leaders, 1);
	end();
}
END_TEST

START_TEST(the_durability_lag_is_what_is_not_on_the_disk)
{
	setup();
	append(-1, -1, 3, 1);
	ck_assert_int_eq(figures()->partitions.durability_lag_max, 3);
	/* Its records count when they are written: what its disk has is nobody's promise. */
	ck_assert_ptr_null(asking.figures.topics.list);
	ck_assert_int_eq(log_dir_sync(dir), 0);
	ck_assert_int_eq(figures()->partitions.durability_lag_max, 0);

	configure("klamm.durability", "fsync-isr");
	append(-1, -1, 2, -1);
	turn_until(&n_done, 2);
	ck_assert_int_eq(figures()->partitions.durability_lag_max, 0);
	ck_assert_int_eq(HASH_COUNT(asking.figures.topics.list), 1);
	ck_assert_str_eq(asking.figures.topics.list->name, "t");
	ck_assert_int_eq(asking.figures.topics.list->durability_lag_max, 0);
	end();
}
END_TEST

START_TEST(lags_are_those_of_the_slowest)
{
	const struct partition_figures *seen = &asking.figures.partitions;

	setup();
	append(-1, -1, 5, 1);
	lead(1, 3, 3);
	figures();
	/* Nobody has told an end in this epoch: nothing is known. */
	ck_assert_int_eq(seen->follower_lag_max, 0);
	partition->core.members[1].log_end_offset = 4;
	partition->core.members[2].log_end_offset = 2;
	ck_assert_int_eq(figures()->partitions.follower_lag_max, 3);
	become(2, 2);
	figures();
	ck_assert_int_eq(seen->follower_lag_max, 0);
	ck_assert_int_eq(seen->fetch_lag_max, 0);
	partition->core.leader_high_watermark = 9;
	ck_assert_int_eq(figures()->partitions.fetch_lag_max, 4);
	/* What a leader says is not trusted. */
	partition->core.leader_high_watermark = INT64_MIN;
	ck_assert_int_eq(figures()->partitions.fetch_lag_max, 0);
	partition->core.follow_stage = REPLICA_FOLLOW_STUCK;
	ck_assert_int_eq(figures()->partitions.n_stuck, 1);
	become(2, 3);
	ck_assert_int_eq(figures()->partitions.n_stuck, 0);
	end();
}
END_TEST

/* Asks, and stops in the midst of it. */
static void ask_half(void)
{
	int64_t until = clock_ms() + 10000;

	topic_lags_fini(&asking.figures.topics);
	n_told = 0;
	shard_figures_ask(&asking);
	/* One turn at a time, as a worker that runs. */
	while (!shard.figured_next && clock_ms() < until)
		worker_turn(&shard.worker, 1);
	ck_assert_ptr_nonnull(shard.figured_next);
}

static void hear_the_rest(void)
{
	int64_t until = clock_ms() + 10000;

	while (n_told == 0 && clock_ms() < until) {
		worker_turn(&shard.worker, 0);
		worker_turn(&asker, 0);
	}
	ck_assert_int_eq(n_told, 1);
}

START_TEST(partitions_may_go_away_while_they_are_looked_at)
{
	enum { N = 2500 };
	struct partition *many[N], *next;
	struct partition_key key = {{{9}}, 0};
	int n_closed = 0;

	setup();
	for (key.index = 0; key.index < N; key.index++)
		many[key.index] = partition_open(&shard, &key, SLICE_LITERAL("many"), NULL, &disk, NULL);
	ck_assert_int_eq(figures()->partitions.n_partitions, N + 1);
	ck_assert_int_eq(asking.figures.partitions.n_offline, N);

	/* The next one, some after it, and some that were looked at. */
	ask_half();
	next = shard.figured_next;
	for (int i = 0; i < N; i++) {
		if (many[i] != next && i >= 10 && i % 100 != 99)
			continue;
		partition_close(many[i], NULL);
		many[i] = NULL;
		n_closed++;
	}
	hear_the_rest();
	ck_assert_int_lt(asking.figures.partitions.n_partitions, N + 1);
	ck_assert_int_gt(asking.figures.partitions.n_partitions, N + 1 - n_closed);
	ck_assert_int_eq(figures()->partitions.n_partitions, N + 1 - n_closed);

	/* All of them. */
	ask_half();
	for (int i = 0; i < N; i++)
		if (many[i])
			partition_close(many[i], NULL);
	hear_the_rest();
	ck_assert_int_eq(figures()->partitions.n_partitions, 1);
	end();
}
END_TEST

START_TEST(topics_are_told_apart_up_to_a_bound)
{
	struct topic_lags lags = {0};
	struct uuid id = {{1}};

	for (int i = 0; i < LIMIT_METRICS_TOPICS + 5; i++) {
		id.bytes[1] = (uint8_t)(i >> 8);
		id.bytes[2] = (uint8_t)i;
		topic_lags_raise(&lags, &id, SLICE_LITERAL("x"), i);
	}
	ck_assert_int_eq(HASH_COUNT(lags.list), LIMIT_METRICS_TOPICS);
	ck_assert_int_eq(lags.n_left_out, 5);
	id.bytes[1] = id.bytes[2] = 0;
	topic_lags_raise(&lags, &id, SLICE_LITERAL("x"), 7);
	topic_lags_raise(&lags, &id, SLICE_LITERAL("x"), 3);
	ck_assert_int_eq(lags.list->durability_lag_max, 7);
	ck_assert_int_eq(lags.n_left_out, 5);
	topic_lags_fini(&lags);
	ck_assert_ptr_null(lags.list);
}
END_TEST

UNIT_MAIN("broker/replica/shard_figures", leaders_are_counted_by_their_isr, replicas_that_a_move_adds_are_not_missed,
	  the_durability_lag_is_what_is_not_on_the_disk, lags_are_those_of_the_slowest, partitions_may_go_away_while_they_are_looked_at,
	  topics_are_told_apart_up_to_a_bound)
