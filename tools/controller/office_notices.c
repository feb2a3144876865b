/* Notifications; see office_notices.h. */
#include "tools/controller/office_notices.h"

#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"
#include "tools/controller/office_line.h"
#include "tools/controller/office_read.h"
#include "tools/controller/office_write.h"
#include "zk/json_config.h"
#include "zk/json_notification.h"
#include "zk/path.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define AREA "controller"
#define KEEP_MS (15 * 60 * 1000)

enum kind { CONFIG_CHANGES, LOG_DIR_EVENTS, ISR_CHANGES, KINDS };

static const char *const parents[KINDS] = {ZK_PATH_CONFIG_CHANGES, ZK_PATH_LOG_DIR_EVENTS, ZK_PATH_ISR_CHANGES};

/* A notification that was listed. */
struct notice {
	UT_hash_handle hh;
	int64_t made_ms; /* 0: not read yet */
	bool listed;
	char name[];
};

struct folder {
	struct zk_watch watch;
	struct office_notices *notices;
	enum kind kind;
	struct notice *seen;
	bool begun; /* the first list was taken */
};

struct office_notices {
	struct office *office; /* NULL: freed by its owner, answers are still to come */
	struct folder folders[KINDS];
	int n_asked;
	bool asked_cluster_id;
};

/* One node being read. */
struct ask {
	struct folder *folder;
	bool news; /* it was not there when the office began */
	char path[];
};

static void release(struct office_notices *notices)
{
	if (--notices->n_asked > 0 || notices->office)
		return;
	free(notices);
}

/* ---- what a notification says ---- */

static void on_config_change(struct office *office, struct arena *arena, const char *path, struct slice data)
{
	struct zk_config_target target;
	struct error err;

	if (config_change_decode(arena, path, data, &target, &err) != 0)
		trace_limited(TRACE_WARN, AREA, "%s", err.text);
	else if (target.kind == ZK_CONFIG_TOPIC)
		office_read_news(office->read, CTL_READ_TOPIC_CONFIG, target.topic);
	else if (target.kind == ZK_CONFIG_BROKER)
		office_read_news(office->read, CTL_READ_BROKER_CONFIGS, SLICE_NULL);
}

static void on_log_dir_event(struct office *office, struct arena *arena, const char *path, struct slice data)
{
	struct ctl_event event = {.kind = CTL_LOG_DIR_FAILED};
	struct error err;

	if (log_dir_event_decode(arena, path, data, &event.broker, &err) != 0)
		trace_limited(TRACE_WARN, AREA, "%s", err.text);
	else
		office_tell(office, &event);
}

static void on_isr_change(struct office *office, struct arena *arena, const char *path, struct slice data)
{
	struct topic_partition_list list;
	struct error err;

	if (partition_list_decode(arena, path, data, &list, &err) != 0) {
		trace_limited(TRACE_WARN, AREA, "%s", err.text);
		return;
	}
	for (int32_t i = 0; i < list.n_items; i++) {
		struct ctl_event event = {.kind = CTL_STATES_CHANGED, .topic = list.items[i].topic};

		if (i == 0 || !slice_equal(list.items[i].topic, list.items[i - 1].topic))
			office_tell(office, &event);
	}
}

static void take(struct ask *ask, const struct zk_result *result)
{
	struct office *office = ask->folder->notices->office;
	struct arena arena;

	arena_init(&arena);
	if (ask->news && ask->folder->kind == CONFIG_CHANGES)
		on_config_change(office, &arena, ask->path, result->data);
	else if (ask->news && ask->folder->kind == LOG_DIR_EVENTS)
		on_log_dir_event(office, &arena, ask->path, result->data);
	else if (ask->news)
		on_isr_change(office, &arena, ask->path, result->data);
	arena_fini(&arena);
}

/* ---- reading ---- */

static struct notice *find(struct folder *folder, const char *name)
{
	struct notice *notice;

	HASH_FIND(hh, folder->seen, name, strlen(name), notice);
	return notice;
}

static void on_node(void *ctx, const struct zk_result *result)
{
	struct ask *ask = ctx;
	struct office_notices *notices = ask->folder->notices;

	if (notices->office && result->code == 0) {
		struct notice *notice = find(ask->folder, strrchr(ask->path, '/') + 1);

		if (notice)
			notice->made_ms = result->stat.ctime_ms;
		take(ask, result);
	}
	if (notices->office && ask->folder->kind != CONFIG_CHANGES) {
		office_write_delete(notices->office->write, ask->path);
		office_write_flush(notices->office->write);
	}
	free(ask);
	release(notices);
}

static void ask_node(struct folder *folder, const char *name, bool news)
{
	size_t len = strlen(parents[folder->kind]) + 1 + strlen(name) + 1;
	struct ask *ask = memory_zalloc(1, sizeof *ask + len);

	ask->folder = folder;
	ask->news = news;
	snprintf(ask->path, len, "%s/%s", parents[folder->kind], name);
	folder->notices->n_asked++;
	zk_get(folder->notices->office->setup.zk, ask->path, NULL, on_node, ask);
}

static void add(struct folder *folder, const char *name)
{
	size_t len = strlen(name);
	struct notice *notice = memory_zalloc(1, sizeof *notice + len + 1);

	memcpy(notice->name, name, len + 1);
	notice->listed = true;
	HASH_ADD(hh, folder->seen, name, len, notice);
}

/* Forgets what is no longer there and removes what is too old. */
static void sweep(struct folder *folder)
{
	struct office *office = folder->notices->office;
	int64_t oldest_ms = clock_wall_ms() - KEEP_MS;
	struct notice *notice;
	struct notice *next;

	HASH_ITER(hh, folder->seen, notice, next) {
		if (notice->listed && folder->kind == CONFIG_CHANGES && notice->made_ms != 0 && notice->made_ms < oldest_ms) {
			struct arena arena;

			arena_init(&arena);
			office_write_delete(office->write, zk_path_child(&arena, ZK_PATH_CONFIG_CHANGES, notice->name));
			arena_fini(&arena);
		}
		if (!notice->listed) {
			HASH_DEL(folder->seen, notice);
			free(notice);
			continue;
		}
		notice->listed = false;
	}
	office_write_flush(office->write);
}

static void on_list(void *ctx, const struct zk_result *result)
{
	struct folder *folder = ctx;
	struct office_notices *notices = folder->notices;

	if (notices->office && result->code == 0) {
		for (int i = 0; i < result->n_children; i++) {
			struct notice *notice = find(folder, result->children[i]);

			if (notice) {
				notice->listed = true;
				continue;
			}
			add(folder, result->children[i]);
			ask_node(folder, result->children[i], folder->begun);
		}
		sweep(folder);
		folder->begun = true;
	}
	release(notices);
}

static void list(struct folder *folder)
{
	folder->notices->n_asked++;
	zk_children(folder->notices->office->setup.zk, parents[folder->kind], &folder->watch, on_list, folder);
}

static void on_fired(struct zk_watch *watch, enum zk_event event)
{
	(void)event;
	list(CONTAINER_OF(watch, struct folder, watch));
}

/* ---- the cluster's id ---- */

static void on_cluster_id(void *ctx, const struct zk_result *result)
{
	struct office_notices *notices = ctx;

	notices->asked_cluster_id = false;
	if (notices->office && result->code == 0)
		office_line_on_cluster_id(notices->office, result->data);
	else if (notices->office && result->code == ERR_NOT_FOUND)
		trace_error(AREA, "a broker is registered but there is no /cluster/id");
	release(notices);
}

void office_notices_read_cluster_id(struct office_notices *notices)
{
	if (notices->asked_cluster_id)
		return;
	notices->asked_cluster_id = true;
	notices->n_asked++;
	zk_get(notices->office->setup.zk, ZK_PATH_CLUSTER_ID, NULL, on_cluster_id, notices);
}

/* ---- life ---- */

void office_notices_reread(struct office_notices *notices)
{
	for (int i = 0; i < KINDS; i++)
		list(&notices->folders[i]);
}

struct office_notices *office_notices_new(struct office *office)
{
	struct office_notices *notices = NEW(struct office_notices);

	notices->office = office;
	notices->n_asked = 1;
	for (int i = 0; i < KINDS; i++) {
		notices->folders[i].notices = notices;
		notices->folders[i].kind = (enum kind)i;
		notices->folders[i].watch.fired = on_fired;
	}
	office_notices_reread(notices);
	return notices;
}

void office_notices_free(struct office_notices *notices)
{
	for (int i = 0; i < KINDS; i++) {
		struct folder *folder = &notices->folders[i];
		struct notice *notice;
		struct notice *next;

		zk_watch_cancel(&folder->watch);
		HASH_ITER(hh, folder->seen, notice, next) {
			HASH_DEL(folder->seen, notice);
			free(notice);
		}
	}
	notices->office = NULL;
	release(notices);
}
