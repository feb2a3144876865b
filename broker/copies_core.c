/* Two folders of one partition; see copies_core.h. */
#include "broker/copies_core.h"

static int compare(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_uses(const struct copy *first, const struct copy *second)
{
	int order = compare(first->used_epoch, second->used_epoch);

	if (!first->has_use || !second->has_use)
		return 0;
	return order ? order : compare(first->used_away, second->used_away);
}

static int compare_logs(const struct copy *first, const struct copy *second)
{
	int order = compare(first->last_epoch, second->last_epoch);

	if (order == 0)
		order = compare(first->end_offset, second->end_offset);
	return order ? order : compare(second->start_offset, first->start_offset);
}

static bool are_comparable(const struct copy *first, const struct copy *second)
{
	if (!first->has_log || !second->has_log)
		return false;
	return uuid_is_zero(&first->topic_id) || uuid_is_zero(&second->topic_id) || uuid_equal(&first->topic_id, &second->topic_id);
}

enum copies_choice copies_choose(const struct copy *first, const struct copy *second)
{
	int order = compare_uses(first, second);

	if (order == 0 && !are_comparable(first, second))
		return COPIES_UNKNOWN;
	if (order == 0)
		order = compare_logs(first, second);
	return order < 0 ? COPIES_SECOND : COPIES_FIRST;
}
