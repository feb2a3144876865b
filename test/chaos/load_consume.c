/*
 * Readers: consumers that follow every partition from its start, one that asks for the ends of partitions, and one that reads all once
 * more when everything is over. Offsets are never committed; a position that the broker refuses is an event of the history.
 */
#include "test/chaos/load.h"

#include "common/memory.h"

#include <stdlib.h>
#include <time.h>

#define BATCH 500
#define ASK_MS 2000
#define ASK_PAUSE_MS 20

struct consumer {
	struct load *load;
	int index;
	enum history_kind kind;
	rd_kafka_t *client;
	rd_kafka_topic_t *topics[TOPICS_MAX];
	rd_kafka_queue_t *queue;
	int64_t marks[TOPICS_MAX][PARTITIONS_MAX];
	int64_t ends[TOPICS_MAX][PARTITIONS_MAX]; /* when all is read once: -1 when there is nothing left */
	int n_left;
};

static void open_consumer(struct consumer *consumer)
{
	rd_kafka_conf_t *conf = load_conf(consumer->load);

	load_set(conf, "auto.offset.reset", "error");
	load_set(conf, "check.crcs", "true");
	load_set(conf, "fetch.wait.max.ms", "200");
	load_set(conf, "fetch.error.backoff.ms", "50");
	load_set_all(conf, consumer->load->consumer_settings);
	consumer->client = load_open(RD_KAFKA_CONSUMER, conf);
	load_open_topics(consumer->load, consumer->client, consumer->topics);
	consumer->queue = rd_kafka_queue_new(consumer->client);
}

static void begin_partition(struct consumer *consumer, int topic, int partition, int64_t offset)
{
	if (rd_kafka_consume_start_queue(consumer->topics[topic], partition, offset, consumer->queue))
		die("consume", rd_kafka_err2str(rd_kafka_last_error()));
}

/* The position was refused, or the like: told, and begun anew from the start of the log. */
static void begin_anew(struct consumer *consumer, int topic, const rd_kafka_message_t *message)
{
	fprintf(stderr, "load: consumer %d, %s-%d at %lld: %s\n", consumer->index, consumer->load->topics[topic].name, message->partition,
		(long long)message->offset, rd_kafka_message_errstr(message));
	history_add(&consumer->load->history, &(struct history_event){.kind = HISTORY_RESET,
								       .topic = (uint8_t)topic,
								       .partition = message->partition,
								       .offset = message->offset,
								       .process = (uint16_t)consumer->index,
								       .error = message->err});
	rd_kafka_consume_stop(consumer->topics[topic], message->partition);
	begin_partition(consumer, topic, message->partition, RD_KAFKA_OFFSET_BEGINNING);
}

static void note_mark(struct consumer *consumer, int topic, int32_t partition)
{
	int64_t low, high;

	if (rd_kafka_get_watermark_offsets(consumer->client, consumer->load->topics[topic].name, partition, &low, &high) || high < 0 ||
	    high == consumer->marks[topic][partition])
		return;
	consumer->marks[topic][partition] = high;
	history_add(&consumer->load->history, &(struct history_event){.kind = HISTORY_MARK,
								       .topic = (uint8_t)topic,
								       .partition = partition,
								       .offset = high,
								       .process = (uint16_t)consumer->index});
}

static void take(struct consumer *consumer, const rd_kafka_message_t *message)
{
	int topic = message->rkt ? load_topic_of(consumer->load, rd_kafka_topic_name(message->rkt)) : -1;

	if (topic < 0)
		return;
	if (message->err) {
		if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE ||
		    message->err == RD_KAFKA_RESP_ERR__BAD_MSG)
			begin_anew(consumer, topic, message);
		return;
	}
	load_note_record(consumer->load, consumer->kind, consumer->index, topic, message);
	if (consumer->kind == HISTORY_POLL)
		atomic_fetch_add(&consumer->load->n_polled, 1);
	else if (message->offset + 1 >= consumer->ends[topic][message->partition] && consumer->ends[topic][message->partition] >= 0) {
		consumer->ends[topic][message->partition] = -1;
		consumer->n_left--;
	}
}

static void poll_batch(struct consumer *consumer)
{
	rd_kafka_message_t *messages[BATCH];
	ssize_t n = rd_kafka_consume_batch_queue(consumer->queue, 50, messages, BATCH);

	for (ssize_t i = 0; i < n; i++) {
		take(consumer, messages[i]);
		rd_kafka_message_destroy(messages[i]);
	}
}

static void each_partition(struct consumer *consumer, void (*act)(struct consumer *, int topic, int32_t partition))
{
	for (int t = 0; t < consumer->load->n_topics; t++)
		for (int p = 0; p < consumer->load->topics[t].n_partitions; p++)
			act(consumer, t, p);
}

static void follow_partition(struct consumer *consumer, int topic, int32_t partition)
{
	begin_partition(consumer, topic, partition, RD_KAFKA_OFFSET_BEGINNING);
}

/* Stopping queues with records in them takes long and shows nothing: the process ends with the thread's client open. */
static void *consumer_main(void *arg)
{
	struct consumer *consumer = arg;

	open_consumer(consumer);
	each_partition(consumer, follow_partition);
	while (!atomic_load(&consumer->load->stop_all)) {
		poll_batch(consumer);
		each_partition(consumer, note_mark);
	}
	return NULL;
}

pthread_t consumer_start(struct load *load, int index)
{
	struct consumer *consumer = NEW(struct consumer);
	pthread_t thread;

	consumer->load = load;
	consumer->index = index;
	consumer->kind = HISTORY_POLL;
	if (pthread_create(&thread, NULL, consumer_main, consumer))
		die("a thread", "cannot be made");
	return thread;
}

static void ask_end(struct consumer *consumer, int topic, int32_t partition)
{
	struct timespec pause = {0, ASK_PAUSE_MS * 1000000};
	struct history_event event = {.kind = HISTORY_ENDED, .topic = (uint8_t)topic, .partition = partition, .offset = -1};
	int64_t low, high;

	if (atomic_load(&consumer->load->stop_all))
		return;
	event.begin_ns = history_now_ns();
	event.error = rd_kafka_query_watermark_offsets(consumer->client, consumer->load->topics[topic].name, partition, &low, &high, ASK_MS);
	if (!event.error)
		event.offset = high;
	history_add(&consumer->load->history, &event);
	nanosleep(&pause, NULL);
}

static void *asker_main(void *arg)
{
	struct consumer *consumer = arg;

	open_consumer(consumer);
	while (!atomic_load(&consumer->load->stop_all))
		each_partition(consumer, ask_end);
	return NULL;
}

pthread_t asker_start(struct load *load)
{
	struct consumer *consumer = NEW(struct consumer);
	pthread_t thread;

	consumer->load = load;
	if (pthread_create(&thread, NULL, asker_main, consumer))
		die("a thread", "cannot be made");
	return thread;
}

static void begin_final(struct consumer *consumer, int topic, int32_t partition)
{
	struct history_event event = {.kind = HISTORY_BOUNDS, .topic = (uint8_t)topic, .partition = partition};
	int64_t low = 0, high = 0;

	for (int tries = 0; rd_kafka_query_watermark_offsets(consumer->client, consumer->load->topics[topic].name, partition, &low, &high,
							     ASK_MS);)
		if (++tries == 10)
			die(consumer->load->topics[topic].name, "a partition does not tell its end");
	event.offset = low;
	event.sequence = high;
	history_add(&consumer->load->history, &event);
	consumer->ends[topic][partition] = high > low ? high : -1;
	consumer->n_left += high > low;
	if (high > low)
		begin_partition(consumer, topic, partition, low);
}

bool consumer_read_all(struct load *load, int seconds)
{
	struct consumer consumer = {.load = load, .kind = HISTORY_FINAL};
	int64_t until_ns = history_now_ns() + seconds * INT64_C(1000000000);

	open_consumer(&consumer);
	each_partition(&consumer, begin_final);
	while (consumer.n_left > 0 && history_now_ns() < until_ns)
		poll_batch(&consumer);
	return consumer.n_left == 0;
}
