/* Messages beside decoding and encoding: defaults, checks, internal records; see message.h. */
#include "proto/message.h"

#include "common/check.h"
#include "proto/message_field.h"

#include <string.h>

const struct field_kind_row field_kinds[FIELD_KINDS] = {
	[FIELD_BOOL] = {sizeof(bool), {1, 1}},
	[FIELD_I8] = {1, {1, 1}},
	[FIELD_I16] = {2, {2, 2}},
	[FIELD_I32] = {4, {4, 4}},
	[FIELD_I64] = {8, {8, 8}},
	[FIELD_U16] = {2, {2, 2}},
	[FIELD_U32] = {4, {4, 4}},
	[FIELD_F64] = {8, {8, 8}},
	[FIELD_UUID] = {sizeof(struct uuid), {16, 16}},
	[FIELD_STRING] = {sizeof(struct slice), {2, 1}},
	[FIELD_BYTES] = {sizeof(struct slice), {4, 1}},
	[FIELD_RECORDS] = {sizeof(struct records), {4, 1}},
	[FIELD_STRUCT] = {0, {1, 1}},
};

void message_init(const struct message_schema *schema, void *ret_message)
{
	memcpy(ret_message, schema->root->defaults, schema->root->size);
}

void *message_array(struct arena *arena, const struct message_struct *type, size_t n)
{
	size_t len;
	char *elements;

	CHECK(!__builtin_mul_overflow(n, (size_t)type->size, &len));
	elements = arena_alloc(arena, len);
	for (size_t i = 0; i < n; i++)
		memcpy(elements + i * type->size, type->defaults, type->size);
	return elements;
}

bool field_is_null(const struct message_field *field, const void *object)
{
	const void *at = field_of(field, object);

	if (field->array)
		return field_count(field, object) < 0;
	switch (field->kind) {
	case FIELD_STRING:
	case FIELD_BYTES:
		return slice_is_null(*(const struct slice *)at);
	case FIELD_RECORDS:
		return slice_is_null(((const struct records *)at)->bytes) && !((const struct records *)at)->external;
	case FIELD_STRUCT:
		return field_is_pointer(field) && !*(const void *const *)at;
	default:
		return false;
	}
}

static bool struct_is_default(const struct message_struct *type, const void *object)
{
	for (int i = 0; i < type->n_fields + type->n_tagged; i++) {
		if (!field_is_default(&type->fields[i], object, type->defaults))
			return false;
	}
	return true;
}

bool field_is_default(const struct message_field *field, const void *object, const void *defaults)
{
	const void *at = field_of(field, object);

	if (field->array)
		return field_count(field, object) == field_count(field, defaults);
	switch (field->kind) {
	case FIELD_STRING:
	case FIELD_BYTES:
		return slice_equal(*(const struct slice *)at, *(const struct slice *)field_of(field, defaults));
	case FIELD_RECORDS:
		return field_is_null(field, object);
	case FIELD_STRUCT:
		return field_is_pointer(field) ? field_is_null(field, object) : struct_is_default(field->sub, at);
	default:
		return memcmp(at, field_of(field, defaults), field_kinds[field->kind].size) == 0;
	}
}

/* message_check of one struct. The path to a fault grows from its end: each level puts its field in front. */
static int struct_check(const struct message_struct *type, int version, const void *object, struct error *err);

static int elements_check(const struct message_field *field, int version, const void *object, struct error *err)
{
	const char *at = field->array || field_is_pointer(field) ? field_elements(field, object) : field_of(field, object);
	int32_t count = field->array ? field_count(field, object) : 1;

	for (int32_t i = 0; i < count; i++) {
		int r = struct_check(field->sub, version, at + (size_t)i * field->sub->size, err);

		if (r != 0) {
			error_context(err, field->array ? "%s[%d]" : "%s", field->name, (int)i);
			return r;
		}
	}
	return 0;
}

static int struct_check(const struct message_struct *type, int version, const void *object, struct error *err)
{
	for (int i = 0; i < type->n_fields + type->n_tagged; i++) {
		const struct message_field *field = &type->fields[i];
		int r = 0;

		if (!field_in_version(field, version)) {
			if (!field->lossy && !field_is_default(field, object, type->defaults))
				return error_set(err, ERR_INVALID, "%s is set, but version %d has no such field", field->name,
						 version);
			continue;
		}
		if (field_is_null(field, object)) {
			if (!field_may_be_null(field, version))
				return error_set(err, ERR_INVALID, "%s is null, which version %d does not allow", field->name,
						 version);
		} else if (field->kind == FIELD_STRUCT) {
			r = elements_check(field, version, object, err);
		}
		if (r != 0)
			return r;
	}
	return 0;
}

int message_check(const struct message_schema *schema, int version, const void *message, struct error *err)
{
	int r;

	CHECK(message_has_version(schema, version));
	r = struct_check(schema->root, version, message, err);
	if (r != 0)
		error_context(err, "%s", schema->name);
	return r;
}

int message_decode_record(const struct message_schema *schema, struct slice bytes, struct arena *arena, int *ret_version,
			  void *ret_message, struct error *err)
{
	struct wire_reader in;
	int version, r;

	wire_reader_init(&in, bytes);
	version = wire_get_i16(&in);
	if (in.error)
		return error_set(err, in.error, "%s: no version", schema->name);
	if (!message_has_version(schema, version))
		return error_set(err, ERR_UNSUPPORTED, "%s: version %d is unknown", schema->name, version);
	r = message_decode(schema, version, &in, arena, ret_message, err);
	if (r == 0)
		*ret_version = version;
	return r;
}

int message_encode_record(const struct message_schema *schema, int version, const void *message, struct wire_writer *out)
{
	CHECK(message_has_version(schema, version));
	wire_put_i16(out, (int16_t)version);
	return message_encode(schema, version, message, out, NULL);
}
