/*
 * Numbers of the controller's picture, counted when somebody asks: one walk over all partitions (1 ms for 100,000).
 */
#ifndef KLAMM_TOOLS_CONTROLLER_CTL_FIGURES_H
#define KLAMM_TOOLS_CONTROLLER_CTL_FIGURES_H

#include "tools/controller/ctl_state.h"

/* Topics that are to be deleted count as topics, but none of their partitions is missed. */
struct ctl_figures {
	int64_t n_topics;
	int64_t n_partitions;
	int64_t n_offline;       /* without a leader that is alive */
	int64_t n_imbalanced;    /* led by another than the first replica, or by nobody */
	int64_t n_to_delete;     /* topics */
	int64_t n_odd;           /* topics whose node is nonsense */
	int64_t n_reassigning;   /* partitions */
	int64_t n_brokers;       /* that are alive and count as such */
	int64_t n_brokers_away;  /* registered, but not reached, not ready or not ours */
};

void ctl_figures_count(struct ctl *ctl, struct ctl_figures *ret_figures);

#endif
