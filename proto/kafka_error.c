/* Kafka's error codes by number and by name; see kafka_error.h. */
#include "proto/kafka_error.h"

#include "common/memory.h"

#include <string.h>

/* The one name that the KAFKA_ of the constant is part of. */
#define STORAGE_ERROR_NAME "KAFKA_STORAGE_ERROR"

struct kafka_error_row {
	const char *name;
	const char *text;
	int code;
	bool retriable;
};

static const struct kafka_error_row rows[] = {
#define X(error_name, error_code, error_retriable, error_text) {#error_name, error_text, error_code, error_retriable},
	KAFKA_ERROR_TABLE(X)
#undef X
};

/* The table has no gaps, so a code is found by its distance to the first one; the unit test holds it to that. */
static const struct kafka_error_row *row_of(int code)
{
	if (code < rows[0].code || code > rows[ARRAY_LEN(rows) - 1].code)
		return NULL;
	return &rows[code - rows[0].code];
}

const char *kafka_error_name(int code)
{
	const struct kafka_error_row *row = row_of(code);

	if (code == KAFKA_STORAGE_ERROR)
		return STORAGE_ERROR_NAME;
	return row ? row->name : "UNKNOWN";
}

int16_t kafka_error_of(int32_t code)
{
	return code >= INT16_MIN && code <= INT16_MAX ? (int16_t)code : KAFKA_UNKNOWN_SERVER_ERROR;
}

const char *kafka_error_text(int code)
{
	const struct kafka_error_row *row = row_of(code);

	return row ? row->text : rows[0].text;
}

bool kafka_error_is_retriable(int code)
{
	const struct kafka_error_row *row = row_of(code);

	return row && row->retriable;
}

bool kafka_error_find(const char *name, int *ret_code)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(kafka_error_name(rows[i].code), name) == 0) {
			*ret_code = rows[i].code;
			return true;
		}
	}
	return false;
}
