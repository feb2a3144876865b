/* klamm-controller: command line and life of the process; see klamm-controller.8. */
#include "broker/rt/signals.h"
#include "broker/rt/supervisor.h"
#include "common/memory.h"
#include "common/trace.h"
#include "config.h"
#include "tools/controller/controller.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define EXIT_USAGE 2

struct arguments {
	const char *file;
	bool check_only;
	struct properties set; /* --set */
};

static void print_help(FILE *out)
{
	fprintf(out, "Usage: klamm-controller [--check-config] [--set KEY=VALUE]... FILE.properties\n"
		     "\n"
		     "Leads the elections of a Klamm cluster through ZooKeeper. Run two or more: one is in office, the others wait.\n"
		     "\n"
		     "  --check-config     read the configuration, say what is wrong with it, and end\n"
		     "  --set KEY=VALUE    set a key, over what the file says\n"
		     "  --debug            trace more\n"
		     "  --help, --version\n"
		     "\n"
		     "Keys of FILE.properties, with their defaults:\n");
	controller_config_describe(out);
}

/* Returns an exit status, or -1 to go on. */
static int parse(int argc, char **argv, struct arguments *ret_arguments)
{
	static const struct option options[] = {{"check-config", no_argument, NULL, 'c'}, {"set", required_argument, NULL, 's'},
						{"debug", no_argument, NULL, 'd'},	  {"help", no_argument, NULL, 'h'},
						{"version", no_argument, NULL, 'v'},	  {NULL, 0, NULL, 0}};
	struct error err;
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			ret_arguments->check_only = true;
			break;
		case 's':
			if (properties_set(&ret_arguments->set, optarg, "--set", &err) == 0)
				break;
			fprintf(stderr, "klamm-controller: %s\n", err.text);
			return EXIT_USAGE;
		case 'd':
			trace_set_level(TRACE_DEBUG);
			break;
		case 'h':
			print_help(stdout);
			return EXIT_SUCCESS;
		case 'v':
			printf("klamm-controller %s\n", PACKAGE_VERSION);
			return EXIT_SUCCESS;
		default:
			fprintf(stderr, "klamm-controller: try --help\n");
			return EXIT_USAGE;
		}
	}
	if (optind != argc - 1) {
		fprintf(stderr, "klamm-controller: give one properties file (try --help)\n");
		return EXIT_USAGE;
	}
	ret_arguments->file = argv[optind];
	return -1;
}

static int load(const struct arguments *arguments, struct controller_config *config, struct error *err)
{
	struct properties properties;
	int code;

	properties_init(&properties);
	code = properties_read_file(&properties, arguments->file, err);
	for (int i = 0; i < arguments->set.n && code == 0; i++) {
		char *text = memory_printf("%.*s=%.*s", SLICE_ARGS(arguments->set.list[i].key), SLICE_ARGS(arguments->set.list[i].value));

		code = properties_set(&properties, text, "--set", err);
		free(text);
	}
	if (code == 0)
		code = controller_config_load(config, &properties, err);
	properties_fini(&properties);
	return code;
}

static void on_signal(void *ctx, int signal_number)
{
	if (signal_number != SIGHUP)
		controller_stop(ctx);
}

static int run(void *ctx, struct supervised *supervised)
{
	const struct controller_config *config = ctx;
	struct controller controller;
	struct signals signals;
	struct worker worker;
	struct error err = {.text = "no descriptor is left"};
	int status;

	if (worker_init(&worker, "controller", 0) || signals_open(&signals, &worker.loop, on_signal, &controller) ||
	    controller_open(&controller, config, supervised, &worker, &err)) {
		fprintf(stderr, "klamm-controller: %s\n", err.text);
		return EXIT_FAILURE;
	}
	worker_run(&worker);
	controller_close(&controller);
	signals_close(&signals);
	worker_drain(&worker);
	worker_fini(&worker);
	status = controller.status;
	trace_info("controller", "stopped");
	return status;
}

static int start(struct controller_config *config)
{
	struct supervisor_options options = supervisor_defaults();

	if (!config->supervise)
		return run(config, NULL);
	options.name = "klamm-controller";
	options.zookeeper_connect = config->zookeeper_connect;
	options.session_timeout_ms = config->zookeeper_session_timeout_ms;
	options.run = run;
	options.ctx = config;
	return supervise(&options);
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct controller_config config = {0};
	struct error err;
	int status;

	memory_keep_freed();
	signals_block();
	properties_init(&arguments.set);
	status = parse(argc, argv, &arguments);
	if (status < 0 && load(&arguments, &config, &err) != 0) {
		fprintf(stderr, "klamm-controller: %s\n", err.text);
		status = EXIT_FAILURE;
	}
	if (status < 0 && arguments.check_only) {
		printf("%s: configuration is right\n", arguments.file);
		status = EXIT_SUCCESS;
	}
	if (status < 0)
		status = start(&config);
	controller_config_fini(&config);
	properties_fini(&arguments.set);
	return status;
}
