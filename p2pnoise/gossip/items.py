"""Items: the ids under which bodies, records and grants are compared, and the index whose stretches two nodes match.

Bodies, records and grants have ids of their own, so that tables which differ in one renewed grant look different.
Ids are computed after verification and never over signature bytes. What is done with them is done with sets of them:
a world that simulates thousands of nodes has sets of another make.

Items are compared in groups, one for each root issuer for which they count, in the order of their keys: the hour in
which they were issued, then the id. So what is new stands together, at the end.
"""

import hashlib
from collections.abc import Iterator, Sequence, Set
from functools import lru_cache
from itertools import islice
from typing import NamedTuple, TypeAlias

from cards import AddressRecord
from cards.statements import digest

from .messages import FINGERPRINT_SIZE, HOUR_SIZE, ID_SIZE, Fingerprint
from .runs import Runs

ItemSet: TypeAlias = Set[bytes]

_BODY, _RECORD, _GRANT = range(3)  # in the order in which they are asked for: a body brings its grants along
_MODULUS = 1 << 256
_HOUR = 3_600  # seconds
_LAST_HOUR = (1 << 8 * HOUR_SIZE) - 1  # of 1,900 years
NO_ISSUER = b""  # the group of what counts although no issuer endorses it: pinned, or trusted on first use
_remembered = lru_cache(maxsize=16_384)  # some 4 MB each; one item is asked for a dozen times while it comes in


@_remembered
def body_id(card_id: bytes) -> bytes:
    return _id(_BODY, digest("p2pnoise/v1/item.body", card_id))


def record_id(record: AddressRecord) -> bytes:
    return _record_id(record.body)


@_remembered
def _record_id(body: bytes) -> bytes:
    return _id(_RECORD, digest("p2pnoise/v1/item.record", body))


@_remembered
def grant_id(card_id: bytes, key: bytes, attrs: bytes) -> bytes:
    """By the key that signed, an issuer's or a delegate's: whom a delegate speaks for depends on the policy."""
    return _id(_GRANT, digest("p2pnoise/v1/item.grant", card_id, key, hashlib.sha256(attrs).digest()))


def _id(kind: int, hashed: bytes) -> bytes:
    """The kind in the two highest bits, so that sorted ids are in the order in which they are best asked for."""
    return bytes((kind << 6 | hashed[0] & 0x3F,)) + hashed[1:ID_SIZE]


class Place(NamedTuple):
    """Where an item stands in comparisons: at which hour, and in which groups."""

    hour: int
    groups: frozenset[bytes]

    @classmethod
    def of(cls, issued_at: int, groups: frozenset[bytes]) -> "Place":
        """Of an item that was issued at this second, for these root issuers."""
        return cls(min(issued_at // _HOUR, _LAST_HOUR), groups)


class Span(NamedTuple):
    """The keys of a group from `low` on and below `high`, where `b""` is the end."""

    group: bytes
    low: bytes
    high: bytes


def is_body(item: bytes) -> bool:
    """Whether this is the id of a card's body, as far as it says itself."""
    return item[0] >> 6 == _BODY


def key_of(item: bytes, hour: int) -> bytes:
    """By what items are ordered."""
    return hour.to_bytes(HOUR_SIZE, "big") + item


def bound_between(last: bytes, first: bytes) -> bytes:
    """The shortest bytes that are above the key `last` and not above the key `first`, the next one."""
    same = next(at for at, (one, other) in enumerate(zip(last, first, strict=True)) if one != other)
    return first[: same + 1]


@_remembered
def share(item: bytes) -> int:
    """What an id adds to the sum of a stretch."""
    return int.from_bytes(hashlib.sha256(item).digest(), "big")


def _share_of(key: bytes) -> int:
    return share(key[HOUR_SIZE:])


def fingerprint(total: int, count: int) -> bytes:
    """16 bytes that stand for a stretch, by the sum of its shares and the number of its ids.

    Sums can be kept up item by item. Those of hashes of 256 bits are hard to aim at for who makes few ids; who has
    128 identities here could make two sets of records with one sum in some 2^32 steps. What it gains: two nodes do not
    notice that they differ in these items of its own while they compare no part of them; what is announced meanwhile
    spreads all the same.
    """
    summed = (total % _MODULUS).to_bytes(32, "big") + count.to_bytes(8, "big")
    return hashlib.sha256(summed).digest()[:FINGERPRINT_SIZE]


class PlainSets:
    """The making of sets of ids, as far as it is not `|`, `&` and `-`. Of these here: frozensets."""

    none: ItemSet = frozenset()

    @staticmethod
    def gathering() -> ItemSet:
        """An empty set to be added to, by `|=`, and to be given to nobody."""
        return set()

    @staticmethod
    def first(ids: ItemSet, most: int) -> ItemSet:
        """The first so many of them, in their order."""
        return ids if len(ids) <= most else frozenset(sorted(ids)[:most])


class ItemIndex(PlainSets):
    """Item ids with the identity that each belongs to, and of each group the keys in their order."""

    def __init__(self) -> None:
        self._owners: dict[bytes, bytes] = {}
        self._groups: dict[bytes, Runs] = {}

    def __contains__(self, item: object) -> bool:
        return item in self._owners

    def __len__(self) -> int:
        return len(self._owners)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._owners)

    def owner(self, item: bytes) -> bytes | None:
        return self._owners.get(item)

    def held(self, ids: ItemSet) -> ItemSet:
        """Those of these ids that are here."""
        return ids - self.lacking(ids)

    def lacking(self, ids: ItemSet) -> ItemSet:
        """Those of these ids that are not here."""
        return frozenset(ids).difference(self._owners)

    def add(self, item: bytes, identity: bytes, place: Place) -> None:
        """Take an item that is not here."""
        self._owners[item] = identity
        key = place.hour.to_bytes(HOUR_SIZE, "big") + item
        for group in place.groups:
            runs = self._groups.get(group)
            if runs is None:
                runs = self._groups[group] = Runs(_share_of)
            runs.add(key)

    def remove(self, item: bytes, place: Place) -> None:
        """Let go of an item that was added at this place."""
        del self._owners[item]
        for group in place.groups:
            self._groups[group].remove(key_of(item, place.hour))

    # Comparing

    def count(self, span: Span) -> int:
        return self._of(span).count(span.low, span.high)

    def fingerprint(self, span: Span) -> Fingerprint:
        """Equal to that of another table which holds the same ids there.

        It is not so to any others but by chance, or by work on ids of one's own: see `fingerprint`.
        """
        runs = self._of(span)
        return fingerprint(runs.total(span.low, span.high), runs.count(span.low, span.high))

    def keys_at(self, span: Span, ranks: Sequence[int]) -> list[bytes]:
        """The keys of these ranks, which ascend, counted from 0 at the beginning. There must be as many."""
        return self._of(span).at(span.low, ranks)

    def within(self, span: Span) -> ItemSet:
        """All ids there."""
        return frozenset(key[HOUR_SIZE:] for key in self._of(span).keys(span.low, span.high))

    def beyond(self, span: Span, ids: ItemSet, most: int) -> tuple[ItemSet, bytes | None]:
        """The first `most` there that are none of these, and the bound behind which there are more, if there are."""
        keys = (key for key in self._of(span).keys(span.low, span.high) if key[HOUR_SIZE:] not in ids)
        found = list(islice(keys, most))
        after = next(keys, None)
        rest = None if after is None else bound_between(found[-1], after) if found else span.low
        return frozenset(key[HOUR_SIZE:] for key in found), rest

    def _of(self, span: Span) -> Runs:
        return self._groups.get(span.group, _NOTHING)


_NOTHING = Runs(_share_of)
