"""Hostile members against real daemons: one is cut, or costs little; the others notice nothing."""

import os
import time
from dataclasses import replace

import pytest

from cards import IdentityKey, IssuerKey, NodeKey, Policy, grant, make_card
from cli import documents
from cli.trust_state import believe
from p2pnoise.gossip.items import body_id
from p2pnoise.gossip.messages import MAX_IDS, MAX_WANT, Announce, CardItem
from p2pnoise.node.frames import Kind
from p2pnoise.store import read_table
from tests.cli.liar import Liar

JUNK = 10_000


@pytest.fixture
def net(place, issuer):
    """hub and ada run and are linked; eve has a good card and no node of ours."""
    for name in ("hub", "ada", "eve"):
        place.member(name, issuer)
    place.running = []
    place.hub = place.daemon("hub")
    place.running.append(place.hub)
    place.ada = place.daemon("ada", "--bootstrap", place.hub.bootstrap)
    place.running.append(place.ada)
    place.hub.wait("peer-verified", name="ada")
    policy = Policy.from_toml((place / "hub" / "policy.toml").read_text())
    facts, _ = believe(policy, documents.read(place / "hub" / "revocations.pem").lists, int(time.time()))
    place.heads = facts.revocations.heads
    yield place
    for process in place.running:
        process.close()


def eve(net):
    _, key = net.keys(net / "eve")
    return Liar(net.hub.bootstrap, key, net.card(net / "eve" / "card.pem"), net.heads)


def junk(issuer=None):
    """Cards of strangers, as many as are wanted; each with a grant of `issuer`, if there is one."""
    entropy, now = os.urandom, int(time.time())
    while True:
        card = make_card(
            IdentityKey.generate(entropy), NodeKey.generate(entropy), network="example-net", now=now, name="junk"
        )
        yield grant(issuer, card, serial=1, now=now, entropy=entropy) if issuer else card


def others_are_unaffected(net):
    """ada is linked as before, and answers."""
    said = net.json("ping", "ada", "--home", net.hub.home, "--count", "1")
    assert said["ok"], said
    assert not net.hub.find("peer-lost", name="ada")
    assert not net.ada.find("peer-lost")


def test_a_member_that_gives_cards_with_signatures_that_do_not_hold_is_cut_at_the_first(net):
    liar = eve(net)
    try:
        net.hub.wait("peer-verified", name="eve")
        ops = IssuerKey.from_pem((net.issuer / "issuer.key").read_bytes())
        forged = [
            replace(card, key_signature=card.node_signature) for card, _ in zip(junk(ops), range(96), strict=False)
        ]
        by_id = {body_id(card.card_id): card for card in forged}
        others = [os.urandom(16) for _ in range(JUNK - len(forged))]
        announced = [*by_id, *others]
        for start in range(0, JUNK, MAX_IDS):
            liar.gossip(Announce({*announced[start : start + MAX_IDS]}))
        given = 0
        while (wanted := liar.next_want()) is not None:
            assert len(wanted) <= MAX_WANT
            found = [by_id[one] for one in wanted if one in by_id]
            given += len(found)
            liar.give([CardItem(card.raw) for card in found])
        lost = net.hub.wait("peer-lost", name="eve")
        assert lost["reason"].startswith("it broke the protocol")
        assert given <= MAX_WANT
        others_are_unaffected(net)
    finally:
        liar.close()
    assert len(read_table(net / "hub" / "node.db").rows) == 3


def test_ten_thousand_cards_that_nobody_granted_are_looked_at_once_and_kept_nowhere(net):
    by_id = {body_id(card.card_id): card for card, _ in zip(junk(), range(JUNK), strict=False)}
    liar = eve(net)  # from now on it must not be silent for long
    try:
        net.hub.wait("peer-verified", name="eve")
        announced = list(by_id)
        questions = given = 0
        for start in range(0, JUNK, MAX_IDS):
            liar.gossip(Announce({*announced[start : start + MAX_IDS]}))
        while given < JUNK:
            wanted = liar.next_want()
            assert wanted is not None
            questions += 1
            given += len(wanted)
            if questions == 10:
                others_are_unaffected(net)
            liar.give([CardItem(by_id[one].raw) for one in wanted])
        liar.gossip(Announce({*announced[:MAX_IDS]}))  # the same again is not asked for
        liar.say(Kind.PING, b"last")
        while b"last" not in liar.heard(Kind.PONG):
            liar.hear()
            assert not liar.ended
        assert not liar.wants
        assert given == JUNK
        assert questions >= JUNK / MAX_WANT
        others_are_unaffected(net)
    finally:
        liar.close()
    assert len(read_table(net / "hub" / "node.db").rows) == 3
    assert len([line for line in net.hub.lines if "card-refused" in line]) < 100
