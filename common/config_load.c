/* Loading of configuration by tables; see config_load.h. */
#include "common/config_load.h"

#include <stdarg.h>
#include <stdio.h>

/* File names are cut beyond this in messages. */
#define PLACE_BYTES 300

void config_warn(const struct config_warnings *warnings, const char *format, ...)
{
	char text[512];
	va_list args;

	if (!warnings)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	warnings->warn(warnings->ctx, text);
}

/* "file:line", or the origin when it has no lines. */
static const char *place_of(const struct config_setting *setting, char place[PLACE_BYTES])
{
	if (setting->line)
		snprintf(place, PLACE_BYTES, "%s:%d", setting->origin, setting->line);
	else
		snprintf(place, PLACE_BYTES, "%s", setting->origin);
	return place;
}

static void warn_unknown(const struct config_table *table, struct slice key, const struct config_setting *setting, bool tolerated,
			 const struct config_warnings *warnings)
{
	const char *nearest = config_table_nearest(table, key);
	char place[PLACE_BYTES];

	place_of(setting, place);
	if (tolerated)
		config_warn(warnings, "%s: %.*s has no effect in Klamm yet", place, SLICE_ARGS(key));
	else if (nearest)
		config_warn(warnings, "%s: unknown key %.*s; did you mean %s?", place, SLICE_ARGS(key), nearest);
	else
		config_warn(warnings, "%s: unknown key %.*s", place, SLICE_ARGS(key));
}

void config_gather(const struct config_table *table, const struct properties *properties, bool (*tolerated)(struct slice key),
		   const struct config_warnings *warnings, struct arena *arena, struct config_setting *settings,
		   struct config_pairs *ret_extra)
{
	struct config_pair *extra = arena_alloc(arena, (size_t)properties->n * sizeof *extra);
	char place[PLACE_BYTES];
	int n_extra = 0;

	for (int i = 0; i < properties->n; i++) {
		const struct property *property = &properties->list[i];
		int row = config_table_find(table, property->key);
		struct config_setting setting = {
			.value = arena_copy(arena, property->value),
			.origin = (const char *)arena_copy(arena, slice_of_text(property->origin)).data,
			.line = property->line,
		};

		if (row < 0) {
			warn_unknown(table, property->key, &setting, tolerated && tolerated(property->key), warnings);
			extra[n_extra++] = (struct config_pair){arena_copy(arena, property->key), setting.value};
			continue;
		}
		/* Options of the command line are meant to override the file. */
		if (!slice_is_null(settings[row].value) && setting.line && settings[row].line)
			config_warn(warnings, "%s: %s was set before in line %d; this value counts", place_of(&setting, place),
				    table->rows[row].name, settings[row].line);
		settings[row] = setting;
	}
	*ret_extra = config_pairs_sorted(arena, extra, n_extra);
}

int config_read(const struct config_row *row, const struct config_setting *setting, struct arena *arena,
		struct config_parsed *ret_parsed, struct error *err)
{
	struct slice value = slice_is_null(setting->value) ? slice_of_text(row->fallback) : setting->value;
	const char *refusal;
	char place[PLACE_BYTES];

	if (config_parse(row, value, arena, ret_parsed, &refusal))
		return 0;
	return error_set(err, ERR_CONFIG, "%s: %s=%.*s: %s; expected %s", place_of(setting, place), row->name, SLICE_ARGS(value), refusal,
			 config_allowed_text(row, arena));
}

int config_refuse(const struct config_row *row, const struct config_setting *setting, const char *why, struct error *err)
{
	bool set = !slice_is_null(setting->value);
	struct slice shown = set ? setting->value : slice_of_text(row->fallback ? row->fallback : "(not set)");
	char place[PLACE_BYTES];

	if (config_is_sensitive(row))
		shown = SLICE_LITERAL("[hidden]");
	if (!set)
		return error_set(err, ERR_CONFIG, "%s=%.*s (not set in the file): %s", row->name, SLICE_ARGS(shown), why);
	return error_set(err, ERR_CONFIG, "%s: %s=%.*s: %s", place_of(setting, place), row->name, SLICE_ARGS(shown), why);
}
