/*
 * One connection of the client; see kafka_link.h.
 *
 * ApiVersions goes out in version 3. A broker that does not have it answers in the form of version 0 with error 35 (KIP-511),
 * which lists what it has; one that is older still closes the connection.
 */
#include "tools/klamm/kafka_link.h"

#include "common/buf.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/memory.h"
#include "config.h"
#include "proto/frame.h"
#include "proto/kafka/api_versions.gen.h"
#include "proto/kafka_error.h"
#include "tools/klamm/dial.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define VERSIONS_ASKED 3

static int send_request(struct kafka_link *link, const struct api *api, int version, const void *request, int64_t deadline_ms,
			struct error *err)
{
	struct request_header header = {.api_key = api->key,
					.api_version = (int16_t)version,
					.correlation_id = ++link->correlation_id,
					.client_id = slice_of_text(link->config->client_id)};
	struct buf *buf = buf_new(1024);
	struct wire_writer out;
	size_t start;
	int r;

	wire_writer_init(&out, buf);
	start = frame_begin(&out);
	request_header_encode(&header, &out);
	r = message_encode(api->request, version, request, &out, NULL);
	if (r == 0) {
		frame_end(&out, start, 0);
		r = dial_send(link->fd, buf->data, buf->len, deadline_ms);
	}
	buf_release(buf);
	if (r == ERR_TOO_LARGE)
		return error_set(err, r, "the %s request is too large for Kafka's protocol", api->name);
	if (r != 0)
		return error_set(err, r, "%s: could not send %s: %s", link->name, api->name, error_text(r));
	return 0;
}

/* One frame into the client's memory: what follows the size. */
static int receive_frame(struct kafka_link *link, const struct api *api, int64_t deadline_ms, struct slice *ret_frame,
			 struct error *err)
{
	uint8_t size[FRAME_SIZE_BYTES], *data;
	int32_t len;
	int r = dial_receive(link->fd, size, sizeof size, deadline_ms);

	if (r == ERR_TIMEOUT)
		return error_set(err, r, "%s: no answer to %s within %lld ms (--request-timeout-ms sets the time)", link->name,
				 api->name, (long long)link->config->request_timeout_ms);
	if (r != 0)
		return error_set(err, r,
				 "%s: the broker closed the connection instead of answering %s; does its listener speak "
				 "PLAINTEXT, and is it a Kafka listener?",
				 link->name, api->name);
	len = bytes_get_i32(size);
	if (len < 4 || len > CLIENT_FRAME_BYTES_MAX)
		return error_set(err, ERR_CORRUPT, "%s: what answered is no Kafka broker (a frame of %d bytes)", link->name,
				 len);
	data = arena_alloc(link->arena, (size_t)len);
	r = dial_receive(link->fd, data, (size_t)len, deadline_ms);
	if (r != 0)
		return error_set(err, r, "%s: the answer to %s broke off: %s", link->name, api->name, error_text(r));
	*ret_frame = slice_of(data, (size_t)len);
	return 0;
}

/* The body of the answer: its reader behind the header. */
static int receive_body(struct kafka_link *link, const struct api *api, int version, int64_t deadline_ms,
			struct wire_reader *ret_in, struct error *err)
{
	int32_t correlation_id;
	struct slice frame = SLICE_NULL;
	int r = receive_frame(link, api, deadline_ms, &frame, err);

	if (r != 0)
		return r;
	wire_reader_init(ret_in, frame);
	if (response_header_decode(api->key, version, ret_in, &correlation_id) != 0 || correlation_id != link->correlation_id)
		return error_set(err, ERR_CORRUPT, "%s: the answer to %s does not belong to the request", link->name,
				 api->name);
	return 0;
}

static int exchange(struct kafka_link *link, const struct api *api, int version, const void *request,
		    struct wire_reader *ret_in, struct error *err)
{
	int64_t deadline_ms = clock_ms() + link->config->request_timeout_ms;
	int r = send_request(link, api, version, request, deadline_ms, err);

	return r ? r : receive_body(link, api, version, deadline_ms, ret_in, err);
}

static int decode(struct kafka_link *link, const struct api *api, int version, struct wire_reader *in, void *ret_response,
		  struct error *err)
{
	struct error why = {0};
	int r = message_decode(api->response, version, in, link->arena, ret_response, &why);

	if (r != 0)
		return error_set(err, r, "%s: the answer to %s cannot be read: %s", link->name, api->name, why.text);
	return 0;
}

static void ranges_keep(struct kafka_link *link, const struct api_versions_response *versions)
{
	link->ranges = arena_alloc(link->arena, (size_t)versions->n_api_keys * sizeof *link->ranges);
	for (int i = 0; i < versions->n_api_keys; i++) {
		const struct api_versions_response_api_version *row = &versions->api_keys[i];
		int at = link->n_ranges++;

		for (; at > 0 && link->ranges[at - 1].key > row->api_key; at--)
			link->ranges[at] = link->ranges[at - 1];
		link->ranges[at] = (struct kafka_range){row->api_key, row->min_version, row->max_version};
	}
}

static int versions_ask(struct kafka_link *link, struct error *err)
{
	const struct api *api = api_find(API_API_VERSIONS);
	struct api_versions_request request = api_versions_request_default;
	struct api_versions_response versions;
	struct wire_reader in;
	int version = VERSIONS_ASKED, r;

	request.client_software_name = slice_of_text("klamm");
	request.client_software_version = slice_of_text(PACKAGE_VERSION);
	r = exchange(link, api, version, &request, &in, err);
	if (r == 0 && wire_left(&in) >= 2 && bytes_get_i16(in.at) == KAFKA_UNSUPPORTED_VERSION) {
		version = 0;
		r = exchange(link, api, version, &request, &in, err);
	}
	if (r == 0)
		r = decode(link, api, version, &in, &versions, err);
	if (r == 0 && versions.error_code != KAFKA_NONE)
		return error_set(err, ERR_IO, "%s: the broker refuses to say what it serves: %s", link->name,
				 kafka_error_name(versions.error_code));
	if (r == 0)
		ranges_keep(link, &versions);
	return r;
}

int kafka_link_open(const struct kafka_client_config *config, struct arena *arena, const char *host, int port,
		    struct kafka_link **ret_link, struct error *err)
{
	struct kafka_link *link;
	int fd, r = dial(host, port, clock_ms() + config->connect_timeout_ms, &fd, err);

	if (r != 0)
		return r;
	link = NEW(struct kafka_link);
	link->config = config;
	link->arena = arena;
	link->fd = fd;
	snprintf(link->name, sizeof link->name, "%s:%d", host, port);
	r = versions_ask(link, err);
	if (r != 0) {
		kafka_link_close(link);
		return r;
	}
	*ret_link = link;
	return 0;
}

void kafka_link_close(struct kafka_link *link)
{
	close(link->fd);
	free(link);
}

int kafka_link_version(const struct kafka_link *link, enum api_key key)
{
	const struct api *api = api_find((int)key);

	for (int i = 0; i < link->n_ranges; i++) {
		const struct kafka_range *range = &link->ranges[i];
		int version = range->until < api->until ? range->until : api->until;

		if (range->key == (int)key)
			return version >= range->since && version >= api->since ? version : -1;
	}
	return -1;
}

int kafka_link_call(struct kafka_link *link, enum api_key key, const void *request, void *ret_response, struct error *err)
{
	const struct api *api = api_find((int)key);
	int version = kafka_link_version(link, key);
	struct wire_reader in;
	int r;

	if (version < 0)
		return error_set(err, ERR_UNSUPPORTED, "%s: the broker does not serve %s in a version that klamm has",
				 link->name, api->name);
	r = exchange(link, api, version, request, &in, err);
	return r ? r : decode(link, api, version, &in, ret_response, err);
}
