/* What the parts of `klamm groups` share. */
#ifndef KLAMM_TOOLS_KLAMM_GROUPS_H
#define KLAMM_TOOLS_KLAMM_GROUPS_H

#include "tools/klamm/command.h"
#include "tools/klamm/group_admin.h"

struct groups_run {
	struct run *run;
	struct group_admin admin;
	struct slice *names; /* the groups that are meant: --group, or all of them */
	int n_names;
	int n_failures; /* groups and partitions that something was refused for; each is told when it happens */
};

/* All return one of run_code. */
int groups_describe(struct groups_run *groups, struct error *err);
int groups_reset(struct groups_run *groups, struct error *err);

/* "Error: ..." beside the result, as Kafka's tool says it; counts as a failure. */
void groups_refuse(struct groups_run *groups, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A text of somebody else's as a cell of a table: "-" where it is empty; the separator of cells is no part of it. */
const char *groups_cell(struct run *run, struct slice text);

/* The partitions of a topic; ERR_NOT_FOUND when it is not there. */
int groups_partitions(struct groups_run *groups, struct slice topic, int32_t **ret_partitions, int *ret_n, struct error *err);

#endif
