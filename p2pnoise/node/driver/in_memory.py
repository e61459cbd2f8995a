"""Carriers and listeners in memory, whatever lies between the two ends: nothing at all, or a simulated network."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Generic, TypeVar

import trio

from cards import Address

from .surroundings import Accept, Carrier, ListenError

__all__ = ["EPHEMERAL", "ROOM", "Direction", "End", "Listener", "Listeners"]

ROOM = 16_384  # bytes that have not left yet up to which a carrier has room: what trio sets TCP_NOTSENT_LOWAT to
EPHEMERAL = 49_152  # the first port that a system gives to who dials


class Direction:
    """Bytes on their way from one end to the other; `ended` by the sender, and nothing comes after what has arrived."""

    __slots__ = ("arrived", "broken", "ended", "news")

    def __init__(self) -> None:
        self.arrived = bytearray()
        self.ended = False
        self.broken = False
        self.news = trio.lowlevel.ParkingLot()  # for both sides

    def change(self) -> None:
        self.news.unpark_all()

    def take(self) -> bytes:
        """What has arrived, once."""
        data = bytes(self.arrived)
        self.arrived.clear()
        self.change()
        return data

    def break_off(self) -> None:
        self.broken = True
        self.arrived.clear()
        self.change()


Way = TypeVar("Way", bound=Direction)


class End(Generic[Way]):
    """One end of a connection, but for how its bytes leave and how it closes."""

    def __init__(self, incoming: Way, outgoing: Way) -> None:
        self.incoming, self.outgoing = incoming, outgoing

    def send_now(self, data: bytes) -> int:
        raise NotImplementedError

    @property
    def has_room(self) -> bool:
        raise NotImplementedError

    async def wait_for_room(self) -> None:
        await trio.lowlevel.checkpoint()
        while not (self.has_room or self.outgoing.broken):
            await self.outgoing.news.park()

    async def send_all(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        while True:
            self._check(self.outgoing)
            data = data[self.send_now(data) :]
            if not data:
                return
            await self.outgoing.news.park()

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()
        self._check(self.outgoing)
        self._end()

    async def receive(self) -> bytes:
        await trio.lowlevel.checkpoint()
        while not (self.incoming.arrived or self.incoming.ended):
            self._check(self.incoming)
            await self.incoming.news.park()
        return self.incoming.take()

    def break_off(self) -> None:
        """As if a cable were pulled and both sides noticed."""
        self.incoming.break_off()
        self.outgoing.break_off()

    def _end(self) -> None:
        """End our direction."""
        raise NotImplementedError

    def _is_broken(self, way: Way) -> bool:
        return way.broken

    def _check(self, way: Way) -> None:
        if self._is_broken(way):
            raise trio.BrokenResourceError("the connection is broken")


class Listeners:
    """Who accepts at which address."""

    def __init__(self) -> None:
        self._all: dict[Address, Listener] = {}

    def listen(self, addresses: Sequence[Address]) -> "Listener":
        """Accept what is dialled there. Raises ListenError."""
        taken = [address for address in addresses if address in self._all]
        if taken:
            raise ListenError(f"cannot listen on {taken[0]}: address already in use", "choose another port")
        listener = Listener(self, tuple(addresses))
        self._all |= dict.fromkeys(addresses, listener)
        return listener

    def at(self, address: Address) -> "Listener":
        """Who accepts there. Raises OSError."""
        there = self._all.get(address)
        if there is None:
            raise ConnectionRefusedError("connection refused")
        return there

    def unlisten(self, addresses: Sequence[Address], listener: "Listener | None" = None) -> None:
        """Accept nothing there any more; of `listener` alone, where it is given."""
        for address in addresses:
            if listener is None or self._all.get(address) is listener:
                self._all.pop(address, None)


class Listener:
    """Where one node accepts."""

    def __init__(self, listeners: Listeners, addresses: tuple[Address, ...]) -> None:
        self.addresses = addresses
        self._listeners = listeners
        self._send, self._receive = trio.open_memory_channel[tuple[Carrier, Address]](float("inf"))

    def arrive(self, carrier: Carrier, host: str) -> None:
        """Somebody connected from this host."""
        self._send.send_nowait((carrier, Address(host, EPHEMERAL)))

    async def serve(self, accept: Accept) -> None:
        async with trio.open_nursery() as nursery:
            async for carrier, address in self._receive:
                nursery.start_soon(accept, carrier, address)

    def close(self) -> None:
        self._listeners.unlisten(self.addresses, self)
        with suppress(trio.WouldBlock):
            while True:  # nobody will serve them
                self._receive.receive_nowait()[0].close()
        self._send.close()
        self._receive.close()
