"""Links that an operator asks for or ends, and round trips that somebody waits for."""

import pytest

from cards import Address
from p2pnoise.config import Bootstrap
from p2pnoise.errors import LocalProtocolError
from p2pnoise.node import effects as io
from p2pnoise.node import pings
from p2pnoise.node.effects import Refusal
from p2pnoise.node.frames import Kind
from p2pnoise.node.link import Stage

NOWHERE = Address("10.9.9.9", 1)


@pytest.fixture
def ada(net):
    return net.member("ada", target_links=0)


@pytest.fixture
def bob(net):
    return net.member("bob", target_links=0)


def ask(net, member, kind, *values):
    """An input with a ticket of its own; what came of it, None yet."""
    net.tickets += 1
    net.give(member, kind(net.tickets, *values))
    return result(member, net.tickets)


def result(member, ticket):
    kinds = io.PeerReached | io.PingAnswered | io.StreamRefused
    found = [one for one in member.effects if isinstance(one, kinds) and one.ticket == ticket]
    assert len(found) <= 1
    return found[0] if found else None


def connect(net, member, node_id, address=None):
    return ask(net, member, io.ConnectWanted, node_id, address)


# Connecting


def test_a_known_peer_is_dialled_whatever_failed_before_and_however_many_links_are_wanted(net, ada, bob):
    net.teach(ada, bob, bob.address)
    for _ in range(5):
        ada.core._dialler.pauses.failed(bob.address, net.now)
    reached = connect(net, ada, bob.core.node_id)
    assert reached.node_id == bob.core.node_id
    assert ada.up(bob)
    assert ada.dialled == [(bob.address, "operator")]


def test_a_peer_of_whom_nothing_is_known_is_reached_at_the_address_that_is_given(net, ada, bob):
    assert connect(net, ada, bob.core.node_id, bob.address).node_id == bob.core.node_id


def test_whoever_answers_at_a_bare_address_will_do(net, ada, bob):
    assert connect(net, ada, None, bob.address).node_id == bob.core.node_id
    assert ada.told("dialling")[0].node_id is None
    assert ada.told("peer-verified")[0].pattern == "XX"


def test_a_peer_that_is_linked_is_reached_at_once_and_not_dialled_again(net):
    low, high = net.pair()
    assert connect(net, high, low.core.node_id).node_id == low.core.node_id
    assert connect(net, high, None, low.address).node_id == low.core.node_id  # where it was dialled
    assert connect(net, low, high.core.node_id).node_id == high.core.node_id
    assert not high.dialled
    assert not low.dialled


def test_a_second_wish_while_the_first_is_dialled_makes_no_second_dial(net, ada, bob):
    for ticket in (101, 102):
        net.hand(ada, io.ConnectWanted(ticket, None, bob.address))
    net.pump()
    assert [result(ada, ticket).node_id for ticket in (101, 102)] == [bob.core.node_id] * 2
    assert len(ada.dialled) == 1


@pytest.mark.parametrize("known", [True, False], ids=["node", "address"])
def test_where_nobody_answers_it_is_unreachable_and_nothing_is_kept(net, ada, bob, known):
    for _ in range(2):
        refused = connect(net, ada, bob.core.node_id if known else None, NOWHERE)
        assert (refused.refusal, refused.reason) == (Refusal.UNREACHABLE, "10.9.9.9:1: connection refused")
    assert len(ada.dialled) == 2
    assert not ada.core._dialler._wanted
    assert not ada.core.links.openings._wishes


@pytest.mark.parametrize("known", [True, False], ids=["node", "address"])
def test_whom_we_do_not_trust_is_refused_as_such(net, ada, known):
    eve = net.member("eve", card=net.card("eve", issuer=net.stranger), target_links=0)
    refused = connect(net, ada, eve.core.node_id if known else None, eve.address)
    assert refused.refusal is Refusal.NOT_TRUSTED


def test_who_does_not_trust_us_is_named_as_such(net, bob):
    ada = net.member("ada", target_links=0)
    net.give(bob, io.PinsChanged({"ada": net.keys("somebody else")[1].public}))
    assert connect(net, ada, bob.core.node_id, bob.address).refusal is Refusal.NOT_TRUSTED


def test_another_node_at_the_address_does_not_speak_for_the_one_that_is_wanted(net, ada, bob):
    carl = net.member("carl", target_links=0)
    refused = connect(net, ada, bob.core.node_id, carl.address)
    assert refused.refusal is Refusal.UNREACHABLE


def test_ourselves_and_an_unknown_peer_are_not_dialled(net, ada, bob):
    assert connect(net, ada, ada.core.node_id).refusal is Refusal.UNKNOWN_PEER
    assert connect(net, ada, bob.core.node_id).refusal is Refusal.UNKNOWN_PEER
    assert not ada.dialled


def test_our_own_address_is_no_peer(net, ada):
    assert connect(net, ada, None, ada.address).refusal is Refusal.NOT_TRUSTED


def test_nothing_to_connect_to_is_our_own_fault(net, ada):
    with pytest.raises(LocalProtocolError):
        ada.core.handle(io.ConnectWanted(1, None), net.instant)


def test_who_waits_no_longer_is_not_answered_and_not_dialled_for(net, ada, bob):
    net.hand(ada, io.ConnectWanted(7, None, bob.address))
    net.hand(ada, io.StreamUnwanted(7))
    net.pump()
    assert result(ada, 7) is None
    assert not ada.core.links.openings._wishes


def test_a_link_that_an_operator_wants_is_not_ended_for_being_idle(net):
    nodes = [net.member(name, target_links=0) for name in ("ada", "bob", "carl")]
    ada, bob, carl = nodes
    net.open_stream(ada, bob, address=bob.address)
    for other in (bob, carl):
        assert connect(net, ada, other.core.node_id, other.address)
    for number in [number for number, link in ada.links.items() if link.node_id == bob.core.node_id]:
        net.give(ada, io.StreamEnded(number, 1, io.End.ABORT))
    net.wait(200)
    assert ada.up(bob)
    assert ada.up(carl)


def test_a_node_that_stops_refuses(net, ada, bob):
    net.give(ada, io.Stop())
    assert connect(net, ada, None, bob.address).refusal is Refusal.STOPPING


# Disconnecting


def test_a_peer_that_is_disconnected_hears_a_goodbye_and_is_left_alone_for_a_while(net):
    bob = net.member("bob", target_links=0)
    ada = net.member("ada")
    net.teach(ada, bob, bob.address)
    net.give(ada, io.Tick())
    net.wait(5)
    assert ada.up(bob)
    net.give(ada, io.DisconnectWanted(bob.core.node_id, 300.0))
    assert not ada.links_to(bob)
    assert not bob.links_to(ada)
    assert [event.reason for event in ada.told("peer-lost")] == ["disconnected by the operator"]
    assert not bob.told("refused-by-peer")
    net.wait(299)
    assert len(ada.dialled) == 1
    net.wait(2)
    assert ada.up(bob)


def test_a_bootstrap_address_without_a_name_does_not_bring_it_back_either(net):
    bob = net.member("bob", target_links=0)
    ada = net.member("ada", bootstrap=(Bootstrap(bob.address),))
    net.wait(5)
    assert ada.up(bob)
    net.give(ada, io.DisconnectWanted(bob.core.node_id, 300.0))
    net.wait(299)
    assert not ada.up(bob)


def test_a_peer_that_is_disconnected_may_dial_us(net):
    low, high = net.pair()
    net.give(low, io.DisconnectWanted(high.core.node_id, 300.0))
    net.link(high, low)
    assert low.up(high)


def test_a_wish_outweighs_the_operators_hold(net, ada, bob):
    net.teach(ada, bob, bob.address)
    assert connect(net, ada, bob.core.node_id)
    net.give(ada, io.DisconnectWanted(bob.core.node_id, 300.0))
    assert ada.core.held_until(bob.core.node_id) > 0
    assert isinstance(connect(net, ada, bob.core.node_id), io.PeerReached)
    assert ada.core.held_until(bob.core.node_id) == 0


def test_a_dial_under_way_is_given_up(net, ada, bob):
    net.hand(ada, io.ConnectWanted(7, bob.core.node_id, bob.address))
    net.hand(ada, io.DisconnectWanted(bob.core.node_id, 300.0))
    net.pump()
    assert not ada.links
    assert result(ada, 7).reason == "disconnected by the operator"


def test_the_replay_of_a_first_message_is_no_link_to_be_ended(net):
    low, high = net.two()
    puppet = net.puppet(low, high.name, keys=(high.key, high.identity)).handshake()
    net.give(low, io.DisconnectWanted(high.core.node_id, 300.0))
    assert puppet.link.stage is Stage.GREETING


def test_a_peer_that_is_not_linked_is_disconnected_without_a_word(net, ada, bob):
    assert net.give(ada, io.DisconnectWanted(bob.core.node_id, 0.0)) == []


# Pinging


def ping(net, member, other):
    return ask(net, member, io.PingWanted, other.core.node_id)


def test_a_ping_is_answered_after_a_round_trip(net):
    low, high = net.pair()
    assert ping(net, low, high).seconds == 0
    net.tamper = lambda _source, _target, data: setattr(net, "now", net.now + 5_000_000) or data
    assert ping(net, low, high).seconds == 0.01


def test_a_peer_without_a_link_is_not_pinged(net, ada, bob):
    net.teach(ada, bob, bob.address)
    refused = ping(net, ada, bob)
    assert refused.refusal is Refusal.UNREACHABLE
    assert not ada.dialled


def up_puppet(net, ada):
    puppet = net.puppet(ada, "carl").come_up().ready()
    puppet.inbox.clear()
    return puppet


def ping_puppet(net, ada, puppet):
    net.tickets += 1
    net.give(ada, io.PingWanted(net.tickets, puppet.key.public))
    return net.tickets


def test_only_the_answer_to_this_ping_answers_it(net, ada):
    puppet, other = up_puppet(net, ada), net.puppet(ada, "dora").come_up().ready()
    ticket = ping_puppet(net, ada, puppet)
    (payload,) = [payload for kind, payload in puppet.inbox if kind == Kind.PING]
    puppet.frame(Kind.PONG).frame(Kind.PONG, b"guess").frame(Kind.PONG, bytes(8))
    other.frame(Kind.PONG, payload)
    assert result(ada, ticket) is None
    puppet.frame(Kind.PONG, payload)
    assert isinstance(result(ada, ticket), io.PingAnswered)
    puppet.frame(Kind.PONG, payload)
    assert isinstance(result(ada, ticket), io.PingAnswered)


def test_a_link_that_ends_answers_its_pings(net, ada):
    puppet = up_puppet(net, ada)
    ticket = ping_puppet(net, ada, puppet)
    net.give(ada, io.BytesReceived(puppet.number, b""))
    assert result(ada, ticket).refusal is Refusal.UNREACHABLE


def test_a_ping_that_nobody_waits_for_is_forgotten(net, ada):
    puppet = up_puppet(net, ada)
    ticket = ping_puppet(net, ada, puppet)
    net.give(ada, io.StreamUnwanted(ticket))
    puppet.frame(Kind.PONG, ticket.to_bytes(pings.SIZE, "big"))
    assert result(ada, ticket) is None
    assert not ada.core.links.pings._asked


def test_pings_that_wait_are_bounded(net, ada, monkeypatch):
    monkeypatch.setattr(pings, "MAX_PENDING", 2)
    puppet = up_puppet(net, ada)
    tickets = [ping_puppet(net, ada, puppet) for _ in range(3)]
    assert [result(ada, ticket) for ticket in tickets[:2]] == [None, None]
    assert result(ada, tickets[2]).refusal is Refusal.TOO_MANY
