"""Peers whom a delegate granted, between nodes by bytes: told of, dialled, and cut at once when a delegate ends."""

import itertools

import pytest

from cards import Delegation, IssuerKey
from p2pnoise.node import effects as io
from p2pnoise.node.frames import Code

SITE, GATE, DESK = (IssuerKey(bytes([number]) * 32) for number in (1, 2, 3))
STEPS = pytest.mark.parametrize("steps", [1, 2, 3])


def chain(net, steps):
    """Each delegates to the next: ops to the site, that to its gate, that to its desk."""
    return [
        net.sign(Delegation, issuer, iss=issuer.public, key=key.public, path=steps - at,
                 nbf=net.START - 200, exp=net.START + 900)
        for at, (issuer, key) in enumerate(itertools.pairwise([net.issuer, SITE, GATE, DESK][: steps + 1]), 1)
    ]  # fmt: skip


def line(net, steps):
    """Cleo, whom a delegate granted; ada, who has not heard of that one; bob, who has, linked with both."""
    card = net.card("cleo", issuer=(SITE, GATE, DESK)[steps - 1], grant_lifetime=900)
    ada, bob = (net.member(name, target_links=0) for name in ("ada", "bob"))
    cleo = net.member("cleo", card=card, listening=False, target_links=0)
    for member in (bob, cleo):
        for delegation in chain(net, steps):
            net.give(member, io.FactOffered(delegation, "statements.pem"))
    net.listen(cleo)
    net.link(cleo, bob)
    net.link(ada, bob)
    return ada, bob, cleo


@STEPS
def test_a_peer_of_a_delegate_is_known_to_all_and_dialled_by_those_who_heard_of_it(net, steps):
    ada, bob, cleo = line(net, steps)
    net.wait(10)
    for member in (ada, bob, cleo):
        row = member.core.table.by_node(cleo.core.node_id)
        assert len(row.grants) == 1
        assert row.record is not None
    tables = {frozenset(member.core.table.items) for member in (ada, bob, cleo)}
    assert len(tables) == 1
    dora = net.member("dora")
    net.link(dora, ada)
    net.wait(60)
    assert dora.up(cleo)
    assert not cleo.told("own-card-rejected")


@STEPS
def test_a_list_that_names_any_step_cuts_the_peers_of_a_delegate_everywhere(net, steps):
    ada, bob, cleo = line(net, steps)
    net.wait(10)
    net.link(ada, cleo)
    assert ada.up(cleo)
    net.give(bob, io.FactOffered(net.make_list(2, revoked=[SITE.public]), "revocations.pem"))
    for member in (ada, bob):
        assert not member.up(cleo)
        assert member.core.table.by_node(cleo.core.node_id) is None
        assert member.told("list-applied")[-1].revoked == (cleo.core.node_id,)
    assert ada.up(bob)
    assert Code.REVOKED.label in {event.reason for event in ada.told("peer-refused") + bob.told("peer-refused")}
