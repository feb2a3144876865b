/* One connection of the client: what the broker serves, one request at a time. Private to client.c. */
#ifndef KLAMM_TOOLS_KLAMM_CLIENT_LINK_H
#define KLAMM_TOOLS_KLAMM_CLIENT_LINK_H

#include "tools/klamm/client.h"

struct client_link {
	struct client_link *next;
	const struct client_config *config;
	struct arena *arena; /* the client's: answers lie there */
	char name[280];      /* "host:port" for errors */
	int fd;
	int32_t node_id; /* CLIENT_ANY for a bootstrap address */
	int32_t correlation_id;
	struct client_range *ranges;
	int n_ranges;
};

/* Dials and asks for the versions. */
int client_link_open(const struct client_config *config, struct arena *arena, const char *host, int port,
		     struct client_link **ret_link, struct error *err);
void client_link_close(struct client_link *link);

/* Highest version that both have, -1 for none. */
int client_link_version(const struct client_link *link, enum api_key key);

int client_link_call(struct client_link *link, enum api_key key, const void *request, void *ret_response, struct error *err);

#endif
