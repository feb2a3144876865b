"""ZooKeeper: what we write has the shape of what Kafka writes; nothing that others write, however odd, ends a process."""
import json
import os
import re

import pytest
from kazoo.exceptions import NodeExistsError, NoNodeError

from batch import build
from processes import TOP, TARGET, kafka_tool, wait
from test_lifecycle import fill
from wire import error_name


def shape(value):
    """The types of a JSON value, by key; arrays and maps with free keys by one element."""
    if isinstance(value, dict):
        if value and all(re.fullmatch(r'\d+', k) for k in value):
            return {'<number>': shape(next(iter(value.values())))}
        return {k: shape(v) for k, v in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def shape_of_data(data):
    if not data:
        return None
    try:
        return shape(json.loads(data))
    except ValueError:
        return 'text'


def golden():
    nodes = {}
    with open(os.path.join(TOP, 'test', 'golden', 'znodes.txt')) as f:
        for line in f:
            m = re.match(r'(\S+)  v(\d+)( EPHEMERAL)?  (.*)', line.rstrip('\n'))
            nodes[m[1]] = (int(m[2]), bool(m[3]), None if m[4] == '<null>' else m[4])
    return nodes


def tree(zk, path):
    data, stat = zk.get(path)
    yield path, data.decode() if data else None, stat
    for child in zk.get_children(path):
        yield from tree(zk, path.rstrip('/') + '/' + child)


@pytest.fixture
def like_golden(make_cluster):
    """The topics, configs and ids of the cluster that test/golden/znodes.txt was taken from, as far as this version serves them."""
    cluster = make_cluster(brokers=2)
    with cluster.controller_connection() as c:
        rows = [('plain', [(0, [2]), (1, [1])], [('retention.ms', '86400000')]), ('manual', [(0, [1]), (1, [2])], []),
                ('compacted', [(0, [2])], [('cleanup.policy', 'compact'), ('segment.ms', '1000'), ('min.cleanable.dirty.ratio', '0.01')])]
        answer = c.call('CreateTopics', 5, timeout_ms=20000, topics=[{
            'name': n, 'num_partitions': -1, 'replication_factor': -1,
            'assignments': [{'partition_index': p, 'broker_ids': b} for p, b in a],
            'configs': [{'name': k, 'value': v} for k, v in configs]} for n, a, configs in rows])
        assert {t.error_code for t in answer.topics} == {0}
        wait(lambda: c.call('InitProducerId', 4, transactional_id=None, transaction_timeout_ms=1000).error_code == 0, 'an id is given')
    cluster.wait_leaders('plain', 2)
    cluster.alter_topic('plain', max_message_bytes=2000000)
    return cluster


def test_shape_of_all_znodes(like_golden):
    zk = like_golden.zookeeper.client()
    kafka, prefix = golden(), like_golden.chroot
    ours = {path[len(prefix):] or '/': (data, stat) for path, data, stat in tree(zk, prefix)}
    zk.stop()
    for path, (data, stat) in ours.items():
        if path in ('/controller', '/zookeeper', '/klamm', '/klamm/controller_epoch'):
            continue
        assert path in kafka, 'Kafka has no such node: %s' % path
        version, ephemeral, text = kafka[path]
        assert bool(stat.ephemeralOwner) == ephemeral, path
        got, wanted = shape_of_data(data), shape_of_data(text)
        if path.startswith('/brokers/ids/'):
            got = {key: kind for key, kind in got.items() if not key.startswith('klamm')}
        if path.endswith('/state'):
            # Kafka takes no notice of keys that it does not know.
            got = {key: kind for key, kind in got.items() if key not in ('isr_epochs', 'elr', 'elr_epochs', 'last_known_elr')}
        if path.startswith('/config/topics/'):
            assert got == wanted or json.loads(data) == json.loads(text), path
        elif path in ('/brokers/topics/plain', '/brokers/topics/manual', '/brokers/topics/compacted'):
            assert got == wanted, path
            assert len(json.loads(data)['topic_id']) == 22
        else:
            assert got == wanted, '%s: %s, Kafka: %s' % (path, data, text)
    must = [p for p in kafka if re.match(r'/(brokers/(ids|topics/(plain|manual|compacted)|seqid)|cluster|config/(topics/(plain|manual|comp)|changes$'
                                         r'|brokers$|clients$|ips$|users$)|consumers|controller|controller_epoch|admin|isr_|log_dir|latest|'
                                         r'config/changes/config_change_0000000000)', p)]
    missing = [p for p in must if p not in ours]
    assert not missing, missing
    data, stat = ours['/controller']
    office = json.loads(data)
    assert office['version'] == 2 and office['kraftControllerEpoch'] == -1 and isinstance(office['timestamp'], str)
    assert office['brokerid'] in (-1, 1, 2) and stat.ephemeralOwner
    assert ours['/brokers/ids/1'][1].version == 1, 'made empty, then set: as Kafka does'
    assert int(ours['/controller_epoch'][0]) == ours['/controller_epoch'][1].version


def test_values_in_znodes(like_golden):
    zk = like_golden.zookeeper.client()

    def node(path):
        return json.loads(zk.get(like_golden.chroot + path)[0])
    assert node('/config/topics/plain') == {'version': 1, 'config': {'max.message.bytes': '2000000', 'retention.ms': '86400000'}}
    assert node('/brokers/topics/manual')['partitions'] == {'0': [1], '1': [2]}
    state = node('/brokers/topics/manual/partitions/1/state')
    assert (state['leader'], state['isr'], state['leader_epoch'], state['version']) == (2, [2], 0, 1)
    assert node('/config/changes/config_change_0000000000') == {'version': 2, 'entity_path': 'topics/plain'}
    block = node('/latest_producer_id_block')
    assert int(block['block_end']) - int(block['block_start']) == 999
    assert node('/cluster/id')['version'] == '1'
    zk.stop()


ODD = [b'', b'{}', b'[]', b'null', b'garbage', b'{"version":1', b'\xff\xfe\x00', b'{"version":99}', b'12345678901234567890', b'"text"',
       b'{"version":"one","partitions":5,"config":7,"brokerid":"x","leader":"y","isr":{}}', b'[' * 5000,
       b'{"version":3,"partitions":{"0":[1,1,1]},"topic_id":"short","adding_replicas":[],"removing_replicas":7}',
       b'{"version":3,"partitions":{"0":[],"x":[1],"-1":[2],"99999999999":[3]},"topic_id":"AAAAAAAAAAAAAAAAAAAAAA"}', b'x' * 900000]


@pytest.fixture
def odd(make_cluster):
    """A cluster at work; afterwards everybody lives, the good topic serves, and new topics can be made."""
    cluster = make_cluster(brokers=2, controllers=2)
    cluster.drift_expected = True
    cluster.good = cluster.create_topic('good', partitions=2)
    fill(cluster, 'good', 2, 0)
    fill(cluster, 'good', 2, 1)
    cluster.zk = cluster.zookeeper.client()
    yield cluster
    cluster.zk.stop()
    for process in cluster.brokers + cluster.controllers:
        assert process.alive(), '%s ended:\n%s' % (process.name, process.log_text()[-3000:])
    cluster.ready()
    cluster.wait_leaders('good', 2)
    fill(cluster, 'good', 2, 0)
    fill(cluster, 'good', 2, 1)
    fill(cluster, cluster.create_topic(partitions=2), 1)


def put(cluster, path, data):
    """Made or set: a controller may take away a notification, or its own node, at any moment."""
    path = cluster.chroot + path

    def done():
        try:
            cluster.zk.set(path, data)
        except NoNodeError:
            try:
                cluster.zk.create(path, data, makepath=True)
            except NodeExistsError:
                return False
        return True
    wait(done, '%s is written' % path)


def remove(cluster, path):
    try:
        cluster.zk.delete(cluster.chroot + path, recursive=True)
    except NoNodeError:
        pass


def settle(cluster):
    """The controller works on news in order: when a topic made afterwards is led, it has looked at what came before."""
    fill(cluster, cluster.create_topic(), 1)


pytestmark = pytest.mark.klamm_only


@pytest.mark.parametrize('place', ['/brokers/ids/77', '/brokers/topics/odd', '/config/topics/odd', '/config/topics/good', '/config/brokers/1',
                                   '/config/brokers/<default>', '/config/users/odd', '/config/changes/config_change_0000009999',
                                   '/admin/delete_topics/odd', '/admin/reassign_partitions', '/admin/preferred_replica_election',
                                   '/isr_change_notification/isr_change_0000000000', '/log_dir_event_notification/log_dir_event_0000000000',
                                   '/latest_producer_id_block', '/feature', '/brokers/seqid', '/migration-odd',
                                   '/brokers/topics/odd2/partitions/0/state'])
def test_odd_contents(odd, place):
    before = odd.zk.get(odd.chroot + place)[0] if odd.zk.exists(odd.chroot + place) else None
    for data in ODD:
        put(odd, place, data)
    settle(odd)
    for number in (0, 1):
        odd.controllers[number].kill()
        odd.controllers[number].start()
    settle(odd)
    odd.brokers[0].stop()
    odd.brokers[0].start()
    odd.ready()
    if before is None:
        remove(odd, place)
    else:
        put(odd, place, before)


@pytest.mark.parametrize('name', ['bad name', 'a:b', 'x' * 255, '.', '..', 'ü', '-', '__x', 'a-0'])
def test_odd_names_of_topics(odd, name):
    good = b'{"version":3,"partitions":{"0":[1]},"topic_id":"7OzSOxTgSp-khFU0G__2Bg","adding_replicas":{},"removing_replicas":{}}'
    try:
        put(odd, '/brokers/topics/' + name, good)
    except Exception:
        return
    put(odd, '/config/topics/' + name, b'{"version":1,"config":{}}')
    put(odd, '/admin/delete_topics/' + name, b'')
    settle(odd)


def test_odd_states_of_partitions(odd):
    path = odd.chroot + '/brokers/topics/good/partitions/0/state'
    before = odd.zk.get(path)[0]
    for data in ODD + [b'{"version":1,"leader":99,"leader_epoch":-5,"controller_epoch":0,"isr":[99,98]}',
                       b'{"version":1,"leader":1,"leader_epoch":2147483647,"controller_epoch":1,"isr":[1]}']:
        odd.zk.set(path, data)
    settle(odd)
    odd.zk.set(path, before)
    # A controller reads it anew when it takes office.
    for controller in odd.controllers:
        controller.kill()
        controller.start()
    odd.ready()


@pytest.mark.parametrize('data', [b'', b'garbage', b'-1', b'99999999999999999999', b'2147483647'])
def test_odd_controller_epoch(odd, data):
    path = odd.chroot + '/controller_epoch'
    good = int(odd.zk.get(path)[0])
    odd.zk.set(path, data)
    for controller in odd.controllers:
        controller.kill()
        controller.start()
    with odd.connect(1) as c:
        wait(lambda: c.is_usable(), 'brokers answer')
    odd.zk.set(path, b'%d' % (good + 10))
    wait(lambda: odd.zk.exists(odd.chroot + '/controller'), 'a controller is in office', 30)


def in_office(cluster):
    stat = cluster.zk.exists(cluster.chroot + '/controller')
    return stat and stat.ephemeralOwner


def test_the_controller_node_is_removed_and_forged(odd):
    first = in_office(odd)
    remove(odd, '/controller')
    wait(lambda: in_office(odd), 'somebody takes office again', 30)
    settle(odd)
    for data in (b'garbage', b'', b'{"version":2,"brokerid":1,"timestamp":"1","kraftControllerEpoch":-1}'):
        put(odd, '/controller', data)
        with odd.connect(1) as c:
            assert c.is_usable()
    remove(odd, '/controller')
    wait(lambda: in_office(odd), 'somebody takes office again', 30)
    assert first


def test_a_broker_node_is_removed(odd):
    """As in Kafka the broker counts as dead until it starts again."""
    remove(odd, '/brokers/ids/2')
    wait(lambda: odd.brokers[0].sees() == {1}, 'broker 1 alone is told', 30)
    odd.brokers[1].stop()
    odd.brokers[1].start()


def test_the_topic_node_vanishes_without_a_request(odd):
    name = odd.create_topic()
    fill(odd, name, 3)
    folder = odd.leader(name).partition_folder(name)
    odd.zk.delete(odd.chroot + '/brokers/topics/' + name, recursive=True)
    settle(odd)
    found = [d for d in os.listdir(os.path.dirname(folder)) if d.startswith(name)]
    assert found and os.path.getsize(os.path.join(os.path.dirname(folder), found[0], '%020d.log' % 0)) > 0, 'its files are kept'


def test_what_no_watch_told_is_found_and_mended(make_cluster):
    cluster = make_cluster(brokers=2)
    cluster.drift_expected = True
    name, controller = cluster.create_topic(partitions=3), cluster.controllers[0]
    zk = cluster.zookeeper.client()
    for n, partition in enumerate((0, 1, 2)):
        path = '%s/brokers/topics/%s/partitions/%d/state' % (cluster.chroot, name, partition)
        zk.set(path, zk.get(path)[0])
        controller.wait_log('drift: /brokers/topics/%s/partitions/%d/state is at 1 in ZooKeeper and at 0 here; read again (%d found' % (
            name, partition, n + 1))
    zk.stop()
    for broker in cluster.brokers:
        broker.stop()
        broker.start()
        cluster.ready()
    cluster.wait_leaders(name, 3)
    for partition in range(3):
        fill(cluster, name, 2, partition)
    assert controller.log_text().count(' drift: ') == 3


def test_a_foreign_controller_lives_here(make_cluster):
    cluster = make_cluster(start=False)
    zk = cluster.zookeeper.client()
    zk.create(cluster.chroot + '/controller', b'{"version":2,"brokerid":5,"timestamp":"1","kraftControllerEpoch":-1}', makepath=True)
    cluster.brokers[0].start()
    assert cluster.brokers[0].wait_exit(30) > 0 and 'another kind' in cluster.brokers[0].log_text()
    zk.stop()


def test_a_foreign_broker_lives_here(make_cluster):
    cluster = make_cluster(start=False)
    zk = cluster.zookeeper.client()
    zk.create(cluster.chroot + '/brokers/ids/9', b'{"features":{},"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},"endpoints":'
              b'["PLAINTEXT://127.0.0.1:1"],"jmx_port":-1,"port":1,"host":"127.0.0.1","version":5,"timestamp":"1"}', makepath=True)
    cluster.brokers[0].start()
    assert cluster.brokers[0].wait_exit(30) > 0 and 'another kind' in cluster.brokers[0].log_text()
    zk.stop()
