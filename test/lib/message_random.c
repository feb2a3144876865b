/* Random messages; see message_random.h. */
#include "test/lib/message_random.h"

#include "proto/message_field.h"

static void fill_struct(struct message_random *random, const struct message_struct *type, int version, void *object);

void message_random_init(struct message_random *random, uint64_t seed, struct arena *arena)
{
	*random = (struct message_random){.state = seed * 2 + 1, .arena = arena, .array_max = 3, .text_max = 20};
}

uint64_t message_random_next(struct message_random *random)
{
	uint64_t value;

	/* splitmix64: a counter through a mixing function. */
	random->state += UINT64_C(0x9e3779b97f4a7c15);
	value = random->state;
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

static int below(struct message_random *random, int bound)
{
	return (int)(message_random_next(random) % (uint64_t)bound);
}

static int64_t random_number(struct message_random *random)
{
	static const int64_t special[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT32_MAX, INT16_MAX, 127, -128};

	if (below(random, 3) == 0)
		return special[below(random, sizeof special / sizeof special[0])];
	return (int64_t)message_random_next(random) >> below(random, 64);
}

static struct slice random_slice(struct message_random *random)
{
	size_t len = below(random, 4) == 0 ? 0 : (size_t)below(random, random->text_max + 1);
	uint8_t *data = arena_alloc(random->arena, len + 1);

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)message_random_next(random);
	return slice_of(data, len);
}

static void *random_struct(struct message_random *random, const struct message_struct *type, int version)
{
	void *object = arena_alloc(random->arena, type->size);

	fill_struct(random, type, version, object);
	return object;
}

static void fill_value(struct message_random *random, const struct message_field *field, int version, void *at)
{
	int64_t number = random_number(random);

	switch (field->kind) {
	case FIELD_BOOL:
		*(bool *)at = number & 1;
		break;
	case FIELD_STRING:
	case FIELD_BYTES:
		*(struct slice *)at = random_slice(random);
		break;
	case FIELD_RECORDS:
		*(struct records *)at = (struct records){.bytes = random_slice(random)};
		((struct records *)at)->size = (int64_t)((struct records *)at)->bytes.len;
		break;
	case FIELD_UUID:
		for (size_t i = 0; i < sizeof(struct uuid); i++)
			((struct uuid *)at)->bytes[i] = (uint8_t)message_random_next(random);
		break;
	case FIELD_F64:
		*(double *)at = (double)number / 3;
		break;
	case FIELD_STRUCT:
		if (field_is_pointer(field) && !field->array)
			*(void **)at = random_struct(random, field->sub, version);
		else
			fill_struct(random, field->sub, version, at);
		break;
	default:
		if (field_size(field) == 1)
			*(int8_t *)at = (int8_t)number;
		else if (field_size(field) == 2)
			*(int16_t *)at = (int16_t)number;
		else if (field_size(field) == 4)
			*(int32_t *)at = (int32_t)number;
		else
			*(int64_t *)at = number;
	}
}

static void fill_null(const struct message_field *field, void *object)
{
	if (field->array)
		*(int32_t *)(void *)((char *)object + field->n_offset) = -1;
	else if (field->kind == FIELD_STRUCT)
		*(void **)field_at(field, object) = NULL;
	else
		memset(field_at(field, object), 0, field_size(field));
}

static void fill_array(struct message_random *random, const struct message_field *field, int version, void *object)
{
	int n = below(random, random->array_max + 1);
	char *elements = arena_zalloc(random->arena, (size_t)n, field_size(field));

	for (int i = 0; i < n; i++)
		fill_value(random, field, version, elements + (size_t)i * field_size(field));
	*(char **)field_at(field, object) = elements;
	*(int32_t *)(void *)((char *)object + field->n_offset) = n;
}

static void fill_struct(struct message_random *random, const struct message_struct *type, int version, void *object)
{
	memcpy(object, type->defaults, type->size);
	for (int i = 0; i < type->n_fields + type->n_tagged; i++) {
		const struct message_field *field = &type->fields[i];

		if (!field_in_version(field, version) || (field->tag >= 0 && below(random, 2) == 0))
			continue;
		if (field_may_be_null(field, version) && below(random, 4) == 0)
			fill_null(field, object);
		else if (field->array)
			fill_array(random, field, version, object);
		else
			fill_value(random, field, version, field_at(field, object));
	}
}

void message_random_fill(struct message_random *random, const struct message_schema *schema, int version, void *ret_message)
{
	fill_struct(random, schema->root, version, ret_message);
}

static bool structs_equal(const struct message_struct *type, int version, const void *a, const void *b);

static bool values_equal(const struct message_field *field, int version, const void *a, const void *b)
{
	const struct records *records_a = a, *records_b = b;

	switch (field->kind) {
	case FIELD_STRING:
	case FIELD_BYTES:
		return slice_equal(*(const struct slice *)a, *(const struct slice *)b);
	case FIELD_RECORDS:
		return slice_equal(records_a->bytes, records_b->bytes);
	case FIELD_STRUCT:
		return structs_equal(field->sub, version, a, b);
	default:
		return memcmp(a, b, field_size(field)) == 0;
	}
}

static bool fields_equal(const struct message_field *field, int version, const void *a, const void *b)
{
	if (field_is_null(field, a) || field_is_null(field, b))
		return field_is_null(field, a) == field_is_null(field, b);
	if (!field->array) {
		bool pointer = field->kind == FIELD_STRUCT && field_is_pointer(field);
		const void *value_a = field_of(field, a), *value_b = field_of(field, b);

		return values_equal(field, version, pointer ? *(const void *const *)value_a : value_a,
				    pointer ? *(const void *const *)value_b : value_b);
	}
	if (field_count(field, a) != field_count(field, b))
		return false;
	for (int32_t i = 0; i < field_count(field, a); i++) {
		size_t at = (size_t)i * field_size(field);

		if (!values_equal(field, version, field_elements(field, a) + at, field_elements(field, b) + at))
			return false;
	}
	return true;
}

static bool structs_equal(const struct message_struct *type, int version, const void *a, const void *b)
{
	for (int i = 0; i < type->n_fields + type->n_tagged; i++) {
		if (field_in_version(&type->fields[i], version) && !fields_equal(&type->fields[i], version, a, b))
			return false;
	}
	return true;
}

bool message_equal(const struct message_schema *schema, int version, const void *a, const void *b)
{
	return structs_equal(schema->root, version, a, b);
}
