/* Partition states; see json_partition_state.h. {"controller_epoch":1,"leader":1,"version":1,"leader_epoch":0,"isr":[1,2]} */
#include "zk/json_partition_state.h"

#include "zk/json.h"

#include <string.h>

/* An optional list of brokers: absent leaves n at -1. */
static int want_ids(const struct json_reader *reader, const char *key, int32_t **ret_ids, int32_t *ret_n)
{
	const json_t *array = json_member(reader->root, key);

	if (!array)
		return 0;
	return json_ids(reader, array, key, ret_ids, ret_n);
}

/* Optional broker epochs of the n members of a list: absent leaves n at -1. */
static int want_epochs(const struct json_reader *reader, const char *key, int32_t n_members, int64_t **ret_epochs, int32_t *ret_n)
{
	int rc;
	const json_t *array = json_want_sort(reader, reader->root, key, JSON_ARRAY, &rc);
	size_t n = json_array_size(array);

	if (!array)
		return rc;
	if (n != (size_t)n_members)
		return json_fail(reader, "\"%s\" has %zu members for a list of %d", key, n, n_members);
	*ret_epochs = arena_alloc(reader->arena, n * sizeof **ret_epochs);
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_array_get(array, i);

		if (!json_is_integer(value) || json_integer_value(value) < -1)
			return json_fail(reader, "\"%s\" holds something that is no broker epoch", key);
		(*ret_epochs)[i] = (int64_t)json_integer_value(value);
	}
	*ret_n = (int32_t)n;
	return 0;
}

static int decode_kafka(const struct json_reader *reader, struct partition_state_znode *state)
{
	int64_t recovery;
	int32_t version;
	int rc = json_want_i32(reader, reader->root, "version", 1, 1, &version);

	if (rc == 0)
		rc = json_need_i32(reader, reader->root, "leader", -1, &state->leader);
	if (rc == 0)
		rc = json_need_i32(reader, reader->root, "leader_epoch", 0, &state->leader_epoch);
	if (rc == 0)
		rc = json_need_i32(reader, reader->root, "controller_epoch", 0, &state->controller_epoch);
	if (rc == 0)
		rc = json_want_i64(reader, reader->root, "leader_recovery_state", 0, 1, 0, &recovery);
	if (rc == 0 && !json_member(reader->root, "isr"))
		rc = json_fail(reader, "\"isr\" is missing");
	if (rc == 0)
		rc = json_ids(reader, json_member(reader->root, "isr"), "\"isr\"", &state->isr, &state->n_isr);
	if (rc == 0)
		state->recovering = recovery == 1;
	return rc;
}

int partition_state_znode_decode(struct arena *arena, const char *path, struct slice json,
				 struct partition_state_znode *ret_state, struct error *err)
{
	struct partition_state_znode state = {.n_elr = -1, .n_elr_epochs = -1, .n_last_known_elr = -1, .n_isr_epochs = -1};
	struct json_reader reader;
	int rc = json_reader_open(&reader, arena, path, json, err);

	if (rc != 0)
		return rc;
	rc = decode_kafka(&reader, &state);
	if (rc == 0)
		rc = want_ids(&reader, "elr", &state.elr, &state.n_elr);
	if (rc == 0)
		rc = want_ids(&reader, "last_known_elr", &state.last_known_elr, &state.n_last_known_elr);
	if (rc == 0)
		rc = want_epochs(&reader, "elr_epochs", state.n_elr, &state.elr_epochs, &state.n_elr_epochs);
	if (rc == 0)
		rc = want_epochs(&reader, "isr_epochs", state.n_isr, &state.isr_epochs, &state.n_isr_epochs);
	json_reader_close(&reader);
	if (rc == 0)
		*ret_state = state;
	return rc;
}

static void put_list(struct json_writer *writer, const char *key, const int32_t *ids, int32_t n)
{
	if (n < 0)
		return;
	json_put_raw(writer, key);
	json_put_ids(writer, ids, n);
}

static void put_epochs(struct json_writer *writer, const char *key, const int64_t *epochs, int32_t n)
{
	if (n < 0)
		return;
	json_put_raw(writer, key);
	json_put_raw(writer, "[");
	for (int32_t i = 0; i < n; i++) {
		json_put_raw(writer, i > 0 ? "," : "");
		json_put_i64(writer, epochs[i]);
	}
	json_put_raw(writer, "]");
}

static void put_ours(struct json_writer *writer, const struct partition_state_znode *state)
{
	put_list(writer, ",\"elr\":", state->elr, state->n_elr);
	put_epochs(writer, ",\"elr_epochs\":", state->elr_epochs, state->n_elr_epochs);
	put_list(writer, ",\"last_known_elr\":", state->last_known_elr, state->n_last_known_elr);
	put_epochs(writer, ",\"isr_epochs\":", state->isr_epochs, state->n_isr_epochs);
}

struct slice partition_state_znode_encode(struct arena *arena, const struct partition_state_znode *state)
{
	struct json_writer writer;

	json_writer_init(&writer, arena, 160);
	json_put_raw(&writer, "{\"controller_epoch\":");
	json_put_i64(&writer, state->controller_epoch);
	json_put_raw(&writer, ",\"leader\":");
	json_put_i64(&writer, state->leader);
	json_put_raw(&writer, state->recovering ? ",\"version\":1,\"leader_recovery_state\":1" : ",\"version\":1");
	json_put_raw(&writer, ",\"leader_epoch\":");
	json_put_i64(&writer, state->leader_epoch);
	json_put_raw(&writer, ",\"isr\":");
	json_put_ids(&writer, state->isr, state->n_isr);
	put_ours(&writer, state);
	json_put_raw(&writer, "}");
	return json_writer_end(&writer);
}
