/*
 * The broker's end of the controller's connection.
 *
 *     worker  Hello request -> posted to the hub
 *     hub     cluster, target incarnation right? /controller and /controller_epoch read after a sync: is the sender in office?
 *     worker  answer; accepted: the connection is detached ----> hub adopts it, an older controller's is closed
 *     hub     VIEW              -> the next view, posted to every shard          (a gap: VIEW_GAP back)
 *             PARTITION_STATES  -> replicas_apply -> REPLICA_RESULTS back   (the first on a connection are those of all replicas)
 *             STOP_REPLICAS     -> replicas_stop  -> REPLICA_RESULTS back
 *             ISR_PROPOSALS out, ISR_ANSWERS in   (broker/isr_line.h)
 *             FORWARD out, FORWARD_ANSWER in      (broker/forward_line.h)
 *             SHUTDOWN out, SHUTDOWN_ANSWER in    (broker/node_stop.c)
 *
 * Every frame is judged by its epochs (D1): a lower controller epoch than the highest seen is STALE_CONTROLLER_EPOCH, another broker
 * epoch than our own STALE_BROKER_EPOCH. Without a controller the broker serves on with the view it has.
 */
#ifndef KLAMM_BROKER_CHANNEL_H
#define KLAMM_BROKER_CHANNEL_H

#include "broker/forward_line.h"
#include "broker/isr_line.h"
#include "broker/membership.h"
#include "broker/meta/view.h"
#include "broker/net/peer.h"
#include "broker/replicas.h"
#include "broker/view_message.h"
#include "proto/cluster/cluster.pb-c.h"

struct hello;

struct channel_port {
	void *ctx;
	/* A new view; the reference is the owner's. */
	void (*on_view)(void *ctx, struct view *view);
	/* All states of a connection that began when the lease had had so many gaps have been taken by their owners. */
	void (*on_told)(void *ctx, int64_t n_gaps);
	/* What the controller says to channel_ask_shutdown; remaining: partitions that this broker still leads and another could. */
	void (*on_shutdown_answer)(void *ctx, int32_t remaining, int16_t error);
};

struct channel {
	struct membership *membership;
	struct replicas *replicas;
	struct worker *hub;
	struct budget *budget;
	struct channel_port port;
	struct peer *peer;         /* NULL: no controller at the moment */
	int32_t controller_epoch;  /* the highest seen; -1: none yet */
	int32_t controller_id;
	struct view *view;         /* the newest; never NULL */
	struct view_messages gathering;
	struct isr_line isr_line;
	struct forward_line forward_line;
	struct hello *hellos_read, *hellos_waiting; /* for what ZooKeeper says now, and for what it says next (channel_hello.c) */
	int n_hellos;
	bool snapshot_asked; /* and has not come */
	bool view_came;      /* on this connection */
	bool told;           /* the states of all replicas have come on this connection: they are the first order on it */
	int64_t n_gaps;      /* of the lease, when it began */
	bool swept;          /* what is no longer this broker's was looked for on this connection */
	bool closing;
};

void channel_init(struct channel *channel, struct worker *hub, struct membership *membership, struct replicas *replicas,
		  struct budget *budget, const struct channel_port *port);

/* Drops the connection: orders at work are carried out, their answers are not sent. */
void channel_drop(struct channel *channel);

/* Drops it so that a controller comes again and tells everything anew: until then nobody here knows whether others lead by now (S9). */
void channel_renew(struct channel *channel);

/* The session is lost, and this incarnation with it: the same, and what its leaders have asked for is forgotten. */
void channel_lose(struct channel *channel);

/* Asks the controller to move the leaderships of this broker elsewhere. False without a connection. */
bool channel_ask_shutdown(struct channel *channel);

/* No Hello is accepted any more. */
void channel_close(struct channel *channel);

void channel_fini(struct channel *channel);

/* A Hello that is not a follower's (replication_hello.h), on a worker. `said` is taken over; NULL: it could not be read. */
void channel_hello(struct request *request, Klamm__Hello *said, struct channel *channel);

#endif
