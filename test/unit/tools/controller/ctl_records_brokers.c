/* Brokers: what they hold, hear and do; see ctl_records.h. */
#include "test/unit/tools/controller/ctl_records.h"

#include "proto/kafka_error.h"

#include <check.h>
#include <string.h>

/* ---- S1 ---- */

static bool holds(const struct world *w, int p, const struct log *log, int record)
{
	return record < w->acked[p].n && log->n > record && log->epochs[record] == w->acked[p].epochs[record];
}

/* With a minimum of two and more nothing that lost its tail is ever elected; with one the last replica that is left may be. */
static bool is_promised(const struct world *w, int p, int record)
{
	return w->acked[p].minimum[record] >= 2 || w->acked[p].losses[record] == 0;
}

void records_check_holds_all(const struct world *w, int p, int broker, const char *what)
{
	for (int r = 0; r < w->acked[p].n; r++)
		if (is_promised(w, p, r) && !holds(w, p, &w->brokers[broker].logs[p], r))
			ck_abort_msg("%s: partition %d, broker %d lacks record %d of epoch %d", what, p, broker, r, w->acked[p].epochs[r]);
}

/* Whoever may be elected and lost nothing since the incarnation that is listed. */
void records_check_electable(const struct world *w)
{
	for (int p = 0; p < PARTITIONS; p++) {
		const struct state *state = &w->states[p];

		for (int i = 0; i < state->n_isr && state->leader != -1; i++)
			if (state->isr_epochs[i] > w->brokers[state->isr[i]].last_loss)
				records_check_holds_all(w, p, state->isr[i], "in the ISR");
		for (int i = 0; i < state->n_elr; i++)
			if (state->elr_epochs[i] > w->brokers[state->elr[i]].last_loss)
				records_check_holds_all(w, p, state->elr[i], "eligible");
	}
}

static void acknowledge(struct world *w, int p, const struct broker *leader, int up_to)
{
	int32_t minimum = leader->min_isr < w->min_isr ? leader->min_isr : w->min_isr;

	for (int r = 0; r < up_to; r++) {
		if (r < w->acked[p].n && w->acked[p].epochs[r] == leader->logs[p].epochs[r])
			continue;
		/* Nothing else was acknowledged there. */
		MUST(r >= w->acked[p].n || !is_promised(w, p, r));
		w->acked[p].epochs[r] = leader->logs[p].epochs[r];
		w->acked[p].minimum[r] = minimum;
		w->acked[p].n = r >= w->acked[p].n ? r + 1 : w->acked[p].n;
		w->n_acked++;
	}
}

/* ---- brokers: what they hear ---- */

static void begin_epoch(struct world *w, int at, int p)
{
	struct broker *b = &w->brokers[at];
	struct replica *r = &b->replicas[p];

	r->epoch_start = b->logs[p].n;
	r->stage = NONE;
	for (int i = 0; i < BROKERS; i++)
		r->ends[i] = -1;
	if (r->state.leader == at)
		records_check_holds_all(w, p, at, "elected");
}

static void take_state(struct world *w, int at, int p, const struct state *state)
{
	struct replica *r = &w->brokers[at].replicas[p];
	bool newer_epoch = !r->told || state->leader_epoch > r->state.leader_epoch;

	if (!newer_epoch && (state->leader_epoch < r->state.leader_epoch || state->version <= r->state.version))
		return;
	r->told = true;
	r->state = *state;
	r->stage = NONE;
	if (newer_epoch)
		begin_epoch(w, at, p);
}

static void take_answer(struct world *w, int at, int p, const struct message *message)
{
	struct replica *r = &w->brokers[at].replicas[p];
	const struct state *said = &message->answers[p];

	if (r->stage != SENT || message->numbers[p] != r->number || !r->told || r->state.leader != at)
		return;
	switch (message->errors[p]) {
	case 0:
		if (said->leader_epoch != r->state.leader_epoch || said->version < r->state.version) {
			r->stage = HELD;
			break;
		}
		w->n_joins += said->n_isr > r->state.n_isr;
		r->state = *said;
		r->stage = NONE;
		break;
	case KAFKA_INELIGIBLE_REPLICA:
		r->stage = NONE;
		break;
	case KAFKA_NOT_CONTROLLER:
		r->stage = UNKNOWN;
		break;
	default:
		r->stage = HELD;
	}
}

/* A view that names this incarnation: whoever wrote it knows how it started. */
static void settle_start(struct broker *b, int at)
{
	if (b->listed[at] != b->own_epoch || b->own_epoch == 0)
		return;
	b->whole_since = b->owed != CTL_START_WHOLE || b->whole_since == 0 ? b->own_epoch : b->whole_since;
	b->owed = CTL_START_WHOLE;
}

bool records_run_line(struct world *w, struct candidate *c, int at)
{
	struct ctl_event event = {.kind = CTL_RESULTS, .broker = at, .broker_epoch = c->lines[at].epoch};
	struct broker *b = &w->brokers[at];
	struct message m;

	if (!c->active || !c->lines[at].reached || c->lines[at].head == c->lines[at].tail)
		return false;
	m = c->lines[at].queue[c->lines[at].head++ % QUEUE];
	if (!b->up || b->own_epoch != c->lines[at].epoch || m.controller_epoch < b->controller_epoch)
		return true;
	if (m.min_isr > 0)
		b->min_isr = m.min_isr;
	if (m.has_brokers)
		memcpy(b->listed, m.listed, sizeof b->listed);
	settle_start(b, at);
	for (int p = 0; p < PARTITIONS; p++) {
		if (m.has_state[p])
			take_state(w, at, p, &m.states[p]);
		if (m.has_answer[p])
			take_answer(w, at, p, &m);
	}
	event.request = m.request;
	if (m.request > 0)
		records_tell(w, c, &event);
	return true;
}

bool records_change_line(struct world *w, struct candidate *c, int at, bool cut)
{
	struct ctl_event event = {.broker = at, .broker_epoch = c->lines[at].epoch};
	bool fits = c->active && w->brokers[at].up && w->brokers[at].own_epoch == c->lines[at].epoch;

	if (c->lines[at].reached && (cut || !fits)) {
		records_drop_line(w, c, at);
		event.kind = CTL_LOST;
		records_tell(w, c, &event);
		return true;
	}
	if (c->lines[at].reached || !c->lines[at].wanted || !fits || c != &w->candidates[w->in_office])
		return false;
	for (int i = 0; i < 2; i++)
		records_drop_line(w, &w->candidates[i], at);
	c->lines[at].reached = true;
	w->brokers[at].controller_epoch = c->ctl.epoch;
	event.kind = CTL_REACHED;
	records_tell(w, c, &event);
	return true;
}

/* ---- brokers: replication ---- */

static bool leads(const struct world *w, int at, int p)
{
	const struct broker *b = &w->brokers[at];

	return b->up && b->replicas[p].told && b->replicas[p].state.leader == at;
}

static int32_t effective_minimum(const struct broker *b)
{
	return b->min_isr < REPLICAS ? b->min_isr : REPLICAS;
}

void records_append(struct world *w, int at, int p)
{
	struct log *log = &w->brokers[at].logs[p];

	if (leads(w, at, p) && log->n < RECORDS && w->brokers[at].replicas[p].state.n_isr >= effective_minimum(&w->brokers[at]))
		log->epochs[log->n++] = w->brokers[at].replicas[p].state.leader_epoch;
}

/* S2, S3: over the committed ISR and what is proposed, and only while the committed one is large enough. */
static void advance(struct world *w, int at, int p)
{
	struct broker *b = &w->brokers[at];
	struct replica *r = &b->replicas[p];
	int end = b->logs[p].n;

	if (r->state.n_isr < effective_minimum(b))
		return;
	for (int i = 0; i < r->state.n_isr; i++)
		if (r->state.isr[i] != at && r->ends[r->state.isr[i]] < end)
			end = r->ends[r->state.isr[i]];
	for (int i = 0; i < r->n_proposed && r->stage != NONE; i++)
		if (r->proposed[i].id != at && r->ends[r->proposed[i].id] < end)
			end = r->ends[r->proposed[i].id];
	if (end <= r->high_watermark)
		return;
	r->high_watermark = end;
	acknowledge(w, p, b, end);
}

/* A follower cuts where it differs from its leader, and copies some. */
void records_replicate(struct world *w, int from, int to, int p, int n_max)
{
	struct broker *leader = &w->brokers[from], *follower = &w->brokers[to];
	struct replica *r = &leader->replicas[p];
	struct log *log = &follower->logs[p];
	int same = 0;

	if (from == to || !leads(w, from, p) || !follower->up || !follower->replicas[p].told || follower->own_epoch == 0 ||
	    !records_is_in(records_assignment[p], REPLICAS, to) || follower->replicas[p].state.leader_epoch != r->state.leader_epoch)
		return;
	while (same < log->n && same < leader->logs[p].n && log->epochs[same] == leader->logs[p].epochs[same])
		same++;
	log->n = same;
	for (int i = 0; i < n_max && log->n < leader->logs[p].n; i++, log->n++)
		log->epochs[log->n] = leader->logs[p].epochs[log->n];
	r->ends[to] = log->n;
	r->heard[to] = follower->own_epoch;
	advance(w, from, p);
}

static void send_proposal(struct world *w, int at, int p)
{
	const struct replica *r = &w->brokers[at].replicas[p];
	struct ctl_isr_proposal proposal = {.topic_id = records_topic_id(), .partition = p, .number = r->number,
					    .leader_epoch = r->state.leader_epoch, .partition_epoch = r->proposed_version,
					    .isr = r->proposed, .n_isr = r->n_proposed};
	struct ctl_event event = {.kind = CTL_ISR_PROPOSED, .broker = at, .broker_epoch = w->brokers[at].own_epoch,
				  .proposals = &proposal, .n_proposals = 1};

	for (int i = 0; i < 2; i++) {
		if (!w->candidates[i].lines[at].reached)
			continue;
		w->n_proposals++;
		records_tell(w, &w->candidates[i], &event);
		return;
	}
	w->brokers[at].replicas[p].stage = UNKNOWN;
}

static bool may_join(const struct world *w, int at, int p, int32_t id)
{
	const struct replica *r = &w->brokers[at].replicas[p];

	return !records_is_in(r->state.isr, r->state.n_isr, id) && r->ends[id] >= r->high_watermark && r->ends[id] >= r->epoch_start &&
	       r->heard[id] == w->brokers[at].listed[id];
}

void records_propose(struct world *w, int at, int p)
{
	struct replica *r = &w->brokers[at].replicas[p];
	int32_t goes = w->calm || records_draw(w, 2) ? -1 : (int32_t)records_draw(w, BROKERS);
	bool changed = false;

	if (!leads(w, at, p) || r->stage == SENT || r->stage == HELD)
		return;
	if (r->stage == NONE) {
		r->n_proposed = 0;
		for (int i = 0; i < r->state.n_isr; i++) {
			if (r->state.isr[i] == goes && goes != at)
				changed = true;
			else
				r->proposed[r->n_proposed++] = (struct ctl_isr_member){r->state.isr[i], -1};
		}
		for (int i = 0; i < REPLICAS && !changed; i++)
			if (may_join(w, at, p, records_assignment[p][i]) && r->n_proposed < REPLICAS && goes == -1) {
				r->proposed[r->n_proposed++] = (struct ctl_isr_member){records_assignment[p][i], r->heard[records_assignment[p][i]]};
				changed = true;
			}
		if (!changed)
			return;
		r->number++;
		r->proposed_version = r->state.version;
	}
	r->stage = SENT;
	send_proposal(w, at, p);
}

/* ---- brokers: life ---- */

static void lose(struct world *w, int at, int p, int n)
{
	struct log *log = &w->brokers[at].logs[p];

	n = n > 0 ? n : 0;
	/* Also what is acknowledged only afterwards, by a leader that heard of the copy before. */
	for (int r = n; r < log->n; r++) {
		w->acked[p].losses[r]++;
		w->n_losses += holds(w, p, log, r);
	}
	log->n = n < log->n ? n : log->n;
}

static void forget_process(struct broker *b)
{
	int64_t numbers[PARTITIONS];

	for (int p = 0; p < PARTITIONS; p++)
		numbers[p] = b->replicas[p].number;
	memset(b->replicas, 0, sizeof b->replicas);
	memset(b->listed, 0, sizeof b->listed);
	for (int p = 0; p < PARTITIONS; p++)
		b->replicas[p].number = numbers[p];
	b->own_epoch = 0;
}

static void unregister(struct world *w, int at)
{
	w->brokers[at].registered = false;
	w->zxid++;
	records_push_news(w, CTL_READ_BROKERS);
}

void records_register(struct world *w, int at)
{
	struct broker *b = &w->brokers[at];

	b->registered = true;
	b->epoch = ++w->zxid;
	b->own_epoch = b->epoch;
	b->start = b->owed;
	b->previous = b->whole_since;
	b->run_epoch = b->owed != CTL_START_WHOLE || b->whole_since == 0 ? b->epoch : b->whole_since;
	records_push_news(w, CTL_READ_BROKERS);
}

static void crash(struct world *w, int at)
{
	struct broker *b = &w->brokers[at];
	unsigned how = records_draw(w, 10);

	b->up = false;
	forget_process(b);
	if (how < w->losses_in_ten && how > 0) {
		b->last_loss = ++w->zxid;
		b->owed = b->owed == CTL_START_EMPTY ? CTL_START_EMPTY : CTL_START_UNCLEAN;
		for (int p = 0; p < PARTITIONS; p++)
			lose(w, at, p, b->logs[p].n - (int)records_draw(w, 6));
	} else if (how == 0 && w->losses_in_ten > 0 && records_draw(w, 2) == 0) {
		b->last_loss = ++w->zxid;
		b->owed = CTL_START_EMPTY;
		b->run_epoch = 0;
		for (int p = 0; p < PARTITIONS; p++)
			lose(w, at, p, 0);
	}
	if (records_draw(w, 2) == 0)
		unregister(w, at);
}

void records_change_broker(struct world *w, int at)
{
	struct broker *b = &w->brokers[at];

	if (!b->up) {
		if (b->registered && records_draw(w, 2) == 0) {
			unregister(w, at);
			return;
		}
		b->up = true;
		b->whole_since = b->run_epoch;
		records_register(w, at);
	} else if (!b->registered) {
		/* It learns that its session is over. */
		forget_process(b);
		records_register(w, at);
	} else if (records_draw(w, 3) == 0) {
		/* Its session expires, and it goes on leading until it learns of that. */
		unregister(w, at);
	} else {
		crash(w, at);
	}
}
