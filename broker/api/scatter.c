/* Parts of a request to the owners of partitions and back; see scatter.h. */
#include "broker/api/scatter.h"

#include "common/limits.h"
#include "common/trace.h"

bool scatter_may_name(struct request *request, int64_t n_named, int64_t n_named_max)
{
	if (n_named <= n_named_max)
		return true;
	trace_limited(TRACE_WARN, "api", "%s: a request names %lld topics, partitions, groups or members, %lld are allowed: the connection is closed",
		      request->client->address_text, (long long)n_named, (long long)n_named_max);
	request_close(request, "a request names too many");
	return false;
}

bool scatter_may_begin(struct request *request, int64_t n_named)
{
	return scatter_may_name(request, n_named, LIMIT_REQUEST_PARTS);
}

void scatter_init(struct scatter *scatter, struct request *request)
{
	scatter->request = request;
	scatter->shard = shard_of(request->worker);
	scatter->n_out = 0;
	scatter->groups = arena_zalloc(&request->arena, (size_t)scatter->shard->n_shards, sizeof *scatter->groups);
	for (int i = 0; i < scatter->shard->n_shards; i++) {
		struct scatter_group *group = &scatter->groups[i];

		group->scatter = scatter;
		group->owner = scatter->shard->all[i];
		group->tail = &group->first;
	}
}

void scatter_add(struct scatter *scatter, struct scatter_part *part)
{
	struct scatter_group *group = &scatter->groups[shard_owner(scatter->shard, &part->topic_id, part->partition)->index];

	part->group = group;
	part->next = NULL;
	*group->tail = part;
	group->tail = &part->next;
	group->n_parts++;
}

static void group_back(struct scatter_group *group)
{
	struct scatter *scatter = group->scatter;

	if (--scatter->n_out == 0)
		scatter->done(scatter);
}

static void on_group_back(struct message *message)
{
	group_back(CONTAINER_OF(message, struct scatter_group, message));
}

/* The group's last open part is finished: it goes home. */
static void group_done(struct scatter_group *group)
{
	if (group->owner == group->scatter->shard) {
		group_back(group);
		return;
	}
	group->message.run = on_group_back;
	worker_post(&group->scatter->shard->worker, &group->message);
}

static void group_work(struct scatter_group *group)
{
	struct scatter_part *part, *next;

	/* One more than there are parts, so that the group stays here until all of them have been begun. */
	group->n_open = group->n_parts + 1;
	for (part = group->first; part; part = next) {
		next = part->next;
		group->scatter->work(part, shard_find(group->owner, &part->topic_id, part->partition));
	}
	if (group->scatter->worked)
		group->scatter->worked(group);
	if (--group->n_open == 0)
		group_done(group);
}

static void on_group(struct message *message)
{
	group_work(CONTAINER_OF(message, struct scatter_group, message));
}

void scatter_run(struct scatter *scatter)
{
	struct scatter_group *own = &scatter->groups[scatter->shard->index];
	int n_shards = scatter->shard->n_shards;

	/* Our own group is counted from the start, with or without parts, so that done is called exactly once, from its end or later. */
	scatter->n_out = 1;
	for (int i = 0; i < n_shards; i++) {
		struct scatter_group *group = &scatter->groups[i];

		if (group == own || !group->n_parts)
			continue;
		scatter->n_out++;
		group->message.run = on_group;
		worker_post(&group->owner->worker, &group->message);
	}
	group_work(own);
}

void scatter_part_done(struct scatter_part *part)
{
	struct scatter_group *group = part->group;

	if (--group->n_open == 0)
		group_done(group);
}
