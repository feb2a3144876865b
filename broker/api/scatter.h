/*
 * One request, many partitions, many owners: parts go to the shards that own them and come back.
 *
 *     request's shard                    owners' shards
 *       scatter_add(part) ...
 *       scatter_run  ---- one message a shard ---> work(part) for each part of the group
 *                                                  scatter_part_done(part), at once or later
 *       done(scatter) <--- when a group has no part left open
 *
 * All memory lies in the request's arena and lives until the request ends. While a group is out its parts are the owner's; done is
 * called once, when all groups are back.
 */
#ifndef KLAMM_BROKER_API_SCATTER_H
#define KLAMM_BROKER_API_SCATTER_H

#include "broker/net/request.h"
#include "broker/replica/partition.h"
#include "broker/replica/shard.h"

/* Embedded first in what an API asks of one partition. */
struct scatter_part {
	struct uuid topic_id;
	int32_t partition;
	struct scatter_part *next; /* of its group */
	struct scatter_group *group;
};

struct scatter_group {
	struct message message;
	struct scatter *scatter;
	struct shard *owner;
	struct scatter_part *first;
	struct scatter_part **tail;
	int n_parts;
	int n_open; /* owner's */
};

struct scatter {
	struct request *request;
	struct shard *shard;
	struct scatter_group *groups; /* one for each shard */
	int n_out;
	/* On the owner. partition is NULL when the shard has none; the part must end all the same. */
	void (*work)(struct scatter_part *part, struct partition *partition);
	/* On the owner, after work has been called for all parts of a group; NULL: nothing. */
	void (*worked)(struct scatter_group *group);
	/* On the request's shard. */
	void (*done)(struct scatter *scatter);
};

/*
 * False for a request that names more than LIMIT_REQUEST_PARTS topics and partitions: it is ended by closing its connection, before
 * anything is made for its parts.
 */
bool scatter_may_begin(struct request *request, int64_t n_named);

/* The same with a bound of the caller's. */
bool scatter_may_name(struct request *request, int64_t n_named, int64_t n_named_max);

void scatter_init(struct scatter *scatter, struct request *request);

/* Adds a part whose topic_id and partition are set. */
void scatter_add(struct scatter *scatter, struct scatter_part *part);

/* Sends the groups off. With no parts at all done is called at once; it may also be called before this returns. */
void scatter_run(struct scatter *scatter);

/* On the owner: this part is finished. */
void scatter_part_done(struct scatter_part *part);

#endif
