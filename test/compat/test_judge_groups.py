"""Kafka's own programs and brokers on Klamm's consumer groups: its tools see and change them, its verifiable clients go through kills of brokers, its
broker goes on with the groups that Klamm's coordinator left on disk, and back."""
import json
import os
import signal
import subprocess

import pytest

import dump_log
from batch import build
from cluster import KAFKA_ROWS, Cluster
from groups import OFFSETS, SETTINGS, Member, assignment_of, commit, committed, describe, find, subscription_of
from processes import BUILD, TOOLS, Process, java, kafka_tool, wait, write_properties

PARTITIONS = 6
LAG = {'replica.lag.time.max.ms': 2000, 'replica.fetch.wait.max.ms': 500}
REPLICATED = dict(SETTINGS, **LAG, **{'offsets.topic.replication.factor': 3, 'min.insync.replicas': 2})


# ---- Kafka's tools ----

@pytest.fixture(scope='module')
def one():
    cluster = Cluster(brokers=1, config=SETTINGS)
    cluster.start()
    find(cluster, 'first')
    cluster.create_topic('orders', 3)
    with cluster.connect() as c:
        for partition in range(3):
            assert c.produce('orders', build([b'%d' % i for i in range(10 * partition + 10)]), partition=partition).error_code == 0
    yield cluster
    cluster.close()


def tool(cluster, *args):
    status, out = kafka_tool('consumer-groups', '--bootstrap-server', cluster.bootstrap, *args)
    assert status == 0, out
    return out


def cells(text):
    return [line.split() for line in text.splitlines() if line.strip()]


def klamm(cluster, *args):
    return subprocess.run([os.path.join(BUILD, 'klamm'), 'groups', *args, '--bootstrap-server', cluster.bootstrap], check=True, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60).stdout


def test_consumer_groups_lists_and_describes(one):
    with one.connect() as c:
        assert commit(c, 'quiet', {'orders': {0: 4, 2: 30}}) == {('orders', 0): 'NONE', ('orders', 2): 'NONE'}
    member = Member(one.brokers[0], 'lively', instance='inst', client_id='cli', protocols=[('range', subscription_of(['orders']))])
    member.join()
    member.sync({member.id: assignment_of({'orders': [0, 1, 2]})})
    assert member.commit('orders', 5, partition=1) == 'NONE'
    assert {'quiet', 'lively'} <= set(tool(one, '--list').split())
    assert ['lively', 'Stable'] in cells(tool(one, '--list', '--state'))
    assert ['quiet', '0', '4', '10', '6'] in [[r[0]] + r[2:6] for r in cells(tool(one, '--describe', '--group', 'quiet'))]
    for view in ([], ['--members'], ['--state']):
        theirs, ours = [cells(text) for text in (tool(one, '--describe', '--group', 'lively', *view), klamm(one, '--describe', '--group', 'lively', *view))]
        assert theirs[0] == ours[0] and sorted(theirs[1:]) == sorted(ours[1:]), 'the same words as of ours'
    assert member.leave() == 'NONE'
    member.close()


@pytest.mark.parametrize('scenario, offsets', [
    (['--to-earliest'], [0, 0, 0]), (['--to-latest'], [10, 20, 30]), (['--shift-by', '-2'], [3, 13, 23]), (['--to-offset', '7'], [7, 7, 7])])
def test_consumer_groups_resets(one, scenario, offsets):
    with one.connect() as c:
        commit(c, 'reset', {'orders': {0: 5, 1: 15, 2: 25}})
        tool(one, '--reset-offsets', '--group', 'reset', '--topic', 'orders', '--execute', *scenario)
        assert [committed(c, 'reset')['orders', p][0] for p in range(3)] == offsets


def test_consumer_groups_deletes(one):
    with one.connect() as c:
        for name in ('gone', 'partly'):
            commit(c, name, {'orders': {0: 5, 1: 6}})
        assert 'was successful' in tool(one, '--delete', '--group', 'gone')
        assert describe(c, 'gone').group_state == 'Dead'
        assert 'Successful' in tool(one, '--delete-offsets', '--group', 'partly', '--topic', 'orders:0')
        assert committed(c, 'partly') == {('orders', 1): (6, -1, '')}


def test_console_consumer_goes_on_where_it_was(one):
    seen = []
    for n in (15, 45):
        status, out = kafka_tool('console-consumer', '--bootstrap-server', one.bootstrap, '--topic', 'orders', '--group', 'console',
                                 '--from-beginning', '--max-messages', n, '--property', 'print.partition=true', '--property', 'print.offset=true')
        assert status == 0, out
        seen += [tuple(line.split('\t')[:2]) for line in out.splitlines() if line.startswith('Partition:')]
    assert len(seen) == len(set(seen)) == 60
    with one.connect() as c:
        assert {p: o[0] for (_, p), o in committed(c, 'console').items()} == {0: 10, 1: 20, 2: 30}


# ---- Kafka's verifiable clients while brokers die ----

class Verifiable(Process):
    def __init__(self, cluster, kind, name, *args):
        super().__init__(name, java(192, 'ERROR', TOOLS['verifiable-' + kind], '--bootstrap-server', cluster.bootstrap, *args),
                         cluster.folder / (name + '.json'))
        self.start()

    def events(self, *names):
        rows = [json.loads(line) for line in self.log_text().splitlines() if line.startswith('{') and line.endswith('}')]
        return [r for r in rows if not names or r['name'] in names]

    def finish(self):
        self.popen.send_signal(signal.SIGTERM)
        self.wait_exit(60)
        assert self.events('shutdown_complete'), self.log_text()[-2000:]


def acknowledged(producer):
    return {(r['partition'], r['offset']) for r in producer.events('producer_send_success')}


def consumed(consumer):
    """(partition, first offset, last offset) in the order of their delivery, with the commits and assignments between them."""
    for row in consumer.events('records_consumed', 'offsets_committed', 'partitions_assigned'):
        if row['name'] == 'records_consumed':
            for part in row['partitions']:
                yield row['timestamp'], 'records', part['partition'], part['minOffset'], part['maxOffset']
        elif row['name'] == 'offsets_committed' and row['success']:
            for part in row['offsets']:
                yield row['timestamp'], 'committed', part['partition'], part['offset'], None
        elif row['name'] == 'partitions_assigned':
            for part in row['partitions']:
                yield row['timestamp'], 'assigned', part['partition'], None, None


def delivered(consumers):
    return {(p, o) for c in consumers for _, what, p, first, last in consumed(c) if what == 'records' for o in range(first, last + 1)}


def judge(consumers):
    """Who gets a partition begins at or behind every commit before; nothing is skipped."""
    commits = [(at, p, offset) for c in consumers for at, what, p, offset, _ in consumed(c) if what == 'committed']
    assert commits
    for c in consumers:
        least, following = {}, {}
        for at, what, p, first, last in consumed(c):
            if what == 'assigned':
                least[p] = max([o for t, q, o in commits if q == p and t < at], default=0)
                following.pop(p, None)
            elif what == 'records':
                assert first == following.get(p, first) and first >= least[p], (c.name, p, first, following.get(p), least[p])
                following[p] = last + 1


def in_sync(cluster, topic, partitions):
    def whole():
        with cluster.connect_to_any() as c:
            told = c.metadata([topic], version=9).topics[0]
            return len(told.partitions) == partitions and all(len(p.isr_nodes) == 3 for p in told.partitions)
    wait(whole, '%s is in sync' % topic, 60)


def test_verifiable_clients_while_brokers_are_killed_one_after_another():
    cluster = Cluster(brokers=3, config=REPLICATED)
    cluster.start()
    try:
        topic = cluster.create_topic(partitions=PARTITIONS, replication_factor=3)
        find(cluster, 'verified')
        config = write_properties(cluster.folder / 'producer.properties', {'retries': 2147483647, 'enable.idempotence': 'true'})
        producer = Verifiable(cluster, 'producer', 'producer', '--topic', topic, '--throughput', 200, '--acks', -1, '--producer.config', config)
        consumers = [Verifiable(cluster, 'consumer', 'consumer%d' % i, '--topic', topic, '--group-id', 'verified', '--reset-policy', 'earliest',
                                '--session-timeout', 6000) for i in (1, 2)]
        wait(lambda: all(c.events('partitions_assigned') for c in consumers) and acknowledged(producer), 'they work', 60)

        def caught_up():
            wanted = acknowledged(producer)
            wait(lambda: not wanted - delivered(consumers),
                 lambda: '%d records are consumed, not yet %s' % (len(wanted), sorted(wanted - delivered(consumers))[:5]), 90, 0.3)
        for broker in [find(cluster, 'verified')] + cluster.brokers:
            caught_up()
            broker.kill()
            caught_up()
            broker.start()
            cluster.ready()
            in_sync(cluster, topic, PARTITIONS)
            in_sync(cluster, OFFSETS, SETTINGS['offsets.topic.num.partitions'])
            if broker.number == 1 and consumers[1].alive():
                consumers[1].finish()
        producer.finish()
        caught_up()
        ends = {p: max(o for q, o in acknowledged(producer) if q == p) + 1 for p, _ in acknowledged(producer)}

        def all_committed():
            with find(cluster, 'verified').connect() as c:
                told = {p: o[0] for (_, p), o in committed(c, 'verified').items()}
            return {p: told.get(p) for p in ends} == ends
        wait(all_committed, 'all is committed', 30)
        consumers[0].finish()
        assert not producer.events('producer_send_error') and len(acknowledged(producer)) > 1000
        judge(consumers)
    finally:
        cluster.close()


# ---- the log of groups, from hand to hand ----

def dumped(broker):
    """What Kafka's dump tool says of the offsets topic, decoded, and what ours does."""
    files = []
    for partition in range(SETTINGS['offsets.topic.num.partitions']):
        folder = broker.partition_folder(OFFSETS, partition)
        files += [os.path.join(folder, f) for f in sorted(os.listdir(folder)) if f.endswith('.log')]
    args = ('--offsets-decoder', '--print-data-log', '--deep-iteration', '--files', ','.join(files))
    status, theirs = kafka_tool('dump-log', *args)
    assert status == 0 and 'payload' in theirs, theirs[-1000:]
    ours = subprocess.run([os.path.join(BUILD, 'klamm'), 'dump-log', *args], check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout
    return theirs.splitlines(), ours.splitlines()


def picture(cluster, names):
    """All that clients can see of these groups."""
    told = {}
    for name in names:
        with find(cluster, name).connect() as c:
            group = describe(c, name)
            members = sorted((m.member_id, m.group_instance_id, m.client_id, m.client_host, m.member_metadata, m.member_assignment)
                             for m in group.members)
            told[name] = (group.group_state, group.protocol_type, group.protocol_data, members, committed(c, name))
    return told


def work(cluster, names, n):
    """Commits, static members, deletions: what leaves every kind of record behind."""
    for i, name in enumerate(names):
        with find(cluster, name).connect() as c:
            rows = {0: n + i, 1: {'committed_offset': n, 'committed_leader_epoch': 1, 'committed_metadata': 'žluťoučký %d' % n}}
            if i % 3 == 0:
                answer = commit(c, name, {'orders': rows})
                assert set(answer.values()) == {'NONE'}, answer
                continue
            member = Member(find(cluster, name), name, instance='inst-%d' % i, protocols=[('range', subscription_of(['orders']))], session_ms=50000)
            member.join()
            assert member.sync({member.id: assignment_of({'orders': [0, 1, 2]})}).error_code == 0
            assert member.commit('orders', n + i) == 'NONE'
            if i % 3 == 2:
                assert member.leave() == 'NONE'
                assert commit(c, name, {'orders': {2: n}}) == {('orders', 2): 'NONE'}
            member.close()
    with find(cluster, 'gone%d' % n).connect() as c:
        commit(c, 'gone%d' % n, {'orders': {0: 1}})
        assert c.call('DeleteGroups', 2, groups_names=['gone%d' % n]).results[0].error_code == 0


def serve(cluster, target):
    broker = cluster.brokers[0]
    assert broker.stop() == (0 if broker.target == 'klamm' else 143), broker.log_text()[-2000:]
    for controller in cluster.controllers:
        if controller.alive():
            assert controller.stop() == 0

    def sessions():
        client = cluster.zookeeper.client()
        try:
            return [n for n in ('/controller', '/brokers/ids/1') if client.exists(cluster.chroot + n)]
        finally:
            client.stop()
            client.close()
    wait(lambda: not sessions(), 'sessions have ended', 30, 0.2)
    for row in KAFKA_ROWS:
        if row not in SETTINGS:
            broker.rows.pop(row, None)
    if target == 'kafka':
        broker.rows.update(dict(KAFKA_ROWS, **SETTINGS))
    broker.configure(target)
    broker.start()
    for controller in cluster.controllers:
        if target == 'klamm':
            controller.start()
    cluster.ready(cluster.brokers)


def test_kafka_goes_on_with_the_groups_that_klamm_left_and_back():
    cluster = Cluster(brokers=1, config=dict(SETTINGS), target='klamm')
    cluster.start()
    try:
        cluster.create_topic('orders', 3)
        names = ['group-%d' % i for i in range(12)]
        for n, target in ((100, 'kafka'), (200, 'klamm'), (300, None)):
            work(cluster, names, n)
            before = picture(cluster, names + ['gone%d' % n])
            theirs, ours = dumped(cluster.brokers[0])
            assert theirs == ours and not [line for line in theirs if dump_log.COMPLAINTS.search(line)]
            if target:
                serve(cluster, target)
                assert picture(cluster, names + ['gone%d' % n]) == before
    finally:
        cluster.close()
