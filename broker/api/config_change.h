/*
 * AlterConfigs and IncrementalAlterConfigs: two ways to word the same.
 *
 *     config_change_run -> alter_configs_plan for each resource (this worker's view) -> admin (hub): written, shown by the view
 *        ^                                                                                |
 *        `---- somebody else changed the same at the same time: planned again ------------'
 *
 * The plan is made on what the view shows, and written only over just that.
 */
#ifndef KLAMM_BROKER_API_CONFIG_CHANGE_H
#define KLAMM_BROKER_API_CONFIG_CHANGE_H

#include "broker/api/admin_call.h"
#include "broker/meta/alter_configs_core.h"

struct config_change_result {
	int16_t error;
	struct slice message; /* null: none */
};

struct config_change {
	/* Set by the caller; memory of the request. */
	struct request *request;
	struct alter_configs_wish *wishes;
	int n;
	bool validate_only;
	void (*done)(struct config_change *change); /* on the request's worker; may be called before config_change_run returns */
	/* Its own. */
	struct config_change_result *results; /* by wish */
	struct admin_alter_configs alter;
	int *altering; /* index of the wish by item of alter */
	int rounds;
};

void config_change_run(struct config_change *change);

#endif
