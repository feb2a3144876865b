/*
 * An arena: memory of one request (or one decision) that is freed at once.
 *
 * Grows in blocks; the first small block lies in the struct's owner when arena_init_with is used. Out of memory ends the process
 * (bounded input makes it a bug or a machine without memory). Used by one thread at a time.
 */
#ifndef KLAMM_COMMON_ARENA_H
#define KLAMM_COMMON_ARENA_H

#include "common/slice.h"

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	char *at;                   /* next free byte of the newest block, or of the first piece */
	char *end;
	size_t total;               /* bytes asked of malloc so far */
};

/* An empty arena; allocates nothing yet. */
void arena_init(struct arena *arena);

/* Like arena_init, but takes its first bytes from `first`, which the caller owns and keeps until arena_fini. */
void arena_init_with(struct arena *arena, void *first, size_t len);

/* Frees all that came from the arena; it is empty and usable again. */
void arena_fini(struct arena *arena);

/* len bytes aligned for any type, not set; never NULL, also for len 0. */
void *arena_alloc(struct arena *arena, size_t len);

/* count * size bytes set to zero; an overflow of the product is a broken CHECK (counts are bounded before they come here). */
void *arena_zalloc(struct arena *arena, size_t count, size_t size);

/* A copy of s in the arena with a 0 byte behind it (outside of len); null stays null. */
struct slice arena_copy(struct arena *arena, struct slice s);

/* A text made by printf rules, ended by a 0 byte. */
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
