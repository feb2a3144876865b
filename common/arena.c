/* Block arena; see arena.h. */
#include "common/arena.h"

#include "common/check.h"
#include "common/memory.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BLOCK_BYTES 4096

struct arena_block {
	struct arena_block *next;
	alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *arena)
{
	*arena = (struct arena){0};
}

void arena_init_with(struct arena *arena, void *first, size_t len)
{
	*arena = (struct arena){.at = first, .end = (char *)first + len};
}

void arena_fini(struct arena *arena)
{
	struct arena_block *block = arena->blocks;

	while (block) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
	*arena = (struct arena){0};
}

static void arena_grow(struct arena *arena, size_t len)
{
	size_t size = sizeof(struct arena_block) + len + alignof(max_align_t);
	struct arena_block *block;

	/* Blocks double with the arena, so that a large decode costs few of them. */
	if (size < ARENA_BLOCK_BYTES)
		size = ARENA_BLOCK_BYTES;
	if (size < arena->total / 2)
		size = arena->total / 2;
	block = memory_alloc(size);
	block->next = arena->blocks;
	arena->blocks = block;
	arena->at = block->bytes;
	arena->end = (char *)block + size;
	arena->total += size;
}

static char *align_up(char *at)
{
	return (char *)(((uintptr_t)at + alignof(max_align_t) - 1) & ~(uintptr_t)(alignof(max_align_t) - 1));
}

void *arena_alloc(struct arena *arena, size_t len)
{
	char *at = align_up(arena->at);

	if (!arena->at || at > arena->end || (size_t)(arena->end - at) < len) {
		arena_grow(arena, len);
		at = align_up(arena->at);
	}
	arena->at = at + len;
	return at;
}

void *arena_zalloc(struct arena *arena, size_t count, size_t size)
{
	size_t len;

	CHECK(!__builtin_mul_overflow(count, size, &len));
	return memset(arena_alloc(arena, len), 0, len);
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
	uint8_t *copy;

	if (slice_is_null(s))
		return s;
	copy = arena_alloc(arena, s.len + 1);
	memcpy(copy, s.data, s.len);
	copy[s.len] = 0;
	return slice_of(copy, s.len);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args, again;
	char *text;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	CHECK(len >= 0);
	text = arena_alloc(arena, (size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	return text;
}
