/* Shared by channel.c and channel_hello.c; nobody else includes it. */
#ifndef KLAMM_BROKER_CHANNEL_INTERNAL_H
#define KLAMM_BROKER_CHANNEL_INTERNAL_H

#include "broker/channel.h"

/* A controller's Hello has been accepted: its connection takes the place of an older one. */
void channel_adopt(struct channel *channel, const struct detached *detached, int32_t controller_id, int32_t controller_epoch);

#endif
