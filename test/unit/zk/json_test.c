/* zk/json_*: Kafka's bytes come back, odd nodes are refused by name, large ones are quick. */
#include "zk/json.h"

#include "common/memory.h"
#include "test/lib/golden.h"
#include "test/lib/unit.h"
#include "test/lib/znode_check.h"
#include "zk/json_broker.h"
#include "zk/json_cluster.h"
#include "zk/json_config.h"
#include "zk/json_controller.h"
#include "zk/json_notification.h"
#include "zk/json_partition_state.h"
#include "zk/json_topic.h"

#include <stdio.h>
#include <string.h>

#define T(text) SLICE_LITERAL(text)

static void assert_slice(struct slice got, const char *expected)
{
	ck_assert_msg(slice_is_text(got, expected), "got      %.*s\nexpected %s", SLICE_ARGS(got), expected);
}

/* "<path>  v<version>[ EPHEMERAL]  <data>" */
static bool split_line(struct arena *arena, struct slice line, const char **ret_path, struct slice *ret_data)
{
	const char *text = (const char *)arena_copy(arena, line).data;
	const char *version = strstr(text, "  v");
	const char *data = version ? strstr(version + 3, "  ") : NULL;

	if (!data || strcmp(data + 2, "<null>") == 0)
		return false;
	*ret_path = (const char *)arena_copy(arena, slice_of(text, (size_t)(version - text))).data;
	*ret_data = slice_of_text(data + 2);
	return true;
}

START_TEST(every_node_of_a_real_cluster_is_read_and_written_to_the_byte)
{
	struct arena arena;
	struct slice text, line, data, again;
	struct error err;
	const char *path;
	int n = 0;

	arena_init(&arena);
	text = golden_file(&arena, "znodes.txt");
	for (line = golden_line(&text); line.data; line = golden_line(&text)) {
		int family;

		if (!split_line(&arena, line, &path, &data))
			continue;
		family = znode_family_of(path);
		if (strncmp(path, "/kafka-acl", 10) == 0 || strcmp(path, "/feature") == 0)
			continue;
		ck_assert_msg(family >= 0, "%s", path);
		err.text[0] = '\0';
		ck_assert_msg(znode_recode(&arena, (enum znode_family)family, path, data, &again, &err) == 0, "%s", err.text);
		ck_assert_msg(slice_equal(again, data), "%s\n%.*s\n%.*s", path, SLICE_ARGS(data), SLICE_ARGS(again));
		n++;
	}
	ck_assert_int_ge(n, 39);
	assert_slice(feature_znode_encode(&arena), "{\"features\":{},\"version\":2,\"status\":1}");
	arena_fini(&arena);
}
END_TEST

START_TEST(brokers_of_all_versions_are_read)
{
	struct broker_znode broker;
	struct arena arena;

	arena_init(&arena);
	ck_assert_int_eq(broker_znode_decode(&arena, "/b", T("{\"version\":1,\"host\":\"h\",\"port\":9092,\"jmx_port\":9999}"),
					     &broker, NULL),
			 0);
	ck_assert_int_eq(broker.n_endpoints, 1);
	ck_assert_int_eq(broker.endpoints[0].port, 9092);
	ck_assert_int_eq(broker.jmx_port, 9999);
	assert_slice(broker.endpoints[0].protocol, "PLAINTEXT");
	ck_assert_int_eq(broker_znode_decode(&arena, "/b",
					     T("{\"version\":3,\"host\":null,\"port\":-1,\"timestamp\":\"5\",\"rack\":\"r\","
					       "\"endpoints\":[\"SSL://[::1]:9093\"],\"strange\":[1,{}]}"),
					     &broker, NULL),
			 0);
	assert_slice(broker.endpoints[0].host, "::1");
	assert_slice(broker.endpoints[0].protocol, "SSL");
	assert_slice(broker.rack, "r");
	ck_assert_ptr_null(broker.host.data);
	ck_assert_int_eq(broker.timestamp_ms, 5);
	ck_assert_int_eq(
		broker_znode_decode(&arena, "/b",
				    T("{\"version\":4,\"endpoints\":[\"IN://:1\",\"OUT://h:2\"],"
				      "\"listener_security_protocol_map\":{\"IN\":\"SASL_SSL\",\"OUT\":\"PLAINTEXT\"}}"),
				    &broker, NULL),
		0);
	assert_slice(broker.endpoints[0].protocol, "SASL_SSL");
	broker_znode_choose_host(&broker);
	assert_slice(broker.host, "h");
	ck_assert_int_eq(broker.port, 2);
	arena_fini(&arena);
}
END_TEST

START_TEST(what_a_broker_says_of_its_start_comes_back)
{
	static const char node[] = "{\"features\":{},\"listener_security_protocol_map\":{\"A\":\"PLAINTEXT\"},\"endpoints\":[\"A://h:1\"],"
				   "\"jmx_port\":-1,\"port\":1,\"host\":\"h\",\"version\":5,\"timestamp\":\"7\",\"klamm\":\"0.1 A\"";
	static const struct {
		const char *end;
		enum broker_start start;
		int64_t previous;
	} cases[] = {
		{"}", BROKER_START_UNSAID, -1},
		{",\"klamm_start\":\"clean\",\"klamm_previous\":77}", BROKER_START_CLEAN, 77},
		{",\"klamm_start\":\"clean\",\"klamm_previous\":77,\"klamm_min_isr\":2}", BROKER_START_CLEAN, 77},
		{",\"klamm_start\":\"process_crash\",\"klamm_previous\":8589934592}", BROKER_START_PROCESS_CRASH, INT64_C(8589934592)},
		{",\"klamm_start\":\"unclean\"}", BROKER_START_UNCLEAN, -1},
		{",\"klamm_start\":\"unclean\",\"klamm_durability\":\"fsync-isr\"}", BROKER_START_UNCLEAN, -1},
		{",\"klamm_start\":\"disk_new\"}", BROKER_START_DISK_NEW, -1},
	};
	struct broker_znode broker;
	struct arena arena;

	arena_init(&arena);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *text = arena_printf(&arena, "%s%s", node, cases[i].end);

		ck_assert_int_eq(broker_znode_decode(&arena, "/b", slice_of_text(text), &broker, NULL), 0);
		ck_assert_int_eq(broker.start, cases[i].start);
		ck_assert_int_eq(broker.previous_epoch, cases[i].previous);
		ck_assert_int_eq(broker.durable, strstr(text, "fsync-isr") != NULL);
		assert_slice(broker_znode_encode(&arena, &broker), text);
	}
	/* A word of a later version promises nothing. */
	ck_assert_int_eq(broker_znode_decode(&arena, "/b", slice_of_text(arena_printf(&arena, "%s,\"klamm_start\":\"odd\"}", node)),
					     &broker, NULL),
			 0);
	ck_assert_int_eq(broker.start, BROKER_START_DISK_NEW);
	arena_fini(&arena);
}
END_TEST

START_TEST(a_broker_of_ours_is_written_with_rack_and_mark)
{
	struct broker_endpoint endpoints[] = {{T("A"), T("SSL"), T("::1"), 1}, {T("B"), T("PLAINTEXT"), T("h\"x"), 2}};
	struct broker_znode broker = {.jmx_port = -1,
				      .timestamp_ms = 7,
				      .rack = T("r1"),
				      .endpoints = endpoints,
				      .n_endpoints = 2,
				      .klamm = T("0.1")};
	struct arena arena;

	arena_init(&arena);
	broker_znode_choose_host(&broker);
	assert_slice(broker_znode_encode(&arena, &broker),
		     "{\"features\":{},\"listener_security_protocol_map\":{\"A\":\"SSL\",\"B\":\"PLAINTEXT\"},"
		     "\"endpoints\":[\"A://[::1]:1\",\"B://"
		     "h\\\"x:2\"],\"rack\":\"r1\",\"jmx_port\":-1,\"port\":2,\"host\":\"h\\\"x\","
		     "\"version\":5,\"timestamp\":\"7\",\"klamm\":\"0.1\"}");
	broker.n_endpoints = 1;
	broker_znode_choose_host(&broker);
	ck_assert_ptr_null(broker.host.data);
	ck_assert_int_eq(broker.port, -1);
	arena_fini(&arena);
}
END_TEST

START_TEST(topics_of_all_versions_are_read_in_order)
{
	struct topic_znode topic;
	struct arena arena;

	arena_init(&arena);
	ck_assert_int_eq(
		topic_znode_decode(&arena, "/t", T("{\"version\":1,\"partitions\":{\"1\":[2],\"0\":[1,2]}}"), &topic, NULL), 0);
	ck_assert_int_eq(topic.n_partitions, 2);
	ck_assert_int_eq(topic.partitions[0].partition, 0);
	ck_assert_int_eq(topic.partitions[0].n_replicas, 2);
	ck_assert(uuid_is_zero(&topic.topic_id));
	assert_slice(topic_znode_encode(&arena, &topic),
		     "{\"partitions\":{\"0\":[1,2],\"1\":[2]},\"adding_replicas\":{},\"removing_replicas\":{},\"version\":2}");
	ck_assert_int_eq(topic_znode_decode(&arena, "/t",
					    T("{\"partitions\":{\"0\":[1,2,3]},\"topic_id\":\"7OzSOxTgSp-khFU0G__2Bg\","
					      "\"adding_replicas\":{\"0\":[3]},"
					      "\"removing_replicas\":{\"0\":[1,2]},\"version\":3}"),
					    &topic, NULL),
			 0);
	ck_assert_int_eq(topic.partitions[0].n_adding, 1);
	ck_assert_int_eq(topic.partitions[0].removing[1], 2);
	assert_slice(topic_znode_encode(&arena, &topic),
		     "{\"partitions\":{\"0\":[1,2,3]},\"topic_id\":\"7OzSOxTgSp-khFU0G__2Bg\",\"adding_replicas\":{\"0\":[3]},"
		     "\"removing_replicas\":{\"0\":[1,2]},\"version\":3}");
	arena_fini(&arena);
}
END_TEST

START_TEST(our_keys_of_a_partition_state_are_kept)
{
	static const char text[] = "{\"controller_epoch\":3,\"leader\":-1,\"version\":1,\"leader_recovery_state\":1,\"leader_"
				   "epoch\":4,\"isr\":[2],"
				   "\"elr\":[2,3],\"elr_epochs\":[5,6],\"last_known_elr\":[],\"isr_epochs\":[77]}";
	struct partition_state_znode state;
	struct arena arena;

	arena_init(&arena);
	ck_assert_int_eq(partition_state_znode_decode(&arena, "/s", slice_of_text(text), &state, NULL), 0);
	ck_assert(state.recovering);
	ck_assert_int_eq(state.leader, -1);
	ck_assert_int_eq(state.n_elr, 2);
	ck_assert_int_eq(state.n_last_known_elr, 0);
	ck_assert_int_eq(state.isr_epochs[0], 77);
	assert_slice(partition_state_znode_encode(&arena, &state), text);
	ck_assert_int_eq(
		partition_state_znode_decode(&arena, "/s",
					     T("{\"leader\":1,\"leader_epoch\":0,\"controller_epoch\":1,\"isr\":[],\"x\":{}}"),
					     &state, NULL),
		0);
	ck_assert_int_eq(state.n_elr, -1);
	ck_assert_int_eq(state.n_isr_epochs, -1);
	ck_assert(!state.recovering);
	arena_fini(&arena);
}
END_TEST

START_TEST(the_rest_of_the_families_keep_their_meaning)
{
	struct topic_partition_list list;
	struct controller_znode controller;
	struct config_znode config;
	struct zk_config_target target;
	struct arena arena;
	int32_t number;

	arena_init(&arena);
	ck_assert_int_eq(controller_znode_decode(&arena, "/c", T("{\"version\":1,\"brokerid\":4,\"timestamp\":\"1\"}"),
						 &controller, NULL),
			 0);
	ck_assert_int_eq(controller.kraft_epoch, -1);
	ck_assert_ptr_null(controller.nonce.data);
	controller.nonce = T("abc");
	assert_slice(controller_znode_encode(&arena, &controller),
		     "{\"version\":2,\"brokerid\":4,\"timestamp\":\"1\",\"kraftControllerEpoch\":-1,\"nonce\":\"abc\"}");
	ck_assert_int_eq(config_znode_decode(&arena, "/g", SLICE_NULL, &config, NULL), 0);
	ck_assert_int_eq(config.n_entries, 0);
	ck_assert_int_eq(config_znode_decode(&arena, "/g",
					     T("{\"version\":1,\"config\":{\"a\":5,\"b\":true,\"c\":\"\\u00e4\\n\"}}"), &config,
					     NULL),
			 0);
	assert_slice(config_znode_find(&config, "a")->value, "5");
	assert_slice(config_znode_find(&config, "b")->value, "true");
	ck_assert_ptr_null(config_znode_find(&config, "d"));
	assert_slice(config_znode_encode(&arena, &config),
		     "{\"version\":1,\"config\":{\"a\":\"5\",\"b\":\"true\",\"c\":\"\xc3\xa4\\n\"}}");
	ck_assert_int_eq(config_change_decode(&arena, "/n",
					      T("{\"version\":1,\"entity_type\":\"topics\",\"entity_name\":\"t\"}"), &target,
					      NULL),
			 0);
	assert_slice(target.topic, "t");
	ck_assert_int_eq(
		reassignment_decode(&arena, "/r",
				    T("{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":3,\"replicas\":[2,1]}]}"),
				    &list, NULL),
		0);
	ck_assert_int_eq(list.items[0].replicas[1], 1);
	assert_slice(reassignment_encode(&arena, &list),
		     "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":3,\"replicas\":[2,1]}]}");
	assert_slice(partition_list_encode(&arena, &list),
		     "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":3}]}");
	assert_slice(log_dir_event_encode(&arena, 4), "{\"version\":1,\"broker\":4,\"event\":1}");
	ck_assert_int_eq(log_dir_event_decode(&arena, "/l", T("{\"version\":1,\"broker\":4,\"event\":1}"), &number, NULL), 0);
	ck_assert_int_eq(number, 4);
	ck_assert_int_eq(migration_decode(&arena, "/m",
					  T("{\"version\":0,\"kraft_controller_id\":3,\"kraft_controller_epoch\":9}"), &number,
					  NULL),
			 0);
	ck_assert_int_eq(number, 9);
	ck_assert_int_eq(migration_decode(&arena, "/m", T("{}"), &number, NULL), 0);
	ck_assert_int_eq(number, -1);
	arena_fini(&arena);
}
END_TEST

static const struct {
	enum znode_family family;
	const char *json;
	const char *says;
} nonsense[] = {
	{ZNODE_BROKER, "", "is empty"},
	{ZNODE_BROKER, "{", "is no JSON"},
	{ZNODE_BROKER, "[]", "is no JSON object"},
	{ZNODE_BROKER, "{}", "\"version\" is missing"},
	{ZNODE_BROKER, "{\"version\":0}", "\"version\" is 0"},
	{ZNODE_BROKER, "{\"version\":5}", "\"endpoints\" is missing"},
	{ZNODE_BROKER, "{\"version\":5,\"endpoints\":{}}", "\"endpoints\" is no array"},
	{ZNODE_BROKER, "{\"version\":5,\"endpoints\":[\"x\"]}", "endpoint 0"},
	{ZNODE_BROKER, "{\"version\":5,\"endpoints\":[\"A://h:70000\"]}", "endpoint 0"},
	{ZNODE_BROKER, "{\"version\":5,\"endpoints\":[\"A://h:\"]}", "endpoint 0"},
	{ZNODE_BROKER, "{\"version\":5,\"endpoints\":[7]}", "endpoint 0"},
	{ZNODE_BROKER, "{\"version\":5,\"host\":3,\"endpoints\":[\"A://h:1\"]}", "\"host\" is no text"},
	{ZNODE_BROKER, "{\"version\":5,\"port\":65536,\"endpoints\":[\"A://h:1\"]}", "\"port\" is 65536"},
	{ZNODE_BROKER, "{\"version\":1,\"host\":\"h\"}", "without host and port"},
	{ZNODE_BROKER, "{\"version\":5,\"endpoints\":[\"A://h:1\"],\"listener_security_protocol_map\":{\"A\":1}}",
	 "is no text"},
	{ZNODE_TOPIC, "{\"version\":3}", "\"partitions\" is missing"},
	{ZNODE_TOPIC, "{\"partitions\":[]}", "\"partitions\" is no object"},
	{ZNODE_TOPIC, "{\"partitions\":{\"x\":[1]}}", "no partition number"},
	{ZNODE_TOPIC, "{\"partitions\":{\"-1\":[1]}}", "no partition number"},
	{ZNODE_TOPIC, "{\"partitions\":{\"0\":1}}", "is no array"},
	{ZNODE_TOPIC, "{\"partitions\":{\"0\":[]}}", "has no replicas"},
	{ZNODE_TOPIC, "{\"partitions\":{\"0\":[1,1]}}", "broker 1 twice"},
	{ZNODE_TOPIC, "{\"partitions\":{\"0\":[-1]}}", "no broker id"},
	{ZNODE_TOPIC, "{\"partitions\":{\"0\":[2147483648]}}", "no broker id"},
	{ZNODE_TOPIC, "{\"partitions\":{\"0\":[1.5]}}", "no broker id"},
	{ZNODE_TOPIC, "{\"partitions\":{\"0\":[1]},\"adding_replicas\":{\"1\":[2]}}", "adding_replicas"},
	{ZNODE_TOPIC, "{\"partitions\":{\"0\":[1]},\"topic_id\":\"short\"}", "is no uuid"},
	{ZNODE_TOPIC, "{\"partitions\":{\"0\":[1]},\"topic_id\":5}", "is no text"},
	{ZNODE_PARTITION_STATE, "{\"leader\":1}", "\"leader_epoch\" is missing"},
	{ZNODE_PARTITION_STATE, "{\"leader\":-2,\"leader_epoch\":0,\"controller_epoch\":0,\"isr\":[1]}", "\"leader\" is -2"},
	{ZNODE_PARTITION_STATE, "{\"leader\":1,\"leader_epoch\":-1,\"controller_epoch\":0,\"isr\":[1]}",
	 "\"leader_epoch\" is -1"},
	{ZNODE_PARTITION_STATE, "{\"leader\":1,\"leader_epoch\":4294967296,\"controller_epoch\":0,\"isr\":[1]}",
	 "\"leader_epoch\""},
	{ZNODE_PARTITION_STATE, "{\"leader\":1,\"leader_epoch\":0,\"controller_epoch\":0}", "\"isr\" is missing"},
	{ZNODE_PARTITION_STATE, "{\"leader\":\"x\",\"leader_epoch\":0,\"controller_epoch\":0,\"isr\":[]}",
	 "\"leader\" is no number"},
	{ZNODE_PARTITION_STATE, "{\"leader\":1,\"leader_epoch\":0,\"controller_epoch\":0,\"isr\":[1],\"isr_epochs\":[]}",
	 "for a list of 1"},
	{ZNODE_PARTITION_STATE,
	 "{\"leader\":1,\"leader_epoch\":0,\"controller_epoch\":0,\"isr\":[1],\"leader_recovery_state\":2}", "is 2"},
	{ZNODE_CONTROLLER, "{\"version\":2}", "\"brokerid\" is missing"},
	{ZNODE_CONTROLLER, "{\"brokerid\":1,\"timestamp\":\"12x\"}", "is no number"},
	{ZNODE_CONTROLLER, "{\"brokerid\":1,\"timestamp\":\"1-2\"}", "is no number"},
	{ZNODE_CONTROLLER, "{\"brokerid\":1e400}", "is no JSON"},
	{ZNODE_CONTROLLER_EPOCH, "", "is no number"},
	{ZNODE_CONTROLLER_EPOCH, "-1", "is no number"},
	{ZNODE_CONTROLLER_EPOCH, "2147483648", "too large"},
	{ZNODE_CONFIG, "{\"version\":1}", "\"config\" is missing"},
	{ZNODE_CONFIG, "{\"version\":1,\"config\":[]}", "is no object"},
	{ZNODE_CONFIG, "{\"version\":1,\"config\":{\"a\":{}}}", "is no text"},
	{ZNODE_CONFIG_CHANGE, "{\"version\":2,\"entity_path\":\"nowhere\"}", "is no entity"},
	{ZNODE_CONFIG_CHANGE, "{\"version\":2}", "\"entity_path\" is missing"},
	{ZNODE_CLUSTER_ID, "{\"version\":\"1\"}", "\"id\" is missing"},
	{ZNODE_CLUSTER_ID, "{\"version\":\"1\",\"id\":\"\"}", "is empty"},
	{ZNODE_PRODUCER_ID_BLOCK, "{\"broker\":1,\"block_start\":\"9\",\"block_end\":\"8\"}", "\"block_end\" is 8"},
	{ZNODE_PRODUCER_ID_BLOCK, "{\"broker\":1,\"block_start\":\"-1\",\"block_end\":\"8\"}", "\"block_start\" is -1"},
	{ZNODE_PARTITION_LIST, "{\"partitions\":[5]}", "no object"},
	{ZNODE_PARTITION_LIST, "{\"partitions\":[{\"topic\":\"\",\"partition\":0}]}", "topic name"},
	{ZNODE_REASSIGNMENT, "{\"partitions\":[{\"topic\":\"t\",\"partition\":0}]}", "is no array"},
	{ZNODE_LOG_DIR_EVENT, "{\"broker\":-1}", "\"broker\" is -1"},
	{ZNODE_MIGRATION, "{\"kraft_controller_epoch\":[]}", "is no number"},
};

START_TEST(nonsense_is_refused_with_path_and_reason)
{
	struct slice again;
	struct arena arena;
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(nonsense); i++) {
		arena_init(&arena);
		err = (struct error){0};
		ck_assert_msg(znode_recode(&arena, nonsense[i].family, "/some/node", slice_of_text(nonsense[i].json), &again,
					   &err) == ERR_CORRUPT,
			      "%s", nonsense[i].json);
		ck_assert_msg(strstr(err.text, "znode /some/node: ") && strstr(err.text, nonsense[i].says), "%s: %s",
			      nonsense[i].json, err.text);
		arena_fini(&arena);
	}
}
END_TEST

START_TEST(deep_and_binary_nodes_are_refused)
{
	char *deep = memory_alloc(100000);
	struct slice again;
	struct arena arena;
	struct error err;

	arena_init(&arena);
	memset(deep, '[', 100000);
	for (int family = 0; family < N_ZNODE_FAMILIES; family++) {
		ck_assert_int_eq(znode_recode(&arena, (enum znode_family)family, "/n", slice_of(deep, 100000), &again, &err),
				 ERR_CORRUPT);
		ck_assert_int_eq(
			znode_recode(&arena, (enum znode_family)family, "/n", slice_of("\x00\xff\xfe", 3), &again, &err),
			ERR_CORRUPT);
	}
	free(deep);
	arena_fini(&arena);
}
END_TEST

START_TEST(a_topic_of_ten_thousand_partitions_fits_a_node)
{
	struct topic_znode topic = {.topic_id = uuid_random(), .n_partitions = 10000}, back;
	int32_t replicas[] = {1, 2, 3};
	struct slice json;
	struct arena arena;

	arena_init(&arena);
	topic.partitions = arena_zalloc(&arena, 10000, sizeof *topic.partitions);
	for (int32_t i = 0; i < 10000; i++)
		topic.partitions[i] = (struct partition_assignment){.partition = i, .replicas = replicas, .n_replicas = 3};
	json = topic_znode_encode(&arena, &topic);
	ck_assert_uint_lt(json.len, 1000000);
	ck_assert_int_eq(topic_znode_decode(&arena, "/t", json, &back, NULL), 0);
	ck_assert_int_eq(back.n_partitions, 10000);
	ck_assert(slice_equal(topic_znode_encode(&arena, &back), json));
	arena_fini(&arena);
}
END_TEST

UNIT_MAIN("zk/json", every_node_of_a_real_cluster_is_read_and_written_to_the_byte, brokers_of_all_versions_are_read,
	  what_a_broker_says_of_its_start_comes_back, a_broker_of_ours_is_written_with_rack_and_mark, topics_of_all_versions_are_read_in_order,
	  our_keys_of_a_partition_state_are_kept, the_rest_of_the_families_keep_their_meaning,
	  nonsense_is_refused_with_path_and_reason, deep_and_binary_nodes_are_refused, a_topic_of_ten_thousand_partitions_fits_a_node)
