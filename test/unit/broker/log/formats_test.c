/* Names, texts and small files: what is read back, and what is refused. */
#include "test/lib/unit.h"

#include "broker/log/checkpoint.h"
#include "broker/log/clean_marker.h"
#include "broker/log/dir_name.h"
#include "broker/log/epoch_cache.h"
#include "broker/log/meta_properties.h"
#include "broker/log/offsets_table.h"
#include "broker/log/partition_metadata.h"
#include "broker/log/producer_snapshot.h"
#include "broker/log/run_file.h"
#include "broker/log/txn_index.h"
#include "common/error.h"
#include "test/lib/fs_mem.h"

#include <stdlib.h>

#define HEX32 "0123456789abcdef0123456789abcdef"

START_TEST(names_of_folders_are_taken_apart_as_kafka_does)
{
	static const struct {
		const char *name, *topic;
		enum dir_kind kind;
		int32_t partition;
	} rows[] = {
		{"t-0", "t", DIR_PARTITION, 0},
		{"a-b-12", "a-b", DIR_PARTITION, 12},
		{"a.b_c-2147483647", "a.b_c", DIR_PARTITION, 2147483647},
		{"t-0." HEX32 "-delete", "t", DIR_DELETE, 0},
		{"t-0." HEX32 "-future", "t", DIR_FUTURE, 0},
		{"t-0." HEX32 "-stray", "t", DIR_STRAY, 0},
		{"foo-delete-3", "foo-delete", DIR_PARTITION, 3},
		{"lost+found", "", DIR_INVALID, 0},
		{"t", "", DIR_INVALID, 0},
		{"t-", "", DIR_INVALID, 0},
		{"-1", "", DIR_INVALID, 0},
		{"t-2147483648", "", DIR_INVALID, 0},
		{"t-1x", "", DIR_INVALID, 0},
		{"..-1", "", DIR_INVALID, 0},
		{"t-0.0123-delete", "", DIR_INVALID, 0},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct dir_name name = dir_name_parse(slice_of_text(rows[i].name));

		ck_assert_msg(name.kind == rows[i].kind, "%s", rows[i].name);
		if (name.kind == DIR_INVALID)
			continue;
		ck_assert_int_eq(name.partition, rows[i].partition);
		ck_assert(slice_is_text(name.topic, rows[i].topic));
	}
}
END_TEST

START_TEST(the_name_of_a_deleted_folder_fits_and_is_recognised)
{
	char topic[250], name[DIR_NAME_MAX];
	struct uuid uuid = uuid_random();
	struct dir_name parsed;

	memset(topic, 'x', 249);
	topic[249] = 0;
	dir_name_format_gone(slice_of_text(topic), 2147483647, DIR_DELETE, &uuid, name);
	ck_assert_uint_eq(strlen(name), 255);
	parsed = dir_name_parse(slice_of_text(name));
	ck_assert_int_eq(parsed.kind, DIR_DELETE);
	ck_assert_int_eq(parsed.partition, 2147483647);
}
END_TEST

START_TEST(names_of_files_are_taken_apart)
{
	struct log_file_name name = log_file_name_parse(SLICE_LITERAL("00000000000000000042.timeindex.swap"));

	ck_assert_int_eq(name.kind, LOG_FILE_TIME_INDEX);
	ck_assert_int_eq(name.suffix, LOG_SUFFIX_SWAP);
	ck_assert_int_eq(name.offset, 42);
	name = log_file_name_parse(SLICE_LITERAL("00000000000000000042.index"));
	ck_assert_int_eq(name.kind, LOG_FILE_INDEX);
	ck_assert_int_eq(log_file_name_parse(SLICE_LITERAL("0042.log")).kind, LOG_FILE_OTHER);
	ck_assert_int_eq(log_file_name_parse(SLICE_LITERAL("-0000000000000000042.log")).kind, LOG_FILE_OTHER);
	ck_assert_int_eq(log_file_name_parse(SLICE_LITERAL("99999999999999999999.log")).kind, LOG_FILE_OTHER);
	ck_assert_int_eq(log_file_name_parse(SLICE_LITERAL("leader-epoch-checkpoint")).kind, LOG_FILE_OTHER);
}
END_TEST

static void count_line(void *ctx, const struct checkpoint_line *line)
{
	int64_t *sum = ctx;

	*sum += line->offset * 1000 + line->partition;
}

START_TEST(checkpoints_are_strict)
{
	static const char *const bad[] = {"0\n", "1\n0\n", "0\n1\n", "0\n1\nt 0 5", "0\n1\nt 0\n", "0\n1\nt 0 -1\n", "0\n1\nt 0 5 6\n",
					  "0\n1\nt 0 5\nu 0 5\n", "0\n2\nt 0 5\n", "0\n-1\n", "0\n1\n\n", "x", "0\n1\nt -1 5\n",
					  "0\n1\nt 0 9223372036854775808\n"};
	int64_t sum = 0;

	ck_assert_int_eq(checkpoint_parse(SLICE_LITERAL("0\n2\na-b 3 7\nt 0 9\n"), count_line, &sum), 0);
	ck_assert_int_eq(sum, 16003);
	ck_assert_int_eq(checkpoint_parse(SLICE_LITERAL(""), count_line, &sum), 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(checkpoint_parse(slice_of_text(bad[i]), count_line, &sum) == ERR_CORRUPT, "%s", bad[i]);
}
END_TEST

START_TEST(epoch_files_must_ascend)
{
	struct epoch_cache cache = {0};

	ck_assert_int_eq(epoch_cache_parse(&cache, SLICE_LITERAL("0\n2\n0 0\n5 17\n")), 0);
	ck_assert_int_eq(cache.entries.n, 2);
	ck_assert_int_eq(epoch_cache_parse(&cache, SLICE_LITERAL("0\n2\n5 0\n5 17\n")), ERR_CORRUPT);
	ck_assert_int_eq(epoch_cache_parse(&cache, SLICE_LITERAL("0\n2\n5 17\n6 17\n")), ERR_CORRUPT);
	ck_assert_int_eq(epoch_cache_parse(&cache, SLICE_LITERAL("0\n1\n5 17 1\n")), ERR_CORRUPT);
	ck_assert_int_eq(cache.entries.n, 0);
	epoch_cache_fini(&cache);
}
END_TEST

START_TEST(meta_properties_name_what_is_wrong)
{
	struct meta_properties meta;
	struct error err;

	ck_assert_int_eq(meta_properties_parse(SLICE_LITERAL("#x\n\n broker.id = 7\r\nversion=0\nextra=1\n"), &meta, &err), 0);
	ck_assert_int_eq(meta.broker_id, 7);
	ck_assert_str_eq(meta.cluster_id, "");
	ck_assert_int_eq(meta_properties_parse(SLICE_LITERAL("version=1\nnode.id=1\n"), &meta, &err), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "KRaft"));
	ck_assert_int_eq(meta_properties_parse(SLICE_LITERAL("version=0\nbroker.id=x\n"), &meta, &err), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "line 2"));
	ck_assert_int_eq(meta_properties_parse(SLICE_LITERAL("broker.id=1\n"), &meta, &err), ERR_CONFIG);
	ck_assert_int_eq(meta_properties_parse(SLICE_LITERAL("version=0\nnonsense\n"), &meta, &err), ERR_CONFIG);
}
END_TEST

START_TEST(partition_metadata_is_strict)
{
	struct uuid id;

	ck_assert_int_eq(partition_metadata_parse(SLICE_LITERAL("version: 0\ntopic_id: 7OzSOxTgSp-khFU0G__2Bg"), &id), 0);
	ck_assert_int_eq(partition_metadata_parse(SLICE_LITERAL("version: 1\ntopic_id: 7OzSOxTgSp-khFU0G__2Bg"), &id), ERR_CORRUPT);
	ck_assert_int_eq(partition_metadata_parse(SLICE_LITERAL("version: 0\ntopic_id: "), &id), ERR_CORRUPT);
	ck_assert_int_eq(partition_metadata_parse(SLICE_LITERAL(""), &id), ERR_CORRUPT);
}
END_TEST

START_TEST(any_flipped_bit_of_a_snapshot_is_noticed)
{
	struct producer_snapshot snapshot = {0}, read = {0};
	struct producer_snapshot_entry entry = {.producer_id = 5, .last_offset = 9, .txn_first_offset = -1};
	uint8_t *bytes;
	size_t len;

	producer_snapshot_add(&snapshot, &entry);
	bytes = producer_snapshot_encode(&snapshot, &len);
	for (size_t i = 0; i < len * 8; i++) {
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		ck_assert_int_eq(producer_snapshot_decode(bytes, len, &read), ERR_CORRUPT);
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t i = 0; i < len; i++)
		ck_assert_int_eq(producer_snapshot_decode(bytes, i, &read), ERR_CORRUPT);
	ck_assert_int_eq(producer_snapshot_decode(bytes, len, &read), 0);
	ck_assert_int_eq(read.n_entries, 1);
	free(bytes);
	producer_snapshot_fini(&snapshot);
	producer_snapshot_fini(&read);
}
END_TEST

START_TEST(klamm_run_comes_back_and_any_damage_is_noticed)
{
	struct fs_mem *mem = fs_mem_new(1);
	struct fs *fs = fs_mem_fs(mem);
	struct run_file run = {.boot_id = "b", .fs_id = 7, .broker_epoch = 44, .state = RUN_CLEAN,
			       .owed = RUN_OWES_UNCLEAN, .durable = true, .used = {45, 2}, .seal = {1, 2, 3}}, read;
	struct text_out marks = {0};
	int64_t sum = 0;
	char *text;
	size_t len;

	run.directory_id = uuid_random();
	text_add(&marks, "t 0 5\nu 1 6\n");
	ck_assert_int_eq(run_file_write(fs, "/r", &run, &marks, 2), 0);
	text_fini(&marks);
	ck_assert_int_eq(run_file_read(fs, "/r", &read, count_line, &sum), 0);
	ck_assert_int_eq(sum, 11001);
	ck_assert(uuid_equal(&run.directory_id, &read.directory_id));
	ck_assert_int_eq(read.broker_epoch, 44);
	ck_assert_int_eq(read.state, RUN_CLEAN);
	ck_assert_int_eq(read.owed, RUN_OWES_UNCLEAN);
	ck_assert(read.durable);
	ck_assert_int_eq(read.used.broker_epoch, 45);
	ck_assert_int_eq(read.used.n_away, 2);
	ck_assert_int_eq(read.seal.mtime_ms, 2);
	ck_assert_int_eq(fs_read_file(fs, "/r", 10000, &text, &len), 0);
	for (size_t i = 0; i < len; i++) {
		text[i] ^= 1;
		ck_assert_int_eq(run_file_parse(slice_of(text, len), &read, count_line, &sum), ERR_CORRUPT);
		text[i] ^= 1;
		ck_assert_int_eq(run_file_parse(slice_of(text, i), &read, count_line, &sum), ERR_CORRUPT);
	}
	free(text);
	fs_mem_free(mem);
}
END_TEST

static bool count_aborted(void *ctx, const struct aborted_txn *aborted)
{
	int64_t *sum = ctx;

	*sum += aborted->last_offset;
	return true;
}

START_TEST(transaction_indexes_are_cut_and_torn_ends_are_written_over)
{
	struct fs_mem *mem = fs_mem_new(1);
	struct fs *fs = fs_mem_fs(mem);
	int64_t sum = 0;
	int fd = -1;

	for (int64_t i = 1; i <= 3; i++)
		ck_assert_int_eq(txn_index_append(fs, "/x", &(struct aborted_txn){1, i, i * 10, i * 10 + 1}), 0);
	ck_assert_int_eq(fs_open(fs, "/x", FS_WRITE, &fd), 0);
	ck_assert_int_eq(fs_truncate(fs, fd, 3 * TXN_INDEX_ENTRY_BYTES - 5), 0);
	fs_close(fs, fd);
	ck_assert_int_eq(txn_index_append(fs, "/x", &(struct aborted_txn){1, 4, 40, 41}), 0);
	ck_assert_int_eq(txn_index_walk(fs, "/x", 0, count_aborted, &sum), 0);
	ck_assert_int_eq(sum, 70);
	ck_assert_int_eq(txn_index_walk(fs, "/x", 11, count_aborted, &sum), ERR_CORRUPT);
	ck_assert_int_eq(txn_index_truncate(fs, "/x", 0, 40), 0);
	sum = 0;
	ck_assert_int_eq(txn_index_walk(fs, "/x", 0, count_aborted, &sum), 0);
	ck_assert_int_eq(sum, 30);
	ck_assert_int_eq(txn_index_truncate(fs, "/x", 0, 0), 0);
	ck_assert_int_eq(fs_open(fs, "/x", FS_READ, &fd), ERR_NOT_FOUND);
	fs_mem_free(mem);
}
END_TEST

START_TEST(the_marker_comes_and_goes)
{
	struct fs_mem *mem = fs_mem_new(1);
	struct fs *fs = fs_mem_fs(mem);

	ck_assert_int_eq(fs_mkdir(fs, "/d"), 0);
	ck_assert(!clean_marker_exists(fs, "/d"));
	ck_assert_int_eq(clean_marker_remove(fs, "/d"), 0);
	ck_assert_int_eq(clean_marker_write(fs, "/d"), 0);
	ck_assert(clean_marker_exists(fs, "/d"));
	ck_assert_int_eq(clean_marker_remove(fs, "/d"), 0);
	ck_assert(!clean_marker_exists(fs, "/d"));
	fs_mem_free(mem);
}
END_TEST

START_TEST(the_table_keeps_each_kind_apart)
{
	struct offsets_table table = {0};
	struct offsets offsets;

	offsets_table_set(&table, OFFSET_MARK, SLICE_LITERAL("a-1"), 2, 7);
	offsets_table_set(&table, OFFSET_LOG_START, SLICE_LITERAL("a-1"), 2, 3);
	offsets = offsets_table_get(&table, SLICE_LITERAL("a-1"), 2);
	ck_assert_int_eq(offsets.of[OFFSET_MARK], 7);
	ck_assert_int_eq(offsets.of[OFFSET_LOG_START], 3);
	ck_assert_int_eq(offsets.of[OFFSET_HIGH_WATERMARK], -1);
	offsets_table_forget(&table, OFFSET_MARK);
	ck_assert_int_eq(offsets_table_get(&table, SLICE_LITERAL("a-1"), 2).of[OFFSET_MARK], -1);
	offsets_table_remove(&table, SLICE_LITERAL("a-1"), 2);
	ck_assert_int_eq(offsets_table_get(&table, SLICE_LITERAL("a-1"), 2).of[OFFSET_LOG_START], -1);
	offsets_table_fini(&table);
}
END_TEST

UNIT_MAIN("broker/log/formats", names_of_folders_are_taken_apart_as_kafka_does, the_name_of_a_deleted_folder_fits_and_is_recognised,
	  names_of_files_are_taken_apart, checkpoints_are_strict, epoch_files_must_ascend, meta_properties_name_what_is_wrong,
	  partition_metadata_is_strict, any_flipped_bit_of_a_snapshot_is_noticed, klamm_run_comes_back_and_any_damage_is_noticed,
	  transaction_indexes_are_cut_and_torn_ends_are_written_over, the_marker_comes_and_goes, the_table_keeps_each_kind_apart)
