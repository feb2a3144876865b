"""The checker sees what it is there for: a good history is good, and each anomaly planted into it is told by its name, and only that."""
import os
import sys

import numpy as np
import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import checker
import history
from history import (ASSIGNED, BOUNDS, COMMIT, COMMIT_FAIL, COMMIT_INFO, COMMIT_OK, CORRUPT, ENDED, EVENT, EXCUSED, FAIL, FATAL, FETCHED, FINAL, INFO,
                     INVOKE, MARK, MEMBER_FATAL, MISROUTED, OK, POLL, RESET, REVOKED, TAKEN)

N, PARTITIONS, PRODUCERS = 40, 2, 2


class Story:
    """A list of events that can be spoiled."""

    def __init__(self):
        self.events, self.now = [], 0

    def add(self, kind, **fields):
        self.now += 1000000
        event = np.zeros((), EVENT)
        for name, value in dict({'offset': -1, 'ns': self.now}, **fields).items():
            event[name] = value
        event['kind'] = kind
        self.events.append(event)
        return event

    def value(self, kind, producer, sequence, partition, **fields):
        return self.add(kind, producer=producer, sequence=sequence, partition=partition, random=producer * 1000 + sequence + 7, **fields)

    def find(self, kind, sequence, producer=0, process=None):
        return next(e for e in self.events if e['kind'] == kind and e['sequence'] == sequence and e['producer'] == producer and
                    (process is None or e['process'] == process))

    def judge(self, **options):
        events = np.array(self.events, dtype=EVENT)
        events = events[np.argsort(events['ns'], kind='stable')]
        return checker.Checker(events, ['main'], **options).check()


@pytest.fixture
def story():
    """Two producers write to two partitions; two consumers follow; ends and marks are told; all is read in the end."""
    s = Story()
    ends, log = [0, 0], []
    for sequence in range(N):
        for producer in range(PRODUCERS):
            partition = sequence % PARTITIONS
            s.value(INVOKE, producer, sequence, partition, process=producer)
            s.value(OK, producer, sequence, partition, process=producer, offset=ends[partition])
            log.append((producer, sequence, partition, ends[partition]))
            ends[partition] += 1
            for consumer in (0, 1):
                s.value(POLL, producer, sequence, partition, process=consumer, offset=ends[partition] - 1)
                s.add(MARK, partition=partition, process=consumer, offset=ends[partition])
            s.add(ENDED, partition=partition, begin_ns=s.now + 1, offset=ends[partition])
    for partition in range(PARTITIONS):
        s.add(BOUNDS, partition=partition, offset=0, sequence=ends[partition])
    for producer, sequence, partition, offset in log:
        s.value(FINAL, producer, sequence, partition, offset=offset)
    return s


class Group:
    """Adds to a story what a consumer group is told. Every step takes a millisecond; a commit has its beginning and its end."""

    def __init__(self, story):
        self.story, self.n = story, 0

    def own(self, member, generation, *partitions, kind=ASSIGNED):
        for partition in partitions:
            self.story.add(kind, process=member, partition=partition, sequence=generation)

    def begin(self, member, generation, partition, offset):
        self.n += 1
        return self.story.add(COMMIT, process=member, partition=partition, offset=offset, sequence=generation, random=self.n)

    def end(self, begun, kind=COMMIT_OK, took_ns=None):
        if took_ns:
            self.story.now = int(begun['ns']) + took_ns - 1000000
        fields = {name: begun[name] for name in ('process', 'partition', 'offset', 'sequence', 'random')}
        return self.story.add(kind, begin_ns=begun['ns'], **fields)

    def commit(self, member, generation, partition, offset, kind=COMMIT_OK, **more):
        return self.end(self.begin(member, generation, partition, offset), kind, **more)

    def fetch(self, partition, offset, **more):
        begin = self.story.now + 1
        return self.story.add(FETCHED, process=100, partition=partition, begin_ns=begin, offset=offset, **more)


@pytest.fixture
def group(story):
    """Two members; the second takes partition 1 over from the first in generation 2; all records are taken, some by both."""
    g = Group(story)
    g.fetch(0, -1)
    g.own(0, 1, 0, 1)
    finals = [e for e in story.events if e['kind'] == FINAL]
    for e in finals:
        first_half = e['offset'] < N // 2
        owner = 0 if e['partition'] == 0 or first_half else 1
        story.value(TAKEN, int(e['producer']), int(e['sequence']), int(e['partition']), process=owner, offset=int(e['offset']))
    g.commit(0, 1, 0, 10)
    g.commit(0, 1, 1, 20)
    g.fetch(1, 20)
    g.own(0, 1, 0, 1, kind=REVOKED)
    g.own(0, 2, 0)
    g.own(1, 2, 1)
    g.fetch(0, 10)
    g.commit(1, 2, 1, N)
    g.commit(0, 2, 0, N)
    g.fetch(0, N)
    g.fetch(1, N)
    return g


def group_counts(group, **options):
    return counts(group.story.judge(grouped=[0], **options))


def counts(found):
    return {what: n for what, n in found.counts.items() if n}


def test_a_good_history_is_good(story):
    assert counts(story.judge()) == {}


def test_unknown_outcomes_may_be_there_or_not(story):
    story.find(OK, 3)['kind'] = INFO
    assert counts(story.judge()) == {}
    story.value(INVOKE, 0, 900, 0)
    story.value(INFO, 0, 900, 0)
    assert counts(story.judge()) == {}


def drop(story, *kinds, sequence, producer=0):
    story.events = [e for e in story.events if not (e['kind'] in kinds and e['sequence'] == sequence and e['producer'] == producer)]


def shift_ends(story, partition, by):
    for e in story.events:
        if e['kind'] == BOUNDS and e['partition'] == partition:
            e['sequence'] += by


def test_lost_at_the_end(story):
    """The tail is gone as if the log had been truncated: nothing but the acknowledgements tells of it."""
    for producer in (0, 1):
        drop(story, POLL, FINAL, sequence=N - 1, producer=producer)
    shift_ends(story, 1, -2)
    assert counts(story.judge(consumers=())) == {'lost': 2}


def test_lost_and_overwritten(story):
    """Another value stands where an acknowledged one stood: a fork."""
    story.value(INVOKE, 1, 500, 1)
    event = story.find(FINAL, N - 1, producer=0)
    event['producer'], event['sequence'], event['random'] = 1, 500, 1507
    assert {'lost', 'vanished', 'inconsistent'} <= set(counts(story.judge()))


def test_vanished_after_it_was_read(story):
    drop(story, OK, FINAL, sequence=N - 1, producer=1)
    shift_ends(story, 1, -1)
    assert counts(story.judge()) == {'vanished': 2}


def test_deleted_records_are_not_lost(story):
    for producer in (0, 1):
        drop(story, FINAL, sequence=0, producer=producer)
    for e in story.events:
        if e['kind'] == BOUNDS and e['partition'] == 0:
            e['offset'] = 2
    assert set(counts(story.judge())) == {'lost', 'vanished'}
    assert counts(story.judge(trimmed=[0])) == {}


def test_duplicate(story):
    end = N
    story.value(FINAL, 0, 0, 0, offset=end)
    shift_ends(story, 0, 1)
    found = counts(story.judge())
    assert found.pop('duplicate') == 1 and set(found) <= {'reordered'}


def test_two_values_at_one_offset(story):
    event = story.find(POLL, 4, process=1)
    other = story.find(POLL, 4, producer=1)
    event['producer'], event['random'] = 1, other['random']
    assert 'inconsistent' in counts(story.judge(consumers=[0]))


def test_phantom(story):
    event = story.find(FINAL, 5)
    event['random'] = int(event['random']) + 1
    story.value(FINAL, 7, 5, 0, offset=N)
    shift_ends(story, 0, 1)
    assert counts(story.judge())['phantom'] == 2


@pytest.mark.parametrize('flag, what', [(CORRUPT, 'corrupt'), (MISROUTED, 'misrouted')])
def test_flags_of_the_reader(story, flag, what):
    event = story.find(POLL, 6, process=0)
    event['flags'] = flag
    assert counts(story.judge(consumers=[1])) == {what: 1}


def test_misrouted_by_the_place(story):
    story.value(INVOKE, 0, 901, 0)
    story.value(FINAL, 0, 901, 1, offset=N)
    shift_ends(story, 1, 1)
    assert counts(story.judge()) == {'misrouted': 1}


def test_failed_but_read(story):
    story.find(OK, 8)['kind'] = FAIL
    assert counts(story.judge()) == {'failed_but_read': 3}


def test_the_order_of_sending(story):
    a, b = story.find(OK, 2), story.find(OK, 4)
    a['offset'], b['offset'] = int(b['offset']), int(a['offset'])
    assert counts(story.judge())['send_order'] == 1


def test_the_order_in_the_log(story):
    a, b = story.find(FINAL, 2), story.find(FINAL, 4)
    a['offset'], b['offset'] = int(b['offset']), int(a['offset'])
    assert counts(story.judge())['reordered'] == 1


def test_a_gap(story):
    shift_ends(story, 0, 3)
    assert counts(story.judge()) == {'gap': 3}


def test_poll_skips_and_goes_back(story):
    story.events = [e for e in story.events if not (e['kind'] == POLL and e['sequence'] == 10 and e['process'] == 1 and e['producer'] == 0)]
    assert counts(story.judge()) == {'poll_skip': 1, 'unseen': 1}
    event = story.find(POLL, 12, process=0)
    story.value(POLL, 0, 12, 0, process=0, offset=int(event['offset']))
    assert counts(story.judge())['poll_back'] == 1


def test_a_reset_excuses_what_comes_again(story):
    story.add(RESET, partition=0, process=0, offset=3, error=-1)
    for sequence in range(0, N, 2):
        for producer in (0, 1):
            offset = int(story.find(OK, sequence, producer=producer)['offset'])
            story.value(POLL, producer, sequence, 0, process=0, offset=offset)
    assert counts(story.judge()) == {'consumer_reset': 1}
    assert counts(story.judge(trimmed=[0])) == {}


def test_a_producer_given_up(story):
    story.add(FATAL, process=1, error=-150)
    story.add(FATAL, process=1, error=-150, flags=EXCUSED)
    assert counts(story.judge()) == {'producer_fatal': 1}


def test_unseen(story):
    drop(story, POLL, sequence=N - 1, producer=1)
    assert counts(story.judge()) == {'unseen': 2}


def test_a_stale_end(story):
    begin = story.now
    story.add(ENDED, partition=0, begin_ns=begin, offset=N - 1)
    assert counts(story.judge()) == {'stale_end': 1, 'end_back': 1}
    assert counts(story.judge(stale_ns=10**12)) == {}


def test_an_end_asked_for_before_may_be_lower(story):
    first = next(e for e in story.events if e['kind'] == OK and e['partition'] == 0)
    story.add(ENDED, partition=0, begin_ns=int(first['ns']) - 1, offset=0)
    assert counts(story.judge()) == {}


def test_a_high_watermark_that_falls(story):
    story.add(MARK, partition=1, process=1, offset=N - 2)
    assert counts(story.judge()) == {'mark_back': 1}


def test_a_good_group_is_good(group):
    assert group_counts(group) == {}


def test_a_record_that_no_member_took(group):
    group.story.events = [e for e in group.story.events if not (e['kind'] == TAKEN and e['sequence'] == N - 1)]
    assert group_counts(group) == {'group_unseen': 2}
    assert counts(group.story.judge()) == {}


def test_what_a_member_takes_is_judged_as_what_others_read(group):
    event = next(e for e in group.story.events if e['kind'] == TAKEN)
    event['random'] = int(event['random']) + 1
    assert group_counts(group) == {'phantom': 1}


def test_a_commit_is_lost(group):
    group.fetch(1, -1)
    assert group_counts(group) == {'commit_lost': 1}


def test_a_question_without_an_answer_tells_nothing(group):
    group.fetch(1, -1, error=-185)
    assert group_counts(group) == {}


def test_the_committed_offset_goes_back(group):
    group.fetch(1, 20)
    assert group_counts(group) == {'commit_back': 1}


def test_a_commit_that_goes_back_says_so(group):
    group.commit(1, 2, 1, 20)
    group.fetch(1, 20)
    assert group_counts(group) == {}
    group.fetch(1, N)
    assert group_counts(group) == {'commit_back': 1}


def test_an_offset_that_nobody_committed(group):
    group.fetch(0, N - 1)
    assert group_counts(group) == {'commit_phantom': 1}


def test_an_offset_that_is_told_before_it_is_committed(group):
    group.fetch(0, N + 3)
    group.commit(0, 2, 0, N + 3)
    assert group_counts(group) == {'commit_phantom': 1}


def test_a_refused_commit_does_not_count(group):
    group.commit(0, 1, 1, 33, kind=COMMIT_FAIL)
    assert group_counts(group) == {}
    group.fetch(1, 33)
    assert group_counts(group) == {'commit_phantom': 1}


def test_while_a_commit_is_under_way_both_may_be_told(group):
    begun = group.begin(1, 2, 1, N + 5)
    group.fetch(1, N)
    group.fetch(1, N + 5)
    group.end(begun)
    group.fetch(1, N + 5)
    assert group_counts(group) == {}
    group.fetch(1, N)
    assert group_counts(group) == {'commit_back': 1}


@pytest.mark.parametrize('ends', [True, False])
def test_an_unknown_commit_may_count_or_not(group, ends):
    begun = group.begin(1, 2, 1, N + 5)
    if ends:
        group.end(begun, COMMIT_INFO)
    group.fetch(1, N)
    group.fetch(1, N + 5)
    assert group_counts(group) == {}


def test_an_unknown_commit_is_overwritten_when_its_time_is_over(group):
    group.commit(1, 2, 1, N + 5, kind=COMMIT_INFO)
    group.commit(1, 2, 1, N + 6)
    group.fetch(1, N + 5)
    assert group_counts(group) == {'commit_back': 1}
    assert group_counts(group, stale_ns=10**12) == {}


def test_a_commit_that_may_have_been_sent_twice_may_count_late(group):
    group.commit(1, 2, 1, N + 5, took_ns=3 * 10**9)
    group.commit(1, 2, 1, N + 6)
    group.fetch(1, N + 5)
    assert group_counts(group) == {'commit_back': 1}
    assert group_counts(group, stale_ns=10**12) == {}


def test_two_members_commit_in_one_generation(group):
    group.commit(0, 2, 1, N)
    assert group_counts(group) == {'split_group': 1}


def test_two_members_own_a_partition_in_one_generation(group):
    group.own(0, 2, 1)
    assert group_counts(group) == {'split_group': 1}


def test_a_commit_of_an_older_generation_counts(group):
    group.commit(0, 1, 1, N)
    assert group_counts(group) == {'split_group': 1}


def test_commits_of_two_generations_at_the_same_time_are_not_ordered(group):
    old = group.begin(1, 2, 1, N)
    group.commit(0, 3, 1, N)
    group.end(old)
    assert group_counts(group) == {}


def test_a_generation_that_is_not_known_is_not_judged(group):
    group.commit(0, -1, 1, N)
    assert group_counts(group) == {}


def test_an_error_that_is_none_of_a_coordinator(group):
    group.fetch(0, -1, error=15)
    group.fetch(0, -1, error=-185)
    assert group_counts(group) == {}
    group.fetch(0, -1, error=-1)
    group.commit(0, 2, 0, N, kind=COMMIT_INFO)['error'] = 3
    assert group_counts(group) == {'group_error': 2}


def test_a_member_given_up(group):
    group.story.add(MEMBER_FATAL, process=1, error=82)
    assert group_counts(group) == {'member_fatal': 1}


def test_silences_are_measured(story):
    events = np.array(story.events, dtype=EVENT)
    ns = [int(e['ns']) for e in story.events if e['kind'] == OK and e['partition'] == 0]
    quiet = checker.silences(events, [0, 1], ns[3], ns[3] + 10**9)
    assert quiet[0] == pytest.approx((ns[3] + 10**9 - ns[-1]) / 1e9, abs=1e-3)
    assert checker.acked_between(events, ns[0], ns[2]) >= 3


def test_every_class_is_planted():
    text = open(os.path.abspath(__file__)).read()
    assert [what for what in checker.CLASSES if "'%s'" % what not in text] == []


def test_the_format_is_that_of_the_writer():
    assert EVENT.itemsize == 56 and history.PARTITIONS_MAX == 64
