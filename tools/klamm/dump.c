/* Dumps of files by their names, and of the small ones; see dump.h. */
#include "tools/klamm/dump.h"

#include "broker/log/producer_snapshot.h"
#include "common/error.h"
#include "common/fs.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_FILE_BYTES_MAX (64 << 20)

int64_t dump_base_offset(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strtoll(slash ? slash + 1 : path, NULL, 10);
}

void dump_json(struct dump *dump, json_t *object)
{
	json_dumpf(object, dump->out, JSON_COMPACT);
	fputc('\n', dump->out);
	json_decref(object);
}

static json_t *producer_json(const struct producer_snapshot_entry *entry)
{
	return json_pack("{s:I, s:i, s:i, s:I, s:i, s:I, s:i, s:I}", "producer_id", (json_int_t)entry->producer_id,
			 "producer_epoch", (int)entry->producer_epoch, "coordinator_epoch", entry->coordinator_epoch,
			 "txn_first_offset", (json_int_t)entry->txn_first_offset, "last_sequence", entry->last_sequence,
			 "last_offset", (json_int_t)entry->last_offset, "offset_delta", entry->offset_delta, "timestamp",
			 (json_int_t)entry->timestamp);
}

/* Sequences wrap from 2^31-1 to 0. */
static int32_t first_sequence(const struct producer_snapshot_entry *entry)
{
	return entry->last_sequence < 0 ? entry->last_sequence : (entry->last_sequence - entry->offset_delta) & INT32_MAX;
}

static void producer_line(struct dump *dump, const struct producer_snapshot_entry *entry)
{
	fprintf(dump->out, "producerId: %lld producerEpoch: %d coordinatorEpoch: %d currentTxnFirstOffset: ",
		(long long)entry->producer_id, entry->producer_epoch, entry->coordinator_epoch);
	if (entry->txn_first_offset < 0)
		fputs("OptionalLong.empty", dump->out);
	else
		fprintf(dump->out, "OptionalLong[%lld]", (long long)entry->txn_first_offset);
	fprintf(dump->out, " lastTimestamp: %lld ", (long long)entry->timestamp);
	if (entry->last_offset >= 0)
		fprintf(dump->out, "firstSequence: %d lastSequence: %d lastOffset: %lld offsetDelta: %d timestamp: %lld",
			first_sequence(entry), entry->last_sequence, (long long)entry->last_offset, entry->offset_delta,
			(long long)entry->timestamp);
	fputc('\n', dump->out);
}

static void dump_snapshot(struct dump *dump, const char *path)
{
	struct producer_snapshot snapshot = {0};
	int r = producer_snapshot_read(fs_real(), path, &snapshot);

	if (r != 0)
		dump_problem(dump, "%s: %s\n", path, error_text(r));
	for (int i = 0; i < snapshot.n_entries; i++) {
		if (dump->json)
			dump_json(dump, producer_json(&snapshot.entries[i]));
		else
			producer_line(dump, &snapshot.entries[i]);
	}
	producer_snapshot_fini(&snapshot);
}

/* Files of text: their lines, or in JSON one object with the name of the file and its lines. */
static void dump_text(struct dump *dump, const char *path)
{
	json_t *lines = json_array();
	char *text, *line;
	size_t len;
	int r = fs_read_file(fs_real(), path, TEXT_FILE_BYTES_MAX, &text, &len);

	if (r != 0) {
		dump_problem(dump, "%s: %s\n", path, error_text(r));
		json_decref(lines);
		return;
	}
	for (char *rest = text; (line = strsep(&rest, "\n"));) {
		if (!rest && !*line)
			break;
		if (dump->json)
			json_array_append_new(lines, json_string(line));
		else
			fprintf(dump->out, "%s\n", line);
	}
	if (dump->json)
		dump_json(dump, json_pack("{s:s, s:O}", "file", path, "lines", lines));
	json_decref(lines);
	free(text);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

void dump_file(struct dump *dump, const char *path)
{
	static const struct {
		const char *end;
		void (*dump)(struct dump *dump, const char *path);
	} kinds[] = {
		{".log", dump_log_file},           {".index", dump_offset_index},  {".timeindex", dump_time_index},
		{".txnindex", dump_txn_index},     {".snapshot", dump_snapshot},   {"-checkpoint", dump_text},
		{"partition.metadata", dump_text}, {"meta.properties", dump_text}, {".kafka_cleanshutdown", dump_text},
	};
	struct fs_stat stat;

	if (!dump->json)
		fprintf(dump->out, "Dumping %s\n", path);
	if (fs_stat(fs_real(), path, &stat) != 0 || stat.is_dir) {
		dump_problem(dump, "%s: there is no such file\n", path);
		return;
	}
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (ends_with(path, kinds[i].end)) {
			kinds[i].dump(dump, path);
			return;
		}
	}
	dump_problem(dump, "Ignoring unknown file %s\n", path);
}
