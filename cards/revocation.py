"""Revocation lists: what an issuer takes back, signed, numbered, kept until it no longer matters.

    envelope   [1, head, signature, [page, ...]]

The signed head commits to the digest of each page (pages.py). A subject is an identity key or a card id. An entry
voids that issuer's grants and nothing else. Nodes keep the union of what they have seen until each entry's `until`,
so that a later list cannot quietly un-revoke.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Self

from . import codec, fields
from .fields import Field
from .findings import CardError, Finding
from .keys import IssuerId
from .pages import MAX_PAGES, Entry, page_digest, read_pages
from .statements import REVOCATION, REVOCATION_ID, SignatureCache, digest, frame, verify

MAX_HEAD = 960  # bytes; 16 pages and four healed digests make about 830, and two such heads fit a conflict
MAX_LIST = 1_000_000  # bytes; the largest head and pages make less
LIST_LIFETIME = 30 * 86400  # seconds from `iat` to `next` by default, and the most that a policy takes by default
MAX_NEXT = 400 * 86400  # the most that one may take, for issuers that stay offline
_MAX_TWINS = 4  # lists with one number that are kept apart
_MAX_OLDER = 8  # earlier lists kept for entries that a later one left out

REASONS = ("unspecified", "key-compromise", "lost", "left", "superseded")


class Head(NamedTuple):
    """What two nodes compare before sending lists: the issuer, its highest number, a digest over its list or lists."""

    issuer: bytes
    sequence: int
    digest: bytes


_HEAD_FIELDS: Mapping[str, Field] = {
    "v": Field(fields.version),
    "net": Field(fields.name(32)),
    "iss": Field(lambda value, where: IssuerId(fields.binary(32)(value, where))),
    "seq": Field(fields.counter),
    "iat": Field(fields.integer),
    "next": Field(fields.integer),
    "pages": Field(fields.array(fields.binary(32), MAX_PAGES, least=0)),
    "heals": Field(fields.array(fields.binary(32), _MAX_TWINS, ordered=True), required=False),
}


def read_head(head: bytes) -> dict[str, Any]:
    """The checked values of a head. Raises `CardError`."""
    values = fields.read_map(head, _HEAD_FIELDS, limit=MAX_HEAD, what="head")
    if not 0 < values["next"] - values["iat"] <= MAX_NEXT:
        raise CardError("bad-validity", f"next is {values['next'] - values['iat']} s after iat, 1 to {MAX_NEXT}")
    return values


@dataclass(frozen=True, kw_only=True)
class SignedHead:
    """A list without its pages, as claimed: a well-formed head, its signature not yet checked."""

    head: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    network: str
    issuer: IssuerId
    sequence: int
    issued_at: int
    next_due: int
    page_digests: tuple[bytes, ...] = field(repr=False)
    heals: tuple[bytes, ...] = ()

    @classmethod
    def read(cls, head: bytes, signature: bytes) -> Self:
        """From a head of at most 960 bytes. Raises `CardError`."""
        return cls(**_claims(head, signature))

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the head, 32 bytes: names this list in proofs and in `heals`."""
        return digest(REVOCATION_ID, self.head)

    def check(self, *, network: str, now: int, leeway: int, signatures: SignatureCache | None = None) -> Finding | None:
        """None if its issuer signed it for `network`, else the first finding. `next` is not judged here."""
        if self.network != network:
            return Finding("wrong-network", f"revocation list for network {self.network}, ours is {network}")
        if self.issued_at > now + leeway:
            return Finding("not-yet-valid", f"revocation list made {self.issued_at - now} s in the future")
        check = signatures.verify if signatures is not None else verify
        if not check(self.issuer, self.signature, frame(REVOCATION, self.head)):
            return Finding("revocation-invalid", f"list {self.sequence} is not signed by {self.issuer.short}")
        return None


def _claims(head: bytes, signature: bytes) -> dict[str, Any]:
    values = read_head(head)
    return {
        "head": head,
        "signature": fields.binary(64)(signature, "list signature"),
        "network": values["net"],
        "issuer": values["iss"],
        "sequence": values["seq"],
        "issued_at": values["iat"],
        "next_due": values["next"],
        "page_digests": values["pages"],
        "heals": values.get("heals", ()),
    }


@dataclass(frozen=True, kw_only=True)
class RevocationList(SignedHead):
    """A list as claimed: well-formed, its pages those of its head, its signature not yet checked."""

    pages: tuple[bytes, ...] = field(repr=False)
    entries: tuple[Entry, ...] = field(repr=False, compare=False)

    @classmethod
    def read(cls, head: bytes, signature: bytes, pages: Sequence[bytes] = ()) -> Self:
        """From a head and all of its pages, in order. Raises `CardError`."""
        claims = _claims(head, signature)
        if tuple(map(page_digest, pages)) != claims["page_digests"]:
            raise CardError("revocation-invalid", "the pages are not those that the head names")
        return cls(**claims, pages=tuple(pages), entries=read_pages(pages))

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """From an envelope of at most 1,000,000 bytes. Raises `CardError`."""
        envelope = codec.decode(raw, limit=MAX_LIST, what="revocation list")
        if not isinstance(envelope, list) or len(envelope) != 4:
            raise CardError("malformed", "a revocation list is an array of four parts")
        fields.version(envelope[0], "revocation list version")
        _, head, signature, pages = envelope
        if not isinstance(head, bytes) or not isinstance(pages, list):
            raise CardError("malformed", "a revocation list has a binary head and an array of pages")
        if not all(isinstance(page, bytes) for page in pages):
            raise CardError("malformed", "a page is binary")
        return cls.read(head, fields.binary(64)(signature, "list signature"), pages)

    @property
    def raw(self) -> bytes:
        """The envelope: its encoding is the only one, so it is made again when it is asked for."""
        return codec.encode([1, self.head, self.signature, list(self.pages)])


@dataclass(frozen=True, kw_only=True)
class IssuerRevocations:
    """What one issuer has revoked, as far as we have seen: its newest list, twins of it, older ones still needed.

    More than one `current` means that two lists share a number (an honestly restored issuer makes them too): their
    union holds until a later list names them all in `heals`.
    """

    current: tuple[RevocationList, ...]
    older: tuple[RevocationList, ...] = ()
    disputed: frozenset[bytes] = frozenset()

    @property
    def sequence(self) -> int:
        return self.current[0].sequence

    @property
    def next_due(self) -> int:
        """When the next list is due, seconds since 1970; of twins the earlier one's word counts."""
        return min(one.next_due for one in self.current)

    @property
    def lists(self) -> tuple[RevocationList, ...]:
        """All that must be kept, oldest first: adding them in this order gives this state again."""
        return self.older + self.current

    @cached_property
    def head(self) -> Head:
        digests = sorted(one.digest for one in self.current)
        return Head(bytes(self.current[0].issuer), self.sequence, hashlib.sha256(b"".join(digests)).digest())

    @cached_property
    def entries(self) -> Mapping[bytes, Entry]:
        """The union; of two entries for one subject the one remembered longest."""
        union: dict[bytes, Entry] = {}
        for one in self.lists:
            for entry in one.entries:
                known = union.get(entry.subject)
                union[entry.subject] = entry if known is None or entry.until > known.until else known
        return union

    def add(self, new: RevocationList, now: int) -> tuple["IssuerRevocations", Finding | None]:
        """This state with one more list, which `Revocations.check` has let pass, and what there is to say about it."""
        if any(one.digest == new.digest for one in self.lists):
            return self, None
        current: tuple[RevocationList, ...] = (new,)
        finding = None
        disputed = self.disputed - set(new.heals)
        if new.sequence == self.sequence:
            current = tuple(sorted((*self.current, new), key=lambda one: one.digest)[:_MAX_TWINS])
            disputed = self.disputed | {one.digest for one in current}
            text = f"{len(current)} different lists of {new.issuer.short} have number {new.sequence}"
            finding = Finding("issuer-equivocation", text)
        older = _needed([one for one in (*self.lists, new) if one not in current], current, now)
        if len(older) > _MAX_OLDER:
            # Dropping one would un-revoke. Staying with what we hold is loud: it becomes stale.
            text = f"list {new.sequence} of {new.issuer.short} leaves out what {len(older)} lists before it revoked"
            return self, Finding("issuer-equivocation", text)
        state = IssuerRevocations(current=current, older=older, disputed=disputed)
        return (self if state == self else state), finding


def _needed(lists: Iterable[RevocationList], newer: Iterable[RevocationList], now: int) -> tuple[RevocationList, ...]:
    """Those of `lists`, oldest first, that revoke something for longer than anything after them does."""
    covered: dict[bytes, int] = {}
    needed: list[RevocationList] = []

    def cover(one: RevocationList) -> None:
        for entry in one.entries:
            covered[entry.subject] = max(entry.until, covered.get(entry.subject, 0))

    for one in newer:
        cover(one)
    for one in reversed(list(lists)):
        if any(entry.until > max(now, covered.get(entry.subject, 0)) for entry in one.entries):
            needed.insert(0, one)
            cover(one)
    return tuple(needed)


def _merged(one: IssuerRevocations, other: IssuerRevocations, now: int) -> IssuerRevocations:
    lists = sorted({found.digest: found for found in (*one.lists, *other.lists)}.values(), key=_order)
    newest = [found for found in lists if found.sequence == lists[-1].sequence]
    current = tuple(newest[:_MAX_TWINS])
    twins = {found.digest for found in newest} if len(newest) > 1 else set()
    healed = {digest for found in lists for digest in found.heals}
    older = _needed([found for found in lists if found not in current], current, now)
    return IssuerRevocations(current=current, older=older, disputed=(one.disputed | other.disputed | twins) - healed)


def _span(seconds: int) -> str:
    """As a policy file writes it."""
    return f"{seconds // 86400}d" if seconds % 86400 == 0 else f"{seconds}s"


def _order(one: RevocationList) -> tuple[int, bytes]:
    return one.sequence, one.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a list is taken: whose it may be, for which network, when, and how long after it the next is due.

    Times are in seconds; `leeway` is how far another's clock may be ahead of ours.
    """

    issuers: Collection[bytes]
    network: str
    now: int
    leeway: int = 300
    lifetime: int = LIST_LIFETIME


@dataclass(frozen=True, slots=True)
class Revocations:
    """Everything revoked, by issuer: a value. `add` is the only way to a new one, and checks first."""

    by_issuer: Mapping[bytes, IssuerRevocations] = field(default_factory=dict)

    def check(self, new: SignedHead, terms: Terms, *, signatures: SignatureCache | None = None) -> Finding | None:
        """Why a list of this head is not taken, whatever is on its pages; None for one that is held already."""
        if new.issuer not in terms.issuers:
            return Finding("unknown-issuer", f"revocation list of {new.issuer.short}, not in this policy")
        finding = new.check(network=terms.network, now=terms.now, leeway=terms.leeway, signatures=signatures)
        held = self.by_issuer.get(new.issuer)
        if finding is not None or (held is not None and any(one.digest == new.digest for one in held.lists)):
            return finding
        if held is not None and new.sequence < held.sequence:
            return Finding("rollback", f"list {new.sequence} of {new.issuer.short}, already hold {held.sequence}")
        if new.next_due - new.issued_at > terms.lifetime:
            asked, most = _span(new.next_due - new.issued_at), _span(terms.lifetime)
            text = (
                f"list {new.sequence} of {new.issuer.short} has its next due {asked} after it, this policy takes {most}"
            )
            return Finding("list-lifetime", f'{text}; where that issuer stays offline: list_lifetime = "{asked}"')
        return None

    def add(
        self, new: RevocationList, terms: Terms, *, signatures: SignatureCache | None = None
    ) -> tuple["Revocations", Finding | None]:
        """These revocations with `new`, if `check` finds nothing against it; and a finding where there is one.

        After any finding but issuer-equivocation the value is unchanged.
        """
        finding = self.check(new, terms, signatures=signatures)
        if finding is not None:
            return self, finding
        held = self.by_issuer.get(new.issuer)
        state, finding = (IssuerRevocations(current=(new,)), None) if held is None else held.add(new, terms.now)
        if state is held:
            return self, finding
        return Revocations({**self.by_issuer, new.issuer: state}), finding

    def merge(self, other: "Revocations", now: int) -> "Revocations":
        """What both hold, whose lists must all be verified; the order of merging changes nothing."""
        by_issuer = {**other.by_issuer, **self.by_issuer}
        for issuer in self.by_issuer.keys() & other.by_issuer.keys():
            by_issuer[issuer] = _merged(self.by_issuer[issuer], other.by_issuer[issuer], now)
        return Revocations(dict(sorted(by_issuer.items())))

    @property
    def heads(self) -> tuple[Head, ...]:
        """One per issuer, sorted by issuer key."""
        return tuple(self.by_issuer[issuer].head for issuer in sorted(self.by_issuer))

    def find(self, issuer: bytes, *subjects: bytes, now: int) -> Entry | None:
        """The first entry of `issuer` for one of `subjects`, in their order: identity keys, card ids, issuer keys."""
        state = self.by_issuer.get(issuer)
        for subject in subjects if state else ():
            entry = state.entries.get(bytes(subject)) if state else None
            if entry is not None and entry.until > now:
                return entry
        return None

    def to_json(self) -> list[dict[str, Any]]:
        return [
            {
                "issuer": str(IssuerId(issuer)),
                "sequence": state.sequence,
                "next_due": state.next_due,
                "entries": [
                    {
                        "subject": entry.subject.hex(),
                        "at": entry.at,
                        "reason": entry.reason,
                        "until": entry.until,
                    }
                    for _, entry in sorted(state.entries.items())
                ],
            }
            for issuer, state in sorted(self.by_issuer.items())
        ]
