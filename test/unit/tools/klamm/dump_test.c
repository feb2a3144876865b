/* dump-log prints what Kafka's dump tool prints (test/golden/dump), and tells what is wrong with a file. */
#include "test/lib/unit.h"

#include "common/bytes.h"
#include "common/fs.h"
#include "common/memory.h"
#include "tools/klamm/dump.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct result {
	char *out, *problems;
	int n_problems;
};

static struct result result;

static void result_free(void)
{
	free(result.out);
	free(result.problems);
	result = (struct result){0};
}

/* Dumps a file as `setting` says. */
static void run(struct dump setting, const char *path)
{
	struct dump dump = setting;
	size_t out_len, problems_len;

	result_free();
	dump.out = open_memstream(&result.out, &out_len);
	dump.problems = open_memstream(&result.problems, &problems_len);
	dump.codecs = codec_context_new();
	dump.bytes_max = setting.bytes_max ? setting.bytes_max : INT64_MAX;
	dump_file(&dump, path);
	codec_context_free(dump.codecs);
	fclose(dump.out);
	fclose(dump.problems);
	result.n_problems = dump.n_problems;
}

static const char *golden(const char *name)
{
	static char path[1400];

	snprintf(path, sizeof path, "%s/test/golden/%s", unit_source_dir(), name);
	return path;
}

static char *file_read(const char *path, size_t *ret_len)
{
	char *text;

	ck_assert_msg(fs_read_file(fs_real(), path, 16 << 20, &text, ret_len) == 0, "%s", path);
	return text;
}

/* The dump of a file, without its first line, is what stands in <file>.txt. */
static void check_golden(struct dump setting, const char *name)
{
	char path[1500], *want, *got;
	size_t len;

	run(setting, golden(name));
	snprintf(path, sizeof path, "%s.txt", golden(name));
	want = file_read(path, &len);
	got = strchr(result.out, '\n');
	ck_assert_ptr_nonnull(got);
	ck_assert_str_eq(got + 1, want);
	free(want);
}

START_TEST(logs_and_indexes_read_as_kafkas_tool_reads_them)
{
	struct dump setting = {.deep = true, .print_data = true};

	check_golden(setting, "dump/plain-0/00000000000000000000.log");
	ck_assert_int_eq(result.n_problems, 0);
	check_golden(setting, "dump/plain-0/00000000000000000000.timeindex");
	check_golden(setting, "dump/plain-0/00000000000000000000.txnindex");
	check_golden(setting, "dump/plain-0/00000000000000000012.snapshot");
	ck_assert_int_eq(result.n_problems, 0);
	result_free();
}
END_TEST

START_TEST(internal_topics_read_as_kafkas_tool_reads_them)
{
	struct dump setting = {.deep = true, .print_data = true, .decoder = DECODE_OFFSETS};

	check_golden(setting, "dump/offsets-42/00000000000000000000.log");
	check_golden(setting, "dump/offsets-43/00000000000000000000.log");
	setting.decoder = DECODE_TRANSACTIONS;
	check_golden(setting, "dump/transactions-20/00000000000000000000.log");
	result_free();
}
END_TEST

/* A log file in a folder of its own with the bytes of a golden batch. */
static const char *log_of_batch(const char *name)
{
	static char path[700];
	char source[600], *data;
	size_t len;

	snprintf(source, sizeof source, "batches/%s.bin", name);
	data = file_read(golden(source), &len);
	snprintf(path, sizeof path, "%s/00000000000000000000.log", unit_temp_dir());
	ck_assert_int_eq(fs_replace_file(fs_real(), path, data, len, FS_SYNC_NOT), 0);
	free(data);
	return path;
}

START_TEST(batches_of_all_codecs_and_shapes_read_as_kafkas_tool_reads_them)
{
	struct dump setting = {.deep = true};
	char *want, *rest, *section;
	size_t len;
	int n = 0;

	want = rest = file_read(golden("dump/batches.txt"), &len);
	ck_assert_int_eq(strncmp(rest, "== ", 3), 0);
	rest += 3;
	while ((section = rest) && *section) {
		char *name = strsep(&rest, "\n"), *end = strstr(rest, "\n== "), *text = rest;

		if (end)
			end[1] = 0;
		run(setting, log_of_batch(name));
		ck_assert_msg(strcmp(strchr(result.out, '\n') + 1, text) == 0, "%s", name);
		ck_assert_int_eq(result.n_problems, 0);
		rest = end ? end + 4 : NULL;
		n++;
	}
	ck_assert_int_gt(n, 15);
	free(want);
	result_free();
}
END_TEST

START_TEST(older_formats_have_a_line_each)
{
	run((struct dump){.deep = true}, log_of_batch("magic1-append-time"));
	ck_assert_ptr_nonnull(strstr(result.out,
				     "offset: 0 position: 0 LogAppendTime: 1700000000099 size: 86 magic: 1 compresscodec: gzip "
				     "crc: 2369897828 isvalid: true\n"));
	run((struct dump){.deep = true}, log_of_batch("magic0-none"));
	ck_assert_ptr_nonnull(strstr(result.out, "NoTimestampType: -1"));
	ck_assert_int_eq(result.n_problems, 0);
	result_free();
}
END_TEST

START_TEST(json_has_one_object_for_each_batch)
{
	json_t *batch, *records;

	run((struct dump){.json = true, .deep = true, .print_data = true}, golden("dump/plain-0/00000000000000000000.log"));
	ck_assert_ptr_nonnull(strchr(result.out, '\n'));
	*strchr(result.out, '\n') = 0;
	batch = json_loads(result.out, 0, NULL);
	ck_assert_ptr_nonnull(batch);
	ck_assert_int_eq(json_integer_value(json_object_get(batch, "last_offset")), 7);
	ck_assert_str_eq(json_string_value(json_object_get(batch, "codec")), "lz4");
	records = json_object_get(batch, "records");
	ck_assert_uint_eq(json_array_size(records), 8);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(records, 1), "value")), "value 5");
	json_decref(batch);
	result_free();
}
END_TEST

/* A copy of the golden log with its indexes in a folder of its own. */
static void copy_partition(char *ret_dir, size_t size)
{
	static const char *const names[] = {"00000000000000000000.log", "00000000000000000000.timeindex"};
	char from[700], to[700], *data;
	size_t len;

	snprintf(ret_dir, size, "%s/copy-0", unit_temp_dir());
	mkdir(ret_dir, 0700);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(from, sizeof from, "dump/plain-0/%s", names[i]);
		data = file_read(golden(from), &len);
		snprintf(to, sizeof to, "%s/%s", ret_dir, names[i]);
		ck_assert_int_eq(fs_replace_file(fs_real(), to, data, len, FS_SYNC_NOT), 0);
		free(data);
	}
}

/* Changes one byte of a file, or cuts the file there when bit is 0. */
static void damage(const char *path, long pos, int bit)
{
	char *data;
	size_t len;

	data = file_read(path, &len);
	if (bit)
		data[pos] ^= (char)bit;
	else
		len = (size_t)pos;
	ck_assert_int_eq(fs_replace_file(fs_real(), path, data, len, FS_SYNC_NOT), 0);
	free(data);
}

START_TEST(a_flipped_bit_is_told)
{
	char dir[600], path[700];

	copy_partition(dir, sizeof dir);
	snprintf(path, sizeof path, "%s/00000000000000000000.log", dir);
	damage(path, 260, 4);
	run((struct dump){.deep = true}, path);
	ck_assert_ptr_nonnull(strstr(result.out, "isvalid: false"));
	ck_assert_ptr_nonnull(strstr(result.problems, "the batch at position 195 is damaged"));
	ck_assert_int_ge(result.n_problems, 1);
	result_free();
}
END_TEST

START_TEST(a_torn_tail_is_told)
{
	char dir[600], path[700];

	copy_partition(dir, sizeof dir);
	snprintf(path, sizeof path, "%s/00000000000000000000.log", dir);
	damage(path, 300, 0);
	run((struct dump){.deep = true}, path);
	ck_assert_ptr_nonnull(strstr(result.problems, "Found 32 invalid bytes at the end of"));
	ck_assert_int_eq(result.n_problems, 1);
	damage(path, 0, 0);
	run((struct dump){.deep = true}, path);
	ck_assert_int_eq(result.n_problems, 0);
	result_free();
}
END_TEST

START_TEST(an_index_that_does_not_fit_its_log_is_told)
{
	char dir[600], path[700];

	copy_partition(dir, sizeof dir);
	snprintf(path, sizeof path, "%s/00000000000000000000.timeindex", dir);
	run((struct dump){.verify_only = true}, path);
	ck_assert_int_eq(result.n_problems, 0);
	damage(path, 7, 1);
	run((struct dump){.verify_only = true}, path);
	ck_assert_ptr_nonnull(strstr(result.problems, "Found timestamp mismatch in :"));
	damage(path, 11, 1);
	run((struct dump){0}, path);
	ck_assert_int_eq(result.n_problems, 1);
	damage(path, 7, 0);
	run((struct dump){.sanity_only = true}, path);
	ck_assert_ptr_nonnull(strstr(result.problems, "are no whole number of entries of 12 bytes"));
	result_free();
}
END_TEST

START_TEST(offset_index_entries_are_compared_with_the_log)
{
	char dir[600], path[700];
	uint8_t entries[32] = {0};

	copy_partition(dir, sizeof dir);
	snprintf(path, sizeof path, "%s/00000000000000000000.index", dir);
	bytes_put_i32(entries, 8);
	bytes_put_i32(entries + 4, 195);
	bytes_put_i32(entries + 8, 10);
	bytes_put_i32(entries + 12, 346);
	ck_assert_int_eq(fs_replace_file(fs_real(), path, entries, sizeof entries, FS_SYNC_NOT), 0);
	run((struct dump){0}, path);
	ck_assert_ptr_nonnull(strstr(result.out, "\noffset: 8 position: 195\noffset: 10 position: 346\n"));
	ck_assert_int_eq(result.n_problems, 0);
	damage(path, 15, 1);
	run((struct dump){0}, path);
	ck_assert_ptr_nonnull(strstr(result.problems, "  Index offset: 10, log offset: -1\n"));
	run((struct dump){.sanity_only = true}, path);
	ck_assert_ptr_nonnull(strstr(result.out, "passed sanity check."));
	damage(path, 8, 0x80);
	run((struct dump){.sanity_only = true}, path);
	ck_assert_int_eq(result.n_problems, 1);
	result_free();
}
END_TEST

START_TEST(files_that_are_no_such_files_are_told)
{
	char path[700];

	run((struct dump){0}, "/nowhere/00000000000000000000.log");
	ck_assert_int_eq(result.n_problems, 1);
	snprintf(path, sizeof path, "%s/strange", unit_temp_dir());
	ck_assert_int_eq(fs_replace_file(fs_real(), path, "x", 1, FS_SYNC_NOT), 0);
	run((struct dump){0}, path);
	ck_assert_ptr_nonnull(strstr(result.problems, "Ignoring unknown file"));
	snprintf(path, sizeof path, "%s/00000000000000000005.snapshot", unit_temp_dir());
	ck_assert_int_eq(fs_replace_file(fs_real(), path, "\0\1damaged", 9, FS_SYNC_NOT), 0);
	run((struct dump){0}, path);
	ck_assert_int_eq(result.n_problems, 1);
	snprintf(path, sizeof path, "%s/leader-epoch-checkpoint", unit_temp_dir());
	ck_assert_int_eq(fs_replace_file(fs_real(), path, "0\n1\n0 0\n", 8, FS_SYNC_NOT), 0);
	run((struct dump){0}, path);
	ck_assert_ptr_nonnull(strstr(result.out, "\n0\n1\n0 0\n"));
	result_free();
}
END_TEST

UNIT_MAIN("tools/klamm/dump", logs_and_indexes_read_as_kafkas_tool_reads_them, internal_topics_read_as_kafkas_tool_reads_them,
	  batches_of_all_codecs_and_shapes_read_as_kafkas_tool_reads_them, older_formats_have_a_line_each,
	  json_has_one_object_for_each_batch, a_flipped_bit_is_told, a_torn_tail_is_told,
	  an_index_that_does_not_fit_its_log_is_told, offset_index_entries_are_compared_with_the_log,
	  files_that_are_no_such_files_are_told)
