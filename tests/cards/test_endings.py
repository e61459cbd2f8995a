"""What ends a key: a successor whom both keys name, its owner's revocation, an issuer's retirement. All are final."""

import hashlib
import itertools

import pytest

import cards

NAME = "db-03.dc1.example"
HEIR = cards.IdentityKey(b"heir".ljust(32))
OTHER = cards.IdentityKey(b"another heir".ljust(32))


def errors(verdict):
    return [finding.code for finding in verdict.errors]


def commitment(key):
    return hashlib.sha256(key.public).digest()


def card_of(world, identity, **options):
    """The card of a successor, granted, on the same node under the same name."""
    return world.grant(world.make_card(identity, **({"node": world.mallory_node, "sequence": 1} | options))).raw


def committed(world, heir):
    """The identity's card with the digest of the key to come."""
    return world.envelope(next=commitment(heir))


# Successions.


def test_an_identity_that_handed_over_is_superseded_and_its_successor_is_not(world):
    facts = world.facts(world.succession(world.identity, HEIR))
    verdict = world.verify(world.raw, facts=facts)
    assert (errors(verdict), verdict.level, verdict.exit_code) == (["superseded"], "reject", 7)
    assert str(HEIR.public) in verdict.errors[0].message
    assert world.verify(card_of(world, HEIR), facts=facts).ok


@pytest.mark.parametrize("only", [0, 1], ids=["old only", "new only"])
def test_a_succession_that_one_key_signed_twice_is_invalid(world, only):
    signer = (world.identity, HEIR)[only]
    forged = world.succession(world.identity, HEIR, signers=(signer, signer))
    held = world.facts()
    after, finding = held.add(forged, policy=world.policy, now=world.now)
    assert (finding.code, finding.exit, after is held) == ("succession-invalid", 4, True)


def test_a_succession_that_ignores_the_commitment_of_the_card_supersedes_nobody(world):
    facts = world.facts(world.succession(world.identity, world.mallory))
    assert errors(world.verify(committed(world, HEIR), facts=facts)) == []
    assert errors(world.verify(committed(world, world.mallory), facts=facts)) == ["superseded"]


def test_the_commitment_that_was_accepted_holds_whatever_a_later_card_says(world):
    facts = world.facts(world.succession(world.identity, world.mallory))
    mark = cards.Mark(6, bytes(32), commitment(HEIR))
    assert errors(world.verify(committed(world, world.mallory), facts=facts, mark=mark)) == []
    assert errors(world.verify(world.raw, facts=facts, mark=mark)) == []


def test_the_committed_successor_counts_beside_a_thiefs(world):
    facts = world.facts(world.succession(world.identity, world.mallory), world.succession(world.identity, HEIR))
    assert errors(world.verify(committed(world, HEIR), facts=facts)) == ["superseded"]


def test_of_two_rivals_none_counts_and_the_old_key_does_not_come_back(world):
    facts = world.facts(world.succession(world.identity, HEIR), world.succession(world.identity, OTHER))
    assert facts.successor(world.identity.public, None) is None
    verdict = world.verify(world.raw, facts=facts)
    assert errors(verdict) == ["superseded"]
    assert "2 others, of whom none counts" in verdict.errors[0].message
    pins = {NAME: world.identity.public}
    for rival in (HEIR, OTHER):
        assert errors(world.verify(card_of(world, rival), facts=facts, pins=pins)) == ["pin-changed"]


def test_two_successions_to_one_heir_are_no_rivals(world):
    again = world.succession(world.identity, HEIR, iat=world.now - 5)
    facts = world.facts(world.succession(world.identity, HEIR), again)
    assert facts.successor(world.identity.public, None) == HEIR.public


def test_a_valid_succession_moves_the_pin(world):
    pins = {NAME: world.identity.public}
    assert errors(world.verify(card_of(world, HEIR), pins=pins)) == ["pin-changed"]
    facts = world.facts(world.succession(world.identity, HEIR))
    bare = world.make_card(HEIR, node=world.mallory_node).raw
    assert world.verify(bare, facts=facts, pins=pins).level == "pinned"
    assert errors(world.verify(world.raw, facts=facts, pins=pins)) == ["superseded"]


def test_a_pin_follows_several_successions(world):
    facts = world.facts(world.succession(world.identity, HEIR), world.succession(HEIR, OTHER))
    assert world.verify(card_of(world, OTHER), facts=facts, pins={NAME: world.identity.public}).level == "pinned"


def test_a_pin_goes_round_no_circle_for_ever(world):
    facts = world.facts(world.succession(world.identity, HEIR), world.succession(HEIR, world.identity))
    verdict = world.verify(card_of(world, OTHER), facts=facts, pins={NAME: world.identity.public})
    assert errors(verdict) == ["pin-changed"]


def test_a_pin_does_not_move_to_a_successor_that_ignores_the_commitment(world):
    facts = world.facts(world.succession(world.identity, world.mallory))
    pins, thief = {NAME: world.identity.public}, card_of(world, world.mallory)
    marks = {bytes(world.identity.public): cards.Mark(7, world.card.card_id, commitment(HEIR))}
    assert errors(world.verify(thief, facts=facts, pins=pins, marks=marks)) == ["pin-changed"]
    assert world.verify(thief, facts=facts, pins=pins).level == "pinned"


def test_a_thief_of_the_old_key_crowds_no_committed_successor_out(world):
    thieves = [cards.IdentityKey(f"thief {n}".encode().ljust(32)) for n in range(9)]
    options = {"policy": world.policy, "now": world.now}
    facts, findings = world.facts(), []
    for thief in thieves:
        facts, finding = facts.add(world.succession(world.identity, thief), **options)
        findings.append(finding and finding.code)
    assert findings == [None] * 4 + ["succession-invalid"] * 5
    options["marks"] = {bytes(world.identity.public): cards.Mark(7, bytes(32), commitment(HEIR))}
    facts, finding = facts.add(world.succession(world.identity, HEIR), **options)
    assert finding is None
    assert errors(world.verify(committed(world, HEIR), facts=facts)) == ["superseded"]


def test_a_succession_that_ignores_what_was_committed_to_is_not_taken(world):
    marks = {bytes(world.identity.public): cards.Mark(7, bytes(32), commitment(HEIR))}
    thiefs, held = world.succession(world.identity, world.mallory), world.facts()
    after, finding = held.add(thiefs, policy=world.policy, now=world.now, marks=marks)
    assert (finding.code, finding.exit, after is held) == ("succession-invalid", 4, True)


# Self-revocation.


def test_an_identity_that_revoked_itself_is_revoked_in_every_card(world):
    facts = world.facts(world.self_revocation(world.identity))
    for raw in (world.raw, world.grant(world.make_card(sequence=99, node=world.mallory_node)).raw):
        verdict = world.verify(raw, facts=facts)
        assert (errors(verdict), verdict.level, verdict.exit_code) == (["revoked"], "reject", 7)
    assert "key-compromise" in verdict.errors[0].message


def test_a_self_revocation_may_be_years_old(world):
    facts = world.facts(world.self_revocation(world.identity, iat=1))
    assert errors(world.verify(world.raw, facts=facts)) == ["revoked"]


def test_nobody_revokes_anothers_identity_as_their_own(world):
    forged = world.self_revocation(world.identity, signer=world.mallory)
    held = world.facts()
    after, finding = held.add(forged, policy=world.policy, now=world.now)
    assert (finding.code, after is held) == ("revocation-invalid", True)
    assert world.verify(world.raw, facts=world.facts(world.self_revocation(world.mallory))).ok


def test_a_successor_of_a_revoked_identity_is_not_revoked(world):
    facts = world.facts(world.self_revocation(world.identity), world.succession(world.identity, HEIR))
    assert errors(world.verify(world.raw, facts=facts)) == ["revoked", "superseded"]
    assert world.verify(card_of(world, HEIR), facts=facts).ok


# Retirement.


def test_what_a_retired_issuer_granted_counts_no_more(world):
    verdict = world.verify(world.raw, facts=world.facts(world.retirement(world.issuer)))
    assert (errors(verdict), verdict.level, verdict.exit_code) == (["threshold"], "known", 5)
    both = world.grant(world.card, world.second).raw
    assert world.verify(both, facts=world.facts(world.retirement(world.issuer))).issuers == (world.second.public,)


def test_nobody_retires_another_issuer(world):
    held = world.facts()
    after, finding = held.add(world.retirement(world.issuer, signer=world.second), policy=world.policy, now=world.now)
    assert (finding.code, finding.exit, after is held) == ("retirement-invalid", 4, True)


def test_a_retired_issuer_delegates_no_more(world):
    held = world.facts(world.retirement(world.issuer))
    _, finding = held.add(world.delegation(world.mallory_issuer), policy=world.policy, now=world.now)
    assert finding.code == "unknown-issuer"


# In whatever order.


def test_no_order_of_endings_makes_another_verdict(world):
    endings = [
        world.succession(world.identity, HEIR),
        world.self_revocation(HEIR),
        world.retirement(world.second),
        world.make_list(sequence=2, entries=[world.entry(world.mallory.public)]),
    ]
    verdicts = set()
    for order in itertools.permutations(endings):
        facts = world.facts(*order)
        found = [world.verify(raw, facts=facts) for raw in (world.raw, card_of(world, HEIR))]
        verdicts.add(tuple((verdict.level, verdict.findings) for verdict in found))
    assert len(verdicts) == 1


def test_identities_that_hand_over_in_a_circle_come_after_each_other_once(world):
    steps = [(world.identity, HEIR), (HEIR, OTHER), (OTHER, world.identity)]
    facts = world.facts(*(world.succession(old, new) for old, new in steps))
    assert list(facts.forerunners(HEIR.public)) == [world.identity.public, OTHER.public]
    assert not list(world.facts().forerunners(HEIR.public))
