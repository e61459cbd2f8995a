"""Wants: nothing is asked twice at once, nothing is waited for without end, nothing grows without bound."""

import pytest

from p2pnoise.gossip.items import PlainSets
from p2pnoise.gossip.messages import MAX_WANT
from p2pnoise.gossip.wants import MAX_QUEUED, MAX_REFUSED, MAX_TOGETHER, REFUSAL, TIMEOUT, Wants
from p2pnoise.instant import SECOND

A, B, C = (bytes([letter]) * 16 for letter in b"abc")
HERE, THERE = 1, 2


def numbered(count, start=0):
    return [number.to_bytes(16, "big") for number in range(start, start + count)]


def queue(wants, link, ids, now):
    wants.queue(link, frozenset(ids), frozenset(), now)


class Held(PlainSets):
    """What is held, as a set that a test adds to."""

    def __init__(self, held=()):
        self.ids = {*held}

    def lacking(self, ids):
        return ids - self.ids


@pytest.fixture
def wants():
    wants = Wants(Held(), most=MAX_WANT)
    wants.open(HERE)
    wants.open(THERE)
    return wants


def test_an_item_is_asked_of_one_peer_at_a_time(wants):
    queue(wants, HERE, [A], 0)
    queue(wants, THERE, [A, B], 0)
    assert wants.next_batch(HERE, 0) == {A}
    assert wants.next_batch(THERE, 0) == {B}


def test_a_peer_that_owes_an_answer_is_asked_nothing_more(wants):
    queue(wants, HERE, [A], 0)
    wants.next_batch(HERE, 0)
    queue(wants, HERE, [B], 0)
    assert wants.next_batch(HERE, 0) == set()


def test_what_is_asked_elsewhere_is_asked_here_once_it_is_overdue(wants):
    queue(wants, HERE, [A], 0)
    queue(wants, THERE, [A], 0)
    wants.next_batch(HERE, 0)
    assert wants.next_batch(THERE, 0) == set()
    assert wants.overdue(TIMEOUT - 1) == []
    assert wants.deadline() == TIMEOUT
    assert wants.overdue(TIMEOUT) == [HERE]
    assert wants.next_batch(THERE, TIMEOUT) == {A}


def test_what_was_asked_of_a_peer_that_left_is_asked_elsewhere(wants):
    queue(wants, HERE, [A], 0)
    queue(wants, THERE, [A], 0)
    wants.next_batch(HERE, 0)
    wants.close(HERE)
    assert wants.idle_with_queue() == [THERE]
    assert wants.next_batch(THERE, 0) == {A}


def test_only_what_was_asked_of_this_peer_is_an_answer(wants):
    queue(wants, HERE, [A], 0)
    wants.next_batch(HERE, 0)
    assert not wants.answered(THERE, [A])
    assert not wants.answered(HERE, [B])
    assert wants.answered(HERE, [A, B])
    assert not wants.answered(HERE, [A])


def test_an_answered_question_is_no_longer_overdue(wants):
    queue(wants, HERE, [A], 0)
    wants.next_batch(HERE, 0)
    wants.answered(HERE, [A])
    wants.settle(HERE)
    assert wants.deadline() is None
    assert wants.overdue(TIMEOUT) == []


def test_the_next_question_waits_for_the_end_of_the_answer(wants):
    """Or that end would be taken for the end of the next answer, whose items were then dropped as unasked."""
    queue(wants, HERE, [A], 0)
    wants.next_batch(HERE, 0)
    wants.answered(HERE, [A])
    queue(wants, HERE, [B], 0)
    assert wants.idle_with_queue() == []
    assert wants.next_batch(HERE, 0) == set()
    wants.settle(HERE)
    assert wants.idle_with_queue() == [HERE]
    assert wants.next_batch(HERE, 0) == {B}


def test_what_an_answer_left_out_is_open_again(wants):
    queue(wants, HERE, [A, B], 0)
    queue(wants, THERE, [B], 0)
    wants.next_batch(HERE, 0)
    wants.answered(HERE, [A])
    wants.settle(HERE)
    assert wants.next_batch(THERE, 0) == {B}


def test_what_is_held_is_not_asked_for():
    wants = Wants(Held({A}), most=MAX_WANT)
    wants.open(HERE)
    queue(wants, HERE, [A, B], 0)
    assert wants.next_batch(HERE, 0) == {B}


def test_what_came_meanwhile_is_not_asked_for():
    held = Held()
    wants = Wants(held, most=MAX_WANT)
    wants.open(HERE)
    queue(wants, HERE, [A, B], 0)
    held.ids.add(A)
    assert wants.next_batch(HERE, 0) == {B}


def test_a_batch_is_bounded(wants):
    queue(wants, HERE, numbered(MAX_WANT + 100), 0)
    assert len(wants.next_batch(HERE, 0)) == MAX_WANT


def test_the_queue_of_one_peer_is_bounded(wants):
    queue(wants, HERE, numbered(MAX_QUEUED + 500), 0)
    assert len(wants.offered(HERE)) == MAX_QUEUED


def test_what_was_refused_since_it_was_offered_takes_no_room_in_the_queue(wants):
    queue(wants, HERE, numbered(MAX_QUEUED), 0)
    wants.refuse(numbered(2), 0)
    queue(wants, HERE, [A, B, C], 0)
    assert wants.offered(HERE) == {*numbered(MAX_QUEUED - 2, 2), A, B}


def test_what_was_refused_is_not_asked_for_until_trust_changes(wants):
    wants.refuse([A], 0)
    queue(wants, HERE, [A, B], 0)
    assert wants.next_batch(HERE, 0) == {B}
    wants.settle(HERE)
    wants.forgive()
    queue(wants, HERE, [A], 0)
    assert wants.next_batch(HERE, 0) == {A}


def test_a_refusal_ends_by_itself_after_a_while(wants):
    """Or a grant that begins in an hour would be refused for ever by whoever heard of it too early."""
    wants.refuse([A], 0)
    wants.refuse([B], SECOND)
    queue(wants, HERE, [A, B], REFUSAL - 1)
    assert wants.next_batch(HERE, 0) == set()
    queue(wants, HERE, [A, B], REFUSAL)
    assert wants.next_batch(HERE, 0) == {A}


def test_what_is_pushed_is_welcome_again_after_that_while(wants):
    wants.refuse([A], 0)
    wants.forget_refused(REFUSAL - 1)
    assert wants.welcome(HERE, frozenset([A])) == set()
    wants.forget_refused(REFUSAL)
    assert wants.welcome(HERE, frozenset([A])) == {A}


def test_a_refusal_may_be_shorter_than_those_before_it(wants):
    wants.refuse([A], 0)
    wants.refuse([B], 0, lasts=SECOND)
    wants.forget_refused(SECOND)
    assert (wants.refused(A), wants.refused(B)) == (True, False)


def test_refusals_are_bounded(wants):
    wants.refuse(numbered(MAX_REFUSED + 500), 0)
    assert len(wants._refused) == MAX_REFUSED
    wants = Wants(Held(), most=MAX_WANT)
    for item in numbered(MAX_REFUSED + 1):
        wants.refuse([item], 0)
    assert len(wants._refused) == MAX_REFUSED + 1 - MAX_TOGETHER
    assert not wants.refused(numbered(1)[0])
    assert wants.refused(numbered(1, MAX_REFUSED)[0])


def test_nothing_is_left_behind_when_all_peers_are_gone(wants):
    queue(wants, HERE, numbered(50), 0)
    wants.next_batch(HERE, 0)
    wants.close(HERE)
    wants.close(THERE)
    assert not wants._anywhere
    assert not wants._links


def test_what_is_left_over_is_said_so_that_others_may_be_asked(wants):
    queue(wants, HERE, [A, B], 0)
    wants.next_batch(HERE, 0)
    wants.answered(HERE, [A])
    assert wants.settle(HERE)
    queue(wants, HERE, [C], 0)
    wants.next_batch(HERE, 0)
    wants.answered(HERE, [C])
    assert not wants.settle(HERE)


def test_what_a_peer_told_of_is_known_until_it_is_held_and_no_news(wants):
    """Or it would be told of what it has told us of itself."""
    held = Held({A, B})
    wants = Wants(held, most=MAX_WANT)
    wants.open(HERE)
    wants.queue(HERE, frozenset({A, B, C}), frozenset({A}), 0)
    assert wants.offered(HERE) == {A, C}
    assert wants.next_batch(HERE, 0) == {C}
    wants.queue(HERE, frozenset({C}), frozenset(), 0)
    wants.forget_held(HERE)
    assert wants.offered(HERE) == {C}


def test_a_refusal_that_is_repeated_takes_no_room(wants):
    for _ in range(100):
        wants.refuse([A], 0)
    assert sum(map(len, wants._refusals.values())) == 1


class Counting(Held):
    """Of which every id that a set operation goes through counts. Those that grow are gone through by nobody."""

    class Fixed(frozenset):
        def __or__(self, other):
            Counting.count(len(self) + len(other))
            return Counting.Fixed(frozenset.__or__(self, other))

        def __sub__(self, other):
            Counting.count(len(self))
            return Counting.Fixed(frozenset.__sub__(self, other))

    class Growing(set):
        def __ior__(self, other):
            Counting.count(len(other))
            return set.__ior__(self, other)

        def __isub__(self, other):
            Counting.count(len(other))
            return set.__isub__(self, other)

        def __or__(self, other):
            raise AssertionError("a set that grows was copied")

        __sub__ = __or__

    none = Fixed()
    gathering = Growing
    passed = most = 0

    @classmethod
    def count(cls, ids):
        cls.passed += ids
        assert cls.passed <= cls.most


@pytest.mark.parametrize("pause", [0, SECOND // 500, SECOND // 9])
def test_refusing_costs_as_much_as_is_refused_and_so_does_the_end_of_it(pause):
    """Or a peer that gives what is not worth keeping stalls the node, minutes later, for minutes."""
    count = 5_000
    Counting.passed, Counting.most = 0, 8 * count
    wants = Wants(Counting(), most=MAX_WANT)
    wants.open(HERE)
    for number, item in enumerate(numbered(count)):
        wants.refuse([item], number * pause)
    assert all(map(wants.refused, numbered(count)))
    queue(wants, HERE, [A], count * pause + REFUSAL)
    assert not wants._refused
    assert not any(wants._refusals.values())


def test_what_was_put_aside_and_is_asked_of_another_stays_so_when_the_first_is_done(wants):
    """Or a third would be asked for it as well."""
    third = 3
    wants.open(third)
    for link in (HERE, THERE, third):
        queue(wants, link, [A, B], 0)
    wants.next_batch(HERE, 0)
    wants.answered(HERE, [A])
    wants.put_aside(HERE, [A, B])
    assert not wants.waiting(HERE)
    assert wants.next_batch(THERE, 0) == {A, B}
    assert wants.settle(HERE)  # what it gave is to be had of others
    assert wants.next_batch(third, 0) == set()
    wants.close(HERE)
    assert wants.next_batch(third, 0) == set()


def test_what_is_put_aside_here_and_asked_of_another_is_not_asked_of_a_third(wants):
    third = 3
    wants.open(third)
    queue(wants, HERE, [A], 0)
    queue(wants, THERE, [B], 0)
    queue(wants, third, [B], 0)
    wants.next_batch(HERE, 0)
    wants.next_batch(THERE, 0)
    wants.answered(HERE, [A])
    wants.put_aside(HERE, [A, B])
    assert wants.next_batch(third, 0) == set()


def test_whoever_did_not_give_what_it_was_asked_for_is_asked_after_the_others(wants):
    """Or one that names everything and gives nothing would be asked again and again."""
    for link in (HERE, THERE):
        queue(wants, link, [A], 0)
    wants.next_batch(HERE, 0)
    wants.settle(HERE)
    queue(wants, HERE, [A], 0)
    assert wants.idle_with_queue() == [THERE, HERE]


def test_what_was_put_aside_is_asked_of_the_same_peer_once_more_after_a_while(wants):
    """What it lacked may have begun since."""
    wants.put_aside(HERE, [A])
    for now, asked in ((0, frozenset()), (REFUSAL - 1, frozenset()), (REFUSAL, {A})):
        queue(wants, HERE, [A], now)
        assert wants.next_batch(HERE, now) == asked


def test_what_is_put_aside_after_trust_has_changed_stays_aside_as_long_as_ever(wants):
    wants.put_aside(HERE, [A])
    queue(wants, HERE, [A], 0)
    wants.forgive()
    wants.put_aside(HERE, [B])
    queue(wants, HERE, [B], 2 * REFUSAL)
    assert not wants.offered(HERE)
