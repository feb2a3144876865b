/*
 * Topics: what the list of topics and their nodes say, compared with the picture.
 *
 *     list read --> new name --> node and config read --> states read --> LIVE: its partitions are decided
 *              \--> name gone --> its replicas are told to stop, dropped
 *     node read --> more partitions, a topic id to add, or nonsense: reported, the topic waits and all others live
 *
 * A node whose czxid is another one is another topic of the same name (M2). A topic id is never lost: a node written without it
 * by an old tool gets it back (KAFKA-14190); one that never had any gets a new one.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_TOPIC_H
#define KLAMM_TOOLS_CONTROLLER_CTL_TOPIC_H

#include "tools/controller/ctl_state.h"

/* The complete list of names. */
void ctl_topic_on_list_read(struct ctl *ctl, const struct ctl_event *event);

void ctl_topic_on_node_read(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_topic_read *node);
void ctl_topic_on_states_read(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_event *event);

/* A write of its node ended. */
void ctl_topic_on_written(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_written *written);

/* A legacy notification: somebody changed states of the topic. */
void ctl_topic_on_states_changed(struct ctl *ctl, const struct ctl_event *event);

/* Becomes live when everything about it has been read. */
void ctl_topic_may_go_live(struct ctl *ctl, struct ctl_topic *topic);

#endif
