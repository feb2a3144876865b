/*
 * A client's load on a broker, Kafka's or ours, by librdkafka. Prints one line of JSON.
 *
 *     load produce BOOTSTRAP TOPIC PARTITIONS N SIZE [KEY=VALUE...]   N records of SIZE bytes, as fast as it goes
 *     load latency BOOTSTRAP TOPIC PARTITIONS N SIZE RATE [...]       at RATE a second: percentiles of the time to the answer; SIGTERM: of
 *                                                                    what was sent so far
 *     load consume BOOTSTRAP TOPIC PARTITIONS N [...]                 the first N records from the start of the partitions
 *
 * KEY=VALUE are librdkafka's own settings, laid over those below. Record i goes to partition i mod PARTITIONS when the latency is
 * measured; otherwise in runs of RUN_RECORDS, as a sticky partitioner does.
 */
#include "common/clock.h"
#include "common/memory.h"

#include <librdkafka/rdkafka.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define RUN_RECORDS 1000
#define NOTES_MAX 2000000
/* So long the first record and the last answer may take. */
#define PATIENCE_MS 60000

struct load {
	const char *bootstrap, *topic_name;
	int n_partitions;
	int64_t n_records, size;
	double rate;
	rd_kafka_t *client;
	rd_kafka_topic_t *topic;
	int64_t n_done, n_failed, bytes;
	int64_t started_ns, ended_ns;
	int32_t *latencies_us; /* by record, in the order of the answers */
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "load: %s: %s\n", what, why);
	exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char text[256];

	if (rd_kafka_conf_set(conf, key, value, text, sizeof text) != RD_KAFKA_CONF_OK)
		die(key, text);
}

static void set_all(rd_kafka_conf_t *conf, char **args)
{
	for (; *args; args++) {
		char *equals = strchr(*args, '=');

		if (!equals)
			die(*args, "not KEY=VALUE");
		*equals = 0;
		set(conf, *args, equals + 1);
	}
}

/* The time at which a record was handed over travels with it as its opaque pointer. */
static void on_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	struct load *load = opaque;
	int64_t sent_ns = (int64_t)(intptr_t)message->_private, now_ns;

	(void)client;
	if (message->err) {
		if (load->n_failed++ == 0)
			fprintf(stderr, "load: a record failed: %s\n", rd_kafka_err2str(message->err));
		return;
	}
	if (load->latencies_us && load->n_done < NOTES_MAX) {
		now_ns = clock_ns();
		load->latencies_us[load->n_done] = (int32_t)((now_ns - sent_ns) / 1000);
	}
	load->n_done++;
	load->bytes += (int64_t)message->len;
}

static void open_client(struct load *load, rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
	char text[256];

	set(conf, "bootstrap.servers", load->bootstrap);
	load->client = rd_kafka_new(type, conf, text, sizeof text);
	if (!load->client)
		die("client", text);
	load->topic = rd_kafka_topic_new(load->client, load->topic_name, NULL);
	if (!load->topic)
		die("topic", load->topic_name);
}

static void produce_one(struct load *load, const char *value, int32_t partition)
{
	while (rd_kafka_produce(load->topic, partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value, (size_t)load->size, NULL, 0,
				(void *)(intptr_t)clock_ns())) {
		if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			die("produce", rd_kafka_err2str(rd_kafka_last_error()));
		rd_kafka_poll(load->client, 10);
	}
}

static void finish(struct load *load)
{
	int64_t until_ms = clock_ms() + PATIENCE_MS;

	while (rd_kafka_outq_len(load->client) > 0) {
		if (clock_ms() > until_ms)
			die("answers", "some are missing");
		rd_kafka_poll(load->client, 100);
	}
	load->ended_ns = clock_ns();
}

/* One record first: connections, metadata and the producer id are not what is measured. */
static void warm_up(struct load *load, const char *value)
{
	for (int32_t i = 0; i < load->n_partitions; i++)
		produce_one(load, value, i);
	finish(load);
	if (load->n_failed)
		exit(1);
	load->n_done = load->bytes = 0;
}

static char *make_value(int64_t size)
{
	char *value = memory_alloc((size_t)size);
	uint32_t x = 1;

	for (int64_t i = 0; i < size; i++) {
		x = x * 1664525 + 1013904223;
		value[i] = (char)(x >> 24);
	}
	return value;
}

static double cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_rates(const struct load *load)
{
	double seconds = (double)(load->ended_ns - load->started_ns) / 1e9;

	printf("\"records\": %lld, \"failed\": %lld, \"bytes\": %lld, \"seconds\": %.4f, \"mb_per_s\": %.2f, \"records_per_s\": %.0f, "
	       "\"client_cpu_s\": %.3f",
	       (long long)load->n_done, (long long)load->n_failed, (long long)load->bytes, seconds, (double)load->bytes / 1e6 / seconds,
	       (double)load->n_done / seconds, cpu_s());
}

static rd_kafka_conf_t *producer_conf(struct load *load, char **settings)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	set(conf, "acks", "1");
	if (load->rate > 0)
		set(conf, "linger.ms", "0");
	set(conf, "queue.buffering.max.messages", "1000000");
	set(conf, "queue.buffering.max.kbytes", "65536");
	rd_kafka_conf_set_opaque(conf, load);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
	set_all(conf, settings);
	return conf;
}

static void close_client(struct load *load)
{
	rd_kafka_topic_destroy(load->topic);
	rd_kafka_destroy(load->client);
}

static int mode_produce(struct load *load, char **settings)
{
	char *value = make_value(load->size);
	rd_kafka_conf_t *conf = producer_conf(load, settings);

	open_client(load, RD_KAFKA_PRODUCER, conf);
	warm_up(load, value);
	printf("{");
	load->started_ns = clock_ns();
	for (int64_t i = 0; i < load->n_records; i++) {
		produce_one(load, value, (int32_t)(i / RUN_RECORDS % load->n_partitions));
		if (i % 100 == 0)
			rd_kafka_poll(load->client, 0);
	}
	finish(load);
	print_rates(load);
	printf("}\n");
	close_client(load);
	free(value);
	return load->n_failed ? 1 : 0;
}

static int compare(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return x < y ? -1 : x > y;
}

static double percentile_ms(const struct load *load, double share)
{
	int64_t at = (int64_t)ceil(share * (double)load->n_done) - 1;

	return load->latencies_us[at < 0 ? 0 : at] / 1000.0;
}

struct poller {
	pthread_t thread;
	rd_kafka_t *client;
	volatile bool stop;
};

static void *poll_main(void *arg)
{
	struct poller *poller = arg;

	while (!poller->stop)
		rd_kafka_poll(poller->client, 50);
	return NULL;
}

static volatile sig_atomic_t enough;

static void on_term(int signal)
{
	(void)signal;
	enough = 1;
}

static void produce_at_rate(struct load *load, const char *value)
{
	int64_t next_ns = clock_ns();

	for (int64_t i = 0; i < load->n_records && !enough; i++) {
		struct timespec due = {next_ns / 1000000000, next_ns % 1000000000};

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
		produce_one(load, value, (int32_t)(i % load->n_partitions));
		next_ns += (int64_t)(1e9 / load->rate);
	}
}

static int mode_latency(struct load *load, char **settings)
{
	char *value = make_value(load->size);
	rd_kafka_conf_t *conf = producer_conf(load, settings);
	struct poller poller = {0};

	open_client(load, RD_KAFKA_PRODUCER, conf);
	warm_up(load, value);
	load->latencies_us = memory_alloc(NOTES_MAX * sizeof *load->latencies_us);
	poller.client = load->client;
	signal(SIGTERM, on_term);
	fprintf(stderr, "load: at full rate from now on\n");
	load->started_ns = clock_ns();
	pthread_create(&poller.thread, NULL, poll_main, &poller);
	produce_at_rate(load, value);
	poller.stop = true;
	pthread_join(poller.thread, NULL);
	finish(load);
	qsort(load->latencies_us, (size_t)load->n_done, sizeof *load->latencies_us, compare);
	printf("{");
	print_rates(load);
	printf(", \"p50_ms\": %.3f, \"p90_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f}\n", percentile_ms(load, 0.5),
	       percentile_ms(load, 0.9), percentile_ms(load, 0.99), percentile_ms(load, 0.999), percentile_ms(load, 1));
	close_client(load);
	free(load->latencies_us);
	free(value);
	return load->n_failed ? 1 : 0;
}

static void take(struct load *load, rd_kafka_message_t *message)
{
	if (message->err && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
		die("consume", rd_kafka_message_errstr(message));
	if (!message->err) {
		load->n_done++;
		load->bytes += (int64_t)message->len;
	}
	rd_kafka_message_destroy(message);
}

static int mode_consume(struct load *load, char **settings)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_message_t *messages[1000];
	rd_kafka_queue_t *queue;
	int64_t until_ms;

	set(conf, "queued.min.messages", "1000000");
	set(conf, "queued.max.messages.kbytes", "131072");
	set(conf, "check.crcs", "false");
	set_all(conf, settings);
	open_client(load, RD_KAFKA_CONSUMER, conf);
	queue = rd_kafka_queue_new(load->client);
	load->started_ns = clock_ns();
	for (int32_t i = 0; i < load->n_partitions; i++)
		if (rd_kafka_consume_start_queue(load->topic, i, RD_KAFKA_OFFSET_BEGINNING, queue))
			die("consume", rd_kafka_err2str(rd_kafka_last_error()));
	until_ms = clock_ms() + PATIENCE_MS;
	while (load->n_done < load->n_records) {
		ssize_t n = rd_kafka_consume_batch_queue(queue, 1000, messages, 1000);

		for (ssize_t i = 0; i < n; i++)
			take(load, messages[i]);
		if (n > 0)
			until_ms = clock_ms() + PATIENCE_MS;
		else if (clock_ms() > until_ms)
			die("consume", "no record in a minute");
	}
	load->ended_ns = clock_ns();
	printf("{");
	print_rates(load);
	printf("}\n");
	fflush(stdout);
	/* Stopping and draining a full queue takes longer than the measurement, and measures nothing. */
	_exit(0);
}

int main(int argc, char **argv)
{
	struct load load = {0};
	const char *mode = argc > 1 ? argv[1] : "";

	if (argc >= 6) {
		load.bootstrap = argv[2];
		load.topic_name = argv[3];
		load.n_partitions = atoi(argv[4]);
		load.n_records = atoll(argv[5]);
	}
	if (argc >= 6 && strcmp(mode, "consume") == 0)
		return mode_consume(&load, argv + 6);
	if (argc >= 7)
		load.size = atoll(argv[6]);
	if (argc >= 7 && strcmp(mode, "produce") == 0)
		return mode_produce(&load, argv + 7);
	if (argc >= 8 && strcmp(mode, "latency") == 0) {
		load.rate = atof(argv[7]);
		return mode_latency(&load, argv + 8);
	}
	fprintf(stderr, "usage: load produce|latency|consume BOOTSTRAP TOPIC PARTITIONS N [SIZE [RATE]] [KEY=VALUE...]\n");
	return 2;
}
