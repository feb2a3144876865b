/*
 * The clients of group_random_test: each joins, syncs, and commits or beats until something befalls it, as consumers do.
 */
#ifndef KLAMM_TEST_UNIT_BROKER_COORD_GROUP_CLIENTS_H
#define KLAMM_TEST_UNIT_BROKER_COORD_GROUP_CLIENTS_H

#include "test/unit/broker/coord/group_world.h"

static void forget(struct client *client)
{
	client->phase = OUT;
	client->id = -1;
	client->request = NULL;
}

static void join(struct client *client)
{
	/* All choose among the same: a coordinator that loads a group knows only the chosen protocol of each member, as in
	 * Kafka. */
	static const char *const protocols[] = {"range=%d rr=%d", "rr=%d range=%d", "range=%d rr=%d own=x",
						"rr=%d range=%d own=x"};
	char text[64];
	int made_up = client->id < 0 ? id_new(client) : -1;
	int metadata = client->metadata;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof text, protocols[metadata % 4], metadata, metadata);
#pragma GCC diagnostic pop
	client->asked_id = made_up >= 0 ? made_up : client->id;
	struct who who = {
		.id = made_up >= 0 ? NULL : ID(client->id),
		.given_id = ID(made_up),
		.instance = instance_of(client),
		.protocols = text,
		.session_ms = client->session_ms,
		.rebalance_ms = client->rebalance_ms,
		.version = client->version,
	};
	struct request *request = request_new(false);
	struct group_join input = {
		.member = &member_new(&who)->member,
		.id_is_new = !who.id,
		.id_required = who.version >= 4,
		.knows_skip = who.version >= 9,
		.protocol_type = SLICE_LITERAL("consumer"),
		.request = request,
	};

	client->request = request;
	client->phase = JOINING;
	group_core_join(&group, &now, &input, &actions);
	work_off();
}

/* "m1(i)=meta m2=meta" becomes "m1=024 m2=135". */
static void assign(const struct request *join_answer, char *text, size_t size)
{
	char names[64][16];
	int n = 0;
	size_t len = 0;

	for (const char *at = join_answer->members; *at && n < 64; n++) {
		size_t name = strcspn(at, "(="), all = strcspn(at, " ");

		snprintf(names[n], sizeof names[n], "%.*s", (int)name, at);
		at += all + (at[all] == ' ');
	}
	for (int i = 0; i < n; i++) {
		len += (size_t)snprintf(text + len, size - len, "%s%s=", i ? " " : "", names[i]);
		for (int partition = 0; partition < N_PARTITIONS; partition++) {
			if ((partition + join_answer->generation) % n == i)
				len += (size_t)snprintf(text + len, size - len, "%d", partition);
		}
	}
}

static void sync_group(struct client *client, const char *assignments)
{
	struct group_member *leader = group.leader;
	struct request *request = request_new(true);
	struct group_assignment list[PROTOCOLS_MAX];
	struct group_caller caller = caller_of(client, slice_of_text(ID(client->id)));
	struct group_sync sync = {
		.generation = caller.generation,
		.member_id = caller.member_id,
		.instance_id = caller.instance_id,
		.assignments = list,
		.request = request,
	};

	if (assignments)
		keep_assignments(&sync, list, assignments);
	client->request = request;
	client->phase = SYNCING;
	if (mutant == MUTANT_FOLLOWER_ASSIGNS && assignments && group_core_member(&group, sync.member_id))
		group.leader = group_core_member(&group, sync.member_id);
	group_core_sync(&group, &now, &sync, &actions);
	group.leader = leader;
	HOLDS(group.sync_store_id == GROUP_STORE_NONE || actions.store_id != group.sync_store_id || client->id == told_leader);
	work_off();
}

static void on_joined(struct client *client, const struct request *answer)
{
	char text[TEXT_MAX] = "";

	client->id = id_of(answer->id);
	client->generation = answer->generation;
	/* Below version 9 who is told another leader than itself assigns nothing. */
	if (strcmp(answer->leader, answer->id) == 0 && !answer->skip)
		assign(answer, text, sizeof text);
	else if (goes_wrong(10))
		snprintf(text, sizeof text, "%s=012345", ID(client->id));
	sync_group(client, text[0] ? text : NULL);
}

static void on_join_answer(struct client *client, const struct request *answer)
{
	switch (answer->error) {
	case 0:
		on_joined(client, answer);
		break;
	case KAFKA_MEMBER_ID_REQUIRED:
		client->id = id_of(answer->id);
		client->phase = OUT;
		break;
	case KAFKA_FENCED_INSTANCE_ID:
		forget(client);
		client->phase = GONE;
		break;
	case KAFKA_UNKNOWN_MEMBER_ID:
		forget(client);
		break;
	default:
		client->phase = OUT;
		break;
	}
}

static void on_error(struct client *client, int16_t error)
{
	switch (error) {
	case 0:
		break;
	case KAFKA_UNKNOWN_MEMBER_ID:
	case KAFKA_ILLEGAL_GENERATION:
		forget(client);
		break;
	case KAFKA_FENCED_INSTANCE_ID:
		forget(client);
		client->phase = GONE;
		break;
	default:
		client->phase = OUT;
		break;
	}
}

static void on_sync_answer(struct client *client, const struct request *answer)
{
	if (answer->error) {
		on_error(client, answer->error);
		return;
	}
	client->phase = IN;
	judge_assignment(client, answer->assignment);
}

static void take_answer(struct client *client)
{
	const struct request *answer = client->request;

	client->request = NULL;
	if (answer->is_sync)
		on_sync_answer(client, answer);
	else
		on_join_answer(client, answer);
}

static void work(struct client *client)
{
	struct group_caller caller = caller_of(client, slice_of_text(ID(client->id)));
	int16_t error =
		chance(2) ? group_core_commit(&group, &now, &caller, false) : group_core_heartbeat(&group, &now, &caller);

	if (error == 0 || (error == KAFKA_REBALANCE_IN_PROGRESS && client->phase == IN))
		judge_accepted(client);
	on_error(client, error);
}

static void leave_group(struct client *client)
{
	struct slice id = slice_of_text(ID(client->id));
	int16_t error = group_core_leave(&group, &now, id, slice_of_text(instance_of(client)), &actions);

	work_off();
	if (error == 0)
		ids[client->id].over = true;
	forget(client);
	client->phase = chance(2) ? GONE : OUT;
}

/* What befalls one that is in the group. True: something did. */
static bool befalls(struct client *client)
{
	if (goes_wrong(150))
		leave_group(client);
	else if (goes_wrong(150))
		forget(client); /* a crash; it starts again */
	else if (goes_wrong(150))
		client->phase = GONE;
	else if (goes_wrong(60))
		client->generation -= client->generation > 1 ? (int)chance(2) : 0; /* it has slept over a rebalance, perhaps */
	else if (goes_wrong(60))
		client->phase = OUT; /* joins again by itself */
	else
		return false;
	return true;
}

static void turn(struct client *client)
{
	if (now.ms < client->next_ms)
		return;
	client->next_ms = now.ms + (calm ? chance(400) : goes_wrong(10) ? chance(20000) : chance(1500));
	if (client->phase == GONE && !goes_wrong(20))
		return;
	if (client->phase == GONE)
		client->phase = OUT;
	if (goes_wrong(30))
		client->metadata = (int)chance(1000);
	if (client->request && (client->request->n_answers > 0 ? goes_wrong(20) : goes_wrong(80))) {
		/* The connection is lost, and with it the answer. */
		client->request = NULL;
		client->phase = OUT;
		return;
	}
	if (client->request && client->request->n_answers > 0)
		take_answer(client);
	else if (client->phase == OUT)
		join(client);
	else if (client->phase == IN && !befalls(client))
		work(client);
}

#endif
