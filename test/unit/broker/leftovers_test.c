/* What is no longer this broker's, by the view: found whether it is open or not, and nothing else. */
#include "test/lib/unit.h"

#include "broker/leftovers.h"
#include "common/memory.h"

#include <string.h>

static const int32_t ours[] = {1, 2};
static const int32_t others[] = {2, 3};
static const struct uuid moved_id = {{7}};
static const struct uuid other_id = {{8}};

static struct store_log logs[] = {
	{.key = "moved-0", .claimed = true, .topic_id = {{7}}}, /* other brokers' now */
	{.key = "moved-1", .claimed = true, .topic_id = {{7}}}, /* ours */
	{.key = "moved-2", .claimed = true, .topic_id = {{7}}}, /* on its way to us */
	{.key = "moved-9", .claimed = true, .topic_id = {{7}}}, /* there is no such partition */
	{.key = "moved-3", .claimed = true, .topic_id = {{9}}}, /* of an earlier topic of that name */
	{.key = "gone-0", .claimed = true, .topic_id = {{9}}},  /* of a topic that nobody knows */
	{.key = "moved-4", .claimed = false},                   /* damaged: nobody knows whose it is */
	{.key = "dying-0", .claimed = true, .topic_id = {{8}}}, /* its topic is being deleted: that is told otherwise */
};

static struct view *make_view(void)
{
	const struct view_broker brokers[] = {{.id = 1, .epoch = 1}, {.id = 2, .epoch = 2}, {.id = 3, .epoch = 3}};
	struct view_partition partitions[5];
	const struct view_topic_delta topics[] = {
		{.name = SLICE_LITERAL("moved"), .id = moved_id, .n_partitions = 5, .partitions = partitions},
		{.name = SLICE_LITERAL("dying"), .id = other_id, .deleting = true, .n_partitions = 1, .partitions = partitions},
	};
	const struct view_delta delta = {.snapshot = true, .has_brokers = true, .brokers = brokers, .n_brokers = 3, .topics = topics, .n_topics = 2};
	struct view *empty = view_new_empty();
	struct view *view;

	for (int i = 0; i < 5; i++)
		partitions[i] = (struct view_partition){.index = i, .leader = 2, .n_replicas = 2, .replicas = i == 1 ? ours : others, .n_isr = 1,
							.isr = others};
	partitions[2].n_adding = 1;
	partitions[2].adding = ours;
	ck_assert_int_eq(view_apply(empty, &delta, &view), 0);
	view_release(empty);
	return view;
}

START_TEST(only_what_other_brokers_have_is_found)
{
	struct view *view = make_view();
	struct store store = {0};
	Klamm__StopReplicas *stop;

	for (size_t i = 0; i < ARRAY_LEN(logs); i++)
		HASH_ADD_KEYPTR(hh, store.logs, logs[i].key, strlen(logs[i].key), &logs[i]);
	stop = leftovers_find(&store, view, 1);
	ck_assert_ptr_nonnull(stop);
	ck_assert_int_eq((int)stop->n_topics, 1);
	ck_assert_str_eq(stop->topics[0]->name, "moved");
	ck_assert_mem_eq(stop->topics[0]->id.data, moved_id.bytes, sizeof moved_id.bytes);
	ck_assert_int_eq((int)stop->topics[0]->n_partitions, 1);
	ck_assert_int_eq(stop->topics[0]->partitions[0], 0);
	ck_assert(stop->topics[0]->erase);
	klamm__stop_replicas__free_unpacked(stop, NULL);
	/* Broker 2 is one of all of them. */
	ck_assert_ptr_null(leftovers_find(&store, view, 2));
	HASH_CLEAR(hh, store.logs);
	ck_assert_ptr_null(leftovers_find(&store, view, 1));
	view_release(view);
}
END_TEST

UNIT_MAIN("broker/leftovers", only_what_other_brokers_have_is_found)
