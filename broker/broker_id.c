/* The id of a broker whose configuration leaves it open; see broker_id.h. */
#include "broker/broker_id.h"

#include "broker/log/meta_properties.h"
#include "broker/rt/signals.h"
#include "broker/rt/worker.h"
#include "broker/rt/zk_loop.h"
#include "common/trace.h"
#include "zk/path.h"

#include <signal.h>
#include <stdio.h>

/* One question to ZooKeeper, on a loop that lives only for it. */
struct id_request {
	struct worker worker;
	struct zk_loop_glue glue;
	struct zk_session *zk;
	struct signals signals;
	int32_t version; /* -1 until it is known */
	int code;
};

static void stop(struct id_request *request)
{
	zk_session_close(request->zk);
}

static void on_signal(void *ctx, int signal_number)
{
	struct id_request *request = ctx;

	if (signal_number == SIGHUP || request->code)
		return;
	trace_info("node", "told to stop (signal %d)", signal_number);
	request->code = ERR_CLOSED;
	stop(request);
}

static void on_set(void *ctx, const struct zk_result *result)
{
	struct id_request *request = ctx;

	if (request->code == ERR_CLOSED)
		return;
	request->code = result->code;
	if (result->code == 0)
		request->version = result->stat.version;
	/* Lost in between: a number may have been used up, which does no harm. Ask again. */
	if (result->code == ERR_UNKNOWN_OUTCOME)
		zk_set(request->zk, ZK_PATH_BROKER_SEQID, SLICE_LITERAL(""), ZK_VERSION_ANY, on_set, request);
	else if (result->code != ERR_SESSION_LOST && result->code != ERR_CLOSED)
		stop(request);
}

static void on_made(void *ctx, const struct zk_result *result)
{
	(void)ctx;
	(void)result;
}

static void on_state(void *ctx, enum zk_state state, bool new_session)
{
	struct id_request *request = ctx;

	if (state == ZK_CLOSED) {
		worker_stop(&request->worker);
	} else if (state == ZK_CONNECTED && new_session) {
		zk_create(request->zk, ZK_PATH_BROKERS, SLICE_NULL, ZK_PERSISTENT, on_made, request);
		zk_create(request->zk, ZK_PATH_BROKER_SEQID, SLICE_NULL, ZK_PERSISTENT, on_made, request);
		zk_set(request->zk, ZK_PATH_BROKER_SEQID, SLICE_LITERAL(""), ZK_VERSION_ANY, on_set, request);
	}
}

static int next_free(const struct broker_config *config, int32_t *ret_id, struct error *err)
{
	struct zk_config zk = {
		.connect = config->zookeeper_connect,
		.session_timeout_ms = config->zookeeper_session_timeout_ms,
		.auth_digest = config->klamm_zookeeper_auth_digest,
		.set_acl = config->zookeeper_set_acl,
		.create_chroot = true,
	};
	struct id_request request = {.version = -1};
	struct zk_listener listener = {.ctx = &request, .on_state = on_state};
	struct zk_loop port;
	int r = worker_init(&request.worker, "id", 0);

	if (r)
		return error_set(err, r, "the loop cannot be made: %s", error_text(r));
	zk_loop_glue_init(&request.glue, &request.worker.loop, &port);
	r = signals_open(&request.signals, &request.worker.loop, on_signal, &request);
	if (r) {
		worker_fini(&request.worker);
		return error_set(err, r, "signals cannot be handled: %s", error_text(r));
	}
	r = zk_loop_glue_open(&request.glue, &zk, &listener, &request.zk, err);
	if (r == 0) {
		trace_info("node", "asking ZooKeeper at %s for a broker id", config->zookeeper_connect);
		worker_run(&request.worker);
		zk_session_free(request.zk);
		zk_loop_glue_fini(&request.glue);
		r = request.code ? error_set(err, request.code, "no broker id can be had from %s: %s", ZK_PATH_BROKER_SEQID,
					     error_text(request.code))
				 : 0;
	}
	signals_close(&request.signals);
	worker_fini(&request.worker);
	if (r == 0)
		*ret_id = config->reserved_broker_max_id + request.version;
	return r;
}

/* -1 when no dir has been used before. */
static int32_t stored_id(const struct broker_config *config)
{
	for (int i = 0; i < config->n_log_dirs; i++) {
		struct meta_properties meta;
		struct error err;
		char path[FS_PATH_MAX];

		snprintf(path, sizeof path, "%s/%s", config->log_dir_list[i], META_PROPERTIES_FILE);
		if (meta_properties_read(fs_real(), path, &meta, &err) == 0 && meta.broker_id >= 0)
			return meta.broker_id;
	}
	return -1;
}

int broker_id_choose(struct broker_config *config, struct error *err)
{
	int32_t id = stored_id(config);
	int r = id < 0 ? next_free(config, &id, err) : 0;

	if (r)
		return r;
	config->broker_id = config->node_id = id;
	trace_info("node", "broker id %d", id);
	return 0;
}
