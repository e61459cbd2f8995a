"""Gossip messages: what two linked nodes say about cards, records, lists and statements; encoded, limited, versioned.

    message    [1, type, field, ...]     deterministic msgpack, at most 64,000 bytes

A message of a version or type that we do not know is ignored and counted, so that newer nodes can say more.
"""

import struct
from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass
from enum import IntEnum
from operator import lt
from typing import Any, TypeAlias

from cards.codec import decode as decode_value
from cards.codec import encode as encode_value
from cards.facts import MAX_STATEMENTS
from cards.findings import CardError
from cards.pages import MAX_PAGES
from cards.policy import MAX_ISSUERS
from cards.revocation import Head

MAX_MESSAGE = 64_000  # bytes: with its frame header it fits one transport message of 65,517
ID_SIZE = 16  # bytes of an item id on the wire: the first half of a SHA-256, 64 bits against an aimed collision
BUCKETS = 64
FINGERPRINT_SIZE = 8
MAX_IDS = 3_000  # in one message: 48 kB
MAX_WANT = 512  # items asked for at once: 1,024 bytes each at most, half of what one question may draw
MAX_SAMPLE = 16  # ids of one sample: eight peers, as HyParView shuffles them
NONCE_SIZE = 4  # bytes that tell probes apart: enough that no answer is right by chance before its time
MAX_ITEMS_BYTES = 56_000  # a message of items that has grown beyond this is closed
MAX_ITEMS = 512
MAX_WANT_STATEMENTS = 96
DIGEST_SIZE = 32  # bytes of the digest that names a statement or a page
MAX_WANT_PAGES = 8  # asked for at once: half a megabyte, half of what one question may draw


class MessageError(ValueError):
    """A peer sent a gossip message that no honest node sends. The link is finished; nothing of it was used."""


@dataclass(frozen=True, slots=True)
class Heads:
    """The newest revocation lists that the sender holds, one head per issuer."""

    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class WantLists:
    """Asks for the lists of these issuers."""

    issuers: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GivenList:
    """One revocation list: its head as signed, and its page where it has one alone; others are to be asked for."""

    head: bytes
    signature: bytes
    pages: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class WantPages:
    """Asks for these pages of lists that were given."""

    digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GivenPage:
    """A page that was asked for; an empty one ends the answer."""

    page: bytes


@dataclass(frozen=True, slots=True)
class Digest:
    """One fingerprint for each of the 64 buckets of the sender's item ids: see `items.fingerprint`."""

    fingerprints: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Ids:
    """All item ids that the sender holds in these buckets."""

    buckets: tuple[int, ...]
    ids: Set[bytes]


@dataclass(frozen=True, slots=True)
class Announce:
    """Ids of items that the sender holds and takes to be news."""

    ids: Set[bytes]


@dataclass(frozen=True, slots=True)
class Want:
    """Asks for these items."""

    ids: Set[bytes]


@dataclass(frozen=True, slots=True)
class CardItem:
    """A card envelope: the body, both signatures and the grants that the sender counts."""

    raw: bytes

    @property
    def size(self) -> int:
        return len(self.raw)


@dataclass(frozen=True, slots=True)
class GrantItem:
    """A renewed grant for a card that the receiver is known to hold."""

    card_id: bytes
    kid: bytes
    attrs: bytes
    signature: bytes

    @property
    def size(self) -> int:
        return len(self.card_id) + len(self.kid) + len(self.attrs) + len(self.signature)


@dataclass(frozen=True, slots=True)
class RecordItem:
    """An address record envelope."""

    raw: bytes

    @property
    def size(self) -> int:
        return len(self.raw)


Item: TypeAlias = CardItem | GrantItem | RecordItem


@dataclass(frozen=True, slots=True)
class Items:
    """Items that were asked for, in one or more messages; the `last` one ends the answer."""

    items: Collection[Item]
    last: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """Cards and records of some peers, by their ids: see views.py."""

    ids: Set[bytes]
    asks: bool  # for one of the receiver
    full: bool  # the sender has no room for the receiver among its neighbours


@dataclass(frozen=True, slots=True)
class Probe:
    """Asks for an answer: whether the receiver lives or, where a Node ID is given, whether that node does."""

    nonce: bytes
    about: bytes = b""  # nobody is dialled for it


class Found(IntEnum):
    """What came of a probe."""

    HERE = 0
    NO_LINK = 1  # or no time for it
    NO_ANSWER = 2


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """Answers a probe."""

    nonce: bytes
    found: Found


@dataclass(frozen=True, slots=True)
class HeldStatements:
    """Digests of statements that the sender holds: of all, or of those that are news to it."""

    digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class WantStatements:
    """Asks for these statements."""

    digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GivenStatements:
    """Statements that were asked for, each with the label of its kind; an empty message ends the answer."""

    statements: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of a later version: to be ignored and counted."""


OfLists: TypeAlias = Heads | WantLists | GivenList | WantPages | GivenPage
OfStatements: TypeAlias = HeldStatements | WantStatements | GivenStatements
OfLiveness: TypeAlias = Probe | ProbeAnswer
Message: TypeAlias = OfLists | Digest | Ids | Announce | Want | Items | Sample | OfStatements | OfLiveness

_TYPES: dict[type, int] = {
    Heads: 1,
    WantLists: 2,
    GivenList: 3,
    Digest: 4,
    Ids: 5,
    Announce: 6,
    Want: 7,
    Items: 8,
    HeldStatements: 9,
    WantStatements: 10,
    GivenStatements: 11,
    WantPages: 12,
    GivenPage: 13,
    Sample: 17,
    Probe: 21,
    ProbeAnswer: 22,
}
_ITEM_TYPES: dict[type, int] = {CardItem: 1, GrantItem: 2, RecordItem: 3}


def encode(message: Message) -> bytes:  # noqa: C901 - a table of shapes
    """The bytes of one message, at most `MAX_MESSAGE`."""
    fields: list[Any]
    match message:
        case Heads(heads):
            fields = [[[head.issuer, head.sequence, head.digest] for head in heads]]
        case WantLists(issuers):
            fields = [list(issuers)]
        case GivenList(head, signature, pages):
            fields = [head, signature, list(pages)]
        case GivenPage(page):
            fields = [page]
        case Digest(fingerprints):
            fields = [b"".join(fingerprints)]
        case Ids(buckets, ids):
            fields = [bytes(buckets), b"".join(sorted(ids))]
        case Announce(ids) | Want(ids):
            fields = [b"".join(sorted(ids))]
        case Sample(ids, asks, full):
            fields = [b"".join(sorted(ids)), asks, full]
        case Probe(nonce, about):
            fields = [nonce, about] if about else [nonce]
        case ProbeAnswer(nonce, found):
            fields = [nonce, found.value]
        case Items(items, last):
            fields = [[_encode_item(item) for item in items], last]
        case HeldStatements(digests) | WantStatements(digests) | WantPages(digests):
            fields = [b"".join(digests)]
        case GivenStatements(statements):
            fields = [[list(statement) for statement in statements]]
    return encode_value([1, _TYPES[type(message)], *fields])


def _encode_item(item: Item) -> list[Any]:
    match item:
        case CardItem(raw) | RecordItem(raw):
            return [_ITEM_TYPES[type(item)], raw]
        case GrantItem(card_id, kid, attrs, signature):
            return [_ITEM_TYPES[GrantItem], card_id, kid, attrs, signature]


def item_size(item: Item) -> int:
    """How many bytes of a message an item takes."""
    return len(encode_value(_encode_item(item)))


def decode(data: bytes) -> Message | Unknown:
    """The message in `data`. Raises `MessageError` and nothing else."""
    try:
        value = decode_value(data, limit=MAX_MESSAGE, what="message")
    except CardError as error:
        raise MessageError(str(error)) from None
    match value:
        case [bool(), *_] | [_, bool(), *_]:
            pass  # to Python True is 1, and one meaning would have two forms
        case [1, int(kind), *fields] if kind in _TYPES.values():
            message = _read(kind, fields)
            if message is None:
                raise MessageError(f"message of type {kind} with fields that it does not have")
            return message
        case [int(), int(), *_]:
            return Unknown()
    raise MessageError("not an array that begins with a version and a type")


def _read(kind: int, fields: list[Any]) -> Message | None:  # noqa: C901, PLR0911, PLR0912 - a table of shapes
    match kind, fields:
        case 1, [list(heads)] if len(heads) <= MAX_ISSUERS and all(map(_is_head, heads)):
            return Heads(tuple(Head(*head) for head in heads))
        case 2, [list(issuers)] if len(issuers) <= MAX_ISSUERS and all(map(_is_key, issuers)):
            return WantLists(tuple(issuers))
        case 3, [bytes(head), bytes(signature), list(pages)] if len(pages) <= MAX_PAGES and all(map(_is_page, pages)):
            return GivenList(head, signature, tuple(pages))
        case 4, [bytes(joined)] if len(joined) == BUCKETS * FINGERPRINT_SIZE:
            return Digest(_split(joined, FINGERPRINT_SIZE))
        case 5, [bytes(buckets), bytes(joined)] if _is_ids(joined) and _is_buckets(buckets):
            return Ids(tuple(buckets), frozenset(_split(joined, ID_SIZE)))
        case 6, [bytes(joined)] if _is_ids(joined):
            return Announce(frozenset(_split(joined, ID_SIZE)))
        case 7, [bytes(joined)] if _is_ids(joined) and len(joined) <= MAX_WANT * ID_SIZE:
            return Want(frozenset(_split(joined, ID_SIZE)))
        case 8, [list(items), bool(last)] if len(items) <= MAX_ITEMS:
            read = tuple(_read_item(item) for item in items)
            return Items(tuple(item for item in read if item is not None), last) if None not in read else None
        case 9, [bytes(joined)] if _is_digests(joined, MAX_STATEMENTS):
            return HeldStatements(_split(joined, DIGEST_SIZE))
        case 10, [bytes(joined)] if _is_digests(joined, MAX_WANT_STATEMENTS):
            return WantStatements(_split(joined, DIGEST_SIZE))
        case 11, [list(statements)] if len(statements) <= MAX_WANT_STATEMENTS and all(map(_is_statement, statements)):
            return GivenStatements(tuple((label, raw) for label, raw in statements))
        case 12, [bytes(joined)] if _is_digests(joined, MAX_WANT_PAGES):
            return WantPages(_split(joined, DIGEST_SIZE))
        case 13, [bytes(page)]:
            return GivenPage(page)
        case 17, [bytes(joined), bool(asks), bool(full)] if _is_ids(joined) and len(joined) <= MAX_SAMPLE * ID_SIZE:
            return Sample(frozenset(_split(joined, ID_SIZE)), asks, full)
        case 21, [bytes(nonce), *about] if len(nonce) == NONCE_SIZE and len(about) < 2 and all(map(_is_key, about)):
            return Probe(nonce, *about)
        case 22, [bytes(nonce), int(found)] if len(nonce) == NONCE_SIZE and _is_found(found):
            return ProbeAnswer(nonce, Found(found))
    return None


def _read_item(item: Any) -> Item | None:
    match item:
        case [bool(), *_]:
            return None
        case [1, bytes(raw)]:
            return CardItem(raw)
        case [2, bytes(card_id), bytes(kid), bytes(attrs), bytes(signature)]:
            return GrantItem(card_id, kid, attrs, signature)
        case [3, bytes(raw)]:
            return RecordItem(raw)
    return None


def _is_head(head: Any) -> bool:
    match head:
        case [bytes(issuer), int(sequence), bytes(digest)] if not isinstance(sequence, bool):
            return len(issuer) == 32 and len(digest) == 32
    return False


def _is_statement(statement: Any) -> bool:
    match statement:
        case [str(), bytes()]:
            return True
    return False


def _is_found(found: int) -> bool:
    return not isinstance(found, bool) and found in Found.__members__.values()


def _is_page(page: Any) -> bool:
    return isinstance(page, bytes)


def _is_digests(joined: bytes, most: int) -> bool:
    return len(joined) % DIGEST_SIZE == 0 and len(joined) <= most * DIGEST_SIZE


def _is_key(value: Any) -> bool:
    return _is_bytes(value, 32)


def _is_bytes(value: Any, size: int) -> bool:
    return isinstance(value, bytes) and len(value) == size


def _is_ids(joined: bytes) -> bool:
    """Whether these are ids in the one form of a set of them: ascending, none of them twice."""
    if len(joined) % ID_SIZE or len(joined) > MAX_IDS * ID_SIZE:
        return False
    ids = _split(joined, ID_SIZE)
    return all(map(lt, ids, ids[1:]))


def _is_buckets(buckets: bytes) -> bool:
    return list(buckets) == sorted(set(buckets)) and all(bucket < BUCKETS for bucket in buckets)


def _split(joined: bytes, size: int) -> tuple[bytes, ...]:
    return tuple([part for (part,) in struct.iter_unpack(f"{size}s", joined)])
