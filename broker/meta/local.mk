# Sources and unit tests of broker/meta/ (see ../Makefile.am for the lists).
klamm_sources += broker/meta/admin.c broker/meta/admin.h broker/meta/admin_config.c broker/meta/admin_consumer_offsets.c broker/meta/admin_create.c \
	broker/meta/admin_delete.c broker/meta/admin_internal.h broker/meta/admin_partitions.c broker/meta/admin_wait.c \
	broker/meta/internal_topics_core.c broker/meta/internal_topics_core.h broker/meta/producer_ids.c broker/meta/producer_ids.h
klamm_sources += broker/meta/alter_configs_core.c broker/meta/alter_configs_core.h broker/meta/assign_core.c \
	broker/meta/assign_core.h broker/meta/broker_config.c broker/meta/broker_config.h broker/meta/broker_config_check.c \
	broker/meta/broker_config_check.h broker/meta/broker_config_rows.c broker/meta/create_topics_core.c \
	broker/meta/create_topics_core.h broker/meta/describe_configs_core.c broker/meta/describe_configs_core.h \
	broker/meta/listeners_core.c broker/meta/listeners_core.h broker/meta/topic_config.c broker/meta/topic_config.h \
	broker/meta/topic_name_core.c broker/meta/topic_name_core.h broker/meta/view.c broker/meta/view.h broker/meta/view_apply.c \
	broker/meta/view_diff.c broker/meta/view_keeper.h

unit_tests += test/unit/broker/meta/alter_configs_core_test test/unit/broker/meta/assign_core_test \
	test/unit/broker/meta/broker_config_test test/unit/broker/meta/create_topics_core_test \
	test/unit/broker/meta/describe_configs_core_test test/unit/broker/meta/listeners_core_test \
	test/unit/broker/meta/topic_config_test test/unit/broker/meta/view_test
test_unit_broker_meta_alter_configs_core_test_SOURCES = test/unit/broker/meta/alter_configs_core_test.c
test_unit_broker_meta_alter_configs_core_test_LDADD = $(unit_libs)
test_unit_broker_meta_assign_core_test_SOURCES = test/unit/broker/meta/assign_core_test.c
test_unit_broker_meta_assign_core_test_LDADD = $(unit_libs)
test_unit_broker_meta_broker_config_test_SOURCES = test/unit/broker/meta/broker_config_test.c
test_unit_broker_meta_broker_config_test_LDADD = $(unit_libs)
test_unit_broker_meta_create_topics_core_test_SOURCES = test/unit/broker/meta/create_topics_core_test.c
test_unit_broker_meta_create_topics_core_test_LDADD = $(unit_libs)
test_unit_broker_meta_describe_configs_core_test_SOURCES = test/unit/broker/meta/describe_configs_core_test.c
test_unit_broker_meta_describe_configs_core_test_LDADD = $(unit_libs)
test_unit_broker_meta_listeners_core_test_SOURCES = test/unit/broker/meta/listeners_core_test.c
test_unit_broker_meta_listeners_core_test_LDADD = $(unit_libs)
test_unit_broker_meta_topic_config_test_SOURCES = test/unit/broker/meta/topic_config_test.c
test_unit_broker_meta_topic_config_test_LDADD = $(unit_libs)
test_unit_broker_meta_view_test_SOURCES = test/unit/broker/meta/view_test.c
test_unit_broker_meta_view_test_LDADD = $(unit_libs)

EXTRA_DIST += test/golden/config_broker.properties test/golden/config_broker.txt test/golden/config_layers.properties \
	test/golden/config_layers.txt test/golden/config_topic.txt
EXTRA_DIST += broker/meta/README.md broker/server.properties.example tools/controller/controller.properties.example

unit_tests += test/unit/broker/meta/producer_ids_test
test_unit_broker_meta_producer_ids_test_SOURCES = test/unit/broker/meta/producer_ids_test.c
test_unit_broker_meta_producer_ids_test_LDADD = $(api_fixture_libs)
