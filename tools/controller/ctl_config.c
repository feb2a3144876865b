/* Configs in the picture; see ctl_config.h. */
#include "tools/controller/ctl_config.h"

#include "tools/controller/ctl_partition.h"

#define UNCLEAN "unclean.leader.election.enable"
#define MIN_ISR "min.insync.replicas"
#define DURABILITY "klamm.durability"

/* A broker's own dynamic value, or (-1) that of all; null: it does not say. */
static struct slice value_of_broker(struct ctl *ctl, int32_t broker, const char *name)
{
	const struct ctl_broker_config *config = ctl_broker_config_find(ctl, broker);

	return config ? ctl_configs_get(&config->configs, name) : SLICE_NULL;
}

/* The topic's value, else the brokers' dynamic default; null: neither says. */
static struct slice value_of(struct ctl *ctl, const struct ctl_topic *topic, const char *name)
{
	struct slice value = ctl_configs_get(&topic->configs, name);

	return slice_is_null(value) ? value_of_broker(ctl, -1, name) : value;
}

bool ctl_config_unclean(struct ctl *ctl, const struct ctl_topic *topic)
{
	struct slice value = value_of(ctl, topic, UNCLEAN);

	return slice_is_null(value) ? ctl->settings.unclean_leader_election : slice_is_text(value, "true");
}

bool ctl_config_is_durable(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_broker *broker)
{
	struct slice value = ctl_configs_get(&topic->configs, DURABILITY);

	if (slice_is_null(value))
		value = value_of_broker(ctl, broker->id, DURABILITY);
	if (slice_is_null(value))
		value = value_of_broker(ctl, -1, DURABILITY);
	return slice_is_null(value) ? broker->durable : slice_is_text(value, "fsync-isr");
}

/* Digits only, at least 1; anything else counts as nothing said. */
static int32_t number_of(struct slice value, int32_t fallback)
{
	int64_t number = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] < '0' || value.data[i] > '9' || number > INT16_MAX)
			return fallback;
		number = number * 10 + (value.data[i] - '0');
	}
	return number > 0 ? (int32_t)number : fallback;
}

/* With no broker there nobody knows: as much as there can be, so that nobody loses what he is eligible for. */
static int32_t least_of_files(const struct ctl *ctl)
{
	int32_t least = 0;
	bool any = false;

	for (int i = 0; i < ctl->n_brokers; i++) {
		const struct ctl_broker *broker = &ctl->brokers[i];

		any |= !broker->ignored;
		if (!broker->ignored && broker->min_isr > 0 && (least == 0 || broker->min_isr < least))
			least = broker->min_isr;
	}
	if (!any)
		return INT32_MAX;
	if (least == 0)
		least = ctl->settings.min_insync_replicas;
	return least > 0 ? least : 1;
}

int32_t ctl_config_min_isr(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_partition *p)
{
	int32_t min_isr = number_of(value_of(ctl, topic, MIN_ISR), 0);

	if (min_isr == 0)
		min_isr = least_of_files(ctl);

	return min_isr < p->n_replicas ? min_isr : p->n_replicas;
}

void ctl_config_on_topic_read(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_event *event)
{
	const struct ctl_config_read *read;

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
	/* Who may lead, and who is eligible, may be another now. */
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

static bool take(struct ctl *ctl, const struct ctl_config_read *read)
{
	struct ctl_broker_config *config = ctl_broker_config_find(ctl, read->broker);

	if (!config)
		config = add(ctl, read->broker);
	else if (config->configs.version == read->version && ctl_configs_same(&config->configs, read->pairs, read->n_pairs))
		return false;
	ctl_configs_set(ctl, &config->configs, read->pairs, read->n_pairs, read->version);
	config->dirty = true;
	return true;
}

void ctl_config_on_brokers_read(struct ctl *ctl, const struct ctl_event *event)
{
	bool changed = false;

	/* A node that is gone stays in the picture without entries, so that brokers are told once. */
	for (int i = 0; i < ctl->n_broker_configs; i++) {
		struct ctl_config_read gone = {.broker = ctl->broker_configs[i].broker, .version = -1};

		if (!find_read(event, gone.broker))
			changed |= take(ctl, &gone);
	}
	for (int i = 0; i < event->n_configs; i++)
		changed |= take(ctl, &event->configs[i]);
	if (changed)
		ctl_partition_check_all(ctl);
}
