"""Starts, stops, crashes: of brokers, controllers and ZooKeeper, while clients work."""
import threading
import time

import pytest
from kazoo.exceptions import NoNodeError

from batch import CODECS, build, now_ms, records, values
from bystander import Bystander
from cluster import SESSION_MS, Cluster
from processes import Folder, TARGET, ZooKeeper, run, wait, write_properties
from wire import Closed, error_name

TAKEOVER_SECONDS = SESSION_MS / 1000 + 10


def fill(cluster, name, n=20, partition=0, size=200):
    with cluster.leader_connection(name, partition) as c:
        for i in range(n):
            codec = list(CODECS.values())[i % len(CODECS)]
            answer = c.produce(name, build([(b'k%d' % i, b'%d ' % i + b'x' * size, [(b'h', b'%d' % i)], now_ms() - 1000 + i)] * 3, codec),
                               partition=partition)
            assert answer.error_code == 0, answer


def restart(cluster, broker, how):
    status = broker.stop() if how == 'stop' else broker.kill()
    if how == 'stop':
        assert status == (0 if broker.target == 'klamm' else 143)
    broker.start()
    cluster.ready()


@pytest.mark.parametrize('how', ['stop', 'kill'])
def test_everything_is_there_after_a_restart(make_cluster, how):
    cluster = make_cluster()
    name = cluster.create_topic(partitions=3, segment_bytes=5000)
    for partition in range(3):
        fill(cluster, name, 30, partition)
    before = [cluster.read_all(name, p) for p in range(3)]
    configs = cluster.topic_config(name, 'segment.bytes')
    topic_id = cluster.topic_id(name)
    for _ in range(2):
        restart(cluster, cluster.brokers[0], how)
        cluster.wait_leaders(name, 3)
        assert [cluster.read_all(name, p) for p in range(3)] == before
        assert cluster.topic_config(name, 'segment.bytes') == configs and cluster.topic_id(name) == topic_id
    fill(cluster, name, 2)
    assert cluster.read_all(name).startswith(before[0])


def durable_ends(broker, name):
    """What klamm.run says is on the disk, by partition."""
    with open(broker.folder + '/klamm.run') as f:
        rows = [line.split() for line in f]
    return {int(row[1]): int(row[2]) for row in rows if len(row) == 3 and row[0] == name}


def bytes_read(pid):
    with open('/proc/%d/io' % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith('rchar:'))


@pytest.mark.klamm_only
def test_after_a_crash_only_what_was_not_synced_is_looked_through(make_cluster):
    cluster = make_cluster()
    broker, name = cluster.brokers[0], cluster.create_topic(partitions=2, segment_bytes=8 << 20)
    megabyte = [b'x' * 1000] * 900
    for _ in range(25):
        for partition in (0, 1):
            with cluster.leader_connection(name, partition) as c:
                assert c.produce(name, build(megabyte), partition=partition).error_code == 0
    wait(lambda: durable_ends(broker, name) == {0: 25 * 900, 1: 25 * 900}, 'what is durable is written down', 30)
    fill(cluster, name, 3)
    broker.kill_child()
    cluster.ready()
    cluster.wait_leaders(name, 2)
    # 45 MB lie there; the last producer snapshot, the index tails and the tail itself are far less.
    assert bytes_read(broker.pid) < 3 << 20
    with cluster.leader_connection(name) as c:
        assert c.list_offset(name, -1).offset == 25 * 900 + 9


@pytest.mark.klamm_only
def test_deleted_records_do_not_come_back_after_a_crash(make_cluster):
    cluster = make_cluster()
    broker, name = cluster.brokers[0], cluster.create_topic(partitions=20)
    for partition in range(20):
        fill(cluster, name, 4, partition)
    for offset in (3, 7, 12):
        with cluster.leader_connection(name) as c:
            answer = c.call('DeleteRecords', 2, timeout_ms=10000, topics=[
                {'name': name, 'partitions': [{'partition_index': p, 'offset': offset} for p in range(20)]}])
        broker.kill_child()
        assert [p.error_code for p in answer.topics[0].partitions] == [0] * 20
        cluster.ready()
        cluster.wait_leaders(name, 20)
        with cluster.leader_connection(name) as c:
            assert [c.list_offset(name, -2, p).offset for p in range(20)] == [offset] * 20


def test_the_clean_marker_is_there_only_while_stopped(make_cluster):
    import os
    cluster = make_cluster()
    broker = cluster.brokers[0]
    marker = broker.folder + '/.kafka_cleanshutdown'
    assert not os.path.exists(marker)
    broker.stop()
    assert os.path.exists(marker)
    broker.start()
    cluster.ready()
    assert not os.path.exists(marker)


def test_what_was_acked_survives_crashes_under_load(make_cluster):
    cluster = make_cluster()
    broker, name = cluster.brokers[0], cluster.create_topic(partitions=2)
    acked, running = {0: [], 1: []}, threading.Event()
    running.set()

    def write(partition):
        i = 0
        while running.is_set():
            try:
                with broker.connect(timeout=5) as c:
                    while running.is_set():
                        value = b'%d' % i
                        answer = c.produce(name, build([value] * (1 + i % 5), list(CODECS.values())[i % 5]), partition=partition)
                        if answer.error_code == 0:
                            acked[partition].append((answer.base_offset, value))
                        i += 1
            except (OSError, Closed):
                time.sleep(0.02)
    writers = [threading.Thread(target=write, args=[p]) for p in acked]
    for w in writers:
        w.start()
    for _ in range(3):
        goal = {p: len(acked[p]) + 50 for p in acked}
        wait(lambda: all(len(acked[p]) > goal[p] for p in acked), 'writers make progress', 60)
        broker.kill()
        broker.start()
        cluster.ready()
    running.clear()
    for w in writers:
        w.join()
    cluster.wait_leaders(name, 2)
    for partition, written in acked.items():
        got = {r.offset: r.value for r in records(cluster.read_all(name, partition))}
        lost = [(o, v) for o, v in written if got.get(o) != v]
        assert not lost, 'acked and not there: %s' % lost[:5]
        assert sorted(got) == list(range(len(got)))


def test_stop_under_load_is_clean_and_quick(make_cluster):
    cluster = make_cluster(brokers=2)
    name = cluster.create_topic(partitions=2)
    leader = cluster.leader(name, 0)
    waiting = leader.connect()
    waiting.send('Fetch', 11, waiting.fetch_body(name, 0, max_wait_ms=60000, min_bytes=1 << 20))
    fill(cluster, name, 5)
    started = time.monotonic()
    assert leader.stop() == (0 if TARGET == 'klamm' else 143)
    assert time.monotonic() - started < 15
    waiting.close()


# controllers

@pytest.mark.klamm_only
@pytest.mark.parametrize('how', ['kill', 'stop', 'freeze'])
def test_another_controller_takes_over(make_cluster, how):
    cluster = make_cluster(brokers=2, controllers=2)
    name = cluster.create_topic(partitions=2)

    def in_office():
        zk = cluster.zookeeper.client()
        try:
            owner = zk.get(cluster.chroot + '/controller')[1].ephemeralOwner
        except NoNodeError:
            return None
        finally:
            zk.stop()
        text = 'connected to ZooKeeper, session 0x%x ' % owner
        return next((c for c in cluster.controllers if c.alive() and text in c.log_text()), None)
    active = wait(in_office, 'a controller says which session it has')
    with Bystander(cluster, cluster.brokers[0]):
        getattr(active, how)()
        wait(lambda: in_office() not in (None, active), 'the other one is in office', TAKEOVER_SECONDS)
        new = cluster.create_topic(partitions=2)
        fill(cluster, new, 3)
        if how == 'freeze':
            active.thaw()
            assert active.alive()
            another = cluster.create_topic(partitions=2)
            fill(cluster, another, 3)
            assert in_office() is not active
    fill(cluster, name, 3)
    assert how == 'freeze' or not active.alive()


@pytest.mark.klamm_only
def test_a_broker_that_dies_without_a_controller(make_cluster):
    cluster = make_cluster(brokers=2)
    name = cluster.create_topic(partitions=2)
    dead = cluster.leader(name, 0)
    other = next(b for b in cluster.brokers if b is not dead)
    cluster.controllers[0].kill()
    with other.connect() as c:
        dead.kill()
        assert c.is_usable()
    cluster.controllers[0].start()
    with other.connect() as c:
        def offline():
            return next(p for p in c.metadata([name], version=9).topics[0].partitions if p.partition_index == 0).leader_id == -1
        wait(offline, 'the new controller sees that it died', TAKEOVER_SECONDS)
    dead.start()
    cluster.ready()
    cluster.wait_leaders(name, 2)
    fill(cluster, name, 2)


@pytest.mark.klamm_only
def test_without_a_controller_brokers_serve_on_and_admin_requests_time_out(make_cluster):
    cluster = make_cluster()
    name = cluster.create_topic()
    cluster.controllers[0].kill()
    time_out = 2000
    with cluster.connect() as c:
        wait(lambda: c.is_usable(), 'it answers')
        fill(cluster, name, 5)
        started = time.monotonic()
        answer = c.call('CreateTopics', 5, timeout_ms=time_out, topics=[
            {'name': 'later', 'num_partitions': 1, 'replication_factor': 1, 'assignments': [], 'configs': []}]).topics[0]
        assert error_name(answer.error_code) in ('REQUEST_TIMED_OUT', 'NOT_CONTROLLER') and time.monotonic() - started < 10
    cluster.controllers[0].start()
    cluster.wait_leaders('later') if error_name(answer.error_code) == 'REQUEST_TIMED_OUT' else cluster.create_topic()
    fill(cluster, name, 1)


@pytest.mark.klamm_only
def test_brokers_may_come_before_controllers(make_cluster):
    cluster = make_cluster(start=False, brokers=2)
    for broker in cluster.brokers:
        broker.start()
    zk = cluster.zookeeper.client()
    wait(lambda: zk.exists(cluster.chroot + '/brokers/ids') and len(zk.get_children(cluster.chroot + '/brokers/ids')) == 2, 'both registered')
    zk.stop()
    cluster.controllers[0].start()
    cluster.ready()
    fill(cluster, cluster.create_topic(), 1)


# ZooKeeper

@pytest.fixture
def own_zookeeper():
    folder = Folder()
    server = ZooKeeper(folder)
    yield server
    server.kill()
    folder.remove()


@pytest.mark.klamm_only
def test_zookeeper_down_at_start(make_cluster, own_zookeeper):
    cluster = make_cluster(start=False, zookeeper=own_zookeeper)
    for process in cluster.controllers + cluster.brokers:
        process.start()
    for process in cluster.controllers + cluster.brokers:
        process.wait_log('no server of %s' % cluster.zookeeper.address)
    own_zookeeper.start().ready()
    cluster.ready()
    fill(cluster, cluster.create_topic(), 2)


def test_zookeeper_restarts(make_cluster, own_zookeeper):
    own_zookeeper.start().ready()
    cluster = make_cluster(zookeeper=own_zookeeper, brokers=2)
    name = cluster.create_topic(partitions=2)
    for how in ('stop', 'kill'):
        with Bystander(cluster, cluster.brokers[0]):
            getattr(own_zookeeper, how)()
            own_zookeeper.start().ready()
            fill(cluster, cluster.create_topic(partitions=2), 2)
        cluster.ready()
    fill(cluster, name, 2)


@pytest.mark.klamm_only
def test_traffic_goes_on_without_zookeeper(make_cluster, own_zookeeper):
    own_zookeeper.start().ready()
    cluster = make_cluster(zookeeper=own_zookeeper, brokers=2)
    name = cluster.create_topic(partitions=2)
    with Bystander(cluster, cluster.brokers[0]) as good, Bystander(cluster, cluster.brokers[1]) as other:
        own_zookeeper.freeze()
        until = time.monotonic() + 3 * SESSION_MS / 1000
        seen = good.acked
        wait(lambda: time.monotonic() > until or good.trouble, 'three session time-outs go by', 60)
        assert good.acked > seen + 100
        fill(cluster, name, 3)
        # All sessions are over when it comes back: leaders step down until they are confirmed, as clients know it.
        good.patient = other.patient = True
        own_zookeeper.thaw()
        cluster.ready()
        wait(lambda: cluster.create_topic(partitions=2), 'topics can be made again', 60)
    fill(cluster, name, 2)


@pytest.mark.klamm_only
def test_a_broker_whose_session_expired_registers_again(make_cluster):
    cluster = make_cluster(brokers=2)
    name = cluster.create_topic(partitions=4)
    frozen = cluster.broker(2)
    zk = cluster.zookeeper.client()
    path = cluster.chroot + '/brokers/ids/2'
    born = zk.exists(path).czxid
    frozen.freeze()
    wait(lambda: not zk.exists(path), 'its session expires', 30)
    with cluster.connect(1) as c:
        wait(lambda: [b.node_id for b in c.metadata([]).brokers] == [1], 'broker 1 alone is told')
    frozen.thaw()
    wait(lambda: zk.exists(path) and zk.exists(path).czxid > born, 'it registers again', 30)
    cluster.ready()
    cluster.wait_leaders(name, 4)
    for partition in range(4):
        fill(cluster, name, 2, partition)
    assert frozen.alive() and 'expired' in frozen.log_text()
    zk.stop()


# refusals at the start

def refuses_to_start(broker, *words, seconds=30):
    broker.start()
    status = broker.wait_exit(seconds)
    assert status not in (0, None) and status > 0, 'ended by signal %s' % status if status and status < 0 else status
    text = broker.log_text()
    assert all(w in text for w in words), text[-2000:]


@pytest.mark.klamm_only
def test_a_second_broker_with_the_same_id(make_cluster):
    cluster = make_cluster()
    first = cluster.brokers[0]
    twin = Cluster.__new__(Cluster)
    twin.__dict__.update(cluster.__dict__)
    from cluster import Broker
    twin.folder = Folder()
    second = Broker(twin, 1, 'klamm', {})
    with Bystander(cluster, first):
        second.start()
        wait(lambda: not second.alive() or 'registered' in second.log_text() or 'broker 1' in second.log_text(), 'it says why it waits', 60)
        second.wait_exit(60)
        assert second.popen.returncode > 0 and '1' in second.log_text()
    assert first.alive()
    twin.folder.remove()


@pytest.mark.klamm_only
def test_a_broker_restarted_before_its_old_session_ends_waits_for_it(make_cluster):
    cluster = make_cluster()
    name = cluster.create_topic()
    fill(cluster, name, 3)
    cluster.brokers[0].kill()
    cluster.brokers[0].start()
    cluster.ready()
    cluster.wait_served(name)
    fill(cluster, name, 3)


@pytest.mark.klamm_only
def test_log_dir_of_another_broker(make_cluster):
    cluster = make_cluster(brokers=2)
    one, two = cluster.brokers
    two.stop()
    one.stop()
    two.rows['log.dirs'] = one.folder
    refuses_to_start(two, one.folder, 'broker.id')


@pytest.mark.klamm_only
def test_log_dir_of_another_cluster(make_cluster):
    cluster, other = make_cluster(), make_cluster()
    cluster.brokers[0].stop()
    other.brokers[0].stop()
    cluster.brokers[0].rows['log.dirs'] = other.brokers[0].folder
    refuses_to_start(cluster.brokers[0], other.brokers[0].folder, 'cluster')


@pytest.mark.klamm_only
def test_log_dir_in_use(make_cluster):
    cluster = make_cluster(start=False, brokers=2)
    one, two = cluster.brokers
    two.rows['log.dirs'] = one.folder
    one.start()
    cluster.controllers[0].start()
    cluster.ready()
    refuses_to_start(two, one.folder)
    assert one.alive()


@pytest.mark.klamm_only
def test_port_in_use(make_cluster):
    cluster = make_cluster(start=False, brokers=2)
    one, two = cluster.brokers
    two.rows['listeners'] = one.rows['listeners']
    one.start()
    cluster.controllers[0].start()
    cluster.ready()
    refuses_to_start(two, str(one.port))


def broker_says(tmp_path, rows, *options):
    path = write_properties(str(tmp_path / 'server.properties'), rows)
    from processes import BUILD
    status, out, err = run([BUILD + '/klamm-broker', *options, path])
    return status, out + err, path


GOOD = {'broker.id': 1, 'zookeeper.connect': '127.0.0.1:2181', 'log.dirs': '/tmp/klamm-test-none', 'listeners': 'PLAINTEXT://127.0.0.1:19999'}


@pytest.mark.klamm_only
@pytest.mark.parametrize('key, value, words', [
    ('num.partitions', 'many', ['many']), ('num.partitions', '-3', ['-3']), ('log.cleanup.policy', 'burn', ['burn', 'delete', 'compact']),
    ('listeners', 'nonsense', ['nonsense']), ('log.retention.ms', '99999999999999999999', ['99999999999999999999']),
    ('auto.create.topics.enable', 'maybe', ['maybe', 'true', 'false'])])
def test_a_config_error_names_file_line_key_value_and_what_is_allowed(tmp_path, key, value, words):
    rows = dict(GOOD)
    rows.pop(key, None)
    rows[key] = value
    for options in ([], ['--check-config']):
        status, text, path = broker_says(tmp_path, rows, *options)
        assert status == 2 and key in text and '%s:%d' % (path, len(rows)) in text, text
        assert all(w in text for w in words), text


@pytest.mark.klamm_only
def test_check_config_and_set(tmp_path):
    status, text, path = broker_says(tmp_path, GOOD, '--check-config')
    assert status == 0 and 'good' in text
    status, text, _ = broker_says(tmp_path, dict(GOOD, **{'num.partition': '3'}), '--check-config')
    assert status == 0 and 'num.partition;' in text and 'num.partitions' in text, text
    status, text, _ = broker_says(tmp_path, GOOD, '--check-config', '--set', 'num.partitions=x')
    assert status == 2 and 'num.partitions' in text and '--set' in text
    status, text, _ = broker_says(tmp_path, {k: v for k, v in GOOD.items() if k != 'zookeeper.connect'}, '--check-config')
    assert status == 2 and 'zookeeper.connect' in text


def test_many_topics_over_a_restart(make_cluster):
    cluster = make_cluster(brokers=1)
    names = [cluster.create_topic(partitions=100) for _ in range(3)]
    for name in names:
        fill(cluster, name, 1, partition=50)
    restart(cluster, cluster.brokers[0], 'stop')
    for name in names:
        cluster.wait_leaders(name, 100)
        assert len(values(cluster.read_all(name, 50))) == 3


def test_a_topic_deleted_while_its_broker_was_down(make_cluster):
    cluster = make_cluster(brokers=2)
    name = cluster.create_topic(partitions=2)
    fill(cluster, name, 3, 0)
    fill(cluster, name, 3, 1)
    down = cluster.broker(2)
    down.stop()
    with cluster.connect(1) as c:
        wait(lambda: [b.node_id for b in c.metadata([]).brokers] == [1], 'broker 1 alone is told')
        assert c.call('DeleteTopics', 4, topic_names=[name], timeout_ms=20000).responses[0].error_code == 0
    down.start()
    cluster.ready()
    wait(lambda: down.partition_folder(name, 0) is None and down.partition_folder(name, 1) is None, 'its files go', 60)
    with cluster.connect(1) as c:
        def made():
            return c.call('CreateTopics', 5, timeout_ms=20000, topics=[{
                'name': name, 'num_partitions': 2, 'replication_factor': 1, 'assignments': [], 'configs': []}]).topics[0].error_code == 0
        wait(made, 'it can be made again', 60)
    cluster.wait_leaders(name, 2)
    for partition in (0, 1):
        assert cluster.read_all(name, partition) == b''
