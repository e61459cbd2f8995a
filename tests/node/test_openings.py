"""Streams that an application wants: to whom, over which link, dialled on demand, or refused."""

import pytest

from cards import Address, make_record
from p2pnoise.node import effects as io
from p2pnoise.node import openings
from p2pnoise.node.effects import Refusal
from p2pnoise.node.frames import Kind
from p2pnoise.node.streams import End, StreamOffered

NOWHERE = Address("10.9.9.9", 1)
NOWHERE_ELSE = Address("10.9.9.8", 1)


@pytest.fixture
def ada(net):
    return net.member("ada", target_links=0)


@pytest.fixture
def bob(net):
    return net.member("bob", target_links=0)


def knows(net, member, other, *addresses):
    """`member` has read the card of `other` and where it is, as of some gossip."""
    record = make_record(
        other.key, network=net.NETWORK, addresses=[str(address) for address in addresses], sequence=2**50, now=net.START
    )
    member.core.table.offer_card(other.core.card, net.unix, source=b"")
    member.core.table.offer_record(record, net.unix)


def dialled(member):
    return [(event.address, event.source) for event in member.told("dialling")]


def refusal(member, ticket):
    answer = member.answer(ticket)
    assert isinstance(answer, io.StreamRefused), answer
    return answer.refusal


# To whom


def test_a_stream_to_a_linked_peer_is_opened_at_once(net):
    low, high = net.pair()
    for member, other, number in ((high, low, 1), (low, high, 2)):
        opened = net.open_stream(member, other)
        assert (opened.stream, opened.node_id) == (number, other.core.node_id)
        assert other.on_stream(StreamOffered)[-1:] == [StreamOffered(number, "echo")]
    assert len(dialled(low)) == len(dialled(high)) == 0


def test_bytes_go_through_a_stream_between_two_nodes(net):
    low, high = net.pair()
    opened = net.open_stream(high, low)
    net.give(high, io.StreamWritten(opened.connection, opened.stream, b"hello"))
    net.give(high, io.StreamEnded(opened.connection, opened.stream, End.FINISH))
    assert low.received(opened.stream) == b"hello"


def test_a_peer_that_is_only_in_the_table_is_dialled(net, ada, bob):
    knows(net, ada, bob, bob.address)
    opened = net.open_stream(ada, bob)
    assert dialled(ada) == [(bob.address, "demand")]
    assert opened.node_id == bob.core.node_id
    assert bob.on_stream(StreamOffered)


def test_a_peer_of_whom_nothing_is_known_is_dialled_at_the_address_that_is_given(net, ada, bob):
    net.open_stream(ada, bob, address=bob.address)
    assert dialled(ada) == [(bob.address, "demand")]


def test_a_peer_of_whom_no_address_is_known_is_unknown(net, ada, bob):
    assert refusal(ada, net.want(ada, bob)) is Refusal.UNKNOWN_PEER
    assert not dialled(ada)


def test_no_stream_leads_to_ourselves(net, ada):
    assert refusal(ada, net.want(ada, ada)) is Refusal.UNKNOWN_PEER
    assert refusal(ada, net.want(ada, ada, address=ada.address)) is Refusal.UNKNOWN_PEER
    assert not dialled(ada)


def test_many_streams_that_wait_for_one_dial_are_all_opened(net, ada, bob):
    knows(net, ada, bob, bob.address)
    tickets = []
    for number in range(5):
        net.tickets = number + 1
        tickets.append(net.tickets)
        net.hand(ada, io.StreamWanted(net.tickets, bob.core.node_id, "echo"))
    net.pump()
    assert [ada.answer(ticket).stream for ticket in tickets] == [1, 3, 5, 7, 9]
    assert len(dialled(ada)) == 1


def test_a_backoff_does_not_hold_up_a_stream(net, ada, bob):
    bob.online = False
    knows(net, ada, bob, bob.address)
    for _ in range(5):
        assert refusal(ada, net.want(ada, bob)) is Refusal.UNREACHABLE
    bob.online = True
    net.open_stream(ada, bob)


# Addresses


def test_the_next_address_is_tried_when_one_fails(net, ada, bob):
    knows(net, ada, bob, NOWHERE, NOWHERE_ELSE, bob.address)
    net.open_stream(ada, bob)
    assert [address for address, _ in dialled(ada)] == [NOWHERE, NOWHERE_ELSE, bob.address]


def test_the_address_that_is_given_is_tried_first(net, ada, bob):
    knows(net, ada, bob, NOWHERE)
    net.open_stream(ada, bob, address=bob.address)
    assert [address for address, _ in dialled(ada)] == [bob.address]


def test_with_the_last_address_the_stream_is_refused_and_says_why(net, ada, bob):
    knows(net, ada, bob, NOWHERE, NOWHERE_ELSE)
    ticket = net.want(ada, bob)
    assert refusal(ada, ticket) is Refusal.UNREACHABLE
    assert ada.answer(ticket).reason == "10.9.9.9:1: connection refused; 10.9.9.8:1: connection refused"


def test_who_answers_at_no_address_is_unreachable_and_keeps_nothing(net, ada, bob):
    bob.online = False
    knows(net, ada, bob, NOWHERE, bob.address)
    for _ in range(3):
        assert refusal(ada, net.want(ada, bob)) is Refusal.UNREACHABLE
    assert len(dialled(ada)) == 6
    assert not ada.core._dialler._wanted
    assert not ada.core.links.openings._wishes


def test_an_address_that_a_later_stream_brings_is_tried_for_all_that_wait(net, ada, bob):
    knows(net, ada, bob, NOWHERE)
    net.hand(ada, io.StreamWanted(1, bob.core.node_id, "echo"))
    net.hand(ada, io.StreamWanted(2, bob.core.node_id, "echo", bob.address))
    net.pump()
    assert [ada.answer(ticket).stream for ticket in (1, 2)] == [1, 3]


def test_the_other_addresses_are_tried_when_a_dial_that_was_under_way_fails(net, ada, bob):
    """It was not made on demand: a bootstrap address, say."""
    knows(net, ada, bob, NOWHERE, bob.address)
    connection = net.target(ada, NOWHERE, bob.core.node_id)
    ticket = net.want(ada, bob)
    assert ada.answer(ticket) is None
    assert not dialled(ada)
    net.give(ada, io.ConnectFailed(connection, "connection refused"))
    assert ada.answer(ticket).stream == 1


def test_a_handshake_that_comes_to_nothing_is_followed_by_the_next_address(net, ada, bob):
    dead = net.member("dead", target_links=0)
    knows(net, ada, bob, dead.address, bob.address)
    net.tamper = lambda _source, target, data: None if target is dead else data
    ticket = net.want(ada, bob)
    net.wait(10.1)
    assert ada.answer(ticket).stream == 1


def test_another_member_at_the_address_of_a_peer_does_not_speak_for_it(net, ada, bob):
    """An address changed hands; the refusal is of whoever lives there now."""
    carl = net.member("carl", target_links=0)
    knows(net, ada, bob, carl.address, bob.address)
    ticket = net.want(ada, bob)
    assert ada.told("peer-refused")
    assert ada.answer(ticket).node_id == bob.core.node_id
    knows(net, carl, bob, ada.address)
    assert refusal(carl, net.want(carl, bob)) is Refusal.UNREACHABLE


# Trust


def test_a_peer_that_we_refuse_is_not_trusted(net, ada, bob):
    net.give(ada, io.FactOffered(net.make_list(2, revoked=[bob.identity.public]), "file"))
    ticket = net.want(ada, bob, address=bob.address)
    assert refusal(ada, ticket) is Refusal.NOT_TRUSTED
    assert ada.answer(ticket).reason == "revoked"


@pytest.mark.parametrize("pattern", ["IK", "lists"])
def test_a_peer_that_refuses_us_does_not_trust_us(net, ada, bob, pattern):
    """In the handshake, or later when it has learned of our end from somebody else's list."""
    if pattern == "IK":
        net.give(bob, io.FactOffered(net.make_list(2, revoked=[ada.identity.public]), "file"))
    else:
        net.give(ada, io.FactOffered(net.make_list(2, revoked=[ada.identity.public]), "file"))
    ticket = net.want(ada, bob, address=bob.address)
    assert refusal(ada, ticket) is Refusal.NOT_TRUSTED
    assert ada.answer(ticket).reason == "revoked"


def test_a_refusal_is_final_whatever_other_addresses_there_are(net, ada, bob):
    knows(net, ada, bob, bob.address, NOWHERE)
    net.give(bob, io.FactOffered(net.make_list(2, revoked=[ada.identity.public]), "file"))
    assert refusal(ada, net.want(ada, bob)) is Refusal.NOT_TRUSTED
    assert len(dialled(ada)) == 1


def test_a_recorded_handshake_of_the_peer_refuses_no_stream(net, ada, bob):
    """Until its first frame whoever comes in counts for nothing (protocol rule P10)."""
    knows(net, ada, bob, bob.address)
    net.hand(ada, io.StreamWanted(7, bob.core.node_id, "echo"))
    dial = net.queue.popleft()  # it takes a while
    replay = net.puppet(ada, "bob").handshake()
    assert replay.link.node_id == bob.core.node_id
    replay.say(b"")
    assert ada.answer(7) is None
    net.queue.append(dial)
    net.pump()
    assert ada.answer(7).stream == 1


def test_the_end_of_a_recording_is_no_reason(net, ada, bob):
    knows(net, ada, bob, NOWHERE)
    net.hand(ada, io.StreamWanted(7, bob.core.node_id, "echo"))
    dial = net.queue.popleft()
    net.puppet(ada, "bob").handshake().say(b"")
    net.queue.append(dial)
    net.pump()
    assert ada.answer(7).reason == "10.9.9.9:1: connection refused"


def test_with_a_rule_less_it_would(net, ada, bob, monkeypatch):
    """The companion: whoever comes in counts from its first byte."""
    from p2pnoise.node.dials import Dialler  # noqa: PLC0415
    from p2pnoise.node.openings import Openings  # noqa: PLC0415

    monkeypatch.setattr(Openings, "ended", lambda self, link, reason: self.failed(link.node_id, reason))
    monkeypatch.setattr(Dialler, "wants", lambda self, node_id: bool(self._wanted.get(node_id)))
    with pytest.raises(AssertionError):
        test_a_recorded_handshake_of_the_peer_refuses_no_stream(net, ada, bob)


# Waiting


def test_a_withdrawn_stream_is_not_opened(net, ada, bob):
    knows(net, ada, bob, bob.address)
    net.hand(ada, io.StreamWanted(1, bob.core.node_id, "echo"))
    net.hand(ada, io.StreamUnwanted(1))
    net.pump()
    assert ada.answer(1) is None
    assert not bob.on_stream(StreamOffered)


def test_for_a_withdrawn_stream_no_further_address_is_tried(net, ada, bob):
    knows(net, ada, bob, NOWHERE, bob.address)
    net.hand(ada, io.StreamWanted(1, bob.core.node_id, "echo"))
    net.hand(ada, io.StreamUnwanted(1))
    net.pump()
    assert len(dialled(ada)) == 1
    assert not ada.links


def test_withdrawing_one_leaves_the_others(net, ada, bob):
    knows(net, ada, bob, bob.address)
    for ticket in (1, 2, 3):
        net.hand(ada, io.StreamWanted(ticket, bob.core.node_id, "echo"))
    net.hand(ada, io.StreamUnwanted(2))
    net.hand(ada, io.StreamUnwanted(99))
    net.pump()
    assert [ada.answer(ticket) is not None for ticket in (1, 2, 3)] == [True, False, True]


def test_streams_that_wait_are_bounded(net, ada, bob, monkeypatch):
    monkeypatch.setattr(openings, "MAX_WAITING", 3)
    knows(net, ada, bob, bob.address)
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
    knows(net, ada, bob, bob.address)
    assert refusal(ada, net.want(ada, bob)) is Refusal.TOO_MANY


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
    assert refusal(high, ticket) is Refusal.UNREACHABLE
    assert "connection reset" in high.answer(ticket).reason


def test_a_stop_refuses_what_waits_and_what_comes_later(net, ada, bob):
    knows(net, ada, bob, bob.address)
    net.hand(ada, io.StreamWanted(7, bob.core.node_id, "echo"))
    net.give(ada, io.Stop())
    assert refusal(ada, 7) is Refusal.STOPPING
    assert refusal(ada, net.want(ada, bob)) is Refusal.STOPPING


def test_a_peer_that_is_not_ready_is_waited_for(net, ada):
    puppet = net.puppet(ada, "carl").come_up()
    ticket = net.want(ada, puppet.key.public)
    assert ada.answer(ticket) is None
    puppet.ready()
    assert ada.answer(ticket).stream == 2
    assert (Kind.STREAM_OPEN, b"\x00\x00\x00\x02echo") in puppet.inbox


def test_a_peer_that_dials_us_first_serves_as_well(net, ada, bob):
    """A dial that leads nowhere is under way when it comes."""
    knows(net, ada, bob, NOWHERE, NOWHERE_ELSE)
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
    knows(net, ada, bob, bob.address, NOWHERE)
    successor(net, bob)
    net.cut(ada, bob)
    net.open_stream(ada, bob)
    assert len(dialled(ada)) == 1


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
    assert refusal(high, net.want(high, low)) is Refusal.UNKNOWN_PEER


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
