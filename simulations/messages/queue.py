"""Queue: what is yet to happen, in the order of time; a heap of milliseconds, each a heap in its turn.

One heap of half a million entries is slow, since every step of it misses the cache.
"""

import heapq
from typing import Any, TypeAlias

Happening: TypeAlias = tuple[int, int, int, Any, Any]
"""Time, order, number of a node or -1, link or alarm or None for a tick, message."""

_WIDTH = 20  # bits: slices of 2**20 ns


class Queue:
    """Entries come out by time, and those of one time as they went in."""

    def __init__(self) -> None:
        self._order = 0
        self._count = 0
        self._slices: dict[int, list[Happening]] = {}
        self._waiting: list[int] = []  # heap of the numbers of slices
        self._current = -1
        self._heap: list[Happening] = []  # the slice that is under way

    def __len__(self) -> int:
        return self._count

    def push(self, time: int, number: int, what: Any, message: Any) -> None:
        self._order += 1
        self._count += 1
        entry = (time, self._order, number, what, message)
        index = time >> _WIDTH
        if index <= self._current:
            heapq.heappush(self._heap, entry)
            return
        entries = self._slices.get(index)
        if entries is None:
            self._slices[index] = [entry]
            heapq.heappush(self._waiting, index)
        else:
            entries.append(entry)

    def pop(self, until: int) -> Happening | None:
        """The next entry, if its time has come by then."""
        while not self._heap:
            if not self._waiting or self._waiting[0] << _WIDTH > until:
                return None
            self._current = heapq.heappop(self._waiting)
            self._heap = self._slices.pop(self._current)
            heapq.heapify(self._heap)
        if self._heap[0][0] > until:
            return None
        self._count -= 1
        return heapq.heappop(self._heap)
