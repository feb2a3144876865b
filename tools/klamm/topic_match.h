/*
 * The value of --topic as Kafka's tools take it: names or extended regular expressions, commas between them. A whole name has
 * to match. Names without special signs can be asked for by name.
 */
#ifndef KLAMM_TOOLS_KLAMM_TOPIC_MATCH_H
#define KLAMM_TOOLS_KLAMM_TOPIC_MATCH_H

#include "common/arena.h"
#include "common/error.h"
#include "common/slice.h"

#include <regex.h>
#include <stdbool.h>

struct topic_match {
	bool all; /* no pattern: everything */
	bool has_regex;
	regex_t regex;
	struct slice *names; /* only names: no regular expression is needed */
	int n_names;
};

/* text NULL matches all. ERR_INVALID. */
int topic_match_init(struct topic_match *match, struct arena *arena, const char *text, struct error *err);
void topic_match_fini(struct topic_match *match);
bool topic_match_name(const struct topic_match *match, struct slice name);

/* Kafka's own topics. */
bool topic_is_internal(struct slice name);

#endif
