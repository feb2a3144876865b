/* Partitions of a log dir that could not be opened, and the folders that they lie in; see log_dir.h. */
#include "broker/log/dir_name.h"
#include "broker/log/log_dir_internal.h"
#include "broker/log/partition_metadata.h"

#include <stdio.h>

/* Removal after the delay of file.delete.delay.ms by default. */
#define DAMAGED_DELAY_MS 60000

static int check_owner(struct log_dir *dir, const char *folder, const struct uuid *topic_id)
{
	char path[FS_PATH_MAX];
	struct uuid have = UUID_ZERO;
	int rc;

	if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, PARTITION_METADATA_FILE) >= sizeof path)
		return ERR_TOO_LARGE;
	rc = partition_metadata_read(dir->fs, path, &have);
	if (rc == ERR_NOT_FOUND || rc == ERR_CORRUPT || uuid_is_zero(&have))
		return 0;
	return rc < 0 ? rc : uuid_equal(&have, topic_id) ? 0 : ERR_VERSION;
}

/* Gives the folder of a partition that is not open a name under which no start opens it, either. */
static int rename_damaged(struct log_dir *dir, struct slice topic, int32_t partition, enum dir_kind kind, char ret_path[FS_PATH_MAX])
{
	char name[DIR_NAME_MAX], folder[FS_PATH_MAX];
	struct uuid uuid = uuid_random();
	int rc;

	dir_name_format(topic, partition, name);
	log_dir_file(dir, name, folder);
	dir_name_format_gone(topic, partition, kind, &uuid, name);
	log_dir_file(dir, name, ret_path);
	rc = fs_rename(dir->fs, folder, ret_path);
	if (rc < 0)
		return rc;
	log_dir_note_deleted(dir);
	pthread_mutex_lock(&dir->registry_lock);
	offsets_table_remove(&dir->table, topic, partition);
	dir->n_damaged--;
	pthread_mutex_unlock(&dir->registry_lock);
	return 0;
}

int log_dir_erase_damaged(struct log_dir *dir, struct slice topic, int32_t partition, const struct uuid *topic_id)
{
	char name[DIR_NAME_MAX], path[FS_PATH_MAX];
	int rc;

	if (log_dir_failed(dir))
		return ERR_IO;
	dir_name_format(topic, partition, name);
	log_dir_file(dir, name, path);
	rc = check_owner(dir, path, topic_id);
	if (rc == 0)
		rc = rename_damaged(dir, topic, partition, DIR_DELETE, path);
	if (rc == 0)
		log_dir_remove_later(dir, path, DAMAGED_DELAY_MS);
	return log_dir_check(dir, rc, "deleting a damaged partition");
}

int log_dir_set_aside_damaged(struct log_dir *dir, struct slice topic, int32_t partition, char ret_path[FS_PATH_MAX])
{
	return log_dir_check(dir, rename_damaged(dir, topic, partition, DIR_STRAY, ret_path), "setting a damaged partition aside");
}
