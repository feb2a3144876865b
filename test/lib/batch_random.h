/*
 * Random record batches, valid ones and damaged ones, from a seed: the same seed gives the same bytes. For the property tests of
 * proto/record and broker/log.
 */
#ifndef KLAMM_TEST_LIB_BATCH_RANDOM_H
#define KLAMM_TEST_LIB_BATCH_RANDOM_H

#include "common/buf.h"
#include "proto/record/codec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch_random {
	uint64_t state;               /* the seed to start with; any value */
	struct codec_context *codecs; /* NULL: batches are not packed */

	/* What batches are like; 0 stands for the default in brackets. */
	int32_t n_records_max;        /* [20] at least one is made */
	size_t value_bytes_max;       /* [200] */
	bool producers;               /* some batches have producer id, epoch and sequence, some are transactional */
	bool holes;                   /* some have offsets that compaction took out, inside or at the end */
};

/* The next number, evenly spread; below n (> 0) for the second. */
uint64_t batch_random_next(struct batch_random *random);
uint32_t batch_random_below(struct batch_random *random, uint32_t n);

/*
 * A valid batch with that base offset and epoch, complete with its checksum; base offset 0 and no holes make what a client sends.
 * Timestamps lie within ten seconds after timestamp. The caller releases it.
 */
struct buf *batch_random_make(struct batch_random *random, int64_t base_offset, int32_t leader_epoch, int64_t timestamp);

/* Kinds of damage, for messages. */
enum batch_damage {
	BATCH_DAMAGE_BIT,   /* one bit flipped */
	BATCH_DAMAGE_BYTES, /* a run of bytes overwritten by noise */
	BATCH_DAMAGE_ZEROS, /* zeros from some place to the end, as after a power cut */
	BATCH_DAMAGE_CUT,   /* cut short */
	N_BATCH_DAMAGES,
};

/*
 * Damages len (> 0) bytes in place, so that at least one byte differs or is gone. *ret_pos is where the damage begins. Returns the
 * length that is left; less than len only after a cut.
 */
size_t batch_random_damage(struct batch_random *random, uint8_t *bytes, size_t len, enum batch_damage *ret_kind, size_t *ret_pos);

#endif
