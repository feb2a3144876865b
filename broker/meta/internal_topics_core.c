/* Settings of Kafka's internal topics; see internal_topics_core.h. */
#include "broker/meta/internal_topics_core.h"

#include "common/memory.h"

static struct config_pair number(struct arena *arena, const char *key, int32_t value)
{
	return (struct config_pair){slice_of_text(key), slice_of_text(arena_printf(arena, "%d", (int)value))};
}

static void set_configs(struct create_topic_wish *wish, struct arena *arena, const struct config_pair *configs, int n)
{
	struct config_pair *copy = arena_zalloc(arena, (size_t)n, sizeof *copy);

	memcpy(copy, configs, (size_t)n * sizeof *copy);
	wish->configs = copy;
	wish->n_configs = n;
}

static struct create_topic_wish offsets_wish(const struct broker_config *config, struct slice name, struct arena *arena)
{
	struct create_topic_wish wish = {.name = name,
					 .n_partitions = config->offsets_topic_num_partitions,
					 .replication_factor = (int16_t)config->offsets_topic_replication_factor};
	struct config_pair configs[] = {
		{SLICE_LITERAL("cleanup.policy"), SLICE_LITERAL("compact")},
		{SLICE_LITERAL("compression.type"), SLICE_LITERAL("producer")},
		number(arena, "segment.bytes", config->offsets_topic_segment_bytes),
	};

	set_configs(&wish, arena, configs, (int)ARRAY_LEN(configs));
	return wish;
}

static struct create_topic_wish transactions_wish(const struct broker_config *config, struct slice name, struct arena *arena)
{
	struct create_topic_wish wish = {.name = name,
					 .n_partitions = config->transaction_state_log_num_partitions,
					 .replication_factor = (int16_t)config->transaction_state_log_replication_factor};
	struct config_pair configs[] = {
		{SLICE_LITERAL("cleanup.policy"), SLICE_LITERAL("compact")},
		{SLICE_LITERAL("compression.type"), SLICE_LITERAL("uncompressed")},
		number(arena, "min.insync.replicas", config->transaction_state_log_min_isr),
		number(arena, "segment.bytes", config->transaction_state_log_segment_bytes),
		{SLICE_LITERAL("unclean.leader.election.enable"), SLICE_LITERAL("false")},
	};

	set_configs(&wish, arena, configs, (int)ARRAY_LEN(configs));
	return wish;
}

struct create_topic_wish internal_topics_wish(const struct broker_config *config, struct slice name, struct arena *arena)
{
	if (slice_is_text(name, INTERNAL_TOPIC_OFFSETS))
		return offsets_wish(config, name, arena);
	if (slice_is_text(name, INTERNAL_TOPIC_TRANSACTIONS))
		return transactions_wish(config, name, arena);
	return (struct create_topic_wish){.name = name, .n_partitions = -1, .replication_factor = -1};
}
