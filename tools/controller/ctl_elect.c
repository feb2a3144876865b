/* Election rules; see ctl_elect.h. */
#include "tools/controller/ctl_elect.h"

#include "common/check.h"
#include "common/mutant.h"

#include <string.h>

bool ctl_contains(const int32_t *ids, int n_ids, int32_t id)
{
	for (int i = 0; i < n_ids; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* ---- who is still eligible ---- */

/* ISR or ELR without those that lost something. */
struct seats {
	int n;
	int32_t ids[LIMIT_REPLICAS];
	enum ctl_member how[LIMIT_REPLICAS];
};

struct field {
	struct seats isr, elr;
	bool struck;  /* somebody is out */
	bool excused; /* all lost something, and no more was promised */
};

static bool all_lost(const enum ctl_member *members, int n)
{
	for (int i = 0; i < n; i++)
		if (members[i] > CTL_MEMBER_LOST)
			return false;
	return true;
}

/* Lost ones are out; when they are excused they count as come back. */
static void take_seats(const int32_t *ids, const enum ctl_member *members, int n, bool excused, struct field *field, struct seats *seats)
{
	CHECK(n <= LIMIT_REPLICAS);
	seats->n = 0;
	for (int i = 0; i < n; i++) {
		if (members[i] == CTL_MEMBER_LOST && !excused) {
			field->struck = true;
			continue;
		}
		seats->ids[seats->n] = ids[i];
		seats->how[seats->n++] = members[i] == CTL_MEMBER_LOST ? CTL_MEMBER_BOUNCED : members[i];
	}
}

static void take_field(const struct ctl_election *election, struct field *field)
{
	field->struck = false;
	field->excused = election->min_isr <= 1 && all_lost(election->isr_members, election->n_isr) &&
			 all_lost(election->elr_members, election->n_elr);
	take_seats(election->isr, election->isr_members, election->n_isr, field->excused || MUTANT(UNCLEAN_IN_ISR), field, &field->isr);
	take_seats(election->elr, election->elr_members, election->n_elr, field->excused || MUTANT(STALE_ELR_ELECTED), field, &field->elr);
}

static enum ctl_member how_of(const struct seats *seats, int32_t id)
{
	for (int i = 0; i < seats->n; i++)
		if (seats->ids[i] == id)
			return seats->how[i];
	return CTL_MEMBER_LOST;
}

/* ---- results ---- */

static void add(int32_t *ids, int *n, int32_t id)
{
	if (*n < LIMIT_REPLICAS && !ctl_contains(ids, *n, id))
		ids[(*n)++] = id;
}

static void add_all(int32_t *ids, int *n, const int32_t *from, int n_from)
{
	for (int i = 0; i < n_from; i++)
		add(ids, n, from[i]);
}

/* The members of the ISR that do at least as well as `least`, in the order of the ISR. */
static void keep_isr(const struct seats *isr, enum ctl_member least, struct ctl_elected *elected)
{
	elected->n_isr = 0;
	for (int i = 0; i < isr->n; i++)
		if (isr->how[i] >= least)
			elected->isr[elected->n_isr++] = isr->ids[i];
}

/* The first of the assignment that is in the new ISR; -1 when none is (the ISR holds a broker of no assignment). */
static int32_t first_of_isr(const struct ctl_election *election, const struct ctl_elected *elected)
{
	for (int i = 0; i < election->n_replicas; i++)
		if (ctl_contains(elected->isr, elected->n_isr, election->replicas[i]))
			return election->replicas[i];
	return -1;
}

static void fill_eligible(const struct ctl_election *election, const struct field *field, struct ctl_elected *elected)
{
	elected->n_elr = 0;
	elected->n_lost = 0;
	if (elected->n_isr >= election->min_isr || elected->unclean)
		return;
	for (int i = 0; i < field->isr.n; i++)
		if (!ctl_contains(elected->isr, elected->n_isr, field->isr.ids[i]))
			add(elected->elr, &elected->n_elr, field->isr.ids[i]);
	for (int i = 0; i < field->elr.n; i++)
		if (!ctl_contains(elected->isr, elected->n_isr, field->elr.ids[i]))
			add(elected->elr, &elected->n_elr, field->elr.ids[i]);
}

/* Who was eligible, now or before, and is no more. */
static void fill_lost(const struct ctl_election *election, struct ctl_elected *elected)
{
	struct {
		const int32_t *ids;
		int n;
	} before[] = {{election->lost, election->n_lost}, {election->isr, election->n_isr}, {election->elr, election->n_elr}};

	if (elected->leader != -1 && (elected->n_isr >= election->min_isr || elected->unclean))
		return;
	for (int k = 0; k < 3; k++)
		for (int i = 0; i < before[k].n; i++)
			if (!ctl_contains(elected->isr, elected->leader == -1 ? 0 : elected->n_isr, before[k].ids[i]) &&
			    !ctl_contains(elected->elr, elected->n_elr, before[k].ids[i]))
				add(elected->lost, &elected->n_lost, before[k].ids[i]);
}

static bool same_ids(const int32_t *a, int n_a, const int32_t *b, int n_b)
{
	return n_a == n_b && (n_a == 0 || memcmp(a, b, (size_t)n_a * sizeof *a) == 0);
}

/* One of the ELR came back whole: its new incarnation is to be written down, or a later one could not be trusted. */
static bool is_refreshed(const struct field *field, const struct ctl_elected *elected)
{
	for (int i = 0; i < field->elr.n; i++)
		if (field->elr.how[i] == CTL_MEMBER_BOUNCED && ctl_contains(elected->elr, elected->n_elr, field->elr.ids[i]))
			return true;
	return false;
}

/* Fills in who else is eligible and says whether anything is to be written. */
static enum ctl_verdict conclude(const struct ctl_election *election, const struct field *field, struct ctl_elected *elected)
{
	bool same;

	fill_eligible(election, field, elected);
	fill_lost(election, elected);
	elected->new_epoch = elected->leader != election->leader ||
			     (how_of(&field->isr, elected->leader) < CTL_MEMBER_LEAVING && !MUTANT(EPOCH_NOT_BUMPED));
	same = !elected->new_epoch && !election->drops_elr && same_ids(elected->isr, elected->n_isr, election->isr, election->n_isr) &&
	       same_ids(elected->elr, elected->n_elr, election->elr, election->n_elr) && elected->n_lost == election->n_lost &&
	       !is_refreshed(field, elected);
	return same ? CTL_KEEP : CTL_CHANGE;
}

void ctl_elect_eligible(const struct ctl_election *election, struct ctl_elected *elected)
{
	struct field field;

	take_field(election, &field);
	fill_eligible(election, &field, elected);
	fill_lost(election, elected);
}

/* Nobody is alive who may lead: without leader; eligible is who was, and the ISR is shown as it is, as far as it is not lost. */
static enum ctl_verdict leave_without_leader(const struct ctl_election *election, const struct field *field, struct ctl_elected *elected)
{
	*elected = (struct ctl_elected){.leader = -1, .new_epoch = election->leader != -1};
	add_all(elected->elr, &elected->n_elr, field->isr.ids, field->isr.n);
	add_all(elected->elr, &elected->n_elr, field->elr.ids, field->elr.n);
	if (field->isr.n > 0)
		add_all(elected->isr, &elected->n_isr, field->isr.ids, field->isr.n);
	else
		add_all(elected->isr, &elected->n_isr, election->shown, election->n_shown);
	fill_lost(election, elected);
	return election->leader == -1 && !field->struck ? CTL_KEEP : CTL_CHANGE;
}

/* ---- strategies ---- */

/* Who of the ISR goes on: those who stay; else also those about to leave; else also those who left and came back. */
static int32_t elect_from_isr(const struct ctl_election *election, const struct field *field, struct ctl_elected *elected)
{
	const enum ctl_member least[] = {CTL_MEMBER_LIVE, CTL_MEMBER_LEAVING, CTL_MEMBER_BOUNCED};
	int32_t leader = -1;

	for (int i = 0; i < 3 && leader == -1; i++) {
		keep_isr(&field->isr, least[i], elected);
		leader = first_of_isr(election, elected);
	}
	return leader;
}

static int32_t elect_from_elr(const struct ctl_election *election, const struct field *field, struct ctl_elected *elected)
{
	const enum ctl_member least[] = {CTL_MEMBER_LIVE, CTL_MEMBER_LEAVING, CTL_MEMBER_BOUNCED};

	for (int k = 0; k < 3; k++)
		for (int i = 0; i < election->n_replicas; i++)
			if (how_of(&field->elr, election->replicas[i]) >= least[k]) {
				elected->n_isr = 1;
				elected->isr[0] = election->replicas[i];
				elected->from_elr = true;
				return election->replicas[i];
			}
	return -1;
}

/* Has the log of one replica more than that of another? One that is not known has least. */
static bool has_more(const struct ctl_election *election, int a, int b)
{
	const struct ctl_log_end *x = &election->replica_ends[a];
	const struct ctl_log_end *y = &election->replica_ends[b];

	return x->last_epoch != y->last_epoch ? x->last_epoch > y->last_epoch : x->end_offset > y->end_offset;
}

static int32_t elect_unclean(const struct ctl_election *election, struct ctl_elected *elected)
{
	int best = -1;

	for (int i = 0; i < election->n_replicas && (election->unclean || MUTANT(ANY_REPLICA_ELECTED)); i++) {
		if (election->replica_members[i] == CTL_MEMBER_DEAD)
			continue;
		if (best < 0 || (election->replica_ends && has_more(election, i, best)))
			best = i;
	}
	if (best < 0)
		return -1;
	*elected = (struct ctl_elected){.n_isr = 1, .isr = {election->replicas[best]}, .unclean = true};
	return election->replicas[best];
}

static enum ctl_verdict replace_leader(const struct ctl_election *election, const struct field *field, struct ctl_elected *elected)
{
	elected->leader = elect_from_isr(election, field, elected);
	/* Of several that lost something each may have lost something else: the others follow first. */
	if (elected->leader != -1 && field->excused) {
		elected->n_isr = 1;
		elected->isr[0] = elected->leader;
	}
	if (elected->leader == -1)
		elected->leader = elect_from_elr(election, field, elected);
	if (elected->leader == -1)
		elected->leader = elect_unclean(election, elected);
	if (elected->leader == -1)
		return leave_without_leader(election, field, elected);
	return conclude(election, field, elected);
}

enum ctl_verdict ctl_elect_offline(const struct ctl_election *election, struct ctl_elected *ret_elected)
{
	struct field field;

	*ret_elected = (struct ctl_elected){.leader = -1};
	take_field(election, &field);
	if (election->leader == -1 || how_of(&field.isr, election->leader) < CTL_MEMBER_LEAVING)
		return replace_leader(election, &field, ret_elected);
	keep_isr(&field.isr, CTL_MEMBER_LEAVING, ret_elected);
	ret_elected->leader = election->leader;
	return conclude(election, &field, ret_elected);
}

enum ctl_verdict ctl_elect_controlled_shutdown(const struct ctl_election *election, struct ctl_elected *ret_elected)
{
	struct field field;

	*ret_elected = (struct ctl_elected){.leader = -1};
	take_field(election, &field);
	keep_isr(&field.isr, CTL_MEMBER_LIVE, ret_elected);
	if (election->leader == -1)
		return CTL_NOBODY;
	if (ctl_contains(ret_elected->isr, ret_elected->n_isr, election->leader))
		ret_elected->leader = election->leader;
	else
		ret_elected->leader = first_of_isr(election, ret_elected);
	return ret_elected->leader == -1 ? CTL_NOBODY : conclude(election, &field, ret_elected);
}

static bool any_lost(const enum ctl_member *members, int n)
{
	for (int i = 0; i < n; i++)
		if (members[i] == CTL_MEMBER_LOST)
			return true;
	return false;
}

/*
 * The first of `replicas` that is alive, at least as `least`, and in the ISR; everything else stays as it is. Whoever has lost something has to be
 * struck out before: this would write its new incarnation down as one that has all.
 */
static enum ctl_verdict first_live_in_isr(const struct ctl_election *election, int n_replicas, enum ctl_member least,
					  struct ctl_elected *ret_elected)
{
	struct ctl_elected elected = {.leader = -1};

	if (any_lost(election->isr_members, election->n_isr) || any_lost(election->elr_members, election->n_elr))
		return CTL_NOBODY;
	for (int i = 0; i < n_replicas && elected.leader == -1; i++)
		if (election->replica_members[i] >= least && ctl_contains(election->isr, election->n_isr, election->replicas[i]))
			elected.leader = election->replicas[i];
	if (elected.leader == -1)
		return CTL_NOBODY;
	add_all(elected.isr, &elected.n_isr, election->isr, election->n_isr);
	add_all(elected.elr, &elected.n_elr, election->elr, election->n_elr);
	add_all(elected.lost, &elected.n_lost, election->lost, election->n_lost);
	elected.new_epoch = elected.leader != election->leader;
	*ret_elected = elected;
	return elected.new_epoch ? CTL_CHANGE : CTL_KEEP;
}

enum ctl_verdict ctl_elect_preferred(const struct ctl_election *election, struct ctl_elected *ret_elected)
{
	return first_live_in_isr(election, election->n_replicas > 0 ? 1 : 0, CTL_MEMBER_LIVE, ret_elected);
}

enum ctl_verdict ctl_elect_reassign(const struct ctl_election *election, struct ctl_elected *ret_elected)
{
	return first_live_in_isr(election, election->n_replicas, CTL_MEMBER_LEAVING, ret_elected);
}

enum ctl_verdict ctl_elect_new(const struct ctl_election *election, struct ctl_elected *ret_elected)
{
	const enum ctl_member least[] = {CTL_MEMBER_LIVE, CTL_MEMBER_BOUNCED};
	struct ctl_elected elected = {.leader = -1, .new_epoch = true};

	CHECK(election->n_replicas <= LIMIT_REPLICAS);
	for (int k = 0; k < 2 && elected.n_isr == 0; k++)
		for (int i = 0; i < election->n_replicas; i++)
			if (election->replica_members[i] >= least[k])
				elected.isr[elected.n_isr++] = election->replicas[i];
	if (elected.n_isr == 0)
		return CTL_NOBODY;
	elected.leader = elected.isr[0];
	*ret_elected = elected;
	return CTL_CHANGE;
}
