"""What is measured, and what it needs: ZooKeeper, Kafka, Klamm; on loopback, started and ended by number."""
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
BUILD = os.path.abspath(os.environ.get('KLAMM_BUILDDIR', os.path.join(TOP, 'build')))
JARS = os.path.join(os.environ.get('KLAMM_TEST_CACHE', os.path.expanduser('~/.cache/klamm-test')), 'kafka')
POM = os.path.join(TOP, 'test', 'compat', 'pom.xml')
LOG4J = os.path.join(TOP, 'test', 'compat', 'log4j.properties')
PR_SET_PDEATHSIG = 1
TICKS = os.sysconf('SC_CLK_TCK')
libc = ctypes.CDLL(None)


def wait(condition, what, seconds=60, pause=0.005):
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise RuntimeError('after %g s still not: %s' % (seconds, what))
        time.sleep(pause)


def port_open(port):
    with socket.socket() as s:
        return s.connect_ex(('127.0.0.1', port)) == 0


def free_ports(base, n):
    """The first n ports from base on that can be bound now: one may be taken by somebody's outgoing connection."""
    found = []
    for port in range(base, base + 1000):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(('127.0.0.1', port))
            except OSError:
                continue
        found.append(port)
        if len(found) == n:
            return found
    raise RuntimeError('no free ports from %d on' % base)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """A process with its output in a file."""
    running = []

    def __init__(self, name, argv, folder):
        self.name, self.argv, self.log, self.popen, self.started_ns = name, argv, os.path.join(folder, name + '.log'), None, 0

    def start(self):
        with open(self.log, 'ab') as out:
            self.started_ns = time.monotonic_ns()
            self.popen = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
        Server.running.append(self)
        return self

    def end(self, number=signal.SIGTERM):
        self.popen.send_signal(number)
        try:
            self.popen.wait(60)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        Server.running.remove(self)

    def pids(self):
        """The process and its child, where it runs as parent and child."""
        with open('/proc/%d/task/%d/children' % (self.popen.pid, self.popen.pid)) as f:
            return [self.popen.pid] + [int(pid) for pid in f.read().split()]

    def serving_pid(self):
        """The one that serves: the child where there is one."""
        return self.pids()[-1]

    def cpu_s(self):
        ticks = 0
        for pid in self.pids():
            with open('/proc/%d/stat' % pid) as f:
                fields = f.read().rpartition(')')[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS

    def resident_mb(self):
        kb = 0
        for pid in self.pids():
            with open('/proc/%d/status' % pid) as f:
                kb += int(re.search(r'VmRSS:\s+(\d+)', f.read()).group(1))
        return kb * 1024 / 1e6

    def n_descriptors(self):
        return len(os.listdir('/proc/%d/fd' % self.serving_pid()))

    def log_text(self):
        with open(self.log, errors='replace') as f:
            return f.read()

    def wait_log(self, text, seconds=60):
        wait(lambda: text in self.log_text(), '%r in %s' % (text, self.log), seconds)


def end_all():
    for server in list(Server.running):
        server.end(signal.SIGKILL)


def write_properties(path, rows):
    with open(path, 'w') as f:
        f.writelines('%s=%s\n' % row for row in rows.items())
    return path


def fetch_kafka():
    """Kafka's jars by Maven, once, outside the tree."""
    if not os.path.isdir(JARS) or not any(name.startswith('kafka_2.13') for name in os.listdir(JARS)):
        subprocess.run(['mvn', '-q', '-B', '-f', POM, 'dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=' + JARS],
                       check=True, stdin=subprocess.DEVNULL)


def kafka_version():
    return next(re.search(r'-([\d.]+)\.jar$', name).group(1) for name in os.listdir(JARS) if name.startswith('kafka_2.13-'))


class Cluster:
    """ZooKeeper and n brokers on the first free ports from `port` on."""
    kind = None

    def __init__(self, folder, port, n_brokers=1):
        self.folder, (self.zk_port, *self.ports) = folder, free_ports(port, n_brokers + 1)
        self.zookeeper, self.brokers, self.controllers = self.make_zookeeper(), [], []

    def make_zookeeper(self):
        data = os.path.join(self.folder, 'zookeeper')
        os.makedirs(data)
        config = write_properties(os.path.join(self.folder, 'zookeeper.cfg'), {
            'tickTime': 500, 'dataDir': data, 'clientPort': self.zk_port, 'clientPortAddress': '127.0.0.1', 'admin.enableServer': 'false',
            '4lw.commands.whitelist': 'srvr', 'maxClientCnxns': 0, 'minSessionTimeout': 1000, 'maxSessionTimeout': 60000})
        return Server('zookeeper', [
            'java', '-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp',
            '/usr/share/java/slf4j-simple.jar:/usr/share/java/zookeeper.jar', 'org.apache.zookeeper.server.quorum.QuorumPeerMain', config],
            self.folder)

    def start(self):
        self.zookeeper.start()
        wait(lambda: port_open(self.zk_port), 'ZooKeeper listens')
        time.sleep(0.5)
        for server in self.controllers + self.brokers:
            server.start()
        for port in self.ports:
            wait(lambda: port_open(port), '%s listens on %d' % (self.kind, port))
        return self

    def end(self):
        for server in self.brokers + self.controllers + [self.zookeeper]:
            if server.popen and server.popen.poll() is None:
                server.end()

    def elect_preferred(self):
        """Every partition is led by the first of its replicas again."""
        subprocess.run([os.path.join(BUILD, 'klamm'), 'elect', '--bootstrap-server', '127.0.0.1:%d' % self.ports[0], '--election-type', 'preferred',
                        '--all-topic-partitions'], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def base_rows(self, i):
        return {'broker.id': i + 1, 'listeners': 'PLAINTEXT://127.0.0.1:%d' % self.ports[i],
                'log.dirs': os.path.join(self.folder, '%s%d' % (self.kind, i + 1)), 'zookeeper.connect': '127.0.0.1:%d' % self.zk_port,
                'auto.create.topics.enable': 'false', 'min.insync.replicas': min(2, len(self.ports)),
                'offsets.topic.replication.factor': len(self.ports)}


class Kafka(Cluster):
    kind = 'kafka'

    def __init__(self, folder, port, n_brokers=1):
        super().__init__(folder, port, n_brokers)
        for i in range(n_brokers):
            rows = dict(self.base_rows(i), **{'num.network.threads': 2, 'num.io.threads': 4})
            config = write_properties(os.path.join(folder, 'kafka%d.properties' % (i + 1)), rows)
            self.brokers.append(Server('kafka%d' % (i + 1), [
                'java', '-Xms1g', '-Xmx1g', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', '-XX:InitiatingHeapOccupancyPercent=35',
                '-Dklamm.log.level=INFO', '-Dlog4j.configuration=file:' + LOG4J, '-cp', JARS + '/*', 'kafka.Kafka', config], folder))


class Klamm(Cluster):
    kind = 'klamm'

    def __init__(self, folder, port, n_brokers=1, n_controllers=1):
        super().__init__(folder, port, n_brokers)
        for i in range(n_controllers):
            config = write_properties(os.path.join(folder, 'controller%d.properties' % (i + 1)), {
                'controller.id': i + 1, 'zookeeper.connect': '127.0.0.1:%d' % self.zk_port})
            self.controllers.append(Server('controller%d' % (i + 1), [os.path.join(BUILD, 'klamm-controller'), config], folder))
        for i in range(n_brokers):
            config = write_properties(os.path.join(folder, 'klamm%d.properties' % (i + 1)), self.base_rows(i))
            self.brokers.append(Server('klamm%d' % (i + 1), [os.path.join(BUILD, 'klamm-broker'), config], folder))


class Folder:
    """
    A temporary folder; KLAMM_BENCH_KEEP=1 keeps it. removed_last: it goes when all is measured, since ext4 finds room for new files
    slowly for minutes after many were deleted.
    """
    left = []

    def __init__(self, top, removed_last=False):
        self.path, self.removed_last = tempfile.mkdtemp(prefix='klamm-bench-', dir=top), removed_last

    def __enter__(self):
        return self.path

    def __exit__(self, *exception):
        if os.environ.get('KLAMM_BENCH_KEEP'):
            print('kept: ' + self.path)
        elif self.removed_last:
            Folder.left.append(self.path)
        else:
            shutil.rmtree(self.path, ignore_errors=True)

    @staticmethod
    def remove_left():
        while Folder.left:
            shutil.rmtree(Folder.left.pop(), ignore_errors=True)
