/* klamm.run; see run_file.h. */
#include "broker/log/run_file.h"

#include "common/crc32c.h"
#include "common/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES_MAX (512u << 20)
#define CRC_LINE_BYTES 13 /* "crc 01234567\n" */
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

/* Takes a line "name value" and gives the value. */
static bool take_value(struct slice *rest, const char *name, struct slice *ret_value)
{
	struct slice line, word;

	if (!text_take_line(rest, &line) || !text_take_word(&line, &word) || !slice_is_text(word, name))
		return false;
	*ret_value = line;
	return true;
}

static bool take_number(struct slice *rest, const char *name, int64_t min, int64_t *ret_number)
{
	struct slice value;

	return take_value(rest, name, &value) && text_number(value, min, INT64_MAX, ret_number);
}

static bool take_seal(struct slice *rest, struct run_seal *ret_seal)
{
	struct slice line, inode, mtime, size;
	int64_t n;

	if (!take_value(rest, "seal", &line) || !text_take_word(&line, &inode) || !text_take_word(&line, &mtime) ||
	    !text_take_word(&line, &size) || line.len > 0)
		return false;
	if (!text_number(inode, INT64_MIN, INT64_MAX, &n))
		return false;
	ret_seal->inode = (uint64_t)n;
	return text_number(mtime, INT64_MIN, INT64_MAX, &ret_seal->mtime_ms) && text_number(size, 0, INT64_MAX, &ret_seal->size);
}

static const char *const state_names[] = {[RUN_RUNNING] = "running", [RUN_CLEAN] = "clean"};

static bool take_state(struct slice *rest, enum run_state *ret_state)
{
	struct slice value;

	if (!take_value(rest, "state", &value))
		return false;
	for (enum run_state state = RUN_RUNNING; state <= RUN_CLEAN; state++) {
		if (slice_is_text(value, state_names[state])) {
			*ret_state = state;
			return true;
		}
	}
	return false;
}

static const char *const owed_names[] = {[RUN_OWES_NOTHING] = "nothing", [RUN_OWES_UNCLEAN] = "unclean", [RUN_OWES_NEW] = "new"};

static bool take_owed(struct slice *rest, enum run_owed *ret_owed)
{
	struct slice before = *rest, value;

	*ret_owed = RUN_OWES_NOTHING;
	if (!take_value(rest, "owed", &value)) {
		*rest = before;
		return true;
	}
	for (enum run_owed owed = RUN_OWES_NOTHING; owed <= RUN_OWES_NEW; owed++) {
		if (slice_is_text(value, owed_names[owed])) {
			*ret_owed = owed;
			return true;
		}
	}
	return false;
}

static const char *const durability_names[] = {"page-cache", "fsync-isr"};

static bool take_durability(struct slice *rest, bool *ret_durable)
{
	struct slice before = *rest, value;

	*ret_durable = false;
	if (!take_value(rest, "durability", &value)) {
		*rest = before;
		return true;
	}
	*ret_durable = slice_is_text(value, durability_names[1]);
	return *ret_durable || slice_is_text(value, durability_names[0]);
}

static bool take_used(struct slice *rest, struct run_use *ret_used)
{
	struct slice before = *rest, line, epoch;
	int64_t n;

	*ret_used = (struct run_use){.broker_epoch = -1};
	if (!take_value(rest, "used", &line)) {
		*rest = before;
		return true;
	}
	if (!text_take_word(&line, &epoch) || !text_number(epoch, -1, INT64_MAX, &ret_used->broker_epoch) ||
	    !text_number(line, 0, INT32_MAX, &n))
		return false;
	ret_used->n_away = (int32_t)n;
	return true;
}

static bool take_head(struct slice *rest, struct run_file *ret_run)
{
	struct slice value;
	int64_t n;

	if (!take_number(rest, RUN_FILE, 1, &n) || n != 1)
		return false;
	if (!take_value(rest, "boot", &value) || value.len > RUN_BOOT_ID_LEN)
		return false;
	memcpy(ret_run->boot_id, value.data, value.len);
	ret_run->boot_id[value.len] = 0;
	if (!take_number(rest, "fs", INT64_MIN, &n))
		return false;
	ret_run->fs_id = (uint64_t)n;
	if (!take_value(rest, "directory", &value) || !uuid_parse(value, &ret_run->directory_id))
		return false;
	if (!take_number(rest, "broker_epoch", -1, &ret_run->broker_epoch) || !take_state(rest, &ret_run->state) ||
	    !take_owed(rest, &ret_run->owed) || !take_durability(rest, &ret_run->durable) || !take_used(rest, &ret_run->used))
		return false;
	return take_seal(rest, &ret_run->seal);
}

/* The text without its last line when that is the right checksum. */
static bool check_crc(struct slice *text)
{
	char line[CRC_LINE_BYTES + 1];

	if (text->len < CRC_LINE_BYTES)
		return false;
	text->len -= CRC_LINE_BYTES;
	snprintf(line, sizeof line, "crc %08" PRIx32 "\n", crc32c(text->data, text->len));
	return memcmp(text->data + text->len, line, CRC_LINE_BYTES) == 0;
}

int run_file_parse(struct slice text, struct run_file *ret_run, checkpoint_fn *each_mark, void *ctx)
{
	struct run_file run = {0};
	struct checkpoint_line mark;
	struct slice line;
	int64_t n;

	if (!check_crc(&text) || !take_head(&text, &run) || !take_number(&text, "marks", 0, &n))
		return ERR_CORRUPT;
	for (int64_t i = 0; i < n; i++) {
		if (!text_take_line(&text, &line) || !checkpoint_parse_line(line, &mark))
			return ERR_CORRUPT;
		each_mark(ctx, &mark);
	}
	if (text.len > 0)
		return ERR_CORRUPT;
	*ret_run = run;
	return 0;
}

int run_file_read(struct fs *fs, const char *path, struct run_file *ret_run, checkpoint_fn *each_mark, void *ctx)
{
	char *text;
	size_t len;
	int rc = fs_read_file(fs, path, FILE_BYTES_MAX, &text, &len);

	if (rc < 0)
		return rc;
	rc = run_file_parse(slice_of(text, len), ret_run, each_mark, ctx);
	free(text);
	return rc;
}

int run_file_write(struct fs *fs, const char *path, const struct run_file *run, const struct text_out *marks, int32_t n_marks)
{
	struct text_out out = {0};
	char id[UUID_TEXT_LEN + 1];
	int rc;

	uuid_format(&run->directory_id, id);
	text_add(&out, RUN_FILE " 1\nboot %s\nfs %" PRId64 "\ndirectory %s\n", run->boot_id, (int64_t)run->fs_id, id);
	text_add(&out, "broker_epoch %" PRId64 "\nstate %s\nowed %s\n", run->broker_epoch, state_names[run->state], owed_names[run->owed]);
	text_add(&out, "durability %s\nused %" PRId64 " %" PRId32 "\n", durability_names[run->durable], run->used.broker_epoch,
		 run->used.n_away);
	text_add(&out, "seal %" PRId64 " %" PRId64 " %" PRId64 "\n", (int64_t)run->seal.inode, run->seal.mtime_ms, run->seal.size);
	text_add(&out, "marks %" PRId32 "\n%.*s", n_marks, (int)marks->len, marks->at ? marks->at : "");
	text_add(&out, "crc %08" PRIx32 "\n", crc32c(out.at, out.len));
	rc = fs_replace_file(fs, path, out.at, out.len, FS_SYNC);
	text_fini(&out);
	return rc;
}

void run_file_boot_id(struct fs *fs, char ret_boot_id[RUN_BOOT_ID_LEN + 1])
{
	int64_t n = 0;
	int fd;

	if (fs_open(fs, BOOT_ID_FILE, FS_READ, &fd) == 0) {
		n = fs_pread(fs, fd, ret_boot_id, RUN_BOOT_ID_LEN, 0);
		fs_close(fs, fd);
	}
	ret_boot_id[n > 0 ? n : 0] = 0;
}
