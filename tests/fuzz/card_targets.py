"""Fuzz targets of the cards: cards, address records, revocation lists, signatures and text forms."""

from collections.abc import Iterator

from cards import (
    Address,
    AddressRecord,
    Card,
    CardError,
    Facts,
    IdentityId,
    IssuerId,
    NodeId,
    RevocationList,
    verify_card,
)
from cards.codec import encode
from cards.pages import page_digest
from cards.statements import CARD_KEY, RECORD, frame, verify
from cards.text import from_armor, from_line, to_armor, to_line
from p2pnoise.config import Bootstrap
from tests.fuzz import world
from tests.fuzz.target import Target


def card(data: bytes) -> bool:
    verdict = verify_card(data, policy=world.POLICY, now=world.NOW, facts=Facts(world.REVOCATIONS))
    verdict.to_json()
    assert verdict.card is None or verdict.card.card.body in world.SIGNED
    try:
        parsed = Card.parse(data)
    except CardError:
        assert verdict.claim is None
        return False
    assert parsed.raw == data
    assert Card.from_text(parsed.to_text()) == parsed
    return True


def card_seeds() -> Iterator[bytes]:
    yield world.CARDS["ada"].raw
    yield world.REQUESTS["ada"].raw
    yield encode([1, world.CARDS["bob"].body, world.CARDS["bob"].key_signature, b"", []])


def record(data: bytes) -> bool:
    try:
        parsed = AddressRecord.parse(data)
    except CardError:
        return False
    assert parsed.raw == data
    sound = parsed.check(network=world.NETWORK, now=world.NOW, leeway=300) is None
    assert not sound or parsed.body in world.SIGNED
    return True


def record_seeds() -> Iterator[bytes]:
    yield world.RECORDS["ada"].raw


def revocation_list(data: bytes) -> bool:
    try:
        parsed = RevocationList.parse(data)
    except CardError:
        return False
    head = {
        "v": 1,
        "net": parsed.network,
        "iss": bytes(parsed.issuer),
        "seq": parsed.sequence,
        "iat": parsed.issued_at,
        "next": parsed.next_due,
    }
    pages = list(parsed.pages)
    heals = {"heals": list(parsed.heals)} if parsed.heals else {}
    digests = [page_digest(page) for page in pages]
    assert encode([1, encode(head | heals | {"pages": digests}), parsed.signature, pages]) == data
    sound = parsed.check(network=world.NETWORK, now=world.NOW, leeway=300) is None
    assert not sound or parsed.head in world.SIGNED
    return True


def revocation_list_seeds() -> Iterator[bytes]:
    yield world.EMPTY_LIST.raw
    yield world.LIST.raw
    yield world.PAGED_LIST.raw


def signature(data: bytes) -> bool:
    """The key, the signature and the message, one behind the other."""
    valid = verify(data[:32], data[32:96], data[96:])
    assert not valid or data in signature_seeds()
    return valid


def signature_seeds() -> Iterator[bytes]:
    ada, record = world.CARDS["ada"], world.RECORDS["ada"]
    yield ada.identity + ada.key_signature + frame(CARD_KEY, ada.body)
    yield ada.node_id.signing_key + record.signatures[0] + frame(RECORD, record.body)


IDS = (NodeId, IdentityId, IssuerId)


def text(data: bytes) -> bool:
    """Which form is expected hangs on the text itself, as it does for people."""
    written = data.decode(errors="replace")
    forms = (*(kind.parse for kind in IDS), Address.parse, Bootstrap.parse)
    accepted = [form for form in forms if _reads(form, written)]
    try:
        assert to_line("card1", from_line("card1", written)) == written
        accepted.append(from_line)
    except CardError:
        pass
    try:
        blocks = from_armor(written)
        plain = written.replace("\r\n", "\n").removesuffix("\n") + "\n"
        assert "".join(to_armor(label, content) for label, content in blocks) == plain
        accepted.append(from_armor)
    except CardError:
        pass
    return bool(accepted)


def _reads(form, written: str) -> bool:
    try:
        value = form(written)
    except CardError:
        return False
    assert str(value) == written
    return True


def text_seeds() -> Iterator[bytes]:
    ada = world.CARDS["ada"]
    yield from (str(public).encode() for public in (ada.node_id, ada.identity, world.ISSUER.public))
    yield from (address.encode() for address in ("10.0.0.7:7060", "[2001:db8::7]:443", "a-b.example:65535"))
    yield f"{ada.node_id}@localhost:7060".encode()
    yield ada.to_text().encode()
    yield to_armor("CARD", ada.raw).encode()
    yield (to_armor("REVOCATION LIST", bytes(48)) + to_armor("CARD", b"\xff")).replace("\n", "\r\n").encode()


TARGETS = {
    "card": Target(card, card_seeds, 1_100),
    "record": Target(record, record_seeds, 600),
    "revocation-list": Target(revocation_list, revocation_list_seeds, 1_500),
    "signature": Target(signature, signature_seeds, 700),
    "text": Target(text, text_seeds, 1_000),
}
