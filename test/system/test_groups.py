"""Membership of consumer groups: FindCoordinator, JoinGroup, SyncGroup, Heartbeat, LeaveGroup, by raw requests in every version."""
import pytest

from groups import (OFFSETS, OTHER, SETTINGS, Member, Members, committed, coordinator, describe, find, fresh, wait_members,
                    wait_state)
from processes import wait
from wire import error_name

BRIEF_MS = 300


@pytest.fixture(scope='module')
def alone(zookeeper):
    """One broker that coordinates all groups; .first is its first answer to FindCoordinator."""
    from cluster import Cluster
    cluster = Cluster(zookeeper, brokers=1, config=SETTINGS).start()
    with cluster.connect() as c:
        cluster.first = coordinator(c, 'first')
    find(cluster, 'first')
    yield cluster
    cluster.close()


@pytest.fixture
def c(alone):
    with alone.connect() as connection:
        yield connection


@pytest.fixture
def joiner(alone):
    """joiner(group, ..): a Member; joiner(group, n, ..): n of them, settled. Closed with the test."""
    made = []

    def make(group, n=None, **options):
        find(alone, group)
        one = Member(alone.brokers[0], group, **options) if n is None else Members(alone.brokers[0], group, n, **options)
        made.append(one)
        return one
    yield make
    for one in made:
        one.close()


# ---- FindCoordinator ----

def test_the_first_question_makes_the_topic_and_is_to_be_repeated(alone, c):
    assert error_name(alone.first.error_code) == 'COORDINATOR_NOT_AVAILABLE' and alone.first.node_id == -1
    assert (alone.first.host, alone.first.port) == ('', -1)
    topic = c.metadata([OFFSETS]).topics[0]
    assert topic.is_internal and len(topic.partitions) == SETTINGS['offsets.topic.num.partitions']
    told = {key: alone.topic_config(OFFSETS, key) for key in ('cleanup.policy', 'compression.type', 'segment.bytes')}
    assert told == {'cleanup.policy': 'compact', 'compression.type': 'producer', 'segment.bytes': '104857600'}


@pytest.mark.parametrize('version', range(7))
def test_find_coordinator_in_every_version(alone, c, version):
    row = coordinator(c, 'group', version)
    assert (row.error_code, row.node_id, row.host, row.port) == (0, 1, '127.0.0.1', alone.brokers[0].port)
    if version:
        assert row.error_message == ('NONE' if version < 4 else '')


def test_find_coordinator_of_several_groups(alone, c):
    keys = ['a', 'b', '', 'ü', 'a']
    rows = c.call('FindCoordinator', 4, key_type=0, coordinator_keys=keys).coordinators
    assert [(r.key, r.error_code, r.node_id) for r in rows] == [(k, 0, 1) for k in keys]
    assert c.call('FindCoordinator', 4, key_type=0, coordinator_keys=[]).coordinators == []


@pytest.mark.parametrize('version, key_type, error', [
    (1, 3, 'INVALID_REQUEST'), (3, 9, 'INVALID_REQUEST'), (4, -1, 'INVALID_REQUEST'), (6, 3, 'INVALID_REQUEST'),
    (5, 2, 'INVALID_REQUEST'), (6, 2, 'COORDINATOR_NOT_AVAILABLE')])
def test_find_coordinator_of_other_things(c, version, key_type, error):
    if version < 4:
        row = c.call('FindCoordinator', version, key='k', key_type=key_type)
    else:
        row = c.call('FindCoordinator', version, key_type=key_type, coordinator_keys=['k']).coordinators[0]
    assert (error_name(row.error_code), row.node_id, row.host, row.port) == (error, -1, '', -1)


# ---- JoinGroup: what is refused ----

def refused(member, **fields):
    answer = member.c.call('JoinGroup', member.version, member.join_body(**fields))
    assert (answer.generation_id, answer.protocol_name or '', answer.leader, answer.members) == (-1, '', '', []), answer
    return error_name(answer.error_code), answer.member_id


def test_join_refuses_the_empty_group(joiner):
    assert refused(joiner(''), member_id='me') == ('INVALID_GROUP_ID', 'me')


@pytest.mark.parametrize('session_ms', [-1, 0, 99, 60001, 2147483647])
def test_join_refuses_session_timeouts_out_of_bounds(joiner, session_ms):
    assert refused(joiner(fresh()), session_timeout_ms=session_ms) == ('INVALID_SESSION_TIMEOUT', '')


def test_join_refuses_an_unknown_member(joiner, c):
    group = fresh()
    assert refused(joiner(group), member_id='nobody') == ('UNKNOWN_MEMBER_ID', 'nobody')
    assert describe(c, group).group_state == 'Dead'
    joiner(group, 1)
    assert refused(joiner(group), member_id='nobody') == ('UNKNOWN_MEMBER_ID', 'nobody')
    assert refused(joiner(group), member_id='nobody', group_instance_id='none') == ('UNKNOWN_MEMBER_ID', 'nobody')


@pytest.mark.parametrize('protocol_type, protocols', [('consumer', []), ('', [('range', b'')])])
def test_join_refuses_a_new_group_without_protocols(joiner, c, protocol_type, protocols):
    group = fresh()
    member = joiner(group, protocol_type=protocol_type, protocols=protocols)
    assert refused(member) == ('INCONSISTENT_GROUP_PROTOCOL', '')
    assert describe(c, group).group_state == 'Empty'


def test_join_refuses_other_protocols_than_those_of_the_group(joiner):
    group = fresh()
    joiner(group, 2, protocols=[('a', b''), ('b', b'')])
    assert refused(joiner(group, protocols=[('c', b'')])) == ('INCONSISTENT_GROUP_PROTOCOL', '')
    assert refused(joiner(group, protocol_type='connect', protocols=[('a', b'')])) == ('INCONSISTENT_GROUP_PROTOCOL', '')
    assert refused(joiner(group, protocol_type='', protocols=[('a', b'')])) == ('INCONSISTENT_GROUP_PROTOCOL', '')
    assert refused(joiner(group, protocols=[])) == ('INCONSISTENT_GROUP_PROTOCOL', '')
    assert joiner(group, protocols=[('c', b''), ('b', b'')]).ask_id().id


def test_a_full_group_takes_nobody(joiner):
    group = fresh()
    members = joiner(group, SETTINGS['group.max.size'])
    late = joiner(group)
    assert refused(late) == ('GROUP_MAX_SIZE_REACHED', '')
    assert refused(joiner(group, instance='static')) == ('GROUP_MAX_SIZE_REACHED', '')
    assert refused(joiner(group, version=3)) == ('GROUP_MAX_SIZE_REACHED', '')
    assert members[-1].leave() == 'NONE'
    late.begin()
    for member in members[:-1]:
        member.send_join()
    for member in [late] + members[:-1]:
        assert member.take_join().error_code == 0


# ---- JoinGroup: new members ----

@pytest.mark.parametrize('version', range(10))
def test_one_member_in_every_version(joiner, c, version):
    group = fresh()
    member = joiner(group, version=version, client_id='cli', protocols=[('range', b'meta')])
    if version >= 4:
        answer = member.c.call('JoinGroup', version, member.join_body())
        assert error_name(answer.error_code) == 'MEMBER_ID_REQUIRED' and answer.member_id.startswith('cli-') and len(answer.member_id) == 40
        assert describe(c, group).group_state == 'Empty' and describe(c, group).members == []
        member.id = answer.member_id
    answer = member.join()
    assert (answer.generation_id, answer.protocol_name, answer.leader) == (1, 'range', member.id) and member.id.startswith('cli-')
    assert [(m.member_id, m.metadata, m.group_instance_id) for m in answer.members] == [(member.id, b'meta', None)]
    assert answer.protocol_type == ('consumer' if version >= 7 else None) and not answer.skip_assignment
    sync = min(version, 5)
    answer = member.c.call('SyncGroup', sync, member.sync_body({member.id: b'mine'}))
    assert (answer.error_code, answer.assignment) == (0, b'mine')
    assert (answer.protocol_type, answer.protocol_name) == (('consumer', 'range') if sync >= 5 else (None, None))
    assert member.heartbeat(min(version, 4)) == 'NONE'
    leave = min(version, 5)
    if leave < 3:
        answer = c.call('LeaveGroup', leave, group_id=group, member_id=member.id)
    else:
        answer = c.call('LeaveGroup', leave, group_id=group, members=[{'member_id': member.id, 'group_instance_id': None}])
        assert [(m.member_id, m.group_instance_id, m.error_code) for m in answer.members] == [(member.id, None, 0)]
    assert answer.error_code == 0 and describe(c, group).group_state == 'Empty'


def test_a_static_member_gets_an_id_from_its_instance(joiner):
    member = joiner(fresh(), instance='shop-1', client_id='cli')
    answer = member.join()
    assert member.id.startswith('shop-1-') and len(member.id) == len('shop-1-') + 36
    assert [m.group_instance_id for m in answer.members] == ['shop-1']


def test_only_the_leader_is_told_of_the_others(joiner):
    members = joiner(fresh(), 3, protocols=[('range', b'r'), ('other', b'o')])
    leader = members[0].joined
    assert {m.member_id: m.metadata for m in leader.members} == {m.id: b'r' for m in members}
    for member in members[1:]:
        assert (member.joined.leader, member.joined.members, member.generation) == (members[0].id, [], leader.generation_id)
    assert leader.generation_id == 2


def test_each_member_votes_for_its_first_protocol_that_all_have(joiner):
    group = fresh()
    lists = ['xabc', 'bca', 'bac']
    members = [joiner(group, protocols=[(n, n.encode() + b'%d' % i) for n in row]) for i, row in enumerate(lists)]
    members[0].join()
    for i, member in enumerate(members[1:]):
        member.begin()
        wait_members(member_connection(members), group, i + 2)
    members[0].send_join()
    for member in members:
        assert member.take_join().protocol_name == 'b'
    assert sorted(m.metadata for m in members[0].joined.members) == [b'b0', b'b1', b'b2']


def member_connection(members):
    return members[0].c


def test_a_pending_id_is_waited_for_no_longer_than_its_session(joiner, c):
    group = fresh()
    members = joiner(group, 1)
    joiner(group, session_ms=BRIEF_MS).ask_id()
    third = joiner(group).begin()
    wait_members(c, group, 2)
    members[0].send_join()
    assert members[0].take_join().error_code == 0 and third.take_join().error_code == 0
    assert len(members[0].joined.members) == 2


def test_a_pending_id_that_leaves_is_not_waited_for(joiner, c):
    group = fresh()
    members = joiner(group, 1)
    gone = joiner(group).ask_id()
    third = joiner(group).begin()
    wait_members(c, group, 2)
    members[0].send_join()
    assert describe(c, group).group_state == 'PreparingRebalance'
    assert gone.leave() == 'NONE'
    assert members[0].take_join().error_code == 0 and third.take_join().error_code == 0


def test_a_pending_id_cannot_do_anything_else(joiner):
    group = fresh()
    joiner(group, 1)
    member = joiner(group).ask_id()
    member.generation = 1
    assert member.heartbeat() == 'UNKNOWN_MEMBER_ID'
    assert error_name(member.sync(protocol_name='range').error_code) == 'UNKNOWN_MEMBER_ID'


# ---- JoinGroup: members that join again ----

def test_a_follower_that_joins_again_with_the_same_metadata_stays_where_it_is(joiner, c):
    group = fresh()
    members = joiner(group, 2)
    answer = members[1].join()
    assert (answer.generation_id, answer.leader, answer.members) == (2, members[0].id, [])
    assert describe(c, group).group_state == 'Stable'
    assert members[0].heartbeat() == 'NONE'


@pytest.mark.parametrize('who', ['leader', 'follower with other metadata'])
def test_a_rebalance_begins_when(joiner, c, who):
    group = fresh()
    members = joiner(group, 2)
    first, second = members if who == 'leader' else members[::-1]
    if who != 'leader':
        first.protocols = [('range', OTHER)]
    first.send_join()
    wait_state(c, group, 'PreparingRebalance')
    assert second.heartbeat() == 'REBALANCE_IN_PROGRESS'
    second.send_join()
    assert first.take_join().generation_id == 3 and second.take_join().generation_id == 3
    assert members[0].leads
    members.assign()


def test_joining_again_before_the_assignment_repeats_the_answer(joiner, c):
    group = fresh()
    members = joiner(group, 2)
    members[0].send_join()
    wait_state(c, group, 'PreparingRebalance')
    members[1].send_join()
    for member in members:
        assert member.take_join().generation_id == 3
    for member in members:
        answer = member.join()
        assert (answer.generation_id, len(answer.members)) == (3, 2 if member.leads else 0)
    members[1].protocols = [('range', OTHER)]
    members[1].send_join()
    wait_state(c, group, 'PreparingRebalance')
    members[0].send_join()
    assert members[0].take_join().generation_id == 4 and members[1].take_join().generation_id == 4


def test_who_does_not_join_again_is_left_out(joiner, c):
    group = fresh()
    members = joiner(group, 2, rebalance_ms=BRIEF_MS)
    members[1].protocols = [('range', OTHER)]
    answer = members[1].join()
    assert (answer.generation_id, answer.leader) == (3, members[1].id), 'the leader did not come, another one leads'
    assert [m.member_id for m in answer.members] == [members[1].id]
    assert members[0].heartbeat() == 'UNKNOWN_MEMBER_ID'


def test_a_static_member_that_does_not_join_again_is_kept(joiner, c):
    group = fresh()
    static, dynamic = joiner(group, instance='i', rebalance_ms=BRIEF_MS), joiner(group, rebalance_ms=BRIEF_MS)
    static.join()
    dynamic.begin()
    wait_members(c, group, 2)
    answer = dynamic.take_join()
    assert answer.generation_id == 2 and answer.leader == dynamic.id, 'the one that came leads'
    assert sorted(m.member_id for m in answer.members) == sorted([static.id, dynamic.id])
    assert static.heartbeat() == 'ILLEGAL_GENERATION'


def test_the_session_of_a_member_ends(joiner, c):
    group = fresh()
    lively, silent = joiner(group), joiner(group, session_ms=BRIEF_MS)
    lively.join()
    silent.begin()
    wait_members(c, group, 2)
    lively.send_join()
    assert lively.take_join().generation_id == 2 and silent.take_join().generation_id == 2
    wait_state(c, group, 'PreparingRebalance')
    assert lively.join().generation_id == 3
    assert silent.heartbeat() == 'UNKNOWN_MEMBER_ID'


def test_the_group_is_empty_when_the_last_session_ends(joiner, c):
    group = fresh()
    member = joiner(group, session_ms=BRIEF_MS)
    member.join()
    assert member.sync({member.id: b''}).error_code == 0
    wait_state(c, group, 'Empty')
    told = describe(c, group)
    assert (told.protocol_type, told.protocol_data, told.members) == ('consumer', '', [])
    again = joiner(group)
    assert again.join().generation_id == 3


def test_heartbeats_and_commits_keep_a_session(alone, joiner, c):
    group, topic = fresh(), alone.create_topic()
    members = joiner(group, 1, session_ms=2 * BRIEF_MS)
    commits = [0]

    def twice_over():
        commits[0] += 1
        assert members[0].commit(topic, commits[0]) == 'NONE'
        return commits[0] > 8 * BRIEF_MS // 100
    wait(twice_over, 'the session would have ended', pause=0.1)
    beats = [0]

    def beaten():
        beats[0] += 1
        assert members[0].heartbeat() == 'NONE'
        return beats[0] > 8 * BRIEF_MS // 100
    wait(beaten, 'the session would have ended', pause=0.1)


def test_a_parked_join_outlives_the_session(joiner, c):
    group = fresh()
    members = joiner(group, 1, rebalance_ms=5 * BRIEF_MS)
    late = joiner(group, session_ms=BRIEF_MS, rebalance_ms=5 * BRIEF_MS).begin()
    wait_members(c, group, 2)
    assert late.take_join().error_code == 0, 'it came when the rebalance timed out, and was a member still'
    assert [m.member_id for m in late.joined.members] == [late.id]
    assert members[0].heartbeat() == 'UNKNOWN_MEMBER_ID'


# ---- static members ----

def pair(joiner, c, group, **options):
    """A static leader and a static follower, settled."""
    first, second = joiner(group, instance='one', **options), joiner(group, instance='two', **options)
    first.join()
    second.begin()
    wait_members(c, group, 2)
    first.send_join()
    assert first.take_join().error_code == 0 and second.take_join().error_code == 0
    second.send_sync()
    assert first.sync({first.id: b'for one', second.id: b'for two'}).error_code == 0 and second.c.receive().error_code == 0
    return first, second


@pytest.mark.parametrize('version', [5, 8, 9])
def test_a_static_follower_comes_back_without_a_rebalance(alone, joiner, c, version):
    group, topic = fresh(), alone.create_topic()
    first, second = pair(joiner, c, group)
    back = joiner(group, instance='two', version=version)
    answer = back.join()
    assert (answer.generation_id, answer.leader, answer.members, answer.skip_assignment) == (2, first.id, [], False)
    assert back.id != second.id and describe(c, group).group_state == 'Stable'
    assert back.sync().assignment == b'for two'
    assert second.heartbeat() == 'FENCED_INSTANCE_ID'
    assert error_name(second.sync().error_code) == 'FENCED_INSTANCE_ID'
    assert second.commit(topic, 1) == 'FENCED_INSTANCE_ID'
    assert second.leave() == 'FENCED_INSTANCE_ID'
    assert refused(second) == ('FENCED_INSTANCE_ID', second.id)
    assert first.heartbeat() == 'NONE' and back.heartbeat() == 'NONE'


@pytest.mark.parametrize('version', [5, 8, 9])
def test_a_static_leader_comes_back_without_a_rebalance(joiner, c, version):
    group = fresh()
    first, second = pair(joiner, c, group)
    back = joiner(group, instance='one', version=version)
    answer = back.join()
    assert answer.generation_id == 2 and back.id != first.id
    if version >= 9:
        assert answer.skip_assignment and answer.leader == back.id
        assert sorted(m.member_id for m in answer.members) == sorted([back.id, second.id])
    else:
        assert (answer.leader, answer.members, answer.skip_assignment) == (first.id, [], False), 'so that it does not assign'
    assert back.sync().assignment == b'for one' and second.heartbeat() == 'NONE'
    assert describe(c, group).group_state == 'Stable'


def test_a_static_member_with_another_choice_of_protocols_causes_a_rebalance(joiner, c):
    group = fresh()
    first, second = pair(joiner, c, group, protocols=[('a', b''), ('b', b'')])
    back = joiner(group, instance='two', protocols=[('a', b'other bytes'), ('b', b'')])
    assert back.join().generation_id == 2, 'the protocol is the same, other metadata alone is not enough'
    back = joiner(group, instance='two', protocols=[('b', b'')])
    back.begin()
    wait_state(c, group, 'PreparingRebalance')
    first.send_join()
    assert first.take_join().generation_id == 3 and back.take_join().generation_id == 3 and first.joined.protocol_name == 'b'


def test_a_static_member_replaced_while_it_waits_in_join(joiner, c):
    group = fresh()
    first, second = pair(joiner, c, group)
    first.send_join()
    wait_state(c, group, 'PreparingRebalance')
    back = joiner(group, instance='one').begin()
    answer = first.c.receive()
    assert error_name(answer.error_code) == 'FENCED_INSTANCE_ID' and answer.member_id == first.id
    second.send_join()
    assert back.take_join().generation_id == 3 and second.take_join().generation_id == 3
    assert back.id != first.id


def test_a_static_member_replaced_while_it_waits_in_sync(joiner, c):
    group = fresh()
    first, second = pair(joiner, c, group)
    first.send_join()
    wait_state(c, group, 'PreparingRebalance')
    second.send_join()
    assert first.take_join().generation_id == 3 and second.take_join().generation_id == 3
    second.send_sync()
    back = joiner(group, instance='two').begin()
    assert error_name(second.c.receive().error_code) == 'FENCED_INSTANCE_ID'
    wait_state(c, group, 'PreparingRebalance')
    first.send_join()
    assert first.take_join().generation_id == 4 and back.take_join().generation_id == 4


def test_a_static_member_that_knows_its_id_and_one_that_lies(joiner, c):
    group = fresh()
    first, second = pair(joiner, c, group)
    assert second.join().generation_id == 2
    liar = joiner(group, instance='two', member_id=first.id)
    assert refused(liar) == ('FENCED_INSTANCE_ID', first.id)
    assert liar.heartbeat() == 'FENCED_INSTANCE_ID'
    stranger = joiner(group, instance='three', member_id=first.id)
    assert refused(stranger) == ('UNKNOWN_MEMBER_ID', first.id)
    stranger.generation = 2
    assert stranger.heartbeat() == 'UNKNOWN_MEMBER_ID'


def test_a_static_member_leaves_by_its_instance(joiner, c):
    group = fresh()
    first, second = pair(joiner, c, group)
    answer = c.call('LeaveGroup', 4, group_id=group, members=[{'member_id': '', 'group_instance_id': 'two'}])
    assert [(m.member_id, m.group_instance_id, m.error_code) for m in answer.members] == [('', 'two', 0)]
    wait_state(c, group, 'PreparingRebalance')
    assert first.join().generation_id == 3 and len(first.joined.members) == 1


def test_the_session_of_a_static_member_ends_too(joiner, c):
    group = fresh()
    first, second = pair(joiner, c, group, session_ms=BRIEF_MS)
    wait_state(c, group, 'Empty')
    assert first.heartbeat() == 'UNKNOWN_MEMBER_ID'


# ---- SyncGroup ----

def test_sync_refuses(joiner, c):
    group = fresh()
    assert error_name(joiner(group, member_id='x').sync(generation_id=1, protocol_name='range').error_code) == 'UNKNOWN_MEMBER_ID'
    assert error_name(joiner('', member_id='x').sync(protocol_name='range').error_code) == 'INVALID_GROUP_ID'
    members = joiner(group, 2)
    assert error_name(members[0].sync(member_id='nobody').error_code) == 'UNKNOWN_MEMBER_ID'
    for generation in (-1, 1, 3):
        assert error_name(members[0].sync(generation_id=generation).error_code) == 'ILLEGAL_GENERATION'
    assert error_name(members[0].sync(protocol_type='connect').error_code) == 'INCONSISTENT_GROUP_PROTOCOL'
    assert error_name(members[0].sync(protocol_name='other').error_code) == 'INCONSISTENT_GROUP_PROTOCOL'
    assert error_name(members[0].sync(protocol_name=None).error_code) == 'INCONSISTENT_GROUP_PROTOCOL'
    assert error_name(members[0].sync(protocol_type=None).error_code) == 'INCONSISTENT_GROUP_PROTOCOL'
    assert error_name(members[0].sync(group_instance_id='none').error_code) == 'UNKNOWN_MEMBER_ID'


def test_sync_when_stable_tells_the_assignment_again(joiner):
    members = joiner(fresh(), 2)
    for i, member in enumerate(members):
        answer = member.sync({members[0].id: b'ignored'})
        assert (answer.error_code, answer.assignment) == (0, b'for %d' % i)


def test_sync_while_a_rebalance_gathers(joiner, c):
    group = fresh()
    members = joiner(group, 2)
    members[0].send_join()
    wait_state(c, group, 'PreparingRebalance')
    assert error_name(members[1].sync().error_code) == 'REBALANCE_IN_PROGRESS'


def test_a_parked_sync_is_answered_when_a_new_rebalance_begins(joiner, c):
    group = fresh()
    members = joiner(group, 2)
    members[0].send_join()
    wait_state(c, group, 'PreparingRebalance')
    members[1].send_join()
    for member in members:
        assert member.take_join().generation_id == 3
    members[1].send_sync()
    assert describe(c, group).group_state == 'CompletingRebalance'
    members[0].protocols = [('range', OTHER)]
    members[0].send_join()
    assert error_name(members[1].c.receive().error_code) == 'REBALANCE_IN_PROGRESS'
    members[1].send_join()
    for member in members:
        assert member.take_join().generation_id == 4


@pytest.mark.klamm_only
def test_metadata_that_are_no_subscription_do_no_harm(joiner, c):
    """Kafka takes the length in this one for true, and its group stands still."""
    group = fresh()
    members = joiner(group, 2, protocols=[('range', b'changed')])
    members[0].send_join()
    wait_state(c, group, 'PreparingRebalance')
    members[1].send_join()
    assert [m.take_join().generation_id for m in members] == [3, 3]
    members.assign()


def test_who_is_not_in_the_assignment_gets_an_empty_one(joiner, c):
    group = fresh()
    members = joiner(group, 2)
    members[0].send_join()
    wait_state(c, group, 'PreparingRebalance')
    members[1].send_join()
    for member in members:
        member.take_join()
    members[1].send_sync()
    assert members[0].sync({members[0].id: b'all', 'somebody else': b'nothing'}).assignment == b'all'
    answer = members[1].c.receive()
    assert (answer.error_code, answer.assignment) == (0, b'')
    assert sorted(m.member_assignment for m in describe(c, group).members) == [b'', b'all']


def test_who_does_not_sync_in_time_is_removed(joiner, c):
    group = fresh()
    first, second = joiner(group, rebalance_ms=BRIEF_MS), joiner(group, rebalance_ms=BRIEF_MS)
    first.join()
    second.begin()
    wait_members(c, group, 2)
    first.send_join()
    assert first.take_join().generation_id == 2 and second.take_join().generation_id == 2
    second.send_sync()
    assert error_name(second.c.receive().error_code) == 'REBALANCE_IN_PROGRESS', 'the leader did not assign in time'
    assert second.join().generation_id == 3
    assert second.leads and first.heartbeat() == 'UNKNOWN_MEMBER_ID'


# ---- Heartbeat ----

@pytest.mark.parametrize('version', range(5))
def test_heartbeat_refuses(joiner, c, version):
    group = fresh()
    assert joiner(group, member_id='x').heartbeat(version) == 'UNKNOWN_MEMBER_ID'
    assert joiner('', member_id='x').heartbeat(version) == 'INVALID_GROUP_ID'
    members = joiner(group, 1)
    assert members[0].heartbeat(version) == 'NONE'
    answer = c.call('Heartbeat', version, group_id=group, member_id='nobody', generation_id=7)
    assert error_name(answer.error_code) == 'UNKNOWN_MEMBER_ID'
    for generation in (-1, 0, 2):
        answer = c.call('Heartbeat', version, group_id=group, member_id=members[0].id, generation_id=generation)
        assert error_name(answer.error_code) == 'ILLEGAL_GENERATION'


def test_heartbeat_through_a_rebalance(joiner, c):
    group = fresh()
    members = joiner(group, 2)
    members[0].send_join()
    wait_state(c, group, 'PreparingRebalance')
    assert members[1].heartbeat() == 'REBALANCE_IN_PROGRESS'
    members[1].send_join()
    for member in members:
        member.take_join()
    assert describe(c, group).group_state == 'CompletingRebalance'
    assert [m.heartbeat() for m in members] == ['NONE', 'NONE']
    members.assign()
    assert [m.heartbeat() for m in members] == ['NONE', 'NONE']


# ---- LeaveGroup ----

@pytest.mark.parametrize('version', range(6))
def test_leave_refuses(joiner, c, version):
    def leave(group, member):
        if version < 3:
            return error_name(c.call('LeaveGroup', version, group_id=group, member_id=member).error_code)
        answer = c.call('LeaveGroup', version, group_id=group, members=[{'member_id': member, 'group_instance_id': None}])
        return error_name(answer.error_code or answer.members[0].error_code)
    group = fresh()
    assert leave('', 'x') == 'INVALID_GROUP_ID'
    assert leave(group, 'x') == 'UNKNOWN_MEMBER_ID'
    joiner(group, 1)
    assert leave(group, 'x') == 'UNKNOWN_MEMBER_ID'


def test_several_leave_at_once(joiner, c):
    group = fresh()
    members = joiner(group, 3)
    rows = [(members[0].id, None), ('nobody', None), ('', 'nowhere'), (members[2].id, None), (members[1].id, 'other')]
    answer = c.call('LeaveGroup', 5, group_id=group, members=[
        {'member_id': m, 'group_instance_id': i, 'reason': 'test'} for m, i in rows])
    assert answer.error_code == 0
    assert [(m.member_id, m.group_instance_id, error_name(m.error_code)) for m in answer.members] == [
        rows[0] + ('NONE',), rows[1] + ('UNKNOWN_MEMBER_ID',), rows[2] + ('UNKNOWN_MEMBER_ID',), rows[3] + ('NONE',),
        rows[4] + ('UNKNOWN_MEMBER_ID',)]
    assert members[1].heartbeat() == 'REBALANCE_IN_PROGRESS'
    assert members[1].join().members[0].member_id == members[1].id


def test_leaving_ends_a_rebalance_that_waits_for_the_one_who_left(joiner, c):
    group = fresh()
    members = joiner(group, 2)
    members[0].send_join()
    wait_state(c, group, 'PreparingRebalance')
    assert members[1].leave() == 'NONE'
    assert members[0].take_join().generation_id == 3 and len(members[0].joined.members) == 1


def test_nobody_leaves_with_an_empty_list(joiner, c):
    group = fresh()
    joiner(group, 1)
    answer = c.call('LeaveGroup', 5, group_id=group, members=[])
    assert (answer.error_code, answer.members) == (0, [])
    assert describe(c, group).group_state == 'Stable'


# ---- the first rebalance ----

def test_the_first_rebalance_waits_for_more_members(make_cluster):
    """All members of a new group that come within the delay are in its first generation."""
    cluster = make_cluster(config=dict(SETTINGS, **{'group.initial.rebalance.delay.ms': 1500}))
    broker = find(cluster, 'g')
    members = [Member(broker, 'g') for _ in range(3)]
    for member in members:
        member.begin()
    assert [m.take_join().generation_id for m in members] == [1, 1, 1]
    assert sum(len(m.joined.members) for m in members) == 3
    for member in members:
        assert member.leave() == 'NONE'
    assert committed(members[0].c, 'g', {'t': [0]}) == {('t', 0): (-1, -1, '')}
    for member in members:
        member.close()
