/* hello: what is said at the head of a connection of the cluster, by whomever. */
#include "test/lib/unit.h"

#include "broker/net/hello.h"
#include "common/limits.h"
#include "common/memory.h"
#include "proto/kafka_error.h"

#include <stdlib.h>
#include <string.h>

static char why[HELLO_WHY_BYTES];

START_TEST(a_hello_is_read)
{
	Klamm__Hello said = KLAMM__HELLO__INIT, *hello;
	uint8_t bytes[64];

	said.sender_id = 7;
	said.target_epoch = 20;
	hello = hello_read(slice_of(bytes, klamm__hello__pack(&said, bytes)));
	ck_assert_ptr_nonnull(hello);
	ck_assert_int_eq(hello->sender_id, 7);
	ck_assert_int_eq(hello->target_epoch, 20);
	klamm__hello__free_unpacked(hello, NULL);
	ck_assert_ptr_null(hello_read(SLICE_LITERAL("\xff")));
}
END_TEST

/* Fields that nobody knows: each of two bytes would be a piece of memory of its own. */
START_TEST(one_that_is_longer_than_any_is_not_read)
{
	size_t len = LIMIT_PEER_HELLO_BYTES + 2;
	uint8_t *bytes = memory_alloc(len);
	Klamm__Hello *hello;

	for (size_t i = 0; i < len; i += 2)
		memcpy(bytes + i, "\x78\x01", 2);
	ck_assert_ptr_null(hello_read(slice_of(bytes, len)));
	hello = hello_read(slice_of(bytes, LIMIT_PEER_HELLO_BYTES));
	ck_assert_ptr_nonnull(hello);
	klamm__hello__free_unpacked(hello, NULL);
	free(bytes);
}
END_TEST

static bool is_welcome(Klamm__HelloAnswer *answer, int32_t *ret_n_workers)
{
	uint8_t bytes[600];

	return hello_answer_read(slice_of(bytes, klamm__hello_answer__pack(answer, bytes)), 20, ret_n_workers, why);
}

START_TEST(an_answer_is_a_welcome_or_a_reason)
{
	Klamm__HelloAnswer answer = KLAMM__HELLO_ANSWER__INIT;
	int32_t n_workers = 0;
	char text[500];

	answer.broker_epoch = 20;
	answer.n_workers = 3;
	ck_assert(is_welcome(&answer, &n_workers));
	ck_assert_int_eq(n_workers, 3);
	answer.broker_epoch = 21;
	ck_assert(!is_welcome(&answer, &n_workers));
	ck_assert_str_eq(why, "it is of another incarnation");
	answer.error = KAFKA_STALE_BROKER_EPOCH;
	ck_assert(!is_welcome(&answer, &n_workers));
	ck_assert_str_eq(why, "STALE_BROKER_EPOCH");
	answer.message = (char *)(uintptr_t) "go away";
	ck_assert(!is_welcome(&answer, &n_workers));
	ck_assert_str_eq(why, "STALE_BROKER_EPOCH: go away");
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	answer.message = text;
	ck_assert(!is_welcome(&answer, &n_workers));
	ck_assert_uint_eq(strlen(why), HELLO_WHY_BYTES - 1);
	ck_assert(!hello_answer_read(SLICE_LITERAL("\xff"), 20, &n_workers, why));
	ck_assert_str_eq(why, "it cannot be read");
}
END_TEST

UNIT_MAIN("broker/net/hello", a_hello_is_read, one_that_is_longer_than_any_is_not_read, an_answer_is_a_welcome_or_a_reason)
