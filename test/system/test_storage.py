"""Disks that are full, read-only or gone; files that are damaged: each has its defined outcome (reliability.md D10, D11)."""
import errno
import glob
import os
import shlex
import subprocess

import pytest

from batch import build, parse, records, values
from cluster import SESSION_MS
from processes import TARGET, free_port, wait
from test_idempotence import Producer, new_id
from test_lifecycle import fill
from test_metrics import DELETE_HANGS, Figures, disk, get, scrape, with_faulty_disk, with_metrics
from wire import error_name

pytestmark = pytest.mark.klamm_only
UNSHARE = ['unshare', '-m'] if os.geteuid() == 0 else ['unshare', '-rm']


def on_small_disk(broker, folder, size):
    """The broker sees a tmpfs of its own at the folder; the test reaches it through /proc."""
    os.makedirs(folder, exist_ok=True)
    script = 'mount -t tmpfs -o size=%s tmpfs %s && exec "$@"' % (size, shlex.quote(folder))
    broker.argv = UNSHARE + ['sh', '-c', script, 'sh'] + broker.argv


def inside(broker, path):
    return '/proc/%d/root%s' % (broker.pid, path)


def test_full_disk(make_cluster):
    cluster = make_cluster(start=False)
    broker = cluster.brokers[0]
    on_small_disk(broker, broker.folder, '8m')
    cluster.start()
    name, other = cluster.create_topic(), cluster.create_topic()
    with cluster.connect() as c:
        assert c.produce(other, build([b'before'])).error_code == 0
        acked = []

        def until_full():
            answer = c.produce(name, build([b'%d ' % len(acked) + b'x' * 100000]))
            if answer.error_code == 0:
                acked.append(answer.base_offset)
            return answer.error_code
        code = wait(until_full, 'the disk is full')
        assert error_name(code) == 'KAFKA_STORAGE_ERROR'
        assert [r.offset for r in records(cluster.read_all(name))] == acked, 'what was acked is read'
        assert values(c.fetch(other, 0).records) == [b'before']
        assert c.call('DeleteRecords', 2, timeout_ms=5000, topics=[{'name': name, 'partitions': [{'partition_index': 0, 'offset': 5}]}])
        with cluster.controller_connection() as admin:
            assert admin.call('DeleteTopics', 4, topic_names=[name], timeout_ms=10000).responses[0].error_code == 0
        for path in glob.glob(inside(broker, broker.folder) + '/%s-0*/*.log' % name):
            os.truncate(path, 0)
        wait(lambda: c.produce(other, build([b'after'])).error_code == 0, 'writing goes on without a restart', 30)
    assert broker.alive() and 'space' in broker.log_text().lower()


def test_full_disk_at_the_start(make_cluster):
    cluster = make_cluster(start=False)
    broker = cluster.brokers[0]
    on_small_disk(broker, broker.folder, '4k')
    broker.start()
    status = broker.wait_exit(30)
    assert status > 0 and broker.folder in broker.log_text() and 'space' in broker.log_text().lower(), broker.log_text()


def test_a_broker_that_crashes_on_a_full_disk_comes_back_and_goes_on_when_there_is_room(make_cluster):
    port = free_port()
    cluster = make_cluster(start=False, config={'klamm.metrics.listener': '127.0.0.1:%d' % port})
    broker = cluster.brokers[0]
    on_small_disk(broker, broker.folder, '16m')
    cluster.start()
    name = cluster.create_topic()
    filler, reserve = (os.path.join(broker.folder, file) for file in ('filler', 'klamm.reserve'))

    def figure(metric):
        value = Figures(get(port)[2])[metric]
        return value[broker.folder] if isinstance(value, dict) else value
    fill(cluster, name, 20)
    before = cluster.read_all(name)
    assert os.path.getsize(inside(broker, reserve)) == figure('klamm_log_dir_reserve_bytes') == 16 * 2 ** 20 / 256
    with open(inside(broker, filler), 'wb', buffering=0) as f:
        while True:
            try:
                f.write(bytes(4096))
            except OSError as e:
                assert e.errno == errno.ENOSPC
                break
    broker.kill_child()
    cluster.ready()
    cluster.wait_served(name)
    assert cluster.read_all(name) == before
    assert 'the reserve of the log dir is given up: dir=' + broker.folder in broker.log_text()
    assert figure('klamm_log_dir_reserves_given_up_total') == 1 and figure('kafka_log_logmanager_offlinelogdirectorycount') == 0
    with cluster.connect() as c:
        refused = wait(lambda: c.produce(name, build([b'x' * 50000])).error_code, 'the disk is full for producers')
        assert error_name(refused) == 'KAFKA_STORAGE_ERROR'
        os.unlink(inside(broker, filler))
        wait(lambda: c.produce(name, build([b'after'])).error_code == 0, 'writing goes on without a restart')


def test_read_only_dir(make_cluster):
    cluster = make_cluster(start=False)
    broker = cluster.brokers[0]
    os.makedirs(broker.folder)
    script = 'mount -t tmpfs -o ro tmpfs %s && exec "$@"' % shlex.quote(broker.folder)
    broker.argv = UNSHARE + ['sh', '-c', script, 'sh'] + broker.argv
    broker.start()
    assert broker.wait_exit(30) > 0 and broker.folder in broker.log_text() and 'ead-only' in broker.log_text()


def test_one_of_two_dirs_is_read_only(make_cluster):
    cluster = make_cluster(start=False)
    broker = cluster.brokers[0]
    good, bad = broker.folder + '-good', broker.folder + '-bad'
    os.makedirs(bad)
    broker.rows['log.dirs'] = '%s,%s' % (good, bad)
    script = 'mount -t tmpfs -o ro tmpfs %s && exec "$@"' % shlex.quote(bad)
    broker.argv = UNSHARE + ['sh', '-c', script, 'sh'] + broker.argv
    cluster.start()
    name = cluster.create_topic(partitions=4)
    for partition in range(4):
        fill(cluster, name, 2, partition)
    assert bad in broker.log_text() and len(os.listdir(good)) > 4


def test_two_dirs_share_the_partitions(make_cluster):
    cluster = make_cluster(start=False)
    broker = cluster.brokers[0]
    dirs = [broker.folder + '-a', broker.folder + '-b']
    broker.rows['log.dirs'] = ','.join(dirs)
    cluster.start()
    name = cluster.create_topic(partitions=6)
    for partition in range(6):
        fill(cluster, name, 2, partition)
    counts = [len([d for d in os.listdir(path) if d.startswith(name)]) for path in dirs]
    assert counts == [3, 3]
    before = [cluster.read_all(name, p) for p in range(6)]
    for how in ('stop', 'kill'):
        getattr(broker, how)()
        broker.start()
        cluster.ready()
        cluster.wait_leaders(name, 6)
        assert [cluster.read_all(name, p) for p in range(6)] == before


@pytest.fixture
def stored(make_cluster):
    """A broker with one topic of several segments, stopped cleanly."""
    cluster = make_cluster()
    cluster.name = cluster.create_topic(segment_bytes=5000, index_interval_bytes=300)
    cluster.other = cluster.create_topic()
    fill(cluster, cluster.name, 40)
    fill(cluster, cluster.other, 3)
    cluster.before = cluster.read_all(cluster.name)
    cluster.files = cluster.brokers[0].partition_folder(cluster.name)
    return cluster


def files_of(cluster, suffix):
    return sorted(glob.glob(cluster.files + '/*' + suffix))


def start_again(cluster):
    cluster.brokers[0].start()
    cluster.ready()
    cluster.wait_served(cluster.other)
    cluster.wait_served(cluster.name)


def all_is_there(cluster):
    assert cluster.read_all(cluster.name) == cluster.before
    fill(cluster, cluster.name, 2)
    with cluster.connect() as c:
        first = parse(cluster.before)[0].records[0]
        assert c.list_offset(cluster.name, first.timestamp).offset == 0
        last = parse(cluster.before)[-1].records[-1]
        assert c.list_offset(cluster.name, last.timestamp).offset <= last.offset


def overwrite(path, data, at=0):
    with open(path, 'r+b') as f:
        f.seek(at)
        f.write(data)


@pytest.mark.parametrize('how', ['stop', 'kill'])
@pytest.mark.parametrize('harm', ['remove', 'zero', 'garbage', 'cut', 'longer'])
@pytest.mark.parametrize('suffix', ['.index', '.timeindex'])
def test_damaged_index(stored, suffix, harm, how):
    getattr(stored.brokers[0], how)()
    for path in files_of(stored, suffix):
        size = os.path.getsize(path)
        if harm == 'remove':
            os.unlink(path)
        elif harm == 'zero':
            overwrite(path, b'\0' * max(size, 24))
        elif harm == 'garbage':
            overwrite(path, bytes(range(7, 7 + 24)) * 3)
        elif harm == 'cut':
            os.truncate(path, size // 2 + 3)
        else:
            overwrite(path, b'\xff' * 30, size)
    start_again(stored)
    all_is_there(stored)


@pytest.mark.parametrize('how', ['stop', 'kill'])
@pytest.mark.parametrize('harm', [b'', b'garbage\n', b'0\n1\n', b'0\n999\nx 0 5\n', b'1\n0\n', b'0\n1\nno-such-topic 0 7\n', None],
                         ids=['empty', 'garbage', 'short', 'count', 'version', 'stranger', 'missing'])
@pytest.mark.parametrize('file', ['recovery-point-offset-checkpoint', 'replication-offset-checkpoint', 'log-start-offset-checkpoint'])
def test_damaged_checkpoint(stored, file, harm, how):
    broker = stored.brokers[0]
    getattr(broker, how)()
    path = os.path.join(broker.folder, file)
    if harm is not None:
        with open(path, 'wb') as f:
            f.write(harm)
    elif os.path.exists(path):
        os.unlink(path)
    start_again(stored)
    all_is_there(stored)


@pytest.mark.parametrize('how', ['stop', 'kill'])
@pytest.mark.parametrize('harm', [b'', b'garbage\n', b'0\n5\n0 0\n', b'0\n1\n9 5\n', None], ids=['empty', 'garbage', 'count', 'later', 'missing'])
def test_damaged_epoch_file(stored, harm, how):
    getattr(stored.brokers[0], how)()
    path = os.path.join(stored.files, 'leader-epoch-checkpoint')
    os.unlink(path)
    if harm is not None:
        with open(path, 'wb') as f:
            f.write(harm)
    start_again(stored)
    all_is_there(stored)


@pytest.mark.parametrize('how', ['stop', 'kill'])
@pytest.mark.parametrize('harm', ['remove', 'cut', 'flip', 'empty'])
def test_damaged_producer_snapshot(make_cluster, harm, how):
    cluster = make_cluster()
    name, broker = cluster.create_topic(segment_bytes=2000), cluster.brokers[0]
    with cluster.connect() as c:
        p = Producer(c, name)
        for i in range(12):
            assert p.send(i, text=b'x' * 500)[0] == 'NONE'
    cluster.files = broker.partition_folder(name)
    getattr(broker, how)()
    for path in files_of(cluster, '.snapshot'):
        data = bytearray(open(path, 'rb').read())
        if harm == 'remove':
            os.unlink(path)
            continue
        data = b'' if harm == 'empty' else data[:len(data) // 2] if harm == 'cut' else data[:-1] + bytes([data[-1] ^ 1])
        with open(path, 'wb') as f:
            f.write(data)
    broker.start()
    cluster.ready()
    cluster.wait_served(name)
    with cluster.connect() as c:
        p.c = c
        assert p.send(11, text=b'x' * 500) == ('NONE', 11), 'state is rebuilt from the log'
        assert p.send(14)[0] == 'OUT_OF_ORDER_SEQUENCE_NUMBER' and p.send(12) == ('NONE', 12)
        assert new_id(c) != p.id


@pytest.mark.parametrize('tail', [b'\0' * 5000, b'garbage', None], ids=['zeros', 'garbage', 'torn'])
def test_torn_tail_after_a_crash(stored, tail):
    """What a crash of the machine leaves behind the last flush: cut off, and said."""
    broker = stored.brokers[0]
    broker.kill()
    last = files_of(stored, '.log')[-1]
    if tail is None:
        with open(last, 'ab') as f:
            f.write(build([b'never finished' * 50])[:-20])
    else:
        with open(last, 'ab') as f:
            f.write(tail)
    start_again(stored)
    all_is_there(stored)
    assert 'trunc' in broker.log_text() or 'cut' in broker.log_text(), broker.log_text()[-3000:]


def test_damage_below_what_was_durable_is_never_cut_in_silence(stored):
    broker = stored.brokers[0]
    wait(lambda: os.path.getsize(os.path.join(broker.folder, 'klamm.run')) > 0, 'durable marks are written')
    broker.stop()
    broker.start()
    stored.ready()
    stored.wait_served(stored.name)
    broker.kill()
    first = files_of(stored, '.log')[0]
    overwrite(first, b'\xff' * 8, 200)
    size = os.path.getsize(first)
    broker.start()
    stored.ready()
    stored.wait_served(stored.other)
    assert os.path.getsize(first) == size, 'nothing is cut off'
    with stored.connect() as c:
        at_start = c.fetch(stored.name, 0)
        if at_start.error_code:
            assert error_name(at_start.error_code) in ('KAFKA_STORAGE_ERROR', 'NOT_LEADER_OR_FOLLOWER', 'CORRUPT_MESSAGE')
            assert stored.name in broker.log_text()
        else:
            assert c.list_offset(stored.name, -1).offset == 120
        assert c.produce(stored.other, build([b'v'])).error_code == 0, 'other partitions are not concerned'


def test_flipped_bytes_are_never_served_as_other_records(stored):
    """Kafka serves a flipped byte as it is and leaves it to the client's checksum; so does a sendfile of ours: the checksum tells."""
    broker = stored.brokers[0]
    broker.stop()
    middle = files_of(stored, '.log')[1]
    overwrite(middle, b'\xff', os.path.getsize(middle) // 2)
    start_again(stored)
    with stored.connect() as c:
        data = c.fetch(stored.name, 0).records
        first = parse(data[:3000])
        assert first and all(b.crc_ok for b in first[:2])
        assert c.produce(stored.name, build([b'v'])).error_code == 0


def test_foreign_files_and_dirs(stored):
    broker = stored.brokers[0]
    broker.stop()
    open(os.path.join(stored.files, 'notes.txt'), 'w').write('hello')
    open(os.path.join(broker.folder, 'notes.txt'), 'w').write('hello')
    open(os.path.join(stored.files, 'abc.log'), 'w').write('hello')
    open(os.path.join(stored.files, '%020d.index' % 999999), 'w').write('orphan')
    start_again(stored)
    all_is_there(stored)


def test_a_partition_dir_without_a_topic_is_kept(stored):
    """D11: not in metadata never means delete at once."""
    broker = stored.brokers[0]
    broker.stop()
    stray = os.path.join(broker.folder, 'stray-topic-3')
    os.makedirs(stray)
    open(os.path.join(stray, '%020d.log' % 0), 'wb').write(build([b'precious']))
    start_again(stored)
    all_is_there(stored)
    found = [d for d in os.listdir(broker.folder) if d.startswith('stray-topic-3')]
    assert len(found) == 1 and os.path.getsize(os.path.join(broker.folder, found[0], '%020d.log' % 0)) > 0


def test_a_deletion_on_a_disk_that_hangs_does_not_stop_its_broker(make_cluster):
    """A broker that was down hears of it at its start. Its session goes on, and so does what its other replicas are for."""
    cluster = with_metrics(make_cluster(start=False, brokers=2, config={'replica.lag.time.max.ms': 2000}))
    broker, other = cluster.broker(2), cluster.broker(1)
    with_faulty_disk(broker)
    cluster.start()
    doomed, kept = (cluster.create_topic(replication_factor=2, min_insync_replicas=1) for _ in range(2))
    zk = cluster.zookeeper.client()

    def isr():
        with other.connect() as c:
            return sorted(c.metadata([kept], version=9).topics[0].partitions[0].isr_nodes)

    def deleted(timeout_ms=1000):
        with other.connect() as c:
            return error_name(c.call('DeleteTopics', 4, topic_names=[doomed], timeout_ms=timeout_ms).responses[0].error_code)
    try:
        wait(lambda: isr() == [1, 2], 'both are in sync')
        assert broker.stop() == 0
        wait(lambda: isr() == [1], 'one is left')
        assert deleted() in ('NONE', 'REQUEST_TIMED_OUT')
        disk(broker, DELETE_HANGS)
        broker.start()
        wait(lambda: isr() == [1, 2], 'both are in sync again', 30)
        wait(lambda: scrape(broker)['klamm_disk_busy_ms_max'] > 2 * SESSION_MS, 'the disk hangs for longer than a session lives', 30)
        session = zk.get(cluster.chroot + '/brokers/ids/2')[1].czxid
        with cluster.leader_connection(kept) as c:
            assert c.produce(kept, build([b'a'])).error_code == 0
        assert isr() == [1, 2] and broker.partition_folder(doomed)
        disk(broker, 0)
        wait(lambda: broker.partition_folder(doomed) is None, 'it is deleted')
        wait(lambda: not zk.exists(cluster.chroot + '/brokers/topics/' + doomed), 'everywhere')
        assert zk.get(cluster.chroot + '/brokers/ids/2')[1].czxid == session
        cluster.create_topic(doomed, replication_factor=2)
        fill(cluster, doomed, 3)
    finally:
        disk(broker, 0)
        zk.stop()
