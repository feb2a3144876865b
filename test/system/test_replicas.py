"""Replicas: three brokers, replication factor 3, acks=all under load; all logs end byte for byte the same, also after kill -9 and restart."""
import glob
import os
import threading
import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from cluster import Cluster
from processes import wait

pytestmark = pytest.mark.klamm_only


@pytest.fixture(scope='module')
def three():
    cluster = Cluster(brokers=3, controllers=1, config={'min.insync.replicas': 2}).start()
    yield cluster
    cluster.close()


class Load(threading.Thread):
    """Sends numbered records with acks=all until it is told to stop; remembers what was acknowledged where."""

    def __init__(self, cluster, topic, value_bytes=300):
        super().__init__(daemon=True)
        self.topic, self.value_bytes, self.stopping = topic, value_bytes, False
        self.acked, self.failed, self.sent = {}, 0, 0
        self.producer = Producer({'bootstrap.servers': cluster.bootstrap, 'acks': 'all', 'enable.idempotence': True, 'linger.ms': 2,
                                  'message.timeout.ms': 60000})
        self.start()

    def on_ack(self, error, message):
        if error:
            self.failed += 1
        else:
            self.acked[(message.partition(), message.offset())] = message.value()

    def run(self):
        while not self.stopping:
            value = b'%d ' % self.sent + b'x' * self.value_bytes
            try:
                self.producer.produce(self.topic, value, key=b'%d' % self.sent, on_delivery=self.on_ack)
                self.sent += 1
            except BufferError:
                self.producer.poll(0.05)
            self.producer.poll(0)
            if len(self.producer) > 500:
                self.producer.poll(0.005)
        self.producer.flush(60)

    def stop(self):
        self.stopping = True
        self.join(90)
        assert not self.is_alive() and self.failed == 0, 'failed: %d' % self.failed

    def acked_more(self, n, seconds=60):
        before = len(self.acked)
        wait(lambda: len(self.acked) >= before + n, lambda: '%d more records are acknowledged: %d' % (n, len(self.acked) - before), seconds)


def in_sync(cluster, topic, n_replicas):
    ready = [b for b in cluster.brokers if b.sees()]
    if not ready:
        return False
    with ready[0].connect() as c:
        partitions = c.metadata([topic], version=9, allow_auto_topic_creation=False).topics[0].partitions
    return all(len(p.isr_nodes) == n_replicas and p.leader_id >= 0 for p in partitions)


def wait_in_sync(cluster, topic, n_replicas=3, seconds=60):
    wait(lambda: in_sync(cluster, topic, n_replicas), '%d replicas of %s are in sync' % (n_replicas, topic), seconds)


def log_bytes(broker, topic, partition):
    """The batches of a replica, as they lie in its segments, from the first on."""
    folder = broker.partition_folder(topic, partition)
    out = b''
    for path in sorted(glob.glob(os.path.join(folder, '*.log'))):
        with open(path, 'rb') as f:
            out += f.read()
    return out


def check_same(cluster, topic, partitions):
    for partition in range(partitions):
        def all_same():
            logs = [log_bytes(b, topic, partition) for b in cluster.brokers]
            return all(log == logs[0] for log in logs) and (len(logs[0]) or True)
        wait(all_same, lambda: 'the replicas of %s-%d are the same: %s bytes' % (
            topic, partition, [len(log_bytes(b, topic, partition)) for b in cluster.brokers]), 30)


def check_acked(cluster, topic, partitions, load):
    consumer = Consumer({'bootstrap.servers': cluster.bootstrap, 'group.id': 'none', 'enable.auto.commit': False, 'check.crcs': True,
                         'auto.offset.reset': 'earliest'})
    found, values = {}, []
    ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=20)[1] for p in range(partitions)}
    consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    until = time.monotonic() + 30
    while len(values) < sum(ends.values()):
        assert time.monotonic() < until, 'only %d of %d records are read' % (len(values), sum(ends.values()))
        for message in consumer.consume(1000, 0.2):
            assert not message.error(), message.error()
            found[(message.partition(), message.offset())] = message.value()
            values.append(message.value())
    consumer.close()
    lost = [at for at, value in load.acked.items() if found.get(at) != value]
    assert not lost, 'lost or changed: %d, first %s' % (len(lost), lost[:5])
    assert len(set(values)) == len(values), 'duplicated: %d' % (len(values) - len(set(values)))


@pytest.mark.parametrize('durability', ['page-cache', 'fsync-isr'])
def test_replicas_are_the_same_under_load(three, durability):
    topic = three.create_topic(partitions=6, replication_factor=3, **{'klamm.durability': durability})
    load = Load(three, topic)
    load.acked_more(5000)
    load.stop()
    wait_in_sync(three, topic)
    check_same(three, topic, 6)
    check_acked(three, topic, 6, load)


@pytest.mark.parametrize('durability', ['page-cache', 'fsync-isr'])
def test_replicas_are_the_same_after_every_broker_was_killed(three, durability):
    topic = three.create_topic(partitions=6, replication_factor=3, **{'klamm.durability': durability})
    wait_in_sync(three, topic)
    load = Load(three, topic)
    for broker in three.brokers:
        load.acked_more(2000)
        broker.kill()
        load.acked_more(500)
        broker.start()
        wait_in_sync(three, topic)
    load.acked_more(1000)
    load.stop()
    wait_in_sync(three, topic)
    check_same(three, topic, 6)
    check_acked(three, topic, 6, load)


def test_a_replica_that_was_away_for_long_catches_up(three):
    topic = three.create_topic(partitions=3, replication_factor=3, segment_bytes=1 << 20, retention_bytes=-1)
    wait_in_sync(three, topic)
    three.brokers[2].stop()
    load = Load(three, topic, value_bytes=2000)
    load.acked_more(10000)
    three.brokers[2].start()
    wait_in_sync(three, topic)
    load.stop()
    check_same(three, topic, 3)
    check_acked(three, topic, 3, load)
