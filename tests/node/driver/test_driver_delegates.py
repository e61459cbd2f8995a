"""A peer of a delegate on real nodes: dialled by whoever hears of it, and back after a restart with its delegations."""

import itertools

import pytest

from cards import Delegation, Entry, IssuerKey, grant, make_card, make_list
from p2pnoise.node.effects import FactOffered
from p2pnoise.store import read_table

HOUR = 3600
DELEGATES = tuple(IssuerKey(bytes([number]) * 32) for number in (1, 2, 3))


@pytest.fixture
def chain(net):
    """Each delegates to the next, three steps from the root."""
    return tuple(
        Delegation.make(
            {
                "net": net.policy.network,
                "iat": net.now,
                "iss": issuer.public,
                "key": key.public,
                "path": 2 - at,
                "nbf": net.now - 1,
                "exp": net.now + HOUR,
            },
            issuer,
        )
        for at, (issuer, key) in enumerate(itertools.pairwise((net.issuer, *DELEGATES)))
    )


@pytest.fixture
def card(net):
    """Of cleo, by the grant of the last of them."""
    key, identity = net.keys("cleo")
    bare = make_card(identity, key, network=net.policy.network, now=net.now, name="cleo")
    return grant(DELEGATES[-1], bare, serial=1, now=net.now, lifetime=HOUR, entropy=bytes)


async def test_a_peer_of_a_delegate_is_dialled_by_whoever_hears_of_it_and_outlives_a_restart(net, chain, card):
    lists = net.lists
    async with net.node("ada") as ada:
        net.lists = (*lists, *chain)
        async with (
            net.node("bob", bootstrap=[ada.bootstrap]) as bob,
            net.node("cleo", card=card, bootstrap=[bob.bootstrap]) as cleo,
        ):
            await net.until(lambda: ada.linked(cleo))  # nobody but bob told either of the other
            assert ada.table.by_node(cleo.node_id).grants
    stored = read_table(ada.path)
    assert {one.digest for one in stored.statements} == {one.digest for one in chain}
    net.lists = lists
    async with net.node("ada") as again:
        assert again.table.by_node(card.node_id).card.raw == card.raw
        assert again.told("listening")[0].known_peers == 3
        entry = Entry(bytes(DELEGATES[0].public), net.now, "lost", net.now + 400 * 24 * HOUR)
        ending = make_list(net.issuer, network=net.policy.network, sequence=2, now=net.now, entries=[entry])
        await again.node.offer(FactOffered(ending, "revocations.pem"))
        applied = await again.tells("list-applied", sequence=2)
        assert applied.revoked == (card.node_id,)
    (row,) = [row for row in read_table(again.path).rows if row.card.node_id == card.node_id]
    assert row.standing != "verified"
