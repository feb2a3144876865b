/*
 * What keeps the topics of a view alive: a counted chain, so that a delta need not touch the counts of ten thousand topics that
 * it does not change. For view*.c only.
 *
 *     view 41 --> keeper {a, b, c} <-- below -- keeper {b'} <-- view 42      topics of view 42: a, b', c
 *
 * Each keeper holds one reference to each of its topics. Topics that are gone from newer views stay until the chain is begun anew.
 */
#ifndef KLAMM_BROKER_META_VIEW_KEEPER_H
#define KLAMM_BROKER_META_VIEW_KEEPER_H

#include "broker/meta/view.h"

struct view_keeper {
	struct refcount refs;
	struct view_keeper *below; /* retained; NULL at the end of the chain */
	int depth;                 /* keepers below */
	int32_t n;
	int64_t stale_partitions;  /* of topics that the chain keeps though they are gone */
	struct view_topic *topics[];
};

/* NULL is allowed. */
void view_keeper_release(struct view_keeper *keeper);

#endif
