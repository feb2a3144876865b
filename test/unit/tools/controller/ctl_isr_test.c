/* Proposals of leaders: a refusal that comes first in Kafka's order wins over those behind it. Whole dialogues are in ctl_step_test. */
#include "test/lib/unit.h"
#include "test/unit/tools/controller/ctl_script.h"

#include <stdlib.h>
#include <string.h>

struct dialogue {
	struct ctl_script script;
	char *text;
	size_t len;
};

static void say(struct dialogue *d, const char *const *lines)
{
	for (; *lines; lines++)
		ctl_script_line(&d->script, *lines);
}

static void begin(struct dialogue *d)
{
	static const char *const lines[] = {"elected 1 1",
					    "brokers* 1@100 2@110 3@120 4@130",
					    "topics* t",
					    "topic* t c200 v0 id7 0:1,2,3,4 1:2,1",
					    "config* t v0 min.insync.replicas=2",
					    "states* t 0:v3,z201,l1,e1,c1,i1.2,I100.110 1:v0,z202,l2,e0,c1,i2,I110",
					    "deletions*",
					    "broker-configs*",
					    "reached 1@100",
					    "reached 2@110",
					    "reached 3@120",
					    NULL};

	ctl_script_init(&d->script, open_memstream(&d->text, &d->len));
	say(d, lines);
}

static void end(struct dialogue *d)
{
	fclose(d->script.out);
	ctl_script_fini(&d->script);
	free(d->text);
}

/* What the line brings forth holds `wanted`. */
static void check(struct dialogue *d, const char *line, const char *wanted)
{
	size_t before;

	fflush(d->script.out);
	before = d->len;
	ctl_script_line(&d->script, line);
	fflush(d->script.out);
	ck_assert_msg(strstr(d->text + before, wanted), "%s\nwanted %s in\n%s", line, wanted, d->text + before);
}

START_TEST(the_first_refusal_in_the_order_wins)
{
	static const struct {
		const char *line, *wanted;
	} cases[] = {
		/* unknown topic, and unknown partition of it */
		{"propose 1@100 id8/5 1 1/3 1", "UNKNOWN_TOPIC_ID"},
		/* unknown partition, and epochs that are not known here */
		{"propose 1@100 id7/5 1 9/9 1", "UNKNOWN_TOPIC_OR_PARTITION"},
		/* a newer partition epoch or leader epoch, and an older one of the other sort */
		{"propose 1@100 id7/0 1 0/4 1", "NOT_CONTROLLER"},
		{"propose 1@100 id7/0 1 2/2 1", "NOT_CONTROLLER"},
		/* an older leader epoch, of somebody who is not the leader, without sense */
		{"propose 2@110 id7/0 1 0/3 9", "FENCED_LEADER_EPOCH"},
		/* not the leader, without the leader, strangers, one twice; and an older partition epoch */
		{"propose 2@110 id7/0 1 1/2 1 2", "INVALID_REQUEST"},
		{"propose 1@100 id7/0 1 1/2 2", "INVALID_REQUEST"},
		{"propose 1@100 id7/0 1 1/2 1 9@900", "INVALID_REQUEST"},
		{"propose 1@100 id7/0 1 1/2 1 2 2", "INVALID_REQUEST"},
		/* it is so already, and an older partition epoch */
		{"propose 1@100 id7/0 1 1/2 2 1", "number 1 leader 1 epoch 1 isr [1,2] partition epoch 3"},
		/* an older partition epoch, and somebody who may not join */
		{"propose 1@100 id7/0 1 1/2 1 2 3@1", "INVALID_UPDATE_VERSION"},
		{"propose 1@100 id7/0 1 1/3 1 2 3@1", "INELIGIBLE_REPLICA 3"},
		/* only those are named that may not */
		{"propose 1@100 id7/0 1 1/3 1 2 3@1 4@130", "INELIGIBLE_REPLICA 3\n"},
		{"propose 1@100 id7/0 1 1/3 1 2 3@120 4@131", "INELIGIBLE_REPLICA 4\n"},
		{"propose 1@100 id7/0 1 1/3 1 2 3@1 4@131", "INELIGIBLE_REPLICA 3,4\n"},
	};
	struct dialogue d;

	begin(&d);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check(&d, cases[i].line, cases[i].wanted);
	/* A write under way, and somebody who may not join. */
	check(&d, "propose 1@100 id7/0 2 1/3 1", "write state t-0 at v3 leader 1 epoch 1 isr [1@100] elr [2@110]");
	check(&d, "propose 1@100 id7/0 3 1/3 1 2 3@1", "NOT_CONTROLLER");
	end(&d);
}
END_TEST

START_TEST(nothing_is_decided_while_the_cluster_is_being_read)
{
	static const char *const lines[] = {"elected 1 1", "brokers* 1@100", "reached 1@100", NULL};
	struct dialogue d;

	ctl_script_init(&d.script, open_memstream(&d.text, &d.len));
	say(&d, lines);
	ctl_script_line(&d.script, "propose 1@100 id7/0 1 1/3 1");
	ctl_script_line(&d.script, "topics*");
	ctl_script_line(&d.script, "deletions*");
	check(&d, "broker-configs*", "NOT_CONTROLLER");
	end(&d);
}
END_TEST

START_TEST(who_is_not_whole_alive_and_staying_does_not_join)
{
	struct dialogue d;

	begin(&d);
	/* Another incarnation than the leader heard, none that it heard, one that is gone. */
	check(&d, "propose 1@100 id7/0 1 1/3 1 2 3@119", "INELIGIBLE_REPLICA");
	check(&d, "propose 1@100 id7/0 1 1/3 1 2 3", "INELIGIBLE_REPLICA");
	ctl_script_line(&d.script, "brokers 1@100 2@110 3@120");
	check(&d, "propose 1@100 id7/0 1 1/3 1 2 4@130", "INELIGIBLE_REPLICA");
	/* About to stop. */
	ctl_script_line(&d.script, "shutdown 3@120");
	check(&d, "propose 1@100 id7/0 1 1/3 1 2 3@120", "INELIGIBLE_REPLICA");
	/* Its log dir failed. */
	ctl_script_line(&d.script, "brokers 1@100 2@110 3@300");
	ctl_script_line(&d.script, "reached 3@300");
	ctl_script_line(&d.script, "results 3@300 1 id7/0=56");
	check(&d, "propose 1@100 id7/0 1 1/3 1 2 3@300", "INELIGIBLE_REPLICA");
	/* Cannot be reached; and then all is well. */
	ctl_script_line(&d.script, "brokers 1@100 2@110 3@400");
	ctl_script_line(&d.script, "wait 6000");
	check(&d, "propose 1@100 id7/0 1 1/3 1 2 3@400", "INELIGIBLE_REPLICA");
	ctl_script_line(&d.script, "reached 3@400");
	ctl_script_line(&d.script, "results 3@400 1");
	check(&d, "propose 1@100 id7/0 1 1/3 1 2 3@400", "write state t-0 at v3 leader 1 epoch 1 isr [1@100,2@110,3@400]");
	end(&d);
}
END_TEST

START_TEST(one_that_has_to_be_struck_out_joins_nowhere_before)
{
	struct dialogue d;

	begin(&d);
	check(&d, "brokers 1@100 2@300^110!unclean 3@120 4@130", "write state t-0 at v3 leader 1 epoch 1 isr [1@100] lost [2]");
	check(&d, "written t 0 done", "isr [1]");
	/* Partition 1 still holds it. */
	check(&d, "propose 1@100 id7/0 1 1/4 1 2@300", "INELIGIBLE_REPLICA");
	check(&d, "written t 1 done", "brokers [1@100,2@300,3@120,4@130]");
	check(&d, "propose 1@100 id7/0 1 1/4 1 2@300", "write state t-0 at v4 leader 1 epoch 1 isr [1@100,2@300] ce");
	end(&d);
}
END_TEST

/* ZooKeeper has refused to strike it out; who is asked for leads meanwhile. */
START_TEST(one_that_has_to_be_struck_out_is_not_let_in_by_an_election)
{
	static const char *const lines[] = {"elected 1 1",
					    "brokers* 1@100 2@110 3@120",
					    "topics* t",
					    "topic* t c200 v0 id7 0:3,1,2",
					    "config* t v0 min.insync.replicas=2",
					    "states* t 0:v3,z201,l1,e1,c1,i1.2.3,I100.110.120",
					    "deletions*",
					    "broker-configs*",
					    "reached 1@100",
					    NULL};
	struct dialogue d;

	ctl_script_init(&d.script, open_memstream(&d.text, &d.len));
	say(&d, lines);
	check(&d, "brokers 1@100 2@300^110!unclean 3@120", "write state t-0 at v3 leader 1 epoch 1 isr [1@100,3@120]");
	ctl_script_line(&d.script, "written t 0 failed");
	check(&d, "forward 1@100 1 elect 5000 preferred t:0", "\"error_code\":80");
	check(&d, "wait 1000", "write state t-0 at v3 leader 1 epoch 1 isr [1@100,3@120]");
	end(&d);
}
END_TEST

/* Nobody is told anything until the state of u-0 is written. */
static void begin_held(struct dialogue *d)
{
	static const char *const lines[] = {"elected 1 1",
					    "brokers* 1@100 2@110",
					    "topics* t u",
					    "topic* t c200 v0 id7 0:1,2",
					    "topic* u c201 v0 id8 0:1,2",
					    "config* t v0 min.insync.replicas=1",
					    "config* u v0 min.insync.replicas=2",
					    "states* t 0:v3,z201,l1,e1,c1,i1.2,I100.110",
					    "states* u 0:v3,z202,l1,e1,c1,i1,I100,q2,Q110",
					    "deletions*",
					    "broker-configs*",
					    "reached 1@100",
					    "reached 2@110",
					    NULL};

	ctl_script_init(&d->script, open_memstream(&d->text, &d->len));
	say(d, lines);
	check(d, "config u v1 min.insync.replicas=1", "write state u-0 at v3 leader 1 epoch 1 isr [1@100] ce");
}

/*
 * A larger minimum keeps who leaves the ISR eligible, since nothing is acknowledged without it any more. So a leader that still has the smaller one
 * must not hear first that its ISR is smaller: it would acknowledge alone (D9). Both wait here for another partition.
 */
START_TEST(a_leader_hears_of_a_larger_minimum_before_its_isr_is_smaller)
{
	const char *view, *answers;
	struct dialogue d;
	size_t before;

	begin_held(&d);
	ctl_script_line(&d.script, "config t v1 min.insync.replicas=2");
	check(&d, "propose 1@100 id7/0 9 1/3 1", "write state t-0 at v3 leader 1 epoch 1 isr [1@100] elr [2@110]");
	ctl_script_line(&d.script, "written t 0 done");
	fflush(d.script.out);
	before = d.len;
	ctl_script_line(&d.script, "written u 0 done");
	fflush(d.script.out);
	view = strstr(d.text + before, "min.insync.replicas=2");
	answers = strstr(d.text + before, "number 9 leader 1 epoch 1 isr [1]");
	ck_assert_msg(view && answers && view < answers, "%s", d.text + before);
	end(&d);
}
END_TEST

/* Nobody is answered meanwhile, so that there is nothing to wake up for. */
START_TEST(a_request_whose_time_is_up_waits_while_nobody_is_told_anything)
{
	struct dialogue d;

	begin_held(&d);
	ctl_script_line(&d.script, "propose 1@100 id7/0 9 1/3 1");
	ctl_script_line(&d.script, "forward 1@100 1 elect 100 preferred t:0");
	ctl_script_line(&d.script, "wait 100");
	ck_assert_msg(d.script.timer_ms == 0 || d.script.timer_ms > d.script.now_ms, "%lld at %lld", (long long)d.script.timer_ms,
		      (long long)d.script.now_ms);
	check(&d, "written u 0 done", "\"error_code\":7,");
	end(&d);
}
END_TEST

UNIT_MAIN("tools/controller/ctl_isr", the_first_refusal_in_the_order_wins, nothing_is_decided_while_the_cluster_is_being_read,
	  who_is_not_whole_alive_and_staying_does_not_join, one_that_has_to_be_struck_out_joins_nowhere_before,
	  one_that_has_to_be_struck_out_is_not_let_in_by_an_election,
	  a_leader_hears_of_a_larger_minimum_before_its_isr_is_smaller,
	  a_request_whose_time_is_up_waits_while_nobody_is_told_anything)
