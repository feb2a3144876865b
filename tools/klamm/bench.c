/*
 * klamm bench: load through librdkafka, measured.
 *
 *     produce   records of one size, at a rate or as fast as they are taken; latency from the call to the delivery report
 *     consume   all partitions from the beginning, as fast as they come
 *
 * Client CPU time is told, too: where the client is the limit, the broker is not what was measured.
 */
#include "common/clock.h"
#include "common/memory.h"
#include "proto/kafka_error.h"
#include "tools/klamm/commands.h"
#include "tools/klamm/histogram.h"
#include "tools/klamm/kafka_admin.h"
#include "tools/klamm/progress.h"
#include "tools/klamm/rd_client.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const struct option_row options[] = {
	{"produce", NULL, OPTION_ACTION, "Send records (what is done where nothing is said)."},
	{"consume", NULL, OPTION_ACTION, "Read records from the beginning."},
	{"topic", "NAME", 0, "The topic; made with --partitions where it is missing."},
	{"partitions", "N", 0, "Partitions of a new topic (the broker's default)."},
	{"replication-factor", "N", 0, "Replicas of a new topic (the broker's default)."},
	{"num-records", "N", 0, "How many records (1000000; --consume: all there are)."},
	{"record-size", "BYTES", 0, "Size of a value (1000)."},
	{"throughput", "N", 0, "Records a second; -1: as fast as they are taken (-1)."},
	{"seconds", "N", 0, "End after this time even if there are records left."},
	{"warmup", "N", 0, "Records that are sent first and not counted (100)."},
	{"acks", "all|1|0", 0, "Who has to have a record (all)."},
	{"compression-codec", "CODEC", 0, "none, gzip, snappy, lz4, zstd (none)."},
	{"key-size", "BYTES", 0, "Size of a random key (0: none; records go round)."},
	{"idempotence", "true|false", 0, "enable.idempotence (false)."},
	{"random-payload", NULL, 0, "Values of random bytes, different for each of 1000 records; else text that packs well."},
	{"producer-props", "NAME=VALUE", OPTION_REPEATS, "A property of the producer; more of them may follow as words."},
	{"consumer-props", "NAME=VALUE", OPTION_REPEATS, "A property of the consumer; more of them may follow as words."},
	{"producer.config", "FILE", 0, "A file of properties of the producer."},
	{"consumer.config", "FILE", 0, "A file of properties of the consumer."},
	{"timeout-ms", "MS", 0, "--consume: end when nothing comes for so long (10000)."},
	{0},
};

const struct option_row *const bench_options[] = {options, options_cluster, options_output, NULL};

/* Records whose values are made before the load begins. */
#define PAYLOADS 1000

struct bench {
	struct run *run;
	rd_kafka_t *client;
	int wake_fd; /* of producers: readable when there are delivery reports */
	const char *topic;
	int64_t n_records, record_bytes, rate, seconds, key_bytes, timeout_ms, warmup;
	char *payloads;
	int64_t n_payloads;
	int64_t n_sent, n_done, n_failed;
	uint64_t n_bytes;
	int64_t begin_ns, end_ns;
	struct rusage usage;
	struct histogram latency;
	struct progress progress;
};

/* ---- the topic ---- */

static int topic_create(struct bench *bench, int64_t partitions, int64_t replicas, struct error *err)
{
	struct create_topics_request request = create_topics_request_default;
	struct create_topics_request_topic topic = create_topics_request_topic_default;
	struct create_topics_response response;
	struct run *run = bench->run;

	topic.name = slice_of_text(bench->topic);
	topic.num_partitions = (int32_t)partitions;
	topic.replication_factor = (int16_t)replicas;
	request.topics = &topic;
	request.n_topics = 1;
	request.timeout_ms = kafka_client_timeout_ms(run->client);
	if (kafka_admin_create_topics(run->client, &request, &response, err) != 0)
		return RUN_FAILED;
	for (int i = 0; i < response.n_topics; i++)
		if (response.topics[i].error_code != KAFKA_NONE && response.topics[i].error_code != KAFKA_TOPIC_ALREADY_EXISTS)
			return run_failed(
				err, "topic %s: %s", bench->topic,
				run_kafka_error(run, response.topics[i].error_code, response.topics[i].error_message));
	return RUN_OK;
}

static int topic_prepare(struct bench *bench, struct error *err)
{
	struct slice name = slice_of_text(bench->topic);
	struct metadata_response metadata;
	int64_t partitions, replicas;

	if (args_number(&bench->run->args, "partitions", 1, INT32_MAX, -1, &partitions, err) != 0 ||
	    args_number(&bench->run->args, "replication-factor", 1, INT16_MAX, -1, &replicas, err) != 0)
		return RUN_USAGE;
	if (kafka_client_metadata(bench->run->client, &name, 1, &metadata, err) != 0)
		return RUN_FAILED;
	if (metadata.n_topics == 1 && metadata.topics[0].error_code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
		return topic_create(bench, partitions, replicas, err);
	return RUN_OK;
}

/* ---- measuring ---- */

static void clock_begin(struct bench *bench, const char *what, int64_t total)
{
	getrusage(RUSAGE_SELF, &bench->usage);
	progress_begin(&bench->progress, what, total);
	bench->begin_ns = clock_ns();
}

static double cpu_seconds(const struct bench *bench)
{
	struct rusage now;

	getrusage(RUSAGE_SELF, &now);
	return (double)(now.ru_utime.tv_sec - bench->usage.ru_utime.tv_sec + now.ru_stime.tv_sec -
			bench->usage.ru_stime.tv_sec) +
	       (double)(now.ru_utime.tv_usec - bench->usage.ru_utime.tv_usec + now.ru_stime.tv_usec -
			bench->usage.ru_stime.tv_usec) /
		       1e6;
}

static bool time_is_up(const struct bench *bench)
{
	return bench->seconds > 0 && clock_ns() - bench->begin_ns >= bench->seconds * INT64_C(1000000000);
}

static double ms(uint64_t us)
{
	return (double)us / 1000;
}

static json_t *latency_json(const struct histogram *latency)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "mean", histogram_mean(latency) / 1000, "p50",
			 ms(histogram_percentile(latency, 0.5)), "p95", ms(histogram_percentile(latency, 0.95)), "p99",
			 ms(histogram_percentile(latency, 0.99)), "p99.9", ms(histogram_percentile(latency, 0.999)), "max",
			 ms(latency->max));
}

static void latency_text(FILE *out, const struct histogram *latency)
{
	fprintf(out, ", %.2f ms avg latency, %.2f ms max latency, %.2f ms 50th, %.2f ms 95th, %.2f ms 99th, %.2f ms 99.9th",
		histogram_mean(latency) / 1000, ms(latency->max), ms(histogram_percentile(latency, 0.5)),
		ms(histogram_percentile(latency, 0.95)), ms(histogram_percentile(latency, 0.99)),
		ms(histogram_percentile(latency, 0.999)));
}

static void report(struct bench *bench, const char *verb)
{
	double seconds = (double)(bench->end_ns - bench->begin_ns) / 1e9, cpu = cpu_seconds(bench);
	double rate = seconds > 0 ? (double)bench->n_done / seconds : 0,
	       bytes = seconds > 0 ? (double)bench->n_bytes / seconds : 0;
	bool with_latency = bench->latency.n > 0;
	json_t *object;

	if (bench->run->format != FORMAT_JSON) {
		fprintf(bench->run->out, "%lld records %s, %.1f records/sec (%.2f MB/sec)", (long long)bench->n_done, verb,
			rate, bytes / (1 << 20));
		if (with_latency)
			latency_text(bench->run->out, &bench->latency);
		fprintf(bench->run->out, ".\nclient: %.2f s, %.2f CPU-s\n", seconds, cpu);
		return;
	}
	object =
		json_pack("{s:s, s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:f}", "action", verb, "topic", bench->topic, "records",
			  (json_int_t)bench->n_done, "failed", (json_int_t)bench->n_failed, "bytes", (json_int_t)bench->n_bytes,
			  "seconds", seconds, "records_per_second", rate, "bytes_per_second", bytes, "client_cpu_seconds", cpu);
	if (with_latency)
		json_object_set_new(object, "latency_ms", latency_json(&bench->latency));
	run_print_json(bench->run, object);
}

/* ---- produce ---- */

/* The time of the call travels as the record's opaque pointer. */
static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *ctx)
{
	struct bench *bench = ctx;

	(void)client;
	if (message->err) {
		if (bench->n_failed++ < 10)
			run_note(bench->run, "a record is not written: %s", rd_kafka_err2str(message->err));
		return;
	}
	bench->end_ns = clock_ns();
	bench->n_done++;
	bench->n_bytes += message->len + message->key_len;
	histogram_add(&bench->latency, (uint64_t)(bench->end_ns - (int64_t)(intptr_t)message->_private) / 1000);
}

static void payloads_make(struct bench *bench)
{
	bool random_bytes = args_has(&bench->run->args, "random-payload");
	uint64_t state = 88172645463325252u;
	size_t len;

	bench->n_payloads = bench->n_records < PAYLOADS ? bench->n_records : PAYLOADS;
	len = (size_t)(bench->n_payloads * bench->record_bytes);
	bench->payloads = memory_alloc(len + 1);
	for (size_t i = 0; i < len; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		bench->payloads[i] = random_bytes ? (char)(state >> 32) : (char)('A' + (state >> 32) % 26);
	}
}

/* Delivery reports are taken the moment they come, also while the next record is waited for: their time is what is measured. */
static void reports_wait(struct bench *bench, int64_t left_ns)
{
	struct timespec time = {left_ns / 1000000000, left_ns % 1000000000};
	struct pollfd poller = {.fd = bench->wake_fd, .events = POLLIN};
	uint64_t count;

	if (ppoll(&poller, 1, &time, NULL) > 0 && read(bench->wake_fd, &count, sizeof count) > 0)
		rd_kafka_poll(bench->client, 0);
}

/* Waits until the next record is due at the asked rate. */
static void rate_wait(struct bench *bench)
{
	int64_t due_ns, left_ns;

	if (bench->rate <= 0)
		return;
	due_ns = bench->begin_ns + (int64_t)((double)bench->n_sent * 1e9 / (double)bench->rate);
	while ((left_ns = due_ns - clock_ns()) > 0)
		reports_wait(bench, left_ns);
}

/* Has librdkafka write to a descriptor when there are delivery reports. */
static void wake_enable(struct bench *bench)
{
	static const uint64_t one = 1;
	rd_kafka_queue_t *queue = rd_kafka_queue_get_main(bench->client);

	bench->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	rd_kafka_queue_io_event_enable(queue, bench->wake_fd, &one, sizeof one);
	rd_kafka_queue_destroy(queue);
}

static int record_send(struct bench *bench, struct error *err)
{
	const char *payload = bench->payloads + (bench->n_sent % bench->n_payloads) * bench->record_bytes;
	uint64_t key[32];

	for (size_t i = 0; i < sizeof key / sizeof key[0] && bench->key_bytes; i++)
		key[i] = (uint64_t)(bench->n_sent + 1) * UINT64_C(0x9e3779b97f4a7c15) * (i + 1);
	for (;;) {
		rd_kafka_resp_err_t code = rd_kafka_producev(
			bench->client, RD_KAFKA_V_TOPIC(bench->topic),
			RD_KAFKA_V_VALUE((void *)payload, (size_t)bench->record_bytes),
			RD_KAFKA_V_KEY(bench->key_bytes ? key : NULL, (size_t)bench->key_bytes), RD_KAFKA_V_MSGFLAGS(0),
			RD_KAFKA_V_OPAQUE((void *)(intptr_t)clock_ns()), RD_KAFKA_V_END);

		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			break;
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			return run_failed(err, "topic %s: %s", bench->topic, rd_kafka_err2str(code));
		rd_kafka_poll(bench->client, 10);
	}
	bench->n_sent++;
	return RUN_OK;
}

/*
 * Records that are sent and waited for first and are not counted: when the load begins partitions are known and connections
 * stand.
 */
static int warm_up(struct bench *bench, struct error *err)
{
	int64_t n_records = bench->warmup < bench->n_records ? bench->warmup : bench->n_records;
	int r = RUN_OK;

	while (r == RUN_OK && bench->n_sent < n_records)
		r = record_send(bench, err);
	while (rd_kafka_outq_len(bench->client) > 0)
		rd_kafka_poll(bench->client, 100);
	if (bench->n_failed)
		r = run_failed(err, "the topic cannot be written to");
	bench->n_sent = bench->n_done = 0;
	bench->n_bytes = 0;
	memset(&bench->latency, 0, sizeof bench->latency);
	return r;
}

static int records_send(struct bench *bench, struct error *err)
{
	int r = warm_up(bench, err);

	if (r != RUN_OK)
		return r;
	clock_begin(bench, "records sent", bench->n_records);
	bench->end_ns = bench->begin_ns;
	while (r == RUN_OK && bench->n_sent < bench->n_records && bench->n_failed < 1000) {
		rate_wait(bench);
		r = record_send(bench, err);
		if (bench->n_sent % 64 == 0 || bench->rate > 0) {
			rd_kafka_poll(bench->client, 0);
			progress_show(&bench->progress, bench->n_done);
			if (time_is_up(bench))
				break;
		}
	}
	while (rd_kafka_outq_len(bench->client) > 0)
		rd_kafka_poll(bench->client, 100);
	progress_end(&bench->progress);
	return r;
}

static int properties_read(struct bench *bench, rd_kafka_conf_t *conf, const char *file, const char *property,
			   struct error *err)
{
	struct run *run = bench->run;
	int r = rd_conf_properties(run, conf, file, property, err);

	for (int i = 0; i < run->args.n_words && r == RUN_OK; i++) {
		const char *word = run->args.words[i], *equals = strchr(word, '=');

		if (!equals)
			return run_usage(err, "'%s' is not understood here", word);
		r = rd_conf_set(run, conf, arena_printf(&run->arena, "%.*s", (int)(equals - word), word), equals + 1, err);
	}
	return r;
}

static int producer_conf(struct bench *bench, rd_kafka_conf_t *conf, struct error *err)
{
	const struct args *args = &bench->run->args;
	const char *acks = args_text(args, "acks", "all");
	const char *const pairs[][2] = {{"acks", strcmp(acks, "-1") == 0 ? "all" : acks},
					{"compression.type", args_text(args, "compression-codec", "none")},
					{"enable.idempotence", args_text(args, "idempotence", "false")},
					{"queue.buffering.max.messages", "1000000"},
					{"queue.buffering.max.kbytes", "1048576"}};
	int r = RUN_OK;

	rd_kafka_conf_set_opaque(conf, bench);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	for (size_t i = 0; i < ARRAY_LEN(pairs) && r == RUN_OK; i++)
		r = rd_conf_set(bench->run, conf, pairs[i][0], pairs[i][1], err);
	return r == RUN_OK ? properties_read(bench, conf, "producer.config", "producer-props", err) : r;
}

static int bench_produce(struct bench *bench, rd_kafka_conf_t *conf, struct error *err)
{
	rd_kafka_topic_t *topic;
	int r = producer_conf(bench, conf, err);

	if (r == RUN_OK)
		r = topic_prepare(bench, err);
	if (r != RUN_OK) {
		rd_kafka_conf_destroy(conf);
		return r;
	}
	r = rd_client_new(RD_KAFKA_PRODUCER, conf, &bench->client, err);
	if (r != RUN_OK)
		return r;
	topic = rd_kafka_topic_new(bench->client, bench->topic, NULL);
	rd_leaders_learn(bench->client, topic);
	payloads_make(bench);
	wake_enable(bench);
	r = records_send(bench, err);
	report(bench, "sent");
	rd_kafka_topic_destroy(topic);
	rd_kafka_destroy(bench->client);
	close(bench->wake_fd);
	free(bench->payloads);
	return r == RUN_OK && bench->n_failed ? run_failed(err, "%lld records are not written", (long long)bench->n_failed) : r;
}

/* ---- consume ---- */

static void on_record(rd_kafka_message_t *message, void *ctx)
{
	struct bench *bench = ctx;

	if (message->err)
		return;
	bench->n_done++;
	bench->n_bytes += message->len + message->key_len;
}

static void records_read(struct bench *bench, rd_kafka_queue_t *queue)
{
	int64_t last_ms = clock_ms();

	clock_begin(bench, "records read", bench->n_records == INT64_MAX ? 0 : bench->n_records);
	bench->end_ns = bench->begin_ns;
	while (bench->n_done < bench->n_records && !time_is_up(bench)) {
		int64_t before = bench->n_done;

		rd_kafka_consume_callback_queue(queue, 100, on_record, bench);
		rd_kafka_poll(bench->client, 0);
		if (bench->n_done > before) {
			bench->end_ns = clock_ns();
			last_ms = clock_ms();
		} else if (clock_ms() - last_ms >= bench->timeout_ms) {
			break;
		}
		progress_show(&bench->progress, bench->n_done);
	}
	progress_end(&bench->progress);
}

static int partitions_read(struct bench *bench, struct error *err)
{
	struct slice name = slice_of_text(bench->topic);
	struct metadata_response metadata;
	rd_kafka_queue_t *queue;
	rd_kafka_topic_t *topic;
	int n;

	if (kafka_client_metadata(bench->run->client, &name, 1, &metadata, err) != 0)
		return RUN_FAILED;
	if (metadata.n_topics != 1 || metadata.topics[0].error_code != KAFKA_NONE)
		return run_failed(err, "topic %s does not exist", bench->topic);
	n = metadata.topics[0].n_partitions;
	topic = rd_kafka_topic_new(bench->client, bench->topic, NULL);
	rd_leaders_learn(bench->client, topic);
	queue = rd_kafka_queue_new(bench->client);
	for (int i = 0; i < n; i++)
		rd_kafka_consume_start_queue(topic, metadata.topics[0].partitions[i].partition_index, RD_KAFKA_OFFSET_BEGINNING,
					     queue);
	records_read(bench, queue);
	report(bench, "read");
	for (int i = 0; i < n; i++)
		rd_kafka_consume_stop(topic, metadata.topics[0].partitions[i].partition_index);
	rd_kafka_queue_destroy(queue);
	rd_kafka_topic_destroy(topic);
	return RUN_OK;
}

static int bench_consume(struct bench *bench, rd_kafka_conf_t *conf, struct error *err)
{
	int r = properties_read(bench, conf, "consumer.config", "consumer-props", err);

	if (r != RUN_OK) {
		rd_kafka_conf_destroy(conf);
		return r;
	}
	r = rd_client_new(RD_KAFKA_CONSUMER, conf, &bench->client, err);
	if (r != RUN_OK)
		return r;
	r = partitions_read(bench, err);
	rd_kafka_destroy(bench->client);
	if (r == RUN_OK && args_has(&bench->run->args, "num-records") && bench->n_done < bench->n_records)
		r = run_failed(err, "only %lld of %lld records came", (long long)bench->n_done, (long long)bench->n_records);
	return r;
}

static int options_read(struct bench *bench, bool consume, struct error *err)
{
	const struct args *args = &bench->run->args;

	bench->topic = args_text(args, "topic", NULL);
	if (!bench->topic)
		return run_usage(err, "--topic NAME is missing");
	if (args_number(args, "num-records", 1, INT64_MAX, consume ? INT64_MAX : 1000000, &bench->n_records, err) != 0 ||
	    args_number(args, "record-size", 0, 64 << 20, 1000, &bench->record_bytes, err) != 0 ||
	    args_number(args, "throughput", -1, INT32_MAX, -1, &bench->rate, err) != 0 ||
	    args_number(args, "seconds", 1, INT32_MAX, 0, &bench->seconds, err) != 0 ||
	    args_number(args, "key-size", 0, 256, 0, &bench->key_bytes, err) != 0 ||
	    args_number(args, "warmup", 0, INT32_MAX, 100, &bench->warmup, err) != 0 ||
	    args_number(args, "timeout-ms", 1, INT32_MAX, 10000, &bench->timeout_ms, err) != 0)
		return RUN_USAGE;
	return RUN_OK;
}

int bench_main(struct run *run, struct error *err)
{
	bool consume = args_has(&run->args, "consume");
	struct bench *bench = arena_zalloc(&run->arena, 1, sizeof *bench);
	rd_kafka_conf_t *conf;
	int r;

	if (consume && args_has(&run->args, "produce"))
		return run_usage(err, "--produce and --consume exclude each other");
	bench->run = run;
	r = options_read(bench, consume, err);
	if (r == RUN_OK)
		r = rd_conf_new(run, &conf, err);
	if (r != RUN_OK)
		return r;
	return consume ? bench_consume(bench, conf, err) : bench_produce(bench, conf, err);
}
