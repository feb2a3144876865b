/*
 * Offsets that transactions will commit: of each producer until its marker comes, in the order of the log. Committed ones become offsets of
 * their groups unless something newer is there (offset_table_set); aborted ones are forgotten.
 */
#include "broker/coord/coordinator_internal.h"

#include <stdlib.h>
#include <utlist.h>

struct txn_offset {
	struct group *group;
	struct slice topic; /* bytes behind the struct, likewise the metadata */
	int32_t partition;
	struct offset_value value;
	int64_t record_offset;
	struct txn_offset *prev, *next; /* utlist */
};

/* Of one producer. */
struct txn_offsets {
	int64_t producer_id;
	struct txn_offset *list;
	UT_hash_handle hh;
};

static struct txn_offsets *find(const struct group_home *home, int64_t producer_id)
{
	struct txn_offsets *txn;

	HASH_FIND(hh, home->txns, &producer_id, sizeof producer_id, txn);
	return txn;
}

static struct txn_offset *find_offset(const struct txn_offsets *txn, const struct group *group, struct slice topic, int32_t partition)
{
	struct txn_offset *offset;

	DL_FOREACH(txn->list, offset)
		if (offset->group == group && offset->partition == partition && slice_equal(offset->topic, topic))
			return offset;
	return NULL;
}

static void drop(struct txn_offsets *txn, struct txn_offset *offset)
{
	offset->group->n_txn_offsets--;
	DL_DELETE(txn->list, offset);
	free(offset);
}

void txn_offsets_add(struct group *group, int64_t producer_id, struct slice topic, int32_t partition, const struct offset_value *value,
		     int64_t record_offset)
{
	struct txn_offset *offset = memory_zalloc(1, sizeof *offset + topic.len + value->metadata.len);
	struct txn_offsets *txn = find(group->home, producer_id);
	uint8_t *bytes = (uint8_t *)(offset + 1);

	if (!txn) {
		txn = NEW(struct txn_offsets);
		txn->producer_id = producer_id;
		HASH_ADD(hh, group->home->txns, producer_id, sizeof txn->producer_id, txn);
	}
	if (topic.len)
		memcpy(bytes, topic.data, topic.len);
	if (value->metadata.len)
		memcpy(bytes + topic.len, value->metadata.data, value->metadata.len);
	offset->group = group;
	offset->topic = slice_of(bytes, topic.len);
	offset->partition = partition;
	offset->value = *value;
	offset->value.metadata = slice_of(bytes + topic.len, value->metadata.len);
	offset->record_offset = record_offset;
	group->n_txn_offsets++;
	DL_APPEND(txn->list, offset);
}

void txn_offsets_remove(struct group *group, int64_t producer_id, struct slice topic, int32_t partition)
{
	struct txn_offsets *txn = find(group->home, producer_id);
	struct txn_offset *offset;

	while (txn && (offset = find_offset(txn, group, topic, partition)) != NULL)
		drop(txn, offset);
}

static void txn_free(struct group_home *home, struct txn_offsets *txn)
{
	while (txn->list)
		drop(txn, txn->list);
	HASH_DEL(home->txns, txn);
	free(txn);
}

void txn_offsets_end(struct group_home *home, int64_t producer_id, bool committed)
{
	struct txn_offsets *txn = find(home, producer_id);
	struct txn_offset *offset;

	if (!txn)
		return;
	if (committed)
		DL_FOREACH(txn->list, offset)
			group_set_offset(offset->group, offset->topic, offset->partition, &offset->value, offset->record_offset);
	txn_free(home, txn);
}

bool txn_offsets_pending(const struct group *group, struct slice topic, int32_t partition)
{
	const struct txn_offsets *txn;

	if (!group->n_txn_offsets)
		return false;
	for (txn = group->home->txns; txn; txn = txn->hh.next)
		if (find_offset(txn, group, topic, partition))
			return true;
	return false;
}

void txn_offsets_free_all(struct group_home *home)
{
	struct txn_offsets *txn, *next;

	HASH_ITER(hh, home->txns, txn, next)
		txn_free(home, txn);
}
