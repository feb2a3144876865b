/* An owner that appends, truncates and rolls, a disk thread that syncs, and a sender that reads slices: on the real file system. */
#include "test/unit/broker/log/log_fixture.h"

#include "common/check.h"
#include "common/trace.h"

#include <pthread.h>
#include <stdlib.h>

#define ROUNDS 3000
#define QUEUE 64

struct shared {
	struct fixture fixture;
	struct shared_flag stop;
	pthread_mutex_t lock;
	struct log_slice slices[QUEUE]; /* handed over, under the lock */
	int n_slices;
};

static void *run_disk(void *arg)
{
	struct shared *shared = arg;
	int64_t now_ms = 1, wait;

	while (!shared_flag_get(&shared->stop)) {
		CHECK(log_dir_tick(shared->fixture.dir, now_ms, &wait) == 0);
		now_ms += 700;
	}
	return NULL;
}

/* A batch is whole and its own, or the read ends short. */
static void send_slice(struct log_slice *slice)
{
	uint8_t *bytes = malloc((size_t)slice->len);
	struct slice rest = slice_of(bytes, (size_t)slice->len), batch;
	struct batch_header header;
	int rc = log_slice_read(slice, 0, bytes, (size_t)slice->len);

	CHECK(rc == 0 || rc == ERR_TRUNCATED || rc == ERR_NOT_FOUND);
	if (rc == 0) {
		CHECK(batch_next(&rest, &batch, &header) == 1);
		CHECK(header.base_offset == slice->first_base_offset && header.leader_epoch == slice->first_epoch);
		CHECK(batch_crc_ok(batch));
	}
	log_slice_release(slice);
	free(bytes);
}

static void *run_sender(void *arg)
{
	struct shared *shared = arg;
	struct log_slice slice;
	bool got;

	do {
		pthread_mutex_lock(&shared->lock);
		got = shared->n_slices > 0;
		if (got)
			slice = shared->slices[--shared->n_slices];
		pthread_mutex_unlock(&shared->lock);
		if (got)
			send_slice(&slice);
	} while (got || !shared_flag_get(&shared->stop));
	return NULL;
}

static void hand_over(struct shared *shared, int64_t offset)
{
	struct log_read_args args = {.offset = offset, .max_offset = INT64_MAX, .max_bytes = 500, .min_one_batch = true};
	struct log_slice slice;

	ck_assert_int_eq(log_read(shared->fixture.log, &args, &slice), 0);
	if (!slice.segment)
		return;
	pthread_mutex_lock(&shared->lock);
	if (shared->n_slices < QUEUE)
		shared->slices[shared->n_slices++] = slice;
	else
		log_slice_release(&slice);
	pthread_mutex_unlock(&shared->lock);
}

static void own(struct shared *shared)
{
	struct fixture *fixture = &shared->fixture;
	int32_t epoch = 0;

	for (int i = 0; i < ROUNDS; i++) {
		ck_assert_int_eq(fixture_append(fixture, epoch, 2, 1000 + i, 60), 0);
		hand_over(shared, log_start_offset(fixture->log) + i % (log_end_offset(fixture->log) - log_start_offset(fixture->log)));
		if (i % 50 == 49) {
			ck_assert_int_eq(log_truncate_to(fixture->log, log_end_offset(fixture->log) - 7), 0);
			epoch++;
		}
		if (i % 300 == 299) {
			log_set_high_watermark(fixture->log, log_end_offset(fixture->log));
			ck_assert_int_ge(log_delete_old_segments(fixture->log, 1), 0);
		}
		ck_assert_int_le(log_durable_end(fixture->log), log_end_offset(fixture->log));
	}
}

START_TEST(owner_disk_thread_and_sender_do_not_disturb_each_other)
{
	static struct shared shared;
	pthread_t disk, sender;

	trace_set_level(TRACE_ERROR);
	fixture_init_real(&shared.fixture, unit_temp_dir());
	shared.fixture.config.retention_bytes = 20000;
	shared.fixture.config.file_delete_delay_ms = 100;
	ck_assert_int_eq(fixture_open(&shared.fixture), 0);
	pthread_mutex_init(&shared.lock, NULL);
	ck_assert_int_eq(pthread_create(&disk, NULL, run_disk, &shared), 0);
	ck_assert_int_eq(pthread_create(&sender, NULL, run_sender, &shared), 0);
	own(&shared);
	shared_flag_raise(&shared.stop);
	pthread_join(disk, NULL);
	pthread_join(sender, NULL);
	while (shared.n_slices > 0)
		send_slice(&shared.slices[--shared.n_slices]);
	ck_assert_int_eq(fixture_close(&shared.fixture), 0);
	fixture_fini(&shared.fixture);
	pthread_mutex_destroy(&shared.lock);
}
END_TEST

UNIT_MAIN("broker/log/log_threads", owner_disk_thread_and_sender_do_not_disturb_each_other)
