/* Who is alive; see ctl_broker.h. */
#include "tools/controller/ctl_broker.h"

#include "tools/controller/ctl_admin.h"
#include "tools/controller/ctl_config.h"
#include "tools/controller/ctl_delete.h"
#include "tools/controller/ctl_failure.h"
#include "tools/controller/ctl_leftover.h"
#include "tools/controller/ctl_partition.h"
#include "tools/controller/ctl_step.h"

#include <string.h>

/* ---- what is registered ---- */

static bool same_endpoint(const struct ctl_endpoint *a, const struct ctl_endpoint *b)
{
	return slice_equal(a->listener, b->listener) && slice_equal(a->protocol, b->protocol) && slice_equal(a->host, b->host) &&
	       a->port == b->port;
}

static bool same_address(const struct ctl_broker *broker, const struct ctl_broker_read *read)
{
	if (broker->n_endpoints != read->n_endpoints || broker->inter_broker != read->inter_broker ||
	    !slice_equal(broker->rack, read->rack))
		return false;
	for (int i = 0; i < read->n_endpoints; i++)
		if (!same_endpoint(&broker->endpoints[i], &read->endpoints[i]))
			return false;
	return true;
}

static void free_slice(struct ctl *ctl, struct slice s)
{
	if (!slice_is_null(s))
		ctl_pool_put(&ctl->pool, (void *)(uintptr_t)s.data, s.len + 1, 1);
}

static void free_address(struct ctl *ctl, struct ctl_broker *broker)
{
	for (int i = 0; i < broker->n_endpoints; i++) {
		free_slice(ctl, broker->endpoints[i].listener);
		free_slice(ctl, broker->endpoints[i].protocol);
		free_slice(ctl, broker->endpoints[i].host);
	}
	ctl_pool_put(&ctl->pool, broker->endpoints, (size_t)broker->n_endpoints, sizeof *broker->endpoints);
	free_slice(ctl, broker->rack);
}

static void take_address(struct ctl *ctl, struct ctl_broker *broker, const struct ctl_broker_read *read)
{
	broker->rack = slice_is_null(read->rack) ? SLICE_NULL : ctl_pool_copy(&ctl->pool, read->rack);
	broker->n_endpoints = read->n_endpoints;
	broker->inter_broker = read->inter_broker;
	broker->endpoints = ctl_pool_get(&ctl->pool, (size_t)read->n_endpoints, sizeof *broker->endpoints);
	for (int i = 0; i < read->n_endpoints; i++)
		broker->endpoints[i] = (struct ctl_endpoint){.listener = ctl_pool_copy(&ctl->pool, read->endpoints[i].listener),
							     .protocol = ctl_pool_copy(&ctl->pool, read->endpoints[i].protocol),
							     .host = ctl_pool_copy(&ctl->pool, read->endpoints[i].host),
							     .port = read->endpoints[i].port};
}

static void say_to_shell(struct ctl *ctl, enum ctl_action_kind kind, const struct ctl_broker *broker)
{
	struct ctl_action *action = ctl_action_add(ctl->out, kind);

	action->broker = broker->id;
	action->broker_epoch = broker->epoch;
}

static struct ctl_broker *insert(struct ctl *ctl, int32_t id)
{
	int at = ctl->n_brokers;

	if (ctl->n_brokers == ctl->brokers_room) {
		int room = ctl->brokers_room ? 2 * ctl->brokers_room : 8;
		struct ctl_broker *brokers = ctl_pool_get(&ctl->pool, (size_t)room, sizeof *brokers);

		if (ctl->n_brokers > 0)
			memcpy(brokers, ctl->brokers, (size_t)ctl->n_brokers * sizeof *brokers);
		ctl_pool_put(&ctl->pool, ctl->brokers, (size_t)ctl->brokers_room, sizeof *brokers);
		ctl->brokers = brokers;
		ctl->brokers_room = room;
	}
	while (at > 0 && ctl->brokers[at - 1].id > id) {
		ctl->brokers[at] = ctl->brokers[at - 1];
		at--;
	}
	ctl->n_brokers++;
	ctl->brokers[at] = (struct ctl_broker){.id = id};
	return &ctl->brokers[at];
}

static const char *const start_texts[] = {
	[CTL_START_WHOLE] = "",
	[CTL_START_UNCLEAN] = ", its last stop was unclean: its replicas have to catch up before they count",
	[CTL_START_EMPTY] = ", a log dir of it is new: its replicas have to catch up before they count",
};

static void add(struct ctl *ctl, const struct ctl_broker_read *read)
{
	struct ctl_broker *broker = insert(ctl, read->id);

	broker->epoch = read->epoch;
	broker->start = read->start;
	broker->durable = read->durable;
	broker->min_isr = read->min_isr;
	broker->previous = read->previous;
	broker->told_remaining = -1;
	broker->ignored = read->foreign || read->odd;
	take_address(ctl, broker, read);
	if (read->foreign)
		ctl_action_report(ctl->out, true,
				  "broker %d is not a Klamm broker: it is left alone, and gets no leadership; mixed clusters are not supported",
				  read->id);
	else if (read->odd)
		ctl_action_report(ctl->out, true, "the registration of broker %d cannot be read: the broker is left alone", read->id);
	if (broker->ignored)
		return;
	broker->waits = broker->start != CTL_START_WHOLE;
	broker->deadline_ms = ctl->now_ms + ctl->settings.session_timeout_ms;
	say_to_shell(ctl, CTL_DO_CONNECT, broker);
	ctl_action_report(ctl->out, false, "broker %d is registered with epoch %lld%s", broker->id, (long long)broker->epoch,
			  start_texts[broker->start]);
}

static void drop(struct ctl *ctl, struct ctl_broker *broker, const char *what)
{
	int at = (int)(broker - ctl->brokers);

	if (!broker->ignored) {
		say_to_shell(ctl, CTL_DO_DISCONNECT, broker);
		ctl_action_report(ctl->out, false, "broker %d with epoch %lld %s", broker->id, (long long)broker->epoch, what);
		ctl_delete_broker_lost(ctl, broker);
		ctl_leftover_broker_lost(ctl, broker);
		ctl_failure_broker_lost(ctl, broker);
		ctl_admin_broker_lost(ctl, broker);
	}
	free_address(ctl, broker);
	memmove(broker, broker + 1, (size_t)(ctl->n_brokers - at - 1) * sizeof *broker);
	ctl->n_brokers--;
}

static const struct ctl_broker_read *find_read(const struct ctl_event *event, int32_t id)
{
	for (int i = 0; i < event->n_brokers; i++)
		if (event->brokers[i].id == id)
			return &event->brokers[i];
	return NULL;
}

/* Brokers that are gone, or there under another incarnation. */
static bool drop_gone(struct ctl *ctl, const struct ctl_event *event)
{
	bool changed = false;

	for (int i = ctl->n_brokers - 1; i >= 0; i--) {
		struct ctl_broker *broker = &ctl->brokers[i];
		const struct ctl_broker_read *read = find_read(event, broker->id);

		if (read && read->epoch == broker->epoch)
			continue;
		drop(ctl, broker, read ? "was replaced by a new incarnation" : "is gone");
		changed = true;
	}
	return changed;
}

static bool take_new(struct ctl *ctl, const struct ctl_event *event)
{
	bool changed = false;

	for (int i = 0; i < event->n_brokers; i++) {
		const struct ctl_broker_read *read = &event->brokers[i];
		struct ctl_broker *broker = ctl_broker_find(ctl, read->id);

		if (!broker) {
			add(ctl, read);
			ctl_failure_forget(ctl, read->id);
			changed = true;
		} else if (!same_address(broker, read)) {
			free_address(ctl, broker);
			take_address(ctl, broker, read);
			ctl->brokers_dirty = true;
		}
	}
	return changed;
}

static void decide_again(struct ctl *ctl)
{
	ctl_broker_choose_office(ctl);
	ctl_partition_check_all(ctl);
	ctl_delete_check_all(ctl);
}

void ctl_broker_on_read(struct ctl *ctl, const struct ctl_event *event)
{
	bool changed = drop_gone(ctl, event);

	changed |= take_new(ctl, event);
	if (!changed)
		return;
	ctl->brokers_dirty = true;
	decide_again(ctl);
}

/* ---- the connection ---- */

static struct ctl_broker *find_incarnation(struct ctl *ctl, const struct ctl_event *event)
{
	struct ctl_broker *broker = ctl_broker_find(ctl, event->broker);

	return broker && !broker->ignored && broker->epoch == event->broker_epoch ? broker : NULL;
}

static void forget_connection(struct ctl_broker *broker)
{
	broker->reached = false;
	broker->settled = false;
	broker->view_sent = false;
	broker->view_wanted = false;
	broker->states_wanted = false;
	broker->request = 0;
	broker->full_request = 0;
	broker->again_ms = 0;
	broker->again_due = false;
}

void ctl_broker_on_reached(struct ctl *ctl, const struct ctl_event *event)
{
	struct ctl_broker *broker = find_incarnation(ctl, event);

	if (!broker)
		return;
	if (broker->reached) {
		ctl_delete_broker_lost(ctl, broker);
		ctl_leftover_broker_lost(ctl, broker);
		ctl_failure_broker_lost(ctl, broker);
		ctl_admin_broker_lost(ctl, broker);
	}
	forget_connection(broker);
	broker->reached = true;
	broker->deadline_ms = 0;
	ctl_delete_check_all(ctl);
}

void ctl_broker_on_lost(struct ctl *ctl, const struct ctl_event *event)
{
	struct ctl_broker *broker = find_incarnation(ctl, event);

	if (!broker)
		return;
	forget_connection(broker);
	ctl_delete_broker_lost(ctl, broker);
	ctl_leftover_broker_lost(ctl, broker);
	ctl_failure_broker_lost(ctl, broker);
	ctl_admin_broker_lost(ctl, broker);
	if (!broker->unreachable && broker->deadline_ms == 0)
		broker->deadline_ms = ctl->now_ms + ctl->settings.session_timeout_ms;
}

void ctl_broker_on_gap(struct ctl *ctl, const struct ctl_event *event)
{
	struct ctl_broker *broker = find_incarnation(ctl, event);

	if (broker && broker->reached)
		broker->view_wanted = true;
}

void ctl_broker_on_shutdown_asked(struct ctl *ctl, const struct ctl_event *event)
{
	struct ctl_broker *broker = find_incarnation(ctl, event);

	if (!broker)
		return;
	broker->told_remaining = -1;
	if (broker->leaving)
		return;
	broker->leaving = true;
	ctl_action_report(ctl->out, false, "broker %d is about to stop: its leaderships move", broker->id);
	ctl_partition_check_all(ctl);
}

void ctl_broker_on_log_dir_failed(struct ctl *ctl, const struct ctl_event *event)
{
	struct ctl_broker *broker = ctl_broker_find(ctl, event->broker);

	if (broker && broker->reached)
		broker->states_wanted = true;
}

void ctl_broker_on_answer(struct ctl *ctl, struct ctl_broker *broker, int64_t request)
{
	if (broker->settled || broker->full_request == 0 || request != broker->full_request)
		return;
	broker->settled = true;
	if (!broker->unreachable)
		return;
	broker->unreachable = false;
	ctl->brokers_dirty = true;
	ctl_action_report(ctl->out, false, "broker %d is reached again", broker->id);
	decide_again(ctl);
}

void ctl_broker_on_timer(struct ctl *ctl)
{
	bool changed = false;

	for (int i = 0; i < ctl->n_brokers; i++) {
		struct ctl_broker *broker = &ctl->brokers[i];

		if (broker->deadline_ms == 0 || broker->deadline_ms > ctl->now_ms)
			continue;
		broker->deadline_ms = 0;
		broker->unreachable = true;
		changed = true;
		ctl_action_report(ctl->out, true,
				  "broker %d is registered but cannot be reached for %d ms: it counts as down until it is; "
				  "check its inter-broker listener and the network",
				  broker->id, ctl->settings.session_timeout_ms);
	}
	if (!changed)
		return;
	ctl->brokers_dirty = true;
	decide_again(ctl);
}

int64_t ctl_broker_deadline_ms(const struct ctl *ctl)
{
	int64_t first = 0;

	for (int i = 0; i < ctl->n_brokers; i++) {
		int64_t deadline = ctl->brokers[i].deadline_ms;

		if (deadline != 0 && (first == 0 || deadline < first))
			first = deadline;
	}
	return first;
}

/* ---- what partitions want to know ---- */

#define UNLISTED INT64_C(-2)

/* The incarnation under which the state holds a broker. Without leader the ISR is there to be seen only. */
static int64_t listed_epoch(const struct ctl_partition *p, int32_t broker)
{
	for (int i = 0; i < p->now.n_elr; i++)
		if (p->now.elr[i] == broker)
			return p->now.elr_epochs[i];
	for (int i = 0; i < p->now.n_isr && p->now.leader != -1; i++)
		if (p->now.isr[i] == broker)
			return p->now.isr_epochs[i];
	return UNLISTED;
}

static bool is_listed_as(const struct ctl_partition *p, const struct ctl_broker *broker, int64_t listed)
{
	if (listed == CTL_EPOCH_UNKNOWN)
		return broker->epoch < p->mzxid;
	return listed == UNLISTED || listed == broker->epoch;
}

bool ctl_broker_is_known(const struct ctl_partition *p, const struct ctl_broker *broker)
{
	return is_listed_as(p, broker, listed_epoch(p, broker->id));
}

/* Without its tail since the incarnation that is listed: by this start, or by one that nobody here has seen. */
static bool has_lost(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_broker *broker, int64_t listed)
{
	if (broker->start == CTL_START_EMPTY || (listed > 0 && broker->previous > listed))
		return true;
	return broker->start == CTL_START_UNCLEAN && !ctl_config_is_durable(ctl, topic, broker);
}

enum ctl_member ctl_broker_member(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p, int32_t broker_id)
{
	const struct ctl_broker *broker = ctl_broker_find(ctl, broker_id);
	int64_t listed = listed_epoch(p, broker_id);

	if (!broker || broker->ignored)
		return CTL_MEMBER_DEAD;
	if (!is_listed_as(p, broker, listed) && has_lost(ctl, topic, broker, listed))
		return CTL_MEMBER_LOST;
	/* One that has to be struck out elsewhere is still what it is where it has caught up. */
	if (broker->unreachable || (broker->waits && listed != broker->epoch) || ctl_failure_of(p, broker_id))
		return CTL_MEMBER_DEAD;
	if (!is_listed_as(p, broker, listed))
		return CTL_MEMBER_BOUNCED;
	return broker->leaving ? CTL_MEMBER_LEAVING : CTL_MEMBER_LIVE;
}

int64_t ctl_broker_epoch_for(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p, int32_t broker_id)
{
	int64_t listed = listed_epoch(p, broker_id);
	const struct ctl_broker *broker = ctl_broker_find(ctl, broker_id);
	bool dead = ctl_broker_member(ctl, topic, p, broker_id) == CTL_MEMBER_DEAD;

	if (broker && (!dead || is_listed_as(p, broker, listed)))
		return broker->epoch;
	return listed > 0 ? listed : CTL_EPOCH_GONE;
}

/* Does a state still hold an earlier incarnation that had what this one has not? */
static bool is_to_be_struck(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p, const struct ctl_broker *broker)
{
	int64_t listed = listed_epoch(p, broker->id);

	return !p->odd && !is_listed_as(p, broker, listed) && has_lost(ctl, topic, broker, listed);
}

static bool is_struck_out(struct ctl *ctl, const struct ctl_broker *broker)
{
	for (const struct ctl_topic *topic = ctl->topics; topic; topic = topic->next) {
		if (topic->phase != CTL_TOPIC_LIVE || topic->deletion >= CTL_DELETION_STOPPING)
			continue;
		for (int32_t i = 0; i < topic->n_partitions; i++)
			if (is_to_be_struck(ctl, topic, &topic->partitions[i], broker))
				return false;
	}
	return true;
}

void ctl_broker_take_in(struct ctl *ctl)
{
	bool changed = false;

	for (int i = 0; i < ctl->n_brokers && ctl_may_decide(ctl); i++) {
		struct ctl_broker *broker = &ctl->brokers[i];

		if (!broker->waits || !is_struck_out(ctl, broker))
			continue;
		broker->waits = false;
		changed = true;
	}
	if (!changed)
		return;
	ctl->brokers_dirty = true;
	decide_again(ctl);
}

void ctl_broker_choose_office(struct ctl *ctl)
{
	int32_t office = -1;

	if (!ctl_may_decide(ctl))
		return;
	for (int i = ctl->n_brokers - 1; i >= 0; i--)
		if (ctl_broker_is_live(&ctl->brokers[i]))
			office = ctl->brokers[i].id;
	if (ctl->office_known && office == ctl->office)
		return;
	ctl->office = office;
	ctl->office_known = true;
	ctl->office_dirty = true;
	ctl_action_add(ctl->out, CTL_DO_WRITE)->write = (struct ctl_write){
		.kind = CTL_WRITE_OFFICE, .epoch_version = ctl->epoch_version, .partition = -1, .broker = office};
}
