/* budget: one queue, two classes, one who is rescued; and many threads at once. */
#include "test/lib/unit.h"

#include "broker/net/budget.h"
#include "common/clock.h"
#include "common/memory.h"

#include <stdlib.h>

struct waiter {
	struct budget_wait wait;
	int n_granted;
	bool rescued;
};

static struct worker worker;
static struct budget budget;

static void on_granted(struct budget_wait *wait, bool rescued)
{
	struct waiter *waiter = CONTAINER_OF(wait, struct waiter, wait);

	waiter->n_granted++;
	waiter->rescued = rescued;
}

static void open_all(void)
{
	ck_assert_int_eq(worker_init(&worker, "budget", 0), 0);
	budget_init(&budget, 100, 50);
}

static void close_all(void)
{
	worker_drain(&worker);
	budget_fini(&budget);
	worker_fini(&worker);
}

static struct waiter waiter_of(enum budget_class class)
{
	struct waiter waiter = {0};

	budget_wait_init(&waiter.wait, &worker, class, on_granted);
	return waiter;
}

static void turn(void)
{
	worker_drain(&worker);
}

START_TEST(bytes_are_granted_in_the_order_of_asking)
{
	struct waiter one, two;

	open_all();
	one = waiter_of(BUDGET_CLIENT);
	two = waiter_of(BUDGET_CLIENT);
	ck_assert(budget_try(&budget, 90, BUDGET_CLIENT));
	ck_assert(!budget_try(&budget, 20, BUDGET_CLIENT));
	budget_queue(&budget, &one.wait, 50, false);
	budget_queue(&budget, &two.wait, 5, false);
	turn();
	/* The second would fit, but it came later. */
	ck_assert_int_eq(one.n_granted + two.n_granted, 0);
	ck_assert(!budget_try(&budget, 1, BUDGET_CLIENT));
	budget_give(&budget, 40);
	turn();
	ck_assert_int_eq(one.n_granted, 1);
	ck_assert_int_eq(two.n_granted, 0);
	budget_give(&budget, 50);
	turn();
	ck_assert_int_eq(two.n_granted, 1);
	ck_assert_int_eq(budget_used(&budget), 55);
	close_all();
}
END_TEST

START_TEST(the_cluster_has_a_reserve_and_does_not_wait_behind_clients)
{
	struct waiter client, peer;

	open_all();
	client = waiter_of(BUDGET_CLIENT);
	peer = waiter_of(BUDGET_CLUSTER);
	budget_force(&budget, 120);
	ck_assert(budget_is_full(&budget, BUDGET_CLIENT));
	ck_assert(!budget_is_full(&budget, BUDGET_CLUSTER));
	budget_queue(&budget, &client.wait, 10, false);
	ck_assert(budget_try(&budget, 20, BUDGET_CLUSTER));
	budget_queue(&budget, &peer.wait, 20, false);
	budget_give(&budget, 10);
	turn();
	ck_assert_int_eq(peer.n_granted, 1);
	ck_assert_int_eq(client.n_granted, 0);
	ck_assert(budget_cancel(&budget, &client.wait));
	ck_assert(!budget_is_short(&budget));
	close_all();
}
END_TEST

START_TEST(one_at_a_time_is_rescued)
{
	struct waiter one, two;

	open_all();
	one = waiter_of(BUDGET_CLIENT);
	two = waiter_of(BUDGET_CLIENT);
	budget_force(&budget, 100);
	budget_queue(&budget, &one.wait, 500, true);
	budget_queue(&budget, &two.wait, 10, true);
	turn();
	ck_assert(one.n_granted == 1 && one.rescued);
	ck_assert_int_eq(two.n_granted, 0);
	budget_give(&budget, 500);
	turn();
	ck_assert_int_eq(two.n_granted, 0);
	budget_rescue_over(&budget);
	turn();
	ck_assert(two.n_granted == 1 && two.rescued);
	budget_rescue_over(&budget);
	close_all();
}
END_TEST

START_TEST(a_grant_under_way_cannot_be_cancelled)
{
	struct waiter one;

	open_all();
	one = waiter_of(BUDGET_CLIENT);
	budget_force(&budget, 100);
	budget_queue(&budget, &one.wait, 10, false);
	budget_give(&budget, 50);
	ck_assert(!budget_cancel(&budget, &one.wait));
	turn();
	ck_assert_int_eq(one.n_granted, 1);
	close_all();
}
END_TEST

/* Workers that take, wait and give as fast as they can: at the end nobody is forgotten and nothing is left. */
enum { N_THREADS = 4, N_ROUNDS = 20000 };

struct player {
	struct worker worker;
	struct budget_wait wait;
	struct message start;
	unsigned seed;
	int n_left;
};

static void play(struct player *player)
{
	while (player->n_left > 0) {
		size_t bytes = (size_t)(rand_r(&player->seed) % 60) + 1;

		player->n_left--;
		if (!budget_try(&budget, bytes, BUDGET_CLIENT)) {
			budget_queue(&budget, &player->wait, bytes, false);
			return;
		}
		budget_give(&budget, bytes);
	}
	worker_stop(&player->worker);
}

static void on_player_granted(struct budget_wait *wait, bool rescued)
{
	struct player *player = CONTAINER_OF(wait, struct player, wait);

	ck_assert(!rescued);
	budget_give(&budget, wait->bytes);
	play(player);
}

static void on_start(struct message *message)
{
	play(CONTAINER_OF(message, struct player, start));
}

START_TEST(nobody_is_forgotten_among_many_threads)
{
	static struct player players[N_THREADS];

	open_all();
	for (int i = 0; i < N_THREADS; i++) {
		struct player *player = &players[i];

		ck_assert_int_eq(worker_init(&player->worker, "player", (unsigned)i), 0);
		budget_wait_init(&player->wait, &player->worker, BUDGET_CLIENT, on_player_granted);
		player->seed = (unsigned)i;
		player->n_left = N_ROUNDS;
		player->start.run = on_start;
		worker_post(&player->worker, &player->start);
	}
	for (int i = 0; i < N_THREADS; i++)
		ck_assert_int_eq(worker_start(&players[i].worker), 0);
	for (int i = 0; i < N_THREADS; i++) {
		worker_join(&players[i].worker);
		worker_fini(&players[i].worker);
	}
	ck_assert_int_eq(budget_used(&budget), 0);
	close_all();
}
END_TEST

UNIT_MAIN("broker/net/budget", bytes_are_granted_in_the_order_of_asking,
	  the_cluster_has_a_reserve_and_does_not_wait_behind_clients, one_at_a_time_is_rescued,
	  a_grant_under_way_cannot_be_cancelled, nobody_is_forgotten_among_many_threads)
