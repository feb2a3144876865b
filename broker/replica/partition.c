/* Life and roles of one partition; see partition.h. Appends are in partition_append.c, reads in partition_read.c. */
#include "broker/replica/partition_internal.h"

#include "broker/log/log_dir.h"
#include "broker/replica/partition_lead.h"
#include "broker/replica/shard.h"
#include "broker/replica/throttle.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/mutant.h"
#include "common/trace.h"
#include "proto/kafka_error.h"
#include "proto/record/record_iter.h"

#include <stdlib.h>
#include <utlist.h>

/* ---- the observer: a producer table follows its log ---- */

static void observer_reset(void *ctx)
{
	producer_table_fini(ctx);
}

static struct producer producer_of(const struct producer_snapshot_entry *entry)
{
	/* The file's checksum is right, but its writer may have been another program: no number is taken for granted. */
	int32_t delta = entry->offset_delta > 0 ? entry->offset_delta : 0;
	struct producer producer;

	producer_init(&producer, entry->producer_id);
	producer.epoch = entry->producer_epoch;
	producer.coordinator_epoch = entry->coordinator_epoch;
	producer.txn_first_offset = entry->txn_first_offset >= 0 ? entry->txn_first_offset : PRODUCER_TXN_NONE;
	producer.timestamp_ms = entry->timestamp;
	/* A producer that only markers tell of has no batch: Kafka writes sequence -1 then. */
	if (entry->last_sequence < 0)
		return producer;
	producer.n_batches = 1;
	producer.batches[0] = (struct producer_batch){
		.first_sequence = batch_sequence_add(entry->last_sequence, -delta),
		.last_sequence = entry->last_sequence,
		.first_offset = entry->last_offset - delta,
		.last_offset = entry->last_offset,
		.timestamp_ms = entry->timestamp,
	};
	return producer;
}

static void observer_load_snapshot(void *ctx, int64_t end_offset, const struct producer_snapshot_entry *entries, int32_t n)
{
	(void)end_offset;
	for (int32_t i = 0; i < n && !MUTANT(SNAPSHOT_IGNORED); i++) {
		struct producer producer = producer_of(&entries[i]);

		producer_table_load(ctx, &producer);
	}
}

/* The type and coordinator epoch of a marker; false for what is none. */
static bool read_marker(struct slice batch, int16_t *ret_type, int32_t *ret_coordinator_epoch)
{
	struct codec_limits limits = codec_limits_for_log();
	struct record_iter iter;
	struct record record;
	bool is_marker;

	if (record_iter_init(&iter, NULL, batch, &limits))
		return false;
	is_marker = record_iter_next(&iter, &record) == 1 && record_control_parse(&record, ret_type, ret_coordinator_epoch);
	record_iter_fini(&iter);
	return is_marker;
}

static bool apply_marker(struct producer_table *table, struct slice batch, const struct batch_header *header, struct aborted_txn *ret_aborted)
{
	int32_t coordinator_epoch;
	int16_t type;
	int64_t first, stable;

	if (!read_marker(batch, &type, &coordinator_epoch))
		return false;
	first = producer_table_apply_marker(table, header->producer_id, header->producer_epoch, coordinator_epoch, header->max_timestamp);
	if (type != CONTROL_ABORT || first == PRODUCER_TXN_NONE)
		return false;
	stable = producer_table_first_open_txn(table);
	*ret_aborted = (struct aborted_txn){
		.producer_id = header->producer_id,
		.first_offset = first,
		.last_offset = batch_last_offset(header),
		.last_stable_offset = stable < 0 ? batch_next_offset(header) : stable,
	};
	return true;
}

static bool observer_on_batch(void *ctx, struct slice batch, struct aborted_txn *ret_aborted)
{
	struct producer_table *table = ctx;
	struct batch_header header;
	struct producer_batch facts;

	if (batch_header_parse(batch, &header) || !batch_has_producer(&header))
		return false;
	if (batch_is_control(header.attributes))
		return apply_marker(table, batch, &header, ret_aborted);
	facts = (struct producer_batch){
		.first_sequence = header.base_sequence,
		.last_sequence = batch_last_sequence(&header),
		.first_offset = header.base_offset,
		.last_offset = batch_last_offset(&header),
		.timestamp_ms = header.max_timestamp,
	};
	producer_table_apply(table, header.producer_id, header.producer_epoch, &facts, batch_is_transactional(header.attributes));
	return false;
}

static void snapshot_producer(void *ctx, const struct producer *producer)
{
	const struct producer_batch *last = producer->n_batches ? &producer->batches[producer->n_batches - 1] : NULL;
	struct producer_snapshot_entry entry = {
		.producer_id = producer->id,
		.producer_epoch = producer->epoch,
		.last_sequence = last ? last->last_sequence : PRODUCER_SEQUENCE_NONE,
		.last_offset = last ? last->last_offset : -1,
		.offset_delta = last ? (int32_t)(last->last_offset - last->first_offset) : 0,
		.timestamp = producer->timestamp_ms,
		.coordinator_epoch = producer->coordinator_epoch,
		.txn_first_offset = producer->txn_first_offset,
	};

	producer_snapshot_add(ctx, &entry);
}

static void observer_take_snapshot(void *ctx, struct producer_snapshot *snapshot)
{
	producer_table_each(ctx, snapshot_producer, snapshot);
}

struct log_observer partition_observer(struct producer_table *table)
{
	return (struct log_observer){
		.ctx = table,
		.reset = observer_reset,
		.load_snapshot = observer_load_snapshot,
		.on_batch = observer_on_batch,
		.take_snapshot = observer_take_snapshot,
	};
}

/* ---- flush ---- */

static void partition_free(struct partition *partition)
{
	free((void *)(uintptr_t)partition->topic.data);
	free(partition->members);
	free(partition);
}

static bool has_jobs(const struct partition *partition)
{
	return partition->flushing || partition->keeping || partition->check;
}

static void flush_run(struct disk_job *job)
{
	log_flush_run(CONTAINER_OF(job, struct partition, flush)->log);
}

static bool on_failed_dir(const struct partition *partition)
{
	return partition->log && log_dir_failed(log_dir_of(partition->log));
}

/* What the disk thread has of it is still to come, and from a disk that has failed may never: nobody waits for that (D10). */
static void await_jobs(struct partition *partition)
{
	struct partition_closing *closer = partition->closer;

	if (!closer || !on_failed_dir(partition))
		return;
	partition->closer = NULL;
	closer->closed(closer, ERR_IO);
}

void partition_closed(struct partition *partition)
{
	struct partition_closing *closer = partition->closer;

	if (on_failed_dir(partition))
		partition_check_give_up(partition);
	if (has_jobs(partition)) {
		await_jobs(partition);
		return;
	}
	CHECK(!partition->parked && !partition->watches && !partition->streams);
	DL_DELETE(partition->shard->closing, partition);
	partition_free(partition);
	if (closer)
		closer->closed(closer, 0);
}

static void flush_done(struct disk_job *job)
{
	struct partition *partition = CONTAINER_OF(job, struct partition, flush);
	int r = log_flush_finish(partition->log);

	partition->flushing = false;
	if (partition->closing) {
		partition_closed(partition);
		return;
	}
	if (r) {
		partition_log_failed(partition, r, "sync");
		return;
	}
	partition_log_moved(partition);
	partition_flush_if_due(partition, clock_wall_ms());
}

void partition_flush_if_due(struct partition *partition, int64_t now_ms)
{
	if (partition->flushing || (!partition->core.rules.durable_counts && !log_flush_due(partition->log, now_ms)))
		return;
	if (!log_flush_prepare(partition->log))
		return;
	partition->flushing = true;
	partition->flush = (struct disk_job){.run = flush_run, .done = flush_done, .reply_to = &partition->shard->worker};
	disk_post(partition->disk, &partition->flush);
}

/* ---- life ---- */

struct partition *partition_open(struct shard *shard, const struct partition_key *key, struct slice topic, struct log *log,
				 struct disk *disk, struct producer_table *producers)
{
	struct partition *partition = NEW(struct partition);
	uint8_t *name = memory_alloc(topic.len + 1);

	memcpy(name, topic.data, topic.len);
	partition->key = *key;
	partition->topic = slice_of(name, topic.len);
	partition->shard = shard;
	partition->log = log;
	partition->disk = disk;
	partition->rules = batch_rules_default(0);
	partition->delete_allowed = true;
	partition->producers = producers;
	partition->state = log ? PARTITION_ONLINE : PARTITION_FAILED;
	if (log) {
		replica_core_init(&partition->core, shard->config->broker_id, log_start_offset(log), log_end_offset(log),
				  log_durable_end(log), log_high_watermark(log));
		partition->kept_start_offset = log_start_offset(log);
	} else {
		replica_core_init(&partition->core, shard->config->broker_id, 0, 0, 0, 0);
	}
	partition_isr_init(partition);
	shard_add(shard, partition);
	return partition;
}

void partition_close(struct partition *partition, struct partition_closing *closing)
{
	/* Out of the shard first: who is fired must not find it again and wait for it. */
	shard_remove(partition->shard, partition);
	partition_resign(partition);
	partition_isr_fini(partition);
	/* Jobs on the disk thread read the log and the batch: what they use stays until they are back. */
	partition->closing = true;
	partition->closer = closing;
	DL_APPEND(partition->shard->closing, partition);
	partition_closed(partition);
}

static void set_log_config(struct partition *partition, const struct topic_config *config)
{
	struct log_config log_config = {
		.segment_bytes = config->segment_bytes,
		.segment_ms = config->segment_ms,
		.segment_jitter_ms = config->segment_jitter_ms,
		.index_interval_bytes = config->index_interval_bytes,
		.index_bytes_max = config->segment_index_bytes,
		.retention_ms = config->retention_ms,
		.retention_bytes = config->retention_bytes,
		.cleanup_delete = config->cleanup_delete,
		.cleanup_compact = config->cleanup_compact,
		.file_delete_delay_ms = config->file_delete_delay_ms,
		.flush_messages = config->flush_messages,
		.flush_ms = config->flush_ms,
		.preallocate = config->preallocate,
		.durability = config->durability == TOPIC_FSYNC_ISR ? LOG_FSYNC_ISR : LOG_PAGE_CACHE,
	};

	log_configure(partition->log, &log_config);
}

static void set_batch_rules(struct batch_rules *rules, const struct topic_config *config)
{
	static const int codecs[] = {
		[TOPIC_COMPRESSION_PRODUCER] = BATCH_KEEP_CODEC, [TOPIC_COMPRESSION_NONE] = CODEC_NONE,
		[TOPIC_COMPRESSION_GZIP] = CODEC_GZIP,           [TOPIC_COMPRESSION_SNAPPY] = CODEC_SNAPPY,
		[TOPIC_COMPRESSION_LZ4] = CODEC_LZ4,             [TOPIC_COMPRESSION_ZSTD] = CODEC_ZSTD,
	};

	rules->compacted = config->cleanup_compact;
	rules->append_time = config->timestamp_log_append;
	rules->timestamp_before_max_ms = topic_config_timestamp_before_max_ms(config);
	rules->timestamp_after_max_ms = topic_config_timestamp_after_max_ms(config);
	rules->message_bytes_max = (size_t)config->max_message_bytes;
	rules->segment_bytes_max = (size_t)config->segment_bytes;
	rules->codec = codecs[config->compression];
	rules->level = CODEC_LEVEL_DEFAULT;
	if (config->compression == TOPIC_COMPRESSION_GZIP)
		rules->level = config->compression_gzip_level;
	else if (config->compression == TOPIC_COMPRESSION_LZ4)
		rules->level = config->compression_lz4_level;
	else if (config->compression == TOPIC_COMPRESSION_ZSTD)
		rules->level = config->compression_zstd_level;
}

void partition_carry_out(struct partition *partition, const struct replica_now *now, const struct replica_actions *actions)
{
	/* First, since whoever is called back below may end this leadership. */
	if (actions->propose)
		partition_isr_propose(partition, now);
	if (actions->high_watermark_moved || partition->core.high_watermark != log_high_watermark(partition->log)) {
		log_set_high_watermark(partition->log, partition->core.high_watermark);
		partition_lead_wake(partition);
		partition_end_parked(partition, 0);
		partition_fire_watches(partition);
	}
	if (actions->acks_failed)
		partition_end_parked(partition, KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND);
	if (partition->deletions)
		partition_end_deletions(partition, 0);
	partition_wait(partition, now);
	if (actions->follow)
		partition_follow_begin(partition);
}

void partition_configure(struct partition *partition, const struct topic_config *config)
{
	const struct broker_config *broker = partition->shard->config;
	struct replica_now now = partition_now(partition);
	struct replica_actions actions;
	struct replica_rules rules = {
		.durable_counts = config->durability == TOPIC_FSYNC_ISR,
		.unclean_allowed = config->unclean_leader_election_enable,
		.min_isr = config->min_insync_replicas,
		.lag_ms_max = broker->replica_lag_time_max_ms,
		.session_ms = partition->shard->session_ms,
	};
	bool was_throttled = partition->follow.is_throttled;

	if (partition->state == PARTITION_FAILED)
		return;
	set_log_config(partition, config);
	set_batch_rules(&partition->rules, config);
	partition->delete_allowed = config->cleanup_delete;
	partition->lead_throttled = throttle_names(config->leader_throttled_replicas, partition->key.index, broker->broker_id);
	partition->follow.is_throttled = throttle_names(config->follower_throttled_replicas, partition->key.index, broker->broker_id);
	if (was_throttled && !partition->follow.is_throttled)
		link_pause_no_more(&partition->follow);
	replica_core_configure(&partition->core, &now, &rules, &actions);
	partition_carry_out(partition, &now, &actions);
	/* Where the durable end counts from now on, the newest one does: what the dir has synced by itself, nobody was told of. */
	partition_log_moved(partition);
	partition_flush_if_due(partition, clock_wall_ms());
}

static void make_room(struct partition *partition, const struct replica_state *state)
{
	int32_t n_max = replica_members_of(state) > partition->core.n_members ? replica_members_of(state) : partition->core.n_members;

	if (n_max <= partition->core.n_members_max)
		return;
	partition->members = memory_grow(partition->members, (size_t)n_max * sizeof *partition->members);
	replica_core_give_room(&partition->core, partition->members, n_max);
}

/* Before what waits for this leadership ends: nobody begins anything more that would have to end with it. */
static void tell_ended(struct partition *partition)
{
	const struct lead_port *port = partition->shard->lead;

	if (!partition->leads)
		return;
	partition->leads = false;
	if (port)
		port->ended(port->ctx, partition);
}

static void tell_begun(struct partition *partition)
{
	const struct lead_port *port = partition->shard->lead;

	if (partition->leads || partition->core.role != REPLICA_LEADER)
		return;
	partition->leads = true;
	if (port)
		port->begun(port->ctx, partition);
}

int16_t partition_become(struct partition *partition, const struct replica_state *state)
{
	struct replica_now now = partition_now(partition);
	struct replica_actions actions;
	enum replica_change change;
	bool leads_on = partition->core.role == REPLICA_LEADER && partition->core.leader_epoch + 1 == state->leader_epoch;

	if (partition->state == PARTITION_FAILED)
		return KAFKA_STORAGE_ERROR;
	make_room(partition, state);
	change = replica_core_become(&partition->core, &now, state, &actions);
	if (change == REPLICA_STALE)
		return KAFKA_STALE_CONTROLLER_EPOCH;
	if (change == REPLICA_INVALID)
		return KAFKA_INVALID_REQUEST;
	if (change == REPLICA_UNCHANGED)
		return 0;
	if (partition->core.role != REPLICA_LEADER || (change == REPLICA_NEW_EPOCH && !leads_on))
		tell_ended(partition);
	/* A new leader's epoch begins at the log end, with or without data (KIP-101, D4). */
	if (partition->core.role == REPLICA_LEADER && change == REPLICA_NEW_EPOCH) {
		log_begin_epoch(partition->log, partition->core.leader_epoch);
		/* A state in which others lost their place gives a new epoch, too. */
		if (!leads_on)
			partition->led_since_ms = now.ms;
	}
	if (partition->core.role != REPLICA_LEADER) {
		partition_end_parked(partition, KAFKA_NOT_LEADER_OR_FOLLOWER);
		partition_end_deletions(partition, KAFKA_NOT_LEADER_OR_FOLLOWER);
	}
	if (partition->core.role != REPLICA_FOLLOWER || partition->core.leader < 0)
		partition_follow_end(partition);
	partition_carry_out(partition, &now, &actions);
	partition_lead_on_state(partition);
	partition_fire_watches(partition);
	tell_begun(partition);
	return 0;
}

void partition_resign(struct partition *partition)
{
	replica_core_resign(&partition->core);
	tell_ended(partition);
	partition_follow_end(partition);
	partition_lead_settle(partition);
	partition_end_parked(partition, KAFKA_NOT_LEADER_OR_FOLLOWER);
	partition_end_deletions(partition, KAFKA_NOT_LEADER_OR_FOLLOWER);
	partition_fire_watches(partition);
}

void partition_fail(struct partition *partition)
{
	if (partition->closing) {
		partition_closed(partition);
		return;
	}
	if (partition->state == PARTITION_FAILED)
		return;
	partition->state = PARTITION_FAILED;
	replica_core_resign(&partition->core);
	tell_ended(partition);
	partition_follow_end(partition);
	partition_lead_settle(partition);
	partition_check_give_up(partition);
	partition_end_parked(partition, KAFKA_STORAGE_ERROR);
	partition_end_deletions(partition, KAFKA_STORAGE_ERROR);
	partition_fire_watches(partition);
}

int16_t partition_log_failed(struct partition *partition, int error, const char *what)
{
	trace_limited(TRACE_ERROR, "partition", "%.*s-%d: %s failed: %s", SLICE_ARGS(partition->topic), partition->key.index, what,
		      error_text(error));
	/* A full disk is no failed one: the log is as it was, and the next append may go well (D10). */
	if (error != ERR_NO_SPACE && log_dir_failed(log_dir_of(partition->log)))
		partition_fail(partition);
	return KAFKA_STORAGE_ERROR;
}

void partition_log_moved(struct partition *partition)
{
	struct replica_now now = partition_now(partition);
	struct replica_actions actions;

	replica_core_log_moved(&partition->core, &now, log_start_offset(partition->log), log_end_offset(partition->log),
			       log_durable_end(partition->log), &actions);
	partition_lead_wake(partition);
	partition_carry_out(partition, &now, &actions);
	partition_follow_moved(partition);
}

void partition_clean_up(struct partition *partition, int64_t now_ms, int64_t producer_expiration_ms)
{
	int r;

	if (partition->state == PARTITION_FAILED)
		return;
	producer_table_expire(partition->producers, now_ms, producer_expiration_ms);
	r = log_delete_old_segments(partition->log, now_ms);
	if (r < 0)
		partition_log_failed(partition, r, "retention");
	else if (r > 0)
		partition_log_moved(partition);
}

/* ---- watches ---- */

void partition_watch(struct partition *partition, struct partition_watch *watch)
{
	watch->partition = partition;
	watch->round = partition->watch_round;
	DL_APPEND(partition->watches, watch);
}

void partition_unwatch(struct partition_watch *watch)
{
	if (!watch->partition)
		return;
	DL_DELETE(watch->partition->watches, watch);
	watch->partition = NULL;
}

void partition_fire_watches(struct partition *partition)
{
	int64_t round = ++partition->watch_round;
	struct partition_watch *watch;

	/* A fired watch may take others out, so that the head is looked at anew each time; one that watches again waits for the next round. */
	while ((watch = partition->watches) != NULL && watch->round < round) {
		partition_unwatch(watch);
		watch->fired(watch);
	}
}
