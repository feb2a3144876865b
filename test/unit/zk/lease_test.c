/* zk/lease: when it holds and when it ends. */
#include "zk/lease.h"

#include "test/lib/unit.h"

START_TEST(a_new_lease_is_not_valid)
{
	struct lease lease;

	lease_init(&lease);
	ck_assert(!lease_valid(&lease, 0));
	ck_assert(!lease_valid(&lease, INT64_MAX));
}
END_TEST

START_TEST(it_lasts_four_fifths_of_the_timeout_from_the_sending)
{
	struct lease lease;

	lease_init(&lease);
	lease_extend(&lease, 1000, 10000);
	ck_assert(lease_valid(&lease, 1000));
	ck_assert(lease_valid(&lease, 8999));
	ck_assert(!lease_valid(&lease, 9000));
	ck_assert_int_eq(lease_deadline_ms(&lease), 9000);
}
END_TEST

START_TEST(an_older_answer_does_not_shorten_it_and_an_end_ends_it)
{
	struct lease lease;

	lease_init(&lease);
	lease_extend(&lease, 2000, 10000);
	lease_extend(&lease, 1000, 10000);
	ck_assert_int_eq(lease_deadline_ms(&lease), 10000);
	lease_end(&lease);
	ck_assert(!lease_valid(&lease, 2001));
	lease_extend(&lease, 3000, 1000);
	ck_assert(lease_valid(&lease, 3799));
}
END_TEST

START_TEST(what_is_sent_after_its_end_makes_a_gap)
{
	struct lease lease;

	lease_init(&lease);
	ck_assert(!lease_extend(&lease, 1000, 10000));
	/* Sent in time, answered late: the session was there all the time. */
	ck_assert(!lease_extend(&lease, 9000, 10000));
	ck_assert_int_eq(lease_n_gaps(&lease), 0);
	ck_assert(lease_extend(&lease, 17001, 10000));
	ck_assert_int_eq(lease_n_gaps(&lease), 1);
	ck_assert(lease_valid(&lease, 25000));
	ck_assert(!lease_extend(&lease, 17001, 10000));
	/* The next session is no gap of this one. */
	lease_lose(&lease);
	ck_assert(!lease_extend(&lease, 90000, 10000));
	ck_assert_int_eq(lease_n_gaps(&lease), 1);
}
END_TEST

UNIT_MAIN("zk/lease", a_new_lease_is_not_valid, it_lasts_four_fifths_of_the_timeout_from_the_sending,
	  an_older_answer_does_not_shorten_it_and_an_end_ends_it, what_is_sent_after_its_end_makes_a_gap)
