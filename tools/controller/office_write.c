/* Fenced writes; see office_write.h. The erasure of a topic is in office_erase.c. */
#include "tools/controller/office_write.h"

#include "common/check.h"
#include "common/memory.h"
#include "common/trace.h"
#include "tools/controller/ctl_state.h"
#include "tools/controller/office_erase.h"
#include "tools/controller/office_moves.h"
#include "zk/json_notification.h"
#include "zk/json_partition_state.h"
#include "zk/json_topic.h"
#include "zk/path.h"

#include <stdlib.h>
#include <string.h>

/* A write whose answer is waited for. */
struct office_pending {
	struct office_pending *next, **link;
	struct office_write *write;
	uint32_t ticket;
	enum ctl_write_kind kind;
	int32_t partition;
	struct slice topic; /* behind the struct */
	uint8_t text[];
};

struct office_write {
	struct zk_session *zk;
	struct zk_election *election;
	struct zk_batch *batch;
	struct office_write_port port;
	struct office_pending *pending;
	struct office_erase *erasures;
	struct office_moves *moves;
	int32_t epoch_version;
	bool dirty;
};

static void on_fenced(void *ctx)
{
	struct office_write *write = ctx;

	write->port.fenced(write->port.ctx);
}

struct office_write *office_write_new(struct zk_session *zk, struct zk_election *election, int32_t epoch_version,
				      const struct office_write_port *port)
{
	struct office_write *write = NEW(struct office_write);
	struct zk_batch_config config = {
		.fence_path = ZK_PATH_CONTROLLER_EPOCH, .fence_version = epoch_version, .ctx = write, .on_fenced = on_fenced};

	*write = (struct office_write){.zk = zk, .election = election, .port = *port, .epoch_version = epoch_version};
	write->batch = zk_batch_new(zk, &config);
	return write;
}

static void pending_free(struct office_pending *pending)
{
	*pending->link = pending->next;
	if (pending->next)
		pending->next->link = pending->link;
	free(pending);
}

void office_write_free(struct office_write *write)
{
	zk_batch_free(write->batch);
	while (write->pending)
		pending_free(write->pending);
	while (write->erasures)
		office_erase_free(write->erasures);
	while (write->moves)
		office_moves_free(write->moves);
	free(write);
}

static enum ctl_outcome outcome_of(int code)
{
	switch (code) {
	case 0:
		return CTL_DONE;
	case ERR_VERSION:
	case ERR_EXISTS:
	case ERR_NOT_FOUND:
	case ERR_UNKNOWN_OUTCOME:
		return CTL_MISSED;
	default:
		return CTL_FAILED;
	}
}

static void tell(struct office_write *write, const struct office_pending *pending, int code, int32_t version)
{
	struct ctl_written written = {
		.ticket = pending->ticket,
		.outcome = outcome_of(code),
		.topic = pending->topic,
		.partition = pending->partition,
		.version = version,
	};

	if (written.outcome == CTL_FAILED && pending->topic.len == 0)
		trace_limited(TRACE_ERROR, "controller", "a write of a node below /admin is refused by ZooKeeper: %s", error_text(code));
	else if (written.outcome == CTL_FAILED)
		trace_limited(TRACE_ERROR, "controller", "a write of topic %.*s, partition %d, is refused by ZooKeeper: %s",
			      SLICE_ARGS(pending->topic), pending->partition, error_text(code));
	write->port.tell(write->port.ctx, &written, 1);
}

static void on_written(void *ctx, const struct zk_op_result *result)
{
	struct office_pending *pending = ctx;
	struct office_write *write = pending->write;
	int32_t version = pending->kind == CTL_WRITE_FIRST_STATE ? 0 : result->stat.version;

	/* Fence and session are told elsewhere and end the office: they are no outcome of a write. */
	if (result->code != ERR_FENCED && result->code != ERR_SESSION_LOST && result->code != ERR_CLOSED)
		tell(write, pending, result->code, version);
	pending_free(pending);
}

static struct office_pending *pending_new(struct office_write *write, const struct ctl_write *what)
{
	struct office_pending *pending = memory_zalloc(1, sizeof *pending + what->topic_name.len);

	pending->write = write;
	pending->ticket = what->ticket;
	pending->kind = what->kind;
	pending->partition = what->partition;
	memcpy(pending->text, what->topic_name.data, what->topic_name.len);
	pending->topic = slice_of(pending->text, what->topic_name.len);
	pending->next = write->pending;
	if (pending->next)
		pending->next->link = &pending->next;
	pending->link = &write->pending;
	write->pending = pending;
	return pending;
}

/* ---- states ---- */

struct slice office_write_encode_state(struct arena *arena, const struct ctl_lead *lead, int32_t controller_epoch)
{
	struct partition_state_znode znode = {
		.leader = lead->leader,
		.leader_epoch = lead->leader_epoch,
		.controller_epoch = controller_epoch,
		.recovering = lead->recovering,
		.isr = lead->isr,
		.n_isr = lead->n_isr,
		.elr = lead->elr,
		.n_elr = lead->leader == -1 || lead->n_elr > 0 ? lead->n_elr : -1,
		.elr_epochs = lead->elr_epochs,
		.n_elr_epochs = lead->n_elr > 0 ? lead->n_elr : -1,
		.last_known_elr = lead->lost,
		.n_last_known_elr = lead->n_lost > 0 ? lead->n_lost : -1,
		.isr_epochs = lead->isr_epochs,
		.n_isr_epochs = lead->n_isr,
	};

	return partition_state_znode_encode(arena, &znode);
}

/* Nodes above the state that may be there already. */
static void on_parent(void *ctx, const struct zk_op_result *result)
{
	(void)ctx;
	(void)result;
}

static void create_parent(struct office_write *write, const char *path)
{
	struct zk_op op = {.kind = ZK_OP_CREATE, .path = path, .data = SLICE_NULL, .mode = ZK_PERSISTENT};

	zk_batch_add(write->batch, &op, on_parent, NULL);
}

static void add_first_state(struct office_write *write, struct arena *arena, const struct ctl_write *what)
{
	struct zk_op op = {.kind = ZK_OP_CREATE, .mode = ZK_PERSISTENT};

	if (what->with_parent)
		create_parent(write, zk_path_partitions(arena, what->topic_name));
	create_parent(write, zk_path_partition(arena, what->topic_name, what->partition));
	op.path = zk_path_partition_state(arena, what->topic_name, what->partition);
	op.data = office_write_encode_state(arena, what->lead, what->controller_epoch);
	zk_batch_add(write->batch, &op, on_written, pending_new(write, what));
}

static void add_state(struct office_write *write, struct arena *arena, const struct ctl_write *what)
{
	struct zk_op op = {.kind = ZK_OP_SET,
			   .path = zk_path_partition_state(arena, what->topic_name, what->partition),
			   .data = office_write_encode_state(arena, what->lead, what->controller_epoch),
			   .version = what->version};

	zk_batch_add(write->batch, &op, on_written, pending_new(write, what));
}

/* ---- topics ---- */

struct topic_znode office_write_topic_znode(struct arena *arena, const struct ctl_topic *topic)
{
	struct partition_assignment *list = arena_zalloc(arena, (size_t)topic->n_partitions, sizeof *list);

	for (int32_t i = 0; i < topic->n_partitions; i++) {
		const struct ctl_partition *p = &topic->partitions[i];

		list[i] = (struct partition_assignment){.partition = i,
							.n_replicas = p->n_replicas,
							.n_adding = p->n_adding,
							.n_removing = p->n_removing,
							.replicas = p->replicas,
							.adding = p->replicas + p->n_replicas,
							.removing = p->replicas + p->n_replicas + p->n_adding};
	}
	return (struct topic_znode){.topic_id = topic->id, .partitions = list, .n_partitions = topic->n_partitions};
}

static void add_topic(struct office_write *write, struct arena *arena, const struct ctl_write *what)
{
	struct topic_znode znode = office_write_topic_znode(arena, what->topic);
	struct zk_op op = {.kind = ZK_OP_SET, .path = zk_path_topic(arena, what->topic_name), .version = what->version};

	op.data = topic_znode_encode(arena, &znode);
	zk_batch_add(write->batch, &op, on_written, pending_new(write, what));
}

static void on_erased(void *ctx, uint32_t ticket, struct slice topic, int code)
{
	struct office_write *write = ctx;
	struct ctl_written written = {
		.ticket = ticket, .outcome = code == 0 ? CTL_DONE : CTL_FAILED, .topic = topic, .partition = -1};

	if (code == ERR_FENCED)
		write->port.fenced(write->port.ctx);
	else if (code != ERR_SESSION_LOST && code != ERR_CLOSED)
		write->port.tell(write->port.ctx, &written, 1);
}

static void on_moves_written(void *ctx, const struct ctl_written *written, int n_written)
{
	struct office_write *write = ctx;

	write->port.tell(write->port.ctx, written, n_written);
}

static void add_moves(struct office_write *write, const struct ctl_write *what)
{
	struct office_moves_setup setup = {.zk = write->zk,
					   .list = &write->moves,
					   .what = what,
					   .ctx = write,
					   .done = on_moves_written,
					   .fenced = on_fenced};

	office_moves_start(&setup);
}

static void add_erasure(struct office_write *write, const struct ctl_write *what)
{
	struct office_erase_setup setup = {
		.zk = write->zk,
		.batch = write->batch,
		.epoch_version = write->epoch_version,
		.topic = what->topic_name,
		.created = what->created,
		.n_partitions = what->topic->n_partitions,
		.ticket = what->ticket,
		.list = &write->erasures,
		.ctx = write,
		.done = on_erased,
	};

	office_erase_start(&setup);
}

void office_write_delete(struct office_write *write, const char *path)
{
	struct zk_op op = {.kind = ZK_OP_DELETE, .path = path, .version = ZK_VERSION_ANY};

	zk_batch_add(write->batch, &op, on_parent, NULL);
	write->dirty = true;
}

/* ---- nodes below /admin ---- */

static struct slice encode_wishes(struct arena *arena, const struct ctl_write *what)
{
	struct topic_partition_list list = {.n_items = what->n_wishes};

	list.items = arena_zalloc(arena, (size_t)what->n_wishes, sizeof *list.items);
	for (int32_t i = 0; i < what->n_wishes; i++)
		list.items[i] = (struct topic_partition_replicas){.topic = what->wishes[i].topic,
								  .partition = what->wishes[i].partition,
								  .replicas = (int32_t *)(uintptr_t)what->wishes[i].replicas,
								  .n_replicas = what->wishes[i].n_replicas};
	return reassignment_encode(arena, &list);
}

static void add_legacy(struct office_write *write, struct arena *arena, const struct ctl_write *what)
{
	struct zk_op op = {.kind = what->n_wishes > 0 ? ZK_OP_SET : ZK_OP_DELETE,
			   .path = what->kind == CTL_WRITE_ELECTIONS ? ZK_PATH_PREFERRED_REPLICA_ELECTION : ZK_PATH_REASSIGN_PARTITIONS,
			   .version = what->version};

	if (what->n_wishes > 0)
		op.data = encode_wishes(arena, what);
	zk_batch_add(write->batch, &op, on_written, pending_new(write, what));
}

/* ---- the way in ---- */

void office_write_add(struct office_write *write, const struct ctl_write *what)
{
	struct arena arena;
	char first[4096];

	CHECK(what->epoch_version == write->epoch_version);
	arena_init_with(&arena, first, sizeof first);
	write->dirty = true;
	switch (what->kind) {
	case CTL_WRITE_FIRST_STATE:
		add_first_state(write, &arena, what);
		break;
	case CTL_WRITE_STATE:
		add_state(write, &arena, what);
		break;
	case CTL_WRITE_TOPIC:
		add_topic(write, &arena, what);
		break;
	case CTL_WRITE_MOVES:
		add_moves(write, what);
		break;
	case CTL_WRITE_ERASE_TOPIC:
		add_erasure(write, what);
		break;
	case CTL_WRITE_ERASE_REQUEST:
		office_write_delete(write, zk_path_delete_topic(&arena, what->topic_name));
		break;
	case CTL_WRITE_OFFICE:
		zk_election_set_broker(write->election, what->broker);
		break;
	case CTL_WRITE_ELECTIONS:
	case CTL_WRITE_REASSIGNMENTS:
		add_legacy(write, &arena, what);
		break;
	}
	arena_fini(&arena);
}

void office_write_flush(struct office_write *write)
{
	if (!write->dirty)
		return;
	write->dirty = false;
	zk_batch_flush(write->batch);
}
