/*
 * Topic configuration: the 36 keys of Kafka 3.9 and ours.
 *
 *     default  <-  server.properties (log.retention.ms ...)  <-  /config/brokers/<default>  <-  /config/brokers/<id>  <-  /config/topics/<t>
 *     `---------------------- broker_config.h: struct broker_config.topic_defaults ------------------------------'
 *
 * Pure: text lies in arenas of the caller.
 */
#ifndef KLAMM_BROKER_META_TOPIC_CONFIG_H
#define KLAMM_BROKER_META_TOPIC_CONFIG_H

#include "common/arena.h"
#include "common/config_table.h"
#include "common/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct broker_config;

/* klamm.durability (D8): when a record counts as stored. */
enum topic_durability { TOPIC_PAGE_CACHE, TOPIC_FSYNC_ISR };

enum topic_compression {
	TOPIC_COMPRESSION_PRODUCER, /* as the producer sent it */
	TOPIC_COMPRESSION_NONE,
	TOPIC_COMPRESSION_GZIP,
	TOPIC_COMPRESSION_SNAPPY,
	TOPIC_COMPRESSION_LZ4,
	TOPIC_COMPRESSION_ZSTD,
};

/* What holds for a topic. Its text fields point into the overrides and the broker configuration it was computed from. */
struct topic_config {
	/* Read from the rows; types follow config_store(). */
	const char *cleanup_policy;
	const char *compression_type;
	int32_t compression_gzip_level;
	int32_t compression_lz4_level;
	int32_t compression_zstd_level;
	int64_t delete_retention_ms;
	int64_t file_delete_delay_ms;
	int64_t flush_messages;
	int64_t flush_ms;
	const char *follower_throttled_replicas;
	int32_t index_interval_bytes;
	const char *leader_throttled_replicas;
	int64_t max_compaction_lag_ms;
	int32_t max_message_bytes;
	const char *message_timestamp_type;
	int64_t message_timestamp_difference_max_ms;
	int64_t message_timestamp_before_max_ms;
	int64_t message_timestamp_after_max_ms;
	double min_cleanable_dirty_ratio;
	int64_t min_compaction_lag_ms;
	int32_t min_insync_replicas;
	bool preallocate;
	int64_t retention_bytes;
	int64_t retention_ms;
	int32_t segment_bytes;
	int32_t segment_index_bytes;
	int64_t segment_jitter_ms;
	int64_t segment_ms;
	bool unclean_leader_election_enable;
	bool message_downconversion_enable;
	const char *klamm_durability;
	/* Derived from them. */
	bool cleanup_delete;
	bool cleanup_compact;
	bool timestamp_log_append; /* else the producer's create time */
	enum topic_compression compression;
	enum topic_durability durability;
};

/* How a topic key follows from a broker key. */
struct topic_config_synonym {
	const char *topic_key;
	const char *broker_key;
	int64_t factor; /* log.retention.hours counts hours, retention.ms milliseconds */
};

const struct config_table *topic_config_table(void);

/* The broker keys of a topic key in order of precedence; *ret_n 0 when it has none. */
const struct topic_config_synonym *topic_config_synonyms(const char *topic_key, int *ret_n);

/* What holds for a topic without overrides: for the making of struct broker_config only. */
void topic_config_defaults(const struct broker_config *broker, struct arena *arena, struct topic_config *ret_config);

/* How far a time stamp may lie behind and ahead of the clock: the newer keys, or the older one where they are not set. */
int64_t topic_config_timestamp_before_max_ms(const struct topic_config *config);
int64_t topic_config_timestamp_after_max_ms(const struct topic_config *config);

/*
 * The effective configuration of a topic with these overrides on this broker. An override that does not pass its check (written by
 * another program) is left out; *ret_bad_key (may be NULL) then names the last such key, else it is NULL. Text of the result lives
 * as long as broker, overrides and arena.
 */
void topic_config_compute(const struct broker_config *broker, struct config_pairs overrides, struct arena *arena,
			  struct topic_config *ret_config, const char **ret_bad_key);

/*
 * Checks overrides as Kafka does when a topic is created or altered: unknown keys, values, and keys against each other. True when
 * they are fine; else ret_refusal is Kafka's text. Error code: INVALID_CONFIG.
 */
bool topic_config_check(const struct broker_config *broker, struct config_pairs overrides, struct arena *arena,
			const char **ret_refusal);

#endif
