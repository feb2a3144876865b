"""The measurements. Each takes a started cluster (or nothing) and returns figures by name."""
import json
import os
import signal
import statistics
import subprocess
import time

from servers import BUILD, Klamm, free_ports, wait

LOAD, PROBE, BARE = (os.path.join(BUILD, 'test', 'bench', name) for name in ('load', 'probe', 'bare_loop'))
PARTITIONS = 6
GB = 1e9
# Bare acks beside a bare copy: the part of its speed that catching up is to have, acks a second as there, and so much between two syncs.
BESIDE_PART, BESIDE_ACKS, SYNC_BYTES = 0.6, 500, 64000000


class Plan:
    """How much of each; --quick is for a look, not for a verdict."""

    def __init__(self, quick):
        self.produce_1k = 1000000 if quick else 3000000
        self.produce_100 = 3000000 if quick else 10000000
        self.repeats = 2 if quick else 5
        self.latency_seconds = 5 if quick else 15
        self.idle_seconds = 5 if quick else 10
        self.starts = 3 if quick else 5
        self.catch_ups, self.catch_up_1k = (1, 1000000) if quick else (3, 2000000)
        self.restart_1k = 2000000 if quick else 10000000
        self.failovers = 3 if quick else 20
        self.many_topics, self.many_partitions = (20, 100) if quick else (100, 100)


def run_json(*argv):
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError('%s ended with %d' % (' '.join(str(a) for a in argv), done.returncode))
    return json.loads(done.stdout)


def busy_s():
    """CPU seconds of the whole machine so far, without idle ones."""
    with open('/proc/stat') as f:
        fields = [int(x) for x in f.readline().split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / os.sysconf('SC_CLK_TCK')


def others_share(seconds=1.0):
    before = busy_s()
    time.sleep(seconds)
    return (busy_s() - before) / seconds / os.cpu_count()


def wait_quiet(patience_s, most=0.08):
    """Until others leave the machine alone; what they still use of it when the patience is over."""
    until = time.monotonic() + patience_s
    share = others_share()
    while share > most and time.monotonic() < until:
        share = others_share()
    return share


def touch(n_bytes):
    """Memory that the host of a virtual machine gives at its first use costs whoever uses it first: not the one who is measured."""
    run_json(BARE, 'touch', n_bytes)


def best(rows):
    """Noise of the machine only ever adds to costs and takes from throughput: of some runs the best counts, for everybody."""
    return {key: (max if key in ('mb_per_s', 'records_per_s') else min)(row[key] for row in rows) for key in rows[0]}


class Bench:
    def __init__(self, plan, patience_s, say):
        self.plan, self.patience_s, self.say, self.noise = plan, patience_s, say, []

    def quiet(self):
        self.noise.append(wait_quiet(self.patience_s))

    def repeat(self, what, measure, n_bytes=0, times=None):
        """n_bytes: what the measurement writes."""
        rows = []
        for _ in range(times or self.plan.repeats):
            self.quiet()
            if n_bytes:
                touch(2 * n_bytes)
            rows.append(measure())
            self.say('%s: %s' % (what, ', '.join('%s %.4g' % item for item in rows[-1].items())))
        return best(rows)

    def create(self, cluster, topic, partitions=PARTITIONS):
        run_json(PROBE, 'create', cluster.ports[0], topic, 1, partitions, 1)
        run_json(PROBE, 'led', cluster.ports[0], topic, 1, partitions)
        return topic + '-0000'

    @staticmethod
    def load_argv(ports, mode, *args):
        """The load generator's command; ports: of the brokers, with commas between."""
        return [str(a) for a in (LOAD, mode, ','.join('127.0.0.1:%s' % port for port in str(ports).split(',')), *args)]

    def run_load(self, ports, *args):
        return run_json(*self.load_argv(ports, *args))

    def load(self, cluster, *args):
        """One run of the load generator; its figures and the broker's CPU seconds."""
        before = cluster.brokers[0].cpu_s()
        row = self.run_load(cluster.ports[0], *args)
        row['cpu_s'] = cluster.brokers[0].cpu_s() - before
        return row

    # ---- one broker ----

    def produce(self, cluster, size, n):
        topic = self.create(cluster, 'produce%d' % size)

        def once():
            row = self.load(cluster, 'produce', topic, PARTITIONS, n, size)
            return {'cpu_s_per_gb': row['cpu_s'] / (row['bytes'] / GB), 'cpu_s_per_million': row['cpu_s'] / (row['records'] / 1e6),
                    'mb_per_s': row['mb_per_s'], 'records_per_s': row['records_per_s'],
                    'client_share': row['client_cpu_s'] / row['seconds']}
        once()  # warm: Kafka's compiler, everybody's memory
        return self.repeat('%s produce %d B' % (cluster.kind, size), once, n * (size + 20))

    def consume(self, cluster, size, n):
        def once():
            row = self.load(cluster, 'consume', 'produce%d-0000' % size, PARTITIONS, n)
            return {'cpu_s_per_gb': row['cpu_s'] / (row['bytes'] / GB), 'mb_per_s': row['mb_per_s'],
                    'client_share': row['client_cpu_s'] / row['seconds']}
        once()
        return self.repeat('%s consume %d B' % (cluster.kind, size), once)

    def latency(self, cluster, rate):
        topic = self.create(cluster, 'latency%d' % rate)

        def once():
            row = self.load(cluster, 'latency', topic, PARTITIONS, rate * self.plan.latency_seconds, 100, rate)
            return {key: row[key] for key in ('p50_ms', 'p99_ms', 'p999_ms')}
        if cluster.kind == 'kafka':
            once()
        return self.repeat('%s acks at %d/s' % (cluster.kind, rate), once)

    def starts(self, cluster):
        """From exec to the first acknowledged record, ZooKeeper and controller up."""
        topic, broker = self.create(cluster, 'start', 1), cluster.brokers[0]

        def once():
            broker.end()
            probe = subprocess.Popen([PROBE, 'first-ack', str(cluster.ports[0]), topic], stdout=subprocess.PIPE, text=True)
            time.sleep(0.05)
            broker.start()
            out, _ = probe.communicate(timeout=120)
            return {'ms': (json.loads(out)['at_ns'] - broker.started_ns) / 1e6}
        rows = []
        for _ in range(self.plan.starts if cluster.kind == 'klamm' else 1):
            self.quiet()
            rows.append(once())
            self.say('%s start to first ack: %.1f ms' % (cluster.kind, rows[-1]['ms']))
            time.sleep(1)
        return best(rows)

    def restart(self, cluster):
        """kill -9 of a broker with gigabytes of log; until each of its partitions answers again. For us: its parent starts it."""
        self.create(cluster, 'restart')
        row = self.load(cluster, 'produce', 'restart-0000', PARTITIONS, self.plan.restart_1k, 1024)
        self.quiet()
        broker, begun_ns = cluster.brokers[0], time.monotonic_ns()
        if cluster.kind == 'klamm':
            os.kill(broker.serving_pid(), signal.SIGKILL)
        else:
            broker.end(signal.SIGKILL)
            broker.start()
        led = run_json(PROBE, 'led', cluster.ports[0], 'restart', 1, PARTITIONS)
        figures = {'seconds': (led['led_at_ns'] - begun_ns) / 1e9, 'gb': row['bytes'] / GB}
        self.say('%s kill -9 with %.1f GB of log: all led again after %.2f s' % (cluster.kind, figures['gb'], figures['seconds']))
        return figures

    def idle(self, cluster):
        time.sleep(2)
        before = [broker.cpu_s() for broker in cluster.brokers]
        time.sleep(self.plan.idle_seconds)
        used = sum(broker.cpu_s() - b for broker, b in zip(cluster.brokers, before)) / len(cluster.brokers)
        figures = {'percent': 100 * used / self.plan.idle_seconds}
        self.say('%s idle: %.2f %% of a core' % (cluster.kind, figures['percent']))
        return figures

    def one_broker(self, cluster, parts):
        plan, figures = self.plan, {}
        if 'memory' in parts:
            figures['resident_fresh'] = {'mb': cluster.brokers[0].resident_mb()}
        if 'produce' in parts or 'consume' in parts:
            figures['produce_1k'] = self.produce(cluster, 1024, plan.produce_1k)
        if 'consume' in parts:
            figures['consume_1k'] = self.consume(cluster, 1024, plan.produce_1k)
        if 'small' in parts:
            figures['produce_100'] = self.produce(cluster, 100, plan.produce_100)
        if 'latency' in parts:
            for rate in (200, 2000):
                figures['latency_%d' % rate] = self.latency(cluster, rate)
        if 'memory' in parts:
            figures['resident_loaded'] = {'mb': cluster.brokers[0].resident_mb()}
            self.say('%s resident: %.1f MB, fresh %.1f MB' % (cluster.kind, figures['resident_loaded']['mb'], figures['resident_fresh']['mb']))
        if 'idle' in parts:
            self.quiet()
            figures['idle'] = self.idle(cluster)
        if 'start' in parts:
            figures['start'] = self.starts(cluster)
        if 'restart' in parts:
            figures['restart'] = self.restart(cluster)
        return figures

    # ---- the machine ----

    def bare_pair(self, port, server, client):
        """Two bare loops, one at each end; what the server says."""
        process = subprocess.Popen([BARE] + [str(a) for a in server], stdout=subprocess.PIPE, text=True)
        client_out = subprocess.run([BARE] + [str(a) for a in client], stdout=subprocess.PIPE, text=True, check=True).stdout
        out, _ = process.communicate(timeout=120)
        return json.loads(out or client_out), client_out

    def bare_beside(self, folder, port, path, copy, n_bytes, rate_mb):
        """Appends that are acked, beside a copy at a rate that is synced as a broker does: what the disk and the processors let through."""
        append_port, = free_ports(port + 1, 1)
        append_path = path + '-append'
        if os.path.exists(copy):
            os.unlink(copy)
        append = subprocess.Popen([BARE, 'append', str(append_port), append_path], stdout=subprocess.DEVNULL)
        ask = subprocess.Popen([BARE, 'ask', str(append_port), str(int(n_bytes / 1e6 / rate_mb * BESIDE_ACKS)), '100', str(BESIDE_ACKS)],
                               stdout=subprocess.PIPE, text=True)
        self.bare_pair(port, ('store', port, copy, SYNC_BYTES), ('feed', port, path, 1 << 20, rate_mb))
        row = json.loads(ask.communicate(timeout=120)[0])
        append.wait(60)
        os.unlink(append_path)
        return {'p50_ms': row['p50_ms'], 'p99_ms': row['p99_ms']}

    def bare(self, folder, port, parts):
        figures, path, n_bytes = {}, os.path.join(folder, 'bare'), self.plan.produce_1k * 1000
        port, = free_ports(port, 1)

        def rate(row):
            return {'cpu_s_per_gb': row['cpu_s_per_gb'], 'mb_per_s': row['bytes'] / 1e6 / row['seconds']}
        if 'produce' in parts or 'consume' in parts or 'replicas' in parts:
            for frame in (131072, 1 << 20):
                def receive():
                    if os.path.exists(path):
                        os.unlink(path)
                    return rate(self.bare_pair(port, ('receive', port, path), ('push', port, n_bytes, frame))[0])
                figures['receive_%dk' % (frame >> 10)] = self.repeat('bare receive, check, write in frames of %d KiB' % (frame >> 10), receive,
                                                                        n_bytes)
        if 'consume' in parts or 'replicas' in parts:
            figures['sendfile'] = self.repeat('bare sendfile', lambda: rate(self.bare_pair(port, ('serve', port, path), ('pull', port))[0]))
        if 'replicas' in parts:
            copy = path + '-copy'

            def follow():
                if os.path.exists(copy):
                    os.unlink(copy)
                return rate(self.bare_pair(port, ('receive', port, copy), ('feed', port, path, 1 << 20, 0))[0])
            figures['copy'] = self.repeat('bare sendfile, receive, check, write', follow, n_bytes)
            rate_mb = int(BESIDE_PART * figures['copy']['mb_per_s'])

            def beside():
                return self.bare_beside(folder, port, path, copy, n_bytes, rate_mb)
            figures['beside'] = self.repeat('bare acks of appends beside %d MB/s' % rate_mb, beside, n_bytes)
            os.unlink(copy)
        if os.path.exists(path):
            os.unlink(path)
        if 'latency' in parts:
            for n in (200, 2000):
                def ask():
                    process = subprocess.Popen([BARE, 'echo', str(port)], stdout=subprocess.DEVNULL)
                    row = run_json(BARE, 'ask', port, n * self.plan.latency_seconds, 200, n)
                    process.wait(60)
                    return {'p50_ms': row['p50_ms'], 'p99_ms': row['p99_ms']}
                figures['echo_%d' % n] = self.repeat('bare echo at %d/s' % n, ask)
        return figures

    # ---- many partitions on three brokers ----

    def led(self, cluster, prefix):
        return run_json(PROBE, 'led', ','.join(str(p) for p in cluster.ports), prefix, self.plan.many_topics, self.plan.many_partitions)

    def creation(self, cluster, prefix, n_requests):
        """Until the answer, and until every partition answers from its leader."""
        self.quiet()
        begun_ns = time.monotonic_ns()
        row = run_json(PROBE, 'create', ','.join(str(p) for p in cluster.ports), prefix, self.plan.many_topics, self.plan.many_partitions,
                       n_requests)
        led = self.led(cluster, prefix)
        figures = {'answered_s': row['seconds'], 'led_s': (led['led_at_ns'] - begun_ns) / 1e9}
        self.say('%s: %d partitions by %d requests: answered in %.2f s, led after %.2f s' % (
            cluster.kind, row['partitions'], n_requests, figures['answered_s'], figures['led_s']))
        return figures

    def cold_start(self, cluster):
        for broker in cluster.brokers:
            broker.end()
        time.sleep(1)
        self.quiet()
        begun_ns = time.monotonic_ns()
        for broker in cluster.brokers:
            broker.start()
        row = self.led(cluster, 'many')
        figures = {'known_s': (row['known_at_ns'] - begun_ns) / 1e9, 'led_s': (row['led_at_ns'] - begun_ns) / 1e9,
                   'written_s': (row['at_ns'] - begun_ns) / 1e9}
        self.say('%s cold start of %d brokers: all led after %.2f s' % (cluster.kind, len(cluster.brokers), figures['led_s']))
        return figures

    def takeover(self, cluster):
        """The active controller is killed; from the standby's election to its being in office, as it says itself, and all from outside."""
        self.quiet()
        texts = [c.log_text() for c in cluster.controllers]
        active = max(range(len(texts)), key=lambda i: texts[i].rfind('in office'))
        standby = cluster.controllers[1 - active]
        begun = time.monotonic()
        cluster.controllers[active].end(signal.SIGKILL)
        before = len(texts[1 - active])
        wait(lambda: 'in office' in standby.log_text()[before:], 'the standby is in office', 60)
        figures = {'outside_s': time.monotonic() - begun, 'log': standby.log_text()[before:]}
        cluster.controllers[active].start()
        return figures

    def many(self, cluster):
        figures = {'create_one': self.creation(cluster, 'many', 1)}
        figures['idle'] = self.idle(cluster)
        if isinstance(cluster, Klamm):
            figures['takeover'] = self.takeover(cluster)
        figures['cold_start'] = self.cold_start(cluster)
        figures['descriptors'] = {'n': max(b.n_descriptors() for b in cluster.brokers)}
        figures['resident'] = {'mb': max(b.resident_mb() for b in cluster.brokers)}
        figures['create_many'] = self.creation(cluster, 'more', self.plan.many_topics)
        self.say('%s with many partitions: %d descriptors, %.1f MB, idle %.2f %%' % (
            cluster.kind, figures['descriptors']['n'], figures['resident']['mb'], figures['idle']['percent']))
        return figures

    # ---- the command line ----

    def listing(self, cluster):
        program, times = os.path.join(BUILD, 'klamm'), []
        if not os.path.exists(program):
            return None
        for _ in range(20):
            begun = time.monotonic()
            subprocess.run([program, 'topics', '--bootstrap-server', '127.0.0.1:%d' % cluster.ports[0], '--list'], check=True,
                           stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            times.append((time.monotonic() - begun) * 1000)
        self.say('klamm topics --list: %.1f ms' % statistics.median(times))
        return {'ms': statistics.median(times)}
