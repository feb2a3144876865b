/* JSON values of bytes; see json_text.h. */
#include "tools/klamm/json_text.h"

#include "common/memory.h"

#include <openssl/evp.h>
#include <stdlib.h>

/* A copy in which each byte that is no UTF-8 is U+FFFD; found out one character at a time with jansson's own check. */
static json_t *repaired(struct slice text)
{
	char *copy = memory_alloc(text.len * 3 + 1);
	size_t len = 0, at = 0;
	json_t *value;

	while (at < text.len) {
		json_t *one = NULL;
		size_t step = 0;

		while (!one && step < 4 && at + step < text.len)
			one = json_stringn((const char *)text.data + at, ++step);
		if (!one)
			step = 1;
		memcpy(copy + len, one ? (const char *)text.data + at : "\357\277\275", one ? step : 3);
		len += one ? step : 3;
		at += step;
		json_decref(one);
	}
	value = json_stringn(copy, len);
	free(copy);
	return value;
}

json_t *json_slice(struct slice text)
{
	json_t *value;

	if (slice_is_null(text))
		return json_null();
	value = json_stringn((const char *)text.data, text.len);
	return value ? value : repaired(text);
}

void json_set_bytes(json_t *object, const char *name, struct slice bytes)
{
	json_t *value = slice_is_null(bytes) ? json_null() : json_stringn((const char *)bytes.data, bytes.len);
	char *encoded, *long_name;

	if (value) {
		json_object_set_new(object, name, value);
		return;
	}
	encoded = memory_alloc((bytes.len + 2) / 3 * 4 + 1);
	long_name = memory_printf("%s_base64", name);
	EVP_EncodeBlock((unsigned char *)encoded, bytes.data, (int)bytes.len);
	json_object_set_new(object, long_name, json_string(encoded));
	free(long_name);
	free(encoded);
}
