/* Which replicas move; see reassign_plan_core.h. */
#include "tools/klamm/reassign_plan_core.h"

#include <stddef.h>

static struct plan_broker *find(struct reassign_plan *plan, int32_t id)
{
	for (int i = 0; i < plan->n_brokers; i++)
		if (plan->brokers[i].id == id)
			return &plan->brokers[i];
	return NULL;
}

static bool holds(const struct plan_partition *partition, int32_t id)
{
	for (int i = 0; i < partition->n_replicas; i++)
		if (partition->replicas[i] == id)
			return true;
	return false;
}

void reassign_plan_begin(struct reassign_plan *plan)
{
	for (int i = 0; i < plan->n_brokers; i++)
		plan->brokers[i].n_before = plan->brokers[i].n_now = plan->brokers[i].n_first_before = plan->brokers[i].n_first_now = 0;
	for (int i = 0; i < plan->n_partitions; i++)
		for (int k = 0; k < plan->partitions[i].n_replicas; k++) {
			struct plan_broker *broker = find(plan, plan->partitions[i].replicas[k]);

			if (!broker)
				continue;
			broker->n_before = ++broker->n_now;
			if (k == 0)
				broker->n_first_before = ++broker->n_first_now;
		}
}

static void move(struct reassign_plan *plan, struct plan_partition *partition, int place, struct plan_broker *to)
{
	struct plan_broker *from = find(plan, partition->replicas[place]);

	if (from) {
		from->n_now--;
		from->n_first_now -= place == 0;
	}
	to->n_now++;
	to->n_first_now += place == 0;
	partition->replicas[place] = to->id;
	partition->n_moved++;
}

/* Other replicas of the partition that share the broker's rack. */
static int same_rack(struct reassign_plan *plan, const struct plan_partition *partition, int place, const struct plan_broker *broker)
{
	int n = 0;

	for (int i = 0; plan->use_racks && i < partition->n_replicas; i++) {
		const struct plan_broker *other = i == place ? NULL : find(plan, partition->replicas[i]);

		n += other && slice_equal(other->rack, broker->rack);
	}
	return n;
}

/* ---- drain ---- */

/* Is a better than b for this place? Ids are ascending, so that the lower one wins where nothing else tells. */
static bool is_better(const struct plan_broker *a, int a_rack, const struct plan_broker *b, int b_rack, int place)
{
	if (!b || a_rack != b_rack)
		return !b || a_rack < b_rack;
	if (place == 0 && a->n_first_now != b->n_first_now)
		return a->n_first_now < b->n_first_now;
	return a->n_now < b->n_now;
}

static struct plan_broker *choose(struct reassign_plan *plan, const struct plan_partition *partition, int place)
{
	struct plan_broker *best = NULL;
	int best_rack = 0;

	for (int i = 0; i < plan->n_brokers; i++) {
		struct plan_broker *broker = &plan->brokers[i];
		int rack;

		if (broker->leaves || holds(partition, broker->id))
			continue;
		rack = same_rack(plan, partition, place, broker);
		if (!is_better(broker, rack, best, best_rack, place))
			continue;
		best = broker;
		best_rack = rack;
	}
	return best;
}

int reassign_plan_drain(struct reassign_plan *plan)
{
	for (int i = 0; i < plan->n_partitions; i++) {
		struct plan_partition *partition = &plan->partitions[i];

		for (int k = 0; partition->chosen && k < partition->n_replicas; k++) {
			const struct plan_broker *broker = find(plan, partition->replicas[k]);
			struct plan_broker *to;

			if (!broker || !broker->leaves)
				continue;
			to = choose(plan, partition, k);
			if (!to)
				return i;
			move(plan, partition, k, to);
		}
	}
	return -1;
}

/* ---- add ---- */

/* The place from which the donor gives this partition to the broker; -1: it cannot. */
static int find_place(struct reassign_plan *plan, const struct plan_partition *partition, const struct plan_broker *donor,
		      const struct plan_broker *to)
{
	if (!partition->chosen || holds(partition, to->id))
		return -1;
	for (int k = 0; k < partition->n_replicas; k++)
		if (partition->replicas[k] == donor->id)
			return same_rack(plan, partition, k, to) <= same_rack(plan, partition, k, donor) ? k : -1;
	return -1;
}

/*
 * One replica from the donor, a first place if that is wanted and there is one. The search goes on behind the last one that moved, so that
 * what moves is spread over topics.
 */
static bool take_one(struct reassign_plan *plan, const struct plan_broker *donor, struct plan_broker *to, bool wants_first, int *cursor)
{
	int fallback = -1;
	int fallback_place = -1;

	for (int i = 0; i < plan->n_partitions; i++) {
		int at = (*cursor + i) % plan->n_partitions;
		int place = find_place(plan, &plan->partitions[at], donor, to);

		if (place < 0)
			continue;
		if ((place == 0) == wants_first) {
			move(plan, &plan->partitions[at], place, to);
			*cursor = at + 1;
			return true;
		}
		if (fallback < 0) {
			fallback = at;
			fallback_place = place;
		}
	}
	if (fallback < 0)
		return false;
	move(plan, &plan->partitions[fallback], fallback_place, to);
	*cursor = fallback + 1;
	return true;
}

/* The fullest broker that has more than its share and less than `below`, so that each is tried once. */
static struct plan_broker *find_donor(struct reassign_plan *plan, int share, const struct plan_broker *after)
{
	struct plan_broker *best = NULL;

	for (int i = 0; i < plan->n_brokers; i++) {
		struct plan_broker *broker = &plan->brokers[i];
		bool tried = after && (broker->n_now > after->n_now || (broker->n_now == after->n_now && broker->id <= after->id));

		if (broker->comes || broker->leaves || broker->n_now <= share || tried)
			continue;
		if (!best || broker->n_now > best->n_now)
			best = broker;
	}
	return best;
}

static bool take_from_fullest(struct reassign_plan *plan, struct plan_broker *to, int share, bool wants_first, int *cursor)
{
	for (struct plan_broker *donor = find_donor(plan, share, NULL); donor; donor = find_donor(plan, share, donor))
		if (take_one(plan, donor, to, wants_first, cursor))
			return true;
	return false;
}

void reassign_plan_add(struct reassign_plan *plan)
{
	int n_replicas = 0;
	int n_staying = 0;
	int cursor = 0;

	for (int i = 0; i < plan->n_partitions; i++)
		n_replicas += plan->partitions[i].n_replicas;
	for (int i = 0; i < plan->n_brokers; i++)
		n_staying += !plan->brokers[i].leaves;
	for (int i = 0; i < plan->n_brokers && n_staying > 0; i++) {
		struct plan_broker *to = &plan->brokers[i];
		int share = n_replicas / n_staying;
		int first_share = plan->n_partitions / n_staying;

		while (to->comes && to->n_now < share && take_from_fullest(plan, to, share, to->n_first_now < first_share, &cursor))
			;
	}
}

int reassign_plan_moves(const struct reassign_plan *plan, int *ret_n_partitions)
{
	int n = 0;

	*ret_n_partitions = 0;
	for (int i = 0; i < plan->n_partitions; i++) {
		n += plan->partitions[i].n_moved;
		*ret_n_partitions += plan->partitions[i].n_moved > 0;
	}
	return n;
}
