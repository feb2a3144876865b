/* Parent and child: real processes that live for milliseconds; what they do is counted in memory that they share. */
#include "test/lib/unit.h"

#include "broker/rt/signals.h"
#include "broker/rt/supervisor.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/refcount.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUNS_MAX 16
#define WAIT_MS 60000

/* Seen by the test, the parent, its children and its closers. */
struct world {
	struct shared_i64 n_runs, child, n_ended, ended_id, ended_while_alive, old_id[RUNS_MAX], n_fds[RUNS_MAX], began_ms[RUNS_MAX];
	uint8_t ended_password[ZK_PASSWORD_BYTES];
};

static struct world *world;

/* What a child does in its nth life. */
static int (*live)(int n);

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 3;
}

static int run(void *ctx, struct supervised *supervised)
{
	int n = (int)shared_i64_add(&world->n_runs, 1) - 1;

	ck_assert_ptr_eq(ctx, &world);
	shared_i64_set(&world->began_ms[n], clock_ms());
	shared_i64_set(&world->old_id[n], supervised_old_session(supervised));
	shared_i64_set(&world->n_fds[n], count_fds());
	shared_i64_set(&world->child, getpid());
	return live(n);
}

static int end_session(const char *connect, int64_t id, const uint8_t password[ZK_PASSWORD_BYTES], int64_t timeout_ms)
{
	pid_t child = (pid_t)shared_i64_get(&world->child);

	if (strcmp(connect, "zk:2181") != 0 || timeout_ms != 6000)
		return ERR_INVALID;
	/* The next child comes only later: this one must be gone, zombies included. */
	if (kill(child, 0) == 0)
		shared_i64_add(&world->ended_while_alive, 1);
	memcpy(world->ended_password, password, ZK_PASSWORD_BYTES);
	shared_i64_set(&world->ended_id, id);
	shared_i64_add(&world->n_ended, 1);
	return 0;
}

static struct supervisor_options options(void)
{
	struct supervisor_options options = supervisor_defaults();

	options.name = "klamm-test";
	options.zookeeper_connect = "zk:2181";
	options.session_timeout_ms = 6000;
	options.run = run;
	options.ctx = &world;
	options.end_session = end_session;
	return options;
}

/* A parent as a process of its own; the test is not to be its child's parent. */
static pid_t start_parent(int (*life)(int n), const struct supervisor_options *how)
{
	pid_t pid;

	world = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(world, MAP_FAILED);
	live = life;
	pid = fork();
	if (pid == 0) {
		signals_block();
		_exit(supervise(how));
	}
	ck_assert_int_gt(pid, 0);
	return pid;
}

static int wait_status(pid_t parent)
{
	int status;

	ck_assert_int_eq(waitpid(parent, &status, 0), parent);
	return status;
}

static void wait_for(struct shared_i64 *value, int64_t least)
{
	int64_t until_ms = clock_ms() + WAIT_MS;

	while (shared_i64_get(value) < least) {
		ck_assert_int_lt(clock_ms(), until_ms);
		poll(NULL, 0, 1);
	}
}

static bool is_gone(pid_t pid)
{
	char path[64], line[512] = "";
	FILE *stat;
	bool gone;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	stat = fopen(path, "r");
	if (!stat)
		return true;
	gone = !fgets(line, sizeof line, stat) || strstr(line, ") Z ") || strstr(line, ") X ");
	fclose(stat);
	return gone;
}

static void wait_gone(pid_t pid)
{
	int64_t until_ms = clock_ms() + WAIT_MS;

	while (!is_gone(pid)) {
		ck_assert_int_lt(clock_ms(), until_ms);
		poll(NULL, 0, 1);
	}
}

/* A session as zk_session_credentials sees it. */
static int64_t present_id;

bool zk_session_credentials(const struct zk_session *session, int64_t *ret_id, uint8_t ret_password[ZK_PASSWORD_BYTES])
{
	(void)session;
	*ret_id = present_id;
	memset(ret_password, (int)present_id, ZK_PASSWORD_BYTES);
	return present_id != 0;
}

static int exit_with_3(int n)
{
	(void)n;
	return 3;
}

static void __attribute__((noreturn)) sleep_for_good(void)
{
	for (;;)
		poll(NULL, 0, -1);
}

static int wait_for_the_end(int n)
{
	(void)n;
	sleep_for_good();
}

/* Ends well when it is told to, as a daemon does. */
static int wait_for_term(int n)
{
	sigset_t set;
	int number;

	(void)n;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigwait(&set, &number);
	return 7;
}

static int die_three_times(int n)
{
	if (n < 3)
		raise(SIGKILL);
	return 0;
}

START_TEST(a_child_that_exits_is_not_started_again_and_its_status_is_the_parents)
{
	struct supervisor_options how = options();
	int status = wait_status(start_parent(exit_with_3, &how));

	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 3);
	ck_assert_int_eq(shared_i64_get(&world->n_runs), 1);
	ck_assert_int_eq(shared_i64_get(&world->n_ended), 0);
}
END_TEST

START_TEST(a_child_that_is_killed_is_started_again_after_pauses_that_double)
{
	struct supervisor_options how = options();
	pid_t parent;

	how.pause_ms_min = 20;
	how.pause_ms_max = 60;
	parent = start_parent(die_three_times, &how);
	ck_assert_int_eq(wait_status(parent), 0);
	ck_assert_int_eq(shared_i64_get(&world->n_runs), 4);
	for (int i = 1; i < 4; i++)
		ck_assert_int_ge(shared_i64_get(&world->began_ms[i]) - shared_i64_get(&world->began_ms[i - 1]), i == 1 ? 20 : i == 2 ? 40 : 60);
}
END_TEST

START_TEST(after_a_calm_life_the_pause_is_short_again)
{
	struct supervisor_options how = options();

	/* Every life counts as calm: without that the third pause would be ten minutes long. */
	how.pause_ms_min = 1;
	how.pause_ms_max = 600000;
	how.calm_ms_min = 0;
	ck_assert_int_eq(wait_status(start_parent(die_three_times, &how)), 0);
	ck_assert_int_eq(shared_i64_get(&world->n_runs), 4);
}
END_TEST

/* The first two lives end with two sessions each, of which the first has expired; each sees whose heir it is. */
static int run_with_sessions(void *ctx, struct supervised *supervised)
{
	int n = (int)shared_i64_add(&world->n_runs, 1) - 1;

	(void)ctx;
	shared_i64_set(&world->old_id[n], supervised_old_session(supervised));
	shared_i64_set(&world->child, getpid());
	/* The test must see what was ended for the child before. */
	wait_for(&world->n_ended, n);
	if (n == 2)
		return 0;
	for (int i = 1; i <= 2; i++) {
		present_id = 10 * (n + 1) + i;
		supervised_tell_session(supervised, (const struct zk_session *)world);
		supervised_tell_session(supervised, (const struct zk_session *)world);
	}
	raise(SIGKILL);
	return 0;
}

START_TEST(the_last_session_of_a_dead_child_is_ended_and_the_next_child_knows_it)
{
	struct supervisor_options how = options();

	how.run = run_with_sessions;
	how.pause_ms_min = 1;
	ck_assert_int_eq(wait_status(start_parent(NULL, &how)), 0);
	ck_assert_int_eq(shared_i64_get(&world->n_runs), 3);
	ck_assert_int_eq(shared_i64_get(&world->n_ended), 2);
	ck_assert_int_eq(shared_i64_get(&world->ended_id), 22);
	for (int i = 0; i < ZK_PASSWORD_BYTES; i++)
		ck_assert_int_eq(world->ended_password[i], 22);
	ck_assert_int_eq(shared_i64_get(&world->old_id[0]), 0);
	ck_assert_int_eq(shared_i64_get(&world->old_id[1]), 12);
	ck_assert_int_eq(shared_i64_get(&world->old_id[2]), 22);
}
END_TEST

/* Tells its session and is then killed by the test; the next one waits. */
static int run_one_session(void *ctx, struct supervised *supervised)
{
	(void)ctx;
	present_id = 5;
	supervised_tell_session(supervised, (const struct zk_session *)world);
	shared_i64_set(&world->child, getpid());
	shared_i64_add(&world->n_runs, 1);
	sleep_for_good();
}

START_TEST(a_session_is_ended_only_when_its_process_is_gone)
{
	struct supervisor_options how = options();
	pid_t parent;

	how.run = run_one_session;
	how.pause_ms_min = WAIT_MS;
	parent = start_parent(NULL, &how);
	wait_for(&world->n_runs, 1);
	kill((pid_t)shared_i64_get(&world->child), SIGKILL);
	wait_for(&world->n_ended, 1);
	ck_assert_int_eq(shared_i64_get(&world->ended_while_alive), 0);
	/* Told to stop while it pauses: nothing is started any more. */
	kill(parent, SIGTERM);
	ck_assert_int_eq(wait_status(parent), 0);
	ck_assert_int_eq(shared_i64_get(&world->n_runs), 1);
}
END_TEST

START_TEST(signals_are_passed_on_and_the_status_comes_up)
{
	struct supervisor_options how = options();
	pid_t parent = start_parent(wait_for_term, &how);
	int status;

	wait_for(&world->child, 1);
	kill(parent, SIGTERM);
	status = wait_status(parent);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 7);
	ck_assert_int_eq(shared_i64_get(&world->n_runs), 1);
}
END_TEST

START_TEST(a_child_killed_while_it_stops_is_not_started_again)
{
	struct supervisor_options how = options();
	pid_t parent = start_parent(wait_for_the_end, &how);
	int status;

	wait_for(&world->child, 1);
	kill(parent, SIGTERM);
	/* The parent takes them in this order. */
	kill((pid_t)shared_i64_get(&world->child), SIGKILL);
	status = wait_status(parent);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 128 + SIGKILL);
	ck_assert_int_eq(shared_i64_get(&world->n_runs), 1);
}
END_TEST

START_TEST(the_child_dies_with_its_parent)
{
	struct supervisor_options how = options();
	pid_t parent = start_parent(wait_for_the_end, &how);

	wait_for(&world->child, 1);
	kill(parent, SIGKILL);
	wait_status(parent);
	wait_gone((pid_t)shared_i64_get(&world->child));
}
END_TEST

START_TEST(a_child_has_one_descriptor_more_than_its_parent_had)
{
	struct supervisor_options how = options();
	int before = count_fds();

	how.pause_ms_min = 1;
	ck_assert_int_eq(wait_status(start_parent(die_three_times, &how)), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(shared_i64_get(&world->n_fds[i]), before + 1);
}
END_TEST

START_TEST(without_a_parent_nothing_is_told)
{
	supervised_tell_session(NULL, NULL);
	ck_assert_int_eq(supervised_old_session(NULL), 0);
}
END_TEST

UNIT_MAIN("broker/rt/supervisor", a_child_that_exits_is_not_started_again_and_its_status_is_the_parents,
	  a_child_that_is_killed_is_started_again_after_pauses_that_double, after_a_calm_life_the_pause_is_short_again,
	  the_last_session_of_a_dead_child_is_ended_and_the_next_child_knows_it, a_session_is_ended_only_when_its_process_is_gone,
	  signals_are_passed_on_and_the_status_comes_up, a_child_killed_while_it_stops_is_not_started_again,
	  the_child_dies_with_its_parent, a_child_has_one_descriptor_more_than_its_parent_had, without_a_parent_nothing_is_told)
