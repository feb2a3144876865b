/*
 * The life of a produced batch on its partition's worker; see partition.h.
 *
 *     partition_append
 *       replica_may_append      leader? enough in sync? (S2)
 *       batch_validate          magic, checksum, counts, keys, times; repack when compression.type asks for another codec. What would
 *                               hold up the loop is done by the disk thread (partition_check.c)
 *       producer_check          epoch, sequence, a retry of a known batch?
 *       batch_stamp, log_append one write; nothing else touches the bytes
 *       partition_log_moved     the high watermark follows
 *     acks -1 and the high watermark is not past it -> parked (partition_end_parked, partition_append_time_out end it)
 */
#include "broker/replica/partition_internal.h"

#include "broker/replica/partition_lead.h"
#include "broker/replica/shard.h"
#include "common/clock.h"
#include "common/mutant.h"
#include "proto/kafka_error.h"

#include <utlist.h>

/* What the loop unpacks of one batch, and packs anew: a few milliseconds' work. */
#define UNPACK_BYTES_MAX (4 << 20)
#define REPACK_BYTES_MAX (64 << 10)
/* Longer than a producer takes to send a refused batch again, and those behind it. */
#define REFUSAL_ECHO_MS 1000
/*
 * As long as clients wait for an answer by their default: request.timeout.ms of Java's, 30 s. And longer than the answer of a broker that has ceased to
 * lead takes to its client.
 */
#define YOUNG_LEADER_MS 30000
#define ANSWER_ON_ITS_WAY_MS 1000

static void finish(struct partition_append *append)
{
	append->done(append);
}

void partition_append_refuse(struct partition_append *append, int16_t error)
{
	append->error = error;
	append->base_offset = -1;
	append->append_time_ms = -1;
	finish(append);
}

static void tell_verdict(const struct partition *partition, struct partition_append *append, const struct batch_verdict *verdict)
{
	append->message = verdict->reason;
	append->n_record_errors = verdict->n_record_errors;
	memcpy(append->record_errors, verdict->record_errors, sizeof append->record_errors);
	if (verdict->has_log_start)
		append->log_start_offset = log_start_offset(partition->log);
}

static int16_t error_of(enum producer_verdict verdict)
{
	switch (verdict) {
	case PRODUCER_INVALID_EPOCH:
		return KAFKA_INVALID_PRODUCER_EPOCH;
	case PRODUCER_INVALID_TXN:
		return KAFKA_INVALID_TXN_STATE;
	case PRODUCER_OUT_OF_ORDER:
	case PRODUCER_ACCEPT:
	case PRODUCER_DUPLICATE:
		break;
	}
	return 0;
}

/* The batch as the producer rules see it; offsets are those it will have. */
static struct producer_batch producer_facts(const struct batch_verdict *verdict, int64_t base_offset)
{
	return (struct producer_batch){
		.first_sequence = verdict->header.base_sequence,
		.last_sequence = producer_last_sequence(verdict->header.base_sequence, verdict->header.last_offset_delta + 1),
		.first_offset = base_offset,
		.last_offset = base_offset + verdict->header.last_offset_delta,
		.timestamp_ms = verdict->max_timestamp,
	};
}

/*
 * A producer has several batches under way. When one is refused (no leader, too few in sync, a full disk) and the next one comes after the
 * reason is gone, its sequence does not fit, which the producer must not take for a fault: some begin anew then under another epoch, and what
 * they were not yet answered elsewhere is there twice. So such a gap is told as the refusal that made it.
 */
static void note_refusal(struct partition *partition, int16_t error)
{
	partition->refused_error = error;
	partition->refused_until_ms = clock_ms() + REFUSAL_ECHO_MS;
}

void partition_append_turn_away(struct partition *partition, struct partition_append *append, int16_t error)
{
	note_refusal(partition, error);
	partition_append_refuse(append, error);
}

/* Every other replica follows in this leader epoch. */
static bool follow_all(const struct replica_core *core)
{
	for (int32_t i = 0; i < core->n_members; i++)
		if (core->members[i].id != core->broker && core->members[i].handle == REPLICA_HANDLE_NONE)
			return false;
	return true;
}

/*
 * The leader before may be alive, and a producer wait for its answer to the batches that are missed here. Kafka says OUT_OF_ORDER_SEQUENCE_NUMBER all
 * the same, and its clients begin anew under another epoch, which breaks T1 for what they were not yet answered in other partitions. So a gap is no
 * verdict as long as a client may wait; but not longer: a leader before that has asked to follow has refused all that waited with it, and
 * where records are really lost (an unclean election, acks=1) the producer has to be told.
 */
static bool leads_newly(const struct partition *partition, int64_t now_ms)
{
	const struct replica_core *core = &partition->core;

	if (core->leader_epoch == 0 || core->n_replicas == 1 || now_ms - partition->led_since_ms >= YOUNG_LEADER_MS)
		return false;
	return now_ms - partition->followed_ms < ANSWER_ON_ITS_WAY_MS || !follow_all(core);
}

/*
 * All others of the ISR were heard just now. One of them is who leads by now if anybody else does, and it would have ended its following. The
 * lease alone does not tell: a ZooKeeper server that is cut off together with this broker answers for a while longer than the session lasts.
 */
static bool hears_isr(const struct partition *partition, int64_t now_ms)
{
	const struct replica_core *core = &partition->core;

	partition_hear(partition);
	for (int32_t i = 0; i < core->n_members; i++) {
		const struct replica_member *member = &core->members[i];

		if (!member->in_isr || member->id == core->broker)
			continue;
		if (member->handle == REPLICA_HANDLE_NONE || now_ms - member->heard_ms > core->rules.session_ms * 2 / 3)
			return false;
	}
	return true;
}

static int16_t gap_error(const struct partition *partition)
{
	struct replica_now now = partition_now(partition);

	/* Another may lead by now, and have the batches that are missed here: the producer has to ask who. */
	if (now.ms >= now.lease_end_ms || leads_newly(partition, now.ms) || !hears_isr(partition, now.ms))
		return KAFKA_NOT_LEADER_OR_FOLLOWER;
	return now.ms < partition->refused_until_ms ? partition->refused_error : KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

/* Ends the append now, or parks it until the high watermark is past its last record. */
static void settle(struct partition *partition, struct partition_append *append, int64_t required_offset)
{
	append->error = 0;
	if (append->acks != -1 || partition->core.high_watermark >= required_offset || MUTANT(ACK_BEFORE_COMMIT)) {
		finish(append);
		return;
	}
	if (append->expired) {
		append->error = KAFKA_REQUEST_TIMED_OUT;
		finish(append);
		return;
	}
	append->partition = partition;
	append->required_offset = required_offset;
	DL_APPEND(partition->parked, append);
}

/* A retry of a batch that is in the log: the answer it had, or would have had (5.6). */
static void answer_duplicate(struct partition *partition, struct partition_append *append, const struct producer_batch *known)
{
	append->base_offset = known->first_offset;
	append->append_time_ms = known->timestamp_ms;
	append->log_start_offset = log_start_offset(partition->log);
	settle(partition, append, known->last_offset + 1);
}

static int write_batch(struct partition *partition, uint8_t *batch, size_t size, int64_t now_ms)
{
	struct log_append_info info = {.now_ms = now_ms};

	batch_stamp(batch, log_end_offset(partition->log), partition->core.leader_epoch);
	return log_append(partition->log, batch, size, &info);
}

static void store(struct partition *partition, struct partition_append *append, const struct batch_verdict *verdict, uint8_t *batch,
		  int64_t now_ms)
{
	int64_t base_offset = log_end_offset(partition->log);
	struct producer_batch facts = producer_facts(verdict, base_offset);
	int r = write_batch(partition, batch, verdict->size, now_ms);

	if (r) {
		append->log_start_offset = -1;
		note_refusal(partition, KAFKA_STORAGE_ERROR);
		partition_append_refuse(append, partition_log_failed(partition, r, "append"));
		return;
	}
	if (batch_has_producer(&verdict->header))
		producer_table_apply(partition->producers, verdict->header.producer_id, verdict->header.producer_epoch, &facts,
				     verdict->transactional);
	append->base_offset = base_offset;
	append->append_time_ms = partition->rules.append_time ? now_ms : -1;
	append->log_start_offset = log_start_offset(partition->log);
	partition_log_moved(partition);
	partition_flush_if_due(partition, now_ms);
	settle(partition, append, facts.last_offset + 1);
}

/* True when the batch may be stored; else the append has ended. */
static bool pass_producer(struct partition *partition, struct partition_append *append, const struct batch_verdict *verdict)
{
	const struct producer_batch *known = NULL;
	struct producer_batch facts = producer_facts(verdict, 0);
	enum producer_verdict judged;

	if (verdict->transactional) {
		append->message = "transactions are not served yet";
		partition_append_refuse(append, KAFKA_UNSUPPORTED_VERSION);
		return false;
	}
	if (!batch_has_producer(&verdict->header))
		return true;
	judged = producer_check(producer_table_find(partition->producers, verdict->header.producer_id), verdict->header.producer_epoch,
				&facts, verdict->transactional, &known);
	if (judged == PRODUCER_ACCEPT || MUTANT(RETRIES_STORED))
		return true;
	if (judged == PRODUCER_DUPLICATE) {
		answer_duplicate(partition, append, known);
		return false;
	}
	append->log_start_offset = log_start_offset(partition->log);
	partition_append_refuse(append, judged == PRODUCER_OUT_OF_ORDER ? gap_error(partition) : error_of(judged));
	return false;
}

static void store_repacked(struct partition *partition, struct partition_append *append, const struct batch_rules *rules,
			   struct batch_verdict *verdict)
{
	struct buf *batch;
	int16_t error = batch_validate_repack(slice_of(append->records, append->records_len), rules, partition->shard->codecs, verdict,
					      &batch);

	if (error) {
		tell_verdict(partition, append, verdict);
		partition_append_refuse(append, error);
		return;
	}
	store(partition, append, verdict, batch->data, rules->now_ms);
	buf_release(batch);
}

void partition_append_checked(struct partition *partition, struct partition_append *append, const struct batch_rules *rules, int16_t error,
			      const struct batch_verdict *verdict, struct buf *repacked)
{
	struct batch_verdict own = *verdict;

	if (error) {
		tell_verdict(partition, append, verdict);
		partition_append_refuse(append, error);
		return;
	}
	if (verdict->empty) {
		append->base_offset = append->append_time_ms = -1;
		append->error = 0;
		finish(append);
		return;
	}
	if (!pass_producer(partition, append, verdict))
		return;
	if (repacked) {
		store(partition, append, verdict, repacked->data, rules->now_ms);
	} else if (verdict->repack) {
		store_repacked(partition, append, rules, &own);
	} else {
		batch_apply(append->records, verdict);
		store(partition, append, verdict, append->records, rules->now_ms);
	}
}

int16_t partition_may_append(const struct partition *partition, const struct partition_append *append)
{
	struct replica_now now = partition_now(partition);

	if (partition->state == PARTITION_FAILED)
		return KAFKA_STORAGE_ERROR;
	if (shard_session_is_over(partition->shard))
		return KAFKA_NOT_LEADER_OR_FOLLOWER;
	return replica_may_append(&partition->core, &now, append->acks);
}

void partition_append_now(struct partition *partition, struct partition_append *append)
{
	struct batch_rules rules = partition->rules;
	struct batch_verdict verdict;
	int16_t error = partition_may_append(partition, append);

	if (error) {
		partition_append_turn_away(partition, append, error);
		return;
	}
	rules.produce_version = append->version;
	rules.now_ms = clock_wall_ms();
	rules.unpack_bytes_max = UNPACK_BYTES_MAX;
	error = batch_validate(slice_of(append->records, append->records_len), &rules, partition->shard->codecs, &verdict);
	if (error == BATCH_HEAVY || (error == 0 && verdict.repack && append->records_len > REPACK_BYTES_MAX))
		partition_check_begin(partition, append, &rules);
	else
		partition_append_checked(partition, append, &rules, error, &verdict, NULL);
}

void partition_append(struct partition *partition, struct partition_append *append)
{
	append->partition = NULL;
	append->checking = append->expired = false;
	append->log_start_offset = -1;
	/* The order of a producer's batches is that of their sequences: nothing overtakes a batch that is still being checked. */
	if (partition->check)
		partition_check_queue(partition, append);
	else
		partition_append_now(partition, append);
}

static void unpark(struct partition_append *append)
{
	DL_DELETE(append->partition->parked, append);
	append->partition = NULL;
}

void partition_append_time_out(struct partition_append *append)
{
	if (append->checking) {
		append->expired = true;
		return;
	}
	unpark(append);
	/* The data stays and the offset is told: only the promise is not kept in time. */
	append->error = KAFKA_REQUEST_TIMED_OUT;
	finish(append);
}

void partition_end_parked(struct partition *partition, int16_t error)
{
	struct partition_append *append, *next;

	DL_FOREACH_SAFE(partition->parked, append, next) {
		if (!error && append->required_offset > partition->core.high_watermark)
			continue;
		unpark(append);
		append->error = error;
		if (error)
			append->base_offset = append->append_time_ms = append->log_start_offset = -1;
		finish(append);
	}
}
