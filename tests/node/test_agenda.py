"""Agenda: which links are looked at, and when. A node with many links asks for no more than one with few."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pnoise.node.agenda import NEVER, Agenda

LINKS = st.integers(1, 6)
TIMES = st.integers(1, 50) | st.just(NEVER)


@pytest.fixture
def agenda():
    agenda = Agenda()
    for connection in (7, 3, 5):
        agenda.begin(connection)
    agenda.take_touched()
    return agenda


def test_links_are_looked_at_in_the_order_in_which_they_began(agenda):
    agenda.touch(5)
    agenda.touch(7)
    assert agenda.take_touched() == [7, 5]
    assert agenda.take_touched() == []


def test_a_new_link_is_looked_at():
    agenda = Agenda()
    agenda.begin(1)
    assert agenda.take_touched() == [1]


def test_a_link_that_is_gone_is_not_looked_at_again(agenda):
    agenda.book(3, 10)
    agenda.watched[3] = None
    agenda.touch(3)
    agenda.end(3)
    agenda.touch(3)
    assert agenda.take_touched() == []
    assert agenda.due(20) == []
    assert agenda.next_due({}.__getitem__) == NEVER


def test_what_is_due_is_looked_at_again_after_it(agenda):
    agenda.book(3, 10)
    assert agenda.due(10) == [3]
    assert agenda.take_touched() == [3]
    assert agenda.due(10) == []


def test_what_is_watched_is_looked_at_every_time(agenda):
    agenda.watched[5] = None
    assert agenda.due(0) == [5]
    assert agenda.due(0) == [5]


@given(st.lists(st.tuples(LINKS, TIMES) | st.tuples(LINKS, st.just(None)) | st.tuples(st.just(0), st.integers(1, 50))))
def test_no_link_is_ever_forgotten(steps):
    """Against the plain way, which looks at all of them."""
    agenda, real = Agenda(), {}
    for connection, time in steps:
        if connection == 0:
            found = agenda.due(time)
            assert {one for one, due in real.items() if due <= time} <= set(found)
            for one in agenda.take_touched():
                agenda.book(one, real[one])
        elif time is None:
            if real.pop(connection, None) is not None:
                agenda.end(connection)
        else:
            if connection not in real:
                agenda.begin(connection)
            real[connection] = time
            agenda.book(connection, time)
        assert agenda.next_due(real.__getitem__) == min(real.values(), default=NEVER)
