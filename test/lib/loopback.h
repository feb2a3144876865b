/*
 * Fixture of socket tests: the whole of broker/net in the test's own thread, and clients on loopback beside it.
 *
 *     struct loopback loopback;
 *     loopback_open(&loopback, apis, n, NULL);
 *     int fd = loopback_connect(&loopback);
 *     loopback_send(&loopback, fd, bytes, len);          turns the loop while the socket is full
 *     loopback_receive(&loopback, fd, bytes, len);       turns the loop until all bytes are there
 *
 * Nothing sleeps: every wait turns the loop and ends with a failed test after LOOPBACK_WAIT_MS.
 */
#ifndef KLAMM_TEST_LIB_LOOPBACK_H
#define KLAMM_TEST_LIB_LOOPBACK_H

#include "broker/net/listener.h"
#include "broker/net/net.h"

#define LOOPBACK_WAIT_MS 20000

struct loopback {
	struct worker worker; /* hub and worker in one */
	struct budget budget;
	struct net_setup setup;
	struct net net;
	struct net *nets[1];
	struct acceptor acceptor;
	struct listener listener;
	uint16_t port;
	struct message close;
};

/* limits NULL = net_limits_default. The budget is 64 MiB with 16 MiB in reserve until a test sets loopback.budget.total. */
void loopback_open(struct loopback *loopback, const struct net_api *apis, int n_apis, const struct net_limits *limits);
void loopback_close(struct loopback *loopback);

/* A connected, non-blocking socket. */
int loopback_connect(struct loopback *loopback);

/* Turns the loop until condition(ctx) holds. */
void loopback_until(struct loopback *loopback, bool (*condition)(void *ctx), void *ctx);

/* Turns the loop for this time. */
void loopback_pass(struct loopback *loopback, int64_t ms);

void loopback_send(struct loopback *loopback, int fd, const void *bytes, size_t len);
void loopback_receive(struct loopback *loopback, int fd, void *ret_bytes, size_t len);

/* Turns the loop until the other end has closed the connection; fails when a byte comes instead. */
void loopback_expect_closed(struct loopback *loopback, int fd);

/* Sends a request with header v1 and client id "test" whose body is these bytes. */
void loopback_request(struct loopback *loopback, int fd, int key, int version, int32_t correlation_id, const void *body,
		      size_t len);

/* The same as bytes with the size in front; ret_frame has room for len + 32. Returns the length. */
size_t loopback_frame(uint8_t *ret_frame, int key, int version, int32_t correlation_id, const void *body, size_t len);

/* Receives one answer; its correlation id and body (malloc'ed, *ret_len). */
uint8_t *loopback_answer(struct loopback *loopback, int fd, int32_t *ret_correlation_id, size_t *ret_len);

#endif
