/* ctl_figures: what is counted of topics, partitions and brokers. */
#include "test/lib/unit.h"

#include "tools/controller/ctl_figures.h"

static struct ctl ctl;
static struct ctl_broker brokers[3];
static struct ctl_figures figures;

/* Brokers 1 and 2 live, 3 is registered and not reached. */
static void setup(void)
{
	struct ctl_settings settings = {.session_timeout_ms = 6000};

	ctl_init(&ctl, &settings);
	for (int i = 0; i < 3; i++)
		brokers[i] = (struct ctl_broker){.id = i + 1, .epoch = 10 + i, .unreachable = i == 2};
	ctl.brokers = brokers;
	ctl.n_brokers = 3;
}

static void teardown(void)
{
	ctl.brokers = NULL;
	ctl.n_brokers = 0;
	ctl_fini(&ctl);
}

/* A topic of partitions with replicas {1, 2}, led by broker 1. */
static struct ctl_topic *add_topic(const char *name, int32_t n_partitions)
{
	struct ctl_topic *topic = ctl_topic_add(&ctl, slice_of_text(name));
	int32_t replicas[] = {1, 2};
	struct ctl_assignment assignment = {.replicas = replicas, .n_replicas = 2};

	topic->phase = CTL_TOPIC_LIVE;
	ctl_topic_grow(&ctl, topic, n_partitions);
	for (int32_t i = 0; i < n_partitions; i++) {
		ctl_partition_set_replicas(&ctl, &topic->partitions[i], &assignment);
		topic->partitions[i].version = 0;
		topic->partitions[i].now.leader = 1;
	}
	return topic;
}

static void count(void)
{
	ctl_figures_count(&ctl, &figures);
}

START_TEST(all_is_well)
{
	setup();
	count();
	ck_assert_int_eq(figures.n_topics, 0);
	add_topic("a", 3);
	add_topic("b", 2);
	count();
	ck_assert_int_eq(figures.n_topics, 2);
	ck_assert_int_eq(figures.n_partitions, 5);
	ck_assert_int_eq(figures.n_offline + figures.n_imbalanced + figures.n_to_delete + figures.n_odd + figures.n_reassigning, 0);
	ck_assert_int_eq(figures.n_brokers, 2);
	ck_assert_int_eq(figures.n_brokers_away, 1);
	teardown();
}
END_TEST

START_TEST(a_partition_whose_leader_is_not_alive_is_offline)
{
	struct ctl_topic *topic;

	setup();
	topic = add_topic("a", 6);
	topic->partitions[0].now.leader = 2;  /* not the first replica */
	topic->partitions[1].now.leader = -1; /* nobody */
	topic->partitions[2].now.leader = 3;  /* registered, but not reached */
	topic->partitions[3].now.leader = 9;  /* gone, and its state is not written anew yet */
	topic->partitions[4].version = -1;    /* has no state yet */
	count();
	ck_assert_int_eq(figures.n_partitions, 6);
	ck_assert_int_eq(figures.n_offline, 3);
	ck_assert_int_eq(figures.n_imbalanced, 4);
	/* Nobody misses what is to be deleted. */
	topic->deletion = CTL_DELETION_QUEUED;
	count();
	ck_assert_int_eq(figures.n_topics, 1);
	ck_assert_int_eq(figures.n_offline, 0);
	ck_assert_int_eq(figures.n_imbalanced, 0);
	ck_assert_int_eq(figures.n_to_delete, 1);
	teardown();
}
END_TEST

START_TEST(moves_and_odd_topics_are_counted)
{
	int32_t ids[] = {1, 2, 3}, added[] = {3};
	struct ctl_assignment assignment = {.replicas = ids, .n_replicas = 3, .adding = added, .n_adding = 1};
	struct ctl_topic *topic;

	setup();
	topic = add_topic("a", 2);
	ctl_partition_set_replicas(&ctl, &topic->partitions[1], &assignment);
	add_topic("b", 1)->phase = CTL_TOPIC_ODD;
	count();
	ck_assert_int_eq(figures.n_reassigning, 1);
	ck_assert_int_eq(figures.n_odd, 1);
	teardown();
}
END_TEST

UNIT_MAIN("tools/controller/ctl_figures", all_is_well, a_partition_whose_leader_is_not_alive_is_offline, moves_and_odd_topics_are_counted)
