/*
 * The judge: what is true of the whole cluster, kept beside it, and the invariants of reliability.md 2 held against it.
 *
 *     log_append, log_truncate_*  (link-time wrapped)  -> what each replica holds, batch by batch, whether its process lives or not
 *     commits of the model ZooKeeper                   -> leader, ISR, eligible replicas as they are
 *     after each turn of a broker's worker             -> roles, epochs, high watermarks of its partitions
 *     clients                                          -> acknowledgements, what was read
 */
#ifndef KLAMM_TEST_SIM_SIM_JUDGE_H
#define KLAMM_TEST_SIM_SIM_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_TOPIC "t"
#define SIM_PARTITIONS_MAX 3

struct sim_process;
struct sim_machine;
struct worker;

/* After a turn of a worker. */
void sim_judge_turn(struct sim_process *process, struct worker *worker);
void sim_judge_process_gone(struct sim_process *process);
/* The machine loses what was not synced. */
void sim_judge_power_cut(struct sim_machine *machine);

/* A batch was acknowledged: its records lie from offset on. crc tells it from all others. */
void sim_judge_ack(int partition, int64_t offset, int n_records, uint32_t crc, int acks);
/* Whether a broker's log has the batch. */
bool sim_judge_holds(int partition, int machine, uint32_t crc);
/* Whether a broker leads by what ZooKeeper says now. */
bool sim_judge_leads(int partition, int machine);
/* A consumer was given a batch. */
void sim_judge_read(int partition, int64_t offset, int n_records, uint32_t crc);

/* May the machine lose what it has not synced, within the promise? */
bool sim_judge_may_lose(const struct sim_machine *machine);

/* Every replica in the ISR, every log the same. For the end of the run: whether it is so, and else what is not. */
bool sim_judge_settled(char *ret_why, size_t size);
/* More replicas lost their tails than the promise covers, so that the partition waits for an operator. */
bool sim_judge_waits(int partition);
/* All that must be true at the end, of settled replicas. */
void sim_judge_end(void);

#endif
