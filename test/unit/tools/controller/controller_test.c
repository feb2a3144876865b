/*
 * klamm-controller as a program, against a real ZooKeeper and brokers that only listen. Prints how long ten thousand partitions take.
 */
#include "test/lib/unit.h"
#include "test/lib/zk_server.h"
#include "test/unit/tools/controller/fake_brokers.h"

#include "common/memory.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_PARTITIONS 10000
#define N_REPLICATED 2000

static struct zk_server server;

static const char *build_dir(void)
{
	const char *dir = getenv("KLAMM_BUILDDIR");

	return dir ? dir : ".";
}

static pid_t start_controller(int id, const char *log)
{
	char *program = memory_printf("%s/klamm-controller", build_dir());
	char *file = memory_printf("%s/controller.properties", unit_temp_dir());
	FILE *out = fopen(file, "w");
	pid_t pid;

	ck_assert_ptr_nonnull(out);
	fprintf(out, "controller.id=%d\nzookeeper.connect=%s/test\nzookeeper.session.timeout.ms=2000\n", id, server.connect);
	fclose(out);
	pid = fork();
	if (pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);

		dup2(fd, STDERR_FILENO);
		execl(program, program, file, (char *)NULL);
		_exit(127);
	}
	free(program);
	free(file);
	return pid;
}

static int stop_controller(pid_t pid, int signal_number)
{
	int status;

	kill(pid, signal_number);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static bool in_office(struct fake_cluster *cluster, int epoch)
{
	for (int i = 0; i < FAKE_BROKERS_MAX; i++)
		if (cluster->brokers[i].epoch >= 0 &&
		    (cluster->brokers[i].controller_epoch < epoch || cluster->brokers[i].n_snapshots == 0))
			return false;
	return true;
}

/* Every live broker sees n partitions with leaders, and the live ones lead n together. */
static bool led(struct fake_cluster *cluster, int n)
{
	int n_led = 0;

	for (int i = 0; i < FAKE_BROKERS_MAX; i++) {
		if (cluster->brokers[i].epoch < 0)
			continue;
		if (cluster->brokers[i].n_with_leader != n)
			return false;
		n_led += cluster->brokers[i].n_led;
	}
	return n_led == n;
}

static bool view_has_brokers(struct fake_cluster *cluster, int n)
{
	for (int i = 0; i < FAKE_BROKERS_MAX; i++)
		if (cluster->brokers[i].epoch >= 0 && cluster->brokers[i].n_brokers_in_view != n)
			return false;
	return true;
}

static bool view_is_empty(struct fake_cluster *cluster, int n)
{
	(void)n;
	for (int i = 0; i < FAKE_BROKERS_MAX; i++)
		if (cluster->brokers[i].view)
			return false;
	return true;
}

static bool led_by_last_two(struct fake_cluster *cluster, int n)
{
	return cluster->brokers[1].n_with_leader == n && cluster->brokers[1].n_led + cluster->brokers[2].n_led == n;
}

/* The znode of topic odd1 is gone. */
static bool is_gone(struct fake_cluster *cluster, int n)
{
	(void)n;
	return !fake_cluster_has(cluster, "/brokers/topics/odd1") && !fake_cluster_has(cluster, "/admin/preferred_replica_election") &&
	       !fake_cluster_has(cluster, "/admin/delete_topics/nothing");
}

static bool config_came(struct fake_cluster *cluster, int n)
{
	(void)n;
	return strcmp(cluster->brokers[0].last_config, "retention.ms=77") == 0;
}

static void check_no_gaps(struct fake_cluster *cluster)
{
	for (int i = 0; i < FAKE_BROKERS_MAX; i++)
		ck_assert_int_eq(cluster->brokers[i].n_gaps, 0);
}

/* The znodes of a topic, as a broker writes them: the config first. */
static void make_topic(struct fake_cluster *cluster, const char *name, int n_partitions, int replication)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct uuid id = uuid_random();
	char id_text[UUID_TEXT_LEN + 1];
	char path[300];

	uuid_format(&id, id_text);
	fprintf(out, "{\"version\":3,\"topic_id\":\"%s\",\"adding_replicas\":{},\"removing_replicas\":{},\"partitions\":{", id_text);
	for (int i = 0; i < n_partitions; i++) {
		fprintf(out, "%s\"%d\":[%d", i ? "," : "", i, i % 3 + 1);
		for (int k = 1; k < replication; k++)
			fprintf(out, ",%d", (i + k) % 3 + 1);
		fprintf(out, "]");
	}
	fprintf(out, "}}");
	fclose(out);
	snprintf(path, sizeof path, "/config/topics/%s", name);
	fake_cluster_create(cluster, path, "{\"version\":1,\"config\":{}}");
	snprintf(path, sizeof path, "/brokers/topics/%s", name);
	fake_cluster_create(cluster, path, text);
	free(text);
}

static char *open_cluster(struct fake_cluster *cluster)
{
	char *connect = memory_printf("%s/test", server.connect);
	char *log = memory_printf("%s/controller.log", unit_temp_dir());

	fake_cluster_open(cluster, connect);
	free(connect);
	return log;
}

static void start_three(struct fake_cluster *cluster)
{
	for (int i = 0; i < 3; i++)
		fake_broker_start(cluster, i);
}

START_TEST(ten_thousand_partitions_are_made_taken_over_led_and_deleted)
{
	struct fake_cluster cluster;
	char *log = open_cluster(&cluster);
	pid_t first;
	pid_t second;
	int64_t ms;

	start_three(&cluster);
	first = start_controller(1, log);
	ck_assert_int_ge(fake_cluster_wait(&cluster, in_office, 1, 20000), 0);
	second = start_controller(2, log);

	make_topic(&cluster, "big", N_PARTITIONS, 1);
	ms = fake_cluster_wait(&cluster, led, N_PARTITIONS, 60000);
	fprintf(stderr, "%d partitions created in %lld ms\n", N_PARTITIONS, (long long)ms);
	ck_assert_int_ge(ms, 0);

	ck_assert_int_eq(stop_controller(first, SIGTERM), 0);
	ms = fake_cluster_wait(&cluster, in_office, 2, 60000);
	fprintf(stderr, "taken over %lld ms after the first controller had ended\n", (long long)ms);
	ck_assert_int_ge(ms, 0);
	ck_assert(led(&cluster, N_PARTITIONS));

	for (int i = 0; i < 3; i++)
		fake_broker_stop(&cluster, i);
	start_three(&cluster);
	ms = fake_cluster_wait(&cluster, led, N_PARTITIONS, 60000);
	fprintf(stderr, "all led %lld ms after the brokers had registered again\n", (long long)ms);
	ck_assert_int_ge(ms, 0);

	fake_cluster_create(&cluster, "/admin/delete_topics/big", NULL);
	ms = fake_cluster_wait(&cluster, view_is_empty, 0, 60000);
	ck_assert_int_ge(ms, 0);
	ms = fake_cluster_wait(&cluster, led, 0, 60000);
	ck_assert_int_ge(ms, 0);
	ck_assert_int_eq(cluster.brokers[0].n_erased + cluster.brokers[1].n_erased + cluster.brokers[2].n_erased, N_PARTITIONS);

	check_no_gaps(&cluster);
	ck_assert_int_eq(stop_controller(second, SIGTERM), 0);
	fake_cluster_close(&cluster);
	free(log);
}
END_TEST

START_TEST(leaders_move_when_a_broker_dies_and_configs_come_through)
{
	struct fake_cluster cluster;
	char *log = open_cluster(&cluster);
	int32_t epoch;
	pid_t pid;

	start_three(&cluster);
	pid = start_controller(1, log);
	make_topic(&cluster, "three", 30, 3);
	ck_assert_int_ge(fake_cluster_wait(&cluster, led, 30, 20000), 0);
	ck_assert_int_eq(cluster.brokers[2].office, 1);
	epoch = cluster.brokers[0].controller_epoch;

	fake_broker_stop(&cluster, 0);
	ck_assert_int_ge(fake_cluster_wait(&cluster, view_has_brokers, 2, 20000), 0);
	ck_assert_int_ge(fake_cluster_wait(&cluster, led, 30, 20000), 0);
	ck_assert_int_eq(cluster.brokers[2].office, 2);
	fake_broker_start(&cluster, 0);
	ck_assert_int_ge(fake_cluster_wait(&cluster, view_has_brokers, 3, 20000), 0);
	ck_assert_int_ge(fake_cluster_wait(&cluster, led, 30, 20000), 0);

	fake_cluster_set(&cluster, "/config/topics/three", "{\"version\":1,\"config\":{\"retention.ms\":\"77\"}}");
	fake_cluster_create(&cluster, "/config/changes/config_change_0000000000", "{\"version\":2,\"entity_path\":\"topics/three\"}");
	ck_assert_int_ge(fake_cluster_wait(&cluster, config_came, 0, 20000), 0);

	/* Killed, and another one takes its place when the session has timed out. */
	stop_controller(pid, SIGKILL);
	pid = start_controller(2, log);
	ck_assert_int_ge(fake_cluster_wait(&cluster, in_office, epoch + 1, 20000), 0);
	ck_assert_int_ge(fake_cluster_wait(&cluster, led, 30, 20000), 0);
	ck_assert_int_eq(stop_controller(pid, SIGTERM), 0);
	check_no_gaps(&cluster);
	fake_cluster_close(&cluster);
	free(log);
}
END_TEST

static bool isr_answered(struct fake_cluster *cluster, int n)
{
	return cluster->brokers[1].n_isr_answers == n;
}

static bool may_stop(struct fake_cluster *cluster, int n)
{
	(void)n;
	return cluster->brokers[2].remaining == 0;
}

/* Bounds are for a loaded machine; what is measured is printed. */
START_TEST(two_thousand_replicated_partitions_are_made_led_on_shrunk_and_handed_over)
{
	struct fake_cluster cluster;
	char *log = open_cluster(&cluster);
	int64_t ms;
	pid_t pid;
	int n;

	start_three(&cluster);
	pid = start_controller(1, log);
	ck_assert_int_ge(fake_cluster_wait(&cluster, in_office, 1, 20000), 0);
	ck_assert(fake_cluster_has(&cluster, "/klamm/controller_epoch"));
	make_topic(&cluster, "many", N_REPLICATED, 3);
	ms = fake_cluster_wait(&cluster, led, N_REPLICATED, 60000);
	fprintf(stderr, "%d partitions of three replicas created in %lld ms\n", N_REPLICATED, (long long)ms);
	ck_assert_int_ge(ms, 0);

	fake_broker_stop(&cluster, 0);
	ms = fake_cluster_wait(&cluster, led, N_REPLICATED, 60000);
	fprintf(stderr, "a third of them led on %lld ms after their leader was gone\n", (long long)ms);
	ck_assert_int_ge(ms, 0);

	n = fake_broker_propose_alone(&cluster, 1);
	ck_assert_int_gt(n, N_REPLICATED / 3);
	ms = fake_cluster_wait(&cluster, isr_answered, n, 60000);
	fprintf(stderr, "%d proposals answered after %lld ms\n", n, (long long)ms);
	ck_assert_int_ge(ms, 0);

	/* It is in no ISR with somebody else any more but in those it leads, where the second one is. */
	fake_broker_ask_to_stop(&cluster, 2);
	ms = fake_cluster_wait(&cluster, may_stop, 0, 60000);
	fprintf(stderr, "leaderships handed over after %lld ms\n", (long long)ms);
	ck_assert_int_ge(ms, 0);
	ck_assert_int_eq(cluster.brokers[2].n_led, 0);
	ck_assert_int_eq(cluster.brokers[1].n_led, N_REPLICATED);

	check_no_gaps(&cluster);
	ck_assert_int_eq(stop_controller(pid, SIGTERM), 0);
	fake_cluster_close(&cluster);
	free(log);
}
END_TEST

START_TEST(a_broker_that_cannot_be_dialled_is_led_around_until_it_can)
{
	struct fake_cluster cluster;
	char *log = open_cluster(&cluster);
	pid_t pid;

	start_three(&cluster);
	fake_broker_set_deaf(&cluster, 0, true);
	pid = start_controller(1, log);
	make_topic(&cluster, "three", 9, 3);
	/* The deaf one counts as alive at first, then not: the other two lead everything. */
	ck_assert_int_ge(fake_cluster_wait(&cluster, led_by_last_two, 9, 20000), 0);
	ck_assert_int_eq(cluster.brokers[1].n_brokers_in_view, 2);
	fake_broker_set_deaf(&cluster, 0, false);
	ck_assert_int_ge(fake_cluster_wait(&cluster, view_has_brokers, 3, 20000), 0);
	ck_assert_int_ge(fake_cluster_wait(&cluster, led, 9, 20000), 0);
	ck_assert_int_eq(stop_controller(pid, SIGTERM), 0);
	fake_cluster_close(&cluster);
	free(log);
}
END_TEST

START_TEST(no_znode_content_ends_the_process)
{
	static const char *const odd[] = {"", "{", "[]", "null", "{\"version\":3}", "{\"partitions\":{\"-1\":[1]}}",
					  "{\"version\":3,\"topic_id\":\"x\",\"partitions\":{\"0\":[1,1]}}", "\xff\xfe",
					  "{\"version\":1,\"leader\":7,\"leader_epoch\":-3,\"controller_epoch\":1,\"isr\":[1]}"};
	struct fake_cluster cluster;
	char *log = open_cluster(&cluster);
	char path[128];
	pid_t pid;

	start_three(&cluster);
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		snprintf(path, sizeof path, "/brokers/topics/odd%zu", i);
		fake_cluster_create(&cluster, path, odd[i]);
		snprintf(path, sizeof path, "/config/topics/odd%zu", i);
		fake_cluster_create(&cluster, path, odd[i]);
		snprintf(path, sizeof path, "/config/changes/config_change_%010zu", i);
		fake_cluster_create(&cluster, path, odd[i]);
		snprintf(path, sizeof path, "/isr_change_notification/isr_change_%010zu", i);
		fake_cluster_create(&cluster, path, odd[i]);
		snprintf(path, sizeof path, "/log_dir_event_notification/log_dir_event_%010zu", i);
		fake_cluster_create(&cluster, path, odd[i]);
		snprintf(path, sizeof path, "/config/brokers/%zu", i);
		fake_cluster_create(&cluster, path, odd[i]);
		snprintf(path, sizeof path, "/brokers/ids/%zu", 100 + i);
		fake_cluster_create(&cluster, path, odd[i]);
	}
	fake_cluster_create(&cluster, "/admin/reassign_partitions", "[7]");
	fake_cluster_create(&cluster, "/admin/preferred_replica_election", "");
	pid = start_controller(1, log);
	make_topic(&cluster, "good", 3, 3);
	ck_assert_int_ge(fake_cluster_wait(&cluster, led, 3, 20000), 0);
	/* The same while it is in office. */
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		snprintf(path, sizeof path, "/brokers/topics/late%zu", i);
		fake_cluster_create(&cluster, path, odd[i]);
		snprintf(path, sizeof path, "/config/changes/config_change_%010zu", 100 + i);
		fake_cluster_create(&cluster, path, odd[i]);
		snprintf(path, sizeof path, "/isr_change_notification/isr_change_%010zu", 100 + i);
		fake_cluster_create(&cluster, path, odd[i]);
		snprintf(path, sizeof path, "/log_dir_event_notification/log_dir_event_%010zu", 100 + i);
		fake_cluster_create(&cluster, path, odd[i]);
		fake_cluster_set(&cluster, "/brokers/topics/good/partitions/1/state", odd[i]);
		fake_cluster_set(&cluster, "/admin/reassign_partitions", odd[i]);
	}
	fake_cluster_create(&cluster, "/admin/delete_topics/odd1", NULL);
	fake_cluster_create(&cluster, "/admin/delete_topics/nothing", NULL);
	make_topic(&cluster, "better", 3, 3);
	ck_assert_int_ge(fake_cluster_wait(&cluster, led, 6, 20000), 0);
	ck_assert_int_ge(fake_cluster_wait(&cluster, is_gone, 0, 20000), 0);
	ck_assert_int_eq(stop_controller(pid, SIGTERM), 0);
	fake_cluster_close(&cluster);
	free(log);
}
END_TEST

START_TEST(a_controller_znode_removed_by_hand_begins_a_new_term)
{
	struct fake_cluster cluster;
	char *log = open_cluster(&cluster);
	pid_t pid;

	start_three(&cluster);
	pid = start_controller(1, log);
	make_topic(&cluster, "three", 3, 3);
	ck_assert_int_ge(fake_cluster_wait(&cluster, led, 3, 20000), 0);
	fake_cluster_delete(&cluster, "/controller");
	ck_assert_int_ge(fake_cluster_wait(&cluster, in_office, 2, 20000), 0);
	/* A controller epoch from elsewhere in a state is overtaken (KAFKA-20488). */
	fake_cluster_set(&cluster, "/brokers/topics/three/partitions/0/state",
			 "{\"version\":1,\"leader\":1,\"leader_epoch\":4,\"controller_epoch\":40,\"isr\":[1,2,3]}");
	fake_cluster_delete(&cluster, "/controller");
	ck_assert_int_ge(fake_cluster_wait(&cluster, in_office, 41, 20000), 0);
	ck_assert_int_ge(fake_cluster_wait(&cluster, led, 3, 20000), 0);
	ck_assert_int_eq(stop_controller(pid, SIGTERM), 0);
	fake_cluster_close(&cluster);
	free(log);
}
END_TEST

START_TEST(a_cluster_of_kafka_is_not_joined)
{
	struct fake_cluster cluster;
	char *log = open_cluster(&cluster);
	pid_t pid;
	int status;

	fake_cluster_create(&cluster, "/brokers/ids/9", "{\"version\":5,\"host\":\"h\",\"port\":1,\"jmx_port\":-1,\"timestamp\":\"1\","
							"\"endpoints\":[\"PLAINTEXT://h:1\"],\"listener_security_protocol_map\":"
							"{\"PLAINTEXT\":\"PLAINTEXT\"},\"features\":{}}");
	pid = start_controller(1, log);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	fake_cluster_close(&cluster);
	free(log);
}
END_TEST

/* Each case gets a ZooKeeper of its own; check runs cases in child processes. */
static void start_server(void)
{
	ck_assert(zk_server_start(&server, 1));
}

static void stop_server(void)
{
	zk_server_stop(&server);
}

int main(void)
{
	Suite *suite = suite_create("tools/controller/controller");
	TCase *tcase = tcase_create("controller");
	SRunner *runner;
	int failed;

	if (!zk_server_possible())
		return ZK_TEST_SKIP;
	tcase_add_checked_fixture(tcase, start_server, stop_server);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, ten_thousand_partitions_are_made_taken_over_led_and_deleted);
	tcase_add_test(tcase, leaders_move_when_a_broker_dies_and_configs_come_through);
	tcase_add_test(tcase, two_thousand_replicated_partitions_are_made_led_on_shrunk_and_handed_over);
	tcase_add_test(tcase, a_broker_that_cannot_be_dialled_is_led_around_until_it_can);
	tcase_add_test(tcase, no_znode_content_ends_the_process);
	tcase_add_test(tcase, a_controller_znode_removed_by_hand_begins_a_new_term);
	tcase_add_test(tcase, a_cluster_of_kafka_is_not_joined);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
