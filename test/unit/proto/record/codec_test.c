/* codec: names, levels, round trips in pieces, other writers' forms, damage, and bombs. */
#include "test/lib/unit.h"

#include "common/bytes.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/memory.h"
#include "proto/record/codec.h"
#include "test/lib/batch_random.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zstd.h>

static const struct codec_limits wide = {(size_t)1 << 31, 0, 0};

/* Text with noise in it, so that all codecs have something to do. */
static struct buf *sample(size_t len)
{
	struct batch_random random = {.state = len};
	struct buf *buf = buf_new(len + 1);

	for (; buf->len < len; buf->len++)
		buf->data[buf->len] = buf->len % 64 < 48 ? (uint8_t)('a' + buf->len % 13) : (uint8_t)batch_random_next(&random);
	return buf;
}

static struct buf *zeros(size_t len)
{
	struct buf *buf = buf_new(len);

	memset(buf->data, 0, len);
	buf->len = len;
	return buf;
}

/* Unpacks in steps of `step` bytes; the error, or 0 when it gives exactly plain. */
static int unpack(struct codec_context *codecs, int codec, struct slice packed, struct slice plain, size_t step)
{
	uint8_t *piece = memory_alloc(step);
	size_t at = 0, len = 0;
	int rc = codec_open(codecs, codec, packed, &wide);

	do {
		if (rc == 0)
			rc = codec_read(codecs, piece, step, &len);
		if (rc != 0)
			break;
		ck_assert_uint_le(at + len, plain.len);
		ck_assert(len == 0 || memcmp(plain.data + at, piece, len) == 0);
		at += len;
	} while (len > 0);
	codec_close(codecs);
	free(piece);
	if (rc == 0)
		ck_assert_uint_eq(at, plain.len);
	return rc;
}

/* What unpacking in one piece comes to within the limits. */
static int outcome(struct codec_context *codecs, int codec, struct slice packed, struct codec_limits limits, size_t *ret_len)
{
	struct buf *to = buf_new(1);
	int rc = codec_decompress(codecs, codec, packed, &limits, to);

	*ret_len = to->len;
	buf_release(to);
	return rc;
}

START_TEST(names_and_levels_are_kafkas)
{
	enum codec codec;

	ck_assert(codec_from_name(SLICE_LITERAL("uncompressed"), &codec));
	ck_assert_int_eq(codec, CODEC_NONE);
	ck_assert(codec_from_name(SLICE_LITERAL("zstd"), &codec));
	ck_assert_int_eq(codec, CODEC_ZSTD);
	ck_assert(!codec_from_name(SLICE_LITERAL("producer"), &codec));
	ck_assert(!codec_from_name(SLICE_NULL, &codec));
	ck_assert_str_eq(codec_name(CODEC_LZ4), "lz4");
	ck_assert_str_eq(codec_name(7), "unknown");
	ck_assert_str_eq(codec_name(-1), "unknown");
	ck_assert(codec_level_ok(CODEC_GZIP, -1) && codec_level_ok(CODEC_GZIP, 9) && !codec_level_ok(CODEC_GZIP, 0));
	ck_assert(codec_level_ok(CODEC_LZ4, 17) && !codec_level_ok(CODEC_LZ4, 0) && !codec_level_ok(CODEC_LZ4, 18));
	ck_assert(codec_level_ok(CODEC_ZSTD, -131072) && codec_level_ok(CODEC_ZSTD, 22) && !codec_level_ok(CODEC_ZSTD, 23));
	ck_assert_int_eq(codec_level_default(CODEC_LZ4), 9);
}
END_TEST

START_TEST(what_is_packed_unpacks_in_pieces_of_any_size)
{
	static const size_t lens[] = {0, 1, 100, 32768, 32769, 200000};
	static const size_t steps[] = {1, 7, 4096, 300000};
	struct codec_context *codecs = codec_context_new();

	for (int codec = 0; codec < N_CODECS; codec++)
		for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
			struct buf *plain = sample(lens[i]);
			struct buf *packed = buf_new(1);

			codec_compress(codecs, (enum codec)codec, CODEC_LEVEL_DEFAULT, buf_slice(plain), packed);
			for (size_t j = lens[i] > 1000 ? 1 : 0; j < ARRAY_LEN(steps); j++)
				ck_assert_int_eq(unpack(codecs, codec, buf_slice(packed), buf_slice(plain), steps[j]), 0);
			buf_release(packed);
			buf_release(plain);
		}
	codec_context_free(codecs);
}
END_TEST

START_TEST(every_level_packs_and_the_output_is_appended)
{
	static const struct {
		enum codec codec;
		int32_t level;
	} rows[] = {{CODEC_GZIP, -1}, {CODEC_GZIP, 1}, {CODEC_GZIP, 9}, {CODEC_LZ4, 1},  {CODEC_LZ4, 9},
		    {CODEC_LZ4, 17},  {CODEC_ZSTD, -5}, {CODEC_ZSTD, 1}, {CODEC_ZSTD, 19}, {CODEC_ZSTD, 22}};
	struct codec_context *codecs = codec_context_new();
	struct buf *plain = sample(70000);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf *packed = buf_new(3);

		memcpy(packed->data, "abc", 3);
		packed->len = 3;
		codec_compress(codecs, rows[i].codec, rows[i].level, buf_slice(plain), packed);
		ck_assert_mem_eq(packed->data, "abc", 3);
		ck_assert_int_eq(unpack(codecs, rows[i].codec, slice_of(packed->data + 3, packed->len - 3), buf_slice(plain), 9000), 0);
		buf_release(packed);
		codec_context_trim(codecs);
	}
	buf_release(plain);
	codec_context_free(codecs);
}
END_TEST

START_TEST(snappy_is_read_raw_and_with_a_second_header)
{
	struct codec_context *codecs = codec_context_new();
	struct buf *plain = sample(100000), *half = sample(100000), *packed = buf_new(300000);
	size_t len = packed->cap;

	ck_assert_int_eq(snappy_compress((const char *)plain->data, plain->len, (char *)packed->data, &len), SNAPPY_OK);
	packed->len = len;
	ck_assert_int_eq(unpack(codecs, CODEC_SNAPPY, buf_slice(packed), buf_slice(plain), 5000), 0);
	ck_assert_int_eq(unpack(codecs, CODEC_SNAPPY, buf_slice(packed), buf_slice(plain), 500000), 0);

	packed->len = 0;
	codec_compress(codecs, CODEC_SNAPPY, CODEC_LEVEL_DEFAULT, slice_of(half->data, 50000), packed);
	codec_compress(codecs, CODEC_SNAPPY, CODEC_LEVEL_DEFAULT, slice_of(half->data + 50000, 50000), packed);
	ck_assert_int_eq(unpack(codecs, CODEC_SNAPPY, buf_slice(packed), buf_slice(half), 5000), 0);
	buf_release(packed);
	buf_release(half);
	buf_release(plain);
	codec_context_free(codecs);
}
END_TEST

START_TEST(lying_snappy_lengths_allocate_nothing)
{
	/* A block that says it unpacks to 4 GiB; the same behind Java's header; a block of more bytes than there are; of none. */
	static const uint8_t claim[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x61};
	uint8_t framed[64] = "\x82SNAPPY\0\0\0\0\1\0\0\0\1";
	struct codec_context *codecs = codec_context_new();
	size_t len;

	ck_assert_int_eq(outcome(codecs, CODEC_SNAPPY, slice_of(claim, sizeof claim), wide, &len), ERR_CORRUPT);
	bytes_put_i32(framed + 16, sizeof claim);
	memcpy(framed + 20, claim, sizeof claim);
	ck_assert_int_eq(outcome(codecs, CODEC_SNAPPY, slice_of(framed, 20 + sizeof claim), wide, &len), ERR_CORRUPT);
	bytes_put_i32(framed + 16, 1000);
	ck_assert_int_eq(outcome(codecs, CODEC_SNAPPY, slice_of(framed, 20 + sizeof claim), wide, &len), ERR_TRUNCATED);
	bytes_put_i32(framed + 16, -1);
	ck_assert_int_eq(outcome(codecs, CODEC_SNAPPY, slice_of(framed, 20 + sizeof claim), wide, &len), ERR_CORRUPT);
	bytes_put_i32(framed + 16, 0);
	ck_assert_int_eq(outcome(codecs, CODEC_SNAPPY, slice_of(framed, 20), wide, &len), ERR_CORRUPT);
	ck_assert_int_eq(outcome(codecs, CODEC_SNAPPY, SLICE_LITERAL(""), wide, &len), ERR_CORRUPT);
	codec_context_free(codecs);
}
END_TEST

START_TEST(lz4_blocks_that_depend_on_each_other_are_refused_as_java_refuses_them)
{
	LZ4F_preferences_t preferences = LZ4F_INIT_PREFERENCES;
	struct codec_context *codecs = codec_context_new();
	struct buf *plain = sample(200000);
	uint8_t *packed = memory_alloc(400000);
	size_t len, n;

	preferences.frameInfo.blockMode = LZ4F_blockLinked;
	len = LZ4F_compressFrame(packed, 400000, plain->data, plain->len, &preferences);
	ck_assert_int_eq(outcome(codecs, CODEC_LZ4, slice_of(packed, len), wide, &n), ERR_CORRUPT);
	preferences.frameInfo.blockMode = LZ4F_blockIndependent;
	preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
	preferences.frameInfo.blockSizeID = LZ4F_max4MB;
	len = LZ4F_compressFrame(packed, 400000, plain->data, plain->len, &preferences);
	ck_assert_int_eq(outcome(codecs, CODEC_LZ4, slice_of(packed, len), wide, &n), 0);
	ck_assert_uint_eq(n, plain->len);
	/* The legacy frame of the command line tool. */
	memcpy(packed, "\x02\x21\x4c\x18", 4);
	ck_assert_int_eq(outcome(codecs, CODEC_LZ4, slice_of(packed, len), wide, &n), ERR_CORRUPT);
	free(packed);
	buf_release(plain);
	codec_context_free(codecs);
}
END_TEST

/* A stream that says its window is 2^log, as a writer that does not know the length ahead. */
static size_t pack_zstd(struct slice plain, int window_log, uint8_t *to, size_t cap)
{
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	ZSTD_inBuffer in = {plain.data, plain.len, 0};
	ZSTD_outBuffer out = {to, cap, 0};

	ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, window_log);
	ck_assert(!ZSTD_isError(ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_flush)));
	ck_assert_uint_eq(ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_end), 0);
	ZSTD_freeCCtx(zstd);
	return out.pos;
}

START_TEST(zstd_frames_with_a_huge_window_cost_the_memory_of_their_output_only)
{
	struct codec_context *codecs = codec_context_new();
	struct codec_limits tight = {1000000, 0, 0};
	struct buf *plain = sample(3000000);
	uint8_t *packed = memory_alloc(4000000);
	size_t n, len = pack_zstd(buf_slice(plain), 27, packed, 4000000);

	ck_assert_int_eq(unpack(codecs, CODEC_ZSTD, slice_of(packed, len), buf_slice(plain), 10000), 0);
	ck_assert_int_eq(outcome(codecs, CODEC_ZSTD, slice_of(packed, len), tight, &n), ERR_TOO_LARGE);
	ck_assert_int_eq(outcome(codecs, CODEC_ZSTD, slice_of(packed, len - 1), wide, &n), ERR_TRUNCATED);
	len = pack_zstd(buf_slice(plain), 23, packed, 4000000);
	ck_assert_int_eq(unpack(codecs, CODEC_ZSTD, slice_of(packed, len), buf_slice(plain), 10000), 0);
	free(packed);
	buf_release(plain);
	codec_context_free(codecs);
}
END_TEST

START_TEST(zstd_of_its_youth_and_of_lies_is_refused)
{
	/* v0.7's magic; a frame that says it holds 2^60 bytes. */
	static const uint8_t old[] = {0x27, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0};
	static const uint8_t lie[] = {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x10, 1, 0, 0};
	struct codec_context *codecs = codec_context_new();
	size_t n;

	ck_assert_int_eq(outcome(codecs, CODEC_ZSTD, slice_of(old, sizeof old), wide, &n), ERR_CORRUPT);
	ck_assert_int_lt(outcome(codecs, CODEC_ZSTD, slice_of(lie, sizeof lie), wide, &n), 0);
	ck_assert_int_eq(outcome(codecs, CODEC_ZSTD, SLICE_LITERAL(""), wide, &n), 0);
	ck_assert_uint_eq(n, 0);
	codec_context_free(codecs);
}
END_TEST

START_TEST(bombs_of_each_codec_end_at_their_limits)
{
	struct codec_limits client = codec_limits_for_client(1 << 20);
	struct codec_limits bytes = {1 << 20, 0, 0};
	struct codec_context *codecs = codec_context_new();
	struct buf *plain = zeros(8 << 20);
	size_t n;

	ck_assert_uint_eq(client.bytes_max, LIMIT_DECOMPRESS_BYTES);
	ck_assert_uint_eq(codec_limits_for_client(100 << 20).bytes_max, 1000 << 20);
	for (int codec = CODEC_GZIP; codec < N_CODECS; codec++) {
		struct buf *packed = buf_new(1);

		codec_compress(codecs, (enum codec)codec, CODEC_LEVEL_DEFAULT, buf_slice(plain), packed);
		/* Snappy cannot make a hundred of one. */
		if (codec == CODEC_SNAPPY) {
			ck_assert_int_eq(outcome(codecs, codec, buf_slice(packed), client, &n), 0);
		} else {
			ck_assert_int_eq(outcome(codecs, codec, buf_slice(packed), client, &n), ERR_LIMIT);
			ck_assert_uint_le(n, packed->len * 100 > 1 << 20 ? packed->len * 100 : 1 << 20);
		}
		ck_assert_int_eq(outcome(codecs, codec, buf_slice(packed), bytes, &n), ERR_TOO_LARGE);
		ck_assert_uint_le(n, 1 << 20);
		bytes.bytes_max = plain->len;
		ck_assert_int_eq(outcome(codecs, codec, buf_slice(packed), bytes, &n), 0);
		ck_assert_uint_eq(n, plain->len);
		bytes.bytes_max = 1 << 20;
		buf_release(packed);
	}
	buf_release(plain);
	codec_context_free(codecs);
}
END_TEST

START_TEST(a_stream_cut_at_any_byte_is_an_error)
{
	struct codec_context *codecs = codec_context_new();
	struct buf *plain = sample(300);

	for (int codec = CODEC_GZIP; codec < N_CODECS; codec++) {
		struct buf *packed = buf_new(1);
		size_t n;

		codec_compress(codecs, (enum codec)codec, CODEC_LEVEL_DEFAULT, buf_slice(plain), packed);
		/* Nothing at all is an empty stream for zstd, as is a header alone for snappy. */
		for (size_t len = codec == CODEC_ZSTD ? 1 : 0; len < packed->len; len++)
			if (codec != CODEC_SNAPPY || len != 16)
				ck_assert_int_lt(outcome(codecs, codec, slice_of(packed->data, len), wide, &n), 0);
		buf_release(packed);
	}
	buf_release(plain);
	codec_context_free(codecs);
}
END_TEST

START_TEST(damage_at_every_bit_is_survived)
{
	struct codec_context *codecs = codec_context_new();
	struct buf *plain = sample(200);

	for (int codec = CODEC_GZIP; codec < N_CODECS; codec++) {
		struct buf *packed = buf_new(1);

		codec_compress(codecs, (enum codec)codec, CODEC_LEVEL_DEFAULT, buf_slice(plain), packed);
		for (size_t bit = 0; bit < packed->len * 8; bit++) {
			struct codec_limits limits = codec_limits_for_client(1000);
			uint8_t *copy = memory_alloc(packed->len);
			size_t n;

			memcpy(copy, packed->data, packed->len);
			copy[bit / 8] = (uint8_t)(copy[bit / 8] ^ (1 << bit % 8));
			outcome(codecs, codec, slice_of(copy, packed->len), limits, &n);
			free(copy);
		}
		buf_release(packed);
	}
	buf_release(plain);
	codec_context_free(codecs);
}
END_TEST

START_TEST(an_unknown_codec_is_no_stream_and_close_is_harmless)
{
	struct codec_context *codecs = codec_context_new();

	ck_assert_int_eq(codec_open(codecs, 5, SLICE_LITERAL("x"), &wide), ERR_UNSUPPORTED);
	ck_assert_int_eq(codec_open(codecs, -1, SLICE_LITERAL("x"), &wide), ERR_UNSUPPORTED);
	codec_close(codecs);
	codec_context_free(codecs);
	codec_context_free(NULL);
}
END_TEST

UNIT_MAIN("proto/record/codec", names_and_levels_are_kafkas, what_is_packed_unpacks_in_pieces_of_any_size,
	  every_level_packs_and_the_output_is_appended, snappy_is_read_raw_and_with_a_second_header, lying_snappy_lengths_allocate_nothing,
	  lz4_blocks_that_depend_on_each_other_are_refused_as_java_refuses_them,
	  zstd_frames_with_a_huge_window_cost_the_memory_of_their_output_only, zstd_of_its_youth_and_of_lies_is_refused,
	  bombs_of_each_codec_end_at_their_limits, a_stream_cut_at_any_byte_is_an_error, damage_at_every_bit_is_survived,
	  an_unknown_codec_is_no_stream_and_close_is_harmless)
