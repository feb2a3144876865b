/* From the JSON of znodes (zk/json_*.h) to what the decisions are told. What cannot be decoded is nonsense with a text, never an end. */
#ifndef KLAMM_TOOLS_CONTROLLER_OFFICE_DECODE_H
#define KLAMM_TOOLS_CONTROLLER_OFFICE_DECODE_H

#include "common/arena.h"
#include "tools/controller/ctl_event.h"

/* Texts lie in the arena. listener: see office_read_new. id and epoch stay as they are. */
void office_decode_broker(struct arena *arena, const char *path, struct slice json, const char *listener, struct ctl_broker_read *broker);

/* created and version stay as they are. */
void office_decode_topic(struct arena *arena, const char *path, struct slice json, struct ctl_topic_read *node);

/* partition, version and mzxid stay as they are. */
void office_decode_state(struct arena *arena, const char *path, struct slice json, struct ctl_state_read *state);

/* broker and version stay as they are; nonsense is traced and has no entries. */
void office_decode_config(struct arena *arena, const char *path, struct slice json, struct ctl_config_read *config);

/* An election node, or with_replicas one of reassignments; version stays as it is. */
void office_decode_legacy(struct arena *arena, const char *path, struct slice json, bool with_replicas, struct ctl_legacy_read *read);

#endif
