/*
 * Allocation that does not fail: out of memory ends the process with a message. What outsiders can make large is bounded
 * and granted from a budget before it comes here.
 */
#ifndef KLAMM_COMMON_MEMORY_H
#define KLAMM_COMMON_MEMORY_H

#include <stddef.h>

void *memory_alloc(size_t len) __attribute__((malloc, returns_nonnull));
void *memory_zalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *memory_grow(void *old, size_t len) __attribute__((returns_nonnull));
char *memory_copy_text(const char *text) __attribute__((malloc, returns_nonnull));
char *memory_printf(const char *format, ...) __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

/* One zeroed object of a type: struct x *x = NEW(struct x); freed with free(). */
#define NEW(type) ((type *)memory_zalloc(1, sizeof(type)))

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* The struct of `type` whose member `member` is at `pointer`. */
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/*
 * For programs that move large frames, first in main: up to 4 MiB that were freed stay with the process (for each of the allocator's
 * arenas) instead of going back page by page, since the faults of getting them again cost as much as receiving the bytes.
 */
void memory_keep_freed(void);

#endif
