/*
 * JoinGroup: the first step of a rebalance. The answer comes when the group's coordinator has all members, or gives up on those that do not
 * come: minutes, at worst (kafka.md 6.2).
 */
#include "broker/api/api.h"
#include "broker/api/group_call.h"
#include "common/memory.h"
#include "proto/kafka/join_group.gen.h"
#include "proto/kafka_error.h"

#include <arpa/inet.h>
#include <string.h>

#define VERSION_WITH_REBALANCE_TIMEOUT 1
#define VERSION_WITH_KNOWN_ID 4       /* KIP-394 */
#define VERSION_WITH_NULL_PROTOCOL 7
#define VERSION_WITH_SKIP_ASSIGNMENT 9 /* KIP-814 */

/* A member's id is one of these names, a hyphen and a UUID, and has to be a string of 16 bits in the group's record. */
#define NAME_BYTES_MAX (INT16_MAX - 37)

struct join_group {
	struct group_call call;
	struct group_part part;
};

/* An address as Java writes it: with a slash, and IPv6 with all its groups. It is stored with the group and told to administrators. */
static struct slice java_address(struct arena *arena, const char *host)
{
	struct in6_addr address;
	uint8_t *b = address.s6_addr;

	if (!strchr(host, ':') || inet_pton(AF_INET6, host, &address) != 1)
		return slice_of_text(arena_printf(arena, "/%s", host));
	return slice_of_text(arena_printf(arena, "/%x:%x:%x:%x:%x:%x:%x:%x", b[0] << 8 | b[1], b[2] << 8 | b[3], b[4] << 8 | b[5],
					  b[6] << 8 | b[7], b[8] << 8 | b[9], b[10] << 8 | b[11], b[12] << 8 | b[13],
					  b[14] << 8 | b[15]));
}

static void on_joined(struct group_call *call)
{
	const struct coordinator_join *join = &CONTAINER_OF(call, struct join_group, call)->part.join;
	struct join_group_response response = join_group_response_default;

	response.error_code = join->call.error;
	response.generation_id = join->generation;
	response.protocol_type = join->ret_protocol_type;
	response.protocol_name = join->protocol_name;
	if (slice_is_null(join->protocol_name) && call->request->header.api_version < VERSION_WITH_NULL_PROTOCOL)
		response.protocol_name = SLICE_LITERAL("");
	response.leader = join->leader;
	response.skip_assignment = join->skip_assignment;
	response.member_id = join->ret_member_id;
	response.members = join->members;
	response.n_members = join->n_members;
	group_call_answer(call, &response);
}

static int32_t rebalance_timeout_of(const struct request *request, const struct join_group_request *body)
{
	if (request->header.api_version < VERSION_WITH_REBALANCE_TIMEOUT || body->rebalance_timeout_ms == -1)
		return body->session_timeout_ms;
	return body->rebalance_timeout_ms;
}

static void refuse(struct request *request, const struct join_group_request *body, int16_t error)
{
	struct join_group_response response = join_group_response_default;

	response.error_code = error;
	response.protocol_name = request->header.api_version < VERSION_WITH_NULL_PROTOCOL ? SLICE_LITERAL("") : SLICE_NULL;
	response.member_id = body->member_id;
	request_answer(request, &response);
}

static void own(struct request *request, struct join_group_request *body)
{
	struct slice *texts[] = {&body->group_id, &body->member_id, &body->group_instance_id, &body->protocol_type, &body->reason,
				 &request->header.client_id};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		group_call_own(request, texts[i]);
	for (int32_t i = 0; i < body->n_protocols; i++) {
		group_call_own(request, &body->protocols[i].name);
		group_call_own(request, &body->protocols[i].metadata);
	}
	group_call_give_back(request);
}

void join_group_handle(struct request *request)
{
	struct join_group_request *body = request->body;
	struct join_group *joining = arena_zalloc(&request->arena, 1, sizeof *joining);
	struct coordinator_join *join = &joining->part.join;

	if (request->header.client_id.len > NAME_BYTES_MAX || body->group_instance_id.len > NAME_BYTES_MAX) {
		refuse(request, body, KAFKA_INVALID_REQUEST);
		return;
	}
	own(request, body);
	*join = (struct coordinator_join){
		.call = {.kind = COORDINATOR_JOIN, .group_id = body->group_id},
		.member_id = body->member_id,
		.group_instance_id = body->group_instance_id,
		.client_id = slice_is_null(request->header.client_id) ? SLICE_LITERAL("") : request->header.client_id,
		.client_host = java_address(&request->arena, request->client->host),
		.protocol_type = body->protocol_type,
		.protocols = body->protocols,
		.n_protocols = body->n_protocols,
		.session_timeout_ms = body->session_timeout_ms,
		.rebalance_timeout_ms = rebalance_timeout_of(request, body),
		.known_id_required = request->header.api_version >= VERSION_WITH_KNOWN_ID,
		.skip_assignment_allowed = request->header.api_version >= VERSION_WITH_SKIP_ASSIGNMENT,
		.reason = body->reason,
		.generation = -1,
		.leader = SLICE_LITERAL(""),
		.ret_member_id = body->member_id,
	};
	group_call_one(&joining->call, request, &joining->part, on_joined);
}
