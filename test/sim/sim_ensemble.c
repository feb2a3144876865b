/*
 * Three ZooKeeper servers; see sim.h and sim_zk.h.
 *
 *     write: server -> leader (commits: one log of changes) -> every server applies it, each with its own lag -> answer, then watches' events
 *     read:  from the server's own tree, as old as that is; sync waits until the server has what the leader had
 *
 * A session lives by what its servers hear; the leader ends it, and its ephemerals go in one commit. A client that has seen more than a server
 * is sent away by it. A link that breaks while a write is on its way leaves its outcome open: it may be committed or not.
 */
#include "common/check.h"
#include "common/clock.h"
#include "common/memory.h"
#include "test/sim/sim_zk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define LEADER SIM_ZOOKEEPERS

/* Sessions of servers end with this granularity (tickTime). */
#define TICK_MS 200

struct znode {
	char *path;
	char *data; /* never freed: answers and other trees refer to it */
	int len;    /* -1 null */
	struct Stat stat;
	UT_hash_handle hh;
};

/* What a commit changes: the node as it is then; a parent's list of children. */
struct change {
	int event; /* ZOO_CREATED_EVENT, ...; 0: no watch of data fires (the parent of a child) */
	bool gone;
	struct znode node;
};

struct txn {
	int64_t zxid;
	struct change *changes;
	int n_changes;
};

struct session {
	struct session *next;
	int64_t id;
	int64_t timeout_us;
	int64_t heard_us;
	bool closed;
	int64_t closed_us;
	struct sim_event check;
};

struct server {
	bool up;
	int64_t lag_us; /* more than usual */
	int n_applied;
	struct sim_event apply;
	int index;
};

static struct {
	struct znode *trees[SIM_ZOOKEEPERS + 1];
	struct server servers[SIM_ZOOKEEPERS];
	struct txn *txns;
	int n_txns, txns_cap;
	int64_t zxid;
	struct session *sessions;
	int64_t last_session;
	struct zk_link *links;
	bool quorum;
	struct sim_event quorum_event;
	int64_t session_ms_max;
	char *refused; /* nodes from here on are written by nobody but operators; NULL: none */
} zk;

/* ---- trees ---- */

static struct znode *find(int tree, const char *path)
{
	struct znode *node;

	HASH_FIND_STR(zk.trees[tree], path, node);
	return node;
}

static void store(int tree, const struct znode *from)
{
	struct znode *node = find(tree, from->path);

	if (!node) {
		node = NEW(struct znode);
		node->path = memory_copy_text(from->path);
		HASH_ADD_KEYPTR(hh, zk.trees[tree], node->path, strlen(node->path), node);
	}
	node->data = from->data;
	node->len = from->len;
	node->stat = from->stat;
}

static void erase(int tree, const char *path)
{
	struct znode *node = find(tree, path);

	if (!node)
		return;
	HASH_DEL(zk.trees[tree], node);
	free(node->path);
	free(node);
}

static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = (size_t)(slash - path);
	char *parent = memory_alloc(len + 2);

	memcpy(parent, path, len ? len : 1);
	parent[len ? len : 1] = 0;
	return parent;
}

static bool is_child(const char *path, const char *parent)
{
	size_t len = strlen(parent);

	if (len == 1)
		return path[1] && !strchr(path + 1, '/');
	return strncmp(path, parent, len) == 0 && path[len] == '/' && !strchr(path + len + 1, '/');
}

const char *sim_ensemble_data(const char *path, size_t *ret_len, int32_t *ret_version, int64_t *ret_czxid, int64_t *ret_owner)
{
	const struct znode *node = find(LEADER, path);

	if (!node)
		return NULL;
	*ret_len = node->len > 0 ? (size_t)node->len : 0;
	*ret_version = node->stat.version;
	*ret_czxid = node->stat.czxid;
	*ret_owner = node->stat.ephemeralOwner;
	return node->data ? node->data : "";
}

void sim_ensemble_each(const char *below, void (*each)(void *ctx, const char *path), void *ctx)
{
	size_t len = strlen(below);

	for (const struct znode *node = zk.trees[LEADER]; node; node = node->hh.next)
		if (strncmp(node->path, below, len) == 0 && node->path[len] == '/')
			each(ctx, node->path);
}

/* ---- links: two pipes ---- */

static void on_to_server(struct sim_event *event);
static void on_to_client(struct sim_event *event);
static void serve(struct zk_link *link);

static void pipe_push(struct zk_pipe *pipe, struct zk_message *message, int from, int to)
{
	int64_t at_us = sim.now_us + sim_delay_us(from, to);

	message->next = NULL;
	message->at_us = at_us > pipe->last_us ? at_us : pipe->last_us;
	pipe->last_us = message->at_us;
	*pipe->tail = message;
	pipe->tail = &message->next;
	if (!sim_is_queued(&pipe->event))
		sim_at(&pipe->event, message->at_us);
}

static struct zk_message *pipe_pop(struct zk_pipe *pipe)
{
	struct zk_message *message = pipe->first;

	if (!message || message->at_us > sim.now_us)
		return NULL;
	pipe->first = message->next;
	if (!pipe->first)
		pipe->tail = &pipe->first;
	return message;
}

static int machine_of(int server)
{
	return SIM_FIRST_ZOOKEEPER + server;
}

static void to_client(struct zk_link *link, struct zk_message *message)
{
	pipe_push(&link->to_client, message, machine_of(link->server), link->machine);
}

static void on_commit(struct sim_event *event);

struct zk_link *sim_zk_open(zhandle_t *handle, int server)
{
	struct zk_link *link = NEW(struct zk_link);

	link->handle = handle;
	link->process = sim.process;
	link->machine = sim.process->machine->id;
	link->server = server;
	link->open = true;
	link->to_server.event.run = on_to_server;
	link->to_server.tail = &link->to_server.first;
	link->to_client.event.run = on_to_client;
	link->to_client.tail = &link->to_client.first;
	link->queue_tail = &link->queue;
	link->commit.run = on_commit;
	link->next = zk.links;
	zk.links = link;
	return link;
}

void sim_zk_send(struct zk_link *link, struct zk_message *message)
{
	pipe_push(&link->to_server, message, link->machine, machine_of(link->server));
}

void sim_zk_drop(struct zk_link *link)
{
	link->handle = NULL;
	sim_cancel(&link->to_client.event);
}

/* The server closes it: what waits is not answered. What is on its way through the leader may still come to pass. */
static void close_link(struct zk_link *link)
{
	struct zk_message *end;

	if (!link->open)
		return;
	link->open = false;
	if (sim_is_queued(&link->commit) && sim_once_in(&sim.chance, 3))
		sim_cancel(&link->commit);
	end = NEW(struct zk_message);
	end->kind = ZK_KIND_END;
	to_client(link, end);
}

static bool client_lives(const struct zk_link *link)
{
	return link->handle && link->process->alive;
}

static void on_to_client(struct sim_event *event)
{
	struct zk_pipe *pipe = CONTAINER_OF(event, struct zk_pipe, event);
	struct zk_link *link = CONTAINER_OF(pipe, struct zk_link, to_client);
	struct zk_message *message;

	if (!client_lives(link))
		return;
	if (!sim_passes(machine_of(link->server), link->machine)) {
		sim_at(event, sim.now_us + 200 * SIM_MS);
		return;
	}
	while (client_lives(link) && (message = pipe_pop(pipe))) {
		/* That a server does not serve is no word of the ensemble. */
		if (message->kind != ZK_KIND_END)
			sim.contact_us[machine_of(link->server)][link->machine] = sim.now_us;
		sim_zk_arrived(link->handle, message);
	}
	if (pipe->first && !sim_is_queued(event))
		sim_at(event, pipe->first->at_us);
}

/* ---- sessions ---- */

static void commit_session_end(struct session *session);

static void on_session_check(struct sim_event *event)
{
	struct session *session = CONTAINER_OF(event, struct session, check);
	int64_t due_us = session->heard_us + session->timeout_us;

	if (session->closed)
		return;
	if (!zk.quorum || sim.now_us < due_us) {
		sim_at(event, (zk.quorum ? due_us : sim.now_us) + sim_between(&sim.chance, 1, TICK_MS) * SIM_MS);
		return;
	}
	sim.counters.expired_sessions++;
	commit_session_end(session);
}

static struct session *find_session(int64_t id)
{
	struct session *session = zk.sessions;

	while (session && session->id != id)
		session = session->next;
	return session;
}

int64_t sim_ensemble_closed_us(int64_t id)
{
	const struct session *session = find_session(id);

	return session && session->closed ? session->closed_us : -1;
}

static struct session *session_new(int64_t timeout_ms)
{
	struct session *session = NEW(struct session);

	session->id = ++zk.last_session + (INT64_C(1) << 56);
	session->timeout_us = (timeout_ms < zk.session_ms_max ? timeout_ms : zk.session_ms_max) * SIM_MS;
	session->heard_us = sim.now_us;
	session->check.run = on_session_check;
	session->next = zk.sessions;
	zk.sessions = session;
	sim_at(&session->check, sim.now_us + session->timeout_us);
	return session;
}

void sim_ensemble_expire(int64_t id)
{
	struct session *session = find_session(id);

	if (session && !session->closed && zk.quorum)
		commit_session_end(session);
}

/* ---- commits ---- */

static struct txn *txn_begin(void)
{
	if (zk.n_txns == zk.txns_cap) {
		zk.txns_cap = zk.txns_cap ? zk.txns_cap * 2 : 256;
		zk.txns = memory_grow(zk.txns, (size_t)zk.txns_cap * sizeof *zk.txns);
	}
	zk.txns[zk.n_txns] = (struct txn){.zxid = ++zk.zxid};
	return &zk.txns[zk.n_txns++];
}

static void txn_add(struct txn *txn, int event, bool gone, const struct znode *node)
{
	struct change *change;

	txn->changes = memory_grow(txn->changes, (size_t)(txn->n_changes + 1) * sizeof *txn->changes);
	change = &txn->changes[txn->n_changes++];
	*change = (struct change){.event = event, .gone = gone, .node = *node};
	change->node.path = memory_copy_text(node->path);
}

static void touch_parent(struct txn *txn, const char *path, int32_t more)
{
	char *name = parent_of(path);
	struct znode *parent = find(LEADER, name);

	parent->stat.cversion++;
	parent->stat.pzxid = txn->zxid;
	parent->stat.numChildren += more;
	txn_add(txn, 0, false, parent);
	free(name);
}

/* ---- the undoing of a multi that fails: the leader's tree is put back ---- */

static int do_create(struct txn *txn, struct zk_write *write, int64_t session)
{
	struct znode node = {.len = write->len, .data = write->data};
	char *name = parent_of(write->path);
	const struct znode *parent = find(LEADER, name);

	free(name);
	if (!parent)
		return ZNONODE;
	if (parent->stat.ephemeralOwner)
		return ZNOCHILDRENFOREPHEMERALS;
	if (write->flags & ZOO_SEQUENCE)
		write->made = memory_printf("%s%010d", write->path, parent->stat.cversion);
	else
		write->made = memory_copy_text(write->path);
	if (find(LEADER, write->made))
		return ZNODEEXISTS;
	node.path = write->made;
	node.stat.czxid = node.stat.mzxid = node.stat.pzxid = txn->zxid;
	node.stat.ctime = node.stat.mtime = clock_wall_ms();
	node.stat.dataLength = write->len > 0 ? write->len : 0;
	node.stat.ephemeralOwner = write->flags & ZOO_EPHEMERAL ? session : 0;
	store(LEADER, &node);
	write->data = NULL;
	write->stat = node.stat;
	write->has_stat = true;
	txn_add(txn, ZOO_CREATED_EVENT, false, &node);
	touch_parent(txn, node.path, 1);
	return ZOK;
}

static int do_set(struct txn *txn, struct zk_write *write)
{
	struct znode *node = find(LEADER, write->path);

	if (!node)
		return ZNONODE;
	if (write->version >= 0 && node->stat.version != write->version)
		return ZBADVERSION;
	node->data = write->data;
	node->len = write->len;
	node->stat.version++;
	node->stat.mzxid = txn->zxid;
	node->stat.mtime = clock_wall_ms();
	node->stat.dataLength = write->len > 0 ? write->len : 0;
	write->data = NULL;
	write->stat = node->stat;
	write->has_stat = true;
	txn_add(txn, ZOO_CHANGED_EVENT, false, node);
	return ZOK;
}

static int do_delete(struct txn *txn, const char *path, int32_t version)
{
	struct znode *node = find(LEADER, path);

	if (!node)
		return ZNONODE;
	if (version >= 0 && node->stat.version != version)
		return ZBADVERSION;
	if (node->stat.numChildren > 0)
		return ZNOTEMPTY;
	txn_add(txn, ZOO_DELETED_EVENT, true, node);
	erase(LEADER, path);
	touch_parent(txn, txn->changes[txn->n_changes - 1].node.path, -1);
	return ZOK;
}

static int do_check(const struct zk_write *write)
{
	const struct znode *node = find(LEADER, write->path);

	if (!node)
		return ZNONODE;
	return write->version >= 0 && node->stat.version != write->version ? ZBADVERSION : ZOK;
}

void sim_ensemble_refuse(const char *path)
{
	free(zk.refused);
	zk.refused = path ? memory_copy_text(path) : NULL;
}

static bool is_refused(const char *path)
{
	size_t len = zk.refused ? strlen(zk.refused) : 0;

	return len > 0 && strncmp(path, zk.refused, len) == 0 && (path[len] == 0 || path[len] == '/');
}

static int do_write(struct txn *txn, struct zk_write *write, int64_t session)
{
	if (session && write->kind != ZK_KIND_SYNC && is_refused(write->path))
		return ZNOAUTH;
	switch (write->kind) {
	case ZK_KIND_CREATE:
		return do_create(txn, write, session);
	case ZK_KIND_SET:
		return do_set(txn, write);
	case ZK_KIND_DELETE:
		return do_delete(txn, write->path, write->version);
	default:
		return do_check(write);
	}
}

/* The nodes that a write names and their parents, as they are, to be put back. */
static void save(struct txn *before, const char *path)
{
	char *name = parent_of(path);
	const struct znode *node = find(LEADER, path), *parent = find(LEADER, name);
	struct znode none = {.path = (char *)(uintptr_t)path};

	txn_add(before, 0, !node, node ? node : &none);
	if (parent)
		txn_add(before, 0, false, parent);
	free(name);
}

static void put_back(const struct txn *before)
{
	for (int i = before->n_changes - 1; i >= 0; i--) {
		const struct change *change = &before->changes[i];

		if (change->gone)
			erase(LEADER, change->node.path);
		else
			store(LEADER, &change->node);
	}
}

static void txn_fini(struct txn *txn)
{
	for (int i = 0; i < txn->n_changes; i++)
		free(txn->changes[i].node.path);
	free(txn->changes);
}

static void on_apply(struct sim_event *event);

static void spread(void)
{
	const struct txn *txn = &zk.txns[zk.n_txns - 1];

	for (int i = 0; i < SIM_ZOOKEEPERS; i++) {
		struct server *server = &zk.servers[i];

		if (server->up && !sim_is_queued(&server->apply))
			sim_at(&server->apply, sim.now_us + sim_between(&sim.chance, 50, 1500) + server->lag_us);
	}
	for (int i = 0; i < txn->n_changes; i++)
		sim_judge_znode(txn->changes[i].node.path);
}

static void no_txn(struct txn *txn)
{
	txn_fini(txn);
	zk.n_txns--;
	zk.zxid--;
}

/* A write of nobody's session. */
static bool write_by_hand(struct zk_write *write)
{
	struct txn *txn;

	if (!zk.quorum)
		return false;
	txn = txn_begin();
	if (do_write(txn, write, 0) == ZOK)
		spread();
	else
		no_txn(txn);
	return true;
}

bool sim_ensemble_delete(const char *path)
{
	struct zk_write write = {.kind = ZK_KIND_DELETE, .path = (char *)(uintptr_t)path, .version = -1};

	return write_by_hand(&write);
}

bool sim_ensemble_put(const char *path, const char *text)
{
	struct zk_write write = {.kind = find(LEADER, path) ? ZK_KIND_SET : ZK_KIND_CREATE,
				 .path = (char *)(uintptr_t)path,
				 .data = memory_copy_text(text),
				 .len = (int)strlen(text),
				 .version = -1};
	bool done = write_by_hand(&write);

	free(write.data);
	free(write.made);
	return done;
}

static bool is_fenced(const struct zk_message *message)
{
	for (int i = 0; i < message->n_writes; i++)
		if (message->writes[i].kind == ZK_KIND_SYNC && strcmp(message->writes[i].path, "/controller_epoch") == 0)
			return true;
	return false;
}

static void judge_writes(const struct zk_message *message)
{
	bool fenced = is_fenced(message);

	for (int i = 0; i < message->n_writes; i++)
		if (message->writes[i].kind != ZK_KIND_SYNC)
			sim_judge_write(message->writes[i].path, fenced);
}

/* The leader's part: all or nothing. Returns the zxid. */
static int64_t commit(struct zk_message *message, int64_t session)
{
	struct txn before = {0}, *txn = txn_begin();
	int64_t zxid = zk.zxid;

	message->rc = ZOK;
	for (int i = 0; i < message->n_writes && message->rc == ZOK; i++) {
		save(&before, message->writes[i].path);
		message->writes[i].rc = message->rc = do_write(txn, &message->writes[i], session);
	}
	if (message->rc != ZOK) {
		bool failed = false;

		put_back(&before);
		no_txn(txn);
		/* Those behind the one that failed are told apart from it. */
		for (int i = 0; i < message->n_writes; i++) {
			message->writes[i].rc = failed ? ZRUNTIMEINCONSISTENCY : message->writes[i].rc;
			failed = failed || message->writes[i].rc != ZOK;
		}
		zxid = zk.zxid;
	} else if (txn->n_changes > 0) {
		judge_writes(message);
		spread();
	}
	txn_fini(&before);
	return zxid;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void commit_session_end(struct session *session)
{
	struct txn *txn = txn_begin();
	char *paths[64];
	int n = 0;

	session->closed = true;
	session->closed_us = sim.now_us;
	sim_cancel(&session->check);
	for (const struct znode *node = zk.trees[LEADER]; node && n < (int)ARRAY_LEN(paths); node = node->hh.next)
		if (node->stat.ephemeralOwner == session->id)
			paths[n++] = memory_copy_text(node->path);
	qsort(paths, (size_t)n, sizeof *paths, compare_paths);
	for (int i = 0; i < n; i++) {
		CHECK(do_delete(txn, paths[i], -1) == ZOK);
		free(paths[i]);
	}
	spread();
	for (struct zk_link *link = zk.links; link; link = link->next)
		if (link->session == session->id)
			close_link(link);
}

/* ---- applying ---- */

static int kind_of_event(int event)
{
	if (event == 0)
		return ZK_WATCH_CHILDREN;
	return event == ZOO_DELETED_EVENT ? ZK_WATCH_DATA | ZK_WATCH_CHILDREN : ZK_WATCH_DATA;
}

static bool take_watch(struct zk_link *link, const char *path, int kinds)
{
	bool any = false;
	int n = 0;

	for (int i = 0; i < link->n_watches; i++) {
		if ((link->watches[i].kind & kinds) && strcmp(link->watches[i].path, path) == 0) {
			free(link->watches[i].path);
			any = true;
		} else {
			link->watches[n++] = link->watches[i];
		}
	}
	link->n_watches = n;
	return any;
}

static void send_event(struct zk_link *link, int event, const char *path, int64_t zxid)
{
	struct zk_message *message = NEW(struct zk_message);

	message->kind = ZK_KIND_EVENT;
	message->event = event ? event : ZOO_CHILD_EVENT;
	message->path = memory_copy_text(path);
	message->zxid = zxid;
	to_client(link, message);
}

static void fire(int server, const struct change *change, int64_t zxid)
{
	for (struct zk_link *link = zk.links; link; link = link->next)
		if (link->open && link->server == server && take_watch(link, change->node.path, kind_of_event(change->event)))
			send_event(link, change->event, change->node.path, zxid);
}

static int64_t applied_zxid(const struct server *server)
{
	return server->n_applied > 0 ? zk.txns[server->n_applied - 1].zxid : 0;
}

static void apply_next(struct server *server)
{
	const struct txn *txn = &zk.txns[server->n_applied++];

	for (int i = 0; i < txn->n_changes; i++) {
		const struct change *change = &txn->changes[i];

		if (change->gone)
			erase(server->index, change->node.path);
		else
			store(server->index, &change->node);
		fire(server->index, change, txn->zxid);
	}
}

static void on_apply(struct sim_event *event)
{
	struct server *server = CONTAINER_OF(event, struct server, apply);

	if (!server->up || !zk.quorum)
		return;
	/* All that is there at once: what came while it lagged. */
	while (server->n_applied < zk.n_txns)
		apply_next(server);
	for (struct zk_link *link = zk.links; link; link = link->next)
		if (link->open && link->server == server->index)
			serve(link);
}

/* ---- serving ---- */

static void answer(struct zk_link *link, struct zk_message *message)
{
	message->zxid = applied_zxid(&zk.servers[link->server]);
	to_client(link, message);
}

static void arm(struct zk_link *link, const char *path, int kind)
{
	if (link->n_watches == link->watches_cap) {
		link->watches_cap = link->watches_cap ? link->watches_cap * 2 : 16;
		link->watches = memory_grow(link->watches, (size_t)link->watches_cap * sizeof *link->watches);
	}
	link->watches[link->n_watches++] = (struct zk_watched){memory_copy_text(path), kind};
}

static void read_children(int tree, struct zk_message *message)
{
	for (const struct znode *node = zk.trees[tree]; node; node = node->hh.next) {
		if (!is_child(node->path, message->path))
			continue;
		message->children = memory_grow(message->children, (size_t)(message->n_children + 1) * sizeof(char *));
		message->children[message->n_children++] = memory_copy_text(strrchr(node->path, '/') + 1);
	}
}

static void do_read(struct zk_link *link, struct zk_message *message)
{
	const struct znode *node = find(link->server, message->path);

	message->rc = node ? ZOK : ZNONODE;
	if (node) {
		message->data = node->data;
		message->len = node->len;
		message->stat = node->stat;
		if (message->kind == ZK_KIND_CHILDREN)
			read_children(link->server, message);
	}
	if (message->watch && (node || message->kind == ZK_KIND_EXISTS))
		arm(link, message->path, message->kind == ZK_KIND_CHILDREN ? ZK_WATCH_CHILDREN : ZK_WATCH_DATA);
	answer(link, message);
}

/* What a client watched before it lost its connection: what has changed since fires at once. */
static void do_set_watches(struct zk_link *link, struct zk_message *message)
{
	for (int i = 0; i < message->n_watched; i++) {
		const struct zk_watched *watched = &message->watched[i];
		const struct znode *node = find(link->server, watched->path);
		bool children = watched->kind == ZK_WATCH_CHILDREN;

		if (node && (children ? node->stat.pzxid : node->stat.mzxid) <= message->last_zxid)
			arm(link, watched->path, watched->kind);
		else if (node)
			send_event(link, children ? 0 : ZOO_CHANGED_EVENT, watched->path, applied_zxid(&zk.servers[link->server]));
		else if (children)
			send_event(link, ZOO_DELETED_EVENT, watched->path, applied_zxid(&zk.servers[link->server]));
		else
			/* It may have been missing before: an exists watch goes on, one for data hears of the deletion. */
			send_event(link, ZOO_DELETED_EVENT, watched->path, applied_zxid(&zk.servers[link->server]));
	}
	answer(link, message);
}

static void do_connect(struct zk_link *link, struct zk_message *message)
{
	struct session *session = find_session(message->session);

	if (message->last_zxid > applied_zxid(&zk.servers[link->server])) {
		close_link(link);
		return;
	}
	message->rc = ZOK;
	if (!message->session) {
		session = session_new(message->timeout_ms);
	} else if (!session || session->closed) {
		message->rc = ZSESSIONEXPIRED;
		answer(link, message);
		return;
	}
	for (struct zk_link *other = zk.links; other; other = other->next)
		if (other != link && other->session == session->id)
			close_link(other);
	session->heard_us = sim.now_us;
	link->session = session->id;
	message->session = session->id;
	message->timeout_ms = session->timeout_us / SIM_MS;
	answer(link, message);
}

static void next(struct zk_link *link)
{
	link->queue = link->queue->next;
	if (!link->queue)
		link->queue_tail = &link->queue;
}

/* The leader has it now, unless there is none. */
static void on_commit(struct sim_event *event)
{
	struct zk_link *link = CONTAINER_OF(event, struct zk_link, commit);
	struct zk_message *message = link->queue;
	struct session *session = find_session(link->session);

	if (!zk.quorum)
		return;
	if (message->kind == ZK_KIND_SYNC) {
		message->rc = ZOK;
		link->wait_zxid = zk.zxid;
	} else if (!session || session->closed) {
		message->rc = ZSESSIONEXPIRED;
		link->wait_zxid = zk.zxid;
	} else {
		link->wait_zxid = commit(message, link->session);
	}
	if (link->wait_zxid == 0)
		link->wait_zxid = -1;
	if (link->open)
		serve(link);
}

static void begin_commit(struct zk_link *link)
{
	link->busy = true;
	link->wait_zxid = 0;
	sim_at(&link->commit, sim.now_us + sim_between(&sim.chance, 200, 1500));
}

/* Everything that can be answered, in order. */
static void serve(struct zk_link *link)
{
	while (link->open && link->queue) {
		struct zk_message *message = link->queue;

		if (link->busy) {
			if (link->wait_zxid == 0 || applied_zxid(&zk.servers[link->server]) < link->wait_zxid)
				return;
			link->busy = false;
			next(link);
			answer(link, message);
			continue;
		}
		if (message->kind >= ZK_KIND_SYNC && message->kind <= ZK_KIND_MULTI) {
			begin_commit(link);
			return;
		}
		next(link);
		if (message->kind == ZK_KIND_CONNECT)
			do_connect(link, message);
		else if (message->kind == ZK_KIND_SET_WATCHES)
			do_set_watches(link, message);
		else if (message->kind == ZK_KIND_PING)
			answer(link, message);
		else if (message->kind == ZK_KIND_CLOSE)
			sim_ensemble_expire(link->session);
		else
			do_read(link, message);
	}
}

static void on_to_server(struct sim_event *event)
{
	struct zk_pipe *pipe = CONTAINER_OF(event, struct zk_pipe, event);
	struct zk_link *link = CONTAINER_OF(pipe, struct zk_link, to_server);
	struct session *session;
	struct zk_message *message;

	if (!sim_passes(link->machine, machine_of(link->server))) {
		/* A client that is gone does not send again for ever. */
		if (link->open && (client_lives(link) || sim_once_in(&sim.chance, 4)))
			sim_at(event, sim.now_us + 200 * SIM_MS);
		return;
	}
	if (link->open && (!zk.servers[link->server].up || !zk.quorum))
		close_link(link);
	if (!link->open)
		return;
	session = find_session(link->session);
	if (session)
		session->heard_us = sim.now_us;
	while ((message = pipe_pop(pipe))) {
		message->next = NULL;
		*link->queue_tail = message;
		link->queue_tail = &message->next;
	}
	if (pipe->first && !sim_is_queued(event))
		sim_at(event, pipe->first->at_us);
	serve(link);
}

/* ---- servers ---- */

static void close_links_of(int server)
{
	for (struct zk_link *link = zk.links; link; link = link->next)
		if (link->server == server)
			close_link(link);
}

/* A new leader gives every session its whole time-out. */
static void on_quorum(struct sim_event *event)
{
	int n_up = 0;

	(void)event;
	for (int i = 0; i < SIM_ZOOKEEPERS; i++)
		n_up += zk.servers[i].up;
	if (n_up * 2 <= SIM_ZOOKEEPERS || zk.quorum)
		return;
	zk.quorum = true;
	for (struct session *session = zk.sessions; session; session = session->next)
		session->heard_us = sim.now_us;
	for (int i = 0; i < SIM_ZOOKEEPERS; i++)
		if (zk.servers[i].up)
			on_apply(&zk.servers[i].apply);
	sim_say("ZooKeeper has a majority");
}

void sim_ensemble_server(int server, bool up)
{
	int n_up = 0;

	if (zk.servers[server].up == up)
		return;
	zk.servers[server].up = up;
	if (!up)
		close_links_of(server);
	for (int i = 0; i < SIM_ZOOKEEPERS; i++)
		n_up += zk.servers[i].up;
	if (n_up * 2 > SIM_ZOOKEEPERS) {
		if (!zk.quorum)
			sim_at(&zk.quorum_event, sim.now_us + sim_between(&sim.chance, 100, 800) * SIM_MS);
		else if (up)
			on_apply(&zk.servers[server].apply);
		return;
	}
	if (zk.quorum)
		sim.counters.zk_losses++;
	zk.quorum = false;
	for (int i = 0; i < SIM_ZOOKEEPERS; i++)
		close_links_of(i);
}

void sim_ensemble_lag(int server, int64_t lag_us)
{
	zk.servers[server].lag_us = lag_us;
}

void sim_ensemble_init(int64_t session_ms_max)
{
	struct znode root = {.path = "/", .len = -1};

	zk.session_ms_max = session_ms_max;
	zk.quorum = true;
	zk.quorum_event.run = on_quorum;
	for (int i = 0; i <= LEADER; i++)
		store(i, &root);
	for (int i = 0; i < SIM_ZOOKEEPERS; i++)
		zk.servers[i] = (struct server){.up = true, .index = i, .apply = {.run = on_apply}};
}
