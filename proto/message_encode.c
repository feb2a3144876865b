/*
 * The encoder: one loop over the fields of a struct, for all messages; the mirror of message_decode.c.
 *
 * A tagged field needs its size in front of its bytes. It is written behind one free byte, and moved in the rare case that its
 * size needs more; so nothing is measured beforehand. Record bytes never stand in tagged fields (kgen sees to it), so no
 * position that was reported to a hook moves.
 */
#include "proto/message.h"

#include "common/check.h"
#include "proto/message_field.h"

#include <string.h>

struct encoder {
	struct wire_writer *out;
	struct records_hook *hook;
	int version;
	bool flexible;
};

static void encode_struct(struct encoder *e, const struct message_struct *type, const void *object);

static inline void encode_len32(struct encoder *e, int64_t len)
{
	if (e->flexible)
		wire_put_len_compact(e->out, len);
	else
		wire_put_len32(e->out, len);
}

static inline struct slice empty_unless_nullable(struct encoder *e, const struct message_field *field, struct slice s)
{
	return s.data || field_may_be_null(field, e->version) ? s : SLICE_LITERAL("");
}

static void encode_records(struct encoder *e, const struct message_field *field, const struct records *records)
{
	if (!records->external) {
		wire_put_bytes(e->out, empty_unless_nullable(e, field, records->bytes), e->flexible);
		return;
	}
	CHECK(e->hook && records->size >= 0);
	encode_len32(e, records->size);
	if (e->out->error)
		return;
	e->hook->external(e->hook->ctx, e->out->buf->len, records);
	e->hook->total += records->size;
}

static void encode_nullable_struct(struct encoder *e, const struct message_field *field, const void *at)
{
	const void *object = *(const void *const *)at;

	if (field_may_be_null(field, e->version))
		wire_put_i8(e->out, object ? 1 : -1);
	else if (!object)
		object = field->sub->defaults;
	if (object)
		encode_struct(e, field->sub, object);
}

/* One value or element at `at`. */
static inline void encode_value(struct encoder *e, const struct message_field *field, const void *at)
{
	struct wire_writer *out = e->out;

	switch (field->kind) {
	case FIELD_BOOL:
		wire_put_bool(out, *(const bool *)at);
		break;
	case FIELD_I8:
		wire_put_i8(out, *(const int8_t *)at);
		break;
	case FIELD_I16:
	case FIELD_U16:
		wire_put_i16(out, *(const int16_t *)at);
		break;
	case FIELD_I32:
	case FIELD_U32:
		wire_put_i32(out, *(const int32_t *)at);
		break;
	case FIELD_I64:
	case FIELD_F64:
		wire_put_i64(out, *(const int64_t *)at);
		break;
	case FIELD_UUID:
		wire_put_uuid(out, *(const struct uuid *)at);
		break;
	case FIELD_STRING:
		wire_put_string(out, empty_unless_nullable(e, field, *(const struct slice *)at), e->flexible);
		break;
	case FIELD_BYTES:
		wire_put_bytes(out, empty_unless_nullable(e, field, *(const struct slice *)at), e->flexible);
		break;
	case FIELD_RECORDS:
		encode_records(e, field, at);
		break;
	case FIELD_STRUCT:
		if (field_is_pointer(field) && !field->array)
			encode_nullable_struct(e, field, at);
		else
			encode_struct(e, field->sub, at);
		break;
	default:
		check_failed("a kind of field", __FILE__, __LINE__);
	}
}

static void encode_field(struct encoder *e, const struct message_field *field, const void *object)
{
	const char *elements;
	int32_t count;
	size_t size;

	if (!field->array) {
		encode_value(e, field, field_of(field, object));
		return;
	}
	elements = field_elements(field, object);
	count = field_count(field, object);
	size = field_size(field);
	CHECK(count >= -1);
	if (count < 0 && !field_may_be_null(field, e->version))
		count = 0;
	encode_len32(e, count);
	for (int32_t i = 0; i < count; i++)
		encode_value(e, field, elements + (size_t)i * size);
}

/* Size and bytes of a tagged field. */
static void encode_tagged(struct encoder *e, const struct message_field *field, const void *object)
{
	struct buf *buf = e->out->buf;
	uint8_t prefix[WIRE_UVARINT_BYTES_MAX];
	size_t start, size, prefix_len;

	wire_put_uvarint(e->out, (uint32_t)field->tag);
	wire_put(e->out, 1);
	start = buf->len;
	encode_field(e, field, object);
	if (e->out->error)
		return;
	size = buf->len - start;
	prefix_len = wire_uvarint_at(prefix, (uint32_t)size);
	if (prefix_len > 1) {
		wire_put(e->out, prefix_len - 1);
		if (e->out->error)
			return;
		memmove(buf->data + start + prefix_len - 1, buf->data + start, size);
	}
	memcpy(buf->data + start - 1, prefix, prefix_len);
}

/* The tagged fields that are not at their defaults. */
static void encode_tags(struct encoder *e, const struct message_struct *type, const void *object)
{
	const struct message_field *tagged = type->fields + type->n_fields;
	uint32_t count = 0;
	uint64_t present = 0;

	for (int i = 0; i < type->n_tagged; i++) {
		if (field_in_version(&tagged[i], e->version) && !field_is_default(&tagged[i], object, type->defaults)) {
			present |= UINT64_C(1) << i;
			count++;
		}
	}
	wire_put_uvarint(e->out, count);
	for (int i = 0; present; i++, present >>= 1) {
		if (present & 1)
			encode_tagged(e, &tagged[i], object);
	}
}

static void encode_struct(struct encoder *e, const struct message_struct *type, const void *object)
{
	const struct message_field *field = type->fields;
	const struct message_field *end = field + type->n_fields;
	int version = e->version;

	for (; field < end; field++) {
		if (field_in_version(field, version))
			encode_field(e, field, object);
	}
	if (e->flexible)
		encode_tags(e, type, object);
}

int message_encode(const struct message_schema *schema, int version, const void *message, struct wire_writer *out,
		   struct records_hook *hook)
{
	struct encoder e = {.out = out, .hook = hook, .version = version, .flexible = message_is_flexible(schema, version)};

	CHECK(message_has_version(schema, version));
	encode_struct(&e, schema->root, message);
	return out->error;
}
