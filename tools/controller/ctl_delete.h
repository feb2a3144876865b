/*
 * Deletion of topics.
 *
 *     /admin/delete_topics/t --> QUEUED --(nothing being written)--> STOPPING --(all have erased)--> ERASING --> gone
 *                                                                       |
 *                                                                       +-- gone from every view; a broker that is down erases its
 *                                                                           replicas when it is back
 *
 * Znodes go last, children first; the topic's node, its config and the request in one multi at the end, so that a topic of the same
 * name made afterwards meets nothing of the old one (M2). A controller that takes over finds the request and does it all again.
 * A broker that said no is asked again after a while and when it comes back.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_DELETE_H
#define KLAMM_TOOLS_CONTROLLER_CTL_DELETE_H

#include "tools/controller/ctl_state.h"

/* The complete list of requests. */
void ctl_delete_on_read(struct ctl *ctl, const struct ctl_event *event);

/* Is there a request for this topic, which is new in the picture? */
void ctl_delete_mark(struct ctl *ctl, struct ctl_topic *topic);

/* After a list of topics: requests for topics that are not there are removed. */
void ctl_delete_drop_unknown(struct ctl *ctl);

/* May the deletion of this topic, of all, go on? */
void ctl_delete_check(struct ctl *ctl, struct ctl_topic *topic);
void ctl_delete_check_all(struct ctl *ctl);

/* What was asked over this broker's connection is to be asked again. */
void ctl_delete_broker_lost(struct ctl *ctl, const struct ctl_broker *broker);

/* Brokers that refused are asked again, erasures that failed are tried again. */
void ctl_delete_retry(struct ctl *ctl);

/* A broker's answer to a request that may have asked for erasure. */
void ctl_delete_on_results(struct ctl *ctl, const struct ctl_broker *broker, const struct ctl_event *event);

/* The erasure of the znodes ended. */
void ctl_delete_on_erased(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_written *written);

#endif
