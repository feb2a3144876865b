/*
 * A request about groups, to the shards that coordinate them and back.
 *
 *     request's shard                         owners' shards
 *       group_call_add(part) ...
 *       group_call_run ---- one message a shard ---> coordinator_run for each part of the batch
 *                                                    part's done, at once or (Join, Sync, Commit, ...) later
 *       done(call) <------- when a batch has no part left open
 *       group_call_answer
 *
 * Rules
 * - What is asked lies in the request's arena and body and is the owner's until done, which is called once, on the request's shard, when all
 *   parts are back. A request that cannot be routed has its error in the part and is back at once.
 * - What is answered lies in the request's arena when there is one part, else in one arena for each owner, until group_call_answer. So a
 *   request with one part leaves its own arena alone while that is out.
 * - What may wait for minutes (Join, Sync) gives its frame back first (group_call_own): the frame's share of the budget is not for that, and
 *   least of all the one frame that may overdraw it.
 * - A connection that closes meanwhile takes nothing along: the part comes back when the coordinator is done with it (at the latest when
 *   the rebalance time-out is over), and the answer is then dropped.
 */
#ifndef KLAMM_BROKER_API_GROUP_CALL_H
#define KLAMM_BROKER_API_GROUP_CALL_H

#include "broker/coord/coordinator.h"
#include "broker/net/request.h"
#include "broker/replica/shard.h"

struct group_batch;

/* One question to one owner. */
struct group_part {
	union {
		struct coordinator_call call; /* embedded first in each of the others */
		struct coordinator_join join;
		struct coordinator_sync sync;
		struct coordinator_heartbeat heartbeat;
		struct coordinator_leave leave;
		struct coordinator_commit commit;
		struct coordinator_fetch_offsets fetch;
		struct coordinator_delete_offsets delete_offsets;
		struct coordinator_describe describe;
		struct coordinator_delete_group delete_group;
		struct coordinator_list list;
	};
	struct group_part *next; /* of its batch */
	struct group_batch *batch;
};

/* The parts of one owner. */
struct group_batch {
	struct message message;
	struct group_call *call;
	struct shard *owner;
	struct group_part *first;
	struct group_part **tail;
	int n_parts;
	int n_open; /* the owner's while the batch is out */
};

struct group_call {
	struct request *request;
	struct shard *shard;
	void (*done)(struct group_call *call); /* on the request's shard */
	struct group_batch *batches;           /* one for each shard; made with the first part that goes out */
	struct arena *answers;                 /* likewise, when there are several parts; NULL: the request's arena */
	int n_out;
};

/* The request's shard must outlive the call. n_parts is how many will be added at most. */
void group_call_init(struct group_call *call, struct request *request, int32_t n_parts, void (*done)(struct group_call *call));

/* Adds a part whose in-data, kind and group id are set, for the group's owner. */
void group_call_add(struct group_call *call, struct group_part *part);

/* Adds one for the shard of this index, whoever coordinates the group (COORDINATOR_LIST). */
void group_call_add_to(struct group_call *call, struct group_part *part, int shard_index);

/* Sends the batches off. done may be called before this returns. */
void group_call_run(struct group_call *call);

/* Answers the request, which ends with it; call and parts are gone then. */
void group_call_answer(struct group_call *call, const void *response);

/*
 * Before a part goes out that may wait for long, when all its texts and bytes have been copied into the request's arena by this: the frame is given
 * back, and the arena counted instead.
 */
void group_call_own(struct request *request, struct slice *text);
void group_call_give_back(struct request *request);

/* The common case: one part to the owner of one group. */
void group_call_one(struct group_call *call, struct request *request, struct group_part *part, void (*done)(struct group_call *call));

#endif
