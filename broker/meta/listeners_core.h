/*
 * The listeners of a broker: where it binds, what it tells clients, which protocol each listener speaks.
 *
 *     listeners                       INTERNAL://0.0.0.0:19092,CLIENT://:9092
 *     advertised.listeners            INTERNAL://broker1:19092,CLIENT://kafka.example.com:9092      (default: listeners)
 *     listener.security.protocol.map  INTERNAL:PLAINTEXT,CLIENT:PLAINTEXT
 *     inter.broker.listener.name      INTERNAL           (or security.inter.broker.protocol PLAINTEXT, not both)
 *
 * Names are upper-cased. Only PLAINTEXT can be served now; a listener with another protocol is refused by name.
 */
#ifndef KLAMM_BROKER_META_LISTENERS_CORE_H
#define KLAMM_BROKER_META_LISTENERS_CORE_H

#include "common/arena.h"
#include "common/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct listener_spec {
	struct slice name;     /* upper case */
	struct slice protocol; /* PLAINTEXT */
	struct slice host;     /* to bind; "" = every address */
	int32_t port;          /* to bind; 0 = any free one */
	struct slice advertised_host; /* "" = the name of this machine, which the caller fills in */
	int32_t advertised_port;      /* 0 = the bound one */
	bool advertised;              /* false: not told to anyone */
	bool inter_broker;
};

struct listeners {
	struct listener_spec *list;
	int n;
	const struct listener_spec *inter_broker;
};

/* The keys as they are set; null = not set. */
struct listeners_keys {
	struct slice listeners;
	struct slice advertised;
	struct slice protocol_map;
	struct slice inter_broker_name;
	struct slice inter_broker_protocol;
	bool inter_broker_protocol_is_set; /* in the file, not by default */
};

/* True: ret_listeners is set, in the arena. False: the key at fault and a sentence about it. */
bool listeners_parse(const struct listeners_keys *keys, struct arena *arena, struct listeners *ret_listeners, const char **ret_key,
		     const char **ret_refusal);

/* "host:port", in the text; an address of IPv6 stands in brackets, which are not of the host. The host may be empty. */
bool listeners_read_address(struct slice text, struct slice *ret_host, int32_t *ret_port);

/* The listener of a name in any letter case; NULL when there is none. */
const struct listener_spec *listeners_find(const struct listeners *listeners, struct slice name);

#endif
