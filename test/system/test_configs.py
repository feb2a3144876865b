"""DescribeConfigs 0-4, AlterConfigs 0-2, IncrementalAlterConfigs 0-1: of topics, and that they take effect at once."""
import os
import time

import pytest

from batch import build, now_ms, parse
from processes import TARGET, wait
from wire import error_name

TOPIC, BROKER = 2, 4
SET, DELETE, APPEND, SUBTRACT = range(4)
# config_source
FROM_TOPIC, FROM_BROKER, FROM_DEFAULT_BROKER, FROM_FILE, FROM_DEFAULT = 1, 2, 3, 4, 5


@pytest.fixture
def c(shared):
    with shared.controller_connection() as connection:
        yield connection


def describe(c, name, keys=None, kind=TOPIC, version=4, **more):
    body = {'resources': [{'resource_type': kind, 'resource_name': name, 'configuration_keys': keys}]}
    if version >= 1:
        body['include_synonyms'] = more.get('synonyms', False)
    if version >= 3:
        body['include_documentation'] = more.get('documentation', False)
    result = c.call('DescribeConfigs', version, body).results[0]
    return result if result.error_code else {row.name: row for row in result.configs}


def change(c, name, *ops, kind=TOPIC, version=1, validate_only=False):
    rows = [{'name': k, 'config_operation': op, 'value': v} for op, k, v in ops]
    answer = c.call('IncrementalAlterConfigs', version, validate_only=validate_only,
                    resources=[{'resource_type': kind, 'resource_name': name, 'configs': rows}]).responses[0]
    return error_name(answer.error_code), answer.error_message


def replace(c, name, rows, version=2, validate_only=False):
    answer = c.call('AlterConfigs', version, validate_only=validate_only, resources=[
        {'resource_type': TOPIC, 'resource_name': name, 'configs': [{'name': k, 'value': v} for k, v in rows.items()]}]).responses[0]
    return error_name(answer.error_code), answer.error_message


def comes_true(c, name, key, value):
    wait(lambda: describe(c, name, [key])[key].value == value, '%s becomes %s' % (key, value))


@pytest.mark.parametrize('version', range(0, 5))
def test_describe_every_version(shared, c, version):
    name = shared.create_topic(retention_ms=777)
    comes_true(c, name, 'retention.ms', '777')
    rows = describe(c, name, version=version)
    row = rows['retention.ms']
    assert row.value == '777' and not row.read_only and not row.is_sensitive
    assert rows['cleanup.policy'].value == 'delete' and rows['max.message.bytes'].value == '1048588'
    assert rows['segment.bytes'].value == '1073741824' and rows['compression.type'].value == 'producer'
    if version >= 1:
        assert row.config_source == FROM_TOPIC and rows['cleanup.policy'].config_source == FROM_DEFAULT
    if version >= 3:
        assert row.config_type == 5 and rows['cleanup.policy'].config_type == 7 and rows['preallocate'].config_type == 1


def test_describe_names_all_keys_of_kafka(shared, c):
    rows = describe(c, shared.create_topic())
    for key in ('cleanup.policy', 'compression.type', 'delete.retention.ms', 'file.delete.delay.ms', 'flush.messages', 'flush.ms',
                'index.interval.bytes', 'max.compaction.lag.ms', 'max.message.bytes', 'message.timestamp.type',
                'message.timestamp.before.max.ms', 'message.timestamp.after.max.ms', 'min.cleanable.dirty.ratio', 'min.compaction.lag.ms',
                'min.insync.replicas', 'preallocate', 'retention.bytes', 'retention.ms', 'segment.bytes', 'segment.index.bytes',
                'segment.jitter.ms', 'segment.ms', 'unclean.leader.election.enable'):
        assert key in rows


def test_describe_some_keys_synonyms_and_documentation(shared, c):
    name = shared.create_topic(retention_ms=777)
    comes_true(c, name, 'retention.ms', '777')
    rows = describe(c, name, ['retention.ms', 'no.such.key'], synonyms=True, documentation=True)
    assert list(rows) == ['retention.ms'] and len(rows['retention.ms'].documentation) > 20
    synonyms = [(s.name, s.value, s.source) for s in rows['retention.ms'].synonyms]
    assert synonyms == [('retention.ms', '777', FROM_TOPIC)]
    rows = describe(c, name, ['max.message.bytes'], synonyms=True)
    assert [(s.name, s.value, s.source) for s in rows['max.message.bytes'].synonyms] == [('message.max.bytes', '1048588', FROM_DEFAULT)]


def test_describe_unknown_topics_and_kinds(c):
    assert error_name(describe(c, 'no-such-topic').error_code) == 'UNKNOWN_TOPIC_OR_PARTITION'
    assert error_name(describe(c, 'a/b').error_code) == 'INVALID_TOPIC_EXCEPTION'
    assert error_name(describe(c, 'x', kind=99).error_code) == 'INVALID_REQUEST'


def test_describe_a_broker(shared):
    with shared.connect(2) as c:
        rows = describe(c, '2', kind=BROKER)
        assert rows['broker.id'].value == '2' and rows['broker.id'].read_only and rows['num.partitions'].value == '4'
        assert rows['num.partitions'].config_source == FROM_FILE and rows['log.retention.hours'].value == '168'
        assert rows['log.retention.hours'].config_source == FROM_DEFAULT
        assert error_name(describe(c, '1', kind=BROKER).error_code) == 'INVALID_REQUEST', 'it can be asked of broker 1 only'
        assert error_name(describe(c, 'one', kind=BROKER).error_code) == 'INVALID_REQUEST'


@pytest.mark.parametrize('version', [0, 1])
def test_incremental_set_and_delete(shared, c, version):
    name = shared.create_topic(retention_ms=777)
    assert change(c, name, (SET, 'max.message.bytes', '2000'), (DELETE, 'retention.ms', None), version=version) == ('NONE', None)
    comes_true(c, name, 'max.message.bytes', '2000')
    assert describe(c, name, ['retention.ms'])['retention.ms'].value == '604800000'


def test_incremental_append_and_subtract(shared, c):
    name = shared.create_topic()
    assert change(c, name, (APPEND, 'cleanup.policy', 'compact'))[0] == 'NONE'
    comes_true(c, name, 'cleanup.policy', 'delete,compact')
    assert change(c, name, (SUBTRACT, 'cleanup.policy', 'delete'))[0] == 'NONE'
    comes_true(c, name, 'cleanup.policy', 'compact')


def test_incremental_validate_only_changes_nothing(shared, c):
    name = shared.create_topic()
    assert change(c, name, (SET, 'retention.ms', '5'), validate_only=True)[0] == 'NONE'
    assert change(c, name, (SET, 'retention.ms', 'x'), validate_only=True)[0] == 'INVALID_CONFIG'
    assert describe(c, name, ['retention.ms'])['retention.ms'].value == '604800000'


@pytest.mark.parametrize('op, error', [
    ((SET, 'no.such.key', '1'), 'INVALID_CONFIG'), ((SET, 'retention.ms', 'soon'), 'INVALID_CONFIG'),
    ((SET, 'segment.bytes', '1'), 'INVALID_CONFIG'), ((SET, 'cleanup.policy', 'burn'), 'INVALID_CONFIG'),
    ((SET, 'min.insync.replicas', '0'), 'INVALID_CONFIG'), ((SET, 'retention.ms', None), 'INVALID_REQUEST'),
    ((APPEND, 'retention.ms', '1'), 'INVALID_CONFIG'), ((9, 'retention.ms', '1'), 'UNKNOWN_SERVER_ERROR')])
def test_incremental_refused(shared, c, op, error):
    name = shared.create_topic()
    got, message = change(c, name, op)
    # Kafka calls some of these a bad request and some a bad config; the words tell what is wrong either way.
    assert got in (error, 'INVALID_REQUEST', 'INVALID_CONFIG') and message or TARGET == 'kafka', got
    assert describe(c, name, ['retention.ms'])['retention.ms'].value == '604800000'


def test_incremental_same_key_twice(shared, c):
    name = shared.create_topic()
    got, message = change(c, name, (SET, 'retention.ms', '1'), (SET, 'retention.ms', '2'))
    assert got == 'INVALID_REQUEST' and message


def test_unknown_topic(c):
    assert change(c, 'no-such-topic', (SET, 'retention.ms', '1'))[0] == 'UNKNOWN_TOPIC_OR_PARTITION'
    assert replace(c, 'no-such-topic', {'retention.ms': '1'})[0] == 'UNKNOWN_TOPIC_OR_PARTITION'


@pytest.mark.parametrize('version', [0, 1, 2])
def test_alter_configs_replaces_all(shared, c, version):
    name = shared.create_topic(retention_ms=777, max_message_bytes=5000)
    assert replace(c, name, {'max.message.bytes': '6000'}, version=version) == ('NONE', None)
    comes_true(c, name, 'max.message.bytes', '6000')
    assert describe(c, name, ['retention.ms'])['retention.ms'].value == '604800000'
    assert replace(c, name, {'retention.ms': 'x'}, version=version)[0] == 'INVALID_CONFIG'
    assert replace(c, name, {'retention.ms': '9'}, version=version, validate_only=True)[0] == 'NONE'
    assert describe(c, name, ['max.message.bytes'])['max.message.bytes'].value == '6000'


def test_max_message_bytes_takes_effect_at_once(shared):
    name = shared.create_topic()
    data = build([b'x' * 3000])
    with shared.leader_connection(name) as c:
        assert c.produce(name, data).error_code == 0
        shared.alter_topic(name, max_message_bytes=1000)
        assert error_name(wait(lambda: c.produce(name, data).error_code, 'it is refused')) == 'MESSAGE_TOO_LARGE'
        shared.alter_topic(name, max_message_bytes=5000)
        wait(lambda: c.produce(name, data).error_code == 0, 'it is taken again')


def test_compression_and_timestamp_type_take_effect_at_once(shared):
    name = shared.create_topic()
    shared.alter_topic(name, compression_type='zstd', message_timestamp_type='LogAppendTime')
    with shared.leader_connection(name) as c:
        def stamped():
            return c.produce(name, build([(None, b'v' * 100, (), 5)])).log_append_time_ms > 0
        wait(stamped, 'log append time is stamped')
        assert parse(c.fetch(name, 0).records)[-1].attributes & 15 == 8 | 4


def start_of(c, name):
    return c.list_offset(name, -2).offset


def test_retention_by_time(single):
    name = single.create_topic(segment_bytes=2000)
    with single.connect() as c:
        for _ in range(10):
            assert c.produce(name, build([(None, b'x' * 900, (), now_ms() - 3600 * 1000)])).error_code == 0
        assert c.produce(name, build([(None, b'x' * 900, (), now_ms())])).error_code == 0
        assert start_of(c, name) == 0
        single.alter_topic(name, retention_ms=60 * 1000)
        wait(lambda: start_of(c, name) >= 9, 'old segments go', 30)
        assert start_of(c, name) == 10 and c.list_offset(name, -1).offset == 11
    folder = single.brokers[0].partition_folder(name)
    wait(lambda: not any(f.endswith('.deleted') for f in os.listdir(folder)), lambda: 'files go: %s' % os.listdir(folder), 60)
    assert len([f for f in os.listdir(folder) if f.endswith('.log')]) == 1


def test_retention_by_size(single):
    name = single.create_topic(segment_bytes=2000, retention_bytes=5000)
    with single.connect() as c:
        for _ in range(20):
            assert c.produce(name, build([b'x' * 900])).error_code == 0
        start = wait(lambda: start_of(c, name), 'the head goes', 30)
        wait(lambda: start_of(c, name) in (12, 14), lambda: 'it ends at the limit, not %d' % start_of(c, name))
        assert start >= 2 and c.list_offset(name, -1).offset == 20


def test_retention_does_not_delete_what_is_young(single):
    name = single.create_topic(segment_bytes=2000, retention_ms=3600 * 1000)
    with single.connect() as c:
        for _ in range(10):
            c.produce(name, build([b'x' * 900]))
        seen = time.monotonic() + 1.5
        wait(lambda: time.monotonic() > seen, 'some checks went by')
        assert start_of(c, name) == 0


def test_the_active_segment_expires_too(single):
    name = single.create_topic(retention_ms=1000)
    with single.connect() as c:
        c.produce(name, build([(None, b'v', (), now_ms() - 5000)]))
        wait(lambda: start_of(c, name) == 1, 'all records went', 30)
        assert c.fetch(name, 1).records == b'' and c.produce(name, build([b'v'])).base_offset == 1


def test_segment_ms_rolls_by_message_time(single):
    name = single.create_topic(segment_ms=1000)
    folder = single.brokers[0].partition_folder(name)
    with single.connect() as c:
        for stamp in (10000, 10500, 12000, 12500, 20000):
            c.produce(name, build([(None, b'v', (), now_ms() - 100000 + stamp)]))
    logs = sorted(f for f in os.listdir(folder) if f.endswith('.log'))
    assert logs == ['%020d.log' % o for o in (0, 2, 4)]


@pytest.mark.klamm_only
def test_every_broker_hears_of_a_change(shared):
    name = shared.create_topic()
    shared.alter_topic(name, retention_ms=4242)
    for broker in shared.brokers:
        assert shared.topic_config(name, 'retention.ms', broker) == '4242'
