"""The table: what was measured, beside Kafka's and the bare loop's, with the target and whether it is met."""
import re


def get(figures, path):
    for key in path.split('.'):
        figures = figures.get(key) if isinstance(figures, dict) else None
    return figures


def election_to_office(log):
    """Seconds from the standby's election to its being in office, as it says itself."""
    match = re.search(r'in office after (\d+) ms', log or '')
    return int(match.group(1)) / 1000 if match else None


# Name, unit, path of the figure, how it is judged: ('kafka', most), ('kafka-least', least), ('bare', most, path), ('bare-least', least, path),
# ('own', most, path of another figure of ours), ('most', limit).
ROWS = [
    ('produce 1 KB, broker CPU', 's/GB', 'produce_1k.cpu_s_per_gb', ('kafka', 0.25), ('bare', 1.3, 'receive')),
    ('produce 1 KB, throughput', 'MB/s', 'produce_1k.mb_per_s', ('kafka-least', 1.0)),
    ('produce 1 KB, client CPU', 'cores', 'produce_1k.client_share'),
    ('produce 100 B, broker CPU', 's/million', 'produce_100.cpu_s_per_million', ('kafka', 0.25)),
    ('produce 100 B, throughput', '1000/s', 'produce_100.records_per_s', ('kafka-least', 1.0)),
    ('produce 100 B, client CPU', 'cores', 'produce_100.client_share'),
    ('consume 1 KB, broker CPU', 's/GB', 'consume_1k.cpu_s_per_gb', ('kafka', 0.33), ('bare', 1.3, 'sendfile.cpu_s_per_gb')),
    ('consume 1 KB, throughput', 'MB/s', 'consume_1k.mb_per_s', ('kafka-least', 1.0)),
    ('consume 1 KB, client CPU', 'cores', 'consume_1k.client_share'),
    ('ack at 200/s, p50', 'ms', 'latency_200.p50_ms', ('kafka', 0.6), ('beside', 'echo_200.p50_ms')),
    ('ack at 200/s, p99', 'ms', 'latency_200.p99_ms', ('most', 0.5), ('beside', 'echo_200.p99_ms')),
    ('ack at 2,000/s, p50', 'ms', 'latency_2000.p50_ms', ('kafka', 0.6), ('beside', 'echo_2000.p50_ms')),
    ('ack at 2,000/s, p99', 'ms', 'latency_2000.p99_ms', ('most', 0.5), ('beside', 'echo_2000.p99_ms')),
    ('exec to first ack', 'ms', 'start.ms', ('most', 100)),
    ('kill -9 with 10 GB of log: all led again', 's', 'restart.seconds', ('most', 5)),
    ('idle', '% of a core', 'idle.percent', ('most', 0.1)),
    ('resident, fresh', 'MB', 'resident_fresh.mb'),
    ('resident after the load', 'MB', 'resident_loaded.mb', ('most', 40)),
    ('many partitions: created by one request', 's', 'many.create_one.answered_s', ('most', 2)),
    ('  ... until all answer from their leaders', 's', 'many.create_one.led_s', ('most', 2)),
    ('as many more by many requests', 's', 'many.create_many.answered_s', ('most', 2)),
    ('  ... until all answer from their leaders', 's', 'many.create_many.led_s', ('most', 2)),
    ('taken over, from election', 's', 'many.takeover.election_s', ('most', 0.5)),
    ('taken over, from kill -9 (session time-out and all)', 's', 'many.takeover.outside_s'),
    ('cold start of three brokers, all led', 's', 'many.cold_start.led_s', ('most', 2)),
    ('descriptors of a broker', '', 'many.descriptors.n', ('most', 4096)),
    ('idle with many partitions', '% of a core', 'many.idle.percent', ('most', 0.1)),
    ('resident with many partitions', 'MB', 'many.resident.mb'),
    ('klamm topics --list', 'ms', 'listing.ms', ('most', 50)),
    ('3 copies, produce 1 KB, CPU of all brokers', 's/GB', 'replicas.produce_6.cpu_s_per_gb', ('kafka', 0.25), ('bare', 1.25, 'copies')),
    ('  ... throughput', 'MB/s', 'replicas.produce_6.mb_per_s', ('kafka-least', 1.0)),
    ('  ... over 100 partitions, CPU', 's/GB', 'replicas.produce_100p.cpu_s_per_gb', ('kafka', 0.25), ('own', 1.2, 'replicas.produce_6.cpu_s_per_gb')),
    ('  ... over 100 partitions, throughput', 'MB/s', 'replicas.produce_100p.mb_per_s', ('kafka-least', 1.0)),
    ('3 copies, produce 100 B, CPU of all brokers', 's/million', 'replicas.small.cpu_s_per_million', ('kafka', 0.25)),
    ('  ... throughput', '1000/s', 'replicas.small.records_per_s', ('kafka-least', 1.0)),
    ('3 copies, consume 1 KB, 6 partitions', 's/GB', 'replicas.consume_6.cpu_s_per_gb', ('kafka', 0.33)),
    ('  ... over 100 partitions', 's/GB', 'replicas.consume_100p.cpu_s_per_gb', ('own', 1.2, 'replicas.consume_6.cpu_s_per_gb')),
    ('3 copies, ack at 200/s, p50', 'ms', 'replicas.latency_200.p50_ms', ('kafka', 0.5)),
    ('3 copies, ack at 200/s, p99', 'ms', 'replicas.latency_200.p99_ms', ('kafka', 0.2)),
    ('3 copies, ack at 2,000/s, p50', 'ms', 'replicas.latency_2000.p50_ms', ('kafka', 0.5)),
    ('3 copies, ack at 2,000/s, p99', 'ms', 'replicas.latency_2000.p99_ms', ('kafka', 0.2), ('most', 3)),
    ('3 brokers, resident together', 'MB', 'replicas.resident.mb'),
    ('3 brokers, idle together', '% of a core', 'replicas.idle.percent'),
    ('2,000 partitions of 3 copies: all led', 's', 'replicas.many.led_s', ('most', 3)),
    ('  ... all in sync', 's', 'replicas.many.in_sync_s'),
    ('kill -9 of the leader of a third: first writable', 's', 'replicas.failover.first_s'),
    ('  ... last writable, worst', 's', 'replicas.failover.last_s', ('most', 1)),
    ('catching up', 'MB/s', 'replicas.catchup.mb_per_s', ('bare-least', 0.6, 'copy.mb_per_s')),
    ('  ... p99 of acks meanwhile', 'ms', 'replicas.catchup.p99_ms', ('most', 5), ('beside', 'beside.p99_ms')),
]


def number(value, unit=''):
    if value is None:
        return '-'
    if unit == '1000/s':
        value /= 1000
    if value >= 100:
        return '%.0f' % value
    return '%.1f' % value if value >= 10 else '%.3g' % value if value else '0'


def bare_of(result, path):
    """The bare loop to compare with; for receiving that with frames of a megabyte, as the client sends them."""
    if path == 'receive':
        return get(result['bare'], 'receive_1024k.cpu_s_per_gb')
    if path == 'copies':
        receive, send = get(result['bare'], 'receive_1024k.cpu_s_per_gb'), get(result['bare'], 'sendfile.cpu_s_per_gb')
        return 3 * receive + 2 * send if receive and send else None
    return get(result['bare'], path)


def judge(result, path, rules):
    """(Kafka's, ours, the bare loop's, ratio to Kafka, targets and whether each is met)"""
    kafka, klamm, bare, words = get(result['kafka'], path), get(result['klamm'], path), None, []
    for rule in rules:
        met, text = None, ''
        if rule[0] in ('bare', 'bare-least', 'beside'):
            bare = bare_of(result, rule[-1])
        if rule[0] == 'kafka':
            text, met = '<= %g x Kafka' % rule[1], klamm <= rule[1] * kafka if None not in (klamm, kafka) else None
        elif rule[0] == 'kafka-least':
            text, met = '>= %g x Kafka' % rule[1], klamm >= rule[1] * kafka if None not in (klamm, kafka) else None
        elif rule[0] == 'bare':
            text, met = '<= %g x bare' % rule[1], klamm <= rule[1] * bare if None not in (klamm, bare) else None
        elif rule[0] == 'bare-least':
            text, met = '>= %g x bare' % rule[1], klamm >= rule[1] * bare if None not in (klamm, bare) else None
        elif rule[0] == 'own':
            own = get(result['klamm'], rule[2])
            text, met = '<= %g x that of 6' % rule[1], klamm <= rule[1] * own if None not in (klamm, own) else None
        elif rule[0] == 'most':
            text, met = '<= %g' % rule[1], klamm <= rule[1] if klamm is not None else None
        if text:
            words.append(text + {None: '', True: ' yes', False: ' NO'}[met])
    ratio = klamm / kafka if kafka and klamm is not None else None
    return kafka, klamm, bare, ratio, '; '.join(words)


def table(result):
    if get(result['klamm'], 'many.takeover'):
        result['klamm']['many']['takeover']['election_s'] = election_to_office(result['klamm']['many']['takeover'].get('log'))
    rows = [('', '', 'Kafka', 'Klamm', 'ratio', 'bare', 'bare ratio', 'target')]
    for name, unit, path, *rules in ROWS:
        kafka, klamm, bare, ratio, words = judge(result, path, rules)
        if kafka is None and klamm is None:
            continue
        rows.append((name, unit, number(kafka, unit), number(klamm, unit), number(ratio), number(bare, unit),
                     number(klamm / bare if bare and klamm is not None else None), words))
    return rows


def markdown(result):
    rows = table(result)
    lines = ['| ' + ' | '.join(rows[0]) + ' |', '|' + '---|' * len(rows[0])]
    return '\n'.join(lines + ['| ' + ' | '.join(row) + ' |' for row in rows[1:]])


def text(result):
    rows = table(result)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return '\n'.join('  '.join(cell.ljust(w) if i in (0, 1, 7) else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))).rstrip()
                     for row in rows)


def missed(result):
    return sum(' NO' in row[-1] for row in table(result))
