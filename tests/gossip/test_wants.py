"""Wants: nothing is asked twice at once, nothing is waited for without end, nothing grows without bound."""

import pytest

from p2pnoise.gossip.messages import MAX_WANT
from p2pnoise.gossip.wants import MAX_QUEUED, MAX_REFUSED, REFUSAL, TIMEOUT, Wants

A, B, C = (bytes([letter]) * 16 for letter in b"abc")
HERE, THERE = 1, 2


def numbered(count, start=0):
    return [number.to_bytes(16, "big") for number in range(start, start + count)]


@pytest.fixture
def wants():
    wants = Wants(set())
    wants.open(HERE)
    wants.open(THERE)
    return wants


def test_an_item_is_asked_of_one_peer_at_a_time(wants):
    wants.queue(HERE, [A], 0)
    wants.queue(THERE, [A, B], 0)
    assert wants.next_batch(HERE, 0) == (A,)
    assert wants.next_batch(THERE, 0) == (B,)


def test_a_peer_that_owes_an_answer_is_asked_nothing_more(wants):
    wants.queue(HERE, [A], 0)
    wants.next_batch(HERE, 0)
    wants.queue(HERE, [B], 0)
    assert wants.next_batch(HERE, 0) == ()


def test_what_is_asked_elsewhere_is_asked_here_once_it_is_overdue(wants):
    wants.queue(HERE, [A], 0)
    wants.queue(THERE, [A], 0)
    wants.next_batch(HERE, 0)
    assert wants.next_batch(THERE, 0) == ()
    assert wants.overdue(TIMEOUT - 1) == []
    assert wants.deadline() == TIMEOUT
    assert wants.overdue(TIMEOUT) == [HERE]
    assert wants.next_batch(THERE, TIMEOUT) == (A,)


def test_what_was_asked_of_a_peer_that_left_is_asked_elsewhere(wants):
    wants.queue(HERE, [A], 0)
    wants.queue(THERE, [A], 0)
    wants.next_batch(HERE, 0)
    wants.close(HERE)
    assert wants.idle_with_queue() == [THERE]
    assert wants.next_batch(THERE, 0) == (A,)


def test_only_what_was_asked_of_this_peer_is_an_answer(wants):
    wants.queue(HERE, [A], 0)
    wants.next_batch(HERE, 0)
    assert not wants.answered(THERE, [A])
    assert not wants.answered(HERE, [B])
    assert wants.answered(HERE, [A, B])
    assert not wants.answered(HERE, [A])


def test_an_answered_question_is_no_longer_overdue(wants):
    wants.queue(HERE, [A], 0)
    wants.next_batch(HERE, 0)
    wants.answered(HERE, [A])
    wants.settle(HERE)
    assert wants.deadline() is None
    assert wants.overdue(TIMEOUT) == []


def test_the_next_question_waits_for_the_end_of_the_answer(wants):
    """Or that end would be taken for the end of the next answer, whose items were then dropped as unasked."""
    wants.queue(HERE, [A], 0)
    wants.next_batch(HERE, 0)
    wants.answered(HERE, [A])
    wants.queue(HERE, [B], 0)
    assert wants.idle_with_queue() == []
    assert wants.next_batch(HERE, 0) == ()
    wants.settle(HERE)
    assert wants.idle_with_queue() == [HERE]
    assert wants.next_batch(HERE, 0) == (B,)


def test_what_an_answer_left_out_is_open_again(wants):
    wants.queue(HERE, [A, B], 0)
    wants.queue(THERE, [B], 0)
    wants.next_batch(HERE, 0)
    wants.answered(HERE, [A])
    wants.settle(HERE)
    assert wants.next_batch(THERE, 0) == (B,)


def test_what_is_held_is_not_asked_for():
    wants = Wants({A})
    wants.open(HERE)
    wants.queue(HERE, [A, B], 0)
    assert wants.next_batch(HERE, 0) == (B,)


def test_what_came_meanwhile_is_not_asked_for():
    held = set()
    wants = Wants(held)
    wants.open(HERE)
    wants.queue(HERE, [A, B], 0)
    held.add(A)
    assert wants.next_batch(HERE, 0) == (B,)


def test_a_batch_is_bounded(wants):
    wants.queue(HERE, numbered(500), 0)
    assert len(wants.next_batch(HERE, 0)) == MAX_WANT


def test_the_queue_of_one_peer_is_bounded(wants):
    wants.queue(HERE, numbered(MAX_QUEUED + 500), 0)
    assert len(wants._links[HERE].queue) == MAX_QUEUED


def test_what_was_refused_is_not_asked_for_until_trust_changes(wants):
    wants.refuse([A], 0)
    wants.queue(HERE, [A, B], 0)
    assert wants.next_batch(HERE, 0) == (B,)
    wants.settle(HERE)
    wants.forgive()
    wants.queue(HERE, [A], 0)
    assert wants.next_batch(HERE, 0) == (A,)


def test_a_refusal_ends_by_itself_after_a_while(wants):
    """Or a grant that begins in an hour would be refused for ever by whoever heard of it too early."""
    wants.refuse([A], 0)
    wants.refuse([B], 5)
    wants.queue(HERE, [A, B], REFUSAL - 1)
    assert wants.next_batch(HERE, 0) == ()
    wants.queue(HERE, [A, B], REFUSAL)
    assert wants.next_batch(HERE, 0) == (A,)


def test_refusals_are_bounded(wants):
    wants.refuse(numbered(MAX_REFUSED + 500), 0)
    assert len(wants._refused) == MAX_REFUSED
    assert not wants.refused(numbered(1)[0])
    assert wants.refused(numbered(1, MAX_REFUSED)[0])


def test_nothing_is_left_behind_when_all_peers_are_gone(wants):
    wants.queue(HERE, numbered(50), 0)
    wants.next_batch(HERE, 0)
    wants.close(HERE)
    wants.close(THERE)
    assert not wants._anywhere
    assert not wants._links
