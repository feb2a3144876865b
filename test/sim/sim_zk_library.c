/*
 * The calls of libzookeeper_st that zk/ uses, over the simulated ensemble: so the sessions of production code (zk/session.c, call.c,
 * watch.c) run as they are, with their lease, retries and watches.
 *
 * As the library does: a ping each third of the time-out, the connection given up after two thirds without an answer, the next server of
 * the list then; all that is under way ends with ZCONNECTIONLOSS; watches are told anew with the next connection.
 */
#include "common/check.h"
#include "common/clock.h"
#include "common/memory.h"
#include "test/sim/sim_zk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct _zhandle {
	watcher_fn watcher;
	void *ctx;
	int asked_ms;
	int timeout_ms;
	clientid_t id;
	int state;
	int next_server, n_tried;
	int64_t next_connect_ms;
	int64_t heard_ms, spoke_ms;
	int64_t last_zxid;
	struct vfd *vfd;
	struct zk_link *link;
	struct zk_message *arrived, **arrived_tail;
	struct zk_message *under_way, **under_way_tail;
	struct zk_watched *watches;
	int n_watches, watches_cap;
	bool cut;
};

enum { CONNECTING, ASSOCIATED, UNRECOVERABLE, NOT_CONNECTED };

/* ---- lists and copies ---- */

static void push(struct zk_message ***tail, struct zk_message *message)
{
	message->next = NULL;
	**tail = message;
	*tail = &message->next;
}

static struct zk_message *pop(struct zk_message **first, struct zk_message ***tail)
{
	struct zk_message *message = *first;

	*first = message->next;
	if (!*first)
		*tail = first;
	return message;
}

/* What is under way is in a list of its own: meanwhile the ensemble has it in others. */
static void push_under_way(zhandle_t *zh, struct zk_message *message)
{
	message->next_under_way = NULL;
	*zh->under_way_tail = message;
	zh->under_way_tail = &message->next_under_way;
}

static struct zk_message *pop_under_way(zhandle_t *zh)
{
	struct zk_message *message = zh->under_way;

	CHECK(message);
	zh->under_way = message->next_under_way;
	if (!zh->under_way)
		zh->under_way_tail = &zh->under_way;
	return message;
}

static struct zk_message *message_new(enum zk_kind kind, const char *path)
{
	struct zk_message *message = NEW(struct zk_message);

	message->kind = kind;
	message->path = path ? memory_copy_text(path) : NULL;
	return message;
}

static void message_free(struct zk_message *message)
{
	for (int i = 0; i < message->n_writes; i++) {
		free(message->writes[i].path);
		free(message->writes[i].data);
		free(message->writes[i].made);
	}
	free(message->writes);
	for (int i = 0; i < message->n_watched; i++)
		free(message->watched[i].path);
	free(message->watched);
	for (int i = 0; i < message->n_children; i++)
		free(message->children[i]);
	free(message->children);
	free(message->path);
	free(message);
}

/* ---- watches: one function and one context serve all of them ---- */

static void remember_watch(zhandle_t *zh, const char *path, int kind)
{
	for (int i = 0; i < zh->n_watches; i++)
		if (zh->watches[i].kind == kind && strcmp(zh->watches[i].path, path) == 0)
			return;
	if (zh->n_watches == zh->watches_cap) {
		zh->watches_cap = zh->watches_cap ? zh->watches_cap * 2 : 16;
		zh->watches = memory_grow(zh->watches, (size_t)zh->watches_cap * sizeof *zh->watches);
	}
	zh->watches[zh->n_watches++] = (struct zk_watched){memory_copy_text(path), kind};
}

static bool forget_watch(zhandle_t *zh, const char *path, int kinds)
{
	bool any = false;
	int n = 0;

	for (int i = 0; i < zh->n_watches; i++) {
		if ((zh->watches[i].kind & kinds) && strcmp(zh->watches[i].path, path) == 0) {
			free(zh->watches[i].path);
			any = true;
		} else {
			zh->watches[n++] = zh->watches[i];
		}
	}
	zh->n_watches = n;
	return any;
}

static void on_watch_event(zhandle_t *zh, const struct zk_message *message)
{
	int kinds = message->event == ZOO_CHILD_EVENT     ? ZK_WATCH_CHILDREN
		    : message->event == ZOO_DELETED_EVENT ? ZK_WATCH_DATA | ZK_WATCH_CHILDREN
							  : ZK_WATCH_DATA;

	if (forget_watch(zh, message->path, kinds))
		zh->watcher(zh, message->event, ZOO_CONNECTED_STATE, message->path, zh->ctx);
}

/* ---- the connection ---- */

static void tell_state(zhandle_t *zh, int state)
{
	zh->watcher(zh, ZOO_SESSION_EVENT, state, "", zh->ctx);
}

static void drop_link(zhandle_t *zh)
{
	if (zh->link)
		sim_zk_drop(zh->link);
	zh->link = NULL;
	if (zh->vfd)
		vfd_close(zh->vfd);
	zh->vfd = NULL;
	zh->cut = false;
	while (zh->arrived) {
		struct zk_message *message = pop(&zh->arrived, &zh->arrived_tail);

		if (message->kind == ZK_KIND_EVENT || message->kind == ZK_KIND_END)
			message_free(message);
	}
}

static void end_calls(zhandle_t *zh, int rc)
{
	while (zh->under_way) {
		struct zk_message *message = pop_under_way(zh);

		/* The server may still look at it: it stays. */
		if (!message->complete)
			continue;
		message->rc = rc;
		message->complete(message);
		message->complete = NULL;
	}
}

static void fail(zhandle_t *zh, int rc)
{
	bool was_connected = zh->state == ASSOCIATED;

	drop_link(zh);
	if (zh->state == UNRECOVERABLE) {
		end_calls(zh, ZSESSIONEXPIRED);
		return;
	}
	zh->state = NOT_CONNECTED;
	if (was_connected)
		tell_state(zh, ZOO_CONNECTING_STATE);
	end_calls(zh, rc);
}

static void say(zhandle_t *zh, struct zk_message *message)
{
	push_under_way(zh, message);
	zh->spoke_ms = clock_ms();
	sim_zk_send(zh->link, message);
}

static void start_connect(zhandle_t *zh)
{
	struct zk_message *message = message_new(ZK_KIND_CONNECT, NULL);
	int server = zh->next_server;

	zh->next_server = (zh->next_server + 1) % SIM_ZOOKEEPERS;
	/* The library pauses when it has tried them all. */
	if (++zh->n_tried % SIM_ZOOKEEPERS == 0)
		zh->next_connect_ms = clock_ms() + sim_between(&sim.chance, 100, 1000);
	zh->vfd = vfd_new(VFD_ZK);
	zh->state = CONNECTING;
	zh->link = sim_zk_open(zh, server);
	zh->heard_ms = clock_ms();
	message->session = zh->id.client_id;
	message->timeout_ms = zh->asked_ms;
	message->last_zxid = zh->last_zxid;
	say(zh, message);
}

static void send_watches(zhandle_t *zh)
{
	struct zk_message *message;

	if (zh->n_watches == 0)
		return;
	message = message_new(ZK_KIND_SET_WATCHES, NULL);
	message->last_zxid = zh->last_zxid;
	message->watched = memory_zalloc((size_t)zh->n_watches, sizeof *message->watched);
	message->n_watched = zh->n_watches;
	for (int i = 0; i < zh->n_watches; i++)
		message->watched[i] = (struct zk_watched){memory_copy_text(zh->watches[i].path), zh->watches[i].kind};
	say(zh, message);
}

static int on_connect(zhandle_t *zh, const struct zk_message *message)
{
	if (message->rc == ZSESSIONEXPIRED) {
		zh->state = UNRECOVERABLE;
		drop_link(zh);
		tell_state(zh, ZOO_EXPIRED_SESSION_STATE);
		end_calls(zh, ZSESSIONEXPIRED);
		return ZSESSIONEXPIRED;
	}
	zh->id.client_id = message->session;
	zh->timeout_ms = (int)message->timeout_ms;
	zh->state = ASSOCIATED;
	zh->n_tried = 0;
	zh->next_connect_ms = 0;
	send_watches(zh);
	tell_state(zh, ZOO_CONNECTED_STATE);
	return ZOK;
}

static void on_answer(zhandle_t *zh, struct zk_message *message)
{
	struct zk_message *first = pop_under_way(zh);
	bool armed;

	CHECK(first == message);
	if (message->zxid > zh->last_zxid)
		zh->last_zxid = message->zxid;
	armed = message->watch && (message->rc == ZOK || (message->rc == ZNONODE && message->kind == ZK_KIND_EXISTS));
	if (armed)
		remember_watch(zh, message->path, message->kind == ZK_KIND_CHILDREN ? ZK_WATCH_CHILDREN : ZK_WATCH_DATA);
	if (message->complete)
		message->complete(message);
	message_free(message);
}

void sim_zk_arrived(zhandle_t *zh, struct zk_message *message)
{
	push(&zh->arrived_tail, message);
	zh->vfd->count++;
	vfd_news(zh->vfd);
}

void sim_zk_cut(struct vfd *vfd)
{
	/* Who is cut goes away with its handle: the descriptor itself tells nothing more. */
	vfd->count++;
}

/* ---- the calls ---- */

static const char *const server_names[SIM_ZOOKEEPERS] = {"10.0.0.6:2181", "10.0.0.7:2181", "10.0.0.8:2181"};

zhandle_t *zookeeper_init2(const char *host, watcher_fn fn, int recv_timeout, const clientid_t *clientid, void *context, int flags,
			   log_callback_fn log_callback)
{
	zhandle_t *zh = NEW(zhandle_t);

	(void)host;
	(void)flags;
	(void)log_callback;
	zh->watcher = fn;
	zh->ctx = context;
	zh->asked_ms = zh->timeout_ms = recv_timeout;
	if (clientid)
		zh->id = *clientid;
	zh->state = NOT_CONNECTED;
	zh->next_server = (int)sim_below(&sim.chance, SIM_ZOOKEEPERS);
	zh->arrived_tail = &zh->arrived;
	zh->under_way_tail = &zh->under_way;
	return zh;
}

int zookeeper_close(zhandle_t *zh)
{
	if (zh->state == ASSOCIATED && !zh->cut)
		sim_zk_send(zh->link, message_new(ZK_KIND_CLOSE, NULL));
	drop_link(zh);
	end_calls(zh, ZCLOSING);
	for (int i = 0; i < zh->n_watches; i++)
		free(zh->watches[i].path);
	free(zh->watches);
	free(zh);
	return ZOK;
}

int zookeeper_interest(zhandle_t *zh, int *fd, int *interest, struct timeval *tv)
{
	int64_t now = clock_ms(), hear_ms, speak_ms, wait_ms;

	*fd = -1;
	*interest = 0;
	*tv = (struct timeval){0};
	if (zh->state == UNRECOVERABLE)
		return ZINVALIDSTATE;
	if (!zh->link && now < zh->next_connect_ms) {
		tv->tv_usec = (zh->next_connect_ms - now) * 1000;
		return ZOK;
	}
	if (!zh->link)
		start_connect(zh);
	hear_ms = zh->heard_ms + (zh->state == ASSOCIATED ? zh->timeout_ms * 2 / 3 : zh->timeout_ms / 3) - now;
	if (hear_ms <= 0) {
		fail(zh, ZOPERATIONTIMEOUT);
		return ZOPERATIONTIMEOUT;
	}
	wait_ms = hear_ms;
	if (zh->state == ASSOCIATED) {
		speak_ms = zh->spoke_ms + zh->timeout_ms / 3 - now;
		if (speak_ms <= 0) {
			say(zh, message_new(ZK_KIND_PING, NULL));
			speak_ms = zh->timeout_ms / 3;
		}
		wait_ms = speak_ms < wait_ms ? speak_ms : wait_ms;
	}
	*fd = zh->vfd->number;
	*interest = ZOOKEEPER_READ;
	tv->tv_sec = wait_ms / 1000;
	tv->tv_usec = wait_ms % 1000 * 1000;
	return ZOK;
}

int zookeeper_process(zhandle_t *zh, int events)
{
	struct zk_message *message;

	(void)events;
	if (!zh->vfd)
		return ZINVALIDSTATE;
	if (!zh->arrived && zh->vfd->count == 0)
		return ZNOTHING;
	zh->vfd->count--;
	/* Shut from this side (sim_zk_cut). */
	if (!zh->arrived) {
		zh->cut = true;
		fail(zh, ZCONNECTIONLOSS);
		return ZCONNECTIONLOSS;
	}
	message = pop(&zh->arrived, &zh->arrived_tail);
	zh->heard_ms = clock_ms();
	switch (message->kind) {
	case ZK_KIND_END:
		message_free(message);
		fail(zh, ZCONNECTIONLOSS);
		return ZCONNECTIONLOSS;
	case ZK_KIND_EVENT:
		if (message->zxid > zh->last_zxid)
			zh->last_zxid = message->zxid;
		on_watch_event(zh, message);
		message_free(message);
		return ZOK;
	case ZK_KIND_CONNECT:
		CHECK(pop_under_way(zh) == message);
		return on_connect(zh, message);
	default:
		on_answer(zh, message);
		return ZOK;
	}
}

const clientid_t *zoo_client_id(zhandle_t *zh)
{
	return &zh->id;
}

int zoo_recv_timeout(zhandle_t *zh)
{
	return zh->timeout_ms;
}

const char *zoo_get_current_server(zhandle_t *zh)
{
	return zh->link ? server_names[zh->link->server] : "nowhere";
}

int zoo_set_servers_resolution_delay(zhandle_t *zh, int delay_ms)
{
	(void)zh;
	(void)delay_ms;
	return ZOK;
}

int zoo_add_auth(zhandle_t *zh, const char *scheme, const char *cert, int len, void_completion_t completion, const void *data)
{
	(void)zh;
	(void)scheme;
	(void)cert;
	(void)len;
	(void)completion;
	(void)data;
	return ZOK;
}

void zoo_set_debug_level(ZooLogLevel level)
{
	(void)level;
}

/* ---- operations ---- */

static int submit(zhandle_t *zh, struct zk_message *message, const void *data, void (*complete)(struct zk_message *message))
{
	if (zh->state != ASSOCIATED) {
		message_free(message);
		return ZINVALIDSTATE;
	}
	message->completion_data = data;
	message->complete = complete;
	say(zh, message);
	return ZOK;
}

static void complete_data(struct zk_message *message)
{
	message->completion.data(message->rc, message->data, message->len, &message->stat, message->completion_data);
}

static void complete_strings(struct zk_message *message)
{
	struct String_vector names = {message->n_children, message->children};

	message->completion.strings(message->rc, &names, &message->stat, message->completion_data);
}

static void complete_stat(struct zk_message *message)
{
	message->completion.stat(message->rc, message->kind == ZK_KIND_SET ? &message->writes[0].stat : &message->stat,
				 message->completion_data);
}

static void complete_string(struct zk_message *message)
{
	message->completion.string(message->rc, message->path, message->completion_data);
}

static void complete_created(struct zk_message *message)
{
	message->completion.string_stat(message->rc, message->writes[0].made, &message->writes[0].stat, message->completion_data);
}

static void complete_none(struct zk_message *message)
{
	message->completion.none(message->rc, message->completion_data);
}

static void complete_multi(struct zk_message *message)
{
	for (int i = 0; i < message->n_writes; i++) {
		const struct zk_write *write = &message->writes[i];
		zoo_op_result_t *result = &message->results[i];

		result->err = write->rc;
		if (write->rc == ZOK && write->made && result->value)
			snprintf(result->value, (size_t)result->valuelen, "%s", write->made);
		if (write->rc == ZOK && write->has_stat && result->stat)
			*result->stat = write->stat;
	}
	message->completion.none(message->rc, message->completion_data);
}

int zoo_awget(zhandle_t *zh, const char *path, watcher_fn watcher, void *ctx, data_completion_t completion, const void *data)
{
	struct zk_message *message = message_new(ZK_KIND_GET, path);

	(void)ctx;
	message->watch = watcher != NULL;
	message->completion.data = completion;
	return submit(zh, message, data, complete_data);
}

int zoo_awget_children2(zhandle_t *zh, const char *path, watcher_fn watcher, void *ctx, strings_stat_completion_t completion,
			const void *data)
{
	struct zk_message *message = message_new(ZK_KIND_CHILDREN, path);

	(void)ctx;
	message->watch = watcher != NULL;
	message->completion.strings = completion;
	return submit(zh, message, data, complete_strings);
}

int zoo_awexists(zhandle_t *zh, const char *path, watcher_fn watcher, void *ctx, stat_completion_t completion, const void *data)
{
	struct zk_message *message = message_new(ZK_KIND_EXISTS, path);

	(void)ctx;
	message->watch = watcher != NULL;
	message->completion.stat = completion;
	return submit(zh, message, data, complete_stat);
}

int zoo_async(zhandle_t *zh, const char *path, string_completion_t completion, const void *data)
{
	struct zk_message *message = message_new(ZK_KIND_SYNC, path);

	message->completion.string = completion;
	return submit(zh, message, data, complete_string);
}

static void set_write(struct zk_write *write, enum zk_kind kind, const char *path, const char *value, int len, int version, int flags)
{
	*write = (struct zk_write){.kind = kind, .path = memory_copy_text(path), .len = len, .version = version, .flags = flags};
	if (value && len >= 0) {
		write->data = memory_alloc((size_t)len + 1);
		memcpy(write->data, value, (size_t)len);
		write->data[len] = 0;
	} else {
		write->len = -1;
	}
}

static struct zk_message *write_new(enum zk_kind kind, const char *path, const char *value, int len, int version, int flags)
{
	struct zk_message *message = message_new(kind, path);

	message->writes = NEW(struct zk_write);
	message->n_writes = 1;
	set_write(message->writes, kind, path, value, len, version, flags);
	return message;
}

int zoo_acreate2(zhandle_t *zh, const char *path, const char *value, int len, const struct ACL_vector *acl, int mode,
		 string_stat_completion_t completion, const void *data)
{
	struct zk_message *message = write_new(ZK_KIND_CREATE, path, value, len, -1, mode);

	(void)acl;
	message->completion.string_stat = completion;
	return submit(zh, message, data, complete_created);
}

int zoo_aset(zhandle_t *zh, const char *path, const char *buffer, int len, int version, stat_completion_t completion, const void *data)
{
	struct zk_message *message = write_new(ZK_KIND_SET, path, buffer, len, version, 0);

	message->completion.stat = completion;
	return submit(zh, message, data, complete_stat);
}

int zoo_adelete(zhandle_t *zh, const char *path, int version, void_completion_t completion, const void *data)
{
	struct zk_message *message = write_new(ZK_KIND_DELETE, path, NULL, -1, version, 0);

	message->completion.none = completion;
	return submit(zh, message, data, complete_none);
}

/* The numbers of operations in zookeeper.c. */
enum { OP_CREATE = 1, OP_DELETE = 2, OP_SET = 5, OP_CHECK = 13 };

int zoo_amulti(zhandle_t *zh, int count, const zoo_op_t *ops, zoo_op_result_t *results, void_completion_t completion, const void *data)
{
	struct zk_message *message = message_new(ZK_KIND_MULTI, NULL);

	message->writes = memory_zalloc((size_t)count, sizeof *message->writes);
	message->n_writes = count;
	message->results = results;
	message->completion.none = completion;
	for (int i = 0; i < count; i++) {
		const zoo_op_t *op = &ops[i];
		struct zk_write *write = &message->writes[i];

		if (op->type == OP_CREATE) {
			set_write(write, ZK_KIND_CREATE, op->create_op.path, op->create_op.data, op->create_op.datalen, -1, op->create_op.flags);
			results[i].value = op->create_op.buf;
			results[i].valuelen = op->create_op.buflen;
		} else if (op->type == OP_DELETE) {
			set_write(write, ZK_KIND_DELETE, op->delete_op.path, NULL, -1, op->delete_op.version, 0);
		} else if (op->type == OP_SET) {
			set_write(write, ZK_KIND_SET, op->set_op.path, op->set_op.data, op->set_op.datalen, op->set_op.version, 0);
			results[i].stat = op->set_op.stat;
		} else {
			CHECK(op->type == OP_CHECK);
			set_write(write, ZK_KIND_SYNC, op->check_op.path, NULL, -1, op->check_op.version, 0);
		}
	}
	return submit(zh, message, data, complete_multi);
}
