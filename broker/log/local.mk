# Sources and unit tests of broker/log/ (see ../Makefile.am for the lists).
klamm_sources += broker/log/log.h broker/log/log_config.h broker/log/log_dir.h broker/log/producer_snapshot.h
