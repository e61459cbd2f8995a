"""Each guard proven to guard: the attack fails, and succeeds as soon as that one check is taken away."""

import pytest

import cards
from cards import keys, revocation, statements, verification

IDENTITY_POINT = b"\x01" + bytes(31)
CONSTANT = IDENTITY_POINT + bytes(32)  # R the identity point, S = 0


def codes(verdict):
    return [finding.code for finding in verdict.errors]


def card_of_nobody(world):
    """A card under the identity point as key: one constant signature fits every message, so anybody may sign for it."""
    body = world.card.body.replace(world.identity.public, IDENTITY_POINT)
    node = world.node_sign(world.message("card.node", b"example-net", IDENTITY_POINT, world.node.public))
    return world.envelope(body, key=CONSTANT, node=node)


def test_a_card_under_a_key_that_nobody_owns_is_refused(world):
    assert codes(world.verify(card_of_nobody(world))) == ["weak-key"]


def test_without_point_screening_anybody_signs_for_the_key_that_nobody_owns(world, monkeypatch):
    monkeypatch.setattr(statements, "ENGINE", "cryptography")  # libsodium has a screen of its own
    monkeypatch.setattr(keys, "is_sound_point", lambda _encoded: True)
    monkeypatch.setattr(statements, "is_sound_point", lambda _encoded: True)
    assert world.verify(card_of_nobody(world)).ok


def test_screening_the_key_where_signatures_are_verified_is_enough_by_itself(world, monkeypatch):
    monkeypatch.setattr(keys, "is_sound_point", lambda _encoded: True)
    assert codes(world.verify(card_of_nobody(world))) == ["key-signature-invalid"]


def node_id_of_no_secret(world):
    """A Node ID of low order: every handshake with it has the same secret, so anybody holds it."""
    return world.card.body.replace(world.node.public, bytes(32))


def test_a_node_id_of_low_order_is_refused(world):
    assert codes(world.verify(world.envelope(node_id_of_no_secret(world)))) == ["bad-node-id"]


def test_without_the_check_of_node_ids_the_low_order_one_is_parsed(world, monkeypatch):
    monkeypatch.setattr(keys, "is_sound_u", lambda _encoded: True)
    assert "bad-node-id" not in codes(world.verify(world.envelope(node_id_of_no_secret(world))))


def stolen_node(world):
    """Mallory's identity over our Node ID, granted by a careless issuer: to dial her would be to reach us."""
    body = world.card.body.replace(world.identity.public, world.mallory.public)
    key = world.mallory.sign(world.message("card.key", body))
    return world.envelope(body, key=key, node=world.card.node_signature)


def without_checking(context):
    """A `verify` that takes every signature of this context for good."""
    real = statements.SignatureCache.verify

    def verify(self, key, signature, message):
        return message.startswith(context.encode() + b"\0") or real(self, key, signature, message)

    return verify


def test_a_card_over_anothers_node_is_refused(world):
    assert codes(world.verify(stolen_node(world))) == ["node-signature-invalid"]


def test_without_the_node_signature_mallory_claims_our_node(world, monkeypatch):
    monkeypatch.setattr(statements.SignatureCache, "verify", without_checking(statements.CARD_NODE))
    verdict = world.verify(stolen_node(world))
    assert verdict.ok
    assert (verdict.claim.identity, verdict.claim.node_id) == (world.mallory.public, world.node.public)


def test_without_the_key_signature_a_changed_body_is_believed(world, monkeypatch):
    body = world.card.body.replace(b"db-03", b"db-99")
    raw = world.envelope(body, key=world.card.key_signature)
    assert codes(world.verify(raw)) == ["key-signature-invalid"]
    monkeypatch.setattr(statements.SignatureCache, "verify", without_checking(statements.CARD_KEY))
    assert world.verify(raw).ok


def test_without_the_app_signature_everybody_is_an_admin(world, monkeypatch):
    body = world.card.body
    raw = world.envelope(
        body, grants=[world.app(body, issuer=world.mallory_issuer, kid=world.issuer.public.hint, grp=["admins"])]
    )
    assert codes(world.verify(raw)) == ["app-signature-invalid", "threshold"]
    monkeypatch.setattr(statements.SignatureCache, "verify", without_checking(statements.CARD_APP))
    assert world.verify(raw).groups == ("admins",)


def framed(*, context=True, lengths=True):
    """`frame` with a part of it taken away."""

    def frame(name, *parts):
        head = name.encode() + b"\0" if context else b""
        return head + b"".join((len(part).to_bytes(4, "big") if lengths else b"") + part for part in parts)

    return frame


@pytest.fixture(params=[True, False], ids=["guarded", "unguarded"])
def guarded(request):
    return request.param


def test_only_the_context_keeps_a_signature_for_another_purpose_from_being_a_key_signature(world, monkeypatch, guarded):
    frame = framed(context=guarded)
    monkeypatch.setattr(verification, "frame", frame)
    body = world.card.body
    back = frame(statements.CARD_NODE, b"example-net", world.identity.public, world.node.public)
    kid, attrs, _ = world.app(body)
    raw = world.envelope(
        body,
        key=world.identity.sign(frame(statements.RECORD, body)),
        node=world.node_sign(back),
        grants=[[kid, attrs, world.issuer.sign(frame(statements.CARD_APP, body, attrs))]],
    )
    verdict = world.verify(raw)
    assert codes(verdict) == (["key-signature-invalid"] if guarded else [])


def test_only_the_lengths_keep_a_byte_from_moving_between_body_and_attrs(world, monkeypatch, guarded):
    frame = framed(lengths=guarded)
    monkeypatch.setattr(verification, "frame", frame)
    body = world.card.body
    kid, attrs, _ = world.app(body)
    moved = world.issuer.sign(frame(statements.CARD_APP, body[:-1], body[-1:] + attrs))
    back = frame(statements.CARD_NODE, b"example-net", world.identity.public, world.node.public)
    raw = world.envelope(
        body,
        key=world.identity.sign(frame(statements.CARD_KEY, body)),
        node=world.node_sign(back),
        grants=[[kid, attrs, moved]],
    )
    assert codes(world.verify(raw)) == (["app-signature-invalid", "threshold"] if guarded else [])


def test_only_the_static_key_keeps_mallory_from_showing_our_card(world, guarded):
    proven = world.mallory_node.public if guarded else None
    verdict = world.verify(world.raw, peer_static=proven and bytes(proven))
    assert codes(verdict) == (["node-mismatch"] if guarded else [])


def test_only_the_mark_keeps_a_card_of_a_lost_node_key_from_coming_back(world, guarded):
    lost = world.raw
    new = world.make_card(node=world.mallory_node, sequence=8)
    verdict = world.verify(lost, mark=cards.Mark(8, new.card_id) if guarded else None)
    assert codes(verdict) == (["rollback"] if guarded else [])


def test_only_the_older_lists_keep_an_issuer_from_quietly_taking_a_revocation_back(world, monkeypatch, guarded):
    if not guarded:
        monkeypatch.setattr(revocation, "_needed", lambda _lists, _newer, _now: ())
    first = world.make_list(entries=[world.entry(world.identity.public)])
    held = world.holding(first, world.make_list(sequence=2), world.make_list(world.second))
    assert codes(world.verify(world.raw, facts=cards.Facts(held))) == (["revoked", "threshold"] if guarded else [])


def test_only_verify_card_makes_a_proof(world):
    with pytest.raises(TypeError, match="verify_card alone"):
        cards.VerifiedCard(world.card, object())
    assert isinstance(world.verify(world.raw).card, cards.VerifiedCard)


def test_a_signature_cache_remembers_that_a_signature_is_false(world, monkeypatch):
    asked = []
    monkeypatch.setattr(statements, "verify", lambda *case: bool(asked.append(case)))
    cache = cards.SignatureCache()
    assert [cache.verify(world.identity.public, bytes(64), b"m") for _ in range(3)] == [False] * 3
    assert len(asked) == 1


def test_a_signature_cache_forgets_the_oldest_beyond_its_limit(world, monkeypatch):
    asked = []
    monkeypatch.setattr(statements, "verify", lambda *case: asked.append(case) or True)
    cache = cards.SignatureCache(limit=2)
    for message in (b"a", b"b", b"c", b"b", b"a"):
        assert cache.verify(world.identity.public, bytes(64), message)
    assert [message for *_, message in asked] == [b"a", b"b", b"c", b"a"]


def test_a_hurried_check_spends_nothing_on_signatures_once_an_error_is_found(world, monkeypatch):
    monkeypatch.setattr(statements.SignatureCache, "verify", lambda *_case: pytest.fail("a signature was verified"))
    assert codes(world.verify(world.envelope(net="other-net"), thorough=False)) == ["wrong-network"]
    assert codes(world.verify(world.make_card().raw, thorough=False)) == ["threshold"]
