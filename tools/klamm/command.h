/*
 * What a sub-command is: a row of the table in command_table.c, its options, and one function.
 *
 * Exit codes: 0 done; 1 the cluster refused, could not be reached, or a check found something; 2 the command line is wrong.
 * Results go to standard output; what is said to the person beside them goes to standard error.
 */
#ifndef KLAMM_TOOLS_KLAMM_COMMAND_H
#define KLAMM_TOOLS_KLAMM_COMMAND_H

#include "common/arena.h"
#include "common/error.h"
#include "tools/klamm/args.h"
#include "tools/klamm/json_text.h"
#include "tools/klamm/kafka_client.h"

#include <jansson.h>
#include <stdio.h>

enum run_code { RUN_OK = 0, RUN_FAILED = 1, RUN_USAGE = 2 };

/* How results are printed: as Kafka's tools do (scripts read that), as a table for people, as JSON for programs. */
enum format { FORMAT_TEXT, FORMAT_TABLE, FORMAT_JSON };

struct run {
	const struct command *command;
	const char *called; /* the name it was called by, for messages */
	struct args args;
	struct arena arena; /* for all that lives as long as the run */
	enum format format;
	struct kafka_client *client; /* once run_client has opened it */
	FILE *out;
};

struct command {
	const char *name;       /* "topics" */
	const char *kafka_name; /* the program of Kafka's that it stands in for: "kafka-topics"; NULL for none */
	const char *usage;      /* behind the name */
	const char *summary;    /* one sentence */
	const struct option_row *const *tables;
	int (*main)(struct run *run, struct error *err); /* one of run_code; a message in err unless it is RUN_OK or empty */
};

extern const struct command command_table[];
extern const int command_table_n;

/* Options that commands share. */
extern const struct option_row options_cluster[]; /* bootstrap-server, command-config, ... */
extern const struct option_row options_output[];  /* format, help, version */

/* The row of a name ("topics") or of a program ("kafka-topics.sh", "/usr/bin/kafka-topics"); NULL. */
const struct command *command_find(const char *name);
const struct command *command_find_program(const char *path);

/* Parses, runs, prints errors, cleans up: what main does. Returns the exit code. */
int command_run(const struct command *command, const char *called, int argc, char *const *argv);

/* Sets the message and returns the code, for: return run_failed(err, "..."). */
#define run_failed(err, ...) (error_set((err), ERR_IO, __VA_ARGS__), RUN_FAILED)
#define run_usage(err, ...) (error_set((err), ERR_INVALID, __VA_ARGS__), RUN_USAGE)

/* The result of a call that has set err: RUN_OK for 0, RUN_USAGE for ERR_INVALID of args_*, RUN_FAILED for the rest. */
int run_code_of_args(int r);

/* Opens run->client from --bootstrap-server, --command-config and the time-outs; a second call does nothing. One of run_code.
 */
int run_client(struct run *run, struct error *err);

/* Prints a JSON value on one line and releases it. */
void run_print_json(struct run *run, json_t *value);

/* Says something beside the result, on standard error: "klamm topics: ...". */
void run_note(const struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text of a Kafka error for a person: the broker's own message where there is one, and the name of the code. */
const char *run_kafka_error(struct run *run, int16_t code, struct slice message);

#endif
