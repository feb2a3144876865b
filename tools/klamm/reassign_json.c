/* Files of `klamm reassign`, in Kafka's formats; see reassign.h. */
#include "tools/klamm/reassign.h"

#include <stdlib.h>
#include <string.h>

/* ---- lists of numbers ---- */

bool reassign_has(const int32_t *ids, int n, int32_t id)
{
	for (int i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

bool reassign_is_same(const int32_t *a, int n_a, const int32_t *b, int n_b)
{
	return n_a == n_b && (n_a == 0 || memcmp(a, b, (size_t)n_a * sizeof *a) == 0);
}

const char *reassign_ids_text(struct run *run, const int32_t *ids, int n)
{
	char *text = arena_alloc(&run->arena, (size_t)n * 12 + 1);
	size_t len = 0;

	text[0] = 0;
	for (int i = 0; i < n; i++)
		len += (size_t)sprintf(text + len, "%s%d", i ? "," : "", ids[i]);
	return text;
}

json_t *reassign_ids_json(const int32_t *ids, int n)
{
	json_t *list = json_array();

	for (int i = 0; i < n; i++)
		json_array_append_new(list, json_integer(ids[i]));
	return list;
}

int reassign_ids_read(struct run *run, const char *option, int32_t **ret_ids, int *ret_n, struct error *err)
{
	const char *text = args_text(&run->args, option, NULL);
	const char *at = text;
	int32_t *ids;
	int n = 0;

	if (!text)
		return run_usage(err, "--%s ID,ID is missing", option);
	ids = arena_alloc(&run->arena, (strlen(text) + 1) * sizeof *ids);
	for (;;) {
		char *stop;
		long id = strtol(at, &stop, 10);

		if (stop == at || id < 0 || id > INT32_MAX || (*stop && *stop != ','))
			return run_usage(err, "--%s %s: numbers of brokers belong there, with commas between them", option, text);
		if (reassign_has(ids, n, (int32_t)id))
			return run_usage(err, "--%s names broker %ld twice", option, id);
		ids[n++] = (int32_t)id;
		if (!*stop)
			break;
		at = stop + 1;
	}
	*ret_ids = ids;
	*ret_n = n;
	return RUN_OK;
}

/* ---- rows ---- */

static int by_partition(const void *a, const void *b)
{
	const struct reassign_row *x = a;
	const struct reassign_row *y = b;
	int order = slice_compare(x->topic, y->topic);

	return order ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

void reassign_rows_sort(struct reassign_rows *rows)
{
	if (rows->n > 1)
		qsort(rows->list, (size_t)rows->n, sizeof *rows->list, by_partition);
}

static int replicas_read(struct run *run, const char *path, const json_t *list, struct reassign_row *row, struct error *err)
{
	size_t n = json_array_size(list);

	if (n == 0)
		return run_usage(err, "%s: %.*s-%d has no \"replicas\"", path, SLICE_ARGS(row->topic), row->partition);
	row->replicas = arena_alloc(&run->arena, n * sizeof *row->replicas);
	for (size_t i = 0; i < n; i++) {
		const json_t *id = json_array_get(list, i);

		if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX)
			return run_usage(err, "%s: a replica of %.*s-%d is no number of a broker", path, SLICE_ARGS(row->topic), row->partition);
		if (reassign_has(row->replicas, row->n_replicas, (int32_t)json_integer_value(id)))
			return run_usage(err, "Partition replica lists may not contain duplicate entries: %.*s-%d contains multiple entries for %d",
					 SLICE_ARGS(row->topic), row->partition, (int)json_integer_value(id));
		row->replicas[row->n_replicas++] = (int32_t)json_integer_value(id);
	}
	return RUN_OK;
}

static int log_dirs_check(const char *path, const json_t *list, const struct reassign_row *row, struct error *err)
{
	if (list && json_array_size(list) != (size_t)row->n_replicas)
		return run_usage(err, "%s: Size of replicas list %d is different from size of log dirs list %d for partition %.*s-%d", path,
				 row->n_replicas, (int)json_array_size(list), SLICE_ARGS(row->topic), row->partition);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *dir = json_string_value(json_array_get(list, i));

		if (!dir || strcmp(dir, "any") != 0)
			return run_usage(err, "%s: log_dirs of %.*s-%d: only \"any\" is served; a broker chooses among its log dirs itself", path,
					 SLICE_ARGS(row->topic), row->partition);
	}
	return RUN_OK;
}

static int row_read(struct run *run, const char *path, const json_t *json, struct reassign_row *ret_row, struct error *err)
{
	const json_t *replicas;
	const json_t *log_dirs = json_object_get(json, "log_dirs");
	const char *topic;
	int r;

	if (json_unpack((json_t *)(uintptr_t)json, "{s:s, s:i, s:o}", "topic", &topic, "partition", &ret_row->partition, "replicas",
			&replicas) != 0)
		return run_usage(err, "%s: each of \"partitions\" has a \"topic\", a \"partition\" and \"replicas\"", path);
	ret_row->topic = arena_copy(&run->arena, slice_of_text(topic));
	r = replicas_read(run, path, replicas, ret_row, err);
	return r == RUN_OK ? log_dirs_check(path, log_dirs, ret_row, err) : r;
}

static int rows_read(struct run *run, const char *path, const json_t *root, struct reassign_rows *ret_rows, struct error *err)
{
	const json_t *list = json_object_get(root, "partitions");
	const json_t *version = json_object_get(root, "version");
	size_t n = json_array_size(list);

	if (version && json_integer_value(version) != 1)
		return run_usage(err, "%s: Not supported version field value %lld", path, (long long)json_integer_value(version));
	if (n == 0)
		return run_usage(err, "Partition reassignment list cannot be empty");
	*ret_rows = (struct reassign_rows){arena_zalloc(&run->arena, n, sizeof *ret_rows->list), (int)n};
	for (size_t i = 0; i < n; i++) {
		int r = row_read(run, path, json_array_get(list, i), &ret_rows->list[i], err);

		if (r != RUN_OK)
			return r;
	}
	reassign_rows_sort(ret_rows);
	for (size_t i = 1; i < n; i++)
		if (by_partition(&ret_rows->list[i - 1], &ret_rows->list[i]) == 0)
			return run_usage(err, "Partition reassignment contains duplicate topic partitions: %.*s-%d",
					 SLICE_ARGS(ret_rows->list[i].topic), ret_rows->list[i].partition);
	return RUN_OK;
}

static int json_read(struct run *run, const char *option, const char **ret_path, json_t **ret_root, struct error *err)
{
	const char *path = args_text(&run->args, option, NULL);
	json_error_t why;

	if (!path)
		return run_usage(err, "--%s FILE is missing", option);
	*ret_path = path;
	*ret_root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
	return *ret_root ? RUN_OK : run_usage(err, "%s:%d: %s", path, why.line, why.text);
}

int reassign_file_read(struct run *run, struct reassign_rows *ret_rows, struct error *err)
{
	const char *path;
	json_t *root;
	int r = json_read(run, "reassignment-json-file", &path, &root, err);

	if (r != RUN_OK)
		return r;
	r = rows_read(run, path, root, ret_rows, err);
	json_decref(root);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static int names_read(struct run *run, const char *path, const json_t *list, struct slice **ret_names, int *ret_n, struct error *err)
{
	size_t n = json_array_size(list);
	struct slice *names = arena_zalloc(&run->arena, n + 1, sizeof *names);

	if (n == 0)
		return run_usage(err, "%s has no list of \"topics\"", path);
	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_object_get(json_array_get(list, i), "topic"));

		if (!name)
			return run_usage(err, "%s: each of \"topics\" has a \"topic\"", path);
		names[i] = arena_copy(&run->arena, slice_of_text(name));
	}
	qsort(names, n, sizeof *names, by_name);
	for (size_t i = 1; i < n; i++)
		if (slice_equal(names[i - 1], names[i]))
			return run_usage(err, "List of topics to reassign contains duplicate entries: %.*s", SLICE_ARGS(names[i]));
	*ret_names = names;
	*ret_n = (int)n;
	return RUN_OK;
}

int reassign_topics_read(struct run *run, struct slice **ret_names, int *ret_n, struct error *err)
{
	const char *path;
	json_t *root;
	int r = json_read(run, "topics-to-move-json-file", &path, &root, err);

	if (r != RUN_OK)
		return r;
	r = names_read(run, path, json_object_get(root, "topics"), ret_names, ret_n, err);
	json_decref(root);
	return r;
}

/* ---- printing ---- */

json_t *reassign_rows_json(const struct reassign_rows *rows)
{
	json_t *list = json_array();

	for (int i = 0; i < rows->n; i++) {
		const struct reassign_row *row = &rows->list[i];
		json_t *dirs = json_array();

		for (int k = 0; k < row->n_replicas; k++)
			json_array_append_new(dirs, json_string("any"));
		json_array_append_new(list, json_pack("{s:o, s:i, s:o, s:o}", "topic", json_slice(row->topic), "partition", row->partition,
						      "replicas", reassign_ids_json(row->replicas, row->n_replicas), "log_dirs", dirs));
	}
	return json_pack("{s:i, s:o}", "version", 1, "partitions", list);
}

const char *reassign_rows_text(struct run *run, const struct reassign_rows *rows)
{
	json_t *root = reassign_rows_json(rows);
	char *text = json_dumps(root, JSON_COMPACT);
	const char *copy = arena_printf(&run->arena, "%s", text);

	free(text);
	json_decref(root);
	return copy;
}

const char *reassign_names_text(struct run *run, const struct reassign_rows *rows)
{
	size_t room = 1;
	size_t len = 0;
	char *text;

	for (int i = 0; i < rows->n; i++)
		room += rows->list[i].topic.len + 14;
	text = arena_alloc(&run->arena, room);
	text[0] = 0;
	for (int i = 0; i < rows->n; i++)
		len += (size_t)sprintf(text + len, "%s%.*s-%d", i ? "," : "", SLICE_ARGS(rows->list[i].topic), rows->list[i].partition);
	return text;
}
