/* From a command line to an exit code; see command.h. */
#include "tools/klamm/command.h"

#include "config.h"
#include "proto/kafka_error.h"
#include "tools/klamm/client_options.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct option_row options_output[] = {
	{"format", "text|table|json", 0, "How to print: as Kafka's tool does (text), aligned for people, or for programs."},
	{"help", NULL, 0, "Print this help."},
	{"version", NULL, 0, "Print the version."},
	{0},
};

#define HELP_WIDTH 110

const struct command *command_find(const char *name)
{
	for (int i = 0; i < command_table_n; i++)
		if (strcmp(command_table[i].name, name) == 0)
			return &command_table[i];
	return NULL;
}

const struct command *command_find_program(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t len = strlen(name);

	if (len > 3 && strcmp(name + len - 3, ".sh") == 0)
		len -= 3;
	for (int i = 0; i < command_table_n; i++) {
		const char *kafka_name = command_table[i].kafka_name;

		if (kafka_name && strlen(kafka_name) == len && strncmp(kafka_name, name, len) == 0)
			return &command_table[i];
	}
	return NULL;
}

int run_code_of_args(int r)
{
	if (r == 0)
		return RUN_OK;
	return r == ERR_INVALID ? RUN_USAGE : RUN_FAILED;
}

int run_client(struct run *run, struct error *err)
{
	struct kafka_client_config config = {0};
	int r;

	if (run->client)
		return RUN_OK;
	r = client_options_read(run, &config, err);
	if (r != RUN_OK)
		return r;
	return run_code_of_args(kafka_client_open(&config, &run->client, err));
}

void run_note(const struct run *run, const char *format, ...)
{
	va_list list;

	fprintf(stderr, "%s: ", run->called);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
}

const char *run_kafka_error(struct run *run, int16_t code, struct slice message)
{
	if (message.len)
		return arena_printf(&run->arena, "%.*s (%s)", SLICE_ARGS(message), kafka_error_name(code));
	return arena_printf(&run->arena, "%s (%s)", kafka_error_text(code), kafka_error_name(code));
}

void run_print_json(struct run *run, json_t *value)
{
	json_dumpf(value, run->out, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
	fputc('\n', run->out);
	json_decref(value);
}

static void help_print(const struct run *run)
{
	const struct command *command = run->command;

	fprintf(run->out, "Usage: %s %s\n\n%s\n\n", run->called, command->usage, command->summary);
	args_help(command->tables, run->out, HELP_WIDTH);
}

static int format_read(struct run *run, struct error *err)
{
	const char *text = args_text(&run->args, "format", "text");

	if (strcmp(text, "text") == 0)
		run->format = FORMAT_TEXT;
	else if (strcmp(text, "table") == 0)
		run->format = FORMAT_TABLE;
	else if (strcmp(text, "json") == 0)
		run->format = FORMAT_JSON;
	else
		return run_usage(err, "--format %s: text, table or json belongs there", text);
	return RUN_OK;
}

static int parsed_run(struct run *run, struct error *err)
{
	int r = format_read(run, err);

	if (args_has(&run->args, "help")) {
		help_print(run);
		return RUN_OK;
	}
	if (args_has(&run->args, "version")) {
		fprintf(run->out, "klamm %s\n", PACKAGE_VERSION);
		return RUN_OK;
	}
	return r == RUN_OK ? run->command->main(run, err) : r;
}

/* Output that could not be written (a full disk, a closed pipe) is a failure too. */
static int output_end(struct run *run, int r, struct error *err)
{
	if (fflush(run->out) != 0 || ferror(run->out))
		return r != RUN_OK ? r : run_failed(err, "could not write the output");
	return r;
}

int command_run(const struct command *command, const char *called, int argc, char *const *argv)
{
	struct run run = {.command = command, .called = called, .out = stdout};
	struct error err = {0};
	int r;

	arena_init(&run.arena);
	r = run_code_of_args(args_parse(&run.arena, command->tables, argc, argv, &run.args, &err));
	if (r == RUN_OK)
		r = parsed_run(&run, &err);
	r = output_end(&run, r, &err);
	if (r != RUN_OK && err.text[0])
		run_note(&run, "%s", err.text);
	if (r == RUN_USAGE)
		fprintf(stderr, "Try '%s --help'.\n", called);
	kafka_client_free(run.client);
	arena_fini(&run.arena);
	return r;
}
