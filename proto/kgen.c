/*
 * kgen: turns the schemas of Kafka's messages (kafka/<name>.api, language in README.md) into C.
 *
 *     kgen DIR FILE...   ->   DIR/<name>.gen.h for each file, DIR/api_keys.gen.h, DIR/tables.gen.c
 *
 * Reads all files (kgen_read.c), checks them (kgen_check.c), then writes (kgen_write.c); nothing is written when a schema is
 * refused, and a file whose content would stay the same is left alone, so that only what changed is compiled again.
 * It runs once in a build: memory is not given back, and the first fault ends it with file and line.
 */
#include "proto/kgen.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void refuse(const struct unit *unit, int line, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%s:%d: ", unit->path, line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void die(const char *path)
{
	fprintf(stderr, "kgen: %s: %s\n", path, strerror(errno));
	exit(1);
}

void *get_memory(size_t len)
{
	void *memory = calloc(1, len ? len : 1);

	if (!memory)
		die("memory");
	return memory;
}

char *text_of(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		die("memory");
	va_end(args);
	return text;
}

void list_add(struct list *list, void *item)
{
	if ((list->n & (list->n - 1)) == 0) {
		list->items = realloc(list->items, (size_t)(list->n ? list->n * 2 : 1) * sizeof *list->items);
		if (!list->items)
			die("memory");
	}
	list->items[list->n++] = item;
}

bool in_range(struct range range, int version)
{
	return version >= range.since && version <= range.until;
}

/* LeaderAndIsr -> leader_and_isr. */
char *snake_of(const char *name)
{
	char *snake = get_memory(strlen(name) * 2 + 1);
	char *at = snake;

	for (const char *c = name; *c; c++) {
		if (isupper((unsigned char)*c) && c != name)
			*at++ = '_';
		*at++ = (char)tolower((unsigned char)*c);
	}
	return snake;
}

/* The whole file, ended by a 0 byte; NULL when there is none. */
char *file_read(const char *path)
{
	FILE *file = fopen(path, "r");
	size_t len = 0, cap = 0;
	char *text = NULL;

	if (!file)
		return NULL;
	do {
		cap += 65536;
		text = realloc(text, cap + 1);
		if (!text)
			die("memory");
		len += fread(text + len, 1, cap - len, file);
	} while (len == cap);
	text[len] = 0;
	fclose(file);
	return text;
}

/* Leaves a file alone that has this content already. */
static void file_write(const char *path, const char *text)
{
	const char *old = file_read(path);
	FILE *file;

	if (old && strcmp(old, text) == 0)
		return;
	file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		die(path);
}

static void produce(const char *path, const struct list *units, const struct unit *unit,
		    void (*write)(FILE *, const struct list *, const struct unit *))
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		die(path);
	write(out, units, unit);
	if (fclose(out) != 0)
		die(path);
	file_write(path, text);
}

int main(int argc, char **argv)
{
	struct list units = {0};

	if (argc < 3) {
		fprintf(stderr, "usage: kgen DIR FILE.api...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++)
		list_add(&units, unit_read(argv[i]));
	units_check(&units);
	for (int i = 0; i < units.n; i++) {
		const struct unit *unit = units.items[i];

		produce(text_of("%s/%s.gen.h", argv[1], unit->snake), &units, unit, write_header);
	}
	produce(text_of("%s/api_keys.gen.h", argv[1]), &units, NULL, write_keys);
	produce(text_of("%s/tables.gen.c", argv[1]), &units, NULL, write_tables);
	return 0;
}
