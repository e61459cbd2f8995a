"""Slowloris: has no card and no aim but to hold connections open: it says nothing, or a byte a second, or half."""

from dataclasses import dataclass
from random import Random

from p2pnoise.instant import SECOND, Instant
from p2pnoise.node import effects as io
from p2pnoise.node.link import Link
from p2pnoise.noise import KeyPair
from simulations.nodes import SimulatedNode
from simulations.world import World

EACH = 40  # connections to each honest node, more than one host may have half open
PAUSE = SECOND // 4
AGAIN = SECOND  # before it dials anew where it was sent away


@dataclass(slots=True)
class _Open:
    target: int
    left: bytes = b""  # of the first message: said byte by byte
    next: int = 0


class Slowloris:
    """Of its connections a third say nothing, a third a byte a second, and a third a first message and no second."""

    def __init__(self, world: World, node: SimulatedNode) -> None:
        self._world, self._node = world, node
        self._chance: Random = world.chance("adversary", node.number, node.boot)
        self._entropy = world.entropy(node.number, node.boot)
        self._static = KeyPair.from_private(node.citizen.key.static)
        self._connections = 0
        self._open: dict[io.ConnectionId, _Open] = {}
        self._again: dict[int, int] = {}  # target -> when it may be dialled again
        self._next: int | None = 0

    def new_connection(self) -> io.ConnectionId:
        self._connections += 1
        return self._connections

    def deadline(self) -> int | None:
        return self._next

    def handle(self, given: io.Input, now: Instant) -> list[io.Effect]:
        match given:
            case io.Stop():
                self._next = None
                ended = list(self._open)
                self._open.clear()
                return [io.Disconnect(connection) for connection in ended]
            case io.Accepted(connection):
                return [io.Disconnect(connection)]
            case io.Connected(connection) if connection in self._open:
                return self._begin(connection, now)
            case io.BytesReceived(connection, b"") if connection in self._open:
                self._gone(connection, now)
                return [io.Disconnect(connection)]
            case io.ConnectFailed(connection) if connection in self._open:
                self._gone(connection, now)
                return []
            case io.Tick() if self._next is not None:
                self._next = now.monotonic + PAUSE
                return [*self._drip(now), *self._dial(now)]
        return []

    def _begin(self, connection: io.ConnectionId, now: Instant) -> list[io.Effect]:
        first, one = self._first_message(self._open[connection].target, now), self._open[connection]
        match self._chance.randrange(3):
            case 0:
                return []
            case 1:
                one.left, one.next = first, now.monotonic
                return []
            case _:
                return [io.SendBytes(connection, first)]

    def _first_message(self, target: int, now: Instant) -> bytes:
        link = Link(
            initiator=True,
            address=self._world.nodes[target].address,
            static=self._static,
            own_card=self._node.citizen.card.raw,
            entropy=self._entropy,
            now=now.monotonic,
            rs=self._world.nodes[target].citizen.key.public,
        )
        link.start()
        return link.take_output()[0]

    def _gone(self, connection: io.ConnectionId, now: Instant) -> None:
        target = self._open.pop(connection).target
        self._again[target] = now.monotonic + AGAIN

    def _drip(self, now: Instant) -> list[io.Effect]:
        said: list[io.Effect] = []
        for connection, one in self._open.items():
            if one.left and now.monotonic >= one.next:
                said.append(io.SendBytes(connection, one.left[:1]))
                one.left, one.next = one.left[1:], now.monotonic + SECOND
        return said

    def _dial(self, now: Instant) -> list[io.Effect]:
        dials: list[io.Effect] = []
        counts: dict[int, int] = {}
        for one in self._open.values():
            counts[one.target] = counts.get(one.target, 0) + 1
        for node in self._world.nodes:
            if node.honest and node.online and now.monotonic >= self._again.get(node.number, 0):
                for _ in range(counts.get(node.number, 0), EACH):
                    connection = self.new_connection()
                    self._open[connection] = _Open(node.number)
                    dials.append(io.Dial(connection, node.address))
        return dials
