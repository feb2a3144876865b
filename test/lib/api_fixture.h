/*
 * Fixture for tests of API handlers: a shard with a view made by hand, requests that come as bytes, answers as a client reads them.
 *
 *     struct api_fixture fixture;
 *     api_fixture_init(&fixture, "auto.create.topics.enable=false\n");
 *     api_fixture_broker(&fixture, 1);
 *     api_fixture_topic(&fixture, "t", 3, 1);
 *     answer = api_fixture_call(&fixture, API_METADATA, 12, metadata_handle, &request);
 *     const struct metadata_response *response = answer->body;
 *
 * The request struct is encoded in the version and decoded again before the handler gets it, the answer likewise: what a version
 * does not carry is not seen. The shard has a view and a configuration and no partitions. Hub and worker are run in turns on the test's thread. This file takes the place of broker/net: the
 * functions of request.h are its own.
 */
#ifndef KLAMM_TEST_LIB_API_FIXTURE_H
#define KLAMM_TEST_LIB_API_FIXTURE_H

#include "broker/meta/admin.h"
#include "broker/net/request.h"
#include "broker/replica/shard.h"
#include "broker/rt/zk_loop.h"
#include "proto/api.h"

#define API_FIXTURE_WAIT_MS 20000
#define API_FIXTURE_OWN_BROKER 1

struct api_answer {
	bool done;
	bool closed;        /* the connection was closed instead */
	bool none;          /* request_answer_none */
	bool gone;          /* set by a test: the connection is over */
	int version;        /* of the answer */
	void *body;         /* decoded; NULL without one */
	size_t wire_bytes;  /* of the encoded body */
	int64_t handled_ns; /* from the call of the handler until the answer was encoded */
	const char *reason; /* of a close */
	struct arena arena;
	struct request request;
	struct message begin;
	int64_t begun_ns;
	void (*handle)(struct request *request);
	struct buf *frame, *wire;
	struct api_answer *next;
};

struct api_fixture {
	struct worker hub;
	struct shard shard;
	struct shard *all[1];
	struct broker_config *config;
	struct listener_info listener;
	struct client client;
	struct admin *admin;
	struct view *view; /* the newest */
	struct api_answer *answers;
	/* With api_fixture_zookeeper. */
	struct zk_loop_glue glue;
	struct zk_session *session;
};

/* properties: lines of server.properties beside what must stand there (broker 1, PLAINTEXT, one log dir); NULL = none. */
void api_fixture_init(struct api_fixture *fixture, const char *properties);

/* Frees all answers too. */
void api_fixture_fini(struct api_fixture *fixture);

/* Opens a session for the admin and makes the persistent nodes; waits for both. */
void api_fixture_zookeeper(struct api_fixture *fixture, const char *connect);

/* The contents of a node, ended by a 0 byte, good until the next call; NULL when there is none. *ret_version (may be NULL): its. */
const char *api_fixture_znode(struct api_fixture *fixture, const char *path, int32_t *ret_version);

/* Creates or sets a node. NULL: without data. */
void api_fixture_put(struct api_fixture *fixture, const char *path, const char *data);

/* Turns until the node is there. */
void api_fixture_wait_znode(struct api_fixture *fixture, const char *path);

/* A new view for the shard and the admin: number, epoch, office and cluster id are filled in. */
void api_fixture_apply(struct api_fixture *fixture, struct view_delta *delta);

/* Another live broker with a PLAINTEXT listener at host<id>:9092. */
void api_fixture_broker(struct api_fixture *fixture, int32_t id);

/* A topic whose partitions have the one replica `leader`, all led; its id is drawn. */
void api_fixture_topic(struct api_fixture *fixture, const char *name, int32_t n_partitions, int32_t leader);

/* The same with an id and overrides at a version. */
void api_fixture_topic_with(struct api_fixture *fixture, const char *name, const struct uuid *id, int32_t n_partitions, int32_t leader,
			    const struct config_pair *configs, int n_configs, int32_t config_version);

void api_fixture_remove_topic(struct api_fixture *fixture, const char *name);

/* Begins a request; its answer may come later. */
struct api_answer *api_fixture_send(struct api_fixture *fixture, int16_t key, int version, void (*handle)(struct request *request),
				    const void *request);

/* One turn of hub and worker. */
void api_fixture_turn(struct api_fixture *fixture);

/* Turns until the request has ended. */
void api_fixture_wait(struct api_fixture *fixture, struct api_answer *answer);

/* Send and wait. */
struct api_answer *api_fixture_call(struct api_fixture *fixture, int16_t key, int version, void (*handle)(struct request *request),
				    const void *request);

#endif
