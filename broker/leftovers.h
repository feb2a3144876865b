/*
 * Replicas that lie here and are no longer this broker's: their partition moved away (KIP-455) and whoever was in office then could not say so
 * any more, or this broker was down. The controller in office does not know of them: its predecessor's last step is done in ZooKeeper.
 *
 *     first states of a connection --> every log, open or not --> its topic is in the view, the partition too, and names other brokers only
 *                                                                    --> one order to stop and erase, carried out behind these states
 *
 * The view of that connection came before the states and is as new as they; what is given to this broker later comes in a later order. A
 * topic that the view does not have is left alone: nobody can say what became of it.
 */
#ifndef KLAMM_BROKER_LEFTOVERS_H
#define KLAMM_BROKER_LEFTOVERS_H

#include "broker/meta/view.h"
#include "broker/store.h"
#include "proto/cluster/cluster.pb-c.h"

/* The order; NULL: there is nothing of the kind. Hub's thread. The message is the caller's, for replicas_stop. */
Klamm__StopReplicas *leftovers_find(const struct store *store, const struct view *view, int32_t broker);

#endif
