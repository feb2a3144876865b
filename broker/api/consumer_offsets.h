/*
 * OffsetCommit and OffsetFetch of version 0: offsets that lie in ZooKeeper, where the first consumers looked after themselves. They have nothing to
 * do with what later versions commit: no coordinator, no members.
 */
#ifndef KLAMM_BROKER_API_CONSUMER_OFFSETS_H
#define KLAMM_BROKER_API_CONSUMER_OFFSETS_H

#include "broker/net/request.h"

/* Each ends the request, which is of version 0 and of its API. */
void consumer_offsets_commit(struct request *request);
void consumer_offsets_fetch(struct request *request);

#endif
