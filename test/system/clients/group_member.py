"""A consumer of a group in a process of its own, which a test can kill, freeze and stop: says as JSON lines what happens to it.

    group_member.py CONFIG-AS-JSON TOPIC     until SIGTERM; commits what it has delivered every few records, and waits for the answer
"""
import json
import signal
import sys
import time

import confluent_kafka

COMMIT_EVERY = 20
stopping = []


def say(event, **row):
    print(json.dumps(dict(row, event=event, at=time.monotonic_ns())), flush=True)


def numbers(partitions):
    return sorted(p.partition for p in partitions)


class Member:
    def __init__(self, config, topic):
        self.consumer = confluent_kafka.Consumer(config)
        self.next = {}  # partition: the offset to commit
        self.consumer.subscribe([topic], on_assign=self.assigned, on_revoke=self.revoked, on_lost=self.lost)
        self.topic = topic

    def assigned(self, _, partitions):
        say('assigned', partitions=numbers(partitions))

    def revoked(self, _, partitions):
        self.commit()
        say('revoked', partitions=numbers(partitions))
        self.next = {}

    def lost(self, _, partitions):
        say('lost', partitions=numbers(partitions))
        self.next = {}

    def commit(self):
        if not self.next:
            return
        offsets = [confluent_kafka.TopicPartition(self.topic, p, o) for p, o in self.next.items()]
        began = time.monotonic_ns()
        try:
            answer = self.consumer.commit(offsets=offsets, asynchronous=False)
            say('committed', began=began, offsets={str(p.partition): p.offset for p in answer if p.error is None})
            self.next = {}
        except confluent_kafka.KafkaException as e:
            say('commit failed', error=str(e))

    def run(self):
        n = 0
        while not stopping:
            message = self.consumer.poll(0.1)
            if message is None:
                self.commit()
            elif message.error():
                say('error', error=str(message.error()))
            else:
                say('record', partition=message.partition(), offset=message.offset(), value=message.value().decode())
                self.next[message.partition()] = message.offset() + 1
                n += 1
                if n % COMMIT_EVERY == 0:
                    self.commit()
        self.commit()
        self.consumer.close()
        say('closed')


signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
Member(json.loads(sys.argv[1]), sys.argv[2]).run()
