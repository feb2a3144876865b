/* Nodes below /admin in random worlds; see ctl_world.h. */
#include "test/unit/tools/controller/ctl_world.h"

#include <check.h>
#include <string.h>

static struct world_legacy *node_of(struct world *world, bool elections)
{
	return elections ? &world->elections : &world->reassignments;
}

static void push_change(struct world *world, bool elections)
{
	world->zxid++;
	ctl_world_push_news(world, elections ? CTL_READ_ELECTIONS : CTL_READ_REASSIGNMENTS, -1);
}

/* ---- somebody writes ---- */

/* Partitions and topics that are not there are among them, and brokers in any order. */
static struct world_wish draw_wish(struct world *world, bool elections)
{
	struct world_wish wish = {.topic = (int)ctl_world_draw(world, WORLD_TOPICS), .partition = (int32_t)ctl_world_draw(world, WORLD_PARTITIONS)};
	int first = (int)ctl_world_draw(world, WORLD_BROKERS);

	for (int i = 0; i < WORLD_REPLICAS && !elections; i++)
		if (i == 0 || ctl_world_draw(world, 2) == 0)
			wish.replicas[wish.n_replicas++] = (first + i) % WORLD_BROKERS;
	return wish;
}

/*
 * A node that is deleted and made again before the controller has looked bears the version of the first one, and nobody can tell them apart:
 * here it bears the next one, as if it had been changed.
 */
void ctl_world_wish(struct world *world)
{
	bool elections = ctl_world_draw(world, 3) == 0;
	struct world_legacy *node = node_of(world, elections);

	if (node->exists && ctl_world_draw(world, 4) == 0) {
		*node = (struct world_legacy){0};
		push_change(world, elections);
		return;
	}
	node->version = ++world->node_version;
	node->exists = true;
	node->n_wishes = (int)ctl_world_draw(world, WORLD_WISHES + 1);
	for (int i = 0; i < node->n_wishes; i++)
		node->wishes[i] = draw_wish(world, elections);
	world->n_wished += node->n_wishes;
	push_change(world, elections);
}

void ctl_world_wish_move(struct world *world, const int32_t *target, int n_target)
{
	struct world_legacy *node = &world->reassignments;

	*node = (struct world_legacy){.exists = true, .n_wishes = 1, .wishes = {{.n_replicas = n_target}}};
	memcpy(node->wishes[0].replicas, target, (size_t)n_target * sizeof *target);
	push_change(world, false);
}

/* ---- ZooKeeper ---- */

void ctl_world_answer_legacy(const struct world *world, struct ctl_event *event, struct arena *arena)
{
	const struct world_legacy *node = event->read == CTL_READ_ELECTIONS ? &world->elections : &world->reassignments;
	struct ctl_legacy_read *read = arena_zalloc(arena, 1, sizeof *read);
	struct ctl_legacy_wish *wishes = arena_zalloc(arena, WORLD_WISHES, sizeof *wishes);

	read->found = node->exists ? CTL_FOUND : CTL_ABSENT;
	read->version = node->exists ? node->version : -1;
	read->wishes = wishes;
	read->n_wishes = node->exists ? node->n_wishes : 0;
	for (int i = 0; i < read->n_wishes; i++)
		wishes[i] = (struct ctl_legacy_wish){ctl_world_topic_name(node->wishes[i].topic), node->wishes[i].partition,
						     node->wishes[i].replicas, node->wishes[i].n_replicas};
	event->legacy = read;
}

static int number_of(struct slice topic)
{
	for (int i = 0; i < WORLD_TOPICS; i++)
		if (slice_equal(ctl_world_topic_name(i), topic))
			return i;
	ck_abort_msg("a topic that nobody named");
	return -1;
}

void ctl_world_note_wishes(struct world_op *op, const struct ctl_write *write)
{
	ck_assert_int_le(write->n_wishes, WORLD_WISHES);
	op->legacy = (struct world_legacy){.exists = write->n_wishes > 0, .version = write->version + 1, .n_wishes = write->n_wishes};
	for (int i = 0; i < write->n_wishes; i++) {
		struct world_wish *wish = &op->legacy.wishes[i];

		*wish = (struct world_wish){.topic = number_of(write->wishes[i].topic),
					    .partition = write->wishes[i].partition,
					    .n_replicas = write->wishes[i].n_replicas};
		memcpy(wish->replicas, write->wishes[i].replicas, (size_t)wish->n_replicas * sizeof wish->replicas[0]);
	}
}

/* Nothing is ever put into a node by the controller. */
static bool is_named(const struct world_legacy *node, const struct world_wish *wish)
{
	for (int i = 0; i < node->n_wishes; i++)
		if (memcmp(&node->wishes[i], wish, sizeof *wish) == 0)
			return true;
	return false;
}

int ctl_world_write_legacy(struct world *world, const struct world_op *op, int32_t *ret_version)
{
	bool elections = op->write == CTL_WRITE_ELECTIONS;
	struct world_legacy *node = node_of(world, elections);

	if (!node->exists || node->version != op->version)
		return CTL_MISSED;
	ck_assert(!elections || !op->legacy.exists);
	ck_assert_int_le(op->legacy.n_wishes, node->n_wishes);
	for (int i = 0; i < op->legacy.n_wishes; i++)
		ck_assert(is_named(node, &op->legacy.wishes[i]));
	world->n_taken_out += node->n_wishes - op->legacy.n_wishes;
	world->n_nodes_deleted += !op->legacy.exists;
	*node = op->legacy;
	world->node_version = node->version > world->node_version ? node->version : world->node_version;
	*ret_version = node->version;
	push_change(world, elections);
	return CTL_DONE;
}
