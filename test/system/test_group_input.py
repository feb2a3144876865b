"""Requests about groups that no good client sends: each is answered or closes its connection, and nobody else notices."""
import random
import time

import pytest

import schema
from bystander import Bystander
from groups import SETTINGS, SUBSCRIBED, Member, Members, commit, committed, find, fresh, wait_state
from processes import TARGET
from wire import Closed, error_name

APIS = ('FindCoordinator', 'JoinGroup', 'SyncGroup', 'Heartbeat', 'LeaveGroup', 'OffsetCommit', 'OffsetFetch', 'OffsetDelete',
        'DescribeGroups', 'ListGroups', 'DeleteGroups')
RSS_GROWTH_KB = 96 * 1024


@pytest.fixture(scope='module')
def alone(zookeeper):
    from cluster import Cluster
    cluster = Cluster(zookeeper, brokers=1, config=SETTINGS).start()
    find(cluster, 'first')
    cluster.create_topic('read', partitions=3)
    yield cluster
    cluster.close()


@pytest.fixture
def victim(alone):
    """The broker, with a good client at work; it lives on in the same process and a new group works when the test is over."""
    broker = alone.brokers[0]
    pid = broker.pid
    with Bystander(alone, broker):
        before = broker.rss_kb()
        yield broker
    assert broker.alive() and broker.pid == pid, 'the process lives'
    if TARGET == 'klamm':
        assert broker.rss_kb() - before < RSS_GROWTH_KB, 'memory grew by %d KB' % (broker.rss_kb() - before)
    members = Members(broker, fresh(), 2)
    assert [m.heartbeat() for m in members] == ['NONE', 'NONE']
    members.close()


@pytest.fixture
def c(victim):
    with victim.connect() as connection:
        yield connection


# ---- anything ----

class Fancy:
    """Bodies of requests from few names, so that they meet each other's groups, members and generations."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.members = ['', '', 'nobody', 'm' * 300]

    def learn(self, answer):
        if answer.get('member_id'):
            self.members = (self.members + [answer.member_id])[-12:]

    def number(self, name):
        if 'timeout' in name:
            return self.random.choice([100, 150, 300, 300, 1000, 0, -1, 2 ** 31 - 1])
        if name in ('partition_index', 'partition_indexes'):
            return self.random.choice([0, 0, 1, 2, 3, -1, 2 ** 31 - 1])
        if name == 'key_type':
            return self.random.choice([0, 0, 1, 2, 9, -1])
        if name.startswith('generation'):
            return self.random.choice([-1, 0, 1, 1, 2, 2, 3, 4, -2, 2 ** 31 - 1])
        return self.random.choice([-1, 0, 1, 5, -2 ** 31, 2 ** 31 - 1])

    def word(self, name):
        if name in ('group_id', 'groups', 'groups_names', 'coordinator_keys', 'key'):
            return self.random.choice(['fancy-a', 'fancy-a', 'fancy-b', 'fancy-c', '', 'g' * 5000, '\0', 'é'])
        if name == 'member_id':
            return self.random.choice(self.members)
        if name == 'group_instance_id':
            return self.random.choice(['one', 'two', '', 'i' * 1000])
        if name == 'protocol_type':
            return self.random.choice(['consumer'] * 6 + ['connect', '', 't' * 400])
        if name in ('protocol_name', 'name'):
            return self.random.choice(['range', 'range', 'read', 'read', 'unknown', '', 'n' * 400])
        return self.random.choice(['', 'x', 'Stable', 'classic', 'consumer'])

    def scalar(self, field, version):
        if field.nullable != schema.NO_VERSION and schema.within(version, field.nullable) and self.random.random() < 0.5:
            return None
        kind = schema.MEANING.get(field.kind, field.kind)
        if kind == 'bool':
            return self.random.random() < 0.5
        if kind == 'bytes':
            return self.random.choice([b'', SUBSCRIBED, b'\xff' * 100, b'\0\1\x7f\xff\xff\xff', b'z' * 20000])
        if kind == 'string':
            return self.word(field.name)
        bits = 8 * schema.struct.calcsize(schema.WIDTH[kind])
        return max(-2 ** (bits - 1), min(2 ** (bits - 1) - 1, self.number(field.name)))

    def body(self, fields, version):
        made = {}
        for field in fields:
            if field.versions and not schema.within(version, field.versions):
                continue
            if field.array:
                one = (lambda: self.body(field.fields, version)) if field.fields is not None else (lambda: self.scalar(field, version))
                made[field.name] = [one() for _ in range(self.random.choice([0, 1, 1, 2, 3]))]
                if field.fields is None:
                    made[field.name] = [x for x in made[field.name] if x is not None]
                if field.nullable != schema.NO_VERSION and schema.within(version, field.nullable) and self.random.random() < 0.2:
                    made[field.name] = None
            elif field.fields is not None:
                made[field.name] = self.body(field.fields, version)
            else:
                made[field.name] = self.scalar(field, version)
        return made


def take(connection, fancy):
    """The answer, if it is there within a moment: who joins may have to wait."""
    connection.socket.settimeout(0.05)
    try:
        fancy.learn(connection.receive())
        return True
    except TimeoutError:
        return False


@pytest.mark.klamm_only
@pytest.mark.parametrize('seed', range(6))
def test_anything(victim, seed):
    """Kafka leaves some of these without an answer: OffsetFetch for no group at all, or for a null one."""
    fancy = Fancy(seed)
    connections, n_parked = [], 0
    for _ in range(400):
        name = fancy.random.choice(APIS + ('JoinGroup', 'SyncGroup', 'OffsetCommit'))
        api = schema.APIS[name]
        version = fancy.random.randint(*api.versions)
        connection = connections.pop(0) if len(connections) > 8 else victim.connect(client_id=fancy.random.choice([None, '', 'fancy', 'ü' * 500]))
        try:
            connection.send(name, version, fancy.body(api.request.fields, version))
            if take(connection, fancy):
                connections.append(connection)
                continue
            n_parked += 1
            assert name in ('JoinGroup', 'SyncGroup', 'FindCoordinator', 'OffsetCommit'), '%s %d has no answer' % (name, version)
        except Closed:
            raise AssertionError('%s %d closes the connection' % (name, version)) from None
        connection.close()
    for connection in connections:
        connection.close()
    assert n_parked < 200, 'most are answered'


# ---- much ----

@pytest.mark.klamm_only
def test_long_names(victim, c):
    """The longest that a string can be: what no record can hold, or is absurd, is refused (Kafka closes the connection, or takes it)."""
    long = 'n' * 32767
    for error, version, fields in (
            ('NONE', 3, {'group_id': long}), ('INVALID_REQUEST', 9, {'group_instance_id': long}), ('UNKNOWN_MEMBER_ID', 9, {'member_id': long}),
            ('MEMBER_ID_REQUIRED', 9, {'reason': long}), ('INCONSISTENT_GROUP_PROTOCOL', 3, {'protocol_type': long}),
            ('INCONSISTENT_GROUP_PROTOCOL', 3, {'protocols': [{'name': long, 'metadata': b''}]})):
        member = Member(victim, fresh(), version=version)
        assert error_name(member.c.call('JoinGroup', version, member.join_body(**fields)).error_code) == error, fields
        member.close()
    for version in (3, 9):
        member = Member(victim, fresh(), version=version, client_id='c' * 32767)
        assert error_name(member.c.call('JoinGroup', version, member.join_body()).error_code) == 'INVALID_REQUEST'
        member.close()
    assert commit(c, 'm' * 32767, {'read': {0: 1}}) == {('read', 0): 'NONE'}
    assert committed(c, 'm' * 32767) == {('read', 0): (1, -1, '')}


@pytest.mark.parametrize('name, version, body', [
    ('Heartbeat', 4, {'group_id': 'n' * 32768}), ('OffsetCommit', 8, {'group_id': 'g', 'member_id': 'n' * 40000}),
    ('DescribeGroups', 5, {'groups': ['n' * 70000]})])
def test_longer_names_than_a_string_can_be(victim, name, version, body):
    with victim.connect() as own:
        own.send(name, version, body)
        own.assert_closed()


def test_many_names_in_one_request(victim, c):
    names = ['many-%d' % i for i in range(50000)]
    assert [g.group_state for g in c.call('DescribeGroups', 5, groups=names).groups] == ['Dead'] * len(names)
    assert {r.error_code for r in c.call('DeleteGroups', 2, groups_names=names + names).results} == {69}
    assert len(c.call('FindCoordinator', 4, key_type=0, coordinator_keys=names).coordinators) == len(names)
    groups = [{'group_id': n, 'topics': [{'name': 'read', 'partition_indexes': [0]}]} for n in names]
    assert [g.error_code for g in c.call('OffsetFetch', 8, groups=groups).groups] == [0] * len(names)


@pytest.mark.klamm_only
def test_too_many_names_in_one_request(victim):
    for name, version, body in (('DescribeGroups', 5, {'groups': ['x'] * 200001}), ('DeleteGroups', 2, {'groups_names': ['x'] * 200001}),
                                ('FindCoordinator', 4, {'coordinator_keys': ['x'] * 200001}),
                                ('OffsetFetch', 0, {'group_id': 'x', 'topics': [{'name': 'read', 'partition_indexes': [0] * 10001}]})):
        with victim.connect() as own:
            own.send(name, version, body)
            own.assert_closed()


def test_the_same_partition_ten_thousand_times(victim, c):
    group = fresh()
    row = {'partition_index': 0, 'committed_offset': 7, 'committed_metadata': ''}
    answer = c.call('OffsetCommit', 8, group_id=group, generation_id_or_member_epoch=-1, member_id='',
                    topics=[{'name': 'read', 'partitions': [row] * 10000}, {'name': 'read', 'partitions': [dict(row, committed_offset=8)]}])
    assert {p.error_code for t in answer.topics for p in t.partitions} == {0}
    assert committed(c, group) == {('read', 0): (8, -1, '')}
    answer = c.call('OffsetFetch', 5, group_id=group, topics=[{'name': 'read', 'partition_indexes': [0] * 10000}])
    assert {p.committed_offset for t in answer.topics for p in t.partitions} == {8}


def test_a_join_larger_than_a_record_may_be(victim, c):
    """The group's record would not fit into the log: whoever wants that is told, and the group goes on without."""
    member = Member(victim, fresh(), version=3, protocols=[('range', b'x' * 5000000)])
    answer = member.begin().take_join()
    if answer.error_code == 0:
        answer = member.sync({member.id: b''})
    assert answer.error_code != 0
    member.close()


# ---- gone ----

def test_members_whose_connection_is_gone_are_left_behind(victim, c):
    """Joins wait for one member that never comes again; their connections close, and the group is rid of all of them."""
    group = fresh()
    first = Member(victim, group, version=3, session_ms=1000, rebalance_ms=1000)
    first.join()
    waiting = [Member(victim, group, version=3, session_ms=500, rebalance_ms=500).begin() for _ in range(3)]
    wait_state(c, group, 'PreparingRebalance')
    for member in waiting + [first]:
        member.close()
    wait_state(c, group, 'Empty')
    again = Member(victim, group)
    again.join()
    again.close()


def test_connections_that_close_in_the_middle_of_everything(victim):
    """Requests are sent, and nobody waits for the answers."""
    group = fresh()
    body = Member(victim, group, version=3, session_ms=200, rebalance_ms=200)
    for i in range(300):
        with victim.connect() as own:
            own.send('JoinGroup', 3, body.join_body())
            own.send('SyncGroup', 3, group_id=group, generation_id=i % 7, member_id='x', group_instance_id=None, assignments=[])
            own.send('OffsetCommit', 8, group_id=group, generation_id_or_member_epoch=-1, member_id='', topics=[
                {'name': 'read', 'partitions': [{'partition_index': 0, 'committed_offset': i, 'committed_metadata': ''}]}])
            own.send('DescribeGroups', 5, groups=[group, 'other', 'third'])
    body.close()
    with victim.connect() as own:
        wait_state(own, group, 'Empty', 30)
