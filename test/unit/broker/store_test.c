/* store: log dirs and their disk threads, from open to close. */
#include "test/lib/unit.h"

#include "broker/log/log_dir_internal.h"
#include "broker/meta/broker_config.h"
#include "broker/store.h"
#include "common/error.h"
#include "common/properties.h"

#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct broker_config *one_dir(void)
{
	char text[400];
	struct properties properties;
	struct broker_config *config;
	struct error err;

	snprintf(text, sizeof text, "broker.id=1\nzookeeper.connect=localhost:1\nlog.dirs=%s/dir\n", unit_temp_dir());
	properties_init(&properties);
	ck_assert_int_eq(properties_parse(&properties, slice_of_text(text), "test", &err), 0);
	ck_assert_msg(broker_config_load(&properties, NULL, &config, &err) == 0, "%s", err.text);
	properties_fini(&properties);
	return config;
}

/* Wakes come from any thread as messages to the hub: the last of them are read when the disks have already stopped. */
START_TEST(a_wake_that_comes_after_the_disks_have_stopped_does_nothing)
{
	struct broker_config *config = one_dir();
	struct worker hub;
	struct store store;
	struct error err;

	ck_assert_int_eq(worker_init(&hub, "hub", 0), 0);
	ck_assert_msg(store_open(&store, config, &hub, &err) == 0, "%s", err.text);
	log_dir_wake(store.dirs[0].dir);
	store_stop_disks(&store);
	worker_drain(&hub);
	ck_assert(!store.dirs[0].ticking);
	ck_assert_int_eq(store_close(&store), 0);
	worker_fini(&hub);
	broker_config_release(config);
}
END_TEST

/* As after kill -9 of parent and child, and a start at once. */
START_TEST(a_dir_whose_holder_is_about_to_be_gone_is_waited_for)
{
	struct broker_config *config = one_dir();
	struct worker hub;
	struct store store;
	struct error err;
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(worker_init(&hub, "hub", 0), 0);
	pid = fork();
	if (pid == 0) {
		if (store_open(&store, config, &hub, &err) || write(ready[1], "x", 1) != 1)
			_exit(1);
		/* The dying one takes its time. */
		poll(NULL, 0, 100);
		_exit(0);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_msg(store_open(&store, config, &hub, &err) == 0, "%s", err.text);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	store_stop_disks(&store);
	worker_drain(&hub);
	ck_assert_int_eq(store_close(&store), 0);
	worker_fini(&hub);
	broker_config_release(config);
	close(ready[0]);
	close(ready[1]);
}
END_TEST

UNIT_MAIN("broker/store", a_wake_that_comes_after_the_disks_have_stopped_does_nothing,
	  a_dir_whose_holder_is_about_to_be_gone_is_waited_for)
