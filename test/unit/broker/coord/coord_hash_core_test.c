/* The hash that finds a group's partition. The expected numbers are those of Java's new String(bytes, UTF_8).hashCode(). */
#include "test/lib/unit.h"

#include "broker/coord/coord_hash_core.h"
#include "common/memory.h"

#include <stdio.h>

struct hashed {
	const char *hex;
	int32_t hash;
};

static const struct hashed java[] = {
	{"", 0},
	{"67", 103},
	{"6731", 3242},
	{"746573742d67726f7570", 627841412},
	{"c3a9", 233},
	{"e4b8ade69687", 646394},
	{"f09f9880", 1772899},
	{"61f09f988062", 57849694},
	{"eda080", 65533},
	{"edb080eda080", 2097056},
	{"ff", 65533},
	{"c0af", 2097056},
	{"e0809f", 65074269},
	{"e28261", 2031620},
	{"e282", 65533},
	{"f09f98", 65533},
	{"f09f", 65533},
	{"f0", 65533},
	{"f0808080", 2017367872},
	{"f4908080", 2017367872},
	{"f5808080", 2017367872},
	{"80", 65533},
	{"c3", 65533},
	{"c361", 2031620},
	{"61ff62fe63", 2044000940},
	{"e0a0", 65533},
	{"e0a061", 2031620},
	{"f49061", 65008833},
	{"f48f61", 2031620},
	{"ed9fbf", 55295},
	{"ee8080", 57344},
	{"efbfbf", 65535},
	{"f48fbfbf", 1803232},
	{"f0908080", 1770496},
	{"eda0", 65533},
	{"edbf61", 2031620},
	{"fc8080808080", 1662371552},
	{"e2e282ac", 2039887},
	{"f09ff09f9880", 64750112},
};

static size_t unhex(const char *hex, uint8_t *ret_bytes)
{
	size_t n = strlen(hex) / 2;
	unsigned byte;

	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
		ret_bytes[i] = (uint8_t)byte;
	}
	return n;
}

START_TEST(ids_hash_as_java_hashes_them_valid_or_not)
{
	uint8_t bytes[32];

	for (size_t i = 0; i < ARRAY_LEN(java); i++)
		ck_assert_msg(coord_hash(slice_of(bytes, unhex(java[i].hex, bytes))) == java[i].hash, "%s", java[i].hex);
}
END_TEST

/* Where Kafka put the groups of shared samples: g1 in partition 42 of 50, g2 in 43. */
START_TEST(groups_live_where_kafka_puts_them)
{
	ck_assert_int_eq(coord_hash_partition(SLICE_LITERAL("g1"), 50), 42);
	ck_assert_int_eq(coord_hash_partition(SLICE_LITERAL("g2"), 50), 43);
	ck_assert_int_eq(coord_hash_partition(SLICE_LITERAL(""), 50), 0);
}
END_TEST

/* Kafka was asked to commit for this group, and wrote to partition 1 of 4. */
START_TEST(a_negative_hash_counts_by_its_absolute_value)
{
	struct slice lowest = SLICE_LITERAL("polygenelubricants"), negative = SLICE_LITERAL("group-b224b8f3");

	ck_assert_int_eq(coord_hash(negative), -623793149);
	ck_assert_int_eq(coord_hash_partition(negative, 4), 1);
	ck_assert_int_eq(coord_hash_partition(negative, 50), 49);
	ck_assert_int_eq(coord_hash(lowest), INT32_MIN);
	ck_assert_int_eq(coord_hash_partition(lowest, 50), 0);
}
END_TEST

UNIT_MAIN("broker/coord/coord_hash_core", ids_hash_as_java_hashes_them_valid_or_not, groups_live_where_kafka_puts_them,
	  a_negative_hash_counts_by_its_absolute_value)
