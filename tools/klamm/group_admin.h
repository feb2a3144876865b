/*
 * Requests about consumer groups, at their coordinators.
 *
 *     FindCoordinator(group) -> broker -> request -> answer;  begun anew while the coordinator loads, moves or is not known
 *
 * All return 0 or a negative code with err: no answer. What the answer refuses stands in the answer. Needs brokers of Kafka 3.0 and newer
 * (OffsetFetch 8).
 */
#ifndef KLAMM_TOOLS_KLAMM_GROUP_ADMIN_H
#define KLAMM_TOOLS_KLAMM_GROUP_ADMIN_H

#include "proto/kafka/describe_groups.gen.h"
#include "proto/kafka/list_groups.gen.h"
#include "proto/kafka/offset_commit.gen.h"
#include "proto/kafka/offset_delete.gen.h"
#include "proto/kafka/offset_fetch.gen.h"
#include "tools/klamm/kafka_client.h"

struct group_admin {
	struct kafka_client *client;
	int64_t timeout_ms; /* how long a coordinator is waited for */
};

/* The broker that coordinates a group. */
struct group_coordinator {
	int32_t node;
	struct slice host;
	int32_t port;
};

/*
 * The groups that all brokers coordinate, by name; of the states and types that are named (n 0: all; refused where a broker does not know that
 * filter).
 */
int group_admin_list(const struct group_admin *admin, const struct list_groups_request *request, struct list_groups_response_group **ret_groups,
		     int *ret_n, struct error *err);

/* State and members; a group that is not there is Dead. ret_coordinator may be NULL. */
int group_admin_describe(const struct group_admin *admin, struct slice group, struct group_coordinator *ret_coordinator,
			 struct describe_groups_response_group *ret_group, struct error *err);

/* All that is committed. */
int group_admin_offsets(const struct group_admin *admin, struct slice group, struct offset_fetch_response_group *ret_offsets, struct error *err);

/* request->group_id names the group. */
int group_admin_commit(const struct group_admin *admin, const struct offset_commit_request *request, struct offset_commit_response *ret_response,
		       struct error *err);
int group_admin_delete_offsets(const struct group_admin *admin, const struct offset_delete_request *request,
			       struct offset_delete_response *ret_response, struct error *err);

/* Kafka's code for the group. */
int group_admin_delete(const struct group_admin *admin, struct slice group, int16_t *ret_code, struct error *err);

#endif
