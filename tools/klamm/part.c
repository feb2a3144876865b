/* Partitions asked about at their leaders; see part.h. */
#include "tools/klamm/part.h"

#include "common/clock.h"
#include "proto/kafka_error.h"

#include <stdlib.h>
#include <time.h>

#define RETRY_FOR_MS 10000
#define RETRY_EVERY_MS 100

static int by_place(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	int order = slice_compare(x->topic, y->topic);

	return order ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

int parts_of_topic(struct part **parts, int n, int i)
{
	int end = i;

	while (end < n && slice_equal(parts[end]->topic, parts[i]->topic))
		end++;
	return end - i;
}

static int by_pointed_place(const void *a, const void *b)
{
	return by_place(*(const struct part *const *)a, *(const struct part *const *)b);
}

struct part *parts_find(struct part **parts, int n, struct slice topic, int32_t partition)
{
	struct part wanted = {.topic = topic, .partition = partition}, *key = &wanted;
	struct part **found = bsearch(&key, parts, (size_t)n, sizeof *parts, by_pointed_place);

	return found ? *found : NULL;
}

static bool is_pending(const struct part *part)
{
	return part->error != KAFKA_NONE && kafka_error_is_retriable(part->error);
}

static int by_name(const void *a, const void *b)
{
	const struct metadata_response_topic *x = a, *y = b;

	return slice_compare(x->name, y->name);
}

/* Topics have been sorted. */
static const struct metadata_response_topic *topic_find(const struct metadata_response *metadata, struct slice name)
{
	struct metadata_response_topic wanted = {.name = name};

	return metadata->n_topics > 0 ? bsearch(&wanted, metadata->topics, (size_t)metadata->n_topics, sizeof wanted, by_name)
				      : NULL;
}

static void part_route(struct part *part, const struct metadata_response *metadata)
{
	const struct metadata_response_topic *topic = topic_find(metadata, part->topic);

	part->leader = -1;
	part->error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	if (!topic)
		return;
	if (topic->error_code != KAFKA_NONE)
		part->error = topic->error_code;
	for (int i = 0; i < topic->n_partitions; i++) {
		if (topic->partitions[i].partition_index != part->partition)
			continue;
		part->leader = topic->partitions[i].leader_id;
		part->leader_epoch = topic->partitions[i].leader_epoch;
		part->error = part->leader < 0 ? KAFKA_LEADER_NOT_AVAILABLE : KAFKA_NONE;
	}
}

/* Finds the leaders of the parts that are still open. */
static int parts_route(struct kafka_client *client, struct part *parts, int n, struct error *err)
{
	struct slice *names = arena_alloc(kafka_client_arena(client), ((size_t)n + 1) * sizeof *names);
	struct metadata_response metadata;
	int n_names = 0, r;

	for (int i = 0; i < n; i++)
		if (is_pending(&parts[i]) && (n_names == 0 || !slice_equal(names[n_names - 1], parts[i].topic)))
			names[n_names++] = parts[i].topic;
	r = kafka_client_metadata(client, names, n_names, &metadata, err);
	if (r == 0 && metadata.n_topics > 0)
		qsort(metadata.topics, (size_t)metadata.n_topics, sizeof *metadata.topics, by_name);
	for (int i = 0; i < n && r == 0; i++)
		if (is_pending(&parts[i]))
			part_route(&parts[i], &metadata);
	return r;
}

/* One request to each leader about the parts that are marked. */
static int leaders_ask(struct kafka_client *client, struct part *parts, int n, bool *marked, part_ask_fn *ask, void *ctx,
		       struct error *err)
{
	struct part **mine = arena_alloc(kafka_client_arena(client), ((size_t)n + 1) * sizeof *mine);

	for (int first = 0; first < n; first++) {
		int32_t leader = parts[first].leader;
		int n_mine = 0, r;

		if (!marked[first])
			continue;
		for (int i = first; i < n; i++) {
			if (marked[i] && parts[i].leader == leader) {
				mine[n_mine++] = &parts[i];
				marked[i] = false;
			}
		}
		r = ask(ctx, client, leader, mine, n_mine, err);
		for (int i = 0; i < n_mine && r == ERR_BUSY; i++)
			mine[i]->error = KAFKA_LEADER_NOT_AVAILABLE;
		if (r != 0 && r != ERR_BUSY)
			return r;
	}
	return 0;
}

static void nap(void)
{
	struct timespec time = {0, RETRY_EVERY_MS * 1000000L};

	nanosleep(&time, NULL);
}

int parts_ask(struct kafka_client *client, struct part *parts, int n, part_ask_fn *ask, void *ctx, struct error *err)
{
	int64_t until_ms = clock_ms() + RETRY_FOR_MS;
	bool *marked = arena_zalloc(kafka_client_arena(client), (size_t)n + 1, sizeof *marked);

	qsort(parts, (size_t)n, sizeof *parts, by_place);
	for (int i = 0; i < n; i++)
		parts[i].error = KAFKA_LEADER_NOT_AVAILABLE;
	for (;;) {
		bool open = false, unknown = true;
		int r;

		for (int i = 0; i < n; i++)
			marked[i] = is_pending(&parts[i]);
		r = parts_route(client, parts, n, err);
		for (int i = 0; i < n; i++)
			marked[i] = marked[i] && parts[i].error == KAFKA_NONE;
		if (r == 0)
			r = leaders_ask(client, parts, n, marked, ask, ctx, err);
		if (r != 0)
			return r;
		for (int i = 0; i < n; i++) {
			open = open || is_pending(&parts[i]);
			unknown = unknown && (!is_pending(&parts[i]) || parts[i].error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
		}
		/* A topic that is not there is more likely a slip of the pen than one that is just being made. */
		if (!open || clock_ms() >= until_ms - (unknown ? RETRY_FOR_MS - 1000 : 0))
			return 0;
		nap();
	}
}
