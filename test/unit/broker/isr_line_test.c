/* isr_line: proposals of a partition on its way to a controller and back, over lost connections and sessions. */
#include "test/unit/broker/replica/partition_fixture.h"

#include "broker/isr_line.h"
#include "broker/membership.h"
#include "broker/replica/replica_isr_core.h"

static struct worker hub;
static struct isr_line line;
static struct {
	int64_t broker_epoch, number;
	int32_t leader_epoch, partition_epoch;
	int n_isr;
	int32_t first;
} said;
static int n_frames;

static void on_send(void *ctx, const Klamm__IsrProposals *proposals)
{
	const Klamm__IsrProposal *proposal = proposals->proposals[0];

	ck_assert_ptr_eq(ctx, &line);
	ck_assert_uint_eq(proposals->n_proposals, 1);
	ck_assert_int_eq(memcmp(proposal->topic_id.data, topic_id.bytes, 16), 0);
	said.broker_epoch = proposals->broker_epoch;
	said.number = proposal->number;
	said.leader_epoch = proposal->leader_epoch;
	said.partition_epoch = proposal->partition_epoch;
	said.n_isr = (int)proposal->n_isr;
	said.first = proposal->isr[0]->id;
	n_frames++;
}

static void lead_with_two(int32_t leader_epoch)
{
	static const int32_t replicas[] = {1, 2};
	struct replica_state state = {
		.leader = 1, .leader_epoch = leader_epoch, .replicas = replicas, .n_replicas = 2, .isr = replicas, .n_isr = 2};

	ck_assert_int_eq(partition_become(partition, &state), 0);
}

/* A leader that wants broker 2 out of its ISR soon. */
static void begin(void)
{
	struct isr_line_port out = {&line, on_send};

	more_properties = "replica.lag.time.max.ms=1\nreplica.fetch.wait.max.ms=1\n";
	setup();
	ck_assert_int_eq(worker_init(&hub, "hub", 0), 0);
	isr_line_init(&line, &hub, &out);
	shard.hub = &hub;
	shard.isr = &line.port;
	n_frames = 0;
	lead_with_two(1);
	append(-1, -1, 1, 1);
}

static void end(void)
{
	isr_line_fini(&line);
	worker_drain(&hub);
	teardown();
	worker_drain(&hub);
	worker_fini(&hub);
}

static void turn(void)
{
	worker_turn(&shard.worker, 1);
	worker_turn(&hub, 0);
}

static void wait_frames(int wanted)
{
	int64_t until_ms = clock_ms() + 10000;

	while (n_frames < wanted && clock_ms() < until_ms)
		turn();
	ck_assert_int_eq(n_frames, wanted);
}

static void wait_asked(void)
{
	int64_t until_ms = clock_ms() + 10000;

	while (!line.asks && clock_ms() < until_ms)
		turn();
	ck_assert_ptr_nonnull(line.asks);
}

static int answer(int64_t broker_epoch, int64_t number, int32_t error)
{
	Klamm__IsrAnswers answers = KLAMM__ISR_ANSWERS__INIT;
	Klamm__IsrAnswer one = KLAMM__ISR_ANSWER__INIT, *list[] = {&one};
	int32_t isr[] = {1};
	uint8_t bytes[256];

	one.topic_id = (ProtobufCBinaryData){16, (uint8_t *)(uintptr_t)topic_id.bytes};
	one.number = number;
	one.error = error;
	one.leader_epoch = 1;
	one.partition_epoch = 1;
	one.isr = isr;
	one.n_isr = 1;
	answers.broker_epoch = broker_epoch;
	answers.answers = list;
	answers.n_answers = 1;
	return isr_line_answers(&line, slice_of(bytes, klamm__isr_answers__pack(&answers, bytes)));
}

START_TEST(a_proposal_goes_to_the_controller_and_its_answer_to_the_partition)
{
	begin();
	isr_line_up(&line, 70);
	wait_frames(1);
	ck_assert_int_eq(said.broker_epoch, 70);
	ck_assert_int_eq(said.leader_epoch, 1);
	ck_assert_int_eq(said.partition_epoch, 0);
	ck_assert_int_eq(said.n_isr, 1);
	ck_assert_int_eq(said.first, 1);
	ck_assert_int_eq(answer(70, said.number, 0), 0);
	turn();
	ck_assert_int_eq(partition->core.n_isr, 1);
	ck_assert_int_eq(partition->core.partition_epoch, 1);
	ck_assert_ptr_null(line.asks);
	end();
}
END_TEST

START_TEST(what_a_lost_controller_has_not_answered_goes_to_the_next_one)
{
	int64_t number;

	begin();
	/* None is there yet. */
	wait_asked();
	ck_assert_int_eq(n_frames, 0);
	isr_line_up(&line, 70);
	wait_frames(1);
	number = said.number;
	isr_line_down(&line);
	turn();
	ck_assert_int_eq(n_frames, 1);
	isr_line_up(&line, 70);
	wait_frames(2);
	ck_assert_int_eq(said.number, number);
	/* Connected anew without a break in between. */
	isr_line_down(&line);
	isr_line_up(&line, 70);
	wait_frames(3);
	answer(70, number, 0);
	turn();
	ck_assert_int_eq(partition->core.n_isr, 1);
	end();
}
END_TEST

START_TEST(answers_to_other_questions_or_incarnations_are_dropped)
{
	begin();
	isr_line_up(&line, 70);
	wait_frames(1);
	ck_assert_int_eq(answer(70, said.number + 1, 0), 0);
	ck_assert_int_eq(answer(69, said.number, 0), 0);
	ck_assert_int_eq(isr_line_answers(&line, SLICE_LITERAL("\xff\xff\xff")), ERR_CORRUPT);
	turn();
	ck_assert_int_eq(partition->core.n_isr, 2);
	ck_assert_ptr_nonnull(line.asks);
	end();
}
END_TEST

START_TEST(a_newer_proposal_takes_the_place_of_an_older_one)
{
	int64_t older;

	begin();
	isr_line_up(&line, 70);
	wait_frames(1);
	older = said.number;
	lead_with_two(2);
	append(-1, -1, 1, 1);
	wait_frames(2);
	ck_assert_int_eq(said.leader_epoch, 2);
	ck_assert_int_ne(said.number, older);
	answer(70, older, 0);
	turn();
	ck_assert_int_eq(partition->core.proposal_stage, REPLICA_PROPOSAL_SENT);
	end();
}
END_TEST

START_TEST(a_lost_session_forgets_and_a_confirmed_leader_asks_again)
{
	begin();
	wait_asked();
	isr_line_forget(&line);
	ck_assert_ptr_null(line.asks);
	shard_resign_all(&shard);
	isr_line_up(&line, 80);
	turn();
	ck_assert_int_eq(n_frames, 0);
	lead_with_two(1);
	wait_frames(1);
	ck_assert_int_eq(said.broker_epoch, 80);
	end();
}
END_TEST

START_TEST(what_comes_after_the_end_is_dropped)
{
	begin();
	wait_asked();
	isr_line_fini(&line);
	shard_resign_all(&shard);
	lead_with_two(1);
	turn();
	ck_assert_ptr_null(line.asks);
	end();
}
END_TEST

UNIT_MAIN("broker/isr_line", a_proposal_goes_to_the_controller_and_its_answer_to_the_partition,
	  what_a_lost_controller_has_not_answered_goes_to_the_next_one, answers_to_other_questions_or_incarnations_are_dropped,
	  a_newer_proposal_takes_the_place_of_an_older_one, a_lost_session_forgets_and_a_confirmed_leader_asks_again,
	  what_comes_after_the_end_is_dropped)
