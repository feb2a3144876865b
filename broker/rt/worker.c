/* Thread, loop and mailbox put together; see worker.h. */
#include "broker/rt/worker.h"

#include "common/error.h"
#include "common/memory.h"

#include <signal.h>
#include <stdio.h>

static __thread struct worker *current;

struct worker *worker_current(void)
{
	return current;
}

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
	int rc;

	*worker = (struct worker){.index = index};
	snprintf(worker->name, sizeof worker->name, "%s", name);
	worker->stop.run = on_stop;
	rc = loop_init(&worker->loop);
	if (rc < 0)
		return rc;
	rc = mailbox_init(&worker->mailbox);
	if (rc < 0) {
		loop_fini(&worker->loop);
		return rc;
	}
	loop_fd_init(&worker->mail, &worker->loop, worker->mailbox.fd, on_mail);
	loop_fd_watch_edge(&worker->mail, LOOP_READ);
	return 0;
}

static void *thread_main(void *arg)
{
	struct worker *worker = arg;

	pthread_setname_np(pthread_self(), worker->name);
	worker_run(worker);
	return NULL;
}

int worker_start(struct worker *worker)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&worker->thread, NULL, thread_main, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	worker->started = rc == 0;
	return rc == 0 ? 0 : ERR_LIMIT;
}

void worker_run(struct worker *worker)
{
	current = worker;
	loop_run(&worker->loop);
	current = NULL;
}

void worker_stop(struct worker *worker)
{
	if (shared_i64_add(&worker->n_stops, 1) == 1)
		worker_post(worker, &worker->stop);
}

void worker_join(struct worker *worker)
{
	if (worker->started)
		pthread_join(worker->thread, NULL);
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
