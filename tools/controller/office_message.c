/* Messages to brokers; see office_message.h. */
#include "tools/controller/office_message.h"

#include "common/error.h"
#include "common/limits.h"
#include "common/memory.h"
#include "proto/cluster/cluster.pb-c.h"
#include "proto/cluster/unpack.h"
#include "proto/kafka_error.h"
#include "proto/message.h"
#include "tools/controller/ctl_failure.h"
#include "tools/controller/ctl_state.h"

#include <string.h>

/* Partitions in one frame of a snapshot: about 4 MB with three replicas. */
#define FRAME_PARTITIONS 100000

/* protobuf-c reads these and never writes through them. */
static ProtobufCBinaryData bytes_of(const struct uuid *id)
{
	return (ProtobufCBinaryData){sizeof id->bytes, (uint8_t *)(uintptr_t)id->bytes};
}

static char *text_of(struct arena *arena, struct slice s)
{
	return (char *)(uintptr_t)arena_copy(arena, slice_is_null(s) ? SLICE_LITERAL("") : s).data;
}

static struct buf *pack(const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	struct buf *buf = buf_new(len ? len : 1);

	buf->len = protobuf_c_message_pack(message, buf->data);
	return buf;
}

/* An array of n messages and the array of pointers to them that protobuf-c wants. */
#define NEW_LIST(arena, type, init, n, ret_pointers)                                  \
	do {                                                                          \
		type *list_ = arena_alloc(arena, (size_t)(n) * sizeof *list_);        \
		(ret_pointers) = arena_alloc(arena, (size_t)(n) * sizeof(type *));    \
		for (size_t i_ = 0; i_ < (size_t)(n); i_++) {                         \
			init(&list_[i_]);                                             \
			(ret_pointers)[i_] = &list_[i_];                              \
		}                                                                     \
	} while (0)

static Klamm__ConfigEntry **make_configs(struct arena *arena, const struct ctl_configs *configs)
{
	Klamm__ConfigEntry **entries;

	NEW_LIST(arena, Klamm__ConfigEntry, klamm__config_entry__init, configs->n_pairs, entries);
	for (int i = 0; i < configs->n_pairs; i++) {
		entries[i]->name = text_of(arena, configs->pairs[i].name);
		entries[i]->value = text_of(arena, configs->pairs[i].value);
	}
	return entries;
}

static void fill_offline(struct arena *arena, const struct ctl_partition *p, Klamm__Partition *message)
{
	if (!p->failures)
		return;
	message->offline = arena_alloc(arena, (size_t)p->n_replicas * sizeof *message->offline);
	for (int i = 0; i < p->n_replicas; i++)
		if (ctl_failure_of(p, p->replicas[i]))
			message->offline[message->n_offline++] = p->replicas[i];
}

static Klamm__Partition **make_partitions(struct arena *arena, const struct ctl_part *part)
{
	Klamm__Partition **partitions;

	NEW_LIST(arena, Klamm__Partition, klamm__partition__init, part->n_partitions, partitions);
	for (int32_t i = 0; i < part->n_partitions; i++) {
		const struct ctl_partition *p = &part->topic->partitions[part->partitions[i]];
		Klamm__Partition *message = partitions[i];

		message->index = part->partitions[i];
		message->leader = p->now.leader;
		message->leader_epoch = p->now.leader_epoch;
		message->partition_epoch = p->version;
		message->recovering = p->now.recovering;
		message->replicas = p->replicas;
		message->n_replicas = (size_t)p->n_replicas;
		message->adding = p->replicas + p->n_replicas;
		message->n_adding = (size_t)p->n_adding;
		message->removing = p->replicas + p->n_replicas + p->n_adding;
		message->n_removing = (size_t)p->n_removing;
		message->isr = p->now.isr;
		message->n_isr = (size_t)p->now.n_isr;
		fill_offline(arena, p, message);
	}
	return partitions;
}

/* ---- the view ---- */

static void fill_topic(struct arena *arena, const struct ctl_part *part, Klamm__Topic *topic)
{
	topic->name = text_of(arena, part->topic->name);
	topic->id = bytes_of(&part->topic->id);
	topic->has_partitions = part->has_partitions;
	topic->has_configs = part->has_configs;
	if (part->has_partitions) {
		topic->n_partitions = (size_t)part->n_partitions;
		topic->partitions = make_partitions(arena, part);
	}
	topic->config_version = part->topic->configs.version;
	if (part->has_configs) {
		topic->n_configs = (size_t)part->topic->configs.n_pairs;
		topic->configs = make_configs(arena, &part->topic->configs);
	}
}

static Klamm__Endpoint **make_endpoints(struct arena *arena, const struct ctl_broker *broker)
{
	Klamm__Endpoint **endpoints;

	NEW_LIST(arena, Klamm__Endpoint, klamm__endpoint__init, broker->n_endpoints, endpoints);
	for (int i = 0; i < broker->n_endpoints; i++) {
		endpoints[i]->listener = text_of(arena, broker->endpoints[i].listener);
		endpoints[i]->protocol = text_of(arena, broker->endpoints[i].protocol);
		endpoints[i]->host = text_of(arena, broker->endpoints[i].host);
		endpoints[i]->port = broker->endpoints[i].port;
	}
	return endpoints;
}

static void fill_brokers(struct arena *arena, const struct ctl_view *view, Klamm__View *message)
{
	message->has_brokers = view->has_brokers;
	message->n_brokers = (size_t)view->n_brokers;
	NEW_LIST(arena, Klamm__Broker, klamm__broker__init, view->n_brokers, message->brokers);
	for (int i = 0; i < view->n_brokers; i++) {
		const struct ctl_broker *from = &view->brokers[i];

		message->brokers[i]->id = from->id;
		message->brokers[i]->epoch = from->epoch;
		message->brokers[i]->has_rack = !slice_is_null(from->rack);
		message->brokers[i]->rack = text_of(arena, from->rack);
		message->brokers[i]->n_endpoints = (size_t)from->n_endpoints;
		message->brokers[i]->endpoints = make_endpoints(arena, from);
	}
}

static void fill_rest(struct arena *arena, const struct ctl_view *view, Klamm__View *message)
{
	fill_brokers(arena, view, message);
	message->n_removed_topics = (size_t)view->n_removed;
	message->removed_topics = arena_alloc(arena, (size_t)view->n_removed * sizeof *message->removed_topics);
	for (int i = 0; i < view->n_removed; i++)
		message->removed_topics[i] = bytes_of(&view->removed[i]);
	message->n_broker_configs = (size_t)view->n_broker_configs;
	NEW_LIST(arena, Klamm__BrokerConfig, klamm__broker_config__init, view->n_broker_configs, message->broker_configs);
	for (int i = 0; i < view->n_broker_configs; i++) {
		const struct ctl_broker_config *from = view->broker_configs[i];

		message->broker_configs[i]->broker = from->broker;
		message->broker_configs[i]->version = from->configs.version;
		message->broker_configs[i]->n_configs = (size_t)from->configs.n_pairs;
		message->broker_configs[i]->configs = make_configs(arena, &from->configs);
	}
}

static int32_t end_of_frame(const struct ctl_view *view, int32_t first)
{
	int64_t n_partitions = 0;
	int32_t at = first;

	while (at < view->n_topics && (at == first || n_partitions + view->topics[at].n_partitions <= FRAME_PARTITIONS))
		n_partitions += view->topics[at++].n_partitions;
	return at;
}

int office_message_view(struct arena *arena, const struct ctl_view *view, struct buf ***ret_frames)
{
	struct buf **frames = arena_alloc(arena, ((size_t)view->n_topics + 1) * sizeof *frames);
	int32_t first = 0;
	int n = 0;

	do {
		Klamm__View message = KLAMM__VIEW__INIT;
		int32_t end = view->snapshot ? end_of_frame(view, first) : view->n_topics;

		message.controller_epoch = view->controller_epoch;
		message.number = view->number;
		message.snapshot = view->snapshot;
		message.office_broker = view->office;
		message.more = end < view->n_topics;
		if (n == 0)
			fill_rest(arena, view, &message);
		message.n_topics = (size_t)(end - first);
		NEW_LIST(arena, Klamm__Topic, klamm__topic__init, end - first, message.topics);
		for (int32_t i = first; i < end; i++)
			fill_topic(arena, &view->topics[i], message.topics[i - first]);
		frames[n++] = pack(&message.base);
		first = end;
	} while (first < view->n_topics);
	*ret_frames = frames;
	return n;
}

/* ---- states and stops ---- */

struct buf *office_message_states(struct arena *arena, const struct ctl_states *states, int64_t broker_epoch, int64_t request)
{
	Klamm__PartitionStates message = KLAMM__PARTITION_STATES__INIT;

	message.controller_epoch = states->controller_epoch;
	message.broker_epoch = broker_epoch;
	message.request = request;
	message.n_topics = (size_t)states->n_parts;
	NEW_LIST(arena, Klamm__PartitionTopic, klamm__partition_topic__init, states->n_parts, message.topics);
	for (int32_t i = 0; i < states->n_parts; i++) {
		const struct ctl_part *part = &states->parts[i];
		Klamm__PartitionTopic *topic = message.topics[i];

		topic->name = text_of(arena, part->topic->name);
		topic->id = bytes_of(&part->topic->id);
		topic->n_partitions = (size_t)part->n_partitions;
		topic->partitions = make_partitions(arena, part);
		topic->n_fresh = (size_t)part->n_fresh;
		topic->fresh = (int32_t *)(uintptr_t)part->fresh;
		topic->n_configs = (size_t)part->topic->configs.n_pairs;
		topic->configs = make_configs(arena, &part->topic->configs);
	}
	return pack(&message.base);
}

#define LEADER_EPOCH_DELETED (-2)
#define LEADER_EPOCH_UNKNOWN (-1)

struct buf *office_message_stops(struct arena *arena, const struct ctl_stops *stops, int64_t broker_epoch, int64_t request)
{
	Klamm__StopReplicas message = KLAMM__STOP_REPLICAS__INIT;

	message.controller_epoch = stops->controller_epoch;
	message.broker_epoch = broker_epoch;
	message.request = request;
	message.n_topics = (size_t)stops->n_topics;
	NEW_LIST(arena, Klamm__StopTopic, klamm__stop_topic__init, stops->n_topics, message.topics);
	for (int32_t i = 0; i < stops->n_topics; i++) {
		const struct ctl_stop_topic *from = &stops->topics[i];
		Klamm__StopTopic *topic = message.topics[i];

		topic->name = text_of(arena, from->name);
		topic->id = bytes_of(&from->id);
		topic->partitions = (int32_t *)(uintptr_t)from->partitions;
		topic->n_partitions = (size_t)from->n_partitions;
		topic->erase = from->erase;
		topic->leader_epoch = from->erase ? LEADER_EPOCH_DELETED : LEADER_EPOCH_UNKNOWN;
	}
	return pack(&message.base);
}

/* ---- what brokers asked for ---- */

struct buf *office_message_isr_answers(struct arena *arena, const struct ctl_isr_answers *answers, int64_t broker_epoch)
{
	Klamm__IsrAnswers message = KLAMM__ISR_ANSWERS__INIT;

	message.broker_epoch = broker_epoch;
	message.n_answers = (size_t)answers->n_items;
	NEW_LIST(arena, Klamm__IsrAnswer, klamm__isr_answer__init, answers->n_items, message.answers);
	for (int i = 0; i < answers->n_items; i++) {
		const struct ctl_isr_answer *from = &answers->items[i];
		Klamm__IsrAnswer *to = message.answers[i];

		to->topic_id = bytes_of(&from->topic_id);
		to->partition = from->partition;
		to->number = from->number;
		to->error = from->error;
		to->ineligible = from->ineligible;
		to->n_ineligible = (size_t)from->n_ineligible;
		if (!from->state)
			continue;
		to->leader_epoch = from->state->now.leader_epoch;
		to->partition_epoch = from->state->version;
		to->isr = from->state->now.isr;
		to->n_isr = (size_t)from->state->now.n_isr;
	}
	return pack(&message.base);
}

struct slice office_message_shutdown_answer(uint8_t bytes[64], int64_t broker_epoch, int32_t remaining)
{
	Klamm__ShutdownAnswer message = KLAMM__SHUTDOWN_ANSWER__INIT;

	message.broker_epoch = broker_epoch;
	message.remaining = remaining;
	return slice_of(bytes, klamm__shutdown_answer__pack(&message, bytes));
}

/* The response as Kafka encodes it; NULL: it is too large. */
static struct buf *encode(const struct ctl_forward_answer *answer)
{
	struct wire_writer out;

	wire_writer_init(&out, buf_new(1024));
	if (message_encode(answer->schema, answer->version, answer->response, &out, NULL) == 0 && out.buf->len <= LIMIT_FORWARD_BYTES)
		return out.buf;
	buf_release(out.buf);
	return NULL;
}

struct buf *office_message_forward_answer(const struct ctl_forward_answer *answer)
{
	Klamm__ForwardAnswer message = KLAMM__FORWARD_ANSWER__INIT;
	struct buf *body = answer->error == 0 ? encode(answer) : buf_new(1);
	struct buf *frame;

	message.number = answer->number;
	message.error = body ? answer->error : KAFKA_UNKNOWN_SERVER_ERROR;
	if (answer->message)
		message.message = (char *)(uintptr_t)answer->message;
	if (body)
		message.body = (ProtobufCBinaryData){body->len, body->data};
	frame = pack(&message.base);
	if (body)
		buf_release(body);
	return frame;
}

/* ---- answers and questions of brokers ---- */

static void take_ends(struct arena *arena, const Klamm__ReplicaResults *message, struct ctl_event *event)
{
	struct ctl_replica_end *ends = arena_zalloc(arena, message->n_ends, sizeof *ends);

	event->ends = ends;
	for (size_t i = 0; i < message->n_ends; i++) {
		const Klamm__ReplicaEnd *from = message->ends[i];
		struct ctl_replica_end *end = &ends[event->n_ends];

		if (from->topic_id.len != sizeof end->topic_id.bytes)
			continue;
		memcpy(end->topic_id.bytes, from->topic_id.data, sizeof end->topic_id.bytes);
		end->partition = from->partition;
		end->leader_epoch = from->leader_epoch;
		end->last_epoch = from->last_epoch;
		end->end_offset = from->end_offset;
		event->n_ends++;
	}
}

int office_message_results(struct arena *arena, struct slice payload, struct ctl_event *ret_event)
{
	Klamm__ReplicaResults *message = unpack_message(&klamm__replica_results__descriptor, payload);
	struct ctl_replica_error *errors;

	if (!message)
		return ERR_CORRUPT;
	errors = arena_zalloc(arena, message->n_errors, sizeof *errors);
	ret_event->request = message->request;
	ret_event->error = message->error;
	ret_event->errors = errors;
	for (size_t i = 0; i < message->n_errors; i++) {
		const Klamm__ReplicaError *from = message->errors[i];
		struct ctl_replica_error *error = &errors[ret_event->n_errors];

		if (from->topic_id.len != sizeof error->topic_id.bytes)
			continue;
		memcpy(error->topic_id.bytes, from->topic_id.data, sizeof error->topic_id.bytes);
		error->partition = from->partition;
		error->error = from->error;
		error->again = from->again;
		ret_event->n_errors++;
	}
	take_ends(arena, message, ret_event);
	klamm__replica_results__free_unpacked(message, NULL);
	return 0;
}

static bool take_proposal(struct arena *arena, const Klamm__IsrProposal *from, struct ctl_isr_proposal *to)
{
	struct ctl_isr_member *isr = arena_zalloc(arena, from->n_isr, sizeof *isr);

	if (from->topic_id.len != sizeof to->topic_id.bytes || from->n_isr > LIMIT_REPLICAS)
		return false;
	memcpy(to->topic_id.bytes, from->topic_id.data, sizeof to->topic_id.bytes);
	for (size_t i = 0; i < from->n_isr; i++)
		isr[i] = (struct ctl_isr_member){from->isr[i]->id, from->isr[i]->epoch};
	to->partition = from->partition;
	to->number = from->number;
	to->leader_epoch = from->leader_epoch;
	to->partition_epoch = from->partition_epoch;
	to->isr = isr;
	to->n_isr = (int32_t)from->n_isr;
	return true;
}

int office_message_proposals(struct arena *arena, struct slice payload, struct ctl_event *ret_event)
{
	Klamm__IsrProposals *message = unpack_message(&klamm__isr_proposals__descriptor, payload);
	struct ctl_isr_proposal *proposals;
	bool good = true;

	if (!message)
		return ERR_CORRUPT;
	proposals = arena_zalloc(arena, message->n_proposals, sizeof *proposals);
	ret_event->broker_epoch = message->broker_epoch;
	ret_event->proposals = proposals;
	ret_event->n_proposals = (int)message->n_proposals;
	for (size_t i = 0; i < message->n_proposals; i++)
		good = good && take_proposal(arena, message->proposals[i], &proposals[i]);
	klamm__isr_proposals__free_unpacked(message, NULL);
	return good ? 0 : ERR_CORRUPT;
}

int office_message_shutdown(struct arena *arena, struct slice header, struct ctl_event *ret_event)
{
	Klamm__Shutdown *message = unpack_message(&klamm__shutdown__descriptor, header);

	(void)arena;
	if (!message)
		return ERR_CORRUPT;
	ret_event->broker_epoch = message->broker_epoch;
	klamm__shutdown__free_unpacked(message, NULL);
	return 0;
}

int office_message_forward(struct arena *arena, struct slice payload, struct ctl_event *ret_event)
{
	Klamm__Forward *message = unpack_message(&klamm__forward__descriptor, payload);
	struct ctl_forwarded *forwarded = arena_zalloc(arena, 1, sizeof *forwarded);

	if (!message)
		return ERR_CORRUPT;
	*forwarded = (struct ctl_forwarded){
		.number = message->number,
		.api_key = message->api_key,
		.api_version = message->api_version,
		.body = arena_copy(arena, slice_of(message->body.data, message->body.len)),
		.principal = arena_copy(arena, slice_of_text(message->principal)),
	};
	ret_event->forwarded = forwarded;
	klamm__forward__free_unpacked(message, NULL);
	return 0;
}
