/* What a new session begins with; see controller.h. */
#include "common/error.h"
#include "common/memory.h"
#include "common/trace.h"
#include "tools/controller/controller.h"
#include "zk/json_broker.h"
#include "zk/json_cluster.h"
#include "zk/json_controller.h"
#include "zk/path.h"

#include <stdlib.h>

#define AREA "controller"

/* One broker being looked at. */
struct look {
	struct controller *controller;
	char *path;
};

static void done(struct controller *controller)
{
	if (--controller->n_preparing == 0 && !controller->stopping && zk_session_state(controller->zk) == ZK_CONNECTED)
		controller_prepared(controller);
}

static void on_created(void *ctx, const struct zk_result *result)
{
	struct controller *controller = ctx;

	if (result->code == ERR_AUTH)
		trace_error(AREA, "ZooKeeper does not let us create %s", result->path ? result->path : "nodes");
	done(controller);
}

static void create(struct controller *controller, const char *path, struct slice data)
{
	controller->n_preparing++;
	zk_create(controller->zk, path, data, ZK_PERSISTENT, on_created, controller);
}

static void on_migration(void *ctx, const struct zk_result *result)
{
	struct controller *controller = ctx;
	struct arena arena;
	struct error err;
	int32_t epoch = -1;

	arena_init(&arena);
	if (result->code == 0 && migration_decode(&arena, ZK_PATH_MIGRATION, result->data, &epoch, &err) == 0 && epoch >= 0)
		trace_warn(AREA, "/migration says that a migration to KRaft was begun here; it must have been rolled back wholly");
	arena_fini(&arena);
	done(controller);
}

static void on_controller(void *ctx, const struct zk_result *result)
{
	struct controller *controller = ctx;
	struct controller_znode znode;
	struct arena arena;
	struct error err;

	arena_init(&arena);
	if (result->code == 0 && controller_znode_decode(&arena, ZK_PATH_CONTROLLER, result->data, &znode, &err) == 0) {
		if (znode.kraft_epoch >= 0)
			controller_refuse(controller, "a KRaft controller (epoch %d) rules this cluster: finish or roll back its migration first",
					  znode.kraft_epoch);
		else if (slice_is_null(znode.nonce))
			controller_refuse(controller, "Kafka broker %d is the controller of this cluster: stop all Kafka brokers first",
					  znode.broker_id);
	}
	arena_fini(&arena);
	done(controller);
}

static void on_broker(void *ctx, const struct zk_result *result)
{
	struct look *look = ctx;
	struct broker_znode znode;
	struct arena arena;
	struct error err;

	arena_init(&arena);
	if (result->code == 0 && broker_znode_decode(&arena, look->path, result->data, &znode, &err) == 0 &&
	    slice_is_null(znode.klamm))
		controller_refuse(look->controller,
				  "%s is a Kafka broker: Klamm and Kafka cannot share a cluster; stop all Kafka brokers first", look->path);
	arena_fini(&arena);
	done(look->controller);
	free(look->path);
	free(look);
}

static void on_broker_ids(void *ctx, const struct zk_result *result)
{
	struct controller *controller = ctx;

	for (int i = 0; i < result->n_children && !controller->stopping; i++) {
		struct look *look = NEW(struct look);

		look->controller = controller;
		look->path = memory_printf("%s/%s", ZK_PATH_BROKER_IDS, result->children[i]);
		controller->n_preparing++;
		zk_get(controller->zk, look->path, NULL, on_broker, look);
	}
	done(controller);
}

void controller_prepare(struct controller *controller)
{
	struct arena arena;

	arena_init(&arena);
	controller->n_preparing = 1;
	for (const char *const *path = zk_path_persistent; *path; path++)
		create(controller, *path, SLICE_NULL);
	create(controller, ZK_PATH_FEATURE, feature_znode_encode(&arena));
	controller->n_preparing += 3;
	zk_get(controller->zk, ZK_PATH_MIGRATION, NULL, on_migration, controller);
	zk_get(controller->zk, ZK_PATH_CONTROLLER, NULL, on_controller, controller);
	zk_children(controller->zk, ZK_PATH_BROKER_IDS, NULL, on_broker_ids, controller);
	arena_fini(&arena);
	done(controller);
}
