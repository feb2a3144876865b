/* What decoder, encoder and dumper share: how fields lie in memory. Only for message_*.c. */
#ifndef KLAMM_PROTO_MESSAGE_FIELD_H
#define KLAMM_PROTO_MESSAGE_FIELD_H

#include "proto/message.h"

/* Bytes in memory and fewest bytes on the wire (old and flexible form) of one value of each kind; 0 for structs. */
struct field_kind_row {
	uint8_t size;
	uint8_t wire_min[2];
};

extern const struct field_kind_row field_kinds[FIELD_KINDS];

static inline bool field_in_version(const struct message_field *field, int version)
{
	return version >= field->since && version <= field->until;
}

static inline bool field_may_be_null(const struct message_field *field, int version)
{
	return version >= field->null_since && version <= field->null_until;
}

/* Whether the schema gives it null in any version: then a struct is a pointer. */
static inline bool field_is_pointer(const struct message_field *field)
{
	return field->null_since <= field->null_until;
}

static inline void *field_at(const struct message_field *field, void *object)
{
	return (char *)object + field->offset;
}

static inline const void *field_of(const struct message_field *field, const void *object)
{
	return (const char *)object + field->offset;
}

static inline int32_t field_count(const struct message_field *field, const void *object)
{
	return *(const int32_t *)(const void *)((const char *)object + field->n_offset);
}

/* The elements of an array. */
static inline const char *field_elements(const struct message_field *field, const void *object)
{
	return *(const char *const *)field_of(field, object);
}

/* Bytes in memory of one value or element. */
static inline size_t field_size(const struct message_field *field)
{
	return field->kind == FIELD_STRUCT ? field->sub->size : field_kinds[field->kind].size;
}

/* Whether the member is null: its array, slice, records or pointer. */
bool field_is_null(const struct message_field *field, const void *object);

/* Whether the member has the default that its struct's table gives it. */
bool field_is_default(const struct message_field *field, const void *object, const void *defaults);

#endif
