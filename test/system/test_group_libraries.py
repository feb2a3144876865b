"""Consumer groups of other clients than librdkafka's newest: kcat, kafka-python with old and new requests, kafkajs, @platformatic/kafka, Java's console
consumer; each reads all that there is, commits, and goes on from there."""
import json

import confluent_kafka
import confluent_kafka.admin
import kafka
import pytest

from batch import build
from groups import SETTINGS, commit, committed, describe, find, fresh
from processes import kafka_tool, run
from test_clients import as_confluent, node, node_modules

__all__ = ['node_modules']
N = 300


@pytest.fixture(scope='module')
def two(zookeeper):
    from cluster import Cluster
    cluster = Cluster(zookeeper, brokers=2, config=SETTINGS).start()
    yield cluster
    cluster.close()


@pytest.fixture
def topic(two):
    """Three partitions with a hundred records each."""
    name = two.create_topic(partitions=3)
    for partition in range(3):
        with two.leader_connection(name, partition) as c:
            assert c.produce(name, build([b'value %d' % i for i in range(N // 3)]), partition=partition).error_code == 0
    return name


@pytest.fixture
def group(two):
    name = fresh()
    find(two, name)
    return name


def offsets(cluster, group):
    with find(cluster, group).connect() as c:
        return {p: o[0] for (_, p), o in committed(c, group).items()}


ALL = {0: 100, 1: 100, 2: 100}


def test_kcat(two, topic, group):
    base = ['kcat', '-b', two.bootstrap, '-X', 'broker.address.family=v4', '-X', 'auto.offset.reset=earliest', '-e', '-f', '%p-%o\n', '-G', group, topic]
    status, out, err = run(base)
    assert status == 0 and len(set(out.split())) == N, err
    assert offsets(two, group) == ALL
    status, out, err = run(base)
    assert status == 0 and out.split() == [], err


@pytest.mark.parametrize('version', [(0, 11, 0), (1, 0, 0), (2, 6, 0)])
def test_kafka_python(two, topic, group, version):
    options = {'bootstrap_servers': two.bootstrap.split(','), 'api_version': version, 'group_id': group, 'auto_offset_reset': 'earliest',
               'enable_auto_commit': False, 'consumer_timeout_ms': 15000, 'heartbeat_interval_ms': 300}

    def read(n):
        """The first n records that come, or those that come before it has waited long enough."""
        consumer, seen = kafka.KafkaConsumer(topic, **options), set()
        for message in consumer:
            seen.add((message.partition, message.offset))
            if len(seen) == n:
                break
        consumer.commit({kafka.TopicPartition(topic, p): kafka.OffsetAndMetadata(1 + max(o for q, o in seen if q == p), None)
                         for p in {p for p, _ in seen}})
        consumer.close()
        return seen
    first = read(130)
    with find(two, group).connect() as c:
        assert describe(c, group).group_state == 'Empty'
    rest = read(N - 130)
    assert len(first | rest) == N and not first & rest
    assert offsets(two, group) == ALL


def test_kafka_python_admin(two, topic, group):
    with find(two, group).connect() as c:
        commit(c, group, {topic: {0: 7}})
    admin = kafka.KafkaAdminClient(bootstrap_servers=two.bootstrap.split(','), api_version=(2, 6, 0))
    assert (group, '') in admin.list_consumer_groups()
    assert admin.describe_consumer_groups([group])[0].state == 'Empty'
    assert admin.list_consumer_group_offsets(group)[kafka.TopicPartition(topic, 0)].offset == 7
    assert [row[1].errno for row in admin.delete_consumer_groups([group])] == [0]
    admin.close()


def test_confluent_kafka_admin(two, topic, group):
    admin = confluent_kafka.admin.AdminClient(as_confluent(two))
    consumer = confluent_kafka.Consumer(as_confluent(two, **{'group.id': group, 'auto.offset.reset': 'earliest', 'enable.auto.commit': False,
                                                             'client.id': 'cli'}))
    consumer.subscribe([topic])
    seen = set()
    while len(seen) < N:
        message = consumer.poll(20)
        assert message is not None and not message.error(), message and message.error()
        seen.add((message.partition(), message.offset()))
    consumer.commit(asynchronous=False)
    row = next(g for g in admin.list_groups(timeout=20) if g.id == group)
    assert (row.state, row.protocol_type, row.protocol, len(row.members)) == ('Stable', 'consumer', 'range', 1)
    assert (row.members[0].client_id, row.members[0].client_host) == ('cli', '/127.0.0.1')
    assert [p.offset for p in consumer.committed([confluent_kafka.TopicPartition(topic, i) for i in range(3)], timeout=20)] == [100] * 3
    consumer.close()
    assert offsets(two, group) == ALL


def test_kafkajs(two, topic, group, node_modules):
    status, out, err = node(node_modules, 'kafkajs_group.js', two.bootstrap, topic, group)
    assert status == 0, out + err
    assert json.loads(out.strip().splitlines()[-1]) == {'seen': N, 'listed': True, 'state': 'Empty', 'committed': N}
    with find(two, group).connect() as c:
        assert describe(c, group).group_state == 'Dead'


def test_platformatic(two, topic, group, node_modules):
    status, out, err = node(node_modules, 'platformatic_group.mjs', two.bootstrap, topic, group)
    assert status == 0 and json.loads(out.strip().splitlines()[-1]) == {'seen': N}, out + err
    assert offsets(two, group) == ALL


def test_java_console_consumer(two, topic, group):
    for n in (120, 180):
        status, out = kafka_tool('console-consumer', '--bootstrap-server', two.bootstrap, '--topic', topic, '--group', group, '--from-beginning',
                                 '--max-messages', n)
        assert status == 0 and 'Processed a total of %d messages' % n in out, out
    assert offsets(two, group) == ALL
