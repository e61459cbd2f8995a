"""Network: where nodes of a virtual world listen and dial, and the time that the lines between them take.

What cannot pass is held. A host that is gone answers nothing (silent) or has its system end what it had.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import trio

from cards import Address
from p2pnoise.instant import SECOND
from p2pnoise.node.driver.in_memory import Listeners
from simulations.carriers import KNOCKS, SYN
from simulations.network import Lines

from .carriers import VirtualCarrier, Way

__all__ = ["Clockwork", "Network"]


class Clockwork(Protocol):
    """Who has things happen at their time, and knows what lies between nodes. Nanoseconds."""

    now: int
    lines: Lines

    def at(self, moment: int, happen: Callable[[], None]) -> None:
        """Have something happen at a nanosecond."""
        ...

    def delivered(self, source: int, target: int, data: bytes) -> None:
        """This has arrived; none is the end."""
        ...

    def hears(self, target: int, source: int) -> bool:
        """Whether a node's system hears who knocks, and can answer."""
        ...

    def is_dark(self, node: int) -> bool:
        """Whether not even its system says anything."""
        ...

    def joined(self, ours: VirtualCarrier, theirs: VirtualCarrier) -> None:
        """There is a new connection: the end of who dials, and of who accepts."""
        ...


class Network:
    """Where nodes listen and dial, by number; `clockwork` has what they send arrive."""

    def __init__(self, clockwork: Clockwork) -> None:
        self._clockwork = clockwork
        self.listeners = Listeners()
        self._held: dict[tuple[int, int], list[tuple[Way, bytes]]] = {}  # what cannot pass from one node to another

    async def dial(self, source: int, target: int, address: Address, origin: Address) -> VirtualCarrier:
        """A connection from one node, whose address is `origin`, to another, if it listens there. Raises OSError."""
        await self._travel(source, target)
        for pause in KNOCKS:
            if self._clockwork.hears(target, source):
                break
            await trio.sleep(pause / SECOND)
        else:
            await trio.sleep_forever()
        try:
            there = self.listeners.at(address)
        except ConnectionRefusedError:
            await self._travel(target, source)
            raise
        out, back = Way(source, target), Way(target, source)
        ours, theirs = VirtualCarrier(self, back, out), VirtualCarrier(self, out, back)
        out.reader, back.reader = theirs, ours
        self._clockwork.joined(ours, theirs)
        there.arrive(theirs, origin.host)
        try:
            back.last = await self._travel(target, source)
        except BaseException:
            ours.close()
            raise
        return ours

    async def _travel(self, source: int, target: int) -> int:
        """The way of a segment without data; when it came."""
        _, arrives = self._clockwork.lines.arrival(source, target, SYN, self._clockwork.now)
        await trio.sleep((arrives - self._clockwork.now) / SECOND)
        return arrives

    # What is on its way

    def send(self, way: Way, data: bytes) -> None:
        """Have `data` arrive; none is the end of the direction."""
        way.unsent += len(data)
        self._pass_on(way, data)

    def _pass_on(self, way: Way, data: bytes) -> None:
        clock, size = self._clockwork, len(data)
        if clock.lines.blocked(way.source, way.target):
            self._held.setdefault((way.source, way.target), []).append((way, data))
            return
        left, arrives = clock.lines.arrival(way.source, way.target, size or SYN, clock.now)
        way.last = max(way.last, arrives)
        if left > clock.now:
            clock.at(left, partial(self._left, way, size))
        else:
            way.unsent -= size
        clock.at(way.last, partial(self._arrive, way, data))

    def _left(self, way: Way, size: int) -> None:
        way.unsent -= size
        way.change()

    def _arrive(self, way: Way, data: bytes) -> None:
        if way.broken:
            return
        if way.reader.closed:
            if data and not self._clockwork.is_dark(way.target):  # its system knows no such connection, and says so
                back = self._clockwork.lines.one_way(way.target, way.source)
                self._clockwork.at(self._clockwork.now + back, way.reader.break_off)
            return
        self._clockwork.delivered(way.source, way.target, data)
        if data:
            way.arrived += data
        else:
            way.ended = True
        way.change()

    def held(self, source: int, target: int) -> int:
        """How much waits until it can pass."""
        return len(self._held.get((source, target), ()))

    def release(self) -> None:
        """Something may pass that could not."""
        held, self._held = self._held, {}
        for waiting in held.values():
            for way, data in waiting:
                if not way.broken:
                    self._pass_on(way, data)

    def forget(self, node: int) -> None:
        """What a node's system holds is gone with it."""
        self._held = {pair: waiting for pair, waiting in self._held.items() if pair[0] != node}
