/* Names, levels, limits, and the life of a codec context; see codec.h. */
#include "proto/record/codec.h"

#include "common/check.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/memory.h"
#include "proto/record/codec_context.h"

#include <stdlib.h>

/* Scratch memory that a context keeps between streams. */
#define SCRATCH_KEPT_BYTES (256 << 10)

#define RATIO_MAX 100
#define RATIO_FREE_BYTES (1 << 20)
#define MESSAGES_MAX 10

static const struct codec_row {
	const char *name;
	int32_t level_min, level_max, level_default;
} rows[N_CODECS] = {
	[CODEC_NONE] = {"none", 0, 0, 0},
	[CODEC_GZIP] = {"gzip", 1, 9, -1},
	[CODEC_SNAPPY] = {"snappy", 0, 0, 0},
	[CODEC_LZ4] = {"lz4", 1, 17, 9},
	[CODEC_ZSTD] = {"zstd", -131072, 22, 3},
};

const char *codec_name(int codec)
{
	return codec >= 0 && codec < N_CODECS ? rows[codec].name : "unknown";
}

bool codec_from_name(struct slice name, enum codec *ret_codec)
{
	for (int i = 0; i < N_CODECS; i++)
		if (slice_is_text(name, rows[i].name)) {
			*ret_codec = (enum codec)i;
			return true;
		}
	if (!slice_is_text(name, "uncompressed"))
		return false;
	*ret_codec = CODEC_NONE;
	return true;
}

bool codec_level_ok(enum codec codec, int32_t level)
{
	const struct codec_row *row = &rows[codec];

	return level == row->level_default || (level >= row->level_min && level <= row->level_max);
}

int32_t codec_level_default(enum codec codec)
{
	return rows[codec].level_default;
}

struct codec_limits codec_limits_for_client(size_t message_bytes_max)
{
	size_t bytes_max = message_bytes_max > SIZE_MAX / MESSAGES_MAX ? SIZE_MAX : message_bytes_max * MESSAGES_MAX;

	if (bytes_max < LIMIT_DECOMPRESS_BYTES)
		bytes_max = LIMIT_DECOMPRESS_BYTES;
	return (struct codec_limits){bytes_max, RATIO_MAX, RATIO_FREE_BYTES};
}

struct codec_limits codec_limits_for_log(void)
{
	return (struct codec_limits){(size_t)1 << 31, 0, 0};
}

struct codec_context *codec_context_new(void)
{
	return NEW(struct codec_context);
}

static void scratch_trim(struct codec_scratch *scratch, size_t kept)
{
	if (scratch->cap > kept) {
		free(scratch->data);
		*scratch = (struct codec_scratch){0};
	}
}

static void libraries_fini(struct codec_context *codecs)
{
	if (codecs->has_inflate)
		inflateEnd(&codecs->inflate);
	if (codecs->has_deflate)
		deflateEnd(&codecs->deflate);
	LZ4F_freeDecompressionContext(codecs->lz4_in);
	ZSTD_freeDCtx(codecs->zstd_in);
	ZSTD_freeCCtx(codecs->zstd_out);
	codecs->has_inflate = codecs->has_deflate = false;
	codecs->lz4_in = NULL;
	codecs->zstd_in = NULL;
	codecs->zstd_out = NULL;
}

void codec_context_free(struct codec_context *codecs)
{
	if (!codecs)
		return;
	libraries_fini(codecs);
	scratch_trim(&codecs->block, 0);
	scratch_trim(&codecs->window, 0);
	free(codecs);
}

void codec_context_trim(struct codec_context *codecs)
{
	CHECK(!codecs->format);
	libraries_fini(codecs);
	scratch_trim(&codecs->block, 0);
	scratch_trim(&codecs->window, 0);
}

void codec_scratch_reserve(struct codec_scratch *scratch, size_t cap, bool keep)
{
	if (cap <= scratch->cap)
		return;
	if (keep) {
		scratch->data = memory_grow(scratch->data, cap);
	} else {
		free(scratch->data);
		scratch->data = memory_alloc(cap);
	}
	scratch->cap = cap;
}

/* The tighter of the two bounds, and what breaking it is called. */
static void limits_set(struct codec_context *codecs, const struct codec_limits *limits, size_t n_in)
{
	size_t by_ratio;

	codecs->n_out_max = limits->bytes_max;
	codecs->over_error = ERR_TOO_LARGE;
	if (limits->ratio_max == 0 || n_in > SIZE_MAX / limits->ratio_max)
		return;
	by_ratio = n_in * limits->ratio_max;
	if (by_ratio < limits->ratio_free_bytes)
		by_ratio = limits->ratio_free_bytes;
	if (by_ratio < codecs->n_out_max) {
		codecs->n_out_max = by_ratio;
		codecs->over_error = ERR_LIMIT;
	}
}

int codec_open(struct codec_context *codecs, int codec, struct slice packed, const struct codec_limits *limits)
{
	int rc;

	CHECK(!codecs->format);
	if (codec < 0 || codec >= N_CODECS)
		return ERR_UNSUPPORTED;
	/* Libraries count in 32 bits; a batch is never larger. */
	if (packed.len > INT32_MAX)
		return ERR_TOO_LARGE;
	codecs->in = packed.data;
	codecs->in_end = packed.data + packed.len;
	codecs->n_out = 0;
	codecs->done = false;
	codecs->block.pos = codecs->block.len = 0;
	limits_set(codecs, limits, packed.len);
	codecs->format = &codec_formats[codec];
	rc = codecs->format->open(codecs);
	if (rc != 0)
		codec_close(codecs);
	return rc;
}

int codec_read(struct codec_context *codecs, void *to, size_t cap, size_t *ret_len)
{
	size_t room = codecs->n_out_max - codecs->n_out;
	size_t len = 0;
	int rc = 0;

	CHECK(codecs->format && cap > 0);
	/* One byte more than allowed is asked for, to tell an end from an excess. */
	if (cap > room)
		cap = room + 1;
	while (rc == 0 && len == 0 && !codecs->done)
		rc = codecs->format->read(codecs, to, cap, &len);
	if (rc != 0)
		return rc;
	if (len > room)
		return codecs->over_error;
	codecs->n_out += len;
	*ret_len = len;
	return 0;
}

void codec_close(struct codec_context *codecs)
{
	codecs->format = NULL;
	scratch_trim(&codecs->block, SCRATCH_KEPT_BYTES);
}

int codec_decompress(struct codec_context *codecs, int codec, struct slice packed, const struct codec_limits *limits, struct buf *to)
{
	size_t len;
	int rc = codec_open(codecs, codec, packed, limits);

	if (rc != 0)
		return rc;
	do {
		if (to->cap - to->len < 4096)
			buf_reserve(to, to->cap * 2 + packed.len + 4096);
		rc = codec_read(codecs, to->data + to->len, to->cap - to->len, &len);
		if (rc == 0)
			to->len += len;
	} while (rc == 0 && len > 0);
	codec_close(codecs);
	return rc;
}
