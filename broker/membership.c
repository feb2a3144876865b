/* This broker's life in ZooKeeper; see membership.h. */
#include "config.h"

#include "broker/membership.h"

#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"
#include "common/uuid.h"
#include "zk/json_cluster.h"
#include "zk/json_controller.h"
#include "zk/json_notification.h"
#include "zk/path.h"

#include <stdio.h>
#include <stdlib.h>

static void do_register(struct membership *membership);

static void fail(struct membership *membership, const struct error *err)
{
	membership->port.on_failed(membership->port.ctx, err);
}

static void fail_with(struct membership *membership, int code, const char *what)
{
	struct error err;

	error_set(&err, code, "%s: %s", what, error_text(code));
	fail(membership, &err);
}

/* Answers that only mean that the session ended meanwhile: the next one begins anew. */
static bool is_over(int code)
{
	return code == ERR_SESSION_LOST || code == ERR_CLOSED;
}

/* ---- cluster id ---- */

static void read_cluster_id(struct membership *membership);

static void cluster_id_known(struct membership *membership, struct slice id)
{
	membership->ready = true;
	if (!membership->cluster_id) {
		membership->cluster_id = memory_printf("%.*s", SLICE_ARGS(id));
		membership->port.on_cluster_id(membership->port.ctx, slice_of_text(membership->cluster_id));
	} else if (!slice_is_text(id, membership->cluster_id)) {
		struct error err;

		error_set(&err, ERR_CONFIG, "ZooKeeper now holds another cluster (%.*s, before %s): its data was replaced", SLICE_ARGS(id),
			  membership->cluster_id);
		fail(membership, &err);
		return;
	}
	if (membership->wants_node)
		do_register(membership);
}

static void on_cluster_id_made(void *ctx, const struct zk_result *result)
{
	struct membership *membership = ctx;

	if (is_over(result->code))
		return;
	/* Ours or another broker's: what ZooKeeper holds now counts. */
	if (result->code == 0 || result->code == ERR_EXISTS || result->code == ERR_UNKNOWN_OUTCOME)
		read_cluster_id(membership);
	else
		fail_with(membership, result->code, "making " ZK_PATH_CLUSTER_ID);
}

/* The parent is there or its creation has failed in a way that the next step meets again. */
static void on_cluster_made(void *ctx, const struct zk_result *result)
{
	(void)ctx;
	(void)result;
}

static void make_cluster_id(struct membership *membership)
{
	struct uuid uuid = uuid_random();
	char text[UUID_TEXT_LEN + 1];
	struct slice id;

	uuid_format(&uuid, text);
	id = slice_of_text(membership->wanted_cluster_id ? membership->wanted_cluster_id : text);
	zk_create(membership->zk, ZK_PATH_CLUSTER, SLICE_NULL, ZK_PERSISTENT, on_cluster_made, membership);
	zk_create(membership->zk, ZK_PATH_CLUSTER_ID, cluster_id_encode(&membership->arena, id), ZK_PERSISTENT, on_cluster_id_made,
		  membership);
}

static void on_cluster_id_read(void *ctx, const struct zk_result *result)
{
	struct membership *membership = ctx;
	struct error err;
	struct slice id;

	if (is_over(result->code))
		return;
	if (result->code == ERR_NOT_FOUND)
		make_cluster_id(membership);
	else if (result->code)
		fail_with(membership, result->code, "reading " ZK_PATH_CLUSTER_ID);
	else if (cluster_id_decode(&membership->arena, ZK_PATH_CLUSTER_ID, result->data, &id, &err))
		fail(membership, &err);
	else
		cluster_id_known(membership, id);
}

static void read_cluster_id(struct membership *membership)
{
	zk_get(membership->zk, ZK_PATH_CLUSTER_ID, NULL, on_cluster_id_read, membership);
}

/* ---- who else lives here ---- */

static void step_done(struct membership *membership)
{
	if (--membership->n_open == 0)
		read_cluster_id(membership);
}

static void refuse_foreign(struct membership *membership, const char *who)
{
	struct error err;

	error_set(&err, ERR_UNSUPPORTED,
		  "%s of another kind lives in this ZooKeeper (%s): brokers of Apache Kafka and of Klamm cannot be mixed; stop all of the other "
		  "kind first",
		  who, membership->config->zookeeper_connect);
	fail(membership, &err);
}

static void on_neighbour(void *ctx, const struct zk_result *result)
{
	struct membership *membership = ctx;
	struct broker_znode broker;
	struct error err;

	if (is_over(result->code))
		return;
	/* A node that cannot be read is the controller's to report; it is no reason not to live. */
	if (result->code == 0 && broker_znode_decode(&membership->arena, ZK_PATH_BROKER_IDS, result->data, &broker, &err) == 0 &&
	    slice_is_null(broker.klamm)) {
		refuse_foreign(membership, "a broker");
		return;
	}
	step_done(membership);
}

static void on_neighbours(void *ctx, const struct zk_result *result)
{
	struct membership *membership = ctx;

	if (is_over(result->code))
		return;
	for (int i = 0; result->code == 0 && i < result->n_children; i++) {
		membership->n_open++;
		zk_get(membership->zk, zk_path_child(&membership->arena, ZK_PATH_BROKER_IDS, result->children[i]), NULL, on_neighbour,
		       membership);
	}
	step_done(membership);
}

static void on_office(void *ctx, const struct zk_result *result)
{
	struct membership *membership = ctx;
	struct controller_znode office;
	struct error err;

	if (is_over(result->code))
		return;
	if (result->code == 0 && controller_znode_decode(&membership->arena, ZK_PATH_CONTROLLER, result->data, &office, &err) == 0 &&
	    slice_is_null(office.nonce)) {
		refuse_foreign(membership, "a controller");
		return;
	}
	step_done(membership);
}

/* ---- preparation ---- */

static void on_node_made(void *ctx, const struct zk_result *result)
{
	struct membership *membership = ctx;

	if (is_over(result->code))
		return;
	/* Only a refusal for good matters: what is unknown or was there already is made sure of by the next use. */
	if (result->code == ERR_AUTH) {
		fail_with(membership, result->code, "making the persistent nodes in ZooKeeper (are its ACLs another owner's?)");
		return;
	}
	step_done(membership);
}

static void prepare(struct membership *membership)
{
	membership->ready = false;
	membership->n_open = 2;
	arena_fini(&membership->arena);
	for (int i = 0; zk_path_persistent[i]; i++) {
		membership->n_open++;
		zk_create(membership->zk, zk_path_persistent[i], SLICE_NULL, ZK_PERSISTENT, on_node_made, membership);
	}
	zk_get(membership->zk, ZK_PATH_CONTROLLER, NULL, on_office, membership);
	zk_children(membership->zk, ZK_PATH_BROKER_IDS, NULL, on_neighbours, membership);
}

/* ---- registration ---- */

static void on_registered(void *ctx, int code, const struct zk_stat *stat, const struct error *err)
{
	struct membership *membership = ctx;

	membership->registration = NULL;
	if (is_over(code))
		return;
	if (code) {
		fail(membership, err);
		return;
	}
	membership->broker_epoch = stat->czxid;
	trace_info("membership", "registered as broker %d, broker epoch %lld", membership->config->broker_id, (long long)stat->czxid);
	membership->port.on_registered(membership->port.ctx, stat->czxid);
}

static void do_register(struct membership *membership)
{
	struct zk_ephemeral_config config = {
		.path = zk_path_broker(&membership->arena, membership->config->broker_id),
		.label = arena_printf(&membership->arena, "broker id %d", membership->config->broker_id),
		.data = broker_znode_encode(&membership->arena, &membership->node),
	};

	membership->registration = zk_ephemeral_register(membership->zk, &config, on_registered, membership);
}

static struct broker_endpoint *copy_endpoints(struct arena *arena, const struct broker_endpoint *endpoints, int n)
{
	struct broker_endpoint *copy = arena_zalloc(arena, (size_t)n, sizeof *copy);

	for (int i = 0; i < n; i++)
		copy[i] = (struct broker_endpoint){
			.listener = arena_copy(arena, endpoints[i].listener),
			.protocol = arena_copy(arena, endpoints[i].protocol),
			.host = arena_copy(arena, endpoints[i].host),
			.port = endpoints[i].port,
		};
	return copy;
}

void membership_register(struct membership *membership, const struct broker_endpoint *endpoints, int n_endpoints, enum broker_start start,
			 int64_t previous_epoch, bool durable)
{
	struct arena *arena = &membership->node_arena;

	membership->node = (struct broker_znode){
		.jmx_port = -1,
		.timestamp_ms = clock_wall_ms(),
		.rack = slice_of_text(membership->config->broker_rack),
		.endpoints = copy_endpoints(arena, endpoints, n_endpoints),
		.n_endpoints = n_endpoints,
		.start = start,
		.previous_epoch = previous_epoch,
		.durable = durable && start == BROKER_START_UNCLEAN,
		.min_isr = membership->config->topic_defaults.min_insync_replicas,
	};
	/* The mark of our kind, and the listener that controllers dial. */
	membership->node.klamm = slice_of_text(
		arena_printf(arena, PACKAGE_VERSION " %.*s", SLICE_ARGS(membership->config->listener_list.inter_broker->name)));
	broker_znode_choose_host(&membership->node);
	membership->wants_node = true;
	if (membership->ready)
		do_register(membership);
}

int64_t membership_whole_since(const struct membership *membership)
{
	bool lost = membership->node.start == BROKER_START_UNCLEAN || membership->node.start == BROKER_START_DISK_NEW;

	return lost || membership->node.previous_epoch < 0 ? membership->broker_epoch : membership->node.previous_epoch;
}

void membership_settle(struct membership *membership)
{
	membership->node.previous_epoch = membership_whole_since(membership);
	membership->node.start = BROKER_START_CLEAN;
	membership->node.durable = false;
	membership->settled = true;
}

bool membership_owes(const struct membership *membership)
{
	return membership->wants_node && !membership->settled;
}

/* ---- the session ---- */

static void session_lost(struct membership *membership)
{
	trace_error("membership", "the ZooKeeper session has expired: this broker counts as dead until it has registered again");
	if (membership->registration)
		zk_ephemeral_cancel(membership->registration);
	membership->registration = NULL;
	membership->ready = false;
	membership->broker_epoch = BROKER_EPOCH_NONE;
	membership->port.on_lost(membership->port.ctx);
}

static void on_lease_back(void *ctx)
{
	struct membership *membership = ctx;

	membership->port.on_lease_back(membership->port.ctx);
}

static void on_state(void *ctx, enum zk_state state, bool new_session)
{
	struct membership *membership = ctx;

	membership->port.on_session(membership->port.ctx, state == ZK_CLOSED ? NULL : membership->zk);
	switch (state) {
	case ZK_CONNECTED:
		trace_info("membership", "connected to ZooKeeper, session 0x%llx%s", (unsigned long long)zk_session_id(membership->zk),
			   new_session ? " (new)" : "");
		if (new_session)
			prepare(membership);
		break;
	case ZK_SUSPENDED:
		trace_warn("membership", "connection to ZooKeeper lost; the broker goes on while it tries again");
		break;
	case ZK_LOST:
		session_lost(membership);
		break;
	case ZK_AUTH_FAILED:
		trace_error("membership", "ZooKeeper refuses the credentials; trying again");
		break;
	case ZK_CLOSED:
		if (membership->on_closed)
			membership->on_closed(membership->closed_ctx);
		break;
	case ZK_CONNECTING:
		break;
	}
}

int membership_open(struct membership *membership, struct worker *hub, const struct broker_config *config, struct slice wanted_cluster_id,
		    int64_t old_session_id, const struct membership_port *port, struct error *err)
{
	struct zk_config zk = {
		.connect = config->zookeeper_connect,
		.session_timeout_ms = config->zookeeper_session_timeout_ms,
		.auth_digest = config->klamm_zookeeper_auth_digest,
		.set_acl = config->zookeeper_set_acl,
		.create_chroot = true,
		.old_session_id = old_session_id,
	};
	struct zk_listener listener = {membership, on_state, on_lease_back};
	struct zk_loop loop;

	*membership = (struct membership){.config = config, .port = *port, .broker_epoch = BROKER_EPOCH_NONE};
	arena_init(&membership->arena);
	arena_init(&membership->node_arena);
	if (!slice_is_null(wanted_cluster_id))
		membership->wanted_cluster_id = memory_printf("%.*s", SLICE_ARGS(wanted_cluster_id));
	zk_loop_glue_init(&membership->glue, &hub->loop, &loop);
	return zk_loop_glue_open(&membership->glue, &zk, &listener, &membership->zk, err);
}

static void on_told(void *ctx, const struct zk_result *result)
{
	(void)ctx;
	if (result->code)
		trace_warn("membership", "the controller could not be told of the failed log dir: %s", error_text(result->code));
}

void membership_tell_dir_failure(struct membership *membership)
{
	struct arena arena;

	if (!membership->zk)
		return;
	arena_init(&arena);
	zk_create(membership->zk, ZK_PREFIX_LOG_DIR_EVENT, log_dir_event_encode(&arena, membership->config->broker_id), ZK_PERSISTENT_SEQUENTIAL, on_told,
		  membership);
	arena_fini(&arena);
}

void membership_close(struct membership *membership, void (*on_closed)(void *ctx), void *ctx)
{
	membership->on_closed = on_closed;
	membership->closed_ctx = ctx;
	if (membership->registration)
		zk_ephemeral_cancel(membership->registration);
	membership->registration = NULL;
	zk_session_close(membership->zk);
}

void membership_fini(struct membership *membership)
{
	if (membership->zk)
		zk_session_free(membership->zk);
	membership->zk = NULL;
	zk_loop_glue_fini(&membership->glue);
	arena_fini(&membership->arena);
	arena_fini(&membership->node_arena);
	free(membership->cluster_id);
	free(membership->wanted_cluster_id);
}
