/*
 * This broker's life in ZooKeeper: the session, the cluster's id, and the ephemeral node that says that it is alive.
 *
 *     membership_open -> connected -> persistent nodes, no foreign brokers -> /cluster/id -> on_cluster_id
 *                                         (the owner loads its logs and opens its listeners)
 *     membership_register -> /brokers/ids/<id> -> on_registered(broker epoch)
 *     session lost -> on_lost -> connected anew -> the same again by itself -> on_registered(a new broker epoch)
 *
 * Each registration says what the disks held at the start, and which incarnation was before it (D9), until the controller has taken that in.
 *
 * Hub's thread. The broker epoch is the czxid of the node: one incarnation (KIP-380, D1). A node of a dead process with our id
 * is waited for up to a session time-out.
 */
#ifndef KLAMM_BROKER_MEMBERSHIP_H
#define KLAMM_BROKER_MEMBERSHIP_H

#include "broker/meta/broker_config.h"
#include "broker/rt/worker.h"
#include "broker/rt/zk_loop.h"
#include "zk/ephemeral.h"
#include "zk/json_broker.h"

#define BROKER_EPOCH_NONE (-1)

struct membership;

struct membership_port {
	void *ctx;
	/* The cluster's id is known (first session only); id lives as long as the membership. */
	void (*on_cluster_id)(void *ctx, struct slice id);
	void (*on_registered)(void *ctx, int64_t broker_epoch);
	/* The session has expired: this incarnation is over. */
	void (*on_lost)(void *ctx);
	/* On every change of the session's state; NULL: there is none any more. */
	void (*on_session)(void *ctx, struct zk_session *zk);
	/* The session lived on, but for a while nothing was heard of it: others may have been elected meanwhile (S9). */
	void (*on_lease_back)(void *ctx);
	/* The broker may not run; err says why and what to do. */
	void (*on_failed)(void *ctx, const struct error *err);
};

struct membership {
	const struct broker_config *config;
	struct membership_port port;
	struct zk_loop_glue glue;
	struct zk_session *zk;
	struct zk_ephemeral *registration;
	char *cluster_id;         /* NULL until known */
	char *wanted_cluster_id;  /* what our log dirs were written under, for a ZooKeeper that has none; NULL: a new one */
	bool wants_node;          /* since membership_register */
	struct broker_znode node; /* what our node says; its texts lie in node_arena */
	struct arena node_arena;
	bool settled;             /* the controller knows how this broker started */
	int64_t broker_epoch;
	bool ready;               /* persistent nodes and cluster id are there, in this session */
	int n_open;               /* operations of the preparation under way */
	struct arena arena;       /* of the preparation */
	void (*on_closed)(void *ctx);
	void *closed_ctx;
};

/*
 * Connects. wanted_cluster_id: null or the id that this broker's dirs carry. old_session_id: of a process that is surely dead, whose node
 * is ours; 0 = none. ERR_CONFIG for a connect string that cannot work.
 */
int membership_open(struct membership *membership, struct worker *hub, const struct broker_config *config, struct slice wanted_cluster_id,
		    int64_t old_session_id, const struct membership_port *port, struct error *err);

/*
 * From now on this broker is registered in every session, with these endpoints (copied). start, previous_epoch: what its disks held, and since
 * which broker epoch nothing was lost but for that (membership_whole_since of the last run); -1: not known. durable: of store_start.
 */
void membership_register(struct membership *membership, const struct broker_endpoint *endpoints, int n_endpoints, enum broker_start start,
			 int64_t previous_epoch, bool durable);

/*
 * Since which broker epoch on nothing was lost: that of the first of the starts that were whole, up to this one, or this one's own. The next
 * start tells it as its previous epoch, so that a controller trusts also what it has listed under one of those between, however many it missed.
 */
int64_t membership_whole_since(const struct membership *membership);

/* The controller has taken in how this broker started: it need not be told again in later sessions of this process. */
void membership_settle(struct membership *membership);

/* It has not yet. */
bool membership_owes(const struct membership *membership);

/* One of our log dirs has failed: the controller is told by a notification node (kafka.md 2), so that leaders can move. */
void membership_tell_dir_failure(struct membership *membership);

/* Ends the session, so that our node vanishes at once; on_closed comes when that is done or has taken too long. */
void membership_close(struct membership *membership, void (*on_closed)(void *ctx), void *ctx);

void membership_fini(struct membership *membership);

#endif
