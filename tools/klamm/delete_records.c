/* klamm delete-records: moves the log start offset of partitions, as a JSON file says (the format of Kafka's tool). */
#include "proto/kafka/delete_records.gen.h"
#include "proto/kafka_error.h"
#include "tools/klamm/commands.h"
#include "tools/klamm/part.h"
#include "tools/klamm/table.h"

#include <string.h>

static const struct option_row options[] = {
	{"offset-json-file", "FILE", 0,
	 "{\"partitions\":[{\"topic\":\"t\",\"partition\":0,\"offset\":5}],\"version\":1}; offset -1 deletes all."},
	{0},
};

const struct option_row *const delete_records_options[] = {options, options_cluster, options_output, NULL};

static int part_read(struct run *run, const char *path, const json_t *row, struct part *ret_part, struct error *err)
{
	const char *topic;
	json_int_t offset;
	int partition;

	if (json_unpack((json_t *)row, "{s:s, s:i, s:I}", "topic", &topic, "partition", &partition, "offset", &offset) != 0)
		return run_usage(err, "%s: each of \"partitions\" has a \"topic\", a \"partition\" and an \"offset\"", path);
	*ret_part =
		(struct part){.topic = arena_copy(&run->arena, slice_of_text(topic)), .partition = partition, .asked = offset};
	return RUN_OK;
}

static int parts_read(struct run *run, const char *path, const json_t *root, struct part **ret_parts, int *ret_n,
		      struct error *err)
{
	const json_t *list = json_object_get(root, "partitions"), *version = json_object_get(root, "version");
	size_t n = json_array_size(list);
	struct part *parts = arena_zalloc(&run->arena, n + 1, sizeof *parts);

	if (version && json_integer_value(version) != 1)
		return run_usage(err, "%s: only version 1 is known", path);
	if (n == 0)
		return run_usage(err, "%s has no list of \"partitions\"", path);
	for (size_t i = 0; i < n; i++) {
		int r = part_read(run, path, json_array_get(list, i), &parts[i], err);

		if (r != RUN_OK)
			return r;
		for (size_t k = 0; k < i; k++)
			if (parts[k].partition == parts[i].partition && slice_equal(parts[k].topic, parts[i].topic))
				return run_usage(err, "%s names %.*s-%d twice", path, SLICE_ARGS(parts[i].topic),
						 parts[i].partition);
	}
	*ret_parts = parts;
	*ret_n = (int)n;
	return RUN_OK;
}

static int file_read(struct run *run, struct part **ret_parts, int *ret_n, struct error *err)
{
	const char *path = args_text(&run->args, "offset-json-file", NULL);
	json_error_t why;
	json_t *root;
	int r;

	if (!path)
		return run_usage(err, "--offset-json-file FILE is missing");
	root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
	if (!root)
		return run_usage(err, "%s:%d: %s", path, why.line, why.text);
	r = parts_read(run, path, root, ret_parts, ret_n, err);
	json_decref(root);
	return r;
}

static void answer_take(struct part **parts, int n, const struct delete_records_response *response)
{
	for (int i = 0; i < n; i++)
		parts[i]->error = KAFKA_UNKNOWN_SERVER_ERROR;
	for (int t = 0; t < response->n_topics; t++)
		for (int p = 0; p < response->topics[t].n_partitions; p++) {
			const struct delete_records_response_partition *answer = &response->topics[t].partitions[p];
			struct part *part = parts_find(parts, n, response->topics[t].name, answer->partition_index);

			if (!part)
				continue;
			part->error = answer->error_code;
			part->result = answer->low_watermark;
		}
}

static int delete_ask(void *ctx, struct kafka_client *client, int32_t leader, struct part **parts, int n, struct error *err)
{
	struct delete_records_request request = delete_records_request_default;
	struct delete_records_response response;
	struct arena *arena = kafka_client_arena(client);
	int r;

	(void)ctx;
	request.timeout_ms = kafka_client_timeout_ms(client);
	request.topics = message_array(arena, &delete_records_request_topic_struct, (size_t)n);
	for (int i = 0; i < n;) {
		struct delete_records_request_topic *topic = &request.topics[request.n_topics++];

		topic->name = parts[i]->topic;
		topic->n_partitions = parts_of_topic(parts, n, i);
		topic->partitions = message_array(arena, &delete_records_request_partition_struct, (size_t)topic->n_partitions);
		for (int p = 0; p < topic->n_partitions; p++, i++) {
			topic->partitions[p].partition_index = parts[i]->partition;
			topic->partitions[p].offset = parts[i]->asked;
		}
	}
	r = kafka_client_call(client, leader, API_DELETE_RECORDS, &request, &response, err);
	if (r == 0)
		answer_take(parts, n, &response);
	return r;
}

static json_t *part_json(struct run *run, const struct part *part)
{
	if (part->error != KAFKA_NONE)
		return json_pack("{s:o, s:i, s:s}", "topic", json_slice(part->topic), "partition", part->partition, "error",
				 run_kafka_error(run, part->error, SLICE_NULL));
	return json_pack("{s:o, s:i, s:I}", "topic", json_slice(part->topic), "partition", part->partition, "low_watermark",
			 (json_int_t)part->result);
}

static int parts_print(struct run *run, const struct part *parts, int n, struct error *err)
{
	json_t *list = json_array();
	int failures = 0;

	if (run->format != FORMAT_JSON)
		fprintf(run->out, "Records delete operation completed:\n");
	for (int i = 0; i < n; i++) {
		const struct part *part = &parts[i];

		failures += part->error != KAFKA_NONE;
		if (run->format == FORMAT_JSON)
			json_array_append_new(list, part_json(run, part));
		else if (part->error != KAFKA_NONE)
			fprintf(run->out, "partition: %.*s-%d\terror: %s\n", SLICE_ARGS(part->topic), part->partition,
				run_kafka_error(run, part->error, SLICE_NULL));
		else
			fprintf(run->out, "partition: %.*s-%d\tlow_watermark: %lld\n", SLICE_ARGS(part->topic), part->partition,
				(long long)part->result);
	}
	if (run->format == FORMAT_JSON)
		run_print_json(run, json_pack("{s:O}", "partitions", list));
	json_decref(list);
	return failures ? run_failed(err, "%d of %d partitions are unchanged", failures, n) : RUN_OK;
}

int delete_records_main(struct run *run, struct error *err)
{
	struct part *parts;
	int n, r;

	if (args_words_max(&run->args, 0, err) != 0)
		return RUN_USAGE;
	r = file_read(run, &parts, &n, err);
	if (r == RUN_OK)
		r = run_client(run, err);
	if (r != RUN_OK)
		return r;
	if (run->format != FORMAT_JSON)
		fprintf(run->out, "Executing records delete operation\n");
	if (parts_ask(run->client, parts, n, delete_ask, NULL, err) != 0)
		return RUN_FAILED;
	return parts_print(run, parts, n, err);
}
