"""Hostile values: fields of a right form that say what nobody may say."""

import msgpack
import pytest

import cards
from cards.codec import MAX_INT
from cards.edwards import P, edwards_image

YEAR = 365 * 86400
LOW_ORDER_U = [  # RFC 7748, section 6.1, and their second encodings below 2^255
    0,
    1,
    P - 1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
]


def little(number):
    return number.to_bytes(32, "little")


def body_of(world, **changes):
    return world.envelope(msgpack.packb(world.fields(**changes)))


NAMES = {
    "NUL in the name": "a\0b",
    "newline in the name": "a\nb",
    "escape in the name": "a\x1bb",
    "right-to-left mark in the name": "a\u200fb",
    "decomposed name": "cafe\u0301",
    "accented name": "caf\u00e9",
    "lookalike in the name": "\u0430gent",
    "upper case in the name": "Agent",
    "blank in the name": "a b",
    "slash in the name": "a/b",
    "name of 65": "a" * 65,
    "empty name": "",
}
VALUES = [
    *[(name, {"name": text}, "bad-name") for name, text in NAMES.items()],
    ("network of 33", {"net": "a" * 33}, "bad-name"),
    ("empty network", {"net": ""}, "bad-name"),
    ("a name that is binary", {"name": b"db"}, "malformed"),
    ("an unknown field", {"nick": "db"}, "unknown-field"),
    *[(f"no field {name}", {name: None}, "missing-field") for name in ("v", "net", "key", "node", "seq", "iat", "exp")],
    ("no field nbf", {"nbf": None}, "missing-field"),
    ("seq 0", {"seq": 0}, "out-of-range"),
    ("seq -1", {"seq": -1}, "out-of-range"),
    ("seq 2^53", {"seq": MAX_INT + 1}, "out-of-range"),
    ("seq 2^64-1", {"seq": 2**64 - 1}, "out-of-range"),
    ("seq True", {"seq": True}, "malformed"),
    ("iat -1", {"iat": -1}, "out-of-range"),
    ("iat as text", {"iat": "now"}, "malformed"),
    ("exp equal to nbf", {"nbf": 1000, "exp": 1000}, "bad-validity"),
    ("exp before nbf", {"nbf": 1000, "exp": 999}, "bad-validity"),
    ("valid for 11 years", {"nbf": 1000, "exp": 1000 + 11 * YEAR}, "bad-validity"),
    ("identity key of 31 bytes", {"key": bytes(31)}, "malformed"),
    ("identity key of 33 bytes", {"key": bytes(33)}, "malformed"),
    ("identity key as text", {"key": "a" * 32}, "malformed"),
    ("identity key with y at least p", {"key": little(P + 3)}, "weak-key"),
    ("identity key of all ones", {"key": b"\xff" * 32}, "weak-key"),
    ("node p + 9, an alias of 9", {"node": little(P + 9)}, "bad-node-id"),
    ("node of all ones", {"node": b"\xff" * 32}, "bad-node-id"),
    *[(f"node of low order {u:.3g}", {"node": little(u)}, "bad-node-id") for u in LOW_ORDER_U],
    ("node of 31 bytes", {"node": bytes(31)}, "malformed"),
    ("previous of 31 bytes", {"prev": bytes(31)}, "malformed"),
    ("previous empty", {"prev": b""}, "malformed"),
    ("next of 33 bytes", {"next": bytes(33)}, "malformed"),
    ("critical without extensions", {"crit": ["x-a"]}, "malformed"),
    ("critical names an absent extension", {"crit": ["x-a"], "ext": {"x-b": 1}}, "malformed"),
    ("critical empty", {"crit": [], "ext": {"x-a": 1}}, "malformed"),
    ("unknown critical extension", {"crit": ["x-a"], "ext": {"x-a": 1}}, "unknown-critical"),
    ("critical unsorted", {"crit": ["x-b", "x-a"], "ext": {"x-a": 1, "x-b": 1}}, "not-deterministic"),
    ("critical twice", {"crit": ["x-a", "x-a"], "ext": {"x-a": 1}}, "not-deterministic"),
    ("extensions of 257 bytes", {"ext": {"x-a": bytes(250)}}, "too-large"),
    ("extensions empty", {"ext": {}}, "malformed"),
    ("extension without x-", {"ext": {"a": 1}}, "unknown-field"),
    ("control character in an extension", {"ext": {"x-a": "\x07"}}, "bad-name"),
    ("unassigned character in an extension", {"ext": {"x-a": "\u0378"}}, "bad-name"),
    ("nil in an extension", {"ext": {"x-a": [None]}}, "malformed"),
]


@pytest.mark.parametrize(("changes", "code"), [pytest.param(changes, code, id=name) for name, changes, code in VALUES])
def test_a_body_that_says_what_nobody_may_say_is_refused_by_name(world, changes, code):
    raw = body_of(world, **changes)
    with pytest.raises(cards.CardError) as caught:
        cards.Card.parse(raw)
    verdict = world.verify(raw)

    assert caught.value.code == code
    assert [finding.code for finding in verdict.findings] == [code]
    assert (verdict.level, verdict.exit_code, verdict.card) == ("reject", 3, None)


ATTRS = [
    ("serial 0", {"sn": 0}, "out-of-range"),
    ("no position", {"pos": None}, "missing-field"),
    ("position of 15 bytes", {"pos": bytes(15)}, "malformed"),
    ("groups unsorted", {"grp": ["b", "a"]}, "not-deterministic"),
    ("groups twice", {"grp": ["a", "a"]}, "not-deterministic"),
    ("groups empty", {"grp": []}, "malformed"),
    ("17 groups", {"grp": [f"g{i:02}" for i in range(17)]}, "malformed"),
    ("group of 33", {"grp": ["a" * 33]}, "bad-name"),
    ("group that is a number", {"grp": [1]}, "malformed"),
    ("capability in upper case", {"cap": ["Root"]}, "bad-name"),
    ("valid for 11 years", {"exp": 2_200_000_000}, "bad-validity"),
    ("unknown critical extension", {"crit": ["x-a"], "ext": {"x-a": 1}}, "unknown-critical"),
]


@pytest.mark.parametrize(("changes", "code"), [pytest.param(changes, code, id=name) for name, changes, code in ATTRS])
def test_attrs_that_say_what_nobody_may_say_are_refused_by_name(world, changes, code):
    body = world.card.body
    raw = world.envelope(body, grants=[world.app(body, **changes)])
    with pytest.raises(cards.CardError) as caught:
        cards.Card.parse(raw)
    assert (caught.value.code, world.verify(raw).exit_code) == (code, 3)


def test_every_torsion_point_and_second_form_of_one_is_a_weak_identity_key(world, torsion):
    assert len(torsion) == 14
    for encoded in torsion:
        assert [finding.code for finding in world.verify(body_of(world, key=encoded)).findings] == ["weak-key"]


def test_every_torsion_point_is_a_weak_issuer_key(torsion):
    for encoded in torsion:
        with pytest.raises(cards.CardError) as caught:
            cards.IssuerId(encoded)
        assert caught.value.code == "weak-key"


def test_the_node_id_with_bit_255_set_is_no_second_name_of_a_node(world):
    alias = bytes(world.node.public[:31]) + bytes([world.node.public[31] | 0x80])
    assert [finding.code for finding in world.verify(body_of(world, node=alias)).findings] == ["bad-node-id"]


def test_minus_one_is_refused_before_its_missing_inverse_is_looked_for(world):
    with pytest.raises(ValueError, match="not invertible"):
        edwards_image(little(P - 1))
    assert [finding.code for finding in world.verify(body_of(world, node=little(P - 1))).findings] == ["bad-node-id"]


@pytest.mark.parametrize("sign", [0, 1])
def test_a_card_with_one_secret_as_identity_and_node_key_is_refused(world, sign):
    image = bytearray(world.node.public.signing_key)
    image[31] |= sign << 7
    verdict = world.verify(body_of(world, key=bytes(image)))
    assert [finding.code for finding in verdict.findings] == ["key-reuse"]
    assert verdict.exit_code == 3


def test_no_card_can_be_made_with_one_secret_in_both_places(world):
    with pytest.raises(cards.CardError) as caught:
        cards.make_card(cards.IdentityKey(world.node._seed), world.node, network="n", now=1)
    assert caught.value.code == "key-reuse"


def test_an_unknown_extension_that_is_not_critical_is_ignored_and_kept(world):
    raw = world.envelope(ext={"x-shelf": "4b", "x-tags": ["a", "b"]})
    verdict = world.verify(raw)
    assert verdict.ok
    assert verdict.claim.raw == raw


def test_extensions_of_256_bytes_are_accepted(world):
    assert world.verify(world.envelope(ext={"x-a": bytes(249)})).ok


ADDRESSES = [
    "host",
    ":1",
    "a:0",
    "a:65536",
    "a:01",
    "a:+1",
    "a: 1",
    "a:1 ",
    "A.example:1",
    "a..b:1",
    "a.:1",
    "-a:1",
    "a-:1",
    "a_b!:1",
    "1.2.3:1",
    "1.2.3.04:1",
    "127.1:1",
    "2130706433:1",
    "0x7f000001:1",
    "127.0.0.0x1:1",
    "a.0x:1",
    "::1:1",
    "[::1]:0",
    "[::01]:1",
    "[::1:1",
    "[1.2.3.4]:1",
    "[a.example]:1",
    "[fe80::1%eth0]:1",
    "[fe80::1%a b;c]:1",
    "[::ffff:127.0.0.1]:1",
    "[::ffff:7f00:1]:1",
    "a" * 64 + ":1",
    ".".join(["a" * 42] * 3) + ".b:1",
]


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_that_is_none_or_hides_one_is_a_bad_address(world, text):
    with pytest.raises(cards.CardError) as caught:
        cards.Address.parse(text)
    assert caught.value.code == "bad-address"
    with pytest.raises(cards.CardError) as caught:
        cards.make_record(world.node, network="n", addresses=[text], sequence=1, now=1)
    assert (caught.value.code, caught.value.finding.exit) == ("bad-address", 3)


@pytest.mark.parametrize(
    "text", ["[::1]:7060", "10.0.0.1:1", "db-03.dc1.example:65535", "a:1", "_x.a1:2", "[2001:db8::1]:9"]
)
def test_an_address_is_written_as_it_was_read(text):
    assert str(cards.Address.parse(text)) == text
