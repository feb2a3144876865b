/* Blocks of producer ids and those who wait for one; see producer_ids.h. */
#include "broker/meta/producer_ids.h"

#include "broker/meta/admin_internal.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/kafka_error.h"
#include "zk/path.h"

/* With so many left the next block is asked for, as in Kafka. */
#define LEFT_BEFORE_NEXT (PRODUCER_ID_BLOCK_SIZE / 10)

static void read_block(struct admin *admin);

void producer_ids_init(struct producer_ids *ids)
{
	*ids = (struct producer_ids){.next = 0, .last = -1, .later = {.first = 0, .last = -1}};
}

/* ---- giving ---- */

static int64_t left(const struct producer_ids *ids)
{
	return ids->last - ids->next + 1 + (ids->later.last - ids->later.first + 1);
}

static int64_t give(struct producer_ids *ids)
{
	if (ids->next > ids->last) {
		ids->next = ids->later.first;
		ids->last = ids->later.last;
		ids->later = (struct producer_id_block){.first = 0, .last = -1};
	}
	return ids->next++;
}

static void finish(struct admin_item *item, int64_t id)
{
	CONTAINER_OF(item, struct admin_producer_id, item)->producer_id = id;
	admin_finish(item, id < 0 ? KAFKA_COORDINATOR_LOAD_IN_PROGRESS : 0, NULL);
}

/* Gives ids to those who wait, as far as they go; to all of them -1 when `failed`. */
static void serve(struct producer_ids *ids, bool failed)
{
	while (ids->waiting && (failed || left(ids) > 0))
		finish(CONTAINER_OF(ids->waiting, struct admin_item, wait), failed ? -1 : give(ids));
}

/* ---- taking blocks ---- */

static void taken(struct admin *admin)
{
	struct producer_ids *ids = &admin->producer_ids;

	ids->taking = false;
	if (ids->next > ids->last) {
		ids->next = ids->wanted.first;
		ids->last = ids->wanted.last;
	} else {
		ids->later = ids->wanted;
	}
	serve(ids, false);
	if (ids->waiting)
		read_block(admin);
}

static void failed(struct admin *admin, const char *why)
{
	admin->producer_ids.taking = false;
	trace_limited(TRACE_ERROR, "admin", "no block of producer ids can be taken from " ZK_PATH_PRODUCER_ID_BLOCK ": %s", why);
	serve(&admin->producer_ids, true);
}

static void again(struct admin *admin)
{
	struct producer_ids *ids = &admin->producer_ids;

	ids->taking = false;
	if (++ids->attempts > ADMIN_ATTEMPTS_MAX)
		failed(admin, "others change it all the time");
	else
		read_block(admin);
}

static void write_done(void *ctx, const struct zk_result *result)
{
	struct admin *admin = ctx;

	admin->producer_ids.tried = admin_outcome_is_unknown(result->code);
	if (result->code == 0)
		taken(admin);
	else if (admin->producer_ids.tried || result->code == ERR_VERSION || result->code == ERR_EXISTS || result->code == ERR_NOT_FOUND)
		again(admin);
	else
		failed(admin, error_text(result->code));
}

static void write_block(struct admin *admin, int64_t first)
{
	struct producer_ids *ids = &admin->producer_ids;
	struct arena arena;
	struct slice json;

	arena_init(&arena);
	ids->wanted = (struct producer_id_block){admin->broker_id, first, first + PRODUCER_ID_BLOCK_SIZE - 1};
	json = producer_id_block_encode(&arena, &ids->wanted);
	if (ids->version < 0)
		zk_create(admin->session, ZK_PATH_PRODUCER_ID_BLOCK, json, ZK_PERSISTENT, write_done, admin);
	else
		zk_set(admin->session, ZK_PATH_PRODUCER_ID_BLOCK, json, ids->version, write_done, admin);
	arena_fini(&arena);
}

/* After a write of unknown outcome: whether the node is what we wrote. */
static bool is_ours(const struct producer_ids *ids, const struct producer_id_block *found, int32_t version)
{
	return ids->tried && version == ids->version + 1 && found->broker_id == ids->wanted.broker_id &&
	       found->first == ids->wanted.first && found->last == ids->wanted.last;
}

static void on_block(struct admin *admin, const struct zk_result *result)
{
	struct producer_ids *ids = &admin->producer_ids;
	struct producer_id_block found = {.broker_id = -1, .first = 0, .last = -1};
	struct error err;
	struct arena arena;
	int r = 0;

	arena_init(&arena);
	if (result->code == 0 && result->data.len > 0)
		r = producer_id_block_decode(&arena, ZK_PATH_PRODUCER_ID_BLOCK, result->data, &found, &err);
	arena_fini(&arena);
	if (r) {
		failed(admin, err.text);
	} else if (found.last > INT64_MAX - PRODUCER_ID_BLOCK_SIZE) {
		failed(admin, "all ids have been given out");
	} else if (is_ours(ids, &found, result->stat.version)) {
		taken(admin);
	} else {
		ids->version = result->code ? -1 : result->stat.version;
		write_block(admin, found.last + 1);
	}
}

static void read_done(void *ctx, const struct zk_result *result)
{
	struct admin *admin = ctx;

	if (admin_outcome_is_unknown(result->code))
		again(admin);
	else if (result->code && result->code != ERR_NOT_FOUND)
		failed(admin, error_text(result->code));
	else
		on_block(admin, result);
}

static void read_block(struct admin *admin)
{
	admin->producer_ids.taking = true;
	if (!admin->session || admin->stopped)
		failed(admin, "there is no session with ZooKeeper");
	else
		zk_get(admin->session, ZK_PATH_PRODUCER_ID_BLOCK, NULL, read_done, admin);
}

static void take_block(struct admin *admin)
{
	if (admin->producer_ids.taking)
		return;
	admin->producer_ids.attempts = 0;
	admin->producer_ids.tried = false;
	read_block(admin);
}

/* ---- the operation ---- */

static void start(struct admin_item *item)
{
	struct admin *admin = item->op->admin;
	struct producer_ids *ids = &admin->producer_ids;

	if (!ids->waiting && left(ids) > 0)
		finish(item, give(ids));
	else
		admin_wait_link(&ids->waiting, &item->wait);
	if (left(ids) <= LEFT_BEFORE_NEXT)
		take_block(admin);
}

void admin_producer_id(struct admin *admin, struct admin_producer_id *op)
{
	op->op.late_error = KAFKA_REQUEST_TIMED_OUT;
	op->producer_id = -1;
	admin_begin(admin, &op->op, &op->item, sizeof op->item, 1, start);
}
