"""Kafka messages as dictionaries: reads proto/kafka/*.api (the language is told in proto/README.md) and encodes and decodes any
message in any version. A second, independent reader of the schemas: that they equal Kafka's is proved by test/golden, and by
running these tests against real Kafka (SYSTEM_TARGET=kafka)."""
import os
import re
import struct
import uuid

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'proto', 'kafka')
WIDTH = {'bool': '?', 'i8': 'b', 'i16': 'h', 'u16': 'H', 'i32': 'i', 'u32': 'I', 'i64': 'q', 'f64': 'd'}
MEANING = {'error': 'i16', 'producer_epoch': 'i16', 'broker_id': 'i32', 'partition_id': 'i32', 'partition': 'i32', 'epoch': 'i32',
           'ms': 'i32', 'generation': 'i32', 'offset': 'i64', 'producer_id': 'i64', 'timestamp': 'i64', 'broker_epoch': 'i64',
           'ms64': 'i64'}
NO_VERSION = (0, -1)
ZERO_UUID = uuid.UUID(int=0)


class Obj(dict):
    """A dictionary whose keys are attributes too."""
    __getattr__ = dict.__getitem__


class Malformed(Exception):
    pass


def parse_range(word):
    m = re.fullmatch(r'(\d+)(?:(\+)|-(\d+))?', word)
    if not m:
        return None
    low = int(m[1])
    return (low, 32767) if m[2] else (low, int(m[3])) if m[3] else (low, low)


def within(version, span):
    return span[0] <= version <= span[1]


class Field:
    def __init__(self, line):
        words = re.findall(r'"[^"]*"|\S+', line)
        self.name, kind, rest = words[0], words[1], words[2:]
        self.array = kind.startswith('[]')
        self.kind = kind[2:] if self.array else kind
        self.versions, self.nullable, self.tag, self.default, self.fields = None, NO_VERSION, None, None, None
        self.has_default = False
        self.take(rest)

    def take(self, words):
        i = 0
        while i < len(words):
            word = words[i]
            if word == 'nullable':
                follows = parse_range(words[i + 1]) if i + 1 < len(words) else None
                self.nullable = follows or (0, 32767)
                i += bool(follows)
            elif word == 'tag':
                self.tag = int(words[i + 1])
                i += 1
            elif word == '=':
                self.has_default, self.default = True, self.literal(words[i + 1])
                i += 1
            elif word == 'limit':
                i += 1
            elif word != 'lossy':
                self.versions = parse_range(word)
            i += 1

    def literal(self, word):
        return {'null': None, 'true': True, 'false': False}[word] if word in ('null', 'true', 'false') else (
            word[1:-1] if word[0] == '"' else int(word))

    def value_if_missing(self):
        if self.has_default:
            return self.default
        if self.array:
            return []
        if self.fields is not None:
            return {}
        return {'string': '', 'bytes': b'', 'records': None, 'uuid': ZERO_UUID, 'bool': False}.get(self.kind, 0)


class Message:
    """One direction of one API: the tree of its fields."""

    def __init__(self, fields, flexible):
        self.fields, self.flexible = fields, flexible

    def encode(self, version, value):
        out = bytearray()
        Writer(out, version, within(version, self.flexible)).struct(self.fields, value)
        return bytes(out)

    def decode(self, version, data):
        reader = Reader(data, version, within(version, self.flexible))
        value = reader.struct(self.fields)
        if reader.at != len(data):
            raise Malformed('%d bytes left over' % (len(data) - reader.at))
        return value


class Writer:
    def __init__(self, out, version, flexible):
        self.out, self.version, self.flexible = out, version, flexible

    def uvarint(self, n):
        while n > 127:
            self.out.append(n & 127 | 128)
            n >>= 7
        self.out.append(n)

    def length(self, n, short):
        if self.flexible:
            self.uvarint(n + 1)
        else:
            self.out += struct.pack('>h' if short else '>i', n)

    def scalar(self, kind, value):
        kind = MEANING.get(kind, kind)
        if kind in WIDTH:
            self.out += struct.pack('>' + WIDTH[kind], value)
        elif kind == 'uuid':
            self.out += value.bytes
        elif value is None:
            self.length(-1, kind == 'string')
        else:
            data = value.encode() if isinstance(value, str) else bytes(value)
            self.length(len(data), kind == 'string')
            self.out += data

    def field(self, field, value):
        if field.array:
            if value is None:
                return self.length(-1, False)
            self.length(len(value), False)
            for one in value:
                self.struct(field.fields, one) if field.fields is not None else self.scalar(field.kind, one)
        elif field.fields is not None:
            if field.nullable != NO_VERSION:
                self.out.append(255 if value is None else 1)
            if value is not None:
                self.struct(field.fields, value)
        else:
            self.scalar(field.kind, value)

    def struct(self, fields, value):
        unknown = set(value) - {f.name for f in fields}
        if unknown:
            raise KeyError('no such field: %s' % unknown)
        tagged = []
        for f in fields:
            if f.versions and not within(self.version, f.versions):
                continue
            if f.tag is None:
                self.field(f, value.get(f.name, f.value_if_missing()))
            elif f.name in value and self.flexible:
                tagged.append(f)
        if self.flexible:
            self.uvarint(len(tagged))
            for f in sorted(tagged, key=lambda f: f.tag):
                inner = bytearray()
                Writer(inner, self.version, True).field(f, value[f.name])
                self.uvarint(f.tag)
                self.uvarint(len(inner))
                self.out += inner


class Reader:
    def __init__(self, data, version, flexible):
        self.data, self.at, self.version, self.flexible = data, 0, version, flexible

    def take(self, n):
        if n < 0 or self.at + n > len(self.data):
            raise Malformed('%d bytes wanted at %d of %d' % (n, self.at, len(self.data)))
        self.at += n
        return self.data[self.at - n:self.at]

    def uvarint(self):
        value, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def length(self, short):
        return self.uvarint() - 1 if self.flexible else struct.unpack('>h', self.take(2))[0] if short else (
            struct.unpack('>i', self.take(4))[0])

    def scalar(self, kind):
        kind = MEANING.get(kind, kind)
        if kind in WIDTH:
            return struct.unpack('>' + WIDTH[kind], self.take(struct.calcsize('>' + WIDTH[kind])))[0]
        if kind == 'uuid':
            return uuid.UUID(bytes=bytes(self.take(16)))
        n = self.length(kind == 'string')
        if n < 0:
            return None
        return self.take(n).decode() if kind == 'string' else bytes(self.take(n))

    def field(self, field):
        if field.array:
            n = self.length(False)
            if n < 0:
                return None
            return [self.struct(field.fields) if field.fields is not None else self.scalar(field.kind) for _ in range(n)]
        if field.fields is not None:
            if field.nullable != NO_VERSION and struct.unpack('b', self.take(1))[0] < 0:
                return None
            return self.struct(field.fields)
        return self.scalar(field.kind)

    def struct(self, fields):
        value, tags = Obj(), {}
        for f in fields:
            if f.tag is not None:
                value[f.name] = f.value_if_missing()
                tags[f.tag] = f
            elif f.versions and not within(self.version, f.versions):
                value[f.name] = f.value_if_missing()
            else:
                value[f.name] = self.field(f)
        if self.flexible:
            for _ in range(self.uvarint()):
                tag, size = self.uvarint(), self.uvarint()
                end = self.at + size
                if tag in tags:
                    value[tags[tag].name] = self.field(tags[tag])
                self.at = end
        return value


class Api:
    """One schema file: name, key, versions, request, response."""

    def __init__(self, path):
        with open(path) as file:
            lines = [re.sub(r'\s*#(?=([^"]*"[^"]*")*[^"]*$).*', '', line).rstrip() for line in file]
        head = next(line for line in lines if line.startswith('api ')).split()
        self.name, self.key = head[1], int(head[2])
        self.versions = parse_range(head[4])
        self.flexible = (0, -1) if head[6] == 'none' else parse_range(head[6])
        self.request = Message(self.section(lines, 'request'), self.flexible)
        self.response = Message(self.section(lines, 'response'), self.flexible)

    def section(self, lines, name):
        body, inside = [], False
        for line in lines:
            if line and not line.startswith(' '):
                inside = line == name
            elif line and inside:
                body.append(line)
        return self.tree(body)

    def tree(self, lines):
        root, types = [], {}
        stack = [(-1, root)]
        for line in lines:
            depth = len(line) - len(line.lstrip())
            while stack[-1][0] >= depth:
                stack.pop()
            field = Field(line.strip())
            parent = stack[-1][1]
            (parent if isinstance(parent, list) else parent.children()).append(field)
            field.children = lambda field=field, types=types: self.declare(field, types)
            stack.append((depth, field))
        self.resolve(root, types)
        return root

    def declare(self, field, types):
        if field.fields is None:
            field.fields = types[field.kind] = []
        return field.fields

    def resolve(self, fields, types):
        for f in fields:
            if f.fields is None and f.kind in types:
                f.fields = types[f.kind]
            elif f.fields is not None:
                self.resolve(f.fields, types)


def load():
    apis = {}
    for name in sorted(os.listdir(FOLDER)):
        path = os.path.join(FOLDER, name)
        if name.endswith('.api') and re.search(r'^api ', open(path).read(), re.M):
            api = Api(path)
            apis[api.name] = api
    return apis


APIS = load()
BY_KEY = {api.key: api for api in APIS.values()}
