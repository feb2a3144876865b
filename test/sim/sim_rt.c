/*
 * broker/rt on virtual time: loops, workers, disk threads, signals (broker/rt/{loop,worker,disk,signals}.h are implemented
 * here).
 *
 *     a descriptor is ready, a timer is due --> the loop is woken: a turn some microseconds later
 *     turn: timers that are due, descriptors that are ready, then deferred work        a thread has one turn at a time
 *     disk_post --> the job runs whole at the end of its service time --> done by the mailbox, as in production
 *
 * A turn is one event. Turns of different workers come in an order that the seed draws, so that messages between threads race.
 */
#include "broker/rt/disk.h"
#include "broker/rt/loop.h"
#include "broker/rt/signals.h"
#include "broker/rt/worker.h"
#include "common/clock.h"
#include "common/memory.h"
#include "test/sim/sim.h"
#include "test/sim/sim_judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- loops ---- */

struct sim_timer {
	struct sim_event event;
	struct timer *timer;
	bool due; /* waits for the turn */
	struct sim_timer *next_due, **link;
	struct sim_timer *next_armed, **armed_link; /* NULL: not armed */
};

_Static_assert(sizeof(struct sim_timer) <= sizeof(struct loop_event), "struct loop_event is too small");

#define WATCHED_MAX 4096

struct sim_loop {
	struct loop *loop;
	struct sim_process *process;
	struct worker *worker; /* whose it is */
	struct sim_event turn;
	bool runs;       /* its thread is there */
	int64_t free_us; /* the thread is at work until then */
	struct sim_timer *due, **due_tail;
	struct sim_timer *armed;
	int watched[WATCHED_MAX]; /* descriptors */
	int n_watched;
};

static struct worker *current;

struct worker *worker_current(void)
{
	return current;
}

void sim_set_worker(struct worker *worker)
{
	current = worker;
}

static struct sim_loop *sim_of(const struct loop *loop)
{
	return loop->base;
}

static struct sim_timer *timer_of(struct timer *timer)
{
	return (struct sim_timer *)(void *)&timer->event;
}

void sim_loop_wake(struct loop *loop)
{
	struct sim_loop *self = sim_of(loop);
	int64_t at_us = sim.now_us + sim_between(&sim.chance, 2, 30);

	if (!self->runs)
		return;
	/* The scheduler has something else to do, now and then. */
	if (sim_once_in(&sim.chance, 1000))
		at_us += sim_between(&sim.chance, 1, 8) * SIM_MS;
	if (at_us < self->free_us)
		at_us = self->free_us;
	if (!sim_is_queued(&self->turn) || at_us < self->turn.at_us)
		sim_at(&self->turn, at_us);
}

static void run_deferred(struct loop *loop)
{
	struct deferred *first = loop->deferred_first;

	while (first) {
		loop->deferred_first = first->next;
		if (!loop->deferred_first)
			loop->deferred_tail = &loop->deferred_first;
		first->queued = false;
		first->run(first);
		first = loop->deferred_first;
	}
}

static void arm(struct sim_loop *loop, struct sim_timer *self)
{
	if (self->armed_link)
		return;
	self->next_armed = loop->armed;
	self->armed_link = &loop->armed;
	if (self->next_armed)
		self->next_armed->armed_link = &self->next_armed;
	loop->armed = self;
}

static void disarm(struct sim_timer *self)
{
	if (!self->armed_link)
		return;
	*self->armed_link = self->next_armed;
	if (self->next_armed)
		self->next_armed->armed_link = self->armed_link;
	self->armed_link = NULL;
}

static void undue(struct sim_timer *self)
{
	struct sim_loop *loop = sim_of(self->timer->loop);

	*self->link = self->next_due;
	if (self->next_due)
		self->next_due->link = self->link;
	else
		loop->due_tail = self->link;
	self->due = false;
}

static void run_timers(struct sim_loop *self)
{
	/* Those that come due by what the others do wait for the next turn. */
	struct sim_timer *last = NULL;

	for (struct sim_timer *at = self->due; at; at = at->next_due)
		last = at;
	while (last && self->due) {
		struct sim_timer *at = self->due;
		struct timer *timer = at->timer;

		undue(at);
		if (at == last)
			last = NULL;
		timer->due_ms = -1;
		disarm(at);
		timer->on_timer(timer);
	}
}

static unsigned ready_of(const struct vfd *vfd)
{
	const struct loop_fd *fd = vfd->watcher;
	unsigned ready = fd ? vfd_ready(vfd) & fd->watched : 0;

	return vfd->edge && !vfd->fresh ? 0 : ready;
}

static void run_descriptors(struct sim_loop *self)
{
	int numbers[64], n = 0;

	for (int i = 0; i < self->n_watched && n < (int)ARRAY_LEN(numbers); i++) {
		struct vfd *vfd = vfd_find(self->watched[i]);

		if (vfd && ready_of(vfd))
			numbers[n++] = self->watched[i];
	}
	for (int i = 0; i < n; i++) {
		struct vfd *vfd = vfd_find(numbers[i]);
		unsigned ready = vfd && vfd->watcher && vfd->watcher->loop == self->loop ? ready_of(vfd) : 0;

		if (!ready)
			continue;
		vfd->fresh = false;
		vfd->watcher->on_ready(vfd->watcher, ready);
	}
}

static bool has_more(const struct sim_loop *self)
{
	for (int i = 0; i < self->n_watched; i++) {
		const struct vfd *vfd = vfd_find(self->watched[i]);

		if (vfd && ready_of(vfd))
			return true;
	}
	return self->due != NULL;
}

static void turn(struct sim_loop *self)
{
	struct loop *loop = self->loop;

	loop->busy = true;
	loop->turn_ms = clock_ms();
	run_timers(self);
	run_descriptors(self);
	run_deferred(loop);
	loop->busy = false;
}

static bool is_paused(const struct sim_machine *machine)
{
	return sim.now_us < machine->paused_until_us;
}

static void on_turn(struct sim_event *event)
{
	struct sim_loop *self = CONTAINER_OF(event, struct sim_loop, turn);
	struct sim_process *process = self->process, *before;

	if (!process->alive || !self->runs)
		return;
	if (is_paused(process->machine)) {
		sim_at(event, process->machine->paused_until_us + sim_between(&sim.chance, 1, 500));
		return;
	}
	before = sim_enter(process);
	current = self->worker;
	turn(self);
	sim_judge_turn(process, self->worker);
	current = NULL;
	self->free_us = sim.now_us + sim_between(&sim.chance, 3, 40);
	if (self->loop->stopping) {
		self->runs = false;
		if (process->main_loop == self->loop)
			sim_process_resume(process);
	} else if (has_more(self)) {
		sim_loop_wake(self->loop);
	}
	sim_leave(before);
}

int loop_init(struct loop *loop)
{
	struct sim_loop *self = NEW(struct sim_loop);

	*loop = (struct loop){.base = self};
	loop->deferred_tail = &loop->deferred_first;
	self->loop = loop;
	self->process = sim.process;
	self->turn.run = on_turn;
	self->due_tail = &self->due;
	return 0;
}

void loop_fini(struct loop *loop)
{
	struct sim_loop *self = sim_of(loop);

	CHECK(!loop->deferred_first);
	/* What is still set goes with the loop, as with libevent. */
	while (self->armed) {
		sim_cancel(&self->armed->event);
		disarm(self->armed);
	}
	sim_cancel(&self->turn);
	free(self);
	loop->base = NULL;
}

void loop_turn(struct loop *loop, int64_t wait_ms)
{
	(void)wait_ms;
	run_deferred(loop);
	turn(sim_of(loop));
}

/* Turns until it stops, without a pause: its thread is waited for. */
void loop_run(struct loop *loop)
{
	loop->stopping = false;
	run_deferred(loop);
	while (!loop->stopping) {
		turn(sim_of(loop));
		sim_judge_turn(sim_of(loop)->process, sim_of(loop)->worker);
	}
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

int64_t loop_busy_ms(const struct loop *loop, int64_t now_ms)
{
	(void)loop;
	(void)now_ms;
	return 0;
}

int64_t loop_take_lag_ms(struct loop *loop)
{
	(void)loop;
	return 0;
}

void loop_fd_init(struct loop_fd *fd, struct loop *loop, int fd_number, void (*on_ready)(struct loop_fd *fd, unsigned what))
{
	*fd = (struct loop_fd){.loop = loop, .fd = fd_number, .on_ready = on_ready};
}

static void forget_watched(struct sim_loop *self, int number)
{
	for (int i = 0; i < self->n_watched; i++) {
		if (self->watched[i] != number)
			continue;
		self->n_watched--;
		memmove(&self->watched[i], &self->watched[i + 1], (size_t)(self->n_watched - i) * sizeof(int));
		return;
	}
}

static void watch(struct loop_fd *fd, unsigned what, bool edge)
{
	struct sim_loop *self = sim_of(fd->loop);
	struct vfd *vfd = vfd_find(fd->fd);

	if (fd->watched == what)
		return;
	if (!fd->watched) {
		CHECK(self->n_watched < WATCHED_MAX);
		self->watched[self->n_watched++] = fd->fd;
	} else if (!what) {
		forget_watched(self, fd->fd);
	}
	fd->watched = what;
	/* The descriptor may be closed already: then there is nothing to watch. */
	if (!vfd)
		return;
	vfd->watcher = what ? fd : NULL;
	vfd->edge = edge;
	vfd->fresh = true;
	vfd_news(vfd);
}

void loop_fd_watch(struct loop_fd *fd, unsigned what)
{
	watch(fd, what, false);
}

void loop_fd_watch_edge(struct loop_fd *fd, unsigned what)
{
	watch(fd, what, true);
}

/* ---- timers ---- */

static void on_due(struct sim_event *event)
{
	struct sim_timer *self = CONTAINER_OF(event, struct sim_timer, event);
	struct sim_loop *loop = sim_of(self->timer->loop);
	struct sim_machine *machine = loop->process->machine;

	if (!loop->process->alive)
		return;
	/* Clocks run at different rates, and the conversion rounds. */
	if (sim_local_us(machine) / 1000 < self->timer->due_ms) {
		sim_at(event, sim.now_us + 300);
		return;
	}
	self->due = true;
	self->next_due = NULL;
	self->link = loop->due_tail;
	*loop->due_tail = self;
	loop->due_tail = &self->next_due;
	sim_loop_wake(self->timer->loop);
}

void timer_init(struct timer *timer, struct loop *loop, void (*on_timer)(struct timer *timer))
{
	struct sim_timer *self = timer_of(timer);

	*timer = (struct timer){.loop = loop, .due_ms = -1, .on_timer = on_timer};
	self->timer = timer;
	self->event.run = on_due;
}

void timer_set(struct timer *timer, int64_t due_ms)
{
	struct sim_timer *self = timer_of(timer);
	struct sim_machine *machine = sim_of(timer->loop)->process->machine;

	if (due_ms < 0)
		due_ms = 0;
	if (timer->due_ms == due_ms)
		return;
	if (self->due)
		undue(self);
	timer->due_ms = due_ms;
	arm(sim_of(timer->loop), self);
	/* A time beyond the run never comes. */
	if (due_ms > INT64_C(1) << 40)
		sim_cancel(&self->event);
	else
		sim_at(&self->event, sim_global_us(machine, due_ms * 1000));
}

void timer_set_earlier(struct timer *timer, int64_t due_ms)
{
	if (!timer_is_set(timer) || due_ms < timer->due_ms)
		timer_set(timer, due_ms);
}

void timer_stop(struct timer *timer)
{
	struct sim_timer *self = timer_of(timer);

	if (!timer_is_set(timer))
		return;
	if (self->due)
		undue(self);
	sim_cancel(&self->event);
	disarm(self);
	timer->due_ms = -1;
}

void loop_defer(struct loop *loop, struct deferred *deferred)
{
	if (deferred->queued)
		return;
	deferred->queued = true;
	deferred->next = NULL;
	*loop->deferred_tail = deferred;
	loop->deferred_tail = &deferred->next;
	if (!loop->busy)
		sim_loop_wake(loop);
}

void loop_undefer(struct loop *loop, struct deferred *deferred)
{
	struct deferred **at = &loop->deferred_first;

	if (!deferred->queued)
		return;
	while (*at != deferred)
		at = &(*at)->next;
	*at = deferred->next;
	if (!deferred->next)
		loop->deferred_tail = at;
	deferred->queued = false;
}

/* ---- workers ---- */

static bool run_messages(struct worker *worker)
{
	struct message *message = mailbox_take(&worker->mailbox);
	bool any = message != NULL;

	while (message) {
		struct message *next = message->next;

		message->run(message);
		message = next;
	}
	return any;
}

static void on_mail(struct loop_fd *fd, unsigned what)
{
	(void)what;
	run_messages(CONTAINER_OF(fd, struct worker, mail));
}

static void on_stop(struct message *message)
{
	loop_stop(&CONTAINER_OF(message, struct worker, stop)->loop);
}

int worker_init(struct worker *worker, const char *name, unsigned index)
{
	*worker = (struct worker){.index = index};
	snprintf(worker->name, sizeof worker->name, "%s", name);
	worker->stop.run = on_stop;
	CHECK(loop_init(&worker->loop) == 0);
	sim_of(&worker->loop)->worker = worker;
	CHECK(mailbox_init(&worker->mailbox) == 0);
	loop_fd_init(&worker->mail, &worker->loop, worker->mailbox.fd, on_mail);
	loop_fd_watch_edge(&worker->mail, LOOP_READ);
	return 0;
}

static void start(struct worker *worker)
{
	struct sim_loop *self = sim_of(&worker->loop);

	worker->loop.stopping = false;
	self->runs = true;
	sim_loop_wake(&worker->loop);
}

int worker_start(struct worker *worker)
{
	worker->started = true;
	start(worker);
	return 0;
}

void worker_run(struct worker *worker)
{
	start(worker);
	sim_process_wait(&worker->loop);
}

void worker_stop(struct worker *worker)
{
	if (shared_i64_add(&worker->n_stops, 1) == 1)
		worker_post(worker, &worker->stop);
}

/* The one who waits is the main thread of the process: until the other ends nothing else happens there. */
void worker_join(struct worker *worker)
{
	struct sim_loop *self = sim_of(&worker->loop);
	struct worker *before = current;

	if (worker->started && !worker->loop.stopping) {
		current = worker;
		loop_run(&worker->loop);
		current = before;
	}
	self->runs = false;
	worker->started = false;
}

void worker_turn(struct worker *worker, int64_t wait_ms)
{
	struct worker *before = current;

	CHECK(!worker->started);
	current = worker;
	loop_turn(&worker->loop, wait_ms);
	current = before;
}

void worker_drain(struct worker *worker)
{
	struct worker *before = current;

	CHECK(!worker->started);
	current = worker;
	while (run_messages(worker))
		loop_turn(&worker->loop, 0);
	loop_turn(&worker->loop, 0);
	current = before;
}

void worker_fini(struct worker *worker)
{
	loop_fd_watch(&worker->mail, 0);
	mailbox_fini(&worker->mailbox);
	loop_fini(&worker->loop);
}

void worker_post(struct worker *worker, struct message *message)
{
	mailbox_post(&worker->mailbox, message);
}

/* ---- disk threads ---- */

struct sim_disk {
	struct sim_event event;
	struct disk_queue *queue;
	struct sim_process *process;
};

static struct disk_job *job_of(struct message *message)
{
	return CONTAINER_OF(message, struct disk_job, message);
}

static void on_done(struct message *message)
{
	struct disk_job *job = job_of(message);

	job->done(job);
}

static struct sim_disk *sim_disk_of(const struct disk_queue *queue)
{
	return (struct sim_disk *)queue->thread;
}

static struct disk_job *take_job(struct disk_queue *queue)
{
	struct message *message = queue->first;

	if (!message)
		return NULL;
	queue->first = message->next;
	if (!queue->first)
		queue->tail = &queue->first;
	return job_of(message);
}

static bool run_next_job(struct disk_queue *queue)
{
	struct disk_job *job = take_job(queue);
	void (*done)(struct disk_job *);

	if (!job)
		return false;
	shared_i64_add(&queue->disk->n_waiting, -1);
	done = job->done;
	job->run(job);
	/* A job without done was its own end: run may have freed it. */
	if (!done)
		return true;
	job->message.run = on_done;
	worker_post(job->reply_to, &job->message);
	return true;
}

static void schedule_disk(struct sim_disk *self)
{
	const struct sim_machine *machine = self->process->machine;
	int64_t service_us = sim_between(&sim.chance, 20, 300);

	if (!self->queue->first)
		return;
	if (sim.now_us < machine->disk_slow_until_us)
		service_us += sim_between(&sim.chance, 1, 2000) * SIM_MS;
	if (!sim_is_queued(&self->event))
		sim_at(&self->event, sim.now_us + service_us);
}

static void on_disk(struct sim_event *event)
{
	struct sim_disk *self = CONTAINER_OF(event, struct sim_disk, event);
	struct sim_process *before;
	struct worker *worker = current;

	if (!self->process->alive || !self->queue)
		return;
	if (is_paused(self->process->machine)) {
		sim_at(event, self->process->machine->paused_until_us + 1);
		return;
	}
	before = sim_enter(self->process);
	current = NULL;
	run_next_job(self->queue);
	current = worker;
	sim_leave(before);
	schedule_disk(self);
}

static void queue_start(struct disk_queue *queue, struct disk *disk, const char *name)
{
	struct sim_disk *self = NEW(struct sim_disk);

	queue->disk = disk;
	queue->tail = &queue->first;
	snprintf(queue->name, sizeof queue->name, "%s", name);
	self->queue = queue;
	self->process = sim.process;
	self->event.run = on_disk;
	queue->thread = (pthread_t)self;
}

int disk_start(struct disk *disk, const char *name, int64_t slow_ms)
{
	*disk = (struct disk){.slow_ms = slow_ms};
	queue_start(&disk->jobs, disk, name);
	queue_start(&disk->reads, disk, name);
	return 0;
}

static void post(struct disk_queue *queue, struct disk_job *job)
{
	CHECK(!job->done == !job->reply_to && !queue->stopping);
	job->message.next = NULL;
	shared_i64_add(&queue->disk->n_waiting, 1);
	*queue->tail = &job->message;
	queue->tail = &job->message.next;
	schedule_disk(sim_disk_of(queue));
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
	(void)disk;
}

int64_t disk_busy_ms(const struct disk *disk, int64_t now_ms)
{
	(void)disk;
	(void)now_ms;
	return 0;
}

static void queue_stop(struct disk_queue *queue)
{
	struct sim_disk *self = sim_disk_of(queue);

	queue->stopping = true;
	while (run_next_job(queue))
		;
	sim_cancel(&self->event);
	free(self);
}

void disk_stop(struct disk *disk)
{
	queue_stop(&disk->jobs);
	queue_stop(&disk->reads);
}

/* ---- signals ---- */

void signals_block(void)
{
}

void signals_unblock(void)
{
}

int signals_open(struct signals *signals, struct loop *loop, void (*on_signal)(void *ctx, int signal_number), void *ctx)
{
	*signals = (struct signals){.on_signal = on_signal, .ctx = ctx};
	(void)loop;
	sim.process->on_signal = on_signal;
	sim.process->signal_ctx = ctx;
	return 0;
}

void signals_close(struct signals *signals)
{
	(void)signals;
	sim.process->on_signal = NULL;
}
