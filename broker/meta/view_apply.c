/*
 * A view and a delta -> the next view; see view.h.
 *
 *     check the number -> make what is new (topics patched or new, brokers, configurations)
 *                      -> merge sorted arrays: what stayed is copied as pointers -> a keeper for what is new
 *
 * Nothing of the old view changes, and nothing is made visible before all of the delta has been found good.
 */
#include "broker/meta/view.h"

#include "broker/meta/topic_name_core.h"
#include "broker/meta/view_keeper.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/memory.h"

#include <stdlib.h>

/* ---- One allocation for struct, arrays and text: sizes are counted first, then given out in the same order. ---- */

struct room {
	char *at;
};

static void *take(struct room *room, size_t len)
{
	void *taken = room->at;

	room->at += len;
	return taken;
}

static struct slice take_text(struct room *room, struct slice text)
{
	char *copy;

	if (slice_is_null(text))
		return text;
	copy = take(room, text.len + 1);
	memcpy(copy, text.data, text.len);
	copy[text.len] = 0;
	return slice_of(copy, text.len);
}

static const int32_t *take_ids(struct room *room, const int32_t *ids, int n)
{
	int32_t *copy = take(room, (size_t)n * sizeof *copy);

	if (n)
		memcpy(copy, ids, (size_t)n * sizeof *copy);
	return copy;
}

static size_t text_size(struct slice text)
{
	return slice_is_null(text) ? 0 : text.len + 1;
}

static size_t pairs_text_size(struct config_pairs pairs)
{
	size_t size = 0;

	for (int i = 0; i < pairs.n; i++)
		size += text_size(pairs.list[i].key) + text_size(pairs.list[i].value);
	return size;
}

static struct config_pairs copy_pairs(struct config_pair *to, struct config_pairs from, struct room *text)
{
	for (int i = 0; i < from.n; i++)
		to[i] = (struct config_pair){take_text(text, from.list[i].key), take_text(text, from.list[i].value)};
	return (struct config_pairs){to, from.n};
}

/* ---- Topics ---- */

static int n_ids(const struct view_partition *partition)
{
	return partition->n_replicas + partition->n_isr + partition->n_adding + partition->n_removing + partition->n_offline;
}

/* What a topic is made of, borrowed from the delta and from the topic before. */
struct topic_parts {
	struct slice name;
	struct uuid id;
	bool deleting;
	int32_t config_version;
	struct config_pairs config;
	int32_t n_partitions;
	const struct view_partition **partitions;
};

static struct view_topic *topic_new(const struct topic_parts *parts)
{
	size_t ids = 0;
	size_t size = sizeof(struct view_topic) + (size_t)parts->n_partitions * sizeof(struct view_partition) +
		      (size_t)parts->config.n * sizeof(struct config_pair);

	for (int32_t i = 0; i < parts->n_partitions; i++)
		ids += (size_t)n_ids(parts->partitions[i]);
	size += ids * sizeof(int32_t) + text_size(parts->name) + pairs_text_size(parts->config);

	struct room room = {memory_alloc(size)};
	struct view_topic *topic = take(&room, sizeof *topic);
	struct view_partition *partitions = take(&room, (size_t)parts->n_partitions * sizeof *partitions);
	struct config_pair *config = take(&room, (size_t)parts->config.n * sizeof *config);

	for (int32_t i = 0; i < parts->n_partitions; i++) {
		partitions[i] = *parts->partitions[i];
		partitions[i].replicas = take_ids(&room, partitions[i].replicas, partitions[i].n_replicas);
		partitions[i].isr = take_ids(&room, partitions[i].isr, partitions[i].n_isr);
		partitions[i].adding = take_ids(&room, partitions[i].adding, partitions[i].n_adding);
		partitions[i].removing = take_ids(&room, partitions[i].removing, partitions[i].n_removing);
		partitions[i].offline = take_ids(&room, partitions[i].offline, partitions[i].n_offline);
	}
	*topic = (struct view_topic){
		.name = take_text(&room, parts->name),
		.id = parts->id,
		.deleting = parts->deleting,
		.config_version = parts->config_version,
		.config = copy_pairs(config, parts->config, &room),
		.n_partitions = parts->n_partitions,
		.partitions = partitions,
	};
	refcount_init(&topic->refs);
	return topic;
}

static bool partition_is_sane(const struct view_partition *partition)
{
	return partition->index >= 0 && partition->index < LIMIT_TOPIC_PARTITIONS && partition->leader >= VIEW_NO_LEADER &&
	       partition->n_replicas <= LIMIT_REPLICAS && partition->n_isr <= LIMIT_REPLICAS &&
	       partition->n_adding <= LIMIT_REPLICAS && partition->n_removing <= LIMIT_REPLICAS && partition->n_offline <= LIMIT_REPLICAS;
}

/* The topic before, with what the delta gives put over it. ERR_INVALID when a partition is odd or one is missing. */
static int topic_patch(const struct view_topic *before, const struct view_topic_delta *delta, struct view_topic **ret_topic)
{
	struct arena arena;
	struct topic_parts parts = {
		.name = delta->name,
		.id = delta->id,
		.deleting = delta->deleting,
		.config_version = before ? before->config_version : -1,
		.config = before ? before->config : (struct config_pairs){NULL, 0},
		.n_partitions = before ? before->n_partitions : 0,
	};
	int rc = 0;

	if (!topic_name_is_valid(delta->name))
		return ERR_INVALID;
	arena_init(&arena);
	for (int32_t i = 0; i < delta->n_partitions && !rc; i++) {
		rc = partition_is_sane(&delta->partitions[i]) ? 0 : ERR_INVALID;
		if (!rc && delta->partitions[i].index >= parts.n_partitions)
			parts.n_partitions = delta->partitions[i].index + 1;
	}
	/* More new partitions than are given: one is missing. Checked before an outsider's index is allocated for. */
	if (rc || parts.n_partitions - (before ? before->n_partitions : 0) > delta->n_partitions) {
		rc = ERR_INVALID;
		goto out;
	}
	parts.partitions = arena_zalloc(&arena, (size_t)parts.n_partitions, sizeof *parts.partitions);
	for (int32_t i = 0; before && i < before->n_partitions; i++)
		parts.partitions[i] = &before->partitions[i];
	for (int32_t i = 0; i < delta->n_partitions; i++)
		parts.partitions[delta->partitions[i].index] = &delta->partitions[i];
	for (int32_t i = 0; i < parts.n_partitions && !rc; i++)
		rc = parts.partitions[i] ? 0 : ERR_INVALID;
	if (delta->has_config) {
		parts.config = config_pairs_sorted(&arena, delta->config, delta->n_config);
		parts.config_version = delta->config_version;
	}
	if (!rc)
		rc = parts.n_partitions ? 0 : ERR_INVALID;
	if (!rc)
		*ret_topic = topic_new(&parts);
out:
	arena_fini(&arena);
	return rc;
}

/* A topic the delta speaks of: its name, and what becomes of it. */
struct touched {
	struct slice name;
	int32_t order;            /* removals first, then entries as they come */
	const struct view_topic_delta *delta; /* NULL: removed */
};

static int compare_touched(const void *a, const void *b)
{
	const struct touched *left = a, *right = b;
	int order = slice_compare(left->name, right->name);

	return order ? order : (left->order > right->order) - (left->order < right->order);
}

static struct touched *touched_sorted(const struct view_delta *delta, struct arena *arena, int32_t *ret_n)
{
	int32_t n = delta->n_removed_topics + delta->n_topics;
	struct touched *touched = arena_alloc(arena, (size_t)n * sizeof *touched);

	for (int32_t i = 0; i < delta->n_removed_topics; i++)
		touched[i] = (struct touched){delta->removed_topics[i], i, NULL};
	for (int32_t i = 0; i < delta->n_topics; i++) {
		int32_t at = delta->n_removed_topics + i;

		touched[at] = (struct touched){delta->topics[i].name, at, &delta->topics[i]};
	}
	if (n > 1)
		qsort(touched, (size_t)n, sizeof *touched, compare_touched);
	*ret_n = n;
	return touched;
}

static void release_made(const struct view_topic *was, struct view_topic *topic)
{
	if (topic != was)
		view_topic_release(topic);
}

/*
 * What becomes of one topic after all entries of its name: *ret_topic is `was` (not retained), NULL, or a new one with a reference.
 * `now` is what patches begin with: `was`, or NULL in a snapshot.
 */
static int topic_follow(struct view_topic *was, struct view_topic *now, const struct touched *touched, int32_t n,
			struct view_topic **ret_topic)
{
	struct view_topic *topic = now;

	for (int32_t i = 0; i < n; i++) {
		const struct view_topic_delta *delta = touched[i].delta;
		bool same = delta && topic && uuid_equal(&topic->id, &delta->id);
		struct view_topic *next = NULL;
		int rc = delta ? topic_patch(same ? topic : NULL, delta, &next) : 0;

		release_made(was, topic);
		if (rc)
			return rc;
		topic = next;
	}
	*ret_topic = topic;
	return 0;
}

/*
 * Topics of the old view that are not in the new one, and those made for the new one, which are owned here until a keeper takes them.
 * Only these are touched by a delta: everything between them is copied as pointers, without a look at the topics.
 */
struct topic_changes {
	struct view_topic **gone;
	struct view_topic **fresh;
	int32_t n_gone;
	int32_t n_fresh;
};

static void note_change(struct topic_changes *changes, struct view_topic *before, struct view_topic *after)
{
	if (before == after)
		return;
	if (before)
		changes->gone[changes->n_gone++] = before;
	if (after)
		changes->fresh[changes->n_fresh++] = after;
}

static bool ids_equal(const int32_t *a, int n_a, const int32_t *b, int n_b)
{
	return n_a == n_b && memcmp(a, b, (size_t)n_a * sizeof *a) == 0;
}

static bool partition_equal(const struct view_partition *a, const struct view_partition *b)
{
	return a->leader == b->leader && a->leader_epoch == b->leader_epoch && a->partition_epoch == b->partition_epoch &&
	       a->recovering == b->recovering && ids_equal(a->replicas, a->n_replicas, b->replicas, b->n_replicas) &&
	       ids_equal(a->isr, a->n_isr, b->isr, b->n_isr) && ids_equal(a->adding, a->n_adding, b->adding, b->n_adding) &&
	       ids_equal(a->removing, a->n_removing, b->removing, b->n_removing) &&
	       ids_equal(a->offline, a->n_offline, b->offline, b->n_offline);
}

static bool topic_equal(const struct view_topic *a, const struct view_topic *b)
{
	if (!uuid_equal(&a->id, &b->id) || a->deleting != b->deleting || a->config_version != b->config_version ||
	    a->n_partitions != b->n_partitions || !config_pairs_equal(a->config, b->config))
		return false;
	for (int32_t i = 0; i < a->n_partitions; i++)
		if (!partition_equal(&a->partitions[i], &b->partitions[i]))
			return false;
	return true;
}

/* A topic that came out as it was before is taken from there, so that a snapshot changes only what is different. */
static struct view_topic *share_equal(struct view_topic *before, struct view_topic *topic)
{
	if (!before || !topic || before == topic || !topic_equal(before, topic))
		return topic;
	view_topic_release(topic);
	return before;
}

static void copy_range(struct view_topic **to, int32_t *n_to, struct view_topic *const *from, int32_t begin, int32_t end)
{
	if (end > begin)
		memcpy(to + *n_to, from + begin, (size_t)(end - begin) * sizeof *to);
	*n_to += end > begin ? end - begin : 0;
}

/* Old topics and touched names, both sorted, become the new list. A snapshot takes over no old topic but those that are equal. */
static int merge_topics(const struct view *before, const struct view_delta *delta, struct arena *scratch, struct view *after,
			struct topic_changes *changes)
{
	int32_t n_touched, old = 0;
	struct touched *touched = touched_sorted(delta, scratch, &n_touched);

	after->topics = arena_alloc(&after->arena, (size_t)(before->n_topics + n_touched) * sizeof *after->topics);
	after->n_partitions = delta->snapshot ? 0 : before->n_partitions;
	changes->gone = arena_alloc(scratch, (size_t)n_touched * sizeof *changes->gone);
	changes->fresh = arena_alloc(scratch, (size_t)n_touched * sizeof *changes->fresh);
	for (int32_t at = 0, end; at < n_touched; at = end) {
		int32_t place = view_topic_lower_bound(before, touched[at].name);
		bool known = place < before->n_topics && slice_equal(before->topics[place]->name, touched[at].name);
		struct view_topic *was = known ? before->topics[place] : NULL, *topic;
		int rc;

		for (end = at + 1; end < n_touched && slice_equal(touched[end].name, touched[at].name);)
			end++;
		rc = topic_follow(was, delta->snapshot ? NULL : was, touched + at, end - at, &topic);
		if (rc)
			return rc;
		topic = share_equal(was, topic);
		note_change(changes, was, topic);
		if (!delta->snapshot)
			copy_range(after->topics, &after->n_topics, before->topics, old, place);
		old = place + known;
		if (topic)
			after->topics[after->n_topics++] = topic;
		after->n_partitions += (topic ? topic->n_partitions : 0) - (was && !delta->snapshot ? was->n_partitions : 0);
	}
	if (!delta->snapshot)
		copy_range(after->topics, &after->n_topics, before->topics, old, before->n_topics);
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	const struct view_topic *left = *(struct view_topic *const *)a, *right = *(struct view_topic *const *)b;

	return memcmp(left->id.bytes, right->id.bytes, sizeof left->id.bytes);
}

static void sort_by_id(struct view_topic **list, int32_t n)
{
	if (n > 1)
		qsort(list, (size_t)n, sizeof(struct view_topic *), compare_ids);
}

/* Index of the first topic in an index by id that is not below `id`. */
static int32_t id_lower_bound(struct view_topic *const *list, int32_t n, const struct uuid *id)
{
	int32_t low = 0, high = n;

	while (low < high) {
		int32_t middle = (low + high) / 2;

		if (memcmp(list[middle]->id.bytes, id->bytes, sizeof id->bytes) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The old index, without what is gone and with what is fresh. */
static void merge_by_id(const struct view *before, struct view *after, struct topic_changes *changes)
{
	struct view_topic *const *list = before->topics_by_id;
	int32_t old = 0, gone = 0, n = 0;

	sort_by_id(changes->gone, changes->n_gone);
	sort_by_id(changes->fresh, changes->n_fresh);
	for (int32_t i = 0; i <= changes->n_fresh; i++) {
		struct view_topic *fresh = i < changes->n_fresh ? changes->fresh[i] : NULL;
		int32_t place = fresh ? id_lower_bound(list, before->n_topics, &fresh->id) : before->n_topics;

		for (; gone < changes->n_gone; gone++) {
			int32_t hole = id_lower_bound(list, before->n_topics, &changes->gone[gone]->id);

			if (hole >= place)
				break;
			copy_range(after->topics_by_id, &n, list, old, hole);
			old = hole + 1;
		}
		copy_range(after->topics_by_id, &n, list, old, place);
		old = place > old ? place : old;
		if (fresh)
			after->topics_by_id[n++] = fresh;
	}
}

/* Two topics with one id are a contradiction; only those that are new can bring one. */
static int check_ids(const struct view *after, const struct topic_changes *changes)
{
	for (int32_t i = 0; i < changes->n_fresh; i++) {
		int32_t place = id_lower_bound(after->topics_by_id, after->n_topics, &changes->fresh[i]->id);

		if (place + 1 < after->n_topics && compare_ids(&after->topics_by_id[place], &after->topics_by_id[place + 1]) == 0)
			return ERR_INVALID;
	}
	return 0;
}

static int index_by_id(const struct view *before, const struct view_delta *delta, struct view *after, struct topic_changes *changes)
{
	after->topics_by_id = arena_alloc(&after->arena, (size_t)(after->n_topics + 1) * sizeof *after->topics_by_id);
	if (delta->snapshot) {
		int32_t n = 0;

		copy_range(after->topics_by_id, &n, after->topics, 0, after->n_topics);
		sort_by_id(after->topics_by_id, n);
	} else {
		merge_by_id(before, after, changes);
	}
	return check_ids(after, changes);
}

/* ---- Keepers ---- */

/* A chain is begun anew when it is so long, or holds so many partitions of topics that are gone (per partition that is there). */
#define KEEPER_DEPTH_MAX 64
#define KEEPER_STALE_MIN 1000

static int64_t stale_partitions(const struct topic_changes *changes)
{
	int64_t n = 0;

	for (int32_t i = 0; i < changes->n_gone; i++)
		n += changes->gone[i]->n_partitions;
	return n;
}

/* A keeper of every topic of the view by itself. Those of `fresh` bring their reference, the others get one. */
static struct view_keeper *keeper_of_all(const struct view *after, const struct topic_changes *changes)
{
	struct view_keeper *keeper = memory_alloc(sizeof *keeper + (size_t)after->n_topics * sizeof *keeper->topics);

	*keeper = (struct view_keeper){.n = after->n_topics};
	for (int32_t i = 0; i < after->n_topics; i++)
		keeper->topics[i] = view_topic_retain(after->topics[i]);
	for (int32_t i = 0; i < changes->n_fresh; i++)
		view_topic_release(changes->fresh[i]);
	return keeper;
}

/* Gives the new view what keeps its topics alive: the keeper of the view before and the fresh topics, or one of all. */
static void keep_topics(const struct view *before, const struct view_delta *delta, struct view *after,
			const struct topic_changes *changes)
{
	struct view_keeper *below = before->keeper;
	int64_t stale = stale_partitions(changes) + (below ? below->stale_partitions : 0);
	bool anew = delta->snapshot || !below || below->depth == KEEPER_DEPTH_MAX ||
		    stale > KEEPER_STALE_MIN + after->n_partitions / 4;
	struct view_keeper *keeper;

	if (anew) {
		keeper = keeper_of_all(after, changes);
	} else {
		keeper = memory_alloc(sizeof *keeper + (size_t)changes->n_fresh * sizeof *keeper->topics);
		*keeper = (struct view_keeper){.below = below, .depth = below->depth + 1, .n = changes->n_fresh, .stale_partitions = stale};
		refcount_retain(&below->refs);
		for (int32_t i = 0; i < changes->n_fresh; i++)
			keeper->topics[i] = changes->fresh[i];
	}
	refcount_init(&keeper->refs);
	after->keeper = keeper;
}

/* ---- Brokers ---- */

static struct view_broker *broker_new(const struct view_broker *from)
{
	size_t size = sizeof *from + (size_t)from->n_endpoints * sizeof *from->endpoints + text_size(from->rack);

	for (int i = 0; i < from->n_endpoints; i++)
		size += text_size(from->endpoints[i].listener) + text_size(from->endpoints[i].protocol) +
			text_size(from->endpoints[i].host);

	struct room room = {memory_alloc(size)};
	struct view_broker *broker = take(&room, sizeof *broker);
	struct view_endpoint *endpoints = take(&room, (size_t)from->n_endpoints * sizeof *endpoints);

	*broker = *from;
	refcount_init(&broker->refs);
	broker->rack = take_text(&room, from->rack);
	broker->endpoints = endpoints;
	for (int i = 0; i < from->n_endpoints; i++)
		endpoints[i] = (struct view_endpoint){
			.listener = take_text(&room, from->endpoints[i].listener),
			.protocol = take_text(&room, from->endpoints[i].protocol),
			.host = take_text(&room, from->endpoints[i].host),
			.port = from->endpoints[i].port,
		};
	return broker;
}

static bool endpoint_equal(const struct view_endpoint *a, const struct view_endpoint *b)
{
	return a->port == b->port && slice_equal(a->listener, b->listener) && slice_equal(a->protocol, b->protocol) &&
	       slice_equal(a->host, b->host);
}

static bool broker_equal(const struct view_broker *a, const struct view_broker *b)
{
	if (a->id != b->id || a->epoch != b->epoch || a->ours != b->ours || !slice_equal(a->rack, b->rack) ||
	    a->n_endpoints != b->n_endpoints)
		return false;
	for (int i = 0; i < a->n_endpoints; i++)
		if (!endpoint_equal(&a->endpoints[i], &b->endpoints[i]))
			return false;
	return true;
}

static int compare_brokers(const void *a, const void *b)
{
	const struct view_broker *left = *(struct view_broker *const *)a, *right = *(struct view_broker *const *)b;

	return (left->id > right->id) - (left->id < right->id);
}

static int set_brokers(const struct view *before, const struct view_delta *delta, struct view *after)
{
	int n = delta->has_brokers ? delta->n_brokers : delta->snapshot ? 0 : before->n_brokers;

	after->brokers = arena_alloc(&after->arena, (size_t)n * sizeof *after->brokers);
	for (int i = 0; i < n; i++) {
		const struct view_broker *wanted = delta->has_brokers ? &delta->brokers[i] : before->brokers[i];
		const struct view_broker *known = view_broker(before, wanted->id);

		if (known && broker_equal(known, wanted)) {
			after->brokers[i] = (struct view_broker *)(uintptr_t)known;
			refcount_retain(&after->brokers[i]->refs);
		} else {
			after->brokers[i] = broker_new(wanted);
		}
		after->n_brokers++;
	}
	if (n > 1)
		qsort(after->brokers, (size_t)n, sizeof(struct view_broker *), compare_brokers);
	for (int i = 1; i < n; i++)
		if (after->brokers[i]->id == after->brokers[i - 1]->id)
			return ERR_INVALID;
	return 0;
}

/* ---- Dynamic broker configurations ---- */

static struct view_broker_config *config_new(const struct view_broker_config_delta *delta, struct arena *scratch)
{
	struct config_pairs pairs = config_pairs_sorted(scratch, delta->config, delta->n_config);
	struct room room = {memory_alloc(sizeof(struct view_broker_config) + (size_t)pairs.n * sizeof(struct config_pair) +
					 pairs_text_size(pairs))};
	struct view_broker_config *config = take(&room, sizeof *config);
	struct config_pair *list = take(&room, (size_t)pairs.n * sizeof *list);

	*config = (struct view_broker_config){.id = delta->id, .version = delta->version};
	refcount_init(&config->refs);
	config->config = copy_pairs(list, pairs, &room);
	return config;
}

static int compare_configs(const void *a, const void *b)
{
	const struct view_broker_config *left = *(struct view_broker_config *const *)a;
	const struct view_broker_config *right = *(struct view_broker_config *const *)b;

	return (left->id > right->id) - (left->id < right->id);
}

static int set_broker_configs(const struct view *before, const struct view_delta *delta, struct view *after,
			      struct arena *scratch)
{
	int n_old = delta->snapshot ? 0 : before->n_broker_configs;
	struct view_broker_config **list;

	list = arena_alloc(&after->arena, (size_t)(n_old + delta->n_broker_configs) * sizeof *list);
	after->broker_configs = list;
	for (int i = 0; i < n_old; i++) {
		bool replaced = false;

		for (int j = 0; j < delta->n_broker_configs; j++)
			replaced |= delta->broker_configs[j].id == before->broker_configs[i]->id;
		if (replaced)
			continue;
		refcount_retain(&before->broker_configs[i]->refs);
		list[after->n_broker_configs++] = before->broker_configs[i];
	}
	for (int j = 0; j < delta->n_broker_configs; j++)
		if (delta->broker_configs[j].n_config)
			list[after->n_broker_configs++] = config_new(&delta->broker_configs[j], scratch);
	if (after->n_broker_configs > 1)
		qsort(list, (size_t)after->n_broker_configs, sizeof(struct view_broker_config *), compare_configs);
	for (int i = 1; i < after->n_broker_configs; i++)
		if (list[i]->id == list[i - 1]->id)
			return ERR_INVALID;
	return 0;
}

/* ---- All together ---- */

static bool follows(const struct view *view, const struct view_delta *delta)
{
	if (delta->snapshot)
		return delta->controller_epoch >= view->controller_epoch;
	return view->number >= 0 && delta->controller_epoch == view->controller_epoch && delta->number == view->number + 1;
}

int view_apply(const struct view *view, const struct view_delta *delta, struct view **ret_view)
{
	struct topic_changes changes = {0};
	struct view *after;
	struct arena scratch;
	int rc;

	if (!follows(view, delta))
		return ERR_VERSION;
	after = view_new_empty();
	after->controller_epoch = delta->controller_epoch;
	after->number = delta->number;
	after->office_broker = delta->office_broker;
	after->cluster_id = arena_copy(&after->arena, slice_is_null(delta->cluster_id) ? view->cluster_id : delta->cluster_id);
	arena_init(&scratch);
	rc = set_brokers(view, delta, after);
	if (!rc)
		rc = set_broker_configs(view, delta, after, &scratch);
	if (!rc)
		rc = merge_topics(view, delta, &scratch, after, &changes);
	if (!rc)
		rc = index_by_id(view, delta, after, &changes);
	if (rc) {
		for (int32_t i = 0; i < changes.n_fresh; i++)
			view_topic_release(changes.fresh[i]);
		view_release(after);
	} else {
		keep_topics(view, delta, after, &changes);
		*ret_view = after;
	}
	arena_fini(&scratch);
	return rc;
}
