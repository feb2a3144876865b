"""The network of a run: one namespace for each node, all on one bridge, so that any ordered pair can be cut.

    zk1 .. zk3   controller1, 2   broker1 .. 3   clients (the harness itself and the load)
        \\              |              |            /
         +------------- bridge in a namespace -----+      cut(a, b): packets from a to b are dropped at b

Everything lives in namespaces named after the harness's process; nothing of the machine's own network is touched. Needs root.
"""
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
SUBNET = '10.97.0.%d'
libc = ctypes.CDLL(None, use_errno=True)


def available():
    """Whether namespaces can be made here, and what is missing if not."""
    if os.geteuid() != 0:
        return False, 'needs root'
    name = 'klc-try-%d' % os.getpid()
    try:
        if subprocess.run(['ip', 'netns', 'add', name], capture_output=True).returncode != 0:
            return False, 'network namespaces are not allowed here'
        tried = subprocess.run(['ip', 'netns', 'exec', name, 'iptables', '-w', '-A', 'INPUT', '-s', '10.0.0.1', '-j', 'DROP'], capture_output=True)
        subprocess.run(['ip', 'netns', 'del', name], capture_output=True)
        return tried.returncode == 0, 'iptables does not work in a namespace here'
    except FileNotFoundError as e:
        return False, '%s is missing' % e.filename


def remove_stale():
    """Namespaces of harnesses that were killed."""
    for line in subprocess.run(['ip', 'netns', 'list'], capture_output=True, text=True).stdout.splitlines():
        parts = line.split()[0].split('-') if line else []
        if len(parts) == 3 and parts[0] == 'klc' and parts[1].isdigit() and not os.path.exists('/proc/' + parts[1]):
            subprocess.run(['ip', 'netns', 'del', line.split()[0]], capture_output=True)


def ip(*args):
    subprocess.run(['ip'] + list(args), check=True, capture_output=True)


class Network:
    def __init__(self, nodes):
        remove_stale()
        self.addresses = {name: SUBNET % (i + 1) for i, name in enumerate(nodes)}
        self.cuts, self.files = set(), {}
        self.make()

    def namespace(self, node):
        return 'klc-%d-%s' % (os.getpid(), node)

    def make(self):
        switch = self.namespace('sw')
        ip('netns', 'add', switch)
        ip('-n', switch, 'link', 'add', 'br0', 'type', 'bridge')
        ip('-n', switch, 'link', 'set', 'br0', 'up')
        for i, (node, address) in enumerate(self.addresses.items()):
            name = self.namespace(node)
            ip('netns', 'add', name)
            ip('-n', switch, 'link', 'add', 'v%d' % i, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
            ip('-n', switch, 'link', 'set', 'v%d' % i, 'master', 'br0', 'up')
            ip('-n', name, 'address', 'add', address + '/24', 'dev', 'eth0')
            ip('-n', name, 'link', 'set', 'eth0', 'up')
            ip('-n', name, 'link', 'set', 'lo', 'up')
            self.files[node] = os.open('/run/netns/' + name, os.O_RDONLY | os.O_CLOEXEC)

    def enter(self, node):
        """This thread, and what it starts, is at that node from now on."""
        if libc.setns(self.files[node], CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), 'setns ' + node)

    def rule(self, what, node, *more):
        subprocess.run(['ip', 'netns', 'exec', self.namespace(node), 'iptables', '-w', what, 'INPUT'] + list(more), check=True, capture_output=True)

    def cut(self, source, target):
        """One way: what `source` sends does not reach `target`."""
        if (source, target) not in self.cuts:
            self.cuts.add((source, target))
            self.rule('-A', target, '-s', self.addresses[source], '-j', 'DROP')

    def mend(self, source, target):
        if (source, target) in self.cuts:
            self.cuts.discard((source, target))
            self.rule('-D', target, '-s', self.addresses[source], '-j', 'DROP')

    def mend_all(self):
        for source, target in list(self.cuts):
            self.mend(source, target)

    def close(self):
        for node, fd in self.files.items():
            os.close(fd)
        for node in list(self.addresses) + ['sw']:
            subprocess.run(['ip', 'netns', 'del', self.namespace(node)], capture_output=True)


class FlatNetwork:
    """Where namespaces are not allowed: every node on 127.0.0.1, and nothing can be cut."""

    def __init__(self, nodes):
        self.addresses, self.cuts = {name: '127.0.0.1' for name in nodes}, set()

    def enter(self, node):
        pass

    def mend_all(self):
        pass

    def close(self):
        pass
