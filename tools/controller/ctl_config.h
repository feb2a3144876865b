/* Configs of topics and brokers: kept as texts for the brokers' view; the controller itself reads few of them. */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_CONFIG_H
#define KLAMM_TOOLS_CONTROLLER_CTL_CONFIG_H

#include "tools/controller/ctl_state.h"

void ctl_config_on_topic_read(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_event *event);

/* All configs below /config/brokers. */
void ctl_config_on_brokers_read(struct ctl *ctl, const struct ctl_event *event);

/* unclean.leader.election.enable: the topic's, else the brokers' dynamic default, else the controller's own setting. */
bool ctl_config_unclean(struct ctl *ctl, const struct ctl_topic *topic);

#endif
