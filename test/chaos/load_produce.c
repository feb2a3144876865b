/*
 * A producer: idempotent, acks=all (unless the options say else), at a steady rate over all partitions, each with a bound of its own on
 * what is unanswered, so that a partition without a leader does not silence the others. When librdkafka gives a producer up, another
 * one, with another number, goes on in its place.
 */
#include "test/chaos/load.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

/* Numbers of a producer's successors: its own, plus this much each time. */
#define GENERATION 100
#define POLL_MS 4
#define CATCH_UP_MAX 1000

struct producer {
	struct load *load;
	int index, generation;
	rd_kafka_t *client;
	rd_kafka_topic_t *topics[TOPICS_MAX];
	int outstanding[TOPICS_MAX][PARTITIONS_MAX];
	int topic, partition; /* the next one */
	uint64_t sequence, random;
	int64_t n_due, started_ns;
	uint8_t bytes[VALUE_BYTES_MAX];
};

static uint16_t number(const struct producer *producer)
{
	return (uint16_t)(producer->index + producer->generation * GENERATION);
}

static uint64_t next_random(struct producer *producer)
{
	uint64_t x = producer->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	producer->random = x;
	return x * UINT64_C(2685821657736338717);
}

static struct history_event event_of(const struct value *value, enum history_kind kind)
{
	return (struct history_event){.sequence = (int64_t)value->sequence,
				      .offset = -1,
				      .random = value->random,
				      .partition = (int32_t)value->partition,
				      .process = value->producer,
				      .producer = value->producer,
				      .topic = (uint8_t)value->topic,
				      .kind = (uint8_t)kind};
}

static enum history_kind outcome(struct load *load, const rd_kafka_message_t *message)
{
	if (!message->err) {
		atomic_fetch_add(&load->n_acked, 1);
		return HISTORY_OK;
	}
	if (rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED) {
		atomic_fetch_add(&load->n_failed, 1);
		return HISTORY_FAIL;
	}
	atomic_fetch_add(&load->n_unknown, 1);
	return HISTORY_INFO;
}

static void on_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	struct producer *producer = opaque;
	struct history_event event;
	struct value value;

	(void)client;
	if (!value_read(message->payload, message->len, &value))
		die("a value", "changed on its way through the client library");
	event = event_of(&value, outcome(producer->load, message));
	event.offset = message->err ? -1 : message->offset;
	event.error = message->err;
	history_add(&producer->load->history, &event);
	producer->outstanding[value.topic][value.partition]--;
}

/*
 * With one request at a time. The others have five under way, and then librdkafka 2.0 can take a refusal of the second for a fault when the first
 * was refused for another reason (no leader, too few replicas in sync), and give the producer up.
 */
static bool is_careful(const struct producer *producer)
{
	return producer->index % 2 == 0;
}

static void open_producer(struct producer *producer)
{
	static const char *const codecs[] = {"none", "lz4", "snappy", "zstd", "gzip"};
	rd_kafka_conf_t *conf = load_conf(producer->load);
	bool all = strcmp(producer->load->acks, "all") == 0;

	load_set(conf, "acks", producer->load->acks);
	load_set(conf, "enable.idempotence", all ? "true" : "false");
	load_set(conf, "compression.type", codecs[(size_t)producer->index % ARRAY_LEN(codecs)]);
	load_set(conf, "linger.ms", producer->index % 2 ? "20" : "5");
	load_set(conf, "max.in.flight.requests.per.connection", is_careful(producer) ? "1" : "5");
	load_set(conf, "message.timeout.ms", "600000");
	load_set(conf, "request.timeout.ms", "3000");
	load_set(conf, "message.send.max.retries", "1000000");
	load_set(conf, "queue.buffering.max.messages", "1000000");
	load_set_all(conf, producer->load->producer_settings);
	rd_kafka_conf_set_opaque(conf, producer);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
	producer->client = load_open(RD_KAFKA_PRODUCER, conf);
	load_open_topics(producer->load, producer->client, producer->topics);
	memset(producer->outstanding, 0, sizeof producer->outstanding);
}

/* Waits for what is unanswered; what then still is, nobody knows. */
static void close_producer(struct producer *producer, int patience_ms)
{
	int64_t until_ns = history_now_ns() + patience_ms * INT64_C(1000000);

	while (rd_kafka_outq_len(producer->client) > 0 && history_now_ns() < until_ns)
		rd_kafka_poll(producer->client, 50);
	rd_kafka_purge(producer->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	while (rd_kafka_outq_len(producer->client) > 0)
		rd_kafka_poll(producer->client, 50);
	load_close(producer->load, producer->client, producer->topics);
}

static void replace_when_fatal(struct producer *producer)
{
	char text[256];
	rd_kafka_resp_err_t error = rd_kafka_fatal_error(producer->client, text, sizeof text);

	if (!error)
		return;
	fprintf(stderr, "load: producer %d is given up: %s\n", number(producer), text);
	history_add(&producer->load->history,
		    &(struct history_event){.kind = HISTORY_FATAL,
					    .process = number(producer),
					    .error = error,
					    .flags = is_careful(producer) ? 0 : HISTORY_EXCUSED});
	close_producer(producer, 0);
	producer->generation++;
	open_producer(producer);
}

static void to_next_partition(struct producer *producer)
{
	if (++producer->partition < producer->load->topics[producer->topic].n_partitions)
		return;
	producer->partition = 0;
	producer->topic = (producer->topic + 1) % producer->load->n_topics;
}

static void produce_one(struct producer *producer)
{
	int *outstanding = &producer->outstanding[producer->topic][producer->partition];
	struct value value = {producer->load->run,
			      (uint32_t)producer->partition,
			      number(producer),
			      (uint16_t)producer->topic,
			      producer->sequence,
			      next_random(producer)};
	struct history_event event = event_of(&value, HISTORY_INVOKE);
	size_t len;

	if (*outstanding >= producer->load->outstanding_max)
		return;
	producer->sequence++;
	len = value_write(&value, (size_t)producer->load->value_bytes_max, producer->bytes);
	history_add(&producer->load->history, &event);
	if (rd_kafka_produce(producer->topics[producer->topic], producer->partition, RD_KAFKA_MSG_F_COPY, producer->bytes, len, NULL, 0,
			     NULL)) {
		event.kind = HISTORY_FAIL;
		event.error = rd_kafka_last_error();
		history_add(&producer->load->history, &event);
		return;
	}
	(*outstanding)++;
}

static void produce_due(struct producer *producer)
{
	double rate = (double)producer->load->rate / producer->load->n_producers;
	int64_t due = (int64_t)((double)(history_now_ns() - producer->started_ns) / 1e9 * rate);

	if (due - producer->n_due > CATCH_UP_MAX)
		producer->n_due = due - CATCH_UP_MAX;
	for (; producer->n_due < due; producer->n_due++) {
		produce_one(producer);
		to_next_partition(producer);
	}
}

static void *producer_main(void *arg)
{
	struct producer *producer = arg;
	struct load *load = producer->load;

	open_producer(producer);
	producer->started_ns = history_now_ns();
	while (!atomic_load(&load->stop_producers)) {
		produce_due(producer);
		rd_kafka_poll(producer->client, POLL_MS);
		replace_when_fatal(producer);
	}
	close_producer(producer, load->flush_ms);
	free(producer);
	return NULL;
}

pthread_t producer_start(struct load *load, int index)
{
	struct producer *producer = NEW(struct producer);
	pthread_t thread;

	producer->load = load;
	producer->index = index;
	producer->random = (uint64_t)load->run * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)index * UINT64_C(0xbf58476d1ce4e5b9) + 1;
	if (pthread_create(&thread, NULL, producer_main, producer))
		die("a thread", "cannot be made");
	return thread;
}
