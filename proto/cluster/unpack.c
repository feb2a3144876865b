/* See unpack.h. */
#include "proto/cluster/unpack.h"

#include "common/limits.h"
#include "common/memory.h"
#include "common/trace.h"

#include <stdlib.h>

/* Memory of one message; what is freed meanwhile counts on. */
struct allowance {
	struct arena *arena; /* NULL: the heap */
	size_t left;
	bool is_exceeded;
};

static void *get(void *ctx, size_t size)
{
	struct allowance *allowance = ctx;

	if (size > allowance->left) {
		allowance->is_exceeded = true;
		return NULL;
	}
	allowance->left -= size;
	return allowance->arena ? arena_alloc(allowance->arena, size) : memory_alloc(size);
}

static void put(void *ctx, void *pointer)
{
	const struct allowance *allowance = ctx;

	if (!allowance->arena)
		free(pointer);
}

static size_t bytes_max(size_t len)
{
	size_t most = LIMIT_UNPACK_BASE_BYTES + LIMIT_UNPACK_FACTOR * len;

	return most < LIMIT_UNPACK_BYTES ? most : LIMIT_UNPACK_BYTES;
}

static void *unpack(struct arena *arena, const ProtobufCMessageDescriptor *descriptor, struct slice bytes)
{
	struct allowance allowance = {.arena = arena, .left = bytes_max(bytes.len)};
	ProtobufCAllocator allocator = {get, put, &allowance};
	void *message = protobuf_c_message_unpack(descriptor, &allocator, bytes.len, bytes.data);

	if (!message && allowance.is_exceeded)
		trace_limited(TRACE_WARN, "cluster", "a message %s of %zu bytes needs more than %zu bytes of memory and is refused",
			      descriptor->name, bytes.len, bytes_max(bytes.len));
	return message;
}

void *unpack_message(const ProtobufCMessageDescriptor *descriptor, struct slice bytes)
{
	return unpack(NULL, descriptor, bytes);
}

void *unpack_message_in(struct arena *arena, const ProtobufCMessageDescriptor *descriptor, struct slice bytes)
{
	return unpack(arena, descriptor, bytes);
}
