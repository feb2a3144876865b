/* Erasure of a topic's znodes; see office_erase.h. */
#include "tools/controller/office_erase.h"

#include "common/arena.h"
#include "common/memory.h"
#include "zk/path.h"

#include <stdlib.h>
#include <string.h>

/* Listings of a tree that somebody keeps filling come to an end. */
#define SWEEPS_MAX 8

struct office_erase {
	struct office_erase *next, **link; /* link NULL: given up by its owner */
	struct office_erase_setup setup;
	struct arena arena;
	const char *top[3]; /* topic, config, request */
	bool gone[3];
	bool verified; /* the topic's node is the one that is meant */
	int n_ops;    /* operations of the batch under way */
	int n_lists;  /* readings under way */
	int n_multis;
	int n_sweeps;
};

static void sweep(struct office_erase *erase, const char *path);
static void erase_top(struct office_erase *erase);
static void verify(struct office_erase *erase);
static void delete_below(struct office_erase *erase);

static void unlink_from_owner(struct office_erase *erase)
{
	if (!erase->link)
		return;
	*erase->link = erase->next;
	if (erase->next)
		erase->next->link = erase->link;
	erase->link = NULL;
}

static void free_now(struct office_erase *erase)
{
	unlink_from_owner(erase);
	arena_fini(&erase->arena);
	free(erase);
}

void office_erase_free(struct office_erase *erase)
{
	unlink_from_owner(erase);
	/* Operations of the batch go with it; the others still answer. */
	if (erase->n_lists == 0 && erase->n_multis == 0)
		free_now(erase);
}

static void finish(struct office_erase *erase, int code)
{
	if (erase->link)
		erase->setup.done(erase->setup.ctx, erase->setup.ticket, erase->setup.topic, code);
	free_now(erase);
}

/* ---- below the topic ---- */

static void go_on(struct office_erase *erase)
{
	/* Given up: it waits for answers only that still come. */
	if ((erase->link && erase->n_ops > 0) || erase->n_lists > 0 || erase->n_multis > 0)
		return;
	if (!erase->link)
		free_now(erase);
	else if (erase->verified)
		erase_top(erase);
	else
		verify(erase);
}

static void on_deleted(void *ctx, const struct zk_op_result *result)
{
	struct office_erase *erase = ctx;

	erase->n_ops--;
	if (result->code == ERR_FENCED || result->code == ERR_SESSION_LOST || result->code == ERR_CLOSED)
		return;
	go_on(erase);
}

static void delete_node(struct office_erase *erase, const char *path)
{
	struct zk_op op = {.kind = ZK_OP_DELETE, .path = path, .version = ZK_VERSION_ANY};

	erase->n_ops++;
	zk_batch_add(erase->setup.batch, &op, on_deleted, erase);
}

struct listing {
	struct office_erase *erase;
	const char *path;
};

static void on_children(void *ctx, const struct zk_result *result)
{
	struct listing *listing = ctx;
	struct office_erase *erase = listing->erase;

	erase->n_lists--;
	if (erase->link && result->code == 0) {
		for (int i = 0; i < result->n_children; i++)
			sweep(erase, zk_path_child(&erase->arena, listing->path, result->children[i]));
		/* A parent with children fails now and goes with the next sweep. */
		if (strcmp(listing->path, erase->top[0]) != 0)
			delete_node(erase, listing->path);
		zk_batch_flush(erase->setup.batch);
	}
	go_on(erase);
}

static void sweep(struct office_erase *erase, const char *path)
{
	struct listing *listing = arena_zalloc(&erase->arena, 1, sizeof *listing);

	*listing = (struct listing){erase, path};
	erase->n_lists++;
	zk_children(erase->setup.zk, path, NULL, on_children, listing);
}

/* ---- the topic itself ---- */

static void on_top_refused(struct office_erase *erase, const struct zk_result *result)
{
	int at = 0;

	if (!result->ops) {
		finish(erase, result->code);
		return;
	}
	if (result->ops[0].code == ERR_VERSION || result->ops[0].code == ERR_NOT_FOUND) {
		finish(erase, ERR_FENCED);
		return;
	}
	for (int i = 0; i < 3; i++) {
		int code;

		if (erase->gone[i])
			continue;
		code = result->ops[++at].code;
		if (code == ERR_NOT_FOUND)
			erase->gone[i] = true;
		else if (code == ERR_NOT_EMPTY && i == 0 && erase->n_sweeps++ < SWEEPS_MAX)
			sweep(erase, erase->top[0]);
		else if (code != 0 && code != ERR_ABORTED) {
			finish(erase, code);
			return;
		}
	}
	go_on(erase);
}

static void on_top_deleted(void *ctx, const struct zk_result *result)
{
	struct office_erase *erase = ctx;

	erase->n_multis--;
	if (!erase->link)
		go_on(erase);
	else if (result->code == 0)
		finish(erase, 0);
	else if (result->code == ERR_UNKNOWN_OUTCOME)
		verify(erase);
	else
		on_top_refused(erase, result);
}

static void erase_top(struct office_erase *erase)
{
	struct zk_op ops[4] = {
		{.kind = ZK_OP_CHECK, .path = ZK_PATH_CONTROLLER_EPOCH, .version = erase->setup.epoch_version}};
	int n = 1;

	for (int i = 0; i < 3; i++)
		if (!erase->gone[i])
			ops[n++] = (struct zk_op){.kind = ZK_OP_DELETE, .path = erase->top[i], .version = ZK_VERSION_ANY};
	if (n == 1) {
		finish(erase, 0);
		return;
	}
	erase->n_multis++;
	zk_multi(erase->setup.zk, ops, n, on_top_deleted, erase);
}

/* ---- which topic is it? ---- */

static void on_verified(void *ctx, const struct zk_result *result)
{
	struct office_erase *erase = ctx;
	bool is_meant = result->code == 0 && (result->stat.czxid == erase->setup.created || erase->setup.created == 0);

	erase->n_lists--;
	if (erase->link && result->code != ERR_NOT_FOUND && result->code != 0) {
		finish(erase, result->code);
	} else if (erase->link && !is_meant) {
		finish(erase, 0);
	} else {
		erase->verified = true;
		if (erase->link)
			delete_below(erase);
		go_on(erase);
	}
}

static void verify(struct office_erase *erase)
{
	erase->verified = false;
	erase->n_lists++;
	zk_exists(erase->setup.zk, erase->top[0], NULL, on_verified, erase);
}

static void delete_below(struct office_erase *erase)
{
	const struct office_erase_setup *setup = &erase->setup;

	for (int32_t i = 0; i < setup->n_partitions; i++) {
		delete_node(erase, zk_path_partition_state(&erase->arena, setup->topic, i));
		delete_node(erase, zk_path_partition(&erase->arena, setup->topic, i));
	}
	delete_node(erase, zk_path_partitions(&erase->arena, setup->topic));
	zk_batch_flush(setup->batch);
}

void office_erase_start(const struct office_erase_setup *setup)
{
	struct office_erase *erase = NEW(struct office_erase);

	erase->setup = *setup;
	arena_init(&erase->arena);
	erase->setup.topic = arena_copy(&erase->arena, setup->topic);
	erase->top[0] = zk_path_topic(&erase->arena, setup->topic);
	erase->top[1] = zk_path_config_topic(&erase->arena, setup->topic);
	erase->top[2] = zk_path_delete_topic(&erase->arena, setup->topic);
	erase->next = *setup->list;
	if (erase->next)
		erase->next->link = &erase->next;
	erase->link = setup->list;
	*setup->list = erase;
	verify(erase);
}
