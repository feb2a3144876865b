/* Topic keys, how they follow from broker keys, and what holds for one topic; see topic_config.h. */
#include "broker/meta/topic_config.h"

#include "broker/meta/broker_config.h"
#include "common/check.h"
#include "common/memory.h"

#include <strings.h>

#define ROW_STRUCT struct topic_config
#include "common/config_row.h"

/* clang-format off */
static const struct config_row rows[] = {
	ROW("cleanup.policy", LIST, "delete", LIST_OF("compact, delete"), MEDIUM, CLUSTER, FIELD(cleanup_policy),
	    "What is done with old records: delete them by age and size, compact them by key, or both."),
	ROW("compression.gzip.level", INT, "-1", LEVEL(1, 9), MEDIUM, CLUSTER, FIELD(compression_gzip_level),
	    "Level of gzip when the broker compresses for this topic."),
	ROW("compression.lz4.level", INT, "9", BETWEEN(1, 17), MEDIUM, CLUSTER, FIELD(compression_lz4_level),
	    "Level of lz4 when the broker compresses for this topic."),
	ROW("compression.type", STRING, "producer", ONE_OF("uncompressed, zstd, lz4, snappy, gzip, producer"), MEDIUM, CLUSTER,
	    FIELD(compression_type),
	    "Codec that stored records shall have; producer keeps what the client chose."),
	ROW("compression.zstd.level", INT, "3", BETWEEN(-131072, 22), MEDIUM, CLUSTER, FIELD(compression_zstd_level),
	    "Level of zstd when the broker compresses for this topic."),
	ROW("delete.retention.ms", LONG, "86400000", AT_LEAST(0), MEDIUM, CLUSTER, FIELD(delete_retention_ms),
	    "How long a compacted topic keeps the marks of deleted keys."),
	ROW("file.delete.delay.ms", LONG, "60000", AT_LEAST(0), MEDIUM, CLUSTER, FIELD(file_delete_delay_ms),
	    "How long a deleted file stays on disk under another name."),
	ROW("flush.messages", LONG, "9223372036854775807", AT_LEAST(1), MEDIUM, CLUSTER, FIELD(flush_messages),
	    "Records after which the log is flushed to disk."),
	ROW("flush.ms", LONG, "9223372036854775807", AT_LEAST(0), MEDIUM, CLUSTER, FIELD(flush_ms),
	    "Longest time that a record stays in memory before it is flushed to disk."),
	ROW("follower.replication.throttled.replicas", LIST, "", THROTTLED, MEDIUM, CLUSTER, FIELD(follower_throttled_replicas),
	    "Replicas whose following is throttled, as partition:broker, or * for all."),
	ROW("index.interval.bytes", INT, "4096", AT_LEAST(0), MEDIUM, CLUSTER, FIELD(index_interval_bytes),
	    "Bytes of records between two entries of an index."),
	ROW("klamm.durability", STRING, "page-cache", ONE_OF("page-cache, fsync-isr"), HIGH, CLUSTER, FIELD(klamm_durability),
	    "When a record counts as stored: in the page cache, or on the disk, of every in-sync replica."),
	ROW("leader.replication.throttled.replicas", LIST, "", THROTTLED, MEDIUM, CLUSTER, FIELD(leader_throttled_replicas),
	    "Replicas whose leaders are throttled, as partition:broker, or * for all."),
	ROW("local.retention.bytes", LONG, "-2", AT_LEAST(-2), MEDIUM, CLUSTER, UNUSED,
	    "Size that a tiered log keeps on local disk."),
	ROW("local.retention.ms", LONG, "-2", AT_LEAST(-2), MEDIUM, CLUSTER, UNUSED,
	    "How long a tiered log keeps records on local disk."),
	ROW("max.compaction.lag.ms", LONG, "9223372036854775807", AT_LEAST(1), MEDIUM, CLUSTER, FIELD(max_compaction_lag_ms),
	    "Longest time that a record may go without being looked at by compaction."),
	ROW("max.message.bytes", INT, "1048588", AT_LEAST(0), MEDIUM, CLUSTER, FIELD(max_message_bytes),
	    "Largest record batch that is taken."),
	ROW("message.downconversion.enable", BOOLEAN, "true", ANY, LOW, CLUSTER, FIELD(message_downconversion_enable),
	    "Whether records are converted for consumers that only know older formats."),
	ROW("message.format.version", STRING, "3.0-IV1", VERSION, MEDIUM, CLUSTER, UNUSED,
	    "Record format of old Kafka versions; without effect."),
	ROW("message.timestamp.after.max.ms", LONG, "9223372036854775807", AT_LEAST(0), MEDIUM, CLUSTER,
	    FIELD(message_timestamp_after_max_ms),
	    "How far the time stamp of a record may lie ahead of the broker's clock."),
	ROW("message.timestamp.before.max.ms", LONG, "9223372036854775807", AT_LEAST(0), MEDIUM, CLUSTER,
	    FIELD(message_timestamp_before_max_ms),
	    "How far the time stamp of a record may lie behind the broker's clock."),
	ROW("message.timestamp.difference.max.ms", LONG, "9223372036854775807", AT_LEAST(0), MEDIUM, CLUSTER,
	    FIELD(message_timestamp_difference_max_ms),
	    "Old name of the two limits on time stamps before and after the broker's clock."),
	ROW("message.timestamp.type", STRING, "CreateTime", ONE_OF("CreateTime, LogAppendTime"), MEDIUM, CLUSTER,
	    FIELD(message_timestamp_type),
	    "Whether records carry the time of the producer or the time of the append."),
	ROW("min.cleanable.dirty.ratio", DOUBLE, "0.5", RATIO, MEDIUM, CLUSTER, FIELD(min_cleanable_dirty_ratio),
	    "Share of a log not yet compacted at which compaction is worth it."),
	ROW("min.compaction.lag.ms", LONG, "0", AT_LEAST(0), MEDIUM, CLUSTER, FIELD(min_compaction_lag_ms),
	    "Shortest time that a record stays untouched by compaction."),
	ROW("min.insync.replicas", INT, "1", AT_LEAST(1), MEDIUM, CLUSTER, FIELD(min_insync_replicas),
	    "In-sync replicas that must have a record before it counts as stored, for producers that wait for all."),
	ROW("preallocate", BOOLEAN, "false", ANY, MEDIUM, CLUSTER, FIELD(preallocate),
	    "Whether disk space is taken for a whole segment when it is begun."),
	ROW("remote.log.copy.disable", BOOLEAN, "false", ANY, MEDIUM, CLUSTER, UNUSED,
	    "Whether copying to tiered storage is stopped."),
	ROW("remote.log.delete.on.disable", BOOLEAN, "false", ANY, MEDIUM, CLUSTER, UNUSED,
	    "Whether tiered records are deleted when tiered storage is turned off."),
	ROW("remote.storage.enable", BOOLEAN, "false", ANY, MEDIUM, CLUSTER, UNUSED,
	    "Whether the topic is tiered."),
	ROW("retention.bytes", LONG, "-1", ANY, MEDIUM, CLUSTER, FIELD(retention_bytes),
	    "Size of a partition above which old segments are deleted; -1 is no limit."),
	ROW("retention.ms", LONG, "604800000", AT_LEAST(-1), MEDIUM, CLUSTER, FIELD(retention_ms),
	    "Milliseconds that records are kept; -1 is for ever."),
	ROW("segment.bytes", INT, "1073741824", AT_LEAST(14), MEDIUM, CLUSTER, FIELD(segment_bytes),
	    "Largest size of a segment."),
	ROW("segment.index.bytes", INT, "10485760", AT_LEAST(4), MEDIUM, CLUSTER, FIELD(segment_index_bytes),
	    "Largest size of an index file."),
	ROW("segment.jitter.ms", LONG, "0", AT_LEAST(0), MEDIUM, CLUSTER, FIELD(segment_jitter_ms),
	    "Milliseconds by which the time of a new segment is spread at random."),
	ROW("segment.ms", LONG, "604800000", AT_LEAST(1), MEDIUM, CLUSTER, FIELD(segment_ms),
	    "Milliseconds after which a new segment is begun."),
	ROW("unclean.leader.election.enable", BOOLEAN, "false", ANY, MEDIUM, CLUSTER, FIELD(unclean_leader_election_enable),
	    "Whether a replica that is not in sync may lead when no other can, at the price of lost records."),
};

#define HOURS_MS 3600000
#define MINUTES_MS 60000

/* Grouped by topic key, in order of precedence. */
static const struct topic_config_synonym synonyms[] = {
	{"cleanup.policy", "log.cleanup.policy", 1},
	{"compression.gzip.level", "compression.gzip.level", 1},
	{"compression.lz4.level", "compression.lz4.level", 1},
	{"compression.type", "compression.type", 1},
	{"compression.zstd.level", "compression.zstd.level", 1},
	{"delete.retention.ms", "log.cleaner.delete.retention.ms", 1},
	{"file.delete.delay.ms", "log.segment.delete.delay.ms", 1},
	{"flush.messages", "log.flush.interval.messages", 1},
	{"flush.ms", "log.flush.interval.ms", 1},
	{"flush.ms", "log.flush.scheduler.interval.ms", 1},
	{"index.interval.bytes", "log.index.interval.bytes", 1},
	{"klamm.durability", "klamm.durability", 1},
	{"local.retention.bytes", "log.local.retention.bytes", 1},
	{"local.retention.ms", "log.local.retention.ms", 1},
	{"max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms", 1},
	{"max.message.bytes", "message.max.bytes", 1},
	{"message.downconversion.enable", "log.message.downconversion.enable", 1},
	{"message.format.version", "log.message.format.version", 1},
	{"message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms", 1},
	{"message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms", 1},
	{"message.timestamp.difference.max.ms", "log.message.timestamp.difference.max.ms", 1},
	{"message.timestamp.type", "log.message.timestamp.type", 1},
	{"min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio", 1},
	{"min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms", 1},
	{"min.insync.replicas", "min.insync.replicas", 1},
	{"preallocate", "log.preallocate", 1},
	{"retention.bytes", "log.retention.bytes", 1},
	{"retention.ms", "log.retention.ms", 1},
	{"retention.ms", "log.retention.minutes", MINUTES_MS},
	{"retention.ms", "log.retention.hours", HOURS_MS},
	{"segment.bytes", "log.segment.bytes", 1},
	{"segment.index.bytes", "log.index.size.max.bytes", 1},
	{"segment.jitter.ms", "log.roll.jitter.ms", 1},
	{"segment.jitter.ms", "log.roll.jitter.hours", HOURS_MS},
	{"segment.ms", "log.roll.ms", 1},
	{"segment.ms", "log.roll.hours", HOURS_MS},
	{"unclean.leader.election.enable", "unclean.leader.election.enable", 1},
};
/* clang-format on */

const struct config_table *topic_config_table(void)
{
	static const struct config_table table = {rows, ARRAY_LEN(rows)};

	return &table;
}

const struct topic_config_synonym *topic_config_synonyms(const char *topic_key, int *ret_n)
{
	const struct topic_config_synonym *first = NULL;
	int n = 0;

	for (size_t i = 0; i < ARRAY_LEN(synonyms); i++) {
		if (strcmp(synonyms[i].topic_key, topic_key) != 0)
			continue;
		if (n++ == 0)
			first = &synonyms[i];
	}
	*ret_n = n;
	return first;
}

static enum topic_compression compression_of(const char *type)
{
	static const struct {
		const char *name;
		enum topic_compression compression;
	} codecs[] = {
		{"uncompressed", TOPIC_COMPRESSION_NONE}, {"gzip", TOPIC_COMPRESSION_GZIP}, {"snappy", TOPIC_COMPRESSION_SNAPPY},
		{"lz4", TOPIC_COMPRESSION_LZ4},		  {"zstd", TOPIC_COMPRESSION_ZSTD},
	};

	for (size_t i = 0; i < ARRAY_LEN(codecs); i++)
		if (strcmp(codecs[i].name, type) == 0)
			return codecs[i].compression;
	return TOPIC_COMPRESSION_PRODUCER;
}

static bool list_has(const char *list, const char *word)
{
	struct slice element;

	for (size_t at = 0; config_list_next(slice_of_text(list), &at, &element);)
		if (slice_is_text(element, word))
			return true;
	return false;
}

static void derive(struct topic_config *config)
{
	config->cleanup_delete = list_has(config->cleanup_policy, "delete");
	config->cleanup_compact = list_has(config->cleanup_policy, "compact");
	config->timestamp_log_append = strcmp(config->message_timestamp_type, "LogAppendTime") == 0;
	config->compression = compression_of(config->compression_type);
	config->durability = strcmp(config->klamm_durability, "fsync-isr") == 0 ? TOPIC_FSYNC_ISR : TOPIC_PAGE_CACHE;
}

/* The effective limit: the old key counts where the newer one is not set (KIP-937). */
static int64_t limit_or(int64_t newer, int64_t older)
{
	return newer == INT64_MAX ? older : newer;
}

/* Kafka's own unit is hours or minutes in old keys; "for ever" stays -1. */
static int64_t scale(int64_t number, int64_t factor)
{
	int64_t scaled;

	if (number < 0)
		return -1;
	return __builtin_mul_overflow(number, factor, &scaled) ? INT64_MAX : scaled;
}

/* The broker's value of a topic key in one layer; false when none of its broker keys is set there with a value that passes. */
static bool layer_value(const struct broker_config *broker, enum config_layer layer, const struct config_row *row,
			struct arena *arena, struct config_parsed *ret_parsed)
{
	const struct config_table *table = broker_config_table();
	int n;
	const struct topic_config_synonym *synonym = topic_config_synonyms(row->name, &n);

	for (int i = 0; i < n; i++) {
		struct slice value = broker_config_layer(broker, layer, slice_of_text(synonym[i].broker_key));
		int index = config_table_find(table, slice_of_text(synonym[i].broker_key));
		struct config_parsed parsed;
		const char *refusal;

		CHECK(index >= 0);
		if (slice_is_null(value) || !config_parse(&table->rows[index], value, arena, &parsed, &refusal))
			continue;
		if (synonym[i].factor > 1)
			parsed.number = scale(parsed.number, synonym[i].factor);
		*ret_parsed = parsed;
		return true;
	}
	return false;
}

static void set_default(const struct broker_config *broker, const struct config_row *row, struct arena *arena,
			struct topic_config *config)
{
	struct config_parsed parsed;
	const char *refusal;

	for (int layer = CONFIG_DYNAMIC_BROKER; layer <= CONFIG_FILE; layer++) {
		if (layer_value(broker, (enum config_layer)layer, row, arena, &parsed)) {
			config_store(row, &parsed, config);
			return;
		}
	}
	CHECK(config_parse(row, slice_of_text(row->fallback), arena, &parsed, &refusal));
	config_store(row, &parsed, config);
}

void topic_config_defaults(const struct broker_config *broker, struct arena *arena, struct topic_config *ret_config)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		set_default(broker, &rows[i], arena, ret_config);
	derive(ret_config);
}

void topic_config_compute(const struct broker_config *broker, struct config_pairs overrides, struct arena *arena,
			  struct topic_config *ret_config, const char **ret_bad_key)
{
	const char *bad = NULL;

	*ret_config = broker->topic_defaults;
	for (int i = 0; i < overrides.n; i++) {
		int row = config_table_find(topic_config_table(), overrides.list[i].key);
		struct config_parsed parsed;
		const char *refusal;

		if (row >= 0 && !slice_is_null(overrides.list[i].value) &&
		    config_parse(&rows[row], overrides.list[i].value, arena, &parsed, &refusal))
			config_store(&rows[row], &parsed, ret_config);
		else
			bad = (const char *)arena_copy(arena, overrides.list[i].key).data;
	}
	derive(ret_config);
	if (ret_bad_key)
		*ret_bad_key = bad;
}

int64_t topic_config_timestamp_before_max_ms(const struct topic_config *config)
{
	return limit_or(config->message_timestamp_before_max_ms, config->message_timestamp_difference_max_ms);
}

int64_t topic_config_timestamp_after_max_ms(const struct topic_config *config)
{
	return limit_or(config->message_timestamp_after_max_ms, config->message_timestamp_difference_max_ms);
}

/* Keys that name something Klamm does not do: refused when turned on, since ignoring them would mislead. */
static bool check_tiering(struct config_pairs overrides, const char **ret_refusal)
{
	static const char *const keys[] = {"remote.log.copy.disable", "remote.log.delete.on.disable", "remote.storage.enable"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct slice value = config_pairs_get(overrides, slice_of_text(keys[i]));

		if (value.len != 4 || strncasecmp((const char *)value.data, "true", 4) != 0)
			continue;
		*ret_refusal = i < 2 ? "It is invalid to set `remote.log.delete.on.disable` or `remote.log.copy.disable` under "
				       "Zookeeper's mode."
				     : "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote "
				       "log storage.";
		return false;
	}
	return true;
}

bool topic_config_check(const struct broker_config *broker, struct config_pairs overrides, struct arena *arena,
			const char **ret_refusal)
{
	struct topic_config config;
	struct config_parsed parsed;

	for (int i = 0; i < overrides.n; i++) {
		if (config_table_find(topic_config_table(), overrides.list[i].key) >= 0)
			continue;
		*ret_refusal = arena_printf(arena, "Unknown topic config name: %.*s", SLICE_ARGS(overrides.list[i].key));
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice value = config_pairs_get(overrides, slice_of_text(rows[i].name));

		if (!slice_is_null(value) && !config_parse(&rows[i], value, arena, &parsed, ret_refusal))
			return false;
	}
	topic_config_compute(broker, overrides, arena, &config, NULL);
	if (config.min_compaction_lag_ms > config.max_compaction_lag_ms) {
		*ret_refusal = arena_printf(arena,
					    "conflict topic config setting min.compaction.lag.ms (%lld) > max.compaction.lag.ms (%lld)",
					    (long long)config.min_compaction_lag_ms, (long long)config.max_compaction_lag_ms);
		return false;
	}
	return check_tiering(overrides, ret_refusal);
}
