/*
 * Runs a fuzz target without libFuzzer, as a test of `make check`: test/fuzz/<name>_replay feeds the target every file of
 * test/fuzz/corpus/<name>/ (or the files and folders named on the command line), and for each a fixed number of damaged copies:
 * bits turned, cut, lengthened, made of two. The same on every machine and run.
 */
#include "test/fuzz/fuzz.h"

#include "common/memory.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DAMAGED_COPIES 200
#define GROWTH_MAX 16

static uint64_t state = 1;
static int n_files;

static uint32_t chance(uint32_t bound)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % bound;
}

/* A copy of its own for each run, so that a sanitizer sees a read beyond it. */
static void feed(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		abort();
	memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static size_t damage(uint8_t *data, size_t len)
{
	for (uint32_t n = 1 + chance(4); n > 0; n--) {
		static const uint8_t special[] = {0, 1, 0x7f, 0x80, 0xff, 0xfe};
		uint32_t kind = chance(8);

		if (kind == 0 && len > 0) {
			len = chance((uint32_t)len);
		} else if (kind == 1) {
			size_t grow = chance(GROWTH_MAX / 4);

			memset(data + len, (int)chance(256), grow);
			len += grow;
		} else if (len > 0 && kind < 5) {
			data[chance((uint32_t)len)] ^= (uint8_t)(1 << chance(8));
		} else if (len > 0) {
			data[chance((uint32_t)len)] = special[chance(sizeof special)];
		}
	}
	return len;
}

static void run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat st;
	uint8_t *data, *copy;
	size_t len;

	if (!file || fstat(fileno(file), &st) != 0) {
		fprintf(stderr, "replay: %s cannot be read\n", path);
		exit(1);
	}
	data = memory_alloc((size_t)st.st_size + 1);
	copy = memory_alloc((size_t)st.st_size + GROWTH_MAX);
	len = fread(data, 1, (size_t)st.st_size, file);
	fclose(file);
	feed(data, len);
	for (int i = 0; i < DAMAGED_COPIES; i++) {
		memcpy(copy, data, len);
		feed(copy, damage(copy, len));
	}
	free(copy);
	free(data);
	n_files++;
}

static void run_path(const char *path)
{
	struct dirent **entries;
	struct stat st;
	int n;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		run_file(path);
		return;
	}
	n = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char *name = memory_printf("%s/%s", path, entries[i]->d_name);

		if (entries[i]->d_name[0] != '.')
			run_file(name);
		free(name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];
	const char *source = getenv("KLAMM_SRCDIR");
	const char *end;

	/* Libtool and debuggers may put something in front; the name ends before "_replay". */
	end = strstr(name, "_replay");
	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			run_path(argv[i]);
	} else if (end) {
		char *corpus = memory_printf("%s/test/fuzz/corpus/%.*s", source ? source : ".", (int)(end - name), name);

		run_path(corpus);
		free(corpus);
	}
	printf("%d files\n", n_files);
	if (!n_files) {
		fprintf(stderr, "replay: no corpus found (KLAMM_SRCDIR is the root of the sources)\n");
		return 1;
	}
	return 0;
}
