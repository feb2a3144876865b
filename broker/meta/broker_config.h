/*
 * The configuration of a broker: an immutable, counted value with a typed field for every key that Klamm reads.
 *
 *     server.properties, --set --> broker_config_load --> struct broker_config (static)
 *                                                              |
 *     /config/brokers/<default>, /config/brokers/<id> ---------+--> broker_config_derive --> a new struct broker_config
 *
 * The hub derives a new one when the dynamic configuration changes and posts it to the workers, each with its own reference. The
 * key list, defaults and checks are those of Kafka 3.9 (kafka.md 8); keys beginning with "klamm." are ours. Fields are named as the
 * keys; a text that is null is NULL, a number that is null -1. All text lives as long as the struct.
 */
#ifndef KLAMM_BROKER_META_BROKER_CONFIG_H
#define KLAMM_BROKER_META_BROKER_CONFIG_H

#include "broker/meta/listeners_core.h"
#include "broker/meta/topic_config.h"
#include "common/arena.h"
#include "common/config_load.h"
#include "common/config_table.h"
#include "common/error.h"
#include "common/properties.h"
#include "common/refcount.h"

/* Kafka's classes that choose the replica a consumer reads from (KIP-392). */
#define SELECTOR_LEADER "org.apache.kafka.common.replica.LeaderSelector"
#define SELECTOR_RACK_AWARE "org.apache.kafka.common.replica.RackAwareReplicaSelector"

struct broker_config {
	struct refcount refs;
	struct arena arena;
	const struct broker_config *base; /* the static configuration this was derived from (retained), or NULL */

	/* What was set in the file: by row of the table, and the keys that have no row (of plug-ins, of listeners, misspelled). */
	const struct config_setting *settings;
	struct config_pairs extra;           /* of the file; sorted */
	struct config_pairs dynamic_default; /* /config/brokers/<default>; sorted */
	struct config_pairs dynamic_broker;  /* /config/brokers/<id>; sorted */

	/* What holds: by row of the table, as text. */
	const struct slice *values;

	/* Derived from several keys. */
	struct listeners listener_list;
	const char *const *log_dir_list;
	int n_log_dirs;
	struct topic_config topic_defaults;

	/* One field for each key. */
	const char *advertised_listeners;
	bool auto_create_topics_enable;
	int32_t broker_id;
	bool broker_id_generation_enable;
	const char *broker_rack;
	int32_t connection_failed_authentication_delay_ms;
	int64_t connections_max_idle_ms;
	int64_t connections_max_reauth_ms;
	bool controlled_shutdown_enable;
	int32_t controlled_shutdown_max_retries;
	int64_t controlled_shutdown_retry_backoff_ms;
	int32_t controller_socket_timeout_ms;
	int32_t default_replication_factor;
	int64_t delegation_token_expiry_check_interval_ms;
	int64_t delegation_token_expiry_time_ms;
	const char *delegation_token_master_key;
	int64_t delegation_token_max_lifetime_ms;
	const char *delegation_token_secret_key;
	bool delete_topic_enable;
	int32_t fetch_max_bytes;
	int32_t group_initial_rebalance_delay_ms;
	int32_t group_max_session_timeout_ms;
	int32_t group_max_size;
	int32_t group_min_session_timeout_ms;
	const char *inter_broker_listener_name;
	const char *inter_broker_protocol_version;
	int64_t klamm_flush_bytes;
	int64_t klamm_flush_interval_ms;
	int64_t klamm_memory_bytes;
	const char *klamm_metrics_listener; /* "", or host:port */
	int32_t klamm_open_files;
	int32_t klamm_request_slow_ms;
	bool klamm_supervise;
	int32_t klamm_workers;
	const char *klamm_zookeeper_auth_digest;
	const char *listener_security_protocol_map;
	const char *listeners;
	int64_t log_cleaner_backoff_ms;
	int64_t log_cleaner_dedupe_buffer_size;
	bool log_cleaner_enable;
	double log_cleaner_io_buffer_load_factor;
	int32_t log_cleaner_io_buffer_size;
	double log_cleaner_io_max_bytes_per_second;
	int32_t log_cleaner_threads;
	const char *log_dir;
	const char *log_dirs;
	int32_t log_flush_offset_checkpoint_interval_ms;
	int32_t log_flush_start_offset_checkpoint_interval_ms;
	int64_t log_retention_check_interval_ms;
	int32_t max_connection_creation_rate;
	int32_t max_connections;
	int32_t max_connections_per_ip;
	const char *max_connections_per_ip_overrides;
	int32_t max_incremental_fetch_session_cache_slots;
	int32_t node_id;
	int32_t num_partitions;
	int32_t num_recovery_threads_per_data_dir;
	int32_t offset_metadata_max_bytes;
	int32_t offsets_commit_required_acks;
	int32_t offsets_commit_timeout_ms;
	int32_t offsets_load_buffer_size;
	int64_t offsets_retention_check_interval_ms;
	int32_t offsets_retention_minutes;
	int32_t offsets_topic_compression_codec;
	int32_t offsets_topic_num_partitions;
	int32_t offsets_topic_replication_factor;
	int32_t offsets_topic_segment_bytes;
	const char *password_encoder_old_secret;
	const char *password_encoder_secret;
	int32_t producer_id_expiration_ms;
	int64_t queued_max_request_bytes;
	int32_t queued_max_requests;
	int32_t replica_fetch_backoff_ms;
	int32_t replica_fetch_max_bytes;
	int32_t replica_fetch_min_bytes;
	int32_t replica_fetch_response_max_bytes;
	int32_t replica_fetch_wait_max_ms;
	int64_t replica_high_watermark_checkpoint_interval_ms;
	int64_t replica_lag_time_max_ms;
	const char *replica_selector_class; /* NULL, or one of SELECTOR_... */
	int32_t replica_socket_receive_buffer_bytes;
	int32_t replica_socket_timeout_ms;
	int32_t request_timeout_ms;
	int32_t reserved_broker_max_id;
	const char *sasl_enabled_mechanisms;
	const char *sasl_jaas_config;
	const char *sasl_mechanism_inter_broker_protocol;
	int32_t sasl_server_max_receive_size;
	const char *security_inter_broker_protocol;
	int64_t socket_connection_setup_timeout_ms;
	int32_t socket_listen_backlog_size;
	int32_t socket_receive_buffer_bytes;
	int32_t socket_request_max_bytes;
	int32_t socket_send_buffer_bytes;
	int32_t transaction_abort_timed_out_transaction_cleanup_interval_ms;
	int32_t transaction_max_timeout_ms;
	bool transaction_partition_verification_enable;
	int32_t transaction_remove_expired_transaction_cleanup_interval_ms;
	int32_t transaction_state_log_load_buffer_size;
	int32_t transaction_state_log_min_isr;
	int32_t transaction_state_log_num_partitions;
	int32_t transaction_state_log_replication_factor;
	int32_t transaction_state_log_segment_bytes;
	int32_t transactional_id_expiration_ms;
	const char *zookeeper_connect;
	int32_t zookeeper_connection_timeout_ms;
	int32_t zookeeper_max_in_flight_requests;
	int32_t zookeeper_session_timeout_ms;
	bool zookeeper_set_acl;
};

const struct config_table *broker_config_table(void);

/*
 * Reads and checks a whole configuration. ret_config has one reference; until it is shared the owner may set broker_id and node_id
 * to the id that ZooKeeper or meta.properties gave, when it is -1. ERR_CONFIG: err names file, line, key, value and what may
 * stand there. warnings may be NULL.
 */
int broker_config_load(const struct properties *properties, const struct config_warnings *warnings,
		       struct broker_config **ret_config, struct error *err);

/*
 * The configuration with dynamic overrides on top, with one reference; `config` may itself be a derived one (its overrides are
 * replaced). Dynamic values that do not pass their checks are left out with a warning, as they came from ZooKeeper. Never fails.
 */
struct broker_config *broker_config_derive(const struct broker_config *config, struct config_pairs dynamic_default,
					   struct config_pairs dynamic_broker, const struct config_warnings *warnings);

/*
 * Checks dynamic overrides as Kafka does before it stores them. True when they are fine; else ret_refusal is Kafka's text and
 * the error code INVALID_REQUEST. `of_default`: for all brokers (then keys of one broker are refused).
 */
bool broker_config_check_dynamic(const struct broker_config *config, struct config_pairs overrides, bool of_default,
				 struct arena *arena, const char **ret_refusal);

/* Where a value can come from, highest precedence first. */
enum config_layer { CONFIG_DYNAMIC_BROKER, CONFIG_DYNAMIC_DEFAULT, CONFIG_FILE, CONFIG_FALLBACK, CONFIG_LAYERS };

/* The value that a key has in one layer; null when that layer does not set it. */
struct slice broker_config_layer(const struct broker_config *config, enum config_layer layer, struct slice key);

/*
 * The keys that set the same thing, in order of precedence: "log.retention.ms", "log.retention.minutes", "log.retention.hours" for
 * each of them. For other keys *ret_n is 0.
 */
const char *const *broker_config_synonyms(struct slice key, int *ret_n);

/* The key without "listener.name.<name>."; null when it does not begin so. */
struct slice broker_config_listener_base(struct slice key);

/* The row of a key that only exists dynamically (replication throttles); NULL for others. */
const struct config_row *broker_config_dynamic_row(struct slice key);

struct broker_config *broker_config_retain(const struct broker_config *config);
/* NULL is allowed. */
void broker_config_release(const struct broker_config *config);

#endif
