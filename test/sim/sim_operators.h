/*
 * Operators of the cluster, in every second seed: topics beside that of the clients are made, grown, moved, elected for, configured, trimmed and
 * deleted, with right and with wrong requests, and znodes are edited by hand. At the end everything that was damaged is mended, and all these
 * topics are deleted: that must come to its end (M1, M2).
 */
#ifndef KLAMM_TEST_SIM_SIM_OPERATORS_H
#define KLAMM_TEST_SIM_SIM_OPERATORS_H

#include <stdbool.h>
#include <stddef.h>

/* Does nothing in a seed without operators. */
void sim_operators_start(void);
void sim_operators_finish(void);

/* All is gone that is to go; else says what is not. */
bool sim_operators_done(char *ret_why, size_t size);

#endif
