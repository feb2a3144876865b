/* Command lines against tables of options. */
#include "test/lib/unit.h"

#include "common/memory.h"
#include "tools/klamm/args.h"

#include <stdlib.h>

static const struct option_row actions[] = {
	{"list", NULL, OPTION_ACTION, "List."},
	{"delete", NULL, OPTION_ACTION, "Delete."},
	{"delete-config", "NAME", OPTION_REPEATS, "Delete a config."},
	{0},
};

static const struct option_row others[] = {
	{"topic", "NAME", 0, "The topic."},
	{"partitions", "N", 0, "How many."},
	{"codec", "CODEC", OPTION_MAY_LACK, "The codec."},
	{"quiet", NULL, 0, "Say nothing."},
	{"secret", NULL, OPTION_HIDDEN, "Not in the help."},
	{0},
};

static const struct option_row *const tables[] = {actions, others, NULL};

static struct arena arena;
static struct args args;
static struct error err;

#define PARSE(...)                                                                                                             \
	({                                                                                                                     \
		char *argv[] = {__VA_ARGS__};                                                                                  \
		arena_fini(&arena);                                                                                            \
		err = (struct error){0};                                                                                       \
		args_parse(&arena, tables, (int)ARRAY_LEN(argv), argv, &args, &err);                                           \
	})

START_TEST(values_come_behind_a_blank_or_an_equals_sign)
{
	ck_assert_int_eq(PARSE("--topic", "a=b", "--partitions=3", "--quiet"), 0);
	ck_assert_str_eq(args_text(&args, "topic", NULL), "a=b");
	ck_assert_str_eq(args_text(&args, "partitions", NULL), "3");
	ck_assert(args_has(&args, "quiet"));
	ck_assert(!args_has(&args, "codec"));
	ck_assert_str_eq(args_text(&args, "codec", "none"), "none");
}
END_TEST

START_TEST(an_unambiguous_beginning_is_enough)
{
	ck_assert_int_eq(PARSE("--top", "x", "--part=2"), 0);
	ck_assert_str_eq(args_text(&args, "topic", NULL), "x");
	ck_assert_int_eq(PARSE("--delete"), 0);
	ck_assert(args_has(&args, "delete"));
	ck_assert_int_eq(PARSE("--del"), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "--delete or --delete-config"));
}
END_TEST

START_TEST(unknown_options_are_answered_with_the_nearest)
{
	ck_assert_int_eq(PARSE("--partitoins", "2"), ERR_INVALID);
	ck_assert_str_eq(err.text, "unknown option --partitoins: did you mean --partitions?");
	ck_assert_int_eq(PARSE("--xyzzy"), ERR_INVALID);
	ck_assert_str_eq(err.text, "unknown option --xyzzy");
	ck_assert_int_eq(PARSE("-t", "x"), ERR_INVALID);
}
END_TEST

START_TEST(values_that_are_missing_or_too_many_are_refused)
{
	ck_assert_int_eq(PARSE("--topic"), ERR_INVALID);
	ck_assert_int_eq(PARSE("--topic", "--quiet"), ERR_INVALID);
	ck_assert_int_eq(PARSE("--quiet=yes"), ERR_INVALID);
	ck_assert_int_eq(PARSE("--topic", "a", "--topic", "b"), ERR_INVALID);
	ck_assert_str_eq(err.text, "--topic is given twice");
}
END_TEST

START_TEST(some_repeat_and_some_may_lack_their_value)
{
	ck_assert_int_eq(PARSE("--delete-config", "a", "--delete-config", "b", "--codec"), 0);
	ck_assert_str_eq(args_text_at(&args, "delete-config", 0), "a");
	ck_assert_str_eq(args_text_at(&args, "delete-config", 1), "b");
	ck_assert_ptr_null(args_text_at(&args, "delete-config", 2));
	ck_assert_str_eq(args_text(&args, "codec", NULL), "");
	ck_assert_int_eq(PARSE("--codec", "lz4"), 0);
	ck_assert_str_eq(args_text(&args, "codec", NULL), "lz4");
}
END_TEST

START_TEST(negative_numbers_are_values)
{
	int64_t number;

	ck_assert_int_eq(PARSE("--partitions", "-2"), 0);
	ck_assert_int_eq(args_number(&args, "partitions", -5, 5, 0, &number, &err), 0);
	ck_assert_int_eq(number, -2);
	ck_assert_int_eq(args_number(&args, "partitions", 1, 5, 0, &number, &err), ERR_INVALID);
	ck_assert_str_eq(err.text, "--partitions -2: a whole number from 1 to 5 belongs there");
	ck_assert_int_eq(PARSE("--partitions", "2x"), 0);
	ck_assert_int_eq(args_number(&args, "partitions", 1, 5, 0, &number, &err), ERR_INVALID);
	ck_assert_int_eq(PARSE("--partitions", "99999999999999999999"), 0);
	ck_assert_int_eq(args_number(&args, "partitions", 1, INT64_MAX, 0, &number, &err), ERR_INVALID);
	ck_assert_int_eq(PARSE("--quiet"), 0);
	ck_assert_int_eq(args_number(&args, "partitions", 1, 5, 7, &number, &err), 0);
	ck_assert_int_eq(number, 7);
}
END_TEST

START_TEST(an_action_may_be_a_word)
{
	const char *action;

	ck_assert_int_eq(PARSE("list", "--quiet"), 0);
	ck_assert_int_eq(args_action(&args, &action, &err), 0);
	ck_assert_str_eq(action, "list");
	ck_assert_int_eq(PARSE("file", "list"), 0);
	ck_assert_int_eq(args.n_words, 2);
	ck_assert_int_eq(args_action(&args, &action, &err), ERR_INVALID);
	ck_assert_str_eq(err.text, "say what to do: one of --list, --delete");
	ck_assert_int_eq(PARSE("--list", "--delete"), 0);
	ck_assert_int_eq(args_action(&args, &action, &err), ERR_INVALID);
}
END_TEST

START_TEST(two_dashes_end_the_options)
{
	ck_assert_int_eq(PARSE("--quiet", "--", "--topic", "-x"), 0);
	ck_assert_int_eq(args.n_words, 2);
	ck_assert_str_eq(args.words[0], "--topic");
	ck_assert_int_eq(args_words_max(&args, 2, &err), 0);
	ck_assert_int_eq(args_words_max(&args, 0, &err), ERR_INVALID);
	ck_assert_str_eq(err.text, "'--topic' is not understood here");
}
END_TEST

START_TEST(the_help_shows_every_row_that_is_not_hidden)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	args_help(tables, out, 80);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "  --topic NAME"));
	ck_assert_ptr_nonnull(strstr(text, "  --codec [CODEC]"));
	ck_assert_ptr_null(strstr(text, "secret"));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		ck_assert_uint_le(strlen(line), 80);
	free(text);
	arena_fini(&arena);
}
END_TEST

UNIT_MAIN("tools/klamm/args", values_come_behind_a_blank_or_an_equals_sign, an_unambiguous_beginning_is_enough,
	  unknown_options_are_answered_with_the_nearest, values_that_are_missing_or_too_many_are_refused,
	  some_repeat_and_some_may_lack_their_value, negative_numbers_are_values, an_action_may_be_a_word,
	  two_dashes_end_the_options, the_help_shows_every_row_that_is_not_hidden)
