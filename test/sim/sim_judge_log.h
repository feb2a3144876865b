/* What the truth tells the judge of a log that is about to be cut. */
#ifndef KLAMM_TEST_SIM_SIM_JUDGE_LOG_H
#define KLAMM_TEST_SIM_SIM_JUDGE_LOG_H

#include <stdint.h>

/* A replica drops all from offset on. */
void judge_truncation(int machine, int partition, int64_t offset);
/* The replica is given up by its broker, its log deleted. */
void judge_deleted(int machine, int partition);
/* A replica drops everything and begins at offset. */
void judge_reset(int machine, int partition, int64_t offset);

#endif
