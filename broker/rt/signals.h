/*
 * Signals as events of a loop: SIGTERM, SIGINT and SIGHUP come to one callback; SIGPIPE is ignored for the process.
 *
 * signals_block is called first in main(), before any thread starts, since threads inherit the mask. A child made by fork calls
 * signals_unblock before it does anything else.
 */
#ifndef KLAMM_BROKER_RT_SIGNALS_H
#define KLAMM_BROKER_RT_SIGNALS_H

#include "broker/rt/loop.h"

struct signals {
	struct loop_fd fd;
	void (*on_signal)(void *ctx, int signal_number);
	void *ctx;
};

void signals_block(void);
void signals_unblock(void);

/* on_signal is called on the loop's thread, once for each signal number that came. 0 or ERR_LIMIT. */
int signals_open(struct signals *signals, struct loop *loop, void (*on_signal)(void *ctx, int signal_number), void *ctx);
void signals_close(struct signals *signals);

#endif
