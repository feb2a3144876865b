/*
 * What a partition does because time passes, and its leader's wish for another ISR; see partition.h.
 *
 *     any call of the core -> partition_carry_out -> partition_wait: the timer is set to the core's next moment, if it has one
 *     timer                -> replica_core_tick -> partition_carry_out -> ...
 *     actions.propose      -> the shard's isr_port -> hub -> controller -> hub -> partition_isr_answered
 *
 * Nothing wakes a partition that has nothing to wait for. A timer that is set too early, because what it was for has settled meanwhile,
 * is left: when it fires the core says anew when the next moment is. So an append costs no timer.
 */
#include "broker/replica/partition_internal.h"

#include "broker/replica/partition_lead.h"
#include "broker/replica/shard.h"
#include "common/clock.h"
#include "zk/lease.h"

/* So often a leader without a lease looks whether it serves again, while something waits for its high watermark. */
#define UNSURE_MS 250

struct replica_now partition_now(const struct partition *partition)
{
	const struct lease *lease = partition->shard->lease;
	struct replica_now now = {clock_ms(), lease ? lease_deadline_ms(lease) : INT64_MAX};

	/* It holds again, but a controller that could not reach this broker may have elected others before it did. */
	if (lease && lease_n_gaps(lease) != partition->shard->n_gaps)
		now.lease_end_ms = 0;
	/* From then on it counts when each follower was heard. */
	if (now.ms >= now.lease_end_ms)
		partition_hear(partition);
	return now;
}

/*
 * The end of the lease and its renewal come without a call, and so does a sign of life of a follower: while they decide about what is
 * parked, they are looked at.
 */
static int64_t next_ms(const struct partition *partition, const struct replica_now *now)
{
	const struct replica_core *core = &partition->core;
	int64_t next = replica_core_next_ms(core, now->ms);
	bool is_unsure = core->role == REPLICA_LEADER && now->ms >= now->lease_end_ms && core->high_watermark < replica_promised_end(core);

	return is_unsure && next > now->ms + UNSURE_MS ? now->ms + UNSURE_MS : next;
}

void partition_wait(struct partition *partition, const struct replica_now *now)
{
	int64_t next = next_ms(partition, now);

	if (next != REPLICA_NOT_SOON)
		timer_set_earlier(&partition->tick, next > now->ms ? next : now->ms + 1);
}

static void on_tick(struct timer *timer)
{
	struct partition *partition = CONTAINER_OF(timer, struct partition, tick);
	struct replica_now now = partition_now(partition);
	struct replica_actions actions;

	if (partition->state == PARTITION_FAILED)
		return;
	replica_core_tick(&partition->core, &now, &actions);
	partition_carry_out(partition, &now, &actions);
}

void partition_isr_init(struct partition *partition)
{
	timer_init(&partition->tick, &partition->shard->worker.loop, on_tick);
}

void partition_isr_fini(struct partition *partition)
{
	timer_stop(&partition->tick);
}

void partition_isr_propose(struct partition *partition, const struct replica_now *now)
{
	const struct isr_port *port = partition->shard->isr;
	struct replica_proposal proposal;

	replica_isr_proposal(&partition->core, &proposal);
	if (port)
		port->propose(port->ctx, partition->shard, &partition->key, &proposal);
	else
		replica_isr_unanswered(&partition->core, proposal.number, now->ms + REPLICA_PROPOSE_AGAIN_MS);
}

static void count_answer(struct isr_counters *counters, const struct replica_isr_answer *answer, int32_t n_before, int32_t n_after)
{
	counters->n_refused += answer->error != 0;
	counters->n_shrunk += n_after < n_before;
	counters->n_expanded += n_after > n_before;
}

void partition_isr_answered(struct partition *partition, const struct replica_isr_answer *answer)
{
	struct replica_now now = partition_now(partition);
	struct replica_actions actions;
	int32_t n_before = partition->core.n_isr;

	if (partition->state == PARTITION_FAILED || !replica_isr_answered(&partition->core, &now, answer, &actions))
		return;
	count_answer(&partition->shard->isr_counters, answer, n_before, partition->core.n_isr);
	partition_carry_out(partition, &now, &actions);
}

void partition_set_session(struct partition *partition, int64_t session_ms)
{
	struct replica_now now = partition_now(partition);
	struct replica_rules rules = partition->core.rules;
	struct replica_actions actions;

	if (partition->state == PARTITION_FAILED || rules.session_ms == session_ms)
		return;
	rules.session_ms = session_ms;
	replica_core_configure(&partition->core, &now, &rules, &actions);
	partition_carry_out(partition, &now, &actions);
}
