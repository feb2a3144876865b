"""A cluster under test: Klamm's brokers and controllers, or real Kafka 3.9 brokers (SYSTEM_TARGET=kafka), on a ZooKeeper."""
import itertools
import os
import uuid

import wire
from processes import BUILD, TARGET, Daemon, Folder, ZooKeeper, free_port, java, wait, write_properties

SESSION_MS = 3000 if TARGET == 'klamm' else 9000
chroots = itertools.count(1)

# What makes real Kafka quick enough to be the other target of these tests, and what it must not spread over three replicas.
KAFKA_ROWS = {'offsets.topic.replication.factor': 1, 'transaction.state.log.replication.factor': 1, 'transaction.state.log.min.isr': 1,
              'num.network.threads': 2, 'num.io.threads': 4, 'offsets.topic.num.partitions': 4, 'group.initial.rebalance.delay.ms': 0}


class Broker(Daemon):
    def __init__(self, cluster, number, target, rows):
        self.cluster, self.number, self.target, self.port = cluster, number, target, free_port()
        self.folder = cluster.folder / ('broker%d' % number)
        self.config = cluster.folder / ('broker%d.properties' % number)
        self.rows = {'broker.id': number, 'listeners': 'PLAINTEXT://127.0.0.1:%d' % self.port, 'log.dirs': self.folder,
                     'zookeeper.connect': cluster.zookeeper_connect, 'zookeeper.session.timeout.ms': SESSION_MS, 'num.partitions': 4}
        if target == 'kafka':
            self.rows.update(KAFKA_ROWS)
        self.rows.update(rows)
        self.configure(target)

    def configure(self, target):
        """Which program it is from the next start on: the judge starts Kafka on Klamm's directories and the other way round."""
        self.target = target
        argv = [os.path.join(BUILD, 'klamm-broker'), self.config]
        if target == 'kafka':
            argv = java(512, 'INFO', 'kafka.Kafka', self.config)
        super().__init__('broker%d' % self.number, argv, self.config.replace('.properties', '.log'))

    def start(self):
        write_properties(self.config, self.rows)
        self.has_parent = self.target == 'klamm' and self.rows.get('klamm.supervise') != 'false'
        return super().start()

    def kill(self):
        super().kill()
        if self.target == 'kafka' and self.cluster.zookeeper.alive():
            # Kafka gives up when it finds its own dead session in ZooKeeper; Klamm waits.
            node = '%s/brokers/ids/%d\n' % (self.cluster.chroot, self.number)
            wait(lambda: node not in self.cluster.zookeeper.four_letters('dump'), 'the session of the dead broker ends')

    @property
    def address(self):
        return '127.0.0.1:%d' % self.port

    def connect(self, **options):
        return wire.Connection(self.address, **options)

    def connect_when_ready(self):
        """A connection, or None while the process is not there, does not listen yet or knows of no broker."""
        if not self.alive():
            return None
        try:
            connection = self.connect()
            if connection.metadata([], version=4).brokers:
                return connection
            connection.close()
        except (ConnectionError, wire.Closed):
            pass
        return None

    def sees(self):
        """Numbers of the brokers that this one tells clients about; empty while it does not answer."""
        try:
            with self.connect(timeout=5) as c:
                answer = c.metadata([], version=4)
                return {b.node_id for b in answer.brokers} if answer.controller_id >= 0 else set()
        except (OSError, wire.Closed):
            return set()

    def partition_folder(self, topic, partition=0):
        for log_dir in str(self.rows['log.dirs']).split(','):
            path = os.path.join(log_dir, '%s-%d' % (topic, partition))
            if os.path.isdir(path):
                return path
        return None


class Controller(Daemon):
    def __init__(self, cluster, number, rows):
        self.config = write_properties(cluster.folder / ('controller%d.properties' % number), dict({
            'controller.id': number, 'zookeeper.connect': cluster.zookeeper_connect, 'zookeeper.session.timeout.ms': SESSION_MS,
            'klamm.drift.check.interval.ms': 1000}, **rows))
        super().__init__('controller%d' % number, [os.path.join(BUILD, 'klamm-controller'), self.config],
                         self.config.replace('.properties', '.log'))


class Cluster:
    drift_expected = False

    def __init__(self, zookeeper=None, brokers=1, controllers=1, config=None, target=TARGET, controller_config=None):
        self.folder, self.target = Folder(), target
        self.own_zookeeper = zookeeper is None
        self.zookeeper = zookeeper or ZooKeeper(self.folder).start().ready()
        self.chroot = '/test%d-%s' % (next(chroots), uuid.uuid4().hex[:6])
        self.controllers = [] if target == 'kafka' else [Controller(self, i + 1, controller_config or {}) for i in range(controllers)]
        self.brokers = [Broker(self, i + 1, target, config or {}) for i in range(brokers)]

    @property
    def zookeeper_connect(self):
        return self.zookeeper.address + self.chroot

    @property
    def processes(self):
        return ([self.zookeeper] if self.own_zookeeper else []) + self.controllers + self.brokers

    def start(self):
        for process in self.controllers + self.brokers:
            process.start()
        return self.ready()

    def ready(self, brokers=None):
        """Until each broker that was started tells clients about all that were. One that has ended by itself is a failure."""
        brokers = [b for b in self.brokers if b.wanted] if brokers is None else brokers
        numbers = {b.number for b in brokers}

        def ended():
            return [b for b in brokers if not b.alive()]
        for broker in brokers:
            wait(lambda: ended() or broker.sees() == numbers,
                 lambda: '%s sees brokers %s, it sees %s' % (broker.name, numbers, broker.sees()), 60)
            assert not ended(), '\n'.join('%s ended:\n%s' % (b.name, b.log_text()[-3000:]) for b in ended())
        return self

    def crashes(self):
        """What crashed, and was started again by its parent, without the test's doing."""
        return [p.name for p in self.controllers + self.brokers if p.crashes()]

    def drifts(self):
        """What controllers did not hear of by a watch; a test that edits state nodes by hand sets drift_expected."""
        if self.drift_expected:
            return []
        return [line for c in self.controllers for line in c.log_text().splitlines() if ' drift: ' in line]

    def close(self):
        crashed, drifts = self.crashes(), self.drifts()
        for process in reversed(self.processes):
            process.kill()
        self.folder.remove()
        assert not crashed, 'crashed: %s' % crashed
        assert not drifts, drifts

    @property
    def bootstrap(self):
        return ','.join(b.address for b in self.brokers)

    def broker(self, number):
        return next(b for b in self.brokers if b.number == number)

    def connect(self, number=None, **options):
        return (self.brokers[0] if number is None else self.broker(number)).connect(**options)

    def connect_to_any(self):
        """To the first broker that answers clients: a process that has just been started does not listen yet."""
        return wait(lambda: next((c for c in (b.connect_when_ready() for b in self.brokers) if c), None), 'a broker answers')

    def controller_connection(self):
        """To the broker that clients are told to send administrative requests to."""
        with self.connect() as c:
            number = wait(lambda: c.metadata([], version=4).controller_id + 1, 'a controller is known') - 1
        return self.connect(number)

    def create_topic(self, name=None, partitions=1, replication_factor=1, **configs):
        """Made and led: each broker that runs can be asked about it."""
        name = name or 'topic-' + uuid.uuid4().hex[:8]
        with self.controller_connection() as c:
            answer = c.call('CreateTopics', 5, timeout_ms=20000, topics=[{
                'name': name, 'num_partitions': partitions, 'replication_factor': replication_factor, 'assignments': [],
                'configs': [{'name': k.replace('_', '.'), 'value': str(v)} for k, v in configs.items()]}])
        assert answer.topics[0].error_code == 0, answer.topics[0]
        self.wait_leaders(name, partitions)
        return name

    def wait_leaders(self, name, partitions=1):
        for broker in self.brokers:
            if broker.alive():
                with broker.connect() as c:
                    wait(lambda: self.all_led(c.metadata([name], version=9, allow_auto_topic_creation=False), partitions),
                         lambda: 'all partitions of %s are led for broker %d: %s' % (
                             name, broker.number, c.metadata([name], version=9, allow_auto_topic_creation=False)))
        for partition in range(partitions):
            self.wait_served(name, partition)

    @staticmethod
    def all_led(answer, partitions):
        topic = answer.topics[0]
        return topic.error_code == 0 and len(topic.partitions) >= partitions and all(p.leader_id >= 0 for p in topic.partitions)

    def wait_served(self, name, partition=0):
        """The leader itself knows that it leads: it may hear of it after the others."""
        def served():
            with self.leader_connection(name, partition) as c:
                return c.list_offset(name, -1, partition).error_code == 0
        wait(served, 'the leader of %s-%d serves it' % (name, partition))

    def leader(self, name, partition=0):
        with self.connect_to_any() as c:
            def known():
                topic = c.metadata([name], version=9, allow_auto_topic_creation=False).topics[0]
                return {p.partition_index: p.leader_id for p in topic.partitions}.get(partition, -1) + 1
            return self.broker(wait(known, 'a leader of %s-%d is known' % (name, partition)) - 1)

    def leader_connection(self, name, partition=0, **options):
        return self.leader(name, partition).connect(**options)

    def topic_id(self, name):
        with self.connect_to_any() as c:
            return c.metadata([name], version=12).topics[0].topic_id

    def alter_topic(self, name, **configs):
        """Sets (or, with None, deletes) configs and waits until the leader of partition 0 goes by them."""
        rows = [{'name': k.replace('_', '.'), 'config_operation': 1 if v is None else 0, 'value': None if v is None else str(v)}
                for k, v in configs.items()]
        with self.controller_connection() as c:
            answer = c.call('IncrementalAlterConfigs', 1, resources=[{'resource_type': 2, 'resource_name': name, 'configs': rows}])
        assert answer.responses[0].error_code == 0, answer
        for key, value in configs.items():
            if value is not None:
                for broker in self.brokers:
                    if broker.alive():
                        wait(lambda: self.topic_config(name, key.replace('_', '.'), broker) == str(value),
                             '%s of %s is %s at broker %d' % (key, name, value, broker.number))

    def topic_config(self, name, key, broker=None):
        with (broker or self.brokers[0]).connect() as c:
            answer = c.call('DescribeConfigs', 4, resources=[{'resource_type': 2, 'resource_name': name, 'configuration_keys': [key]}])
        found = [row.value for row in answer.results[0].configs or [] if row.name == key]
        return found[0] if found else None

    def read_all(self, name, partition=0):
        """Every batch of the partition, from its start to its end, as bytes."""
        out = bytearray()
        with self.leader_connection(name, partition) as c:
            end = c.list_offset(name, -1, partition).offset
            at = c.list_offset(name, -2, partition).offset
            while at < end:
                data = c.fetch(name, at, partition=partition).records or b''
                from batch import parse
                whole = parse(data)
                assert whole, 'nothing at offset %d of %d' % (at, end)
                out += data[:sum(b.size for b in whole)]
                at = whole[-1].base_offset + whole[-1].last_offset_delta + 1
        return bytes(out)
