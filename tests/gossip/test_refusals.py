"""What is honestly offered and not taken: asked for once, blamed on nobody."""

from dataclasses import replace

import pytest

from p2pnoise.gossip.items import body_id, grant_id, record_id
from p2pnoise.gossip.messages import Announce, CardItem, GrantItem, RecordItem, Want


@pytest.fixture
def ada(mesh):
    return mesh.add("ada")


@pytest.fixture
def eve(mesh, ada):
    return mesh.puppet("eve", ada)


def announce(mesh, eve, ada, *ids):
    mesh.say(eve, ada, Announce(frozenset(ids)))


def offers(mesh, eve, ada, answers):
    """Eve offers these again and again, and answers every question; how often each was asked for."""
    ids = [item_id for item_id, _ in answers]
    for _ in range(8):
        announce(mesh, eve, ada, *ids)
        while eve.heard_of(Want):
            wanted = set(eve.heard_of(Want)[0].ids)
            eve.asked = [*getattr(eve, "asked", []), *sorted(wanted)]
            eve.heard.clear()
            mesh.give(eve, ada, *[item for item_id, item in answers if item_id in wanted])
        mesh.wait(6)
    return [eve.asked.count(item) for item in ids]


def grant_item(card, place):
    grant = card.grants[0]
    issuer = next(key.public for key in (place.issuer, place.second, place.stranger) if key.public.hint == grant.kid)
    return (
        grant_id(card.card_id, issuer, grant.attrs),
        GrantItem(card.card_id, grant.kid, grant.attrs, grant.signature),
    )


def refusable(place, kind):
    """Items that are honestly made and not taken, with their ids."""
    match kind:
        case "a revoked card and its grant":
            card = place.card("revoked")
            return [(body_id(card.card_id), CardItem(card.raw)), grant_item(card, place)]
        case "a card that ended":
            card = place.grant(place.bare("carl", now=place.START - 500, lifetime=450), now=place.START - 400)
            return [(body_id(card.card_id), CardItem(card.raw)), grant_item(card, place)]
        case "an ended grant over a body that we hold":
            return [grant_item(place.grant(place.bare("bob"), serial=7, lifetime=60), place)]
        case "an older grant over a body that we hold":
            return [grant_item(place.grant(place.bare("bob"), serial=1), place)]
        case "an ended record":
            record = place.record("bob", sequence=9, lifetime=10)
            return [(record_id(record), RecordItem(record.raw))]
        case "an older record":
            record = place.record("bob", sequence=1)
            return [(record_id(record), RecordItem(record.raw))]
        case "a record of a node that nobody vouches for":
            record = place.record("alien")
            return [(record_id(record), RecordItem(record.raw))]
        case "our own card of yesterday":
            card = place.card("ada")
            return [(body_id(card.card_id), CardItem(card.raw)), grant_item(card, place)]


REFUSABLE = [
    "a revoked card and its grant",
    "a card that ended",
    "an ended grant over a body that we hold",
    "an older grant over a body that we hold",
    "an ended record",
    "an older record",
    "a record of a node that nobody vouches for",
    "our own card of yesterday",
]


@pytest.mark.parametrize("kind", REFUSABLE)
def test_what_is_not_taken_is_asked_for_once_and_nobody_is_blamed(mesh, place, kind):
    ada = mesh.add("ada")
    newer = place.card("ada", sequence=2)
    mesh.carry_out(ada, ada.overlay.offer_card(newer, mesh.instant, live=True, own=True))
    mesh.carry_out(ada, ada.overlay.offer_card(place.card("bob", serial=5), mesh.instant, live=True))
    mesh.carry_out(ada, ada.overlay.offer_record(place.record("bob", sequence=5), mesh.instant))
    revoked = place.make_list(2, revoked=[place.card("revoked").identity])
    mesh.carry_out(ada, ada.overlay.offer_fact(revoked, mesh.instant))
    eve = mesh.puppet("eve", ada)
    before = sorted(ada.table.items)
    answers = refusable(place, kind)
    asked = offers(mesh, eve, ada, answers)
    assert max(asked) <= 1
    assert asked[0] == 1
    assert not ada.blamed
    assert sorted(ada.table.items) == before


def test_a_renewed_grant_of_ours_that_crosses_an_offer_of_the_old_one_cuts_nobody(mesh, ada, eve):
    """The honest peer has not heard of our renewal yet: it offers, and gives, what we have just replaced."""
    old = grant_item(mesh.place.card("ada"), mesh.place)
    mesh.carry_out(ada, ada.overlay.offer_card(mesh.place.card("ada", serial=2), mesh.instant, live=True, own=True))
    announce(mesh, eve, ada, old[0])
    mesh.give(eve, ada, old[1])
    assert not ada.blamed
    assert ada.table.by_node(ada.node_id).card.grants[0].serial == 2


@pytest.mark.parametrize("part", ["key_signature", "node_signature"])
def test_a_card_that_one_peer_garbles_is_asked_of_the_next(mesh, place, ada, part):
    """The id says nothing of signatures: a liar who answers first must not keep the owner out."""
    card = place.card("bob")
    garbled = replace(card, **{part: bytes(64)})
    eve, carl = mesh.puppet("eve", ada), mesh.puppet("carl", ada)
    announce(mesh, eve, ada, body_id(card.card_id))
    mesh.give(eve, ada, CardItem(garbled.raw))
    assert [name for name, _ in ada.blamed] == ["eve"]
    mesh.part(ada, eve)  # as the node does
    announce(mesh, carl, ada, body_id(card.card_id))
    mesh.give(carl, ada, CardItem(card.raw))
    assert ada.table.by_node(card.node_id).card.raw == card.raw


def test_a_card_that_one_peer_gives_without_its_grants_is_asked_of_the_next(mesh, place, ada):
    card = place.card("bob")
    eve, carl = mesh.puppet("eve", ada), mesh.puppet("carl", ada)
    for _ in range(3):
        announce(mesh, eve, ada, body_id(card.card_id))
        mesh.give(eve, ada, CardItem(card.with_grants(()).raw))
    assert mesh.asked(eve) == [body_id(card.card_id)]  # who is not asked again
    assert not ada.blamed
    announce(mesh, carl, ada, body_id(card.card_id))
    mesh.give(carl, ada, CardItem(card.raw))
    assert ada.table.by_node(card.node_id).card.raw == card.raw


def test_a_card_that_comes_without_its_grants_is_asked_at_once_of_who_offered_it_too(mesh, place, ada):
    card = place.card("bob")
    eve, carl = mesh.puppet("eve", ada), mesh.puppet("carl", ada)
    for one in (eve, carl):
        announce(mesh, one, ada, body_id(card.card_id))
    assert not carl.heard_of(Want)
    mesh.give(eve, ada, CardItem(card.with_grants(()).raw))
    assert mesh.asked(carl) == [body_id(card.card_id)]


def test_a_card_that_was_put_aside_is_asked_for_again_when_its_bearer_has_a_grant_for_it(mesh, place, ada):
    card = place.card("bob")
    eve = mesh.puppet("eve", ada)
    announce(mesh, eve, ada, body_id(card.card_id))
    mesh.give(eve, ada, CardItem(card.with_grants(()).raw))
    name, item = grant_item(card, place)
    announce(mesh, eve, ada, name)
    mesh.give(eve, ada, item)
    announce(mesh, eve, ada, body_id(card.card_id), name)
    mesh.give(eve, ada, CardItem(card.raw))
    assert ada.table.by_node(card.node_id).card.raw == card.raw
