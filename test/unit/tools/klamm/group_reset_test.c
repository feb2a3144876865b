/* What --reset-offsets reads. */
#include "test/lib/unit.h"

#include "common/memory.h"
#include "tools/klamm/group_reset_core.h"

static struct arena arena;
static struct error err;

struct timed {
	const char *text;
	int64_t ms; /* -1: refused */
};

START_TEST(topics_may_name_partitions)
{
	struct group_topic topic;

	ck_assert_int_eq(group_topic_parse(&arena, "orders", &topic, &err), 0);
	ck_assert(slice_is_text(topic.topic, "orders") && topic.n_partitions == -1);
	ck_assert_int_eq(group_topic_parse(&arena, "a.b:0,12,2147483647", &topic, &err), 0);
	ck_assert(slice_is_text(topic.topic, "a.b") && topic.n_partitions == 3);
	ck_assert(topic.partitions[0] == 0 && topic.partitions[1] == 12 && topic.partitions[2] == INT32_MAX);
}
END_TEST

START_TEST(other_topics_are_refused)
{
	static const char *const texts[] = {"", ":1", "a:", "a:1,", "a:,1", "a:-1", "a:1 2", "a:2147483648", "a:99999999999999999999", "a:x"};
	struct group_topic topic;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		ck_assert_msg(group_topic_parse(&arena, texts[i], &topic, &err) == ERR_INVALID, "%s", texts[i]);
}
END_TEST

START_TEST(times_are_of_the_gregorian_calendar_and_utc)
{
	static const struct timed times[] = {
		{"1970-01-01T00:00:00.000", 0},
		{"1970-01-01T00:00:00", 0},
		{"2000-02-29T12:00:00.000Z", 951825600000},
		{"2026-11-21T21:30:15.250", 1795296615250},
		{"2026-11-21T21:30:15.250+01:00", 1795293015250},
		{"2026-11-21T21:30:15.250+0100", 1795293015250},
		{"2026-11-21T21:30:15.250-03", 1795307415250},
		{"1969-12-31T23:59:59.999", -1 + 0},
		{"2100-03-01T00:00:00.000", 4107542400000},
	};
	int64_t ms;

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		ck_assert_msg(group_datetime_parse(times[i].text, &ms, &err) == 0, "%s", times[i].text);
		ck_assert_msg(ms == times[i].ms, "%s is %lld", times[i].text, (long long)ms);
	}
}
END_TEST

START_TEST(other_times_are_refused)
{
	static const char *const texts[] = {"", "2026-11-21", "2026-11-21T25:00:00.000", "2026-02-29T00:00:00.000", "2026-13-01T00:00:00.000",
					    "2026-00-01T00:00:00.000", "2026-11-31T00:00:00.000", "2026-11-21 21:30:15.250", "2026-11-21T21:30:15.25",
					    "2026-11-21T21:30:15.250X", "2026-11-21T21:30:15.250+", "2026-11-21T21:30:15.250+1", "1795296615250"};
	int64_t ms;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		ck_assert_msg(group_datetime_parse(texts[i], &ms, &err) == ERR_INVALID, "%s", texts[i]);
}
END_TEST

START_TEST(durations_have_days_hours_minutes_and_seconds)
{
	static const struct timed times[] = {
		{"P1D", 86400000}, {"PT1H", 3600000}, {"PT5M", 300000},     {"PT0S", 0},   {"P1DT2H3M4.5S", 93784500},
		{"PT1.25S", 1250}, {"PT90M", 5400000}, {"PT0.0019S", 1},
		{"P", -1},         {"PT", -1},         {"", -1},             {"1D", -1},    {"P1H", -1},
		{"PT1D", -1},      {"PT1M1H", -1},     {"P1DT", -1},         {"PT5", -1},   {"PT1.5M", -1},
		{"PT1.S", -1},     {"PT-1S", -1},      {"P999999999999999999D", -1},        {"PT1Mx", -1},
	};
	int64_t ms;

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		int r = group_duration_parse(times[i].text, &ms, &err);

		ck_assert_msg(times[i].ms < 0 ? r == ERR_INVALID : r == 0 && ms == times[i].ms, "%s: %d, %lld", times[i].text, r, (long long)ms);
	}
}
END_TEST

START_TEST(lines_have_three_fields_or_four)
{
	struct group_line line;

	ck_assert_int_eq(group_line_parse(SLICE_LITERAL("t,1,7"), &line, &err), 0);
	ck_assert(slice_is_null(line.group) && slice_is_text(line.topic, "t") && line.partition == 1 && line.offset == 7);
	ck_assert_int_eq(group_line_parse(SLICE_LITERAL("\"g h\", \"t\" ,0,123456789012"), &line, &err), 0);
	ck_assert(slice_is_text(line.group, "g h") && slice_is_text(line.topic, "t") && line.partition == 0 && line.offset == 123456789012);
}
END_TEST

START_TEST(other_lines_are_refused)
{
	static const char *const texts[] = {"", "t", "t,1", "t,x,1", "t,1,x", "t,1,-1", ",1,1", "g,t,1,1,1", "t,2147483648,1", "t,1,", "t,,1",
					    "t,1,9999999999999999999999"};
	struct group_line line;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		ck_assert_msg(group_line_parse(slice_of_text(texts[i]), &line, &err) == ERR_INVALID, "%s", texts[i]);
}
END_TEST

START_TEST(offsets_stay_within_the_partition)
{
	ck_assert_int_eq(group_offset_within(5, 0, 10), 5);
	ck_assert_int_eq(group_offset_within(-5, 3, 10), 3);
	ck_assert_int_eq(group_offset_within(11, 3, 10), 10);
	ck_assert_int_eq(group_offset_within(10, 10, 10), 10);
}
END_TEST

UNIT_MAIN("tools/klamm/group_reset", topics_may_name_partitions, other_topics_are_refused, times_are_of_the_gregorian_calendar_and_utc,
	  other_times_are_refused, durations_have_days_hours_minutes_and_seconds, lines_have_three_fields_or_four, other_lines_are_refused,
	  offsets_stay_within_the_partition)
