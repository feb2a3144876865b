/*
 * evhttp behind http_server.h. evhttp neither counts connections nor bounds their lives, and does not tell when one ends that has asked for
 * nothing. So each connection has an evhttp of its own, a *door*, which can be freed as a whole:
 *
 *     FREE --> LISTENS --accept--> OPEN --request--> ASKED --answer sent--> DONE --> FREE
 *              one at a time,       |                  |
 *              on its own copy of   '-- its time is over, or (OPEN) its place is needed --> FREE
 *              the descriptor
 *
 * Doors are freed and opened in `settle`, at the end of the loop's turn, never inside evhttp's callbacks.
 */
#include "broker/rt/http_server.h"

#include "common/clock.h"
#include "common/memory.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADERS_BYTES_MAX 8192
#define BODY_BYTES_MAX 4096
#define BACKLOG 16

/* When accepting has failed, for want of descriptors or memory, it is tried again after: */
#define RETRY_MS 1000

#define CONNECTION_MS 10000

enum door_state { DOOR_FREE, DOOR_LISTENS, DOOR_OPEN, DOOR_ASKED, DOOR_DONE };

struct http_door {
	struct http_server *server;
	enum door_state state;
	struct evhttp *http; /* NULL: FREE */
	struct evconnlistener *listener;
	struct http_request *request; /* that waits for its answer; NULL: none */
	int64_t end_ms;               /* of a connection */
};

struct http_request {
	struct http_door *door; /* NULL: the connection is gone */
	struct evhttp_request *request; /* NULL: so is this */
};

struct http_server {
	struct loop *loop;
	int fd;
	uint16_t port;
	struct http_server_args args;
	int64_t listen_again_ms; /* accepting has failed: not before; 0: it has not */
	struct http_door doors[HTTP_CONNECTIONS_MAX];
	struct deferred settle;
	struct timer timer;
};

/* ---- doors ---- */

static void door_close(struct http_door *door)
{
	/* evhttp frees what is still under way with the connection. */
	if (door->request)
		*door->request = (struct http_request){0};
	door->request = NULL;
	evhttp_free(door->http);
	door->http = NULL;
	door->state = DOOR_FREE;
}

static void door_become(struct http_door *door, enum door_state state)
{
	door->state = state;
	loop_defer(door->server->loop, &door->server->settle);
}

static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
	struct http_door *door = arg;

	evconnlistener_disable(door->listener);
	door->end_ms = clock_ms() + door->server->args.connection_ms;
	door_become(door, DOOR_OPEN);
	/* One that evhttp makes itself is closed before the loop forgets its number, which may be another thread's file by then. */
	return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
}

/* Would be told again at once and for ever. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct http_door *door = arg;

	evconnlistener_disable(listener);
	door->server->listen_again_ms = clock_ms() + RETRY_MS;
	door_become(door, DOOR_DONE);
}

static void on_connection_closed(struct evhttp_connection *connection, void *arg)
{
	struct http_door *door = arg;

	(void)connection;
	/* evhttp leaves a request that is not answered to the one who is to answer. */
	if (door->request)
		door->request->door = NULL;
	door->request = NULL;
	door_become(door, DOOR_DONE);
}

/* ---- requests ---- */

static void send_text(struct evhttp_request *request, int status, const char *content_type, struct slice body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *buffer = evbuffer_new();

	CHECK(headers && buffer);
	evhttp_add_header(headers, "Content-Type", content_type);
	evhttp_add_header(headers, "Connection", "close");
	evbuffer_add(buffer, body.data, body.len);
	evhttp_send_reply(request, status, NULL, buffer);
	evbuffer_free(buffer);
}

static void refuse(struct evhttp_request *request, int status, const char *text)
{
	if (status == HTTP_BADMETHOD)
		evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET");
	send_text(request, status, "text/plain; charset=utf-8", slice_of_text(text));
}

static const struct http_page *find_page(const struct http_server *server, struct evhttp_request *request)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;

	for (int i = 0; path && i < server->args.n_pages; i++)
		if (strcmp(path, server->args.pages[i].path) == 0)
			return &server->args.pages[i];
	return NULL;
}

static void on_request(struct evhttp_request *request, void *arg)
{
	struct http_door *door = arg;
	const struct http_page *page = find_page(door->server, request);

	evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_connection_closed, door);
	door->state = DOOR_ASKED;
	if (!page) {
		refuse(request, HTTP_NOTFOUND, "There is no such page.\n");
		return;
	}
	if (evhttp_request_get_command(request) != EVHTTP_REQ_GET) {
		refuse(request, HTTP_BADMETHOD, "This page can only be read.\n");
		return;
	}
	CHECK(!door->request);
	door->request = NEW(struct http_request);
	*door->request = (struct http_request){door, request};
	page->on_get(door->server->args.ctx, door->request);
}

void http_reply(struct http_request *request, int status, const char *content_type, struct slice body)
{
	if (request->door)
		request->door->request = NULL;
	if (request->request)
		send_text(request->request, status, content_type, body);
	free(request);
}

/* ---- accepting ---- */

static void door_listen(struct http_door *door)
{
	struct http_server *server = door->server;
	int fd = fcntl(server->fd, F_DUPFD_CLOEXEC, 0);
	struct evhttp_bound_socket *bound;

	if (fd < 0) {
		server->listen_again_ms = clock_ms() + RETRY_MS;
		return;
	}
	door->http = evhttp_new(server->loop->base);
	CHECK(door->http);
	evhttp_set_max_headers_size(door->http, HEADERS_BYTES_MAX);
	evhttp_set_max_body_size(door->http, BODY_BYTES_MAX);
	/* All of them: it is on_request that says which are allowed, and 405 for the others. */
	evhttp_set_allowed_methods(door->http, 0xffff);
	evhttp_set_gencb(door->http, on_request, door);
	evhttp_set_bevcb(door->http, on_accept, door);
	bound = evhttp_accept_socket_with_handle(door->http, fd);
	/* Fails as loop_fd_watch does. */
	CHECK(bound);
	door->listener = evhttp_bound_socket_get_listener(bound);
	evconnlistener_set_error_cb(door->listener, on_accept_error);
	door->state = DOOR_LISTENS;
}

/* One that is free, or the oldest that has not asked for anything yet. NULL: all have asked. */
static struct http_door *door_to_spare(struct http_server *server)
{
	struct http_door *oldest = NULL;

	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		struct http_door *door = &server->doors[i];

		if (door->state == DOOR_FREE)
			return door;
		if (door->state == DOOR_OPEN && (!oldest || door->end_ms < oldest->end_ms))
			oldest = door;
	}
	return oldest;
}

/* Somebody accepts, where anybody can. */
static void listen_on(struct http_server *server, int64_t now_ms)
{
	struct http_door *door;
	int64_t ask_by_ms;

	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		if (server->doors[i].state == DOOR_LISTENS)
			return;
	door = door_to_spare(server);
	if (!door)
		return;
	if (door->state == DOOR_OPEN) {
		ask_by_ms = door->end_ms - server->args.connection_ms + server->args.connection_ms / 10;
		if (now_ms < ask_by_ms) {
			timer_set_earlier(&server->timer, ask_by_ms);
			return;
		}
		door_close(door);
	}
	door_listen(door);
}

static void close_what_is_over(struct http_server *server, int64_t now_ms)
{
	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		struct http_door *door = &server->doors[i];
		bool is_connection = door->state == DOOR_OPEN || door->state == DOOR_ASKED;

		if (door->state == DOOR_DONE || (is_connection && now_ms >= door->end_ms))
			door_close(door);
		else if (is_connection)
			timer_set_earlier(&server->timer, door->end_ms);
	}
}

static void settle(struct http_server *server)
{
	int64_t now_ms = clock_ms();

	close_what_is_over(server, now_ms);
	if (now_ms >= server->listen_again_ms) {
		server->listen_again_ms = 0;
		listen_on(server, now_ms);
	}
	if (server->listen_again_ms)
		timer_set_earlier(&server->timer, server->listen_again_ms);
}

static void on_settle(struct deferred *deferred)
{
	settle(CONTAINER_OF(deferred, struct http_server, settle));
}

static void on_timer(struct timer *timer)
{
	settle(CONTAINER_OF(timer, struct http_server, timer));
}

/* ---- life ---- */

static int listen_at(const struct sockaddr *address, socklen_t len)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, failure;

	if (fd < 0)
		return ERR_LIMIT;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, address, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	failure = errno;
	close(fd);
	return failure == EADDRINUSE ? ERR_BUSY : ERR_INVALID;
}

/* A descriptor, or an error. */
static int resolve_and_listen(const struct http_server_args *args)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found;
	char host[NI_MAXHOST], port[8];
	int fd;

	snprintf(host, sizeof host, "%.*s", SLICE_ARGS(args->host));
	snprintf(port, sizeof port, "%d", args->port);
	if (getaddrinfo(host, port, &hints, &found))
		return ERR_NOT_FOUND;
	fd = listen_at(found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof address;

	CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
	return ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
						   : ((struct sockaddr_in6 *)&address)->sin6_port);
}

int http_server_open(struct loop *loop, const struct http_server_args *args, struct http_server **ret_server, struct error *err)
{
	struct http_server *server;
	int fd = resolve_and_listen(args);

	if (fd < 0)
		return error_set(err, fd, "cannot listen on %.*s port %d: %s", SLICE_ARGS(args->host), args->port, error_text(fd));
	server = NEW(struct http_server);
	server->loop = loop;
	server->fd = fd;
	server->port = port_of(fd);
	server->args = *args;
	server->args.host = SLICE_NULL; /* the caller's */
	if (args->connection_ms == 0)
		server->args.connection_ms = CONNECTION_MS;
	server->settle.run = on_settle;
	timer_init(&server->timer, loop, on_timer);
	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		server->doors[i].server = server;
	settle(server);
	*ret_server = server;
	return 0;
}

void http_server_close(struct http_server *server)
{
	if (!server)
		return;
	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		if (server->doors[i].http)
			door_close(&server->doors[i]);
	loop_undefer(server->loop, &server->settle);
	timer_stop(&server->timer);
	close(server->fd);
	free(server);
}

uint16_t http_server_port(const struct http_server *server)
{
	return server->port;
}
