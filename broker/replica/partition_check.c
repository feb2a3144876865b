/*
 * Batches whose check would hold up the loop: they unpack to much, or are packed anew and large. The disk thread checks them, with
 * codecs of its own, and the partition's later appends wait behind.
 *
 *     partition_check_begin -> check_run on the disk thread: batch_validate without bound, batch_validate_repack
 *       check_done -> still leader? partition_append_checked -> those that waited, one after the other; one of them may be the next to check
 *     the log dir has failed -> partition_check_give_up: all are refused now; the disk may hang, and keeps the bytes that it looks at
 */
#include "broker/replica/partition_internal.h"

#include "broker/replica/shard.h"
#include "common/memory.h"
#include "proto/kafka_error.h"

#include <stdlib.h>
#include <utlist.h>

struct partition_check {
	struct disk_job job;
	struct partition *partition;     /* NULL: given up */
	struct partition_append *append; /* under way; NULL while those that waited are appended */
	struct buf *frame;               /* in which its bytes lie, for as long as the disk thread needs them */
	struct slice bytes;
	struct batch_rules rules;
	struct batch_verdict verdict;
	struct buf *repacked;
	int16_t error;
	struct partition_append *waiting;
};

/* On the disk thread: touches nothing of the partition or the request but the frame. */
static void check_run(struct disk_job *job)
{
	struct partition_check *check = CONTAINER_OF(job, struct partition_check, job);
	struct codec_context *codecs = codec_context_new();

	check->error = batch_validate(check->bytes, &check->rules, codecs, &check->verdict);
	if (check->error == 0 && check->verdict.repack)
		check->error = batch_validate_repack(check->bytes, &check->rules, codecs, &check->verdict, &check->repacked);
	codec_context_free(codecs);
}

static struct partition_append *take_checked(struct partition_check *check)
{
	struct partition_append *append = check->append;

	check->append = NULL;
	append->partition = NULL;
	append->checking = false;
	return append;
}

static struct partition_append *take_waiting(struct partition_check *check)
{
	struct partition_append *append = check->waiting;

	DL_DELETE(check->waiting, append);
	append->partition = NULL;
	append->checking = false;
	return append;
}

/* What the check was for is judged as if it came now: leadership may have moved meanwhile. */
static void end_checked(struct partition_check *check)
{
	struct partition *partition = check->partition;
	struct partition_append *append = take_checked(check);
	struct buf *repacked = check->repacked;
	int16_t error = partition_may_append(partition, append);

	check->repacked = NULL;
	if (error)
		partition_append_turn_away(partition, append, error);
	else
		partition_append_checked(partition, append, &check->rules, check->error, &check->verdict, repacked);
	if (repacked)
		buf_release(repacked);
}

static void refuse_all(struct partition_check *check, int16_t error)
{
	partition_append_refuse(take_checked(check), error);
	while (check->waiting)
		partition_append_refuse(take_waiting(check), error);
}

static void check_free(struct partition_check *check)
{
	if (check->partition)
		check->partition->check = NULL;
	buf_release(check->repacked);
	free(check);
}

void partition_check_give_up(struct partition *partition)
{
	struct partition_check *check = partition->check;

	/* One that is not with the disk thread is coming to its end anyway. */
	if (!check || !check->append)
		return;
	partition->check = NULL;
	check->partition = NULL;
	refuse_all(check, KAFKA_STORAGE_ERROR);
}

static void check_done(struct disk_job *job)
{
	struct partition_check *check = CONTAINER_OF(job, struct partition_check, job);
	struct partition *partition = check->partition;

	buf_release(check->frame);
	check->frame = NULL;
	if (!partition) {
		check_free(check);
		return;
	}
	if (partition->closing) {
		refuse_all(check, KAFKA_NOT_LEADER_OR_FOLLOWER);
		check_free(check);
		partition_closed(partition);
		return;
	}
	end_checked(check);
	/* The check stays until nobody waits: whoever appends from a callback meanwhile queues behind them. */
	while (!check->append && check->waiting)
		partition_append_now(partition, take_waiting(check));
	if (!check->append)
		check_free(check);
}

/* A small frame lies in the memory of its request, which may be over earlier. */
static struct buf *hold_frame(const struct partition_append *append, struct slice *ret_bytes)
{
	struct buf *copy;

	*ret_bytes = slice_of(append->records, append->records_len);
	if (append->frame)
		return buf_retain(append->frame);
	copy = buf_new(append->records_len);
	memcpy(copy->data, append->records, append->records_len);
	copy->len = append->records_len;
	*ret_bytes = buf_slice(copy);
	return copy;
}

void partition_check_begin(struct partition *partition, struct partition_append *append, const struct batch_rules *rules)
{
	struct partition_check *check = partition->check;

	if (!check) {
		check = NEW(struct partition_check);
		check->partition = partition;
		partition->check = check;
	}
	check->append = append;
	check->frame = hold_frame(append, &check->bytes);
	check->rules = *rules;
	check->rules.unpack_bytes_max = 0;
	check->job = (struct disk_job){.run = check_run, .done = check_done, .reply_to = &partition->shard->worker};
	append->partition = partition;
	append->checking = true;
	disk_post(partition->disk, &check->job);
}

void partition_check_queue(struct partition *partition, struct partition_append *append)
{
	append->partition = partition;
	append->checking = true;
	DL_APPEND(partition->check->waiting, append);
}
