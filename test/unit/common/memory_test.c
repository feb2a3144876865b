/* arena and buf. */
#include "test/lib/unit.h"

#include "common/arena.h"
#include "common/buf.h"

START_TEST(arena_gives_aligned_memory_that_does_not_overlap)
{
	struct arena arena;
	char first[256];
	char *last = NULL;

	arena_init_with(&arena, first, sizeof first);
	for (size_t len = 1; len < 5000; len += 37) {
		char *at = arena_alloc(&arena, len);

		ck_assert_uint_eq((uintptr_t)at % _Alignof(max_align_t), 0);
		ck_assert_ptr_ne(at, last);
		memset(at, (int)len, len);
		last = at;
	}
	ck_assert_str_eq(arena_printf(&arena, "%s-%d", "topic", 7), "topic-7");
	arena_fini(&arena);
	ck_assert_ptr_null(arena.blocks);
}
END_TEST

START_TEST(arena_copy_keeps_null_apart_from_empty)
{
	struct arena arena;

	arena_init(&arena);
	ck_assert(slice_is_null(arena_copy(&arena, SLICE_NULL)));
	ck_assert(!slice_is_null(arena_copy(&arena, SLICE_LITERAL(""))));
	ck_assert(slice_is_text(arena_copy(&arena, SLICE_LITERAL("abc")), "abc"));
	arena_fini(&arena);
}
END_TEST

static int freed;

static void count_free(struct buf *buf)
{
	freed += *(int *)buf->owner;
}

START_TEST(buf_is_freed_with_its_last_reference)
{
	int weight = 3;
	struct buf *buf = buf_new(4);

	buf->on_free = count_free;
	buf->owner = &weight;
	buf_reserve(buf, 1000);
	ck_assert_uint_ge(buf->cap, 1000);
	buf_retain(buf);
	buf_release(buf);
	ck_assert_int_eq(freed, 0);
	buf_release(buf);
	ck_assert_int_eq(freed, 3);
	buf_release(NULL);
}
END_TEST

UNIT_MAIN("common/memory", arena_gives_aligned_memory_that_does_not_overlap, arena_copy_keeps_null_apart_from_empty,
	  buf_is_freed_with_its_last_reference)
