/* fetch_session: KIP-227. */
#include "test/lib/unit.h"

#include "broker/replica/fetch_session.h"
#include "proto/kafka_error.h"

static struct fetch_sessions sessions;

static void setup(int n_max)
{
	fetch_sessions_init(&sessions, n_max, 1, 2, 12345);
}

static struct fetch_want want(const char *topic, int32_t partition, int64_t offset)
{
	return (struct fetch_want){.topic = slice_of_text(topic), .partition = partition, .offset = offset};
}

static int32_t create(struct fetch_want *wants, int n, int64_t now_ms)
{
	struct fetch_told told[8] = {{0}};

	for (int i = 0; i < n; i++)
		told[i].high_watermark = 10;
	return fetch_session_create(&sessions, false, wants, told, n, now_ms);
}

static int16_t begin(int32_t id, int32_t epoch, struct fetch_want *wants, int n, struct fetch_context *ret)
{
	return fetch_session_begin(&sessions, id, epoch, false, wants, n, NULL, 0, 0, ret);
}

START_TEST(ids_are_positive_and_belong_to_the_worker)
{
	struct fetch_want w = want("t", 0, 0);

	setup(100);
	for (int i = 0; i < 50; i++) {
		int32_t id = create(&w, 1, 0);

		ck_assert_int_gt(id, 0);
		ck_assert_int_eq(id % 2, 1);
	}
	sessions.next_id = INT32_MAX;
	ck_assert_int_eq(create(&w, 1, 0), INT32_MAX);
	ck_assert_int_gt(create(&w, 1, 0), 0);
	fetch_sessions_fini(&sessions);
}
END_TEST

START_TEST(sessions_together_remember_a_bounded_number_of_partitions)
{
	struct fetch_want wants[] = {want("t", 0, 0), want("t", 1, 0), want("t", 2, 0)};
	struct fetch_context context;
	int32_t id;

	setup(100);
	sessions.n_items_max = 4;
	id = create(wants, 2, 0);
	ck_assert_int_ne(id, FETCH_SESSION_NONE);
	ck_assert_int_eq(create(wants, 3, 0), FETCH_SESSION_NONE);
	ck_assert_int_ne(create(wants, 2, 0), FETCH_SESSION_NONE);
	ck_assert_int_eq(sessions.n_items, 4);
	/* What is there already may be changed, more ends the session. */
	ck_assert_int_eq(begin(id, 1, wants, 2, &context), 0);
	ck_assert_int_eq(begin(id, 2, wants, 3, &context), KAFKA_FETCH_SESSION_ID_NOT_FOUND);
	ck_assert_int_eq(sessions.n_items, 2);
	ck_assert_int_eq(fetch_sessions_count(&sessions), 1);
	fetch_sessions_fini(&sessions);
	ck_assert_int_eq(sessions.n_items, 0);
}
END_TEST

START_TEST(epochs_must_follow_and_a_wrong_one_leaves_the_session_usable)
{
	struct fetch_want w = want("t", 0, 0);
	struct fetch_context context;
	int32_t id;

	setup(4);
	id = create(&w, 1, 0);
	ck_assert_int_eq(begin(id + 2, 1, NULL, 0, &context), KAFKA_FETCH_SESSION_ID_NOT_FOUND);
	ck_assert_int_eq(begin(0, 1, NULL, 0, &context), KAFKA_FETCH_SESSION_ID_NOT_FOUND);
	ck_assert_int_eq(begin(id, 2, NULL, 0, &context), KAFKA_INVALID_FETCH_SESSION_EPOCH);
	ck_assert_int_eq(begin(id, 1, NULL, 0, &context), 0);
	ck_assert_int_eq(context.kind, FETCH_INCREMENTAL);
	ck_assert_int_eq(context.session_id, id);
	ck_assert_int_eq(begin(id, 1, NULL, 0, &context), KAFKA_INVALID_FETCH_SESSION_EPOCH);
	ck_assert_int_eq(begin(id, 2, NULL, 0, &context), 0);
	ck_assert_int_eq(fetch_session_begin(&sessions, id, 3, true, NULL, 0, NULL, 0, 0, &context), KAFKA_FETCH_SESSION_TOPIC_ID_ERROR);
	fetch_sessions_fini(&sessions);
}
END_TEST

START_TEST(a_full_request_with_an_id_ends_the_old_session)
{
	struct fetch_want w = want("t", 0, 0);
	struct fetch_context context;
	int32_t id;

	setup(4);
	id = create(&w, 1, 0);
	ck_assert_int_eq(begin(id, FETCH_EPOCH_FULL, &w, 1, &context), 0);
	ck_assert_int_eq(context.kind, FETCH_FULL);
	ck_assert_int_eq(fetch_sessions_count(&sessions), 0);
	ck_assert_int_eq(begin(0, FETCH_EPOCH_CLOSE, &w, 1, &context), 0);
	ck_assert_int_eq(context.kind, FETCH_SESSIONLESS);
}
END_TEST

START_TEST(wants_are_added_replaced_and_forgotten)
{
	struct fetch_want wants[] = {want("a", 0, 5), want("a", 1, 6)};
	struct fetch_want more[] = {want("a", 1, 60), want("b", 0, 7)};
	struct fetch_context context;
	struct fetch_item *item;
	int32_t id;

	setup(4);
	id = create(wants, 2, 0);
	ck_assert_int_eq(fetch_session_begin(&sessions, id, 1, false, more, 2, wants, 1, 0, &context), 0);
	ck_assert_int_eq(fetch_session_n_items(context.session), 2);
	item = fetch_session_next(context.session, NULL);
	ck_assert_int_eq(item->want.offset, 60);
	item = fetch_session_next(context.session, item);
	ck_assert(slice_is_text(item->want.topic, "b"));
	ck_assert_ptr_null(fetch_session_next(context.session, item));
	/* Nothing left to fetch: the session ends and the answer says id 0. */
	ck_assert_int_eq(fetch_session_begin(&sessions, id, 2, false, NULL, 0, more, 2, 0, &context), 0);
	ck_assert_int_eq(context.session_id, FETCH_SESSION_NONE);
	ck_assert_int_eq(fetch_sessions_count(&sessions), 0);
}
END_TEST

START_TEST(an_incremental_answer_names_only_what_changed)
{
	struct fetch_want wants[] = {want("a", 0, 5), want("a", 1, 6)};
	struct fetch_told told = {.high_watermark = 10};
	struct fetch_context context;

	setup(4);
	begin(create(wants, 2, 0), 1, NULL, 0, &context);
	ck_assert(!fetch_session_tell(context.session, &wants[0], &told));
	told.high_watermark = 11;
	ck_assert(fetch_session_tell(context.session, &wants[0], &told));
	ck_assert(!fetch_session_tell(context.session, &wants[0], &told));
	told.log_start_offset = 3;
	ck_assert(fetch_session_tell(context.session, &wants[0], &told));
	told.has_records = true;
	ck_assert(fetch_session_tell(context.session, &wants[0], &told));
	ck_assert_int_eq(fetch_session_next(context.session, NULL)->want.partition, 1);
	told.has_records = false;
	told.error = KAFKA_NOT_LEADER_OR_FOLLOWER;
	ck_assert(fetch_session_tell(context.session, &wants[1], &told));
	/* The end of an error is news too. */
	told.error = 0;
	ck_assert(fetch_session_tell(context.session, &wants[1], &told));
	ck_assert(!fetch_session_tell(context.session, &wants[1], &told));
	fetch_sessions_fini(&sessions);
}
END_TEST

START_TEST(slots_go_to_newer_sessions_only_after_two_minutes)
{
	struct fetch_want wants[] = {want("a", 0, 5), want("a", 1, 6)};

	setup(2);
	ck_assert_int_ne(create(wants, 1, 0), 0);
	ck_assert_int_ne(create(wants, 2, 0), 0);
	ck_assert_int_eq(create(wants, 2, FETCH_SESSION_EVICTION_MS), 0);
	ck_assert_int_ne(create(wants, 2, FETCH_SESSION_EVICTION_MS + 1), 0);
	ck_assert_int_eq(fetch_sessions_count(&sessions), 2);
	fetch_sessions_fini(&sessions);
}
END_TEST

UNIT_MAIN("broker/replica/fetch_session", ids_are_positive_and_belong_to_the_worker,
	  epochs_must_follow_and_a_wrong_one_leaves_the_session_usable, a_full_request_with_an_id_ends_the_old_session,
	  wants_are_added_replaced_and_forgotten, an_incremental_answer_names_only_what_changed,
	  slots_go_to_newer_sessions_only_after_two_minutes, sessions_together_remember_a_bounded_number_of_partitions)
