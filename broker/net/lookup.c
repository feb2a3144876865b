/*
 * See lookup.h. The lock is the resolver's: it guards questions and who asks them; nothing blocks while it is held. Resolver and lookups live as long as
 * somebody may come back to them: a thread, the asking worker.
 */
#include "broker/net/lookup.h"

#include "broker/net/address.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/refcount.h"
#include "common/trace.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct question {
	struct question *prev, *next; /* of the resolver */
	struct lookup *askers;        /* may all have gone when it is under way */
	bool is_begun;
	char host[LOOKUP_HOST_BYTES];
};

struct resolver {
	struct refcount refs; /* of its owner, its threads and its lookups */
	resolver_ask *ask;
	int64_t ms_max;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct question *questions; /* as they were asked */
	int n_waiting;              /* of them, not begun */
	int n_threads, n_idle;
	bool is_stopping;
};

struct lookup {
	struct message message; /* with the answer */
	struct resolver *resolver;
	struct question *question;  /* NULL: the answer is on its way */
	struct lookup *prev, *next; /* of the question */
	struct worker *worker;
	struct timer timer;
	lookup_done *done; /* NULL: no longer wanted */
	void *ctx;
	uint16_t port;
	int code;
	struct sockaddr_storage address;
};

/* ---- the resolver's life ---- */

static int ask_library(const char *host, struct sockaddr_storage *ret_address)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *found = NULL;
	int code = getaddrinfo(host, NULL, &hints, &found);

	if (code == 0)
		memcpy(ret_address, found->ai_addr, found->ai_addrlen);
	if (found)
		freeaddrinfo(found);
	return code;
}

struct resolver *resolver_new(resolver_ask *ask, int64_t ms_max)
{
	struct resolver *resolver = NEW(struct resolver);

	refcount_init(&resolver->refs);
	resolver->ask = ask ? ask : ask_library;
	resolver->ms_max = ms_max ? ms_max : LOOKUP_MS_MAX;
	CHECK(pthread_mutex_init(&resolver->lock, NULL) == 0);
	CHECK(pthread_cond_init(&resolver->wake, NULL) == 0);
	return resolver;
}

static void drop_question(struct resolver *resolver, struct question *question)
{
	DL_DELETE(resolver->questions, question);
	resolver->n_waiting -= !question->is_begun;
	free(question);
}

static void release(struct resolver *resolver)
{
	if (!refcount_release(&resolver->refs))
		return;
	while (resolver->questions)
		drop_question(resolver, resolver->questions);
	pthread_cond_destroy(&resolver->wake);
	pthread_mutex_destroy(&resolver->lock);
	free(resolver);
}

void resolver_free(struct resolver *resolver)
{
	if (!resolver)
		return;
	pthread_mutex_lock(&resolver->lock);
	resolver->is_stopping = true;
	pthread_cond_broadcast(&resolver->wake);
	pthread_mutex_unlock(&resolver->lock);
	release(resolver);
}

/* ---- answers, on the asking worker ---- */

static void lookup_free(struct lookup *lookup)
{
	timer_stop(&lookup->timer);
	release(lookup->resolver);
	free(lookup);
}

static void on_answered(struct message *message)
{
	struct lookup *lookup = CONTAINER_OF(message, struct lookup, message);

	if (lookup->done && lookup->code == 0)
		lookup->done(lookup->ctx, &lookup->address, NULL);
	else if (lookup->done)
		lookup->done(lookup->ctx, NULL, gai_strerror(lookup->code));
	lookup_free(lookup);
}

/* False: its answer is on its way. */
static bool leave_question(struct lookup *lookup)
{
	struct resolver *resolver = lookup->resolver;
	struct question *question;

	pthread_mutex_lock(&resolver->lock);
	question = lookup->question;
	if (question) {
		DL_DELETE(question->askers, lookup);
		if (!question->askers && !question->is_begun)
			drop_question(resolver, question);
	}
	pthread_mutex_unlock(&resolver->lock);
	return question != NULL;
}

static void on_late(struct timer *timer)
{
	struct lookup *lookup = CONTAINER_OF(timer, struct lookup, timer);

	if (!leave_question(lookup))
		return;
	lookup->done(lookup->ctx, NULL, "no name server has answered");
	lookup_free(lookup);
}

void lookup_cancel(struct lookup *lookup)
{
	lookup->done = NULL;
	if (leave_question(lookup))
		lookup_free(lookup);
}

/* ---- the threads ---- */

/* The lock is held. */
static struct question *next_question(struct resolver *resolver)
{
	struct question *question;

	DL_FOREACH(resolver->questions, question)
		if (!question->is_begun)
			return question;
	return NULL;
}

/* The lock is held. The workers may be gone when the resolver stops: then all that asked stay, to be cancelled. */
static void answer_all(struct resolver *resolver, struct question *question, int code, const struct sockaddr_storage *address)
{
	if (resolver->is_stopping)
		return;
	while (question->askers) {
		struct lookup *lookup = question->askers;

		DL_DELETE(question->askers, lookup);
		lookup->question = NULL;
		lookup->code = code;
		lookup->address = *address;
		address_set_port(&lookup->address, lookup->port);
		lookup->message.run = on_answered;
		worker_post(lookup->worker, &lookup->message);
	}
	drop_question(resolver, question);
}

static void work(struct resolver *resolver)
{
	struct question *question = next_question(resolver);
	struct sockaddr_storage address = {0};
	int code;

	if (!question) {
		resolver->n_idle++;
		pthread_cond_wait(&resolver->wake, &resolver->lock);
		resolver->n_idle--;
		return;
	}
	question->is_begun = true;
	resolver->n_waiting--;
	pthread_mutex_unlock(&resolver->lock);
	code = resolver->ask(question->host, &address);
	pthread_mutex_lock(&resolver->lock);
	answer_all(resolver, question, code, &address);
}

static void *resolver_main(void *arg)
{
	struct resolver *resolver = arg;

	pthread_setname_np(pthread_self(), "resolver");
	pthread_mutex_lock(&resolver->lock);
	while (!resolver->is_stopping)
		work(resolver);
	pthread_mutex_unlock(&resolver->lock);
	release(resolver);
	return NULL;
}

/* The lock is held. Where no thread can be made, the others do it; without any the lookup ends by its time. */
static void start_thread(struct resolver *resolver)
{
	sigset_t all, before;
	pthread_t thread;
	int code;

	refcount_retain(&resolver->refs);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&thread, NULL, resolver_main, resolver);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code == 0) {
		pthread_detach(thread);
		resolver->n_threads++;
		return;
	}
	trace_limited(TRACE_WARN, "lookup", "a thread for host names cannot be made: %s", strerror(code));
	refcount_release(&resolver->refs);
}

/* ---- asking ---- */

/* The lock is held. */
static struct question *question_of(struct resolver *resolver, const char *host)
{
	struct question *question;

	DL_FOREACH(resolver->questions, question)
		if (strcmp(question->host, host) == 0)
			return question;
	question = NEW(struct question);
	snprintf(question->host, sizeof question->host, "%s", host);
	DL_APPEND(resolver->questions, question);
	resolver->n_waiting++;
	if (resolver->n_waiting > resolver->n_idle && resolver->n_threads < RESOLVER_THREADS_MAX)
		start_thread(resolver);
	pthread_cond_signal(&resolver->wake);
	return question;
}

struct lookup *lookup_start(struct resolver *resolver, struct worker *worker, const char *host, uint16_t port, lookup_done *done, void *ctx)
{
	struct lookup *lookup = NEW(struct lookup);
	char name[LOOKUP_HOST_BYTES];

	snprintf(name, sizeof name, "%s", host);
	refcount_retain(&resolver->refs);
	lookup->resolver = resolver;
	lookup->worker = worker;
	lookup->done = done;
	lookup->ctx = ctx;
	lookup->port = port;
	timer_init(&lookup->timer, &worker->loop, on_late);
	timer_set(&lookup->timer, clock_ms() + resolver->ms_max);
	pthread_mutex_lock(&resolver->lock);
	lookup->question = question_of(resolver, name);
	DL_APPEND(lookup->question->askers, lookup);
	pthread_mutex_unlock(&resolver->lock);
	return lookup;
}
