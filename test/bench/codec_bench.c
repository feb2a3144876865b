/*
 * What decoding and encoding of the busiest messages costs, by message, by field and by byte.
 *
 *     codec_bench [SECONDS]      each line for that long (0.3)
 *
 * A field is one value of the message in that version: a number, a text, an array (its elements count for themselves).
 */
#include "common/memory.h"
#include "proto/kafka/fetch.gen.h"
#include "proto/kafka/metadata.gen.h"
#include "proto/kafka/produce.gen.h"
#include "proto/message_field.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PARTITIONS_MAX 1000

static double seconds = 0.3;

static long fields_of(const struct message_struct *type, int version, const void *object)
{
	long n = 0;

	for (int i = 0; i < type->n_fields + type->n_tagged; i++) {
		const struct message_field *field = &type->fields[i];

		if (!field_in_version(field, version) || (field->tag >= 0 && field_is_default(field, object, type->defaults)))
			continue;
		n++;
		if (field->array && field->kind != FIELD_STRUCT)
			n += field_count(field, object);
		for (int32_t j = 0; field->array && field->kind == FIELD_STRUCT && j < field_count(field, object); j++)
			n += fields_of(field->sub, version, field_elements(field, object) + (size_t)j * field->sub->size);
	}
	return n;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void measure(const struct message_schema *schema, int version, const void *message, const char *what)
{
	struct buf *buf = buf_new(64);
	struct wire_writer out;
	void *copy = memory_alloc(schema->root->size);
	static char first[1 << 20];
	double fields = (double)fields_of(schema->root, version, message);
	double start, decode, encode;
	long n = 0;

	start = now();
	do {
		for (int i = 0; i < 16; i++, n++) {
			buf->len = 0;
			wire_writer_init(&out, buf);
			if (message_encode(schema, version, message, &out, NULL) != 0)
				abort();
		}
	} while (now() - start < seconds);
	encode = (now() - start) / (double)n;
	n = 0;
	start = now();
	do {
		for (int i = 0; i < 16; i++, n++) {
			struct wire_reader in;
			struct arena arena;

			arena_init_with(&arena, first, sizeof first);
			wire_reader_init(&in, buf_slice(buf));
			if (message_decode(schema, version, &in, &arena, copy, NULL) != 0)
				abort();
			arena_fini(&arena);
		}
	} while (now() - start < seconds);
	decode = (now() - start) / (double)n;
	printf("%-34s v%-2d %7.0f %8zu %9.0f %6.1f %9.0f %6.1f\n", what, version, fields, buf->len, decode * 1e9,
	       decode * 1e9 / fields, encode * 1e9, encode * 1e9 / fields);
	free(copy);
	buf_release(buf);
}

static void produce(int n, int version)
{
	static struct produce_request_partition partitions[PARTITIONS_MAX];
	static uint8_t records[1024];
	struct produce_request request = produce_request_default;
	struct produce_request_topic topic = produce_request_topic_default;
	char what[64];

	for (int i = 0; i < n; i++)
		partitions[i] =
			(struct produce_request_partition){.index = i, .records.bytes = slice_of(records, n == 1 ? 1024 : 100)};
	topic.name = SLICE_LITERAL("a-topic-of-some-length");
	topic.partition_data = partitions;
	topic.n_partition_data = n;
	request.topic_data = &topic;
	request.n_topic_data = 1;
	snprintf(what, sizeof what, "Produce request, %d partitions", n);
	measure(&produce_request_schema, version, &request, what);
}

static void produce_answer(int n, int version)
{
	static struct produce_response_partition partitions[PARTITIONS_MAX];
	struct produce_response response = produce_response_default;
	struct produce_response_topic topic = produce_response_topic_default;
	char what[64];

	for (int i = 0; i < n; i++) {
		partitions[i] = produce_response_partition_default;
		partitions[i].index = i;
	}
	topic.name = SLICE_LITERAL("a-topic-of-some-length");
	topic.partition_responses = partitions;
	topic.n_partition_responses = n;
	response.responses = &topic;
	response.n_responses = 1;
	snprintf(what, sizeof what, "Produce response, %d partitions", n);
	measure(&produce_response_schema, version, &response, what);
}

static void fetch(int n, int version)
{
	static struct fetch_request_partition partitions[PARTITIONS_MAX];
	struct fetch_request request = fetch_request_default;
	struct fetch_request_topic topic = fetch_request_topic_default;
	char what[64];

	for (int i = 0; i < n; i++) {
		partitions[i] = fetch_request_partition_default;
		partitions[i].partition = i;
		partitions[i].fetch_offset = i * 1000;
	}
	topic.topic = SLICE_LITERAL("a-topic-of-some-length");
	topic.partitions = partitions;
	topic.n_partitions = n;
	request.topics = &topic;
	request.n_topics = 1;
	snprintf(what, sizeof what, "Fetch request, %d partitions", n);
	measure(&fetch_request_schema, version, &request, what);
}

static void fetch_answer(int n, int version)
{
	static struct fetch_response_partition partitions[PARTITIONS_MAX];
	struct fetch_response response = fetch_response_default;
	struct fetch_response_topic topic = fetch_response_topic_default;
	char what[64];

	for (int i = 0; i < n; i++) {
		partitions[i] = fetch_response_partition_default;
		partitions[i].partition_index = i;
	}
	topic.partitions = partitions;
	topic.n_partitions = n;
	response.responses = &topic;
	response.n_responses = 1;
	snprintf(what, sizeof what, "Fetch response, %d partitions", n);
	measure(&fetch_response_schema, version, &response, what);
}

static void metadata_answer(int n, int version)
{
	static struct metadata_response_partition partitions[PARTITIONS_MAX];
	static int32_t replicas[] = {1, 2, 3};
	struct metadata_response response = metadata_response_default;
	struct metadata_response_topic topic = metadata_response_topic_default;
	char what[64];

	for (int i = 0; i < n; i++) {
		partitions[i] = metadata_response_partition_default;
		partitions[i].replica_nodes = partitions[i].isr_nodes = replicas;
		partitions[i].n_replica_nodes = partitions[i].n_isr_nodes = 3;
	}
	topic.name = SLICE_LITERAL("a-topic-of-some-length");
	topic.partitions = partitions;
	topic.n_partitions = n;
	response.topics = &topic;
	response.n_topics = 1;
	snprintf(what, sizeof what, "Metadata response, %d partitions", n);
	measure(&metadata_response_schema, version, &response, what);
}

int main(int argc, char **argv)
{
	static const int sizes[] = {1, 10, PARTITIONS_MAX};

	if (argc > 1)
		seconds = atof(argv[1]);
	printf("%-34s %-3s %7s %8s %9s %6s %9s %6s\n", "", "", "fields", "bytes", "decode ns", "/field", "encode ns", "/field");
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		produce(sizes[i], 8);
		produce(sizes[i], 11);
		produce_answer(sizes[i], 11);
		fetch(sizes[i], 11);
		fetch(sizes[i], 17);
		fetch_answer(sizes[i], 17);
		metadata_answer(sizes[i], 12);
	}
	return 0;
}
