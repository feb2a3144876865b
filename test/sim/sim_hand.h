/*
 * Znodes edited by hand: damaged and mended again, removed, made as old tools do. What an operator may do to a cluster without asking it.
 *
 * Also what sim_operators.c and sim_hand.c share.
 */
#ifndef KLAMM_TEST_SIM_SIM_HAND_H
#define KLAMM_TEST_SIM_SIM_HAND_H

#include <stdbool.h>
#include <stdint.h>

#define OPERATOR_TOPICS 4
#define OPERATOR_PARTITIONS_MAX 4
#define OPERATOR_PATH_MAX_BYTES 128

/* ---- of sim_operators.c ---- */

int64_t operator_chance(int64_t n);
const char *operator_topic_name(int i);
/* The data of a node as it is committed; NULL: there is none. */
const char *operator_data_of(const char *path);
/* Paths are good until the next call of the same function. */
const char *operator_topic_path(const char *name);
const char *operator_state_path(const char *name, int partition);
/* The number behind a key of a JSON text; -1 where it is not found. */
int operator_number_in(const char *text, const char *key);
/* A list of brokers: mostly a right one, of one to three. */
int operator_draw_replicas(int32_t *ret_ids, bool right);

/* ---- of sim_hand.c ---- */

void hand_init(void);
/* What was damaged is mended, what nobody can do is taken away. Again and again, at the end: there may be no majority to do it. */
void hand_clean_up(void);

void hand_edit_state(const char *name);
void hand_edit_topic(const char *name);
void hand_remove_topic(const char *name);
void hand_remove_state(const char *name);
void hand_register_foreign(const char *name);
void hand_odd_names(const char *name);
void hand_raise_epoch(const char *name);
void hand_replace_topic(const char *name);
void hand_legacy_move(const char *name);
void hand_legacy_elect(const char *name);
void hand_edit_config(const char *name);
void hand_forbid(const char *name);
void hand_edit_broker(const char *name);
void hand_register_many(const char *name);

#endif
