/* The inside of a codec context; private to codec.c, codec_unpack.c, codec_pack.c and record_source.c. */
#ifndef KLAMM_PROTO_RECORD_CODEC_CONTEXT_H
#define KLAMM_PROTO_RECORD_CODEC_CONTEXT_H

#include "proto/record/codec.h"

#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

/* Bytes between [pos, len) of data wait to be handed out or filled; cap only grows until a trim. */
struct codec_scratch {
	uint8_t *data;
	size_t cap;
	size_t pos;
	size_t len;
};

struct codec_context {
	/* The open stream. */
	const struct codec_format *format; /* NULL when none is open */
	const uint8_t *in;
	const uint8_t *in_end;
	size_t n_out;
	size_t n_out_max;
	int over_error;                    /* what more than n_out_max is called */
	bool done;                         /* the stream has ended as it should */
	bool framed;                       /* snappy: blocks follow, not one raw block */
	bool at_frame;                     /* zstd: a frame has to start here */
	struct codec_scratch block;        /* unpacked bytes that did not fit: snappy blocks, zstd frames with a large window */

	struct codec_scratch window;       /* of the record source */

	/* States of the libraries, made on first use. */
	z_stream inflate;
	bool has_inflate;
	z_stream deflate;
	bool has_deflate;
	int deflate_level;
	LZ4F_dctx *lz4_in;
	ZSTD_DCtx *zstd_in;
	ZSTD_CCtx *zstd_out;
};

/* How one codec unpacks. */
struct codec_format {
	/* Looks at the head of the stream: 0 or an error. */
	int (*open)(struct codec_context *codecs);

	/* As codec_read, but may hand out nothing without being done; sets done at the end. */
	int (*read)(struct codec_context *codecs, uint8_t *to, size_t cap, size_t *ret_len);
};

/* By codec number; N_CODECS of them. */
extern const struct codec_format codec_formats[];

/* Makes room for cap bytes; what lies in it may be lost unless keep. */
void codec_scratch_reserve(struct codec_scratch *scratch, size_t cap, bool keep);

static inline size_t codec_in_left(const struct codec_context *codecs)
{
	return (size_t)(codecs->in_end - codecs->in);
}

#endif
