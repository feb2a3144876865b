/* Hello of a follower; see replication_hello.h. */
#include "broker/replication_hello.h"

#include "common/trace.h"
#include "proto/cluster/frame_type.h"
#include "proto/kafka_error.h"

#include <stdlib.h>
#include <string.h>

/* A connection on its way to the worker that is to have it. */
struct replication_hello {
	struct message message;
	struct shard *shard; /* the target */
	int32_t follower;
	int64_t follower_epoch;
	int64_t own_epoch;
	struct detached detached;
};

struct verdict {
	int16_t error;
	const char *text;
};

static struct verdict judge(const Klamm__Hello *said, const struct shard *shard)
{
	const struct view_broker *listed = view_broker(shard->view, said->sender_id);

	if (shard->cluster_id && strcmp(said->cluster_id, shard->cluster_id) != 0)
		return (struct verdict){KAFKA_INCONSISTENT_CLUSTER_ID, "the follower is of another cluster"};
	if (said->target_id != shard->config->broker_id || said->sender_id == said->target_id || said->sender_id < 0)
		return (struct verdict){KAFKA_INVALID_REQUEST, "another broker was meant"};
	if (shard->broker_epoch < 0 || said->target_epoch != shard->broker_epoch)
		return (struct verdict){KAFKA_STALE_BROKER_EPOCH, "another incarnation of this broker was meant"};
	/* One that the view does not list yet is let in: what it asks waits for the view. */
	if (listed && listed->epoch > said->sender_epoch)
		return (struct verdict){KAFKA_STALE_BROKER_EPOCH, "a later incarnation of the follower is alive"};
	return (struct verdict){0, ""};
}

static void on_adopt(struct message *message)
{
	struct replication_hello *hello = CONTAINER_OF(message, struct replication_hello, message);

	feeds_adopt(&hello->shard->feeds, &hello->detached, hello->follower, hello->follower_epoch, hello->own_epoch);
	free(hello);
}

static void on_detached(void *ctx, const struct detached *detached)
{
	struct replication_hello *hello = ctx;

	if (!detached) {
		free(hello);
		return;
	}
	hello->detached = *detached;
	hello->message.run = on_adopt;
	worker_post(&hello->shard->worker, &hello->message);
}

static struct replication_hello *hello_new(const Klamm__Hello *said, const struct shard *shard)
{
	struct replication_hello *hello = NEW(struct replication_hello);

	hello->shard = shard->all[(uint32_t)said->worker % (uint32_t)shard->n_shards];
	hello->follower = said->sender_id;
	hello->follower_epoch = said->sender_epoch;
	hello->own_epoch = said->target_epoch;
	return hello;
}

void replication_hello(struct request *request, Klamm__Hello *said, struct shard *shard)
{
	struct verdict verdict = judge(said, shard);
	Klamm__HelloAnswer answer = KLAMM__HELLO_ANSWER__INIT;
	uint8_t bytes[256];
	struct slice body;

	answer.error = verdict.error;
	answer.message = (char *)(uintptr_t)verdict.text;
	answer.version = said->version < CLUSTER_PROTOCOL_VERSION ? said->version : CLUSTER_PROTOCOL_VERSION;
	answer.broker_epoch = shard->broker_epoch;
	answer.n_workers = shard->n_shards;
	body = slice_of(bytes, klamm__hello_answer__pack(&answer, bytes));
	if (verdict.error) {
		trace_limited(TRACE_WARN, "feed", "Hello of broker %d from %s refused: %s (%s)", said->sender_id, request->client->address_text,
			      kafka_error_name(verdict.error), verdict.text);
		request_answer_last(request, body);
	} else {
		request_detach(request, body, on_detached, hello_new(said, shard));
	}
	klamm__hello__free_unpacked(said, NULL);
}
