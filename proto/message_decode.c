/*
 * The decoder: one loop over the fields of a struct, for all messages.
 *
 *     struct  = plain fields in table order, those of this version; then, in flexible versions, tagged ones
 *     array   = count, elements
 *
 * Every object starts as a copy of its defaults, so that what the version lacks needs no step. Counts are compared with the
 * bytes left before memory is taken, and memory with what the frame's size grants (arena_left), so a frame of n bytes costs
 * O(n), whatever it says. The path to a fault is put together while the calls return.
 */
#include "proto/message.h"

#include "common/check.h"
#include "common/limits.h"
#include "proto/message_field.h"

#include <string.h>

struct decoder {
	struct wire_reader *in;
	struct arena *arena;
	size_t arena_left;
	int version;
	int version_index; /* into bytes_min */
	bool flexible;
	int error;
	size_t fault_pos;
	const char *reason;
	char path[200]; /* at its end, from path_at */
	size_t path_at;
};

static bool decode_struct(struct decoder *d, const struct message_struct *type, void *object);

static bool decode_fail(struct decoder *d, int code, const char *reason)
{
	d->error = code;
	d->fault_pos = wire_pos(d->in);
	d->reason = reason;
	return false;
}

/* The reader's own fault becomes ours. */
static bool decode_ok(struct decoder *d)
{
	if (__builtin_expect(!d->in->error, 1))
		return true;
	decode_fail(d, d->in->error, d->in->error == ERR_TRUNCATED ? "the message ends here" : "malformed number or length");
	d->fault_pos = d->in->fault_pos;
	return false;
}

/* Puts "field." or "field[index]." in front of the path; what does not fit any more is left out. */
static bool decode_fail_in(struct decoder *d, const struct message_field *field, int32_t index)
{
	char part[96];
	int len;

	len = index < 0 ? snprintf(part, sizeof part, "%s.", field->name)
			: snprintf(part, sizeof part, "%s[%d].", field->name, (int)index);
	if (len > 0 && (size_t)len < sizeof part && (size_t)len <= d->path_at) {
		d->path_at -= (size_t)len;
		memcpy(d->path + d->path_at, part, (size_t)len);
	}
	return false;
}

static bool decode_slice(struct decoder *d, const struct message_field *field, int32_t len, struct slice *ret_slice)
{
	const uint8_t *at;

	if (!decode_ok(d))
		return false;
	if (len < 0) {
		*ret_slice = SLICE_NULL;
		return field_may_be_null(field, d->version) || decode_fail(d, ERR_INVALID, "null is not allowed");
	}
	if (field->limit && len > field->limit && !field->array)
		return decode_fail(d, ERR_TOO_LARGE, "longer than allowed");
	at = wire_take(d->in, (size_t)len);
	if (!at)
		return decode_ok(d);
	*ret_slice = slice_of(at, (size_t)len);
	return true;
}

static bool decode_records(struct decoder *d, const struct message_field *field, struct records *ret_records)
{
	int32_t len = d->flexible ? wire_get_len_compact(d->in) : wire_get_len32(d->in);

	*ret_records = (struct records){.bytes = SLICE_NULL};
	if (!decode_slice(d, field, len, &ret_records->bytes))
		return false;
	ret_records->size = (int64_t)ret_records->bytes.len;
	return true;
}

static bool decode_nullable_struct(struct decoder *d, const struct message_field *field, void *at)
{
	void **ret_object = at;
	int8_t mark;

	if (!field_may_be_null(field, d->version)) {
		mark = 1;
	} else {
		mark = wire_get_i8(d->in);
		if (!decode_ok(d))
			return false;
	}
	if (mark == -1) {
		*ret_object = NULL;
		return true;
	}
	if (mark != 1)
		return decode_fail(d, ERR_INVALID, "neither null nor a struct");
	if (d->arena_left < field->sub->size)
		return decode_fail(d, ERR_TOO_LARGE, "needs more memory than the frame grants");
	d->arena_left -= field->sub->size;
	*ret_object = arena_alloc(d->arena, field->sub->size);
	return decode_struct(d, field->sub, *ret_object);
}

/* One value or element at `at`. */
static inline bool decode_value(struct decoder *d, const struct message_field *field, void *at)
{
	struct wire_reader *in = d->in;

	switch (field->kind) {
	case FIELD_BOOL:
		*(bool *)at = wire_get_bool(in);
		break;
	case FIELD_I8:
		*(int8_t *)at = wire_get_i8(in);
		break;
	case FIELD_I16:
	case FIELD_U16:
		*(int16_t *)at = wire_get_i16(in);
		break;
	case FIELD_I32:
	case FIELD_U32:
		*(int32_t *)at = wire_get_i32(in);
		break;
	case FIELD_I64:
	case FIELD_F64:
		*(int64_t *)at = wire_get_i64(in);
		break;
	case FIELD_UUID:
		*(struct uuid *)at = wire_get_uuid(in);
		break;
	case FIELD_STRING:
		return decode_slice(d, field, wire_get_len_string(in, d->flexible), at);
	case FIELD_BYTES:
		return decode_slice(d, field, d->flexible ? wire_get_len_compact(in) : wire_get_len32(in), at);
	case FIELD_RECORDS:
		return decode_records(d, field, at);
	case FIELD_STRUCT:
		return field_is_pointer(field) && !field->array ? decode_nullable_struct(d, field, at)
								: decode_struct(d, field->sub, at);
	default:
		check_failed("a kind of field", __FILE__, __LINE__);
	}
	return decode_ok(d);
}

/* Checks a count and takes the memory for it; NULL on failure. Only for counts above 0. */
static char *elements_alloc(struct decoder *d, const struct message_field *field, int32_t count)
{
	size_t wire_min = field->sub ? field->sub->bytes_min[d->version_index] : field_kinds[field->kind].wire_min[d->flexible];
	size_t size = field_size(field);

	if (field->limit && count > field->limit) {
		decode_fail(d, ERR_TOO_LARGE, "more elements than allowed");
		return NULL;
	}
	if ((size_t)count > wire_left(d->in) / wire_min) {
		decode_fail(d, ERR_TRUNCATED, "more elements than the message has bytes for");
		return NULL;
	}
	if ((size_t)count > d->arena_left / size) {
		decode_fail(d, ERR_TOO_LARGE, "needs more memory than the frame grants");
		return NULL;
	}
	d->arena_left -= (size_t)count * size;
	return arena_alloc(d->arena, (size_t)count * size);
}

static bool decode_array(struct decoder *d, const struct message_field *field, void *object)
{
	int32_t count = d->flexible ? wire_get_len_compact(d->in) : wire_get_len32(d->in);
	size_t size = field_size(field);
	char *elements = NULL;

	if (!decode_ok(d))
		return false;
	if (count < 0 && !field_may_be_null(field, d->version))
		return decode_fail(d, ERR_INVALID, "null is not allowed");
	if (count > 0) {
		elements = elements_alloc(d, field, count);
		if (!elements)
			return false;
	}
	*(char **)field_at(field, object) = elements;
	*(int32_t *)(void *)((char *)object + field->n_offset) = count;
	for (int32_t i = 0; i < count; i++) {
		if (__builtin_expect(!decode_value(d, field, elements + (size_t)i * size), 0))
			return decode_fail_in(d, field, i);
	}
	return true;
}

static inline bool decode_field(struct decoder *d, const struct message_field *field, void *object)
{
	if (field->array) {
		size_t path_at = d->path_at;

		/* The failing element is in the path already; a fault of the array itself is not. */
		if (__builtin_expect(decode_array(d, field, object), 1))
			return true;
		return d->path_at != path_at ? false : decode_fail_in(d, field, -1);
	}
	if (__builtin_expect(decode_value(d, field, field_at(field, object)), 1))
		return true;
	return decode_fail_in(d, field, -1);
}

/* One tagged field, whose bytes end at `len` from here. */
static bool decode_tagged(struct decoder *d, const struct message_field *field, void *object, uint32_t len)
{
	struct wire_reader *in = d->in;
	const uint8_t *end = in->end;

	in->end = in->at + len;
	if (!decode_field(d, field, object))
		return false;
	if (in->at != in->end) {
		decode_fail(d, ERR_INVALID, "a tagged field is shorter than its size");
		return decode_fail_in(d, field, -1);
	}
	in->end = end;
	return true;
}

static bool decode_tags(struct decoder *d, const struct message_struct *type, void *object)
{
	struct wire_reader *in = d->in;
	uint32_t count = wire_get_uvarint(in);
	int64_t before = -1;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t tag = wire_get_uvarint(in);
		uint32_t len = wire_get_uvarint(in);
		const struct message_field *field = tag < type->n_tagged ? &type->fields[type->n_fields + tag] : NULL;

		if (!decode_ok(d))
			return false;
		if ((int64_t)tag <= before)
			return decode_fail(d, ERR_INVALID, "tags do not ascend");
		before = tag;
		if (len > wire_left(in))
			return decode_fail(d, ERR_TRUNCATED, "a tagged field is longer than the message");
		if (!field || !field_in_version(field, d->version))
			wire_take(in, len);
		else if (!decode_tagged(d, field, object, len))
			return false;
	}
	return decode_ok(d);
}

static bool decode_struct(struct decoder *d, const struct message_struct *type, void *object)
{
	const struct message_field *field = type->fields;
	const struct message_field *end = field + type->n_fields;
	int version = d->version;

	memcpy(object, type->defaults, type->size);
	for (; field < end; field++) {
		if (field_in_version(field, version) && __builtin_expect(!decode_field(d, field, object), 0))
			return false;
	}
	return d->flexible ? decode_tags(d, type, object) : true;
}

int message_decode(const struct message_schema *schema, int version, struct wire_reader *in, struct arena *arena,
		   void *ret_message, struct error *err)
{
	struct decoder d = {.in = in, .arena = arena, .version = version, .version_index = version - schema->since};
	int path_len;

	CHECK(message_has_version(schema, version));
	d.flexible = message_is_flexible(schema, version);
	d.arena_left = wire_left(in) * LIMIT_DECODE_FACTOR + LIMIT_DECODE_BASE_BYTES;
	d.path_at = sizeof d.path;
	if (decode_struct(&d, schema->root, ret_message))
		return 0;
	path_len = (int)(sizeof d.path - d.path_at);
	return error_set(err, d.error, "%s version %d: %.*s%s%s (byte %zu)", schema->name, version, path_len ? path_len - 1 : 0,
			 d.path + d.path_at, path_len ? ": " : "", d.reason, d.fault_pos);
}
