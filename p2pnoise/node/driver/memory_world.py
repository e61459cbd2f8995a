"""The memory world: nodes that reach each other without sockets, threads or files, and start with nothing kept.

Nothing here takes time, and none but trio's own passes: under a `trio.testing.MockClock` a node runs through an hour as
soon as it has nothing to do.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import trio

from cards import Address, NodeId
from p2pnoise.chance import Chance
from p2pnoise.gossip.effects import Store
from p2pnoise.node import effects as io
from p2pnoise.noise import Entropy

from .in_memory import ROOM, Direction, End, Listeners
from .surroundings import Carrier, Keeper, Listening

__all__ = ["MemoryCarrier", "MemoryNetwork", "MemoryWorld"]

CAPACITY = 65_536  # bytes on their way in one direction; more waits with the sender


class MemoryCarrier(End[Direction]):
    """One end of a connection in memory."""

    def send_now(self, data: bytes) -> int:
        way = self.outgoing
        if way.broken or way.ended:
            return 0
        taken = min(len(data), CAPACITY - len(way.arrived))
        if taken:
            way.arrived += data[:taken]
            way.change()
        return taken

    @property
    def has_room(self) -> bool:
        return len(self.outgoing.arrived) <= ROOM

    @property
    def closed(self) -> bool:
        """Whether this end is closed, or both are."""
        return self.incoming.broken

    def close(self) -> None:
        self._end()
        self.incoming.break_off()

    def _end(self) -> None:
        self.outgoing.ended = True
        self.outgoing.change()


@dataclass(eq=False)
class MemoryNetwork:
    """Where nodes in memory listen and dial. Its wall clock starts at `start`, seconds since 1970."""

    start: int
    listeners: Listeners = field(default_factory=Listeners)
    _carriers: list[tuple[set[str], MemoryCarrier]] = field(default_factory=list)
    _began: float = field(default_factory=trio.current_time)

    def world(self, host: str, chance: random.Random) -> "MemoryWorld":
        """The surroundings of one node, which is this host and draws its choices and its keys from `chance`."""
        return MemoryWorld(self, host, chance)

    def unix(self) -> int:
        """Seconds since 1970."""
        return self.start + int(trio.current_time() - self._began)

    def connect(self, host: str, address: Address) -> MemoryCarrier:
        """A connection from this host to whoever listens there. Raises OSError."""
        listener, out, back = self.listeners.at(address), Direction(), Direction()
        ours = MemoryCarrier(back, out)
        listener.arrive(MemoryCarrier(out, back), host)
        self._carriers = [(hosts, carrier) for hosts, carrier in self._carriers if not carrier.closed]
        self._carriers.append(({host, address.host}, ours))
        return ours

    def between(self, one: str, other: str) -> list[MemoryCarrier]:
        """The connections of two hosts with each other."""
        return [carrier for hosts, carrier in self._carriers if hosts == {one, other}]


class MemoryWorld:
    """The surroundings of one node of a `MemoryNetwork`. It keeps nothing: a node that starts again starts anew."""

    def __init__(self, network: MemoryNetwork, host: str, chance: random.Random) -> None:
        self.random: Chance = chance
        self.entropy: Entropy = random.Random(chance.random()).randbytes  # noqa: S311 - as above
        self.unix: Callable[[], int] = network.unix
        self._network = network
        self._host = host

    async def listen(self, addresses: Sequence[Address]) -> Listening:
        await trio.lowlevel.checkpoint()
        return self._network.listeners.listen(addresses)

    async def dial(self, address: Address) -> Carrier:
        await trio.lowlevel.checkpoint()
        return self._network.connect(self._host, address)

    async def open_keeper(self, *, network: str, node_id: NodeId) -> Keeper:
        del network, node_id
        await trio.lowlevel.checkpoint()
        return _Forgetful()


class _Forgetful:
    """Keeps nothing."""

    async def load(self) -> tuple[io.TrustRestored, io.PeersRestored]:
        await trio.lowlevel.checkpoint()
        return io.TrustRestored((), {}), io.PeersRestored(())

    async def more(self) -> None:
        await trio.lowlevel.checkpoint()

    async def keep(self, changes: Sequence[Store]) -> None:
        del changes
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        pass
