/*
 * Dumps of records: keys and values as text, or as what Kafka keeps in its own topics; see dump.h.
 *
 *     __consumer_offsets   key {"type":"1","data":{...}}  payload {"version":"3","data":{...}}      the schemas' JSON, names in
 * Java's way
 *     __transaction_state  key transaction_metadata::transactionalId=x  payload producerId:1,...,state=Empty,...
 */
#include "common/arena.h"
#include "proto/kafka/consumer_protocol_assignment.gen.h"
#include "proto/kafka/consumer_protocol_subscription.gen.h"
#include "proto/kafka/group_metadata_key.gen.h"
#include "proto/kafka/group_metadata_value.gen.h"
#include "proto/kafka/offset_commit_key.gen.h"
#include "proto/kafka/offset_commit_value.gen.h"
#include "proto/kafka/transaction_log_key.gen.h"
#include "proto/kafka/transaction_log_value.gen.h"
#include "proto/message.h"
#include "tools/klamm/dump.h"
#include "tools/klamm/json_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- internal records ---- */

/* commit_timestamp -> commitTimestamp, at all depths. */
static json_t *camel(json_t *value)
{
	json_t *result = json_is_object(value) ? json_object() : json_array(), *item;
	const char *name;
	size_t i;

	if (!json_is_object(value) && !json_is_array(value)) {
		json_decref(result);
		return json_incref(value);
	}
	json_array_foreach(value, i, item) json_array_append_new(result, camel(item));
	json_object_foreach(value, name, item)
	{
		char text[128];
		size_t len = 0;

		for (const char *at = name; *at && len < sizeof text - 1; at++) {
			bool hump = *at == '_' && at[1];

			at += hump;
			text[len++] = hump ? (char)toupper((unsigned char)*at) : *at;
		}
		text[len] = 0;
		json_object_set_new(result, text, camel(item));
	}
	return result;
}

/* The record as JSON with Java's names, NULL when it cannot be read. */
static json_t *record_json(const struct message_schema *schema, struct slice bytes, int *ret_version)
{
	void *message = calloc(1, schema->root->size);
	char *text = NULL;
	size_t len = 0;
	json_t *plain, *named = NULL;
	struct arena arena;
	FILE *out;

	arena_init(&arena);
	if (message && message_decode_record(schema, bytes, &arena, ret_version, message, NULL) == 0) {
		out = open_memstream(&text, &len);
		message_dump_json(schema, *ret_version, message, out);
		fclose(out);
		plain = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
		named = camel(plain);
		json_decref(plain);
		free(text);
	}
	arena_fini(&arena);
	free(message);
	return named;
}

/* What the members of a group keep in their metadata, where it is the consumer protocol. */
static void member_unfold(json_t *member, const char *name, const struct message_schema *schema, struct slice bytes)
{
	int version;
	json_t *inner = bytes.len ? record_json(schema, bytes, &version) : NULL;

	if (inner)
		json_object_set_new(member, name, inner);
}

static void members_unfold(json_t *group, struct slice bytes)
{
	struct group_metadata_value value;
	struct arena arena;
	int version;

	arena_init(&arena);
	if (message_decode_record(&group_metadata_value_schema, bytes, &arena, &version, &value, NULL) == 0 &&
	    slice_is_text(value.protocol_type, "consumer")) {
		for (int i = 0; i < value.n_members; i++) {
			json_t *member = json_array_get(json_object_get(group, "members"), (size_t)i);

			member_unfold(member, "subscription", &consumer_protocol_subscription_schema,
				      value.members[i].subscription);
			member_unfold(member, "assignment", &consumer_protocol_assignment_schema, value.members[i].assignment);
		}
	}
	arena_fini(&arena);
}

static char *pack_text(const char *kind, int version, json_t *data)
{
	char number[16], *text;
	json_t *object;

	if (!data)
		return NULL;
	snprintf(number, sizeof number, "%d", version);
	object = json_pack("{s:s, s:o}", kind, number, "data", data);
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return text;
}

static int16_t record_version(struct slice bytes)
{
	return bytes.len >= 2 ? bytes_get_i16(bytes.data) : -1;
}

/* Texts are malloc'ed; NULL: cannot be read. */
static void offsets_decode(const struct record *record, char **ret_key, char **ret_value)
{
	int type = record_version(record->key), version;
	bool is_offset = type == 0 || type == 1;
	json_t *value;

	*ret_key = *ret_value = NULL;
	if (!is_offset && type != 2)
		return;
	*ret_key = pack_text(
		"type", type,
		record_json(is_offset ? &offset_commit_key_schema : &group_metadata_key_schema, record->key, &version));
	if (slice_is_null(record->value)) {
		*ret_value = strdup("<DELETE>");
		return;
	}
	value = record_json(is_offset ? &offset_commit_value_schema : &group_metadata_value_schema, record->value, &version);
	if (value && !is_offset)
		members_unfold(value, record->value);
	*ret_value = pack_text("version", version, value);
}

static const char *transaction_state(int state)
{
	static const char *const names[] = {"Empty",          "Ongoing",       "PrepareCommit", "PrepareAbort",
					    "CompleteCommit", "CompleteAbort", "Dead",          "PrepareEpochFence"};

	return state >= 0 && state < (int)(sizeof names / sizeof names[0]) ? names[state] : "Unknown";
}

static void transaction_value(struct slice bytes, char **ret_value)
{
	struct transaction_log_value value;
	struct arena arena;
	size_t len;
	int version;
	bool behind = false;
	FILE *out;

	arena_init(&arena);
	if (message_decode_record(&transaction_log_value_schema, bytes, &arena, &version, &value, NULL) == 0) {
		out = open_memstream(ret_value, &len);
		fprintf(out, "producerId:%lld,producerEpoch:%d,state=%s,partitions=[", (long long)value.producer_id,
			value.producer_epoch, transaction_state(value.transaction_status));
		for (int t = 0; t < value.n_transaction_partitions; t++)
			for (int p = 0; p < value.transaction_partitions[t].n_partition_ids; p++, behind = true)
				fprintf(out, "%s%.*s-%d", behind ? "," : "", SLICE_ARGS(value.transaction_partitions[t].topic),
					value.transaction_partitions[t].partition_ids[p]);
		fprintf(out, "],txnLastUpdateTimestamp=%lld,txnTimeoutMs=%d",
			(long long)value.transaction_last_update_timestamp_ms, value.transaction_timeout_ms);
		fclose(out);
	}
	arena_fini(&arena);
}

static void transactions_decode(const struct record *record, char **ret_key, char **ret_value)
{
	struct transaction_log_key key;
	struct arena arena;
	int version;

	*ret_key = *ret_value = NULL;
	arena_init(&arena);
	if (message_decode_record(&transaction_log_key_schema, record->key, &arena, &version, &key, NULL) == 0 &&
	    asprintf(ret_key, "transaction_metadata::transactionalId=%.*s", SLICE_ARGS(key.transactional_id)) < 0)
		*ret_key = NULL;
	arena_fini(&arena);
	if (slice_is_null(record->value))
		*ret_value = strdup("<DELETE>");
	else
		transaction_value(record->value, ret_value);
}

/* ---- lines ---- */

/* `before` is what stands before the first part: without metadata Kafka's tool begins lines without a key in another way. */
static void decoded_print(struct dump *dump, const struct record *record, const char *before)
{
	char *key, *value;

	if (dump->decoder == DECODE_OFFSETS)
		offsets_decode(record, &key, &value);
	else
		transactions_decode(record, &key, &value);
	fprintf(dump->out, "%skey: %s payload: %s", before, key ? key : "<unreadable>", value ? value : "<unreadable>");
	free(key);
	free(value);
}

static void data_print(struct dump *dump, const struct record *record, const char *before)
{
	FILE *out = dump->out;

	if (dump->decoder != DECODE_TEXT) {
		decoded_print(dump, record, before);
		return;
	}
	if (!slice_is_null(record->key)) {
		fprintf(out, "%skey: ", before);
		fwrite(record->key.data, 1, record->key.len, out);
	}
	if (!slice_is_null(record->value)) {
		fputs(" payload: ", out);
		fwrite(record->value.data, 1, record->value.len, out);
	}
}

static void metadata_print(struct dump *dump, const struct batch_header *batch, const struct record *record)
{
	struct slice rest = record->headers;
	struct record_header header;
	bool behind = false;
	FILE *out = dump->out;

	fprintf(out, " offset: %lld %s: %lld keySize: %lld valueSize: %lld sequence: %d headerKeys: [",
		(long long)record->offset, dump_timestamp_type(batch->attributes), (long long)record->timestamp,
		slice_is_null(record->key) ? -1LL : (long long)record->key.len,
		slice_is_null(record->value) ? -1LL : (long long)record->value.len, record->sequence);
	for (; record_header_next(&rest, &header); behind = true)
		fprintf(out, "%s%.*s", behind ? "," : "", SLICE_ARGS(header.key));
	fputc(']', out);
}

static const char *control_name(int16_t type)
{
	return type == CONTROL_COMMIT ? "COMMIT" : type == CONTROL_ABORT ? "ABORT" : "UNKNOWN";
}

static void record_line(struct dump *dump, const struct batch_header *batch, const struct record *record)
{
	bool control = batch_is_control(batch->attributes);
	int32_t coordinator_epoch;
	int16_t type;

	if (!dump->skip_metadata) {
		fputc('|', dump->out);
		metadata_print(dump, batch, record);
		if (control && record_control_parse(record, &type, &coordinator_epoch))
			fprintf(dump->out, " endTxnMarker: %s coordinatorEpoch: %d", control_name(type), coordinator_epoch);
	}
	if (dump->print_data && !control)
		data_print(dump, record, dump->skip_metadata ? "| " : " ");
	fputc('\n', dump->out);
}

/* ---- JSON ---- */

static json_t *headers_json(const struct record *record)
{
	struct slice rest = record->headers;
	struct record_header header;
	json_t *list = json_array();

	while (record_header_next(&rest, &header)) {
		json_t *object = json_object();

		json_object_set_new(object, "key", json_slice(header.key));
		json_set_bytes(object, "value", header.value);
		json_array_append_new(list, object);
	}
	return list;
}

static void data_json(struct dump *dump, const struct record *record, json_t *object)
{
	char *key, *value;

	if (dump->decoder == DECODE_TEXT) {
		json_set_bytes(object, "key", record->key);
		json_set_bytes(object, "value", record->value);
		return;
	}
	if (dump->decoder == DECODE_OFFSETS)
		offsets_decode(record, &key, &value);
	else
		transactions_decode(record, &key, &value);
	json_object_set_new(object, "key", key ? json_string(key) : json_null());
	json_object_set_new(object, "value", value ? json_string(value) : json_null());
	free(key);
	free(value);
}

static void record_append(struct dump *dump, const struct batch_header *batch, const struct record *record, json_t *list)
{
	json_t *object = json_object();
	int32_t coordinator_epoch;
	int16_t type;

	json_object_set_new(object, "offset", json_integer(record->offset));
	json_object_set_new(object, "timestamp", json_integer(record->timestamp));
	json_object_set_new(object, "sequence", json_integer(record->sequence));
	json_object_set_new(object, "headers", headers_json(record));
	if (batch_is_control(batch->attributes) && record_control_parse(record, &type, &coordinator_epoch)) {
		json_object_set_new(object, "control", json_string(control_name(type)));
		json_object_set_new(object, "coordinator_epoch", json_integer(coordinator_epoch));
	} else if (dump->print_data) {
		data_json(dump, record, object);
	}
	json_array_append_new(list, object);
}

void dump_record(struct dump *dump, const struct batch_header *batch, const struct record *record, json_t *list)
{
	if (list)
		record_append(dump, batch, record, list);
	else
		record_line(dump, batch, record);
}
