"""Conflicts: proofs that nobody can forge, what they freeze, and whom they leave alone."""

import msgpack
import pytest

import cards


def errors(verdict):
    return [finding.code for finding in verdict.errors]


def raw(kind, *parts):
    return msgpack.packb([1, kind, *sorted(parts, key=msgpack.packb)])


def endorsed(world, *, name="other.example", sequence=7, **options):
    """Another card of our identity, granted."""
    return world.grant(world.make_card(name=name, sequence=sequence, **options))


def refused(world, conflict, held=None):
    """The code for which this conflict is not taken."""
    held = held or world.facts()
    after, finding = held.add(conflict, policy=world.policy, now=world.now)
    assert after is held
    return finding.code


PROOF = "proof-invalid"


def head(one):
    return [one.head, one.signature]


def heads(world, *, sequence=1):
    """Those of two lists of our issuer, the second with this number."""
    other = world.make_list(sequence=sequence, entries=[world.entry(bytes(32))])
    return [head(world.make_list()), head(other)]


def identity_conflict(world):
    return cards.Conflict.between(world.card, endorsed(world))


def node_conflict(world):
    """Our node key has signed for Mallory too."""
    return cards.Conflict.between(world.card, world.grant(world.make_card(world.mallory)))


def issuer_conflict(world):
    return cards.Conflict.between(world.make_list(), world.make_list(entries=[world.entry(bytes(32))]))


def backwards(world):
    _, kind, *parts = world.parts(identity_conflict(world).raw)
    return msgpack.packb([1, kind, *parts[::-1]])


# Forms.

FORMS = [
    ("empty", lambda _w: b"", "truncated"),
    ("a byte after the end", lambda w: identity_conflict(w).raw + b"\0", "trailing-data"),
    ("2113 bytes", lambda _w: bytes(2_113), "too-large"),
    ("three parts", lambda w: msgpack.packb([1, "identity", w.raw]), "malformed"),
    ("five parts", lambda w: msgpack.packb([1, "identity", w.raw, w.raw, w.raw]), "malformed"),
    ("version 2", lambda w: b"\x94\x02" + identity_conflict(w).raw[2:], "unsupported-version"),
    ("another kind", lambda w: raw("card", w.raw, endorsed(w).raw), "malformed"),
    ("kind of a number", lambda w: raw(1, w.raw, endorsed(w).raw), "malformed"),
    ("parts in the other order", backwards, "not-deterministic"),
    ("the same card twice", lambda w: raw("identity", w.raw, w.raw), "not-deterministic"),
    ("a card that is no card", lambda w: raw("identity", w.raw, b"x"), "malformed"),
    ("cards that are text", lambda _w: raw("identity", "a", "b"), "malformed"),
    ("heads that are binary", lambda _w: raw("issuer", b"a", b"b"), "malformed"),
    ("heads of three", lambda _w: raw("issuer", [b"", b"", b""], [b"", b"", b"a"]), "malformed"),
    ("lists as cards", lambda w: raw("identity", *heads(w)), "malformed"),
    ("the same body twice, granted otherwise", lambda w: raw("identity", w.raw, w.grant(w.card, serial=2).raw), PROOF),
    ("other numbers", lambda w: raw("identity", w.raw, endorsed(w, sequence=8).raw), PROOF),
    ("other identities", lambda w: raw("identity", w.raw, w.make_card(w.mallory).raw), PROOF),
    ("one identity as two", lambda w: raw("node", w.raw, endorsed(w).raw), PROOF),
    ("other nodes", lambda w: raw("node", w.raw, w.make_card(w.mallory, w.mallory_node).raw), PROOF),
    ("two networks", lambda w: raw("identity", w.raw, w.make_card(network="other-net").raw), PROOF),
    ("one list signed twice", lambda w: raw("issuer", heads(w)[0], [heads(w)[0][0], bytes(64)]), PROOF),
    ("lists of other numbers", lambda w: raw("issuer", *heads(w, sequence=2)), PROOF),
    ("lists of other issuers", lambda w: raw("issuer", heads(w)[0], head(w.make_list(w.second))), PROOF),
]


@pytest.mark.parametrize(("make", "code"), [pytest.param(make, code, id=name) for name, make, code in FORMS])
def test_what_is_no_conflict_is_refused_by_name(world, make, code):
    with pytest.raises(cards.CardError) as caught:
        cards.parse_fact("CONFLICT", make(world))
    assert caught.value.code == code


@pytest.mark.parametrize("make", [identity_conflict, node_conflict, issuer_conflict])
def test_a_conflict_cut_at_any_byte_is_truncated(world, make):
    whole = make(world).raw
    assert cards.parse_fact("CONFLICT", whole) == make(world)
    for end in range(len(whole)):
        with pytest.raises(cards.CardError) as caught:
            cards.Conflict.parse(whole[:end])
        assert caught.value.code == "truncated", end


def test_what_does_not_contradict_itself_makes_no_conflict(world):
    for one, other in (
        (world.card, world.card),
        (world.card, world.make_card(world.mallory, world.mallory_node)),
        (world.make_list(), world.make_list(world.second)),
        (world.card, world.make_list()),
    ):
        with pytest.raises(cards.CardError):
            cards.Conflict.between(one, other)


# Proofs.

FORGED = [
    ("a bad key signature", lambda w: endorsed_by_hand(w, key=bytes(64)), PROOF),
    ("a key signature by another", lambda w: endorsed_by_hand(w, signer=w.mallory), PROOF),
    ("a bad node signature", lambda w: endorsed_by_hand(w, node=bytes(64)), PROOF),
    ("no node signature", lambda w: endorsed_by_hand(w, node=b""), PROOF),
]


def endorsed_by_hand(world, *, signer=None, **changes):
    """The other card of an identity conflict, granted, with one signature that is not as it should be."""
    body = endorsed(world).body
    if signer is not None:
        changes["key"] = signer.sign(world.message("card.key", body))
    return world.envelope(body, **changes)


@pytest.mark.parametrize(("make", "code"), [pytest.param(make, code, id=name) for name, make, code in FORGED])
def test_a_forged_proof_frames_nobody(world, make, code):
    forged = cards.Conflict.parse(raw("identity", world.raw, make(world)))
    assert forged.check(network=world.network, now=None, leeway=0).code == code
    assert refused(world, forged) == code


def test_a_proof_of_two_lists_needs_the_issuers_signature_on_both(world):
    ours, theirs = heads(world)
    forged = cards.Conflict.parse(raw("issuer", ours, [theirs[0], world.mallory_issuer.sign(b"")]))
    assert refused(world, forged) == PROOF
    assert world.facts(issuer_conflict(world)).statements


def test_mallory_who_claims_our_node_makes_no_proof_against_it(world):
    body = world.card.body.replace(world.identity.public, world.mallory.public)
    key = world.mallory.sign(world.message("card.key", body))
    stolen = world.envelope(body, key=key, node=world.card.node_signature)
    assert refused(world, cards.Conflict.parse(raw("node", world.raw, stolen))) == PROOF


def test_a_conflict_of_another_network_is_refused(world):
    elsewhere = {"network": "other-net", "sequence": 7}
    one, other = (world.make_card(name=name, **elsewhere) for name in ("a", "b"))
    assert refused(world, cards.Conflict.between(one, other)) == "wrong-network"


def test_a_proof_does_not_age(world):
    long_ago = {"sequence": 7, "now": 1_000, "lifetime": 5_000}
    one, other = (world.grant(world.make_card(name=n, **long_ago), now=1_000) for n in ("a", "b"))
    assert world.facts(cards.Conflict.between(one, other)).conflicts.keys() == {world.identity.public}


# What follows.


def test_an_identity_in_conflict_is_frozen_up_to_that_number(world):
    facts = world.facts(identity_conflict(world))
    for raw_card in (world.raw, endorsed(world).raw, endorsed(world, sequence=6).raw):
        verdict = world.verify(raw_card, facts=facts)
        assert (errors(verdict), verdict.level, verdict.exit_code) == (["equivocation"], "reject", 8)


def test_a_higher_number_resolves_a_freeze(world):
    facts = world.facts(identity_conflict(world))
    assert world.verify(endorsed(world, sequence=8).raw, facts=facts).ok


def test_the_card_that_was_accepted_before_is_kept_and_the_other_refused(world):
    facts, mark = world.facts(identity_conflict(world)), cards.Mark(7, world.card.card_id)
    assert world.verify(world.raw, facts=facts, mark=mark).ok
    assert errors(world.verify(endorsed(world).raw, facts=facts, mark=mark)) == ["equivocation"] * 2


def test_a_thief_of_the_identity_key_alone_cannot_freeze_its_owner(world):
    thiefs = world.make_card(name="thief.example", node=world.mallory_node)
    proof = cards.Conflict.between(world.card, thiefs)
    assert refused(world, proof) == "unknown-issuer"
    forced = cards.Facts(world.facts().revocations, {proof.digest: proof})
    assert world.verify(world.raw, facts=forced).ok


def test_a_proof_without_its_grants_takes_no_place_of_one_that_counts(world):
    one, other = world.card, endorsed(world)
    bare = cards.Conflict.between(one.with_grants(()), other.with_grants(()))
    assert bare.digest == identity_conflict(world).digest
    facts, finding = world.facts().add(bare, policy=world.policy, now=world.now)
    assert finding.code == "unknown-issuer"
    facts, finding = facts.add(identity_conflict(world), policy=world.policy, now=world.now)
    assert finding is None
    assert errors(world.verify(world.raw, facts=facts)) == ["equivocation"]


def test_a_conflict_counts_no_more_once_its_issuer_is_none_of_the_policy(world):
    facts = world.facts(identity_conflict(world))
    policy = cards.Policy(network=world.network, issuers={"ops-b": world.second.public})
    granted = world.grant(world.make_card(), world.second).raw
    assert world.verify(granted, facts=facts, policy=policy).ok


def test_a_node_of_two_identities_is_set_aside_and_frames_nobody_else(world):
    facts = world.facts(node_conflict(world))
    for raw_card in (world.raw, world.grant(world.make_card(world.mallory)).raw):
        verdict = world.verify(raw_card, facts=facts)
        assert (errors(verdict), verdict.level, verdict.exit_code) == (["node-conflict"], "reject", 8)
    for identity in (world.identity, world.mallory):
        new = world.make_card(identity, world.mallory_node, sequence=8)
        assert world.verify(world.grant(new).raw, facts=facts).ok


def test_a_node_conflict_of_strangers_is_not_taken(world):
    node = world.mallory_node
    proof = cards.Conflict.between(*(world.make_card(key, node) for key in (world.identity, world.mallory)))
    assert refused(world, proof) == "unknown-issuer"


@pytest.mark.parametrize("ended_by", ["its own word", "a manifest that leaves it out"])
def test_a_node_is_set_aside_whether_the_issuer_of_its_cards_ended_before_or_after(world, ended_by):
    proof = cards.Conflict.between(
        *(world.grant(world.make_card(key), world.second) for key in (world.identity, world.mallory))
    )
    manifest = world.manifest(1, 1, [world.issuer], by=[world.issuer, world.second])
    end = world.retirement(world.second) if ended_by == "its own word" else manifest
    for facts in (world.facts(proof, end), world.facts(end, proof)):
        assert errors(world.verify(world.raw, facts=facts)) == ["node-conflict"]


def test_two_lists_of_one_number_are_no_reason_to_refuse_a_card(world):
    facts = world.facts(issuer_conflict(world))
    assert world.verify(world.raw, facts=facts).ok


def test_lists_of_an_issuer_that_is_none_of_the_policy_are_no_conflict_of_ours(world):
    lists = [world.make_list(world.mallory_issuer, entries=some) for some in ([], [world.entry(bytes(32))])]
    assert refused(world, cards.Conflict.between(*lists)) == "unknown-issuer"


def test_one_conflict_is_kept_for_one_subject_and_number(world):
    facts = world.facts(identity_conflict(world), cards.Conflict.between(world.card, endorsed(world, name="third")))
    assert len(facts.statements) == 1
    facts = world.facts(cards.Conflict.between(endorsed(world, sequence=8), endorsed(world, sequence=8, name="x")))
    assert len(facts.merge(world.facts(identity_conflict(world)), world.now).statements) == 2


def test_strangers_can_fill_their_own_kind_alone(world, monkeypatch):
    monkeypatch.setattr("cards.facts.MAX_STATEMENTS", 3)
    held = world.facts(*(world.self_revocation(cards.IdentityKey(bytes([n]) * 32)) for n in range(3)))
    assert refused(world, world.self_revocation(world.mallory), held) == "too-large"
    world.facts(world.retirement(world.issuer), held=held)
