/*
 * Messages of the cluster from anybody: the first byte chooses the message, the second how often the rest is repeated (times 64), since only what is
 * long can become large. Whatever comes, it takes no more memory than its length entitles it to, and all of it is given back.
 */
#include "test/fuzz/fuzz.h"

#include "common/check.h"
#include "common/limits.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/cluster/cluster.pb-c.h"
#include "proto/cluster/unpack.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_MAX (4 << 20)

static const ProtobufCMessageDescriptor *const descriptors[] = {
	&klamm__follow__descriptor,        &klamm__following__descriptor,       &klamm__advance__descriptor,
	&klamm__ack__descriptor,           &klamm__close__descriptor,           &klamm__append__descriptor,
	&klamm__view__descriptor,          &klamm__partition_states__descriptor, &klamm__stop_replicas__descriptor,
	&klamm__isr_proposals__descriptor, &klamm__isr_answers__descriptor,     &klamm__replica_results__descriptor,
	&klamm__forward__descriptor,       &klamm__forward_answer__descriptor,  &klamm__hello__descriptor,
	&klamm__hello_answer__descriptor,
};

static uint8_t *repeat(const uint8_t *data, size_t len, size_t n)
{
	uint8_t *bytes = memory_alloc(len * n);

	for (size_t i = 0; i < n; i++)
		memcpy(bytes + i * len, data, len);
	return bytes;
}

static void take(const ProtobufCMessageDescriptor *descriptor, struct slice bytes)
{
	ProtobufCMessage *message = unpack_message(descriptor, bytes);
	size_t most = LIMIT_UNPACK_BASE_BYTES + LIMIT_UNPACK_FACTOR * bytes.len;
	struct arena arena;

	arena_init(&arena);
	CHECK((message == NULL) == (unpack_message_in(&arena, descriptor, bytes) == NULL));
	/* The blocks of an arena double. */
	CHECK(arena.total <= 2 * most);
	arena_fini(&arena);
	if (message)
		protobuf_c_message_free_unpacked(message, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t n;
	uint8_t *bytes;

	trace_set_level(TRACE_ERROR);
	if (len < 3)
		return 0;
	n = (size_t)data[1] * 64 + 1;
	if (n * (len - 2) > BYTES_MAX)
		n = 1;
	bytes = repeat(data + 2, len - 2, n);
	take(descriptors[data[0] % ARRAY_LEN(descriptors)], slice_of(bytes, (len - 2) * n));
	free(bytes);
	return 0;
}
