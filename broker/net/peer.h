/*
 * A connection of the cluster (controller to broker, follower to leader): begun in Kafka's protocol by Hello, then frames both
 * ways:
 *
 *     u32 payload length, u16 header length, u8 version, u8 type, header (protobuf-c), payload (raw: record batches, ...)
 *
 *     dialling side:  peer_dial -> connect -> Hello request -> on_hello(answer) -> frames
 *     other side:     request_detach in the handler of Hello -> peer_adopt -> frames
 *
 * Lengths are bounded before anything is done with them: the header by LIMIT_PEER_HEADER_BYTES, the payload by what the owner
 * gave (payload_bytes_max). A frame that breaks them closes the connection.
 *
 * What is in part here counts against the budget: a frame has to get on (looked at with each ping).
 *
 * A peer belongs to the worker it was made on. It ends once: by itself (then on_closed is called) or by peer_close. The struct
 * is freed by peer_free, which may be called in any callback of the same peer. Dialling again is the
 * owner's business.
 */
#ifndef KLAMM_BROKER_NET_PEER_H
#define KLAMM_BROKER_NET_PEER_H

#include "broker/net/budget.h"
#include "broker/net/receiver.h"
#include "broker/net/request.h"
#include "broker/net/send_list.h"

#include <sys/socket.h>

#define PEER_FRAME_HEAD_BYTES 8

struct peer;

/* A frame as it came in. The slices are good during on_frame; with buf retained the payload's bytes stay. */
struct peer_frame {
	uint8_t version;
	uint8_t type;
	struct slice header;
	struct slice payload;
	struct buf *buf; /* where header and payload lie, for buf_retain; NULL when the frame was small: copy what is kept */
};

/* What the owner is told, on the worker's thread. */
struct peer_port {
	/* Dialling side: the other end's answer to Hello (its body). Return false to refuse: the peer closes (on_closed
	 * follows). */
	bool (*on_hello)(void *ctx, struct peer *peer, struct slice answer);
	/* Return 0, or a negative code for bytes that are not right: the peer closes with it. */
	int (*on_frame)(void *ctx, struct peer *peer, const struct peer_frame *frame);
	/* Of what waits to be sent less than half of send_bytes_max is left, after peer_send said that it is full. */
	void (*on_drained)(void *ctx, struct peer *peer);
	/* The connection is over; text says why, for the log. */
	void (*on_closed)(void *ctx, struct peer *peer, int code, const char *text);
	void *ctx;
};

struct peer_limits {
	uint32_t payload_bytes_max; /* of a frame that comes in */
	size_t send_bytes_max;      /* bytes and file ranges waiting to be sent; beyond it peer_send says ERR_BUSY and takes the
				       frame all the same */
	int64_t connect_ms;         /* dial to connected, and again to the answer of Hello */
	int64_t ping_ms;            /* nothing sent for so long: a ping is sent; 0 = none */
	int64_t idle_ms;            /* nothing received for so long, or while paused nothing taken of what waits to be sent:
				       closed; 0 = never */
	int64_t frame_ms_max;       /* of a frame in part a byte a ms must come over each such time; else closed */
	int64_t starved_ms_max;     /* it stands still for so long while others wait for memory: closed */
	uint8_t ping_type;          /* frame type of pings: sent with empty header and payload, and not handed to on_frame */
};

extern const struct peer_limits peer_limits_default;

struct peer_setup {
	struct worker *worker;
	struct receive_pool *pool; /* of the worker; NULL: the peer makes its own */
	struct budget *budget;     /* NULL: not counted */
	uint8_t version;           /* in the head of each frame sent */
	struct peer_limits limits;
	struct peer_port port;
};

/* Where to dial (broker/net/address.h makes addresses) and what to say first. */
struct peer_target {
	struct sockaddr_storage address;
	struct sockaddr_storage source; /* ss_family 0 = the system chooses; a port of 0 in it is right */
	int16_t hello_key, hello_version;
	const char *client_id;
	struct slice hello; /* body of the request; copied */
};

/* Never fails at once: what goes wrong is told by on_closed. */
struct peer *peer_dial(const struct peer_setup *setup, const struct peer_target *target);

/* The connection of a Hello that was answered; takes over what `detached` names (client included). Bytes in it are handled
 * soon, not inside. */
struct peer *peer_adopt(const struct peer_setup *setup, const struct detached *detached);

/* True from the acceptance of Hello to the end. */
bool peer_is_open(const struct peer *peer);

/*
 * Sends a frame: header and payload are copied; files follow the payload in the order given and count as payload. `files` is
 * copied too; its release functions are called when sent or given up. 0; ERR_BUSY: taken, but no more please until on_drained;
 * ERR_CLOSED: given up.
 */
int peer_send(struct peer *peer, uint8_t type, struct slice header, struct slice payload, const struct send_files *files);

/* The same with a payload that is not copied: a reference to buf is taken. */
int peer_send_buf(struct peer *peer, uint8_t type, struct slice header, struct buf *buf, struct slice payload);

/* Stops and resumes reading: back-pressure of the owner. */
void peer_pause(struct peer *peer);
void peer_resume(struct peer *peer);

/* Ends it without a call of on_closed. What waits to be sent is given up. */
void peer_close(struct peer *peer);

/* Closes it if need be and frees it. */
void peer_free(struct peer *peer);

/* For the log: the other end's address. */
const char *peer_address(const struct peer *peer);

/*
 * A sign of life is not older than this (clock_ms): the last bytes came in after it. It is behind by as much as lies between two of them, since
 * what has gathered while this process stood still is no sign of life of now (S9).
 */
int64_t peer_fresh_ms(const struct peer *peer);

#endif
