/* Frames and headers; see frame.h. */
#include "proto/frame.h"

#include "common/check.h"

/* Has a header of its own in version 0, whether there is a schema or not. */
#define CONTROLLED_SHUTDOWN_KEY 7

int frame_request_header_version(int api_key, int api_version)
{
	const struct api *api = api_find(api_key);

	if (api_key == CONTROLLED_SHUTDOWN_KEY && api_version == 0)
		return 0;
	if (!api || !api_has_version(api, api_version))
		return 1;
	return api_is_flexible(api, api_version) ? 2 : 1;
}

int frame_response_header_version(int api_key, int api_version)
{
	const struct api *api = api_find(api_key);

	if (api_key == API_API_VERSIONS || !api || !api_has_version(api, api_version))
		return 0;
	return api_is_flexible(api, api_version) ? 1 : 0;
}

int request_header_decode(struct wire_reader *in, struct request_header *ret_header)
{
	struct request_header header = {.client_id = SLICE_NULL};
	int version;

	header.api_key = wire_get_i16(in);
	header.api_version = wire_get_i16(in);
	header.correlation_id = wire_get_i32(in);
	if (in->error)
		return in->error;
	header.api = api_find(header.api_key);
	header.known_version = header.api && api_has_version(header.api, header.api_version);
	version = frame_request_header_version(header.api_key, header.api_version);
	if (version >= 1)
		header.client_id = wire_get_string(in, false);
	if (version >= 2)
		wire_skip_tags(in);
	if (in->error)
		return in->error;
	*ret_header = header;
	return 0;
}

void request_header_encode(const struct request_header *header, struct wire_writer *out)
{
	int version = frame_request_header_version(header->api_key, header->api_version);

	wire_put_i16(out, header->api_key);
	wire_put_i16(out, header->api_version);
	wire_put_i32(out, header->correlation_id);
	if (version >= 1)
		wire_put_string(out, header->client_id, false);
	if (version >= 2)
		wire_put_uvarint(out, 0);
}

int response_header_decode(int api_key, int api_version, struct wire_reader *in, int32_t *ret_correlation_id)
{
	int32_t correlation_id = wire_get_i32(in);

	if (frame_response_header_version(api_key, api_version) >= 1)
		wire_skip_tags(in);
	if (in->error)
		return in->error;
	*ret_correlation_id = correlation_id;
	return 0;
}

void response_header_encode(int api_key, int api_version, int32_t correlation_id, struct wire_writer *out)
{
	wire_put_i32(out, correlation_id);
	if (frame_response_header_version(api_key, api_version) >= 1)
		wire_put_uvarint(out, 0);
}

size_t frame_begin(struct wire_writer *out)
{
	size_t start = out->buf->len;

	wire_put_i32(out, 0);
	return start;
}

void frame_end(struct wire_writer *out, size_t start, int64_t external_bytes)
{
	int64_t size;

	if (out->error)
		return;
	CHECK(out->buf->len >= start + FRAME_SIZE_BYTES && external_bytes >= 0);
	if (external_bytes > INT32_MAX ||
	    (size = (int64_t)(out->buf->len - start - FRAME_SIZE_BYTES) + external_bytes) > INT32_MAX) {
		out->error = ERR_TOO_LARGE;
		return;
	}
	bytes_put_i32(out->buf->data + start, (int32_t)size);
}
