"""Judges what a consumer group was told: whose partitions were whose, and what was committed (G1, G2).

A commit takes effect somewhere between its beginning and its end. One that nobody knows the outcome of, or that the client library may have sent
twice (it asks again after LOAD_SOCKET_MS without an answer), may take effect later than its end, while the broker it went to stands still:
but not for longer than a session, after which that broker leads nothing.
"""
import numpy as np

import history
from history import ASSIGNED, COMMIT, COMMIT_FAIL, COMMIT_INFO, COMMIT_OK, FETCHED

# What a coordinator may answer: it loads, is not to be had, is another one; too late; stale generation, unknown member, rebalance, fenced.
EXPECTED = [7, 14, 15, 16, 22, 25, 27, 82]
LOCAL = -100  # Errors of the library itself are below this.
RESEND_NS = 2900 * 10**6
NEVER = np.iinfo(np.int64).max


class Register:
    """What one partition's committed offset may be. Commits in the order of their beginning: those that may have taken effect."""

    def __init__(self, commits, late_ns):
        self.events, self.late_ns = commits, late_ns
        acked = commits[commits['kind'] == COMMIT_OK]
        # The latest beginning among commits acknowledged by then: what ended before that is overwritten. With it, who says so.
        self.ends = np.sort(acked['ns'])
        order = np.argsort(acked['ns'], kind='stable')
        self.begins = np.maximum.accumulate(acked['begin_ns'][order]) if len(acked) else acked['begin_ns']
        took = commits['ns'] - commits['begin_ns']
        late = (commits['kind'] != COMMIT_OK) | (took > RESEND_NS)
        self.over = np.where(commits['ns'] == NEVER, NEVER, commits['ns'] + np.where(late & (commits['ns'] < NEVER - late_ns), late_ns, 0))

    def acked_before(self, ns):
        return int(np.searchsorted(self.ends, ns))

    def explains(self, fetch):
        """None when the answer is one of those that may be; else the name of the anomaly."""
        known = self.acked_before(fetch['begin_ns'])
        if fetch['offset'] < 0:
            return 'commit_lost' if known else None
        said = (self.events['offset'] == fetch['offset']) & (self.events['begin_ns'] < fetch['ns'])
        if not np.any(said):
            return 'commit_phantom'
        # Not overwritten: no acknowledged commit began after this one was over and ended before the question.
        if not known or np.any(self.over[said] >= self.begins[known - 1]):
            return None
        return 'commit_back'


def outcomes(events):
    """One event for each commit and partition that may have taken effect: its end, or, when it has none, its beginning with an end at NEVER."""
    ends = history.of_kind(events, COMMIT_OK, COMMIT_FAIL, COMMIT_INFO)
    begun = events[events['kind'] == COMMIT]
    both = np.concatenate([ends, begun])
    keys = np.stack([both['random'].astype(np.int64), history.place(both)], axis=1)
    _, first = np.unique(keys, axis=0, return_index=True) if len(both) else (None, np.zeros(0, np.int64))
    one = both[first].copy()
    one['ns'][one['kind'] == COMMIT] = NEVER
    return one[np.argsort(one['begin_ns'], kind='stable')]


def check(events, found, late_ns):
    commits = outcomes(events)
    effective = commits[commits['kind'] != COMMIT_FAIL]
    fetches = events[(events['kind'] == FETCHED) & (events['error'] == 0)]
    for place in np.unique(history.place(fetches)).tolist():
        register = Register(effective[history.place(effective) == place], late_ns)
        bad = {}
        for fetch in fetches[history.place(fetches) == place]:
            what = register.explains(fetch)
            if what:
                bad.setdefault(what, []).append(fetch)
        for what, some in bad.items():
            found.add(what, np.array(some), lambda i, r=register, s=some: tell(r, s[i]))
    check_owners(events, commits, found)
    told = history.of_kind(events, COMMIT_FAIL, COMMIT_INFO, FETCHED)
    found.add('group_error', told[(told['error'] != 0) & (told['error'] > LOCAL) & ~np.isin(told['error'], EXPECTED)])


def errors(events):
    """{number: how often} of what commits and questions were answered with."""
    told = history.of_kind(events, COMMIT_FAIL, COMMIT_INFO, FETCHED)['error']
    numbers, counts = np.unique(told[told != 0], return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist()))


def tell(register, fetch):
    """The newest commit that was acknowledged before the question."""
    acked = register.events[(register.events['kind'] == COMMIT_OK) & (register.events['ns'] < fetch['begin_ns'])]
    if not len(acked):
        return 'nothing was acknowledged before'
    last = acked[np.argmax(acked['ns'])]
    return '%d was acknowledged %.3f s before the question, for member %d' % (last['offset'], (fetch['begin_ns'] - last['ns']) / 1e9, last['process'])


def check_owners(events, commits, found):
    """In a generation a partition is one member's; and none commits in a generation when a newer one has."""
    acked = commits[(commits['kind'] == COMMIT_OK) & (commits['sequence'] >= 0)]
    owned = np.concatenate([acked, events[(events['kind'] == ASSIGNED) & (events['sequence'] >= 0)]])
    order = np.lexsort((owned['process'], owned['sequence'], history.place(owned)))
    e = owned[order]
    p = history.place(e)
    split = (p[1:] == p[:-1]) & (e['sequence'][1:] == e['sequence'][:-1]) & (e['process'][1:] != e['process'][:-1])
    found.add('split_group', e[1:][split], lambda i: 'generation %d is also of member %d' % (e['sequence'][1:][split][i], e['process'][:-1][split][i]))
    for place in np.unique(history.place(acked)).tolist():
        here = acked[history.place(acked) == place]
        by_end = here[np.argsort(here['ns'], kind='stable')]
        newest = np.maximum.accumulate(by_end['sequence'])
        known = np.searchsorted(by_end['ns'], here['begin_ns'])
        old = (known > 0) & (here['sequence'] < newest[np.maximum(known - 1, 0)])
        found.add('split_group', here[old], lambda i: 'generation %d, after %d had committed' % (
            here['sequence'][old][i], newest[known[old][i] - 1]))
