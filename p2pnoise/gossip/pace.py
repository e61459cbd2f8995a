"""Pace: how often what one key signs may change at a node, however good its signatures are.

Or whoever signs a thousand address records in a second would have every node of a network verify them, store them and
send them on. What comes too soon is not looked at, nor asked for within a minute: it comes when tables are compared, so
the newest is what all have in the end. What ends trust (lists, statements) has no such limit.

A change is charged to the key that signed it, and where it was taken: who was robbed of a node key is not to find that
the thief has used up what lets the next card in, nor is anybody charged for what others made up.
"""

from collections import OrderedDict
from collections.abc import Collection

from p2pnoise.instant import SECOND

BURST = 5  # changes; overlay-and-gossip 2.3(a), as is the next: a node that is started anew five times harms nobody
PAUSE = 60 * SECOND  # until one more may follow
MAX_ORIGINS = 25_000  # who changed last, some 3 MB: all members that an issuer may have in a table, or they would push
# one another out, and each had its burst again


class Pace:
    """When each key that signed something lately may do so again. Times in monotonic nanoseconds."""

    def __init__(self) -> None:
        self._until: OrderedDict[bytes, int] = OrderedDict()  # when all of its burst is there again

    def __len__(self) -> int:
        return len(self._until)

    def allows(self, origins: Collection[bytes], now: int) -> bool:
        """Whether a change that these have signed together may be taken: where one of them may, or there is none."""
        latest = now + (BURST - 1) * PAUSE
        return not origins or any(self._until.get(origin, 0) <= latest for origin in origins)

    def changed(self, origins: Collection[bytes], now: int) -> None:
        """A change that these have signed was taken."""
        for origin in origins:
            self._until[origin] = max(self._until.pop(origin, 0), now) + PAUSE
        while self._until and (len(self._until) > MAX_ORIGINS or next(iter(self._until.values())) <= now):
            self._until.popitem(last=False)
