/* zk/path: building, parsing and sanitizing. */
#include "zk/path.h"

#include "test/lib/unit.h"

#include <string.h>

#define T(text) SLICE_LITERAL(text)

START_TEST(paths_are_kafkas)
{
	struct arena arena;
	struct zk_entity both = {.has_user = true, .has_client = true, .user = T("a b*c"), .client = SLICE_NULL};
	struct zk_entity ip = {.has_ip = true, .ip = T("127.0.0.2")};
	struct zk_entity client = {.has_client = true, .client = T("app1")};

	arena_init(&arena);
	ck_assert_str_eq(zk_path_broker(&arena, 7), "/brokers/ids/7");
	ck_assert_str_eq(zk_path_topic(&arena, T("t")), "/brokers/topics/t");
	ck_assert_str_eq(zk_path_partitions(&arena, T("t")), "/brokers/topics/t/partitions");
	ck_assert_str_eq(zk_path_partition(&arena, T("t"), 3), "/brokers/topics/t/partitions/3");
	ck_assert_str_eq(zk_path_partition_state(&arena, T("t"), 3), "/brokers/topics/t/partitions/3/state");
	ck_assert_str_eq(zk_path_consumer_offset(&arena, T("g"), T("t"), 3), "/consumers/g/offsets/t/3");
	ck_assert_str_eq(zk_path_delete_topic(&arena, T("t")), "/admin/delete_topics/t");
	ck_assert_str_eq(zk_path_config_topic(&arena, T("t")), "/config/topics/t");
	ck_assert_str_eq(zk_path_config_broker(&arena, 1), "/config/brokers/1");
	ck_assert_str_eq(zk_path_config_broker(&arena, -1), "/config/brokers/<default>");
	ck_assert_str_eq(zk_path_config_entity(&arena, &both), "/config/users/a%20b%2Ac/clients/<default>");
	ck_assert_str_eq(zk_path_config_entity(&arena, &ip), "/config/ips/127.0.0.2");
	ck_assert_str_eq(zk_path_config_entity(&arena, &client), "/config/clients/app1");
	ck_assert_str_eq(zk_path_child(&arena, "/", "a"), "/a");
	ck_assert_str_eq(zk_path_child(&arena, "/a", "b"), "/a/b");
	arena_fini(&arena);
}
END_TEST

START_TEST(every_parent_of_a_persistent_node_comes_before_it)
{
	for (int i = 0; zk_path_persistent[i]; i++) {
		const char *path = zk_path_persistent[i];
		size_t parent_len = (size_t)(strrchr(path, '/') - path);
		bool found = parent_len == 0;

		for (int k = 0; k < i; k++)
			found = found || (strlen(zk_path_persistent[k]) == parent_len &&
					  strncmp(zk_path_persistent[k], path, parent_len) == 0);
		ck_assert_msg(found, "%s", path);
	}
}
END_TEST

START_TEST(sanitized_names_come_back)
{
	static const char *const pairs[][2] = {
		{"alice", "alice"},
		{"a b", "a%20b"},
		{"a*b+c", "a%2Ab%2Bc"},
		{"CN=x,O=y/z", "CN%3Dx%2CO%3Dy%2Fz"},
		{"<default>", "%3Cdefault%3E"},
		{"\xc3\xa4~", "%C3%A4%7E"},
		{"A-Z_0.9", "A-Z_0.9"},
		{"", ""},
	};
	struct arena arena;
	struct slice back;

	arena_init(&arena);
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		struct slice text = zk_path_sanitize(&arena, slice_of_text(pairs[i][0]));

		ck_assert_str_eq((const char *)text.data, pairs[i][1]);
		ck_assert(zk_path_desanitize(&arena, text, &back));
		ck_assert_str_eq((const char *)back.data, pairs[i][0]);
	}
	ck_assert(zk_path_desanitize(&arena, T("a+b%2a"), &back));
	ck_assert_str_eq((const char *)back.data, "a b*");
	ck_assert(!zk_path_desanitize(&arena, T("a%"), &back));
	ck_assert(!zk_path_desanitize(&arena, T("a%2"), &back));
	ck_assert(!zk_path_desanitize(&arena, T("a%zz"), &back));
	arena_fini(&arena);
}
END_TEST

START_TEST(entity_paths_are_understood)
{
	static const char *const good[] = {"topics/plain", "brokers/1",       "brokers/<default>",
					   "users/alice",  "users/<default>", "users/b%20b/clients/a",
					   "clients/app",  "ips/127.0.0.2",   "users/<default>/clients/<default>"};
	static const char *const bad[] = {"",
					  "topics",
					  "topics/",
					  "topics/a/b",
					  "brokers/x",
					  "brokers/-1",
					  "users",
					  "users/",
					  "users/a/clients",
					  "users/a/ips/b",
					  "users/a/clients/b/c",
					  "groups/g",
					  "clients/a/users/b",
					  "users/%",
					  "users/a/clients/",
					  "ips/a/clients/b"};
	struct zk_config_target target;
	struct arena arena;

	arena_init(&arena);
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		ck_assert_msg(zk_path_parse_config(&arena, slice_of_text(good[i]), &target), "%s", good[i]);
		ck_assert_str_eq(zk_path_entity(&arena, &target), good[i]);
		ck_assert(zk_path_parse_config(&arena, slice_of_text(arena_printf(&arena, "/config/%s", good[i])), &target));
		ck_assert_str_eq(zk_path_entity(&arena, &target), good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!zk_path_parse_config(&arena, slice_of_text(bad[i]), &target), "%s", bad[i]);
	arena_fini(&arena);
}
END_TEST

START_TEST(names_of_children_are_numbers_or_nothing)
{
	int32_t id;

	ck_assert(zk_path_parse_id("0", &id) && id == 0);
	ck_assert(zk_path_parse_id("2147483647", &id) && id == INT32_MAX);
	ck_assert(!zk_path_parse_id("2147483648", &id));
	ck_assert(!zk_path_parse_id("99999999999", &id));
	ck_assert(!zk_path_parse_id("", &id));
	ck_assert(!zk_path_parse_id("-1", &id));
	ck_assert(!zk_path_parse_id("01", &id));
	ck_assert(!zk_path_parse_id("1x", &id));
	ck_assert(zk_path_parse_sequence("config_change_0000000012", "config_change_", &id) && id == 12);
	ck_assert(zk_path_parse_sequence("config_change_-2147483648", "config_change_", &id) && id == INT32_MIN);
	ck_assert(!zk_path_parse_sequence("config_change_", "config_change_", &id));
	ck_assert(!zk_path_parse_sequence("isr_change_0000000012", "config_change_", &id));
	ck_assert(!zk_path_parse_sequence("config_change_00000000123", "config_change_", &id));
}
END_TEST

UNIT_MAIN("zk/path", paths_are_kafkas, every_parent_of_a_persistent_node_comes_before_it, sanitized_names_come_back,
	  entity_paths_are_understood, names_of_children_are_numbers_or_nothing)
