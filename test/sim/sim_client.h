/* Kafka's clients in the simulated cluster: producers, consumers, and the one who makes the topic. */
#ifndef KLAMM_TEST_SIM_SIM_CLIENT_H
#define KLAMM_TEST_SIM_SIM_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

/* The topic is made as soon as a broker takes the request, then producers and consumers begin. */
void sim_clients_start(void);

/* Producers send nothing new; what is under way is tried until it is known. */
void sim_clients_finish(void);

/* Nothing is under way any more, and consumers have read all. */
bool sim_clients_done(void);

/* An operator asks for the preferred leaders; or moves a partition to two brokers and, when all is well again, back to all. */
void sim_clients_elect(void);
void sim_clients_reassign(int partition, int without);

/* When the last batch of a partition was acknowledged with acks=all. */
int64_t sim_clients_last_ack_us(int partition);

#endif
