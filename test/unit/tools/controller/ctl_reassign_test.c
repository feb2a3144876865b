/*
 * Reassignments: the assignments on the way (those of Kafka's own tests, KIP-455), and a controller that changes, or a broker that bounces,
 * after each single step of one. Dialogues are in ctl_step_test, random worlds in ctl_random_test.
 */
#include "test/lib/unit.h"
#include "test/unit/tools/controller/ctl_world.h"

#include "common/memory.h"
#include "tools/controller/ctl_reassign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 400

/* ---- assignments ---- */

static int32_t room[3 * LIMIT_REPLICAS];
static struct ctl_partition partition;

static int read_ids(const char *text, int32_t *ids)
{
	int n = 0;
	char *rest;

	for (const char *at = text; *at; at = *rest ? rest + 1 : rest)
		ids[n++] = (int32_t)strtol(at, &rest, 10);
	return n;
}

static void given(const char *replicas, const char *adding, const char *removing)
{
	partition = (struct ctl_partition){.replicas = room};
	partition.n_replicas = (int16_t)read_ids(replicas, room);
	partition.n_adding = (int16_t)read_ids(adding, room + partition.n_replicas);
	partition.n_removing = (int16_t)read_ids(removing, room + partition.n_replicas + partition.n_adding);
}

static const char *text_of(const int32_t *ids, int n)
{
	static char texts[4][256];
	static int next;
	char *text = texts[next++ % 4];
	size_t len = 0;

	text[0] = 0;
	for (int i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, 256 - len, "%s%d", i ? "," : "", ids[i]);
	return text;
}

static void planned(const char *target, const char *replicas, const char *adding, const char *removing)
{
	int32_t ids[LIMIT_REPLICAS];
	struct ctl_plan plan;

	ck_assert(ctl_reassign_plan(&partition, ids, read_ids(target, ids), &plan));
	ck_assert_str_eq(text_of(plan.replicas, plan.n_replicas), replicas);
	ck_assert_str_eq(text_of(plan.adding, plan.n_adding), adding);
	ck_assert_str_eq(text_of(plan.removing, plan.n_removing), removing);
}

START_TEST(the_way_to_a_target_holds_both_assignments)
{
	given("1,2,3", "", "");
	planned("1,2,3", "1,2,3", "", "");
	planned("3,2,1", "3,2,1", "", "");
	planned("4,5,6", "4,5,6,1,2,3", "4,5,6", "1,2,3");
	planned("1,2", "1,2,3", "", "3");
	planned("1,2,3,4", "1,2,3,4", "4", "");
	planned("3,4", "3,4,1,2", "4", "1,2");
}
END_TEST

START_TEST(another_target_starts_from_the_origin_again)
{
	int32_t ids[LIMIT_REPLICAS];

	given("4,5,6,1,2,3", "4,5,6", "1,2,3");
	ck_assert_str_eq(text_of(ids, ctl_reassign_origin(&partition, ids)), "1,2,3");
	ck_assert_str_eq(text_of(ids, ctl_reassign_target(&partition, ids)), "4,5,6");
	planned("1,2,3", "1,2,3", "", "");
	planned("5,1,7", "5,1,7,2,3", "5,7", "2,3");
	planned("4,5,6", "4,5,6,1,2,3", "4,5,6", "1,2,3");
}
END_TEST

START_TEST(too_many_replicas_have_no_way)
{
	int32_t ids[LIMIT_REPLICAS];
	struct ctl_plan plan;

	given("1,2,3", "", "");
	for (int i = 0; i < LIMIT_REPLICAS; i++)
		ids[i] = 10 + i;
	ck_assert(!ctl_reassign_plan(&partition, ids, LIMIT_REPLICAS, &plan));
	ck_assert(ctl_reassign_plan(&partition, ids, LIMIT_REPLICAS - 3, &plan));
}
END_TEST

/* ---- a change after each step ---- */

static struct world *begin(void)
{
	struct world *world = NEW(struct world);

	ctl_world_init(world, 1);
	ctl_world_quiet(world);
	return world;
}

static void end(struct world *world)
{
	ctl_world_fini(world);
	free(world);
}

/* Runs the move of one partition to other brokers with an accident after `at` steps. False: it was over before. */
static bool run_with(int at, void (*accident)(struct world *world))
{
	struct world *world = begin();
	bool reached = false;
	int steps = 0;

	ctl_world_move(world, (const int32_t[]){2, 3}, 2);
	while (ctl_world_quiet_step(world)) {
		ck_assert_int_lt(steps, STEPS_MAX);
		if (steps++ == at) {
			accident(world);
			reached = true;
		}
	}
	ctl_world_settle(world);
	/* Once it stands in ZooKeeper it goes on to its end, whoever is in office. */
	if (world->n_moves_begun > 0)
		ck_assert(ctl_world_is_moved(world, (const int32_t[]){2, 3}, 2));
	end(world);
	return reached;
}

static void change_office(struct world *world)
{
	ctl_world_elect(world);
}

static void bounce_first(struct world *world)
{
	ctl_world_register(world, 0);
}

static void bounce_added(struct world *world)
{
	ctl_world_register(world, 3);
}

START_TEST(a_move_ends_whenever_the_controller_changes)
{
	int at = 0;

	while (run_with(at, change_office))
		at++;
	ck_assert_int_gt(at, 20);
}
END_TEST

START_TEST(a_move_ends_whenever_a_broker_bounces)
{
	for (int at = 0; run_with(at, bounce_first); at++)
		;
	for (int at = 0; run_with(at, bounce_added); at++)
		;
}
END_TEST

/* ---- /admin/reassign_partitions ---- */

static const int32_t wished[] = {2, 3}, later[] = {0, 3};

START_TEST(what_the_node_names_is_moved_whenever_the_controller_changes)
{
	bool reached = true;

	for (int at = 0; reached; at++) {
		struct world *world = begin();
		int steps = 0;

		ctl_world_wish_move(world, wished, 2);
		reached = false;
		while (ctl_world_quiet_step(world)) {
			ck_assert_int_lt(steps, STEPS_MAX);
			if (steps++ == at) {
				ctl_world_elect(world);
				reached = true;
			}
		}
		ctl_world_settle(world);
		ck_assert(ctl_world_is_moved(world, wished, 2));
		ck_assert_int_eq(world->n_nodes_deleted, 1);
		ck_assert(reached || at > 20);
		end(world);
	}
}
END_TEST

static bool stands(const struct world *world, const int32_t *target, int n_target)
{
	const struct world_assignment *assignment = &world->topics[0].assignments[0];

	return assignment->n_replicas >= n_target && memcmp(assignment->replicas, target, (size_t)n_target * sizeof *target) == 0;
}

/* Nor does the next controller go back to the node, once the other assignment stands in ZooKeeper. */
START_TEST(a_later_request_counts_whenever_it_comes)
{
	bool reached = true;

	for (int at = 0; reached; at++) {
		struct world *world = begin();
		bool taken_over = false;
		int steps = 0;

		ctl_world_wish_move(world, wished, 2);
		reached = false;
		while (ctl_world_quiet_step(world)) {
			ck_assert_int_lt(steps, STEPS_MAX);
			if (steps++ == at) {
				ctl_world_move(world, later, 2);
				reached = true;
			}
			if (reached && !taken_over && stands(world, later, 2)) {
				ctl_world_elect(world);
				taken_over = true;
			}
		}
		ctl_world_settle(world);
		ck_assert(ctl_world_is_moved(world, reached ? later : wished, 2));
		ck_assert(reached == taken_over);
		ck_assert(reached || at > 20);
		end(world);
	}
}
END_TEST

START_TEST(a_request_that_is_refused_leaves_the_node_as_it_is)
{
	struct world *world = begin();
	int32_t twice[] = {2, 2};

	ctl_world_wish_move(world, wished, 2);
	ctl_world_move(world, twice, 2);
	ctl_world_settle(world);
	ck_assert(ctl_world_is_moved(world, wished, 2));
	end(world);
}
END_TEST

UNIT_MAIN("tools/controller/ctl_reassign", the_way_to_a_target_holds_both_assignments, another_target_starts_from_the_origin_again,
	  too_many_replicas_have_no_way, a_move_ends_whenever_the_controller_changes, a_move_ends_whenever_a_broker_bounces,
	  what_the_node_names_is_moved_whenever_the_controller_changes, a_later_request_counts_whenever_it_comes,
	  a_request_that_is_refused_leaves_the_node_as_it_is)
