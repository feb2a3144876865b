/*
 * Reads that any connection may answer; see zk_get_anywhere in session.h.
 *
 *     gets --> queue --> source 0: the session itself
 *                  \--> sources 1..: helper sessions, opened when the queue is long, closed when there is nothing to do
 *
 * A server handles the requests of one connection one by one, so several connections read several times as fast. A helper may
 * reach another server, which lags: it sends a sync before the first read that is younger than its last sync. A helper that
 * fails gives its reads back. The structs of helpers go from a timer of the main session (no session goes in its own callback).
 */
#include "zk/session_internal.h"

#include "common/limits.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

/* A shorter queue is read before helpers have their sessions. */
#define HELP_FROM 1000

/* Requests under way on one connection: covers the way to the server and back, and leaves work to the others. */
#define WINDOW 128

/* Helpers stay for the next burst of the same takeover. */
#define HELPERS_IDLE_MS 2000

struct source {
	struct spread *spread;
	struct zk_session *session; /* NULL = not there */
	bool usable;
	int n_under_way;
	int64_t synced; /* gets up to this number are at least as new as their call */
};

struct get {
	struct get *next, **link;
	struct source *source;
	int64_t number;
	void (*done)(void *ctx, const struct zk_result *result); /* NULL = told already: the late answer only frees */
	void *ctx;
	char path[];
};

struct get_list {
	struct get *head;
	struct get **tail;
	int n;
};

struct spread {
	struct zk_session *session;
	struct source sources[MUX_PORTS_MAX];
	struct get_list queue;
	struct get_list under_way;
	int64_t last_number;
	struct zk_timer timer; /* helpers to free, or idle for long */
};

/* ---- Lists ---- */

static void list_push(struct get_list *list, struct get *get)
{
	get->next = NULL;
	get->link = list->tail;
	*list->tail = get;
	list->tail = &get->next;
	list->n++;
}

static void list_push_front(struct get_list *list, struct get *get)
{
	get->next = list->head;
	get->link = &list->head;
	if (get->next)
		get->next->link = &get->next;
	else
		list->tail = &get->next;
	list->head = get;
	list->n++;
}

static void list_remove(struct get_list *list, struct get *get)
{
	*get->link = get->next;
	if (get->next)
		get->next->link = get->link;
	else
		list->tail = get->link;
	list->n--;
}

/* ---- Reading ---- */

static void on_got(void *ctx, const struct zk_result *result);

static void source_feed(struct source *source)
{
	struct spread *spread = source->spread;

	while (source->usable && source->n_under_way < WINDOW && spread->queue.head) {
		struct get *get = spread->queue.head;

		list_remove(&spread->queue, get);
		list_push(&spread->under_way, get);
		if (source != &spread->sources[0] && get->number > source->synced) {
			source->synced = spread->last_number;
			zk_sync(source->session, NULL, NULL);
		}
		get->source = source;
		source->n_under_way++;
		zk_get(source->session, get->path, NULL, on_got, get);
	}
}

/* What became of the helper's session says nothing about the node. */
static bool is_helpers_own(const struct source *source, int code)
{
	return source != &source->spread->sources[0] &&
	       (code == ERR_SESSION_LOST || code == ERR_CLOSED || code == ERR_LIMIT || code == ERR_UNKNOWN_OUTCOME);
}

static void on_got(void *ctx, const struct zk_result *result)
{
	struct get *get = ctx;
	struct source *source = get->source;
	struct spread *spread = source->spread;

	source->n_under_way--;
	if (!get->done) {
		free(get);
		return;
	}
	list_remove(&spread->under_way, get);
	if (is_helpers_own(source, result->code)) {
		source->usable = false;
		list_push_front(&spread->queue, get);
		source_feed(&spread->sources[0]);
		return;
	}
	get->done(get->ctx, result);
	free(get);
	source_feed(source);
	if (spread->queue.n == 0 && spread->under_way.n == 0 && spread->session->mux && !spread->session->close_asked)
		zk_timer_set(spread->session, &spread->timer, HELPERS_IDLE_MS);
}

/* ---- Helpers ---- */

static void helpers_close(struct spread *spread)
{
	for (int i = 1; i < MUX_PORTS_MAX; i++) {
		struct source *source = &spread->sources[i];

		source->usable = false;
		if (source->session)
			zk_session_close(source->session);
	}
}

static void helper_free(struct source *source, int i)
{
	struct zk_session *helper = source->session;

	mux_set_session(source->spread->session->mux, i, NULL);
	source->session = NULL;
	source->usable = false;
	zk_session_free(helper);
}

/* The session has its place in the loop for itself again. */
static void mux_release(struct zk_session *session)
{
	struct mux *mux = session->mux;

	session->mux = NULL;
	if (mux)
		mux_free(mux);
}

static void on_timer(struct zk_timer *timer)
{
	struct spread *spread = CONTAINER_OF(timer, struct spread, timer);
	bool idle = spread->queue.n == 0 && spread->under_way.n == 0;
	int n_open = 0;

	for (int i = 1; i < MUX_PORTS_MAX; i++) {
		struct source *source = &spread->sources[i];

		if (source->session && zk_session_state(source->session) == ZK_CLOSED)
			helper_free(source, i);
		n_open += source->session != NULL;
	}
	if (n_open == 0)
		mux_release(spread->session);
	else if (idle)
		helpers_close(spread);
}

static void on_helper_state(void *ctx, enum zk_state state, bool new_session)
{
	struct source *source = ctx;

	if (state == ZK_CONNECTED && new_session) {
		source->usable = true;
		source_feed(source);
	} else if (state == ZK_LOST || state == ZK_AUTH_FAILED) {
		source->usable = false;
		zk_session_close(source->session);
	} else if (state == ZK_CLOSED) {
		zk_timer_set(source->spread->session, &source->spread->timer, 0);
	}
}

static bool helper_open(struct spread *spread, int i)
{
	const struct zk_session *session = spread->session;
	struct source *source = &spread->sources[i];
	struct zk_listener listener = {.ctx = source, .on_state = on_helper_state};
	struct zk_connect connect = {memory_copy_text(session->connect.servers), memory_copy_text(session->connect.chroot),
				     false};
	struct zk_config config = session->config;
	struct zk_loop port;

	config.create_chroot = false;
	config.old_session_id = 0;
	mux_port(session->mux, i, &port);
	*source = (struct source){.spread = spread};
	if (session_new(&config, &connect, &port, &listener, &source->session) != 0)
		return false;
	source->session->helper = true;
	source->session->chroot_ready = true;
	mux_set_session(session->mux, i, source->session);
	return true;
}

static void helpers_open(struct spread *spread)
{
	struct zk_session *session = spread->session;

	session->mux = mux_new(session);
	for (int i = 1; session->mux && i < MUX_PORTS_MAX; i++)
		if (!helper_open(spread, i))
			break;
}

/* ---- The session's side ---- */

void spread_end(struct zk_session *session, int code)
{
	struct spread *spread = session->spread;
	const struct zk_result result = {.code = code};

	if (!spread)
		return;
	helpers_close(spread);
	for (int n = spread->queue.n; n > 0 && spread->queue.head; n--) {
		struct get *get = spread->queue.head;

		list_remove(&spread->queue, get);
		get->done(get->ctx, &result);
		free(get);
	}
	for (int n = spread->under_way.n; n > 0 && spread->under_way.head; n--) {
		struct get *get = spread->under_way.head;
		void (*done)(void *ctx, const struct zk_result *result) = get->done;

		list_remove(&spread->under_way, get);
		get->done = NULL;
		done(get->ctx, &result);
	}
}

void spread_free(struct zk_session *session)
{
	struct spread *spread = session->spread;

	if (!spread)
		return;
	spread_end(session, ERR_CLOSED);
	for (int i = 1; i < MUX_PORTS_MAX; i++)
		if (spread->sources[i].session)
			helper_free(&spread->sources[i], i);
	mux_release(session);
	session->spread = NULL;
	free(spread);
}

static struct spread *spread_of(struct zk_session *session)
{
	struct spread *spread = session->spread;

	if (spread)
		return spread;
	spread = session->spread = NEW(struct spread);
	spread->session = session;
	spread->timer.fired = on_timer;
	spread->queue.tail = &spread->queue.head;
	spread->under_way.tail = &spread->under_way.head;
	for (int i = 0; i < MUX_PORTS_MAX; i++)
		spread->sources[i].spread = spread;
	spread->sources[0].session = session;
	spread->sources[0].usable = true;
	return spread;
}

void zk_get_anywhere(struct zk_session *session, const char *path, ZK_DONE)
{
	struct spread *spread;
	size_t len = strlen(path) + 1;
	struct get *get;

	spread = spread_of(session);
	if (session->close_asked || spread->queue.n >= LIMIT_ZK_CALLS) {
		call_refuse(session, session->close_asked ? ERR_CLOSED : ERR_LIMIT, done, ctx);
		return;
	}
	get = memory_alloc(sizeof *get + len);
	get->number = ++spread->last_number;
	get->done = done;
	get->ctx = ctx;
	memcpy(get->path, path, len);
	list_push(&spread->queue, get);
	if (spread->queue.n >= HELP_FROM && !session->mux)
		helpers_open(spread);
	for (int i = 0; i < MUX_PORTS_MAX; i++)
		source_feed(&spread->sources[i]);
}
