/* Election strategies. */
#include "test/lib/unit.h"

#include "tools/controller/ctl_elect.h"

#include <string.h>

#define D CTL_MEMBER_DEAD
#define B CTL_MEMBER_BOUNCED
#define S CTL_MEMBER_LEAVING
#define X CTL_MEMBER_LOST
#define L CTL_MEMBER_LIVE

typedef enum ctl_verdict strategy(const struct ctl_election *election, struct ctl_elected *ret_elected);

/* Replicas are 1, 2, 3; `how` tells how each is doing; isr is a text such as "12". */
static enum ctl_verdict run(strategy *elect, int32_t leader, const char *isr, const enum ctl_member how[3], bool unclean,
			    struct ctl_elected *ret_elected)
{
	static const int32_t replicas[] = {1, 2, 3};
	int32_t isr_ids[3];
	enum ctl_member isr_members[3];
	struct ctl_election election = {.replicas = replicas, .replica_members = how, .n_replicas = 3, .isr = isr_ids,
					.isr_members = isr_members, .leader = leader, .unclean = unclean};

	for (; isr[election.n_isr]; election.n_isr++) {
		isr_ids[election.n_isr] = isr[election.n_isr] - '0';
		isr_members[election.n_isr] = how[isr_ids[election.n_isr] - 1];
	}
	memset(ret_elected, 0, sizeof *ret_elected);
	return elect(&election, ret_elected);
}

static void check(strategy *elect, int32_t leader, const char *isr, const enum ctl_member how[3], bool unclean,
		  enum ctl_verdict verdict, int32_t want_leader, const char *want_isr)
{
	struct ctl_elected elected;
	char got[4] = "";

	ck_assert_int_eq(run(elect, leader, isr, how, unclean, &elected), verdict);
	if (verdict == CTL_NOBODY)
		return;
	for (int i = 0; i < elected.n_isr; i++)
		got[i] = (char)('0' + elected.isr[i]);
	ck_assert_int_eq(elected.leader, want_leader);
	ck_assert_str_eq(got, want_isr);
}

#define HOW(a, b, c) ((const enum ctl_member[]){a, b, c})

START_TEST(a_live_leader_stays_and_the_dead_leave_the_isr)
{
	check(ctl_elect_offline, 2, "123", HOW(L, L, L), false, CTL_KEEP, 2, "123");
	check(ctl_elect_offline, 2, "123", HOW(D, L, L), false, CTL_CHANGE, 2, "23");
	check(ctl_elect_offline, 2, "123", HOW(L, L, B), false, CTL_CHANGE, 2, "12");
	check(ctl_elect_offline, 2, "123", HOW(L, S, S), false, CTL_KEEP, 2, "123");
	check(ctl_elect_offline, 2, "2", HOW(L, L, L), true, CTL_KEEP, 2, "2");
}
END_TEST

START_TEST(a_dead_leader_is_followed_by_the_first_of_the_assignment_in_the_isr)
{
	check(ctl_elect_offline, 1, "123", HOW(D, L, L), false, CTL_CHANGE, 2, "23");
	check(ctl_elect_offline, 1, "321", HOW(D, L, L), false, CTL_CHANGE, 2, "32");
	check(ctl_elect_offline, 1, "13", HOW(D, L, L), true, CTL_CHANGE, 3, "3");
	check(ctl_elect_offline, 1, "123", HOW(D, S, L), false, CTL_CHANGE, 3, "3");
	check(ctl_elect_offline, 1, "12", HOW(D, S, L), false, CTL_CHANGE, 2, "2");
	check(ctl_elect_offline, -1, "2", HOW(D, L, L), false, CTL_CHANGE, 2, "2");
}
END_TEST

START_TEST(a_bounced_leader_is_elected_anew_only_when_nobody_else_can)
{
	check(ctl_elect_offline, 1, "123", HOW(B, L, L), false, CTL_CHANGE, 2, "23");
	check(ctl_elect_offline, 1, "1", HOW(B, L, L), false, CTL_CHANGE, 1, "1");
	check(ctl_elect_offline, 1, "12", HOW(B, B, L), true, CTL_CHANGE, 1, "12");
	check(ctl_elect_offline, 1, "12", HOW(D, B, L), false, CTL_CHANGE, 2, "2");
}
END_TEST

/* With min.insync.replicas 2: isr, elr and lost are texts such as "12"; "-" wants nothing to be written. */
static void check_eligible(strategy *elect, int32_t leader, const char *isr, const char *elr, const enum ctl_member how[3], int min_isr,
			   int32_t want_leader, const char *want_isr, const char *want_elr, const char *want_lost)
{
	static const int32_t replicas[] = {1, 2, 3};
	int32_t isr_ids[3], elr_ids[3];
	enum ctl_member isr_members[3], elr_members[3];
	struct ctl_election election = {.replicas = replicas, .replica_members = how, .n_replicas = 3, .isr = isr_ids,
					.isr_members = isr_members, .elr = elr_ids, .elr_members = elr_members, .shown = isr_ids,
					.leader = leader, .min_isr = min_isr};
	struct ctl_elected elected;
	enum ctl_verdict verdict;
	char got[3][4] = {"", "", ""};

	for (; isr[election.n_isr]; election.n_isr++) {
		isr_ids[election.n_isr] = isr[election.n_isr] - '0';
		isr_members[election.n_isr] = how[isr_ids[election.n_isr] - 1];
	}
	for (; elr[election.n_elr]; election.n_elr++) {
		elr_ids[election.n_elr] = elr[election.n_elr] - '0';
		elr_members[election.n_elr] = how[elr_ids[election.n_elr] - 1];
	}
	election.n_shown = election.n_isr;
	verdict = elect(&election, &elected);
	if (strcmp(want_isr, "-") == 0) {
		ck_assert_int_eq(verdict, CTL_KEEP);
		return;
	}
	ck_assert_int_eq(verdict, CTL_CHANGE);
	for (int i = 0; i < elected.n_isr; i++)
		got[0][i] = (char)('0' + elected.isr[i]);
	for (int i = 0; i < elected.n_elr; i++)
		got[1][i] = (char)('0' + elected.elr[i]);
	for (int i = 0; i < elected.n_lost; i++)
		got[2][i] = (char)('0' + elected.lost[i]);
	ck_assert_int_eq(elected.leader, want_leader);
	ck_assert_str_eq(got[0], want_isr);
	ck_assert_str_eq(got[1], want_elr);
	ck_assert_str_eq(got[2], want_lost);
	ck_assert(elected.new_epoch || elected.leader == leader);
}

START_TEST(who_leaves_an_isr_that_gets_too_small_stays_eligible)
{
	check_eligible(ctl_elect_offline, 1, "123", "", HOW(L, D, L), 2, 1, "13", "", "");
	check_eligible(ctl_elect_offline, 1, "13", "", HOW(L, D, D), 2, 1, "1", "3", "");
	check_eligible(ctl_elect_offline, 1, "123", "", HOW(L, D, D), 2, 1, "1", "23", "");
	check_eligible(ctl_elect_offline, 1, "123", "", HOW(L, D, D), 1, 1, "1", "", "");
	check_eligible(ctl_elect_offline, 1, "1", "3", HOW(L, D, D), 2, 1, "-", "", "");
	check_eligible(ctl_elect_controlled_shutdown, 1, "12", "", HOW(S, L, L), 2, 2, "2", "1", "");
}
END_TEST

START_TEST(the_eligible_are_elected_when_nobody_in_sync_is_alive)
{
	check_eligible(ctl_elect_offline, 1, "1", "3", HOW(D, L, L), 2, 3, "3", "1", "");
	check_eligible(ctl_elect_offline, 1, "1", "32", HOW(D, L, L), 2, 2, "2", "13", "");
	check_eligible(ctl_elect_offline, 1, "1", "32", HOW(D, B, L), 2, 3, "3", "12", "");
	check_eligible(ctl_elect_offline, 1, "1", "3", HOW(D, L, D), 2, -1, "1", "13", "");
	check_eligible(ctl_elect_offline, 1, "1", "3", HOW(L, D, B), 2, 1, "1", "3", "");
}
END_TEST

START_TEST(who_lost_something_is_neither_in_sync_nor_eligible)
{
	check_eligible(ctl_elect_offline, 1, "12", "", HOW(X, L, L), 2, 2, "2", "", "1");
	check_eligible(ctl_elect_offline, 1, "1", "3", HOW(X, L, L), 2, 3, "3", "", "1");
	check_eligible(ctl_elect_offline, 1, "1", "3", HOW(L, D, X), 2, 1, "1", "", "3");
	check_eligible(ctl_elect_offline, 1, "123", "", HOW(L, L, X), 2, 1, "12", "", "");
	check_eligible(ctl_elect_offline, 1, "12", "", HOW(X, X, L), 2, -1, "12", "", "12");
	check_eligible(ctl_elect_offline, 1, "1", "3", HOW(X, L, D), 2, -1, "1", "3", "1");
}
END_TEST

START_TEST(where_one_replica_is_all_that_was_promised_the_last_one_stays_eligible)
{
	check_eligible(ctl_elect_offline, 1, "1", "", HOW(X, L, L), 1, 1, "1", "", "");
	check_eligible(ctl_elect_offline, 1, "12", "", HOW(X, D, L), 1, -1, "2", "2", "1");
	check_eligible(ctl_elect_offline, 1, "12", "", HOW(X, X, L), 1, 1, "1", "", "");
}
END_TEST

/* Nobody of the ISR is alive; `how` says who else is, ends what their logs hold. */
static int32_t elect_longest(const enum ctl_member how[3], const struct ctl_log_end ends[3])
{
	static const int32_t replicas[] = {1, 2, 3};
	struct ctl_election election = {.replicas = replicas, .replica_members = how, .replica_ends = ends, .n_replicas = 3, .leader = -1,
					.unclean = true};
	struct ctl_elected elected;

	ck_assert_int_eq(ctl_elect_offline(&election, &elected), CTL_CHANGE);
	ck_assert(elected.leader == -1 || (elected.unclean && elected.n_isr == 1 && elected.isr[0] == elected.leader));
	return elected.leader;
}

#define ENDS(...) ((const struct ctl_log_end[]){__VA_ARGS__})

START_TEST(of_those_that_are_not_eligible_the_newest_and_longest_log_leads)
{
	ck_assert_int_eq(elect_longest(HOW(L, L, L), ENDS({3, 10}, {3, 12}, {3, 11})), 2);
	ck_assert_int_eq(elect_longest(HOW(L, L, L), ENDS({3, 10}, {3, 12}, {4, 1})), 3);
	ck_assert_int_eq(elect_longest(HOW(L, L, D), ENDS({3, 10}, {3, 12}, {4, 1})), 2);
	ck_assert_int_eq(elect_longest(HOW(L, L, L), ENDS({3, 12}, {3, 12}, {3, 12})), 1);
	/* One that has not told is taken when nobody has. */
	ck_assert_int_eq(elect_longest(HOW(L, L, L), ENDS({-1, -1}, {-1, 0}, {-1, -1})), 2);
	ck_assert_int_eq(elect_longest(HOW(L, L, L), ENDS({-1, -1}, {-1, -1}, {-1, -1})), 1);
	ck_assert_int_eq(elect_longest(HOW(X, B, L), ENDS({2, 7}, {2, 5}, {1, 9})), 1);
}
END_TEST

START_TEST(without_a_live_isr_nobody_leads_unless_unclean_is_allowed)
{
	check(ctl_elect_offline, 1, "12", HOW(D, D, L), false, CTL_CHANGE, -1, "12");
	check(ctl_elect_offline, -1, "12", HOW(D, D, L), false, CTL_KEEP, -1, "12");
	check(ctl_elect_offline, 1, "12", HOW(D, D, L), true, CTL_CHANGE, 3, "3");
	check(ctl_elect_offline, 1, "12", HOW(D, D, D), true, CTL_CHANGE, -1, "12");
	check(ctl_elect_offline, -1, "", HOW(L, L, L), false, CTL_KEEP, -1, "");
	check(ctl_elect_offline, -1, "", HOW(L, L, L), true, CTL_CHANGE, 1, "1");
}
END_TEST

START_TEST(a_leader_that_is_not_in_the_isr_is_no_leader)
{
	check(ctl_elect_offline, 3, "12", HOW(L, L, L), false, CTL_CHANGE, 1, "12");
}
END_TEST

START_TEST(preferred_election_takes_the_first_replica_or_nobody)
{
	check(ctl_elect_preferred, 2, "123", HOW(L, L, L), false, CTL_CHANGE, 1, "123");
	check(ctl_elect_preferred, 1, "123", HOW(L, L, L), false, CTL_KEEP, 1, "123");
	check(ctl_elect_preferred, 2, "23", HOW(L, L, L), false, CTL_NOBODY, -1, "");
	check(ctl_elect_preferred, 2, "123", HOW(D, L, L), true, CTL_NOBODY, -1, "");
}
END_TEST

/* A state that is written names the incarnation that is alive of each member: it would call whole who is not. */
START_TEST(nobody_is_preferred_before_those_who_lost_something_are_struck_out)
{
	check(ctl_elect_preferred, 2, "123", HOW(L, L, X), false, CTL_NOBODY, -1, "");
	check(ctl_elect_preferred, 2, "123", HOW(L, L, B), false, CTL_CHANGE, 1, "123");
	check(ctl_elect_preferred, 2, "12", HOW(L, L, X), false, CTL_CHANGE, 1, "12");
	check(ctl_elect_reassign, 2, "123", HOW(L, L, X), false, CTL_NOBODY, -1, "");
}
END_TEST

START_TEST(reassignment_takes_the_first_target_in_the_isr)
{
	check(ctl_elect_reassign, 1, "321", HOW(D, D, L), false, CTL_CHANGE, 3, "321");
	check(ctl_elect_reassign, 1, "1", HOW(D, L, L), false, CTL_NOBODY, -1, "");
}
END_TEST

START_TEST(controlled_shutdown_moves_leaders_away_from_those_who_leave)
{
	check(ctl_elect_controlled_shutdown, 1, "123", HOW(S, L, L), false, CTL_CHANGE, 2, "23");
	check(ctl_elect_controlled_shutdown, 2, "123", HOW(S, L, L), false, CTL_CHANGE, 2, "23");
	check(ctl_elect_controlled_shutdown, 1, "12", HOW(S, S, L), false, CTL_NOBODY, -1, "");
	check(ctl_elect_controlled_shutdown, 2, "23", HOW(S, L, L), false, CTL_KEEP, 2, "23");
}
END_TEST

START_TEST(a_new_partition_begins_with_all_that_are_alive)
{
	check(ctl_elect_new, -1, "", HOW(L, L, L), false, CTL_CHANGE, 1, "123");
	check(ctl_elect_new, -1, "", HOW(D, L, S), false, CTL_CHANGE, 2, "2");
	check(ctl_elect_new, -1, "", HOW(D, S, D), false, CTL_CHANGE, 2, "2");
	check(ctl_elect_new, -1, "", HOW(D, D, D), true, CTL_NOBODY, -1, "");
}
END_TEST

UNIT_MAIN("tools/controller/ctl_elect", a_live_leader_stays_and_the_dead_leave_the_isr,
	  a_dead_leader_is_followed_by_the_first_of_the_assignment_in_the_isr,
	  a_bounced_leader_is_elected_anew_only_when_nobody_else_can,
	  of_those_that_are_not_eligible_the_newest_and_longest_log_leads, without_a_live_isr_nobody_leads_unless_unclean_is_allowed,
	  a_leader_that_is_not_in_the_isr_is_no_leader, preferred_election_takes_the_first_replica_or_nobody,
	  nobody_is_preferred_before_those_who_lost_something_are_struck_out,
	  reassignment_takes_the_first_target_in_the_isr, controlled_shutdown_moves_leaders_away_from_those_who_leave,
	  a_new_partition_begins_with_all_that_are_alive, who_leaves_an_isr_that_gets_too_small_stays_eligible,
	  the_eligible_are_elected_when_nobody_in_sync_is_alive, who_lost_something_is_neither_in_sync_nor_eligible,
	  where_one_replica_is_all_that_was_promised_the_last_one_stays_eligible)
