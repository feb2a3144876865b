/*
 * Names of partition folders in a log dir: `<topic>-<partition>`, and with `.<32 hex digits>` and a suffix behind it `-delete` (to be
 * removed), `-future` (being moved here) or `-stray` (left over). Names of segment files: 20 digits and an extension.
 */
#ifndef KLAMM_BROKER_LOG_DIR_NAME_H
#define KLAMM_BROKER_LOG_DIR_NAME_H

#include "common/limits.h"
#include "common/slice.h"
#include "common/uuid.h"

#include <stdint.h>

/* A folder name is at most 255 bytes. */
#define DIR_NAME_MAX 256

enum dir_kind { DIR_INVALID, DIR_PARTITION, DIR_DELETE, DIR_FUTURE, DIR_STRAY };

struct dir_name {
	enum dir_kind kind;
	struct slice topic; /* within the text that was parsed */
	int32_t partition;
};

struct dir_name dir_name_parse(struct slice name);

void dir_name_format(struct slice topic, int32_t partition, char ret_name[DIR_NAME_MAX]);

/* The name of a folder that is to be removed (DIR_DELETE) or was set aside (DIR_STRAY); the topic is cut where it would be too long. */
void dir_name_format_gone(struct slice topic, int32_t partition, enum dir_kind kind, const struct uuid *uuid, char ret_name[DIR_NAME_MAX]);

/* The kinds of file of a partition folder. */
enum log_file_kind {
	LOG_FILE_OTHER,
	LOG_FILE_LOG,
	LOG_FILE_INDEX,
	LOG_FILE_TIME_INDEX,
	LOG_FILE_TXN_INDEX,
	LOG_FILE_SNAPSHOT,
	LOG_FILE_KINDS,
};

enum log_file_suffix { LOG_SUFFIX_NONE, LOG_SUFFIX_DELETED, LOG_SUFFIX_CLEANED, LOG_SUFFIX_SWAP };

struct log_file_name {
	enum log_file_kind kind;
	enum log_file_suffix suffix; /* also of a file whose kind is LOG_FILE_OTHER */
	int64_t offset;
};

struct log_file_name log_file_name_parse(struct slice name);

/* ".log" and so on. */
const char *log_file_extension(enum log_file_kind kind);

#endif
