/*
 * The four checkpoints of a log dir (recovery-point, log-start, replication and cleaner): text, `0`, count, then lines
 * `topic partition offset`. Written tmp + sync + rename + sync of the folder. An empty file counts as one without lines.
 */
#ifndef KLAMM_BROKER_LOG_CHECKPOINT_H
#define KLAMM_BROKER_LOG_CHECKPOINT_H

#include "broker/log/text_file.h"
#include "common/fs.h"
#include "common/slice.h"

#include <stdint.h>

#define CHECKPOINT_RECOVERY_POINT "recovery-point-offset-checkpoint"
#define CHECKPOINT_LOG_START "log-start-offset-checkpoint"
#define CHECKPOINT_HIGH_WATERMARK "replication-offset-checkpoint"
#define CHECKPOINT_CLEANER "cleaner-offset-checkpoint"

struct checkpoint_line {
	struct slice topic;
	int32_t partition;
	int64_t offset;
};

typedef void checkpoint_fn(void *ctx, const struct checkpoint_line *line);

/* `topic partition offset`; false for anything else. */
bool checkpoint_parse_line(struct slice text, struct checkpoint_line *ret_line);

/* ERR_CORRUPT for a damaged text: what was told before it is to be dropped. */
int checkpoint_parse(struct slice text, checkpoint_fn *each, void *ctx);

/* As checkpoint_parse for a file; ERR_NOT_FOUND without one. */
int checkpoint_read(struct fs *fs, const char *path, checkpoint_fn *each, void *ctx);

/* lines: the text of n lines, each ended by LF. */
int checkpoint_write(struct fs *fs, const char *path, const struct text_out *lines, int32_t n);

#endif
