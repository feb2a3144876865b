/* The files of a real Kafka 3.9.1 broker (test/golden/log): read as they are, and written again to the byte. */
#include "test/unit/broker/log/log_fixture.h"

#include "broker/log/epoch_cache.h"
#include "broker/log/meta_properties.h"
#include "broker/log/partition_metadata.h"
#include "broker/log/time_index.h"
#include "broker/log/txn_index.h"
#include "test/lib/golden.h"

#include <stdio.h>
#include <stdlib.h>

static int nibble(int c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static struct slice hex_file(struct arena *arena, const char *name)
{
	char path[128];
	struct slice text;
	uint8_t *bytes;
	size_t n = 0;

	snprintf(path, sizeof path, "log/%s.hex", name);
	text = golden_file(arena, path);
	bytes = arena_alloc(arena, text.len);
	for (size_t i = 0; i + 1 < text.len; i++) {
		if (text.data[i] == ' ' || text.data[i] == '\n')
			continue;
		bytes[n++] = (uint8_t)(nibble(text.data[i]) << 4 | nibble(text.data[i + 1]));
		i++;
	}
	return slice_of(bytes, n);
}

static void put_file(struct fs *fs, const char *path, struct slice bytes)
{
	int fd = -1;

	ck_assert_int_eq(fs_open(fs, path, FS_WRITE | FS_CREATE | FS_TRUNCATE, &fd), 0);
	ck_assert_int_eq(fs_write_all(fs, fd, bytes.data, bytes.len, 0), 0);
	fs_close(fs, fd);
}

static bool check_aborted(void *ctx, const struct aborted_txn *aborted)
{
	int *n = ctx;

	ck_assert_int_eq(aborted->producer_id, 1);
	ck_assert_int_eq(aborted->first_offset, 10);
	ck_assert_int_eq(aborted->last_offset, 11);
	ck_assert_int_eq(aborted->last_stable_offset, 12);
	*n += 1;
	return true;
}

START_TEST(small_files_of_kafka_are_read_and_written_to_the_byte)
{
	struct fs_mem *mem = fs_mem_new(1);
	struct fs *fs = fs_mem_fs(mem);
	struct meta_properties meta;
	struct epoch_cache epochs = {0};
	struct uuid id;
	struct arena arena;
	struct slice golden;
	struct error err;
	char *text;
	size_t len;

	arena_init(&arena);
	golden = golden_file(&arena, "log/meta.properties");
	ck_assert_int_eq(meta_properties_parse(golden, &meta, &err), 0);
	ck_assert_int_eq(meta.broker_id, 1);
	ck_assert_str_eq(meta.cluster_id, "MBzKdwGSSMGfR5T0GO2hZQ");
	ck_assert_int_eq(meta_properties_write(fs, "/m", &meta, INT64_C(1795240464000)), 0);
	ck_assert_int_eq(fs_read_file(fs, "/m", 1000, &text, &len), 0);
	ck_assert(slice_equal(golden, slice_of(text, len)));
	free(text);

	golden = golden_file(&arena, "log/partition.metadata");
	ck_assert_int_eq(partition_metadata_parse(golden, &id), 0);
	ck_assert_int_eq(partition_metadata_write(fs, "/p", &id), 0);
	ck_assert_int_eq(fs_read_file(fs, "/p", 1000, &text, &len), 0);
	ck_assert(slice_equal(golden, slice_of(text, len)));
	free(text);

	golden = golden_file(&arena, "log/leader-epoch-checkpoint");
	ck_assert_int_eq(epoch_cache_parse(&epochs, golden), 0);
	ck_assert_int_eq(epochs.entries.n, 1);
	epochs.changed = true;
	ck_assert_int_eq(epoch_cache_write(&epochs, fs, "/e"), 0);
	ck_assert_int_eq(fs_read_file(fs, "/e", 1000, &text, &len), 0);
	ck_assert(slice_equal(golden, slice_of(text, len)));
	free(text);
	epoch_cache_fini(&epochs);
	arena_fini(&arena);
	fs_mem_free(mem);
}
END_TEST

START_TEST(snapshot_and_transaction_index_of_kafka_are_read_and_written_to_the_byte)
{
	struct fs_mem *mem = fs_mem_new(1);
	struct fs *fs = fs_mem_fs(mem);
	struct producer_snapshot snapshot = {0};
	struct aborted_txn aborted = {1, 10, 11, 12};
	struct arena arena;
	struct slice golden;
	uint8_t *bytes;
	char *text;
	size_t len;
	int n = 0;

	arena_init(&arena);
	golden = hex_file(&arena, "00000000000000000012.snapshot");
	ck_assert_int_eq(producer_snapshot_decode(golden.data, golden.len, &snapshot), 0);
	ck_assert_int_eq(snapshot.n_entries, 2);
	ck_assert_int_eq(snapshot.entries[0].last_sequence, 7);
	ck_assert_int_eq(snapshot.entries[1].last_offset, 10);
	ck_assert_int_eq(snapshot.entries[1].coordinator_epoch, 0);
	ck_assert_int_eq(snapshot.entries[1].txn_first_offset, -1);
	bytes = producer_snapshot_encode(&snapshot, &len);
	ck_assert(slice_equal(golden, slice_of(bytes, len)));
	free(bytes);
	producer_snapshot_fini(&snapshot);

	golden = hex_file(&arena, "00000000000000000000.txnindex");
	put_file(fs, "/t", golden);
	ck_assert_int_eq(txn_index_walk(fs, "/t", 0, check_aborted, &n), 0);
	ck_assert_int_eq(n, 1);
	ck_assert_int_eq(txn_index_append(fs, "/u", &aborted), 0);
	ck_assert_int_eq(fs_read_file(fs, "/u", 1000, &text, &len), 0);
	ck_assert(slice_equal(golden, slice_of(text, len)));
	free(text);
	arena_fini(&arena);
	fs_mem_free(mem);
}
END_TEST

/* Puts the golden partition into a dir of ours; the clean marker makes it a clean stop of Kafka's. */
static void put_partition(struct fixture *fixture, struct arena *arena, bool clean)
{
	static const char *const files[] = {"00000000000000000000.log", "00000000000000000000.timeindex", "00000000000000000000.txnindex",
					    "00000000000000000012.snapshot"};
	char path[256];

	ck_assert_int_eq(fs_make_path(fixture->fs, FIXTURE_PATH "/t-0"), 0);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		snprintf(path, sizeof path, FIXTURE_PATH "/t-0/%s", files[i]);
		put_file(fixture->fs, path, hex_file(arena, files[i]));
	}
	put_file(fixture->fs, FIXTURE_PATH "/t-0/00000000000000000000.index", SLICE_LITERAL(""));
	put_file(fixture->fs, FIXTURE_PATH "/t-0/partition.metadata", golden_file(arena, "log/partition.metadata"));
	put_file(fixture->fs, FIXTURE_PATH "/t-0/leader-epoch-checkpoint", golden_file(arena, "log/leader-epoch-checkpoint"));
	put_file(fixture->fs, FIXTURE_PATH "/meta.properties", golden_file(arena, "log/meta.properties"));
	put_file(fixture->fs, FIXTURE_PATH "/replication-offset-checkpoint", SLICE_LITERAL("0\n1\nt 0 12\n"));
	put_file(fixture->fs, FIXTURE_PATH "/cleaner-offset-checkpoint", SLICE_LITERAL(""));
	if (clean)
		put_file(fixture->fs, FIXTURE_PATH "/.kafka_cleanshutdown", SLICE_LITERAL("{\"version\":0,\"brokerEpoch\":-1}"));
}

static void ignore_snapshot(void *ctx, int64_t end_offset, const struct producer_snapshot_entry *entries, int32_t n)
{
	int64_t *snapshot = ctx;

	(void)entries;
	ck_assert_int_eq(n, 2);
	*snapshot = end_offset;
}

static bool ignore_batch(void *ctx, struct slice batch, struct aborted_txn *ret_aborted)
{
	struct batch_header header;

	(void)ctx;
	ck_assert_int_eq(batch_header_parse(batch, &header), 0);
	*ret_aborted = (struct aborted_txn){1, 10, 11, 12};
	return header.base_offset == 11;
}

START_TEST(a_partition_of_kafka_is_opened_after_a_clean_and_an_unclean_stop)
{
	for (int clean = 0; clean < 2; clean++) {
		struct fixture fixture;
		struct log_time_offset found;
		struct arena arena;
		int64_t snapshot = -1;
		int n = 0;

		arena_init(&arena);
		fixture_init(&fixture, 1);
		fixture.observer = (struct log_observer){.ctx = &snapshot, .load_snapshot = ignore_snapshot, .on_batch = ignore_batch};
		put_partition(&fixture, &arena, clean);
		ck_assert_int_eq(fixture_open(&fixture), 0);
		ck_assert_int_eq(log_dir_last_stop(fixture.dir), clean ? LOG_DIR_CLEAN : LOG_DIR_UNCLEAN);
		ck_assert_int_eq(log_end_offset(fixture.log), 12);
		ck_assert_int_eq(log_high_watermark(fixture.log), 12);
		ck_assert_int_eq(log_latest_epoch(fixture.log), 0);
		ck_assert_int_eq(snapshot, clean ? 12 : -1);
		ck_assert_int_eq(log_offset_of_max_timestamp(fixture.log, &found), 0);
		ck_assert_int_eq(found.offset, 11);
		ck_assert_int_eq(found.timestamp, INT64_C(1795240533650));
		ck_assert_int_eq(log_offset_for_time(fixture.log, INT64_C(1795240525285), &found), 0);
		ck_assert_int_eq(found.offset, 0);
		ck_assert_int_eq(txn_index_walk(fixture.fs, FIXTURE_PATH "/t-0/00000000000000000000.txnindex", 0, check_aborted, &n), 0);
		ck_assert_int_eq(n, 1);
		ck_assert_int_eq(fixture_close(&fixture), 0);
		fixture_fini(&fixture);
		arena_fini(&arena);
	}
}
END_TEST

UNIT_MAIN("broker/log/golden_log", small_files_of_kafka_are_read_and_written_to_the_byte,
	  snapshot_and_transaction_index_of_kafka_are_read_and_written_to_the_byte,
	  a_partition_of_kafka_is_opened_after_a_clean_and_an_unclean_stop)
