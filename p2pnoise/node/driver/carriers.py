"""Carriers: the connections of a node, each with a task that reads and one that writes; dialled, accepted, ended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import trio

from cards import Address
from p2pnoise.node import effects as io

from .surroundings import Carrier, Surroundings

__all__ = ["LINGER", "Carriers"]

MAX_UNSENT = 4 * 1024 * 1024  # bytes waiting for one peer; one that has more does not read, and gets no further ones
CONNECT_TIMEOUT = 10.0  # seconds
LINGER = 2.0  # seconds for the last bytes to leave and the peer to read them


class Inputs(Protocol):
    """Where what carriers bring goes."""

    def post(self, given: io.Input) -> None:
        """For what is bounded: one for each connection."""
        ...

    async def offer(self, given: io.Input) -> None:
        """For who can wait, so that TCP makes the senders wait."""
        ...


@dataclass(slots=True)
class _Connection:
    """A carrier of the core's: what waits to be sent, and whether it is to end after that."""

    carrier: Carrier
    unsent: list[bytes] = field(default_factory=list)
    size: int = 0  # of what is unsent
    spoken: bool = False  # whether anything was ever sent
    asked: bool = False  # whether the core waits for word that all was sent
    ending: bool = False
    resting: bool = False  # the task that writes waits for `wake`
    wake: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    def take(self) -> bytes:
        """What waits, to be sent now."""
        data = self.unsent[0] if len(self.unsent) == 1 else b"".join(self.unsent)
        self.unsent.clear()
        self.size = 0
        return data


class Carriers:
    """All connections of one node. `note_idle` is called whenever one is gone for good."""

    def __init__(
        self,
        surroundings: Surroundings,
        inputs: Inputs,
        new_connection: Callable[[], io.ConnectionId],
        note_idle: Callable[[], None],
    ) -> None:
        self.serving: set[io.ConnectionId] = set()  # connections whose last bytes may still be on their way
        self._surroundings = surroundings
        self._inputs = inputs
        self._new_connection = new_connection
        self._note_idle = note_idle
        self.received = 0  # bytes, of all connections that there ever were
        self.sent = 0
        self._connections: dict[io.ConnectionId, _Connection] = {}
        self._touched: set[io.ConnectionId] = set()  # which were given something to send

    def __len__(self) -> int:
        """How many connections the core has not ended."""
        return len(self._connections)

    # What the core wants

    def send(self, number: io.ConnectionId, data: bytes, *, more: bool) -> None:
        """Line up what `flush` sends; with `more`, `BytesSent` follows once all has left."""
        connection = self._connections.get(number)
        if connection is None or connection.ending:
            return
        # By what waited before: a goodbye has all that streams have left to say, and may be longer by itself.
        if connection.size > MAX_UNSENT:
            connection.scope.cancel()
            self._inputs.post(io.ConnectFailed(number, f"it does not read: {MAX_UNSENT} bytes wait for it"))
            return
        connection.unsent.append(data)
        connection.size += len(data)
        self.sent += len(data)
        connection.spoken = True
        connection.asked |= more
        self._touched.add(number)

    def flush(self) -> None:
        """Send what was lined up: at once what can be, without waking a task for it."""
        while self._touched:
            number = self._touched.pop()
            connection = self._connections.get(number)
            if connection is not None and connection.resting:
                self._send_now(number, connection)

    def _send_now(self, number: io.ConnectionId, connection: _Connection) -> None:
        data = connection.take()
        sent = connection.carrier.send_now(data)
        if sent < len(data):
            connection.unsent.append(data[sent:])
            connection.size = len(data) - sent
            connection.wake.set()
        elif connection.asked and connection.carrier.has_room:
            connection.asked = False
            self._inputs.post(io.BytesSent(number))
        elif connection.asked:
            connection.wake.set()

    def end(self, number: io.ConnectionId) -> None:
        """End a connection once its last bytes have left."""
        connection = self._connections.pop(number, None)
        if connection is not None:
            connection.ending = True
            connection.wake.set()
            # A peer that does not read must not keep its socket for ever.
            connection.scope.deadline = trio.current_time() + LINGER

    # Where they come from

    async def accepted(self, carrier: Carrier, address: Address) -> None:
        """Serve a carrier that somebody else began."""
        number = self._new_connection()
        await self._serve(number, carrier, io.Accepted(number, address))

    async def dial(self, number: io.ConnectionId, address: Address) -> None:
        """Begin a carrier and serve it."""
        try:
            with trio.fail_after(CONNECT_TIMEOUT):
                carrier = await self._surroundings.dial(address)
        except OSError as error:
            await self._inputs.offer(io.ConnectFailed(number, str(error)))
        except trio.TooSlowError:
            await self._inputs.offer(io.ConnectFailed(number, f"no answer within {CONNECT_TIMEOUT:g} s"))
        else:
            await self._serve(number, carrier, io.Connected(number))

    async def _serve(self, number: io.ConnectionId, carrier: Carrier, opened: io.Input) -> None:
        connection = self._connections[number] = _Connection(carrier)
        self.serving.add(number)
        try:
            with connection.scope:
                await self._inputs.offer(opened)
                await self._exchange(number, connection)
        finally:
            self._connections.pop(number, None)
            self.serving.discard(number)
            carrier.close()
            self._note_idle()

    async def _exchange(self, number: io.ConnectionId, connection: _Connection) -> None:
        """Read and write until the core ends the connection and the peer has had `LINGER` to take our last bytes."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, number, connection, nursery.cancel_scope)
                await self._write(number, connection)
                if not connection.spoken:
                    nursery.cancel_scope.cancel()  # no last bytes that closing at once could destroy
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            if not connection.ending:
                await self._inputs.offer(io.ConnectFailed(number, "connection reset"))

    async def _read(self, number: io.ConnectionId, connection: _Connection, scope: trio.CancelScope) -> None:
        while data := await connection.carrier.receive():
            self.received += len(data)
            if not connection.ending:
                await self._inputs.offer(io.BytesReceived(number, data))
        if connection.ending:
            scope.cancel()  # both directions are ended: nothing to linger for
        else:
            await self._inputs.offer(io.BytesReceived(number, b""))

    async def _write(self, number: io.ConnectionId, connection: _Connection) -> None:
        """Send what could not be sent at once until the core ends the connection; then end our direction."""
        while connection.unsent or not connection.ending:
            if connection.unsent:
                await connection.carrier.send_all(connection.take())
            elif connection.asked:
                await connection.carrier.wait_for_room()
                if not connection.unsent:
                    connection.asked = False
                    self._inputs.post(io.BytesSent(number))
            else:
                connection.wake = trio.Event()
                connection.resting = True
                await connection.wake.wait()
                connection.resting = False
        await connection.carrier.send_eof()
