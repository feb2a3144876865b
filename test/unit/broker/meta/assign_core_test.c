/* Replica assignment beside what Kafka's own function gives for the same start; topic names. */
#include "test/lib/unit.h"

#include "broker/meta/assign_core.h"
#include "broker/meta/topic_name_core.h"
#include "common/limits.h"
#include "common/memory.h"

/* Racks by broker, "-" = none, brokers numbered from 1; result as Kafka 3.9.1 assigns with a fixed start (which is the shift too). */
static const struct {
	const char *racks;
	int32_t first, n;
	int16_t replication_factor;
	int32_t start;
	const char *result;
} golden[] = {
	{"-----", 0, 12, 3, 2, "[3,1,2][4,2,3][5,3,4][1,4,5][2,5,1][3,2,4][4,3,5][5,4,1][1,5,2][2,1,3][3,4,5][4,5,1]"},
	{"-----", 3, 12, 3, 4, "[3,4,5][4,5,1][5,2,3][1,3,4][2,4,5][3,5,1][4,1,2][5,3,4][1,4,5][2,5,1][3,1,2][4,2,3]"},
	{"--", 0, 5, 2, 1, "[2,1][1,2][2,1][1,2][2,1]"},
	{"-", 0, 3, 1, 0, "[1][1][1]"},
	{"aabbcc", 0, 14, 3, 1,
	 "[3,6,1][5,1,3][2,3,5][4,5,2][6,2,4][1,4,6][3,2,6][5,4,1][2,6,3][4,1,5][6,3,2][1,5,4][3,1,5][5,3,2]"},
	{"aabbcc", 5, 14, 4, 3,
	 "[5,3,2,4][2,3,5,4][4,5,2,6][6,2,4,1][1,4,6,3][3,6,1,5][5,1,3,2][2,4,6,1][4,6,1,3][6,1,3,5][1,3,5,2][3,5,2,4][5,2,4,6][2,3,5,4]"},
	{"baaac", 0, 11, 3, 2, "[5,2,1][3,1,5][4,5,1][2,1,5][1,4,5][5,4,1][3,1,5][4,1,5][2,5,1][1,3,5][5,3,1]"},
	{"baaac", 2, 7, 5, 0, "[5,3,1,4,2][3,1,5,4,2][4,1,5,3,2][2,1,5,3,4][1,2,5,3,4][5,1,3,4,2][3,5,1,4,2]"},
	{"xxxx", 0, 9, 2, 3, "[4,1][1,2][2,3][3,4][4,2][1,3][2,4][3,1][4,3]"},
};

static int brokers_of(const char *racks, struct assign_broker *brokers)
{
	int n = (int)strlen(racks);

	for (int i = 0; i < n; i++)
		brokers[i] = (struct assign_broker){i + 1, racks[i] == '-' ? SLICE_NULL : slice_of(racks + i, 1)};
	return n;
}

static const char *text_of(struct arena *arena, const struct assignment *assignment)
{
	const char *text = "";

	for (int32_t p = 0; p < assignment->n_partitions; p++) {
		const int32_t *replicas = assignment_replicas(assignment, p);

		for (int j = 0; j < assignment->replication_factor; j++)
			text = arena_printf(arena, "%s%s%d", text, j ? "," : "[", replicas[j]);
		text = arena_printf(arena, "%s]", text);
	}
	return text;
}

START_TEST(replicas_lie_where_kafka_puts_them)
{
	struct assign_broker brokers[8];
	struct assignment assignment;
	struct arena arena;

	arena_init(&arena);
	for (size_t i = 0; i < ARRAY_LEN(golden); i++) {
		int n = brokers_of(golden[i].racks, brokers);

		assign_replicas(brokers, n, golden[i].first, golden[i].n, golden[i].replication_factor, golden[i].start, golden[i].start,
				&arena, &assignment);
		ck_assert_str_eq(text_of(&arena, &assignment), golden[i].result);
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(every_assignment_is_sound_whatever_the_start)
{
	static const char *const racks[] = {"-", "---", "-------", "ab", "aaab", "abcabc", "aabbbbbc", "a-b"};
	struct assign_broker brokers[8];
	struct assignment assignment;
	struct arena arena;

	for (size_t r = 0; r < ARRAY_LEN(racks); r++) {
		int n = brokers_of(racks[r], brokers);

		arena_init(&arena);
		for (int16_t factor = 1; factor <= n; factor++) {
			for (int32_t start = 0; start < 20; start++) {
				assign_replicas(brokers, n, start % 3, 25, factor, start, INT32_MAX - start, &arena, &assignment);
				for (int32_t p = 0; p < 25; p++) {
					const int32_t *replicas = assignment_replicas(&assignment, p);

					ck_assert(!assign_has_duplicate(replicas, factor));
					for (int j = 0; j < factor; j++)
						ck_assert(replicas[j] >= 1 && replicas[j] <= n);
				}
			}
		}
		arena_fini(&arena);
	}
	ck_assert(assign_racks_agree(brokers, 0));
	ck_assert(!assign_racks_agree(brokers, brokers_of("a-b", brokers)));
	ck_assert(assign_racks_agree(brokers, brokers_of("abb", brokers)));
}
END_TEST

START_TEST(topic_names_follow_the_rules)
{
	char long_name[LIMIT_TOPIC_NAME_BYTES + 2];
	const char *refusal;
	struct arena arena;

	arena_init(&arena);
	memset(long_name, 'x', sizeof long_name);
	ck_assert(topic_name_is_valid(slice_of(long_name, LIMIT_TOPIC_NAME_BYTES)));
	ck_assert(!topic_name_is_valid(slice_of(long_name, LIMIT_TOPIC_NAME_BYTES + 1)));
	ck_assert(topic_name_is_valid(SLICE_LITERAL("a.B_c-9")));
	ck_assert(topic_name_is_valid(SLICE_LITERAL("...")));
	ck_assert(!topic_name_check(SLICE_LITERAL(""), &arena, &refusal));
	ck_assert_str_eq(refusal, "Topic name is invalid: the empty string is not allowed");
	ck_assert(!topic_name_check(SLICE_LITERAL(".."), &arena, &refusal));
	ck_assert_str_eq(refusal, "Topic name is invalid: '..' is not allowed");
	ck_assert(!topic_name_check(SLICE_LITERAL("../x"), &arena, &refusal));
	ck_assert_str_eq(refusal, "Topic name is invalid: '../x' contains one or more characters other than ASCII alphanumerics, '.', '_' "
				  "and '-'");
	ck_assert(!topic_name_check(slice_of("a\0b", 3), &arena, NULL));
	ck_assert(!topic_name_check(SLICE_NULL, &arena, NULL));
	ck_assert(topic_names_collide(SLICE_LITERAL("a.b"), SLICE_LITERAL("a_b")));
	ck_assert(!topic_names_collide(SLICE_LITERAL("a.b"), SLICE_LITERAL("a.b")));
	ck_assert(!topic_names_collide(SLICE_LITERAL("a.b"), SLICE_LITERAL("a-b")));
	ck_assert(topic_name_is_internal(SLICE_LITERAL("__consumer_offsets")));
	ck_assert(!topic_name_is_internal(SLICE_LITERAL("__consumer_offset")));
	arena_fini(&arena);
}
END_TEST

UNIT_MAIN("broker/meta/assign_core", replicas_lie_where_kafka_puts_them, every_assignment_is_sound_whatever_the_start,
	  topic_names_follow_the_rules)
