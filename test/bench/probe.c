/*
 * Single questions to a cluster, Kafka's or ours, in our own codec, so that the client costs next to nothing. Prints one line of JSON.
 *
 *     probe first-ack PORT TOPIC                             tries until a record is acknowledged
 *     probe create PORT[,PORT...] PREFIX TOPICS PARTITIONS REQUESTS [REPLICAS]
 *                                                            TOPICS topics of PARTITIONS each by REQUESTS requests, one after another
 *     probe led PORT[,PORT...] PREFIX TOPICS PARTITIONS      tries until every partition has a leader that answers for it, then writes
 *                                                            a record to the first partition of each topic
 *     probe in-sync PORT[,PORT...] PREFIX TOPICS PARTITIONS REPLICAS   tries until every partition has so many replicas in sync
 *     probe failover PORT[,PORT...] PREFIX TOPICS PARTITIONS KILLED    prints which partitions the broker at port KILLED leads and waits for
 *                                                            a line; then tries until acks=all has been had for each of them
 *
 * All brokers are on 127.0.0.1. `at_ns` is CLOCK_MONOTONIC at the end, for the one who noted the beginning.
 */
#include "common/arena.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/memory.h"
#include "proto/frame.h"
#include "proto/kafka/create_topics.gen.h"
#include "proto/kafka/list_offsets.gen.h"
#include "proto/kafka/metadata.gen.h"
#include "proto/kafka/produce.gen.h"
#include "proto/kafka_error.h"
#include "proto/record/batch_builder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 180000
#define BROKERS_MAX 16

/* A broker by its port; dialled when it is first asked. */
struct broker {
	int port, fd;
	int32_t id;
};

static struct broker brokers[BROKERS_MAX];
static int n_brokers;
static struct arena arena;
static int64_t deadline_ms;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "probe: %s: %s\n", what, why);
	exit(1);
}

/* Between two tries: short against what is measured, long enough that the tries do not disturb it. */
static void pause_ms(int ms)
{
	struct timespec pause = {0, ms * 1000000};

	if (clock_ms() > deadline_ms)
		die("time", "is up");
	nanosleep(&pause, NULL);
}

static bool dial(struct broker *broker)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)broker->port)};
	int on = 1;

	if (broker->fd >= 0)
		return true;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	broker->fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(broker->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(broker->fd, (struct sockaddr *)&address, sizeof address) == 0)
		return true;
	close(broker->fd);
	broker->fd = -1;
	return false;
}

static void hang_up(struct broker *broker)
{
	if (broker->fd >= 0)
		close(broker->fd);
	broker->fd = -1;
}

static bool send_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static bool receive_all(int fd, uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = recv(fd, data, len, 0);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static bool send_request(struct broker *broker, const struct api *api, int version, const void *request)
{
	struct request_header header = {.api_key = api->key, .api_version = (int16_t)version, .client_id = SLICE_LITERAL("probe")};
	struct buf *buf = buf_new(1024);
	struct wire_writer out;
	size_t start;
	bool sent;

	wire_writer_init(&out, buf);
	start = frame_begin(&out);
	request_header_encode(&header, &out);
	if (message_encode(api->request, version, request, &out, NULL))
		die(api->name, "cannot be encoded");
	frame_end(&out, start, 0);
	sent = send_all(broker->fd, buf->data, buf->len);
	buf_release(buf);
	return sent;
}

static bool receive_answer(struct broker *broker, const struct api *api, int version, void *ret_response)
{
	uint8_t head[FRAME_SIZE_BYTES], *data;
	struct wire_reader in;
	struct error err;
	int32_t correlation_id;
	size_t len;

	if (!receive_all(broker->fd, head, sizeof head))
		return false;
	len = bytes_get_u32(head);
	data = arena_alloc(&arena, len);
	if (!receive_all(broker->fd, data, len))
		return false;
	wire_reader_init(&in, slice_of(data, len));
	if (response_header_decode(api->key, version, &in, &correlation_id) ||
	    message_decode(api->response, version, &in, &arena, ret_response, &err))
		die(api->name, "the answer cannot be read");
	return true;
}

/* False when the broker cannot be reached, or leaves. */
static bool ask(struct broker *broker, enum api_key key, int version, const void *request, void *ret_response)
{
	const struct api *api = api_find((int)key);

	if (!dial(broker))
		return false;
	if (send_request(broker, api, version, request) && receive_answer(broker, api, version, ret_response))
		return true;
	hang_up(broker);
	return false;
}

static struct broker *broker_of(int32_t id)
{
	for (int i = 0; i < n_brokers; i++)
		if (brokers[i].id == id)
			return &brokers[i];
	return NULL;
}

/* Metadata from any broker; tells brokers' ids by their ports. */
static bool ask_metadata(struct metadata_response *ret_metadata)
{
	struct metadata_request request = metadata_request_default;

	request.n_topics = -1;
	for (int i = 0; i < n_brokers; i++) {
		if (!ask(&brokers[i], API_METADATA, 7, &request, ret_metadata))
			continue;
		for (int32_t b = 0; b < ret_metadata->n_brokers; b++)
			for (int j = 0; j < n_brokers; j++)
				if (brokers[j].port == ret_metadata->brokers[b].port)
					brokers[j].id = ret_metadata->brokers[b].node_id;
		return true;
	}
	return false;
}

static struct slice one_record(void)
{
	struct batch_spec spec = batch_spec_default();
	struct batch_builder builder;

	batch_builder_init(&builder, &spec);
	batch_builder_add(&builder, clock_wall_ms(), SLICE_NULL, SLICE_LITERAL("one record"), NULL, 0);
	return arena_copy(&arena, batch_builder_finish(&builder, NULL));
}

/* KAFKA_NONE, an error, or -1 without an answer. */
static int write_record(struct broker *broker, struct slice topic_name)
{
	struct produce_request request = produce_request_default;
	struct produce_request_topic topic = produce_request_topic_default;
	struct produce_request_partition partition = produce_request_partition_default;
	struct produce_response response;

	partition.records.bytes = one_record();
	topic.name = topic_name;
	topic.partition_data = &partition;
	topic.n_partition_data = 1;
	request.acks = 1;
	request.timeout_ms = 1000;
	request.topic_data = &topic;
	request.n_topic_data = 1;
	if (!ask(broker, API_PRODUCE, 7, &request, &response))
		return -1;
	return response.responses[0].partition_responses[0].error_code;
}

static int mode_first_ack(char **args)
{
	int n_tries = 1;

	while (write_record(&brokers[0], slice_of_text(args[3])) != KAFKA_NONE) {
		n_tries++;
		pause_ms(1);
	}
	printf("{\"at_ns\": %lld, \"tries\": %d}\n", (long long)clock_ns(), n_tries);
	return 0;
}

static struct slice topic_name(const char *prefix, int i)
{
	return slice_of_text(arena_printf(&arena, "%s-%04d", prefix, i));
}

static int mode_create(char **args)
{
	int n_topics = atoi(args[4]), n_partitions = atoi(args[5]), n_requests = atoi(args[6]), n_each = n_topics / n_requests;
	int16_t n_replicas = (int16_t)(args[7] ? atoi(args[7]) : 1);
	struct create_topics_request request = create_topics_request_default;
	struct create_topics_response response;
	struct metadata_response metadata;
	struct broker *controller;
	int64_t started_ns;

	while (!ask_metadata(&metadata) || metadata.n_brokers < n_brokers || !(controller = broker_of(metadata.controller_id)))
		pause_ms(10);
	started_ns = clock_ns();
	for (int i = 0; i < n_requests; i++) {
		request.topics = message_array(&arena, &create_topics_request_topic_struct, (size_t)n_each);
		request.n_topics = n_each;
		request.timeout_ms = PATIENCE_MS;
		for (int j = 0; j < n_each; j++) {
			request.topics[j].name = topic_name(args[3], i * n_each + j);
			request.topics[j].num_partitions = n_partitions;
			request.topics[j].replication_factor = n_replicas;
		}
		if (!ask(controller, API_CREATE_TOPICS, 4, &request, &response))
			die("create", "no answer");
		for (int j = 0; j < n_each; j++)
			if (response.topics[j].error_code)
				die("create", kafka_error_name(response.topics[j].error_code));
	}
	printf("{\"topics\": %d, \"partitions\": %d, \"requests\": %d, \"seconds\": %.3f, \"at_ns\": %lld}\n", n_topics,
	       n_topics * n_partitions, n_requests, (double)(clock_ns() - started_ns) / 1e9, (long long)clock_ns());
	return 0;
}

static bool is_ours(struct slice name, const char *prefix)
{
	return name.len > strlen(prefix) && memcmp(name.data, prefix, strlen(prefix)) == 0;
}

/* How many of the prefix's partitions have a leader in the metadata. */
static int count_led(const struct metadata_response *metadata, const char *prefix)
{
	int n = 0;

	for (int32_t t = 0; t < metadata->n_topics; t++)
		for (int32_t p = 0; is_ours(metadata->topics[t].name, prefix) && p < metadata->topics[t].n_partitions; p++)
			n += metadata->topics[t].partitions[p].leader_id >= 0;
	return n;
}

/* ListOffsets for all partitions that the metadata says are led by the broker; how many it answers for. */
static int count_answering(const struct metadata_response *metadata, const char *prefix, struct broker *broker)
{
	struct list_offsets_request request = list_offsets_request_default;
	struct list_offsets_response response;
	int n = 0;

	request.topics = message_array(&arena, &list_offsets_request_topic_struct, (size_t)metadata->n_topics);
	for (int32_t t = 0; t < metadata->n_topics; t++) {
		const struct metadata_response_topic *topic = &metadata->topics[t];
		struct list_offsets_request_topic *asked = &request.topics[request.n_topics];

		if (!is_ours(topic->name, prefix))
			continue;
		request.n_topics++;
		asked->name = topic->name;
		asked->partitions = message_array(&arena, &list_offsets_request_partition_struct, (size_t)topic->n_partitions);
		for (int32_t p = 0; p < topic->n_partitions; p++) {
			if (topic->partitions[p].leader_id != broker->id)
				continue;
			asked->partitions[asked->n_partitions].partition_index = topic->partitions[p].partition_index;
			asked->partitions[asked->n_partitions++].timestamp = -1;
		}
	}
	if (!ask(broker, API_LIST_OFFSETS, 5, &request, &response))
		return 0;
	for (int32_t t = 0; t < response.n_topics; t++)
		for (int32_t p = 0; p < response.topics[t].n_partitions; p++)
			n += response.topics[t].partitions[p].error_code == KAFKA_NONE;
	return n;
}

static int all_answering(const struct metadata_response *metadata, const char *prefix)
{
	int n = 0;

	for (int i = 0; i < n_brokers; i++)
		if (brokers[i].id >= 0)
			n += count_answering(metadata, prefix, &brokers[i]);
	return n;
}

static void write_everywhere(const struct metadata_response *metadata, const char *prefix)
{
	for (int32_t t = 0; t < metadata->n_topics; t++) {
		const struct metadata_response_topic *topic = &metadata->topics[t];
		int error;

		if (!is_ours(topic->name, prefix))
			continue;
		for (int32_t p = 0; p < topic->n_partitions; p++) {
			if (topic->partitions[p].partition_index != 0)
				continue;
			error = write_record(broker_of(topic->partitions[p].leader_id), topic->name);
			if (error)
				die("write", error < 0 ? "no answer" : kafka_error_name((int16_t)error));
		}
	}
}

static int mode_led(char **args)
{
	int n_wanted = atoi(args[4]) * atoi(args[5]), n_known, n_answering;
	struct metadata_response metadata;
	int64_t known_ns = 0, led_ns;

	for (;; pause_ms(10)) {
		arena_fini(&arena);
		arena_init(&arena);
		if (!ask_metadata(&metadata))
			continue;
		n_known = count_led(&metadata, args[3]);
		if (n_known < n_wanted)
			continue;
		if (!known_ns)
			known_ns = clock_ns();
		n_answering = all_answering(&metadata, args[3]);
		if (n_answering == n_wanted)
			break;
	}
	led_ns = clock_ns();
	write_everywhere(&metadata, args[3]);
	printf("{\"partitions\": %d, \"known_at_ns\": %lld, \"led_at_ns\": %lld, \"at_ns\": %lld}\n", n_wanted, (long long)known_ns,
	       (long long)led_ns, (long long)clock_ns());
	return 0;
}

static int count_in_sync(const struct metadata_response *metadata, const char *prefix, int n_replicas)
{
	int n = 0;

	for (int32_t t = 0; t < metadata->n_topics; t++)
		for (int32_t p = 0; is_ours(metadata->topics[t].name, prefix) && p < metadata->topics[t].n_partitions; p++)
			n += metadata->topics[t].partitions[p].n_isr_nodes >= n_replicas;
	return n;
}

static int mode_in_sync(char **args)
{
	int n_wanted = atoi(args[4]) * atoi(args[5]), n_replicas = atoi(args[6]);
	struct metadata_response metadata;

	for (;; pause_ms(10)) {
		arena_fini(&arena);
		arena_init(&arena);
		if (ask_metadata(&metadata) && count_in_sync(&metadata, args[3], n_replicas) == n_wanted)
			break;
	}
	printf("{\"partitions\": %d, \"at_ns\": %lld}\n", n_wanted, (long long)clock_ns());
	return 0;
}

/* ---- failover ---- */

struct orphan {
	int topic;
	int32_t partition;
	bool is_written;
};

static struct orphan *orphans;
static int n_orphans, n_written;
static int64_t first_ns;

/* The number that topic_name gave it. */
static int topic_number(struct slice name, const char *prefix)
{
	int number = 0;

	for (size_t i = strlen(prefix) + 1; i < name.len; i++)
		number = 10 * number + (name.data[i] - '0');
	return number;
}

/* Which partitions are led by a broker; topics by their number behind the prefix. */
static void find_orphans(const struct metadata_response *metadata, const char *prefix, int32_t leader)
{
	for (int32_t t = 0; t < metadata->n_topics; t++) {
		const struct metadata_response_topic *topic = &metadata->topics[t];

		for (int32_t p = 0; is_ours(topic->name, prefix) && p < topic->n_partitions; p++) {
			if (topic->partitions[p].leader_id != leader)
				continue;
			orphans = memory_grow(orphans, (size_t)(n_orphans + 1) * sizeof *orphans);
			orphans[n_orphans++] = (struct orphan){.topic = topic_number(topic->name, prefix),
							       .partition = topic->partitions[p].partition_index};
		}
	}
}

static struct orphan *orphan_of(int topic, int32_t partition)
{
	for (int i = 0; i < n_orphans; i++)
		if (orphans[i].topic == topic && orphans[i].partition == partition)
			return &orphans[i];
	return NULL;
}

static void note_written(const struct produce_response *response, const char *prefix)
{
	for (int32_t t = 0; t < response->n_responses; t++) {
		int topic = topic_number(response->responses[t].name, prefix);

		for (int32_t p = 0; p < response->responses[t].n_partition_responses; p++) {
			const struct produce_response_partition *part = &response->responses[t].partition_responses[p];
			struct orphan *orphan = orphan_of(topic, part->index);

			if (part->error_code || !orphan || orphan->is_written)
				continue;
			orphan->is_written = true;
			n_written++;
			if (!first_ns)
				first_ns = clock_ns();
		}
	}
}

/* One request with a record for every orphan that the broker leads now. */
static void write_orphans(const struct metadata_response *metadata, const char *prefix, struct broker *broker)
{
	struct produce_request request = produce_request_default;
	struct produce_response response;
	struct slice batch = one_record();

	request.acks = -1;
	request.timeout_ms = 100;
	request.topic_data = message_array(&arena, &produce_request_topic_struct, (size_t)metadata->n_topics);
	for (int32_t t = 0; t < metadata->n_topics; t++) {
		const struct metadata_response_topic *from = &metadata->topics[t];
		struct produce_request_topic *topic = &request.topic_data[request.n_topic_data];

		if (!is_ours(from->name, prefix))
			continue;
		topic->name = from->name;
		topic->n_partition_data = 0;
		topic->partition_data = message_array(&arena, &produce_request_partition_struct, (size_t)from->n_partitions);
		for (int32_t p = 0; p < from->n_partitions; p++) {
			const struct orphan *orphan = orphan_of(topic_number(from->name, prefix),
								from->partitions[p].partition_index);

			if (!orphan || orphan->is_written || from->partitions[p].leader_id != broker->id)
				continue;
			topic->partition_data[topic->n_partition_data].index = from->partitions[p].partition_index;
			topic->partition_data[topic->n_partition_data++].records.bytes = arena_copy(&arena, batch);
		}
		request.n_topic_data += topic->n_partition_data > 0;
	}
	if (request.n_topic_data > 0 && ask(broker, API_PRODUCE, 7, &request, &response))
		note_written(&response, prefix);
}

static struct broker *broker_at(int port)
{
	for (int i = 0; i < n_brokers; i++)
		if (brokers[i].port == port)
			return &brokers[i];
	die("failover", "the broker that is to be killed is none of the cluster");
	return NULL;
}

static int mode_failover(char **args)
{
	struct broker *killed = broker_at(atoi(args[6]));
	struct metadata_response metadata;
	char line[16];

	if (!ask_metadata(&metadata))
		die("metadata", "no answer");
	find_orphans(&metadata, args[3], killed->id);
	printf("{\"partitions\": %d}\n", n_orphans);
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin))
		die("failover", "nobody has said that the broker was killed");
	for (; n_written < n_orphans; pause_ms(2)) {
		arena_fini(&arena);
		arena_init(&arena);
		if (!ask_metadata(&metadata))
			continue;
		for (int i = 0; i < n_brokers; i++)
			if (brokers[i].id >= 0)
				write_orphans(&metadata, args[3], &brokers[i]);
	}
	printf("{\"partitions\": %d, \"first_at_ns\": %lld, \"last_at_ns\": %lld}\n", n_orphans, (long long)first_ns, (long long)clock_ns());
	return 0;
}

static void read_ports(char *list)
{
	for (char *port = strtok(list, ","); port && n_brokers < BROKERS_MAX; port = strtok(NULL, ","))
		brokers[n_brokers++] = (struct broker){.port = atoi(port), .fd = -1, .id = -1};
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[1] : "";

	arena_init(&arena);
	deadline_ms = clock_ms() + PATIENCE_MS;
	if (argc > 2)
		read_ports(argv[2]);
	if (argc == 4 && strcmp(mode, "first-ack") == 0)
		return mode_first_ack(argv);
	if ((argc == 7 || argc == 8) && strcmp(mode, "create") == 0)
		return mode_create(argv);
	if (argc == 7 && strcmp(mode, "in-sync") == 0)
		return mode_in_sync(argv);
	if (argc == 7 && strcmp(mode, "failover") == 0)
		return mode_failover(argv);
	if (argc == 6 && strcmp(mode, "led") == 0)
		return mode_led(argv);
	fprintf(stderr, "usage: probe first-ack|create|led|in-sync|failover PORT[,PORT...] ... (see the head of probe.c)\n");
	return 2;
}
