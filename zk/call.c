/*
 * Operations of a session from submission to their one answer; see session.h and session_internal.h.
 *
 * A call is one block of memory with its paths and data behind it. It is in exactly one list of its session until it is
 * answered.
 */
#include "zk/session_internal.h"

#include "common/check.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

/* So many requests are under way at most: what is behind them waits here and not in the buffers of library and kernel. */
#define CALLS_IN_FLIGHT_MAX 4096

/*
 * A read whose connection was lost so often is itself the likely cause (an answer that the server or the network does not
 * bear).
 */
#define CALL_ATTEMPTS_MAX 16

#define SEQUENCE_DIGITS 10

struct call_multi {
	int n;
	zoo_op_t *ops;
	zoo_op_result_t *answers;
	struct Stat *stats;
	struct zk_op_result *results;
};

/* ---- Lists ---- */

void call_list_init(struct call_list *list)
{
	*list = (struct call_list){NULL, NULL, 0};
	list->tail = &list->head;
}

void call_push(struct call_list *list, struct zk_call *call)
{
	call->next = NULL;
	call->link = list->tail;
	*list->tail = call;
	list->tail = &call->next;
	list->n++;
}

static void call_push_front(struct call_list *list, struct zk_call *call)
{
	call->next = list->head;
	call->link = &list->head;
	if (call->next)
		call->next->link = &call->next;
	else
		list->tail = &call->next;
	list->head = call;
	list->n++;
}

static void call_remove(struct call_list *list, struct zk_call *call)
{
	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
	else
		list->tail = call->link;
	list->n--;
}

static struct zk_call *call_pop(struct call_list *list)
{
	struct zk_call *call = list->head;

	call_remove(list, call);
	return call;
}

void call_list_splice(struct call_list *from, struct call_list *to)
{
	while (from->head)
		call_push(to, call_pop(from));
}

/* ---- Memory ---- */

static size_t round_up(size_t len)
{
	return (len + 15) / 16 * 16;
}

static bool path_is_valid(const char *path)
{
	size_t len = strlen(path);

	if (path[0] != '/' || (len > 1 && path[len - 1] == '/') || strstr(path, "//"))
		return false;
	for (const char *at = path; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return false;
	return !strstr(path, "/./") && !strstr(path, "/../") && strcmp(path + len - (len > 1 ? 2 : 0), "/.") != 0;
}

/* chroot + path; the root of the chroot is the chroot itself. */
static size_t full_path(const struct zk_session *session, const char *path, char *ret_path)
{
	const char *below = session->chroot_len > 0 && strcmp(path, "/") == 0 ? "" : path;
	size_t len = strlen(below);

	memcpy(ret_path, session->connect.chroot, session->chroot_len);
	memcpy(ret_path + session->chroot_len, below, len + 1);
	return session->chroot_len + len + 1;
}

/* A call with room for `more` bytes behind the struct. */
static struct zk_call *call_alloc(struct zk_session *session, enum call_kind kind, size_t more, ZK_DONE)
{
	struct zk_call *call = memory_alloc(round_up(sizeof *call) + more);

	memset(call, 0, sizeof *call);
	call->session = session;
	call->kind = kind;
	call->bytes = round_up(sizeof *call) + more;
	call->done = done;
	call->ctx = ctx;
	session->n_calls++;
	session->call_bytes += call->bytes;
	return call;
}

static char *call_rest(struct zk_call *call)
{
	return (char *)call + round_up(sizeof *call);
}

struct zk_call *call_new(struct zk_session *session, enum call_kind kind, const char *path, struct slice data, ZK_DONE)
{
	size_t path_bytes = round_up(session->chroot_len + strlen(path) + 1);
	struct zk_call *call = call_alloc(session, kind, path_bytes + data.len, done, ctx);

	call->path = call_rest(call);
	full_path(session, path, call->path);
	call->data = data;
	if (data.data) {
		call->data.data = (uint8_t *)call->path + path_bytes;
		if (data.len > 0)
			memcpy(call->path + path_bytes, data.data, data.len);
	}
	if (!path_is_valid(path))
		call->code = ERR_INVALID;
	else if (path_bytes + data.len > LIMIT_ZNODE_BYTES)
		call->code = ERR_TOO_LARGE;
	return call;
}

/* Leaves the books of the session; the memory stays. */
static void call_leave(struct zk_call *call)
{
	call->session->n_calls--;
	call->session->call_bytes -= call->bytes;
	call->session = NULL;
	watch_slot_release(call->slot);
	call->slot = NULL;
}

static void call_finish(struct zk_call *call, const struct zk_result *result)
{
	call_leave(call);
	if (call->done)
		call->done(call->ctx, result);
	free(call);
}

void call_end_all(struct call_list *list, int code)
{
	/* Those that are submitted while the others are told wait for their own turn. */
	for (int n = list->n; n > 0 && list->head; n--) {
		struct zk_call *call = call_pop(list);
		struct zk_result result = {.code = code ? code : call->code};

		call_finish(call, &result);
	}
}

void call_abandon_all(struct zk_session *session)
{
	while (session->in_flight.head) {
		struct zk_call *call = call_pop(&session->in_flight);
		struct zk_result result = {.code = ERR_CLOSED};

		call_leave(call);
		if (call->done)
			call->done(call->ctx, &result);
		call->done = NULL;
	}
}

/* ---- Answers ---- */

static bool call_is_read(const struct zk_call *call)
{
	return call->kind <= CALL_SYNC;
}

/* Did a server say this, as opposed to the library giving up? */
static bool rc_is_answer(int rc)
{
	return rc == ZOK ||
	       (rc < ZAPIERROR && rc != ZSESSIONEXPIRED && rc != ZAUTHFAILED && rc != ZCLOSING && rc != ZSESSIONMOVED);
}

static bool rc_is_loss(int rc)
{
	return rc == ZCONNECTIONLOSS || rc == ZOPERATIONTIMEOUT || rc == ZSESSIONMOVED || rc == ZRUNTIMEINCONSISTENCY;
}

static int code_of(int rc)
{
	static const struct {
		int rc, code;
	} table[] = {
		{ZOK, 0},
		{ZNONODE, ERR_NOT_FOUND},
		{ZNODEEXISTS, ERR_EXISTS},
		{ZBADVERSION, ERR_VERSION},
		{ZNOTEMPTY, ERR_NOT_EMPTY},
		{ZNOAUTH, ERR_AUTH},
		{ZAUTHFAILED, ERR_AUTH},
		{ZINVALIDACL, ERR_AUTH},
		{ZSESSIONEXPIRED, ERR_SESSION_LOST},
		{ZINVALIDSTATE, ERR_SESSION_LOST},
		{ZCLOSING, ERR_CLOSED},
		{ZBADARGUMENTS, ERR_INVALID},
		{ZNOCHILDRENFOREPHEMERALS, ERR_INVALID},
		{ZUNIMPLEMENTED, ERR_UNSUPPORTED},
		{ZTHROTTLEDOP, ERR_BUSY},
		{ZCONNECTIONLOSS, ERR_UNKNOWN_OUTCOME},
		{ZOPERATIONTIMEOUT, ERR_UNKNOWN_OUTCOME},
		{ZSESSIONMOVED, ERR_UNKNOWN_OUTCOME},
		{ZRUNTIMEINCONSISTENCY, ERR_UNKNOWN_OUTCOME},
		{ZMARSHALLINGERROR, ERR_UNKNOWN_OUTCOME},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].rc == rc)
			return table[i].code;
	return ERR_IO;
}

static void stat_copy(const struct Stat *from, struct zk_stat *ret_stat)
{
	*ret_stat = (struct zk_stat){
		.czxid = from->czxid,
		.mzxid = from->mzxid,
		.pzxid = from->pzxid,
		.ctime_ms = from->ctime,
		.mtime_ms = from->mtime,
		.ephemeral_owner = from->ephemeralOwner,
		.version = from->version,
		.cversion = from->cversion,
		.data_len = from->dataLength,
		.n_children = from->numChildren,
	};
}

static void call_answer(struct zk_call *call, int rc, struct zk_result *result)
{
	struct zk_session *session = call->session;

	if (!session) {
		free(call);
		return;
	}
	session->n_answers++;
	call_remove(&session->in_flight, call);
	if (rc_is_loss(rc) && call_is_read(call) && ++call->attempts < CALL_ATTEMPTS_MAX) {
		call_push(&session->retry, call);
		return;
	}
	if (rc_is_answer(rc) && lease_extend(&session->lease, call->sent_ms, session->timeout_ms) && session->listener.on_lease_back)
		session->listener.on_lease_back(session->listener.ctx);
	result->code = code_of(rc);
	if (call->slot && (result->code == 0 || (result->code == ERR_NOT_FOUND && call->kind == CALL_EXISTS)))
		watch_arm(session, call->slot, call->path, call->kind == CALL_CHILDREN);
	call_finish(call, result);
}

static void on_data(int rc, const char *value, int len, const struct Stat *stat, const void *data)
{
	struct zk_result result = {0};

	if (rc == ZOK) {
		if (len >= 0)
			result.data = slice_of(value ? value : "", (size_t)len);
		stat_copy(stat, &result.stat);
	}
	call_answer((struct zk_call *)data, rc, &result);
}

static void on_children(int rc, const struct String_vector *names, const struct Stat *stat, const void *data)
{
	struct zk_result result = {0};

	if (rc == ZOK) {
		result.children = (const char *const *)names->data;
		result.n_children = names->count;
		stat_copy(stat, &result.stat);
	}
	call_answer((struct zk_call *)data, rc, &result);
}

static void on_stat(int rc, const struct Stat *stat, const void *data)
{
	struct zk_result result = {0};

	if (rc == ZOK)
		stat_copy(stat, &result.stat);
	call_answer((struct zk_call *)data, rc, &result);
}

static void on_text(int rc, const char *text, const void *data)
{
	struct zk_result result = {0};

	(void)text;
	call_answer((struct zk_call *)data, rc, &result);
}

static void on_created(int rc, const char *path, const struct Stat *stat, const void *data)
{
	const struct zk_call *call = data;
	struct zk_result result = {0};

	if (rc == ZOK) {
		result.path = call->session ? session_relative(call->session, path) : path;
		if (stat)
			stat_copy(stat, &result.stat);
	}
	call_answer((struct zk_call *)data, rc, &result);
}

static void on_void(int rc, const void *data)
{
	struct zk_result result = {0};

	call_answer((struct zk_call *)data, rc, &result);
}

/* In a failed multi the server marks one operation with the reason; those before it carry 0 and those after it -2. */
static int multi_results(struct zk_call *call)
{
	struct call_multi *multi = call->multi;
	int failed = 0;

	for (int i = 0; i < multi->n; i++) {
		int rc = multi->answers[i].err;

		multi->results[i] = (struct zk_op_result){.code = rc == ZRUNTIMEINCONSISTENCY ? ERR_ABORTED : code_of(rc)};
		if (rc != ZOK && rc != ZRUNTIMEINCONSISTENCY && failed == 0)
			failed = rc;
	}
	for (int i = 0; i < multi->n; i++) {
		struct zk_op_result *result = &multi->results[i];

		if (failed != 0 && result->code == 0)
			result->code = ERR_ABORTED;
		if (result->code != 0)
			continue;
		if (multi->answers[i].stat)
			stat_copy(multi->answers[i].stat, &result->stat);
		if (multi->answers[i].value)
			result->path = session_relative(call->session, multi->answers[i].value);
	}
	return failed;
}

static void on_multi(int rc, const void *data)
{
	struct zk_call *call = (struct zk_call *)data;
	struct zk_result result = {0};

	if (call->session && rc_is_answer(rc)) {
		int failed = multi_results(call);

		rc = failed != 0 ? failed : rc;
		result.ops = call->multi->results;
		result.n_ops = call->multi->n;
	}
	call_answer(call, rc, &result);
}

/* ---- ACLs: kafka.md 2 ---- */

#define PERM_READ 1
#define PERM_ALL 0x1f

static struct ACL_vector *acl_for(const struct zk_session *session, const char *path)
{
	static struct ACL open[] = {{PERM_ALL, {"world", "anyone"}}};
	static struct ACL owned[] = {{PERM_ALL, {"auth", ""}}, {PERM_READ, {"world", "anyone"}}};
	static struct ACL_vector all = {1, open};
	static struct ACL_vector readable = {2, owned};
	static struct ACL_vector secret = {1, owned};
	static const char *const secrets[] = {"/config/users", "/config/brokers", "/delegation_token/tokens"};
	const char *relative = session_relative(session, path);

	if (!session->config.set_acl || strcmp(relative, "/consumers") == 0)
		return &all;
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		if (strncmp(relative, secrets[i], strlen(secrets[i])) == 0)
			return &secret;
	return &readable;
}

/* ---- Sending ---- */

static int zoo_mode(enum zk_create_mode mode)
{
	switch (mode) {
	case ZK_EPHEMERAL:
		return ZOO_EPHEMERAL;
	case ZK_PERSISTENT_SEQUENTIAL:
		return ZOO_PERSISTENT_SEQUENTIAL;
	case ZK_EPHEMERAL_SEQUENTIAL:
		return ZOO_EPHEMERAL_SEQUENTIAL;
	default:
		return ZOO_PERSISTENT;
	}
}

static int data_len(struct slice data)
{
	return data.data ? (int)data.len : -1;
}

static int call_hand_over(struct zk_session *session, struct zk_call *call)
{
	zhandle_t *handle = session->handle;
	watcher_fn watcher = call->slot ? session_on_event : NULL;
	const char *data = (const char *)call->data.data;

	switch (call->kind) {
	case CALL_GET:
		return zoo_awget(handle, call->path, watcher, session, on_data, call);
	case CALL_CHILDREN:
		return zoo_awget_children2(handle, call->path, watcher, session, on_children, call);
	case CALL_EXISTS:
		return zoo_awexists(handle, call->path, watcher, session, on_stat, call);
	case CALL_SYNC:
		return zoo_async(handle, call->path, on_text, call);
	case CALL_CREATE:
		return zoo_acreate2(handle, call->path, data, data_len(call->data), acl_for(session, call->path),
				    zoo_mode(call->mode), on_created, call);
	case CALL_SET:
		return zoo_aset(handle, call->path, data, data_len(call->data), call->version, on_stat, call);
	case CALL_DELETE:
		return zoo_adelete(handle, call->path, call->version, on_void, call);
	default:
		return zoo_amulti(handle, call->multi->n, call->multi->ops, call->multi->answers, on_multi, call);
	}
}

/* False when nothing can be sent any more. */
static bool call_send(struct zk_session *session, struct zk_call *call)
{
	int rc;

	/*
	 * The call is under way before it is handed over: a failing send answers it at once, and it may be gone when this
	 * returns.
	 */
	call->sent_ms = clock_ms();
	call_push(&session->in_flight, call);
	rc = call_hand_over(session, call);
	if (rc == ZOK) {
		session->last_sent_ms = clock_ms();
		return session->linked;
	}
	call_remove(&session->in_flight, call);
	if (rc == ZINVALIDSTATE) {
		call_push_front(&session->retry, call);
		return false;
	}
	call->code = rc == ZBADARGUMENTS ? ERR_INVALID : ERR_IO;
	call_push(&session->failed, call);
	return true;
}

static bool list_send(struct zk_session *session, struct call_list *list, int in_flight_max)
{
	while (list->head && session->in_flight.n < in_flight_max)
		if (!call_send(session, call_pop(list)))
			return false;
	return true;
}

void call_send_all(struct zk_session *session)
{
	if (!session->linked || !list_send(session, &session->urgent, CALLS_IN_FLIGHT_MAX + 16) ||
	    session->state != ZK_CONNECTED)
		return;
	if (list_send(session, &session->retry, CALLS_IN_FLIGHT_MAX))
		list_send(session, &session->waiting, CALLS_IN_FLIGHT_MAX);
}

void call_ask_exists(struct zk_session *session, const char *path, ZK_DONE)
{
	size_t len = strlen(path);
	struct zk_call *call = call_alloc(session, CALL_EXISTS, len + 1, done, ctx);

	call->path = call_rest(call);
	memcpy(call->path, path, len + 1);
	call->attempts = CALL_ATTEMPTS_MAX;
	call_push(&session->urgent, call);
}

void call_create_above(struct zk_session *session, const char *path, size_t len, ZK_DONE)
{
	struct zk_call *call = call_alloc(session, CALL_CREATE, len + 1, done, ctx);

	call->path = call_rest(call);
	memcpy(call->path, path, len);
	call->path[len] = '\0';
	call_push(&session->urgent, call);
}

/* ---- Submission ---- */

void call_refuse(struct zk_session *session, int code, ZK_DONE)
{
	struct zk_call *call = call_alloc(session, CALL_GET, 0, done, ctx);

	call->code = code;
	call_push(&session->failed, call);
	session_wake(session);
}

static void call_submit(struct zk_session *session, struct zk_call *call)
{
	bool full = session->n_calls > LIMIT_ZK_CALLS || session->call_bytes > LIMIT_ZK_CALL_BYTES;

	if (call->code == 0 && session->close_asked)
		call->code = ERR_CLOSED;
	else if (call->code == 0 && full)
		call->code = ERR_LIMIT;
	call_push(call->code ? &session->failed : &session->waiting, call);
	session_wake(session);
}

static void call_submit_read(struct zk_session *session, enum call_kind kind, const char *path, struct zk_watch *watch, ZK_DONE)
{
	struct zk_call *call = call_new(session, kind, path, SLICE_NULL, done, ctx);

	call->slot = watch_slot_take(watch);
	call_submit(session, call);
}

void zk_get(struct zk_session *session, const char *path, struct zk_watch *watch, ZK_DONE)
{
	call_submit_read(session, CALL_GET, path, watch, done, ctx);
}

void zk_children(struct zk_session *session, const char *path, struct zk_watch *watch, ZK_DONE)
{
	call_submit_read(session, CALL_CHILDREN, path, watch, done, ctx);
}

void zk_exists(struct zk_session *session, const char *path, struct zk_watch *watch, ZK_DONE)
{
	call_submit_read(session, CALL_EXISTS, path, watch, done, ctx);
}

void zk_sync(struct zk_session *session, ZK_DONE)
{
	call_submit_read(session, CALL_SYNC, "/", NULL, done, ctx);
}

void zk_create(struct zk_session *session, const char *path, struct slice data, enum zk_create_mode mode, ZK_DONE)
{
	struct zk_call *call = call_new(session, CALL_CREATE, path, data, done, ctx);

	call->mode = mode;
	call_submit(session, call);
}

void zk_set(struct zk_session *session, const char *path, struct slice data, int32_t version, ZK_DONE)
{
	struct zk_call *call = call_new(session, CALL_SET, path, data, done, ctx);

	call->version = version;
	call_submit(session, call);
}

void zk_delete(struct zk_session *session, const char *path, int32_t version, ZK_DONE)
{
	struct zk_call *call = call_new(session, CALL_DELETE, path, SLICE_NULL, done, ctx);

	call->version = version;
	call_submit(session, call);
}

/* Bytes one operation takes behind the tables of its multi: its path, the path it makes, its data. */
static size_t op_bytes(const struct zk_session *session, const struct zk_op *op)
{
	size_t path_len = session->chroot_len + strlen(op->path) + 1;
	size_t made_len = op->kind == ZK_OP_CREATE ? path_len + SEQUENCE_DIGITS : 0;

	return path_len + made_len + op->data.len;
}

static char *text_take(char **at, const void *bytes, size_t len)
{
	char *start = *at;

	if (len > 0)
		memcpy(start, bytes, len);
	*at += len;
	return start;
}

static void multi_add(struct zk_session *session, struct call_multi *multi, int i, const struct zk_op *op, char **at)
{
	char *path = *at;
	size_t path_len = full_path(session, op->path, path);
	const char *data = NULL;

	*at += path_len;
	if (op->data.data)
		data = text_take(at, op->data.data, op->data.len);
	switch (op->kind) {
	case ZK_OP_CHECK:
		zoo_check_op_init(&multi->ops[i], path, op->version);
		break;
	case ZK_OP_DELETE:
		zoo_delete_op_init(&multi->ops[i], path, op->version);
		break;
	case ZK_OP_SET:
		zoo_set_op_init(&multi->ops[i], path, data, data_len(op->data), op->version, &multi->stats[i]);
		break;
	case ZK_OP_CREATE:
		zoo_create_op_init(&multi->ops[i], path, data, data_len(op->data), acl_for(session, path), zoo_mode(op->mode),
				   *at, (int)(path_len + SEQUENCE_DIGITS));
		*at += path_len + SEQUENCE_DIGITS;
		break;
	}
}

/* The tables first (their types need alignment), then the texts. */
static struct call_multi *multi_lay_out(char *at, int n, char **ret_texts)
{
	struct call_multi *multi = (struct call_multi *)(void *)at;
	size_t count = (size_t)n;

	memset(at, 0, round_up(sizeof *multi));
	multi->n = n;
	at += round_up(sizeof *multi);
	multi->ops = (zoo_op_t *)(void *)at;
	memset(at, 0, count * sizeof *multi->ops);
	at += round_up(count * sizeof *multi->ops);
	multi->answers = (zoo_op_result_t *)(void *)at;
	memset(at, 0, count * sizeof *multi->answers);
	at += round_up(count * sizeof *multi->answers);
	multi->stats = (struct Stat *)(void *)at;
	at += round_up(count * sizeof *multi->stats);
	multi->results = (struct zk_op_result *)(void *)at;
	*ret_texts = at + round_up(count * sizeof *multi->results);
	return multi;
}

static size_t multi_table_bytes(int n)
{
	size_t count = (size_t)n;

	return round_up(sizeof(struct call_multi)) + round_up(count * sizeof(zoo_op_t)) +
	       round_up(count * sizeof(zoo_op_result_t)) + round_up(count * sizeof(struct Stat)) +
	       round_up(count * sizeof(struct zk_op_result));
}

void zk_multi(struct zk_session *session, const struct zk_op *ops, int n_ops, ZK_DONE)
{
	size_t texts = 0;
	struct zk_call *call;
	char *at;
	bool valid = n_ops > 0;

	for (int i = 0; i < n_ops; i++)
		texts += op_bytes(session, &ops[i]);
	call = call_alloc(session, CALL_MULTI, multi_table_bytes(n_ops) + texts, done, ctx);
	call->multi = multi_lay_out(call_rest(call), n_ops, &at);
	for (int i = 0; i < n_ops; i++) {
		multi_add(session, call->multi, i, &ops[i], &at);
		valid = valid && path_is_valid(ops[i].path);
	}
	if (!valid)
		call->code = ERR_INVALID;
	else if (texts + (size_t)n_ops * 32 > LIMIT_ZNODE_BYTES)
		call->code = ERR_TOO_LARGE;
	call_submit(session, call);
}
