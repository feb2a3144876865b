"""ListOffsets 0-9 and OffsetForLeaderEpoch 0-4."""
import pytest

import batch
from batch import CODECS, build
from wire import error_name

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED = -1, -2, -3, -4, -5


def at(answer):
    return answer.timestamp, answer.offset, error_name(answer.error_code)


@pytest.fixture
def stamped(topic):
    """Offsets 0..8 with timestamps 1000, 3000, 2000 | 5000, 4000, 6000 (gzip) | 6000, 5500, 7000."""
    for stamps, codec in (((1000, 3000, 2000), 0), ((5000, 4000, 6000), batch.GZIP), ((6000, 5500, 7000), 0)):
        assert topic.c.produce(topic, build([(b'k', b'v', (), t) for t in stamps], codec)).error_code == 0
    return topic


@pytest.mark.parametrize('version', range(1, 10))
def test_every_version(stamped, version):
    assert at(stamped.c.list_offset(stamped, LATEST, version=version)) == (-1, 9, 'NONE')
    assert at(stamped.c.list_offset(stamped, EARLIEST, version=version)) == (-1, 0, 'NONE')
    assert at(stamped.c.list_offset(stamped, 4500, version=version)) == (5000, 3, 'NONE')
    assert stamped.c.list_offset(stamped, LATEST, version=version).leader_epoch == (0 if version >= 4 else -1)


@pytest.mark.parametrize('target, stamp, offset', [
    (0, 1000, 0), (1000, 1000, 0), (1001, 3000, 1), (2000, 3000, 1), (3001, 5000, 3), (5001, 6000, 5), (6000, 6000, 5), (6001, 7000, 8),
    (7001, -1, -1), (1 << 60, -1, -1)])
def test_by_time_the_first_record_at_or_after_it(stamped, target, stamp, offset):
    answer = stamped.c.list_offset(stamped, target)
    assert at(answer) == (stamp, offset, 'NONE') and answer.leader_epoch == (0 if offset >= 0 else -1)


@pytest.mark.parametrize('codec', CODECS)
def test_by_time_inside_batches_of_every_codec(topic, codec):
    topic.c.produce(topic, build([(b'k', b'%d' % i, (), 1000 + i * 10) for i in range(500)], CODECS[codec]))
    for i in (0, 1, 250, 499):
        assert at(topic.c.list_offset(topic, 1000 + i * 10 - 5)) == (1000 + i * 10, i, 'NONE')


def test_by_time_over_many_segments_and_sparse_indexes(shared):
    name = shared.create_topic(segment_bytes=3000, index_interval_bytes=300)
    with shared.leader_connection(name) as c:
        for i in range(80):
            assert c.produce(name, build([(None, b'x' * 200, (), 1000 + i * 100 + j) for j in range(2)])).error_code == 0
        for i in range(0, 80, 7):
            assert at(c.list_offset(name, 1000 + i * 100)) == (1000 + i * 100, 2 * i, 'NONE')
            assert at(c.list_offset(name, 1002 + i * 100 - 100)) == (1000 + i * 100, 2 * i, 'NONE')
        assert at(c.list_offset(name, MAX_TIMESTAMP)) == (1000 + 7901, 159, 'NONE')


def test_max_timestamp_is_the_first_offset_of_the_largest(stamped, topic):
    assert at(stamped.c.list_offset(stamped, MAX_TIMESTAMP)) == (7000, 8, 'NONE')
    stamped.c.produce(stamped, build([(b'k', b'v', (), t) for t in (7000, 9000, 9000, 8000)]))
    assert at(stamped.c.list_offset(stamped, MAX_TIMESTAMP)) == (9000, 10, 'NONE')


def test_empty_log(topic):
    assert at(topic.c.list_offset(topic, LATEST)) == (-1, 0, 'NONE')
    assert at(topic.c.list_offset(topic, EARLIEST)) == (-1, 0, 'NONE')
    assert at(topic.c.list_offset(topic, MAX_TIMESTAMP)) == (-1, -1, 'NONE')
    assert at(topic.c.list_offset(topic, 0)) == (-1, -1, 'NONE')


def test_records_without_timestamps(topic):
    topic.c.produce(topic, build([b'v'], base_timestamp=-1, max_timestamp=-1))
    assert at(topic.c.list_offset(topic, MAX_TIMESTAMP)) == (-1, 0, 'NONE')


def test_tiered_and_local(stamped):
    assert at(stamped.c.list_offset(stamped, EARLIEST_LOCAL, version=8)) == (-1, 0, 'NONE')
    answer = stamped.c.list_offset(stamped, LATEST_TIERED, version=9)
    assert at(answer) == (-1, -1, 'NONE')


@pytest.mark.parametrize('version, special', [(6, MAX_TIMESTAMP), (7, EARLIEST_LOCAL), (8, LATEST_TIERED), (9, -6), (1, -1000)])
def test_special_timestamps_of_later_versions(stamped, version, special):
    assert error_name(stamped.c.list_offset(stamped, special, version=version).error_code) == 'UNSUPPORTED_VERSION'


def test_after_delete_records(stamped):
    stamped.c.call('DeleteRecords', 2, timeout_ms=10000, topics=[{'name': stamped, 'partitions': [{'partition_index': 0, 'offset': 4}]}])
    assert at(stamped.c.list_offset(stamped, EARLIEST)) == (-1, 4, 'NONE')
    assert at(stamped.c.list_offset(stamped, 0)) == (4000, 4, 'NONE')
    assert at(stamped.c.list_offset(stamped, 4500)) == (6000, 5, 'NONE')


def test_leader_epochs(stamped):
    assert error_name(stamped.c.list_offset(stamped, LATEST, current_leader_epoch=0).error_code) == 'NONE'
    assert error_name(stamped.c.list_offset(stamped, LATEST, current_leader_epoch=9).error_code) == 'UNKNOWN_LEADER_EPOCH'


def test_partition_twice_is_an_error_for_both(stamped):
    parts = [{'partition_index': 0, 'timestamp': LATEST}, {'partition_index': 0, 'timestamp': EARLIEST}]
    answer = stamped.c.call('ListOffsets', 5, replica_id=-1, topics=[{'name': stamped, 'partitions': parts}])
    assert {error_name(p.error_code) for t in answer.topics for p in t.partitions} == {'INVALID_REQUEST'}


def test_unknown_and_not_the_leader(shared, topic):
    assert error_name(topic.c.list_offset('no-such-topic', LATEST).error_code) == 'UNKNOWN_TOPIC_OR_PARTITION'
    assert error_name(topic.c.list_offset(topic, LATEST, partition=4).error_code) == 'UNKNOWN_TOPIC_OR_PARTITION'
    other = next(b for b in shared.brokers if b.number != shared.leader(topic).number)
    with other.connect() as c:
        assert error_name(c.list_offset(topic, LATEST).error_code) == 'NOT_LEADER_OR_FOLLOWER'


def test_version_0_lists_segment_starts(topic):
    topic.c.produce(topic, build([b'a', b'b']))

    def ask(timestamp, n):
        return topic.c.list_offset(topic, timestamp, version=0, max_num_offsets=n).old_style_offsets
    assert ask(LATEST, 1) == [2] and ask(LATEST, 10) == [2, 0] and ask(EARLIEST, 1) == [0]


def epoch_end(c, topic, epoch, partition=0, version=4, current=-1):
    body = {'partition': partition, 'leader_epoch': epoch, 'current_leader_epoch': current}
    answer = c.call('OffsetForLeaderEpoch', version, replica_id=-1, topics=[{'topic': topic, 'partitions': [body]}])
    part = answer.topics[0].partitions[0]
    return error_name(part.error_code), part.leader_epoch, part.end_offset


@pytest.mark.parametrize('version', range(0, 5))
def test_offset_for_leader_epoch(topic, version):
    assert epoch_end(topic.c, topic, 0, version=version)[::2] == ('NONE', 0)
    topic.c.produce(topic, build([b'a', b'b']))
    assert epoch_end(topic.c, topic, 0, version=version) == ('NONE', 0 if version else -1, 2)
    assert epoch_end(topic.c, topic, -1, version=version) == ('NONE', -1, -1)
    assert epoch_end(topic.c, topic, 5, version=version) == ('NONE', -1, -1)


def test_offset_for_leader_epoch_errors(topic):
    assert epoch_end(topic.c, topic, 0, partition=3)[0] == 'UNKNOWN_TOPIC_OR_PARTITION'
    assert epoch_end(topic.c, 'no-such-topic', 0)[0] == 'UNKNOWN_TOPIC_OR_PARTITION'
    assert epoch_end(topic.c, topic, 0, current=7)[0] == 'UNKNOWN_LEADER_EPOCH'
