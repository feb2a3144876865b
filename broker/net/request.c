/* See request.h. */
#include "broker/net/request.h"

#include "broker/net/conn.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/kafka_error.h"

#include <stdalign.h>
#include <stdlib.h>
#include <unistd.h>

/* A request and the first bytes of its arena are one allocation: small requests need no other. */
#define REQUEST_BYTES 4096
/* Answers up to here are copied into the arena, larger ones keep the buffer they were encoded in. */
#define OUTPUT_COPY_BYTES 4096
/* File ranges up to here are read into memory: cheaper than a sendfile of their own. */
#define FILE_COPY_BYTES 4096

struct request_block {
	struct request request;
	alignas(max_align_t) char first[REQUEST_BYTES - sizeof(struct request)];
};

_Static_assert(sizeof(struct request_block) <= REQUEST_BYTES + alignof(max_align_t),
	       "struct request leaves no room in its block");

/* ---- Life ---- */

static void request_free(struct request *request)
{
	struct conn *conn = request->conn;
	struct net *net = request->net;

	if (request->arena_charged > 0)
		budget_give(net->setup->budget, request->arena_charged);
	arena_fini(&request->arena);
	if (net->n_spare < NET_SPARE_REQUESTS) {
		request->next = net->spare;
		net->spare = request;
		net->n_spare++;
	} else {
		free(CONTAINER_OF(request, struct request_block, request));
	}
	conn_on_request_gone(conn);
}

/* The answer is sent, or dropped with its connection. */
static void on_sent(struct send_item *item)
{
	struct request *request = CONTAINER_OF(item, struct request, end);

	if (request->output) {
		budget_give(request->net->setup->budget, request->output->cap);
		buf_release(request->output);
	}
	request_free(request);
}

static struct request *request_new(struct conn *conn)
{
	struct net *net = conn->net;
	struct request *request = net->spare;
	struct request_block *block;

	if (request) {
		net->spare = request->next;
		net->n_spare--;
	} else {
		block = memory_alloc(sizeof *block);
		request = &block->request;
	}
	block = CONTAINER_OF(request, struct request_block, request);
	*request = (struct request){
		.conn = conn, .net = net, .worker = net->worker, .client = conn->client, .arrived_ns = clock_ns()};
	arena_init_with(&request->arena, block->first, sizeof block->first);
	request->items_tail = &request->items;
	request->end = (struct send_item){.data = (const uint8_t *)"", .sent = on_sent};
	return request;
}

/* Takes over the frame: by reference, or copied when it is small. Returns its bytes. */
static struct slice take_bytes(struct request *request, const struct received *received)
{
	request->frame = received->buf;
	request->charged = received->bytes.len;
	budget_force(request->net->setup->budget, request->charged);
	request->rescued = request->conn->rescued;
	request->conn->rescued = false;
	return received->buf ? received->bytes : arena_copy(&request->arena, received->bytes);
}

void request_release_frame(struct request *request)
{
	struct budget *budget = request->net->setup->budget;

	buf_release(request->frame);
	request->frame = NULL;
	if (request->charged > 0)
		budget_give(budget, request->charged);
	request->charged = 0;
	if (request->rescued)
		budget_rescue_over(budget);
	request->rescued = false;
}

/* No handler has seen it: gone at once. */
static void discard(struct request *request)
{
	request_release_frame(request);
	request->conn->n_requests++;
	request_free(request);
}

void request_count_arena(struct request *request)
{
	size_t total = request->arena.total;

	if (total <= request->arena_charged)
		return;
	budget_force(request->net->setup->budget, total - request->arena_charged);
	request->arena_charged = total;
}

static void mark_ended(struct request *request)
{
	CHECK(request->phase == REQUEST_UNDER_WAY || request->phase == REQUEST_TOLD_GONE);
	CHECK(worker_is_current(request->worker));
	request_release_frame(request);
	request_count_arena(request);
	request->phase = REQUEST_ENDED;
}

static void end(struct request *request)
{
	mark_ended(request);
	conn_on_ended(request->conn);
}

/* ---- Beginning ---- */

static const struct net_api *row_of(const struct request *request)
{
	const struct net_api *api = net_find_api(request->net, request->header.api_key);
	const struct conn *conn = request->conn;

	if (!api || (!(api->flags & NET_API_RAW) && !request->header.api))
		return NULL;
	if ((api->flags & NET_API_INTER_BROKER) && !conn->client->listener->inter_broker)
		return NULL;
	if (!(api->flags & NET_API_BEFORE_AUTH) && !conn->authenticated)
		return NULL;
	return api;
}

static bool serves_version(const struct request *request)
{
	int version = request->header.api_version;

	if (version < request->api->since || version > request->api->until)
		return false;
	return (request->api->flags & NET_API_RAW) || request->header.known_version;
}

/* KIP-511: a client that is newer than we learns our versions of ApiVersions, in the oldest form. */
static void answer_unknown_api_versions(struct request *request)
{
	struct buf *buf = buf_new(16);
	struct wire_writer out;

	wire_writer_init(&out, buf);
	wire_put_i16(&out, KAFKA_UNSUPPORTED_VERSION);
	wire_put_i32(&out, 1);
	wire_put_i16(&out, API_API_VERSIONS);
	wire_put_i16(&out, request->api->since);
	wire_put_i16(&out, request->api->until);
	request_answer_raw(request, buf_slice(buf));
	buf_release(buf);
}

/* Reads the body by the schema of its API. */
static int decode_body(struct request *request, struct wire_reader *in, struct error *err)
{
	const struct message_schema *schema;

	request->raw_body = slice_of(in->at, wire_left(in));
	if (request->api->flags & NET_API_RAW)
		return 0;
	schema = request->header.api->request;
	request->body = arena_alloc(&request->arena, schema->root->size);
	return message_decode(schema, request->header.api_version, in, &request->arena, request->body, err);
}

/* Finds the row and the body; false: refused, and the request is gone. */
static bool understand(struct request *request, struct slice bytes)
{
	struct conn *conn = request->conn;
	const struct request_header *header = &request->header;
	struct wire_reader in;
	struct error err = {0};

	wire_reader_init(&in, bytes);
	if (request_header_decode(&in, &request->header) < 0) {
		conn_refuse(conn, "the header of a request ends too early or is invalid at byte %zu", in.fault_pos);
		return false;
	}
	request->api = row_of(request);
	if (!request->api) {
		conn_refuse(conn, "api %d (%s) version %d is not served on this listener", header->api_key,
			    header->api ? header->api->name : "unknown", header->api_version);
		return false;
	}
	if (!serves_version(request)) {
		if (header->api_key == API_API_VERSIONS)
			return true;
		conn_refuse(conn, "version %d of %s is not served", header->api_version,
			    header->api ? header->api->name : "a private api");
		return false;
	}
	if (decode_body(request, &in, &err) < 0) {
		conn_refuse(conn, "invalid %s request of version %d from client '%.*s': %s", header->api->name,
			    header->api_version, SLICE_ARGS(header->client_id), err.text);
		return false;
	}
	return true;
}

void request_begin(struct conn *conn, const struct received *received)
{
	struct request *request = request_new(conn);
	struct slice bytes = take_bytes(request, received);

	if (!understand(request, bytes)) {
		discard(request);
		return;
	}
	conn->net->counters.n_requests++;
	conn_enqueue(conn, request);
	request_count_arena(request);
	if (!serves_version(request))
		answer_unknown_api_versions(request);
	else
		request->api->handle(request);
}

bool request_may_pass(const struct net *net, struct slice frame)
{
	const struct net_api *api = net_find_api(net, bytes_get_i16(frame.data));

	return api && (api->flags & NET_API_PIPELINED);
}

/* ---- Answers ---- */

static void append(struct request *request, struct send_item *item)
{
	item->next = NULL;
	*request->items_tail = item;
	request->items_tail = &item->next;
}

static void append_bytes(struct request *request, const uint8_t *data, size_t len)
{
	struct send_item *item;

	if (len == 0)
		return;
	item = arena_alloc(&request->arena, sizeof *item);
	*item = (struct send_item){.data = data, .len = len};
	append(request, item);
}

struct file_item {
	struct send_item item;
	struct send_file *file;
};

static void release_file(struct send_file *file)
{
	if (file->release)
		file->release(file);
}

static void on_file_sent(struct send_item *item)
{
	release_file(CONTAINER_OF(item, struct file_item, item)->file);
}

static void append_file(struct request *request, struct send_file *file)
{
	struct file_item *item = arena_alloc(&request->arena, sizeof *item);

	*item = (struct file_item){.item = {.fd = file->fd, .pos = file->pos, .len = file->len, .sent = on_file_sent},
				   .file = file};
	append(request, &item->item);
}

/* True when the range is small and has been read into memory. */
static bool copy_file(struct request *request, struct send_file *file)
{
	uint8_t *bytes;

	if (file->len > FILE_COPY_BYTES)
		return false;
	bytes = arena_alloc(&request->arena, file->len);
	/* A range that cannot be read now is left to sendfile, whose failure closes the connection. */
	if (pread(file->fd, bytes, file->len, file->pos) != (ssize_t)file->len)
		return false;
	append_bytes(request, bytes, file->len);
	release_file(file);
	return true;
}

/* Where file ranges belong between the encoded bytes. */
struct splice {
	size_t pos;
	struct send_files *files;
	struct splice *next;
};

struct splices {
	struct arena *arena;
	struct splice *first, **tail;
};

static void on_external(void *ctx, size_t pos, const struct records *records)
{
	struct splices *splices = ctx;
	struct splice *splice = arena_alloc(splices->arena, sizeof *splice);
	struct send_files *files = records->external;
	int64_t size = 0;

	for (int i = 0; i < files->n_files; i++)
		size += (int64_t)files->files[i].len;
	CHECK(size == records->size);
	*splice = (struct splice){.pos = pos, .files = files};
	*splices->tail = splice;
	splices->tail = &splice->next;
}

/* The encoded bytes are kept by the request: copied when they are few, so that the scratch buffer is used again. */
static const uint8_t *keep_output(struct request *request, struct buf *scratch)
{
	struct net *net = request->net;

	if (scratch->len <= OUTPUT_COPY_BYTES)
		return arena_copy(&request->arena, buf_slice(scratch)).data;
	net->scratch = NULL;
	request->output = scratch;
	budget_force(net->setup->budget, scratch->cap);
	return scratch->data;
}

static struct buf *clear_scratch(struct net *net)
{
	if (!net->scratch)
		net->scratch = buf_new(OUTPUT_COPY_BYTES);
	net->scratch->len = 0;
	return net->scratch;
}

/* The send items of an answer: encoded bytes and file ranges in turn. */
static void append_answer(struct request *request, struct buf *scratch, const struct splices *splices)
{
	size_t len = scratch->len, at = 0;
	const uint8_t *bytes = keep_output(request, scratch);

	for (const struct splice *splice = splices->first; splice; splice = splice->next) {
		append_bytes(request, bytes + at, splice->pos - at);
		at = splice->pos;
		for (int i = 0; i < splice->files->n_files; i++)
			if (!copy_file(request, &splice->files->files[i]))
				append_file(request, &splice->files->files[i]);
	}
	append_bytes(request, bytes + at, len - at);
}

static void drop_files(const struct splices *splices)
{
	for (const struct splice *splice = splices->first; splice; splice = splice->next)
		for (int i = 0; i < splice->files->n_files; i++)
			release_file(&splice->files->files[i]);
}

static size_t begin_answer(struct request *request, int version, struct wire_writer *ret_out)
{
	const struct request_header *header = &request->header;
	size_t start;

	wire_writer_init(ret_out, clear_scratch(request->net));
	start = frame_begin(ret_out);
	if (request->api->flags & NET_API_RAW)
		wire_put_i32(ret_out, header->correlation_id);
	else
		response_header_encode(header->api_key, version, header->correlation_id, ret_out);
	return start;
}

void request_answer_version(struct request *request, int version, const void *response)
{
	const struct api *api = request->header.api;
	struct splices splices = {.arena = &request->arena};
	struct records_hook hook = {.external = on_external, .ctx = &splices};
	struct wire_writer out;
	size_t start = begin_answer(request, version, &out);

	splices.tail = &splices.first;
	if (message_encode(api->response, version, response, &out, &hook) < 0 || out.error) {
		drop_files(&splices);
		trace_limited(TRACE_ERROR, "net", "%s: the answer to %s version %d cannot be encoded",
			      request->client->address_text, api->name, version);
		request_close(request, "an answer was too large");
		return;
	}
	frame_end(&out, start, hook.total);
	append_answer(request, out.buf, &splices);
	end(request);
}

bool request_is_gone(const struct request *request)
{
	return request->conn->closed;
}

void request_answer(struct request *request, const void *response)
{
	request_answer_version(request, request->header.api_version, response);
}

void request_answer_raw_files(struct request *request, struct slice body, struct send_files *files)
{
	struct splice splice = {.files = files};
	struct splices splices = {.first = files ? &splice : NULL};
	struct wire_writer out;
	size_t start = begin_answer(request, 0, &out);
	int64_t size = 0;

	wire_put_raw(&out, body.data, body.len);
	for (int i = 0; files && i < files->n_files; i++)
		size += (int64_t)files->files[i].len;
	splice.pos = out.buf->len;
	frame_end(&out, start, size);
	append_answer(request, out.buf, &splices);
	end(request);
}

void request_answer_raw(struct request *request, struct slice body)
{
	request_answer_raw_files(request, body, NULL);
}

void request_answer_none(struct request *request)
{
	end(request);
}

void request_close(struct request *request, const char *reason)
{
	/* Ended before the others are told: its own on_gone is not called. */
	mark_ended(request);
	conn_close_on_ended(request->conn, reason);
}

void request_throttle(struct request *request, int64_t until_ms)
{
	request->mute_until_ms = until_ms;
}

void detached_close(const struct detached *detached)
{
	close(detached->fd);
	if (detached->client)
		client_release(detached->client);
	buf_release(detached->unread);
}

void request_detach(struct request *request, struct slice answer,
		    void (*on_detached)(void *ctx, const struct detached *detached), void *ctx)
{
	conn_detach(request->conn, on_detached, ctx);
	request_answer_raw(request, answer);
}

static void on_last_sent(void *ctx, const struct detached *detached)
{
	(void)ctx;
	if (detached)
		detached_close(detached);
}

void request_answer_last(struct request *request, struct slice body)
{
	request_detach(request, body, on_last_sent, NULL);
}
