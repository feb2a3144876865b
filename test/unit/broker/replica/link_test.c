/* links and link: which connection a partition follows over, what goes in one frame, how connections end and come again. */
#include "test/unit/broker/replica/follow_fixture.h"

#include "broker/net/address.h"
#include "broker/replica/link_internal.h"

#include <netdb.h>

#define N_MORE 40

static struct producer_table more_producers[N_MORE];
static struct partition *more[N_MORE];
static int n_more;
static uint8_t batches[4096];

/* Partitions 1.. of the same topic, as followers of broker 2 in an epoch. */
static void follow_with(int n, int32_t leader_epoch)
{
	const int32_t replicas[] = {1, 2}, isr[] = {2};
	struct replica_state state = {
		.leader = 2, .leader_epoch = leader_epoch, .replicas = replicas, .n_replicas = 2, .isr = isr, .n_isr = 1};
	struct log_config log_config = LOG_CONFIG_DEFAULT;

	for (; n_more < n; n_more++) {
		struct partition_key key = {topic_id, n_more + 1};
		struct log_observer observer;
		struct error err;
		struct log *log;

		producer_table_init(&more_producers[n_more]);
		observer = partition_observer(&more_producers[n_more]);
		ck_assert_int_eq(log_create(dir, SLICE_LITERAL("t"), key.index, &topic_id, &log_config, &observer, &log, &err), 0);
		more[n_more] = partition_open(&shard, &key, SLICE_LITERAL("t"), log, &disk, &more_producers[n_more]);
		ck_assert_int_eq(partition_become(more[n_more], &state), 0);
	}
}

static void begin(void)
{
	n_more = 0;
	setup_follow();
}

static void end(void)
{
	teardown_follow();
	for (int i = 0; i < n_more; i++)
		producer_table_fini(&more_producers[i]);
}

/* How many partitions the next FOLLOW names, all of which belong to this worker of n. */
static int expect_follows(struct leader_side *side, int32_t worker, int32_t n_workers)
{
	Klamm__Follow *follow;
	int n;

	leader_expect(side, FRAME_FOLLOW);
	follow = klamm__follow__unpack(NULL, side->payload_len, side->payload);
	ck_assert_ptr_nonnull(follow);
	n = (int)follow->n_partitions;
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(shard_index(&topic_id, follow->partitions[i]->partition, n_workers), worker);
	klamm__follow__free_unpacked(follow, NULL);
	return n;
}

START_TEST(all_that_ask_and_all_that_ack_in_a_turn_go_in_one_frame)
{
	Klamm__Following following = KLAMM__FOLLOWING__INIT;
	Klamm__FollowAnswer answers[N_MORE], *pointers[N_MORE];
	size_t len = put_batch(batches, 0, 0, 5, 2);
	int n_frames = 0;
	Klamm__Ack *ack;

	begin();
	follow_with(N_MORE, 5);
	leader_accept(&leader, 1);
	ck_assert_int_eq(expect_follows(&leader, 0, 1), N_MORE);
	for (int i = 0; i < N_MORE; i++) {
		answers[i] = leader_says(5, KLAMM__FOLLOW_ANSWER__VERDICT__OPEN);
		answers[i].partition = i + 1;
		answers[i].handle = 1000 + i;
		pointers[i] = &answers[i];
	}
	following.answers = pointers;
	following.n_answers = N_MORE;
	leader_send_payload(&leader, FRAME_FOLLOWING, &following.base);
	leader_appends(&leader, 1000, 0, 0, batches, len);
	leader_expect(&leader, FRAME_ACK);
	for (int i = 1; i < N_MORE; i++)
		leader_appends(&leader, 1000 + i, 0, 0, batches, len);
	/* All of them are there when the loop turns; a turn takes as many as its time allows. */
	for (int n = 1; n < N_MORE; n_frames++, klamm__ack__free_unpacked(ack, NULL)) {
		leader_expect(&leader, FRAME_ACK);
		ack = klamm__ack__unpack(NULL, leader.payload_len, leader.payload);
		ck_assert_ptr_nonnull(ack);
		ck_assert_int_eq(ack->marks[0]->log_end, 2);
		n += (int)ack->n_marks;
	}
	ck_assert_int_lt(n_frames, N_MORE - 1);
	end();
}
END_TEST

START_TEST(partitions_follow_over_the_connection_to_their_worker)
{
	int n;

	begin();
	follow_with(N_MORE, 5);
	leader_accept(&leader, 2);
	ck_assert_int_eq(leader.hello->worker, 0);
	n = expect_follows(&leader, 0, 2);
	leader_accept(&second, 2);
	ck_assert_int_eq(second.hello->worker, 1);
	n += expect_follows(&second, 1, 2);
	ck_assert_int_eq(n, N_MORE);
	end();
}
END_TEST

START_TEST(a_leader_that_refuses_hello_is_dialled_again)
{
	begin();
	follow_with(1, 5);
	leader_take(&leader);
	leader_answer(&leader, KAFKA_STALE_BROKER_EPOCH, LEADER_EPOCH, 1);
	leader_expect_hang_up(&leader);
	leader_take(&leader);
	leader_answer(&leader, 0, LEADER_EPOCH + 1, 1);
	leader_expect_hang_up(&leader);
	leader_take(&leader);
	leader_answer(&leader, 0, LEADER_EPOCH, 0);
	leader_expect_hang_up(&leader);
	/* Each partition would get a connection of its own. */
	leader_take(&leader);
	leader_answer(&leader, 0, LEADER_EPOCH, LIMIT_WORKERS + 1);
	leader_expect_hang_up(&leader);
	leader_accept(&leader, 1);
	ck_assert_int_eq(expect_follows(&leader, 0, 1), 1);
	end();
}
END_TEST

START_TEST(a_new_incarnation_of_the_leader_is_a_new_connection)
{
	begin();
	follow_with(3, 5);
	leader_accept(&leader, 1);
	ck_assert_int_eq(expect_follows(&leader, 0, 1), 3);
	/* The same again changes nothing. */
	set_leader(LEADER_EPOCH, leader_port);
	ck_assert(more[0]->follow.link != NULL);
	set_leader(-1, leader_port);
	leader_expect_hang_up(&leader);
	ck_assert_ptr_null(more[0]->follow.link);
	set_leader(LEADER_EPOCH + 7, leader_port);
	leader_take(&leader);
	ck_assert_int_eq(leader.hello->target_epoch, LEADER_EPOCH + 7);
	leader_answer(&leader, 0, LEADER_EPOCH + 7, 1);
	ck_assert_int_eq(expect_follows(&leader, 0, 1), 3);
	end();
}
END_TEST

START_TEST(without_an_incarnation_of_its_own_a_broker_follows_nobody)
{
	begin();
	follow_with(2, 5);
	leader_accept(&leader, 1);
	ck_assert_int_eq(expect_follows(&leader, 0, 1), 2);
	shard_resign_all(&shard);
	shard_set_incarnation(&shard, SLICE_LITERAL("c"), -1);
	leader_expect_hang_up(&leader);
	ck_assert(!more[0]->follow.wanted);
	/* Registered anew, the controller says again what they are. */
	shard_set_incarnation(&shard, SLICE_LITERAL("c"), OWN_EPOCH + 1);
	for (int i = 0; i < 2; i++) {
		const int32_t replicas[] = {1, 2}, isr[] = {2};
		struct replica_state state = {.leader = 2, .leader_epoch = 5, .replicas = replicas, .n_replicas = 2, .isr = isr, .n_isr = 1};

		ck_assert_int_eq(partition_become(more[i], &state), 0);
	}
	leader_accept(&leader, 1);
	ck_assert_int_eq(leader.hello->sender_epoch, OWN_EPOCH + 1);
	ck_assert_int_eq(expect_follows(&leader, 0, 1), 2);
	end();
}
END_TEST

START_TEST(a_leader_that_cannot_be_reached_is_dialled_until_it_is)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int64_t until = clock_ms() + WAIT_MS;

	begin();
	close(leader_socket);
	follow_with(1, 5);
	while (links_counters(shard.links)->n_failed == 0)
		turn_once(until);
	address.sin_port = htons(leader_port);
	leader_socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(setsockopt(leader_socket, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
	ck_assert_int_eq(bind(leader_socket, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(leader_socket, 8), 0);
	leader_accept(&leader, 1);
	ck_assert_int_eq(expect_follows(&leader, 0, 1), 1);
	end();
}
END_TEST

START_TEST(a_partition_that_leaves_during_the_dialogue_leaves_nothing_behind)
{
	begin();
	follow_with(3, 5);
	leader_accept(&leader, 1);
	ck_assert_int_eq(expect_follows(&leader, 0, 1), 3);
	partition_close(more[1], NULL);
	for (int i = 0; i < 3; i++) {
		Klamm__FollowAnswer answer = leader_says(5, KLAMM__FOLLOW_ANSWER__VERDICT__OPEN);

		answer.partition = i + 1;
		answer.handle = 10 + i;
		leader_tell(&leader, &answer);
	}
	leader_appends(&leader, 11, 0, 0, batches, put_batch(batches, 0, 0, 5, 1));
	leader_appends(&leader, 12, 0, 0, batches, put_batch(batches, 0, 0, 5, 1));
	ck_assert_int_eq(leader_expect_ack(&leader).handle, 12);
	end();
}
END_TEST

/* ---- a resolver that takes its time ---- */

static int gate[2];
static struct shared_i64 n_asked;

static int ask_at_gate(const char *host, struct sockaddr_storage *ret_address)
{
	char byte;

	(void)host;
	shared_i64_add(&n_asked, 1);
	return read(gate[0], &byte, 1) == 1 ? address_parse("127.0.0.1", 0, ret_address) : EAI_AGAIN;
}

START_TEST(a_name_that_is_being_looked_up_is_not_looked_up_again)
{
	struct resolver *resolver = resolver_new(ask_at_gate, 0);
	struct lookup *lookup;
	struct link *link;

	leader_host = "localhost";
	begin();
	ck_assert_int_eq(pipe(gate), 0);
	links_share(shard.links, NULL, NULL, resolver, NULL);
	follow_with(1, 5);
	link = more[0]->follow.link;
	lookup = link->lookup;
	ck_assert_ptr_nonnull(lookup);
	/* All have left for a moment, and come back: what the link's end was set to is over before the name is known. */
	links_leave(shard.links, more[0]);
	links_follow(shard.links, more[0]);
	ck_assert_ptr_eq(more[0]->follow.link, link);
	timer_set(&link->retry, clock_ms());
	while (timer_is_set(&link->retry))
		loop_turn(&shard.worker.loop, 1);
	ck_assert_ptr_eq(link->lookup, lookup);
	ck_assert_int_eq(write(gate[1], "x", 1), 1);
	leader_accept(&leader, 1);
	ck_assert_int_eq(expect_follows(&leader, 0, 1), 1);
	ck_assert_int_eq(shared_i64_get(&n_asked), 1);
	resolver_free(resolver);
	end();
	leader_host = "127.0.0.1";
	close(gate[0]);
	close(gate[1]);
}
END_TEST

UNIT_MAIN("broker/replica/link", all_that_ask_and_all_that_ack_in_a_turn_go_in_one_frame,
	  partitions_follow_over_the_connection_to_their_worker, a_leader_that_refuses_hello_is_dialled_again,
	  a_new_incarnation_of_the_leader_is_a_new_connection, without_an_incarnation_of_its_own_a_broker_follows_nobody,
	  a_leader_that_cannot_be_reached_is_dialled_until_it_is, a_partition_that_leaves_during_the_dialogue_leaves_nothing_behind,
	  a_name_that_is_being_looked_up_is_not_looked_up_again)
