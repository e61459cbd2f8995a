"""How a link ends: said by both sides, or a fault; and nothing is taken after it."""

import pytest

from p2pnoise.node import effects as io
from p2pnoise.node.frames import Code


@pytest.fixture
def ada(net):
    return net.member("ada", target_links=0)


def test_an_end_of_the_carrier_alone_is_a_fault(net):
    low, high = net.pair()
    net.cut(low, high)
    assert [event.reason for event in low.told("peer-lost")] == ["the connection was cut"]


def test_a_clean_end_is_no_fault(net, ada):
    puppet = net.puppet(ada, "carl").come_up()
    puppet.say(puppet.conn.send_end())
    assert [event.reason for event in ada.told("peer-lost")] == ["closed by the peer"]
    assert puppet.inbox[-1] == "end"


def test_stopping_says_goodbye_and_ends_both_directions(any_net):
    low, high = any_net.pair()
    any_net.give(low, io.Stop())
    assert [event.reason for event in high.told("peer-lost")] == ["closed by the peer"]
    assert not high.told("refused-by-peer")
    assert not low.links
    assert not high.links


def test_nothing_is_taken_after_the_end(net, ada):
    puppet = net.puppet(ada, "carl").come_up()
    puppet.say(puppet.conn.send_end())
    puppet.victim.wires[puppet.number] = (puppet, 0)
    before, events = ada.state, len(ada.events)
    puppet.say(b"\x00\x20" + bytes(32))
    assert ada.state == before
    assert len(ada.events) == events


def test_a_stop_that_meets_a_greeting_ends_that_link(net, ada):
    """The HELLO of a peer that we have said goodbye to opens nothing any more."""
    puppet = net.puppet(ada, "carl").handshake()
    net.give(ada, io.Stop())
    puppet.hello()
    assert puppet.told is Code.GOODBYE
    net.wait(ada.core.config.close_timeout)
    assert not ada.links


def test_a_cut_would_pass_for_an_end_if_the_end_were_not_authenticated(net, monkeypatch):
    """The companion: were the carrier's end enough, whoever sits on the path could end links unseen."""
    from p2pnoise.node import link  # noqa: PLC0415

    monkeypatch.setattr(link, "Truncated", type("Never", (), {}))
    monkeypatch.setattr(link, "EndOfStream", object)
    low, high = net.pair()
    net.cut(low, high)
    assert [event.reason for event in low.told("peer-lost")] != ["the connection was cut"]
