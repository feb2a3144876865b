"""What operators do while faults happen: topics come and go, records are deleted, partitions move, leaders are elected. Each is a thread that
tries, takes refusals as they come, and says what it saw that must never be."""
import itertools
import random
import threading

import wire
from batch import build, values

NOT_NOW = (OSError, wire.Closed, AttributeError, IndexError, AssertionError)


class Activity(threading.Thread):
    pause = 0.5

    def __init__(self, cluster, seed):
        super().__init__(daemon=True)
        self.cluster, self.random, self.over = cluster, random.Random(seed), threading.Event()
        self.n_done, self.n_refused, self.anomalies = 0, 0, []

    def run(self):
        while not self.over.is_set():
            try:
                self.act()
                self.n_done += 1
            except NOT_NOW:
                self.n_refused += 1
            self.over.wait(self.pause)

    def act(self):
        raise NotImplementedError

    def end(self):
        self.over.set()
        self.join(60)

    def leader_connection(self, topic, partition):
        leader = self.cluster.states([topic])[topic, partition][0] if self.cluster.states([topic]) else -1
        return self.cluster.broker(leader).connect()


class Churn(Activity):
    """A topic is made, written, read, deleted, and made again under the same name: nothing old may show (M2)."""
    numbers = itertools.count()

    def act(self):
        name = 'churn-%d' % self.random.randrange(3)
        answer = self.cluster.admin('CreateTopics', 5, timeout_ms=5000, topics=[{
            'name': name, 'num_partitions': 2, 'replication_factor': len(self.cluster.brokers), 'assignments': [], 'configs': []}])
        if answer.topics[0].error_code == 0:
            self.write_and_read(name, [b'%s %d' % (name.encode(), next(Churn.numbers)) for _ in range(3)])
        self.cluster.admin('DeleteTopics', 3, topic_names=[name], timeout_ms=5000)

    def write_and_read(self, name, mine):
        with self.leader_connection(name, 0) as c:
            told = c.produce(name, build(mine), timeout_ms=2000)
            if told.error_code != 0:
                return
            got = values(c.fetch(name, 0).records)
            if got[:3] != mine:
                self.anomalies.append('topic %s, just made and written, shows %r instead of %r' % (name, got[:5], mine))


class DeleteRecords(Activity):
    def act(self):
        partition = self.random.randrange(self.cluster.topics['trim'])
        with self.leader_connection('trim', partition) as c:
            start, end = c.list_offset('trim', -2, partition).offset, c.list_offset('trim', -1, partition).offset
            offset = start + int((end - start) * self.random.random())
            told = c.call('DeleteRecords', 2, timeout_ms=2000, topics=[{
                'name': 'trim', 'partitions': [{'partition_index': partition, 'offset': offset}]}]).topics[0].partitions[0]
            if told.error_code == 0 and told.low_watermark < offset:
                self.anomalies.append('DeleteRecords of trim-%d up to %d says %s' % (partition, offset, told))


class Reassign(Activity):
    """Replicas in another order, one fewer, all of them again."""
    pause = 2.0

    def move(self, topic, partition, replicas):
        answer = self.cluster.admin('AlterPartitionReassignments', 0, timeout_ms=5000, topics=[{
            'name': topic, 'partitions': [{'partition_index': partition, 'replicas': replicas}]}])
        assert answer.error_code == 0 and answer.responses[0].partitions[0].error_code == 0

    def act(self):
        partition = self.random.randrange(self.cluster.topics['main'])
        replicas = [b.number for b in self.cluster.brokers]
        self.random.shuffle(replicas)
        self.move('main', partition, replicas[:self.random.choice([2, 3, 3])])

    def restore(self):
        """True when every partition has all its replicas, asking for them where it has not."""
        states = self.cluster.states(['main'])
        all_of_them = [b.number for b in self.cluster.brokers]
        lacking = [key for key, (_, _, replicas) in states.items() if sorted(replicas) != all_of_them]
        for topic, partition in lacking:
            try:
                self.move(topic, partition, all_of_them[partition % 3:] + all_of_them[:partition % 3])
            except NOT_NOW:
                return False
        return bool(states) and not lacking


class Elect(Activity):
    """Preferred leaders, again and again."""
    pause = 1.0

    def act(self):
        self.cluster.admin('ElectLeaders', 2, election_type=0, timeout_ms=3000, topic_partitions=[{
            'topic': 'main', 'partitions': list(range(self.cluster.topics['main']))}]).error_code
