# Sources and unit tests of tools/controller/ (see ../Makefile.am for the lists).
klamm_sources += tools/controller/ctl_admin.c tools/controller/ctl_admin.h tools/controller/ctl_action.c tools/controller/ctl_action.h tools/controller/ctl_balance.c \
	tools/controller/ctl_balance.h tools/controller/ctl_isr.c tools/controller/ctl_isr.h tools/controller/ctl_broker.c tools/controller/ctl_broker.h \
	tools/controller/ctl_config.c tools/controller/ctl_config.h tools/controller/ctl_delete.c tools/controller/ctl_delete.h \
	tools/controller/ctl_elect.c tools/controller/ctl_elect.h tools/controller/ctl_event.h tools/controller/ctl_failure.c tools/controller/ctl_failure.h tools/controller/ctl_partition.c \
	tools/controller/ctl_leftover.c tools/controller/ctl_leftover.h tools/controller/ctl_legacy.c tools/controller/ctl_legacy.h \
	tools/controller/ctl_partition.h tools/controller/ctl_pool.c tools/controller/ctl_pool.h tools/controller/ctl_reassign.c tools/controller/ctl_reassign.h tools/controller/ctl_state.c \
	tools/controller/ctl_state.h tools/controller/ctl_step.c tools/controller/ctl_step.h tools/controller/ctl_topic.c \
	tools/controller/ctl_topic.h tools/controller/ctl_view.c tools/controller/ctl_view.h tools/controller/controller.c \
	tools/controller/controller.h tools/controller/controller_config.c tools/controller/controller_config.h \
	tools/controller/controller_metrics.c tools/controller/controller_prepare.c tools/controller/ctl_figures.c tools/controller/ctl_figures.h tools/controller/office.c tools/controller/office.h tools/controller/office_decode.c \
	tools/controller/office_decode.h tools/controller/office_drift.c tools/controller/office_drift.h tools/controller/office_erase.c tools/controller/office_erase.h tools/controller/office_line.c \
	tools/controller/office_line.h tools/controller/office_message.c tools/controller/office_message.h tools/controller/office_moves.c tools/controller/office_moves.h \
	tools/controller/office_notices.c tools/controller/office_notices.h tools/controller/office_read.c \
	tools/controller/office_read.h tools/controller/office_write.c tools/controller/office_write.h

bin_PROGRAMS += klamm-controller
klamm_controller_SOURCES = tools/controller/main.c
klamm_controller_LDADD = $(klamm_libs)
dist_man_MANS += tools/controller/klamm-controller.8
EXTRA_DIST += tools/controller/README.md

unit_tests += test/unit/tools/controller/office_message_test
test_unit_tools_controller_office_message_test_SOURCES = test/unit/tools/controller/office_message_test.c
test_unit_tools_controller_office_message_test_LDADD = $(unit_libs)

# What ZooKeeper is asked, the test answers itself; --wrap tells what is freed.
unit_tests += test/unit/tools/controller/office_erase_test
test_unit_tools_controller_office_erase_test_SOURCES = test/unit/tools/controller/office_erase_test.c
test_unit_tools_controller_office_erase_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=free
test_unit_tools_controller_office_erase_test_LDADD = $(unit_libs)

unit_tests += test/unit/tools/controller/ctl_figures_test
test_unit_tools_controller_ctl_figures_test_SOURCES = test/unit/tools/controller/ctl_figures_test.c
test_unit_tools_controller_ctl_figures_test_LDADD = $(unit_libs)

unit_tests += test/unit/tools/controller/ctl_elect_test
test_unit_tools_controller_ctl_elect_test_SOURCES = test/unit/tools/controller/ctl_elect_test.c
test_unit_tools_controller_ctl_elect_test_LDADD = $(unit_libs)

unit_tests += test/unit/tools/controller/ctl_step_test
test_unit_tools_controller_ctl_step_test_SOURCES = test/unit/tools/controller/ctl_step_test.c \
	test/unit/tools/controller/ctl_script.c test/unit/tools/controller/ctl_script.h
test_unit_tools_controller_ctl_step_test_LDADD = $(unit_libs)
EXTRA_DIST += test/golden/controller/full.txt test/golden/controller/refused.txt test/golden/controller/reassign-unborn.txt test/golden/controller/unclean_files.txt test/golden/controller/delete-held.txt test/golden/controller/longest.txt test/golden/controller/legacy.txt test/golden/controller/delete-takeover.txt test/golden/controller/admin.txt test/golden/controller/balance.txt test/golden/controller/bounce.txt test/golden/controller/configs.txt test/golden/controller/create.txt \
	test/golden/controller/delete.txt test/golden/controller/epoch.txt test/golden/controller/elr.txt test/golden/controller/failover.txt \
	test/golden/controller/foreign.txt test/golden/controller/isr.txt test/golden/controller/min_isr.txt test/golden/controller/min_isr_files.txt \
	test/golden/controller/shutdown.txt test/golden/controller/unclean.txt test/golden/controller/unclean_takeover.txt \
	test/golden/controller/logdir.txt test/golden/controller/missed.txt test/golden/controller/nonsense.txt \
	test/golden/controller/reassign.txt test/golden/controller/reassign-cancel.txt test/golden/controller/reassign-takeover.txt \
	test/golden/controller/takeover.txt test/golden/controller/unreachable.txt

unit_tests += test/unit/tools/controller/controller_test
test_unit_tools_controller_controller_test_SOURCES = test/unit/tools/controller/controller_test.c \
	test/unit/tools/controller/fake_brokers.c test/unit/tools/controller/fake_brokers.h
test_unit_tools_controller_controller_test_LDADD = $(unit_libs)
EXTRA_test_unit_tools_controller_controller_test_DEPENDENCIES = klamm-controller

unit_tests += test/unit/tools/controller/ctl_random_test
test_unit_tools_controller_ctl_random_test_SOURCES = test/unit/tools/controller/ctl_random_test.c \
	test/unit/tools/controller/ctl_world.c test/unit/tools/controller/ctl_world_moves.c test/unit/tools/controller/ctl_world_legacy.c \
	test/unit/tools/controller/ctl_world.h
test_unit_tools_controller_ctl_random_test_LDADD = $(unit_libs)

unit_tests += test/unit/tools/controller/ctl_reassign_test
test_unit_tools_controller_ctl_reassign_test_SOURCES = test/unit/tools/controller/ctl_reassign_test.c \
	test/unit/tools/controller/ctl_world.c test/unit/tools/controller/ctl_world_moves.c test/unit/tools/controller/ctl_world_legacy.c \
	test/unit/tools/controller/ctl_world.h
test_unit_tools_controller_ctl_reassign_test_LDADD = $(unit_libs)

unit_tests += test/unit/tools/controller/controller_config_test
test_unit_tools_controller_controller_config_test_SOURCES = test/unit/tools/controller/controller_config_test.c
test_unit_tools_controller_controller_config_test_LDADD = $(unit_libs)

unit_tests += test/unit/tools/controller/ctl_records_test
test_unit_tools_controller_ctl_records_test_SOURCES = test/unit/tools/controller/ctl_records_test.c \
	test/unit/tools/controller/ctl_records.c test/unit/tools/controller/ctl_records.h \
	test/unit/tools/controller/ctl_records_brokers.c
test_unit_tools_controller_ctl_records_test_LDADD = $(unit_libs)

unit_tests += test/unit/tools/controller/ctl_isr_test
test_unit_tools_controller_ctl_isr_test_SOURCES = test/unit/tools/controller/ctl_isr_test.c \
	test/unit/tools/controller/ctl_script.c test/unit/tools/controller/ctl_script.h
test_unit_tools_controller_ctl_isr_test_LDADD = $(unit_libs)
