/* Size classes over an arena; see ctl_pool.h. */
#include "tools/controller/ctl_pool.h"

#include "common/check.h"

#include <string.h>

void ctl_pool_init(struct ctl_pool *pool)
{
	*pool = (struct ctl_pool){0};
	arena_init(&pool->arena);
}

void ctl_pool_fini(struct ctl_pool *pool)
{
	arena_fini(&pool->arena);
	*pool = (struct ctl_pool){0};
}

/* Classes are 16, 24, 32, 48, 64, 96, ...: powers of two and the middle between them. */
static int class_of(size_t len, size_t *ret_size)
{
	size_t size = 16;
	int class = 0;

	while (size < len) {
		if (size + size / 2 >= len) {
			size += size / 2;
			class += 1;
			break;
		}
		size *= 2;
		class += 2;
	}
	CHECK(class < CTL_POOL_CLASSES);
	*ret_size = size;
	return class;
}

void *ctl_pool_get(struct ctl_pool *pool, size_t count, size_t size)
{
	size_t len;
	size_t rounded;
	void *piece;
	int class;

	CHECK(!__builtin_mul_overflow(count, size, &len));
	if (len == 0)
		return NULL;
	class = class_of(len, &rounded);
	piece = pool->free[class];
	if (piece)
		memcpy(&pool->free[class], piece, sizeof(void *));
	else
		piece = arena_alloc(&pool->arena, rounded);
	return memset(piece, 0, len);
}

void ctl_pool_put(struct ctl_pool *pool, void *piece, size_t count, size_t size)
{
	size_t rounded;
	int class;

	if (!piece)
		return;
	class = class_of(count * size, &rounded);
	memcpy(piece, &pool->free[class], sizeof(void *));
	pool->free[class] = piece;
}

struct slice ctl_pool_copy(struct ctl_pool *pool, struct slice s)
{
	char *copy = ctl_pool_get(pool, s.len + 1, 1);

	if (s.len > 0)
		memcpy(copy, s.data, s.len);
	return slice_of(copy, s.len);
}
