"""Gossip messages: what two linked nodes say about cards, records, lists and statements; encoded, limited, versioned.

    message    [1, type, field, ...]     deterministic msgpack, at most 64,000 bytes

A message of a version or type that we do not know is ignored and counted, so that newer nodes can say more.
"""

import struct
from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass
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
    """Asks for these items. `graft`: they were news that nobody pushed; the receiver is to push from now on."""

    ids: Set[bytes]
    graft: bool = False


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
class Push:
    """Items that are news to the sender, unasked for."""

    items: Collection[Item]


@dataclass(frozen=True, slots=True)
class Prune:
    """Of what the receiver pushed nothing was new: it is to tell its news by id from now on."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Cards and records of some peers, by their ids: see views.py."""

    ids: Set[bytes]
    asks: bool  # for one of the receiver
    full: bool  # the sender has no room for the receiver among its neighbours


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
OfItems: TypeAlias = Digest | Ids | Announce | Want | Items | Push | Prune
Message: TypeAlias = OfLists | OfStatements | OfItems | Sample

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
    Push: 15,
    Prune: 16,
    Sample: 17,
}
_ITEM_TYPES: dict[type, int] = {CardItem: 1, GrantItem: 2, RecordItem: 3}


def encode(message: Message) -> bytes:  # noqa: C901 - a table of shapes, one line each
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
        case Announce(ids):
            fields = [b"".join(sorted(ids))]
        case Want(ids, graft):
            fields = [b"".join(sorted(ids)), graft]
        case Sample(ids, asks, full):
            fields = [b"".join(sorted(ids)), asks, full]
        case Items(items, last):
            fields = [[_encode_item(item) for item in items], last]
        case Push(items):
            fields = [[_encode_item(item) for item in items]]
        case Prune():
            fields = []
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


def _read(kind: int, fields: list[Any]) -> Message | None:  # noqa: C901, PLR0911, PLR0912 - a table of shapes, one line each
    match kind, fields:
        case 1, [list(heads)] if len(heads) <= MAX_ISSUERS and all(map(_is_head, heads)):
            return Heads(tuple(Head(*head) for head in heads))
        case 2, [list(issuers)] if len(issuers) <= MAX_ISSUERS and all(_is_bytes(issuer, 32) for issuer in issuers):
            return WantLists(tuple(issuers))
        case 3, [bytes(head), bytes(signature), list(pages)] if len(pages) <= MAX_PAGES and all(map(_is_page, pages)):
            return GivenList(head, signature, tuple(pages))
        case 4, [bytes(joined)] if len(joined) == BUCKETS * FINGERPRINT_SIZE:
            return Digest(_split(joined, FINGERPRINT_SIZE))
        case 5, [bytes(buckets), bytes(joined)] if _is_ids(joined) and _is_buckets(buckets):
            return Ids(tuple(buckets), frozenset(_split(joined, ID_SIZE)))
        case 6, [bytes(joined)] if _is_ids(joined):
            return Announce(frozenset(_split(joined, ID_SIZE)))
        case 7, [bytes(joined), bool(graft)] if _is_ids(joined) and len(joined) <= MAX_WANT * ID_SIZE:
            return Want(frozenset(_split(joined, ID_SIZE)), graft)
        case 8, [list(items), bool(last)] if (read := _read_items(items)) is not None:
            return Items(read, last)
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
        case 15, [list(items)] if (read := _read_items(items)) is not None:
            return Push(read)
        case 16, []:
            return Prune()
        case 17, [bytes(joined), bool(asks), bool(full)] if _is_ids(joined) and len(joined) <= MAX_SAMPLE * ID_SIZE:
            return Sample(frozenset(_split(joined, ID_SIZE)), asks, full)
    return None


def _read_items(items: list[Any]) -> tuple[Item, ...] | None:
    if len(items) > MAX_ITEMS:
        return None
    read = tuple(_read_item(item) for item in items)
    return tuple(item for item in read if item is not None) if None not in read else None


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


def _is_page(page: Any) -> bool:
    return isinstance(page, bytes)


def _is_digests(joined: bytes, most: int) -> bool:
    return len(joined) % DIGEST_SIZE == 0 and len(joined) <= most * DIGEST_SIZE


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
