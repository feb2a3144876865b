/*
 * The proof that watches miss nothing (D6): now and then the picture is compared with ZooKeeper, by versions only.
 *
 *     every interval:  children of /brokers/ids and of /brokers/topics; the stat of every broker's and topic's node and of the two nodes of
 *                      ctl_legacy.h; of the states the next DRIFT_STATES_MAX ones, so that a large cluster is gone through in several rounds
 *     differs?         may be news on their way: looked at once more, a while later
 *     still, and the node itself has not changed in between?  drift: counted, told, read again as if a watch had fired
 *
 * The count must stay 0 unless somebody edits state nodes by hand.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_OFFICE_DRIFT_H
#define KLAMM_TOOLS_CONTROLLER_OFFICE_DRIFT_H

#include "tools/controller/office.h"

/* interval_ms between rounds. */
struct office_drift *office_drift_new(struct office *office, int64_t interval_ms);

/* Nodes that drifted since then. */
int64_t office_drift_found(const struct office_drift *drift);

/* Answers under way are dropped. */
void office_drift_free(struct office_drift *drift);

#endif
