/*
 * The controller's decisions in random worlds (ctl_world.h). KLAMM_SEEDS=A-B runs others; the seed of a failing run is printed.
 */
#include "test/lib/unit.h"
#include "test/unit/tools/controller/ctl_world.h"

#include "common/memory.h"

#include <stdio.h>
#include <stdlib.h>

#define STEPS 4000

static void read_seeds(unsigned *ret_first, unsigned *ret_last)
{
	const char *text = getenv("KLAMM_SEEDS");

	*ret_first = 1;
	*ret_last = 160;
	if (text && sscanf(text, "%u-%u", ret_first, ret_last) == 1)
		*ret_last = *ret_first;
}

START_TEST(the_rules_hold_in_every_random_world)
{
	struct world *world = NEW(struct world);
	int n_elections = 0, n_writes = 0, n_fenced = 0, n_bounces = 0, n_deleted = 0, n_takeovers = 0, n_lost = 0;
	int n_moves_begun = 0, n_moves_ended = 0, n_moves_lost = 0, n_wished = 0, n_taken_out = 0, n_nodes = 0, n_not_made = 0;
	unsigned first, last;

	read_seeds(&first, &last);
	for (unsigned seed = first; seed <= last; seed++) {
		char *text = memory_printf("seed %u", seed);

		ctl_world_init(world, seed);
		/* What check prints when an assertion fails is the last mark: the seed comes first. */
		if (getenv("KLAMM_SEEDS"))
			fprintf(stderr, "%s\n", text);
		for (int i = 0; i < STEPS; i++)
			ctl_world_step(world);
		ctl_world_settle(world);
		n_elections += world->n_elections;
		n_writes += world->n_writes;
		n_fenced += world->n_fenced;
		n_bounces += world->n_bounces;
		n_deleted += world->n_deleted;
		n_takeovers += world->n_takeovers;
		n_lost += world->n_lost_answers;
		n_moves_begun += world->n_moves_begun;
		n_moves_ended += world->n_moves_ended;
		n_moves_lost += world->n_moves_lost;
		n_wished += world->n_wished;
		n_taken_out += world->n_taken_out;
		n_nodes += world->n_nodes_deleted;
		n_not_made += world->n_not_made;
		ctl_world_fini(world);
		free(text);
	}
	fprintf(stderr, "%u worlds: %d writes, %d changes of leader, %d fenced, %d bounces, %d deletions, %d terms, %d lost answers\n",
		last - first + 1, n_writes, n_elections, n_fenced, n_bounces, n_deleted, n_takeovers, n_lost);
	fprintf(stderr, "%d reassignments begun, %d ended, %d writes of them lost or refused\n", n_moves_begun, n_moves_ended, n_moves_lost);
	fprintf(stderr, "%d replicas found a full disk\n", n_not_made);
	fprintf(stderr, "%d wishes in nodes below /admin, %d of them taken out, %d nodes deleted\n", n_wished, n_taken_out, n_nodes);
	if (last - first >= 20) {
		ck_assert_int_gt(n_taken_out, 100);
		ck_assert_int_gt(n_nodes, 50);
		ck_assert_int_gt(n_moves_begun, 50);
		ck_assert_int_gt(n_moves_ended, 30);
		ck_assert_int_gt(n_moves_lost, 5);
		ck_assert_int_gt(n_elections, 100);
		ck_assert_int_gt(n_fenced, 20);
		ck_assert_int_gt(n_bounces, 100);
		ck_assert_int_gt(n_deleted, 20);
		ck_assert_int_gt(n_lost, 100);
		ck_assert_int_gt(n_not_made, 500);
	}
	free(world);
}
END_TEST

UNIT_MAIN("tools/controller/ctl_random", the_rules_hold_in_every_random_world)
