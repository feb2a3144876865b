/*
 * Notifications in ZooKeeper that are not state themselves but say that something changed:
 *
 *     /config/changes              which config to read again; nodes older than 15 minutes are removed when the next one comes
 *     /log_dir_event_notification  a broker lost a log dir; removed once read
 *     /isr_change_notification     old writers changed ISRs; removed once read
 *     /cluster/id                  read until there is one (brokers make it)
 *
 * What is there when the office begins says nothing new: everything is read anyway.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_OFFICE_NOTICES_H
#define KLAMM_TOOLS_CONTROLLER_OFFICE_NOTICES_H

#include "tools/controller/office.h"

struct office_notices *office_notices_new(struct office *office);
void office_notices_free(struct office_notices *notices);

void office_notices_reread(struct office_notices *notices);

/* The answer goes to office_line_on_cluster_id. */
void office_notices_read_cluster_id(struct office_notices *notices);

#endif
