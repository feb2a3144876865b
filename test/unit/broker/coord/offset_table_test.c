/* offset_table and offset_expiry_core. */
#include "test/lib/unit.h"

#include "broker/coord/offset_expiry_core.h"
#include "broker/coord/offset_table.h"

#include <stdio.h>

#define HOUR_MS 3600000

static struct offset_value value(int64_t offset, const char *metadata)
{
	return (struct offset_value){.offset = offset, .leader_epoch = -1, .metadata = slice_of_text(metadata), .commit_ms = 1, .expire_ms = -1};
}

static void set(struct offset_table *table, const char *topic, int32_t partition, int64_t offset, int64_t record_offset)
{
	struct offset_value said = value(offset, "m");

	offset_table_set(table, slice_of_text(topic), partition, &said, record_offset, 0);
}

static int64_t get(const struct offset_table *table, const char *topic, int32_t partition)
{
	const struct offset_entry *entry = offset_table_find(table, slice_of_text(topic), partition);

	return entry ? entry->value.offset : -1;
}

START_TEST(topics_and_partitions_are_found_and_stand_in_order)
{
	struct offset_table table = {0};
	char name[16];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "t%d", i * 37 % 100);
		for (int32_t p = 0; p < 50; p++)
			set(&table, name, p * 13 % 50, i * 37 % 100 * 1000 + p * 13 % 50, 1);
	}
	ck_assert_int_eq(table.n, 5000);
	ck_assert_int_eq(table.n_topics, 100);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "t%d", i);
		for (int32_t p = 0; p < 50; p++)
			ck_assert_int_eq(get(&table, name, p), i * 1000 + p);
		if (i)
			ck_assert_int_lt(slice_compare(table.topics[i - 1]->name, table.topics[i]->name), 0);
		ck_assert_int_eq(table.topics[i]->entries[49].partition, 49);
	}
	ck_assert_int_eq(get(&table, "t", 0), -1);
	ck_assert_int_eq(get(&table, "t1", 50), -1);
	offset_table_fini(&table);
}
END_TEST

START_TEST(the_value_that_stands_higher_in_the_log_holds)
{
	struct offset_table table = {0};

	set(&table, "t", 0, 10, 5);
	set(&table, "t", 0, 9, 4);
	ck_assert_int_eq(get(&table, "t", 0), 10);
	set(&table, "t", 0, 8, 6);
	ck_assert_int_eq(get(&table, "t", 0), 8);
	ck_assert(!offset_table_remove(&table, SLICE_LITERAL("t"), 0, 6));
	ck_assert_int_eq(get(&table, "t", 0), 8);
	offset_table_fini(&table);
}
END_TEST

START_TEST(a_topic_without_offsets_goes)
{
	struct offset_table table = {0};

	set(&table, "a", 0, 1, 1);
	set(&table, "b", 0, 2, 2);
	set(&table, "b", 1, 3, 3);
	ck_assert(offset_table_remove(&table, SLICE_LITERAL("b"), 0, INT64_MAX));
	ck_assert(!offset_table_remove(&table, SLICE_LITERAL("b"), 0, INT64_MAX));
	ck_assert(!offset_table_remove(&table, SLICE_LITERAL("c"), 0, INT64_MAX));
	ck_assert_int_eq(get(&table, "b", 1), 3);
	ck_assert(offset_table_remove(&table, SLICE_LITERAL("b"), 1, INT64_MAX));
	ck_assert_int_eq(table.n_topics, 1);
	ck_assert_int_eq(table.n, 1);
	ck_assert_int_eq(get(&table, "a", 0), 1);
	offset_table_fini(&table);
}
END_TEST

static bool expired(enum group_expiry rule, int64_t state_ms, int64_t commit_ms, int64_t expire_ms, int64_t now_ms)
{
	struct offset_expiry offset = {.rule = rule, .state_wall_ms = state_ms, .commit_ms = commit_ms, .expire_ms = expire_ms};

	return offset_expired(&offset, HOUR_MS, now_ms);
}

START_TEST(an_empty_group_counts_from_when_it_became_empty)
{
	ck_assert(!expired(GROUP_EXPIRY_SINCE_EMPTY, HOUR_MS, 0, -1, 2 * HOUR_MS - 1));
	ck_assert(expired(GROUP_EXPIRY_SINCE_EMPTY, HOUR_MS, 0, -1, 2 * HOUR_MS));
	ck_assert(expired(GROUP_EXPIRY_SINCE_EMPTY, GROUP_TIMESTAMP_NONE, 0, -1, HOUR_MS));
}
END_TEST

START_TEST(others_count_from_their_commit)
{
	ck_assert(!expired(GROUP_EXPIRY_SINCE_COMMIT, 0, HOUR_MS, -1, 2 * HOUR_MS - 1));
	ck_assert(expired(GROUP_EXPIRY_SINCE_COMMIT, 2 * HOUR_MS, HOUR_MS, -1, 2 * HOUR_MS));
	ck_assert(!expired(GROUP_EXPIRY_NONE, 0, 0, -1, 100 * HOUR_MS));
}
END_TEST

START_TEST(a_time_that_the_client_named_holds_instead)
{
	ck_assert(!expired(GROUP_EXPIRY_SINCE_COMMIT, 0, 0, 50 * HOUR_MS, 50 * HOUR_MS - 1));
	ck_assert(expired(GROUP_EXPIRY_SINCE_COMMIT, 0, 0, 5, 5));
}
END_TEST

START_TEST(what_is_subscribed_or_under_way_stays)
{
	struct offset_expiry offset = {.rule = GROUP_EXPIRY_UNSUBSCRIBED, .expire_ms = -1, .subscribed = true};

	ck_assert(!offset_expired(&offset, HOUR_MS, 9 * HOUR_MS));
	offset.subscribed = false;
	ck_assert(offset_expired(&offset, HOUR_MS, 9 * HOUR_MS));
	offset.pending = true;
	ck_assert(!offset_expired(&offset, HOUR_MS, 9 * HOUR_MS));
}
END_TEST

START_TEST(times_from_a_damaged_log_do_no_harm)
{
	ck_assert(expired(GROUP_EXPIRY_SINCE_COMMIT, 0, INT64_MIN, -1, HOUR_MS));
	ck_assert(!expired(GROUP_EXPIRY_SINCE_COMMIT, 0, INT64_MAX, -1, HOUR_MS));
	ck_assert(!expired(GROUP_EXPIRY_SINCE_EMPTY, INT64_MAX, 0, -1, HOUR_MS));
}
END_TEST

UNIT_MAIN("broker/coord/offset_table", topics_and_partitions_are_found_and_stand_in_order, the_value_that_stands_higher_in_the_log_holds,
	  a_topic_without_offsets_goes, an_empty_group_counts_from_when_it_became_empty, others_count_from_their_commit,
	  a_time_that_the_client_named_holds_instead, what_is_subscribed_or_under_way_stays, times_from_a_damaged_log_do_no_harm)
