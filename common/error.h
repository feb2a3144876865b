/*
 * Errors of the world outside the protocol: files, memory, sockets, ZooKeeper, configuration.
 *
 * Functions return 0 or one of these negative values. What the Kafka protocol itself refuses is a Kafka error code
 * (proto/kafka_error.h), a value and no failure. See STYLE.md, "Errors".
 */
#ifndef KLAMM_COMMON_ERROR_H
#define KLAMM_COMMON_ERROR_H

#include <stddef.h>

#define ERROR_TABLE(X)                                                    \
	X(ERR_IO, -1, "input/output error")                               \
	X(ERR_NO_SPACE, -2, "no space left on the device")                \
	X(ERR_READ_ONLY, -3, "file system is read-only")                  \
	X(ERR_NOT_FOUND, -4, "not found")                                 \
	X(ERR_EXISTS, -5, "exists already")                               \
	X(ERR_PERMISSION, -6, "permission denied")                        \
	X(ERR_LIMIT, -7, "a limit of the process is reached")             \
	X(ERR_NO_MEMORY, -8, "out of memory")                             \
	X(ERR_CORRUPT, -9, "damaged data")                                \
	X(ERR_TRUNCATED, -10, "data ends too early")                      \
	X(ERR_TOO_LARGE, -11, "larger than its bound")                    \
	X(ERR_INVALID, -12, "invalid value")                              \
	X(ERR_UNSUPPORTED, -13, "not supported")                          \
	X(ERR_TIMEOUT, -14, "timed out")                                  \
	X(ERR_CLOSED, -15, "connection closed")                           \
	X(ERR_UNKNOWN_OUTCOME, -16, "outcome unknown: the connection was lost before the answer") \
	X(ERR_SESSION_LOST, -17, "ZooKeeper session lost")                \
	X(ERR_VERSION, -18, "version conflict")                           \
	X(ERR_NOT_EMPTY, -19, "not empty")                                \
	X(ERR_BUSY, -20, "in use")                                        \
	X(ERR_CONFIG, -21, "configuration error")                         \
	X(ERR_OUT_OF_RANGE, -22, "offset out of range")                   \
	X(ERR_AUTH, -23, "not authorized")                                \
	X(ERR_ABORTED, -24, "not done, because another operation of the same batch failed") \
	X(ERR_FENCED, -25, "fenced: somebody newer holds this office")

enum error_code {
#define X(name, value, text) name = value,
	ERROR_TABLE(X)
#undef X
};

/* The text of a code of this table, "success" for 0; never NULL. */
const char *error_text(int code);

/* The code for an errno value; ERR_IO for one that the table does not tell apart. */
int error_from_errno(int errno_value);

/*
 * An error with its context, for those who report it to a person: configuration, command line, start-up.
 * Filled by the function that finds the error; wrapped outward with error_context.
 */
struct error {
	int code;       /* 0 = none */
	char text[512]; /* a whole sentence that names the thing and, where there is one, the remedy */
};

/* Fills err (when not NULL) and returns code, so that callers can write: return error_set(err, ERR_CONFIG, "..."). */
int error_set(struct error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of the text of err. */
void error_context(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
