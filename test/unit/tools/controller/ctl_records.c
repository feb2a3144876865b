/* ZooKeeper, candidates and the run; see ctl_records.h. */
#include "test/unit/tools/controller/ctl_records.h"

#include <check.h>
#include <string.h>

const int32_t records_assignment[PARTITIONS][REPLICAS] = {{0, 1, 2}, {3, 1, 0}};

unsigned records_draw(struct world *w, unsigned n)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (unsigned)((w->random * 0x2545F4914F6CDD1Du) >> 33) % n;
}

struct uuid records_topic_id(void)
{
	struct uuid id = UUID_ZERO;

	id.bytes[0] = 7;
	return id;
}

/* ---- candidates: what they ask for ---- */

static struct state state_of(const struct ctl_lead *lead)
{
	struct state s = {.exists = true, .leader = lead->leader, .leader_epoch = lead->leader_epoch, .n_isr = lead->n_isr,
			  .n_elr = lead->n_elr, .n_lost = lead->n_lost};

	MUST(lead->n_isr <= REPLICAS && lead->n_elr <= REPLICAS && lead->n_lost <= REPLICAS);
	for (int i = 0; i < s.n_isr; i++) {
		s.isr[i] = lead->isr[i];
		s.isr_epochs[i] = lead->isr_epochs[i];
	}
	for (int i = 0; i < s.n_elr; i++) {
		s.elr[i] = lead->elr[i];
		s.elr_epochs[i] = lead->elr_epochs[i];
	}
	for (int i = 0; i < s.n_lost; i++)
		s.lost[i] = lead->lost[i];
	return s;
}

static void push_op(struct candidate *c, const struct op *op)
{
	MUST(c->tail - c->head < QUEUE);
	c->ops[c->tail++ % QUEUE] = *op;
}

void records_push_news(struct world *w, enum ctl_read read)
{
	struct op op = {.read = read};

	for (int i = 0; i < 2; i++)
		if (w->candidates[i].active)
			push_op(&w->candidates[i], &op);
}

static void take_configs(struct message *message, const struct ctl_part *part)
{
	struct slice value = ctl_configs_get(&part->topic->configs, "min.insync.replicas");

	if (!slice_is_null(value))
		message->min_isr = value.data[0] - '0';
}

static void fill_message(struct message *message, const struct ctl_action *action)
{
	const struct ctl_view *view = action->view;

	switch (action->message) {
	case CTL_SEND_VIEW:
		message->has_brokers = view->has_brokers;
		for (int i = 0; i < view->n_brokers; i++)
			message->listed[view->brokers[i].id] = view->brokers[i].epoch;
		for (int32_t i = 0; i < view->n_topics; i++)
			if (view->topics[i].has_configs)
				take_configs(message, &view->topics[i]);
		break;
	case CTL_SEND_STATES:
		message->request = action->request;
		for (int32_t i = 0; i < action->states->n_parts; i++) {
			const struct ctl_part *part = &action->states->parts[i];

			take_configs(message, part);
			for (int32_t k = 0; k < part->n_partitions; k++) {
				int32_t p = part->partitions[k];

				message->has_state[p] = true;
				message->states[p] = state_of(&part->topic->partitions[p].now);
				message->states[p].version = part->topic->partitions[p].version;
			}
		}
		break;
	case CTL_SEND_ISR_ANSWERS:
		for (int i = 0; i < action->answers->n_items; i++) {
			const struct ctl_isr_answer *item = &action->answers->items[i];

			message->has_answer[item->partition] = true;
			message->errors[item->partition] = item->error;
			message->numbers[item->partition] = item->number;
			if (!item->state)
				continue;
			message->answers[item->partition] = state_of(&item->state->now);
			message->answers[item->partition].version = item->state->version;
		}
		break;
	default:
		break;
	}
}

void records_drop_line(struct world *w, struct candidate *c, int broker)
{
	/* A leader whose line is gone will not be answered. */
	for (int p = 0; p < PARTITIONS && c->lines[broker].reached; p++)
		if (w->brokers[broker].replicas[p].stage == SENT)
			w->brokers[broker].replicas[p].stage = UNKNOWN;
	c->lines[broker].reached = false;
	c->lines[broker].head = c->lines[broker].tail;
}

static void carry_out(struct world *w, struct candidate *c, const struct ctl_action *action)
{
	struct op op = {.asked = true, .read = action->read, .first = action->first_partition, .n = action->n_partitions};

	switch (action->kind) {
	case CTL_DO_READ:
		push_op(c, &op);
		break;
	case CTL_DO_WRITE:
		op = (struct op){.is_write = true, .kind = action->write.kind, .ticket = action->write.ticket,
				 .fence = action->write.epoch_version, .partition = action->write.partition,
				 .version = action->write.version};
		if (action->write.lead) {
			op.state = state_of(action->write.lead);
			op.state.controller_epoch = action->write.controller_epoch;
		}
		push_op(c, &op);
		break;
	case CTL_DO_CONNECT:
		c->lines[action->broker].wanted = true;
		c->lines[action->broker].epoch = action->broker_epoch;
		break;
	case CTL_DO_DISCONNECT:
		c->lines[action->broker].wanted = false;
		records_drop_line(w, c, action->broker);
		break;
	case CTL_DO_SEND:
		if (c->lines[action->broker].reached && c->lines[action->broker].epoch == action->broker_epoch) {
			struct message *message = &c->lines[action->broker].queue[c->lines[action->broker].tail++ % QUEUE];

			MUST(c->lines[action->broker].tail - c->lines[action->broker].head <= QUEUE);
			*message = (struct message){.controller_epoch = c->ctl.epoch};
			fill_message(message, action);
		}
		break;
	case CTL_DO_TIMER:
		c->timer_ms = action->at_ms;
		break;
	case CTL_DO_RAISE_EPOCH:
	case CTL_DO_REPORT:
		break;
	}
}

void records_resign(struct world *w, struct candidate *c)
{
	if (!c->active)
		return;
	ctl_fini(&c->ctl);
	c->active = false;
	c->head = c->tail;
	c->timer_ms = 0;
	for (int i = 0; i < BROKERS; i++) {
		records_drop_line(w, c, i);
		c->lines[i].wanted = false;
	}
}

void records_tell(struct world *w, struct candidate *c, const struct ctl_event *event)
{
	struct ctl_actions actions;
	struct arena arena;

	if (!c->active)
		return;
	arena_init(&arena);
	ctl_actions_init(&actions, &arena);
	ctl_step(&c->ctl, event, w->now_ms, &actions);
	for (int32_t i = 0; i < actions.n_items; i++)
		carry_out(w, c, &actions.items[i]);
	arena_fini(&arena);
	ctl_actions_init(&actions, &arena);
	if (w->calm || records_draw(w, 3) > 0)
		ctl_flush(&c->ctl, w->now_ms, &actions);
	for (int32_t i = 0; i < actions.n_items; i++)
		carry_out(w, c, &actions.items[i]);
	arena_fini(&arena);
}

void records_elect(struct world *w)
{
	static const struct ctl_settings settings = {.session_timeout_ms = 6000, .delete_topic_enable = true, .auto_leader_rebalance = true,
						     .imbalance_check_s = 30};
	struct ctl_event event = {.kind = CTL_ELECTED};
	struct candidate *c;

	w->in_office = !w->in_office;
	c = &w->candidates[w->in_office];
	records_resign(w, c);
	ctl_init(&c->ctl, &settings);
	c->active = true;
	w->n_terms++;
	w->zxid++;
	event.epoch = ++w->controller_epoch;
	event.epoch_version = ++w->fence;
	event.ruled_since = 1;
	records_tell(w, c, &event);
}

/* ---- ZooKeeper ---- */

static const struct ctl_legacy_read no_node = {.found = CTL_ABSENT, .version = -1};

static void answer_read(struct world *w, struct candidate *c, const struct op *op)
{
	struct ctl_event event = {.kind = CTL_READ_DONE, .read = op->read, .asked = op->asked, .topic = SLICE_LITERAL("t")};
	struct slice name = SLICE_LITERAL("t");
	struct ctl_broker_read brokers[BROKERS];
	struct ctl_assignment assignments[PARTITIONS];
	struct ctl_topic_read node = {.created = 5, .id = records_topic_id(), .partitions = assignments, .n_partitions = PARTITIONS};
	struct ctl_state_read states[PARTITIONS];
	struct ctl_pair pair = {SLICE_LITERAL("min.insync.replicas"), w->min_isr == 1 ? SLICE_LITERAL("1") : SLICE_LITERAL("2")};
	struct ctl_config_read config = {.version = w->config_version, .pairs = &pair, .n_pairs = 1};

	event.brokers = brokers;
	event.node = &node;
	event.states = states;
	event.legacy = &no_node;
	event.configs = op->read == CTL_READ_TOPIC_CONFIG ? &config : NULL;
	event.n_configs = op->read == CTL_READ_TOPIC_CONFIG;
	event.names = &name;
	event.n_names = op->read == CTL_READ_TOPICS;
	event.has_parents = true;
	for (int i = 0; i < BROKERS; i++)
		if (w->brokers[i].registered)
			brokers[event.n_brokers++] = (struct ctl_broker_read){.id = i, .epoch = w->brokers[i].epoch,
									      .start = w->brokers[i].start,
									      .previous = w->brokers[i].previous, .inter_broker = -1};
	for (int p = 0; p < PARTITIONS; p++) {
		const struct state *s = &w->states[p];

		assignments[p] = (struct ctl_assignment){.n_replicas = REPLICAS, .replicas = records_assignment[p]};
		if (op->read != CTL_READ_STATES || p < op->first || p >= op->first + op->n)
			continue;
		states[event.n_states++] = (struct ctl_state_read){
			.partition = p, .found = s->exists ? CTL_FOUND : CTL_ABSENT, .version = s->version, .mzxid = s->mzxid,
			.leader = s->leader, .leader_epoch = s->leader_epoch, .controller_epoch = s->controller_epoch, .isr = s->isr,
			.n_isr = s->n_isr, .isr_epochs = s->isr_epochs, .has_elr = s->leader == -1 || s->n_elr > 0, .elr = s->elr,
			.n_elr = s->n_elr, .elr_epochs = s->elr_epochs, .lost = s->lost, .n_lost = s->n_lost};
	}
	records_tell(w, c, &event);
}

bool records_is_in(const int32_t *ids, int n, int32_t id)
{
	for (int i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* S6, S11, S12 on what reaches ZooKeeper. */
static void check_write(struct world *w, int p, const struct state *before, const struct state *after)
{
	MUST(after->n_isr > 0);
	MUST(after->leader == -1 || records_is_in(after->isr, after->n_isr, after->leader));
	for (int i = 0; i < after->n_elr && after->leader != -1; i++)
		MUST(!records_is_in(after->isr, after->n_isr, after->elr[i]));
	if (!before->exists)
		return;
	MUST(after->leader_epoch >= before->leader_epoch + (after->leader != before->leader));
	if (after->leader == before->leader || after->leader == -1)
		return;
	w->n_elections++;
	if (before->leader == -1 || !records_is_in(before->isr, before->n_isr, after->leader)) {
		MUST(records_is_in(before->elr, before->n_elr, after->leader));
		w->n_from_elr += before->leader != -1;
	}
	for (int i = 0; i < after->n_isr; i++)
		MUST(records_is_in(before->isr, before->n_isr, after->isr[i]) || records_is_in(before->elr, before->n_elr, after->isr[i]));
	(void)p;
}

static enum ctl_outcome apply(struct world *w, const struct op *op)
{
	struct state *state;
	int32_t version;

	w->zxid++;
	if (op->kind != CTL_WRITE_STATE && op->kind != CTL_WRITE_FIRST_STATE)
		return CTL_DONE;
	state = &w->states[op->partition];
	if (state->exists != (op->kind == CTL_WRITE_STATE) || (state->exists && state->version != op->version))
		return CTL_MISSED;
	check_write(w, op->partition, state, &op->state);
	version = state->exists ? state->version + 1 : 0;
	*state = op->state;
	state->version = version;
	state->mzxid = w->zxid;
	return CTL_DONE;
}

static void run_write(struct world *w, struct candidate *c, const struct op *op)
{
	struct ctl_written written = {.ticket = op->ticket, .partition = op->partition, .topic = SLICE_LITERAL("t")};
	struct ctl_event event = {.kind = CTL_WRITE_DONE, .written = &written, .n_written = 1};
	unsigned accident = w->calm ? 99 : records_draw(w, 30);

	if (op->fence != w->fence) {
		w->n_fenced++;
		records_resign(w, c);
		return;
	}
	MUST(c == &w->candidates[w->in_office]);
	/*
	 * Refused, lost on the way there, lost on the way back. What names eligible leaders is never refused: that a smaller minimum makes them
	 * worthless is then known to this controller alone (README, "Known limit").
	 */
	if (accident == 0 && op->partition >= 0 && w->states[op->partition].n_elr > 0)
		accident = 1;
	written.outcome = accident == 0 ? CTL_FAILED : CTL_MISSED;
	if (accident > 1)
		written.outcome = apply(w, op);
	if (accident == 2)
		written.outcome = CTL_MISSED;
	if (op->partition >= 0)
		written.version = w->states[op->partition].version;
	if (op->ticket != 0)
		records_tell(w, c, &event);
}

bool records_run_op(struct world *w, struct candidate *c)
{
	struct op op;

	if (!c->active || c->head == c->tail)
		return false;
	op = c->ops[c->head++ % QUEUE];
	if (op.is_write)
		run_write(w, c, &op);
	else
		answer_read(w, c, &op);
	return true;
}

/* ---- the run ---- */

static void change_minimum(struct world *w)
{
	w->min_isr = records_draw(w, 4) == 0 ? 1 : 2;
	w->config_version++;
	w->zxid++;
	for (int p = 0; p < PARTITIONS && w->min_isr == 1; p++)
		for (int r = 0; r < w->acked[p].n; r++)
			w->acked[p].minimum[r] = 1;
	records_push_news(w, CTL_READ_TOPIC_CONFIG);
}

static void pass_time(struct world *w, int64_t ms)
{
	struct ctl_event event = {.kind = CTL_TIMER};

	w->now_ms += ms;
	for (int i = 0; i < 2; i++) {
		struct candidate *c = &w->candidates[i];

		if (!c->active || c->timer_ms == 0 || c->timer_ms > w->now_ms)
			continue;
		c->timer_ms = 0;
		records_tell(w, c, &event);
	}
}

void records_step(struct world *w)
{
	struct candidate *c = &w->candidates[records_draw(w, 4) ? w->in_office : !w->in_office];
	unsigned what = records_draw(w, 1000);
	int a = (int)records_draw(w, BROKERS), b = (int)records_draw(w, BROKERS), p = (int)records_draw(w, PARTITIONS);

	if (what < 300)
		records_run_op(w, c);
	else if (what < 580)
		records_run_line(w, c, a);
	else if (what < 640)
		records_change_line(w, c, a, records_draw(w, 12) == 0);
	else if (what < 860)
		records_replicate(w, a, b, p, 1 + (int)records_draw(w, 4));
	else if (what < 900)
		records_append(w, a, p);
	else if (what < 970)
		records_propose(w, a, p);
	else if (what < 970 + w->chaos)
		records_change_broker(w, a);
	else if (what < 985 && records_draw(w, 10) == 0)
		records_elect(w);
	else if (what < 986 && records_draw(w, 3) == 0)
		change_minimum(w);
	else
		pass_time(w, records_draw(w, 300));
	records_check_electable(w);
}

static void run_calmly(struct world *w)
{
	bool moved = true;

	while (moved) {
		moved = false;
		for (int i = 0; i < 2; i++) {
			moved |= records_run_op(w, &w->candidates[i]);
			for (int k = 0; k < BROKERS; k++)
				moved |= records_change_line(w, &w->candidates[i], k, false) || records_run_line(w, &w->candidates[i], k);
		}
	}
}

/* All live, nothing is lost on the way any more: who can lead does, and all others come back into the ISR. */
void records_come_to_rest(struct world *w)
{
	struct ctl_event nothing = {.kind = CTL_TIMER};

	w->calm = true;
	/* What was not flushed yet is now, as it is at the end of every turn of the loop. */
	for (int i = 0; i < 2; i++)
		records_tell(w, &w->candidates[i], &nothing);
	for (int i = 0; i < BROKERS; i++)
		if (!w->brokers[i].up || !w->brokers[i].registered)
			records_change_broker(w, i);
	for (int i = 0; i < BROKERS; i++)
		if (!w->brokers[i].registered)
			records_change_broker(w, i);
	if (!w->candidates[w->in_office].active)
		records_elect(w);
	for (int round = 0; round < 60; round++) {
		run_calmly(w);
		for (int p = 0; p < PARTITIONS; p++)
			for (int a = 0; a < BROKERS; a++) {
				for (int b = 0; b < BROKERS; b++)
					records_replicate(w, a, b, p, RECORDS);
				records_propose(w, a, p);
			}
		pass_time(w, 1000);
		records_check_electable(w);
	}
	for (int p = 0; p < PARTITIONS; p++) {
		const struct state *state = &w->states[p];

		if (state->leader == -1) {
			/* Only when all that were eligible lost something. */
			MUST(state->n_elr == 0);
			MUST(state->n_lost > 0);
			w->n_waiting++;
			continue;
		}
		MUST(state->n_isr == REPLICAS);
		MUST(state->n_elr == 0);
		for (int i = 0; i < REPLICAS; i++)
			records_check_holds_all(w, p, records_assignment[p][i], "at rest");
	}
}

void records_begin(struct world *w, unsigned seed)
{
	*w = (struct world){.random = seed * 0x9E3779B97F4A7C15u + 1, .now_ms = 1000, .zxid = 100, .in_office = 1, .min_isr = 2};
	w->chaos = 1 + records_draw(w, 6);
	w->losses_in_ten = records_draw(w, 5);
	for (int i = 0; i < BROKERS; i++) {
		w->brokers[i].up = true;
		records_register(w, i);
	}
	records_elect(w);
}

void records_end(struct world *w)
{
	records_resign(w, &w->candidates[0]);
	records_resign(w, &w->candidates[1]);
}
