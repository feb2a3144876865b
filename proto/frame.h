/*
 * Frames of Kafka's protocol: i32 size, header, body; and which header goes with which API and version. All oddities live here:
 *
 *     request header v0   key i16, version i16, correlation id i32                       ControlledShutdown v0 only
 *     request header v1   + client id (nullable, i16 length)                             versions that are not flexible
 *     request header v2   + tagged fields; the client id stays in its old form           flexible versions
 *     response header v0  correlation id i32                                             not flexible; ApiVersions always
 *     response header v1  + tagged fields                                                flexible versions
 *
 * ApiVersions is answered with header v0 so that a client reads it before it knows the broker's range (KIP-511). A request of a
 * key or version without a schema is read up to its client id, as v1.
 */
#ifndef KLAMM_PROTO_FRAME_H
#define KLAMM_PROTO_FRAME_H

#include "proto/api.h"
#include "proto/wire.h"

#define FRAME_SIZE_BYTES 4

struct request_header {
	int16_t api_key;
	int16_t api_version;
	int32_t correlation_id;
	struct slice client_id; /* a view; null when absent */
	const struct api *api;  /* the row of api_key, or NULL */
	bool known_version;     /* the row has api_version: the body can be decoded */
};

/*
 * Reads the header of a request (the reader begins behind the size). 0, or ERR_TRUNCATED or ERR_INVALID: close the connection.
 * An unknown key or version is no failure here: look at api and known_version.
 */
int request_header_decode(struct wire_reader *in, struct request_header *ret_header);

/* Appends the header of a request; only api_key, api_version, correlation_id and client_id are looked at. */
void request_header_encode(const struct request_header *header, struct wire_writer *out);

/* The header of a response: its correlation id. */
int response_header_decode(int api_key, int api_version, struct wire_reader *in, int32_t *ret_correlation_id);
void response_header_encode(int api_key, int api_version, int32_t correlation_id, struct wire_writer *out);

/* Versions of the headers, 0-2 and 0-1, by the rules above. */
int frame_request_header_version(int api_key, int api_version);
int frame_response_header_version(int api_key, int api_version);

/* Leaves room for the size; returns the position to give to frame_end. */
size_t frame_begin(struct wire_writer *out);

/* Sets the size of the frame begun at start to all bytes since, plus those that lie outside the buffer (records_hook.total). */
void frame_end(struct wire_writer *out, size_t start, int64_t external_bytes);

#endif
