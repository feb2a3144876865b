/*
 * Properties + a table of rows -> a typed struct, with errors that name file, line, key, value and what may stand there.
 *
 *     properties --config_gather--> settings by row, and the keys without a row --config_read--> checked value --config_store--> field
 */
#ifndef KLAMM_COMMON_CONFIG_LOAD_H
#define KLAMM_COMMON_CONFIG_LOAD_H

#include "common/config_table.h"
#include "common/error.h"
#include "common/properties.h"

/* A key as it was set, before defaults. */
struct config_setting {
	struct slice value; /* null = not set */
	const char *origin; /* file, or "--set" */
	int line;           /* 0 when the origin has no lines */
};

/* Told of what is odd but no error: unknown keys (with the nearest known one), keys without effect, keys set twice. */
struct config_warnings {
	void (*warn)(void *ctx, const char *text);
	void *ctx;
};

/* warnings may be NULL. */
void config_warn(const struct config_warnings *warnings, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Sorts properties into settings, one for each row, zeroed by the caller; the last of a key counts. Keys without a row go to *ret_extra,
 * sorted, and are warned about: as misspelled, or, where `tolerated` (may be NULL) says so, as without effect. All text is copied to
 * the arena.
 */
void config_gather(const struct config_table *table, const struct properties *properties, bool (*tolerated)(struct slice key),
		   const struct config_warnings *warnings, struct arena *arena, struct config_setting *settings,
		   struct config_pairs *ret_extra);

/* Reads and checks a setting, or the default when it is not set. ERR_CONFIG with the place in err. */
int config_read(const struct config_row *row, const struct config_setting *setting, struct arena *arena,
		struct config_parsed *ret_parsed, struct error *err);

/* A refusal beyond what a row can check: fills err with place, key, value and `why`; returns ERR_CONFIG. */
int config_refuse(const struct config_row *row, const struct config_setting *setting, const char *why, struct error *err);

#endif
