"""FORMAT.md by a reader of another hand: hashlib, msgpack and libsodium alone make every value of its example again."""

import base64
import hashlib
import re
from pathlib import Path

import msgpack
import nacl.bindings
import pytest

import cards
from cards import address, card, codec, findings, pages, revocation, signed, statements, text
from tests.cards.second_reader import read_card

DOCUMENT = (Path(__file__).parents[2] / "cards" / "FORMAT.md").read_text()
P = 2**255 - 19
ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
TEXTS = ("identity text", "issuer text", "Node ID text", "card line")


def read_document():
    """The inputs (name, two or more blanks, value) and the values (name, then indented lines) of the example."""
    inputs, values = {}, {}
    for block in re.findall(
        r"^```text\n(.*?)^```$", DOCUMENT.partition("## 10. Worked example")[2], re.DOTALL | re.MULTILINE
    ):
        name = ""
        for line in block.splitlines():
            if line.startswith("    "):
                values[name] += line.strip()
            elif "  " in line:
                key, value = re.split(r" {2,}", line)
                inputs[key] = int(value) if value.isdecimal() else value
            else:
                name = line
                assert name not in values
                values[name] = ""
    return inputs, {name: value if name in TEXTS else bytes.fromhex(value) for name, value in values.items()}


def pack(fields):
    return msgpack.packb({name: fields[name] for name in sorted(fields)}, use_bin_type=True)


def message(context, *parts):
    return context.encode() + b"\0" + b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def sign(seed, text):
    _, secret = nacl.bindings.crypto_sign_seed_keypair(seed)
    return nacl.bindings.crypto_sign(text, secret)[:64]


def verified(key, signature, text):
    return nacl.bindings.crypto_sign_open(signature + text, key) == text


def edwards_image(node_id):
    u = int.from_bytes(node_id, "little")
    return ((u - 1) * pow(u + 1, P - 2, P) % P).to_bytes(32, "little")


def bech32m(prefix, data):
    number = int.from_bytes(data, "big") << 4  # 256 bits are 51.2 words: four bits of padding
    words = [number >> 5 * n & 31 for n in reversed(range(52))]
    check = 1
    for value in [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + words + [0] * 6:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator * (top >> bit & 1)
    check ^= 0x2BC830A3
    return f"{prefix}1" + "".join(
        ALPHABET[word] for word in [*words, *(check >> 5 * n & 31 for n in reversed(range(6)))]
    )


def make(inputs, seeds):
    """Every value of the example from its inputs and seeds, by the words of the document."""
    made = dict(seeds)
    identity, issuer, node = (made[f"{name} seed"] for name in ("identity", "issuer", "node"))
    for name, seed in (("identity key", identity), ("issuer key", issuer), ("node key, Ed25519 form", node)):
        made[name], _ = nacl.bindings.crypto_sign_seed_keypair(seed)
    made["node key, Noise static private"] = hashlib.sha512(node).digest()[:32]
    made["Node ID"] = nacl.bindings.crypto_scalarmult_base(made["node key, Noise static private"])
    made["identity text"] = bech32m("id", made["identity key"])
    made["issuer text"] = bech32m("issuer", made["issuer key"])
    made["Node ID text"] = bech32m("node", made["Node ID"])

    network, now = inputs["network"], inputs["now"]
    common = {"v": 1, "net": network, "iat": now}
    body = made["body"] = pack(
        common
        | {"key": made["identity key"], "node": made["Node ID"], "name": inputs["name"], "seq": inputs["sequence"]}
        | {"nbf": now, "exp": inputs["end"]}
    )
    made["key message"] = message("p2pnoise/v1/card.key", body)
    made["key signature"] = sign(identity, made["key message"])
    made["node message"] = message("p2pnoise/v1/card.node", network.encode(), made["identity key"], made["Node ID"])
    made["node signature"] = sign(node, made["node message"])
    made["kid"] = hashlib.sha256(made["issuer key"]).digest()[:8]
    attrs = made["attrs"] = pack(
        {"sn": inputs["serial"], "iat": now, "nbf": now, "exp": inputs["grant end"], "grp": [inputs["group"]]}
        | {"pos": bytes.fromhex(inputs["position"])}
    )
    made["app message"] = message("p2pnoise/v1/card.app", body, attrs)
    made["app signature"] = sign(issuer, made["app message"])
    grant = [made["kid"], attrs, made["app signature"]]
    made["card envelope"] = msgpack.packb([1, body, made["key signature"], made["node signature"], [grant]])
    made["card id"] = hashlib.sha256(message("p2pnoise/v1/card.id", body)).digest()
    made["card line"] = "card1:" + base64.urlsafe_b64encode(made["card envelope"]).decode().rstrip("=")

    record = made["record body"] = pack(
        common
        | {"node": made["Node ID"], "seq": 1000 * now, "exp": inputs["record end"]}
        | {"addr": [inputs["address 1"], inputs["address 2"]]}
    )
    made["record message"] = message("p2pnoise/v1/record", record)
    made["record signature"] = sign(node, made["record message"])
    made["record envelope"] = msgpack.packb([1, record, made["record signature"]])

    page = made["page"] = msgpack.packb([[made["identity key"], now, inputs["reason"], inputs["until"]]])
    head = made["head"] = pack(
        common
        | {"iss": made["issuer key"], "seq": inputs["list"], "next": inputs["list due"]}
        | {"pages": [hashlib.sha256(page).digest()]}
    )
    made["list message"] = message("p2pnoise/v1/revocation", head)
    made["list signature"] = sign(issuer, made["list message"])
    made["list envelope"] = msgpack.packb([1, head, made["list signature"], [page]])
    made["list digest"] = hashlib.sha256(message("p2pnoise/v1/revocation.id", head)).digest()
    return made


@pytest.fixture(scope="module")
def example():
    return read_document()


def test_every_value_of_the_example_follows_from_its_seeds(example):
    inputs, values = example
    made = make(inputs, {name: value for name, value in values.items() if name.endswith("seed")})
    assert made == values


def test_the_card_of_the_example_is_verified_by_a_reader_of_another_hand(example):
    inputs, values = example
    issuer = values["issuer key"]
    fields, counted = read_card(values["card envelope"], inputs["network"], [issuer], inputs["now"])
    assert (fields["key"], fields["node"], fields["seq"]) == (
        values["identity key"],
        values["Node ID"],
        inputs["sequence"],
    )
    assert (counted[issuer]["sn"], counted[issuer]["grp"]) == (inputs["serial"], [inputs["group"]])
    assert nacl.bindings.crypto_sign_ed25519_pk_to_curve25519(values["node key, Ed25519 form"]) == fields["node"]


def test_the_record_and_the_list_of_the_example_are_verified_by_a_reader_of_another_hand(example):
    _, values = example
    _, record, signature = msgpack.unpackb(values["record envelope"])
    assert verified(values["node key, Ed25519 form"], signature, message("p2pnoise/v1/record", record))
    _, head, signature, pages = msgpack.unpackb(values["list envelope"])
    assert verified(values["issuer key"], signature, message("p2pnoise/v1/revocation", head))
    assert [hashlib.sha256(page).digest() for page in pages] == msgpack.unpackb(head)["pages"]


def test_the_package_makes_the_same_bytes(example):
    inputs, values = example
    now, network = inputs["now"], inputs["network"]
    identity = cards.IdentityKey(values["identity seed"])
    issuer = cards.IssuerKey(values["issuer seed"])
    node = cards.NodeKey(values["node seed"])
    assert (identity.public, issuer.public) == (values["identity key"], values["issuer key"])
    assert (node.public, node.static) == (values["Node ID"], values["node key, Noise static private"])
    assert node.public.signing_key == values["node key, Ed25519 form"]
    texts = (values["identity text"], values["issuer text"], values["Node ID text"])
    assert (str(identity.public), str(issuer.public), str(node.public)) == texts

    bare = cards.make_card(
        identity,
        node,
        network=network,
        now=now,
        name=inputs["name"],
        sequence=inputs["sequence"],
        lifetime=inputs["end"] - now,
    )
    granted = cards.grant(
        issuer,
        bare,
        serial=inputs["serial"],
        now=now,
        entropy=lambda _size: bytes.fromhex(inputs["position"]),
        lifetime=inputs["grant end"] - now,
        groups=[inputs["group"]],
    )
    assert (granted.raw, granted.card_id, granted.to_text()) == (
        values["card envelope"],
        values["card id"],
        values["card line"],
    )
    record = cards.make_record(
        node,
        network=network,
        addresses=[inputs["address 1"], inputs["address 2"]],
        sequence=1000 * now,
        now=now,
        lifetime=inputs["record end"] - now,
    )
    assert record.raw == values["record envelope"]
    one = cards.make_list(
        issuer,
        network=network,
        sequence=inputs["list"],
        now=now,
        entries=[cards.Entry(identity.public, now, inputs["reason"], inputs["until"])],
        lifetime=inputs["list due"] - now,
    )
    assert (one.raw, one.digest) == (values["list envelope"], values["list digest"])


def test_the_package_judges_the_example_as_the_document_says(example):
    inputs, values = example
    policy = cards.Policy(network=inputs["network"], issuers={"ops": cards.IssuerId(values["issuer key"])})
    assert cards.verify_card(values["card envelope"], policy=policy, now=inputs["now"]).ok
    held, finding = cards.Revocations().add(
        cards.RevocationList.parse(values["list envelope"]),
        cards.Terms(issuers=policy.issuers.values(), network=policy.network, now=inputs["now"]),
    )
    assert finding is None
    verdict = cards.verify_card(values["card envelope"], policy=policy, now=inputs["now"], facts=cards.Facts(held))
    assert verdict.exit_code == 7


def test_the_document_names_every_context():
    contexts = {
        value for value in vars(statements).values() if isinstance(value, str) and value.startswith("p2pnoise/v1/")
    }
    assert set(re.findall(r"`(p2pnoise/v1/[a-z.-]+)`", DOCUMENT)) == contexts


def test_the_document_names_every_field_and_no_other():
    tables = {
        "body": card._BODY_FIELDS,
        "attrs": card._ATTRS_FIELDS,
        "record body": {**signed._COMMON, **address.AddressRecord.table},
        "head": revocation._HEAD_FIELDS,
    }
    for title, fields in tables.items():
        table = re.search(rf"^\| {title} \|.*?\n\n", DOCUMENT, re.DOTALL | re.MULTILINE)[0]
        named = {name for row in table.splitlines()[2:] if row for name in re.findall(r"`(\w+)`", row.split("|")[1])}
        assert named == fields.keys(), title
        for row in table.splitlines()[2:]:
            for name in re.findall(r"`(\w+)`", row.split("|")[1]) if row else ():
                optional = "optional" in row or name == "cap"
                assert optional != fields[name].required, (title, name)


def test_the_document_names_the_limits_that_the_package_keeps():
    assert f"At most {card.MAX_CARD:,} bytes and {card.MAX_GRANTS} app signatures" in DOCUMENT
    assert f"at most {address.MAX_RECORD} bytes" in DOCUMENT
    assert f"at most {revocation.MAX_LIST:,} bytes" in DOCUMENT
    assert f"a head is at most {revocation.MAX_HEAD} bytes" in DOCUMENT
    assert f"1 to {pages.MAX_ENTRIES:,} entries, at most {pages.MAX_PAGE:,} bytes" in DOCUMENT
    assert f"0 to {pages.MAX_PAGES} binaries" in DOCUMENT
    assert f"{revocation.LIST_LIFETIME // 86400} days after `iat`, or what the policy" in DOCUMENT
    assert f"Text of more than {text.MAX_ARMOR:,} characters" in DOCUMENT
    assert f"nested at most {codec.MAX_DEPTH} deep" in DOCUMENT
    assert f"Attrs are at most {card.MAX_ATTRS} bytes" in DOCUMENT
    for reason in revocation.REASONS:
        assert f"`{reason}`" in DOCUMENT


def test_the_document_names_every_code_that_a_card_a_record_or_a_list_can_lead_to():
    elsewhere = {"banned", "over-quota", "self-peer", "policy-invalid", "armor-invalid", "text-invalid", "locked"}
    warnings = {"revocation-unchecked", "issuer-equivocation"}
    section = DOCUMENT.partition("## 9.")[2].partition("## 10.")[0]
    named = set(re.findall(r"`([a-z-]+)`", section)) & findings.CODES.keys()
    assert named == findings.CODES.keys() - elsewhere - warnings


def test_the_points_of_low_order_in_the_document_are_those(torsion):
    named = [bytes.fromhex(text) for text in re.findall(r"`([0-9a-f]{64})`", DOCUMENT)]
    assert len(named) == 4
    assert {named[0], named[1]} < set(torsion)
    for point in named[:2]:
        assert int.from_bytes(point, "little") not in (0, 1, P - 1)
    for u in named[2:]:
        with pytest.raises(cards.CardError):
            cards.NodeId(u)
        assert edwards_image(u) in torsion
        # A secret multiplied by such a point is zero, whatever the secret.
        with pytest.raises(RuntimeError):
            nacl.bindings.crypto_scalarmult(b"\x07" * 32, u)


def test_no_value_in_the_document_is_shortened():
    assert "\u2026" not in DOCUMENT
    assert "..." not in DOCUMENT.partition("## 10. Worked example")[2]
