"""Whether a neighbour lives is seen by gossip: a node's own pings leave it alone, and any frame of it counts."""

import pytest

from p2pnoise.gossip.effects import LeaveLink
from p2pnoise.gossip.encoding import decode, encode
from p2pnoise.gossip.liveness import DEFERENCE, LEAST, PERIOD, SUSPICION
from p2pnoise.gossip.messages import Probe, ProbeAnswer
from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from p2pnoise.node.frames import Kind

PROBED = (PERIOD + DEFERENCE) / SECOND  # whoever dials a node is probed by it after so long
SUSPECTED = PROBED + LEAST / SECOND + 0.5
GIVEN_UP = SUSPECTED + SUSPICION / SECOND + 2.5  # nobody is there who could be asked: health is not the best


@pytest.fixture
def ada(net):
    return net.member("ada", target_links=0)


def heard_of(puppet, kind):
    """The gossip messages of this kind that a puppet has heard."""
    frames = [frame for frame in puppet.inbox if isinstance(frame, tuple) and frame[0] == Kind.GOSSIP]
    return [message for message in (decode(payload) for _, payload in frames) if isinstance(message, kind)]


def test_a_neighbour_that_says_nothing_is_probed_and_not_pinged(net, ada):
    puppet = net.puppet(ada, "carl").come_up()
    net.wait(PROBED - 0.1)
    assert not heard_of(puppet, Probe)
    net.wait(1.1)
    assert len(heard_of(puppet, Probe)) == 1
    assert (Kind.PING, b"") not in puppet.inbox


def test_a_neighbour_that_stays_silent_is_dropped(net, ada):
    puppet = net.puppet(ada, "carl").come_up()
    net.wait(SUSPECTED + SUSPICION / SECOND - 1)
    assert not puppet.ended
    net.wait(GIVEN_UP - SUSPECTED)
    assert puppet.ended
    assert ada.told("peer-lost")[0].reason.startswith("silent for 2")


def test_any_frame_of_a_suspected_neighbour_ends_the_suspicion(net, ada):
    puppet = net.puppet(ada, "carl").come_up()
    net.wait(GIVEN_UP - 3)
    puppet.frame(Kind.PING, b"")
    net.wait(PROBED - 0.5)
    assert not puppet.ended


def test_a_frame_that_a_third_waits_for_is_told_it_at_once(net, ada):
    carl, dora = (net.puppet(ada, name).come_up() for name in ("carl", "dora"))
    dora.frame(Kind.GOSSIP, encode(Probe(b"1234", bytes(carl.key.public))))
    assert not heard_of(dora, ProbeAnswer)
    carl.frame(Kind.PING, b"")
    assert [answer.nonce for answer in heard_of(dora, ProbeAnswer)] == [b"1234"]


def test_a_node_that_answers_is_not_dropped(net):
    low, high = net.pair()
    net.wait(300)
    assert low.up(high)
    assert not low.told("peer-lost")


def test_who_is_no_neighbour_any_more_and_stays_for_a_stream_is_pinged(net, ada):
    puppet = net.puppet(ada, "carl").come_up().ready()
    puppet.frame(Kind.STREAM_OPEN, (1).to_bytes(4, "big") + b"echo")
    net.wait(1)
    ada.core._overlay.views._let_go(puppet.number)
    ada.core.links.gossip.apply([LeaveLink(puppet.number)], net.instant)
    net.give(ada, io.Tick())
    assert not puppet.ended
    net.wait(ada.core.config.ping_interval + ada.core.config.ping_timeout)
    assert puppet.ended
