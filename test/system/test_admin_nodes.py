"""Elections and reassignments that somebody writes into ZooKeeper, as tools did before there were requests for them."""
import json

import pytest
from kazoo.exceptions import NoNodeError

from processes import wait
from test_reassign import create, four, replicas, under_way  # noqa: F401 (four is a fixture)
from test_replication import Writer, in_sync, replicas_equal, state

klamm_only = pytest.mark.klamm_only
MOVES, ELECTIONS = '/admin/reassign_partitions', '/admin/preferred_replica_election'


class Nodes:
    """The nodes below /admin of a cluster."""

    def __init__(self, cluster):
        self.root, self.zk = cluster.chroot, cluster.zookeeper.client()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.zk.stop()

    def write(self, path, data):
        self.zk.create(self.root + path, data)

    def ask(self, path, wanted):
        """{(topic, partition): replicas}; for elections the replicas are None."""
        rows = [{'topic': t, 'partition': p, **({'replicas': r} if r else {})} for (t, p), r in wanted.items()]
        self.write(path, json.dumps({'version': 1, 'partitions': rows}).encode())

    def read(self, path):
        """What a node still wants; None when there is none."""
        try:
            rows = json.loads(self.zk.get(self.root + path)[0])['partitions']
        except NoNodeError:
            return None
        return {(row['topic'], row['partition']): row.get('replicas') for row in rows}

    def done(self, path):
        wait(lambda: self.zk.exists(self.root + path) is None, '%s is deleted' % path, 60)


@pytest.fixture
def nodes(four):  # noqa: F811
    with Nodes(four) as made:
        yield made


def alter(cluster, name, partition, wanted):
    with cluster.controller_connection() as c:
        answer = c.call('AlterPartitionReassignments', 0, timeout_ms=20000, topics=[
            {'name': name, 'partitions': [{'partition_index': partition, 'replicas': wanted}]}])
    assert answer.error_code == 0 and answer.responses[0].partitions[0].error_code == 0, answer


def test_moves_and_then_elections_are_carried_out_and_their_nodes_deleted(four, nodes):  # noqa: F811
    name = create(four, [[1, 2], [2, 3], [3, 1]])
    writer = Writer(four, name)
    writer.write(20)
    nodes.ask(MOVES, {(name, 0): [3, 4], (name, 1): [2, 4], ('nowhere', 0): [1], (name, 2): [3, 1]})
    nodes.done(MOVES)
    for partition, wanted in enumerate(([3, 4], [2, 4], [3, 1])):
        wait(lambda: replicas(four, name, partition) == wanted, 'the replicas of %d are %s' % (partition, wanted))
        in_sync(four, name, wanted, partition)
    assert not under_way(four)
    four.broker(3).stop()
    wait(lambda: state(four, name, 0).leader_id == 4 and state(four, name, 2).leader_id == 1, 'others lead')
    four.broker(3).start()
    four.ready()
    in_sync(four, name, [3, 4], 0)
    in_sync(four, name, [3, 1], 2)
    nodes.ask(ELECTIONS, {(name, 0): None, (name, 1): None, ('nowhere', 7): None})
    nodes.done(ELECTIONS)
    wait(lambda: state(four, name, 0).leader_id == 3, 'the preferred one leads')
    assert state(four, name, 1).leader_id == 2
    # A second time: the nodes are watched on.
    nodes.ask(ELECTIONS, {(name, 2): None})
    nodes.done(ELECTIONS)
    wait(lambda: state(four, name, 2).leader_id == 3, 'the preferred one leads')
    nodes.ask(MOVES, {(name, 0): [1, 2]})
    nodes.done(MOVES)
    wait(lambda: replicas(four, name, 0) == [1, 2], 'moved once more')
    writer.write(10)
    writer.check()
    replicas_equal(four, name)


def test_a_client_asks_for_something_else_than_the_node(four, nodes):  # noqa: F811
    name = create(four, [[1, 2], [3, 2]])
    writers = [Writer(four, name, 0), Writer(four, name, 1)]
    for writer in writers:
        writer.write(10)
    # The new one hangs, so that the moves stay under way.
    four.broker(4).freeze()
    nodes.ask(MOVES, {(name, 0): [4, 2], (name, 1): [4, 3]})
    wait(lambda: len(under_way(four)) == 2, 'both are under way')
    alter(four, name, 0, [3, 2])
    assert nodes.read(MOVES) == {(name, 1): [4, 3]}
    wait(lambda: replicas(four, name, 0) == [3, 2], 'the later request is done')
    assert [row['partition'] for row in under_way(four)] == [1]
    four.broker(4).thaw()
    nodes.done(MOVES)
    wait(lambda: replicas(four, name, 1) == [4, 3], 'what the node wants is done')
    assert replicas(four, name, 0) == [3, 2]
    for partition, writer in enumerate(writers):
        writer.check()
        replicas_equal(four, name, partition)


@klamm_only
def test_the_next_controller_goes_on_with_the_nodes(four, nodes):  # noqa: F811
    name = create(four, [[1, 2], [3, 2]])
    four.broker(4).freeze()
    nodes.ask(MOVES, {(name, 0): [4, 2]})
    wait(lambda: len(under_way(four)) == 1, 'it is under way')
    four.controllers[0].kill()
    # Nobody is in office while these are written.
    nodes.zk.set(nodes.root + MOVES, json.dumps({'version': 1, 'partitions': [
        {'topic': name, 'partition': 0, 'replicas': [4, 2]}, {'topic': name, 'partition': 1, 'replicas': [2, 1]}]}).encode())
    nodes.ask(ELECTIONS, {(name, 1): None})
    four.controllers[0].start()
    nodes.done(ELECTIONS)
    wait(lambda: nodes.read(MOVES) == {(name, 0): [4, 2]}, 'the second move is done')
    wait(lambda: replicas(four, name, 1) == [2, 1], 'it is')
    four.broker(4).thaw()
    nodes.done(MOVES)
    wait(lambda: replicas(four, name, 0) == [4, 2], 'the first move is done')


@klamm_only
def test_nonsense_in_the_nodes_is_told_and_harms_nobody(four, nodes):  # noqa: F811
    name = create(four, [[1, 2]])
    for odd in (b'', b'{', b'[]', b'{"version":1}', b'{"version":1,"partitions":[{"topic":"t"}]}', b'{"version":1,"partitions":[[]]}', b'\xff'):
        nodes.write(ELECTIONS, odd)
        nodes.done(ELECTIONS)
    nodes.write(MOVES, b'{')
    log = four.controllers[0].log_text
    wait(lambda: '/admin/reassign_partitions is nonsense' in log(), 'the operator is told')
    assert '/admin/preferred_replica_election is nonsense' in log()
    alter(four, name, 0, [2, 3])
    wait(lambda: replicas(four, name) == [2, 3], 'requests are served')
    nodes.zk.set(nodes.root + MOVES, json.dumps({'version': 1, 'partitions': [{'topic': name, 'partition': 0, 'replicas': [1, 3]}]}).encode())
    nodes.done(MOVES)
    wait(lambda: replicas(four, name) == [1, 3], 'once it is mended it is done')
