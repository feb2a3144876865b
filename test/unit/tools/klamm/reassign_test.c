/* Plans of `klamm reassign drain` and `add`: as few moves as will do, racks and leaders minded. */
#include "test/lib/unit.h"

#include "common/memory.h"
#include "tools/klamm/reassign_plan_core.h"

#include <string.h>

#define PARTITIONS_MAX 600
#define REPLICAS_MAX 3

static struct plan_broker brokers[8];
static struct plan_partition partitions[PARTITIONS_MAX];
static int32_t replicas[PARTITIONS_MAX][REPLICAS_MAX];
static struct reassign_plan plan;

/* n_partitions round robin over the first n_used of n_brokers, which are numbered from 1. */
static void make(int n_brokers, int n_used, int n_partitions, int n_replicas)
{
	memset(brokers, 0, sizeof brokers);
	memset(partitions, 0, sizeof partitions);
	plan = (struct reassign_plan){brokers, n_brokers, partitions, n_partitions, false};
	for (int i = 0; i < n_brokers; i++)
		brokers[i].id = i + 1;
	for (int i = 0; i < n_partitions; i++) {
		partitions[i] = (struct plan_partition){
			.topic = SLICE_LITERAL("t"), .index = i, .chosen = true, .replicas = replicas[i], .n_replicas = n_replicas};
		for (int k = 0; k < n_replicas; k++)
			replicas[i][k] = 1 + (i + k * (1 + i / n_used % (n_used - 1))) % n_used;
		for (int k = 1; k < n_replicas; k++)
			for (int m = 0; m < k; m++)
				if (replicas[i][k] == replicas[i][m]) {
					replicas[i][k] = 1 + replicas[i][k] % n_used;
					m = -1;
				}
	}
	reassign_plan_begin(&plan);
}

static void check_lists(void)
{
	for (int i = 0; i < plan.n_partitions; i++)
		for (int k = 0; k < partitions[i].n_replicas; k++)
			for (int m = 0; m < k; m++)
				ck_assert_int_ne(replicas[i][k], replicas[i][m]);
}

START_TEST(a_drained_broker_keeps_nothing_and_nothing_else_moves)
{
	int32_t before[PARTITIONS_MAX][REPLICAS_MAX];
	int n_partitions;

	make(4, 4, 100, 3);
	memcpy(before, replicas, sizeof before);
	brokers[1].leaves = true;
	ck_assert_int_eq(reassign_plan_drain(&plan), -1);
	check_lists();
	ck_assert_int_eq(brokers[1].n_now, 0);
	ck_assert_int_eq(brokers[1].n_first_now, 0);
	ck_assert_int_eq(reassign_plan_moves(&plan, &n_partitions), brokers[1].n_before);
	ck_assert_int_eq(n_partitions, brokers[1].n_before);
	for (int i = 0; i < 100; i++)
		for (int k = 0; k < 3; k++)
			ck_assert(before[i][k] == 2 ? replicas[i][k] != 2 : replicas[i][k] == before[i][k]);
}
END_TEST

START_TEST(what_a_drained_broker_had_is_spread_evenly)
{
	make(6, 6, 600, 2);
	brokers[0].leaves = true;
	ck_assert_int_eq(reassign_plan_drain(&plan), -1);
	for (int i = 1; i < 6; i++) {
		ck_assert_int_ge(brokers[i].n_now, 238);
		ck_assert_int_le(brokers[i].n_now, 242);
		ck_assert_int_ge(brokers[i].n_first_now, 118);
		ck_assert_int_le(brokers[i].n_first_now, 122);
	}
}
END_TEST

START_TEST(a_broker_cannot_be_drained_when_the_others_are_too_few)
{
	make(3, 3, 4, 3);
	brokers[2].leaves = true;
	ck_assert_int_eq(reassign_plan_drain(&plan), 0);
}
END_TEST

START_TEST(only_chosen_topics_move)
{
	make(4, 4, 40, 2);
	for (int i = 0; i < 40; i++)
		partitions[i].chosen = i % 2 == 0;
	brokers[0].leaves = true;
	ck_assert_int_eq(reassign_plan_drain(&plan), -1);
	for (int i = 1; i < 40; i += 2)
		ck_assert_int_eq(partitions[i].n_moved, 0);
	ck_assert_int_gt(brokers[0].n_now, 0);
}
END_TEST

START_TEST(a_new_broker_gets_its_share_by_as_many_moves_as_that_is)
{
	int n_partitions;

	make(4, 3, 300, 3);
	brokers[3].comes = true;
	reassign_plan_add(&plan);
	check_lists();
	ck_assert_int_eq(brokers[3].n_now, 225);
	ck_assert_int_eq(reassign_plan_moves(&plan, &n_partitions), 225);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(brokers[i].n_now, 225);
		ck_assert_int_ge(brokers[i].n_first_now, 70);
		ck_assert_int_le(brokers[i].n_first_now, 80);
	}
}
END_TEST

START_TEST(a_balanced_cluster_gives_nothing_more)
{
	int n_partitions;

	make(4, 4, 100, 3);
	brokers[3].comes = true;
	reassign_plan_add(&plan);
	ck_assert_int_eq(reassign_plan_moves(&plan, &n_partitions), 0);
	ck_assert_int_eq(n_partitions, 0);
}
END_TEST

START_TEST(several_new_brokers_share)
{
	make(6, 3, 300, 2);
	brokers[4].comes = brokers[5].comes = true;
	brokers[3].comes = true;
	reassign_plan_add(&plan);
	check_lists();
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(brokers[i].n_now, 100);
}
END_TEST

static bool spread(int i)
{
	struct slice a = brokers[replicas[i][0] - 1].rack;
	struct slice b = brokers[replicas[i][1] - 1].rack;

	return !slice_equal(a, b);
}

START_TEST(racks_are_kept_apart)
{
	make(6, 6, 120, 2);
	plan.use_racks = true;
	for (int i = 0; i < 6; i++)
		brokers[i].rack = i % 2 ? SLICE_LITERAL("odd") : SLICE_LITERAL("even");
	/* Leader and follower in different racks to begin with. */
	for (int i = 0; i < 120; i++) {
		replicas[i][0] = 1 + i % 6;
		replicas[i][1] = 1 + (i + 1 + 2 * (i / 6 % 3)) % 6;
	}
	reassign_plan_begin(&plan);
	brokers[0].leaves = true;
	ck_assert_int_eq(reassign_plan_drain(&plan), -1);
	for (int i = 0; i < 120; i++)
		ck_assert(spread(i));
	brokers[0].leaves = false;
	brokers[0].comes = true;
	reassign_plan_add(&plan);
	for (int i = 0; i < 120; i++)
		ck_assert(spread(i));
	ck_assert_int_eq(brokers[0].n_now, 40);
}
END_TEST

UNIT_MAIN("tools/klamm/reassign", a_drained_broker_keeps_nothing_and_nothing_else_moves, what_a_drained_broker_had_is_spread_evenly,
	  a_broker_cannot_be_drained_when_the_others_are_too_few, only_chosen_topics_move,
	  a_new_broker_gets_its_share_by_as_many_moves_as_that_is, a_balanced_cluster_gives_nothing_more, several_new_brokers_share,
	  racks_are_kept_apart)
