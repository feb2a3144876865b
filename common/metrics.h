/*
 * Writes figures in Prometheus' text format (version 0.0.4), which is what a scrape is answered with.
 *
 *     metrics_family(m, "klamm_connections", METRIC_GAUGE, "Connections of clients and brokers.")
 *                                          # HELP klamm_connections Connections of clients and brokers.
 *                                          # TYPE klamm_connections gauge
 *     metrics_value(m, 3)                  klamm_connections 3
 *     metrics_value_of(m, "topic", "a\"b", 4)
 *                                          klamm_connections{topic="a\"b"} 4
 *
 * There is no registry: whoever has figures writes them here when it is asked. Names and help texts are constants of the house and are
 * CHECKed; label values may come from outside and are escaped.
 *
 * Memory: the text grows up to bytes_max. What does not fit is left out line by line, and metrics_text says so.
 */
#ifndef KLAMM_COMMON_METRICS_H
#define KLAMM_COMMON_METRICS_H

#include "common/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metric_type {
	METRIC_COUNTER, /* only grows while the process lives; its name ends in _total */
	METRIC_GAUGE,
};

struct metrics {
	char *text;
	size_t len;
	size_t cap;
	size_t bytes_max;
	const char *name; /* of the family that is being written */
	bool overflowed;
};

void metrics_init(struct metrics *metrics, size_t bytes_max);
void metrics_fini(struct metrics *metrics);

/* What is written next are samples of this name, all of them: a name comes once. name lives until the next one begins. */
void metrics_family(struct metrics *metrics, const char *name, enum metric_type type, const char *help);

/* The one sample of a family without labels. */
void metrics_value(struct metrics *metrics, int64_t value);

/* One sample for each value of a label. Bytes that are not UTF-8 are replaced, so that one odd value does not spoil the whole answer. */
void metrics_value_of(struct metrics *metrics, const char *label, struct slice label_value, int64_t value);

/* A family with one sample. */
void metrics_one(struct metrics *metrics, const char *name, enum metric_type type, const char *help, int64_t value);

/* All that was written; of whole lines. 0, or ERR_TOO_LARGE when something was left out. */
int metrics_text(const struct metrics *metrics, struct slice *ret_text);

#endif
