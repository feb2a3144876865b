/* Life of a shard's coordinator, its homes, and where calls go; see coordinator.h. */
#include "broker/coord/coordinator_internal.h"

#include "broker/meta/internal_topics_core.h"
#include "common/clock.h"
#include "common/trace.h"

#include <stdlib.h>
#include <utlist.h>

/* ---- calls ---- */

struct group_now coordinator_now(void)
{
	return (struct group_now){.ms = clock_ms(), .wall_ms = clock_wall_ms()};
}

void coordinator_finish(struct coordinator *coordinator, struct coordinator_call *call)
{
	DL_APPEND(coordinator->finished, call);
	loop_defer(&coordinator->shard->worker.loop, &coordinator->settle);
}

static void refuse_join(struct coordinator_call *call)
{
	struct coordinator_join *join = CONTAINER_OF(call, struct coordinator_join, call);

	join->generation = GROUP_GENERATION_NONE;
	join->ret_protocol_type = join->protocol_name = SLICE_NULL;
	join->leader = SLICE_LITERAL("");
	join->skip_assignment = false;
	join->ret_member_id = join->member_id;
	join->members = NULL;
	join->n_members = 0;
}

static void refuse_sync(struct coordinator_call *call)
{
	struct coordinator_sync *sync = CONTAINER_OF(call, struct coordinator_sync, call);

	sync->ret_protocol_type = sync->ret_protocol_name = SLICE_NULL;
	sync->assignment = SLICE_LITERAL("");
}

static void refuse_heartbeat(struct coordinator_call *call)
{
	(void)call;
}

static void refuse_leave(struct coordinator_call *call)
{
	struct coordinator_leave *leave = CONTAINER_OF(call, struct coordinator_leave, call);

	leave->results = NULL;
	leave->n_results = 0;
}

static void refuse_commit(struct coordinator_call *call)
{
	group_commit_refuse(CONTAINER_OF(call, struct coordinator_commit, call), call->error);
}

static void refuse_fetch(struct coordinator_call *call)
{
	struct coordinator_fetch_offsets *fetch = CONTAINER_OF(call, struct coordinator_fetch_offsets, call);

	fetch->results = NULL;
	fetch->n_results = 0;
}

static void refuse_delete_offsets(struct coordinator_call *call)
{
	struct coordinator_delete_offsets *deletion = CONTAINER_OF(call, struct coordinator_delete_offsets, call);

	deletion->results = NULL;
	deletion->n_results = 0;
}

static void refuse_describe(struct coordinator_call *call)
{
	struct coordinator_describe *describe = CONTAINER_OF(call, struct coordinator_describe, call);

	describe->description = describe_groups_response_group_default;
	describe->description.group_id = call->group_id;
	describe->description.error_code = call->error;
}

static const struct call_kind {
	void (*run)(struct group_home *home, struct coordinator_call *call);
	void (*refuse)(struct coordinator_call *call);
} kinds[COORDINATOR_LIST] = {
	[COORDINATOR_JOIN] = {group_join, refuse_join},
	[COORDINATOR_SYNC] = {group_sync, refuse_sync},
	[COORDINATOR_HEARTBEAT] = {group_heartbeat, refuse_heartbeat},
	[COORDINATOR_LEAVE] = {group_leave, refuse_leave},
	[COORDINATOR_COMMIT] = {group_commit, refuse_commit},
	[COORDINATOR_FETCH_OFFSETS] = {group_fetch_offsets, refuse_fetch},
	[COORDINATOR_DELETE_OFFSETS] = {group_delete_offsets, refuse_delete_offsets},
	[COORDINATOR_DESCRIBE] = {group_describe, refuse_describe},
	[COORDINATOR_DELETE_GROUP] = {group_delete, refuse_heartbeat},
};

void coordinator_refuse(struct coordinator *coordinator, struct coordinator_call *call, int16_t error)
{
	call->error = error;
	kinds[call->kind].refuse(call);
	coordinator_finish(coordinator, call);
}

int16_t home_error(const struct group_home *home)
{
	/* A leader whose lease is over is no coordinator either (S9): another may speak for the group by now. */
	if (!home || partition_may_read(home->partition, -1))
		return KAFKA_NOT_COORDINATOR;
	return home->state == HOME_SERVING ? 0 : KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
}

/* What a member is told while its group is loaded: to go on, or to come again. */
static int16_t error_for(const struct coordinator_call *call, int16_t error)
{
	if (error != KAFKA_COORDINATOR_LOAD_IN_PROGRESS)
		return error;
	if (call->kind == COORDINATOR_HEARTBEAT)
		return 0;
	return call->kind == COORDINATOR_SYNC ? KAFKA_REBALANCE_IN_PROGRESS : error;
}

static struct group_home *find_home(struct coordinator *coordinator, const struct coordinator_place *place)
{
	struct partition_key key = {place->topic_id, place->partition};
	struct group_home *home;

	HASH_FIND(hh, coordinator->homes, &key, sizeof key, home);
	return home;
}

void coordinator_run(struct coordinator *coordinator, struct coordinator_call *call)
{
	struct group_home *home;
	int16_t error;

	call->error = 0;
	if (call->kind == COORDINATOR_LIST) {
		coordinator_list(coordinator, call);
		return;
	}
	home = find_home(coordinator, &call->place);
	error = home_error(home);
	if (error)
		coordinator_refuse(coordinator, call, error_for(call, error));
	else
		kinds[call->kind].run(home, call);
}

static void settle(struct deferred *deferred)
{
	struct coordinator *coordinator = CONTAINER_OF(deferred, struct coordinator, settle);
	struct coordinator_call *call;

	writes_append(coordinator);
	writes_settle(coordinator);
	while ((call = coordinator->finished) != NULL) {
		DL_DELETE(coordinator->finished, call);
		call->done(call);
	}
}

/* ---- homes ---- */

static void on_begun(void *ctx, struct partition *partition)
{
	struct coordinator *coordinator = ctx;
	struct group_home *home;

	if (coordinator->stopped || !slice_is_text(partition->topic, INTERNAL_TOPIC_OFFSETS))
		return;
	home = NEW(struct group_home);
	home->key = partition->key;
	home->coordinator = coordinator;
	home->partition = partition;
	home->leader_epoch = partition->core.leader_epoch;
	HASH_ADD(hh, coordinator->homes, key, sizeof home->key, home);
	group_load_begin(home);
}

static void home_end(struct group_home *home)
{
	struct coordinator *coordinator = home->coordinator;
	struct group *group, *next;

	if (home->groups)
		trace_info("coord", "%.*s-%d: no more the coordinator of its %u groups (leader epoch %d)",
			   SLICE_ARGS(home->partition->topic), home->key.index, HASH_COUNT(home->groups), home->leader_epoch);
	if (home->load)
		group_load_give_up(home->load);
	writes_orphan(home);
	txn_offsets_free_all(home);
	HASH_ITER(hh, home->groups, group, next)
		group_unload(group);
	HASH_DEL(coordinator->homes, home);
	free(home);
}

static void on_ended(void *ctx, struct partition *partition)
{
	struct coordinator *coordinator = ctx;
	struct group_home *home;

	HASH_FIND(hh, coordinator->homes, &partition->key, sizeof partition->key, home);
	if (home)
		home_end(home);
}

/* ---- life ---- */

void coordinator_open(struct shard *shard)
{
	const struct broker_config *config = shard->config;
	struct coordinator *coordinator = NEW(struct coordinator);

	coordinator->shard = shard;
	coordinator->counters = &shard->group_counters;
	coordinator->port = (struct lead_port){.ctx = coordinator, .begun = on_begun, .ended = on_ended};
	coordinator->rules = (struct group_rules){
		.members_max = config->group_max_size,
		.session_ms_min = config->group_min_session_timeout_ms,
		.session_ms_max = config->group_max_session_timeout_ms,
		.initial_delay_ms = config->group_initial_rebalance_delay_ms,
	};
	coord_queue_init(&coordinator->unsent);
	coord_queue_init(&coordinator->written);
	coordinator->settle.run = settle;
	coordinator->view = view_retain(shard->view);
	group_sweep_open(coordinator);
	shard->coordinator = coordinator;
	shard->lead = &coordinator->port;
}

void coordinator_stop(struct coordinator *coordinator)
{
	struct group_home *home, *next;

	if (!coordinator)
		return;
	coordinator->stopped = true;
	group_sweep_close(coordinator);
	HASH_ITER(hh, coordinator->homes, home, next)
		home_end(home);
}

void coordinator_free(struct coordinator *coordinator)
{
	if (!coordinator)
		return;
	/* A start that ends before its workers run has stopped nobody. */
	coordinator_stop(coordinator);
	loop_undefer(&coordinator->shard->worker.loop, &coordinator->settle);
	settle(&coordinator->settle);
	view_release(coordinator->view);
	free(coordinator);
}
