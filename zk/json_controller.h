/* /controller (JSON), /controller_epoch (plain decimal) and /klamm/controller_epoch (JSON, ours). */
#ifndef KLAMM_ZK_JSON_CONTROLLER_H
#define KLAMM_ZK_JSON_CONTROLLER_H

#include "common/arena.h"
#include "common/error.h"
#include "common/slice.h"

#include <stdint.h>

struct controller_znode {
	int32_t broker_id; /* what clients are told; -1 = none. Never says who holds the office: nonce and ephemeral owner do */
	int64_t timestamp_ms;
	int32_t kraft_epoch; /* -1 = no KRaft controller */
	struct slice nonce;  /* ours only: random text of the candidate's incarnation; null in nodes of Kafka */
};

int controller_znode_decode(struct arena *arena, const char *path, struct slice json, struct controller_znode *ret_controller,
			    struct error *err);
struct slice controller_znode_encode(struct arena *arena, const struct controller_znode *controller);

int controller_epoch_decode(const char *path, struct slice text, int32_t *ret_epoch, struct error *err);
struct slice controller_epoch_encode(struct arena *arena, int32_t epoch);

/*
 * Written with every election of ours: an epoch that is not the one in /controller_epoch tells that somebody else ruled meanwhile (D9).
 * {"epoch":5,"since":3}
 */
struct controller_rule {
	int32_t epoch; /* of our last controller */
	int32_t since; /* nobody else was in office from this one on */
};

int controller_rule_decode(struct arena *arena, const char *path, struct slice json, struct controller_rule *ret_rule, struct error *err);
struct slice controller_rule_encode(struct arena *arena, const struct controller_rule *rule);

#endif
