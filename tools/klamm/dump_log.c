/* klamm dump-log: files of a log dir as text; the work is in dump.c and its neighbours. */
#include "tools/klamm/commands.h"
#include "tools/klamm/dump.h"

#include <stdlib.h>
#include <string.h>

static const struct option_row options[] = {
	{"files", "FILE,FILE", 0, "The files: .log, .index, .timeindex, .txnindex, .snapshot, checkpoints. Also as words."},
	{"deep-iteration", NULL, 0, "Also the records of each batch."},
	{"print-data-log", NULL, 0, "Also keys and values of the records."},
	{"skip-record-metadata", NULL, 0, "Of records only keys and values."},
	{"index-sanity-check", NULL, 0, "Of indexes only the check that a broker does when it starts."},
	{"verify-index-only", NULL, 0, "Of indexes only what does not fit the log."},
	{"offsets-decoder", NULL, 0, "Records are those of __consumer_offsets."},
	{"transaction-log-decoder", NULL, 0, "Records are those of __transaction_state."},
	{"max-bytes", "N", 0, "Read no more than this of each log."},
	{"max-message-size", "N", OPTION_HIDDEN, "Without effect."},
	{"key-decoder-class", "CLASS", OPTION_HIDDEN | OPTION_MAY_LACK, "Not served."},
	{"value-decoder-class", "CLASS", OPTION_HIDDEN | OPTION_MAY_LACK, "Not served."},
	{"cluster-metadata-decoder", NULL, OPTION_HIDDEN, "Not served."},
	{"remote-log-metadata-decoder", NULL, OPTION_HIDDEN, "Not served."},
	{0},
};

const struct option_row *const dump_log_options[] = {options, options_output, NULL};

static int options_read(struct run *run, struct dump *dump, struct error *err)
{
	static const char *const unserved[] = {"key-decoder-class", "value-decoder-class", "cluster-metadata-decoder",
					       "remote-log-metadata-decoder"};
	const struct args *args = &run->args;

	for (size_t i = 0; i < sizeof unserved / sizeof unserved[0]; i++)
		if (args_has(args, unserved[i]))
			return run_usage(err, "--%s is not served", unserved[i]);
	if (args_has(args, "offsets-decoder") && args_has(args, "transaction-log-decoder"))
		return run_usage(err, "--offsets-decoder and --transaction-log-decoder exclude each other");
	dump->decoder = args_has(args, "offsets-decoder")           ? DECODE_OFFSETS
			: args_has(args, "transaction-log-decoder") ? DECODE_TRANSACTIONS
								    : DECODE_TEXT;
	dump->print_data =
		args_has(args, "print-data-log") || args_has(args, "skip-record-metadata") || dump->decoder != DECODE_TEXT;
	dump->deep = dump->print_data || args_has(args, "deep-iteration");
	dump->skip_metadata = args_has(args, "skip-record-metadata");
	dump->sanity_only = args_has(args, "index-sanity-check");
	dump->verify_only = args_has(args, "verify-index-only");
	dump->json = run->format == FORMAT_JSON;
	dump->out = run->out;
	if (!args_has(args, "files") && args->n_words == 0)
		return run_usage(err, "--files FILE,FILE is missing");
	return run_code_of_args(args_number(args, "max-bytes", 1, INT64_MAX, INT64_MAX, &dump->bytes_max, err));
}

static void files_dump(struct run *run, struct dump *dump)
{
	char *list = arena_printf(&run->arena, "%s", args_text(&run->args, "files", "")), *path;

	while ((path = strsep(&list, ",")))
		if (*path)
			dump_file(dump, path);
	for (int i = 0; i < run->args.n_words; i++)
		dump_file(dump, run->args.words[i]);
}

int dump_log_main(struct run *run, struct error *err)
{
	struct dump dump = {0};
	char *problems = NULL;
	size_t len = 0;
	int r = options_read(run, &dump, err);

	if (r != RUN_OK)
		return r;
	dump.problems = open_memstream(&problems, &len);
	dump.codecs = codec_context_new();
	files_dump(run, &dump);
	codec_context_free(dump.codecs);
	fclose(dump.problems);
	fflush(run->out);
	fputs(problems, stderr);
	free(problems);
	return dump.n_problems ? RUN_FAILED : RUN_OK;
}
