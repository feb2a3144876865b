/* Timers on the loop of a session; see session.h. There are few: a list does. */
#include "zk/session_internal.h"

#include "common/clock.h"

void zk_timer_clear(struct zk_session *session, struct zk_timer *timer)
{
	for (struct zk_timer **link = &session->timers; *link; link = &(*link)->next) {
		if (*link != timer)
			continue;
		*link = timer->next;
		break;
	}
	timer->at_ms = 0;
}

void zk_timer_set(struct zk_session *session, struct zk_timer *timer, int64_t delay_ms)
{
	zk_timer_clear(session, timer);
	timer->at_ms = clock_ms() + delay_ms;
	timer->next = session->timers;
	session->timers = timer;
	session_wake(session);
}

void timers_run(struct zk_session *session, int64_t now)
{
	struct zk_timer *timer = session->timers;

	while (timer) {
		struct zk_timer *next = timer->next;

		if (timer->at_ms <= now) {
			zk_timer_clear(session, timer);
			timer->fired(timer);
			/* It may have changed the list. */
			next = session->timers;
		}
		timer = next;
	}
}

int64_t timers_delay(const struct zk_session *session, int64_t now, int64_t delay_ms)
{
	for (const struct zk_timer *timer = session->timers; timer; timer = timer->next) {
		int64_t left_ms = timer->at_ms > now ? timer->at_ms - now : 0;

		delay_ms = left_ms < delay_ms ? left_ms : delay_ms;
	}
	return delay_ms;
}
