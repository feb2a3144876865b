/*
 * The kernel of the cluster simulation: virtual time, chance, events, machines and processes. One run is one process of the host (sim_main.c
 * forks), so that what a killed node leaves behind goes with it and nothing is carried from one seed to the next.
 *
 *     sim_run: earliest event -> its run() -> judge -> next event           one thread, one queue, one seed
 *
 *     machine   a host with an address, a clock of its own (offset, rate) and a disk (page cache and platter)
 *     process   one incarnation of klamm-broker or klamm-controller on a machine: production code on a coroutine; kill -9 leaves it lying
 *
 * What stands below the production code is chosen at link time: sim_rt.c (loop, worker, disk, signals), sim_system.c (sockets, files, chance),
 * sim_zk.c (the ZooKeeper library). There is one world in a host process, so that calls without a context (socket, clock) can find it.
 */
#ifndef KLAMM_TEST_SIM_SIM_H
#define KLAMM_TEST_SIM_SIM_H

#include "broker/rt/supervisor.h"
#include "test/lib/fs_mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_BROKERS 3
#define SIM_CONTROLLERS 2
#define SIM_ZOOKEEPERS 3
#define SIM_CLIENTS 1
#define SIM_MACHINES (SIM_BROKERS + SIM_CONTROLLERS + SIM_ZOOKEEPERS + SIM_CLIENTS)

/* More than is ever written in a seed. A log dir keeps a part of it in reserve. */
#define SIM_DISK_BYTES (64 << 20)

/* Machines by their kind; broker ids are machine + 1. */
#define SIM_FIRST_CONTROLLER SIM_BROKERS
#define SIM_FIRST_ZOOKEEPER (SIM_FIRST_CONTROLLER + SIM_CONTROLLERS)
#define SIM_CLIENT (SIM_FIRST_ZOOKEEPER + SIM_ZOOKEEPERS)

#define SIM_MS INT64_C(1000)
#define SIM_S INT64_C(1000000)
#define SIM_NEVER INT64_MAX

/* ---- events ---- */

/* Embedded in what it serves; zeroed before its first use. Runs once at its time. */
struct sim_event {
	int64_t at_us;
	uint64_t order;
	int place; /* in the queue, from 1; 0: not queued */
	void (*run)(struct sim_event *event);
};

/* Queues it, or moves it when it is queued. */
void sim_at(struct sim_event *event, int64_t at_us);
void sim_cancel(struct sim_event *event);

static inline bool sim_is_queued(const struct sim_event *event)
{
	return event->place > 0;
}

/* ---- chance ---- */

struct sim_random {
	uint64_t state;
};

uint64_t sim_random(struct sim_random *random);
/* 0 .. n-1; 0 for n <= 0. */
int64_t sim_below(struct sim_random *random, int64_t n);
/* low .. high. */
int64_t sim_between(struct sim_random *random, int64_t low, int64_t high);
/* Once in n. */
bool sim_once_in(struct sim_random *random, int64_t n);

/* ---- machines and processes ---- */

struct sim_loop;
struct sim_process;
struct vfd;
struct shard;

struct sim_machine {
	int id;
	char address[24];
	bool powered;
	struct fs_mem *disk; /* of a broker */
	int64_t clock_offset_us;
	int64_t clock_ppm;   /* its seconds are so much shorter */
	int64_t wall_offset_ms;
	int64_t paused_until_us;
	int64_t disk_slow_until_us; /* syncs take long */
	struct supervised supervised;
	struct sim_process *process; /* NULL: none runs */
	struct vfd *listeners;
};

/* What a run held, so that one can see that the seeds hold what they are there for. */
#define SIM_COUNTERS(X)                                                                                                       \
	X(events) X(elections) X(isr_changes) X(truncations) X(truncated_records) X(joins_under_load) X(unclean_registrations) X(kills) \
	X(power_cuts) X(clean_stops) X(pauses) X(cuts) X(one_way_cuts) X(resets) X(controller_changes) X(zk_losses) X(zk_server_losses) X(elections_asked) X(reassignments) X(full_disks) X(failed_disks) \
	X(expired_sessions) X(slow_disks) X(acks) X(acks_all) X(unknown_outcomes) X(duplicates_refused) X(retries_unknown) X(refused) X(reads)       \
	X(records_read) X(latest_hidden) X(waits_by_design) X(operator_acts) \
	X(operator_answers) X(hand_edits) X(failed_dirs) X(served_without_lease) X(reads_near_by)

struct sim_counters {
#define X(name) int64_t name;
	SIM_COUNTERS(X)
#undef X
};

struct sim {
	uint64_t seed;
	int64_t now_us;
	int64_t end_us;
	uint64_t hash;
	bool verbose;
	bool ended;
	struct sim_counters counters;
	struct sim_random chance;   /* delays and the like */
	struct sim_random identity; /* what production code draws */
	struct sim_random script;   /* faults, before the run */
	struct sim_machine machines[SIM_MACHINES];
	bool cut[SIM_MACHINES][SIM_MACHINES]; /* from, to */
	int64_t slow_link_us;                 /* added to delays */
	int64_t contact_us[SIM_MACHINES][SIM_MACHINES]; /* from, to: when bytes last came through */
	struct sim_process *process;          /* whose code runs; NULL: the world's */
};

extern struct sim sim;

void sim_init(uint64_t seed);

/* Runs events until end_us, or until sim.ended. */
void sim_run(void);

/* The run has shown a fault of the house: says which and ends this host process with SIM_EXIT_VIOLATION. */
#define SIM_EXIT_VIOLATION 10
void sim_violation(const char *rule, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

/* One line of what happens, in verbose runs. */
void sim_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Mixes a number into the hash of the run. */
void sim_mix(uint64_t number);

/* The clock of a machine at this moment, and the moment when it will show a time. */
int64_t sim_local_us(const struct sim_machine *machine);
int64_t sim_global_us(const struct sim_machine *machine, int64_t local_us);

static inline struct sim_machine *sim_machine(int id)
{
	return &sim.machines[id];
}

static inline bool sim_is_broker(const struct sim_machine *machine)
{
	return machine->id < SIM_BROKERS;
}

/* May a packet pass now? */
static inline bool sim_passes(int from, int to)
{
	return !sim.cut[from][to] && sim.machines[to].powered;
}

/* How long a packet takes. */
int64_t sim_delay_us(int from, int to);

/* ---- processes (sim_process.c) ---- */

struct sim_process {
	struct sim_machine *machine;
	bool alive;
	int64_t number;
	void *context;   /* of the coroutine */
	void *main_loop; /* the loop of worker_run, while it waits */
	int exit_status;
	bool exited;
	bool lacked_room; /* a log dir could not be loaded on a full disk */
	void (*on_signal)(void *ctx, int signal_number);
	void *signal_ctx;
	struct vfd *vfds; /* open ones */
	struct shard *shards[4];
	int n_shards;
};

/* Starts the program of a machine. */
void sim_process_start(struct sim_machine *machine);
/* kill -9: memory is gone, the page cache stays; the kernel closes its sockets. */
void sim_process_kill(struct sim_machine *machine);
/* The machine loses power: also what was not synced, and nobody is told. */
void sim_process_power_cut(struct sim_machine *machine);
/* SIGTERM. */
void sim_process_stop(struct sim_machine *machine);
/* From worker_run on the coroutine: waits until the loop is to stop. */
void sim_process_wait(void *loop);
/* Goes on behind sim_process_wait. */
void sim_process_resume(struct sim_process *process);
/* Told when a process has ended by itself. */
void sim_on_exit(struct sim_machine *machine, int status);

/* Runs code of a process, which sees its clock and its disk. */
struct sim_process *sim_enter(struct sim_process *process);
void sim_leave(struct sim_process *before);

/* ---- descriptors and sockets (sim_socket.c) ---- */

#define VFD_BASE (1 << 24)

enum vfd_kind { VFD_EVENT, VFD_SOCKET, VFD_LISTENER, VFD_ZK };

struct connection;
struct loop_fd;

struct vfd {
	int number;
	enum vfd_kind kind;
	struct sim_process *process; /* NULL: of the world */
	struct vfd *next, **link;    /* of the process */
	struct loop_fd *watcher;
	bool edge, fresh;            /* edge-triggered; something is new */
	int64_t count;               /* VFD_EVENT; VFD_ZK: messages to be taken */
	/* Sockets. */
	struct connection *connection;
	int side;
	bool connected;
	int error;
	uint32_t ip;
	uint16_t port;
	/* Listeners. */
	struct vfd *next_listener;
	struct connection *waiting, **waiting_tail;
	/* Of the world: something can be read, or the connection is over. */
	void (*on_news)(void *ctx);
	void *ctx;
};

struct vfd *vfd_new(enum vfd_kind kind);
/* NULL when it is closed or none. */
struct vfd *vfd_find(int number);
unsigned vfd_ready(const struct vfd *vfd);
/* Its readiness may have changed: wakes who watches. */
void vfd_news(struct vfd *vfd);
void vfd_close(struct vfd *vfd);

/* The calls of the system for a socket; -1 and errno as there. */
int vfd_connect(struct vfd *vfd, uint32_t ip, uint16_t port);
int vfd_listen(struct vfd *vfd);
struct vfd *vfd_accept(struct vfd *listener, uint32_t *ret_ip, uint16_t *ret_port);
int64_t vfd_send(struct vfd *vfd, const void *data, size_t len);
int64_t vfd_recv(struct vfd *vfd, void *data, size_t len);

/* A connection of a client of the world. */
struct vfd *sim_dial(int from, int to, uint16_t port, void (*on_news)(void *ctx), void *ctx);

/* All connections between two machines are reset; with one_sided only the first hears of it. */
void sim_reset_connections(int a, int b, bool one_sided);
/* The end of a process: its sockets are closed by the kernel, or vanish with the machine. */
void sim_close_all(struct sim_process *process, bool silent);

/* ---- loops (sim_rt.c) ---- */

struct loop;
struct worker;

void sim_loop_wake(struct loop *loop);
/* The worker whose code runs. */
void sim_set_worker(struct worker *worker);

/* ---- ZooKeeper (sim_ensemble.c) ---- */

void sim_ensemble_init(int64_t session_ms_max);
/* A server is gone or back; without a majority none serves. */
void sim_ensemble_server(int server, bool up);
/* Its answers lag behind by so much. */
void sim_ensemble_lag(int server, int64_t lag_us);
/* The session ends now (another client with its password closes it, or an operator). */
void sim_ensemble_expire(int64_t session);
/* Somebody deletes a node without children, if it is there, or puts a text into one. False: there is no majority to do it. */
bool sim_ensemble_delete(const char *path);
bool sim_ensemble_put(const char *path, const char *text);

/* Nobody but an operator may write this node and those below (its ACL); NULL: all may write all. */
void sim_ensemble_refuse(const char *path);

/* When a session was closed; -1: it is not, or there is none. */
int64_t sim_ensemble_closed_us(int64_t session);

/* What is committed, for the judge; NULL and 0 when there is no such node. */
const char *sim_ensemble_data(const char *path, size_t *ret_len, int32_t *ret_version, int64_t *ret_czxid, int64_t *ret_owner);
/* Told after each committed change of a node. */
void sim_judge_znode(const char *path);

/* A node was written by somebody; fenced: together with a check of the controller epoch. */
void sim_judge_write(const char *path, bool fenced);
/* All paths below a folder, in no order. */
void sim_ensemble_each(const char *below, void (*each)(void *ctx, const char *path), void *ctx);

#endif
