/*
 * Writing the controller's znodes: each write is one or more operations in fenced multis (zk/batch.h, D2, S13), packed together and
 * sent at the end of the turn.
 *
 *     office_write_add(write) --> JSON --> zk_batch --> multi[check /controller_epoch, op, op, ...] --> tell(written)
 *
 * What an answer means for the decisions: done; missed (another version, there already, gone, or nobody knows: it is read again); failed.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_OFFICE_WRITE_H
#define KLAMM_TOOLS_CONTROLLER_OFFICE_WRITE_H

#include "tools/controller/ctl_action.h"
#include "zk/batch.h"
#include "zk/election.h"
#include "zk/json_topic.h"

struct office_write;

struct office_write_port {
	void *ctx;
	void (*tell)(void *ctx, const struct ctl_written *written, int n_written);
	/* Somebody else holds the office: nothing is written any more. */
	void (*fenced)(void *ctx);
};

struct office_write *office_write_new(struct zk_session *zk, struct zk_election *election, int32_t epoch_version,
				      const struct office_write_port *port);

/* What is queued is dropped; answers under way are ignored. */
void office_write_free(struct office_write *write);

/* Carries out a CTL_DO_WRITE; all it points to is copied. */
void office_write_add(struct office_write *write, const struct ctl_write *what);

/* Deletes a notification node, fenced; that it is gone already is right. */
void office_write_delete(struct office_write *write, const char *path);

void office_write_flush(struct office_write *write);

/* The bytes of a state, and the topic's node as the picture has it. */
struct slice office_write_encode_state(struct arena *arena, const struct ctl_lead *lead, int32_t controller_epoch);
struct topic_znode office_write_topic_znode(struct arena *arena, const struct ctl_topic *topic);

#endif
