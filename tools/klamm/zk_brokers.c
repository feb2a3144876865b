/* Brokers from ZooKeeper; see zk_brokers.h. /brokers/ids -> each child -> its first endpoint of protocol PLAINTEXT. */
#include "tools/klamm/zk_brokers.h"

#include "tools/klamm/zk_reader.h"
#include "zk/json_broker.h"
#include "zk/path.h"

struct search {
	struct zk_reader reader;
	struct arena *arena;
	const char *found; /* "host:port,host:port" or NULL */
	int busy;
};

static void on_broker(void *ctx, const struct zk_result *result)
{
	struct search *search = ctx;
	struct broker_znode broker;

	search->busy--;
	if (result->code != 0 || broker_znode_decode(search->arena, "", result->data, &broker, NULL) != 0)
		return;
	broker_znode_choose_host(&broker);
	if (!slice_is_null(broker.host))
		search->found = arena_printf(search->arena, "%s%s%.*s:%d", search->found ? search->found : "",
					     search->found ? "," : "", SLICE_ARGS(broker.host), broker.port);
}

static void on_ids(void *ctx, const struct zk_result *result)
{
	struct search *search = ctx;

	for (int i = 0; i < result->n_children; i++) {
		search->busy++;
		zk_get(search->reader.session, zk_path_child(search->arena, ZK_PATH_BROKER_IDS, result->children[i]), NULL,
		       on_broker, search);
	}
	search->busy--;
}

int zk_brokers_find(const char *connect, int64_t timeout_ms, struct arena *arena, const char **ret_bootstrap, struct error *err)
{
	struct search search = {.arena = arena, .busy = 1};
	int r = zk_reader_open(&search.reader, connect, timeout_ms, err);

	if (r != 0)
		return r;
	zk_children(search.reader.session, ZK_PATH_BROKER_IDS, NULL, on_ids, &search);
	r = zk_reader_run(&search.reader, &search.busy, timeout_ms, err);
	zk_reader_close(&search.reader);
	if (r != 0)
		return r;
	if (!search.found)
		return error_set(err, ERR_NOT_FOUND, "no broker with a PLAINTEXT listener is registered below %s%s", connect,
				 ZK_PATH_BROKER_IDS);
	*ret_bootstrap = search.found;
	return 0;
}
