"""ApiVersions, Metadata 0-12, DescribeCluster: what clients see first."""
import os
import uuid

import pytest

import schema
from processes import TOP, wait
from wire import Connection, error_name

ALL = 'ApiVersions', 'Metadata', 'Produce', 'Fetch', 'ListOffsets', 'OffsetForLeaderEpoch', 'CreateTopics', 'DeleteTopics', (
    'CreatePartitions'), 'DeleteRecords', 'DescribeConfigs', 'AlterConfigs', 'IncrementalAlterConfigs', 'InitProducerId', 'DescribeCluster'


@pytest.fixture
def c(shared):
    with shared.connect() as connection:
        yield connection


@pytest.mark.parametrize('version', range(0, 5))
def test_api_versions(c, version):
    answer = c.call('ApiVersions', version, client_software_name='some-client', client_software_version='1.0-rc.2')
    assert answer.error_code == 0
    ranges = {k.api_key: (k.min_version, k.max_version) for k in answer.api_keys}
    for name in ALL:
        api = schema.APIS[name]
        assert ranges[api.key][1] == api.versions[1], name
    assert len(ranges) == len(answer.api_keys), 'each key once'
    with open(os.path.join(TOP, 'test', 'golden', 'api_versions.txt')) as f:
        rows = [line.split() for line in f if line.strip() and not line.startswith('#')]
    kafka = {int(r[0]): (int(r[-2]), int(r[-1])) for r in rows}
    for key, (low, high) in ranges.items():
        assert kafka[key][0] <= low and high <= kafka[key][1], 'nothing that Kafka 3.9 does not list'


@pytest.mark.parametrize('version', [5, 99, 32767, -1])
def test_api_versions_of_the_future_are_answered_in_version_0(c, version):
    for _ in range(2):
        tags = b'\0' if version > 0 else b''
        c.send_frame(schema.struct.pack('>hhih', 18, version, 77, -1) + tags + b'\x01\x02 no such body')
        frame = c.receive_frame()
        low, high = schema.APIS['ApiVersions'].versions
        assert frame == schema.struct.pack('>ihihhh', 77, 35, 1, 18, low, high)
    assert c.is_usable()


@pytest.mark.parametrize('name, version', [('a b', '1'), ('', '1'), ('a', ''), ('-a', '1'), ('a-', '1'), ('a_b', '1'), ('é', '1'), ('a', '1$')])
def test_api_versions_checks_the_name_of_the_client(c, name, version):
    answer = c.call('ApiVersions', 3, client_software_name=name, client_software_version=version)
    assert error_name(answer.error_code) == 'INVALID_REQUEST' and answer.api_keys == []
    assert c.is_usable()


@pytest.mark.parametrize('client_id', [None, '', 'x' * 30000, 'ü€'])
def test_any_client_id(shared, client_id):
    with shared.connect(client_id=client_id) as connection:
        assert connection.is_usable()
        assert connection.metadata([]).topics == []


@pytest.mark.parametrize('version', range(0, 13))
def test_metadata_every_version(shared, c, version):
    name = shared.create_topic(partitions=3)
    answer = c.metadata([name], version=version)
    assert sorted((b.node_id, b.host, b.port) for b in answer.brokers) == [(b.number, '127.0.0.1', b.port) for b in shared.brokers]
    if version >= 1:
        assert answer.controller_id in (1, 2, 3) and all(b.rack is None for b in answer.brokers)
    if version >= 2:
        assert len(answer.cluster_id) == 22
    found = answer.topics[0]
    assert (found.error_code, found.name, found.is_internal) == (0, name, False)
    assert sorted(p.partition_index for p in found.partitions) == [0, 1, 2]
    for p in found.partitions:
        assert p.error_code == 0 and p.replica_nodes == p.isr_nodes == [p.leader_id] and p.offline_replicas == []
        assert p.leader_epoch == (0 if version >= 7 else -1)
    assert len({p.leader_id for p in found.partitions}) == 3, 'spread over the brokers'
    if version >= 10:
        assert found.topic_id.int != 0
    assert found.topic_authorized_operations == -2147483648


def test_all_topics_and_none(shared, c):
    name = shared.create_topic()
    assert name in [t.name for t in c.metadata(None, version=9).topics]
    assert name in [t.name for t in c.call('Metadata', 0, topics=[]).topics]
    assert c.metadata([], version=1).topics == []


def test_version_0_with_null_closes(shared):
    with shared.connect() as connection:
        connection.send_frame(schema.struct.pack('>hhihi', 3, 0, 5, -1, -1))
        connection.assert_closed()


def test_a_name_asked_twice_is_answered_once(shared, c):
    name = shared.create_topic()
    assert len(c.metadata([name, name], version=9).topics) == 1


def test_unknown_topics(c):
    answer = c.metadata(['not-there'], version=9, allow_auto_topic_creation=False)
    assert [(t.name, error_name(t.error_code), t.partitions) for t in answer.topics] == [('not-there', 'UNKNOWN_TOPIC_OR_PARTITION', [])]


@pytest.mark.parametrize('name', ['', '.', '..', 'a/b', '../x', 'x' * 250, 'a b', 'ü', 'a:b', 'a\0b', 'a\nb', 'a\\b'])
@pytest.mark.parametrize('create', [True, False])
def test_bad_names(c, name, create):
    answer = c.metadata([name], version=9, allow_auto_topic_creation=create)
    assert [(t.name, error_name(t.error_code)) for t in answer.topics] == [(name, 'INVALID_TOPIC_EXCEPTION')]


@pytest.mark.parametrize('version', [0, 4, 9, 12])
def test_auto_creation(shared, c, version):
    name = 'auto-%s' % uuid.uuid4().hex[:8]
    first = c.metadata([name], version=version)
    assert [(t.name, error_name(t.error_code)) for t in first.topics] == [(name, 'LEADER_NOT_AVAILABLE')]
    shared.wait_leaders(name, 4)
    assert len(c.metadata([name], version=version).topics[0].partitions) == 4


def test_a_name_that_collides_is_not_created(shared, c):
    name = shared.create_topic('col.x%s' % uuid.uuid4().hex[:6])
    answer = c.metadata([name.replace('.', '_')], version=9)
    assert error_name(answer.topics[0].error_code) == 'INVALID_TOPIC_EXCEPTION'


def test_by_topic_id(shared, c):
    name = shared.create_topic()
    topic_id = shared.topic_id(name)

    def ask(*topics, version=12):
        answer = c.call('Metadata', version, topics=list(topics))
        return [(t.name, t.topic_id, error_name(t.error_code)) for t in answer.topics]
    assert ask({'topic_id': topic_id, 'name': None}) == [(name, topic_id, 'NONE')]
    unknown = uuid.uuid4()
    assert ask({'topic_id': unknown, 'name': None}) == [(None, unknown, 'UNKNOWN_TOPIC_ID')]
    assert ask({'topic_id': topic_id, 'name': None}, {'name': 'only-a-name'}) == [(name, topic_id, 'NONE')]
    for version in (10, 11):
        assert ask({'topic_id': topic_id, 'name': name}, version=version)[0][2] == 'INVALID_REQUEST'


def test_authorized_operations(shared, c):
    name = shared.create_topic()
    answer = c.metadata([name], version=8, include_cluster_authorized_operations=True, include_topic_authorized_operations=True)
    assert answer.cluster_authorized_operations == 8096 and answer.topics[0].topic_authorized_operations == 3576


@pytest.mark.parametrize('version', [0, 1])
def test_describe_cluster(shared, c, version):
    answer = c.call('DescribeCluster', version, include_cluster_authorized_operations=True)
    assert answer.error_code == 0 and answer.cluster_id == c.metadata([], version=9).cluster_id
    assert answer.controller_id == c.metadata([], version=9).controller_id and answer.cluster_authorized_operations == 8096
    assert sorted((b.broker_id, b.host, b.port) for b in answer.brokers) == [(b.number, '127.0.0.1', b.port) for b in shared.brokers]
    assert c.call('DescribeCluster', version).cluster_authorized_operations == -2147483648


def test_describe_cluster_of_controllers_is_refused(c):
    answer = c.call('DescribeCluster', 1, endpoint_type=2)
    assert error_name(answer.error_code) == 'MISMATCHED_ENDPOINT_TYPE'


@pytest.mark.klamm_only
def test_all_brokers_name_the_lowest_as_controller(shared):
    for broker in shared.brokers:
        with broker.connect() as connection:
            assert connection.metadata([], version=9).controller_id == 1


def test_racks_and_two_listeners(make_cluster):
    cluster = make_cluster(start=False, brokers=2)
    inner = {}
    from processes import free_port
    for broker in cluster.brokers:
        inner[broker.number] = free_port()
        broker.rows.update({
            'listeners': 'PLAINTEXT://127.0.0.1:%d,INTERNAL://127.0.0.1:%d' % (broker.port, inner[broker.number]),
            'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT', 'inter.broker.listener.name': 'INTERNAL',
            'broker.rack': 'rack%d' % broker.number})
    cluster.start()
    name = cluster.create_topic(partitions=2)
    with cluster.connect(1) as outside, Connection('127.0.0.1:%d' % inner[1]) as inside:
        told = {(b.node_id, b.port, b.rack) for b in outside.metadata([]).brokers}
        assert told == {(b.number, b.port, 'rack%d' % b.number) for b in cluster.brokers}
        assert {(b.node_id, b.port) for b in inside.metadata([name]).brokers} == set(inner.items())


def test_a_broker_that_dies_and_comes_back(make_cluster):
    cluster = make_cluster(brokers=2)
    name = cluster.create_topic(partitions=2)
    dead = cluster.broker(2)
    with cluster.connect(1) as c:
        dead.kill()
        wait(lambda: [b.node_id for b in c.metadata([]).brokers] == [1], 'broker 1 alone is told')

        def partition_of_the_dead(version):
            return next(p for p in c.metadata([name], version=version).topics[0].partitions if p.replica_nodes in ([2], []))
        wait(lambda: partition_of_the_dead(9).leader_id == -1, 'its partition has no leader')
        p = partition_of_the_dead(9)
        assert error_name(p.error_code) == 'LEADER_NOT_AVAILABLE' and p.replica_nodes == [2] and p.isr_nodes == [2] and p.offline_replicas == [2]
        p = partition_of_the_dead(0)
        assert error_name(p.error_code) in ('REPLICA_NOT_AVAILABLE', '9', 'LEADER_NOT_AVAILABLE') and p.replica_nodes == [] and p.isr_nodes == []
        epoch = partition_of_the_dead(9).leader_epoch
        dead.start()
        cluster.ready()
        cluster.wait_leaders(name, 2)
        again = next(p for p in c.metadata([name], version=9).topics[0].partitions if p.replica_nodes == [2])
        assert again.leader_id == 2 and again.leader_epoch > epoch
