/* JSON values of bytes that may be anything. */
#ifndef KLAMM_TOOLS_KLAMM_JSON_TEXT_H
#define KLAMM_TOOLS_KLAMM_JSON_TEXT_H

#include "common/slice.h"

#include <jansson.h>

/* A string or null; bytes that are no UTF-8 become U+FFFD. For names and messages. */
json_t *json_slice(struct slice text);

/* Sets object[name] to the string or null; where the bytes are no UTF-8, object[name + "_base64"]. For data: nothing is lost.
 */
void json_set_bytes(json_t *object, const char *name, struct slice bytes);

#endif
