/* office_erase: the erasure of a topic's znodes, with a ZooKeeper that answers when the test says so. */
#include "test/lib/unit.h"

#include "common/memory.h"
#include "tools/controller/office_erase.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- ZooKeeper ---- */

struct asked {
	char path[200];
	void (*done)(void *ctx, const struct zk_result *result);
	void *ctx;
};

static struct asked asked[16];
static int n_asked;

static void note(const char *path, void (*done)(void *ctx, const struct zk_result *result), void *ctx)
{
	ck_assert_int_lt(n_asked, (int)ARRAY_LEN(asked));
	snprintf(asked[n_asked].path, sizeof asked[n_asked].path, "%s", path);
	asked[n_asked].done = done;
	asked[n_asked++].ctx = ctx;
}

void zk_exists(struct zk_session *session, const char *path, struct zk_watch *watch, ZK_DONE)
{
	(void)session;
	(void)watch;
	note(path, done, ctx);
}

void zk_children(struct zk_session *session, const char *path, struct zk_watch *watch, ZK_DONE)
{
	(void)session;
	(void)watch;
	note(path, done, ctx);
}

void zk_multi(struct zk_session *session, const struct zk_op *ops, int n_ops, ZK_DONE)
{
	(void)session;
	(void)ops;
	(void)n_ops;
	note("multi", done, ctx);
}

static struct {
	void (*done)(void *ctx, const struct zk_op_result *result);
	void *ctx;
} batched[16];
static int n_batched;

void zk_batch_add(struct zk_batch *batch, const struct zk_op *op, void (*done)(void *ctx, const struct zk_op_result *result), void *ctx)
{
	(void)batch;
	(void)op;
	ck_assert_int_lt(n_batched, (int)ARRAY_LEN(batched));
	batched[n_batched].done = done;
	batched[n_batched++].ctx = ctx;
}

void zk_batch_flush(struct zk_batch *batch)
{
	(void)batch;
}

/* Answers the first question that is open; it is this one. */
static void answer(const char *path, const struct zk_result *result)
{
	struct asked first = asked[0];

	ck_assert_int_gt(n_asked, 0);
	ck_assert_str_eq(first.path, path);
	memmove(asked, asked + 1, (size_t)--n_asked * sizeof *asked);
	first.done(first.ctx, result);
}

static void answer_batch(void)
{
	const struct zk_op_result deleted = {.code = 0};
	int n = n_batched;

	n_batched = 0;
	for (int i = 0; i < n; i++)
		batched[i].done(batched[i].ctx, &deleted);
}

/* ---- memory ---- */

static const void *watched;
static int n_freed;

void __real_free(void *piece);
void __wrap_free(void *piece);

void __wrap_free(void *piece)
{
	n_freed += piece && piece == watched;
	__real_free(piece);
}

/* ---- tests ---- */

static struct office_erase *erasures;
static int n_done;

static void on_done(void *ctx, uint32_t ticket, struct slice topic, int code)
{
	(void)ctx;
	(void)ticket;
	(void)topic;
	(void)code;
	n_done++;
}

/* As far as the topic's node, its config and the request. */
static void begin(void)
{
	struct office_erase_setup setup = {.topic = SLICE_LITERAL("t"), .n_partitions = 1, .ticket = 7, .list = &erasures, .done = on_done};
	struct zk_result found = {.code = 0};

	n_asked = n_batched = n_freed = n_done = 0;
	erasures = NULL;
	office_erase_start(&setup);
	watched = erasures;
	ck_assert_ptr_nonnull(watched);
	answer("/brokers/topics/t", &found);
	ck_assert_int_eq(n_batched, 3);
	answer_batch();
}

START_TEST(the_nodes_below_a_topic_go_first_and_the_rest_at_once)
{
	struct zk_result deleted = {.code = 0};

	begin();
	answer("multi", &deleted);
	ck_assert_int_eq(n_done, 1);
	ck_assert_int_eq(n_freed, 1);
	ck_assert_ptr_null(erasures);
}
END_TEST

/* Deletions of a batch are not answered when the office ends; a listing under way is. */
START_TEST(an_erasure_that_is_given_up_while_it_lists_is_freed_with_the_last_answer)
{
	static const char *const below[] = {"x"};
	const struct zk_op_result refused[] = {{.code = ERR_ABORTED}, {.code = ERR_NOT_EMPTY}, {.code = ERR_ABORTED}, {.code = ERR_ABORTED}};
	struct zk_result not_empty = {.code = ERR_NOT_EMPTY, .ops = refused, .n_ops = 4};
	struct zk_result listed = {.code = 0, .children = below, .n_children = 1};
	struct zk_result closed = {.code = ERR_CLOSED};

	begin();
	answer("multi", &not_empty);
	answer("/brokers/topics/t", &listed);
	answer("/brokers/topics/t/x", &listed);
	ck_assert_int_eq(n_asked, 1);
	ck_assert_int_eq(n_batched, 1);
	office_erase_free(erasures);
	ck_assert_ptr_null(erasures);
	ck_assert_int_eq(n_freed, 0);
	answer("/brokers/topics/t/x/x", &closed);
	ck_assert_int_eq(n_freed, 1);
	ck_assert_int_eq(n_done, 0);
}
END_TEST

UNIT_MAIN("tools/controller/office_erase", the_nodes_below_a_topic_go_first_and_the_rest_at_once,
	  an_erasure_that_is_given_up_while_it_lists_is_freed_with_the_last_answer)
