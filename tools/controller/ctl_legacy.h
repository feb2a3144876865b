/*
 * Requests that operators and old tools write into ZooKeeper instead of sending them, as Kafka's controller takes them up to the last version
 * with ZooKeeper:
 *
 *     /admin/preferred_replica_election  --> preferred elections --> all of them ended --> the node is deleted
 *     /admin/reassign_partitions         --> askings for moves (ctl_reassign.h) --> each that has ended, was refused or was overtaken is taken
 *                                            out of the node --> none is left: the node is deleted
 *
 * - The nodes are read when the picture is complete, whenever they change, and again by whoever takes over: what a node names is wanted until
 *   it is no longer named. A move that is under way already goes on, and one that stands as it is wanted is done.
 * - The latest asking counts: where a client asks for another assignment of a partition that the node names, it is taken out of the node before
 *   the other one is written, so that no later controller goes back to it. A request that is refused leaves the node as it is.
 * - Nonsense is reported. An election node is deleted then; the other one stays until somebody mends it or takes it away. An operator who
 *   deletes the node cancels nothing.
 * - A node is only changed as it was read (its version): what is written into it meanwhile is read first. One that is deleted by hand and made
 *   again in just that moment bears the same version, and may be lost.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_LEGACY_H
#define KLAMM_TOOLS_CONTROLLER_CTL_LEGACY_H

#include "tools/controller/ctl_state.h"

/* The picture is complete: asks for the nodes. */
void ctl_legacy_begin(struct ctl *ctl);

void ctl_legacy_on_elections_read(struct ctl *ctl, const struct ctl_legacy_read *read);
void ctl_legacy_on_reassignments_read(struct ctl *ctl, const struct ctl_legacy_read *read);

/* All elections that the node asked for have ended (ctl_admin.h). */
void ctl_legacy_on_elected(struct ctl *ctl);

/* A write of one of the nodes ended. */
void ctl_legacy_on_written(struct ctl *ctl, const struct ctl_written *written);

/* Asks for moves that are wanted, and looks what became of the others. Before moves are written. */
void ctl_legacy_check(struct ctl *ctl);

/*
 * What was asked for under this serial is about to be written: when the node wants something else of the partition, it is to be taken out
 * there. True: that has not happened yet, the move waits.
 */
bool ctl_legacy_gives_way(struct ctl *ctl, const struct ctl_topic *topic, struct ctl_partition *partition, uint32_t serial);

/* Writes what the nodes are to be. Behind everything that takes partitions out of them. */
void ctl_legacy_flush(struct ctl *ctl);

/* What ZooKeeper refused is tried again. */
void ctl_legacy_retry(struct ctl *ctl);

#endif
