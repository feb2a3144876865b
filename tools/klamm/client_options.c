/* How to reach the cluster; see client_options.h. */
#include "tools/klamm/client_options.h"

#include "common/properties.h"
#include "tools/klamm/zk_brokers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct option_row options_cluster[] = {
	{"bootstrap-server", "HOST:PORT,...", 0, "Brokers to begin with; KLAMM_BOOTSTRAP_SERVER is taken where it is missing."},
	{"command-config", "FILE", 0, "Properties for the connection: bootstrap.servers, client.id, request.timeout.ms."},
	{"admin.config", "FILE", OPTION_HIDDEN, "The same, as some of Kafka's programs call it."},
	{"request-timeout-ms", "MS", 0, "How long a broker may take for one request (30000)."},
	{"connect-timeout-ms", "MS", 0, "How long a connection may take (10000)."},
	{"broker-list", "HOST:PORT,...", OPTION_HIDDEN, "The old name of --bootstrap-server."},
	{"zookeeper", "HOST:PORT/CHROOT", OPTION_HIDDEN, "The old way to the cluster: its brokers are looked up there."},
	{0},
};

#define TIMEOUT_MS_MAX (24 * 3600 * 1000)

static const char *property(const struct properties *properties, const char *key)
{
	const struct property *found = properties_get(properties, key);

	return found ? (const char *)found->value.data : NULL;
}

/* A client without TLS and SASL must not quietly talk in the clear to a cluster that wants them. */
static int security_check(const struct properties *properties, const char *path, struct error *err)
{
	const char *protocol = property(properties, "security.protocol");

	if (!protocol || strcmp(protocol, "PLAINTEXT") == 0)
		return RUN_OK;
	return run_usage(err, "%s: security.protocol=%s is not served: klamm connects to PLAINTEXT listeners only", path,
			 protocol);
}

static int number_read(const struct run *run, const struct properties *properties, const char *option, const char *key,
		       int64_t fallback, int64_t *ret_number, struct error *err)
{
	const char *text = property(properties, key);
	char *end;

	if (text && !args_has(&run->args, option)) {
		fallback = strtoll(text, &end, 10);
		if (end == text || *end || fallback < 1 || fallback > TIMEOUT_MS_MAX)
			return error_set(err, ERR_INVALID, "%s=%s: a number of milliseconds from 1 to %d belongs there", key,
					 text, TIMEOUT_MS_MAX);
	}
	return args_number(&run->args, option, 1, TIMEOUT_MS_MAX, fallback, ret_number, err);
}

/* A command may have an option of that name which means something else: only the hidden row of ours counts. */
static const char *old_name(const struct run *run)
{
	const char *text = NULL;

	for (int i = 0; i < run->args.n; i++)
		if (strcmp(run->args.list[i].row->name, "broker-list") == 0 && (run->args.list[i].row->flags & OPTION_HIDDEN))
			text = run->args.list[i].text;
	return text;
}

static const char *bootstrap_read(const struct run *run, const struct properties *properties)
{
	const char *text = args_text(&run->args, "bootstrap-server", old_name(run));

	if (!text)
		text = property(properties, "bootstrap.servers");
	if (!text && !args_has(&run->args, "zookeeper"))
		text = getenv("KLAMM_BOOTSTRAP_SERVER");
	return text;
}

/* --zookeeper went from Kafka's tools with 3.0, not from people's scripts. */
static int zookeeper_read(struct run *run, struct kafka_client_config *config, struct error *err)
{
	const char *zookeeper = args_text(&run->args, "zookeeper", NULL);
	int r;

	if (!zookeeper)
		return run_usage(err, "--bootstrap-server HOST:PORT is missing: the address of a broker");
	if (config->bootstrap) {
		run_note(run,
			 "--zookeeper is not needed any more and left aside: --bootstrap-server says where the cluster is");
		return RUN_OK;
	}
	r = zk_brokers_find(zookeeper, config->connect_timeout_ms, &run->arena, &config->bootstrap, err);
	if (r != 0)
		return run_failed(err,
				  "--zookeeper %s: no brokers found there (%s). Say where a broker listens instead: "
				  "--bootstrap-server HOST:PORT",
				  zookeeper, arena_printf(&run->arena, "%s", err->text));
	run_note(run, "--zookeeper is the old way: next time say --bootstrap-server %s", config->bootstrap);
	return RUN_OK;
}

static int config_fill(struct run *run, const struct properties *properties, struct kafka_client_config *config,
		       struct error *err)
{
	int r = number_read(run, properties, "request-timeout-ms", "request.timeout.ms", 30000, &config->request_timeout_ms,
			    err);

	if (r == 0)
		r = number_read(run, properties, "connect-timeout-ms", "socket.connection.setup.timeout.ms", 10000,
				&config->connect_timeout_ms, err);
	if (r != 0)
		return RUN_USAGE;
	config->client_id = property(properties, "client.id");
	config->client_id = arena_printf(&run->arena, "%s", config->client_id ? config->client_id : "klamm");
	config->bootstrap = bootstrap_read(run, properties);
	if (config->bootstrap)
		config->bootstrap = arena_printf(&run->arena, "%s", config->bootstrap);
	if (!config->bootstrap || args_has(&run->args, "zookeeper"))
		return zookeeper_read(run, config, err);
	return RUN_OK;
}

int client_options_read(struct run *run, struct kafka_client_config *ret_config, struct error *err)
{
	const char *path = args_text(&run->args, "command-config", args_text(&run->args, "admin.config", NULL));
	struct properties properties;
	int r = RUN_OK;

	properties_init(&properties);
	if (path && properties_read_file(&properties, path, err) != 0)
		r = RUN_USAGE;
	if (r == RUN_OK && path)
		r = security_check(&properties, path, err);
	if (r == RUN_OK)
		r = config_fill(run, &properties, ret_config, err);
	properties_fini(&properties);
	return r;
}
