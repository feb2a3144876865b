/*
 * No acknowledged record is lost in any of the random worlds of ctl_records.h. KLAMM_SEEDS=A-B runs other seeds; the seed of a failing run is
 * printed.
 */
#include "common/memory.h"
#include "test/lib/unit.h"
#include "test/unit/tools/controller/ctl_records.h"

#include <stdio.h>
#include <stdlib.h>

#define STEPS 12000

static void read_seeds(unsigned *ret_first, unsigned *ret_last)
{
	const char *text = getenv("KLAMM_SEEDS");

	*ret_first = 1;
	*ret_last = 1500;
	if (text && sscanf(text, "%u-%u", ret_first, ret_last) == 1)
		*ret_last = *ret_first;
}

START_TEST(no_acknowledged_record_is_lost_in_any_random_world)
{
	struct world *w = NEW(struct world);
	int n_acked = 0, n_losses = 0, n_elections = 0, n_from_elr = 0, n_joins = 0, n_terms = 0, n_fenced = 0, n_waiting = 0;
	unsigned first, last;

	read_seeds(&first, &last);
	for (unsigned seed = first; seed <= last; seed++) {
		records_begin(w, seed);
		if (getenv("KLAMM_SEEDS"))
			fprintf(stderr, "seed %u\n", seed);
		for (int i = 0; i < STEPS; i++)
			records_step(w);
		records_come_to_rest(w);
		n_acked += w->n_acked;
		n_losses += w->n_losses;
		n_elections += w->n_elections;
		n_from_elr += w->n_from_elr;
		n_joins += w->n_joins;
		n_terms += w->n_terms;
		n_fenced += w->n_fenced;
		n_waiting += w->n_waiting;
		records_end(w);
	}
	fprintf(stderr,
		"%u worlds: %d records acknowledged, %d copies lost, %d elections (%d of eligible leaders), %d joins, %d terms, %d fenced, "
		"%d partitions wait at the end\n",
		last - first + 1, n_acked, n_losses, n_elections, n_from_elr, n_joins, n_terms, n_fenced, n_waiting);
	if (last - first >= 1000) {
		ck_assert_int_gt(n_acked, 30000);
		ck_assert_int_gt(n_losses, 5000);
		ck_assert_int_gt(n_elections, 10000);
		ck_assert_int_gt(n_from_elr, 500);
		ck_assert_int_gt(n_joins, 8000);
		ck_assert_int_gt(n_fenced, 5000);
	}
	free(w);
}
END_TEST

UNIT_MAIN("tools/controller/ctl_records", no_acknowledged_record_is_lost_in_any_random_world)
