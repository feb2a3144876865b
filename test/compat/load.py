"""A mixed load: every codec, both kinds of timestamps, segments of many sizes, idempotent producers or not, in threads of their own."""
import itertools
import random
import threading
import time

import confluent_kafka

import wire
from batch import build
from ledger import ERROR_NOT_LEADER, Sent
from processes import wait

CODECS = 'none', 'gzip', 'snappy', 'lz4', 'zstd'
STAMPS = {'create': 'CreateTime', 'append': 'LogAppendTime'}
SEGMENTS = {0: {'segment_bytes': 40000, 'index_interval_bytes': 200}, 1: {'segment_bytes': 150000, 'segment_index_bytes': 4096},
            2: {'index_interval_bytes': 1000}, 3: {'segment_bytes': 60000}, 4: {'segment_ms': 3000, 'index_interval_bytes': 0}}
PARTITIONS = 3


def loaded_topics():
    """{name: configs}: one of each codec and each kind of timestamps."""
    topics = {}
    for i, codec in enumerate(CODECS):
        for kind, stamp in STAMPS.items():
            topics['load-%s-%s' % (codec, kind)] = dict(SEGMENTS[i], message_timestamp_type=stamp)
    # The broker itself compresses, whatever comes in.
    topics['load-gzip-append']['compression_type'] = 'zstd'
    return topics


class Load(threading.Thread):
    """One producer, one codec, its two topics; from start() to finish()."""
    numbers = itertools.count(1)

    def __init__(self, cluster, ledger, codec, topics, seed):
        super().__init__(daemon=True)
        self.ledger, self.codec, self.topics, self.random = ledger, codec, topics, random.Random('%s-%s' % (seed, codec))
        self.over, self.errors, self.last = threading.Event(), [], {}
        self.producer = confluent_kafka.Producer({
            'bootstrap.servers': cluster.bootstrap, 'compression.codec': codec, 'acks': 'all', 'linger.ms': 20, 'message.timeout.ms': 60000,
            'enable.idempotence': CODECS.index(codec) % 2 == 0, 'batch.num.messages': 60, 'retry.backoff.ms': 50,
            'reconnect.backoff.max.ms': 500, 'topic.metadata.refresh.interval.ms': 1000, 'log_level': 2})

    def run(self):
        try:
            while not self.over.is_set():
                for topic in self.topics:
                    self.burst(topic)
                self.producer.poll(0.1)
        except Exception as e:
            self.errors.append(repr(e))

    def burst(self, topic):
        for _ in range(self.random.randrange(1, 60)):
            sent = self.message(topic)
            partition = self.random.randrange(PARTITIONS)
            stamp = {} if sent.timestamp is None else {'timestamp': sent.timestamp}
            self.producer.produce(topic, sent.value, sent.key, partition, headers=[(k.decode(), v) for k, v in sent.headers] or None,
                                  on_delivery=self.delivered(topic, partition, sent), **stamp)
            self.producer.poll(0)

    def message(self, topic):
        number, r = next(Load.numbers), self.random
        name = b'%s %d' % (topic.encode(), number)
        value = None if r.random() < 0.03 else name + bytes(r.getrandbits(8) for _ in range(r.randrange(40))) + b'x' * r.randrange(300)
        key = name if value is None or r.random() < 0.5 else None
        headers = tuple((b'h%d' % i, r.choice((None, b'', name))) for i in range(r.choice((0, 0, 0, 1, 3))))
        stamp = int(time.time() * 1000) + r.randrange(-100000, 1000) if topic.endswith('create') else None
        return Sent(stamp, key, value, headers)

    def delivered(self, topic, partition, sent):
        def done(error, message):
            if error is None:
                self.ledger.acknowledged(topic, partition, message.offset(), sent)
                self.last[topic, partition] = sent
            else:
                self.errors.append('%s-%d: %s' % (topic, partition, error))
        return done

    def finish(self):
        self.over.set()
        self.join(30)
        left = self.producer.flush(60)
        assert left == 0 and not self.errors, (self.codec, left, self.errors[:5])


class Sequence:
    """An idempotent producer of one partition that outlives every restart; resends what it does not know to be written."""

    def __init__(self, cluster, ledger, topic, partition=0):
        self.cluster, self.ledger, self.topic, self.partition = cluster, ledger, topic, partition
        self.next, self.id = 0, wait(self.new_id, 'a producer id is given')

    def new_id(self):
        with self.cluster.connect() as c:
            answer = c.call('InitProducerId', 4, transactional_id=None, transaction_timeout_ms=60000)
        return (answer.producer_id, answer.producer_epoch) if answer.error_code == 0 else None

    def send(self, n=1):
        items = [(None, b'%d:%d' % (self.id[0], self.next + i), (), int(time.time() * 1000)) for i in range(n)]
        data = build(items, producer_id=self.id[0], producer_epoch=self.id[1], base_sequence=self.next)

        def sent():
            try:
                with self.cluster.leader_connection(self.topic, self.partition, timeout=5) as c:
                    answer = c.produce(self.topic, data, self.partition)
            except (OSError, wire.Closed):
                return None
            return answer if answer.error_code not in ERROR_NOT_LEADER else None
        answer = wait(sent, '%s takes the next sequence' % self.topic, 30, 0.1)
        assert answer.error_code == 0, (self.topic, self.next, wire.error_name(answer.error_code))
        for i, (key, value, headers, stamp) in enumerate(items):
            self.ledger.acknowledged(self.topic, self.partition, answer.base_offset + i, Sent(stamp, key, value, headers))
        self.next += n
        return answer.base_offset

    def send_last_again(self, n):
        """A retry of the last batch is answered with its offset, and not written twice."""
        with self.cluster.leader_connection(self.topic, self.partition) as c:
            stamp = int(time.time() * 1000)
            data = build([(None, b'again', (), stamp)] * n, producer_id=self.id[0], producer_epoch=self.id[1], base_sequence=self.next - n)
            return c.produce(self.topic, data, self.partition)
