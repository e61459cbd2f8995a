"""Documents on the command line: from stdin as well as from files, written as blocks of text, and sorted.

What they are, and how they are read, is in p2pnoise/folder/documents.py.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from cards import Card, Fact, Facts, Policy, RevocationList, Verdict
from cards.findings import Finding
from cards.text import MAX_ARMOR, to_armor, to_base32
from p2pnoise.folder.documents import CARD, LIST, QR, Document, looks_like_one, parse

from . import files

__all__ = [
    "BESIDE",
    "CARD",
    "LIST",
    "Document",
    "believed",
    "card_block",
    "fact_blocks",
    "list_blocks",
    "looks_like_one",
    "newest",
    "notes",
    "parse",
    "read",
    "read_handed_out",
    "to_qr",
    "with_findings",
]

BESIDE = "revocations.pem"  # where card issue --batch puts the lists that go with all its cards
STRANGE = ("unknown-issuer", "chain-too-long", "threshold", "rollback")
"""Nothing is wrong with these, they are not for us."""


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


def to_qr(card: Card) -> str:
    """The text of a card's QR code."""
    return to_base32(QR, card.raw)


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
    nothing = Facts()
    clock, leeway = nothing.clock(policy, now), nothing.leeway(policy, now)
    good: list[RevocationList] = []
    findings: list[Finding] = []
    for one in lists:
        if one.issuer not in policy.issuers.values():
            text = f"revocation list of {one.issuer.short}, who is not in this policy"
            findings.append(Finding("unknown-issuer", text, "warning"))
        elif finding := one.check(network=policy.network, now=clock, leeway=leeway):
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
