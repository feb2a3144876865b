/*
 * Brokers that only listen: registered in a real ZooKeeper, they take the controller's Hello, keep what they are told, and answer.
 * All of them live on one loop, driven by the test through fake_cluster_wait.
 */
#ifndef KLAMM_TEST_UNIT_TOOLS_CONTROLLER_FAKE_BROKERS_H
#define KLAMM_TEST_UNIT_TOOLS_CONTROLLER_FAKE_BROKERS_H

#include "broker/rt/loop.h"
#include "broker/rt/zk_loop.h"
#include "common/uuid.h"
#include "zk/ephemeral.h"

#include <uthash.h>

#define FAKE_BROKERS_MAX 3

struct fake_partition {
	struct {
		struct uuid id;
		int32_t partition;
	} key;
	UT_hash_handle hh;
	int32_t leader, leader_epoch, partition_epoch;
};

struct fake_broker {
	struct fake_cluster *cluster;
	int32_t id;
	int64_t epoch;            /* -1: not registered */
	int port;
	struct loop_fd listener;
	struct loop_fd conn;
	bool has_conn;
	bool welcomed;            /* Hello was taken: frames follow */
	bool deaf;                /* does not accept */
	uint8_t *bytes;
	size_t len, room;
	struct zk_ephemeral *registration;

	int32_t controller_epoch; /* of the last view */
	int64_t view_number;
	int n_snapshots, n_views, n_states, n_brokers_in_view;
	int32_t office;
	struct fake_partition *view;
	struct fake_partition *states;
	int n_with_leader;        /* in the view */
	int n_led;                /* states that name this broker */
	int n_erased;
	int n_gaps;
	int n_isr_answers;        /* proposals that were taken */
	int remaining;            /* of the last answer to a stop; -1: none came */
	char last_config[128];    /* "name=value" of the last config of a topic in a view */
};

struct fake_cluster {
	struct loop loop;
	struct zk_loop_glue glue;
	struct zk_session *zk;
	bool connected;
	struct fake_broker brokers[FAKE_BROKERS_MAX];
	bool exists;              /* answer of fake_cluster_has */
	int n_done, n_failed;     /* answers of fake_cluster_create and _delete */
};

void fake_cluster_open(struct fake_cluster *cluster, const char *connect);
void fake_cluster_close(struct fake_cluster *cluster);

/* Registers broker i (0..) and waits until it is. */
void fake_broker_start(struct fake_cluster *cluster, int i);

/* Removes its registration and its connection. */
void fake_broker_stop(struct fake_cluster *cluster, int i);

/* Proposes itself as the whole ISR of every partition that it leads, in one frame. Returns how many. */
int fake_broker_propose_alone(struct fake_cluster *cluster, int i);

/* Says that it is about to stop. */
void fake_broker_ask_to_stop(struct fake_cluster *cluster, int i);

/* Registered, but no connection to it can be had. */
void fake_broker_set_deaf(struct fake_cluster *cluster, int i, bool deaf);

/* Runs the loop until the condition holds or limit_ms are over; returns the ms it took, -1 when it was not met. */
int64_t fake_cluster_wait(struct fake_cluster *cluster, bool (*condition)(struct fake_cluster *cluster, int n), int n,
			  int64_t limit_ms);

/* Creates or sets a node and waits for the answer. */
void fake_cluster_create(struct fake_cluster *cluster, const char *path, const char *data);
void fake_cluster_set(struct fake_cluster *cluster, const char *path, const char *data);
void fake_cluster_delete(struct fake_cluster *cluster, const char *path);

bool fake_cluster_has(struct fake_cluster *cluster, const char *path);

#endif
