/* Listeners and the acceptor: limits, fairness between workers, no descriptors left. */
#include "test/lib/loopback.h"
#include "test/lib/unit.h"

#include "broker/net/address.h"
#include "common/clock.h"
#include "common/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static struct loopback loopback;

static void open_default(void)
{
	loopback_open(&loopback, NULL, 0, NULL);
}

static bool has_open(void *ctx)
{
	return loopback.acceptor.counters.n_open == *(int *)ctx;
}

static void wait_open(int n)
{
	loopback_until(&loopback, has_open, &n);
}

static void set_limits(int connections_max, int per_ip_max, int rate)
{
	struct acceptor_limits limits = acceptor_limits_default;

	limits.connections_max = connections_max;
	limits.connections_per_ip_max = per_ip_max;
	limits.creation_rate_max = rate;
	acceptor_set_limits(&loopback.acceptor, &limits);
}

START_TEST(too_many_connections_wait_until_one_is_closed)
{
	int fds[4];

	open_default();
	set_limits(2, 100, INT32_MAX);
	for (int i = 0; i < 4; i++)
		fds[i] = loopback_connect(&loopback);
	wait_open(2);
	loopback_pass(&loopback, 20);
	ck_assert_int_eq(loopback.acceptor.counters.n_accepted, 2);
	close(fds[0]);
	close(fds[1]);
	loopback_pass(&loopback, 20);
	ck_assert_int_eq(loopback.acceptor.counters.n_accepted, 4);
	ck_assert_int_eq(loopback.acceptor.counters.n_open, 2);
	set_limits(100, 100, INT32_MAX);
	close(fds[2]);
	close(fds[3]);
	wait_open(0);
	loopback_close(&loopback);
}
END_TEST

START_TEST(one_address_has_its_bound_and_its_override)
{
	struct acceptor_override override = {.host = "127.0.0.1", .n_max = 2};
	struct acceptor_limits limits = acceptor_limits_default;
	int fds[3];

	open_default();
	set_limits(100, 1, INT32_MAX);
	fds[0] = loopback_connect(&loopback);
	wait_open(1);
	fds[1] = loopback_connect(&loopback);
	loopback_expect_closed(&loopback, fds[1]);
	close(fds[1]);
	ck_assert_int_eq(loopback.acceptor.counters.n_refused_ip, 1);
	limits.connections_per_ip_max = 1;
	limits.overrides = &override;
	limits.n_overrides = 1;
	acceptor_set_limits(&loopback.acceptor, &limits);
	fds[1] = loopback_connect(&loopback);
	wait_open(2);
	fds[2] = loopback_connect(&loopback);
	loopback_expect_closed(&loopback, fds[2]);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	wait_open(0);
	loopback_close(&loopback);
}
END_TEST

START_TEST(the_creation_rate_is_kept)
{
	int fds[15];
	int64_t begun;

	open_default();
	set_limits(100, 100, 50);
	for (int i = 0; i < 15; i++)
		fds[i] = loopback_connect(&loopback);
	/* The bucket is full at the start: empty it. */
	loopback.listener.tokens_milli = 5000;
	loopback.listener.tokens_ms = begun = clock_ms();
	wait_open(15);
	ck_assert_int_ge(clock_ms() - begun, 150);
	for (int i = 0; i < 15; i++)
		close(fds[i]);
	wait_open(0);
	loopback_close(&loopback);
}
END_TEST

START_TEST(without_descriptors_connections_are_refused_and_life_goes_on)
{
	struct rlimit limit = {0}, before;
	int fds[64], n = 0, fd, first, second;

	open_default();
	first = loopback_connect(&loopback);
	wait_open(1);
	second = loopback_connect(&loopback);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (n < 64 && (fd = open("/dev/null", O_RDONLY)) >= 0)
		fds[n++] = fd;
	ck_assert_int_eq(errno, EMFILE);
	loopback_expect_closed(&loopback, second);
	ck_assert_int_eq(loopback.acceptor.counters.n_refused_fd, 1);
	ck_assert_int_eq(loopback.acceptor.counters.n_open, 1);
	while (n > 0)
		close(fds[--n]);
	setrlimit(RLIMIT_NOFILE, &before);
	close(second);
	second = loopback_connect(&loopback);
	wait_open(2);
	close(first);
	close(second);
	wait_open(0);
	loopback_close(&loopback);
}
END_TEST

START_TEST(connections_are_dealt_round_robin)
{
	struct net second, *nets[2] = {&loopback.net, &second};
	int fds[6];

	open_default();
	net_init(&second, &loopback.worker, &loopback.setup);
	loopback.acceptor.nets = nets;
	loopback.acceptor.n_nets = 2;
	for (int i = 0; i < 6; i++)
		fds[i] = loopback_connect(&loopback);
	wait_open(6);
	loopback_pass(&loopback, 10);
	ck_assert_int_eq(loopback.net.counters.n_opened, 3);
	ck_assert_int_eq(second.counters.n_opened, 3);
	for (int i = 0; i < 6; i++)
		close(fds[i]);
	wait_open(0);
	net_fini(&second);
	loopback_close(&loopback);
}
END_TEST

START_TEST(a_taken_port_and_a_strange_address_have_clear_errors)
{
	struct listener_info info = {.name = "OTHER", .host = "127.0.0.1"};
	struct listener other;
	struct error err;

	open_default();
	info.port = loopback.port;
	ck_assert_int_eq(listener_open(&other, &loopback.acceptor, &info, &listener_options_default, &err), ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "OTHER"));
	info.host = "192.0.2.1";
	ck_assert_int_eq(listener_open(&other, &loopback.acceptor, &info, &listener_options_default, &err), ERR_INVALID);
	info.host = "localhost";
	ck_assert_int_eq(listener_open(&other, &loopback.acceptor, &info, &listener_options_default, &err), ERR_INVALID);
	info.host = "";
	info.port = 0;
	ck_assert_int_eq(listener_open(&other, &loopback.acceptor, &info, &listener_options_default, &err), 0);
	ck_assert_uint_ne(other.info.port, 0);
	listener_close(&other);
	loopback_close(&loopback);
}
END_TEST

START_TEST(addresses_are_described_as_people_know_them)
{
	static const char *const cases[][2] = {{"10.1.2.3", "10.1.2.3:9092"},
					       {"::1", "[::1]:9092"},
					       {"::ffff:10.0.0.1", "10.0.0.1:9092"},
					       {"fe80::1", "[fe80::1]:9092"}};
	struct sockaddr_storage address;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct client client = {0};

		ck_assert_int_eq(address_parse(cases[i][0], 9092, &client.address), 0);
		client_describe(&client);
		ck_assert_str_eq(client.address_text, cases[i][1]);
		ck_assert_uint_eq(client.port, 9092);
	}
	ck_assert_int_eq(address_parse("10.1.2", 1, &address), ERR_INVALID);
	ck_assert_int_eq(address_parse("host", 1, &address), ERR_INVALID);
}
END_TEST

UNIT_MAIN("broker/net/listener", too_many_connections_wait_until_one_is_closed, one_address_has_its_bound_and_its_override,
	  the_creation_rate_is_kept, without_descriptors_connections_are_refused_and_life_goes_on,
	  connections_are_dealt_round_robin, a_taken_port_and_a_strange_address_have_clear_errors,
	  addresses_are_described_as_people_know_them)
