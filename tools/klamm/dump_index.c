/*
 * Dumps of indexes, compared with the log file of the same name; see dump.h and the formats in
 * broker/log/{offset,time,txn}_index.h.
 *
 * An active index has zeros behind its entries (Kafka maps it whole): the first such entry ends it.
 */
#include "broker/log/txn_index.h"
#include "common/bytes.h"
#include "common/error.h"
#include "common/fs.h"
#include "tools/klamm/dump.h"

#include <stdlib.h>
#include <string.h>

#define OFFSET_ENTRY_BYTES 8
#define TIME_ENTRY_BYTES 12
#define INDEX_BYTES_MAX (1u << 31)

/* The bytes of an index and its log. */
struct index_dump {
	struct dump *dump;
	const char *path;
	int64_t base;
	char *data;
	size_t len;
	int n_entries; /* without the zeros at the end */
	bool has_log;
	struct batch_walk walk;
};

static bool is_zero(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i])
			return false;
	return true;
}

static void log_open(struct index_dump *index)
{
	size_t stem = strlen(index->path) - strlen(strrchr(index->path, '.'));
	char path[FS_PATH_MAX];

	snprintf(path, sizeof path, "%.*s.log", (int)stem, index->path);
	index->has_log = batch_walk_open(&index->walk, path);
	if (!index->has_log)
		dump_problem(index->dump, "%s: its log %s is missing\n", index->path, path);
	else
		batch_walk_seek(&index->walk, 0);
}

static bool index_open(struct index_dump *index, struct dump *dump, const char *path, size_t entry_bytes)
{
	int r;

	*index = (struct index_dump){.dump = dump, .path = path, .base = dump_base_offset(path)};
	r = fs_read_file(fs_real(), path, INDEX_BYTES_MAX, &index->data, &index->len);
	if (r != 0) {
		dump_problem(dump, "%s: %s\n", path, error_text(r));
		return false;
	}
	if (index->len % entry_bytes != 0)
		dump_problem(dump, "%s: its %zu bytes are no whole number of entries of %zu bytes\n", path, index->len,
			     entry_bytes);
	index->n_entries = (int)(index->len / entry_bytes);
	while (index->n_entries > 0 && is_zero(index->data + (size_t)(index->n_entries - 1) * entry_bytes, entry_bytes))
		index->n_entries--;
	if (!dump->json && (index->len == 0 || (index->n_entries == 0 && !dump->sanity_only)))
		fprintf(dump->out, "%s is empty.\n", path);
	log_open(index);
	return true;
}

static void index_close(struct index_dump *index)
{
	if (index->has_log)
		batch_walk_close(&index->walk);
	free(index->data);
}

/* What a broker looks at when it starts. */
static void sanity_print(struct index_dump *index, bool is_sane)
{
	if (!is_sane)
		dump_problem(index->dump, "%s: its last entry lies before its first one or before its base offset\n",
			     index->path);
	else if (!index->dump->json && index->len > 0)
		fprintf(index->dump->out, "%s passed sanity check.\n", index->path);
}

/* ---- <base>.index ---- */

static const char *offset_entry(const struct index_dump *index, int i, int64_t *ret_offset, int32_t *ret_pos)
{
	const char *at = index->data + (size_t)i * OFFSET_ENTRY_BYTES;

	*ret_offset = index->base + bytes_get_i32(at);
	*ret_pos = bytes_get_i32(at + 4);
	return at;
}

static void offset_entry_check(struct index_dump *index, int64_t offset, int32_t pos)
{
	int64_t found = -1;

	if (!index->has_log)
		return;
	if (batch_walk_seek(&index->walk, pos))
		found = batch_last_offset(&index->walk.header);
	if (found != offset)
		dump_problem(index->dump, "Mismatches in :%s\n  Index offset: %lld, log offset: %lld\n", index->path,
			     (long long)offset, (long long)found);
}

void dump_offset_index(struct dump *dump, const char *path)
{
	struct index_dump index;
	int64_t offset, last = 0;
	int32_t pos;

	if (!index_open(&index, dump, path, OFFSET_ENTRY_BYTES))
		return;
	if (index.n_entries)
		offset_entry(&index, index.n_entries - 1, &last, &pos);
	if (dump->sanity_only)
		sanity_print(&index, index.n_entries == 0 || last >= index.base);
	for (int i = 0; i < index.n_entries && !dump->sanity_only; i++) {
		offset_entry(&index, i, &offset, &pos);
		offset_entry_check(&index, offset, pos);
		if (dump->verify_only)
			continue;
		if (dump->json)
			dump_json(dump, json_pack("{s:I, s:i}", "offset", (json_int_t)offset, "position", pos));
		else
			fprintf(dump->out, "offset: %lld position: %d\n", (long long)offset, pos);
	}
	index_close(&index);
}

/* ---- <base>.timeindex ---- */

static void time_entry_check(struct index_dump *index, int64_t timestamp, int64_t offset, int64_t last_timestamp)
{
	struct batch_walk *walk = &index->walk;

	if (!index->has_log)
		return;
	if (walk->valid && walk->header.base_offset > offset)
		batch_walk_seek(walk, 0);
	while (walk->valid && batch_last_offset(&walk->header) < offset)
		batch_walk_next(walk);
	if (!walk->valid || batch_last_offset(&walk->header) != offset)
		dump_problem(index->dump,
			     "The following indexed offsets are not found in the log.\nIndexed offset: %lld, found log offset: "
			     "%lld\n",
			     (long long)offset, walk->valid ? (long long)batch_last_offset(&walk->header) : -1LL);
	else if (walk->header.max_timestamp != timestamp)
		dump_problem(index->dump, "Found timestamp mismatch in :%s\n  Index timestamp: %lld, log timestamp: %lld\n",
			     index->path, (long long)timestamp, (long long)walk->header.max_timestamp);
	if (last_timestamp >= timestamp)
		dump_problem(
			index->dump,
			"Found out of order timestamp in :%s\n  Index timestamp: %lld, Previously indexed timestamp: %lld\n",
			index->path, (long long)timestamp, (long long)last_timestamp);
	if (!walk->valid)
		batch_walk_seek(walk, 0);
}

static void time_entry(const struct index_dump *index, int i, int64_t *ret_timestamp, int64_t *ret_offset)
{
	const char *at = index->data + (size_t)i * TIME_ENTRY_BYTES;

	*ret_timestamp = bytes_get_i64(at);
	*ret_offset = index->base + bytes_get_i32(at + 8);
}

static bool time_index_is_sane(const struct index_dump *index)
{
	int64_t first_timestamp, last_timestamp, first_offset, last_offset;

	if (index->n_entries == 0)
		return true;
	time_entry(index, 0, &first_timestamp, &first_offset);
	time_entry(index, index->n_entries - 1, &last_timestamp, &last_offset);
	return last_timestamp >= first_timestamp && last_offset >= index->base;
}

void dump_time_index(struct dump *dump, const char *path)
{
	int64_t timestamp, offset, last_timestamp = BATCH_NO_TIMESTAMP;
	struct index_dump index;

	if (!index_open(&index, dump, path, TIME_ENTRY_BYTES))
		return;
	if (dump->sanity_only)
		sanity_print(&index, time_index_is_sane(&index));
	for (int i = 0; i < index.n_entries && !dump->sanity_only; i++) {
		time_entry(&index, i, &timestamp, &offset);
		time_entry_check(&index, timestamp, offset, last_timestamp);
		last_timestamp = timestamp;
		if (dump->verify_only)
			continue;
		if (dump->json)
			dump_json(dump,
				  json_pack("{s:I, s:I}", "timestamp", (json_int_t)timestamp, "offset", (json_int_t)offset));
		else
			fprintf(dump->out, "timestamp: %lld offset: %lld\n", (long long)timestamp, (long long)offset);
	}
	index_close(&index);
}

/* ---- <base>.txnindex ---- */

static bool aborted_print(void *ctx, const struct aborted_txn *aborted)
{
	struct dump *dump = ctx;

	if (dump->json)
		dump_json(dump, json_pack("{s:i, s:I, s:I, s:I, s:I}", "version", 0, "producer_id",
					  (json_int_t)aborted->producer_id, "first_offset", (json_int_t)aborted->first_offset,
					  "last_offset", (json_int_t)aborted->last_offset, "last_stable_offset",
					  (json_int_t)aborted->last_stable_offset));
	else
		fprintf(dump->out, "version: 0 producerId: %lld firstOffset: %lld lastOffset: %lld lastStableOffset: %lld\n",
			(long long)aborted->producer_id, (long long)aborted->first_offset, (long long)aborted->last_offset,
			(long long)aborted->last_stable_offset);
	return true;
}

void dump_txn_index(struct dump *dump, const char *path)
{
	int r = txn_index_walk(fs_real(), path, dump_base_offset(path), aborted_print, dump);

	if (r != 0)
		dump_problem(dump, "%s: %s\n", path, error_text(r));
}
