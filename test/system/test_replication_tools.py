"""Kafka's own programs against replicated topics: they see them, move them, elect, verify; and write while brokers are killed."""
import json
import os
import uuid

import pytest

from batch import build, records
from processes import Process, TARGET, TOOLS, java, kafka_tool, wait, write_properties
from test_reassign import create, klamm
from test_replication import LAG, Writer, in_sync, state

pytestmark = pytest.mark.seconds(240)


@pytest.fixture
def three(make_cluster):
    by_hand = {'auto.leader.rebalance.enable': 'false'}
    return make_cluster(brokers=3, config=LAG if TARGET == 'klamm' else dict(LAG, **by_hand), controller_config=by_hand)


def bootstrap(cluster):
    return ('--bootstrap-server', cluster.bootstrap)


def dumps(cluster, name, partition):
    """What Kafka's dump tool says of each replica; the name of the folder left out."""
    told = []
    for broker in cluster.brokers:
        folder = broker.partition_folder(name, partition)
        files = [os.path.join(folder, f) for f in sorted(os.listdir(folder)) if f.endswith('.log')]
        status, out = kafka_tool('dump-log', '--deep-iteration', '--print-data-log', '--files', ','.join(files))
        assert status == 0, out[-2000:]
        told.append([line for line in out.splitlines() if not line.startswith(('Dumping', 'Log starting', 'Starting'))])
    return told


def test_the_topics_tool_shows_replicas_and_those_in_trouble(three):
    name = 'tool-' + uuid.uuid4().hex[:8]
    status, out = kafka_tool('topics', *bootstrap(three), '--create', '--topic', name, '--partitions', 3, '--replication-factor', 3, '--config',
                             'min.insync.replicas=2')
    assert status == 0, out
    three.wait_leaders(name, 3)
    status, out = kafka_tool('topics', *bootstrap(three), '--describe', '--topic', name)
    assert status == 0 and 'ReplicationFactor: 3' in out and out.count('Replicas: ') == 3, out
    three.brokers[1].kill()
    in_sync(three, name, [1, 3])
    status, out = kafka_tool('topics', *bootstrap(three), '--describe', '--under-replicated-partitions')
    assert status == 0 and out.count('Topic: ' + name) == 3 and 'Isr: 1,3' in out.replace('3,1', '1,3'), out
    three.brokers[2].kill()
    in_sync(three, name, [1])
    status, out = kafka_tool('topics', *bootstrap(three), '--describe', '--under-min-isr-partitions')
    assert status == 0 and out.count('Topic: ' + name) == 3, out


def test_the_leader_election_tool_elects_the_preferred_one(three):
    name = three.create_topic(partitions=1, replication_factor=3)
    preferred = state(three, name).replica_nodes[0]
    three.broker(preferred).kill()
    wait(lambda: state(three, name).leader_id not in (-1, preferred), 'another one leads')
    three.broker(preferred).start()
    in_sync(three, name, [1, 2, 3])
    assert state(three, name).leader_id != preferred
    status, out = kafka_tool('leader-election', *bootstrap(three), '--election-type', 'preferred', '--topic', name, '--partition', 0)
    assert status == 0 and 'Successfully completed leader election' in out, out
    wait(lambda: state(three, name).leader_id == preferred, 'the preferred one leads')


def test_the_leader_election_tool_elects_one_that_is_behind_only_when_told(three):
    name = three.create_topic(partitions=1, replication_factor=2, min_insync_replicas=1)
    first, second = state(three, name).replica_nodes
    with three.leader_connection(name) as c:
        assert c.produce(name, build([b'both'])).error_code == 0
        three.broker(second).kill()
        in_sync(three, name, [first], number=first)
        assert c.produce(name, build([b'only the first'])).error_code == 0
    three.broker(first).kill()
    three.broker(second).start()
    witness = next(b for b in three.brokers if b.number not in (first, second))
    wait(lambda: witness.sees() == {second, witness.number}, 'the second one is back')
    assert state(three, name, number=witness.number).leader_id == -1
    status, out = kafka_tool('leader-election', '--bootstrap-server', witness.address, '--election-type', 'unclean', '--topic', name, '--partition', 0)
    assert status == 0 and 'Successfully completed leader election' in out, out
    wait(lambda: state(three, name, number=witness.number).leader_id == second, 'the second one leads')
    three.broker(first).start()
    in_sync(three, name, [first, second], number=second)
    assert [r.value for r in records(three.read_all(name))] == [b'both']


def test_the_reassignment_tool_moves_replicas(three, tmp_path):
    name = three.create_topic(partitions=1, replication_factor=1)
    start = state(three, name).leader_id
    with three.leader_connection(name) as c:
        for i in range(50):
            assert c.produce(name, build([b'%d' % i])).error_code == 0
    before = three.read_all(name)
    for replicas in ([start] + [n for n in (1, 2, 3) if n != start], [n for n in (1, 2, 3) if n != start]):
        plan = tmp_path / 'plan.json'
        plan.write_text(json.dumps({'version': 1, 'partitions': [{'topic': name, 'partition': 0, 'replicas': replicas, 'log_dirs': ['any'] * len(replicas)}]}))
        status, out = kafka_tool('reassign-partitions', *bootstrap(three), '--reassignment-json-file', plan, '--execute')
        assert status == 0 and 'Successfully started' in out, out
        wait(lambda: list(state(three, name).replica_nodes) == replicas and sorted(state(three, name).isr_nodes) == sorted(replicas),
             lambda: 'replicas are %s: %s' % (replicas, state(three, name)), 30)
        status, out = kafka_tool('reassign-partitions', *bootstrap(three), '--reassignment-json-file', plan, '--verify')
        assert status == 0 and 'is completed' in out.replace('is complete.', 'is completed'), out
    wait(lambda: three.broker(start).partition_folder(name) is None, 'the old replica is gone')
    assert three.read_all(name) == before


def test_the_replica_verification_tool_finds_nothing(three):
    name = three.create_topic(partitions=2, replication_factor=3)
    for partition in range(2):
        with three.leader_connection(name, partition) as c:
            for i in range(20):
                assert c.produce(name, build([b'%d' % i] * 10), partition=partition).error_code == 0
    log = three.folder / 'verification.log'
    tool = Process('verification', java(256, 'WARN', TOOLS['replica-verification'], '--broker-list', three.bootstrap, '--topics-include', name,
                                        '--report-interval-ms', 1000), log).start()
    try:
        tool.wait_log('max lag is 0 for partition', 40)
        assert 'differ' not in tool.log_text() and 'Exception' not in tool.log_text()
    finally:
        tool.kill()


@pytest.mark.klamm_only
def test_the_verifiable_producer_writes_while_brokers_are_killed(three):
    name = three.create_topic(partitions=3, replication_factor=3, min_insync_replicas=2)
    config = write_properties(three.folder / 'verifiable.properties', {'retries': 2147483647, 'enable.idempotence': 'true'})
    log = three.folder / 'verifiable.log'
    tool = Process('verifiable', java(256, 'WARN', TOOLS['verifiable-producer'], *bootstrap(three), '--topic', name, '--max-messages', 6000,
                                      '--throughput', 400, '--acks', -1, '--producer.config', config), log).start()
    wait(lambda: tool.log_text().count('producer_send_success') > 500, 'it writes', 40)
    for broker in three.brokers:
        goal = tool.log_text().count('producer_send_success') + 600
        broker.kill()
        wait(lambda: tool.log_text().count('producer_send_success') > goal, 'it writes on without %s' % broker.name, 40)
        broker.start()
        for partition in range(3):
            in_sync(three, name, [1, 2, 3], partition, number=next(b.number for b in three.brokers if b is not broker))
    wait(lambda: not tool.alive() or '"shutdown_complete"' in tool.log_text(), 'it is done', 90)
    tool.wait_exit()
    rows = [json.loads(line) for line in tool.log_text().splitlines() if line.startswith('{')]
    acked = {(r['partition'], r['offset']): r['value'] for r in rows if r['name'] == 'producer_send_success'}
    assert len(acked) == 6000 and not [r for r in rows if r['name'] == 'producer_send_error']
    there = {(p, r.offset): r.value.decode() for p in range(3) for r in records(three.read_all(name, p))}
    assert there == acked
    for partition in {p for p, _ in acked}:
        told = dumps(three, name, partition)
        assert told[0] and told[0] == told[1] == told[2]


@pytest.mark.klamm_only
def test_an_operator_sees_who_has_most_and_that_one_is_elected(three):
    name = create(three, [[1, 3, 2]], 'waiting', min_insync_replicas=1)
    in_sync(three, name, [1, 2, 3])
    writer = Writer(three, name)
    for victim in (3, 2, 1):
        writer.write(10)
        three.broker(victim).kill()
    for number in (3, 2):
        three.broker(number).start()
    three.ready([three.broker(2), three.broker(3)])
    wait(lambda: state(three, name, number=2).leader_id == -1, 'the only one that is eligible is away')
    elect = 'elect', '--election-type', 'unclean', '--topic', name, '--partition', '0'
    seen, = json.loads(klamm(three, *elect, '--dry-run', '--format', 'json'))['partitions']
    offline, third, second = seen['replicas']
    assert offline == {'broker': 1, 'error': 'offline'} and (third['broker'], second['broker']) == (3, 2)
    assert (third['log_end'], second['log_end']) == (10, 20) and third['last_epoch'] == second['last_epoch']
    assert (seen['leader'], seen['most']) == (-1, 2)
    assert klamm(three, 'elect', '--election-type', 'unclean', '--all-topic-partitions', '--dry-run').splitlines()[-1].endswith('has most')
    assert state(three, name, number=2).leader_id == -1
    assert 'Successfully completed leader election (UNCLEAN) for partitions %s-0' % name in klamm(three, *elect)
    wait(lambda: state(three, name, number=3).leader_id == 2, 'it leads')
    assert 'broker 2, which has most (log end 20, last epoch' in three.controllers[0].log_text()
