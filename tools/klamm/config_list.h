/* --add-config as Kafka's tools take it: k1=v1,k2=[a,b],k3= ; brackets keep commas together and are not part of the value. */
#ifndef KLAMM_TOOLS_KLAMM_CONFIG_LIST_H
#define KLAMM_TOOLS_KLAMM_CONFIG_LIST_H

#include "common/arena.h"
#include "common/config_table.h"
#include "common/error.h"

/* Texts lie in the arena. ERR_INVALID: no '=', no name, a bracket without its other half, a name twice. */
int config_list_parse(struct arena *arena, const char *text, struct config_pair **ret_pairs, int *ret_n, struct error *err);

#endif
