"""CreateTopics 0-7, DeleteTopics 0-6, CreatePartitions 0-3: what is made, what is refused, and the words."""
import os
import re
import uuid

import pytest

from batch import build, values
from processes import TARGET, wait
from wire import error_name

TIMEOUT_MS = 20000


def fresh(prefix='t'):
    return '%s-%s' % (prefix, uuid.uuid4().hex[:8])


@pytest.fixture
def admin(shared):
    with shared.controller_connection() as c:
        yield c


def entry(name, partitions=1, factor=1, assignments=(), configs=()):
    return {'name': name, 'num_partitions': partitions, 'replication_factor': factor,
            'assignments': [{'partition_index': i, 'broker_ids': b} for i, b in assignments],
            'configs': [{'name': k, 'value': v} for k, v in configs]}


def create(c, *topics, version=5, validate_only=False, timeout_ms=TIMEOUT_MS):
    body = {'topics': list(topics), 'timeout_ms': timeout_ms}
    if version >= 1:
        body['validate_only'] = validate_only
    return c.call('CreateTopics', version, body).topics


def told(topics):
    return [(t.name, error_name(t.error_code), t.error_message) for t in topics]


@pytest.mark.parametrize('version', range(0, 8))
def test_create_every_version(shared, admin, version):
    name = fresh()
    answer = create(admin, entry(name, 3, configs=[('retention.ms', '12345')]), version=version)[0]
    assert (answer.name, answer.error_code, answer.error_message) == (name, 0, None if version else '')
    if version >= 5:
        assert (answer.num_partitions, answer.replication_factor) == (3, 1)
        configs = {c.name: c for c in answer.configs}
        assert configs['retention.ms'].value == '12345' and configs['retention.ms'].config_source == 1
        assert len(configs) >= 30 and not any(c.is_sensitive for c in answer.configs)
    shared.wait_leaders(name, 3)
    if version >= 7:
        assert answer.topic_id == shared.topic_id(name) and answer.topic_id.int != 0
    assert shared.topic_config(name, 'retention.ms') == '12345'
    assert told(create(admin, entry(name), version=5)) == [(name, 'TOPIC_ALREADY_EXISTS', "Topic '%s' already exists." % name)]


def test_the_answer_comes_when_the_topic_can_be_used(shared, admin):
    name = fresh()
    create(admin, entry(name, 6))
    answer = admin.metadata([name], version=9)
    assert shared.all_led(answer, 6)


def test_defaults_for_minus_one(shared, admin):
    for version in (0, 4, 7):
        name = fresh()
        assert create(admin, entry(name, -1, -1), version=version)[0].error_code == 0
        assert len(admin.metadata([name]).topics[0].partitions) == 4


def refusals():
    yield 'no partitions', entry('x', 0), 'INVALID_PARTITIONS', 'Number of partitions must be larger than 0.'
    yield 'negative partitions', entry('x', -2), 'INVALID_PARTITIONS', 'Number of partitions must be larger than 0.'
    yield 'no replicas', entry('x', 1, 0), 'INVALID_REPLICATION_FACTOR', 'Replication factor must be larger than 0.'
    yield 'negative replicas', entry('x', 1, -2), 'INVALID_REPLICATION_FACTOR', 'Replication factor must be larger than 0.'
    yield ('more replicas than brokers', entry('x', 1, 4), 'INVALID_REPLICATION_FACTOR',
           'Replication factor: 4 larger than available brokers: 3.')
    yield 'unknown config', entry('x', configs=[('foo', '1')]), 'INVALID_CONFIG', 'Unknown topic config name: foo'
    yield ('wrong config', entry('x', configs=[('retention.ms', 'soon')]), 'INVALID_CONFIG',
           'Invalid value soon for configuration retention.ms: Not a number of type LONG')
    yield 'null config', entry('x', configs=[('retention.ms', None)]), 'INVALID_CONFIG', (
        'Null value not supported for topic configs: retention.ms')
    yield 'out of range config', entry('x', configs=[('min.insync.replicas', '0')]), 'INVALID_CONFIG', None
    yield 'wrong word', entry('x', configs=[('cleanup.policy', 'burn')]), 'INVALID_CONFIG', None
    yield 'assignment and count', entry('x', 1, -1, [(0, [1])]), 'INVALID_REQUEST', (
        'Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used at the same time.')
    yield 'partitions with a gap', entry('x', -1, -1, [(0, [1]), (2, [1])]), 'INVALID_REPLICA_ASSIGNMENT', None
    yield 'a broker twice', entry('x', -1, -1, [(0, [1, 1])]), 'INVALID_REPLICA_ASSIGNMENT', None
    yield 'unequal numbers of replicas', entry('x', -1, -1, [(0, [1]), (1, [1, 2])]), 'INVALID_REPLICA_ASSIGNMENT', None
    for name in ('', '.', '..', 'a/b', '../x', 'x' * 250, 'a b', 'ü', 'a\0b', 'CON:', 'a\nb', 'a\\b'):
        yield 'name %r' % name[:5], entry(name), 'INVALID_TOPIC_EXCEPTION', None


@pytest.mark.parametrize('validate_only', [False, True])
@pytest.mark.parametrize('row', refusals(), ids=lambda row: row[0].replace(' ', '-') if isinstance(row, tuple) else None)
def test_refused(shared, admin, row, validate_only):
    _, wanted, error, message = row
    if wanted['name'] == 'x':
        wanted = dict(wanted, name=fresh())
    answer = create(admin, wanted, validate_only=validate_only)[0]
    assert error_name(answer.error_code) == error, answer
    assert answer.error_message if message is None else answer.error_message == message
    if error != 'INVALID_TOPIC_EXCEPTION':
        assert error_name(admin.metadata([wanted['name']], version=9, allow_auto_topic_creation=False).topics[0].error_code) == (
            'UNKNOWN_TOPIC_OR_PARTITION')


def test_replicas_are_as_many_as_asked_for_and_all_in_sync(shared, admin):
    for n, wanted in ((2, entry(fresh(), 3, 2)), (3, entry(fresh(), 2, 3)), (2, entry(fresh(), -1, -1, [(0, [3, 1])]))):
        assert create(admin, wanted)[0].error_code == 0
        shared.wait_leaders(wanted['name'], len(wanted['assignments']) or wanted['num_partitions'])
        for partition in admin.metadata([wanted['name']]).topics[0].partitions:
            assert len(set(partition.replica_nodes)) == n
            assert sorted(partition.isr_nodes) == sorted(partition.replica_nodes)
            assert partition.leader_id == partition.replica_nodes[0]


@pytest.mark.klamm_only
def test_an_assignment_to_brokers_that_are_not_there_is_refused(admin):
    for brokers in ([9], [-1], []):
        answer = create(admin, entry(fresh(), -1, -1, [(0, brokers)]))[0]
        assert error_name(answer.error_code) == 'INVALID_REPLICA_ASSIGNMENT', answer


def test_manual_assignment(shared, admin):
    name = fresh()
    assert create(admin, entry(name, -1, -1, [(1, [3]), (0, [2])]))[0].error_code == 0
    shared.wait_leaders(name, 2)
    got = {p.partition_index: p.replica_nodes for p in admin.metadata([name]).topics[0].partitions}
    assert got == {0: [2], 1: [3]}


def test_an_index_twice_in_an_assignment_the_last_wins(shared, admin):
    name = fresh()
    assert create(admin, entry(name, -1, -1, [(0, [1]), (0, [2])]))[0].error_code == 0
    assert [p.replica_nodes for p in admin.metadata([name]).topics[0].partitions] == [[2]]


def test_validate_only_writes_nothing(shared, admin):
    name = fresh()
    answer = create(admin, entry(name, 2), version=7, validate_only=True)[0]
    assert answer.error_code == 0 and answer.topic_id.int == 0 and answer.num_partitions == 2 and len(answer.configs) >= 30
    assert error_name(admin.metadata([name], allow_auto_topic_creation=False, version=9).topics[0].error_code) == 'UNKNOWN_TOPIC_OR_PARTITION'


def test_several_topics_are_answered_in_order_each_by_itself(admin):
    good, twice = fresh(), fresh()
    answer = create(admin, entry(good), entry(twice), entry('a/b'), entry(twice))
    got = told(answer)
    assert sorted(set(t[:2] for t in got)) == sorted({(good, 'NONE'), (twice, 'INVALID_REQUEST'), ('a/b', 'INVALID_TOPIC_EXCEPTION')})
    assert next(t[2] for t in got if t[0] == twice) == 'Found multiple entries for this topic.'


def test_names_that_differ_only_by_dot_and_underscore(admin):
    stem = uuid.uuid4().hex[:8]
    assert create(admin, entry('col.%s' % stem))[0].error_code == 0
    answer = create(admin, entry('col_%s' % stem))[0]
    assert (error_name(answer.error_code), answer.error_message) == (
        'INVALID_TOPIC_EXCEPTION', "Topic 'col_%s' collides with existing topics: col.%s" % (stem, stem))


def test_the_longest_name(shared, admin):
    name = fresh() + 'x' * 239
    assert len(name) == 249 and create(admin, entry(name[:249]))[0].error_code == 0
    shared.wait_leaders(name[:249])
    with shared.leader_connection(name[:249]) as c:
        assert c.produce(name[:249], build([b'v'])).error_code == 0
    assert admin.call('DeleteTopics', 4, topic_names=[name[:249]], timeout_ms=TIMEOUT_MS).responses[0].error_code == 0


def test_no_time_to_wait(shared, admin):
    name = fresh()
    answer = create(admin, entry(name), version=7, timeout_ms=0)[0]
    assert error_name(answer.error_code) == 'REQUEST_TIMED_OUT'
    shared.wait_leaders(name)


def test_partitions_are_spread(shared, admin):
    name = fresh()
    create(admin, entry(name, 9))
    leaders = [p.leader_id for p in sorted(admin.metadata([name]).topics[0].partitions, key=lambda p: p.partition_index)]
    assert sorted(leaders) == [1] * 3 + [2] * 3 + [3] * 3 and leaders[:3] == leaders[3:6]


def delete(c, *names, version=4):
    if version >= 6:
        return c.call('DeleteTopics', version, topics=[{'name': n} for n in names], timeout_ms=TIMEOUT_MS).responses
    return c.call('DeleteTopics', version, topic_names=list(names), timeout_ms=TIMEOUT_MS).responses


def gone(shared, name):
    for broker in shared.brokers:
        with broker.connect() as c:
            wait(lambda: error_name(c.metadata([name], version=9, allow_auto_topic_creation=False).topics[0].error_code) ==
                 'UNKNOWN_TOPIC_OR_PARTITION', '%s is gone from broker %d' % (name, broker.number))


@pytest.mark.parametrize('version', range(0, 7))
def test_delete_every_version(shared, admin, version):
    name = shared.create_topic(partitions=3)
    answer = delete(admin, name, version=version)
    assert [(t.name, t.error_code) for t in answer] == [(name, 0)]
    gone(shared, name)
    assert error_name(delete(admin, name, version=version)[0].error_code) == 'UNKNOWN_TOPIC_OR_PARTITION'


def test_delete_by_id(shared, admin):
    name = shared.create_topic()
    topic_id = shared.topic_id(name)

    def ask(*topics):
        answer = admin.call('DeleteTopics', 6, topics=list(topics), timeout_ms=TIMEOUT_MS).responses
        return [(t.name, error_name(t.error_code)) for t in answer]
    unknown = uuid.uuid4()
    assert ask({'name': None, 'topic_id': unknown}) == [(None, 'UNKNOWN_TOPIC_ID')]
    assert ask({'name': name, 'topic_id': topic_id}) == [(name, 'INVALID_REQUEST')]
    assert ask({'name': None, 'topic_id': topic_id}) == [(name, 'NONE')]
    gone(shared, name)


def test_delete_odd_names(admin):
    for name in ('', '..', 'a/b', 'x' * 300):
        assert error_name(delete(admin, name)[0].error_code) == 'UNKNOWN_TOPIC_OR_PARTITION'


def test_files_of_a_deleted_topic_go_away_and_a_new_one_starts_empty(single):
    name = single.create_topic()
    folder = single.brokers[0].rows['log.dirs']
    with single.connect() as c:
        c.produce(name, build([b'old']))
        assert delete(c, name)[0].error_code == 0

        def again():
            return create(c, entry(name))[0].error_code == 0
        wait(again, 'the topic can be made again', 30)
        single.wait_leaders(name)
        assert c.fetch(name, 0).records == b''
        c.produce(name, build([b'new']))
        assert values(c.fetch(name, 0).records) == [b'new']
    left = re.compile(re.escape(name) + r'-0\.[0-9a-f]{32}-delete')
    wait(lambda: not [n for n in os.listdir(folder) if left.fullmatch(n)], lambda: 'deleted folders are removed: %s' % os.listdir(folder), 60)
    assert name + '-0' in os.listdir(folder)


def test_create_and_delete_many_times(shared, admin):
    name = fresh()
    for i in range(10):
        wait(lambda: create(admin, entry(name, 2))[0].error_code == 0, 'made, round %d' % i, 30)
        with shared.leader_connection(name) as c:
            wait(lambda: c.produce(name, build([b'%d' % i])).error_code == 0, 'written', 20)
        assert delete(admin, name)[0].error_code == 0


def grow(c, name, count, assignments=None, version=3, validate_only=False):
    rows = None if assignments is None else [{'broker_ids': b} for b in assignments]
    answer = c.call('CreatePartitions', version, topics=[{'name': name, 'count': count, 'assignments': rows}], timeout_ms=TIMEOUT_MS,
                    validate_only=validate_only)
    return [(t.name, error_name(t.error_code), t.error_message) for t in answer.results]


@pytest.mark.parametrize('version', range(0, 4))
def test_create_partitions(shared, admin, version):
    name = shared.create_topic(partitions=2)
    assert grow(admin, name, 5, version=version, validate_only=True) == [(name, 'NONE', None)]
    assert len(admin.metadata([name]).topics[0].partitions) == 2
    assert grow(admin, name, 5, version=version) == [(name, 'NONE', None)]
    shared.wait_leaders(name, 5)
    for partition in range(5):
        with shared.leader_connection(name, partition) as c:
            assert c.produce(name, build([b'v']), partition=partition).error_code == 0


def test_create_partitions_with_an_assignment(shared, admin):
    name = shared.create_topic(partitions=1)
    assert grow(admin, name, 3, [[3], [1]]) == [(name, 'NONE', None)]
    shared.wait_leaders(name, 3)
    got = {p.partition_index: p.replica_nodes for p in admin.metadata([name]).topics[0].partitions}
    assert (got[1], got[2]) == ([3], [1])


def test_create_partitions_refused(shared, admin):
    name = shared.create_topic(partitions=2)
    assert grow(admin, name, 2) == [(name, 'INVALID_PARTITIONS', 'Topic already has 2 partitions.')]
    assert grow(admin, name, 1) == [
        (name, 'INVALID_PARTITIONS', 'Topic currently has 2 partitions, which is higher than the requested 1.')]
    assert grow(admin, 'no-such-topic', 3)[0][1] == 'UNKNOWN_TOPIC_OR_PARTITION'
    for assignment in ([[1], [2]], [[9]], [[1, 1]], [[1, 2]], [[]], []):
        assert grow(admin, name, 3, assignment)[0][1] == 'INVALID_REPLICA_ASSIGNMENT', assignment
    answer = admin.call('CreatePartitions', 3, topics=[{'name': name, 'count': 4, 'assignments': None}] * 2, timeout_ms=TIMEOUT_MS)
    assert [(t.name, error_name(t.error_code)) for t in answer.results] == [(name, 'INVALID_REQUEST')]
    assert len(admin.metadata([name]).topics[0].partitions) == 2


@pytest.mark.klamm_only
def test_any_broker_takes_administrative_requests(shared):
    for broker in shared.brokers:
        name = fresh()
        with broker.connect() as c:
            assert create(c, entry(name, 2))[0].error_code == 0
            assert delete(c, name)[0].error_code == 0


def test_hundreds_of_partitions(shared, admin):
    name = fresh()
    assert create(admin, entry(name, 600))[0].error_code == 0
    shared.wait_leaders(name, 600)
    assert delete(admin, name)[0].error_code == 0
    gone(shared, name)
