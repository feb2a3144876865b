/*
 * Who leads instead (KIP-951): answers to Produce and Fetch that say NOT_LEADER_OR_FOLLOWER name the leader that this broker's view
 * knows, and its address, so that the client need not ask for metadata first.
 */
#ifndef KLAMM_BROKER_API_LEADER_HINT_H
#define KLAMM_BROKER_API_LEADER_HINT_H

#include "broker/meta/view.h"
#include "common/arena.h"

/* Leader and leader epoch by the view; the outputs stay as they are when it knows no leader. */
void leader_hint_find(const struct view *view, const struct uuid *topic_id, int32_t partition, int32_t *ret_leader, int32_t *ret_epoch);

struct leader_endpoint {
	const struct view_broker *broker;
	const struct view_endpoint *endpoint;
};

/* The brokers named in one answer, each once, with the address they have for clients of this listener. */
struct leader_hints {
	const struct view *view;
	struct slice listener;
	struct leader_endpoint *list; /* in the arena, room for every live broker */
	int n;
};

void leader_hints_init(struct leader_hints *hints, const struct view *view, const char *listener, struct arena *arena);

/* Ignores -1, the dead, and those without this listener. */
void leader_hints_add(struct leader_hints *hints, int32_t broker_id);

#endif
