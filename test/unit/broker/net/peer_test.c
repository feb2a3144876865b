/* Peers: Hello, frames both ways, bounds, pings, ends. */
#include "test/lib/loopback.h"
#include "test/lib/unit.h"

#include "broker/net/address.h"
#include "broker/net/peer.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEY_HELLO 20811

/* What one side of a connection has been told. */
struct side {
	struct peer *peer;
	char hello[64];
	bool refuse;
	int n_frames, n_drained, n_closed, n_released;
	int code;
	char text[200];
	uint8_t type, version;
	char header[64];
	uint8_t *payload;
	size_t payload_len;
	int fail_frames_with;
	bool free_in_callback;
};

static struct loopback loopback;
static struct side dialler, accepter;
static struct peer_setup accepter_setup;

static bool on_hello(void *ctx, struct peer *peer, struct slice answer)
{
	struct side *side = ctx;

	ck_assert_ptr_eq(side->peer, peer);
	snprintf(side->hello, sizeof side->hello, "%.*s", SLICE_ARGS(answer));
	return !side->refuse;
}

static int on_frame(void *ctx, struct peer *peer, const struct peer_frame *frame)
{
	struct side *side = ctx;

	side->n_frames++;
	side->type = frame->type;
	side->version = frame->version;
	snprintf(side->header, sizeof side->header, "%.*s", SLICE_ARGS(frame->header));
	free(side->payload);
	side->payload = memory_alloc(frame->payload.len + 1);
	memcpy(side->payload, frame->payload.data, frame->payload.len);
	side->payload_len = frame->payload.len;
	if (side->free_in_callback) {
		peer_free(peer);
		side->peer = NULL;
		ck_assert_uint_eq(frame->payload.data[0], 'p');
	}
	return side->fail_frames_with;
}

static void on_drained(void *ctx, struct peer *peer)
{
	(void)peer;
	((struct side *)ctx)->n_drained++;
}

static void on_closed(void *ctx, struct peer *peer, int code, const char *text)
{
	struct side *side = ctx;

	ck_assert_ptr_eq(side->peer, peer);
	side->n_closed++;
	side->code = code;
	snprintf(side->text, sizeof side->text, "%s", text);
	peer_free(peer);
	side->peer = NULL;
}

static struct peer_setup setup_of(struct side *side)
{
	return (struct peer_setup){.worker = &loopback.worker,
				   .pool = &loopback.net.pool,
				   .budget = &loopback.budget,
				   .version = 1,
				   .limits = peer_limits_default,
				   .port = {on_hello, on_frame, on_drained, on_closed, side}};
}

static void on_detached(void *ctx, const struct detached *detached)
{
	(void)ctx;
	if (detached)
		accepter.peer = peer_adopt(&accepter_setup, detached);
}

static void handle_hello(struct request *request)
{
	ck_assert(slice_is_text(request->raw_body, "hello"));
	ck_assert(slice_is_text(request->header.client_id, "me"));
	request_detach(request, SLICE_LITERAL("welcome"), on_detached, NULL);
}

static const struct net_api apis[] = {{KEY_HELLO, 0, 0, NET_API_RAW | NET_API_INTER_BROKER, handle_hello}};

static void open_all(void)
{
	loopback_open(&loopback, apis, 1, NULL);
	dialler = accepter = (struct side){0};
	accepter_setup = setup_of(&accepter);
}

static void dial_with(const struct peer_setup *setup)
{
	struct peer_target target = {.hello_key = KEY_HELLO, .client_id = "me", .hello = SLICE_LITERAL("hello")};

	ck_assert_int_eq(address_parse("127.0.0.1", loopback.port, &target.address), 0);
	ck_assert_int_eq(address_parse("127.0.0.1", 0, &target.source), 0);
	dialler.peer = peer_dial(setup, &target);
}

static void dial(void)
{
	struct peer_setup setup = setup_of(&dialler);

	dial_with(&setup);
}

static bool both_open(void *ctx)
{
	(void)ctx;
	return dialler.peer && accepter.peer && peer_is_open(dialler.peer) && peer_is_open(accepter.peer);
}

static void open_both(void)
{
	open_all();
	dial();
	loopback_until(&loopback, both_open, NULL);
}

static void close_all(void)
{
	if (dialler.peer)
		peer_free(dialler.peer);
	if (accepter.peer)
		peer_free(accepter.peer);
	free(dialler.payload);
	free(accepter.payload);
	loopback_close(&loopback);
}

static bool has_closed(void *ctx)
{
	return ((struct side *)ctx)->n_closed > 0;
}

struct wanted {
	struct side *side;
	int n;
};

static bool has_frames(void *ctx)
{
	struct wanted *wanted = ctx;

	return wanted->side->n_frames >= wanted->n;
}

static void wait_frames(struct side *side, int n)
{
	struct wanted wanted = {side, n};

	loopback_until(&loopback, has_frames, &wanted);
}

START_TEST(frames_go_both_ways_after_hello)
{
	open_both();
	ck_assert_str_eq(dialler.hello, "welcome");
	ck_assert_int_eq(peer_send(dialler.peer, 3, SLICE_LITERAL("head"), SLICE_LITERAL("payload"), NULL), 0);
	wait_frames(&accepter, 1);
	ck_assert_uint_eq(accepter.type, 3);
	ck_assert_uint_eq(accepter.version, 1);
	ck_assert_str_eq(accepter.header, "head");
	ck_assert(slice_is_text(slice_of(accepter.payload, accepter.payload_len), "payload"));
	ck_assert_int_eq(peer_send(accepter.peer, 4, SLICE_NULL, SLICE_NULL, NULL), 0);
	wait_frames(&dialler, 1);
	ck_assert_uint_eq(dialler.payload_len, 0);
	for (int i = 0; i < 1000; i++)
		peer_send(dialler.peer, 5, SLICE_LITERAL("many"), SLICE_LITERAL("x"), NULL);
	wait_frames(&accepter, 1001);
	ck_assert_int_eq(loopback.acceptor.counters.n_open, 1);
	close_all();
}
END_TEST

static void on_file_release(struct send_file *file)
{
	((struct side *)file->owner)->n_released++;
}

START_TEST(large_payloads_from_memory_and_files_arrive_whole)
{
	enum { LEN = 3 << 20 };
	char *path = memory_printf("%s/file", unit_temp_dir());
	struct buf *buf = buf_new(LEN);
	struct send_file file = {.pos = 100, .len = LEN - 100, .release = on_file_release, .owner = &dialler};
	struct send_files files = {1, &file};

	for (size_t i = 0; i < LEN; i++)
		buf->data[i] = (uint8_t)(i * 17 + i / 999);
	buf->len = LEN;
	file.fd = open(path, O_RDWR | O_CREAT, 0600);
	ck_assert_int_eq(write(file.fd, buf->data, LEN), LEN);
	open_both();
	peer_send(dialler.peer, 6, SLICE_LITERAL("file"), slice_of(buf->data, 100), &files);
	wait_frames(&accepter, 1);
	ck_assert_uint_eq(accepter.payload_len, LEN);
	ck_assert_int_eq(memcmp(accepter.payload, buf->data, LEN), 0);
	ck_assert_int_eq(dialler.n_released, 1);
	ck_assert_int_eq(peer_send_buf(accepter.peer, 7, SLICE_LITERAL("buf"), buf, buf_slice(buf)), 0);
	buf_release(buf);
	wait_frames(&dialler, 1);
	ck_assert_uint_eq(dialler.payload_len, LEN);
	ck_assert_int_eq(memcmp(dialler.payload, accepter.payload, LEN), 0);
	close(file.fd);
	free(path);
	close_all();
}
END_TEST

START_TEST(a_full_queue_says_so_and_tells_when_it_has_drained)
{
	struct peer_setup setup;
	uint8_t *bytes = memory_zalloc(1, 100000);
	int n = 0;

	open_all();
	setup = setup_of(&dialler);
	setup.limits.send_bytes_max = 1 << 20;
	dial_with(&setup);
	loopback_until(&loopback, both_open, NULL);
	while (peer_send(dialler.peer, 1, SLICE_NULL, slice_of(bytes, 100000), NULL) == 0)
		n++;
	ck_assert_int_eq(n, 10);
	ck_assert_int_eq(dialler.n_drained, 0);
	wait_frames(&accepter, n + 1);
	ck_assert_int_eq(dialler.n_drained, 1);
	ck_assert_int_eq(peer_send(dialler.peer, 1, SLICE_NULL, SLICE_NULL, NULL), 0);
	free(bytes);
	close_all();
}
END_TEST

START_TEST(a_paused_peer_gets_its_frames_later)
{
	open_both();
	peer_pause(accepter.peer);
	for (int i = 0; i < 50; i++)
		peer_send(dialler.peer, 1, SLICE_LITERAL("h"), SLICE_LITERAL("p"), NULL);
	loopback_pass(&loopback, 20);
	ck_assert_int_eq(accepter.n_frames, 0);
	peer_resume(accepter.peer);
	ck_assert_int_eq(accepter.n_frames, 0);
	wait_frames(&accepter, 50);
	close_all();
}
END_TEST

START_TEST(a_refused_or_closed_connection_tells_why)
{
	struct peer_setup setup;
	struct peer_target target = {.hello_key = KEY_HELLO, .client_id = "me", .hello = SLICE_LITERAL("hello")};
	int fd;

	/* Nobody listens: a port that was just free. */
	open_all();
	fd = socket(AF_INET, SOCK_STREAM, 0);
	address_parse("127.0.0.1", 0, &target.address);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&target.address, address_len(&target.address)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&target.address, &(socklen_t){sizeof target.address}), 0);
	setup = setup_of(&dialler);
	dialler.peer = peer_dial(&setup, &target);
	ck_assert_int_eq(dialler.n_closed, 0);
	loopback_until(&loopback, has_closed, &dialler);
	ck_assert_int_eq(dialler.code, ERR_CLOSED);
	ck_assert_ptr_nonnull(strstr(dialler.text, "refused"));
	close(fd);

	dialler = (struct side){.refuse = true};
	dial();
	loopback_until(&loopback, has_closed, &dialler);
	ck_assert_int_eq(dialler.code, ERR_AUTH);
	loopback_until(&loopback, has_closed, &accepter);
	ck_assert_int_eq(accepter.code, ERR_CLOSED);
	close_all();
}
END_TEST

START_TEST(a_hello_without_an_answer_times_out)
{
	struct peer_setup setup;
	struct peer_target target = {.hello_key = KEY_HELLO, .client_id = "me", .hello = SLICE_LITERAL("hello")};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	open_all();
	address_parse("127.0.0.1", 0, &target.address);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&target.address, address_len(&target.address)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&target.address, &(socklen_t){sizeof target.address}), 0);
	setup = setup_of(&dialler);
	setup.limits.connect_ms = 100;
	dialler.peer = peer_dial(&setup, &target);
	loopback_until(&loopback, has_closed, &dialler);
	ck_assert_int_eq(dialler.code, ERR_TIMEOUT);
	close(fd);
	close_all();
}
END_TEST

/* A client of our own that speaks Hello and then sends what it likes. */
static int dial_raw(void)
{
	uint8_t answer[15], frame[64];
	int fd = loopback_connect(&loopback);

	bytes_put_i32(frame, 17);
	bytes_put_i16(frame + 4, KEY_HELLO);
	bytes_put_i16(frame + 6, 0);
	bytes_put_i32(frame + 8, 1);
	bytes_put_i16(frame + 12, 2);
	memcpy(frame + 14, "mehello", 7);
	loopback_send(&loopback, fd, frame, 21);
	loopback_receive(&loopback, fd, answer, sizeof answer);
	return fd;
}

static void put_head(uint8_t *head, uint32_t payload, uint16_t header, uint8_t type)
{
	bytes_put_u32(head, payload);
	bytes_put_u16(head + 4, header);
	head[6] = 1;
	head[7] = type;
}

START_TEST(forged_lengths_close_the_connection_at_once)
{
	static const struct {
		uint32_t payload;
		uint16_t header;
	} cases[] = {{UINT32_MAX, 0}, {(64 << 20) + 1, 0}, {0, UINT16_MAX}, {1u << 31, LIMIT_PEER_HEADER_BYTES + 1}};

	open_all();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t head[8];
		int fd = dial_raw();

		accepter.n_closed = 0;
		put_head(head, cases[i].payload, cases[i].header, 9);
		loopback_send(&loopback, fd, head, sizeof head);
		loopback_until(&loopback, has_closed, &accepter);
		ck_assert_int_eq(accepter.code, ERR_TOO_LARGE);
		loopback_expect_closed(&loopback, fd);
		close(fd);
	}
	ck_assert_int_eq(accepter.n_frames, 0);
	close_all();
}
END_TEST

START_TEST(a_claimed_payload_takes_no_memory_and_an_unknown_type_is_the_owners)
{
	uint8_t bytes[5000] = {0};
	int fd;

	open_all();
	fd = dial_raw();
	put_head(bytes, 60 << 20, 0, 9);
	loopback_send(&loopback, fd, bytes, sizeof bytes);
	loopback_pass(&loopback, 10);
	ck_assert_int_le(budget_used(&loopback.budget), RECEIVER_CHUNK_BYTES);
	close(fd);
	loopback_until(&loopback, has_closed, &accepter);
	accepter.n_closed = 0;
	fd = dial_raw();
	accepter.fail_frames_with = ERR_INVALID;
	put_head(bytes, 0, 0, 200);
	loopback_send(&loopback, fd, bytes, 8);
	loopback_until(&loopback, has_closed, &accepter);
	ck_assert_int_eq(accepter.n_frames, 1);
	ck_assert_int_eq(accepter.code, ERR_INVALID);
	close(fd);
	close_all();
}
END_TEST

START_TEST(frames_cut_anywhere_are_put_together)
{
	uint8_t bytes[3 * 300], *at = bytes;
	int fd;

	open_all();
	fd = dial_raw();
	for (int i = 0; i < 3; i++) {
		put_head(at, 250, 5, 9);
		memcpy(at + 8, "abcde", 5);
		memset(at + 13, i, 250);
		at += 263;
	}
	for (uint8_t *byte = bytes; byte < at; byte++)
		loopback_send(&loopback, fd, byte, 1);
	wait_frames(&accepter, 3);
	ck_assert_str_eq(accepter.header, "abcde");
	ck_assert_uint_eq(accepter.payload_len, 250);
	ck_assert_uint_eq(accepter.payload[249], 2);
	close(fd);
	loopback_until(&loopback, has_closed, &accepter);
	close_all();
}
END_TEST

static int64_t heard_after_ms;

static bool has_heard(void *ctx)
{
	(void)ctx;
	return !dialler.peer || peer_fresh_ms(dialler.peer) >= heard_after_ms;
}

START_TEST(pings_keep_a_quiet_connection_and_silence_ends_it)
{
	struct peer_setup setup;
	int fd;

	open_all();
	accepter_setup.limits.ping_ms = 20;
	accepter_setup.limits.idle_ms = 1000;
	setup = setup_of(&dialler);
	setup.limits.ping_ms = 20;
	setup.limits.idle_ms = 1000;
	dial_with(&setup);
	loopback_until(&loopback, both_open, NULL);
	/* Something was heard when the limit of what was there at first is long over. */
	heard_after_ms = peer_fresh_ms(dialler.peer) + 1500;
	loopback_until(&loopback, has_heard, NULL);
	ck_assert(both_open(NULL));
	ck_assert_int_eq(dialler.n_frames + accepter.n_frames, 0);
	peer_free(dialler.peer);
	dialler.peer = NULL;
	loopback_until(&loopback, has_closed, &accepter);
	ck_assert_int_eq(accepter.code, ERR_CLOSED);
	accepter.n_closed = 0;
	fd = dial_raw();
	loopback_until(&loopback, has_closed, &accepter);
	ck_assert_int_eq(accepter.code, ERR_TIMEOUT);
	close(fd);
	close_all();
}
END_TEST

START_TEST(a_pause_is_no_silence_of_the_other_end)
{
	open_all();
	accepter_setup.limits.idle_ms = 50;
	dial();
	loopback_until(&loopback, both_open, NULL);
	peer_pause(accepter.peer);
	peer_send(dialler.peer, 1, SLICE_LITERAL("h"), SLICE_LITERAL("p"), NULL);
	loopback_pass(&loopback, 120);
	peer_resume(accepter.peer);
	wait_frames(&accepter, 1);
	ck_assert_int_eq(accepter.n_closed, 0);
	close_all();
}
END_TEST

/* Memory that one who says next to nothing holds is memory that others wait for. */
START_TEST(a_frame_in_part_has_to_get_on)
{
	uint8_t head[PEER_FRAME_HEAD_BYTES];
	int64_t until_ms = clock_ms() + LOOPBACK_WAIT_MS;
	int fd;

	open_all();
	accepter_setup.limits.ping_ms = 10;
	accepter_setup.limits.frame_ms_max = 100;
	fd = dial_raw();
	put_head(head, 1 << 20, 0, 1);
	loopback_send(&loopback, fd, head, sizeof head);
	/* It is heard all the time. */
	while (accepter.n_closed == 0) {
		ck_assert(clock_ms() < until_ms);
		(void)!write(fd, "x", 1);
		loopback_pass(&loopback, 20);
	}
	ck_assert_int_eq(accepter.code, ERR_TIMEOUT);
	ck_assert_str_eq(accepter.text, "a frame came in too slowly");
	close(fd);
	close_all();
}
END_TEST

static void on_granted(struct budget_wait *wait, bool rescued)
{
	(void)rescued;
	budget_give(&loopback.budget, wait->bytes);
}

START_TEST(a_frame_that_stands_still_is_ended_when_others_wait_for_memory)
{
	uint8_t *bytes = memory_zalloc(1, 300000);
	struct budget_wait wait;
	int fd;

	open_all();
	accepter_setup.limits.ping_ms = 10;
	accepter_setup.limits.starved_ms_max = 100;
	fd = dial_raw();
	put_head(bytes, 1 << 20, 0, 1);
	loopback_send(&loopback, fd, bytes, 300000);
	loopback_pass(&loopback, 200);
	ck_assert_int_eq(accepter.n_closed, 0);
	budget_wait_init(&wait, &loopback.worker, BUDGET_CLIENT, on_granted);
	budget_queue(&loopback.budget, &wait, (size_t)loopback.budget.total, false);
	loopback_until(&loopback, has_closed, &accepter);
	ck_assert_str_eq(accepter.text, "a frame stopped half-way while others wait for memory");
	loopback_pass(&loopback, 20);
	ck_assert(!budget_is_short(&loopback.budget));
	close(fd);
	free(bytes);
	close_all();
}
END_TEST

/* It may be gone for good, and may hold what others wait for: memory of the budget that a frame in part was granted beyond it. */
START_TEST(who_takes_nothing_is_closed_also_while_it_is_not_read)
{
	uint8_t *bytes = memory_zalloc(1, 1 << 20);
	int fd;

	open_all();
	accepter_setup.limits.idle_ms = 200;
	fd = dial_raw();
	while (peer_send(accepter.peer, 1, SLICE_NULL, slice_of(bytes, 1 << 20), NULL) == 0)
		;
	loopback_pass(&loopback, 20);
	peer_pause(accepter.peer);
	/* What it says does not help it: nobody reads that. */
	loopback_send(&loopback, fd, bytes, PEER_FRAME_HEAD_BYTES);
	loopback_until(&loopback, has_closed, &accepter);
	ck_assert_int_eq(accepter.code, ERR_TIMEOUT);
	ck_assert_str_eq(accepter.text, "nothing taken for 200 ms");
	close(fd);
	free(bytes);
	close_all();
}
END_TEST

/* Between the sending of a frame and its reading the process stands still: it is as old as what was read before it (S9). */
START_TEST(what_gathered_while_nobody_read_is_no_sign_of_life_of_now)
{
	int64_t stood_still_until_ms, first_ms;

	open_both();
	peer_send(dialler.peer, 1, SLICE_LITERAL("h"), SLICE_LITERAL("p"), NULL);
	wait_frames(&accepter, 1);
	first_ms = clock_ms();
	peer_send(dialler.peer, 1, SLICE_LITERAL("h"), SLICE_LITERAL("p"), NULL);
	stood_still_until_ms = clock_ms() + 20;
	while (clock_ms() < stood_still_until_ms)
		;
	wait_frames(&accepter, 2);
	ck_assert_int_le(peer_fresh_ms(accepter.peer), first_ms);
	peer_send(dialler.peer, 1, SLICE_LITERAL("h"), SLICE_LITERAL("p"), NULL);
	wait_frames(&accepter, 3);
	ck_assert_int_ge(peer_fresh_ms(accepter.peer), stood_still_until_ms);
	close_all();
}
END_TEST

START_TEST(a_peer_may_be_freed_in_its_own_callback)
{
	open_both();
	accepter.free_in_callback = true;
	for (int i = 0; i < 5; i++)
		peer_send(dialler.peer, 1, SLICE_LITERAL("h"), SLICE_LITERAL("p"), NULL);
	loopback_until(&loopback, has_closed, &dialler);
	ck_assert_int_eq(accepter.n_frames, 1);
	ck_assert_int_eq(accepter.n_closed, 0);
	close_all();
}
END_TEST

START_TEST(a_frame_put_together_outlives_a_peer_freed_in_its_callback)
{
	uint8_t bytes[30];
	int fd;

	open_all();
	fd = dial_raw();
	accepter.free_in_callback = true;
	put_head(bytes, 20, 0, 9);
	memset(bytes + 8, 'p', 20);
	loopback_send(&loopback, fd, bytes, 12);
	loopback_pass(&loopback, 5);
	loopback_send(&loopback, fd, bytes + 12, 16);
	loopback_expect_closed(&loopback, fd);
	ck_assert_int_eq(accepter.n_frames, 1);
	close(fd);
	close_all();
}
END_TEST

START_TEST(what_waits_to_be_sent_is_released_at_the_end)
{
	struct send_file file = {.fd = -1, .len = 100000, .release = on_file_release, .owner = &dialler};
	struct send_files files = {1, &file};

	open_both();
	peer_send(dialler.peer, 1, SLICE_NULL, SLICE_NULL, &files);
	peer_close(dialler.peer);
	ck_assert_int_eq(dialler.n_released, 1);
	ck_assert_int_eq(peer_send(dialler.peer, 1, SLICE_NULL, SLICE_NULL, &files), ERR_CLOSED);
	ck_assert_int_eq(dialler.n_released, 2);
	ck_assert_int_eq(dialler.n_closed, 0);
	close_all();
}
END_TEST

UNIT_MAIN("broker/net/peer", frames_go_both_ways_after_hello, large_payloads_from_memory_and_files_arrive_whole,
	  a_full_queue_says_so_and_tells_when_it_has_drained, a_paused_peer_gets_its_frames_later,
	  a_refused_or_closed_connection_tells_why, a_hello_without_an_answer_times_out,
	  forged_lengths_close_the_connection_at_once, a_claimed_payload_takes_no_memory_and_an_unknown_type_is_the_owners,
	  frames_cut_anywhere_are_put_together, pings_keep_a_quiet_connection_and_silence_ends_it,
	  a_frame_in_part_has_to_get_on, a_frame_that_stands_still_is_ended_when_others_wait_for_memory, a_pause_is_no_silence_of_the_other_end, who_takes_nothing_is_closed_also_while_it_is_not_read, what_gathered_while_nobody_read_is_no_sign_of_life_of_now,
	  a_peer_may_be_freed_in_its_own_callback, a_frame_put_together_outlives_a_peer_freed_in_its_callback,
	  what_waits_to_be_sent_is_released_at_the_end)
