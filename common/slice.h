/*
 * A borrowed range of bytes. Whoever made it says how long it lives; a slice never frees.
 *
 * data == NULL is the protocol's null (a null string, null bytes); an empty one has data != NULL and len 0.
 */
#ifndef KLAMM_COMMON_SLICE_H
#define KLAMM_COMMON_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const uint8_t *data;
	size_t len;
};

#define SLICE_NULL ((struct slice){NULL, 0})
#define SLICE_LITERAL(text) ((struct slice){(const uint8_t *)("" text), sizeof(text) - 1})

/* For printf: printf("%.*s", SLICE_ARGS(s)). */
#define SLICE_ARGS(s) (int)(s).len, (const char *)((s).data ? (s).data : (const uint8_t *)"")

static inline struct slice slice_of(const void *data, size_t len)
{
	return (struct slice){data, len};
}

static inline struct slice slice_of_text(const char *text)
{
	return (struct slice){(const uint8_t *)text, text ? strlen(text) : 0};
}

static inline bool slice_is_null(struct slice s)
{
	return s.data == NULL;
}

/* Byte-wise equality; null equals only null. */
static inline bool slice_equal(struct slice a, struct slice b)
{
	if (!a.data || !b.data)
		return a.data == b.data;
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static inline bool slice_is_text(struct slice s, const char *text)
{
	return slice_equal(s, slice_of_text(text));
}

/* Order of bytes, a shorter one before its continuations; null first. */
static inline int slice_compare(struct slice a, struct slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n ? memcmp(a.data, b.data, n) : 0;

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

#endif
