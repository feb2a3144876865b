# Simulation (see README.md here). core_sim without arguments is the short run of `make check`.
EXTRA_DIST += test/sim/README.md test/sim/corpus
dist_noinst_SCRIPTS += test/sim/coverage
unit_tests += test/sim/core_sim
test_sim_core_sim_SOURCES = test/sim/core_faults.c test/sim/core_judge.c test/sim/core_log.c test/sim/core_node.c test/sim/core_office.c \
	test/sim/core_sim.c test/sim/core_stream.c test/sim/core_world.c test/sim/core_world.h
test_sim_core_sim_LDADD = $(klamm_libs)

# The whole cluster. What it implements itself is not taken from the library; calls of the system are wrapped.
# Without arguments it runs some seeds and the corpus.
unit_tests += test/sim/sim
check_PROGRAMS += test/sim/sim_mutants
sim_sources = test/sim/sim.c test/sim/sim.h test/sim/sim_client.c test/sim/sim_client.h test/sim/sim_ensemble.c test/sim/sim_faults.c \
	test/sim/sim_faults.h test/sim/sim_hand.c test/sim/sim_hand.h test/sim/sim_judge.c test/sim/sim_judge.h test/sim/sim_judge_lease.c test/sim/sim_judge_log.h test/sim/sim_link.c test/sim/sim_link.h test/sim/sim_main.c test/sim/sim_operators.c test/sim/sim_operators.h \
	test/sim/sim_process.c test/sim/sim_process.h test/sim/sim_rt.c test/sim/sim_settings.c test/sim/sim_socket.c test/sim/sim_system.c \
	test/sim/sim_trace.c test/sim/sim_truth.c test/sim/sim_truth.h test/sim/sim_zk.h test/sim/sim_zk_library.c
sim_wraps = -Wl,--wrap=socket,--wrap=bind,--wrap=listen,--wrap=accept4,--wrap=connect,--wrap=getsockname,--wrap=getsockopt,--wrap=setsockopt \
	-Wl,--wrap=recv,--wrap=recvmsg,--wrap=sendmsg,--wrap=sendfile,--wrap=shutdown,--wrap=eventfd,--wrap=write,--wrap=pread,--wrap=close \
	-Wl,--wrap=RAND_bytes,--wrap=pthread_create,--wrap=pthread_join \
	-Wl,--wrap=shard_init,--wrap=partition_open,--wrap=log_append,--wrap=log_truncate_to,--wrap=log_truncate_fully,--wrap=log_delete \
	-Wl,--wrap=log_dir_fail,--wrap=log_set_high_watermark \
	-Wl,--wrap=replica_may_append,--wrap=replica_may_read,--wrap=replica_may_read_here
test_sim_sim_LDFLAGS = $(AM_LDFLAGS) $(sim_wraps)
test_sim_sim_LDADD = libklamm_test.a $(klamm_libs)
test_sim_sim_SOURCES = $(sim_sources)

# The same with the faults of common/mutant.h: the files that hold them are built once more.
test_sim_sim_mutants_SOURCES = $(sim_sources) broker/store.c broker/log/log_dir_sync.c broker/replica/link_frame.c broker/replica/partition.c \
	broker/replica/partition_append.c \
	broker/replica/partition_follow.c broker/replica/partition_read.c broker/replica/replica_core.c broker/replica/replica_isr_core.c \
	broker/replica/replica_leader_core.c tools/controller/ctl_elect.c zk/batch.c
test_sim_sim_mutants_CPPFLAGS = $(AM_CPPFLAGS) -DKLAMM_MUTANT
test_sim_sim_mutants_LDFLAGS = $(AM_LDFLAGS) $(sim_wraps)
test_sim_sim_mutants_LDADD = libklamm_test.a $(klamm_libs)

# Which branches of the cores the simulation takes; it is built once more for that, with counters.
sim-coverage:
	$(srcdir)/test/sim/coverage --build '$(abs_builddir)/coverage' --least 90
sim-coverage-program: $(BUILT_SOURCES)
	$(MAKE) $(AM_MAKEFLAGS) test/sim/sim$(EXEEXT)
.PHONY: sim-coverage sim-coverage-program
