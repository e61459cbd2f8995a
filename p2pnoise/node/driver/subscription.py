"""Subscription: a node's events for one listener, bounded, and saying so where it was too slow."""

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

import trio

from p2pnoise.events import Event, EventsMissed

__all__ = ["MAX_EVENTS", "Subscription"]

MAX_EVENTS = 1_000
"""Events that wait for a listener. A guess: what a node of a few hundred peers tells in its first seconds."""


class Subscription:
    """An async iterator of events, from `Node.events`; it ends when the node has stopped.

    Where more wait than it holds, the newest are lost, and EventsMissed stands in their place. For one task.
    """

    def __init__(self, most: int, on_close: Callable[["Subscription"], None]) -> None:
        """For `Node`. Raises ValueError for room for none."""
        if most < 1:
            raise ValueError(f"room for {most} events, at least 1")
        self._most = most
        self._on_close = on_close
        self._waiting: deque[Event | EventsMissed] = deque()
        self._ended = False
        self._news = trio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._on_close(self)
        self._waiting.clear()
        self.end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event | EventsMissed:
        """The next event, as soon as there is one."""
        if self._waiting or self._ended:
            await trio.lowlevel.checkpoint()
        while not (self._waiting or self._ended):
            self._news = trio.Event()
            await self._news.wait()
        if self._waiting:
            return self._waiting.popleft()
        raise StopAsyncIteration

    def put(self, event: Event) -> None:
        """Something happened. For `Node`."""
        if len(self._waiting) < self._most:
            self._waiting.append(event)
        elif isinstance(missed := self._waiting[-1], EventsMissed):
            self._waiting[-1] = EventsMissed(count=missed.count + 1)
        else:
            self._waiting.append(EventsMissed(count=1))
        self._news.set()

    def end(self) -> None:
        """Nothing more will happen. For `Node`."""
        self._ended = True
        self._news.set()
