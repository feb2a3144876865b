/* Topics: what command lines and files say about them, and the plan from what is to what shall be. */
#include "test/lib/unit.h"

#include "common/memory.h"
#include "tools/klamm/assignment.h"
#include "tools/klamm/config_list.h"
#include "tools/klamm/topic_file.h"
#include "tools/klamm/topic_match.h"
#include "tools/klamm/topic_plan_core.h"

#include <string.h>

static struct arena arena;
static struct error err;

/* ---- names ---- */

static bool matches(const char *pattern, const char *name)
{
	struct topic_match match;
	bool result;

	ck_assert_int_eq(topic_match_init(&match, &arena, pattern, &err), 0);
	result = topic_match_name(&match, slice_of_text(name));
	topic_match_fini(&match);
	return result;
}

START_TEST(topics_match_by_name_list_or_expression)
{
	ck_assert(matches(NULL, "anything"));
	ck_assert(matches("a", "a") && !matches("a", "ab"));
	ck_assert(matches("a,b-2", "b-2") && !matches("a,b", "c"));
	ck_assert(matches("t.*", "topic") && !matches("t.*", "atopic"));
	ck_assert(matches("a.b", "axb"));
	ck_assert(matches("\"x|y\" ", "y"));
	ck_assert(matches("a.+, b", "b"));
	arena_fini(&arena);
}
END_TEST

START_TEST(plain_names_can_be_asked_for_by_name)
{
	struct topic_match match;

	ck_assert_int_eq(topic_match_init(&match, &arena, "a,b_1", &err), 0);
	ck_assert_int_eq(match.n_names, 2);
	ck_assert(slice_is_text(match.names[1], "b_1"));
	ck_assert_int_eq(topic_match_init(&match, &arena, "(", &err), ERR_INVALID);
	arena_fini(&arena);
}
END_TEST

START_TEST(assignments_name_the_brokers_of_each_partition)
{
	struct assignment *partitions;
	int32_t n;

	ck_assert_int_eq(assignment_parse(&arena, "1:2,2:3,3:1", &partitions, &n, &err), 0);
	ck_assert_int_eq(n, 3);
	ck_assert_int_eq(partitions[2].broker_ids[0], 3);
	ck_assert_int_eq(partitions[2].n_broker_ids, 2);
	arena_fini(&arena);
}
END_TEST

START_TEST(bad_assignments_are_refused)
{
	static const char *const bad[] = {"", "1,", ",1", "1:2,3", "1:1", "a", "1:", ":1", "1::2", "-1", "1 2", "99999999999"};
	struct assignment *partitions;
	int32_t n;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(assignment_parse(&arena, bad[i], &partitions, &n, &err) == ERR_INVALID, "%s", bad[i]);
	arena_fini(&arena);
}
END_TEST

START_TEST(brackets_keep_commas_in_a_config)
{
	struct config_pair *pairs;
	int n;

	ck_assert_int_eq(config_list_parse(&arena, "a=1, b=[x,y],c=,d=e=f,", &pairs, &n, &err), 0);
	ck_assert_int_eq(n, 4);
	ck_assert(slice_is_text(pairs[1].key, "b") && slice_is_text(pairs[1].value, "x,y"));
	ck_assert(slice_is_text(pairs[2].value, ""));
	ck_assert(slice_is_text(pairs[3].value, "e=f"));
	arena_fini(&arena);
}
END_TEST

START_TEST(bad_configs_are_refused)
{
	static const char *const bad[] = {"a", "=1", "a=[1", "a=1]", "a=[[1]]", "a=1,a=2", "a=1,b"};
	struct config_pair *pairs;
	int n;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(config_list_parse(&arena, bad[i], &pairs, &n, &err) == ERR_INVALID, "%s", bad[i]);
	arena_fini(&arena);
}
END_TEST

/* ---- files ---- */

static int parse(const char *text, struct topic_spec **ret_specs, int *ret_n)
{
	return topic_file_parse(&arena, slice_of_text(text), "f.yaml", ret_specs, ret_n, &err);
}

START_TEST(a_file_says_what_topics_shall_be)
{
	struct topic_spec *specs;
	int n;

	ck_assert_int_eq(parse("defaults:\n"
			       "  partitions: 6\n"
			       "  replication-factor: 3\n"
			       "  configs: {min.insync.replicas: 2, retention.ms: 5}\n"
			       "topics:\n"
			       "  - name: orders\n"
			       "    partitions: 12\n"
			       "    configs:\n"
			       "      cleanup.policy: [compact, delete]\n"
			       "      retention.ms: -1\n"
			       "  - name: clicks\n",
			       &specs, &n),
			 0);
	ck_assert_int_eq(n, 2);
	ck_assert(slice_is_text(specs[0].name, "orders"));
	ck_assert_int_eq(specs[0].partitions, 12);
	ck_assert_int_eq(specs[0].replication_factor, 3);
	ck_assert_int_eq(specs[0].n_configs, 3);
	ck_assert(slice_is_text(specs[0].configs[0].value, "compact,delete"));
	ck_assert(slice_is_text(specs[0].configs[1].value, "-1"));
	ck_assert(slice_is_text(specs[0].configs[2].key, "min.insync.replicas"));
	ck_assert_int_eq(specs[1].partitions, 6);
	ck_assert_int_eq(specs[1].n_configs, 2);
	arena_fini(&arena);
}
END_TEST

START_TEST(what_a_file_leaves_out_is_open)
{
	struct topic_spec *specs;
	int n;

	ck_assert_int_eq(parse("topics: [{name: a}]", &specs, &n), 0);
	ck_assert_int_eq(specs[0].partitions, -1);
	ck_assert_int_eq(specs[0].replication_factor, -1);
	ck_assert_int_eq(specs[0].n_configs, 0);
	ck_assert_int_eq(parse("topics:\n", &specs, &n), 0);
	ck_assert_int_eq(n, 0);
	arena_fini(&arena);
}
END_TEST

START_TEST(a_wrong_file_is_refused_with_its_line)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
		{"", "f.yaml is empty: it needs a list of topics"},
		{"topics:\n- name: a\n  partition: 3\n",
		 "f.yaml:3: a topic has no key 'partition': did you mean 'partitions'?"},
		{"topics:\n- name: a\n- name: a\n", "f.yaml:3: topic 'a' stands twice, first in line 2"},
		{"topics:\n- partitions: 3\n", "f.yaml:2: a topic needs a name"},
		{"topics:\n- name: a\n  partitions: none\n", "f.yaml:3: partitions is a whole number from 1 to 2147483647"},
		{"topics:\n- name: a\n  partitions: 0\n", "f.yaml:3: partitions is a whole number from 1 to 2147483647"},
		{"topics:\n- name: a\n  replication-factor: 40000\n",
		 "f.yaml:3: replication-factor is a whole number from 1 to 32767"},
		{"topics:\n- name: a\n  name: b\n", "f.yaml:3: 'name' stands twice"},
		{"topics:\n- name: a\n  configs: {k: 1, k: 2}\n", "f.yaml:3: config 'k' stands twice"},
		{"topics:\n- name: a\n  configs: {k: {x: 1}}\n",
		 "f.yaml:3: the value of a config is a text, a number or a list of them"},
		{"topics:\n- name: a\n  configs: [k]\n", "f.yaml:3: configs is a mapping of names to values"},
		{"topics: a\n", "f.yaml:1: topics is a list: each begins with '- name: ...'"},
		{"topics: [a]\n", "f.yaml:1: a topic is a mapping of keys to values"},
		{"- name: a\n", "f.yaml:1: the file is a mapping of keys to values"},
		{"defaults:\n  name: a\n", "f.yaml:2: defaults has no key 'name'"},
		{"topics:\n- name: [a\n", "f.yaml:3: no valid YAML"},
	};
	struct topic_spec *specs;
	int n;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(parse(bad[i].text, &specs, &n) == ERR_CONFIG, "%s", bad[i].text);
		ck_assert_msg(strncmp(err.text, bad[i].error, strlen(bad[i].error)) == 0, "%s, not %s", err.text, bad[i].error);
	}
	ck_assert_int_eq(topic_file_read(&arena, "/nowhere/f.yaml", &specs, &n, &err), ERR_NOT_FOUND);
	arena_fini(&arena);
}
END_TEST

/* ---- plans ---- */

static const struct plan_rules keep = {false, false}, prune = {true, true};

/* The plan for a file against two topics: "t" with 3 partitions, 2 replicas, retention.ms=5 and segment.bytes=9;
 * "__consumer_offsets". */
static struct plan plan_for(const char *text, struct plan_rules rules)
{
	static struct config_pair configs[] = {{{(const uint8_t *)"retention.ms", 12}, {(const uint8_t *)"5", 1}},
					       {{(const uint8_t *)"segment.bytes", 13}, {(const uint8_t *)"9", 1}}};
	static struct topic_state states[2];
	struct topic_spec *specs;
	struct plan plan;
	int n;

	states[0] = (struct topic_state){slice_of_text("t"), 3, 2, false, configs, 2};
	states[1] = (struct topic_state){slice_of_text("__consumer_offsets"), 50, 1, true, NULL, 0};
	ck_assert_int_eq(parse(text, &specs, &n), 0);
	topic_plan_make(&arena, specs, n, states, 2, rules, &plan);
	return plan;
}

static void check_step(const struct plan *plan, int i, enum plan_kind kind, const char *text)
{
	ck_assert_int_lt(i, plan->n_steps);
	ck_assert_str_eq(plan_kind_name(plan->steps[i].kind), plan_kind_name(kind));
	ck_assert_str_eq(plan->steps[i].text, text);
}

START_TEST(new_topics_are_created)
{
	struct plan plan = plan_for("topics: [{name: t}, {name: new, partitions: 1, configs: {a: b}}, {name: a}]", keep);

	ck_assert_int_eq(plan.n_changes, 2);
	check_step(&plan, 0, PLAN_CREATE, "default partitions, default replicas");
	check_step(&plan, 1, PLAN_CREATE, "1 partition, default replicas, a=b");
	arena_fini(&arena);
}
END_TEST

START_TEST(what_is_right_already_needs_nothing)
{
	struct plan plan = plan_for("topics: [{name: t, partitions: 3, replication-factor: 2, configs: {retention.ms: 5, "
				    "segment.bytes: 9}}]",
				    prune);

	ck_assert_int_eq(plan.n_steps, 0);
	arena_fini(&arena);
}
END_TEST

START_TEST(partitions_are_added_and_configs_changed)
{
	struct plan plan = plan_for("topics: [{name: t, partitions: 4, configs: {retention.ms: 7, flush.ms: 1}}]", keep);

	ck_assert_int_eq(plan.n_changes, 3);
	ck_assert_int_eq(plan.n_steps, 4);
	check_step(&plan, 0, PLAN_ADD_PARTITIONS, "partitions: 3 -> 4");
	check_step(&plan, 1, PLAN_SET_CONFIG, "flush.ms: default -> 1");
	check_step(&plan, 2, PLAN_SET_CONFIG, "retention.ms: 5 -> 7");
	check_step(&plan, 3, PLAN_STAYS, "segment.bytes=9 is not in the file and stays (--delete-configs resets it)");
	ck_assert_int_eq(plan_sign(plan.steps[0].kind), '~');
	arena_fini(&arena);
}
END_TEST

START_TEST(what_cannot_be_done_is_a_conflict)
{
	struct plan plan = plan_for("topics: [{name: t, partitions: 2, replication-factor: 3}]", prune);

	ck_assert_int_eq(plan.n_conflicts, 2);
	check_step(&plan, 2, PLAN_CONFLICT, "has 3 partitions and the file says 2: partitions cannot be taken away");
	check_step(&plan, 3, PLAN_CONFLICT, "has 2 replicas and the file says 3: that needs a reassignment");
	arena_fini(&arena);
}
END_TEST

START_TEST(nothing_is_deleted_unless_told)
{
	struct plan plan = plan_for("topics: [{name: u}]", keep);

	ck_assert_int_eq(plan.n_changes, 1);
	check_step(&plan, 0, PLAN_STAYS, "is not in the file and stays (--delete deletes it)");
	plan = plan_for("topics: [{name: u}]", prune);
	check_step(&plan, 0, PLAN_DELETE_TOPIC, "with all records of its 3 partitions");
	ck_assert_int_eq(plan.n_steps, 2);
	arena_fini(&arena);
}
END_TEST

START_TEST(configs_are_reset_only_when_told)
{
	struct plan plan = plan_for("topics: [{name: t, configs: {retention.ms: 5}}]", prune);

	ck_assert_int_eq(plan.n_steps, 1);
	check_step(&plan, 0, PLAN_DELETE_CONFIG, "segment.bytes: 9 -> default");
	ck_assert(slice_is_text(plan.steps[0].key, "segment.bytes"));
	arena_fini(&arena);
}
END_TEST

UNIT_MAIN("tools/klamm/topics", topics_match_by_name_list_or_expression, plain_names_can_be_asked_for_by_name,
	  assignments_name_the_brokers_of_each_partition, bad_assignments_are_refused, brackets_keep_commas_in_a_config,
	  bad_configs_are_refused, a_file_says_what_topics_shall_be, what_a_file_leaves_out_is_open,
	  a_wrong_file_is_refused_with_its_line, new_topics_are_created, what_is_right_already_needs_nothing,
	  partitions_are_added_and_configs_changed, what_cannot_be_done_is_a_conflict, nothing_is_deleted_unless_told,
	  configs_are_reset_only_when_told)
