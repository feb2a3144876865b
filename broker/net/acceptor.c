/* See acceptor.h. */
#include "broker/net/acceptor.h"

#include "broker/net/address.h"
#include "broker/net/listener.h"
#include "broker/net/net.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/memory.h"
#include "common/trace.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

/* A half-open connection is found after 60 + 4 * 15 seconds. */
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_INTERVAL_S 15
#define KEEPALIVE_PROBES 4

const struct acceptor_limits acceptor_limits_default = {
	.connections_max = INT32_MAX,
	.connections_per_ip_max = INT32_MAX,
	.creation_rate_max = INT32_MAX,
};

struct acceptor_address {
	char host[INET6_ADDRSTRLEN];
	int n_open;
	UT_hash_handle hh;
};

int acceptor_init(struct acceptor *acceptor, struct worker *hub, const struct acceptor_limits *limits, struct net **nets,
		  int n_nets)
{
	*acceptor = (struct acceptor){.hub = hub, .limits = *limits, .nets = nets, .n_nets = n_nets};
	acceptor->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return acceptor->spare_fd < 0 ? ERR_LIMIT : 0;
}

void acceptor_fini(struct acceptor *acceptor)
{
	CHECK(!acceptor->listeners && !acceptor->addresses && acceptor->counters.n_open == 0);
	if (acceptor->spare_fd >= 0)
		close(acceptor->spare_fd);
}

static void offer_room(struct acceptor *acceptor)
{
	for (struct listener *listener = acceptor->listeners; listener; listener = listener->next)
		listener_on_room(listener);
}

void acceptor_set_limits(struct acceptor *acceptor, const struct acceptor_limits *limits)
{
	acceptor->limits = *limits;
	offer_room(acceptor);
}

bool acceptor_has_room(const struct acceptor *acceptor, const struct listener *listener)
{
	int64_t max = acceptor->limits.connections_max;

	if (acceptor->has_inter_broker && !listener->info.inter_broker)
		max -= max / 10;
	return acceptor->counters.n_open < max;
}

static int max_of_host(const struct acceptor *acceptor, const char *host)
{
	for (int i = 0; i < acceptor->limits.n_overrides; i++)
		if (strcmp(acceptor->limits.overrides[i].host, host) == 0)
			return acceptor->limits.overrides[i].n_max;
	return acceptor->limits.connections_per_ip_max;
}

static struct acceptor_address *find_address(struct acceptor *acceptor, const char *host)
{
	struct acceptor_address *address;

	HASH_FIND_STR(acceptor->addresses, host, address);
	return address;
}

/* False when the address has as many as it may. */
static bool count_in(struct acceptor *acceptor, const char *host)
{
	struct acceptor_address *address = find_address(acceptor, host);

	if ((address ? address->n_open : 0) >= max_of_host(acceptor, host))
		return false;
	if (!address) {
		address = NEW(struct acceptor_address);
		memcpy(address->host, host, sizeof address->host);
		HASH_ADD_STR(acceptor->addresses, host, address);
	}
	address->n_open++;
	acceptor->counters.n_open++;
	return true;
}

static void count_out(struct acceptor *acceptor, const char *host)
{
	struct acceptor_address *address = find_address(acceptor, host);

	CHECK(address);
	acceptor->counters.n_open--;
	if (--address->n_open == 0) {
		HASH_DEL(acceptor->addresses, address);
		free(address);
	}
	offer_room(acceptor);
}

static void on_released(struct message *message)
{
	struct client *client = CONTAINER_OF(message, struct client, message);

	count_out(client->acceptor, client->host);
	free(client);
}

void client_release(struct client *client)
{
	client->message.run = on_released;
	if (client->acceptor)
		worker_post(client->acceptor->hub, &client->message);
	else
		free(client);
}

static void set_option(int fd, int level, int name, int value)
{
	/* A socket without one of these still works. */
	(void)setsockopt(fd, level, name, &value, sizeof value);
}

static void prepare_socket(int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

void acceptor_take(struct acceptor *acceptor, const struct listener *listener, int fd, const struct sockaddr_storage *address)
{
	struct client *client = NEW(struct client);

	client->fd = fd;
	client->address = *address;
	client->listener = &listener->info;
	client->principal = &principal_anonymous;
	client->acceptor = acceptor;
	client_describe(client);
	if (!count_in(acceptor, client->host)) {
		trace_limited(TRACE_WARN, "net",
			      "%s: connection refused on listener %s: the address has max.connections.per.ip=%d open",
			      client->address_text, listener->info.name, max_of_host(acceptor, client->host));
		acceptor->counters.n_refused_ip++;
		close(fd);
		free(client);
		return;
	}
	prepare_socket(fd);
	acceptor->counters.n_accepted++;
	client->accept_number = ++acceptor->accept_number;
	client->accepted_ms = clock_ms();
	net_deal(acceptor->nets[acceptor->next_net], client);
	acceptor->next_net = (acceptor->next_net + 1) % acceptor->n_nets;
}

void acceptor_refuse_one(struct acceptor *acceptor, int listener_fd)
{
	int fd;

	acceptor->counters.n_refused_fd++;
	if (acceptor->spare_fd >= 0)
		close(acceptor->spare_fd);
	fd = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	acceptor->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}
