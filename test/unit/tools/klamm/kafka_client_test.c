/*
 * The command line's client against a broker of a few lines: versions, errors that name the place, the way to the controller
 * and to leaders. The broker is a thread with one listening socket that serves one connection after the other.
 */
#include "test/lib/unit.h"

#include "common/buf.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/memory.h"
#include "proto/frame.h"
#include "proto/kafka/api_versions.gen.h"
#include "proto/kafka_error.h"
#include "tools/klamm/dial.h"
#include "tools/klamm/kafka_admin.h"
#include "tools/klamm/kafka_client.h"
#include "tools/klamm/part.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is wrong with the broker. */
enum fault { NONE, OLD, CLOSES, HUGE_FRAME, SILENT, WRONG_CORRELATION, CUT_BODY };

struct fake {
	enum fault fault;
	int listener, port;
	pthread_t thread;
	int n_refusals; /* so often CreateTopics is answered NOT_CONTROLLER */
	int n_requests; /* read when the thread has ended */
	int controller_port;
};

static struct fake fake;
static struct error err;

static bool read_all(int fd, uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = read(fd, data, len);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static void answer(int fd, const struct request_header *header, int version, const void *response)
{
	struct buf *buf = buf_new(4096);
	struct wire_writer out;
	size_t start;

	wire_writer_init(&out, buf);
	start = frame_begin(&out);
	response_header_encode(header->api_key, version, header->correlation_id + (fake.fault == WRONG_CORRELATION), &out);
	ck_assert_int_eq(message_encode(header->api->response, version, response, &out, NULL), 0);
	if (fake.fault == CUT_BODY)
		buf->len -= 3;
	frame_end(&out, start, 0);
	if (fake.fault == HUGE_FRAME)
		bytes_put_i32(buf->data, INT32_MAX);
	if (fake.fault != SILENT)
		ck_assert_int_gt(write(fd, buf->data, buf->len), 0);
	buf_release(buf);
}

static void answer_versions(int fd, const struct request_header *header)
{
	struct api_versions_response_api_version rows[] = {
		{API_METADATA, 0, 12}, {API_API_VERSIONS, 0, 4}, {API_CREATE_TOPICS, 2, 5}};
	struct api_versions_response response = api_versions_response_default;
	bool old = fake.fault == OLD && header->api_version > 0;

	response.api_keys = rows;
	response.n_api_keys = ARRAY_LEN(rows);
	response.error_code = old ? KAFKA_UNSUPPORTED_VERSION : KAFKA_NONE;
	answer(fd, header, old ? 0 : header->api_version, &response);
}

static void answer_metadata(int fd, const struct request_header *header)
{
	struct metadata_response_broker broker = metadata_response_broker_default;
	struct metadata_response_topic topic = metadata_response_topic_default;
	struct metadata_response response = metadata_response_default;

	broker.node_id = 1;
	broker.host = slice_of_text("127.0.0.1");
	broker.port = fake.controller_port;
	response.brokers = &broker;
	response.n_brokers = 1;
	response.controller_id = 1;
	topic.name = slice_of_text("t");
	response.topics = &topic;
	response.n_topics = 1;
	answer(fd, header, header->api_version, &response);
}

static void answer_create(int fd, const struct request_header *header)
{
	struct create_topics_response_topic topic = create_topics_response_topic_default;
	struct create_topics_response response = create_topics_response_default;

	topic.name = slice_of_text("t");
	topic.error_code = fake.n_refusals-- > 0 ? KAFKA_NOT_CONTROLLER : KAFKA_NONE;
	response.topics = &topic;
	response.n_topics = 1;
	answer(fd, header, header->api_version, &response);
}

static bool serve_one(int fd)
{
	struct request_header header;
	struct wire_reader in;
	uint8_t size[4], frame[4096];

	if (!read_all(fd, size, 4) || !read_all(fd, frame, (size_t)bytes_get_i32(size)))
		return false;
	wire_reader_init(&in, slice_of(frame, (size_t)bytes_get_i32(size)));
	ck_assert_int_eq(request_header_decode(&in, &header), 0);
	ck_assert(slice_is_text(header.client_id, "tester"));
	fake.n_requests++;
	if (fake.fault == CLOSES)
		return false;
	if (header.api_key == API_API_VERSIONS)
		answer_versions(fd, &header);
	else if (header.api_key == API_METADATA)
		answer_metadata(fd, &header);
	else
		answer_create(fd, &header);
	return true;
}

static void *serve_connection(void *ctx)
{
	int fd = (int)(intptr_t)ctx;

	while (serve_one(fd))
		;
	close(fd);
	return NULL;
}

/* Connections are served side by side; the listener is shut down to end it. */
static void *serve(void *unused)
{
	pthread_t threads[8];
	int n = 0, fd;

	(void)unused;
	while (n < 8 && (fd = accept(fake.listener, NULL, NULL)) >= 0)
		pthread_create(&threads[n++], NULL, serve_connection, (void *)(intptr_t)fd);
	while (n > 0)
		pthread_join(threads[--n], NULL);
	return NULL;
}

static void fake_start(enum fault fault)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;

	fake = (struct fake){.fault = fault};
	fake.listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fake.listener, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(fake.listener, 8), 0);
	ck_assert_int_eq(getsockname(fake.listener, (struct sockaddr *)&address, &len), 0);
	fake.port = fake.controller_port = ntohs(address.sin_port);
	pthread_create(&fake.thread, NULL, serve, NULL);
}

static void fake_stop(void)
{
	shutdown(fake.listener, SHUT_RDWR);
	pthread_join(fake.thread, NULL);
	close(fake.listener);
}

static int open_at(const char *bootstrap, struct kafka_client **ret_client)
{
	/* Only a broker that says nothing is waited for in vain. */
	struct kafka_client_config config = {bootstrap, "tester", 20000, fake.fault == SILENT ? 300 : 20000};

	return kafka_client_open(&config, ret_client, &err);
}

static int open_fake(struct kafka_client **ret_client)
{
	char bootstrap[64];

	snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%d", fake.port);
	return open_at(bootstrap, ret_client);
}

START_TEST(addresses_are_taken_apart)
{
	char host[64];
	int port;

	ck_assert_int_eq(dial_parse("h:1", 3, host, sizeof host, &port, &err), 0);
	ck_assert_str_eq(host, "h");
	ck_assert_int_eq(port, 1);
	ck_assert_int_eq(dial_parse("h,x", 1, host, sizeof host, &port, &err), 0);
	ck_assert_int_eq(port, 9092);
	ck_assert_int_eq(dial_parse("[::1]:99", 8, host, sizeof host, &port, &err), 0);
	ck_assert_str_eq(host, "::1");
	ck_assert_int_eq(port, 99);
	ck_assert_int_eq(dial_parse("[::1]", 5, host, sizeof host, &port, &err), 0);
	ck_assert_int_eq(dial_parse("PLAINTEXT://h:7", 15, host, sizeof host, &port, &err), 0);
	ck_assert_str_eq(host, "h");
	for (const char *const *bad = (const char *const[]){"h:", "h:0", "h:65536", "h:x", ":1", "", "h:123456", NULL}; *bad;
	     bad++)
		ck_assert_msg(dial_parse(*bad, strlen(*bad), host, sizeof host, &port, &err) == ERR_INVALID, "%s", *bad);
}
END_TEST

START_TEST(the_highest_common_version_is_used)
{
	struct kafka_client *client;
	int version;

	fake_start(NONE);
	ck_assert_int_eq(open_fake(&client), 0);
	ck_assert_int_eq(kafka_client_version(client, CLIENT_ANY, API_CREATE_TOPICS, &version, &err), 0);
	ck_assert_int_eq(version, 5);
	ck_assert_int_eq(kafka_client_version(client, CLIENT_ANY, API_FETCH, &version, &err), 0);
	ck_assert_int_eq(version, -1);
	kafka_client_free(client);
	fake_stop();
}
END_TEST

START_TEST(a_broker_without_that_version_of_api_versions_is_asked_again)
{
	struct metadata_response metadata;
	struct kafka_client *client;

	fake_start(OLD);
	ck_assert_int_eq(open_fake(&client), 0);
	ck_assert_int_eq(kafka_client_metadata(client, NULL, 0, &metadata, &err), 0);
	ck_assert(slice_is_text(metadata.topics[0].name, "t"));
	kafka_client_free(client);
	fake_stop();
	ck_assert_int_eq(fake.n_requests, 3);
}
END_TEST

START_TEST(the_next_bootstrap_address_is_tried)
{
	struct kafka_client *client;
	char bootstrap[64];

	fake_start(NONE);
	snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:1,,127.0.0.1:%d", fake.port);
	ck_assert_int_eq(open_at(bootstrap, &client), 0);
	kafka_client_free(client);
	fake_stop();
	ck_assert_int_ne(open_at("127.0.0.1:1", &client), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "no broker answers at 127.0.0.1:1 (127.0.0.1:1: Connection refused)"));
	ck_assert_int_eq(open_at(",", &client), ERR_INVALID);
	ck_assert_int_eq(open_at("h:x", &client), ERR_INVALID);
}
END_TEST

START_TEST(a_broker_that_does_not_speak_kafka_is_named)
{
	static const struct {
		enum fault fault;
		const char *text;
	} cases[] = {{CLOSES, "closed the connection instead of answering ApiVersions"},
		     {HUGE_FRAME, "what answered is no Kafka broker"},
		     {SILENT, "no answer to ApiVersions within 300 ms"},
		     {WRONG_CORRELATION, "does not belong to the request"},
		     {CUT_BODY, "cannot be read"}};
	struct kafka_client *client;
	char place[32];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fake_start(cases[i].fault);
		ck_assert_int_ne(open_fake(&client), 0);
		snprintf(place, sizeof place, "127.0.0.1:%d", fake.port);
		ck_assert_msg(strstr(err.text, cases[i].text) && strstr(err.text, place), "%s", err.text);
		fake_stop();
	}
}
END_TEST

START_TEST(a_controller_that_has_moved_is_asked_again)
{
	struct create_topics_request request = create_topics_request_default;
	struct create_topics_response response;
	struct kafka_client *client;

	fake_start(NONE);
	fake.n_refusals = 2;
	ck_assert_int_eq(open_fake(&client), 0);
	ck_assert_int_eq(kafka_admin_create_topics(client, &request, &response, &err), 0);
	ck_assert_int_eq(response.topics[0].error_code, KAFKA_NONE);
	kafka_client_free(client);
	fake_stop();
}
END_TEST

START_TEST(a_broker_that_cannot_be_reached_is_named_with_its_address)
{
	struct create_topics_request request = create_topics_request_default;
	struct create_topics_response response;
	struct kafka_client *client;

	fake_start(NONE);
	fake.controller_port = 1;
	ck_assert_int_eq(open_fake(&client), 0);
	ck_assert_int_eq(kafka_client_call(client, CLIENT_CONTROLLER, API_CREATE_TOPICS, &request, &response, &err), ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "broker 1 does not answer at 127.0.0.1:1, where it says that it listens"));
	ck_assert_ptr_nonnull(strstr(err.text, "advertised.listeners"));
	ck_assert_int_eq(kafka_client_call(client, 7, API_METADATA, &request, &response, &err), ERR_NOT_FOUND);
	ck_assert_str_eq(err.text, "there is no live broker 7 in the cluster");
	kafka_client_free(client);
	fake_stop();
}
END_TEST

static int ask_never(void *ctx, struct kafka_client *client, int32_t leader, struct part **parts, int n, struct error *ret_err)
{
	(void)ctx, (void)client, (void)leader, (void)parts, (void)n, (void)ret_err;
	ck_abort_msg("there is no leader to ask");
}

START_TEST(a_partition_that_does_not_exist_is_given_up_soon)
{
	struct part part = {.topic = slice_of_text("other"), .partition = 3};
	int64_t begin_ms = clock_ms();
	struct kafka_client *client;

	fake_start(NONE);
	ck_assert_int_eq(open_fake(&client), 0);
	ck_assert_int_eq(parts_ask(client, &part, 1, ask_never, NULL, &err), 0);
	ck_assert_int_eq(part.error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_lt(clock_ms() - begin_ms, 9000);
	kafka_client_free(client);
	fake_stop();
}
END_TEST

UNIT_MAIN("tools/klamm/kafka_client", addresses_are_taken_apart, the_highest_common_version_is_used,
	  a_broker_without_that_version_of_api_versions_is_asked_again, the_next_bootstrap_address_is_tried,
	  a_broker_that_does_not_speak_kafka_is_named, a_controller_that_has_moved_is_asked_again,
	  a_broker_that_cannot_be_reached_is_named_with_its_address, a_partition_that_does_not_exist_is_given_up_soon)
