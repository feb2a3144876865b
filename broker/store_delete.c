/*
 * Deleting logs that no shard has; see store.h.
 *
 *     store_delete   -> a job on the disk thread of each dir that holds one of them: their folders get other names    -> hub: done
 *
 * The thread owns the logs meanwhile: a call that hangs keeps what it works on, also when the dir has failed and all who waited have been told.
 * An entry that is asked for again meanwhile is deleted once; who asked later is told the same.
 */
#include "broker/log/log_dir.h"
#include "broker/store.h"
#include "common/check.h"
#include "common/memory.h"

#include <stdlib.h>
#include <utlist.h>

/* One call of store_delete. */
struct deletion_batch {
	int n_open; /* of the list */
	void (*done)(void *ctx);
	void *ctx;
};

struct deletion_item {
	struct store_log *entry; /* the hub's, while the part is the store's */
	struct partition_key key;
	char *topic;
	struct log *log; /* NULL: a damaged one, of which there is only the folder */
	int code;
};

/* What one call deletes in one dir. It has copies of what it needs, and the logs; the entries stay in the store. */
struct deletion_part {
	struct disk_job job;
	struct message refused; /* the dir does not work */
	struct store_dir *dir;
	struct deletion_item *items;
	int n;
	bool given_up;
	struct deletion_part *next, *prev; /* of the store, unless given up */
};

/* ---- on the disk thread ---- */

static int delete_one(struct log_dir *dir, const struct deletion_item *item)
{
	if (log_dir_failed(dir))
		return ERR_IO;
	return item->log ? log_delete(item->log) : log_dir_erase_damaged(dir, slice_of_text(item->topic), item->key.index, &item->key.topic_id);
}

static void delete_run(struct disk_job *job)
{
	struct deletion_part *part = CONTAINER_OF(job, struct deletion_part, job);

	for (int i = 0; i < part->n; i++) {
		part->items[i].code = delete_one(part->dir->dir, &part->items[i]);
		disk_goes_on(&part->dir->disk);
	}
}

/* ---- on the hub ---- */

static void one_ended(struct deletion_batch *batch)
{
	if (--batch->n_open > 0)
		return;
	batch->done(batch->ctx);
	free(batch);
}

/* Tells all who have asked for the entry, which is gone when it went well. */
static void tell(struct store_log *entry, int code)
{
	struct store_deletion *first = entry->deletion, *next;

	entry->deletion = NULL;
	if (code == 0)
		store_forget(entry->dir->store, entry);
	for (struct store_deletion *deletion = first; deletion; deletion = next) {
		next = deletion->next;
		deletion->code = code;
		one_ended(deletion->batch);
	}
}

static void part_free(struct deletion_part *part)
{
	for (int i = 0; i < part->n; i++)
		free(part->items[i].topic);
	free(part->items);
	free(part);
}

/* What was given up is its dir's to close, as far as it is there. */
static void part_ended(struct deletion_part *part)
{
	struct store *store = part->dir->store;

	if (!part->given_up)
		DL_DELETE(store->deletions, part);
	for (int i = 0; i < part->n && !part->given_up; i++) {
		if (part->items[i].code)
			part->items[i].entry->log = part->items[i].log;
		tell(part->items[i].entry, part->items[i].code);
	}
	part_free(part);
	store_check_failures(store);
}

static void on_part(struct disk_job *job)
{
	part_ended(CONTAINER_OF(job, struct deletion_part, job));
}

static void on_refused(struct message *message)
{
	part_ended(CONTAINER_OF(message, struct deletion_part, refused));
}

static void add_item(struct deletion_part *part, const struct store_deletion *deletion)
{
	struct store_log *entry = deletion->log;

	part->items[part->n++] = (struct deletion_item){
		.entry = entry,
		.key = deletion->key,
		.topic = memory_printf("%.*s", SLICE_ARGS(deletion->topic)),
		.log = entry->log,
		.code = ERR_IO,
	};
	entry->log = NULL;
}

/* The first that asks for the entry. */
static bool is_first_in(const struct store_deletion *deletion, const struct store_dir *dir)
{
	return deletion->log->dir == dir && deletion->log->deletion == deletion;
}

static void post_part(struct store_dir *dir, const struct store_deletion *list, int n)
{
	struct deletion_part *part;
	int n_items = 0;

	for (int i = 0; i < n; i++)
		n_items += is_first_in(&list[i], dir);
	if (n_items == 0)
		return;
	part = NEW(struct deletion_part);
	part->dir = dir;
	part->items = memory_zalloc((size_t)n_items, sizeof *part->items);
	for (int i = 0; i < n; i++)
		if (is_first_in(&list[i], dir))
			add_item(part, &list[i]);
	DL_APPEND(dir->store->deletions, part);
	part->job = (struct disk_job){.run = delete_run, .done = on_part, .reply_to = dir->store->hub};
	part->refused.run = on_refused;
	if (dir->started && !log_dir_failed(dir->dir))
		disk_post(&dir->disk, &part->job);
	else
		worker_post(dir->store->hub, &part->refused);
}

void store_delete(struct store *store, struct store_deletion *list, int n, void (*done)(void *ctx), void *ctx)
{
	struct deletion_batch *batch = NEW(struct deletion_batch);

	CHECK(n > 0);
	*batch = (struct deletion_batch){.n_open = n, .done = done, .ctx = ctx};
	for (int i = 0; i < n; i++) {
		CHECK(!list[i].log->claimed);
		list[i].batch = batch;
		list[i].next = NULL;
		LL_APPEND(list[i].log->deletion, &list[i]);
	}
	for (int i = 0; i < store->n_dirs; i++)
		post_part(&store->dirs[i], list, n);
}

static struct deletion_part *part_in(const struct store_dir *dir)
{
	struct deletion_part *part;

	DL_FOREACH(dir->store->deletions, part)
		if (part->dir == dir)
			return part;
	return NULL;
}

void store_fail_deletions(struct store_dir *dir)
{
	struct deletion_part *part;

	/* From the first on each time: an order that ends may find another dir failed, which ends others. */
	while ((part = part_in(dir)) != NULL) {
		DL_DELETE(dir->store->deletions, part);
		part->given_up = true;
		for (int i = 0; i < part->n; i++)
			tell(part->items[i].entry, ERR_IO);
	}
}
