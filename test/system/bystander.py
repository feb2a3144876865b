"""A good client that works beside a test: nothing that others do may disturb it."""
import threading
import time

from batch import build, values

PATIENCE_SECONDS = 10


class Bystander:
    """Writes and reads one partition over one connection until the block ends; every record comes back, in order, without an error."""

    def __init__(self, cluster, broker):
        self.cluster, self.broker = cluster, broker
        self.topic = None
        self.patient = False  # takes NOT_LEADER_OR_FOLLOWER and tries again, as every real client does
        self.acked, self.slowest, self.trouble = 0, 0.0, None
        self.end = threading.Event()

    def work(self, connection):
        try:
            while not self.end.is_set():
                started = time.monotonic()
                answer = connection.produce(self.topic, build([b'%d' % self.acked]))
                if self.patient and answer.error_code == 6:
                    self.end.wait(0.02)
                    continue
                assert answer.error_code == 0 and answer.base_offset == self.acked, answer
                part = connection.fetch(self.topic, self.acked)
                while self.patient and part.error_code == 6:
                    part = connection.fetch(self.topic, self.acked)
                got = values(part.records)
                assert got == [b'%d' % self.acked], got
                self.acked += 1
                self.slowest = max(self.slowest, time.monotonic() - started)
                self.end.wait(0.005)
        except BaseException as e:
            self.trouble = e
        finally:
            connection.close()

    def __enter__(self):
        with self.cluster.controller_connection() as c:
            self.topic = 'bystander-%x' % time.monotonic_ns()
            assert c.call('CreateTopics', 5, timeout_ms=20000, topics=[{
                'name': self.topic, 'num_partitions': -1, 'replication_factor': -1,
                'assignments': [{'partition_index': 0, 'broker_ids': [self.broker.number]}], 'configs': []}]).topics[0].error_code == 0
        self.cluster.wait_leaders(self.topic)
        self.thread = threading.Thread(target=self.work, args=[self.broker.connect(client_id='bystander')])
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.end.set()
        self.thread.join()
        if kind is None:
            assert self.trouble is None, 'the bystander was disturbed: %r' % self.trouble
            assert self.acked > 0 and self.slowest < PATIENCE_SECONDS, 'the bystander had to wait %.1f s' % self.slowest
