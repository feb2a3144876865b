/*
 * What is said on a link: messages of proto/cluster/cluster.proto to and from the partitions. See link.h.
 *
 * A leader's frame is read into an arena that is gone when it is done with; how much that may become is bounded (proto/cluster/unpack.h).
 */
#include "broker/replica/link_internal.h"

#include "broker/replica/partition_internal.h"
#include "broker/replica/replica_follower_core.h"
#include "broker/replica/shard.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/mutant.h"
#include "common/trace.h"
#include "proto/cluster/cluster.pb-c.h"
#include "proto/cluster/frame_type.h"
#include "proto/cluster/unpack.h"

#include <utlist.h>

/* Partitions in one frame of ours, about 45 bytes each. */
#define FRAME_PARTITIONS_MAX 8192

/* First memory of a frame's arena: enough for a few partitions. */
#define SCRATCH_BYTES 4096

/* ---- out ---- */

static void send_message(struct link *link, enum frame_type type, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	struct buf *buf = buf_new(len);

	buf->len = protobuf_c_message_pack(message, buf->data);
	peer_send_buf(link->peer, (uint8_t)type, SLICE_NULL, buf, buf_slice(buf));
	buf_release(buf);
}

static int count(struct link_member *queue)
{
	struct link_member *member;
	int n = 0;

	DL_FOREACH2(queue, member, wait_next) {
		if (++n == FRAME_PARTITIONS_MAX)
			break;
	}
	return n;
}

/* The question is the first ack. */
static void note_told(struct link_member *member, int64_t end_offset, int64_t durable_offset, int64_t start_offset)
{
	member->told_end_offset = end_offset;
	member->told_durable_offset = durable_offset;
	member->told_start_offset = start_offset;
}

static void put_follow(struct link_member *member, const struct replica_follow *follow, Klamm__FollowPartition *ret_message)
{
	struct partition *partition = link_partition(member);

	klamm__follow_partition__init(ret_message);
	ret_message->topic_id = (ProtobufCBinaryData){sizeof partition->key.topic_id.bytes, partition->key.topic_id.bytes};
	ret_message->partition = partition->key.index;
	ret_message->leader_epoch = follow->leader_epoch;
	ret_message->last_epoch = follow->last_epoch;
	ret_message->log_end = follow->log_end_offset;
	ret_message->durable_end = follow->durable_end_offset;
	ret_message->log_start = follow->log_start_offset;
	note_told(member, follow->log_end_offset, follow->durable_end_offset, follow->log_start_offset);
}

static void send_some_follows(struct link *link, int n_max)
{
	Klamm__Follow message = KLAMM__FOLLOW__INIT;
	Klamm__FollowPartition *list;
	_Alignas(16) char scratch[SCRATCH_BYTES];
	struct arena arena;

	arena_init_with(&arena, scratch, sizeof scratch);
	list = arena_alloc(&arena, (size_t)n_max * sizeof *list);
	message.partitions = arena_alloc(&arena, (size_t)n_max * sizeof *message.partitions);
	for (int i = 0; i < n_max; i++) {
		struct link_member *member = link->asking;
		struct replica_follow follow;

		link_wait_no_more(member);
		if (!partition_follow_ask(link_partition(member), &follow))
			continue;
		put_follow(member, &follow, &list[message.n_partitions]);
		message.partitions[message.n_partitions] = &list[message.n_partitions];
		message.n_partitions++;
	}
	if (message.n_partitions > 0)
		send_message(link, FRAME_FOLLOW, &message.base);
	arena_fini(&arena);
}

void link_send_follows(struct link *link)
{
	while (link->asking)
		send_some_follows(link, count(link->asking));
}

static void put_ack(struct link_member *member, Klamm__AckMark *ret_mark)
{
	const struct replica_core *core = &link_partition(member)->core;
	int64_t start_offset = partition_told_start(link_partition(member));

	klamm__ack_mark__init(ret_mark);
	ret_mark->handle = member->handle;
	ret_mark->log_end = core->log_end_offset;
	ret_mark->durable_end = MUTANT(ACK_UNSYNCED) ? core->log_end_offset : core->durable_end_offset;
	ret_mark->log_start = start_offset;
	note_told(member, core->log_end_offset, core->durable_end_offset, start_offset);
}

static void send_some_acks(struct link *link, int n)
{
	Klamm__Ack message = KLAMM__ACK__INIT;
	Klamm__AckMark *list;
	_Alignas(16) char scratch[SCRATCH_BYTES];
	struct arena arena;

	arena_init_with(&arena, scratch, sizeof scratch);
	list = arena_alloc(&arena, (size_t)n * sizeof *list);
	message.marks = arena_alloc(&arena, (size_t)n * sizeof *message.marks);
	message.n_marks = (size_t)n;
	for (int i = 0; i < n; i++) {
		struct link_member *member = link->acking;

		link_wait_no_more(member);
		put_ack(member, &list[i]);
		message.marks[i] = &list[i];
	}
	send_message(link, FRAME_ACK, &message.base);
	arena_fini(&arena);
}

void link_send_acks(struct link *link)
{
	while (link->acking)
		send_some_acks(link, count(link->acking));
}

void link_send_close(struct link *link, int64_t handle, int16_t error)
{
	Klamm__Close message = KLAMM__CLOSE__INIT;
	uint8_t header[64];

	message.handles = &handle;
	message.n_handles = 1;
	message.error = error;
	peer_send(link->peer, FRAME_CLOSE, slice_of(header, klamm__close__pack(&message, header)), SLICE_NULL, NULL);
}

/* ---- in ---- */

static struct link_member *find_handle(const struct link *link, int64_t handle)
{
	struct link_member *member;

	HASH_FIND(hh, link->opened, &handle, sizeof handle, member);
	return member;
}

/* What is said of a partition that has left meanwhile is late, not wrong. */
static void take_answer(struct link *link, const Klamm__FollowAnswer *answer)
{
	struct partition *partition;
	struct uuid topic_id;

	if (answer->topic_id.len != sizeof topic_id.bytes)
		return;
	memcpy(topic_id.bytes, answer->topic_id.data, sizeof topic_id.bytes);
	partition = shard_find(link->target->links->shard, &topic_id, answer->partition);
	if (partition && partition->follow.link == link)
		partition_follow_answered(partition, answer);
}

static int take_following(struct link *link, struct arena *arena, const struct peer_frame *frame)
{
	const Klamm__Following *message = unpack_message_in(arena, &klamm__following__descriptor, frame->payload);

	if (!message)
		return ERR_CORRUPT;
	for (size_t i = 0; i < message->n_answers; i++)
		take_answer(link, message->answers[i]);
	return 0;
}

static int take_append(struct link *link, struct arena *arena, const struct peer_frame *frame)
{
	const Klamm__Append *message = unpack_message_in(arena, &klamm__append__descriptor, frame->header);
	struct link_member *member;

	if (!message)
		return ERR_CORRUPT;
	member = find_handle(link, message->handle);
	if (member)
		partition_follow_append(link_partition(member), message->from,
					&(struct replica_leader_marks){message->high_watermark, message->log_start}, frame->payload);
	return 0;
}

static int take_advance(struct link *link, struct arena *arena, const struct peer_frame *frame)
{
	const Klamm__Advance *message = unpack_message_in(arena, &klamm__advance__descriptor, frame->payload);

	if (!message)
		return ERR_CORRUPT;
	for (size_t i = 0; i < message->n_marks; i++) {
		const Klamm__AdvanceMark *mark = message->marks[i];
		struct link_member *member = find_handle(link, mark->handle);

		if (member)
			partition_follow_advance(link_partition(member),
						 &(struct replica_leader_marks){mark->high_watermark, mark->log_start});
	}
	return 0;
}

static int take_close(struct link *link, struct arena *arena, const struct peer_frame *frame)
{
	const Klamm__Close *message = unpack_message_in(arena, &klamm__close__descriptor, frame->header);

	if (!message)
		return ERR_CORRUPT;
	for (size_t i = 0; i < message->n_handles; i++) {
		struct link_member *member = find_handle(link, message->handles[i]);

		if (member)
			partition_follow_closed(link_partition(member), message->error);
	}
	return 0;
}

int link_take_frame(struct link *link, const struct peer_frame *frame)
{
	static int (*const takers[])(struct link *link, struct arena *arena, const struct peer_frame *frame) = {
		[FRAME_FOLLOWING] = take_following,
		[FRAME_APPEND] = take_append,
		[FRAME_ADVANCE] = take_advance,
		[FRAME_CLOSE] = take_close,
	};
	_Alignas(16) char scratch[SCRATCH_BYTES];
	struct arena arena;
	int r;

	if (frame->type >= sizeof takers / sizeof takers[0] || !takers[frame->type]) {
		/* A newer leader may know frames that we do not. */
		trace_limited(TRACE_WARN, "follow", "frame of unknown type %d from leader %d is ignored", frame->type, link->target->broker);
		return 0;
	}
	if (frame->type != FRAME_APPEND && frame->payload.len > LIMIT_REPLICATION_FRAME_BYTES)
		return ERR_TOO_LARGE;
	arena_init_with(&arena, scratch, sizeof scratch);
	r = takers[frame->type](link, &arena, frame);
	arena_fini(&arena);
	/* It speaks: should it be lost from now on, it is dialled at once again. */
	if (r == 0)
		link->pause_ms = 0;
	return r;
}
