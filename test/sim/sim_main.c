/*
 * The whole cluster from a seed; see sim.h and README.md.
 *
 *     sim --seed N [--without I,J,...] [--verbose]   one seed
 *     sim --seeds A-B [--jobs N]                     seeds A to B, each in a process of its own; what they held, against the floor
 *     sim --minimize N                               the shortest script of faults with which the seed still fails
 *     sim --corpus FILE                              every seed of a file: one a line, what follows is a remark
 *     sim                                            some seeds and the corpus, for `make check`
 *     sim_mutants --mutants N                        every fault of common/mutant.h, each with at most N seeds; --mutant NAME: one of them
 *     sim --list-mutants
 *     ... --plain                                    no operators (sim_operators.h), who are in even seeds else
 */
#include "common/memory.h"
#include "common/mutant.h"
#include "test/sim/sim.h"
#include "test/sim/sim_client.h"
#include "test/sim/sim_faults.h"
#include "test/sim/sim_judge.h"
#include "test/sim/sim_operators.h"
#include "test/sim/sim_process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_US (60 * SIM_S)
/* After everything is well again at 45 s: a new leader takes no gap for a verdict for half a minute, so long a producer may ask again. */
#define SETTLE_US (120 * SIM_S)
#define LOOK_US (200 * SIM_MS)
/* Of a run of which nothing is left out. */
#define EVENTS_MIN 20000
#define TWICE_EVERY 100
#define JOBS_MAX 16
/* What `make check` runs beside the corpus. */
#define CHECK_SEEDS 40

#ifdef KLAMM_COVERAGE
/* Of the compiler's library: what each branch has counted is written, since _exit does not (test/sim/coverage). */
void __gcov_dump(void);
#endif

struct options {
	bool verbose;
	bool without[SIM_FAULTS_MAX];
	int n_faults;
	int replication_factor;
	bool plain; /* also even seeds without operators */
	int mutant;
};

struct result {
	struct sim_counters counters;
	uint64_t hash;
	int n_faults;
};

#ifdef KLAMM_MUTANT
enum house_mutant house_mutant;
#endif

struct mutant_row {
	const char *name, *text;
};

static const struct mutant_row mutants[] = {
	{"NONE", "none"},
#define X(name, text) {#name, text},
	HOUSE_MUTANTS(X)
#undef X
};

/* ---- one run, in the process that ends with it ---- */

static struct sim_event look;
static int64_t began_us;

static void draw_settings(const struct options *options)
{
	struct sim_settings *s = &sim_settings;

	s->session_ms = sim_between(&sim.script, 2, 6) * 1000;
	s->lag_ms = sim_between(&sim.script, 1, 8) * 1000;
	s->n_workers = (int)sim_between(&sim.script, 1, 2);
	s->segment_bytes = sim_between(&sim.script, 8, 64) * 1024;
	s->fsync_isr = sim_below(&sim.script, 2);
	s->min_isr = sim_once_in(&sim.script, 5) ? 1 : 2;
	s->n_partitions = (int)sim_between(&sim.script, 1, SIM_PARTITIONS_MAX);
	s->replication_factor = options->replication_factor;
	if (s->replication_factor < s->min_isr)
		s->min_isr = s->replication_factor;
	/* Every second seed; the others stay what they are. */
	s->operators = sim.seed % 2 == 0 && !options->plain && s->replication_factor == SIM_BROKERS;
	if (!s->operators)
		return;
	s->two_dirs = sim_below(&sim.script, 2);
	s->unclean_by_file = sim_once_in(&sim.script, 4);
	s->min_isr_by_file = (int)sim_below(&sim.script, 3);
	s->rebalance = sim_below(&sim.script, 2);
	s->rebalance_s = (int)sim_between(&sim.script, 1, 12);
	s->drift_ms = (int)sim_between(&sim.script, 500, 20000);
	s->racks = sim_below(&sim.script, 2);
	s->no_deletion = sim_once_in(&sim.script, 16);
}

/* The end: after a minute, as soon as all has come together. */
static void on_look(struct sim_event *event)
{
	char why[256] = "";

	if (sim.now_us - began_us >= RUN_US && sim_judge_settled(why, sizeof why) && sim_clients_done() &&
	    sim_operators_done(why, sizeof why)) {
		sim_judge_end();
		sim.ended = true;
		return;
	}
	if (sim.now_us - began_us >= SETTLE_US)
		sim_violation("L6", "75 s after everything is well again: %s", why[0] ? why : "clients still wait");
	sim_at(event, sim.now_us + LOOK_US);
}

static bool leaves_out(const struct options *options)
{
	for (int i = 0; i < SIM_FAULTS_MAX; i++)
		if (options->without[i])
			return true;
	return false;
}

static void run(uint64_t seed, const struct options *options, struct result *ret_result)
{
	int n;

#ifdef KLAMM_MUTANT
	house_mutant = (enum house_mutant)options->mutant;
#endif
	sim.verbose = options->verbose;
	sim_init(seed);
	began_us = sim.now_us;
	sim.end_us = began_us + 2 * SETTLE_US;
	draw_settings(options);
	n = sim_faults_draw();
	for (int i = 0; i < n; i++)
		if (options->without[i])
			sim_faults_leave_out(i);
	if (options->verbose)
		sim_faults_print();
	sim_ensemble_init(20000);
	for (int i = 0; i < SIM_FIRST_ZOOKEEPER; i++)
		sim_process_start(sim_machine(i));
	sim_clients_start();
	sim_operators_start();
	sim_faults_start();
	look.run = on_look;
	sim_at(&look, began_us + RUN_US);
	sim_run();
	if (sim.counters.events < EVENTS_MIN && options->replication_factor == 3 && !leaves_out(options))
		sim_violation("seed", "only %lld events", (long long)sim.counters.events);
	memset(ret_result, 0, sizeof *ret_result);
	ret_result->counters = sim.counters;
	ret_result->hash = sim.hash;
	ret_result->n_faults = n;
}

/* ---- processes ---- */

struct job {
	pid_t pid;
	uint64_t seed;
	int pipe;
};

static bool begin(struct job *job, uint64_t seed, const struct options *options)
{
	int ends[2];

	fflush(stdout);
	if (pipe(ends) < 0 || (job->pid = fork()) < 0) {
		perror("sim");
		exit(1);
	}
	job->seed = seed;
	job->pipe = ends[0];
	if (job->pid > 0) {
		close(ends[1]);
		return true;
	}
	close(ends[0]);
	{
		struct result result;

		run(seed, options, &result);
		fflush(stdout);
#ifdef KLAMM_COVERAGE
		__gcov_dump();
#endif
		_exit(write(ends[1], &result, sizeof result) == sizeof result ? 0 : 1);
	}
}

/* True when the run is good. */
static bool end(struct job *job, struct result *ret_result)
{
	int status;
	bool whole = read(job->pipe, ret_result, sizeof *ret_result) == sizeof *ret_result;

	close(job->pipe);
	waitpid(job->pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("seed %llu: ended by signal %d (%s)\n", (unsigned long long)job->seed, WTERMSIG(status), strsignal(WTERMSIG(status)));
	return whole && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool run_apart(uint64_t seed, const struct options *options, struct result *ret_result)
{
	struct job job;

	begin(&job, seed, options);
	return end(&job, ret_result);
}

/* ---- many seeds ---- */

struct row {
	const char *name;
	size_t offset;
};

static const struct row rows[] = {
#define X(name) {#name, offsetof(struct sim_counters, name)},
	SIM_COUNTERS(X)
#undef X
};

static int64_t *counter(struct sim_counters *counters, size_t i)
{
	return (int64_t *)(void *)((char *)counters + rows[i].offset);
}

static void add(struct sim_counters *sum, struct sim_counters *more)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		*counter(sum, i) += *counter(more, i);
}

static bool run_twice(uint64_t seed, const struct options *options, uint64_t hash)
{
	struct result again;

	if (run_apart(seed, options, &again) && again.hash == hash)
		return true;
	printf("seed %llu: run twice, it ends in another hash\n", (unsigned long long)seed);
	return false;
}

/* A thousand seeds that hold less of a kind show nothing of it. */
static const struct {
	const char *name;
	int64_t least;
} floors[] = {
	{"elections", 2000},	  {"isr_changes", 5000}, {"truncations", 100},	       {"joins_under_load", 3000}, {"unclean_registrations", 300},
	{"kills", 1500},	  {"power_cuts", 500},	 {"clean_stops", 300},	       {"pauses", 800},		   {"cuts", 1000},
	{"controller_changes", 1000}, {"zk_losses", 200},	 {"expired_sessions", 1500},   {"slow_disks", 300},	   {"acks_all", 300000},
	{"unknown_outcomes", 50000},
};

static bool holds_enough(struct sim_counters *sum, uint64_t n_seeds)
{
	bool enough = true;

	for (size_t k = 0; k < ARRAY_LEN(floors); k++)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			if (n_seeds >= 1000 && strcmp(rows[i].name, floors[k].name) == 0 &&
			    *counter(sum, i) * 1000 < floors[k].least * (int64_t)n_seeds) {
				printf("too few %s: %lld are the least in 1,000 seeds\n", rows[i].name, (long long)floors[k].least);
				enough = false;
			}
	return enough;
}

static int run_seeds(uint64_t from, uint64_t to, int n_jobs, const struct options *options)
{
	struct job jobs[JOBS_MAX];
	struct sim_counters sum = {0};
	uint64_t next = from, n_good = 0, n_bad = 0;
	int n_running = 0;

	while (next <= to || n_running > 0) {
		struct result result;

		while (n_running < n_jobs && next <= to)
			begin(&jobs[n_running++], next++, options);
		if (end(&jobs[0], &result)) {
			n_good++;
			add(&sum, &result.counters);
			if (jobs[0].seed % TWICE_EVERY == 0 && !run_twice(jobs[0].seed, options, result.hash))
				n_bad++;
		} else {
			n_bad++;
		}
		memmove(&jobs[0], &jobs[1], (size_t)--n_running * sizeof *jobs);
	}
	printf("seeds %llu-%llu: %llu without a violation, %llu with one\n", (unsigned long long)from, (unsigned long long)to,
	       (unsigned long long)n_good, (unsigned long long)n_bad);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		printf("  %-22s %lld\n", rows[i].name, (long long)*counter(&sum, i));
	return n_bad || !holds_enough(&sum, n_good) ? 1 : 0;
}

/* ---- the minimizer ---- */

static bool fails(uint64_t seed, const struct options *options)
{
	struct result result;

	return !run_apart(seed, options, &result);
}

/* Leaves out halves, quarters, ... of what is left, then single faults, as long as the run still fails. */
static int minimize(uint64_t seed, struct options *options)
{
	struct result result;

	if (run_apart(seed, options, &result)) {
		printf("seed %llu does not fail\n", (unsigned long long)seed);
		return 1;
	}
	for (int size = SIM_FAULTS_MAX / 2; size > 0; size /= 2) {
		for (int at = 0; at < SIM_FAULTS_MAX; at += size) {
			struct options fewer = *options;

			for (int i = at; i < at + size; i++)
				fewer.without[i] = true;
			if (memcmp(&fewer, options, sizeof fewer) != 0 && fails(seed, &fewer))
				*options = fewer;
		}
	}
	printf("sim --seed %llu --without ", (unsigned long long)seed);
	for (int i = 0, n = 0; i < SIM_FAULTS_MAX; i++)
		if (options->without[i])
			printf("%s%d", n++ ? "," : "", i);
	printf("\n");
	return 0;
}

/* Each fault of the house must be seen by the judge, and soon. */
static bool run_mutant(int mutant, uint64_t n_seeds, int n_jobs, struct options options)
{
	struct job jobs[JOBS_MAX];
	struct result result;
	uint64_t next = 1;
	bool caught = false;
	int n_running = 0;

	options.mutant = mutant;
	printf("mutant %s: %s\n", mutants[mutant].name, mutants[mutant].text);
	while ((!caught && next <= n_seeds) || n_running > 0) {
		while (!caught && n_running < n_jobs && next <= n_seeds)
			begin(&jobs[n_running++], next++, &options);
		caught |= !end(&jobs[0], &result);
		memmove(&jobs[0], &jobs[1], (size_t)--n_running * sizeof *jobs);
	}
	if (!caught)
		printf("NOT CAUGHT by %llu seeds\n", (unsigned long long)n_seeds);
	return caught;
}

static int run_mutants(uint64_t n_seeds, int n_jobs, const struct options *options)
{
	int n_caught = 0;

	for (int mutant = 1; mutant < N_HOUSE_MUTANTS; mutant++)
		n_caught += run_mutant(mutant, n_seeds, n_jobs, *options);
	printf("%d of %d mutants are caught\n", n_caught, N_HOUSE_MUTANTS - 1);
	return n_caught == N_HOUSE_MUTANTS - 1 ? 0 : 1;
}

static int mutant_of(const char *name)
{
	for (int i = 0; i < (int)ARRAY_LEN(mutants); i++)
		if (strcmp(mutants[i].name, name) == 0)
			return i;
	fprintf(stderr, "sim: there is no mutant %s (--list-mutants)\n", name);
	exit(2);
}

static int list_mutants(void)
{
	for (int i = 1; i < (int)ARRAY_LEN(mutants); i++)
		printf("%-28s %s\n", mutants[i].name, mutants[i].text);
	return 0;
}

static int run_corpus(const char *path, const struct options *options)
{
	FILE *file = fopen(path, "r");
	unsigned long long seed;
	struct result result;
	int n = 0, n_bad = 0;
	char line[512];

	if (!file) {
		perror(path);
		return 2;
	}
	while (fgets(line, sizeof line, file)) {
		if (sscanf(line, "%llu", &seed) != 1)
			continue;
		n++;
		n_bad += !run_apart(seed, options, &result);
	}
	fclose(file);
	printf("%s: %d seeds, %d with a violation\n", path, n, n_bad);
	return n_bad ? 1 : 0;
}

/* Without arguments, as `make check` calls it. */
static int run_check(int jobs, const struct options *options)
{
	const char *source = getenv("KLAMM_SRCDIR");
	char path[1024];
	int status = run_seeds(1, CHECK_SEEDS, jobs, options);

	snprintf(path, sizeof path, "%s/test/sim/corpus", source ? source : ".");
	return status ? status : run_corpus(path, options);
}

/* ---- the command line ---- */

static int usage(void)
{
	fprintf(stderr, "usage: sim [--seed N | --seeds A-B | --minimize N | --corpus FILE | --list-mutants | --mutants N]\n"
			"           [--without I,J,...] [--mutant NAME] [--jobs N] [--rf N] [--plain] [--verbose]\n");
	return 2;
}

static void read_without(struct options *options, const char *text)
{
	while (*text) {
		char *end_of;
		long i = strtol(text, &end_of, 10);

		if (end_of == text)
			return;
		if (i >= 0 && i < SIM_FAULTS_MAX)
			options->without[i] = true;
		text = *end_of ? end_of + 1 : end_of;
	}
}

int main(int argc, char **argv)
{
	struct options options = {.replication_factor = 3};
	unsigned long long from = 1, to = 100;
	unsigned long long mutant_seeds = 0;
	const char *corpus = NULL;
	bool one = false, shorter = false;
	int jobs = (int)sysconf(_SC_NPROCESSORS_ONLN);
	struct result result;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (jobs < 1 || jobs > JOBS_MAX)
		jobs = 1;
	if (argc == 1)
		return run_check(jobs, &options);
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (strcmp(argv[i], "--list-mutants") == 0)
			return list_mutants();
		if (strcmp(argv[i], "--plain") == 0) {
			options.plain = true;
			continue;
		}
		if (strcmp(argv[i], "--verbose") == 0) {
			options.verbose = true;
			continue;
		}
		if (strcmp(argv[i], "--seed") == 0)
			one = sscanf(value, "%llu", &from) == 1;
		else if (strcmp(argv[i], "--minimize") == 0)
			shorter = sscanf(value, "%llu", &from) == 1;
		else if (strcmp(argv[i], "--seeds") != 0 || sscanf(value, "%llu-%llu", &from, &to) != 2) {
			if (strcmp(argv[i], "--without") == 0)
				read_without(&options, value);
			else if (strcmp(argv[i], "--jobs") == 0)
				jobs = atoi(value);
			else if (strcmp(argv[i], "--mutants") == 0)
				mutant_seeds = strtoull(value, NULL, 10);
			else if (strcmp(argv[i], "--mutant") == 0)
				options.mutant = mutant_of(value);
			else if (strcmp(argv[i], "--rf") == 0)
				options.replication_factor = atoi(value);
			else if (strcmp(argv[i], "--corpus") == 0)
				corpus = value;
			else
				return usage();
		}
		i++;
	}
	if (jobs < 1 || jobs > JOBS_MAX)
		jobs = 1;
	if (mutant_seeds)
		return run_mutants(mutant_seeds, jobs, &options);
	if (corpus)
		return run_corpus(corpus, &options);
	if (shorter)
		return minimize(from, &options);
	if (!one)
		return run_seeds(from, to, jobs, &options);
	if (!run_apart(from, &options, &result))
		return 1;
	printf("seed %llu: no violation; %lld events, hash %016llx\n", from, (long long)result.counters.events, (unsigned long long)result.hash);
	return 0;
}
