/* Znodes edited by hand; see sim_hand.h. */
#include "test/sim/sim_hand.h"

#include "common/memory.h"
#include "test/sim/sim.h"
#include "test/sim/sim_judge.h"
#include "test/sim/sim_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of no topic. */
#define WRONG_ID "AAAAAAAAAAAAAAAAAAAAAw"

static struct {
	struct sim_event mend, permit;
	bool finishing;
	/* A node that was edited, and what it was; mended some time after. */
	char damaged[OPERATOR_PATH_MAX_BYTES];
	char *was;
	const char *damage;
	bool had_wrong_id[OPERATOR_TOPICS];
} hand;

struct removal {
	const char *paths[64];
	int n;
};

static void collect(void *ctx, const char *path)
{
	struct removal *removal = ctx;

	if (removal->n < (int)ARRAY_LEN(removal->paths))
		removal->paths[removal->n++] = memory_copy_text(path);
}

static int longer_first(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	size_t n = strlen(*x), m = strlen(*y);

	return n != m ? (n < m ? 1 : -1) : strcmp(*x, *y);
}

static bool remove_below(const char *path)
{
	struct removal removal = {0};

	sim_ensemble_each(path, collect, &removal);
	qsort(removal.paths, (size_t)removal.n, sizeof removal.paths[0], longer_first);
	for (int i = 0; i < removal.n; i++) {
		sim_ensemble_delete(removal.paths[i]);
		free((void *)(uintptr_t)removal.paths[i]);
	}
	return sim_ensemble_delete(path);
}

/* Only then is a state looked at that somebody else has written. */
static void touch_topic(const char *name)
{
	if (operator_data_of(operator_topic_path(name)))
		sim_ensemble_put(operator_topic_path(name), operator_data_of(operator_topic_path(name)));
}

static void mend(struct sim_event *event)
{
	const char *now = operator_data_of(hand.damaged);
	bool done = true;

	if (!hand.was)
		return;
	/* What was deleted or written anew meanwhile stays so. */
	if (now && hand.was[0] && strcmp(now, hand.damage) == 0)
		done = sim_ensemble_put(hand.damaged, hand.was);
	else if (now && !hand.was[0])
		done = remove_below(hand.damaged);
	if (!done) {
		sim_at(event, sim.now_us + 500 * SIM_MS);
		return;
	}
	for (int i = 0; i < OPERATOR_TOPICS && strstr(hand.damaged, "/partitions/"); i++)
		touch_topic(operator_topic_name(i));
	free(hand.was);
	hand.was = NULL;
}

/*
 * Who takes a topic away behind everybody's back leaves its folders lying. One in a log dir that is away meanwhile, and one of the same name in
 * the other: as with Kafka a broker that finds both does not start.
 */
static bool may_forget_folders(void)
{
	return !sim_settings.two_dirs;
}

/* Puts a text where another was; one damage at a time. */
static void damage(const char *path, const char *text)
{
	const char *was = operator_data_of(path);

	if (hand.was)
		return;
	sim.counters.hand_edits++;
	snprintf(hand.damaged, sizeof hand.damaged, "%s", path);
	hand.was = memory_copy_text(was ? was : "");
	hand.damage = text;
	sim_ensemble_put(hand.damaged, text);
	for (int i = 0; i < OPERATOR_TOPICS; i++)
		hand.had_wrong_id[i] |= strstr(text, WRONG_ID) && strcmp(path, operator_topic_path(operator_topic_name(i))) == 0;
	sim_at(&hand.mend, sim.now_us + sim_between(&sim.chance, 50, 5000) * SIM_MS);
}

void hand_edit_state(const char *name)
{
	static const char *const texts[] = {
		"nonsense", "",
		"{\"controller_epoch\":1,\"leader\":-7,\"version\":1,\"leader_epoch\":3,\"isr\":[1]}",
		"{\"controller_epoch\":1,\"leader\":1,\"version\":1,\"leader_epoch\":-3,\"isr\":[1]}",
		"{\"controller_epoch\":1,\"leader\":1,\"version\":1,\"leader_epoch\":3,\"isr\":[1,1]}",
		"{\"controller_epoch\":1,\"leader\":1,\"version\":1,\"leader_epoch\":3,\"isr\":[-2]}",
		"{\"controller_epoch\":1,\"leader\":1,\"version\":1,\"leader_epoch\":3,\"isr\":[1],\"elr\":[2,2],\"elr_epochs\":[5,5]}",
		"{\"controller_epoch\":1,\"leader\":1,\"version\":1,\"leader_epoch\":3,\"isr\":[1],\"elr\":[],\"last_known_elr\":[4,4]}",
	};
	char path[OPERATOR_PATH_MAX_BYTES];

	snprintf(path, sizeof path, "%s", operator_state_path(name, (int)operator_chance(OPERATOR_PARTITIONS_MAX)));
	if (operator_data_of(path))
		damage(path, texts[operator_chance((int64_t)ARRAY_LEN(texts))]);
	touch_topic(name);
}

void hand_edit_topic(const char *name)
{
	static const char *const texts[] = {
		"nonsense",
		"{\"partitions\":{},\"version\":2}",
		"{\"partitions\":{\"0\":[1,2]},\"version\":2}",
		"{\"partitions\":{\"0\":[2,3,1],\"1\":[1]},\"topic_id\":\"" WRONG_ID "\",\"adding_replicas\":{},\"removing_replicas\":{},\"version\":3}",
		"{\"partitions\":{\"0\":[1,1]},\"version\":2}",
		"{\"partitions\":{\"0\":[-1]},\"version\":2}",
		"{\"partitions\":{\"0\":[]},\"version\":2}",
		"{\"partitions\":{\"1\":[1]},\"version\":2}",
		"{\"partitions\":{\"0\":[1,2]},\"adding_replicas\":{\"0\":[3]},\"removing_replicas\":{},\"version\":3}",
		"{\"partitions\":{\"0\":[1,2]},\"adding_replicas\":{},\"removing_replicas\":{\"0\":[2,2]},\"version\":3}",
		"{\"partitions\":{\"0\":[1,2]},\"adding_replicas\":{},\"removing_replicas\":{\"0\":[1,2]},\"version\":3}",
	};

	const char *text = texts[operator_chance((int64_t)ARRAY_LEN(texts))];

	if (may_forget_folders() ? operator_data_of(operator_topic_path(name)) || operator_chance(3) == 0 : operator_data_of(operator_topic_path(name)) && !strstr(text, WRONG_ID))
		damage(operator_topic_path(name), text);
}

/* As with `zookeeper-shell deleteall`. */
void hand_remove_topic(const char *name)
{
	char path[OPERATOR_PATH_MAX_BYTES];

	snprintf(path, sizeof path, "%s", operator_topic_path(name));
	if (!may_forget_folders() && !hand.finishing)
		return;
	sim.counters.hand_edits++;
	remove_below(path);
}

/* Deleted and made again before anybody has looked. */
void hand_replace_topic(const char *name)
{
	char path[OPERATOR_PATH_MAX_BYTES];

	snprintf(path, sizeof path, "%s", operator_topic_path(name));
	if (!may_forget_folders() || !operator_data_of(path))
		return;
	hand_remove_topic(name);
	sim_ensemble_put(path, "{\"partitions\":{\"0\":[1,2],\"1\":[3]},\"version\":2}");
}

/* As Kafka's tools did before there were requests for it. */
void hand_legacy_move(const char *name)
{
	char text[400];
	int len = snprintf(text, sizeof text, "{\"version\":1,\"partitions\":[");

	for (int i = 0, n = 1 + (int)operator_chance(3); i < n; i++) {
		int32_t ids[SIM_BROKERS + 1];
		int n_ids = operator_draw_replicas(ids, operator_chance(8) > 0);

		len += snprintf(text + len, sizeof text - (size_t)len, "%s{\"topic\":\"%s\",\"partition\":%d,\"replicas\":[", i ? "," : "",
				operator_chance(8) ? (i ? operator_topic_name((int)operator_chance(OPERATOR_TOPICS)) : name) : "nobody", (int)operator_chance(OPERATOR_PARTITIONS_MAX));
		for (int k = 0; k < n_ids; k++)
			len += snprintf(text + len, sizeof text - (size_t)len, "%s%d", k ? "," : "", ids[k]);
		len += snprintf(text + len, sizeof text - (size_t)len, "]}");
	}
	snprintf(text + len, sizeof text - (size_t)len, "]}");
	sim.counters.hand_edits++;
	sim_ensemble_put("/admin/reassign_partitions", operator_chance(10) ? text : "nonsense");
}

void hand_legacy_elect(const char *name)
{
	char text[200];

	snprintf(text, sizeof text, "{\"version\":1,\"partitions\":[{\"topic\":\"%s\",\"partition\":%d},{\"topic\":\"%s\",\"partition\":0}]}", name,
		 (int)operator_chance(OPERATOR_PARTITIONS_MAX), operator_chance(4) ? SIM_TOPIC : "nobody");
	sim.counters.hand_edits++;
	sim_ensemble_put("/admin/preferred_replica_election", operator_chance(10) ? text : "nonsense");
}

void hand_remove_state(const char *name)
{
	char path[OPERATOR_PATH_MAX_BYTES];

	snprintf(path, sizeof path, "%s", operator_state_path(name, (int)operator_chance(OPERATOR_PARTITIONS_MAX)));
	sim.counters.hand_edits++;
	sim_ensemble_delete(path);
	touch_topic(name);
}

/* Somebody else's broker, or what nobody can read. */
void hand_register_foreign(const char *name)
{
	static const char *const texts[] = {
		"{\"listener_security_protocol_map\":{\"PLAINTEXT\":\"PLAINTEXT\"},\"endpoints\":[\"PLAINTEXT://10.0.0.99:9092\"],\"jmx_port\":-1,"
		"\"features\":{},\"host\":\"10.0.0.99\",\"timestamp\":\"1\",\"port\":9092,\"version\":5}",
		"nonsense",
	};

	(void)name;
	damage("/brokers/ids/7", texts[operator_chance((int64_t)ARRAY_LEN(texts))]);
}

void hand_edit_config(const char *name)
{
	static const char *const texts[] = {
		"{\"version\":1,\"config\":{\"min.insync.replicas\":\"many\"}}",
		"{\"version\":1,\"config\":{\"min.insync.replicas\":\"123456\"}}",
		"{\"version\":1,\"config\":{\"min.insync.replicas\":\"-1\",\"unclean.leader.election.enable\":\"perhaps\"}}",
		"nonsense",
	};
	char path[OPERATOR_PATH_MAX_BYTES];

	snprintf(path, sizeof path, "/config/topics/%s", name);
	if (operator_chance(3) == 0)
		sim_ensemble_delete(operator_chance(2) ? "/config/brokers/<default>" : "/config/brokers/1");
	else if (operator_data_of(path))
		damage(path, texts[operator_chance((int64_t)ARRAY_LEN(texts))]);
}

static void permit(struct sim_event *event)
{
	(void)event;
	sim_ensemble_refuse(NULL);
}

/* An ACL keeps the controller from writing what it has to. */
void hand_forbid(const char *name)
{
	static const char *const paths[] = {"/admin/reassign_partitions", "/admin/preferred_replica_election", "/admin/delete_topics"};
	int64_t i = operator_chance((int64_t)ARRAY_LEN(paths) + 5);

	sim_ensemble_refuse(i < (int64_t)ARRAY_LEN(paths) ? paths[i] : operator_topic_path(name));
	sim_at(&hand.permit, sim.now_us + sim_between(&sim.chance, 50, 3000) * SIM_MS);
}

/* A registration that says something else now, under the same incarnation. */
void hand_edit_broker(const char *name)
{
	char path[OPERATOR_PATH_MAX_BYTES], *text, *port;
	const char *now;

	(void)name;
	snprintf(path, sizeof path, "/brokers/ids/%d", (int)operator_chance(SIM_BROKERS) + 1);
	now = operator_data_of(path);
	if (!now)
		return;
	text = memory_copy_text(now);
	port = strstr(text, operator_chance(2) ? ":9092" : "\"r1\"");
	if (port)
		port[operator_chance(2) ? 2 : 1] = '7';
	sim_ensemble_put(path, text);
	sim_ensemble_put(path, now);
	if (operator_chance(2))
		sim_ensemble_put(path, text);
	free(text);
}

/* Of others, or what is left of them. */
void hand_register_many(const char *name)
{
	(void)name;
	for (int i = 20; i < 28; i++) {
		char path[OPERATOR_PATH_MAX_BYTES];

		snprintf(path, sizeof path, "/brokers/ids/%d", i);
		if (operator_data_of(path))
			sim_ensemble_delete(path);
		else
			sim_ensemble_put(path, "nonsense");
	}
}

void hand_odd_names(const char *name)
{
	char path[OPERATOR_PATH_MAX_BYTES];

	snprintf(path, sizeof path, "/admin/delete_topics/%s", operator_chance(2) ? name : "nobody");
	if (operator_chance(2))
		sim_ensemble_put(path, "");
	else
		damage("/brokers/topics/no name", "{\"partitions\":{\"0\":[1]},\"version\":2}");
}

/* Left behind by a rolled back migration to KRaft: a state of an epoch that is to come. */
void hand_raise_epoch(const char *name)
{
	char path[OPERATOR_PATH_MAX_BYTES], text[200];
	const char *now;

	snprintf(path, sizeof path, "%s", operator_state_path(name, 0));
	now = operator_data_of(path);
	if (!now || operator_chance(3))
		return;
	/* A damaged state that is written once more would not be known again when it is to be mended. */
	if (hand.was && strcmp(path, hand.damaged) == 0)
		return;
	sim.counters.hand_edits++;
	snprintf(text, sizeof text, "{\"controller_epoch\":%d,\"leader\":%d,\"version\":1,\"leader_epoch\":%d,\"isr\":[%d]}",
		 atoi(operator_data_of("/controller_epoch")) + 3, operator_number_in(now, "\"leader\":"), operator_number_in(now, "\"leader_epoch\":"),
		 operator_number_in(now, "\"isr\":["));
	sim_ensemble_put(path, text);
	touch_topic(name);
}

void hand_init(void)
{
	hand.mend.run = mend;
	hand.permit.run = permit;
}

void hand_clean_up(void)
{
	hand.finishing = true;
	mend(&hand.mend);
	permit(NULL);
	sim_ensemble_delete("/brokers/topics/no name");
	sim_ensemble_delete("/brokers/ids/7");
	for (int i = 20; i < 28; i++) {
		char path[OPERATOR_PATH_MAX_BYTES];

		snprintf(path, sizeof path, "/brokers/ids/%d", i);
		sim_ensemble_delete(path);
	}
	/* What nobody can read, or do, stays there until somebody takes it away. */
	sim_ensemble_delete("/admin/reassign_partitions");
	/* What could not be written meanwhile is tried again when its node changes. */
	for (int i = 0; i < OPERATOR_TOPICS; i++) {
		char path[OPERATOR_PATH_MAX_BYTES];

		snprintf(path, sizeof path, "/admin/delete_topics/%s", operator_topic_name(i));
		touch_topic(operator_topic_name(i));
		if (!operator_data_of(operator_topic_path(operator_topic_name(i))))
			sim_ensemble_delete(path);
	}
	/* Whoever knows a topic by one id does not take the other: it is removed as it was damaged. */
	for (int i = 0; i < OPERATOR_TOPICS; i++)
		if (hand.had_wrong_id[i] && operator_data_of(operator_topic_path(operator_topic_name(i))))
			hand_remove_topic(operator_topic_name(i));
}
