/*
 * klamm dump-znodes: all znodes below the chroot: path, version of the data, whether ephemeral, data.
 *
 *     zk_children and zk_get of a node -> its children are asked for, too -> when all have answered, printed in the order of
 * the tree
 *
 * As many requests are under way as there are nodes known; the session bounds them and the bytes come as fast as the server
 * reads.
 */
#include "tools/klamm/commands.h"
#include "tools/klamm/zk_reader.h"
#include "zk/path.h"

#include <stdlib.h>
#include <string.h>

static const struct option_row options[] = {
	{"zookeeper", "HOST:PORT/CHROOT", 0, "The ensemble, as in zookeeper.connect. Also as a word."},
	{"path", "PATH", 0, "Only this node and what is below it (/)."},
	{"connect-timeout-ms", "MS", 0, "How long the connection may take (10000)."},
	{0},
};

const struct option_row *const dump_znodes_options[] = {options, options_output, NULL};

struct node {
	struct walk *walk;
	const char *path;
	struct slice data; /* null: none */
	int32_t version;
	bool ephemeral, gone;
	struct node *children; /* sorted by name */
	int n_children;
};

struct walk {
	struct run *run;
	struct zk_reader reader;
	int busy; /* requests without an answer */
	int code; /* the first error that is none of a node that went away */
};

static void node_ask(struct node *node);

static void note_code(struct node *node, int code)
{
	node->gone = node->gone || code == ERR_NOT_FOUND;
	if (code != ERR_NOT_FOUND && node->walk->code == 0)
		node->walk->code = code;
}

static int by_path(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static const char *child_path(struct node *node, const char *name)
{
	struct arena *arena = &node->walk->run->arena;

	return strcmp(node->path, "/") == 0 ? arena_printf(arena, "/%s", name) : zk_path_child(arena, node->path, name);
}

static void on_children(void *ctx, const struct zk_result *result)
{
	struct node *node = ctx;

	node->walk->busy--;
	if (result->code != 0) {
		note_code(node, result->code);
		return;
	}
	node->children = arena_zalloc(&node->walk->run->arena, (size_t)result->n_children + 1, sizeof *node->children);
	for (int i = 0; i < result->n_children; i++) {
		/* ZooKeeper's own nodes are none of Kafka's. */
		if (strcmp(node->path, "/") == 0 && strcmp(result->children[i], "zookeeper") == 0)
			continue;
		node->children[node->n_children++] =
			(struct node){.walk = node->walk, .path = child_path(node, result->children[i])};
	}
	qsort(node->children, (size_t)node->n_children, sizeof *node->children, by_path);
	for (int i = 0; i < node->n_children; i++)
		node_ask(&node->children[i]);
}

static void on_data(void *ctx, const struct zk_result *result)
{
	struct node *node = ctx;

	node->walk->busy--;
	if (result->code != 0) {
		note_code(node, result->code);
		return;
	}
	node->data = slice_is_null(result->data) ? SLICE_NULL : arena_copy(&node->walk->run->arena, result->data);
	node->version = result->stat.version;
	node->ephemeral = result->stat.ephemeral_owner != 0;
	if (result->stat.n_children > 0) {
		node->walk->busy++;
		zk_children(node->walk->reader.session, node->path, NULL, on_children, node);
	}
}

static void node_ask(struct node *node)
{
	node->walk->busy++;
	zk_get(node->walk->reader.session, node->path, NULL, on_data, node);
}

static void node_json(struct run *run, const struct node *node)
{
	json_t *object =
		json_pack("{s:s, s:i, s:b}", "path", node->path, "version", node->version, "ephemeral", node->ephemeral);

	json_set_bytes(object, "data", node->data);
	run_print_json(run, object);
}

static void node_print(struct run *run, const struct node *node)
{
	if (!node->gone && run->format == FORMAT_JSON)
		node_json(run, node);
	else if (!node->gone)
		fprintf(run->out, "%s  v%d%s  %.*s\n", node->path, node->version, node->ephemeral ? " EPHEMERAL" : "",
			SLICE_ARGS(slice_is_null(node->data) ? SLICE_LITERAL("<null>") : node->data));
	for (int i = 0; i < node->n_children; i++)
		node_print(run, &node->children[i]);
}

static int tree_dump(struct walk *walk, const char *path, int64_t timeout_ms, struct error *err)
{
	struct node root = {.walk = walk, .path = path};
	int r;

	node_ask(&root);
	r = zk_reader_run(&walk->reader, &walk->busy, timeout_ms, err);
	/* Whatever is still asked for is answered now: the nodes live until then. */
	zk_reader_close(&walk->reader);
	if (r != 0)
		return RUN_FAILED;
	if (walk->code != 0)
		return run_failed(err, "a node could not be read: %s", error_text(walk->code));
	if (root.gone)
		return run_failed(err, "there is no node %s", path);
	node_print(walk->run, &root);
	return RUN_OK;
}

int dump_znodes_main(struct run *run, struct error *err)
{
	const char *connect = args_text(&run->args, "zookeeper", run->args.n_words ? run->args.words[0] : NULL);
	const char *path = args_text(&run->args, "path", "/");
	struct walk walk = {.run = run};
	int64_t timeout_ms;

	if (args_words_max(&run->args, args_has(&run->args, "zookeeper") ? 0 : 1, err) != 0 ||
	    args_number(&run->args, "connect-timeout-ms", 1, INT32_MAX, 10000, &timeout_ms, err) != 0)
		return RUN_USAGE;
	if (!connect)
		return run_usage(err, "--zookeeper HOST:PORT/CHROOT is missing");
	if (*path != '/' || (path[1] && path[strlen(path) - 1] == '/'))
		return run_usage(err, "--path %s: a path begins with '/' and does not end with one", path);
	if (zk_reader_open(&walk.reader, connect, timeout_ms, err) != 0)
		return RUN_FAILED;
	return tree_dump(&walk, path, timeout_ms, err);
}
