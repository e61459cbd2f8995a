"""Carriers: the ends of connections in a virtual world, and the bytes on their way between two of them.

They behave as TCP's do: in order, bounded, and loss is delay or an end, never silence. A direction is ended by the
sender.
"""

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from .network import Network

__all__ = ["CAPACITY", "ROOM", "VirtualCarrier", "Way"]

# Bytes on their way in one direction; more waits with the sender: what Linux lets a receiver begin with.
CAPACITY = 262_144
ROOM = 16_384  # bytes that have not left yet up to which a carrier has room: what trio sets TCP_NOTSENT_LOWAT to


class Way:
    """Bytes on their way from one node to another."""

    __slots__ = (
        "arrived",
        "broken",
        "ended",
        "last",
        "news",
        "reader",
        "source",
        "target",
        "underway",
        "unsent",
    )
    reader: "VirtualCarrier"

    def __init__(self, source: int, target: int) -> None:
        self.source, self.target = source, target
        self.arrived = bytearray()
        self.underway = 0  # bytes that were sent and not read
        self.unsent = 0  # of these, bytes that have not left
        self.last = 0  # when the last of them arrives, so that what is sent later never arrives earlier
        self.ended = False  # by the sender, and nothing comes after what has arrived
        self.broken = False
        self.news = trio.lowlevel.ParkingLot()  # for both sides

    def change(self) -> None:
        self.news.unpark_all()

    def break_off(self) -> None:
        self.broken = True
        self.arrived.clear()
        self.change()


class VirtualCarrier:
    """One end of a connection."""

    def __init__(self, network: "Network", incoming: Way, outgoing: Way) -> None:
        self._network = network
        self.incoming, self.outgoing = incoming, outgoing
        self._ending = False  # our direction; what we sent before still arrives
        self.closed = False
        self.number = 0  # by which the node at this end knows it; 0 before it does

    @property
    def peer(self) -> int:
        """Who is at the other end."""
        return self.outgoing.target

    @property
    def peer_connection(self) -> int:
        """The number of the other end, over there."""
        return self.outgoing.reader.number

    def send_now(self, data: bytes) -> int:
        way = self.outgoing
        if way.broken or self._ending:
            return 0
        taken = min(len(data), CAPACITY - way.underway)
        if taken:
            way.underway += taken
            self._network.send(way, bytes(data[:taken]))
        return taken

    @property
    def has_room(self) -> bool:
        return self.outgoing.unsent <= ROOM

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
        way = self.incoming
        while not (way.arrived or way.ended):
            self._check(way)
            await way.news.park()
        data = bytes(way.arrived)
        way.arrived.clear()
        way.underway -= len(data)
        way.change()
        return data

    def close(self) -> None:
        self._end()
        self.vanish()

    def vanish(self) -> None:
        """As `close`, and the other side hears nothing of it."""
        self.closed = self._ending = True
        self.incoming.arrived.clear()
        self.incoming.news.unpark_all()
        self.outgoing.news.unpark_all()

    def break_off(self) -> None:
        """As if a cable were pulled and both sides noticed."""
        self.incoming.break_off()
        self.outgoing.break_off()

    def _end(self) -> None:
        if not (self._ending or self.outgoing.broken):
            self._ending = True
            self._network.send(self.outgoing, b"")

    def _check(self, way: Way) -> None:
        if self.closed or way.broken:
            raise trio.BrokenResourceError("the connection is broken")
