# Messages of the cluster (see ../Makefile.am for the lists): protoc-c makes the C of every .proto in the build tree.
klamm_sources += proto/cluster/frame_type.h proto/cluster/unpack.c proto/cluster/unpack.h
nodist_klamm_sources += proto/cluster/cluster.pb-c.c proto/cluster/cluster.pb-c.h
BUILT_SOURCES += proto/cluster/cluster.pb-c.h
CLEANFILES += proto/cluster/cluster.pb-c.c proto/cluster/cluster.pb-c.h
EXTRA_DIST += proto/cluster/cluster.proto proto/cluster/README.md

proto/cluster/cluster.pb-c.c: proto/cluster/cluster.pb-c.h
proto/cluster/cluster.pb-c.h: proto/cluster/cluster.proto
	$(AM_V_GEN)$(MKDIR_P) proto/cluster && $(PROTOC_C) -I$(srcdir) --c_out=. $(srcdir)/proto/cluster/cluster.proto

unit_tests += test/unit/proto/cluster/unpack_test
test_unit_proto_cluster_unpack_test_SOURCES = test/unit/proto/cluster/unpack_test.c
test_unit_proto_cluster_unpack_test_LDADD = $(unit_libs)
