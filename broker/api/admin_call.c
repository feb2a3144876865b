/* What handlers of administrative requests share; see admin_call.h. */
#include "broker/api/admin_call.h"

#include "common/clock.h"

#define WRITE_MS_MIN 1000

struct topics_context admin_call_context(struct request *request)
{
	const struct shard *shard = shard_of(request->worker);
	struct uuid chance = uuid_random();
	struct topics_context context = {.view = shard->view,
					 .config = shard->config,
					 .arena = &request->arena};

	memcpy(&context.seed, chance.bytes, sizeof context.seed);
	return context;
}

void admin_call_times(struct admin_op *op, int32_t timeout_ms)
{
	int64_t now_ms = clock_ms();

	op->wait_until_ms = timeout_ms > 0 ? now_ms + timeout_ms : now_ms;
	op->deadline_ms = now_ms + (timeout_ms > WRITE_MS_MIN ? timeout_ms : WRITE_MS_MIN);
}

struct slice admin_call_message(const char *message)
{
	return message ? slice_of_text(message) : SLICE_NULL;
}
