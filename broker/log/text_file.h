/*
 * The shape that Kafka's small text files share: line 1 the version, line 2 the number of lines that follow, LF at each end.
 * Reading is strict, since such a file decides what is kept: a count that does not fit, a missing LF or a foreign line is damage.
 */
#ifndef KLAMM_BROKER_LOG_TEXT_FILE_H
#define KLAMM_BROKER_LOG_TEXT_FILE_H

#include "common/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Gets one line without its LF; returns 0 or a negative error, which ends the reading. */
typedef int text_line_fn(void *ctx, struct slice line);

/* Checks version and count and hands out the lines. ERR_CORRUPT when the text is not of this shape. */
int text_file_parse(struct slice text, int64_t version, text_line_fn *each, void *ctx);

/* Takes the next line off *rest; false when there is none that ends in LF. */
bool text_take_line(struct slice *rest, struct slice *ret_line);

/* Takes the word up to the next blank (or the end) off *rest; false when there is none. */
bool text_take_word(struct slice *rest, struct slice *ret_word);

/* A decimal number with nothing around it. */
bool text_number(struct slice word, int64_t min, int64_t max, int64_t *ret_number);

/* A growing text. */
struct text_out {
	char *at;
	size_t len;
	size_t cap;
};

void text_add(struct text_out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_fini(struct text_out *out);

#endif
