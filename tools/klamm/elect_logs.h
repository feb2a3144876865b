/*
 * What there is to choose from where an election loses records: the logs of the replicas of partitions without leader.
 *
 *     Metadata --> replicas of each partition --ListOffsets of a debugging client, to each that lives--> log end, epoch of the last batch
 *
 * The newest last batch comes first, then the longest log: the controller elects by the same rule.
 */
#ifndef KLAMM_TOOLS_KLAMM_ELECT_LOGS_H
#define KLAMM_TOOLS_KLAMM_ELECT_LOGS_H

#include "proto/kafka/elect_leaders.gen.h"
#include "tools/klamm/command.h"

/* Of the partitions of the request; where it names none, of all that have no leader. One of run_code. */
int elect_show_logs(struct run *run, const struct elect_leaders_request *request, struct error *err);

#endif
