/* Reading znodes for the controller; see office_read.h. Decoding is in office_decode.c. */
#include "tools/controller/office_read.h"

#include "common/memory.h"
#include "tools/controller/office_decode.h"
#include "zk/path.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* A path that is watched, and what to read when it changes. */
struct node_watch {
	struct zk_watch watch;
	struct office_read *read;
	enum ctl_read what;
	struct slice topic; /* text behind the path */
	UT_hash_handle hh;
	char path[];
};

struct office_read {
	struct zk_session *zk;
	struct office_read_port port;
	char *listener;
	struct node_watch *watches;
	int n_gathers; /* under way */
	bool closed;   /* freed by its owner: the last gather frees the memory */
};

/* One reading under way. */
struct gather {
	struct office_read *read;
	struct arena arena;
	struct ctl_event event;
	struct slice topic;
	bool dropped;      /* session over: nothing is told */
	int32_t n_pending; /* answers to come, and one for the asking itself */
	int32_t first, n;  /* states */
	struct ctl_broker_read *brokers;
	struct ctl_state_read *states;
	struct ctl_config_read *configs;
	int32_t *broker_ids; /* brokers, broker configs */
};

/* One node of a gather. */
struct piece {
	struct gather *gather;
	int32_t index;
	const char *path;
};

/* ---- watches ---- */

static void read_again(struct zk_watch *watch, enum zk_event event)
{
	struct node_watch *node = CONTAINER_OF(watch, struct node_watch, watch);

	(void)event;
	office_read_news(node->read, node->what, node->topic);
}

static struct zk_watch *watch_of(struct office_read *read, const char *path, enum ctl_read what, struct slice topic)
{
	struct node_watch *node;
	size_t len = strlen(path);

	HASH_FIND(hh, read->watches, path, len, node);
	if (node)
		return &node->watch;
	node = memory_zalloc(1, sizeof *node + len + 1 + topic.len);
	node->read = read;
	node->what = what;
	node->watch.fired = read_again;
	memcpy(node->path, path, len + 1);
	if (!slice_is_null(topic)) {
		memcpy(node->path + len + 1, topic.data, topic.len);
		node->topic = slice_of(node->path + len + 1, topic.len);
	}
	HASH_ADD(hh, read->watches, path, len, node);
	return &node->watch;
}

static void forget_watch(struct office_read *read, const char *path)
{
	struct node_watch *node;

	HASH_FIND(hh, read->watches, path, strlen(path), node);
	if (!node)
		return;
	zk_watch_cancel(&node->watch);
	HASH_DEL(read->watches, node);
	free(node);
}

/* ---- gathers ---- */

static struct gather *gather_new(struct office_read *read, enum ctl_read what, bool asked, struct slice topic)
{
	struct gather *gather = NEW(struct gather);

	gather->read = read;
	read->n_gathers++;
	arena_init(&gather->arena);
	gather->event = (struct ctl_event){.kind = CTL_READ_DONE, .read = what, .asked = asked};
	gather->topic = slice_is_null(topic) ? SLICE_NULL : arena_copy(&gather->arena, topic);
	gather->event.topic = gather->topic;
	gather->n_pending = 1;
	return gather;
}

static void release(struct office_read *read)
{
	if (--read->n_gathers > 0 || !read->closed)
		return;
	free(read->listener);
	free(read);
}

/* One answer, or the asking, is done; the last one tells. */
static void gather_done(struct gather *gather)
{
	struct office_read *read = gather->read;

	if (--gather->n_pending > 0)
		return;
	if (!gather->dropped && !read->closed)
		read->port.tell(read->port.ctx, &gather->event);
	arena_fini(&gather->arena);
	free(gather);
	release(read);
}

static bool is_over(int code)
{
	return code == ERR_SESSION_LOST || code == ERR_CLOSED;
}

/* A list cannot be read, or there are more questions than ZooKeeper's client takes: without it there is no office. */
static void gather_fail(struct gather *gather, const char *path, int code)
{
	gather->dropped = true;
	if (!is_over(code) && !gather->read->closed)
		gather->read->port.failed(gather->read->port.ctx, path, code);
}

static struct piece *piece_of(struct gather *gather, int32_t index, const char *path)
{
	struct piece *piece = arena_zalloc(&gather->arena, 1, sizeof *piece);

	gather->n_pending++;
	*piece = (struct piece){.gather = gather, .index = index, .path = path};
	return piece;
}

/* Is the answer to be decoded? If not, *ret_found says what became of the node. */
static bool has_data(const struct piece *piece, const struct zk_result *result, enum ctl_found *ret_found)
{
	if (result->code == 0)
		return true;
	*ret_found = result->code == ERR_NOT_FOUND ? CTL_ABSENT : CTL_NONSENSE;
	if (is_over(result->code) || result->code == ERR_LIMIT)
		gather_fail(piece->gather, piece->path, result->code);
	return false;
}

/* ---- brokers ---- */

static void on_broker(void *ctx, const struct zk_result *result)
{
	struct piece *piece = ctx;
	struct gather *gather = piece->gather;
	struct ctl_broker_read *broker = &gather->brokers[gather->event.n_brokers];
	enum ctl_found found;

	if (has_data(piece, result, &found)) {
		*broker = (struct ctl_broker_read){.id = gather->broker_ids[piece->index], .epoch = result->stat.czxid};
		office_decode_broker(&gather->arena, piece->path, result->data, gather->read->listener, broker);
		gather->event.n_brokers++;
	} else if (found == CTL_ABSENT && !gather->read->closed) {
		forget_watch(gather->read, piece->path);
	} else if (found == CTL_NONSENSE && !gather->dropped) {
		gather_fail(gather, piece->path, result->code);
	}
	gather_done(gather);
}

static void on_broker_ids(void *ctx, const struct zk_result *result)
{
	struct gather *gather = ctx;
	int32_t id;

	if (result->code != 0)
		gather_fail(gather, ZK_PATH_BROKER_IDS, result->code);
	gather->brokers = arena_zalloc(&gather->arena, (size_t)result->n_children, sizeof *gather->brokers);
	gather->broker_ids = arena_zalloc(&gather->arena, (size_t)result->n_children, sizeof *gather->broker_ids);
	gather->event.brokers = gather->brokers;
	for (int i = 0; i < result->n_children && !gather->read->closed; i++) {
		const char *path;

		if (!zk_path_parse_id(result->children[i], &id))
			continue;
		path = zk_path_broker(&gather->arena, id);
		gather->broker_ids[i] = id;
		zk_get(gather->read->zk, path, watch_of(gather->read, path, CTL_READ_BROKERS, SLICE_NULL), on_broker,
		       piece_of(gather, i, path));
	}
	gather_done(gather);
}

/* ---- lists of topics and of deletions ---- */

static void on_names(void *ctx, const struct zk_result *result)
{
	struct gather *gather = ctx;
	struct slice *names = arena_zalloc(&gather->arena, (size_t)result->n_children, sizeof *names);

	if (result->code != 0)
		gather_fail(gather, gather->event.read == CTL_READ_TOPICS ? ZK_PATH_TOPICS : ZK_PATH_DELETE_TOPICS, result->code);
	for (int i = 0; i < result->n_children; i++)
		names[i] = arena_copy(&gather->arena, slice_of_text(result->children[i]));
	gather->event.names = names;
	gather->event.n_names = result->n_children;
	gather_done(gather);
}

/* ---- one topic ---- */

static void on_topic(void *ctx, const struct zk_result *result)
{
	struct piece *piece = ctx;
	struct gather *gather = piece->gather;
	struct ctl_topic_read *node = arena_zalloc(&gather->arena, 1, sizeof *node);

	node->text = SLICE_NULL;
	if (has_data(piece, result, &node->found)) {
		node->created = result->stat.czxid;
		node->version = result->stat.version;
		office_decode_topic(&gather->arena, piece->path, result->data, node);
	} else if (node->found == CTL_ABSENT && !gather->read->closed) {
		forget_watch(gather->read, piece->path);
	} else {
		node->text = slice_of_text(error_text(result->code));
	}
	gather->event.node = node;
	gather->n_pending--;
	gather_done(gather);
}

static void on_topic_config(void *ctx, const struct zk_result *result)
{
	struct piece *piece = ctx;
	struct gather *gather = piece->gather;
	struct ctl_config_read *config = arena_zalloc(&gather->arena, 1, sizeof *config);
	enum ctl_found found;

	config->version = -1;
	if (has_data(piece, result, &found)) {
		config->version = result->stat.version;
		office_decode_config(&gather->arena, piece->path, result->data, config);
	}
	gather->event.configs = config;
	gather->event.n_configs = 1;
	gather->n_pending--;
	gather_done(gather);
}

/* ---- states ---- */

static void on_state(void *ctx, const struct zk_result *result)
{
	struct piece *piece = ctx;
	struct gather *gather = piece->gather;
	struct ctl_state_read *state = &gather->states[piece->index];

	if (has_data(piece, result, &state->found)) {
		state->version = result->stat.version;
		state->mzxid = result->stat.mzxid;
		office_decode_state(&gather->arena, piece->path, result->data, state);
	} else if (state->found == CTL_NONSENSE) {
		state->text = slice_of_text(error_text(result->code));
	}
	gather_done(gather);
}

static void ask_state(struct gather *gather, int32_t index)
{
	const char *path = zk_path_partition_state(&gather->arena, gather->topic, gather->first + index);

	zk_get_anywhere(gather->read->zk, path, on_state, piece_of(gather, index, path));
}

/* Those partitions of a new topic that have a node already: a creation that was cut short, or none. */
static void on_partitions(void *ctx, const struct zk_result *result)
{
	struct gather *gather = ctx;
	int32_t number;

	gather->event.has_parents = result->code == 0;
	if (result->code != 0 && result->code != ERR_NOT_FOUND)
		gather_fail(gather, "a topic's partitions", result->code);
	for (int i = 0; i < result->n_children && !gather->read->closed; i++)
		if (zk_path_parse_id(result->children[i], &number) && number >= gather->first && number < gather->first + gather->n)
			ask_state(gather, number - gather->first);
	gather_done(gather);
}

static void read_states(struct office_read *read, const struct ctl_action *action)
{
	struct gather *gather = gather_new(read, CTL_READ_STATES, true, action->topic);

	gather->first = action->first_partition;
	gather->n = action->n_partitions;
	gather->states = arena_zalloc(&gather->arena, (size_t)gather->n, sizeof *gather->states);
	gather->event.states = gather->states;
	gather->event.n_states = gather->n;
	for (int32_t i = 0; i < gather->n; i++)
		gather->states[i] = (struct ctl_state_read){.partition = gather->first + i, .found = CTL_ABSENT, .text = SLICE_NULL};
	if (action->likely_absent) {
		zk_children(read->zk, zk_path_partitions(&gather->arena, gather->topic), NULL, on_partitions, gather);
		return;
	}
	for (int32_t i = 0; i < gather->n; i++)
		ask_state(gather, i);
	gather_done(gather);
}

/* ---- configs of brokers ---- */

static void on_broker_config(void *ctx, const struct zk_result *result)
{
	struct piece *piece = ctx;
	struct gather *gather = piece->gather;
	struct ctl_config_read *config = &gather->configs[gather->event.n_configs];
	enum ctl_found found;

	if (has_data(piece, result, &found)) {
		*config = (struct ctl_config_read){.broker = gather->broker_ids[piece->index], .version = result->stat.version};
		office_decode_config(&gather->arena, piece->path, result->data, config);
		gather->event.n_configs++;
	}
	gather_done(gather);
}

static void on_broker_config_names(void *ctx, const struct zk_result *result)
{
	struct gather *gather = ctx;

	if (result->code != 0 && result->code != ERR_NOT_FOUND)
		gather_fail(gather, ZK_PATH_CONFIG_BROKERS, result->code);
	gather->configs = arena_zalloc(&gather->arena, (size_t)result->n_children, sizeof *gather->configs);
	gather->broker_ids = arena_zalloc(&gather->arena, (size_t)result->n_children, sizeof *gather->broker_ids);
	gather->event.configs = gather->configs;
	for (int i = 0; i < result->n_children && !gather->read->closed; i++) {
		int32_t id = -1;
		const char *path;

		if (strcmp(result->children[i], ZK_DEFAULT_ENTITY) != 0 && !zk_path_parse_id(result->children[i], &id))
			continue;
		path = zk_path_config_broker(&gather->arena, id);
		gather->broker_ids[i] = id;
		zk_get(gather->read->zk, path, NULL, on_broker_config, piece_of(gather, i, path));
	}
	gather_done(gather);
}

/* ---- nodes below /admin ---- */

static void on_legacy_data(void *ctx, const struct zk_result *result)
{
	struct piece *piece = ctx;
	struct gather *gather = piece->gather;
	struct ctl_legacy_read *legacy = arena_zalloc(&gather->arena, 1, sizeof *legacy);

	legacy->version = -1;
	legacy->text = SLICE_NULL;
	if (has_data(piece, result, &legacy->found)) {
		legacy->version = result->stat.version;
		office_decode_legacy(&gather->arena, piece->path, result->data, gather->event.read == CTL_READ_REASSIGNMENTS, legacy);
	} else if (legacy->found == CTL_NONSENSE) {
		legacy->text = slice_of_text(error_text(result->code));
	}
	gather->event.legacy = legacy;
	gather_done(gather);
}

/* Mostly there is none: a watch that is armed all the same comes with the question whether it is there. */
static void on_legacy_stat(void *ctx, const struct zk_result *result)
{
	struct piece *piece = ctx;

	if (piece->gather->read->closed)
		gather_done(piece->gather);
	else if (result->code == 0)
		zk_get(piece->gather->read->zk, piece->path, NULL, on_legacy_data, piece);
	else
		on_legacy_data(ctx, result);
}

static void read_legacy(struct office_read *read, enum ctl_read what, bool asked)
{
	const char *path = what == CTL_READ_ELECTIONS ? ZK_PATH_PREFERRED_REPLICA_ELECTION : ZK_PATH_REASSIGN_PARTITIONS;
	struct gather *gather = gather_new(read, what, asked, SLICE_NULL);

	zk_exists(read->zk, path, watch_of(read, path, what, SLICE_NULL), on_legacy_stat, piece_of(gather, 0, path));
	gather_done(gather);
}

/* ---- asking ---- */

static void read_list(struct office_read *read, enum ctl_read what, bool asked)
{
	struct gather *gather = gather_new(read, what, asked, SLICE_NULL);

	switch (what) {
	case CTL_READ_BROKERS:
		zk_children(read->zk, ZK_PATH_BROKER_IDS, watch_of(read, ZK_PATH_BROKER_IDS, what, SLICE_NULL), on_broker_ids, gather);
		break;
	case CTL_READ_TOPICS:
		zk_children(read->zk, ZK_PATH_TOPICS, watch_of(read, ZK_PATH_TOPICS, what, SLICE_NULL), on_names, gather);
		break;
	case CTL_READ_DELETIONS:
		zk_children(read->zk, ZK_PATH_DELETE_TOPICS, watch_of(read, ZK_PATH_DELETE_TOPICS, what, SLICE_NULL), on_names, gather);
		break;
	default:
		zk_children(read->zk, ZK_PATH_CONFIG_BROKERS, NULL, on_broker_config_names, gather);
	}
}

static void read_topic(struct office_read *read, enum ctl_read what, bool asked, struct slice topic)
{
	struct gather *gather = gather_new(read, what, asked, topic);
	const char *path;

	if (what == CTL_READ_TOPIC) {
		path = zk_path_topic(&gather->arena, gather->topic);
		zk_get(read->zk, path, watch_of(read, path, what, gather->topic), on_topic, piece_of(gather, 0, path));
	} else {
		path = zk_path_config_topic(&gather->arena, gather->topic);
		zk_get_anywhere(read->zk, path, on_topic_config, piece_of(gather, 0, path));
	}
}

static void read_what(struct office_read *read, enum ctl_read what, bool asked, struct slice topic)
{
	if (what == CTL_READ_TOPIC || what == CTL_READ_TOPIC_CONFIG)
		read_topic(read, what, asked, topic);
	else if (what == CTL_READ_ELECTIONS || what == CTL_READ_REASSIGNMENTS)
		read_legacy(read, what, asked);
	else
		read_list(read, what, asked);
}

void office_read_asked(struct office_read *read, const struct ctl_action *action)
{
	if (action->read == CTL_READ_STATES)
		read_states(read, action);
	else
		read_what(read, action->read, true, action->topic);
}

void office_read_news(struct office_read *read, enum ctl_read what, struct slice topic)
{
	read_what(read, what, false, topic);
}

struct office_read *office_read_new(struct zk_session *zk, const char *listener, const struct office_read_port *port)
{
	struct office_read *read = NEW(struct office_read);

	read->zk = zk;
	read->port = *port;
	read->listener = listener ? memory_copy_text(listener) : NULL;
	read->n_gathers = 1;
	return read;
}

void office_read_free(struct office_read *read)
{
	struct node_watch *node;
	struct node_watch *next;

	HASH_ITER(hh, read->watches, node, next) {
		zk_watch_cancel(&node->watch);
		HASH_DEL(read->watches, node);
		free(node);
	}
	read->closed = true;
	release(read);
}
