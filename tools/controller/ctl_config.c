/* Configs in the picture; see ctl_config.h. */
#include "tools/controller/ctl_config.h"

#include "tools/controller/ctl_partition.h"

#define UNCLEAN "unclean.leader.election.enable"

bool ctl_config_unclean(struct ctl *ctl, const struct ctl_topic *topic)
{
	struct slice value = ctl_configs_get(&topic->configs, UNCLEAN);
	const struct ctl_broker_config *defaults;

	if (slice_is_null(value)) {
		defaults = ctl_broker_config_find(ctl, -1);
		value = defaults ? ctl_configs_get(&defaults->configs, UNCLEAN) : SLICE_NULL;
	}
	return slice_is_null(value) ? ctl->settings.unclean_leader_election : slice_is_text(value, "true");
}

void ctl_config_on_topic_read(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_event *event)
{
	const struct ctl_config_read *read;
	bool unclean = ctl_config_unclean(ctl, topic);

	if (event->n_configs < 1)
		return;
	read = &event->configs[0];
	if (topic->configs_known && topic->configs.version == read->version &&
	    ctl_configs_same(&topic->configs, read->pairs, read->n_pairs))
		return;
	ctl_configs_set(ctl, &topic->configs, read->pairs, read->n_pairs, read->version);
	topic->configs_known = true;
	topic->configs_dirty = true;
	ctl_topic_touch(ctl, topic);
	if (!unclean && ctl_config_unclean(ctl, topic))
		ctl_partition_check_topic(ctl, topic);
}

static const struct ctl_config_read *find_read(const struct ctl_event *event, int32_t broker)
{
	for (int i = 0; i < event->n_configs; i++)
		if (event->configs[i].broker == broker)
			return &event->configs[i];
	return NULL;
}

static struct ctl_broker_config *add(struct ctl *ctl, int32_t broker)
{
	size_t n = (size_t)ctl->n_broker_configs;
	struct ctl_broker_config *all = ctl_pool_get(&ctl->pool, n + 1, sizeof *all);

	for (size_t i = 0; i < n; i++)
		all[i] = ctl->broker_configs[i];
	ctl_pool_put(&ctl->pool, ctl->broker_configs, n, sizeof *all);
	ctl->broker_configs = all;
	ctl->n_broker_configs++;
	all[n] = (struct ctl_broker_config){.broker = broker, .configs = {.version = -1}};
	return &all[n];
}

static void take(struct ctl *ctl, const struct ctl_config_read *read)
{
	struct ctl_broker_config *config = ctl_broker_config_find(ctl, read->broker);

	if (!config)
		config = add(ctl, read->broker);
	else if (config->configs.version == read->version && ctl_configs_same(&config->configs, read->pairs, read->n_pairs))
		return;
	ctl_configs_set(ctl, &config->configs, read->pairs, read->n_pairs, read->version);
	config->dirty = true;
}

void ctl_config_on_brokers_read(struct ctl *ctl, const struct ctl_event *event)
{
	struct ctl_topic none = {0};
	bool unclean = ctl_config_unclean(ctl, &none);

	/* A node that is gone stays in the picture without entries, so that brokers are told once. */
	for (int i = 0; i < ctl->n_broker_configs; i++) {
		struct ctl_config_read gone = {.broker = ctl->broker_configs[i].broker, .version = -1};

		if (!find_read(event, gone.broker))
			take(ctl, &gone);
	}
	for (int i = 0; i < event->n_configs; i++)
		take(ctl, &event->configs[i]);
	if (!unclean && ctl_config_unclean(ctl, &none))
		ctl_partition_check_all(ctl);
}
