"""The memory world: nodes that reach each other without sockets, threads or files, and start with nothing kept.

Nothing here takes time, and none but trio's own passes: under a `trio.testing.MockClock` a node runs through an hour as
soon as it has nothing to do.
"""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import trio

from cards import Address, NodeId
from p2pnoise.chance import Chance
from p2pnoise.gossip.effects import Store
from p2pnoise.node import effects as io
from p2pnoise.noise import Entropy

from .surroundings import Accept, Carrier, Keeper, ListenError, Listening

__all__ = ["MemoryCarrier", "MemoryNetwork", "MemoryWorld", "carrier_pair"]

CAPACITY = 65_536  # bytes on their way in one direction; more waits with the sender
ROOM = 16_384  # bytes on their way up to which a carrier has room: what trio sets TCP_NOTSENT_LOWAT to


class _Direction:
    """Bytes on their way from one end to the other."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.ended = False  # by the sender, after these
        self.broken = False
        self.news = trio.lowlevel.ParkingLot()  # for both sides

    def change(self) -> None:
        self.news.unpark_all()

    def break_off(self) -> None:
        self.broken = True
        self.data.clear()
        self.change()


class MemoryCarrier:
    """One end of a connection in memory."""

    def __init__(self, incoming: _Direction, outgoing: _Direction) -> None:
        self._in = incoming
        self._out = outgoing

    def send_now(self, data: bytes) -> int:
        if self._out.broken or self._out.ended:
            return 0
        taken = min(len(data), CAPACITY - len(self._out.data))
        if taken:
            self._out.data += data[:taken]
            self._out.change()
        return taken

    @property
    def has_room(self) -> bool:
        return len(self._out.data) <= ROOM

    async def wait_for_room(self) -> None:
        await trio.lowlevel.checkpoint()
        while not (self.has_room or self._out.broken):
            await self._out.news.park()

    async def send_all(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        while True:
            self._check(self._out)
            data = data[self.send_now(data) :]
            if not data:
                return
            await self._out.news.park()

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()
        self._check(self._out)
        self._out.ended = True
        self._out.change()

    async def receive(self) -> bytes:
        await trio.lowlevel.checkpoint()
        while not (self._in.data or self._in.ended):
            self._check(self._in)
            await self._in.news.park()
        data = bytes(self._in.data)
        self._in.data.clear()
        self._in.change()
        return data

    @property
    def closed(self) -> bool:
        """Whether this end is closed, or both are."""
        return self._in.broken

    def close(self) -> None:
        self._out.ended = True
        self._out.change()
        self._in.break_off()

    def cut(self) -> None:
        """Break both directions, as if a cable were pulled and both sides noticed."""
        self._in.break_off()
        self._out.break_off()

    def _check(self, direction: _Direction) -> None:
        if direction.broken:
            raise trio.BrokenResourceError("the connection is broken")


def carrier_pair() -> tuple[MemoryCarrier, MemoryCarrier]:
    """Both ends of a connection."""
    there, back = _Direction(), _Direction()
    return MemoryCarrier(back, there), MemoryCarrier(there, back)


@dataclass(eq=False)
class MemoryNetwork:
    """Where nodes in memory listen and dial. Its wall clock starts at `start`, seconds since 1970."""

    start: int
    listening: dict[Address, "_Listening"] = field(default_factory=dict)
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
        there = self.listening.get(address)
        if there is None:
            raise ConnectionRefusedError("connection refused")
        ours, theirs = carrier_pair()
        there.arrive(theirs, Address(host, 49_152))  # the first port that a system gives to who dials
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
        taken = [address for address in addresses if address in self._network.listening]
        if taken:
            raise ListenError(f"cannot listen on {taken[0]}: address already in use", "choose another port")
        return _Listening(self._network, tuple(addresses))

    async def dial(self, address: Address) -> Carrier:
        await trio.lowlevel.checkpoint()
        return self._network.connect(self._host, address)

    async def open_keeper(self, *, network: str, node_id: NodeId) -> Keeper:
        del network, node_id
        await trio.lowlevel.checkpoint()
        return _Forgetful()


class _Listening:
    """Where one node of a network accepts."""

    def __init__(self, network: MemoryNetwork, addresses: tuple[Address, ...]) -> None:
        self.addresses = addresses
        self._network = network
        self._send, self._receive = trio.open_memory_channel[tuple[Carrier, Address]](float("inf"))
        for address in addresses:
            network.listening[address] = self

    def arrive(self, carrier: Carrier, address: Address) -> None:
        self._send.send_nowait((carrier, address))

    async def serve(self, accept: Accept) -> None:
        async with trio.open_nursery() as nursery:
            async for carrier, address in self._receive:
                nursery.start_soon(accept, carrier, address)

    def close(self) -> None:
        for address in self.addresses:
            self._network.listening.pop(address, None)
        with suppress(trio.WouldBlock):
            while True:  # nobody will serve them
                self._receive.receive_nowait()[0].close()
        self._send.close()
        self._receive.close()


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
