/* throttle: whom it names, what it grants. */
#include "test/lib/unit.h"

#include "broker/replica/throttle.h"
#include "common/properties.h"

#define S INT64_C(1000000000)

START_TEST(a_list_names_replicas_by_partition_and_broker)
{
	ck_assert(throttle_names("0:101,1:102", 1, 102));
	ck_assert(!throttle_names("0:101,1:102", 0, 102));
	ck_assert(!throttle_names("0:101,1:1021", 1, 102));
	ck_assert(throttle_names("*", 7, 3));
	ck_assert(!throttle_names("", 0, 0));
	ck_assert(!throttle_names(NULL, 0, 0));
}
END_TEST

START_TEST(what_goes_through_is_the_rate_on_average)
{
	struct throttle throttle = {0};
	int64_t now_ns = 5 * S, bytes = 0;

	while (now_ns < 105 * S) {
		int64_t pause_ms = throttle_take(&throttle, 1000000, 100000, now_ns);

		bytes += 100000;
		now_ns += pause_ms > 0 ? pause_ms * 1000000 : S / 1000;
	}
	ck_assert_int_ge(bytes, 99 * INT64_C(1000000));
	ck_assert_int_le(bytes, 103 * INT64_C(1000000));
}
END_TEST

START_TEST(without_a_rate_nothing_pauses_and_with_none_at_all_nearly_everything)
{
	struct throttle throttle = {0};

	ck_assert_int_eq(throttle_take(&throttle, THROTTLE_NONE, INT64_MAX, S), 0);
	ck_assert_int_eq(throttle_take(&throttle, 0, 1 << 20, S), 3600 * 1000);
	ck_assert_int_gt(throttle_take(&throttle, 1000, 1, 2 * S), 0);
}
END_TEST

START_TEST(the_rate_comes_from_the_dynamic_configuration)
{
	struct slice key = SLICE_LITERAL("follower.replication.throttled.rate");
	struct config_pair pair = {key, SLICE_LITERAL("12345")};
	struct config_pairs one = {&pair, 1}, none = {0};
	struct properties properties;
	struct broker_config *config, *derived;
	struct error err;

	properties_init(&properties);
	ck_assert_int_eq(properties_parse(&properties, SLICE_LITERAL("broker.id=1\nzookeeper.connect=127.0.0.1:1\n"), "test", &err), 0);
	ck_assert_int_eq(broker_config_load(&properties, NULL, &config, &err), 0);
	ck_assert_int_eq(throttle_rate(config, key), THROTTLE_NONE);
	derived = broker_config_derive(config, none, one, NULL);
	ck_assert_int_eq(throttle_rate(derived, key), 12345);
	broker_config_release(derived);
	derived = broker_config_derive(config, one, none, NULL);
	ck_assert_int_eq(throttle_rate(derived, key), 12345);
	broker_config_release(derived);
	broker_config_release(config);
	properties_fini(&properties);
}
END_TEST

UNIT_MAIN("broker/replica/throttle", a_list_names_replicas_by_partition_and_broker, what_goes_through_is_the_rate_on_average,
	  without_a_rate_nothing_pauses_and_with_none_at_all_nearly_everything, the_rate_comes_from_the_dynamic_configuration)
