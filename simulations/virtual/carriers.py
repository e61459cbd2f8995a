"""Carriers: the ends of connections in a virtual world, and the bytes on their way between two of them.

They behave as TCP's do: in order, bounded, and loss is delay or an end, never silence. A direction is ended by the
sender.
"""

from typing import TYPE_CHECKING

from p2pnoise.node.driver.in_memory import ROOM, Direction, End

if TYPE_CHECKING:
    from .network import Network

__all__ = ["CAPACITY", "VirtualCarrier", "Way"]

# Bytes on their way in one direction; more waits with the sender: what Linux lets a receiver begin with.
CAPACITY = 262_144


class Way(Direction):
    """Bytes on their way from one node to another."""

    __slots__ = ("last", "reader", "source", "target", "underway", "unsent")
    reader: "VirtualCarrier"

    def __init__(self, source: int, target: int) -> None:
        super().__init__()
        self.source, self.target = source, target
        self.underway = 0  # bytes that were sent and not read
        self.unsent = 0  # of these, bytes that have not left
        self.last = 0  # when the last of them arrives, so that what is sent later never arrives earlier

    def take(self) -> bytes:
        data = super().take()
        self.underway -= len(data)
        return data


class VirtualCarrier(End[Way]):
    """One end of a connection."""

    def __init__(self, network: "Network", incoming: Way, outgoing: Way) -> None:
        super().__init__(incoming, outgoing)
        self._network = network
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

    def close(self) -> None:
        self._end()
        self.vanish()

    def vanish(self) -> None:
        """As `close`, and the other side hears nothing of it."""
        self.closed = self._ending = True
        self.incoming.arrived.clear()
        self.incoming.change()
        self.outgoing.change()

    def _end(self) -> None:
        if not (self._ending or self.outgoing.broken):
            self._ending = True
            self._network.send(self.outgoing, b"")

    def _is_broken(self, way: Way) -> bool:
        return self.closed or way.broken
