/* Records of __consumer_offsets, against what Kafka 3.9.1 wrote. */
#include "test/lib/unit.h"

#include "broker/coord/group_record.h"
#include "common/bytes.h"
#include "common/memory.h"
#include "proto/record/record_iter.h"

#include <stdio.h>
#include <stdlib.h>

/* A group of one static member. */
static const char kafka_group[] =
	"000000000000000000000128000000000279adbc14000000000000000001a1fcac9aeb000001a1fcac9aebffffffffffffffffffffffffff"
	"ff00000001ea030000000c000200026731d00300030008636f6e73756d657200000001000572616e6765002d7374617469632d312d333264"
	"37373438622d373131392d343034362d386162312d316436386436666166303938000001a1fcac9aaf00000001002d7374617469632d312d"
	"33326437373438622d373131392d343034362d386162312d31643638643666616630393800087374617469632d31000772646b61666b6100"
	"0a2f3132372e302e302e31000493e00000afc80000001b0003000000010005706c61696e0000000000000000ffffffff00000000001d0000"
	"000000010005706c61696e0000000200000000000000010000000000";

/* Two offsets, one batch. */
static const char kafka_offsets[] =
	"0000000000000001000000910000000002daa2cf3d000000000001000001a1fcac9c1c000001a1fcac9c1cffffffffffffffffffff000000"
	"00000000025e000000220001000267310005706c61696e000000003000030000000000000008000000000000000001a1fcac9c18005e0000"
	"02220001000267310005706c61696e00000001300003000000000000000c000000000000000001a1fcac9c1800";

/* A group whose last member has left. */
static const char kafka_empty_group[] =
	"00000000000000030000005e00000000027be4e891000000000000000001a1fcaca036000001a1fcaca036ffffffffffffffffffffffffff"
	"ff00000001580000000c0002000267324000030008636f6e73756d657200000002ffffffff000001a1fcaca0350000000000";

static uint8_t bytes[1024];

static struct slice unhex(const char *hex)
{
	size_t n = strlen(hex) / 2;
	unsigned byte;

	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
		bytes[i] = (uint8_t)byte;
	}
	return slice_of(bytes, n);
}

static void ck_parse(struct slice key, struct slice value, enum group_record_kind kind)
{
	struct group_record record;
	struct arena arena;

	arena_init(&arena);
	group_record_parse(key, value, &arena, &record);
	ck_assert_int_eq(record.kind, kind);
	arena_fini(&arena);
}

/* Reads the records of a batch and writes them again; the result must be the batch. */
static void remake(const char *hex, int32_t sequence)
{
	struct slice batch = unhex(hex), made;
	struct batch_spec spec = batch_spec_default();
	struct codec_limits limits = codec_limits_for_log();
	struct batch_builder builder;
	struct batch_header header;
	struct group_record parsed;
	struct record_iter iter;
	struct record record;
	struct arena arena;

	arena_init(&arena);
	ck_assert_int_eq(batch_header_parse(batch, &header), 0);
	spec.base_sequence = sequence;
	batch_builder_init(&builder, &spec);
	ck_assert_int_eq(record_iter_init(&iter, NULL, batch, &limits), 0);
	while (record_iter_next(&iter, &record) == 1) {
		group_record_parse(record.key, record.value, &arena, &parsed);
		if (parsed.kind == GROUP_RECORD_OFFSET)
			ck_assert(group_record_add_offset(&builder, record.timestamp, parsed.group, parsed.topic,
							  parsed.partition, &parsed.offset));
		else
			ck_assert(group_record_add_group(&builder, record.timestamp, parsed.group, &parsed.membership));
	}
	record_iter_fini(&iter);
	made = batch_builder_finish(&builder, NULL);
	batch_stamp(builder.buf->data, header.base_offset, header.leader_epoch);
	ck_assert_uint_eq(made.len, batch.len);
	ck_assert(slice_equal(made, batch));
	batch_builder_fini(&builder);
	arena_fini(&arena);
}

START_TEST(batches_are_those_of_kafka_to_the_byte)
{
	remake(kafka_group, BATCH_NO_SEQUENCE);
	remake(kafka_offsets, 0);
	remake(kafka_empty_group, BATCH_NO_SEQUENCE);
}
END_TEST

START_TEST(a_record_says_what_kafka_meant)
{
	struct codec_limits limits = codec_limits_for_log();
	struct group_record parsed;
	struct record_iter iter;
	struct record record;
	struct arena arena;

	arena_init(&arena);
	ck_assert_int_eq(record_iter_init(&iter, NULL, unhex(kafka_offsets), &limits), 0);
	ck_assert_int_eq(record_iter_next(&iter, &record), 1);
	ck_assert_int_eq(record_iter_next(&iter, &record), 1);
	group_record_parse(record.key, record.value, &arena, &parsed);
	ck_assert_int_eq(parsed.kind, GROUP_RECORD_OFFSET);
	ck_assert(slice_is_text(parsed.group, "g1") && slice_is_text(parsed.topic, "plain"));
	ck_assert_int_eq(parsed.partition, 1);
	ck_assert_int_eq(parsed.offset.offset, 12);
	ck_assert_int_eq(parsed.offset.leader_epoch, 0);
	ck_assert_int_eq(parsed.offset.expire_timestamp, -1);
	record_iter_fini(&iter);
	arena_fini(&arena);
}
END_TEST

/* Offset 7, metadata "m", times 1 and 2, as each version has them. */
START_TEST(all_versions_of_values_are_read)
{
	static const char *const values[] = {
		"00000000000000000007"
		"00016d"
		"0000000000000001",
		"00010000000000000007"
		"00016d"
		"0000000000000001"
		"0000000000000002",
		"00020000000000000007"
		"00016d"
		"0000000000000001",
		"00030000000000000007"
		"00000005"
		"00016d"
		"0000000000000001",
		"00040000000000000007"
		"00000005"
		"026d"
		"0000000000000001"
		"00",
	};
	static const uint8_t key[] = {0, 1, 0, 1, 'g', 0, 1, 't', 0, 0, 0, 3};

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct group_record record;
		struct arena arena;

		arena_init(&arena);
		group_record_parse(slice_of(key, sizeof key), unhex(values[i]), &arena, &record);
		ck_assert_int_eq(record.kind, GROUP_RECORD_OFFSET);
		ck_assert_int_eq(record.partition, 3);
		ck_assert_int_eq(record.offset.offset, 7);
		ck_assert(slice_is_text(record.offset.metadata, "m"));
		ck_assert_int_eq(record.offset.leader_epoch, i >= 3 ? 5 : -1);
		ck_assert_int_eq(record.offset.expire_timestamp, i == 1 ? 2 : -1);
		arena_fini(&arena);
	}
}
END_TEST

START_TEST(an_offset_with_a_time_of_expiry_is_of_version_1)
{
	struct offset_commit_value value = {
		.offset = 7, .leader_epoch = 5, .metadata = SLICE_LITERAL(""), .expire_timestamp = 9};
	struct batch_spec spec = batch_spec_default();
	struct codec_limits limits = codec_limits_for_log();
	struct batch_builder builder;
	struct record_iter iter;
	struct record record;

	batch_builder_init(&builder, &spec);
	ck_assert(group_record_add_offset(&builder, 1, SLICE_LITERAL("g"), SLICE_LITERAL("t"), 0, &value));
	ck_assert_int_eq(record_iter_init(&iter, NULL, batch_builder_finish(&builder, NULL), &limits), 0);
	ck_assert_int_eq(record_iter_next(&iter, &record), 1);
	ck_assert_int_eq(bytes_get_i16(record.value.data), 1);
	record_iter_fini(&iter);
	batch_builder_fini(&builder);
}
END_TEST

START_TEST(what_is_foreign_or_damaged_is_told_apart)
{
	static const uint8_t foreign[] = {0, 3, 0, 1, 'g'}, negative[] = {0xff, 0xff}, cut[] = {0, 1, 0, 9, 'g'},
			     group[] = {0, 2, 0, 1, 'g'};
	static const uint8_t newer[] = {0, 9, 1, 2, 3};

	ck_parse(slice_of(foreign, sizeof foreign), SLICE_NULL, GROUP_RECORD_FOREIGN);
	ck_parse(slice_of(negative, sizeof negative), SLICE_NULL, GROUP_RECORD_DAMAGED);
	ck_parse(slice_of(cut, sizeof cut), SLICE_NULL, GROUP_RECORD_DAMAGED);
	ck_parse(SLICE_NULL, SLICE_NULL, GROUP_RECORD_DAMAGED);
	ck_parse(slice_of(group, 1), SLICE_NULL, GROUP_RECORD_DAMAGED);
	ck_parse(slice_of(group, sizeof group), SLICE_NULL, GROUP_RECORD_GROUP);
	ck_parse(slice_of(group, sizeof group), slice_of(newer, sizeof newer), GROUP_RECORD_DAMAGED);
	ck_parse(slice_of(group, sizeof group), slice_of(newer, 0), GROUP_RECORD_DAMAGED);
}
END_TEST

START_TEST(an_id_that_no_record_can_say_is_refused)
{
	struct batch_spec spec = batch_spec_default();
	struct batch_builder builder;
	uint8_t *id = memory_zalloc(1, 40000);

	batch_builder_init(&builder, &spec);
	ck_assert(!group_record_add_offset(&builder, 1, slice_of(id, 40000), SLICE_LITERAL("t"), 0, NULL));
	ck_assert(!group_record_add_group(&builder, 1, slice_of(id, 40000), NULL));
	ck_assert_int_eq(builder.n_records, 0);
	batch_builder_fini(&builder);
	free(id);
}
END_TEST

UNIT_MAIN("broker/coord/group_record", batches_are_those_of_kafka_to_the_byte, a_record_says_what_kafka_meant,
	  all_versions_of_values_are_read, an_offset_with_a_time_of_expiry_is_of_version_1,
	  what_is_foreign_or_damaged_is_told_apart, an_id_that_no_record_can_say_is_refused)
