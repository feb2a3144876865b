"""The shape of what stands in ZooKeeper: per family of paths, which keys with values of which types, and which kind of node."""
import collections
import json
import re

from kazoo.exceptions import NoNodeError

FAMILIES = [(r'/brokers/topics/[^/]+', '/brokers/topics/T'), (r'/config/topics/[^/]+', '/config/topics/T'),
            (r'/admin/delete_topics/[^/]+', '/admin/delete_topics/T'), (r'(/config/brokers)/\d+', r'\1/N'),
            (r'(/brokers/ids|/brokers/topics/T/partitions)/\d+', r'\1/N'), (r'_\d{10}$', '_SEQUENCE')]
# Objects whose keys are names of things, not of fields.
MAPS = {'partitions', 'adding_replicas', 'removing_replicas', 'config', 'listener_security_protocol_map', 'features'}
# Klamm says in its broker nodes that it is not Kafka and what its disks held at the start, tells its candidates for the office apart, and keeps
# incarnations and eligible replicas in states (KIP-903, KIP-966); Kafka ignores keys that it does not know.
OURS = ({('/controller', '.nonce')} | {('/brokers/ids/N', key) for key in ('.klamm', '.klamm_durability', '.klamm_min_isr', '.klamm_previous', '.klamm_start')} |
        {('/brokers/topics/T/partitions/N/state', key + item) for key in ('.isr_epochs', '.elr', '.elr_epochs', '.last_known_elr')
         for item in ('', '[]')})

Node = collections.namedtuple('Node', 'path data stat acl')


def family(path):
    for pattern, name in FAMILIES:
        path = re.sub(pattern, name, path)
    return path


def walk(client, path):
    """Every node below path, with names relative to it. What goes meanwhile is left out."""
    nodes, waiting = [], [path]
    while waiting:
        at = waiting.pop()
        try:
            children = client.get_children(at)
            if at != path:
                data, stat = client.get(at)
                nodes.append(Node(at[len(path):], data, stat, tuple(sorted(str(a) for a in client.get_acls(at)[0]))))
        except NoNodeError:
            continue
        waiting += [at + '/' + child for child in children]
    return nodes


def kind_of(value):
    return {bool: 'bool', int: 'number', str: 'text', list: 'list', dict: 'object', type(None): 'null'}[type(value)]


def rows(value, at=''):
    """(place, type) of all that a JSON value holds."""
    yield at, kind_of(value)
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from rows(inner, at + ('.*' if at.rsplit('.', 1)[-1] in MAPS else '.' + key))
    elif isinstance(value, list):
        for inner in value:
            yield from rows(inner, at + '[]')


def shape(node):
    if not node.data:
        what = {('', 'none' if node.data is None else 'empty')}
    else:
        try:
            what = set(rows(json.loads(node.data)))
        except ValueError:
            what = {('', 'plain text')}
    what = {row for row in what if (family(node.path), row[0]) not in OURS}
    return what | {('(lives)', 'as its session' if node.stat.ephemeralOwner else 'on'), ('(acl)', node.acl)}


def shapes(nodes):
    """{family: [shape, ...]}, each shape once."""
    table = collections.defaultdict(set)
    for node in nodes:
        table[family(node.path)].add(frozenset(shape(node)))
    return table


def may_be(mine, theirs):
    """Whether a shape is one that they write, too: an empty list or map may stand for a filled one."""
    everything = set().union(*theirs)
    always = frozenset.intersection(*theirs)
    def inner(row):
        return '*' in row[0] or '[]' in row[0]
    unknown = {row for row in mine if row not in everything}
    missing = {row for row in always if row not in mine and not inner(row)}
    return unknown, missing


def faults(ours, theirs):
    """Families that both wrote, and what is strange in ours."""
    found = []
    for name, mine in sorted(ours.items()):
        if name not in theirs:
            continue
        for one in mine:
            unknown, missing = may_be(one, theirs[name])
            if unknown or missing:
                found.append('%s: only we write %s; they always write %s' % (name, sorted(map(str, unknown)), sorted(map(str, missing))))
    return found
