/* Leader epochs and their file; see epoch_cache.h. */
#include "broker/log/epoch_cache.h"

#include "broker/log/text_file.h"
#include "common/error.h"
#include "common/memory.h"

#include <inttypes.h>
#include <stdlib.h>

#define FILE_BYTES_MAX (16u << 20)

void epoch_cache_fini(struct epoch_cache *cache)
{
	free(cache->entries.at);
	*cache = (struct epoch_cache){0};
}

static void make_room(struct epoch_cache *cache)
{
	if (cache->entries.n < cache->cap)
		return;
	cache->cap = cache->cap ? cache->cap * 2 : 1;
	cache->entries.at = memory_grow(cache->entries.at, (size_t)cache->cap * sizeof *cache->entries.at);
}

static int parse_line(void *ctx, struct slice line)
{
	struct epoch_cache *cache = ctx;
	struct slice word;
	int64_t epoch, start;

	if (!text_take_word(&line, &word) || !text_number(word, 0, INT32_MAX, &epoch))
		return ERR_CORRUPT;
	if (!text_take_word(&line, &word) || !text_number(word, 0, INT64_MAX, &start) || line.len > 0)
		return ERR_CORRUPT;
	make_room(cache);
	cache->entries.at[cache->entries.n++] = (struct epoch_entry){(int32_t)epoch, start};
	return 0;
}

int epoch_cache_parse(struct epoch_cache *cache, struct slice text)
{
	int rc;

	cache->entries.n = 0;
	rc = text_file_parse(text, 0, parse_line, cache);
	if (rc == 0 && !epoch_core_valid(&cache->entries))
		rc = ERR_CORRUPT;
	if (rc < 0)
		cache->entries.n = 0;
	cache->changed = false;
	return rc;
}

int epoch_cache_read(struct epoch_cache *cache, struct fs *fs, const char *path)
{
	char *text;
	size_t len;
	int rc = fs_read_file(fs, path, FILE_BYTES_MAX, &text, &len);

	if (rc < 0)
		return rc == ERR_TOO_LARGE ? ERR_CORRUPT : rc;
	rc = epoch_cache_parse(cache, slice_of(text, len));
	free(text);
	return rc;
}

int epoch_cache_write(struct epoch_cache *cache, struct fs *fs, const char *path)
{
	struct text_out out = {0};
	int rc;

	if (!cache->changed)
		return 0;
	text_add(&out, "0\n%" PRId32 "\n", cache->entries.n);
	for (int32_t i = 0; i < cache->entries.n; i++)
		text_add(&out, "%" PRId32 " %" PRId64 "\n", cache->entries.at[i].epoch, cache->entries.at[i].start_offset);
	rc = fs_replace_file(fs, path, out.at, out.len, FS_SYNC_NOT);
	text_fini(&out);
	if (rc == 0)
		cache->changed = false;
	return rc;
}

void epoch_cache_assign(struct epoch_cache *cache, int32_t epoch, int64_t start_offset)
{
	make_room(cache);
	if (epoch_core_assign(&cache->entries, epoch, start_offset))
		cache->changed = true;
}

void epoch_cache_truncate_end(struct epoch_cache *cache, int64_t end_offset)
{
	if (epoch_core_truncate_end(&cache->entries, end_offset))
		cache->changed = true;
}

void epoch_cache_truncate_start(struct epoch_cache *cache, int64_t start_offset)
{
	if (epoch_core_truncate_start(&cache->entries, start_offset))
		cache->changed = true;
}
