/*
 * The files of a log dir: the first byte names the kind, the rest is the file. Texts and snapshots are parsed; segments and indexes are put
 * under a partition that is then opened, which may refuse them but must come back, and must find the same twice.
 */
#include "test/fuzz/fuzz.h"

#include "broker/log/checkpoint.h"
#include "broker/log/dir_name.h"
#include "broker/log/epoch_cache.h"
#include "broker/log/fd_cache.h"
#include "broker/log/log_dir.h"
#include "broker/log/meta_properties.h"
#include "broker/log/partition_metadata.h"
#include "broker/log/run_file.h"
#include "common/check.h"
#include "common/trace.h"
#include "test/lib/fs_mem.h"

#include <stdlib.h>

#define DIR_PATH "/logs/t-0/00000000000000000000"

static void ignore_line(void *ctx, const struct checkpoint_line *line)
{
	(void)ctx;
	CHECK(line->partition >= 0 && line->offset >= 0);
}

static void parse_text(int kind, struct slice text)
{
	struct epoch_cache epochs = {0};
	struct meta_properties meta;
	struct run_file run;
	struct uuid id;
	struct error err;

	switch (kind) {
	case 0:
		checkpoint_parse(text, ignore_line, NULL);
		break;
	case 1:
		epoch_cache_parse(&epochs, text);
		epoch_cache_fini(&epochs);
		break;
	case 2:
		meta_properties_parse(text, &meta, &err);
		break;
	case 3:
		partition_metadata_parse(text, &id);
		break;
	case 4:
		run_file_parse(text, &run, ignore_line, NULL);
		break;
	default:
		dir_name_parse(text);
		log_file_name_parse(text);
		break;
	}
}

/* What is taken is written to the same bytes. */
static void parse_snapshot(struct slice bytes)
{
	struct producer_snapshot snapshot = {0};
	uint8_t *again;
	size_t len;

	if (producer_snapshot_decode(bytes.data, bytes.len, &snapshot) == 0) {
		again = producer_snapshot_encode(&snapshot, &len);
		CHECK(slice_equal(bytes, slice_of(again, len)));
		free(again);
	}
	producer_snapshot_fini(&snapshot);
}

static void put_file(struct fs *fs, const char *path, struct slice bytes)
{
	int fd;

	CHECK(fs_open(fs, path, FS_WRITE | FS_CREATE | FS_TRUNCATE, &fd) == 0);
	CHECK(fs_write_all(fs, fd, bytes.data, bytes.len, 0) == 0);
	fs_close(fs, fd);
}

static bool take_any(void *ctx, struct slice batch, struct aborted_txn *ret_aborted)
{
	(void)ctx;
	(void)batch;
	(void)ret_aborted;
	return false;
}

/* Opens the partition, reads at both ends and by time, stops cleanly. The log end, or an error. */
static int64_t open_partition(struct fs *fs)
{
	struct log_observer observer = {.on_batch = take_any};
	struct log_config config = LOG_CONFIG_DEFAULT;
	struct fd_cache *fds = fd_cache_new(fs, 8);
	struct log_dir_args args = {.fs = fs, .fds = fds, .path = "/logs", .broker_id = 1};
	struct log_read_args read = {.max_offset = INT64_MAX, .max_bytes = 100, .min_one_batch = true, .whole_batches = true};
	struct log_time_offset found;
	struct log_slice slice;
	struct log_dir *dir;
	struct log *log;
	int64_t rc;

	CHECK(log_dir_open(&args, &dir, NULL) == 0);
	CHECK(log_dir_scan(dir, NULL) == 0 && log_dir_n_entries(dir) == 1);
	rc = log_dir_load(dir, 0, &config, &observer, &log, NULL);
	if (rc == 0) {
		CHECK(log_dir_load_done(dir) == 0);
		rc = log_end_offset(log);
		read.offset = log_start_offset(log);
		if (log_read(log, &read, &slice) == 0)
			log_slice_release(&slice);
		log_offset_for_time(log, 1, &found);
		log_offset_of_max_timestamp(log, &found);
	}
	if (rc >= 0)
		CHECK(log_dir_close(dir) == 0);
	else
		log_dir_free(dir);
	fd_cache_free(fds);
	return rc;
}

static void try_partition(int kind, struct slice bytes)
{
	static const char *const names[] = {".log", ".index", ".timeindex", ".txnindex", ".snapshot"};
	struct fs_mem *mem = fs_mem_new(1);
	struct fs *fs = fs_mem_fs(mem);
	char path[64];
	int64_t end;

	CHECK(fs_make_path(fs, "/logs/t-0") == 0);
	if (kind > 0)
		put_file(fs, DIR_PATH ".log", SLICE_LITERAL(""));
	strcpy(path, DIR_PATH);
	strcat(path, names[kind]);
	put_file(fs, path, bytes);
	end = open_partition(fs);
	if (end >= 0)
		CHECK(open_partition(fs) == end);
	fs_mem_free(mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice rest;
	int kind;

	if (len == 0)
		return 0;
	trace_set_level(TRACE_ERROR);
	kind = data[0] % 12;
	rest = slice_of(data + 1, len - 1);
	if (kind < 6)
		parse_text(kind, rest);
	else if (kind == 6)
		parse_snapshot(rest);
	else
		try_partition(kind - 7, rest);
	return 0;
}
