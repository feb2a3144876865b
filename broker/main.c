/* klamm-broker: the command line; what a broker is made of is in node.c. */
#include "config.h"

#include "broker/broker_id.h"
#include "broker/meta/broker_config.h"
#include "broker/node.h"
#include "broker/rt/signals.h"
#include "broker/rt/supervisor.h"
#include "common/memory.h"
#include "common/trace.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum exit_status { EXIT_USAGE = 2 };

static const char usage_text[] =
	"usage: klamm-broker [options] FILE.properties\n"
	"\n"
	"Runs one broker of a Klamm cluster. FILE has Kafka's keys (server.properties).\n"
	"\n"
	"  --set KEY=VALUE     set or replace a key (also: --override); may stand several times\n"
	"  --check-config      read and check the configuration, print what is odd, and end\n"
	"  --debug             also trace what is only of interest to developers\n"
	"  --version           print the version\n"
	"  --help              print this\n"
	"\n"
	"Exit status: 0 stopped when told to, 1 could not start or go on, 2 wrong command line or configuration.\n";

struct options {
	const char *file;
	bool check;
};

static void on_warning(void *ctx, const char *text)
{
	(void)ctx;
	trace_warn("config", "%s", text);
}

static int usage_error(const char *text, const char *what)
{
	fprintf(stderr, "klamm-broker: %s%s\nTry: klamm-broker --help\n", text, what);
	return EXIT_USAGE;
}

/* -1: go on; else the exit status. Assignments are gathered in `set`, to be laid over the file. */
static int read_options(int argc, char **argv, struct properties *set, struct options *ret_options)
{
	static const struct option options[] = {
		{"set", required_argument, NULL, 's'},   {"override", required_argument, NULL, 's'}, {"check-config", no_argument, NULL, 'c'},
		{"debug", no_argument, NULL, 'd'},       {"version", no_argument, NULL, 'v'},        {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct error err;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's':
			if (properties_set(set, optarg, "--set", &err))
				return usage_error("--set: ", err.text);
			break;
		case 'c':
			ret_options->check = true;
			break;
		case 'd':
			trace_set_level(TRACE_DEBUG);
			break;
		case 'v':
			printf("klamm-broker %s\n", PACKAGE_VERSION);
			return 0;
		case 'h':
			fputs(usage_text, stdout);
			return 0;
		default:
			return usage_error("wrong option", "");
		}
	}
	if (optind + 1 != argc)
		return usage_error(optind == argc ? "name a configuration file" : "one configuration file only: ", optind == argc ? "" : argv[optind + 1]);
	ret_options->file = argv[optind];
	return -1;
}

static int load(const struct options *options, const struct properties *set, struct broker_config **ret_config)
{
	struct config_warnings warnings = {on_warning, NULL};
	struct properties properties;
	struct error err = {0};
	int r;

	properties_init(&properties);
	r = properties_read_file(&properties, options->file, &err);
	for (int i = 0; r == 0 && i < set->n; i++) {
		char *assignment;

		if (asprintf(&assignment, "%.*s=%.*s", SLICE_ARGS(set->list[i].key), SLICE_ARGS(set->list[i].value)) < 0)
			abort();
		r = properties_set(&properties, assignment, "--set", &err);
		free(assignment);
	}
	if (r == 0)
		r = broker_config_load(&properties, &warnings, ret_config, &err);
	if (r)
		fprintf(stderr, "klamm-broker: %s\n", err.text[0] ? err.text : error_text(r));
	properties_fini(&properties);
	return r;
}

static int run(void *ctx, struct supervised *supervised)
{
	struct broker_config *config = ctx;
	struct error err;
	int r = config->broker_id >= 0 ? 0 : broker_id_choose(config, &err);

	if (r == 0)
		return node_run(config, supervised);
	if (r == ERR_CLOSED) {
		trace_info("node", "stopped");
		return 0;
	}
	trace_error("node", "cannot start: %s", err.text);
	return 1;
}

static int start(struct broker_config *config)
{
	struct supervisor_options options = supervisor_defaults();

	if (!config->klamm_supervise)
		return run(config, NULL);
	options.name = "klamm-broker";
	options.zookeeper_connect = config->zookeeper_connect;
	options.session_timeout_ms = config->zookeeper_session_timeout_ms;
	options.run = run;
	options.ctx = config;
	return supervise(&options);
}

int main(int argc, char **argv)
{
	struct broker_config *config;
	struct options options = {0};
	struct properties set;
	int status;

	memory_keep_freed();
	signals_block();
	properties_init(&set);
	status = read_options(argc, argv, &set, &options);
	if (status < 0 && load(&options, &set, &config)) {
		status = EXIT_USAGE;
	} else if (status < 0) {
		if (options.check)
			printf("klamm-broker: the configuration in %s is good\n", options.file);
		status = options.check ? 0 : start(config);
		broker_config_release(config);
	}
	properties_fini(&set);
	return status;
}
