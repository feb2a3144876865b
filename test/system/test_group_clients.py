"""Groups of real consumers while brokers and members are killed: every acknowledged record is delivered, no acknowledged commit is lost (G2)."""
import json
import os
import signal
import sys
import threading
import time
import uuid

import confluent_kafka
import pytest

from groups import SETTINGS, committed, describe, find
from processes import Process, wait
from test_replication import LAG, in_sync

pytestmark = pytest.mark.seconds(300)

PARTITIONS = 6
SESSION_MS = 6000
MEMBER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'clients', 'group_member.py')
REPLICATED = dict(SETTINGS, **LAG, **{'offsets.topic.replication.factor': 3, 'min.insync.replicas': 2, 'group.initial.rebalance.delay.ms': 500})


class Writer:
    """Records to all partitions, until the block ends; .acked is {(partition, offset): value}."""

    def __init__(self, cluster, topic):
        self.topic, self.acked, self.errors, self.end = topic, {}, [], threading.Event()
        self.producer = confluent_kafka.Producer({'bootstrap.servers': cluster.bootstrap, 'broker.address.family': 'v4', 'acks': 'all',
                                                  'enable.idempotence': True, 'delivery.timeout.ms': 60000, 'linger.ms': 5})

    def told(self, error, message):
        if error:
            self.errors.append(error)
        else:
            self.acked[message.partition(), message.offset()] = message.value().decode()

    def work(self):
        n = 0
        while not self.end.is_set():
            self.producer.produce(self.topic, b'%d' % n, partition=n % PARTITIONS, on_delivery=self.told)
            n += 1
            self.producer.poll(0.002)
        self.left = self.producer.flush(60)

    def __enter__(self):
        self.thread = threading.Thread(target=self.work)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()
        assert self.left == 0 and not self.errors, (self.left, self.errors[:3])


class Member(Process):
    count = 0

    def __init__(self, cluster, group, topic, **more):
        Member.count += 1
        config = {'bootstrap.servers': cluster.bootstrap, 'broker.address.family': 'v4', 'group.id': group, 'enable.auto.commit': False,
                  'auto.offset.reset': 'earliest', 'session.timeout.ms': SESSION_MS, 'heartbeat.interval.ms': 300, 'client.id': 'm%d' % Member.count,
                  'topic.metadata.refresh.interval.ms': 1000}
        config.update({k.replace('_', '.'): v for k, v in more.items()})
        name = 'member%d' % Member.count
        super().__init__(name, [sys.executable, '-B', MEMBER, json.dumps(config), topic], cluster.folder / (name + '.json'))
        self.start()

    def events(self, *kinds):
        rows = [json.loads(line) for line in self.log_text().splitlines() if line.startswith('{') and line.endswith('}')]
        return [r for r in rows if not kinds or r['event'] in kinds]

    @property
    def owned(self):
        partitions = set()
        for row in self.events('assigned', 'revoked', 'lost'):
            partitions = partitions | set(row['partitions']) if row['event'] == 'assigned' else partitions - set(row['partitions'])
        return partitions


class Group:
    """Members and the judgement of what they saw."""

    def __init__(self, cluster, **options):
        self.cluster, self.options = cluster, options
        self.name, self.topic = 'group-' + uuid.uuid4().hex[:8], cluster.create_topic(partitions=PARTITIONS, replication_factor=3)
        self.members = []

    def add(self, **more):
        self.members.append(Member(self.cluster, self.name, self.topic, **dict(self.options, **more)))
        return self.members[-1]

    @property
    def alive(self):
        return [m for m in self.members if m.alive()]

    def shared_out(self):
        """Each partition has one reader, and each member reads something."""
        owned = [m.owned for m in self.alive]
        return all(owned) and sorted(p for one in owned for p in one) == list(range(PARTITIONS))

    def wait_shared_out(self, seconds=40):
        wait(self.shared_out, lambda: 'shared out: %s' % {m.name: m.owned for m in self.alive}, seconds, pause=0.1)

    def delivered(self):
        return {(r['partition'], r['offset']): r['value'] for m in self.members for r in m.events('record')}

    def wait_delivered(self, writer, seconds=60):
        """All that was acknowledged when it was asked."""
        wanted = dict(writer.acked)
        wait(lambda: not wanted.keys() - self.delivered().keys(),
             lambda: '%d records are delivered: %s' % (len(wanted), sorted(wanted.keys() - self.delivered().keys())[:5]), seconds, pause=0.2)

    def judge(self, writer):
        """Who begins a partition begins at or behind every commit that was acknowledged before, and skips nothing."""
        delivered, commits = self.delivered(), []
        assert {k: v for k, v in delivered.items() if k in writer.acked} == writer.acked
        for m in self.members:
            for row in m.events('committed'):
                commits += [(row['at'], int(p), offset) for p, offset in row['offsets'].items()]
        assert commits
        for m in self.members:
            expected = {}
            for row in m.events('assigned', 'record'):
                if row['event'] == 'assigned':
                    expected.update({p: ('at or above', max([o for t, q, o in commits if q == p and t < row['at']], default=0))
                                     for p in row['partitions']})
                    continue
                rule, offset = expected[row['partition']]
                assert row['offset'] == offset if rule == 'at' else row['offset'] >= offset, (m.name, row, rule, offset)
                expected[row['partition']] = ('at', row['offset'] + 1)

    def close(self):
        """All leave; what is committed is the end."""
        for m in self.alive:
            m.stop(60)
            assert m.events('closed'), m.log_text()[-500:]
        with find(self.cluster, self.name).connect() as c:
            assert describe(c, self.name).group_state == 'Empty'
            return {p: o[0] for (_, p), o in committed(c, self.name).items()}

    def ends(self):
        told = {}
        for partition in range(PARTITIONS):
            with self.cluster.leader_connection(self.topic, partition) as c:
                told[partition] = c.list_offset(self.topic, -1, partition).offset
        return told


@pytest.fixture
def three(make_cluster):
    return make_cluster(brokers=3, config=REPLICATED)


def back_in_sync(cluster, group):
    cluster.ready()
    for name, count in ((group.topic, PARTITIONS), ('__consumer_offsets', SETTINGS['offsets.topic.num.partitions'])):
        for partition in range(count):
            in_sync(cluster, name, [1, 2, 3], partition=partition)


@pytest.mark.parametrize('assignor', ['range', 'cooperative-sticky'])
def test_members_and_brokers_die_and_every_record_is_delivered(three, assignor):
    group = Group(three, partition_assignment_strategy=assignor)
    with Writer(three, group.topic) as writer:
        members = [group.add() for _ in range(3)]
        group.wait_shared_out()
        group.wait_delivered(writer)
        victim = find(three, group.name)
        victim.kill()
        group.wait_delivered(writer)
        victim.start()
        back_in_sync(three, group)
        members[0].kill()
        group.wait_shared_out()
        group.add()
        group.wait_shared_out()
        members[1].freeze()
        wait(lambda: sorted(p for m in group.alive if m is not members[1] for p in m.owned) == list(range(PARTITIONS)),
             'the others read what the frozen one read', 40, pause=0.1)
        members[1].thaw()
        group.wait_shared_out()
        group.wait_delivered(writer)
    group.wait_delivered(writer)
    assert group.close() == group.ends()
    group.judge(writer)


def test_a_rolling_restart_moves_coordinators_and_loses_nothing(three):
    group = Group(three, partition_assignment_strategy='cooperative-sticky')
    with Writer(three, group.topic) as writer:
        for _ in range(3):
            group.add()
        group.wait_shared_out()
        for broker in three.brokers:
            group.wait_delivered(writer)
            broker.stop(60)
            group.wait_delivered(writer)
            broker.start()
            back_in_sync(three, group)
        group.wait_shared_out()
    group.wait_delivered(writer)
    assert group.close() == group.ends()
    group.judge(writer)


def test_members_stay_what_they_are_when_their_coordinator_dies(three):
    """The next one reads the group from its log: nobody joins again. (The sessions are longer than it takes Kafka to miss a dead broker.)"""
    group = Group(three, partition_assignment_strategy='range', session_timeout_ms=20000)
    with Writer(three, group.topic) as writer:
        for _ in range(3):
            group.add()
        group.wait_shared_out()
        group.wait_delivered(writer)
        before = [m.events('assigned', 'revoked', 'lost') for m in group.members]
        with find(three, group.name).connect() as c:
            ids = sorted(m.member_id for m in describe(c, group.name).members)
        victim = find(three, group.name)
        victim.kill()
        with find(three, group.name).connect() as c:
            told = describe(c, group.name)
            assert told.group_state == 'Stable' and sorted(m.member_id for m in told.members) == ids
        after = time.monotonic_ns()
        wait(lambda: all(any(r['began'] > after for r in m.events('committed')) for m in group.members), 'all commit at the new one', 60, pause=0.2)
        group.wait_delivered(writer)
        assert [m.events('assigned', 'revoked', 'lost') for m in group.members] == before
        victim.start()
        back_in_sync(three, group)
    group.wait_delivered(writer)
    assert group.close() == group.ends()
    group.judge(writer)


def test_a_static_member_comes_back_without_a_rebalance(three):
    group = Group(three, partition_assignment_strategy='range', session_timeout_ms=20000)
    with Writer(three, group.topic) as writer:
        for i in range(3):
            group.add(group_instance_id='static-%d' % i)
        group.wait_shared_out()
        group.wait_delivered(writer)
        others = [group.members[0], group.members[2]]
        before, owned = [m.events('assigned', 'revoked', 'lost') for m in others], group.members[1].owned
        for end in (signal.SIGTERM, signal.SIGKILL):
            gone = group.alive[-1 if end == signal.SIGKILL else 1]
            gone.signal(end)
            gone.wait_exit(60)
            back = group.add(group_instance_id='static-1')
            wait(lambda: back.owned == owned, lambda: 'it has %s again: %s' % (owned, back.owned), 30, pause=0.1)
            group.wait_delivered(writer)
        assert [m.events('assigned', 'revoked', 'lost') for m in others] == before
    group.wait_delivered(writer)
    for m in group.alive:
        m.stop(60)
    group.judge(writer)
    with find(three, group.name).connect() as c:
        assert {p: o[0] for (_, p), o in committed(c, group.name).items()} == group.ends()


def test_a_member_that_crashes_is_missed_after_its_session(three):
    group = Group(three, partition_assignment_strategy='range')
    with Writer(three, group.topic) as writer:
        group.add(), group.add()
        group.wait_shared_out()
        group.wait_delivered(writer)
        died = time.monotonic()
        group.members[0].kill()
        group.wait_shared_out(60)
        missed = time.monotonic() - died
        assert missed > SESSION_MS / 1000 - 1, 'it was missed after %.1f s, before its session was over' % missed
        group.wait_delivered(writer)
    group.wait_delivered(writer)
    assert group.close() == group.ends()
    group.judge(writer)
