/* All commands, in the order of the help. */
#include "common/memory.h"
#include "tools/klamm/commands.h"

const struct command command_table[] = {
	{"topics", "kafka-topics", "--create|--list|--describe|--alter|--delete|apply FILE [OPTIONS]",
	 "Make, list, describe, change and delete topics; bring them to what a file describes.", topics_options, topics_main},
	{"configs", "kafka-configs", "--describe|--alter --entity-type topics|brokers [OPTIONS]",
	 "Show and change configs of topics and brokers.", configs_options, configs_main},
	{"produce", "kafka-console-producer", "--topic NAME [OPTIONS] < LINES", "Send lines of standard input as records.",
	 produce_options, produce_main},
	{"consume", "kafka-console-consumer", "--topic NAME [--from-beginning] [OPTIONS]",
	 "Print records, with or without a consumer group.", consume_options, consume_main},
	{"groups", "kafka-consumer-groups", "--list|--describe|--delete|--reset-offsets|--delete-offsets [OPTIONS]",
	 "Consumer groups: their members, offsets and lag; set and delete offsets.", groups_options, groups_main},
	{"get-offsets", "kafka-get-offsets", "[--topic NAME] [--time WHEN] [OPTIONS]",
	 "First, last or timed offsets of partitions.", get_offsets_options, get_offsets_main},
	{"delete-records", "kafka-delete-records", "--offset-json-file FILE [OPTIONS]", "Delete records below given offsets.",
	 delete_records_options, delete_records_main},
	{"reassign", "kafka-reassign-partitions", "--generate|--execute|--verify|--cancel|--list|drain|add [OPTIONS]",
	 "Move replicas to other brokers; empty brokers and fill new ones.", reassign_options, reassign_main},
	{"elect", "kafka-leader-election", "--election-type preferred|unclean --all-topic-partitions|--topic NAME --partition N [OPTIONS]",
	 "Have leaders elected.", elect_options, elect_main},
	{"cluster", "kafka-cluster", "[--health] [OPTIONS]", "Brokers, controller and the state of partitions.",
	 cluster_options, cluster_main},
	{"api-versions", "kafka-broker-api-versions", "[OPTIONS]", "The APIs and versions that brokers serve.",
	 api_versions_options, api_versions_main},
	{"dump-log", "kafka-dump-log", "--files FILE,FILE [OPTIONS]", "Files of a log directory as text, checked.",
	 dump_log_options, dump_log_main},
	{"dump-znodes", NULL, "--zookeeper HOST:PORT/CHROOT [OPTIONS]", "All znodes: path, version, data.", dump_znodes_options,
	 dump_znodes_main},
	{"bench", "kafka-producer-perf-test", "--produce|--consume --topic NAME [OPTIONS]",
	 "Load, measured: throughput and latency.", bench_options, bench_main},
};

const int command_table_n = (int)ARRAY_LEN(command_table);
