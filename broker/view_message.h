/*
 * From the controller's messages to the broker's cluster view: frames VIEW in, a new immutable view out.
 *
 *     frame (more) ---.
 *     frame (more) ---+--> view_message_take --> struct view_delta --> view_apply --> the next view
 *     frame -----------'
 *
 * Hub thread. The controller is trusted to mean well but not to be right: what does not fit ends in ERR_VERSION (a gap: ask for a
 * snapshot) or ERR_INVALID, and the old view stays.
 */
#ifndef KLAMM_BROKER_VIEW_MESSAGE_H
#define KLAMM_BROKER_VIEW_MESSAGE_H

#include "broker/meta/view.h"
#include "common/slice.h"

/* Frames of one snapshot; a cluster of a million partitions needs about 100 MB in all. */
#define VIEW_MESSAGE_FRAMES_MAX 4096

struct view_messages {
	struct Klamm__View **frames; /* gathered, all with `more` */
	int n;
};

void view_messages_init(struct view_messages *messages);

/* Drops what is gathered (the connection ended). */
void view_messages_fini(struct view_messages *messages);

/*
 * Takes the payload of one frame. 0 with *ret_view NULL: more frames must come. 0 with a view (one reference): it follows `view`.
 * ERR_CORRUPT (no such message), ERR_VERSION, ERR_INVALID, ERR_TOO_LARGE: nothing is gathered any more.
 */
int view_message_take(struct view_messages *messages, const struct view *view, struct slice cluster_id, struct slice payload,
		      struct view **ret_view);

#endif
