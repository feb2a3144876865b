/* The functions and option tables of the commands, for command_table.c. */
#ifndef KLAMM_TOOLS_KLAMM_COMMANDS_H
#define KLAMM_TOOLS_KLAMM_COMMANDS_H

#include "tools/klamm/command.h"

#define COMMAND_DECLARE(command)                                                                                               \
	int command##_main(struct run *run, struct error *err);                                                                \
	extern const struct option_row *const command##_options[]

COMMAND_DECLARE(api_versions);
COMMAND_DECLARE(bench);
COMMAND_DECLARE(cluster);
COMMAND_DECLARE(configs);
COMMAND_DECLARE(consume);
COMMAND_DECLARE(delete_records);
COMMAND_DECLARE(dump_log);
COMMAND_DECLARE(dump_znodes);
COMMAND_DECLARE(elect);
COMMAND_DECLARE(get_offsets);
COMMAND_DECLARE(groups);
COMMAND_DECLARE(produce);
COMMAND_DECLARE(reassign);
COMMAND_DECLARE(topics);

#endif
