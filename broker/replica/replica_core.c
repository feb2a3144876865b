/* Role and marks of one replica; see replica_core.h. */
#include "broker/replica/replica_core.h"

#include "proto/kafka_error.h"

static int64_t min_i64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t max_i64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void replica_core_init(struct replica_core *core, int32_t broker, int64_t log_start_offset, int64_t log_end_offset,
		       int64_t durable_end_offset, int64_t high_watermark)
{
	*core = (struct replica_core){
		.broker = broker,
		.role = REPLICA_IDLE,
		.state = {REPLICA_LEADER_NONE, REPLICA_EPOCH_NONE, -1, 0, false},
		.min_isr = 1,
		.log_start_offset = log_start_offset,
		.log_end_offset = log_end_offset,
		.durable_end_offset = min_i64(durable_end_offset, log_end_offset),
		.high_watermark = max_i64(log_start_offset, min_i64(high_watermark, log_end_offset)),
		.epoch_start_offset = log_end_offset,
	};
}

/* The end of what every member of the ISR holds, by the marks that count in this topic's durability mode. */
static int64_t commit_end(const struct replica_core *core)
{
	return core->durable_counts ? core->durable_end_offset : core->log_end_offset;
}

static bool advance(struct replica_core *core)
{
	int64_t end = commit_end(core);

	if (core->role != REPLICA_LEADER || core->state.n_isr < core->min_isr || end <= core->high_watermark)
		return false;
	core->high_watermark = end;
	return true;
}

static enum replica_role role_of(const struct replica_core *core, const struct replica_state *state)
{
	if (!state->holds_replica)
		return REPLICA_IDLE;
	return state->leader == core->broker ? REPLICA_LEADER : REPLICA_FOLLOWER;
}

enum replica_change replica_core_become(struct replica_core *core, const struct replica_state *state)
{
	if (state->leader_epoch < core->state.leader_epoch)
		return REPLICA_STALE;
	if (state->leader_epoch == core->state.leader_epoch) {
		if (state->partition_epoch < core->state.partition_epoch)
			return REPLICA_STALE;
		/* A resigned leader takes its own epoch again when the controller confirms it under the present session. */
		if (state->partition_epoch == core->state.partition_epoch && core->role == role_of(core, state))
			return REPLICA_UNCHANGED;
		core->state = *state;
		core->role = role_of(core, state);
		advance(core);
		return REPLICA_UPDATED;
	}
	core->state = *state;
	core->role = role_of(core, state);
	core->epoch_start_offset = core->log_end_offset;
	advance(core);
	return REPLICA_NEW_EPOCH;
}

void replica_core_resign(struct replica_core *core)
{
	core->role = REPLICA_IDLE;
}

bool replica_core_log_moved(struct replica_core *core, int64_t log_start_offset, int64_t log_end_offset, int64_t durable_end_offset)
{
	core->log_start_offset = log_start_offset;
	core->log_end_offset = log_end_offset;
	core->durable_end_offset = min_i64(durable_end_offset, log_end_offset);
	if (core->high_watermark < log_start_offset) {
		core->high_watermark = log_start_offset;
		advance(core);
		return true;
	}
	return advance(core);
}

bool replica_core_configure(struct replica_core *core, bool durable_counts, int32_t min_isr)
{
	core->durable_counts = durable_counts;
	core->min_isr = min_isr;
	return advance(core);
}

int16_t replica_may_append(const struct replica_core *core, int16_t acks)
{
	if (core->role != REPLICA_LEADER)
		return KAFKA_NOT_LEADER_OR_FOLLOWER;
	if (acks == -1 && core->state.n_isr < core->min_isr)
		return KAFKA_NOT_ENOUGH_REPLICAS;
	return 0;
}

int16_t replica_may_read(const struct replica_core *core, int32_t current_epoch)
{
	if (current_epoch != REPLICA_EPOCH_NONE && core->state.leader_epoch != REPLICA_EPOCH_NONE) {
		if (current_epoch < core->state.leader_epoch)
			return KAFKA_FENCED_LEADER_EPOCH;
		if (current_epoch > core->state.leader_epoch)
			return KAFKA_UNKNOWN_LEADER_EPOCH;
	}
	return core->role == REPLICA_LEADER ? 0 : KAFKA_NOT_LEADER_OR_FOLLOWER;
}

bool replica_knows_latest(const struct replica_core *core)
{
	return core->high_watermark >= core->epoch_start_offset;
}
