/* One connection of the client: what the broker serves, one request at a time. Private to kafka_client.c. */
#ifndef KLAMM_TOOLS_KLAMM_KAFKA_LINK_H
#define KLAMM_TOOLS_KLAMM_KAFKA_LINK_H

#include "tools/klamm/kafka_client.h"

struct kafka_link {
	struct kafka_link *next;
	const struct kafka_client_config *config;
	struct arena *arena; /* the client's: answers lie there */
	char name[280];      /* "host:port" for errors */
	int fd;
	int32_t node_id; /* CLIENT_ANY for a bootstrap address */
	int32_t correlation_id;
	struct kafka_range *ranges;
	int n_ranges;
};

/* Dials and asks for the versions. */
int kafka_link_open(const struct kafka_client_config *config, struct arena *arena, const char *host, int port,
		    struct kafka_link **ret_link, struct error *err);
void kafka_link_close(struct kafka_link *link);

/* Highest version that both have, -1 for none. */
int kafka_link_version(const struct kafka_link *link, enum api_key key);

int kafka_link_call(struct kafka_link *link, enum api_key key, const void *request, void *ret_response, struct error *err);

#endif
