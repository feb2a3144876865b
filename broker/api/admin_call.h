/* What handlers that write through the hub (broker/meta/admin.h) have in common. */
#ifndef KLAMM_BROKER_API_ADMIN_CALL_H
#define KLAMM_BROKER_API_ADMIN_CALL_H

#include "broker/meta/admin.h"
#include "broker/meta/create_topics_core.h"
#include "broker/net/request.h"
#include "broker/replica/shard.h"

/* The decisions' context: the view and configuration of the request's worker, memory of the request, fresh chance. */
struct topics_context admin_call_context(struct request *request);

/*
 * How long an operation may take: timeout_ms for the view to show it, as the client asked (0 or less: not at all), and at least
 * a second for ZooKeeper to take it, since the answer is to say what was written.
 */
void admin_call_times(struct admin_op *op, int32_t timeout_ms);

/* An item's message as text of an answer; null when there is none. */
struct slice admin_call_message(const char *message);

#endif
