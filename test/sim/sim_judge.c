/* The invariants; see sim_judge.h. What a replica holds comes from sim_truth.c. */
#include "test/sim/sim_judge.h"

#include "broker/replica/partition.h"
#include "broker/replica/shard.h"
#include "common/arena.h"
#include "common/check.h"
#include "common/memory.h"
#include "proto/kafka_error.h"
#include "test/sim/sim_judge_log.h"
#include "test/sim/sim_process.h"
#include "test/sim/sim_truth.h"
#include "zk/json_partition_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a broker's replica last showed. */
struct seen {
	int64_t process;
	enum replica_role role;
	int32_t epoch;
	int64_t high_watermark;
	int64_t epoch_start;
	int64_t proposal; /* number of the newest */
};

struct leadership {
	int32_t epoch;
	int broker;
	int64_t process;
};

struct zk_partition {
	bool known;
	struct partition_state_znode state;
	int32_t isr[SIM_BROKERS + 1], elr[SIM_BROKERS + 1];
};

struct judged {
	struct zk_partition zk;
	struct truth committed; /* below the highest high watermark of a leader */
	struct leadership *leaderships;
	int n_leaderships;
	struct seen seen[SIM_BROKERS];
	int64_t shown_end; /* the highest high watermark that a client was told */
	bool behind[SIM_BROKERS]; /* lost its tail, and has not been in the ISR since */
};

static struct judged judged[SIM_PARTITIONS_MAX];
static int32_t controller_epoch;

/* ---- ISR ---- */

static bool is_in(const int32_t *list, int32_t n, int machine)
{
	for (int32_t i = 0; i < n; i++)
		if (list[i] == machine + 1)
			return true;
	return false;
}

static bool in_isr(const struct judged *partition, int machine)
{
	return is_in(partition->zk.isr, partition->zk.state.n_isr, machine);
}

/* ---- what a broker's partition shows ---- */

static void check_leadership(struct judged *partition, int p, int machine, int64_t process, const struct replica_core *core)
{
	const struct truth *own = truth_of(machine, p);

	for (int i = 0; i < partition->n_leaderships; i++) {
		const struct leadership *other = &partition->leaderships[i];

		if (other->epoch == core->leader_epoch && (other->broker != machine || other->process != process))
			sim_violation("S7", "partition %d epoch %d: broker %d leads, and broker %d did in that epoch", p, core->leader_epoch,
				      machine + 1, other->broker + 1);
	}
	partition->leaderships = memory_grow(partition->leaderships, (size_t)(partition->n_leaderships + 1) * sizeof *partition->leaderships);
	partition->leaderships[partition->n_leaderships++] = (struct leadership){core->leader_epoch, machine, process};
	sim_say("broker %d leads partition %d in epoch %d from %lld (committed to %lld)", machine + 1, p, core->leader_epoch,
		(long long)core->log_end_offset, (long long)partition->committed.end);
	/* One that wakes up late may begin an epoch that is over: what came after it is not its own. */
	if (partition->zk.state.leader_epoch <= core->leader_epoch &&
	    truth_differs(&partition->committed, own, partition->committed.end) < partition->committed.end)
		sim_violation("S1", "partition %d: broker %d leads epoch %d without what is committed: to %lld, it has it to %lld (its log ends at %lld)",
			      p, machine + 1, core->leader_epoch, (long long)partition->committed.end,
			      (long long)truth_differs(&partition->committed, own, partition->committed.end), (long long)own->end);
}

static void check_member(const struct judged *partition, int p, int leader, int member, int64_t from, int64_t to)
{
	const struct truth *own = truth_of(leader, p), *other = truth_of(member, p);
	int64_t end = sim_settings.fsync_isr ? other->durable_end : other->end;

	(void)partition;
	if (other->lost)
		return;
	if (end < to)
		sim_violation("S3", "partition %d: leader %d has high watermark %lld, but broker %d of the ISR has %s to %lld", p, leader + 1,
			      (long long)to, member + 1, sim_settings.fsync_isr ? "synced" : "its log", (long long)end);
	for (int64_t at = from; at < to;) {
		const struct truth_batch *a = truth_at(own, at), *b = truth_at(other, at);

		if (!a || !b || a->crc != b->crc || a->base != b->base || a->epoch != b->epoch)
			sim_violation("S5", "partition %d: leader %d and broker %d of the ISR differ at %lld below the high watermark %lld", p,
				      leader + 1, member + 1, (long long)at, (long long)to);
		at = a->next;
	}
}

/*
 * The leader's high watermark has moved: what lies below is committed for good. Judged when it moves: later in the turn the ISR may be another,
 * or the process at its end.
 */
static void check_commit(struct judged *partition, int p, int machine, const struct replica_core *core)
{
	struct truth *committed = &partition->committed;
	const struct truth *own = truth_of(machine, p);
	int64_t from = committed->end, to = core->high_watermark;

	if (to <= from)
		return;
	if (core->n_isr < replica_min_isr(core))
		sim_violation("S3", "partition %d: leader %d moves its high watermark to %lld with an ISR of %d", p, machine + 1, (long long)to,
			      core->n_isr);
	for (int broker = 0; broker < SIM_BROKERS; broker++)
		if (in_isr(partition, broker))
			check_member(partition, p, machine, broker, from, to);
	while (committed->end < to) {
		const struct truth_batch *batch = truth_at(own, committed->end);

		if (!batch || batch->base != committed->end || batch->next > to)
			sim_violation("S3", "partition %d: leader %d has no batch at %lld below its high watermark %lld", p, machine + 1,
				      (long long)committed->end, (long long)to);
		if (committed->n == committed->cap) {
			committed->cap = committed->cap ? committed->cap * 2 : 256;
			committed->batches = memory_grow(committed->batches, (size_t)committed->cap * sizeof *committed->batches);
		}
		committed->batches[committed->n++] = *batch;
		committed->end = batch->next;
	}
}

/* The partition of a log, as long as the process that runs has it. */
static const struct partition *find_shown(const struct sim_process *process, const struct log *log)
{
	for (int i = 0; i < process->n_shards; i++)
		for (const struct partition *at = process->shards[i]->partitions; at; at = at->hh.next)
			if (at->log == log)
				return at;
	return NULL;
}

void judge_high_watermark(int machine, int p, const struct log *log)
{
	const struct partition *shown = find_shown(sim.process, log);

	if (!shown || shown->core.role != REPLICA_LEADER || shown->core.high_watermark != log_high_watermark(log))
		return;
	truth_of(machine, p)->durable_end = log_durable_end(log);
	judge_serving(&shown->core);
	check_commit(&judged[p], p, machine, &shown->core);
}

/* Who is proposed has, as it was told, the high watermark and what the leader had when its epoch began. */
static void check_proposal(int p, int machine, const struct replica_core *core)
{
	for (int32_t i = 0; i < core->n_members; i++) {
		const struct replica_member *member = &core->members[i];

		/* What it had may be forgotten again within the turn. */
		if (core->proposal_stage != REPLICA_PROPOSAL_SENT || !member->in_proposal || member->in_isr || member->id == machine + 1 ||
		    member->log_end_offset == REPLICA_OFFSET_NONE)
			continue;
		if (member->log_end_offset < core->epoch_start_offset || member->log_end_offset < core->high_watermark)
			sim_violation("S11", "partition %d: leader %d proposes broker %d, whose log ends at %lld (epoch start %lld, high watermark %lld)",
				      p, machine + 1, member->id, (long long)member->log_end_offset, (long long)core->epoch_start_offset,
				      (long long)core->high_watermark);
	}
}

/* Below its own high watermark a follower holds what is committed. */
static void check_follower(const struct judged *partition, int p, int machine, int64_t from, int64_t to)
{
	const struct truth *own = truth_of(machine, p);

	if (to > partition->committed.end)
		sim_violation("S5", "partition %d: broker %d follows with high watermark %lld, but only %lld is committed", p, machine + 1,
			      (long long)to, (long long)partition->committed.end);
	for (int64_t at = from; at < to;) {
		const struct truth_batch *a = truth_at(own, at), *b = truth_at(&partition->committed, at);

		if (!a || !b || a->crc != b->crc || a->base != b->base)
			sim_violation("S5", "partition %d: broker %d holds another batch at %lld than was committed (high watermark %lld)", p,
				      machine + 1, (long long)at, (long long)to);
		at = a->next;
	}
}

static void judge_partition(int machine, int64_t process, const struct partition *shown)
{
	int p = truth_partition((const char *)shown->topic.data, shown->topic.len, shown->key.index);
	const struct replica_core *core = &shown->core;
	struct judged *partition;
	struct seen *seen;

	if (p < 0 || !shown->log)
		return;
	partition = &judged[p];
	seen = &partition->seen[machine];
	truth_of(machine, p)->durable_end = log_durable_end(shown->log);
	if (seen->process == process && seen->role == core->role && seen->epoch == core->leader_epoch &&
	    seen->high_watermark == core->high_watermark && seen->proposal == core->proposal_number)
		return;
	if (seen->process != process)
		*seen = (struct seen){.process = process, .epoch = -1};
	if (core->leader_epoch < seen->epoch)
		sim_violation("S6", "partition %d: broker %d goes back from leader epoch %d to %d", p, machine + 1, seen->epoch,
			      core->leader_epoch);
	if (core->role == REPLICA_LEADER && (seen->role != REPLICA_LEADER || seen->epoch != core->leader_epoch))
		check_leadership(partition, p, machine, process, core);
	if (core->role == REPLICA_LEADER && seen->role == REPLICA_LEADER && seen->epoch == core->leader_epoch &&
	    core->high_watermark < seen->high_watermark)
		sim_violation("S4", "partition %d: leader %d goes back from high watermark %lld to %lld", p, machine + 1,
			      (long long)seen->high_watermark, (long long)core->high_watermark);
	if (core->role == REPLICA_LEADER && core->proposal_number != seen->proposal)
		check_proposal(p, machine, core);
	if (core->role == REPLICA_FOLLOWER)
		check_follower(partition, p, machine, seen->high_watermark, core->high_watermark);
	*seen = (struct seen){process, core->role, core->leader_epoch, core->high_watermark, core->epoch_start_offset, core->proposal_number};
}

void sim_judge_turn(struct sim_process *process, struct worker *worker)
{
	if (!sim_is_broker(process->machine))
		return;
	for (int i = 0; i < process->n_shards; i++)
		if (&process->shards[i]->worker == worker)
			for (struct partition *at = process->shards[i]->partitions; at; at = at->hh.next)
				judge_partition(process->machine->id, process->number, at);
}

void sim_judge_process_gone(struct sim_process *process)
{
	process->n_shards = 0;
}

void sim_judge_power_cut(struct sim_machine *machine)
{
	for (int p = 0; p < SIM_PARTITIONS_MAX; p++) {
		truth_of(machine->id, p)->lost = truth_of(machine->id, p)->present;
		judged[p].behind[machine->id] = true;
	}
}

bool sim_judge_may_lose(const struct sim_machine *machine)
{
	if (sim_settings.fsync_isr)
		return true;
	if (sim_settings.min_isr < 2)
		return false;
	for (int p = 0; p < sim_settings.n_partitions; p++) {
		int n_others = 0;

		for (int broker = 0; broker < SIM_BROKERS; broker++) {
			if (broker == machine->id)
				continue;
			if (judged[p].behind[broker])
				return false;
			n_others += judged[p].zk.known && (in_isr(&judged[p], broker) ||
							   is_in(judged[p].zk.elr, judged[p].zk.state.n_elr, broker));
		}
		if (n_others == 0)
			return false;
	}
	return true;
}

/* ---- a log is cut ---- */

void judge_truncation(int machine, int p, int64_t offset)
{
	const struct judged *partition = &judged[p];
	const struct seen *seen = &partition->seen[machine];
	const struct sim_process *process = sim.machines[machine].process;

	if (process && seen->process == process->number && offset < seen->high_watermark && !sim_settings.unclean_allowed)
		sim_violation("S10", "partition %d: broker %d cuts its log at %lld, below its high watermark %lld", p, machine + 1,
			      (long long)offset, (long long)seen->high_watermark);
	if (offset < partition->committed.end && offset < truth_of(machine, p)->end && in_isr(partition, machine) && !partition->behind[machine] &&
	    truth_differs(truth_of(machine, p), &partition->committed, partition->committed.end) > offset && !sim_settings.unclean_allowed)
		sim_violation("S1", "partition %d: broker %d of the ISR cuts its log at %lld, though %lld is committed", p, machine + 1,
			      (long long)offset, (long long)partition->committed.end);
}

void judge_deleted(int machine, int p)
{
	if (in_isr(&judged[p], machine))
		sim_violation("S1", "partition %d: broker %d of the ISR deletes its log", p, machine + 1);
	judged[p].seen[machine] = (struct seen){.epoch = -1};
	judged[p].behind[machine] = false;
}

void judge_reset(int machine, int p, int64_t offset)
{
	if (in_isr(&judged[p], machine) && !judged[p].behind[machine])
		sim_violation("S10", "partition %d: broker %d of the ISR begins anew at %lld", p, machine + 1, (long long)offset);
}

/* ---- ZooKeeper ---- */

static void copy_state(struct zk_partition *to, const struct partition_state_znode *state)
{
	to->state = *state;
	if (to->state.n_isr > SIM_BROKERS)
		sim_violation("S11", "an ISR of %d", state->n_isr);
	memcpy(to->isr, state->isr, (size_t)state->n_isr * sizeof *to->isr);
	if (to->state.n_elr < 0 || to->state.n_elr > SIM_BROKERS)
		to->state.n_elr = 0;
	memcpy(to->elr, state->elr ? state->elr : to->elr, (size_t)to->state.n_elr * sizeof *to->elr);
	to->known = true;
}

static void check_state(struct judged *partition, int p, const struct partition_state_znode *state)
{
	const struct zk_partition *before = &partition->zk;
	int leader = state->leader - 1;

	if (state->controller_epoch != controller_epoch)
		sim_violation("S13", "partition %d: a state of controller epoch %d is written in epoch %d", p, state->controller_epoch,
			      controller_epoch);
	if (state->leader >= 0 && !is_in(state->isr, state->n_isr, leader))
		sim_violation("S11", "partition %d: leader %d is not in the ISR", p, state->leader);
	if (!before->known)
		return;
	if (state->leader_epoch < before->state.leader_epoch ||
	    (state->leader_epoch == before->state.leader_epoch && state->leader != before->state.leader))
		sim_violation("S6", "partition %d: leader %d epoch %d is followed by leader %d epoch %d", p, before->state.leader,
			      before->state.leader_epoch, state->leader, state->leader_epoch);
	if (state->leader >= 0 && state->leader != before->state.leader && !sim_settings.unclean_allowed &&
	    !is_in(before->isr, before->state.n_isr, leader) && !is_in(before->elr, before->state.n_elr, leader))
		sim_violation("S12", "partition %d: %d is elected, but was neither in the ISR nor eligible", p, state->leader);
}

/* And it has reached where the leader's epoch begins (D4). */
static void check_epoch_start(const struct judged *partition, int p, const struct partition_state_znode *state, int broker)
{
	const struct seen *leader = state->leader > 0 ? &partition->seen[state->leader - 1] : NULL;
	const struct truth *own = truth_of(broker, p);

	if (leader && leader->role == REPLICA_LEADER && leader->epoch == state->leader_epoch && own->end < leader->epoch_start)
		sim_violation("S11", "partition %d: broker %d joins the ISR, its log ends at %lld below the epoch start %lld", p, broker + 1,
			      (long long)own->end, (long long)leader->epoch_start);
}

/* Whoever joins holds all that is committed. */
static void check_joins(struct judged *partition, int p, const struct partition_state_znode *state)
{
	for (int broker = 0; broker < SIM_BROKERS; broker++) {
		const struct truth *own = truth_of(broker, p);

		if (!is_in(state->isr, state->n_isr, broker) || in_isr(partition, broker))
			continue;
		sim.counters.joins_under_load++;
		if (own->lost || sim_settings.unclean_allowed)
			continue;
		check_epoch_start(partition, p, state, broker);
		if (truth_differs(&partition->committed, own, partition->committed.end) < partition->committed.end)
			sim_violation("S11", "partition %d: broker %d joins the ISR without what is committed: to %lld, its log ends at %lld", p,
				      broker + 1, (long long)partition->committed.end, (long long)own->end);
		partition->behind[broker] = false;
	}
}

static void judge_state(int p, const char *path, const char *data, size_t len)
{
	struct judged *partition = &judged[p];
	struct partition_state_znode state;
	struct arena arena;
	struct error err;

	arena_init(&arena);
	if (partition_state_znode_decode(&arena, path, slice_of(data, len), &state, &err))
		sim_violation("znode", "%s", err.text);
	check_state(partition, p, &state);
	if (partition->zk.known) {
		sim.counters.elections += state.leader >= 0 && state.leader_epoch != partition->zk.state.leader_epoch;
		sim.counters.isr_changes += state.n_isr != partition->zk.state.n_isr;
		check_joins(partition, p, &state);
	}
	sim_say("ZooKeeper: partition %d: %.*s", p, (int)len, data);
	copy_state(&partition->zk, &state);
	arena_fini(&arena);
}

static void judge_broker(const char *data, int64_t incarnation)
{
	static int64_t newest;

	if (!data || incarnation <= newest)
		return;
	newest = incarnation;
	sim.counters.unclean_registrations += strstr(data, "\"klamm_start\":\"unclean\"") != NULL;
}

/* Every state is written together with the check of the controller epoch: whether one came too late once is a matter of luck (S13). */
void sim_judge_write(const char *path, bool fenced)
{
	const char *slash = strrchr(path, '/');

	if (!fenced && strncmp(path, "/brokers/topics/" SIM_TOPIC "/", sizeof "/brokers/topics/" SIM_TOPIC) == 0 && strcmp(slash, "/state") == 0)
		sim_violation("S13", "%s is written without a check of the controller epoch", path);
}

void sim_judge_znode(const char *path)
{
	static const char states[] = "/brokers/topics/" SIM_TOPIC "/partitions/";
	int32_t version;
	int64_t czxid = 0, owner;
	size_t len;
	const char *data = sim_ensemble_data(path, &len, &version, &czxid, &owner), *slash = strrchr(path, '/');

	if (strcmp(path, "/controller_epoch") == 0 && data) {
		int32_t epoch = atoi(data);

		if (epoch < controller_epoch)
			sim_violation("S13", "controller epoch %d after %d", epoch, controller_epoch);
		sim.counters.controller_changes += epoch > controller_epoch;
		controller_epoch = epoch;
	} else if (strncmp(path, states, sizeof states - 1) == 0 && data && strcmp(slash, "/state") == 0) {
		judge_state(atoi(path + sizeof states - 1), path, data, len);
	} else if (strncmp(path, "/brokers/ids/", 13) == 0) {
		judge_broker(data, czxid);
	}
}

/* ---- clients ---- */

void sim_judge_ack(int p, int64_t offset, int n_records, uint32_t crc, int acks)
{
	struct judged *partition = &judged[p];
	const struct truth_batch *batch = truth_at(&partition->committed, offset);

	sim.counters.acks++;
	if (acks != -1)
		return;
	sim.counters.acks_all++;
	if (!batch)
		sim_violation("S2", "partition %d: offset %lld is acknowledged, but only %lld is committed", p, (long long)offset,
			      (long long)partition->committed.end);
	if (batch->base != offset || batch->crc != crc || batch->next != offset + n_records)
		sim_violation("S8", "partition %d: offset %lld is acknowledged for a batch that is not there", p, (long long)offset);
}

bool sim_judge_holds(int p, int machine, uint32_t crc)
{
	const struct truth *truth = truth_of(machine, p);

	for (int i = truth->n - 1; i >= 0; i--)
		if (truth->batches[i].crc == crc)
			return true;
	return false;
}

bool sim_judge_leads(int p, int machine)
{
	return judged[p].zk.state.leader == machine + 1;
}

void sim_judge_read(int p, int64_t offset, int n_records, uint32_t crc)
{
	const struct truth_batch *batch = truth_at(&judged[p].committed, offset);

	sim.counters.records_read += n_records;
	if (!batch)
		sim_violation("S5", "partition %d: offset %lld is read, but only %lld is committed", p, (long long)offset,
			      (long long)judged[p].committed.end);
	if (batch->base != offset || batch->crc != crc)
		sim_violation("S5", "partition %d: another batch is read at %lld than was committed", p, (long long)offset);
}

/* ---- the end ---- */

/*
 * As many as the promise of page-cache does not cover have lost their tails, and among them all that were in sync or eligible: by design the
 * partition waits for an operator (S1, D9). In fsync-isr nobody loses anything, and a minimum of one promises nothing to wait for.
 */
bool sim_judge_waits(int p)
{
	const struct judged *partition = &judged[p];
	int n_behind = 0;

	if (!partition->zk.known || partition->zk.state.leader >= 0 || sim_settings.fsync_isr || sim_settings.min_isr < 2)
		return false;
	for (int broker = 0; broker < SIM_BROKERS; broker++) {
		n_behind += partition->behind[broker];
		if (!partition->behind[broker] &&
		    (in_isr(partition, broker) || is_in(partition->zk.elr, partition->zk.state.n_elr, broker)))
			return false;
	}
	return n_behind >= sim_settings.min_isr;
}

static bool partition_settled(int p, char *ret_why, size_t size)
{
	const struct judged *partition = &judged[p];
	int leader = partition->zk.state.leader - 1;

	if (!partition->zk.known || partition->zk.state.leader < 0) {
		snprintf(ret_why, size, "partition %d has no leader", p);
		return false;
	}
	if (partition->zk.state.n_isr < sim_settings.replication_factor) {
		snprintf(ret_why, size, "partition %d has an ISR of %d", p, partition->zk.state.n_isr);
		return false;
	}
	for (int broker = 0; broker < SIM_BROKERS; broker++) {
		const struct truth *own = truth_of(broker, p), *of_leader = truth_of(leader, p);

		if (!in_isr(partition, broker))
			continue;
		if (own->end != of_leader->end || partition->seen[broker].high_watermark != own->end ||
		    (broker == leader && partition->seen[broker].role != REPLICA_LEADER)) {
			snprintf(ret_why, size, "partition %d: broker %d has its log to %lld and high watermark %lld, the leader %lld", p,
				 broker + 1, (long long)own->end, (long long)partition->seen[broker].high_watermark,
				 (long long)of_leader->end);
			return false;
		}
	}
	return true;
}

bool sim_judge_settled(char *ret_why, size_t size)
{
	for (int p = 0; p < sim_settings.n_partitions; p++)
		if (!sim_judge_waits(p) && !partition_settled(p, ret_why, size))
			return false;
	return true;
}

static int compare_sends(const void *a, const void *b)
{
	const struct truth_batch *x = a, *y = b;

	if (x->crc != y->crc)
		return x->crc < y->crc ? -1 : 1;
	if (x->producer_id != y->producer_id)
		return x->producer_id < y->producer_id ? -1 : 1;
	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/*
 * Every batch was made by one send: twice in a log means that a retry was not known for one (T1). Its checksum alone is not enough: over many
 * seeds two of different batches are the same by chance.
 */
static void check_duplicates(int p, const struct truth *truth)
{
	struct truth_batch *sends = memory_zalloc((size_t)truth->n + 1, sizeof *sends);

	if (truth->n > 0)
		memcpy(sends, truth->batches, (size_t)truth->n * sizeof *sends);
	qsort(sends, (size_t)truth->n, sizeof *sends, compare_sends);
	for (int i = 1; i < truth->n; i++)
		if (compare_sends(&sends[i - 1], &sends[i]) == 0)
			sim_violation("T1", "partition %d: the batch of producer %lld with sequence %d (crc %08x) stands in the log twice, at %lld and "
				      "%lld", p, (long long)sends[i].producer_id, sends[i].sequence, sends[i].crc, (long long)sends[i - 1].base,
				      (long long)sends[i].base);
	free(sends);
}

void sim_judge_end(void)
{
	for (int p = 0; p < sim_settings.n_partitions; p++) {
		const struct judged *partition = &judged[p];
		const struct truth *of_leader;

		if (sim_judge_waits(p)) {
			sim.counters.waits_by_design++;
			continue;
		}
		of_leader = truth_of(partition->zk.state.leader - 1, p);
		for (int broker = 0; broker < SIM_BROKERS; broker++) {
			const struct truth *own = truth_of(broker, p);

			if (in_isr(partition, broker) && truth_differs(own, of_leader, of_leader->end) < of_leader->end)
				sim_violation("S5", "partition %d: brokers %d and %d differ at %lld at the end", p, broker + 1,
					      partition->zk.state.leader, (long long)truth_differs(own, of_leader, of_leader->end));
		}
		if (truth_differs(&partition->committed, of_leader, partition->committed.end) < partition->committed.end)
			sim_violation("S1", "partition %d: what is committed is not there at the end", p);
		check_duplicates(p, of_leader);
	}
}
