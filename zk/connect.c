/* From zookeeper.connect to addresses; see connect.h. */
#include "zk/connect.h"

#include "common/memory.h"
#include "common/trace.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* "host", "host:port", "[v6]", "[v6]:port" -> host and port, in place. */
static bool connect_split(char *server, char **ret_host, const char **ret_port)
{
	char *end;

	*ret_port = ZK_DEFAULT_PORT;
	if (*server == '[') {
		end = strchr(server, ']');
		if (!end || (end[1] != '\0' && end[1] != ':'))
			return false;
		*ret_host = server + 1;
		if (end[1] == ':')
			*ret_port = end + 2;
		*end = '\0';
	} else {
		*ret_host = server;
		end = strchr(server, ':');
		if (end) {
			*end = '\0';
			*ret_port = end + 1;
		}
	}
	return **ret_host != '\0';
}

static bool port_is_valid(const char *port)
{
	size_t len = strlen(port);

	return len > 0 && len <= 5 && strspn(port, "0123456789") == len && atoi(port) > 0 && atoi(port) <= 65535;
}

static void connect_add(char **servers, const char *address, const char *port)
{
	char *longer = memory_printf("%s%s%s:%s", *servers, **servers ? "," : "", address, port);

	free(*servers);
	*servers = longer;
}

/* Adds each address of the host once; a host that does not resolve adds none. */
static void connect_resolve_host(const char *host, const char *port, char **servers)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(host, port, &hints, &found);

	if (rc != 0) {
		trace_warn("zookeeper", "cannot resolve %s: %s", host, gai_strerror(rc));
		return;
	}
	for (struct addrinfo *at = found; at; at = at->ai_next) {
		char text[NI_MAXHOST];

		if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0)
			connect_add(servers, text, port);
	}
	freeaddrinfo(found);
}

static bool chroot_is_valid(const char *chroot)
{
	size_t len = strlen(chroot);

	return chroot[0] == '/' && !strstr(chroot, "//") && !strstr(chroot, "/./") && !strstr(chroot, "/../") && len < 1024;
}

static int connect_resolve_all(char *list, const char *connect, char **servers, struct error *err)
{
	char *rest = NULL;
	int n = 0;

	for (char *server = strtok_r(list, ", ", &rest); server; server = strtok_r(NULL, ", ", &rest), n++) {
		char *host;
		const char *port;

		if (!connect_split(server, &host, &port) || !port_is_valid(port))
			return error_set(err, ERR_CONFIG, "zookeeper.connect=%s: a server is written host:port", connect);
		connect_resolve_host(host, port, servers);
	}
	if (n == 0)
		return error_set(err, ERR_CONFIG, "zookeeper.connect=%s names no server", connect);
	if (**servers == '\0')
		return error_set(err, ERR_NOT_FOUND, "zookeeper.connect=%s: no server name can be resolved", connect);
	return 0;
}

int zk_connect_resolve(const char *connect, struct zk_connect *ret_connect, struct error *err)
{
	char *list = memory_copy_text(connect);
	char *chroot = strchr(list, '/');
	struct zk_connect result = {memory_copy_text(""), memory_copy_text(chroot ? chroot : "")};
	size_t len = strlen(result.chroot);
	int rc;

	if (chroot)
		*chroot = '\0';
	if (len > 0 && !chroot_is_valid(result.chroot)) {
		rc = error_set(err, ERR_CONFIG, "zookeeper.connect=%s: the chroot is no valid path", connect);
	} else {
		while (len > 0 && result.chroot[len - 1] == '/')
			result.chroot[--len] = '\0';
		rc = connect_resolve_all(list, connect, &result.servers, err);
	}
	free(list);
	if (rc != 0)
		zk_connect_fini(&result);
	else
		*ret_connect = result;
	return rc;
}

void zk_connect_fini(struct zk_connect *connect)
{
	free(connect->servers);
	free(connect->chroot);
	connect->servers = connect->chroot = NULL;
}
