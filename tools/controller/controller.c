/* The candidate; see controller.h. */
#include "tools/controller/controller.h"

#include "broker/net/lookup.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define AREA "controller"
#define STAND_AGAIN_MS 1000
#define STOP_MS_MAX 5000

/* ---- office ---- */

static void drop_office(struct controller *controller)
{
	if (controller->office)
		office_free(controller->office);
	controller->office = NULL;
}

static void stand(struct controller *controller)
{
	timer_stop(&controller->again);
	if (!controller->stopping)
		zk_election_stand(controller->election, -1, controller->min_epoch);
}

static void on_again(struct timer *timer)
{
	stand(CONTAINER_OF(timer, struct controller, again));
}

static void on_over(void *ctx, int32_t min_epoch)
{
	struct controller *controller = ctx;

	drop_office(controller);
	zk_election_resign(controller->election);
	if (min_epoch > controller->min_epoch)
		controller->min_epoch = min_epoch;
	/* Whoever was fenced stands again at once; one that failed lets others try first. */
	timer_set(&controller->again, clock_ms() + (min_epoch > 0 ? 0 : STAND_AGAIN_MS));
}

static void take_office(struct controller *controller, const struct zk_election_news *news)
{
	struct office_setup setup = {
		.worker = controller->worker,
		.zk = controller->zk,
		.election = controller->election,
		.config = controller->config,
		.resolver = controller->resolver,
		.nonce = controller->nonce,
		.epoch = news->epoch,
		.epoch_version = news->epoch_version,
		.ruled_since = news->ruled_since,
		.ctx = controller,
		.on_over = on_over,
	};

	trace_info(AREA, "controller %d is elected with epoch %d", controller->config->id, news->epoch);
	controller->has_stood = true;
	controller->n_offices++;
	drop_office(controller);
	controller->office = office_new(&setup);
}

/* A controller does not begin beside Kafka's. One that runs stands by: what is written into a znode ends no process. */
static void wait_for_foreign(struct controller *controller, const struct zk_election_news *news)
{
	if (!controller->has_stood)
		controller_refuse(controller, "Kafka broker %d is controller of this cluster: stop all Kafka brokers first",
				  news->holder->broker_id);
	else
		trace_error(AREA, "Kafka broker %d has become controller of this cluster: stop all Kafka brokers; controller %d stands by",
			    news->holder->broker_id, controller->config->id);
}

static void wait_for_office(struct controller *controller, const struct zk_election_news *news)
{
	if (news->holder && slice_is_null(news->holder->nonce))
		wait_for_foreign(controller, news);
	else if (news->owner != controller->waits_for)
		trace_info(AREA, "controller %d stands by: another holds the office (session 0x%llx)", controller->config->id,
			   (unsigned long long)news->owner);
	controller->waits_for = news->owner;
	controller->has_stood = true;
}

static void on_election(void *ctx, const struct zk_election_news *news)
{
	struct controller *controller = ctx;

	switch (news->event) {
	case ZK_ELECTION_WON:
		take_office(controller, news);
		break;
	case ZK_ELECTION_WAITING:
		wait_for_office(controller, news);
		break;
	case ZK_ELECTION_OVER:
		trace_warn(AREA, "/controller is no longer ours");
		drop_office(controller);
		stand(controller);
		break;
	case ZK_ELECTION_FAILED:
		if (news->code == ERR_SESSION_LOST)
			break;
		trace_error(AREA, "the election failed: %s", news->err ? news->err->text : error_text(news->code));
		drop_office(controller);
		timer_set(&controller->again, clock_ms() + STAND_AGAIN_MS);
		break;
	}
}

/* ---- session ---- */

void controller_prepared(struct controller *controller)
{
	stand(controller);
}

static void on_connected(struct controller *controller, bool new_session)
{
	trace_info(AREA, "connected to ZooKeeper, session 0x%llx%s", (unsigned long long)zk_session_id(controller->zk),
		   new_session ? " (new)" : "");
	supervised_tell_session(controller->supervised, controller->zk);
	if (new_session)
		controller_prepare(controller);
	else if (controller->office)
		office_reread(controller->office);
}

static void on_state(void *ctx, enum zk_state state, bool new_session)
{
	struct controller *controller = ctx;

	switch (state) {
	case ZK_CONNECTING:
		break;
	case ZK_CONNECTED:
		on_connected(controller, new_session);
		break;
	case ZK_SUSPENDED:
		controller->n_disconnects++;
		trace_warn(AREA, "connection to ZooKeeper lost; trying again");
		break;
	case ZK_LOST:
		controller->n_expired++;
		trace_error(AREA, "the ZooKeeper session has expired");
		drop_office(controller);
		break;
	case ZK_AUTH_FAILED:
		trace_error(AREA, "ZooKeeper refuses the credentials; trying again");
		break;
	case ZK_CLOSED:
		controller->stopped = true;
		worker_stop(controller->worker);
		break;
	}
}

/* ---- life ---- */

int controller_open(struct controller *controller, const struct controller_config *config, struct supervised *supervised,
		    struct worker *worker, struct error *err)
{
	struct zk_config zk = {
		.connect = config->zookeeper_connect,
		.session_timeout_ms = config->zookeeper_session_timeout_ms,
		.auth_digest = config->zookeeper_auth_digest,
		.set_acl = config->zookeeper_set_acl,
		.create_chroot = true,
		.old_session_id = supervised_old_session(supervised),
	};
	struct zk_listener listener = {.ctx = controller, .on_state = on_state};
	struct zk_election_listener election = {controller, on_election};
	struct uuid nonce = uuid_random();
	struct zk_loop port;
	int code;

	*controller = (struct controller){.config = config, .supervised = supervised, .worker = worker};
	uuid_format(&nonce, controller->nonce);
	timer_init(&controller->again, &worker->loop, on_again);
	timer_init(&controller->limit, &worker->loop, NULL);
	code = controller_open_metrics(controller, err);
	if (code)
		return code;
	zk_loop_glue_init(&controller->glue, &worker->loop, &port);
	code = zk_loop_glue_open(&controller->glue, &zk, &listener, &controller->zk, err);
	if (code) {
		http_server_close(controller->metrics);
		return code;
	}
	controller->resolver = resolver_new(NULL, 0);
	controller->election = zk_election_new(controller->zk, controller->nonce, &election);
	trace_info(AREA, "klamm-controller %d starts, ZooKeeper at %s", config->id, config->zookeeper_connect);
	return 0;
}

static void on_limit(struct timer *timer)
{
	struct controller *controller = CONTAINER_OF(timer, struct controller, limit);

	trace_warn(AREA, "ZooKeeper does not answer: the session is left to its time-out");
	worker_stop(controller->worker);
}

void controller_stop(struct controller *controller)
{
	if (controller->stopping)
		return;
	controller->stopping = true;
	drop_office(controller);
	timer_stop(&controller->again);
	zk_election_resign(controller->election);
	zk_session_close(controller->zk);
	controller->limit.on_timer = on_limit;
	timer_set(&controller->limit, clock_ms() + STOP_MS_MAX);
}

void controller_refuse(struct controller *controller, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (!controller->stopping)
		trace_error(AREA, "%s", text);
	controller->status = EXIT_FAILURE;
	controller_stop(controller);
}

void controller_close(struct controller *controller)
{
	drop_office(controller);
	http_server_close(controller->metrics);
	timer_stop(&controller->again);
	timer_stop(&controller->limit);
	zk_election_free(controller->election);
	zk_session_free(controller->zk);
	zk_loop_glue_fini(&controller->glue);
	resolver_free(controller->resolver);
}
