/* Reassignments in random worlds; see ctl_world.h. */
#include "test/unit/tools/controller/ctl_world.h"

#include "tools/controller/ctl_reassign.h"

#include <check.h>
#include <string.h>

/* ---- somebody asks ---- */

void ctl_world_ask(struct world *world)
{
	struct world_candidate *candidate = &world->candidates[ctl_world_draw(world, WORLD_CANDIDATES)];
	struct ctl_event nothing = {.kind = CTL_TIMER};
	int32_t target[WORLD_BROKERS];
	int n_target = 0;
	struct ctl_topic *topic;
	int32_t partition;

	if (!candidate->active)
		return;
	topic = ctl_topic_find(&candidate->ctl, ctl_world_topic_name((int)ctl_world_draw(world, WORLD_TOPICS)));
	if (!topic || topic->phase != CTL_TOPIC_LIVE || topic->n_partitions == 0)
		return;
	partition = (int32_t)ctl_world_draw(world, (unsigned)topic->n_partitions);
	for (int32_t i = 0; i < WORLD_BROKERS; i++)
		if (ctl_world_draw(world, 2) == 0 && n_target < WORLD_REPLICAS)
			target[n_target++] = (i + topic->partitions[partition].replicas[0]) % WORLD_BROKERS;
	if (ctl_world_draw(world, 4) == 0)
		n_target = CTL_REASSIGN_CANCEL;
	ctl_reassign_forget(&candidate->ctl, topic, partition, ctl_reassign_ask(&candidate->ctl, topic, partition, target, n_target));
	ctl_world_tell(world, candidate, &nothing);
}

void ctl_world_move(struct world *world, const int32_t *target, int n_target)
{
	struct world_candidate *candidate = &world->candidates[world->in_office];
	struct ctl_topic *topic = ctl_topic_find(&candidate->ctl, ctl_world_topic_name(0));
	struct ctl_event nothing = {.kind = CTL_TIMER};

	ck_assert_ptr_nonnull(topic);
	ctl_reassign_forget(&candidate->ctl, topic, 0, ctl_reassign_ask(&candidate->ctl, topic, 0, target, n_target));
	ctl_world_tell(world, candidate, &nothing);
}

bool ctl_world_is_moved(const struct world *world, const int32_t *target, int n_target)
{
	const struct world_assignment *assignment = &world->topics[0].assignments[0];

	return assignment->n_replicas == n_target && memcmp(assignment->replicas, target, (size_t)n_target * sizeof *target) == 0 &&
	       assignment->n_adding + assignment->n_removing == 0;
}

/* ---- a leader proposes ---- */

/* One that is alive, follows under the leader's epoch, and is not in the ISR; -1: none. */
static int find_joiner(const struct world *world, const struct world_topic *topic, int partition)
{
	const struct world_assignment *assignment = &topic->assignments[partition];
	const struct world_state *state = &topic->states[partition];

	for (int i = 0; i < assignment->n_replicas; i++) {
		int id = assignment->replicas[i];
		const struct world_item *item = ctl_world_state_of(world, id, topic->id, partition);

		if (!ctl_world_holds(state->isr, state->n_isr, id) && world->brokers[id].alive && item &&
		    item->leader_epoch == state->leader_epoch)
			return id;
	}
	return -1;
}

bool ctl_world_propose(struct world *world, int at, int partition)
{
	struct world_topic *topic = &world->topics[at];
	struct world_state *state = &topic->states[partition];
	struct world_candidate *candidate = world->in_office < 0 ? NULL : &world->candidates[world->in_office];
	struct ctl_isr_member members[WORLD_BROKERS];
	struct ctl_isr_proposal proposal = {.partition = partition, .isr = members};
	struct ctl_event event = {.kind = CTL_ISR_PROPOSED, .proposals = &proposal, .n_proposals = 1};
	const struct world_item *leads;
	int joiner;

	if (!candidate || !candidate->active || !topic->exists || partition >= topic->n_partitions || !state->exists || state->leader < 0)
		return false;
	leads = ctl_world_state_of(world, state->leader, topic->id, partition);
	joiner = find_joiner(world, topic, partition);
	if (joiner < 0 || !leads || leads->leader_epoch != state->leader_epoch || !candidate->lines[state->leader].reached ||
	    candidate->lines[state->leader].epoch != world->brokers[state->leader].epoch)
		return false;
	proposal.topic_id = ctl_world_id(topic->id);
	proposal.number = ++world->proposals;
	proposal.leader_epoch = state->leader_epoch;
	proposal.partition_epoch = state->version;
	for (int i = 0; i < state->n_isr; i++)
		members[proposal.n_isr++] = (struct ctl_isr_member){state->isr[i], world->brokers[state->isr[i]].epoch};
	members[proposal.n_isr++] = (struct ctl_isr_member){joiner, world->brokers[joiner].epoch};
	state->joined[joiner] = state->leader_epoch + 1;
	event.broker = state->leader;
	event.broker_epoch = world->brokers[state->leader].epoch;
	ctl_world_tell(world, candidate, &event);
	return true;
}

/* ---- ZooKeeper ---- */

static struct world_assignment assignment_of(const struct ctl_assignment *from)
{
	struct world_assignment to = {from->n_replicas, from->n_adding, from->n_removing, {0}, {0}, {0}};

	ck_assert_int_le(from->n_replicas, WORLD_BROKERS);
	for (int i = 0; i < from->n_replicas; i++)
		to.replicas[i] = from->replicas[i];
	for (int i = 0; i < from->n_adding; i++)
		to.adding[i] = from->adding[i];
	for (int i = 0; i < from->n_removing; i++)
		to.removing[i] = from->removing[i];
	return to;
}

void ctl_world_note_moves(struct world_op *op, const struct ctl_write *write)
{
	ck_assert_int_le(write->n_moves, WORLD_PARTITIONS);
	for (int32_t i = 0; i < write->n_moves; i++) {
		const struct ctl_write_move *move = &write->moves[i];

		op->moves[i].partition = move->partition;
		op->moves[i].version = move->version;
		op->moves[i].assignment = assignment_of(&move->assignment);
		op->moves[i].has_state = move->lead != NULL;
		if (!move->lead)
			continue;
		op->moves[i].state = ctl_world_lead(move->lead);
		op->moves[i].state.controller_epoch = write->controller_epoch;
	}
	op->n_moves = write->n_moves;
}

static bool is_under_way(const struct world_assignment *assignment)
{
	return assignment->n_adding + assignment->n_removing > 0;
}

/* The last step: all of the new assignment are in the ISR that there was (D15). */
static void check_end(const struct world_assignment *before, const struct world_assignment *after, const struct world_state *state)
{
	for (int i = 0; i < after->n_replicas; i++)
		ck_assert(ctl_world_holds(state->isr, state->n_isr, after->replicas[i]) ||
			  !ctl_world_holds(before->adding, before->n_adding, after->replicas[i]));
	/* Only a way back, which adds nobody, needs no leader. */
	for (int i = 0; i < before->n_removing; i++)
		if (!ctl_world_holds(after->replicas, after->n_replicas, before->removing[i]))
			ck_assert_int_ne(state->leader, -1);
}

int ctl_world_write_moves(struct world *world, const struct world_op *op)
{
	struct world_topic *topic = &world->topics[op->topic];

	if (!topic->exists || topic->version != op->version)
		return CTL_MISSED;
	for (int i = 0; i < op->n_moves; i++) {
		const struct world_state *state = &topic->states[op->moves[i].partition];

		ck_assert_int_lt(op->moves[i].partition, topic->n_partitions);
		if (op->moves[i].has_state && (!state->exists || state->version != op->moves[i].version))
			return CTL_MISSED;
		ck_assert(op->moves[i].has_state || !state->exists);
	}
	for (int i = 0; i < op->n_moves; i++) {
		struct world_assignment *assignment = &topic->assignments[op->moves[i].partition];
		struct world_state *state = &topic->states[op->moves[i].partition];
		struct world_state next = op->moves[i].state;
		struct world_assignment before = *assignment;

		*assignment = op->moves[i].assignment;
		world->n_moves_begun += !is_under_way(&before) && is_under_way(assignment);
		world->n_moves_ended += is_under_way(&before) && !is_under_way(assignment);
		if (!op->moves[i].has_state)
			continue;
		if (is_under_way(&before) && !is_under_way(assignment))
			check_end(&before, assignment, state);
		ctl_world_check_state(topic, op->moves[i].partition, state, &next);
		ck_assert_int_eq(next.leader_epoch, state->leader_epoch + 1);
		next.version = state->version + 1;
		next.mzxid = world->zxid;
		memcpy(next.joined, state->joined, sizeof next.joined);
		*state = next;
	}
	topic->version++;
	return CTL_DONE;
}

void ctl_world_tell_moves(struct world *world, struct world_candidate *candidate, const struct world_op *op, enum ctl_outcome outcome)
{
	struct ctl_written written[WORLD_PARTITIONS + 1];
	struct ctl_event event = {.kind = CTL_WRITE_DONE, .written = written};

	world->n_moves_lost += outcome != CTL_DONE;
	written[event.n_written++] = (struct ctl_written){op->ticket, outcome, ctl_world_topic_name(op->topic), -1, op->version + 1};
	for (int i = 0; i < op->n_moves; i++)
		if (op->moves[i].has_state)
			written[event.n_written++] = (struct ctl_written){op->ticket, outcome, ctl_world_topic_name(op->topic),
									  op->moves[i].partition, op->moves[i].version + 1};
	ctl_world_tell(world, candidate, &event);
}

/* When all has come to rest nothing is under way any more, and the controller's picture is what stands in ZooKeeper. */
void ctl_world_check_moved(const struct world *world, const struct world_topic *topic, int partition)
{
	struct ctl *ctl = (struct ctl *)(uintptr_t)&world->candidates[world->in_office].ctl;
	struct uuid id = ctl_world_id(topic->id);
	const struct ctl_topic *of = ctl_topic_find_id(ctl, &id);
	const struct world_assignment *assignment = &topic->assignments[partition];

	ck_assert(!is_under_way(assignment));
	ck_assert_ptr_nonnull(of);
	ck_assert_int_eq(of->partitions[partition].n_replicas, assignment->n_replicas);
	for (int i = 0; i < assignment->n_replicas; i++)
		ck_assert_int_eq(of->partitions[partition].replicas[i], assignment->replicas[i]);
	ck_assert_ptr_null(of->partitions[partition].move);
	ck_assert_ptr_null(ctl->leftovers);
}
