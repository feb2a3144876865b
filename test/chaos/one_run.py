"""One run: start the cluster and the load, let the nemeses strike, heal, read everything back, compare the replicas, judge."""
import os
import signal
import subprocess
import threading
import time

import numpy as np

import checker
import group_checker
import history
import nemeses
import replicas
from cluster import OFFSETS, SESSION_MS, Cluster
from network import FlatNetwork, Network
from processes import BUILD, wait

LOAD = os.path.join(BUILD, 'test', 'chaos', 'load')
PLACES = ['clients', 'zk1', 'zk2', 'zk3', 'controller1', 'controller2', 'broker1', 'broker2', 'broker3', 'broker4', 'broker5']
HEAL_SECONDS = 60
ENSEMBLE_SECONDS = 20
TICK = 0.05
MEMBERS = 3
REBALANCE_SECONDS = 10
SEEN_SECONDS = 5


class Load:
    """A process of clients, and what it said last."""

    def __init__(self, mode, cluster, topics, path, *options):
        self.name, self.ended = 'clients of ' + mode, False
        self.path, self.counts, self.stopped = path, (0,) * 5, threading.Event()
        words = [LOAD, mode, cluster.bootstrap, path, ','.join('%s:%d' % t for t in topics)] + ['%s=%s' % row for row in options]
        self.log = open(path + '.log', 'ab')
        self.popen = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.popen.stdout:
            word, *counts = line.split()
            self.counts = tuple(int(n) for n in counts)
            if word == 'stopped':
                self.stopped.set()

    def say(self, word):
        self.popen.stdin.write(word + '\n')
        self.popen.stdin.flush()

    def stop_producers(self):
        self.say('stop')
        wait(lambda: self.stopped.is_set() or self.popen.poll() is not None, 'the producers stop', 60)

    def freeze(self):
        self.popen.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.popen.send_signal(signal.SIGCONT)

    def check(self):
        if self.popen.poll() is not None and not self.ended:
            raise RuntimeError('the load ended with %d: %s' % (self.popen.returncode, open(self.path + '.log').read()[-2000:]))

    def catch_up(self):
        """Until the consumers have been given nothing new for a second and a half, but not for ever."""
        last, since, until = None, time.monotonic(), time.monotonic() + 20
        while time.monotonic() < until and time.monotonic() - since < 1.5:
            if self.counts[3] != last:
                last, since = self.counts[3], time.monotonic()
            time.sleep(0.1)

    def end(self):
        self.ended = True
        try:
            self.popen.stdin.close()
            self.popen.wait(60)
        except (OSError, subprocess.TimeoutExpired):
            self.popen.kill()
            self.popen.wait()
        self.log.close()


class Run:
    def __init__(self, options, names, seed):
        self.options, self.seed = options, seed
        self.began, self.faults, self.active, self.trouble = time.monotonic(), [], [], {}
        self.plan = nemeses.schedule(seed, names, options.seconds, options.gone, options.target)
        used = {name for _, name, _, _ in self.plan}
        self.topics = [('main', 6)]
        if options.target == 'klamm':
            self.topics.append(('durable', 2))
        if 'delete-records' in used:
            self.topics.append(('trim', 2))
        self.network = FlatNetwork(PLACES) if options.flat else Network(PLACES)
        self.network.enter('clients')
        self.cluster = Cluster(self.network, options.target, options.brokers, detours=bool(used & {'delay', 'stall-connections'}),
                               small_disks='full-disk' in used and not options.flat,
                               rows={'unclean.leader.election.enable': 'true'} if options.unclean else {})
        self.load, self.group, self.calm_at, self.ensemble_restarts = None, None, None, 0

    def say(self, text):
        print('%7.2f s  %s' % (time.monotonic() - self.began, text), flush=True)

    def anomaly(self, what, text):
        """One that is not found in the history."""
        self.trouble.setdefault(what, []).append(text)
        self.say('ANOMALY %s: %s' % (what, text))

    # the phases

    def start(self):
        self.cluster.start()
        insync = 1 if self.options.unclean or self.options.replicas < 2 else 2
        for name, partitions in self.topics:
            more = {'klamm.durability': 'fsync-isr'} if name == 'durable' else {}
            self.cluster.create_topic(name, partitions, self.options.replicas, **{'min.insync.replicas': insync, 'segment.bytes': 1 << 20}, **more)
        self.path = self.cluster.folder / 'history'
        self.cluster.make_offsets_topic(nemeses.GROUP)
        self.load = Load('run', self.cluster, self.topics, self.path, ('run', self.seed), ('rate', self.options.rate), ('acks', self.options.acks))
        self.group = Load('group', self.cluster, self.topics[:1], self.path + '.group', ('run', self.seed), ('group', nemeses.GROUP), ('members', MEMBERS),
                          ('static', 1 + self.seed % 2), ('cooperative', int(self.seed % 3 == 2)), ('rebalance_ms', 1000 * REBALANCE_SECONDS))
        self.cluster.members = self.group
        wait(lambda: self.load.counts[0] > self.options.rate, 'the load is under way', 60)

    def watch(self):
        for text in self.cluster.watch():
            self.anomaly('crash', text)
        self.load.check()
        self.group.check()

    def strike(self, name, length, seed):
        busy = {node.name for _, fault in self.active for node in fault.busy}
        scene = nemeses.Scene(self.cluster, seed, length, busy)
        begin_ns = time.monotonic_ns()
        try:
            fault = nemeses.NEMESES[name].strike(scene)
        except LookupError as e:
            self.say('%s: left out, %s' % (name, e))
            return
        fault.busy, fault.begin_ns = scene.taken, begin_ns
        self.say('%s: %s for %.1f s' % (name, fault.detail, length))
        self.faults.append(fault)
        self.active.append((time.monotonic() + length, fault))

    def mend(self, fault):
        fault.mend()
        fault.end_ns = time.monotonic_ns()
        self.say('%s: mended' % fault.name)
        if fault.activity:
            self.say('%s: %d done, %d refused' % (fault.name, fault.activity.n_done, fault.activity.n_refused))
            for text in fault.activity.anomalies:
                self.anomaly('activity', text)

    def mend_due(self, now=None):
        for entry in [e for e in self.active if now is None or e[0] <= now]:
            self.active.remove(entry)
            self.mend(entry[1])

    def wait_until(self, when):
        while time.monotonic() < when:
            self.mend_due(time.monotonic())
            self.watch()
            self.calm_group(time.monotonic())
            time.sleep(TICK)

    def calm_group(self, at):
        """From a session before the end of the faults on no member comes or goes: the last ones that went without a word are forgotten by then."""
        if self.calm_at and at >= self.calm_at:
            self.group.say('stop')
            self.calm_at = None

    def storm(self):
        start = time.monotonic()
        self.calm_at = start + max(0, self.options.seconds - SESSION_MS / 1000)
        for at, name, length, seed in self.plan:
            self.wait_until(start + at)
            self.strike(name, length, seed)
        self.wait_until(start + self.options.seconds)

    def heal_ensemble(self):
        """
        An ensemble that lets nobody in, although all its servers run, has come to that by itself: its operator starts the servers again. The
        report tells it.
        """
        servers = self.cluster.zookeepers
        try:
            wait(lambda: any(server.takes_session() for server in servers), 'ZooKeeper takes a session', ENSEMBLE_SECONDS, 0.5)
        except AssertionError:
            self.say('the ensemble takes no session, though all its servers run: %s; they are started again' % [s.mode() for s in servers])
            self.ensemble_restarts += 1
            for server in servers:
                server.kill()
                server.start()

    def heal(self):
        self.mend_due()
        self.calm_group(self.calm_at)
        self.network.mend_all()
        self.heal_ensemble()
        mender = nemeses.activities.Reassign(self.cluster, 0)
        began = time.monotonic()

        def whole():
            self.watch()
            return mender.restore() and self.cluster.is_whole()
        try:
            if self.options.replicas == len(self.cluster.brokers):
                wait(whole, lambda: 'all is in sync: %s' % self.cluster.states(), HEAL_SECONDS, 0.1)
            else:
                wait(self.cluster.is_whole, lambda: 'all is in sync: %s' % self.cluster.states(), HEAL_SECONDS, 0.1)
            self.say('all in sync %.1f s after the last fault' % (time.monotonic() - began))
        except AssertionError as e:
            self.anomaly('not_healed', str(e))

    def is_group_stable(self):
        """All members are of now, not of lives that are over, and have shared all partitions."""
        if self.group.counts[4] != self.topics[0][1]:
            return False
        told = self.cluster.ask_coordinator(nemeses.GROUP, 'DescribeGroups', 5, groups=[nemeses.GROUP])
        group = told.groups[0] if told else None
        return group is not None and group.error_code == 0 and group.group_state == 'Stable' and len(group.members) == MEMBERS

    def group_behind(self):
        """{partition: (committed, end)} where the group has not committed all; None when that is not told."""
        topic, n = self.topics[0]
        told = self.cluster.ask_coordinator(nemeses.GROUP, 'OffsetFetch', 7, group_id=nemeses.GROUP, require_stable=False, topics=[
            {'name': topic, 'partition_indexes': list(range(n))}])
        if not told or told.error_code:
            return None
        committed = {p.partition_index: p.committed_offset for p in told.topics[0].partitions}
        ends = {}
        try:
            for (_, partition), (leader, _, _) in self.cluster.states([topic]).items():
                with self.cluster.broker(leader).connect() as c:
                    ends[partition] = c.list_offset(topic, -1, partition).offset
        except nemeses.activities.NOT_NOW:
            return None
        return {p: (committed[p], end) for p, end in ends.items() if max(committed[p], 0) < end}

    def settle_group(self):
        """Nobody comes or goes any more: in the time of a rebalance and 2 s all members share the partitions (L6)."""
        began = time.monotonic()
        try:
            wait(self.is_group_stable, lambda: 'the group is stable with %d members that have all partitions, not %d' % (MEMBERS, self.group.counts[4]), REBALANCE_SECONDS + 2, 0.1)
            self.say('group stable %.1f s after its last member came' % (time.monotonic() - began))
        except AssertionError as e:
            told = self.cluster.ask_coordinator(nemeses.GROUP, 'DescribeGroups', 5, groups=[nemeses.GROUP])
            self.anomaly('group_unstable', '%s: %s' % (e, told))

    def catch_up_group(self):
        try:
            wait(lambda: self.group_behind() == {}, lambda: 'the group has read all', REBALANCE_SECONDS + 2 + SEEN_SECONDS, 0.2)
        except AssertionError as e:
            self.anomaly('group_behind', '%s: {partition: (committed, end)} %s' % (e, self.group_behind()))
        self.group.end()

    def read_committed(self):
        words = [LOAD, 'committed', self.cluster.bootstrap, self.path + '.committed', '%s:%d' % self.topics[0], 'group=' + nemeses.GROUP]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            self.anomaly('unreadable', 'what is committed could not be read: ' + done.stderr[-500:])

    def read_back(self):
        self.settle_group()
        self.load.stop_producers()
        self.load.catch_up()
        self.load.end()
        self.catch_up_group()
        self.read_committed()
        words = [LOAD, 'read', self.cluster.bootstrap, self.path + '.final', ','.join('%s:%d' % t for t in self.topics), 'run=%d' % self.seed,
                 'seconds=60']
        done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            self.anomaly('unreadable', 'not all could be read back: ' + done.stderr[-500:])

    def compare_replicas(self):
        topics = self.topics + [(OFFSETS, self.cluster.topics[OFFSETS])]
        folders = {(t, p): [b.partition_folder(t, p) for b in self.cluster.brokers] for t, n in topics for p in range(n)}
        if self.options.replicas < len(self.cluster.brokers):
            folders = {key: [f for f in paths if os.path.isdir(f)] for key, paths in folders.items()}
        faults = []

        def same():
            faults[:] = [text for paths in folders.values() for text in replicas.compare(paths)]
            return not faults
        try:
            wait(same, 'replicas are the same', 10, 0.5)
        except AssertionError:
            for text in faults[:10]:
                self.anomaly('replicas_differ', text)
        if self.options.target == 'klamm':
            for text in replicas.dump(os.path.join(BUILD, 'klamm'), [paths[0] for paths in folders.values()]):
                self.anomaly('bad_files', text)

    def stop(self):
        for node in [n for n in self.cluster.brokers + self.cluster.controllers]:
            status = node.stop()
            if self.options.target == 'klamm' and status != 0:
                self.anomaly('stop', '%s ends with %s' % (node.name, status))

    # the judgement

    def bounds(self, events):
        """For each fault with a bound that had the cluster for itself: the longest silence of any partition. Elections and the like may go on meanwhile,
        but not moves of replicas: a partition that is left with two, one of them dead, rightly waits."""
        held, missed, table = 0, [], []
        for i, fault in enumerate(self.faults):
            after = min([f.begin_ns for f in self.faults[i + 1:]] + [self.storm_end_ns])
            others = [f for f in self.faults if f is not fault and (not f.activity or f.name == 'reassign') and f.begin_ns < after and f.end_ns + 3 * 10**9 > fault.begin_ns]
            row = {'nemesis': fault.name, 'detail': fault.detail, 'seconds': (fault.end_ns - fault.begin_ns) / 1e9, 'bound': fault.bound,
                   'alone': not others, 'acked': checker.acked_between(events, fault.begin_ns, fault.end_ns)}
            places = [t * history.PARTITIONS_MAX + p for t, (name, n) in enumerate(self.topics) for p in range(n) if name == 'main']
            quiet = checker.silences(events, places, fault.begin_ns, max(after, fault.begin_ns))
            row['silence'] = max(quiet.values()) if quiet else 0.0
            table.append(row)
            if fault.bound is None or others or after - fault.begin_ns < fault.bound * 1e9:
                continue
            if row['silence'] <= fault.bound:
                held += 1
            else:
                missed.append('%s: %.2f s of silence, %.1f s allowed (%s)' % (fault.name, row['silence'], fault.bound, fault.detail))
        return table, {'held': held, 'missed': missed}

    @staticmethod
    def excused(events):
        return int(np.count_nonzero(events['flags'][events['kind'] == history.FATAL] & history.EXCUSED))

    def judge(self):
        events = history.load(self.path, self.path + '.final', self.path + '.group', self.path + '.committed')
        trimmed = [i for i, (name, _) in enumerate(self.topics) if name == 'trim']
        judge = checker.Checker(events, [name for name, _ in self.topics], trimmed, stale_ns=SESSION_MS * 10**6, grouped=[0])
        found = judge.check()
        table, bounds = self.bounds(events)
        during = checker.acked_between(events, self.storm_begin_ns, self.storm_end_ns)
        if not during:
            self.anomaly('no_traffic', 'nothing was acknowledged during the faults')
        anomalies = found.anomalies()
        self.say('errors of the group: %s' % (group_checker.errors(events) or 'none'))
        for what, n in anomalies.items():
            self.say('ANOMALY %s: %d' % (what, n))
            for text in found.examples[what]:
                self.say('    ' + text)
        anomalies.update({what: len(texts) for what, texts in self.trouble.items()})
        return {'seed': self.seed, 'target': self.options.target, 'anomalies': anomalies, 'examples': dict(found.examples), 'trouble': self.trouble,
                'ensemble_restarts': self.ensemble_restarts, 'figures': checker.figures(events), 'staleness': judge.staleness, 'notes': found.notes(),
                'producers_excused': self.excused(events), 'acked_during_faults': during, 'faults': table, 'bounds': bounds, 'folder': self.cluster.folder.path,
                'seconds': time.monotonic() - self.began}

    def go(self):
        self.start()
        self.say('load under way; %d faults planned' % len(self.plan))
        self.wait_until(time.monotonic() + self.options.warm)
        self.storm_begin_ns = time.monotonic_ns()
        self.storm()
        self.storm_end_ns = time.monotonic_ns()
        self.heal()
        self.read_back()
        self.compare_replicas()
        self.stop()
        return self.judge()

    def close(self, keep):
        for load in [self.load, self.group]:
            if load:
                load.thaw()
                load.end()
        self.cluster.close(keep)
        self.network.close()


def run(options, names, seed):
    print('chaos: run with seed %d, %s' % (seed, options.target), flush=True)
    this = Run(options, names, seed)
    good = False
    try:
        report = this.go()
        good = not report['anomalies']
    except (AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as e:
        this.anomaly('broken_off', repr(e))
        report = {'seed': seed, 'target': options.target, 'anomalies': {'broken_off': 1}, 'trouble': this.trouble, 'faults': [], 'examples': {},
                  'figures': {'acked': this.load.counts[0] if this.load else 0}, 'acked_during_faults': 0, 'bounds': {'held': 0, 'missed': []},
                  'folder': this.cluster.folder.path, 'ensemble_restarts': this.ensemble_restarts, 'seconds': time.monotonic() - this.began}
    finally:
        this.close(options.keep or not good)
    if good and not options.keep:
        this.cluster.folder.remove()
    print('chaos: seed %d: %s; %s; %.0f s%s' % (
        seed, ', '.join('%s %d' % row for row in report['figures'].items()), report['anomalies'] or 'no anomaly', report['seconds'],
        '' if good and not options.keep else '; kept in ' + report['folder']))
    for text in report['bounds']['missed']:
        print('chaos: bound missed: ' + text)
    return report
