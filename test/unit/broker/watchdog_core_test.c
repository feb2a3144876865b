/* Unit tests of broker/watchdog_core.h. */
#include "broker/watchdog_core.h"
#include "test/lib/unit.h"

START_TEST(who_is_at_the_same_thing_for_long_is_stuck)
{
	struct watchdog watchdog;

	watchdog_init(&watchdog, 1000, 5000);
	watchdog_tick(&watchdog, 6000, 5000);
	ck_assert_int_eq(watchdog_stuck_ms(&watchdog, 4000, 6000), 4000);
	/* A loaded machine is a little late. */
	watchdog_tick(&watchdog, 11900, 5000);
	ck_assert_int_eq(watchdog_stuck_ms(&watchdog, 9900, 11900), 9900);
}
END_TEST

START_TEST(a_process_that_stood_still_has_nobody_who_is_stuck)
{
	struct watchdog watchdog;

	watchdog_init(&watchdog, 1000, 5000);
	watchdog_tick(&watchdog, 6000, 5000);
	/* Stopped for 13 seconds in the middle of a worker's turn. */
	watchdog_tick(&watchdog, 24000, 5000);
	ck_assert_int_eq(watchdog_stuck_ms(&watchdog, 13880, 24000), 0);
	/* It goes on being at it. */
	watchdog_tick(&watchdog, 29000, 5000);
	ck_assert_int_eq(watchdog_stuck_ms(&watchdog, 18880, 29000), 5000);
	watchdog_tick(&watchdog, 34000, 5000);
	ck_assert_int_eq(watchdog_stuck_ms(&watchdog, 23880, 34000), 10000);
}
END_TEST

UNIT_MAIN("broker/watchdog_core", who_is_at_the_same_thing_for_long_is_stuck, a_process_that_stood_still_has_nobody_who_is_stuck)
