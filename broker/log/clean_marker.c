/* The clean stop's marker; see clean_marker.h. */
#include "broker/log/clean_marker.h"

#include "common/error.h"

#include <stdio.h>
#include <string.h>

#define FILE_NAME ".kafka_cleanshutdown"

/* In ZooKeeper mode Kafka always writes -1. */
#define CONTENT "{\"version\":0,\"brokerEpoch\":-1}"

static void marker_path(const char *path, char ret_path[FS_PATH_MAX])
{
	snprintf(ret_path, FS_PATH_MAX, "%s/%s", path, FILE_NAME);
}

bool clean_marker_exists(struct fs *fs, const char *path)
{
	char marker[FS_PATH_MAX];
	struct fs_stat status;

	marker_path(path, marker);
	return fs_stat(fs, marker, &status) == 0;
}

int clean_marker_remove(struct fs *fs, const char *path)
{
	char marker[FS_PATH_MAX];
	int rc;

	marker_path(path, marker);
	rc = fs_unlink(fs, marker);
	if (rc == ERR_NOT_FOUND)
		return 0;
	return rc < 0 ? rc : fs_sync_dir(fs, path);
}

int clean_marker_write(struct fs *fs, const char *path)
{
	char marker[FS_PATH_MAX];

	marker_path(path, marker);
	return fs_replace_file(fs, marker, CONTENT, strlen(CONTENT), FS_SYNC);
}
