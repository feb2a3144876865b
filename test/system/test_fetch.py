"""Fetch 4-17: limits, long poll, leader epochs, sessions (KIP-227). The numbers are what Kafka 3.9.1 answers."""
import threading
import time
import uuid

import pytest

from batch import build, parse, values
from processes import TARGET
from wire import CODES, error_name


def fill(topic, batches=3, records=2, size=100):
    sizes = []
    for i in range(batches):
        data = build([b'%d-%d ' % (i, j) + b'x' * size for j in range(records)])
        assert topic.c.produce(topic, data).error_code == 0
        sizes.append(len(data))
    return sizes


@pytest.mark.parametrize('version', range(4, 18))
def test_every_version_reads_the_records(shared, topic, version):
    fill(topic, 2, 1)
    part = topic.c.fetch(topic, 0, version=version, topic_id=shared.topic_id(topic))
    assert (part.error_code, part.high_watermark, part.last_stable_offset) == (0, 2, 2)
    assert part.log_start_offset == (0 if version >= 5 else -1)
    assert part.preferred_read_replica == -1 and part.aborted_transactions is None
    assert [b.base_offset for b in parse(part.records)] == [0, 1] and all(b.crc_ok for b in parse(part.records))


def test_isolation_read_committed_answers_no_aborted_transactions(topic):
    fill(topic)
    part = topic.c.fetch(topic, 0, isolation_level=1)
    assert part.aborted_transactions == [] and len(parse(part.records)) == 3


def test_an_offset_in_the_middle_of_a_batch_gives_the_whole_batch(topic):
    fill(topic, 3, 10)
    part = topic.c.fetch(topic, 15)
    assert [b.base_offset for b in parse(part.records)] == [10, 20]


def test_at_the_end_it_is_empty(topic):
    fill(topic)
    part = topic.c.fetch(topic, 6)
    assert part.error_code == 0 and part.records == b'' and part.high_watermark == 6


@pytest.mark.parametrize('offset', [-1, 7, 1 << 40, -5])
def test_out_of_range(topic, offset):
    fill(topic)
    part = topic.c.fetch(topic, offset, max_wait_ms=5000, min_bytes=1 << 20)
    assert error_name(part.error_code) == 'OFFSET_OUT_OF_RANGE'
    assert (part.high_watermark, part.last_stable_offset, part.log_start_offset, part.records) == (-1, -1, -1, b'')


def test_the_slice_is_cut_exactly_at_the_limit(topic):
    sizes = fill(topic, 4)
    for limit in (sizes[0] + 1, sizes[0] + sizes[1], sum(sizes) - 1, sum(sizes), sum(sizes) + 100):
        assert len(topic.c.fetch(topic, 0, partition_max_bytes=limit).records) == min(limit, sum(sizes))
        assert len(topic.c.fetch(topic, 0, max_bytes=limit).records) == min(limit, sum(sizes))


@pytest.mark.parametrize('limit', [0, 1, 50])
def test_the_first_batch_is_given_whole_however_small_the_limit(topic, limit):
    sizes = fill(topic)
    assert len(topic.c.fetch(topic, 0, partition_max_bytes=limit).records) == sizes[0]
    assert len(topic.c.fetch(topic, 3, max_bytes=limit).records) == sizes[1]


def test_only_the_first_partition_with_data_may_pass_the_limit(shared):
    name = shared.create_topic(partitions=6)
    leader = shared.leader(name, 0).number
    mine = [p for p in range(6) if shared.leader(name, p).number == leader]
    with shared.connect(leader) as c:
        for p in mine:
            assert c.produce(name, build([b'x' * 1000]), partition=p).error_code == 0

        def lengths(max_bytes, offset_of_first=0):
            parts = [{'partition': p, 'fetch_offset': offset_of_first if i == 0 else 0, 'partition_max_bytes': 1 << 20}
                     for i, p in enumerate(mine)]
            answer = c.call('Fetch', 11, replica_id=-1, max_wait_ms=0, min_bytes=1, max_bytes=max_bytes,
                            topics=[{'topic': name, 'partitions': parts}])
            return [len(p.records) for p in answer.responses[0].partitions]
        assert len(mine) == 2
        size = len(build([b'x' * 1000]))
        assert lengths(10) == [size, 0]
        assert lengths(size + 10) in ([size, 10], [size, 0])
        assert lengths(1 << 20) == [size, size]
        assert lengths(10, offset_of_first=1) == [0, size]


def test_negative_partition_limit_is_an_error(topic):
    fill(topic)
    assert topic.c.fetch(topic, 0, partition_max_bytes=-1).error_code == CODES['UNKNOWN_SERVER_ERROR']


def test_unknown_partition_and_topic(shared, topic):
    for name, partition in ((topic, 5), ('no-such-topic', 0), (topic, -1)):
        part = topic.c.fetch(name, 0, partition=partition)
        assert error_name(part.error_code) == 'UNKNOWN_TOPIC_OR_PARTITION'
        assert part.aborted_transactions == [] and part.records == b'' and part.high_watermark == -1


def test_unknown_topic_id(topic):
    for topic_id in (uuid.UUID(int=0), uuid.uuid4()):
        part = topic.c.fetch(topic, 0, version=13, topic_id=topic_id)
        assert error_name(part.error_code) == 'UNKNOWN_TOPIC_ID'


@pytest.mark.parametrize('version', [11, 12, 15, 16, 17])
def test_not_the_leader(shared, topic, version):
    leader = shared.leader(topic).number
    other = next(b.number for b in shared.brokers if b.number != leader)
    with shared.connect(other) as c:
        started = time.monotonic()
        answer = c.call('Fetch', version, c.fetch_body(topic, 0, version=version, topic_id=shared.topic_id(topic), max_wait_ms=8000))
        assert time.monotonic() - started < 4, 'is answered at once'
    part = answer.responses[0].partitions[0]
    assert error_name(part.error_code) == 'NOT_LEADER_OR_FOLLOWER'
    if version >= 16:
        assert part.current_leader['leader_id'] == leader
        assert [(n.node_id, n.host, n.port) for n in answer.node_endpoints] == [(leader, '127.0.0.1', shared.broker(leader).port)]


def test_leader_epochs(shared, topic):
    fill(topic)
    epoch = topic.c.metadata([topic], version=9).topics[0].partitions[0].leader_epoch
    assert topic.c.fetch(topic, 0, leader_epoch=epoch).error_code == 0
    assert error_name(topic.c.fetch(topic, 0, leader_epoch=epoch + 1).error_code) == 'UNKNOWN_LEADER_EPOCH'
    if epoch > 0:
        assert error_name(topic.c.fetch(topic, 0, leader_epoch=epoch - 1).error_code) == 'FENCED_LEADER_EPOCH'


def test_last_fetched_epoch_finds_diverging_logs(topic):
    fill(topic)
    epoch = topic.c.metadata([topic], version=9).topics[0].partitions[0].leader_epoch
    assert topic.c.fetch(topic, 6, version=12, part={'last_fetched_epoch': epoch}).error_code == 0
    assert topic.c.fetch(topic, 6, version=12, part={'last_fetched_epoch': epoch + 5}).error_code == CODES['OFFSET_OUT_OF_RANGE']
    part = topic.c.fetch(topic, 9, version=12, part={'last_fetched_epoch': epoch})
    assert part.error_code == 0 and part.diverging_epoch == {'epoch': epoch, 'end_offset': 6}


def timed(function):
    started = time.monotonic()
    value = function()
    return value, time.monotonic() - started


def test_long_poll_waits_its_time(topic):
    fill(topic)
    part, took = timed(lambda: topic.c.fetch(topic, 6, max_wait_ms=600))
    assert part.error_code == 0 and part.records == b'' and 0.55 <= took < 2


def test_long_poll_does_not_wait_when_there_is_enough(topic):
    sizes = fill(topic)
    for min_bytes in (0, 1, sum(sizes)):
        part, took = timed(lambda: topic.c.fetch(topic, 0, max_wait_ms=10000, min_bytes=min_bytes))
        assert len(part.records) == sum(sizes) and took < 5
    assert timed(lambda: topic.c.fetch(topic, 6, max_wait_ms=0))[1] < 2
    assert timed(lambda: topic.c.fetch(topic, 6, max_wait_ms=10000, min_bytes=0))[1] < 5


def test_long_poll_ends_when_min_bytes_are_there(shared, topic):
    sent = build([b'x' * 100])
    with shared.leader_connection(topic) as reader:
        reader.send('Fetch', 11, reader.fetch_body(topic, 0, max_wait_ms=15000, min_bytes=2 * len(sent)))
        started = time.monotonic()
        topic.c.produce(topic, sent)
        reader.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            reader.receive_exactly(1)
        reader.socket.settimeout(20)
        topic.c.produce(topic, sent)
        part = reader.receive().responses[0].partitions[0]
        assert len(part.records) == 2 * len(sent) and time.monotonic() - started < 10


def test_a_parked_fetch_holds_later_requests_of_its_connection_only(shared, topic):
    with shared.leader_connection(topic) as c:
        sent = [c.send('Fetch', 11, c.fetch_body(topic, 0, max_wait_ms=1000)), c.send('ApiVersions', 0)]
        assert timed(lambda: topic.c.is_usable())[1] < 0.9
        got, took = timed(lambda: [c.receive().correlation, c.receive().correlation])
        assert got == sent and took > 0.5


def test_many_waiting_readers_all_hear_of_one_append(shared, topic):
    readers = [shared.leader_connection(topic) for _ in range(30)]
    for c in readers:
        c.send('Fetch', 11, c.fetch_body(topic, 0, max_wait_ms=15000))
    fill(topic, 1)
    _, took = timed(lambda: [c.receive().responses[0].partitions[0] for c in readers])
    assert took < 8
    for c in readers:
        c.close()


def test_no_partitions_is_answered_at_once(topic):
    answer, took = timed(lambda: topic.c.call('Fetch', 11, replica_id=-1, max_wait_ms=10000, min_bytes=1, max_bytes=1000, topics=[]))
    assert answer.error_code == 0 and answer.responses == [] and took < 5


@pytest.mark.parametrize('isolation', [7, -1])
def test_odd_isolation_levels_do_no_harm(shared, topic, isolation):
    fill(topic)
    with shared.leader_connection(topic) as c:
        c.send('Fetch', 11, c.fetch_body(topic, 0, isolation_level=isolation))
        try:
            c.receive()
        except Exception:
            pass
    assert topic.c.is_usable()


def test_deleting_the_topic_ends_a_long_poll(shared):
    name = shared.create_topic()
    with shared.leader_connection(name) as c, shared.controller_connection() as admin:
        c.send('Fetch', 11, c.fetch_body(name, 0, max_wait_ms=20000))
        assert admin.call('DeleteTopics', 5, topic_names=[name], timeout_ms=20000).responses[0].error_code == 0
        part, took = timed(lambda: c.receive().responses[0].partitions[0])
        assert error_name(part.error_code) in ('UNKNOWN_TOPIC_OR_PARTITION', 'NOT_LEADER_OR_FOLLOWER') and took < 15


class Session:
    """A fetch session over one connection, as a test drives it."""

    def __init__(self, c, topic, version=11, topic_id=None):
        self.c, self.topic, self.version, self.topic_id, self.id, self.epoch = c, topic, version, topic_id, 0, 0

    def ask(self, offsets=(), forget=(), session_id=None, epoch=None, version=None, **more):
        version = version or self.version
        name = {'topic_id': self.topic_id} if version >= 13 else {'topic': self.topic}
        topics = [dict(name, partitions=[{'partition': p, 'fetch_offset': o, 'partition_max_bytes': 1 << 20} for p, o in offsets])]
        forgotten = [dict(name, partitions=list(forget))] if forget else []
        return self.c.call('Fetch', version, dict({
            'replica_id': -1, 'max_wait_ms': 0, 'min_bytes': 0, 'max_bytes': 1 << 20, 'forgotten_topics_data': forgotten,
            'session_id': self.id if session_id is None else session_id, 'session_epoch': self.epoch if epoch is None else epoch,
            'topics': topics if offsets else []}, **more))

    def open(self, offsets):
        answer = self.ask(offsets, session_id=0, epoch=0)
        self.id, self.epoch = answer.session_id, 1
        return answer

    def next(self, offsets=(), forget=()):
        answer = self.ask(offsets, forget)
        self.epoch += 1
        return answer


def indexes(answer):
    return sorted(p.partition_index for t in answer.responses for p in t.partitions)


@pytest.fixture
def session(shared):
    name = shared.create_topic(partitions=6)
    leader = shared.leader(name, 0).number
    mine = [p for p in range(6) if shared.leader(name, p).number == leader]
    with shared.connect(leader) as c:
        s = Session(c, name, topic_id=shared.topic_id(name))
        s.shared, s.leader, s.parts = shared, leader, mine
        yield s


def test_session_tells_only_what_changed(session):
    a, b = session.parts
    first = session.open([(a, 0), (b, 0)])
    assert first.error_code == 0 and first.session_id > 0 and indexes(first) == sorted([a, b])
    quiet = session.next()
    assert quiet.error_code == 0 and quiet.session_id == session.id and quiet.responses == []
    session.c.produce(session.topic, build([b'x']), partition=b)
    told = session.next()
    assert indexes(told) == [b] and values(told.responses[0].partitions[0].records) == [b'x']
    assert indexes(session.next([(b, 1)])) in ([], [b])
    assert session.next().responses == []


def test_session_adds_and_forgets(session):
    a, b = session.parts
    session.open([(a, 0)])
    assert session.next([(b, 0)]).error_code == 0
    session.c.produce(session.topic, build([b'x']), partition=a)
    session.c.produce(session.topic, build([b'y']), partition=b)
    assert indexes(session.next()) == sorted([a, b])
    assert indexes(session.next(forget=[a])) == [b]


def test_session_that_loses_its_last_partition_is_closed(session):
    a = session.parts[0]
    session.open([(a, 0)])
    assert session.next(forget=[a]).session_id == 0
    assert error_name(session.next().error_code) == 'FETCH_SESSION_ID_NOT_FOUND'


def test_session_errors(session):
    a = session.parts[0]
    session.open([(a, 0)])
    for session_id, epoch, name in ((session.id, 5, 'INVALID_FETCH_SESSION_EPOCH'), (123456, 1, 'FETCH_SESSION_ID_NOT_FOUND'),
                                    (0, 3, 'FETCH_SESSION_ID_NOT_FOUND'), (-7, 1, 'FETCH_SESSION_ID_NOT_FOUND')):
        answer = session.ask(session_id=session_id, epoch=epoch)
        assert (error_name(answer.error_code), answer.session_id, answer.responses) == (name, 0, [])
    assert session.next().error_code == 0, 'it is still usable with the right epoch'


def test_session_is_not_tied_to_its_connection(session):
    a = session.parts[0]
    session.open([(a, 0)])
    session.c.close()
    session.c = session.shared.connect(session.leader)
    # In Klamm a session belongs to one worker, another one may have got the new connection; clients then start a new session.
    assert error_name(session.next().error_code) in (('NONE', 'FETCH_SESSION_ID_NOT_FOUND') if TARGET == 'klamm' else ('NONE',))


def test_session_closed_and_made_anew(session):
    a = session.parts[0]
    session.open([(a, 0)])
    old = session.id
    again = session.ask([(a, 0)], epoch=0)
    assert again.error_code == 0 and again.session_id not in (0, old)
    assert error_name(session.ask(epoch=1).error_code) == 'FETCH_SESSION_ID_NOT_FOUND'
    session.id = again.session_id
    closed = session.ask([(a, 0)], epoch=-1)
    assert closed.error_code == 0 and closed.session_id == 0 and indexes(closed) == [a]
    assert error_name(session.ask(epoch=1).error_code) == 'FETCH_SESSION_ID_NOT_FOUND'


def test_session_without_partitions_gets_an_id(session):
    answer = session.ask(session_id=0, epoch=0)
    assert answer.error_code == 0 and answer.session_id > 0


def test_session_with_names_is_not_continued_with_ids(session):
    a = session.parts[0]
    session.open([(a, 0)])
    answer = session.ask([(a, 0)], version=13)
    assert error_name(answer.error_code) == 'FETCH_SESSION_TOPIC_ID_ERROR'


def test_session_with_topic_ids(session):
    session.version = 13
    a, b = session.parts
    first = session.open([(a, 0), (b, 0)])
    assert first.error_code == 0 and first.session_id > 0 and indexes(first) == sorted([a, b])
    session.c.produce(session.topic, build([b'x']), partition=a)
    assert indexes(session.next()) == [a]


def test_session_long_poll(session):
    a = session.parts[0]
    session.open([(a, 0)])
    session.c.send('Fetch', 11, replica_id=-1, max_wait_ms=15000, min_bytes=1, max_bytes=1 << 20, session_id=session.id, session_epoch=1,
                   topics=[])
    with session.shared.connect(session.leader) as c:
        c.produce(session.topic, build([b'late']), partition=a)
    answer, took = timed(session.c.receive)
    assert values(answer.responses[0].partitions[0].records) == [b'late'] and took < 10


def test_reading_across_segments(shared):
    name = shared.create_topic(segment_bytes=5000, index_interval_bytes=500)
    with shared.leader_connection(name) as c:
        for i in range(60):
            assert c.produce(name, build([b'%d ' % i + b'x' * 700])).error_code == 0
        for offset in range(60):
            data = c.fetch(name, offset, partition_max_bytes=1).records
            assert [b.base_offset for b in parse(data)] == [offset]
    assert [v.split()[0] for v in values(shared.read_all(name))] == [b'%d' % i for i in range(60)]


def test_a_reader_that_follows_a_writer_misses_nothing(shared, topic):
    n, got = 300, []

    def write():
        with shared.leader_connection(topic) as c:
            for i in range(n):
                c.produce(topic, build([b'%d' % i]), acks=-1 if i % 2 else 1)
    writer = threading.Thread(target=write)
    writer.start()
    while len(got) < n:
        part = topic.c.fetch(topic, len(got), max_wait_ms=500)
        assert part.error_code == 0
        got += values(part.records)
    writer.join()
    assert got == [b'%d' % i for i in range(n)]


def test_delete_records_moves_the_start_and_readers_hear_of_it(topic):
    fill(topic, 3, 10)
    answer = topic.c.call('DeleteRecords', 2, timeout_ms=10000, topics=[{'name': topic, 'partitions': [{'partition_index': 0, 'offset': 15}]}])
    assert (answer.topics[0].partitions[0].error_code, answer.topics[0].partitions[0].low_watermark) == (0, 15)
    assert error_name(topic.c.fetch(topic, 14).error_code) == 'OFFSET_OUT_OF_RANGE'
    part = topic.c.fetch(topic, 15)
    assert part.log_start_offset == 15 and parse(part.records)[0].base_offset == 10, 'the batch comes whole'


@pytest.mark.parametrize('offset, error, low', [(-1, 0, 30), (0, 0, 0), (30, 0, 30), (31, 1, -1), (-2, 1, -1)])
def test_delete_records_offsets(topic, offset, error, low):
    fill(topic, 3, 10)
    answer = topic.c.call('DeleteRecords', 1, timeout_ms=10000, topics=[
        {'name': topic, 'partitions': [{'partition_index': 0, 'offset': offset}, {'partition_index': 8, 'offset': 0}]}])
    got = {p.partition_index: (p.error_code, p.low_watermark) for p in answer.topics[0].partitions}
    assert got == {0: (error, low), 8: (CODES['UNKNOWN_TOPIC_OR_PARTITION'], -1)}


def test_delete_records_of_a_compacted_topic(shared):
    name = shared.create_topic(cleanup_policy='compact')
    with shared.leader_connection(name) as c:
        answer = c.call('DeleteRecords', 1, timeout_ms=10000, topics=[{'name': name, 'partitions': [{'partition_index': 0, 'offset': 0}]}])
    assert error_name(answer.topics[0].partitions[0].error_code) == 'POLICY_VIOLATION'
