"""Quotas: how many rows of a table one issuer may have, so that no rogue one fills it.

A row counts for one group alone, the first of its root issuers in the order of their keys, or for what counts without
any. Where a group is full, those stay whose identity keys are the lowest: the same at every node, whoever came first.
So honest tables become equal; if each kept what came first, they would differ for ever, and tell one another of it in
every comparison. Whoever makes keys until one is low takes a place from members of its own issuer alone.
"""

import heapq
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cards import Verdict

from .items import NO_ISSUER

if TYPE_CHECKING:
    from .peer import Peer

ONE_ISSUER = 4  # of a table a quarter, where the policy names several; overlay-and-gossip 2.3(d)
NO_ISSUER_AT_ALL = 10  # a tenth for cards that are pinned, allowed or trusted on first use; the same
_SLACK = 1_000  # identities in a heap that are there no longer, beyond one for each that is


def share(most: int, group: bytes, issuers: int) -> int:
    """How many of `most` rows this group may have, where the policy names so many issuers."""
    if group == NO_ISSUER:
        return most // NO_ISSUER_AT_ALL if issuers else most
    return most // ONE_ISSUER if issuers > 1 else most


def group_of(verdict: Verdict) -> bytes:
    """For which group a row with this verdict counts."""
    return min((bytes(one.authority.root) for one in verdict.counting), default=NO_ISSUER)


class Quotas:
    """The rows of one table by group: how many there are, and which is the first to go."""

    def __init__(self, rows: "Mapping[bytes, Peer]") -> None:
        self._rows = rows
        self._counts: Counter[bytes] = Counter()
        self._last: dict[bytes, list[tuple[int, bytes]]] = {}  # heaps, of groups that were full once

    def added(self, peer: "Peer") -> None:
        group, identity = peer.group, bytes(peer.card.identity)
        self._counts[group] += 1
        if group in self._last:
            heapq.heappush(self._last[group], _last_first(identity))

    def removed(self, peer: "Peer") -> None:
        self._counts[peer.group] -= 1

    def size(self, group: bytes) -> int:
        """How many rows count for it."""
        return self._counts[group]

    def first_to_go(self, group: bytes, own: bytes) -> "Peer | None":
        """The row of this group whose identity stands last, but for our `own` node."""
        heap = self._last.get(group)
        if heap is None or len(heap) > 2 * self._counts[group] + _SLACK:
            members = (bytes(one.card.identity) for one in self._rows.values() if one.group == group)
            heap = self._last[group] = [_last_first(one) for one in members]
            heapq.heapify(heap)
        while heap:
            row = self._rows.get(heap[0][1])
            if row is not None and row.node_id != own and row.group == group:
                return row
            heapq.heappop(heap)
        return None


def _last_first(identity: bytes) -> tuple[int, bytes]:
    return -int.from_bytes(identity, "big"), identity
