/*
 * klamm consume: records of partitions to standard output.
 *
 *     Metadata -> partitions -> one queue of librdkafka for all of them -+-> record -> line or JSON
 *     --group: subscription -> the group's share of the partitions ------+   and what is printed is committed
 */
#include "common/clock.h"
#include "proto/kafka_error.h"
#include "tools/klamm/commands.h"
#include "tools/klamm/rd_client.h"
#include "tools/klamm/record_line.h"
#include "tools/klamm/topic_match.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row options[] = {
	{"topic", "NAME", 0, "Where the records are read."},
	{"include", "REGEX", 0, "All topics that match."},
	{"partition", "N", 0, "Only this partition."},
	{"offset", "earliest|latest|N", 0, "Where in the partition to begin (latest); -N counts from its end."},
	{"from-beginning", NULL, 0, "Begin with the earliest records."},
	{"max-messages", "N", 0, "End after so many records."},
	{"timeout-ms", "MS", 0, "End when there is no record for so long."},
	{"exit-at-end", NULL, 0, "End when all there was is read."},
	{"property", "NAME=VALUE", OPTION_REPEATS,
	 "print.timestamp, print.partition, print.offset, print.headers, print.key, print.value "
	 "(true), key.separator (tab), line.separator, headers.separator, null.literal."},
	{"isolation-level", "LEVEL", 0,
	 "read_committed leaves out records of transactions that are open or aborted (read_uncommitted)."},
	{"consumer-property", "NAME=VALUE", OPTION_REPEATS, "A property of the consumer (as librdkafka knows it)."},
	{"consumer.config", "FILE", 0, "A file of such properties."},
	{"group", "ID", 0, "Read as a member of this consumer group, on from where it has committed, and commit what is printed."},
	{"whitelist", "REGEX", OPTION_HIDDEN, "The old name of --include."},
	{"key-deserializer", "CLASS", OPTION_HIDDEN, "Without effect: bytes are printed as they are."},
	{"value-deserializer", "CLASS", OPTION_HIDDEN, "Without effect: bytes are printed as they are."},
	{"formatter", "CLASS", OPTION_HIDDEN, "Not served."},
	{"formatter-config", "FILE", OPTION_HIDDEN, "Not served."},
	{"skip-message-on-error", NULL, OPTION_HIDDEN, "Without effect."},
	{"enable-systest-events", NULL, OPTION_HIDDEN, "Without effect."},
	{0},
};

const struct option_row *const consume_options[] = {options, options_cluster, options_output, NULL};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

/* One partition that is read. */
struct source {
	rd_kafka_topic_t *topic;
	int32_t partition;
	bool at_end;
};

struct consuming {
	struct run *run;
	rd_kafka_t *client;
	rd_kafka_queue_t *queue; /* NULL with a group: its partitions come through the client's own */
	struct line_format format;
	int32_t partition; /* -1: all */
	int64_t offset;
	int64_t max;        /* -1: no bound */
	int64_t timeout_ms; /* -1: no bound */
	bool exit_at_end, in_group;
	struct source *sources;
	int n_sources, n_at_end;
	int64_t n_records;
};

/* ---- what is asked for ---- */

static int offset_read(struct consuming *consuming, struct error *err)
{
	const struct args *args = &consuming->run->args;
	const char *text = args_text(args, "offset", args_has(args, "from-beginning") ? "earliest" : "latest");
	char *end;
	long long number;

	if (args_has(args, "offset") && args_has(args, "from-beginning"))
		return run_usage(err, "--offset and --from-beginning exclude each other");
	if (strcmp(text, "earliest") == 0 || strcmp(text, "beginning") == 0) {
		consuming->offset = RD_KAFKA_OFFSET_BEGINNING;
		return RUN_OK;
	}
	if (strcmp(text, "latest") == 0 || strcmp(text, "end") == 0) {
		consuming->offset = RD_KAFKA_OFFSET_END;
		return RUN_OK;
	}
	errno = 0;
	number = strtoll(text, &end, 10);
	if (end == text || *end || errno)
		return run_usage(err, "--offset %s: earliest, latest or a number belongs there", text);
	if (consuming->partition < 0)
		return run_usage(err, "--offset %s needs --partition N", text);
	consuming->offset = number < 0 ? RD_KAFKA_OFFSET_TAIL(-number) : number;
	return RUN_OK;
}

/* Refuses what would give something else than the user expects. */
static int unserved_check(const struct run *run, struct error *err)
{
	if (args_has(&run->args, "formatter") || args_has(&run->args, "formatter-config"))
		return run_usage(err,
				 "--formatter is a Java class, which klamm cannot load; --format json shows all of a record");
	return RUN_OK;
}

static int options_read(struct consuming *consuming, struct error *err)
{
	const struct args *args = &consuming->run->args;
	const char *text;
	int64_t partition;
	int r = unserved_check(consuming->run, err);

	if (r != RUN_OK)
		return r;
	if (args_words_max(args, 0, err) != 0 || args_number(args, "partition", 0, INT32_MAX, -1, &partition, err) != 0 ||
	    args_number(args, "max-messages", 0, INT64_MAX, -1, &consuming->max, err) != 0 ||
	    args_number(args, "timeout-ms", -1, INT64_MAX, -1, &consuming->timeout_ms, err) != 0)
		return RUN_USAGE;
	consuming->partition = (int32_t)partition;
	consuming->exit_at_end = args_has(args, "exit-at-end");
	consuming->format = line_format_default;
	for (int i = 0; (text = args_text_at(args, "property", i)); i++) {
		bool deserializer = strstr(text, "deserializer") != NULL;

		if (!deserializer && line_format_set(&consuming->format, &consuming->run->arena, text, err) != 0)
			return RUN_USAGE;
	}
	return offset_read(consuming, err);
}

/* ---- partitions ---- */

static void topic_add(struct consuming *consuming, const struct metadata_response_topic *topic)
{
	rd_kafka_topic_t *handle =
		rd_kafka_topic_new(consuming->client, (const char *)arena_copy(&consuming->run->arena, topic->name).data, NULL);

	rd_leaders_learn(consuming->client, handle);
	for (int i = 0; i < topic->n_partitions; i++) {
		int32_t partition = topic->partitions[i].partition_index;

		if (consuming->partition >= 0 && partition != consuming->partition)
			continue;
		/* Each source holds the topic; the same handle comes back for the same name. */
		consuming->sources[consuming->n_sources++] = (struct source){
			rd_kafka_topic_new(consuming->client, rd_kafka_topic_name(handle), NULL), partition, false};
		rd_kafka_consume_start_queue(handle, partition, consuming->offset, consuming->queue);
	}
	rd_kafka_topic_destroy(handle);
}

static int topic_check(struct consuming *consuming, const struct metadata_response_topic *topic, struct error *err)
{
	if (topic->error_code != KAFKA_NONE)
		return run_failed(err, "topic %.*s: %s", SLICE_ARGS(topic->name),
				  run_kafka_error(consuming->run, topic->error_code, SLICE_NULL));
	if (consuming->partition >= topic->n_partitions)
		return run_failed(err, "topic %.*s has %d partitions, from 0 on: there is no partition %d",
				  SLICE_ARGS(topic->name), topic->n_partitions, consuming->partition);
	return RUN_OK;
}

static int sources_start(struct consuming *consuming, const struct metadata_response *metadata, const struct topic_match *match,
			 struct error *err)
{
	size_t most = 1;

	for (int i = 0; i < metadata->n_topics; i++)
		most += (size_t)metadata->topics[i].n_partitions;
	consuming->sources = arena_zalloc(&consuming->run->arena, most, sizeof *consuming->sources);
	for (int i = 0; i < metadata->n_topics; i++) {
		const struct metadata_response_topic *topic = &metadata->topics[i];
		int r;

		if (!topic_match_name(match, topic->name))
			continue;
		r = topic_check(consuming, topic, err);
		if (r != RUN_OK)
			return r;
		topic_add(consuming, topic);
	}
	return consuming->n_sources ? RUN_OK : run_failed(err, "no topic matches");
}

/* The members of a group share out its topics among them; librdkafka takes what begins with ^ for a regular expression. */
static int group_join(struct consuming *consuming, const char *topic, const char *regex, struct error *err)
{
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t failure;

	rd_kafka_topic_partition_list_add(topics, topic ? topic : arena_printf(&consuming->run->arena, "^(%s)$", regex), RD_KAFKA_PARTITION_UA);
	failure = rd_kafka_poll_set_consumer(consuming->client);
	if (!failure)
		failure = rd_kafka_subscribe(consuming->client, topics);
	rd_kafka_topic_partition_list_destroy(topics);
	return failure ? run_failed(err, "the group cannot be joined: %s", rd_kafka_err2str(failure)) : RUN_OK;
}

static int topics_start(struct consuming *consuming, struct error *err)
{
	const struct args *args = &consuming->run->args;
	const char *topic = args_text(args, "topic", NULL),
		   *regex = args_text(args, "include", args_text(args, "whitelist", NULL));
	struct slice name = slice_of_text(topic);
	struct metadata_response metadata;
	struct topic_match match;
	int r;

	if (!topic == !regex)
		return run_usage(err, "say --topic NAME or --include REGEX");
	match = (struct topic_match){.names = &name, .n_names = 1};
	if (regex && topic_match_init(&match, &consuming->run->arena, regex, err) != 0)
		return RUN_USAGE;
	r = kafka_client_metadata(consuming->run->client, topic ? &name : NULL, 1, &metadata, err) == 0 ? RUN_OK : RUN_FAILED;
	if (r == RUN_OK && consuming->in_group)
		r = topic && topic_check(consuming, &metadata.topics[0], err) != RUN_OK ? RUN_FAILED : group_join(consuming, topic, regex, err);
	else if (r == RUN_OK)
		r = sources_start(consuming, &metadata, &match, err);
	topic_match_fini(&match);
	return r;
}

static void sources_stop(struct consuming *consuming)
{
	for (int i = 0; i < consuming->n_sources; i++) {
		rd_kafka_consume_stop(consuming->sources[i].topic, consuming->sources[i].partition);
		rd_kafka_topic_destroy(consuming->sources[i].topic);
	}
}

/* ---- records ---- */

static struct slice bytes_of(const void *data, size_t len)
{
	return data ? slice_of(data, len) : SLICE_NULL;
}

static void record_take(struct arena *arena, const rd_kafka_message_t *message, struct line_record *record)
{
	rd_kafka_headers_t *headers;
	const char *name;
	const void *value;
	size_t len;
	int n;

	*record = (struct line_record){.key = bytes_of(message->key, message->key_len),
				       .value = bytes_of(message->payload, message->len)};
	if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	n = (int)rd_kafka_header_cnt(headers);
	record->headers = arena_zalloc(arena, (size_t)n + 1, sizeof *record->headers);
	for (; rd_kafka_header_get_all(headers, (size_t)record->n_headers, &name, &value, &len) == RD_KAFKA_RESP_ERR_NO_ERROR;)
		record->headers[record->n_headers++] = (struct line_header){slice_of_text(name), bytes_of(value, len)};
}

static void place_take(const rd_kafka_message_t *message, struct line_place *place)
{
	rd_kafka_timestamp_type_t type;

	place->timestamp = rd_kafka_message_timestamp(message, &type);
	place->timestamp_type = type == RD_KAFKA_TIMESTAMP_CREATE_TIME       ? "CreateTime"
				: type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? "LogAppendTime"
									     : NULL;
	place->partition = message->partition;
	place->offset = message->offset;
}

static void record_print_json(struct run *run, const char *topic, const struct line_place *place,
			      const struct line_record *record)
{
	json_t *headers = json_array();
	json_t *object = json_pack("{s:s, s:i, s:I}", "topic", topic, "partition", place->partition, "offset",
				   (json_int_t)place->offset);

	if (place->timestamp_type) {
		json_object_set_new(object, "timestamp", json_integer(place->timestamp));
		json_object_set_new(object, "timestamp_type", json_string(place->timestamp_type));
	}
	json_set_bytes(object, "key", record->key);
	json_set_bytes(object, "value", record->value);
	for (int i = 0; i < record->n_headers; i++) {
		json_t *header = json_object();

		json_object_set_new(header, "key", json_slice(record->headers[i].key));
		json_set_bytes(header, "value", record->headers[i].value);
		json_array_append_new(headers, header);
	}
	json_object_set_new(object, "headers", headers);
	run_print_json(run, object);
}

static void record_print(struct consuming *consuming, const rd_kafka_message_t *message)
{
	struct run *run = consuming->run;
	struct line_record record;
	struct line_place place;
	struct arena arena;

	arena_init(&arena);
	record_take(&arena, message, &record);
	place_take(message, &place);
	if (run->format == FORMAT_JSON)
		record_print_json(run, rd_kafka_topic_name(message->rkt), &place, &record);
	else
		line_print(&consuming->format, &place, &record, run->out);
	arena_fini(&arena);
}

static void end_note(struct consuming *consuming, const rd_kafka_message_t *message, bool at_end)
{
	for (int i = 0; i < consuming->n_sources; i++) {
		struct source *source = &consuming->sources[i];

		if (source->partition != message->partition || source->topic != message->rkt)
			continue;
		consuming->n_at_end += (int)at_end - (int)source->at_end;
		source->at_end = at_end;
	}
}

/* One message of the queue: a record, the end of a partition, or an error. */
static int message_take(struct consuming *consuming, const rd_kafka_message_t *message, struct error *err)
{
	switch (message->err) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		if (consuming->exit_at_end)
			end_note(consuming, message, false);
		consuming->n_records++;
		record_print(consuming, message);
		return RUN_OK;
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		end_note(consuming, message, true);
		return RUN_OK;
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
		return RUN_OK;
	default:
		return run_failed(err, "%s-%d: %s", message->rkt ? rd_kafka_topic_name(message->rkt) : "?", message->partition,
				  rd_kafka_message_errstr(message));
	}
}

static rd_kafka_message_t *message_next(struct consuming *consuming, int timeout_ms)
{
	rd_kafka_message_t *message;

	if (!consuming->queue)
		return rd_kafka_consumer_poll(consuming->client, timeout_ms);
	message = rd_kafka_consume_queue(consuming->queue, timeout_ms);
	rd_kafka_poll(consuming->client, 0);
	return message;
}

/* Output waits for nobody who watches it: flushed whenever the queue is empty. */
static int records_read(struct consuming *consuming, struct error *err)
{
	int64_t last_ms = clock_ms();
	int r = RUN_OK;

	while (r == RUN_OK && !stopped && (consuming->max < 0 || consuming->n_records < consuming->max)) {
		rd_kafka_message_t *message = message_next(consuming, 0);

		if (!message) {
			fflush(consuming->run->out);
			message = message_next(consuming, 100);
		}
		if (message) {
			r = message_take(consuming, message, err);
			if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
				last_ms = clock_ms();
			rd_kafka_message_destroy(message);
		}
		if (consuming->exit_at_end && consuming->n_at_end == consuming->n_sources)
			break;
		if (consuming->timeout_ms >= 0 && clock_ms() - last_ms >= consuming->timeout_ms)
			break;
	}
	return r;
}

/* The group may be named by --group, or by group.id among the properties. */
static int group_read(struct consuming *consuming, const rd_kafka_conf_t *conf, struct error *err)
{
	const struct args *args = &consuming->run->args;
	char group[256] = "";
	size_t size = sizeof group;

	consuming->in_group = rd_kafka_conf_get(conf, "group.id", group, &size) == RD_KAFKA_CONF_OK && group[0];
	if (!consuming->in_group)
		return RUN_OK;
	if (args_has(args, "partition") || args_has(args, "offset"))
		return run_usage(err, "a group shares out partitions and knows its offsets: leave out --partition and --offset, or the group");
	if (consuming->exit_at_end)
		return run_usage(err, "--exit-at-end does not go with a group, whose partitions come and go: --timeout-ms and --max-messages do");
	return RUN_OK;
}

static int group_set(struct run *run, rd_kafka_conf_t *conf, struct error *err)
{
	const char *group = args_text(&run->args, "group", NULL);
	int r = group ? rd_conf_set(run, conf, "group.id", group, err) : RUN_OK;

	if (!group || r != RUN_OK)
		return r;
	return rd_conf_set(run, conf, "auto.offset.reset", args_has(&run->args, "from-beginning") ? "earliest" : "latest", err);
}

static int client_open_for(struct consuming *consuming, struct error *err)
{
	struct run *run = consuming->run;
	rd_kafka_conf_t *conf;
	int r = rd_conf_new(run, &conf, err);

	if (r != RUN_OK)
		return r;
	r = rd_conf_set(run, conf, "enable.partition.eof", "true", err);
	if (r == RUN_OK)
		r = rd_conf_set(run, conf, "auto.offset.reset", "error", err);
	/* A partition joins the others when the fetch under way is answered: the wait for records is the wait at the start,
	 * too. */
	if (r == RUN_OK)
		r = rd_conf_set(run, conf, "fetch.wait.max.ms", consuming->exit_at_end ? "20" : "100", err);
	if (r == RUN_OK)
		r = rd_conf_set(run, conf, "isolation.level", args_text(&run->args, "isolation-level", "read_uncommitted"),
				err);
	if (r == RUN_OK)
		r = group_set(run, conf, err);
	if (r == RUN_OK)
		r = rd_conf_properties(run, conf, "consumer.config", "consumer-property", err);
	if (r == RUN_OK)
		r = group_read(consuming, conf, err);
	if (r != RUN_OK) {
		rd_kafka_conf_destroy(conf);
		return r;
	}
	return rd_client_new(RD_KAFKA_CONSUMER, conf, &consuming->client, err);
}

int consume_main(struct run *run, struct error *err)
{
	struct consuming consuming = {.run = run};
	struct sigaction action = {.sa_handler = on_signal};
	int r = options_read(&consuming, err);

	if (r == RUN_OK)
		r = client_open_for(&consuming, err);
	if (r != RUN_OK)
		return r;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	consuming.queue = consuming.in_group ? NULL : rd_kafka_queue_new(consuming.client);
	r = topics_start(&consuming, err);
	if (r == RUN_OK)
		r = records_read(&consuming, err);
	sources_stop(&consuming);
	if (consuming.in_group)
		rd_kafka_consumer_close(consuming.client);
	else
		rd_kafka_queue_destroy(consuming.queue);
	rd_kafka_destroy(consuming.client);
	fflush(run->out);
	if (r == RUN_OK || consuming.n_records)
		fprintf(stderr, "Processed a total of %lld messages\n", (long long)consuming.n_records);
	return r;
}
