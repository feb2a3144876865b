/* copies_core: which of two folders of one partition is the replica. */
#include "test/lib/unit.h"

#include "broker/copies_core.h"

static struct copy used(int64_t epoch, int32_t away)
{
	return (struct copy){.has_use = true, .used_epoch = epoch, .used_away = away, .has_log = true, .last_epoch = -1};
}

static struct copy with_log(struct copy copy, int32_t last_epoch, int64_t end)
{
	copy.last_epoch = last_epoch;
	copy.end_offset = end;
	return copy;
}

/* Asks both ways: the answer does not depend on the order of the dirs. */
static void expect_kept(struct copy kept, struct copy other)
{
	ck_assert_int_eq(copies_choose(&kept, &other), COPIES_FIRST);
	ck_assert_int_eq(copies_choose(&other, &kept), COPIES_SECOND);
}

START_TEST(the_copy_in_the_dir_that_was_in_use_last_is_kept_whatever_lies_in_the_other)
{
	expect_kept(with_log(used(8, 1), 3, 70), with_log(used(7, 0), 2, 50));
	/* An uncommitted tail of an epoch that came to nothing, behind which an older batch was committed after all. */
	expect_kept(with_log(used(8, 1), 3, 71), with_log(used(7, 0), 4, 71));
	/* New, and empty yet. */
	expect_kept(with_log(used(8, 1), -1, 0), with_log(used(7, 0), 4, 71));
	expect_kept(with_log(used(8, 1), 4, 71), with_log(used(7, 0), 4, 71));
	/* The dir of the other was never in use under a version that writes it down. */
	expect_kept(with_log(used(8, 1), 1, 1), with_log(used(-1, 0), 4, 71));
	/* It was erased in the other, which failed before that could last, and made anew by the same incarnation. */
	expect_kept(with_log(used(8, 1), 1, 1), with_log(used(8, 0), 4, 71));
}
END_TEST

START_TEST(a_damaged_one_is_kept_too_and_so_is_one_of_another_topic)
{
	struct copy damaged = used(8, 1), old = with_log(used(7, 0), 4, 71), new = with_log(used(9, 0), 0, 1);

	damaged.has_log = false;
	expect_kept(damaged, old);
	new.topic_id.bytes[0] = 1;
	old.topic_id.bytes[0] = 2;
	expect_kept(new, old);
}
END_TEST

START_TEST(without_a_word_about_their_use_the_greater_log_is_kept)
{
	struct copy none = {.has_log = true, .used_epoch = -1, .last_epoch = -1}, other;

	expect_kept(with_log(none, 4, 50), with_log(none, 3, 70));
	expect_kept(with_log(none, 4, 70), with_log(none, 4, 50));
	expect_kept(with_log(none, 4, 50), none);
	other = with_log(none, 4, 50);
	other.start_offset = 10;
	expect_kept(with_log(none, 4, 50), other);
	/* Only one of the two says. */
	expect_kept(with_log(none, 4, 50), with_log(used(8, 0), 3, 70));
	ck_assert_int_eq(copies_choose(&none, &none), COPIES_FIRST);
}
END_TEST

START_TEST(what_cannot_be_compared_is_left_to_the_operator)
{
	struct copy one = {.has_log = true, .last_epoch = 4, .end_offset = 9}, two = one;

	one.topic_id.bytes[0] = 1;
	two.topic_id.bytes[0] = 2;
	ck_assert_int_eq(copies_choose(&one, &two), COPIES_UNKNOWN);
	/* A folder taken over from an old Kafka does not say whose it is. */
	two.topic_id = UUID_ZERO;
	ck_assert_int_eq(copies_choose(&one, &two), COPIES_FIRST);
	two.has_log = false;
	ck_assert_int_eq(copies_choose(&one, &two), COPIES_UNKNOWN);
	ck_assert_int_eq(copies_choose(&two, &one), COPIES_UNKNOWN);
}
END_TEST

UNIT_MAIN("broker/copies_core", the_copy_in_the_dir_that_was_in_use_last_is_kept_whatever_lies_in_the_other,
	  a_damaged_one_is_kept_too_and_so_is_one_of_another_topic, without_a_word_about_their_use_the_greater_log_is_kept,
	  what_cannot_be_compared_is_left_to_the_operator)
