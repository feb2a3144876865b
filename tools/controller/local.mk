# Sources and unit tests of tools/controller/ (see ../Makefile.am for the lists).
klamm_sources += tools/controller/ctl_action.c tools/controller/ctl_action.h tools/controller/ctl_broker.c tools/controller/ctl_broker.h \
	tools/controller/ctl_config.c tools/controller/ctl_config.h tools/controller/ctl_delete.c tools/controller/ctl_delete.h \
	tools/controller/ctl_elect.c tools/controller/ctl_elect.h tools/controller/ctl_event.h tools/controller/ctl_partition.c \
	tools/controller/ctl_partition.h tools/controller/ctl_pool.c tools/controller/ctl_pool.h tools/controller/ctl_state.c \
	tools/controller/ctl_state.h tools/controller/ctl_step.c tools/controller/ctl_step.h tools/controller/ctl_topic.c \
	tools/controller/ctl_topic.h tools/controller/ctl_view.c tools/controller/ctl_view.h
