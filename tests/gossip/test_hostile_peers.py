"""What a hostile member can say, and what comes of it: its own link ends, and nobody else is blamed."""

from dataclasses import replace

import pytest

from cards import AddressRecord, Card, Grant
from cards.statements import SignatureCache
from p2pnoise.gossip import effects
from p2pnoise.gossip.items import body_id, grant_id, record_id
from p2pnoise.gossip.messages import (
    Announce,
    CardItem,
    GrantItem,
    Items,
    Push,
    Ranges,
    RecordItem,
    Unknown,
    Want,
    WantLists,
)
from p2pnoise.gossip.wants import REFUSAL
from p2pnoise.instant import SECOND


@pytest.fixture
def ada(mesh):
    return mesh.add("ada")


@pytest.fixture
def eve(mesh, ada):
    return mesh.puppet("eve", ada)


def announce(mesh, eve, ada, *ids):
    mesh.say(eve, ada, Announce(frozenset(ids)))


def forged_grant(place, name):
    """A grant of our issuer with a high serial over this card, signed by somebody else."""
    card = place.card(name)
    high = place.grant(place.bare(name), place.stranger, serial=99).grants[0]
    item = GrantItem(card.card_id, place.issuer.public.hint, high.attrs, high.signature)
    return item, grant_id(card.card_id, place.issuer.public, high.attrs)


def test_a_renewal_that_is_forged_beside_what_holds_keeps_the_genuine_one_from_nobody(mesh, ada, eve):
    """Refused with the rest, it would be refused for ten minutes from those who have it as it was signed."""
    place = mesh.place
    carl = place.card("carl")
    mesh.say(eve, ada, Push((CardItem(carl.raw),)))
    new = place.grant(place.bare("carl"), serial=2).grants[0]
    forged = Grant.parse(new.kid, new.attrs, bytes((new.signature[0] ^ 1,)) + new.signature[1:])
    mesh.say(eve, ada, Push((CardItem(carl.with_grants((*carl.grants, forged)).raw),)))
    assert [who for who, _ in ada.blamed] == ["eve"]
    bob = mesh.puppet("bob", ada)
    mesh.say(bob, ada, Push((GrantItem(carl.card_id, new.kid, new.attrs, new.signature),)))
    assert ada.table.by_node(carl.node_id).card.grants == (new,)


def test_what_was_announced_is_asked_for_and_taken(mesh, ada, eve):
    carl = mesh.place.card("carl")
    announce(mesh, eve, ada, body_id(carl.card_id))
    mesh.give(eve, ada, CardItem(carl.raw))
    assert ada.table.by_node(carl.node_id) is not None
    assert ada.did(effects.Learned)[0].source == eve.node_id


@pytest.fixture
def verified(monkeypatch):
    """What was verified, as it stands when it is looked at."""
    asked = []
    verify = SignatureCache.verify
    monkeypatch.setattr(SignatureCache, "verify", lambda *given: asked.append(given) or verify(*given))
    return asked


@pytest.mark.parametrize("asked", [False, True])
def test_an_item_that_was_not_asked_for_costs_no_signature_check(mesh, ada, eve, asked, verified):
    carl = mesh.place.card("carl")
    ids = [body_id(carl.card_id)] if asked else [b"another item...."]
    announce(mesh, eve, ada, *ids)
    verified.clear()
    mesh.say(eve, ada, Items((CardItem(carl.raw), RecordItem(mesh.place.record("carl").raw)), last=False))
    assert bool(verified) is asked
    assert (ada.table.by_node(carl.node_id) is not None) is asked
    assert not ada.blamed


def test_items_are_dropped_unread_while_nothing_is_asked(mesh, ada, eve, monkeypatch):
    monkeypatch.setattr(Card, "parse", lambda _raw: pytest.fail("it was read"))
    mesh.say(eve, ada, Items((CardItem(b"garbage"),), last=False))
    assert not ada.blamed


def bad_items(place):
    carl, bob = place.card("carl"), place.card("bob")
    record = place.record("eve", sequence=7)
    grant = carl.grants[0]
    wrong = Grant.parse(grant.kid, grant.attrs, bob.grants[0].signature)
    body = body_id(carl.card_id)
    return {
        "garbage for a card": (CardItem(b"garbage"), body),
        "garbage for a record": (RecordItem(b"garbage"), body),
        "a card with another's key signature": (CardItem(replace(carl, key_signature=bob.key_signature).raw), body),
        "a card with another's node signature": (CardItem(replace(carl, node_signature=bob.node_signature).raw), body),
        "a card without a node signature": (CardItem(replace(carl, node_signature=b"").raw), body),
        "a card with a forged grant": (CardItem(carl.with_grants((wrong,)).raw), body),
        "a record that another signed": (
            RecordItem(AddressRecord.from_parts(record.body, place.record("bob").signatures[0]).raw),
            record_id(record),
        ),
    }


BAD = [
    "garbage for a card",
    "garbage for a record",
    "a card with another's key signature",
    "a card with another's node signature",
    "a card without a node signature",
    "a card with a forged grant",
    "a record that another signed",
]


@pytest.mark.parametrize("what", BAD)
def test_a_bad_item_is_misbehaviour_and_changes_nothing(mesh, ada, eve, what):
    item, wanted = bad_items(mesh.place)[what]
    before = sorted(ada.table.items)
    announce(mesh, eve, ada, wanted)
    mesh.say(eve, ada, Items((item,), last=False))
    assert [name for name, _ in ada.blamed] == ["eve"]
    assert sorted(ada.table.items) == before


def test_a_forged_grant_is_misbehaviour_and_the_good_one_stays(mesh, ada, eve):
    bob = mesh.place.card("bob")
    mesh.carry_out(ada, ada.overlay.offer_card(bob, mesh.instant, live=True))
    item, wanted = forged_grant(mesh.place, "bob")
    announce(mesh, eve, ada, wanted)
    mesh.give(eve, ada, item)
    assert [name for name, _ in ada.blamed] == ["eve"]
    assert ada.table.by_node(bob.node_id).card.grants == bob.grants


def test_a_message_of_tomorrow_is_ignored_and_counted(mesh, ada, eve):
    mesh.say(eve, ada, Unknown(), Unknown())
    assert ada.overlay.ignored == 2
    assert not ada.blamed


def test_a_list_that_its_issuer_did_not_sign_is_misbehaviour(mesh, ada, eve):
    mesh.say(eve, ada, replace(mesh.place.given(mesh.place.make_list(2)), signature=bytes(64)))
    assert [name for name, _ in ada.blamed] == ["eve"]
    assert ada.table.revocations.heads[0].sequence == 1


def test_a_list_of_an_issuer_that_we_do_not_know_is_ignored(mesh, ada, eve):
    mesh.say(eve, ada, mesh.place.given(mesh.place.make_list(2, issuer=mesh.place.stranger)))
    assert not ada.blamed
    assert len(ada.table.revocations.heads) == 1


# What counts for nobody.


def test_a_body_without_an_accepted_grant_is_neither_stored_nor_relayed(mesh, ada, eve, verified):
    bob = mesh.add("bob")
    mesh.join(ada, bob)
    alien = mesh.place.card("alien", issuer=mesh.place.stranger)
    announce(mesh, eve, ada, body_id(alien.card_id))
    verified.clear()
    mesh.give(eve, ada, CardItem(alien.raw))
    assert verified == []
    assert not ada.blamed
    assert ada.did(effects.Refused)
    mesh.wait(30)
    assert len(bob.table) == len(ada.table) == 2
    assert body_id(alien.card_id) not in bob.table.items


# Records that came before their cards.


def test_a_record_that_comes_before_its_card_is_kept_for_it(mesh, ada, eve):
    place = mesh.place
    record, carl = place.record("carl"), place.card("carl")
    announce(mesh, eve, ada, record_id(record), body_id(carl.card_id))
    mesh.give(eve, ada, RecordItem(record.raw), CardItem(carl.raw))
    assert ada.table.by_node(carl.node_id).record == record
    assert ada.did(effects.RecordLearned)[0].source == eve.node_id


def test_it_is_there_too_when_the_node_itself_turns_up(mesh, ada, eve):
    place = mesh.place
    record, carl = place.record("carl"), place.card("carl")
    announce(mesh, eve, ada, record_id(record))
    mesh.give(eve, ada, RecordItem(record.raw))
    mesh.carry_out(ada, ada.overlay.offer_card(carl, mesh.instant, live=True))
    assert ada.table.by_node(carl.node_id).record == record


def test_a_forged_early_record_is_blamed_on_whom_it_came_from(mesh, ada, eve):
    """Kept unchecked, it would be found out later, and cost the honest peer that brings the card its link."""
    place = mesh.place
    bob = mesh.puppet("bob", ada)
    carl = place.card("carl")
    forged = AddressRecord.from_parts(place.record("carl", sequence=99).body, place.record("eve").signatures[0])
    announce(mesh, eve, ada, record_id(forged))
    mesh.give(eve, ada, RecordItem(forged.raw))
    announce(mesh, bob, ada, body_id(carl.card_id))
    mesh.give(bob, ada, CardItem(carl.raw))
    assert [name for name, _ in ada.blamed] == ["eve"]
    assert ada.table.by_node(carl.node_id).record is None


def test_early_records_are_bounded(mesh, ada, eve, monkeypatch):
    from p2pnoise.gossip import intake  # noqa: PLC0415

    monkeypatch.setattr(intake, "MAX_EARLY", 3)
    records = [mesh.place.record(f"unknown-{number}") for number in range(6)]
    announce(mesh, eve, ada, *map(record_id, records))
    mesh.give(eve, ada, *[RecordItem(record.raw) for record in records])
    assert len(ada.overlay._intake.early) == 3


def test_who_makes_up_nodes_does_not_have_the_records_of_others_forgotten(mesh, ada, eve, monkeypatch):
    from p2pnoise.gossip import intake  # noqa: PLC0415

    monkeypatch.setattr(intake, "MAX_EARLY", 3)
    bob = mesh.puppet("bob", ada)
    carl = mesh.place.record("carl")
    announce(mesh, bob, ada, record_id(carl))
    mesh.give(bob, ada, RecordItem(carl.raw))
    records = [mesh.place.record(f"unknown-{number}") for number in range(6)]
    announce(mesh, eve, ada, *map(record_id, records))
    mesh.give(eve, ada, *[RecordItem(record.raw) for record in records])
    assert carl.node_id in ada.overlay._intake.early


def test_who_gives_an_early_record_once_more_does_not_take_it_over(mesh, ada, eve):
    bob, carl = mesh.puppet("bob", ada), mesh.place.record("carl")
    mesh.say(bob, ada, Push((RecordItem(carl.raw),)))
    mesh.wait(REFUSAL / SECOND)  # until it is looked at again
    mesh.say(eve, ada, Push((RecordItem(carl.raw),)))
    assert ada.overlay._intake.early[carl.node_id][1] == bob.node_id


# Silence and greed.


def test_a_peer_that_announces_and_never_gives_holds_nothing_up(mesh, ada, eve):
    bob = mesh.puppet("bob", ada)
    carl = mesh.place.card("carl")
    announce(mesh, eve, ada, body_id(carl.card_id))
    announce(mesh, bob, ada, body_id(carl.card_id))
    assert not bob.heard_of(Want)
    mesh.wait(10.5)
    assert bob.heard_of(Want)[0].ids == {body_id(carl.card_id)}


def test_a_want_is_answered_once_per_item_and_ended(mesh, ada, eve):
    wanted = {*ada.table.items}
    eve.heard.clear()
    mesh.say(eve, ada, Want(wanted | {b"no such item...."}))
    (answer,) = eve.heard_of(Items)
    assert answer.last
    assert [type(item).__name__ for item in answer.items] == ["CardItem", "RecordItem"]


def test_an_empty_want_hears_an_empty_answer(mesh, ada, eve):
    eve.heard.clear()
    mesh.say(eve, ada, Want(frozenset()))
    assert eve.heard == [Items((), last=True)]


def test_ids_that_were_made_up_are_asked_for_in_bounds(mesh, ada, eve):
    made_up = frozenset(number.to_bytes(16, "big") for number in range(3_000))
    for _ in range(5):
        mesh.say(eve, ada, Ranges((), made_up), Announce(made_up))
    assert len(eve.heard_of(Want)) == 1
    for _ in range(40):
        mesh.say(eve, ada, Items((), last=True))
    assert not ada.blamed
    assert ada.overlay._exchange.wants.idle_with_queue() == []


def test_lists_are_given_only_for_issuers_that_have_some(mesh, ada, eve):
    eve.heard.clear()
    mesh.say(eve, ada, WantLists((bytes(32), bytes(mesh.place.issuer.public), bytes(mesh.place.issuer.public))))
    assert eve.heard == [mesh.place.given(mesh.place.first_list)]


def test_a_message_from_a_link_that_is_gone_is_ignored(mesh, ada, eve):
    link = ada.links[eve.name]
    mesh.carry_out(ada, ada.overlay.peer_down(link, mesh.instant))
    assert ada.overlay.message(link, Want({bytes(16)}), mesh.instant) == []
    assert ada.overlay.peer_down(link, mesh.instant) == []


def test_nothing_of_a_link_is_left_behind(mesh, ada, eve):
    announce(mesh, eve, ada, b"some item.......")
    mesh.carry_out(ada, ada.overlay.peer_down(ada.links.pop("eve"), mesh.instant))
    wants = ada.overlay._exchange.wants
    assert not ada.overlay._links
    assert not wants._links
    assert not wants._anywhere
    assert ada.overlay.deadline() is None
