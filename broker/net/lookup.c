/* See lookup.h. */
#include "broker/net/lookup.h"

#include "common/memory.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lookup {
	struct disk_job job;
	lookup_done *done; /* NULL: no longer wanted */
	void *ctx;
	char host[LOOKUP_HOST_BYTES];
	uint16_t port;
	int code;
	struct sockaddr_storage address;
};

static void look_up(struct disk_job *job)
{
	struct lookup *lookup = CONTAINER_OF(job, struct lookup, job);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *found = NULL;
	char port[8];

	snprintf(port, sizeof port, "%u", lookup->port);
	lookup->code = getaddrinfo(lookup->host, port, &hints, &found);
	if (lookup->code == 0)
		memcpy(&lookup->address, found->ai_addr, found->ai_addrlen);
	if (found)
		freeaddrinfo(found);
}

static void on_looked_up(struct disk_job *job)
{
	struct lookup *lookup = CONTAINER_OF(job, struct lookup, job);

	if (lookup->done && lookup->code == 0)
		lookup->done(lookup->ctx, &lookup->address, NULL);
	else if (lookup->done)
		lookup->done(lookup->ctx, NULL, gai_strerror(lookup->code));
	free(lookup);
}

struct lookup *lookup_start(struct disk *resolver, struct worker *worker, const char *host, uint16_t port, lookup_done *done, void *ctx)
{
	struct lookup *lookup = NEW(struct lookup);

	lookup->job = (struct disk_job){.run = look_up, .done = on_looked_up, .reply_to = worker};
	lookup->done = done;
	lookup->ctx = ctx;
	lookup->port = port;
	snprintf(lookup->host, sizeof lookup->host, "%s", host);
	disk_post(resolver, &lookup->job);
	return lookup;
}

void lookup_cancel(struct lookup *lookup)
{
	lookup->done = NULL;
}
