# Measurements; not part of make check.
EXTRA_DIST += test/bench/README.md test/bench/measures.py test/bench/replicated.py test/bench/report.py test/bench/run test/bench/servers.py
noinst_PROGRAMS += test/bench/codec_bench
test_bench_codec_bench_SOURCES = test/bench/codec_bench.c
test_bench_codec_bench_LDADD = $(klamm_libs)

noinst_PROGRAMS += test/bench/batch_bench
test_bench_batch_bench_SOURCES = test/bench/batch_bench.c
test_bench_batch_bench_LDADD = $(klamm_libs)

noinst_PROGRAMS += test/bench/net_bench
test_bench_net_bench_SOURCES = test/bench/net_bench.c
test_bench_net_bench_LDADD = $(klamm_libs)
# The limit of the machine, beside which a broker is measured.
noinst_PROGRAMS += test/bench/bare_loop
test_bench_bare_loop_SOURCES = test/bench/bare_loop.c
test_bench_bare_loop_LDADD = $(klamm_libs)
# The clients of test/bench/run: a load by librdkafka, and single questions.
noinst_PROGRAMS += test/bench/load
test_bench_load_SOURCES = test/bench/load.c
test_bench_load_LDADD = $(klamm_libs) $(RDKAFKA_LIBS)

noinst_PROGRAMS += test/bench/probe
test_bench_probe_SOURCES = test/bench/probe.c
test_bench_probe_LDADD = $(klamm_libs)
