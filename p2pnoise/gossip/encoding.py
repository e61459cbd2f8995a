"""Encoding: gossip messages as bytes; limited, versioned, and each in one form alone.

    message    [1, type, field, ...]     deterministic msgpack, at most 64,000 bytes

A message of a version or type that we do not know is ignored and counted, so that newer nodes can say more. The types 4
and 5 had another meaning once, and are not given again.
"""

import struct
from collections.abc import Iterable, Set
from operator import lt
from typing import Any

from cards.codec import decode as decode_value
from cards.codec import encode as encode_value
from cards.facts import MAX_STATEMENTS
from cards.findings import CardError
from cards.pages import MAX_PAGES
from cards.policy import MAX_ISSUERS
from cards.revocation import Head

from .messages import (
    DIGEST_SIZE,
    FINGERPRINT_SIZE,
    ID_SIZE,
    KEY_SIZE,
    MAX_GROUPS,
    MAX_IDS,
    MAX_ITEMS,
    MAX_MESSAGE,
    MAX_RANGES,
    MAX_SAMPLE,
    MAX_WANT,
    MAX_WANT_PAGES,
    MAX_WANT_STATEMENTS,
    NONCE_SIZE,
    Announce,
    CardItem,
    Fingerprint,
    Found,
    GivenList,
    GivenPage,
    GivenStatements,
    GrantItem,
    Heads,
    HeldStatements,
    Item,
    Items,
    Message,
    MessageError,
    Probe,
    ProbeAnswer,
    Prune,
    Push,
    Range,
    Ranges,
    RecordItem,
    Sample,
    Unknown,
    Want,
    WantLists,
    WantPages,
    WantStatements,
)

_TYPES: dict[type, int] = {
    Heads: 1,
    WantLists: 2,
    GivenList: 3,
    Announce: 6,
    Want: 7,
    Items: 8,
    HeldStatements: 9,
    WantStatements: 10,
    GivenStatements: 11,
    WantPages: 12,
    GivenPage: 13,
    Ranges: 14,
    Push: 15,
    Prune: 16,
    Sample: 17,
    Probe: 21,
    ProbeAnswer: 22,
}
_SKIPPED, _FINGERPRINT, _IDS = range(3)
_ITEM_TYPES: dict[type, int] = {CardItem: 1, GrantItem: 2, RecordItem: 3}


def encode(message: Message) -> bytes:  # noqa: C901, PLR0912 - a table of shapes, one line each
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
        case Ranges(groups, told):
            fields = [[[group, _encode_ranges(ranges)] for group, ranges in groups], b"".join(sorted(told))]
        case Announce(ids):
            fields = [b"".join(sorted(ids))]
        case Want(ids, graft):
            fields = [b"".join(sorted(ids)), graft]
        case Sample(ids, asks, full):
            fields = [b"".join(sorted(ids)), asks, full]
        case Probe(nonce, about):
            fields = [nonce, about] if about else [nonce]
        case ProbeAnswer(nonce, found):
            fields = [nonce, found.value]
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


def _encode_ranges(ranges: Iterable[Range]) -> list[Any]:
    """Three values for each: nesting goes no deeper."""
    values: list[Any] = []
    for one in ranges:
        match one.holds:
            case None:
                values += one.upper, _SKIPPED, b""
            case Set() as ids:
                values += one.upper, _IDS, b"".join(sorted(ids))
            case holds:
                values += one.upper, _FINGERPRINT, bytes(holds)
    return values


def _encode_item(item: Item) -> list[Any]:
    match item:
        case CardItem(raw) | RecordItem(raw):
            return [_ITEM_TYPES[type(item)], raw]
        case GrantItem(card_id, kid, attrs, signature):
            return [_ITEM_TYPES[GrantItem], card_id, kid, attrs, signature]


def ranges_size(message: Ranges) -> int:
    """How many bytes this message is, `len(encode(message))`, without writing it."""
    size = 3 + _array(len(message.groups)) + _binary(len(message.told) * ID_SIZE)
    for group, ranges in message.groups:
        size += 1 + _binary(len(group)) + _array(3 * len(ranges))
        for one in ranges:
            match one.holds:
                case None:
                    held = 0
                case Set() as ids:
                    held = len(ids) * ID_SIZE
                case _:
                    held = FINGERPRINT_SIZE
            size += _binary(len(one.upper)) + 1 + _binary(held)
    return size


def _array(count: int) -> int:
    return 1 if count < 16 else 3


def _binary(size: int) -> int:
    return size + (2 if size < 256 else 3 if size < 65_536 else 5)


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
        case 2, [list(issuers)] if len(issuers) <= MAX_ISSUERS and all(map(_is_key, issuers)):
            return WantLists(tuple(issuers))
        case 3, [bytes(head), bytes(signature), list(pages)] if len(pages) <= MAX_PAGES and all(map(_is_page, pages)):
            return GivenList(head, signature, tuple(pages))
        case 6, [bytes(joined)] if (ids := _read_ids(joined, MAX_IDS)) is not None:
            return Announce(ids)
        case 7, [bytes(joined), bool(graft)] if (ids := _read_ids(joined, MAX_WANT)) is not None:
            return Want(ids, graft)
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
        case 14, [list(groups), bytes(joined)] if (
            len(groups) <= MAX_GROUPS and (ids := _read_ids(joined, MAX_IDS)) is not None
        ):
            return _read_ranges(groups, ids)
        case 15, [list(items)] if (read := _read_items(items)) is not None:
            return Push(read)
        case 16, []:
            return Prune()
        case 17, [bytes(joined), bool(asks), bool(full)] if (ids := _read_ids(joined, MAX_SAMPLE)) is not None:
            return Sample(ids, asks, full)
        case 21, [bytes(nonce), *about] if len(nonce) == NONCE_SIZE and len(about) < 2 and all(map(_is_key, about)):
            return Probe(nonce, *about)
        case 22, [bytes(nonce), int(found)] if len(nonce) == NONCE_SIZE and _is_found(found):
            return ProbeAnswer(nonce, Found(found))
    return None


def _read_ranges(groups: list[Any], told: Set[bytes]) -> Ranges | None:
    """In the one form that they have: groups ascend, in a group ranges do, and no two skipped ones could be one."""
    read: list[tuple[bytes, tuple[Range, ...]]] = []
    for group in groups:
        match group:
            case [bytes(name), list(values)] if len(name) in (0, 32) and (not read or name > read[-1][0]):
                ranges = _read_group(values)
            case _:
                return None
        if not ranges:
            return None
        read.append((name, ranges))
    sets = [one.holds for _, ranges in read for one in ranges if isinstance(one.holds, Set)]
    if sum(len(ranges) for _, ranges in read) > MAX_RANGES or sum(map(len, sets)) + len(told) > MAX_IDS:
        return None
    return Ranges(tuple(read), told)


def _read_group(values: list[Any]) -> tuple[Range, ...]:
    """The ranges of a group; none where they are not in their one form."""
    ranges: list[Range] = []
    low, skipped = b"", False
    for upper, kind, data in zip(values[::3], values[1::3], values[2::3], strict=False):
        ended = bool(ranges) and not low
        if ended or not isinstance(upper, bytes) or not isinstance(data, bytes) or isinstance(kind, bool):
            return ()
        # Keys are longer than bounds that end in 0, so that these would be bounds twice.
        if upper and (len(upper) > KEY_SIZE or upper <= low or not upper[-1]):
            return ()
        holds: Fingerprint | Set[bytes] | None = None
        if kind == _FINGERPRINT and len(data) == FINGERPRINT_SIZE:
            holds = data
        elif kind == _IDS and (ids := _read_ids(data, MAX_IDS)) is not None:
            holds = ids
        elif kind != _SKIPPED or data or skipped:
            return ()
        ranges.append(Range(upper, holds))
        low, skipped = upper, holds is None
    return () if skipped or len(values) % 3 else tuple(ranges)


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


def _read_ids(joined: bytes, most: int) -> frozenset[bytes] | None:
    """The ids in these bytes; None unless they are in the one form of a set: ascending, none of them twice."""
    if len(joined) % ID_SIZE or len(joined) > most * ID_SIZE:
        return None
    ids = _split(joined, ID_SIZE)
    return frozenset(ids) if all(map(lt, ids, ids[1:])) else None


def _split(joined: bytes, size: int) -> tuple[bytes, ...]:
    return tuple([part for (part,) in struct.iter_unpack(f"{size}s", joined)])
