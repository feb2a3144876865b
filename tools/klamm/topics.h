/* Private to the files of `klamm topics`: what its actions share. */
#ifndef KLAMM_TOOLS_KLAMM_TOPICS_H
#define KLAMM_TOOLS_KLAMM_TOPICS_H

#include "tools/klamm/command.h"

int topics_create(struct run *run, struct error *err);
int topics_describe(struct run *run, struct error *err);
int topics_alter(struct run *run, struct error *err);
int topics_apply(struct run *run, struct error *err);

/* Those of --topic (or of --topic-id), sorted by name; internal ones too unless --exclude-internal. One of run_code. */
int topics_select(struct run *run, struct metadata_response_topic **ret_topics, int *ret_n, struct error *err);

/* "name=value" of --config: the position of '=', NULL with err set. */
const char *topics_config_split(const char *text, struct error *err);

#endif
