"""`Node.connect`, `disconnect` and `ping`: links by an application's word, and how long a round trip takes."""

import pytest
from trio.testing import wait_all_tasks_blocked

from cards import Address, CardError
from p2pnoise.config import NodeConfig
from p2pnoise.node.bans import Ban
from p2pnoise.node.driver.errors import (
    NodeStopping,
    PeerNotTrusted,
    PeerTimeout,
    PeerUnreachable,
    UnknownPeer,
)
from p2pnoise.node.effects import BansChanged
from p2pnoise.testing import network


@pytest.fixture
async def net():
    """Two nodes that dial only when they are told to."""
    async with (
        network(0, config=NodeConfig(target_links=0)) as net,
        net.run("alice", bootstrap=[]),
        net.run("bob", bootstrap=[]),
    ):
        yield net


@pytest.fixture
def alice(net):
    return net.nodes["alice"]


@pytest.fixture
def bob(net):
    return net.nodes["bob"]


@pytest.mark.parametrize("form", ["text", "address", "node"])
async def test_connect_returns_the_peer_once_it_is_linked(autojump_clock, net, alice, bob, form):
    where = bob.addresses[0]
    peer = await alice.connect({"text": str(where), "address": where, "node": f"{bob.node_id}@{where}"}[form])
    assert (peer.name, peer.node_id, peer.linked) == ("bob", bob.node_id, True)
    assert net.linked("bob", "alice")


async def test_connect_says_what_kept_the_peer_away(autojump_clock, net, alice, bob):
    for peer, error in (
        ("nobody", UnknownPeer),
        (bob.node_id, UnknownPeer),
        (alice.node_id, UnknownPeer),
        (Address("10.0.9.9", 1), PeerUnreachable),
        ("10.0.9.9:70000", CardError),
    ):
        with pytest.raises(error):
            await alice.connect(peer)
    await bob.offer(BansChanged((Ban(key=alice.node_id, since=0),)))
    with pytest.raises(PeerNotTrusted):
        await alice.connect(bob.addresses[0])
    with pytest.raises(PeerNotTrusted):
        await bob.connect(alice.addresses[0])


async def test_connect_and_ping_give_up_in_time(autojump_clock, net, alice, bob):
    await alice.connect(bob.addresses[0])
    for _ in range(3):
        with pytest.raises(PeerTimeout):
            await alice.ping("bob", timeout=0)
        with pytest.raises(PeerTimeout):
            await alice.connect(Address("10.0.9.9", 1), timeout=0)
    await wait_all_tasks_blocked()
    assert not alice.core.links.pings._asked
    assert not alice.core.links.openings._wishes
    assert await alice.ping("bob") >= 0


async def test_a_ping_connects_whom_it_knows(autojump_clock, net, alice, bob):
    await alice.connect(bob.addresses[0])
    await net.wait_until(lambda: alice.peers[0].addresses)
    alice.disconnect("bob")
    assert await alice.ping("bob") >= 0
    assert net.linked("alice", "bob")


async def test_disconnect_ends_the_link_with_a_goodbye(autojump_clock, net, alice, bob):
    await alice.connect(bob.addresses[0])
    alice.disconnect("bob")
    await net.wait_until(lambda: not net.linked("alice", "bob") and not net.linked("bob", "alice"))
    assert [event.reason for event in net.events["alice"] if event.kind == "peer-lost"] == [
        "disconnected by the operator"
    ]
    with pytest.raises(ValueError, match="hold"):
        alice.disconnect("bob", hold=-1)


async def test_a_node_that_has_stopped_says_so(autojump_clock, net, bob):
    async with net.run("carol", bootstrap=[]) as carol:
        await carol.connect(bob.addresses[0])
    with pytest.raises(NodeStopping):
        await carol.connect(bob.addresses[0])
    carol.disconnect(bob.node_id)  # which it is
