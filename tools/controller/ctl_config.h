/* Configs of topics and brokers: kept as texts for the brokers' view; the controller itself reads few of them. */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_CONFIG_H
#define KLAMM_TOOLS_CONTROLLER_CTL_CONFIG_H

#include "tools/controller/ctl_state.h"

void ctl_config_on_topic_read(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_event *event);

/* All configs below /config/brokers. */
void ctl_config_on_brokers_read(struct ctl *ctl, const struct ctl_event *event);

/* unclean.leader.election.enable: the topic's, else the brokers' dynamic default, else the controller's own setting. */
bool ctl_config_unclean(struct ctl *ctl, const struct ctl_topic *topic);

/*
 * min.insync.replicas of a partition: the topic's, else the brokers' dynamic default, else the least of their files (any of them may lead
 * by it), else the controller's own; never above its replicas.
 */
int32_t ctl_config_min_isr(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *partition);

/*
 * Did a record of the topic count only when it was on this broker's disk (klamm.durability=fsync-isr), so that an unclean stop has cost nothing?
 * The topic's value, else the broker's own dynamic one, else that of all, else what the broker says of its file in the runs in question.
 */
bool ctl_config_is_durable(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_broker *broker);

#endif
