/* What the replicas hold; see sim_truth.h. The calls of the log are wrapped at link time. */
#include "test/sim/sim_truth.h"

#include "broker/log/log.h"
#include "broker/replica/partition.h"
#include "common/check.h"
#include "common/memory.h"
#include "proto/record/batch.h"
#include "test/sim/sim_judge_log.h"

#include <stdlib.h>
#include <string.h>

static struct truth truths[SIM_BROKERS][SIM_PARTITIONS_MAX];

struct truth *truth_of(int machine, int partition)
{
	return &truths[machine][partition];
}

int truth_partition(const char *topic, size_t len, int partition)
{
	if (len != strlen(SIM_TOPIC) || memcmp(topic, SIM_TOPIC, len) != 0 || partition < 0 || partition >= SIM_PARTITIONS_MAX)
		return -1;
	return partition;
}

/* The first batch that ends above an offset. */
static int place_of(const struct truth *truth, int64_t offset)
{
	int low = 0, high = truth->n;

	while (low < high) {
		int middle = (low + high) / 2;

		if (truth->batches[middle].next > offset)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

const struct truth_batch *truth_at(const struct truth *truth, int64_t offset)
{
	int i = place_of(truth, offset);

	return i < truth->n && truth->batches[i].base <= offset ? &truth->batches[i] : NULL;
}

static bool same(const struct truth_batch *a, const struct truth_batch *b)
{
	return a->base == b->base && a->next == b->next && a->crc == b->crc && a->epoch == b->epoch;
}

int64_t truth_differs(const struct truth *a, const struct truth *b, int64_t to)
{
	int i;

	for (i = 0; i < a->n && i < b->n && a->batches[i].base < to; i++)
		if (!same(&a->batches[i], &b->batches[i]))
			return a->batches[i].base < b->batches[i].base ? a->batches[i].base : b->batches[i].base;
	if (i < a->n && a->batches[i].base < to)
		return a->batches[i].base;
	if (i < b->n && b->batches[i].base < to)
		return b->batches[i].base;
	return to;
}

static void add(struct truth *truth, const struct batch_header *header)
{
	struct truth_batch batch = {header->base_offset, batch_next_offset(header), header->leader_epoch, header->crc, header->producer_id,
				     header->base_sequence};

	if (truth->n == truth->cap) {
		truth->cap = truth->cap ? truth->cap * 2 : 256;
		truth->batches = memory_grow(truth->batches, (size_t)truth->cap * sizeof *truth->batches);
	}
	truth->batches[truth->n++] = batch;
	truth->end = batch.next;
}

static void add_all(struct truth *truth, struct slice bytes)
{
	struct batch_header header;
	struct slice batch;

	while (batch_next(&bytes, &batch, &header) > 0)
		add(truth, &header);
}

static void add_ghost(struct truth *truth, const struct truth_batch *batch)
{
	if (truth->n_ghosts == truth->ghosts_cap) {
		truth->ghosts_cap = truth->ghosts_cap ? truth->ghosts_cap * 2 : 16;
		truth->ghosts = memory_grow(truth->ghosts, (size_t)truth->ghosts_cap * sizeof *truth->ghosts);
	}
	truth->ghosts[truth->n_ghosts++] = *batch;
}

static bool is_ghost(const struct truth *truth, const struct truth_batch *batch)
{
	for (int i = 0; i < truth->n_ghosts; i++)
		if (same(&truth->ghosts[i], batch))
			return true;
	return false;
}

static void cut(struct truth *truth, int64_t offset)
{
	if (truth->n_ghosts == 0 || truth->durable_end > truth->cut_offset) {
		truth->n_ghosts = 0;
		truth->cut_offset = offset;
	}
	if (offset < truth->cut_offset)
		truth->cut_offset = offset;
	while (truth->n > 0 && truth->batches[truth->n - 1].next > offset)
		add_ghost(truth, &truth->batches[--truth->n]);
	truth->end = truth->n > 0 ? truth->batches[truth->n - 1].next : 0;
}

/* ---- the log as it is read ---- */

static void read_log(struct log *log, struct truth *ret_truth)
{
	struct log_read_args args = {.offset = log_start_offset(log), .max_offset = INT64_MAX, .max_bytes = 1 << 20, .whole_batches = true,
				     .min_one_batch = true};

	*ret_truth = (struct truth){.end = log_end_offset(log), .durable_end = log_durable_end(log), .present = true};
	while (args.offset < log_end_offset(log)) {
		struct log_slice slice;
		uint8_t *bytes;

		if (log_read(log, &args, &slice) || !slice.segment)
			sim_violation("S14", "the log cannot be read at %lld of %lld", (long long)args.offset, (long long)log_end_offset(log));
		bytes = memory_alloc((size_t)slice.len);
		if (log_slice_read(&slice, 0, bytes, (size_t)slice.len))
			sim_violation("S14", "the log cannot be read at %lld", (long long)args.offset);
		add_all(ret_truth, slice_of(bytes, (size_t)slice.len));
		free(bytes);
		log_slice_release(&slice);
		if (ret_truth->end <= args.offset)
			sim_violation("S14", "the log holds no batch at %lld", (long long)args.offset);
		args.offset = ret_truth->end;
	}
}

/* After a loss of power a log holds no more than it held, but for what a cut that was not durable had taken away. */
static bool is_left_over(const struct truth *truth, const struct truth *found, int64_t same_to)
{
	for (int i = place_of(found, same_to); i < found->n; i++)
		if (truth->durable_end > truth->cut_offset || !is_ghost(truth, &found->batches[i]))
			return false;
	return true;
}

/* A process has opened its log: after a crash it is what it was, after a loss of power it has all that was promised. */
static void check_opened(int machine, int partition, struct log *log)
{
	struct truth *truth = truth_of(machine, partition), found;
	int64_t same_to;

	read_log(log, &found);
	same_to = truth->present ? truth_differs(truth, &found, truth->end) : 0;
	if (truth->present && !truth->lost && (same_to < truth->end || found.end != truth->end))
		sim_violation("S14", "broker %d partition %d: the log ended at %lld before the crash and at %lld after; alike to %lld",
			      machine + 1, partition, (long long)truth->end, (long long)found.end, (long long)same_to);
	if (truth->present && truth->lost && !is_left_over(truth, &found, same_to))
		sim_violation("S14", "broker %d partition %d: after the loss of power the log ends at %lld, alike to %lld", machine + 1, partition,
			      (long long)found.end, (long long)same_to);
	if (truth->present && found.end < truth->durable_end)
		sim_violation("D8", "broker %d partition %d: durable to %lld, but after the loss of power the log ends at %lld", machine + 1,
			      partition, (long long)truth->durable_end, (long long)found.end);
	free(truth->batches);
	free(truth->ghosts);
	*truth = found;
}

/* ---- wrapped calls ---- */

struct partition *__real_partition_open(struct shard *shard, const struct partition_key *key, struct slice topic, struct log *log,
					struct disk *disk, struct producer_table *producers);
struct partition *__wrap_partition_open(struct shard *shard, const struct partition_key *key, struct slice topic, struct log *log,
					struct disk *disk, struct producer_table *producers);
int __real_log_append(struct log *log, const uint8_t *batches, size_t len, const struct log_append_info *info);
int __wrap_log_append(struct log *log, const uint8_t *batches, size_t len, const struct log_append_info *info);
int __real_log_truncate_to(struct log *log, int64_t offset);
int __wrap_log_truncate_to(struct log *log, int64_t offset);
void __real_log_set_high_watermark(struct log *log, int64_t offset);
void __wrap_log_set_high_watermark(struct log *log, int64_t offset);
int __real_log_delete(struct log *log);
int __wrap_log_delete(struct log *log);
int __real_log_truncate_fully(struct log *log, int64_t offset);
int __wrap_log_truncate_fully(struct log *log, int64_t offset);

static int partition_of(const struct log *log)
{
	struct slice topic = log_topic(log);

	return truth_partition((const char *)topic.data, topic.len, log_partition(log));
}

struct partition *__wrap_partition_open(struct shard *shard, const struct partition_key *key, struct slice topic, struct log *log,
					struct disk *disk, struct producer_table *producers)
{
	if (log && partition_of(log) >= 0)
		check_opened(sim.process->machine->id, partition_of(log), log);
	return __real_partition_open(shard, key, topic, log, disk, producers);
}

int __wrap_log_append(struct log *log, const uint8_t *batches, size_t len, const struct log_append_info *info)
{
	int r = __real_log_append(log, batches, len, info), partition = partition_of(log);
	struct truth *truth;

	if (partition < 0)
		return r;
	truth = truth_of(sim.process->machine->id, partition);
	if (r == 0)
		add_all(truth, slice_of(batches, len));
	if (r == 0 && truth->end != log_end_offset(log))
		sim_violation("S8", "broker %d partition %d: log end %lld after an append up to %lld", sim.process->machine->id + 1, partition,
			      (long long)log_end_offset(log), (long long)truth->end);
	return r;
}

void __wrap_log_set_high_watermark(struct log *log, int64_t offset)
{
	__real_log_set_high_watermark(log, offset);
	if (partition_of(log) >= 0)
		judge_high_watermark(sim.process->machine->id, partition_of(log), log);
}

int __wrap_log_truncate_to(struct log *log, int64_t offset)
{
	int partition = partition_of(log), r;
	int64_t before = log_end_offset(log);

	if (partition >= 0)
		judge_truncation(sim.process->machine->id, partition, offset);
	r = __real_log_truncate_to(log, offset);
	if (partition >= 0) {
		struct truth *truth = truth_of(sim.process->machine->id, partition);

		/* A full disk may have kept it whole. */
		if (log_end_offset(log) < before)
			cut(truth, offset);
		truth->durable_end = log_durable_end(log);
		if (log_end_offset(log) < before)
			sim.counters.truncations++;
		sim.counters.truncated_records += before - log_end_offset(log);
	}
	return r;
}

int __wrap_log_delete(struct log *log)
{
	int partition = partition_of(log);
	struct truth *truth;

	if (partition >= 0) {
		judge_deleted(sim.process->machine->id, partition);
		truth = truth_of(sim.process->machine->id, partition);
		free(truth->batches);
		free(truth->ghosts);
		*truth = (struct truth){0};
	}
	return __real_log_delete(log);
}

int __wrap_log_truncate_fully(struct log *log, int64_t offset)
{
	int partition = partition_of(log), r;

	if (partition >= 0)
		judge_reset(sim.process->machine->id, partition, offset);
	r = __real_log_truncate_fully(log, offset);
	if (partition >= 0) {
		struct truth *truth = truth_of(sim.process->machine->id, partition);

		if (r == 0) {
			cut(truth, 0);
			truth->end = offset;
		}
		truth->durable_end = log_durable_end(log);
	}
	return r;
}
