/* Listener keys. */
#include "test/lib/unit.h"

#include "broker/meta/listeners_core.h"
#include "common/memory.h"

#define DEFAULT_MAP "PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL"

static struct arena arena;
static const char *key, *refusal;

static bool parse(const char *listeners, const char *advertised, const char *map, const char *inter_broker, struct listeners *ret)
{
	struct listeners_keys keys = {
		.listeners = slice_of_text(listeners),
		.advertised = slice_of_text(advertised),
		.protocol_map = slice_of_text(map ? map : DEFAULT_MAP),
		.inter_broker_name = slice_of_text(inter_broker),
		.inter_broker_protocol = SLICE_LITERAL("PLAINTEXT"),
	};

	return listeners_parse(&keys, &arena, ret, &key, &refusal);
}

START_TEST(one_listener_serves_clients_and_brokers)
{
	struct listeners listeners;

	arena_init(&arena);
	ck_assert(parse("PLAINTEXT://:9092", NULL, NULL, NULL, &listeners));
	ck_assert_int_eq(listeners.n, 1);
	ck_assert(slice_is_text(listeners.list[0].name, "PLAINTEXT"));
	ck_assert(slice_is_text(listeners.list[0].host, ""));
	ck_assert_int_eq(listeners.list[0].port, 9092);
	ck_assert_int_eq(listeners.list[0].advertised_port, 9092);
	ck_assert(listeners.list[0].advertised && listeners.list[0].inter_broker);
	ck_assert_ptr_eq(listeners.inter_broker, &listeners.list[0]);
	arena_fini(&arena);
}
END_TEST

START_TEST(named_listeners_are_mapped_and_advertised)
{
	struct listeners listeners;

	arena_init(&arena);
	ck_assert(parse("Internal://0.0.0.0:19092, CLIENT://[::1]:9092,local://127.0.0.1:0", "client://kafka.example.com:443,INTERNAL://b1:1",
			"internal:PLAINTEXT,CLIENT:plaintext,LOCAL:PLAINTEXT", "INTERNAL", &listeners));
	ck_assert_int_eq(listeners.n, 3);
	ck_assert(slice_is_text(listeners.inter_broker->name, "INTERNAL"));
	ck_assert(slice_is_text(listeners.inter_broker->advertised_host, "b1"));
	ck_assert(slice_is_text(listeners.list[1].host, "::1"));
	ck_assert(slice_is_text(listeners.list[1].advertised_host, "kafka.example.com"));
	ck_assert_int_eq(listeners.list[1].advertised_port, 443);
	ck_assert(slice_is_text(listeners.list[1].protocol, "PLAINTEXT"));
	ck_assert(!listeners.list[2].advertised);
	ck_assert_ptr_eq(listeners_find(&listeners, SLICE_LITERAL("Client")), &listeners.list[1]);
	ck_assert_ptr_null(listeners_find(&listeners, SLICE_LITERAL("other")));
	arena_fini(&arena);
}
END_TEST

START_TEST(contradictions_name_the_key_at_fault)
{
	static const struct {
		const char *listeners, *advertised, *map, *inter_broker, *key, *word;
	} cases[] = {
		{"", NULL, NULL, NULL, "listeners", "at least one"},
		{"PLAINTEXT", NULL, NULL, NULL, "listeners", "is no listener"},
		{"://h:1", NULL, NULL, NULL, "listeners", "is no listener"},
		{"PLAINTEXT://h", NULL, NULL, NULL, "listeners", "is no listener"},
		{"PLAINTEXT://h:65536", NULL, NULL, NULL, "listeners", "is no listener"},
		{"PLAINTEXT://h:-1", NULL, NULL, NULL, "listeners", "is no listener"},
		{"PLAINTEXT://a b:1", NULL, NULL, NULL, "listeners", "is no listener"},
		{"PLAINTEXT://:1,", NULL, NULL, NULL, "listeners", "is no listener"},
		{"PLAINTEXT://:1,plaintext://:2", NULL, NULL, NULL, "listeners", "different name"},
		{"A://:1,B://:1", NULL, "A:PLAINTEXT,B:PLAINTEXT", "A", "listeners", "different port"},
		{"A://:1", NULL, NULL, NULL, "listener.security.protocol.map", "A:PLAINTEXT"},
		{"A://:1", NULL, "A", NULL, "listener.security.protocol.map", "is no mapping"},
		{"A://:1", NULL, "A:FOO", NULL, "listener.security.protocol.map", "is no mapping"},
		{"SSL://:1", NULL, NULL, NULL, "listener.security.protocol.map", "PLAINTEXT only"},
		{"PLAINTEXT://:1", "OTHER://h:1", NULL, NULL, "advertised.listeners", "not one of those in listeners: PLAINTEXT"},
		{"PLAINTEXT://:1", "PLAINTEXT://0.0.0.0:1", NULL, NULL, "advertised.listeners", "meta-address 0.0.0.0"},
		{"PLAINTEXT://0.0.0.0:1", NULL, NULL, NULL, "listeners", "meta-address 0.0.0.0"},
		{"A://:1", NULL, "A:PLAINTEXT", NULL, "security.inter.broker.protocol", "inter.broker.listener.name"},
		{"A://:1,B://:2", "A://h:1", "A:PLAINTEXT,B:PLAINTEXT", "B", "inter.broker.listener.name", "no advertised listener B"},
	};
	struct listeners listeners;

	arena_init(&arena);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ck_assert_msg(!parse(cases[i].listeners, cases[i].advertised, cases[i].map, cases[i].inter_broker, &listeners), "case %zu", i);
		ck_assert_str_eq(key, cases[i].key);
		ck_assert_msg(strstr(refusal, cases[i].word), "%s", refusal);
	}
	struct listeners_keys both = {SLICE_LITERAL("PLAINTEXT://:1"), SLICE_NULL, SLICE_LITERAL(DEFAULT_MAP), SLICE_LITERAL("PLAINTEXT"),
				      SLICE_LITERAL("PLAINTEXT"), true};

	ck_assert(!listeners_parse(&both, &arena, &listeners, &key, &refusal));
	ck_assert_ptr_nonnull(strstr(refusal, "only one of"));
	arena_fini(&arena);
}
END_TEST

START_TEST(an_address_is_host_and_port)
{
	static const char *const odd[] = {"", "a", "a:", "a:x", "a:65536", "a:-1", "a:1,b:2", "http://a:1", "a b:1", "a:1/x", "a:000001"};
	struct slice host;
	int32_t port;

	ck_assert(listeners_read_address(SLICE_LITERAL("127.0.0.1:9404"), &host, &port));
	ck_assert(slice_is_text(host, "127.0.0.1"));
	ck_assert_int_eq(port, 9404);
	ck_assert(listeners_read_address(SLICE_LITERAL("[::1]:65535"), &host, &port));
	ck_assert(slice_is_text(host, "::1"));
	ck_assert_int_eq(port, 65535);
	ck_assert(listeners_read_address(SLICE_LITERAL(":0"), &host, &port));
	ck_assert_uint_eq(host.len, 0);
	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		ck_assert_msg(!listeners_read_address(slice_of_text(odd[i]), &host, &port), "%s", odd[i]);
}
END_TEST

UNIT_MAIN("broker/meta/listeners_core", one_listener_serves_clients_and_brokers, named_listeners_are_mapped_and_advertised,
	  contradictions_name_the_key_at_fault, an_address_is_host_and_port)
