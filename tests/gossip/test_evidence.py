"""Evidence: which statements are worth a place, and what contradictions prove; against ourselves nothing."""

import dataclasses

import pytest

from cards import Manifest, Mark, Retirement, SelfRevocation, Succession
from p2pnoise.gossip import effects
from p2pnoise.gossip.evidence import is_needed, proof_against


def sign(place, kind, *signers, **values):
    return kind.make({"net": place.NETWORK, "iat": place.START - 50, **values}, *signers)


def manifest(place, version, *issuers, threshold=1, by=None):
    signers = sorted(by or issuers, key=lambda key: bytes(key.public))
    return sign(
        place,
        Manifest,
        *signers,
        ver=version,
        thr=threshold,
        iss=sorted(bytes(key.public) for key in issuers),
        by=[bytes(key.public) for key in signers],
    )


def take(place, table, fact):
    finding, changed = table.offer_fact(fact, place.START)
    assert changed, finding


def test_only_a_manifest_that_becomes_the_newest_is_needed(place, both):
    first, second = manifest(place, 1, place.issuer, place.second), manifest(place, 2, place.issuer, place.second)
    assert is_needed(both, first)
    take(place, both, second)
    assert not is_needed(both, first)
    assert is_needed(both, manifest(place, 3, place.issuer))


def test_a_manifest_of_too_few_is_not_needed(place):
    """Or one issuer alone could fill the places with versions that count for nothing."""
    asking_two = dataclasses.replace(place.both, app=(place.both.app[0].__class__(2),))
    table = place.table(policy=asking_two, lists=(place.first_list, place.make_list(1, issuer=place.second)))
    assert not is_needed(table, manifest(place, 1, place.issuer))
    assert is_needed(table, manifest(place, 1, place.issuer, place.second, threshold=2))


def test_one_retirement_and_one_ending_are_enough(place, both):
    _, identity = place.keys("carl")
    for kind, key, name in ((Retirement, place.second, "iss"), (SelfRevocation, identity, "key")):
        first, second = (sign(place, kind, key, **{name: key.public, "reason": reason}) for reason in ("lost", "left"))
        assert is_needed(both, first)
        take(place, both, first)
        assert not is_needed(both, second)


def test_a_retirement_by_too_few_is_not_needed_before_a_signature_of_it_is_looked_at(place, both):
    def by(*others):
        others = sorted(others, key=lambda key: key.public)
        keys = [key.public for key in others]
        return sign(place, Retirement, *others, iss=place.second.public, reason="lost", by=keys)

    third = place.issuer.__class__(b"third".ljust(32))
    assert not is_needed(both, by(place.issuer))
    assert not is_needed(both, by(place.issuer, third))
    take(
        place, both, manifest(place, 1, place.issuer, place.second, third, threshold=2, by=[place.issuer, place.second])
    )
    assert is_needed(both, by(place.issuer, third))


def test_a_successor_that_ignores_the_commitment_of_the_mark_is_not_taken(place, table):
    """Whoever steals the old key later must not name another, nor take the places of the true one."""
    (_, old), (_, thief) = place.keys("carl"), place.keys("thief")
    table.restore_mark(bytes(old.public), Mark(1, b"c" * 32, b"another digest".ljust(32)))
    stolen = sign(place, Succession, old, thief, old=old.public, new=thief.public)
    finding, changed = table.offer_fact(stolen, place.START)
    assert finding.code == "succession-invalid"
    assert not changed


@pytest.mark.parametrize("name", ["own", "carl"])
def test_a_twin_of_a_card_proves_something_unless_the_card_is_ours(place, table, offer, name):
    offer(table, place.card(name), own=name == "own")
    key = place.keys("another node")[0]
    twin = place.grant(place.bare(f"{name}-twin", keys=(key, place.keys(name)[1])))
    assert (proof_against(table, twin) is not None) is (name != "own")


def test_cards_that_can_both_be_prove_nothing(place, table, offer):
    offer(table, place.card("carl"))
    assert proof_against(table, place.card("carl", sequence=2)) is None
    assert proof_against(table, place.card("bob")) is None
    assert proof_against(table, place.card("carl")) is None


def test_a_twin_whose_key_signature_is_forged_makes_no_proof(mesh):
    ada = mesh.add("ada", names=["carl"])
    twin = mesh.place.grant(mesh.place.bare("carl-twin", keys=mesh.place.keys("carl")))
    forged = dataclasses.replace(twin, key_signature=mesh.place.card("carl").key_signature)
    mesh.carry_out(ada, ada.overlay.card_refused(forged, mesh.instant))
    assert not ada.did(effects.FactApplied)
    mesh.carry_out(ada, ada.overlay.card_refused(twin, mesh.instant))
    assert len(ada.did(effects.FactApplied)) == 1


def test_an_ending_that_waits_is_not_displaced_by_a_succession(mesh):
    """Both are signed by the same key, which may be stolen by now; the ending is final."""
    place, ada = mesh.place, mesh.add("ada")
    (_, old), (_, heir) = place.keys("carl"), place.keys("heir")
    ending = sign(place, SelfRevocation, old, key=old.public, reason="lost")
    exchange = ada.overlay._facts.statements
    for statement in (ending, sign(place, Succession, old, heir, old=old.public, new=heir.public)):
        assert exchange._is_early(statement, b"giver")
    assert exchange.early(place.card("carl"), mesh.instant) == ending
