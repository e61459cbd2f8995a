"""Items: the ids under which bodies, records and grants are compared, and the index whose fingerprints two nodes match.

Bodies, records and grants have ids of their own, so that tables which differ in one renewed grant look different.
Ids are computed after verification and never over signature bytes. What is done with them is done with sets of them:
a world that simulates thousands of nodes has sets of another make.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence, Set
from functools import lru_cache
from typing import TypeAlias

from cards import AddressRecord
from cards.statements import digest

from .messages import BUCKETS, FINGERPRINT_SIZE, ID_SIZE

ItemSet: TypeAlias = Set[bytes]

_BODY, _RECORD, _GRANT = range(3)  # in the order in which they are asked for: a body brings its grants along
_MODULUS = 1 << 256
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


def is_body(item: bytes) -> bool:
    """Whether this is the id of a card's body, as far as it says itself."""
    return item[0] >> 6 == _BODY


def bucket_of(item: bytes) -> int:
    return item[0] % BUCKETS


@_remembered
def share(item: bytes) -> int:
    """What an id adds to the sum of its bucket."""
    return int.from_bytes(hashlib.sha256(item).digest(), "big")


def fingerprint(total: int, count: int) -> bytes:
    """8 bytes that stand for a bucket, by the sum of its shares and the number of its ids.

    Sums can be kept up item by item. Those of hashes of 256 bits are hard to aim at for who makes few ids; who has
    128 identities here could make two sets of records with one sum in some 2^32 steps, as two buckets with one
    fingerprint of 8 bytes cost in any case. What it gains: two nodes do not notice that they differ in these items of
    its own until another item of that bucket changes; what is announced meanwhile spreads all the same.
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
    """Item ids with the identity that each belongs to, in 64 buckets by their first byte."""

    def __init__(self) -> None:
        self._owners: dict[bytes, bytes] = {}
        self._buckets: list[set[bytes]] = [set() for _ in range(BUCKETS)]
        self._sums = [0] * BUCKETS
        self._fingerprints: list[bytes | None] = [None] * BUCKETS

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

    def in_buckets(self, indexes: Iterable[int]) -> ItemSet:
        """All ids of these buckets."""
        return frozenset().union(*(self._buckets[index] for index in indexes))

    def bucket_size(self, index: int) -> int:
        return len(self._buckets[index])

    def fingerprints(self) -> Sequence[bytes]:
        """8 bytes for each bucket: equal in two tables that hold the same items there.

        They are not so in any others but by chance, or by work on ids of one's own: see `fingerprint`.
        """
        for index, known in enumerate(self._fingerprints):
            if known is None:
                self._fingerprints[index] = fingerprint(self._sums[index], len(self._buckets[index]))
        return tuple(known for known in self._fingerprints if known is not None)

    def differing(self, theirs: Sequence[bytes]) -> list[int]:
        """The buckets whose fingerprints are others than these."""
        return [index for index, ours in enumerate(self.fingerprints()) if ours != theirs[index]]

    def add(self, item: bytes, identity: bytes) -> None:
        index = bucket_of(item)
        if item not in self._owners:
            self._buckets[index].add(item)
            self._sums[index] += share(item)
            self._fingerprints[index] = None
        self._owners[item] = identity

    def remove(self, item: bytes) -> None:
        del self._owners[item]
        index = bucket_of(item)
        self._buckets[index].discard(item)
        self._sums[index] -= share(item)
        self._fingerprints[index] = None
