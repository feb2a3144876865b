/* The generator, run as the build runs it: good schemas give C, bad ones are refused with file and line. */
#include "test/lib/unit.h"

#include "common/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define HEAD "api Sample 7  versions 0-5  flexible 3+\n"

static char output[8192];
static const char *dir; /* schemas and what is made of them */

/* Runs kgen on a schema of this text, called sample.api, and maybe a second one, other.api. Its exit status; what it says is in
 * output. */
static int run_kgen(const char *schema, const char *second)
{
	const char *texts[] = {schema, second};
	const char *names[] = {"sample", "other"};
	char *command;
	char *whole;
	FILE *pipe;
	size_t len;
	int status;

	if (!dir)
		dir = unit_temp_dir();
	command = memory_printf("ASAN_OPTIONS=detect_leaks=0 '%s/proto/kgen' '%s'", getenv("KLAMM_BUILDDIR"), dir);
	for (int i = 0; i < 2 && texts[i]; i++) {
		char *path = memory_printf("%s/%s.api", dir, names[i]);
		char *longer = memory_printf("%s '%s'", command, path);
		FILE *file = fopen(path, "w");

		ck_assert_ptr_nonnull(file);
		fputs(texts[i], file);
		fclose(file);
		free(path);
		free(command);
		command = longer;
	}
	whole = memory_printf("%s 2>&1", command);
	pipe = popen(whole, "r");
	ck_assert_ptr_nonnull(pipe);
	len = fread(output, 1, sizeof output - 1, pipe);
	output[len] = 0;
	status = pclose(pipe);
	free(command);
	free(whole);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *generated(const char *name)
{
	char *path = memory_printf("%s/%s", dir, name);
	FILE *file = fopen(path, "r");
	char *text = memory_zalloc(1, 65536);

	ck_assert_msg(file != NULL, "%s", path);
	ck_assert_uint_gt(fread(text, 1, 65535, file), 0);
	fclose(file);
	free(path);
	return text;
}

START_TEST(a_good_schema_becomes_structs_and_tables)
{
	char *text;

	ck_assert_msg(run_kgen("# Sample: shows all.\n"
			       "# v1 things.\n" HEAD "\nrequest\n"
			       "  # A name.\n"
			       "  name    string  1+ nullable 2-4 = null lossy limit 10  # of it\n"
			       "  parts   []part\n"
			       "    index partition_id\n"
			       "    spare []i32  3+ tag 0\n"
			       "  one     single  2+\n"
			       "    at    timestamp = -1\n"
			       "  again   []part  4+ tag 1\n"
			       "  maybe   single  3+ nullable tag 0\n"
			       "\nresponse\n"
			       "  text    string = \"a # b\"\n",
			       NULL) == 0,
		      "%s", output);
	text = generated("sample.gen.h");
	ck_assert_ptr_nonnull(strstr(text, " * Sample: shows all.\n * v1 things.\n"));
	ck_assert_ptr_nonnull(strstr(text, "struct sample_request_part {\n\tint32_t index; /* partition_id */\n"));
	ck_assert_ptr_nonnull(
		strstr(text, "\tstruct slice name; /* versions 1-5; nullable 2-4; default null; A name. of it */\n"));
	ck_assert_ptr_nonnull(strstr(text, "\tstruct sample_request_single one;"));
	ck_assert_ptr_nonnull(strstr(text, "\tstruct sample_request_single *maybe;"));
	ck_assert_ptr_nonnull(strstr(text, "\tint32_t n_parts;"));
	free(text);
	text = generated("tables.gen.c");
	ck_assert_ptr_nonnull(strstr(text, "{\"name\", NULL, FIELD_STRING, 0, 1, MEANING_NONE, 1, 5, 2, 4, -1, "));
	ck_assert_ptr_nonnull(strstr(text, "\"a # b\""));
	free(text);
	text = generated("api_keys.gen.h");
	ck_assert_ptr_nonnull(strstr(text, "API_SAMPLE = 7,"));
	free(text);
}
END_TEST

START_TEST(files_that_stay_the_same_are_left_alone)
{
	struct stat before, after;
	char *path;

	ck_assert_int_eq(run_kgen(HEAD "request\nresponse\n", NULL), 0);
	path = memory_printf("%s/sample.gen.h", dir);
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(run_kgen(HEAD "request\nresponse\n", NULL), 0);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	ck_assert_int_eq(run_kgen(HEAD "request\n  x i8\nresponse\n", NULL), 0);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_int_ne(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	free(path);
}
END_TEST

struct bad {
	const char *schema;
	int line;
	const char *says;
};

#define REQUEST HEAD "request\n"

static const struct bad bads[] = {
	{"", 1, "needs `request` and `response`"},
	{"message Sample 7\n", 1, "begins with"},
	{"api sample 7 versions 0-5 flexible none\n", 1, "Kafka's"},
	{"api Sample x versions 0-5 flexible none\n", 1, "api key needs a number"},
	{"api Sample 7 versions 0+ flexible none\n", 1, "goes on with"},
	{"api Sample 7 versions 0-5 flexible 6+\n", 1, "flexible takes"},
	{"api Sample 7 versions 0-5 flexible 3-4\n", 1, "flexible takes"},
	{"api Other 7 versions 0-5 flexible none\nrequest\nresponse\n", 1, "belongs into other.api"},
	{HEAD "response\n", 2, "expected"},
	{HEAD "request\nrequest\n", 3, "expected"},
	{HEAD "body\n", 2, "expected"},
	{REQUEST "response\nresponse\n", 4, "expected"},
	{REQUEST "  x\n", 3, "a name and a type"},
	{REQUEST "\tx i8\n", 3, "a tab"},
	{REQUEST "   x i8\n", 3, "two spaces"},
	{REQUEST "    x i8\n", 3, "too deep"},
	{REQUEST "  x i8\n      y i8\n", 4, "too deep"},
	{REQUEST "  X i8\n", 3, "no name"},
	{REQUEST "  int i8\n", 3, "word of C"},
	{REQUEST "  x i8\n  x i16\n", 4, "taken"},
	{REQUEST "  x []i8\n  n_x i16\n", 4, "taken"},
	{REQUEST "  x i8 # a*/b\n", 3, "comment"},
	{REQUEST "  x i9\n", 3, "unknown type"},
	{REQUEST "  x i8 often\n", 3, "`often` is unknown"},
	{REQUEST "  x i8 lossy lossy\n", 3, "stands twice"},
	{REQUEST "  x i8 1+ 2+\n", 3, "twice"},
	{REQUEST "  x i8 4-2\n", 3, "unknown"},
	{REQUEST "  x i8 3-9\n", 3, "not within 0-5"},
	{REQUEST "  x i8 9+\n", 3, "not within 0-5"},
	{REQUEST "  x []thing 2+\n    y i8 1+\n", 4, "not within 2-5"},
	{REQUEST "  x []thing 0-2\n    y i8 3\n", 4, "not within 0-2"},
	{REQUEST "  x string 2-3 nullable 1+\n", 3, "nullable versions"},
	{REQUEST "  x i8 nullable\n", 3, "has no null"},
	{REQUEST "  x i8 tag 0\n", 3, "flexible"},
	{REQUEST "  x i8 2+ tag 0\n", 3, "flexible"},
	{REQUEST "  x i8 3+ tag 0 4+\n", 3, "differ"},
	{REQUEST "  x i8 3+ tag 0\n  y i8 3+ tag 0\n", 4, "used twice"},
	{REQUEST "  x i8 3+ tag 0\n  y i8 3+ tag 2\n", 2, "1 is missing"},
	{REQUEST "  x i8 3+ tag\n", 3, "needs a number"},
	{REQUEST "  x i8 3+ tag 64\n", 3, "beyond"},
	{REQUEST "  x records 3+ tag 0\n", 3, "tagged"},
	{REQUEST "  x thing 3+ tag 0\n    y records\n", 4, "tagged"},
	{REQUEST "  x i8 = 128\n", 3, "does not fit"},
	{REQUEST "  x i16 = 1x\n", 3, "does not fit"},
	{REQUEST "  x u16 = -1\n", 3, "does not fit"},
	{REQUEST "  x i64 = 9223372036854775808\n", 3, "does not fit"},
	{REQUEST "  x bool = 1\n", 3, "does not fit"},
	{REQUEST "  x string = abc\n", 3, "does not fit"},
	{REQUEST "  x string = null\n", 3, "not nullable"},
	{REQUEST "  x []i8 = 3\n", 3, "does not fit"},
	{REQUEST "  x i8 =\n", 3, "needs a value"},
	{REQUEST "  x string = \"abc\n", 3, "closing quote"},
	{REQUEST "  x string = \"abc\"d\n", 3, "space between"},
	{REQUEST "  x i8 limit 3\n", 3, "limit is for"},
	{REQUEST "  x []bool\n", 3, "no arrays"},
	{REQUEST "  x []thing\n    y i8\n  z []thing\n    y i8\n", 5, "declared in line 3 already"},
	{REQUEST "  z []thing\n  x []thing\n    y i8\n", 3, "declared only below"},
	{REQUEST "  x []thing\n    y []thing\n", 3, "contains itself"},
	{REQUEST "  x []partition\n    y i8\n  z []partition\n", 5, "give the struct another name"},
};

START_TEST(bad_schemas_are_refused_with_file_and_line)
{
	for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
		const char *schema = bads[i].schema;
		char *whole = memory_printf(
			"%s%s", schema,
			strncmp(schema, REQUEST, strlen(REQUEST)) == 0 && !strstr(schema, "\nresponse") ? "response\n" : "");
		char *where = memory_printf("sample.api:%d: ", bads[i].line);

		ck_assert_msg(run_kgen(whole, NULL) == 1, "accepted: %s", whole);
		ck_assert_msg(strstr(output, where) && strstr(output, bads[i].says), "%s\nsays: %s", whole, output);
		free(whole);
		free(where);
	}
}
END_TEST

START_TEST(keys_and_names_are_used_once)
{
	ck_assert_int_eq(run_kgen(HEAD "request\nresponse\n", "api Other 7 versions 0 flexible none\nrequest\nresponse\n"), 1);
	ck_assert_ptr_nonnull(strstr(output, "other.api:1: api key 7 is taken by"));
	ck_assert_int_eq(run_kgen(HEAD "request\nresponse\n", "record Sample versions 0 flexible none\nbody\n"), 1);
	ck_assert_ptr_nonnull(strstr(output, "other.api:1: Sample is defined in"));
	ck_assert_int_eq(run_kgen(HEAD "request\nresponse\n", "record Other versions 0 flexible none\nbody\n  x i8\n"), 0);
}
END_TEST

START_TEST(without_files_it_tells_how_it_is_called)
{
	ck_assert_int_eq(run_kgen(NULL, NULL), 2);
	ck_assert_ptr_nonnull(strstr(output, "usage"));
}
END_TEST

UNIT_MAIN("proto/kgen", a_good_schema_becomes_structs_and_tables, files_that_stay_the_same_are_left_alone,
	  bad_schemas_are_refused_with_file_and_line, keys_and_names_are_used_once, without_files_it_tells_how_it_is_called)
