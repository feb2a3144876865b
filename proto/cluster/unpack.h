/*
 * Messages of the cluster, from bytes that a peer has sent.
 *
 * protobuf-c makes a struct of every element, however short it is: two bytes that say "an empty one" become up to 200, an unknown field of two
 * bytes about 100. So a message gets memory in relation to its bytes and no more:
 *
 *     LIMIT_UNPACK_BASE_BYTES + LIMIT_UNPACK_FACTOR * bytes, at most LIMIT_UNPACK_BYTES
 *
 * which is more than any message of ours needs. What needs more is refused as what cannot be read is. Nobody calls <message>__unpack for what
 * comes from outside.
 */
#ifndef KLAMM_PROTO_CLUSTER_UNPACK_H
#define KLAMM_PROTO_CLUSTER_UNPACK_H

#include "common/arena.h"
#include "common/slice.h"

#include <protobuf-c/protobuf-c.h>

/* The message of a descriptor (&klamm__follow__descriptor), for its __free_unpacked(message, NULL). NULL: it cannot be read, or needs too much. */
void *unpack_message(const ProtobufCMessageDescriptor *descriptor, struct slice bytes);

/* The same with all its memory in an arena: nothing is to be freed. After a NULL the arena holds what was made until then. */
void *unpack_message_in(struct arena *arena, const ProtobufCMessageDescriptor *descriptor, struct slice bytes);

#endif
