"""Peers whom a delegate granted: in the table and in gossip like any other, for as long as the delegate may sign."""

import dataclasses
import hashlib
import itertools

import pytest

from cards import Delegation, Grant, IssuerKey, Retirement
from p2pnoise.gossip import effects
from p2pnoise.gossip.facts import touched_by
from p2pnoise.gossip.items import body_id, grant_id
from p2pnoise.gossip.messages import (
    Announce,
    CardItem,
    GivenStatements,
    GrantItem,
    HeldStatements,
    Items,
    Want,
    WantStatements,
)
from p2pnoise.instant import SECOND

SITE, GATE, DESK = (IssuerKey(hashlib.sha256(name).digest()) for name in (b"site", b"gate", b"desk"))
STEPS = pytest.mark.parametrize("steps", [1, 2, 3])


def sign(place, kind, signer, **values):
    return kind.make({"net": place.NETWORK, "iat": place.START - 200, **values}, signer)


def chain(place, steps, root=None):
    """Each delegates to the next: ops to the site, that to its gate, that to its desk."""
    signers = [root or place.issuer, SITE, GATE, DESK][: steps + 1]
    return [
        sign(place, Delegation, issuer, iss=issuer.public, key=key.public, path=steps - at,
             nbf=place.START - 200, exp=place.START + 900)
        for at, (issuer, key) in enumerate(itertools.pairwise(signers), 1)
    ]  # fmt: skip


def granted(place, signer, name="ada", card=None, **options):
    """A card that a delegate granted, for at most as long as it may."""
    return place.grant(card or place.bare(name), signer, **{"lifetime": 800} | options)


def last(steps):
    return (SITE, GATE, DESK)[steps - 1]


def tell(table, place, *facts):
    for fact in facts:
        assert table.offer_fact(fact, place.START)[1]


def apply(mesh, speaker, *facts):
    for fact in facts:
        mesh.carry_out(speaker, speaker.overlay.offer_fact(fact, mesh.instant))
    mesh.pump()


def meet(mesh, speaker, card, **options):
    mesh.carry_out(speaker, speaker.overlay.offer_card(card, mesh.instant, live=True, **options))
    mesh.pump()


def knows(speaker, card):
    """Whether this card is in the table, with all its grants among the items."""
    peer = speaker.table.by_identity(card.identity)
    return peer is not None and peer.card.raw == card.raw and len(peer.grants) == len(card.grants)


# In the table


@STEPS
def test_a_grant_of_a_delegate_is_an_item_by_the_key_that_signed_it(place, table, offer, steps):
    tell(table, place, *chain(place, steps))
    card = granted(place, last(steps))
    _, peer = offer(table, card)
    assert peer.card.raw == card.raw
    item = grant_id(card.card_id, last(steps).public, card.grants[0].attrs)
    assert sorted(table.items) == sorted((body_id(card.card_id), item))


def test_grants_of_a_root_and_of_its_delegates_stand_side_by_side(place, table, offer):
    tell(table, place, *chain(place, 2))
    bare = place.bare("ada")
    for signer, serial in ((GATE, 7), (place.issuer, 1), (SITE, 9)):
        offer(table, granted(place, signer, card=bare, serial=serial))
    (peer,) = table
    assert [grant.serial for grant in peer.card.grants] == [1, 9, 7]
    assert len(peer.item_ids) == 4


def test_of_one_delegates_grants_the_highest_serial_stays(place, table, offer):
    tell(table, place, *chain(place, 1))
    for serial in (2, 3, 1):
        offer(table, granted(place, SITE, serial=serial))
    assert [grant.serial for grant in next(iter(table)).card.grants] == [3]


def test_delegates_without_end_do_not_crowd_out_what_their_root_granted(place, table, offer):
    """Whoever may delegate makes as many keys as it likes, with hints as low as it likes."""
    tell(table, place, *chain(place, 2)[:1])
    lent = [IssuerKey(bytes([number]) * 32) for number in range(1, 60)]
    low = [key for key in lent if key.public.hint < min(place.issuer.public.hint, SITE.public.hint)][:4]
    for key in low:
        tell(table, place, sign(place, Delegation, SITE, iss=SITE.public, key=key.public, path=0,
                                nbf=place.START - 200, exp=place.START + 900))  # fmt: skip
    bare = place.bare("ada")
    for signer in (*low, SITE, place.issuer):
        offer(table, granted(place, signer, card=bare))
    (peer,) = table
    kids = [grant.kid for grant in peer.card.grants]
    assert kids == [place.issuer.public.hint, SITE.public.hint, *sorted(key.public.hint for key in low)[:2]]


def test_a_forged_grant_of_a_delegate_is_neither_kept_nor_offered(place, table, offer):
    tell(table, place, *chain(place, 1))
    good = granted(place, SITE)
    high = granted(place, place.stranger, serial=99).grants[0]
    forged = Grant.parse(SITE.public.hint, high.attrs, good.grants[0].signature)
    _, peer = offer(table, good.with_grants((forged, *good.grants)), live=True)
    assert peer.card.raw == good.raw
    assert len(peer.item_ids) == 2


def test_a_grant_that_ends_before_another_one_leaves_at_its_own_end(place, table, offer):
    """Or two nodes would offer each other for the rest of the time what one of them no longer counts."""
    tell(table, place, *chain(place, 1))
    bare = place.bare("ada")
    offer(table, granted(place, SITE, card=bare, lifetime=300))
    offer(table, granted(place, place.issuer, card=bare, serial=2))
    assert table.expire(place.START + 200) == []
    (peer,) = table
    assert len(peer.item_ids) == len(table.items) == 2


@STEPS
def test_rows_come_back_when_the_delegations_have(place, steps):
    table = place.table(lists=[])
    table.restore_facts([*reversed(chain(place, steps)), place.first_list], place.START)
    card = granted(place, last(steps))
    assert table.restore(card, place.START, provenance="live", first_seen=1, learned_from=b"x").ok
    assert len(next(iter(table)).item_ids) == 2


def test_a_delegation_has_those_judged_again_whom_a_key_below_it_granted_and_nobody_else(place, table, offer):
    tell(table, place, *chain(place, 2))
    for name, signer in (("ada", place.issuer), ("bob", SITE), ("carl", GATE)):
        offer(table, granted(place, signer, name))
    further = sign(place, Delegation, place.issuer, iss=place.issuer.public, key=GATE.public, path=0,
                   nbf=place.START - 200, exp=place.START + 900)  # fmt: skip
    before = table.facts
    tell(table, place, further)
    assert [peer.card.name for peer in touched_by(table, further, before)] == ["carl"]


def test_a_grant_in_a_row_counts_again_when_its_delegation_comes_back(place, table):
    both = granted(place, SITE, card=place.card("ada"))
    table.restore(both, place.START, provenance="proven", first_seen=1, learned_from=b"x")
    assert len(next(iter(table)).grants) == 1
    (given,) = chain(place, 1)
    before = table.facts
    tell(table, place, given)
    table.reconsider(touched_by(table, given, before), place.START)
    assert len(next(iter(table)).grants) == 2


# Between nodes


@STEPS
def test_a_peer_of_a_delegate_reaches_a_node_that_has_not_heard_of_the_delegation(mesh, place, steps):
    ada, bob, carl = (mesh.add(name) for name in ("ada", "bob", "carl"))
    apply(mesh, ada, *chain(place, steps))
    card = granted(place, last(steps), "dora")
    meet(mesh, ada, card)
    mesh.join(bob, carl)
    mesh.join(ada, bob)
    mesh.wait(10)
    assert knows(bob, card)
    assert knows(carl, card)
    assert mesh.converged
    assert not any(speaker.blamed for speaker in (ada, bob, carl))


def test_our_own_card_may_be_granted_by_a_delegate(mesh, place):
    ada = mesh.add("own")
    apply(mesh, ada, *chain(place, 1))
    card = granted(place, SITE, card=place.bare("own", sequence=2))
    meet(mesh, ada, card, own=True)
    assert knows(ada, card)


def give_statements(mesh, eve, ada, *statements):
    """As an honest peer does: those that it is asked for."""
    mesh.say(eve, ada, HeldStatements(tuple(one.digest for one in statements)))
    while eve.heard_of(WantStatements):
        wanted = eve.heard_of(WantStatements)[0].digests
        eve.heard.clear()
        given = tuple((one.label, one.raw) for one in statements if one.digest in wanted)
        mesh.say(eve, ada, GivenStatements(given), GivenStatements(()))


@STEPS
@pytest.mark.parametrize("what", ["card", "grant"])
def test_what_came_before_its_delegation_is_asked_for_again_as_soon_as_that_has_come(mesh, place, what, steps):
    ada = mesh.add("ada")
    eve = mesh.puppet("eve", ada)
    bare = place.bare("dora")
    if what == "grant":
        meet(mesh, ada, place.grant(bare))
    card = granted(place, last(steps), card=bare)
    (grant,) = card.grants
    wanted = grant_id(card.card_id, last(steps).public, grant.attrs)
    given = GrantItem(card.card_id, grant.kid, grant.attrs, grant.signature) if what == "grant" else CardItem(card.raw)
    ids = [wanted] if what == "grant" else [wanted, body_id(card.card_id)]
    mesh.say(eve, ada, Announce({*ids}))
    mesh.give(eve, ada, given)
    assert wanted not in ada.table.items
    give_statements(mesh, eve, ada, *chain(place, steps))
    mesh.say(eve, ada, Announce({*ids}))
    mesh.give(eve, ada, given)
    assert wanted in ada.table.items
    assert not ada.blamed


def test_the_grant_of_a_delegate_that_nobody_tells_of_is_asked_for_once(mesh, place):
    """Its id cannot be known before its key is: it would be fetched again by every round, for ever."""
    ada = mesh.add("ada")
    eve = mesh.puppet("eve", ada)
    bare = place.bare("dora")
    meet(mesh, ada, place.grant(bare))
    (grant,) = granted(place, SITE, card=bare).grants
    wanted = grant_id(bare.card_id, SITE.public, grant.attrs)
    for _ in range(3):
        mesh.say(eve, ada, Announce({wanted}))
        if eve.heard_of(Want):
            mesh.give(eve, ada, GrantItem(bare.card_id, grant.kid, grant.attrs, grant.signature))
        mesh.wait(6)
    assert mesh.asked(eve) == [wanted]


def test_what_one_peer_did_not_make_understood_is_asked_of_the_next(mesh, place):
    ada = mesh.add("ada")
    eve, carl = mesh.puppet("eve", ada), mesh.puppet("carl", ada)
    strange = granted(place, SITE, "dora")
    good = place.card("bob")
    mesh.say(eve, ada, Announce({body_id(strange.card_id), body_id(good.card_id)}))
    mesh.give(eve, ada, CardItem(strange.raw))  # and not the other one
    mesh.say(carl, ada, Announce({body_id(good.card_id)}))
    mesh.give(carl, ada, CardItem(good.raw))
    assert ada.table.by_identity(good.identity) is not None


def test_a_peer_of_a_delegate_is_given_to_whoever_asks(mesh, place):
    ada = mesh.add("ada")
    apply(mesh, ada, *chain(place, 1))
    card = granted(place, SITE, "dora")
    meet(mesh, ada, card)
    eve = mesh.puppet("eve", ada)
    (grant,) = card.grants
    mesh.say(eve, ada, Want({grant_id(card.card_id, SITE.public, grant.attrs)}))
    assert eve.heard_of(Items)[-1].items == (GrantItem(card.card_id, grant.kid, grant.attrs, grant.signature),)
    mesh.say(eve, ada, Want({body_id(card.card_id)}))
    assert eve.heard_of(Items)[-1].items == (CardItem(card.raw),)


# The end of a delegate


@pytest.fixture
def ending(mesh, place):
    """Ada knows a peer of the desk, which stands three steps from the root, and two of the root itself."""
    ada = mesh.add("ada", names=["bob"])
    apply(mesh, ada, *chain(place, 3))
    meet(mesh, ada, granted(place, DESK, "dora"))
    assert len(ada.table) == 3
    return ada


@pytest.mark.parametrize("step", [SITE, GATE, DESK], ids=["site", "gate", "desk"])
def test_a_list_that_names_a_delegate_takes_out_whom_it_let_in_and_nobody_else(mesh, place, ending, step):
    apply(mesh, ending, place.make_list(2, revoked=[step.public]))
    assert [peer.card.name for peer in ending.did(effects.FactApplied)[-1].gone] == ["dora"]
    assert sorted(peer.card.name for peer in ending.table) == ["ada", "bob"]


@pytest.mark.parametrize("step", [SITE, GATE, DESK], ids=["site", "gate", "desk"])
def test_a_delegate_that_retires_takes_its_peers_along(mesh, place, ending, step):
    apply(mesh, ending, sign(place, Retirement, step, iss=step.public, reason="left"))
    assert [peer.card.name for peer in ending.did(effects.FactApplied)[-1].gone] == ["dora"]


def test_a_peer_of_a_delegate_and_of_its_root_stays_without_what_the_delegate_granted(mesh, place, ending):
    both = granted(place, SITE, card=place.card("bob"), serial=5)
    meet(mesh, ending, both)
    assert knows(ending, both)
    apply(mesh, ending, place.make_list(2, revoked=[SITE.public]))
    assert ending.table.by_identity(both.identity).verdict.ok
    item = grant_id(both.card_id, SITE.public, both.grants[-1].attrs)
    assert item not in ending.table.items


def test_what_a_delegate_grants_beyond_its_own_end_lets_nobody_in(mesh, place, ending):
    late = granted(place, DESK, "carl", lifetime=1001)
    meet(mesh, ending, late)
    assert ending.table.by_identity(late.identity) is None
    meet(mesh, ending, granted(place, DESK, "carl", lifetime=1000))
    assert ending.table.by_identity(late.identity) is not None
    mesh.now += 900 * SECOND
    mesh.carry_out(ending, ending.overlay.tick(mesh.instant))
    assert sorted(peer.card.name for peer in ending.table) == ["ada", "bob"]


def test_a_list_that_names_no_delegate_has_nobody_judged_again(mesh, place, ending, monkeypatch):
    judged = []
    monkeypatch.setattr(ending.table, "judge", lambda card, *_, **__: judged.append(card))
    apply(mesh, ending, place.make_list(2, revoked=[place.keys("nobody")[1].public]))
    assert judged == []


def test_the_end_of_a_delegate_has_nobody_judged_again_whom_it_did_not_grant(mesh, place, ending, monkeypatch):
    """Or whoever may delegate could keep a large network busy, by 100 keys that end one after the other."""
    judged, judge = [], ending.table.judge
    monkeypatch.setattr(
        ending.table, "judge", lambda card, *a, **k: (judged.append(card.name), judge(card, *a, **k))[1]
    )
    apply(mesh, ending, sign(place, Retirement, DESK, iss=DESK.public, reason="left"))
    assert set(judged) == {"dora"}


def test_a_delegate_whose_delegation_makes_room_for_others_takes_its_peers_along(mesh, place, ending, monkeypatch):
    """Of those few are stored, or whoever signs without end would fill the disk; but the end of an issuer is."""
    monkeypatch.setattr("cards.shares.MAX_DELEGATIONS", 1)
    monkeypatch.setattr("p2pnoise.gossip.facts.MAX_REPLACED", 2)
    later = [
        sign(place, Delegation, place.issuer, iss=place.issuer.public, key=IssuerKey(bytes([number]) * 32).public,
             path=0, nbf=place.START - 200, exp=place.START + 900 + number)
        for number in range(1, 4)
    ]  # fmt: skip
    ending.done.clear()
    eve = mesh.puppet("eve", ending)
    give_statements(mesh, eve, ending, *later)
    assert {*ending.table.facts.statements} == {later[-1].digest}
    assert sorted(peer.card.name for peer in ending.table) == ["ada", "bob"]
    assert len(ending.did(effects.StoreStatement)) == 2
    retirement = sign(place, Retirement, place.issuer, iss=place.issuer.public, reason="left")
    give_statements(mesh, eve, ending, retirement)
    assert ending.did(effects.StoreStatement)[2].statement == retirement


def test_a_list_has_nobody_judged_again_for_what_the_one_before_said_already(mesh, place, ending, monkeypatch):
    other = granted(place, place.second, card=place.card("bob"), serial=5)
    ending.table.policy = place.both
    apply(mesh, ending, place.make_list(1, issuer=place.second))
    meet(mesh, ending, other)
    apply(mesh, ending, place.make_list(2, issuer=place.second, revoked=[other.identity]))
    assert ending.table.by_identity(other.identity) is not None
    judged = []
    monkeypatch.setattr(ending.table, "judge", lambda card, *_, **__: judged.append(card))
    apply(mesh, ending, place.make_list(3, issuer=place.second, revoked=[other.identity]))
    assert judged == []


def test_a_policy_without_the_root_lets_go_of_the_peers_of_its_delegates(mesh, place, ending):
    ending.table.policy = dataclasses.replace(place.policy, issuers={"lab": place.second.public})
    mesh.carry_out(ending, ending.overlay.trust_changed(mesh.instant))
    assert len(ending.table) == 0
    ending.table.policy = place.policy
    mesh.carry_out(ending, ending.overlay.trust_changed(mesh.instant))
    meet(mesh, ending, granted(place, DESK, "dora"))
    assert [peer.card.name for peer in ending.table] == ["dora"]
