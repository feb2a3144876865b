"""Forged words on the inter-broker port: brokers of another cluster, dead incarnations, old controllers, frames that cannot be right. Each is
refused, the process lives, and the replicas stay the same."""
import os
import select
import socket
import struct

import pytest

from batch import build
from processes import Folder, ZooKeeper, wait
from test_replication import LAG, Writer, in_sync, replicas_equal
from wire import Closed, Connection

pytestmark = pytest.mark.klamm_only

HELLO_KEY, CONTROLLER, FOLLOWER = 20811, 0, 1
PING, FOLLOW, APPEND, ACK = 0, 32, 34, 36
PAYLOAD = {FOLLOW, ACK}
COORDINATOR_NOT_AVAILABLE = 15


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out) + bytes([n])


def message(**fields):
    """A protobuf message of numbers, texts and bytes: f1=.., f2=.."""
    out = b''
    for name, value in fields.items():
        number = int(name[1:])
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


class Peer(Connection):
    """A connection that says Hello, and then frames."""

    def hello(self, **fields):
        """The error in the answer."""
        body = message(**fields)
        self.send_frame(struct.pack('>hhih', HELLO_KEY, 0, 1, -1) + body)
        return self.hello_answer()

    def hello_answer(self):
        answer = self.receive_frame()[4:]
        answer = answer[1:] if answer[:1] == b'\0' else answer
        return 0 if not answer or answer[0] != 8 else self.first_number(answer[1:])

    @staticmethod
    def first_number(data):
        shift = n = 0
        for byte in data:
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return n
        return n

    def frame_bytes(self, kind, header=b'', payload=b''):
        return struct.pack('>IHBB', len(payload), len(header), 1, kind) + header + payload

    def send_peer_frame(self, kind, body):
        self.send_bytes(self.frame_bytes(kind, b'' if kind in PAYLOAD else body, body if kind in PAYLOAD else b''))


@pytest.fixture
def three(make_cluster):
    return make_cluster(brokers=3, config=LAG)


def facts(cluster):
    """Cluster id and broker epochs, from ZooKeeper."""
    import json
    zk = cluster.zookeeper.client()
    try:
        cluster_id = json.loads(zk.get(cluster.chroot + '/cluster/id')[0])['id']
        return cluster_id, {b.number: zk.get('%s/brokers/ids/%d' % (cluster.chroot, b.number))[1].czxid for b in cluster.brokers}
    finally:
        zk.stop()


def honest(cluster_id, epochs, sender, target, worker=0):
    return {'f1': 1, 'f2': cluster_id, 'f3': FOLLOWER, 'f4': sender, 'f5': epochs[sender], 'f7': target, 'f8': epochs[target], 'f9': worker}


def test_a_hello_that_is_not_from_here_is_refused(three):
    cluster_id, epochs = facts(three)
    good = honest(cluster_id, epochs, 2, 1)
    forged = [dict(good, f2='another-cluster'), dict(good, f2=''), dict(good, f7=3), dict(good, f8=epochs[1] - 1), dict(good, f8=0),
              dict(good, f5=epochs[2] - 1), dict(good, f5=0), dict(good, f4=1),
              dict(good, f3=CONTROLLER, f4=1, f5=0, f6='nonce'), dict(good, f3=CONTROLLER, f4=1, f5=1, f6='not the nonce'),
              dict(good, f3=CONTROLLER, f4=1, f5=999, f6='')]
    for fields in forged:
        with Peer(three.broker(1).address) as peer:
            error = peer.hello(**fields)
            assert error != 0, fields
    with Peer(three.broker(1).address) as peer:
        peer.send_frame(struct.pack('>hhih', HELLO_KEY, 0, 1, -1) + os.urandom(200))
        try:
            assert peer.receive_frame() is not None
        except Closed:
            pass
    assert all(b.alive() for b in three.brokers)


def test_hellos_that_wait_for_zookeeper_are_bounded(make_cluster):
    """Whoever names cluster and broker makes the broker ask ZooKeeper; while that hangs, connections come and go, and each left a question there."""
    folder = Folder()
    zookeeper = ZooKeeper(folder).start().ready()
    try:
        cluster = make_cluster(zookeeper=zookeeper)
        cluster_id, epochs = facts(cluster)
        body = message(**{'f1': 1, 'f2': cluster_id, 'f3': CONTROLLER, 'f4': 1, 'f5': 1000, 'f6': 'x', 'f7': 1, 'f8': epochs[1]})
        hello = struct.pack('>hhih', HELLO_KEY, 0, 1, -1) + body
        broker = cluster.broker(1)
        zookeeper.freeze()
        waiting = [Peer(broker.address) for _ in range(100)]
        for peer in waiting:
            peer.send_frame(hello)
        told = 0
        # All but those that may wait are told at once.
        for _ in range(len(waiting) - 64):
            ready, _, _ = select.select([p.socket for p in waiting], [], [], 10)
            assert ready, 'only %d were told' % told
            peer = next(p for p in waiting if p.socket is ready[0])
            assert peer.hello_answer() == COORDINATOR_NOT_AVAILABLE
            waiting.remove(peer)
            peer.close()
            told += 1
        zookeeper.thaw()
        for peer in waiting:
            assert peer.hello_answer() != 0
            peer.close()
        wait(lambda: broker.sees() == {1}, 'a controller is there again', 30)
    finally:
        zookeeper.thaw()
        zookeeper.kill()
        folder.remove()


FORGED = {
    'a payload of 4 GB': struct.pack('>IHBB', 0xffffffff, 0, 1, ACK),
    'a header of 64 KB': struct.pack('>IHBB', 0, 0xffff, 1, PING) + bytes(0xffff),
    'an unknown type': struct.pack('>IHBB', 0, 0, 1, 200),
    'a frame of the other side': struct.pack('>IHBB', 4, 0, 1, APPEND) + b'\1\2\3\4',
    'another version': struct.pack('>IHBB', 0, 0, 77, ACK),
    'bytes that are no message': struct.pack('>IHBB', 40, 0, 1, FOLLOW) + b'\xff' * 40,
    'noise': bytes(range(256)) * 20,
    'half a million empty elements': struct.pack('>IHBB', 1 << 20, 0, 1, ACK) + b'\x0a\0' * (1 << 19),
}


@pytest.mark.parametrize('what', FORGED)
def test_forged_frames_end_their_connection_and_nothing_else(three, what):
    name = three.create_topic(partitions=1, replication_factor=3, min_insync_replicas=2)
    writer = Writer(three, name)
    writer.write(5)
    cluster_id, epochs = facts(three)
    for target in (1, 2, 3):
        sender = target % 3 + 1
        with Peer(three.broker(target).address) as peer:
            assert peer.hello(**honest(cluster_id, epochs, sender, target)) == 0
            try:
                peer.send_bytes(FORGED[what])
                peer.socket.shutdown(socket.SHUT_WR)
                while peer.receive_exactly(1):
                    pass
            except (Closed, OSError):
                pass
    writer.write(20)
    in_sync(three, name, [1, 2, 3])
    writer.check()
    replicas_equal(three, name)


def test_acks_of_what_was_never_sent_move_no_high_watermark(three):
    """With one follower dead and one frozen nobody has the record; a forger who says so must not make it acknowledged."""
    name = three.create_topic(partitions=1, replication_factor=3, min_insync_replicas=2)
    Writer(three, name).write(3)
    cluster_id, epochs = facts(three)
    leader = three.leader(name)
    others = [b for b in three.brokers if b is not leader]
    for broker in others:
        broker.freeze()
    try:
        with leader.connect() as c, Peer(leader.address) as peer:
            c.send('Produce', 9, acks=-1, timeout_ms=1500, transactional_id=None, topic_data=[
                {'name': name, 'partition_data': [{'index': 0, 'records': build([b'on one replica'])}]}])
            assert peer.hello(**honest(cluster_id, epochs, others[0].number, leader.number)) == 0
            for handle in list(range(64)) + [1 << 40, (1 << 63) - 1]:
                peer.send_peer_frame(ACK, message(f1=message(f1=handle, f2=1000, f3=1000, f4=0)))
            assert c.receive().responses[0].partition_responses[0].error_code != 0
            assert c.list_offset(name, -1).offset == 3
    finally:
        for broker in others:
            broker.thaw()
    assert leader.alive()
    wait(lambda: three.broker(others[0].number).sees() == {1, 2, 3}, 'all are back', 30)
    in_sync(three, name, [1, 2, 3])
    replicas_equal(three, name)
