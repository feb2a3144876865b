/* From the controller's messages to the view; see view_message.h. */
#include "broker/view_message.h"

#include "common/error.h"
#include "common/memory.h"
#include "proto/cluster/cluster.pb-c.h"
#include "proto/cluster/unpack.h"

#include <stdlib.h>

/* A delta under construction; its arrays lie in the arena and borrow from the frames. */
struct delta_builder {
	const struct view *view;
	struct arena arena;
	struct view_delta delta;
	struct view_broker *brokers;
	struct view_topic_delta *topics;
	struct slice *removed;
	struct view_broker_config_delta *configs;
};

void view_messages_init(struct view_messages *messages)
{
	*messages = (struct view_messages){0};
}

void view_messages_fini(struct view_messages *messages)
{
	for (int i = 0; i < messages->n; i++)
		klamm__view__free_unpacked(messages->frames[i], NULL);
	free(messages->frames);
	view_messages_init(messages);
}

static struct config_pair *pairs_of(struct arena *arena, size_t n, Klamm__ConfigEntry **entries)
{
	struct config_pair *pairs = arena_zalloc(arena, n, sizeof *pairs);

	for (size_t i = 0; i < n; i++)
		pairs[i] = (struct config_pair){slice_of_text(entries[i]->name), slice_of_text(entries[i]->value)};
	return pairs;
}

static void add_broker(struct delta_builder *builder, const Klamm__Broker *from)
{
	struct view_endpoint *endpoints = arena_zalloc(&builder->arena, from->n_endpoints, sizeof *endpoints);

	for (size_t i = 0; i < from->n_endpoints; i++)
		endpoints[i] = (struct view_endpoint){
			.listener = slice_of_text(from->endpoints[i]->listener),
			.protocol = slice_of_text(from->endpoints[i]->protocol),
			.host = slice_of_text(from->endpoints[i]->host),
			.port = from->endpoints[i]->port,
		};
	/* Klamm refuses to join where other kinds of brokers live, so that all of them are ours. */
	builder->brokers[builder->delta.n_brokers++] = (struct view_broker){
		.id = from->id,
		.epoch = from->epoch,
		.rack = from->has_rack ? slice_of_text(from->rack) : SLICE_NULL,
		.ours = true,
		.n_endpoints = (int)from->n_endpoints,
		.endpoints = endpoints,
	};
}

/* False when a list is longer than the view can count. */
static bool partition_of(const Klamm__Partition *from, struct view_partition *ret_partition)
{
	if (from->n_replicas > UINT8_MAX || from->n_isr > UINT8_MAX || from->n_adding > UINT8_MAX || from->n_removing > UINT8_MAX ||
	    from->n_offline > UINT8_MAX)
		return false;
	*ret_partition = (struct view_partition){
		.index = from->index,
		.leader = from->leader,
		.leader_epoch = from->leader_epoch,
		.partition_epoch = from->partition_epoch,
		.n_replicas = (uint8_t)from->n_replicas,
		.n_isr = (uint8_t)from->n_isr,
		.n_adding = (uint8_t)from->n_adding,
		.n_removing = (uint8_t)from->n_removing,
		.n_offline = (uint8_t)from->n_offline,
		.recovering = from->recovering,
		.replicas = from->replicas,
		.isr = from->isr,
		.adding = from->adding,
		.removing = from->removing,
		.offline = from->offline,
	};
	return true;
}

static bool add_partitions(struct delta_builder *builder, struct view_topic_delta *topic, const Klamm__Topic *from)
{
	struct view_partition *partitions = arena_zalloc(&builder->arena, from->n_partitions, sizeof *partitions);

	for (size_t i = 0; i < from->n_partitions; i++)
		if (!partition_of(from->partitions[i], &partitions[i]))
			return false;
	topic->partitions = partitions;
	topic->n_partitions = (int32_t)from->n_partitions;
	return true;
}

static bool add_topic(struct delta_builder *builder, const Klamm__Topic *from)
{
	struct view_topic_delta *topic = &builder->topics[builder->delta.n_topics++];

	if (from->id.len != sizeof topic->id.bytes)
		return false;
	memcpy(topic->id.bytes, from->id.data, sizeof topic->id.bytes);
	topic->name = slice_of_text(from->name);
	if (from->has_configs) {
		topic->has_config = true;
		topic->config_version = from->config_version;
		topic->config = pairs_of(&builder->arena, from->n_configs, from->configs);
		topic->n_config = (int)from->n_configs;
	}
	return !from->has_partitions || add_partitions(builder, topic, from);
}

static bool add_removed(struct delta_builder *builder, const ProtobufCBinaryData *from)
{
	const struct view_topic *topic;
	struct uuid id;

	if (from->len != sizeof id.bytes)
		return false;
	memcpy(id.bytes, from->data, sizeof id.bytes);
	topic = view_topic_by_id(builder->view, &id);
	if (topic)
		builder->removed[builder->delta.n_removed_topics++] = topic->name;
	return true;
}

static bool add_frame(struct delta_builder *builder, const Klamm__View *from)
{
	builder->delta.has_brokers |= from->has_brokers;
	for (size_t i = 0; i < from->n_brokers; i++)
		add_broker(builder, from->brokers[i]);
	for (size_t i = 0; i < from->n_topics; i++)
		if (!add_topic(builder, from->topics[i]))
			return false;
	for (size_t i = 0; i < from->n_removed_topics; i++)
		if (!add_removed(builder, &from->removed_topics[i]))
			return false;
	for (size_t i = 0; i < from->n_broker_configs; i++)
		builder->configs[builder->delta.n_broker_configs++] = (struct view_broker_config_delta){
			.id = from->broker_configs[i]->broker,
			.version = from->broker_configs[i]->version,
			.config = pairs_of(&builder->arena, from->broker_configs[i]->n_configs, from->broker_configs[i]->configs),
			.n_config = (int)from->broker_configs[i]->n_configs,
		};
	return true;
}

/* Arrays large enough for all frames together. */
static void builder_init(struct delta_builder *builder, const struct view *view, const struct view_messages *messages)
{
	size_t n_brokers = 0, n_topics = 0, n_removed = 0, n_configs = 0;

	*builder = (struct delta_builder){.view = view};
	arena_init(&builder->arena);
	for (int i = 0; i < messages->n; i++) {
		n_brokers += messages->frames[i]->n_brokers;
		n_topics += messages->frames[i]->n_topics;
		n_removed += messages->frames[i]->n_removed_topics;
		n_configs += messages->frames[i]->n_broker_configs;
	}
	builder->brokers = arena_zalloc(&builder->arena, n_brokers, sizeof *builder->brokers);
	builder->topics = arena_zalloc(&builder->arena, n_topics, sizeof *builder->topics);
	builder->removed = arena_zalloc(&builder->arena, n_removed, sizeof *builder->removed);
	builder->configs = arena_zalloc(&builder->arena, n_configs, sizeof *builder->configs);
}

static int apply(const struct view_messages *messages, const struct view *view, struct slice cluster_id, struct view **ret_view)
{
	const Klamm__View *first = messages->frames[0];
	struct delta_builder builder;
	int r = 0;

	builder_init(&builder, view, messages);
	builder.delta.snapshot = first->snapshot;
	builder.delta.controller_epoch = first->controller_epoch;
	builder.delta.number = first->number;
	builder.delta.cluster_id = cluster_id;
	builder.delta.office_broker = first->office_broker;
	for (int i = 0; i < messages->n && r == 0; i++)
		if (!add_frame(&builder, messages->frames[i]))
			r = ERR_INVALID;
	builder.delta.brokers = builder.brokers;
	builder.delta.topics = builder.topics;
	builder.delta.removed_topics = builder.removed;
	builder.delta.broker_configs = builder.configs;
	if (r == 0)
		r = view_apply(view, &builder.delta, ret_view);
	arena_fini(&builder.arena);
	return r;
}

int view_message_take(struct view_messages *messages, const struct view *view, struct slice cluster_id, struct slice payload,
		      struct view **ret_view)
{
	Klamm__View *frame = unpack_message(&klamm__view__descriptor, payload);
	int r = 0;

	*ret_view = NULL;
	if (!frame)
		r = ERR_CORRUPT;
	else if (messages->n == VIEW_MESSAGE_FRAMES_MAX)
		r = ERR_TOO_LARGE;
	else if (messages->n && (frame->number != messages->frames[0]->number ||
				 frame->controller_epoch != messages->frames[0]->controller_epoch))
		r = ERR_VERSION;
	if (r) {
		if (frame)
			klamm__view__free_unpacked(frame, NULL);
		view_messages_fini(messages);
		return r;
	}
	messages->frames = memory_grow(messages->frames, (size_t)(messages->n + 1) * sizeof(struct Klamm__View *));
	messages->frames[messages->n++] = frame;
	if (frame->more)
		return 0;
	r = apply(messages, view, cluster_id, ret_view);
	view_messages_fini(messages);
	return r;
}
