/*
 * Hello: who may speak to this broker as its controller; see channel.h.
 *
 *     worker: channel_hello -> hub: check ids -> sync, read /controller (nonce) and /controller_epoch -> worker: answer, detach -> hub: adopt
 *
 * All that come while ZooKeeper is asked wait for the next asking: however many come, it is asked once at a time, and only LIMIT_HELLOS wait.
 * The controller may see our node in ZooKeeper before we hear that it was made: whether our incarnation was meant is judged last.
 * A controller is believed when the epoch and the nonce that it names are those in ZooKeeper after a sync: one that has been
 * followed by another, however lately, is refused (S13).
 */
#include "broker/channel_internal.h"

#include "common/limits.h"
#include "common/memory.h"
#include "common/trace.h"
#include "proto/cluster/frame_type.h"
#include "proto/kafka_error.h"
#include "zk/json_controller.h"
#include "zk/path.h"

#include <stdlib.h>
#include <utlist.h>

/* One Hello under way; freed when the connection is refused, lost, or adopted. */
struct hello {
	struct message message; /* between worker and hub, one way at a time */
	struct hello *next;     /* utlist LL, of the channel, while it waits for ZooKeeper */
	struct channel *channel;
	struct request *request; /* the worker's */
	struct worker *worker;
	char address[CLIENT_ADDRESS_BYTES];
	Klamm__Hello *said;
	int16_t error;
	char text[256];
	int64_t broker_epoch;
	bool nonce_fits;
	struct detached detached;
	bool is_detached;
};

static void hello_free(struct hello *hello)
{
	if (hello->said)
		klamm__hello__free_unpacked(hello->said, NULL);
	free(hello);
}

/* ---- back on the worker ---- */

static void on_adopted(struct message *message)
{
	struct hello *hello = CONTAINER_OF(message, struct hello, message);
	struct channel *channel = hello->channel;

	/* A newer controller may have come in between; it stays. And a connection belongs to one incarnation of ours. */
	if (hello->is_detached && !channel->closing && hello->said->sender_epoch >= channel->controller_epoch &&
	    hello->broker_epoch == channel->membership->broker_epoch) {
		channel_adopt(channel, &hello->detached, hello->said->sender_id, (int32_t)hello->said->sender_epoch);
	} else if (hello->is_detached) {
		detached_close(&hello->detached);
	}
	hello_free(hello);
}

static void on_detached(void *ctx, const struct detached *detached)
{
	struct hello *hello = ctx;

	hello->is_detached = detached != NULL;
	if (detached)
		hello->detached = *detached;
	hello->message.run = on_adopted;
	worker_post(hello->channel->hub, &hello->message);
}

static void on_judged(struct message *message)
{
	struct hello *hello = CONTAINER_OF(message, struct hello, message);
	Klamm__HelloAnswer answer = KLAMM__HELLO_ANSWER__INIT;
	uint8_t bytes[512];
	struct slice body;

	answer.error = hello->error;
	answer.message = hello->text;
	answer.version = CLUSTER_PROTOCOL_VERSION;
	answer.broker_epoch = hello->broker_epoch;
	body = slice_of(bytes, klamm__hello_answer__pack(&answer, bytes));
	if (hello->error == 0) {
		request_detach(hello->request, body, on_detached, hello);
		return;
	}
	request_answer_last(hello->request, body);
	hello_free(hello);
}

/* ---- on the hub ---- */

static void judged(struct hello *hello, int16_t error, const char *text)
{
	hello->error = error;
	snprintf(hello->text, sizeof hello->text, "%s", text);
	hello->broker_epoch = hello->channel->membership->broker_epoch;
	if (error)
		trace_limited(TRACE_WARN, "channel", "Hello from %s refused: %s (%s)", hello->address, kafka_error_name(error), text);
	hello->message.run = on_judged;
	worker_post(hello->worker, &hello->message);
}

static bool is_for_another(const struct hello *hello)
{
	int64_t own = hello->channel->membership->broker_epoch;

	return own == BROKER_EPOCH_NONE || hello->said->target_epoch != own;
}

static void judge_by_epoch(struct hello *hello, bool is_read, int32_t epoch)
{
	/* Our own registration was sent before this was asked: now it is known how it went. */
	if (is_for_another(hello))
		judged(hello, KAFKA_STALE_BROKER_EPOCH, "another incarnation of this broker was meant");
	else if (!is_read)
		judged(hello, KAFKA_COORDINATOR_NOT_AVAILABLE, "the controller epoch could not be read from ZooKeeper");
	else if (!hello->nonce_fits || epoch != hello->said->sender_epoch)
		judged(hello, KAFKA_STALE_CONTROLLER_EPOCH, "another controller is in office");
	else
		judged(hello, 0, "");
}

static void judge_all(struct channel *channel, struct hello **list, bool is_read, int32_t epoch)
{
	while (*list) {
		struct hello *hello = *list;

		*list = hello->next;
		channel->n_hellos--;
		judge_by_epoch(hello, is_read, epoch);
	}
}

static void on_controller_read(void *ctx, const struct zk_result *result)
{
	struct channel *channel = ctx;
	struct controller_znode office;
	struct error err;
	struct arena arena;
	struct hello *hello;
	bool is_read;

	arena_init(&arena);
	is_read = result->code == 0 && controller_znode_decode(&arena, ZK_PATH_CONTROLLER, result->data, &office, &err) == 0;
	/* A controller of another kind has no nonce; an empty one is nobody's. */
	LL_FOREACH(channel->hellos_read, hello)
		hello->nonce_fits = is_read && hello->said->nonce[0] && slice_is_text(office.nonce, hello->said->nonce);
	arena_fini(&arena);
}

static void read_office(struct channel *channel);

static void on_epoch_read(void *ctx, const struct zk_result *result)
{
	struct channel *channel = ctx;
	struct error err;
	int32_t epoch = 0;
	bool is_read = result->code == 0 && controller_epoch_decode(ZK_PATH_CONTROLLER_EPOCH, result->data, &epoch, &err) == 0;

	judge_all(channel, &channel->hellos_read, is_read, epoch);
	/* Without ZooKeeper the others would fare no better. */
	if (result->code)
		judge_all(channel, &channel->hellos_waiting, false, 0);
	if (channel->hellos_waiting)
		read_office(channel);
}

/* Answers come in the order asked, so that the last one tells all. */
static void on_synced(void *ctx, const struct zk_result *result)
{
	(void)ctx;
	(void)result;
}

static void read_office(struct channel *channel)
{
	struct zk_session *zk = channel->membership->zk;

	channel->hellos_read = channel->hellos_waiting;
	channel->hellos_waiting = NULL;
	zk_sync(zk, on_synced, channel);
	zk_get(zk, ZK_PATH_CONTROLLER, NULL, on_controller_read, channel);
	zk_get(zk, ZK_PATH_CONTROLLER_EPOCH, NULL, on_epoch_read, channel);
}

static void await_office(struct hello *hello)
{
	struct channel *channel = hello->channel;

	if (channel->n_hellos == LIMIT_HELLOS) {
		judged(hello, KAFKA_COORDINATOR_NOT_AVAILABLE, "ZooKeeper has not answered for too many others");
		return;
	}
	channel->n_hellos++;
	LL_APPEND(channel->hellos_waiting, hello);
	if (!channel->hellos_read)
		read_office(channel);
}

static void judge_hello(struct hello *hello)
{
	const struct membership *membership = hello->channel->membership;
	const Klamm__Hello *said = hello->said;

	if (!said || said->role != KLAMM__HELLO__ROLE__CONTROLLER)
		judged(hello, KAFKA_INVALID_REQUEST, "this is no Hello of a controller");
	else if (!membership->cluster_id || strcmp(said->cluster_id, membership->cluster_id) != 0)
		judged(hello, KAFKA_INCONSISTENT_CLUSTER_ID, "the controller is of another cluster");
	else if (hello->channel->closing || said->target_id != membership->config->broker_id)
		judged(hello, KAFKA_STALE_BROKER_EPOCH, "another broker was meant");
	else if (said->sender_epoch < hello->channel->controller_epoch)
		judged(hello, KAFKA_STALE_CONTROLLER_EPOCH, "a newer controller has been here");
	else
		await_office(hello);
}

static void on_hello(struct message *message)
{
	judge_hello(CONTAINER_OF(message, struct hello, message));
}

void channel_hello(struct request *request, Klamm__Hello *said, struct channel *channel)
{
	struct hello *hello = NEW(struct hello);

	hello->channel = channel;
	hello->request = request;
	hello->worker = request->worker;
	snprintf(hello->address, sizeof hello->address, "%s", request->client->address_text);
	hello->said = said;
	hello->message.run = on_hello;
	worker_post(channel->hub, &hello->message);
}
