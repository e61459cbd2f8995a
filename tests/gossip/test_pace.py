"""Pace: what one key signs too often is neither verified nor passed on, and the newest is what all have in the end."""

import pytest

from cards import IssuerKey
from cards.statements import SignatureCache
from p2pnoise.gossip import broadcast, effects, pace
from p2pnoise.gossip.items import body_id, record_id
from p2pnoise.gossip.messages import Announce, CardItem, GrantItem, Prune, Push, RecordItem, Want
from p2pnoise.gossip.pace import BURST, MAX_ORIGINS, PAUSE, Pace
from p2pnoise.instant import SECOND

MINUTE = PAUSE / SECOND


@pytest.fixture(autouse=True)
def _no_other_limit(monkeypatch):
    """It is not the link that keeps anything out."""
    monkeypatch.setattr(broadcast, "THEIR_BURST", 1_000_000)


@pytest.fixture
def ada(mesh):
    return mesh.add("ada", names=("eve",))


@pytest.fixture
def eve(mesh, ada):
    return mesh.puppet("eve", ada)


@pytest.fixture
def bob(mesh, ada):
    """Who is pushed what Ada takes for news."""
    bob = mesh.puppet("bob", ada)
    mesh.wait(1)
    bob.heard.clear()
    return bob


@pytest.fixture
def verified(monkeypatch):
    """What was verified, as it stands when it is looked at."""
    asked = []
    verify = SignatureCache.verify
    monkeypatch.setattr(SignatureCache, "verify", lambda *given: asked.append(given) or verify(*given))
    return asked


def records(mesh, sequences, name="eve"):
    return [mesh.place.record(name, sequence=sequence) for sequence in sequences]


def push(mesh, eve, ada, sequences):
    made = records(mesh, sequences)
    for start in range(0, len(made), 500):
        mesh.say(eve, ada, Push(tuple(RecordItem(record.raw) for record in made[start : start + 500])))


def held(ada, node):
    return ada.table.by_node(node.node_id).record.sequence


def newer(place, sequence, **options):
    return place.grant(place.bare("eve", sequence=sequence, **options), serial=sequence)


# What comes too often


def test_of_a_thousand_records_signed_in_a_second_five_are_verified_taken_and_relayed(mesh, ada, eve, bob, verified):
    push(mesh, eve, ada, range(2, 1_002))
    assert len(verified) == BURST
    assert [learned.record.sequence for learned in ada.did(effects.RecordLearned)] == [2, 3, 4, 5, 6]
    mesh.wait(1)
    told = {item for message in bob.heard_of(Announce) for item in message.ids}
    assert sum(len(message.items) for message in bob.heard_of(Push)) + len(told) <= BURST
    assert not ada.blamed


def test_it_is_so_with_what_was_asked_for(mesh, ada, eve, verified):
    made = records(mesh, range(2, 502))
    mesh.say(eve, ada, Announce(frozenset(map(record_id, made))))
    assert sum(len(want.ids) for want in eve.heard_of(Want)) >= 500
    mesh.give(eve, ada, *(RecordItem(record.raw) for record in made))
    assert len(verified) == BURST


def test_what_was_dropped_is_asked_of_one_alone_of_those_who_have_it(mesh, ada, eve):
    """Or all who have it would be asked, and be grafted, one after the other."""
    others = [mesh.puppet(f"other-{number}", ada) for number in range(4)]
    for other in others:
        mesh.say(other, ada, Prune())
    push(mesh, eve, ada, range(2, 2 + BURST))
    mesh.wait(1)
    (late,) = records(mesh, [100])
    asked = 0
    for other in others:
        mesh.say(other, ada, Announce(frozenset([record_id(late)])))
    for _ in range(60):
        mesh.wait(0.1)
        for other in others:
            if any(record_id(late) in want.ids for want in other.heard_of(Want)):
                asked += 1
                mesh.give(other, ada, RecordItem(late.raw))
            other.heard.clear()
    assert asked == 1


def test_of_one_who_never_rests_one_a_minute_is_taken(mesh, ada, eve, bob):
    for sequence in range(2, 602):
        push(mesh, eve, ada, [sequence])
        mesh.wait(1)
    mesh.wait(1)
    taken = len(ada.did(effects.RecordLearned))
    assert BURST + 9 <= taken <= BURST + 10
    told = {item for message in bob.heard_of(Announce) for item in message.ids}
    assert sum(len(message.items) for message in bob.heard_of(Push)) + len(told) <= taken


def test_newer_cards_and_grants_have_the_same_pace(mesh, ada, eve, verified):
    place = mesh.place
    mesh.say(eve, ada, *(Push((CardItem(newer(place, sequence).raw),)) for sequence in range(2, 42)))
    assert ada.table.by_node(eve.node_id).card.sequence == 1 + BURST
    body = place.bare("eve", sequence=1 + BURST)
    grants = [place.grant(body, serial=serial).grants[0] for serial in range(10, 50)]
    items = [GrantItem(body.card_id, one.kid, one.attrs, one.signature) for one in grants]
    verified.clear()
    mesh.say(eve, ada, *(Push((item,)) for item in items))
    assert ada.table.by_node(eve.node_id).card.grants == (grants[BURST - 1],)
    assert len({given[2:] for given in verified}) <= 2 + BURST  # those of the body, and of each grant


def test_records_that_come_before_their_card_have_it_too(mesh, ada, eve, verified):
    made = [RecordItem(record.raw) for record in records(mesh, range(1, 101), "carl")]
    mesh.say(eve, ada, Push(tuple(made)))
    assert len(verified) == BURST


def test_who_makes_up_nodes_gets_no_pace_anew(mesh, ada, eve, monkeypatch):
    monkeypatch.setattr(pace, "MAX_ORIGINS", 10)
    push(mesh, eve, ada, range(2, 20))
    for number in range(20):
        mesh.say(eve, ada, Push(tuple(RecordItem(one.raw) for one in records(mesh, [1], f"made-up-{number}"))))
    push(mesh, eve, ada, range(20, 30))
    assert held(ada, eve) == 1 + BURST


def test_a_newer_card_that_is_shown_in_a_handshake_is_kept_and_told_no_faster(mesh, ada, eve, bob):
    place = mesh.place
    for sequence in range(2, 42):
        mesh.carry_out(ada, ada.overlay.offer_card(newer(place, sequence), mesh.instant, live=True))
        mesh.wait(0.1)
    assert ada.table.by_node(eve.node_id).card.sequence == 41
    mesh.wait(1)
    told = {item for message in bob.heard_of(Announce) for item in message.ids if item[0] >> 6 == 0}
    assert sum(len(message.items) for message in bob.heard_of(Push)) + len(told) <= 2 * BURST
    assert body_id(newer(place, 41).card_id) in ada.table.items


# What is to come through all the same


def test_the_newest_record_is_with_all_in_the_end(mesh):
    ada, bob, carl = (mesh.add(name) for name in ("ada", "bob", "carl"))
    mesh.join(ada, bob)
    mesh.join(bob, carl)
    mesh.wait(30)
    for sequence in range(2, 32):
        mesh.carry_out(ada, ada.overlay.offer_record(mesh.place.record("ada", sequence=sequence), mesh.instant))
        mesh.wait(0.1)
    assert (held(bob, ada), held(carl, ada)) == (BURST, BURST)  # the one with which it began among them
    mesh.wait(4 * MINUTE)
    assert mesh.converged
    assert held(carl, ada) == 31


def test_a_node_that_is_started_anew_five_times_in_a_row_is_known_at_once(mesh, ada, eve, bob):
    for sequence in range(2, 2 + BURST):
        push(mesh, eve, ada, [sequence])
        assert held(ada, eve) == sequence


def test_what_a_node_key_signs_uses_up_nothing_of_its_identity(mesh, ada, eve):
    """A thief of the node key could keep out the card that takes its place."""
    push(mesh, eve, ada, range(2, 102))
    card = newer(mesh.place, 2)
    mesh.say(eve, ada, Push((CardItem(card.raw),)))
    assert ada.table.by_node(eve.node_id).card == card


def test_what_an_issuer_grants_uses_up_nothing_of_the_identity_nor_of_another_issuer(mesh):
    place = mesh.place
    lists = (place.first_list, place.make_list(1, issuer=place.second))
    ada = mesh.add("ada", names=("eve",), policy=place.both, lists=lists)
    eve, body = mesh.puppet("eve", ada), place.card("eve")
    for serial in range(2, 42):
        mesh.say(eve, ada, Push((CardItem(place.grant(body, serial=serial).raw),)))
    serials = {grant.serial for grant in ada.table.by_node(eve.node_id).card.grants}
    assert serials == {1 + BURST}
    both = place.grant(place.grant(place.bare("eve"), serial=99), place.second, serial=7)
    mesh.say(eve, ada, Push((CardItem(both.raw),)))
    assert 7 in {grant.serial for grant in ada.table.by_node(eve.node_id).card.grants}
    card = newer(place, 2)
    mesh.say(eve, ada, Push((CardItem(card.raw),)))
    assert ada.table.by_node(eve.node_id).card.card_id == card.card_id


def test_grants_of_nobody_known_let_no_other_pass(mesh, ada, eve):
    place = mesh.place
    for serial in range(2, 42):
        granted = place.grant(place.grant(place.bare("eve"), serial=serial), IssuerKey(bytes([serial] * 32)))
        mesh.say(eve, ada, Push((CardItem(granted.raw),)))
    assert len(ada.did(effects.Learned)) == BURST


def test_forged_records_use_up_nothing(mesh, ada, eve, bob):
    mallory = mesh.puppet("mallory", ada)
    for sequence in range(2, 22):
        forged = mesh.place.record("eve", sequence=sequence, key=mesh.place.keys("mallory")[0])
        mesh.say(mallory, ada, Push((RecordItem(forged.raw),)))
    push(mesh, eve, ada, [30])
    assert held(ada, eve) == 30


def test_who_changes_without_end_is_revoked_at_once(mesh, ada, eve):
    push(mesh, eve, ada, range(2, 102))
    revoked = mesh.place.make_list(2, revoked=[mesh.place.card("eve").identity])
    mesh.say(eve, ada, mesh.place.given(revoked))
    assert ada.table.by_node(eve.node_id) is None


def test_who_changes_without_end_is_found_out_at_once(mesh, ada, eve):
    """A second card of one number is no newer one: it is a proof, which has no pace."""
    mesh.say(eve, ada, *(Push((CardItem(newer(mesh.place, sequence).raw),)) for sequence in range(2, 42)))
    other = newer(mesh.place, 1 + BURST, now=mesh.place.START - 99)
    mesh.say(eve, ada, Push((CardItem(other.raw),)))
    assert any(statement.label == "CONFLICT" for statement in ada.table.facts.statements.values())


# What is remembered


def test_whoever_has_been_calm_long_enough_is_forgotten():
    kept = Pace()
    for number in range(10):
        kept.changed([b"%d" % number], number * PAUSE)
    assert len(kept) == 1
    kept.changed([b"another"], 100 * PAUSE)
    assert len(kept) == 1


def test_those_who_changed_last_are_remembered(monkeypatch):
    monkeypatch.setattr(pace, "MAX_ORIGINS", 100)
    kept = Pace()
    for _ in range(BURST):
        kept.changed([b"often"], 0)
    for number in range(pace.MAX_ORIGINS - 1):
        kept.changed([b"%d" % number], 1)
    assert not kept.allows([b"often"], 2)
    for number in range(1_000):
        kept.changed([b"other %d" % number], 3)
    assert len(kept) == pace.MAX_ORIGINS < MAX_ORIGINS
