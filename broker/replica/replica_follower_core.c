/* Following a leader; see replica_follower_core.h. */
#include "broker/replica/replica_follower_core.h"

static int64_t min_i64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

bool replica_follower_ask(struct replica_core *core, int64_t broker_epoch, int32_t last_epoch, struct replica_follow *ret_follow)
{
	if (core->role != REPLICA_FOLLOWER || core->leader < 0 || core->follow_stage == REPLICA_FOLLOW_STUCK)
		return false;
	core->follow_stage = REPLICA_FOLLOW_ASKED;
	core->follow_handle = REPLICA_HANDLE_NONE;
	*ret_follow = (struct replica_follow){
		.id = core->broker,
		.broker_epoch = broker_epoch,
		.leader_epoch = core->leader_epoch,
		.last_epoch = last_epoch,
		.log_end_offset = core->log_end_offset,
		.durable_end_offset = core->durable_end_offset,
		.log_start_offset = core->log_start_offset,
	};
	return true;
}

static bool has_asked(const struct replica_core *core, int32_t leader_epoch)
{
	return core->role == REPLICA_FOLLOWER && core->follow_stage == REPLICA_FOLLOW_ASKED && core->leader_epoch == leader_epoch;
}

static bool is_open(const struct replica_core *core, int64_t handle)
{
	return core->role == REPLICA_FOLLOWER && core->follow_stage == REPLICA_FOLLOW_OPEN && core->follow_handle == handle;
}

static bool take_high_watermark(struct replica_core *core, int64_t high_watermark)
{
	int64_t end = min_i64(high_watermark, core->log_end_offset);

	if (end <= core->high_watermark)
		return false;
	core->high_watermark = end;
	return true;
}

enum replica_follow_result replica_follower_opened(struct replica_core *core, int32_t leader_epoch, int64_t handle,
						   int64_t epoch_start_offset)
{
	if (!has_asked(core, leader_epoch))
		return REPLICA_FOLLOW_DROPPED;
	if (handle == REPLICA_HANDLE_NONE)
		return REPLICA_FOLLOW_INVALID;
	core->follow_stage = REPLICA_FOLLOW_OPEN;
	core->follow_handle = handle;
	core->epoch_start_offset = epoch_start_offset;
	return REPLICA_FOLLOW_TAKEN;
}

static bool may_lose_committed(const struct replica_core *core)
{
	return core->recovering || core->rules.unclean_allowed;
}

enum replica_cut replica_follower_diverged(struct replica_core *core, int32_t leader_epoch, struct log_epoch_end divergence,
					   struct log_epoch_end own_end, int64_t *ret_offset)
{
	int64_t offset = divergence.end_offset;

	if (!has_asked(core, leader_epoch))
		return REPLICA_CUT_DROPPED;
	/* Where the leader's epoch is not one of ours, own_end is the end of an older one, and the next question tells more (KIP-279). */
	if (own_end.end_offset >= 0)
		offset = min_i64(offset, own_end.end_offset);
	if (offset < 0 || offset >= core->log_end_offset)
		return REPLICA_CUT_INVALID;
	if (offset < core->high_watermark && !may_lose_committed(core)) {
		core->follow_stage = REPLICA_FOLLOW_STUCK;
		return REPLICA_CUT_STUCK;
	}
	*ret_offset = offset;
	return offset <= core->log_start_offset ? REPLICA_CUT_ALL : REPLICA_CUT_TO;
}

enum replica_cut replica_follower_reset(struct replica_core *core, int32_t leader_epoch, int64_t log_start_offset, int64_t *ret_offset)
{
	if (!has_asked(core, leader_epoch))
		return REPLICA_CUT_DROPPED;
	if (log_start_offset <= core->log_end_offset)
		return REPLICA_CUT_INVALID;
	*ret_offset = log_start_offset;
	return REPLICA_CUT_ALL;
}

enum replica_follow_result replica_follower_may_append(const struct replica_core *core, int64_t handle, const struct replica_batches *batches,
						       int32_t last_epoch)
{
	if (!is_open(core, handle))
		return REPLICA_FOLLOW_DROPPED;
	if (batches->from != core->log_end_offset || batches->base_offset < batches->from || batches->end_offset <= batches->base_offset)
		return REPLICA_FOLLOW_INVALID;
	if (batches->first_epoch < last_epoch || batches->last_epoch < batches->first_epoch || batches->last_epoch > core->leader_epoch)
		return REPLICA_FOLLOW_INVALID;
	return REPLICA_FOLLOW_TAKEN;
}

enum replica_follow_result replica_follower_advance(struct replica_core *core, int64_t handle, const struct replica_leader_marks *marks,
						    int64_t *ret_log_start, struct replica_actions *ret_actions)
{
	*ret_actions = (struct replica_actions){0};
	*ret_log_start = core->log_start_offset;
	if (!is_open(core, handle))
		return REPLICA_FOLLOW_DROPPED;
	if (marks->log_start_offset > core->log_end_offset)
		return REPLICA_FOLLOW_INVALID;
	if (marks->log_start_offset > core->log_start_offset)
		*ret_log_start = marks->log_start_offset;
	core->leader_high_watermark = marks->high_watermark;
	ret_actions->high_watermark_moved = take_high_watermark(core, marks->high_watermark);
	return REPLICA_FOLLOW_TAKEN;
}

bool replica_follower_closed(struct replica_core *core, int64_t handle)
{
	if (core->role != REPLICA_FOLLOWER || core->follow_stage == REPLICA_FOLLOW_STUCK)
		return false;
	if (handle != REPLICA_HANDLE_NONE && core->follow_handle != handle)
		return false;
	core->follow_stage = REPLICA_FOLLOW_NONE;
	core->follow_handle = REPLICA_HANDLE_NONE;
	return core->leader >= 0;
}
