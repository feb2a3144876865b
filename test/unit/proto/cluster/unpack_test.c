/* unpack: what peers may make of our memory, and that no message of ours needs more. */
#include "test/lib/unit.h"

#include "common/limits.h"
#include "common/memory.h"
#include "proto/cluster/cluster.pb-c.h"
#include "proto/cluster/unpack.h"

#include <stdlib.h>
#include <string.h>

#define FORGED_BYTES (256 << 10)

static const ProtobufCMessageDescriptor *const descriptors[] = {
	&klamm__follow__descriptor,          &klamm__following__descriptor,     &klamm__advance__descriptor,
	&klamm__ack__descriptor,             &klamm__close__descriptor,         &klamm__append__descriptor,
	&klamm__view__descriptor,            &klamm__view_gap__descriptor,      &klamm__partition_states__descriptor,
	&klamm__stop_replicas__descriptor,   &klamm__replica_results__descriptor, &klamm__isr_proposals__descriptor,
	&klamm__isr_answers__descriptor,     &klamm__shutdown__descriptor,      &klamm__shutdown_answer__descriptor,
	&klamm__forward__descriptor,         &klamm__forward_answer__descriptor, &klamm__hello__descriptor,
	&klamm__hello_answer__descriptor,
};

/* Bytes of so many pairs (tag, 0): empty elements or texts of a field, or varints of 0. */
static uint8_t *forge(unsigned field, unsigned wire_type, size_t len)
{
	uint8_t *bytes = memory_zalloc(1, len);

	for (size_t i = 0; i < len; i += 2)
		bytes[i] = (uint8_t)(field << 3 | wire_type);
	return bytes;
}

static size_t bytes_max(size_t len)
{
	return LIMIT_UNPACK_BASE_BYTES + LIMIT_UNPACK_FACTOR * len;
}

/* What the arena asked for is at most twice as much, since its blocks double. */
static void check_bound(const ProtobufCMessageDescriptor *descriptor, struct slice bytes)
{
	struct arena arena;

	arena_init(&arena);
	unpack_message_in(&arena, descriptor, bytes);
	ck_assert_msg(arena.total <= 2 * bytes_max(bytes.len), "%s: %zu bytes for %zu", descriptor->name, arena.total, bytes.len);
	arena_fini(&arena);
}

START_TEST(no_bytes_become_more_memory_than_they_entitle_to)
{
	for (size_t i = 0; i < ARRAY_LEN(descriptors); i++)
		for (unsigned field = 1; field < 16; field++)
			for (unsigned wire_type = 0; wire_type <= 2; wire_type += 2) {
				uint8_t *bytes = forge(field, wire_type, FORGED_BYTES);

				check_bound(descriptors[i], slice_of(bytes, FORGED_BYTES));
				free(bytes);
			}
}
END_TEST

START_TEST(a_frame_of_empty_elements_is_refused)
{
	uint8_t *bytes = forge(1, 2, FORGED_BYTES);

	ck_assert_ptr_null(unpack_message(&klamm__following__descriptor, slice_of(bytes, FORGED_BYTES)));
	ck_assert_ptr_null(unpack_message(&klamm__ack__descriptor, slice_of(bytes, FORGED_BYTES)));
	free(bytes);
}
END_TEST

START_TEST(fields_that_nobody_knows_are_refused_when_there_are_too_many)
{
	uint8_t *bytes = forge(15, 0, FORGED_BYTES);
	Klamm__Shutdown *shutdown;

	ck_assert_ptr_null(unpack_message(&klamm__shutdown__descriptor, slice_of(bytes, FORGED_BYTES)));
	/* A newer peer may say things that we do not know. */
	shutdown = unpack_message(&klamm__shutdown__descriptor, slice_of(bytes, 200));
	ck_assert_ptr_nonnull(shutdown);
	klamm__shutdown__free_unpacked(shutdown, NULL);
	free(bytes);
}
END_TEST

/* Wherever memory ends, what was made until then is given back (leaks show with AddressSanitizer). */
START_TEST(a_refusal_leaves_nothing_behind)
{
	/* Elements with texts and lists, more of them every time: the bound is met at another place. */
	static const uint8_t partition[] = {0x1a, 0x06, 0x08, 0x01, 0x2a, 0x02, 0x01, 0x02}, config[] = {0x22, 0x00};
	size_t topic_len = 5 + sizeof partition + sizeof config * 40;
	uint8_t topic[128] = {0x32, (uint8_t)(topic_len - 2), 0x0a, 0x01, 't'};
	int n_refused = 0;

	memcpy(topic + 5, partition, sizeof partition);
	for (size_t at = 5 + sizeof partition; at < topic_len; at += sizeof config)
		memcpy(topic + at, config, sizeof config);
	for (size_t n = 100; n < 4000; n += 37) {
		uint8_t *bytes = memory_alloc(n * topic_len);
		Klamm__View *view;

		for (size_t i = 0; i < n; i++)
			memcpy(bytes + i * topic_len, topic, topic_len);
		view = unpack_message(&klamm__view__descriptor, slice_of(bytes, n * topic_len));
		n_refused += view == NULL;
		if (view)
			klamm__view__free_unpacked(view, NULL);
		free(bytes);
	}
	ck_assert_int_gt(n_refused, 10);
	ck_assert_int_lt(n_refused, 105);
}
END_TEST

/* ---- ours ---- */

static void check_taken(const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = memory_alloc(len);
	ProtobufCMessage *taken;

	protobuf_c_message_pack(message, bytes);
	taken = unpack_message(message->descriptor, slice_of(bytes, len));
	ck_assert_msg(taken != NULL, "%s of %zu bytes", message->descriptor->name, len);
	protobuf_c_message_free_unpacked(taken, NULL);
	free(bytes);
}

/* One replica, which is broker 0: nothing is shorter. */
START_TEST(a_view_of_the_shortest_partitions_is_taken)
{
	enum { N = 200000 };
	Klamm__View view = KLAMM__VIEW__INIT;
	Klamm__Topic topic = KLAMM__TOPIC__INIT, *topics[] = {&topic};
	Klamm__Partition *partitions = memory_zalloc(N, sizeof *partitions), **pointers = memory_zalloc(N, sizeof(void *));
	int32_t replica = 0;

	for (int i = 0; i < N; i++) {
		klamm__partition__init(&partitions[i]);
		partitions[i].index = i;
		partitions[i].replicas = partitions[i].isr = &replica;
		partitions[i].n_replicas = partitions[i].n_isr = 1;
		pointers[i] = &partitions[i];
	}
	topic.partitions = pointers;
	topic.n_partitions = N;
	view.topics = topics;
	view.n_topics = 1;
	check_taken(&view.base);
	free(pointers);
	free(partitions);
}
END_TEST

START_TEST(as_many_acks_of_empty_partitions_as_a_frame_has_are_taken)
{
	enum { N = 8192 };
	static Klamm__AckMark marks[N], *pointers[N];
	Klamm__Ack ack = KLAMM__ACK__INIT;

	for (int i = 0; i < N; i++) {
		klamm__ack_mark__init(&marks[i]);
		marks[i].handle = i + 1;
		pointers[i] = &marks[i];
	}
	ack.marks = pointers;
	ack.n_marks = N;
	check_taken(&ack.base);
}
END_TEST

START_TEST(the_largest_request_of_a_client_is_taken)
{
	Klamm__Forward forward = KLAMM__FORWARD__INIT;

	forward.body.len = LIMIT_FORWARD_BYTES;
	forward.body.data = memory_zalloc(1, LIMIT_FORWARD_BYTES);
	check_taken(&forward.base);
	free(forward.body.data);
}
END_TEST

UNIT_MAIN("proto/cluster/unpack", no_bytes_become_more_memory_than_they_entitle_to, a_frame_of_empty_elements_is_refused,
	  fields_that_nobody_knows_are_refused_when_there_are_too_many, a_refusal_leaves_nothing_behind,
	  a_view_of_the_shortest_partitions_is_taken, as_many_acks_of_empty_partitions_as_a_frame_has_are_taken,
	  the_largest_request_of_a_client_is_taken)
