"""Allowance: how much may be done at once, and how much in the long run, so that nobody has others work without end."""

from collections import OrderedDict

from p2pnoise.instant import SECOND

MAX_ACCOUNTS = 1_000  # of peers; the one that was not used for longest makes room


class Allowance:
    """`burst` at once, and `rate` a second after that: a token bucket that is full at first."""

    __slots__ = ("_at", "_full", "_left", "_rate")

    def __init__(self, *, burst: int, rate: int) -> None:
        self._rate = rate
        self._full = self._left = burst * SECOND
        self._at = 0  # monotonic nanosecond as of which so much is left

    def take(self, count: int, now: int) -> bool:
        """Spend so much at monotonic nanosecond `now`; nothing is spent where it is too much."""
        left = self._as_of(now) - count * SECOND
        if left < 0:
            return False
        self._left, self._at = left, now
        return True

    def exhaust(self, count: int, now: int) -> None:
        """Spend so much, or what is left where that is too much."""
        self._left, self._at = max(0, self._as_of(now) - count * SECOND), now

    def spent(self, now: int) -> int:
        """How much of the burst is spent and has not come back yet."""
        return (self._full - self._as_of(now)) // SECOND

    def _as_of(self, now: int) -> int:
        return min(self._full, self._left + (now - self._at) * self._rate)


class Allowances:
    """One for each peer of a node, by Node ID: a new link is no new beginning."""

    def __init__(self, *, burst: int, rate: int) -> None:
        self._burst, self._rate = burst, rate
        self._of: OrderedDict[bytes, Allowance] = OrderedDict()

    def take(self, node_id: bytes, count: int, now: int) -> bool:
        """As `Allowance.take`, of this peer's."""
        allowance = self._of.get(node_id)
        if allowance is None:
            allowance = self._of[node_id] = Allowance(burst=self._burst, rate=self._rate)
        self._of.move_to_end(node_id)
        if len(self._of) > MAX_ACCOUNTS:
            self._of.popitem(last=False)
        return allowance.take(count, now)
