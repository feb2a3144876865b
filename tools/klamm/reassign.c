/*
 * klamm reassign: replicas to other brokers. With the flags and the words of Kafka's kafka-reassign-partitions, and two actions that need no
 * files: drain (empty brokers) and add (fill new ones), with as few moves as will do.
 */
#include "tools/klamm/reassign.h"

#include "tools/klamm/commands.h"

#include <string.h>

static const struct option_row options[] = {
	{"generate", NULL, OPTION_ACTION, "Propose an even assignment of topics to brokers; changes nothing."},
	{"execute", NULL, OPTION_ACTION, "Start the reassignment that a file describes."},
	{"verify", NULL, OPTION_ACTION, "Tell how far it is; when it is done, take its throttles away."},
	{"cancel", NULL, OPTION_ACTION, "End it and go back to the replicas there were before."},
	{"list", NULL, OPTION_ACTION, "Show what is under way."},
	{"drain", NULL, OPTION_ACTION, "Move everything away from --broker."},
	{"add", NULL, OPTION_ACTION, "Move a fair share to --broker, which are new or nearly empty."},
	{"reassignment-json-file", "FILE", 0,
	 "{\"version\":1,\"partitions\":[{\"topic\":\"t\",\"partition\":0,\"replicas\":[1,2,3]}]}"},
	{"topics-to-move-json-file", "FILE", 0, "{\"version\":1,\"topics\":[{\"topic\":\"t\"}]} (--generate)."},
	{"broker-list", "ID,ID", 0, "The brokers that the topics are to be on (--generate)."},
	{"broker", "ID,ID", 0, "The brokers to drain, or those that are to get a share."},
	{"disable-rack-aware", NULL, 0, "Do not spread replicas over racks."},
	{"throttle", "BYTES", 0,
	 "Limit the traffic of the moves between brokers, in bytes a second. --verify removes the limit; with --additional and the "
	 "same file it can be changed."},
	{"replica-alter-log-dirs-throttle", "BYTES", 0, "Limit moves between log dirs of a broker: not served, refused."},
	{"preserve-throttles", NULL, 0, "Leave throttles as they are (--verify, --cancel)."},
	{"additional", NULL, 0, "Start although another reassignment is under way; the newer one holds."},
	{"timeout", "MS", 0, "How long a move between log dirs may take to start: without effect, there are none."},
	{"wait", NULL, 0, "Wait until it is done, then remove throttles as --verify does (--execute, drain, add)."},
	{"wait-timeout", "SECONDS", 0, "Wait no longer than that (default: as long as it takes)."},
	{"dry-run", NULL, 0, "Show the plan and change nothing (drain, add)."},
	{"save", "FILE", 0, "Write the plan to a file for --verify and --cancel, and what was before to FILE.before (drain, add)."},
	{"topic", "REGEX", 0, "Only topics with these names (drain, add)."},
	{0},
};

const struct option_row *const reassign_options[] = {options, options_cluster, options_output, NULL};

/* Which options belong to which action; the others would be without effect. */
static const struct {
	const char *action;
	int (*main)(struct run *run, struct error *err);
	const char *options[14];
} actions[] = {
	{"generate", reassign_generate, {"topics-to-move-json-file", "broker-list", "disable-rack-aware"}},
	{"execute",
	 reassign_execute,
	 {"reassignment-json-file", "throttle", "replica-alter-log-dirs-throttle", "additional", "timeout", "wait", "wait-timeout",
	  "preserve-throttles"}},
	{"verify", reassign_verify, {"reassignment-json-file", "preserve-throttles"}},
	{"cancel", reassign_cancel, {"reassignment-json-file", "preserve-throttles", "timeout"}},
	{"list", reassign_list, {NULL}},
	{"drain",
	 reassign_drain,
	 {"broker", "throttle", "additional", "wait", "wait-timeout", "dry-run", "save", "topic", "disable-rack-aware", "preserve-throttles"}},
	{"add",
	 reassign_add,
	 {"broker", "throttle", "additional", "wait", "wait-timeout", "dry-run", "save", "topic", "disable-rack-aware", "preserve-throttles"}},
};

static bool belongs(int action, const char *name)
{
	for (size_t i = 0; i < sizeof actions[0].options / sizeof actions[0].options[0] && actions[action].options[i]; i++)
		if (strcmp(actions[action].options[i], name) == 0)
			return true;
	return false;
}

static int check_options(const struct run *run, int action, struct error *err)
{
	for (const struct option_row *row = options; row->name; row++)
		if (!(row->flags & OPTION_ACTION) && args_has(&run->args, row->name) && !belongs(action, row->name))
			return run_usage(err, "--%s does not belong to --%s", row->name, actions[action].action);
	if (args_has(&run->args, "replica-alter-log-dirs-throttle"))
		return run_usage(err, "--replica-alter-log-dirs-throttle: moves between log dirs of one broker are not served; leave it out");
	return RUN_OK;
}

int reassign_main(struct run *run, struct error *err)
{
	const char *action;
	int at = 0;
	int r;

	if (args_action(&run->args, &action, err) != 0 || args_words_max(&run->args, 0, err) != 0)
		return RUN_USAGE;
	while (strcmp(actions[at].action, action) != 0)
		at++;
	r = check_options(run, at, err);
	return r == RUN_OK ? actions[at].main(run, err) : r;
}
