"""Histories as arrays (the format is told in history.h)."""
import numpy as np

INVOKE, OK, FAIL, INFO, POLL, FINAL, BOUNDS, ENDED, MARK, RESET, FATAL = range(1, 12)
ASSIGNED, REVOKED, TAKEN, COMMIT, COMMIT_OK, COMMIT_FAIL, COMMIT_INFO, FETCHED, MEMBER_FATAL = range(12, 21)
KINDS = range(1, 21)
CORRUPT, MISROUTED, EXCUSED = 1, 2, 4

EVENT = np.dtype([('ns', '<i8'), ('begin_ns', '<i8'), ('sequence', '<i8'), ('offset', '<i8'), ('random', '<u8'), ('partition', '<i4'),
                  ('error', '<i4'), ('process', '<u2'), ('producer', '<u2'), ('flags', '<u2'), ('topic', 'u1'), ('kind', 'u1')])
PARTITIONS_MAX = 64


def load(*paths):
    """The events of these files, in the order of time."""
    parts = [np.fromfile(path, dtype=EVENT) for path in paths]
    events = np.concatenate(parts) if parts else np.zeros(0, EVENT)
    return events[np.argsort(events['ns'], kind='stable')]


def place(events):
    """One number for topic and partition."""
    return events['topic'].astype(np.int64) * PARTITIONS_MAX + events['partition']


def key(events):
    """One number for the producer and its sequence: the identity of a value."""
    return events['producer'].astype(np.int64) << 40 | events['sequence']


def of_kind(events, *kinds):
    return events[np.isin(events['kind'], kinds)]
