/*
 * What somebody wrote into ZooKeeper: the first byte names the family, the rest is the node.
 *
 * What is taken is written again, taken again and written a third time: the last two texts must be the same.
 */
#include "test/fuzz/fuzz.h"

#include "common/check.h"
#include "test/lib/znode_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice first, second;
	enum znode_family family;
	struct arena arena;
	struct error err;

	if (len == 0)
		return 0;
	family = (enum znode_family)(data[0] % N_ZNODE_FAMILIES);
	arena_init(&arena);
	if (znode_recode(&arena, family, "/fuzz", slice_of(data + 1, len - 1), &first, &err) != 0) {
		CHECK(err.code == ERR_CORRUPT);
	} else if (first.data) {
		CHECK(znode_recode(&arena, family, "/fuzz", first, &second, &err) == 0);
		CHECK(slice_equal(first, second));
	}
	arena_fini(&arena);
	return 0;
}
