/*
 * A partition that follows a leader: what its link brings goes through replica_follower_core into the log.
 *
 *     core says "follow"  -> links_follow -> partition_follow_ask: own log end, and the epoch of its last batch
 *     answered  OPEN      -> handle, marks
 *               DIVERGED  -> where do both agree? -> cut, ask again         (KIP-101, 279, 320; nothing committed is cut: S10)
 *               RESET     -> start anew at the leader's log start, ask again
 *               REFUSED   -> ask again after a pause
 *     append    every batch checked (D5: length, format, checksum, offsets, epochs) -> may_append -> one log_append of all -> marks -> ack
 *     moved     log end, log start, in fsync-isr the durable end -> ack
 *
 * Nothing is appended that is not right as a whole: what a leader sends is checked like what a client sends. A partition in trouble (frames that
 * cannot be right, a disk that is full) closes its own handle and asks again after a pause; the others on its connection do not feel it.
 */
#include "broker/replica/partition_internal.h"

#include "broker/log/log_dir.h"
#include "broker/replica/links.h"
#include "broker/replica/replica_follower_core.h"
#include "broker/replica/shard.h"
#include "common/clock.h"
#include "common/mutant.h"
#include "common/trace.h"
#include "proto/kafka_error.h"
#include "proto/record/batch.h"

#include <inttypes.h>

#define AREA "follow"

static struct links_counters *counters_of(const struct partition *partition)
{
	return links_counters(partition->shard->links);
}

int32_t partition_last_epoch(const struct partition *partition)
{
	return log_epoch_at(partition->log, log_end_offset(partition->log) - 1);
}

/* ---- beginning and end ---- */

void partition_follow_begin(struct partition *partition)
{
	if (MUTANT(TRUNCATE_TO_HIGH_WATERMARK) && partition->core.high_watermark < log_end_offset(partition->log)) {
		log_truncate_to(partition->log, partition->core.high_watermark);
		partition_log_moved(partition);
	}
	links_follow(partition->shard->links, partition);
}

void partition_follow_end(struct partition *partition)
{
	links_leave(partition->shard->links, partition);
}

bool partition_follow_ask(struct partition *partition, struct replica_follow *ret_follow)
{
	if (!replica_follower_ask(&partition->core, partition->shard->broker_epoch, partition_last_epoch(partition), ret_follow))
		return false;
	ret_follow->log_start_offset = partition_told_start(partition);
	return true;
}

void partition_follow_lost(struct partition *partition)
{
	replica_follower_closed(&partition->core, REPLICA_HANDLE_NONE);
}

/* ---- trouble ---- */

/* More than the operator grants, of a replica that is behind: nothing more is wanted for a while. The next question tells what has come. */
static void pay(struct partition *partition, int64_t bytes)
{
	int64_t pause_ms = links_throttle(partition->shard->links, bytes);

	if (pause_ms == 0)
		return;
	link_close_handle(&partition->follow, KAFKA_THROTTLING_QUOTA_EXCEEDED);
	if (replica_follower_closed(&partition->core, REPLICA_HANDLE_NONE))
		link_ask_after(&partition->follow, pause_ms);
}

/* What is open is closed from here; after a pause it is asked again. */
static void give_up(struct partition *partition, int16_t error)
{
	link_close_handle(&partition->follow, error);
	if (replica_follower_closed(&partition->core, REPLICA_HANDLE_NONE))
		link_ask_later(&partition->follow);
}

static void refuse(struct partition *partition, const char *why)
{
	counters_of(partition)->n_invalid++;
	trace_limited(TRACE_ERROR, AREA, "%.*s-%d: leader %d in epoch %d sent what cannot be right (%s): nothing of it is taken, asked again",
		      SLICE_ARGS(partition->topic), partition->key.index, partition->core.leader, partition->core.leader_epoch, why);
	give_up(partition, KAFKA_CORRUPT_MESSAGE);
}

/* The own log did not take it. A full disk passes (D10); a failed one fails the partition. */
static void unstored(struct partition *partition, int error, const char *what)
{
	counters_of(partition)->n_unstored++;
	partition_log_failed(partition, error, what);
	if (partition->state != PARTITION_FAILED)
		give_up(partition, KAFKA_STORAGE_ERROR);
}

/* ---- where the log starts ---- */

int64_t partition_told_start(const struct partition *partition)
{
	int64_t start_offset = partition->core.log_start_offset;

	return start_offset < partition->kept_start_offset ? start_offset : partition->kept_start_offset;
}

static void keep_run(struct disk_job *job)
{
	struct log_dir *dir = log_dir_of(CONTAINER_OF(job, struct partition, keep)->log);
	int r = log_dir_keep_starts(dir);

	/* On a full disk it is done by the next checkpoint: deleting is how room is made. */
	if (r && !log_dir_failed(dir))
		trace_limited(TRACE_WARN, AREA, "where logs start cannot be written down yet: %s", error_text(r));
}

static void keep_done(struct disk_job *job)
{
	struct partition *partition = CONTAINER_OF(job, struct partition, keep);

	partition->keeping = false;
	if (partition->closing) {
		partition_closed(partition);
		return;
	}
	partition->kept_start_offset = partition->keep_start_offset;
	if (partition->state != PARTITION_FAILED)
		partition_follow_moved(partition);
}

/* What the leader is told is deleted stays deleted, also after a crash here: it may answer who asked for it (DeleteRecords). */
static void keep_start(struct partition *partition)
{
	if (partition->keeping || partition->kept_start_offset >= partition->core.log_start_offset)
		return;
	partition->keeping = true;
	partition->keep_start_offset = partition->core.log_start_offset;
	partition->keep = (struct disk_job){.run = keep_run, .done = keep_done, .reply_to = &partition->shard->worker};
	disk_post(partition->disk, &partition->keep);
}

/* ---- marks ---- */

void partition_follow_moved(struct partition *partition)
{
	const struct replica_core *core = &partition->core;
	const struct link_member *told = &partition->follow;

	if (!told->is_open)
		return;
	keep_start(partition);
	if (core->log_end_offset != told->told_end_offset || partition_told_start(partition) != told->told_start_offset ||
	    (core->rules.durable_counts && core->durable_end_offset != told->told_durable_offset))
		link_ack(&partition->follow);
}

static void take_marks(struct partition *partition, const struct replica_leader_marks *marks)
{
	struct replica_now now = partition_now(partition);
	struct replica_actions actions;
	int64_t log_start;
	int r;

	switch (replica_follower_advance(&partition->core, partition->follow.handle, marks, &log_start, &actions)) {
	case REPLICA_FOLLOW_DROPPED:
		return;
	case REPLICA_FOLLOW_INVALID:
		/* Its log begins above our end: the next question is answered by Reset. */
		give_up(partition, 0);
		return;
	case REPLICA_FOLLOW_TAKEN:
		break;
	}
	partition_carry_out(partition, &now, &actions);
	if (log_start <= log_start_offset(partition->log))
		return;
	r = log_advance_start(partition->log, log_start);
	partition_log_moved(partition);
	if (r)
		unstored(partition, r, "moving the log start");
}

void partition_follow_advance(struct partition *partition, const struct replica_leader_marks *marks)
{
	take_marks(partition, marks);
}

/* ---- answers to Follow ---- */

static void take_open(struct partition *partition, const Klamm__FollowAnswer *answer)
{
	struct replica_leader_marks marks = {answer->high_watermark, answer->log_start};

	switch (replica_follower_opened(&partition->core, answer->leader_epoch, answer->handle, answer->epoch_start)) {
	case REPLICA_FOLLOW_DROPPED:
		return;
	case REPLICA_FOLLOW_INVALID:
		refuse(partition, "a handle");
		return;
	case REPLICA_FOLLOW_TAKEN:
		break;
	}
	if (!link_open_handle(&partition->follow, answer->handle)) {
		refuse(partition, "a handle of another partition");
		return;
	}
	/* The log may have moved since the question. */
	partition_follow_moved(partition);
	take_marks(partition, &marks);
}

static void be_stuck(struct partition *partition, const struct link_cut *cut)
{
	counters_of(partition)->n_stuck++;
	trace_error(AREA,
		    "%.*s-%d: leader %d in epoch %d has only %" PRId64 " of what is committed here up to %" PRId64
		    ": nothing is cut, and this replica waits for another leader epoch",
		    SLICE_ARGS(partition->topic), partition->key.index, partition->core.leader, partition->core.leader_epoch,
		    cut->diverged_end_offset, partition->core.high_watermark);
}

static void cut_log(struct partition *partition, enum replica_cut cut, int64_t offset)
{
	int r = cut == REPLICA_CUT_TO ? log_truncate_to(partition->log, offset) : log_truncate_fully(partition->log, offset);

	counters_of(partition)->n_truncated++;
	/* A log that begins anew says by the name of its file where. */
	if (r == 0 && cut == REPLICA_CUT_ALL)
		partition->kept_start_offset = log_start_offset(partition->log);
	partition_log_moved(partition);
	if (r)
		unstored(partition, r, "truncating");
	else
		link_ask(&partition->follow);
	/* What could not be cut is no longer known to be durable. */
	if (partition->state != PARTITION_FAILED)
		partition_flush_if_due(partition, clock_wall_ms());
}

/* Asked of the core: what an answer means for the log. */
static enum replica_cut judge_cut(struct partition *partition, const struct link_cut *cut, int64_t *ret_offset)
{
	struct log_epoch_end divergence = {cut->diverged_epoch, cut->diverged_end_offset};

	if (cut->anew)
		return replica_follower_reset(&partition->core, cut->leader_epoch, cut->leader_start_offset, ret_offset);
	return replica_follower_diverged(&partition->core, cut->leader_epoch, divergence,
					 log_end_for_epoch(partition->log, divergence.epoch), ret_offset);
}

void partition_follow_cut(struct partition *partition, const struct link_cut *cut)
{
	int64_t offset = 0;
	enum replica_cut how = judge_cut(partition, cut, &offset);

	switch (how) {
	case REPLICA_CUT_DROPPED:
		return;
	case REPLICA_CUT_INVALID:
		refuse(partition, "where to cut");
		return;
	case REPLICA_CUT_STUCK:
		be_stuck(partition, cut);
		return;
	case REPLICA_CUT_TO:
	case REPLICA_CUT_ALL:
		cut_log(partition, how, offset);
		return;
	}
}

static void put_off_cut(struct partition *partition, const Klamm__FollowAnswer *answer)
{
	const struct replica_core *core = &partition->core;
	struct link_cut cut = {
		.anew = answer->verdict == KLAMM__FOLLOW_ANSWER__VERDICT__RESET,
		.leader_epoch = answer->leader_epoch,
		.diverged_epoch = answer->diverged_epoch,
		.diverged_end_offset = answer->diverged_end,
		.leader_start_offset = answer->log_start,
	};

	/* An answer to no question takes no handle away. */
	if (core->follow_stage == REPLICA_FOLLOW_ASKED && core->leader_epoch == answer->leader_epoch)
		link_cut_soon(&partition->follow, &cut);
}

static void take_refusal(struct partition *partition, const Klamm__FollowAnswer *answer)
{
	const struct replica_core *core = &partition->core;

	if (core->role != REPLICA_FOLLOWER || core->leader_epoch != answer->leader_epoch || core->follow_stage != REPLICA_FOLLOW_ASKED)
		return;
	counters_of(partition)->n_refused++;
	trace_debug(AREA, "%.*s-%d: leader %d in epoch %d refuses: %s", SLICE_ARGS(partition->topic), partition->key.index, core->leader,
		    core->leader_epoch, kafka_error_name(answer->error));
	give_up(partition, 0);
}

void partition_follow_answered(struct partition *partition, const Klamm__FollowAnswer *answer)
{
	switch (answer->verdict) {
	case KLAMM__FOLLOW_ANSWER__VERDICT__OPEN:
		take_open(partition, answer);
		return;
	case KLAMM__FOLLOW_ANSWER__VERDICT__DIVERGED:
	case KLAMM__FOLLOW_ANSWER__VERDICT__RESET:
		put_off_cut(partition, answer);
		return;
	case KLAMM__FOLLOW_ANSWER__VERDICT__REFUSED:
		take_refusal(partition, answer);
		return;
	default:
		refuse(partition, "an unknown verdict");
	}
}

void partition_follow_closed(struct partition *partition, int32_t error)
{
	trace_debug(AREA, "%.*s-%d: leader %d closes its handle: %s", SLICE_ARGS(partition->topic), partition->key.index,
		    partition->core.leader, kafka_error_name(error));
	link_forget_handle(&partition->follow);
	if (replica_follower_closed(&partition->core, REPLICA_HANDLE_NONE))
		link_ask_later(&partition->follow);
}

/* ---- batches ---- */

/* Why a batch cannot be right behind the offset and epoch of the one before; NULL when it is. */
static const char *judge_batch(struct slice batch, const struct batch_header *header, int64_t next_offset, int32_t epoch)
{
	if (header->base_offset < next_offset)
		return "a base offset below the end";
	if (header->last_offset_delta < 0 || header->base_offset > INT64_MAX - 1 - header->last_offset_delta || header->n_records < 0)
		return "offsets of a batch";
	if (header->leader_epoch < epoch)
		return "a leader epoch that falls";
	return batch_crc_ok(batch) ? NULL : "a checksum";
}

/* The same for all batches; *ret_batches tells what they are together. */
static const char *judge_batches(struct slice bytes, struct replica_batches *ret_batches)
{
	struct replica_batches found = {.from = ret_batches->from, .end_offset = ret_batches->from, .last_epoch = REPLICA_EPOCH_NONE};
	struct slice rest = bytes, batch;
	struct batch_header header;
	const char *wrong;
	int r;

	while ((r = batch_next(&rest, &batch, &header)) == 1) {
		wrong = judge_batch(batch, &header, found.end_offset, found.last_epoch);
		if (wrong)
			return wrong;
		if (batch.data == bytes.data) {
			found.base_offset = header.base_offset;
			found.first_epoch = header.leader_epoch;
		}
		found.end_offset = batch_next_offset(&header);
		found.last_epoch = header.leader_epoch;
	}
	if (r < 0)
		return r == ERR_TRUNCATED ? "a part of a batch" : "bytes that are no batch";
	if (bytes.len == 0)
		return "no batch";
	*ret_batches = found;
	return NULL;
}

/*
 * A log that begins anew begins where the leader's does, and records may be deleted up to an offset inside of a batch. Such a batch is taken whole,
 * as the leader has it: into a file that is named after its base offset, and the log starts inside of it. False for all other batches.
 */
static bool begins_inside(const struct partition *partition, struct slice batches, int64_t *ret_base_offset)
{
	int64_t start_offset = log_start_offset(partition->log);
	struct batch_header header;
	struct slice first;

	if (start_offset != log_end_offset(partition->log) || batch_next(&batches, &first, &header) != 1)
		return false;
	if (header.base_offset < 0 || header.base_offset >= start_offset || header.last_offset_delta < start_offset - header.base_offset)
		return false;
	*ret_base_offset = header.base_offset;
	return true;
}

/* The core hears of it when it is done: its log neither shrinks nor starts earlier. Where the log starts is not on the disk yet. */
static int append_inside(struct partition *partition, int64_t base_offset, struct slice batches, const struct log_append_info *info)
{
	int64_t start_offset = log_start_offset(partition->log);
	int r = log_truncate_fully(partition->log, base_offset), moved;

	if (r)
		return r;
	r = log_append(partition->log, batches.data, batches.len, info);
	/* Of several the first may be there. Should a full disk not even let it go back, the leader has it begin anew. */
	if (log_end_offset(partition->log) <= start_offset) {
		log_truncate_fully(partition->log, start_offset);
		return r;
	}
	partition->kept_start_offset = base_offset;
	moved = log_advance_start(partition->log, start_offset);
	return r ? r : moved;
}

static void store(struct partition *partition, struct slice batches, const struct replica_leader_marks *marks)
{
	struct log_append_info info = {.now_ms = clock_wall_ms(), .tell_observer = !MUTANT(PRODUCERS_NOT_FOLLOWED)};
	int64_t base_offset;
	int r = begins_inside(partition, batches, &base_offset) ? append_inside(partition, base_offset, batches, &info)
								: log_append(partition->log, batches.data, batches.len, &info);

	/* Of several batches the first may have been taken: what is there counts. */
	partition_log_moved(partition);
	if (r) {
		unstored(partition, r, "append");
		return;
	}
	counters_of(partition)->n_frames++;
	counters_of(partition)->bytes_in += (int64_t)batches.len;
	link_went_well(&partition->follow);
	take_marks(partition, marks);
	if (partition->state == PARTITION_FAILED)
		return;
	partition_flush_if_due(partition, info.now_ms);
	if (partition->follow.is_throttled && marks->high_watermark > log_end_offset(partition->log))
		pay(partition, (int64_t)batches.len);
}

void partition_follow_append(struct partition *partition, int64_t from, const struct replica_leader_marks *marks, struct slice batches)
{
	struct replica_batches facts = {.from = from};
	int64_t base_offset;
	bool is_inside = begins_inside(partition, batches, &base_offset);
	const char *wrong;

	if (is_inside)
		facts.from = base_offset;
	wrong = judge_batches(batches, &facts);
	if (wrong) {
		refuse(partition, wrong);
		return;
	}
	/* For the log it is as if the batch began at its start. */
	if (is_inside)
		facts.from = facts.base_offset = from;
	switch (replica_follower_may_append(&partition->core, partition->follow.handle, &facts, partition_last_epoch(partition))) {
	case REPLICA_FOLLOW_DROPPED:
		return;
	case REPLICA_FOLLOW_INVALID:
		refuse(partition, "offsets or epochs that do not follow the log");
		return;
	case REPLICA_FOLLOW_TAKEN:
		store(partition, batches, marks);
		return;
	}
}
