/* Reassignment of replicas; see ctl_reassign.h. */
#include "tools/controller/ctl_reassign.h"

#include "common/check.h"
#include "proto/kafka_error.h"
#include "tools/controller/ctl_broker.h"
#include "tools/controller/ctl_config.h"
#include "tools/controller/ctl_delete.h"
#include "tools/controller/ctl_leftover.h"
#include "tools/controller/ctl_legacy.h"
#include "tools/controller/ctl_partition.h"
#include "tools/controller/ctl_step.h"

#include <stdio.h>
#include <string.h>

#define FAILED_RETRY_MS 1000
#define UNREAD_RETRY_MS 10000

/* ---- assignments ---- */

/* What is in a and not in b, in the order of a. */
static int difference(const int32_t *a, int n_a, const int32_t *b, int n_b, int32_t *ret_ids)
{
	int n = 0;

	for (int i = 0; i < n_a; i++)
		if (!ctl_contains(b, n_b, a[i]))
			ret_ids[n++] = a[i];
	return n;
}

int ctl_reassign_origin(const struct ctl_partition *p, int32_t ret_ids[LIMIT_REPLICAS])
{
	return difference(p->replicas, p->n_replicas, p->replicas + p->n_replicas, p->n_adding, ret_ids);
}

int ctl_reassign_target(const struct ctl_partition *p, int32_t ret_ids[LIMIT_REPLICAS])
{
	return difference(p->replicas, p->n_replicas, p->replicas + p->n_replicas + p->n_adding, p->n_removing, ret_ids);
}

bool ctl_reassign_plan(const struct ctl_partition *p, const int32_t *target, int n_target, struct ctl_plan *ret_plan)
{
	struct ctl_plan plan = {.n_replicas = (int16_t)n_target};
	int32_t origin[LIMIT_REPLICAS];
	int32_t rest[LIMIT_REPLICAS];
	int n_origin = ctl_reassign_origin(p, origin);
	int n_rest = difference(origin, n_origin, target, n_target, rest);

	if (n_target + n_rest > LIMIT_REPLICAS)
		return false;
	memcpy(plan.replicas, target, (size_t)n_target * sizeof *target);
	memcpy(plan.replicas + n_target, rest, (size_t)n_rest * sizeof *rest);
	plan.n_replicas = (int16_t)(n_target + n_rest);
	plan.n_adding = (int16_t)difference(plan.replicas, plan.n_replicas, origin, n_origin, plan.adding);
	plan.n_removing = (int16_t)difference(plan.replicas, plan.n_replicas, target, n_target, plan.removing);
	*ret_plan = plan;
	return true;
}

static struct ctl_plan plan_of_target(const int32_t *target, int n_target)
{
	struct ctl_plan plan = {.n_replicas = (int16_t)n_target};

	memcpy(plan.replicas, target, (size_t)n_target * sizeof *target);
	return plan;
}

static bool same_ids(const int32_t *a, int n_a, const int32_t *b, int n_b)
{
	return n_a == n_b && (n_a == 0 || memcmp(a, b, (size_t)n_a * sizeof *a) == 0);
}

/* Also what is under way already: writing it once more would only bump the leader epoch, and so send back whoever is catching up. */
static bool is_present(const struct ctl_partition *p, const struct ctl_plan *plan)
{
	const int32_t *adding = p->replicas + p->n_replicas;

	return same_ids(p->replicas, p->n_replicas, plan->replicas, plan->n_replicas) &&
	       same_ids(adding, p->n_adding, plan->adding, plan->n_adding) &&
	       same_ids(adding + p->n_adding, p->n_removing, plan->removing, plan->n_removing);
}

/* ---- asking, and what became of it ---- */

static struct ctl_move *move_of(struct ctl *ctl, struct ctl_partition *p)
{
	if (!p->move)
		p->move = ctl_pool_get(&ctl->pool, 1, sizeof *p->move);
	return p->move;
}

uint32_t ctl_reassign_ask(struct ctl *ctl, struct ctl_topic *topic, int32_t index, const int32_t *target, int n_target)
{
	struct ctl_move *move = move_of(ctl, &topic->partitions[index]);

	CHECK(n_target <= LIMIT_REPLICAS);
	move->serial = ++ctl->serials;
	move->asked = true;
	move->wanted = true;
	move->settled = false;
	ctl_move_set_message(ctl, move, SLICE_NULL);
	ctl_move_set_target(ctl, move, target, n_target);
	ctl_topic_list_moving(ctl, topic);
	return move->serial;
}

/* Nothing holds on to the move any more. */
static void free_if_idle(struct ctl *ctl, struct ctl_partition *p)
{
	const struct ctl_move *move = p->move;

	if (move && !move->asked && !move->wanted && !move->writing && !move->unknown)
		ctl_move_free(ctl, p);
}

static void settle(struct ctl *ctl, struct ctl_partition *p, int16_t error, struct slice message)
{
	struct ctl_move *move = p->move;

	move->wanted = false;
	move->settled = true;
	move->error = error;
	ctl_move_set_message(ctl, move, message);
	free_if_idle(ctl, p);
}

bool ctl_reassign_outcome(struct ctl *ctl, struct ctl_topic *topic, int32_t index, uint32_t serial, int16_t *ret_error,
			  struct slice *ret_message)
{
	struct ctl_partition *p = &topic->partitions[index];
	struct ctl_move *move = p->move;

	*ret_error = KAFKA_NONE;
	*ret_message = SLICE_NULL;
	if (!move || move->serial != serial)
		return true;
	if (!move->settled)
		return false;
	*ret_error = move->error;
	*ret_message = slice_is_null(move->message) ? SLICE_NULL : arena_copy(ctl->out->arena, move->message);
	move->asked = false;
	free_if_idle(ctl, p);
	return true;
}

void ctl_reassign_forget(struct ctl *ctl, struct ctl_topic *topic, int32_t index, uint32_t serial)
{
	struct ctl_partition *p = &topic->partitions[index];

	if (!p->move || p->move->serial != serial)
		return;
	p->move->asked = false;
	free_if_idle(ctl, p);
}

void ctl_reassign_check(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	if (ctl_reassign_is_under_way(p) || p->move)
		ctl_topic_list_moving(ctl, topic);
}

/* ---- may it be done? ---- */

/* "1,2,3" */
static const char *ids_text(struct ctl *ctl, const int32_t *ids, int n_ids)
{
	const char *text = "";

	for (int i = 0; i < n_ids; i++)
		text = arena_printf(ctl->out->arena, "%s%s%d", text, i ? "," : "", ids[i]);
	return text;
}

static const char *live_brokers_text(struct ctl *ctl)
{
	int32_t *ids = arena_alloc(ctl->out->arena, (size_t)ctl->n_brokers * sizeof *ids);
	int n = 0;

	for (int i = 0; i < ctl->n_brokers; i++)
		if (ctl_broker_is_live(&ctl->brokers[i]) && !ctl->brokers[i].leaving)
			ids[n++] = ctl->brokers[i].id;
	return ids_text(ctl, ids, n);
}

/* What is wrong with the list itself; NULL: nothing. */
static const char *find_fault_of_list(struct ctl *ctl, const int32_t *target, int n_target)
{
	if (n_target == 0)
		return "Empty replica list specified in partition reassignment.";
	for (int i = 0; i < n_target; i++) {
		if (ctl_contains(target, i, target[i]))
			return arena_printf(ctl->out->arena, "Duplicate replica ids in partition reassignment replica list: %s",
					    ids_text(ctl, target, n_target));
		if (target[i] < 0)
			return arena_printf(ctl->out->arena, "Invalid broker id in replica list: %s", ids_text(ctl, target, n_target));
	}
	return NULL;
}

static const char *find_dead(struct ctl *ctl, const struct ctl_plan *plan)
{
	for (int i = 0; i < plan->n_adding; i++) {
		const struct ctl_broker *broker = ctl_broker_find(ctl, plan->adding[i]);

		if (!ctl_broker_is_live(broker) || broker->leaving)
			return arena_printf(ctl->out->arena,
					    "Replica assignment has brokers that are not alive. Replica list: %s, live broker list: %s",
					    ids_text(ctl, plan->adding, plan->n_adding), live_brokers_text(ctl));
	}
	return NULL;
}

/* Those that have all that was acknowledged: the ISR; without leader the eligible ones. Of these, who goes on, and who of them is alive. */
static int count_staying(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p, const struct ctl_plan *plan,
			 int *ret_n_before, int *ret_n_live)
{
	bool led = p->now.leader != -1;
	const int32_t *ids = led ? p->now.isr : p->now.elr;
	int n = 0;

	*ret_n_before = led ? p->now.n_isr : p->now.n_elr;
	*ret_n_live = 0;
	for (int i = 0; i < *ret_n_before; i++) {
		if (!ctl_contains(plan->replicas, plan->n_replicas, ids[i]))
			continue;
		n++;
		*ret_n_live += ctl_broker_member(ctl, topic, p, ids[i]) >= CTL_MEMBER_BOUNCED;
	}
	return n;
}

/*
 * A step that takes members out leaves as many as acknowledged records were promised to stand on; and one that is alive, where one is now.
 */
static const char *find_loss(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p, const struct ctl_plan *plan)
{
	int32_t min_isr = ctl_config_min_isr(ctl, topic, p);
	int n_least = min_isr < plan->n_replicas ? min_isr : plan->n_replicas;
	int n_before;
	int n_live;
	int n;

	if (p->version < 0 || ctl_config_unclean(ctl, topic))
		return NULL;
	n = count_staying(ctl, topic, p, plan, &n_before, &n_live);
	if (n == n_before || (n >= n_least && (n_live > 0 || p->now.leader == -1)))
		return NULL;
	return arena_printf(ctl->out->arena,
			    "Only %d in-sync replicas (%d of them alive) would be left of %d, so that acknowledged records could be lost: "
			    "bring the other replicas back first, or let the reassignment end",
			    n, n_live, n_before);
}

enum judgement {
	JUDGE_NOTHING, /* it is as it is wanted */
	JUDGE_WRITE,
	JUDGE_REFUSE,
};

/* All of them are alive and in the ISR, or there is no state that could know more. */
static bool is_in_sync(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p, const int32_t *ids, int n_ids)
{
	if (p->version < 0)
		return true;
	if (p->now.leader == -1)
		return false;
	for (int i = 0; i < n_ids; i++)
		if (!ctl_contains(p->now.isr, p->now.n_isr, ids[i]) || ctl_broker_member(ctl, topic, p, ids[i]) < CTL_MEMBER_LEAVING)
			return false;
	return true;
}

static enum judgement refuse(int16_t error, const char *why, int16_t *ret_error, const char **ret_why)
{
	*ret_error = error;
	*ret_why = why;
	return JUDGE_REFUSE;
}

/* What somebody asked for. */
static enum judgement judge_wanted(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p,
				   struct ctl_plan *ret_plan, int16_t *ret_error, const char **ret_why)
{
	int32_t origin[LIMIT_REPLICAS];
	const int32_t *target = p->move->target;
	int n_target = p->move->n_target;
	const char *fault;

	if (topic->deletion != CTL_DELETION_NONE)
		return refuse(KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "The partition does not exist.", ret_error, ret_why);
	if (n_target == CTL_REASSIGN_CANCEL) {
		if (!ctl_reassign_is_under_way(p))
			return refuse(KAFKA_NO_REASSIGNMENT_IN_PROGRESS, kafka_error_text(KAFKA_NO_REASSIGNMENT_IN_PROGRESS),
				      ret_error, ret_why);
		n_target = ctl_reassign_origin(p, origin);
		target = origin;
	}
	fault = find_fault_of_list(ctl, target, n_target);
	if (!fault && !ctl_reassign_plan(p, target, n_target, ret_plan))
		fault = "The replicas of both assignments together are too many.";
	if (!fault)
		fault = find_dead(ctl, ret_plan);
	if (!fault && is_in_sync(ctl, topic, p, target, n_target))
		*ret_plan = plan_of_target(target, n_target);
	if (!fault)
		fault = find_loss(ctl, topic, p, ret_plan);
	if (fault)
		return refuse(KAFKA_INVALID_REPLICA_ASSIGNMENT, fault, ret_error, ret_why);
	return is_present(p, ret_plan) ? JUDGE_NOTHING : JUDGE_WRITE;
}

/* The last step of what is under way. */
static enum judgement judge_last_step(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p,
				      struct ctl_plan *ret_plan)
{
	int32_t target[LIMIT_REPLICAS];
	int n_target = ctl_reassign_target(p, target);

	if (!ctl_reassign_is_under_way(p) || !is_in_sync(ctl, topic, p, target, n_target))
		return JUDGE_NOTHING;
	*ret_plan = plan_of_target(target, n_target);
	return JUDGE_WRITE;
}

static enum judgement judge(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p, struct ctl_plan *ret_plan,
			    int16_t *ret_error, const char **ret_why)
{
	if (p->move && p->move->wanted)
		return judge_wanted(ctl, topic, p, ret_plan, ret_error, ret_why);
	if (topic->deletion != CTL_DELETION_NONE)
		return JUDGE_NOTHING;
	return judge_last_step(ctl, topic, p, ret_plan);
}

/* ---- writing ---- */

static void prepare(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p, const struct ctl_plan *plan, uint32_t ticket,
		    struct ctl_write_move *ret_move)
{
	struct ctl_assignment assignment = {plan->n_replicas, plan->n_adding, plan->n_removing,
					    plan->replicas,   plan->adding,   plan->removing};
	struct ctl_move *move = move_of(ctl, p);

	ctl_move_set_plan(ctl, move, &assignment);
	move->writing = true;
	move->wanted = false;
	*ret_move = (struct ctl_write_move){.partition = (int32_t)(p - topic->partitions), .version = p->version};
	ret_move->assignment = (struct ctl_assignment){move->n_replicas,
						       move->n_adding,
						       move->n_removing,
						       move->ids,
						       move->ids + move->n_replicas,
						       move->ids + move->n_replicas + move->n_adding};
	if (p->version < 0)
		return;
	ctl_partition_begin_move(ctl, topic, p, plan->replicas, plan->n_replicas, ticket);
	ret_move->lead = &p->next;
}

static void report(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_write_move *moves, int32_t n_moves)
{
	const struct ctl_write_move *first = &moves[0];
	const struct ctl_partition *p = &topic->partitions[first->partition];
	bool is_last = first->assignment.n_adding + first->assignment.n_removing == 0;
	const char *others = n_moves > 1 ? arena_printf(ctl->out->arena, " (and of %d more partitions)", n_moves - 1) : "";

	ctl_action_report(ctl->out, false, "reassignment of %.*s-%d%s: replicas [%s] become [%s]%s", SLICE_ARGS(topic->name), first->partition,
			  others, ids_text(ctl, p->replicas, p->n_replicas),
			  ids_text(ctl, first->assignment.replicas, first->assignment.n_replicas),
			  is_last ? "" : arena_printf(ctl->out->arena, ", adding [%s], removing [%s]",
						      ids_text(ctl, first->assignment.adding, first->assignment.n_adding),
						      ids_text(ctl, first->assignment.removing, first->assignment.n_removing)));
}

static void write_moves(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_write_move *moves, int32_t n_moves, uint32_t ticket)
{
	topic->ticket = ticket;
	topic->moves_written = true;
	report(ctl, topic, moves, n_moves);
	ctl_action_add(ctl->out, CTL_DO_WRITE)->write = (struct ctl_write){
		.kind = CTL_WRITE_MOVES,
		.ticket = ticket,
		.epoch_version = ctl->epoch_version,
		.controller_epoch = ctl->epoch,
		.topic_name = topic->name,
		.topic = topic,
		.partition = -1,
		.version = topic->version,
		.moves = moves,
		.n_moves = n_moves,
	};
}

/* Its state is about to change, or is to be made first where one was lost. */
static bool is_busy(const struct ctl_partition *p)
{
	return p->ticket != 0 || p->reading || p->creating || (p->version < 0 && p->now.leader_epoch >= 0);
}

/* What /admin/reassign_partitions wants of the partition is taken out there first: true until it is. */
static bool is_named_elsewhere(struct ctl *ctl, const struct ctl_topic *topic, struct ctl_partition *p)
{
	return p->move && p->move->wanted && ctl_legacy_gives_way(ctl, topic, p, p->move->serial);
}

/* Decides about one partition; true: a move of it goes into the write with this ticket. */
static bool decide(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p, uint32_t ticket, struct ctl_write_move *ret_move)
{
	struct ctl_plan plan;
	int16_t error = KAFKA_NONE;
	const char *why = NULL;

	switch (judge(ctl, topic, p, &plan, &error, &why)) {
	case JUDGE_WRITE:
		if (is_named_elsewhere(ctl, topic, p))
			return false;
		prepare(ctl, topic, p, &plan, ticket, ret_move);
		return true;
	case JUDGE_REFUSE:
		settle(ctl, p, error, slice_of_text(why));
		return false;
	case JUDGE_NOTHING:
		is_named_elsewhere(ctl, topic, p);
		if (p->move && p->move->wanted)
			settle(ctl, p, KAFKA_NONE, SLICE_NULL);
		return false;
	}
	return false;
}

/* True: something is still to be done when what is under way has ended. */
static bool flush_topic(struct ctl *ctl, struct ctl_topic *topic)
{
	struct ctl_write_move *moves = NULL;
	int32_t n = 0;
	uint32_t ticket = 0;
	bool waits = false;

	for (int32_t i = 0; i < topic->n_partitions; i++) {
		struct ctl_partition *p = &topic->partitions[i];

		if (p->odd || p->state == CTL_NON_EXISTENT || (!ctl_reassign_is_under_way(p) && !(p->move && p->move->wanted)))
			continue;
		if (is_busy(p) || n == CTL_REASSIGN_MOVES_MAX) {
			waits = true;
			continue;
		}
		if (!moves) {
			moves = arena_alloc(ctl->out->arena, CTL_REASSIGN_MOVES_MAX * sizeof *moves);
			ticket = ctl_next_ticket(ctl);
		}
		n += decide(ctl, topic, p, ticket, &moves[n]);
		waits |= p->move && p->move->wanted;
	}
	if (n > 0)
		write_moves(ctl, topic, moves, n, ticket);
	return waits || n > 0;
}

void ctl_reassign_flush(struct ctl *ctl)
{
	struct ctl_topic *topic = ctl->moving;
	struct ctl_topic *next;

	if (!ctl_may_decide(ctl))
		return;
	ctl->moving = NULL;
	for (; topic; topic = next) {
		bool may = topic->phase == CTL_TOPIC_LIVE && topic->ticket == 0 && !topic->moves_unknown;

		next = topic->next_moving;
		topic->is_moving = false;
		if (topic->deletion < CTL_DELETION_STOPPING && (!may || flush_topic(ctl, topic)))
			ctl_topic_list_moving(ctl, topic);
	}
}

/* ---- how it ended ---- */

static void take_leftovers(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p, const struct ctl_move *move)
{
	int32_t index = (int32_t)(p - topic->partitions);

	for (int i = 0; i < p->n_replicas; i++)
		if (!ctl_contains(move->ids, move->n_replicas, p->replicas[i]))
			ctl_leftover_add(ctl, topic, index, p->replicas[i]);
	/* Also who came in one step, where there was no state yet. */
	for (int i = 0; i < move->n_replicas; i++)
		ctl_leftover_remove(ctl, topic, index, move->ids[i]);
}

/* The assignment stands in ZooKeeper. */
static void commit(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	struct ctl_move *move = p->move;
	struct ctl_assignment assignment = {move->n_replicas,
					    move->n_adding,
					    move->n_removing,
					    move->ids,
					    move->ids + move->n_replicas,
					    move->ids + move->n_replicas + move->n_adding};

	take_leftovers(ctl, topic, p, move);
	p->grown = move->n_adding > 0;
	ctl_partition_set_replicas(ctl, p, &assignment);
	/* Where the state of the same multi is still being read, both are told when it has been. */
	if (!p->reading) {
		p->tell_replicas = true;
		p->tell_view = true;
		ctl_topic_touch(ctl, topic);
	}
	ctl_reassign_check(ctl, topic, p);
	/* Its first state may be possible now. */
	p->again |= p->version < 0;
	move->writing = false;
	move->unknown = false;
	if (!move->wanted)
		settle(ctl, p, KAFKA_NONE, SLICE_NULL);
}

/* It does not stand there: what was asked for is tried again, a last step is found due again. */
static void undo(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	struct ctl_move *move = p->move;

	move->writing = false;
	move->unknown = false;
	move->wanted = move->wanted || (move->asked && !move->settled);
	ctl_reassign_check(ctl, topic, p);
	free_if_idle(ctl, p);
}

static void fail(struct ctl *ctl, struct ctl_partition *p)
{
	struct ctl_move *move = p->move;

	move->writing = false;
	if (!move->wanted)
		settle(ctl, p, KAFKA_UNKNOWN_SERVER_ERROR, SLICE_LITERAL("ZooKeeper refuses the write of the topic's node."));
}

static void on_written_partition(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p, enum ctl_outcome outcome)
{
	if (outcome == CTL_DONE) {
		commit(ctl, topic, p);
	} else if (outcome == CTL_MISSED) {
		p->move->writing = false;
		p->move->unknown = true;
	} else {
		fail(ctl, p);
	}
}

/* The topic waits for the time of retrying: ZooKeeper would refuse the same again. */
static void wait_for_retry(struct ctl *ctl, struct ctl_topic *topic)
{
	ctl_topic_unlist_moving(ctl, topic);
	ctl_retry_later(ctl, FAILED_RETRY_MS);
}

static void read_node(struct ctl *ctl, struct ctl_topic *topic)
{
	ctl_ask(ctl, CTL_READ_TOPIC, topic->name);
	topic->reread = false;
}

void ctl_reassign_on_written(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_written *written)
{
	topic->ticket = 0;
	topic->moves_written = false;
	if (written->outcome == CTL_DONE)
		topic->version = written->version;
	for (int32_t i = 0; i < topic->n_partitions; i++) {
		struct ctl_partition *p = &topic->partitions[i];

		if (!p->move || !p->move->writing)
			continue;
		on_written_partition(ctl, topic, p, written->outcome);
		ctl_partition_check_if_due(ctl, topic, p);
	}
	if (written->outcome == CTL_FAILED)
		wait_for_retry(ctl, topic);
	topic->moves_unknown = written->outcome == CTL_MISSED;
	if (topic->moves_unknown || topic->reread)
		read_node(ctl, topic);
	ctl_delete_check(ctl, topic);
}

static bool is_what_we_wrote(const struct ctl_move *move, const struct ctl_assignment *read)
{
	return same_ids(move->ids, move->n_replicas, read->replicas, read->n_replicas) &&
	       same_ids(move->ids + move->n_replicas, move->n_adding, read->adding, read->n_adding) &&
	       same_ids(move->ids + move->n_replicas + move->n_adding, move->n_removing, read->removing, read->n_removing);
}

void ctl_reassign_on_node_read(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_topic_read *node)
{
	if (!topic->moves_unknown)
		return;
	topic->moves_unknown = false;
	for (int32_t i = 0; i < topic->n_partitions; i++) {
		struct ctl_partition *p = &topic->partitions[i];

		if (!p->move || !p->move->unknown)
			continue;
		if (node->found == CTL_FOUND && i < node->n_partitions && is_what_we_wrote(p->move, &node->partitions[i]))
			commit(ctl, topic, p);
		else
			undo(ctl, topic, p);
		ctl_partition_check_if_due(ctl, topic, p);
	}
}

void ctl_reassign_on_node_odd(struct ctl *ctl, struct ctl_topic *topic)
{
	if (topic->moves_unknown)
		ctl_retry_later(ctl, UNREAD_RETRY_MS);
}

void ctl_reassign_retry(struct ctl *ctl)
{
	for (struct ctl_topic *topic = ctl->topics; topic; topic = topic->next)
		if (topic->moves_unknown && topic->deletion < CTL_DELETION_STOPPING)
			read_node(ctl, topic);
}
