/*
 * What goes wrong in a run: a script drawn from the seed before it begins, so that a part of it can be left out and the rest stays what
 * it is (the minimizer of sim_main.c).
 */
#ifndef KLAMM_TEST_SIM_SIM_FAULTS_H
#define KLAMM_TEST_SIM_SIM_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_FAULTS_MAX 64

/* Draws the script. Returns how many faults there are. */
int sim_faults_draw(void);

/* Leaves one out. */
void sim_faults_leave_out(int i);

/* Queues them; everything is well again at the end. */
void sim_faults_start(void);

/* Prints those that are not left out. */
void sim_faults_print(void);

#endif
