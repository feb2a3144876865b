/* Allocation that ends the process when memory is out; see memory.h. */
#include "common/memory.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_BYTES (4 << 20)

static void *memory_checked(void *pointer, size_t len)
{
	if (pointer || len == 0)
		return pointer;
	fprintf(stderr, "klamm: out of memory (%zu bytes asked)\n", len);
	abort();
}

void *memory_alloc(size_t len)
{
	return memory_checked(malloc(len ? len : 1), len ? len : 1);
}

void *memory_zalloc(size_t count, size_t size)
{
	return memory_checked(calloc(count ? count : 1, size ? size : 1), count ? count * size : 1);
}

void *memory_grow(void *old, size_t len)
{
	return memory_checked(realloc(old, len ? len : 1), len ? len : 1);
}

char *memory_copy_text(const char *text)
{
	return memory_checked(strdup(text), strlen(text) + 1);
}

char *memory_printf(const char *format, ...)
{
	va_list args;
	char *text = NULL;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	return memory_checked(len < 0 ? NULL : text, 1);
}

void memory_keep_freed(void)
{
	/* Without a fixed threshold of its own glibc maps every block of a megabyte anew. */
	mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
}
