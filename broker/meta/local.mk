# Sources and unit tests of broker/meta/ (see ../Makefile.am for the lists).
klamm_sources += broker/meta/admin.c broker/meta/admin.h broker/meta/admin_config.c broker/meta/admin_create.c \
	broker/meta/admin_delete.c broker/meta/admin_internal.h broker/meta/admin_partitions.c broker/meta/admin_wait.c \
	broker/meta/producer_ids.c broker/meta/producer_ids.h
klamm_sources += broker/meta/alter_configs_core.h broker/meta/assign_core.c broker/meta/assign_core.h broker/meta/broker_config.h \
	broker/meta/create_topics_core.h broker/meta/describe_configs_core.h broker/meta/listeners_core.h broker/meta/topic_config.h \
	broker/meta/topic_name_core.c broker/meta/topic_name_core.h broker/meta/view.c broker/meta/view.h broker/meta/view_apply.c \
	broker/meta/view_diff.c

unit_tests += test/unit/broker/meta/view_test
test_unit_broker_meta_view_test_SOURCES = test/unit/broker/meta/view_test.c
test_unit_broker_meta_view_test_LDADD = $(unit_libs)
