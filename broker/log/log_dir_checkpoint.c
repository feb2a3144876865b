/*
 * The offsets that a log dir writes down: the three checkpoints of Kafka and the marks of klamm.run. Values of open logs are read from
 * their shared numbers, those of partitions that are not open come from the table. See log_dir.h.
 */
#include "broker/log/log_dir_internal.h"
#include "common/memory.h"
#include "common/trace.h"

#include <inttypes.h>

struct filling {
	struct offsets_table *table;
	enum offset_kind kind;
};

static void fill_table(void *ctx, const struct checkpoint_line *line)
{
	struct filling *filling = ctx;

	offsets_table_set(filling->table, filling->kind, line->topic, line->partition, line->offset);
}

static int read_checkpoint(struct log_dir *dir, const char *name, enum offset_kind kind)
{
	struct filling filling = {&dir->table, kind};
	char path[FS_PATH_MAX];
	int rc;

	log_dir_file(dir, name, path);
	rc = checkpoint_read(dir->fs, path, fill_table, &filling);
	if (rc == ERR_CORRUPT || rc == ERR_TOO_LARGE) {
		trace_warn("log", "checkpoint is damaged and counts as empty: file=%s", path);
		offsets_table_forget(&dir->table, kind);
		return 0;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int log_dir_read_checkpoints(struct log_dir *dir)
{
	int rc = read_checkpoint(dir, CHECKPOINT_LOG_START, OFFSET_LOG_START);

	if (rc == 0)
		rc = read_checkpoint(dir, CHECKPOINT_HIGH_WATERMARK, OFFSET_HIGH_WATERMARK);
	/* Our own marks take the place of recovery points, which are not lowered before a truncation. */
	if (rc == 0 && !dir->ours)
		rc = read_checkpoint(dir, CHECKPOINT_RECOVERY_POINT, OFFSET_RECOVERY_POINT);
	return rc;
}

/* The text of a checkpoint under way. */
struct lines {
	struct text_out text;
	int32_t n;
	enum offset_kind kind;
};

static void add_line(struct lines *lines, const char *topic, int topic_len, int32_t partition, int64_t offset)
{
	text_add(&lines->text, "%.*s %" PRId32 " %" PRId64 "\n", topic_len, topic, partition, offset);
	lines->n++;
}

static void add_unopened(void *ctx, struct slice topic, int32_t partition, const struct offsets *offsets)
{
	struct lines *lines = ctx;

	if (offsets->of[lines->kind] >= 0)
		add_line(lines, (const char *)topic.data, (int)topic.len, partition, offsets->of[lines->kind]);
}

/* What the checkpoint says of an open log; -1 nothing. */
static int64_t offset_of(const struct log *log, enum offset_kind kind)
{
	int64_t start = log_start_offset(log);

	switch (kind) {
	case OFFSET_MARK:
	case OFFSET_RECOVERY_POINT:
		return log_durable_end(log);
	case OFFSET_LOG_START:
		return start > shared_i64_get(&log->first_base) ? start : -1;
	default:
		return log_high_watermark(log);
	}
}

/* The registry lock is held. */
static void collect(struct log_dir *dir, enum offset_kind kind, struct lines *lines)
{
	*lines = (struct lines){.kind = kind};
	for (struct log_link *link = dir->logs.next; link != &dir->logs; link = link->next) {
		struct log *log = CONTAINER_OF(link, struct log, link);
		int64_t offset = offset_of(log, kind);

		if (kind == OFFSET_MARK && log->unlisted)
			continue;
		if (kind == OFFSET_MARK)
			log->mark_next = offset;
		if (offset >= 0)
			add_line(lines, log->topic, (int)strlen(log->topic), log->partition, offset);
	}
	offsets_table_walk(&dir->table, add_unopened, lines);
}

/* After a failure nobody knows which of the two files is there: the higher mark counts, so that it is lowered before a cut (D11). */
static void marks_written(struct log_dir *dir, int rc)
{
	for (struct log_link *link = dir->logs.next; link != &dir->logs; link = link->next) {
		struct log *log = CONTAINER_OF(link, struct log, link);

		if (!log->unlisted && (rc == 0 || log->mark_next > log->mark))
			log->mark = log->mark_next;
	}
}

int log_dir_write_run(struct log_dir *dir)
{
	struct lines lines;
	char path[FS_PATH_MAX];
	int rc;

	collect(dir, OFFSET_MARK, &lines);
	log_dir_file(dir, RUN_FILE, path);
	rc = run_file_write(dir->fs, path, &dir->run, &lines.text, lines.n);
	text_fini(&lines.text);
	marks_written(dir, rc);
	if (rc == 0)
		dir->stale_marks = false;
	return log_dir_check(dir, rc, "writing klamm.run");
}

static int write_checkpoint(struct log_dir *dir, const char *name, enum offset_kind kind)
{
	struct lines lines;
	char path[FS_PATH_MAX];
	int rc;

	pthread_mutex_lock(&dir->registry_lock);
	collect(dir, kind, &lines);
	pthread_mutex_unlock(&dir->registry_lock);
	log_dir_file(dir, name, path);
	rc = checkpoint_write(dir->fs, path, &lines.text, lines.n);
	text_fini(&lines.text);
	return log_dir_check(dir, rc, name);
}

int log_dir_write_points(struct log_dir *dir)
{
	int rc = write_checkpoint(dir, CHECKPOINT_RECOVERY_POINT, OFFSET_RECOVERY_POINT);

	return rc < 0 ? rc : write_checkpoint(dir, CHECKPOINT_LOG_START, OFFSET_LOG_START);
}

/* The next start believes the checkpoint only of partitions that have a mark, since a name may have been another partition's before. */
static bool lacks_mark(struct log_dir *dir)
{
	bool lacks = false;

	pthread_mutex_lock(&dir->registry_lock);
	for (struct log_link *link = dir->logs.next; link != &dir->logs && !lacks; link = link->next) {
		struct log *log = CONTAINER_OF(link, struct log, link);

		lacks = log->mark < 0 && offset_of(log, OFFSET_LOG_START) >= 0;
	}
	pthread_mutex_unlock(&dir->registry_lock);
	return lacks;
}

int log_dir_keep_starts(struct log_dir *dir)
{
	int rc;

	if (log_dir_failed(dir))
		return ERR_IO;
	/* Whoever moved one raised the flag after it: when it is down, an earlier write has seen that start. */
	if (!shared_flag_lower(&dir->start_moved))
		return 0;
	rc = write_checkpoint(dir, CHECKPOINT_LOG_START, OFFSET_LOG_START);
	if (rc == 0 && lacks_mark(dir))
		rc = log_dir_write_marks(dir);
	if (rc < 0)
		shared_flag_raise(&dir->start_moved);
	return rc;
}

void log_dir_keep_names(struct log_dir *dir)
{
	if (!log_dir_failed(dir))
		log_dir_check(dir, fs_sync_dir(dir->fs, dir->path), "deleting partitions");
}

int log_dir_write_watermarks(struct log_dir *dir)
{
	return write_checkpoint(dir, CHECKPOINT_HIGH_WATERMARK, OFFSET_HIGH_WATERMARK);
}
