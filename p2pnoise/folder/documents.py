"""Documents: files that carry cards, revocation lists and statements, read in every form that people pass around.

PEM-like blocks (several in a file); a card also as one `card1:` line, as upper-case base32 from a QR code, or raw.
"""

from dataclasses import dataclass
from pathlib import Path

from cards import Card, CardError, Fact, RevocationList, parse_fact
from cards.draft import DRAFTS
from cards.facts import KINDS, Statement
from cards.findings import MALFORMED
from cards.text import MAX_ARMOR, from_armor, from_base32

from . import reading
from .fault import Fault, naming

CARD = "CARD"
LIST = "REVOCATION LIST"
QR = "CARD1"


@dataclass(frozen=True, slots=True)
class Document:
    """What one file holds: cards, lists and statements, each in their order, nothing verified."""

    name: str
    cards: tuple[Card, ...] = ()
    lists: tuple[RevocationList, ...] = ()
    statements: tuple[Statement, ...] = ()

    @property
    def facts(self) -> tuple[Fact, ...]:
        return (*self.lists, *self.statements)

    @property
    def card(self) -> Card:
        """The one card in it. Raises `Fault`."""
        if len(self.cards) != 1:
            count = "no card" if not self.cards else f"{len(self.cards)} cards"
            raise Fault(f"{self.name} holds {count}, one expected", "give a file with one card", code=MALFORMED)
        return self.cards[0]


def read(path: Path, *, fix: str = "") -> Document:
    """The document in a file. Raises `Fault` that names it."""
    return parse(str(path), reading.read(path, limit=MAX_ARMOR, what="card or list"), fix=fix)


def looks_like_one(data: bytes) -> bool:
    """Whether these bytes are meant to be a document, sound or not, and no text of another kind."""
    # No text begins with the bytes of an array: in UTF-8 they only continue a character.
    return b"-----BEGIN " in data or data.startswith((b"card1:", b"CARD1:")) or 0x80 <= data[0] < 0xA0


def parse(name: str, data: bytes, *, fix: str = "") -> Document:
    """The document in bytes that are not empty; `name` is what a `Fault` calls them."""
    if b"PRIVATE KEY-----" in data:
        raise Fault(f"{name} is a private key, a card expected", "keep that file to yourself", code=MALFORMED)
    with naming(name, fix):
        return _parse(name, data)


def _parse(name: str, data: bytes) -> Document:
    text = data.decode("latin-1")
    line = text.rstrip("\r\n")
    if "-----BEGIN " in text:
        blocks = from_armor(text)
        for label, _ in blocks:
            if label not in (CARD, LIST, *KINDS, *DRAFTS):
                known = ", ".join((CARD, LIST, *KINDS))
                raise CardError("armor-invalid", f"a block named {label}, one of {known} expected")
        facts = [parse_fact(label, raw) for label, raw in blocks if label != CARD]
        return Document(
            name,
            cards=tuple(Card.parse(raw) for label, raw in blocks if label == CARD),
            lists=tuple(fact for fact in facts if isinstance(fact, RevocationList)),
            statements=tuple(fact for fact in facts if not isinstance(fact, RevocationList)),
        )
    if line.startswith("card1:"):
        return Document(name, cards=(Card.from_text(line),))
    if line.startswith(f"{QR}:"):
        return Document(name, cards=(Card.parse(from_base32(QR, line)),))
    # The first byte of an array of five parts, and of four.
    if data[0] == 0x95:
        return Document(name, cards=(Card.parse(data),))
    if data[0] == 0x94:
        return Document(name, lists=(RevocationList.parse(data),))
    raise CardError("text-invalid", "neither a P2PNOISE block, a card1: line nor the bytes of a card")
