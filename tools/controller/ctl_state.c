/* Upkeep of the controller's picture; see ctl_state.h. */
#include "tools/controller/ctl_state.h"

#include "common/check.h"
#include "common/limits.h"
#include "tools/controller/ctl_elect.h"

#include <string.h>

#define FIRST_BUCKETS 256

void ctl_init(struct ctl *ctl, const struct ctl_settings *settings)
{
	*ctl = (struct ctl){.settings = *settings, .office = -1, .epoch = -1, .epoch_version = -1, .epoch_seen = -1};
	ctl_pool_init(&ctl->pool);
	ctl->n_buckets = FIRST_BUCKETS;
	ctl->by_name = ctl_pool_get(&ctl->pool, ctl->n_buckets, sizeof *ctl->by_name);
	ctl->by_id = ctl_pool_get(&ctl->pool, ctl->n_buckets, sizeof *ctl->by_id);
}

void ctl_fini(struct ctl *ctl)
{
	ctl_pool_fini(&ctl->pool);
	*ctl = (struct ctl){0};
}

/* ---- brokers ---- */

struct ctl_broker *ctl_broker_find(struct ctl *ctl, int32_t id)
{
	int low = 0;
	int high = ctl->n_brokers;

	while (low < high) {
		int middle = (low + high) / 2;

		if (ctl->brokers[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < ctl->n_brokers && ctl->brokers[low].id == id ? &ctl->brokers[low] : NULL;
}

/* ---- topics by name and id ---- */

static uint64_t hash_bytes(const uint8_t *data, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ data[i]) * 0x100000001b3u;
	return hash ^ (hash >> 29);
}

static struct ctl_topic **bucket_of_name(const struct ctl *ctl, struct slice name)
{
	return &ctl->by_name[hash_bytes(name.data, name.len) & (ctl->n_buckets - 1)];
}

static struct ctl_topic **bucket_of_id(const struct ctl *ctl, const struct uuid *id)
{
	return &ctl->by_id[hash_bytes(id->bytes, sizeof id->bytes) & (ctl->n_buckets - 1)];
}

struct ctl_topic *ctl_topic_find(struct ctl *ctl, struct slice name)
{
	struct ctl_topic *topic = *bucket_of_name(ctl, name);

	while (topic && !slice_equal(topic->name, name))
		topic = topic->next_by_name;
	return topic;
}

struct ctl_topic *ctl_topic_find_id(struct ctl *ctl, const struct uuid *id)
{
	struct ctl_topic *topic = *bucket_of_id(ctl, id);

	while (topic && !uuid_equal(&topic->id, id))
		topic = topic->next_by_id;
	return topic;
}

static void link_by_name(struct ctl *ctl, struct ctl_topic *topic)
{
	struct ctl_topic **bucket = bucket_of_name(ctl, topic->name);

	topic->next_by_name = *bucket;
	*bucket = topic;
}

static void link_by_id(struct ctl *ctl, struct ctl_topic *topic)
{
	struct ctl_topic **bucket = bucket_of_id(ctl, &topic->id);

	topic->next_by_id = *bucket;
	*bucket = topic;
}

static void unlink_by_name(struct ctl *ctl, struct ctl_topic *topic)
{
	struct ctl_topic **at = bucket_of_name(ctl, topic->name);

	while (*at != topic)
		at = &(*at)->next_by_name;
	*at = topic->next_by_name;
}

static void unlink_by_id(struct ctl *ctl, struct ctl_topic *topic)
{
	struct ctl_topic **at = bucket_of_id(ctl, &topic->id);

	if (uuid_is_zero(&topic->id))
		return;
	while (*at != topic)
		at = &(*at)->next_by_id;
	*at = topic->next_by_id;
}

static void grow_tables(struct ctl *ctl)
{
	ctl_pool_put(&ctl->pool, ctl->by_name, ctl->n_buckets, sizeof *ctl->by_name);
	ctl_pool_put(&ctl->pool, ctl->by_id, ctl->n_buckets, sizeof *ctl->by_id);
	ctl->n_buckets *= 2;
	ctl->by_name = ctl_pool_get(&ctl->pool, ctl->n_buckets, sizeof *ctl->by_name);
	ctl->by_id = ctl_pool_get(&ctl->pool, ctl->n_buckets, sizeof *ctl->by_id);
	for (struct ctl_topic *topic = ctl->topics; topic; topic = topic->next) {
		link_by_name(ctl, topic);
		if (!uuid_is_zero(&topic->id))
			link_by_id(ctl, topic);
	}
}

struct ctl_topic *ctl_topic_add(struct ctl *ctl, struct slice name)
{
	struct ctl_topic *topic = ctl_pool_get(&ctl->pool, 1, sizeof *topic);

	if ((size_t)ctl->n_topics >= ctl->n_buckets)
		grow_tables(ctl);
	topic->name = ctl_pool_copy(&ctl->pool, name);
	topic->configs.version = -1;
	topic->prev = ctl->topics_last;
	if (ctl->topics_last)
		ctl->topics_last->next = topic;
	else
		ctl->topics = topic;
	ctl->topics_last = topic;
	ctl->n_topics++;
	link_by_name(ctl, topic);
	return topic;
}

void ctl_topic_set_id(struct ctl *ctl, struct ctl_topic *topic, const struct uuid *id)
{
	unlink_by_id(ctl, topic);
	topic->id = *id;
	if (!uuid_is_zero(id))
		link_by_id(ctl, topic);
}

static void remember_removed(struct ctl *ctl, const struct uuid *id)
{
	if (ctl->n_removed == ctl->removed_room) {
		int room = ctl->removed_room ? 2 * ctl->removed_room : 16;
		struct uuid *removed = ctl_pool_get(&ctl->pool, (size_t)room, sizeof *removed);

		if (ctl->n_removed > 0)
			memcpy(removed, ctl->removed, (size_t)ctl->n_removed * sizeof *removed);
		ctl_pool_put(&ctl->pool, ctl->removed, (size_t)ctl->removed_room, sizeof *removed);
		ctl->removed = removed;
		ctl->removed_room = room;
	}
	ctl->removed[ctl->n_removed++] = *id;
}

void ctl_topic_hide(struct ctl *ctl, struct ctl_topic *topic)
{
	if (topic->seen)
		remember_removed(ctl, &topic->id);
	topic->seen = false;
}

static void copy_ids(int32_t *to, const int32_t *from, int32_t n)
{
	if (n > 0)
		memcpy(to, from, (size_t)n * sizeof *to);
}

static void lead_free(struct ctl *ctl, struct ctl_lead *lead)
{
	ctl_pool_put(&ctl->pool, lead->isr, (size_t)lead->isr_room, sizeof *lead->isr);
	ctl_pool_put(&ctl->pool, lead->isr_epochs, (size_t)lead->isr_room, sizeof *lead->isr_epochs);
	ctl_pool_put(&ctl->pool, lead->elr, (size_t)lead->elr_room, sizeof *lead->elr);
	ctl_pool_put(&ctl->pool, lead->elr_epochs, (size_t)lead->elr_room, sizeof *lead->elr_epochs);
	ctl_pool_put(&ctl->pool, lead->lost, (size_t)lead->lost_room, sizeof *lead->lost);
	*lead = (struct ctl_lead){.leader = -1, .leader_epoch = -1};
}

static void replicas_free(struct ctl *ctl, struct ctl_partition *p)
{
	size_t n = (size_t)p->n_replicas + (size_t)p->n_adding + (size_t)p->n_removing;

	ctl_pool_put(&ctl->pool, p->replicas, n, sizeof *p->replicas);
	p->replicas = NULL;
}

void ctl_topic_unlist_moving(struct ctl *ctl, struct ctl_topic *topic)
{
	struct ctl_topic **at = &ctl->moving;

	if (!topic->is_moving)
		return;
	while (*at != topic)
		at = &(*at)->next_moving;
	*at = topic->next_moving;
	topic->is_moving = false;
}

void ctl_move_set_target(struct ctl *ctl, struct ctl_move *move, const int32_t *target, int n_target)
{
	size_t n_before = move->n_target > 0 ? (size_t)move->n_target : 0;
	size_t n = n_target > 0 ? (size_t)n_target : 0;

	ctl_pool_put(&ctl->pool, move->target, n_before, sizeof *move->target);
	move->target = ctl_pool_get(&ctl->pool, n, sizeof *move->target);
	move->n_target = (int16_t)n_target;
	if (n > 0)
		memcpy(move->target, target, n * sizeof *target);
}

static size_t n_ids(const struct ctl_move *move)
{
	return (size_t)move->n_replicas + (size_t)move->n_adding + (size_t)move->n_removing;
}

void ctl_move_set_plan(struct ctl *ctl, struct ctl_move *move, const struct ctl_assignment *plan)
{
	ctl_pool_put(&ctl->pool, move->ids, n_ids(move), sizeof *move->ids);
	move->n_replicas = (int16_t)plan->n_replicas;
	move->n_adding = (int16_t)plan->n_adding;
	move->n_removing = (int16_t)plan->n_removing;
	move->ids = ctl_pool_get(&ctl->pool, n_ids(move), sizeof *move->ids);
	copy_ids(move->ids, plan->replicas, move->n_replicas);
	copy_ids(move->ids + move->n_replicas, plan->adding, move->n_adding);
	copy_ids(move->ids + move->n_replicas + move->n_adding, plan->removing, move->n_removing);
}

void ctl_move_set_message(struct ctl *ctl, struct ctl_move *move, struct slice message)
{
	if (!slice_is_null(move->message))
		ctl_pool_put(&ctl->pool, (void *)(uintptr_t)move->message.data, move->message.len + 1, 1);
	move->message = slice_is_null(message) ? SLICE_NULL : ctl_pool_copy(&ctl->pool, message);
}

void ctl_move_free(struct ctl *ctl, struct ctl_partition *p)
{
	struct ctl_move *move = p->move;

	if (!move)
		return;
	p->move = NULL;
	ctl_move_set_target(ctl, move, NULL, 0);
	ctl_move_set_plan(ctl, move, &(struct ctl_assignment){0});
	ctl_move_set_message(ctl, move, SLICE_NULL);
	ctl_pool_put(&ctl->pool, move, 1, sizeof *move);
}

static void unlink_dirty(struct ctl *ctl, struct ctl_topic *topic)
{
	struct ctl_topic **at = &ctl->dirty;

	if (!topic->is_dirty)
		return;
	while (*at != topic)
		at = &(*at)->next_dirty;
	*at = topic->next_dirty;
	topic->is_dirty = false;
}

void ctl_partition_free_ends(struct ctl *ctl, struct ctl_partition *p)
{
	ctl_pool_put(&ctl->pool, p->ends, (size_t)p->ends_room, sizeof *p->ends);
	p->ends = NULL;
	p->n_ends = p->ends_room = 0;
}

void ctl_partition_drop_failure(struct ctl *ctl, struct ctl_partition *p, struct ctl_failure *failure)
{
	struct ctl_failure **at = &p->failures;

	while (*at != failure)
		at = &(*at)->next;
	*at = failure->next;
	ctl_pool_put(&ctl->pool, failure, 1, sizeof *failure);
	ctl->n_failures--;
}

/* Those of brokers that are not among these. */
static void drop_failures_but(struct ctl *ctl, struct ctl_partition *p, const int32_t *kept, int32_t n_kept)
{
	struct ctl_failure *next;

	for (struct ctl_failure *failure = p->failures; failure; failure = next) {
		next = failure->next;
		if (!ctl_contains(kept, n_kept, failure->broker))
			ctl_partition_drop_failure(ctl, p, failure);
	}
}

static struct ctl_end *find_end(struct ctl_partition *p, int32_t broker)
{
	for (int i = 0; i < p->n_ends; i++)
		if (p->ends[i].broker == broker)
			return &p->ends[i];
	return NULL;
}

void ctl_partition_set_end(struct ctl *ctl, struct ctl_partition *p, const struct ctl_end *end)
{
	struct ctl_end *at = find_end(p, end->broker);

	if (!at && p->n_ends == p->ends_room) {
		int16_t room = (int16_t)(p->ends_room ? 2 * p->ends_room : 4);
		struct ctl_end *ends = ctl_pool_get(&ctl->pool, (size_t)room, sizeof *ends);

		for (int i = 0; i < p->n_ends; i++)
			ends[i] = p->ends[i];
		ctl_pool_put(&ctl->pool, p->ends, (size_t)p->ends_room, sizeof *ends);
		p->ends = ends;
		p->ends_room = room;
	}
	if (!at)
		at = &p->ends[p->n_ends++];
	*at = *end;
}

void ctl_topic_drop(struct ctl *ctl, struct ctl_topic *topic)
{
	ctl_topic_hide(ctl, topic);
	unlink_dirty(ctl, topic);
	ctl_topic_unlist_moving(ctl, topic);
	unlink_by_name(ctl, topic);
	unlink_by_id(ctl, topic);
	*(topic->prev ? &topic->prev->next : &ctl->topics) = topic->next;
	*(topic->next ? &topic->next->prev : &ctl->topics_last) = topic->prev;
	ctl->n_topics--;
	ctl->n_deleting -= topic->deletion != CTL_DELETION_NONE;
	ctl->n_stopping -= topic->deletion == CTL_DELETION_STOPPING;
	for (int32_t i = 0; i < topic->n_partitions; i++) {
		ctl->n_clearing -= topic->partitions[i].clearing;
		lead_free(ctl, &topic->partitions[i].now);
		lead_free(ctl, &topic->partitions[i].next);
		ctl_move_free(ctl, &topic->partitions[i]);
		ctl_partition_free_ends(ctl, &topic->partitions[i]);
		drop_failures_but(ctl, &topic->partitions[i], NULL, 0);
		replicas_free(ctl, &topic->partitions[i]);
	}
	ctl_pool_put(&ctl->pool, topic->partitions, (size_t)topic->n_partitions, sizeof *topic->partitions);
	ctl_pool_put(&ctl->pool, topic->stops, (size_t)topic->n_stops, sizeof *topic->stops);
	ctl_pool_put(&ctl->pool, topic->configs.pairs, topic->configs.size, 1);
	ctl_pool_put(&ctl->pool, (void *)(uintptr_t)topic->name.data, topic->name.len + 1, 1);
	ctl_pool_put(&ctl->pool, topic, 1, sizeof *topic);
}

void ctl_topic_grow(struct ctl *ctl, struct ctl_topic *topic, int32_t n)
{
	struct ctl_partition *partitions;

	CHECK(n >= topic->n_partitions);
	if (n == topic->n_partitions)
		return;
	partitions = ctl_pool_get(&ctl->pool, (size_t)n, sizeof *partitions);
	if (topic->n_partitions > 0)
		memcpy(partitions, topic->partitions, (size_t)topic->n_partitions * sizeof *partitions);
	ctl_pool_put(&ctl->pool, topic->partitions, (size_t)topic->n_partitions, sizeof *partitions);
	for (int32_t i = topic->n_partitions; i < n; i++) {
		partitions[i].state = CTL_NON_EXISTENT;
		partitions[i].version = -1;
		partitions[i].asker = -1;
		partitions[i].now = (struct ctl_lead){.leader = -1, .leader_epoch = -1};
		partitions[i].next = partitions[i].now;
		partitions[i].unseen = true;
	}
	topic->partitions = partitions;
	topic->n_partitions = n;
}

void ctl_topic_touch(struct ctl *ctl, struct ctl_topic *topic)
{
	if (topic->is_dirty)
		return;
	topic->is_dirty = true;
	topic->next_dirty = ctl->dirty;
	ctl->dirty = topic;
}

void ctl_topic_list_moving(struct ctl *ctl, struct ctl_topic *topic)
{
	if (topic->is_moving)
		return;
	topic->is_moving = true;
	topic->next_moving = ctl->moving;
	ctl->moving = topic;
}

/* ---- partitions ---- */

void ctl_partition_set_replicas(struct ctl *ctl, struct ctl_partition *p, const struct ctl_assignment *assignment)
{
	size_t n = (size_t)assignment->n_replicas + (size_t)assignment->n_adding + (size_t)assignment->n_removing;

	drop_failures_but(ctl, p, assignment->replicas, assignment->n_replicas);
	replicas_free(ctl, p);
	p->replicas = ctl_pool_get(&ctl->pool, n, sizeof *p->replicas);
	p->n_replicas = (int16_t)assignment->n_replicas;
	p->n_adding = (int16_t)assignment->n_adding;
	p->n_removing = (int16_t)assignment->n_removing;
	copy_ids(p->replicas, assignment->replicas, p->n_replicas);
	copy_ids(p->replicas + p->n_replicas, assignment->adding, p->n_adding);
	copy_ids(p->replicas + p->n_replicas + p->n_adding, assignment->removing, p->n_removing);
}

static void give_ids(struct ctl *ctl, int32_t **ids, int64_t **epochs, int16_t *room, int n)
{
	CHECK(n <= LIMIT_REPLICAS);
	if (n <= *room)
		return;
	ctl_pool_put(&ctl->pool, *ids, (size_t)*room, sizeof **ids);
	*ids = ctl_pool_get(&ctl->pool, (size_t)n, sizeof **ids);
	if (epochs) {
		ctl_pool_put(&ctl->pool, *epochs, (size_t)*room, sizeof **epochs);
		*epochs = ctl_pool_get(&ctl->pool, (size_t)n, sizeof **epochs);
	}
	*room = (int16_t)n;
}

static void copy_epochs(int64_t *to, const int64_t *from, int n)
{
	for (int i = 0; i < n; i++)
		to[i] = from ? from[i] : CTL_EPOCH_UNKNOWN;
}

void ctl_lead_set_isr(struct ctl *ctl, struct ctl_lead *lead, const int32_t *isr, const int64_t *epochs, int n_isr)
{
	give_ids(ctl, &lead->isr, &lead->isr_epochs, &lead->isr_room, n_isr);
	copy_ids(lead->isr, isr, n_isr);
	copy_epochs(lead->isr_epochs, epochs, n_isr);
	lead->n_isr = (int16_t)n_isr;
}

void ctl_lead_set_elr(struct ctl *ctl, struct ctl_lead *lead, const int32_t *elr, const int64_t *epochs, int n_elr)
{
	give_ids(ctl, &lead->elr, &lead->elr_epochs, &lead->elr_room, n_elr);
	copy_ids(lead->elr, elr, n_elr);
	copy_epochs(lead->elr_epochs, epochs, n_elr);
	lead->n_elr = (int16_t)n_elr;
}

void ctl_lead_set_lost(struct ctl *ctl, struct ctl_lead *lead, const int32_t *lost, int n_lost)
{
	give_ids(ctl, &lead->lost, NULL, &lead->lost_room, n_lost);
	copy_ids(lead->lost, lost, n_lost);
	lead->n_lost = (int16_t)n_lost;
}

void ctl_lead_copy(struct ctl *ctl, struct ctl_lead *to, const struct ctl_lead *from)
{
	ctl_lead_set_isr(ctl, to, from->isr, from->isr_epochs, from->n_isr);
	ctl_lead_set_elr(ctl, to, from->elr, from->elr_epochs, from->n_elr);
	ctl_lead_set_lost(ctl, to, from->lost, from->n_lost);
	to->leader = from->leader;
	to->leader_epoch = from->leader_epoch;
	to->recovering = from->recovering;
}

/* ---- configs ---- */

static struct slice append(char **at, struct slice text)
{
	struct slice copy = slice_of(*at, text.len);

	if (text.len > 0)
		memcpy(*at, text.data, text.len);
	*at += text.len;
	return copy;
}

void ctl_configs_set(struct ctl *ctl, struct ctl_configs *configs, const struct ctl_pair *pairs, int n_pairs, int32_t version)
{
	size_t size = (size_t)n_pairs * sizeof *pairs;
	struct ctl_configs made = {.n_pairs = n_pairs, .version = version};
	char *at;

	for (int i = 0; i < n_pairs; i++)
		size += pairs[i].name.len + pairs[i].value.len;
	made.size = size;
	made.pairs = ctl_pool_get(&ctl->pool, size, 1);
	at = (char *)(made.pairs + n_pairs);
	for (int i = 0; i < n_pairs; i++)
		made.pairs[i] = (struct ctl_pair){.name = append(&at, pairs[i].name), .value = append(&at, pairs[i].value)};
	ctl_pool_put(&ctl->pool, configs->pairs, configs->size, 1);
	*configs = made;
}

struct slice ctl_configs_get(const struct ctl_configs *configs, const char *name)
{
	for (int i = 0; i < configs->n_pairs; i++)
		if (slice_is_text(configs->pairs[i].name, name))
			return configs->pairs[i].value;
	return SLICE_NULL;
}

struct ctl_broker_config *ctl_broker_config_find(struct ctl *ctl, int32_t broker)
{
	for (int i = 0; i < ctl->n_broker_configs; i++)
		if (ctl->broker_configs[i].broker == broker)
			return &ctl->broker_configs[i];
	return NULL;
}
