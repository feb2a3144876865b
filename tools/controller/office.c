/* The office of controller; see office.h. */
#include "tools/controller/office.h"

#include "common/clock.h"
#include "common/memory.h"
#include "common/trace.h"
#include "tools/controller/office_drift.h"
#include "tools/controller/office_line.h"
#include "tools/controller/office_notices.h"
#include "tools/controller/office_read.h"
#include "tools/controller/office_write.h"

#include <stdlib.h>

#define AREA "controller"

/* ---- actions ---- */

static void carry_out(struct office *office, const struct ctl_action *action)
{
	switch (action->kind) {
	case CTL_DO_READ:
		office_read_asked(office->read, action);
		break;
	case CTL_DO_WRITE:
		office_write_add(office->write, &action->write);
		break;
	case CTL_DO_CONNECT:
		office_line_open(office, action->broker, action->broker_epoch);
		break;
	case CTL_DO_DISCONNECT:
		office_line_close(office, action->broker);
		break;
	case CTL_DO_SEND:
		office_line_send(office, action);
		break;
	case CTL_DO_RAISE_EPOCH:
		office->min_epoch = action->epoch;
		office_end(office, "a higher epoch is needed");
		break;
	case CTL_DO_TIMER:
		timer_set(&office->timer, action->at_ms);
		break;
	case CTL_DO_REPORT:
		trace(action->warning ? TRACE_WARN : TRACE_INFO, AREA, "%s", action->text);
		break;
	}
}

static void carry_out_all(struct office *office, const struct ctl_actions *actions)
{
	for (int32_t i = 0; i < actions->n_items && !office->over; i++)
		carry_out(office, &actions->items[i]);
	office_line_forget_view(office);
	arena_fini(&office->arena);
}

void office_tell(struct office *office, const struct ctl_event *event)
{
	struct ctl_actions actions;

	if (office->over)
		return;
	ctl_actions_init(&actions, &office->arena);
	ctl_step(&office->ctl, event, clock_ms(), &actions);
	carry_out_all(office, &actions);
	loop_defer(&office->setup.worker->loop, &office->flush);
}

static void flush(struct office *office)
{
	struct ctl_actions actions;
	bool was_loading = office->since_ms != 0;

	ctl_actions_init(&actions, &office->arena);
	ctl_flush(&office->ctl, clock_ms(), &actions);
	carry_out_all(office, &actions);
	office_write_flush(office->write);
	if (was_loading && !office->ctl.loading) {
		trace_info(AREA, "in office after %lld ms", (long long)(clock_ms() - office->since_ms));
		office->since_ms = 0;
	}
}

static void on_flush(struct deferred *deferred)
{
	struct office *office = CONTAINER_OF(deferred, struct office, flush);

	if (!office->over)
		flush(office);
	if (office->over)
		office->setup.on_over(office->setup.ctx, office->min_epoch);
}

static void on_timer(struct timer *timer)
{
	struct office *office = CONTAINER_OF(timer, struct office, timer);
	struct ctl_event event = {.kind = CTL_TIMER};

	office_tell(office, &event);
}

/* ---- ports ---- */

static void on_read(void *ctx, const struct ctl_event *event)
{
	office_tell(ctx, event);
}

static void on_read_failed(void *ctx, const char *path, int code)
{
	char why[300];

	snprintf(why, sizeof why, "%s cannot be read: %s", path, error_text(code));
	office_end(ctx, why);
}

static void on_written(void *ctx, const struct ctl_written *written, int n_written)
{
	struct ctl_event event = {.kind = CTL_WRITE_DONE, .written = written, .n_written = n_written};

	office_tell(ctx, &event);
}

static void on_fenced(void *ctx)
{
	office_end(ctx, "another controller was elected: this one's writes are refused");
}

/* ---- life ---- */

void office_end(struct office *office, const char *why)
{
	if (office->over)
		return;
	office->over = true;
	trace_warn(AREA, "the office of controller with epoch %d is given up: %s", office->setup.epoch, why);
	loop_defer(&office->setup.worker->loop, &office->flush);
}

void office_reread(struct office *office)
{
	if (office->over)
		return;
	office_read_news(office->read, CTL_READ_BROKERS, SLICE_NULL);
	office_read_news(office->read, CTL_READ_TOPICS, SLICE_NULL);
	office_read_news(office->read, CTL_READ_DELETIONS, SLICE_NULL);
	office_read_news(office->read, CTL_READ_BROKER_CONFIGS, SLICE_NULL);
	office_read_news(office->read, CTL_READ_ELECTIONS, SLICE_NULL);
	office_read_news(office->read, CTL_READ_REASSIGNMENTS, SLICE_NULL);
	office_notices_reread(office->notices);
}

struct office *office_new(const struct office_setup *setup)
{
	const struct controller_config *config = setup->config;
	struct office *office = NEW(struct office);
	struct ctl_settings settings = {
		.session_timeout_ms = (int32_t)zk_session_timeout_ms(setup->zk),
		.unclean_leader_election = config->unclean_leader_election_enable,
		.delete_topic_enable = config->delete_topic_enable,
		.min_insync_replicas = config->min_insync_replicas,
		.auto_leader_rebalance = config->auto_leader_rebalance_enable,
		.imbalance_check_s = config->leader_imbalance_check_interval_seconds,
		.imbalance_percent = config->leader_imbalance_per_broker_percentage,
	};
	struct office_read_port read_port = {office, on_read, on_read_failed};
	struct office_write_port write_port = {office, on_written, on_fenced};
	struct ctl_event elected = {.kind = CTL_ELECTED, .epoch = setup->epoch, .epoch_version = setup->epoch_version,
				    .ruled_since = setup->ruled_since};

	office->setup = *setup;
	office->since_ms = clock_ms();
	office->flush.run = on_flush;
	office->cluster_id = setup->cluster_id ? memory_copy_text(setup->cluster_id) : NULL;
	arena_init(&office->arena);
	arena_init(&office->view_arena);
	timer_init(&office->timer, &setup->worker->loop, on_timer);
	ctl_init(&office->ctl, &settings);
	office->read = office_read_new(setup->zk, config->inter_broker_listener_name, &read_port);
	office->write = office_write_new(setup->zk, setup->election, setup->epoch_version, &write_port);
	office->notices = office_notices_new(office);
	office->drift = office_drift_new(office, config->drift_check_interval_ms);
	office_tell(office, &elected);
	return office;
}

void office_free(struct office *office)
{
	office->over = true;
	loop_undefer(&office->setup.worker->loop, &office->flush);
	timer_stop(&office->timer);
	office_line_close_all(office);
	office_drift_free(office->drift);
	office_notices_free(office->notices);
	office_write_free(office->write);
	office_read_free(office->read);
	ctl_fini(&office->ctl);
	arena_fini(&office->arena);
	free(office->cluster_id);
	free(office);
}
