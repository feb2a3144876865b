"""What was acknowledged, what stands in the partitions, and whether the one is in the other."""
import collections

from batch import parse
from processes import wait

Content = collections.namedtuple('Content', 'start end data batches')
Sent = collections.namedtuple('Sent', 'timestamp key value headers')
ERROR_NOT_LEADER = (3, 5, 6, 9, 74, 75, 76)


class Ledger:
    """Records by (topic, partition), then by offset. timestamp None: the broker stamps it."""

    def __init__(self):
        self.placed = collections.defaultdict(dict)
        self.unplaced = collections.defaultdict(list)

    def acknowledged(self, topic, partition, offset, sent):
        """A retry that the broker knew already may come back without its offset."""
        if offset is None or offset < 0:
            self.unplaced[topic, partition].append(sent)
        else:
            self.placed[topic, partition][offset] = sent

    def forget(self, topic):
        for table in (self.placed, self.unplaced):
            for key in [k for k in table if k[0] == topic]:
                del table[key]

    def count(self):
        return sum(map(len, self.placed.values())) + sum(map(len, self.unplaced.values()))

    def check(self, topic, partition, content):
        """Names of what is not as it was acknowledged; below the log start nothing is asked for."""
        found = {r.offset: r for b in content.batches for r in b.records}
        faults = []
        for offset, sent in self.placed.get((topic, partition), {}).items():
            record = found.get(offset)
            if offset < content.start:
                continue
            if record is None:
                faults.append('%s-%d: offset %d is missing' % (topic, partition, offset))
            elif not same(record, sent):
                faults.append('%s-%d: offset %d is %s, acknowledged was %s' % (topic, partition, offset, record, sent))
        known = {(r.key, r.value) for r in found.values()}
        for sent in self.unplaced.get((topic, partition), []):
            if (sent.key, sent.value) not in known and content.start == 0:
                faults.append('%s-%d: %s is missing' % (topic, partition, sent))
        return faults


def same(record, sent):
    return (record.key, record.value, record.headers) == (sent.key, sent.value, sent.headers) and (
        sent.timestamp is None or record.timestamp == sent.timestamp)


def partitions_of(cluster):
    """All (topic, partition) by leader: {number of the broker: [...]}, once each has one."""
    def led():
        with cluster.connect() as c:
            topics = c.metadata(None, version=9).topics
        rows = [(p.leader_id, t.name, p.partition_index) for t in topics for p in t.partitions]
        return rows if all(leader > 0 for leader, *_ in rows) and all(t.error_code == 0 for t in topics) else None
    rows = wait(led, 'every partition has a leader', 60, 0.2)
    by_leader = collections.defaultdict(list)
    for leader, topic, partition in rows:
        by_leader[leader].append((topic, partition))
    return by_leader


def read_partition(c, topic, partition):
    def offset(timestamp):
        def told():
            answer = c.list_offset(topic, timestamp, partition)
            return answer if answer.error_code not in ERROR_NOT_LEADER else None
        answer = wait(told, 'the leader of %s-%d serves it' % (topic, partition))
        assert answer.error_code == 0, (topic, partition, answer)
        return answer.offset
    start, end = offset(-2), offset(-1)
    at, data, batches = start, bytearray(), []
    while at < end:
        answer = c.fetch(topic, at, partition=partition)
        assert answer.error_code == 0, (topic, partition, at, answer.error_code)
        whole = parse(answer.records or b'')
        assert whole, 'nothing at offset %d of %d of %s-%d' % (at, end, topic, partition)
        assert all(b.crc_ok for b in whole), (topic, partition, at)
        data += answer.records[:sum(b.size for b in whole)]
        batches += whole
        at = whole[-1].base_offset + whole[-1].last_offset_delta + 1
    return Content(start, end, bytes(data), batches)


def read_everything(cluster):
    """{(topic, partition): Content} of the whole cluster."""
    contents = {}
    for leader, partitions in partitions_of(cluster).items():
        with cluster.connect(leader) as c:
            for topic, partition in partitions:
                contents[topic, partition] = read_partition(c, topic, partition)
    return contents


def differences(before, after, but_for=()):
    """Names of partitions that are not, byte for byte, what they were."""
    faults = []
    for key, content in before.items():
        if key[0] in but_for:
            continue
        now = after.get(key)
        if now is None:
            faults.append('%s-%d is gone' % key)
        elif (now.start, now.end) != (content.start, content.end):
            faults.append('%s-%d holds [%d, %d), was [%d, %d)' % (*key, now.start, now.end, content.start, content.end))
        elif now.data != content.data:
            faults.append('%s-%d: %s' % (*key, first_difference(content, now)))
    return faults


def first_difference(before, after):
    for was, now in zip(before.batches, after.batches):
        if was != now:
            return 'batch at %d was %s, is %s' % (was.base_offset, was[:13], now[:13])
    return '%d batches, were %d' % (len(after.batches), len(before.batches))


def last_of_each_key(content):
    table = {}
    for batch in content.batches:
        for record in batch.records:
            table[record.key] = record.value
    return {k: v for k, v in table.items() if v is not None}
