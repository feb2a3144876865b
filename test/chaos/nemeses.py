"""The faults. A nemesis strikes (what, and how it is mended, follow from the random numbers it is given) and says which bound on the silence
of partitions holds for it (L1 to L4), where one does.

The schedule of a run follows from its seed alone: names, times, lengths, and one seed for each strike. Which broker leads at that time does not.
"""
import os
import random
import shutil
import time

import activities
from cluster import OFFSETS, SESSION_MS
from processes import wait

SESSION = SESSION_MS / 1000
LAG = 4.0
GROUP = 'group'  # The consumer group of every run.
CLIENT_PATIENCE = 3.0  # A client that waits for an answer of a process that stands still asks elsewhere after this time.


class Fault:
    def __init__(self, name, detail, mend, bound=None, activity=None):
        self.name, self.detail, self.mend, self.bound, self.activity = name, detail, mend, bound, activity
        self.begin_ns, self.end_ns, self.busy = 0, 0, []


class Nemesis:
    def __init__(self, strike, low, high, needs=()):
        self.strike, self.low, self.high, self.needs = strike, low, high, needs


NEMESES = {}


def nemesis(name, low, high, needs=()):
    """needs: 'cut' (namespaces), 'klamm', 'detours', 'disks' (tmpfs)."""
    def keep(strike):
        NEMESES[name] = Nemesis(strike, low, high, needs)
        return strike
    return keep


class Scene:
    """What a strike may use: the cluster, random numbers of its own, its length, and who is already in trouble."""

    def __init__(self, cluster, seed, seconds, busy):
        self.cluster, self.random, self.seconds, self.busy = cluster, random.Random(seed), seconds, busy
        self.seed, self.taken = seed, []

    def take(self, nodes):
        """One of these that has no trouble yet."""
        free = [n for n in nodes if n.name not in self.busy]
        if not free:
            raise LookupError('all are in trouble already')
        self.taken.append(self.random.choice(free))
        return self.taken[-1]

    def leader(self):
        """A broker that leads something."""
        states = self.cluster.states(['main'])
        leading = {leader for leader, _, _ in states.values()}
        return self.take([b for b in self.cluster.brokers if b.number in leading] or self.cluster.brokers)

    def broker(self):
        return self.take(self.cluster.brokers)

    def coordinator(self):
        broker = self.cluster.coordinator(GROUP)
        return self.take([broker] if broker else [])

    def others(self, *nodes):
        return [n for n in self.cluster.zookeepers + self.cluster.controllers + self.cluster.brokers if n not in nodes]


def leads(scene, broker):
    led = scene.cluster.led_by(broker.number)
    n_offsets = sum(topic == OFFSETS for topic, _ in led)
    words = ['%s-%d' % key for key in led if key[0] != OFFSETS] + (['%d of %s' % (n_offsets, OFFSETS)] if n_offsets else [])
    return '%s (leads %s)' % (broker.name, ' '.join(words) or 'nothing')


def start_again(node):
    def mend():
        if not node.alive():
            node.start()
    return mend


def crash(scene, broker, name):
    detail = leads(scene, broker)
    if broker.is_supervised():
        pid = broker.worker()
        broker.kill_worker()
        return Fault(name, '%s: its child %d' % (detail, pid), lambda: None, 1.0)
    broker.kill()
    return Fault(name, detail, start_again(broker), SESSION + 1)


@nemesis('kill-leader', 1, 3)
def kill_leader(scene):
    return crash(scene, scene.leader(), 'kill-leader')


@nemesis('kill-follower', 1, 3)
def kill_follower(scene):
    n_led = {b: len(scene.cluster.led_by(b.number)) for b in scene.cluster.brokers}
    return crash(scene, scene.take(sorted(n_led, key=n_led.get)[:1]), 'kill-follower')


@nemesis('kill-both', 8, 14)
def kill_both(scene):
    """Parent and child together, as when the machine goes."""
    broker = scene.leader()
    detail = leads(scene, broker)
    broker.kill()
    return Fault('kill-both', detail, start_again(broker), SESSION + 1)


@nemesis('kill-all', 2, 4)
def kill_all(scene):
    brokers = [b for b in scene.cluster.brokers if b.name not in scene.busy]
    for broker in brokers:
        scene.taken.append(broker)
        broker.kill_worker() if broker.is_supervised() else broker.kill()

    def mend():
        for broker in brokers:
            start_again(broker)()
    return Fault('kill-all', ' '.join(b.name for b in brokers), mend)


@nemesis('crash-loop', 6, 12, needs=['klamm'])
def crash_loop(scene):
    """The same broker again and again, sometimes before it is up."""
    broker, until = scene.broker(), time.monotonic() + scene.seconds
    n = 0
    while time.monotonic() < until:
        if broker.is_supervised():
            broker.kill_worker()
        else:
            broker.kill()
            broker.start()
        n += 1
        time.sleep(scene.random.choice([0.05, 0.3, 1.0, 2.5]))
    return Fault('crash-loop', '%s %d times' % (broker.name, n), start_again(broker))


def freeze(scene, name, node, detail, bound):
    node.freeze()
    return Fault(name, detail, node.thaw, bound)


@nemesis('pause-short', 0.3, 3)
def pause_short(scene):
    broker = scene.leader()
    return freeze(scene, 'pause-short', broker, leads(scene, broker), scene.seconds + 1 + CLIENT_PATIENCE)


@nemesis('pause-long', 8, 14)
def pause_long(scene):
    broker = scene.leader()
    return freeze(scene, 'pause-long', broker, leads(scene, broker), SESSION + 1 + CLIENT_PATIENCE)


@nemesis('kill-coordinator', 1, 3)
def kill_coordinator(scene):
    """The broker that coordinates the group, sometimes with its parent."""
    broker = scene.coordinator()
    if scene.random.random() < 0.7:
        return crash(scene, broker, 'kill-coordinator')
    detail = leads(scene, broker) + ', parent too'
    broker.kill()
    return Fault('kill-coordinator', detail, start_again(broker), SESSION + 1)


@nemesis('pause-coordinator', 0.5, 12)
def pause_coordinator(scene):
    broker = scene.coordinator()
    bound = min(scene.seconds, SESSION) + 1 + CLIENT_PATIENCE
    return freeze(scene, 'pause-coordinator', broker, leads(scene, broker), bound)


@nemesis('pause-members', 2, 12)
def pause_members(scene):
    """All members of the group stand still, and may be members no more when they go on: what they commit then is refused."""
    members = scene.take([scene.cluster.members])
    members.freeze()
    return Fault('pause-members', 'all', members.thaw)


@nemesis('kill-controller', 1, 3, needs=['klamm'])
def kill_controller(scene):
    controller = scene.take(scene.cluster.controllers_by_rank()[:1])
    controller.kill_worker() if controller.is_supervised() else controller.kill()
    return Fault('kill-controller', controller.name, start_again(controller), 1.0)


@nemesis('kill-standby', 1, 3, needs=['klamm'])
def kill_standby(scene):
    controller = scene.take(scene.cluster.controllers_by_rank()[1:])
    controller.kill_worker() if controller.is_supervised() else controller.kill()
    return Fault('kill-standby', controller.name, start_again(controller), 1.0)


@nemesis('kill-controllers', 3, 9, needs=['klamm'])
def kill_controllers(scene):
    """Both, parents too: brokers serve on without anybody in office."""
    for controller in scene.cluster.controllers:
        scene.taken.append(controller)
        controller.kill()

    def mend():
        for controller in scene.cluster.controllers:
            start_again(controller)()
    return Fault('kill-controllers', 'both', mend, 1.0)


@nemesis('pause-controller', 2, 12, needs=['klamm'])
def pause_controller(scene):
    controller = scene.take(scene.cluster.controllers_by_rank()[:1])
    return freeze(scene, 'pause-controller', controller, controller.name, 1.0)


def cut(scene, name, pairs, detail, bound=None):
    network = scene.cluster.network
    for a, b in pairs:
        network.cut(a.place, b.place)

    def mend():
        for a, b in pairs:
            network.mend(a.place, b.place)
    return Fault(name, detail, mend, bound)


def both_ways(a, nodes):
    return [(a, n) for n in nodes] + [(n, a) for n in nodes]


@nemesis('isolate', 2, 14, needs=['cut'])
def isolate(scene):
    """A broker hears nobody but clients."""
    broker = scene.leader()
    return cut(scene, 'isolate', both_ways(broker, scene.others(broker)), leads(scene, broker), SESSION + 1 + CLIENT_PATIENCE)


@nemesis('cut-brokers', 3, 14, needs=['cut'])
def cut_brokers(scene):
    """Two brokers do not hear each other; the third hears both (a bridge), as do ZooKeeper and the controllers."""
    a = scene.leader()
    b = scene.broker() if len(scene.cluster.brokers) > 1 else a
    if a is b:
        b = next(n for n in scene.cluster.brokers if n is not a)
    return cut(scene, 'cut-brokers', [(a, b), (b, a)], '%s | %s' % (leads(scene, a), b.name), LAG + 2)


@nemesis('cut-zookeeper', 3, 14, needs=['cut'])
def cut_zookeeper(scene):
    broker = scene.leader()
    return cut(scene, 'cut-zookeeper', both_ways(broker, scene.cluster.zookeepers), leads(scene, broker), SESSION + 1 + CLIENT_PATIENCE)


@nemesis('cut-one-way', 3, 14, needs=['cut'])
def cut_one_way(scene):
    """From one broker to all others, or from all others to it."""
    broker = scene.leader()
    out = scene.random.random() < 0.5
    pairs = [(broker, n) if out else (n, broker) for n in scene.others(broker)]
    return cut(scene, 'cut-one-way', pairs, '%s %s' % (leads(scene, broker), 'sends in vain' if out else 'hears nothing'))


@nemesis('cut-controller', 3, 14, needs=['cut', 'klamm'])
def cut_controller(scene):
    """What the controller in office sends to one broker is lost; the other way is open, and ZooKeeper too."""
    controller, broker = scene.cluster.controllers_by_rank()[0], scene.broker()
    return cut(scene, 'cut-controller', [(controller, broker)], '%s -> %s' % (controller.name, leads(scene, broker)))


@nemesis('halves', 3, 14, needs=['cut'])
def halves(scene):
    """One broker with one controller and one ZooKeeper server against all the rest."""
    small = [scene.leader(), scene.take(scene.cluster.zookeepers)] + scene.cluster.controllers[:1]
    rest = scene.others(*small)
    pairs = [pair for node in small for pair in both_ways(node, rest)]
    return cut(scene, 'halves', pairs, ' '.join(n.name for n in small), SESSION + 1 + CLIENT_PATIENCE)


@nemesis('kill-zookeeper', 2, 6)
def kill_zookeeper(scene):
    leader = scene.cluster.zookeeper_leader() or scene.cluster.zookeepers[0]
    scene.taken.append(leader)
    leader.kill()
    return Fault('kill-zookeeper', leader.name, start_again(leader), 1.0)


@nemesis('stall-zookeeper', 1, 12)
def stall_zookeeper(scene):
    """Its leader stands still, or all of them."""
    leader = scene.cluster.zookeeper_leader() or scene.cluster.zookeepers[0]
    stalled = [leader] if scene.random.random() < 0.5 else scene.cluster.zookeepers
    for server in stalled:
        scene.taken.append(server)
        server.freeze()

    def mend():
        for server in stalled:
            server.thaw()
    return Fault('stall-zookeeper', ' '.join(s.name for s in stalled), mend, 1.0)


@nemesis('zookeeper-gone', 15, 30, needs=['klamm'])
def zookeeper_gone(scene):
    """The ensemble is gone; traffic goes on (S9, L4). `--gone SECONDS` makes it minutes."""
    for server in scene.cluster.zookeepers:
        scene.taken.append(server)
        server.kill()

    def mend():
        for server in scene.cluster.zookeepers:
            start_again(server)()
    return Fault('zookeeper-gone', 'all servers', mend, 1.0)


def bad_disk(scene, name, mode, bound=None, **more):
    broker = scene.leader()
    detail = leads(scene, broker)
    broker.disk(mode, **more)
    return broker, detail, Fault(name, detail, broker.disk, bound)


@nemesis('sync-hangs', 10, 12, needs=['klamm'])
def sync_hangs(scene):
    return bad_disk(scene, 'sync-hangs', 'sync-hangs')[2]


@nemesis('slow-disk', 4, 10, needs=['klamm'])
def slow_disk(scene):
    return bad_disk(scene, 'slow-disk', 'slow', slow_ms=scene.random.choice([5, 30, 150]))[2]


@nemesis('short-writes', 4, 8, needs=['klamm'])
def short_writes(scene):
    return bad_disk(scene, 'short-writes', 'write-short')[2]


def mend_disk(broker):
    """The operator puts in another cable and starts the broker again."""
    def mend():
        broker.kill()
        broker.disk()
        broker.start()
    return mend


@nemesis('disk-error', 4, 8, needs=['klamm'])
def disk_error(scene):
    """fsync or writing fails: the directory is given up (D10), and with its only directory the broker may end."""
    mode = scene.random.choice(['sync-eio', 'write-eio'])
    broker, detail, fault = bad_disk(scene, 'disk-error', mode)
    broker.ended_by_us = True
    fault.detail, fault.mend = '%s: %s' % (mode, detail), mend_disk(broker)
    return fault


@nemesis('full-disk', 4, 8, needs=['klamm'])
def full_disk(scene):
    """Really full where brokers have small disks of their own; else every write says so. It recovers by itself."""
    broker = scene.leader()
    if not scene.cluster.small_disks:
        broker.disk('write-full')
        return Fault('full-disk', leads(scene, broker) + ': as told', broker.disk)
    filler = os.path.join(broker.folder, 'filler.tmp')
    fd = os.open(filler, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while os.write(fd, bytes(65536)):
            pass
    except OSError:
        pass
    finally:
        os.close(fd)
    return Fault('full-disk', leads(scene, broker) + ': filled', lambda: os.unlink(filler))


@nemesis('wipe', 3, 6)
def wipe(scene):
    """A broker comes back with an empty disk. Only when all others have everything: more than one lost disk is not promised to be survived."""
    if not scene.cluster.is_whole() or scene.busy:
        raise LookupError('not everything is on all replicas')
    broker = scene.broker()
    detail = leads(scene, broker)
    broker.kill()
    for name in os.listdir(broker.folder):
        path = os.path.join(broker.folder, name)
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    return Fault('wipe', detail, start_again(broker), SESSION + 1)


@nemesis('calendar', 4, 10, needs=['klamm'])
def calendar(scene):
    broker, jump = scene.broker(), scene.random.choice([-3600, 3600, -86400 * 365, 86400 * 365])
    broker.disk(calendar_ms=jump * 1000)
    return Fault('calendar', '%s jumps by %d s' % (broker.name, jump), broker.disk, 1.0)


@nemesis('restart', 1, 2)
def restart(scene):
    broker = scene.leader()
    detail = leads(scene, broker)
    status = broker.stop()
    broker.start()
    return Fault('restart', '%s, exit status %s' % (detail, status), lambda: None, 1.0)


@nemesis('rolling-restart', 1, 2)
def rolling_restart(scene):
    """Each broker in turn by SIGTERM, the next one when all is in sync again."""
    statuses = []
    for broker in scene.cluster.brokers:
        if broker.name in scene.busy:
            continue
        scene.taken.append(broker)
        statuses.append('%s: %s' % (broker.name, broker.stop()))
        broker.start()
        try:
            wait(lambda: scene.cluster.is_whole(['main']), 'all in sync', 15, 0.1)
        except AssertionError:
            statuses.append('(not in sync in 15 s)')
    return Fault('rolling-restart', ', '.join(statuses), lambda: None, 1.0)


@nemesis('delay', 4, 12, needs=['detours'])
def delay(scene):
    broker, delay_ms = scene.broker(), scene.random.choice([5, 20, 100])
    broker.detour.set(delay_ms, delay_ms * scene.random.random())
    return Fault('delay', '%s by %d ms' % (broker.name, delay_ms), broker.detour.set)


@nemesis('stall-connections', 2, 9, needs=['detours'])
def stall_connections(scene):
    """Connections to a broker stand, and nothing goes through."""
    broker = scene.broker()
    broker.detour.set(stalled=True)
    return Fault('stall-connections', broker.name, broker.detour.set)


def active(name, kind):
    def strike(scene):
        activity = kind(scene.cluster, scene.seed)
        activity.start()
        return Fault(name, '', activity.end, None, activity)
    return strike


nemesis('churn', 8, 20)(active('churn', activities.Churn))
nemesis('delete-records', 8, 20)(active('delete-records', activities.DeleteRecords))
nemesis('reassign', 10, 20)(active('reassign', activities.Reassign))
nemesis('elect', 8, 20)(active('elect', activities.Elect))
ACTIVITIES = ['churn', 'delete-records', 'reassign', 'elect']


def usable(offers):
    """Names of those whose needs are met by what the run offers."""
    return [name for name, n in NEMESES.items() if all(need in offers for need in n.needs)]


def least_length(name, target):
    """Real Kafka ends when it finds its own dead session in ZooKeeper: it is started again only when that is gone."""
    return SESSION + 3 if target == 'kafka' and name.startswith('kill-') and name != 'kill-zookeeper' else 0.0


def schedule(seed, names, seconds, gone=None, target='klamm'):
    """[(start, name, length, seed)]: one of three styles by the seed: one after another with rests; pairs at the same time; close together."""
    chance = random.Random(seed)
    style = seed % 3
    plan, now = [], 0.0
    order = []
    while now < seconds - 2:
        order = order or chance.sample(names, len(names))
        name = order.pop()
        length = max(chance.uniform(NEMESES[name].low, NEMESES[name].high), least_length(name, target))
        if name == 'zookeeper-gone' and gone:
            length = gone
        length = min(length, seconds - now)
        plan.append((now, name, length, chance.getrandbits(32)))
        if style == 1 and len(plan) % 2:
            now += chance.uniform(0, length / 2)
        elif name in ACTIVITIES:
            now += chance.uniform(0.5, 2)
        else:
            now += length + (chance.uniform(4, 8) if style == 0 else chance.uniform(0.2, 2))
    return plan
