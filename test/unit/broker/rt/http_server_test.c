/* http_server: pages, refusals, bounds on connections. Clients are sockets beside the loop, in the same thread. */
#include "test/lib/unit.h"

#include "broker/rt/http_server.h"
#include "common/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WAIT_MS 20000

static struct loop loop;
static struct http_server *server;
static struct http_request *asked[HTTP_CONNECTIONS_MAX];
static int n_asked;

static void on_page(void *ctx, struct http_request *request)
{
	ck_assert_ptr_eq(ctx, &server);
	http_reply(request, 200, "text/plain", SLICE_LITERAL("hello\n"));
}

static void on_later(void *ctx, struct http_request *request)
{
	(void)ctx;
	asked[n_asked++] = request;
}

static int n_stale; /* descriptors that the loop was told to forget when they were closed already */

/* In the place of the C library's: libevent calls this one. */
int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	int rc = (int)syscall(SYS_epoll_ctl, epoll, op, fd, event);

	n_stale += rc < 0 && (errno == EBADF || errno == ENOENT);
	return rc;
}

static const struct http_page pages[] = {{"/page", on_page}, {"/later", on_later}};

static void open_server(int64_t connection_ms)
{
	struct http_server_args args = {SLICE_LITERAL("127.0.0.1"), 0, pages, 2, &server, connection_ms};
	struct error err;

	ck_assert_int_eq(loop_init(&loop), 0);
	ck_assert_int_eq(http_server_open(&loop, &args, &server, &err), 0);
	n_asked = 0;
}

static void close_server(void)
{
	http_server_close(server);
	loop_turn(&loop, 0);
	loop_fini(&loop);
}

static int connect_client(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(http_server_port(server))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_ge(fd, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	for (size_t at = 0, len = strlen(text); at < len;) {
		ssize_t n = send(fd, text + at, len - at, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return;
		at += n > 0 ? (size_t)n : 0;
		loop_turn(&loop, 0);
	}
}

/* Everything until the other end has closed; the text is the caller's. */
static char *hear(int fd)
{
	char *text = calloc(1, 65536);
	size_t len = 0;
	int64_t end_ms = clock_ms() + WAIT_MS;

	for (;;) {
		ssize_t n = recv(fd, text + len, 65535 - len, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		len += n > 0 ? (size_t)n : 0;
		ck_assert_msg(clock_ms() < end_ms, "the connection is not closed; it said: %s", text);
		loop_turn(&loop, 10);
	}
	close(fd);
	return text;
}

static void check_answer(const char *request, const char *status, const char *contains)
{
	int fd = connect_client();
	char *answer;

	say(fd, request);
	answer = hear(fd);
	ck_assert_msg(strncmp(answer, "HTTP/1.", 7) == 0 && strncmp(answer + 9, status, strlen(status)) == 0, "%s is not %s", answer, status);
	ck_assert_msg(strstr(answer, contains), "%s is not in %s", contains, answer);
	free(answer);
}

START_TEST(a_page_is_answered_and_the_connection_closed)
{
	open_server(0);
	check_answer("GET /page HTTP/1.1\r\nHost: x\r\n\r\n", "200", "\r\n\r\nhello\n");
	check_answer("GET /page HTTP/1.0\r\n\r\n", "200", "\r\n\r\nhello\n");
	check_answer("GET /page?a=b HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n", "200", "Content-Length: 6\r\n");
	/* One after the other on one connection: the first is answered. */
	check_answer("GET /page HTTP/1.1\r\nHost: x\r\n\r\nGET /page HTTP/1.1\r\nHost: x\r\n\r\n", "200", "hello");
	close_server();
}
END_TEST

/* Else the number may be one that another thread has got meanwhile. */
START_TEST(a_descriptor_is_forgotten_before_it_is_closed)
{
	int fd;

	open_server(50);
	n_stale = 0;
	check_answer("GET /page HTTP/1.1\r\nHost: x\r\n\r\n", "200", "hello");
	check_answer("GET /none HTTP/1.1\r\nHost: x\r\n\r\n", "404", "no such page");
	check_answer("no request at all\r\n\r\n", "400", "");
	/* Its time is over; and one goes in the middle. */
	free(hear(connect_client()));
	fd = connect_client();
	say(fd, "GET /pa");
	close(fd);
	check_answer("GET /page HTTP/1.1\r\nHost: x\r\n\r\n", "200", "hello");
	close_server();
	ck_assert_int_eq(n_stale, 0);
}
END_TEST

START_TEST(other_paths_methods_and_sizes_are_refused)
{
	static char huge[32768];

	open_server(0);
	check_answer("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "404", "no such page");
	check_answer("GET /pages HTTP/1.1\r\nHost: x\r\n\r\n", "404", "no such page");
	check_answer("POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab", "405", "Allow: GET\r\n");
	check_answer("HEAD /page HTTP/1.1\r\nHost: x\r\n\r\n", "405", "Allow: GET\r\n");
	check_answer("DELETE /page HTTP/1.1\r\nHost: x\r\n\r\n", "405", "Allow: GET\r\n");
	check_answer("GET /page HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n", "413", "");
	check_answer("GET /page HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "4", "");
	check_answer("GET /page HTTP/1.1\r\nno colon\r\n\r\n", "400", "");
	check_answer("\x16\x03\x01 what\r\n\r\n", "400", "");
	memset(huge, 'a', sizeof huge - 1);
	memcpy(huge, "GET /page HTTP/1.1\r\nX: ", 23);
	check_answer(huge, "400", "");
	check_answer("GET /page HTTP/1.1\r\nHost: x\r\n\r\n", "200", "hello");
	close_server();
}
END_TEST

static void turn_until_asked(int n)
{
	int64_t end_ms = clock_ms() + WAIT_MS;

	while (n_asked < n && clock_ms() < end_ms)
		loop_turn(&loop, 10);
	ck_assert_int_eq(n_asked, n);
}

START_TEST(an_answer_may_come_later_or_too_late)
{
	int here, gone;
	char *answer;

	open_server(0);
	here = connect_client();
	say(here, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	turn_until_asked(1);
	gone = connect_client();
	say(gone, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	turn_until_asked(2);
	close(gone);
	loop_turn(&loop, 10);
	http_reply(asked[1], 200, "text/plain", SLICE_LITERAL("nobody hears it"));
	http_reply(asked[0], 503, "text/plain", SLICE_LITERAL("too much"));
	answer = hear(here);
	ck_assert_ptr_nonnull(strstr(answer, " 503 "));
	ck_assert_ptr_nonnull(strstr(answer, "\r\n\r\ntoo much"));
	free(answer);
	check_answer("GET /page HTTP/1.1\r\nHost: x\r\n\r\n", "200", "hello");
	close_server();
}
END_TEST

/* With the first and in a packet of its own, and one that ends with the connection. */
START_TEST(what_comes_behind_a_request_is_none_while_that_waits)
{
	static const char get[] = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n";
	char *answer;
	int fd;

	open_server(0);
	fd = connect_client();
	say(fd, get);
	say(fd, get);
	turn_until_asked(1);
	say(fd, get);
	say(fd, "POST /later HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf");
	for (int i = 0; i < 20; i++)
		loop_turn(&loop, 1);
	ck_assert_int_eq(n_asked, 1);
	http_reply(asked[0], 200, "text/plain", SLICE_LITERAL("first"));
	answer = hear(fd);
	ck_assert_ptr_nonnull(strstr(answer, "first"));
	free(answer);
	ck_assert_int_eq(n_asked, 1);
	fd = connect_client();
	say(fd, get);
	say(fd, get);
	turn_until_asked(2);
	close(fd);
	for (int i = 0; i < 20; i++)
		loop_turn(&loop, 1);
	http_reply(asked[1], 200, "text/plain", SLICE_LITERAL("second"));
	check_answer("GET /page HTTP/1.1\r\nHost: x\r\n\r\n", "200", "hello");
	ck_assert_int_eq(n_asked, 2);
	close_server();
}
END_TEST

START_TEST(a_request_outlives_the_server)
{
	int fd;

	open_server(0);
	fd = connect_client();
	say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	turn_until_asked(1);
	http_server_close(server);
	http_reply(asked[0], 200, "text/plain", SLICE_LITERAL("x"));
	loop_turn(&loop, 0);
	loop_fini(&loop);
	free(hear(fd));
}
END_TEST

START_TEST(silent_connections_give_way_to_new_ones)
{
	enum { N = HTTP_CONNECTIONS_MAX + 4 };
	int silent[N], n_closed = 0;
	char byte;

	open_server(5000);
	for (int i = 0; i < N; i++) {
		silent[i] = connect_client();
		say(silent[i], "GET /pa");
		check_answer("GET /page HTTP/1.1\r\nHost: x\r\n\r\n", "200", "hello");
	}
	for (int i = 0; i < N; i++) {
		n_closed += recv(silent[i], &byte, 1, 0) >= 0 || errno != EAGAIN;
		close(silent[i]);
	}
	ck_assert_int_ge(n_closed, N - HTTP_CONNECTIONS_MAX);
	close_server();
}
END_TEST

START_TEST(when_all_have_asked_the_next_one_waits)
{
	int fds[HTTP_CONNECTIONS_MAX], waiting;
	char *answer;

	open_server(0);
	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		fds[i] = connect_client();
		say(fds[i], "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
		turn_until_asked(i + 1);
	}
	waiting = connect_client();
	say(waiting, "GET /page HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int i = 0; i < 10; i++)
		loop_turn(&loop, 1);
	ck_assert_int_eq(recv(waiting, &(char){0}, 1, 0), -1);
	http_reply(asked[0], 200, "text/plain", SLICE_LITERAL("done"));
	free(hear(fds[0]));
	answer = hear(waiting);
	ck_assert_ptr_nonnull(strstr(answer, "hello"));
	free(answer);
	for (int i = 1; i < HTTP_CONNECTIONS_MAX; i++) {
		http_reply(asked[i], 200, "text/plain", SLICE_LITERAL("done"));
		free(hear(fds[i]));
	}
	close_server();
}
END_TEST

START_TEST(a_connection_ends_when_its_time_is_over)
{
	int silent, slow;

	open_server(50);
	silent = connect_client();
	free(hear(silent));
	/* Also one whose answer does not come. */
	slow = connect_client();
	say(slow, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	turn_until_asked(1);
	free(hear(slow));
	http_reply(asked[0], 200, "text/plain", SLICE_LITERAL("x"));
	close_server();
}
END_TEST

START_TEST(an_address_that_cannot_be_had_is_named)
{
	struct http_server_args args = {SLICE_LITERAL("127.0.0.1"), 0, pages, 2, NULL, 0};
	struct http_server *other;
	struct error err;

	open_server(0);
	args.port = http_server_port(server);
	ck_assert_int_eq(http_server_open(&loop, &args, &other, &err), ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "127.0.0.1 port "));
	args.host = SLICE_LITERAL("1.2.3.4.5");
	ck_assert_int_eq(http_server_open(&loop, &args, &other, &err), ERR_NOT_FOUND);
	args.host = SLICE_LITERAL("192.0.2.1");
	ck_assert_int_eq(http_server_open(&loop, &args, &other, &err), ERR_INVALID);
	close_server();
}
END_TEST

UNIT_MAIN("broker/rt/http_server", a_page_is_answered_and_the_connection_closed, a_descriptor_is_forgotten_before_it_is_closed,
	  other_paths_methods_and_sizes_are_refused,
	  an_answer_may_come_later_or_too_late, what_comes_behind_a_request_is_none_while_that_waits, a_request_outlives_the_server,
	  silent_connections_give_way_to_new_ones,
	  when_all_have_asked_the_next_one_waits, a_connection_ends_when_its_time_is_over, an_address_that_cannot_be_had_is_named)
