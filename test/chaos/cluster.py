"""The cluster of a run: three ZooKeeper servers, two controllers, three brokers (Klamm's, or real Kafka's), each at a place of its own in the
network, each with its own faults. Built from the pieces of test/system."""
import mmap
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys

import wire
from processes import BUILD, Folder, die_with_parent, free_port, java, wait, write_properties

HERE = os.path.dirname(os.path.abspath(__file__))

SESSION_MS = 6000
CLIENT, PEER, DETOUR = 9092, 9192, 9292
FAULT_MODES = {'none': 0, 'sync-hangs': 1, 'sync-eio': 2, 'write-eio': 3, 'write-full': 4, 'write-short': 5, 'slow': 6,
               'delete-hangs': 7}
CALL_SECONDS = 3.0
OFFSETS = '__consumer_offsets'


class Node:
    """A program at a place of the network. What the harness did not do to it, it must not do: ending by itself is an anomaly."""

    def __init__(self, cluster, name, place=None):
        self.cluster, self.name, self.place, self.popen = cluster, name, place or name, None
        self.log = cluster.folder / (name + '.log')
        self.env, self.ended_by_us, self.worker_pid, self.killed = {}, False, None, set()
        self.address = cluster.network.addresses[self.place]

    def argv(self):
        raise NotImplementedError

    def start(self):
        def prepare():
            die_with_parent()
            self.cluster.network.enter(self.place)
        with open(self.log, 'ab') as out:
            self.popen = subprocess.Popen(self.argv(), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                                          preexec_fn=prepare, env=dict(os.environ, **self.env))
        self.ended_by_us, self.worker_pid = False, None
        return self

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def children(self):
        """The child that works, if there is one: not one that ends an earlier one's session, nor one that was forked just now."""
        def works(pid):
            with open('/proc/%d/comm' % pid) as f:
                return f.read().strip() not in ('klamm-parent', 'klamm-closer')
        try:
            with open('/proc/%d/task/%d/children' % (self.popen.pid, self.popen.pid)) as f:
                return [int(word) for word in f.read().split() if works(int(word))]
        except OSError:
            return []

    def worker(self):
        """The process that does the work: the child of a supervising parent, or the only one."""
        children = self.children()
        return children[0] if children else self.popen.pid

    def is_supervised(self):
        return bool(self.children())

    def signal(self, number):
        if self.alive():
            try:
                os.killpg(self.popen.pid, number)
            except ProcessLookupError:
                pass

    def kill_worker(self):
        """As a crash of the working process: its supervisor starts it again; where there is none, the harness does."""
        if self.is_supervised():
            self.killed.add(self.worker())
            os.kill(self.worker(), signal.SIGKILL)
            return
        self.kill()
        self.start()

    def kill(self):
        """All of it, as when the machine goes."""
        self.ended_by_us = True
        self.signal(signal.SIGKILL)
        if self.popen is not None:
            self.popen.wait(20)

    def stop(self, seconds=60):
        """As an operator does: the exit status, or None when it had to be killed."""
        self.ended_by_us = True
        if not self.alive():
            return 0
        self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def watch(self):
        """What happened to it that the harness did not do, or None. It is started again."""
        if self.popen is None or self.ended_by_us:
            return None
        if not self.alive():
            status = self.popen.returncode
            self.start()
            return '%s ended by itself with %d' % (self.name, status)
        children = self.children()
        before, self.worker_pid = self.worker_pid, children[0] if children else self.worker_pid
        if before and self.worker_pid != before and before not in self.killed:
            return '%s: its working process %d ended by itself' % (self.name, before)
        return None

    def log_tail(self, size=3000):
        try:
            with open(self.log, errors='replace') as f:
                return f.read()[-size:]
        except OSError:
            return ''


class ZooKeeper(Node):
    def __init__(self, cluster, number):
        super().__init__(cluster, 'zk%d' % number)
        self.number, self.data = number, cluster.folder / ('zk%d' % number)
        self.ports = (2181, 2888, 3888) if cluster.separate else (free_port(), free_port(), free_port())
        os.makedirs(self.data)
        with open(os.path.join(self.data, 'myid'), 'w') as f:
            f.write('%d\n' % number)

    def argv(self):
        rows = {'tickTime': 500, 'initLimit': 20, 'syncLimit': 6, 'dataDir': self.data, 'clientPort': self.ports[0],
                'clientPortAddress': self.address, 'admin.enableServer': 'false', '4lw.commands.whitelist': '*', 'maxClientCnxns': 0,
                'minSessionTimeout': 400, 'maxSessionTimeout': 60000}
        rows.update({'server.%d' % z.number: '%s:%d:%d' % (z.address, z.ports[1], z.ports[2]) for z in self.cluster.zookeepers})
        return ['java', '-Xms16m', '-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dzookeeper.forceSync=no',
                '-Dzookeeper.preAllocSize=64', '-cp', '/usr/share/java/slf4j-simple.jar:/usr/share/java/zookeeper.jar',
                'org.apache.zookeeper.server.quorum.QuorumPeerMain', write_properties(self.data + '.cfg', rows)]

    def mode(self):
        try:
            with socket.create_connection((self.address, self.ports[0]), timeout=1) as s:
                s.sendall(b'srvr')
                text = b''.join(iter(lambda: s.recv(65536), b'')).decode()
            return text.partition('Mode: ')[2].split()[0] if 'Mode: ' in text else None
        except OSError:
            return None


    def takes_session(self):
        """Whether a client is let in: the answer comes when the ensemble has committed its session."""
        try:
            with socket.create_connection((self.address, self.ports[0]), timeout=1) as s:
                s.sendall(struct.pack('>iiqiqi16s', 44, 0, 0, 1000, 0, 16, bytes(16)))
                answer = s.recv(64)
            return len(answer) >= 20 and struct.unpack('>q', answer[12:20])[0] != 0
        except OSError:
            return False


class Controller(Node):
    def __init__(self, cluster, number):
        super().__init__(cluster, 'controller%d' % number)
        self.number = number

    def argv(self):
        rows = {'controller.id': self.number, 'zookeeper.connect': self.cluster.zookeeper_connect, 'zookeeper.session.timeout.ms': SESSION_MS}
        return [os.path.join(BUILD, 'klamm-controller'), write_properties(self.cluster.folder / (self.name + '.properties'), rows)]

    def in_office_since(self):
        """The time in the last line that says so, as text; empty when it never was."""
        try:
            with open(self.log, errors='replace') as f:
                lines = [line for line in f if ': in office after' in line]
            return lines[-1].split(' ', 1)[0] if lines else ''
        except OSError:
            return ''


class Detour(Node):
    """The proxy before a broker's inter-broker listener."""

    def __init__(self, broker):
        super().__init__(broker.cluster, 'detour%d' % broker.number, broker.place)
        self.broker, self.port = broker, DETOUR if broker.cluster.separate else free_port()
        self.control = self.cluster.folder / (self.name + '.control')
        self.set()

    def set(self, delay_ms=0, jitter_ms=0, stalled=False):
        with open(self.control + '.new', 'w') as f:
            f.write('%g %g %d' % (delay_ms, jitter_ms, stalled))
        os.rename(self.control + '.new', self.control)

    def argv(self):
        return [sys.executable, '-B', os.path.join(HERE, 'proxy.py'), '%s:%d' % (self.address, self.port),
                '%s:%d' % (self.address, self.broker.peer_port), self.control]


class Broker(Node):
    def __init__(self, cluster, number, rows):
        super().__init__(cluster, 'broker%d' % number)
        self.number, self.rows = number, rows
        self.port, self.peer_port = (CLIENT, PEER) if cluster.separate else (free_port(), free_port())
        self.folder = cluster.disk_folder(self.name)
        self.control = cluster.folder / (self.name + '.faultio')
        with open(self.control, 'wb') as f:
            f.write(bytes(16))
        self.detour = Detour(self) if cluster.detours else None

    def argv(self):
        told = self.detour.port if self.detour else self.peer_port
        rows = {'broker.id': self.number, 'listeners': 'CLIENT://%s:%d,PEER://%s:%d' % (self.address, self.port, self.address, self.peer_port),
                'advertised.listeners': 'CLIENT://%s:%d,PEER://%s:%d' % (self.address, self.port, self.address, told),
                'listener.security.protocol.map': 'CLIENT:PLAINTEXT,PEER:PLAINTEXT', 'inter.broker.listener.name': 'PEER',
                'log.dirs': self.folder, 'zookeeper.connect': self.cluster.zookeeper_connect, 'zookeeper.session.timeout.ms': SESSION_MS,
                'auto.create.topics.enable': 'false', 'replica.lag.time.max.ms': 4000,
                'offsets.topic.replication.factor': min(3, len(self.cluster.brokers))}
        rows.update(self.rows)
        config = self.cluster.folder / (self.name + '.properties')
        if self.cluster.target == 'kafka':
            rows.update({'num.network.threads': 2, 'num.io.threads': 4, 'controlled.shutdown.retry.backoff.ms': 500,
                         'transaction.state.log.replication.factor': 1,
                         'transaction.state.log.min.isr': 1})
            return java(400, 'INFO', 'kafka.Kafka', write_properties(config, rows))
        self.env = {'LD_PRELOAD': os.path.join(BUILD, 'test', 'chaos', 'faultio.so'), 'CHAOS_FAULTIO': self.control,
                    'CHAOS_FAULTIO_PREFIX': self.folder}
        return [os.path.join(BUILD, 'klamm-broker'), write_properties(config, rows)]

    def disk(self, mode='none', slow_ms=0, calendar_ms=0):
        """How its disk and calendar behave from now on (faultio.c)."""
        with open(self.control, 'r+b') as f, mmap.mmap(f.fileno(), 16) as m:
            m[0:16] = struct.pack('<IIq', FAULT_MODES[mode], slow_ms, calendar_ms)

    def bootstrap(self):
        return '%s:%d' % (self.address, self.port)

    def connect(self, timeout=CALL_SECONDS):
        return wire.Connection(self.bootstrap(), timeout=timeout, client_id='chaos')

    def metadata(self, names):
        """What this broker tells; None when it tells nothing."""
        try:
            with self.connect(1.5) as c:
                return c.metadata(names, version=9, allow_auto_topic_creation=False)
        except (OSError, wire.Closed):
            return None

    def partition_folder(self, topic, partition):
        return os.path.join(self.folder, '%s-%d' % (topic, partition))


class Cluster:
    def __init__(self, network, target='klamm', n_brokers=3, detours=False, small_disks=False, rows=None):
        self.network, self.target, self.detours, self.small_disks = network, target, detours, small_disks
        self.folder, self.mounts = Folder(), []
        self.separate = len(set(network.addresses.values())) > 1
        self.zookeepers = [ZooKeeper(self, i + 1) for i in range(3)]
        self.controllers = [] if target == 'kafka' else [Controller(self, i + 1) for i in range(2)]
        self.brokers = [Broker(self, i + 1, dict(rows or {})) for i in range(n_brokers)]
        self.topics, self.members = {}, None  # members: the process of the consumer group, once it runs

    def disk_folder(self, name):
        folder = self.folder / name
        os.makedirs(folder)
        if self.small_disks:
            subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=192m', 'klamm-chaos', folder], check=True)
            self.mounts.append(folder)
        return folder

    @property
    def nodes(self):
        return self.zookeepers + self.controllers + [b.detour for b in self.brokers if b.detour] + self.brokers

    @property
    def zookeeper_connect(self):
        return ','.join('%s:%d' % (z.address, z.ports[0]) for z in self.zookeepers) + '/chaos'

    @property
    def bootstrap(self):
        return ','.join(b.bootstrap() for b in self.brokers)

    def start(self):
        for z in self.zookeepers:
            z.start()
        wait(lambda: sorted(str(z.mode()) for z in self.zookeepers) == ['follower', 'follower', 'leader'], 'a ZooKeeper ensemble of three', 60)
        for node in self.nodes[len(self.zookeepers):]:
            node.start()
        numbers = {b.number for b in self.brokers}
        for broker in self.brokers:
            wait(lambda: self.seen_by(broker) == numbers, lambda: '%s sees all brokers; its log:\n%s' % (broker.name, broker.log_tail()), 90, 0.1)
        return self

    @staticmethod
    def seen_by(broker):
        answer = broker.metadata([])
        return {b.node_id for b in answer.brokers} if answer and answer.controller_id >= 0 else set()

    def broker(self, number):
        return next((b for b in self.brokers if b.number == number), None)

    def controller_broker(self):
        """The broker that takes administrative requests."""
        for broker in self.brokers:
            answer = broker.metadata([]) if broker.alive() else None
            if answer and answer.controller_id >= 0:
                return self.broker(answer.controller_id)
        return None

    def controllers_by_rank(self):
        """The one in office first."""
        return sorted(self.controllers, key=lambda c: c.in_office_since(), reverse=True)

    def zookeeper_leader(self):
        return next((z for z in self.zookeepers if z.mode() == 'leader'), None)

    def admin(self, api, version, **fields):
        """The answer, or None when nobody takes it just now."""
        broker = self.controller_broker()
        try:
            with broker.connect(12) as c:
                return c.call(api, version, **fields)
        except (AttributeError, OSError, wire.Closed):
            return None

    def create_topic(self, name, partitions, replicas=None, **configs):
        """Made and led, or an error."""
        def made():
            answer = self.admin('CreateTopics', 5, timeout_ms=10000, topics=[{
                'name': name, 'num_partitions': partitions, 'replication_factor': replicas or len(self.brokers), 'assignments': [],
                'configs': [{'name': k.replace('_', '.'), 'value': str(v)} for k, v in configs.items()]}])
            error = answer.topics[0].error_code if answer else -2
            assert error in (-2, 0, 5, 7, 36, 38, 41), answer
            return error in (0, 36)
        wait(made, 'topic %s is made' % name, 30, 0.2)
        self.topics[name] = partitions
        wait(lambda: self.is_whole([name]), lambda: 'topic %s is led and in sync: %s' % (name, self.states([name])), 30, 0.1)

    def states(self, names=None):
        """{(topic, partition): (leader, isr, replicas)} as the first broker that answers tells it."""
        for broker in self.brokers:
            answer = broker.metadata(list(self.topics) if names is None else names) if broker.alive() else None
            if answer:
                return {(t.name, p.partition_index): (p.leader_id, set(p.isr_nodes), list(p.replica_nodes))
                        for t in answer.topics for p in t.partitions}
        return {}

    def is_whole(self, names=None):
        """Every broker tells the same, every partition is led, and all its replicas are in sync."""
        names = list(self.topics) if names is None else names
        n = sum(self.topics.get(name, 1) for name in names)
        told = []
        for broker in self.brokers:
            answer = broker.metadata(names)
            if not answer or any(t.error_code for t in answer.topics):
                return False
            parts = [(t.name, p) for t in answer.topics for p in t.partitions]
            if len(parts) < n or any(p.leader_id < 0 or set(p.isr_nodes) != set(p.replica_nodes) for _, p in parts):
                return False
            told.append(sorted((name, p.partition_index, p.leader_id) for name, p in parts))
        return all(t == told[0] for t in told)

    def coordinator(self, group):
        """The broker that coordinates the group, as the first that knows tells it, or None."""
        for broker in self.brokers:
            try:
                with broker.connect(1.5) as c:
                    row = c.call('FindCoordinator', 4, key_type=0, coordinator_keys=[group]).coordinators[0]
            except (OSError, wire.Closed):
                continue
            if row.error_code == 0:
                return self.broker(row.node_id)
        return None

    def ask_coordinator(self, group, api, version, **fields):
        """The answer, or None when nobody gives one just now."""
        try:
            with self.coordinator(group).connect() as c:
                return c.call(api, version, **fields)
        except (AttributeError, OSError, wire.Closed):
            return None

    def make_offsets_topic(self, group):
        """A broker makes it when it is first asked for a coordinator; from then on it is a topic of this cluster like the others."""
        wait(lambda: self.coordinator(group), 'a coordinator of %s' % group, 30, 0.2)
        self.topics[OFFSETS] = len(self.states([OFFSETS]))
        wait(lambda: self.is_whole([OFFSETS]), lambda: '%s is led and in sync' % OFFSETS, 30, 0.1)

    def led_by(self, number):
        return sorted(k for k, (leader, _, _) in self.states().items() if leader == number)

    def watch(self):
        return [text for text in (node.watch() for node in self.nodes) if text]

    def close(self, keep=False):
        for node in reversed(self.nodes):
            if node.alive():
                node.signal(signal.SIGCONT)
                node.kill()
        for folder in self.mounts:
            if keep:
                shutil.copytree(folder, folder + '.kept')
            subprocess.run(['umount', '-l', folder], capture_output=True)
