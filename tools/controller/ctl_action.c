/* The list of actions; see ctl_action.h. */
#include "tools/controller/ctl_action.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct ctl_action *ctl_action_add(struct ctl_actions *actions, enum ctl_action_kind kind)
{
	struct ctl_action *action;

	if (actions->n_items == actions->room) {
		int32_t room = actions->room ? 2 * actions->room : 16;
		struct ctl_action *items = arena_alloc(actions->arena, (size_t)room * sizeof *items);

		if (actions->n_items > 0)
			memcpy(items, actions->items, (size_t)actions->n_items * sizeof *items);
		actions->items = items;
		actions->room = room;
	}
	action = &actions->items[actions->n_items++];
	*action = (struct ctl_action){.kind = kind};
	return action;
}

void ctl_action_report(struct ctl_actions *actions, bool warning, const char *format, ...)
{
	char text[512];
	struct ctl_action *action = ctl_action_add(actions, CTL_DO_REPORT);
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	action->warning = warning;
	action->text = arena_printf(actions->arena, "%s", text);
}
