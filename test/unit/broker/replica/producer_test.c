/* producer_core and producer_table. */
#include "test/lib/unit.h"

#include "broker/replica/producer_table.h"

#include <time.h>

static const struct producer_batch *known;

static struct producer_batch batch(int32_t first, int32_t n, int64_t offset)
{
	return (struct producer_batch){first, producer_last_sequence(first, n), offset, offset + n - 1, 1000 + offset};
}

static enum producer_verdict check(const struct producer *p, int16_t epoch, int32_t first, int32_t n)
{
	struct producer_batch b = batch(first, n, 0);

	return producer_check(p, epoch, &b, false, &known);
}

static void apply(struct producer *p, int16_t epoch, int32_t first, int32_t n, int64_t offset)
{
	struct producer_batch b = batch(first, n, offset);

	producer_apply(p, epoch, &b, false);
}

START_TEST(an_unknown_producer_may_begin_anywhere)
{
	struct producer p;

	producer_init(&p, 7);
	ck_assert_int_eq(check(NULL, 3, 42, 1), PRODUCER_ACCEPT);
	ck_assert_int_eq(check(&p, 3, 42, 1), PRODUCER_ACCEPT);
}
END_TEST

START_TEST(sequences_must_follow_without_a_gap)
{
	struct producer p;

	producer_init(&p, 7);
	apply(&p, 0, 0, 3, 100);
	ck_assert_int_eq(check(&p, 0, 3, 2), PRODUCER_ACCEPT);
	ck_assert_int_eq(check(&p, 0, 4, 1), PRODUCER_OUT_OF_ORDER);
	ck_assert_int_eq(check(&p, 0, 2, 2), PRODUCER_OUT_OF_ORDER);
	ck_assert_int_eq(check(&p, 1, 0, 1), PRODUCER_ACCEPT);
	ck_assert_int_eq(check(&p, 1, 3, 1), PRODUCER_OUT_OF_ORDER);
	apply(&p, 1, 0, 1, 103);
	ck_assert_int_eq(check(&p, 0, 3, 1), PRODUCER_INVALID_EPOCH);
}
END_TEST

START_TEST(sequences_wrap_to_zero)
{
	struct producer p;

	ck_assert_int_eq(producer_last_sequence(INT32_MAX, 1), INT32_MAX);
	ck_assert_int_eq(producer_last_sequence(INT32_MAX, 3), 1);
	producer_init(&p, 7);
	apply(&p, 0, INT32_MAX - 1, 2, 0);
	ck_assert_int_eq(check(&p, 0, 0, 1), PRODUCER_ACCEPT);
	ck_assert_int_eq(check(&p, 0, 1, 1), PRODUCER_OUT_OF_ORDER);
	apply(&p, 0, 0, 1, 2);
	ck_assert_int_eq(check(&p, 0, 1, 1), PRODUCER_ACCEPT);
}
END_TEST

START_TEST(a_retry_of_the_last_five_is_known_and_the_sixth_is_not)
{
	struct producer p;

	producer_init(&p, 7);
	for (int i = 0; i < 6; i++)
		apply(&p, 0, i * 10, 10, 100 + i * 10);
	for (int i = 1; i < 6; i++) {
		ck_assert_int_eq(check(&p, 0, i * 10, 10), PRODUCER_DUPLICATE);
		ck_assert_int_eq(known->first_offset, 100 + i * 10);
		ck_assert_int_eq(known->timestamp_ms, 1100 + i * 10);
	}
	ck_assert_int_eq(check(&p, 0, 0, 10), PRODUCER_OUT_OF_ORDER);
	ck_assert_int_eq(check(&p, 0, 50, 9), PRODUCER_OUT_OF_ORDER);
}
END_TEST

START_TEST(a_marker_closes_the_transaction_and_a_greater_epoch_resets)
{
	struct producer p;
	struct producer_batch b = batch(0, 2, 50);

	producer_init(&p, 7);
	producer_apply(&p, 2, &b, true);
	ck_assert_int_eq(p.txn_first_offset, 50);
	ck_assert_int_eq(check(&p, 2, 2, 1), PRODUCER_INVALID_TXN);
	ck_assert(!producer_is_expired(&p, INT64_MAX / 2, 1));
	ck_assert_int_eq(producer_apply_marker(&p, 2, 9, 5000), 50);
	ck_assert_int_eq(p.coordinator_epoch, 9);
	ck_assert_int_eq(check(&p, 2, 2, 1), PRODUCER_ACCEPT);
	ck_assert_int_eq(producer_apply_marker(&p, 3, 9, 6000), PRODUCER_TXN_NONE);
	ck_assert_int_eq(check(&p, 3, 0, 1), PRODUCER_ACCEPT);
	ck_assert_int_eq(check(&p, 3, 2, 1), PRODUCER_OUT_OF_ORDER);
	ck_assert(producer_is_expired(&p, 6010, 10));
	ck_assert(!producer_is_expired(&p, 6009, 10));
}
END_TEST

START_TEST(the_table_expires_and_knows_the_first_open_transaction)
{
	struct producer_table table;
	struct producer_batch a = batch(0, 1, 10), b = batch(0, 1, 70), c = batch(0, 1, 30);

	producer_table_init(&table);
	ck_assert_ptr_null(producer_table_find(&table, 1));
	producer_table_apply(&table, 1, 0, &a, false);
	producer_table_apply(&table, 2, 0, &b, true);
	producer_table_apply(&table, 3, 0, &c, true);
	ck_assert_int_eq(producer_table_first_open_txn(&table), 30);
	ck_assert_int_eq(producer_table_apply_marker(&table, 3, 0, 0, 2000), 30);
	ck_assert_int_eq(producer_table_first_open_txn(&table), 70);
	ck_assert_uint_eq(producer_table_expire(&table, 2500, 1000), 1);
	ck_assert_ptr_null(producer_table_find(&table, 1));
	ck_assert_uint_eq(producer_table_count(&table), 2);
	producer_table_fini(&table);
	ck_assert_uint_eq(producer_table_count(&table), 0);
}
END_TEST

START_TEST(open_transactions_are_known_by_their_first_offset_in_any_order)
{
	static const int64_t offsets[] = {50, 10, 90, 30, 70};
	struct producer_table table;
	struct producer p;

	producer_table_init(&table);
	for (int64_t id = 0; id < 5; id++) {
		producer_init(&p, id);
		p.txn_first_offset = offsets[id];
		producer_table_load(&table, &p);
	}
	for (int64_t first = 10; first <= 90; first += 20) {
		int64_t id = 0;

		while (offsets[id] != first)
			id++;
		ck_assert_int_eq(producer_table_first_open_txn(&table), first);
		ck_assert_int_eq(producer_table_apply_marker(&table, id, 0, 0, 1), first);
	}
	ck_assert_int_eq(producer_table_first_open_txn(&table), -1);
	producer_table_fini(&table);
}
END_TEST

START_TEST(a_flood_of_producers_pushes_out_the_one_that_was_silent_longest)
{
	struct producer_table table;
	struct producer_batch b = batch(0, 1, 70);
	clock_t began = clock();

	producer_table_init(&table);
	producer_table_apply(&table, -5, 0, &b, true);
	for (int64_t id = 0; id < PRODUCER_TABLE_MAX - 1; id++)
		producer_table_apply(&table, id, 0, &b, false);
	producer_table_apply(&table, 0, 0, &b, false);
	for (int64_t id = 1; id < PRODUCER_TABLE_MAX - 10; id++)
		producer_table_apply(&table, 1000000 + id, 0, &b, false);
	ck_assert_uint_eq(producer_table_count(&table), PRODUCER_TABLE_MAX);
	ck_assert_ptr_nonnull(producer_table_find(&table, -5));
	ck_assert_ptr_nonnull(producer_table_find(&table, 0));
	ck_assert_ptr_null(producer_table_find(&table, 1));
	/* Each costs the same, however many there are: a search for the oldest would take minutes. */
	ck_assert_int_lt((clock() - began) / CLOCKS_PER_SEC, 10);
	producer_table_fini(&table);
}
END_TEST

UNIT_MAIN("broker/replica/producer", an_unknown_producer_may_begin_anywhere, sequences_must_follow_without_a_gap, sequences_wrap_to_zero,
	  a_retry_of_the_last_five_is_known_and_the_sixth_is_not, a_marker_closes_the_transaction_and_a_greater_epoch_resets,
	  the_table_expires_and_knows_the_first_open_transaction, open_transactions_are_known_by_their_first_offset_in_any_order,
	  a_flood_of_producers_pushes_out_the_one_that_was_silent_longest)
