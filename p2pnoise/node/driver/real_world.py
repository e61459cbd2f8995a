"""The real world: TCP, SQLite in a worker thread, the system's clock and randomness."""

import os
import random
import select
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import trio

from cards import Address, NodeId
from p2pnoise.chance import Chance
from p2pnoise.gossip.effects import Store
from p2pnoise.node import effects as io
from p2pnoise.node.keeping import change_of, read_first, read_trust, stored_rows
from p2pnoise.noise import Entropy
from p2pnoise.noisesocket.stream.carrier import carrier_for
from p2pnoise.store import PeerStore

from .surroundings import Accept, Carrier, Keeper, ListenError, Listening

__all__ = ["RealWorld", "reason_of"]

PORTION = 50  # stored rows that are verified in one go: some 30 ms, for which whoever is linked has to wait


class RealWorld:
    """TCP, SQLite at `database`, the system's clock and randomness."""

    def __init__(self, database: Path) -> None:
        self.random: Chance = random.Random(os.urandom(32))  # noqa: S311 - choices and jitter; keys come from entropy
        self.entropy: Entropy = os.urandom
        self._database = database

    def unix(self) -> int:
        return int(time.time())

    async def listen(self, addresses: Sequence[Address]) -> Listening:
        listeners: list[trio.SocketListener] = []
        try:
            for address in addresses:
                listeners += await _listen(address)
        except BaseException:
            for listener in listeners:
                listener.socket.close()
            raise
        return _Sockets(listeners)

    async def dial(self, address: Address) -> Carrier:
        try:
            return SocketCarrier(await trio.open_tcp_stream(address.host, address.port))
        except OSError as error:
            raise OSError(reason_of(error)) from error

    async def open_keeper(self, *, network: str, node_id: NodeId) -> Keeper:
        store = await trio.to_thread.run_sync(lambda: PeerStore(self._database, network=network, node_id=node_id))
        return _Database(store)


class SocketCarrier:
    """A TCP connection. trio has set TCP_NODELAY on it, and TCP_NOTSENT_LOWAT, by which it has room or none."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._bytes = carrier_for(stream)
        self._poll = None
        if sys.platform != "win32":  # there a socket is no file descriptor, and everything is sent by `send_all`
            self._poll = select.poll()
            self._poll.register(stream.socket.fileno(), select.POLLOUT)

    def send_now(self, data: bytes) -> int:
        if self._poll is None:
            return 0
        try:
            return os.write(self._stream.socket.fileno(), data)
        except OSError:
            return 0

    @property
    def has_room(self) -> bool:
        return self._poll is not None and self._stream.socket.fileno() >= 0 and bool(self._poll.poll(0))

    async def wait_for_room(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_all(self, data: bytes) -> None:
        await self._stream.send_all(data)

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def receive(self) -> bytes:
        received: list[bytes] = []
        await self._bytes.receive(lambda data: received.append(bytes(data)))
        return received[0]

    def close(self) -> None:
        self._stream.socket.close()


class _Sockets:
    """Listening TCP sockets."""

    def __init__(self, listeners: Sequence[trio.SocketListener]) -> None:
        self._listeners = listeners
        self.addresses = tuple(_address(listener.socket.getsockname()) for listener in listeners)

    async def serve(self, accept: Accept) -> None:
        async def take(stream: trio.SocketStream) -> None:
            try:
                address = _address(stream.socket.getpeername())
            except OSError:
                return  # it has gone already
            await accept(SocketCarrier(stream), address)

        if self._listeners:
            await trio.serve_listeners(take, list(self._listeners))

    def close(self) -> None:
        for listener in self._listeners:
            listener.socket.close()


class _Database:
    """SQLite, in a worker thread. Shielded: a batch is kept whole or not at all."""

    def __init__(self, store: PeerStore) -> None:
        self._store = store
        self._rows = stored_rows(store, PORTION)
        self._in_use = trio.Lock()  # one thread at a time: rows are still read while others are written

    async def load(self) -> tuple[io.TrustRestored, io.PeersRestored]:
        trust = await trio.to_thread.run_sync(read_trust, self._store)
        return trust, await trio.to_thread.run_sync(read_first, self._store)

    async def more(self) -> io.PeersRestored | None:
        async with self._in_use:
            return await trio.to_thread.run_sync(next, self._rows, None)

    async def keep(self, changes: Sequence[Store]) -> None:
        now = int(time.time())
        rows = [change_of(change, now) for change in changes]
        with trio.CancelScope(shield=True):
            async with self._in_use:
                await trio.to_thread.run_sync(self._store.commit, rows)

    def close(self) -> None:
        self._store.close()


async def _listen(address: Address) -> list[trio.SocketListener]:
    try:
        return await trio.open_tcp_listeners(address.port, host=address.host)
    except OSError as error:
        hint = "choose another port, or 0 for any free one" if address.port else "check the address with: ip address"
        raise ListenError(f"cannot listen on {address}: {reason_of(error)}", hint) from None


def reason_of(error: BaseException) -> str:
    """What an error of the system says, in lower case."""
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):  # trio tried several addresses; the first failure speaks for all
        return reason_of(cause.exceptions[0])
    if isinstance(cause, OSError):
        return reason_of(cause)
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number > 0:
        return os.strerror(number).lower()
    return (getattr(error, "strerror", None) or str(error)).lower()  # a resolver has numbers of its own, below 0


def _address(name: tuple[str, int] | tuple[str, int, int, int]) -> Address:
    return Address(name[0], name[1])
