/* What a run's programs are set to, drawn from the seed. */
#ifndef KLAMM_TEST_SIM_SIM_PROCESS_H
#define KLAMM_TEST_SIM_SIM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct sim_settings {
	int64_t session_ms;
	int64_t lag_ms;
	int n_workers;
	int64_t segment_bytes;
	bool fsync_isr;   /* the topic's durability */
	int min_isr;
	int n_partitions;
	int replication_factor;
	bool unclean_allowed;
	/* Seeds with operators (sim_operators.h): what the files of brokers and controllers say beside. */
	bool operators;
	bool two_dirs; /* of which one may fail */
	bool unclean_by_file;
	int min_isr_by_file; /* 0: none */
	bool rebalance;
	int rebalance_s;
	int drift_ms;
	bool racks;       /* consumers read from followers near by */
	bool no_deletion; /* the controller drops requests to delete topics */
};

extern struct sim_settings sim_settings;

/* malloc'ed texts of server.properties and controller.properties. */
char *sim_broker_properties(int id, const char *address);
char *sim_controller_properties(int id);

#endif
