/*
 * The threads of a log dir, where what may block runs, one job after the other.
 *
 *     disk_post(job) -> job->run on the disk thread -> job->done as a message on job->reply_to
 *     disk_post_read -> the same on the reading thread
 *
 * Whatever writes, syncs or moves files is a job of disk_post. Jobs of disk_post_read only read, and somebody waits for what they bring: they have
 * a thread of their own, since a sync may take a hundred milliseconds. Both run in the order of posting. A job is embedded in what it serves
 * and belongs to the thread until its done runs. A job that hangs is seen by others through disk_busy_ms: the hub's watchdog fails the dir (D10).
 */
#ifndef KLAMM_BROKER_RT_DISK_H
#define KLAMM_BROKER_RT_DISK_H

#include "broker/rt/worker.h"

struct disk_job {
	struct message message;            /* link of the queue, then of the reply */
	void (*run)(struct disk_job *job); /* on the thread it is posted to */
	void (*done)(
		struct disk_job *job); /* on reply_to; may free the job or post it again. NULL: no reply, job gone after run */
	struct worker *reply_to;       /* NULL when done is */
};

/* One thread and what waits for it. */
struct disk_queue {
	struct disk *disk;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct message *first, **tail;
	bool stopping;
	pthread_t thread;
	struct shared_i64 busy_since; /* clock_ms when the job under way began; 0 = none */
	char name[16];
};

struct disk {
	struct disk_queue jobs, reads;
	struct shared_i64 n_waiting; /* jobs posted and not begun */
	struct shared_i64 n_slow;    /* jobs that took longer than slow_ms */
	struct shared_i64 job_ms_max;
	int64_t slow_ms;
};

/* Starts the threads. A job longer than slow_ms is counted and traced. 0 or ERR_LIMIT. */
int disk_start(struct disk *disk, const char *name, int64_t slow_ms);

/* Any thread. */
void disk_post(struct disk *disk, struct disk_job *job);
void disk_post_read(struct disk *disk, struct disk_job *job);

/* On the disk thread, in a job of disk_post of many calls: it goes on, however long it takes as a whole. */
void disk_goes_on(struct disk *disk);

/* Any thread: for how long a job under way has been running, or since it last said that it goes on; 0 without one. */
int64_t disk_busy_ms(const struct disk *disk, int64_t now_ms);

/* Runs what is queued, both kinds, then ends the threads. Nobody posts any more. */
void disk_stop(struct disk *disk);

#endif
