/* One core under test with three replicas (1 is ourselves), and one line for each thing that may happen to it. */
#ifndef KLAMM_TEST_UNIT_BROKER_REPLICA_CORE_FIXTURE_H
#define KLAMM_TEST_UNIT_BROKER_REPLICA_CORE_FIXTURE_H

#include "test/lib/unit.h"

#include "broker/replica/replica_core.h"
#include "broker/replica/replica_follower_core.h"
#include "broker/replica/replica_isr_core.h"
#include "broker/replica/replica_leader_core.h"
#include "proto/kafka_error.h"

#define LAG_MS 32000
#define SESSION_MS 6000

static struct replica_core core;
static struct replica_member members[8];
static struct replica_now now;
static struct replica_actions actions;
static struct replica_judgement judgement;

/* Replica 1 with a log [10, 20), durable to 20, committed to 12; broker epochs of the others are 100 * id. */
static void setup(int32_t min_isr, bool durable_counts)
{
	struct replica_rules rules = {
		.durable_counts = durable_counts, .min_isr = min_isr, .lag_ms_max = LAG_MS, .session_ms = SESSION_MS};

	now = (struct replica_now){1000000, INT64_MAX};
	replica_core_init(&core, 1, 10, 20, 20, 12);
	replica_core_give_room(&core, members, 8);
	replica_core_configure(&core, &now, &rules, &actions);
}

static __attribute__((unused)) enum replica_change become_with(int32_t leader, int32_t leader_epoch, int32_t partition_epoch,
							       const int32_t *isr, int32_t n_isr)
{
	static const int32_t replicas[] = {1, 2, 3};
	struct replica_state state = {
		.leader = leader,
		.leader_epoch = leader_epoch,
		.partition_epoch = partition_epoch,
		.replicas = replicas,
		.n_replicas = 3,
		.isr = isr,
		.n_isr = n_isr,
	};

	return replica_core_become(&core, &now, &state, &actions);
}

static __attribute__((unused)) void list(int32_t id, int64_t broker_epoch)
{
	replica_leader_list(&core, &now, id, broker_epoch, &actions);
}

#define BECOME(leader, leader_epoch, partition_epoch, ...)                                                   \
	become_with(leader, leader_epoch, partition_epoch, (const int32_t[]){__VA_ARGS__},                   \
		    (int32_t)(sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t)))

/* Leads in epoch 5 with this ISR; the others are alive. */
#define LEAD(...)                                                                  \
	do {                                                                       \
		ck_assert_int_eq(BECOME(1, 5, 50, __VA_ARGS__), REPLICA_NEW_EPOCH); \
		list(1, 100);                                                      \
		list(2, 200);                                                      \
		list(3, 300);                                                      \
	} while (0)

/* A Follow of epoch 5 whose last batch is of epoch 4, which ends here at 20; the handle is 1000 + id. */
static __attribute__((unused)) enum replica_verdict follow(int32_t id, int64_t end, int64_t durable_end)
{
	struct replica_follow asked = {
		.id = id,
		.broker_epoch = 100 * id,
		.leader_epoch = 5,
		.last_epoch = 4,
		.log_end_offset = end,
		.durable_end_offset = durable_end,
		.log_start_offset = 10,
	};

	replica_leader_follow(&core, &now, &asked, (struct log_epoch_end){4, 20}, 1000 + id, &judgement, &actions);
	return judgement.verdict;
}

static __attribute__((unused)) enum replica_ack_result ack(int32_t id, int64_t end, int64_t durable_end)
{
	struct replica_ack told = {.id = id, .handle = 1000 + id, .log_end_offset = end, .durable_end_offset = durable_end, .log_start_offset = 10};

	return replica_leader_ack(&core, &now, &told, &actions);
}

static __attribute__((unused)) void log_moved(int64_t end, int64_t durable_end)
{
	replica_core_log_moved(&core, &now, core.log_start_offset, end, durable_end, &actions);
}

static __attribute__((unused)) void tick_after(int64_t ms)
{
	now.ms += ms;
	replica_core_tick(&core, &now, &actions);
}

/* The ids of the proposal as one number, 123 for {1, 2, 3}. */
static __attribute__((unused)) int proposed(void)
{
	struct replica_proposal proposal;
	int ids = 0;

	replica_isr_proposal(&core, &proposal);
	for (int32_t i = 0; i < proposal.n_isr; i++)
		ids = ids * 10 + proposal.isr[i].id;
	return ids;
}

static __attribute__((unused)) bool answer_with(int16_t error, int32_t partition_epoch, const int32_t *isr, int32_t n_isr)
{
	struct replica_isr_answer answer = {
		.number = core.proposal_number,
		.error = error,
		.leader_epoch = core.leader_epoch,
		.partition_epoch = partition_epoch,
		.isr = isr,
		.n_isr = n_isr,
	};

	return replica_isr_answered(&core, &now, &answer, &actions);
}

#define ANSWER(error, partition_epoch, ...)                                       \
	answer_with(error, partition_epoch, (const int32_t[]){__VA_ARGS__},       \
		    (int32_t)(sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t)))

#endif
