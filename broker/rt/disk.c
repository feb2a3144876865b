/* Disk threads; see disk.h. */
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

/* Waits for the next job; NULL when the thread is to end and none waits. */
static struct disk_job *next_job(struct disk_queue *queue)
{
	struct message *message;

	pthread_mutex_lock(&queue->lock);
	while (!queue->first && !queue->stopping)
		pthread_cond_wait(&queue->wake, &queue->lock);
	message = queue->first;
	if (message)
		queue->first = message->next;
	if (!queue->first)
		queue->tail = &queue->first;
	pthread_mutex_unlock(&queue->lock);
	return message ? job_of(message) : NULL;
}

static void run_job(struct disk_queue *queue, struct disk_job *job)
{
	struct disk *disk = queue->disk;
	int64_t began = clock_ms(), took;
	void (*done)(struct disk_job *) = job->done;

	shared_i64_add(&disk->n_waiting, -1);
	shared_i64_set(&queue->busy_since, began);
	job->run(job);
	shared_i64_set(&queue->busy_since, 0);
	took = clock_ms() - began;
	if (took > shared_i64_get(&disk->job_ms_max))
		shared_i64_set(&disk->job_ms_max, took);
	if (took > disk->slow_ms) {
		shared_i64_add(&disk->n_slow, 1);
		trace_limited(TRACE_WARN, "disk", "%s: a disk job took %lld ms", queue->name, (long long)took);
	}
	/* A job without done was its own end: run may have freed it. */
	if (!done)
		return;
	job->message.run = on_done;
	worker_post(job->reply_to, &job->message);
}

static void *queue_main(void *arg)
{
	struct disk_queue *queue = arg;
	struct disk_job *job;

	pthread_setname_np(pthread_self(), queue->name);
	while ((job = next_job(queue)))
		run_job(queue, job);
	return NULL;
}

static int queue_start(struct disk_queue *queue, struct disk *disk, const char *name, const char *what)
{
	sigset_t all, before;
	int rc;

	queue->disk = disk;
	queue->tail = &queue->first;
	snprintf(queue->name, sizeof queue->name, "%s%s", name, what);
	CHECK(pthread_mutex_init(&queue->lock, NULL) == 0);
	CHECK(pthread_cond_init(&queue->wake, NULL) == 0);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&queue->thread, NULL, queue_main, queue);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0 ? 0 : ERR_LIMIT;
}

static void queue_stop(struct disk_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->stopping = true;
	pthread_cond_signal(&queue->wake);
	pthread_mutex_unlock(&queue->lock);
	pthread_join(queue->thread, NULL);
	pthread_cond_destroy(&queue->wake);
	pthread_mutex_destroy(&queue->lock);
}

int disk_start(struct disk *disk, const char *name, int64_t slow_ms)
{
	int r;

	*disk = (struct disk){.slow_ms = slow_ms};
	r = queue_start(&disk->jobs, disk, name, "");
	if (r)
		return r;
	r = queue_start(&disk->reads, disk, name, "-read");
	if (r)
		queue_stop(&disk->jobs);
	return r;
}

static void post(struct disk_queue *queue, struct disk_job *job)
{
	CHECK(!job->done == !job->reply_to);
	job->message.next = NULL;
	shared_i64_add(&queue->disk->n_waiting, 1);
	pthread_mutex_lock(&queue->lock);
	CHECK(!queue->stopping);
	*queue->tail = &job->message;
	queue->tail = &job->message.next;
	pthread_cond_signal(&queue->wake);
	pthread_mutex_unlock(&queue->lock);
}

void disk_post(struct disk *disk, struct disk_job *job)
{
	post(&disk->jobs, job);
}

void disk_post_read(struct disk *disk, struct disk_job *job)
{
	post(&disk->reads, job);
}

void disk_goes_on(struct disk *disk)
{
	shared_i64_set(&disk->jobs.busy_since, clock_ms());
}

static int64_t busy_ms(const struct disk_queue *queue, int64_t now_ms)
{
	int64_t since = shared_i64_get(&queue->busy_since);

	return since == 0 || now_ms < since ? 0 : now_ms - since;
}

int64_t disk_busy_ms(const struct disk *disk, int64_t now_ms)
{
	int64_t jobs_ms = busy_ms(&disk->jobs, now_ms), reads_ms = busy_ms(&disk->reads, now_ms);

	return jobs_ms > reads_ms ? jobs_ms : reads_ms;
}

void disk_stop(struct disk *disk)
{
	queue_stop(&disk->jobs);
	queue_stop(&disk->reads);
}
