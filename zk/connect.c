/* From zookeeper.connect to addresses; see connect.h. */
#include "zk/connect.h"

#include "common/memory.h"
#include "common/refcount.h"
#include "common/trace.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Of all hosts together. */
#define ADDRESSES_MAX 64

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

struct address_list {
	char *texts[ADDRESSES_MAX];
	int n;
	bool has_names;
};

static void list_add(struct address_list *list, const char *address, const char *port)
{
	char *text = memory_printf("%s:%s", address, port);

	for (int i = 0; i < list->n; i++)
		if (strcmp(list->texts[i], text) == 0) {
			free(text);
			return;
		}
	if (list->n < ADDRESSES_MAX)
		list->texts[list->n++] = text;
	else
		free(text);
}

static int compare_texts(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* "a,b,c"; the list is empty afterwards. */
static char *list_join(struct address_list *list)
{
	char *joined = memory_copy_text("");

	qsort(list->texts, (size_t)list->n, sizeof list->texts[0], compare_texts);
	for (int i = 0; i < list->n; i++) {
		char *longer = memory_printf("%s%s%s", joined, i > 0 ? "," : "", list->texts[i]);

		free(joined);
		free(list->texts[i]);
		joined = longer;
	}
	list->n = 0;
	return joined;
}

/* Adds each address of the host; a host that does not resolve adds none. */
static void list_add_host(struct address_list *list, const char *host, const char *port)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(host, port, &hints, &found);

	if (rc != 0) {
		list->has_names = true;
		hints.ai_flags = 0;
		rc = getaddrinfo(host, port, &hints, &found);
	}
	if (rc != 0) {
		trace_warn("zookeeper", "cannot resolve %s: %s", host, gai_strerror(rc));
		return;
	}
	for (struct addrinfo *at = found; at; at = at->ai_next) {
		char text[NI_MAXHOST];

		if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0)
			list_add(list, text, port);
	}
	freeaddrinfo(found);
}

static bool chroot_is_valid(const char *chroot)
{
	size_t len = strlen(chroot);

	return chroot[0] == '/' && !strstr(chroot, "//") && !strstr(chroot, "/./") && !strstr(chroot, "/../") && len < 1024;
}

static int list_add_all(struct address_list *list, char *servers, const char *connect, struct error *err)
{
	char *rest = NULL;
	int n = 0;

	for (char *server = strtok_r(servers, ", ", &rest); server; server = strtok_r(NULL, ", ", &rest), n++) {
		char *host;
		const char *port;

		if (!connect_split(server, &host, &port) || !port_is_valid(port))
			return error_set(err, ERR_CONFIG, "zookeeper.connect=%s: a server is written host:port", connect);
		list_add_host(list, host, port);
	}
	if (n == 0)
		return error_set(err, ERR_CONFIG, "zookeeper.connect=%s names no server", connect);
	if (list->n == 0)
		return error_set(err, ERR_NOT_FOUND, "zookeeper.connect=%s: no server name can be resolved", connect);
	return 0;
}

int zk_connect_resolve(const char *connect, struct zk_connect *ret_connect, struct error *err)
{
	char *servers = memory_copy_text(connect);
	char *slash = strchr(servers, '/');
	char *chroot = memory_copy_text(slash ? slash : "");
	size_t len = strlen(chroot);
	struct address_list list = {.n = 0};
	int rc;

	if (slash)
		*slash = '\0';
	if (len > 0 && !chroot_is_valid(chroot)) {
		rc = error_set(err, ERR_CONFIG, "zookeeper.connect=%s: the chroot is no valid path", connect);
	} else {
		while (len > 0 && chroot[len - 1] == '/')
			chroot[--len] = '\0';
		rc = list_add_all(&list, servers, connect, err);
	}
	free(servers);
	servers = list_join(&list);
	if (rc == 0) {
		*ret_connect = (struct zk_connect){servers, chroot, list.has_names};
		return 0;
	}
	free(servers);
	free(chroot);
	return rc;
}

void zk_connect_fini(struct zk_connect *connect)
{
	free(connect->servers);
	free(connect->chroot);
	connect->servers = connect->chroot = NULL;
}

/* ---- In the background ---- */

enum { RUNNING, FOUND, NOT_FOUND };

struct zk_resolving {
	struct refcount refs; /* the session and the thread */
	char *text;
	struct zk_connect connect;
	struct shared_i64 state;
};

void zk_resolving_drop(struct zk_resolving *resolving)
{
	if (!resolving || !refcount_release(&resolving->refs))
		return;
	if (resolving->connect.servers)
		zk_connect_fini(&resolving->connect);
	free(resolving->text);
	free(resolving);
}

static void *resolving_run(void *arg)
{
	struct zk_resolving *resolving = arg;
	int rc = zk_connect_resolve(resolving->text, &resolving->connect, NULL);

	shared_i64_set(&resolving->state, rc == 0 ? FOUND : NOT_FOUND);
	zk_resolving_drop(resolving);
	return NULL;
}

struct zk_resolving *zk_resolving_start(const char *connect)
{
	struct zk_resolving *resolving = NEW(struct zk_resolving);
	pthread_attr_t attributes;
	pthread_t thread;

	refcount_init(&resolving->refs);
	refcount_retain(&resolving->refs);
	resolving->text = memory_copy_text(connect);
	/* Nobody waits for it: a name service may take minutes to fail. */
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attributes, resolving_run, resolving) != 0) {
		shared_i64_set(&resolving->state, NOT_FOUND);
		zk_resolving_drop(resolving);
	}
	pthread_attr_destroy(&attributes);
	return resolving;
}

bool zk_resolving_done(struct zk_resolving *resolving, struct zk_connect *ret_connect, bool *ret_found)
{
	int64_t state = shared_i64_get(&resolving->state);

	*ret_found = state == FOUND;
	if (state == FOUND) {
		*ret_connect = resolving->connect;
		resolving->connect = (struct zk_connect){0};
	}
	return state != RUNNING;
}
