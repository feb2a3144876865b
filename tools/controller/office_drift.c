/* The picture against ZooKeeper; see office_drift.h. */
#include "tools/controller/office_drift.h"

#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"
#include "tools/controller/ctl_state.h"
#include "tools/controller/office_read.h"
#include "zk/path.h"

#include <stdlib.h>
#include <string.h>

#define AREA "controller"
#define DRIFT_STATES_MAX 5000

/* News are read within moments; so long they have. */
#define DRIFT_LOOK_AGAIN_MS 2000

/* There is no such node; or the picture is just being brought up to date and says nothing. */
#define MARK_ABSENT INT64_C(-1)
#define MARK_OPEN INT64_C(-2)

enum drift_kind { DRIFT_BROKER, DRIFT_TOPIC, DRIFT_STATE, DRIFT_ELECTIONS, DRIFT_REASSIGNMENTS };

/* One node: its mark is the czxid of a broker's, the version of others. */
struct suspect {
	struct suspect *next;
	struct office_drift *drift;
	enum drift_kind kind;
	int32_t number; /* broker, partition */
	struct slice topic;
	int64_t seen;   /* in ZooKeeper when it was suspected */
};

struct office_drift {
	struct office *office;
	int64_t interval_ms;
	struct timer timer;
	struct arena arena; /* of the round */
	struct suspect *suspects;
	bool again;         /* the second look */
	bool closed;
	int n_pending;
	int n_nodes;        /* compared in this round */
	int64_t n_found;    /* since the office began */
	int64_t next_state; /* in the order of topics and partitions */
};

/* ---- what the picture says ---- */

static int64_t mark_of_broker(const struct office_drift *drift, int32_t id)
{
	const struct ctl_broker *broker = ctl_broker_find(&drift->office->ctl, id);

	return broker ? broker->epoch : MARK_ABSENT;
}

static int64_t mark_of_topic(const struct office_drift *drift, struct slice name)
{
	const struct ctl_topic *topic = ctl_topic_find(&drift->office->ctl, name);

	if (!topic)
		return MARK_ABSENT;
	if (topic->phase != CTL_TOPIC_LIVE || topic->deletion != CTL_DELETION_NONE || topic->ticket || topic->reread)
		return MARK_OPEN;
	return topic->version;
}

static bool is_open(const struct ctl_partition *partition)
{
	return partition->odd || partition->reading || partition->creating || partition->ticket != 0 || partition->state == CTL_NON_EXISTENT;
}

static int64_t mark_of_state(const struct office_drift *drift, struct slice name, int32_t number)
{
	const struct ctl_topic *topic = ctl_topic_find(&drift->office->ctl, name);

	if (!topic || topic->phase != CTL_TOPIC_LIVE || topic->deletion != CTL_DELETION_NONE || number >= topic->n_partitions ||
	    is_open(&topic->partitions[number]))
		return MARK_OPEN;
	return topic->partitions[number].version;
}

static int64_t mark_of_elections(const struct ctl_legacy *legacy)
{
	return legacy->elections_known && !legacy->electing && !legacy->elections_done ? legacy->elections_version : MARK_OPEN;
}

static int64_t mark_of_reassignments(const struct ctl_legacy *legacy)
{
	return legacy->moves_known && !legacy->moves_due && legacy->moves_ticket == 0 && !legacy->moves_reread ? legacy->moves_version : MARK_OPEN;
}

static int64_t mark_of(const struct suspect *suspect)
{
	switch (suspect->kind) {
	case DRIFT_BROKER:
		return mark_of_broker(suspect->drift, suspect->number);
	case DRIFT_TOPIC:
		return mark_of_topic(suspect->drift, suspect->topic);
	case DRIFT_ELECTIONS:
		return mark_of_elections(&suspect->drift->office->ctl.legacy);
	case DRIFT_REASSIGNMENTS:
		return mark_of_reassignments(&suspect->drift->office->ctl.legacy);
	default:
		return mark_of_state(suspect->drift, suspect->topic, suspect->number);
	}
}

/* ---- drift ---- */

static void read_again(const struct suspect *suspect)
{
	static const enum ctl_read reads[] = {[DRIFT_BROKER] = CTL_READ_BROKERS,
					      [DRIFT_TOPIC] = CTL_READ_TOPICS,
					      [DRIFT_ELECTIONS] = CTL_READ_ELECTIONS,
					      [DRIFT_REASSIGNMENTS] = CTL_READ_REASSIGNMENTS};
	struct office *office = suspect->drift->office;
	struct ctl_event event = {.kind = CTL_STATES_CHANGED, .topic = suspect->topic};

	if (suspect->kind == DRIFT_STATE) {
		office_tell(office, &event);
		return;
	}
	office_read_news(office->read, reads[suspect->kind], SLICE_NULL);
	if (suspect->kind == DRIFT_TOPIC && suspect->seen != MARK_ABSENT)
		office_read_news(office->read, CTL_READ_TOPIC, suspect->topic);
}

static const char *path_of(const struct suspect *suspect)
{
	struct arena *arena = &suspect->drift->arena;

	switch (suspect->kind) {
	case DRIFT_BROKER:
		return zk_path_broker(arena, suspect->number);
	case DRIFT_TOPIC:
		return zk_path_topic(arena, suspect->topic);
	case DRIFT_ELECTIONS:
		return ZK_PATH_PREFERRED_REPLICA_ELECTION;
	case DRIFT_REASSIGNMENTS:
		return ZK_PATH_REASSIGN_PARTITIONS;
	default:
		return zk_path_partition_state(arena, suspect->topic, suspect->number);
	}
}

static void found(const struct suspect *suspect, int64_t mark)
{
	suspect->drift->n_found++;
	trace_warn(AREA, "drift: %s is at %lld in ZooKeeper and at %lld here; read again (%lld found since the office began)", path_of(suspect),
		   (long long)suspect->seen, (long long)mark, (long long)suspect->drift->n_found);
	read_again(suspect);
}

/* A node as ZooKeeper has it now. */
static void compare(struct suspect *suspect, int64_t seen)
{
	struct office_drift *drift = suspect->drift;
	int64_t mark = mark_of(suspect);

	drift->n_nodes++;
	if (mark == MARK_OPEN || mark == seen)
		return;
	if (!drift->again) {
		suspect->seen = seen;
		suspect->next = drift->suspects;
		drift->suspects = suspect;
	} else if (suspect->seen == seen) {
		found(suspect, mark);
	}
}

/* ---- asking ---- */

static void end_round(struct office_drift *drift)
{
	int64_t wait_ms = drift->interval_ms;

	drift->again = drift->suspects && !drift->again;
	if (drift->again)
		wait_ms = DRIFT_LOOK_AGAIN_MS < drift->interval_ms ? DRIFT_LOOK_AGAIN_MS : drift->interval_ms;
	else
		trace_debug(AREA, "%d nodes compared with ZooKeeper, %lld drifted since the office began", drift->n_nodes, (long long)drift->n_found);
	timer_set(&drift->timer, clock_ms() + wait_ms);
}

/* One answer, or the asking, is done. */
static void answered(struct office_drift *drift)
{
	if (--drift->n_pending > 0)
		return;
	if (drift->closed) {
		arena_fini(&drift->arena);
		free(drift);
		return;
	}
	end_round(drift);
}

static void on_stat(void *ctx, const struct zk_result *result)
{
	struct suspect *suspect = ctx;
	struct office_drift *drift = suspect->drift;
	int64_t seen = suspect->kind == DRIFT_BROKER ? result->stat.czxid : result->stat.version;

	if (!drift->closed && (result->code == 0 || result->code == ERR_NOT_FOUND))
		compare(suspect, result->code == 0 ? seen : MARK_ABSENT);
	answered(drift);
}

static void ask(struct suspect *suspect)
{
	suspect->drift->n_pending++;
	zk_exists(suspect->drift->office->setup.zk, path_of(suspect), NULL, on_stat, suspect);
}

static void ask_about(struct office_drift *drift, enum drift_kind kind, struct slice topic, int32_t number)
{
	struct suspect *suspect = arena_zalloc(&drift->arena, 1, sizeof *suspect);

	*suspect = (struct suspect){.drift = drift, .kind = kind, .number = number, .topic = topic};
	ask(suspect);
}

/* Those that ZooKeeper names and the picture does not; the others are asked about anyway. */
static void on_broker_names(void *ctx, const struct zk_result *result)
{
	struct office_drift *drift = ctx;
	int32_t id;

	for (int i = 0; !drift->closed && result->code == 0 && i < result->n_children; i++)
		if (zk_path_parse_id(result->children[i], &id) && mark_of_broker(drift, id) == MARK_ABSENT)
			ask_about(drift, DRIFT_BROKER, SLICE_NULL, id);
	answered(drift);
}

static void on_topic_names(void *ctx, const struct zk_result *result)
{
	struct office_drift *drift = ctx;

	for (int i = 0; !drift->closed && result->code == 0 && i < result->n_children; i++)
		if (mark_of_topic(drift, slice_of_text(result->children[i])) == MARK_ABSENT)
			ask_about(drift, DRIFT_TOPIC, arena_copy(&drift->arena, slice_of_text(result->children[i])), 0);
	answered(drift);
}

/* The next states in turn; a round that comes to the end begins at the first ones with the next. */
static void ask_states(struct office_drift *drift)
{
	int64_t first = drift->next_state, at = 0;

	for (const struct ctl_topic *topic = drift->office->ctl.topics; topic; at += topic->n_partitions, topic = topic->next) {
		struct slice name;

		if (at + topic->n_partitions <= first || drift->next_state >= first + DRIFT_STATES_MAX)
			continue;
		name = arena_copy(&drift->arena, topic->name);
		for (; drift->next_state < at + topic->n_partitions && drift->next_state < first + DRIFT_STATES_MAX; drift->next_state++)
			ask_about(drift, DRIFT_STATE, name, (int32_t)(drift->next_state - at));
	}
	if (drift->next_state >= at)
		drift->next_state = 0;
}

static void begin_round(struct office_drift *drift)
{
	struct zk_session *zk = drift->office->setup.zk;
	const struct ctl *ctl = &drift->office->ctl;

	arena_fini(&drift->arena);
	drift->suspects = NULL;
	drift->n_nodes = 0;
	for (int i = 0; i < ctl->n_brokers; i++)
		ask_about(drift, DRIFT_BROKER, SLICE_NULL, ctl->brokers[i].id);
	for (const struct ctl_topic *topic = ctl->topics; topic; topic = topic->next)
		ask_about(drift, DRIFT_TOPIC, arena_copy(&drift->arena, topic->name), 0);
	ask_about(drift, DRIFT_ELECTIONS, SLICE_NULL, 0);
	ask_about(drift, DRIFT_REASSIGNMENTS, SLICE_NULL, 0);
	ask_states(drift);
	drift->n_pending += 2;
	zk_children(zk, ZK_PATH_BROKER_IDS, NULL, on_broker_names, drift);
	zk_children(zk, ZK_PATH_TOPICS, NULL, on_topic_names, drift);
}

static void on_timer(struct timer *timer)
{
	struct office_drift *drift = CONTAINER_OF(timer, struct office_drift, timer);
	struct office *office = drift->office;

	/* With a picture in the making, or a connection that is lost, another time. */
	if (office->over || office->ctl.loading || zk_session_state(office->setup.zk) != ZK_CONNECTED) {
		drift->again = false;
		timer_set(timer, clock_ms() + drift->interval_ms);
		return;
	}
	drift->n_pending = 1;
	if (drift->again)
		for (struct suspect *suspect = drift->suspects; suspect; suspect = suspect->next)
			ask(suspect);
	else
		begin_round(drift);
	answered(drift);
}

struct office_drift *office_drift_new(struct office *office, int64_t interval_ms)
{
	struct office_drift *drift = NEW(struct office_drift);

	drift->office = office;
	drift->interval_ms = interval_ms;
	arena_init(&drift->arena);
	timer_init(&drift->timer, &office->setup.worker->loop, on_timer);
	timer_set(&drift->timer, clock_ms() + interval_ms);
	return drift;
}

int64_t office_drift_found(const struct office_drift *drift)
{
	return drift->n_found;
}

void office_drift_free(struct office_drift *drift)
{
	timer_stop(&drift->timer);
	drift->closed = true;
	if (drift->n_pending > 0)
		return;
	arena_fini(&drift->arena);
	free(drift);
}
