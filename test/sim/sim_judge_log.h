/* What the truth tells the judge of the calls of a log. */
#ifndef KLAMM_TEST_SIM_SIM_JUDGE_LOG_H
#define KLAMM_TEST_SIM_SIM_JUDGE_LOG_H

#include <stdint.h>

struct log;
struct replica_core;

/* A leader serves, or moves its high watermark (S9). */
void judge_serving(const struct replica_core *core);

/* The high watermark of a replica's log has been set. */
void judge_high_watermark(int machine, int partition, const struct log *log);
/* A replica drops all from offset on. */
void judge_truncation(int machine, int partition, int64_t offset);
/* The replica is given up by its broker, its log deleted. */
void judge_deleted(int machine, int partition);
/* A replica drops everything and begins at offset. */
void judge_reset(int machine, int partition, int64_t offset);

#endif
