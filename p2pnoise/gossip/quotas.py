"""Quotas: how many rows of a table one issuer may have, so that no rogue one fills it.

A row counts for one of the root issuers that vouch for it: for the one with the fewest rows when it comes, and for that
one as long as it vouches. So nobody moves the members of another by granting them, too. Where all of them are full,
those stay whose identity keys are the lowest: the same at every node, whoever came first. So honest tables become
equal; if each kept what came first, they would differ for ever, and tell one another of it in every comparison. Whoever
makes keys until one is low takes a place from members of its own issuer alone.
"""

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from cards import Card, Finding, Verdict

from .items import NO_ISSUER

if TYPE_CHECKING:
    from .peer import Peer

ONE_ISSUER = 4  # of a table a quarter, where the policy names several; overlay-and-gossip 2.3(d)
NO_ISSUER_AT_ALL = 10  # a tenth for cards that are pinned, allowed or trusted on first use; the same
_SLACK = 1_000  # identities in a heap that are there no longer, beyond one for each that is


def quota(most: int, root: bytes, issuers: int) -> int:
    """How many of `most` rows may count for this root, where the policy names so many issuers: all fit together."""
    tenth = most // NO_ISSUER_AT_ALL
    if not issuers:
        return most
    if root == NO_ISSUER:
        return tenth
    return min(most // ONE_ISSUER, (most - tenth) // issuers) if issuers > 1 else most - tenth


def over_quota(card: Card, verdict: Verdict) -> Verdict:
    """What is said of a card that counts and has no room, or none any more."""
    why = Finding("over-quota", f"{card.label}: its issuer has as many members here as it may")
    return replace(verdict, level="reject", findings=(*verdict.findings, why))


class Quotas:
    """The rows of one table by root issuer: how many there are, and which is the first to go."""

    def __init__(self, rows: "Mapping[bytes, Peer]") -> None:
        self._rows = rows
        self._roots: dict[bytes, bytes] = {}  # by identity key: for which it counts
        self._counts: Counter[bytes] = Counter()
        self._last: dict[bytes, list[tuple[int, bytes]]] = {}  # heaps, of roots that were full once

    def added(self, peer: "Peer") -> None:
        """This row is there now, or is another than it was."""
        identity = bytes(peer.card.identity)
        if self._roots.get(identity) in peer.roots:
            return
        if identity in self._roots:
            self.removed(peer)
        root = self._roots[identity] = min(peer.roots, key=lambda one: (self._counts[one], one))
        self._counts[root] += 1
        if root in self._last:
            heapq.heappush(self._last[root], _last_first(identity))
            if len(self._last[root]) > 2 * self._counts[root] + _SLACK:
                del self._last[root]  # made anew where it is wanted

    def removed(self, peer: "Peer") -> None:
        """This row, which was there, is gone."""
        self._counts[self._roots.pop(bytes(peer.card.identity))] -= 1

    def size(self, root: bytes) -> int:
        """How many rows count for it."""
        return self._counts[root]

    def first_to_go(self, root: bytes, own: bytes) -> "Peer | None":
        """The row for this root whose identity stands last, but for our `own` node."""
        heap = self._last.get(root)
        if heap is None:
            heap = self._last[root] = [_last_first(one) for one, other in self._roots.items() if other == root]
            heapq.heapify(heap)
        while heap:
            identity = heap[0][1]
            row = self._rows.get(identity)
            if row is not None and row.node_id != own and self._roots[identity] == root:
                return row
            heapq.heappop(heap)
        return None


def _last_first(identity: bytes) -> tuple[int, bytes]:
    return -int.from_bytes(identity, "big"), identity
