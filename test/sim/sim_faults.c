/* The script of faults; see sim_faults.h. */
#include "test/sim/sim_faults.h"

#include "broker/log/log_dir.h"
#include "common/error.h"
#include "common/memory.h"
#include "test/sim/sim.h"
#include "test/sim/sim_client.h"
#include "test/sim/sim_judge.h"
#include "test/sim/sim_operators.h"
#include "test/sim/sim_process.h"

#include <stdio.h>

#define FIRST_MS 4000
#define LAST_MS 42000

#define FAULTS(X)                                                                                                      \
	X(KILL, 8) X(POWER_CUT, 4) X(POWER_CUT_ALL, 1) X(STOP, 3) X(PAUSE, 5) X(ISOLATE, 4) X(CUT, 5) X(ONE_WAY, 4) X(RESET, 5) \
	X(KILL_CONTROLLER, 5) X(PAUSE_CONTROLLER, 2) X(ZK_SERVER, 3) X(ZK_AWAY, 2) X(ZK_LAG, 2) X(EXPIRE, 3) X(UNSEAT, 2) X(ELECT, 3) X(REASSIGN, 3) X(FULL_DISK, 2) X(FAILED_DISK, 1) X(SLOW_DISK, 3) X(SLOW_LINK, 2)

enum fault_kind {
#define X(name, weight) FAULT_##name,
	FAULTS(X)
#undef X
	N_FAULTS,
};

static const char *const names[] = {
#define X(name, weight) #name,
	FAULTS(X)
#undef X
};

static const int weights[] = {
#define X(name, weight) weight,
	FAULTS(X)
#undef X
};

struct fault {
	struct sim_event begin, end;
	enum fault_kind kind;
	int a, b;
	int64_t at_us, for_us;
	bool left_out;
	bool supervised; /* a parent ends the session of what was killed (D7) */
};

static struct fault faults[SIM_FAULTS_MAX];
static int n_faults;
static struct sim_event restarts[SIM_MACHINES];
static struct sim_event healing;

/* ---- up and down ---- */

static void on_restart(struct sim_event *event)
{
	struct sim_machine *machine = sim_machine((int)(event - restarts));

	machine->powered = true;
	if (!machine->process)
		sim_process_start(machine);
}

static void restart_in(struct sim_machine *machine, int64_t us)
{
	struct sim_event *event = &restarts[machine->id];

	event->run = on_restart;
	if (!sim_is_queued(event) || event->at_us < sim.now_us + us)
		sim_at(event, sim.now_us + us);
}

void sim_on_exit(struct sim_machine *machine, int status)
{
	/* Its disk has failed: what was not synced may be gone, as after a loss of power, and the kernel forgets it. */
	if (status && machine->disk) {
		sim_judge_power_cut(machine);
		fs_mem_evict(machine->disk);
	}
	if (!sim_is_queued(&restarts[machine->id]))
		restart_in(machine, sim_between(&sim.chance, 100, 1500) * SIM_MS);
}

/* A parent reaps the child and ends its session. */
struct reaping {
	struct sim_event event;
	int64_t session;
};

static void on_reaped(struct sim_event *event)
{
	sim_ensemble_expire(CONTAINER_OF(event, struct reaping, event)->session);
}

static void kill_process(struct fault *fault)
{
	struct sim_machine *machine = sim_machine(fault->a);
	struct reaping *reaping;

	if (!machine->process)
		return;
	sim.counters.kills++;
	if (fault->supervised) {
		reaping = NEW(struct reaping);
		reaping->event.run = on_reaped;
		reaping->session = machine->supervised.told_id;
		sim_at(&reaping->event, sim.now_us + sim_between(&sim.chance, 5, 40) * SIM_MS);
	}
	/* What the child before registered is known to be its own, if the parent lives on. */
	machine->supervised.old_session_id = fault->supervised ? machine->supervised.told_id : 0;
	sim_process_kill(machine);
	restart_in(machine, fault->for_us);
}

static void cut_power(struct sim_machine *machine, int64_t for_us)
{
	if (!machine->powered || !sim_judge_may_lose(machine))
		return;
	sim.counters.power_cuts++;
	machine->supervised.old_session_id = 0;
	sim_judge_power_cut(machine);
	sim_process_power_cut(machine);
	restart_in(machine, for_us);
}

/* ---- links ---- */

static void set_cut(int from, int to, bool cut)
{
	sim.cut[from][to] = cut;
}

static void isolate(int machine, bool cut)
{
	for (int other = 0; other < SIM_MACHINES; other++) {
		if (other == machine)
			continue;
		set_cut(machine, other, cut);
		set_cut(other, machine, cut);
	}
}

static void zookeepers(bool up, int n)
{
	for (int i = 0; i < n; i++)
		sim_ensemble_server(i, up);
}

/* ---- disks ---- */

/* Somebody else has taken all the room: what is given up can be used. */
static void take_room(struct sim_machine *machine)
{
	struct fs_space space;

	fs_space(fs_mem_fs(machine->disk), "/", &space);
	fs_mem_set_capacity(machine->disk, space.total_bytes - space.free_bytes);
}

static void break_disk(struct fault *fault)
{
	struct fs_mem_fault full = {.calls = FS_MEM_PWRITE | FS_MEM_CREATE, .error = ERR_NO_SPACE};
	struct fs_mem_fault failed = {.calls = FS_MEM_SYNCS, .error = ERR_IO, .times = 1};
	struct fs_mem *disk = sim_machine(fault->a)->disk;

	if (fault->kind == FAULT_FAILED_DISK && !sim_judge_may_lose(sim_machine(fault->a)))
		return;
	/* One of two log dirs: the broker goes on without it, until somebody sees to it at the end of the fault. */
	if (fault->kind == FAULT_FAILED_DISK && sim_settings.two_dirs) {
		failed.path = fault->supervised ? "/data2" : "/data/";
		failed.times = 0;
		sim.counters.failed_dirs++;
		sim_judge_power_cut(sim_machine(fault->a));
	}
	sim.counters.full_disks += fault->kind == FAULT_FULL_DISK;
	sim.counters.failed_disks += fault->kind == FAULT_FAILED_DISK;
	/* Now and then it is the kernel that finds out first, and nobody asks it yet. */
	if (fault->kind == FAULT_FAILED_DISK && !sim_settings.two_dirs && fault->b % 3 == 0) {
		fs_mem_fail_write_back(disk, "/data");
		return;
	}
	if (fault->kind == FAULT_FULL_DISK && fault->b % 3 == 0)
		take_room(sim_machine(fault->a));
	else
		fs_mem_add_fault(disk, fault->kind == FAULT_FULL_DISK ? &full : &failed);
}

void __real_log_dir_fail(struct log_dir *dir, int error, const char *what);
void __wrap_log_dir_fail(struct log_dir *dir, int error, const char *what);

void __wrap_log_dir_fail(struct log_dir *dir, int error, const char *what)
{
	sim.process->lacked_room |= error == ERR_NO_SPACE;
	__real_log_dir_fail(dir, error, what);
}

/* Who starts on a full disk may give up one of two log dirs until somebody has made room and starts it again. */
static void clear_disk(struct sim_machine *machine)
{
	fs_mem_clear_faults(machine->disk);
	fs_mem_set_capacity(machine->disk, SIM_DISK_BYTES);
	if (machine->process && machine->process->lacked_room)
		sim_process_stop(machine);
}

/* ---- each fault ---- */

static void pause(struct fault *fault)
{
	struct sim_machine *machine = sim_machine(fault->a);

	sim.counters.pauses++;
	machine->paused_until_us = sim.now_us + fault->for_us;
}

static void begin_cut(struct fault *fault)
{
	switch (fault->kind) {
	case FAULT_ISOLATE:
		sim.counters.cuts++;
		isolate(fault->a, true);
		break;
	case FAULT_CUT:
		sim.counters.cuts++;
		set_cut(fault->a, fault->b, true);
		set_cut(fault->b, fault->a, true);
		break;
	case FAULT_ONE_WAY:
		sim.counters.one_way_cuts++;
		set_cut(fault->a, fault->b, true);
		break;
	default:
		sim.counters.resets++;
		sim_reset_connections(fault->a, fault->b, fault->supervised);
		break;
	}
}

static void begin_zk(struct fault *fault)
{
	struct sim_machine *machine = sim_machine(fault->a % (SIM_BROKERS + SIM_CONTROLLERS));

	switch (fault->kind) {
	case FAULT_ZK_SERVER:
		sim.counters.zk_server_losses++;
		sim_ensemble_server(fault->b % SIM_ZOOKEEPERS, false);
		break;
	case FAULT_ZK_AWAY:
		zookeepers(false, SIM_ZOOKEEPERS - (int)(fault->at_us & 1));
		break;
	case FAULT_ZK_LAG:
		sim_ensemble_lag(fault->b % SIM_ZOOKEEPERS, fault->for_us / 8);
		break;
	case FAULT_UNSEAT:
		sim_ensemble_delete("/controller");
		break;
	default:
		if (machine->process)
			sim_ensemble_expire(machine->supervised.told_id);
		break;
	}
}

static void on_begin(struct sim_event *event)
{
	struct fault *fault = CONTAINER_OF(event, struct fault, begin);
	struct sim_machine *machine = sim_machine(fault->a);

	sim_say("fault %d: %s %d %d for %.3f s", (int)(fault - faults), names[fault->kind], fault->a, fault->b, (double)fault->for_us / 1e6);
	switch (fault->kind) {
	case FAULT_KILL:
	case FAULT_KILL_CONTROLLER:
		kill_process(fault);
		break;
	case FAULT_POWER_CUT:
		cut_power(machine, fault->for_us);
		break;
	case FAULT_POWER_CUT_ALL:
		for (int i = 0; i < SIM_BROKERS && sim_settings.fsync_isr; i++)
			cut_power(sim_machine(i), fault->for_us + i * fault->for_us / 3);
		break;
	case FAULT_STOP:
		sim.counters.clean_stops += machine->process != NULL;
		restart_in(machine, fault->for_us);
		sim_process_stop(machine);
		break;
	case FAULT_PAUSE:
	case FAULT_PAUSE_CONTROLLER:
		pause(fault);
		break;
	case FAULT_FULL_DISK:
	case FAULT_FAILED_DISK:
		break_disk(fault);
		break;
	case FAULT_ELECT:
		sim_clients_elect();
		break;
	case FAULT_REASSIGN:
		sim_clients_reassign(fault->b % SIM_PARTITIONS_MAX, fault->supervised ? -1 : fault->a);
		break;
	case FAULT_SLOW_DISK:
		sim.counters.slow_disks++;
		machine->disk_slow_until_us = sim.now_us + fault->for_us;
		break;
	case FAULT_SLOW_LINK:
		sim.slow_link_us = fault->for_us / 100;
		break;
	case FAULT_ISOLATE:
	case FAULT_CUT:
	case FAULT_ONE_WAY:
	case FAULT_RESET:
		begin_cut(fault);
		break;
	default:
		begin_zk(fault);
		break;
	}
	sim_at(&fault->end, sim.now_us + fault->for_us);
}

static void on_end(struct sim_event *event)
{
	struct fault *fault = CONTAINER_OF(event, struct fault, end);

	switch (fault->kind) {
	case FAULT_ISOLATE:
		isolate(fault->a, false);
		break;
	case FAULT_CUT:
	case FAULT_ONE_WAY:
		set_cut(fault->a, fault->b, false);
		set_cut(fault->b, fault->a, false);
		break;
	case FAULT_ZK_SERVER:
		sim_ensemble_server(fault->b % SIM_ZOOKEEPERS, true);
		break;
	case FAULT_ZK_AWAY:
		zookeepers(true, SIM_ZOOKEEPERS);
		break;
	case FAULT_ZK_LAG:
		sim_ensemble_lag(fault->b % SIM_ZOOKEEPERS, 0);
		break;
	case FAULT_SLOW_LINK:
		sim.slow_link_us = 0;
		break;
	case FAULT_FULL_DISK:
		clear_disk(sim_machine(fault->a));
		break;
	case FAULT_FAILED_DISK:
		clear_disk(sim_machine(fault->a));
		if (sim_settings.two_dirs)
			sim_process_stop(sim_machine(fault->a));
		break;
	default:
		break;
	}
}

static void on_healing(struct sim_event *event)
{
	(void)event;
	sim_say("everything is well again");
	for (int i = 0; i < SIM_MACHINES; i++) {
		struct sim_machine *machine = sim_machine(i);

		for (int j = 0; j < SIM_MACHINES; j++)
			sim.cut[i][j] = false;
		machine->paused_until_us = machine->disk_slow_until_us = 0;
		if (machine->disk)
			clear_disk(machine);
		if ((i < SIM_FIRST_ZOOKEEPER && !machine->process) || !machine->powered) {
			sim_cancel(&restarts[i]);
			restart_in(machine, sim_between(&sim.chance, 10, 500) * SIM_MS);
		}
	}
	sim.slow_link_us = 0;
	zookeepers(true, SIM_ZOOKEEPERS);
	for (int i = 0; i < SIM_ZOOKEEPERS; i++)
		sim_ensemble_lag(i, 0);
	sim_clients_finish();
	sim_operators_finish();
}

/* ---- the script ---- */

static enum fault_kind draw_kind(void)
{
	int sum = 0, at;

	for (int i = 0; i < N_FAULTS; i++)
		sum += weights[i];
	at = (int)sim_below(&sim.script, sum);
	for (int i = 0; i < N_FAULTS; i++) {
		at -= weights[i];
		if (at < 0)
			return (enum fault_kind)i;
	}
	return FAULT_KILL;
}

/* Short more often than long. */
static int64_t draw_duration_us(void)
{
	static const int64_t most_ms[] = {200, 1000, 3000, 8000, 15000};

	return sim_between(&sim.script, 30, most_ms[sim_below(&sim.script, ARRAY_LEN(most_ms))]) * SIM_MS;
}

int sim_faults_draw(void)
{
	n_faults = (int)sim_between(&sim.script, 4, 24);
	for (int i = 0; i < n_faults; i++) {
		struct fault *fault = &faults[i];
		bool of_controller;

		fault->kind = draw_kind();
		of_controller = fault->kind == FAULT_KILL_CONTROLLER || fault->kind == FAULT_PAUSE_CONTROLLER;
		fault->at_us = sim_between(&sim.script, FIRST_MS, LAST_MS) * SIM_MS;
		fault->for_us = draw_duration_us();
		fault->a = (int)sim_below(&sim.script, of_controller ? SIM_CONTROLLERS : SIM_BROKERS) + (of_controller ? SIM_FIRST_CONTROLLER : 0);
		fault->b = (int)sim_below(&sim.script, SIM_MACHINES - 1);
		fault->b += fault->b >= fault->a;
		fault->supervised = sim_below(&sim.script, 2);
		/* The ways of a one-way cut and of any cut, seen from the other end. */
		if ((fault->kind == FAULT_ONE_WAY || fault->kind == FAULT_CUT) && sim_below(&sim.script, 2)) {
			int a = fault->a;

			fault->a = fault->b;
			fault->b = a;
		}
		fault->begin.run = on_begin;
		fault->end.run = on_end;
	}
	return n_faults;
}

void sim_faults_leave_out(int i)
{
	faults[i].left_out = true;
}

void sim_faults_start(void)
{
	int64_t from_us = sim.now_us;

	for (int i = 0; i < n_faults; i++)
		if (!faults[i].left_out)
			sim_at(&faults[i].begin, from_us + faults[i].at_us);
	healing.run = on_healing;
	sim_at(&healing, from_us + 45 * SIM_S);
}

void sim_faults_print(void)
{
	for (int i = 0; i < n_faults; i++)
		if (!faults[i].left_out)
			printf("  %2d: %7.3f s %s %d %d for %.3f s%s\n", i, (double)faults[i].at_us / 1e6, names[faults[i].kind], faults[i].a,
			       faults[i].b, (double)faults[i].for_us / 1e6, faults[i].supervised ? " (supervised)" : "");
}
