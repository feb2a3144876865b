/* What is told of groups: DescribeGroups, ListGroups, and which topics a group's members read. */
#include "broker/coord/coordinator_internal.h"

#include "common/bytes.h"
#include "common/limits.h"
#include "proto/kafka/consumer_protocol_subscription.gen.h"

#include <stdlib.h>
#include <strings.h>

#define GROUP_TYPE_CLASSIC "classic"

/* ---- subscriptions ---- */

static void add_topic(struct group_subscriptions *subscriptions, struct slice topic, struct arena *arena)
{
	if (subscriptions->n_topics == subscriptions->n_topics_max) {
		int32_t n_max = subscriptions->n_topics_max ? 2 * subscriptions->n_topics_max : 16;
		struct slice *topics = arena_alloc(arena, (size_t)n_max * sizeof *topics);

		if (subscriptions->n_topics)
			memcpy(topics, subscriptions->topics, (size_t)subscriptions->n_topics * sizeof *topics);
		subscriptions->topics = topics;
		subscriptions->n_topics_max = n_max;
	}
	subscriptions->topics[subscriptions->n_topics++] = topic;
}

/* Metadata of a consumer: a version, then the message; what is newer than we know begins like the newest that we know. */
static bool add_subscription(struct group_subscriptions *subscriptions, struct slice metadata, struct arena *arena)
{
	const struct message_schema *schema = &consumer_protocol_subscription_schema;
	struct consumer_protocol_subscription said;
	struct wire_reader reader;
	int16_t version;

	if (metadata.len < 2)
		return false;
	version = bytes_get_i16(metadata.data);
	if (version < schema->since)
		return false;
	wire_reader_init(&reader, slice_of(metadata.data + 2, metadata.len - 2));
	if (message_decode(schema, version < schema->until ? version : schema->until, &reader, arena, &said, NULL))
		return false;
	for (int32_t i = 0; i < said.n_topics; i++)
		add_topic(subscriptions, said.topics[i], arena);
	return true;
}

static int compare_topics(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* Members of a group say the same, mostly. */
static void sort_topics(struct group_subscriptions *subscriptions)
{
	struct slice *topics = subscriptions->topics;
	int32_t n = 0;

	if (subscriptions->n_topics)
		qsort(topics, (size_t)subscriptions->n_topics, sizeof *topics, compare_topics);
	for (int32_t i = 0; i < subscriptions->n_topics; i++)
		if (n == 0 || !slice_equal(topics[i], topics[n - 1]))
			topics[n++] = topics[i];
	subscriptions->n_topics = n;
}

struct group_subscriptions group_subscriptions_of(const struct group *group, struct arena *arena)
{
	struct group_subscriptions subscriptions = {.readable = true};

	for (const struct group_member *member = group->core.members; member && subscriptions.readable; member = member->next)
		subscriptions.readable = add_subscription(&subscriptions, group_core_metadata(&group->core, member), arena);
	sort_topics(&subscriptions);
	return subscriptions;
}

bool group_subscribes(const struct group_subscriptions *subscriptions, struct slice topic)
{
	if (!subscriptions->readable)
		return true;
	return subscriptions->n_topics &&
	       bsearch(&topic, subscriptions->topics, (size_t)subscriptions->n_topics, sizeof topic, compare_topics);
}

/* ---- DescribeGroups ---- */

static struct slice text_or_empty(struct slice text)
{
	return slice_is_null(text) ? SLICE_LITERAL("") : text;
}

static void describe_members(const struct group *group, struct arena *arena, struct describe_groups_response_group *ret_description)
{
	bool tells = group_core_tells_assignments(&group->core);
	int32_t n = 0;

	ret_description->members = message_array(arena, &describe_groups_response_member_struct, (size_t)group->core.n_members);
	for (const struct group_member *member = group->core.members; member; member = member->next) {
		struct describe_groups_response_member *told = &ret_description->members[n++];

		told->member_id = arena_copy(arena, member->id);
		told->group_instance_id = arena_copy(arena, member->instance_id);
		told->client_id = arena_copy(arena, member->client_id);
		told->client_host = arena_copy(arena, member->client_host);
		told->member_metadata = SLICE_LITERAL("");
		told->member_assignment = SLICE_LITERAL("");
		if (!tells)
			continue;
		told->member_metadata = arena_copy(arena, text_or_empty(group_core_metadata(&group->core, member)));
		told->member_assignment = arena_copy(arena, text_or_empty(member->assignment));
	}
	ret_description->n_members = n;
}

void group_describe(struct group_home *home, struct coordinator_call *call)
{
	struct coordinator_describe *describe = CONTAINER_OF(call, struct coordinator_describe, call);
	struct describe_groups_response_group *description = &describe->description;
	const struct group *group = group_find(home, call->group_id);

	if (call->arena->total >= LIMIT_GROUP_ANSWER_BYTES) {
		coordinator_refuse(home->coordinator, call, KAFKA_POLICY_VIOLATION);
		return;
	}
	*description = describe_groups_response_group_default;
	description->group_id = call->group_id;
	description->group_state = slice_of_text(group_core_state_name(group ? group->core.state : GROUP_DEAD));
	description->protocol_type = description->protocol_data = SLICE_LITERAL("");
	if (group) {
		description->protocol_type = arena_copy(call->arena, text_or_empty(group_core_name(&group->core.protocol_type)));
		if (group_core_tells_assignments(&group->core))
			description->protocol_data = arena_copy(call->arena, text_or_empty(group_core_name(&group->core.protocol)));
		describe_members(group, call->arena, description);
	}
	coordinator_finish(home->coordinator, call);
}

/* ---- ListGroups ---- */

static bool passes(struct slice text, const struct slice *filters, int32_t n_filters)
{
	for (int32_t i = 0; i < n_filters; i++)
		if (filters[i].len == text.len && strncasecmp((const char *)filters[i].data, (const char *)text.data, text.len) == 0)
			return true;
	return n_filters <= 0;
}

/* The states that pass, found once: a request may have millions of filters, and a worker many groups. */
struct state_filter {
	bool passes[GROUP_DEAD + 1];
};

static struct state_filter filter_of(const struct coordinator_list *list)
{
	bool type_passes = passes(SLICE_LITERAL(GROUP_TYPE_CLASSIC), list->types, list->n_types);
	struct state_filter filter;

	for (int i = 0; i <= GROUP_DEAD; i++)
		filter.passes[i] =
			type_passes && passes(slice_of_text(group_core_state_name((enum group_state)i)), list->states, list->n_states);
	return filter;
}

static void list_home(const struct group_home *home, const struct state_filter *filter, struct coordinator_list *list)
{
	for (const struct group *group = home->groups; group; group = group->hh.next) {
		struct slice state = slice_of_text(group_core_state_name(group->core.state));
		struct list_groups_response_group *told = &list->groups[list->n_groups];

		if (!filter->passes[group->core.state])
			continue;
		told->group_id = arena_copy(list->call.arena, group->id);
		told->protocol_type = arena_copy(list->call.arena, text_or_empty(group_core_name(&group->core.protocol_type)));
		told->group_state = state;
		told->group_type = SLICE_LITERAL(GROUP_TYPE_CLASSIC);
		list->n_groups++;
	}
}

void coordinator_list(struct coordinator *coordinator, struct coordinator_call *call)
{
	struct coordinator_list *list = CONTAINER_OF(call, struct coordinator_list, call);
	struct state_filter filter = filter_of(list);
	size_t n = 0;

	for (const struct group_home *home = coordinator->homes; home; home = home->hh.next)
		n += HASH_COUNT(home->groups);
	list->groups = message_array(call->arena, &list_groups_response_group_struct, n);
	list->n_groups = 0;
	for (const struct group_home *home = coordinator->homes; home; home = home->hh.next) {
		int16_t error = home_error(home);

		if (error == KAFKA_COORDINATOR_LOAD_IN_PROGRESS)
			call->error = error;
		else if (!error)
			list_home(home, &filter, list);
	}
	coordinator_finish(coordinator, call);
}
