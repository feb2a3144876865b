/* Proposals for other ISRs between workers and controller; see isr_line.h. */
#include "broker/isr_line.h"

#include "broker/membership.h"
#include "broker/replica/partition.h"
#include "broker/replica/replica_isr_core.h"
#include "broker/replica/shard.h"
#include "common/memory.h"
#include "proto/cluster/unpack.h"
#include "proto/kafka_error.h"

#include <stdlib.h>
#include <utlist.h>

/* A frame of them is some hundred kilobytes at most. */
#define PROPOSALS_PER_FRAME 2000

/* From the worker to the hub, and kept there until it is answered. */
struct isr_ask {
	struct message message;
	struct isr_line *line;
	struct shard *shard;
	struct partition_key key;
	int64_t number;      /* on the wire */
	int64_t core_number; /* the leader's own */
	int32_t leader_epoch, partition_epoch;
	bool is_waiting;
	UT_hash_handle hh;
	struct isr_ask *prev, *next; /* utlist, while it waits */
	int32_t n_isr;
	struct replica_isr_member isr[];
};

/* From the hub to the worker. */
struct isr_reply {
	struct message message;
	struct shard *shard;
	struct partition_key key;
	struct replica_isr_answer answer;
	int32_t ids[]; /* the ISR, then the ineligible */
};

/* ---- to the controller ---- */

static bool is_up(const struct isr_line *line)
{
	return line->broker_epoch != BROKER_EPOCH_NONE;
}

static void ask_free(struct isr_line *line, struct isr_ask *ask)
{
	if (ask->is_waiting)
		DL_DELETE(line->waiting, ask);
	HASH_DEL(line->asks, ask);
	free(ask);
}

static struct isr_ask *find(const struct isr_line *line, const struct partition_key *key)
{
	struct isr_ask *ask;

	HASH_FIND(hh, line->asks, key, sizeof *key, ask);
	return ask;
}

static void await(struct isr_line *line, struct isr_ask *ask)
{
	ask->is_waiting = true;
	DL_APPEND(line->waiting, ask);
	if (is_up(line))
		loop_defer(&line->hub->loop, &line->sending);
}

static void on_ask(struct message *message)
{
	struct isr_ask *ask = CONTAINER_OF(message, struct isr_ask, message);
	struct isr_line *line = ask->line;
	struct isr_ask *earlier;

	if (line->closed) {
		free(ask);
		return;
	}
	earlier = find(line, &ask->key);
	if (earlier)
		ask_free(line, earlier);
	ask->number = ++line->number;
	HASH_ADD(hh, line->asks, key, sizeof ask->key, ask);
	await(line, ask);
}

static void propose(void *ctx, struct shard *shard, const struct partition_key *key, const struct replica_proposal *proposal)
{
	size_t isr_bytes = (size_t)proposal->n_isr * sizeof proposal->isr[0];
	struct isr_ask *ask = memory_zalloc(1, sizeof *ask + isr_bytes);

	ask->line = ctx;
	ask->shard = shard;
	ask->key = *key;
	ask->core_number = proposal->number;
	ask->leader_epoch = proposal->leader_epoch;
	ask->partition_epoch = proposal->partition_epoch;
	ask->n_isr = proposal->n_isr;
	memcpy(ask->isr, proposal->isr, isr_bytes);
	ask->message.run = on_ask;
	worker_post(shard->hub, &ask->message);
}

static Klamm__IsrProposal *message_of(struct arena *arena, const struct isr_ask *ask)
{
	Klamm__IsrProposal *proposal = arena_alloc(arena, sizeof *proposal);
	Klamm__IsrMember *members = arena_zalloc(arena, (size_t)ask->n_isr, sizeof *members);

	klamm__isr_proposal__init(proposal);
	proposal->topic_id = (ProtobufCBinaryData){sizeof ask->key.topic_id.bytes, (uint8_t *)(uintptr_t)ask->key.topic_id.bytes};
	proposal->partition = ask->key.index;
	proposal->number = ask->number;
	proposal->leader_epoch = ask->leader_epoch;
	proposal->partition_epoch = ask->partition_epoch;
	proposal->n_isr = (size_t)ask->n_isr;
	proposal->isr = arena_zalloc(arena, (size_t)ask->n_isr, sizeof(Klamm__IsrMember *));
	for (int32_t i = 0; i < ask->n_isr; i++) {
		klamm__isr_member__init(&members[i]);
		members[i].id = ask->isr[i].id;
		members[i].epoch = ask->isr[i].broker_epoch;
		proposal->isr[i] = &members[i];
	}
	return proposal;
}

static void send_some(struct isr_line *line)
{
	Klamm__IsrProposals proposals = KLAMM__ISR_PROPOSALS__INIT;
	Klamm__IsrProposal *list[PROPOSALS_PER_FRAME];
	struct arena arena;

	arena_init(&arena);
	proposals.broker_epoch = line->broker_epoch;
	proposals.proposals = list;
	while (line->waiting && proposals.n_proposals < PROPOSALS_PER_FRAME) {
		struct isr_ask *ask = line->waiting;

		DL_DELETE(line->waiting, ask);
		ask->is_waiting = false;
		list[proposals.n_proposals++] = message_of(&arena, ask);
	}
	line->out.send(line->out.ctx, &proposals);
	arena_fini(&arena);
}

static void on_sending(struct deferred *deferred)
{
	struct isr_line *line = CONTAINER_OF(deferred, struct isr_line, sending);

	while (line->waiting && is_up(line))
		send_some(line);
}

/* ---- from the controller ---- */

static void on_reply(struct message *message)
{
	struct isr_reply *reply = CONTAINER_OF(message, struct isr_reply, message);
	struct partition *partition = shard_find(reply->shard, &reply->key.topic_id, reply->key.index);

	if (partition)
		partition_isr_answered(partition, &reply->answer);
	free(reply);
}

static void reply_to(const struct isr_ask *ask, const Klamm__IsrAnswer *answer)
{
	struct isr_reply *reply = memory_zalloc(1, sizeof *reply + (answer->n_isr + answer->n_ineligible) * sizeof reply->ids[0]);

	reply->shard = ask->shard;
	reply->key = ask->key;
	reply->answer = (struct replica_isr_answer){
		.number = ask->core_number,
		.error = kafka_error_of(answer->error),
		.leader_epoch = answer->leader_epoch,
		.partition_epoch = answer->partition_epoch,
		.isr = reply->ids,
		.n_isr = (int32_t)answer->n_isr,
		.ineligible = reply->ids + answer->n_isr,
		.n_ineligible = (int32_t)answer->n_ineligible,
	};
	if (answer->n_isr)
		memcpy(reply->ids, answer->isr, answer->n_isr * sizeof reply->ids[0]);
	if (answer->n_ineligible)
		memcpy(reply->ids + answer->n_isr, answer->ineligible, answer->n_ineligible * sizeof reply->ids[0]);
	reply->message.run = on_reply;
	worker_post(&ask->shard->worker, &reply->message);
}

static void take_answer(struct isr_line *line, const Klamm__IsrAnswer *answer)
{
	struct partition_key key = {.index = answer->partition};
	struct isr_ask *ask;

	if (answer->topic_id.len != sizeof key.topic_id.bytes || answer->n_isr > LIMIT_REPLICAS ||
	    answer->n_ineligible > LIMIT_REPLICAS)
		return;
	memcpy(key.topic_id.bytes, answer->topic_id.data, sizeof key.topic_id.bytes);
	ask = find(line, &key);
	/* One that a newer proposal has taken the place of is answered to nobody. */
	if (!ask || ask->number != answer->number)
		return;
	reply_to(ask, answer);
	ask_free(line, ask);
}

int isr_line_answers(struct isr_line *line, struct slice payload)
{
	Klamm__IsrAnswers *answers = unpack_message(&klamm__isr_answers__descriptor, payload);

	if (!answers)
		return ERR_CORRUPT;
	if (answers->broker_epoch == line->broker_epoch)
		for (size_t i = 0; i < answers->n_answers; i++)
			take_answer(line, answers->answers[i]);
	klamm__isr_answers__free_unpacked(answers, NULL);
	return 0;
}

/* ---- life ---- */

void isr_line_init(struct isr_line *line, struct worker *hub, const struct isr_line_port *out)
{
	*line = (struct isr_line){
		.hub = hub,
		.out = *out,
		.port = {.ctx = line, .propose = propose},
		.broker_epoch = BROKER_EPOCH_NONE,
		.sending = {.run = on_sending},
	};
}

void isr_line_up(struct isr_line *line, int64_t broker_epoch)
{
	line->broker_epoch = broker_epoch;
	if (line->waiting)
		loop_defer(&line->hub->loop, &line->sending);
}

void isr_line_down(struct isr_line *line)
{
	struct isr_ask *ask, *next;

	line->broker_epoch = BROKER_EPOCH_NONE;
	HASH_ITER(hh, line->asks, ask, next)
		if (!ask->is_waiting)
			await(line, ask);
}

void isr_line_forget(struct isr_line *line)
{
	struct isr_ask *ask, *next;

	HASH_ITER(hh, line->asks, ask, next)
		ask_free(line, ask);
}

void isr_line_fini(struct isr_line *line)
{
	loop_undefer(&line->hub->loop, &line->sending);
	isr_line_forget(line);
	line->closed = true;
}
