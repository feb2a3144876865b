/* forward_line: every request for the controller ends once: answered, timed out, or without a controller. */
#include "test/lib/unit.h"

#include "broker/forward_line.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/memory.h"
#include "proto/kafka_error.h"

static struct worker hub, worker;
static struct forward_line line;
static struct forward_call call;
static int64_t sent_number;
static int n_sent, n_done;

static void on_send(void *ctx, const Klamm__Forward *forward)
{
	ck_assert_ptr_eq(ctx, &line);
	ck_assert_int_eq(forward->api_key, 43);
	ck_assert_int_eq(forward->api_version, 2);
	ck_assert_str_eq(forward->principal, "User:ANONYMOUS");
	ck_assert(slice_is_text(slice_of(forward->body.data, forward->body.len), "ask"));
	sent_number = forward->number;
	n_sent++;
}

static void on_done(struct forward_call *ended)
{
	ck_assert_ptr_eq(ended, &call);
	ck_assert(worker_is_current(&worker));
	n_done++;
}

static void begin(void)
{
	struct forward_line_port out = {&line, on_send};

	ck_assert_int_eq(worker_init(&hub, "hub", 0), 0);
	ck_assert_int_eq(worker_init(&worker, "worker-0", 0), 0);
	forward_line_init(&line, &hub, &out);
	n_sent = n_done = 0;
}

static void end(void)
{
	forward_line_down(&line);
	worker_drain(&worker);
	ck_assert_int_eq(n_done, 1);
	buf_release(call.body);
	buf_release(call.answer);
	worker_fini(&worker);
	worker_fini(&hub);
}

static void ask(int64_t wait_ms)
{
	struct buf *body = buf_new(3);

	memcpy(body->data, "ask", 3);
	body->len = 3;
	call = (struct forward_call){.worker = &worker,
				     .api_key = 43,
				     .api_version = 2,
				     .body = body,
				     .principal = "User:ANONYMOUS",
				     .deadline_ms = clock_ms() + wait_ms,
				     .done = on_done};
	line.port.send(line.port.ctx, &call);
	worker_turn(&hub, 0);
}

static int answer(int64_t number, int32_t error, char *text)
{
	Klamm__ForwardAnswer told = KLAMM__FORWARD_ANSWER__INIT;
	uint8_t bytes[256];

	told.number = number;
	told.error = error;
	told.message = text;
	told.body = (ProtobufCBinaryData){5, (uint8_t *)(uintptr_t)"reply"};
	return forward_line_answer(&line, slice_of(bytes, klamm__forward_answer__pack(&told, bytes)));
}

START_TEST(an_answer_ends_the_call_that_it_is_for)
{
	begin();
	forward_line_up(&line);
	ask(600000);
	ck_assert_int_eq(n_sent, 1);
	ck_assert_int_eq(answer(sent_number + 1, 0, ""), 0);
	worker_turn(&worker, 0);
	ck_assert_int_eq(n_done, 0);
	ck_assert_int_eq(answer(sent_number, 0, ""), 0);
	worker_turn(&worker, 0);
	ck_assert_int_eq(n_done, 1);
	ck_assert_int_eq(call.error, 0);
	ck_assert(slice_is_text(buf_slice(call.answer), "reply"));
	/* The same again is nobody's. */
	ck_assert_int_eq(answer(sent_number, 0, ""), 0);
	ck_assert_int_eq(forward_line_answer(&line, SLICE_LITERAL("\xff\xff\xff")), ERR_CORRUPT);
	end();
}
END_TEST

START_TEST(a_refusal_brings_its_error_and_text)
{
	begin();
	forward_line_up(&line);
	ask(600000);
	answer(sent_number, KAFKA_INVALID_REQUEST, "no");
	worker_turn(&worker, 0);
	ck_assert_int_eq(call.error, KAFKA_INVALID_REQUEST);
	ck_assert_str_eq(call.text, "no");
	ck_assert_ptr_null(call.answer);
	end();
}
END_TEST

/* The field on the wire is wider than a Kafka error: cut to 16 bits this one would say that all went well. */
START_TEST(an_error_that_is_none_of_kafkas_is_an_error)
{
	begin();
	forward_line_up(&line);
	ask(600000);
	answer(sent_number, 65536, "");
	worker_turn(&worker, 0);
	ck_assert_int_eq(call.error, KAFKA_UNKNOWN_SERVER_ERROR);
	ck_assert_ptr_null(call.answer);
	end();
}
END_TEST

START_TEST(without_a_controller_it_is_not_controller)
{
	begin();
	ask(600000);
	worker_turn(&worker, 0);
	ck_assert_int_eq(n_sent, 0);
	ck_assert_int_eq(call.error, KAFKA_NOT_CONTROLLER);
	end();
}
END_TEST

/* The controller would close the connection over the frame. */
START_TEST(one_that_no_frame_holds_is_refused_here)
{
	begin();
	forward_line_up(&line);
	call = (struct forward_call){
		.worker = &worker, .body = buf_new(LIMIT_FORWARD_BYTES + 1), .deadline_ms = clock_ms() + 600000, .done = on_done};
	call.body->len = LIMIT_FORWARD_BYTES + 1;
	line.port.send(line.port.ctx, &call);
	worker_turn(&hub, 0);
	worker_turn(&worker, 0);
	ck_assert_int_eq(n_sent, 0);
	ck_assert_int_eq(call.error, KAFKA_INVALID_REQUEST);
	end();
}
END_TEST

START_TEST(a_lost_connection_ends_what_waits_on_it)
{
	begin();
	forward_line_up(&line);
	ask(600000);
	forward_line_down(&line);
	worker_turn(&worker, 0);
	ck_assert_int_eq(call.error, KAFKA_NOT_CONTROLLER);
	forward_line_up(&line);
	answer(sent_number, 0, "");
	worker_turn(&worker, 0);
	end();
}
END_TEST

START_TEST(a_controller_that_does_not_answer_is_a_time_out)
{
	int64_t until_ms = clock_ms() + 10000;

	begin();
	forward_line_up(&line);
	ask(1);
	while (n_done == 0 && clock_ms() < until_ms) {
		worker_turn(&hub, 100);
		worker_turn(&worker, 0);
	}
	ck_assert_int_eq(call.error, KAFKA_REQUEST_TIMED_OUT);
	end();
}
END_TEST

UNIT_MAIN("broker/forward_line", an_answer_ends_the_call_that_it_is_for, a_refusal_brings_its_error_and_text,
	  an_error_that_is_none_of_kafkas_is_an_error,
	  without_a_controller_it_is_not_controller, one_that_no_frame_holds_is_refused_here,
	  a_lost_connection_ends_what_waits_on_it,
	  a_controller_that_does_not_answer_is_a_time_out)
