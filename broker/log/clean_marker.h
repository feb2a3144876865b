/*
 * `.kafka_cleanshutdown` of a log dir: that the last stop wrote everything down. Existence alone counts in ZooKeeper mode. Written last at a
 * stop and synced; removed at the very start of loading, so that a crash while loading counts as one.
 */
#ifndef KLAMM_BROKER_LOG_CLEAN_MARKER_H
#define KLAMM_BROKER_LOG_CLEAN_MARKER_H

#include "common/fs.h"

/* path: of the log dir, for all. */
bool clean_marker_exists(struct fs *fs, const char *path);

/* Removes it where there is one and syncs the folder: nothing may be written to the dir before this has returned 0. */
int clean_marker_remove(struct fs *fs, const char *path);

int clean_marker_write(struct fs *fs, const char *path);

#endif
