/*
 * Bytes of an outsider as a frame: header, then the body of the API and version that it names.
 *
 * What can be decoded is dumped, encoded and decoded again, which must give the same. To reach the other schemas too, an API
 * key with bit 0x4000 set means the response of the API, and one from 0x2000 on an internal record.
 */
#include "test/fuzz/fuzz.h"

#include "common/check.h"
#include "common/memory.h"
#include "proto/frame.h"
#include "test/lib/message_random.h"

#include <stdio.h>
#include <stdlib.h>

#define RESPONSE_BIT 0x4000
#define FIRST_RECORD 0x2000

static void dump(const struct message_schema *schema, int version, const void *message)
{
	static FILE *nowhere;

	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	CHECK(nowhere);
	message_dump(schema, version, message, nowhere);
	message_dump_json(schema, version, message, nowhere);
}

/* Encodes what was decoded; the result must mean the same. */
static void again(const struct message_schema *schema, int version, const void *message, struct arena *arena)
{
	void *copy = arena_alloc(arena, schema->root->size);
	struct buf *buf = buf_new(64);
	struct wire_writer out;
	struct wire_reader in;

	CHECK(message_check(schema, version, message, NULL) == 0);
	wire_writer_init(&out, buf);
	CHECK(message_encode(schema, version, message, &out, NULL) == 0);
	wire_reader_init(&in, buf_slice(buf));
	CHECK(message_decode(schema, version, &in, arena, copy, NULL) == 0);
	CHECK(wire_left(&in) == 0);
	CHECK(message_equal(schema, version, message, copy));
	buf_release(buf);
}

static void body(const struct message_schema *schema, int version, struct wire_reader *in)
{
	struct arena arena;
	struct error err;
	void *message = memory_alloc(schema->root->size);

	arena_init(&arena);
	if (message_decode(schema, version, in, &arena, message, &err) == 0) {
		dump(schema, version, message);
		again(schema, version, message, &arena);
	}
	arena_fini(&arena);
	free(message);
}

static void other_schema(int key, int version, struct wire_reader *in)
{
	const struct message_schema *schema;
	const struct api *api;

	if (key & RESPONSE_BIT) {
		api = api_find(key & ~RESPONSE_BIT);
		schema = api ? api->response : NULL;
	} else {
		schema = key - FIRST_RECORD < api_record_count() ? api_record_at(key - FIRST_RECORD) : NULL;
	}
	if (schema && message_has_version(schema, version))
		body(schema, version, in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct request_header header;
	struct wire_reader in;

	wire_reader_init(&in, slice_of(data, len));
	if (request_header_decode(&in, &header) != 0)
		return 0;
	if (header.known_version)
		body(header.api->request, header.api_version, &in);
	else if (header.api_key >= FIRST_RECORD)
		other_schema(header.api_key, header.api_version, &in);
	return 0;
}
