"""Runs: keys in order with the sums of what they stand for, so that any stretch is summed without a look at each.

The keys stand in runs of at most `MAX_RUN`, each with its sum. A stretch is then the sum of whole runs and of a part of
one at each end, wherever its ends are: nobody makes it dearer by choosing keys.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence

MAX_RUN = 256  # keys; measured: with 300,000, half of it or twice it makes a comparison no cheaper


class Runs:
    """A sorted set of keys. A bound is any bytes, compared with keys as bytes are; as an upper one `b""` is the end."""

    def __init__(self, share: Callable[[bytes], int]) -> None:
        self._share = share  # what a key adds to a sum
        self._firsts: list[bytes] = []
        self._runs: list[list[bytes]] = []
        self._shares: list[list[int]] = []  # of the keys in these: a comparison adds up some 100, and hashes none
        self._sums: list[int] = []

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def add(self, key: bytes) -> None:
        """Take a key that is not here."""
        share = self._share(key)
        if not self._runs:
            self._firsts, self._runs, self._shares, self._sums = [key], [[key]], [[share]], [share]
            return
        at = max(bisect_right(self._firsts, key) - 1, 0)
        run, shares = self._runs[at], self._shares[at]
        place = bisect_left(run, key)
        run.insert(place, key)
        shares.insert(place, share)
        self._sums[at] += share
        if not place:
            self._firsts[at] = key
        if len(run) > MAX_RUN:
            half, moved = run[MAX_RUN // 2 :], shares[MAX_RUN // 2 :]
            del run[MAX_RUN // 2 :], shares[MAX_RUN // 2 :]
            total = sum(moved)
            self._sums[at] -= total
            self._firsts.insert(at + 1, half[0])
            self._runs.insert(at + 1, half)
            self._shares.insert(at + 1, moved)
            self._sums.insert(at + 1, total)

    def remove(self, key: bytes) -> None:
        """Let go of a key that is here."""
        at = bisect_right(self._firsts, key) - 1
        run, shares = self._runs[at], self._shares[at]
        place = bisect_left(run, key)
        self._sums[at] -= shares[place]
        del run[place], shares[place]
        if run:
            self._firsts[at] = run[0]
        else:
            del self._firsts[at], self._runs[at], self._shares[at], self._sums[at]

    def count(self, low: bytes, high: bytes) -> int:
        """How many keys are at `low` or above, and below `high`."""
        (begin, skip), (end, rest) = self._find(low), self._end(high)
        return sum(map(len, self._runs[begin:end])) - skip + rest

    def total(self, low: bytes, high: bytes) -> int:
        """The sum of their shares."""
        (begin, skip), (end, rest) = self._find(low), self._end(high)
        return sum(self._sums[begin:end]) - self._part(begin, skip) + self._part(end, rest)

    def at(self, low: bytes, ranks: Sequence[int]) -> list[bytes]:
        """The keys of these ranks, which ascend, counted from 0 at `low`. There must be as many."""
        run, skip = self._find(low)
        before, found = -skip, []
        for rank in ranks:
            while rank - before >= len(self._runs[run]):
                before += len(self._runs[run])
                run += 1
            found.append(self._runs[run][rank - before])
        return found

    def keys(self, low: bytes, high: bytes) -> Iterator[bytes]:
        """The keys from `low` on and below `high`, in order."""
        (begin, skip), (end, rest) = self._find(low), self._end(high)
        if begin < end:
            yield from self._runs[begin][skip:]
            for run in self._runs[begin + 1 : end]:
                yield from run
            skip = 0
        if rest:
            yield from self._runs[end][skip:rest]

    def _find(self, bound: bytes) -> tuple[int, int]:
        """The run of the first key at `bound` or above, and how many keys of that run are below."""
        at = max(bisect_right(self._firsts, bound) - 1, 0)
        return at, bisect_left(self._runs[at], bound) if self._runs else 0

    def _end(self, high: bytes) -> tuple[int, int]:
        return self._find(high) if high else (len(self._runs), 0)

    def _part(self, at: int, count: int) -> int:
        """The sum of the first so many of a run, by way of the rest where that is shorter."""
        if not count:
            return 0
        shares = self._shares[at]
        if 2 * count <= len(shares):
            return sum(shares[:count])
        return self._sums[at] - sum(shares[count:])
