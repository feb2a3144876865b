/*
 * The world of group_random_test: chance, who is known by which id, the log and what comes of stores, the seam where mutants
 * are brought about, and judgements of what the core tells.
 */
#ifndef KLAMM_TEST_UNIT_BROKER_COORD_GROUP_WORLD_H
#define KLAMM_TEST_UNIT_BROKER_COORD_GROUP_WORLD_H

#include <stdbool.h>

static const char *fault; /* what the judge has found in this run */
#define STRING_OF(x) #x
#define LINE_OF(x) STRING_OF(x)
#define HOLDS(condition)                                                                                                       \
	do {                                                                                                                   \
		if (!(condition) && !fault)                                                                                    \
			fault = "line " LINE_OF(__LINE__) ": " #condition;                                                     \
	} while (0)

#include "test/unit/broker/coord/group_fixture.h"

#define N_CLIENTS 8
#define N_PARTITIONS 6
#define N_IDS 20000
#define N_GENERATIONS 20000
#define N_RECORDS 20000
#define N_SEEDS 1500
#define N_MUTANT_SEEDS 400
#define SESSION_MS_MAX 12000
#define REBALANCE_MS_MAX 30000
#define STEP_MS 100

#define MUTANTS(X)                                                                                                             \
	X(NONE, "none")                                                                                                        \
	X(GENERATION_NOT_BUMPED, "a rebalance ends in the generation before")                                                  \
	X(TOLD_BEFORE_STORED, "assignments are told before they are stored")                                                   \
	X(OLD_OUTCOME_TAKEN, "the outcome of an older store is taken for that of the last")                                    \
	X(OLD_ID_NOT_FENCED, "the id that an instance had before is taken for the present one")                                \
	X(OLD_GENERATION_ACCEPTED, "generations are not compared")                                                             \
	X(ANSWER_LOST, "an answer to a join is forgotten")                                                                     \
	X(SESSIONS_FOR_EVER, "sessions do not end")                                                                            \
	X(TICKS_LOST, "time does not pass for the group")                                                                      \
	X(MEMBER_LEAKED, "the end of a member is forgotten")                                                                   \
	X(FOLLOWER_ASSIGNS, "assignments are taken from any member")

enum mutant {
#define X(name, text) MUTANT_##name,
	MUTANTS(X)
#undef X
		N_MUTANTS,
};

static const char *const mutant_texts[] = {
#define X(name, text) text,
	MUTANTS(X)
#undef X
};

enum phase {
	OUT,     /* joins next */
	JOINING, /* a request is under way */
	SYNCING, /* likewise */
	IN,
	GONE, /* fenced, or shut down; comes back in the next storm */
};

struct client {
	enum phase phase;
	int id;       /* -1: none */
	int asked_id; /* of the join under way */
	int generation;
	char instance[8]; /* empty: dynamic */
	int version;
	int metadata;
	int32_t session_ms, rebalance_ms;
	struct request *request;
	int64_t next_ms; /* it does nothing before */
};

/* What is known of an id, from answers alone. */
struct known_id {
	int told_generation;
	int told_earlier; /* the last that an earlier coordinator told it, and may have forgotten */
	char instance[8];
	bool over; /* fenced, or it has left; in this coordinator's life */
};

struct saved_member {
	char id[16], instance[8], metadata[16], assignment[64];
	int32_t session_ms, rebalance_ms;
};

struct saved {
	int64_t store_id; /* in this coordinator's life */
	bool acked;
	int32_t generation;
	char leader[16];
	char protocol[16]; /* empty: none */
	int n_members;
	struct saved_member members[64];
};

struct outcome {
	int64_t at_ms;
	int64_t store_id;
	int16_t error;
	bool acks; /* the record of `record` counts as acknowledged from then on */
	int record;
};

static uint64_t chance_state;
static enum mutant mutant;
static bool calm;
static struct client clients[N_CLIENTS];
static struct known_id ids[N_IDS];
static int n_ids;
static char owners[N_GENERATIONS][N_PARTITIONS][24];
static int told_generation; /* the last that was told, or loaded */
static int told_leader;     /* who was told that it leads that */
static struct saved *records;
static int n_records;
static struct outcome outcomes[256];
static int n_outcomes;
static int64_t n_stable, n_failovers, n_told;

/* ---- Chance ---- */

static uint32_t chance(uint32_t n)
{
	chance_state ^= chance_state << 13;
	chance_state ^= chance_state >> 7;
	chance_state ^= chance_state << 17;
	return (uint32_t)((chance_state >> 20) % n);
}

/* In a storm, once in n times. */
static bool goes_wrong(uint32_t n)
{
	return !calm && chance(n) == 0;
}

/* ---- Names ---- */

static const char *id_text(int id, char *buffer)
{
	snprintf(buffer, 16, "m%d", id);
	return buffer;
}

#define ID(id) id_text(id, (char[16]){0})

static int id_of(const char *text)
{
	int id = text[0] == 'm' ? atoi(text + 1) : -1;

	return id < n_ids ? id : -1;
}

static int id_new(const struct client *client)
{
	HOLDS(n_ids < N_IDS - 1);
	int id = n_ids < N_IDS - 1 ? n_ids++ : n_ids;

	ids[id] = (struct known_id){.told_generation = -1, .told_earlier = -1};
	strcpy(ids[id].instance, client->instance);
	return id;
}

static const char *instance_of(const struct client *client)
{
	return client->instance[0] ? client->instance : NULL;
}

/* ---- The log ---- */

static void save_member(struct saved *saved, const struct group_member *member)
{
	struct saved_member *to = &saved->members[saved->n_members++];

	text_of(member->id, to->id, sizeof to->id);
	to->instance[0] = '\0';
	if (!slice_is_null(member->instance_id))
		text_of(member->instance_id, to->instance, sizeof to->instance);
	text_of(group_core_metadata(&group, member), to->metadata, sizeof to->metadata);
	text_of(member->assignment, to->assignment, sizeof to->assignment);
	to->session_ms = member->session_ms;
	to->rebalance_ms = member->rebalance_ms;
}

static void save_group(struct saved *saved)
{
	const struct group_member *member;

	*saved = (struct saved){.store_id = stored_id, .generation = group.generation};
	if (group.protocol.present)
		text_of(group_core_name(&group.protocol), saved->protocol, sizeof saved->protocol);
	if (group.leader)
		text_of(group.leader->id, saved->leader, sizeof saved->leader);
	DL_FOREACH (group.members, member)
		save_member(saved, member);
}

static void outcome_at(int64_t ms, int64_t store_id, int16_t error, bool acks, int record_index)
{
	if (n_outcomes == (int)(sizeof outcomes / sizeof outcomes[0]))
		return;
	outcomes[n_outcomes++] = (struct outcome){
		.at_ms = now.ms + ms, .store_id = store_id, .error = error, .acks = acks, .record = record_index};
}

/* The record of the last call goes to the log, or does not; what comes of it is told later, perhaps twice. */
static void append(void)
{
	static const int16_t errors[] = {KAFKA_COORDINATOR_NOT_AVAILABLE, KAFKA_NOT_COORDINATOR, KAFKA_REBALANCE_IN_PROGRESS,
					 KAFKA_UNKNOWN_SERVER_ERROR};

	if (stored_id == GROUP_STORE_NONE)
		return;
	int64_t late_ms = goes_wrong(4) ? chance(20000) : chance(20);

	if (goes_wrong(8)) {
		/* Refused; it is in no log. */
		outcome_at(late_ms, stored_id, errors[chance(4)], false, -1);
		return;
	}
	HOLDS(n_records < N_RECORDS);
	save_group(&records[n_records]);
	n_records++;
	bool failed = goes_wrong(8);

	outcome_at(late_ms, stored_id, failed ? errors[chance(4)] : 0, !failed, n_records - 1);
	if (goes_wrong(10))
		outcome_at(late_ms + 1 + chance(5000), stored_id, failed ? 0 : KAFKA_NOT_COORDINATOR, false, -1);
}

/* ---- The seam ---- */

/* After a call: faults of a core, then the shell's work. */
static void corrupt_actions(void)
{
	struct group_member *first = actions.answered;

	if (mutant == MUTANT_GENERATION_NOT_BUMPED && actions.generation_told && group.generation > 1) {
		group.generation--;
		for (struct group_member *member = first; member; member = member->next_answered)
			member->join_answer.generation = group.generation;
	}
	if (mutant == MUTANT_ANSWER_LOST && first && first->join_answer.request && first->join_answer.error == 0 &&
	    chance(20) == 0)
		first->join_answer.request = NULL;
}

/* The judge counts it as one that lives. */
static struct group_member *leak_member(void)
{
	struct group_member *member = actions.freed;

	if (mutant != MUTANT_MEMBER_LEAKED || !member || chance(20) > 0)
		return NULL;
	actions.freed = member->next_freed;
	return member;
}

/* A generation is told to an id: those that its instance had before are over. */
static void judge_told(const struct group_join_answer *answer)
{
	int id = id_of(TEXT(answer->member_id));

	if (!answer->request || answer->error)
		return;
	n_told++;
	HOLDS(answer->generation >= told_generation);
	told_generation = answer->generation;
	if (answer->has_members)
		told_leader = id;
	ids[id].told_generation = answer->generation;
	ids[id].over = false;
	for (int i = 0; ids[id].instance[0] && i < n_ids; i++) {
		if (i != id && strcmp(ids[i].instance, ids[id].instance) == 0)
			ids[i].over = true;
	}
}

/* G3: what is told as an assignment is in the log for good. */
static void judge_assigned(const struct group_sync_answer *answer)
{
	int i = n_records - 1;

	if (!answer->request || answer->error)
		return;
	while (i >= 0 && !(records[i].acked && records[i].generation == group.generation))
		i--;
	HOLDS(i >= 0);
}

static void work_off(void)
{
	corrupt_actions();
	for (const struct group_member *member = actions.answered; member; member = member->next_answered) {
		judge_told(&member->join_answer);
		judge_assigned(&member->sync_answer);
	}
	judge_assigned(&actions.sync);
	struct group_member *leaked = leak_member();

	settle();
	free(leaked);
	append();
	if (mutant == MUTANT_TOLD_BEFORE_STORED && stored_id != GROUP_STORE_NONE && stored_id == group.sync_store_id) {
		group_core_stored(&group, &now, stored_id, 0, &actions);
		settle();
	}
}

static void give_tick(void)
{
	struct group_member *member;

	if (mutant == MUTANT_TICKS_LOST && !calm)
		return;
	if (mutant == MUTANT_SESSIONS_FOR_EVER) {
		DL_FOREACH (group.members, member)
			member->deadline_ms = now.ms + SESSION_MS_MAX;
	}
	group_core_tick(&group, &now, &actions);
	work_off();
	HOLDS(group_core_next_ms(&group) > now.ms);
}

static void tell_outcome(const struct outcome *outcome)
{
	bool old = mutant == MUTANT_OLD_OUTCOME_TAKEN && group.sync_store_id != GROUP_STORE_NONE;

	if (outcome->acks)
		records[outcome->record].acked = true;
	group_core_stored(&group, &now, old ? group.sync_store_id : outcome->store_id, outcome->error, &actions);
	work_off();
}

/* Who a caller is taken for. */
static struct group_caller caller_of(const struct client *client, struct slice id)
{
	struct group_caller caller = {
		.generation = client->generation, .member_id = id, .instance_id = slice_of_text(instance_of(client))};
	const struct group_member *member;

	if (mutant == MUTANT_OLD_GENERATION_ACCEPTED)
		caller.generation = group.generation;
	if (mutant == MUTANT_OLD_ID_NOT_FENCED && instance_of(client)) {
		DL_FOREACH (group.members, member) {
			if (slice_equal(member->instance_id, caller.instance_id))
				caller.member_id = member->id;
		}
	}
	return caller;
}

/* ---- Judgements of what is told ---- */

static const char *owner_name(const struct client *client, char *buffer)
{
	snprintf(buffer, 24, "%s%s", client->instance[0] ? "instance " : "",
		 client->instance[0] ? client->instance : ID(client->id));
	return buffer;
}

/* G1: a partition of a generation has one owner, whichever coordinator tells it. */
static void judge_assignment(const struct client *client, const char *assignment)
{
	char name[24];

	owner_name(client, name);
	HOLDS(client->generation < N_GENERATIONS);
	for (const char *at = assignment; *at; at++) {
		char *owner = owners[client->generation][*at - '0'];

		HOLDS(!owner[0] || strcmp(owner, name) == 0);
		strcpy(owner, name);
	}
}

/* G1: only who was told the last generation, and is still who it was, gets anything accepted. */
static void judge_accepted(const struct client *client)
{
	HOLDS(ids[client->id].told_generation == client->generation || ids[client->id].told_earlier >= client->generation);
	HOLDS(client->generation == told_generation);
	HOLDS(!ids[client->id].over);
}

#endif
