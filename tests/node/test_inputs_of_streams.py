"""What passes on streams: handled without a look at anything else of the node, and yet nothing is forgotten."""

import pytest

from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from p2pnoise.node.rekeying import MIN_INTERVAL
from p2pnoise.node.stream_events import End, StreamFinished
from tests.node.conftest import Net


@pytest.fixture
def net():
    return Net()


def test_what_passes_on_a_stream_looks_at_no_other_link(net):
    hub, peer, other = (net.member(name, target_links=0) for name in ("hub", "peer", "other"))
    net.link(peer, hub)
    net.link(other, hub)
    opened = net.open_stream(hub, peer)
    net.inspects = False
    del hub.core.links.all[hub.link_number(other)].streams  # whoever looks at it now fails
    net.give(hub, io.StreamWritten(opened.connection, opened.stream, b"hello"))
    net.give(peer, io.StreamWritten(peer.link_number(hub), opened.stream, b"hello"))
    net.give(hub, io.StreamRead(opened.connection, opened.stream, 5))
    net.give(hub, io.StreamEnded(opened.connection, opened.stream, End.FINISH))
    assert peer.received(opened.stream) == hub.received(opened.stream) == b"hello"
    assert peer.on_stream(StreamFinished, opened.stream)


def test_what_a_peer_says_has_few_other_links_looked_at(net):
    hub = net.member("hub", target_links=0)
    peers = [net.member(f"peer-{number}", target_links=0) for number in range(12)]
    for peer in peers:
        net.link(peer, hub)
    looks, deadline = [], hub.core.links.upkeep.deadline
    hub.core.links.upkeep.deadline = lambda link: looks.append(link) or deadline(link)
    net.inspects = False
    number = peers[5].link_number(hub)
    for _ in range(3):
        looks.clear()
        peers[5].links[number].ping(net.now)
        peers[5].core.links.agenda.touch(number)
        net.give(peers[5], io.Tick())
        assert peers[5].links[number].pinged_at is None
        assert len(looks) <= 3


def test_keys_that_streams_have_used_up_are_wanted_anew_at_once(net):
    low, high = net.pair(rekey_bytes=100_000)
    opened = net.open_stream(high, low)
    assert high.core.deadline() > net.now + SECOND
    net.give(high, io.StreamWritten(opened.connection, opened.stream, bytes(100_000)))
    assert high.core.deadline() <= net.now + MIN_INTERVAL


def test_the_end_of_the_last_stream_sets_the_end_of_a_link_that_was_dialled_for_it(net):
    low, high = net.two(idle_timeout=1.0)
    ticket = net.want(high, low, address=low.address)
    opened = high.answer(ticket)
    assert high.core.deadline() > net.now + SECOND
    for member in (high, low):
        net.give(member, io.StreamEnded(member.link_number(low if member is high else high), opened.stream, End.CLOSE))
    assert high.core.deadline() <= net.now + SECOND
