/* metrics_page: all shards are asked, what they say is merged, and who waits too long or is too many is told so. The test is hub and workers. */
#include "test/lib/unit.h"

#include "broker/metrics_page.h"
#include "common/clock.h"
#include "common/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { N_SHARDS = 3 };

static struct worker hub;
static struct metrics_page page;
static struct broker_config *config;
static struct shard shards[N_SHARDS], *all[N_SHARDS] = {&shards[0], &shards[1], &shards[2]};
static bool serving;
static bool workers_hang;

static bool serves(void *ctx)
{
	ck_assert_ptr_eq(ctx, &page);
	return serving;
}

static void write_own(void *ctx, struct metrics *metrics)
{
	ck_assert_ptr_eq(ctx, &page);
	metrics_one(metrics, "of_the_hub", METRIC_GAUGE, "Own.", 17);
}

static void setup(void)
{
	struct metrics_port port = {&page, serves, write_own};
	struct properties properties;
	struct error err;

	properties_init(&properties);
	ck_assert_int_eq(properties_parse(&properties, SLICE_LITERAL("zookeeper.connect=127.0.0.1:1\nlog.dirs=/nowhere\n"), "test", &err), 0);
	ck_assert_int_eq(broker_config_load(&properties, NULL, &config, &err), 0);
	properties_fini(&properties);
	ck_assert_int_eq(worker_init(&hub, "hub", 0), 0);
	for (int i = 0; i < N_SHARDS; i++)
		ck_assert_int_eq(shard_init(&shards[i], i, N_SHARDS, all, config), 0);
	page = (struct metrics_page){0};
	ck_assert_int_eq(metrics_page_open(&page, &hub, SLICE_LITERAL("127.0.0.1"), 0, &port, &err), 0);
	metrics_page_set_shards(&page, all, N_SHARDS);
	serving = true;
	workers_hang = false;
}

static void turn(void)
{
	worker_turn(&hub, 1);
	for (int i = 0; !workers_hang && i < N_SHARDS; i++)
		worker_turn(&shards[i].worker, 0);
}

static void teardown(void)
{
	for (int i = 0; i < N_SHARDS; i++) {
		shard_close_all(&shards[i]);
		worker_drain(&shards[i].worker);
	}
	worker_drain(&hub);
	metrics_page_close(&page);
	for (int i = 0; i < N_SHARDS; i++)
		shard_fini(&shards[i]);
	worker_drain(&hub);
	worker_fini(&hub);
	broker_config_release(config);
}

static int ask(void)
{
	static const char text[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(http_server_port(page.server))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(send(fd, text, sizeof text - 1, 0), sizeof text - 1);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* The whole answer; the caller's. */
static char *hear(int fd)
{
	char *text = calloc(1, 65536);
	size_t len = 0;
	int64_t end_ms = clock_ms() + 4 * METRICS_WAIT_MS;

	for (;;) {
		ssize_t n = recv(fd, text + len, 65535 - len, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		len += n > 0 ? (size_t)n : 0;
		ck_assert_int_lt(clock_ms(), end_ms);
		turn();
	}
	close(fd);
	return text;
}

static void check_heard(int fd, const char *status, const char *contains)
{
	char *text = hear(fd);

	ck_assert_msg(strncmp(text, "HTTP/1.1 ", 9) == 0 && strncmp(text + 9, status, 3) == 0, "%s", text);
	ck_assert_msg(strstr(text, contains), "%s is not in %s", contains, text);
	free(text);
}

START_TEST(figures_of_all_shards_are_merged)
{
	struct net net[N_SHARDS] = {{0}};
	char *text;

	setup();
	for (int i = 0; i < N_SHARDS; i++) {
		shards[i].feeds.counters.bytes_sent = 100 << i;
		shards[i].isr_counters.n_shrunk = i;
		net[i].counters.n_requests = 1000 * i;
		shards[i].net = &net[i];
		links_counters(shards[i].links)->bytes_in = 7;
	}
	text = hear(ask());
	ck_assert_ptr_nonnull(strstr(text, "\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nklamm_replication_bytes_sent_total 700\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nkafka_server_brokertopicmetrics_replicationbytesout_total 700\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nklamm_replication_bytes_received_total 21\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nkafka_server_replicamanager_isrshrinks_total 3\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nklamm_requests_total 3000\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nkafka_server_replicamanager_partitioncount 0\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nklamm_durability_lag_records_max 0\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nof_the_hub 17\n"));
	free(text);
	/* Asked again nothing is added to what was said before. */
	check_heard(ask(), "200", "\nklamm_replication_bytes_sent_total 700\n");
	teardown();
}
END_TEST

START_TEST(scrapes_that_come_together_get_one_answer_and_more_than_a_few_none)
{
	int fds[LIMIT_METRICS_SCRAPES + 2];

	setup();
	workers_hang = true;
	for (int i = 0; i < LIMIT_METRICS_SCRAPES; i++) {
		int64_t end_ms = clock_ms() + 10000;

		fds[i] = ask();
		while (page.n_scrapes <= i && clock_ms() < end_ms)
			turn();
		ck_assert_int_eq(page.n_scrapes, i + 1);
	}
	for (int i = LIMIT_METRICS_SCRAPES; i < LIMIT_METRICS_SCRAPES + 2; i++)
		check_heard(ask(), "503", "Too many scrapes");
	workers_hang = false;
	for (int i = 0; i < LIMIT_METRICS_SCRAPES; i++)
		check_heard(fds[i], "200", "of_the_hub");
	check_heard(ask(), "200", "of_the_hub");
	teardown();
}
END_TEST

START_TEST(a_worker_that_hangs_costs_a_scrape_its_time_and_no_more)
{
	int64_t began_ms;

	setup();
	workers_hang = true;
	began_ms = clock_ms();
	check_heard(ask(), "503", "not said its figures");
	ck_assert_int_ge(clock_ms() - began_ms, METRICS_WAIT_MS);
	workers_hang = false;
	check_heard(ask(), "200", "of_the_hub");
	teardown();
}
END_TEST

START_TEST(while_it_starts_or_stops_it_says_so)
{
	int fd;

	setup();
	serving = false;
	check_heard(ask(), "503", "starting or stopping");
	/* And when it stops while shards are asked. */
	serving = workers_hang = true;
	fd = ask();
	while (page.n_scrapes == 0)
		turn();
	serving = workers_hang = false;
	check_heard(fd, "503", "stops");
	/* The end does not wait for who waits. */
	serving = workers_hang = true;
	fd = ask();
	while (page.n_scrapes == 0)
		turn();
	serving = false;
	teardown();
	close(fd);
}
END_TEST

UNIT_MAIN("broker/metrics_page", figures_of_all_shards_are_merged, scrapes_that_come_together_get_one_answer_and_more_than_a_few_none,
	  a_worker_that_hangs_costs_a_scrape_its_time_and_no_more, while_it_starts_or_stops_it_says_so)
