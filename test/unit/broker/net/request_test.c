/* Requests over real sockets: what is served and what is not, throttling, detaching, file ranges. */
#include "test/unit/broker/net/fixture.h"

#include "proto/kafka/fetch.gen.h"

#include <fcntl.h>

START_TEST(unknown_keys_and_versions_close_the_connection)
{
	static const int cases[][2] = {{9999, 0},       {KEY_ECHO, 4},    {KEY_ECHO, -1}, {API_FETCH, 3},
				       {API_FETCH, 99}, {API_PRODUCE, 3}, {-5, 0}};

	open_default();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int fd = loopback_connect(&loopback);

		loopback_request(&loopback, fd, cases[i][0], cases[i][1], 1, "x", 1);
		loopback_expect_closed(&loopback, fd);
		close(fd);
	}
	loopback_close(&loopback);
}
END_TEST

START_TEST(an_unknown_version_of_api_versions_is_answered_in_version_0)
{
	static const uint8_t wanted[] = {0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4};
	uint8_t *answer;
	int32_t id;
	size_t len;
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	loopback_request(&loopback, fd, API_API_VERSIONS, 99, 77, "", 0);
	answer = loopback_answer(&loopback, fd, &id, &len);
	ck_assert_int_eq(id, 77);
	ck_assert_uint_eq(len, sizeof wanted);
	ck_assert_int_eq(memcmp(answer, wanted, len), 0);
	free(answer);
	request(fd, KEY_ECHO, 78, "still here");
	expect_answer(fd, 78, "still here");
	close(fd);
	loopback_close(&loopback);
}
END_TEST

START_TEST(a_body_that_cannot_be_decoded_closes_the_connection)
{
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	loopback_request(&loopback, fd, API_FETCH, 4, 1, "\xff\xff", 2);
	loopback_expect_closed(&loopback, fd);
	ck_assert_int_eq(loopback.net.counters.n_bad_frames, 1);
	close(fd);
	loopback_close(&loopback);
}
END_TEST

START_TEST(a_throttled_connection_is_muted_after_its_answer)
{
	int64_t begun;
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	begun = clock_ms();
	request(fd, KEY_SLOW, 1, "one");
	request(fd, KEY_ECHO, 2, "two");
	expect_answer(fd, 1, "one");
	expect_answer(fd, 2, "two");
	ck_assert_int_ge(clock_ms() - begun, 90);
	/* The answer itself does not wait. */
	slow_ms = 10 * LOOPBACK_WAIT_MS;
	request(fd, KEY_SLOW, 3, "three");
	request(fd, KEY_ECHO, 4, "four");
	expect_answer(fd, 3, "three");
	expect_nothing(fd);
	close(fd);
	loopback_close(&loopback);
}
END_TEST

static bool is_detached(void *ctx)
{
	(void)ctx;
	return n_detached + n_detach_failed > 0;
}

START_TEST(a_detached_connection_keeps_its_bytes)
{
	uint8_t bytes[128];
	size_t len;
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	len = loopback_frame(bytes, KEY_DETACH, 0, 9, "hello", 5);
	memcpy(bytes + len, "frames follow", 13);
	loopback_send(&loopback, fd, bytes, len + 13);
	expect_answer(fd, 9, "welcome");
	loopback_until(&loopback, is_detached, NULL);
	ck_assert_int_eq(n_detached, 1);
	ck_assert(slice_is_text(detached.unread_bytes, "frames follow"));
	ck_assert_int_eq(loopback.net.counters.n_connections, 0);
	ck_assert_int_eq(loopback.acceptor.counters.n_open, 1);
	ck_assert_int_eq(send(detached.fd, "x", 1, 0), 1);
	loopback_receive(&loopback, fd, bytes, 1);
	close(detached.fd);
	buf_release(detached.unread);
	client_release(detached.client);
	close(fd);
	loopback_close(&loopback);
}
END_TEST

static void on_close_first(struct message *message)
{
	request_close(CONTAINER_OF(message, struct request, message), "a test");
}

static void end_when_gone(struct request *request)
{
	n_gone++;
	request_answer_none(request);
}

START_TEST(a_closing_request_tells_the_others_but_not_itself)
{
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	for (int i = 0; i < 5; i++)
		request(fd, KEY_PARK, i, "x");
	wait_parked(5);
	for (int i = 0; i < 5; i++)
		parked[i]->on_gone = end_when_gone;
	parked[1]->message.run = on_close_first;
	worker_post(&loopback.worker, &parked[1]->message);
	wait_open(0);
	ck_assert_int_eq(n_gone, 4);
	ck_assert_int_eq(loopback.net.n_alive, 0);
	loopback_expect_closed(&loopback, fd);
	close(fd);
	loopback_close(&loopback);
}
END_TEST

/* ---- File ranges ---- */

static int file_fd, n_files_released;
static struct send_file *next_files;
static int n_next_files;

static void on_file_release(struct send_file *file)
{
	(void)file;
	n_files_released++;
}

static void answer_from_files(struct request *request)
{
	struct fetch_response response = fetch_response_default;
	struct send_files *files = arena_alloc(&request->arena, sizeof *files);
	struct fetch_response_partition *partition;

	response.responses = message_array(&request->arena, &fetch_response_topic_struct, 1);
	response.n_responses = 1;
	response.responses[0].topic = SLICE_LITERAL("t");
	partition = message_array(&request->arena, &fetch_response_partition_struct, 1);
	response.responses[0].partitions = partition;
	response.responses[0].n_partitions = 1;
	files->n_files = n_next_files;
	files->files = next_files;
	partition->records.external = files;
	for (int i = 0; i < n_next_files; i++)
		partition->records.size += (int64_t)next_files[i].len;
	request_answer(request, &response);
}

/* A Fetch of version 4 without topics. */
static const uint8_t fetch_body[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

static void make_file(size_t len)
{
	char *path = memory_printf("%s/file", unit_temp_dir());
	uint8_t *bytes = memory_alloc(len);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 13 + i / 777);
	file_fd = open(path, O_RDWR | O_CREAT, 0600);
	ck_assert_int_eq(write(file_fd, bytes, len), (ssize_t)len);
	free(bytes);
	free(path);
}

static void expect_file_bytes(const uint8_t *at, const struct send_file *file)
{
	for (size_t i = 0; i < file->len; i++) {
		size_t pos = (size_t)file->pos + i;

		ck_assert_uint_eq(at[i], (uint8_t)(pos * 13 + pos / 777));
	}
}

static void open_files(void)
{
	n_files_released = 0;
	on_fetch = answer_from_files;
	open_default();
}

START_TEST(external_records_come_from_the_file)
{
	struct send_file files[] = {
		{.pos = 10, .len = 100, .release = on_file_release},
		{.pos = 0, .len = 3000000, .release = on_file_release},
		{.pos = 5, .len = 5000, .release = on_file_release},
	};
	/* Throttle time, one topic of name "t", one partition: index, error, hw, lso, aborted, then the length of the records.
	 */
	size_t head = 4 + 4 + 3 + 4 + 4 + 2 + 8 + 8 + 4 + 4, len;
	uint8_t *answer;
	int32_t id;
	int fd;

	make_file(3000000);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		files[i].fd = file_fd;
	next_files = files;
	n_next_files = ARRAY_LEN(files);
	open_files();
	fd = loopback_connect(&loopback);
	loopback_request(&loopback, fd, API_FETCH, 4, 5, fetch_body, sizeof fetch_body);
	answer = loopback_answer(&loopback, fd, &id, &len);
	ck_assert_uint_eq(len, head + 100 + 3000000 + 5000);
	ck_assert_int_eq(bytes_get_i32(answer + head - 4), 100 + 3000000 + 5000);
	expect_file_bytes(answer + head, &files[0]);
	expect_file_bytes(answer + head + 100, &files[1]);
	expect_file_bytes(answer + head + 100 + 3000000, &files[2]);
	free(answer);
	loopback_pass(&loopback, 10);
	ck_assert_int_eq(n_files_released, 3);
	close(fd);
	close(file_fd);
	loopback_close(&loopback);
}
END_TEST

START_TEST(a_file_that_is_too_short_closes_the_connection)
{
	struct send_file file = {.pos = 0, .len = 100000, .release = on_file_release};
	int fd;

	make_file(50000);
	file.fd = file_fd;
	next_files = &file;
	n_next_files = 1;
	open_files();
	fd = loopback_connect(&loopback);
	loopback_request(&loopback, fd, API_FETCH, 4, 5, fetch_body, sizeof fetch_body);
	wait_open(0);
	ck_assert_int_eq(n_files_released, 1);
	close(fd);
	close(file_fd);
	loopback_close(&loopback);
}
END_TEST

START_TEST(file_ranges_of_a_dead_connection_are_released)
{
	struct send_file file = {.pos = 0, .len = 3000000, .release = on_file_release};
	int fd;

	make_file(3000000);
	file.fd = file_fd;
	next_files = &file;
	n_next_files = 1;
	open_files();
	fd = loopback_connect(&loopback);
	request(fd, KEY_PARK, 1, "first");
	loopback_request(&loopback, fd, API_FETCH, 4, 5, fetch_body, sizeof fetch_body);
	wait_parked(1);
	reset(fd);
	wait_open(0);
	ck_assert_int_eq(n_files_released, 0);
	release(0);
	ck_assert_int_eq(n_files_released, 1);
	close(file_fd);
	loopback_close(&loopback);
}
END_TEST


START_TEST(what_a_waiting_request_holds_is_counted_in_the_budget)
{
	int64_t before;
	int fd;

	open_default();
	fd = loopback_connect(&loopback);
	before = budget_used(&loopback.budget);
	request(fd, KEY_PARK, 1, "wait");
	wait_parked(1);
	ck_assert(!request_is_gone(parked[0]));
	arena_alloc(&parked[0]->arena, 1 << 20);
	request_count_arena(parked[0]);
	request_count_arena(parked[0]);
	ck_assert_int_ge(budget_used(&loopback.budget), before + (1 << 20));
	ck_assert_int_lt(budget_used(&loopback.budget), before + (2 << 20));
	/* What it takes after that is counted when it ends; when its answer is sent all is given back. */
	arena_alloc(&parked[0]->arena, 4 << 20);
	release(0);
	expect_answer(fd, 1, "wait");
	ck_assert_int_eq(budget_used(&loopback.budget), before);
	close(fd);
	loopback_close(&loopback);
}
END_TEST

UNIT_MAIN("broker/net/request", what_a_waiting_request_holds_is_counted_in_the_budget, unknown_keys_and_versions_close_the_connection,
	  an_unknown_version_of_api_versions_is_answered_in_version_0, a_body_that_cannot_be_decoded_closes_the_connection,
	  a_throttled_connection_is_muted_after_its_answer, a_detached_connection_keeps_its_bytes,
	  a_closing_request_tells_the_others_but_not_itself, external_records_come_from_the_file,
	  a_file_that_is_too_short_closes_the_connection, file_ranges_of_a_dead_connection_are_released)
