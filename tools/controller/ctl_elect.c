/* Election rules; see ctl_elect.h. */
#include "tools/controller/ctl_elect.h"

#include "common/check.h"

#include <string.h>

bool ctl_contains(const int32_t *ids, int n_ids, int32_t id)
{
	for (int i = 0; i < n_ids; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* The members of the ISR that do at least as well as `least`, in the order of the ISR. */
static void keep_isr(const struct ctl_election *election, enum ctl_member least, struct ctl_elected *ret_elected)
{
	CHECK(election->n_isr <= LIMIT_REPLICAS);
	ret_elected->n_isr = 0;
	for (int i = 0; i < election->n_isr; i++)
		if (election->isr_members[i] >= least)
			ret_elected->isr[ret_elected->n_isr++] = election->isr[i];
}

/* The first of the assignment that is in the new ISR; -1 when none is (the ISR holds a broker of no assignment). */
static int32_t first_of_isr(const struct ctl_election *election, const struct ctl_elected *elected)
{
	for (int i = 0; i < election->n_replicas; i++)
		if (ctl_contains(elected->isr, elected->n_isr, election->replicas[i]))
			return election->replicas[i];
	return -1;
}

static enum ctl_verdict compare(const struct ctl_election *election, const struct ctl_elected *elected, int32_t leader_before)
{
	bool same = elected->leader == leader_before && elected->n_isr == election->n_isr &&
		    memcmp(elected->isr, election->isr, (size_t)election->n_isr * sizeof(int32_t)) == 0;

	return same ? CTL_KEEP : CTL_CHANGE;
}

static enum ctl_verdict elect_unclean(const struct ctl_election *election, struct ctl_elected *ret_elected)
{
	for (int i = 0; i < election->n_replicas; i++) {
		if (election->replica_members[i] == CTL_MEMBER_DEAD)
			continue;
		*ret_elected = (struct ctl_elected){
			.leader = election->replicas[i], .n_isr = 1, .isr = {election->replicas[i]}, .unclean = true};
		return CTL_CHANGE;
	}
	return CTL_NOBODY;
}

/* Nobody of the ISR is alive and nobody else may lead: without leader, the ISR as it is. */
static enum ctl_verdict leave_without_leader(const struct ctl_election *election, struct ctl_elected *ret_elected)
{
	*ret_elected = (struct ctl_elected){.leader = -1};
	keep_isr(election, CTL_MEMBER_DEAD, ret_elected);
	return election->leader == -1 ? CTL_KEEP : CTL_CHANGE;
}

static enum ctl_member leader_member(const struct ctl_election *election)
{
	for (int i = 0; i < election->n_isr; i++)
		if (election->isr[i] == election->leader)
			return election->isr_members[i];
	return CTL_MEMBER_DEAD;
}

/* Who of the ISR goes on: those who stay; else also those about to leave; else also those who left and came back. */
static int32_t elect_from_isr(const struct ctl_election *election, struct ctl_elected *ret_elected)
{
	const enum ctl_member least[] = {CTL_MEMBER_LIVE, CTL_MEMBER_LEAVING, CTL_MEMBER_BOUNCED};
	int32_t leader = -1;

	for (int i = 0; i < 3 && leader == -1; i++) {
		keep_isr(election, least[i], ret_elected);
		leader = first_of_isr(election, ret_elected);
	}
	return leader;
}

enum ctl_verdict ctl_elect_offline(const struct ctl_election *election, struct ctl_elected *ret_elected)
{
	struct ctl_elected elected = {.leader = -1};
	enum ctl_verdict verdict;

	if (election->leader != -1 && leader_member(election) >= CTL_MEMBER_LEAVING) {
		keep_isr(election, CTL_MEMBER_LEAVING, &elected);
		elected.leader = election->leader;
		verdict = compare(election, &elected, election->leader);
	} else {
		elected.leader = elect_from_isr(election, &elected);
		verdict = CTL_CHANGE;
		/* The same leader again is a change too: it comes with a new epoch for the new incarnation. */
		if (elected.leader == -1) {
			verdict = election->unclean ? elect_unclean(election, &elected) : CTL_NOBODY;
			if (verdict == CTL_NOBODY)
				verdict = leave_without_leader(election, &elected);
		}
	}
	*ret_elected = elected;
	return verdict;
}

/* The first of `replicas` that is alive and in the ISR; the ISR stays as it is. */
static enum ctl_verdict first_live_in_isr(const struct ctl_election *election, int n_replicas, struct ctl_elected *ret_elected)
{
	struct ctl_elected elected = {.leader = -1};

	for (int i = 0; i < n_replicas && elected.leader == -1; i++)
		if (election->replica_members[i] >= CTL_MEMBER_LEAVING &&
		    ctl_contains(election->isr, election->n_isr, election->replicas[i]))
			elected.leader = election->replicas[i];
	if (elected.leader == -1)
		return CTL_NOBODY;
	keep_isr(election, CTL_MEMBER_DEAD, &elected);
	*ret_elected = elected;
	return compare(election, &elected, election->leader);
}

enum ctl_verdict ctl_elect_preferred(const struct ctl_election *election, struct ctl_elected *ret_elected)
{
	return first_live_in_isr(election, election->n_replicas > 0 ? 1 : 0, ret_elected);
}

enum ctl_verdict ctl_elect_reassign(const struct ctl_election *election, struct ctl_elected *ret_elected)
{
	return first_live_in_isr(election, election->n_replicas, ret_elected);
}

enum ctl_verdict ctl_elect_controlled_shutdown(const struct ctl_election *election, struct ctl_elected *ret_elected)
{
	struct ctl_elected elected = {.leader = -1};

	keep_isr(election, CTL_MEMBER_LIVE, &elected);
	if (ctl_contains(elected.isr, elected.n_isr, election->leader))
		elected.leader = election->leader;
	else
		elected.leader = first_of_isr(election, &elected);
	if (elected.leader == -1)
		return CTL_NOBODY;
	*ret_elected = elected;
	return compare(election, &elected, election->leader);
}

enum ctl_verdict ctl_elect_new(const struct ctl_election *election, struct ctl_elected *ret_elected)
{
	const enum ctl_member least[] = {CTL_MEMBER_LIVE, CTL_MEMBER_BOUNCED};
	struct ctl_elected elected = {.leader = -1};

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
