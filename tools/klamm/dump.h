/*
 * Files of a log dir as text: what Kafka's dump tool prints, line by line, or JSON with one object a line.
 *
 *     <base>.log        batches, with deep their records            dump_batch.c, dump_record.c
 *     <base>.index .timeindex .txnindex   entries, checked against the log beside them      dump_index.c
 *     <offset>.snapshot                   producers
 *     leader-epoch-checkpoint and other checkpoints, partition.metadata, meta.properties: their lines
 *
 * What is wrong with a file is a problem: counted, and told at the end.
 */
#ifndef KLAMM_TOOLS_KLAMM_DUMP_H
#define KLAMM_TOOLS_KLAMM_DUMP_H

#include "common/slice.h"
#include "proto/record/batch.h"
#include "proto/record/codec.h"
#include "proto/record/record_iter.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum dump_decoder { DECODE_TEXT, DECODE_OFFSETS, DECODE_TRANSACTIONS };

struct dump {
	FILE *out;
	bool json;
	bool deep;          /* records, too */
	bool print_data;    /* with keys and values */
	bool skip_metadata; /* of records */
	bool sanity_only;   /* indexes: only the check that a broker does at its start */
	bool verify_only;   /* indexes: only the comparison with the log */
	int64_t bytes_max;  /* of each log file */
	enum dump_decoder decoder;
	struct codec_context *codecs;
	FILE *problems;       /* where they are told */
	const char *gap_path; /* the file whose gaps are being told */
	int n_problems;
};

/* Dumps one file, by its name. */
void dump_file(struct dump *dump, const char *path);

/* ---- private to the files of the dump ---- */

#define dump_problem(dump, ...) ((dump)->n_problems++, fprintf((dump)->problems, __VA_ARGS__))

/* The number at the start of a file's name, 0 when there is none. */
int64_t dump_base_offset(const char *path);

/* Prints a JSON object on one line and releases it. */
void dump_json(struct dump *dump, json_t *object);

void dump_log_file(struct dump *dump, const char *path);
void dump_offset_index(struct dump *dump, const char *path);
void dump_time_index(struct dump *dump, const char *path);
void dump_txn_index(struct dump *dump, const char *path);

/* Prints a record of a batch; with JSON appends it to `list`. */
void dump_record(struct dump *dump, const struct batch_header *batch, const struct record *record, json_t *list);

/* "CreateTime", "LogAppendTime". */
const char *dump_timestamp_type(int16_t attributes);

/* Reads headers of batches of a log file one after the other. */
struct batch_walk {
	int fd;
	int64_t size, pos; /* of the file; of the current batch */
	struct batch_header header;
	bool valid; /* there is a current batch, and it ends within the file */
};

/* False when the file cannot be opened. */
bool batch_walk_open(struct batch_walk *walk, const char *path);
void batch_walk_close(struct batch_walk *walk);

/* Makes the batch at a position the current one; formats 0 and 1 have their offset, size and largest time stamp in the header.
 */
bool batch_walk_seek(struct batch_walk *walk, int64_t pos);

static inline bool batch_walk_next(struct batch_walk *walk)
{
	return walk->valid && batch_walk_seek(walk, walk->pos + (int64_t)walk->header.size);
}

#endif
