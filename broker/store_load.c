/*
 * Making logs: at the start those that lie in the dirs, later those of new partitions; see store.h.
 *
 *     store_load     -> a job on each disk thread: scan, load each entry                      -> hub: all entries known
 *                    -> of partitions in two dirs one is set aside, by the disk thread of its dir -> hub: on_loaded
 *     store_create   -> a dir for each new partition; what was deleted in the others is made to last, by their disk threads -> hub
 *                    -> a job on each disk thread that got one                                -> hub: done
 */
#include "broker/copies_core.h"
#include "broker/log/dir_name.h"
#include "broker/log/log_dir.h"
#include "broker/log/run_file.h"
#include "broker/replica/partition.h"
#include "broker/store.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"

#include <stdlib.h>
#include <utlist.h>

#define PROGRESS_MS 5000

static struct store_log *entry_new(struct store_dir *dir, struct slice topic, int32_t partition)
{
	struct store_log *entry = NEW(struct store_log);

	entry->key = memory_printf("%.*s-%d", SLICE_ARGS(topic), partition);
	entry->dir = dir;
	producer_table_init(&entry->producers);
	return entry;
}

static void entry_add(struct store *store, struct store_log *entry)
{
	entry->dir->n_logs++;
	HASH_ADD_KEYPTR(hh, store->logs, entry->key, (unsigned)strlen(entry->key), entry);
}

/* ---- loading, on the disk thread ---- */

static int load_entry(struct store_dir *dir, int i, struct error *err)
{
	const struct log_dir_entry *found = log_dir_entry(dir->dir, i);
	struct log_config config = LOG_CONFIG_DEFAULT;
	struct log_observer observer;
	struct store_log *entry;
	int r;

	if (found->is_future || found->is_stray)
		return 0;
	entry = entry_new(dir, slice_of_text(found->topic), found->partition);
	observer = partition_observer(&entry->producers);
	r = log_dir_load(dir->dir, i, &config, &observer, &entry->log, err);
	dir->loaded[dir->n_loaded++] = entry;
	if (r == ERR_CORRUPT) {
		trace_error("store", "%s/%s stays offline: %s", dir->path, entry->key, err->text);
		entry->log = NULL;
		return 0;
	}
	return r;
}

static int load_all(struct store_dir *dir, struct error *err)
{
	int64_t next_ms = clock_ms() + PROGRESS_MS;
	int n, r = log_dir_scan(dir->dir, err);

	if (r)
		return r;
	n = log_dir_n_entries(dir->dir);
	dir->loaded = memory_zalloc((size_t)n, sizeof(struct store_log *));
	for (int i = 0; i < n && r == 0; i++) {
		if (shared_flag_get(&dir->store->stopping))
			return ERR_CLOSED;
		r = load_entry(dir, i, err);
		if (clock_ms() >= next_ms) {
			trace_info("store", "%s: %d of %d partitions loaded", dir->path, i + 1, n);
			next_ms = clock_ms() + PROGRESS_MS;
		}
	}
	return r ? r : log_dir_load_done(dir->dir);
}

static void load_run(struct disk_job *job)
{
	struct store_dir *dir = CONTAINER_OF(job, struct store_dir, load);

	dir->load_result = load_all(dir, &dir->load_error);
	if (dir->load_result == ERR_NO_SPACE)
		error_set(&dir->load_error, ERR_NO_SPACE,
			  "loading %s, which has no room for that, also without its reserve: make room there and start the broker again", dir->path);
}

/* ---- loading, on the hub ---- */

static void entry_free(struct store_log *entry)
{
	producer_table_fini(&entry->producers);
	free(entry->key);
	free(entry);
}

/* ---- loading: a partition that lies in two log dirs ---- */

/* A folder that is not the replica. */
struct stray_copy {
	struct store_log *entry; /* not in the store */
	const struct store_dir *kept_in;
};

/* The producers' table goes: the log may not write it down any more. */
static void drop_entry(struct store_log *entry)
{
	if (entry->log)
		log_set_observer(entry->log, NULL);
	entry_free(entry);
}

static int rename_stray(const struct store_log *entry, char ret_path[FS_PATH_MAX])
{
	struct dir_name name = dir_name_parse(slice_of_text(entry->key));

	return entry->log ? log_set_aside(entry->log, ret_path) :
			    log_dir_set_aside_damaged(entry->dir->dir, name.topic, name.partition, ret_path);
}

/* When the dir of either does not work, nothing is renamed: the next start decides again. */
static void set_one_aside(struct store_dir *dir, const struct stray_copy *stray)
{
	char path[FS_PATH_MAX];
	int r;

	if (log_dir_failed(dir->dir) || log_dir_failed(stray->kept_in->dir))
		return;
	if (stray->entry->log)
		log_set_observer(stray->entry->log, NULL);
	r = rename_stray(stray->entry, path);
	if (log_dir_give_up_reserve(dir->dir, r, "setting a partition aside"))
		r = rename_stray(stray->entry, path);
	if (r) {
		log_dir_fail(dir->dir, r, "setting a partition aside");
		return;
	}
	stray->entry->log = NULL;
	trace_warn("store",
		   "%s lies in two log dirs, since one of them was away for a while: the newer folder, %s/%s, is the replica. The older one is kept as "
		   "%s, which nothing reads; it can be removed when all replicas of the partition are in sync",
		   stray->entry->key, stray->kept_in->path, stray->entry->key, path);
}

/* Nothing is said to be in use while a name that was taken away may come back. */
static void set_aside_run(struct disk_job *job)
{
	struct store_dir *dir = CONTAINER_OF(job, struct store_dir, set_aside);

	for (int i = 0; i < dir->n_strays; i++) {
		set_one_aside(dir, &dir->strays[i]);
		disk_goes_on(&dir->disk);
	}
	log_dir_keep_names(dir->dir);
}

static void drop_strays(struct store_dir *dir)
{
	for (int i = 0; i < dir->n_strays; i++)
		drop_entry(dir->strays[i].entry);
	free(dir->strays);
	dir->strays = NULL;
	dir->n_strays = 0;
}

static void loaded(struct store *store, int code, const struct error *err)
{
	for (int i = 0; i < store->n_dirs; i++)
		drop_strays(&store->dirs[i]);
	store_check_failures(store);
	store->on_loaded(store->ctx, code, err);
}

static void set_aside_done(struct disk_job *job)
{
	struct store *store = CONTAINER_OF(job, struct store_dir, set_aside)->store;
	struct error err = {0};

	if (--store->n_setting_aside == 0)
		loaded(store, 0, &err);
}

static void set_strays_aside(struct store *store)
{
	struct error err = {0};

	for (int i = 0; i < store->n_dirs; i++)
		store->n_setting_aside += store->dirs[i].n_strays > 0;
	if (store->n_setting_aside == 0)
		loaded(store, 0, &err);
	for (int i = 0; i < store->n_dirs; i++) {
		struct store_dir *dir = &store->dirs[i];

		if (dir->n_strays == 0)
			continue;
		dir->set_aside = (struct disk_job){.run = set_aside_run, .done = set_aside_done, .reply_to = store->hub};
		disk_post(&dir->disk, &dir->set_aside);
	}
}

static struct copy copy_of(const struct store_log *entry)
{
	const struct log *log = entry->log;
	struct run_use use = {.broker_epoch = -1};
	struct copy copy = {.has_use = log_dir_last_use(entry->dir->dir, &use), .has_log = log != NULL, .last_epoch = -1};

	copy.used_epoch = use.broker_epoch;
	copy.used_away = use.n_away;
	if (!log)
		return copy;
	copy.topic_id = log_topic_id(log);
	copy.start_offset = log_start_offset(log);
	copy.end_offset = log_end_offset(log);
	copy.last_epoch = log_epoch_at(log, copy.end_offset - 1);
	return copy;
}

static void make_stray(struct store_log *entry, const struct store_log *kept)
{
	struct store_dir *dir = entry->dir;

	dir->strays = memory_grow(dir->strays, (size_t)(dir->n_strays + 1) * sizeof *dir->strays);
	dir->strays[dir->n_strays++] = (struct stray_copy){entry, kept->dir};
}

static int take_entry(struct store_dir *dir, struct store_log *entry, struct error *err)
{
	struct store_log *other;
	struct copy first, second = copy_of(entry);
	enum copies_choice choice;

	HASH_FIND(hh, dir->store->logs, entry->key, (unsigned)strlen(entry->key), other);
	if (!other) {
		entry_add(dir->store, entry);
		return 0;
	}
	first = copy_of(other);
	choice = copies_choose(&first, &second);
	if (choice == COPIES_SECOND) {
		other->dir->n_logs--;
		HASH_DEL(dir->store->logs, other);
		make_stray(other, entry);
		entry_add(dir->store, entry);
	} else {
		make_stray(entry, other);
	}
	if (choice != COPIES_UNKNOWN)
		return 0;
	return error_set(err, ERR_CONFIG,
			 "partition %s lies in two log dirs, %s and %s, and nothing tells which was in use last: move the one that is not wanted away",
			 entry->key, other->dir->path, dir->path);
}

static int take_loaded(struct store_dir *dir, struct error *err)
{
	int result = 0;

	for (int i = 0; i < dir->n_loaded; i++) {
		int r = take_entry(dir, dir->loaded[i], err);

		result = result ? result : r;
	}
	free(dir->loaded);
	dir->loaded = NULL;
	dir->n_loaded = 0;
	return result;
}

/* What the load of a dir says about the start: a folder that no partition can have stops it, as in Kafka; a bad disk only takes its dir along. */
static int judge_load(struct store_dir *dir, struct error *err)
{
	if (dir->load_result == ERR_INVALID || dir->load_result == ERR_CONFIG || dir->load_result == ERR_CLOSED) {
		*err = dir->load_error;
		return dir->load_result;
	}
	if (dir->load_result)
		log_dir_fail(dir->dir, dir->load_result, dir->load_error.text);
	return 0;
}

static void all_loaded(struct store *store)
{
	struct error err = {0};
	int result = 0;

	for (int i = 0; i < store->n_dirs; i++) {
		struct error cause = {0};
		int r;

		if (!store->dirs[i].dir)
			continue;
		/* All are taken in, also when the start is at its end: what is open is to be closed. */
		r = take_loaded(&store->dirs[i], &cause);
		r = r ? r : judge_load(&store->dirs[i], &cause);
		if (r && !result)
			err = cause;
		result = result ? result : r;
	}
	if (result)
		loaded(store, result, &err);
	else
		set_strays_aside(store);
}

static void load_done(struct disk_job *job)
{
	struct store_dir *dir = CONTAINER_OF(job, struct store_dir, load);

	if (--dir->store->n_loading == 0)
		all_loaded(dir->store);
}

void store_load(struct store *store, void (*on_loaded)(void *ctx, int code, const struct error *err), void *ctx)
{
	store->on_loaded = on_loaded;
	store->ctx = ctx;
	for (int i = 0; i < store->n_dirs; i++)
		store->n_loading += store->dirs[i].dir != NULL;
	for (int i = 0; i < store->n_dirs; i++) {
		struct store_dir *dir = &store->dirs[i];

		if (!dir->dir)
			continue;
		dir->load = (struct disk_job){.run = load_run, .done = load_done, .reply_to = store->hub};
		disk_post(&dir->disk, &dir->load);
	}
}

/* ---- creation ---- */

/*
 * An order under way. In each dir something is done by one part, first to keep names, then to make; the parts of the second kind are posted when
 * those of the first are back. A part belongs to its disk thread and has copies of what it needs: when a call hangs, the dir fails, and the
 * order goes on without it.
 */
struct creation_batch {
	struct message message; /* when no dir is left */
	struct store *store;
	struct store_creation *list;
	int n;
	struct creation_part **parts; /* by dir; NULL: none is out */
	int n_out;
	bool makes;
	void (*done)(void *ctx);
	void *ctx;
	struct creation_batch *next, *prev;
};

struct creation_item {
	struct store_creation creation;
	char *topic;
	struct store_creation *original; /* the hub's, while somebody waits */
};

struct creation_part {
	struct disk_job job;
	struct creation_batch *batch; /* the hub's; NULL: nobody waits any more */
	struct store_dir *dir;
	struct creation_item *items;
	int n;
};

static void create_one(struct store_creation *creation)
{
	struct store_log *entry = entry_new(creation->dir, creation->topic, creation->partition);
	struct log_observer observer = partition_observer(&entry->producers);
	struct error err = {0};

	creation->code = log_create(creation->dir->dir, creation->topic, creation->partition, &creation->topic_id, &creation->config,
				    &observer, &entry->log, &err);
	if (creation->code) {
		trace_limited(TRACE_ERROR, "store", "%s/%s cannot be made: %s", creation->dir->path, entry->key, err.text);
		entry_free(entry);
		return;
	}
	creation->log = entry;
}

static void make_run(struct disk_job *job)
{
	struct creation_part *part = CONTAINER_OF(job, struct creation_part, job);

	for (int i = 0; i < part->n; i++) {
		create_one(&part->items[i].creation);
		disk_goes_on(&part->dir->disk);
	}
}

static void keep_run(struct disk_job *job)
{
	log_dir_keep_names(CONTAINER_OF(job, struct creation_part, job)->dir->dir);
}

static void batch_done(struct creation_batch *batch)
{
	struct store *store = batch->store;

	DL_DELETE(store->creations, batch);
	store_check_failures(store);
	batch->done(batch->ctx);
	free(batch->parts);
	free(batch);
}

static void on_nothing_to_do(struct message *message)
{
	batch_done(CONTAINER_OF(message, struct creation_batch, message));
}

/* A disk that has failed may never come back (D10): nobody waits for it. */
static bool takes_part(const struct store_dir *dir)
{
	return dir->started && dir->dir && !log_dir_failed(dir->dir);
}

static void on_part(struct disk_job *job);

static struct creation_part *part_new(struct creation_batch *batch, struct store_dir *dir, void (*run)(struct disk_job *job))
{
	struct creation_part *part = NEW(struct creation_part);

	part->batch = batch;
	part->dir = dir;
	part->job = (struct disk_job){.run = run, .done = on_part, .reply_to = batch->store->hub};
	return part;
}

static void part_post(struct creation_part *part)
{
	struct creation_batch *batch = part->batch;

	batch->parts[part->dir - batch->store->dirs] = part;
	batch->n_out++;
	disk_post(&part->dir->disk, &part->job);
}

static void add_item(struct creation_part *part, struct store_creation *creation)
{
	struct creation_item *item = &part->items[part->n++];

	*item = (struct creation_item){.creation = *creation, .original = creation};
	item->topic = memory_printf("%.*s", SLICE_ARGS(creation->topic));
	item->creation.topic = slice_of_text(item->topic);
}

/* One job for all that is to be made in a dir. */
static void post_making(struct creation_batch *batch, struct store_dir *dir)
{
	struct creation_part *part;
	int n = 0;

	for (int i = 0; i < batch->n; i++)
		n += batch->list[i].dir == dir;
	if (n == 0 || !takes_part(dir))
		return;
	store_note_use(dir);
	part = part_new(batch, dir, make_run);
	part->items = memory_zalloc((size_t)n, sizeof *part->items);
	for (int i = 0; i < batch->n; i++)
		if (batch->list[i].dir == dir)
			add_item(part, &batch->list[i]);
	part_post(part);
}

static void begin_making(struct creation_batch *batch)
{
	batch->makes = true;
	for (int i = 0; i < batch->store->n_dirs; i++)
		post_making(batch, &batch->store->dirs[i]);
	/* Never from inside store_create. */
	batch->message.run = on_nothing_to_do;
	if (batch->n_out == 0)
		worker_post(batch->store->hub, &batch->message);
}

static void part_ended(struct creation_batch *batch, const struct store_dir *dir)
{
	batch->parts[dir - batch->store->dirs] = NULL;
	if (--batch->n_out > 0)
		return;
	if (batch->makes)
		batch_done(batch);
	else
		begin_making(batch);
}

static void take_item(struct creation_part *part, struct creation_item *item)
{
	item->original->code = item->creation.code;
	item->original->log = item->creation.log;
	if (item->creation.code == ERR_NO_SPACE)
		part->dir->full_ms = clock_ms();
	if (item->creation.log)
		entry_add(part->dir->store, item->creation.log);
}

/* It was made, but the dir has failed since and nobody knows of it: it is its dir's to close. */
static void drop_item(struct creation_item *item)
{
	if (item->creation.log)
		drop_entry(item->creation.log);
}

static void on_part(struct disk_job *job)
{
	struct creation_part *part = CONTAINER_OF(job, struct creation_part, job);

	for (int i = 0; i < part->n; i++) {
		/* Counted already when the dir was chosen. */
		part->dir->n_logs--;
		if (part->batch)
			take_item(part, &part->items[i]);
		else
			drop_item(&part->items[i]);
		free(part->items[i].topic);
	}
	if (part->batch)
		part_ended(part->batch, part->dir);
	free(part->items);
	free(part);
}

static struct creation_part *part_in(const struct store_dir *dir)
{
	struct creation_batch *batch;
	long index = dir - dir->store->dirs;

	DL_FOREACH(dir->store->creations, batch)
		if (batch->parts[index])
			return batch->parts[index];
	return NULL;
}

void store_fail_creations(struct store_dir *dir)
{
	struct creation_part *part;

	/* From the first on each time: an order that ends may find another dir failed, which ends others. */
	while ((part = part_in(dir)) != NULL) {
		struct creation_batch *batch = part->batch;

		part->batch = NULL;
		part_ended(batch, dir);
	}
}

static bool was_full(const struct store_dir *dir, int64_t now_ms)
{
	return dir->full_ms != 0 && now_ms - dir->full_ms < STORE_FULL_MS;
}

static bool is_better(const struct store_dir *dir, const struct store_dir *than, int64_t now_ms)
{
	if (was_full(dir, now_ms) != was_full(than, now_ms))
		return !was_full(dir, now_ms);
	return dir->n_logs < than->n_logs;
}

/* The dir with the fewest logs, as far as there is room; NULL when none is left. */
static struct store_dir *choose_dir(struct store *store)
{
	int64_t now_ms = clock_ms();
	struct store_dir *best = NULL;

	for (int i = 0; i < store->n_dirs; i++) {
		struct store_dir *dir = &store->dirs[i];

		if (dir->dir && !log_dir_failed(dir->dir) && (!best || is_better(dir, best, now_ms)))
			best = dir;
	}
	return best;
}

/*
 * A partition of the same name may just have been deleted in another dir. That has to last before this one is made: names of two dirs come back
 * from a loss of power in no order, and a partition that lies in both would stop the start.
 */
static bool is_made_elsewhere(const struct creation_batch *batch, const struct store_dir *dir)
{
	for (int i = 0; i < batch->n; i++)
		if (batch->list[i].dir && batch->list[i].dir != dir)
			return true;
	return false;
}

void store_create(struct store *store, struct store_creation *list, int n, void (*done)(void *ctx), void *ctx)
{
	struct creation_batch *batch = NEW(struct creation_batch);

	*batch = (struct creation_batch){.store = store, .list = list, .n = n, .done = done, .ctx = ctx};
	batch->parts = memory_zalloc((size_t)store->n_dirs, sizeof(struct creation_part *));
	for (int i = 0; i < n; i++) {
		list[i].log = NULL;
		list[i].code = ERR_IO;
		list[i].dir = choose_dir(store);
		if (list[i].dir)
			list[i].dir->n_logs++;
	}
	DL_APPEND(store->creations, batch);
	for (int i = 0; i < store->n_dirs; i++)
		if (takes_part(&store->dirs[i]) && is_made_elsewhere(batch, &store->dirs[i]))
			part_post(part_new(batch, &store->dirs[i], keep_run));
	if (batch->n_out == 0)
		begin_making(batch);
}
