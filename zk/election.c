/*
 * The controller's election; see election.h.
 *
 *     IDLE --stand--> LOOKING --nobody--> BIDDING --won--> HELD --gone--> IDLE (told OVER)
 *                       ^  \--somebody--> WAITING           |
 *                       +-- lost the race, unknown outcome -+
 *
 * Answers of an earlier stand are recognised by their round and dropped.
 */
#include "zk/election.h"

#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"
#include "zk/path.h"

#include <stdlib.h>
#include <string.h>

static const char area[] = "election";

enum election_state { IDLE, LOOKING, BIDDING, WAITING, HELD };

struct zk_election {
	struct zk_session *session;
	char *nonce;
	struct zk_election_listener listener;
	enum election_state state;
	int32_t broker_id;
	int32_t min_epoch;
	int32_t bid_epoch;     /* BIDDING */
	int32_t last_epoch;    /* BIDDING: the one before, and the version of its node */
	int32_t last_version;
	int32_t ruled_since;
	int32_t epoch;         /* HELD */
	int32_t epoch_version; /* HELD */
	int64_t since_ms;      /* wall clock of the election, for the znode */
	int round;             /* goes up with each stand, resign and end */
	int n_pending;
	bool freed;
	struct zk_watch watch;
};

/* A question under way. */
struct election_step {
	struct zk_election *election;
	int round;
	void (*next)(struct zk_election *election, const struct zk_result *result);
};

static void election_look(struct zk_election *election);
static void election_bid(struct zk_election *election);

static void election_unhold(struct zk_election *election)
{
	election->state = IDLE;
	election->round++;
	zk_watch_cancel(&election->watch);
}

static void election_tell(struct zk_election *election, const struct zk_election_news *news)
{
	election->listener.on_election(election->listener.ctx, news);
}

static void election_fail(struct zk_election *election, int code, const struct error *why)
{
	struct zk_election_news news = {.event = ZK_ELECTION_FAILED, .code = code};
	bool held = election->state == HELD;
	struct error err;

	if (why)
		err = *why;
	else
		error_set(&err, code, "election of the controller: %s", error_text(code));
	news.err = &err;
	if (held)
		news.event = ZK_ELECTION_OVER;
	election_unhold(election);
	election_tell(election, &news);
}

static void election_over(struct zk_election *election)
{
	struct zk_election_news news = {.event = ZK_ELECTION_OVER};

	election_unhold(election);
	election_tell(election, &news);
}

static void on_step(void *ctx, const struct zk_result *result)
{
	struct election_step step = *(struct election_step *)ctx;
	struct zk_election *election = step.election;

	free(ctx);
	election->n_pending--;
	if (!election->freed && step.round == election->round)
		step.next(election, result);
	else if (election->freed && election->n_pending == 0)
		free(election);
}

static struct election_step *step_new(struct zk_election *election,
				      void (*next)(struct zk_election *election, const struct zk_result *result))
{
	struct election_step *step = NEW(struct election_step);

	*step = (struct election_step){election, election->round, next};
	election->n_pending++;
	return step;
}

static struct slice controller_data(struct zk_election *election, struct arena *arena)
{
	const struct controller_znode controller = {
		.broker_id = election->broker_id,
		.timestamp_ms = election->since_ms,
		.kraft_epoch = -1,
		.nonce = slice_of_text(election->nonce),
	};

	return controller_znode_encode(arena, &controller);
}

/* ---- Holding ---- */

static void election_won(struct zk_election *election, int32_t version)
{
	struct zk_election_news news = {
		.event = ZK_ELECTION_WON,
		.epoch = election->epoch,
		.epoch_version = election->epoch_version,
		.ruled_since = election->ruled_since,
		.version = version,
		.owner = zk_session_id(election->session),
	};

	election->state = HELD;
	trace_info(area, "elected controller with epoch %d", election->epoch);
	election_tell(election, &news);
}

/* The answer of our multi was lost, but /controller is ours: nobody can have raised the epoch since. */
static void on_own_epoch(struct zk_election *election, const struct zk_result *result)
{
	struct error err;
	int rc = result->code;

	if (rc == 0)
		rc = controller_epoch_decode(ZK_PATH_CONTROLLER_EPOCH, result->data, &election->epoch, &err);
	if (rc != 0) {
		election_fail(election, rc, rc == ERR_CORRUPT ? &err : NULL);
		return;
	}
	election->epoch_version = result->stat.version;
	election_won(election, 0);
}

/* ---- Looking at /controller ---- */

static void on_stale_deleted(struct zk_election *election, const struct zk_result *result)
{
	if (result->code == ERR_SESSION_LOST || result->code == ERR_CLOSED || result->code == ERR_AUTH)
		election_fail(election, result->code, NULL);
	else
		election_look(election);
}

static void election_wait(struct zk_election *election, const struct zk_result *result, const struct controller_znode *holder)
{
	struct zk_election_news news = {
		.event = ZK_ELECTION_WAITING,
		.version = result->stat.version,
		.owner = result->stat.ephemeral_owner,
		.holder = holder,
	};

	election->state = WAITING;
	election_tell(election, &news);
}

static void election_judge(struct zk_election *election, const struct zk_result *result)
{
	int64_t owner = result->stat.ephemeral_owner;
	struct controller_znode holder;
	struct arena arena;
	struct error err;
	bool readable, ours;

	arena_init(&arena);
	readable = controller_znode_decode(&arena, ZK_PATH_CONTROLLER, result->data, &holder, &err) == 0;
	if (!readable)
		trace_warn(area, "%s", err.text);
	ours = readable && slice_is_text(holder.nonce, election->nonce) && zk_session_was_ours(election->session, owner);
	if (ours && owner == zk_session_id(election->session)) {
		if (election->state != HELD)
			zk_get(election->session, ZK_PATH_CONTROLLER_EPOCH, NULL, on_step, step_new(election, on_own_epoch));
	} else if (election->state == HELD) {
		election_over(election);
	} else if (ours || (owner != 0 && zk_session_was_ours(election->session, owner))) {
		zk_delete(election->session, ZK_PATH_CONTROLLER, result->stat.version, on_step,
			  step_new(election, on_stale_deleted));
	} else {
		election_wait(election, result, readable ? &holder : NULL);
	}
	arena_fini(&arena);
}

static void on_looked(struct zk_election *election, const struct zk_result *result)
{
	if (result->code == 0)
		election_judge(election, result);
	else if (result->code != ERR_NOT_FOUND)
		election_fail(election, result->code, NULL);
	else if (election->state == HELD)
		election_over(election);
	else
		election_bid(election);
}

static void election_look(struct zk_election *election)
{
	zk_get(election->session, ZK_PATH_CONTROLLER, &election->watch, on_step, step_new(election, on_looked));
}

static void on_watch(struct zk_watch *watch, enum zk_event event)
{
	struct zk_election *election = CONTAINER_OF(watch, struct zk_election, watch);

	(void)event;
	if (election->state == WAITING || election->state == HELD)
		election_look(election);
}

/* ---- Bidding ---- */

static void on_bid(struct zk_election *election, const struct zk_result *result)
{
	switch (result->code) {
	case 0:
		election->epoch = election->bid_epoch;
		election->epoch_version = result->ops[1].stat.version;
		/* Arms the watch that tells when the office is gone. */
		election->state = HELD;
		election_look(election);
		election_won(election, 0);
		break;
	case ERR_EXISTS:
	case ERR_VERSION:
	case ERR_NOT_FOUND:
	case ERR_UNKNOWN_OUTCOME:
		election->state = LOOKING;
		election_look(election);
		break;
	default:
		election_fail(election, result->code, NULL);
	}
}

/* `rule_version` is that of /klamm/controller_epoch. */
static void election_offer(struct zk_election *election, int32_t rule_version)
{
	const struct controller_rule rule = {.epoch = election->bid_epoch, .since = election->ruled_since};
	struct arena arena;
	struct zk_op ops[3];

	arena_init(&arena);
	election->since_ms = clock_wall_ms();
	ops[0] = (struct zk_op){
		.kind = ZK_OP_CREATE,
		.path = ZK_PATH_CONTROLLER,
		.data = controller_data(election, &arena),
		.mode = ZK_EPHEMERAL,
	};
	ops[1] = (struct zk_op){
		.kind = ZK_OP_SET,
		.path = ZK_PATH_CONTROLLER_EPOCH,
		.data = controller_epoch_encode(&arena, election->bid_epoch),
		.version = election->last_version,
	};
	ops[2] = (struct zk_op){
		.kind = ZK_OP_SET,
		.path = ZK_PATH_KLAMM_CONTROLLER_EPOCH,
		.data = controller_rule_encode(&arena, &rule),
		.version = rule_version,
	};
	zk_multi(election->session, ops, ARRAY_LEN(ops), on_step, step_new(election, on_bid));
	arena_fini(&arena);
}

static void on_rule(struct zk_election *election, const struct zk_result *result);

static void on_rule_created(struct zk_election *election, const struct zk_result *result)
{
	if (result->code == 0 || result->code == ERR_EXISTS || result->code == ERR_UNKNOWN_OUTCOME)
		zk_get(election->session, ZK_PATH_KLAMM_CONTROLLER_EPOCH, NULL, on_step, step_new(election, on_rule));
	else
		election_fail(election, result->code, NULL);
}

static void on_folder_created(struct zk_election *election, const struct zk_result *result)
{
	if (result->code == 0 || result->code == ERR_EXISTS || result->code == ERR_UNKNOWN_OUTCOME)
		zk_create(election->session, ZK_PATH_KLAMM_CONTROLLER_EPOCH, SLICE_LITERAL("{}"), ZK_PERSISTENT, on_step,
			  step_new(election, on_rule_created));
	else
		election_fail(election, result->code, NULL);
}

/* Did one of ours hold the office last? What cannot be read says no. */
static void on_rule(struct zk_election *election, const struct zk_result *result)
{
	struct controller_rule rule;
	struct arena arena;

	if (result->code == ERR_NOT_FOUND) {
		zk_create(election->session, ZK_PATH_KLAMM, SLICE_NULL, ZK_PERSISTENT, on_step, step_new(election, on_folder_created));
		return;
	}
	if (result->code != 0) {
		election_fail(election, result->code, NULL);
		return;
	}
	arena_init(&arena);
	election->ruled_since = election->bid_epoch;
	if (controller_rule_decode(&arena, ZK_PATH_KLAMM_CONTROLLER_EPOCH, result->data, &rule, NULL) == 0 &&
	    rule.epoch == election->last_epoch)
		election->ruled_since = rule.since;
	arena_fini(&arena);
	election_offer(election, result->stat.version);
}

static void on_epoch_created(struct zk_election *election, const struct zk_result *result)
{
	if (result->code == 0 || result->code == ERR_EXISTS || result->code == ERR_UNKNOWN_OUTCOME)
		election_bid(election);
	else
		election_fail(election, result->code, NULL);
}

static void on_epoch(struct zk_election *election, const struct zk_result *result)
{
	struct error err;
	int32_t epoch;
	int rc;

	if (result->code == ERR_NOT_FOUND) {
		zk_create(election->session, ZK_PATH_CONTROLLER_EPOCH, SLICE_LITERAL("0"), ZK_PERSISTENT, on_step,
			  step_new(election, on_epoch_created));
		return;
	}
	if (result->code != 0) {
		election_fail(election, result->code, NULL);
		return;
	}
	rc = controller_epoch_decode(ZK_PATH_CONTROLLER_EPOCH, result->data, &epoch, &err);
	if (rc == 0 && epoch == INT32_MAX)
		rc = error_set(&err, ERR_CORRUPT, "znode %s: no epoch is left above %d", ZK_PATH_CONTROLLER_EPOCH, epoch);
	if (rc != 0) {
		election_fail(election, rc, &err);
		return;
	}
	election->bid_epoch = epoch + 1 > election->min_epoch ? epoch + 1 : election->min_epoch;
	election->last_epoch = epoch;
	election->last_version = result->stat.version;
	zk_get(election->session, ZK_PATH_KLAMM_CONTROLLER_EPOCH, NULL, on_step, step_new(election, on_rule));
}

static void election_bid(struct zk_election *election)
{
	election->state = BIDDING;
	zk_get(election->session, ZK_PATH_CONTROLLER_EPOCH, NULL, on_step, step_new(election, on_epoch));
}

/* ---- Owner's side ---- */

struct zk_election *zk_election_new(struct zk_session *session, const char *nonce, const struct zk_election_listener *listener)
{
	struct zk_election *election = NEW(struct zk_election);

	election->session = session;
	election->nonce = memory_copy_text(nonce);
	election->listener = *listener;
	election->watch.fired = on_watch;
	return election;
}

void zk_election_free(struct zk_election *election)
{
	if (!election)
		return;
	election_unhold(election);
	free(election->nonce);
	election->nonce = NULL;
	election->freed = true;
	if (election->n_pending == 0)
		free(election);
}

void zk_election_stand(struct zk_election *election, int32_t broker_id, int32_t min_epoch)
{
	election_unhold(election);
	election->broker_id = broker_id;
	election->min_epoch = min_epoch;
	election->state = LOOKING;
	election_look(election);
}

static void on_rewritten(struct zk_election *election, const struct zk_result *result);

static void election_rewrite(struct zk_election *election)
{
	struct arena arena;
	struct zk_op ops[2];

	arena_init(&arena);
	ops[0] = (struct zk_op){.kind = ZK_OP_CHECK, .path = ZK_PATH_CONTROLLER_EPOCH, .version = election->epoch_version};
	ops[1] = (struct zk_op){
		.kind = ZK_OP_SET,
		.path = ZK_PATH_CONTROLLER,
		.data = controller_data(election, &arena),
		.version = ZK_VERSION_ANY,
	};
	zk_multi(election->session, ops, ARRAY_LEN(ops), on_step, step_new(election, on_rewritten));
	arena_fini(&arena);
}

static void on_rewritten(struct zk_election *election, const struct zk_result *result)
{
	if (result->code == ERR_UNKNOWN_OUTCOME)
		election_rewrite(election);
	else if (result->code == ERR_VERSION || result->code == ERR_NOT_FOUND)
		election_over(election);
	else if (result->code != 0)
		election_fail(election, result->code, NULL);
}

void zk_election_set_broker(struct zk_election *election, int32_t broker_id)
{
	if (election->broker_id == broker_id)
		return;
	election->broker_id = broker_id;
	if (election->state == HELD)
		election_rewrite(election);
}

/* Its answer concerns nobody: the round is over. */
static void on_resigned(struct zk_election *election, const struct zk_result *result)
{
	(void)election;
	(void)result;
}

void zk_election_resign(struct zk_election *election)
{
	const struct zk_op ops[] = {
		{.kind = ZK_OP_CHECK, .path = ZK_PATH_CONTROLLER_EPOCH, .version = election->epoch_version},
		{.kind = ZK_OP_DELETE, .path = ZK_PATH_CONTROLLER, .version = ZK_VERSION_ANY},
	};

	if (election->state == HELD)
		zk_multi(election->session, ops, ARRAY_LEN(ops), on_step, step_new(election, on_resigned));
	election_unhold(election);
}
