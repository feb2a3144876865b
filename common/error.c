/* The error table and errors with context; see error.h. */
#include "common/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *error_text(int code)
{
	switch (code) {
	case 0:
		return "success";
#define X(name, value, text) \
	case value:          \
		return text;
		ERROR_TABLE(X)
#undef X
	default:
		return "unknown error";
	}
}

int error_from_errno(int errno_value)
{
	switch (errno_value) {
	case 0:
		return 0;
	case ENOSPC:
	case EDQUOT:
		return ERR_NO_SPACE;
	case EROFS:
		return ERR_READ_ONLY;
	case ENOENT:
	case ENOTDIR:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case EACCES:
	case EPERM:
		return ERR_PERMISSION;
	case EMFILE:
	case ENFILE:
		return ERR_LIMIT;
	case ENOMEM:
		return ERR_NO_MEMORY;
	case ENOTEMPTY:
		return ERR_NOT_EMPTY;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	case EPIPE:
	case ECONNRESET:
		return ERR_CLOSED;
	case EBUSY:
		return ERR_BUSY;
	case EINVAL:
		return ERR_INVALID;
	default:
		return ERR_IO;
	}
}

int error_set(struct error *err, int code, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;
	err->code = code;
	va_start(args, format);
	vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	return code;
}

void error_context(struct error *err, const char *format, ...)
{
	char context[sizeof err->text - 2];
	char text[sizeof err->text];
	va_list args;
	size_t at, len;

	va_start(args, format);
	vsnprintf(context, sizeof context, format, args);
	va_end(args);
	memcpy(text, err->text, sizeof text);
	snprintf(err->text, sizeof err->text, "%s: ", context);
	at = strlen(err->text);
	len = strnlen(text, sizeof err->text - 1 - at);
	memcpy(err->text + at, text, len);
	err->text[at + len] = 0;
}
