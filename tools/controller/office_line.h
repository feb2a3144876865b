/*
 * Lines: the controller's connection to each live broker (DESIGN of the cluster protocol: proto/cluster/README.md).
 *
 *     open -> [look up the host name] -> dial -> Hello(epoch, nonce, target incarnation) -> CTL_REACHED -> frames both ways
 *       ^                                                                                     |
 *       +----------- after a pause, the next endpoint when it was never reached <-- CTL_LOST -+
 *
 * A line belongs to one incarnation of the broker. The listener is the one that the broker's znode or our configuration names; a broker
 * that says nothing is tried at each of its endpoints in turn. What is to be sent is encoded once and shared by all lines.
 * A broker that does not take what it is sent loses its line and begins again with a snapshot.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_OFFICE_LINE_H
#define KLAMM_TOOLS_CONTROLLER_OFFICE_LINE_H

#include "tools/controller/office.h"

void office_line_open(struct office *office, int32_t broker, int64_t broker_epoch);
void office_line_close(struct office *office, int32_t broker);
void office_line_close_all(struct office *office);

/* Carries out a CTL_DO_SEND. */
void office_line_send(struct office *office, const struct ctl_action *action);

/* Drops the encoded form of the view that was sent last; after every list of actions. */
void office_line_forget_view(struct office *office);

/* What /cluster/id holds: lines that waited for it are dialled. */
void office_line_on_cluster_id(struct office *office, struct slice json);

#endif
