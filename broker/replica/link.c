/* One connection to a worker of a leader; see link.h. What is said on it is in link_frame.c. */
#include "broker/replica/link_internal.h"

#include "broker/net/address.h"
#include "broker/net/hello.h"
#include "broker/net/lookup.h"
#include "broker/replica/shard.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/trace.h"
#include "proto/cluster/cluster.pb-c.h"
#include "proto/cluster/frame_type.h"
#include "proto/kafka_error.h"

#include <stdlib.h>
#include <utlist.h>

#define AREA "follow"
#define PAUSE_MS_MIN 50
#define PAUSE_MS_MAX 1000
#define HELLO_BYTES 1024

/* A link that nobody needs stays so long: leaderships come and go, and come back. */
#define LINGER_MS 10000

/* Nothing heard for so long, though the other end pings: it is gone. */
#define IDLE_MS_MIN 10000

/* Cuts that follow each other in one turn take no longer together, or are one. */
#define CUTS_MS_MAX 5

static void start(struct link *link);

/* ---- pauses ---- */

/* Twice the last one, within its bounds; half of it is chance, so that those who lost one leader do not all come at once. */
static int64_t next_pause(struct links *links, int64_t *pause_ms)
{
	*pause_ms = *pause_ms == 0 ? PAUSE_MS_MIN : *pause_ms * 2;
	if (*pause_ms > PAUSE_MS_MAX)
		*pause_ms = PAUSE_MS_MAX;
	links->chance ^= links->chance << 13;
	links->chance ^= links->chance >> 7;
	links->chance ^= links->chance << 17;
	return *pause_ms / 2 + (int64_t)(links->chance % (uint64_t)(*pause_ms / 2 + 1));
}

/* ---- members ---- */

static struct link_member **queue_of(struct link *link, enum link_wait waits)
{
	if (waits == LINK_WAITS_TO_ASK)
		return &link->asking;
	return waits == LINK_WAITS_TO_ACK ? &link->acking : &link->pausing;
}

static void wait_for(struct link_member *member, enum link_wait waits)
{
	struct link *link = member->link;

	if (member->waits != LINK_WAITS_NOT)
		DL_DELETE2(*queue_of(link, member->waits), member, wait_prev, wait_next);
	member->waits = waits;
	member->cut.is_due = false;
	if (waits != LINK_WAITS_NOT)
		DL_APPEND2(*queue_of(link, waits), member, wait_prev, wait_next);
	if (link->is_open && (waits == LINK_WAITS_TO_ASK || waits == LINK_WAITS_TO_ACK))
		loop_defer(link->retry.loop, &link->turn);
}

void link_wait_no_more(struct link_member *member)
{
	wait_for(member, LINK_WAITS_NOT);
}

void link_forget_handle(struct link_member *member)
{
	if (!member->is_open)
		return;
	HASH_DEL(member->link->opened, member);
	member->is_open = false;
	if (member->waits == LINK_WAITS_TO_ACK)
		wait_for(member, LINK_WAITS_NOT);
}

void link_ask(struct link_member *member)
{
	if (!member->link)
		return;
	link_forget_handle(member);
	wait_for(member, LINK_WAITS_TO_ASK);
}

void link_ask_after(struct link_member *member, int64_t pause_ms)
{
	struct link *link = member->link;

	if (!link)
		return;
	link_forget_handle(member);
	member->again_ms = clock_ms() + pause_ms;
	wait_for(member, LINK_PAUSES);
	timer_set_earlier(&link->wake, member->again_ms);
}

void link_pause_no_more(struct link_member *member)
{
	if (member->waits == LINK_PAUSES && !member->cut.is_due)
		link_ask(member);
}

void link_cut_soon(struct link_member *member, const struct link_cut *cut)
{
	link_ask_after(member, 0);
	member->cut = *cut;
	member->cut.is_due = true;
}

void link_ask_later(struct link_member *member)
{
	if (member->link)
		link_ask_after(member, next_pause(member->link->target->links, &member->pause_ms));
}

bool link_open_handle(struct link_member *member, int64_t handle)
{
	struct link_member *other;

	HASH_FIND(hh, member->link->opened, &handle, sizeof handle, other);
	if (other)
		return false;
	link_forget_handle(member);
	member->handle = handle;
	member->is_open = true;
	HASH_ADD(hh, member->link->opened, handle, sizeof handle, member);
	return true;
}

void link_ack(struct link_member *member)
{
	if (member->is_open && member->waits == LINK_WAITS_NOT)
		wait_for(member, LINK_WAITS_TO_ACK);
}

void link_close_handle(struct link_member *member, int16_t error)
{
	if (!member->is_open)
		return;
	if (member->link->is_open)
		link_send_close(member->link, member->handle, error);
	link_forget_handle(member);
}

void link_went_well(struct link_member *member)
{
	member->pause_ms = 0;
}

void link_join(struct link *link, struct link_member *member)
{
	member->link = link;
	DL_APPEND(link->members, member);
	link_ask(member);
	if (!link->peer && !link->lookup && !timer_is_set(&link->retry))
		start(link);
}

void link_part(struct link_member *member)
{
	struct link *link = member->link;

	link_forget_handle(member);
	wait_for(member, LINK_WAITS_NOT);
	DL_DELETE(link->members, member);
	member->link = NULL;
	if (!link->members && !timer_is_set(&link->retry))
		timer_set(&link->retry, clock_ms() + LINGER_MS);
}

static void wake(struct link_member *member)
{
	struct link_cut cut = member->cut;

	if (!cut.is_due) {
		link_ask(member);
		return;
	}
	wait_for(member, LINK_WAITS_NOT);
	partition_follow_cut(link_partition(member), &cut);
}

static void on_wake(struct timer *timer)
{
	struct link *link = CONTAINER_OF(timer, struct link, wake);
	struct link_member *member, *next;
	int64_t began_ms = clock_ms();

	DL_FOREACH_SAFE2(link->pausing, member, next, wait_next) {
		bool is_late = member->cut.is_due && clock_ms() - began_ms >= CUTS_MS_MAX;

		if (member->again_ms <= began_ms && !is_late)
			wake(member);
		else
			timer_set_earlier(timer, member->again_ms);
	}
}

static void on_turn(struct deferred *deferred)
{
	struct link *link = CONTAINER_OF(deferred, struct link, turn);

	if (!link->is_open)
		return;
	link_send_follows(link);
	link_send_acks(link);
}

/* ---- the end of a connection ---- */

static void lose_members(struct link *link)
{
	struct link_member *member;

	DL_FOREACH(link->members, member) {
		partition_follow_lost(link_partition(member));
		link_ask(member);
	}
}

/* It is gone, or was not to be had: again after a pause. */
static void link_failed(struct link *link, const char *why)
{
	struct links *links = link->target->links;
	bool was_open = link->is_open;

	if (was_open || !link->complained)
		trace_warn(AREA, "leader %d, worker %d: %s: %s", link->target->broker, link->worker,
			   was_open ? "connection lost" : "cannot be reached yet", why);
	link->complained = !was_open;
	link->is_open = false;
	links->counters.n_failed++;
	if (link->peer)
		peer_free(link->peer);
	link->peer = NULL;
	if (was_open)
		lose_members(link);
	timer_set(&link->retry, clock_ms() + next_pause(links, &link->pause_ms));
}

static void on_closed(void *ctx, struct peer *peer, int code, const char *text)
{
	(void)peer;
	(void)code;
	link_failed(ctx, text);
}

/* ---- Hello ---- */

static struct slice make_hello(const struct link *link, uint8_t bytes[HELLO_BYTES])
{
	const struct shard *shard = link->target->links->shard;
	Klamm__Hello hello = KLAMM__HELLO__INIT;

	hello.version = CLUSTER_PROTOCOL_VERSION;
	hello.cluster_id = shard->cluster_id;
	hello.role = KLAMM__HELLO__ROLE__FOLLOWER;
	hello.sender_id = shard->config->broker_id;
	hello.sender_epoch = shard->broker_epoch;
	hello.target_id = link->target->broker;
	hello.target_epoch = link->target->epoch;
	hello.worker = link->worker;
	if (klamm__hello__get_packed_size(&hello) > HELLO_BYTES)
		return SLICE_NULL;
	return slice_of(bytes, klamm__hello__pack(&hello, bytes));
}

static void take_answer(struct link *link, int32_t n_workers)
{
	struct link_target *target = link->target;
	bool is_first = target->n_workers == 0;

	link->is_open = true;
	link->complained = false;
	target->links->counters.n_connected++;
	target->n_workers = n_workers;
	link->worker %= n_workers;
	trace_info(AREA, "leader %d (epoch %lld), worker %d of %d: connected to %s", target->broker, (long long)target->epoch, link->worker,
		   n_workers, peer_address(link->peer));
	if (is_first)
		links_spread(target);
	loop_defer(link->retry.loop, &link->turn);
}

/* The same number at each connection to one incarnation. */
static bool is_right(const struct link_target *target, int32_t n_workers)
{
	return n_workers > 0 && n_workers <= LIMIT_WORKERS && (target->n_workers == 0 || n_workers == target->n_workers);
}

static bool on_hello(void *ctx, struct peer *peer, struct slice body)
{
	struct link *link = ctx;
	char why[HELLO_WHY_BYTES] = "its number of workers makes no sense";
	int32_t n_workers = 0;
	bool is_welcome = hello_answer_read(body, link->target->epoch, &n_workers, why) && is_right(link->target, n_workers);

	(void)peer;
	if (!is_welcome && !link->complained)
		trace_warn(AREA, "leader %d: its answer to our Hello: %s", link->target->broker, why);
	link->complained |= !is_welcome;
	if (is_welcome)
		take_answer(link, n_workers);
	return is_welcome;
}

/* ---- dialling ---- */

static int on_frame(void *ctx, struct peer *peer, const struct peer_frame *frame)
{
	(void)peer;
	return link_take_frame(ctx, frame);
}

static uint32_t payload_max(const struct broker_config *config)
{
	int64_t most = 2 * (int64_t)config->socket_request_max_bytes;

	/* A batch came in by a request, and may have become larger by being packed anew. */
	return (uint32_t)(most < INT32_MAX ? most : INT32_MAX);
}

static void dial(struct link *link, const struct sockaddr_storage *address)
{
	struct links *links = link->target->links;
	const struct broker_config *config = links->shard->config;
	struct peer_setup setup = {.worker = &links->shard->worker,
				   .pool = links->pool,
				   .budget = links->budget,
				   .version = CLUSTER_PROTOCOL_VERSION,
				   .limits = peer_limits_default,
				   .port = {.on_hello = on_hello, .on_frame = on_frame, .on_closed = on_closed, .ctx = link}};
	struct peer_target target = {.address = *address,
				     .hello_key = HELLO_API_KEY,
				     .hello_version = HELLO_API_VERSION,
				     .client_id = "klamm-follower"};
	uint8_t bytes[HELLO_BYTES];
	int64_t session_ms = config->zookeeper_session_timeout_ms;

	target.hello = make_hello(link, bytes);
	setup.limits.payload_bytes_max = payload_max(config);
	setup.limits.connect_ms = session_ms / 2;
	setup.limits.idle_ms = session_ms > IDLE_MS_MIN ? session_ms : IDLE_MS_MIN;
	/* A leader without ZooKeeper serves as long as it hears its ISR within a session time-out (S9). */
	setup.limits.ping_ms = session_ms / 4;
	setup.limits.ping_type = FRAME_PING;
	link->peer = peer_dial(&setup, &target);
}

static void on_looked_up(void *ctx, const struct sockaddr_storage *address, const char *why)
{
	struct link *link = ctx;

	link->lookup = NULL;
	if (address)
		dial(link, address);
	else
		link_failed(link, why);
}

static void start(struct link *link)
{
	const struct link_target *target = link->target;
	struct links *links = target->links;
	struct sockaddr_storage address;

	if (target->host[0] != 0 && address_parse(target->host, target->port, &address) == 0)
		dial(link, &address);
	else if (links->resolver)
		link->lookup = lookup_start(links->resolver, &links->shard->worker, target->host, target->port, on_looked_up, link);
	else
		link_failed(link, "its address is no numeric one");
}

static void on_retry(struct timer *timer)
{
	struct link *link = CONTAINER_OF(timer, struct link, retry);

	if (!link->members)
		link_free(link);
	else if (!link->peer && !link->lookup)
		start(link);
}

struct link *link_new(struct link_target *target, int32_t worker)
{
	struct link *link = NEW(struct link);
	struct loop *loop = &target->links->shard->worker.loop;

	link->target = target;
	link->worker = worker;
	link->turn.run = on_turn;
	timer_init(&link->retry, loop, on_retry);
	timer_init(&link->wake, loop, on_wake);
	/* The first stays the first: it is the one that is dialled before the number of workers is known. */
	LL_APPEND(target->first, link);
	return link;
}

void link_free(struct link *link)
{
	if (link->peer)
		peer_free(link->peer);
	if (link->lookup)
		lookup_cancel(link->lookup);
	timer_stop(&link->retry);
	timer_stop(&link->wake);
	loop_undefer(link->retry.loop, &link->turn);
	LL_DELETE(link->target->first, link);
	free(link);
}
