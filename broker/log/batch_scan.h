/*
 * Walking over the batches of a segment file: headers only (for finding and replaying; big batches are jumped over) or whole batches
 * with their checksum (for recovery). Trusts nothing: a walk ends at the first bytes that are no batch.
 */
#ifndef KLAMM_BROKER_LOG_BATCH_SCAN_H
#define KLAMM_BROKER_LOG_BATCH_SCAN_H

#include "common/fs.h"
#include "common/slice.h"
#include "proto/record/batch.h"

#include <stdbool.h>
#include <stdint.h>

enum batch_scan_mode {
	BATCH_SCAN_HEADERS,
	BATCH_SCAN_CHECKED, /* whole batches, CRC looked at */
};

/* Small reads come first: most walks end within a few batches. */
#define BATCH_SCAN_FIRST_BYTES 4096

struct batch_scan {
	struct fs *fs;
	int fd;
	enum batch_scan_mode mode;
	int64_t pos;        /* of the batch after the last one given */
	int64_t end;        /* bytes of the file that count */
	int64_t window_pos; /* what the window holds */
	size_t window_len;
	size_t window_cap;
	size_t read_bytes;  /* how much the next read asks for */
	uint8_t *heap;      /* NULL while the small window is enough */
	uint8_t small[BATCH_SCAN_FIRST_BYTES];
};

struct batch_found {
	struct batch_header header;
	int64_t pos;
	struct slice bytes; /* at least the header; the whole batch when checked. Until the next call */
};

void batch_scan_init(struct batch_scan *scan, struct fs *fs, int fd, int64_t pos, int64_t end, enum batch_scan_mode mode);
void batch_scan_fini(struct batch_scan *scan);

/* 1 and the next batch; 0 at the end; ERR_TRUNCATED: a part of a batch at the end; ERR_CORRUPT: no batch or a wrong checksum;
 * ERR_UNSUPPORTED: format 0 or 1; or what the file system says. */
int batch_scan_next(struct batch_scan *scan, struct batch_found *ret_found);

/* Reads the whole of the batch just given by a walk over headers. */
int batch_scan_whole(struct batch_scan *scan, struct batch_found *found);

#endif
