/*
 * Configuration files in Java's .properties format, every key with the place it stands at.
 *
 *     # or ! begins a comment     key=value   key: value   key value     a\
 *                                                                          continued line
 *
 * Bytes are UTF-8 (Java's own reader takes Latin-1; ASCII is the same in both); \uXXXX and \t \n \r \f \\ are understood, before
 * any other character a backslash is dropped. White space at the end of a value belongs to it, as in Java. CR, LF and CRLF end
 * lines. A key that stands twice counts with its last value; both stay in the list, so that a reader can say so.
 *
 * Owned by one thread. All text lives as long as the struct and has a 0 byte behind it.
 */
#ifndef KLAMM_COMMON_PROPERTIES_H
#define KLAMM_COMMON_PROPERTIES_H

#include "common/arena.h"
#include "common/error.h"
#include "common/slice.h"

/* The largest file that is read; a configuration of Kafka has some 10 KiB. */
#define PROPERTIES_BYTES_MAX (4 << 20)

struct property {
	struct slice key;
	struct slice value;
	const char *origin; /* file name, or what set it ("--set") */
	int line;           /* from 1; 0 when the origin has no lines */
};

struct properties {
	struct arena arena;
	struct property *list; /* in the order of the file */
	int n;
	int cap;
};

void properties_init(struct properties *properties);
void properties_fini(struct properties *properties);

/* Adds the contents of a file. Errors: those of the file system, ERR_TOO_LARGE, and ERR_CONFIG with file and line in err. */
int properties_read_file(struct properties *properties, const char *path, struct error *err);

/* Adds what text holds; origin names it in errors and in each property. On error nothing is added. */
int properties_parse(struct properties *properties, struct slice text, const char *origin, struct error *err);

/* Adds "key=value", as a command line gives it; ERR_CONFIG when there is no '=' or no key. */
int properties_set(struct properties *properties, const char *assignment, const char *origin, struct error *err);

/* The last property with this key; NULL when there is none. */
const struct property *properties_get(const struct properties *properties, const char *key);

#endif
