/* /brokers/topics/<t>/partitions/<p>/state: leader and ISR. The node's version is the partition epoch. */
#ifndef KLAMM_ZK_JSON_PARTITION_STATE_H
#define KLAMM_ZK_JSON_PARTITION_STATE_H

#include "common/arena.h"
#include "common/error.h"
#include "common/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct partition_state_znode {
	int32_t leader; /* -1 = none */
	int32_t leader_epoch;
	int32_t controller_epoch;
	bool recovering; /* leader_recovery_state 1: elected unclean, not yet the only truth */
	int32_t *isr;
	int32_t n_isr;
	/* Our keys (D9); absent in nodes that Kafka wrote (n -1) and then not written. Kafka ignores them. */
	int32_t *elr; /* eligible leaders beside the ISR; without leader all of them, and isr is for Kafka's readers only */
	int32_t n_elr;
	int64_t *elr_epochs; /* broker epochs, in the order of elr; n_elr_epochs is -1 or n_elr */
	int32_t n_elr_epochs;
	int32_t *last_known_elr;
	int32_t n_last_known_elr;
	int64_t *isr_epochs; /* broker epochs, in the order of isr; n_isr_epochs is -1 or n_isr */
	int32_t n_isr_epochs;
};

int partition_state_znode_decode(struct arena *arena, const char *path, struct slice json,
				 struct partition_state_znode *ret_state, struct error *err);
struct slice partition_state_znode_encode(struct arena *arena, const struct partition_state_znode *state);

#endif
