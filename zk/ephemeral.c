/*
 * Registration of an ephemeral node; see ephemeral.h.
 *
 *     create --ok--> done
 *       ^  \--exists, unknown--> look --ours, this session--> done
 *       |                          | --ours, earlier session--> delete, then create
 *       +------- it is gone -------+ --somebody else's--> wait for its deletion or the deadline
 */
#include "zk/ephemeral.h"

#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"

#include <stdlib.h>
#include <string.h>

struct zk_ephemeral {
	struct zk_session *session;
	char *path;
	char *label;
	struct slice data;
	int64_t wait_ms;
	int64_t waiting_ms; /* since when somebody is waited for; 0 = nobody yet */
	void (*done)(void *ctx, int code, const struct zk_stat *stat, const struct error *err);
	void *ctx;
	struct zk_watch watch;
	struct zk_timer timer;
	int n_pending; /* answers that will still come */
	bool over;     /* told or cancelled */
};

static void ephemeral_look(struct zk_ephemeral *ephemeral);

static void ephemeral_free_when_over(struct zk_ephemeral *ephemeral)
{
	if (!ephemeral->over || ephemeral->n_pending > 0)
		return;
	free(ephemeral->path);
	free(ephemeral->label);
	free((void *)ephemeral->data.data);
	free(ephemeral);
}

static void ephemeral_stop(struct zk_ephemeral *ephemeral)
{
	ephemeral->over = true;
	zk_watch_cancel(&ephemeral->watch);
	if (ephemeral->timer.at_ms)
		zk_timer_clear(ephemeral->session, &ephemeral->timer);
}

static void ephemeral_end(struct zk_ephemeral *ephemeral, int code, const struct zk_stat *stat, const struct error *err)
{
	ephemeral_stop(ephemeral);
	ephemeral->done(ephemeral->ctx, code, stat, err);
}

static void ephemeral_fail(struct zk_ephemeral *ephemeral, int code)
{
	struct error err;

	error_set(&err, code, "cannot register %s at %s: %s", ephemeral->label, ephemeral->path, error_text(code));
	ephemeral_end(ephemeral, code, NULL, &err);
}

/* At the end of each answer: until then the struct stays, whatever the owner does in its callback. */
static void ephemeral_release(struct zk_ephemeral *ephemeral)
{
	ephemeral->n_pending--;
	ephemeral_free_when_over(ephemeral);
}

static void on_created(void *ctx, const struct zk_result *result)
{
	struct zk_ephemeral *ephemeral = ctx;

	if (!ephemeral->over) {
		if (result->code == 0)
			ephemeral_end(ephemeral, 0, &result->ops[1].stat, NULL);
		else if (result->code == ERR_EXISTS || result->code == ERR_UNKNOWN_OUTCOME)
			ephemeral_look(ephemeral);
		else
			ephemeral_fail(ephemeral, result->code);
	}
	ephemeral_release(ephemeral);
}

static void ephemeral_create(struct zk_ephemeral *ephemeral)
{
	const struct zk_op ops[] = {
		{.kind = ZK_OP_CREATE, .path = ephemeral->path, .mode = ZK_EPHEMERAL},
		{.kind = ZK_OP_SET, .path = ephemeral->path, .data = ephemeral->data, .version = 0},
	};

	ephemeral->n_pending++;
	zk_multi(ephemeral->session, ops, ARRAY_LEN(ops), on_created, ephemeral);
}

static void on_deleted(void *ctx, const struct zk_result *result)
{
	struct zk_ephemeral *ephemeral = ctx;

	if (!ephemeral->over) {
		if (result->code == 0 || result->code == ERR_NOT_FOUND)
			ephemeral_create(ephemeral);
		else if (result->code == ERR_VERSION || result->code == ERR_UNKNOWN_OUTCOME)
			ephemeral_look(ephemeral);
		else
			ephemeral_fail(ephemeral, result->code);
	}
	ephemeral_release(ephemeral);
}

static void on_set(void *ctx, const struct zk_result *result)
{
	struct zk_ephemeral *ephemeral = ctx;

	if (!ephemeral->over) {
		if (result->code == 0)
			ephemeral_end(ephemeral, 0, &result->stat, NULL);
		else if (result->code == ERR_NOT_FOUND || result->code == ERR_UNKNOWN_OUTCOME)
			ephemeral_look(ephemeral);
		else
			ephemeral_fail(ephemeral, result->code);
	}
	ephemeral_release(ephemeral);
}

/* Servers that come back give every session its whole time anew: what counts begins with the connection. */
static int64_t ephemeral_deadline_ms(const struct zk_ephemeral *ephemeral)
{
	int64_t connected_ms = zk_session_connected_ms(ephemeral->session);

	return (connected_ms > ephemeral->waiting_ms ? connected_ms : ephemeral->waiting_ms) + ephemeral->wait_ms;
}

/* Somebody else's: it goes away by itself if its owner is dead. The watch was armed by the look. */
static void ephemeral_wait(struct zk_ephemeral *ephemeral, int64_t owner)
{
	int64_t now_ms = clock_ms();
	struct error err;

	if (ephemeral->waiting_ms == 0) {
		ephemeral->waiting_ms = now_ms;
		trace_warn("zookeeper", "%s is still registered by session 0x%llx; waiting up to %lld ms for that one to end",
			   ephemeral->label, (unsigned long long)owner, (long long)ephemeral->wait_ms);
	}
	if (owner != 0 && now_ms < ephemeral_deadline_ms(ephemeral)) {
		zk_timer_set(ephemeral->session, &ephemeral->timer, ephemeral_deadline_ms(ephemeral) - now_ms);
		return;
	}
	error_set(&err, ERR_BUSY,
		  "%s is registered by another session (0x%llx, %s): is another process running with the same id?",
		  ephemeral->label, (unsigned long long)owner, ephemeral->path);
	ephemeral_end(ephemeral, ERR_BUSY, NULL, &err);
}

static void ephemeral_judge(struct zk_ephemeral *ephemeral, const struct zk_result *result)
{
	int64_t owner = result->stat.ephemeral_owner;

	if (owner != 0 && owner == zk_session_id(ephemeral->session)) {
		if (slice_equal(result->data, ephemeral->data)) {
			ephemeral_end(ephemeral, 0, &result->stat, NULL);
			return;
		}
		ephemeral->n_pending++;
		zk_set(ephemeral->session, ephemeral->path, ephemeral->data, ZK_VERSION_ANY, on_set, ephemeral);
	} else if (zk_session_was_ours(ephemeral->session, owner)) {
		trace_info("zookeeper", "%s is registered by an earlier session of ours, 0x%llx: registering it anew",
			   ephemeral->label, (unsigned long long)owner);
		ephemeral->n_pending++;
		zk_delete(ephemeral->session, ephemeral->path, result->stat.version, on_deleted, ephemeral);
	} else {
		ephemeral_wait(ephemeral, owner);
	}
}

static void on_looked(void *ctx, const struct zk_result *result)
{
	struct zk_ephemeral *ephemeral = ctx;

	if (!ephemeral->over) {
		if (result->code == 0)
			ephemeral_judge(ephemeral, result);
		else if (result->code == ERR_NOT_FOUND)
			ephemeral_create(ephemeral);
		else
			ephemeral_fail(ephemeral, result->code);
	}
	ephemeral_release(ephemeral);
}

static void ephemeral_look(struct zk_ephemeral *ephemeral)
{
	ephemeral->n_pending++;
	zk_get(ephemeral->session, ephemeral->path, &ephemeral->watch, on_looked, ephemeral);
}

static void on_watch(struct zk_watch *watch, enum zk_event event)
{
	struct zk_ephemeral *ephemeral = CONTAINER_OF(watch, struct zk_ephemeral, watch);

	(void)event;
	/* An answer under way leads on by itself. */
	if (ephemeral->n_pending == 0)
		ephemeral_look(ephemeral);
}

static void on_deadline(struct zk_timer *timer)
{
	struct zk_ephemeral *ephemeral = CONTAINER_OF(timer, struct zk_ephemeral, timer);

	if (ephemeral->n_pending == 0)
		ephemeral_look(ephemeral);
}

struct zk_ephemeral *
zk_ephemeral_register(struct zk_session *session, const struct zk_ephemeral_config *config,
		      void (*done)(void *ctx, int code, const struct zk_stat *stat, const struct error *err), void *ctx)
{
	struct zk_ephemeral *ephemeral = NEW(struct zk_ephemeral);
	uint8_t *data = memory_alloc(config->data.len + 1);

	if (config->data.len > 0)
		memcpy(data, config->data.data, config->data.len);
	ephemeral->session = session;
	ephemeral->path = memory_copy_text(config->path);
	ephemeral->label = memory_copy_text(config->label);
	ephemeral->data = slice_of(data, config->data.len);
	ephemeral->wait_ms = config->wait_ms;
	if (ephemeral->wait_ms == 0)
		ephemeral->wait_ms = zk_session_timeout_ms(session) * 4 / 3 + 1000;
	ephemeral->done = done;
	ephemeral->ctx = ctx;
	ephemeral->watch.fired = on_watch;
	ephemeral->timer.fired = on_deadline;
	ephemeral_create(ephemeral);
	return ephemeral;
}

void zk_ephemeral_cancel(struct zk_ephemeral *ephemeral)
{
	ephemeral_stop(ephemeral);
	ephemeral_free_when_over(ephemeral);
}
