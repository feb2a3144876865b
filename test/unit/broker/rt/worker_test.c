/* worker, mailbox and disk: many threads that post to each other. */
#include "test/lib/unit.h"

#include "broker/rt/disk.h"
#include "broker/rt/worker.h"
#include "common/clock.h"
#include "common/memory.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { N_SENDERS = 4, N_MESSAGES = 20000 };

struct numbered {
	struct message message;
	int sender, number;
};

static struct worker receiver;
static int next_number[N_SENDERS], n_received;

static void on_numbered(struct message *message)
{
	struct numbered *numbered = CONTAINER_OF(message, struct numbered, message);

	ck_assert_ptr_eq(worker_current(), &receiver);
	ck_assert_int_eq(numbered->number, next_number[numbered->sender]);
	next_number[numbered->sender]++;
	free(numbered);
	if (++n_received == N_SENDERS * N_MESSAGES)
		worker_stop(&receiver);
}

static void *send_all(void *arg)
{
	int sender = *(int *)arg;

	for (int i = 0; i < N_MESSAGES; i++) {
		struct numbered *numbered = NEW(struct numbered);

		numbered->message.run = on_numbered;
		numbered->sender = sender;
		numbered->number = i;
		worker_post(&receiver, &numbered->message);
		if (i % 97 == 0)
			sched_yield();
	}
	return NULL;
}

START_TEST(messages_of_each_sender_come_in_order)
{
	pthread_t threads[N_SENDERS];
	int senders[N_SENDERS];

	ck_assert_int_eq(worker_init(&receiver, "receiver", 0), 0);
	ck_assert_int_eq(worker_start(&receiver), 0);
	for (int i = 0; i < N_SENDERS; i++) {
		senders[i] = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
	}
	for (int i = 0; i < N_SENDERS; i++)
		pthread_join(threads[i], NULL);
	worker_join(&receiver);
	ck_assert_int_eq(n_received, N_SENDERS * N_MESSAGES);
	worker_drain(&receiver);
	worker_fini(&receiver);
}
END_TEST

/* A message that goes back and forth between two workers: each post must wake a sleeping loop. */
struct ball {
	struct message message;
	struct worker *players[2];
	int n_left;
};

static void on_ball(struct message *message)
{
	struct ball *ball = CONTAINER_OF(message, struct ball, message);
	struct worker *other = worker_current() == ball->players[0] ? ball->players[1] : ball->players[0];

	if (ball->n_left-- > 0) {
		worker_post(other, message);
		return;
	}
	worker_stop(ball->players[0]);
	worker_stop(ball->players[1]);
}

START_TEST(a_message_can_travel_to_and_fro)
{
	struct worker one, two;
	struct ball ball = {.message.run = on_ball, .players = {&one, &two}, .n_left = 5000};

	ck_assert_int_eq(worker_init(&one, "one", 0), 0);
	ck_assert_int_eq(worker_init(&two, "two", 1), 0);
	ck_assert_int_eq(worker_start(&one), 0);
	worker_post(&one, &ball.message);
	/* The second player plays on this thread, as the hub does. */
	worker_run(&two);
	worker_join(&one);
	ck_assert_int_eq(ball.n_left, -1);
	ck_assert_ptr_null(worker_current());
	worker_drain(&one);
	worker_drain(&two);
	worker_fini(&one);
	worker_fini(&two);
}
END_TEST

START_TEST(stop_runs_what_was_posted_before)
{
	int i = N_SENDERS - 1;

	ck_assert_int_eq(worker_init(&receiver, "receiver", 0), 0);
	send_all(&i);
	worker_stop(&receiver);
	worker_stop(&receiver);
	worker_run(&receiver);
	ck_assert_int_eq(n_received, N_MESSAGES);
	worker_drain(&receiver);
	worker_fini(&receiver);
}
END_TEST

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

START_TEST(an_idle_worker_uses_no_time)
{
	struct timespec before = {.tv_sec = -1}, after, pause = {.tv_nsec = 100000000};
	int64_t end = clock_ms() + 20000;
	clockid_t clock;

	ck_assert_int_eq(worker_init(&receiver, "receiver", 0), 0);
	ck_assert_int_eq(worker_start(&receiver), 0);
	ck_assert_int_eq(pthread_getcpuclockid(receiver.thread, &clock), 0);
	/* On a busy machine it may be a while until the new thread has gone to sleep: one that ticks never does for so long. */
	clock_gettime(clock, &after);
	while (!same_time(&before, &after)) {
		ck_assert_int_lt(clock_ms(), end);
		before = after;
		nanosleep(&pause, NULL);
		clock_gettime(clock, &after);
	}
	worker_stop(&receiver);
	worker_join(&receiver);
	worker_fini(&receiver);
}
END_TEST

struct counted_job {
	struct disk_job job;
	int number;
};

static int order[64], n_run, n_done;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void run_counted(struct disk_job *job)
{
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	ck_assert_ptr_null(worker_current());
	order[n_run++] = CONTAINER_OF(job, struct counted_job, job)->number;
}

static void done_counted(struct disk_job *job)
{
	(void)job;
	ck_assert_ptr_eq(worker_current(), &receiver);
	n_done++;
}

static void run_free(struct disk_job *job)
{
	(void)job;
}

START_TEST(disk_jobs_run_in_order_and_reads_wait_for_none_of_them)
{
	struct counted_job jobs[4], waiting = {.job.run = run_counted, .number = 100};
	struct disk_job reads[4];
	struct disk disk;
	int64_t end = clock_ms() + 20000;

	ck_assert_int_eq(worker_init(&receiver, "receiver", 0), 0);
	pthread_mutex_lock(&gate);
	ck_assert_int_eq(disk_start(&disk, "disk", 5), 0);
	disk_post(&disk, &waiting.job);
	while (disk_busy_ms(&disk, clock_ms()) < 20)
		ck_assert(clock_ms() < end);
	for (int i = 0; i < 4; i++) {
		jobs[i] = (struct counted_job){.job = {.run = run_counted, .done = done_counted, .reply_to = &receiver},
					       .number = i};
		disk_post(&disk, &jobs[i].job);
		reads[i] = (struct disk_job){.run = run_free, .done = done_counted, .reply_to = &receiver};
		disk_post_read(&disk, &reads[i]);
	}
	while (n_done < 4) {
		ck_assert(clock_ms() < end);
		worker_turn(&receiver, 10);
	}
	ck_assert_int_eq(n_run, 0);
	ck_assert_int_eq(shared_i64_get(&disk.n_waiting), 4);
	pthread_mutex_unlock(&gate);
	while (n_done < 8) {
		ck_assert(clock_ms() < end);
		worker_turn(&receiver, 10);
	}
	disk_stop(&disk);
	ck_assert_int_eq(n_run, 5);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(order[1 + i], i);
	/* The one that was held up; on a busy machine others may be slow, too. */
	ck_assert_int_ge(shared_i64_get(&disk.n_slow), 1);
	ck_assert_int_eq(disk_busy_ms(&disk, clock_ms()), 0);
	worker_drain(&receiver);
	worker_fini(&receiver);
}
END_TEST

START_TEST(a_read_that_hangs_is_seen)
{
	struct counted_job read = {.job.run = run_counted};
	struct disk disk;
	int64_t end = clock_ms() + 20000;

	pthread_mutex_lock(&gate);
	ck_assert_int_eq(disk_start(&disk, "disk", 1000), 0);
	disk_post_read(&disk, &read.job);
	while (disk_busy_ms(&disk, clock_ms()) < 20)
		ck_assert(clock_ms() < end);
	pthread_mutex_unlock(&gate);
	disk_stop(&disk);
	ck_assert_int_eq(disk_busy_ms(&disk, clock_ms()), 0);
}
END_TEST

START_TEST(a_stopped_disk_has_run_all_jobs)
{
	struct counted_job jobs[20], reads[20];
	struct disk disk;

	ck_assert_int_eq(disk_start(&disk, "disk", 1000), 0);
	for (int i = 0; i < 20; i++) {
		jobs[i] = (struct counted_job){.job.run = run_counted, .number = i};
		disk_post(&disk, &jobs[i].job);
	}
	disk_stop(&disk);
	ck_assert_int_eq(n_run, 20);
	ck_assert_int_eq(disk_start(&disk, "disk", 1000), 0);
	for (int i = 0; i < 20; i++) {
		reads[i] = (struct counted_job){.job.run = run_counted, .number = i};
		disk_post_read(&disk, &reads[i].job);
	}
	disk_stop(&disk);
	ck_assert_int_eq(n_run, 40);
}
END_TEST

UNIT_MAIN("broker/rt/worker", messages_of_each_sender_come_in_order, a_message_can_travel_to_and_fro,
	  stop_runs_what_was_posted_before, an_idle_worker_uses_no_time,
	  disk_jobs_run_in_order_and_reads_wait_for_none_of_them,
	  a_read_that_hangs_is_seen,
	  a_stopped_disk_has_run_all_jobs)
