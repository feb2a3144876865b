"""Fixtures. One ZooKeeper serves all clusters of a run (each under its own chroot); tests that harm ZooKeeper make their own."""
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import processes
from cluster import Cluster
from processes import BUILD, TARGET, Folder, Process, ZooKeeper

TEST_SECONDS = 180


def pytest_configure(config):
    config.addinivalue_line('markers', 'klamm_only: tests what only Klamm promises; left out when the target is Kafka')
    config.addinivalue_line('markers', 'seconds(n): may take longer than %d s' % TEST_SECONDS)


def pytest_report_header():
    return 'target: %s' % (BUILD if TARGET == 'klamm' else 'Apache Kafka 3.9')


def pytest_collection_modifyitems(config, items):
    if TARGET == 'klamm':
        return
    left_out = [i for i in items if i.get_closest_marker('klamm_only')]
    items[:] = [i for i in items if i not in left_out]
    config.hook.pytest_deselected(items=left_out)


def too_long(*_):
    raise AssertionError('the test takes too long')


@pytest.fixture(autouse=True)
def time_limit(request):
    mark = request.node.get_closest_marker('seconds')
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(mark.args[0] if mark else TEST_SECONDS)
    yield
    signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the ends of the logs of all that runs."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and os.environ.get('KLAMM_TEST_LOGS') != '0':
        for process in sorted(Process.known_now(), key=lambda p: p.name):
            if isinstance(process, ZooKeeper) and process.alive():
                continue
            report.sections.append(('log of %s (%s)' % (process.name, 'runs' if process.alive() else 'ended'), process.log_text()[-4000:]))


@pytest.fixture(scope='session', autouse=True)
def nothing_stays():
    yield
    processes.kill_all()


@pytest.fixture(scope='session')
def zookeeper():
    folder = Folder()
    server = ZooKeeper(folder).start().ready()
    yield server
    server.kill()
    folder.remove()


@pytest.fixture(scope='session')
def shared_by_all(zookeeper):
    cluster = Cluster(zookeeper, brokers=3).start()
    yield cluster
    cluster.close()


@pytest.fixture(scope='session')
def single_by_all(zookeeper):
    cluster = Cluster(zookeeper, brokers=1, config={
        'log.retention.check.interval.ms': 500, 'log.initial.task.delay.ms': 500, 'log.segment.delete.delay.ms': 1000}).start()
    yield cluster
    cluster.close()


def still_whole(cluster):
    """A process that ended is the fault of the test that was running; the next test finds the cluster whole again."""
    ended = [p for p in cluster.processes if not p.alive()]
    if ended:
        told = ['%s ended with %d:\n%s' % (p.name, p.popen.returncode, p.log_text()[-3000:]) for p in ended]
        for process in ended:
            process.start()
        cluster.ready()
        raise AssertionError('\n'.join(told))
    crashed = cluster.crashes()
    assert not crashed, 'crashed: %s' % crashed


@pytest.fixture
def shared(shared_by_all):
    """Three brokers for tests that harm nothing but their own topics."""
    yield shared_by_all
    still_whole(shared_by_all)


@pytest.fixture
def single(single_by_all):
    """One broker, that looks after retention twice a second."""
    yield single_by_all
    still_whole(single_by_all)


@pytest.fixture
def make_cluster(zookeeper):
    """make_cluster(brokers=.., controllers=.., config={..}): started, and ended with the test."""
    made = []

    def make(start=True, **options):
        options.setdefault('zookeeper', zookeeper)
        cluster = Cluster(**options)
        made.append(cluster)
        return cluster.start() if start else cluster
    yield make
    for cluster in made:
        cluster.close()


@pytest.fixture
def topic(shared):
    """A topic of one partition on the shared cluster, and a connection to its leader in topic.c."""
    class Topic(str):
        pass
    name = Topic(shared.create_topic())
    name.c = shared.leader_connection(name)
    yield name
    name.c.close()
