"""Streams that wait: for a place, for a link, for a peer with a new key; and the links that were dialled for them."""

import pytest

from cards import Address
from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from p2pnoise.node import openings
from p2pnoise.node.effects import Refusal
from p2pnoise.node.frames import Kind
from p2pnoise.node.stream_events import End, StreamOffered

NOWHERE = Address("10.9.9.9", 1)
NOWHERE_ELSE = Address("10.9.9.8", 1)


@pytest.fixture
def ada(net):
    return net.member("ada", target_links=0)


@pytest.fixture
def bob(net):
    return net.member("bob", target_links=0)


# Waiting


def test_a_withdrawn_stream_is_not_opened(net, ada, bob):
    net.teach(ada, bob, bob.address)
    net.hand(ada, io.StreamWanted(1, bob.core.node_id, "echo"))
    net.hand(ada, io.StreamUnwanted(1))
    net.pump()
    assert ada.answer(1) is None
    assert not bob.on_stream(StreamOffered)


def test_for_a_withdrawn_stream_no_further_address_is_tried(net, ada, bob):
    net.teach(ada, bob, NOWHERE, bob.address)
    net.hand(ada, io.StreamWanted(1, bob.core.node_id, "echo"))
    net.hand(ada, io.StreamUnwanted(1))
    net.pump()
    assert len(ada.dialled) == 1
    assert not ada.links


def test_withdrawing_one_leaves_the_others(net, ada, bob):
    net.teach(ada, bob, bob.address)
    for ticket in (1, 2, 3):
        net.hand(ada, io.StreamWanted(ticket, bob.core.node_id, "echo"))
    net.hand(ada, io.StreamUnwanted(2))
    net.hand(ada, io.StreamUnwanted(99))
    net.pump()
    assert [ada.answer(ticket) is not None for ticket in (1, 2, 3)] == [True, False, True]


def test_streams_that_wait_are_bounded(net, ada, bob, monkeypatch):
    monkeypatch.setattr(openings, "MAX_WAITING", 3)
    net.teach(ada, bob, bob.address)
    for ticket in range(1, 6):
        net.hand(ada, io.StreamWanted(ticket, bob.core.node_id, "echo"))
    assert [ada.answer(ticket) and ada.answer(ticket).refusal for ticket in range(1, 6)] == [
        None,
        None,
        None,
        Refusal.TOO_MANY,
        Refusal.TOO_MANY,
    ]
    net.pump()
    assert [ada.answer(ticket).stream for ticket in (1, 2, 3)] == [1, 3, 5]


def test_a_stream_without_a_place_waits_until_one_is_free(net):
    low, high = net.pair(max_streams=2)
    first, _ = net.open_stream(high, low), net.open_stream(high, low)
    ticket = net.want(high, low)
    assert high.answer(ticket) is None
    net.give(low, io.StreamEnded(low.link_number(high), first.stream, End.CLOSE))
    assert high.answer(ticket) is None
    net.give(high, io.StreamEnded(first.connection, first.stream, End.CLOSE))
    assert high.answer(ticket).stream == 5


def test_streams_get_places_in_the_order_in_which_they_were_wanted(net):
    low, high = net.pair(max_streams=1)
    held = net.open_stream(high, low)
    tickets = [net.want(high, low) for _ in range(3)]
    for ticket in tickets:
        net.give(low, io.StreamEnded(low.link_number(high), held.stream, End.CLOSE))
        net.give(high, io.StreamEnded(held.connection, held.stream, End.CLOSE))
        held = high.answer(ticket)
        assert held is not None


def test_no_link_for_want_of_room_is_too_many(net, bob):
    ada = net.member("ada", target_links=0, max_links=1)
    carl = net.member("carl", target_links=0)
    net.link(carl, ada)
    net.teach(ada, bob, bob.address)
    assert ada.refusal(net.want(ada, bob)) is Refusal.TOO_MANY


def test_a_stream_whose_link_is_lost_while_it_waits_is_dialled_for(net):
    low, high = net.pair(max_streams=1)
    held = net.open_stream(high, low)
    ticket = net.want(high, low)
    net.cut(high, low)
    assert [lost.connection for lost in high.streams_lost] == [held.connection]
    assert high.answer(ticket).connection != held.connection


def test_a_stream_whose_link_is_lost_while_it_waits_and_that_nobody_can_be_dialled_for_is_refused(net):
    low, high = net.pair(max_streams=1)
    net.open_stream(high, low)
    ticket = net.want(high, low)
    low.online = False
    net.give(high, io.ConnectFailed(high.link_number(low), "connection reset"))
    assert high.refusal(ticket) is Refusal.UNREACHABLE
    assert "connection reset" in high.answer(ticket).reason


def test_a_stop_refuses_what_waits_and_what_comes_later(net, ada, bob):
    net.teach(ada, bob, bob.address)
    net.hand(ada, io.StreamWanted(7, bob.core.node_id, "echo"))
    net.give(ada, io.Stop())
    assert ada.refusal(7) is Refusal.STOPPING
    assert ada.refusal(net.want(ada, bob)) is Refusal.STOPPING


def test_a_peer_that_is_not_ready_is_waited_for(net, ada):
    puppet = net.puppet(ada, "carl").come_up()
    ticket = net.want(ada, puppet.key.public)
    assert ada.answer(ticket) is None
    puppet.ready()
    assert ada.answer(ticket).stream == 2
    assert (Kind.STREAM_OPEN, b"\x00\x00\x00\x02echo") in puppet.inbox


def test_a_peer_that_dials_us_first_serves_as_well(net, ada, bob):
    """A dial that leads nowhere is under way when it comes."""
    net.teach(ada, bob, NOWHERE, NOWHERE_ELSE)
    net.hand(ada, io.StreamWanted(1, bob.core.node_id, "echo"))
    net.queue.clear()
    net.link(bob, ada)
    assert ada.answer(1).stream == 2


# Keys that changed, links that were replaced


def successor(net, bob):
    """Bob's identity on a new node key, at his address."""
    keys = net.keys("bob's second key")[0], bob.identity
    again = net.member("bob", keys=keys, card=net.card("bob", keys=keys, sequence=2), target_links=0)
    again.address, bob.address = bob.address, again.address
    bob.online = False
    return again


def test_a_peer_with_a_new_key_is_told_of_with_the_stream(net, ada, bob):
    net.link(ada, bob)
    again = successor(net, bob)
    net.cut(ada, bob)
    opened = net.open_stream(ada, bob)
    assert opened.node_id == again.core.node_id
    assert [event.previous for event in ada.told("peer-key-changed")] == [bob.core.node_id]


def test_where_the_key_has_changed_no_second_address_is_dialled(net, ada, bob):
    net.link(ada, bob)
    net.teach(ada, bob, bob.address, NOWHERE)
    successor(net, bob)
    net.cut(ada, bob)
    net.open_stream(ada, bob)
    assert len(ada.dialled) == 1


def test_a_link_that_is_replaced_carries_its_streams_to_their_end(net):
    low, high = net.pair()
    held = net.open_stream(high, low)
    net.link(low, high)
    net.wait(10)
    assert len(high.links) == len(low.links) == 2
    net.give(high, io.StreamWritten(held.connection, held.stream, b"still here"))
    assert low.received(held.stream) == b"still here"
    assert net.open_stream(high, low).connection != held.connection
    for member, number in ((high, held.connection), (low, old_connection(low))):
        net.give(member, io.StreamEnded(number, held.stream, End.CLOSE))
    net.wait(1.1)
    assert len(high.links) == len(low.links) == 1
    assert not high.streams_lost
    assert not low.streams_lost
    assert not low.told("peer-lost")


def old_connection(member):
    return min(member.links)


def test_a_replaced_link_is_no_link_to_open_streams_on(net):
    """Its successor broke, and only the old one, which drains, is left."""
    low, high = net.pair()
    net.open_stream(high, low)
    net.link(low, high)
    (old,) = [number for number, link in high.links.items() if link.draining]
    (new,) = set(high.links) - {old}
    net.give(high, io.ConnectFailed(new, "connection reset"))
    ticket = net.want(high, low)
    assert high.answer(ticket) is not None
    assert high.answer(ticket).connection not in (old, new)


def test_where_only_a_replaced_link_is_left_and_no_address_is_known_a_stream_is_refused(net):
    low, high = net.two(listening=False)
    for member in (low, high):
        net.give(member, io.ListeningOn((member.address,), ()))
    net.link(high, low)
    net.open_stream(high, low)
    net.link(low, high)
    (new,) = [number for number, link in high.links.items() if not link.draining]
    net.give(high, io.ConnectFailed(new, "connection reset"))
    assert high.refusal(net.want(high, low)) is Refusal.UNKNOWN_PEER


# Links that were dialled for a stream


def close(net, opened, member, other):
    net.give(member, io.StreamEnded(opened.connection, opened.stream, End.CLOSE))
    net.give(other, io.StreamEnded(other.link_number(member), opened.stream, End.CLOSE))


def test_a_link_on_demand_ends_a_minute_after_its_last_stream(net, ada, bob):
    opened = net.open_stream(ada, bob, address=bob.address)
    net.wait(200)
    assert ada.up(bob)
    close(net, opened, ada, bob)
    net.wait(59)
    assert ada.up(bob)
    net.wait(2)
    assert not ada.links
    assert not bob.links
    assert [event.reason for event in ada.told("peer-lost")] == ["idle"]


def test_a_link_that_comes_up_slowly_is_not_idle_while_somebody_waits_for_it(net, bob):
    ada = net.member("ada", target_links=0, idle_timeout=0.1)
    net.hand(ada, io.StreamWanted(1, bob.core.node_id, "echo", bob.address))
    while net.queue:  # each message is on its way for twice as long as a link may be idle
        action, *arguments = net.queue.popleft()
        action(*arguments)
        net.now += SECOND // 5
        net.hand(ada, io.Tick())
    assert [effect.ticket for effect in ada.effects if isinstance(effect, io.StreamOpened)] == [1]


def test_it_stays_where_links_are_wanted_anyway(net, bob):
    ada = net.member("ada", target_links=1)
    opened = net.open_stream(ada, bob, address=bob.address)
    close(net, opened, ada, bob)
    net.wait(200)
    assert list(ada.links) == [opened.connection]


def test_a_link_that_we_were_dialled_on_does_not_end_by_idleness(net):
    low, high = net.pair()
    close(net, net.open_stream(high, low), high, low)
    net.wait(200)
    assert high.up(low)


def test_a_stream_on_a_link_on_demand_begins_its_minute_anew(net, ada, bob):
    opened = net.open_stream(ada, bob, address=bob.address)
    close(net, opened, ada, bob)
    net.wait(40)
    close(net, net.open_stream(ada, bob), ada, bob)
    net.wait(59)
    assert ada.up(bob)
    net.wait(2)
    assert not ada.links
