/*
 * A ZooKeeper session for reading, driven by poll: what the command line needs of zk/. Blocking; one thread.
 *
 *     zk_reader_open -> zk_get/zk_children(reader->session, ...) -> zk_reader_run(until) -> zk_reader_close
 */
#ifndef KLAMM_TOOLS_KLAMM_ZK_READER_H
#define KLAMM_TOOLS_KLAMM_ZK_READER_H

#include "common/error.h"
#include "zk/session.h"

#include <stdbool.h>
#include <stdint.h>

struct zk_reader {
	struct zk_session *session;
	enum zk_state state;
	int fd;
	bool wants_read, wants_write;
	int64_t timer_at_ms; /* -1 = none */
};

/* Connects; ERR_TIMEOUT when no server answers in time. */
int zk_reader_open(struct zk_reader *reader, const char *connect, int64_t timeout_ms, struct error *err);

/* Serves the session until *busy is 0. ERR_SESSION_LOST when the connection is away for timeout_ms. */
int zk_reader_run(struct zk_reader *reader, const int *busy, int64_t timeout_ms, struct error *err);

void zk_reader_close(struct zk_reader *reader);

#endif
