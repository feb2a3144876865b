/* Which topics the members of a group read. */
#include "broker/coord/coordinator_internal.h"

#include "test/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#define N_TOPICS 5

static struct group group;
static struct group_rules rules = {.members_max = INT32_MAX};

struct reader {
	struct group_member member;
	struct group_protocol protocol;
	char id[16];
	uint8_t metadata[128];
};

/* ConsumerProtocolSubscription version 0: five topics from the number on. */
static struct slice subscribe(uint8_t *to, int first)
{
	size_t len = 6;

	memcpy(to, "\0\0\0\0\0\5", 6);
	for (int i = 0; i < N_TOPICS; i++) {
		int name = sprintf((char *)to + len + 2, "topic-%d", first + i);

		to[len] = 0;
		to[len + 1] = (uint8_t)name;
		len += 2 + (size_t)name;
	}
	memcpy(to + len, "\xff\xff\xff\xff", 4);
	return slice_of(to, len + 4);
}

static struct reader *load(int n, int spread)
{
	struct reader *readers = calloc((size_t)n, sizeof *readers);
	struct group_loaded loaded = {
		.protocol_type = SLICE_LITERAL("consumer"), .generation = 1, .protocol = SLICE_LITERAL("range")};
	struct group_member **last = &loaded.members;
	struct group_now now = {0};
	struct group_actions actions;

	for (int i = 0; i < n; i++) {
		struct reader *reader = &readers[i];

		sprintf(reader->id, "m%d", i);
		reader->protocol = (struct group_protocol){SLICE_LITERAL("range"), subscribe(reader->metadata, i % spread)};
		reader->member = (struct group_member){
			.id = slice_of_text(reader->id), .session_ms = 10000, .protocols = &reader->protocol, .n_protocols = 1};
		*last = &reader->member;
		last = &reader->member.next;
	}
	group_core_init(&group.core, &rules, &now);
	ck_assert(group_core_install(&group.core, &now, &loaded, &actions));
	return readers;
}

START_TEST(topics_of_all_members_are_known)
{
	struct group_subscriptions subscriptions;
	struct arena arena;

	struct reader *readers = load(3, 3);
	arena_init(&arena);
	subscriptions = group_subscriptions_of(&group, &arena);
	ck_assert(subscriptions.readable);
	ck_assert_int_eq(subscriptions.n_topics, N_TOPICS + 2);
	ck_assert(group_subscribes(&subscriptions, SLICE_LITERAL("topic-0")));
	ck_assert(group_subscribes(&subscriptions, SLICE_LITERAL("topic-6")));
	ck_assert(!group_subscribes(&subscriptions, SLICE_LITERAL("topic-7")));
	ck_assert(!group_subscribes(&subscriptions, SLICE_LITERAL("")));
	arena_fini(&arena);
	free(readers);
}
END_TEST

START_TEST(what_cannot_be_read_counts_as_all_topics)
{
	struct group_subscriptions subscriptions;
	struct arena arena;

	struct reader *readers = load(3, 3);
	readers[1].protocol.metadata.len = 9;
	arena_init(&arena);
	subscriptions = group_subscriptions_of(&group, &arena);
	ck_assert(!subscriptions.readable);
	ck_assert(group_subscribes(&subscriptions, SLICE_LITERAL("whatever")));
	arena_fini(&arena);
	free(readers);
}
END_TEST

START_TEST(a_large_group_takes_memory_for_what_it_says_only)
{
	struct group_subscriptions subscriptions;
	struct arena arena;

	struct reader *readers = load(LIMIT_GROUP_MEMBERS, 1);
	arena_init(&arena);
	subscriptions = group_subscriptions_of(&group, &arena);
	ck_assert_int_eq(subscriptions.n_topics, N_TOPICS);
	ck_assert(group_subscribes(&subscriptions, SLICE_LITERAL("topic-4")));
	ck_assert_uint_lt(arena.total, 8 << 20);
	arena_fini(&arena);
	free(readers);
}
END_TEST

UNIT_MAIN("broker/coord/group_subscriptions", topics_of_all_members_are_known, what_cannot_be_read_counts_as_all_topics,
	  a_large_group_takes_memory_for_what_it_says_only)
