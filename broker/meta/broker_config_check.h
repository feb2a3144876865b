/* Checks of broker keys against each other; for broker_config.c only. */
#ifndef KLAMM_BROKER_META_BROKER_CONFIG_CHECK_H
#define KLAMM_BROKER_META_BROKER_CONFIG_CHECK_H

#include "broker/meta/broker_config.h"

/* The rules that no single key can be checked by. 0, or ERR_CONFIG with err set. Typed fields are those of the file. */
int broker_config_check(const struct broker_config *config, struct error *err);

/* Fills err with the place, the key, its value and `why`; returns ERR_CONFIG. */
int broker_config_refuse(const struct broker_config *config, const char *key, const char *why, struct error *err);

#endif
