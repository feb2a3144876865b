/* The state machine of partitions; see ctl_partition.h. */
#include "tools/controller/ctl_partition.h"

#include "common/check.h"
#include "proto/kafka_error.h"
#include "tools/controller/ctl_broker.h"
#include "tools/controller/ctl_config.h"
#include "tools/controller/ctl_delete.h"
#include "tools/controller/ctl_isr.h"
#include "tools/controller/ctl_reassign.h"
#include "tools/controller/ctl_step.h"

#include <string.h>

#define AREA_RETRY_MS 1000

/* ---- actions of the rows ---- */

/* Everything the rules ask for, and room for what it points to. */
struct question {
	struct ctl_election election;
	enum ctl_member replicas[LIMIT_REPLICAS], isr_members[LIMIT_REPLICAS], elr_members[LIMIT_REPLICAS];
	struct ctl_log_end ends[LIMIT_REPLICAS];
	int32_t isr[LIMIT_REPLICAS], elr[LIMIT_REPLICAS];
};

/* What a broker told in its present incarnation of a log that has stayed as it is since. */
static struct ctl_log_end end_of(struct ctl *ctl, const struct ctl_partition *p, int32_t broker_id)
{
	const struct ctl_broker *broker = ctl_broker_find(ctl, broker_id);

	for (int i = 0; i < p->n_ends && broker; i++)
		if (p->ends[i].broker == broker_id && p->ends[i].broker_epoch == broker->epoch &&
		    p->ends[i].leader_epoch == p->now.leader_epoch)
			return (struct ctl_log_end){p->ends[i].last_epoch, p->ends[i].end_offset};
	return (struct ctl_log_end){-1, -1};
}

static void fill_ends(struct ctl *ctl, const struct ctl_partition *p, struct question *q)
{
	if (p->now.leader != -1 || p->n_ends == 0)
		return;
	for (int i = 0; i < p->n_replicas; i++)
		q->ends[i] = end_of(ctl, p, p->replicas[i]);
	q->election.replica_ends = q->ends;
}

static void fill_members(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p, const int32_t *ids, int n,
			 enum ctl_member *members)
{
	for (int i = 0; i < n; i++)
		members[i] = ctl_broker_member(ctl, topic, p, ids[i]);
}

static void ask(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p, struct question *q)
{
	struct ctl_election *election = &q->election;
	const struct ctl_lead *now = &p->now;

	*election = (struct ctl_election){.replicas = p->replicas, .replica_members = q->replicas, .n_replicas = p->n_replicas,
					  .isr = q->isr, .isr_members = q->isr_members, .elr = q->elr, .elr_members = q->elr_members,
					  .lost = now->lost, .n_lost = now->n_lost, .shown = now->isr, .n_shown = now->n_isr,
					  .leader = now->leader, .min_isr = ctl_config_min_isr(ctl, topic, p)};
	/* Without leader only the ELR says who is eligible. */
	for (int i = 0; i < now->n_isr; i++)
		if (now->leader != -1 || ctl_contains(now->elr, now->n_elr, now->isr[i]))
			q->isr[election->n_isr++] = now->isr[i];
	/* With a leader and enough in sync it says nothing: records were acknowledged without asking it. */
	election->drops_elr = now->leader != -1 && now->n_elr > 0 && (p->void_elr || now->n_isr >= election->min_isr);
	for (int i = 0; i < now->n_elr && !election->drops_elr; i++)
		if (!ctl_contains(q->isr, election->n_isr, now->elr[i]))
			q->elr[election->n_elr++] = now->elr[i];
	fill_members(ctl, topic, p, p->replicas, p->n_replicas, q->replicas);
	fill_ends(ctl, p, q);
	fill_members(ctl, topic, p, q->isr, election->n_isr, q->isr_members);
	fill_members(ctl, topic, p, q->elr, election->n_elr, q->elr_members);
}

static void list_epochs(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p, const int32_t *ids, int n,
			int64_t *ret_epochs)
{
	for (int i = 0; i < n; i++)
		ret_epochs[i] = ctl_broker_epoch_for(ctl, topic, p, ids[i]);
}

/* What was elected becomes the partition's next state. */
static void fill_next(struct ctl *ctl, const struct ctl_topic *topic, struct ctl_partition *p, const struct ctl_elected *elected)
{
	bool new_epoch = elected->new_epoch || p->version < 0;
	int64_t epochs[LIMIT_REPLICAS];

	list_epochs(ctl, topic, p, elected->isr, elected->n_isr, epochs);
	ctl_lead_set_isr(ctl, &p->next, elected->isr, epochs, elected->n_isr);
	list_epochs(ctl, topic, p, elected->elr, elected->n_elr, epochs);
	ctl_lead_set_elr(ctl, &p->next, elected->elr, epochs, elected->n_elr);
	ctl_lead_set_lost(ctl, &p->next, elected->lost, elected->n_lost);
	p->next.leader = elected->leader;
	p->next.leader_epoch = p->now.leader_epoch + new_epoch;
	p->next.recovering = elected->unclean || (p->now.recovering && !new_epoch);
}

void ctl_partition_fill_eligible(struct ctl *ctl, const struct ctl_topic *topic, struct ctl_partition *p, struct ctl_elected *elected)
{
	int64_t epochs[LIMIT_REPLICAS];
	struct question q;

	ask(ctl, topic, p, &q);
	ctl_elect_eligible(&q.election, elected);
	list_epochs(ctl, topic, p, elected->elr, elected->n_elr, epochs);
	ctl_lead_set_elr(ctl, &p->next, elected->elr, epochs, elected->n_elr);
	ctl_lead_set_lost(ctl, &p->next, elected->lost, elected->n_lost);
}

/* Only those in `kept`. */
static int keep(int32_t *ids, int n, const int32_t *kept, int n_kept)
{
	int n_left = 0;

	for (int i = 0; i < n; i++)
		if (ctl_contains(kept, n_kept, ids[i]))
			ids[n_left++] = ids[i];
	return n_left;
}

void ctl_partition_begin_move(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p, const int32_t *replicas, int n_replicas,
			      uint32_t ticket)
{
	int32_t lost[LIMIT_REPLICAS];
	struct question q;
	struct ctl_election *election = &q.election;
	struct ctl_elected elected;

	ask(ctl, topic, p, &q);
	election->replicas = replicas;
	election->replica_ends = NULL;
	election->n_replicas = n_replicas;
	election->n_isr = keep(q.isr, election->n_isr, replicas, n_replicas);
	election->n_elr = keep(q.elr, election->n_elr, replicas, n_replicas);
	if (p->now.n_lost > 0)
		memcpy(lost, p->now.lost, (size_t)p->now.n_lost * sizeof *lost);
	election->lost = lost;
	election->n_lost = keep(lost, election->n_lost, replicas, n_replicas);
	if (election->min_isr > n_replicas)
		election->min_isr = n_replicas;
	fill_members(ctl, topic, p, replicas, n_replicas, q.replicas);
	fill_members(ctl, topic, p, q.isr, election->n_isr, q.isr_members);
	fill_members(ctl, topic, p, q.elr, election->n_elr, q.elr_members);
	ctl_elect_offline(election, &elected);
	elected.new_epoch = true;
	fill_next(ctl, topic, p, &elected);
	p->ticket = ticket;
	topic->n_writing++;
}

void ctl_partition_write(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	enum ctl_write_kind kind = p->version < 0 ? CTL_WRITE_FIRST_STATE : CTL_WRITE_STATE;
	struct ctl_action *action = ctl_action_add(ctl->out, CTL_DO_WRITE);

	CHECK(p->ticket == 0);
	p->ticket = ctl_next_ticket(ctl);
	topic->n_writing++;
	if (kind == CTL_WRITE_FIRST_STATE && !p->creating) {
		p->creating = true;
		topic->n_creating++;
	}
	action->write = (struct ctl_write){
		.kind = kind,
		.ticket = p->ticket,
		.epoch_version = ctl->epoch_version,
		.controller_epoch = ctl->epoch,
		.topic_name = topic->name,
		.topic = topic,
		.partition = (int32_t)(p - topic->partitions),
		.version = p->version,
		.with_parent = kind == CTL_WRITE_FIRST_STATE && !topic->has_parents,
		.lead = &p->next,
	};
	topic->has_parents |= kind == CTL_WRITE_FIRST_STATE;
}

/* Nobody is told anything until the write, or the reading, under way is over. */
static void hold(struct ctl *ctl, struct ctl_partition *p)
{
	ctl->n_clearing += !p->clearing;
	p->clearing = true;
}

static void release(struct ctl *ctl, struct ctl_partition *p)
{
	ctl->n_clearing -= p->clearing;
	p->clearing = false;
}

void ctl_partition_let_tell(struct ctl *ctl, struct ctl_topic *topic)
{
	for (int32_t i = 0; i < topic->n_partitions; i++) {
		struct ctl_partition *p = &topic->partitions[i];

		p->void_elr |= p->clearing;
		release(ctl, p);
	}
}

static void write_elected(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p, const struct ctl_elected *elected)
{
	fill_next(ctl, topic, p, elected);
	/* Eligible leaders that the leader's smaller minimum makes worthless: it may not hear of that before they are gone (D9). */
	if (p->now.leader != -1 && p->now.n_elr > 0 && elected->n_elr == 0)
		hold(ctl, p);
	ctl_partition_write(ctl, topic, p);
}

static void create(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	struct question q;
	struct ctl_elected elected;

	ask(ctl, topic, p, &q);
	/* A state that was there and is gone was removed by hand: its ISR still says who has the records. */
	if (p->now.leader_epoch >= 0)
		ctl_elect_offline(&q.election, &elected);
	else if (ctl_elect_new(&q.election, &elected) != CTL_CHANGE)
		return;
	write_elected(ctl, topic, p, &elected);
}

static void report_leader(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p,
			  const struct ctl_elected *elected, const char *by)
{
	int index = (int)(p - topic->partitions);
	struct ctl_log_end end = end_of(ctl, p, elected->leader);

	if (elected->unclean)
		ctl_action_report(ctl->out, true,
				  "partition %.*s-%d: nobody of its ISR is alive; broker %d%s is elected by %s, acknowledged records may be lost",
				  SLICE_ARGS(topic->name), index, elected->leader,
				  end.end_offset < 0 ? "" : arena_printf(ctl->out->arena, ", which has most (log end %lld, last epoch %d),",
									 (long long)end.end_offset, end.last_epoch), by);
	else if (elected->from_elr)
		ctl_action_report(ctl->out, false, "partition %.*s-%d: broker %d leads, out of the eligible leader replicas",
				  SLICE_ARGS(topic->name), index, elected->leader);
}

static bool any_leaves(const enum ctl_member *members, int n)
{
	for (int i = 0; i < n; i++)
		if (members[i] == CTL_MEMBER_LEAVING)
			return true;
	return false;
}

static void elect(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	enum ctl_verdict verdict = CTL_NOBODY;
	struct question q;
	struct ctl_elected elected;

	ask(ctl, topic, p, &q);
	q.election.unclean = ctl_config_unclean(ctl, topic);
	if (any_leaves(q.isr_members, q.election.n_isr))
		verdict = ctl_elect_controlled_shutdown(&q.election, &elected);
	if (verdict == CTL_NOBODY)
		verdict = ctl_elect_offline(&q.election, &elected);
	if (verdict != CTL_CHANGE)
		return;
	report_leader(ctl, topic, p, &elected, "unclean.leader.election.enable");
	write_elected(ctl, topic, p, &elected);
}

static void adopt(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	p->tell_replicas = true;
	p->tell_view = true;
	ctl_topic_touch(ctl, topic);
	ctl_reassign_check(ctl, topic, p);
}

static void commit(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	/* The leader that asked hears it in its answer, and to its followers only an epoch is news. */
	bool told = p->proposed && !p->tell_replicas;

	ctl_lead_copy(ctl, &p->now, &p->next);
	p->mzxid = 0;
	p->void_elr = false;
	if (p->now.leader != -1)
		ctl_partition_free_ends(ctl, p);
	p->controller_epoch = ctl->epoch;
	p->odd = false;
	adopt(ctl, topic, p);
	p->tell_replicas = !told;
}

static void read_again(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	struct ctl_action *action = ctl_ask(ctl, CTL_READ_STATES, topic->name);

	action->first_partition = (int32_t)(p - topic->partitions);
	action->n_partitions = 1;
	p->reading = true;
}

static void try_later(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	(void)topic;
	(void)p;
	ctl_retry_later(ctl, AREA_RETRY_MS);
}

/* ---- the table ---- */

typedef void row_action(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *partition);

/* CTL_PARTITION_STATES as next: ONLINE or OFFLINE, as the state has a leader or none. */
#define BY_LEADER CTL_PARTITION_STATES

static const struct row {
	enum ctl_partition_state state;
	enum ctl_partition_event event;
	row_action *action;
	enum ctl_partition_state next;
} rows[] = {
	{CTL_NON_EXISTENT, CTL_ON_ABSENT, NULL, CTL_NEW},
	{CTL_NON_EXISTENT, CTL_ON_STATE, adopt, BY_LEADER},

	{CTL_NEW, CTL_ON_CHECK, create, CTL_NEW},
	{CTL_NEW, CTL_ON_ABSENT, NULL, CTL_NEW},
	{CTL_NEW, CTL_ON_STATE, adopt, BY_LEADER},
	{CTL_NEW, CTL_ON_WRITTEN, commit, BY_LEADER},
	{CTL_NEW, CTL_ON_MISSED, read_again, CTL_NEW},
	{CTL_NEW, CTL_ON_FAILED, try_later, CTL_NEW},

	{CTL_ONLINE, CTL_ON_CHECK, elect, CTL_ONLINE},
	{CTL_ONLINE, CTL_ON_ABSENT, NULL, CTL_NEW},
	{CTL_ONLINE, CTL_ON_STATE, adopt, BY_LEADER},
	{CTL_ONLINE, CTL_ON_WRITTEN, commit, BY_LEADER},
	{CTL_ONLINE, CTL_ON_MISSED, read_again, CTL_ONLINE},
	{CTL_ONLINE, CTL_ON_FAILED, try_later, CTL_ONLINE},

	{CTL_OFFLINE, CTL_ON_CHECK, elect, CTL_OFFLINE},
	{CTL_OFFLINE, CTL_ON_ABSENT, NULL, CTL_NEW},
	{CTL_OFFLINE, CTL_ON_STATE, adopt, BY_LEADER},
	{CTL_OFFLINE, CTL_ON_WRITTEN, commit, BY_LEADER},
	{CTL_OFFLINE, CTL_ON_MISSED, read_again, CTL_OFFLINE},
	{CTL_OFFLINE, CTL_ON_FAILED, try_later, CTL_OFFLINE},
};

static const struct row *find_row(uint8_t state, enum ctl_partition_event event)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].state == state && rows[i].event == event)
			return &rows[i];
	return NULL;
}

void ctl_partition_step(struct ctl *ctl, struct ctl_topic *topic, int32_t index, enum ctl_partition_event event)
{
	struct ctl_partition *p = &topic->partitions[index];
	const struct row *row = find_row(p->state, event);

	CHECK(row);
	if (row->action)
		row->action(ctl, topic, p);
	if (row->next != BY_LEADER)
		p->state = row->next;
	else
		p->state = p->now.leader == -1 ? CTL_OFFLINE : CTL_ONLINE;
}

/* ---- deciding ---- */

void ctl_partition_check(struct ctl *ctl, struct ctl_topic *topic, int32_t index)
{
	struct ctl_partition *p = &topic->partitions[index];

	if (!ctl_may_decide(ctl) || topic->phase != CTL_TOPIC_LIVE || topic->deletion >= CTL_DELETION_STOPPING)
		return;
	if (p->odd || p->state == CTL_NON_EXISTENT)
		return;
	if (!ctl_partition_is_busy(p)) {
		ctl_partition_step(ctl, topic, index, CTL_ON_CHECK);
		ctl_reassign_check(ctl, topic, p);
		return;
	}
	p->again = true;
	/* The news may be a smaller minimum. */
	if (p->now.leader == -1 || (p->now.n_elr == 0 && (p->ticket == 0 || p->next.n_elr == 0)))
		return;
	/* What became of a move is known when the topic's node is read, and that may be nonsense for long. */
	if (p->move && p->move->unknown)
		p->void_elr = true;
	else
		hold(ctl, p);
}

void ctl_partition_check_topic(struct ctl *ctl, struct ctl_topic *topic)
{
	for (int32_t i = 0; i < topic->n_partitions; i++)
		ctl_partition_check(ctl, topic, i);
}

void ctl_partition_check_all(struct ctl *ctl)
{
	if (!ctl_may_decide(ctl))
		return;
	for (struct ctl_topic *topic = ctl->topics; topic; topic = topic->next)
		ctl_partition_check_topic(ctl, topic);
}

void ctl_partition_on_end(struct ctl *ctl, const struct ctl_broker *broker, const struct ctl_replica_end *end)
{
	struct ctl_topic *topic = ctl_topic_find_id(ctl, &end->topic_id);
	struct ctl_partition *p;

	if (!topic || end->partition < 0 || end->partition >= topic->n_partitions)
		return;
	p = &topic->partitions[end->partition];
	if (p->now.leader != -1 || end->leader_epoch != p->now.leader_epoch || !ctl_contains(p->replicas, p->n_replicas, broker->id))
		return;
	ctl_partition_set_end(ctl, p, &(struct ctl_end){.broker = broker->id,
							.broker_epoch = broker->epoch,
							.leader_epoch = end->leader_epoch,
							.last_epoch = end->last_epoch,
							.end_offset = end->end_offset});
}

int16_t ctl_partition_elect(struct ctl *ctl, struct ctl_topic *topic, int32_t index, enum ctl_election_by by)
{
	struct ctl_partition *p = &topic->partitions[index];
	enum ctl_verdict verdict;
	struct question q;
	struct ctl_elected elected;

	if (!ctl_may_decide(ctl) || topic->phase != CTL_TOPIC_LIVE || topic->deletion >= CTL_DELETION_STOPPING || p->odd)
		return KAFKA_NOT_CONTROLLER;
	if (ctl_partition_is_busy(p))
		return CTL_ELECT_BUSY;
	ask(ctl, topic, p, &q);
	if (by == CTL_ELECT_PREFERRED) {
		verdict = ctl_elect_preferred(&q.election, &elected);
	} else {
		if (p->state != CTL_OFFLINE)
			return KAFKA_ELECTION_NOT_NEEDED;
		q.election.unclean = true;
		verdict = ctl_elect_offline(&q.election, &elected);
	}
	if (by == CTL_ELECT_PREFERRED && verdict != CTL_CHANGE)
		return verdict == CTL_KEEP ? KAFKA_ELECTION_NOT_NEEDED : KAFKA_PREFERRED_LEADER_NOT_AVAILABLE;
	if (verdict != CTL_CHANGE || elected.leader == -1)
		return KAFKA_ELIGIBLE_LEADERS_NOT_AVAILABLE;
	report_leader(ctl, topic, p, &elected, "request");
	write_elected(ctl, topic, p, &elected);
	return 0;
}

void ctl_partition_check_if_due(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	if (ctl_partition_is_busy(p))
		return;
	/* What it was busy with has ended, be it a move that was not even written: looking again is what was waited for. */
	release(ctl, p);
	if (!p->again)
		return;
	p->again = false;
	ctl_partition_check(ctl, topic, (int32_t)(p - topic->partitions));
}

/* Its first state is there, or nothing is under way any more. */
static void settle_creating(struct ctl_topic *topic, struct ctl_partition *p)
{
	if (!p->creating || (p->version < 0 && (p->ticket != 0 || p->reading)))
		return;
	p->creating = false;
	topic->n_creating--;
}

/* ---- reading ---- */

static bool has_fault(const int32_t *ids, int n)
{
	for (int i = 0; i < n; i++)
		if (ids[i] < 0 || ctl_contains(ids, i, ids[i]))
			return true;
	return n < 0;
}

static const char *find_fault(const struct ctl_state_read *read)
{
	if (read->found == CTL_NONSENSE)
		return "it cannot be read";
	if (read->leader < -1 || read->leader_epoch < 0 || read->controller_epoch < 0)
		return "a number in it is negative";
	if (read->n_isr > LIMIT_REPLICAS || read->n_elr > LIMIT_REPLICAS || read->n_lost > LIMIT_REPLICAS)
		return "its ISR is too long";
	if (has_fault(read->isr, read->n_isr) || has_fault(read->elr, read->n_elr) || has_fault(read->lost, read->n_lost))
		return "its ISR holds a broker twice or a negative number";
	return NULL;
}

/* The state that a write of ours was to leave behind: its answer was lost, it took effect. */
static bool is_what_we_wrote(const struct ctl *ctl, const struct ctl_partition *p, const struct ctl_state_read *read)
{
	return read->version == p->version + 1 && read->controller_epoch == ctl->epoch && read->leader == p->next.leader &&
	       read->leader_epoch == p->next.leader_epoch && read->n_isr == p->next.n_isr && read->n_isr > 0 && read->isr_epochs &&
	       memcmp(read->isr, p->next.isr, (size_t)read->n_isr * sizeof *read->isr) == 0 &&
	       memcmp(read->isr_epochs, p->next.isr_epochs, (size_t)read->n_isr * sizeof *read->isr_epochs) == 0;
}

/*
 * What the state says of eligible leaders. Kafka's form says nothing: without leader all of its ISR are eligible. So it is with keys
 * that others left in place while they ruled: their leaders went on without asking who is eligible (D9).
 */
static void take_eligible(struct ctl *ctl, struct ctl_partition *p, const struct ctl_state_read *read)
{
	if (read->has_elr && read->controller_epoch >= ctl->ruled_since) {
		ctl_lead_set_elr(ctl, &p->now, read->elr, read->elr_epochs, read->n_elr);
		ctl_lead_set_lost(ctl, &p->now, read->lost, read->n_lost);
		return;
	}
	ctl_lead_set_elr(ctl, &p->now, read->isr, read->isr_epochs, read->leader == -1 ? read->n_isr : 0);
	ctl_lead_set_lost(ctl, &p->now, NULL, 0);
}

static void take_state(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p, const struct ctl_state_read *read)
{
	p->fresh = p->version < 0 && is_what_we_wrote(ctl, p, read);
	p->mzxid = read->mzxid;
	p->void_elr = false;
	p->version = read->version;
	p->controller_epoch = read->controller_epoch;
	p->now.leader = read->leader;
	p->now.leader_epoch = read->leader_epoch;
	p->now.recovering = read->recovering;
	ctl_lead_set_isr(ctl, &p->now, read->isr, read->isr_epochs, read->n_isr);
	take_eligible(ctl, p, read);
	topic->has_parents = true;
	ctl_partition_step(ctl, topic, (int32_t)(p - topic->partitions), CTL_ON_STATE);
	ctl_epoch_seen(ctl, read->controller_epoch);
}

static void report_odd(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_state_read *read, const char *fault)
{
	ctl_action_report(ctl->out, true, "the state znode of partition %.*s-%d is nonsense (%s%s%.*s): the partition waits until it is mended "
			  "and its topic znode is written again, or the controller changes",
			  SLICE_ARGS(topic->name), read->partition, fault, slice_is_null(read->text) ? "" : ": ", SLICE_ARGS(read->text));
}

void ctl_partition_on_read(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_state_read *read)
{
	struct ctl_partition *p;
	const char *fault;

	if (read->partition < 0 || read->partition >= topic->n_partitions)
		return;
	p = &topic->partitions[read->partition];
	if (p->ticket != 0)
		return;
	p->reading = false;
	fault = read->found == CTL_ABSENT ? NULL : find_fault(read);
	if (fault) {
		if (!p->odd)
			report_odd(ctl, topic, read, fault);
		p->odd = true;
		if (p->state == CTL_NON_EXISTENT)
			ctl_partition_step(ctl, topic, read->partition, CTL_ON_ABSENT);
	} else if (read->found == CTL_ABSENT) {
		p->odd = false;
		p->version = -1;
		ctl_partition_step(ctl, topic, read->partition, CTL_ON_ABSENT);
		p->again |= topic->phase == CTL_TOPIC_LIVE;
	} else {
		p->odd = false;
		if (p->version != read->version || p->state == CTL_NON_EXISTENT || p->state == CTL_NEW)
			take_state(ctl, topic, p, read);
		p->again |= topic->phase == CTL_TOPIC_LIVE;
	}
	release(ctl, p);
	ctl_isr_settle(ctl, topic, p);
	ctl_partition_check_if_due(ctl, topic, p);
	settle_creating(topic, p);
}

/* ---- answers to writes ---- */

void ctl_partition_on_written(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_written *written)
{
	static const enum ctl_partition_event events[] = {
		[CTL_DONE] = CTL_ON_WRITTEN, [CTL_MISSED] = CTL_ON_MISSED, [CTL_FAILED] = CTL_ON_FAILED};
	struct ctl_partition *p;

	if (written->partition >= topic->n_partitions)
		return;
	p = &topic->partitions[written->partition];
	if (p->ticket == 0 || p->ticket != written->ticket)
		return;
	p->ticket = 0;
	if (written->outcome == CTL_FAILED)
		p->refused = written->ticket;
	topic->n_writing--;
	/* ZooKeeper refuses it: it is tried again, but what there is to say is said now, and no ELR counts after that. */
	p->void_elr |= p->clearing && written->outcome == CTL_FAILED;
	if (written->outcome != CTL_MISSED)
		release(ctl, p);
	/* The nodes above the state, which were to be made with it or before it, may be missing as well. */
	if (written->outcome == CTL_MISSED && p->version < 0)
		topic->has_parents = false;
	if (written->outcome == CTL_DONE) {
		p->fresh = p->version < 0;
		p->version = written->version;
	}
	ctl_partition_step(ctl, topic, written->partition, events[written->outcome]);
	if (written->outcome != CTL_MISSED)
		ctl_isr_settle(ctl, topic, p);
	ctl_partition_check_if_due(ctl, topic, p);
	settle_creating(topic, p);
	if (topic->deletion == CTL_DELETION_QUEUED && topic->n_writing == 0)
		ctl_delete_check(ctl, topic);
}
