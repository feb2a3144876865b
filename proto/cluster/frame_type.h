/*
 * The kinds of frames on a connection of the cluster, and the private Kafka API that opens one.
 *
 * The number travels in the frame head (broker/net/peer.h). Beside it stands the message of proto/cluster/cluster.proto: the
 * header of the frame, or with "payload" its payload behind an empty header, since a header is short and these grow with the cluster.
 */
#ifndef KLAMM_PROTO_CLUSTER_FRAME_TYPE_H
#define KLAMM_PROTO_CLUSTER_FRAME_TYPE_H

/* Api key of Hello: outside Kafka's range and never listed in ApiVersions. Request header v1, response header v0. */
#define HELLO_API_KEY 20811
#define HELLO_API_VERSION 0

/* What this program speaks; the lower of both ends holds for a connection. */
#define CLUSTER_PROTOCOL_VERSION 1

enum frame_type {
	FRAME_PING = 0,             /* Ping */
	FRAME_VIEW = 1,             /* View as payload: controller -> broker */
	FRAME_VIEW_GAP = 2,         /* ViewGap: broker -> controller */
	FRAME_PARTITION_STATES = 3, /* PartitionStates as payload: controller -> broker */
	FRAME_STOP_REPLICAS = 4,    /* StopReplicas as payload: controller -> broker */
	FRAME_REPLICA_RESULTS = 5,  /* ReplicaResults as payload: broker -> controller */
	FRAME_ISR_PROPOSALS = 6,    /* IsrProposals as payload: broker -> controller */
	FRAME_ISR_ANSWERS = 7,      /* IsrAnswers as payload: controller -> broker */
	FRAME_SHUTDOWN = 8,         /* Shutdown: broker -> controller */
	FRAME_SHUTDOWN_ANSWER = 9,  /* ShutdownAnswer: controller -> broker */
	FRAME_FORWARD = 10,         /* Forward as payload: broker -> controller */
	FRAME_FORWARD_ANSWER = 11,  /* ForwardAnswer as payload: controller -> broker */
	FRAME_FOLLOW = 32,          /* Follow as payload: follower -> leader */
	FRAME_FOLLOWING = 33,       /* Following as payload: leader -> follower */
	FRAME_APPEND = 34,          /* Append, and record batches as payload: leader -> follower */
	FRAME_ADVANCE = 35,         /* Advance as payload: leader -> follower */
	FRAME_ACK = 36,             /* Ack as payload: follower -> leader */
	FRAME_CLOSE = 37,           /* Close: either way */
};

#endif
