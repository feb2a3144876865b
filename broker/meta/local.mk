# Sources and unit tests of broker/meta/ (see ../Makefile.am for the lists).
klamm_sources += broker/meta/alter_configs_core.h broker/meta/assign_core.h broker/meta/broker_config.h \
	broker/meta/create_topics_core.h broker/meta/describe_configs_core.h broker/meta/listeners_core.h broker/meta/topic_config.h \
	broker/meta/topic_name_core.h broker/meta/view.h
