/* Reads the golden files under test/golden (its README.md tells their form). Faults end the test case. */
#ifndef KLAMM_TEST_LIB_GOLDEN_H
#define KLAMM_TEST_LIB_GOLDEN_H

#include "common/arena.h"
#include "common/slice.h"

/* The whole file test/golden/<name>, a 0 byte behind it. */
struct slice golden_file(struct arena *arena, const char *name);

/* The next line of text that is neither empty nor a comment (#), without its end; null at the end. *text moves on. */
struct slice golden_line(struct slice *text);

/* The next word of a line up to a blank or its end, ended by a 0 byte; *line moves on behind the blank. */
char *golden_word(struct arena *arena, struct slice *line);

/* The bytes of a base64 text; "-" stands for none. Empty is not null. */
struct slice golden_base64(struct arena *arena, const char *text);

#endif
