"""One story, told in order: Klamm writes under load and faults, Kafka's tools read, Kafka serves and writes, Klamm serves again."""
import os
import random
import re
import time
import types

import confluent_kafka
import pytest

import dump_log
import znodes
from batch import LZ4, build
from cluster import KAFKA_ROWS, Cluster
from ledger import Ledger, Sent, differences, last_of_each_key, partitions_of, read_everything, read_partition
from load import CODECS, Load, Sequence, loaded_topics
from processes import kafka_tool, wait

TOPIC, BROKER = 2, 4
CLEANED = 'kept', 'by-kafka-kept', '__transaction_state', '__consumer_offsets'
DELETED = ('cut', 0, 37), ('cut', 1, 333), ('cut', 2, 600), ('load-lz4-create', 0, 100)
SEED = os.environ.get('KLAMM_TEST_SEED') or '%08x' % random.getrandbits(32)
CLEANER = {'log.cleaner.backoff.ms': 300, 'log.cleaner.dedupe.buffer.size': 4000000, 'log.cleaner.io.buffer.size': 200000}


@pytest.fixture(scope='module')
def story():
    print('seed: ' + SEED)
    cluster = Cluster(brokers=3, target='klamm')
    for broker in cluster.brokers:
        broker.dirs = [broker.folder + '-a', broker.folder + '-b']
        broker.rows['log.dirs'] = ','.join(broker.dirs)
        broker.rows['log.retention.check.interval.ms'] = 1000
    cluster.start()
    yield types.SimpleNamespace(cluster=cluster, ledger=Ledger(), sequences=[], dirs=[d for b in cluster.brokers for d in b.dirs])
    cluster.close()


def admin(cluster, name, version, **fields):
    with cluster.controller_connection() as c:
        return c.call(name, version, **fields)


def delete_topic(cluster, name):
    answer = admin(cluster, 'DeleteTopics', 5, topic_names=[name], timeout_ms=20000)
    assert answer.responses[0].error_code == 0, answer
    wait(lambda: not any(n.path.endswith('/' + name) for n in tree(cluster)), '%s is gone' % name)


def delete_records(cluster, topic, partition, offset):
    with cluster.leader_connection(topic, partition) as c:
        answer = c.call('DeleteRecords', 2, timeout_ms=10000, topics=[
            {'name': topic, 'partitions': [{'partition_index': partition, 'offset': offset}]}]).topics[0].partitions[0]
    assert answer.error_code == 0 and answer.low_watermark >= offset, answer


def alter_broker(cluster, name, **rows):
    rows = [{'name': k.replace('_', '.'), 'config_operation': 0, 'value': str(v)} for k, v in rows.items()]
    with cluster.connect(int(name) if name else None) as c:
        answer = c.call('IncrementalAlterConfigs', 1, resources=[{'resource_type': BROKER, 'resource_name': name, 'configs': rows}])
    assert answer.responses[0].error_code == 0, answer


def describe_topics(cluster, names):
    """{topic: {key: (value, read only, sensitive)}}, of the keys that Kafka has, too."""
    with cluster.connect() as c:
        answer = c.call('DescribeConfigs', 4, resources=[
            {'resource_type': TOPIC, 'resource_name': n, 'configuration_keys': None} for n in names])
    assert all(r.error_code == 0 for r in answer.results), [r.error_message for r in answer.results]
    return {r.resource_name: {row.name: (row.value, row.read_only, row.is_sensitive, row.config_source) for row in r.configs
                              if not row.name.startswith('klamm.')} for r in answer.results}


def tree(cluster):
    client = cluster.zookeeper.client()
    try:
        return znodes.walk(client, cluster.chroot)
    finally:
        client.stop()
        client.close()


def ephemerals(cluster):
    return [n.path for n in tree(cluster) if n.stat.ephemeralOwner]


def stop_cleanly(cluster):
    """All processes but ZooKeeper, as an operator does; their sessions have ended afterwards."""
    for process in cluster.brokers:
        status = process.stop()
        assert status == (0 if process.target == 'klamm' else 143), (process.name, status, process.log_text()[-2000:])
    for process in cluster.controllers:
        if process.alive():
            assert process.stop() == 0, process.log_text()[-2000:]
    wait(lambda: not ephemerals(cluster), lambda: 'sessions end: %s' % ephemerals(cluster), 30, 0.2)


def crash(cluster):
    """As stop_cleanly(), with SIGKILL."""
    for process in cluster.brokers + cluster.controllers:
        process.kill()
    wait(lambda: not ephemerals(cluster), lambda: 'sessions end: %s' % ephemerals(cluster), 30, 0.2)


def serve_with(story, target, log):
    """All brokers again, of the one kind or the other; each start of a broker has its own log."""
    for broker in story.cluster.brokers:
        for row in list(KAFKA_ROWS) + list(CLEANER):
            broker.rows.pop(row, None)
        if target == 'kafka':
            broker.rows.update(KAFKA_ROWS)
            broker.rows.update(CLEANER)
        broker.configure(target)
        broker.log = story.cluster.folder / ('%s.%s.log' % (broker.name, log))
        broker.start()
    if target == 'klamm':
        for controller in story.cluster.controllers:
            controller.start()
    story.cluster.ready(story.cluster.brokers)


def contents_of(story):
    by_leader = read_everything(story.cluster)
    return {k: v for k, v in by_leader.items() if not k[0].startswith('__')}


def assert_acknowledged(story, contents):
    faults = [f for (t, p), content in contents.items() for f in story.ledger.check(t, p, content)]
    faults += ['%s-%d is gone' % key for key in story.ledger.placed if key not in contents]
    assert not faults, '%d faults in %d records:\n%s' % (len(faults), story.ledger.count(), '\n'.join(faults[:10]))


def fill(story, topic, n, codec='none', keys=None, size=40, partition=0):
    """n records to one partition, remembered; n_keys of them differ."""
    producer = confluent_kafka.Producer({'bootstrap.servers': story.cluster.bootstrap, 'compression.codec': codec, 'linger.ms': 5,
                                         'batch.num.messages': 20, 'message.timeout.ms': 30000, 'log_level': 2})
    errors = []

    def delivered(sent):
        def done(error, message):
            if error:
                errors.append(error)
            else:
                story.ledger.acknowledged(topic, partition, message.offset(), sent)
        return done
    base = time.time_ns()
    for i in range(n):
        key = b'key %d' % (i % keys) if keys else None
        sent = Sent(int(time.time() * 1000), key, b'%d %d ' % (base, i) + b'y' * size, ())
        producer.produce(topic, sent.value, sent.key, partition, on_delivery=delivered(sent), timestamp=sent.timestamp)
        producer.poll(0)
    assert producer.flush(60) == 0 and not errors, errors[:3]


def fill_by_hand(story, topic, n, codec, partition=0, per_batch=30):
    """As fill(), with any codec and batches of a chosen size, whatever the client library makes of its settings."""
    with story.cluster.leader_connection(topic, partition) as c:
        for at in range(0, n, per_batch):
            items = [(b'key %d' % i, b'by hand %d ' % i + b'z' * 50, (), int(time.time() * 1000)) for i in range(at, at + per_batch)]
            answer = c.produce(topic, build(items, codec=codec), partition)
            assert answer.error_code == 0, answer
            stamped = answer.log_append_time_ms >= 0
            for i, (key, value, headers, stamp) in enumerate(items):
                story.ledger.acknowledged(topic, partition, answer.base_offset + i, Sent(None if stamped else stamp, key, value, headers))


# First part: Klamm writes.

def make_topics(story):
    make = story.cluster.create_topic
    story.load_topics = loaded_topics()
    for name, configs in story.load_topics.items():
        make(name, 3, **configs)
    make('durable', 3, klamm_durability='fsync-isr', segment_bytes=20000)
    make('cut', 3, segment_bytes=20000)
    make('short', 1, segment_bytes=10000, retention_bytes=40000)
    make('kept', 1, cleanup_policy='compact', segment_bytes=20000, min_cleanable_dirty_ratio='0.01')
    make('sequences', 3, segment_bytes=3000)
    make('empty', 2, max_message_bytes=5000, message_timestamp_type='LogAppendTime')
    make('grown', 1)
    for name in ('gone', 'again'):
        make(name, 3)
    story.sequences = [Sequence(story.cluster, story.ledger, 'sequences', p) for p in range(3)] + [
        Sequence(story.cluster, story.ledger, 'durable', 1)]


def send_sequences(story, rounds=3):
    for _ in range(rounds):
        for sequence in story.sequences:
            sequence.send(random.randrange(1, 5))


def change_topics(story):
    """What an operator does while records come in."""
    cluster = story.cluster
    for partition in range(3):
        fill(story, 'cut', 600, 'lz4', partition=partition)
    for topic in ('gone', 'again'):
        fill(story, topic, 50)
    for topic, partition, offset in DELETED[:3]:
        delete_records(cluster, topic, partition, offset)
    fill(story, 'short', 1500)
    for topic in story.load_topics:
        fill_by_hand(story, topic, 300, LZ4, partition=1)
    fill(story, 'kept', 3000, 'zstd', keys=50)
    fill(story, 'durable', 200, 'gzip')
    for topic in ('gone', 'again'):
        delete_topic(cluster, topic)
        story.ledger.forget(topic)
    cluster.create_topic('again', 2, segment_bytes=7777)
    fill(story, 'again', 20, 'snappy', partition=1)
    answer = admin(cluster, 'CreatePartitions', 2, topics=[{'name': 'grown', 'count': 4, 'assignments': None}], timeout_ms=20000)
    assert answer.results[0].error_code == 0, answer
    cluster.wait_leaders('grown', 4)
    fill(story, 'grown', 30, partition=3)
    cluster.alter_topic('load-zstd-create', retention_ms=86400000, segment_bytes=30000)
    cluster.alter_topic('load-none-append', message_timestamp_type='CreateTime')
    cluster.alter_topic('load-none-append', message_timestamp_type='LogAppendTime')
    cluster.alter_topic('empty', max_message_bytes=None)


def alter_brokers(story):
    alter_broker(story.cluster, '', log_retention_ms=604800000)
    alter_broker(story.cluster, '2', log_cleaner_threads=1)


def kill_and_restart(story):
    cluster = story.cluster
    for number, crash in ((2, True), (3, False), (1, True), (2, False)):
        broker = cluster.broker(number)
        send_sequences(story)
        if crash:
            broker.kill()
        else:
            assert broker.stop() == 0, broker.log_text()[-2000:]
        time.sleep(0.3)
        broker.start()
        cluster.ready()
        send_sequences(story)


@pytest.fixture(scope='module')
def klamm_wrote(story):
    cluster = story.cluster
    make_topics(story)
    loads = [Load(cluster, story.ledger, codec, [t for t in story.load_topics if codec in t], SEED) for codec in CODECS]
    for load in loads:
        load.start()
    change_topics(story)
    kill_and_restart(story)
    story.alter_brokers_failed = None
    try:
        alter_brokers(story)
    except AssertionError as e:
        story.alter_brokers_failed = e
    for load in loads:
        load.finish()
    send_sequences(story)
    fill(story, 'cut', 10, partition=2)
    # A log start is checkpointed once a minute and at a clean stop, as Kafka's: those who were killed may have forgotten it.
    for topic, partition, offset in DELETED:
        delete_records(cluster, topic, partition, offset)
    with cluster.leader_connection('short') as c:
        wait(lambda: c.list_offset('short', -2).offset > 0, 'retention by size')
        time.sleep(2.5)
    story.klamm = contents_of(story)
    story.configs = describe_topics(cluster, sorted({t for t, _ in story.klamm}))
    story.nodes = tree(cluster)
    stop_cleanly(cluster)
    return story


def test_every_acknowledged_record_is_there(klamm_wrote):
    assert klamm_wrote.ledger.count() > 5000
    assert_acknowledged(klamm_wrote, klamm_wrote.klamm)


def test_the_load_has_all_that_it_should(klamm_wrote):
    """That the judge judges something."""
    contents = klamm_wrote.klamm
    codecs = {b.attributes & 7 for c in contents.values() for b in c.batches}
    assert codecs == {0, 1, 2, 3, 4}
    assert all(contents[t, p].start == offset for t, p, offset in DELETED)
    assert contents['short', 0].start > 0
    assert {b.attributes & 8 for b in contents['load-zstd-append', 0].batches} == {8}
    for kind in ('.log', '.index', '.timeindex', '.snapshot'):
        assert len(dump_log.files_of(klamm_wrote.dirs, kind)) > 50, kind


def test_broker_configs_can_be_changed(klamm_wrote):
    if klamm_wrote.alter_brokers_failed:
        raise klamm_wrote.alter_brokers_failed


@pytest.mark.parametrize('suffix,options', [(s, o) for table in (dump_log.PASSES, dump_log.MORE) for s, o in table.items()],
                         ids=lambda x: x if isinstance(x, str) else ' '.join(x) or 'plain')
def test_kafkas_dump_log_finds_nothing_strange(klamm_wrote, suffix, options):
    files, faults = dump_log.faults_of(klamm_wrote.dirs, suffix, options)
    assert files or suffix == '.txnindex'
    assert not faults, '%d complaints about %d files:\n%s' % (len(faults), files, '\n'.join(faults[:10]))


# Second part: Kafka serves what Klamm wrote, and writes more.

@pytest.fixture(scope='module')
def kafka_serves(klamm_wrote):
    story = klamm_wrote
    story.zxid = max(n.stat.mzxid for n in story.nodes)
    serve_with(story, 'kafka', 'kafka')
    story.kafka = contents_of(story)
    return story


def test_kafka_reads_byte_for_byte_what_klamm_wrote(kafka_serves):
    """The cleaner of Kafka may already have been at the compacted topic."""
    faults = differences(kafka_serves.klamm, kafka_serves.kafka, but_for=['kept'])
    assert not faults, '\n'.join(faults[:20])
    assert set(kafka_serves.kafka) == set(kafka_serves.klamm)
    assert last_of_each_key(kafka_serves.kafka['kept', 0]) == last_of_each_key(kafka_serves.klamm['kept', 0])


def test_kafka_has_every_acknowledged_record(kafka_serves):
    assert_acknowledged(kafka_serves, {k: v for k, v in kafka_serves.kafka.items()} | {('kept', 0): kafka_serves.klamm['kept', 0]})


def test_kafka_describes_the_same_topic_configs(kafka_serves):
    now = describe_topics(kafka_serves.cluster, sorted(kafka_serves.configs))
    faults = []
    for topic, rows in kafka_serves.configs.items():
        theirs = {k: v for k, v in now[topic].items()}
        faults += ['%s: %s was %s, is %s' % (topic, k, rows.get(k), theirs.get(k)) for k in sorted(set(rows) | set(theirs))
                   if rows.get(k) != theirs.get(k)]
    assert not faults, '\n'.join(faults[:20])


def test_kafkas_config_program_describes_them(kafka_serves):
    status, output = kafka_tool('configs', '--bootstrap-server', kafka_serves.cluster.bootstrap, '--describe', '--entity-type', 'topics')
    assert status == 0, output
    for row in ('retention.ms=86400000', 'klamm.durability=', 'cleanup.policy=compact', 'compression.type=zstd'):
        assert row in output, output


def test_kafka_has_nothing_to_complain_of(kafka_serves):
    """Its brokers recover nothing and find nothing corrupt on the directories of a clean stop."""
    for broker in kafka_serves.cluster.brokers:
        lines = [line for line in broker.log_text().splitlines() if (' ERROR ' in line or ' WARN ' in line) and not harmless(line)]
        assert not lines, '\n'.join(lines[:20])


def harmless(line):
    """While brokers come one after the other, the controller tells of those that are still to come. What waits for its removal may
    lack an index: an empty one is written when a log is closed."""
    return any(text in line for text in ('(state.change.logger)', '(kafka.controller.RequestSendThread)', 'clients.NetworkClient', 'is deprecated',
                                        '-delete/'))


def test_the_config_nodes_are_those_that_klamm_wrote(kafka_serves):
    now = {n.path: n.data for n in tree(kafka_serves.cluster)}
    wrote = {n.path: n.data for n in kafka_serves.nodes if re.match('/config/(topics|brokers)/|/brokers/topics/[^/]+$|/cluster/id', n.path)}
    assert len(wrote) > 30 and {path: now.get(path) for path in wrote} == wrote


def test_kafka_goes_on_with_every_sequence(kafka_serves):
    for sequence in kafka_serves.sequences:
        end = sequence.send(3)
        assert end >= kafka_serves.kafka[sequence.topic, sequence.partition].end
        again = sequence.send_last_again(3)
        assert (again.error_code, again.base_offset) == (0, end), again


def transact(story, name, topic, values, commit):
    """commit None leaves it open."""
    producer = confluent_kafka.Producer({'bootstrap.servers': story.cluster.bootstrap, 'transactional.id': name, 'linger.ms': 0,
                                         'transaction.timeout.ms': 800000, 'log_level': 2})
    producer.init_transactions(60)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(30) == 0
    if commit is not None:
        (producer.commit_transaction if commit else producer.abort_transaction)(30)
    return producer


@pytest.fixture(scope='module')
def kafka_wrote(kafka_serves):
    story, cluster = kafka_serves, kafka_serves.cluster
    cluster.create_topic('by-kafka', 3, segment_bytes=20000, retention_ms=99999999)
    cluster.create_topic('by-kafka-kept', 1, cleanup_policy='compact', segment_bytes=20000, min_cleanable_dirty_ratio='0.01')
    cluster.create_topic('by-kafka-gone', 2)
    cluster.create_topic('transactions', 1, segment_bytes=3000)
    for codec, topic in (('none', 'by-kafka'), ('zstd', 'cut'), ('lz4', 'durable'), ('snappy', 'load-gzip-append'), ('gzip', 'short')):
        fill(story, topic, 300, codec)
        stamped = story.configs.get(topic, {}).get('message.timestamp.type', ('CreateTime',))[0] == 'LogAppendTime'
        if stamped:
            story.ledger.placed[topic, 0] = {o: s._replace(timestamp=None) for o, s in story.ledger.placed[topic, 0].items()}
    before_cleaning = {}
    for topic in ('kept', 'by-kafka-kept'):
        fill(story, topic, 2500, 'zstd', keys=50)
        with cluster.leader_connection(topic) as c:
            before_cleaning[topic] = last_of_each_key(read_partition(c, topic, 0))
    transact(story, 'tx-commit', 'transactions', [b'commit %d' % i for i in range(40)], True)
    for i in range(3):
        transact(story, 'tx-abort', 'transactions', [b'abort %d %d' % (i, j) for j in range(20)], False)
        transact(story, 'tx-commit', 'transactions', [b'commit %d %d' % (i, j) for j in range(20)], True)
    story.open = transact(story, 'tx-open', 'transactions', [b'open'], None)
    delete_records(cluster, 'by-kafka', 0, 45)
    delete_topic(cluster, 'by-kafka-gone')
    cluster.alter_topic('grown', retention_ms=123456789)
    alter_broker(cluster, '1', log_cleaner_threads=2)
    for topic in ('kept', 'by-kafka-kept'):
        with cluster.leader_connection(topic) as c:
            wait(lambda: sum(len(b.records) for b in read_partition(c, topic, 0).batches) < 2000, 'Kafka cleans ' + topic, 60, 0.5)
            assert last_of_each_key(read_partition(c, topic, 0)) == before_cleaning[topic]
    story.kafka_nodes = tree(cluster)
    story.cleaned = before_cleaning
    story.kafka_configs = describe_topics(cluster, sorted({t for t, _ in story.klamm} | {'by-kafka', 'by-kafka-kept', 'transactions'}))
    stop_cleanly(cluster)
    return story


def test_znodes_have_the_shape_of_kafkas(kafka_wrote):
    theirs = znodes.shapes([n for n in kafka_wrote.kafka_nodes if n.stat.mzxid > kafka_wrote.zxid])
    ours = znodes.shapes(kafka_wrote.nodes)
    for name in ('/brokers/ids/N', '/controller', '/controller_epoch', '/brokers/topics/T', '/brokers/topics/T/partitions/N/state',
                 '/config/topics/T', '/config/changes/config_change_SEQUENCE', '/latest_producer_id_block', '/config/brokers/N'):
        assert name in theirs, name
        assert name in ours or '/config/brokers' in name and kafka_wrote.alter_brokers_failed, name
    faults = znodes.faults(ours, theirs)
    assert not faults, '\n'.join(faults)
    families = {znodes.family(n.path) for n in kafka_wrote.kafka_nodes}
    assert not {f for f in ours if f not in families and not f.startswith('/klamm')}


# Third part: Klamm serves what both wrote.

@pytest.fixture(scope='module')
def klamm_again(kafka_wrote):
    story, cluster = kafka_wrote, kafka_wrote.cluster
    serve_with(story, 'klamm', 'klamm-again')
    story.again = read_everything(cluster)
    return story


def test_klamm_has_every_acknowledged_record_of_both(klamm_again):
    contents = dict(klamm_again.again)
    for topic, latest in klamm_again.cleaned.items():
        assert last_of_each_key(contents.pop((topic, 0))) == latest
    kept = {k: v for k, v in klamm_again.ledger.placed.items() if k[0] not in klamm_again.cleaned}
    faults = ['%s-%d is gone' % key for key in kept if key not in contents]
    faults += [f for (t, p), content in contents.items() for f in klamm_again.ledger.check(t, p, content)]
    assert not faults, '%d faults:\n%s' % (len(faults), '\n'.join(faults[:10]))


def test_what_kafka_left_alone_is_unchanged(klamm_again):
    """Kafka's retention by size may have shortened one topic meanwhile."""
    left_alone = {k: v for k, v in klamm_again.kafka.items() if k not in klamm_again.again or klamm_again.again[k].end == v.end}
    faults = differences(left_alone, klamm_again.again, but_for=['kept'])
    assert len(left_alone) > 20 and not faults, '\n'.join(faults[:20])


def test_klamm_describes_the_topic_configs_of_kafka(klamm_again):
    now = describe_topics(klamm_again.cluster, sorted(klamm_again.kafka_configs))
    faults = ['%s: %s was %s, is %s' % (topic, k, v, now[topic].get(k)) for topic, rows in klamm_again.kafka_configs.items()
              for k, v in rows.items() if now[topic].get(k) != v]
    assert not faults, '\n'.join(faults[:20])
    assert klamm_again.again['by-kafka', 0].start == 45


def consume(cluster, isolation, end):
    consumer = confluent_kafka.Consumer({'bootstrap.servers': cluster.bootstrap, 'group.id': 'judge', 'enable.auto.commit': False,
                                         'isolation.level': isolation, 'enable.partition.eof': True, 'log_level': 2})
    consumer.assign([confluent_kafka.TopicPartition('transactions', 0, 0)])
    values = []
    while True:
        message = consumer.poll(20)
        assert message is not None, (isolation, len(values))
        if message.error():
            assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
            break
        values.append(message.value())
    consumer.close()
    return values


def test_klamm_hides_what_was_aborted_and_what_is_open(klamm_again):
    values = consume(klamm_again.cluster, 'read_committed', 0)
    assert len(values) == 100 and all(v.startswith(b'commit') for v in values), values[:5]
    values = consume(klamm_again.cluster, 'read_uncommitted', 0)
    assert len(values) == 161 and values[-1] == b'open'


def test_klamm_goes_on_with_every_sequence(klamm_again):
    for sequence in klamm_again.sequences:
        again = sequence.send_last_again(3)
        assert again.error_code == 0, again
        offset = sequence.send(2)
        assert offset >= klamm_again.again[sequence.topic, sequence.partition].end


def test_klamm_appends_to_all_that_kafka_left(klamm_again):
    cluster = klamm_again.cluster
    for topic in ('by-kafka', 'by-kafka-kept', 'kept', 'cut', 'load-zstd-create', 'transactions'):
        with cluster.leader_connection(topic) as c:
            end = c.list_offset(topic, -1).offset
        fill(klamm_again, topic, 100, 'zstd', keys=10)
        with cluster.leader_connection(topic) as c:
            assert c.list_offset(topic, -1).offset == end + 100
            assert read_partition(c, topic, 0).end == end + 100


def test_klamm_complains_of_nothing(klamm_again):
    for broker in klamm_again.cluster.brokers:
        lines = [line for line in broker.log_text().splitlines() if ' error ' in line.lower() or ' warn' in line.lower()]
        assert not lines, '\n'.join(lines[:20])


def of_compaction(fault):
    """Compaction leaves gaps between offsets, and the program tells of every gap."""
    return 'on-consecutive' in fault and ('kept' in fault or '__' in fault)


@pytest.fixture(scope='module')
def the_end(klamm_again):
    stop_cleanly(klamm_again.cluster)
    return klamm_again


@pytest.mark.parametrize('suffix,options', [(s, o) for s, o in dump_log.PASSES.items()], ids=lambda x: x if isinstance(x, str) else None)
def test_kafkas_dump_log_still_finds_nothing_strange(the_end, suffix, options):
    files, faults = dump_log.faults_of(the_end.dirs, suffix, options)
    faults = [f for f in faults if not of_compaction(f)]
    assert files and not faults, '%d complaints about %d files:\n%s' % (len(faults), files, '\n'.join(faults[:10]))


# Last part: neither says good-bye. Kafka recovers what a crash of Klamm leaves, and the other way round.

@pytest.fixture(scope='module')
def kafka_after_a_crash(the_end):
    story = the_end
    serve_with(story, 'klamm', 'klamm-crashes')
    send_sequences(story)
    for codec, topic in (('gzip', 'cut'), ('none', 'load-zstd-create'), ('zstd', 'durable')):
        fill(story, topic, 200, codec)
    story.before_crash = read_everything(story.cluster)
    crash(story.cluster)
    serve_with(story, 'kafka', 'kafka-recovers')
    return story


def test_kafka_recovers_what_a_crash_of_klamm_leaves(kafka_after_a_crash):
    faults = differences(kafka_after_a_crash.before_crash, read_everything(kafka_after_a_crash.cluster), but_for=CLEANED)
    assert not faults, '\n'.join(faults[:20])
    send_sequences(kafka_after_a_crash, 1)


@pytest.fixture(scope='module')
def klamm_after_a_crash(kafka_after_a_crash):
    story = kafka_after_a_crash
    for codec, topic in (('lz4', 'cut'), ('none', 'load-zstd-create'), ('zstd', 'by-kafka')):
        fill(story, topic, 200, codec)
    send_sequences(story)
    story.before_crash = read_everything(story.cluster)
    crash(story.cluster)
    serve_with(story, 'klamm', 'klamm-recovers')
    return story


def test_klamm_recovers_what_a_crash_of_kafka_leaves(klamm_after_a_crash):
    faults = differences(klamm_after_a_crash.before_crash, read_everything(klamm_after_a_crash.cluster), but_for=CLEANED)
    assert not faults, '\n'.join(faults[:20])
    send_sequences(klamm_after_a_crash, 1)


@pytest.mark.parametrize('suffix,options', [(s, o) for s, o in dump_log.PASSES.items()], ids=lambda x: x if isinstance(x, str) else None)
def test_kafkas_dump_log_finds_nothing_strange_after_crashes(klamm_after_a_crash, suffix, options):
    if suffix == '.log':
        stop_cleanly(klamm_after_a_crash.cluster)
    files, faults = dump_log.faults_of(klamm_after_a_crash.dirs, suffix, options)
    faults = [f for f in faults if not of_compaction(f)]
    assert files and not faults, '%d complaints about %d files:\n%s' % (len(faults), files, '\n'.join(faults[:10]))
