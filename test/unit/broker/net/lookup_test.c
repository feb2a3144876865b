/* lookup: names asked of a name server that the test plays; those that begin with "slow" are answered when it says so. */
#include "test/lib/unit.h"

#include "broker/net/address.h"
#include "broker/net/lookup.h"
#include "common/clock.h"
#include "common/memory.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MS 10000

/* One who asks. */
struct asker {
	struct lookup *lookup;
	int n_done;
	bool found;
	uint16_t port;
	char why[128];
};

static struct worker worker;
static struct resolver *resolver;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static int n_asked, n_answered, n_let_go; /* under the lock; so many slow ones may be answered */

static void wait_to_be_let_go(void)
{
	while (n_let_go == 0)
		pthread_cond_wait(&opened, &lock);
	n_let_go--;
}

static int ask(const char *host, struct sockaddr_storage *ret_address)
{
	pthread_mutex_lock(&lock);
	n_asked++;
	if (strncmp(host, "slow", 4) == 0)
		wait_to_be_let_go();
	n_answered++;
	pthread_mutex_unlock(&lock);
	return strcmp(host, "nobody") == 0 ? EAI_NONAME : address_parse("127.0.0.9", 0, ret_address);
}

static void let_go(int n)
{
	pthread_mutex_lock(&lock);
	n_let_go += n;
	pthread_cond_broadcast(&opened);
	pthread_mutex_unlock(&lock);
}

static int read_count(const int *count)
{
	int n;

	pthread_mutex_lock(&lock);
	n = *count;
	pthread_mutex_unlock(&lock);
	return n;
}

static void turn_until_count(const int *count, int n)
{
	int64_t until_ms = clock_ms() + WAIT_MS;

	while (read_count(count) < n) {
		ck_assert_msg(clock_ms() < until_ms, "waited too long");
		worker_turn(&worker, 1);
	}
}

static void begin(int64_t ms_max)
{
	n_asked = n_answered = n_let_go = 0;
	ck_assert_int_eq(worker_init(&worker, "worker-0", 0), 0);
	resolver = resolver_new(ask, ms_max);
}

static void end(void)
{
	resolver_free(resolver);
	worker_drain(&worker);
	worker_fini(&worker);
}

static void on_done(void *ctx, const struct sockaddr_storage *address, const char *why)
{
	struct asker *asker = ctx;

	asker->lookup = NULL;
	asker->n_done++;
	asker->found = address != NULL;
	asker->port = address ? address_port(address) : 0;
	snprintf(asker->why, sizeof asker->why, "%s", why ? why : "");
}

static void start(struct asker *asker, const char *host, uint16_t port)
{
	asker->lookup = lookup_start(resolver, &worker, host, port, on_done, asker);
}

START_TEST(a_name_is_found_or_not)
{
	struct asker good = {0}, bad = {0};

	begin(0);
	start(&good, "good", 9092);
	turn_until_count(&good.n_done, 1);
	ck_assert(good.found);
	ck_assert_uint_eq(good.port, 9092);
	start(&bad, "nobody", 9092);
	turn_until_count(&bad.n_done, 1);
	ck_assert(!bad.found);
	ck_assert_str_eq(bad.why, gai_strerror(EAI_NONAME));
	end();
}
END_TEST

START_TEST(a_name_that_hangs_holds_up_no_other)
{
	struct asker slow = {0}, other_slow = {0}, good = {0};

	begin(0);
	start(&slow, "slow-1", 1);
	start(&other_slow, "slow-2", 1);
	start(&good, "good", 1);
	turn_until_count(&good.n_done, 1);
	ck_assert_int_eq(slow.n_done + other_slow.n_done, 0);
	let_go(2);
	turn_until_count(&slow.n_done, 1);
	turn_until_count(&other_slow.n_done, 1);
	ck_assert(slow.found && other_slow.found);
	end();
}
END_TEST

START_TEST(a_name_is_asked_once_for_all_that_want_it)
{
	struct asker first = {0}, second = {0};

	begin(0);
	start(&first, "slow", 1);
	turn_until_count(&n_asked, 1);
	start(&second, "slow", 2);
	let_go(1);
	turn_until_count(&second.n_done, 1);
	ck_assert_int_eq(first.n_done, 1);
	ck_assert_uint_eq(first.port, 1);
	ck_assert_uint_eq(second.port, 2);
	ck_assert_int_eq(n_asked, 1);
	end();
}
END_TEST

START_TEST(more_names_than_threads_wait_for_one)
{
	struct asker slow[RESOLVER_THREADS_MAX] = {{0}}, good = {0};
	char name[32];

	begin(0);
	for (int i = 0; i < RESOLVER_THREADS_MAX; i++) {
		snprintf(name, sizeof name, "slow-%d", i);
		start(&slow[i], name, 1);
	}
	turn_until_count(&n_asked, RESOLVER_THREADS_MAX);
	start(&good, "good", 1);
	let_go(1);
	turn_until_count(&good.n_done, 1);
	ck_assert_int_eq(n_asked, RESOLVER_THREADS_MAX + 1);
	let_go(RESOLVER_THREADS_MAX - 1);
	for (int i = 0; i < RESOLVER_THREADS_MAX; i++)
		turn_until_count(&slow[i].n_done, 1);
	end();
}
END_TEST

START_TEST(who_asks_waits_for_a_while_and_joins_the_same_question_again)
{
	struct asker slow = {0};

	begin(50);
	start(&slow, "slow", 1);
	turn_until_count(&slow.n_done, 1);
	ck_assert(!slow.found);
	ck_assert_str_eq(slow.why, "no name server has answered");
	start(&slow, "slow", 1);
	turn_until_count(&slow.n_done, 2);
	ck_assert_int_eq(n_asked, 1);
	let_go(1);
	turn_until_count(&n_answered, 1);
	end();
}
END_TEST

START_TEST(who_has_cancelled_is_told_nothing)
{
	struct asker slow = {0}, again = {0}, unbegun = {0};

	begin(0);
	start(&slow, "slow", 1);
	turn_until_count(&n_asked, 1);
	lookup_cancel(slow.lookup);
	/* Its answer lies in the mailbox already. */
	start(&again, "slow", 1);
	let_go(1);
	for (int64_t until_ms = clock_ms() + WAIT_MS; read_count(&n_answered) < 1;)
		ck_assert(clock_ms() < until_ms);
	start(&unbegun, "slow-2", 1);
	lookup_cancel(again.lookup);
	lookup_cancel(unbegun.lookup);
	let_go(1);
	end();
	ck_assert_int_eq(slow.n_done + again.n_done + unbegun.n_done, 0);
}
END_TEST

/* The name server answers when nobody is there any more. */
START_TEST(a_resolver_that_is_freed_waits_for_nobody)
{
	struct asker slow = {0};

	begin(0);
	start(&slow, "slow", 1);
	turn_until_count(&n_asked, 1);
	resolver_free(resolver);
	resolver = NULL;
	lookup_cancel(slow.lookup);
	worker_drain(&worker);
	worker_fini(&worker);
	let_go(1);
	for (int64_t until_ms = clock_ms() + WAIT_MS; read_count(&n_answered) < 1;)
		ck_assert(clock_ms() < until_ms);
	ck_assert_int_eq(slow.n_done, 0);
}
END_TEST

UNIT_MAIN("broker/net/lookup", a_name_is_found_or_not, a_name_that_hangs_holds_up_no_other, a_name_is_asked_once_for_all_that_want_it,
	  more_names_than_threads_wait_for_one, who_asks_waits_for_a_while_and_joins_the_same_question_again, who_has_cancelled_is_told_nothing,
	  a_resolver_that_is_freed_waits_for_nobody)
