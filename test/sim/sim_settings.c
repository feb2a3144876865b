/* The configuration of a run's programs; see sim_process.h. */
#include "test/sim/sim_process.h"

#include "common/memory.h"

/* Files are small, so that logs roll, and everything periodic comes often. */
char *sim_broker_properties(int id, const char *address)
{
	const struct sim_settings *s = &sim_settings;

	return memory_printf("broker.id=%d\n"
			     "listeners=CLIENT://%s:9092,INTERNAL://%s:19092\n"
			     "listener.security.protocol.map=CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT\n"
			     "inter.broker.listener.name=INTERNAL\n"
			     "log.dirs=/data\n"
			     "zookeeper.connect=10.0.0.6:2181,10.0.0.7:2181,10.0.0.8:2181\n"
			     "zookeeper.session.timeout.ms=%lld\n"
			     "replica.lag.time.max.ms=%lld\n"
			     "klamm.workers=%d\n"
			     "klamm.memory.bytes=67108864\n"
			     "klamm.open.files=256\n"
			     "log.segment.bytes=%lld\n"
			     "log.retention.ms=-1\n"
			     "auto.create.topics.enable=false\n"
			     "controlled.shutdown.max.retries=3\n"
			     "unclean.leader.election.enable=%s\n",
			     id, address, address, (long long)s->session_ms, (long long)s->lag_ms, s->n_workers, (long long)s->segment_bytes,
			     s->unclean_allowed ? "true" : "false");
}

char *sim_controller_properties(int id)
{
	return memory_printf("controller.id=%d\n"
			     "zookeeper.connect=10.0.0.6:2181,10.0.0.7:2181,10.0.0.8:2181\n"
			     "zookeeper.session.timeout.ms=%lld\n",
			     id, (long long)sim_settings.session_ms);
}
