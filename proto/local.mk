# Sources and unit tests of proto/ (see ../Makefile.am for the lists).
klamm_sources += proto/api.h proto/frame.h proto/kafka_error.c proto/kafka_error.h proto/message.h proto/wire.c proto/wire.h
EXTRA_DIST += proto/README.md
