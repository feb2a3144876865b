/*
 * `meta.properties` of a log dir, in Java's properties text: whose dir it is. In ZooKeeper mode the version is 0; version 1 (node.id)
 * is KRaft's and is refused. What an operator or Kafka has put in besides (directory.id) is left as it is.
 */
#ifndef KLAMM_BROKER_LOG_META_PROPERTIES_H
#define KLAMM_BROKER_LOG_META_PROPERTIES_H

#include "common/error.h"
#include "common/fs.h"
#include "common/slice.h"
#include "common/uuid.h"

#include <stdint.h>

#define META_PROPERTIES_FILE "meta.properties"
#define META_CLUSTER_ID_MAX 128

struct meta_properties {
	int32_t broker_id;                        /* -1 not there */
	char cluster_id[META_CLUSTER_ID_MAX + 1]; /* "" not there */
	struct uuid directory_id;                 /* zero not there */
};

/* ERR_CONFIG with a text that names the line and what is wrong. */
int meta_properties_parse(struct slice text, struct meta_properties *ret_meta, struct error *err);

/* As meta_properties_parse; ERR_NOT_FOUND (err untouched) without a file. */
int meta_properties_read(struct fs *fs, const char *path, struct meta_properties *ret_meta, struct error *err);

/* Written as Kafka does, with the date of now_ms; synced. */
int meta_properties_write(struct fs *fs, const char *path, const struct meta_properties *meta, int64_t now_ms);

#endif
