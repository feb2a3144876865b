/* partition_isr: proposals by time, answers, the lease, the timer that is only set when something is due. */
#include "test/unit/broker/replica/partition_fixture.h"

#include "broker/replica/replica_isr_core.h"
#include "broker/replica/replica_leader_core.h"

static struct replica_proposal proposed;
static int n_proposed;

static void on_propose(void *ctx, struct shard *from, const struct partition_key *key, const struct replica_proposal *proposal)
{
	(void)ctx;
	ck_assert_ptr_eq(from, &shard);
	ck_assert_int_eq(key->index, 0);
	proposed = *proposal;
	n_proposed++;
}

static const struct isr_port port = {.propose = on_propose};

/* Leads in this epoch, with an ISR of itself and broker 2 out of three replicas. */
static void lead_with_two(int32_t leader_epoch, int32_t partition_epoch)
{
	static const int32_t replicas[] = {1, 2, 3}, isr[] = {1, 2};
	struct replica_state state = {.leader = 1,
				      .leader_epoch = leader_epoch,
				      .partition_epoch = partition_epoch,
				      .replicas = replicas,
				      .n_replicas = 3,
				      .isr = isr,
				      .n_isr = 2};

	ck_assert_int_eq(partition_become(partition, &state), 0);
}

static void setup_isr(void)
{
	more_properties = "replica.lag.time.max.ms=50\nreplica.fetch.wait.max.ms=10\n";
	setup();
	shard.isr = &port;
	n_proposed = 0;
	lead_with_two(1, 1);
}

static void answer(int16_t error, int32_t partition_epoch, const int32_t *isr, int32_t n_isr)
{
	struct replica_isr_answer told = {.number = proposed.number,
					  .error = error,
					  .leader_epoch = 1,
					  .partition_epoch = partition_epoch,
					  .isr = isr,
					  .n_isr = n_isr};

	partition_isr_answered(partition, &told);
}

START_TEST(a_follower_that_lags_is_proposed_to_leave_and_the_committed_isr_ends_the_wait)
{
	const int32_t alone[] = {1};
	struct partition_append *waiting;

	setup_isr();
	waiting = append(-1, -1, 2, -1);
	ck_assert_int_eq(n_done, 0);
	turn_until(&n_proposed, 1);
	ck_assert_int_eq(proposed.leader_epoch, 1);
	ck_assert_int_eq(proposed.partition_epoch, 1);
	ck_assert_int_eq(proposed.n_isr, 1);
	ck_assert_int_eq(proposed.isr[0].id, 1);
	/* Until it is known what was written, the one that leaves still counts. */
	ck_assert_int_eq(n_done, 0);
	ck_assert(!timer_is_set(&partition->tick));
	answer(0, 2, alone, 1);
	ck_assert_int_eq(n_done, 1);
	ck_assert_int_eq(waiting->error, 0);
	ck_assert_int_eq(partition->core.high_watermark, 2);
	ck_assert_int_eq(n_proposed, 1);
	ck_assert_int_eq(shard.isr_counters.n_shrunk, 1);
	ck_assert_int_eq(shard.isr_counters.n_expanded + shard.isr_counters.n_refused, 0);
	teardown();
}
END_TEST

START_TEST(an_isr_that_falls_below_its_minimum_fails_what_is_parked)
{
	const int32_t alone[] = {1};
	struct partition_append *waiting;

	setup_isr();
	configure("min.insync.replicas", "2");
	waiting = append(-1, -1, 2, -1);
	turn_until(&n_proposed, 1);
	answer(0, 2, alone, 1);
	ck_assert_int_eq(n_done, 1);
	ck_assert_int_eq(waiting->error, KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND);
	ck_assert_int_eq(partition->core.high_watermark, 0);
	ck_assert_int_eq(append(-1, -1, 1, -1)->error, KAFKA_NOT_ENOUGH_REPLICAS);
	ck_assert_int_eq(append(-1, -1, 1, 1)->error, 0);
	teardown();
}
END_TEST

START_TEST(an_answer_of_a_busy_controller_is_asked_again_after_a_while)
{
	int64_t number;

	setup_isr();
	append(-1, -1, 1, 1);
	turn_until(&n_proposed, 1);
	number = proposed.number;
	answer(KAFKA_NOT_CONTROLLER, 0, NULL, 0);
	ck_assert(timer_is_set(&partition->tick));
	turn_until(&n_proposed, 2);
	ck_assert_int_eq(proposed.number, number);
	/* An answer to another question changes nothing. */
	proposed.number = number - 1;
	answer(0, 2, (const int32_t[]){1}, 1);
	ck_assert_int_eq(partition->core.n_isr, 2);
	ck_assert_int_eq(shard.isr_counters.n_refused, 1);
	ck_assert_int_eq(shard.isr_counters.n_shrunk + shard.isr_counters.n_expanded, 0);
	/* One that brings another member in is counted as such. */
	proposed.number = number;
	answer(0, 2, (const int32_t[]){1, 2, 3}, 3);
	ck_assert_int_eq(shard.isr_counters.n_expanded, 1);
	teardown();
}
END_TEST

START_TEST(without_a_way_to_the_controller_it_is_asked_again_later)
{
	setup_isr();
	shard.isr = NULL;
	append(-1, -1, 1, 1);
	while (partition->core.proposal_number == 0)
		loop_turn(&shard.worker.loop, 1000);
	ck_assert_int_eq(partition->core.proposal_stage, REPLICA_PROPOSAL_UNKNOWN);
	shard.isr = &port;
	turn_until(&n_proposed, 1);
	teardown();
}
END_TEST

/* Broker 2 follows from this end on. */
static void follow_with_two(int64_t log_end)
{
	struct replica_follow follow = {.id = 2,
					.broker_epoch = 7,
					.leader_epoch = 1,
					.last_epoch = log_end ? 1 : -1,
					.log_end_offset = log_end,
					.durable_end_offset = log_end};
	struct replica_now now = {clock_ms(), shard.lease ? lease_deadline_ms(shard.lease) : INT64_MAX};
	struct replica_judgement judgement;
	struct replica_actions actions;

	replica_leader_list(&partition->core, &now, 2, 7, &actions);
	replica_leader_follow(&partition->core, &now, &follow, log_end_for_epoch(partition->log, follow.last_epoch), 1, &judgement,
			      &actions);
	ck_assert_int_eq(judgement.verdict, REPLICA_OPEN);
}

START_TEST(nothing_wakes_a_partition_that_waits_for_nothing)
{
	setup_isr();
	follow_with_two(0);
	/* What was set while broker 2 had not said where it is fires once, and is not set again. */
	while (timer_is_set(&partition->tick))
		loop_turn(&shard.worker.loop, 1000);
	ck_assert_int_eq(n_proposed, 0);
	become(2, 2);
	ck_assert(!timer_is_set(&partition->tick));
	teardown();
}
END_TEST

START_TEST(without_a_lease_a_leader_serves_only_while_it_hears_its_isr)
{
	struct lease lease;
	struct partition_append *waiting;

	setup_isr();
	lease_init(&lease);
	shard.lease = &lease;
	ck_assert_int_eq(append(-1, -1, 1, 1)->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	lease_extend(&lease, clock_ms(), 600000);
	waiting = append(-1, -1, 1, -1);
	ck_assert_int_eq(n_done, 1);
	/* The lease ends, the ISR becomes this broker alone: it hears all of it. */
	lease_end(&lease);
	become(1, 2);
	ck_assert_int_eq(n_done, 2);
	ck_assert_int_eq(waiting->error, 0);
	teardown();
}
END_TEST

START_TEST(a_lease_that_comes_back_ends_what_has_waited_for_it)
{
	struct partition_append *waiting;
	struct lease lease;

	setup_isr();
	lease_init(&lease);
	shard.lease = &lease;
	lease_extend(&lease, clock_ms(), 600000);
	waiting = append(-1, -1, 1, -1);
	lease_end(&lease);
	/* Nobody is heard within a time-out like this one. */
	shard_set_session(&shard, -1);
	follow_with_two(1);
	ck_assert_int_eq(n_done, 0);
	ck_assert(timer_is_set(&partition->tick));
	lease_extend(&lease, clock_ms(), 600000);
	turn_until(&n_done, 1);
	ck_assert_int_eq(waiting->error, 0);
	teardown();
}
END_TEST

START_TEST(after_a_gap_the_lease_counts_when_a_controller_has_told_the_states_again)
{
	struct lease lease;

	setup_isr();
	lease_init(&lease);
	shard.lease = &lease;
	shard_set_session(&shard, -1);
	lease_extend(&lease, clock_ms() - 1000000, 10);
	ck_assert_int_eq(append(-1, -1, 1, 1)->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert(lease_extend(&lease, clock_ms(), 600000));
	ck_assert_int_eq(append(-1, -1, 1, 1)->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(read_at(0).error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	shard.n_gaps = lease_n_gaps(&lease);
	ck_assert_int_eq(append(-1, -1, 1, 1)->error, 0);
	teardown();
}
END_TEST

START_TEST(the_lease_of_the_next_session_is_none_of_the_leaderships_of_the_last)
{
	struct lease lease;

	setup_isr();
	lease_init(&lease);
	shard.lease = &lease;
	lease_extend(&lease, clock_ms(), 600000);
	ck_assert_int_eq(append(-1, -1, 1, 1)->error, 0);
	/* A session is lost and another one begun before this shard has heard of it. */
	lease_lose(&lease);
	lease_extend(&lease, clock_ms(), 600000);
	ck_assert_int_eq(append(-1, -1, 1, 1)->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(read_at(0).error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	shard.n_sessions_lost = lease_n_lost(&lease);
	shard_resign_all(&shard);
	lead_with_two(2, 2);
	ck_assert_int_eq(append(-1, -1, 1, 1)->error, 0);
	teardown();
}
END_TEST

START_TEST(the_sessions_time_out_is_told_to_every_partition)
{
	setup_isr();
	shard_set_session(&shard, 12345);
	ck_assert_int_eq(partition->core.rules.session_ms, 12345);
	configure(NULL, NULL);
	ck_assert_int_eq(partition->core.rules.session_ms, 12345);
	teardown();
}
END_TEST

UNIT_MAIN("broker/replica/partition_isr", a_follower_that_lags_is_proposed_to_leave_and_the_committed_isr_ends_the_wait,
	  an_isr_that_falls_below_its_minimum_fails_what_is_parked, an_answer_of_a_busy_controller_is_asked_again_after_a_while,
	  without_a_way_to_the_controller_it_is_asked_again_later, nothing_wakes_a_partition_that_waits_for_nothing,
	  without_a_lease_a_leader_serves_only_while_it_hears_its_isr, a_lease_that_comes_back_ends_what_has_waited_for_it,
	  after_a_gap_the_lease_counts_when_a_controller_has_told_the_states_again,
	  the_lease_of_the_next_session_is_none_of_the_leaderships_of_the_last, the_sessions_time_out_is_told_to_every_partition)
