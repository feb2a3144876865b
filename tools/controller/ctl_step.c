/* Dispatch of events, start of the office, time; see ctl_step.h. */
#include "tools/controller/ctl_step.h"

#include "common/check.h"
#include "tools/controller/ctl_admin.h"
#include "tools/controller/ctl_balance.h"
#include "tools/controller/ctl_broker.h"
#include "tools/controller/ctl_config.h"
#include "tools/controller/ctl_delete.h"
#include "tools/controller/ctl_failure.h"
#include "tools/controller/ctl_isr.h"
#include "tools/controller/ctl_leftover.h"
#include "tools/controller/ctl_legacy.h"
#include "tools/controller/ctl_partition.h"
#include "tools/controller/ctl_reassign.h"
#include "tools/controller/ctl_topic.h"
#include "tools/controller/ctl_view.h"

struct ctl_action *ctl_ask(struct ctl *ctl, enum ctl_read read, struct slice topic)
{
	struct ctl_action *action = ctl_action_add(ctl->out, CTL_DO_READ);

	action->read = read;
	action->topic = topic;
	if (ctl->loading)
		ctl->n_asked++;
	return action;
}

void ctl_retry_later(struct ctl *ctl, int64_t delay_ms)
{
	if (ctl->retry_ms == 0)
		ctl->retry_ms = ctl->now_ms + delay_ms;
}

/* ---- the office ---- */

static void on_elected(struct ctl *ctl, const struct ctl_event *event)
{
	CHECK(!ctl->active);
	ctl->active = true;
	ctl->loading = true;
	ctl->epoch = event->epoch;
	ctl->epoch_version = event->epoch_version;
	ctl->epoch_seen = event->epoch;
	ctl->ruled_since = event->ruled_since;
	ctl_ask(ctl, CTL_READ_BROKERS, SLICE_NULL);
	ctl_ask(ctl, CTL_READ_TOPICS, SLICE_NULL);
	ctl_ask(ctl, CTL_READ_DELETIONS, SLICE_NULL);
	ctl_ask(ctl, CTL_READ_BROKER_CONFIGS, SLICE_NULL);
}

static void decide_all(struct ctl *ctl)
{
	ctl_broker_take_in(ctl);
	ctl_broker_choose_office(ctl);
	ctl_partition_check_all(ctl);
	ctl_delete_check_all(ctl);
}

static void raise_epoch(struct ctl *ctl)
{
	ctl->raising = true;
	ctl_action_report(ctl->out, true,
			  "a partition state bears controller epoch %d, ours is %d: the office is taken anew with epoch %d "
			  "(left behind by a rolled back KRaft migration)",
			  ctl->epoch_seen, ctl->epoch, ctl->epoch_seen + 1);
	ctl_action_add(ctl->out, CTL_DO_RAISE_EPOCH)->epoch = ctl->epoch_seen + 1;
}

void ctl_epoch_seen(struct ctl *ctl, int32_t epoch)
{
	if (epoch <= ctl->epoch_seen || epoch == INT32_MAX)
		return;
	ctl->epoch_seen = epoch;
	if (!ctl->loading && !ctl->raising)
		raise_epoch(ctl);
}

static void report_loaded(struct ctl *ctl)
{
	int64_t n_partitions = 0;

	for (struct ctl_topic *topic = ctl->topics; topic; topic = topic->next)
		n_partitions += topic->n_partitions;
	ctl_action_report(ctl->out, false, "controller epoch %d: %d topics with %lld partitions on %d brokers are read", ctl->epoch,
			  ctl->n_topics, (long long)n_partitions, ctl->n_brokers);
}

static void on_asked_answered(struct ctl *ctl)
{
	if (!ctl->loading)
		return;
	CHECK(ctl->n_asked > 0);
	if (--ctl->n_asked > 0)
		return;
	ctl->loading = false;
	report_loaded(ctl);
	if (ctl->epoch_seen > ctl->epoch) {
		raise_epoch(ctl);
	} else {
		decide_all(ctl);
		ctl_legacy_begin(ctl);
	}
	ctl_balance_begin(ctl);
}

/* ---- events ---- */

static void on_read_of_topic(struct ctl *ctl, const struct ctl_event *event)
{
	struct ctl_topic *topic = ctl_topic_find(ctl, event->topic);

	if (!topic)
		return;
	if (event->read == CTL_READ_TOPIC)
		ctl_topic_on_node_read(ctl, topic, event->node);
	else if (event->read == CTL_READ_STATES)
		ctl_topic_on_states_read(ctl, topic, event);
	else {
		ctl_config_on_topic_read(ctl, topic, event);
		ctl_topic_may_go_live(ctl, topic);
	}
}

static void on_read(struct ctl *ctl, const struct ctl_event *event)
{
	switch (event->read) {
	case CTL_READ_BROKERS:
		ctl_broker_on_read(ctl, event);
		break;
	case CTL_READ_TOPICS:
		ctl_topic_on_list_read(ctl, event);
		break;
	case CTL_READ_DELETIONS:
		ctl_delete_on_read(ctl, event);
		break;
	case CTL_READ_BROKER_CONFIGS:
		ctl_config_on_brokers_read(ctl, event);
		break;
	case CTL_READ_ELECTIONS:
		ctl_legacy_on_elections_read(ctl, event->legacy);
		break;
	case CTL_READ_REASSIGNMENTS:
		ctl_legacy_on_reassignments_read(ctl, event->legacy);
		break;
	case CTL_READ_TOPIC:
	case CTL_READ_STATES:
	case CTL_READ_TOPIC_CONFIG:
		on_read_of_topic(ctl, event);
		break;
	}
	if (event->asked)
		on_asked_answered(ctl);
}

static void on_written(struct ctl *ctl, const struct ctl_event *event)
{
	for (int i = 0; i < event->n_written; i++) {
		const struct ctl_written *written = &event->written[i];
		struct ctl_topic *topic = ctl_topic_find(ctl, written->topic);

		if (written->topic.len == 0)
			ctl_legacy_on_written(ctl, written);
		if (!topic)
			continue;
		if (written->partition >= 0)
			ctl_partition_on_written(ctl, topic, written);
		else if (topic->deletion == CTL_DELETION_ERASING)
			ctl_delete_on_erased(ctl, topic, written);
		else
			ctl_topic_on_written(ctl, topic, written);
	}
}

static void on_results(struct ctl *ctl, const struct ctl_event *event)
{
	struct ctl_broker *broker = ctl_broker_find(ctl, event->broker);

	if (!broker || broker->epoch != event->broker_epoch || !broker->reached)
		return;
	ctl_failure_on_results(ctl, broker, event);
	if (event->error != 0) {
		ctl_action_report(ctl->out, true, "broker %d refuses request %lld with error %d", broker->id, (long long)event->request,
				  event->error);
		return;
	}
	for (int i = 0; i < event->n_ends; i++)
		ctl_partition_on_end(ctl, broker, &event->ends[i]);
	ctl_delete_on_results(ctl, broker, event);
	ctl_leftover_on_results(ctl, broker, event);
	ctl_broker_on_answer(ctl, broker, event->request);
}

static void on_timer(struct ctl *ctl)
{
	ctl_broker_on_timer(ctl);
	ctl_failure_on_timer(ctl);
	ctl_balance_on_timer(ctl);
	if (ctl->retry_ms == 0 || ctl->retry_ms > ctl->now_ms)
		return;
	ctl->retry_ms = 0;
	ctl_delete_retry(ctl);
	ctl_leftover_retry(ctl);
	ctl_reassign_retry(ctl);
	ctl_legacy_retry(ctl);
	decide_all(ctl);
}

static void dispatch(struct ctl *ctl, const struct ctl_event *event)
{
	switch (event->kind) {
	case CTL_ELECTED:
		on_elected(ctl, event);
		break;
	case CTL_READ_DONE:
		on_read(ctl, event);
		break;
	case CTL_WRITE_DONE:
		on_written(ctl, event);
		break;
	case CTL_REACHED:
		ctl_broker_on_reached(ctl, event);
		break;
	case CTL_LOST:
		ctl_broker_on_lost(ctl, event);
		break;
	case CTL_RESULTS:
		on_results(ctl, event);
		break;
	case CTL_GAP:
		ctl_broker_on_gap(ctl, event);
		break;
	case CTL_LOG_DIR_FAILED:
		ctl_broker_on_log_dir_failed(ctl, event);
		break;
	case CTL_ISR_PROPOSED:
		ctl_isr_on_proposed(ctl, event);
		break;
	case CTL_SHUTDOWN_ASKED:
		ctl_broker_on_shutdown_asked(ctl, event);
		break;
	case CTL_FORWARDED:
		ctl_admin_on_forwarded(ctl, event);
		break;
	case CTL_STATES_CHANGED:
		ctl_topic_on_states_changed(ctl, event);
		break;
	case CTL_TIMER:
		ctl->timer_ms = 0;
		on_timer(ctl);
		break;
	}
}

static void begin(struct ctl *ctl, int64_t now_ms, struct ctl_actions *actions)
{
	ctl->out = actions;
	ctl->now_ms = now_ms;
}

void ctl_step(struct ctl *ctl, const struct ctl_event *event, int64_t now_ms, struct ctl_actions *actions)
{
	begin(ctl, now_ms, actions);
	if (ctl->active || event->kind == CTL_ELECTED)
		dispatch(ctl, event);
	ctl->out = NULL;
}

/* 0: no time. */
static int64_t earlier(int64_t a, int64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* While eligible leaders are being dropped because of a smaller minimum, no leader may hear of that minimum (D9). */
static bool may_tell(const struct ctl *ctl)
{
	return ctl_may_decide(ctl) && ctl->n_clearing == 0;
}

static void arm_timer(struct ctl *ctl)
{
	int64_t at_ms = earlier(earlier(earlier(ctl_broker_deadline_ms(ctl), ctl->retry_ms), ctl->balance_ms), ctl_failure_deadline_ms(ctl));

	/* A request whose time is up is answered when somebody may be told anything: until then its time is none to wake up at. */
	if (may_tell(ctl))
		at_ms = earlier(at_ms, ctl_admin_deadline_ms(ctl));
	if (at_ms == 0 || at_ms == ctl->timer_ms)
		return;
	ctl->timer_ms = at_ms;
	ctl_action_add(ctl->out, CTL_DO_TIMER)->at_ms = at_ms;
}

void ctl_flush(struct ctl *ctl, int64_t now_ms, struct ctl_actions *actions)
{
	begin(ctl, now_ms, actions);
	if (ctl->active) {
		if (ctl->topics_wanted)
			ctl_ask(ctl, CTL_READ_TOPICS, SLICE_NULL);
		ctl->topics_wanted = false;
		if (ctl->deletions_wanted)
			ctl_ask(ctl, CTL_READ_DELETIONS, SLICE_NULL);
		ctl->deletions_wanted = false;
		ctl_broker_take_in(ctl);
		ctl_legacy_check(ctl);
		ctl_reassign_flush(ctl);
		ctl_admin_flush(ctl);
		if (may_tell(ctl)) {
			/* Views come first: a leader has a larger minimum before it is told that its ISR is smaller. */
			ctl_view_flush(ctl);
			ctl_isr_flush(ctl);
			ctl_balance_flush(ctl);
			ctl_admin_answer(ctl);
		}
		ctl_legacy_flush(ctl);
		arm_timer(ctl);
	}
	ctl->out = NULL;
}
