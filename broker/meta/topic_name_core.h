/* Rules for topic names: letters, digits, '.', '_' and '-', at most LIMIT_TOPIC_NAME_BYTES, not "." or "..". */
#ifndef KLAMM_BROKER_META_TOPIC_NAME_CORE_H
#define KLAMM_BROKER_META_TOPIC_NAME_CORE_H

#include "common/arena.h"
#include "common/slice.h"

#include <stdbool.h>

/* False: not a name of a topic; ret_refusal (may be NULL) is what Kafka says about it, "Topic name is invalid: ...". */
bool topic_name_check(struct slice name, struct arena *arena, const char **ret_refusal);
bool topic_name_is_valid(struct slice name);

/* Names that differ only by '.' for '_' collide: their metrics would have one name. Equal names do not collide here. */
bool topic_names_collide(struct slice a, struct slice b);

/* __consumer_offsets and __transaction_state. */
bool topic_name_is_internal(struct slice name);

#endif
