# Chaos runs are a program of their own (test/chaos/run). Its clients and the library that makes disks fail are built here.
noinst_PROGRAMS += test/chaos/load
test_chaos_load_SOURCES = test/chaos/load.c test/chaos/load.h test/chaos/load_consume.c test/chaos/load_group.c test/chaos/load_produce.c \
	test/chaos/history.c test/chaos/history.h test/chaos/value.c test/chaos/value.h
test_chaos_load_LDADD = $(klamm_libs) $(RDKAFKA_LIBS)

# Preloaded into a broker, so never instrumented by a sanitizer.
noinst_DATA = test/chaos/faultio.so
test/chaos/faultio.so: test/chaos/faultio.c
	@$(MKDIR_P) test/chaos
	$(AM_V_CC)$(CC) -D_GNU_SOURCE -std=gnu11 -Wall -Wextra $(CPPFLAGS) $(CFLAGS) -fPIC -shared -o $@ $(srcdir)/test/chaos/faultio.c -ldl
CLEANFILES += test/chaos/faultio.so

# Named one by one: the folder itself would take what was built there along.
EXTRA_DIST += test/chaos/README.md test/chaos/activities.py test/chaos/checker.py test/chaos/cluster.py test/chaos/faultio.c \
	test/chaos/group_checker.py test/chaos/history.py test/chaos/nemeses.py test/chaos/network.py test/chaos/one_run.py test/chaos/proxy.py \
	test/chaos/replicas.py test/chaos/run test/chaos/test_checker.py
