"""Processes under test: started on loopback with free ports, watched by conditions with bounds, ended always."""
import ctypes
import glob
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
BUILD = os.path.abspath(os.environ.get('KLAMM_BUILDDIR', os.path.join(TOP, 'build')))
CACHE = os.environ.get('KLAMM_TEST_CACHE', os.path.expanduser('~/.cache/klamm-test'))
TARGET = os.environ.get('SYSTEM_TARGET', 'klamm')
KAFKA_JARS = os.path.join(CACHE, 'kafka')
COMPAT = os.path.join(TOP, 'test', 'compat')
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def wait(condition, what, seconds=20, pause=0.02):
    """The first true value of condition(); or an AssertionError that says what did not happen."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError('after %g s still not: %s' % (seconds, what() if callable(what) else what))
        time.sleep(pause)


ports = itertools.cycle(range(int(os.environ.get('KLAMM_TEST_PORT', 19000)), int(os.environ.get('KLAMM_TEST_PORT', 19000)) + 1000))


def free_port():
    for port in ports:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(('127.0.0.1', port))
            except OSError:
                continue
            return port


def port_open(port):
    with socket.socket() as s:
        return s.connect_ex(('127.0.0.1', port)) == 0


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Folder:
    """A temporary folder; KLAMM_TEST_KEEP=1 keeps it and prints where it is."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix='klamm-test-')

    def __truediv__(self, name):
        return os.path.join(self.path, name)

    def remove(self):
        if os.environ.get('KLAMM_TEST_KEEP'):
            print('kept: ' + self.path)
        else:
            shutil.rmtree(self.path, ignore_errors=True)


def live_processes():
    """(pid, parent, group, name) of all that live."""
    for number in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/stat' % number) as f:
                head, _, rest = f.read().rpartition(')')
        except OSError:
            continue
        state, parent, group = rest.split()[:3]
        if state not in 'ZX':
            yield int(number), int(parent), int(group), head.partition('(')[2]


class Process:
    """One program, in a process group of its own, with its output in a file."""
    running = set()
    ended = []
    keep_ended = 8

    def __init__(self, name, argv, log, env=None):
        self.name, self.argv, self.log, self.env, self.popen = name, argv, log, env, None
        self.wanted = False  # started, and nobody has ended it or waited for its end

    def start(self):
        assert not self.alive()
        with open(self.log, 'ab') as out:
            self.popen = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                                          preexec_fn=die_with_parent, env=dict(os.environ, **(self.env or {})))
        Process.running.add(self)
        self.wanted = True
        return self

    @staticmethod
    def known_now():
        """What runs, and what ended last."""
        return list(Process.running) + [p for p in Process.ended if p not in Process.running]

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    @property
    def pid(self):
        return self.popen.pid

    def signal(self, number):
        if self.alive():
            os.killpg(self.popen.pid, number)

    def wait_exit(self, seconds=20):
        """The exit status."""
        self.wanted = False
        wait(lambda: not self.alive(), '%s ends' % self.name, seconds)
        Process.running.discard(self)
        Process.ended = ([self] + [p for p in Process.ended if p is not self])[:Process.keep_ended]
        return self.popen.returncode

    def kill(self):
        """As a crash: SIGKILL, no good-bye."""
        if self.popen is not None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)
            self.wait_exit()
            wait(lambda: all(group != self.popen.pid for _, _, group, _ in live_processes()), 'all processes of %s are gone' % self.name)

    def stop(self, seconds=30):
        """As an operator does: SIGTERM, then wait. The exit status."""
        if self.alive():
            self.popen.send_signal(signal.SIGTERM)
        return self.wait_exit(seconds)

    def freeze(self):
        """Returns when all of it stands still: on a loaded machine threads may go on for a while after the signal."""
        self.signal(signal.SIGSTOP)
        wait(lambda: set(self.thread_states()) == {'T'}, '%s stands still' % self.name)

    def thread_states(self):
        """As the kernel tells them, of the process and its child where it has one."""
        with open('/proc/%d/task/%d/children' % (self.pid, self.pid)) as f:
            pids = [self.pid] + [int(pid) for pid in f.read().split()]
        for path in [p for pid in pids for p in glob.glob('/proc/%d/task/*/stat' % pid)]:
            with open(path) as f:
                yield f.read().rpartition(')')[2].split()[0]

    def thaw(self):
        self.signal(signal.SIGCONT)

    def log_text(self):
        try:
            with open(self.log, errors='replace') as f:
                return f.read()
        except OSError:
            return ''

    def wait_log(self, text, seconds=20):
        wait(lambda: text in self.log_text(), lambda: '%r in the log of %s:\n%s' % (text, self.name, self.log_text()[-2000:]), seconds)

    def rss_kb(self):
        with open('/proc/%d/status' % self.pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith('VmRSS:'))

    def open_files(self):
        return len(os.listdir('/proc/%d/fd' % self.pid))


class Daemon(Process):
    """klamm-broker or klamm-controller: a parent, which is what was started, and the child that works."""
    crashes_seen = 0
    has_parent = True  # false with klamm.supervise=false, and for Kafka

    def child_pid(self):
        """None between two lives."""
        if not self.has_parent:
            return self.popen.pid
        # A process that was just forked has its parent's name; only the child that works takes the program's.
        others = ('klamm-parent', 'klamm-closer')
        return next((pid for pid, parent, _, name in live_processes() if parent == self.popen.pid and name not in others), None)

    @property
    def pid(self):
        return wait(self.child_pid, 'a child of %s works' % self.name)

    @property
    def parent_pid(self):
        return self.popen.pid

    def kill_child(self):
        """A crash of the working process alone: its parent starts it again. The pid it had."""
        pid = self.pid
        self.crashes_seen += 1
        os.kill(pid, signal.SIGKILL)
        return pid

    def crashes(self):
        """How often it crashed without the test's doing, since it was asked last."""
        told = self.log_text().count('it is started again in')
        new, self.crashes_seen = told - self.crashes_seen, max(told, self.crashes_seen)
        return max(new, 0)


def kill_all():
    for process in list(Process.running):
        process.kill()


def write_properties(path, rows):
    with open(path, 'w') as f:
        f.writelines('%s=%s\n' % row for row in rows.items())
    return path


class ZooKeeper(Process):
    """One real ZooKeeper server. Its data outlives a restart."""

    def __init__(self, folder, name='zookeeper', tick_ms=200):
        self.port, data = free_port(), folder / (name + '.data')
        os.makedirs(data)
        config = write_properties(folder / (name + '.cfg'), {
            'tickTime': tick_ms, 'initLimit': 50, 'syncLimit': 25, 'dataDir': data, 'clientPort': self.port, 'clientPortAddress': '127.0.0.1',
            'admin.enableServer': 'false', '4lw.commands.whitelist': '*', 'maxClientCnxns': 0, 'minSessionTimeout': 400,
            'maxSessionTimeout': 60000})
        super().__init__(name, [
            'java', '-Xms16m', '-Xmx192m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dzookeeper.forceSync=no',
            '-Dzookeeper.preAllocSize=64', '-cp', '/usr/share/java/slf4j-simple.jar:/usr/share/java/zookeeper.jar',
            'org.apache.zookeeper.server.quorum.QuorumPeerMain', config], folder / (name + '.log'))

    def four_letters(self, word):
        try:
            with socket.create_connection(('127.0.0.1', self.port), timeout=5) as s:
                s.sendall(word.encode())
                return b''.join(iter(lambda: s.recv(65536), b'')).decode()
        except OSError:
            return ''

    def ready(self):
        wait(lambda: 'Mode:' in self.four_letters('srvr'), 'ZooKeeper answers', 30)
        return self

    @property
    def address(self):
        return '127.0.0.1:%d' % self.port

    def client(self):
        """A kazoo client, connected; the caller stops it."""
        import logging
        from kazoo.client import KazooClient
        logging.getLogger('kazoo').setLevel(logging.CRITICAL)
        client = KazooClient(hosts=self.address, timeout=10)
        client.start(timeout=20)
        return client


def fetch_jars():
    """Kafka's own jars, by Maven, once."""
    if not os.path.isdir(KAFKA_JARS) or not any(n.startswith('kafka_2.13') for n in os.listdir(KAFKA_JARS)):
        subprocess.run(['mvn', '-q', '-B', '-f', os.path.join(COMPAT, 'pom.xml'), 'dependency:copy-dependencies', '-DincludeScope=runtime',
                        '-DoutputDirectory=' + KAFKA_JARS], check=True, stdin=subprocess.DEVNULL)


def java(heap_mb, level, main, *args):
    fetch_jars()
    return ['java', '-Xms%dm' % min(heap_mb, 256), '-Xmx%dm' % heap_mb, '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC',
            '-Dklamm.log.level=' + level, '-Dlog4j.configuration=file:' + os.path.join(COMPAT, 'log4j.properties'),
            '-cp', KAFKA_JARS + '/*', main] + [str(a) for a in args]


TOOLS = {
    'topics': 'org.apache.kafka.tools.TopicCommand', 'configs': 'kafka.admin.ConfigCommand',
    'get-offsets': 'org.apache.kafka.tools.GetOffsetShell', 'delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
    'dump-log': 'kafka.tools.DumpLogSegments', 'broker-api-versions': 'kafka.admin.BrokerApiVersionsCommand',
    'console-producer': 'kafka.tools.ConsoleProducer', 'console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
    'producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
    'consumer-perf-test': 'org.apache.kafka.tools.ConsumerPerformance',
    'verifiable-producer': 'org.apache.kafka.tools.VerifiableProducer',
    'verifiable-consumer': 'org.apache.kafka.tools.VerifiableConsumer',
    'consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand', 'leader-election': 'org.apache.kafka.tools.LeaderElectionCommand',
    'reassign-partitions': 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand',
    'replica-verification': 'org.apache.kafka.tools.ReplicaVerificationTool'}


def kafka_tool(name, *args, stdin=None, timeout=90):
    """One of Kafka's own programs: (exit status, output)."""
    done = subprocess.run(java(256, 'WARN', TOOLS[name], *args), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=timeout, **({} if stdin is not None else {'stdin': subprocess.DEVNULL}))
    return done.returncode, done.stdout


def run(argv, stdin=None, timeout=60):
    """(exit status, standard output, standard error) of a command that must end by itself."""
    done = subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, timeout=timeout,
                          **({} if stdin is not None else {'stdin': subprocess.DEVNULL}))
    return done.returncode, done.stdout.decode(errors='replace'), done.stderr.decode(errors='replace')
