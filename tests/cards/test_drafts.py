"""Drafts: one body that goes from signer to signer, and is the statement when the last of them has signed."""

import pytest

import cards
from cards.draft import DRAFTS
from tests.cards.conftest import pack

A, B, C = (cards.IssuerKey(f"issuer {name}".encode().ljust(32)) for name in "abc")


def values(world, kind, *by, **changes):
    common = {"net": world.network, "iat": world.now - 100, "by": sorted(key.public for key in by)}
    if kind is cards.Manifest:
        return common | {"ver": 1, "thr": 2, "iss": sorted([A.public, B.public])} | changes
    return common | {"iss": C.public, "reason": "lost"} | changes


KINDS = list(DRAFTS.values())


@pytest.fixture(params=KINDS, ids=[kind.what for kind in KINDS])
def draft(world, request):
    return cards.Draft.make(request.param, values(world, request.param, A, B))


def test_a_draft_that_all_have_signed_is_the_statement(world, draft):
    kind = type(draft.statement)
    assert (set(draft.missing), draft.whole) == ({A.public, B.public}, None)
    half = cards.Draft.parse(draft.label, draft.sign(B).raw)
    assert (half.missing, half.whole) == ((A.public,), None)
    signers = sorted((A, B), key=lambda one: one.public)
    assert half.sign(A).raw == half.sign(A).whole.raw == kind.make(values(world, kind, A, B), *signers).raw


def test_no_order_of_signing_makes_another_statement(draft):
    assert draft.sign(A).sign(B) == draft.sign(B).sign(A)


def test_nobody_signs_twice_and_no_stranger_at_all(draft):
    for signed, key, text in ((draft.sign(A), A, "has signed this already"), (draft, C, "none of those who")):
        with pytest.raises(cards.CardError, match=text) as caught:
            signed.sign(key)
        assert caught.value.code == draft.statement.invalid


def check(world, draft, **options):
    finding = draft.check(**({"network": world.network, "now": world.now, "leeway": 300} | options))
    return finding and finding.code


def test_every_signature_of_a_draft_is_checked_and_none_that_is_to_come(world, draft):
    assert [check(world, one) for one in (draft, draft.sign(A), draft.sign(A).sign(B))] == [None] * 3
    for number in (0, 1):
        forged = [one if at == number else b"" for at, one in enumerate([bytes(64)] * 2)]
        read = cards.Draft.parse(draft.label, pack([1, draft.statement.body, *forged]))
        assert check(world, read) == draft.statement.invalid


def test_a_draft_of_another_network_or_from_the_future_is_told(world, draft):
    assert check(world, draft, network="other-net") == "wrong-network"
    assert check(world, draft, now=world.now - 401) == "not-yet-valid"


def test_a_draft_is_no_statement(world, draft):
    with pytest.raises(cards.CardError, match="which not all have signed") as caught:
        cards.parse_fact(draft.label, draft.raw)
    assert (caught.value.code, caught.value.finding.exit) == (draft.statement.invalid, 4)
    with pytest.raises(cards.CardError):
        cards.parse_fact(draft.statement.label, draft.raw)
    held = world.facts()
    after, finding = held.add(
        draft.statement, policy=cards.Policy(network=world.network, issuers={"a": C.public}), now=world.now
    )
    assert (after is held, finding is not None) == (True, True)


def test_a_statement_without_its_signatures_is_not_taken(world):
    unsigned = cards.Retirement.of_body(world.retirement(world.issuer).body)
    held = world.facts()
    after, finding = held.add(unsigned, policy=world.policy, now=world.now)
    assert (after is held, finding.code) == (True, "retirement-invalid")


def test_a_draft_cut_at_any_byte_is_truncated(draft):
    raw = draft.sign(A).raw
    for end in range(len(raw)):
        with pytest.raises(cards.CardError) as caught:
            cards.Draft.parse(draft.label, raw[:end])
        assert caught.value.code == "truncated", end


FORMS = [
    ("a byte after the end", lambda d: d.raw + b"\0", "trailing-data"),
    ("too many bytes", lambda d: d.raw.ljust(4_097, b"\0"), "too-large"),
    ("a map", lambda _d: b"\x80", "malformed"),
    ("no place for signatures", lambda d: pack([1, d.statement.body]), "malformed"),
    ("a place less", lambda d: pack([1, d.statement.body, b""]), "malformed"),
    ("a place more", lambda d: pack([1, d.statement.body, b"", b"", b""]), "malformed"),
    ("a signature of 63 bytes", lambda d: pack([1, d.statement.body, b"", bytes(63)]), "malformed"),
    ("no signature as nil", lambda d: pack([1, d.statement.body, b"", None]), "malformed"),
    ("no signature as text", lambda d: pack([1, d.statement.body, b"", ""]), "malformed"),
    ("version 2", lambda d: pack([2, d.statement.body, b"", b""]), "unsupported-version"),
    ("body as text", lambda _d: pack([1, "body", b"", b""]), "malformed"),
    ("another kind's body", lambda d: pack([1, d.statement.body.replace(b"\xa3iss", b"\xa3key"), b"", b""]), None),
]


@pytest.mark.parametrize(("make", "code"), [pytest.param(make, code, id=name) for name, make, code in FORMS])
def test_what_is_not_a_draft_is_refused_by_name(draft, make, code):
    with pytest.raises(cards.CardError) as caught:
        cards.Draft.parse(draft.label, make(draft))
    assert caught.value.code == code or code is None


def test_what_nobody_would_accept_cannot_be_drafted(world):
    with pytest.raises(cards.CardError, match="1 of its own issuers sign it, 2 needed") as caught:
        cards.Draft.make(cards.Manifest, values(world, cards.Manifest, A, C))
    assert caught.value.code == "manifest-invalid"


def test_whoever_holds_the_key_elsewhere_can_sign(draft):
    class Agent:
        public = A.public

        def sign(self, message):
            return A.sign(message)

    assert draft.sign(Agent()) == draft.sign(A)
