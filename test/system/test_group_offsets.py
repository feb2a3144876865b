"""Committed offsets and the administration of groups by raw requests, and the records that all of it leaves in __consumer_offsets."""
import struct

import pytest

from batch import now_ms
from groups import (OFFSETS, SETTINGS, SUBSCRIBED, Member, Members, assignment_of, commit, committed, describe,
                    find, fresh, group_batches, group_key, group_value, java_hash, offset_key, offset_value, partition_of, subscription_of,
                    wait_members, wait_state)
from processes import wait
from wire import error_name

NOTHING = (-1, -1, '')


@pytest.fixture(scope='module')
def alone(zookeeper):
    from cluster import Cluster
    cluster = Cluster(zookeeper, brokers=1, config=dict(SETTINGS, **{'offsets.retention.check.interval.ms': 300})).start()
    find(cluster, 'first')
    cluster.topic = cluster.create_topic('read', partitions=3)
    yield cluster
    cluster.close()


@pytest.fixture
def c(alone):
    with alone.connect() as connection:
        yield connection


@pytest.fixture
def joiner(alone):
    made = []

    def make(group, n=None, **options):
        one = Member(alone.brokers[0], group, **options) if n is None else Members(alone.brokers[0], group, n, **options)
        made.append(one)
        return one
    yield make
    for one in made:
        one.close()


@pytest.fixture
def group(alone):
    """A name; its coordinator is ready."""
    name = fresh()
    find(alone, name)
    return name


# ---- OffsetCommit and OffsetFetch of consumers that are in no group ----

@pytest.mark.parametrize('version', range(1, 10))
def test_a_simple_consumer_commits_in_every_version(c, group, version):
    whole = {'committed_offset': 7, 'committed_leader_epoch': 0, 'committed_metadata': 'mine'}
    assert commit(c, group, {'read': {0: whole, 2: 9}}, version) == {('read', 0): 'NONE', ('read', 2): 'NONE'}
    epoch = 0 if version >= 6 else -1
    assert committed(c, group, {'read': [0, 1, 2]}) == {('read', 0): (7, epoch, 'mine'), ('read', 1): NOTHING, ('read', 2): (9, -1, '')}
    told = describe(c, group)
    assert (told.group_state, told.protocol_type, told.protocol_data, told.members) == ('Empty', '', '', [])


@pytest.mark.parametrize('version', range(1, 10))
def test_offset_fetch_in_every_version(c, group, version):
    whole = {'committed_offset': 7, 'committed_leader_epoch': 3, 'committed_metadata': 'ü'}
    commit(c, group, {'read': {0: whole}})
    epoch = 3 if version >= 5 else -1
    assert committed(c, group, {'read': [0, 1], 'none': [5]}, version) == {
        ('read', 0): (7, epoch, 'ü'), ('read', 1): NOTHING, ('none', 5): NOTHING}
    assert committed(c, group, {}, version) == {}
    if version >= 2:
        assert committed(c, group, None, version) == {('read', 0): (7, epoch, 'ü')}


@pytest.mark.parametrize('version', range(1, 10))
def test_nothing_is_committed_in_a_group_that_is_not_there(c, group, version):
    assert committed(c, group, {'read': [0]}, version) == {('read', 0): NOTHING}
    if version >= 2:
        assert committed(c, group, None, version) == {}


def test_version_0_goes_to_zookeeper(alone, c, group):
    """As in Kafka: those offsets are in znodes, and the coordinator knows nothing of them."""
    answer = c.call('OffsetFetch', 0, group_id=group, topics=[{'name': 'read', 'partition_indexes': [0]}])
    row = answer.topics[0].partitions[0]
    assert (row.committed_offset, row.metadata, error_name(row.error_code)) == (-1, '', 'UNKNOWN_TOPIC_OR_PARTITION')
    assert commit(c, group, {'read': {0: 5}}, 0) == {('read', 0): 'NONE'}
    row = c.call('OffsetFetch', 0, group_id=group, topics=[{'name': 'read', 'partition_indexes': [0]}]).topics[0].partitions[0]
    assert (row.committed_offset, row.error_code) == (5, 0)
    zookeeper = alone.zookeeper.client()
    try:
        assert zookeeper.get('%s/consumers/%s/offsets/read/0' % (alone.chroot, group))[0] == b'5'
    finally:
        zookeeper.stop()
    assert committed(c, group, {'read': [0]}) == {('read', 0): NOTHING}


def test_the_last_commit_counts(c, group):
    for offset in (5, 9, 3, 0, -1, -5, (1 << 62)):
        assert commit(c, group, {'read': {0: offset}}) == {('read', 0): 'NONE'}
        assert committed(c, group, {'read': [0]}) == {('read', 0): (offset, -1, '')}


def test_null_metadata_are_empty(c, group):
    assert commit(c, group, {'read': {0: {'committed_offset': 1, 'committed_metadata': None}}}) == {('read', 0): 'NONE'}
    assert committed(c, group, {'read': [0]}) == {('read', 0): (1, -1, '')}


def test_metadata_up_to_4096_bytes(c, group):
    for length, error in ((4096, 'NONE'), (4097, 'OFFSET_METADATA_TOO_LARGE')):
        row = {'committed_offset': length, 'committed_metadata': 'm' * length}
        assert commit(c, group, {'read': {0: row, 1: 1}}) == {('read', 0): error, ('read', 1): 'NONE'}
    assert committed(c, group)['read', 0] == (4096, -1, 'm' * 4096)


def test_one_commit_with_all_kinds_of_partitions(c, group):
    too_large = {'committed_offset': 1, 'committed_metadata': 'm' * 5000}
    assert commit(c, group, {'read': {0: 1, 3: 1, -1: 1, 2: too_large}, 'unknown': {0: 1}, '': {0: 1}, 'not/a/name': {0: 1}}) == {
        ('read', 0): 'NONE', ('read', 3): 'UNKNOWN_TOPIC_OR_PARTITION', ('read', -1): 'UNKNOWN_TOPIC_OR_PARTITION',
        ('read', 2): 'OFFSET_METADATA_TOO_LARGE', ('unknown', 0): 'UNKNOWN_TOPIC_OR_PARTITION',
        ('', 0): 'UNKNOWN_TOPIC_OR_PARTITION', ('not/a/name', 0): 'UNKNOWN_TOPIC_OR_PARTITION'}
    assert committed(c, group) == {('read', 0): (1, -1, '')}


def test_commits_of_nothing(c, group):
    assert commit(c, group, {}) == {}
    assert commit(c, group, {'read': {}}) == {}


def test_the_empty_group_id_is_one_for_offsets(c, alone):
    find(alone, '')
    assert commit(c, '', {'read': {0: 4}}) == {('read', 0): 'NONE'}
    assert committed(c, '', {'read': [0]}) == {('read', 0): (4, -1, '')}
    assert error_name(describe(c, '').error_code) == 'NONE'


# ---- who may commit ----

def test_commits_with_a_generation_to_a_group_that_is_not_there(c, group):
    assert commit(c, group, {'read': {0: 1}}, generation_id_or_member_epoch=0, member_id='m') == {('read', 0): 'ILLEGAL_GENERATION'}
    assert commit(c, group, {'read': {0: 1}}, generation_id_or_member_epoch=5) == {('read', 0): 'ILLEGAL_GENERATION'}
    assert describe(c, group).group_state == 'Dead'


def test_commits_of_members(c, group, joiner):
    members = joiner(group, 2)
    assert members[0].commit('read', 5) == 'NONE' and members[1].commit('read', 6, partition=1) == 'NONE'
    assert committed(c, group) == {('read', 0): (5, -1, ''), ('read', 1): (6, -1, '')}
    assert commit(c, group, {'read': {0: 1}}) == {('read', 0): 'UNKNOWN_MEMBER_ID'}, 'a simple consumer beside members'
    assert members[0].commit('read', 1, generation_id_or_member_epoch=1) == 'ILLEGAL_GENERATION'
    assert members[0].commit('read', 1, generation_id_or_member_epoch=3) == 'ILLEGAL_GENERATION'
    assert members[0].commit('read', 1, generation_id_or_member_epoch=-1) == 'ILLEGAL_GENERATION'
    assert members[0].commit('read', 1, member_id='nobody') == 'UNKNOWN_MEMBER_ID'
    assert members[0].commit('read', 1, member_id='') == 'UNKNOWN_MEMBER_ID'
    assert members[0].commit('read', 1, group_instance_id='none') == 'UNKNOWN_MEMBER_ID'
    assert committed(c, group)['read', 0] == (5, -1, '')


def test_commits_through_a_rebalance(c, group, joiner):
    members = joiner(group, 2)
    members[0].send_join()
    wait_state(c, group, 'PreparingRebalance')
    assert members[1].commit('read', 11) == 'NONE'
    members[1].send_join()
    for member in members:
        member.take_join()
    assert members[1].commit('read', 12) == 'REBALANCE_IN_PROGRESS'
    members.assign()
    assert members[1].commit('read', 13) == 'NONE'
    assert committed(c, group) == {('read', 0): (13, -1, '')}


def test_commits_after_all_have_left(c, group, joiner):
    members = joiner(group, 1)
    assert members[0].commit('read', 5) == 'NONE' and members[0].leave() == 'NONE'
    assert members[0].commit('read', 6) == 'UNKNOWN_MEMBER_ID'
    assert commit(c, group, {'read': {0: 7}}) == {('read', 0): 'NONE'}, 'an administrator sets offsets of an empty group'
    assert committed(c, group) == {('read', 0): (7, -1, '')}


def test_a_static_member_that_was_replaced_commits_nothing(c, group, joiner):
    first = joiner(group, instance='one')
    first.join()
    first.sync({first.id: b''})
    assert first.commit('read', 5) == 'NONE'
    back = joiner(group, instance='one')
    assert back.join().generation_id == 1
    assert first.commit('read', 4) == 'FENCED_INSTANCE_ID' and back.commit('read', 6) == 'NONE'
    assert commit(c, group, {'read': {0: 1}}, generation_id_or_member_epoch=1, member_id='', group_instance_id='one') == {
        ('read', 0): 'FENCED_INSTANCE_ID'}
    assert committed(c, group) == {('read', 0): (6, -1, '')}


# ---- OffsetFetch ----

def test_several_groups_at_once(c, alone):
    names = [fresh() for _ in range(3)]
    for i, name in enumerate(names[:2]):
        find(alone, name)
        commit(c, name, {'read': {0: i, 1: 10 + i}})
    answer = c.call('OffsetFetch', 8, require_stable=True, groups=[
        {'group_id': names[0], 'topics': [{'name': 'read', 'partition_indexes': [1, 0]}]}, {'group_id': names[1], 'topics': None},
        {'group_id': names[2], 'topics': None}, {'group_id': '', 'topics': []}])
    told = {g.group_id: (error_name(g.error_code), [(t.name, sorted((p.partition_index, p.committed_offset) for p in t.partitions))
                                                    for t in g.topics]) for g in answer.groups}
    assert told == {names[0]: ('NONE', [('read', [(0, 0), (1, 10)])]), names[1]: ('NONE', [('read', [(0, 1), (1, 11)])]),
                    names[2]: ('NONE', []), '': ('NONE', [])}


def test_members_of_the_classic_protocol_may_name_themselves(c, group, joiner):
    members = joiner(group, 1)
    members[0].commit('read', 5)
    assert committed(c, group, {'read': [0]}, member_id=members[0].id, member_epoch=1) == {('read', 0): (5, -1, '')}
    assert committed(c, group, {'read': [0]}, member_id='nobody', member_epoch=9) == {('read', 0): (5, -1, '')}


# ---- how offsets end ----

def test_offsets_with_a_retention_time_of_their_own_expire(c, group):
    commit(c, group, {'read': {0: 5}}, 3, retention_time_ms=1)
    wait(lambda: committed(c, group) == {}, 'the offset is gone')
    wait(lambda: describe(c, group).group_state == 'Dead', 'and with it the group')


def test_only_what_is_too_old_expires(c, group):
    commit(c, group, {'read': {1: 6}}, 3, retention_time_ms=3600 * 1000)
    commit(c, group, {'read': {0: 5}}, 3, retention_time_ms=1)
    wait(lambda: committed(c, group) == {('read', 1): (6, -1, '')}, 'the one is gone, the other is there')
    assert describe(c, group).group_state == 'Empty'


def test_offsets_of_a_topic_that_is_deleted_go_with_it(alone, c, group):
    name = alone.create_topic()
    commit(c, group, {name: {0: 5}, 'read': {0: 6}})
    answer = c.call('DeleteTopics', 5, topic_names=[name], timeout_ms=20000)
    assert answer.responses[0].error_code == 0
    wait(lambda: committed(c, group) == {('read', 0): (6, -1, '')}, lambda: 'only the other is left: %s' % committed(c, group))


# ---- OffsetDelete ----

def offset_delete(c, group, wanted):
    answer = c.call('OffsetDelete', 0, group_id=group, topics=[
        {'name': t, 'partitions': [{'partition_index': p} for p in parts]} for t, parts in wanted.items()])
    return error_name(answer.error_code), {(t.name, p.partition_index): error_name(p.error_code) for t in answer.topics for p in t.partitions}


def test_offset_delete_of_a_simple_group(c, group):
    assert offset_delete(c, group, {'read': [0]}) == ('GROUP_ID_NOT_FOUND', {})
    assert offset_delete(c, '', {'read': [0]})[0] in ('INVALID_GROUP_ID', 'GROUP_ID_NOT_FOUND', 'NONE')
    commit(c, group, {'read': {0: 5, 1: 6, 2: 7}})
    assert offset_delete(c, group, {'read': [0, 9], 'unknown': [0]}) == ('NONE', {
        ('read', 0): 'NONE', ('read', 9): 'UNKNOWN_TOPIC_OR_PARTITION', ('unknown', 0): 'UNKNOWN_TOPIC_OR_PARTITION'})
    assert committed(c, group) == {('read', 1): (6, -1, ''), ('read', 2): (7, -1, '')}
    assert offset_delete(c, group, {'read': [0]}) == ('NONE', {('read', 0): 'NONE'}), 'nothing is committed there, and that is no error'
    assert offset_delete(c, group, {'read': [1, 2]}) == ('NONE', {('read', 1): 'NONE', ('read', 2): 'NONE'})
    assert describe(c, group).group_state == 'Dead'


def test_offset_delete_spares_what_is_subscribed(alone, c, group, joiner):
    alone.create_topic('other')
    members = joiner(group, 1, protocols=[('range', subscription_of(['read']))])
    for topic in ('read', 'other'):
        assert members[0].commit(topic, 5) == 'NONE'
    assert offset_delete(c, group, {'read': [0], 'other': [0]}) == ('NONE', {('read', 0): 'GROUP_SUBSCRIBED_TO_TOPIC', ('other', 0): 'NONE'})
    assert committed(c, group) == {('read', 0): (5, -1, '')}
    assert members[0].leave() == 'NONE'
    assert offset_delete(c, group, {'read': [0]}) == ('NONE', {('read', 0): 'NONE'})


def test_offset_delete_of_a_group_that_is_no_consumer(c, group, joiner):
    members = joiner(group, 1, protocol_type='connect', protocols=[('p', b'')])
    members[0].commit('read', 5)
    assert offset_delete(c, group, {'read': [0]}) == ('NON_EMPTY_GROUP', {})
    assert members[0].leave() == 'NONE'
    assert offset_delete(c, group, {'read': [0]}) == ('NONE', {('read', 0): 'NONE'})


# ---- DescribeGroups, ListGroups, DeleteGroups ----

@pytest.mark.parametrize('version', range(6))
def test_describe_groups_in_every_version(c, group, joiner, version):
    members = joiner(group, 2, client_id='cli', protocols=[('range', SUBSCRIBED)])
    told = describe(c, group, version)
    assert (told.error_code, told.group_state, told.protocol_type, told.protocol_data) == (0, 'Stable', 'consumer', 'range')
    assert told.authorized_operations == -2147483648
    assert sorted((m.member_id, m.client_id, m.client_host, m.member_metadata, m.member_assignment, m.group_instance_id)
                  for m in told.members) == sorted((m.id, 'cli', '/127.0.0.1', SUBSCRIBED, b'for %d' % i, None)
                                                   for i, m in enumerate(members))


def test_describe_groups_in_every_state(c, group, joiner):
    told = describe(c, group)
    assert (told.error_code, told.group_state, told.protocol_type, told.protocol_data, told.members) == (0, 'Dead', '', '', [])
    member = joiner(group, instance='inst').begin()
    assert member.take_join().error_code == 0
    told = describe(c, group)
    assert (told.group_state, told.protocol_type, told.protocol_data) == ('CompletingRebalance', 'consumer', '')
    assert [(m.member_id, m.group_instance_id, m.member_metadata, m.member_assignment) for m in told.members] == [(member.id, 'inst', b'', b'')]
    member.sync({member.id: b'mine'})
    told = describe(c, group)
    assert (told.group_state, told.protocol_data) == ('Stable', 'range')
    assert [(m.group_instance_id, m.member_metadata, m.member_assignment) for m in told.members] == [('inst', SUBSCRIBED, b'mine')]
    second = joiner(group).begin()
    wait_members(c, group, 2)
    told = describe(c, group)
    assert (told.group_state, told.protocol_data) == ('PreparingRebalance', '')
    assert {(m.member_metadata, m.member_assignment) for m in told.members} <= {(b'', b''), (b'', b'mine')}
    member.join()
    assert second.take_join().error_code == 0
    assert member.leave() == 'NONE' and second.leave() == 'NONE'
    told = describe(c, group)
    assert (told.group_state, told.protocol_type, told.protocol_data, told.members) == ('Empty', 'consumer', '', [])


def test_describe_groups_tells_what_the_client_may_do(c, group):
    commit(c, group, {'read': {0: 1}})
    answer = c.call('DescribeGroups', 4, groups=[group], include_authorized_operations=True)
    assert answer.groups[0].authorized_operations == 1 << 3 | 1 << 6 | 1 << 8, 'READ, DELETE, DESCRIBE'
    answer = c.call('DescribeGroups', 4, groups=['unknown', group, group])
    assert [(g.group_id, g.group_state) for g in answer.groups] == [('unknown', 'Dead'), (group, 'Empty'), (group, 'Empty')]
    assert c.call('DescribeGroups', 4, groups=[]).groups == []


def listed(c, version=5, **filters):
    answer = c.call('ListGroups', version, **filters)
    assert answer.error_code == 0
    return {g.group_id: (g.protocol_type, g.group_state, g.group_type) for g in answer.groups}


@pytest.mark.parametrize('version', range(6))
def test_list_groups_in_every_version(c, group, joiner, version):
    joiner(group, 1)
    state, kind = 'Stable' if version >= 4 else '', 'classic' if version >= 5 else ''
    assert listed(c, version)[group] == ('consumer', state, kind)


def test_list_groups_by_state_and_type(c, alone, joiner):
    simple, stable, moving = fresh('simple'), fresh('stable'), fresh('moving')
    for name in (simple, stable, moving):
        find(alone, name)
    commit(c, simple, {'read': {0: 1}})
    joiner(stable, 1, protocol_type='connect', protocols=[('p', b'')])
    joiner(moving).join()
    rows = {simple: ('', 'Empty', 'classic'), stable: ('connect', 'Stable', 'classic'), moving: ('consumer', 'CompletingRebalance', 'classic')}

    def of(names, **filters):
        got = listed(c, **filters)
        return {n: got[n] for n in rows if n in got} == {n: rows[n] for n in names} and {simple, stable, moving} & set(got) == set(names)
    assert of([simple, stable, moving], states_filter=[], types_filter=[])
    assert of([simple], states_filter=['Empty'])
    assert of([simple], states_filter=['eMPTY'])
    assert of([stable, moving], states_filter=['Stable', 'CompletingRebalance', 'nonsense'])
    assert of([], states_filter=['PreparingRebalance']) and of([], states_filter=['nonsense']) and of([], states_filter=['Dead'])
    assert of([simple, stable, moving], types_filter=['classic']) and of([simple, stable, moving], types_filter=['Classic'])
    assert of([], types_filter=['consumer'])
    assert of([simple], states_filter=['empty'], types_filter=['consumer', 'classic'])


@pytest.mark.parametrize('version', range(3))
def test_delete_groups(alone, c, group, joiner, version):
    full = fresh()
    find(alone, full)
    joiner(full, 1)
    commit(c, group, {'read': {0: 5}})
    answer = c.call('DeleteGroups', version, groups_names=[group, full, 'unknown', 'unknown'])
    assert {r.group_id: error_name(r.error_code) for r in answer.results} == {
        group: 'NONE', full: 'NON_EMPTY_GROUP', 'unknown': 'GROUP_ID_NOT_FOUND'}
    assert committed(c, group) == {} and describe(c, group).group_state == 'Dead' and group not in listed(c)
    answer = c.call('DeleteGroups', version, groups_names=[group])
    assert error_name(answer.results[0].error_code) == 'GROUP_ID_NOT_FOUND'
    assert commit(c, group, {'read': {1: 6}}) == {('read', 1): 'NONE'}, 'a new group of that name'
    assert committed(c, group) == {('read', 1): (6, -1, '')}
    assert c.call('DeleteGroups', version, groups_names=[]).results == []


# ---- what is left in __consumer_offsets ----

def test_the_empty_group_id_is_deleted_like_any(c, alone):
    find(alone, '')
    commit(c, '', {'read': {0: 4}})
    for error in ('NONE', 'GROUP_ID_NOT_FOUND'):
        answer = c.call('DeleteGroups', 2, groups_names=[''])
        assert [(r.group_id, error_name(r.error_code)) for r in answer.results] == [('', error)]


def told_by(batches, low_ms):
    """(key, value) of each record, in batches; each batch is as a coordinator writes them."""
    for b in batches:
        assert (b.magic, b.attributes, b.producer_id, b.producer_epoch, b.crc_ok) == (2, 0, -1, -1, True), b
        offsets = b.records[0].key[:2] == b'\0\1' and b.records[0].value is not None
        assert b.base_sequence == (0 if offsets else -1), 'as Kafka has it'
        assert b.count == len(b.records) == b.last_offset_delta + 1 and all(r.headers == () for r in b.records)
        assert all(low_ms <= r.timestamp <= now_ms() for r in b.records)
    return [[(r.key, r.value) for r in b.records] for b in batches]


def stamp(value, at):
    """The time inside a value, which only the coordinator knows."""
    return struct.unpack_from('>q', value, at)[0]


@pytest.mark.parametrize('name, hash_code, partition', [
    ('group', 98629247, 3), ('', 0, 0), ('group-b224b8f3', -623793149, 1), ('polygenelubricants', -2147483648, 0), ('grüße-😀', 347391577, 1)])
def test_groups_are_spread_by_the_absolute_value_of_javas_hash(alone, c, name, hash_code, partition):
    assert (java_hash(name), partition_of(name)) == (hash_code, partition)
    find(alone, name)
    before = [len(alone.read_all(OFFSETS, p)) for p in range(4)]
    commit(c, name, {'read': {0: 1}})
    after = [len(alone.read_all(OFFSETS, p)) for p in range(4)]
    assert [p for p in range(4) if after[p] > before[p]] == [partition]


def test_records_of_a_commit(alone, c, group):
    low = now_ms()
    row = {'committed_offset': 7, 'committed_leader_epoch': 2, 'committed_metadata': 'ü'}
    commit(c, group, {'read': {1: row, 0: 8}})
    batch, = group_batches(alone, group)
    (rows,) = told_by([batch], low)
    at = batch.records[0].timestamp
    assert sorted(rows) == sorted([(offset_key(group, 'read', 1), offset_value(7, 2, 'ü', at)), (offset_key(group, 'read', 0), offset_value(8, -1, '', at))])
    assert {r.timestamp for r in batch.records} == {at}


def test_records_of_commits_with_times_of_their_own(alone, c, group):
    low = now_ms()
    commit(c, group, {'read': {0: 5}}, 3, retention_time_ms=3600 * 1000)
    row = {'committed_offset': 6, 'commit_timestamp': 1600000000000}
    commit(c, group, {'read': {0: row}}, 1)
    first, second = told_by(group_batches(alone, group), low)
    at = stamp(first[0][1], 12)
    assert first == [(offset_key(group, 'read', 0), struct.pack('>hqhqq', 1, 5, 0, at, at + 3600 * 1000))]
    at = stamp(second[0][1], len(second[0][1]) - 8)
    assert second == [(offset_key(group, 'read', 0), offset_value(6, -1, '', at))]


def test_records_of_a_whole_life(alone, c, group, joiner):
    """One member joins, commits, leaves; the group is deleted: every byte of the log, but for ids and times."""
    low = now_ms()
    member = joiner(group, client_id='cli', session_ms=20000, rebalance_ms=40000)
    member.join()
    member.sync({member.id: assignment_of({'read': [0, 1]})})
    member.commit('read', 5)
    member.leave()
    c.call('DeleteGroups', 2, groups_names=[group])
    batches = told_by(group_batches(alone, group), low)
    assert [[key for key, _ in rows] for rows in batches[:3]] == [[group_key(group)], [offset_key(group, 'read', 0)], [group_key(group)]]
    stable, empty = batches[0][0][1], batches[2][0][1]
    at = stamp(stable, 2 + 2 + len('consumer') + 4 + 2 + len('range') + 2 + len(member.id))
    assert low <= at <= now_ms()
    assert stable == group_value('consumer', 1, 'range', member.id, at, [
        (member.id, None, 'cli', '/127.0.0.1', 40000, 20000, SUBSCRIBED, assignment_of({'read': [0, 1]}))])
    at = stamp(empty, 2 + 2 + len('consumer') + 4 + 2 + 2)
    assert empty == group_value('consumer', 2, None, None, at)
    gone = [row for rows in batches[3:] for row in rows]
    assert sorted(gone, key=str) == sorted([(offset_key(group, 'read', 0), None), (group_key(group), None)], key=str)


def test_records_of_static_members(alone, c, group, joiner):
    member = joiner(group, instance='inst')
    member.join()
    member.sync({member.id: b'mine'})
    back = joiner(group, instance='inst')
    back.join()
    first, second = [b.records[0].value for b in group_batches(alone, group)]
    for value, who in ((first, member), (second, back)):
        at = stamp(value, 2 + 2 + len('consumer') + 4 + 2 + len('range') + 2 + len(who.id))
        assert value == group_value('consumer', 1, 'range', who.id, at, [
            (who.id, 'inst', 'member', '/127.0.0.1', 30000, 30000, SUBSCRIBED, b'mine')])


def test_records_of_deleted_and_expired_offsets(alone, c, group):
    commit(c, group, {'read': {0: 5, 1: 6}})
    offset_delete(c, group, {'read': [0]})
    commit(c, group, {'read': {1: 7}}, 3, retention_time_ms=1)
    wait(lambda: describe(c, group).group_state == 'Dead', 'the group is gone')
    rows = [[(r.key, r.value) for r in b.records] for b in group_batches(alone, group)]
    assert rows[1] == [(offset_key(group, 'read', 0), None)]
    assert rows[3][0] == (offset_key(group, 'read', 1), None)


# ---- after a restart ----

def test_all_is_there_again_after_a_restart(alone, c, joiner):
    names = [fresh() for _ in range(8)]
    for i, name in enumerate(names):
        find(alone, name)
        commit(c, name, {'read': {0: i, 1: {'committed_offset': i, 'committed_leader_epoch': 4, 'committed_metadata': 'm%d' % i}}})
    deleted = names.pop()
    assert c.call('DeleteGroups', 2, groups_names=[deleted]).results[0].error_code == 0
    full = fresh()
    find(alone, full)
    members = joiner(full, 1, instance='inst')
    alone.brokers[0].stop()
    alone.brokers[0].start()
    alone.ready()
    for name in names + [full, deleted]:
        find(alone, name)
    with alone.connect() as again:
        for i, name in enumerate(names):
            assert committed(again, name) == {('read', 0): (i, -1, ''), ('read', 1): (i, 4, 'm%d' % i)}
        assert committed(again, deleted) == {} and describe(again, deleted).group_state == 'Dead'
        told = describe(again, full)
        assert (told.group_state, told.protocol_type, told.protocol_data) == ('Stable', 'consumer', 'range')
        assert [(m.member_id, m.group_instance_id, m.client_id, m.client_host, m.member_assignment) for m in told.members] == [
            (members[0].id, 'inst', 'member', '/127.0.0.1', b'for 0')]
        beat = again.call('Heartbeat', 4, group_id=full, member_id=members[0].id, generation_id=1, group_instance_id='inst')
        assert beat.error_code == 0


