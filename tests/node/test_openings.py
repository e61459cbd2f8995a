"""Streams that an application wants: to whom, over which link, dialled on demand, or refused."""

import pytest

from cards import Address
from p2pnoise.node import effects as io
from p2pnoise.node.effects import Refusal
from p2pnoise.node.stream_events import End, StreamOffered

NOWHERE = Address("10.9.9.9", 1)
NOWHERE_ELSE = Address("10.9.9.8", 1)


@pytest.fixture
def ada(net):
    return net.member("ada", target_links=0)


@pytest.fixture
def bob(net):
    return net.member("bob", target_links=0)


# To whom


def test_a_stream_to_a_linked_peer_is_opened_at_once(net):
    low, high = net.pair()
    for member, other, number in ((high, low, 1), (low, high, 2)):
        opened = net.open_stream(member, other)
        assert (opened.stream, opened.node_id) == (number, other.core.node_id)
        assert other.on_stream(StreamOffered)[-1:] == [StreamOffered(number, "echo")]
    assert len(low.dialled) == len(high.dialled) == 0


def test_bytes_go_through_a_stream_between_two_nodes(net):
    low, high = net.pair()
    opened = net.open_stream(high, low)
    net.give(high, io.StreamWritten(opened.connection, opened.stream, b"hello"))
    net.give(high, io.StreamEnded(opened.connection, opened.stream, End.FINISH))
    assert low.received(opened.stream) == b"hello"


def test_a_peer_that_is_only_in_the_table_is_dialled(net, ada, bob):
    net.teach(ada, bob, bob.address)
    opened = net.open_stream(ada, bob)
    assert ada.dialled == [(bob.address, "demand")]
    assert opened.node_id == bob.core.node_id
    assert bob.on_stream(StreamOffered)


def test_a_peer_of_whom_nothing_is_known_is_dialled_at_the_address_that_is_given(net, ada, bob):
    net.open_stream(ada, bob, address=bob.address)
    assert ada.dialled == [(bob.address, "demand")]


def test_a_peer_of_whom_no_address_is_known_is_unknown(net, ada, bob):
    assert ada.refusal(net.want(ada, bob)) is Refusal.UNKNOWN_PEER
    assert not ada.dialled


def test_no_stream_leads_to_ourselves(net, ada):
    assert ada.refusal(net.want(ada, ada)) is Refusal.UNKNOWN_PEER
    assert ada.refusal(net.want(ada, ada, address=ada.address)) is Refusal.UNKNOWN_PEER
    assert not ada.dialled


def test_many_streams_that_wait_for_one_dial_are_all_opened(net, ada, bob):
    net.teach(ada, bob, bob.address)
    tickets = []
    for number in range(5):
        net.tickets = number + 1
        tickets.append(net.tickets)
        net.hand(ada, io.StreamWanted(net.tickets, bob.core.node_id, "echo"))
    net.pump()
    assert [ada.answer(ticket).stream for ticket in tickets] == [1, 3, 5, 7, 9]
    assert len(ada.dialled) == 1


def test_a_backoff_does_not_hold_up_a_stream(net, ada, bob):
    bob.online = False
    net.teach(ada, bob, bob.address)
    for _ in range(5):
        assert ada.refusal(net.want(ada, bob)) is Refusal.UNREACHABLE
    bob.online = True
    net.open_stream(ada, bob)


# Addresses


def test_the_next_address_is_tried_when_one_fails(net, ada, bob):
    net.teach(ada, bob, NOWHERE, NOWHERE_ELSE, bob.address)
    net.open_stream(ada, bob)
    assert [address for address, _ in ada.dialled] == [NOWHERE, NOWHERE_ELSE, bob.address]


def test_the_address_that_is_given_is_tried_first(net, ada, bob):
    net.teach(ada, bob, NOWHERE)
    net.open_stream(ada, bob, address=bob.address)
    assert [address for address, _ in ada.dialled] == [bob.address]


def test_with_the_last_address_the_stream_is_refused_and_says_why(net, ada, bob):
    net.teach(ada, bob, NOWHERE, NOWHERE_ELSE)
    ticket = net.want(ada, bob)
    assert ada.refusal(ticket) is Refusal.UNREACHABLE
    assert ada.answer(ticket).reason == "10.9.9.9:1: connection refused; 10.9.9.8:1: connection refused"


def test_who_answers_at_no_address_is_unreachable_and_keeps_nothing(net, ada, bob):
    bob.online = False
    net.teach(ada, bob, NOWHERE, bob.address)
    for _ in range(3):
        assert ada.refusal(net.want(ada, bob)) is Refusal.UNREACHABLE
    assert len(ada.dialled) == 6
    assert not ada.core._dialler._wanted
    assert not ada.core.links.openings._wishes


def test_an_address_that_a_later_stream_brings_is_tried_for_all_that_wait(net, ada, bob):
    net.teach(ada, bob, NOWHERE)
    net.hand(ada, io.StreamWanted(1, bob.core.node_id, "echo"))
    net.hand(ada, io.StreamWanted(2, bob.core.node_id, "echo", bob.address))
    net.pump()
    assert [ada.answer(ticket).stream for ticket in (1, 2)] == [1, 3]


def test_the_other_addresses_are_tried_when_a_dial_that_was_under_way_fails(net, ada, bob):
    """It was not made on demand: a bootstrap address, say."""
    net.teach(ada, bob, NOWHERE, bob.address)
    connection = net.target(ada, NOWHERE, bob.core.node_id)
    ticket = net.want(ada, bob)
    assert ada.answer(ticket) is None
    assert not ada.dialled
    net.give(ada, io.ConnectFailed(connection, "connection refused"))
    assert ada.answer(ticket).stream == 1


def test_a_handshake_that_comes_to_nothing_is_followed_by_the_next_address(net, ada, bob):
    dead = net.member("dead", target_links=0)
    net.teach(ada, bob, dead.address, bob.address)
    net.tamper = lambda _source, target, data: None if target is dead else data
    ticket = net.want(ada, bob)
    net.wait(10.1)
    assert ada.answer(ticket).stream == 1


def test_another_member_at_the_address_of_a_peer_does_not_speak_for_it(net, ada, bob):
    """An address changed hands; the refusal is of whoever lives there now."""
    carl = net.member("carl", target_links=0)
    net.teach(ada, bob, carl.address, bob.address)
    ticket = net.want(ada, bob)
    assert ada.told("peer-refused")
    assert ada.answer(ticket).node_id == bob.core.node_id
    net.teach(carl, bob, ada.address)
    assert carl.refusal(net.want(carl, bob)) is Refusal.UNREACHABLE


# Trust


def test_a_peer_that_we_refuse_is_not_trusted(net, ada, bob):
    net.give(ada, io.FactOffered(net.make_list(2, revoked=[bob.identity.public]), "file"))
    ticket = net.want(ada, bob, address=bob.address)
    assert ada.refusal(ticket) is Refusal.NOT_TRUSTED
    assert ada.answer(ticket).reason == "revoked"


@pytest.mark.parametrize("pattern", ["IK", "lists"])
def test_a_peer_that_refuses_us_does_not_trust_us(net, ada, bob, pattern):
    """In the handshake, or later when it has learned of our end from somebody else's list."""
    if pattern == "IK":
        net.give(bob, io.FactOffered(net.make_list(2, revoked=[ada.identity.public]), "file"))
    else:
        net.give(ada, io.FactOffered(net.make_list(2, revoked=[ada.identity.public]), "file"))
    ticket = net.want(ada, bob, address=bob.address)
    assert ada.refusal(ticket) is Refusal.NOT_TRUSTED
    assert ada.answer(ticket).reason == "revoked"


def test_a_refusal_is_final_whatever_other_addresses_there_are(net, ada, bob):
    net.teach(ada, bob, bob.address, NOWHERE)
    net.give(bob, io.FactOffered(net.make_list(2, revoked=[ada.identity.public]), "file"))
    assert ada.refusal(net.want(ada, bob)) is Refusal.NOT_TRUSTED
    assert len(ada.dialled) == 1


def test_a_recorded_handshake_of_the_peer_refuses_no_stream(net, ada, bob):
    """Until its first frame whoever comes in counts for nothing (protocol rule P10)."""
    net.teach(ada, bob, bob.address)
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
    net.teach(ada, bob, NOWHERE)
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
