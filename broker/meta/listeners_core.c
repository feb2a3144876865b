/*
 * Listener keys -> list of listeners; see listeners_core.h.
 *
 *     listeners --each NAME://host:port--> endpoint --map--> protocol --> listener <-- advertised.listeners, inter-broker choice
 */
#include "broker/meta/listeners_core.h"

#include "common/config_table.h"

#include <string.h>
#include <strings.h>

/* One element of listeners or advertised.listeners. */
struct endpoint {
	struct slice name; /* upper case */
	struct slice host;
	int32_t port;
};

struct endpoints {
	struct endpoint *list;
	int n;
};

static bool equal_fold(struct slice a, struct slice b)
{
	return a.len == b.len && strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0;
}

static struct slice upper(struct arena *arena, struct slice s)
{
	struct slice copy = arena_copy(arena, s);
	uint8_t *at = (uint8_t *)(uintptr_t)copy.data;

	for (size_t i = 0; i < copy.len; i++)
		at[i] = at[i] >= 'a' && at[i] <= 'z' ? (uint8_t)(at[i] - 'a' + 'A') : at[i];
	return copy;
}

static bool is_host_letter(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr("-%._:", c);
}

static bool is_host(struct slice host)
{
	for (size_t i = 0; i < host.len; i++)
		if (!host.data[i] || !is_host_letter(host.data[i]))
			return false;
	return true;
}

static bool read_port(struct slice text, int32_t *ret_port)
{
	int32_t port = 0;

	if (!text.len || text.len > 5)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		port = port * 10 + (text.data[i] - '0');
	}
	if (port > 65535)
		return false;
	*ret_port = port;
	return true;
}

bool listeners_read_address(struct slice text, struct slice *ret_host, int32_t *ret_port)
{
	const uint8_t *colon = memrchr(text.data, ':', text.len);

	if (!colon)
		return false;
	struct slice host = slice_of(text.data, (size_t)(colon - text.data));
	struct slice port = slice_of(colon + 1, text.len - host.len - 1);

	if (host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
		host = slice_of(host.data + 1, host.len - 2);
	if (!is_host(host) || !read_port(port, ret_port))
		return false;
	*ret_host = host;
	return true;
}

/* "NAME://host:port"; an address of IPv6 stands in brackets. */
static bool read_endpoint(struct slice text, struct arena *arena, struct endpoint *ret_endpoint)
{
	const uint8_t *scheme = memmem(text.data, text.len, "://", 3);
	struct endpoint endpoint;
	struct slice host;

	if (!scheme || scheme == text.data)
		return false;
	if (!listeners_read_address(slice_of(scheme + 3, text.len - (size_t)(scheme + 3 - text.data)), &host, &endpoint.port))
		return false;
	endpoint.name = upper(arena, slice_of(text.data, (size_t)(scheme - text.data)));
	endpoint.host = arena_copy(arena, host);
	*ret_endpoint = endpoint;
	return true;
}

static int count_elements(struct slice list)
{
	struct slice element;
	int n = 0;

	for (size_t at = 0; config_list_next(list, &at, &element);)
		n++;
	return n;
}

static const struct endpoint *endpoint_find(const struct endpoints *endpoints, struct slice name)
{
	for (int i = 0; i < endpoints->n; i++)
		if (slice_equal(endpoints->list[i].name, name))
			return &endpoints->list[i];
	return NULL;
}

/* All elements of a list; the refusal, or NULL. */
static const char *read_endpoints(struct slice list, struct arena *arena, struct endpoints *endpoints)
{
	struct slice element;

	*endpoints = (struct endpoints){arena_zalloc(arena, (size_t)count_elements(list), sizeof(struct endpoint)), 0};
	for (size_t at = 0; config_list_next(list, &at, &element);) {
		struct endpoint endpoint;

		if (!read_endpoint(element, arena, &endpoint))
			return arena_printf(arena, "'%.*s' is no listener: expected NAME://host:port with a port from 0 to 65535",
					    SLICE_ARGS(element));
		if (endpoint_find(endpoints, endpoint.name))
			return arena_printf(arena, "each listener must have a different name, but %.*s stands twice",
					    SLICE_ARGS(endpoint.name));
		endpoints->list[endpoints->n++] = endpoint;
	}
	return endpoints->n ? NULL : "at least one listener is needed";
}

/* Two listeners cannot have one port, unless on two addresses of the machine. */
static const char *check_ports(const struct endpoints *endpoints, struct arena *arena)
{
	for (int i = 1; i < endpoints->n; i++)
		for (int j = 0; j < i; j++)
			if (endpoints->list[i].port && endpoints->list[i].port == endpoints->list[j].port &&
			    slice_equal(endpoints->list[i].host, endpoints->list[j].host))
				return arena_printf(arena, "each listener must have a different port, but %d stands twice",
						    endpoints->list[i].port);
	return NULL;
}

/* The protocol that the map gives a name; null when it does not have it. */
static struct slice map_find(struct slice map, struct slice name)
{
	struct slice element;

	for (size_t at = 0; config_list_next(map, &at, &element);) {
		const uint8_t *colon = memchr(element.data, ':', element.len);
		size_t len = colon ? (size_t)(colon - element.data) : 0;

		if (colon && equal_fold(slice_of(element.data, len), name))
			return slice_of(colon + 1, element.len - len - 1);
	}
	return SLICE_NULL;
}

static bool is_protocol(struct slice name)
{
	return equal_fold(name, SLICE_LITERAL("PLAINTEXT")) || equal_fold(name, SLICE_LITERAL("SSL")) ||
	       equal_fold(name, SLICE_LITERAL("SASL_PLAINTEXT")) || equal_fold(name, SLICE_LITERAL("SASL_SSL"));
}

static const char *check_map(struct slice map, struct arena *arena)
{
	struct slice element;

	for (size_t at = 0; config_list_next(map, &at, &element);) {
		const uint8_t *colon = memchr(element.data, ':', element.len);

		if (!colon || !is_protocol(slice_of(colon + 1, element.len - (size_t)(colon + 1 - element.data))))
			return arena_printf(arena,
					    "'%.*s' is no mapping: expected NAME:PROTOCOL with PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
					    SLICE_ARGS(element));
	}
	return NULL;
}

/* The protocol of a listener; the refusal when it has none that can be served. */
static const char *set_protocol(struct listener_spec *listener, struct slice map, struct arena *arena)
{
	struct slice protocol = map_find(map, listener->name);

	if (slice_is_null(protocol))
		return arena_printf(arena, "no security protocol is defined for listener %.*s; add %.*s:PLAINTEXT",
				    SLICE_ARGS(listener->name), SLICE_ARGS(listener->name));
	listener->protocol = upper(arena, protocol);
	if (!slice_is_text(listener->protocol, "PLAINTEXT"))
		return arena_printf(arena, "listener %.*s has security protocol %.*s, but this version of Klamm serves PLAINTEXT only",
				    SLICE_ARGS(listener->name), SLICE_ARGS(listener->protocol));
	return NULL;
}

static struct slice names_of(const struct endpoints *endpoints, struct arena *arena)
{
	const char *names = "";

	for (int i = 0; i < endpoints->n; i++)
		names = arena_printf(arena, "%s%s%.*s", names, i ? ", " : "", SLICE_ARGS(endpoints->list[i].name));
	return slice_of_text(names);
}

/* What clients are told; without advertised.listeners the addresses that are bound. */
static const char *advertise(struct listeners *listeners, const struct endpoints *bound, const struct endpoints *advertised,
			     struct arena *arena)
{
	for (int i = 0; i < advertised->n; i++) {
		const struct endpoint *endpoint = &advertised->list[i];

		if (!endpoint_find(bound, endpoint->name))
			return arena_printf(arena, "listener %.*s is not one of those in listeners: %.*s", SLICE_ARGS(endpoint->name),
					    SLICE_ARGS(names_of(bound, arena)));
		if (slice_is_text(endpoint->host, "0.0.0.0") || slice_is_text(endpoint->host, "::"))
			return arena_printf(arena,
					    "clients cannot connect to the meta-address %.*s; set advertised.listeners to an address that "
					    "they can reach",
					    SLICE_ARGS(endpoint->host));
	}
	for (int i = 0; i < listeners->n; i++) {
		const struct endpoint *endpoint = endpoint_find(advertised, listeners->list[i].name);

		listeners->list[i].advertised = endpoint != NULL;
		listeners->list[i].advertised_host = endpoint ? endpoint->host : SLICE_LITERAL("");
		listeners->list[i].advertised_port = endpoint ? endpoint->port : 0;
	}
	return NULL;
}

static const char *choose_inter_broker(struct listeners *listeners, const struct listeners_keys *keys, struct arena *arena)
{
	struct slice name = slice_is_null(keys->inter_broker_name) ? keys->inter_broker_protocol : keys->inter_broker_name;

	if (!slice_is_null(keys->inter_broker_name) && keys->inter_broker_protocol_is_set)
		return "only one of inter.broker.listener.name and security.inter.broker.protocol may be set";
	for (int i = 0; i < listeners->n; i++) {
		struct listener_spec *listener = &listeners->list[i];

		if (!listener->advertised || !equal_fold(listener->name, name))
			continue;
		listener->inter_broker = true;
		listeners->inter_broker = listener;
		return NULL;
	}
	return arena_printf(arena, "there is no advertised listener %.*s for the traffic among brokers; set inter.broker.listener.name",
			    SLICE_ARGS(name));
}

static const char *parse_bound(const struct listeners_keys *keys, struct arena *arena, struct endpoints *bound,
			       struct listeners *listeners)
{
	const char *refusal = read_endpoints(keys->listeners, arena, bound);

	if (!refusal)
		refusal = check_ports(bound, arena);
	if (refusal)
		return refusal;
	listeners->list = arena_zalloc(arena, (size_t)bound->n, sizeof *listeners->list);
	listeners->n = bound->n;
	for (int i = 0; i < bound->n; i++)
		listeners->list[i] =
			(struct listener_spec){.name = bound->list[i].name, .host = bound->list[i].host, .port = bound->list[i].port};
	return NULL;
}

static const char *parse_protocols(const struct listeners_keys *keys, struct arena *arena, struct listeners *listeners)
{
	const char *refusal = check_map(keys->protocol_map, arena);

	for (int i = 0; i < listeners->n && !refusal; i++)
		refusal = set_protocol(&listeners->list[i], keys->protocol_map, arena);
	return refusal;
}

static const char *parse_advertised(const struct listeners_keys *keys, const struct endpoints *bound, struct arena *arena,
				    struct listeners *listeners)
{
	struct endpoints advertised = *bound;
	const char *refusal = NULL;

	if (keys->advertised.len)
		refusal = read_endpoints(keys->advertised, arena, &advertised);
	return refusal ? refusal : advertise(listeners, bound, &advertised, arena);
}

bool listeners_parse(const struct listeners_keys *keys, struct arena *arena, struct listeners *ret_listeners, const char **ret_key,
		     const char **ret_refusal)
{
	struct listeners listeners = {0};
	struct endpoints bound;
	const char *key = "listeners";
	const char *refusal = parse_bound(keys, arena, &bound, &listeners);

	if (!refusal) {
		key = "listener.security.protocol.map";
		refusal = parse_protocols(keys, arena, &listeners);
	}
	if (!refusal) {
		key = keys->advertised.len ? "advertised.listeners" : "listeners";
		refusal = parse_advertised(keys, &bound, arena, &listeners);
	}
	if (!refusal) {
		key = slice_is_null(keys->inter_broker_name) ? "security.inter.broker.protocol" : "inter.broker.listener.name";
		refusal = choose_inter_broker(&listeners, keys, arena);
	}
	if (refusal) {
		*ret_key = key;
		*ret_refusal = refusal;
		return false;
	}
	*ret_listeners = listeners;
	return true;
}

const struct listener_spec *listeners_find(const struct listeners *listeners, struct slice name)
{
	for (int i = 0; i < listeners->n; i++)
		if (equal_fold(listeners->list[i].name, name))
			return &listeners->list[i];
	return NULL;
}
