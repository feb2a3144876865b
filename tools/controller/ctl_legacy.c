/* Requests in nodes below /admin; see ctl_legacy.h. */
#include "tools/controller/ctl_legacy.h"

#include "proto/kafka_error.h"
#include "tools/controller/ctl_admin.h"
#include "tools/controller/ctl_reassign.h"
#include "tools/controller/ctl_step.h"

#include <string.h>

#define REFUSED_RETRY_MS 60000

enum stage {
	MOVE_LISTED,  /* to be asked for */
	MOVE_ASKED,   /* whether it can be done is not known yet */
	MOVE_GOES_ON, /* it stands in the topic's node */
	MOVE_OVER,    /* to be taken out of the node */
	MOVE_LEAVING, /* the write under way takes it out */
};

/* Many partitions may have the same fate: the first of them is told, and how many there are. */
struct tally {
	int32_t n;
	const char *first;
};

static void report_tally(struct ctl *ctl, const struct tally *tally)
{
	if (tally->n > 0)
		ctl_action_report(ctl->out, true, "/admin/reassign_partitions: %s; it is taken out of the node%s", tally->first,
				  tally->n == 1 ? "" : arena_printf(ctl->out->arena, ", and %d more", tally->n - 1));
}

void ctl_legacy_begin(struct ctl *ctl)
{
	ctl->legacy.elections_version = -1;
	ctl->legacy.moves_version = -1;
	ctl_ask(ctl, CTL_READ_ELECTIONS, SLICE_NULL);
	ctl_ask(ctl, CTL_READ_REASSIGNMENTS, SLICE_NULL);
}

/* ---- elections ---- */

void ctl_legacy_on_elections_read(struct ctl *ctl, const struct ctl_legacy_read *read)
{
	struct ctl_legacy *legacy = &ctl->legacy;

	if (!ctl_may_decide(ctl))
		return;
	legacy->elections_known = true;
	/* Its deletion misses, and it is read again, where this is another version of what is under way. */
	if (legacy->elections_ticket != 0 || legacy->electing)
		return;
	if (legacy->elections_done && read->version == legacy->elections_version)
		return;
	legacy->elections_version = read->version;
	legacy->elections_done = read->found == CTL_NONSENSE && read->version >= 0;
	if (read->found == CTL_NONSENSE)
		ctl_action_report(ctl->out, true, "/admin/preferred_replica_election is nonsense (%.*s): nobody is elected%s", SLICE_ARGS(read->text),
				  legacy->elections_done ? ", and the node is deleted" : "");
	if (read->found != CTL_FOUND)
		return;
	ctl_action_report(ctl->out, false, "/admin/preferred_replica_election asks for the preferred leaders of %d partitions", read->n_wishes);
	legacy->electing = true;
	ctl_admin_elect_preferred(ctl, read->wishes, read->n_wishes);
}

void ctl_legacy_on_elected(struct ctl *ctl)
{
	ctl->legacy.electing = false;
	ctl->legacy.elections_done = true;
}

static uint32_t write_node(struct ctl *ctl, enum ctl_write_kind kind, int32_t version, const struct ctl_legacy_wish *wishes, int32_t n_wishes)
{
	uint32_t ticket = ctl_next_ticket(ctl);

	ctl_action_add(ctl->out, CTL_DO_WRITE)->write = (struct ctl_write){
		.kind = kind,
		.ticket = ticket,
		.epoch_version = ctl->epoch_version,
		.topic_name = SLICE_LITERAL(""),
		.partition = -1,
		.version = version,
		.wishes = wishes,
		.n_wishes = n_wishes,
	};
	return ticket;
}

static void flush_elections(struct ctl *ctl)
{
	struct ctl_legacy *legacy = &ctl->legacy;

	if (legacy->elections_done && legacy->elections_ticket == 0)
		legacy->elections_ticket = write_node(ctl, CTL_WRITE_ELECTIONS, legacy->elections_version, NULL, 0);
}

static void on_elections_written(struct ctl *ctl, enum ctl_outcome outcome)
{
	struct ctl_legacy *legacy = &ctl->legacy;

	legacy->elections_ticket = 0;
	if (outcome == CTL_FAILED)
		return;
	legacy->elections_done = false;
	legacy->elections_version = -1;
	if (outcome == CTL_MISSED)
		ctl_ask(ctl, CTL_READ_ELECTIONS, SLICE_NULL);
}

/* ---- the list of moves ---- */

static struct ctl_topic *find_topic(struct ctl *ctl, const struct ctl_legacy_move *move)
{
	struct ctl_topic *topic = ctl_topic_find(ctl, move->topic);

	return topic && move->partition < topic->n_partitions ? topic : NULL;
}

static struct ctl_partition *find_partition(struct ctl *ctl, const struct ctl_legacy_move *move)
{
	struct ctl_topic *topic = find_topic(ctl, move);

	return topic ? &topic->partitions[move->partition] : NULL;
}

static bool same_target(const struct ctl_legacy_move *move, const int32_t *ids, int32_t n_ids)
{
	return move->n_replicas == n_ids && (n_ids == 0 || memcmp(move->replicas, ids, (size_t)n_ids * sizeof *ids) == 0);
}

static void free_move(struct ctl *ctl, struct ctl_legacy_move *move)
{
	ctl_pool_put(&ctl->pool, (void *)(uintptr_t)move->topic.data, move->topic.len + 1, 1);
	ctl_pool_put(&ctl->pool, move->replicas, (size_t)move->n_replicas, sizeof *move->replicas);
}

static void set_place(struct ctl *ctl, const struct ctl_legacy_move *move, int32_t place)
{
	struct ctl_partition *p = find_partition(ctl, move);

	if (p)
		p->legacy = place;
}

/* Of a partition that is named twice the last one counts. */
static void set_places(struct ctl *ctl)
{
	for (int32_t i = 0; i < ctl->legacy.n_moves; i++)
		set_place(ctl, &ctl->legacy.moves[i], i + 1);
}

static void forget_places(struct ctl *ctl)
{
	for (int32_t i = 0; i < ctl->legacy.n_moves; i++)
		set_place(ctl, &ctl->legacy.moves[i], 0);
}

/* Nobody is to wait for what was asked for. */
static void forget_asking(struct ctl *ctl, const struct ctl_legacy_move *move)
{
	struct ctl_topic *topic = find_topic(ctl, move);

	if (topic && move->stage == MOVE_ASKED)
		ctl_reassign_forget(ctl, topic, move->partition, move->serial);
}

/* The same that was in the node before goes on where it was. */
static void carry_over(struct ctl *ctl, struct ctl_legacy_move *move)
{
	const struct ctl_partition *p = find_partition(ctl, move);
	struct ctl_legacy_move *before = p && p->legacy > 0 ? &ctl->legacy.moves[p->legacy - 1] : NULL;

	if (!before || !same_target(move, before->replicas, before->n_replicas))
		return;
	move->stage = before->stage;
	move->serial = before->serial;
	before->stage = MOVE_OVER;
}

static void take_moves(struct ctl *ctl, const struct ctl_legacy_wish *wishes, int32_t n)
{
	struct ctl_legacy *legacy = &ctl->legacy;
	struct ctl_legacy_move *moves = ctl_pool_get(&ctl->pool, (size_t)n, sizeof *moves);

	for (int32_t i = 0; i < n; i++) {
		moves[i] = (struct ctl_legacy_move){.topic = ctl_pool_copy(&ctl->pool, wishes[i].topic),
						    .partition = wishes[i].partition,
						    .n_replicas = wishes[i].n_replicas};
		moves[i].replicas = ctl_pool_get(&ctl->pool, (size_t)wishes[i].n_replicas, sizeof *moves[i].replicas);
		if (wishes[i].n_replicas > 0)
			memcpy(moves[i].replicas, wishes[i].replicas, (size_t)wishes[i].n_replicas * sizeof *moves[i].replicas);
		carry_over(ctl, &moves[i]);
	}
	forget_places(ctl);
	for (int32_t i = 0; i < legacy->n_moves; i++) {
		forget_asking(ctl, &legacy->moves[i]);
		free_move(ctl, &legacy->moves[i]);
	}
	ctl_pool_put(&ctl->pool, legacy->moves, (size_t)legacy->moves_room, sizeof *moves);
	legacy->moves = moves;
	legacy->n_moves = n;
	legacy->moves_room = n;
	set_places(ctl);
}

void ctl_legacy_on_reassignments_read(struct ctl *ctl, const struct ctl_legacy_read *read)
{
	struct ctl_legacy *legacy = &ctl->legacy;

	if (!ctl_may_decide(ctl))
		return;
	legacy->moves_known = true;
	if (legacy->moves_ticket != 0) {
		legacy->moves_reread = true;
		return;
	}
	if (read->found == CTL_NONSENSE && (read->version < 0 || read->version != legacy->moves_version))
		ctl_action_report(ctl->out, true, "/admin/reassign_partitions is nonsense (%.*s): nothing is moved until it is mended or deleted",
				  SLICE_ARGS(read->text));
	legacy->moves_reread = false;
	legacy->moves_version = read->version;
	take_moves(ctl, read->wishes, read->found == CTL_FOUND ? read->n_wishes : 0);
	legacy->moves_due = read->found == CTL_FOUND && read->n_wishes == 0;
	for (int32_t i = 0; i < legacy->n_moves; i++)
		legacy->moves_due |= legacy->moves[i].stage == MOVE_OVER;
}

/* ---- how moves are doing ---- */

static void end_move(struct ctl *ctl, struct ctl_legacy_move *move)
{
	forget_asking(ctl, move);
	move->stage = MOVE_OVER;
	ctl->legacy.moves_due = true;
}

static void refuse_move(struct ctl *ctl, struct ctl_legacy_move *move, struct slice why, struct tally *tally)
{
	if (tally->n++ == 0)
		tally->first = arena_printf(ctl->out->arena, "the reassignment of %.*s-%d is refused (%.*s)", SLICE_ARGS(move->topic),
					    move->partition, SLICE_ARGS(why));
	end_move(ctl, move);
}

/* Why it can never be begun; null: it may. */
static struct slice find_fault(const struct ctl_topic *topic, const struct ctl_legacy_move *move, int32_t place)
{
	if (!topic || move->partition >= topic->n_partitions)
		return SLICE_LITERAL("there is no such partition");
	if (topic->deletion != CTL_DELETION_NONE)
		return SLICE_LITERAL("the topic is being deleted");
	if (move->n_replicas > LIMIT_REPLICAS)
		return SLICE_LITERAL("the list of replicas is too long");
	if (topic->partitions[move->partition].legacy != place)
		return SLICE_LITERAL("the partition is named again further on");
	return SLICE_NULL;
}

/* Whether what was asked for is settled; then it is seen by the assignment what became of it. */
static bool take_outcome(struct ctl *ctl, struct ctl_topic *topic, struct ctl_legacy_move *move, struct tally *tally)
{
	struct slice message;
	int16_t error;

	if (move->stage != MOVE_ASKED)
		return true;
	if (!ctl_reassign_outcome(ctl, topic, move->partition, move->serial, &error, &message))
		return false;
	move->stage = MOVE_LISTED;
	if (error != KAFKA_NONE)
		refuse_move(ctl, move, slice_is_null(message) ? slice_of_text(kafka_error_text(error)) : message, tally);
	return error == KAFKA_NONE;
}

static void compare_move(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_partition *p, struct ctl_legacy_move *move)
{
	bool under_way = ctl_reassign_is_under_way(p);
	int32_t target[LIMIT_REPLICAS];
	int n_target = ctl_reassign_target(p, target);

	if (!same_target(move, target, n_target)) {
		if (move->stage == MOVE_GOES_ON) {
			end_move(ctl, move);
		} else if (!p->move) {
			move->serial = ctl_reassign_ask(ctl, topic, move->partition, move->replicas, move->n_replicas);
			move->stage = MOVE_ASKED;
		}
	} else if (under_way) {
		move->stage = MOVE_GOES_ON;
	} else {
		end_move(ctl, move);
	}
}

static void check_move(struct ctl *ctl, int32_t at, struct tally *tally)
{
	struct ctl_legacy_move *move = &ctl->legacy.moves[at];
	struct ctl_topic *topic = ctl_topic_find(ctl, move->topic);
	struct ctl_partition *p;
	struct slice fault;

	if (move->stage >= MOVE_OVER || (topic && topic->phase != CTL_TOPIC_LIVE))
		return;
	p = find_partition(ctl, move);
	/* The topic may have come later than the node. */
	if (p && p->legacy == 0)
		p->legacy = at + 1;
	fault = find_fault(topic, move, at + 1);
	if (!slice_is_null(fault))
		refuse_move(ctl, move, fault, tally);
	else if (!p->odd && p->state != CTL_NON_EXISTENT && take_outcome(ctl, topic, move, tally))
		compare_move(ctl, topic, p, move);
}

void ctl_legacy_check(struct ctl *ctl)
{
	struct tally tally = {0};

	if (!ctl_may_decide(ctl))
		return;
	for (int32_t i = 0; i < ctl->legacy.n_moves; i++)
		check_move(ctl, i, &tally);
	report_tally(ctl, &tally);
}

bool ctl_legacy_gives_way(struct ctl *ctl, const struct ctl_topic *topic, struct ctl_partition *p, uint32_t serial)
{
	struct ctl_legacy *legacy = &ctl->legacy;
	struct ctl_legacy_move *move = p->legacy > 0 ? &legacy->moves[p->legacy - 1] : NULL;

	if (!move || (move->stage == MOVE_ASKED && move->serial == serial))
		return false;
	if (move->stage < MOVE_OVER) {
		ctl_action_report(ctl->out, false, "the reassignment of %.*s-%d in /admin/reassign_partitions gives way to a later one",
				  SLICE_ARGS(topic->name), move->partition);
		end_move(ctl, move);
	}
	return !legacy->refused;
}

/* ---- writing ---- */

static void flush_moves(struct ctl *ctl)
{
	struct ctl_legacy *legacy = &ctl->legacy;
	struct ctl_legacy_wish *wishes;
	int32_t n = 0;

	if (!legacy->moves_due || legacy->moves_ticket != 0 || legacy->moves_reread || legacy->moves_version < 0)
		return;
	wishes = arena_alloc(ctl->out->arena, ((size_t)legacy->n_moves + 1) * sizeof *wishes);
	for (int32_t i = 0; i < legacy->n_moves; i++) {
		struct ctl_legacy_move *move = &legacy->moves[i];

		if (move->stage == MOVE_OVER)
			move->stage = MOVE_LEAVING;
		else
			wishes[n++] = (struct ctl_legacy_wish){move->topic, move->partition, move->replicas, move->n_replicas};
	}
	legacy->moves_due = false;
	if (n == 0)
		ctl_action_report(ctl->out, false, "nothing is left to be done for /admin/reassign_partitions: it is deleted");
	legacy->moves_ticket = write_node(ctl, CTL_WRITE_REASSIGNMENTS, legacy->moves_version, wishes, n);
}

static void drop_left(struct ctl *ctl)
{
	struct ctl_legacy *legacy = &ctl->legacy;
	int32_t n = 0;

	forget_places(ctl);
	for (int32_t i = 0; i < legacy->n_moves; i++) {
		if (legacy->moves[i].stage == MOVE_LEAVING)
			free_move(ctl, &legacy->moves[i]);
		else
			legacy->moves[n++] = legacy->moves[i];
	}
	legacy->n_moves = n;
	set_places(ctl);
}

static void keep_left(struct ctl_legacy *legacy)
{
	for (int32_t i = 0; i < legacy->n_moves; i++)
		if (legacy->moves[i].stage == MOVE_LEAVING)
			legacy->moves[i].stage = MOVE_OVER;
	legacy->moves_due = true;
}

static void on_moves_written(struct ctl *ctl, const struct ctl_written *written)
{
	struct ctl_legacy *legacy = &ctl->legacy;

	legacy->moves_ticket = 0;
	if (written->outcome == CTL_DONE) {
		drop_left(ctl);
		legacy->moves_version = legacy->n_moves > 0 ? written->version : -1;
	} else {
		keep_left(legacy);
		legacy->moves_reread |= written->outcome == CTL_MISSED;
	}
	if (legacy->moves_reread)
		ctl_ask(ctl, CTL_READ_REASSIGNMENTS, SLICE_NULL);
}

void ctl_legacy_on_written(struct ctl *ctl, const struct ctl_written *written)
{
	struct ctl_legacy *legacy = &ctl->legacy;

	if (written->ticket == 0)
		return;
	if (written->outcome == CTL_FAILED) {
		legacy->refused = true;
		ctl_retry_later(ctl, REFUSED_RETRY_MS);
	}
	if (written->ticket == legacy->elections_ticket)
		on_elections_written(ctl, written->outcome);
	else if (written->ticket == legacy->moves_ticket)
		on_moves_written(ctl, written);
}

void ctl_legacy_flush(struct ctl *ctl)
{
	if (!ctl_may_decide(ctl) || ctl->legacy.refused)
		return;
	flush_elections(ctl);
	flush_moves(ctl);
}

void ctl_legacy_retry(struct ctl *ctl)
{
	ctl->legacy.refused = false;
}
