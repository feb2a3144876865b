/* The life of one log and its plain questions; see log.h. What it does is in log_append.c, log_read.c and the other log_*.c. */
#include "broker/log/log.h"

#include "broker/log/log_dir.h"
#include "broker/log/log_internal.h"
#include "broker/log/partition_metadata.h"
#include "common/check.h"
#include "common/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct fd_cache *log_fds(const struct log *log)
{
	return log->home->fds;
}

struct fs *log_fs(const struct log *log)
{
	return fd_cache_fs(log->home->fds);
}

void log_file_path(const struct log *log, const char *name, char ret_path[FS_PATH_MAX])
{
	snprintf(ret_path, FS_PATH_MAX, "%s/%s", log->home->path, name);
}

void log_snapshot_path(const struct log *log, int64_t offset, char ret_path[FS_PATH_MAX])
{
	snprintf(ret_path, FS_PATH_MAX, "%s/%020" PRId64 "%s", log->home->path, offset, log_file_extension(LOG_FILE_SNAPSHOT));
}

struct log *log_new(struct log_dir *dir, struct slice topic, int32_t partition, const struct log_config *config,
		    const struct log_observer *observer)
{
	struct log *log = NEW(struct log);
	char name[DIR_NAME_MAX], path[FS_PATH_MAX];

	log->dir = dir;
	log->topic = memory_alloc(topic.len + 1);
	memcpy(log->topic, topic.data, topic.len);
	log->topic[topic.len] = 0;
	log->partition = partition;
	log->config = *config;
	log->mark = -1;
	log_link_init(&log->link);
	log_link_init(&log->dirty_link);
	log_link_init(&log->syncing_link);
	log_link_init(&log->flush.link);
	if (observer)
		log->observer = *observer;
	dir_name_format(topic, partition, name);
	snprintf(path, sizeof path, "%s/%s", log_dir_path(dir), name);
	log->home = segment_home_new(log_dir_fds(dir), path);
	return log;
}

void log_add_segment(struct log *log, struct segment *segment)
{
	if (log->n_segments == log->segments_cap) {
		log->segments_cap = log->segments_cap ? log->segments_cap * 2 : 1;
		log->segments = memory_grow(log->segments, (size_t)log->segments_cap * sizeof(struct segment *));
	}
	log->segments[log->n_segments++] = segment;
	log->is_cut = false;
	if (log->n_segments == 1)
		shared_i64_set(&log->first_base, segment->base_offset);
}

int32_t log_segment_for(const struct log *log, int64_t offset)
{
	int32_t low = 0, high = log->n_segments;

	if (log_active(log)->base_offset <= offset)
		return high - 1;
	while (high - low > 1) {
		int32_t middle = low + (high - low) / 2;

		if (log->segments[middle]->base_offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

int64_t log_segment_end(const struct log *log, int32_t i)
{
	return i + 1 < log->n_segments ? log->segments[i + 1]->base_offset : log_end_offset(log);
}

void log_names_changed(struct log *log)
{
	log->names_changes++;
	log->touched = true;
	log_dir_names_moved(log->dir);
}

/* All or nothing: what a full disk leaves half made would be in the way of the next try, here or in another dir. */
static int make_folder(struct log *log, const struct uuid *topic_id)
{
	char path[FS_PATH_MAX];
	int rc = fs_mkdir(log_fs(log), log->home->path);

	if (rc < 0 || uuid_is_zero(topic_id))
		return rc;
	log_file_path(log, PARTITION_METADATA_FILE, path);
	rc = partition_metadata_create(log_fs(log), path, topic_id);
	if (rc < 0)
		(void)fs_remove_tree(log_fs(log), log->home->path);
	return rc;
}

int log_create(struct log_dir *dir, struct slice topic, int32_t partition, const struct uuid *topic_id,
	       const struct log_config *config, const struct log_observer *observer, struct log **ret_log, struct error *err)
{
	struct log *log;
	int rc;

	if (log_dir_failed(dir))
		return error_set(err, ERR_IO, "%s: the log dir has failed", log_dir_path(dir));
	log = log_new(dir, topic, partition, config, observer);
	rc = log_dir_prepare_create(dir);
	if (rc == 0)
		rc = log_dir_check(dir, make_folder(log, topic_id), "making a partition folder");
	if (rc < 0) {
		error_set(err, rc, "%s: the folder cannot be made: %s", log->home->path, error_text(rc));
		log_free(log);
		return rc;
	}
	log->topic_id = *topic_id;
	log_add_segment(log, segment_new(log->home, 0));
	log_dir_add(dir, log);
	log_names_changed(log);
	log_dir_dirtied(dir, log, 0);
	*ret_log = log;
	return 0;
}

int log_write_snapshot(struct log *log, int64_t offset)
{
	struct producer_snapshot snapshot = {0};
	char path[FS_PATH_MAX];
	int rc;

	if (!log->observer.take_snapshot)
		return 0;
	log->observer.take_snapshot(log->observer.ctx, &snapshot);
	log_snapshot_path(log, offset, path);
	rc = producer_snapshot_write(log_fs(log), path, &snapshot, FS_SYNC_NOT);
	producer_snapshot_fini(&snapshot);
	log_names_changed(log);
	return rc;
}

int log_close(struct log *log)
{
	int rc = 0;

	if (log_dir_failed(log->dir))
		return ERR_IO;
	rc = log_write_pending_aborted(log);
	if (rc == 0 && log->touched)
		rc = segment_rest(log_active(log), true);
	if (rc == 0)
		rc = log_write_epochs(log);
	if (rc == 0 && log->touched && log_end_offset(log) > 0)
		rc = log_write_snapshot(log, log_end_offset(log));
	return log_dir_check(log->dir, rc, "closing a log");
}

void log_free(struct log *log)
{
	if (!log)
		return;
	CHECK(log->flush.state == LOG_FLUSH_IDLE);
	log_dir_take_out(log->dir, log);
	for (int32_t i = 0; i < log->n_segments; i++) {
		segment_shut(log->segments[i]);
		segment_release(log->segments[i]);
	}
	free(log->segments);
	epoch_cache_fini(&log->epochs);
	segment_home_release(log->home);
	free(log->tail);
	free(log->aborted);
	free(log->topic);
	free(log);
}

void log_configure(struct log *log, const struct log_config *config)
{
	log->config = *config;
}

const struct log_config *log_config(const struct log *log)
{
	return &log->config;
}

struct log_dir *log_dir_of(const struct log *log)
{
	return log->dir;
}

struct slice log_topic(const struct log *log)
{
	return slice_of_text(log->topic);
}

int32_t log_partition(const struct log *log)
{
	return log->partition;
}

struct uuid log_topic_id(const struct log *log)
{
	return log->topic_id;
}

int log_set_topic_id(struct log *log, const struct uuid *topic_id)
{
	char path[FS_PATH_MAX];
	int rc;

	log_file_path(log, PARTITION_METADATA_FILE, path);
	rc = partition_metadata_write(log_fs(log), path, topic_id);
	if (rc < 0)
		return log_dir_check(log->dir, rc, "writing partition.metadata");
	log->topic_id = *topic_id;
	log_names_changed(log);
	log_dir_dirtied(log->dir, log, 0);
	return 0;
}

void log_set_observer(struct log *log, const struct log_observer *observer)
{
	log->observer = observer ? *observer : (struct log_observer){0};
}

int64_t log_end_offset(const struct log *log)
{
	return shared_i64_get(&log->end);
}

int64_t log_start_offset(const struct log *log)
{
	return shared_i64_get(&log->start);
}

int64_t log_durable_end(const struct log *log)
{
	return shared_i64_get(&log->durable);
}

int64_t log_promised_end(const struct log *log)
{
	return log->config.durability == LOG_FSYNC_ISR ? log_durable_end(log) : log_end_offset(log);
}

int64_t log_high_watermark(const struct log *log)
{
	return shared_i64_get(&log->high_watermark);
}

void log_set_high_watermark(struct log *log, int64_t offset)
{
	if (offset == log_high_watermark(log))
		return;
	shared_i64_set(&log->high_watermark, offset);
	log_dir_watermark_moved(log->dir);
}

int64_t log_size(const struct log *log)
{
	int64_t size = 0;

	for (int32_t i = 0; i < log->n_segments; i++)
		size += log->segments[i]->size;
	return size;
}

int32_t log_n_segments(const struct log *log)
{
	return log->n_segments;
}

int32_t log_latest_epoch(const struct log *log)
{
	return epoch_core_latest(&log->epochs.entries);
}

int32_t log_epoch_at(const struct log *log, int64_t offset)
{
	return epoch_core_at(&log->epochs.entries, offset);
}

struct log_epoch_end log_end_for_epoch(const struct log *log, int32_t epoch)
{
	return epoch_core_end(&log->epochs.entries, epoch, log_end_offset(log));
}

void log_begin_epoch(struct log *log, int32_t epoch)
{
	epoch_cache_assign(&log->epochs, epoch, log_end_offset(log));
}
