"""`klamm groups`: what an operator sees of consumer groups and changes in them. The same against Kafka's brokers."""
import json
import os
import subprocess

import pytest

from batch import build
from groups import SETTINGS, Member, Members, assignment_of, commit, committed, describe, find, fresh, subscription_of, wait_state
from processes import BUILD
from test_clients import as_confluent

MINUTE = 60000
START = 1795000000000


def klamm(cluster, *args, code=0):
    """Standard output and standard error."""
    argv = [os.path.join(BUILD, 'klamm'), 'groups'] + [str(a) for a in args] + ['--bootstrap-server', cluster.bootstrap]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=60)
    assert done.returncode == code, (argv, done)
    return done.stdout, done.stderr


def as_json(cluster, *args, code=0):
    return json.loads(klamm(cluster, *args, '--format', 'json', code=code)[0])


def cells(text):
    return [line.split() for line in text.splitlines() if line.strip()]


@pytest.fixture(scope='module')
def two(zookeeper):
    """Two brokers that coordinate; 'orders' has 10, 20 and 30 records, one a minute; 'items' is empty."""
    from cluster import Cluster
    cluster = Cluster(zookeeper, brokers=2, config=SETTINGS).start()
    cluster.create_topic('orders', partitions=3, retention_ms=-1)
    cluster.create_topic('items')
    for partition in range(3):
        with cluster.leader_connection('orders', partition) as c:
            rows = [(None, b'%d' % i, (), START + i * MINUTE) for i in range(10 * partition + 10)]
            assert c.produce('orders', build(rows), partition=partition).error_code == 0
    yield cluster
    cluster.close()


@pytest.fixture
def group(two):
    return fresh()


@pytest.fixture
def c(two, group):
    with find(two, group).connect() as connection:
        yield connection


@pytest.fixture
def pair(two, group):
    """Two members of the group: one reads orders 0, 1 and items 0, the other orders 2."""
    members = Members(find(two, group), group, 2, client_id='cli', protocols=[('range', subscription_of(['orders', 'items']))])
    members[0].send_join()
    wait_state(members[1].c, group, 'PreparingRebalance')
    members[1].send_join()
    assert [m.take_join().error_code for m in members] == [0, 0]
    parts = [{'orders': [0, 1], 'items': [0]}, {'orders': [2]}]
    members[1].send_sync()
    assert members[0].sync({m.id: assignment_of(p) for m, p in zip(members, parts)}).error_code == 0
    assert members[1].c.receive().error_code == 0
    assert members[0].commit('orders', 4) == 'NONE' and members[1].commit('orders', 28, partition=2) == 'NONE'
    yield members
    members.close()


# ---- --list ----

def test_list(two, c, group, pair):
    simple, connect = fresh('simple'), fresh('connect')
    commit(find(two, simple).connect(), simple, {'orders': {0: 1}})
    other = Members(find(two, connect), connect, 1, protocol_type='connect', protocols=[('p', b'')])
    names = klamm(two, '--list')[0].split()
    assert {group, simple} <= set(names) and connect not in names and names == sorted(names)
    rows = cells(klamm(two, '--list', '--state')[0])
    assert rows[0] == ['GROUP', 'STATE'] and [group, 'Stable'] in rows and [simple, 'Empty'] in rows
    rows = cells(klamm(two, '--list', '--state', 'empty,dead')[0])
    assert [simple, 'Empty'] in rows and [group, 'Stable'] not in rows
    rows = cells(klamm(two, '--list', '--type', '--state')[0])
    assert rows[0] == ['GROUP', 'TYPE', 'STATE'] and [group, 'Classic', 'Stable'] in rows
    assert klamm(two, '--list', '--type', 'consumer')[0] == ''
    told = as_json(two, '--list')['groups']
    assert {'group': group, 'protocol_type': 'consumer', 'state': 'Stable', 'type': 'classic'} in told
    other.close()


def test_kafkas_name_for_it(two, c, group):
    commit(c, group, {'orders': {0: 1}})
    for name in ('kafka-consumer-groups', '/usr/bin/kafka-consumer-groups.sh'):
        done = subprocess.run([name, '--list', '--bootstrap-server', two.bootstrap], executable=os.path.join(BUILD, 'klamm'), text=True,
                              stdout=subprocess.PIPE, timeout=60)
        assert done.returncode == 0 and group in done.stdout.split()


# ---- --describe ----

def test_describe_offsets_and_lag(two, group, pair):
    rows = cells(klamm(two, '--describe', '--group', group)[0])
    assert rows[0] == ['GROUP', 'TOPIC', 'PARTITION', 'CURRENT-OFFSET', 'LOG-END-OFFSET', 'LAG', 'CONSUMER-ID', 'HOST', 'CLIENT-ID']
    first, second = [[m.id, '/127.0.0.1', 'cli'] for m in pair]
    assert rows[1:] == [[group, 'items', '0', '-', '0', '-'] + first, [group, 'orders', '0', '4', '10', '6'] + first,
                        [group, 'orders', '1', '-', '20', '-'] + first, [group, 'orders', '2', '28', '30', '2'] + second]


def test_describe_a_group_that_nobody_is_in(two, c, group):
    commit(c, group, {'orders': {1: {'committed_offset': 5, 'committed_leader_epoch': 0, 'committed_metadata': 'note'}}})
    out, err = klamm(two, '--describe', '--group', group)
    assert "Consumer group '%s' has no active members." % group in err
    assert cells(out)[1:] == [[group, 'orders', '1', '5', '20', '15', '-', '-', '-']]
    told, = as_json(two, '--describe', '--group', group)['groups']
    assert told['state'] == 'Empty' and told['members'] == []
    assert told['offsets'] == [{'topic': 'orders', 'partition': 1, 'member': None, 'offset': 5, 'leader_epoch': 0, 'metadata': 'note',
                                'log_end': 20, 'lag': 15}]


def test_describe_members(two, group, pair):
    rows = cells(klamm(two, '--describe', '--group', group, '--members')[0])
    assert rows[0] == ['GROUP', 'CONSUMER-ID', 'HOST', 'CLIENT-ID', '#PARTITIONS']
    assert sorted(rows[1:]) == sorted([[group, pair[0].id, '/127.0.0.1', 'cli', '3'], [group, pair[1].id, '/127.0.0.1', 'cli', '1']])
    text = klamm(two, '--describe', '--group', group, '--members', '--verbose')[0]
    assert 'ASSIGNMENT' in text and 'orders(0,1), items(0)' in text and 'orders(2)' in text


def test_describe_static_members(two, group):
    member = Member(find(two, group), group, instance='shop-1', client_id='a|b')
    member.join()
    member.sync({member.id: assignment_of({'orders': [0]})})
    rows = cells(klamm(two, '--describe', '--group', group, '--members')[0])
    assert rows == [['GROUP', 'CONSUMER-ID', 'GROUP-INSTANCE-ID', 'HOST', 'CLIENT-ID', '#PARTITIONS'],
                    [group, member.id, 'shop-1', '/127.0.0.1', 'a?b', '1']]
    told, = as_json(two, '--describe', '--group', group, '--members')['groups']
    assert [(m['instance'], m['client'], m['assigned']) for m in told['members']] == [('shop-1', 'a|b', [{'topic': 'orders', 'partition': 0}])]
    member.close()


def test_describe_state(two, group, pair):
    broker = find(two, group)
    rows = cells(klamm(two, '--describe', '--group', group, '--state')[0])
    assert rows == [['GROUP', 'COORDINATOR', '(ID)', 'ASSIGNMENT-STRATEGY', 'STATE', '#MEMBERS'],
                    [group, broker.address, '(%d)' % broker.number, 'range', 'Stable', '2']]
    told, = as_json(two, '--describe', '--group', group, '--state')['groups']
    assert told['coordinator'] == {'broker': broker.number, 'host': '127.0.0.1', 'port': broker.port} and told['protocol'] == 'range'


def test_describe_what_is_not_there(two, group, pair):
    out, err = klamm(two, '--describe', '--group', 'nobody', '--group', group, code=1)
    assert "Consumer group 'nobody' does not exist." in err and group in out
    assert group in klamm(two, '--describe', '--all-groups')[0]


# ---- --reset-offsets ----

def reset(cluster, group, *args, code=0):
    """{(topic, partition): offset} that were told."""
    out, _ = klamm(cluster, '--reset-offsets', '--group', group, *args, code=code)
    rows = cells(out)
    assert rows[0] == ['GROUP', 'TOPIC', 'PARTITION', 'NEW-OFFSET'] and all(r[0] == group for r in rows[1:]), out
    return {(r[1], int(r[2])): int(r[3]) for r in rows[1:]}


def at(a=None, b=None, c=None):
    return {('orders', p): offset for p, offset in enumerate((a, b, c)) if offset is not None}


@pytest.mark.parametrize('scenario, offsets', [
    (['--to-earliest'], at(0, 0, 0)), (['--to-latest'], at(10, 20, 30)), (['--to-current'], at(5, 12, 30)), (['--to-offset', 15], at(10, 15, 15)),
    (['--shift-by', -7], None), (['--to-datetime', '2026-11-18T11:11:40.000'], at(5, 5, 5)),
    (['--to-datetime', '2026-11-18T12:11:40.001+01:00'], at(6, 6, 6)), (['--to-datetime', '2030-01-01T00:00:00.000'], at(10, 20, 30)),
    (['--by-duration', 'P36500D'], at(0, 0, 0))])
def test_every_scenario(two, c, group, scenario, offsets):
    commit(c, group, {'orders': {0: 5, 1: 12}})
    if offsets is None:
        assert 'there is no current committed offset' in klamm(two, '--reset-offsets', '--group', group, '--topic', 'orders', *scenario, code=1)[1]
        assert reset(two, group, '--topic', 'orders:0,1', *scenario) == at(0, 5)
        return
    assert reset(two, group, '--topic', 'orders', *scenario) == offsets
    assert committed(c, group) == {('orders', 0): (5, -1, ''), ('orders', 1): (12, -1, '')}, 'nothing is done'
    assert reset(two, group, '--topic', 'orders', *scenario, '--execute') == offsets
    assert {k: v[0] for k, v in committed(c, group).items()} == offsets


def test_reset_of_chosen_partitions(two, c, group):
    commit(c, group, {'orders': {0: 5}, 'items': {0: 0}})
    assert reset(two, group, '--topic', 'orders:2,1', '--topic', 'items', '--to-latest') == {('orders', 1): 20, ('orders', 2): 30, ('items', 0): 0}
    assert reset(two, group, '--all-topics', '--to-latest') == {('orders', 0): 10, ('items', 0): 0}
    assert 'nothing is changed without --execute' in klamm(two, '--reset-offsets', '--group', group, '--all-topics', '--to-latest')[1]
    assert "there is no topic 'none'" in klamm(two, '--reset-offsets', '--group', group, '--topic', 'none', '--to-latest', code=1)[1]


def test_reset_makes_a_group(two, c, group):
    assert reset(two, group, '--topic', 'orders', '--to-earliest', '--execute') == at(0, 0, 0)
    assert describe(c, group).group_state == 'Empty'


def test_reset_spares_groups_with_members(two, c, group, pair):
    _, err = klamm(two, '--reset-offsets', '--group', group, '--topic', 'orders', '--to-earliest', '--execute', code=1)
    assert "can only be reset if the group '%s' is inactive, but the current state is Stable" % group in err
    assert committed(c, group)['orders', 0][0] == 4


def test_export_and_from_file(two, c, group, tmp_path):
    other = fresh('other')
    commit(c, group, {'orders': {0: 5, 1: 12}})
    commit(find(two, other).connect(), other, {'items': {0: 0}})
    out, _ = klamm(two, '--reset-offsets', '--group', group, '--all-topics', '--to-current', '--export')
    assert out == 'orders,0,5\norders,1,12\n'
    both, _ = klamm(two, '--reset-offsets', '--group', group, '--group', other, '--all-topics', '--to-current', '--export')
    assert sorted(both.splitlines()) == sorted(['%s,orders,0,5' % group, '%s,orders,1,12' % group, '%s,items,0,0' % other])
    one, several = tmp_path / 'one.csv', tmp_path / 'several.csv'
    one.write_text(out.replace(',5', ',3').replace(',12', ',99'))
    several.write_text(both.replace(',5', ',7'))
    text, err = klamm(two, '--reset-offsets', '--group', group, '--from-file', one, '--execute')
    assert 'New offset (99) is higher than latest offset for topic partition orders-1. Value will be set to 20' in err
    assert {k: v[0] for k, v in committed(c, group).items()} == at(3, 20)
    klamm(two, '--reset-offsets', '--group', group, '--group', other, '--from-file', several, '--execute')
    assert {k: v[0] for k, v in committed(c, group).items()} == at(7, 12)
    one.write_text('orders,zero,1\n')
    assert 'one.csv:1:' in klamm(two, '--reset-offsets', '--group', group, '--from-file', one, code=2)[1]


def test_reset_as_json(two, c, group):
    told = as_json(two, '--reset-offsets', '--group', group, '--topic', 'orders:1', '--to-offset', 3, '--execute')
    assert told == {'executed': True, 'offsets': [{'group': group, 'topic': 'orders', 'partition': 1, 'offset': 3}]}
    assert committed(c, group) == {('orders', 1): (3, -1, '')}


@pytest.mark.parametrize('args, words', [
    (['--topic', 'orders'], 'one of --to-earliest'), (['--to-latest'], 'needs --topic'), (['--topic', 'o', '--to-latest', '--to-earliest'], 'one of'),
    (['--topic', 'o', '--to-latest', '--execute', '--dry-run'], 'exclude each other'), (['--topic', 'o:x', '--to-latest'], 'NAME:0,1,2'),
    (['--topic', 'o', '--to-datetime', 'now'], 'is no time'), (['--topic', 'o', '--by-duration', '1h'], 'is no duration'),
    (['--topic', 'o', '--from-file', 'f'], 'leave out --topic')])
def test_reset_on_a_wrong_command_line(two, args, words):
    assert words in klamm(two, '--reset-offsets', '--group', 'g', *args, code=2)[1]


# ---- --delete, --delete-offsets ----

def test_delete(two, c, group, pair):
    gone = fresh('gone')
    commit(find(two, gone).connect(), gone, {'orders': {0: 5}})
    out, err = klamm(two, '--delete', '--group', gone, '--group', group, '--group', 'nobody', code=1)
    assert out == "Deletion of requested consumer groups ('%s') was successful.\n" % gone
    assert "Group '%s' could not be deleted due to: " % group in err and 'NON_EMPTY_GROUP' in err and 'GROUP_ID_NOT_FOUND' in err
    assert gone not in klamm(two, '--list')[0] and group in klamm(two, '--list')[0]
    commit(find(two, gone).connect(), gone, {'orders': {0: 5}})
    assert as_json(two, '--delete', '--group', gone) == {'groups': [{'group': gone}]}


def test_delete_offsets(two, c, group):
    commit(c, group, {'orders': {0: 5, 1: 6, 2: 7}, 'items': {0: 0}})
    out, _ = klamm(two, '--delete-offsets', '--group', group, '--topic', 'orders:0,2', '--topic', 'items')
    assert sorted(cells(out)[1:]) == [['items', '0', 'Successful'], ['orders', '0', 'Successful'], ['orders', '2', 'Successful']]
    assert committed(c, group) == {('orders', 1): (6, -1, '')}
    assert 'GROUP_ID_NOT_FOUND' in klamm(two, '--delete-offsets', '--group', 'nobody', '--topic', 'orders', code=1)[1]


def test_delete_offsets_spares_what_is_read(two, c, group, pair):
    out, err = klamm(two, '--delete-offsets', '--group', group, '--topic', 'orders', code=1)
    assert out.count('GROUP_SUBSCRIBED_TO_TOPIC') == 3 and '3 offsets were not deleted' in err
    assert committed(c, group)['orders', 0][0] == 4


# ---- beside another client ----

def test_a_consumer_goes_on_where_it_was_reset_to(two, group):
    import confluent_kafka
    klamm(two, '--reset-offsets', '--group', group, '--topic', 'orders', '--to-offset', 8, '--execute')
    consumer = confluent_kafka.Consumer(as_confluent(two, **{'group.id': group, 'auto.offset.reset': 'error', 'enable.auto.commit': False}))
    consumer.subscribe(['orders'])
    got = set()
    while len(got) < 2 + 12 + 22:
        message = consumer.poll(20)
        assert message is not None and not message.error(), message and message.error()
        got.add((message.partition(), message.offset()))
    assert got == {(p, o) for p in range(3) for o in range(8, 10 * p + 10)}
    consumer.commit(asynchronous=False)
    rows = cells(klamm(two, '--describe', '--group', group)[0])
    assert sorted((r[2], r[3], r[5]) for r in rows[1:]) == [('0', '10', '0'), ('1', '20', '0'), ('2', '30', '0')]
    assert all(r[6].startswith('rdkafka-') and r[8] == 'rdkafka' for r in rows[1:])
    consumer.close()


def test_klamm_consume_in_a_group(two, group):
    def consume(*args, code=0):
        argv = [os.path.join(BUILD, 'klamm'), 'consume', '--bootstrap-server', two.bootstrap, '--group', group] + [str(a) for a in args]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == code, done
        return done.stdout.splitlines() if code == 0 else done.stderr
    shown = ('--property', 'print.partition=true', '--property', 'print.offset=true')
    first = consume('--topic', 'orders', '--from-beginning', '--max-messages', 17, *shown)
    rest = consume('--include', 'ord.rs', '--from-beginning', '--max-messages', 43, *shown)
    assert (len(first), len(rest), len(set(first + rest))) == (17, 43, 60)
    with find(two, group).connect() as c:
        assert {k: v[0] for k, v in committed(c, group).items()} == at(10, 20, 30)
    assert consume('--topic', 'orders', '--timeout-ms', 1000, '--from-beginning') == []
    assert 'leave out --partition' in consume('--topic', 'orders', '--partition', 1, code=2)
    assert '--timeout-ms' in consume('--topic', 'orders', '--exit-at-end', code=2)
    assert 'no such topic' in consume('--topic', 'none', code=1).lower()
