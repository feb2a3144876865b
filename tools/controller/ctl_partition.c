/* The state machine of partitions; see ctl_partition.h. */
#include "tools/controller/ctl_partition.h"

#include "common/check.h"
#include "tools/controller/ctl_broker.h"
#include "tools/controller/ctl_config.h"
#include "tools/controller/ctl_delete.h"
#include "tools/controller/ctl_step.h"

#include <string.h>

#define AREA_RETRY_MS 1000

/* ---- actions of the rows ---- */

static void fill_members(struct ctl *ctl, const struct ctl_partition *p, enum ctl_member *replicas, enum ctl_member *isr,
			 struct ctl_election *ret_election)
{
	for (int i = 0; i < p->n_replicas; i++)
		replicas[i] = ctl_broker_member(ctl, p, p->replicas[i]);
	for (int i = 0; i < p->now.n_isr; i++)
		isr[i] = ctl_broker_member(ctl, p, p->now.isr[i]);
	*ret_election = (struct ctl_election){
		.replicas = p->replicas,
		.replica_members = replicas,
		.n_replicas = p->n_replicas,
		.isr = p->now.isr,
		.isr_members = isr,
		.n_isr = p->now.n_isr,
		.leader = p->now.leader,
	};
}

/* Sends the write of what was elected, with the next leader epoch. */
static void write_state(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p, const struct ctl_elected *elected,
			enum ctl_write_kind kind)
{
	struct ctl_action *action = ctl_action_add(ctl->out, CTL_DO_WRITE);

	ctl_lead_set_isr(ctl, &p->next, elected->isr, elected->n_isr);
	p->next.leader = elected->leader;
	p->next.leader_epoch = p->now.leader_epoch + 1;
	p->next.recovering = elected->unclean || (p->now.recovering && elected->leader == p->now.leader);
	p->settling = ctl->clock;
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

static void create(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	enum ctl_member replicas[LIMIT_REPLICAS];
	enum ctl_member isr[LIMIT_REPLICAS];
	struct ctl_election election;
	struct ctl_elected elected;

	fill_members(ctl, p, replicas, isr, &election);
	/* A state that was there and is gone was removed by hand: its ISR still says who has the records. */
	if (p->now.leader_epoch >= 0)
		ctl_elect_offline(&election, &elected);
	else if (ctl_elect_new(&election, &elected) != CTL_CHANGE)
		return;
	write_state(ctl, topic, p, &elected, CTL_WRITE_FIRST_STATE);
}

static void report_unclean(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p, int32_t leader)
{
	ctl_action_report(ctl->out, true,
			  "partition %.*s-%d: nobody of its ISR is alive; broker %d is elected by unclean.leader.election.enable, "
			  "acknowledged records may be lost",
			  SLICE_ARGS(topic->name), (int)(p - topic->partitions), leader);
}

static void elect(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	enum ctl_member replicas[LIMIT_REPLICAS];
	enum ctl_member isr[LIMIT_REPLICAS];
	struct ctl_election election;
	struct ctl_elected elected;

	fill_members(ctl, p, replicas, isr, &election);
	election.unclean = ctl_config_unclean(ctl, topic);
	if (ctl_elect_offline(&election, &elected) != CTL_CHANGE)
		return;
	if (elected.unclean)
		report_unclean(ctl, topic, p, elected.leader);
	write_state(ctl, topic, p, &elected, CTL_WRITE_STATE);
}

static void adopt(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	p->tell_replicas = true;
	p->tell_view = true;
	ctl_topic_touch(ctl, topic);
}

static void commit(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	ctl_lead_set_isr(ctl, &p->now, p->next.isr, p->next.n_isr);
	p->now.leader = p->next.leader;
	p->now.leader_epoch = p->next.leader_epoch;
	p->now.recovering = p->next.recovering;
	p->settled = p->settling;
	p->controller_epoch = ctl->epoch;
	p->odd = false;
	adopt(ctl, topic, p);
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
	if (p->ticket != 0 || p->reading)
		p->again = true;
	else
		ctl_partition_step(ctl, topic, index, CTL_ON_CHECK);
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

static void check_if_due(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p)
{
	if (!p->again || p->reading || p->ticket != 0)
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

static const char *find_fault(const struct ctl_state_read *read)
{
	if (read->found == CTL_NONSENSE)
		return "it cannot be read";
	if (read->leader < -1 || read->leader_epoch < 0 || read->controller_epoch < 0)
		return "a number in it is negative";
	if (read->n_isr < 0 || read->n_isr > LIMIT_REPLICAS)
		return "its ISR is too long";
	for (int i = 0; i < read->n_isr; i++)
		if (read->isr[i] < 0 || ctl_contains(read->isr, i, read->isr[i]))
			return "its ISR holds a broker twice or a negative number";
	return NULL;
}

/* The state that a write of ours was to leave behind: its answer was lost, it took effect. */
static bool is_what_we_wrote(const struct ctl *ctl, const struct ctl_partition *p, const struct ctl_state_read *read)
{
	return p->settling > 0 && read->controller_epoch == ctl->epoch && read->leader == p->next.leader &&
	       read->leader_epoch == p->next.leader_epoch && read->n_isr == p->next.n_isr &&
	       (read->n_isr == 0 || memcmp(read->isr, p->next.isr, (size_t)read->n_isr * sizeof *read->isr) == 0);
}

static void take_state(struct ctl *ctl, struct ctl_topic *topic, struct ctl_partition *p, const struct ctl_state_read *read)
{
	bool ours = is_what_we_wrote(ctl, p, read);

	p->fresh = ours && p->version < 0;
	p->settled = ours ? p->settling : -read->mzxid;
	p->settling = 0;
	p->version = read->version;
	p->controller_epoch = read->controller_epoch;
	p->now.leader = read->leader;
	p->now.leader_epoch = read->leader_epoch;
	p->now.recovering = read->recovering;
	ctl_lead_set_isr(ctl, &p->now, read->isr, read->n_isr);
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
	check_if_due(ctl, topic, p);
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
	topic->n_writing--;
	if (written->outcome == CTL_DONE) {
		p->fresh = p->version < 0;
		p->version = written->version;
	}
	ctl_partition_step(ctl, topic, written->partition, events[written->outcome]);
	check_if_due(ctl, topic, p);
	settle_creating(topic, p);
	if (topic->deletion == CTL_DELETION_QUEUED && topic->n_writing == 0)
		ctl_delete_check(ctl, topic);
}

void ctl_partition_on_log_dir_failed(struct ctl *ctl, struct ctl_topic *topic, int32_t index, int32_t broker)
{
	struct ctl_partition *p;

	if (index < 0 || index >= topic->n_partitions)
		return;
	p = &topic->partitions[index];
	for (int i = 0; i < p->n_replicas && i < 64; i++) {
		if (p->replicas[i] != broker || (p->failed >> i & 1))
			continue;
		p->failed |= UINT64_C(1) << i;
		p->tell_view = true;
		ctl_topic_touch(ctl, topic);
		ctl_partition_check(ctl, topic, index);
	}
}
