"""Revocation lists: what an issuer takes back, signed, numbered, kept until it no longer matters.

    envelope   [1, head, signature, [page, ...]]
    page       [[subject, at, reason, until], ...]      sorted by subject

The signed head commits to the digest of each page. A subject is an identity key or a card id, both 32 bytes. An entry
voids that issuer's grants and nothing else. Nodes keep the union of what they have seen until each entry's `until`,
so that a later list cannot quietly un-revoke.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Self

from . import codec, fields
from .fields import Field
from .findings import CardError, Finding
from .keys import IssuerId
from .statements import REVOCATION, REVOCATION_ID, SignatureCache, digest, frame, verify

MAX_LIST = 60_000  # bytes: one message on a link holds a list whole; 1,000 entries make about 50 kB
MAX_HEAD = 512  # bytes; one page and four healed digests make about 320
MAX_PAGES = 1  # the head can name more; one message carries one page of this size
MAX_ENTRIES = 1_000
MAX_NEXT = 400 * 86400  # seconds from `iat` to `next`, for issuers that stay offline
_MAX_TWINS = 4  # lists with one number that are kept apart
_MAX_OLDER = 8  # earlier lists kept for entries that a later one left out

REASONS = ("unspecified", "key-compromise", "lost", "left", "superseded")


class Entry(NamedTuple):
    """One revocation: 32 bytes of identity key or card id, since when, why, and until when it must be remembered."""

    subject: bytes
    at: int
    reason: str
    until: int


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


def page_digest(page: bytes) -> bytes:
    return hashlib.sha256(page).digest()


def read_head(head: bytes) -> dict[str, Any]:
    """The checked values of a head. Raises `CardError`."""
    values = fields.read_map(head, _HEAD_FIELDS, limit=MAX_HEAD, what="head")
    if not 0 < values["next"] - values["iat"] <= MAX_NEXT:
        raise CardError("bad-validity", f"next is {values['next'] - values['iat']} s after iat, 1 to {MAX_NEXT}")
    return values


@dataclass(frozen=True, kw_only=True)
class RevocationList:
    """A list as claimed: well-formed, its pages those of its head, its signature not yet checked."""

    raw: bytes = field(repr=False)
    head: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    network: str
    issuer: IssuerId
    sequence: int
    issued_at: int
    next_due: int
    heals: tuple[bytes, ...] = ()
    entries: tuple[Entry, ...] = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """From an envelope of at most 60,000 bytes. Raises `CardError`."""
        envelope = codec.decode(raw, limit=MAX_LIST, what="revocation list")
        if not isinstance(envelope, list) or len(envelope) != 4:
            raise CardError("malformed", "a revocation list is an array of four parts")
        fields.version(envelope[0], "revocation list version")
        _, head, signature, pages = envelope
        if not isinstance(head, bytes) or not isinstance(pages, list):
            raise CardError("malformed", "a revocation list has a binary head and an array of pages")
        signature = fields.binary(64)(signature, "list signature")
        values = read_head(head)
        if not all(isinstance(page, bytes) for page in pages):
            raise CardError("malformed", "a page is binary")
        if [page_digest(page) for page in pages if isinstance(page, bytes)] != list(values["pages"]):
            raise CardError("revocation-invalid", "the pages are not those that the head names")
        return cls(
            raw=raw,
            head=head,
            signature=signature,
            network=values["net"],
            issuer=values["iss"],
            sequence=values["seq"],
            issued_at=values["iat"],
            next_due=values["next"],
            heals=values.get("heals", ()),
            entries=tuple(entry for page in pages if isinstance(page, bytes) for entry in _read_page(page)),
        )

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


def _read_page(page: bytes) -> list[Entry]:
    rows = codec.decode(page, limit=MAX_LIST, what="page")
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_ENTRIES:
        raise CardError("malformed", f"a page is an array of 1 to {MAX_ENTRIES} entries")
    entries = []
    for row in rows:
        if not isinstance(row, list) or len(row) != 4:
            raise CardError("malformed", "an entry is an array of four parts")
        subject, at, reason, until = row
        entry = Entry(
            fields.binary(32)(subject, "subject"),
            fields.integer(at, "at"),
            fields.name(32)(reason, "reason"),
            fields.integer(until, "until"),
        )
        entries.append(entry)
    subjects = [entry.subject for entry in entries]
    if subjects != sorted(set(subjects)):
        raise CardError("not-deterministic", "the entries are not sorted by subject without repeats")
    return entries


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
        """This state with one more list of verified signature, and what there is to say about it."""
        if any(one.digest == new.digest for one in self.lists):
            return self, None
        if new.sequence < self.sequence:
            return self, Finding("rollback", f"list {new.sequence} of {new.issuer.short}, already hold {self.sequence}")
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


def _order(one: RevocationList) -> tuple[int, bytes]:
    return one.sequence, one.digest


@dataclass(frozen=True, slots=True)
class Revocations:
    """Everything revoked, by issuer: a value. `add` is the only way to a new one, and checks first."""

    by_issuer: Mapping[bytes, IssuerRevocations] = field(default_factory=dict)

    def add(
        self,
        new: RevocationList,
        *,
        issuers: Iterable[bytes],
        network: str,
        now: int,
        leeway: int = 300,
        signatures: SignatureCache | None = None,
    ) -> tuple["Revocations", Finding | None]:
        """These revocations with `new`, if one of `issuers` signed it; and a finding where there is one.

        After any finding but issuer-equivocation the value is unchanged.
        """
        if new.issuer not in set(issuers):
            return self, Finding("unknown-issuer", f"revocation list of {new.issuer.short}, not in this policy")
        finding = new.check(network=network, now=now, leeway=leeway, signatures=signatures)
        if finding is not None:
            return self, finding
        held = self.by_issuer.get(new.issuer)
        state, finding = (IssuerRevocations(current=(new,)), None) if held is None else held.add(new, now)
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
