"""Real clients and Kafka's own programs: what one writes the other reads, byte for byte."""
import json
import os
import subprocess
import uuid

import confluent_kafka
import confluent_kafka.admin
import kafka
import kafka.admin
import pytest

from batch import CODECS, build, records, values
from processes import CACHE, kafka_tool, run, wait

NPM = os.path.join(CACHE, 'npm')
NODE = {'kafkajs': '2.2.4', '@platformatic/kafka': '1.35.0'}
BINARY = [bytes(range(256)), b'\xff\x00\n\r\t', 'žluťoučký kůň'.encode(), b'x' * 50000, b'0']


def as_confluent(cluster, **more):
    return dict({'bootstrap.servers': cluster.bootstrap, 'broker.address.family': 'v4'}, **more)


def written(cluster, name, partitions=1):
    return [(r.key, r.value) for p in range(partitions) for r in records(cluster.read_all(name, p))]


@pytest.mark.parametrize('codec', CODECS)
def test_kcat(shared, codec):
    name = shared.create_topic(partitions=3)
    lines = ''.join('key%d:value %d\n' % (i, i) for i in range(200))
    status, _, err = run(['kcat', '-b', shared.bootstrap, '-t', name, '-P', '-K:', '-z', codec, '-X', 'broker.address.family=v4'], lines.encode())
    assert status == 0, err
    assert sorted(written(shared, name, 3)) == sorted((b'key%d' % i, b'value %d' % i) for i in range(200))
    status, out, err = run(['kcat', '-b', shared.bootstrap, '-t', name, '-C', '-e', '-o', 'beginning', '-f', '%k:%s\n'])
    assert status == 0 and sorted(out.splitlines()) == sorted(lines.splitlines()), err


def test_kcat_lists(shared):
    name = shared.create_topic(partitions=2)
    status, out, _ = run(['kcat', '-b', shared.bootstrap, '-L'])
    assert status == 0 and 'topic "%s" with 2 partitions' % name in out and ' 3 brokers:' in out
    status, out, _ = run(['kcat', '-b', shared.bootstrap, '-Q', '-t', '%s:0:-1' % name])
    assert status == 0 and name in out


@pytest.mark.parametrize('codec', CODECS)
@pytest.mark.parametrize('idempotent', [False, True])
def test_confluent_kafka(shared, codec, idempotent):
    name = shared.create_topic(partitions=3)
    producer = confluent_kafka.Producer(as_confluent(shared, **{'compression.type': codec, 'enable.idempotence': idempotent, 'linger.ms': 5}))
    errors = []
    for i in range(300):
        producer.produce(name, BINARY[i % len(BINARY)], b'k%d' % i, headers=[('h', b'%d' % i)], timestamp=1600000000000 + i,
                         on_delivery=lambda err, _: errors.append(err) if err else None)
        producer.poll(0)
    assert producer.flush(30) == 0 and not errors
    consumer = confluent_kafka.Consumer(as_confluent(shared, **{'group.id': 'none', 'enable.auto.commit': False, 'enable.partition.eof': True}))
    consumer.assign([confluent_kafka.TopicPartition(name, p, 0) for p in range(3)])
    got, ends = {}, set()
    while len(ends) < 3:
        message = consumer.poll(20)
        assert message is not None, 'nothing came'
        if message.error():
            assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
            ends.add(message.partition())
        else:
            got[message.key()] = (message.value(), message.headers(), message.timestamp()[1])
    consumer.close()
    assert got == {b'k%d' % i: (BINARY[i % len(BINARY)], [('h', b'%d' % i)], 1600000000000 + i) for i in range(300)}


def test_confluent_kafka_admin(shared):
    admin = confluent_kafka.admin.AdminClient(as_confluent(shared))
    name = 'admin-' + uuid.uuid4().hex[:8]
    admin.create_topics([confluent_kafka.admin.NewTopic(name, 2, 1, config={'retention.ms': '5000'})])[name].result(20)
    shared.wait_leaders(name, 2)
    assert len(admin.list_topics(name, timeout=20).topics[name].partitions) == 2
    admin.create_partitions([confluent_kafka.admin.NewPartitions(name, 4)])[name].result(20)
    resource = confluent_kafka.admin.ConfigResource('topic', name)
    assert admin.describe_configs([resource])[resource].result(20)['retention.ms'].value == '5000'
    changed = confluent_kafka.admin.ConfigResource('topic', name, set_config={'retention.ms': '6000'})
    admin.alter_configs([changed])[changed].result(20)
    wait(lambda: admin.describe_configs([resource])[resource].result(20)['retention.ms'].value == '6000', 'it is changed')
    admin.delete_topics([name], operation_timeout=20)[name].result(30)
    with pytest.raises(confluent_kafka.KafkaException, match='eplication'):
        admin.create_topics([confluent_kafka.admin.NewTopic(name + 'x', 1, 9)])[name + 'x'].result(20)


def test_confluent_kafka_offsets_for_times(shared):
    name = shared.create_topic()
    producer = confluent_kafka.Producer(as_confluent(shared))
    for i in range(10):
        producer.produce(name, b'v', timestamp=1600000000000 + i * 1000)
    producer.flush(20)
    consumer = confluent_kafka.Consumer(as_confluent(shared, **{'group.id': 'none'}))
    assert consumer.get_watermark_offsets(confluent_kafka.TopicPartition(name, 0), timeout=20) == (0, 10)
    found = consumer.offsets_for_times([confluent_kafka.TopicPartition(name, 0, 1600000004500)], timeout=20)
    assert found[0].offset == 5
    consumer.close()


@pytest.mark.parametrize('codec', [None, 'gzip', 'snappy', 'lz4'])
def test_kafka_python(shared, codec):
    name = shared.create_topic(partitions=2)
    options = {'bootstrap_servers': shared.bootstrap.split(','), 'api_version': (2, 6, 0)}
    producer = kafka.KafkaProducer(compression_type=codec, acks='all', **options)
    sent = [producer.send(name, key=b'k%d' % i, value=BINARY[i % len(BINARY)], headers=[('h', b'x')], timestamp_ms=1600000000000 + i)
            for i in range(100)]
    assert all(f.get(20).offset >= 0 for f in sent)
    producer.close()
    consumer = kafka.KafkaConsumer(auto_offset_reset='earliest', consumer_timeout_ms=15000, **options)
    parts = [kafka.TopicPartition(name, p) for p in (0, 1)]
    consumer.assign(parts)
    assert sum(consumer.end_offsets(parts).values()) == 100 and set(consumer.beginning_offsets(parts).values()) == {0}
    got = {}
    for message in consumer:
        got[message.key] = (message.value, message.headers, message.timestamp)
        if len(got) == 100:
            break
    consumer.close()
    assert got == {b'k%d' % i: (BINARY[i % len(BINARY)], [('h', b'x')], 1600000000000 + i) for i in range(100)}


def test_kafka_python_admin(shared):
    admin = kafka.KafkaAdminClient(bootstrap_servers=shared.bootstrap.split(','), api_version=(2, 6, 0))
    name = 'admin-' + uuid.uuid4().hex[:8]
    admin.create_topics([kafka.admin.NewTopic(name, 2, 1)], timeout_ms=20000)
    assert name in admin.list_topics()
    admin.create_partitions({name: kafka.admin.NewPartitions(3)}, timeout_ms=20000)
    assert len(admin.describe_topics([name])[0]['partitions']) in (2, 3)
    admin.delete_topics([name], timeout_ms=20000)
    admin.close()


def test_java_console_producer_and_consumer(shared):
    name = shared.create_topic(partitions=3)
    lines = ['key%d\tzeile %d ü' % (i, i) for i in range(100)]
    status, out = kafka_tool('console-producer', '--bootstrap-server', shared.bootstrap, '--topic', name, '--property', 'parse.key=true',
                             '--compression-codec', 'zstd', '--request-required-acks', 'all', stdin='\n'.join(lines) + '\n')
    assert status == 0, out
    assert sorted(written(shared, name, 3)) == sorted(tuple(part.encode() for part in line.split('\t')) for line in lines)
    out = []
    for partition in range(3):
        n = len(records(shared.read_all(name, partition)))
        if n:
            status, text = kafka_tool('console-consumer', '--bootstrap-server', shared.bootstrap, '--topic', name, '--partition', partition,
                                      '--offset', 'earliest', '--max-messages', n, '--property', 'print.key=true')
            assert status == 0, text
            out += [line for line in text.splitlines() if line.startswith('key')]
    assert sorted(out) == sorted(lines)


def test_java_producer_performance(shared):
    name = shared.create_topic(partitions=3)
    status, out = kafka_tool('producer-perf-test', '--topic', name, '--num-records', 20000, '--record-size', 100, '--throughput', -1,
                             '--producer-props', 'bootstrap.servers=' + shared.bootstrap, 'compression.type=lz4', 'acks=all')
    assert status == 0 and '20000 records sent' in out, out
    assert sum(len(records(shared.read_all(name, p))) for p in range(3)) == 20000


def test_java_verifiable_producer(shared):
    name = shared.create_topic(partitions=3)
    status, out = kafka_tool('verifiable-producer', '--bootstrap-server', shared.bootstrap, '--topic', name, '--max-messages', 5000, '--acks', -1)
    rows = [json.loads(line) for line in out.splitlines() if line.startswith('{')]
    acked = {(r['partition'], r['offset']): r['value'] for r in rows if r['name'] == 'producer_send_success'}
    assert status == 0 and len(acked) == 5000, out[-2000:]
    there = {(p, r.offset): r.value.decode() for p in range(3) for r in records(shared.read_all(name, p))}
    assert there == acked


def test_java_topics_tool(shared):
    name = 'tool-' + uuid.uuid4().hex[:8]
    base = ('--bootstrap-server', shared.bootstrap)
    status, out = kafka_tool('topics', *base, '--create', '--topic', name, '--partitions', 3, '--replication-factor', 1, '--config', 'retention.ms=5000')
    assert status == 0 and 'Created topic' in out, out
    status, out = kafka_tool('topics', *base, '--describe', '--topic', name)
    assert status == 0 and 'PartitionCount: 3' in out and 'retention.ms=5000' in out and out.count('Leader: ') == 3, out
    status, out = kafka_tool('topics', *base, '--alter', '--topic', name, '--partitions', 5)
    assert status == 0, out
    status, out = kafka_tool('topics', *base, '--list')
    assert status == 0 and name in out.split()
    status, out = kafka_tool('topics', *base, '--delete', '--topic', name)
    assert status == 0, out
    status, out = kafka_tool('topics', *base, '--create', '--topic', name + 'x', '--replication-factor', 9)
    assert status != 0 and 'larger than' in out


def test_java_configs_tool(shared):
    name = shared.create_topic()
    base = ('--bootstrap-server', shared.bootstrap, '--entity-type', 'topics', '--entity-name', name)
    status, out = kafka_tool('configs', *base, '--alter', '--add-config', 'retention.ms=4000,cleanup.policy=[compact,delete]')
    assert status == 0 and 'Completed' in out, out
    status, out = kafka_tool('configs', *base, '--describe')
    assert status == 0 and 'retention.ms=4000' in out and 'cleanup.policy=compact,delete' in out, out
    status, out = kafka_tool('configs', *base, '--alter', '--delete-config', 'retention.ms')
    assert status == 0, out
    status, out = kafka_tool('configs', *base, '--describe', '--all')
    assert status == 0 and 'retention.ms=604800000' in out and 'segment.bytes=1073741824' in out, out


def test_java_offsets_and_delete_records_tools(shared, tmp_path):
    name = shared.create_topic()
    with shared.leader_connection(name) as c:
        c.produce(name, build([b'%d' % i for i in range(20)]))
    status, out = kafka_tool('get-offsets', '--bootstrap-server', shared.bootstrap, '--topic', name)
    assert status == 0 and '%s:0:20' % name in out, out
    request = tmp_path / 'delete.json'
    request.write_text(json.dumps({'version': 1, 'partitions': [{'topic': name, 'partition': 0, 'offset': 7}]}))
    status, out = kafka_tool('delete-records', '--bootstrap-server', shared.bootstrap, '--offset-json-file', request)
    assert status == 0 and 'low_watermark: 7' in out, out
    status, out = kafka_tool('get-offsets', '--bootstrap-server', shared.bootstrap, '--topic', name, '--time', -2)
    assert status == 0 and '%s:0:7' % name in out, out


def test_java_broker_api_versions_tool(shared):
    status, out = kafka_tool('broker-api-versions', '--bootstrap-server', shared.bootstrap)
    assert status == 0 and out.count('(id: ') == 3 and 'Produce(0): ' in out, out


@pytest.fixture(scope='session')
def node_modules():
    """Clients from npm, in the cache."""
    missing = [n for n in NODE if not os.path.isdir(os.path.join(NPM, 'node_modules', n))]
    if missing:
        os.makedirs(NPM, exist_ok=True)
        subprocess.run(['npm', 'install', '--silent', '--no-audit', '--no-fund', '--prefix', NPM] + ['%s@%s' % row for row in NODE.items()],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return os.path.join(NPM, 'node_modules')


def node(node_modules, script, *args):
    here = os.path.dirname(os.path.abspath(__file__))
    path = os.path.join(NPM, os.path.basename(script))
    with open(os.path.join(here, 'clients', script)) as source, open(path, 'w') as copy:
        copy.write(source.read())
    return run(['node', path] + list(args), timeout=90)


def test_kafkajs(shared, node_modules):
    name = 'js-' + uuid.uuid4().hex[:8]
    status, out, err = node(node_modules, 'kafkajs.js', shared.bootstrap, name)
    assert status == 0, out + err
    got = json.loads(out.strip().splitlines()[-1])
    assert got == {'partitions': 3, 'offsets': 300, 'topics': True, 'retention': '7000'}
    assert sorted(v for _, v in written(shared, name, 3)) == sorted(b'value %d' % i for i in range(300))


def test_platformatic(shared, node_modules):
    name = shared.create_topic(partitions=3)
    status, out, err = node(node_modules, 'platformatic.mjs', shared.bootstrap, name)
    assert status == 0, out + err
    assert sorted(v for _, v in written(shared, name, 3)) == sorted(b'value %d' % i for i in range(300))
