/*
 * The codecs of record batches: gzip, snappy, lz4 and zstd, as Kafka's clients write and read them.
 *
 *   codec_open(packed, limits) -> codec_read ... codec_read -> 0 bytes: end -> codec_close      unpacking, as a stream
 *   codec_compress(plain)                                                                       packing, in one piece
 *
 * Formats: gzip members; snappy in the framing of Java's library (header, then blocks of 32 KiB), read also without it as one raw
 * block; lz4 frames with independent blocks; zstd frames. What is unpacked comes from strangers: the output is bounded in bytes
 * and in ratio, a claimed length never allocates beyond those bounds, and the memory for a zstd window is at most 8 MiB.
 *
 * A codec_context holds the libraries' states so that they are made once for each thread. It is used by one thread at a time and
 * unpacks one stream at a time.
 */
#ifndef KLAMM_PROTO_RECORD_CODEC_H
#define KLAMM_PROTO_RECORD_CODEC_H

#include "common/buf.h"
#include "common/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers are those of the attributes of a batch. */
enum codec {
	CODEC_NONE = 0,
	CODEC_GZIP = 1,
	CODEC_SNAPPY = 2,
	CODEC_LZ4 = 3,
	CODEC_ZSTD = 4,
};

#define N_CODECS 5

/* Asks codec_compress for the level that Kafka uses when none is configured. */
#define CODEC_LEVEL_DEFAULT INT32_MIN

/* "none", "gzip", "snappy", "lz4", "zstd"; "unknown" for another number. */
const char *codec_name(int codec);

/* The codec with that name, also "uncompressed" for none; false for another text. */
bool codec_from_name(struct slice name, enum codec *ret_codec);

/* Whether the level may be configured for the codec: gzip -1 and 1..9, lz4 1..17, zstd -131072..22. */
bool codec_level_ok(enum codec codec, int32_t level);

/* gzip -1, lz4 9, zstd 3; 0 for the others. */
int32_t codec_level_default(enum codec codec);

/* Bounds on what one stream may unpack to. */
struct codec_limits {
	size_t bytes_max;        /* more ends with ERR_TOO_LARGE */
	size_t ratio_max;        /* output beyond ratio_free_bytes and ratio_max times the input ends with ERR_LIMIT; 0 = no bound */
	size_t ratio_free_bytes;
};

/* The bounds for what a client sends: the larger of ten messages and LIMIT_DECOMPRESS_BYTES, 100:1 beyond 1 MiB. */
struct codec_limits codec_limits_for_client(size_t message_bytes_max);

/* The bounds for batches of our own log, which another broker may have written: 2 GiB, any ratio. */
struct codec_limits codec_limits_for_log(void);

struct codec_context;

/* A context that owns nothing big until it is used; never NULL. */
struct codec_context *codec_context_new(void);

/* NULL is allowed. */
void codec_context_free(struct codec_context *codecs);

/* Gives back what only rare big batches need; for a timer or an idle thread. Not while a stream is open. */
void codec_context_trim(struct codec_context *codecs);

/*
 * Starts to unpack. `packed` stays the caller's and unchanged until codec_close. CODEC_NONE hands the bytes through.
 * 0, or ERR_UNSUPPORTED for a codec that is none.
 */
int codec_open(struct codec_context *codecs, int codec, struct slice packed, const struct codec_limits *limits);

/*
 * Unpacks up to cap (> 0) bytes; *ret_len 0 means the end of a whole stream. ERR_CORRUPT: not such a stream; ERR_TRUNCATED: it
 * ends in the middle; ERR_TOO_LARGE, ERR_LIMIT: beyond the limits. After an error only codec_close is allowed.
 */
int codec_read(struct codec_context *codecs, void *to, size_t cap, size_t *ret_len);

/* Ends a stream at any point; harmless when none is open. */
void codec_close(struct codec_context *codecs);

/*
 * Packs plain and appends it to `to` (which grows; one reference). The level is one that codec_level_ok allows, or
 * CODEC_LEVEL_DEFAULT.
 */
void codec_compress(struct codec_context *codecs, enum codec codec, int32_t level, struct slice plain, struct buf *to);

/* Unpacks a whole stream and appends it to `to`; errors as codec_read. */
int codec_decompress(struct codec_context *codecs, int codec, struct slice packed, const struct codec_limits *limits, struct buf *to);

#endif
