/* store: log dirs and their disk threads, from open to close. */
#include "test/lib/unit.h"

#include "broker/log/log_dir_internal.h"
#include "broker/meta/broker_config.h"
#include "broker/store.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/properties.h"

#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct broker_config *load(const char *dirs)
{
	char text[1000];
	struct properties properties;
	struct broker_config *config;
	struct error err;

	snprintf(text, sizeof text, "broker.id=1\nzookeeper.connect=localhost:1\nlog.dirs=%s\n", dirs);
	properties_init(&properties);
	ck_assert_int_eq(properties_parse(&properties, slice_of_text(text), "test", &err), 0);
	ck_assert_msg(broker_config_load(&properties, NULL, &config, &err) == 0, "%s", err.text);
	properties_fini(&properties);
	return config;
}

static struct broker_config *one_dir(void)
{
	char dirs[400];

	snprintf(dirs, sizeof dirs, "%s/dir", unit_temp_dir());
	return load(dirs);
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

/* ---- a disk that hangs ---- */

static int gate[2], n_loaded, n_created;

static void wait_at_gate(struct disk_job *job)
{
	char byte;

	(void)job;
	ck_assert_int_eq(read(gate[0], &byte, 1), 1);
}

static void on_loaded(void *ctx, int code, const struct error *err)
{
	(void)ctx;
	ck_assert_msg(code == 0, "%s", err->text);
	n_loaded++;
}

static void on_created(void *ctx)
{
	(void)ctx;
	n_created++;
}

static void turn_until(struct worker *hub, const int *count)
{
	int64_t until = clock_ms() + 10000;

	while (*count == 0 && clock_ms() < until)
		worker_turn(hub, 10);
	ck_assert_int_eq(*count, 1);
}

/* The watchdog has failed it, but what it was asked last never comes back: orders that have nothing to do with it must (D10). */
START_TEST(partitions_are_made_while_a_disk_that_has_failed_hangs)
{
	struct store_creation creation = {.topic = SLICE_LITERAL("t"), .partition = 0, .topic_id = {{1, 2, 3}}, .config = LOG_CONFIG_DEFAULT};
	struct disk_job holdup = {.run = wait_at_gate};
	struct broker_config *config;
	struct worker hub;
	struct store store;
	struct error err;
	char dirs[800];

	ck_assert_int_eq(pipe(gate), 0);
	n_loaded = n_created = 0;
	snprintf(dirs, sizeof dirs, "%s/one,%s/two", unit_temp_dir(), unit_temp_dir());
	config = load(dirs);
	ck_assert_int_eq(worker_init(&hub, "hub", 0), 0);
	ck_assert_msg(store_open(&store, config, &hub, &err) == 0, "%s", err.text);
	ck_assert_int_eq(store_set_cluster_id(&store, SLICE_LITERAL("c"), &err), 0);
	store_load(&store, on_loaded, NULL);
	turn_until(&hub, &n_loaded);
	disk_post(&store.dirs[0].disk, &holdup);
	log_dir_fail(store.dirs[0].dir, ERR_TIMEOUT, "a disk call hangs");
	store_create(&store, &creation, 1, on_created, NULL);
	ck_assert_int_eq(n_created, 0);
	turn_until(&hub, &n_created);
	ck_assert_ptr_nonnull(creation.log);
	ck_assert_ptr_eq(creation.log->dir, &store.dirs[1]);
	/* Nowhere is left. */
	log_dir_fail(store.dirs[1].dir, ERR_IO, "a test");
	n_created = 0;
	store_create(&store, &creation, 1, on_created, NULL);
	ck_assert_int_eq(n_created, 0);
	turn_until(&hub, &n_created);
	ck_assert_ptr_null(creation.log);
	ck_assert_int_eq(write(gate[1], "x", 1), 1);
	store_stop_disks(&store);
	worker_drain(&hub);
	ck_assert_int_ne(store_close(&store), 0);
	worker_fini(&hub);
	broker_config_release(config);
	close(gate[0]);
	close(gate[1]);
}
END_TEST

/* Two dirs, loaded, the hub's thread is this one. */
struct pair {
	struct broker_config *config;
	struct worker hub;
	struct store store;
};

static void pair_open(struct pair *pair)
{
	struct error err;
	char dirs[800];

	ck_assert_int_eq(pipe(gate), 0);
	n_loaded = n_created = 0;
	snprintf(dirs, sizeof dirs, "%s/one,%s/two", unit_temp_dir(), unit_temp_dir());
	pair->config = load(dirs);
	ck_assert_int_eq(worker_init(&pair->hub, "hub", 0), 0);
	ck_assert_msg(store_open(&pair->store, pair->config, &pair->hub, &err) == 0, "%s", err.text);
	ck_assert_int_eq(store_set_cluster_id(&pair->store, SLICE_LITERAL("c"), &err), 0);
	store_load(&pair->store, on_loaded, NULL);
	turn_until(&pair->hub, &n_loaded);
}

static void pair_close(struct pair *pair)
{
	store_stop_disks(&pair->store);
	worker_drain(&pair->hub);
	ck_assert_int_ne(store_close(&pair->store), 0);
	worker_fini(&pair->hub);
	broker_config_release(pair->config);
	close(gate[0]);
	close(gate[1]);
}

/* What the watchdog does in its time. */
static void pair_fail(struct pair *pair, int dir)
{
	log_dir_fail(pair->store.dirs[dir].dir, ERR_TIMEOUT, "a disk call hangs");
	store_check_failures(&pair->store);
}

static void create(struct pair *pair, struct store_creation *creation)
{
	n_created = 0;
	store_create(&pair->store, creation, 1, on_created, NULL);
	ck_assert_int_eq(n_created, 0);
}

START_TEST(what_is_being_made_on_a_disk_that_hangs_ends_with_the_dir)
{
	struct store_creation first = {.topic = SLICE_LITERAL("t"), .partition = 0, .topic_id = {{1, 2, 3}}, .config = LOG_CONFIG_DEFAULT};
	struct store_creation second = first;
	struct disk_job holdup = {.run = wait_at_gate};
	struct pair pair;

	second.partition = 1;
	pair_open(&pair);
	disk_post(&pair.store.dirs[0].disk, &holdup);
	create(&pair, &first);
	worker_turn(&pair.hub, 0);
	ck_assert_int_eq(n_created, 0);
	pair_fail(&pair, 0);
	turn_until(&pair.hub, &n_created);
	ck_assert_ptr_null(first.log);
	ck_assert_int_eq(first.code, ERR_IO);
	create(&pair, &second);
	turn_until(&pair.hub, &n_created);
	ck_assert_ptr_eq(second.log->dir, &pair.store.dirs[1]);
	ck_assert_int_eq(write(gate[1], "x", 1), 1);
	pair_close(&pair);
}
END_TEST

START_TEST(another_disk_that_hangs_holds_nothing_up_once_it_has_failed)
{
	struct store_creation creation = {.topic = SLICE_LITERAL("t"), .partition = 0, .topic_id = {{1, 2, 3}}, .config = LOG_CONFIG_DEFAULT};
	struct disk_job holdup = {.run = wait_at_gate};
	struct pair pair;

	pair_open(&pair);
	disk_post(&pair.store.dirs[1].disk, &holdup);
	create(&pair, &creation);
	pair_fail(&pair, 1);
	turn_until(&pair.hub, &n_created);
	ck_assert_ptr_eq(creation.log->dir, &pair.store.dirs[0]);
	ck_assert_int_eq(write(gate[1], "x", 1), 1);
	pair_close(&pair);
}
END_TEST

static void is_reached(struct disk_job *job)
{
	(void)job;
	ck_assert_int_eq(write(gate[1], "x", 1), 1);
}

/* Runs what the disks have, and nothing of the hub. */
static void wait_for_disk(struct store_dir *dir)
{
	struct disk_job job = {.run = is_reached};
	char byte;

	disk_post(&dir->disk, &job);
	ck_assert_int_eq(read(gate[0], &byte, 1), 1);
}

START_TEST(what_was_made_in_a_dir_that_has_failed_since_is_nobodys)
{
	struct store_creation creation = {.topic = SLICE_LITERAL("t"), .partition = 0, .topic_id = {{1, 2, 3}}, .config = LOG_CONFIG_DEFAULT};
	struct pair pair;

	pair_open(&pair);
	log_dir_fail(pair.store.dirs[1].dir, ERR_IO, "a test");
	store_check_failures(&pair.store);
	create(&pair, &creation);
	wait_for_disk(&pair.store.dirs[0]);
	pair_fail(&pair, 0);
	ck_assert_int_eq(n_created, 1);
	ck_assert_ptr_null(creation.log);
	pair_close(&pair);
}
END_TEST

/* The first order to end finds the other dir failed, which ends the next one. */
START_TEST(orders_end_when_two_dirs_fail_together)
{
	struct store_creation first = {.topic = SLICE_LITERAL("t"), .partition = 0, .topic_id = {{1, 2, 3}}, .config = LOG_CONFIG_DEFAULT};
	struct store_creation second = first;
	struct disk_job holdups[2] = {{.run = wait_at_gate}, {.run = wait_at_gate}};
	struct pair pair;

	second.partition = 1;
	pair_open(&pair);
	create(&pair, &first);
	create(&pair, &second);
	/* Names are kept; what is to be made waits in one dir each. */
	wait_for_disk(&pair.store.dirs[0]);
	wait_for_disk(&pair.store.dirs[1]);
	disk_post(&pair.store.dirs[0].disk, &holdups[0]);
	disk_post(&pair.store.dirs[1].disk, &holdups[1]);
	worker_turn(&pair.hub, 0);
	ck_assert_ptr_eq(first.dir, &pair.store.dirs[0]);
	ck_assert_ptr_eq(second.dir, &pair.store.dirs[1]);
	ck_assert_int_eq(n_created, 0);
	log_dir_fail(pair.store.dirs[1].dir, ERR_TIMEOUT, "a disk call hangs");
	pair_fail(&pair, 0);
	ck_assert_int_eq(n_created, 2);
	ck_assert_int_eq(write(gate[1], "xx", 2), 2);
	pair_close(&pair);
}
END_TEST

/* What finds a dir full is tried again (D10): in another one, if there is one. */
START_TEST(a_dir_that_had_no_room_is_chosen_last_for_a_while)
{
	struct store_creation list[3] = {{.topic = SLICE_LITERAL("t"), .partition = 0, .topic_id = {{1, 2, 3}}, .config = LOG_CONFIG_DEFAULT}};
	struct broker_config *config;
	struct worker hub;
	struct store store;
	struct error err;
	char dirs[800];

	n_loaded = n_created = 0;
	snprintf(dirs, sizeof dirs, "%s/one,%s/two", unit_temp_dir(), unit_temp_dir());
	config = load(dirs);
	ck_assert_int_eq(worker_init(&hub, "hub", 0), 0);
	ck_assert_msg(store_open(&store, config, &hub, &err) == 0, "%s", err.text);
	ck_assert_int_eq(store_set_cluster_id(&store, SLICE_LITERAL("c"), &err), 0);
	store_load(&store, on_loaded, NULL);
	turn_until(&hub, &n_loaded);
	store.dirs[0].full_ms = clock_ms();
	list[2] = list[1] = list[0];
	list[1].partition = 1;
	list[2].partition = 2;
	store_create(&store, list, 2, on_created, NULL);
	turn_until(&hub, &n_created);
	ck_assert_ptr_eq(list[0].log->dir, &store.dirs[1]);
	ck_assert_ptr_eq(list[1].log->dir, &store.dirs[1]);
	store.dirs[0].full_ms -= STORE_FULL_MS;
	n_created = 0;
	store_create(&store, &list[2], 1, on_created, NULL);
	turn_until(&hub, &n_created);
	ck_assert_ptr_eq(list[2].log->dir, &store.dirs[0]);
	store_stop_disks(&store);
	worker_drain(&hub);
	ck_assert_int_eq(store_close(&store), 0);
	worker_fini(&hub);
	broker_config_release(config);
}
END_TEST

/* ---- deletion ---- */

static struct store_log *make(struct pair *pair, int32_t partition)
{
	struct store_creation creation = {.topic = SLICE_LITERAL("t"), .partition = partition, .topic_id = {{1, 2, 3}}, .config = LOG_CONFIG_DEFAULT};

	create(pair, &creation);
	turn_until(&pair->hub, &n_created);
	ck_assert_ptr_nonnull(creation.log);
	return creation.log;
}

static int n_deleted;

static void on_deleted(void *ctx)
{
	(void)ctx;
	n_deleted++;
}

static struct store_deletion deletion_of(struct store_log *log, int32_t partition)
{
	return (struct store_deletion){.log = log, .key = {{{1, 2, 3}}, partition}, .topic = SLICE_LITERAL("t")};
}

static void delete(struct pair *pair, struct store_deletion *list, int n)
{
	n_deleted = 0;
	store_delete(&pair->store, list, n, on_deleted, NULL);
	ck_assert_int_eq(n_deleted, 0);
}

START_TEST(m2_a_partition_that_is_deleted_is_made_again_under_its_name)
{
	struct store_deletion list[3];
	struct store_log *again;
	struct pair pair;
	char path[800];

	pair_open(&pair);
	list[0] = deletion_of(make(&pair, 0), 0);
	list[1] = deletion_of(make(&pair, 1), 1);
	/* One that is named twice is deleted once. */
	list[2] = list[0];
	ck_assert_ptr_ne(list[0].log->dir, list[1].log->dir);
	delete(&pair, list, 3);
	turn_until(&pair.hub, &n_deleted);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(list[i].code, 0);
	ck_assert_ptr_null(store_find(&pair.store, SLICE_LITERAL("t"), 0));
	ck_assert_int_eq(pair.store.dirs[0].n_logs + pair.store.dirs[1].n_logs, 0);
	again = make(&pair, 0);
	snprintf(path, sizeof path, "%s/t-0", again->dir->path);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_ptr_nonnull(again->log);
	log_dir_fail(pair.store.dirs[0].dir, ERR_IO, "a test");
	pair_close(&pair);
}
END_TEST

START_TEST(a_deletion_on_a_disk_that_hangs_holds_the_hub_up_no_longer_than_its_dir)
{
	struct disk_job holdup = {.run = wait_at_gate};
	struct store_deletion hangs, again, other;
	struct store_log *entry;
	struct pair pair;

	pair_open(&pair);
	entry = make(&pair, 0);
	hangs = deletion_of(entry, 0);
	other = deletion_of(make(&pair, 1), 1);
	disk_post(&entry->dir->disk, &holdup);
	delete(&pair, &hangs, 1);
	delete(&pair, &other, 1);
	/* The hub goes on, and what lies in the other dir does not wait either. */
	turn_until(&pair.hub, &n_deleted);
	ck_assert_int_eq(other.code, 0);
	ck_assert_ptr_nonnull(entry->deletion);
	/* Who asks for it meanwhile is told the same, when it is known. */
	again = deletion_of(entry, 0);
	delete(&pair, &again, 1);
	worker_turn(&pair.hub, 0);
	ck_assert_int_eq(n_deleted, 0);
	pair_fail(&pair, (int)(entry->dir - pair.store.dirs));
	ck_assert_int_eq(n_deleted, 2);
	ck_assert_int_eq(hangs.code, ERR_IO);
	ck_assert_int_eq(again.code, ERR_IO);
	/* It lies there still, for all that is known; its log is the thread's. */
	ck_assert_ptr_eq(store_find(&pair.store, SLICE_LITERAL("t"), 0), entry);
	ck_assert_ptr_null(entry->log);
	/* Asked again, it is refused at once. */
	hangs = deletion_of(entry, 0);
	delete(&pair, &hangs, 1);
	turn_until(&pair.hub, &n_deleted);
	ck_assert_int_eq(hangs.code, ERR_IO);
	ck_assert_int_eq(write(gate[1], "x", 1), 1);
	pair_close(&pair);
}
END_TEST

UNIT_MAIN("broker/store", m2_a_partition_that_is_deleted_is_made_again_under_its_name,
	  a_deletion_on_a_disk_that_hangs_holds_the_hub_up_no_longer_than_its_dir, a_wake_that_comes_after_the_disks_have_stopped_does_nothing,
	  a_dir_whose_holder_is_about_to_be_gone_is_waited_for, partitions_are_made_while_a_disk_that_has_failed_hangs,
	  what_is_being_made_on_a_disk_that_hangs_ends_with_the_dir, another_disk_that_hangs_holds_nothing_up_once_it_has_failed,
	  what_was_made_in_a_dir_that_has_failed_since_is_nobodys, orders_end_when_two_dirs_fail_together,
	  a_dir_that_had_no_room_is_chosen_last_for_a_while)
