/*
 * Producers and consumers; see sim_client.h.
 *
 *     producer: InitProducerId -> batches in sequence, some at once -> answer: acknowledged
 *                                     '- no answer or an error: what is not known is sent again, with the same sequences (T1)
 *     consumer: Fetch from the first offset on, over and over; what it gets must be what was committed
 *
 * A batch is known by its checksum, which covers producer, sequence and records.
 */
#include "test/sim/sim_client.h"

#include "common/bytes.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/memory.h"
#include "proto/kafka/alter_partition_reassignments.gen.h"
#include "proto/kafka/create_topics.gen.h"
#include "proto/kafka/elect_leaders.gen.h"
#include "proto/kafka/fetch.gen.h"
#include "proto/kafka/init_producer_id.gen.h"
#include "proto/kafka/metadata.gen.h"
#include "proto/kafka/produce.gen.h"
#include "proto/kafka_error.h"
#include "proto/record/batch_builder.h"
#include "test/sim/sim_judge.h"
#include "test/sim/sim_link.h"
#include "test/sim/sim_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRODUCERS_MAX 6
#define CONSUMERS_MAX SIM_PARTITIONS_MAX
#define WINDOW 4
#define CALL_US (4 * SIM_S)

/* ---- who leads ---- */

struct guide {
	struct sim_link links[SIM_BROKERS];
	int leaders[SIM_PARTITIONS_MAX]; /* machine; -1 not known */
	int32_t epochs[SIM_PARTITIONS_MAX];
	bool asking;
	int next;
};

struct batch {
	uint8_t *bytes;
	size_t len;
	int n_records;
	uint32_t crc;
	bool sent;
};

struct producer {
	int index, partition, acks;
	int64_t id;
	int16_t epoch;
	int32_t next_sequence;
	bool asking_id;
	struct sim_link link;
	struct batch window[WINDOW];
	int n_window;
	int64_t n_values;
	struct sim_event tick;
};

struct consumer {
	int partition;
	int64_t offset;
	int64_t end; /* high watermark last seen */
	struct sim_link link;
	bool asking;
	int near; /* a follower that the leader has named (KIP-392); -1: none */
	struct sim_event tick;
};

static struct {
	struct guide guide;
	struct sim_link admin;
	struct sim_event make_topic;
	bool topic_made, finishing;
	struct producer producers[PRODUCERS_MAX];
	int n_producers;
	struct consumer consumers[CONSUMERS_MAX];
	int n_consumers;
	int64_t last_ack_us[SIM_PARTITIONS_MAX];
	int64_t pace_ms;
	bool moved[SIM_PARTITIONS_MAX]; /* not all brokers have it, or it is not known */
	bool was_moved[SIM_PARTITIONS_MAX];
	struct sim_event move_back;
} clients;

static int any_broker(void)
{
	return (int)sim_below(&sim.chance, SIM_BROKERS);
}

static void on_metadata(void *ctx, const void *answer)
{
	const struct metadata_response *response = answer;

	(void)ctx;
	clients.guide.asking = false;
	if (!response)
		return;
	for (int i = 0; i < response->n_topics; i++) {
		const struct metadata_response_topic *topic = &response->topics[i];

		for (int j = 0; j < topic->n_partitions; j++) {
			int p = topic->partitions[j].partition_index, leader = topic->partitions[j].leader_id - 1;

			if (p >= SIM_PARTITIONS_MAX)
				continue;
			clients.guide.leaders[p] = leader >= 0 && leader < SIM_BROKERS ? leader : -1;
			clients.guide.epochs[p] = topic->partitions[j].leader_epoch;
		}
	}
}

static void ask_metadata(void)
{
	struct metadata_request request = metadata_request_default;
	struct metadata_request_topic topic = metadata_request_topic_default;

	if (clients.guide.asking)
		return;
	clients.guide.asking = true;
	topic.name = slice_of_text(SIM_TOPIC);
	request.topics = &topic;
	request.n_topics = 1;
	request.allow_auto_topic_creation = false;
	link_call(&clients.guide.links[any_broker()], API_METADATA, 8, &request, SIM_S, on_metadata, NULL);
}

/* ---- producers ---- */

static void tick_in(struct sim_event *tick, int64_t low_ms, int64_t high_ms)
{
	if (!sim_is_queued(tick))
		sim_at(tick, sim.now_us + sim_between(&sim.chance, low_ms * SIM_MS, high_ms * SIM_MS));
}

static void on_id(void *ctx, const void *answer)
{
	struct producer *producer = ctx;
	const struct init_producer_id_response *response = answer;

	producer->asking_id = false;
	if (response && response->error_code == 0) {
		producer->id = response->producer_id;
		producer->epoch = response->producer_epoch;
		producer->next_sequence = 0;
	}
	tick_in(&producer->tick, 1, 100);
}

static void ask_id(struct producer *producer)
{
	struct init_producer_id_request request = init_producer_id_request_default;

	if (producer->asking_id)
		return;
	producer->asking_id = true;
	request.transactional_id = SLICE_NULL;
	request.transaction_timeout_ms = 60000;
	link_call(&clients.guide.links[any_broker()], API_INIT_PRODUCER_ID, 1, &request, CALL_US, on_id, producer);
}

static void make_batch(struct producer *producer)
{
	struct batch *batch = &producer->window[producer->n_window++];
	struct batch_spec spec = batch_spec_default();
	struct batch_builder builder;
	struct slice bytes;
	uint8_t value[200];

	spec.producer_id = producer->id;
	spec.producer_epoch = producer->epoch;
	spec.base_sequence = producer->next_sequence;
	batch_builder_init(&builder, &spec);
	batch->n_records = (int)sim_between(&sim.chance, 1, 3);
	memset(value, 'v', sizeof value);
	for (int i = 0; i < batch->n_records; i++) {
		bytes_put_i64(value, producer->index);
		bytes_put_i64(value + 8, ++producer->n_values);
		batch_builder_add(&builder, clock_wall_ms(), SLICE_NULL, slice_of(value, (size_t)sim_between(&sim.chance, 16, sizeof value)), NULL,
				  0);
	}
	bytes = batch_builder_finish(&builder, NULL);
	batch->bytes = memory_alloc(bytes.len);
	memcpy(batch->bytes, bytes.data, bytes.len);
	batch->len = bytes.len;
	batch->crc = bytes_get_u32(batch->bytes + BATCH_POS_CRC);
	batch->sent = false;
	batch_builder_fini(&builder);
	producer->next_sequence += batch->n_records;
}

static void drop_first(struct producer *producer)
{
	free(producer->window[0].bytes);
	producer->n_window--;
	memmove(&producer->window[0], &producer->window[1], (size_t)producer->n_window * sizeof(struct batch));
}

/* All that is under way is in doubt: it is sent again on another connection. */
static void start_over(struct producer *producer)
{
	for (int i = 0; i < producer->n_window; i++)
		producer->window[i].sent = false;
	link_close(&producer->link);
	ask_metadata();
	tick_in(&producer->tick, 20, 200);
}

/* What the leader had acknowledged alone (acks=1) may be gone with it. */
static void forget_all(struct producer *producer)
{
	while (producer->n_window > 0)
		drop_first(producer);
	producer->id = -1;
	start_over(producer);
}

static void on_refused(struct producer *producer, int error)
{
	sim.counters.refused++;
	if (error != KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER && error != KAFKA_UNKNOWN_PRODUCER_ID) {
		if (error != KAFKA_NOT_LEADER_OR_FOLLOWER && error != KAFKA_NOT_ENOUGH_REPLICAS &&
		    error != KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND && error != KAFKA_REQUEST_TIMED_OUT && error != KAFKA_UNKNOWN_TOPIC_OR_PARTITION &&
		    error != KAFKA_LEADER_NOT_AVAILABLE && error != KAFKA_STORAGE_ERROR)
			sim_violation("protocol", "a batch is refused with %s", kafka_error_name(error));
		start_over(producer);
	} else if (producer->acks != -1) {
		forget_all(producer);
	} else if (sim_judge_holds(producer->partition, producer->link.broker, producer->window[0].crc)) {
		/* As in Kafka a producer snapshot has the newest batch of each producer only: a retry of one before it is not known. */
		sim.counters.retries_unknown++;
		drop_first(producer);
		start_over(producer);
	} else if (!sim_judge_leads(producer->partition, producer->link.broker)) {
		/* One that does not know yet that another leads knows nothing of what that one was sent. */
		start_over(producer);
	} else {
		sim_violation("T1", "partition %d: producer %lld is refused with %s, though all before was acknowledged", producer->partition,
			      (long long)producer->id, kafka_error_name(error));
	}
}

static void on_produced(void *ctx, const void *answer)
{
	struct producer *producer = ctx;
	const struct produce_response *response = answer;
	const struct produce_response_partition *part;
	const struct batch *batch = &producer->window[0];

	if (!response) {
		sim.counters.unknown_outcomes++;
		start_over(producer);
		return;
	}
	if (response->n_responses != 1 || response->responses[0].n_partition_responses != 1)
		sim_violation("protocol", "Produce answers for other partitions than asked");
	part = &response->responses[0].partition_responses[0];
	sim_say("producer %lld partition %d is answered %s, offset %lld", (long long)producer->id, producer->partition,
		kafka_error_name(part->error_code), (long long)part->base_offset);
	if (producer->n_window == 0 || !batch->sent)
		return;
	if (part->error_code == KAFKA_DUPLICATE_SEQUENCE_NUMBER) {
		sim.counters.duplicates_refused++;
		drop_first(producer);
	} else if (part->error_code) {
		on_refused(producer, part->error_code);
		return;
	} else {
		sim_judge_ack(producer->partition, part->base_offset, batch->n_records, batch->crc, producer->acks);
		if (producer->acks == -1)
			clients.last_ack_us[producer->partition] = sim.now_us;
		drop_first(producer);
	}
}

static void send_batch(struct producer *producer, struct batch *batch)
{
	struct produce_request request = produce_request_default;
	struct produce_request_topic topic = produce_request_topic_default;
	struct produce_request_partition part = produce_request_partition_default;

	part.index = producer->partition;
	part.records.bytes = slice_of(batch->bytes, batch->len);
	topic.name = slice_of_text(SIM_TOPIC);
	topic.partition_data = &part;
	topic.n_partition_data = 1;
	request.transactional_id = SLICE_NULL;
	request.acks = (int16_t)producer->acks;
	request.timeout_ms = 2000;
	request.topic_data = &topic;
	request.n_topic_data = 1;
	batch->sent = true;
	sim_say("producer %lld partition %d sends %d+%d to broker %d", (long long)producer->id, producer->partition,
		(int)bytes_get_u32(batch->bytes + BATCH_POS_BASE_SEQUENCE), batch->n_records, producer->link.broker + 1);
	link_call(&producer->link, API_PRODUCE, 7, &request, CALL_US, on_produced, producer);
}

static void on_producer_tick(struct sim_event *tick)
{
	struct producer *producer = CONTAINER_OF(tick, struct producer, tick);
	int leader = clients.guide.leaders[producer->partition];

	if (clients.finishing && producer->n_window == 0)
		return;
	tick_in(tick, clients.pace_ms, clients.pace_ms * 3);
	if (producer->id < 0) {
		ask_id(producer);
		return;
	}
	if (producer->link.broker != leader && producer->link.broker >= 0 && leader >= 0) {
		start_over(producer);
		link_init(&producer->link, leader);
		return;
	}
	if (leader < 0) {
		ask_metadata();
		return;
	}
	producer->link.broker = leader;
	if (!clients.finishing && producer->n_window < WINDOW)
		make_batch(producer);
	for (int i = 0; i < producer->n_window; i++)
		if (!producer->window[i].sent)
			send_batch(producer, &producer->window[i]);
}

/* ---- consumers ---- */

static void take_batches(struct consumer *consumer, struct slice bytes)
{
	struct batch_header header;
	struct slice batch;

	while (batch_next(&bytes, &batch, &header) > 0) {
		if (!batch_crc_ok(batch))
			sim_violation("S15", "partition %d: a consumer is given a damaged batch at %lld", consumer->partition,
				      (long long)header.base_offset);
		if (batch_next_offset(&header) <= consumer->offset)
			continue;
		sim_judge_read(consumer->partition, header.base_offset, header.n_records, header.crc);
		if (header.base_offset != consumer->offset)
			sim_violation("S8", "partition %d: a consumer at %lld is given %lld", consumer->partition, (long long)consumer->offset,
				      (long long)header.base_offset);
		consumer->offset = batch_next_offset(&header);
	}
}

static void on_fetched(void *ctx, const void *answer)
{
	struct consumer *consumer = ctx;
	const struct fetch_response *response = answer;
	const struct fetch_response_partition *part;

	consumer->asking = false;
	tick_in(&consumer->tick, 5, 60);
	if (!response || response->n_responses == 0) {
		consumer->near = -1;
		ask_metadata();
		return;
	}
	sim.counters.reads++;
	part = &response->responses[0].partitions[0];
	if (part->error_code) {
		sim.counters.latest_hidden += part->error_code == KAFKA_OFFSET_NOT_AVAILABLE;
		consumer->near = -1;
		ask_metadata();
		return;
	}
	sim.counters.reads_near_by += consumer->near >= 0;
	/* Now and then the leader is asked anew. */
	if (sim_settings.racks && sim_once_in(&sim.chance, 20))
		consumer->near = -1;
	else if (part->preferred_read_replica > 0)
		consumer->near = part->preferred_read_replica - 1;
	consumer->end = part->high_watermark;
	take_batches(consumer, part->records.bytes);
}

static void on_consumer_tick(struct sim_event *tick)
{
	struct consumer *consumer = CONTAINER_OF(tick, struct consumer, tick);
	int leader = clients.guide.leaders[consumer->partition];
	struct fetch_request request = fetch_request_default;
	struct fetch_request_topic topic = fetch_request_topic_default;
	struct fetch_request_partition part = fetch_request_partition_default;
	char rack[16];

	if (consumer->asking)
		return;
	if (leader < 0) {
		ask_metadata();
		tick_in(tick, 50, 200);
		return;
	}
	if (consumer->near >= 0)
		leader = consumer->near;
	if (consumer->link.broker != leader) {
		link_close(&consumer->link);
		link_init(&consumer->link, leader);
	}
	if (sim_settings.racks) {
		snprintf(rack, sizeof rack, "r%d", consumer->partition + 1);
		request.rack_id = slice_of_text(rack);
		part.current_leader_epoch = clients.guide.epochs[consumer->partition];
	}
	part.partition = consumer->partition;
	part.fetch_offset = consumer->offset;
	part.partition_max_bytes = 1 << 20;
	topic.topic = slice_of_text(SIM_TOPIC);
	topic.partitions = &part;
	topic.n_partitions = 1;
	request.max_wait_ms = 300;
	request.min_bytes = 1;
	request.max_bytes = 1 << 20;
	request.topics = &topic;
	request.n_topics = 1;
	consumer->asking = true;
	link_call(&consumer->link, API_FETCH, 11, &request, CALL_US, on_fetched, consumer);
}

/* ---- the topic ---- */

static void start_all(void)
{
	clients.topic_made = true;
	clients.n_producers = (int)sim_between(&sim.chance, 3, PRODUCERS_MAX);
	clients.n_consumers = sim_settings.n_partitions;
	for (int i = 0; i < clients.n_producers; i++) {
		struct producer *producer = &clients.producers[i];

		producer->index = i;
		producer->partition = i % sim_settings.n_partitions;
		producer->acks = i == clients.n_producers - 1 && i > 1 ? 1 : -1;
		producer->id = -1;
		link_init(&producer->link, -1);
		producer->tick.run = on_producer_tick;
		tick_in(&producer->tick, 1, 50);
	}
	for (int i = 0; i < clients.n_consumers; i++) {
		struct consumer *consumer = &clients.consumers[i];

		consumer->partition = i;
		consumer->near = -1;
		link_init(&consumer->link, -1);
		consumer->tick.run = on_consumer_tick;
		tick_in(&consumer->tick, 1, 50);
	}
}

static void on_topic_made(void *ctx, const void *answer)
{
	const struct create_topics_response *response = answer;
	int error = response && response->n_topics == 1 ? response->topics[0].error_code : KAFKA_UNKNOWN_SERVER_ERROR;

	(void)ctx;
	if (response && error)
		sim_say("the topic: %s %.*s", kafka_error_name(error), SLICE_ARGS(response->topics[0].error_message));
	if (error == 0 || error == KAFKA_TOPIC_ALREADY_EXISTS)
		start_all();
	else
		tick_in(&clients.make_topic, 100, 500);
}

static void on_make_topic(struct sim_event *event)
{
	struct create_topics_request request = create_topics_request_default;
	struct create_topics_request_topic topic = create_topics_request_topic_default;
	struct create_topics_request_config configs[3] = {create_topics_request_config_default, create_topics_request_config_default,
								 create_topics_request_config_default};

	(void)event;
	configs[0].name = slice_of_text("klamm.durability");
	configs[0].value = slice_of_text(sim_settings.fsync_isr ? "fsync-isr" : "page-cache");
	configs[1].name = slice_of_text("min.insync.replicas");
	configs[1].value = slice_of_text(sim_settings.min_isr == 1 ? "1" : "2");
	topic.name = slice_of_text(SIM_TOPIC);
	topic.num_partitions = sim_settings.n_partitions;
	topic.replication_factor = (int16_t)sim_settings.replication_factor;
	/* What files say is for other topics. */
	configs[2].name = slice_of_text("unclean.leader.election.enable");
	configs[2].value = slice_of_text("false");
	topic.configs = configs;
	topic.n_configs = sim_settings.operators ? 3 : 2;
	request.topics = &topic;
	request.n_topics = 1;
	request.timeout_ms = 3000;
	link_close(&clients.admin);
	link_init(&clients.admin, any_broker());
	link_call(&clients.admin, API_CREATE_TOPICS, 4, &request, CALL_US, on_topic_made, NULL);
}

/* ---- operators ---- */

static void on_elected(void *ctx, const void *answer)
{
	(void)ctx;
	sim.counters.elections_asked += answer != NULL;
}

void sim_clients_elect(void)
{
	struct elect_leaders_request request = elect_leaders_request_default;

	request.n_topic_partitions = -1;
	request.timeout_ms = 2000;
	link_call(&clients.guide.links[any_broker()], API_ELECT_LEADERS, 1, &request, CALL_US, on_elected, NULL);
}

static void on_moved_back(void *ctx, const void *answer)
{
	const struct alter_partition_reassignments_response *response = answer;
	bool *moved = ctx;

	if (response && response->error_code == 0 && response->n_responses == 1 && response->responses[0].partitions[0].error_code == 0)
		*moved = false;
}

static void on_moved(void *ctx, const void *answer)
{
	(void)ctx;
	sim.counters.reassignments += answer != NULL;
}

static void reassign(int partition, const int32_t *replicas, int n_replicas, void (*done)(void *ctx, const void *answer))
{
	struct alter_partition_reassignments_request request = alter_partition_reassignments_request_default;
	struct alter_partition_reassignments_request_topic topic = alter_partition_reassignments_request_topic_default;
	struct alter_partition_reassignments_request_partition part = alter_partition_reassignments_request_partition_default;

	part.partition_index = partition;
	part.replicas = (int32_t *)(uintptr_t)replicas;
	part.n_replicas = n_replicas;
	topic.name = slice_of_text(SIM_TOPIC);
	topic.partitions = &part;
	topic.n_partitions = 1;
	request.topics = &topic;
	request.n_topics = 1;
	request.timeout_ms = 2000;
	link_call(&clients.guide.links[any_broker()], API_ALTER_PARTITION_REASSIGNMENTS, 0, &request, CALL_US, done, &clients.moved[partition]);
}

void sim_clients_reassign(int partition, int without)
{
	int32_t replicas[SIM_BROKERS];
	int n = 0;

	if (!clients.topic_made || partition >= sim_settings.n_partitions || sim_settings.replication_factor < SIM_BROKERS || clients.finishing)
		return;
	for (int i = 0; i < SIM_BROKERS; i++)
		if (i != without)
			replicas[n++] = i + 1;
	clients.moved[partition] = clients.was_moved[partition] = true;
	reassign(partition, replicas, n, on_moved);
}

static void on_move_back(struct sim_event *event)
{
	static const int32_t all[SIM_BROKERS] = {1, 2, 3};

	for (int p = 0; p < sim_settings.n_partitions; p++) {
		/* Again and again: an order that was given up may still be carried out behind this one. */
		if (!clients.was_moved[p])
			continue;
		reassign(p, all, SIM_BROKERS, on_moved_back);
		tick_in(event, 300, 900);
	}
}

void sim_clients_start(void)
{
	for (int i = 0; i < SIM_BROKERS; i++)
		link_init(&clients.guide.links[i], i);
	for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
		clients.guide.leaders[i] = -1;
	clients.pace_ms = sim_between(&sim.script, 35, 80);
	link_init(&clients.admin, 0);
	clients.make_topic.run = on_make_topic;
	tick_in(&clients.make_topic, 1000, 1500);
}

void sim_clients_finish(void)
{
	clients.finishing = true;
	clients.move_back.run = on_move_back;
	tick_in(&clients.move_back, 1, 100);
}

bool sim_clients_done(void)
{
	for (int i = 0; i < clients.n_producers; i++)
		if (clients.producers[i].n_window > 0 && !sim_judge_waits(clients.producers[i].partition))
			return false;
	for (int p = 0; p < SIM_PARTITIONS_MAX; p++)
		if (clients.moved[p])
			return false;
	for (int i = 0; i < clients.n_consumers; i++)
		if (clients.consumers[i].offset < clients.consumers[i].end && !sim_judge_waits(clients.consumers[i].partition))
			return false;
	return clients.topic_made;
}

int64_t sim_clients_last_ack_us(int partition)
{
	return clients.last_ack_us[partition];
}
