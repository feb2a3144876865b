/*
 * Reading many nodes; see zk_get_many in session.h.
 *
 *     indexes still to read --> source 0: the session itself     each begins with a sync of its own
 *                          \--> sources 1..: helper sessions, as soon as each is connected
 *
 * A helper that fails gives its indexes back. After `done` the helpers are closed; answers that still come are dropped. A job without
 * helpers goes with its last answer, one with helpers from a timer of the main session (no session goes in its own callback).
 */
#include "zk/session_internal.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

/* Below this many the sessions of the helpers cost more than they save. */
#define HELP_FROM 2000

/* Requests under way on one connection: covers the way to the server and back, and leaves work to the others. */
#define WINDOW 128

struct source {
	struct many_job *job;
	struct zk_session *session; /* NULL = freed */
	bool ready;                 /* synced, and not lost since */
	int n_under_way;
};

struct get {
	struct source *source;
	const char *path;
	int next; /* in the list of those to read again; -1 = end */
};

struct many_job {
	struct zk_session *session;
	struct source sources[MUX_PORTS_MAX];
	int n_sources;
	struct get *gets;
	char *texts;
	int n, n_begun, n_told;
	int again;       /* first get that its source gave back; -1 = none */
	int n_under_way; /* gets and syncs */
	bool over;       /* done was told */
	struct zk_timer timer;
	void (*each)(void *ctx, int index, const struct zk_result *result);
	void (*done)(void *ctx, int code);
	void *ctx;
};

static void job_free(struct many_job *job)
{
	free(job->gets);
	free(job->texts);
	free(job);
}

static void job_end(struct many_job *job, int code)
{
	if (job->over)
		return;
	job->over = true;
	for (int i = 1; i < job->n_sources; i++)
		if (job->sources[i].session)
			zk_session_close(job->sources[i].session);
	job->done(job->ctx, code);
}

/* The end of each answer: nothing of the job may be touched after it. */
static void job_settle(struct many_job *job)
{
	if (job->n_told == job->n)
		job_end(job, 0);
	if (job->over && job->n_under_way == 0 && job->session->many != job)
		job_free(job);
}

/* ---- Reading ---- */

static void on_got(void *ctx, const struct zk_result *result);

static struct get *next_get(struct many_job *job)
{
	struct get *get = NULL;

	if (job->again >= 0) {
		get = &job->gets[job->again];
		job->again = get->next;
	} else if (job->n_begun < job->n) {
		get = &job->gets[job->n_begun++];
	}
	return get;
}

static void source_feed(struct source *source)
{
	struct many_job *job = source->job;
	struct get *get;

	while (source->ready && !job->over && source->n_under_way < WINDOW && (get = next_get(job)) != NULL) {
		get->source = source;
		source->n_under_way++;
		job->n_under_way++;
		zk_get(source->session, get->path, NULL, on_got, get);
	}
}

/* A session that ended says nothing about the node: the main one reads it, unless it is the one that ended. */
static void source_lost(struct source *source, struct get *get, int code)
{
	struct many_job *job = source->job;

	source->ready = false;
	if (source == &job->sources[0]) {
		job_end(job, code);
		return;
	}
	get->next = job->again;
	job->again = (int)(get - job->gets);
	source_feed(&job->sources[0]);
}

static bool ends_session(int code)
{
	return code == ERR_SESSION_LOST || code == ERR_CLOSED || code == ERR_LIMIT;
}

static void on_got(void *ctx, const struct zk_result *result)
{
	struct get *get = ctx;
	struct source *source = get->source;
	struct many_job *job = source->job;

	source->n_under_way--;
	job->n_under_way--;
	if (!job->over && ends_session(result->code)) {
		source_lost(source, get, result->code);
	} else if (!job->over) {
		job->n_told++;
		job->each(job->ctx, (int)(get - job->gets), result);
		source_feed(source);
	}
	job_settle(job);
}

static void on_synced(void *ctx, const struct zk_result *result)
{
	struct source *source = ctx;
	struct many_job *job = source->job;

	job->n_under_way--;
	source->ready = result->code == 0;
	if (!source->ready && source == &job->sources[0])
		job_end(job, result->code);
	source_feed(source);
	job_settle(job);
}

static void source_begin(struct source *source)
{
	source->job->n_under_way++;
	zk_sync(source->session, on_synced, source);
}

/* ---- Helpers ---- */

static void on_helper_state(void *ctx, enum zk_state state, bool new_session)
{
	struct source *source = ctx;
	struct many_job *job = source->job;

	(void)new_session;
	if (state == ZK_LOST || state == ZK_AUTH_FAILED) {
		source->ready = false;
		zk_session_close(source->session);
	} else if (state == ZK_CLOSED) {
		zk_timer_set(job->session, &job->timer, 0);
	}
}

static void helper_free(struct many_job *job, int i)
{
	mux_set_session(job->session->mux, i, NULL);
	zk_session_free(job->sources[i].session);
	job->sources[i].session = NULL;
}

/* The helpers are gone: the session has its place in the loop for itself again. */
static void job_release_session(struct many_job *job)
{
	struct mux *mux = job->session->mux;

	job->session->many = NULL;
	job->session->mux = NULL;
	mux_free(mux);
}

static void on_helpers_closed(struct zk_timer *timer)
{
	struct many_job *job = CONTAINER_OF(timer, struct many_job, timer);
	int n_open = 0;

	for (int i = 1; i < job->n_sources; i++) {
		if (job->sources[i].session && zk_session_state(job->sources[i].session) == ZK_CLOSED)
			helper_free(job, i);
		n_open += job->sources[i].session != NULL;
	}
	if (!job->over || n_open > 0)
		return;
	job_release_session(job);
	job_settle(job);
}

static bool helper_open(struct many_job *job, int i)
{
	const struct zk_session *session = job->session;
	struct source *source = &job->sources[i];
	struct zk_listener listener = {source, on_helper_state};
	struct zk_connect connect = {memory_copy_text(session->connect.servers), memory_copy_text(session->connect.chroot)};
	struct zk_config config = session->config;
	struct zk_loop port;

	config.create_chroot = false;
	config.old_session_id = 0;
	mux_port(session->mux, i, &port);
	source->job = job;
	if (session_new(&config, &connect, &port, &listener, &source->session) != 0)
		return false;
	source->session->helper = true;
	source->session->chroot_ready = true;
	mux_set_session(session->mux, i, source->session);
	return true;
}

static void job_get_help(struct many_job *job)
{
	struct zk_session *session = job->session;

	session->mux = mux_new(session);
	if (!session->mux)
		return;
	session->many = job;
	while (job->n_sources < MUX_PORTS_MAX && helper_open(job, job->n_sources))
		source_begin(&job->sources[job->n_sources++]);
}

void many_end(struct zk_session *session, int code)
{
	if (session->many)
		job_end(session->many, code);
}

void many_abandon(struct zk_session *session)
{
	struct many_job *job = session->many;

	if (!job)
		return;
	job_end(job, ERR_CLOSED);
	for (int i = 1; i < job->n_sources; i++)
		if (job->sources[i].session)
			helper_free(job, i);
	job_release_session(job);
	job_free(job);
}

/* ---- Owner's side ---- */

static struct many_job *job_new(struct zk_session *session, const char *const *paths, int n)
{
	struct many_job *job = NEW(struct many_job);
	size_t bytes = 0;
	char *at;

	for (int i = 0; i < n; i++)
		bytes += strlen(paths[i]) + 1;
	job->session = session;
	job->n = n;
	job->again = -1;
	job->timer.fired = on_helpers_closed;
	job->gets = memory_zalloc((size_t)n + 1, sizeof *job->gets);
	at = job->texts = memory_alloc(bytes + 1);
	for (int i = 0; i < n; i++) {
		size_t len = strlen(paths[i]) + 1;

		job->gets[i].path = memcpy(at, paths[i], len);
		at += len;
	}
	job->sources[0] = (struct source){.job = job, .session = session};
	job->n_sources = 1;
	return job;
}

void zk_get_many(struct zk_session *session, const char *const *paths, int n_paths,
		 void (*each)(void *ctx, int index, const struct zk_result *result), void (*done)(void *ctx, int code), void *ctx)
{
	struct many_job *job = job_new(session, paths, n_paths);

	job->each = each;
	job->done = done;
	job->ctx = ctx;
	source_begin(&job->sources[0]);
	if (n_paths >= HELP_FROM && !session->many && !session->helper && !session->close_asked)
		job_get_help(job);
}
