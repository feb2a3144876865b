/* Replica assignments; see assignment.h. */
#include "tools/klamm/assignment.h"

#include <stdlib.h>
#include <string.h>

static int partition_parse(struct arena *arena, const char *text, size_t len, struct assignment *ret_partition,
			   struct error *err)
{
	const char *at = text, *end = text + len;

	*ret_partition = (struct assignment){.broker_ids = arena_alloc(arena, (len + 1) * sizeof(int32_t))};
	while (at < end) {
		char *stop;
		long id = strtol(at, &stop, 10);

		if (stop == at || stop > end || id < 0 || id > INT32_MAX || (stop < end && *stop != ':') || stop + 1 == end)
			return error_set(err, ERR_INVALID, "'%.*s' is no list of brokers: write 1:2:3", (int)len, text);
		for (int i = 0; i < ret_partition->n_broker_ids; i++)
			if (ret_partition->broker_ids[i] == id)
				return error_set(err, ERR_INVALID, "'%.*s' has broker %ld twice", (int)len, text, id);
		ret_partition->broker_ids[ret_partition->n_broker_ids++] = (int32_t)id;
		at = stop + 1;
	}
	if (ret_partition->n_broker_ids == 0)
		return error_set(err, ERR_INVALID, "--replica-assignment has a partition without brokers: write 1:2,2:3");
	return 0;
}

int assignment_parse(struct arena *arena, const char *text, struct assignment **ret_partitions, int32_t *ret_n,
		     struct error *err)
{
	struct assignment *partitions = arena_zalloc(arena, strlen(text) + 1, sizeof *partitions);
	int32_t n = 0;

	for (;;) {
		size_t len = strcspn(text, ",");
		int r = partition_parse(arena, text, len, &partitions[n], err);

		if (r != 0)
			return r;
		if (partitions[n].n_broker_ids != partitions[0].n_broker_ids)
			return error_set(err, ERR_INVALID,
					 "--replica-assignment: partition %d has %d replicas, partition 0 has %d", n,
					 partitions[n].n_broker_ids, partitions[0].n_broker_ids);
		n++;
		if (!text[len])
			break;
		text += len + 1;
	}
	*ret_partitions = partitions;
	*ret_n = n;
	return 0;
}
