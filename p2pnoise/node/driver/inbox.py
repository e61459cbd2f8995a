"""Inbox: inputs that wait for the core's task, which sleeps here until there is one or its time has come."""

from collections import deque

import trio

from p2pnoise.node import effects as io

__all__ = ["Inbox"]


class Inbox:
    """At most `room` inputs of those who wait for room, and those of who never waits, which are bounded elsewhere."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._waiting: deque[io.Input] = deque()
        self._news = trio.Event()
        self._sleep = trio.CancelScope()
        self._due = float("inf")  # of the sleep: asking the scope for it takes 2 us
        self._line = trio.lowlevel.ParkingLot()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def post(self, given: io.Input, *, wake: bool = True) -> None:
        """Line up; for inputs that are bounded elsewhere. Nobody reads what comes after the end."""
        if not self._closed:
            self._waiting.append(given)
            if wake:
                self._news.set()

    async def offer(self, given: io.Input) -> None:
        """Line up, once there is room. Raises `trio.BrokenResourceError` when the node has ended."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while len(self._waiting) >= self._room and not self._closed:
            await self._line.park()
        if self._closed:
            raise trio.BrokenResourceError("the node has ended")
        self.post(given)
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def take(self, due: float) -> list[io.Input]:
        """Everything that waits, once there is something or `due` or a `wake` has come. In seconds of trio's clock."""
        if self._waiting or self._news.is_set():
            await trio.lowlevel.checkpoint()
        else:
            self._due = due
            with trio.CancelScope(deadline=due) as self._sleep:
                await self._news.wait()
        self._news = trio.Event()
        waiting, self._waiting = list(self._waiting), deque()
        self._line.unpark(count=self._room)
        return waiting

    def next(self) -> io.Input | None:
        """The first that waits, taken out; None where none does."""
        return self._waiting.popleft() if self._waiting else None

    def wake(self) -> None:
        """Let `take` return, whatever waits."""
        self._news.set()

    def not_after(self, due: float) -> None:
        """Let the `take` that sleeps return by then."""
        if due < self._due:
            self._due = self._sleep.deadline = due

    def close(self) -> None:
        """Take nothing more."""
        self._closed = True
        self._waiting.clear()
        self._line.unpark_all()
