/* partition: append, idempotence, parking, reading, watches, deletion of records, on a real folder. */
#include "test/unit/broker/replica/partition_fixture.h"

#include "broker/replica/replica_leader_core.h"
#include "common/error.h"

#include <unistd.h>

static int n_fired;

START_TEST(what_is_appended_is_committed_and_read)
{
	struct partition_read read;
	uint8_t head[BATCH_HEADER_BYTES];
	struct batch_header header;

	setup();
	ck_assert_int_eq(append(-1, -1, 3, -1)->base_offset, 0);
	ck_assert_int_eq(append(-1, -1, 2, 1)->base_offset, 3);
	ck_assert_int_eq(n_done, 2);
	ck_assert_int_eq(partition->core.high_watermark, 5);
	read = read_at(4);
	ck_assert_int_eq(read.error, 0);
	ck_assert_int_eq(read.high_watermark, 5);
	ck_assert_int_eq(read.slice.first_base_offset, 3);
	ck_assert_int_eq(log_slice_read(&read.slice, 0, head, sizeof head), 0);
	ck_assert_int_eq(batch_header_parse(slice_of(head, sizeof head), &header), 0);
	ck_assert_int_eq(header.leader_epoch, 0);
	log_slice_release(&read.slice);
	read = read_at(5);
	ck_assert_ptr_null(read.slice.segment);
	ck_assert(!read.end_now);
	read = read_at(6);
	ck_assert_int_eq(read.error, KAFKA_OFFSET_OUT_OF_RANGE);
	ck_assert(read.end_now);
	teardown();
}
END_TEST

START_TEST(a_retry_is_answered_with_its_first_offset_and_not_appended)
{
	setup();
	ck_assert_int_eq(append(7, 0, 2, -1)->base_offset, 0);
	ck_assert_int_eq(append(7, 2, 2, -1)->base_offset, 2);
	ck_assert_int_eq(append(7, 0, 2, -1)->base_offset, 0);
	ck_assert_int_eq(log_end_offset(partition->log), 4);
	ck_assert_int_eq(append(7, 9, 1, -1)->error, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(append(7, 4, 1, -1)->error, 0);
	teardown();
}
END_TEST

START_TEST(only_a_leader_appends_and_a_stale_controller_changes_nothing)
{
	const int32_t other = 2;
	struct replica_state stale = {.leader = other, .leader_epoch = 4, .replicas = &other, .n_replicas = 1, .isr = &other, .n_isr = 1};

	setup();
	become(2, 5);
	ck_assert_int_eq(append(-1, -1, 1, 1)->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(partition_become(partition, &stale), KAFKA_STALE_CONTROLLER_EPOCH);
	become(1, 6);
	ck_assert_int_eq(append(-1, -1, 1, 1)->error, 0);
	ck_assert_int_eq(log_latest_epoch(partition->log), 6);
	teardown();
}
END_TEST

START_TEST(a_gap_that_a_refusal_of_ours_made_is_told_as_that_refusal)
{
	setup();
	ck_assert_int_eq(append(7, 0, 1, -1)->error, 0);
	become(2, 1);
	ck_assert_int_eq(append(7, 1, 1, -1)->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	become(1, 2);
	ck_assert_int_eq(append(7, 2, 1, -1)->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(append(7, 1, 1, -1)->error, 0);
	ck_assert_int_eq(append(7, 2, 1, -1)->error, 0);
	/* Later a gap is a gap. */
	partition->refused_until_ms = partition->led_since_ms = clock_ms() - 600000;
	ck_assert_int_eq(append(7, 9, 1, -1)->error, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	teardown();
}
END_TEST

START_TEST(in_fsync_mode_an_ack_waits_for_the_disk)
{
	struct partition_append *waiting;

	setup();
	configure("klamm.durability", "fsync-isr");
	waiting = append(-1, -1, 1, -1);
	ck_assert_int_eq(n_done, 0);
	ck_assert_int_eq(partition->core.high_watermark, 0);
	turn_until(&n_done, 1);
	ck_assert_int_eq(waiting->error, 0);
	ck_assert_int_eq(partition->core.high_watermark, 1);
	teardown();
}
END_TEST

START_TEST(a_parked_append_ends_once_when_its_time_is_up_or_leadership_ends)
{
	struct partition_append *waiting;

	setup();
	configure("klamm.durability", "fsync-isr");
	waiting = append(-1, -1, 1, -1);
	partition_append_time_out(waiting);
	ck_assert_int_eq(waiting->error, KAFKA_REQUEST_TIMED_OUT);
	ck_assert_int_eq(waiting->base_offset, 0);
	waiting = append(-1, -1, 1, -1);
	partition_resign(partition);
	ck_assert_int_eq(waiting->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(n_done, 2);
	teardown();
}
END_TEST

START_TEST(without_a_lease_a_gap_in_the_sequence_is_no_verdict)
{
	struct lease lease;

	setup();
	append(7, 0, 2, 1);
	lease_init(&lease);
	shard.lease = &lease;
	/* It still serves, for it hears all of its ISR; but another may lead. */
	ck_assert_int_eq(append(7, 2, 1, 1)->error, 0);
	ck_assert_int_eq(append(7, 9, 1, 1)->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	lease_extend(&lease, clock_ms(), 600000);
	ck_assert_int_eq(append(7, 9, 1, 1)->error, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	teardown();
}
END_TEST

START_TEST(a_new_leader_takes_no_gap_for_a_verdict)
{
	setup();
	append(7, 0, 2, 1);
	become(1, 3);
	/* The batch between may wait for its answer with the leader before. */
	ck_assert_int_eq(append(7, 4, 1, 1)->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(append(7, 2, 2, 1)->error, 0);
	ck_assert_int_eq(append(7, 4, 1, 1)->error, 0);
	partition->led_since_ms -= 600000;
	ck_assert_int_eq(append(7, 9, 1, 1)->error, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	teardown();
}
END_TEST

/* Nobody else can have led between one epoch and the next. */
START_TEST(a_leader_that_leads_on_in_the_next_epoch_is_no_new_one)
{
	setup();
	become(1, 1);
	partition->led_since_ms -= 600000;
	append(7, 0, 2, 1);
	become(1, 2);
	ck_assert_int_eq(append(7, 4, 1, 1)->error, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	become(1, 4);
	ck_assert_int_eq(append(7, 4, 1, 1)->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	teardown();
}
END_TEST

static void on_fired(struct partition_watch *watch)
{
	ck_assert_ptr_null(watch->partition);
	n_fired++;
}

START_TEST(a_watch_fires_once_when_the_high_watermark_moves)
{
	struct partition_watch watch = {.fired = on_fired}, other = {.fired = on_fired};

	setup();
	n_fired = 0;
	partition_watch(partition, &watch);
	partition_watch(partition, &other);
	partition_unwatch(&other);
	append(-1, -1, 1, 1);
	append(-1, -1, 1, 1);
	ck_assert_int_eq(n_fired, 1);
	teardown();
}
END_TEST

static void on_fired_watch_again(struct partition_watch *watch)
{
	n_fired++;
	partition_watch(partition, watch);
}

START_TEST(a_watch_that_watches_again_waits_for_the_next_news)
{
	struct partition_watch watch = {.fired = on_fired_watch_again}, other = {.fired = on_fired_watch_again};

	setup();
	n_fired = 0;
	partition_watch(partition, &watch);
	partition_watch(partition, &other);
	append(-1, -1, 1, 1);
	ck_assert_int_eq(n_fired, 2);
	append(-1, -1, 1, 1);
	ck_assert_int_eq(n_fired, 4);
	partition_unwatch(&watch);
	partition_unwatch(&other);
	teardown();
}
END_TEST

START_TEST(a_reader_beyond_the_end_is_told_where_the_logs_part)
{
	struct partition_read read = {.offset = 9, .bytes_max = 1000, .leader_epoch = -1, .last_fetched_epoch = 0};

	setup();
	append(-1, -1, 5, 1);
	partition_read(partition, &read);
	ck_assert_int_eq(read.error, 0);
	ck_assert(read.diverging);
	ck_assert_int_eq(read.divergence.end_offset, 5);
	teardown();
}
END_TEST

START_TEST(a_follower_serves_only_those_that_may_come_to_it)
{
	struct partition_read read = {.offset = 0, .bytes_max = 1 << 20, .leader_epoch = -1, .last_fetched_epoch = -1, .here = true};

	setup();
	append(-1, -1, 5, 1);
	become(2, 1);
	ck_assert_int_eq(read_at(0).error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	partition_read(partition, &read);
	ck_assert_int_eq(read.error, 0);
	ck_assert_int_eq(read.high_watermark, 5);
	ck_assert_int_eq(read.preferred, -1);
	log_slice_release(&read.slice);
	read.offset = 6;
	partition_read(partition, &read);
	ck_assert_int_eq(read.error, KAFKA_OFFSET_NOT_AVAILABLE);
	read.offset = 0;
	read.leader_epoch = 0;
	partition_read(partition, &read);
	ck_assert_int_eq(read.error, KAFKA_FENCED_LEADER_EPOCH);
	read.leader_epoch = 2;
	partition_read(partition, &read);
	ck_assert_int_eq(read.error, KAFKA_UNKNOWN_LEADER_EPOCH);
	/* Without a word of a controller that counts it is no follower either. */
	partition_resign(partition);
	read.leader_epoch = 1;
	partition_read(partition, &read);
	ck_assert_int_eq(read.error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	teardown();
}
END_TEST

static int n_deleted;

static void on_deleted(struct partition_deletion *deletion)
{
	(void)deletion;
	n_deleted++;
}

/* A deletion that ends at once, or waits. */
static struct partition_deletion *delete_to(int64_t offset, int64_t wait_ms)
{
	static struct partition_deletion deletion;

	n_deleted = 0;
	deletion = (struct partition_deletion){.offset = offset, .deadline_ms = clock_ms() + wait_ms, .done = on_deleted};
	partition_delete_records(partition, &deletion);
	return &deletion;
}

START_TEST(deleting_records_moves_the_start)
{
	setup();
	append(-1, -1, 5, 1);
	append(-1, -1, 5, 1);
	ck_assert_int_eq(delete_to(11, 0)->error, KAFKA_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(delete_to(7, 0)->error, 0);
	ck_assert_int_eq(delete_to(7, 0)->low_watermark, 7);
	ck_assert_int_eq(read_at(6).error, KAFKA_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(delete_to(-1, 0)->error, 0);
	ck_assert_int_eq(delete_to(-1, 0)->low_watermark, 10);
	configure("cleanup.policy", "compact");
	ck_assert_int_eq(delete_to(10, 0)->error, KAFKA_POLICY_VIOLATION);
	ck_assert_int_eq(n_deleted, 1);
	teardown();
}
END_TEST

START_TEST(a_deletion_waits_for_the_replicas_that_live)
{
	struct replica_now now = {clock_ms(), INT64_MAX};
	struct replica_follow follow = {.id = 2, .broker_epoch = 7, .last_epoch = 0, .log_end_offset = 5, .durable_end_offset = 5};
	struct replica_judgement judgement;
	struct replica_actions actions;
	struct partition_deletion *deletion;

	setup();
	append(-1, -1, 5, 1);
	replica_leader_list(&partition->core, &now, 2, 7, &actions);
	deletion = delete_to(3, 1);
	turn_until(&n_deleted, 1);
	ck_assert_int_eq(deletion->error, KAFKA_REQUEST_TIMED_OUT);
	ck_assert_int_eq(log_start_offset(partition->log), 3);
	deletion = delete_to(3, 600000);
	ck_assert_int_eq(n_deleted, 0);
	/* Broker 2 says where its log starts. */
	follow.log_start_offset = 3;
	replica_leader_follow(&partition->core, &now, &follow, log_end_for_epoch(partition->log, 0), 1, &judgement, &actions);
	partition_set_session(partition, 12345);
	ck_assert_int_eq(n_deleted, 1);
	ck_assert_int_eq(deletion->error, 0);
	ck_assert_int_eq(deletion->low_watermark, 3);
	deletion = delete_to(4, 600000);
	become(2, 1);
	ck_assert_int_eq(n_deleted, 1);
	ck_assert_int_eq(deletion->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(deletion->low_watermark, -1);
	teardown();
}
END_TEST

START_TEST(a_failed_dir_ends_everything_with_a_storage_error)
{
	struct partition_append *waiting;

	setup();
	configure("klamm.durability", "fsync-isr");
	waiting = append(-1, -1, 1, -1);
	partition_fail(partition);
	ck_assert_int_eq(waiting->error, KAFKA_STORAGE_ERROR);
	ck_assert_int_eq(append(-1, -1, 1, 1)->error, KAFKA_STORAGE_ERROR);
	ck_assert_int_eq(read_at(0).error, KAFKA_STORAGE_ERROR);
	teardown();
}
END_TEST

#define N_HEAVY 6000

static struct buf *heavy_frame; /* where it is put; NULL: into memory of the test */

/* A batch of six megabytes when it is unpacked, of producer 7; what the loop must not do. */
static struct partition_append *append_heavy(int16_t acks)
{
	static struct partition_append heavy;
	static uint8_t bytes[1 << 20];
	struct codec_context *codecs = codec_context_new();
	struct batch_spec spec = batch_spec_default();
	struct batch_builder builder;
	struct slice batch;
	uint8_t value[1000] = {0};

	spec.codec = CODEC_LZ4;
	spec.producer_id = 7;
	spec.producer_epoch = 0;
	spec.base_sequence = 0;
	batch_builder_init(&builder, &spec);
	for (uint32_t i = 0; i < N_HEAVY; i++) {
		uint32_t noise[8];

		for (size_t j = 0; j < ARRAY_LEN(noise); j++)
			noise[j] = (uint32_t)((i * 8 + j) * UINT64_C(2654435761));
		memcpy(value + 100, noise, sizeof noise);
		batch_builder_add(&builder, 1000, SLICE_NULL, slice_of(value, sizeof value), NULL, 0);
	}
	batch = batch_builder_finish(&builder, codecs);
	ck_assert_uint_le(batch.len, sizeof bytes);
	heavy = (struct partition_append){.records = heavy_frame ? heavy_frame->data : bytes,
					  .records_len = batch.len,
					  .frame = heavy_frame,
					  .acks = acks,
					  .version = 11,
					  .done = on_done};
	memcpy(heavy.records, batch.data, batch.len);
	batch_builder_fini(&builder);
	codec_context_free(codecs);
	partition_append(partition, &heavy);
	return &heavy;
}

START_TEST(a_heavy_batch_is_checked_elsewhere_and_nothing_overtakes_it)
{
	struct partition_append *heavy, *next;

	setup();
	heavy = append_heavy(1);
	next = append(7, N_HEAVY, 2, 1);
	ck_assert_int_eq(n_done, 0);
	turn_until(&n_done, 2);
	ck_assert_int_eq(heavy->error, 0);
	ck_assert_int_eq(heavy->base_offset, 0);
	ck_assert_int_eq(next->error, 0);
	ck_assert_int_eq(next->base_offset, N_HEAVY);
	ck_assert_ptr_null(partition->check);
	ck_assert_int_eq(append(7, N_HEAVY + 2, 1, 1)->base_offset, N_HEAVY + 2);
	teardown();
}
END_TEST

START_TEST(a_large_batch_is_packed_anew_elsewhere)
{
	struct partition_append *heavy;
	struct partition_read read;
	uint8_t head[BATCH_HEADER_BYTES];
	struct batch_header header;

	setup();
	configure("compression.type", "zstd");
	heavy = append_heavy(-1);
	turn_until(&n_done, 1);
	ck_assert_int_eq(heavy->error, 0);
	read = read_at(0);
	ck_assert_int_eq(log_slice_read(&read.slice, 0, head, sizeof head), 0);
	ck_assert_int_eq(batch_header_parse(slice_of(head, sizeof head), &header), 0);
	ck_assert_int_eq(batch_codec(header.attributes), CODEC_ZSTD);
	log_slice_release(&read.slice);
	teardown();
}
END_TEST

START_TEST(leadership_that_ends_during_a_check_refuses_the_batch_and_those_behind_it)
{
	struct partition_append *heavy, *next;

	setup();
	heavy = append_heavy(1);
	next = append(-1, -1, 1, 1);
	become(2, 1);
	turn_until(&n_done, 2);
	ck_assert_int_eq(heavy->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(next->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(log_end_offset(partition->log), 0);
	teardown();
}
END_TEST

START_TEST(a_gap_that_a_refusal_after_a_check_made_is_told_as_that_refusal)
{
	struct partition_append *heavy;

	setup();
	ck_assert_int_eq(append(7, INT32_MAX, 1, -1)->error, 0);
	heavy = append_heavy(-1);
	configure("min.insync.replicas", "2");
	turn_until(&n_done, 2);
	ck_assert_int_eq(heavy->error, KAFKA_NOT_ENOUGH_REPLICAS);
	configure("min.insync.replicas", "1");
	ck_assert_int_eq(append(7, N_HEAVY, 1, -1)->error, KAFKA_NOT_ENOUGH_REPLICAS);
	teardown();
}
END_TEST

START_TEST(time_that_is_up_during_a_check_is_told_after_it)
{
	struct partition_append *heavy;

	setup();
	configure("klamm.durability", "fsync-isr");
	heavy = append_heavy(-1);
	ck_assert_ptr_eq(heavy->partition, partition);
	partition_append_time_out(heavy);
	ck_assert_int_eq(n_done, 0);
	turn_until(&n_done, 1);
	ck_assert_int_eq(heavy->error, KAFKA_REQUEST_TIMED_OUT);
	ck_assert_int_eq(heavy->base_offset, 0);
	teardown();
}
END_TEST

START_TEST(a_partition_that_is_closed_during_a_check_ends_after_it)
{
	struct partition_append *heavy, *next;

	setup();
	heavy = append_heavy(1);
	next = append(-1, -1, 1, 1);
	partition_close(partition, NULL);
	turn_until(&n_done, 2);
	ck_assert_int_eq(heavy->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(next->error, KAFKA_NOT_LEADER_OR_FOLLOWER);
	teardown();
}
END_TEST

/* ---- a disk that hangs ---- */

static int gate[2], n_closed, closed_code;

static void wait_at_gate(struct disk_job *job)
{
	char byte;

	(void)job;
	ck_assert_int_eq(read(gate[0], &byte, 1), 1);
}

static void on_partition_closed(struct partition_closing *closing, int code)
{
	(void)closing;
	n_closed++;
	closed_code = code;
}

/* Its flush is with a disk thread that does not come back. */
static void begin_hung(struct disk_job *holdup)
{
	n_closed = 0;
	ck_assert_int_eq(pipe(gate), 0);
	setup();
	*holdup = (struct disk_job){.run = wait_at_gate};
	disk_post(&disk, holdup);
	configure("klamm.durability", "fsync-isr");
	append(-1, -1, 1, 1);
	ck_assert(partition->flushing);
}

static void end_hung(void)
{
	ck_assert_int_eq(write(gate[1], "x", 1), 1);
	dir_fails = true;
	teardown();
	dir_fails = false;
	close(gate[0]);
	close(gate[1]);
}

/* Orders come one after the other: one that waits for such a disk would hold up all others, of all dirs. */
START_TEST(d10_who_waits_for_the_close_is_told_when_the_disk_fails)
{
	struct partition_closing closing = {on_partition_closed};
	struct disk_job holdup;

	begin_hung(&holdup);
	partition_close(partition, &closing);
	ck_assert_int_eq(n_closed, 0);
	log_dir_fail(dir, ERR_TIMEOUT, "a disk call hangs");
	ck_assert_ptr_eq(shard.closing, partition);
	partition_fail(partition);
	ck_assert_int_eq(n_closed, 1);
	ck_assert_int_eq(closed_code, ERR_IO);
	/* Once. */
	partition_fail(partition);
	end_hung();
	ck_assert_int_eq(n_closed, 1);
	ck_assert_ptr_null(shard.closing);
}
END_TEST

START_TEST(d10_a_close_on_a_disk_that_has_failed_waits_for_nothing)
{
	struct partition_closing closing = {on_partition_closed};
	struct disk_job holdup;

	begin_hung(&holdup);
	log_dir_fail(dir, ERR_TIMEOUT, "a disk call hangs");
	partition_close(partition, &closing);
	ck_assert_int_eq(n_closed, 1);
	ck_assert_int_eq(closed_code, ERR_IO);
	end_hung();
	ck_assert_int_eq(n_closed, 1);
}
END_TEST

static void hold_disk(struct disk_job *holdup)
{
	ck_assert_int_eq(pipe(gate), 0);
	setup();
	*holdup = (struct disk_job){.run = wait_at_gate};
	disk_post(&disk, holdup);
}

/* One that is checked and one behind it get their answers; the bytes are nobody's then. */
START_TEST(d10_who_waits_for_a_check_is_told_when_the_disk_fails)
{
	for (int i = 0; i < 2; i++) {
		struct partition_append *heavy, *next;
		struct disk_job holdup;
		int64_t end;

		hold_disk(&holdup);
		n_done = 0;
		heavy = append_heavy(1);
		next = append(-1, -1, 1, 1);
		end = log_end_offset(partition->log);
		log_dir_fail(dir, ERR_TIMEOUT, "a disk call hangs");
		if (i == 0)
			partition_fail(partition);
		else
			partition_close(partition, NULL);
		ck_assert_int_eq(n_done, 2);
		ck_assert_int_eq(heavy->error, KAFKA_STORAGE_ERROR);
		ck_assert_int_eq(next->error, KAFKA_STORAGE_ERROR);
		memset(heavy->records, 0, heavy->records_len);
		if (i == 0) {
			ck_assert_int_eq(append(-1, -1, 1, 1)->error, KAFKA_STORAGE_ERROR);
			ck_assert_int_eq(log_end_offset(partition->log), end);
		} else {
			ck_assert_ptr_null(shard.closing);
		}
		end_hung();
		ck_assert_int_eq(n_done, 3 - i);
	}
}
END_TEST

START_TEST(the_frame_of_a_batch_that_is_checked_stays_as_long)
{
	struct buf *frame = buf_new(1 << 20);
	struct disk_job holdup;

	hold_disk(&holdup);
	heavy_frame = frame;
	append_heavy(1);
	heavy_frame = NULL;
	ck_assert(!refcount_is_one(&frame->refs));
	log_dir_fail(dir, ERR_TIMEOUT, "a disk call hangs");
	partition_fail(partition);
	ck_assert(!refcount_is_one(&frame->refs));
	end_hung();
	ck_assert(refcount_is_one(&frame->refs));
	buf_release(frame);
}
END_TEST

/* ---- who is told of leaderships (lead_port.h) ---- */

static int n_begun, n_ended;
static int n_done_at_end; /* appends that were over when the end was told */

static void on_begun(void *ctx, struct partition *begun)
{
	ck_assert_ptr_null(ctx);
	ck_assert_ptr_eq(begun, partition);
	ck_assert_int_eq(begun->core.role, REPLICA_LEADER);
	n_begun++;
}

static void on_ended(void *ctx, struct partition *ended)
{
	ck_assert_ptr_null(ctx);
	ck_assert_ptr_eq(ended, partition);
	n_done_at_end = n_done;
	n_ended++;
}

static const struct lead_port lead_port = {NULL, on_begun, on_ended};

static void ck_told(int begun, int ended)
{
	ck_assert_int_eq(n_begun, begun);
	ck_assert_int_eq(n_ended, ended);
}

START_TEST(leaderships_are_told_when_they_begin_and_end_and_each_once)
{
	setup();
	n_begun = n_ended = 0;
	shard.lead = &lead_port;
	partition_resign(partition);
	partition_resign(partition);
	ck_told(0, 1);
	/* Confirmed in its own epoch; led on in the next one; epochs are missing, so that another may have led between. */
	become(1, 0);
	become(1, 0);
	become(1, 1);
	ck_told(1, 1);
	become(1, 5);
	ck_told(2, 2);
	become(2, 6);
	become(2, 7);
	ck_told(2, 3);
	become(1, 8);
	partition_fail(partition);
	partition_fail(partition);
	ck_told(3, 4);
	shard.lead = NULL;
	teardown();
}
END_TEST

START_TEST(the_end_of_a_leadership_is_told_before_what_waits_for_it_ends)
{
	const int32_t replicas[] = {1, 2};
	struct replica_state state = {
		.leader = 1, .leader_epoch = 1, .replicas = replicas, .n_replicas = 2, .isr = replicas, .n_isr = 2};

	setup();
	shard.lead = &lead_port;
	for (int32_t epoch = 1; epoch < 5; epoch += 2) {
		state.leader_epoch = epoch;
		ck_assert_int_eq(partition_become(partition, &state), 0);
		n_done = n_ended = 0;
		append(-1, -1, 1, -1);
		ck_assert_int_eq(n_done, 0);
		if (epoch == 1)
			partition_resign(partition);
		else
			become(2, epoch + 1);
		ck_assert_int_eq(n_ended, 1);
		ck_assert_int_eq(n_done_at_end, 0);
		ck_assert_int_eq(n_done, 1);
	}
	shard.lead = NULL;
	teardown();
}
END_TEST

UNIT_MAIN("broker/replica/partition", what_is_appended_is_committed_and_read, a_retry_is_answered_with_its_first_offset_and_not_appended,
	  only_a_leader_appends_and_a_stale_controller_changes_nothing, a_gap_that_a_refusal_of_ours_made_is_told_as_that_refusal, in_fsync_mode_an_ack_waits_for_the_disk,
	  a_parked_append_ends_once_when_its_time_is_up_or_leadership_ends, without_a_lease_a_gap_in_the_sequence_is_no_verdict,
	  a_new_leader_takes_no_gap_for_a_verdict, a_leader_that_leads_on_in_the_next_epoch_is_no_new_one,
	  a_watch_fires_once_when_the_high_watermark_moves,
	  a_watch_that_watches_again_waits_for_the_next_news, a_reader_beyond_the_end_is_told_where_the_logs_part,
	  a_follower_serves_only_those_that_may_come_to_it, deleting_records_moves_the_start, a_deletion_waits_for_the_replicas_that_live, a_failed_dir_ends_everything_with_a_storage_error,
	  a_heavy_batch_is_checked_elsewhere_and_nothing_overtakes_it, a_large_batch_is_packed_anew_elsewhere,
	  leadership_that_ends_during_a_check_refuses_the_batch_and_those_behind_it, a_gap_that_a_refusal_after_a_check_made_is_told_as_that_refusal,
	  time_that_is_up_during_a_check_is_told_after_it,
	  a_partition_that_is_closed_during_a_check_ends_after_it,
	  d10_who_waits_for_the_close_is_told_when_the_disk_fails, d10_a_close_on_a_disk_that_has_failed_waits_for_nothing,
	  d10_who_waits_for_a_check_is_told_when_the_disk_fails, the_frame_of_a_batch_that_is_checked_stays_as_long,
	  leaderships_are_told_when_they_begin_and_end_and_each_once, the_end_of_a_leadership_is_told_before_what_waits_for_it_ends)
