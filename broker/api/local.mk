# Sources and unit tests of broker/api/ (see ../../Makefile.am for the lists).
klamm_sources += broker/api/api.c broker/api/api.h broker/api/api_versions.c broker/api/delete_records.c broker/api/fetch.c \
	broker/api/fetch_internal.h broker/api/fetch_wait.c broker/api/index_set.h broker/api/leader_hint.c \
	broker/api/leader_hint.h broker/api/list_offsets.c broker/api/offset_for_leader_epoch.c broker/api/produce.c \
	broker/api/scatter.c broker/api/scatter.h
