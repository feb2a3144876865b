"""A small Kafka client: one connection, frames, calls. Nothing is retried, nothing is hidden."""
import socket
import struct

import schema
from schema import Obj

TIMEOUT = 20.0

ERRORS = {
    -1: 'UNKNOWN_SERVER_ERROR', 0: 'NONE', 1: 'OFFSET_OUT_OF_RANGE', 2: 'CORRUPT_MESSAGE', 3: 'UNKNOWN_TOPIC_OR_PARTITION',
    5: 'LEADER_NOT_AVAILABLE', 6: 'NOT_LEADER_OR_FOLLOWER', 7: 'REQUEST_TIMED_OUT', 10: 'MESSAGE_TOO_LARGE', 12: 'OFFSET_METADATA_TOO_LARGE',
    14: 'COORDINATOR_LOAD_IN_PROGRESS', 15: 'COORDINATOR_NOT_AVAILABLE', 16: 'NOT_COORDINATOR', 17: 'INVALID_TOPIC_EXCEPTION',
    18: 'RECORD_LIST_TOO_LARGE', 19: 'NOT_ENOUGH_REPLICAS', 20: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 21: 'INVALID_REQUIRED_ACKS',
    22: 'ILLEGAL_GENERATION', 23: 'INCONSISTENT_GROUP_PROTOCOL', 24: 'INVALID_GROUP_ID', 25: 'UNKNOWN_MEMBER_ID', 26: 'INVALID_SESSION_TIMEOUT',
    27: 'REBALANCE_IN_PROGRESS', 28: 'INVALID_COMMIT_OFFSET_SIZE', 32: 'INVALID_TIMESTAMP', 35: 'UNSUPPORTED_VERSION',
    36: 'TOPIC_ALREADY_EXISTS', 37: 'INVALID_PARTITIONS', 38: 'INVALID_REPLICATION_FACTOR', 39: 'INVALID_REPLICA_ASSIGNMENT',
    40: 'INVALID_CONFIG', 41: 'NOT_CONTROLLER', 42: 'INVALID_REQUEST', 43: 'UNSUPPORTED_FOR_MESSAGE_FORMAT', 44: 'POLICY_VIOLATION',
    45: 'OUT_OF_ORDER_SEQUENCE_NUMBER', 47: 'INVALID_PRODUCER_EPOCH', 53: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    56: 'KAFKA_STORAGE_ERROR', 59: 'UNKNOWN_PRODUCER_ID', 68: 'NON_EMPTY_GROUP', 69: 'GROUP_ID_NOT_FOUND', 70: 'FETCH_SESSION_ID_NOT_FOUND', 71: 'INVALID_FETCH_SESSION_EPOCH',
    74: 'FENCED_LEADER_EPOCH', 75: 'UNKNOWN_LEADER_EPOCH', 76: 'UNSUPPORTED_COMPRESSION_TYPE', 87: 'INVALID_RECORD',
    78: 'OFFSET_NOT_AVAILABLE', 79: 'MEMBER_ID_REQUIRED', 80: 'PREFERRED_LEADER_NOT_AVAILABLE', 81: 'GROUP_MAX_SIZE_REACHED',
    82: 'FENCED_INSTANCE_ID', 84: 'ELECTION_NOT_NEEDED', 85: 'NO_REASSIGNMENT_IN_PROGRESS',
    86: 'GROUP_SUBSCRIBED_TO_TOPIC', 88: 'UNSTABLE_OFFSET_COMMIT',
    100: 'UNKNOWN_TOPIC_ID', 103: 'INCONSISTENT_TOPIC_ID', 106: 'FETCH_SESSION_TOPIC_ID_ERROR', 114: 'MISMATCHED_ENDPOINT_TYPE'}
CODES = {name: code for code, name in ERRORS.items()}


class Closed(Exception):
    """The broker closed the connection."""


def request_header(api, version, correlation, client_id):
    head = struct.pack('>hhi', api.key, version, correlation)
    head += struct.pack('>h', -1) if client_id is None else struct.pack('>h', len(client_id.encode())) + client_id.encode()
    return head + (b'\0' if schema.within(version, api.flexible) else b'')


class Connection:
    def __init__(self, address, client_id='system-test', timeout=TIMEOUT):
        host, port = address.rsplit(':', 1)
        self.socket = socket.create_connection((host, int(port)), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client_id, self.correlation, self.sent = client_id, 0, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send_bytes(self, data):
        try:
            self.socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            raise Closed() from None

    def send_frame(self, payload):
        self.send_bytes(struct.pack('>i', len(payload)) + payload)

    def frame(self, name, version, body):
        """The bytes of a request, without its size; its answer is expected by its correlation id."""
        api = schema.APIS[name]
        self.correlation += 1
        self.sent[self.correlation] = (api, version)
        return request_header(api, version, self.correlation, self.client_id) + api.request.encode(version, body)

    def send(self, name, version, body=None, **fields):
        self.send_frame(self.frame(name, version, fields if body is None else body))
        return self.correlation

    def receive_exactly(self, n):
        data = bytearray()
        while len(data) < n:
            try:
                part = self.socket.recv(min(n - len(data), 1 << 20))
            except ConnectionResetError:
                part = b''
            if not part:
                raise Closed('after %d of %d bytes' % (len(data), n))
            data += part
        return bytes(data)

    def receive_frame(self):
        return self.receive_exactly(struct.unpack('>i', self.receive_exactly(4))[0])

    def receive(self):
        """The next answer, decoded. Its correlation id is in .correlation, its size in bytes in .frame_bytes."""
        frame = self.receive_frame()
        correlation = struct.unpack_from('>i', frame)[0]
        api, version = self.sent.pop(correlation)
        body = frame[4:]
        if api.key != 18 and schema.within(version, api.flexible):
            assert body[0] == 0, 'tags in a response header'
            body = body[1:]
        if api.key == 18 and version > 0 and body[:2] == b'\0\x23':
            version = 0
        answer = api.response.decode(version, body)
        answer['correlation'], answer['frame_bytes'] = correlation, len(frame)
        return answer

    def call(self, name, version, body=None, **fields):
        correlation = self.send(name, version, body, **fields)
        answer = self.receive()
        assert answer.correlation == correlation
        return answer

    def assert_closed(self, seconds=TIMEOUT):
        """The broker ends the connection, and sends nothing before it does."""
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            data = b''
        except socket.timeout:
            raise AssertionError('the connection is still open after %s s' % seconds) from None
        assert data == b'', 'answered with %r' % data[:64]

    def is_usable(self):
        return self.call('ApiVersions', 0).error_code == 0

    # The calls that nearly every test makes, with one partition.

    def produce(self, topic, records, partition=0, acks=-1, version=9, timeout_ms=10000, transactional_id=None):
        body = {'acks': acks, 'timeout_ms': timeout_ms, 'transactional_id': transactional_id,
                'topic_data': [{'name': topic, 'partition_data': [{'index': partition, 'records': records}]}]}
        if acks == 0:
            self.send('Produce', version, body)
            self.sent.pop(self.correlation)
            return None
        return self.call('Produce', version, body).responses[0].partition_responses[0]

    def fetch_body(self, topic, offset, partition=0, version=11, max_wait_ms=0, min_bytes=1, max_bytes=1 << 26, partition_max_bytes=1 << 25,
                   topic_id=None, session_id=0, session_epoch=-1, leader_epoch=-1, isolation_level=0, **more):
        part = {'partition': partition, 'fetch_offset': offset, 'partition_max_bytes': partition_max_bytes,
                'current_leader_epoch': leader_epoch}
        part.update(more.pop('part', {}))
        name = {'topic_id': topic_id} if version >= 13 else {'topic': topic}
        body = {'replica_id': -1, 'max_wait_ms': max_wait_ms, 'min_bytes': min_bytes, 'max_bytes': max_bytes, 'session_id': session_id,
                'session_epoch': session_epoch, 'isolation_level': isolation_level, 'topics': [dict(name, partitions=[part])]}
        body.update(more)
        return body

    def fetch(self, topic, offset, version=11, **options):
        answer = self.call('Fetch', version, self.fetch_body(topic, offset, version=version, **options))
        assert answer.error_code == 0, answer
        part = answer.responses[0].partitions[0]
        part['throttle_time_ms'] = answer.throttle_time_ms
        return part

    def list_offset(self, topic, timestamp, partition=0, version=7, **fields):
        part = {'partition_index': partition, 'timestamp': timestamp}
        part.update(fields)
        answer = self.call('ListOffsets', version, replica_id=-1, topics=[{'name': topic, 'partitions': [part]}])
        return answer.topics[0].partitions[0]

    def metadata(self, names=None, version=12, **fields):
        topics = None if names is None else [{'name': n} for n in names]
        return self.call('Metadata', version, topics=topics, **fields)


def error_name(code):
    return ERRORS.get(code, str(code))


__all__ = ['Closed', 'CODES', 'Connection', 'ERRORS', 'Obj', 'error_name', 'request_header']
