/*
 * Three replica cores in a world of faults, from one seed; see core_world.h.
 *
 *     core_sim                        what `make check` runs: some seeds, some of them twice, every mutant
 *     core_sim --seeds A-B            seeds A to B; stops at the first violation
 *     core_sim --seed N [--mutant M]  one seed, telling what happens
 *     core_sim --mutants N            every mutant, each with at most N seeds; prints how many it took
 */
#include "test/sim/core_world.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK_SEEDS 3000
#define CHECK_MUTANT_SEEDS 4000
#define TWICE_EVERY 100

static const char *const mutant_texts[] = {
#define X(name, text) text,
	MUTANTS(X)
#undef X
};

static const char *const mutant_names[] = {
#define X(name, text) #name,
	MUTANTS(X)
#undef X
};

struct counter_row {
	const char *name;
	size_t offset;
};

static const struct counter_row counter_rows[] = {
#define X(name) {#name, offsetof(struct counters, name)},
	COUNTERS(X)
#undef X
};

#define N_COUNTERS (sizeof counter_rows / sizeof counter_rows[0])

static int64_t *counter(struct counters *counters, size_t i)
{
	return (int64_t *)(void *)((char *)counters + counter_rows[i].offset);
}

/* The world of one run at a time; large. */
static struct world world;

static bool run(uint64_t seed, enum mutant mutant, bool trace)
{
	bool good;

	world_init(&world, seed, mutant);
	world.trace = trace;
	good = world_run(&world);
	world_fini(&world);
	return good;
}

static bool run_seed(uint64_t seed, struct counters *sum)
{
	uint64_t hash;

	if (!run(seed, MUTANT_NONE, false)) {
		printf("seed %llu: %s\n", (unsigned long long)seed, world.failure);
		return false;
	}
	for (size_t i = 0; i < N_COUNTERS; i++)
		*counter(sum, i) += *counter(&world.counters, i);
	if (seed % TWICE_EVERY)
		return true;
	hash = world.hash;
	if (run(seed, MUTANT_NONE, false) && world.hash == hash)
		return true;
	printf("seed %llu: run twice, it ends in another hash\n", (unsigned long long)seed);
	return false;
}

static bool run_seeds(uint64_t from, uint64_t to)
{
	struct counters sum = {0};
	clock_t began = clock();

	for (uint64_t seed = from; seed <= to; seed++)
		if (!run_seed(seed, &sum))
			return false;
	printf("seeds %llu-%llu: no violation, %.1f s\n", (unsigned long long)from, (unsigned long long)to,
	       (double)(clock() - began) / CLOCKS_PER_SEC);
	for (size_t i = 0; i < N_COUNTERS; i++)
		printf("  %-20s %lld\n", counter_rows[i].name, (long long)*counter(&sum, i));
	/* A run that holds nothing of a kind shows nothing of it. */
	for (size_t i = 0; i < N_COUNTERS; i++) {
		if (*counter(&sum, i) > 0 || to - from < CHECK_SEEDS / 2)
			continue;
		printf("none of %s\n", counter_rows[i].name);
		return false;
	}
	return true;
}

static bool run_mutant(enum mutant mutant, uint64_t n_seeds)
{
	for (uint64_t seed = 1; seed <= n_seeds; seed++) {
		if (run(seed, mutant, false))
			continue;
		printf("%-72s seed %4llu: %s\n", mutant_texts[mutant], (unsigned long long)seed, world.failure);
		return true;
	}
	printf("%-72s NOT CAUGHT by %llu seeds\n", mutant_texts[mutant], (unsigned long long)n_seeds);
	return false;
}

static bool run_mutants(uint64_t n_seeds)
{
	bool good = true;

	for (int mutant = MUTANT_NONE + 1; mutant < N_MUTANTS; mutant++)
		good &= run_mutant((enum mutant)mutant, n_seeds);
	return good;
}

static enum mutant mutant_of(const char *name)
{
	for (int mutant = 0; mutant < N_MUTANTS; mutant++)
		if (strcmp(name, mutant_names[mutant]) == 0)
			return (enum mutant)mutant;
	fprintf(stderr, "core_sim: no mutant %s; there are", name);
	for (int mutant = 0; mutant < N_MUTANTS; mutant++)
		fprintf(stderr, " %s", mutant_names[mutant]);
	fprintf(stderr, "\n");
	exit(2);
}

static int usage(void)
{
	fprintf(stderr, "usage: core_sim [--seeds A-B | --seed N [--mutant NAME] | --mutants N]\n");
	return 2;
}

int main(int argc, char **argv)
{
	unsigned long long from, to;

	if (argc == 1)
		return run_seeds(1, CHECK_SEEDS) && run_mutants(CHECK_MUTANT_SEEDS) ? 0 : 1;
	if (argc == 3 && strcmp(argv[1], "--seeds") == 0 && sscanf(argv[2], "%llu-%llu", &from, &to) == 2)
		return run_seeds(from, to) ? 0 : 1;
	if (argc == 3 && strcmp(argv[1], "--mutants") == 0 && sscanf(argv[2], "%llu", &to) == 1)
		return run_mutants(to) ? 0 : 1;
	if ((argc == 3 || argc == 5) && strcmp(argv[1], "--seed") == 0 && sscanf(argv[2], "%llu", &from) == 1) {
		bool good = run(from, argc == 5 ? mutant_of(argv[4]) : MUTANT_NONE, true);

		printf("%s\n", good ? "no violation" : world.failure);
		return good ? 0 : 1;
	}
	return usage();
}
