"""Produce 3-11: every version, acks, codec; what is refused, and with which error."""
import struct

import pytest

import batch
from batch import CODECS, build, parse, records, values
from processes import wait
from wire import CODES, error_name

ONE = [(b'key', b'value')]


def refused(answer, name):
    assert error_name(answer.error_code) == name, answer
    assert answer.base_offset == -1


@pytest.mark.parametrize('version', range(3, 12))
def test_every_version_appends_and_answers_the_base_offset(topic, version):
    for offset in (0, 2):
        answer = topic.c.produce(topic, build([(b'k', b'1'), (b'k', b'2')]), version=version)
        assert (answer.error_code, answer.base_offset, answer.log_append_time_ms) == (0, offset, -1)
        assert answer.log_start_offset == (0 if version >= 5 else -1)
    assert values(topic.c.fetch(topic, 0).records) == [b'1', b'2', b'1', b'2']


@pytest.mark.parametrize('acks', [1, -1])
def test_acks(topic, acks):
    assert topic.c.produce(topic, build(ONE), acks=acks).base_offset == 0


def test_acks_0_has_no_answer_and_the_connection_goes_on(topic):
    for _ in range(3):
        topic.c.produce(topic, build(ONE), acks=0)
    assert topic.c.is_usable()
    wait(lambda: topic.c.list_offset(topic, -1).offset == 3, 'three records are there')


def test_acks_0_with_an_error_closes_the_connection(shared, topic):
    with shared.leader_connection(topic) as c:
        c.produce(topic, build(ONE), partition=77, acks=0)
        c.assert_closed()


@pytest.mark.parametrize('acks', [2, -2, 100])
def test_other_acks_are_refused(topic, acks):
    refused(topic.c.produce(topic, build(ONE), acks=acks), 'INVALID_REQUIRED_ACKS')


@pytest.mark.parametrize('codec', CODECS)
def test_codec_round_trip_to_the_byte(topic, codec):
    items = [(b'k%d' % i, b'some text that repeats itself %d' % i, [(b'h', b'x'), (b'null', None)], 1600000000000 + i) for i in range(300)]
    items += [(None, None), (b'', b'')]
    sent = build(items, CODECS[codec], producer_id=-1)
    assert topic.c.produce(topic, sent, version=7).error_code == 0
    data = topic.c.fetch(topic, 0).records
    assert data[21:] == sent[21:], 'only base offset and leader epoch are stamped'
    got = records(data)
    assert [(r.key, r.value) for r in got] == [(i[0], i[1]) for i in items]
    assert got[7].headers == ((b'h', b'x'), (b'null', None)) and got[7].timestamp == 1600000000007


def test_raw_snappy_is_taken(topic):
    payload = batch.snappy_raw(batch.record(0, 0, None, b'raw'))
    assert topic.c.produce(topic, build([b'raw'], batch.SNAPPY, payload=payload)).error_code == 0
    assert values(topic.c.fetch(topic, 0).records) == [b'raw']


def test_zstd_before_version_7_is_refused(topic):
    assert error_name(topic.c.produce(topic, build(ONE, batch.ZSTD), version=6).error_code) == 'UNSUPPORTED_COMPRESSION_TYPE'


def test_several_partitions_and_topics_in_one_request(shared):
    names = [shared.create_topic(partitions=3) for _ in range(2)]
    by_leader = {}
    for name in names:
        for partition in range(3):
            by_leader.setdefault(shared.leader(name, partition).number, []).append((name, partition))
    for leader, parts in by_leader.items():
        topics = {}
        for name, partition in parts:
            topics.setdefault(name, []).append({'index': partition, 'records': build([b'%d' % partition])})
        with shared.connect(leader) as c:
            answer = c.call('Produce', 9, acks=-1, timeout_ms=5000, topic_data=[{'name': n, 'partition_data': p} for n, p in topics.items()])
        got = {(t.name, p.index): p.error_code for t in answer.responses for p in t.partition_responses}
        assert got == dict.fromkeys(parts, 0)
    for name in names:
        for partition in range(3):
            assert values(shared.read_all(name, partition)) == [b'%d' % partition]


def test_one_bad_partition_does_not_harm_the_others(topic):
    answer = topic.c.call('Produce', 9, acks=-1, timeout_ms=5000, topic_data=[
        {'name': topic, 'partition_data': [{'index': 0, 'records': build(ONE)}, {'index': 9, 'records': build(ONE)}]},
        {'name': 'no-such-topic', 'partition_data': [{'index': 0, 'records': build(ONE)}]}])
    got = {(t.name, p.index): error_name(p.error_code) for t in answer.responses for p in t.partition_responses}
    assert got == {(topic, 0): 'NONE', (topic, 9): 'UNKNOWN_TOPIC_OR_PARTITION', ('no-such-topic', 0): 'UNKNOWN_TOPIC_OR_PARTITION'}


@pytest.mark.parametrize('version', [3, 9, 10, 11])
def test_not_the_leader(shared, topic, version):
    leader = shared.leader(topic).number
    other = next(b.number for b in shared.brokers if b.number != leader)
    with shared.connect(other) as c:
        answer = c.call('Produce', version, acks=-1, timeout_ms=5000,
                        topic_data=[{'name': topic, 'partition_data': [{'index': 0, 'records': build(ONE)}]}])
    part = answer.responses[0].partition_responses[0]
    refused(part, 'NOT_LEADER_OR_FOLLOWER')
    if version >= 10:
        assert part.current_leader['leader_id'] == leader
        assert [(n.node_id, n.port) for n in answer.node_endpoints] == [(leader, shared.broker(leader).port)]


@pytest.mark.parametrize('what, records_, name', [
    ('wrong checksum', build(ONE, crc=12345), 'CORRUPT_MESSAGE'),
    ('length beyond the bytes', build(ONE, length=5000), 'INVALID_RECORD'),
    ('length too small', build(ONE, length=10), 'CORRUPT_MESSAGE'),
    ('cut in the middle of the header', build(ONE)[:40], 'INVALID_RECORD'),
    ('more records told than there are', build(ONE, count=5, last_offset_delta=4), 'INVALID_RECORD'),
    ('fewer records told than there are', build([b'1', b'2', b'3'], count=2, last_offset_delta=1), 'INVALID_RECORD'),
    ('count and last offset delta differ', build([b'1', b'2'], last_offset_delta=7), 'INVALID_RECORD'),
    ('negative count', build(ONE, count=-1), 'INVALID_RECORD'),
    ('no records', build([], last_offset_delta=-1), 'INVALID_RECORD'),
    ('a control batch', build(ONE, attributes=32), 'INVALID_RECORD'),
    ('bytes that are no gzip', build(ONE, batch.GZIP, payload=b'not gzip at all'), 'UNKNOWN_SERVER_ERROR'),
    ('lz4 blocks that need the one before', build([b'x' * 300000], batch.LZ4, payload=batch.lz4_compress(
        batch.record(0, 0, None, bytes(range(256)) * 1200), None)), 'UNKNOWN_SERVER_ERROR'),
], ids=lambda v: v.replace(' ', '-') if isinstance(v, str) and ' ' in v else '')
def test_a_bad_batch_is_refused_and_nothing_is_appended(topic, what, records_, name):
    answer = topic.c.produce(topic, records_, version=8)
    got = error_name(answer.error_code)
    # Where Kafka stumbles over bytes that it cannot decompress, Klamm says what is wrong.
    assert got == name or (name == 'UNKNOWN_SERVER_ERROR' and got in ('INVALID_RECORD', 'CORRUPT_MESSAGE')), answer
    assert topic.c.list_offset(topic, -1).offset == 0
    assert topic.c.produce(topic, build(ONE)).base_offset == 0


def test_two_batches_in_one_partition_are_refused(topic):
    refused(topic.c.produce(topic, build(ONE) + build(ONE)), 'INVALID_RECORD')


def test_empty_and_null_records(topic):
    answer = topic.c.produce(topic, b'')
    assert answer.error_code in (0, CODES['INVALID_RECORD'], CODES['CORRUPT_MESSAGE']), answer
    assert topic.c.list_offset(topic, -1).offset == 0


def test_record_format_1_is_refused_in_version_3_and_up(topic):
    inner = struct.pack('>bbqii', 1, 0, batch.now_ms(), -1, 1) + b'v'
    import zlib
    message = struct.pack('>qiI', 0, len(inner) + 4, zlib.crc32(inner)) + inner
    assert topic.c.produce(topic, message, version=3).error_code != 0
    assert topic.c.list_offset(topic, -1).offset == 0


def test_max_message_bytes(shared):
    name = shared.create_topic(max_message_bytes=1000)
    with shared.leader_connection(name) as c:
        refused(c.produce(name, build([b'x' * 1000])), 'MESSAGE_TOO_LARGE')
        assert c.produce(name, build([b'x' * 900])).error_code == 0
        exactly = build([b'x' * (1000 - len(build([b'x' * 900])) + 900)])
        assert len(exactly) == 1000 and c.produce(name, exactly).error_code == 0
        refused(c.produce(name, build([b'x' * (len(exactly) - 69)] * 2)), 'MESSAGE_TOO_LARGE')


def test_log_append_time(shared):
    name = shared.create_topic(message_timestamp_type='LogAppendTime')
    before = batch.now_ms()
    with shared.leader_connection(name) as c:
        for codec in CODECS.values():
            answer = c.produce(name, build([(b'k', b'v', (), 5)] * 3, codec))
            assert answer.error_code == 0 and before - 1 <= answer.log_append_time_ms <= batch.now_ms() + 1
        got = parse(c.fetch(name, 0).records)
    assert len(got) == 5 and all(b.attributes & 8 and b.crc_ok and b.max_timestamp >= before - 1 for b in got)
    assert all(r.timestamp == b.max_timestamp for b in got for r in b.records)


@pytest.mark.parametrize('limit, stamp', [('before', -2 * 3600 * 1000), ('after', 2 * 3600 * 1000)])
def test_timestamps_beyond_the_limits_of_the_topic_are_refused(shared, limit, stamp):
    name = shared.create_topic(**{'message_timestamp_%s_max_ms' % limit: 3600 * 1000})
    with shared.leader_connection(name) as c:
        answer = c.produce(name, build([(b'k', b'v'), (b'k', b'v', (), batch.now_ms() + stamp)]), version=8)
        refused(answer, 'INVALID_TIMESTAMP')
        assert [e.batch_index for e in answer.record_errors] == [1] and answer.error_message
        assert c.produce(name, build([(b'k', b'v')])).error_code == 0


def test_timestamps_long_ago_and_none_are_taken(topic):
    for stamp in (0, 1, 1600000000000):
        assert topic.c.produce(topic, build([(b'k', b'v', (), stamp)])).error_code == 0
    assert topic.c.produce(topic, build([(b'k', b'v')], base_timestamp=-1, max_timestamp=-1)).error_code == 0


def test_a_record_without_a_key_is_refused_where_the_topic_is_compacted(shared):
    name = shared.create_topic(cleanup_policy='compact')
    with shared.leader_connection(name) as c:
        answer = c.produce(name, build([(b'k', b'v'), (None, b'v'), (b'k', None), (None, b'v')]), version=8)
        refused(answer, 'INVALID_RECORD')
        assert [e.batch_index for e in answer.record_errors] == [1, 3]
        assert c.produce(name, build([(b'k', b'v'), (b'k', None)])).error_code == 0


@pytest.mark.parametrize('kind', ['gzip', 'lz4', 'zstd', 'snappy', 'uncompressed'])
def test_compression_type_of_the_topic(shared, kind):
    name = shared.create_topic(compression_type=kind)
    with shared.leader_connection(name) as c:
        for codec in CODECS.values():
            assert c.produce(name, build([b'x' * 5000] * 3, codec)).error_code == 0
        got = parse(c.fetch(name, 0).records)
    assert len(got) == 5 and all(b.crc_ok for b in got)
    assert {b.attributes & 7 for b in got} == {CODECS.get(kind, 0)}
    assert [r.value for b in got for r in b.records] == [b'x' * 5000] * 15


def test_min_insync_replicas_is_asked_of_acks_all_only(shared):
    name = shared.create_topic(min_insync_replicas=2)
    with shared.leader_connection(name) as c:
        answer = c.produce(name, build(ONE), acks=-1)
        assert answer.error_code == 0, 'one replica: the effective minimum is the number of replicas'
        assert c.produce(name, build(ONE), acks=1).error_code == 0


@pytest.mark.klamm_only
def test_a_transactional_id_is_refused_until_transactions_exist(topic):
    answer = topic.c.produce(topic, build(ONE, attributes=16, producer_id=4, producer_epoch=0, base_sequence=0), transactional_id='tx')
    assert answer.error_code != 0
    assert topic.c.list_offset(topic, -1).offset == 0


def test_a_batch_of_many_records_and_one_of_nearly_the_limit(topic):
    assert topic.c.produce(topic, build([b'%d' % i for i in range(20000)], batch.LZ4)).error_code == 0
    assert topic.c.produce(topic, build([b'x' * 1000000])).base_offset == 20000
    got = records(topic.c.fetch(topic, 0).records)
    assert [r.offset for r in got] == list(range(20001)) and len(got[-1].value) == 1000000


def test_requests_are_answered_in_order(topic):
    body = {'acks': -1, 'timeout_ms': 5000, 'topic_data': [{'name': topic, 'partition_data': [{'index': 0, 'records': build(ONE)}]}]}
    sent = []
    for i in range(200):
        sent.append(topic.c.send('Produce', 9, body) if i % 3 else topic.c.send('Metadata', 9, topics=[{'name': topic}]))
    got = [topic.c.receive() for _ in sent]
    assert [g.correlation for g in got] == sent
    offsets = [g.responses[0].partition_responses[0].base_offset for g in got if 'responses' in g]
    assert offsets == list(range(len(offsets)))
