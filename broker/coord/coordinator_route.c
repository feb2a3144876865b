/* Which shard of this broker a call is for; see coordinator.h. */
#include "broker/coord/coordinator.h"

#include "broker/coord/coord_hash_core.h"
#include "broker/meta/internal_topics_core.h"
#include "proto/kafka_error.h"

bool coordinator_place_of(const struct view *view, struct slice group_id, struct coordinator_place *ret_place)
{
	const struct view_topic *topic = view_topic(view, SLICE_LITERAL(INTERNAL_TOPIC_OFFSETS));

	if (!topic || topic->deleting || topic->n_partitions <= 0)
		return false;
	*ret_place = (struct coordinator_place){topic->id, coord_hash_partition(group_id, topic->n_partitions)};
	return true;
}

/* The first consumers made groups of that name, which are to be seen and deleted, too. */
static bool takes_empty_id(enum coordinator_kind kind)
{
	return kind == COORDINATOR_COMMIT || kind == COORDINATOR_FETCH_OFFSETS || kind == COORDINATOR_DESCRIBE ||
	       kind == COORDINATOR_DELETE_GROUP;
}

struct shard *coordinator_route(const struct shard *here, struct coordinator_call *call)
{
	if (call->group_id.len == 0 && !takes_empty_id(call->kind)) {
		call->error = KAFKA_INVALID_GROUP_ID;
		return NULL;
	}
	if (!coordinator_place_of(here->view, call->group_id, &call->place)) {
		call->error = KAFKA_NOT_COORDINATOR;
		return NULL;
	}
	return shard_owner(here, &call->place.topic_id, call->place.partition);
}
