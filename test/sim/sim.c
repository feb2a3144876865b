/* Time, chance, events; see sim.h. The queue is a binary heap by (time, order of queueing). */
#include "test/sim/sim.h"

#include "common/check.h"
#include "common/clock.h"
#include "common/memory.h"
#include "test/sim/sim_judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first moment: not zero, so that nothing takes a time for "not set". */
#define START_US (1000 * SIM_S)
#define START_WALL_MS INT64_C(1700000000000)

struct sim sim;

/* ---- chance ---- */

uint64_t sim_random(struct sim_random *random)
{
	uint64_t z = (random->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

int64_t sim_below(struct sim_random *random, int64_t n)
{
	return n <= 0 ? 0 : (int64_t)(sim_random(random) % (uint64_t)n);
}

int64_t sim_between(struct sim_random *random, int64_t low, int64_t high)
{
	return low + sim_below(random, high - low + 1);
}

bool sim_once_in(struct sim_random *random, int64_t n)
{
	return sim_below(random, n) == 0;
}

int64_t sim_delay_us(int from, int to)
{
	int64_t delay_us = sim_between(&sim.chance, 40, 400) + sim.slow_link_us;

	if (from == to)
		return delay_us / 8;
	/* A packet that is sent again, now and then. */
	if (sim_once_in(&sim.chance, 2000))
		delay_us += sim_between(&sim.chance, 20 * SIM_MS, 250 * SIM_MS);
	return delay_us;
}

/* ---- events ---- */

struct queue {
	struct sim_event **heap; /* from 1 */
	int n, cap;
	uint64_t last_order;
};

static struct queue queue;

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void put(struct sim_event *event, int place)
{
	queue.heap[place] = event;
	event->place = place;
}

static void sift_up(struct sim_event *event, int place)
{
	for (; place > 1 && is_before(event, queue.heap[place / 2]); place /= 2)
		put(queue.heap[place / 2], place);
	put(event, place);
}

static void sift_down(struct sim_event *event, int place)
{
	for (;;) {
		int child = place * 2;

		if (child > queue.n)
			break;
		if (child < queue.n && is_before(queue.heap[child + 1], queue.heap[child]))
			child++;
		if (!is_before(queue.heap[child], event))
			break;
		put(queue.heap[child], place);
		place = child;
	}
	put(event, place);
}

void sim_cancel(struct sim_event *event)
{
	int place = event->place;
	struct sim_event *last;

	if (!place)
		return;
	event->place = 0;
	last = queue.heap[queue.n--];
	if (last == event)
		return;
	if (place > 1 && is_before(last, queue.heap[place / 2]))
		sift_up(last, place);
	else
		sift_down(last, place);
}

void sim_at(struct sim_event *event, int64_t at_us)
{
	sim_cancel(event);
	event->at_us = at_us > sim.now_us ? at_us : sim.now_us;
	event->order = ++queue.last_order;
	if (queue.n + 2 > queue.cap) {
		queue.cap = queue.cap ? queue.cap * 2 : 1024;
		queue.heap = memory_grow(queue.heap, (size_t)queue.cap * sizeof *queue.heap);
	}
	sift_up(event, ++queue.n);
}

void sim_mix(uint64_t number)
{
	sim.hash = (sim.hash ^ number) * UINT64_C(0x100000001b3);
	sim.hash ^= sim.hash >> 29;
}

void sim_run(void)
{
	while (queue.n > 0 && !sim.ended) {
		struct sim_event *event = queue.heap[1];

		if (event->at_us > sim.end_us)
			break;
		sim_cancel(event);
		sim.now_us = event->at_us;
		sim.counters.events++;
		sim_mix((uint64_t)event->at_us);
		event->run(event);
	}
	if (!sim.ended)
		sim.now_us = sim.end_us;
}

/* ---- the world ---- */

void sim_init(uint64_t seed)
{
	sim.seed = seed;
	sim.now_us = START_US;
	sim.hash = UINT64_C(0xcbf29ce484222325);
	sim.chance.state = seed * 3 + 1;
	sim.identity.state = seed * 3 + 2;
	sim.script.state = seed * 3 + 3;
	for (int i = 0; i < SIM_MACHINES; i++) {
		struct sim_machine *machine = &sim.machines[i];

		machine->id = i;
		machine->powered = true;
		snprintf(machine->address, sizeof machine->address, "10.0.0.%d", i + 1);
		machine->clock_offset_us = sim_below(&sim.script, 100000) * SIM_S;
		machine->clock_ppm = sim_between(&sim.script, -20000, 20000);
		machine->wall_offset_ms = sim_between(&sim.script, -2000, 2000);
		if (!sim_is_broker(machine))
			continue;
		machine->disk = fs_mem_new(sim_random(&sim.script));
		fs_mem_set_capacity(machine->disk, SIM_DISK_BYTES);
	}
}

int64_t sim_local_us(const struct sim_machine *machine)
{
	return machine->clock_offset_us + sim.now_us + sim.now_us / 1000 * machine->clock_ppm / 1000;
}

int64_t sim_global_us(const struct sim_machine *machine, int64_t local_us)
{
	int64_t since_us = local_us - machine->clock_offset_us;

	return since_us - since_us / 1000 * machine->clock_ppm / (1000 + machine->clock_ppm / 1000);
}

static const char *who(void)
{
	static char name[24];
	int id;

	if (!sim.process)
		return "--";
	id = sim.process->machine->id;
	snprintf(name, sizeof name, "%c%d", id < SIM_BROKERS ? 'b' : 'c', id < SIM_BROKERS ? id + 1 : id - SIM_FIRST_CONTROLLER + 1);
	return name;
}

void sim_say(const char *format, ...)
{
	va_list args;

	if (!sim.verbose)
		return;
	printf("%11.6f %s ", (double)(sim.now_us - START_US) / 1e6, who());
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void sim_violation(const char *rule, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	printf("seed %llu: %s at %.6f s (event %lld): %s\n", (unsigned long long)sim.seed, rule, (double)(sim.now_us - START_US) / 1e6,
	       (long long)sim.counters.events, text);
	fflush(stdout);
	_exit(SIM_EXIT_VIOLATION);
}

/* ---- the clocks of common/clock.h ---- */

int64_t clock_ns(void)
{
	return (sim.process ? sim_local_us(sim.process->machine) : sim.now_us) * 1000;
}

int64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}

int64_t clock_wall_ms(void)
{
	return START_WALL_MS + (sim.now_us - START_US) / 1000 + (sim.process ? sim.process->machine->wall_offset_ms : 0);
}
