/* The rules of the idempotent producer; see producer_core.h. */
#include "broker/replica/producer_core.h"

#include <stddef.h>
#include <string.h>

void producer_init(struct producer *producer, int64_t id)
{
	*producer = (struct producer){
		.id = id,
		.epoch = PRODUCER_EPOCH_NONE,
		.coordinator_epoch = -1,
		.txn_first_offset = PRODUCER_TXN_NONE,
		.timestamp_ms = -1,
	};
}

int32_t producer_last_sequence(int32_t first, int32_t n_records)
{
	int64_t last = (int64_t)first + n_records - 1;

	return (int32_t)(last > INT32_MAX ? last - INT32_MAX - 1 : last);
}

static int32_t newest_sequence(const struct producer *producer)
{
	return producer->n_batches ? producer->batches[producer->n_batches - 1].last_sequence : PRODUCER_SEQUENCE_NONE;
}

static const struct producer_batch *find_duplicate(const struct producer *producer, int16_t epoch, const struct producer_batch *batch)
{
	if (producer->epoch != epoch)
		return NULL;
	for (int i = 0; i < producer->n_batches; i++) {
		const struct producer_batch *known = &producer->batches[i];

		if (known->first_sequence == batch->first_sequence && known->last_sequence == batch->last_sequence)
			return known;
	}
	return NULL;
}

static bool is_next(int32_t last, int32_t first)
{
	return last == INT32_MAX ? first == 0 : first == last + 1;
}

enum producer_verdict producer_check(const struct producer *producer, int16_t epoch, const struct producer_batch *batch, bool is_txn,
				     const struct producer_batch **ret_known)
{
	const struct producer_batch *known;

	if (!producer || producer->epoch == PRODUCER_EPOCH_NONE)
		return PRODUCER_ACCEPT;
	known = find_duplicate(producer, epoch, batch);
	if (known) {
		*ret_known = known;
		return PRODUCER_DUPLICATE;
	}
	if (epoch < producer->epoch)
		return PRODUCER_INVALID_EPOCH;
	if (epoch > producer->epoch ? batch->first_sequence != 0 : !is_next(newest_sequence(producer), batch->first_sequence))
		return PRODUCER_OUT_OF_ORDER;
	if (!is_txn && producer->txn_first_offset != PRODUCER_TXN_NONE)
		return PRODUCER_INVALID_TXN;
	return PRODUCER_ACCEPT;
}

void producer_apply(struct producer *producer, int16_t epoch, const struct producer_batch *batch, bool is_txn)
{
	if (epoch != producer->epoch) {
		producer->epoch = epoch;
		producer->n_batches = 0;
	}
	if (producer->n_batches == PRODUCER_BATCHES) {
		memmove(producer->batches, producer->batches + 1, (PRODUCER_BATCHES - 1) * sizeof producer->batches[0]);
		producer->n_batches--;
	}
	producer->batches[producer->n_batches++] = *batch;
	producer->timestamp_ms = batch->timestamp_ms;
	if (is_txn && producer->txn_first_offset == PRODUCER_TXN_NONE)
		producer->txn_first_offset = batch->first_offset;
}

int64_t producer_apply_marker(struct producer *producer, int16_t epoch, int32_t coordinator_epoch, int64_t timestamp_ms)
{
	int64_t first = producer->txn_first_offset;

	if (epoch != producer->epoch) {
		producer->epoch = epoch;
		producer->n_batches = 0;
	}
	producer->txn_first_offset = PRODUCER_TXN_NONE;
	producer->coordinator_epoch = coordinator_epoch;
	producer->timestamp_ms = timestamp_ms;
	return first;
}

bool producer_is_expired(const struct producer *producer, int64_t now_wall_ms, int64_t expiration_ms)
{
	return producer->txn_first_offset == PRODUCER_TXN_NONE && now_wall_ms - producer->timestamp_ms >= expiration_ms;
}
