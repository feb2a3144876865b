"""The harness is that of test/system; a failed test shows the ends of the logs of all that runs."""
import os
import signal
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'system')]
sys.dont_write_bytecode = True

import processes
from processes import BUILD, Process, ZooKeeper

TEST_SECONDS = 240


def pytest_report_header():
    return 'judged: %s' % BUILD


def too_long(*_):
    raise AssertionError('the test takes too long')


@pytest.fixture(autouse=True, scope='session')
def time_limit():
    signal.signal(signal.SIGALRM, too_long)
    yield
    processes.kill_all()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed and os.environ.get('KLAMM_TEST_LOGS') != '0':
        for process in sorted(Process.known_now(), key=lambda p: p.name):
            if not isinstance(process, ZooKeeper):
                report.sections.append(('log of %s (%s)' % (process.name, 'runs' if process.alive() else 'ended'), process.log_text()[-2500:]))
