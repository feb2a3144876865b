/* Packing, in one piece; see codec.h. Formats and default levels are those of Kafka's own writers. */
#include "common/bytes.h"
#include "common/check.h"
#include "proto/record/codec_context.h"

#include <lz4hc.h>
#include <snappy-c.h>

#define SNAPPY_HEADER "\x82SNAPPY\0\0\0\0\1\0\0\0\1"
#define SNAPPY_HEADER_BYTES 16
#define SNAPPY_LENGTH_BYTES 4
#define SNAPPY_BLOCK_BYTES 32768

static uint8_t *room_for(struct buf *to, size_t len)
{
	buf_reserve(to, to->len + len);
	return to->data + to->len;
}

static void gzip_pack(struct codec_context *codecs, int level, struct slice plain, struct buf *to)
{
	z_stream *z = &codecs->deflate;
	size_t cap;

	if (codecs->has_deflate && codecs->deflate_level != level) {
		deflateEnd(z);
		codecs->has_deflate = false;
	}
	if (!codecs->has_deflate) {
		*z = (z_stream){0};
		CHECK(deflateInit2(z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
		codecs->has_deflate = true;
		codecs->deflate_level = level;
	} else {
		CHECK(deflateReset(z) == Z_OK);
	}
	cap = deflateBound(z, plain.len);
	CHECK(plain.len <= UINT32_MAX && cap <= UINT32_MAX);
	z->next_in = (Bytef *)(uintptr_t)plain.data;
	z->avail_in = (uInt)plain.len;
	z->next_out = room_for(to, cap);
	z->avail_out = (uInt)cap;
	CHECK(deflate(z, Z_FINISH) == Z_STREAM_END);
	to->len += cap - z->avail_out;
}

static void snappy_pack(struct slice plain, struct buf *to)
{
	size_t n_blocks = plain.len / SNAPPY_BLOCK_BYTES + 1;
	size_t block_max = SNAPPY_LENGTH_BYTES + snappy_max_compressed_length(SNAPPY_BLOCK_BYTES);
	uint8_t *at = room_for(to, SNAPPY_HEADER_BYTES + n_blocks * block_max);

	memcpy(at, SNAPPY_HEADER, SNAPPY_HEADER_BYTES);
	at += SNAPPY_HEADER_BYTES;
	while (plain.len > 0) {
		size_t step = plain.len < SNAPPY_BLOCK_BYTES ? plain.len : SNAPPY_BLOCK_BYTES;
		size_t len = snappy_max_compressed_length(SNAPPY_BLOCK_BYTES);

		CHECK(snappy_compress((const char *)plain.data, step, (char *)at + SNAPPY_LENGTH_BYTES, &len) == SNAPPY_OK);
		bytes_put_u32(at, (uint32_t)len);
		at += SNAPPY_LENGTH_BYTES + len;
		plain.data += step;
		plain.len -= step;
	}
	to->len = (size_t)(at - to->data);
}

static void lz4_pack(int level, struct slice plain, struct buf *to)
{
	LZ4F_preferences_t preferences = LZ4F_INIT_PREFERENCES;
	size_t cap, len;

	preferences.frameInfo.blockSizeID = LZ4F_max64KB;
	preferences.frameInfo.blockMode = LZ4F_blockIndependent;
	/* Kafka's default of 9 stands for its fast compressor; the other levels for the thorough one, whose levels end at 12. */
	if (level != codec_level_default(CODEC_LZ4)) {
		preferences.compressionLevel = level < LZ4HC_CLEVEL_MIN ? LZ4HC_CLEVEL_MIN : level;
		if (preferences.compressionLevel > LZ4HC_CLEVEL_MAX)
			preferences.compressionLevel = LZ4HC_CLEVEL_MAX;
	}
	cap = LZ4F_compressFrameBound(plain.len, &preferences);
	len = LZ4F_compressFrame(room_for(to, cap), cap, plain.data, plain.len, &preferences);
	CHECK(!LZ4F_isError(len));
	to->len += len;
}

static void zstd_pack(struct codec_context *codecs, int level, struct slice plain, struct buf *to)
{
	size_t cap = ZSTD_compressBound(plain.len);
	size_t len;

	if (!codecs->zstd_out) {
		codecs->zstd_out = ZSTD_createCCtx();
		CHECK(codecs->zstd_out);
	}
	len = ZSTD_compressCCtx(codecs->zstd_out, room_for(to, cap), cap, plain.data, plain.len, level);
	CHECK(!ZSTD_isError(len));
	to->len += len;
}

void codec_compress(struct codec_context *codecs, enum codec codec, int32_t level, struct slice plain, struct buf *to)
{
	if (level == CODEC_LEVEL_DEFAULT)
		level = codec_level_default(codec);
	CHECK(codec_level_ok(codec, level));
	switch (codec) {
	case CODEC_NONE:
		if (plain.len > 0)
			memcpy(room_for(to, plain.len), plain.data, plain.len);
		to->len += plain.len;
		return;
	case CODEC_GZIP:
		gzip_pack(codecs, level, plain, to);
		return;
	case CODEC_SNAPPY:
		snappy_pack(plain, to);
		return;
	case CODEC_LZ4:
		lz4_pack(level, plain, to);
		return;
	case CODEC_ZSTD:
		zstd_pack(codecs, level, plain, to);
		return;
	}
}
