/*
 * Life of a session: handle, connection, expiry; see session.h and session_internal.h.
 *
 *     open -> CONNECTING -> linked -> (chroot is there) -> CONNECTED <-> SUSPENDED
 *                 ^                                              |
 *                 +---- new handle, new session ---- LOST <------+ (the server says so at a reconnect)
 *
 * One turn: what is due is done, calls are sent, the library is asked what to wait for, the loop is told. It follows every
 * wake-up.
 *
 * Keeps S9 through the lease: some request goes out at least each sixth of the time-out, and each answer extends the lease.
 */
#include "zk/session_internal.h"

#include "common/check.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/memory.h"
#include "common/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIFE_SIGNS_PER_TIMEOUT 6

/* After a failed step of the library, before the next one: it delays by itself only when it has tried all servers. */
#define RETRY_MS 10

/* Without a server for so long, the names of the servers are looked up again, and then as often. */
#define RESOLVE_MS 5000
#define RESOLVE_LOOK_MS 100

/* When it is first said that no server can be reached, and how often. */
#define UNREACHABLE_FIRST_MS 1000
#define UNREACHABLE_EVERY_MS 30000

/* Answers taken in one turn before other work of the loop has its chance. */
#define ANSWERS_PER_TURN 1000

/*
 * At a reconnect the library arms all watches with one request. Above this size the server would refuse it, again and again
 * (jute.maxbuffer): the session then takes a new handle without watches and tells every owner to look again.
 */
#define WATCHED_BYTES_MAX 700000

static const char area[] = "zookeeper";

const char *session_relative(const struct zk_session *session, const char *path)
{
	const char *below = path + session->chroot_len;

	if (session->chroot_len == 0)
		return path;
	if (strncmp(path, session->connect.chroot, session->chroot_len) != 0)
		return path;
	return *below ? below : "/";
}

static int64_t now_ms(void)
{
	return clock_ms();
}

void session_wake(struct zk_session *session)
{
	if (session->in_turn || session->wake_set || session->state == ZK_CLOSED || session->closer_runs)
		return;
	session->wake_set = true;
	session->loop.set_timer(session->loop.ctx, 0);
}

void session_tell(struct zk_session *session, enum zk_state state, bool new_session)
{
	session->state = state;
	if (session->listener.on_state)
		session->listener.on_state(session->listener.ctx, state, new_session);
}

/*
 * The library has closed its socket. The loop must forget the number before anything else can open it again: a registration
 * under the same number would be taken for the old one.
 */
static void session_unwatch(struct zk_session *session)
{
	if (session->fd < 0)
		return;
	session->fd = -1;
	session->fd_stale = true;
	session->loop.watch_fd(session->loop.ctx, -1, false, false);
}

/* ---- The library's handle ---- */

static void on_library_log(const char *message)
{
	trace_debug(area, "library: %s", message);
}

static void on_auth_answer(int rc, const void *data)
{
	/* A refusal comes as a state of the handle, too. */
	(void)rc;
	(void)data;
}

static int handle_open(struct zk_session *session)
{
	const clientid_t *id = session->id.client_id ? &session->id : NULL;
	const char *auth = session->config.auth_digest;

	session->handle = zookeeper_init2(session->connect.servers, session_on_event, (int)session->config.session_timeout_ms,
					  id, session, ZOO_NO_LOG_CLIENTENV, on_library_log);
	if (!session->handle)
		return error_from_errno(errno);
	/* Never ask the name service again: the addresses are numbers. */
	zoo_set_servers_resolution_delay(session->handle, -1);
	if (auth)
		zoo_add_auth(session->handle, "digest", auth, (int)strlen(auth), on_auth_answer, NULL);
	session->fd_stale = true;
	return 0;
}

/* Only for a handle that is not linked: the library then frees it at once and tells the server nothing. */
static void handle_drop(struct zk_session *session)
{
	zhandle_t *handle = session->handle;

	session->handle = NULL;
	session->linked = false;
	session_unwatch(session);
	call_abandon_all(session);
	zookeeper_close(handle);
}

static void session_remember(struct zk_session *session, int64_t id)
{
	session->old_ids[session->n_old_ids++ % (int)ARRAY_LEN(session->old_ids)] = id;
}

/* ---- Changes of the link, told by the library ---- */

static void session_announce(struct zk_session *session, bool new_session)
{
	trace(session->helper ? TRACE_DEBUG : TRACE_INFO, area, "%s session 0x%llx, time-out %lld ms, at %s",
	      new_session ? "new" : "reconnected", (unsigned long long)session->id.client_id, (long long)session->timeout_ms,
	      zoo_get_current_server(session->handle));
	session->connected_ms = now_ms();
	session_tell(session, ZK_CONNECTED, new_session);
	if (session->fire_all && session->state == ZK_CONNECTED) {
		session->fire_all = false;
		watch_drop_all(session, true);
	}
}

static bool session_is_new(const struct zk_session *session)
{
	int last = (session->n_old_ids - 1) % (int)ARRAY_LEN(session->old_ids);

	return session->n_old_ids == 0 || session->old_ids[last] != session->id.client_id;
}

static void chroot_step(struct zk_session *session, size_t pos);

static void chroot_is_ready(struct zk_session *session)
{
	bool new_session = session_is_new(session);

	session->chroot_ready = true;
	if (new_session)
		session_remember(session, session->id.client_id);
	if (session->linked)
		session_announce(session, new_session);
}

static void on_chroot_made(void *ctx, const struct zk_result *result)
{
	struct zk_session *session = ctx;
	size_t pos = session->chroot_pos;

	if (result->code == ERR_UNKNOWN_OUTCOME || result->code == ERR_SESSION_LOST || result->code == ERR_CLOSED)
		return;
	if (result->code != 0 && result->code != ERR_EXISTS && pos == session->chroot_len)
		trace_error(area, "cannot create the chroot %s: %s", session->connect.chroot, error_text(result->code));
	if (pos < session->chroot_len)
		chroot_step(session, pos + 1);
	else
		chroot_is_ready(session);
}

/* Creates the node that ends at the next slash from pos on. */
static void chroot_step(struct zk_session *session, size_t pos)
{
	const char *chroot = session->connect.chroot;
	const char *slash = strchr(chroot + pos, '/');

	session->chroot_pos = slash ? (size_t)(slash - chroot) : session->chroot_len;
	call_create_above(session, chroot, session->chroot_pos, on_chroot_made, session);
}

static void on_chroot_seen(void *ctx, const struct zk_result *result)
{
	struct zk_session *session = ctx;

	if (result->code == ERR_NOT_FOUND && session->config.create_chroot) {
		chroot_step(session, 1);
		return;
	}
	if (result->code == ERR_NOT_FOUND)
		trace_error(area, "the chroot %s does not exist", session->connect.chroot);
	else if (result->code != 0)
		return;
	chroot_is_ready(session);
}

static void session_on_linked(struct zk_session *session)
{
	session->linked = true;
	session->unreachable_ms = 0;
	session->fd_stale = true;
	session->id = *zoo_client_id(session->handle);
	session->timeout_ms = zoo_recv_timeout(session->handle);
	if (session->chroot_len > 0 && !session->chroot_ready) {
		call_ask_exists(session, session->connect.chroot, on_chroot_seen, session);
		return;
	}
	call_ask_exists(session, "/", NULL, NULL);
	chroot_is_ready(session);
}

static void session_on_unlinked(struct zk_session *session)
{
	session->linked = false;
	session->resolve_at_ms = now_ms() + RESOLVE_MS;
	session_unwatch(session);
	/* What is ours alone is begun anew with the next connection. */
	call_end_all(&session->urgent, ERR_UNKNOWN_OUTCOME);
	if (session->watched_bytes > WATCHED_BYTES_MAX) {
		session->reattach = true;
		session->fire_all = true;
		session->reattach_at_ms = now_ms();
	}
	if (session->state == ZK_CONNECTED) {
		trace(session->close_asked || session->helper ? TRACE_DEBUG : TRACE_WARN, area,
		      "connection lost, session 0x%llx suspended", (unsigned long long)session->id.client_id);
		session_tell(session, ZK_SUSPENDED, false);
	}
}

/* The order matters: first nothing old can be sent any more, then the owner hears of it, then the old calls end (next turn). */
static void session_on_lost(struct zk_session *session)
{
	struct zk_call *call;

	trace_warn(area, "session 0x%llx has expired", (unsigned long long)session->id.client_id);
	session->linked = false;
	session_unwatch(session);
	session->id = (clientid_t){0};
	session->reattach = true;
	session->reattach_at_ms = now_ms();
	session->fire_all = false;
	lease_lose(&session->lease);
	watch_drop_all(session, false);
	call_end_all(&session->urgent, ERR_SESSION_LOST);
	call_list_splice(&session->retry, &session->failed);
	call_list_splice(&session->waiting, &session->failed);
	for (call = session->failed.head; call; call = call->next)
		call->code = call->code ? call->code : ERR_SESSION_LOST;
	spread_end(session, ERR_SESSION_LOST);
	session_tell(session, ZK_LOST, false);
	if (session->state == ZK_LOST)
		session->state = ZK_CONNECTING;
}

/* No expiry: the session may live on, so a new handle asks for the same one. */
static void session_on_auth_failed(struct zk_session *session)
{
	struct zk_call *call;

	trace_error(area, "the server refused the credentials of session 0x%llx; trying again later",
		    (unsigned long long)session->id.client_id);
	session->linked = false;
	session_unwatch(session);
	session->reattach = true;
	session->fire_all = true;
	session->reattach_at_ms = now_ms() + session->config.session_timeout_ms / 3;
	call_end_all(&session->urgent, ERR_UNKNOWN_OUTCOME);
	call_list_splice(&session->retry, &session->failed);
	call_list_splice(&session->waiting, &session->failed);
	for (call = session->failed.head; call; call = call->next)
		call->code = call->code ? call->code : ERR_AUTH;
	session_tell(session, ZK_AUTH_FAILED, false);
}

void session_on_event(zhandle_t *handle, int type, int state, const char *path, void *ctx)
{
	struct zk_session *session = ctx;

	/* A handle that is being closed elsewhere may still speak. */
	if (session->handle != handle)
		return;
	session->n_answers++;
	if (type != ZOO_SESSION_EVENT) {
		if (path && type != ZOO_NOTWATCHING_EVENT)
			watch_on_event(session, type, path);
	} else if (state == ZOO_CONNECTED_STATE) {
		if (!session->linked)
			session_on_linked(session);
	} else if (state == ZOO_EXPIRED_SESSION_STATE) {
		if (session->id.client_id != 0)
			session_on_lost(session);
	} else if (state == ZOO_AUTH_FAILED_STATE) {
		if (session->state != ZK_AUTH_FAILED)
			session_on_auth_failed(session);
	} else if (session->linked) {
		session_on_unlinked(session);
	}
}

/* ---- Turns ---- */

static void session_replace_handle(struct zk_session *session, int64_t now)
{
	if (!session->reattach || now < session->reattach_at_ms)
		return;
	if (session->handle)
		handle_drop(session);
	if (handle_open(session) != 0) {
		session->reattach_at_ms = now + session->config.session_timeout_ms / 4;
		return;
	}
	session->reattach = false;
	if (session->state == ZK_AUTH_FAILED)
		session->state = session->id.client_id ? ZK_SUSPENDED : ZK_CONNECTING;
}

/* The addresses are others now: a new handle asks for the same session there. */
static void session_move(struct zk_session *session, struct zk_connect *connect, int64_t now)
{
	if (strcmp(connect->servers, session->connect.servers) == 0 || session->linked) {
		zk_connect_fini(connect);
		return;
	}
	trace_info(area, "the servers have moved to %s", connect->servers);
	zk_connect_fini(&session->connect);
	session->connect = *connect;
	session->reattach = true;
	session->fire_all = session->id.client_id != 0;
	session->reattach_at_ms = now;
}

static void session_resolve(struct zk_session *session, int64_t now)
{
	struct zk_connect connect;
	bool found;

	if (session->resolving && zk_resolving_done(session->resolving, &connect, &found)) {
		zk_resolving_drop(session->resolving);
		session->resolving = NULL;
		if (found)
			session_move(session, &connect, now);
	}
	if (session->linked || session->resolving || !session->connect.has_names || now < session->resolve_at_ms)
		return;
	session->resolve_at_ms = now + RESOLVE_MS;
	session->resolving = zk_resolving_start(session->config.connect);
}

static void session_watch(struct zk_session *session, int fd, bool wants_read, bool wants_write)
{
	bool same =
		!session->fd_stale && session->fd == fd && session->fd_read == wants_read && session->fd_write == wants_write;

	/* While linked the library keeps its socket: only then can a registration be trusted. */
	if (same && (session->linked || fd < 0))
		return;
	session->fd = fd;
	session->fd_read = wants_read;
	session->fd_write = wants_write;
	session->fd_stale = !session->linked;
	session->loop.watch_fd(session->loop.ctx, fd, wants_read, wants_write);
}

/* An operator who starts things in the wrong order sees what is waited for; an outage of hours does not fill the disk. */
static void tell_unreachable(struct zk_session *session, int64_t now)
{
	bool first = session->unreachable_ms == 0;

	if (session->linked || session->helper || session->unreachable_ms > now)
		return;
	session->unreachable_ms = now + (first ? UNREACHABLE_FIRST_MS : UNREACHABLE_EVERY_MS);
	if (!first)
		trace_warn(area, "no server of %s can be reached; trying on", session->config.connect);
}

/* What the library waits for; returns after how many ms it wants to be asked again. */
static int64_t session_interest(struct zk_session *session)
{
	struct timeval wait = {0, 0};
	int interest = 0;
	int fd = -1;
	int rc;

	if (!session->handle)
		return session->config.session_timeout_ms;
	rc = zookeeper_interest(session->handle, &fd, &interest, &wait);
	if (rc != ZOK) {
		/* The descriptor it names is closed already. */
		session_unwatch(session);
		return rc == ZINVALIDSTATE ? session->config.session_timeout_ms : RETRY_MS;
	}
	if (fd < 0)
		session_watch(session, -1, false, false);
	else
		session_watch(session, fd, (interest & ZOOKEEPER_READ) != 0, (interest & ZOOKEEPER_WRITE) != 0);
	return (int64_t)wait.tv_sec * 1000 + (wait.tv_usec + 999) / 1000;
}

static bool session_has_work(const struct zk_session *session)
{
	if (session->close_asked || session->failed.n > 0 || (session->reattach && session->reattach_at_ms <= now_ms()))
		return true;
	if (!session->linked)
		return false;
	return session->urgent.n > 0 || (session->state == ZK_CONNECTED && session->in_flight.n == 0 && session->waiting.n > 0);
}

static int64_t life_sign_delay(struct zk_session *session, int64_t now)
{
	int64_t every_ms = session->timeout_ms / LIFE_SIGNS_PER_TIMEOUT;

	if (session->last_sent_ms + every_ms <= now) {
		call_ask_exists(session, "/", NULL, NULL);
		session->last_sent_ms = now;
	}
	return session->last_sent_ms + every_ms - now;
}

static int64_t session_delay(const struct zk_session *session, int64_t now, int64_t delay_ms)
{
	if (session->resolving && delay_ms > RESOLVE_LOOK_MS)
		delay_ms = RESOLVE_LOOK_MS;
	if (session->reattach) {
		int64_t left_ms = session->reattach_at_ms > now ? session->reattach_at_ms - now : 0;

		delay_ms = left_ms < delay_ms ? left_ms : delay_ms;
	}
	return timers_delay(session, now, delay_ms);
}

static void session_turn(struct zk_session *session)
{
	int64_t delay_ms = 0;
	int64_t now = now_ms();

	session->wake_set = false;
	session->in_turn = true;
	tell_unreachable(session, now);
	for (int rounds = 0; rounds < 8 && !session->close_asked; rounds++) {
		int64_t sign_ms = INT64_MAX;

		session_resolve(session, now);
		session_replace_handle(session, now);
		call_end_all(&session->failed, 0);
		timers_run(session, now);
		if (session->linked)
			sign_ms = life_sign_delay(session, now);
		call_send_all(session);
		delay_ms = session_interest(session);
		delay_ms = sign_ms < delay_ms ? sign_ms : delay_ms;
		now = now_ms();
		if (!session_has_work(session))
			break;
	}
	if (session->close_asked) {
		session_begin_close(session);
		session->in_turn = false;
		return;
	}
	delay_ms = session_has_work(session) ? 0 : session_delay(session, now, delay_ms);
	session->in_turn = false;
	session->loop.set_timer(session->loop.ctx, delay_ms);
}

/* The library takes one answer a call; while there are more they are taken in the same turn. */
static void session_process(struct zk_session *session, int events)
{
	bool linked = session->linked;

	for (int n = 0; n < ANSWERS_PER_TURN && session->handle && !session->close_asked; n++) {
		int rc = zookeeper_process(session->handle, events);

		if (rc != ZOK && rc != ZNOTHING)
			session_unwatch(session);
		if (rc != ZOK || !linked || !session->linked)
			return;
		events = ZOOKEEPER_READ;
		call_send_all(session);
	}
}

void session_on_ready(struct zk_session *session, bool readable, bool writable)
{
	if (session->closer_runs) {
		session_finish_close(session);
		return;
	}
	if (session->state == ZK_CLOSED)
		return;
	session->in_turn = true;
	session_process(session, (readable ? ZOOKEEPER_READ : 0) | (writable ? ZOOKEEPER_WRITE : 0));
	session_turn(session);
}

void session_on_timer(struct zk_session *session)
{
	if (session->closer_runs || session->state == ZK_CLOSED)
		return;
	session_turn(session);
}

void zk_session_on_ready(struct zk_session *session, bool readable, bool writable)
{
	if (session->mux)
		mux_on_ready(session->mux);
	else
		session_on_ready(session, readable, writable);
}

void zk_session_on_timer(struct zk_session *session)
{
	if (session->mux)
		mux_on_timer(session->mux);
	else
		session_on_timer(session);
}

/* ---- Opening, closing, asking ---- */

static char *text_or_null(const char *text)
{
	return text ? memory_copy_text(text) : NULL;
}

int session_new(const struct zk_config *config, struct zk_connect *connect, const struct zk_loop *loop,
		const struct zk_listener *listener, struct zk_session **ret_session)
{
	struct zk_session *session = NEW(struct zk_session);
	int rc;

	session->config = *config;
	session->config.connect = text_or_null(config->connect);
	session->config.auth_digest = text_or_null(config->auth_digest);
	session->connect = *connect;
	session->chroot_len = strlen(connect->chroot);
	session->loop = *loop;
	session->listener = *listener;
	lease_init(&session->lease);
	session->state = ZK_CONNECTING;
	session->resolve_at_ms = now_ms() + RESOLVE_MS;
	session->fd = session->closed_fd = -1;
	call_list_init(&session->urgent);
	call_list_init(&session->retry);
	call_list_init(&session->waiting);
	call_list_init(&session->in_flight);
	call_list_init(&session->failed);
	rc = handle_open(session);
	if (rc != 0) {
		zk_session_free(session);
		return rc;
	}
	session_wake(session);
	*ret_session = session;
	return 0;
}

int zk_session_open(const struct zk_config *config, const struct zk_loop *loop, const struct zk_listener *listener,
		    struct zk_session **ret_session, struct error *err)
{
	struct zk_connect connect;
	int rc;

	if (config->session_timeout_ms <= 0 || config->session_timeout_ms > INT32_MAX)
		return error_set(err, ERR_CONFIG, "zookeeper.session.timeout.ms=%lld must be between 1 and %d",
				 (long long)config->session_timeout_ms, INT32_MAX);
	rc = zk_connect_resolve(config->connect, &connect, err);
	if (rc != 0)
		return rc;
	zoo_set_debug_level(trace_enabled(TRACE_DEBUG) ? ZOO_LOG_LEVEL_INFO : ZOO_LOG_LEVEL_ERROR);
	rc = session_new(config, &connect, loop, listener, ret_session);
	return rc ? error_set(err, rc, "cannot start a ZooKeeper session: %s", error_text(rc)) : 0;
}

enum zk_state zk_session_state(const struct zk_session *session)
{
	return session->state;
}

int64_t zk_session_id(const struct zk_session *session)
{
	return session->id.client_id;
}

bool zk_session_was_ours(const struct zk_session *session, int64_t session_id)
{
	if (session_id == 0)
		return false;
	if (session_id == session->id.client_id || session_id == session->config.old_session_id)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(session->old_ids); i++)
		if (session->old_ids[i] == session_id)
			return true;
	return false;
}

bool zk_session_credentials(const struct zk_session *session, int64_t *ret_id, uint8_t ret_password[ZK_PASSWORD_BYTES])
{
	if (session->id.client_id == 0)
		return false;
	*ret_id = session->id.client_id;
	memcpy(ret_password, session->id.passwd, ZK_PASSWORD_BYTES);
	return true;
}

int64_t zk_session_connected_ms(const struct zk_session *session)
{
	return session->connected_ms;
}

int64_t zk_session_timeout_ms(const struct zk_session *session)
{
	return session->timeout_ms;
}

const struct lease *zk_session_lease(const struct zk_session *session)
{
	return &session->lease;
}
