/* zk/election against a real ZooKeeper: one office, one holder. */
#include "zk/election.h"

#include "test/lib/zk_test_loop.h"
#include "zk/path.h"

struct candidate {
	struct zk_client client;
	struct zk_election *election;
	int n_won, n_waiting, n_over, n_failed;
	struct zk_election_news last;
	int32_t holder_broker;
	char holder_nonce[32];
	int code;
};

static void on_election(void *ctx, const struct zk_election_news *news)
{
	struct candidate *candidate = ctx;

	candidate->last = *news;
	candidate->n_won += news->event == ZK_ELECTION_WON;
	candidate->n_waiting += news->event == ZK_ELECTION_WAITING;
	candidate->n_over += news->event == ZK_ELECTION_OVER;
	candidate->n_failed += news->event == ZK_ELECTION_FAILED;
	if (news->event == ZK_ELECTION_FAILED)
		ck_assert_ptr_nonnull(news->err);
	if (news->holder) {
		candidate->holder_broker = news->holder->broker_id;
		memcpy(candidate->holder_nonce, news->holder->nonce.data, news->holder->nonce.len + 1);
	}
}

static void enter(struct candidate *candidate, const char *chroot, const char *nonce)
{
	struct zk_election_listener listener = {candidate, on_election};

	if (candidate->client.timeout_ms == 0)
		candidate->client.timeout_ms = 2000;
	zk_client_open_at(&candidate->client, chroot);
	candidate->election = zk_election_new(candidate->client.session, nonce, &listener);
}

static void leave(struct candidate *candidate)
{
	zk_election_free(candidate->election);
	zk_client_close(&candidate->client);
}

START_TEST(the_first_one_is_elected_and_its_writes_can_be_fenced)
{
	struct candidate a = {0};
	struct zk_answer answer;

	enter(&a, "election/first", "nonce-a");
	zk_election_stand(a.election, 7, 0);
	ZK_WAIT(a.n_won == 1);
	ck_assert_int_eq(a.last.epoch, 1);
	ck_assert_int_eq(a.last.epoch_version, 1);
	ZK_RUN(&answer, zk_get(a.client.session, "/controller_epoch", NULL, zk_answer_done, &answer));
	ck_assert_str_eq(answer.data, "1");
	ck_assert_int_eq(answer.stat.version, a.last.epoch_version);
	ZK_RUN(&answer, zk_get(a.client.session, "/controller", NULL, zk_answer_done, &answer));
	ck_assert_ptr_nonnull(strstr(answer.data, "\"brokerid\":7"));
	ck_assert_ptr_nonnull(strstr(answer.data, "\"nonce\":\"nonce-a\""));
	leave(&a);
}
END_TEST

START_TEST(the_second_one_waits_and_takes_over_when_the_first_dies)
{
	struct candidate a = {0}, b = {0};

	enter(&a, "election/two", "nonce-a");
	enter(&b, "election/two", "nonce-b");
	zk_election_stand(a.election, 1, 0);
	ZK_WAIT(a.n_won == 1);
	zk_election_stand(b.election, 2, 0);
	ZK_WAIT(b.n_waiting == 1);
	ck_assert_int_eq(b.holder_broker, 1);
	ck_assert_str_eq(b.holder_nonce, "nonce-a");
	ck_assert(b.last.owner == zk_session_id(a.client.session));
	zk_election_free(a.election);
	zk_client_crash(&a.client);
	ZK_WAIT(b.n_won == 1);
	ck_assert_int_eq(b.last.epoch, 2);
	leave(&b);
}
END_TEST

START_TEST(resigning_hands_over_at_once)
{
	struct candidate a = {0}, b = {0};

	enter(&a, "election/resign", "nonce-a");
	enter(&b, "election/resign", "nonce-b");
	zk_election_stand(a.election, 1, 0);
	ZK_WAIT(a.n_won == 1);
	zk_election_stand(b.election, 2, 0);
	ZK_WAIT(b.n_waiting == 1);
	zk_election_resign(a.election);
	ZK_WAIT(b.n_won == 1);
	zk_election_stand(a.election, 1, 0);
	ZK_WAIT(a.n_waiting == 1);
	ck_assert_int_eq(a.n_over, 0);
	leave(&a);
	leave(&b);
}
END_TEST

START_TEST(many_races_have_one_winner_each)
{
	struct candidate c[3] = {0};

	for (int i = 0; i < 3; i++) {
		char nonce[16] = {'n', (char)('0' + i)};

		enter(&c[i], "election/races", nonce);
	}
	for (int round = 1; round <= 30; round++) {
		int won_before = c[0].n_won + c[1].n_won + c[2].n_won;
		int holder = -1;

		for (int i = 0; i < 3; i++)
			zk_election_stand(c[i].election, i, 0);
		ZK_WAIT(c[0].n_won + c[1].n_won + c[2].n_won > won_before);
		zk_clients_run(5);
		ck_assert_int_eq(c[0].n_won + c[1].n_won + c[2].n_won, won_before + 1);
		for (int i = 0; i < 3; i++)
			if (c[i].last.event == ZK_ELECTION_WON && c[i].last.epoch == round)
				holder = i;
		ck_assert_int_ge(holder, 0);
		for (int i = 0; i < 3; i++)
			if (i != holder)
				zk_election_resign(c[i].election);
		zk_election_resign(c[holder].election);
	}
	for (int i = 0; i < 3; i++)
		leave(&c[i]);
}
END_TEST

START_TEST(a_lost_answer_is_judged_by_nonce_and_session)
{
	struct candidate a = {0};
	int last_epoch = 0;

	enter(&a, "election/lost", "nonce-a");
	for (int i = 0; i < 40; i++) {
		int won = a.n_won;

		zk_election_stand(a.election, 1, 0);
		/* Let it come so far, then break the connection. */
		for (int turns = 0; turns < i % 8 && a.n_won == won; turns++)
			zk_clients_turn(20);
		if (a.client.fd >= 0)
			zk_client_cut(&a.client);
		ZK_WAIT(a.n_won > won);
		ck_assert_int_gt(a.last.epoch, last_epoch);
		last_epoch = a.last.epoch;
		zk_election_resign(a.election);
		zk_clients_run(5);
	}
	ck_assert_int_eq(a.n_failed, 0);
	leave(&a);
}
END_TEST

START_TEST(a_holder_hears_when_its_node_is_gone)
{
	struct candidate a = {0};
	struct zk_client other = {0};
	struct zk_answer answer;

	enter(&a, "election/gone", "nonce-a");
	zk_client_open_at(&other, "election/gone");
	zk_election_stand(a.election, 1, 0);
	ZK_WAIT(a.n_won == 1);
	ZK_RUN(&answer, zk_get(a.client.session, "/", NULL, zk_answer_done, &answer));
	ZK_RUN(&answer, zk_delete(other.session, "/controller", -1, zk_answer_done, &answer));
	ZK_WAIT(a.n_over == 1);
	zk_election_stand(a.election, 1, 0);
	ZK_WAIT(a.n_won == 2);
	ck_assert_int_eq(a.last.epoch, 2);
	leave(&a);
	zk_client_close(&other);
}
END_TEST

START_TEST(an_expired_candidate_fails_and_stands_again_in_the_new_session)
{
	struct candidate a = {0}, b = {0};
	uint8_t password[ZK_PASSWORD_BYTES];
	int64_t id;

	enter(&a, "election/expired", "nonce-a");
	enter(&b, "election/expired", "nonce-b");
	zk_election_stand(a.election, 1, 0);
	ZK_WAIT(a.n_won == 1);
	zk_election_stand(b.election, 2, 0);
	ZK_WAIT(b.n_waiting == 1);
	ck_assert(zk_session_credentials(a.client.session, &id, password));
	ck_assert_int_eq(zk_session_end(zk_test_server.connect, id, password, 5000), 0);
	ZK_WAIT(b.n_won == 1 && a.client.n_new_sessions == 2);
	zk_election_stand(a.election, 1, 0);
	ZK_WAIT(a.n_waiting >= 1);
	ck_assert_str_eq(a.holder_nonce, "nonce-b");
	leave(&a);
	leave(&b);
}
END_TEST

START_TEST(our_own_stale_node_is_removed)
{
	struct candidate before = {.client.timeout_ms = 30000}, after = {0};

	enter(&before, "election/stale", "nonce-a");
	zk_election_stand(before.election, 1, 0);
	ZK_WAIT(before.n_won == 1);
	after.client.old_session_id = zk_session_id(before.client.session);
	zk_election_free(before.election);
	zk_client_crash(&before.client);
	/* Sooner than that session ends by itself. */
	enter(&after, "election/stale", "nonce-b");
	zk_election_stand(after.election, 1, 0);
	ZK_WAIT(after.n_won == 1);
	ck_assert_int_eq(after.last.epoch, 2);
	leave(&after);
}
END_TEST

START_TEST(the_epoch_is_raised_above_what_states_hold)
{
	struct candidate a = {0};

	enter(&a, "election/min", "nonce-a");
	zk_election_stand(a.election, 1, 50);
	ZK_WAIT(a.n_won == 1);
	ck_assert_int_eq(a.last.epoch, 50);
	zk_election_resign(a.election);
	zk_election_stand(a.election, 1, 50);
	ZK_WAIT(a.n_won == 2);
	ck_assert_int_eq(a.last.epoch, 51);
	leave(&a);
}
END_TEST

START_TEST(the_broker_that_clients_are_told_can_be_changed)
{
	struct candidate a = {0}, b = {0};

	enter(&a, "election/broker", "nonce-a");
	enter(&b, "election/broker", "nonce-b");
	zk_election_stand(a.election, -1, 0);
	ZK_WAIT(a.n_won == 1);
	zk_election_stand(b.election, -1, 0);
	ZK_WAIT(b.n_waiting == 1);
	ck_assert_int_eq(b.holder_broker, -1);
	zk_election_set_broker(a.election, 4);
	ZK_WAIT(b.n_waiting == 2);
	ck_assert_int_eq(b.holder_broker, 4);
	zk_clients_run(50);
	ck_assert_int_eq(a.n_over, 0);
	leave(&a);
	leave(&b);
}
END_TEST

START_TEST(a_damaged_epoch_node_is_told_and_left_alone)
{
	static const char *const damaged[] = {"x", "", "2147483647"};
	struct candidate a = {0};
	struct zk_answer answer;

	enter(&a, "election/damaged", "nonce-a");
	ZK_RUN(&answer, zk_create(a.client.session, "/controller_epoch", SLICE_NULL, ZK_PERSISTENT, zk_answer_done, &answer));
	for (int i = 0; i < 3; i++) {
		ZK_RUN(&answer,
		       zk_set(a.client.session, "/controller_epoch", slice_of_text(damaged[i]), -1, zk_answer_done, &answer));
		zk_election_stand(a.election, 1, 0);
		ZK_WAIT(a.n_failed == i + 1);
		ck_assert_int_eq(a.last.code, ERR_CORRUPT);
	}
	leave(&a);
}
END_TEST

START_TEST(a_foreign_controller_node_is_waited_for_whatever_it_holds)
{
	struct candidate a = {0};
	struct zk_client other = {0};
	struct zk_answer answer;

	enter(&a, "election/foreign", "nonce-a");
	zk_client_open_at(&other, "election/foreign");
	ZK_RUN(&answer,
	       zk_create(other.session, "/controller", SLICE_LITERAL("not json"), ZK_EPHEMERAL, zk_answer_done, &answer));
	zk_election_stand(a.election, 1, 0);
	ZK_WAIT(a.n_waiting == 1);
	ck_assert_ptr_null(a.last.holder);
	zk_client_close(&other);
	ZK_WAIT(a.n_won == 1);
	leave(&a);
}
END_TEST

ZK_TEST_MAIN("zk/election", the_first_one_is_elected_and_its_writes_can_be_fenced,
	     the_second_one_waits_and_takes_over_when_the_first_dies, resigning_hands_over_at_once,
	     many_races_have_one_winner_each, a_lost_answer_is_judged_by_nonce_and_session,
	     a_holder_hears_when_its_node_is_gone, an_expired_candidate_fails_and_stands_again_in_the_new_session,
	     our_own_stale_node_is_removed, the_epoch_is_raised_above_what_states_hold,
	     the_broker_that_clients_are_told_can_be_changed, a_damaged_epoch_node_is_told_and_left_alone,
	     a_foreign_controller_node_is_waited_for_whatever_it_holds)
