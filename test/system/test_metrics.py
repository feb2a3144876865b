"""GET /metrics of brokers and controllers: the format to the letter, figures that are right, and that nobody is disturbed by it or by what is sent there."""
import http.client
import mmap
import os
import re
import socket
import struct
import subprocess
import threading

import pytest

from batch import build
from bystander import Bystander
from processes import BUILD, free_port, wait

pytestmark = pytest.mark.klamm_only

NAME = r'[a-z_][a-z0-9_]*'
SAMPLE = re.compile(r'(%s)(?:\{(%s)="((?:[^"\\\n]|\\["\\n])*)"\})? (-?[0-9]+)' % (NAME, NAME))
HANGS, DELETE_HANGS = 1, 7


class Figures(dict):
    """name -> value, or {label value: value}"""

    def __init__(self, text):
        super().__init__()
        assert text.endswith('\n') and '\r' not in text
        lines, name, kind = text[:-1].split('\n'), None, None
        while lines:
            line = lines.pop(0)
            if line.startswith('# HELP '):
                name, sentence = re.fullmatch('# HELP (%s) (.+)' % NAME, line).groups()
                assert sentence[0] in '1' or sentence[0].isupper(), line
                assert sentence.endswith('.') and name not in self, line
                kind = re.fullmatch('# TYPE %s (counter|gauge)' % name, lines.pop(0)).group(1)
                assert (kind == 'counter') == name.endswith('_total'), line
                self[name] = {}
                continue
            sample, label, value, number = SAMPLE.fullmatch(line).groups()
            assert sample == name and (kind == 'gauge' or int(number) >= 0), line
            if label is None:
                assert self[name] == {}, line
                self[name] = int(number)
            else:
                assert value not in self[name], line
                self[name][value] = int(number)


def get(port, path='/metrics', method='GET', body=None, headers=None):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def scrape(process):
    status, headers, text = get(process.metrics_port)
    assert status == 200, text
    assert headers['Content-Type'] == 'text/plain; version=0.0.4; charset=utf-8'
    assert int(headers['Content-Length']) == len(text.encode())
    return Figures(text)


def with_metrics(cluster):
    for process in cluster.brokers + cluster.controllers:
        process.metrics_port = free_port()
    for broker in cluster.brokers:
        broker.rows['klamm.metrics.listener'] = '127.0.0.1:%d' % broker.metrics_port
    for controller in cluster.controllers:
        with open(controller.config, 'a') as f:
            f.write('klamm.metrics.listener=127.0.0.1:%d\n' % controller.metrics_port)
    return cluster


@pytest.fixture
def measured(make_cluster):
    return with_metrics(make_cluster(start=False)).start()


def test_figures_of_a_cluster_follow_what_happens(make_cluster):
    cluster = with_metrics(make_cluster(brokers=3, start=False, config={'replica.lag.time.max.ms': 2000, 'replica.fetch.wait.max.ms': 500})).start()
    topic = cluster.create_topic(partitions=6, replication_factor=3, min_insync_replicas=3)
    manager = 'kafka_server_replicamanager_'

    def total(name, brokers=cluster.brokers):
        return sum(scrape(b)[name] for b in brokers)

    wait(lambda: total(manager + 'partitioncount') == 18, 'all replicas are counted')
    assert total(manager + 'leadercount') == 6
    wait(lambda: total(manager + 'underreplicatedpartitions') == 0, 'all are in sync')
    assert total(manager + 'underminisrpartitioncount') == 0
    assert total(manager + 'atminisrpartitioncount') == 6
    records = build([os.urandom(1000)])
    for partition in range(6):
        with cluster.leader_connection(topic, partition) as c:
            assert c.produce(topic, records, partition).error_code == 0
    wait(lambda: total('klamm_replication_bytes_received_total') == 2 * 6 * len(records),
         lambda: 'both copies of each are counted: %d of %d' % (total('klamm_replication_bytes_received_total'), 12 * len(records)))
    assert total('klamm_replication_bytes_sent_total') == 2 * 6 * len(records)
    with cluster.brokers[0].connect(), cluster.brokers[0].connect():
        wait(lambda: scrape(cluster.brokers[0])['klamm_connections'] >= 2, 'connections are counted')
    figures = scrape(cluster.brokers[0])
    assert figures['klamm_zookeeper_session_state'] == {'connecting': 0, 'connected': 1, 'suspended': 0, 'lost': 0, 'auth_failed': 0, 'closed': 0}
    assert figures['klamm_controller_connected'] == 1 and figures['klamm_registered'] == 1
    assert figures['kafka_server_replicafetchermanager_maxlag'] == 0 and figures['klamm_follower_lag_records_max'] == 0
    assert figures['klamm_memory_budget_bytes'] > figures['klamm_memory_budget_used_bytes'] >= 0
    assert figures['klamm_requests_total'] > 0
    assert figures['klamm_topic_durability_lag_records_max'] == {}
    assert not any(v for k, v in figures.items() if 'refused' in k and isinstance(v, int) and k != 'klamm_replication_follows_refused_total')

    away, left = cluster.brokers[2], cluster.brokers[:2]
    away.kill()
    wait(lambda: total(manager + 'underreplicatedpartitions', left) == 6, 'the loss of a broker is seen')
    wait(lambda: total(manager + 'underminisrpartitioncount', left) == 6, 'and that it is one too many')
    assert total(manager + 'leadercount', left) == 6
    away.start()
    cluster.ready()
    wait(lambda: total(manager + 'underreplicatedpartitions') == 0, 'it is back', 60)
    assert total(manager + 'isrexpands_total', left) > 0


def test_the_readme_lists_all_names_and_no_others(measured):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'README.md')) as f:
        section = f.read().split('\n## Metrics\n')[1].split('\n## ')[0]
    for text, process in zip(section.split('\nOf controllers;'), (measured.brokers[0], measured.controllers[0]), strict=True):
        rows = [line for line in text.splitlines() if line.startswith('| `')]
        listed = [name for row in rows for name in re.findall('`(%s)' % NAME, row.split(' | ')[0])]
        assert sorted(listed) == sorted(scrape(process))


def test_controllers_tell_who_is_in_office_and_what_has_no_leader(make_cluster):
    cluster = with_metrics(make_cluster(brokers=2, controllers=2, start=False)).start()
    cluster.create_topic(partitions=4)
    kafkas = 'kafka_controller_kafkacontroller_'

    def totals(*names, of=cluster.controllers):
        each = [scrape(c) for c in of]
        return tuple(sum(figures[kafkas + name] for figures in each) for name in names)

    wait(lambda: totals('activecontrollercount', 'activebrokercount', 'globaltopiccount', 'globalpartitioncount') == (1, 2, 1, 4), 'all is counted')
    assert totals('offlinepartitionscount', 'preferredreplicaimbalancecount', 'topicstodeletecount') == (0, 0, 0)
    led = scrape(cluster.brokers[1])['kafka_server_replicamanager_leadercount']
    cluster.brokers[1].kill()
    wait(lambda: totals('activebrokercount', 'offlinepartitionscount', 'preferredreplicaimbalancecount') == (1, led, led), 'the loss is counted')
    first = next(c for c in cluster.controllers if scrape(c)[kafkas + 'activecontrollercount'] == 1)
    other = [c for c in cluster.controllers if c is not first]
    first.kill()
    wait(lambda: totals('activecontrollercount', 'offlinepartitionscount', of=other) == (1, led), 'the next one counts the same')
    assert scrape(other[0])['klamm_controller_elections_won_total'] == 1
    cluster.brokers[1].start()
    wait(lambda: totals('activebrokercount', 'offlinepartitionscount', of=other) == (2, 0), 'all is well again')


def disk(broker, mode):
    with open(broker.control, 'r+b') as f, mmap.mmap(f.fileno(), 16) as m:
        m[0:16] = struct.pack('<IIq', mode, 0, 0)


def with_faulty_disk(broker):
    broker.control = broker.cluster.folder / 'faultio'
    with open(broker.control, 'wb') as f:
        f.write(bytes(16))
    broker.env = {'LD_PRELOAD': os.path.join(BUILD, 'test', 'chaos', 'faultio.so'), 'CHAOS_FAULTIO': str(broker.control),
                  'CHAOS_FAULTIO_PREFIX': str(broker.folder)}


def test_the_durability_lag_rises_while_the_disk_hangs_and_falls_back_to_0(make_cluster):
    cluster = with_metrics(make_cluster(start=False))
    broker = cluster.brokers[0]
    with_faulty_disk(broker)
    cluster.start()
    careful = cluster.create_topic('careful', klamm_durability='fsync-isr')
    usual = cluster.create_topic('usual')
    every, each = 'klamm_durability_lag_records_max', 'klamm_topic_durability_lag_records_max'

    def lag():
        figures = scrape(broker)
        return figures[every], figures[each]

    with broker.connect() as c:
        assert c.produce(careful, build([b'a'] * 3)).error_code == 0
    # An acknowledgement of this topic says that it is on the disk.
    wait(lambda: lag() == (0, {'careful': 0}), 'nothing waits for the disk')

    disk(broker, HANGS)
    answers = []

    def write():
        with broker.connect() as c:
            answers.append(c.produce(careful, build([b'b'] * 5), timeout_ms=60000))
    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait(lambda: lag() == (5, {'careful': 5}), lambda: 'what waits for the disk is seen: %s' % (lag(),))
        with broker.connect() as c:
            assert c.produce(usual, build([b'c'] * 7)).error_code == 0
        # The other topic does not wait, but is not safe either; it is not told apart.
        wait(lambda: lag() == (7, {'careful': 5}), lambda: 'all that is not on the disk is seen: %s' % (lag(),))
        wait(lambda: scrape(broker)['klamm_disk_busy_ms_max'] > 100, 'it is seen that the disk hangs')
        assert not answers
    finally:
        disk(broker, 0)
        writer.join()
    assert answers[0].error_code == 0
    wait(lambda: lag() == (0, {'careful': 0}), lambda: 'all is on the disk: %s' % (lag(),))
    wait(lambda: scrape(broker)['klamm_disk_busy_ms_max'] == 0, 'the disk has nothing to do')


def exchange(port, data):
    """What is answered to these bytes; empty when the connection is only closed."""
    with socket.create_connection(('127.0.0.1', port), timeout=20) as s:
        got = b''
        try:
            s.sendall(data)
            while True:
                more = s.recv(65536)
                if not more:
                    return got
                got += more
        except ConnectionError:
            return got


def test_what_is_no_scrape_is_refused_and_nobody_is_disturbed(measured):
    broker = measured.brokers[0]
    port = broker.metrics_port
    with Bystander(measured, broker):
        assert get(port, '/')[0] == 404
        assert get(port, '/metrics/')[0] == 404
        assert get(port, '/' + 'a' * 4000)[0] == 404
        assert get(port, '/metrics?name[]=x')[0] == 200
        for method in 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH':
            status, headers, _ = get(port, method=method)
            assert status == 405 and headers['Allow'] == 'GET', method
        assert get(port, body=b'x' * 1000)[0] == 200
        assert exchange(port, b'GET /metrics HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n').startswith(b'HTTP/1.1 413 ')
        assert exchange(port, b'GET /metrics HTTP/1.1\r\nX: ' + b'x' * 100000).split(b' ')[1:2] in ([b'400'], [])
        assert exchange(port, b'GET /metrics HTTP/1.1\r\n' + b'X: y\r\n' * 10000).split(b' ')[1:2] in ([b'400'], [])
        assert exchange(port, b'GET /metrics HTTP/1.1\r\nContent-Length: what\r\n\r\n').split(b' ')[1] == b'400'
        for nonsense in b'\0' * 100, b'\r\n\r\n', b'\x16\x03\x01\x02\x00' * 50, b'GET\r\n\r\n', b'GET /metrics HTTP/9.9\r\n\r\n':
            with socket.create_connection(('127.0.0.1', port)) as s:
                s.sendall(nonsense)
        silent = [socket.create_connection(('127.0.0.1', port)) for _ in range(20)]
        wait(lambda: get(port)[0] == 200, 'a scrape gets its turn among connections that say nothing', 60)
        for s in silent:
            s.close()
        assert scrape(broker)['klamm_requests_malformed_total'] == 0


def test_many_scrapes_at_once_are_answered_or_told_that_there_are_too_many(measured):
    told = []

    def one():
        told.append(get(measured.brokers[0].metrics_port)[0])
    with Bystander(measured, measured.brokers[0]):
        for _ in range(5):
            threads = [threading.Thread(target=one) for _ in range(6)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
    assert len(told) == 30 and set(told) <= {200, 503} and told.count(200) > 10


def test_scrapes_are_answered_while_zookeeper_is_away(make_cluster):
    cluster = with_metrics(make_cluster(zookeeper=None, start=False)).start()
    broker, controller, state = cluster.brokers[0], cluster.controllers[0], 'klamm_zookeeper_session_state'
    lost = 'kafka_server_sessionexpirelistener_zookeeperdisconnects_total'
    assert scrape(broker)[lost] == 0
    cluster.zookeeper.kill()
    wait(lambda: scrape(broker)[state]['connected'] == 0, 'the loss is seen')
    assert scrape(broker)[lost] == 1
    wait(lambda: scrape(controller)[lost] == 1, 'by the controller, too')
    cluster.zookeeper.start().ready()
    wait(lambda: scrape(broker)[state]['connected'] == 1 and scrape(broker)['klamm_registered'] == 1, 'it is back')
    wait(lambda: scrape(broker)['klamm_controller_connected'] == 1, 'and so is the controller')


def test_a_broker_stops_and_starts_under_scrapes(measured):
    broker, end, told = measured.brokers[0], threading.Event(), set()

    def scrape_on():
        while not end.is_set():
            try:
                told.add(get(broker.metrics_port)[0])
            except (OSError, http.client.HTTPException):
                told.add(None)
    threads = [threading.Thread(target=scrape_on) for _ in range(3)]
    for t in threads:
        t.start()
    try:
        for _ in range(3):
            wait(lambda: 200 in told, 'scrapes are answered')
            assert broker.stop() == 0
            told.clear()
            broker.start()
            measured.ready()
        wait(lambda: 200 in told, 'scrapes are answered again')
    finally:
        end.set()
        for t in threads:
            t.join()
    assert told <= {200, 503, None}


def check_config(tmp_path, listener):
    config = tmp_path / 'server.properties'
    config.write_text('zookeeper.connect=127.0.0.1:1\nlog.dirs=%s\nklamm.metrics.listener=%s\n' % (tmp_path, listener))
    done = subprocess.run([os.path.join(BUILD, 'klamm-broker'), '--check-config', str(config)], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_the_key_is_checked(tmp_path):
    for listener in '', '127.0.0.1:9404', '[::1]:9404', 'localhost:9404':
        assert check_config(tmp_path, listener)[0] == 0, listener
    for listener in '9404', ':9404', '127.0.0.1', '127.0.0.1:0', '127.0.0.1:70000', 'http://127.0.0.1:9404', 'a:1,b:2', '127.0.0.1:9404/metrics':
        status, text = check_config(tmp_path, listener)
        assert status == 2 and 'klamm.metrics.listener' in text and 'host:port' in text, (listener, text)


def test_a_port_that_is_taken_stops_the_start_and_is_named(make_cluster):
    cluster = make_cluster(start=False)
    broker = cluster.brokers[0]
    with socket.create_server(('127.0.0.1', free_port())) as taken:
        broker.rows['klamm.metrics.listener'] = '127.0.0.1:%d' % taken.getsockname()[1]
        broker.start()
        assert broker.wait_exit() == 1
    assert 'klamm.metrics.listener: cannot listen on 127.0.0.1 port %d: in use' % taken_port(broker) in broker.log_text()


def taken_port(broker):
    return int(broker.rows['klamm.metrics.listener'].rsplit(':', 1)[1])
