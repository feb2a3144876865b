/* Checkpoints of a log dir; see checkpoint.h. */
#include "broker/log/checkpoint.h"

#include "common/error.h"
#include "common/limits.h"

#include <inttypes.h>
#include <stdlib.h>

/* A million partitions with the longest names. */
#define FILE_BYTES_MAX (512u << 20)

bool checkpoint_parse_line(struct slice text, struct checkpoint_line *ret_line)
{
	struct checkpoint_line line;
	struct slice word;
	int64_t partition;

	if (!text_take_word(&text, &line.topic) || line.topic.len > LIMIT_TOPIC_NAME_BYTES)
		return false;
	if (!text_take_word(&text, &word) || !text_number(word, 0, INT32_MAX, &partition))
		return false;
	if (!text_take_word(&text, &word) || !text_number(word, 0, INT64_MAX, &line.offset) || text.len > 0)
		return false;
	line.partition = (int32_t)partition;
	*ret_line = line;
	return true;
}

struct reading {
	checkpoint_fn *each;
	void *ctx;
};

static int read_line(void *ctx, struct slice text)
{
	struct reading *reading = ctx;
	struct checkpoint_line line;

	if (!checkpoint_parse_line(text, &line))
		return ERR_CORRUPT;
	reading->each(reading->ctx, &line);
	return 0;
}

int checkpoint_parse(struct slice text, checkpoint_fn *each, void *ctx)
{
	struct reading reading = {each, ctx};

	return text.len == 0 ? 0 : text_file_parse(text, 0, read_line, &reading);
}

int checkpoint_read(struct fs *fs, const char *path, checkpoint_fn *each, void *ctx)
{
	char *text;
	size_t len;
	int rc = fs_read_file(fs, path, FILE_BYTES_MAX, &text, &len);

	if (rc < 0)
		return rc;
	rc = checkpoint_parse(slice_of(text, len), each, ctx);
	free(text);
	return rc;
}

int checkpoint_write(struct fs *fs, const char *path, const struct text_out *lines, int32_t n)
{
	struct text_out out = {0};
	int rc;

	text_add(&out, "0\n%" PRId32 "\n%.*s", n, (int)lines->len, lines->at ? lines->at : "");
	rc = fs_replace_file(fs, path, out.at, out.len, FS_SYNC);
	text_fini(&out);
	return rc;
}
