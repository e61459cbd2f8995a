"""Documents: files that carry cards, revocation lists and statements, in every form that people pass them around in.

PEM-like blocks (several in a file); a card also as one `card1:` line, as upper-case base32 from a QR code, or raw.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from cards import Card, CardError, Fact, Policy, RevocationList, Verdict, parse_fact
from cards.draft import DRAFTS
from cards.facts import KINDS, Statement
from cards.findings import MALFORMED, Finding
from cards.text import MAX_ARMOR, from_armor, from_base32, to_armor, to_base32

from . import files
from .output import Fault, naming

CARD = "CARD"
LIST = "REVOCATION LIST"
BESIDE = "revocations.pem"  # where card issue --batch puts the lists that go with all its cards
_QR = "CARD1"
STRANGE = (
    "unknown-issuer",
    "chain-too-long",
    "threshold",
    "rollback",
)  # nothing is wrong with these, they are not for us


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


def read(path: str | Path, *, fix: str = "") -> Document:
    """The document in a file or, for `-`, on stdin. Raises `Fault` that names the file."""
    data = files.read(path, limit=MAX_ARMOR, what="card or list")
    return parse("standard input" if str(path) == files.STREAM else str(path), data, fix=fix)


def read_handed_out(path: str | Path) -> Document:
    """As `read`, of a card that was handed out: one without a list has its lists beside it, if they are anywhere."""
    document = read(path)
    beside = Path(path).with_name(BESIDE)
    if document.lists or str(path) == files.STREAM or not beside.is_file():
        return document
    return replace(document, lists=read(beside).lists)


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
    if line.startswith(f"{_QR}:"):
        return Document(name, cards=(Card.parse(from_base32(_QR, line)),))
    # The first byte of an array of five parts, and of four.
    if data[0] == 0x95:
        return Document(name, cards=(Card.parse(data),))
    if data[0] == 0x94:
        return Document(name, lists=(RevocationList.parse(data),))
    raise CardError("text-invalid", "neither a P2PNOISE block, a card1: line nor the bytes of a card")


def to_qr(card: Card) -> str:
    """The text of a card's QR code."""
    return to_base32(_QR, card.raw)


def card_block(card: Card) -> str:
    return to_armor(CARD, card.raw)


def list_blocks(lists: Iterable[RevocationList]) -> str:
    return "".join(to_armor(LIST, one.raw) for one in lists)


def fact_blocks(facts: Iterable[Fact]) -> str:
    """Lists and statements, each once."""
    labelled = ((LIST if isinstance(one, RevocationList) else one.label, one.raw) for one in facts)
    return "".join(dict.fromkeys(to_armor(label, raw) for label, raw in labelled))


def believed(
    lists: Iterable[RevocationList], policy: Policy, now: int
) -> tuple[tuple[RevocationList, ...], tuple[Finding, ...]]:
    """Those of `lists` that an issuer of `policy` signed for its network, and findings on the others."""
    good: list[RevocationList] = []
    findings: list[Finding] = []
    for one in lists:
        if one.issuer not in policy.issuers.values():
            text = f"revocation list of {one.issuer.short}, who is not in this policy"
            findings.append(Finding("unknown-issuer", text, "warning"))
        elif finding := one.check(network=policy.network, now=now, leeway=policy.leeway):
            findings.append(finding)
        else:
            good.append(one)
    return tuple(good), tuple(findings)


def newest(held: Iterable[RevocationList], new: Iterable[RevocationList]) -> tuple[RevocationList, ...]:
    """One list per issuer, sorted by issuer: the one with the highest number, of equal numbers the held one."""
    best: dict[bytes, RevocationList] = {}
    for one in (*held, *new):
        if one.issuer not in best or one.sequence > best[one.issuer].sequence:
            best[one.issuer] = one
    return tuple(best[issuer] for issuer in sorted(best))


def notes(unused: Iterable[tuple[Fact, Finding]]) -> tuple[Finding, ...]:
    """What there is to say of facts that do not count: an error where one is wrong, a warning where it is a stranger's.

    That an issuer signed two lists with one number the verdict says itself.
    """
    return tuple(
        replace(finding, severity="warning") if finding.code in STRANGE else finding
        for _, finding in unused
        if finding.code != "issuer-equivocation"
    )


def with_findings(verdict: Verdict, findings: tuple[Finding, ...]) -> Verdict:
    """`verdict` with what was found beside the card; an error there refuses the card too."""
    wrong = any(finding.severity == "error" for finding in findings)
    findings = (*verdict.findings, *findings)
    return replace(verdict, findings=findings, level="reject" if wrong else verdict.level)
