/* The disk thread; see disk.h. */
#include "broker/rt/disk.h"

#include "common/clock.h"
#include "common/error.h"
#include "common/memory.h"
#include "common/trace.h"

#include <signal.h>
#include <stdio.h>

static struct disk_job *job_of(struct message *message)
{
	return CONTAINER_OF(message, struct disk_job, message);
}

static void on_done(struct message *message)
{
	struct disk_job *job = job_of(message);

	job->done(job);
}

/* The next job under the lock, NULL when none waits. */
static struct disk_job *take_job(struct message **first, struct message ***tail)
{
	struct message *message = *first;

	if (!message)
		return NULL;
	*first = message->next;
	if (!*first)
		*tail = first;
	return job_of(message);
}

static struct disk_job *next_job(struct disk *disk)
{
	struct disk_job *job;

	pthread_mutex_lock(&disk->lock);
	for (;;) {
		job = take_job(&disk->first, &disk->tail);
		if (!job)
			job = take_job(&disk->later_first, &disk->later_tail);
		if (job || disk->stopping)
			break;
		pthread_cond_wait(&disk->wake, &disk->lock);
	}
	pthread_mutex_unlock(&disk->lock);
	return job;
}

static void run_job(struct disk *disk, struct disk_job *job)
{
	int64_t began = clock_ms(), took;
	void (*done)(struct disk_job *) = job->done;

	shared_i64_add(&disk->n_waiting, -1);
	shared_i64_set(&disk->busy_since, began);
	job->run(job);
	shared_i64_set(&disk->busy_since, 0);
	took = clock_ms() - began;
	if (took > shared_i64_get(&disk->job_ms_max))
		shared_i64_set(&disk->job_ms_max, took);
	if (took > disk->slow_ms) {
		shared_i64_add(&disk->n_slow, 1);
		trace_limited(TRACE_WARN, "disk", "%s: a disk job took %lld ms", disk->name, (long long)took);
	}
	/* A job without done was its own end: run may have freed it. */
	if (!done)
		return;
	job->message.run = on_done;
	worker_post(job->reply_to, &job->message);
}

static void *disk_main(void *arg)
{
	struct disk *disk = arg;
	struct disk_job *job;

	pthread_setname_np(pthread_self(), disk->name);
	while ((job = next_job(disk)))
		run_job(disk, job);
	return NULL;
}

int disk_start(struct disk *disk, const char *name, int64_t slow_ms)
{
	sigset_t all, before;
	int rc;

	*disk = (struct disk){.slow_ms = slow_ms};
	snprintf(disk->name, sizeof disk->name, "%s", name);
	disk->tail = &disk->first;
	disk->later_tail = &disk->later_first;
	CHECK(pthread_mutex_init(&disk->lock, NULL) == 0);
	CHECK(pthread_cond_init(&disk->wake, NULL) == 0);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&disk->thread, NULL, disk_main, disk);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0 ? 0 : ERR_LIMIT;
}

static void post(struct disk *disk, struct disk_job *job, struct message ***tail)
{
	CHECK(!job->done == !job->reply_to);
	job->message.next = NULL;
	shared_i64_add(&disk->n_waiting, 1);
	pthread_mutex_lock(&disk->lock);
	CHECK(!disk->stopping);
	**tail = &job->message;
	*tail = &job->message.next;
	pthread_cond_signal(&disk->wake);
	pthread_mutex_unlock(&disk->lock);
}

void disk_post(struct disk *disk, struct disk_job *job)
{
	post(disk, job, &disk->tail);
}

void disk_post_later(struct disk *disk, struct disk_job *job)
{
	post(disk, job, &disk->later_tail);
}

void disk_goes_on(struct disk *disk)
{
	shared_i64_set(&disk->busy_since, clock_ms());
}

int64_t disk_busy_ms(const struct disk *disk, int64_t now_ms)
{
	int64_t since = shared_i64_get(&disk->busy_since);

	return since == 0 || now_ms < since ? 0 : now_ms - since;
}

void disk_stop(struct disk *disk)
{
	pthread_mutex_lock(&disk->lock);
	disk->stopping = true;
	pthread_cond_signal(&disk->wake);
	pthread_mutex_unlock(&disk->lock);
	pthread_join(disk->thread, NULL);
	pthread_cond_destroy(&disk->wake);
	pthread_mutex_destroy(&disk->lock);
}
