# Sources and unit tests of broker/rt/ (see ../Makefile.am for the lists).
klamm_sources += broker/rt/disk.c broker/rt/disk.h broker/rt/loop.c broker/rt/loop.h broker/rt/mailbox.c broker/rt/mailbox.h \
	broker/rt/signals.c broker/rt/signals.h broker/rt/worker.c broker/rt/worker.h broker/rt/zk_loop.c broker/rt/zk_loop.h
