/*
 * Broker nodes; see json_broker.h. Version 5 as Kafka writes it:
 * {"features":{},"listener_security_protocol_map":{"A":"PLAINTEXT"},"endpoints":["A://h:1"],"rack":"r","jmx_port":-1,"port":1,
 *  "host":"h","version":5,"timestamp":"ms"}
 * and behind that, of ours only: ,"klamm":"0.1","klamm_start":"clean","klamm_previous":77,"klamm_durability":"fsync-isr","klamm_min_isr":2
 */
#include "zk/json_broker.h"

#include "zk/json.h"

#include <stdlib.h>
#include <string.h>

#define ENDPOINTS_MAX 64

/* "LISTENER://host:port", the host in brackets when it has colons. */
static bool parse_endpoint(struct arena *arena, const char *text, struct broker_endpoint *ret_endpoint)
{
	const char *mark = strstr(text, "://");
	const char *colon = strrchr(text, ':');
	const char *host = mark ? mark + 3 : NULL;
	size_t host_len;
	char *end;
	long port;

	if (!mark || mark == text || !colon || colon < host)
		return false;
	host_len = (size_t)(colon - host);
	if (host_len >= 2 && host[0] == '[' && host[host_len - 1] == ']') {
		host++;
		host_len -= 2;
	}
	port = strtol(colon + 1, &end, 10);
	if (end == colon + 1 || *end != '\0' || port < -1 || port > 65535)
		return false;
	ret_endpoint->listener = arena_copy(arena, slice_of(text, (size_t)(mark - text)));
	ret_endpoint->host = arena_copy(arena, slice_of(host, host_len));
	ret_endpoint->port = (int32_t)port;
	return true;
}

/* Before version 4 a listener was called after its protocol. */
static int endpoint_protocol(const struct json_reader *reader, const json_t *map, struct broker_endpoint *endpoint)
{
	const json_t *protocol = json_object_get(map, (const char *)endpoint->listener.data);

	if (protocol && !json_is_string(protocol))
		return json_fail(reader, "the protocol of listener %.40s is no text", (const char *)endpoint->listener.data);
	endpoint->protocol = protocol ? json_text(reader, protocol) : endpoint->listener;
	return 0;
}

static int decode_endpoints(const struct json_reader *reader, struct broker_znode *broker)
{
	int rc, rc_map;
	const json_t *list = json_want_sort(reader, reader->root, "endpoints", JSON_ARRAY, &rc);
	const json_t *map = json_want_sort(reader, reader->root, "listener_security_protocol_map", JSON_OBJECT, &rc_map);
	size_t n = json_array_size(list);

	if (rc != 0 || rc_map != 0)
		return rc ? rc : rc_map;
	if (!list || n == 0)
		return json_fail(reader, "\"endpoints\" is missing or empty");
	if (n > ENDPOINTS_MAX)
		return json_fail(reader, "has %zu endpoints, more than %d", n, ENDPOINTS_MAX);
	broker->endpoints = arena_zalloc(reader->arena, n, sizeof *broker->endpoints);
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || !parse_endpoint(reader->arena, text, &broker->endpoints[i]))
			return json_fail(reader, "endpoint %zu is not of the form LISTENER://host:port", i);
		rc = endpoint_protocol(reader, map, &broker->endpoints[i]);
		if (rc != 0)
			return rc;
	}
	broker->n_endpoints = (int32_t)n;
	return 0;
}

/* Version 1 had no endpoints: host and port speak plaintext. */
static int endpoint_of_host(const struct json_reader *reader, struct broker_znode *broker)
{
	if (!broker->host.data || broker->port < 0)
		return json_fail(reader, "version 1 without host and port");
	broker->endpoints = arena_zalloc(reader->arena, 1, sizeof *broker->endpoints);
	broker->n_endpoints = 1;
	broker->endpoints[0].listener = broker->endpoints[0].protocol = SLICE_LITERAL("PLAINTEXT");
	broker->endpoints[0].host = broker->host;
	broker->endpoints[0].port = broker->port;
	return 0;
}

static const char *const start_names[] = {
	[BROKER_START_CLEAN] = "clean",
	[BROKER_START_PROCESS_CRASH] = "process_crash",
	[BROKER_START_UNCLEAN] = "unclean",
	[BROKER_START_DISK_NEW] = "disk_new",
};

/* A word that is not known here is of a later version: the worst is assumed. */
static enum broker_start start_of(struct slice name)
{
	if (!name.data)
		return BROKER_START_UNSAID;
	for (size_t i = BROKER_START_CLEAN; i < sizeof start_names / sizeof start_names[0]; i++)
		if (slice_is_text(name, start_names[i]))
			return (enum broker_start)i;
	return BROKER_START_DISK_NEW;
}

static int decode_start(const struct json_reader *reader, struct broker_znode *broker)
{
	struct slice name, durability = SLICE_NULL;
	int rc = json_want_text(reader, reader->root, "klamm_start", &name);

	if (rc == 0)
		rc = json_want_i64(reader, reader->root, "klamm_previous", -1, INT64_MAX, -1, &broker->previous_epoch);
	if (rc == 0)
		rc = json_want_text(reader, reader->root, "klamm_durability", &durability);
	if (rc == 0)
		rc = json_want_i32(reader, reader->root, "klamm_min_isr", 0, 0, &broker->min_isr);
	broker->durable = slice_is_text(durability, "fsync-isr");
	if (rc == 0)
		broker->start = start_of(name);
	return rc;
}

static int decode_broker(const struct json_reader *reader, struct broker_znode *broker)
{
	const json_t *root = reader->root;
	int32_t version;
	int64_t port = -1;
	int rc = json_need_i32(reader, root, "version", 1, &version);

	if (rc == 0)
		rc = json_want_text(reader, root, "host", &broker->host);
	if (rc == 0)
		rc = json_want_i64(reader, root, "port", -1, 65535, -1, &port);
	if (rc == 0)
		rc = json_want_i32(reader, root, "jmx_port", -1, -1, &broker->jmx_port);
	if (rc == 0)
		rc = json_want_i64(reader, root, "timestamp", -1, INT64_MAX, -1, &broker->timestamp_ms);
	if (rc == 0)
		rc = json_want_text(reader, root, "rack", &broker->rack);
	if (rc == 0)
		rc = json_want_text(reader, root, "klamm", &broker->klamm);
	if (rc == 0)
		rc = decode_start(reader, broker);
	if (rc != 0)
		return rc;
	broker->port = (int32_t)port;
	return version == 1 ? endpoint_of_host(reader, broker) : decode_endpoints(reader, broker);
}

int broker_znode_decode(struct arena *arena, const char *path, struct slice json, struct broker_znode *ret_broker,
			struct error *err)
{
	struct broker_znode broker = {0};
	struct json_reader reader;
	int rc = json_reader_open(&reader, arena, path, json, err);

	if (rc != 0)
		return rc;
	rc = decode_broker(&reader, &broker);
	json_reader_close(&reader);
	if (rc == 0)
		*ret_broker = broker;
	return rc;
}

static void put_endpoint(struct json_writer *writer, const struct broker_endpoint *endpoint)
{
	bool brackets = memchr(endpoint->host.data, ':', endpoint->host.len) != NULL;

	json_put_text(writer, slice_of_text(arena_printf(writer->arena, "%.*s://%s%.*s%s:%d", SLICE_ARGS(endpoint->listener),
							 brackets ? "[" : "", SLICE_ARGS(endpoint->host), brackets ? "]" : "",
							 endpoint->port)));
}

static void put_protocols(struct json_writer *writer, const struct broker_znode *broker)
{
	for (int32_t i = 0; i < broker->n_endpoints; i++) {
		json_put_raw(writer, i > 0 ? "," : "");
		json_put_text(writer, broker->endpoints[i].listener);
		json_put_raw(writer, ":");
		json_put_text(writer, broker->endpoints[i].protocol);
	}
}

/* The keys of ours. */
static void put_facts(struct json_writer *writer, const struct broker_znode *broker)
{
	if (broker->klamm.data) {
		json_put_raw(writer, ",\"klamm\":");
		json_put_text(writer, broker->klamm);
	}
	if (broker->start == BROKER_START_UNSAID)
		return;
	json_put_raw(writer, ",\"klamm_start\":");
	json_put_text(writer, slice_of_text(start_names[broker->start]));
	if (broker->previous_epoch >= 0) {
		json_put_raw(writer, ",\"klamm_previous\":");
		json_put_i64(writer, broker->previous_epoch);
	}
	if (broker->durable)
		json_put_raw(writer, ",\"klamm_durability\":\"fsync-isr\"");
	if (broker->min_isr > 0) {
		json_put_raw(writer, ",\"klamm_min_isr\":");
		json_put_i64(writer, broker->min_isr);
	}
}

struct slice broker_znode_encode(struct arena *arena, const struct broker_znode *broker)
{
	struct json_writer writer;

	json_writer_init(&writer, arena, 512);
	json_put_raw(&writer, "{\"features\":{},\"listener_security_protocol_map\":{");
	put_protocols(&writer, broker);
	json_put_raw(&writer, "},\"endpoints\":[");
	for (int32_t i = 0; i < broker->n_endpoints; i++) {
		json_put_raw(&writer, i > 0 ? "," : "");
		put_endpoint(&writer, &broker->endpoints[i]);
	}
	json_put_raw(&writer, "]");
	if (broker->rack.data) {
		json_put_raw(&writer, ",\"rack\":");
		json_put_text(&writer, broker->rack);
	}
	json_put_raw(&writer, ",\"jmx_port\":");
	json_put_i64(&writer, broker->jmx_port);
	json_put_raw(&writer, ",\"port\":");
	json_put_i64(&writer, broker->port);
	json_put_raw(&writer, ",\"host\":");
	json_put_text(&writer, broker->host);
	json_put_raw(&writer, ",\"version\":5,\"timestamp\":\"");
	json_put_i64(&writer, broker->timestamp_ms);
	json_put_raw(&writer, "\"");
	put_facts(&writer, broker);
	json_put_raw(&writer, "}");
	return json_writer_end(&writer);
}

void broker_znode_choose_host(struct broker_znode *broker)
{
	broker->host = SLICE_NULL;
	broker->port = -1;
	for (int32_t i = 0; i < broker->n_endpoints && !broker->host.data; i++) {
		if (!slice_is_text(broker->endpoints[i].protocol, "PLAINTEXT"))
			continue;
		broker->host = broker->endpoints[i].host;
		broker->port = broker->endpoints[i].port;
	}
}
