/*
 * What the simulated ZooKeeper library (sim_zk_library.c) and the simulated ensemble (sim_ensemble.c) say to each other.
 *
 *     library: request --to_server--> server: queue of the link -> reads from its own tree; writes and syncs by way of the leader
 *              answer, event, end of the connection <--to_client-- server, when it has applied what the answer tells
 *
 * One request object goes there and back: the server fills in the answer. Both ways are first in, first out.
 */
#ifndef KLAMM_TEST_SIM_SIM_ZK_H
#define KLAMM_TEST_SIM_SIM_ZK_H

#include "test/sim/sim.h"

#include <zookeeper/zookeeper.h>

enum zk_kind {
	ZK_KIND_CONNECT,
	ZK_KIND_PING,
	ZK_KIND_GET,
	ZK_KIND_CHILDREN,
	ZK_KIND_EXISTS,
	ZK_KIND_SET_WATCHES,
	ZK_KIND_SYNC,
	ZK_KIND_CREATE,
	ZK_KIND_SET,
	ZK_KIND_DELETE,
	ZK_KIND_MULTI,
	ZK_KIND_CLOSE,
	/* Only to the client. */
	ZK_KIND_EVENT,
	ZK_KIND_END,
};

enum { ZK_WATCH_DATA = 1, ZK_WATCH_CHILDREN = 2 };

/* One write, alone or of a multi. */
struct zk_write {
	enum zk_kind kind; /* CREATE, SET, DELETE; SYNC stands for a check */
	char *path;
	char *data;
	int len; /* -1: null */
	int32_t version;
	int flags;
	/* The answer. */
	int rc;
	char *made;
	struct Stat stat;
	bool has_stat;
};

struct zk_watched {
	char *path;
	int kind;
};

struct zk_message {
	struct zk_message *next;           /* on its way, or at the server */
	struct zk_message *next_under_way; /* of the library */
	int64_t at_us;
	enum zk_kind kind;
	/* The request. */
	char *path;
	bool watch;
	struct zk_write *writes;
	int n_writes;
	int64_t session, last_zxid; /* CONNECT */
	int64_t timeout_ms;
	struct zk_watched *watched; /* SET_WATCHES */
	int n_watched;
	/* The answer. */
	int rc;
	int64_t zxid;
	const char *data;
	int len;
	struct Stat stat;
	char **children;
	int n_children;
	int event;
	/* Of the library. */
	const void *completion_data;
	void (*complete)(struct zk_message *message);
	union {
		data_completion_t data;
		strings_stat_completion_t strings;
		stat_completion_t stat;
		string_completion_t string;
		string_stat_completion_t string_stat;
		void_completion_t none;
	} completion;
	zoo_op_result_t *results;
	watcher_fn watcher;
};

struct zk_pipe {
	struct sim_event event;
	struct zk_message *first, **tail;
	int64_t last_us;
};

struct zk_link {
	struct zk_link *next;
	zhandle_t *handle; /* NULL: the client has dropped it */
	struct sim_process *process;
	int machine;
	int server;
	bool open; /* at the server */
	int64_t session;
	struct zk_pipe to_server, to_client;
	struct zk_message *queue, **queue_tail; /* at the server, in order */
	bool busy;                              /* the first of the queue is on its way through the leader */
	struct sim_event commit;
	int64_t wait_zxid; /* 0: not committed yet */
	struct zk_watched *watches;
	int n_watches, watches_cap;
};

/* The client opens a link to a server and says something on it. */
struct zk_link *sim_zk_open(zhandle_t *handle, int server);
void sim_zk_send(struct zk_link *link, struct zk_message *message);
/* The client has closed its socket. */
void sim_zk_drop(struct zk_link *link);

/* To the library: something has arrived. */
void sim_zk_arrived(zhandle_t *handle, struct zk_message *message);

/* Its socket is shut. */
void sim_zk_cut(struct vfd *vfd);

#endif
