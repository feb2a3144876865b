"""Coordinators that move, die, and lack replicas, by raw requests: who is answered what, and what is there afterwards (G2, G3)."""
import pytest

from groups import OFFSETS, SETTINGS, Member, Members, commit, committed, coordinator, describe, find, fresh, partition_of, wait_members, wait_state
from processes import wait
from test_group_clients import REPLICATED
from test_replication import in_sync, state
from wire import error_name

pytestmark = pytest.mark.seconds(240)


@pytest.fixture(scope='module')
def three(zookeeper):
    from cluster import Cluster
    cluster = Cluster(zookeeper, brokers=3, config=dict(REPLICATED, **{'group.initial.rebalance.delay.ms': 0,
                                                                       'offsets.commit.timeout.ms': 2000})).start()
    find(cluster, 'first')
    cluster.create_topic('orders', replication_factor=3)
    whole(cluster)
    yield cluster
    cluster.close()


def whole(cluster):
    for broker in cluster.brokers:
        if not broker.alive():
            broker.start()
    cluster.ready()
    for partition in range(SETTINGS['offsets.topic.num.partitions']):
        in_sync(cluster, OFFSETS, [1, 2, 3], partition)


def move(cluster, group):
    """Another replica leads the group's partition, at once and without harm. The old and the new coordinator."""
    partition, old = partition_of(group), find(cluster, group)
    replicas = list(state(cluster, OFFSETS, partition).replica_nodes)
    replicas = [n for n in replicas if n != old.number] + [old.number]
    with cluster.controller_connection() as c:
        answer = c.call('AlterPartitionReassignments', 0, timeout_ms=20000, topics=[
            {'name': OFFSETS, 'partitions': [{'partition_index': partition, 'replicas': replicas}]}])
        assert answer.error_code == 0 and answer.responses[0].partitions[0].error_code == 0, answer
        wait(lambda: list(state(cluster, OFFSETS, partition).replica_nodes) == replicas, 'the order is another one')
        answer = c.call('ElectLeaders', 2, election_type=0, timeout_ms=20000, topic_partitions=[{'topic': OFFSETS, 'partitions': [partition]}])
        assert answer.error_code == 0, answer
    wait(lambda: find(cluster, group) is cluster.broker(replicas[0]), 'the new one coordinates')
    return old, cluster.broker(replicas[0])


def test_what_waits_at_a_coordinator_that_moves_is_sent_away(three):
    group = fresh()
    broker = find(three, group)
    members = Members(broker, group, 2)
    members[0].send_join()
    wait_state(members[1].c, group, 'PreparingRebalance')
    joining = Member(broker, group).begin()
    wait_members(members[1].c, group, 3)
    old, new = move(three, group)
    assert old is broker and new is not old
    for waiting in (members[0], joining):
        assert error_name(waiting.c.receive().error_code) == 'NOT_COORDINATOR'
    assert members[1].heartbeat() == 'NOT_COORDINATOR' and members[1].commit('orders', 1) == 'NOT_COORDINATOR'
    assert error_name(members[1].sync().error_code) == 'NOT_COORDINATOR' and members[1].leave() == 'NOT_COORDINATOR'
    assert error_name(describe(members[1].c, group).error_code) == 'NOT_COORDINATOR'
    assert group not in {g.group_id for g in members[1].c.call('ListGroups', 4).groups}
    answer = members[1].c.call('OffsetFetch', 9, groups=[{'group_id': group, 'topics': None}])
    assert error_name(answer.groups[0].error_code) == 'NOT_COORDINATOR'
    answer = members[1].c.call('DeleteGroups', 2, groups_names=[group])
    assert error_name(answer.results[0].error_code) == 'NOT_COORDINATOR'
    assert error_name(members[1].c.call('OffsetDelete', 0, group_id=group, topics=[]).error_code) == 'NOT_COORDINATOR'
    assert coordinator(members[1].c, group).node_id == new.number
    with new.connect() as c:
        told = describe(c, group)
        assert (told.group_state, sorted(m.member_id for m in told.members)) == ('Stable', sorted(m.id for m in members))
        assert sorted(m.member_assignment for m in told.members) == [b'for 0', b'for 1']
        for m in members:
            beat = c.call('Heartbeat', 4, group_id=group, member_id=m.id, generation_id=2)
            assert beat.error_code == 0
    members.close()
    joining.close()


def test_a_sync_that_waits_is_sent_away_too(three):
    group = fresh()
    members = Members(find(three, group), group, 2)
    members[0].send_join()
    wait_state(members[1].c, group, 'PreparingRebalance')
    members[1].send_join()
    assert [m.take_join().generation_id for m in members] == [3, 3]
    members[1].send_sync()
    move(three, group)
    assert error_name(members[1].c.receive().error_code) == 'NOT_COORDINATOR'
    assert error_name(members[0].sync({m.id: b'' for m in members}).error_code) == 'NOT_COORDINATOR'
    members.close()


def test_offsets_are_at_the_new_coordinator_when_the_old_one_dies(three):
    groups, acked, refused = [fresh() for _ in range(24)], {}, []

    def commit_all(offset):
        for group in groups:
            with find(three, group).connect() as c:
                row = {'committed_offset': offset, 'committed_leader_epoch': 0, 'committed_metadata': 'm%d' % offset}
                told = commit(c, group, {'orders': {0: row}})
                if told == {('orders', 0): 'NONE'}:
                    acked[group] = offset
                else:
                    refused.append((offset, told))
    commit_all(1)
    for round, victim in enumerate(three.brokers):
        commit_all(10 + round)
        victim.kill()
        for group in groups:
            with find(three, group).connect() as c:
                assert committed(c, group) == {('orders', 0): (acked[group], 0, 'm%d' % acked[group])}
        commit_all(20 + round)
        assert set(acked.values()) == {20 + round}, refused
        whole(three)


def test_commits_without_enough_replicas_are_refused_and_not_seen(three):
    group = fresh()
    broker = find(three, group)
    others = [b for b in three.brokers if b is not broker]
    with broker.connect() as c:
        assert commit(c, group, {'orders': {0: 1}}) == {('orders', 0): 'NONE'}
        for other in others:
            other.kill()
        told = set()

        def refused():
            told.update(commit(c, group, {'orders': {0: 2}}).values())
            return 'COORDINATOR_NOT_AVAILABLE' in told
        wait(refused, lambda: 'refused, since too few are in sync: %s' % told, 40)
        assert told <= {'COORDINATOR_NOT_AVAILABLE', 'REQUEST_TIMED_OUT', 'NOT_COORDINATOR'}
    whole(three)

    def again():
        with find(three, group).connect() as c:
            return set(commit(c, group, {'orders': {0: 3}}).values()) == {'NONE'} and committed(c, group) == {('orders', 0): (3, -1, '')}
    wait(again, 'commits are taken again', 30)


def test_members_come_through_when_their_coordinator_is_stopped_cleanly(three):
    group = fresh()
    broker = find(three, group)
    members = Members(broker, group, 2)
    assert members[0].commit('orders', 5) == 'NONE'
    broker.stop(60)
    new = find(three, group)
    assert new is not broker
    with new.connect() as c:
        for m in members:
            assert c.call('Heartbeat', 4, group_id=group, member_id=m.id, generation_id=2).error_code == 0
        assert committed(c, group) == {('orders', 0): (5, -1, '')}
    whole(three)
    members.close()
