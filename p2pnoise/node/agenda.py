"""Agenda: which links want a look, those that something happened to and those whose time has come.

So what an input costs does not depend on how many links there are.
"""

import heapq
from collections.abc import Callable

from .effects import ConnectionId

NEVER = 1 << 63  # a nanosecond that no clock reaches


class Agenda:
    """Links by connection, always in the order in which they began. Times are monotonic nanoseconds."""

    def __init__(self) -> None:
        self._begun = 0
        self._places: dict[ConnectionId, int] = {}
        self._touched: dict[ConnectionId, None] = {}
        self._booked: dict[ConnectionId, int] = {}  # for each link the earliest of its entries in the heap
        self._heap: list[tuple[int, int, ConnectionId]] = []  # (no later than it is due, place, connection)
        self.watched: dict[ConnectionId, None] = {}  # whose time depends on more than what happens to them

    def begin(self, connection: ConnectionId) -> None:
        """A link more."""
        self._begun += 1
        self._places[connection] = self._begun
        self._touched[connection] = None

    def end(self, connection: ConnectionId) -> None:
        """This link is gone."""
        del self._places[connection]
        self._touched.pop(connection, None)
        self._booked.pop(connection, None)  # what stands in the heap is void with it
        self.watched.pop(connection, None)

    def touch(self, connection: ConnectionId) -> None:
        """Something happened to this link: it may have something to send, and another time at which it is due."""
        if connection in self._places:
            self._touched[connection] = None

    def touch_all(self) -> None:
        """The same for all."""
        self._touched.update(dict.fromkeys(self._places))

    def take_touched(self) -> list[ConnectionId]:
        """Those that were touched since."""
        touched = sorted(self._touched, key=self._places.__getitem__)
        self._touched.clear()
        return touched

    def book(self, connection: ConnectionId, due: int) -> None:
        """This link is due then. Where it was sooner, the sooner time stays: `next_due` finds that it is void."""
        if due < self._booked.get(connection, NEVER):
            self._booked[connection] = due
            heapq.heappush(self._heap, (due, self._places[connection], connection))

    def due(self, now: int) -> list[ConnectionId]:
        """Those that may be due by now, and all that are watched. They are looked at anew after this input."""
        if not self.watched and (not self._heap or self._heap[0][0] > now):
            return []  # as nearly always
        due = dict(self.watched)
        while self._heap and self._heap[0][0] <= now:
            at, _, connection = heapq.heappop(self._heap)
            if self._booked.get(connection) == at:
                del self._booked[connection]
                due[connection] = None
        self._touched.update(due)
        return sorted(due, key=self._places.__getitem__)

    def next_due(self, due: Callable[[ConnectionId], int]) -> int:
        """When the first link is due, or `NEVER`; `due` says when one is."""
        while self._heap:
            at, place, connection = self._heap[0]
            if self._booked.get(connection) != at:
                heapq.heappop(self._heap)
                continue
            real = due(connection)
            if real <= at:
                return at
            # It was heard of since, as nearly all are all the time.
            if real < NEVER:
                self._booked[connection] = real
                heapq.heapreplace(self._heap, (real, place, connection))
            else:
                del self._booked[connection]
                heapq.heappop(self._heap)
        return NEVER
