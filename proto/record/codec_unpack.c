/*
 * How each codec unpacks a stream piece by piece; see codec.h.
 *
 * Every reader takes from codecs->in, writes at most cap bytes and says done when the stream ended as its format has it. Bounds on
 * the output are kept by codec_read, but where a library wants room for a claimed length, the claim is checked here first.
 */
#include "common/bytes.h"
#include "common/check.h"
#include "common/error.h"
#include "proto/record/codec_context.h"

#include <snappy-c.h>
#include <zstd_errors.h>

/* ---- none ---- */

static int none_open(struct codec_context *codecs)
{
	(void)codecs;
	return 0;
}

static int none_read(struct codec_context *codecs, uint8_t *to, size_t cap, size_t *ret_len)
{
	size_t len = codec_in_left(codecs);

	if (len > cap)
		len = cap;
	if (len > 0)
		memcpy(to, codecs->in, len);
	codecs->in += len;
	codecs->done = codecs->in == codecs->in_end;
	*ret_len = len;
	return 0;
}

/* ---- gzip: one member or several ---- */

#define GZIP_WINDOW_BITS (15 + 16) /* 16: a gzip header, nothing else */
#define GZIP_MEMBER_BYTES_MIN 18

static int gzip_open(struct codec_context *codecs)
{
	z_stream *z = &codecs->inflate;

	if (!codecs->has_inflate) {
		*z = (z_stream){0};
		CHECK(inflateInit2(z, GZIP_WINDOW_BITS) == Z_OK);
		codecs->has_inflate = true;
	} else {
		CHECK(inflateReset(z) == Z_OK);
	}
	z->next_in = (Bytef *)(uintptr_t)codecs->in;
	z->avail_in = (uInt)codec_in_left(codecs);
	return 0;
}

/* Whether another member follows; what is not one is surplus that Java's reader drops, and so do we. */
static bool gzip_has_member(const z_stream *z)
{
	return z->avail_in > GZIP_MEMBER_BYTES_MIN && z->next_in[0] == 0x1f && z->next_in[1] == 0x8b && z->next_in[2] == Z_DEFLATED;
}

static int gzip_read(struct codec_context *codecs, uint8_t *to, size_t cap, size_t *ret_len)
{
	z_stream *z = &codecs->inflate;
	uInt room = cap > INT32_MAX ? INT32_MAX : (uInt)cap;
	int rc;

	z->next_out = to;
	z->avail_out = room;
	rc = inflate(z, Z_NO_FLUSH);
	*ret_len = room - z->avail_out;
	if (rc == Z_STREAM_END) {
		if (gzip_has_member(z))
			CHECK(inflateReset(z) == Z_OK);
		else
			codecs->done = true;
		return 0;
	}
	if (rc == Z_BUF_ERROR || (rc == Z_OK && *ret_len == 0 && z->avail_in == 0))
		return ERR_TRUNCATED;
	return rc == Z_OK ? 0 : ERR_CORRUPT;
}

/* ---- what waits in the block scratch ---- */

static size_t block_take(struct codec_context *codecs, uint8_t *to, size_t cap)
{
	struct codec_scratch *block = &codecs->block;
	size_t len = block->len - block->pos;

	if (len > cap)
		len = cap;
	if (len > 0)
		memcpy(to, block->data + block->pos, len);
	block->pos += len;
	return len;
}

static size_t room_left(const struct codec_context *codecs)
{
	return codecs->n_out_max - codecs->n_out;
}

/* ---- snappy: Java's framing or one raw block ---- */

#define SNAPPY_MAGIC "\x82SNAPPY"
#define SNAPPY_MAGIC_BYTES 8
#define SNAPPY_HEADER_BYTES 16
#define SNAPPY_LENGTH_BYTES 4

/* A copy of 3 bytes yields at most 64: a block that claims more than this is a lie. */
#define SNAPPY_RATIO_MAX 22

static bool snappy_has_header(const struct codec_context *codecs)
{
	return codec_in_left(codecs) >= SNAPPY_HEADER_BYTES && memcmp(codecs->in, SNAPPY_MAGIC, SNAPPY_MAGIC_BYTES) == 0;
}

static int snappy_open(struct codec_context *codecs)
{
	codecs->framed = snappy_has_header(codecs);
	if (codecs->framed)
		codecs->in += SNAPPY_HEADER_BYTES;
	/* A header without blocks is an empty stream. */
	codecs->done = codecs->framed && codecs->in == codecs->in_end;
	return 0;
}

/* Finds the next block: 0 and its bytes, which are taken off the input. */
static int snappy_next_block(struct codec_context *codecs, struct slice *ret_block)
{
	int32_t len;

	if (!codecs->framed) {
		*ret_block = slice_of(codecs->in, codec_in_left(codecs));
		codecs->in = codecs->in_end;
		return 0;
	}
	/* Java's writer may be asked to append, so that a second header stands in the middle. */
	while (snappy_has_header(codecs))
		codecs->in += SNAPPY_HEADER_BYTES;
	if (codec_in_left(codecs) < SNAPPY_LENGTH_BYTES)
		return ERR_TRUNCATED;
	len = bytes_get_i32(codecs->in);
	if (len <= 0)
		return ERR_CORRUPT;
	if ((size_t)len > codec_in_left(codecs) - SNAPPY_LENGTH_BYTES)
		return ERR_TRUNCATED;
	*ret_block = slice_of(codecs->in + SNAPPY_LENGTH_BYTES, (size_t)len);
	codecs->in += SNAPPY_LENGTH_BYTES + len;
	return 0;
}

static int snappy_unpack(struct codec_context *codecs, struct slice packed, uint8_t *to, size_t cap, size_t *ret_len)
{
	const char *from = (const char *)packed.data;
	size_t claimed, len;
	bool direct;

	if (snappy_uncompressed_length(from, packed.len, &claimed) != SNAPPY_OK || claimed / SNAPPY_RATIO_MAX > packed.len)
		return ERR_CORRUPT;
	if (claimed > room_left(codecs))
		return codecs->over_error;
	direct = claimed <= cap;
	if (!direct)
		codec_scratch_reserve(&codecs->block, claimed, false);
	len = claimed;
	if (snappy_uncompress(from, packed.len, direct ? (char *)to : (char *)codecs->block.data, &len) != SNAPPY_OK)
		return ERR_CORRUPT;
	if (direct) {
		*ret_len = len;
		return 0;
	}
	codecs->block.pos = 0;
	codecs->block.len = len;
	*ret_len = block_take(codecs, to, cap);
	return 0;
}

static int snappy_read(struct codec_context *codecs, uint8_t *to, size_t cap, size_t *ret_len)
{
	struct slice block;
	int rc = 0;

	*ret_len = block_take(codecs, to, cap);
	if (*ret_len == 0) {
		rc = snappy_next_block(codecs, &block);
		if (rc == 0)
			rc = snappy_unpack(codecs, block, to, cap, ret_len);
	}
	codecs->done = rc == 0 && codecs->in == codecs->in_end && codecs->block.pos == codecs->block.len;
	return rc;
}

/* ---- lz4: one frame ---- */

#define LZ4_MAGIC 0x184d2204u
#define LZ4_HEAD_BYTES 7
#define LZ4_VERSION_MASK 0xc0
#define LZ4_VERSION 0x40
#define LZ4_INDEPENDENT 0x20
#define LZ4_RESERVED_MASK 0x03 /* reserved bit, and a dictionary, which nobody has */

static int lz4_open(struct codec_context *codecs)
{
	uint32_t magic;

	if (codec_in_left(codecs) < LZ4_HEAD_BYTES)
		return ERR_TRUNCATED;
	memcpy(&magic, codecs->in, sizeof magic);
	/* Java's reader takes no blocks that depend on each other, so a log may not hold them. */
	if (le32toh(magic) != LZ4_MAGIC || (codecs->in[4] & LZ4_VERSION_MASK) != LZ4_VERSION || !(codecs->in[4] & LZ4_INDEPENDENT) ||
	    (codecs->in[4] & LZ4_RESERVED_MASK))
		return ERR_CORRUPT;
	if (!codecs->lz4_in)
		CHECK(!LZ4F_isError(LZ4F_createDecompressionContext(&codecs->lz4_in, LZ4F_VERSION)));
	else
		LZ4F_resetDecompressionContext(codecs->lz4_in);
	return 0;
}

static int lz4_read(struct codec_context *codecs, uint8_t *to, size_t cap, size_t *ret_len)
{
	size_t n_in = codec_in_left(codecs);
	size_t n_out = cap;
	size_t hint = LZ4F_decompress(codecs->lz4_in, to, &n_out, codecs->in, &n_in, NULL);

	if (LZ4F_isError(hint))
		return ERR_CORRUPT;
	codecs->in += n_in;
	*ret_len = n_out;
	codecs->done = hint == 0;
	if (hint != 0 && n_in == 0 && n_out == 0)
		return ERR_TRUNCATED;
	return 0;
}

/* ---- zstd: frames ---- */

#define ZSTD_WINDOW_LOG_MAX 23 /* 8 MiB */
#define ZSTD_FRAME_MAGIC 0xfd2fb528u
#define ZSTD_SKIP_MAGIC 0x184d2a50u
#define ZSTD_SKIP_MAGIC_MASK 0xfffffff0u
#define ZSTD_FIRST_GUESS_BYTES (1 << 20)

static int zstd_open(struct codec_context *codecs)
{
	if (!codecs->zstd_in) {
		codecs->zstd_in = ZSTD_createDCtx();
		CHECK(codecs->zstd_in);
		CHECK(!ZSTD_isError(ZSTD_DCtx_setParameter(codecs->zstd_in, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX)));
	}
	ZSTD_DCtx_reset(codecs->zstd_in, ZSTD_reset_session_only);
	codecs->at_frame = true;
	/* No frame at all is an empty stream. */
	codecs->done = codec_in_left(codecs) == 0;
	return 0;
}

/* Only frames of today's format: the library may also read the formats of its youth, which no Kafka client ever wrote. */
static int zstd_check_magic(const struct codec_context *codecs)
{
	uint32_t magic;

	if (codec_in_left(codecs) < sizeof magic)
		return ERR_TRUNCATED;
	memcpy(&magic, codecs->in, sizeof magic);
	magic = le32toh(magic);
	return magic == ZSTD_FRAME_MAGIC || (magic & ZSTD_SKIP_MAGIC_MASK) == ZSTD_SKIP_MAGIC ? 0 : ERR_CORRUPT;
}

/* The bytes to try first for a whole frame, at most one more than allowed. */
static int zstd_first_guess(const struct codec_context *codecs, size_t *ret_cap)
{
	unsigned long long claimed = ZSTD_getFrameContentSize(codecs->in, codec_in_left(codecs));

	if (claimed == ZSTD_CONTENTSIZE_ERROR)
		return ERR_CORRUPT;
	*ret_cap = ZSTD_FIRST_GUESS_BYTES;
	if (claimed == ZSTD_CONTENTSIZE_UNKNOWN)
		return 0;
	if (claimed > room_left(codecs))
		return codecs->over_error;
	*ret_cap = claimed > 0 ? (size_t)claimed : 1;
	return 0;
}

/*
 * A frame whose window is larger than we grant to a stream (levels 20 and above) is unpacked in one piece, which needs no window:
 * its memory is that of the output, within the limits.
 */
static int zstd_unpack_frame(struct codec_context *codecs)
{
	size_t n_in = ZSTD_findFrameCompressedSize(codecs->in, codec_in_left(codecs));
	struct codec_scratch *block = &codecs->block;
	size_t cap, n_out;
	int rc;

	if (ZSTD_isError(n_in))
		return ZSTD_getErrorCode(n_in) == ZSTD_error_srcSize_wrong ? ERR_TRUNCATED : ERR_CORRUPT;
	rc = zstd_first_guess(codecs, &cap);
	if (rc != 0)
		return rc;
	for (;; cap *= 2) {
		if (cap > room_left(codecs))
			cap = room_left(codecs) + 1;
		codec_scratch_reserve(block, cap, false);
		n_out = ZSTD_decompressDCtx(codecs->zstd_in, block->data, cap, codecs->in, n_in);
		if (!ZSTD_isError(n_out))
			break;
		if (ZSTD_getErrorCode(n_out) != ZSTD_error_dstSize_tooSmall)
			return ERR_CORRUPT;
		if (cap > room_left(codecs))
			return codecs->over_error;
	}
	block->pos = 0;
	block->len = n_out;
	codecs->in += n_in;
	ZSTD_DCtx_reset(codecs->zstd_in, ZSTD_reset_session_only);
	return 0;
}

/* One step of the stream; a frame with a large window goes to the block scratch instead. */
static int zstd_step(struct codec_context *codecs, uint8_t *to, size_t cap, size_t *ret_len)
{
	ZSTD_inBuffer in = {codecs->in, codec_in_left(codecs), 0};
	ZSTD_outBuffer out = {to, cap, 0};
	size_t hint = ZSTD_decompressStream(codecs->zstd_in, &out, &in);

	if (ZSTD_isError(hint)) {
		if (!codecs->at_frame || ZSTD_getErrorCode(hint) != ZSTD_error_frameParameter_windowTooLarge)
			return ERR_CORRUPT;
		ZSTD_DCtx_reset(codecs->zstd_in, ZSTD_reset_session_only);
		return zstd_unpack_frame(codecs);
	}
	codecs->in += in.pos;
	*ret_len = out.pos;
	codecs->at_frame = hint == 0;
	if (hint != 0 && in.pos == 0 && out.pos == 0)
		return ERR_TRUNCATED;
	return 0;
}

static int zstd_read(struct codec_context *codecs, uint8_t *to, size_t cap, size_t *ret_len)
{
	int rc;

	*ret_len = block_take(codecs, to, cap);
	if (*ret_len == 0) {
		rc = codecs->at_frame ? zstd_check_magic(codecs) : 0;
		if (rc == 0)
			rc = zstd_step(codecs, to, cap, ret_len);
		if (rc != 0)
			return rc;
	}
	codecs->done = codecs->at_frame && codecs->in == codecs->in_end && codecs->block.pos == codecs->block.len;
	return 0;
}

const struct codec_format codec_formats[N_CODECS] = {
	[CODEC_NONE] = {none_open, none_read},
	[CODEC_GZIP] = {gzip_open, gzip_read},
	[CODEC_SNAPPY] = {snappy_open, snappy_read},
	[CODEC_LZ4] = {lz4_open, lz4_read},
	[CODEC_ZSTD] = {zstd_open, zstd_read},
};
