/* Shared by node.c (what a broker is made of), node_start.c and node_stop.c; nobody else includes it. */
#ifndef KLAMM_BROKER_NODE_INTERNAL_H
#define KLAMM_BROKER_NODE_INTERNAL_H

#include "broker/channel.h"
#include "broker/membership.h"
#include "broker/meta/admin.h"
#include "broker/metrics_page.h"
#include "broker/net/listener.h"
#include "broker/net/net.h"
#include "broker/node.h"
#include "broker/replica/shard.h"
#include "broker/replica/throttle.h"
#include "broker/replicas.h"
#include "broker/rt/signals.h"
#include "broker/store.h"
#include "broker/watchdog_core.h"

/* How far the stop has come; each step waits for something that is told by a message. */
enum node_phase {
	NODE_STARTING,
	NODE_RUNNING,
	NODE_HANDING_OVER, /* serves on while the controller moves leaderships elsewhere */
	NODE_LEAVING,      /* the session is being closed */
	NODE_CLOSING,      /* the last order ends, then partitions and connections are closed */
	NODE_STOPPED,
};

/* A worker's part in the stop. */
struct node_closing {
	struct message message;
	struct node *node;
	struct shard *shard;
	struct net *net;
};

struct node {
	const struct broker_config *config; /* server.properties */
	const struct broker_config *derived; /* with the dynamic configuration of the view */
	struct supervised *supervised;       /* NULL without a parent */
	enum node_phase phase;
	int exit_status;
	bool failed;
	struct worker hub;
	struct signals signals;
	struct store store;
	struct resolver *resolver; /* looks up the names of leaders' hosts */
	struct throttle follow_throttle, lead_throttle; /* of all shards */
	struct budget budget;
	struct shard **shards;
	int n_shards;
	int n_shards_ready;  /* set up */
	int n_workers_started;
	struct net **nets;
	struct net_api *apis;
	struct net_setup net_setup;
	struct acceptor acceptor;
	struct acceptor_override *overrides;
	struct listener *listeners;
	int n_listeners;
	int n_listeners_open;
	bool clients_welcome;    /* the listeners that only clients use accept */
	struct timer welcome;    /* at the latest so long after the registration */
	struct admin *admin;
	struct replicas replicas;
	struct membership membership;
	struct channel channel;
	struct timer handover;   /* asks again, or goes without */
	int n_handover_tries;    /* since it last got on */
	int64_t handover_began_ms;
	int64_t handover_asked_ms; /* when the controller was asked last, or the stop began */
	int32_t n_left;          /* partitions to be handed over, as the controller has last said */
	struct node_closing *closing;
	int n_closing;
	bool announced;
	struct timer watchdog_timer;
	struct watchdog watchdog;
	struct metrics_page metrics;
	int64_t n_disconnects;   /* times that the connection to ZooKeeper was lost */
};

/* The page of metrics, where one is asked for (node_metrics.c). */
int node_open_metrics(struct node *node, struct error *err);

/* Binds all listeners. */
int node_open_listeners(struct node *node, struct error *err);

/* Connects to ZooKeeper; what follows is told by callbacks. */
int node_join(struct node *node, struct error *err);

/* Partitions are served and the session counts. */
static inline bool node_serves(const struct node *node)
{
	return node->phase == NODE_RUNNING || node->phase == NODE_HANDING_OVER;
}

/*
 * The stop, clean unless the node has failed. Leaderships are handed over first where somebody else can take them
 * (controlled.shutdown.enable); a second call, a second later, does not wait for that any more. May be called at any time after node_join.
 */
void node_stop(struct node *node);

/* What the controller says about the handing over. */
void node_on_shutdown_answer(void *ctx, int32_t remaining, int16_t error);

/* The broker may not go on: says why and stops. */
void node_fail(struct node *node, const struct error *err);

#endif
