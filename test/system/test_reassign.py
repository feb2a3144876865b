"""Replicas to other brokers and back, while records are written: by klamm reassign and by Kafka's own tools, with brokers that die meanwhile."""
import json
import os
import re
import subprocess
import threading

import confluent_kafka
import pytest

from processes import BUILD, TARGET, Folder, kafka_tool, wait
from test_replication import LAG, Writer, in_sync, replicas_equal, state
from wire import error_name

klamm_only = pytest.mark.klamm_only
REASSIGNMENT_IN_PROGRESS = 60
RATES = ('leader.replication.throttled.rate', 'follower.replication.throttled.rate')
REPLICAS = ('leader.replication.throttled.replicas', 'follower.replication.throttled.replicas')


def klamm(cluster, *args, code=0):
    """What klamm prints on standard output; broker 3 is asked first, the others die in these tests."""
    alive = ','.join(b.address for b in cluster.brokers[2:] + cluster.brokers[:2] if b.alive())
    done = subprocess.run([os.path.join(BUILD, 'klamm'), *args, '--bootstrap-server', alive], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == code, (args, done)
    return done.stdout if code == 0 else done.stderr


class Plan(str):
    """A file for --reassignment-json-file: {(topic, partition): [replicas]}."""

    def __new__(cls, folder, moves, name='plan'):
        path = super().__new__(cls, folder / (name + '.json'))
        with open(path, 'w') as f:
            json.dump({'version': 1, 'partitions': [{'topic': t, 'partition': p, 'replicas': r} for (t, p), r in moves.items()]}, f)
        return path


class Load:
    """A producer with acks=all and idempotence in the background; check() looks for each record where it was acknowledged."""

    def __init__(self, cluster, name, partitions, per_second=2000):
        self.cluster, self.name, self.partitions, self.pause = cluster, name, partitions, 50 / per_second
        self.acked, self.failed, self.ended = [], [], threading.Event()
        self.producer = confluent_kafka.Producer({
            'bootstrap.servers': cluster.bootstrap, 'enable.idempotence': True, 'linger.ms': 5, 'message.timeout.ms': 60000,
            'topic.metadata.refresh.interval.ms': 1000, 'retry.backoff.ms': 20, 'reconnect.backoff.max.ms': 500})
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        wait(lambda: len(self.acked) > 200, 'the load runs')
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def on_delivery(self, error, message):
        if error:
            self.failed.append(str(error))
        else:
            self.acked.append((message.partition(), message.offset(), message.value()))

    def run(self):
        n = 0
        while not self.ended.wait(self.pause):
            for _ in range(50):
                self.producer.produce(self.name, b'%012d' % n + b'.' * 200, partition=n % self.partitions, on_delivery=self.on_delivery)
                n += 1
            self.producer.poll(0)
        self.producer.flush(60)

    def goes_on(self):
        """Records are acknowledged now, too."""
        before = len(self.acked)
        wait(lambda: len(self.acked) > before + 500, 'records are acknowledged', 30)

    def check(self):
        assert self.ended.is_set() and not self.failed, self.failed[:3]
        consumer = confluent_kafka.Consumer({'bootstrap.servers': self.cluster.bootstrap, 'group.id': 'none', 'enable.auto.commit': False,
                                             'enable.partition.eof': True})
        consumer.assign([confluent_kafka.TopicPartition(self.name, p, 0) for p in range(self.partitions)])
        found, at_end = {}, set()
        while len(at_end) < self.partitions:
            for message in consumer.consume(1000, 1):
                if message.error():
                    assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
                    at_end.add(message.partition())
                else:
                    found[message.partition(), message.offset()] = message.value()
        consumer.close()
        lost = [(p, o) for p, o, value in self.acked if found.get((p, o)) != value]
        assert not lost, 'lost %d of %d, the first: %s' % (len(lost), len(self.acked), lost[:3])
        assert len(found) == len(self.acked)


def create(cluster, assignments, name='moving', **configs):
    with cluster.controller_connection() as c:
        answer = c.call('CreateTopics', 5, timeout_ms=20000, topics=[{
            'name': name, 'num_partitions': -1, 'replication_factor': -1,
            'configs': [{'name': k.replace('_', '.'), 'value': str(v)} for k, v in configs.items()],
            'assignments': [{'partition_index': i, 'broker_ids': ids} for i, ids in enumerate(assignments)]}])
    assert answer.topics[0].error_code == 0, answer
    cluster.wait_leaders(name, len(assignments))
    return name


def replicas(cluster, name, partition=0):
    return state(cluster, name, partition).replica_nodes


def under_way(cluster):
    return json.loads(klamm(cluster, 'reassign', '--list', '--format', 'json'))['reassignments']


def tool(name, *args):
    """What Kafka's own program prints."""
    code, said = kafka_tool(name, *args)
    assert code == 0, (name, args, said)
    return said


def config_of(cluster, kind, name):
    found = json.loads(klamm(cluster, 'configs', '--describe', '--entity-type', kind, '--entity-name', name, '--format', 'json'))
    return {row['name']: row['value'] for row in found['entities'][0]['configs']}


@pytest.fixture
def four(make_cluster):
    return make_cluster(brokers=4, config=LAG)


@pytest.fixture
def folder():
    made = Folder()
    yield made
    made.remove()


# ---- klamm reassign ----


def test_a_throttled_move_by_file(four, folder):
    name = create(four, [[1, 2], [2, 3]])
    writer = Writer(four, name)
    writer.write(20)
    plan = Plan(folder, {(name, 0): [3, 4], (name, 1): [4, 3]})
    said = klamm(four, 'reassign', '--execute', '--reassignment-json-file', plan, '--throttle', '50000000')
    assert 'Current partition replica assignment\n\n{"version":1,"partitions":[{"topic":"moving","partition":0,"replicas":[1,2]' in said
    assert 'The inter-broker throttle limit was set to 50000000 B/s\n' in said
    assert 'Successfully started partition reassignments for moving-0,moving-1\n' in said
    assert {config_of(four, 'brokers', str(i)).get(key) for i in (1, 2, 3, 4) for key in RATES} == {'50000000'}
    assert config_of(four, 'topics', name)[REPLICAS[0]] == '0:1,0:2,1:2,1:3'
    assert config_of(four, 'topics', name)[REPLICAS[1]] == '0:3,0:4,1:4'
    wait(lambda: not under_way(four), 'the move is done')
    wait(lambda: replicas(four, name) == [3, 4], 'the asked broker knows it')
    said = klamm(four, 'reassign', '--verify', '--reassignment-json-file', plan)
    assert said == ('Status of partition reassignment:\nReassignment of partition moving-0 is completed.\n'
                    'Reassignment of partition moving-1 is completed.\n\nClearing broker-level throttles on brokers 1,2,3,4\n'
                    'Clearing topic-level throttles on topic moving\n')
    wait(lambda: not any(key in config_of(four, 'brokers', str(i)) for i in (1, 2, 3, 4) for key in RATES), 'the rates are gone')
    wait(lambda: not any(key in config_of(four, 'topics', name) for key in REPLICAS), 'the lists are gone')
    writer.write(10)
    writer.check()
    assert replicas(four, name, 1) == [4, 3]


def test_what_makes_no_sense_is_refused(four, folder):
    name = create(four, [[1, 2]])
    assert 'Unknown broker id 9' in klamm(four, 'reassign', '--execute', '--reassignment-json-file', Plan(folder, {(name, 0): [1, 9]}), code=1)
    assert 'nowhere-0' in klamm(four, 'reassign', '--execute', '--reassignment-json-file', Plan(folder, {('nowhere', 0): [1]}), code=1)
    assert 'None of the specified' in klamm(four, 'reassign', '--cancel', '--reassignment-json-file', Plan(folder, {(name, 0): [1]}))
    with four.controller_connection() as c:
        def ask(*wanted):
            answer = c.call('AlterPartitionReassignments', 0, timeout_ms=20000, topics=[
                {'name': name, 'partitions': [{'partition_index': 0, 'replicas': list(wanted) if wanted != (None,) else None}]}])
            assert answer.error_code == 0
            return error_name(answer.responses[0].partitions[0].error_code)
        assert ask(1, 1) == ask(1, -1) == ask(1, 9) == ask() == 'INVALID_REPLICA_ASSIGNMENT'
        assert ask(None) == 'NO_REASSIGNMENT_IN_PROGRESS'
    assert replicas(four, name) == [1, 2] and not under_way(four)



def test_a_move_is_cancelled(four, folder):
    name = create(four, [[1, 2]])
    writer = Writer(four, name)
    writer.write(10)
    plan = Plan(folder, {(name, 0): [4, 2]})
    # The new one hangs, so that the move stays under way.
    four.broker(4).freeze()
    klamm(four, 'reassign', '--execute', '--reassignment-json-file', plan)
    rows = under_way(four)
    assert rows == [{'topic': name, 'partition': 0, 'replicas': [4, 2, 1], 'adding': [4], 'removing': [1]}]
    assert 'existing partition assignment' in klamm(four, 'reassign', '--execute', '--reassignment-json-file', plan, code=1)
    assert 'moving-0 is still in progress' in klamm(four, 'reassign', '--verify', '--reassignment-json-file', plan)
    wait(lambda: four.broker(3).sees() == {1, 2, 3}, 'the new one counts as dead')
    said = klamm(four, 'reassign', '--cancel', '--reassignment-json-file', plan)
    assert 'Successfully cancelled partition reassignment for: moving-0\n' in said
    assert not under_way(four)
    wait(lambda: sorted(replicas(four, name)) == [1, 2], 'the old replicas are the replicas')
    four.broker(4).thaw()
    wait(lambda: four.broker(4).partition_folder(name) is None, 'the new one has nothing of it')
    in_sync(four, name, [1, 2])
    writer.write(10)
    writer.check()
    replicas_equal(four, name)


@klamm_only
@pytest.mark.seconds(400)
def test_a_broker_is_added_and_another_emptied_under_load(make_cluster):
    cluster = make_cluster(brokers=4, controllers=2, config=LAG)
    name = create(cluster, [[1 + i % 3, 1 + (i + 1) % 3] for i in range(12)], 'loaded', min_insync_replicas=2)
    with Load(cluster, name, 12) as load:
        plan = json.loads(klamm(cluster, 'reassign', 'add', '--broker', '4', '--dry-run', '--format', 'json'))
        assert plan['moves'] == 6 and all(4 in row['replicas'] for row in plan['plan']['partitions'])
        said = klamm(cluster, 'reassign', 'add', '--broker', '4', '--wait', '--throttle', '100000000')
        assert said.count('is completed.') == 6 and 'Clearing topic-level throttles on topic loaded' in said
        load.goes_on()
        counts = {b: sum(b in replicas(cluster, name, p) for p in range(12)) for b in (1, 2, 3, 4)}
        assert counts == {1: 6, 2: 6, 3: 6, 4: 6}
        klamm(cluster, 'reassign', 'drain', '--broker', '1', '--wait')
        load.goes_on()
        assert not any(1 in replicas(cluster, name, p) for p in range(12))
        wait(lambda: not any(cluster.broker(1).partition_folder(name, p) for p in range(12)), 'broker 1 has nothing of it any more')
        assert 'Nothing has to move' in klamm(cluster, 'reassign', 'drain', '--broker', '1')
        assert cluster.broker(1).stop() == 0
        load.goes_on()
    load.check()
    for p in range(12):
        replicas_equal(cluster, name, p)


@klamm_only
@pytest.mark.seconds(400)
def test_moves_outlive_brokers_and_controllers_that_die(make_cluster, folder):
    cluster = make_cluster(brokers=4, controllers=2, config=LAG)
    name = create(cluster, [[1, 2, 3]] * 6, 'loaded', min_insync_replicas=2)
    with Load(cluster, name, 6) as load:
        for turn, target in enumerate(([4, 2, 3], [1, 4, 3], [2, 1, 4], [3, 1, 2])):
            plan = Plan(folder, {(name, p): target for p in range(6)})
            klamm(cluster, 'reassign', '--execute', '--reassignment-json-file', plan)
            victim = [cluster.broker(4), cluster.controllers[0], cluster.broker(2), cluster.controllers[1]][turn]
            victim.kill_child()
            load.goes_on()
            wait(lambda: not under_way(cluster), 'the move is done', 60)
            for p in range(6):
                wait(lambda: replicas(cluster, name, p) == target, 'the replicas of %d are %s' % (p, target))
                in_sync(cluster, name, target, p)
        load.goes_on()
    load.check()
    for p in range(6):
        replicas_equal(cluster, name, p)
    wait(lambda: not any(cluster.broker(4).partition_folder(name, p) for p in range(6)), 'broker 4 has nothing of it any more')


@klamm_only
@pytest.mark.parametrize('new_controller', [False, True])
def test_a_broker_that_was_down_erases_what_was_taken_from_it(four, folder, new_controller):
    name = create(four, [[1, 2, 3]], min_insync_replicas=2)
    writer = Writer(four, name)
    writer.ask = 2
    writer.write(20)
    four.broker(1).kill()
    klamm(four, 'reassign', '--execute', '--reassignment-json-file', Plan(folder, {(name, 0): [4, 2, 3]}), '--wait')
    writer.write(10)
    assert four.broker(1).partition_folder(name)
    if new_controller:
        # The next one has not seen the move.
        four.controllers[0].kill()
        four.controllers[0].start()
    four.broker(1).start()
    four.ready()
    wait(lambda: four.broker(1).partition_folder(name) is None, 'it has erased its replica')
    writer.check()
    replicas_equal(four, name)


def test_partitions_are_added_while_others_move(four, folder):
    name = create(four, [[1, 2]] * 4)
    target = {p: [1, 2] for p in range(4)}
    with four.controller_connection() as c:
        c.number = c.metadata([], version=4).controller_id
        for turn in range(8):
            moved = turn % 4
            target[moved] = [3, 4] if target[moved] == [1, 2] else [1, 2]
            asked = c.send('AlterPartitionReassignments', 0, timeout_ms=20000, topics=[
                {'name': name, 'partitions': [{'partition_index': moved, 'replicas': target[moved]}]}])
            def added():
                with four.connect(c.number if TARGET == 'kafka' else 3) as other:
                    told = other.call('CreatePartitions', 3, timeout_ms=20000, validate_only=False, topics=[
                        {'name': name, 'count': 5 + turn, 'assignments': [{'broker_ids': [2, 3]}]}]).results[0]
                assert told.error_code in (0, REASSIGNMENT_IN_PROGRESS), told
                return told.error_code == 0
            wait(added, 'a partition is added when nothing moves')
            answer = c.receive()
            assert answer.error_code == answer.responses[0].partitions[0].error_code == 0, answer
    wait(lambda: not under_way(four), 'all moves are done')
    for p, ids in target.items():
        wait(lambda: replicas(four, name, p) == ids, 'the replicas of %d' % p)
        in_sync(four, name, ids, p)
    for p in range(4, 12):
        assert replicas(four, name, p) == [2, 3]
    four.wait_leaders(name, 12)


# ---- Kafka's own tools ----


@pytest.mark.seconds(400)
def test_kafkas_tool_plans_moves_and_clears_throttles_under_load(four, folder):
    name = create(four, [[1, 2], [2, 3], [3, 1]])
    at = ['--bootstrap-server', four.brokers[3].address]
    with open(folder / 'topics.json', 'w') as f:
        json.dump({'version': 1, 'topics': [{'topic': name}]}, f)
    with Load(four, name, 3, 500) as load:
        said = tool('reassign-partitions', *at, '--generate', '--topics-to-move-json-file', folder / 'topics.json', '--broker-list', '2,3,4')
        current, proposed = re.findall(r'^(\{.*\})$', said, re.M)
        ours = klamm(four, 'reassign', '--generate', '--topics-to-move-json-file', folder / 'topics.json', '--broker-list', '2,3,4')
        assert current in ours
        with open(folder / 'proposed.json', 'w') as f:
            f.write(proposed)
        plan = ['--reassignment-json-file', folder / 'proposed.json']
        said = tool('reassign-partitions', *at, '--execute', *plan, '--throttle', '50000000')
        assert 'Successfully started partition reassignments for' in said
        wait(lambda: not under_way(four), 'the move is done')
        said = tool('reassign-partitions', *at, '--verify', *plan)
        assert said.count('is completed.') == 3 and 'Clearing topic-level throttles on topic moving' in said, said
        assert 'No partition reassignments found.' in tool('reassign-partitions', *at, '--list')
        assert 'None of the specified partition reassignments are active.' in tool('reassign-partitions', *at, '--cancel', *plan)
        wanted = {p['partition']: p['replicas'] for p in json.loads(proposed)['partitions']}
        for p, ids in wanted.items():
            wait(lambda: replicas(four, name, p) == ids, 'the replicas of %d' % p)
            in_sync(four, name, ids, p)
        assert not any(key in config_of(four, 'brokers', '3') for key in RATES)
        load.goes_on()
    load.check()
    for p in range(3):
        replicas_equal(four, name, p)


def move(cluster, name, wanted):
    with cluster.controller_connection() as c:
        answer = c.call('AlterPartitionReassignments', 0, timeout_ms=20000, topics=[
            {'name': name, 'partitions': [{'partition_index': 0, 'replicas': wanted}]}])
        assert answer.responses[0].partitions[0].error_code == 0, answer
        wait(lambda: not c.call('ListPartitionReassignments', 0, timeout_ms=20000, topics=None).topics, 'the move is done', 30)


class Dir:
    """A log dir that can be taken away from a broker that is down."""

    def __init__(self, path):
        self.path = path

    def take_away(self):
        os.rename(self.path, self.path + '.away')
        open(self.path, 'w').close()

    def bring_back(self):
        os.unlink(self.path)
        os.rename(self.path + '.away', self.path)

    def folders(self, name):
        return sorted(d for d in os.listdir(self.path) if d.startswith(name))


@klamm_only
def test_a_replica_lies_in_two_log_dirs_since_it_came_back_while_one_was_away(make_cluster):
    cluster = make_cluster(brokers=3, config=LAG, start=False)
    broker = cluster.broker(3)
    broker.rows['log.dirs'] = '%s-a,%s-b' % (broker.folder, broker.folder)
    cluster.start()
    name = create(cluster, [[1, 2, 3]])
    writer = Writer(cluster, name)
    writer.write(10)
    in_sync(cluster, name, [1, 2, 3])
    old = Dir(os.path.dirname(broker.partition_folder(name)))
    new = Dir(next(d for d in broker.rows['log.dirs'].split(',') if d != old.path))
    # It moves away from a broker that is down, and back while the dir that holds it is away.
    assert broker.stop() == 0
    move(cluster, name, [1, 2])
    old.take_away()
    writer.write(10)
    broker.start()
    cluster.ready()
    move(cluster, name, [1, 2, 3])
    in_sync(cluster, name, [1, 2, 3])
    writer.write(10)
    assert broker.stop() == 0
    old.bring_back()
    assert old.folders(name) == new.folders(name) == [name + '-0']
    broker.start()
    cluster.ready()
    in_sync(cluster, name, [1, 2, 3])
    folder, = old.folders(name)
    assert re.fullmatch(name + r'-0\.[0-9a-f]{32}-stray', folder) and new.folders(name) == [name + '-0']
    assert 'lies in two log dirs' in broker.log_text() and os.path.join(old.path, folder) in broker.log_text()
    assert [f for f in os.listdir(os.path.join(old.path, folder)) if f.endswith('.log')], 'nothing is deleted'
    writer.write(10)
    replicas_equal(cluster, name)
    # What was set aside is no replica, not even when the other dir is away.
    assert broker.stop() == 0
    new.take_away()
    broker.start()
    cluster.ready()
    in_sync(cluster, name, [1, 2])
    writer.write(10)
    assert old.folders(name) == [folder]
    assert broker.stop() == 0
    new.bring_back()
    broker.start()
    cluster.ready()
    in_sync(cluster, name, [1, 2, 3])
    writer.write(10)
    writer.check()
    replicas_equal(cluster, name)
