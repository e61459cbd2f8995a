"""Naming: a peer is meant by its Node ID, its address or its name, and by a name only where that means one."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from cards import CardError, make_card
from p2pnoise.errors import LocalProtocolError
from p2pnoise.node.driver.errors import AmbiguousPeer, PeerUnreachable, StreamNotOpened, UnknownPeer
from p2pnoise.node.driver.naming import find
from p2pnoise.node.effects import PinsChanged
from p2pnoise.testing import network


@pytest.fixture
async def net():
    async with network(3) as net:
        yield net


def twin(net, name, of):
    """A card for other keys, which bears the name `of`, too."""
    key, identity = net.keys(name)
    issued = net.issue(of)
    card = make_card(identity, key, network=issued.network, now=net.now, name=of)
    from cards import grant  # noqa: PLC0415 - one use

    return grant(net.issuer, card, serial=1, now=net.now, entropy=bytes)


@pytest.mark.parametrize("form", ["node id", "peer", "text", "name"])
async def test_a_peer_is_found_in_every_form(autojump_clock, net, form):
    alice, bob = net.nodes["alice"], net.nodes["bob"]
    (peer,) = [peer for peer in alice.peers if peer.name == "bob"]
    meant = {"node id": bob.node_id, "peer": peer, "text": str(bob.node_id), "name": "bob"}[form]
    assert find(alice.core, meant) == (bob.node_id, None)


async def test_an_address_is_dialled_first(autojump_clock, net):
    alice, bob = net.nodes["alice"], net.nodes["bob"]
    assert find(alice.core, f"{bob.node_id}@10.0.0.2:7060") == (bob.node_id, bob.addresses[0])


async def test_a_peer_that_nobody_knows_is_reached_by_its_address(autojump_clock, net):
    async def wait(_stream):
        await trio.sleep_forever()

    alice = net.nodes["alice"]
    alice.handle("wait/1", wait)
    async with net.run("dora", bootstrap=[]) as dora:
        with pytest.raises(UnknownPeer):
            await dora.open_stream(alice.node_id, "wait/1")
        stream = await dora.open_stream(f"{alice.node_id}@{alice.addresses[0]}", "wait/1")
        assert stream.peer.name == "alice"


async def test_an_address_where_nobody_answers_is_unreachable(autojump_clock, net):
    with pytest.raises(PeerUnreachable, match="connection refused") as refused:
        await net.nodes["alice"].open_stream(f"{net.keys('nobody')[0].public}@10.0.9.9:1", "wait/1")
    assert refused.value.hint


async def test_an_unknown_name_is_answered_by_those_that_are_near(autojump_clock, net):
    with pytest.raises(UnknownPeer, match="'bop'") as unknown:
        await net.nodes["alice"].open_stream("bop", "wait/1")
    assert unknown.value.hint == "did you mean bob?"


async def test_a_mistyped_node_id_is_named_as_one(autojump_clock, net):
    text = str(net.nodes["bob"].node_id)
    wrong = text[:-1] + ("q" if text[-1] != "q" else "p")
    for form in (wrong, f"{wrong}@10.0.0.2:7060"):
        with pytest.raises(CardError, match="mistyped"):
            await net.nodes["alice"].open_stream(form, "wait/1")


async def test_a_name_of_two_peers_means_neither_until_it_is_pinned(autojump_clock, net):
    alice = net.nodes["alice"]
    async with net.run("bob-2", card=twin(net, "bob-2", "bob")) as other:
        await net.wait_until(lambda: net.linked("alice", "bob-2"))
        with pytest.raises(AmbiguousPeer, match="2 peers are called bob") as ambiguous:
            await alice.open_stream("bob", "wait/1")
        assert {peer.node_id for peer in ambiguous.value.candidates} == {net.nodes["bob"].node_id, other.node_id}
        assert isinstance(ambiguous.value, StreamNotOpened)
        await alice.offer(PinsChanged({"bob": net.keys("bob")[1].public}))
        await wait_all_tasks_blocked()
        assert find(alice.core, "bob") == (net.nodes["bob"].node_id, None)


async def test_a_pinned_name_means_nobody_else(autojump_clock, net):
    alice = net.nodes["alice"]
    await alice.offer(PinsChanged({"zoe": net.keys("zoe")[1].public}))
    async with net.run("zoe-2", card=twin(net, "zoe-2", "zoe")) as _:
        with pytest.raises(UnknownPeer, match="zoe is pinned"):
            await alice.open_stream("zoe", "wait/1")


async def test_a_name_that_looks_like_a_node_id_is_not_taken_for_the_name(autojump_clock, net):
    """Or whoever is granted such a name would get what is meant for the node."""
    alice, bob = net.nodes["alice"], net.nodes["bob"]
    async with net.run("eve", card=twin(net, "eve", str(bob.node_id))):
        await net.wait_until(lambda: net.linked("alice", "eve"))
        assert find(alice.core, str(bob.node_id)).node_id == bob.node_id


async def test_short_names_that_begin_as_node_ids_do_are_names(autojump_clock, net):
    async with net.run("node1") as node:
        await net.wait_until(lambda: net.linked("alice", "node1"))
        assert find(net.nodes["alice"].core, "node1").node_id == node.node_id


async def test_a_node_opens_no_stream_to_itself(autojump_clock, net):
    alice = net.nodes["alice"]
    with pytest.raises((UnknownPeer, LocalProtocolError), match=r"itself|this node"):
        await alice.open_stream(alice.node_id, "wait/1")
