# Simulation (see README.md here). core_sim without arguments is the short run of `make check`.
EXTRA_DIST += test/sim/README.md
unit_tests += test/sim/core_sim
test_sim_core_sim_SOURCES = test/sim/core_faults.c test/sim/core_judge.c test/sim/core_log.c test/sim/core_node.c test/sim/core_office.c \
	test/sim/core_sim.c test/sim/core_stream.c test/sim/core_world.c test/sim/core_world.h
test_sim_core_sim_LDADD = $(klamm_libs)
