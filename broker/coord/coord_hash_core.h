/*
 * Which partition of an internal topic an id belongs to: that of a group in __consumer_offsets, of a transactional id in __transaction_state.
 * Pure. Kafka's rule: the absolute value of Java's String.hashCode (0 for the lowest of all numbers, which has none), modulo the partitions of the
 * topic that exists.
 */
#ifndef KLAMM_BROKER_COORD_COORD_HASH_CORE_H
#define KLAMM_BROKER_COORD_COORD_HASH_CORE_H

#include "common/slice.h"

/*
 * Java's hash of the string that Java makes of these bytes: over the UTF-16 units, where each piece that is not valid UTF-8 became one U+FFFD. A
 * piece is the longest beginning of a character; three bytes that spell half of a surrogate pair are one.
 */
int32_t coord_hash(struct slice id);

/* The partition of an id among n_partitions, which is above 0. */
int32_t coord_hash_partition(struct slice id, int32_t n_partitions);

#endif
