"""Record batches (format v2) built and read by hand, so that tests can make any byte wrong. Compression and CRC-32C come from the
libraries that Klamm itself needs (libzstd, liblz4, libsnappy, isa-l), through ctypes."""
import ctypes
import gzip
import struct
import time
from collections import namedtuple

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
CODECS = {'none': NONE, 'gzip': GZIP, 'snappy': SNAPPY, 'lz4': LZ4, 'zstd': ZSTD}
HEAD = struct.Struct('>qiibIhiqqqhii')
XERIAL = b'\x82SNAPPY\x00' + struct.pack('>ii', 1, 1)

Record = namedtuple('Record', 'offset timestamp key value headers')
Batch = namedtuple('Batch', 'base_offset length leader_epoch magic crc attributes last_offset_delta base_timestamp max_timestamp '
                   'producer_id producer_epoch base_sequence count records size crc_ok')

zstd = ctypes.CDLL('libzstd.so.1')
lz4 = ctypes.CDLL('liblz4.so.1')
snappy = ctypes.CDLL('libsnappy.so.1')
isal = ctypes.CDLL('libisal.so.2')
for function in (zstd.ZSTD_compressBound, zstd.ZSTD_compress, zstd.ZSTD_decompress, lz4.LZ4F_compressFrameBound, lz4.LZ4F_compressFrame,
                 lz4.LZ4F_decompress, lz4.LZ4F_createDecompressionContext, snappy.snappy_max_compressed_length):
    function.restype = ctypes.c_size_t
isal.crc32_iscsi.restype = ctypes.c_uint


def crc32c(data):
    return ~isal.crc32_iscsi(bytes(data), ctypes.c_int(len(data)), ctypes.c_uint(0xffffffff)) & 0xffffffff


def varint(n):
    n = (n << 1) ^ (n >> 63)
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def read_varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


def zstd_compress(data):
    room = zstd.ZSTD_compressBound(ctypes.c_size_t(len(data)))
    out = ctypes.create_string_buffer(room)
    n = zstd.ZSTD_compress(out, ctypes.c_size_t(room), data, ctypes.c_size_t(len(data)), 3)
    return out.raw[:n]


# LZ4F_preferences_t with independent blocks, the only ones that Kafka's Java reads.
LZ4_INDEPENDENT = struct.pack('<IIIIQIIiIIIII', 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def lz4_compress(data, preferences=LZ4_INDEPENDENT):
    room = lz4.LZ4F_compressFrameBound(ctypes.c_size_t(len(data)), preferences)
    out = ctypes.create_string_buffer(room)
    n = lz4.LZ4F_compressFrame(out, ctypes.c_size_t(room), data, ctypes.c_size_t(len(data)), preferences)
    return out.raw[:n]


def snappy_raw(data):
    room = ctypes.c_size_t(snappy.snappy_max_compressed_length(ctypes.c_size_t(len(data))))
    out = ctypes.create_string_buffer(room.value)
    assert snappy.snappy_compress(data, ctypes.c_size_t(len(data)), out, ctypes.byref(room)) == 0
    return out.raw[:room.value]


def snappy_xerial(data):
    out = bytearray(XERIAL)
    for at in range(0, len(data), 32768):
        block = snappy_raw(data[at:at + 32768])
        out += struct.pack('>i', len(block)) + block
    return bytes(out)


def compress(codec, data):
    return {NONE: bytes, GZIP: lambda d: gzip.compress(d, mtime=0), SNAPPY: snappy_xerial, LZ4: lz4_compress, ZSTD: zstd_compress}[codec](
        bytes(data))


def lz4_decompress(data):
    context, out = ctypes.c_void_p(), bytearray()
    lz4.LZ4F_createDecompressionContext(ctypes.byref(context), ctypes.c_uint(100))
    buffer, at = ctypes.create_string_buffer(1 << 16), 0
    while at < len(data):
        room, taken = ctypes.c_size_t(len(buffer)), ctypes.c_size_t(len(data) - at)
        code = lz4.LZ4F_decompress(context, buffer, ctypes.byref(room), data[at:], ctypes.byref(taken), None)
        assert code < 1 << 60, 'lz4 frame'
        out += buffer.raw[:room.value]
        at += taken.value
    lz4.LZ4F_freeDecompressionContext(context)
    return bytes(out)


def snappy_decompress_raw(data):
    room = ctypes.c_size_t()
    assert snappy.snappy_uncompressed_length(data, ctypes.c_size_t(len(data)), ctypes.byref(room)) == 0
    out = ctypes.create_string_buffer(max(room.value, 1))
    assert snappy.snappy_uncompress(data, ctypes.c_size_t(len(data)), out, ctypes.byref(room)) == 0
    return out.raw[:room.value]


def snappy_decompress(data):
    if not data.startswith(XERIAL[:8]):
        return snappy_decompress_raw(data)
    out, at = bytearray(), 16
    while at < len(data):
        n = struct.unpack_from('>i', data, at)[0]
        out += snappy_decompress_raw(data[at + 4:at + 4 + n])
        at += 4 + n
    return bytes(out)


def zstd_decompress(data):
    room = 1 << 20
    while True:
        out = ctypes.create_string_buffer(room)
        n = zstd.ZSTD_decompress(out, ctypes.c_size_t(room), data, ctypes.c_size_t(len(data)))
        if n <= room:
            return out.raw[:n]
        room *= 4
        assert room < 1 << 30, 'zstd frame'


def decompress(codec, data):
    return {NONE: bytes, GZIP: gzip.decompress, SNAPPY: snappy_decompress, LZ4: lz4_decompress, ZSTD: zstd_decompress}[codec](bytes(data))


def nullable(data):
    return varint(-1) if data is None else varint(len(data)) + data


def record(offset_delta, timestamp_delta, key, value, headers=()):
    body = b'\x00' + varint(timestamp_delta) + varint(offset_delta) + nullable(key) + nullable(value) + varint(len(headers))
    for name, content in headers:
        body += varint(len(name)) + name + nullable(content)
    return varint(len(body)) + body


def now_ms():
    return int(time.time() * 1000)


def as_record(item):
    """Accepts b'value', (key, value), (key, value, headers) or (key, value, headers, timestamp)."""
    if item is None or isinstance(item, bytes):
        return None, item, (), None
    item = tuple(item) + (None,) * (4 - len(item))
    return item[0], item[1], item[2] or (), item[3]


def seal(data):
    """The batch with its checksum made right."""
    data = bytearray(data)
    struct.pack_into('>I', data, 17, crc32c(data[21:]))
    return bytes(data)


def build(items, codec=NONE, base_timestamp=None, producer_id=-1, producer_epoch=-1, base_sequence=-1, base_offset=0, attributes=0,
          magic=2, last_offset_delta=None, count=None, max_timestamp=None, leader_epoch=-1, payload=None, length=None, crc=None):
    """One batch. Everything after `attributes` is there to be made wrong."""
    items = [as_record(item) for item in items]
    if base_timestamp is None:
        base_timestamp = items[0][3] if items and items[0][3] is not None else now_ms()
    stamps = [base_timestamp if item[3] is None else item[3] for item in items]
    body = b''.join(record(i, stamps[i] - base_timestamp, k, v, h) for i, (k, v, h, _) in enumerate(items))
    body = compress(codec, body) if payload is None else payload
    head = HEAD.pack(base_offset, 49 + len(body) if length is None else length, leader_epoch, magic, 0, attributes | codec,
                     len(items) - 1 if last_offset_delta is None else last_offset_delta, base_timestamp,
                     (max(stamps) if stamps else -1) if max_timestamp is None else max_timestamp, producer_id, producer_epoch,
                     base_sequence, len(items) if count is None else count)
    sealed = bytearray(seal(head + body))
    if crc is not None:
        struct.pack_into('>I', sealed, 17, crc)
    return bytes(sealed)


def read_records(batch_head, payload):
    (base_offset, _, _, _, _, attributes, _, base_timestamp, max_timestamp, *_, count) = batch_head
    data, at, records = decompress(attributes & 7, payload), 0, []
    for _ in range(count):
        _, at = read_varint(data, at)
        at += 1
        timestamp, at = read_varint(data, at)
        offset, at = read_varint(data, at)
        fields = []
        for _ in range(2):
            n, at = read_varint(data, at)
            fields.append(None if n < 0 else bytes(data[at:at + n]))
            at += max(n, 0)
        headers = []
        n_headers, at = read_varint(data, at)
        for _ in range(n_headers):
            n, at = read_varint(data, at)
            name = bytes(data[at:at + n])
            at += n
            n, at = read_varint(data, at)
            headers.append((name, None if n < 0 else bytes(data[at:at + n])))
            at += max(n, 0)
        stamp = max_timestamp if attributes & 8 else base_timestamp + timestamp
        records.append(Record(base_offset + offset, stamp, fields[0], fields[1], tuple(headers)))
    assert at == len(data), 'bytes behind the last record'
    return records


def parse(data):
    """All whole batches in data; what is cut off at the end is left out, as clients do."""
    batches, at = [], 0
    while at + HEAD.size <= len(data):
        head = HEAD.unpack_from(data, at)
        size = head[1] + 12
        if at + size > len(data):
            break
        payload = data[at + HEAD.size:at + size]
        ok = crc32c(data[at + 21:at + size]) == head[4]
        batches.append(Batch(*head, read_records(head, payload), size, ok))
        at += size
    return batches


def records(data):
    return [r for b in parse(data or b'') for r in b.records]


def values(data):
    return [r.value for r in records(data)]
