"""The log files of all replicas against each other, byte for byte (S5): the strongest and cheapest check.

Replicas may roll their segments at other places, and may keep more or less at the start; the batches between must be the same bytes, at the same
offsets, without a gap, with epochs that do not fall (S6, S8).
"""
import hashlib
import os
import re
import struct
import subprocess

HEAD = 61
SEGMENT = re.compile(r'^\d{20}\.log$')


class Log:
    """Batches of one replica: (base offset, next offset, leader epoch, digest of its bytes)."""

    def __init__(self, folder):
        self.folder, self.batches, self.faults = folder, [], []
        try:
            names = sorted(n for n in os.listdir(folder) if SEGMENT.match(n))
        except OSError:
            names = []
            self.faults.append('%s is missing' % folder)
        for name in names:
            with open(os.path.join(folder, name), 'rb') as f:
                self.read(name, f.read())
        self.check()

    def read(self, name, data):
        at = 0
        while at + HEAD <= len(data):
            base, length, epoch, magic = struct.unpack_from('>qiib', data, at)
            end = at + 12 + length
            if magic != 2 or length < HEAD - 12 or end > len(data):
                break
            last = struct.unpack_from('>i', data, at + 23)[0]
            self.batches.append((base, base + last + 1, epoch, hashlib.blake2b(data[at:end], digest_size=8).digest()))
            at = end
        if at != len(data) and any(data[at:]):
            self.faults.append('%s/%s: %d bytes at %d are no batch' % (self.folder, name, len(data) - at, at))

    def check(self):
        for one, next_one in zip(self.batches, self.batches[1:]):
            if next_one[0] != one[1]:
                self.faults.append('%s: offset %d follows %d' % (self.folder, next_one[0], one[1] - 1))
            if next_one[2] < one[2]:
                self.faults.append('%s: epoch %d at offset %d after epoch %d' % (self.folder, next_one[2], next_one[0], one[2]))

    @property
    def end(self):
        return self.batches[-1][1] if self.batches else 0

    def since(self, offset):
        return [batch for batch in self.batches if batch[0] >= offset]


def compare(folders):
    """What is wrong between these folders of one partition; an empty list when they are the same."""
    logs = [Log(folder) for folder in folders]
    faults = [text for log in logs for text in log.faults]
    start = max((log.batches[0][0] for log in logs if log.batches), default=0)
    first = logs[0]
    for other in logs[1:]:
        mine, others = first.since(start), other.since(start)
        if mine == others:
            continue
        n = next((i for i, (a, b) in enumerate(zip(mine, others)) if a != b), min(len(mine), len(others)))
        faults.append('%s and %s differ: ends %d and %d, first at %s and %s' % (
            first.folder, other.folder, first.end, other.end, mine[n:n + 1], others[n:n + 1]))
    return faults


def dump(klamm, folders):
    """`klamm dump-log` over all segments: every batch with its CRC and all indexes. What it complains of."""
    files = [os.path.join(folder, name) for folder in folders if os.path.isdir(folder) for name in sorted(os.listdir(folder)) if SEGMENT.match(name)]
    faults = []
    for i in range(0, len(files), 50):
        done = subprocess.run([klamm, 'dump-log', '--files', ','.join(files[i:i + 50])], capture_output=True, text=True)
        if done.returncode != 0 or 'isvalid: false' in done.stdout:
            bad = [line for line in done.stdout.splitlines() if 'isvalid: false' in line]
            faults.append('klamm dump-log: exit status %d: %s' % (done.returncode, (bad or [done.stderr[-500:]])[0]))
    return faults
