/* Rows of configuration: reading and refusing values, lists, pairs, the nearest name. */
#include "test/lib/unit.h"

#include "common/memory.h"
#include "common/nearest.h"

struct typed {
	bool flag;
	int32_t small;
	int64_t large;
	double ratio;
	const char *text;
};

#define ROW_STRUCT struct typed
#include "common/config_row.h"

static const struct config_row rows[] = {
	ROW("a.flag", BOOLEAN, "true", ANY, HIGH, STATIC, FIELD(flag), "A flag."),
	ROW("b.small", INT, "7", BETWEEN(1, 17), HIGH, STATIC, FIELD(small), "A number."),
	ROW("c.large", LONG, NULL, AT_LEAST(-1), HIGH, STATIC, FIELD(large), "A large number."),
	ROW("d.ratio", DOUBLE, "0.5", RATIO, HIGH, STATIC, FIELD(ratio), "A ratio."),
	ROW("e.text", STRING, "x", ONE_OF("x, y"), HIGH, STATIC, FIELD(text), "A word."),
	ROW("f.level", INT, "-1", LEVEL(1, 9), HIGH, STATIC, UNUSED, "A level."),
	ROW("g.list", LIST, "", LIST_OF("x, y"), HIGH, STATIC, UNUSED, "A list."),
	ROW("h.version", STRING, "3.9-IV0", VERSION, HIGH, STATIC, UNUSED, "A version."),
	ROW("i.throttled", LIST, "", THROTTLED, HIGH, STATIC, UNUSED, "Replicas."),
	ROW("j.name", STRING, NULL, NOT_EMPTY, HIGH, STATIC, UNUSED, "A name."),
	ROW("k.secret", PASSWORD, NULL, ANY, HIGH, STATIC, UNUSED, "A secret."),
	ROW("l.short", SHORT, "3", ANY, HIGH, STATIC, UNUSED, "A short number."),
};
static const struct config_table table = {rows, ARRAY_LEN(rows)};

/* NULL when the value passes, else what is said about it. */
static const char *refusal_of(struct arena *arena, const char *key, const char *value, struct config_parsed *ret_parsed)
{
	int row = config_table_find(&table, slice_of_text(key));
	const char *refusal = NULL;

	ck_assert_int_ge(row, 0);
	return config_parse(&rows[row], slice_of_text(value), arena, ret_parsed, &refusal) ? NULL : refusal;
}

START_TEST(defaults_fill_a_typed_struct)
{
	struct arena arena;
	struct typed typed;

	arena_init(&arena);
	config_store_defaults(&table, &typed, &arena);
	ck_assert(typed.flag);
	ck_assert_int_eq(typed.small, 7);
	ck_assert_int_eq(typed.large, -1);
	ck_assert(typed.ratio > 0.49 && typed.ratio < 0.51);
	ck_assert_str_eq(typed.text, "x");
	arena_fini(&arena);
}
END_TEST

START_TEST(values_that_pass_are_read_as_java_reads_them)
{
	static const struct {
		const char *key, *value, *shown;
	} cases[] = {
		{"a.flag", " TRUE ", "true"},	{"a.flag", "False", "false"},	{"b.small", "+08", "8"},
		{"c.large", "-1", "-1"},	{"c.large", "9223372036854775807", "9223372036854775807"},
		{"d.ratio", "0.30f", "0.3"},	{"d.ratio", "1e-1", "0.1"},	{"d.ratio", "1", "1.0"},
		{"d.ratio", "NaN", "NaN"},	{"f.level", "-1", "-1"},	{"f.level", "9", "9"},
		{"g.list", " x , y ", "x,y"},	{"g.list", "", ""},		{"h.version", "3.9", "3.9"},
		{"h.version", "0.10.0", "0.10.0"}, {"h.version", "2.8-IV1", "2.8-IV1"}, {"h.version", "3.9.1", "3.9.1"},
		{"i.throttled", "*", "*"},	{"i.throttled", "0:1, 1:2", "0:1,1:2"}, {"k.secret", " s ", " s "},
		{"l.short", "-32768", "-32768"},
	};
	struct config_parsed parsed;
	struct arena arena;

	arena_init(&arena);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *refusal = refusal_of(&arena, cases[i].key, cases[i].value, &parsed);
		const struct config_row *row = &rows[config_table_find(&table, slice_of_text(cases[i].key))];

		ck_assert_msg(!refusal, "%s", refusal);
		ck_assert_str_eq((const char *)config_show(row, &parsed, &arena).data, cases[i].shown);
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(refusals_are_in_kafkas_words)
{
	static const struct {
		const char *key, *value, *refusal;
	} cases[] = {
		{"a.flag", "yes", "Invalid value yes for configuration a.flag: Expected value to be either true or false"},
		{"a.flag", NULL, "Invalid value null for configuration a.flag: entry must be non null"},
		{"b.small", "x", "Invalid value x for configuration b.small: Not a number of type INT"},
		{"b.small", "", "Invalid value  for configuration b.small: Not a number of type INT"},
		{"b.small", "-", "Invalid value - for configuration b.small: Not a number of type INT"},
		{"b.small", "1.5", "Invalid value 1.5 for configuration b.small: Not a number of type INT"},
		{"b.small", "2147483648", "Invalid value 2147483648 for configuration b.small: Not a number of type INT"},
		{"b.small", "0", "Invalid value 0 for configuration b.small: Value must be at least 1"},
		{"b.small", "18", "Invalid value 18 for configuration b.small: Value must be no more than 17"},
		{"c.large", "9223372036854775808", "Invalid value 9223372036854775808 for configuration c.large: Not a number of type LONG"},
		{"c.large", "-2", "Invalid value -2 for configuration c.large: Value must be at least -1"},
		{"d.ratio", "2", "Invalid value 2.0 for configuration d.ratio: Value must be no more than 1"},
		{"d.ratio", "-1", "Invalid value -1.0 for configuration d.ratio: Value must be at least 0"},
		{"d.ratio", "0x1", "Invalid value 0x1 for configuration d.ratio: Not a number of type DOUBLE"},
		{"d.ratio", "inf", "Invalid value inf for configuration d.ratio: Not a number of type DOUBLE"},
		{"e.text", "z", "Invalid value z for configuration e.text: String must be one of: x, y"},
		{"f.level", "0", "Invalid value 0 for configuration f.level: Value must be between 1 and 9 or equal to -1"},
		{"g.list", "x,z", "Invalid value z for configuration g.list: String must be one of: x, y"},
		{"g.list", "x,", "Invalid value  for configuration g.list: String must be one of: x, y"},
		{"h.version", "9.9", "Invalid value 9.9 for configuration h.version: Version 9.9 is not a valid version"},
		{"h.version", "3.9-XX0", "Invalid value 3.9-XX0 for configuration h.version: Version 3.9-XX0 is not a valid version"},
		{"i.throttled", "0:1,*",
		 "Invalid value [0:1, *] for configuration i.throttled: i.throttled must be the literal '*' or a list of replicas in the "
		 "following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."},
		{"j.name", "", "Invalid value  for configuration j.name: String must be non-empty"},
		{"l.short", "32768", "Invalid value 32768 for configuration l.short: Not a number of type SHORT"},
	};
	struct config_parsed parsed;
	struct arena arena;

	arena_init(&arena);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *refusal = refusal_of(&arena, cases[i].key, cases[i].value, &parsed);

		ck_assert_ptr_nonnull(refusal);
		ck_assert_str_eq(refusal, cases[i].refusal);
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(what_may_stand_there_is_told)
{
	struct arena arena;

	arena_init(&arena);
	ck_assert_str_eq(config_allowed_text(&rows[1], &arena), "an integer of 32 bits from 1 to 17");
	ck_assert_str_eq(config_allowed_text(&rows[4], &arena), "one of: x, y");
	ck_assert_str_eq(config_allowed_text(&rows[0], &arena), "true or false");
	arena_fini(&arena);
}
END_TEST

START_TEST(the_nearest_key_is_suggested)
{
	ck_assert_str_eq(config_table_nearest(&table, SLICE_LITERAL("b.smal")), "b.small");
	ck_assert_str_eq(config_table_nearest(&table, SLICE_LITERAL("b.smlal")), "b.small");
	ck_assert_str_eq(config_table_nearest(&table, SLICE_LITERAL("B.small")), "b.small");
	ck_assert_ptr_null(config_table_nearest(&table, SLICE_LITERAL("something.else.entirely")));
	ck_assert_ptr_null(config_table_nearest(&table, SLICE_LITERAL("")));
	ck_assert_int_eq(nearest_distance(SLICE_LITERAL("kitten"), SLICE_LITERAL("sitting"), 9), 3);
	ck_assert_int_eq(nearest_distance(SLICE_LITERAL("ab"), SLICE_LITERAL("ba"), 9), 1);
	ck_assert_int_eq(nearest_distance(SLICE_LITERAL("abcdef"), SLICE_LITERAL("uvwxyz"), 2), 3);
	ck_assert_int_eq(config_table_find(&table, SLICE_LITERAL("zzz")), -1);
	ck_assert_int_eq(config_table_find(&table, SLICE_LITERAL("")), -1);
}
END_TEST

START_TEST(pairs_are_sorted_and_the_last_of_a_key_stays)
{
	const struct config_pair list[] = {{SLICE_LITERAL("b"), SLICE_LITERAL("1")},
					   {SLICE_LITERAL("a"), SLICE_LITERAL("2")},
					   {SLICE_LITERAL("b"), SLICE_LITERAL("3")}};
	struct config_pairs pairs, empty;
	struct arena arena;

	arena_init(&arena);
	pairs = config_pairs_sorted(&arena, list, 3);
	empty = config_pairs_sorted(&arena, NULL, 0);
	ck_assert_int_eq(pairs.n, 2);
	ck_assert(slice_is_text(config_pairs_get(pairs, SLICE_LITERAL("b")), "3"));
	ck_assert(slice_is_null(config_pairs_get(pairs, SLICE_LITERAL("c"))));
	ck_assert(slice_is_null(config_pairs_get(empty, SLICE_LITERAL("a"))));
	ck_assert(config_pairs_equal(pairs, pairs));
	ck_assert(!config_pairs_equal(pairs, empty));
	arena_fini(&arena);
}
END_TEST

UNIT_MAIN("common/config_table", defaults_fill_a_typed_struct, values_that_pass_are_read_as_java_reads_them,
	  refusals_are_in_kafkas_words, what_may_stand_there_is_told, the_nearest_key_is_suggested,
	  pairs_are_sorted_and_the_last_of_a_key_stays)
