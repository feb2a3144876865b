/* Random record batches; see batch_random.h. */
#include "test/lib/batch_random.h"

#include "proto/record/batch_builder.h"

#include <stdlib.h>
#include <string.h>

#define N_RECORDS_MAX 20
#define VALUE_BYTES_MAX 200
#define KEY_BYTES_MAX 24
#define N_HEADERS_MAX 3

uint64_t batch_random_next(struct batch_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint32_t batch_random_below(struct batch_random *random, uint32_t n)
{
	return (uint32_t)(batch_random_next(random) % n);
}

static bool one_in(struct batch_random *random, uint32_t n)
{
	return batch_random_below(random, n) == 0;
}

/* Null, empty, noise, or text that packs well, written to `to`. */
static struct slice random_bytes(struct batch_random *random, uint8_t *to, size_t len_max)
{
	size_t len = batch_random_below(random, (uint32_t)len_max + 1);
	bool noise = one_in(random, 2);

	if (one_in(random, 8))
		return SLICE_NULL;
	if (one_in(random, 8))
		len = 0;
	for (size_t i = 0; i < len; i++)
		to[i] = noise ? (uint8_t)batch_random_next(random) : (uint8_t)('a' + i % 7);
	return slice_of(to, len);
}

static int32_t random_headers(struct batch_random *random, struct record_header *headers, uint8_t *to)
{
	int32_t n = one_in(random, 3) ? (int32_t)batch_random_below(random, N_HEADERS_MAX + 1) : 0;

	for (int32_t i = 0; i < n; i++) {
		headers[i].key = SLICE_LITERAL("header");
		headers[i].value = random_bytes(random, to + i * KEY_BYTES_MAX, KEY_BYTES_MAX);
	}
	return n;
}

static void random_spec(struct batch_random *random, struct batch_spec *spec)
{
	if (random->codecs && one_in(random, 2))
		spec->codec = (enum codec)batch_random_below(random, N_CODECS);
	if (one_in(random, 5)) {
		spec->append_time = true;
		spec->append_time_ms += (int64_t)batch_random_below(random, 10000);
	}
	if (random->producers && one_in(random, 2)) {
		spec->producer_id = batch_random_below(random, 5);
		spec->producer_epoch = (int16_t)batch_random_below(random, 3);
		spec->base_sequence = one_in(random, 10) ? INT32_MAX - 2 : (int32_t)batch_random_below(random, 1000);
		spec->transactional = one_in(random, 3);
	}
}

/* Steps over offsets that compaction would have taken out. */
static void random_hole(struct batch_random *random, struct batch_builder *builder)
{
	if (random->holes && one_in(random, 4))
		builder->last_offset_delta += 1 + (int32_t)batch_random_below(random, 5);
}

struct buf *batch_random_make(struct batch_random *random, int64_t base_offset, int32_t leader_epoch, int64_t timestamp)
{
	uint32_t n_max = random->n_records_max > 0 ? (uint32_t)random->n_records_max : N_RECORDS_MAX;
	size_t value_max = random->value_bytes_max > 0 ? random->value_bytes_max : VALUE_BYTES_MAX;
	uint32_t n = 1 + batch_random_below(random, n_max);
	uint8_t *value_bytes = malloc(value_max + 1);
	struct batch_spec spec = batch_spec_default();
	struct batch_builder builder;

	spec.base_offset = base_offset;
	spec.leader_epoch = leader_epoch;
	spec.append_time_ms = timestamp;
	random_spec(random, &spec);
	batch_builder_init(&builder, &spec);
	for (uint32_t i = 0; i < n; i++) {
		struct record_header headers[N_HEADERS_MAX];
		uint8_t key_bytes[KEY_BYTES_MAX], header_bytes[N_HEADERS_MAX * KEY_BYTES_MAX];
		struct slice key = random_bytes(random, key_bytes, sizeof key_bytes);
		struct slice value = random_bytes(random, value_bytes, value_max);
		int32_t n_headers = random_headers(random, headers, header_bytes);

		random_hole(random, &builder);
		batch_builder_add(&builder, timestamp + (int64_t)batch_random_below(random, 10000), key, value, headers, n_headers);
	}
	random_hole(random, &builder);
	batch_builder_finish(&builder, random->codecs);
	free(value_bytes);
	return batch_builder_take(&builder);
}

/* Overwrites [pos, len) up to n bytes, the first of them surely by another value. */
static void overwrite(struct batch_random *random, uint8_t *bytes, size_t len, size_t pos, size_t n, bool zeros)
{
	uint8_t first = bytes[pos];

	for (size_t i = pos; i < len && i < pos + n; i++)
		bytes[i] = zeros ? 0 : (uint8_t)batch_random_next(random);
	if (!zeros && bytes[pos] == first)
		bytes[pos] = (uint8_t)~first;
}

/* A place from which zeros to the end change something: at or before the last byte that is not zero. */
static size_t zeros_pos(struct batch_random *random, const uint8_t *bytes, size_t len)
{
	size_t last = len - 1;

	while (last > 0 && bytes[last] == 0)
		last--;
	return batch_random_below(random, (uint32_t)last + 1);
}

size_t batch_random_damage(struct batch_random *random, uint8_t *bytes, size_t len, enum batch_damage *ret_kind, size_t *ret_pos)
{
	enum batch_damage kind = (enum batch_damage)batch_random_below(random, N_BATCH_DAMAGES);
	size_t pos = batch_random_below(random, (uint32_t)len);

	switch (kind) {
	case BATCH_DAMAGE_BIT:
	case N_BATCH_DAMAGES:
		bytes[pos] = (uint8_t)(bytes[pos] ^ (1u << batch_random_below(random, 8)));
		break;
	case BATCH_DAMAGE_BYTES:
		overwrite(random, bytes, len, pos, 1 + batch_random_below(random, 16), false);
		break;
	case BATCH_DAMAGE_ZEROS:
		pos = zeros_pos(random, bytes, len);
		overwrite(random, bytes, len, pos, len, true);
		break;
	case BATCH_DAMAGE_CUT:
		len = pos;
		break;
	}
	*ret_kind = kind;
	*ret_pos = pos;
	return len;
}
