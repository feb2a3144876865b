/*
 * klamm produce: lines of standard input become records.
 *
 *     line -> line_read -> rd_kafka_producev -> librdkafka's threads -> delivery report -> counted
 */
#include "tools/klamm/commands.h"
#include "tools/klamm/progress.h"
#include "tools/klamm/rd_client.h"
#include "tools/klamm/record_line.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option_row options[] = {
	{"topic", "NAME", 0, "Where the records go."},
	{"partition", "N", 0, "All to this partition; else by the key as Java's clients do, or in turn."},
	{"property", "NAME=VALUE", OPTION_REPEATS,
	 "parse.key, key.separator (tab), parse.headers, headers.delimiter (tab), "
	 "headers.separator (,), headers.key.separator (:), null.marker, ignore.error."},
	{"acks", "all|1|0", 0, "Who has to have a record before it counts as sent (all). Also --request-required-acks."},
	{"compression-codec", "none|gzip|snappy|lz4|zstd", OPTION_MAY_LACK,
	 "How batches are compressed (none; gzip without a value)."},
	{"idempotence", "true|false", 0, "Whether retries may not duplicate records (true unless acks say otherwise)."},
	{"sync", NULL, 0, "Send each record by itself and wait for it."},
	{"producer-property", "NAME=VALUE", OPTION_REPEATS, "A property of the producer (as librdkafka knows it)."},
	{"producer.config", "FILE", 0, "A file of such properties."},
	{"timeout", "MS", 0, "How long records wait for company in a batch (linger.ms)."},
	{"message-send-max-retries", "N", 0, "How often a batch is sent again (retries)."},
	{"batch-size", "BYTES", 0, "The largest batch (batch.size)."},
	{"request-required-acks", "ACKS", OPTION_HIDDEN, "Kafka's name of --acks."},
	{"retry-backoff-ms", "MS", OPTION_HIDDEN, "retry.backoff.ms"},
	{"metadata-expiry-ms", "MS", OPTION_HIDDEN, "topic.metadata.refresh.interval.ms"},
	{"max-partition-memory-bytes", "BYTES", OPTION_HIDDEN, "batch.size"},
	{"max-block-ms", "MS", OPTION_HIDDEN, "Without effect."},
	{"max-memory-bytes", "BYTES", OPTION_HIDDEN, "Without effect."},
	{"socket-buffer-size", "BYTES", OPTION_HIDDEN, "Without effect."},
	{0},
};

const struct option_row *const produce_options[] = {options, options_cluster, options_output, NULL};

/* Options that are a property of the producer under another name. */
static const char *const option_property[][2] = {{"timeout", "linger.ms"},
						 {"message-send-max-retries", "retries"},
						 {"batch-size", "batch.size"},
						 {"max-partition-memory-bytes", "batch.size"},
						 {"retry-backoff-ms", "retry.backoff.ms"},
						 {"metadata-expiry-ms", "topic.metadata.refresh.interval.ms"},
						 {"request-timeout-ms", "request.timeout.ms"}};

struct producing {
	struct run *run;
	rd_kafka_t *client;
	const char *topic;
	int32_t partition;
	bool sync;
	struct line_format format;
	int64_t n_sent, n_done, n_failed;
};

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *ctx)
{
	struct producing *producing = ctx;

	(void)client;
	producing->n_done++;
	if (!message->err)
		return;
	if (producing->n_failed++ < 10)
		run_note(producing->run, "a record of %zu bytes is not written: %s", message->len,
			 rd_kafka_err2str(message->err));
}

static const char *acks_text(const struct run *run)
{
	const char *acks = args_text(&run->args, "acks", args_text(&run->args, "request-required-acks", "all"));

	return strcmp(acks, "-1") == 0 ? "all" : acks;
}

static int conf_fill(struct run *run, rd_kafka_conf_t *conf, struct error *err)
{
	const char *acks = acks_text(run), *codec = args_text(&run->args, "compression-codec", "none");
	const char *idempotence = args_text(&run->args, "idempotence", strcmp(acks, "all") == 0 ? "true" : "false");
	int r = RUN_OK;

	if (strcmp(acks, "all") != 0 && strcmp(acks, "1") != 0 && strcmp(acks, "0") != 0)
		return run_usage(err, "--acks %s: all, 1 or 0", acks);
	for (size_t i = 0; i < sizeof option_property / sizeof option_property[0] && r == RUN_OK; i++)
		if (args_has(&run->args, option_property[i][0]))
			r = rd_conf_set(run, conf, option_property[i][1], args_text(&run->args, option_property[i][0], ""),
					err);
	if (r == RUN_OK)
		r = rd_conf_set(run, conf, "acks", acks, err);
	if (r == RUN_OK)
		r = rd_conf_set(run, conf, "compression.type", *codec ? codec : "gzip", err);
	if (r == RUN_OK)
		r = rd_conf_set(run, conf, "enable.idempotence", idempotence, err);
	/* The same partition for a key as Java's producer chooses. */
	return r == RUN_OK ? rd_conf_set(run, conf, "partitioner", "murmur2_random", err) : r;
}

static int format_read(struct run *run, struct line_format *format, struct error *err)
{
	const char *text;

	*format = line_format_default;
	for (int i = 0; (text = args_text_at(&run->args, "property", i)); i++)
		if (line_format_set(format, &run->arena, text, err) != 0)
			return RUN_USAGE;
	return RUN_OK;
}

static rd_kafka_headers_t *headers_new(const struct line_record *record)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new((size_t)record->n_headers);

	for (int i = 0; i < record->n_headers; i++)
		rd_kafka_header_add(headers, (const char *)record->headers[i].key.data, (ssize_t)record->headers[i].key.len,
				    record->headers[i].value.data, (ssize_t)record->headers[i].value.len);
	return headers;
}

static void wait_for_all(struct producing *producing)
{
	while (rd_kafka_outq_len(producing->client) > 0)
		rd_kafka_poll(producing->client, 100);
}

/* Sends one record; waits while the queue is full. */
static int record_send(struct producing *producing, const struct line_record *record, struct error *err)
{
	rd_kafka_resp_err_t code;

	for (;;) {
		rd_kafka_headers_t *headers = headers_new(record);

		code = rd_kafka_producev(producing->client, RD_KAFKA_V_TOPIC(producing->topic),
					 RD_KAFKA_V_PARTITION(producing->partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
					 RD_KAFKA_V_KEY((void *)record->key.data, record->key.len),
					 RD_KAFKA_V_VALUE((void *)record->value.data, record->value.len),
					 RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			break;
		rd_kafka_headers_destroy(headers);
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			return run_failed(err, "topic %s: %s", producing->topic, rd_kafka_err2str(code));
		rd_kafka_poll(producing->client, 100);
	}
	producing->n_sent++;
	rd_kafka_poll(producing->client, 0);
	if (producing->sync)
		wait_for_all(producing);
	return RUN_OK;
}

/* Without the end of the line, be it LF or CR LF. */
static struct slice line_trim(const char *line, ssize_t len)
{
	if (len > 0 && line[len - 1] == '\n')
		len--;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	return slice_of(line, (size_t)len);
}

static int lines_send(struct producing *producing, struct error *err)
{
	bool prompt = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	struct progress progress;
	size_t cap = 0;
	char *line = NULL;
	int64_t number = 0;
	int r = RUN_OK;

	progress_begin(&progress, "records", 0);
	while (r == RUN_OK) {
		struct line_record record;
		struct arena arena;
		ssize_t len;

		if (prompt)
			fputc('>', stderr);
		len = getline(&line, &cap, stdin);
		if (len < 0)
			break;
		arena_init(&arena);
		if (line_read(&producing->format, &arena, line_trim(line, len), ++number, &record, err) == 0)
			r = record_send(producing, &record, err);
		else
			r = RUN_FAILED;
		arena_fini(&arena);
		if (!prompt)
			progress_show(&progress, producing->n_done);
	}
	free(line);
	wait_for_all(producing);
	progress_end(&progress);
	return r;
}

static int producing_run(struct producing *producing, struct error *err)
{
	int r = lines_send(producing, err);

	if (r == RUN_OK && producing->n_failed)
		r = run_failed(err, "%lld of %lld records are not written", (long long)producing->n_failed,
			       (long long)producing->n_sent);
	if (producing->run->format == FORMAT_JSON)
		run_print_json(producing->run, json_pack("{s:I, s:I}", "sent", (json_int_t)producing->n_sent, "failed",
							 (json_int_t)producing->n_failed));
	return r;
}

static int client_open_for(struct producing *producing, struct error *err)
{
	struct run *run = producing->run;
	rd_kafka_conf_t *conf;
	int r = rd_conf_new(run, &conf, err);

	if (r != RUN_OK)
		return r;
	rd_kafka_conf_set_opaque(conf, producing);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	r = conf_fill(run, conf, err);
	if (r == RUN_OK)
		r = rd_conf_properties(run, conf, "producer.config", "producer-property", err);
	if (r != RUN_OK) {
		rd_kafka_conf_destroy(conf);
		return r;
	}
	return rd_client_new(RD_KAFKA_PRODUCER, conf, &producing->client, err);
}

int produce_main(struct run *run, struct error *err)
{
	struct producing producing = {
		.run = run, .topic = args_text(&run->args, "topic", NULL), .sync = args_has(&run->args, "sync")};
	int64_t partition;
	int r;

	if (!producing.topic)
		return run_usage(err, "--topic NAME is missing");
	if (args_words_max(&run->args, 0, err) != 0 ||
	    args_number(&run->args, "partition", 0, INT32_MAX, RD_KAFKA_PARTITION_UA, &partition, err) != 0)
		return RUN_USAGE;
	producing.partition = (int32_t)partition;
	r = format_read(run, &producing.format, err);
	if (r == RUN_OK)
		r = client_open_for(&producing, err);
	if (r != RUN_OK)
		return r;
	r = producing_run(&producing, err);
	rd_kafka_destroy(producing.client);
	return r;
}
