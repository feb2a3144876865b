/* store: a partition whose folders lie in two log dirs, since it was made anew while one of them was away. */
#include "test/lib/unit.h"

#include "broker/log/log.h"
#include "broker/log/log_dir.h"
#include "broker/meta/broker_config.h"
#include "broker/store.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/properties.h"
#include "proto/record/batch_builder.h"
#include "test/unit/broker/log/log_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATH_ROOM (FS_PATH_MAX + 100)

static struct {
	char one[PATH_ROOM], two[PATH_ROOM];
	struct broker_config *config;
	struct worker hub;
	struct store store;
	int64_t broker_epoch;
	int n_told, code;
	struct error err;
} node;

static void on_loaded(void *ctx, int code, const struct error *err)
{
	(void)ctx;
	node.n_told++;
	node.code = code;
	node.err = *err;
}

static void on_created(void *ctx)
{
	(void)ctx;
	node.n_told++;
}

static void turn_until_told(void)
{
	int64_t until = clock_ms() + 10000;

	while (node.n_told == 0 && clock_ms() < until)
		worker_turn(&node.hub, 10);
	ck_assert_int_eq(node.n_told, 1);
	node.n_told = 0;
}

static void set_dirs(const char *one, const char *two)
{
	snprintf(node.one, sizeof node.one, "%s/%s", unit_temp_dir(), one);
	snprintf(node.two, sizeof node.two, "%s/%s", unit_temp_dir(), two);
	node.broker_epoch = 0;
}

/* The code of the start. */
static int start(void)
{
	char text[3000];
	struct properties properties;

	snprintf(text, sizeof text, "broker.id=1\nzookeeper.connect=localhost:1\nlog.dirs=%s,%s\n", node.one, node.two);
	properties_init(&properties);
	ck_assert_int_eq(properties_parse(&properties, slice_of_text(text), "test", &node.err), 0);
	ck_assert_msg(broker_config_load(&properties, NULL, &node.config, &node.err) == 0, "%s", node.err.text);
	properties_fini(&properties);
	ck_assert_int_eq(worker_init(&node.hub, "hub", 0), 0);
	ck_assert_msg(store_open(&node.store, node.config, &node.hub, &node.err) == 0, "%s", node.err.text);
	ck_assert_int_eq(store_set_cluster_id(&node.store, SLICE_LITERAL("c"), &node.err), 0);
	store_load(&node.store, on_loaded, NULL);
	turn_until_told();
	return node.code;
}

/* Registered, and the controller has taken that in. */
static void settle(void)
{
	node.broker_epoch++;
	ck_assert_int_eq(store_set_broker_epoch(&node.store, node.broker_epoch, 1), 0);
	ck_assert_int_eq(store_settle(&node.store), 0);
}

static void stop(void)
{
	store_stop_disks(&node.store);
	worker_drain(&node.hub);
	(void)store_close(&node.store);
	worker_fini(&node.hub);
	broker_config_release(node.config);
}

/* The dir is not there at the next start, or is again. */
static void take_away(const char *path)
{
	char away[PATH_ROOM + 10];
	FILE *file;

	snprintf(away, sizeof away, "%s.away", path);
	ck_assert_int_eq(rename(path, away), 0);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fclose(file);
}

static void bring_back(const char *path)
{
	char away[PATH_ROOM + 10];

	snprintf(away, sizeof away, "%s.away", path);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rename(away, path), 0);
}

/* Makes t-0 of topic id `topic` with n records of an epoch. */
static void make(uint8_t topic, int32_t epoch, int n)
{
	struct store_creation creation = {.topic = SLICE_LITERAL("t"), .topic_id = {{topic}}, .config = LOG_CONFIG_DEFAULT};
	struct log_append_info info = {.now_ms = 1000};

	store_create(&node.store, &creation, 1, on_created, NULL);
	turn_until_told();
	ck_assert_ptr_nonnull(creation.log);
	for (int i = 0; i < n; i++) {
		struct buf *batch = fixture_batch(i, epoch, 1, 1000, 10);

		ck_assert_int_eq(log_append(creation.log->log, batch->data, batch->len, &info), 0);
		buf_release(batch);
	}
}

static struct store_log *find(void)
{
	return store_find(&node.store, SLICE_LITERAL("t"), 0);
}

/* Folders of t-0 in a dir that are set aside. */
static int n_strays(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)) != NULL)
		n += strncmp(entry->d_name, "t-0.", 4) == 0 && strstr(entry->d_name, "-stray") != NULL;
	closedir(dir);
	return n;
}

static void expect_only_in(const struct store_dir *dir, int64_t end)
{
	struct store_log *found = find();

	ck_assert_ptr_nonnull(found);
	ck_assert_ptr_eq(found->dir, dir);
	ck_assert_ptr_nonnull(found->log);
	ck_assert_int_eq(log_end_offset(found->log), end);
	ck_assert_int_eq(node.store.dirs[0].n_logs + node.store.dirs[1].n_logs, 1);
}

/* t-0 with five records of epoch 7 in one, made anew in two with three of epoch 6 while one was away; both are there again. */
static void make_two_copies(uint8_t first_topic, uint8_t second_topic)
{
	ck_assert_int_eq(start(), 0);
	settle();
	make(first_topic, 7, 5);
	ck_assert_ptr_eq(find()->dir, &node.store.dirs[0]);
	stop();
	take_away(node.one);
	ck_assert_int_eq(start(), 0);
	settle();
	ck_assert_ptr_null(find());
	make(second_topic, 6, 3);
	stop();
	bring_back(node.one);
}

START_TEST(the_one_that_was_in_use_last_is_kept_and_the_other_set_aside)
{
	set_dirs("one", "two");
	make_two_copies(1, 1);
	ck_assert_int_eq(start(), 0);
	expect_only_in(&node.store.dirs[1], 3);
	ck_assert_int_eq(n_strays(node.one), 1);
	ck_assert_int_eq(n_strays(node.two), 0);
	settle();
	stop();
	/* That lasts, and what was set aside is no replica when the other is away. */
	ck_assert_int_eq(start(), 0);
	expect_only_in(&node.store.dirs[1], 3);
	stop();
	take_away(node.two);
	ck_assert_int_eq(start(), 0);
	ck_assert_ptr_null(find());
	ck_assert(!store_is_whole(&node.store));
	/* It is made anew once more: then that one is the newest. */
	settle();
	make(1, 8, 1);
	stop();
	bring_back(node.two);
	ck_assert_int_eq(start(), 0);
	expect_only_in(&node.store.dirs[0], 1);
	ck_assert_int_eq(n_strays(node.one), 1);
	ck_assert_int_eq(n_strays(node.two), 1);
	stop();
}
END_TEST

START_TEST(one_of_another_topic_is_judged_by_the_same_rule)
{
	set_dirs("one", "two");
	make_two_copies(1, 2);
	ck_assert_int_eq(start(), 0);
	expect_only_in(&node.store.dirs[1], 3);
	ck_assert_int_eq(n_strays(node.one), 1);
	stop();
}
END_TEST

START_TEST(a_damaged_one_is_set_aside_too)
{
	char path[PATH_ROOM + 100];

	set_dirs("one", "two");
	make_two_copies(1, 1);
	/* It ends in the middle of a batch, though the stop was clean. */
	snprintf(path, sizeof path, "%s/t-0/%020d.log", node.one, 0);
	ck_assert_int_eq(truncate(path, 10), 0);
	ck_assert_int_eq(start(), 0);
	expect_only_in(&node.store.dirs[1], 3);
	ck_assert_int_eq(n_strays(node.one), 1);
	stop();
}
END_TEST

/* Without klamm.run nobody knows when the dirs were in use. */
static void forget_use(const char *dir)
{
	char path[PATH_ROOM + 100];

	snprintf(path, sizeof path, "%s/klamm.run", dir);
	ck_assert_int_eq(unlink(path), 0);
}

START_TEST(the_greater_log_is_kept_where_nothing_tells_which_was_in_use_last)
{
	set_dirs("one", "two");
	make_two_copies(1, 1);
	forget_use(node.one);
	ck_assert_int_eq(start(), 0);
	expect_only_in(&node.store.dirs[0], 5);
	ck_assert_int_eq(n_strays(node.two), 1);
	stop();
}
END_TEST

START_TEST(the_operator_is_asked_where_logs_of_two_topics_cannot_be_compared)
{
	set_dirs("one", "two");
	make_two_copies(1, 2);
	forget_use(node.two);
	ck_assert_int_eq(start(), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(node.err.text, "t-0 lies in two log dirs"));
	ck_assert_int_eq(n_strays(node.one) + n_strays(node.two), 0);
	stop();
}
END_TEST

/* So long a path that the name of a stray folder is too long for it, but no other. */
static const char *long_name(void)
{
	static char name[FS_PATH_MAX];
	size_t want = FS_PATH_MAX - 1 - 40 - strlen(unit_temp_dir()) - 1;

	memset(name, 'x', want);
	name[want] = 0;
	for (size_t i = 200; i < want - 1; i += 200)
		name[i] = '/';
	return name;
}

START_TEST(when_it_cannot_be_set_aside_its_dir_goes_offline_and_the_kept_one_serves)
{
	set_dirs(long_name(), "two");
	make_two_copies(1, 1);
	ck_assert_int_eq(start(), 0);
	ck_assert(log_dir_failed(node.store.dirs[0].dir));
	expect_only_in(&node.store.dirs[1], 3);
	settle();
	stop();
	/* Its dir was not in use meanwhile: the next start tries again, and takes the same. */
	ck_assert_int_eq(start(), 0);
	expect_only_in(&node.store.dirs[1], 3);
	stop();
}
END_TEST

UNIT_MAIN("broker/store_copies", the_one_that_was_in_use_last_is_kept_and_the_other_set_aside, one_of_another_topic_is_judged_by_the_same_rule,
	  a_damaged_one_is_set_aside_too, the_greater_log_is_kept_where_nothing_tells_which_was_in_use_last,
	  the_operator_is_asked_where_logs_of_two_topics_cannot_be_compared,
	  when_it_cannot_be_set_aside_its_dir_goes_offline_and_the_kept_one_serves)
