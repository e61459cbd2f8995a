"""Reconciliation: how two linked nodes find in which items their tables differ.

Both send 64 fingerprints; where they differ, the ids. What one lacks it is then offered: see exchange.py.
"""

from collections.abc import Callable, Sequence

from p2pnoise.chance import Chance

from .effects import LinkId
from .items import ItemIndex, ItemSet
from .messages import BUCKETS, MAX_IDS, Announce, Digest, Ids, Message


class Reconciliation:
    """Comparisons of one node's items with those of its peers; it remembers nothing of any of them."""

    def __init__(self, items: ItemIndex, send: Callable[[LinkId, Message], None], *, random: Chance) -> None:
        self._items = items
        self._send = send
        self._random = random

    def begin(self, link: LinkId) -> None:
        """Have the peer compare its items with ours."""
        self._send(link, Digest(self._items.fingerprints()))

    def message(self, link: LinkId, message: Digest | Ids) -> ItemSet:
        """Answer; the ids that the peer holds, as far as it named them."""
        if isinstance(message, Digest):
            self._compare(link, message.fingerprints)
            return self._items.none
        extra = self._items.in_buckets(message.buckets) - message.ids
        if extra:
            self._send(link, Announce(self._items.first(extra, MAX_IDS)))
        return message.ids

    def _compare(self, link: LinkId, theirs: Sequence[bytes]) -> None:
        """Tell all our ids in the buckets that differ, as far as one message goes; the next digest tells the rest."""
        items = self._items
        differing = items.differing(theirs)
        if not differing:
            return
        start = self._random.randrange(BUCKETS)  # or one overfull bucket would hide those behind it for ever
        buckets, room = [], MAX_IDS
        for index in sorted(differing, key=lambda index: (index - start) % BUCKETS):
            size = items.bucket_size(index)
            if size <= room:
                buckets.append(index)
                room -= size
        if buckets:
            self._send(link, Ids(tuple(sorted(buckets)), items.in_buckets(buckets)))
