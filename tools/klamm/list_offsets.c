/* First offsets at or after a time; see list_offsets.h. */
#include "tools/klamm/list_offsets.h"

#include "proto/kafka/list_offsets.gen.h"
#include "proto/kafka_error.h"

/* The version of ListOffsets that each special time came with. */
static int version_needed(int64_t when)
{
	return when == -3 ? 7 : when == -4 ? 8 : when == -5 ? 9 : 1;
}

static void answer_take(struct part **parts, int n, const struct list_offsets_response *response)
{
	for (int i = 0; i < n; i++)
		parts[i]->error = KAFKA_UNKNOWN_SERVER_ERROR;
	for (int t = 0; t < response->n_topics; t++)
		for (int p = 0; p < response->topics[t].n_partitions; p++) {
			const struct list_offsets_response_partition *answer = &response->topics[t].partitions[p];
			struct part *part = parts_find(parts, n, response->topics[t].name, answer->partition_index);

			if (!part)
				continue;
			part->error = answer->error_code;
			part->result = answer->offset;
		}
}

int list_offsets_ask(void *ctx, struct kafka_client *client, int32_t leader, struct part **parts, int n, struct error *err)
{
	struct list_offsets_request request = list_offsets_request_default;
	struct list_offsets_response response;
	struct arena *arena = kafka_client_arena(client);
	int version, r = kafka_client_version(client, leader, API_LIST_OFFSETS, &version, err);

	(void)ctx;
	if (r == 0 && version < version_needed(parts[0]->asked))
		return error_set(err, ERR_UNSUPPORTED, "broker %d does not know --time %lld", leader,
				 (long long)parts[0]->asked);
	if (r != 0)
		return r;
	request.replica_id = -1;
	request.topics = message_array(arena, &list_offsets_request_topic_struct, (size_t)n);
	for (int i = 0; i < n;) {
		struct list_offsets_request_topic *topic = &request.topics[request.n_topics++];

		topic->name = parts[i]->topic;
		topic->n_partitions = parts_of_topic(parts, n, i);
		topic->partitions = message_array(arena, &list_offsets_request_partition_struct, (size_t)topic->n_partitions);
		for (int p = 0; p < topic->n_partitions; p++, i++) {
			topic->partitions[p].partition_index = parts[i]->partition;
			topic->partitions[p].current_leader_epoch = -1;
			topic->partitions[p].timestamp = parts[i]->asked;
		}
	}
	r = kafka_client_call(client, leader, API_LIST_OFFSETS, &request, &response, err);
	if (r == 0)
		answer_take(parts, n, &response);
	return r;
}
