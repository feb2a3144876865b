"""Consumer groups by raw requests: members that do one step at a time, and what a coordinator leaves in __consumer_offsets."""
import struct
import uuid

from batch import parse
from processes import wait
from wire import error_name

OFFSETS = '__consumer_offsets'
# Session time-outs of a tenth of a second, so that tests need not wait; a rebalance ends as soon as all have rejoined.
SETTINGS = {'offsets.topic.replication.factor': 1, 'offsets.topic.num.partitions': 4, 'group.initial.rebalance.delay.ms': 0,
            'group.min.session.timeout.ms': 100, 'group.max.session.timeout.ms': 60000, 'group.max.size': 4}


def fresh(name='group'):
    return '%s-%s' % (name, uuid.uuid4().hex[:8])


def java_hash(text):
    """String.hashCode() of Java: over UTF-16 units, 32 bits with a sign."""
    data = text.encode('utf-16-be')
    value = 0
    for at in range(0, len(data), 2):
        value = (value * 31 + struct.unpack_from('>H', data, at)[0]) & 0xffffffff
    return value - (1 << 32) if value >> 31 else value


def partition_of(group, count=SETTINGS['offsets.topic.num.partitions']):
    """Of the absolute value; the lowest number of all has none and goes to 0."""
    value = java_hash(group)
    return 0 if value == -(1 << 31) else abs(value) % count


def coordinator(connection, group, version=4):
    """The row of FindCoordinator for one group, in any version."""
    if version < 4:
        return connection.call('FindCoordinator', version, key=group)
    return connection.call('FindCoordinator', version, key_type=0, coordinator_keys=[group]).coordinators[0]


def find(cluster, group):
    """The broker that coordinates the group, when it does: a topic that is just made and a coordinator that just loads are waited for."""
    def found():
        with cluster.connect_to_any() as c:
            row = coordinator(c, group)
            if row.error_code != 0:
                return None
        try:
            broker = cluster.broker(row.node_id)
            with broker.connect(timeout=5) as c:
                ready = c.call('DescribeGroups', 5, groups=[group]).groups[0].error_code == 0
                return broker if ready else None
        except OSError:
            return None
    return wait(found, 'a coordinator of %s' % group, 30)


def text(value):
    return struct.pack('>h', -1) if value is None else struct.pack('>h', len(value.encode())) + value.encode()


def blob(value):
    return struct.pack('>i', len(value)) + value


def assignment_of(topics):
    """ConsumerProtocolAssignment v0 of {topic: [partition]}."""
    out = struct.pack('>hi', 0, len(topics))
    for name, partitions in topics.items():
        out += text(name) + struct.pack('>i%di' % len(partitions), len(partitions), *partitions)
    return out + struct.pack('>i', -1)


def subscription_of(topics):
    """ConsumerProtocolSubscription v0."""
    return struct.pack('>hi', 0, len(topics)) + b''.join(text(t) for t in topics) + struct.pack('>i', -1)


SUBSCRIBED = subscription_of(['anything'])
OTHER = subscription_of(['something else'])


class Member:
    """One member (or one that wants to be) on a connection of its own."""

    def __init__(self, broker, group, instance=None, protocols=(('range', SUBSCRIBED),), protocol_type='consumer', session_ms=30000,
                 rebalance_ms=30000, version=9, client_id='member', member_id=''):
        self.c = broker.connect(client_id=client_id)
        self.group, self.instance, self.protocols, self.protocol_type = group, instance, list(protocols), protocol_type
        self.session_ms, self.rebalance_ms, self.version = session_ms, rebalance_ms, version
        self.id, self.generation, self.joined = member_id, -1, None

    def close(self):
        self.c.close()

    @property
    def identity(self):
        return {'group_id': self.group, 'member_id': self.id, 'group_instance_id': self.instance}

    def join_body(self, **more):
        body = dict(self.identity, session_timeout_ms=self.session_ms, rebalance_timeout_ms=self.rebalance_ms,
                    protocol_type=self.protocol_type, protocols=[{'name': n, 'metadata': m} for n, m in self.protocols])
        body.update(more)
        return body

    def send_join(self, **more):
        self.c.send('JoinGroup', self.version, self.join_body(**more))

    def take_join(self):
        answer = self.c.receive()
        if answer.error_code == 0:
            self.id, self.generation, self.joined = answer.member_id, answer.generation_id, answer
        return answer

    def ask_id(self):
        """The first step of a new dynamic member: it is told its id."""
        answer = self.c.call('JoinGroup', self.version, self.join_body())
        assert error_name(answer.error_code) == 'MEMBER_ID_REQUIRED' and answer.member_id, answer
        self.id = answer.member_id
        return self

    def begin(self):
        """Asks to join with an id: the answer comes when the rebalance is over."""
        if not self.id and self.instance is None and self.version >= 4:
            self.ask_id()
        self.send_join()
        return self

    def join(self):
        self.begin()
        answer = self.take_join()
        assert answer.error_code == 0, answer
        return answer

    @property
    def leads(self):
        return self.joined.leader == self.id

    def sync_body(self, assignments=None, **more):
        body = dict(self.identity, generation_id=self.generation, protocol_type=self.protocol_type,
                    protocol_name=self.joined.protocol_name if self.joined else None,
                    assignments=[{'member_id': i, 'assignment': a} for i, a in (assignments or {}).items()])
        body.update(more)
        return body

    def send_sync(self, assignments=None, **more):
        self.c.send('SyncGroup', 5, self.sync_body(assignments, **more))

    def sync(self, assignments=None, **more):
        return self.c.call('SyncGroup', 5, self.sync_body(assignments, **more))

    def heartbeat(self, version=4, **more):
        return error_name(self.c.call('Heartbeat', version, dict(self.identity, generation_id=self.generation, **more)).error_code)

    def leave(self):
        answer = self.c.call('LeaveGroup', 5, group_id=self.group, members=[{'member_id': self.id, 'group_instance_id': self.instance}])
        return error_name(answer.error_code or answer.members[0].error_code)

    def commit(self, topic, offset, partition=0, version=9, **more):
        body = dict(self.identity, generation_id_or_member_epoch=self.generation)
        body.update(more)
        return commit(self.c, self.group, {topic: {partition: offset}}, version, **body)[topic, partition]


class Members(list):
    """Members of one group that go through a whole rebalance together."""

    def __init__(self, broker, group, n, **options):
        super().__init__(Member(broker, group, **options) for _ in range(n))
        self.broker, self.group = broker, group
        self.settle()

    def settle(self):
        """One generation with all of them, each assigned its own number. The first to join leads unless it led already."""
        self[0].join()
        for member in self[1:]:
            member.begin()
            wait_members(self[0].c, self.group, self.index(member) + 1)
        if len(self) > 1:
            self[0].send_join()
        for member in self[1:] + self[:1] if len(self) > 1 else []:
            assert member.take_join().error_code == 0, member.joined
        self.assign()

    def assign(self):
        leader = next(m for m in self if m.leads)
        for member in self:
            if member is not leader:
                member.send_sync()
        leader.send_sync({m.id: b'for %d' % i for i, m in enumerate(self)})
        for i, member in enumerate(self):
            answer = member.c.receive()
            assert answer.error_code == 0 and answer.assignment == b'for %d' % i, answer

    def close(self):
        for member in self:
            member.close()


def describe(connection, group, version=5):
    return connection.call('DescribeGroups', version, groups=[group]).groups[0]


def wait_members(connection, group, n):
    return wait(lambda: len(describe(connection, group).members) == n or None, lambda: '%d members: %s' % (n, describe(connection, group)))


def wait_state(connection, group, state, seconds=20):
    return wait(lambda: describe(connection, group).group_state == state, lambda: '%s is %s: %s' % (group, state, describe(connection, group)),
                seconds)


def as_partition(index, what):
    """What is committed: an offset, or fields of the partition."""
    fields = what if isinstance(what, dict) else {'committed_offset': what}
    return dict({'partition_index': index, 'committed_metadata': ''}, **fields)


def commit(connection, group, offsets, version=9, **fields):
    """offsets: {topic: {partition: offset}}. Errors by (topic, partition)."""
    body = dict({'group_id': group, 'topics': [
        {'name': t, 'partitions': [as_partition(*row) for row in parts.items()]} for t, parts in offsets.items()]}, **fields)
    answer = connection.call('OffsetCommit', version, body)
    return {(t.name, p.partition_index): error_name(p.error_code) for t in answer.topics for p in t.partitions}


def fetch_answer(connection, group, wanted, version=9, **fields):
    """wanted: {topic: [partition]} or None for all. The answer for one group: .error_code and .topics."""
    topics = None if wanted is None else [{'name': t, 'partition_indexes': parts} for t, parts in wanted.items()]
    if version < 8:
        return connection.call('OffsetFetch', version, group_id=group, topics=topics, **fields)
    whole = {k: fields.pop(k) for k in list(fields) if k == 'require_stable'}
    answer = connection.call('OffsetFetch', version, groups=[dict({'group_id': group, 'topics': topics}, **fields)], **whole)
    assert [g.group_id for g in answer.groups] == [group]
    return answer.groups[0]


def committed(connection, group, wanted=None, version=9, **fields):
    """(offset, leader epoch, metadata) by (topic, partition)."""
    answer = fetch_answer(connection, group, wanted, version, **fields)
    assert answer.error_code == 0, answer
    told = {}
    for topic in answer.topics:
        for p in topic.partitions:
            assert p.error_code == 0, answer
            told[topic.name, p.partition_index] = (p.committed_offset, p.committed_leader_epoch, p.metadata)
    return told


# ---- records of __consumer_offsets ----

def group_key(group):
    return struct.pack('>h', 2) + text(group)


def offset_key(group, topic, partition):
    return struct.pack('>h', 1) + text(group) + text(topic) + struct.pack('>i', partition)


def offset_value(offset, leader_epoch, metadata, timestamp):
    return struct.pack('>hqi', 3, offset, leader_epoch) + text(metadata) + struct.pack('>q', timestamp)


def group_value(protocol_type, generation, protocol, leader, timestamp, members=()):
    """members: (id, instance, client id, host, rebalance ms, session ms, subscription, assignment)"""
    out = struct.pack('>h', 3) + text(protocol_type) + struct.pack('>i', generation) + text(protocol) + text(leader)
    out += struct.pack('>qi', timestamp, len(members))
    for member_id, instance, client, host, rebalance_ms, session_ms, subscription, assignment in members:
        out += text(member_id) + text(instance) + text(client) + text(host) + struct.pack('>ii', rebalance_ms, session_ms)
        out += blob(subscription) + blob(assignment)
    return out


def group_batches(cluster, group):
    """The batches of __consumer_offsets that speak of the group and of no other."""
    whole = parse(cluster.read_all(OFFSETS, partition_of(group)))
    return [b for b in whole if all(r.key[2:].startswith(text(group)) for r in b.records)]
