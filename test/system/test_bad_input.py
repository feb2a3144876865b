"""What hostile and broken clients send (reliability.md 5.3): each has its answer; the process lives, its memory stays bounded, a good
client beside it is not disturbed."""
import random
import socket
import struct
import threading
import time
import uuid

import pytest

import batch
import schema
from batch import build, values
from bystander import Bystander
from processes import TARGET, wait
from schema import APIS
from wire import Closed, Connection, error_name, request_header

RSS_GROWTH_KB = 96 * 1024
ONE = [(b'key', b'value')]


@pytest.fixture
def victim(shared):
    """One broker with a good client at work and its process watched; attack it through victim.connect()."""
    broker = shared.brokers[1]
    pid = broker.pid
    with Bystander(shared, broker):
        before = broker.rss_kb()
        yield broker
    assert broker.alive() and broker.pid == pid, 'the process lives'
    if TARGET == 'klamm':
        assert broker.rss_kb() - before < RSS_GROWTH_KB, 'memory grew by %d KB' % (broker.rss_kb() - before)


@pytest.fixture
def hit(shared, victim):
    """A topic led by the victim."""
    class Hit(str):
        pass
    with shared.controller_connection() as c:
        name = Hit('hit-' + uuid.uuid4().hex[:8])
        assert c.call('CreateTopics', 5, timeout_ms=20000, topics=[{
            'name': name, 'num_partitions': -1, 'replication_factor': -1,
            'assignments': [{'partition_index': 0, 'broker_ids': [victim.number]}], 'configs': []}]).topics[0].error_code == 0
    shared.wait_leaders(name)
    name.c = victim.connect()
    yield name
    name.c.close()


def closes(victim, data):
    with victim.connect() as c:
        c.send_bytes(data)
        c.assert_closed()


# 1. sizes

@pytest.mark.parametrize('size', [-1, 0, 3, 7, 2 ** 31 - 1, 104857601, -2 ** 31, 0x47455420, 0x16030102])
def test_sizes_that_cannot_be(victim, size):
    closes(victim, struct.pack('>i', size) + b'x' * (size if 0 < size < 100 else 20))


def test_other_protocols(victim):
    for data in (b'GET / HTTP/1.1\r\nHost: x\r\n\r\n', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + b'\0' * 500, b'SSH-2.0-OpenSSH_9\r\n',
                 b'\xff' * 1000, b'\n' * 64):
        closes(victim, data)


def test_byte_by_byte_is_taken(victim):
    with victim.connect() as c:
        frame = c.frame('ApiVersions', 3, {'client_software_name': 'slow', 'client_software_version': '1'})
        for byte in struct.pack('>i', len(frame)) + frame:
            c.send_bytes(bytes([byte]))
        assert c.receive().error_code == 0


@pytest.mark.klamm_only
def test_claimed_sizes_take_no_memory(victim):
    before = victim.rss_kb()
    connections = [victim.connect() for _ in range(200)]
    for c in connections:
        c.send_bytes(struct.pack('>i', 100 << 20) + b'\0\0\0\x09')
    assert connections[0].socket.fileno() >= 0 and Connection(victim.address).is_usable()
    if TARGET == 'klamm':
        assert victim.rss_kb() - before < 20 * 1024
    for c in connections:
        c.close()


# 2. keys and versions

@pytest.mark.parametrize('key', [-1, 32767, 999, 52, 58, 59, 62, 71, 75, 83])
def test_unknown_api_keys(victim, key):
    closes(victim, struct.pack('>ihhihi', 14, key, 0, 1, -1, 0))


@pytest.mark.parametrize('name', ['Produce', 'Fetch', 'Metadata', 'CreateTopics', 'InitProducerId', 'DescribeConfigs', 'ListOffsets'])
def test_unknown_versions(victim, name):
    api = APIS[name]
    for version in (api.versions[1] + 1, -1, 32767):
        closes(victim, struct.pack('>ihhihi', 14, api.key, version, 1, -1, 0))


def test_requests_of_brokers_and_controllers_are_not_for_clients(shared, victim, hit):
    """CVE-2018-1288: a client that says it is a replica, a controller, a coordinator."""
    if TARGET == 'kafka':
        pytest.skip('Kafka without an authorizer believes it')
    hit.c.produce(hit, build(ONE))
    for key in (4, 5, 6, 7, 27, 56, 67):
        api = schema.BY_KEY[key]
        with victim.connect() as c:
            try:
                c.send_frame(c.frame(api.name, api.versions[1], {}))
                c.receive_frame()
            except (Closed, socket.timeout):
                pass
    with victim.connect() as c:
        body = c.fetch_body(hit, 0)
        body['replica_id'] = 1
        answer = c.call('Fetch', 11, body)
        assert answer.error_code != 0 or answer.responses[0].partitions[0].error_code != 0
    assert values(hit.c.fetch(hit, 0).records) == [b'value'], 'it still leads'


# 3. bodies that are cut or wrong

def sample_requests(topic):
    """One full request of each API that clients send, in its newest and its oldest version."""
    produce = {'acks': -1, 'timeout_ms': 1000, 'topic_data': [{'name': topic, 'partition_data': [{'index': 0, 'records': build(ONE)}]}]}
    fetch = {'replica_id': -1, 'max_wait_ms': 0, 'min_bytes': 0, 'max_bytes': 1000, 'topics': [
        {'topic': topic, 'partitions': [{'partition': 0, 'fetch_offset': 0, 'partition_max_bytes': 1000}]}], 'rack_id': 'r',
        'forgotten_topics_data': [{'topic': topic, 'partitions': [1]}]}
    bodies = {
        'Produce': produce, 'Fetch': fetch, 'Metadata': {'topics': [{'name': topic}]},
        'ListOffsets': {'replica_id': -1, 'topics': [{'name': topic, 'partitions': [{'partition_index': 0, 'timestamp': -1}]}]},
        'ApiVersions': {'client_software_name': 'n', 'client_software_version': '1'},
        'CreateTopics': {'topics': [{'name': 'a/b', 'num_partitions': 1, 'replication_factor': 1, 'assignments': [
            {'partition_index': 0, 'broker_ids': [1]}], 'configs': [{'name': 'retention.ms', 'value': '1'}]}], 'timeout_ms': 10},
        'DeleteTopics': {'timeout_ms': 10}, 'DescribeConfigs': {'resources': [
            {'resource_type': 2, 'resource_name': topic, 'configuration_keys': ['retention.ms']}]},
        'IncrementalAlterConfigs': {'validate_only': True, 'resources': [{'resource_type': 2, 'resource_name': topic, 'configs': [
            {'name': 'retention.ms', 'config_operation': 0, 'value': '1'}]}]},
        'DeleteRecords': {'timeout_ms': 10, 'topics': [{'name': topic, 'partitions': [{'partition_index': 0, 'offset': 0}]}]},
        'CreatePartitions': {'timeout_ms': 10, 'validate_only': True, 'topics': [{'name': topic, 'count': 1, 'assignments': [
            {'broker_ids': [1]}]}]},
        'InitProducerId': {'transactional_id': None, 'transaction_timeout_ms': 1000},
        'OffsetForLeaderEpoch': {'replica_id': -1, 'topics': [{'topic': topic, 'partitions': [{'partition': 0, 'leader_epoch': 0}]}]},
        'DescribeCluster': {}}
    for name, body in bodies.items():
        for version in sorted({APIS[name].versions[1], 3 if name == 'Produce' else 4 if name == 'Fetch' else APIS[name].versions[0]}):
            mine = dict(body)
            if name == 'Fetch' and version >= 13:
                mine['topics'] = [{'topic_id': uuid.uuid4(), 'partitions': body['topics'][0]['partitions']}]
                mine['forgotten_topics_data'] = []
            yield name, version, mine


def encoded(name, version, body):
    body = {k: v for k, v in body.items() if k in {f.name for f in APIS[name].request.fields}}
    return request_header(APIS[name], version, 1, 'x') + APIS[name].request.encode(version, body)


def attack(victim, frames):
    """Each frame on a connection of its own, many at a time; answers are read and thrown away, silence is broken off."""
    frames = list(frames)
    for at in range(0, len(frames), 64):
        connections = []
        for frame in frames[at:at + 64]:
            c = victim.connect()
            try:
                c.send_frame(frame)
                c.socket.shutdown(socket.SHUT_WR)
            except (Closed, OSError):
                pass
            connections.append(c)
        for c in connections:
            try:
                while c.socket.recv(65536):
                    pass
            except ConnectionResetError:
                pass
            c.close()


@pytest.mark.seconds(300)
def test_cut_at_each_byte(victim, hit):
    attack(victim, (frame[:n] for name, version, body in sample_requests(hit) for frame in [encoded(name, version, body)]
                    for n in range(len(frame))))
    assert hit.c.is_usable()


@pytest.mark.seconds(300)
def test_bytes_flipped(victim, hit):
    chance = random.Random(1)

    def spoiled():
        for name, version, body in sample_requests(hit):
            frame = encoded(name, version, body)
            for _ in range(60):
                out = bytearray(frame)
                for _ in range(chance.choice((1, 1, 2, 5))):
                    at = chance.randrange(8, len(out))
                    out[at] = chance.choice((0, 1, 0x7f, 0x80, 0xff, out[at] ^ 1 << chance.randrange(8)))
                yield bytes(out)
    attack(victim, spoiled())
    assert hit.c.is_usable()


LONG_VARINTS = [b'\xff' * 4 + b'\x0f', b'\xff' * 5 + b'\x01', b'\xff' * 9 + b'\x01', b'\xff' * 12, b'\x80' * 10 + b'\x01', b'\x80\x80\x80\x80\x10']


@pytest.mark.parametrize('varint', LONG_VARINTS)
def test_overlong_lengths(victim, varint):
    head = request_header(APIS['Metadata'], 12, 1, 'x')
    closes(victim, struct.pack('>i', len(head) + len(varint)) + head + varint)
    head = head[:-1]
    closes(victim, struct.pack('>i', len(head) + len(varint)) + head + varint)


@pytest.mark.parametrize('tags', [b'\x02\x01\x00\x01\x00', b'\x02\x05\x00\x01\x00', b'\x01\x00\xff\xff\xff\xff\x07', b'\xff\xff\xff\xff\x0f'])
def test_tags_twice_unsorted_or_huge(victim, tags):
    head = request_header(APIS['ApiVersions'], 3, 1, 'x')[:-1]
    data = head + tags + b'\x02n\x021\x00'
    with victim.connect() as c:
        c.sent[1] = (APIS['ApiVersions'], 3)
        c.send_frame(data)
        try:
            c.receive()
        except Closed:
            pass


def test_unknown_tags_and_bytes_behind_the_body_are_let_pass(victim):
    with victim.connect() as c:
        head = request_header(APIS['ApiVersions'], 3, 1, 'x')[:-1]
        c.sent[1] = (APIS['ApiVersions'], 3)
        c.send_frame(head + b'\x01\x2a\x03abc' + b'\x02n\x021' + b'\x01\x63\x01z')
        assert c.receive().error_code == 0
        c.send_frame(c.frame('Metadata', 12, {'topics': []}) + b'more bytes')
        assert c.receive().topics == []


def test_counts_beyond_the_bytes(victim):
    for count in (2 ** 31 - 1, 10 ** 8, -2):
        body = struct.pack('>i', count) + b'\0\x01x' * 20
        closes(victim, struct.pack('>i', 10 + len(body)) + struct.pack('>hhih', 3, 1, 1, -1) + body)


def test_null_where_there_must_be_something(victim):
    head = struct.pack('>hhih', 19, 0, 1, -1)
    body = struct.pack('>ih', 1, -1) + struct.pack('>ihiii', 1, 1, 0, 0, 1000)
    closes(victim, struct.pack('>i', len(head + body)) + head + body)
    head = struct.pack('>hhih', 1, 4, 1, -1)
    body = struct.pack('>iiiibi', -1, 0, 0, 0, 0, -1)
    closes(victim, struct.pack('>i', len(head + body)) + head + body)


@pytest.mark.parametrize('name', ['\0', 'a\0b', '\ud800'.encode('utf-8', 'surrogatepass'), b'\xff\xfe', b'\xc0\x80', b'\xf4\x90\x80\x80'],
                         ids=repr)
def test_names_that_are_no_text(victim, name):
    data = name if isinstance(name, bytes) else name.encode()
    head = struct.pack('>hhih', 3, 4, 1, -1)
    body = struct.pack('>ih', 1, len(data)) + data + b'\0'
    with victim.connect() as c:
        c.send_frame(head + body)
        try:
            c.receive_frame()
        except Closed:
            pass


# 4. much of the same

def test_the_same_topic_a_hundred_thousand_times(shared, victim, hit):
    with victim.connect(timeout=60) as c:
        assert len(c.metadata([hit] * 100000, version=9).topics) == 1
    with shared.controller_connection() as c:
        c.socket.settimeout(60)
        rows = [{'name': 'many', 'num_partitions': 1, 'replication_factor': 1, 'assignments': [], 'configs': []}] * 100000
        answer = c.call('CreateTopics', 5, topics=rows, timeout_ms=1000)
        assert {error_name(t.error_code) for t in answer.topics} == {'INVALID_REQUEST'}


def test_many_partitions_in_one_request(victim, hit):
    with victim.connect(timeout=60) as c:
        parts = [{'partition': i, 'fetch_offset': 0, 'partition_max_bytes': 1} for i in range(100000)]
        try:
            answer = c.call('Fetch', 11, replica_id=-1, max_wait_ms=0, min_bytes=0, max_bytes=1, topics=[{'topic': hit, 'partitions': parts}])
            assert len(answer.responses[0].partitions) in (99999, 100000)
        except Closed:
            pass
        with victim.connect(timeout=60) as d:
            answer = d.call('ListOffsets', 7, replica_id=-1, topics=[{'name': hit, 'partitions': [
                {'partition_index': i, 'timestamp': -1} for i in range(100000)]}])
            assert len(answer.topics[0].partitions) == 100000


def test_a_million_empty_topics(victim):
    with victim.connect(timeout=60) as c:
        try:
            c.call('Produce', 9, acks=-1, timeout_ms=1000, topic_data=[{'name': '', 'partition_data': []}] * 1000000)
        except Closed:
            pass


def test_the_same_partition_twice_in_produce(hit):
    part = {'index': 0, 'records': build(ONE)}
    try:
        hit.c.call('Produce', 9, acks=-1, timeout_ms=1000, topic_data=[{'name': hit, 'partition_data': [part, part]}])
    except Closed:
        return
    assert hit.c.list_offset(hit, -1).offset in (0, 1, 2)


# 5. record batches

def evil_batches():
    huge = 2 ** 31 - 1
    good = build([b'1', b'2', b'3'])
    for magic in (0, 1, 3, 255):
        yield 'magic %d' % magic, build(ONE, magic=magic if magic < 128 else -1)
    yield 'count huge', build(ONE, count=huge, last_offset_delta=huge - 1)
    yield 'last offset delta negative', build(ONE, last_offset_delta=-1)
    yield 'last offset delta huge', build(ONE, last_offset_delta=huge)
    yield 'transactional without an id', build(ONE, attributes=16)
    yield 'control', build(ONE, attributes=32)
    yield 'codec 5', build(ONE, attributes=5)
    yield 'codec 7', build(ONE, attributes=7)
    yield 'all attributes', build(ONE, attributes=-1)
    yield 'length 0', build(ONE, length=0)
    yield 'length negative', build(ONE, length=-1)
    yield 'length huge', build(ONE, length=huge)
    yield 'empty compressed', build([], batch.GZIP)
    yield 'two batches', good + good
    yield 'a batch and rubbish', good + b'rubbish'
    yield 'zeros', b'\0' * 100
    yield 'short', good[:20]
    for codec in (1, 2, 3, 4):
        packed = batch.compress(codec, batch.record(0, 0, None, b'x' * 1000))
        yield 'codec %d cut' % codec, build(ONE, codec, payload=packed[:-5])
        yield 'codec %d spoiled' % codec, build(ONE, codec, payload=packed[:20] + b'\xff\xff\xff' + packed[23:])
        yield 'codec %d of nothing' % codec, build(ONE, codec, payload=b'')
        yield 'codec %d twice' % codec, build(ONE, codec, payload=batch.compress(codec, packed))
    yield 'snappy that lies', build(ONE, batch.SNAPPY, payload=b'\xff\xff\xff\xff\x07' + b'x' * 20)
    yield 'xerial chunk negative', build(ONE, batch.SNAPPY, payload=batch.XERIAL + struct.pack('>i', -5) + b'x' * 20)
    yield 'xerial chunk huge', build(ONE, batch.SNAPPY, payload=batch.XERIAL + struct.pack('>i', huge) + b'x' * 20)
    yield 'record length lies', build([None], payload=batch.varint(1000) + b'\0' * 10)
    yield 'record length negative', build([None], payload=batch.varint(-10) + b'\0' * 10)
    yield 'key length lies', build([None], payload=batch.varint(8) + b'\0\0\0' + batch.varint(5000) + b'\0' * 3)
    yield 'headers lie', build([None], payload=batch.varint(7) + b'\0\0\0\x01\x01' + batch.varint(100000)[:2])
    yield 'offset deltas with a gap', build([b'1', b'2'], payload=batch.record(0, 0, None, b'1') + batch.record(5, 0, None, b'2'))
    yield 'negative offset delta', build([b'1', b'2'], payload=batch.record(0, 0, None, b'1') + batch.record(-1, 0, None, b'2'))


# What Kafka takes too: it cuts off what is no batch behind a batch, and gives records new deltas or never looks at them.
TAKEN = {'a batch and rubbish', 'offset deltas with a gap', 'negative offset delta'}


@pytest.mark.parametrize('what, data', evil_batches(), ids=lambda v: v.replace(' ', '-') if isinstance(v, str) else '')
def test_evil_batches(hit, what, data):
    answer = hit.c.produce(hit, data, version=9)
    if what in TAKEN and answer.error_code == 0:
        hit.c.fetch(hit, 0)
        assert hit.c.produce(hit, build(ONE)).error_code == 0
        return
    assert answer.error_code != 0 or TARGET == 'kafka' and 'spoiled' in what, what
    if TARGET == 'klamm':
        # UNKNOWN_SERVER_ERROR is what Kafka says of bytes that it cannot decompress; Klamm adds words.
        assert answer.error_code != -1 or answer.error_message
        assert error_name(answer.error_code) in ('UNKNOWN_SERVER_ERROR', 'CORRUPT_MESSAGE', 'INVALID_RECORD', 'UNSUPPORTED_FOR_MESSAGE_FORMAT', 'INVALID_REQUEST',
                                                 'UNSUPPORTED_COMPRESSION_TYPE', 'MESSAGE_TOO_LARGE', 'UNSUPPORTED_VERSION',
                                                 'INVALID_TXN_STATE', '48', '49', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED'), answer
        assert hit.c.list_offset(hit, -1).offset == 0
    assert hit.c.produce(hit, build(ONE)).error_code == 0


@pytest.mark.parametrize('stamp', [2 ** 63 - 1, -2 ** 63, -2, 0])
def test_timestamps_at_the_ends(hit, stamp):
    hit.c.produce(hit, build(ONE, base_timestamp=stamp, max_timestamp=stamp))
    hit.c.list_offset(hit, 0)
    hit.c.list_offset(hit, -3)
    assert hit.c.produce(hit, build(ONE)).error_code == 0


@pytest.mark.klamm_only
@pytest.mark.parametrize('codec', [1, 2, 3, 4])
def test_bombs(shared, victim, hit, codec):
    """A megabyte that wants to be a thousand."""
    size = {1: 900, 2: 20, 3: 200, 4: 900}[codec] << 20
    record = batch.record(0, 0, None, bytes(1 << 20)) * (size >> 20)
    payload = batch.compress(codec, record)
    before = victim.rss_kb()
    if len(payload) > 1000000:
        payload = payload[:1000000]
    answer = hit.c.produce(hit, build(ONE, codec, payload=payload))
    if TARGET == 'klamm':
        assert answer.error_code != 0
        assert victim.rss_kb() - before < RSS_GROWTH_KB


# 6. sequences: what test_idempotence.py leaves

def test_producer_ids_never_issued(hit):
    for producer_id in (2 ** 62, 2 ** 63 - 1, 10 ** 9):
        data = build(ONE, producer_id=producer_id, producer_epoch=0, base_sequence=0)
        assert hit.c.produce(hit, data).error_code in (0, 59)
    for producer_id, epoch, sequence in ((5, -1, 0), (5, 0, -5), (-5, 0, 0), (5, -5, 5)):
        hit.c.produce(hit, build(ONE, producer_id=producer_id, producer_epoch=epoch, base_sequence=sequence))
    assert hit.c.produce(hit, build(ONE)).error_code == 0


def test_many_producers_take_bounded_memory(victim, hit):
    for at in range(0, 20000, 500):
        for i in range(500):
            hit.c.send('Produce', 9, acks=-1, timeout_ms=1000, topic_data=[{'name': hit, 'partition_data': [
                {'index': 0, 'records': build(ONE, producer_id=10 ** 6 + at + i, producer_epoch=0, base_sequence=0)}]}])
        for i in range(500):
            assert hit.c.receive().responses[0].partition_responses[0].error_code == 0


# 7. names of files

@pytest.mark.parametrize('name', ['../x', '..', '.', 'a/b', '/etc/passwd', 'x' * 250, 'x' * 30000, 'a\\..\\b', 'ü', ' '])
def test_names_that_are_paths(hit, name):
    assert hit.c.produce(name, build(ONE)).error_code in (3, 17)
    assert hit.c.fetch(name, 0).error_code in (3, 17)
    assert hit.c.list_offset(name, -1).error_code in (3, 17)
    answer = hit.c.call('DeleteRecords', 1, timeout_ms=100, topics=[{'name': name, 'partitions': [{'partition_index': 0, 'offset': 0}]}])
    assert answer.topics[0].partitions[0].error_code in (3, 17)


# 8. fetch: what test_fetch.py leaves

def test_forged_fetches(hit):
    hit.c.produce(hit, build(ONE))
    for session_id, epoch in ((2 ** 31 - 1, 5), (-1, 1), (1, -5), (0, 2 ** 31 - 1), (-2 ** 31, -2 ** 31)):
        hit.c.call('Fetch', 11, hit.c.fetch_body(hit, 0, session_id=session_id, session_epoch=epoch))
    for part in ({'fetch_offset': -2 ** 63}, {'fetch_offset': 2 ** 63 - 1}, {'partition': -1}, {'partition': 2 ** 31 - 1},
                 {'partition_max_bytes': -2 ** 31}, {'current_leader_epoch': -5}, {'log_start_offset': 2 ** 63 - 1}):
        hit.c.call('Fetch', 11, hit.c.fetch_body(hit, 0, part=part))
    for more in ({'max_bytes': 0}, {'max_bytes': -1}, {'min_bytes': -5}, {'max_wait_ms': -5}, {'rack_id': 'r' * 30000}):
        hit.c.call('Fetch', 11, dict(hit.c.fetch_body(hit, 0), **more))
    assert values(hit.c.fetch(hit, 0).records) == [b'value']


def test_many_sessions(victim, hit):
    for _ in range(3000):
        hit.c.send('Fetch', 11, hit.c.fetch_body(hit, 0, session_id=0, session_epoch=0))
    ids = [hit.c.receive().session_id for _ in range(3000)]
    made = [i for i in ids if i]
    assert len(set(made)) == len(made) and 1 <= len(made) <= 1000
    # Young sessions keep their slots for two minutes: they are ended, so that those who come next find some.
    for i in made:
        hit.c.send('Fetch', 11, hit.c.fetch_body(hit, 0, session_id=i, session_epoch=-1))
    for _ in made:
        hit.c.receive()


# 10. answers that nobody takes

@pytest.fixture
def big(hit):
    for _ in range(8):
        assert hit.c.produce(hit, build([b'x' * 1000000])).error_code == 0
    return hit


@pytest.mark.klamm_only
def test_a_client_that_never_reads(victim, big):
    connections = [victim.connect() for _ in range(10)]
    for c in connections:
        for _ in range(50):
            try:
                c.send('Fetch', 11, c.fetch_body(big, 0))
            except (Closed, socket.timeout):
                break
    assert values(big.c.fetch(big, 0).records)[0] == b'x' * 1000000
    for c in connections:
        c.close()


def test_half_closed_clients_get_their_answers(victim, big):
    for _ in range(20):
        with victim.connect() as c:
            sent = [c.send('Fetch', 11, c.fetch_body(big, 0)), c.send('ApiVersions', 0)]
            c.socket.shutdown(socket.SHUT_WR)
            try:
                assert [c.receive().correlation, c.receive().correlation] == sent
            except Closed:
                assert TARGET == 'kafka', 'Kafka drops what is on its way'


def test_reset_in_the_middle_of_an_answer(victim, big):
    before = victim.open_files()
    for _ in range(100):
        c = victim.connect()
        c.send('Fetch', 11, c.fetch_body(big, 0))
        c.send('Fetch', 11, c.fetch_body(big, 8, max_wait_ms=5000))
        c.receive_exactly(1000)
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        c.close()
    wait(lambda: victim.open_files() <= before + 5, lambda: 'all connections are gone: %d files, %d before' % (victim.open_files(), before), 30)


def test_ten_thousand_pipelined_requests(victim, hit):
    with victim.connect(timeout=60) as c:
        def send():
            for i in range(10000):
                c.send('Metadata' if i % 2 else 'ListOffsets', 9 if i % 2 else 5, {'topics': [{'name': hit}]} if i % 2 else {
                    'replica_id': -1, 'topics': [{'name': hit, 'partitions': [{'partition_index': 0, 'timestamp': -1}]}]})
        writer = threading.Thread(target=send)
        writer.start()
        wait(lambda: c.sent, 'something was sent')
        got = []
        while len(got) < 10000:
            frame = c.receive_frame()
            got.append(struct.unpack_from('>i', frame)[0])
        writer.join()
        assert got == list(range(1, 10001))


@pytest.mark.klamm_only
def test_ten_thousand_pipelined_requests_and_nobody_reads(victim, hit):
    with victim.connect(timeout=2) as c:
        try:
            for _ in range(10000):
                c.send('DescribeConfigs', 4, resources=[{'resource_type': 2, 'resource_name': hit, 'configuration_keys': None}])
        except (socket.timeout, Closed):
            pass
    assert hit.c.is_usable()


def test_many_connections_come_and_go(victim):
    before = victim.open_files()
    for _ in range(5):
        connections = [victim.connect() for _ in range(200)]
        assert all(c.is_usable() for c in connections[::20])
        for c in connections:
            c.close()
    wait(lambda: victim.open_files() <= before + 5, 'all connections are gone', 30)


@pytest.mark.klamm_only
def test_slow_requests_are_ended(make_cluster):
    cluster = make_cluster(config={'klamm.request.slow.ms': 1000})
    with cluster.connect() as c, cluster.connect() as d, Bystander(cluster, cluster.brokers[0]):
        c.send_bytes(struct.pack('>i', 1000) + b'\0\x03')
        d.send_bytes(b'\0')
        started = time.monotonic()
        c.assert_closed(15)
        d.assert_closed(15)
        assert time.monotonic() - started < 15


def test_idle_connections_are_ended(make_cluster):
    cluster = make_cluster(config={'connections.max.idle.ms': 1500})
    with cluster.connect() as idle, cluster.connect() as busy:
        assert idle.is_usable()
        until = time.monotonic() + 3
        wait(lambda: not busy.is_usable() or time.monotonic() > until, 'three seconds go by', pause=0.2)
        idle.assert_closed(15)
        assert busy.is_usable()
