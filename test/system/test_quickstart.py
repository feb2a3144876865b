"""tools/quickstart as a newcomer uses it, with ports and a folder of its own."""
import os
import random
import re
import socket
import subprocess

import pytest

from processes import BUILD, TOP, Folder

pytestmark = pytest.mark.klamm_only
PORTS = [2181, 9092, 9093, 9094, 9192, 9193, 9194]


def is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(('127.0.0.1', port))
            return True
        except OSError:
            return False


@pytest.fixture
def quickstart():
    folder = Folder()
    up = next(n for n in random.sample(range(12000, 22000), 1000) if all(is_free(port + n) for port in PORTS))
    env = dict(os.environ, KLAMM_BUILDDIR=BUILD, KLAMM_QUICKSTART_HOME=folder.path, KLAMM_PORTS_UP=str(up))

    def call(*words, status=0, seconds=90):
        done = subprocess.run([os.path.join(TOP, 'tools', 'quickstart'), *words], env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds)
        assert done.returncode == status, done.stdout
        return done.stdout
    yield call
    call('clean')
    assert not os.path.exists(folder.path)


def test_quickstart_starts_shows_kills_and_stops(quickstart):
    text = quickstart()
    written, read = re.search(r'writes: +(.*)', text), re.search(r'reads: +(.*)', text)
    assert written.group(1) == read.group(1)
    text = quickstart('status')
    assert text.count(' running, process') == 6 and 'greetings' in text
    text = quickstart('kill', '2')
    told = re.findall(r'acknowledged: (\d+) records; read back: (\d+); lost: 0; twice: 0', text)
    assert len(told) == 2 and all(int(written) == int(read) > 100 for written, read in told), text
    assert 'started by its parent' in text
    # What runs is left as it is.
    quickstart()
    quickstart('stop')
    assert quickstart('status', status=1).count('not running') == 6


def test_quickstart_says_what_it_does_not_understand(quickstart):
    assert 'which broker' in quickstart('kill', '4', status=1)
    assert 'does not run' in quickstart('kill', '1', status=1)
    assert 'tools/quickstart status' in quickstart('nonsense', status=2)
