/* zk/connect: what zookeeper.connect may look like. */
#include "zk/connect.h"

#include "test/lib/unit.h"

#include <poll.h>
#include <string.h>

static void assert_connect(const char *text, const char *servers, const char *chroot, bool has_names)
{
	struct zk_connect connect;
	struct error err = {0};

	ck_assert_msg(zk_connect_resolve(text, &connect, &err) == 0, "%s: %s", text, err.text);
	ck_assert_str_eq(connect.servers, servers);
	ck_assert_str_eq(connect.chroot, chroot);
	ck_assert_int_eq(connect.has_names, has_names);
	zk_connect_fini(&connect);
}

START_TEST(servers_become_numbers_in_order_each_once)
{
	assert_connect("127.0.0.1:2181", "127.0.0.1:2181", "", false);
	assert_connect("127.0.0.1", "127.0.0.1:2181", "", false);
	assert_connect("10.0.0.2:1, 10.0.0.1:2,10.0.0.2:1", "10.0.0.1:2,10.0.0.2:1", "", false);
	assert_connect("[::1]:99,[::1]", "::1:2181,::1:99", "", false);
	assert_connect("127.0.0.1:2181/kafka", "127.0.0.1:2181", "/kafka", false);
	assert_connect("127.0.0.1:2181,127.0.0.2:2181/a/b/", "127.0.0.1:2181,127.0.0.2:2181", "/a/b", false);
	assert_connect("127.0.0.1/", "127.0.0.1:2181", "", false);
	assert_connect("127.0.0.1:2181,no-such-host.invalid:1", "127.0.0.1:2181", "", true);
}
END_TEST

START_TEST(what_cannot_be_understood_is_told)
{
	static const char *const wrong[] = {"",
					    ",",
					    "/a",
					    "h:",
					    "h:0",
					    "h:65536",
					    "h:1x",
					    "[::1",
					    "[]:1",
					    "127.0.0.1//a",
					    "127.0.0.1/a//b",
					    "127.0.0.1/a/../b"};
	struct zk_connect connect;
	struct error err;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		ck_assert_msg(zk_connect_resolve(wrong[i], &connect, &err) == ERR_CONFIG, "%s", wrong[i]);
		ck_assert_ptr_nonnull(strstr(err.text, "zookeeper.connect="));
	}
	ck_assert_int_eq(zk_connect_resolve("no-such-host.invalid", &connect, &err), ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_look_up_in_the_background_ends_by_itself)
{
	struct zk_resolving *resolving = zk_resolving_start("127.0.0.1:5/x");
	struct zk_connect connect;
	bool found = false;

	for (int ms = 0; ms < 10000 && !zk_resolving_done(resolving, &connect, &found); ms++)
		poll(NULL, 0, 1);
	ck_assert(found);
	ck_assert_str_eq(connect.servers, "127.0.0.1:5");
	zk_connect_fini(&connect);
	zk_resolving_drop(resolving);
	/* Dropped at once: whoever is last frees it. */
	zk_resolving_drop(zk_resolving_start("127.0.0.1:5/x"));
	zk_resolving_drop(NULL);
}
END_TEST

UNIT_MAIN("zk/connect", servers_become_numbers_in_order_each_once, what_cannot_be_understood_is_told,
	  a_look_up_in_the_background_ends_by_itself)
