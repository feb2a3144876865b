/*
 * Followers that ask; see feed.h.
 *
 *     FOLLOW --each partition--> judge --OPEN, DIVERGED, RESET, REFUSED--> answers of this turn --> FOLLOWING
 *                                  |
 *                                  '--WAIT: ahead of what this broker was told--> parked, by partition
 *                                        a state of the partition, a view -> judged again      a second is over -> REFUSED
 *
 * At a failover followers and leader hear of the new epoch in any order: parking saves a round of asking again. A later Follow of a
 * connection for the same partition takes the place of its parked one, so that those of one connection are judged in their order.
 */
#include "broker/replica/feed_internal.h"

#include "broker/replica/partition_lead.h"
#include "broker/replica/shard.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/trace.h"
#include "proto/cluster/frame_type.h"
#include "proto/cluster/unpack.h"
#include "proto/kafka_error.h"

#include <stdlib.h>
#include <utlist.h>

#define PARKED_MS_MAX 1000

/* In one FOLLOWING: half a megabyte. */
#define ANSWERS_MAX 5000

struct parked_follow {
	struct feed *feed;
	struct parked_key *key;
	struct replica_follow follow;
	int64_t until_ms;
	struct parked_follow *prev, *next;         /* of the shard, by until_ms */
	struct parked_follow *key_prev, *key_next; /* of the key, in the order they came */
};

/* All that wait for one partition. */
struct parked_key {
	struct partition_key key;
	struct parked_follow *first;
	UT_hash_handle hh;
};

/* ---- answers ---- */

static struct feed_answer *add_answer(struct feed *feed, const struct partition_key *key, int32_t leader_epoch)
{
	struct feed_answer *answer;

	if (feed->n_answers == feed->n_answers_max) {
		feed->n_answers_max = feed->n_answers_max * 2 + 16;
		feed->answers = memory_grow(feed->answers, (size_t)feed->n_answers_max * sizeof *feed->answers);
	}
	answer = &feed->answers[feed->n_answers++];
	*answer = (struct feed_answer){.key = *key, .leader_epoch = leader_epoch, .handle = REPLICA_HANDLE_NONE};
	feed_defer(feed);
	return answer;
}

static void refuse(struct feed *feed, const struct partition_key *key, int32_t leader_epoch, int16_t error)
{
	struct feed_answer *answer = add_answer(feed, key, leader_epoch);

	feed->feeds->counters.n_follows_refused++;
	answer->judgement = (struct replica_judgement){.verdict = REPLICA_REFUSED, .error = error};
}

static void set_message(Klamm__FollowAnswer *message, struct feed_answer *answer)
{
	static const int verdicts[] = {
		[REPLICA_OPEN] = KLAMM__FOLLOW_ANSWER__VERDICT__OPEN,
		[REPLICA_DIVERGED] = KLAMM__FOLLOW_ANSWER__VERDICT__DIVERGED,
		[REPLICA_RESET] = KLAMM__FOLLOW_ANSWER__VERDICT__RESET,
		[REPLICA_REFUSED] = KLAMM__FOLLOW_ANSWER__VERDICT__REFUSED,
	};
	const struct replica_judgement *judgement = &answer->judgement;

	klamm__follow_answer__init(message);
	message->topic_id = (ProtobufCBinaryData){sizeof answer->key.topic_id.bytes, answer->key.topic_id.bytes};
	message->partition = answer->key.index;
	message->leader_epoch = answer->leader_epoch;
	message->verdict = (Klamm__FollowAnswer__Verdict)verdicts[judgement->verdict];
	message->handle = answer->handle;
	message->high_watermark = judgement->high_watermark;
	message->epoch_start = judgement->epoch_start_offset;
	message->log_start = judgement->log_start_offset;
	message->diverged_epoch = judgement->divergence.epoch;
	message->diverged_end = judgement->divergence.end_offset;
	message->error = judgement->error;
}

/* False when the connection is full. */
static bool send_following(struct feed *feed, struct feed_answer *answers, int n)
{
	Klamm__Following following = KLAMM__FOLLOWING__INIT;
	Klamm__FollowAnswer *messages = memory_zalloc((size_t)n, sizeof *messages);
	Klamm__FollowAnswer **pointers = memory_zalloc((size_t)n, sizeof(Klamm__FollowAnswer *));
	struct buf *payload;
	int r;

	for (int i = 0; i < n; i++) {
		set_message(&messages[i], &answers[i]);
		pointers[i] = &messages[i];
	}
	following.answers = pointers;
	following.n_answers = (size_t)n;
	payload = buf_new(klamm__following__get_packed_size(&following));
	payload->len = klamm__following__pack(&following, payload->data);
	r = peer_send_buf(feed->peer, FRAME_FOLLOWING, SLICE_NULL, payload, buf_slice(payload));
	buf_release(payload);
	free(pointers);
	free(messages);
	return r != ERR_BUSY;
}

void feed_send_answers(struct feed *feed)
{
	bool has_room = true;

	for (int at = 0; at < feed->n_answers; at += ANSWERS_MAX)
		has_room = send_following(feed, feed->answers + at, feed->n_answers - at < ANSWERS_MAX ? feed->n_answers - at : ANSWERS_MAX);
	feed->n_answers = 0;
	/* Whoever asks on and does not read would have its answers pile up here: it is heard again when it has read (on_drained). */
	if (!has_room)
		peer_pause(feed->peer);
}

/* ---- parked ---- */

static void set_timer(struct feeds *feeds)
{
	if (feeds->parked_first)
		timer_set(&feeds->parked_timer, feeds->parked_first->until_ms);
	else
		timer_stop(&feeds->parked_timer);
}

static void unpark(struct parked_follow *parked)
{
	struct feeds *feeds = parked->feed->feeds;
	struct parked_key *key = parked->key;

	DL_DELETE(feeds->parked_first, parked);
	DL_DELETE2(key->first, parked, key_prev, key_next);
	feeds->n_parked--;
	if (!key->first) {
		HASH_DEL(feeds->parked, key);
		free(key);
	}
	free(parked);
}

static struct parked_key *find_key(struct feeds *feeds, const struct partition_key *key)
{
	struct parked_key *found;

	HASH_FIND(hh, feeds->parked, key, sizeof *key, found);
	return found;
}

static struct parked_key *need_key(struct feeds *feeds, const struct partition_key *key)
{
	struct parked_key *found = find_key(feeds, key);

	if (found)
		return found;
	found = NEW(struct parked_key);
	found->key = *key;
	HASH_ADD(hh, feeds->parked, key, sizeof found->key, found);
	return found;
}

static void unpark_older(struct feed *feed, const struct partition_key *key)
{
	struct parked_key *found = find_key(feed->feeds, key);
	struct parked_follow *parked;

	if (!found)
		return;
	DL_FOREACH2(found->first, parked, key_next) {
		if (parked->feed == feed) {
			unpark(parked);
			return;
		}
	}
}

static void park(struct feed *feed, const struct partition_key *key, const struct replica_follow *follow, int64_t until_ms)
{
	struct feeds *feeds = feed->feeds;
	struct parked_follow *parked = NEW(struct parked_follow);

	parked->feed = feed;
	parked->key = need_key(feeds, key);
	parked->follow = *follow;
	parked->until_ms = until_ms;
	DL_APPEND(feeds->parked_first, parked);
	DL_APPEND2(parked->key->first, parked, key_prev, key_next);
	feeds->n_parked++;
	feeds->counters.n_follows_parked++;
	if (parked == feeds->parked_first)
		set_timer(feeds);
}

void feed_forget_parked(struct feed *feed)
{
	struct parked_follow *parked, *next;

	DL_FOREACH_SAFE(feed->feeds->parked_first, parked, next)
		if (parked->feed == feed)
			unpark(parked);
}

/* ---- judging ---- */

/* What a Follow that waited in vain is told. */
static int16_t error_of_waiting(const struct partition *partition, const struct replica_follow *follow)
{
	if (!partition)
		return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	return follow->leader_epoch > partition->core.leader_epoch ? KAFKA_UNKNOWN_LEADER_EPOCH : KAFKA_STALE_BROKER_EPOCH;
}

/*
 * Judges a Follow and answers it. False: it has to wait; *ret_error is what it is told when it may not.
 */
static bool judge(struct feed *feed, const struct partition_key *key, const struct replica_follow *follow, int16_t *ret_error)
{
	struct feeds *feeds = feed->feeds;
	struct partition *partition = shard_find(feeds->shard, &key->topic_id, key->index);
	struct replica_judgement judgement = {.verdict = REPLICA_WAIT};
	struct feed_answer *answer;
	int64_t handle = feeds->next_handle;

	if (partition)
		partition_lead_follow(partition, follow, peer_fresh_ms(feed->peer), handle, &judgement);
	*ret_error = error_of_waiting(partition, follow);
	if (judgement.verdict == REPLICA_WAIT)
		return false;
	if (judgement.verdict == REPLICA_REFUSED)
		feeds->counters.n_follows_refused++;
	answer = add_answer(feed, key, follow->leader_epoch);
	answer->judgement = judgement;
	if (judgement.verdict == REPLICA_OPEN) {
		feeds->next_handle++;
		answer->handle = handle;
		feed_stream_open(feed, partition, handle, follow->log_end_offset, &judgement);
	}
	return true;
}

static void take_follow(struct feed *feed, const struct partition_key *key, const struct replica_follow *follow)
{
	struct feeds *feeds = feed->feeds;
	int16_t error;

	feeds->counters.n_follows++;
	unpark_older(feed, key);
	if (shard_owner(feeds->shard, &key->topic_id, key->index) != feeds->shard)
		refuse(feed, key, follow->leader_epoch, KAFKA_INVALID_REQUEST);
	else if (judge(feed, key, follow, &error))
		return;
	else if (feeds->n_parked < LIMIT_PARKED_FOLLOWS)
		park(feed, key, follow, clock_ms() + PARKED_MS_MAX);
	else
		refuse(feed, key, follow->leader_epoch, error);
}

/* All that wait for one partition, in their order. */
static void judge_key(struct parked_key *key)
{
	struct parked_follow *parked, *next;

	/* With the last one the key itself is freed. */
	DL_FOREACH_SAFE2(key->first, parked, next, key_next) {
		struct partition_key copy = key->key;
		int16_t error;

		if (judge(parked->feed, &copy, &parked->follow, &error))
			unpark(parked);
	}
}

void feeds_judge_parked(struct feeds *feeds, const struct partition_key *key)
{
	struct parked_key *found, *next;

	if (!feeds->parked)
		return;
	if (key) {
		found = find_key(feeds, key);
		if (found)
			judge_key(found);
	} else {
		HASH_ITER(hh, feeds->parked, found, next)
			judge_key(found);
	}
	set_timer(feeds);
}

void feeds_on_parked_timer(struct timer *timer)
{
	struct feeds *feeds = CONTAINER_OF(timer, struct feeds, parked_timer);
	int64_t now_ms = clock_ms();
	struct parked_follow *parked;

	while ((parked = feeds->parked_first) != NULL && parked->until_ms <= now_ms) {
		struct partition *partition = shard_find(feeds->shard, &parked->key->key.topic_id, parked->key->key.index);

		refuse(parked->feed, &parked->key->key, parked->follow.leader_epoch, error_of_waiting(partition, &parked->follow));
		unpark(parked);
	}
	set_timer(feeds);
}

/* ---- the frame ---- */

static bool read_key(const Klamm__FollowPartition *from, struct partition_key *ret_key)
{
	if (from->topic_id.len != sizeof ret_key->topic_id.bytes || from->partition < 0)
		return false;
	/* It is hashed as bytes. */
	memset(ret_key, 0, sizeof *ret_key);
	memcpy(ret_key->topic_id.bytes, from->topic_id.data, sizeof ret_key->topic_id.bytes);
	ret_key->index = from->partition;
	return true;
}

static int take_all(struct feed *feed, const Klamm__Follow *message)
{
	for (size_t i = 0; i < message->n_partitions; i++) {
		const Klamm__FollowPartition *from = message->partitions[i];
		struct partition_key key;
		struct replica_follow follow = {
			.id = feed->follower,
			.broker_epoch = feed->follower_epoch,
			.leader_epoch = from->leader_epoch,
			.last_epoch = from->last_epoch,
			.log_end_offset = from->log_end,
			.durable_end_offset = from->durable_end,
			.log_start_offset = from->log_start,
		};

		if (!read_key(from, &key))
			return ERR_CORRUPT;
		take_follow(feed, &key, &follow);
	}
	return 0;
}

int feed_on_follow(struct feed *feed, struct slice payload)
{
	Klamm__Follow *message = unpack_message(&klamm__follow__descriptor, payload);
	int r;

	if (!message)
		return ERR_CORRUPT;
	r = take_all(feed, message);
	klamm__follow__free_unpacked(message, NULL);
	return r;
}
