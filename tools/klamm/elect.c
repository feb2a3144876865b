/* klamm elect: leader elections by request, with the flags and the words of Kafka's kafka-leader-election. */
#include "proto/kafka_error.h"
#include "tools/klamm/commands.h"
#include "tools/klamm/elect_logs.h"
#include "tools/klamm/kafka_admin.h"

#include <stdlib.h>
#include <string.h>

static const struct option_row options[] = {
	{"election-type", "preferred|unclean", 0,
	 "preferred: the first replica, where it is in sync. unclean: where there is no leader, the replica with the newest and longest log of those "
	 "that live; acknowledged records may be lost."},
	{"all-topic-partitions", NULL, 0, "All partitions that need it."},
	{"topic", "NAME", 0, "One topic; with --partition."},
	{"partition", "N", 0, "One partition of it."},
	{"path-to-json-file", "FILE", 0, "{\"partitions\":[{\"topic\":\"t\",\"partition\":0}]}"},
	{"dry-run", NULL, 0,
	 "With unclean: elect nobody; show the log end and the epoch of the last batch of each replica that lives, and who has most."},
	{0},
};

const struct option_row *const elect_options[] = {options, options_cluster, options_output, NULL};

struct wish {
	struct slice topic;
	int32_t partition;
};

struct wishes {
	struct wish *list;
	int n;
	bool all;
};

/* ---- what is asked for ---- */

static int by_topic(const void *a, const void *b)
{
	const struct wish *x = a;
	const struct wish *y = b;
	int order = slice_compare(x->topic, y->topic);

	return order ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static int list_read(struct run *run, const char *path, const json_t *list, struct wishes *wishes, struct error *err)
{
	size_t n = json_array_size(list);

	if (n == 0)
		return run_usage(err, "%s has no list of \"partitions\"", path);
	wishes->list = arena_zalloc(&run->arena, n, sizeof *wishes->list);
	for (size_t i = 0; i < n; i++) {
		const char *topic;
		int partition;

		if (json_unpack(json_array_get(list, i), "{s:s, s:i}", "topic", &topic, "partition", &partition) != 0)
			return run_usage(err, "%s: each of \"partitions\" has a \"topic\" and a \"partition\"", path);
		wishes->list[wishes->n++] = (struct wish){arena_copy(&run->arena, slice_of_text(topic)), partition};
	}
	qsort(wishes->list, n, sizeof *wishes->list, by_topic);
	for (size_t i = 1; i < n; i++)
		if (by_topic(&wishes->list[i - 1], &wishes->list[i]) == 0)
			return run_usage(err, "%s names %.*s-%d twice", path, SLICE_ARGS(wishes->list[i].topic), wishes->list[i].partition);
	return RUN_OK;
}

static int file_read(struct run *run, const char *path, struct wishes *wishes, struct error *err)
{
	json_error_t why;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
	int r;

	if (!root)
		return run_usage(err, "%s:%d: %s", path, why.line, why.text);
	r = list_read(run, path, json_object_get(root, "partitions"), wishes, err);
	json_decref(root);
	return r;
}

static int wishes_read(struct run *run, struct wishes *ret_wishes, struct error *err)
{
	const char *path = args_text(&run->args, "path-to-json-file", NULL);
	const char *topic = args_text(&run->args, "topic", NULL);
	int64_t partition;

	*ret_wishes = (struct wishes){.all = args_has(&run->args, "all-topic-partitions")};
	if (ret_wishes->all + (path != NULL) + (topic != NULL) != 1)
		return run_usage(err, "one of --all-topic-partitions, --topic and --path-to-json-file belongs here");
	if (!topic && args_has(&run->args, "partition"))
		return run_usage(err, "--partition goes with --topic");
	if (path)
		return file_read(run, path, ret_wishes, err);
	if (!topic)
		return RUN_OK;
	if (!args_has(&run->args, "partition"))
		return run_usage(err, "--topic needs --partition");
	if (args_number(&run->args, "partition", 0, INT32_MAX, 0, &partition, err) != 0)
		return RUN_USAGE;
	ret_wishes->list = arena_zalloc(&run->arena, 1, sizeof *ret_wishes->list);
	ret_wishes->list[0] = (struct wish){slice_of_text(topic), (int32_t)partition};
	ret_wishes->n = 1;
	return RUN_OK;
}

static int type_read(struct run *run, int8_t *ret_type, struct error *err)
{
	const char *text = args_text(&run->args, "election-type", NULL);

	if (!text)
		return run_usage(err, "--election-type preferred|unclean is missing");
	if (strcasecmp(text, "preferred") != 0 && strcasecmp(text, "unclean") != 0)
		return run_usage(err, "--election-type %s: preferred or unclean belongs there", text);
	*ret_type = strcasecmp(text, "unclean") == 0;
	return RUN_OK;
}

/* ---- the request ---- */

static void fill_topics(struct run *run, const struct wishes *wishes, struct elect_leaders_request *request)
{
	request->n_topic_partitions = wishes->all ? -1 : 0;
	request->topic_partitions = message_array(&run->arena, &elect_leaders_request_topic_struct, (size_t)wishes->n + 1);
	for (int i = 0; i < wishes->n; i++) {
		struct elect_leaders_request_topic *topic = &request->topic_partitions[request->n_topic_partitions];

		if (i == 0 || !slice_equal(wishes->list[i - 1].topic, wishes->list[i].topic)) {
			request->n_topic_partitions++;
			topic->topic = wishes->list[i].topic;
			topic->partitions = arena_alloc(&run->arena, (size_t)wishes->n * sizeof *topic->partitions);
		} else {
			topic--;
		}
		topic->partitions[topic->n_partitions++] = wishes->list[i].partition;
	}
}

/* ---- the answer ---- */

/* A line that grows; there may be very many partitions. */
struct line {
	FILE *file;
	char *text;
	size_t len;
	int n;
};

static void line_begin(struct line *line)
{
	*line = (struct line){0};
	line->file = open_memstream(&line->text, &line->len);
}

/* Prints it behind `head`; out NULL: not at all. */
static void line_end(struct line *line, FILE *out, const char *head)
{
	fclose(line->file);
	if (line->n > 0 && out)
		fprintf(out, "%s%s\n", head, line->text);
	free(line->text);
}

static void line_add(struct line *line, struct slice topic, int32_t partition)
{
	fprintf(line->file, "%s%.*s-%d", line->n++ ? ", " : "", SLICE_ARGS(topic), partition);
}

static void list_result(struct run *run, struct slice topic, const struct elect_leaders_response_partition *result, json_t *rows)
{
	json_t *row = json_pack("{s:o, s:i, s:s}", "topic", json_slice(topic), "partition", result->partition_id, "result",
				result->error_code == KAFKA_NONE                  ? "elected"
				: result->error_code == KAFKA_ELECTION_NOT_NEEDED ? "not_needed"
										  : "failed");

	if (result->error_code != KAFKA_NONE && result->error_code != KAFKA_ELECTION_NOT_NEEDED)
		json_object_set_new(row, "error", json_string(run_kafka_error(run, result->error_code, result->error_message)));
	json_array_append_new(rows, row);
}

struct results {
	struct line elected, valid, failed;
	json_t *rows;
};

static void take_result(struct run *run, const char *type, struct slice topic, const struct elect_leaders_response_partition *result,
			struct results *results)
{
	list_result(run, topic, result, results->rows);
	if (result->error_code == KAFKA_NONE)
		line_add(&results->elected, topic, result->partition_id);
	else if (result->error_code == KAFKA_ELECTION_NOT_NEEDED)
		line_add(&results->valid, topic, result->partition_id);
	else
		fprintf(results->failed.file, "%sError completing leader election (%s) for partition: %.*s-%d: %s",
			results->failed.n++ ? "\n" : "", type, SLICE_ARGS(topic), result->partition_id,
			run_kafka_error(run, result->error_code, result->error_message));
}

static int print_results(struct run *run, const char *type, const struct elect_leaders_response *response, struct error *err)
{
	FILE *text = run->format == FORMAT_JSON ? NULL : run->out;
	struct results results = {.rows = json_array()};

	line_begin(&results.elected);
	line_begin(&results.valid);
	line_begin(&results.failed);
	for (int t = 0; t < response->n_replica_election_results; t++)
		for (int i = 0; i < response->replica_election_results[t].n_partition_result; i++)
			take_result(run, type, response->replica_election_results[t].topic,
				    &response->replica_election_results[t].partition_result[i], &results);
	line_end(&results.elected, text,
		 arena_printf(&run->arena, "Successfully completed leader election (%s) for partitions ", type));
	line_end(&results.valid, text, "Valid replica already elected for partitions ");
	line_end(&results.failed, text, "");
	if (run->format == FORMAT_JSON)
		run_print_json(run, json_pack("{s:O}", "partitions", results.rows));
	json_decref(results.rows);
	return results.failed.n ? run_failed(err, "%d replica(s) could not be elected", results.failed.n) : RUN_OK;
}

int elect_main(struct run *run, struct error *err)
{
	struct elect_leaders_request request = elect_leaders_request_default;
	struct elect_leaders_response response;
	struct wishes wishes;
	int r;

	if (args_words_max(&run->args, 0, err) != 0)
		return RUN_USAGE;
	r = type_read(run, &request.election_type, err);
	if (r == RUN_OK)
		r = wishes_read(run, &wishes, err);
	if (r == RUN_OK && args_has(&run->args, "dry-run") && !request.election_type)
		r = run_usage(err, "--dry-run goes with --election-type unclean");
	if (r == RUN_OK)
		r = run_client(run, err);
	if (r != RUN_OK)
		return r;
	fill_topics(run, &wishes, &request);
	if (args_has(&run->args, "dry-run"))
		return elect_show_logs(run, &request, err);
	request.timeout_ms = kafka_client_timeout_ms(run->client);
	if (kafka_admin_elect_leaders(run->client, &request, &response, err) != 0)
		return RUN_FAILED;
	return print_results(run, request.election_type ? "UNCLEAN" : "PREFERRED", &response, err);
}
