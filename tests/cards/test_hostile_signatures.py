"""Hostile signatures: made by another, for something else, or by nobody at all."""

import pytest

import cards
from cards.edwards import P, edwards_image


def errors(verdict):
    return [finding.code for finding in verdict.errors]


def key_signature(world, change):
    """A granted card whose key signature is what `change` makes of the right one."""
    right = world.identity.sign(world.message("card.key", world.card.body))
    return world.envelope(world.card.body, key=change(right))


def signed_by_identity(world, message, identity=None):
    return world.envelope(world.card.body, key=(identity or world.identity).sign(message))


def node_signature(world, *, node=None, network="example-net", identity=None, node_id=None, context="card.node"):
    """A granted card whose node signature is correct but for what is given."""
    parts = (network.encode(), (identity or world.identity).public, node_id or world.node.public)
    return world.envelope(node=world.node_sign(world.message(context, *parts), node))


def app_signature(world, *parts, attrs=None, issuer=None, context="card.app"):
    """A card with one grant that claims our issuer, signed over `parts`."""
    attrs = attrs or world.attrs
    signature = (issuer or world.issuer).sign(world.message(context, *parts))
    return world.envelope(world.card.body, grants=[[world.issuer.public.hint, attrs, signature]])


def plus_order(world, signature):
    return signature[:32] + (int.from_bytes(signature[32:], "little") + world.order).to_bytes(32, "little")


def mallory_claims_our_node(world, node):
    body = world.make_card(world.mallory, world.mallory_node).body.replace(world.mallory_node.public, world.node.public)
    return world.envelope(body, key=world.mallory.sign(world.message("card.key", body)), node=node)


def own_binding(world):
    return world.mallory_node.sign_binding(world.network, world.mallory.public)


def another_card_of_the_owner(world):
    return world.make_card(sequence=8)


KEY, NODE = ["key-signature-invalid"], ["node-signature-invalid"]
APP = ["app-signature-invalid", "threshold"]

CASES = [
    ("S + L", lambda w: key_signature(w, lambda s: plus_order(w, s)), KEY, 4),
    ("R of low order", lambda w: key_signature(w, lambda s: b"\1" + bytes(31) + s[32:]), KEY, 4),
    ("R not canonical", lambda w: key_signature(w, lambda s: b"\xff" * 32 + s[32:]), KEY, 4),
    ("key signature of zeros", lambda w: key_signature(w, lambda _s: bytes(64)), KEY, 4),
    (
        "key signature by another",
        lambda w: signed_by_identity(w, w.message("card.key", w.card.body), w.mallory),
        KEY,
        4,
    ),
    ("key signature over the bare body", lambda w: signed_by_identity(w, w.card.body), KEY, 4),
    ("record signature as key signature", lambda w: signed_by_identity(w, w.message("record", w.card.body)), KEY, 4),
    ("card id signed as key signature", lambda w: signed_by_identity(w, w.message("card.id", w.card.body)), KEY, 4),
    ("app signature as key signature", lambda w: key_signature(w, lambda _s: w.card.grants[0].signature), KEY, 4),
    ("app context as key signature", lambda w: signed_by_identity(w, w.message("card.app", w.card.body, b"")), KEY, 4),
    ("node signature by another node", lambda w: node_signature(w, node=w.mallory_node), NODE, 9),
    ("node signature for another identity", lambda w: node_signature(w, identity=w.mallory), NODE, 9),
    ("node signature for another network", lambda w: node_signature(w, network="other-net"), NODE, 9),
    ("node signature for another node", lambda w: node_signature(w, node_id=w.mallory_node.public), NODE, 9),
    ("node signature of another purpose", lambda w: node_signature(w, context="record"), NODE, 9),
    ("record signature as node signature", lambda w: w.envelope(node=w.node.sign_record(w.card.body)), NODE, 9),
    ("node signature of zeros", lambda w: w.envelope(node=bytes(64)), NODE, 9),
    (
        "our node claimed with a copied node signature",
        lambda w: mallory_claims_our_node(w, w.card.node_signature),
        NODE,
        9,
    ),
    ("our node claimed with her own node's signature", lambda w: mallory_claims_our_node(w, own_binding(w)), NODE, 9),
    ("our node claimed without node signature", lambda w: mallory_claims_our_node(w, b""), ["unproven"], 9),
    ("no node signature", lambda w: w.envelope(node=b""), ["unproven"], 9),
    ("right signatures of another network", lambda w: w.envelope(net="other-net"), ["wrong-network"], 5),
    (
        "a boundary moved between body and attrs",
        lambda w: app_signature(w, w.card.body[:-1], w.card.body[-1:] + w.attrs),
        APP,
        4,
    ),
    ("body and attrs in one part", lambda w: app_signature(w, w.card.body + w.attrs), APP, 4),
    (
        "kid of our issuer, signature of another",
        lambda w: app_signature(w, w.card.body, w.attrs, issuer=w.mallory_issuer),
        APP,
        4,
    ),
    ("a grant over the body alone", lambda w: app_signature(w, w.card.body), APP, 4),
    ("a grant of another purpose", lambda w: app_signature(w, w.card.body, w.attrs, context="card.key"), APP, 4),
    ("a grant of an earlier card", lambda w: app_signature(w, another_card_of_the_owner(w).body, w.attrs), APP, 4),
    (
        "a grant of another's card",
        lambda w: app_signature(w, w.make_card(w.mallory, w.mallory_node).body, w.attrs),
        APP,
        4,
    ),
    ("attrs changed after signing", lambda w: app_signature(w, w.card.body, w.app(b"", sn=2)[1]), APP, 4),
    ("app signature of zeros", lambda w: w.envelope(grants=[[w.issuer.public.hint, w.attrs, bytes(64)]]), APP, 4),
]


@pytest.mark.parametrize(
    ("make", "codes", "exit_code"), [pytest.param(make, codes, exit_, id=name) for name, make, codes, exit_ in CASES]
)
def test_a_signature_that_is_not_the_one_needed_counts_for_nothing(world, make, codes, exit_code):
    raw = make(world)
    verdict = world.verify(raw)

    assert cards.Card.parse(raw).raw == raw  # a claim all the same: well-formed
    assert errors(verdict) == codes
    assert (verdict.level, verdict.exit_code, verdict.groups, verdict.valid_until) == ("reject", exit_code, (), 0)


def test_no_flipped_bit_of_a_body_is_accepted(world):
    raw, start = world.raw, world.raw.index(world.card.body)
    malformed = 0
    for bit in range(8 * len(world.card.body)):
        hostile = bytearray(raw)
        hostile[start + bit // 8] ^= 1 << bit % 8
        verdict = world.verify(bytes(hostile))
        if verdict.claim is None:
            malformed += 1
        else:
            assert "key-signature-invalid" in errors(verdict), bit
        assert verdict.level == "reject", bit
        assert verdict.card is None, bit
    assert 0 < malformed < 8 * len(world.card.body)


def test_a_node_on_the_twist_has_no_signature_and_raises_nothing(world):
    u = next(u for u in range(2, 99) if pow(u**3 + 486662 * u**2 + u, (P - 1) // 2, P) == P - 1)
    node_id = u.to_bytes(32, "little")
    assert cards.NodeId(node_id).signing_key == edwards_image(node_id)
    verdict = world.verify(world.envelope(world.card.body.replace(world.node.public, node_id)))
    assert errors(verdict) == NODE
    assert verdict.exit_code == 9


def test_our_own_grant_keeps_counting_beside_a_forged_one(world):
    body = world.card.body
    forged = world.app(body, issuer=world.mallory_issuer, kid=world.second.public.hint)
    verdict = world.verify(world.envelope(body, grants=[forged, world.app(body)]))
    assert verdict.ok
    assert [finding.code for finding in verdict.findings] == ["app-signature-invalid"]


def test_a_collision_of_two_issuers_hints_hides_neither(world, monkeypatch):
    monkeypatch.setattr(cards.IssuerId, "hint", property(lambda _self: bytes(8)))
    body = world.card.body
    for issuer in (world.issuer, world.second):
        verdict = world.verify(world.envelope(body, grants=[world.app(body, issuer=issuer)]))
        assert verdict.issuers == (issuer.public,)


def test_an_identity_key_is_no_issuer_of_its_own_card(world):
    body = world.card.body
    granted = world.envelope(body, grants=[world.app(body, issuer=cards.IssuerKey(world.identity._seed))])
    verdict = world.verify(granted)
    assert (errors(verdict), verdict.level, verdict.exit_code) == (["threshold"], "known", 5)


RECORDS = [
    ("signed by another node", lambda w, body: w.mallory_node.sign_record(body)),
    ("a card's context", lambda w, body: w.node_sign(w.message("card.node", body))),
    ("the bare record", lambda w, body: w.node_sign(body)),
    ("zeros", lambda _w, _body: bytes(64)),
]


@pytest.mark.parametrize("sign", [pytest.param(sign, id=name) for name, sign in RECORDS])
def test_an_address_record_that_its_node_did_not_sign_is_record_invalid(world, sign):
    good = cards.make_record(world.node, network=world.network, addresses=["[::1]:1"], sequence=1, now=world.now)
    hostile = cards.AddressRecord.from_parts(good.body, sign(world, good.body))
    options = {"network": world.network, "now": world.now, "leeway": 300}
    assert good.check(**options) is None
    finding = hostile.check(**options)
    assert (finding.code, finding.exit) == ("record-invalid", 4)


LISTS = [
    ("signed by another issuer", lambda w, head: w.mallory_issuer.sign(w.message("revocation", head))),
    ("signed by the other issuer of the policy", lambda w, head: w.second.sign(w.message("revocation", head))),
    ("another context", lambda w, head: w.issuer.sign(w.message("card.app", head))),
    ("zeros", lambda _w, _head: bytes(64)),
]


@pytest.mark.parametrize("sign", [pytest.param(sign, id=name) for name, sign in LISTS])
def test_a_list_that_its_issuer_did_not_sign_is_revocation_invalid_and_changes_nothing(world, sign):
    good = world.make_list(entries=[world.entry(world.identity.public)])
    hostile = cards.RevocationList.parse(good.raw.replace(good.signature, sign(world, good.head)))
    held = cards.Revocations()
    after, finding = world.add(held, hostile)
    assert (finding.code, finding.exit) == ("revocation-invalid", 4)
    assert after is held


def test_a_page_that_the_head_does_not_name_is_revocation_invalid(world):
    mine = world.make_list(entries=[world.entry(world.identity.public)])
    other = world.make_list(entries=[world.entry(world.mallory.public)])
    page, other_page = (world.parts(one.raw)[3][0] for one in (mine, other))
    with pytest.raises(cards.CardError) as caught:
        cards.RevocationList.parse(mine.raw.replace(page, other_page))
    assert caught.value.code == "revocation-invalid"
