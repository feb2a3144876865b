/*
 * What a record batch costs: batch_bench [seconds for each row]
 *
 * The produce checks for small and middle records, plain and packed, and the checksum alone. One line a row: CPU ns a record, GB
 * of packed bytes a CPU second.
 */
#include "common/crc32c.h"
#include "common/memory.h"
#include "proto/record/batch_builder.h"
#include "proto/record/batch_validate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TIME_MS INT64_C(1700000000000)

struct bench {
	struct codec_context *codecs;
	double seconds;
};

/* Time of this process alone, so that a busy machine does not count. Asking costs a system call: not after each round. */
static int64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A batch of n records with keys of 8 bytes and values that pack to about half. */
static struct buf *batch_make(struct codec_context *codecs, enum codec codec, int n, size_t value_bytes)
{
	struct batch_spec spec = batch_spec_default();
	struct batch_builder builder;
	uint8_t *value = memory_alloc(value_bytes);
	uint32_t x = 1;

	spec.codec = codec;
	batch_builder_init(&builder, &spec);
	for (int i = 0; i < n; i++) {
		char key[16];

		snprintf(key, sizeof key, "k%07d", i);
		for (size_t at = 0; at < value_bytes; at++) {
			x = x * 1664525 + 1013904223;
			value[at] = (uint8_t)('a' + ((x >> 24) & 0x0f));
		}
		batch_builder_add(&builder, TIME_MS + i, slice_of_text(key), slice_of(value, value_bytes), NULL, 0);
	}
	batch_builder_finish(&builder, codecs);
	free(value);
	return batch_builder_take(&builder);
}

static void report(const char *what, double ns, double n_records, double n_bytes)
{
	printf("%-28s %9.2f ns/record %8.2f GB/s\n", what, n_records > 0 ? ns / n_records : 0.0, n_bytes / ns);
}

static void bench_validate(const struct bench *bench, const char *what, enum codec codec, int n, size_t value_bytes)
{
	struct batch_rules rules = batch_rules_default(TIME_MS);
	struct buf *batch = batch_make(bench->codecs, codec, n, value_bytes);
	int64_t start = cpu_ns(), ns;
	double rounds = 0;

	rules.message_bytes_max = batch->len;
	do {
		struct batch_verdict verdict;

		if (batch_validate(buf_slice(batch), &rules, bench->codecs, &verdict) != 0) {
			fprintf(stderr, "batch_bench: refused: %s\n", verdict.reason);
			exit(1);
		}
		rounds++;
		ns = ((uint64_t)rounds & 63) == 0 ? cpu_ns() - start : 0;
	} while ((double)ns < bench->seconds * 1e9);
	report(what, (double)ns, rounds * n, rounds * (double)batch->len);
	buf_release(batch);
}

static void bench_crc(const struct bench *bench, size_t len)
{
	uint8_t *bytes = memory_zalloc(len, 1);
	int64_t start = cpu_ns(), ns;
	double rounds = 0;
	uint32_t sum = 0;
	char what[40];

	do {
		sum += crc32c(bytes, len);
		rounds++;
		ns = ((uint64_t)rounds & 63) == 0 ? cpu_ns() - start : 0;
	} while ((double)ns < bench->seconds * 1e9);
	bytes[0] = (uint8_t)sum;
	snprintf(what, sizeof what, "crc32c of %zu bytes", len);
	report(what, (double)ns, 0, rounds * (double)len);
	free(bytes);
}

int main(int argc, char **argv)
{
	struct bench bench = {codec_context_new(), argc > 1 ? strtod(argv[1], NULL) : 0.5};

	bench_crc(&bench, 1024);
	bench_crc(&bench, 16384);
	bench_crc(&bench, 1 << 20);
	bench_validate(&bench, "plain, 1 x 100 B", CODEC_NONE, 1, 100);
	bench_validate(&bench, "plain, 150 x 100 B", CODEC_NONE, 150, 100);
	bench_validate(&bench, "plain, 9000 x 100 B", CODEC_NONE, 9000, 100);
	bench_validate(&bench, "plain, 16 x 1 KB", CODEC_NONE, 16, 1024);
	bench_validate(&bench, "plain, 1000 x 1 KB", CODEC_NONE, 1000, 1024);
	for (int codec = CODEC_GZIP; codec < N_CODECS; codec++) {
		char what[40];

		snprintf(what, sizeof what, "%s, 150 x 100 B", codec_name(codec));
		bench_validate(&bench, what, (enum codec)codec, 150, 100);
		snprintf(what, sizeof what, "%s, 1000 x 1 KB", codec_name(codec));
		bench_validate(&bench, what, (enum codec)codec, 1000, 1024);
	}
	codec_context_free(bench.codecs);
	return 0;
}
