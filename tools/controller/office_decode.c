/* Znodes as events; see office_decode.h. */
#include "tools/controller/office_decode.h"

#include "common/error.h"
#include "common/trace.h"
#include "zk/json_broker.h"
#include "zk/json_config.h"
#include "zk/json_notification.h"
#include "zk/json_partition_state.h"
#include "zk/json_topic.h"

/* The mark of a Klamm broker is "VERSION LISTENER": the listener that brokers and controllers use. */
static struct slice marked_listener(struct slice mark)
{
	for (size_t i = 0; i < mark.len; i++)
		if (mark.data[i] == ' ')
			return slice_of(mark.data + i + 1, mark.len - i - 1);
	return SLICE_NULL;
}

static int find_listener(const struct broker_znode *znode, struct slice name)
{
	for (int32_t i = 0; i < znode->n_endpoints; i++)
		if (slice_equal(znode->endpoints[i].listener, name))
			return i;
	return -1;
}

static enum ctl_start start_of(enum broker_start start)
{
	switch (start) {
	case BROKER_START_UNCLEAN:
		return CTL_START_UNCLEAN;
	case BROKER_START_DISK_NEW:
		return CTL_START_EMPTY;
	case BROKER_START_UNSAID:
	case BROKER_START_CLEAN:
	case BROKER_START_PROCESS_CRASH:
		break;
	}
	return CTL_START_WHOLE;
}

void office_decode_broker(struct arena *arena, const char *path, struct slice json, const char *listener, struct ctl_broker_read *broker)
{
	struct broker_znode znode;
	struct ctl_endpoint *endpoints;
	struct error err;

	if (broker_znode_decode(arena, path, arena_copy(arena, json), &znode, &err) != 0) {
		broker->odd = true;
		trace_warn("controller", "%s", err.text);
		return;
	}
	endpoints = arena_zalloc(arena, (size_t)znode.n_endpoints, sizeof *endpoints);
	for (int32_t i = 0; i < znode.n_endpoints; i++)
		endpoints[i] = (struct ctl_endpoint){.listener = znode.endpoints[i].listener,
						     .protocol = znode.endpoints[i].protocol,
						     .host = znode.endpoints[i].host,
						     .port = znode.endpoints[i].port};
	broker->foreign = slice_is_null(znode.klamm);
	broker->start = start_of(znode.start);
	broker->durable = znode.durable;
	broker->min_isr = znode.min_isr;
	broker->previous = znode.previous_epoch > 0 ? znode.previous_epoch : 0;
	broker->rack = znode.rack;
	broker->endpoints = endpoints;
	broker->n_endpoints = znode.n_endpoints;
	broker->inter_broker = find_listener(&znode, marked_listener(znode.klamm));
	if (broker->inter_broker < 0 && listener)
		broker->inter_broker = find_listener(&znode, slice_of_text(listener));
}

void office_decode_topic(struct arena *arena, const char *path, struct slice json, struct ctl_topic_read *node)
{
	struct topic_znode znode;
	struct ctl_assignment *partitions;
	struct error err;

	node->found = CTL_NONSENSE;
	if (topic_znode_decode(arena, path, arena_copy(arena, json), &znode, &err) != 0) {
		node->text = arena_copy(arena, slice_of_text(err.text));
		return;
	}
	partitions = arena_zalloc(arena, (size_t)znode.n_partitions, sizeof *partitions);
	for (int32_t i = 0; i < znode.n_partitions; i++) {
		const struct partition_assignment *from = &znode.partitions[i];

		if (from->partition != i) {
			node->text = SLICE_LITERAL("the numbers of its partitions have gaps");
			return;
		}
		partitions[i] = (struct ctl_assignment){from->n_replicas, from->n_adding, from->n_removing,
							from->replicas,   from->adding,   from->removing};
	}
	node->found = CTL_FOUND;
	node->id = znode.topic_id;
	node->spare_id = uuid_is_zero(&znode.topic_id) ? uuid_random() : UUID_ZERO;
	node->partitions = partitions;
	node->n_partitions = znode.n_partitions;
}

void office_decode_state(struct arena *arena, const char *path, struct slice json, struct ctl_state_read *state)
{
	struct partition_state_znode znode;
	struct error err;

	if (partition_state_znode_decode(arena, path, arena_copy(arena, json), &znode, &err) != 0) {
		state->found = CTL_NONSENSE;
		state->text = arena_copy(arena, slice_of_text(err.text));
		return;
	}
	state->found = CTL_FOUND;
	state->leader = znode.leader;
	state->leader_epoch = znode.leader_epoch;
	state->controller_epoch = znode.controller_epoch;
	state->recovering = znode.recovering;
	state->isr = znode.isr;
	state->n_isr = znode.n_isr;
	state->isr_epochs = znode.n_isr_epochs >= 0 ? znode.isr_epochs : NULL;
	state->has_elr = znode.n_elr >= 0;
	state->elr = znode.elr;
	state->n_elr = znode.n_elr > 0 ? znode.n_elr : 0;
	state->elr_epochs = znode.n_elr_epochs >= 0 ? znode.elr_epochs : NULL;
	state->lost = znode.last_known_elr;
	state->n_lost = znode.n_last_known_elr > 0 ? znode.n_last_known_elr : 0;
}

void office_decode_config(struct arena *arena, const char *path, struct slice json, struct ctl_config_read *config)
{
	struct config_znode znode;
	struct ctl_pair *pairs;
	struct error err;

	if (config_znode_decode(arena, path, arena_copy(arena, json), &znode, &err) != 0) {
		trace_warn("controller", "%s; it counts as empty until it is written again", err.text);
		return;
	}
	pairs = arena_zalloc(arena, (size_t)znode.n_entries, sizeof *pairs);
	for (int32_t i = 0; i < znode.n_entries; i++)
		pairs[i] = (struct ctl_pair){.name = znode.entries[i].key, .value = znode.entries[i].value};
	config->pairs = pairs;
	config->n_pairs = znode.n_entries;
}

void office_decode_legacy(struct arena *arena, const char *path, struct slice json, bool with_replicas, struct ctl_legacy_read *read)
{
	struct topic_partition_list list;
	struct ctl_legacy_wish *wishes;
	struct slice copy = arena_copy(arena, json);
	struct error err;
	int rc = with_replicas ? reassignment_decode(arena, path, copy, &list, &err) : partition_list_decode(arena, path, copy, &list, &err);

	if (rc != 0) {
		read->found = CTL_NONSENSE;
		read->text = arena_copy(arena, slice_of_text(err.text));
		return;
	}
	wishes = arena_zalloc(arena, (size_t)list.n_items, sizeof *wishes);
	for (int32_t i = 0; i < list.n_items; i++)
		wishes[i] = (struct ctl_legacy_wish){list.items[i].topic, list.items[i].partition, list.items[i].replicas, list.items[i].n_replicas};
	read->found = CTL_FOUND;
	read->wishes = wishes;
	read->n_wishes = list.n_items;
}
