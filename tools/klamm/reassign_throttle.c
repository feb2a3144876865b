/*
 * The throttles of moves: a rate at every broker that takes part, and at every topic the replicas that it counts for.
 *
 *     broker   leader.replication.throttled.rate, follower.replication.throttled.rate = BYTES
 *     topic    leader.replication.throttled.replicas = 0:1,0:2,...    whoever has it now      (partition:broker)
 *              follower.replication.throttled.replicas = 0:4,...      whoever is to get it
 *
 * They stay until --verify, --cancel or --wait take them away: brokers and topics do not forget them by themselves.
 */
#include "proto/kafka_error.h"
#include "tools/klamm/kafka_admin.h"
#include "tools/klamm/reassign.h"

#include <stdlib.h>
#include <string.h>

#define LEADER_RATE "leader.replication.throttled.rate"
#define FOLLOWER_RATE "follower.replication.throttled.rate"
#define DIR_RATE "replica.alter.log.dirs.io.max.bytes.per.second"
#define LEADER_REPLICAS "leader.replication.throttled.replicas"
#define FOLLOWER_REPLICAS "follower.replication.throttled.replicas"

int reassign_throttle_read(struct run *run, int64_t *ret_bytes, struct error *err)
{
	return args_number(&run->args, "throttle", 0, INT64_MAX, -1, ret_bytes, err) == 0 ? RUN_OK : RUN_USAGE;
}

/* ---- requests ---- */

/* Changes of one topic or broker; NULL values delete. */
static int alter(struct run *run, int8_t type, struct slice name, const char *const *keys, const char *const *values, int n, struct error *err)
{
	struct incremental_alter_configs_request request = incremental_alter_configs_request_default;
	struct incremental_alter_configs_request_resource resource = incremental_alter_configs_request_resource_default;
	struct incremental_alter_configs_response response;
	int32_t node = CLIENT_ANY;

	resource.resource_type = type;
	resource.resource_name = name;
	resource.configs = message_array(&run->arena, &incremental_alter_configs_request_config_struct, (size_t)n);
	resource.n_configs = n;
	for (int i = 0; i < n; i++) {
		resource.configs[i].name = slice_of_text(keys[i]);
		resource.configs[i].config_operation = values ? CONFIG_SET : CONFIG_DELETE;
		resource.configs[i].value = values ? slice_of_text(values[i]) : SLICE_NULL;
	}
	request.resources = &resource;
	request.n_resources = 1;
	if (type == RESOURCE_BROKER)
		node = (int32_t)strtol((const char *)name.data, NULL, 10);
	if (kafka_admin_alter_configs(run->client, node, &request, &response, err) != 0)
		return RUN_FAILED;
	if (response.n_responses == 1 && response.responses[0].error_code == KAFKA_NONE)
		return RUN_OK;
	return run_failed(err, "the throttle of %s %.*s: %s", type == RESOURCE_TOPIC ? "topic" : "broker", SLICE_ARGS(name),
			  response.n_responses == 1
				  ? run_kafka_error(run, response.responses[0].error_code, response.responses[0].error_message)
				  : "the broker answers nothing");
}

static struct slice broker_name(struct run *run, int32_t id)
{
	return slice_of_text(arena_printf(&run->arena, "%d", id));
}

/* ---- which replicas ---- */

/* A move of one partition: from where, to where. */
struct move {
	struct slice topic;
	int32_t partition;
	int32_t *from, *to;
	int n_from, n_to;
};

static int by_partition(const void *a, const void *b)
{
	const struct move *x = a;
	const struct move *y = b;
	int order = slice_compare(x->topic, y->topic);

	return order ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

/* ids without those of `out`. */
static int32_t *without(struct run *run, const int32_t *ids, int n, const int32_t *out, int n_out, int *ret_n)
{
	int32_t *left = arena_alloc(&run->arena, (size_t)n * sizeof *left + 1);

	*ret_n = 0;
	for (int i = 0; i < n; i++)
		if (!reassign_has(out, n_out, ids[i]))
			left[(*ret_n)++] = ids[i];
	return left;
}

static bool is_asked_again(const struct reassign_rows *rows, struct slice topic, int32_t partition)
{
	for (int i = 0; i < rows->n; i++)
		if (rows->list[i].partition == partition && slice_equal(rows->list[i].topic, topic))
			return true;
	return false;
}

/* What is under way already and stays so counts too: its topics keep their throttle. */
static int under_way_moves(struct run *run, const struct reassign_cluster *cluster, const struct reassign_rows *rows, struct move *moves)
{
	int n = 0;

	for (int t = 0; t < cluster->reassignments.n_topics; t++)
		for (int i = 0; i < cluster->reassignments.topics[t].n_partitions; i++) {
			const struct list_partition_reassignments_response_topic *topic = &cluster->reassignments.topics[t];
			const struct list_partition_reassignments_response_partition *p = &topic->partitions[i];

			if (is_asked_again(rows, topic->name, p->partition_index))
				continue;
			moves[n] = (struct move){.topic = topic->name, .partition = p->partition_index};
			moves[n].from = without(run, p->replicas, p->n_replicas, p->adding_replicas, p->n_adding_replicas, &moves[n].n_from);
			moves[n].to = p->adding_replicas;
			moves[n].n_to = p->n_adding_replicas;
			n++;
		}
	return n;
}

/* The origin of one that is under way is what it had without the added ones. */
static struct move row_move(struct run *run, const struct reassign_cluster *cluster, const struct reassign_row *row)
{
	struct move move = {.topic = row->topic, .partition = row->partition};
	const struct metadata_response_partition *now = reassign_find(cluster, row);
	const struct list_partition_reassignments_response_partition *p = reassign_find_under_way(&cluster->reassignments, row);

	if (p)
		move.from = without(run, p->replicas, p->n_replicas, p->adding_replicas, p->n_adding_replicas, &move.n_from);
	else if (now)
		move.from = without(run, now->replica_nodes, now->n_replica_nodes, NULL, 0, &move.n_from);
	move.to = without(run, row->replicas, row->n_replicas, move.from, move.n_from, &move.n_to);
	return move;
}

static int moves_list(struct run *run, const struct reassign_cluster *cluster, const struct reassign_rows *rows, struct move **ret_moves)
{
	size_t room = (size_t)rows->n + 1;
	struct move *moves;
	int n;

	for (int t = 0; t < cluster->reassignments.n_topics; t++)
		room += (size_t)cluster->reassignments.topics[t].n_partitions;
	moves = arena_zalloc(&run->arena, room, sizeof *moves);
	n = under_way_moves(run, cluster, rows, moves);
	for (int i = 0; i < rows->n; i++)
		moves[n++] = row_move(run, cluster, &rows->list[i]);
	qsort(moves, (size_t)n, sizeof *moves, by_partition);
	*ret_moves = moves;
	return n;
}

/* ---- setting ---- */

static size_t put_pairs(char *text, size_t len, int32_t partition, const int32_t *brokers, int n)
{
	for (int i = 0; i < n; i++)
		len += (size_t)sprintf(text + len, "%s%d:%d", len ? "," : "", partition, brokers[i]);
	return len;
}

static int topic_set(struct run *run, const struct move *moves, int n, struct error *err)
{
	static const char *const keys[] = {LEADER_REPLICAS, FOLLOWER_REPLICAS};
	const char *values[2];
	size_t room = 1;
	size_t n_leaders = 0, n_followers = 0;
	char *leaders, *followers;

	for (int i = 0; i < n; i++)
		room += (size_t)(moves[i].n_from + moves[i].n_to) * 24;
	leaders = arena_alloc(&run->arena, room);
	followers = arena_alloc(&run->arena, room);
	leaders[0] = followers[0] = 0;
	for (int i = 0; i < n; i++) {
		/* A partition that goes nowhere new needs no throttle. */
		if (moves[i].n_to == 0)
			continue;
		n_leaders = put_pairs(leaders, n_leaders, moves[i].partition, moves[i].from, moves[i].n_from);
		n_followers = put_pairs(followers, n_followers, moves[i].partition, moves[i].to, moves[i].n_to);
	}
	if (n_followers == 0)
		return RUN_OK;
	values[0] = leaders;
	values[1] = followers;
	return alter(run, RESOURCE_TOPIC, moves[0].topic, keys, values, 2, err);
}

static void note_brokers(int32_t *brokers, int *n, const int32_t *ids, int n_ids)
{
	for (int i = 0; i < n_ids; i++)
		if (!reassign_has(brokers, *n, ids[i]))
			brokers[(*n)++] = ids[i];
}

/* A broker that is down gets its limit from the znode when it comes back; it cannot be asked to write it itself. */
static bool is_live(const struct reassign_cluster *cluster, int32_t id)
{
	for (int i = 0; i < cluster->metadata.n_brokers; i++)
		if (cluster->metadata.brokers[i].node_id == id)
			return true;
	return false;
}

static int brokers_set(struct run *run, const struct reassign_cluster *cluster, const struct move *moves, int n, int64_t bytes, struct error *err)
{
	static const char *const keys[] = {LEADER_RATE, FOLLOWER_RATE};
	const char *text = arena_printf(&run->arena, "%lld", (long long)bytes);
	const char *const values[] = {text, text};
	size_t room = 1;
	int32_t *brokers;
	int n_brokers = 0;

	for (int i = 0; i < n; i++)
		room += (size_t)(moves[i].n_from + moves[i].n_to);
	brokers = arena_alloc(&run->arena, room * sizeof *brokers);
	for (int i = 0; i < n; i++) {
		note_brokers(brokers, &n_brokers, moves[i].from, moves[i].n_from);
		note_brokers(brokers, &n_brokers, moves[i].to, moves[i].n_to);
	}
	for (int i = 0; i < n_brokers; i++) {
		int r;

		if (!is_live(cluster, brokers[i])) {
			run_note(run, "broker %d is down: it has no throttle", brokers[i]);
			continue;
		}
		r = alter(run, RESOURCE_BROKER, broker_name(run, brokers[i]), keys, values, 2, err);
		if (r != RUN_OK)
			return r;
	}
	return RUN_OK;
}

int reassign_throttle_set(struct run *run, const struct reassign_cluster *cluster, const struct reassign_rows *rows, int64_t bytes,
			  struct error *err)
{
	struct move *moves;
	int n = moves_list(run, cluster, rows, &moves);
	int r = RUN_OK;

	for (int i = 0, next; i < n && r == RUN_OK; i = next) {
		next = i + 1;
		while (next < n && slice_equal(moves[next].topic, moves[i].topic))
			next++;
		r = topic_set(run, &moves[i], next - i, err);
	}
	return r == RUN_OK ? brokers_set(run, cluster, moves, n, bytes, err) : r;
}

/* ---- taking away ---- */

static int by_id(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a;
	int32_t y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

static int brokers_clear(struct run *run, struct error *err)
{
	static const char *const keys[] = {LEADER_RATE, FOLLOWER_RATE, DIR_RATE};
	struct slice none = SLICE_NULL;
	struct metadata_response metadata;
	int32_t *ids;
	int r = RUN_OK;

	if (kafka_client_metadata(run->client, &none, 0, &metadata, err) != 0)
		return RUN_FAILED;
	ids = arena_alloc(&run->arena, ((size_t)metadata.n_brokers + 1) * sizeof *ids);
	for (int i = 0; i < metadata.n_brokers; i++)
		ids[i] = metadata.brokers[i].node_id;
	qsort(ids, (size_t)metadata.n_brokers, sizeof *ids, by_id);
	if (run->format != FORMAT_JSON)
		fprintf(run->out, "Clearing broker-level throttles on broker%s %s\n", metadata.n_brokers == 1 ? "" : "s",
			reassign_ids_text(run, ids, metadata.n_brokers));
	/* One that does not answer keeps its throttle; the others lose theirs all the same. */
	for (int i = 0; i < metadata.n_brokers; i++) {
		if (alter(run, RESOURCE_BROKER, broker_name(run, ids[i]), keys, NULL, 3, err) == RUN_OK)
			continue;
		run_note(run, "broker %d keeps its throttle: %s", ids[i], err->text);
		r = run_failed(err, "not all throttles are removed: say --verify again");
	}
	return r;
}

static int topics_clear(struct run *run, const struct reassign_rows *rows, struct error *err)
{
	static const char *const keys[] = {LEADER_REPLICAS, FOLLOWER_REPLICAS};
	bool single = rows->n == 0 || slice_equal(rows->list[0].topic, rows->list[rows->n - 1].topic);
	int r = RUN_OK;

	if (run->format != FORMAT_JSON) {
		fprintf(run->out, "Clearing topic-level throttles on topic%s ", single ? "" : "s");
		for (int i = 0; i < rows->n; i++)
			if (i == 0 || !slice_equal(rows->list[i - 1].topic, rows->list[i].topic))
				fprintf(run->out, "%s%.*s", i ? "," : "", SLICE_ARGS(rows->list[i].topic));
		fputc('\n', run->out);
	}
	for (int i = 0; i < rows->n && r == RUN_OK; i++)
		if (i == 0 || !slice_equal(rows->list[i - 1].topic, rows->list[i].topic))
			r = alter(run, RESOURCE_TOPIC, rows->list[i].topic, keys, NULL, 2, err);
	return r;
}

int reassign_throttle_clear(struct run *run, const struct reassign_rows *rows, struct error *err)
{
	int r = brokers_clear(run, err);
	int of_topics = topics_clear(run, rows, err);

	return r == RUN_OK ? of_topics : r;
}
