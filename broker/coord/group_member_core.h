/*
 * Within the group core: members of a group, what they have parked, and the answers that are due to them. Pure.
 *
 * These keep the group's sums in step (members, joins, syncs awaited, bytes, leader) and put answers and memory into the
 * actions of the call under way; they decide nothing. Contracts of struct group_core hold.
 */
#ifndef KLAMM_BROKER_COORD_GROUP_MEMBER_CORE_H
#define KLAMM_BROKER_COORD_GROUP_MEMBER_CORE_H

#include "broker/coord/group_core.h"

/* A call begins: its actions are empty. */
void group_call_begin(struct group_core *group, struct group_actions *ret_actions);

/* A deadline was set. */
void group_due(struct group_core *group, int64_t ms);

void group_set_state(struct group_core *group, const struct group_now *now, enum group_state state);

/* The group's record is to be appended; the number of this store. */
int64_t group_store(struct group_core *group, struct group_actions *actions);

/* At most LIMIT_GROUP_NAME_BYTES. */
void group_name_set(struct group_name *name, struct slice text);

/* ---- Who ---- */

uint32_t group_member_hash(struct slice id);
struct group_member *group_member_of_instance(const struct group_core *group, struct slice instance_id);
struct group_member *group_pending_of(const struct group_core *group, struct slice id);

/* Is this one of the members? 0, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID (another member has the instance). instance_id null: not
 * said. */
int16_t group_member_error(const struct group_core *group, struct slice id, struct slice instance_id);

int64_t group_member_bytes(const struct group_member *member);

/* ---- In and out ---- */

/* At the end of the list; the first brings the protocol type and leads. */
void group_member_add(struct group_core *group, struct group_member *member, struct slice protocol_type);

/* `to` stands where `from` stood: session, sync, assignment and store go over; joins do not and are not parked on either.
 * `from` is the caller's. */
void group_member_swap(struct group_core *group, struct group_member *from, struct group_member *to);

/* Out of the group and to be freed; what it has parked ends with the error, and UNKNOWN_MEMBER_ID tells no id. */
void group_member_drop(struct group_core *group, struct group_member *member, int16_t error, struct group_actions *actions);

void group_pending_add(struct group_core *group, struct group_member *member);
void group_pending_drop(struct group_core *group, struct group_member *pending, struct group_actions *actions);

/* One that stands in no list. */
void group_member_free(struct group_member *member, struct group_actions *actions);
void group_block_free(void *block, struct group_actions *actions);

/* Whom it replaces will not come back. */
void group_member_confirm(struct group_member *member, struct group_actions *actions);

/* ---- Time ---- */

void group_member_renew(struct group_core *group, struct group_member *member, const struct group_now *now);

/* When its time is up; GROUP_NEVER while it waits for others. */
int64_t group_member_deadline(const struct group_member *member);

/* ---- Requests ---- */

void group_member_park_join(struct group_core *group, struct group_member *member, void *request);
void *group_member_unpark_join(struct group_core *group, struct group_member *member);

/* It need not ask for its assignment any more. */
void group_member_sync_done(struct group_core *group, struct group_member *member);

/* Answers to a request, which is parked no more; none when it is NULL. */
void group_answer_join(struct group_core *group, struct group_member *member, void *request, struct group_actions *actions);
void group_answer_join_error(struct group_core *group, struct group_member *member, void *request, int16_t error,
			     struct slice member_id, struct group_actions *actions);

/* The parked Sync, if there is one: its assignment, or an error. */
void group_answer_sync(struct group_core *group, struct group_member *member, int16_t error, struct group_actions *actions);

/* The answer itself, also for one that was never parked. */
struct group_sync_answer group_sync_answer(const struct group_core *group, const struct group_member *member, void *request,
					   int16_t error);

#endif
