"""Statements on real nodes: handed to one, they act on all, live sessions included, and outlive a restart."""

import pytest

from cards import Conflict, Manifest, Retirement, SelfRevocation, grant, make_card, make_list
from p2pnoise.node.effects import FactOffered
from p2pnoise.store import read_table


def self_revocation(net):
    _, identity = net.keys("cleo")
    values = {"net": net.policy.network, "iat": net.now, "key": identity.public, "reason": "lost"}
    return SelfRevocation.make(values, identity)


def retirement(net):
    values = {"net": net.policy.network, "iat": net.now, "iss": net.second.public, "reason": "left"}
    return Retirement.make(values, net.second)


def sign_together(net, kind, *signers, **values):
    """A statement that the keys of these issuers sign together."""
    signers = sorted(signers, key=lambda one: one.public)
    common = {"net": net.policy.network, "iat": net.now, "by": [one.public for one in signers]}
    return kind.make(common | values, *signers)


def retirement_by_others(net):
    return sign_together(net, Retirement, net.issuer, net.third, iss=net.second.public, reason="lost")


def manifest(net):
    """It leaves out who granted cleo."""
    return sign_together(net, Manifest, net.issuer, net.third, ver=1, thr=1, iss=[net.issuer.public])


def conflict(net):
    """Another identity, which somebody granted a card, on the node key of cleo."""
    key, identity = net.keys("cleo")[0], net.keys("somebody else")[1]
    other = make_card(identity, key, network=net.policy.network, now=net.now, name="other")
    return Conflict.between(net.card("cleo"), grant(net.issuer, other, serial=9, now=net.now, entropy=bytes))


@pytest.fixture
def net(net):
    """Cleo is in by the grant of a second issuer."""
    net.second, net.third = type(net.issuer)(b"\x22" * 32), type(net.issuer)(b"\x33" * 32)
    net.policy = type(net.policy)(
        network=net.policy.network,
        issuers={"ops": net.issuer.public, "lab": net.second.public, "audit": net.third.public},
    )
    net.lists = (*net.lists, make_list(net.second, network=net.policy.network, sequence=1, now=net.now))
    granted = net.card
    net.card = lambda name, **more: granted(name, issuer=net.second if name == "cleo" else None, **more)
    return net


@pytest.mark.parametrize("make", [self_revocation, retirement, retirement_by_others, manifest, conflict])
async def test_a_statement_handed_to_one_node_takes_a_peer_out_of_all_and_stays_in_force(net, make):
    statement = make(net)
    async with (
        net.node("ada") as ada,
        net.node("bob", bootstrap=[ada.bootstrap]) as bob,
        net.node("dora", bootstrap=[bob.bootstrap]) as dora,
        net.node("cleo", bootstrap=[ada.bootstrap, bob.bootstrap, dora.bootstrap]) as cleo,
    ):
        others = (ada, bob, dora)
        await net.until(lambda: all(one.linked(cleo) for one in others))
        await ada.node.offer(FactOffered(statement, "statements.pem"))
        for one in others:
            applied = await one.tells("statement-applied")
            assert applied.dropped == (cleo.node_id,)
            # What was told of is in the database, with the row as it stands now.
            table = read_table(one.path)
            assert table.statements == (statement,)
            (row,) = [row for row in table.rows if row.card.node_id == cleo.node_id]
            assert row.standing != "verified"
            await one.tells("peer-lost", node_id=cleo.node_id)
        assert not any(one.linked(cleo) for one in others)
        assert all(one.linked(other) for one, other in [(ada, bob), (bob, dora)])
    async with net.node("bob") as bob, net.node("cleo", bootstrap=[bob.bootstrap]) as cleo:
        await bob.tells("peer-refused", node_id=cleo.node_id)
        assert bob.table.by_node(cleo.node_id) is None
        assert set(bob.table.facts.statements) == {statement.digest}
