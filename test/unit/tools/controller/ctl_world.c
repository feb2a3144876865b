/* Models of ZooKeeper, brokers and candidates; see ctl_world.h. */
#include "test/unit/tools/controller/ctl_world.h"

#include "common/memory.h"
#include "proto/kafka_error.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

unsigned ctl_world_draw(struct world *world, unsigned n)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return (unsigned)((world->random * 0x2545F4914F6CDD1Du) >> 33) % n;
}

struct slice ctl_world_topic_name(int topic)
{
	static const char *const names[WORLD_TOPICS] = {"t0", "t1", "t2", "t3", "t4"};

	return slice_of_text(names[topic]);
}

static int topic_of(struct slice name)
{
	return name.len == 2 ? name.data[1] - '0' : -1;
}

struct uuid ctl_world_id(int32_t n)
{
	struct uuid id = UUID_ZERO;

	memcpy(id.bytes, &n, sizeof n);
	id.bytes[15] = 1;
	return id;
}

static int32_t number_of(const struct uuid *id)
{
	int32_t n;

	memcpy(&n, id->bytes, sizeof n);
	return n;
}

/* ---- queues ---- */

static void push_op(struct world_candidate *candidate, const struct world_op *op)
{
	ck_assert_int_lt(candidate->tail - candidate->head, WORLD_QUEUE);
	candidate->queue[candidate->tail++ % WORLD_QUEUE] = *op;
}

void ctl_world_push_news(struct world *world, enum ctl_read read, int topic)
{
	struct world_op op = {.read = read, .topic = topic};

	for (int i = 0; i < WORLD_CANDIDATES; i++)
		if (world->candidates[i].active)
			push_op(&world->candidates[i], &op);
}

static struct world_message *push_message(struct world_candidate *candidate, int broker)
{
	int at = candidate->lines[broker].tail++ % WORLD_QUEUE;

	ck_assert_int_le(candidate->lines[broker].tail - candidate->lines[broker].head, WORLD_QUEUE);
	memset(&candidate->lines[broker].queue[at], 0, sizeof(struct world_message));
	return &candidate->lines[broker].queue[at];
}

/* ---- actions of a candidate ---- */

static void on_read_action(struct world_candidate *candidate, const struct ctl_action *action)
{
	struct world_op op = {.read = action->read, .asked = true, .topic = -1};

	if (action->read == CTL_READ_TOPIC || action->read == CTL_READ_STATES || action->read == CTL_READ_TOPIC_CONFIG)
		op.topic = topic_of(action->topic);
	if (action->read == CTL_READ_STATES) {
		op.first = action->first_partition;
		op.n = action->n_partitions;
	}
	push_op(candidate, &op);
}

struct world_state ctl_world_lead(const struct ctl_lead *lead)
{
	struct world_state state = {.exists = true, .leader = lead->leader, .leader_epoch = lead->leader_epoch, .n_isr = lead->n_isr,
				    .n_elr = lead->n_elr, .n_lost = lead->n_lost};

	ck_assert_int_le(lead->n_isr, WORLD_BROKERS);
	ck_assert_int_le(lead->n_elr, WORLD_BROKERS);
	ck_assert_int_le(lead->n_lost, WORLD_BROKERS);
	for (int i = 0; i < lead->n_isr; i++) {
		state.isr[i] = lead->isr[i];
		state.isr_epochs[i] = lead->isr_epochs[i];
	}
	for (int i = 0; i < lead->n_elr; i++) {
		state.elr[i] = lead->elr[i];
		state.elr_epochs[i] = lead->elr_epochs[i];
	}
	for (int i = 0; i < lead->n_lost; i++)
		state.lost[i] = lead->lost[i];
	return state;
}

static void on_write_action(struct world_candidate *candidate, const struct ctl_write *write)
{
	struct world_op op = {.is_write = true, .write = write->kind, .ticket = write->ticket, .fence = write->epoch_version,
			      .partition = write->partition, .version = write->version, .created = write->created, .topic = -1};

	/* S13: the token is the one the office was won with. */
	ck_assert_int_eq(write->epoch_version, candidate->ctl.epoch_version);
	if (write->topic_name.len > 0)
		op.topic = topic_of(write->topic_name);
	if (write->lead) {
		ck_assert_int_eq(write->controller_epoch, candidate->ctl.epoch);
		op.state = ctl_world_lead(write->lead);
		op.state.controller_epoch = write->controller_epoch;
	}
	ctl_world_note_moves(&op, write);
	ctl_world_note_wishes(&op, write);
	push_op(candidate, &op);
}

static void add_part(struct world_message *message, const struct ctl_part *part)
{
	for (int32_t i = 0; i < part->n_partitions; i++) {
		const struct ctl_partition *p = &part->topic->partitions[part->partitions[i]];

		ck_assert_int_lt(message->n_items, (int)ARRAY_LEN(message->items));
		message->items[message->n_items++] = (struct world_item){number_of(&part->topic->id), part->partitions[i], p->now.leader,
									 p->now.leader_epoch, p->version};
	}
}

static void add_stop(struct world_message *message, const struct ctl_stop_topic *stop)
{
	for (int32_t i = 0; i < stop->n_partitions; i++) {
		ck_assert_int_lt(message->n_items, (int)ARRAY_LEN(message->items));
		message->items[message->n_items++] =
			(struct world_item){.id = number_of(&stop->id), .partition = stop->partitions[i], .leader = stop->erase};
	}
}

static void on_send_action(struct world_candidate *candidate, const struct ctl_action *action)
{
	int broker = action->broker;
	struct world_message *message;

	if (!candidate->lines[broker].reached || candidate->lines[broker].epoch != action->broker_epoch || action->message > CTL_SEND_STOP)
		return;
	message = push_message(candidate, broker);
	message->kind = action->message;
	message->request = action->request;
	message->controller_epoch = candidate->ctl.epoch;
	if (action->message == CTL_SEND_VIEW) {
		message->number = action->view->number;
		message->snapshot = action->view->snapshot;
		for (int i = 0; i < action->view->n_removed; i++)
			message->items[message->n_items++] = (struct world_item){.id = number_of(&action->view->removed[i]), .partition = -1};
		for (int32_t i = 0; i < action->view->n_topics; i++)
			add_part(message, &action->view->topics[i]);
	} else if (action->message == CTL_SEND_STATES) {
		for (int32_t i = 0; i < action->states->n_parts; i++)
			add_part(message, &action->states->parts[i]);
	} else {
		for (int32_t i = 0; i < action->stops->n_topics; i++)
			add_stop(message, &action->stops->topics[i]);
	}
}

static void drop_line(struct world_candidate *candidate, int broker)
{
	candidate->lines[broker].reached = false;
	candidate->lines[broker].head = candidate->lines[broker].tail;
}

static void carry_out(struct world_candidate *candidate, const struct ctl_action *action)
{
	switch (action->kind) {
	case CTL_DO_READ:
		on_read_action(candidate, action);
		break;
	case CTL_DO_WRITE:
		on_write_action(candidate, &action->write);
		break;
	case CTL_DO_CONNECT:
		candidate->lines[action->broker].wanted = true;
		candidate->lines[action->broker].epoch = action->broker_epoch;
		break;
	case CTL_DO_DISCONNECT:
		candidate->lines[action->broker].wanted = false;
		drop_line(candidate, action->broker);
		break;
	case CTL_DO_SEND:
		on_send_action(candidate, action);
		break;
	case CTL_DO_TIMER:
		candidate->timer_ms = action->at_ms;
		break;
	case CTL_DO_RAISE_EPOCH:
		/* Only one that is no longer in office can see a state of a higher epoch. */
		candidate->gives_up = true;
		break;
	case CTL_DO_REPORT:
		break;
	}
}

static void resign(struct world_candidate *candidate)
{
	if (!candidate->active)
		return;
	ctl_fini(&candidate->ctl);
	candidate->active = false;
	candidate->gives_up = false;
	candidate->head = candidate->tail;
	candidate->timer_ms = 0;
	for (int i = 0; i < WORLD_BROKERS; i++) {
		candidate->lines[i].wanted = false;
		drop_line(candidate, i);
	}
}

void ctl_world_tell(struct world *world, struct world_candidate *candidate, const struct ctl_event *event)
{
	struct ctl_actions actions;
	struct arena arena;

	arena_init(&arena);
	ctl_actions_init(&actions, &arena);
	if (candidate->active)
		ctl_step(&candidate->ctl, event, world->now_ms, &actions);
	for (int32_t i = 0; i < actions.n_items; i++)
		carry_out(candidate, &actions.items[i]);
	arena_fini(&arena);
	ctl_actions_init(&actions, &arena);
	if (candidate->active && (world->settling || ctl_world_draw(world, 3) > 0))
		ctl_flush(&candidate->ctl, world->now_ms, &actions);
	for (int32_t i = 0; i < actions.n_items; i++)
		carry_out(candidate, &actions.items[i]);
	arena_fini(&arena);
	if (candidate->gives_up) {
		ck_assert_ptr_ne(candidate, &world->candidates[world->in_office]);
		resign(candidate);
	}
}

/* ---- offices ---- */

void ctl_world_elect(struct world *world)
{
	static const struct ctl_settings settings = {.session_timeout_ms = 6000, .delete_topic_enable = true};
	struct world_candidate *candidate;
	struct ctl_event event = {.kind = CTL_ELECTED};

	world->in_office = world->in_office == 0 ? 1 : 0;
	candidate = &world->candidates[world->in_office];
	resign(candidate);
	ctl_init(&candidate->ctl, &settings);
	candidate->active = true;
	event.epoch = ++world->controller_epoch;
	event.epoch_version = ++world->fence;
	world->zxid++;
	world->n_takeovers++;
	ctl_world_tell(world, candidate, &event);
}

/* ---- ZooKeeper: reads ---- */

static void answer_brokers(struct world *world, struct ctl_event *event, struct arena *arena)
{
	struct ctl_broker_read *brokers = arena_zalloc(arena, WORLD_BROKERS, sizeof *brokers);

	event->brokers = brokers;
	for (int i = 0; i < WORLD_BROKERS; i++)
		if (world->brokers[i].alive)
			brokers[event->n_brokers++] =
				(struct ctl_broker_read){.id = i, .epoch = world->brokers[i].epoch, .inter_broker = -1};
}

static void answer_names(struct world *world, struct ctl_event *event, struct arena *arena, bool deletions)
{
	struct slice *names = arena_zalloc(arena, WORLD_TOPICS, sizeof *names);

	event->names = names;
	for (int i = 0; i < WORLD_TOPICS; i++)
		if (deletions ? world->topics[i].deletion : world->topics[i].exists)
			names[event->n_names++] = ctl_world_topic_name(i);
}

static void answer_topic(const struct world_topic *topic, struct ctl_event *event, struct arena *arena)
{
	struct ctl_topic_read *node = arena_zalloc(arena, 1, sizeof *node);
	struct ctl_assignment *partitions = arena_zalloc(arena, WORLD_PARTITIONS, sizeof *partitions);

	event->node = node;
	node->found = topic->exists ? CTL_FOUND : CTL_ABSENT;
	node->created = topic->czxid;
	node->version = topic->version;
	node->id = ctl_world_id(topic->id);
	node->partitions = partitions;
	node->n_partitions = topic->n_partitions;
	for (int i = 0; i < topic->n_partitions; i++)
		partitions[i] = (struct ctl_assignment){topic->assignments[i].n_replicas, topic->assignments[i].n_adding,
							topic->assignments[i].n_removing, topic->assignments[i].replicas,
							topic->assignments[i].adding, topic->assignments[i].removing};
}

static void answer_states(const struct world_topic *topic, const struct world_op *op, struct ctl_event *event, struct arena *arena)
{
	struct ctl_state_read *states = arena_zalloc(arena, (size_t)op->n, sizeof *states);

	event->states = states;
	event->n_states = op->n;
	event->has_parents = topic->has_parents;
	for (int i = 0; i < op->n; i++) {
		const struct world_state *state = &topic->states[op->first + i];

		states[i] = (struct ctl_state_read){.partition = op->first + i,
						    .found = topic->exists && state->exists ? CTL_FOUND : CTL_ABSENT,
						    .version = state->version,
						    .mzxid = state->mzxid,
						    .leader = state->leader,
						    .leader_epoch = state->leader_epoch,
						    .controller_epoch = state->controller_epoch,
						    .isr = state->isr,
						    .n_isr = state->n_isr,
						    .isr_epochs = state->isr_epochs,
						    .has_elr = state->leader == -1 || state->n_elr > 0,
						    .elr = state->elr,
						    .n_elr = state->n_elr,
						    .elr_epochs = state->elr_epochs,
						    .lost = state->lost,
						    .n_lost = state->n_lost};
	}
}

static void run_read(struct world *world, struct world_candidate *candidate, const struct world_op *op)
{
	struct ctl_event event = {.kind = CTL_READ_DONE, .read = op->read, .asked = op->asked};
	struct ctl_config_read config = {.version = 0};
	struct arena arena;

	arena_init(&arena);
	if (op->topic >= 0)
		event.topic = ctl_world_topic_name(op->topic);
	switch (op->read) {
	case CTL_READ_BROKERS:
		answer_brokers(world, &event, &arena);
		break;
	case CTL_READ_TOPICS:
	case CTL_READ_DELETIONS:
		answer_names(world, &event, &arena, op->read == CTL_READ_DELETIONS);
		break;
	case CTL_READ_TOPIC:
		answer_topic(&world->topics[op->topic], &event, &arena);
		break;
	case CTL_READ_STATES:
		answer_states(&world->topics[op->topic], op, &event, &arena);
		break;
	case CTL_READ_TOPIC_CONFIG:
		event.configs = &config;
		event.n_configs = 1;
		break;
	case CTL_READ_BROKER_CONFIGS:
		break;
	case CTL_READ_ELECTIONS:
	case CTL_READ_REASSIGNMENTS:
		ctl_world_answer_legacy(world, &event, &arena);
		break;
	}
	ctl_world_tell(world, candidate, &event);
	arena_fini(&arena);
}

/* ---- ZooKeeper: writes ---- */

bool ctl_world_holds(const int32_t *ids, int n, int32_t id)
{
	for (int i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* What every state that reaches ZooKeeper has to be (S6, S11, S12). */
void ctl_world_check_state(const struct world_topic *topic, int partition, const struct world_state *before, const struct world_state *after)
{
	ck_assert_int_gt(after->n_isr, 0);
	ck_assert(after->leader == -1 || ctl_world_holds(after->isr, after->n_isr, after->leader));
	for (int i = 0; i < after->n_isr; i++) {
		ck_assert(ctl_world_holds(topic->assignments[partition].replicas, topic->assignments[partition].n_replicas, after->isr[i]));
		ck_assert(!before->exists || ctl_world_holds(before->isr, before->n_isr, after->isr[i]) ||
			  ctl_world_holds(before->elr, before->n_elr, after->isr[i]) ||
			  before->joined[after->isr[i]] == before->leader_epoch + 1);
	}
	if (before->exists)
		ck_assert_int_ge(after->leader_epoch, before->leader_epoch + (after->leader != before->leader));
}

static int write_state(struct world *world, const struct world_op *op)
{
	struct world_topic *topic = &world->topics[op->topic];
	struct world_state *state = &topic->states[op->partition];
	bool first = op->write == CTL_WRITE_FIRST_STATE;
	int32_t joined[WORLD_BROKERS];
	int32_t version;

	if (!topic->exists || op->partition >= topic->n_partitions || first == state->exists)
		return CTL_MISSED;
	if (!first && state->version != op->version)
		return CTL_MISSED;
	ctl_world_check_state(topic, op->partition, state, &op->state);
	world->n_elections += state->exists && op->state.leader != state->leader;
	version = first ? 0 : state->version + 1;
	memcpy(joined, state->joined, sizeof joined);
	*state = op->state;
	memcpy(state->joined, joined, sizeof joined);
	state->version = version;
	state->mzxid = world->zxid;
	topic->has_parents = true;
	return CTL_DONE;
}

static int apply_write(struct world *world, const struct world_op *op, int32_t *ret_version)
{
	struct world_topic *topic = op->topic >= 0 ? &world->topics[op->topic] : NULL;

	world->zxid++;
	switch (op->write) {
	case CTL_WRITE_FIRST_STATE:
	case CTL_WRITE_STATE:
		return write_state(world, op);
	case CTL_WRITE_MOVES:
		if (ctl_world_write_moves(world, op) != CTL_DONE)
			return CTL_MISSED;
		ctl_world_push_news(world, CTL_READ_TOPIC, op->topic);
		return CTL_DONE;
	case CTL_WRITE_ERASE_TOPIC:
		if (!topic->exists || topic->czxid != op->created)
			return CTL_DONE;
		memset(topic, 0, sizeof *topic);
		world->n_deleted++;
		ctl_world_push_news(world, CTL_READ_TOPICS, -1);
		ctl_world_push_news(world, CTL_READ_DELETIONS, -1);
		return CTL_DONE;
	case CTL_WRITE_ERASE_REQUEST:
		/* Dropped is what asks for the deletion of nothing. */
		ck_assert(!topic->exists || !topic->deletion);
		topic->deletion = false;
		ctl_world_push_news(world, CTL_READ_DELETIONS, -1);
		return CTL_DONE;
	case CTL_WRITE_ELECTIONS:
	case CTL_WRITE_REASSIGNMENTS:
		return ctl_world_write_legacy(world, op, ret_version);
	case CTL_WRITE_TOPIC:
	case CTL_WRITE_OFFICE:
		break;
	}
	return CTL_DONE;
}

static void run_write(struct world *world, struct world_candidate *candidate, const struct world_op *op, bool accidents)
{
	struct ctl_written written = {.ticket = op->ticket, .partition = op->partition};
	struct ctl_event event = {.kind = CTL_WRITE_DONE, .written = &written, .n_written = 1};
	unsigned accident = accidents ? ctl_world_draw(world, 40) : 99;

	if (op->fence != world->fence) {
		world->n_fenced++;
		resign(candidate);
		return;
	}
	ck_assert_ptr_eq(candidate, &world->candidates[world->in_office]);
	world->n_writes++;
	/* Lost on the way: with or without effect; refused. */
	written.outcome = accident == 0 ? CTL_FAILED : CTL_MISSED;
	if (accident > 1)
		written.outcome = (enum ctl_outcome)apply_write(world, op, &written.version);
	if (accident == 2)
		written.outcome = op->write == CTL_WRITE_ERASE_TOPIC ? CTL_FAILED : CTL_MISSED;
	world->n_lost_answers += accident <= 2;
	if (op->topic >= 0)
		written.topic = ctl_world_topic_name(op->topic);
	if (op->partition >= 0)
		written.version = world->topics[op->topic].states[op->partition].version;
	if (op->n_moves > 0)
		ctl_world_tell_moves(world, candidate, op, written.outcome);
	else if (op->ticket != 0)
		ctl_world_tell(world, candidate, &event);
}

static bool run_op(struct world *world, struct world_candidate *candidate, bool accidents)
{
	struct world_op op;

	if (!candidate->active || candidate->head == candidate->tail)
		return false;
	op = candidate->queue[candidate->head++ % WORLD_QUEUE];
	if (op.is_write)
		run_write(world, candidate, &op, accidents);
	else
		run_read(world, candidate, &op);
	return true;
}

/* ---- brokers ---- */

static struct world_item *find_item(struct world_item *items, int n, int32_t id, int32_t partition)
{
	for (int i = 0; i < n; i++)
		if (items[i].id == id && items[i].partition == partition)
			return &items[i];
	return NULL;
}

const struct world_item *ctl_world_state_of(const struct world *world, int broker, int32_t id, int32_t partition)
{
	const struct world_broker *of = &world->brokers[broker];

	return find_item((struct world_item *)(uintptr_t)of->states, of->n_states, id, partition);
}

/* S7: one incarnation leads under an epoch. */
static void note_lead(struct world *world, const struct world_item *item, int64_t broker_epoch)
{
	for (int i = 0; i < world->n_leads; i++)
		if (world->leads[i].id == item->id && world->leads[i].partition == item->partition &&
		    world->leads[i].leader_epoch == item->leader_epoch) {
			ck_assert_int_eq(world->leads[i].broker_epoch, broker_epoch);
			return;
		}
	ck_assert_int_lt(world->n_leads, WORLD_LEADS);
	world->leads[world->n_leads].id = item->id;
	world->leads[world->n_leads].partition = item->partition;
	world->leads[world->n_leads].leader_epoch = item->leader_epoch;
	world->leads[world->n_leads++].broker_epoch = broker_epoch;
}

static void take_states(struct world *world, int at, const struct world_message *message, struct ctl_replica_error *errors, int *n_errors)
{
	struct world_broker *broker = &world->brokers[at];

	for (int i = 0; i < message->n_items; i++) {
		const struct world_item *item = &message->items[i];
		struct world_item *have = find_item(broker->states, broker->n_states, item->id, item->partition);

		if (!have && broker->full) {
			errors[(*n_errors)++] = (struct ctl_replica_error){ctl_world_id(item->id), item->partition, KAFKA_STORAGE_ERROR, true};
			world->n_not_made++;
			continue;
		}
		if (!have) {
			ck_assert_int_lt(broker->n_states, (int)ARRAY_LEN(broker->states));
			have = &broker->states[broker->n_states++];
			*have = (struct world_item){.id = item->id, .partition = item->partition, .leader_epoch = -1};
		}
		if (item->leader_epoch <= have->leader_epoch)
			continue;
		*have = *item;
		if (item->leader == at)
			note_lead(world, item, broker->epoch);
	}
}

/* partition -1: all of the topic. */
static void remove_items(struct world_item *items, int *n, int32_t id, int32_t partition)
{
	int kept = 0;

	for (int i = 0; i < *n; i++)
		if (items[i].id != id || (partition >= 0 && items[i].partition != partition))
			items[kept++] = items[i];
	*n = kept;
}

/* A replica that is erased is none that acknowledged records stand on, but for those of topics that are being deleted (S1). */
static void check_erasure(const struct world *world, struct world_candidate *candidate, int broker, const struct world_item *item)
{
	struct uuid id = ctl_world_id(item->id);
	const struct ctl_topic *of = ctl_topic_find_id(&candidate->ctl, &id);

	for (int t = 0; t < WORLD_TOPICS && of && of->deletion < CTL_DELETION_STOPPING; t++) {
		const struct world_topic *topic = &world->topics[t];

		if (topic->exists && topic->id == item->id && item->leader)
			ck_assert(!ctl_world_holds(topic->states[item->partition].isr, topic->states[item->partition].n_isr, broker));
	}
}

static void take_stops(struct world *world, struct world_candidate *candidate, int at, const struct world_message *message)
{
	for (int i = 0; i < message->n_items; i++) {
		check_erasure(world, candidate, at, &message->items[i]);
		remove_items(world->brokers[at].states, &world->brokers[at].n_states, message->items[i].id, message->items[i].partition);
	}
}

static void take_view(struct world_broker *broker, const struct world_message *message)
{
	if (message->snapshot)
		broker->n_view = 0;
	else {
		ck_assert_int_eq(message->number, broker->view_number + 1);
		ck_assert_int_eq(message->controller_epoch, broker->view_epoch);
	}
	broker->view_number = message->number;
	broker->view_epoch = message->controller_epoch;
	for (int i = 0; i < message->n_items; i++) {
		const struct world_item *item = &message->items[i];
		struct world_item *have = find_item(broker->view, broker->n_view, item->id, item->partition);

		if (item->partition < 0) {
			remove_items(broker->view, &broker->n_view, item->id, -1);
			continue;
		}
		if (!have) {
			ck_assert_int_lt(broker->n_view, (int)ARRAY_LEN(broker->view));
			have = &broker->view[broker->n_view++];
		}
		*have = *item;
	}
}

static bool run_line(struct world *world, struct world_candidate *candidate, int at)
{
	struct ctl_event event = {.kind = CTL_RESULTS, .broker = at, .broker_epoch = candidate->lines[at].epoch};
	struct ctl_replica_error errors[ARRAY_LEN(((struct world_message *)0)->items)];
	struct world_broker *broker = &world->brokers[at];
	const struct world_message *message;

	if (!candidate->active || !candidate->lines[at].reached || candidate->lines[at].head == candidate->lines[at].tail)
		return false;
	message = &candidate->lines[at].queue[candidate->lines[at].head++ % WORLD_QUEUE];
	if (!broker->alive || broker->epoch != candidate->lines[at].epoch || broker->highest_controller_epoch > message->controller_epoch)
		return true;
	event.request = message->request;
	event.errors = errors;
	if (message->kind == CTL_SEND_VIEW)
		take_view(broker, message);
	else if (message->kind == CTL_SEND_STATES)
		take_states(world, at, message, errors, &event.n_errors);
	else
		take_stops(world, candidate, at, message);
	if (message->kind != CTL_SEND_VIEW)
		ctl_world_tell(world, candidate, &event);
	return true;
}

/* Connects or cuts the line of a candidate; a broker takes the candidate in office only (Hello reads ZooKeeper). */
static bool change_line(struct world *world, struct world_candidate *candidate, int at, bool may_cut)
{
	struct world_broker *broker = &world->brokers[at];
	struct ctl_event event = {.broker = at, .broker_epoch = candidate->lines[at].epoch};
	bool fits = candidate->active && broker->alive && !broker->cut && broker->epoch == candidate->lines[at].epoch;

	if (candidate->lines[at].reached && (may_cut || !fits)) {
		drop_line(candidate, at);
		event.kind = CTL_LOST;
		ctl_world_tell(world, candidate, &event);
		return true;
	}
	if (candidate->lines[at].reached || !candidate->lines[at].wanted || !fits || candidate->ctl.epoch != world->controller_epoch)
		return false;
	for (int i = 0; i < WORLD_CANDIDATES; i++)
		if (&world->candidates[i] != candidate && world->candidates[i].lines[at].reached)
			drop_line(&world->candidates[i], at);
	candidate->lines[at].reached = true;
	broker->highest_controller_epoch = candidate->ctl.epoch;
	event.kind = CTL_REACHED;
	ctl_world_tell(world, candidate, &event);
	return true;
}

void ctl_world_register(struct world *world, int at)
{
	struct world_broker *broker = &world->brokers[at];

	memset(broker, 0, sizeof *broker);
	broker->alive = true;
	broker->epoch = ++world->zxid;
	ctl_world_push_news(world, CTL_READ_BROKERS, -1);
}

static void change_broker(struct world *world, int at)
{
	struct world_broker *broker = &world->brokers[at];
	unsigned what = ctl_world_draw(world, 5);

	if (!broker->alive) {
		ctl_world_register(world, at);
	} else if (what == 0) {
		broker->alive = false;
		world->zxid++;
		ctl_world_push_news(world, CTL_READ_BROKERS, -1);
	} else if (what == 1) {
		world->n_bounces++;
		ctl_world_register(world, at);
	} else if (what == 2) {
		broker->full = !broker->full;
	} else {
		broker->cut = !broker->cut;
	}
}

/* ---- topics, made by brokers and tools ---- */

static void assign(struct world *world, struct world_topic *topic, int partition)
{
	int first = (int)ctl_world_draw(world, WORLD_BROKERS);

	topic->assignments[partition] = (struct world_assignment){.n_replicas = topic->n_replicas};
	for (int k = 0; k < topic->n_replicas; k++)
		topic->assignments[partition].replicas[k] = (first + k) % WORLD_BROKERS;
}

/*
 * A topic that was removed by hand and made again before the controller looks is beyond help: nothing in a znode that is written
 * tells the two apart. Whoever removes by hand waits.
 */
static bool is_known(struct world *world, int at)
{
	for (int i = 0; i < WORLD_CANDIDATES; i++) {
		const struct ctl_topic *topic =
			world->candidates[i].active ? ctl_topic_find(&world->candidates[i].ctl, ctl_world_topic_name(at)) : NULL;

		if (topic && topic->deletion != CTL_DELETION_ERASING)
			return true;
		for (int k = world->candidates[i].head; k < world->candidates[i].tail; k++)
			if (world->candidates[i].queue[k % WORLD_QUEUE].is_write && world->candidates[i].queue[k % WORLD_QUEUE].topic == at &&
			    world->candidates[i].queue[k % WORLD_QUEUE].partition >= 0)
				return true;
	}
	return false;
}

static void change_topic(struct world *world, int at)
{
	struct world_topic *topic = &world->topics[at];

	world->zxid++;
	if (!topic->exists) {
		if (topic->deletion || is_known(world, at))
			return;
		*topic = (struct world_topic){.exists = true, .id = ++world->next_id, .czxid = world->zxid,
					      .n_partitions = 1 + (int)ctl_world_draw(world, WORLD_PARTITIONS),
					      .n_replicas = 1 + (int)ctl_world_draw(world, WORLD_REPLICAS)};
		for (int i = 0; i < topic->n_partitions; i++)
			assign(world, topic, i);
		world->n_created++;
		ctl_world_push_news(world, CTL_READ_TOPICS, -1);
	} else if (ctl_world_draw(world, 2) == 0 && topic->n_partitions < WORLD_PARTITIONS && !topic->deletion) {
		assign(world, topic, topic->n_partitions++);
		topic->version++;
		ctl_world_push_news(world, CTL_READ_TOPIC, at);
	} else if (ctl_world_draw(world, 3) == 0) {
		topic->deletion = true;
		ctl_world_push_news(world, CTL_READ_DELETIONS, -1);
	} else if (ctl_world_draw(world, 30) == 0) {
		/* Gone behind everybody's back. */
		memset(topic, 0, sizeof *topic);
		ctl_world_push_news(world, CTL_READ_TOPICS, -1);
	}
}

/* ---- steps ---- */

static void pass_time(struct world *world, int64_t ms)
{
	struct ctl_event event = {.kind = CTL_TIMER};

	world->now_ms += ms;
	for (int i = 0; i < WORLD_CANDIDATES; i++) {
		struct world_candidate *candidate = &world->candidates[i];

		/* One that comes too early is harmless. */
		if (!candidate->active || (!world->settling && (candidate->timer_ms == 0 || candidate->timer_ms > world->now_ms)))
			continue;
		candidate->timer_ms = 0;
		ctl_world_tell(world, candidate, &event);
	}
}

void ctl_world_step(struct world *world)
{
	struct world_candidate *candidate = &world->candidates[ctl_world_draw(world, WORLD_CANDIDATES)];
	unsigned what = ctl_world_draw(world, 1000);
	int broker = (int)ctl_world_draw(world, WORLD_BROKERS);

	if (what < 520)
		run_op(world, candidate, true);
	else if (what < 820)
		run_line(world, candidate, broker);
	else if (what < 880)
		change_line(world, candidate, broker, ctl_world_draw(world, 10) == 0);
	else if (what < 905)
		change_topic(world, (int)ctl_world_draw(world, WORLD_TOPICS));
	else if (what < 925)
		change_broker(world, broker);
	else if (what < 929)
		ctl_world_elect(world);
	else if (what < 940)
		ctl_world_ask(world);
	else if (what < 945)
		ctl_world_wish(world);
	else if (what < 985)
		ctl_world_propose(world, (int)ctl_world_draw(world, WORLD_TOPICS), (int)ctl_world_draw(world, WORLD_PARTITIONS));
	else
		pass_time(world, ctl_world_draw(world, 500));
}

static bool run_everything(struct world *world)
{
	bool moved = false;

	for (int i = 0; i < WORLD_CANDIDATES; i++) {
		moved |= run_op(world, &world->candidates[i], false);
		for (int k = 0; k < WORLD_BROKERS; k++) {
			moved |= change_line(world, &world->candidates[i], k, false);
			moved |= run_line(world, &world->candidates[i], k);
		}
	}
	return moved;
}

static void check_partition(struct world *world, const struct world_topic *topic, int partition)
{
	const struct world_state *state = &topic->states[partition];
	bool any = false;

	ctl_world_check_moved(world, topic, partition);
	ck_assert(state->exists);
	for (int i = 0; i < state->n_isr; i++)
		any = any || world->brokers[state->isr[i]].alive;
	ck_assert(any);
	ck_assert_int_ne(state->leader, -1);
	ck_assert(world->brokers[state->leader].alive);
	/* The leader knows, under this epoch; every broker's view says so. */
	for (int i = 0; i < WORLD_BROKERS; i++) {
		const struct world_broker *broker = &world->brokers[i];
		const struct world_item *seen = find_item((struct world_item *)(uintptr_t)broker->view, broker->n_view, topic->id, partition);

		ck_assert_ptr_nonnull(seen);
		ck_assert_int_eq(seen->leader, state->leader);
		ck_assert_int_eq(seen->leader_epoch, state->leader_epoch);
		ck_assert_int_eq(seen->version, state->version);
		if (!ctl_world_holds(topic->assignments[partition].replicas, topic->assignments[partition].n_replicas, i))
			continue;
		seen = find_item((struct world_item *)(uintptr_t)broker->states, broker->n_states, topic->id, partition);
		ck_assert_ptr_nonnull(seen);
		ck_assert_int_eq(seen->leader, state->leader);
		ck_assert_int_eq(seen->leader_epoch, state->leader_epoch);
	}
}

bool ctl_world_quiet_step(struct world *world)
{
	for (int i = 0; i < WORLD_CANDIDATES; i++) {
		if (run_op(world, &world->candidates[i], false))
			return true;
		for (int k = 0; k < WORLD_BROKERS; k++)
			if (change_line(world, &world->candidates[i], k, false) || run_line(world, &world->candidates[i], k))
				return true;
	}
	for (int t = 0; t < WORLD_TOPICS; t++)
		for (int i = 0; i < world->topics[t].n_partitions; i++)
			if (ctl_world_propose(world, t, i))
				return true;
	return false;
}

void ctl_world_quiet(struct world *world)
{
	struct world_topic *topic = &world->topics[0];

	world->settling = true;
	for (int i = 0; i < WORLD_BROKERS; i++)
		ctl_world_register(world, i);
	*topic = (struct world_topic){.exists = true, .id = ++world->next_id, .czxid = ++world->zxid, .n_partitions = 1, .n_replicas = 2};
	topic->assignments[0] = (struct world_assignment){.n_replicas = 2, .replicas = {0, 1}};
	ctl_world_elect(world);
	while (ctl_world_quiet_step(world))
		;
}

void ctl_world_settle(struct world *world)
{
	int n_partitions = 0;

	world->settling = true;
	for (int i = 0; i < WORLD_BROKERS; i++) {
		world->brokers[i].cut = false;
		world->brokers[i].full = false;
		if (!world->brokers[i].alive)
			ctl_world_register(world, i);
	}
	if (world->in_office < 0 || !world->candidates[world->in_office].active)
		ctl_world_elect(world);
	for (int round = 0; round < 200; round++) {
		while (run_everything(world))
			;
		for (int t = 0; t < WORLD_TOPICS; t++)
			for (int i = 0; i < world->topics[t].n_partitions; i++)
				ctl_world_propose(world, t, i);
		pass_time(world, 1000);
	}
	for (int t = 0; t < WORLD_TOPICS; t++) {
		const struct world_topic *topic = &world->topics[t];

		ck_assert(!topic->deletion);
		if (!topic->exists)
			continue;
		n_partitions += topic->n_partitions;
		for (int i = 0; i < topic->n_partitions; i++)
			check_partition(world, topic, i);
	}
	for (int i = 0; i < WORLD_BROKERS; i++)
		ck_assert_int_eq(world->brokers[i].n_view, n_partitions);
	ck_assert_int_eq(world->candidates[world->in_office].ctl.n_failures, 0);
	ck_assert(!world->elections.exists);
	ck_assert(!world->reassignments.exists);
}

void ctl_world_init(struct world *world, uint64_t seed)
{
	memset(world, 0, sizeof *world);
	world->random = seed * 0x9E3779B97F4A7C15u + 1;
	world->now_ms = 1000;
	world->zxid = 100;
	world->in_office = -1;
	world->leads = memory_zalloc(WORLD_LEADS, sizeof *world->leads);
	for (int i = 0; i < WORLD_CANDIDATES; i++)
		for (int k = 0; k < WORLD_BROKERS; k++)
			world->candidates[i].lines[k].queue = memory_zalloc(WORLD_QUEUE, sizeof(struct world_message));
}

void ctl_world_fini(struct world *world)
{
	for (int i = 0; i < WORLD_CANDIDATES; i++) {
		resign(&world->candidates[i]);
		for (int k = 0; k < WORLD_BROKERS; k++)
			free(world->candidates[i].lines[k].queue);
	}
	free(world->leads);
}
