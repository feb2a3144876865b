# Sources and unit tests of proto/record/ (see ../Makefile.am for the lists).
klamm_sources += proto/record/batch.c proto/record/batch.h proto/record/batch_builder.h proto/record/batch_validate.h \
	proto/record/codec.h proto/record/record_iter.h proto/record/varint.h
