/*
 * The controller process: one of several candidates for the office of controller.
 *
 *     session new --> prepare (persistent nodes, who else lives here?) --> stand --> WAITING ... --> WON --> office (office.h)
 *          ^                                                                ^                                  |
 *          |                                                                +------- office over <-------------+
 *          +---- session lost: the office is dropped at once
 *
 * Runs on one worker. Kafka brokers and controllers that are not Klamm's are not joined: the process ends with a message.
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CONTROLLER_H
#define KLAMM_TOOLS_CONTROLLER_CONTROLLER_H

#include "broker/rt/http_server.h"
#include "broker/rt/supervisor.h"
#include "broker/rt/worker.h"
#include "broker/rt/zk_loop.h"
#include "common/uuid.h"
#include "tools/controller/controller_config.h"
#include "tools/controller/office.h"

struct controller {
	const struct controller_config *config;
	struct supervised *supervised;   /* what it knows of its parent; NULL without one */
	struct worker *worker;
	struct resolver *resolver;
	struct zk_loop_glue glue;
	struct zk_session *zk;
	struct zk_election *election;
	struct office *office;           /* NULL: not in office */
	struct http_server *metrics;     /* NULL: nobody is answered (controller_metrics.c) */
	int64_t n_offices;               /* taken since the start */
	int64_t n_expired, n_disconnects; /* of ZooKeeper sessions */
	struct timer again;              /* stands again, after something failed */
	struct timer limit;              /* of the stop */
	char nonce[UUID_TEXT_LEN + 1];
	int32_t min_epoch;
	int64_t waits_for;               /* session that holds the office; 0: none known */
	bool has_stood;                  /* it was elected once, or waited for another that was */
	int n_preparing;                 /* answers of the preparation to come */
	bool stopping;
	bool stopped;
	int status;                      /* exit status */
};

/* Connects. supervised may be NULL. ERR_CONFIG for a connect string that cannot work. */
int controller_open(struct controller *controller, const struct controller_config *config, struct supervised *supervised,
		    struct worker *worker, struct error *err);

/* Gives up the office and ends the session; the worker stops when that is done, within some seconds. */
void controller_stop(struct controller *controller);

void controller_close(struct controller *controller);

/* ---- controller_metrics.c ---- */

/* Answers GET /metrics from now on, where the configuration asks for it. */
int controller_open_metrics(struct controller *controller, struct error *err);

/* ---- controller_prepare.c ---- */

/* Makes the persistent nodes and looks who else is there; then calls controller_prepared. */
void controller_prepare(struct controller *controller);
void controller_prepared(struct controller *controller);

/* Somebody is there with whom this program cannot live: it ends. */
void controller_refuse(struct controller *controller, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
