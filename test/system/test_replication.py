"""Three replicas: acks of all, leaders that die, stop or hang, followers that come back, consumers that read nearby."""
import contextlib
import os
import subprocess
import time

import pytest

from batch import build, crc32c, values
from cluster import SESSION_MS
from processes import Folder, TARGET, ZooKeeper, wait
from test_storage import inside, on_small_disk
from wire import Closed, error_name

RETRIED = {'NOT_LEADER_OR_FOLLOWER', 'LEADER_NOT_AVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION', 'NOT_ENOUGH_REPLICAS',
           'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'REQUEST_TIMED_OUT', 'KAFKA_STORAGE_ERROR'}
LAG = {'replica.lag.time.max.ms': 2000, 'replica.fetch.wait.max.ms': 500}


@pytest.fixture
def three(make_cluster):
    return make_cluster(brokers=3, config=LAG)


def state(cluster, name, partition=0, number=None):
    with cluster.broker(number).connect() if number else cluster.connect_to_any() as c:
        return {p.partition_index: p for p in c.metadata([name], version=9).topics[0].partitions}[partition]


def in_sync(cluster, name, numbers, partition=0, number=None):
    wait(lambda: sorted(state(cluster, name, partition, number).isr_nodes) == sorted(numbers),
         lambda: '%s-%d has the ISR %s: %s' % (name, partition, numbers, state(cluster, name, partition, number)), 30)


class Writer:
    """Writes numbered records with acks=all as clients do: what is refused is sent again, to whoever leads then."""

    def __init__(self, cluster, name, partition=0):
        self.cluster, self.name, self.partition = cluster, name, partition
        self.acked, self.errors, self.n = [], set(), 0
        self.ask = None  # the number of the broker that knows who leads; None: the first that lives

    def once(self):
        record = b'%08d' % self.n
        try:
            leader = state(self.cluster, self.name, self.partition, self.ask).leader_id
            if leader < 0:
                return False
            with self.cluster.connect(leader, timeout=15) as c:
                answer = c.produce(self.name, build([record]), partition=self.partition, timeout_ms=3000)
        except (OSError, Closed) as e:
            self.errors.add(type(e).__name__)
            return False
        if answer.error_code:
            self.errors.add(error_name(answer.error_code))
            assert error_name(answer.error_code) in RETRIED, answer
            return False
        self.acked.append((answer.base_offset, record))
        self.n += 1
        return True

    def write(self, n):
        for _ in range(n):
            wait(self.once, lambda: 'a write to %s is acknowledged; errors: %s' % (self.name, self.errors), 40)

    def check(self):
        """Each record that was acknowledged lies where it was acknowledged."""
        found = {}

        def read():
            """From one leader; it may lose its leadership meanwhile."""
            with self.cluster.leader_connection(self.name, self.partition, timeout=15) as c:
                at = c.list_offset(self.name, -2, self.partition).offset
                end = c.list_offset(self.name, -1, self.partition)
                while end.error_code == 0 and at < end.offset:
                    part = c.fetch(self.name, at, partition=self.partition)
                    if part.error_code or not part.records:
                        return False
                    for record in values(part.records):
                        found[at] = record
                        at += 1
                return end.error_code == 0
        wait(read, '%s is read to its end' % self.name, 40)
        for offset, record in self.acked:
            assert found.get(offset) == record, (offset, record, found.get(offset))


def log_bytes(broker, name, partition=0):
    folder = broker.partition_folder(name, partition)
    files = sorted(f for f in os.listdir(folder) if f.endswith('.log')) if folder else []
    return b''.join(open(os.path.join(folder, f), 'rb').read() for f in files)


def replicas_equal(cluster, name, partition=0):
    def equal():
        logs = [log_bytes(b, name, partition) for b in cluster.brokers if b.number in state(cluster, name, partition).replica_nodes]
        return logs[0] and all(log == logs[0] for log in logs)
    wait(equal, 'all replicas of %s-%d are the same, byte for byte' % (name, partition))


def test_what_is_acknowledged_lies_on_all_replicas(three):
    name = three.create_topic(partitions=4, replication_factor=3)
    for partition in range(4):
        writer = Writer(three, name, partition)
        writer.write(20)
        assert not writer.errors
        logs = [log_bytes(b, name, partition) for b in three.brokers]
        assert all(log == logs[0] for log in logs)
        writer.check()


@pytest.mark.parametrize('how', ['kill', 'stop'])
def test_a_leader_that_goes_takes_nothing_with_it(three, how):
    name = three.create_topic(replication_factor=3, min_insync_replicas=2)
    writer = Writer(three, name)
    for _ in range(3):
        writer.write(10)
        leader = three.leader(name)
        if how == 'kill':
            leader.kill()
        else:
            assert leader.stop() == 0
        writer.write(10)
        assert three.leader(name) is not leader
        leader.start()
        three.ready()
        in_sync(three, name, [1, 2, 3])
    writer.check()
    replicas_equal(three, name)


def test_a_stop_hands_leaderships_over_before_it_leaves(three):
    name = three.create_topic(partitions=12, replication_factor=3)
    broker = three.broker(2)
    assert broker.stop() == 0
    assert 'leaderships are handed over' in broker.log_text()
    for partition in range(12):
        at = state(three, name, partition, 1)
        assert at.leader_id in (1, 3) and 2 not in at.isr_nodes


@pytest.mark.klamm_only
def test_a_stop_without_a_controller_waits_only_a_while(make_cluster):
    cluster = make_cluster(brokers=3, config=dict(LAG, **{'controlled.shutdown.retry.backoff.ms': 500}))
    name = cluster.create_topic(replication_factor=3)
    Writer(cluster, name).write(5)
    cluster.controllers[0].kill()
    for broker in cluster.brokers:
        broker.wait_log('serving on')
    begun = time.monotonic()
    assert cluster.broker(2).stop() == 0
    assert time.monotonic() - begun < 10
    assert 'no controller is connected; stopping all the same' in cluster.broker(2).log_text()
    # One that comes back meanwhile takes over.
    cluster.broker(3).rows['controlled.shutdown.retry.backoff.ms'] = 20000
    cluster.controllers[0].start()
    cluster.broker(2).start()
    cluster.broker(3).stop()
    cluster.broker(3).start()
    cluster.ready()
    in_sync(cluster, name, [1, 2, 3])
    alone = cluster.broker(3).log_text().count('serving on')
    cluster.controllers[0].kill()
    wait(lambda: cluster.broker(3).log_text().count('serving on') > alone, 'it is alone')
    cluster.broker(3).signal(15)
    cluster.controllers[0].start()
    assert cluster.broker(3).wait_exit(30) == 0
    assert 'leaderships are handed over' in cluster.broker(3).log_text().split('serving on')[-1]


def test_a_follower_that_hangs_leaves_the_isr_and_comes_back(three):
    name = three.create_topic(replication_factor=3, min_insync_replicas=2)
    writer = Writer(three, name)
    writer.write(5)
    follower = next(b for b in three.brokers if b is not three.leader(name))
    leader = three.leader(name)
    writer.ask = leader.number
    follower.freeze()
    try:
        writer.write(5)
        in_sync(three, name, [b.number for b in three.brokers if b is not follower], number=leader.number)
    finally:
        follower.thaw()
    writer.write(5)
    in_sync(three, name, [1, 2, 3], number=leader.number)
    writer.check()
    replicas_equal(three, name)


def test_below_the_minimum_nothing_is_acknowledged(three):
    name = three.create_topic(replication_factor=3, min_insync_replicas=2)
    writer = Writer(three, name)
    writer.write(5)
    leader = three.leader(name)
    others = [b for b in three.brokers if b is not leader]
    for broker in others:
        broker.kill()
    in_sync(three, name, [leader.number], number=leader.number)
    with leader.connect() as c:
        answer = c.produce(name, build([b'lost']))
        assert error_name(answer.error_code) == 'NOT_ENOUGH_REPLICAS', answer
        assert c.produce(name, build([b'kept by one']), acks=1).error_code == 0
    others[0].start()
    three.ready([leader, others[0]])
    in_sync(three, name, [leader.number, others[0].number], number=leader.number)
    writer.n += 1
    writer.write(5)
    writer.check()


def test_records_are_deleted_on_all_replicas_before_it_is_answered(three):
    name = three.create_topic(replication_factor=3)
    Writer(three, name).write(20)
    with three.leader_connection(name) as c:
        answer = c.call('DeleteRecords', 2, topics=[{'name': name, 'partitions': [{'partition_index': 0, 'offset': 7}]}], timeout_ms=20000)
        part = answer.topics[0].partitions[0]
        assert (part.error_code, part.low_watermark) == (0, 7)
    for broker in three.brokers:
        with broker.connect() as c:
            assert c.call('ListOffsets', 7, replica_id=-2, isolation_level=0, topics=[
                {'name': name, 'partitions': [{'partition_index': 0, 'current_leader_epoch': -1, 'timestamp': -2}]}]
            ).topics[0].partitions[0].offset == 7
    # One that hangs keeps it waiting, and the answer says so.
    leader = three.leader(name)
    follower = next(b for b in three.brokers if b is not leader)
    follower.freeze()
    try:
        with leader.connect() as c:
            answer = c.call('DeleteRecords', 2, topics=[{'name': name, 'partitions': [{'partition_index': 0, 'offset': 9}]}], timeout_ms=300)
            part = answer.topics[0].partitions[0]
            assert (error_name(part.error_code), part.low_watermark) == ('REQUEST_TIMED_OUT', 7)
    finally:
        follower.thaw()
    with leader.connect() as c:
        wait(lambda: c.call('DeleteRecords', 2, topics=[{'name': name, 'partitions': [{'partition_index': 0, 'offset': 9}]}],
                            timeout_ms=5000).topics[0].partitions[0].low_watermark == 9, 'the one that was away deletes, too')


def test_a_consumer_reads_from_the_replica_in_its_rack(make_cluster):
    rows = dict(LAG, **{'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector'})
    cluster = make_cluster(brokers=3, config=rows, start=False)
    for broker in cluster.brokers:
        broker.rows['broker.rack'] = 'rack%d' % broker.number
    cluster.start()
    name = cluster.create_topic(replication_factor=3)
    Writer(cluster, name).write(10)
    leader = cluster.leader(name)
    near = next(b for b in cluster.brokers if b is not leader)
    with leader.connect() as c:
        for rack, preferred in (('rack%d' % near.number, near.number), ('rack%d' % leader.number, -1), ('', -1), ('elsewhere', -1)):
            def told():
                part = c.fetch(name, 3, rack_id=rack)
                return part.preferred_read_replica == preferred and bool(part.records) == (preferred < 0)
            wait(told, 'a client in %r is sent to %d' % (rack, preferred))
    with near.connect() as c:
        got = wait(lambda: values(c.fetch(name, 0, rack_id='rack%d' % near.number).records or b''), 'the follower knows what is committed')
        assert got[0] == b'%08d' % 0
        # Clients that could not be told to come here are sent back, and so is one that is ahead. It is not for a follower to say that what it
        # lacks does not exist; Kafka's does.
        assert error_name(c.fetch(name, 0, version=10).error_code) == 'NOT_LEADER_OR_FOLLOWER'
        assert error_name(c.fetch(name, 1000, rack_id='rack%d' % near.number).error_code) == (
            'OFFSET_NOT_AVAILABLE' if TARGET == 'klamm' else 'OFFSET_OUT_OF_RANGE')
    # What comes later wakes a reader that waits at the follower.
    with near.connect() as c:
        end = wait(lambda: c.fetch(name, 0).high_watermark == 10 and 10, 'the follower knows all')
        c.send('Fetch', 11, c.fetch_body(name, end, max_wait_ms=20000, rack_id='rack%d' % near.number))
        Writer(cluster, name).write(1)
        part = c.receive().responses[0].partitions[0]
        assert values(part.records) == [b'%08d' % 0]


@pytest.mark.klamm_only
def test_without_zookeeper_replicated_topics_are_written_on(make_cluster):
    folder = Folder()
    zookeeper = ZooKeeper(folder).start().ready()
    try:
        cluster = make_cluster(zookeeper=zookeeper, brokers=3, config=LAG)
        name = cluster.create_topic(partitions=3, replication_factor=3, min_insync_replicas=2)
        writers = [Writer(cluster, name, p) for p in range(3)]
        idle = Writer(cluster, cluster.create_topic(replication_factor=3, min_insync_replicas=2))
        idle.write(1)
        zookeeper.freeze()
        until = time.monotonic() + 4 * SESSION_MS / 1000
        while time.monotonic() < until:
            for writer in writers:
                writer.write(1)
        # Replicas that had nothing to say to each other meanwhile have heard each other all the same.
        writers.append(idle)
        idle.write(1)
        assert not any(w.errors for w in writers), [w.errors for w in writers]
        zookeeper.thaw()
        # All sessions have expired: everybody registers anew, and the partitions are led again.
        for writer in writers:
            writer.write(20)
            in_sync(cluster, writer.name, [1, 2, 3], writer.partition)
            writer.check()
            replicas_equal(cluster, writer.name, writer.partition)
    finally:
        zookeeper.thaw()
        zookeeper.kill()
        folder.remove()


@pytest.mark.skipif(TARGET == 'kafka', reason='a Kafka broker waits for its controller')
def test_without_a_controller_what_needs_one_is_refused(make_cluster):
    cluster = make_cluster(brokers=1)
    cluster.controllers[0].kill()
    with cluster.connect() as c:
        def refused():
            return [error_name(c.call('ElectLeaders', 1, election_type=0, topic_partitions=None, timeout_ms=1000).error_code),
                    error_name(c.call('AlterPartitionReassignments', 0, timeout_ms=1000, topics=[]).error_code),
                    error_name(c.call('ListPartitionReassignments', 0, timeout_ms=1000, topics=None).error_code)] == ['NOT_CONTROLLER'] * 3
        wait(refused, 'the client is told to look for the controller')


def forget_boot(broker):
    """As after a power cut: the marker of the run is of another boot of the machine."""
    with open(broker.folder + '/klamm.run') as f:
        lines = f.read().splitlines()
    lines[1] = 'boot 00000000-0000-0000-0000-000000000000'
    text = '\n'.join(lines[:-1]) + '\n'
    with open(broker.folder + '/klamm.run', 'w') as f:
        f.write('%scrc %08x\n' % (text, crc32c(text.encode())))


@pytest.mark.klamm_only
def test_a_registration_says_how_its_broker_started(three):
    import json
    zk = three.zookeeper.client()
    broker, path = three.broker(2), three.chroot + '/brokers/ids/2'

    def said(start, previous=None):
        def fits():
            data, stat = zk.get(path)
            node = json.loads(data)
            return node['klamm_start'] == start and (previous is None or node.get('klamm_previous') == previous) and stat.czxid
        return wait(fits, 'broker 2 says %s after %s: %s' % (start, previous, zk.get(path)[0]))
    try:
        name = three.create_topic(replication_factor=3)
        Writer(three, name).write(5)
        # Since this incarnation nothing is lost, however many come after it.
        epoch = said('disk_new')
        broker.kill()
        broker.start()
        three.ready()
        assert said('process_crash', epoch) > epoch
        assert broker.stop() == 0
        broker.start()
        three.ready()
        said('clean', epoch)
        in_sync(three, name, [1, 2, 3])
        # A session that ends while the process lives costs nothing that was stored.
        broker.freeze()
        wait(lambda: not zk.exists(path), 'its session expires', 30)
        broker.thaw()
        wait(lambda: zk.exists(path), 'it is back', 30)
        said('clean', epoch)
        in_sync(three, name, [1, 2, 3], number=1)
        # Nobody knows what became of a machine that was away: its marker says another boot.
        broker.kill()
        forget_boot(broker)
        broker.start()
        three.ready()
        said('unclean')
        in_sync(three, name, [1, 2, 3], number=1)
    finally:
        zk.stop()


@pytest.mark.klamm_only
@pytest.mark.parametrize('durability', ['page-cache', 'fsync-isr'])
def test_all_brokers_lose_power_with_a_durability_from_their_files(make_cluster, durability):
    cluster = make_cluster(brokers=3, config=dict(LAG, **{'klamm.durability': durability}))
    name = cluster.create_topic(replication_factor=3, min_insync_replicas=2)
    writer = Writer(cluster, name)
    writer.write(10)
    # The first stop is clean: all is synced, and what comes after it is by the file.
    for broker in cluster.brokers:
        assert broker.stop() == 0
    for broker in cluster.brokers:
        broker.start()
    cluster.ready()
    in_sync(cluster, name, [1, 2, 3])
    writer.write(10)
    for broker in cluster.brokers:
        broker.kill()
    for broker in cluster.brokers:
        forget_boot(broker)
        broker.start()
    cluster.ready()
    if durability == 'fsync-isr':
        in_sync(cluster, name, [1, 2, 3])
        writer.write(5)
        writer.check()
    else:
        # Nobody knows who has what was acknowledged.
        wait(lambda: state(cluster, name).leader_id == -1, 'it waits')


@pytest.mark.klamm_only
def test_an_isr_waits_for_the_next_controller(make_cluster):
    cluster = make_cluster(brokers=3, config=LAG)
    name = cluster.create_topic(replication_factor=3, min_insync_replicas=2)
    writer = Writer(cluster, name)
    writer.write(5)
    leader = cluster.leader(name)
    follower = next(b for b in cluster.brokers if b is not leader)
    cluster.controllers[0].kill()
    follower.freeze()
    try:
        with leader.connect() as c:
            # In the page cache of two, but nobody may say that the third does not count.
            answer = c.produce(name, build([b'waits']), timeout_ms=500)
            assert error_name(answer.error_code) == 'REQUEST_TIMED_OUT', answer
            leader_says = state(cluster, name, number=leader.number)
            assert len(leader_says.isr_nodes) == 3
            cluster.controllers[0].start()
            in_sync(cluster, name, [b.number for b in cluster.brokers if b is not follower], number=leader.number)
            assert c.list_offset(name, -1).offset == 6
    finally:
        follower.thaw()
    in_sync(cluster, name, [1, 2, 3], number=leader.number)
    replicas_equal(cluster, name)


@pytest.mark.klamm_only
def test_a_leader_that_was_away_promises_nothing_any_more(three):
    name = three.create_topic(replication_factor=3, min_insync_replicas=2)
    writer = Writer(three, name)
    writer.write(5)
    old = three.leader(name)
    other = next(b for b in three.brokers if b is not old)
    with old.connect(timeout=30) as c:
        old.freeze()
        frozen = time.monotonic()
        try:
            writer.ask = other.number
            wait(lambda: state(three, name, number=other.number).leader_id not in (-1, old.number), 'another one leads', 30)
            writer.write(5)
            # So long it may go by what it heard of its followers last (S9); ZooKeeper may have given it up a moment earlier.
            wait(lambda: time.monotonic() - frozen > SESSION_MS / 1000, 'a session time-out is over', 30)
            # These lie in its socket when it wakes up, before it has heard of anything.
            for acks in (1, -1):
                body = {'acks': acks, 'timeout_ms': 1000, 'transactional_id': None, 'topic_data': [
                    {'name': name, 'partition_data': [{'index': 0, 'records': build([b'lost'])}]}]}
                c.send('Produce', 9, body)
            c.send('Fetch', 10, c.fetch_body(name, 0, version=10))
        finally:
            old.thaw()
        for _ in range(2):
            answer = c.receive().responses[0].partition_responses[0]
            assert error_name(answer.error_code) == 'NOT_LEADER_OR_FOLLOWER', answer
        assert error_name(c.receive().responses[0].partitions[0].error_code) == 'NOT_LEADER_OR_FOLLOWER'
    in_sync(three, name, [1, 2, 3], number=other.number)
    writer.check()
    replicas_equal(three, name)


@pytest.mark.klamm_only
@pytest.mark.parametrize('durability', ['fsync-isr', 'page-cache'])
def test_all_brokers_die_at_once(three, durability):
    name = three.create_topic(replication_factor=3, min_insync_replicas=2, klamm_durability=durability)
    writer = Writer(three, name)
    for _ in range(2):
        writer.write(20)
        for broker in three.brokers:
            broker.kill()
        for broker in three.brokers:
            broker.start()
        three.ready()
        writer.write(5)
        in_sync(three, name, [1, 2, 3])
    writer.check()
    replicas_equal(three, name)


@pytest.mark.klamm_only
@pytest.mark.skipif(os.geteuid() != 0, reason='a mount in the namespace of another process')
def test_a_disk_that_fails_takes_only_its_own_replicas_along(make_cluster):
    cluster = make_cluster(brokers=3, config=LAG, start=False)
    broker = cluster.broker(2)
    dirs = [broker.folder + '-a', broker.folder + '-b']
    broker.rows['log.dirs'] = ','.join(dirs)
    broker.argv = ['unshare', '-m'] + broker.argv
    cluster.start()
    name = cluster.create_topic(partitions=6, replication_factor=3, min_insync_replicas=2)
    writers = [Writer(cluster, name, p) for p in range(6)]
    for writer in writers:
        writer.write(5)
    bad = [p for p in range(6) if broker.partition_folder(name, p).startswith(dirs[1])]
    good = [p for p in range(6) if p not in bad]
    assert len(bad) == 3 and any(state(cluster, name, p).leader_id == 2 for p in range(6))
    led = {p: state(cluster, name, p).leader_id for p in range(6)}
    subprocess.run(['nsenter', '-t', str(broker.pid), '-m', 'mount', '-t', 'tmpfs', '-o', 'ro', 'tmpfs', dirs[1]], check=True)
    for writer in writers:
        writer.write(5)
    broker.wait_log('log dir %s has failed' % dirs[1], 30)
    for p in bad:
        in_sync(cluster, name, [1, 3], p, number=1)
        wait(lambda: state(cluster, name, p, 1).offline_replicas == [2] and state(cluster, name, p, 1).leader_id in (1, 3),
             lambda: 'the replica on the bad disk is told as offline: %s' % state(cluster, name, p, 1))
    for p in good:
        at = state(cluster, name, p, 1)
        assert at.leader_id == led[p] and at.offline_replicas == [] and 2 in at.isr_nodes, at
    for writer in writers:
        writer.write(5)
    assert broker.alive()
    broker.stop()
    broker.start()
    cluster.ready()
    for writer in writers:
        in_sync(cluster, name, [1, 2, 3], writer.partition)
        assert state(cluster, name, writer.partition).offline_replicas == []
        writer.check()
        replicas_equal(cluster, name, writer.partition)


@pytest.mark.klamm_only
def test_a_replica_that_finds_the_disk_full_is_made_when_there_is_room(make_cluster):
    cluster = make_cluster(brokers=3, config=LAG, start=False)
    broker = cluster.broker(2)
    on_small_disk(broker, broker.folder, '8m')
    cluster.start()
    filler = inside(broker, broker.folder) + '/filler'
    with open(filler, 'wb', buffering=0) as out, contextlib.suppress(OSError):
        while out.write(b'x' * 65536) > 0:
            pass
    name = cluster.create_topic(partitions=3, replication_factor=3, min_insync_replicas=2)
    writers = [Writer(cluster, name, p) for p in range(3)]
    for writer in writers:
        in_sync(cluster, name, [1, 3], writer.partition, number=1)
        assert state(cluster, name, writer.partition, 1).offline_replicas == [2]
        writer.write(5)
    os.unlink(filler)
    for writer in writers:
        in_sync(cluster, name, [1, 2, 3], writer.partition)
        assert state(cluster, name, writer.partition).offline_replicas == []
        writer.write(5)
        writer.check()


def test_leaders_are_elected_by_request(three):
    name = three.create_topic(partitions=3, replication_factor=3)
    three.broker(1).kill()
    wait(lambda: all(state(three, name, p, 2).leader_id != 1 for p in range(3)), 'others lead')
    three.broker(1).start()
    three.ready()
    for p in range(3):
        in_sync(three, name, [1, 2, 3], p)
    moved = [p for p in range(3) if state(three, name, p).replica_nodes[0] != state(three, name, p).leader_id]
    assert moved
    with three.controller_connection() as c:
        asked = [{'topic': name, 'partitions': [0, 1, 2]}, {'topic': 'nowhere', 'partitions': [0]}]
        answer = c.call('ElectLeaders', 2, election_type=0, topic_partitions=asked, timeout_ms=20000)
        assert answer.error_code == 0, answer
        told = {(t.topic, p.partition_id): error_name(p.error_code) for t in answer.replica_election_results for p in t.partition_result}
        assert told.pop(('nowhere', 0)) == 'UNKNOWN_TOPIC_OR_PARTITION'
        assert told == {(name, p): 'NONE' if p in moved else 'ELECTION_NOT_NEEDED' for p in range(3)}
    for p in range(3):
        wait(lambda: state(three, name, p).leader_id == state(three, name, p).replica_nodes[0], 'the preferred replica leads')


def test_a_partition_moves_to_other_brokers(make_cluster):
    cluster = make_cluster(brokers=4, config=LAG)
    with cluster.controller_connection() as c:
        name = 'moving'
        assert c.call('CreateTopics', 5, timeout_ms=20000, topics=[{
            'name': name, 'num_partitions': -1, 'replication_factor': -1, 'configs': [],
            'assignments': [{'partition_index': 0, 'broker_ids': [1, 2, 3]}]}]).topics[0].error_code == 0
    cluster.wait_leaders(name)
    writer = Writer(cluster, name)
    writer.write(30)
    with cluster.controller_connection() as c:
        answer = c.call('AlterPartitionReassignments', 0, timeout_ms=20000, topics=[
            {'name': name, 'partitions': [{'partition_index': 0, 'replicas': [4, 2, 3]}, {'partition_index': 7, 'replicas': [4]}]}])
        assert answer.error_code == 0, answer
        told = {p.partition_index: error_name(p.error_code) for p in answer.responses[0].partitions}
        assert told == {0: 'NONE', 7: 'UNKNOWN_TOPIC_OR_PARTITION'}
        writer.write(10)
        wait(lambda: not c.call('ListPartitionReassignments', 0, timeout_ms=20000, topics=None).topics, 'the move is done')
    assert sorted(state(cluster, name).replica_nodes) == [2, 3, 4]
    in_sync(cluster, name, [2, 3, 4])
    writer.write(10)
    writer.check()
    wait(lambda: cluster.broker(1).partition_folder(name) is None, 'the one that was left has nothing of it any more')
    replicas_equal(cluster, name)


