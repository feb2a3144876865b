"""Parent and child: what crashes is back at once and its ZooKeeper session is gone at once; what ends for a reason stays ended."""
import os
import signal
import time

import pytest
from kazoo.exceptions import NoNodeError

from batch import build, values
from bystander import Bystander
from cluster import SESSION_MS
from processes import BUILD, live_processes, run, wait, write_properties

pytestmark = pytest.mark.klamm_only
# So that nothing in these tests can be the time-out's doing.
LONG_SESSION_MS = 40000


@pytest.fixture
def zk(zookeeper):
    client = zookeeper.client()
    yield client
    client.stop()


def gone(pid):
    return all(pid != live for live, _, _, _ in live_processes())


def owner(zk, path):
    try:
        return zk.get(path)[1].ephemeralOwner
    except NoNodeError:
        return None


def incarnation(zk, path):
    stat = zk.exists(path)
    return stat.czxid if stat else None


def one_record(cluster, name, value):
    with cluster.leader_connection(name) as c:
        return c.produce(name, build([value])).error_code


def test_a_broker_that_crashes_leaves_zookeeper_at_once_and_is_back(make_cluster, zk):
    cluster = make_cluster(brokers=2, config={'zookeeper.session.timeout.ms': LONG_SESSION_MS})
    broker, name = cluster.brokers[0], None
    while name is None or cluster.leader(name) is not broker:
        name = cluster.create_topic()
    assert one_record(cluster, name, b'before') == 0
    path = cluster.chroot + '/brokers/ids/1'
    for _ in range(3):
        born = incarnation(zk, path)
        with Bystander(cluster, cluster.brokers[1]):
            old = broker.kill_child()
            wait(lambda: incarnation(zk, path) != born, 'the dead one is forgotten', 10, pause=0.002)
            wait(lambda: incarnation(zk, path) not in (None, born), 'it is registered again', 20)
            assert broker.pid != old and gone(old)
            cluster.ready()
            cluster.wait_served(name)
    with cluster.leader_connection(name) as c:
        assert values(c.fetch(name, 0).records) == [b'before']
    assert one_record(cluster, name, b'after') == 0
    wait(lambda: broker.log_text().count('of the dead process is ended') == 3, 'the parent has told what it did')


def test_a_controller_that_crashes_leaves_its_office_at_once(make_cluster, zk):
    cluster = make_cluster(brokers=1, controllers=2)
    path = cluster.chroot + '/controller'
    for controller in cluster.controllers:
        controller.stop()
        write_properties(controller.config, {'controller.id': controller.name[-1], 'zookeeper.connect': cluster.zookeeper_connect,
                                             'zookeeper.session.timeout.ms': LONG_SESSION_MS})
        controller.start()

    def active():
        text = 'connected to ZooKeeper, session 0x%x ' % (owner(zk, path) or 0)
        return next((c for c in cluster.controllers if text in c.log_text()), None)
    for _ in range(2):
        dead, before = wait(active, 'one is in office'), owner(zk, path)
        dead.kill_child()
        wait(lambda: owner(zk, path) not in (None, before), 'another session holds the office', 20, pause=0.002)
        cluster.create_topic()


def test_parent_and_child_killed_together_leave_the_session_to_its_time_out(make_cluster, zk):
    cluster = make_cluster(brokers=2)
    path = cluster.chroot + '/brokers/ids/2'
    child = cluster.broker(2).pid
    started = time.monotonic()
    cluster.broker(2).kill()
    assert gone(child) and zk.exists(path)
    wait(lambda: not zk.exists(path), 'the session ends', SESSION_MS / 1000 + 5)
    assert SESSION_MS / 2000 < time.monotonic() - started


def test_a_child_dies_with_its_parent(make_cluster):
    cluster = make_cluster(brokers=1)
    for daemon in cluster.brokers + cluster.controllers:
        child = daemon.pid
        os.kill(daemon.parent_pid, signal.SIGKILL)
        assert daemon.wait_exit() == -signal.SIGKILL
        wait(lambda: gone(child), 'the child dies, too', 5)


def test_a_start_right_after_the_parent_was_killed(make_cluster):
    cluster = make_cluster(brokers=1)
    broker, name = cluster.brokers[0], cluster.create_topic()
    for _ in range(3):
        os.kill(broker.parent_pid, signal.SIGKILL)
        broker.wait_exit()
        broker.start()
        cluster.ready()
        cluster.wait_served(name)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_passed_on_and_its_status_comes_back(make_cluster, zk, number):
    cluster = make_cluster(brokers=1)
    broker, controller = cluster.brokers[0], cluster.controllers[0]
    children = [broker.pid, controller.pid]
    for daemon in (broker, controller):
        os.kill(daemon.parent_pid, number)
        assert daemon.wait_exit(30) == 0
    assert all(gone(pid) for pid in children)
    assert os.path.exists(broker.folder + '/.kafka_cleanshutdown')
    assert not zk.exists(cluster.chroot + '/brokers/ids/1') and not zk.exists(cluster.chroot + '/controller')


def test_the_end_of_a_terminal_ends_nobody(make_cluster):
    cluster = make_cluster(brokers=1)
    daemons = [cluster.brokers[0], cluster.controllers[0]]
    children = [d.pid for d in daemons]
    for daemon in daemons:
        os.kill(daemon.parent_pid, signal.SIGHUP)
        os.kill(daemon.pid, signal.SIGHUP)
    cluster.create_topic()
    assert [d.pid for d in daemons] == children


def test_a_start_that_cannot_succeed_is_not_tried_again(make_cluster):
    cluster = make_cluster(start=False, brokers=2)
    one, two = cluster.brokers
    two.rows['listeners'] = one.rows['listeners']
    cluster.controllers[0].start()
    one.start()
    cluster.ready()
    two.start()
    assert two.wait_exit(30) == 1
    assert two.log_text().count('cannot start') == 1 and 'started again' not in two.log_text()


def test_ready_does_not_overlook_a_broker_that_has_ended(make_cluster):
    cluster = make_cluster(start=False, brokers=2)
    one, two = cluster.brokers
    two.rows['listeners'] = one.rows['listeners']
    for process in cluster.controllers + cluster.brokers:
        process.start()
        if process is one:
            cluster.ready([one])
    with pytest.raises(AssertionError, match='broker2 ended'):
        cluster.ready()
    two.wait_exit()
    cluster.ready()


def test_pauses_between_crashes_grow(make_cluster):
    cluster = make_cluster(brokers=1, controllers=1)
    controller = cluster.controllers[0]
    for n, pause_ms in enumerate([100, 200, 400, 800]):
        controller.kill_child()
        controller.wait_log('started again in %d ms' % pause_ms)
    assert controller.alive()
    cluster.create_topic()


def test_told_to_stop_while_it_pauses_it_ends(make_cluster):
    cluster = make_cluster(brokers=1, controllers=2)
    controller = cluster.controllers[1]
    for pause_ms in [100, 200, 400, 800, 1600]:
        controller.kill_child()
        controller.wait_log('started again in %d ms' % pause_ms)
    assert controller.stop() == 0 and controller.child_pid() is None


def test_without_a_parent_there_is_one_process(make_cluster):
    cluster = make_cluster(brokers=1, config={'klamm.supervise': 'false'})
    broker = cluster.brokers[0]
    assert broker.pid == broker.popen.pid
    assert [group for _, _, group, _ in live_processes()].count(broker.pid) == 1
    assert broker.stop() == 0


def test_a_parent_holds_little_and_sleeps(make_cluster):
    cluster = make_cluster(brokers=1, config={'zookeeper.session.timeout.ms': LONG_SESSION_MS})
    broker = cluster.brokers[0]
    broker.wait_log('started (Klamm)')

    def status(key):
        with open('/proc/%d/status' % broker.parent_pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith(key + ':'))

    def sockets(pid):
        folder = '/proc/%d/fd' % pid
        return [t for t in (os.readlink(os.path.join(folder, fd)) for fd in os.listdir(folder)) if t.startswith('socket:')]
    assert status('RssAnon') < 1500 and status('Threads') == 1
    assert sockets(broker.parent_pid) == [] and sockets(broker.pid) != []
    before = status('voluntary_ctxt_switches')
    name = cluster.create_topic()
    with cluster.leader_connection(name) as c:
        for _ in range(200):
            assert c.produce(name, build([b'x'])).error_code == 0
    assert status('voluntary_ctxt_switches') == before


def test_check_config_starts_nothing(tmp_path):
    path = write_properties(str(tmp_path / 'c.properties'), {'controller.id': 1, 'zookeeper.connect': '127.0.0.1:1', 'klamm.supervise': 'maybe'})
    status, out, err = run([BUILD + '/klamm-controller', '--check-config', path])
    assert status == 1 and 'klamm.supervise' in err and 'true' in err
