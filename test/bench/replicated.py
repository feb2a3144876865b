"""Three brokers, three copies of everything, acks=all: the measurements of replication."""
import json
import os
import re
import signal
import statistics
import subprocess
import time

from measures import GB, PROBE, run_json, touch
from servers import wait

PARTS = ['produce', 'hundred', 'small', 'latency', 'consume', 'idle', 'memory', 'many', 'failover', 'catchup']
SETTINGS = ['acks=all']
REPLICAS = 3


class Replicated:
    """One cluster under the load of one client. The plan is the bench's; CPU is that of the three brokers together."""

    def __init__(self, bench, cluster):
        self.bench, self.cluster, self.plan = bench, cluster, bench.plan
        self.ports = ','.join(str(p) for p in cluster.ports)

    def cpu_s(self):
        return sum(broker.cpu_s() for broker in self.cluster.brokers if broker.popen.poll() is None)

    def create(self, topic, partitions):
        run_json(PROBE, 'create', self.ports, topic, 1, partitions, 1, REPLICAS)
        run_json(PROBE, 'in-sync', self.ports, topic, 1, partitions, REPLICAS)
        return topic + '-0000'

    def load(self, *args):
        before = self.cpu_s()
        row = self.bench.run_load(self.ports, *args)
        row['cpu_s'] = self.cpu_s() - before
        return row

    def produce(self, topic, partitions, size, n):
        topic = self.create(topic, partitions)

        def once():
            row = self.load('produce', topic, partitions, n, size, *SETTINGS)
            return {'cpu_s_per_gb': row['cpu_s'] / (row['bytes'] / GB), 'cpu_s_per_million': row['cpu_s'] / (row['records'] / 1e6),
                    'mb_per_s': row['mb_per_s'], 'records_per_s': row['records_per_s']}
        once()
        return self.bench.repeat('%s 3 copies, produce %d B, %d partitions' % (self.cluster.kind, size, partitions), once,
                                 REPLICAS * n * (size + 20))

    def consume(self, topic, partitions, n):
        def once():
            row = self.load('consume', topic + '-0000', partitions, n)
            return {'cpu_s_per_gb': row['cpu_s'] / (row['bytes'] / GB), 'mb_per_s': row['mb_per_s']}
        once()
        return self.bench.repeat('%s 3 copies, consume, %d partitions' % (self.cluster.kind, partitions), once)

    def latency(self, rate):
        topic = self.create('latency%d' % rate, 6)

        def once():
            row = self.load('latency', topic, 6, rate * self.plan.latency_seconds, 100, rate, *SETTINGS)
            return {key: row[key] for key in ('p50_ms', 'p99_ms', 'p999_ms')}
        once()
        if self.cluster.kind == 'kafka':
            once()
        return self.bench.repeat('%s 3 copies, acks at %d/s' % (self.cluster.kind, rate), once)

    # ---- many partitions, and the death of a broker ----

    def many(self):
        os.sync()  # what earlier measurements left in the page cache: making files waits for the journal while it is written
        self.bench.quiet()
        begun_ns = time.monotonic_ns()
        row = run_json(PROBE, 'create', self.ports, 'many', 20, 100, 20, REPLICAS)
        led = run_json(PROBE, 'led', self.ports, 'many', 20, 100)
        in_sync = run_json(PROBE, 'in-sync', self.ports, 'many', 20, 100, REPLICAS)
        figures = {'answered_s': row['seconds'], 'led_s': (led['led_at_ns'] - begun_ns) / 1e9, 'in_sync_s': (in_sync['at_ns'] - begun_ns) / 1e9}
        self.bench.say('%s 3 copies: 2,000 partitions answered in %.2f s, led after %.2f s' % (
            self.cluster.kind, figures['answered_s'], figures['led_s']))
        return figures

    def kill_leader(self, broker, port):
        probe = subprocess.Popen([PROBE, 'failover', self.ports, 'many', '20', '100', str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 text=True)
        probe.stdout.readline()
        pid = broker.serving_pid()
        killed_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        out, _ = probe.communicate('killed\n', timeout=180)
        row = json.loads(out)
        return {'partitions': row['partitions'], 'first_s': (row['first_at_ns'] - killed_ns) / 1e9, 'last_s': (row['last_at_ns'] - killed_ns) / 1e9}

    def failover(self):
        """Each broker in turn, until all are in sync and lead their share again; the worst counts."""
        rows = []
        for i in range(self.plan.failovers if self.cluster.kind == 'klamm' else 1):
            at = i % len(self.cluster.brokers)
            rows.append(self.kill_leader(self.cluster.brokers[at], self.cluster.ports[at]))
            self.bench.say('%s 3 copies, kill -9 of the leader of %d partitions: first writable after %.2f s, last %.2f s' % (
                self.cluster.kind, rows[-1]['partitions'], rows[-1]['first_s'], rows[-1]['last_s']))
            if self.cluster.kind == 'kafka':
                break
            run_json(PROBE, 'in-sync', self.ports, 'many', 20, 100, REPLICAS)
            self.cluster.elect_preferred()
        return {'first_s': max(r['first_s'] for r in rows), 'last_s': max(r['last_s'] for r in rows),
                'median_s': statistics.median(r['last_s'] for r in rows), 'tries': len(rows)}

    # ---- a follower that was away ----

    def catch_up(self):
        """A broker is stopped, gigabytes are written, the broker is started: until it is in sync, with the acks of that time."""
        topic, away = self.create('catchup', 6), self.cluster.brokers[2]

        def once():
            away.end()
            row = self.load('produce', topic, 6, self.plan.catch_up_1k, 1024, *SETTINGS)
            touch(2 * row['bytes'])
            latency = subprocess.Popen(self.bench.load_argv(self.ports, 'latency', topic, 6, 1000000, 100, 500, *SETTINGS), stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
            next(line for line in latency.stderr if 'at full rate' in line)
            said = len(away.log_text())
            away.start()
            wait(lambda: re.search(r'started \((Klamm|kafka)', away.log_text()[said:]), 'the broker is back')
            back_ns = time.monotonic_ns()
            in_sync = run_json(PROBE, 'in-sync', self.ports, 'catchup', 1, 6, REPLICAS)
            latency.terminate()
            out, _ = latency.communicate(timeout=120)
            return {'mb_per_s': row['bytes'] / 1e3 / ((in_sync['at_ns'] - back_ns) / 1e6), 'p99_ms': json.loads(out)['p99_ms']}
        return self.bench.repeat('%s 3 copies, catching up' % self.cluster.kind, once, times=self.plan.catch_ups)

    def measure(self, parts):
        figures, plan = {}, self.plan
        if 'produce' in parts or 'consume' in parts:
            figures['produce_6'] = self.produce('r6', 6, 1024, plan.produce_1k // 2)
        if 'hundred' in parts:
            figures['produce_100p'] = self.produce('r100', 100, 1024, plan.produce_1k // 2)
        if 'consume' in parts:
            figures['consume_6'] = self.consume('r6', 6, plan.produce_1k // 2)
            if 'hundred' in parts:
                figures['consume_100p'] = self.consume('r100', 100, plan.produce_1k // 2)
        if 'small' in parts:
            figures['small'] = self.produce('rsmall', 6, 100, plan.produce_100 // 2)
        if 'latency' in parts:
            for rate in (200, 2000):
                figures['latency_%d' % rate] = self.latency(rate)
        if 'memory' in parts:
            figures['resident'] = {'mb': sum(b.resident_mb() for b in self.cluster.brokers)}
        if 'idle' in parts:
            self.bench.quiet()
            figures['idle'] = {'percent': self.bench.idle(self.cluster)['percent'] * len(self.cluster.brokers)}
        if 'catchup' in parts:
            figures['catchup'] = self.catch_up()
        if 'many' in parts or 'failover' in parts:
            figures['many'] = self.many()
        if 'failover' in parts:
            figures['failover'] = self.failover()
        return figures
