"""Quotas: how many rows of a table one issuer may have, so that no rogue one fills it.

A row stays while its identity key is among the lowest, as many as there may be, of all for whom one of its root issuers
vouches, whoever came first: the same at every node. So honest tables become equal; if each kept what came first, or
counted a row with two roots for the one that had room then, they would differ for ever, and tell one another of it in
every comparison. Nobody moves the members of another by granting them, too: that other's lowest are the same as before.
Whoever makes keys until one is low takes a place from members of its own issuer alone.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from cards import Card, Finding, Verdict

from .items import NO_ISSUER

if TYPE_CHECKING:
    from .peer import Peer

ONE_ISSUER = 4  # of a table a quarter, where the policy names several; overlay-and-gossip 2.3(d)
NO_ISSUER_AT_ALL = 10  # a tenth for cards that are pinned, allowed or trusted on first use; the same
OWN = b""  # where our own row stands: before all others


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
    """The rows of one table by root issuer, of whom each may have its `share`: who has a place, and who has none."""

    def __init__(self, rows: "Mapping[bytes, Peer]", own: bytes, share: Callable[[bytes], int]) -> None:
        self._rows = rows
        self._own = own
        self._share = share
        self._held: dict[bytes, tuple[bytes, frozenset[bytes]]] = {}  # by identity key: where it stands, and its roots
        self._counts: Counter[bytes] = Counter()
        self._ranked: dict[bytes, list[bytes]] = {}  # who stands where, the lowest first; of roots that were full once
        self._moved: dict[bytes, None] = {}  # who may have lost its place

    def added(self, peer: "Peer") -> None:
        """This row is there now, or is another than it was."""
        identity, roots = bytes(peer.card.identity), peer.roots
        place = OWN if peer.node_id == self._own else identity
        before, known = self._held.get(identity, (place, frozenset[bytes]()))
        if known == roots and before == place:
            return
        self._leave(before, known)
        self._held[identity] = place, roots
        self._moved[identity] = None
        for root in roots:
            self._counts[root] += 1
            if root in self._ranked:
                insort(self._ranked[root], place)
            share = self._share(root)
            if self._counts[root] > share:
                self._moved[self._of(root)[share]] = None  # the first who has none for this root

    def removed(self, peer: "Peer") -> None:
        """This row, which was there, is gone."""
        self._leave(*self._held.pop(bytes(peer.card.identity)))

    def admits(self, identity: bytes, roots: Iterable[bytes]) -> bool:
        """Whether there is a place for a newcomer for whom these vouch, if need be that of another."""
        return any(self._counts[root] < self._share(root) or self._is_low(identity, root) for root in roots)

    def recount(self) -> None:
        """Shares are others than they were."""
        self._moved = dict.fromkeys(self._held)

    def crowded_out(self) -> "list[Peer]":
        """The rows that have no place any longer; not ours."""
        moved, self._moved = self._moved, {}
        gone = [one for one in moved if one in self._held and not self._has_place(*self._held[one])]
        return [self._rows[identity] for identity in gone]

    def _has_place(self, place: bytes, roots: frozenset[bytes]) -> bool:
        return place == OWN or any(
            self._counts[root] <= self._share(root) or self._is_low(place, root) for root in roots
        )

    def _is_low(self, place: bytes, root: bytes) -> bool:
        share = self._share(root)
        return share > 0 and place <= self._of(root)[share - 1]

    def _of(self, root: bytes) -> list[bytes]:
        if root not in self._ranked:
            self._ranked[root] = sorted(place for place, roots in self._held.values() if root in roots)
        return self._ranked[root]

    def _leave(self, place: bytes, roots: Iterable[bytes]) -> None:
        for root in roots:
            self._counts[root] -= 1
            if root in self._ranked:
                ranked = self._ranked[root]
                del ranked[bisect_left(ranked, place)]
