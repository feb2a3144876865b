/* See hello.h. */
#include "broker/net/hello.h"

#include "common/limits.h"
#include "proto/cluster/unpack.h"
#include "proto/kafka_error.h"

#include <stdio.h>

Klamm__Hello *hello_read(struct slice body)
{
	return body.len <= LIMIT_PEER_HELLO_BYTES ? unpack_message(&klamm__hello__descriptor, body) : NULL;
}

static bool judge(const Klamm__HelloAnswer *answer, int64_t target_epoch, char ret_why[HELLO_WHY_BYTES])
{
	if (!answer)
		snprintf(ret_why, HELLO_WHY_BYTES, "it cannot be read");
	else if (answer->error != 0)
		snprintf(ret_why, HELLO_WHY_BYTES, "%s%s%s", kafka_error_name(answer->error), answer->message[0] ? ": " : "",
			 answer->message);
	else if (answer->broker_epoch != target_epoch)
		snprintf(ret_why, HELLO_WHY_BYTES, "it is of another incarnation");
	else
		return true;
	return false;
}

bool hello_answer_read(struct slice body, int64_t target_epoch, int32_t *ret_n_workers, char ret_why[HELLO_WHY_BYTES])
{
	Klamm__HelloAnswer *answer = unpack_message(&klamm__hello_answer__descriptor, body);
	bool is_welcome = judge(answer, target_epoch, ret_why);

	if (is_welcome)
		*ret_n_workers = answer->n_workers;
	if (answer)
		klamm__hello_answer__free_unpacked(answer, NULL);
	return is_welcome;
}
