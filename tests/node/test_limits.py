"""Limits: how many links, how long each stage may take, and what a link is that falls silent."""

from dataclasses import replace

import pytest

from cards import Address
from p2pnoise.gossip import company, views
from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from p2pnoise.node.admission import VISITED
from p2pnoise.node.frames import Code, Kind, encode_card
from p2pnoise.node.link import Stage


@pytest.fixture
def ada(net):
    return net.member("ada", target_links=0)


def strangers(net, member, count, *, host="192.0.2.{}"):
    """So many carriers that say nothing; how many were let in."""
    for number in range(count):
        connection = member.core.new_connection()
        net.give(member, io.Accepted(connection, Address(host.format(number % 250), 4000)))
    return len(member.links)


def test_unproven_connections_are_limited(net, ada):
    assert strangers(net, ada, 200) == ada.core.config.max_handshakes == 64


def test_unproven_connections_of_one_host_are_limited(net, ada):
    assert strangers(net, ada, 200, host="192.0.2.7") == ada.core.config.max_handshakes_per_host == 32


def test_strangers_leave_room_for_another_host(net, ada):
    strangers(net, ada, 200, host="192.0.2.7")
    assert net.puppet(ada, "carl", address="192.0.2.8").come_up()


def test_connections_in_any_state_are_limited(net):
    ada = net.member("ada", target_links=0, max_links=3)
    peers = [net.puppet(ada, f"peer-{number}").come_up() for number in range(3)]
    late = net.puppet(ada, "late")
    assert late.ended
    assert late.heard == b""
    assert all(peer.link.stage is Stage.UP for peer in peers)


def test_who_comes_to_a_crowded_node_goes_after_a_while_and_makes_room(net):
    ada = net.member("ada", target_links=0, max_links=3)
    first, second, visitor = (net.puppet(ada, f"peer-{number}").come_up() for number in range(3))
    net.wait(VISITED / SECOND)
    assert visitor.link.closed_by is None
    assert visitor.link.ending
    assert not first.link.ending
    assert not second.link.ending


def test_a_visitor_stays_where_somebody_else_has_gone(net):
    ada = net.member("ada", target_links=0, max_links=3)
    peers = [net.puppet(ada, f"peer-{number}").come_up() for number in range(3)]
    net.give(ada, io.ConnectFailed(peers[0].number, "a broken wire"))
    net.wait(2 * VISITED / SECOND)
    assert not peers[2].link.ending


def test_members_for_whom_the_table_has_no_room_are_of_their_issuer_all_the_same(net, monkeypatch):
    for module in (company, views):
        monkeypatch.setattr(module, "ENOUGH", 2)
    others = {"lab": net.second.public, "far": net.stranger.public}
    ada = net.member("ada", policy=replace(net.policy, issuers={**net.policy.issuers, **others}), target_links=0)
    ada.core.table.most = 4  # a quarter is for one issuer: it is ada's own row
    ada.core._overlay.views.candidates.networks = lambda _now: company.SEVERAL
    for name in ("bob", "carl", "dora"):
        net.link(net.member(name, target_links=0), ada)
    net.wait(30)
    assert len(ada.core.table) == 1
    assert len(ada.core.neighbours) == 2


def test_a_dial_that_arrives_when_others_have_come_in_opens_no_link(net):
    ada, bob = net.member("ada", target_links=0, max_links=2), net.member("bob", target_links=0)
    connection = net.target(ada, bob.address, bob.core.node_id)
    assert strangers(net, ada, 2) == 2
    effects = net.give(ada, io.Connected(connection))
    assert io.Disconnect(connection) in effects
    assert len(ada.links) == 2
    assert [event.reason for event in ada.told("dial-failed")] == ["2 links, at most 2"]


def test_proven_peers_do_not_count_as_strangers(net):
    ada = net.member("ada", target_links=0, max_handshakes=1)
    for number in range(5):
        assert net.puppet(ada, f"peer-{number}").come_up()


def silent(puppet):
    pass


def half_a_message(puppet):
    puppet.say(puppet.conn.send_handshake(encode_card(puppet.card.raw))[:40])


def handshake_without_hello(puppet):
    puppet.handshake()


def hello_without_heads(puppet):
    puppet.handshake().hello()


def lists_that_never_come(puppet):
    from p2pnoise.gossip.encoding import encode  # noqa: PLC0415
    from p2pnoise.gossip.messages import Heads  # noqa: PLC0415

    puppet.handshake().hello()
    (head,) = puppet.victim.core.table.revocations.heads
    puppet.frame(Kind.GOSSIP, encode(Heads((head._replace(sequence=99),))))


STAGES = [silent, half_a_message, handshake_without_hello, hello_without_heads, lists_that_never_come]


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_of_a_handshake_takes_longer_than_its_time(net, ada, stage):
    puppet = net.puppet(ada, "carl")
    stage(puppet)
    net.wait(9.9)
    assert puppet.link is not None
    assert not puppet.link.ending
    net.wait(0.2)
    assert puppet.link is None or puppet.link.ending
    net.wait(5)
    assert not ada.links
    assert not ada.told("peer-verified")


def test_trickling_bytes_do_not_extend_the_time(net, ada):
    puppet = net.puppet(ada, "carl")
    first = puppet.conn.send_handshake(encode_card(puppet.card.raw))
    for number in range(11):
        puppet.say(first[number : number + 1])
        net.wait(1)
    assert puppet.ended


def test_who_never_gives_the_lists_that_it_names_hears_busy(net, ada):
    puppet = net.puppet(ada, "carl")
    lists_that_never_come(puppet)
    net.wait(10)
    assert puppet.told is Code.BUSY


def test_a_dialled_node_that_says_nothing_is_given_up(net):
    low, high = net.two()
    connection = net.target(high, low.address, low.core.node_id)
    net.hand(high, io.Connected(connection))
    net.wait(10.1)
    assert not high.links
    assert high.told("dial-failed")[0].reason == "no handshake within 10 s"


def test_a_silent_peer_that_is_no_neighbour_is_asked_and_then_dropped(net, ada):
    puppet = net.puppet(ada, "carl").come_up()
    net.estrange(ada)
    net.wait(14)
    assert (Kind.PING, b"") not in puppet.inbox
    net.wait(1.1)
    assert (Kind.PING, b"") in puppet.inbox
    net.wait(10)
    assert puppet.ended
    assert ada.told("peer-lost")[0].reason == "silent for 10 s after a ping"


def test_a_pong_keeps_a_link(net, ada):
    puppet = net.puppet(ada, "carl").come_up()
    for _ in range(5):
        net.wait(16)
        puppet.frame(Kind.PONG)
    assert puppet.link.stage is Stage.UP


def test_bytes_that_decrypt_to_nothing_are_no_sign_of_life(net, ada):
    """One flipped bit in a length makes a link deaf; what comes after it must not keep it looking alive."""
    puppet = net.puppet(ada, "carl").come_up()
    puppet.say(b"\xff\xff")
    for _ in range(26):
        puppet.say(b"x" * 600)
        net.wait(1)
    assert puppet.ended
    assert ada.told("peer-lost")


def test_two_nodes_with_nothing_to_say_stay_linked(net):
    low, high = net.pair()
    net.wait(600)
    assert low.up(high)
    assert not low.told("peer-lost")


def test_a_peer_that_never_ends_its_own_direction_is_not_waited_for(net, ada):
    puppet = net.puppet(ada, "carl").come_up()
    net.give(ada, io.Stop())
    assert puppet.link.stage is Stage.CLOSING
    net.wait(4.9)
    assert puppet.link is not None
    net.wait(0.2)
    assert puppet.link is None


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_jump_of_the_wall_clock_disturbs_no_timer(net, jump):
    low, high = net.pair()
    net.wait(7)
    before = [member.core.deadline() for member in (low, high)]
    net.shift = jump
    assert [member.core.deadline() for member in (low, high)] == before
    net.wait(120)
    assert low.up(high)
    assert high.up(low)
    assert not low.told("peer-lost")


def test_ticks_at_any_time_are_harmless(net):
    low, _high = net.pair()
    sent = dict(low.sent)
    for _ in range(100):
        net.now += SECOND // 1000
        net.give(low, io.Tick())
    assert low.sent == sent


def test_bytes_for_a_connection_that_nobody_knows_are_ignored(net, ada):
    assert net.give(ada, io.BytesReceived(77, b"hello")) == []
    assert net.give(ada, io.ConnectFailed(77, "gone")) == []


def test_a_carrier_that_nobody_dialled_is_ended(net, ada):
    assert net.give(ada, io.Connected(77)) == [io.Disconnect(77)]
