"""Hostile text: armour, lines, identifiers, policies and key files that are not quite what they look like."""

import base64
import hashlib

import pytest

import cards
from cards.text import (
    fingerprint,
    from_armor,
    from_base32,
    from_bech32m,
    from_line,
    to_armor,
    to_base32,
    to_bech32m,
    to_line,
)

BLOCK = to_armor("CARD", bytes(range(100)))


def in_base64(change):
    """The block with its base64 text changed."""
    begin, *lines, end = BLOCK.splitlines()
    return "\n".join([begin, *change("\n".join(lines)).split("\n"), end, ""])


ARMOR = [
    ("empty", ""),
    ("blank", "\n"),
    ("no block", "hello\n"),
    ("label in lower case", BLOCK.replace("CARD", "card")),
    ("another label at the end", BLOCK.replace("END P2PNOISE CARD", "END P2PNOISE LIST")),
    ("another program's block", BLOCK.replace("P2PNOISE", "OPENSSH")),
    ("no end", BLOCK[:-20]),
    ("no begin", BLOCK[10:]),
    ("text before", "see below\n" + BLOCK),
    ("text after", BLOCK + "bye\n"),
    ("text on the end line", BLOCK.rstrip("\n") + " bye\n"),
    ("blank line between blocks", BLOCK + "\n" + BLOCK),
    ("byte order mark", "\ufeff" + BLOCK),
    ("header", in_base64(lambda text: "Comment: x\n\n" + text)),
    ("blank inside", in_base64(lambda text: text[:10] + " " + text[10:])),
    ("tab at a line's end", in_base64(lambda text: text[:64] + "\t" + text[64:])),
    ("lines of 76", in_base64(lambda text: text.replace("\n", "")[:76] + "\n" + text.replace("\n", "")[76:])),
    ("one long line", in_base64(lambda text: text.replace("\n", ""))),
    ("no padding", in_base64(lambda text: text.rstrip("="))),
    ("too much padding", in_base64(lambda text: text + "=")),
    ("padding in the middle", in_base64(lambda text: text[:62] + "==" + text[64:])),
    ("bits in the padding", in_base64(lambda text: text.rstrip("=")[:-1] + "x==")),
    ("base64url", in_base64(lambda text: text.replace("/", "_").replace("A", "-", 1))),
    ("lone carriage returns", BLOCK.replace("\n", "\r")),
    ("no base64", "-----BEGIN P2PNOISE CARD-----\n-----END P2PNOISE CARD-----\n"),
]


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in ARMOR])
def test_a_block_in_any_but_its_one_form_is_armor_invalid(text):
    with pytest.raises(cards.CardError) as caught:
        from_armor(text)
    assert (caught.value.code, caught.value.finding.exit) == ("armor-invalid", 3)


def test_a_block_with_crlf_or_without_its_last_newline_is_read():
    for text in (BLOCK, BLOCK.replace("\n", "\r\n"), BLOCK.rstrip("\n")):
        assert from_armor(text) == [("CARD", bytes(range(100)))]


def test_several_blocks_are_told_apart():
    assert from_armor(BLOCK + to_armor("REVOCATION LIST", b"x")) == [
        ("CARD", bytes(range(100))),
        ("REVOCATION LIST", b"x"),
    ]


@pytest.mark.parametrize("label", cards.facts.KINDS)
def test_a_block_of_every_kind_of_statement_is_read_back(label):
    assert from_armor(to_armor(label, b"x")) == [(label, b"x")]


@pytest.mark.parametrize("size", [1, 47, 48, 49, 96, 1024])
def test_a_block_of_any_length_is_read_back(size):
    assert from_armor(to_armor("CARD", bytes(size))) == [("CARD", bytes(size))]


@pytest.mark.parametrize(
    "read",
    [
        from_armor,
        lambda text: from_line("card1", text),
        lambda text: from_base32("CARD1", text),
        cards.Card.from_text,
    ],
)
def test_more_than_four_megabytes_of_text_are_too_large_before_they_are_looked_at(read):
    with pytest.raises(cards.CardError) as caught:
        read("A" * (4 * 1024 * 1024 + 1))
    assert caught.value.code == "too-large"


LINE = to_line("card1", b"\xfb\xff\x01\x02")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "card1:",
        LINE[6:],
        "card2:" + LINE[6:],
        "Card1:" + LINE[6:],
        " " + LINE,
        LINE + "\n",
        LINE + "=",
        LINE + "==",
        LINE.replace("-", "+"),
        LINE.replace("_", "/"),
        LINE[:-1],
        LINE[:8] + " " + LINE[8:],
        LINE[:-1] + "B",
        "card1:" + LINE,
        "card1:é",
    ],
)
def test_a_line_in_any_but_its_one_form_is_text_invalid(text):
    with pytest.raises(cards.CardError) as caught:
        from_line("card1", text)
    assert (caught.value.code, caught.value.finding.exit) == ("text-invalid", 3)


QR = to_base32("CARD1", b"\xfb\xff\x01\x02")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CARD1:",
        QR[6:],
        "card1:" + QR[6:],
        QR.lower(),
        QR + "\n",
        QR + "=",
        QR[:-1],
        QR[:8] + " " + QR[8:],
        QR[:-1] + "J",  # bits that no encoder writes
        QR[:-1] + "1",  # 0, 1, 8 and 9 are no base32
        "CARD1:É",
    ],
)
def test_a_qr_text_in_any_but_its_one_form_is_text_invalid(text):
    with pytest.raises(cards.CardError) as caught:
        from_base32("CARD1", text)
    assert (caught.value.code, caught.value.finding.exit) == ("text-invalid", 3)


@pytest.mark.parametrize("size", range(1, 11))
def test_a_qr_text_of_any_length_is_read_back(size):
    assert from_base32("CARD1", to_base32("CARD1", bytes(size))) == bytes(size)


def test_a_card_survives_its_line_and_its_block(world):
    assert cards.Card.from_text(world.card.to_text()) == world.card
    [(label, raw)] = from_armor(to_armor("CARD", world.raw))
    assert (label, cards.Card.parse(raw)) == ("CARD", world.card)


KINDS = [(cards.NodeId, "node"), (cards.IdentityId, "id"), (cards.IssuerId, "issuer")]


def keys_of(world, kind):
    return {cards.NodeId: world.node, cards.IdentityId: world.identity, cards.IssuerId: world.issuer}[kind].public


@pytest.mark.parametrize(("kind", "prefix"), KINDS)
def test_an_identifier_survives_its_text(world, kind, prefix):
    key = keys_of(world, kind)
    assert str(key).startswith(f"{prefix}1")
    assert kind.parse(str(key)) == key


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS])
def test_one_wrong_character_anywhere_in_an_identifier_is_noticed(world, kind):
    text = str(keys_of(world, kind))
    for at in range(len(text)):
        for wrong in "qz7x1B":
            if text[at] != wrong:
                with pytest.raises(cards.CardError) as caught:
                    kind.parse(text[:at] + wrong + text[at + 1 :])
                assert caught.value.code == "text-invalid"


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda text: text + "q",
        lambda text: text[:-1],
        lambda text: " " + text,
        lambda text: text + "\n",
        lambda text: text.replace("1", "l", 1),
        lambda text: text.split("1")[1],
        lambda text: text[:9] + text[10] + text[9] + text[11:],
        lambda _text: "",
        lambda _text: "node1",
        lambda text: text.replace("node", "id"),
    ],
)
def test_an_identifier_in_any_but_its_one_form_is_text_invalid(world, change):
    with pytest.raises(cards.CardError) as caught:
        cards.NodeId.parse(change(str(world.node.public)))
    assert (caught.value.code, caught.value.finding.exit) == ("text-invalid", 3)


def test_an_identifier_of_one_kind_is_none_of_another(world):
    for kind, _ in KINDS:
        for other, _ in KINDS:
            if kind is not other:
                with pytest.raises(cards.CardError):
                    kind.parse(str(keys_of(world, other)))


def test_bits_that_no_encoder_writes_are_refused():
    text = to_bech32m("node", bytes(32))
    words = ["qpzry9x8gf2tvdw0s3jn54khce6mua7l".index(character) for character in text[5:-6]]
    words[-1] |= 1  # below the last byte
    alphabet, checksum = "qpzry9x8gf2tvdw0s3jn54khce6mua7l", _checksum("node", words)
    hostile = "node1" + "".join(alphabet[word] for word in words + checksum)
    with pytest.raises(cards.CardError, match="bits that no encoder writes"):
        from_bech32m("node", hostile, size=32)


def _checksum(prefix, words):
    values = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + words + [0] * 6
    check = 1
    for value in values:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> i & 1 else 0
    return [(check ^ 0x2BC830A3) >> 5 * (5 - i) & 31 for i in range(6)]


def test_an_identifier_of_a_weak_key_is_refused_for_its_key():
    with pytest.raises(cards.CardError) as caught:
        cards.NodeId.parse(to_bech32m("node", bytes(32)))
    assert caught.value.code == "bad-node-id"
    with pytest.raises(cards.CardError) as caught:
        cards.IssuerId.parse(to_bech32m("issuer", bytes(32)))
    assert caught.value.code == "weak-key"


# Policies.

ISSUER = '[issuer.ops]\nkey = "{key}"\n'
POLICIES = [
    ("empty", ""),
    ("not TOML", "network ="),
    ("no network", "leeway = 300"),
    ("network that is no name", 'network = "A B"'),
    ("network that is a number", "network = 5"),
    ("unknown key", 'network = "n"\nleway = 300'),
    ("unknown key of an issuer", 'network = "n"\n[issuer.ops]\nkey = "x"\ngruops = []'),
    ("issuer without key", 'network = "n"\n[issuer.ops]\n'),
    ("issuer that is text", 'network = "n"\nissuer = "ops"'),
    ("issuer key mistyped", 'network = "n"\n[issuer.ops]\nkey = "issuer1qqqq"'),
    ("issuer name in upper case", 'network = "n"\n' + ISSUER.replace("ops", "Ops")),
    ("seventeen issuers", 'network = "n"\n' + "".join(ISSUER.replace("ops", f"o{n}") for n in range(17))),
    ("one key under two names", 'network = "n"\n' + ISSUER + ISSUER.replace("ops", "lab")),
    ("leeway as text of another form", 'network = "n"\nleeway = "5 minutes"'),
    ("leeway negative", 'network = "n"\nleeway = -1'),
    ("leeway True", 'network = "n"\nleeway = true'),
    ("leeway of two hours", 'network = "n"\nleeway = 7200'),
    ("leeway of 5000 digits", 'network = "n"\nleeway = ' + "9" * 5000),
    ("nested 10000 deep", 'network = "n"\nleeway = ' + "[" * 10000),
    ("64 KiB", "#" * 65537),
    ("capability that needs more issuers than there are", 'network = "n"\n[capabilities]\ndeploy = { threshold = 1 }'),
    ("capability that is no name", 'network = "n"\n[capabilities]\n"A B" = { threshold = 1 }'),
]


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in POLICIES])
def test_a_policy_that_is_not_quite_one_is_policy_invalid(world, text):
    with pytest.raises(cards.CardError) as caught:
        cards.Policy.from_toml(text.replace("{key}", str(world.issuer.public)))
    assert (caught.value.code, caught.value.finding.exit) == ("policy-invalid", 3)


def test_a_misspelt_key_of_a_policy_is_told_with_the_right_one():
    with pytest.raises(cards.CardError, match="did you mean 'leeway'"):
        cards.Policy.from_toml('network = "n"\nleway = 300')


def test_a_policy_survives_its_text(world):
    assert cards.Policy.from_toml(world.policy.to_toml()) == world.policy


# Key files.


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"hello",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(bytes(48)) + b"\n-----END PRIVATE KEY-----\n",
    ],
)
def test_a_file_that_holds_no_key_is_malformed(pem):
    with pytest.raises(cards.CardError) as caught:
        cards.IdentityKey.from_pem(pem)
    assert caught.value.code == "malformed"


def test_a_key_file_whose_sign_bit_is_1_is_no_node_key():
    seed = next(s for s in (bytes([n]) * 32 for n in range(99)) if cards.IdentityKey(s).public[31] >> 7)
    with pytest.raises(cards.CardError, match="sign bit 1"):
        cards.NodeKey.from_pem(cards.IdentityKey(seed).to_pem())


def test_nothing_prints_a_secret(world):
    for key in (world.identity, world.node, world.issuer):
        for text in (repr(key), str(key), f"{key}"):
            assert text == f"<{type(key).__name__} hidden>"


def test_a_fingerprint_is_the_beginning_of_a_sha256_of_the_text():
    alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"  # BIP-173
    bits = int.from_bytes(hashlib.sha256(b"id1abc").digest(), "big") >> (256 - 125)
    expected = "".join(alphabet[bits >> (5 * (24 - i)) & 31] for i in range(25))
    assert fingerprint("id1abc").replace("-", "") == expected
    assert [len(group) for group in fingerprint("id1abc").split("-")] == [5] * 5
