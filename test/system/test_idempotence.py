"""InitProducerId and the rules of sequences (KIP-98), over restarts and crashes too."""
import itertools

import confluent_kafka
import pytest

from batch import build, now_ms, values
from processes import TARGET, wait
from wire import error_name

OUT_OF_ORDER = 'OUT_OF_ORDER_SEQUENCE_NUMBER'


class Producer:
    """An idempotent producer of one partition, under full control of the test."""

    def __init__(self, c, topic, producer_id=None, epoch=0):
        self.c, self.topic, self.epoch = c, topic, epoch
        self.id = new_id(c) if producer_id is None else producer_id

    def send(self, sequence, n=1, epoch=None, text=b'v', **options):
        data = build([text + b'%d' % i for i in range(n)], producer_id=self.id, producer_epoch=self.epoch if epoch is None else epoch,
                     base_sequence=sequence, base_timestamp=options.pop('stamp', None))
        answer = self.c.produce(self.topic, data, **options)
        return error_name(answer.error_code), answer.base_offset


def init(c, version, **fields):
    """Kafka may answer COORDINATOR_LOAD_IN_PROGRESS while it fetches the next block of ids."""
    def answered():
        answer = c.call('InitProducerId', version, dict({'transactional_id': None, 'transaction_timeout_ms': 60000}, **fields))
        return answer if answer.error_code != 14 else None
    return wait(answered, 'a producer id is given')


def new_id(c, **fields):
    answer = init(c, 4, **fields)
    assert answer.error_code == 0 and answer.producer_epoch == 0 and answer.producer_id >= 0
    return answer.producer_id


@pytest.fixture
def p(topic):
    return Producer(topic.c, topic)


@pytest.mark.parametrize('version', range(0, 6))
def test_init_producer_id_every_version(shared, version):
    with shared.connect() as c:
        answer = init(c, version)
        assert (answer.error_code, answer.producer_epoch) == (0, 0) and answer.producer_id >= 0


def test_ids_are_never_given_twice(shared):
    ids = []
    for broker in shared.brokers:
        with broker.connect() as c:
            ids += [new_id(c) for _ in range(50)]
    assert len(set(ids)) == len(ids)


def test_ids_over_several_blocks(shared):
    with shared.connect() as c:
        for _ in range(2100):
            c.send('InitProducerId', 4, transactional_id=None, transaction_timeout_ms=60000)
        answers = [c.receive() for _ in range(2100)]
    given = [a.producer_id for a in answers if a.error_code == 0]
    assert len(set(given)) == len(given) and {a.error_code for a in answers} <= {0, 14}
    assert TARGET == 'kafka' or len(given) == 2100


@pytest.mark.klamm_only
def test_a_transactional_id_is_refused_until_transactions_exist(shared):
    with shared.connect() as c:
        answer = c.call('InitProducerId', 4, transactional_id='tx', transaction_timeout_ms=60000)
        assert answer.error_code != 0 and answer.producer_id == -1


@pytest.mark.klamm_only
def test_a_transactional_producer_is_told_why_it_cannot_begin(make_cluster):
    """It finds its coordinator as with Kafka, and there is refused by name; without a coordinator it would only see its time run out."""
    cluster = make_cluster(config={'transaction.state.log.replication.factor': 1, 'transaction.state.log.num.partitions': 2})
    producer = confluent_kafka.Producer({'bootstrap.servers': cluster.bootstrap, 'broker.address.family': 'v4', 'transactional.id': 'tx'})
    with pytest.raises(confluent_kafka.KafkaException) as refusal:
        producer.init_transactions(8)
    assert refusal.value.args[0].code() == confluent_kafka.KafkaError.UNSUPPORTED_VERSION


def test_sequences_follow_each_other(p):
    assert [p.send(0, 3), p.send(3, 2), p.send(5)] == [('NONE', 0), ('NONE', 3), ('NONE', 5)]


def test_a_gap_is_refused(p):
    p.send(0, 3)
    assert p.send(4)[0] == OUT_OF_ORDER and p.send(2)[0] == OUT_OF_ORDER and p.send(3) == ('NONE', 3)


def test_a_new_producer_may_start_anywhere(p):
    assert p.send(77, 2) == ('NONE', 0) and p.send(79) == ('NONE', 2)


def test_a_retry_of_the_last_five_is_answered_with_its_offset(p):
    for i in range(7):
        p.send(2 * i, 2)
    for i in range(2, 7):
        assert p.send(2 * i, 2) == ('NONE', 2 * i)
    assert p.c.list_offset(p.topic, -1).offset == 14
    assert p.send(0, 2)[0] == OUT_OF_ORDER and p.send(2, 2)[0] == OUT_OF_ORDER, 'older than five'


def test_a_retry_tells_the_time_of_the_batch(p):
    stamp = now_ms() - 1000
    p.send(0, stamp=stamp)
    data = build([b'v0'], producer_id=p.id, producer_epoch=0, base_sequence=0, base_timestamp=stamp)
    assert p.c.produce(p.topic, data).log_append_time_ms == stamp


def test_part_of_a_known_batch_is_refused(p):
    p.send(0, 5)
    p.send(5, 5)
    assert p.send(0, 4)[0] == OUT_OF_ORDER and p.send(1, 4)[0] == OUT_OF_ORDER and p.send(3, 7)[0] == OUT_OF_ORDER
    assert p.send(8, 4)[0] == OUT_OF_ORDER and p.send(10) == ('NONE', 10)


def test_epochs(p):
    p.send(0, 3)
    assert p.send(3, epoch=1)[0] == OUT_OF_ORDER, 'a new epoch begins at 0'
    assert p.send(0, epoch=1) == ('NONE', 3)
    assert p.send(3)[0] == 'INVALID_PRODUCER_EPOCH' and p.send(1, epoch=1) == ('NONE', 4)


def test_sequences_wrap(p):
    top = 2 ** 31 - 1
    assert p.send(top - 1, 2) == ('NONE', 0) and p.send(0) == ('NONE', 2) and p.send(1) == ('NONE', 3)
    q = Producer(p.c, p.topic)
    assert q.send(top, 2) == ('NONE', 4) and q.send(1) == ('NONE', 6), 'a batch may wrap within'


def test_producers_do_not_meet(p):
    others = [Producer(p.c, p.topic) for _ in range(20)]
    for sequence in range(5):
        for q in others:
            assert q.send(sequence)[0] == 'NONE'


def test_idempotent_without_sequence_is_refused(p):
    data = build([b'v'], producer_id=p.id, producer_epoch=0, base_sequence=-1)
    assert p.c.produce(p.topic, data).error_code != 0
    assert p.c.list_offset(p.topic, -1).offset == 0


def test_a_refused_batch_does_not_move_the_sequence(p):
    p.send(0)
    bad = build([b'v'], producer_id=p.id, producer_epoch=0, base_sequence=1, crc=1)
    assert error_name(p.c.produce(p.topic, bad).error_code) == 'CORRUPT_MESSAGE'
    assert p.send(1) == ('NONE', 1)


def test_pipelined_batches_and_their_retry(shared, topic):
    p = Producer(topic.c, topic)
    batches = [build([b'%d' % i], producer_id=p.id, producer_epoch=0, base_sequence=i) for i in range(5)]

    def send_all():
        for data in batches:
            topic.c.send('Produce', 9, acks=-1, timeout_ms=5000,
                         topic_data=[{'name': topic, 'partition_data': [{'index': 0, 'records': data}]}])
        return [topic.c.receive().responses[0].partition_responses[0].base_offset for _ in batches]
    assert send_all() == send_all() == list(range(5))
    assert values(topic.c.fetch(topic, 0).records) == [b'%d' % i for i in range(5)]


@pytest.mark.parametrize('how', ['stop', 'kill'])
def test_state_outlives_the_broker(make_cluster, how):
    cluster = make_cluster()
    broker = cluster.brokers[0]
    name = cluster.create_topic(segment_bytes=2000)
    with cluster.connect() as c:
        p, q = Producer(c, name), Producer(c, name)
        for i in range(12):
            assert p.send(i, text=b'x' * 500)[0] == 'NONE'
        assert q.send(0, 2)[0] == 'NONE'
        end = c.list_offset(name, -1).offset
    broker.kill() if how == 'kill' else broker.stop()
    broker.start()
    cluster.ready()
    cluster.wait_served(name)
    with cluster.connect() as c:
        p.c = q.c = c
        assert p.send(11, text=b'x' * 500) == ('NONE', 11), 'the last batch is known'
        assert p.send(13)[0] == OUT_OF_ORDER and p.send(12) == ('NONE', end)
        assert q.send(0, 2) == ('NONE', 12) and q.send(2)[0] == 'NONE'
        assert new_id(c) not in (p.id, q.id)


def test_state_outlives_many_crashes_under_load(make_cluster):
    cluster = make_cluster()
    broker, name = cluster.brokers[0], cluster.create_topic()
    sequence, acked = 0, []
    with cluster.connect() as c:
        producer_id = new_id(c)
    for _ in range(4):
        with cluster.connect() as c:
            p = Producer(c, name, producer_id)
            for _ in range(25):
                error, offset = p.send(sequence)
                assert (error, offset) == ('NONE', sequence)
                acked.append(offset)
                sequence += 1
            # One more is sent, and the broker is killed before anybody knows whether it was written.
            c.send('Produce', 9, acks=-1, timeout_ms=5000, topic_data=[{'name': name, 'partition_data': [
                {'index': 0, 'records': build([b'v0'], producer_id=producer_id, producer_epoch=0, base_sequence=sequence)}]}])
            broker.kill()
        broker.start()
        cluster.ready()
        cluster.wait_served(name)
        with cluster.connect() as c:
            assert Producer(c, name, producer_id).send(sequence) == ('NONE', sequence), 'the retry: written once'
            sequence += 1
    with cluster.connect() as c:
        assert c.list_offset(name, -1).offset == sequence


def test_deleted_records_take_nothing_from_the_sequence(p):
    p.send(0, 5)
    p.c.call('DeleteRecords', 2, timeout_ms=10000, topics=[{'name': p.topic, 'partitions': [{'partition_index': 0, 'offset': -1}]}])
    assert p.send(5) == ('NONE', 5)


def test_expiry(make_cluster):
    cluster = make_cluster(config={'producer.id.expiration.ms': 1000, 'producer.id.expiration.check.interval.ms': 200,
                                   'log.retention.check.interval.ms': 200, 'log.initial.task.delay.ms': 200})
    name = cluster.create_topic()
    with cluster.connect() as c:
        p = Producer(c, name)
        p.send(0)
        counter = itertools.count(10, 10)
        # A known producer may not leave a gap; one that was forgotten may start anywhere.
        wait(lambda: p.send(next(counter))[0] == 'NONE', 'the producer is forgotten', 20, pause=0.2)
