/*
 * Processes: klamm-broker and klamm-controller as they are, each on a coroutine that waits in worker_run; see sim.h.
 *
 *     start -> node_run / controller_open ... worker_run --(waits; the kernel runs the loops)--> stop --> tear-down -> exit status
 *     kill -9, power cut: the coroutine is never gone on with
 *
 * What a killed process held stays allocated: the host process of the run ends soon.
 */
#include "test/sim/sim_process.h"

#include "broker/meta/broker_config.h"
#include "broker/node.h"
#include "broker/replica/shard.h"
#include "broker/rt/signals.h"
#include "broker/rt/supervisor.h"
#include "broker/rt/worker.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/properties.h"
#include "test/sim/sim.h"
#include "test/sim/sim_judge.h"
#include "tools/controller/controller.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define STACK_BYTES (512 * 1024)

struct coroutine {
	ucontext_t inside, outside;
	uint8_t stack[STACK_BYTES] __attribute__((aligned(16)));
};

struct sim_settings sim_settings;

struct sim_process *sim_enter(struct sim_process *process)
{
	struct sim_process *before = sim.process;

	sim.process = process;
	if (process && process->machine->disk)
		fs_mem_set_now(process->machine->disk, clock_wall_ms());
	return before;
}

void sim_leave(struct sim_process *before)
{
	sim.process = before;
}

/* ---- what runs ---- */

static void on_warning(void *ctx, const char *text)
{
	(void)ctx;
	sim_say("config: %s", text);
}

static void read_text(struct properties *properties, const char *text)
{
	struct error err;

	properties_init(properties);
	if (properties_parse(properties, slice_of_text(text), "sim", &err))
		sim_violation("config", "%s", err.text);
}

static int run_broker(const struct sim_machine *machine)
{
	struct config_warnings warnings = {on_warning, NULL};
	char *text = sim_broker_properties(machine->id + 1, machine->address);
	struct properties properties;
	struct broker_config *config;
	struct error err;
	int status;

	read_text(&properties, text);
	if (broker_config_load(&properties, &warnings, &config, &err))
		sim_violation("config", "%s", err.text);
	status = node_run(config, &sim.process->machine->supervised);
	broker_config_release(config);
	properties_fini(&properties);
	free(text);
	return status;
}

static void on_controller_signal(void *ctx, int signal_number)
{
	(void)signal_number;
	controller_stop(ctx);
}

static int run_controller(const struct sim_machine *machine)
{
	struct controller controller;
	struct controller_config config = {0};
	struct signals signals;
	struct worker worker;
	char *text = sim_controller_properties(machine->id - SIM_FIRST_CONTROLLER + 1);
	struct properties properties;
	struct error err;

	read_text(&properties, text);
	if (controller_config_load(&config, &properties, &err))
		sim_violation("config", "%s", err.text);
	CHECK(worker_init(&worker, "controller", 0) == 0);
	CHECK(signals_open(&signals, &worker.loop, on_controller_signal, &controller) == 0);
	if (controller_open(&controller, &config, &sim.process->machine->supervised, &worker, &err))
		sim_violation("config", "%s", err.text);
	worker_run(&worker);
	controller_close(&controller);
	signals_close(&signals);
	worker_drain(&worker);
	worker_fini(&worker);
	controller_config_fini(&config);
	properties_fini(&properties);
	free(text);
	return controller.status;
}

/* ---- coroutines ---- */

static void entry(void)
{
	struct sim_process *process = sim.process;
	struct coroutine *coroutine = process->context;

	process->exit_status = sim_is_broker(process->machine) ? run_broker(process->machine) : run_controller(process->machine);
	process->exited = true;
	swapcontext(&coroutine->inside, &coroutine->outside);
}

static void go_on(struct sim_process *process)
{
	struct coroutine *coroutine = process->context;
	struct sim_process *before = sim_enter(process);

	process->main_loop = NULL;
	swapcontext(&coroutine->outside, &coroutine->inside);
	sim_leave(before);
	if (!process->exited)
		return;
	process->alive = false;
	sim_close_all(process, false);
	if (process->machine->process == process)
		process->machine->process = NULL;
	/* Handles that are open now were forgotten, but the kernel closes them. */
	if (process->machine->disk)
		fs_mem_crash(process->machine->disk);
	sim_say("machine %d: process %lld has ended with %d", process->machine->id, (long long)process->number, process->exit_status);
	sim_judge_process_gone(process);
	sim_on_exit(process->machine, process->exit_status);
}

void sim_process_wait(void *loop)
{
	struct sim_process *process = sim.process;
	struct coroutine *coroutine = process->context;

	process->main_loop = loop;
	swapcontext(&coroutine->inside, &coroutine->outside);
}

void sim_process_resume(struct sim_process *process)
{
	go_on(process);
}

void sim_process_start(struct sim_machine *machine)
{
	static int64_t n_processes;
	struct sim_process *process = NEW(struct sim_process);
	struct coroutine *coroutine = memory_alloc(sizeof *coroutine);

	CHECK(!machine->process && machine->powered);
	process->machine = machine;
	process->alive = true;
	process->number = ++n_processes;
	process->context = coroutine;
	machine->process = process;
	sim_say("machine %d: process %lld starts", machine->id, (long long)process->number);
	getcontext(&coroutine->inside);
	coroutine->inside.uc_stack.ss_sp = coroutine->stack;
	coroutine->inside.uc_stack.ss_size = sizeof coroutine->stack;
	makecontext(&coroutine->inside, entry, 0);
	go_on(process);
}

static void end(struct sim_machine *machine, bool silent)
{
	struct sim_process *process = machine->process;

	if (!process)
		return;
	process->alive = false;
	machine->process = NULL;
	machine->listeners = NULL;
	sim_close_all(process, silent);
	sim_judge_process_gone(process);
}

void sim_process_kill(struct sim_machine *machine)
{
	sim_say("machine %d: kill -9", machine->id);
	end(machine, false);
	if (machine->disk)
		fs_mem_crash(machine->disk);
}

void sim_process_power_cut(struct sim_machine *machine)
{
	sim_say("machine %d: power cut", machine->id);
	machine->powered = false;
	end(machine, true);
	if (machine->disk)
		fs_mem_power_cut(machine->disk);
}

void sim_process_stop(struct sim_machine *machine)
{
	struct sim_process *process = machine->process, *before;

	if (!process || !process->on_signal)
		return;
	sim_say("machine %d: SIGTERM", machine->id);
	before = sim_enter(process);
	process->on_signal(process->signal_ctx, SIGTERM);
	sim_leave(before);
}

/* ---- parent and child (broker/rt/supervisor.h): the parent is a part of the script of faults ---- */

void supervised_tell_session(struct supervised *supervised, const struct zk_session *session)
{
	/* NULL: it is closed. */
	supervised->told_id = session ? zk_session_id(session) : 0;
}

int64_t supervised_old_session(const struct supervised *supervised)
{
	return supervised->old_session_id;
}

/* ---- shards, for the judge ---- */

int __real_shard_init(struct shard *shard, int index, int n_shards, struct shard **all, const struct broker_config *config);
int __wrap_shard_init(struct shard *shard, int index, int n_shards, struct shard **all, const struct broker_config *config);

int __wrap_shard_init(struct shard *shard, int index, int n_shards, struct shard **all, const struct broker_config *config)
{
	int r = __real_shard_init(shard, index, n_shards, all, config);

	if (r == 0 && index < (int)ARRAY_LEN(sim.process->shards)) {
		sim.process->shards[index] = shard;
		sim.process->n_shards = index + 1;
	}
	return r;
}
