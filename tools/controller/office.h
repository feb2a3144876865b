/*
 * One holding of the office of controller: from the won election to the loss of fence, session or process. Everything that may not
 * outlive it hangs here, so that giving up is one call and nothing old can write (S13).
 *
 *     ZooKeeper --answers, watches--> office_read, office_notices --+
 *     brokers   --frames------------> office_line -----------------+--> office_tell(event) --> ctl_step --> actions
 *     clock     --timer---------------------------------------------+                                          |
 *                                                                                                              v
 *     ZooKeeper <--fenced multis-- office_write      brokers <--frames-- office_line      reads --> office_read
 *
 * Actions are carried out right after their step. At the end of a turn of the loop ctl_flush says what brokers are to be told, and
 * the writes of the turn go out together.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_OFFICE_H
#define KLAMM_TOOLS_CONTROLLER_OFFICE_H

#include "broker/rt/worker.h"
#include "common/buf.h"
#include "tools/controller/controller_config.h"
#include "tools/controller/ctl_step.h"
#include "zk/election.h"
#include "zk/session.h"

struct office;
struct office_drift;
struct office_line;
struct office_notices;
struct office_read;
struct office_write;
struct resolver;

struct office_setup {
	struct worker *worker;
	struct zk_session *zk;
	struct zk_election *election;
	const struct controller_config *config;
	struct resolver *resolver;   /* looks up host names */
	const char *nonce;
	const char *cluster_id;      /* NULL: there is none yet */
	int32_t epoch, epoch_version;
	int32_t ruled_since;         /* no controller of others was in office since this epoch */
	void *ctx;
	/*
	 * The office is over; min_epoch > 0: stand again with at least that epoch. Told once, from the loop, outside of any callback
	 * of the office: office_free may be called in it.
	 */
	void (*on_over)(void *ctx, int32_t min_epoch);
};

struct office {
	struct office_setup setup;
	struct ctl ctl;
	struct arena arena;          /* of the step under way */
	struct deferred flush;
	struct timer timer;
	bool over;
	int32_t min_epoch;
	int64_t since_ms;
	char *cluster_id;
	const struct ctl_view *encoded_view; /* what view_frames hold */
	struct arena view_arena;
	struct buf **view_frames;
	int n_view_frames;
	struct office_read *read;
	struct office_write *write;
	struct office_notices *notices;
	struct office_drift *drift;
	struct office_line *lines;
};

/* Takes over: reads everything. */
struct office *office_new(const struct office_setup *setup);

/* Drops connections, watches and what is queued; answers that still come are ignored. */
void office_free(struct office *office);

/* Something happened. */
void office_tell(struct office *office, const struct ctl_event *event);

/* No longer the controller; why is for the operator. */
void office_end(struct office *office, const char *why);

/* The connection was made anew: what watches may have missed is read again. */
void office_reread(struct office *office);

#endif
