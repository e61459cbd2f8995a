"""Carriers: the connections of the bytes world, from the dial to the last byte, and what their ends hear of each other.

They behave as TCP's do: what one system sends comes in order, or the connection ends; what cannot pass is held and sent
when it can. A system outlives its process: it says that the process ended, and refuses what is still sent to it. One
that is dark (a loss of power) says nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from cards import Address
from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io

if TYPE_CHECKING:
    from .nodes import SimulatedNode
    from .world import World

DIAL_TIMEOUT = 10 * SECOND  # after which a dial that nobody answers has failed, as with the daemon's carriers
KNOCKS = (1 * SECOND, 2 * SECOND, 4 * SECOND)  # between two SYNs: Linux's first timeout, doubled each time
SYN = 40  # bytes of a segment without data
CUT_OFF = "connection reset by peer"


class Packet(NamedTuple):
    """Bytes on their way, none for the end of a direction; whoever sent them hears where the other end is gone."""

    source: int
    source_boot: int
    source_connection: io.ConnectionId
    connection: io.ConnectionId
    data: bytes
    refusal: bool = False  # no bytes, but word that nobody has this connection any more


class Knock(NamedTuple):
    """A dial on its way; `tries` of them were lost before."""

    source: int
    source_boot: int
    connection: io.ConnectionId
    begun: int
    tries: int = 0


@dataclass(slots=True)
class Carrier:
    """One end of a connection; `peer`, `peer_boot` and `peer_connection` name the other."""

    peer: int
    peer_boot: int
    peer_connection: io.ConnectionId
    last_arrival: int = 0  # so that what is sent later never arrives earlier


class _Held(NamedTuple):
    """What could not pass, and whether the sender is told when it does."""

    carrier: Carrier | None
    boot: int  # of its target
    packet: Packet
    more: bool


Way: TypeAlias = tuple[int, int]  # from one node to another


class Carriers:
    """All connections of one world; each node has its own ends in `carriers`."""

    def __init__(
        self,
        world: "World",
        *,
        push: Callable[[int, int, int, io.Input | Packet | Knock], None],
        hand: Callable[["SimulatedNode", io.Input], None],
    ) -> None:
        self._world = world
        self._lines = world.lines
        self._push = push
        self._hand = hand
        self._held: dict[Way, list[_Held]] = {}

    def held(self, source: int, target: int) -> int:
        """How much waits until it can pass."""
        return len(self._held.get((source, target), ()))

    # Dials

    def dial(self, node: "SimulatedNode", connection: io.ConnectionId, address: Address) -> None:
        """Have a node knock at an address."""
        world = self._world
        there = world.whereabouts(address)
        if there is None or there == node.number:
            wait = int(2 * self._lines.law.most * SECOND)
            world.schedule(node.number, io.ConnectFailed(connection, "no route to host"), delay=wait)
        else:
            self._knock(there, Knock(node.number, node.boot, connection, world.now))

    def _knock(self, there: int, knock: Knock) -> None:
        now = self._world.now
        _, arrival = self._lines.arrival(knock.source, there, SYN, now)
        self._push(arrival - now, there, -1, knock)

    def knocked(self, node: "SimulatedNode", knock: Knock) -> None:
        """A dial came to where it is meant for."""
        world = self._world
        source, now = world.nodes[knock.source], world.now
        if source.boot != knock.source_boot:
            return
        late = knock.begun + DIAL_TIMEOUT - now
        if node.dark or not node.dialable or self.is_cut(knock.source, node.number):
            self._lost(node, knock, late)
            return
        _, answered = self._lines.arrival(node.number, source.number, SYN, now)
        back = answered - now
        if back > late:
            self._fail(knock, late)
        elif node.core is None:
            self._push(back, source.number, source.boot, io.ConnectFailed(knock.connection, "connection refused"))
        else:
            here = node.core.new_connection()
            node.carriers[here] = Carrier(source.number, source.boot, knock.connection, answered)
            source.carriers[knock.connection] = Carrier(node.number, node.boot, here)
            self._push(back, source.number, source.boot, io.Connected(knock.connection))
            self._hand(node, io.Accepted(here, source.address))

    def _lost(self, node: "SimulatedNode", knock: Knock, late: int) -> None:
        """Nobody heard it: its system knocks again, and gives up at last."""
        if knock.tries < len(KNOCKS) and KNOCKS[knock.tries] < late:
            self._push(KNOCKS[knock.tries], node.number, -1, knock._replace(tries=knock.tries + 1))
        else:
            self._fail(knock, late)

    def _fail(self, knock: Knock, wait: int) -> None:
        failed = io.ConnectFailed(knock.connection, "connection timed out")
        self._push(max(wait, 0), knock.source, knock.source_boot, failed)

    def is_cut(self, one: int, other: int) -> bool:
        """Whether a connection cannot be made now: that takes both directions."""
        return self._lines.blocked(one, other) or self._lines.blocked(other, one)

    # Bytes

    def send(self, node: "SimulatedNode", connection: io.ConnectionId, data: bytes, *, more: bool = False) -> None:
        """Send `data`, or with none the end of this direction; with `more`, say when it has left."""
        carrier = node.carriers.get(connection)
        if carrier is not None:
            for hear in self._world.on_bytes:
                hear(node, connection, carrier.peer, data)
            packet = Packet(node.number, node.boot, connection, carrier.peer_connection, data)
            self._pass_on(_Held(carrier, carrier.peer_boot, packet, more), carrier.peer)

    def close(self, node: "SimulatedNode", connection: io.ConnectionId) -> None:
        """Let go of an end. What was sent before still comes, then the end."""
        self.send(node, connection, b"")
        node.carriers.pop(connection, None)

    def _pass_on(self, held: _Held, target: int) -> None:
        packet = held.packet
        if self._lines.blocked(packet.source, target):
            self._held.setdefault((packet.source, target), []).append(held)
            return
        now, size = self._world.now, len(packet.data) or SYN
        left, arrival = self._lines.arrival(packet.source, target, size, now)
        if held.carrier is not None:
            arrival = held.carrier.last_arrival = max(held.carrier.last_arrival, arrival)
        self._push(arrival - now, target, held.boot, packet)
        if held.more:  # a carrier takes as much as it is given
            self._push(left - now, packet.source, packet.source_boot, io.BytesSent(packet.source_connection))

    def arrived(self, node: "SimulatedNode", boot: int, packet: Packet) -> bool:
        """Bytes came to where they are meant for; whether anybody there takes them."""
        if boot == node.boot and node.online and packet.connection in node.carriers:
            return True
        # An end that let go has said so; only one that died is still taken for alive.
        if boot != node.boot and packet.data and not node.dark:
            refusal = Packet(node.number, node.boot, 0, packet.source_connection, b"", refusal=True)
            self._pass_on(_Held(None, packet.source_boot, refusal, more=False), packet.source)
        return False

    # What befalls them

    def end_all(self, node: "SimulatedNode", *, silent: bool) -> None:
        """Its process is gone; with `silent` its system, too, and all that it held."""
        for connection in node.carriers if not silent else ():
            self.send(node, connection, b"")
        node.carriers.clear()
        if silent:
            for (source, _), waiting in self._held.items():
                if source == node.number:
                    waiting.clear()

    def release(self) -> None:
        """Let pass what was held and is not blocked any more, after a goodbye, too: systems outlive their processes."""
        held, self._held = self._held, {}
        for (source, target), waiting in held.items():
            if self._lines.blocked(source, target):
                self._held[source, target] = waiting
            else:
                for one in waiting:
                    self._pass_on(one, target)

    def reset(self, node: "SimulatedNode", connection: io.ConnectionId) -> None:
        """Break a connection on both sides; what was on its way is lost."""
        world, carrier = self._world, node.carriers.pop(connection)
        peer = world.nodes[carrier.peer]
        broken = [carrier]
        if peer.boot == carrier.peer_boot and carrier.peer_connection in peer.carriers:
            broken.append(peer.carriers.pop(carrier.peer_connection))
            world.schedule(peer.number, io.ConnectFailed(carrier.peer_connection, CUT_OFF))
        world.schedule(node.number, io.ConnectFailed(connection, CUT_OFF))
        for way in ((node.number, peer.number), (peer.number, node.number)):
            if way in self._held:
                self._held[way] = [one for one in self._held[way] if not any(one.carrier is gone for gone in broken)]
