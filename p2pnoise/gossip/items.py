"""Items: the ids under which bodies, grants and records are compared, and the index whose fingerprints two nodes match.

Bodies, grants and records have ids of their own, so that tables which differ in one renewed grant look different.
Ids are computed after verification and never over signature bytes.
"""

import hashlib

from cards import AddressRecord
from cards.statements import digest

from .messages import BUCKETS, FINGERPRINT_SIZE, ID_SIZE


def body_id(card_id: bytes) -> bytes:
    return digest("p2pnoise/v1/item.body", card_id)[:ID_SIZE]


def grant_id(card_id: bytes, key: bytes, attrs: bytes) -> bytes:
    """By the key that signed, an issuer's or a delegate's: whom a delegate speaks for depends on the policy."""
    return digest("p2pnoise/v1/item.grant", card_id, key, hashlib.sha256(attrs).digest())[:ID_SIZE]


def record_id(record: AddressRecord) -> bytes:
    return digest("p2pnoise/v1/item.record", record.body)[:ID_SIZE]


class ItemIndex:
    """Item ids with the identity that each belongs to, in 64 buckets by their first byte."""

    def __init__(self) -> None:
        self._owners: dict[bytes, bytes] = {}
        self._buckets: list[set[bytes]] = [set() for _ in range(BUCKETS)]
        self._fingerprints: list[bytes | None] = [None] * BUCKETS

    def __contains__(self, item: object) -> bool:
        return item in self._owners

    def owner(self, item: bytes) -> bytes | None:
        return self._owners.get(item)

    def bucket(self, index: int) -> list[bytes]:
        """The ids of one bucket, sorted: sets of bytes have no order that two runs share."""
        return sorted(self._buckets[index])

    def bucket_size(self, index: int) -> int:
        return len(self._buckets[index])

    def fingerprints(self) -> tuple[bytes, ...]:
        """8 bytes for each bucket: equal in two tables exactly if they hold the same items there."""
        for index, known in enumerate(self._fingerprints):
            if known is None:
                joined = b"".join(self.bucket(index))
                self._fingerprints[index] = hashlib.sha256(joined).digest()[:FINGERPRINT_SIZE]
        return tuple(known for known in self._fingerprints if known is not None)

    def add(self, item: bytes, identity: bytes) -> None:
        self._owners[item] = identity
        self._buckets[item[0] % BUCKETS].add(item)
        self._fingerprints[item[0] % BUCKETS] = None

    def remove(self, item: bytes) -> None:
        del self._owners[item]
        self._buckets[item[0] % BUCKETS].discard(item)
        self._fingerprints[item[0] % BUCKETS] = None
