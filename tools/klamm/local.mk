# Sources and unit tests of tools/klamm/ (see ../Makefile.am for the lists). What unit tests reach is in the library.
klamm_sources += tools/klamm/args.c tools/klamm/args.h tools/klamm/table.c tools/klamm/table.h tools/klamm/topic_file.c \
	tools/klamm/topic_file.h tools/klamm/reassign_plan_core.c tools/klamm/reassign_plan_core.h tools/klamm/topic_plan_core.c tools/klamm/topic_plan_core.h tools/klamm/config_list.c \
	tools/klamm/config_list.h tools/klamm/assignment.c tools/klamm/assignment.h tools/klamm/topic_match.c \
	tools/klamm/topic_match.h tools/klamm/dial.c tools/klamm/dial.h tools/klamm/kafka_client.c tools/klamm/kafka_client.h \
	tools/klamm/kafka_link.c tools/klamm/kafka_link.h tools/klamm/kafka_admin.c tools/klamm/kafka_admin.h tools/klamm/part.c \
	tools/klamm/part.h tools/klamm/json_text.c tools/klamm/json_text.h tools/klamm/record_line.c tools/klamm/record_line.h \
	tools/klamm/dump.c tools/klamm/dump.h tools/klamm/dump_batch.c tools/klamm/dump_index.c tools/klamm/dump_record.c \
	tools/klamm/histogram.c tools/klamm/histogram.h tools/klamm/group_reset_core.c tools/klamm/group_reset_core.h

bin_PROGRAMS += klamm
klamm_SOURCES = tools/klamm/main.c tools/klamm/command.c tools/klamm/command.h tools/klamm/command_table.c \
	tools/klamm/commands.h tools/klamm/client_options.c tools/klamm/client_options.h tools/klamm/progress.c \
	tools/klamm/progress.h tools/klamm/zk_reader.c tools/klamm/zk_reader.h tools/klamm/zk_brokers.c tools/klamm/zk_brokers.h \
	tools/klamm/topics.c tools/klamm/topics.h tools/klamm/topics_create.c tools/klamm/topics_describe.c \
	tools/klamm/topics_apply.c tools/klamm/configs.c tools/klamm/get_offsets.c tools/klamm/list_offsets.c tools/klamm/list_offsets.h tools/klamm/groups.c tools/klamm/groups.h \
	tools/klamm/groups_describe.c tools/klamm/groups_reset.c tools/klamm/group_admin.c tools/klamm/group_admin.h tools/klamm/delete_records.c tools/klamm/cluster.c \
	tools/klamm/api_versions.c tools/klamm/rd_client.c tools/klamm/rd_client.h tools/klamm/produce.c tools/klamm/consume.c \
	tools/klamm/elect.c tools/klamm/elect_logs.c tools/klamm/elect_logs.h tools/klamm/reassign.c tools/klamm/reassign.h tools/klamm/reassign_cluster.c tools/klamm/reassign_drain.c \
	tools/klamm/reassign_execute.c tools/klamm/reassign_generate.c tools/klamm/reassign_json.c tools/klamm/reassign_throttle.c \
	tools/klamm/reassign_verify.c tools/klamm/dump_log.c tools/klamm/dump_znodes.c tools/klamm/bench.c
klamm_LDADD = $(klamm_libs) $(YAML_LIBS) $(RDKAFKA_LIBS)

# Kafka's names for the same program: not installed unless asked for, since a machine may have Kafka's own.
kafka_names = kafka-topics kafka-configs kafka-console-producer kafka-console-consumer kafka-get-offsets kafka-delete-records \
	kafka-consumer-groups kafka-cluster kafka-broker-api-versions kafka-reassign-partitions kafka-leader-election kafka-dump-log kafka-producer-perf-test

.PHONY: install-kafka-names uninstall-kafka-names
install-kafka-names: install-exec
	@for name in $(kafka_names); do \
		for link in $$name $$name.sh; do rm -f "$(DESTDIR)$(bindir)/$$link"; $(LN_S) klamm "$(DESTDIR)$(bindir)/$$link" || exit 1; done; \
	done

uninstall-kafka-names:
	@for name in $(kafka_names); do rm -f "$(DESTDIR)$(bindir)/$$name" "$(DESTDIR)$(bindir)/$$name.sh"; done

unit_tests += test/unit/tools/klamm/args_test test/unit/tools/klamm/output_test test/unit/tools/klamm/topics_test \
	test/unit/tools/klamm/dump_test test/unit/tools/klamm/group_reset_test test/unit/tools/klamm/kafka_client_test test/unit/tools/klamm/reassign_test
test_unit_tools_klamm_args_test_SOURCES = test/unit/tools/klamm/args_test.c
test_unit_tools_klamm_args_test_LDADD = $(unit_libs)
test_unit_tools_klamm_output_test_SOURCES = test/unit/tools/klamm/output_test.c
test_unit_tools_klamm_output_test_LDADD = $(unit_libs)
test_unit_tools_klamm_topics_test_SOURCES = test/unit/tools/klamm/topics_test.c
test_unit_tools_klamm_topics_test_LDADD = $(unit_libs) $(YAML_LIBS)
test_unit_tools_klamm_dump_test_SOURCES = test/unit/tools/klamm/dump_test.c
test_unit_tools_klamm_dump_test_LDADD = $(unit_libs)
test_unit_tools_klamm_group_reset_test_SOURCES = test/unit/tools/klamm/group_reset_test.c
test_unit_tools_klamm_group_reset_test_LDADD = $(unit_libs)
test_unit_tools_klamm_kafka_client_test_SOURCES = test/unit/tools/klamm/kafka_client_test.c
test_unit_tools_klamm_kafka_client_test_LDADD = $(unit_libs)
test_unit_tools_klamm_reassign_test_SOURCES = test/unit/tools/klamm/reassign_test.c
test_unit_tools_klamm_reassign_test_LDADD = $(unit_libs)

# The program itself, as people call it.
dist_check_SCRIPTS += test/unit/tools/klamm/command_test
lint_tests += test/unit/tools/klamm/command_test
dist_man_MANS += tools/klamm/klamm.1

EXTRA_DIST += test/golden/dump/README.md test/golden/dump/batches.txt test/golden/dump/plain-0/00000000000000000000.log \
	test/golden/dump/plain-0/00000000000000000000.log.txt test/golden/dump/plain-0/00000000000000000000.timeindex \
	test/golden/dump/plain-0/00000000000000000000.timeindex.txt test/golden/dump/plain-0/00000000000000000000.txnindex \
	test/golden/dump/plain-0/00000000000000000000.txnindex.txt test/golden/dump/plain-0/00000000000000000012.snapshot \
	test/golden/dump/plain-0/00000000000000000012.snapshot.txt test/golden/dump/offsets-42/00000000000000000000.log \
	test/golden/dump/offsets-42/00000000000000000000.log.txt test/golden/dump/offsets-43/00000000000000000000.log \
	test/golden/dump/offsets-43/00000000000000000000.log.txt test/golden/dump/transactions-20/00000000000000000000.log \
	test/golden/dump/transactions-20/00000000000000000000.log.txt
EXTRA_DIST += tools/klamm/README.md
