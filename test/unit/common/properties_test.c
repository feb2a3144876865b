/* Files in .properties format. */
#include "test/lib/unit.h"

#include "common/properties.h"

#include <stdio.h>
#include <stdlib.h>

static struct properties properties;
static struct error err;

static void setup_text(const char *text)
{
	properties_init(&properties);
	err.code = 0;
	ck_assert_int_eq(properties_parse(&properties, slice_of_text(text), "f", &err), 0);
}

static void check(int i, const char *key, const char *value, int line)
{
	ck_assert_int_lt(i, properties.n);
	ck_assert_str_eq((const char *)properties.list[i].key.data, key);
	ck_assert_str_eq((const char *)properties.list[i].value.data, value);
	ck_assert_int_eq(properties.list[i].line, line);
	ck_assert_str_eq(properties.list[i].origin, "f");
}

START_TEST(separators_are_equals_colon_and_blanks)
{
	setup_text("a=1\nb:2\nc 3\nd\t=\t4\ne = 5\nf=\ng\n  h : i=j:k l\n=nokey\n");
	ck_assert_int_eq(properties.n, 9);
	check(0, "a", "1", 1);
	check(1, "b", "2", 2);
	check(2, "c", "3", 3);
	check(3, "d", "4", 4);
	check(4, "e", "5", 5);
	check(5, "f", "", 6);
	check(6, "g", "", 7);
	check(7, "h", "i=j:k l", 8);
	check(8, "", "nokey", 9);
	properties_fini(&properties);
}
END_TEST

START_TEST(comments_and_blank_lines_are_skipped_and_never_go_on)
{
	setup_text("# c\\\na=1\n\n \t\n  ! d\nb=2 # not a comment\n");
	ck_assert_int_eq(properties.n, 2);
	check(0, "a", "1", 2);
	check(1, "b", "2 # not a comment", 6);
	properties_fini(&properties);
}
END_TEST

START_TEST(lines_go_on_after_an_odd_number_of_backslashes)
{
	setup_text("a=1,\\\n    2,\\\r\n\t3\nb=x\\\\\nc=y\\\\\\\nz\nd=end\\");
	ck_assert_int_eq(properties.n, 4);
	check(0, "a", "1,2,3", 1);
	check(1, "b", "x\\", 4);
	check(2, "c", "y\\z", 5);
	check(3, "d", "end", 7);
	properties_fini(&properties);
}
END_TEST

START_TEST(line_ends_of_every_kind_count_once)
{
	setup_text("a=1\r\nb=2\rc=3\n\r\nd=4");
	ck_assert_int_eq(properties.n, 4);
	check(1, "b", "2", 2);
	check(2, "c", "3", 3);
	check(3, "d", "4", 5);
	properties_fini(&properties);
}
END_TEST

START_TEST(escapes_are_resolved)
{
	setup_text("a\\ b\\=c\\:d=\\t\\n\\q\\\\\nu=\\u00e9\\u20ac\\ud83d\\ude00\\ud83dx\n k\\u0041 = trailing  \n");
	check(0, "a b=c:d", "\t\nq\\", 1);
	check(1, "u", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbdx", 2);
	check(2, "kA", "trailing  ", 3);
	properties_fini(&properties);
}
END_TEST

START_TEST(damaged_text_is_refused_with_its_place)
{
	static const char *const texts[] = {"a=1\nb=\\u12", "a=1\nb=\\u12g4", "a=1\nb\\u=2", "a=1\nb=\\u0000"};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		properties_init(&properties);
		ck_assert_int_eq(properties_parse(&properties, slice_of_text(texts[i]), "f", &err), ERR_CONFIG);
		ck_assert_msg(strstr(err.text, "f:2: ") == err.text, "%s", err.text);
		ck_assert_int_eq(properties.n, 0);
		properties_fini(&properties);
	}
	properties_init(&properties);
	ck_assert_int_eq(properties_parse(&properties, slice_of("a=b\0c", 5), "f", &err), ERR_CONFIG);
	properties_fini(&properties);
}
END_TEST

START_TEST(the_last_of_equal_keys_counts_and_options_come_last)
{
	setup_text("a=1\na=2\n");
	ck_assert_int_eq(properties_get(&properties, "a")->line, 2);
	ck_assert_int_eq(properties_set(&properties, "a=x=y", "--set", &err), 0);
	ck_assert(slice_is_text(properties_get(&properties, "a")->value, "x=y"));
	ck_assert_int_eq(properties_get(&properties, "a")->line, 0);
	ck_assert_ptr_null(properties_get(&properties, "b"));
	ck_assert_int_eq(properties_set(&properties, "a", "--set", &err), ERR_CONFIG);
	ck_assert_str_eq(err.text, "--set a: expected key=value");
	ck_assert_int_eq(properties_set(&properties, "=a", "--set", &err), ERR_CONFIG);
	properties_fini(&properties);
}
END_TEST

START_TEST(files_are_read_and_missing_ones_named)
{
	char *path = NULL;
	FILE *file;

	ck_assert_int_gt(asprintf(&path, "%s/server.properties", unit_temp_dir()), 0);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs("a=1\n", file);
	fclose(file);
	properties_init(&properties);
	ck_assert_int_eq(properties_read_file(&properties, path, &err), 0);
	ck_assert_int_eq(properties.n, 1);
	ck_assert_str_eq(properties.list[0].origin, path);
	ck_assert_int_eq(properties_read_file(&properties, "/nonexistent/x", &err), ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/x"));
	ck_assert_int_ne(properties_read_file(&properties, unit_temp_dir(), &err), 0);
	properties_fini(&properties);
	free(path);
}
END_TEST

UNIT_MAIN("common/properties", separators_are_equals_colon_and_blanks, comments_and_blank_lines_are_skipped_and_never_go_on,
	  lines_go_on_after_an_odd_number_of_backslashes, line_ends_of_every_kind_count_once, escapes_are_resolved,
	  damaged_text_is_refused_with_its_place, the_last_of_equal_keys_counts_and_options_come_last, files_are_read_and_missing_ones_named)
