/* Replica assignment by Kafka's rules; see assign_core.h. */
#include "broker/meta/assign_core.h"

#include "common/check.h"

#include <stdlib.h>

bool assign_has_duplicate(const int32_t *ids, int n)
{
	for (int i = 1; i < n; i++)
		for (int j = 0; j < i; j++)
			if (ids[i] == ids[j])
				return true;
	return false;
}

bool assign_racks_agree(const struct assign_broker *brokers, int n)
{
	int with = 0;

	for (int i = 0; i < n; i++)
		with += !slice_is_null(brokers[i].rack);
	return with == 0 || with == n;
}

/* The place of follower j (from 0) of a partition led from `leader`; never the leader's own. */
static int follower_index(int leader, int64_t shift, int64_t j, int n)
{
	return (int)((leader + 1 + (shift + j) % (n - 1)) % n);
}

/* ---- Without racks ---- */

static void assign_plain(const struct assign_broker *brokers, int n, int32_t first, int32_t start, int32_t shift,
			 struct assignment *assignment)
{
	for (int32_t i = 0; i < assignment->n_partitions; i++) {
		int32_t partition = first + i;
		int32_t *replicas = assignment->replicas + (int64_t)i * assignment->replication_factor;

		if (partition > 0 && partition % n == 0)
			shift++;
		int leader = (int)(((int64_t)partition + start) % n);

		replicas[0] = brokers[leader].id;
		for (int j = 0; j < assignment->replication_factor - 1; j++)
			replicas[j + 1] = brokers[follower_index(leader, shift, j, n)].id;
	}
}

/* ---- With racks ---- */

/* Brokers so ordered that neighbours stand in different racks, and for each the number of its rack. */
struct rack_ring {
	const struct assign_broker **brokers;
	int *rack_of;
	int n;
	int n_racks;
};

static int compare_racks(const void *a, const void *b)
{
	const struct assign_broker *left = *(const struct assign_broker *const *)a;
	const struct assign_broker *right = *(const struct assign_broker *const *)b;
	int order = slice_compare(left->rack, right->rack);

	return order ? order : (left->id > right->id) - (left->id < right->id);
}

/* Takes one broker of each rack in turn: racks in the order of their names, brokers of a rack by id. */
static void rack_ring_build(const struct assign_broker *brokers, int n, struct arena *arena, struct rack_ring *ring)
{
	const struct assign_broker **sorted = arena_alloc(arena, (size_t)n * sizeof *sorted);
	int *begin = arena_alloc(arena, (size_t)(n + 1) * sizeof *begin);

	*ring = (struct rack_ring){.brokers = arena_alloc(arena, (size_t)n * sizeof(const struct assign_broker *)),
				   .rack_of = arena_alloc(arena, (size_t)n * sizeof(int))};
	for (int i = 0; i < n; i++)
		sorted[i] = &brokers[i];
	qsort(sorted, (size_t)n, sizeof *sorted, compare_racks);
	for (int i = 0; i < n; i++)
		if (i == 0 || !slice_equal(sorted[i]->rack, sorted[i - 1]->rack))
			begin[ring->n_racks++] = i;
	begin[ring->n_racks] = n;
	for (int round = 0; ring->n < n; round++) {
		for (int rack = 0; rack < ring->n_racks; rack++) {
			if (begin[rack] + round >= begin[rack + 1])
				continue;
			ring->brokers[ring->n] = sorted[begin[rack] + round];
			ring->rack_of[ring->n++] = rack;
		}
	}
}

/* What one partition has taken so far, by place in the ring and by rack. */
struct taken {
	bool *place;
	bool *rack;
	int n_racks;
};

/* A place is free for this partition when it is not taken, and its rack is not, or all racks are. */
static bool may_take(const struct rack_ring *ring, const struct taken *taken, int place)
{
	return !taken->place[place] && (!taken->rack[ring->rack_of[place]] || taken->n_racks == ring->n_racks);
}

static int32_t take(const struct rack_ring *ring, struct taken *taken, int place)
{
	int rack = ring->rack_of[place];

	taken->n_racks += !taken->rack[rack];
	taken->rack[rack] = true;
	taken->place[place] = true;
	return ring->brokers[place]->id;
}

static void assign_one_by_rack(const struct rack_ring *ring, int leader, int64_t shift, int16_t replication_factor,
			       struct taken *taken, int32_t *ret_replicas)
{
	int64_t k = 0;

	memset(taken->place, 0, (size_t)ring->n * sizeof *taken->place);
	memset(taken->rack, 0, (size_t)ring->n_racks * sizeof *taken->rack);
	taken->n_racks = 0;
	ret_replicas[0] = take(ring, taken, leader);
	for (int j = 1; j < replication_factor; j++) {
		int place;

		/* The shift grows by whole racks, so that followers of one leader spread too. */
		do
			place = follower_index(leader, shift * ring->n_racks, k++, ring->n);
		while (!may_take(ring, taken, place));
		ret_replicas[j] = take(ring, taken, place);
	}
}

static void assign_by_rack(const struct rack_ring *ring, int32_t first, int32_t start, int32_t shift, struct arena *arena,
			   struct assignment *assignment)
{
	struct taken taken = {.place = arena_alloc(arena, (size_t)ring->n), .rack = arena_alloc(arena, (size_t)ring->n_racks)};

	for (int32_t i = 0; i < assignment->n_partitions; i++) {
		int32_t partition = first + i;

		if (partition > 0 && partition % ring->n == 0)
			shift++;
		assign_one_by_rack(ring, (int)(((int64_t)partition + start) % ring->n), shift, assignment->replication_factor,
				   &taken, assignment->replicas + (int64_t)i * assignment->replication_factor);
	}
}

void assign_replicas(const struct assign_broker *brokers, int n_brokers, int32_t first, int32_t n_partitions,
		     int16_t replication_factor, int32_t start, int32_t shift, struct arena *arena, struct assignment *ret_assignment)
{
	struct rack_ring ring;

	CHECK(replication_factor >= 1 && replication_factor <= n_brokers && n_partitions >= 0 && start >= 0 && shift >= 0);
	*ret_assignment = (struct assignment){
		.n_partitions = n_partitions,
		.replication_factor = replication_factor,
		.replicas = arena_zalloc(arena, (size_t)n_partitions * (size_t)replication_factor, sizeof(int32_t)),
	};
	shift %= INT32_MAX / 2; /* room for it to grow */
	if (slice_is_null(brokers[0].rack) || !assign_racks_agree(brokers, n_brokers)) {
		assign_plain(brokers, n_brokers, first, start, shift, ret_assignment);
		return;
	}
	rack_ring_build(brokers, n_brokers, arena, &ring);
	assign_by_rack(&ring, first, start, shift, arena, ret_assignment);
}
