"""Network: carriers between the nodes of a virtual world, which take the time that its lines take.

A carrier behaves as TCP does: in order, bounded, and loss is delay or an end, never silence. What cannot pass is held.
A direction is ended by the sender; a host that is gone answers nothing (silent) or has its system end what it had.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

import trio

from cards import Address
from p2pnoise.instant import SECOND
from p2pnoise.node.driver.surroundings import Accept, Carrier, ListenError, Listening
from simulations.carriers import KNOCKS, SYN
from simulations.network import Lines

__all__ = ["Clockwork", "Network", "VirtualCarrier"]

CAPACITY = (
    262_144  # bytes on their way in one direction; more waits with the sender: what Linux lets a receiver begin with
)
ROOM = 16_384  # bytes that have not left yet up to which a carrier has room: what trio sets TCP_NOTSENT_LOWAT to
EPHEMERAL = 49_152  # the first port that a system gives to who dials


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

    def joined(self, ours: "VirtualCarrier", theirs: "VirtualCarrier") -> None:
        """There is a new connection: the end of who dials, and of who accepts."""
        ...


class _Way:
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

    def __init__(self, network: "Network", incoming: _Way, outgoing: _Way) -> None:
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

    def _check(self, way: _Way) -> None:
        if self.closed or way.broken:
            raise trio.BrokenResourceError("the connection is broken")


class Network:
    """Where nodes listen and dial, by number; `clockwork` has what they send arrive."""

    def __init__(self, clockwork: Clockwork) -> None:
        self._clockwork = clockwork
        self._listening: dict[Address, _Listening] = {}
        self._held: dict[tuple[int, int], list[tuple[_Way, bytes]]] = {}  # what cannot pass from one node to another

    def listen(self, addresses: Sequence[Address]) -> Listening:
        """Accept what is dialled there. Raises ListenError."""
        taken = [address for address in addresses if address in self._listening]
        if taken:
            raise ListenError(f"cannot listen on {taken[0]}: address already in use", "choose another port")
        listening = _Listening(self, tuple(addresses))
        self._listening |= dict.fromkeys(addresses, listening)
        return listening

    def unlisten(self, addresses: Sequence[Address], listening: "_Listening | None" = None) -> None:
        """Accept nothing there any more; of `listening` alone, where it is given."""
        for address in addresses:
            if listening is None or self._listening.get(address) is listening:
                self._listening.pop(address, None)

    async def dial(self, source: int, target: int, address: Address, origin: Address) -> VirtualCarrier:
        """A connection from one node, whose address is `origin`, to another, if it listens there. Raises OSError."""
        await self._travel(source, target)
        for pause in KNOCKS:
            if self._clockwork.hears(target, source):
                break
            await trio.sleep(pause / SECOND)
        else:
            await trio.sleep_forever()
        there = self._listening.get(address)
        if there is None:
            await self._travel(target, source)
            raise ConnectionRefusedError("connection refused")
        out, back = _Way(source, target), _Way(target, source)
        ours, theirs = VirtualCarrier(self, back, out), VirtualCarrier(self, out, back)
        out.reader, back.reader = theirs, ours
        self._clockwork.joined(ours, theirs)
        there.arrive(theirs, Address(origin.host, EPHEMERAL))
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

    def send(self, way: _Way, data: bytes) -> None:
        """Have `data` arrive; none is the end of the direction."""
        way.unsent += len(data)
        self._pass_on(way, data)

    def _pass_on(self, way: _Way, data: bytes) -> None:
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

    def _left(self, way: _Way, size: int) -> None:
        way.unsent -= size
        way.change()

    def _arrive(self, way: _Way, data: bytes) -> None:
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


class _Listening:
    """Where one node accepts."""

    def __init__(self, network: Network, addresses: tuple[Address, ...]) -> None:
        self.addresses = addresses
        self._network = network
        self._send, self._receive = trio.open_memory_channel[tuple[Carrier, Address]](float("inf"))

    def arrive(self, carrier: Carrier, address: Address) -> None:
        self._send.send_nowait((carrier, address))

    async def serve(self, accept: Accept) -> None:
        async with trio.open_nursery() as nursery:
            async for carrier, address in self._receive:
                nursery.start_soon(accept, carrier, address)

    def close(self) -> None:
        self._network.unlisten(self.addresses, self)
        with suppress(trio.WouldBlock):
            while True:  # nobody will serve them
                self._receive.receive_nowait()[0].close()
        self._send.close()
        self._receive.close()
