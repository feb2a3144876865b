/* The pure decisions: leader epochs (KIP-101, KIP-279) and retention. */
#include "test/lib/unit.h"

#include "broker/log/epoch_cache_core.h"
#include "broker/log/retention_core.h"

static void check_end(const struct epoch_entries *entries, int32_t epoch, int32_t want_epoch, int64_t want_end)
{
	struct log_epoch_end end = epoch_core_end(entries, epoch, 100);

	ck_assert_int_eq(end.epoch, want_epoch);
	ck_assert_int_eq(end.end_offset, want_end);
}

START_TEST(the_end_of_an_epoch_is_the_start_of_the_next)
{
	struct epoch_entry at[8];
	struct epoch_entries entries = {at, 0};

	check_end(&entries, 0, -1, -1);
	epoch_core_assign(&entries, 2, 10);
	epoch_core_assign(&entries, 5, 40);
	check_end(&entries, -1, -1, -1);
	check_end(&entries, 1, 1, 10);
	check_end(&entries, 2, 2, 40);
	check_end(&entries, 4, 2, 40);
	check_end(&entries, 5, 5, 100);
	check_end(&entries, 6, -1, -1);
	ck_assert_int_eq(epoch_core_at(&entries, 9), -1);
	ck_assert_int_eq(epoch_core_at(&entries, 39), 2);
	ck_assert_int_eq(epoch_core_at(&entries, 40), 5);
}
END_TEST

START_TEST(a_new_epoch_takes_the_place_of_what_conflicts)
{
	struct epoch_entry at[8];
	struct epoch_entries entries = {at, 0};

	ck_assert(epoch_core_assign(&entries, 1, 0));
	ck_assert(epoch_core_assign(&entries, 3, 20));
	ck_assert(!epoch_core_assign(&entries, 3, 25));
	ck_assert(!epoch_core_assign(&entries, -1, 25));
	ck_assert(epoch_core_assign(&entries, 4, 20));
	ck_assert_int_eq(entries.n, 2);
	ck_assert_int_eq(at[1].epoch, 4);
	ck_assert(epoch_core_valid(&entries));
	ck_assert(epoch_core_assign(&entries, 9, 0));
	ck_assert_int_eq(entries.n, 1);
	ck_assert(epoch_core_valid(&entries));
}
END_TEST

START_TEST(a_leadership_without_a_batch_gives_way_to_older_batches)
{
	struct epoch_entry at[8];
	struct epoch_entries entries = {at, 0};

	epoch_core_assign(&entries, 11, 96);
	/* Led in 12 at 129 and wrote nothing; the leader of 13 sends what epoch 11 has from there on. */
	epoch_core_assign(&entries, 12, 129);
	ck_assert(epoch_core_assign(&entries, 11, 129));
	ck_assert_int_eq(entries.n, 1);
	ck_assert_int_eq(at[0].epoch, 11);
	ck_assert_int_eq(at[0].start_offset, 96);
	ck_assert(!epoch_core_assign(&entries, 11, 130));
	ck_assert_int_eq(epoch_core_at(&entries, 100), 11);
}
END_TEST

START_TEST(epochs_are_cut_at_both_ends)
{
	struct epoch_entry at[8];
	struct epoch_entries entries = {at, 0};

	epoch_core_assign(&entries, 1, 0);
	epoch_core_assign(&entries, 2, 10);
	epoch_core_assign(&entries, 3, 20);
	ck_assert(epoch_core_truncate_start(&entries, 15));
	ck_assert_int_eq(entries.n, 2);
	ck_assert_int_eq(at[0].epoch, 2);
	ck_assert_int_eq(at[0].start_offset, 15);
	ck_assert(!epoch_core_truncate_start(&entries, 15));
	ck_assert(!epoch_core_truncate_start(&entries, 3));
	ck_assert(epoch_core_truncate_end(&entries, 20));
	ck_assert_int_eq(entries.n, 1);
	ck_assert(!epoch_core_truncate_end(&entries, 16));
	ck_assert(epoch_core_truncate_end(&entries, 0));
	ck_assert_int_eq(epoch_core_latest(&entries), -1);
}
END_TEST

static int count_kept(struct retention_rules rules, const struct retention_segment *segments, int n)
{
	struct retention retention;
	int i = 0;

	rules.total_bytes = 0;
	for (int k = 0; k < n; k++)
		rules.total_bytes += segments[k].bytes;
	retention_init(&retention, &rules);
	while (i < n && retention_step(&retention, &segments[i]) != RETENTION_KEEP)
		i++;
	return n - i;
}

START_TEST(retention_takes_from_the_head_what_its_rules_name)
{
	static const struct retention_segment segments[] = {{10, 100, 1000, false}, {20, 100, 3000, false}, {30, 100, 2000, true}};
	static const struct retention_segment with_empty[] = {{10, 100, 1000, false}, {10, 0, -1, true}};
	struct retention_rules none = {.retention_ms = -1, .retention_bytes = -1, .by_policy = true, .now_ms = 5000, .high_watermark = 30};
	struct retention_rules rules = none;

	ck_assert_int_eq(count_kept(none, segments, 3), 3);
	rules.retention_ms = 3999;
	ck_assert_int_eq(count_kept(rules, segments, 3), 2);
	rules.retention_ms = 100;
	ck_assert_int_eq(count_kept(rules, segments, 3), 0);
	ck_assert_int_eq(count_kept(rules, with_empty, 2), 1);
	rules.high_watermark = 19;
	ck_assert_int_eq(count_kept(rules, segments, 3), 2);
	rules.by_policy = false;
	ck_assert_int_eq(count_kept(rules, segments, 3), 3);
	rules = none;
	rules.retention_bytes = 199;
	ck_assert_int_eq(count_kept(rules, segments, 3), 2);
	rules.retention_bytes = 201;
	ck_assert_int_eq(count_kept(rules, segments, 3), 3);
	rules = none;
	rules.by_policy = false;
	rules.log_start_offset = 20;
	ck_assert_int_eq(count_kept(rules, segments, 3), 1);
	rules.log_start_offset = 30;
	ck_assert_int_eq(count_kept(rules, segments, 3), 1);
}
END_TEST

UNIT_MAIN("broker/log/cores", the_end_of_an_epoch_is_the_start_of_the_next, a_new_epoch_takes_the_place_of_what_conflicts,
	  a_leadership_without_a_batch_gives_way_to_older_batches, epochs_are_cut_at_both_ends, retention_takes_from_the_head_what_its_rules_name)
