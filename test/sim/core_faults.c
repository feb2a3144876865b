/* What goes wrong, and the clients; see core_world.h. */
#include "test/sim/core_world.h"

#define FAULTS_MS 25000
#define HEAL_MS 12000


void faults_plan(struct world *world)
{
	struct plan *plan = &world->plan;

	plan->min_isr = world_happens(world, 70) ? 2 : (int32_t)world_between(world, 1, 3);
	plan->fsync = world_happens(world, 50);
	plan->lag_ms = world_between(world, 800, 4000);
	plan->session_ms = world_between(world, 600, 1500);
	plan->produce_ms = world_between(world, 30, 200);
	plan->fault_ms = world_between(world, 150, 1500);
	plan->faults_end_ms = world->now_ms + FAULTS_MS;
	plan->end_ms = plan->faults_end_ms + HEAL_MS;
}

void faults_begin(struct world *world)
{
	world_after(world, 100, EVENT_PRODUCE, -1);
	world_after(world, 100, EVENT_LATEST, -1);
	world_after(world, 500, EVENT_FAULT, -1);
}

static struct node *any_node(struct world *world)
{
	return &world->nodes[world_chance(world, N_NODES)];
}

/* ---- faults ---- */

static void crash(struct world *world)
{
	struct node *node = any_node(world);
	bool lose_tail = world_happens(world, 50) && judge_may_lose(world, node);

	if (!node->up)
		return;
	node_crash(world, node, lose_tail);
	/* Its parent closes the session at once, unless it is gone, too (D7). That a machine should be back so fast is the worst case. */
	if (world_happens(world, 70) && !world->zk.away) {
		world->zk.session[node->index] = -1;
		world_after(world, world_between(world, 5, 15), EVENT_WATCH, -1);
	}
	world_after(world, world_between(world, 20, world_happens(world, 30) ? 6000 : 300), EVENT_RESTART, node->index);
}

static void pause_node(struct world *world)
{
	struct node *node = any_node(world);

	if (!node->up || world->now_ms < node->paused_until_ms)
		return;
	node->paused_until_ms = world->now_ms + world_between(world, 50, 3 * world->plan.session_ms);
	world->counters.pauses++;
	world_trace(world, "%d: stands still until %lld", node->index + 1, (long long)node->paused_until_ms);
}

static void lose_connection(struct world *world)
{
	int32_t from = world->n_conns > 6 ? world->n_conns - 6 : 0;

	if (world->n_conns == 0)
		return;
	world_lose(world, (int32_t)world_between(world, from, world->n_conns - 1));
	world->counters.lost_connections++;
}

static void part(struct world *world, int a, int b)
{
	world->cut[a][b] = world->cut[b][a] = true;
	for (int32_t i = 0; i < world->n_conns; i++)
		if ((world->conns[i].ends[0] == a && world->conns[i].ends[1] == b) ||
		    (world->conns[i].ends[0] == b && world->conns[i].ends[1] == a))
			world_lose(world, i);
	world_after(world, world_between(world, 100, 5000), EVENT_HEAL, -1)->arg = a * N_NODES + b;
}

static void partition(struct world *world)
{
	int a = (int)world_chance(world, N_NODES), b = (a + 1) % N_NODES, c = (a + 2) % N_NODES;

	part(world, a, b);
	if (world_happens(world, 50))
		part(world, a, c);
	world->counters.partitions++;
	/* From ZooKeeper and the controller, too. */
	if (world_happens(world, 40)) {
		world->nodes[a].zk_cut_until_ms = world->now_ms + world_between(world, 100, 5000);
		if (world->nodes[a].up)
			node_channel_lost(world, &world->nodes[a]);
	}
}

static void slow_network(struct world *world)
{
	any_node(world)->slow_until_ms = world->now_ms + world_between(world, 200, 6000);
}

static void lose_channel(struct world *world)
{
	struct node *node = any_node(world);

	if (node->up)
		node_channel_lost(world, node);
}

static void cut_from_zk(struct world *world)
{
	any_node(world)->zk_cut_until_ms = world->now_ms + world_between(world, 100, 2 * world->plan.session_ms);
}

static void crash_office(struct world *world)
{
	office_crash(world, world_between(world, 50, 3000));
}

static void take_zk_away(struct world *world)
{
	if (world->zk.away)
		return;
	world->zk.away = true;
	world->counters.zk_away++;
	world_trace(world, "zk: away");
	world_after(world, world_between(world, 500, 6000), EVENT_ZK_BACK, -1);
}

static void delete_records(struct world *world)
{
	struct node *node = any_node(world);

	if (world->now_ms >= node->paused_until_ms)
		node_delete_records(world, node);
}

static void on_fault(struct world *world)
{
	static void (*const faults[])(struct world *) = {
		crash,        crash,        crash,       pause_node,   pause_node,   lose_connection, lose_connection, partition,
		slow_network, slow_network, lose_channel, cut_from_zk, crash_office, take_zk_away,    delete_records,  delete_records,
		office_move_leader, office_move_leader,
	};

	if (world->now_ms >= world->plan.faults_end_ms)
		return;
	faults[world_chance(world, sizeof faults / sizeof faults[0])](world);
	world_after(world, world_between(world, 1, 2 * world->plan.fault_ms), EVENT_FAULT, -1);
}

static void on_heal(struct world *world, int64_t pair)
{
	int a = (int)pair / N_NODES, b = (int)pair % N_NODES;

	world->cut[a][b] = world->cut[b][a] = false;
}

static void on_zk_back(struct world *world)
{
	world->zk.away = false;
	world_trace(world, "zk: back");
	for (int i = 0; i < N_NODES; i++)
		world->zk.expires_ms[i] = world->now_ms + world->plan.session_ms;
	world_after(world, world->plan.session_ms, EVENT_WATCH, -1);
	world_after(world, 10, EVENT_WATCH, -1);
}

/* ---- clients ---- */

static void on_produce(struct world *world)
{
	bool ends = world->now_ms > world->plan.end_ms - 3000;
	int16_t acks = world_happens(world, 85) ? -1 : 1;
	int n = (int)world_between(world, 1, 4);

	if (ends)
		return;
	/* Whoever takes itself for the leader; several may. */
	for (int i = 0; i < N_NODES; i++)
		node_produce(world, &world->nodes[i], n, acks);
	world_after(world, world_between(world, 1, 2 * world->plan.produce_ms), EVENT_PRODUCE, -1);
}

static void on_latest(struct world *world)
{
	for (int i = 0; i < N_NODES; i++) {
		struct node *node = &world->nodes[i];
		struct replica_now now = world_now(world, node);

		if (!node->up || world->now_ms < node->paused_until_ms)
			continue;
		world->counters.fenced += node->core.role == REPLICA_LEADER && !replica_serves(&node->core, &now);
		if (replica_may_read(&node->core, &now, -1))
			continue;
		if (replica_knows_latest(&node->core) || world->mutant == MUTANT_LATEST_TOO_EARLY)
			judge_latest(world, node, node->core.high_watermark);
		else
			world->counters.hidden_latest++;
	}
	world_after(world, world_between(world, 20, 200), EVENT_LATEST, -1);
}

void faults_on_event(struct world *world, const struct event *event)
{
	switch (event->type) {
	case EVENT_PRODUCE:
		on_produce(world);
		break;
	case EVENT_LATEST:
		on_latest(world);
		break;
	case EVENT_FAULT:
		on_fault(world);
		break;
	case EVENT_HEAL:
		on_heal(world, event->arg);
		break;
	case EVENT_ZK_BACK:
		on_zk_back(world);
		break;
	default:
		break;
	}
}
