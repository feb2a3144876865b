/* See hello.h. */
#include "broker/net/hello.h"

#include "common/limits.h"
#include "proto/kafka_error.h"

#include <stdio.h>

Klamm__Hello *hello_read(struct slice body)
{
	/* A field that protobuf-c does not know becomes fifty times its bytes. */
	return body.len <= LIMIT_PEER_HELLO_BYTES ? klamm__hello__unpack(NULL, body.len, body.data) : NULL;
}

static bool judge(const Klamm__HelloAnswer *answer, int64_t target_epoch, char ret_why[HELLO_WHY_BYTES])
{
	if (!answer)
		snprintf(ret_why, HELLO_WHY_BYTES, "it cannot be read");
	else if (answer->error != 0)
		snprintf(ret_why, HELLO_WHY_BYTES, "%s%s%s", kafka_error_name((int16_t)answer->error), answer->message[0] ? ": " : "",
			 answer->message);
	else if (answer->broker_epoch != target_epoch)
		snprintf(ret_why, HELLO_WHY_BYTES, "it is of another incarnation");
	else
		return true;
	return false;
}

bool hello_answer_read(struct slice body, int64_t target_epoch, int32_t *ret_n_workers, char ret_why[HELLO_WHY_BYTES])
{
	Klamm__HelloAnswer *answer = klamm__hello_answer__unpack(NULL, body.len, body.data);
	bool is_welcome = judge(answer, target_epoch, ret_why);

	if (is_welcome)
		*ret_n_workers = answer->n_workers;
	if (answer)
		klamm__hello_answer__free_unpacked(answer, NULL);
	return is_welcome;
}
