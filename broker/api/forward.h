/*
 * Requests that only the controller can carry out: sent on to it as they are, answered with what it says.
 *
 *     handler -> forward_request -> forward_port (hub) -> controller -> answer decoded and sent
 *                                                   `-> none: refuse(error, text), which answers in the words of that API
 */
#ifndef KLAMM_BROKER_API_FORWARD_H
#define KLAMM_BROKER_API_FORWARD_H

#include "broker/net/request.h"

/* Ends the request, or has it ended later. timeout_ms: what the client gives the controller for it. */
void forward_request(struct request *request, int32_t timeout_ms,
		     void (*refuse)(struct request *request, int16_t error, const char *text));

#endif
