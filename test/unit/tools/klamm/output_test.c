/* What is printed: tables, JSON of any bytes, records as lines, counted latencies. */
#include "test/lib/unit.h"

#include "tools/klamm/histogram.h"
#include "tools/klamm/json_text.h"
#include "tools/klamm/record_line.h"
#include "tools/klamm/table.h"

#include <stdlib.h>

static struct arena arena;

static char *table_text(const struct table *table)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	table_print(table, out);
	fclose(out);
	return text;
}

START_TEST(columns_are_as_wide_as_their_widest_cell)
{
	struct table table;
	char *text;

	table_init(&table, &arena, "NAME|COUNT|REST");
	text = table_text(&table);
	ck_assert_str_eq(text, "");
	free(text);
	table_row(&table, "%s|%d|%s", "orders", 7, "x");
	table_row(&table, "%s|%d|%s", "k\303\244se", 1234567, "");
	text = table_text(&table);
	ck_assert_str_eq(text, "NAME      COUNT  REST\n"
			       "orders        7  x\n"
			       "k\303\244se    1234567  \n");
	free(text);
	arena_fini(&arena);
}
END_TEST

START_TEST(control_characters_do_not_reach_the_terminal)
{
	struct table table;
	char *text;

	table_init(&table, &arena, "A|B");
	for (int i = 0; i < 40; i++)
		table_row(&table, "%s|%d", "a\033[2Jb", i);
	text = table_text(&table);
	ck_assert_ptr_null(strchr(text, '\033'));
	ck_assert_ptr_nonnull(strstr(text, "a?[2Jb  39\n"));
	free(text);
	arena_fini(&arena);
}
END_TEST

START_TEST(json_takes_any_bytes)
{
	json_t *object = json_object();
	char *text;

	json_object_set_new(object, "name", json_slice(slice_of_text("a\xff\xc3\xa4\xe2\x82")));
	json_object_set_new(object, "none", json_slice(SLICE_NULL));
	json_set_bytes(object, "text", slice_of("x\0y", 3));
	json_set_bytes(object, "data", slice_of("\xff\xfe", 2));
	json_set_bytes(object, "null", SLICE_NULL);
	text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	ck_assert_str_eq(text,
			 "{\"data_base64\":\"//4=\",\"name\":\"a\357\277\275\303\244\357\277\275\357\277\275\",\"none\":null,"
			 "\"null\":null,\"text\":\"x\\u0000y\"}");
	free(text);
	json_decref(object);
}
END_TEST

START_TEST(a_line_is_taken_apart)
{
	struct line_format format = line_format_default;
	struct line_record record;
	struct error err;

	ck_assert_int_eq(line_format_set(&format, &arena, "parse.key=true", &err), 0);
	ck_assert_int_eq(line_format_set(&format, &arena, "parse.headers=true", &err), 0);
	ck_assert_int_eq(line_format_set(&format, &arena, "null.marker=NUL", &err), 0);
	ck_assert_int_eq(line_read(&format, &arena, slice_of_text("a:1,b:NUL\tkey\tvalue\twith tab"), 1, &record, &err), 0);
	ck_assert_int_eq(record.n_headers, 2);
	ck_assert(slice_is_text(record.headers[0].key, "a") && slice_is_text(record.headers[0].value, "1"));
	ck_assert(slice_is_text(record.headers[1].key, "b") && slice_is_null(record.headers[1].value));
	ck_assert(slice_is_text(record.key, "key"));
	ck_assert(slice_is_text(record.value, "value\twith tab"));
	ck_assert_int_eq(line_read(&format, &arena, slice_of_text("NUL\tNUL\tNUL"), 2, &record, &err), 0);
	ck_assert_int_eq(record.n_headers, 0);
	ck_assert(slice_is_null(record.key) && slice_is_null(record.value));
	arena_fini(&arena);
}
END_TEST

START_TEST(a_line_without_its_separator_is_refused_or_taken_whole)
{
	struct line_format format = line_format_default;
	struct line_record record;
	struct error err;

	ck_assert_int_eq(line_format_set(&format, &arena, "parse.key=true", &err), 0);
	ck_assert_int_eq(line_format_set(&format, &arena, "key.separator=\\t", &err), 0);
	ck_assert_int_eq(line_read(&format, &arena, slice_of_text("no key"), 12, &record, &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "line 12 has no key.separator"));
	ck_assert_int_eq(line_format_set(&format, &arena, "ignore.error=true", &err), 0);
	ck_assert_int_eq(line_read(&format, &arena, slice_of_text("no key"), 12, &record, &err), 0);
	ck_assert(slice_is_null(record.key) && slice_is_text(record.value, "no key"));
	ck_assert_int_eq(line_format_set(&format, &arena, "parse.keys=true", &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "did you mean parse.key?"));
	ck_assert_int_eq(line_format_set(&format, &arena, "parse.key=yes", &err), ERR_INVALID);
	arena_fini(&arena);
}
END_TEST

START_TEST(a_record_is_printed_as_kafkas_consumer_does)
{
	static const char *const properties[] = {"print.timestamp=true", "print.partition=true", "print.offset=true",
						 "print.headers=true", "print.key=true"};
	struct line_header headers[] = {{slice_of_text("h1"), slice_of_text("v1")}, {slice_of_text("h2"), SLICE_NULL}};
	struct line_record record = {.key = SLICE_NULL, .value = slice_of_text("v"), .headers = headers, .n_headers = 2};
	struct line_place place = {.timestamp_type = "CreateTime", .timestamp = 5, .partition = 2, .offset = 7};
	struct line_format format = line_format_default;
	struct error err;
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	line_print(&format, &place, &record, out);
	for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++)
		ck_assert_int_eq(line_format_set(&format, &arena, properties[i], &err), 0);
	line_print(&format, &place, &record, out);
	place.timestamp_type = NULL;
	record.n_headers = 0;
	line_print(&format, &place, &record, out);
	fclose(out);
	ck_assert_str_eq(text, "v\n"
			       "CreateTime:5\tPartition:2\tOffset:7\th1:v1,h2:null\tnull\tv\n"
			       "NO_TIMESTAMP\tPartition:2\tOffset:7\tNO_HEADERS\tnull\tv\n");
	free(text);
	arena_fini(&arena);
}
END_TEST

START_TEST(percentiles_are_exact_to_a_hundredth)
{
	struct histogram *histogram = calloc(1, sizeof *histogram);

	ck_assert_uint_eq(histogram_percentile(histogram, 0.5), 0);
	for (uint64_t i = 1; i <= 100000; i++)
		histogram_add(histogram, i);
	ck_assert_double_eq_tol(histogram_mean(histogram), 50000.5, 0.01);
	ck_assert_double_eq_tol((double)histogram_percentile(histogram, 0.5), 50000, 500);
	ck_assert_double_eq_tol((double)histogram_percentile(histogram, 0.99), 99000, 990);
	ck_assert_uint_eq(histogram_percentile(histogram, 1), 100000);
	histogram_add(histogram, UINT64_MAX);
	ck_assert_uint_eq(histogram_percentile(histogram, 1), UINT64_MAX);
	free(histogram);
}
END_TEST

START_TEST(small_latencies_are_exact)
{
	struct histogram *histogram = calloc(1, sizeof *histogram);

	for (uint64_t i = 0; i < 128; i++)
		histogram_add(histogram, i);
	ck_assert_uint_eq(histogram_percentile(histogram, 0.25), 31);
	ck_assert_uint_eq(histogram_percentile(histogram, 0), 0);
	free(histogram);
}
END_TEST

UNIT_MAIN("tools/klamm/output", columns_are_as_wide_as_their_widest_cell, control_characters_do_not_reach_the_terminal,
	  json_takes_any_bytes, a_line_is_taken_apart, a_line_without_its_separator_is_refused_or_taken_whole,
	  a_record_is_printed_as_kafkas_consumer_does, percentiles_are_exact_to_a_hundredth, small_latencies_are_exact)
