/*
 * klamm: the operator's command line, many commands in one program.
 *
 *     klamm COMMAND ...         a row of command_table
 *     kafka-topics.sh ...       the same row, chosen by the name that the program is called by
 */
#include "common/nearest.h"
#include "common/trace.h"
#include "config.h"
#include "tools/klamm/command.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void help_print(FILE *out)
{
	fputs("Usage: klamm COMMAND [OPTIONS]\n\n", out);
	for (int i = 0; i < command_table_n; i++)
		fprintf(out, "  %-14s %s\n", command_table[i].name, command_table[i].summary);
	fputs("\n'klamm COMMAND --help' lists the options of one command, klamm(1) explains them all. Called by the name of "
	      "one of\n"
	      "Kafka's programs (kafka-topics, kafka-topics.sh, ...) klamm does what that program does.\n",
	      out);
}

static const char *name_at(const void *ctx, int i)
{
	(void)ctx;
	return command_table[i].name;
}

static int unknown(const char *name)
{
	const char *near = nearest_name(slice_of_text(name), name_at, NULL, command_table_n);

	fprintf(stderr, "klamm: there is no command '%s'", name);
	if (near)
		fprintf(stderr, ": did you mean '%s'?", near);
	fputs("\nTry 'klamm --help'.\n", stderr);
	return RUN_USAGE;
}

static const struct command *find(const char *name)
{
	const struct command *command = command_find(name);

	return command ? command : command_find_program(name);
}

/* The name without its folder, when it is one of Kafka's programs. */
static const char *kafka_program(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	return strncmp(name, "kafka-", 6) == 0 ? name : NULL;
}

static int help(const char *name)
{
	const struct command *command = name ? find(name) : NULL;
	char *const argv[] = {"--help"};
	char called[64];

	if (!name) {
		help_print(stdout);
		return RUN_OK;
	}
	if (!command)
		return unknown(name);
	snprintf(called, sizeof called, "klamm %s", command->name);
	return command_run(command, called, 1, argv);
}

int main(int argc, char **argv)
{
	const struct command *command = command_find_program(argc > 0 ? argv[0] : "");
	const char *foreign = argc > 0 ? kafka_program(argv[0]) : NULL;
	char called[64];

	/* A reader that has seen enough ends us without a message, as with any filter. */
	(void)signal(SIGPIPE, SIG_DFL);
	trace_set_level(TRACE_ERROR);
	if (command)
		return command_run(command, command->kafka_name, argc - 1, argv + 1);
	if (foreign) {
		fprintf(stderr, "%s: klamm does not do yet what this program of Kafka's does\n", foreign);
		return RUN_USAGE;
	}
	if (argc < 2) {
		help_print(stderr);
		return RUN_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return help(argv[2]);
	if (strcmp(argv[1], "--version") == 0) {
		printf("klamm %s\n", PACKAGE_VERSION);
		return RUN_OK;
	}
	command = find(argv[1]);
	if (!command)
		return unknown(argv[1]);
	snprintf(called, sizeof called, "klamm %s", command->name);
	return command_run(command, called, argc - 2, argv + 2);
}
