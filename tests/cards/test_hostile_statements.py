"""Hostile statements: delegations, successions, endings, manifests and conflicts that are not quite what they claim."""

import msgpack
import pytest

import cards
from cards.facts import KINDS

KEYS = {"delegation": 1, "succession": 2, "self-revocation": 1, "retirement": 1, "manifest": 2}  # how many sign each
LABELS = {kind: kind.upper() for kind in KEYS}
INVALID = {
    "delegation": "delegation-invalid",
    "succession": "succession-invalid",
    "self-revocation": "revocation-invalid",
    "retirement": "retirement-invalid",
    "manifest": "manifest-invalid",
}


def parse(kind, raw):
    return cards.parse_fact(LABELS[kind], raw)


def body_of(world, kind):
    return world.parts(world.statement(kind))[1]


def backwards(world, kind):
    return msgpack.packb(dict(reversed(msgpack.unpackb(body_of(world, kind)).items())))


FORMS = [
    ("empty", lambda _w, _k: b"", "truncated"),
    ("a byte after the end", lambda w, k: w.statement(k) + b"\0", "trailing-data"),
    ("too many bytes", lambda w, k: w.statement(k).ljust(4_097, b"\0"), "too-large"),
    ("a map", lambda _w, _k: b"\x80", "malformed"),
    ("no signature", lambda w, k: w.statement(k, signatures=[]), "malformed"),
    ("a signature more", lambda w, k: w.statement(k, signatures=[bytes(64)] * (KEYS[k] + 1)), "malformed"),
    ("a signature of 63 bytes", lambda w, k: w.statement(k, signatures=[bytes(63)] * KEYS[k]), "malformed"),
    ("version 2", lambda w, k: msgpack.packb([2, *w.parts(w.statement(k))[1:]]), "unsupported-version"),
    ("version 2 inside", lambda w, k: w.statement(k, v=2), "unsupported-version"),
    ("body as text", lambda w, k: msgpack.packb([1, "body", *w.parts(w.statement(k))[2:]]), "malformed"),
    ("body not a map", lambda w, k: w.statement(k, body=b"\x90"), "malformed"),
    ("body followed by a byte", lambda w, k: w.statement(k, body=body_of(w, k) + b"\0"), "trailing-data"),
    ("keys unsorted", lambda w, k: w.statement(k, body=backwards(w, k)), "not-deterministic"),
    ("an unknown field", lambda w, k: w.statement(k, more=1), "unknown-field"),
    ("an extension", lambda w, k: w.statement(k, ext={"x-a": 1}), "unknown-field"),
    ("no network", lambda w, k: w.statement(k, net=None), "missing-field"),
    ("network in upper case", lambda w, k: w.statement(k, net="Net"), "bad-name"),
    ("iat -1", lambda w, k: w.statement(k, iat=-1), "out-of-range"),
]


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize(("make", "code"), [pytest.param(make, code, id=name) for name, make, code in FORMS])
def test_what_is_not_a_statement_is_refused_by_name(world, kind, make, code):
    with pytest.raises(cards.CardError) as caught:
        parse(kind, make(world, kind))
    assert (caught.value.code, caught.value.finding.exit) == (code, 3)


@pytest.mark.parametrize("kind", KEYS)
def test_a_statement_cut_at_any_byte_is_truncated(world, kind):
    raw = world.statement(kind)
    assert parse(kind, raw).raw == raw
    for end in range(len(raw)):
        with pytest.raises(cards.CardError) as caught:
            parse(kind, raw[:end])
        assert caught.value.code == "truncated", end


@pytest.mark.parametrize("kind", KEYS)
def test_a_statement_of_another_kind_is_refused(world, kind):
    for other in KEYS:
        if other != kind:
            with pytest.raises(cards.CardError):
                parse(kind, world.statement(other))


def test_a_block_of_an_unknown_label_is_armor_invalid(world):
    with pytest.raises(cards.CardError, match="DELEGATION, SUCCESSION") as caught:
        cards.parse_fact("CARD", world.raw)
    assert caught.value.code == "armor-invalid"


VALUES = [
    *[
        (f"pattern {text!r}", "delegation", {"name": [text]}, "malformed")
        for text in (
            "*",
            "a.*",
            "*example",
            "*.",
            "*.*.example",
            "a..b",
            ".example",
            "example.",
            "*.A",
            "a b",
            "",
            "**.a",
        )
    ],
    ("pattern that is a number", "delegation", {"name": [1]}, "malformed"),
    ("pattern of 65", "delegation", {"name": ["*." + "a" * 63]}, "malformed"),
    ("patterns empty", "delegation", {"name": []}, "malformed"),
    ("patterns unsorted", "delegation", {"name": ["b", "a"]}, "not-deterministic"),
    ("17 patterns", "delegation", {"name": [f"a{n:02}" for n in range(17)]}, "malformed"),
    ("groups twice", "delegation", {"grp": ["a", "a"]}, "not-deterministic"),
    ("lifetime 0", "delegation", {"ttl": 0}, "out-of-range"),
    ("path 3", "delegation", {"path": 3}, "chain-too-long"),
    ("path -1", "delegation", {"path": -1}, "out-of-range"),
    ("path True", "delegation", {"path": True}, "malformed"),
    ("no path", "delegation", {"path": None}, "missing-field"),
    ("ends before it begins", "delegation", {"nbf": 9, "exp": 9}, "bad-validity"),
    ("for eleven years", "delegation", {"nbf": 1, "exp": 11 * 365 * 86400}, "bad-validity"),
    ("an issuer of low order", "delegation", {"iss": bytes(32)}, "weak-key"),
    ("a delegate of low order", "delegation", {"key": bytes(32)}, "weak-key"),
    ("a delegate of 31 bytes", "delegation", {"key": bytes(31)}, "malformed"),
    ("an old key of low order", "succession", {"old": bytes(32)}, "weak-key"),
    ("a new key of low order", "succession", {"new": bytes(32)}, "weak-key"),
    ("no new key", "succession", {"new": None}, "missing-field"),
    ("an identity of low order", "self-revocation", {"key": bytes(32)}, "weak-key"),
    ("a reason in upper case", "self-revocation", {"reason": "Lost"}, "bad-name"),
    ("an issuer of low order", "retirement", {"iss": bytes(32)}, "weak-key"),
    ("a reason of 33", "retirement", {"reason": "a" * 33}, "bad-name"),
    ("nobody who retires it", "retirement", {"by": []}, "malformed"),
    ("17 who retire it", "retirement", {"by": [bytes([9, n]) * 16 for n in range(17)]}, "malformed"),
    ("low order who retires it", "retirement", {"by": [bytes(32)]}, "weak-key"),
    ("version 0", "manifest", {"ver": 0}, "out-of-range"),
    ("threshold 0", "manifest", {"thr": 0}, "out-of-range"),
    ("more asked for than signed", "manifest", {"thr": 3}, "manifest-invalid"),
    ("no issuers", "manifest", {"iss": []}, "malformed"),
    ("an issuer of 31 bytes", "manifest", {"iss": [bytes(31)]}, "malformed"),
    ("an issuer of low order", "manifest", {"iss": [bytes(32)]}, "weak-key"),
    ("17 issuers", "manifest", {"iss": [bytes([9, n]) * 16 for n in range(17)]}, "malformed"),
]


@pytest.mark.parametrize(
    ("kind", "changes", "code"),
    [pytest.param(kind, changes, code, id=f"{kind}: {name}") for name, kind, changes, code in VALUES],
)
def test_a_statement_that_says_what_nobody_may_say_is_refused_by_name(world, kind, changes, code):
    with pytest.raises(cards.CardError) as caught:
        parse(kind, world.statement(kind, **changes))
    assert caught.value.code == code


def test_nobody_delegates_to_themselves(world):
    own = bytes(world.issuer.public)
    with pytest.raises(cards.CardError) as caught:
        parse("delegation", world.statement("delegation", key=own))
    assert (caught.value.code, caught.value.finding.exit) == ("chain-too-long", 5)


def test_nobody_succeeds_themselves(world):
    own = bytes(world.identity.public)
    with pytest.raises(cards.CardError) as caught:
        parse("succession", world.statement("succession", new=own))
    assert (caught.value.code, caught.value.finding.exit) == ("succession-invalid", 4)


def test_manifests_list_their_issuers_and_signers_in_order(world):
    values = msgpack.unpackb(body_of(world, "manifest"))
    for field in ("iss", "by"):
        with pytest.raises(cards.CardError) as caught:
            parse("manifest", world.statement("manifest", **{field: values[field][::-1]}))
        assert caught.value.code == "not-deterministic"


def test_an_issuer_is_not_among_the_others_who_retire_it(world):
    own = bytes(world.issuer.public)
    with pytest.raises(cards.CardError, match="ends itself alone, or others do") as caught:
        parse("retirement", world.statement("retirement", by=[own]))
    assert (caught.value.code, caught.value.finding.exit) == ("retirement-invalid", 4)


def test_others_who_retire_an_issuer_are_listed_in_order(world):
    by = sorted([bytes(world.second.public), bytes(world.mallory_issuer.public)], reverse=True)
    with pytest.raises(cards.CardError) as caught:
        parse("retirement", world.statement("retirement", by=by))
    assert caught.value.code == "not-deterministic"


def test_the_largest_manifest_and_retirement_that_can_be_made_are_taken(world):
    keys = sorted((cards.IssuerKey(bytes([n]) * 32) for n in range(1, 34)), key=lambda one: one.public)
    values = {"net": "n" * 32, "iat": world.now}
    most = {
        "ver": 2**53 - 1,
        "thr": 16,
        "iss": [one.public for one in keys[:16]],
        "by": [one.public for one in keys[:32]],
    }
    manifest = cards.Manifest.make(values | most, *keys[:32])
    assert cards.Manifest.parse(manifest.raw) == manifest
    by = [one.public for one in keys[:16]]
    ended = cards.Retirement.make(values | {"iss": keys[32].public, "reason": "r" * 32, "by": by}, *keys[:16])
    assert cards.Retirement.parse(ended.raw) == ended


# Signatures.


def check(world, kind, raw, **options):
    options = {"network": world.network, "now": world.now, "leeway": 300} | options
    return parse(kind, raw).check(**options)


def signed_by_mallory(world, kind, number):
    """The signature number `number` by another key, the others as they should be."""
    raw = world.statement(kind)
    _, body, *signatures = world.parts(raw)
    signatures[number] = world.mallory_issuer.sign(world.message(kind, body))
    return world.statement(kind, signatures=signatures)


EVERY_SIGNATURE = [(kind, number) for kind, count in KEYS.items() for number in range(count)]


@pytest.mark.parametrize(("kind", "number"), EVERY_SIGNATURE)
def test_each_signature_of_a_statement_is_checked(world, kind, number):
    assert check(world, kind, world.statement(kind)) is None
    finding = check(world, kind, signed_by_mallory(world, kind, number))
    assert (finding.code, finding.exit) == (INVALID[kind], 4)


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("sign", ["bare", "card.key", "card.app", "revocation", "zeros"])
def test_a_signature_for_something_else_makes_no_statement(world, kind, sign):
    _, signers = world._statements()[kind]
    body = body_of(world, kind)
    message = body if sign == "bare" else world.message(sign, body)
    signatures = [bytes(64) if sign == "zeros" else key.sign(message) for key in signers]
    assert check(world, kind, world.statement(kind, signatures=signatures)).code == INVALID[kind]


@pytest.mark.parametrize("kind", KEYS)
def test_signatures_in_another_order_do_not_hold(world, kind):
    signatures = world.parts(world.statement(kind))[2:]
    if len(signatures) > 1:
        assert check(world, kind, world.statement(kind, signatures=signatures[::-1])).code == INVALID[kind]


@pytest.mark.parametrize("kind", KEYS)
def test_a_statement_of_another_network_is_refused_and_not_taken(world, kind):
    raw = world.statement(kind, net="other-net")
    assert check(world, kind, raw).code == "wrong-network"
    held = world.facts()
    assert held.add(parse(kind, raw), policy=world.policy, now=world.now)[0] is held


@pytest.mark.parametrize("kind", KEYS)
def test_a_statement_from_the_future_is_refused_beyond_the_leeway(world, kind):
    assert check(world, kind, world.statement(kind, iat=world.now + 300)) is None
    finding = check(world, kind, world.statement(kind, iat=world.now + 301))
    assert (finding.code, finding.exit) == ("not-yet-valid", 6)


@pytest.mark.parametrize(("kind", "number"), EVERY_SIGNATURE)
def test_facts_take_no_statement_whose_signature_does_not_hold(world, kind, number):
    held = world.facts()
    after, finding = held.add(parse(kind, signed_by_mallory(world, kind, number)), policy=world.policy, now=world.now)
    assert (finding.code, after is held) == (INVALID[kind], True)


@pytest.mark.parametrize("kind", ["delegation", "retirement", "manifest"])
def test_facts_take_nothing_of_issuers_that_the_policy_does_not_know(world, kind):
    stranger = cards.Policy(network=world.network, issuers={"other": world.mallory_issuer.public})
    held = cards.Facts()
    after, finding = held.add(parse(kind, world.statement(kind)), policy=stranger, now=world.now)
    assert (finding.code, finding.exit, after is held) == ("unknown-issuer", 5, True)


@pytest.mark.parametrize("kind", KEYS)
def test_the_same_statement_again_changes_nothing(world, kind):
    held = world.facts(parse(kind, world.statement(kind)))
    assert held.add(parse(kind, world.statement(kind)), policy=world.policy, now=world.now) == (held, None)


def test_the_body_alone_names_a_statement(world):
    one = parse("self-revocation", world.statement("self-revocation"))
    other = parse("self-revocation", world.statement("self-revocation", signatures=[bytes(64)]))
    assert (one, one.digest, hash(one)) == (other, other.digest, hash(other))
    assert one != parse("self-revocation", world.statement("self-revocation", reason="left"))
    assert one != parse("retirement", world.statement("retirement"))


def test_whoever_holds_the_key_elsewhere_can_sign(world):
    """A `Signer` is whatever has a public key and a `sign`: an agent in another process, a token."""

    class Agent:
        public = world.issuer.public

        def sign(self, message):
            return world.issuer.sign(message)

    values = {"net": world.network, "iat": world.now, "iss": world.issuer.public, "reason": "left"}
    made = cards.Retirement.make(values, Agent())
    assert made.check(network=world.network, now=world.now, leeway=0) is None


def test_every_kind_of_statement_is_tested_here():
    assert set(LABELS.values()) | {"CONFLICT"} == KINDS.keys()
