/* The configuration of a run's programs; see sim_process.h. */
#include "test/sim/sim_process.h"

#include "common/memory.h"

#include <stdio.h>

/* Files are small, so that logs roll, and everything periodic comes often. */
char *sim_broker_properties(int id, const char *address)
{
	const struct sim_settings *s = &sim_settings;
	char rack[160];

	snprintf(rack, sizeof rack, "broker.rack=r%d\nreplica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector\n", (id + 1) / 2);
	return memory_printf("broker.id=%d\n"
			     "listeners=CLIENT://%s:9092,INTERNAL://%s:19092\n"
			     "listener.security.protocol.map=CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT\n"
			     "inter.broker.listener.name=INTERNAL\n"
			     "log.dirs=/data%s\n"
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
			     "unclean.leader.election.enable=%s\n"
			     "%s%s%s",
			     id, address, address, s->two_dirs ? ",/data2" : "", (long long)s->session_ms, (long long)s->lag_ms, s->n_workers,
			     (long long)s->segment_bytes, s->unclean_allowed || s->unclean_by_file ? "true" : "false",
			     s->min_isr_by_file == 2 ? "min.insync.replicas=2\n" : "",
			     s->min_isr_by_file == 1 ? "min.insync.replicas=1\n" : "", s->racks ? rack : "");
}

char *sim_controller_properties(int id)
{
	const struct sim_settings *s = &sim_settings;

	if (!s->operators)
		return memory_printf("controller.id=%d\n"
				     "zookeeper.connect=10.0.0.6:2181,10.0.0.7:2181,10.0.0.8:2181\n"
				     "zookeeper.session.timeout.ms=%lld\n",
				     id, (long long)s->session_ms);
	return memory_printf("controller.id=%d\n"
			     "zookeeper.connect=10.0.0.6:2181,10.0.0.7:2181,10.0.0.8:2181\n"
			     "zookeeper.session.timeout.ms=%lld\n"
			     "auto.leader.rebalance.enable=%s\n"
			     "leader.imbalance.check.interval.seconds=%d\n"
			     "klamm.drift.check.interval.ms=%d\n"
			     "unclean.leader.election.enable=%s\n"
			     "delete.topic.enable=%s\n",
			     id, (long long)s->session_ms, s->rebalance ? "true" : "false", s->rebalance_s, s->drift_ms,
			     s->unclean_by_file ? "true" : "false", s->no_deletion ? "false" : "true");
}
