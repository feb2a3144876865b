"""Judges a history: which promises were broken, and how long nothing was acknowledged. Everything is sorting: O(n log n).

Classes of anomalies, each with the invariant it breaks (reliability, S and T ids as in ARCHITECTURE.md):

    lost             acknowledged, and not in the log in the end (S1)
    vanished         read by a consumer, and not in the log in the end (S1, S5)
    inconsistent     two values at one offset (S5, S8)
    duplicate        one value at two offsets (T1)
    phantom          read, but never written
    corrupt          read, with bytes that nobody wrote so (S15)
    misrouted        read in another topic, partition or run than it was written to
    failed_but_read  said to be certainly not written, and read
    send_order       acknowledged at offsets that do not rise in the order of sending
    reordered        in the log in another order than sent (T1)
    gap              an offset between start and end that holds nothing (S8)
    poll_skip        a consumer went over offsets
    poll_back        a consumer was given an offset again, or an earlier one
    consumer_reset   a consumer's position was refused
    producer_fatal   a producer was told something after which it could not go on (one that has five requests under way is excused: load_produce.c)
    unseen           acknowledged, and a live consumer has not got it in the end (L6)
    stale_end        an end told that is before what was acknowledged when it was asked for (S4, S9)
    end_back         an end told that is before one told earlier (S4)
    group_unseen     acknowledged, and no member of the consumer group has got it in the end (L6)
    commit_lost      nothing is committed, it was told, after a commit had been acknowledged (G2)
    commit_back      an offset is told as committed that was overwritten by a commit acknowledged before (G2)
    commit_phantom   an offset is told as committed that nobody committed, or whose commit was refused (G1, G2)
    split_group      two members own a partition in one generation, or a commit counted after one of a newer generation (G1, G3)
    group_error      a commit or a question for commits was answered with an error that is none of a coordinator

Told, and no anomaly:

    mark_back        a high watermark in a fetch below one shown to the same consumer: a new leader learns it from its followers, as in Kafka;
                     it must not tell such an end when asked for it (end_back)
    member_fatal     a member was told that another one has its name: as it may be when its predecessor's request reaches a broker late
"""
import collections

import numpy as np

import group_checker
import history
from history import (ASSIGNED, BOUNDS, COMMIT_FAIL, COMMIT_INFO, COMMIT_OK, CORRUPT, ENDED, EXCUSED, FAIL, FATAL, FETCHED, FINAL, INFO, INVOKE, MARK,
                     MEMBER_FATAL, MISROUTED, OK, POLL, RESET, TAKEN)

CLASSES = ['lost', 'vanished', 'inconsistent', 'duplicate', 'phantom', 'corrupt', 'misrouted', 'failed_but_read', 'send_order', 'reordered',
           'gap', 'poll_skip', 'poll_back', 'consumer_reset', 'producer_fatal', 'unseen', 'stale_end', 'end_back', 'group_unseen',
           'commit_lost', 'commit_back', 'commit_phantom', 'split_group', 'group_error', 'mark_back', 'member_fatal']
NOTES = ['mark_back', 'member_fatal']
EXAMPLES = 5


class Findings:
    def __init__(self, topics):
        self.topics, self.counts, self.examples = topics, collections.Counter(), collections.defaultdict(list)

    def name(self, event):
        topic = self.topics[event['topic']] if event['topic'] < len(self.topics) else '?%d' % event['topic']
        return '%s-%d' % (topic, event['partition'])

    def show(self, e):
        text = '%s offset %d: producer %d sequence %d' % (self.name(e), e['offset'], e['producer'], e['sequence'])
        return text + ' (kind %d, process %d, at %.3f s, error %d)' % (e['kind'], e['process'], e['ns'] / 1e9, e['error'])

    def anomalies(self):
        return {what: n for what, n in self.counts.items() if n and what not in NOTES}

    def notes(self):
        return {what: n for what, n in self.counts.items() if n and what in NOTES}

    def add(self, what, events, more=None):
        assert what in CLASSES
        self.counts[what] += len(events)
        for i, event in enumerate(events[:max(0, EXAMPLES - len(self.examples[what]))]):
            self.examples[what].append(self.show(event) + (': ' + more(i) if more else ''))


class Checker:
    """topics: names by number. trimmed: numbers of topics whose start is moved by DeleteRecords or retention meanwhile.
    stale_ns: how long after an acknowledgement another end may still be told: S9 bounds it by the session time-out, and so a broker that hears
    the others but is not heard may be behind for so long. grouped: numbers of topics that the consumer group reads."""

    def __init__(self, events, topics, trimmed=(), consumers=(0, 1), stale_ns=0, grouped=()):
        self.events, self.trimmed, self.consumers, self.stale_ns = events, list(trimmed), consumers, stale_ns
        self.found, self.staleness, self.grouped = Findings(topics), 0.0, list(grouped)
        by = {kind: events[events['kind'] == kind] for kind in history.KINDS}
        self.by = by
        self.ok, self.final, self.poll = by[OK], by[FINAL], by[POLL]
        self.starts = {p: o for p, o in zip(history.place(by[BOUNDS]).tolist(), by[BOUNDS]['offset'].tolist())}
        self.final_whole = self.final[self.final['flags'] == 0]
        self.poll_whole = self.poll[self.poll['flags'] == 0]
        self.taken_whole = by[TAKEN][by[TAKEN]['flags'] == 0]

    def is_trimmed(self, events):
        return np.isin(events['topic'], self.trimmed)

    def check(self):
        self.check_values()
        self.check_offsets()
        self.check_presence()
        self.check_order()
        self.check_polls()
        self.check_ends()
        self.check_marks()
        self.check_group()
        fatal = self.by[FATAL]
        self.found.add('producer_fatal', fatal[fatal['flags'] & EXCUSED == 0])
        resets = self.by[RESET]
        self.found.add('consumer_reset', resets[~self.is_trimmed(resets)])
        return self.found

    def check_values(self):
        """Each value that was read is one that was written, there."""
        reads = history.of_kind(self.events, POLL, FINAL, TAKEN)
        self.found.add('corrupt', reads[reads['flags'] & CORRUPT != 0])
        self.found.add('misrouted', reads[reads['flags'] & MISROUTED != 0])
        whole = reads[reads['flags'] == 0]
        invoked = np.sort(self.by[INVOKE], order=['producer', 'sequence'])
        keys = history.key(invoked)
        if not len(invoked):
            self.found.add('phantom', whole)
            return
        at = np.minimum(np.searchsorted(keys, history.key(whole)), len(keys) - 1)
        same = (keys[at] == history.key(whole)) & (invoked['random'][at] == whole['random'])
        self.found.add('phantom', whole[~same])
        elsewhere = same & (history.place(invoked)[at] != history.place(whole))
        self.found.add('misrouted', whole[elsewhere])
        failed = history.key(self.by[FAIL])
        self.found.add('failed_but_read', whole[np.isin(history.key(whole), failed)])

    def check_offsets(self):
        """One value at an offset, one offset for a value."""
        told = self.ok[self.ok['offset'] >= 0]
        seen = np.concatenate([told, self.poll_whole, self.final_whole, self.taken_whole])
        place, offset, key = history.place(seen), seen['offset'], history.key(seen)
        order = np.lexsort((key, offset, place))
        p, o, k = place[order], offset[order], key[order]
        clash = (p[1:] == p[:-1]) & (o[1:] == o[:-1]) & (k[1:] != k[:-1])
        self.found.add('inconsistent', seen[order[1:][clash]], lambda i: 'and ' + self.found.show(seen[order[:-1][clash][i]]))
        order = np.lexsort((offset, place, key))
        p, o, k = place[order], offset[order], key[order]
        twice = (k[1:] == k[:-1]) & ((p[1:] != p[:-1]) | (o[1:] != o[:-1]))
        self.found.add('duplicate', seen[order[1:][twice]], lambda i: 'and ' + self.found.show(seen[order[:-1][twice][i]]))

    def before_start(self, events):
        """Records that DeleteRecords may have taken."""
        starts = np.array([self.starts.get(p, 0) for p in history.place(events).tolist()], dtype=np.int64)
        return self.is_trimmed(events) & ((events['offset'] < starts) | (events['offset'] < 0))

    def check_presence(self):
        final = history.key(self.final_whole)
        for what, events in (('lost', self.ok), ('vanished', np.concatenate([self.poll_whole, self.taken_whole]))):
            missing = events[~np.isin(history.key(events), final)]
            self.found.add(what, missing[~self.before_start(missing)])
        for event in self.by[BOUNDS]:
            here = self.final['offset'][(self.final['topic'] == event['topic']) & (self.final['partition'] == event['partition'])]
            missing = max(0, int(event['sequence'] - event['offset']) - len(np.unique(here)))
            if missing:
                self.found.add('gap', np.repeat(np.array([event]), missing))
        for consumer in self.consumers:
            got = history.key(self.poll_whole[self.poll_whole['process'] == consumer])
            missing = self.ok[~np.isin(history.key(self.ok), got)]
            self.found.add('unseen', missing[~self.is_trimmed(missing)], lambda i: 'by consumer %d' % consumer)

    def check_order(self):
        told = self.ok[self.ok['offset'] >= 0]
        for what, events in (('send_order', told), ('reordered', self.final_whole)):
            order = np.lexsort((events['sequence'], history.place(events), events['producer']))
            e = events[order]
            p = history.place(e)
            fell = (p[1:] == p[:-1]) & (e['producer'][1:] == e['producer'][:-1]) & (e['offset'][1:] <= e['offset'][:-1])
            self.found.add(what, e[1:][fell], lambda i: 'after ' + self.found.show(e[:-1][fell][i]))

    def check_polls(self):
        """Events of a consumer and partition in the order of time; after a reset everything may come again."""
        polls = history.of_kind(self.events, POLL, RESET)
        order = np.lexsort((np.arange(len(polls)), history.place(polls), polls['process']))
        e = polls[order]
        p = history.place(e)
        next_of = (p[1:] == p[:-1]) & (e['process'][1:] == e['process'][:-1]) & (e['kind'][1:] == POLL) & (e['kind'][:-1] == POLL)
        step = e['offset'][1:] - e['offset'][:-1]
        skipped = next_of & (step > 1) & ~self.is_trimmed(e[1:])
        self.found.add('poll_skip', e[1:][skipped], lambda i: 'after offset %d' % e['offset'][:-1][skipped][i])
        back = next_of & (step < 1)
        self.found.add('poll_back', e[1:][back], lambda i: 'after offset %d' % e['offset'][:-1][back][i])

    def check_ends(self):
        asked = self.by[ENDED]
        asked = asked[asked['error'] == 0]
        for place in np.unique(history.place(asked)).tolist():
            here = asked[history.place(asked) == place]
            acks = self.ok[(history.place(self.ok) == place) & (self.ok['offset'] >= 0)]
            self.judge_ends('stale_end', here, acks['ns'], acks['offset'] + 1)
            self.judge_ends('end_back', here, here['ns'], here['offset'])

    def judge_ends(self, what, asked, ns, ends):
        """Those asked after somebody knew of a later end: `ends`, known at `ns`."""
        if not len(ns):
            return
        order = np.argsort(ns, kind='stable')
        ns, highest = ns[order], np.maximum.accumulate(ends[order])
        known = np.searchsorted(ns, asked['begin_ns']) - 1
        low = (known >= 0) & (asked['offset'] < highest[np.maximum(known, 0)])
        since = ns[np.minimum(np.searchsorted(highest, asked['offset'], side='right'), len(ns) - 1)]
        lag = asked['begin_ns'] - since
        late = low & (lag > self.stale_ns)
        if np.any(low):
            self.staleness = max(self.staleness, float(np.max(lag[low])) / 1e9)
        self.found.add(what, asked[late], lambda i: '%.3f s after %d was known' % (lag[late][i] / 1e9, highest[known[late][i]]))

    def check_marks(self):
        marks = self.by[MARK]
        order = np.lexsort((np.arange(len(marks)), history.place(marks), marks['process']))
        e = marks[order]
        p = history.place(e)
        back = (p[1:] == p[:-1]) & (e['process'][1:] == e['process'][:-1]) & (e['offset'][1:] < e['offset'][:-1])
        self.found.add('mark_back', e[1:][back], lambda i: 'after %d' % e['offset'][:-1][back][i])

    def check_group(self):
        due = self.ok[np.isin(self.ok['topic'], self.grouped)]
        missing = due[~np.isin(history.key(due), history.key(self.taken_whole))]
        self.found.add('group_unseen', missing[~self.is_trimmed(missing)])
        group_checker.check(self.events, self.found, self.stale_ns)
        self.found.add('member_fatal', self.by[MEMBER_FATAL])


def figures(events):
    """What was done, in numbers."""
    count = {name: int(np.count_nonzero(events['kind'] == kind)) for name, kind in (
        ('invoked', INVOKE), ('acked', OK), ('failed', FAIL), ('unknown', INFO), ('polled', POLL), ('read_in_the_end', FINAL), ('ends_asked', ENDED),
        ('assigned', ASSIGNED), ('taken', TAKEN), ('committed', COMMIT_OK), ('commits_refused', COMMIT_FAIL), ('commits_unknown', COMMIT_INFO),
        ('commits_asked', FETCHED))}
    return count


def silences(events, places, from_ns, to_ns):
    """For each of these partitions the longest time without an acknowledgement in the window, in seconds."""
    ok = events[(events['kind'] == OK)]
    out = {}
    for place in places:
        ns = ok['ns'][(history.place(ok) == place) & (ok['ns'] >= from_ns) & (ok['ns'] <= to_ns)]
        edges = np.concatenate([[from_ns], ns, [to_ns]])
        out[place] = float(np.max(np.diff(edges))) / 1e9
    return out


def acked_between(events, from_ns, to_ns):
    return int(np.count_nonzero((events['kind'] == OK) & (events['ns'] >= from_ns) & (events['ns'] <= to_ns)))
