/* See budget.h. */
#include "broker/net/budget.h"

#include "common/check.h"
#include "common/memory.h"

enum wait_phase { WAIT_IDLE, WAIT_QUEUED, WAIT_GRANTED };

void budget_init(struct budget *budget, int64_t total_bytes, int64_t reserve_bytes)
{
	*budget = (struct budget){.total = total_bytes, .reserve = reserve_bytes};
	budget->tail = &budget->first;
	CHECK(pthread_mutex_init(&budget->lock, NULL) == 0);
}

void budget_fini(struct budget *budget)
{
	CHECK(!budget->first);
	pthread_mutex_destroy(&budget->lock);
}

static int64_t limit_of(const struct budget *budget, enum budget_class class)
{
	return class == BUDGET_CLUSTER ? budget->total + budget->reserve : budget->total;
}

/* Adds the bytes if they stay within the limit of the class. */
static bool take(struct budget *budget, size_t bytes, enum budget_class class)
{
	if (shared_i64_add_ordered(&budget->used, (int64_t)bytes) <= limit_of(budget, class))
		return true;
	shared_i64_add_ordered(&budget->used, -(int64_t)bytes);
	return false;
}

static void grant(struct budget *budget, struct budget_wait **at, bool rescued)
{
	struct budget_wait *wait = *at;

	*at = wait->next;
	if (!*at)
		budget->tail = at;
	wait->rescued = rescued;
	wait->phase = WAIT_GRANTED;
	shared_i64_add_ordered(&budget->n_waiting, -1);
	worker_post(wait->worker, &wait->message);
}

/* Under the lock: serves the queue in order, each class up to its limit, then one who cannot be helped otherwise. */
static void serve(struct budget *budget)
{
	bool blocked[] = {[BUDGET_CLIENT] = false, [BUDGET_CLUSTER] = false};
	struct budget_wait **at = &budget->first;

	while (*at) {
		struct budget_wait *wait = *at;

		if (!blocked[wait->class] && take(budget, wait->bytes, wait->class)) {
			grant(budget, at, false);
			continue;
		}
		blocked[wait->class] = true;
		if (wait->wants_rescue && !budget->rescuing) {
			budget->rescuing = true;
			budget_force(budget, wait->bytes);
			grant(budget, at, true);
			continue;
		}
		at = &wait->next;
	}
}

static void serve_locked(struct budget *budget)
{
	pthread_mutex_lock(&budget->lock);
	serve(budget);
	pthread_mutex_unlock(&budget->lock);
}

bool budget_try(struct budget *budget, size_t bytes, enum budget_class class)
{
	if (class == BUDGET_CLIENT && budget_is_short(budget))
		return false;
	if (take(budget, bytes, class))
		return true;
	/* For a moment too much was taken; who looked in that moment and went to wait is looked after here. */
	if (budget_is_short(budget))
		serve_locked(budget);
	return false;
}

void budget_force(struct budget *budget, size_t bytes)
{
	shared_i64_add_ordered(&budget->used, (int64_t)bytes);
}

void budget_give(struct budget *budget, size_t bytes)
{
	CHECK(shared_i64_add_ordered(&budget->used, -(int64_t)bytes) >= 0);
	if (budget_is_short(budget))
		serve_locked(budget);
}

bool budget_is_full(const struct budget *budget, enum budget_class class)
{
	return shared_i64_get_ordered(&budget->used) >= limit_of(budget, class);
}

bool budget_is_short(const struct budget *budget)
{
	return shared_i64_get_ordered(&budget->n_waiting) > 0;
}

static void on_message(struct message *message)
{
	struct budget_wait *wait = CONTAINER_OF(message, struct budget_wait, message);

	wait->phase = WAIT_IDLE;
	wait->on_granted(wait, wait->rescued);
}

void budget_wait_init(struct budget_wait *wait, struct worker *worker, enum budget_class class,
		      void (*on_granted)(struct budget_wait *wait, bool rescued))
{
	*wait = (struct budget_wait){.worker = worker, .class = class, .on_granted = on_granted, .message.run = on_message};
}

void budget_queue(struct budget *budget, struct budget_wait *wait, size_t bytes, bool wants_rescue)
{
	CHECK(wait->phase == WAIT_IDLE);
	wait->bytes = bytes;
	wait->wants_rescue = wants_rescue;
	wait->next = NULL;
	pthread_mutex_lock(&budget->lock);
	wait->phase = WAIT_QUEUED;
	*budget->tail = wait;
	budget->tail = &wait->next;
	shared_i64_add_ordered(&budget->n_waiting, 1);
	/* What was given back between the caller's try and now would wake nobody else. */
	serve(budget);
	pthread_mutex_unlock(&budget->lock);
}

void budget_rescue_over(struct budget *budget)
{
	pthread_mutex_lock(&budget->lock);
	CHECK(budget->rescuing);
	budget->rescuing = false;
	serve(budget);
	pthread_mutex_unlock(&budget->lock);
}

bool budget_cancel(struct budget *budget, struct budget_wait *wait)
{
	struct budget_wait **at;
	bool queued;

	pthread_mutex_lock(&budget->lock);
	queued = wait->phase == WAIT_QUEUED;
	if (queued) {
		for (at = &budget->first; *at != wait; at = &(*at)->next)
			;
		*at = wait->next;
		if (!*at)
			budget->tail = at;
		wait->phase = WAIT_IDLE;
		shared_i64_add_ordered(&budget->n_waiting, -1);
		/* It may have stood in front of one that fits. */
		serve(budget);
	}
	pthread_mutex_unlock(&budget->lock);
	return queued;
}

int64_t budget_used(const struct budget *budget)
{
	return shared_i64_get(&budget->used);
}
