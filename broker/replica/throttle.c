/* See throttle.h. */
#include "broker/replica/throttle.h"

#include "common/config_table.h"

#include <stdio.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

int64_t throttle_rate(const struct broker_config *config, struct slice key)
{
	const struct config_row *row = broker_config_dynamic_row(key);
	struct slice value = broker_config_layer(config, CONFIG_DYNAMIC_BROKER, key);
	int64_t rate = THROTTLE_NONE;
	struct config_parsed parsed;
	const char *refusal;
	struct arena arena;

	if (slice_is_null(value))
		value = broker_config_layer(config, CONFIG_DYNAMIC_DEFAULT, key);
	if (!row || slice_is_null(value))
		return THROTTLE_NONE;
	arena_init(&arena);
	if (config_parse(row, value, &arena, &parsed, &refusal))
		rate = parsed.number;
	arena_fini(&arena);
	return rate;
}

bool throttle_names(const char *list, int32_t partition, int32_t broker)
{
	struct slice all = slice_of_text(list ? list : ""), element;
	char wanted[32];
	size_t at = 0;

	snprintf(wanted, sizeof wanted, "%d:%d", partition, broker);
	while (all.len > 0 && config_list_next(all, &at, &element))
		if (slice_is_text(element, "*") || slice_is_text(element, wanted))
			return true;
	return false;
}

void throttle_forget(struct throttle *throttle)
{
	shared_i64_set(&throttle->paid_ns, 0);
}

int64_t throttle_take(struct throttle *throttle, int64_t rate, int64_t bytes, int64_t now_ns)
{
	/* A rate of nothing would never be paid for: Kafka's least is one byte a second, too. */
	double cost_ns = (double)bytes * (double)NS_PER_S / (double)(rate > 0 ? rate : 1);
	int64_t ahead_ns;

	if (rate == THROTTLE_NONE)
		return 0;
	if (shared_i64_get(&throttle->paid_ns) < now_ns)
		shared_i64_set(&throttle->paid_ns, now_ns);
	/* So large an amount at so low a rate is an hour's pause at most, then the next one. */
	if (cost_ns > 3600.0 * (double)NS_PER_S)
		cost_ns = 3600.0 * (double)NS_PER_S;
	ahead_ns = shared_i64_add(&throttle->paid_ns, (int64_t)cost_ns) - now_ns;
	return ahead_ns > THROTTLE_BURST_NS ? ahead_ns / NS_PER_MS : 0;
}
