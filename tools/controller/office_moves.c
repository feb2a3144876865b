/* Steps of reassignments as multis; see office_moves.h. */
#include "tools/controller/office_moves.h"

#include "common/memory.h"
#include "common/trace.h"
#include "tools/controller/ctl_state.h"
#include "tools/controller/office_write.h"
#include "zk/json_topic.h"
#include "zk/path.h"

#include <stdlib.h>

struct office_moves {
	struct office_moves *next, **link; /* link NULL: given up by its owner */
	struct office_moves_setup setup;
	struct arena arena;
	struct ctl_written *written;
	int n_written;
};

static void unlink_from_owner(struct office_moves *moves)
{
	if (!moves->link)
		return;
	*moves->link = moves->next;
	if (moves->next)
		moves->next->link = moves->link;
	moves->link = NULL;
}

void office_moves_free(struct office_moves *moves)
{
	unlink_from_owner(moves);
}

static void free_now(struct office_moves *moves)
{
	unlink_from_owner(moves);
	arena_fini(&moves->arena);
	free(moves);
}

static bool is_unexpected(int code)
{
	return code == ERR_VERSION || code == ERR_NOT_FOUND;
}

/* What the refusal of one operation means for all; the first one is the fence. */
static enum ctl_outcome outcome_of_ops(const struct zk_result *result, int *ret_code)
{
	for (int i = 1; i < result->n_ops; i++) {
		int code = result->ops[i].code;

		if (code == 0 || code == ERR_ABORTED)
			continue;
		*ret_code = code;
		return is_unexpected(code) ? CTL_MISSED : CTL_FAILED;
	}
	*ret_code = result->code;
	return CTL_FAILED;
}

static void tell(struct office_moves *moves, enum ctl_outcome outcome)
{
	for (int i = 0; i < moves->n_written; i++)
		moves->written[i].outcome = outcome;
	moves->setup.done(moves->setup.ctx, moves->written, moves->n_written);
}

static void on_refused(struct office_moves *moves, const struct zk_result *result)
{
	enum ctl_outcome outcome = CTL_FAILED;
	int code = result->code;

	if (result->ops && is_unexpected(result->ops[0].code)) {
		moves->setup.fenced(moves->setup.ctx);
		return;
	}
	if (result->code == ERR_UNKNOWN_OUTCOME)
		outcome = CTL_MISSED;
	else if (result->ops)
		outcome = outcome_of_ops(result, &code);
	if (outcome == CTL_FAILED)
		trace_limited(TRACE_ERROR, "controller", "a reassignment of topic %.*s is refused by ZooKeeper: %s",
			      SLICE_ARGS(moves->written[0].topic), error_text(code));
	tell(moves, outcome);
}

static void on_answer(void *ctx, const struct zk_result *result)
{
	struct office_moves *moves = ctx;
	bool is_over = result->code == ERR_SESSION_LOST || result->code == ERR_CLOSED;

	if (moves->link && result->code == 0)
		tell(moves, CTL_DONE);
	else if (moves->link && !is_over)
		on_refused(moves, result);
	free_now(moves);
}

/* ---- the multi ---- */

static struct partition_assignment of_plan(int32_t partition, const struct ctl_assignment *plan)
{
	return (struct partition_assignment){.partition = partition,
					     .n_replicas = plan->n_replicas,
					     .n_adding = plan->n_adding,
					     .n_removing = plan->n_removing,
					     .replicas = (int32_t *)(uintptr_t)plan->replicas,
					     .adding = (int32_t *)(uintptr_t)plan->adding,
					     .removing = (int32_t *)(uintptr_t)plan->removing};
}

static struct slice encode_topic(struct arena *arena, const struct ctl_write *what)
{
	struct topic_znode znode = office_write_topic_znode(arena, what->topic);

	for (int32_t i = 0; i < what->n_moves; i++)
		znode.partitions[what->moves[i].partition] = of_plan(what->moves[i].partition, &what->moves[i].assignment);
	return topic_znode_encode(arena, &znode);
}

static int make_ops(struct office_moves *moves, const struct ctl_write *what, struct zk_op *ops)
{
	struct arena *arena = &moves->arena;
	int n = 0;

	ops[n++] = (struct zk_op){.kind = ZK_OP_CHECK, .path = ZK_PATH_CONTROLLER_EPOCH, .version = what->epoch_version};
	ops[n++] = (struct zk_op){.kind = ZK_OP_SET,
				  .path = zk_path_topic(arena, what->topic_name),
				  .data = encode_topic(arena, what),
				  .version = what->version};
	for (int32_t i = 0; i < what->n_moves; i++) {
		const struct ctl_write_move *move = &what->moves[i];

		if (move->lead)
			ops[n++] = (struct zk_op){.kind = ZK_OP_SET,
						  .path = zk_path_partition_state(arena, what->topic_name, move->partition),
						  .data = office_write_encode_state(arena, move->lead, what->controller_epoch),
						  .version = move->version};
	}
	return n;
}

static void note_written(struct office_moves *moves, const struct ctl_write *what)
{
	struct slice topic = arena_copy(&moves->arena, what->topic_name);
	struct ctl_written *written = arena_zalloc(&moves->arena, (size_t)what->n_moves + 1, sizeof *written);

	moves->written = written;
	written[moves->n_written++] =
		(struct ctl_written){.ticket = what->ticket, .topic = topic, .partition = -1, .version = what->version + 1};
	for (int32_t i = 0; i < what->n_moves; i++)
		if (what->moves[i].lead)
			written[moves->n_written++] = (struct ctl_written){.ticket = what->ticket,
									   .topic = topic,
									   .partition = what->moves[i].partition,
									   .version = what->moves[i].version + 1};
}

void office_moves_start(const struct office_moves_setup *setup)
{
	struct office_moves *moves = NEW(struct office_moves);
	struct zk_op *ops;
	int n_ops;

	moves->setup = *setup;
	arena_init(&moves->arena);
	note_written(moves, setup->what);
	ops = arena_zalloc(&moves->arena, (size_t)setup->what->n_moves + 2, sizeof *ops);
	n_ops = make_ops(moves, setup->what, ops);
	moves->setup.what = NULL;
	moves->next = *setup->list;
	if (moves->next)
		moves->next->link = &moves->next;
	moves->link = setup->list;
	*setup->list = moves;
	zk_multi(setup->zk, ops, n_ops, on_answer, moves);
}
