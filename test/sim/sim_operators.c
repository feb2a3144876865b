/* What operators do; see sim_operators.h. */
#include "test/sim/sim_operators.h"

#include "common/bytes.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/memory.h"
#include "proto/kafka/alter_partition_reassignments.gen.h"
#include "proto/kafka/create_partitions.gen.h"
#include "proto/kafka/create_topics.gen.h"
#include "proto/kafka/delete_records.gen.h"
#include "proto/kafka/delete_topics.gen.h"
#include "proto/kafka/elect_leaders.gen.h"
#include "proto/kafka/incremental_alter_configs.gen.h"
#include "proto/kafka/list_partition_reassignments.gen.h"
#include "proto/kafka/produce.gen.h"
#include "proto/kafka_error.h"
#include "proto/record/batch_builder.h"
#include "test/sim/sim.h"
#include "test/sim/sim_judge.h"
#include "test/sim/sim_hand.h"
#include "test/sim/sim_link.h"
#include "test/sim/sim_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_US (4 * SIM_S)

#define ACTS(X)                                                                                                       \
	X(create, 8) X(delete, 3) X(grow, 3) X(configure, 6) X(configure_brokers, 2) X(move, 8) X(move_wrongly, 3) X(cancel, 3) X(list, 3) \
	X(elect, 3) X(elect_named, 6) X(trim, 4) X(produce, 40) X(hand_edit_state, 2) X(hand_edit_topic, 3) X(hand_remove_topic, 1) X(hand_remove_state, 1) \
	X(hand_register_foreign, 1) X(hand_odd_names, 1) X(hand_raise_epoch, 1) X(hand_replace_topic, 1) X(hand_legacy_move, 4) X(hand_legacy_elect, 4) X(hand_edit_config, 2) \
	X(hand_forbid, 2) X(hand_edit_broker, 2) X(hand_register_many, 1)

static struct {
	struct sim_link links[SIM_BROKERS];
	struct sim_event act;
	bool finishing;
} operators;

/* ---- what there is ---- */

int64_t operator_chance(int64_t n)
{
	return sim_below(&sim.chance, n);
}

const char *operator_topic_name(int i)
{
	static const char *const names[OPERATOR_TOPICS] = {"x0", "x1", "x2", "x3"};

	return names[i];
}

const char *operator_data_of(const char *path)
{
	size_t len;
	int32_t version;
	int64_t czxid, owner;

	return sim_ensemble_data(path, &len, &version, &czxid, &owner);
}

const char *operator_topic_path(const char *name)
{
	static char path[OPERATOR_PATH_MAX_BYTES];

	snprintf(path, sizeof path, "/brokers/topics/%s", name);
	return path;
}

const char *operator_state_path(const char *name, int partition)
{
	static char path[OPERATOR_PATH_MAX_BYTES];

	snprintf(path, sizeof path, "/brokers/topics/%s/partitions/%d/state", name, partition);
	return path;
}

/* The number behind a key of a JSON text; -1 where it is not found. */
int operator_number_in(const char *text, const char *key)
{
	const char *at = text ? strstr(text, key) : NULL;

	return at ? atoi(at + strlen(key)) : -1;
}

static struct sim_link *any_link(void)
{
	return &operators.links[operator_chance(SIM_BROKERS)];
}

static void on_answer(void *ctx, const void *answer)
{
	(void)ctx;
	sim.counters.operator_answers += answer != NULL;
}

static void on_deleted(void *ctx, const void *answer)
{
	const struct delete_topics_response *response = answer;

	on_answer(ctx, answer);
	if (response && response->n_responses == 1)
		sim_say("deletion of %.*s: %s", SLICE_ARGS(response->responses[0].name), kafka_error_name(response->responses[0].error_code));
}

static void call(enum api_key key, int version, const void *request)
{
	link_call(any_link(), key, version, request, CALL_US, on_answer, NULL);
}

/* A list of brokers: mostly a right one, of one to three. */
int operator_draw_replicas(int32_t *ret_ids, bool right)
{
	int n = right ? 1 + (int)operator_chance(SIM_BROKERS) : (int)operator_chance(SIM_BROKERS + 1), first = (int)operator_chance(SIM_BROKERS);

	for (int i = 0; i < n; i++)
		ret_ids[i] = (first + i) % SIM_BROKERS + 1;
	if (!right && n > 0)
		ret_ids[operator_chance(n)] = (int32_t)sim_between(&sim.chance, -1, 8);
	return n;
}

/* ---- topics ---- */

static void create(const char *name)
{
	static const char *const keys[] = {"unclean.leader.election.enable", "min.insync.replicas", "klamm.durability"};
	static const char *const values[][2] = {{"true", "false"}, {"1", "2"}, {"page-cache", "fsync-isr"}};
	struct create_topics_request request = create_topics_request_default;
	struct create_topics_request_topic topic = create_topics_request_topic_default;
	struct create_topics_request_assignment assignments[OPERATOR_PARTITIONS_MAX];
	struct create_topics_request_config configs[ARRAY_LEN(keys)];
	int32_t ids[OPERATOR_PARTITIONS_MAX][SIM_BROKERS];

	topic.name = slice_of_text(name);
	topic.configs = configs;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (operator_chance(2))
			configs[topic.n_configs++] =
				(struct create_topics_request_config){slice_of_text(keys[i]), slice_of_text(values[i][operator_chance(2)])};
	topic.num_partitions = (int32_t)sim_between(&sim.chance, 1, OPERATOR_PARTITIONS_MAX);
	topic.replication_factor = (int16_t)sim_between(&sim.chance, 1, SIM_BROKERS);
	if (operator_chance(3) == 0) {
		topic.assignments = assignments;
		topic.n_assignments = topic.num_partitions;
		for (int i = 0; i < topic.n_assignments; i++) {
			assignments[i] = (struct create_topics_request_assignment){.partition_index = i, .broker_ids = ids[i]};
			assignments[i].n_broker_ids = operator_draw_replicas(ids[i], operator_chance(10) > 0);
		}
		topic.num_partitions = topic.replication_factor = -1;
	}
	request.topics = &topic;
	request.n_topics = 1;
	request.timeout_ms = (int32_t)operator_chance(3000);
	call(API_CREATE_TOPICS, 4, &request);
}

static void delete(const char *name)
{
	struct delete_topics_request request = delete_topics_request_default;
	struct slice text = slice_of_text(name);

	request.topic_names = &text;
	request.n_topic_names = 1;
	request.timeout_ms = (int32_t)operator_chance(3000);
	link_call(any_link(), API_DELETE_TOPICS, 3, &request, CALL_US, on_deleted, NULL);
}

static void grow(const char *name)
{
	struct create_partitions_request request = create_partitions_request_default;
	struct create_partitions_request_topic topic = create_partitions_request_topic_default;

	topic.name = slice_of_text(name);
	topic.count = (int32_t)sim_between(&sim.chance, 1, OPERATOR_PARTITIONS_MAX);
	topic.n_assignments = -1;
	request.topics = &topic;
	request.n_topics = 1;
	request.timeout_ms = 2000;
	call(API_CREATE_PARTITIONS, 1, &request);
}

static void set_config(int type, const char *resource, const char *key, const char *value)
{
	struct incremental_alter_configs_request request = incremental_alter_configs_request_default;
	struct incremental_alter_configs_request_resource of = incremental_alter_configs_request_resource_default;
	struct incremental_alter_configs_request_config config = incremental_alter_configs_request_config_default;

	config.name = slice_of_text(key);
	config.config_operation = value ? 0 : 1;
	config.value = value ? slice_of_text(value) : SLICE_NULL;
	of.resource_type = (int8_t)type;
	of.resource_name = slice_of_text(resource);
	of.configs = &config;
	of.n_configs = 1;
	request.resources = &of;
	request.n_resources = 1;
	call(API_INCREMENTAL_ALTER_CONFIGS, 0, &request);
}

static const struct {
	const char *key, *value;
} settings[] = {
	{"min.insync.replicas", "1"},
	{"min.insync.replicas", "2"},
	{"min.insync.replicas", "3"},
	{"min.insync.replicas", NULL},
	{"unclean.leader.election.enable", "true"},
	{"unclean.leader.election.enable", "false"},
	{"unclean.leader.election.enable", NULL},
};

/* More of a topic: how its records are kept. */
static void configure(const char *name)
{
	int64_t i = operator_chance((int64_t)ARRAY_LEN(settings) + 2);

	if (i >= (int64_t)ARRAY_LEN(settings))
		set_config(2, name, "klamm.durability", i == (int64_t)ARRAY_LEN(settings) ? "fsync-isr" : "page-cache");
	else
		set_config(2, name, settings[i].key, settings[i].value);
}

static void configure_brokers(const char *name)
{
	static const char *const brokers[] = {"", "1", "3"};
	int64_t i = operator_chance((int64_t)ARRAY_LEN(settings));

	(void)name;
	set_config(4, brokers[operator_chance(3)], settings[i].key, settings[i].value);
}

/* ---- moves and elections ---- */

static void ask_move(const char *name, int partition, const int32_t *ids, int n)
{
	struct alter_partition_reassignments_request request = alter_partition_reassignments_request_default;
	struct alter_partition_reassignments_request_topic topic = alter_partition_reassignments_request_topic_default;
	struct alter_partition_reassignments_request_partition part = alter_partition_reassignments_request_partition_default;

	part.partition_index = partition;
	part.replicas = (int32_t *)(uintptr_t)ids;
	part.n_replicas = n;
	topic.name = slice_of_text(name);
	topic.partitions = &part;
	topic.n_partitions = 1;
	request.topics = &topic;
	request.n_topics = 1;
	request.timeout_ms = (int32_t)operator_chance(4000);
	call(API_ALTER_PARTITION_REASSIGNMENTS, 0, &request);
}

static void move(const char *name)
{
	int32_t ids[SIM_BROKERS + 1];
	int n = operator_draw_replicas(ids, true);

	ask_move(name, (int)operator_chance(OPERATOR_PARTITIONS_MAX), ids, n);
}

static void move_wrongly(const char *name)
{
	int32_t ids[SIM_BROKERS + 1];
	int n = operator_draw_replicas(ids, false);

	ask_move(operator_chance(4) ? name : "nobody", (int)sim_between(&sim.chance, -1, OPERATOR_PARTITIONS_MAX), ids, n);
}

static void cancel(const char *name)
{
	ask_move(name, (int)operator_chance(OPERATOR_PARTITIONS_MAX), NULL, -1);
}

static void list(const char *name)
{
	struct list_partition_reassignments_request request = list_partition_reassignments_request_default;
	struct list_partition_reassignments_request_topic topic = list_partition_reassignments_request_topic_default;
	int32_t indexes[] = {0, 1, 77, -1};

	topic.name = slice_of_text(name);
	topic.partition_indexes = indexes;
	topic.n_partition_indexes = (int32_t)operator_chance((int64_t)ARRAY_LEN(indexes) + 1);
	request.topics = &topic;
	request.n_topics = operator_chance(2) ? 1 : -1;
	request.timeout_ms = 2000;
	call(API_LIST_PARTITION_REASSIGNMENTS, 0, &request);
}

static void ask_election(const char *name, int type)
{
	struct elect_leaders_request request = elect_leaders_request_default;
	struct elect_leaders_request_topic topic = elect_leaders_request_topic_default;
	int32_t partitions[] = {(int32_t)sim_between(&sim.chance, -1, OPERATOR_PARTITIONS_MAX), 0};

	topic.topic = slice_of_text(name ? name : "");
	topic.partitions = partitions;
	topic.n_partitions = partitions[0] == 0 ? 1 : 2;
	request.election_type = (int8_t)type;
	request.topic_partitions = &topic;
	request.n_topic_partitions = name ? 1 : -1;
	request.timeout_ms = (int32_t)operator_chance(3000);
	call(API_ELECT_LEADERS, 1, &request);
}

/* Of all partitions only preferred leaders: the clients' topic is among them. */
static void elect(const char *name)
{
	(void)name;
	ask_election(NULL, 0);
}

static void elect_named(const char *name)
{
	ask_election(operator_chance(10) ? name : "nobody", operator_chance(12) ? (int)operator_chance(2) : 7);
}

/* ---- records ---- */

static struct sim_link *link_of_leader(const char *name, int partition)
{
	int leader = operator_number_in(operator_data_of(operator_state_path(name, partition)), "\"leader\":");

	return leader >= 1 && leader <= SIM_BROKERS ? &operators.links[leader - 1] : NULL;
}

static void trim(const char *name)
{
	struct delete_records_request request = delete_records_request_default;
	struct delete_records_request_topic topic = delete_records_request_topic_default;
	struct delete_records_request_partition part = delete_records_request_partition_default;
	int partition = (int)operator_chance(OPERATOR_PARTITIONS_MAX);
	struct sim_link *link = link_of_leader(name, partition);

	part.partition_index = partition;
	part.offset = operator_chance(3) ? -1 : operator_chance(40);
	topic.name = slice_of_text(name);
	topic.partitions = &part;
	topic.n_partitions = 1;
	request.topics = &topic;
	request.n_topics = 1;
	request.timeout_ms = 1000;
	if (link)
		link_call(link, API_DELETE_RECORDS, 1, &request, CALL_US, on_answer, NULL);
}

static void send_records(struct sim_link *link, const char *name, int partition, int acks)
{
	struct produce_request request = produce_request_default;
	struct produce_request_topic topic = produce_request_topic_default;
	struct produce_request_partition part = produce_request_partition_default;
	struct batch_spec spec = batch_spec_default();
	struct batch_builder builder;
	uint8_t value[600];

	memset(value, 'x', sizeof value);
	/* Some of a few producers, who begin anew with a higher epoch, come again with a lower one, and come to the end of their sequences. */
	if (operator_chance(2)) {
		spec.producer_id = 700000 + operator_chance(2);
		spec.producer_epoch = (int16_t)operator_chance(3);
		spec.base_sequence = operator_chance(2) ? 0 : INT32_MAX - (int32_t)operator_chance(3);
	}
	batch_builder_init(&builder, &spec);
	for (int i = 0, n = (int)sim_between(&sim.chance, 1, 5); i < n; i++)
		batch_builder_add(&builder, clock_wall_ms(), SLICE_NULL, slice_of(value, (size_t)operator_chance(sizeof value)), NULL, 0);
	part.index = partition;
	part.records.bytes = batch_builder_finish(&builder, NULL);
	topic.name = slice_of_text(name);
	topic.partition_data = &part;
	topic.n_partition_data = 1;
	request.transactional_id = SLICE_NULL;
	request.acks = (int16_t)acks;
	request.timeout_ms = 1000;
	request.topic_data = &topic;
	request.n_topic_data = 1;
	link_call(link, API_PRODUCE, 7, &request, CALL_US, on_answer, NULL);
	batch_builder_fini(&builder);
}

static void produce(const char *name)
{
	int partition = operator_chance(2) ? 0 : (int)operator_chance(OPERATOR_PARTITIONS_MAX);
	struct sim_link *link = link_of_leader(name, partition);

	for (int i = 0, n = (int)operator_chance(6); link && i < n; i++)
		send_records(link, name, partition, operator_chance(3) ? 1 : -1);
}

/* ---- one after the other ---- */

static const struct {
	void (*act)(const char *name);
	const char *name;
	int weight;
} acts[] = {
#define X(name, weight) {name, #name, weight},
	ACTS(X)
#undef X
};

static void act_once(void)
{
	int64_t sum = 0, at;
	const char *name = operator_topic_name((int)operator_chance(OPERATOR_TOPICS));

	for (size_t i = 0; i < ARRAY_LEN(acts); i++)
		sum += acts[i].weight;
	at = operator_chance(sum);
	for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
		at -= acts[i].weight;
		if (at >= 0)
			continue;
		sim_say("operator: %s %s", acts[i].name, name);
		sim.counters.operator_acts++;
		acts[i].act(name);
		return;
	}
}

/* At the end what was damaged is mended, and all these topics go, by a request again and again until they are gone. */
static void clean_up(void)
{
	hand_clean_up();
	for (int i = 0; i < OPERATOR_TOPICS; i++)
		if (operator_data_of(operator_topic_path(operator_topic_name(i))))
			delete(operator_topic_name(i));
}

static void on_act(struct sim_event *event)
{
	if (operators.finishing)
		clean_up();
	else
		act_once();
	sim_at(event, sim.now_us + (operators.finishing ? 2000 * SIM_MS : sim_between(&sim.chance, 20, 400) * SIM_MS));
}

void sim_operators_start(void)
{
	if (!sim_settings.operators)
		return;
	for (int i = 0; i < SIM_BROKERS; i++)
		link_init(&operators.links[i], i);
	operators.act.run = on_act;
	hand_init();
	sim_at(&operators.act, sim.now_us + 2 * SIM_S);
}

void sim_operators_finish(void)
{
	if (!sim_settings.operators)
		return;
	operators.finishing = true;
}

bool sim_operators_done(char *ret_why, size_t size)
{
	if (!sim_settings.operators)
		return true;
	if (operator_data_of("/admin/preferred_replica_election")) {
		snprintf(ret_why, size, "the election that was asked for below /admin is not over");
		return false;
	}
	for (int i = 0; i < OPERATOR_TOPICS; i++) {
		char path[OPERATOR_PATH_MAX_BYTES];

		snprintf(path, sizeof path, "/admin/delete_topics/%s", operator_topic_name(i));
		if ((operator_data_of(operator_topic_path(operator_topic_name(i))) && !sim_settings.no_deletion) || operator_data_of(path)) {
			snprintf(ret_why, size, "topic %s is not deleted%s: %s", operator_topic_name(i), operator_data_of(path) ? ", as was asked for" : "",
				 operator_data_of(operator_topic_path(operator_topic_name(i))));
			return false;
		}
	}
	return true;
}
