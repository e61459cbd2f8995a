"""Driver: trio, sockets, SQLite and the clock around one NodeCore. It decides nothing.

One task feeds the core and carries out its effects; each connection has a reader and a writer. What an effect batch
stores is committed before anything of that batch is sent or told: nothing acknowledged is ever lost.
"""

import os
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import trio

from cards import Address, Card, Fact, IdentityId, NodeKey, Policy, RevocationList
from p2pnoise.config import NodeConfig
from p2pnoise.errors import P2PNoiseError
from p2pnoise.events import Event, Stopped
from p2pnoise.gossip.effects import Store, StorePeer, StorePin, StoreRevocations, StoreStatement
from p2pnoise.instant import SECOND, Instant
from p2pnoise.store import PeerStore
from p2pnoise.store.peer_store import Change, PeerChange, Row

from . import effects as io
from .core import NodeCore

RECEIVE_SIZE = 65_536  # bytes asked of a socket at once: the core keeps less than two packets of one connection
MAX_UNSENT = 4 * 1024 * 1024  # bytes waiting for one peer; more means that it does not read, and it is cut off
MAX_GATHERED = 1024 * 1024  # bytes to send that are gathered from several inputs before they are carried out
QUEUE = 64  # inputs waiting for the core; then readers wait, and TCP makes the senders wait
RESTORED_AT_ONCE = 500  # stored peers verified in one go: about a third of a second
CONNECT_TIMEOUT = 10.0  # seconds
LINGER = 2.0  # seconds for the last bytes to leave and the peer to read them


class ListenError(P2PNoiseError):
    """The node cannot listen where it was told to; `hint` is what to do next. The node was not started."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(slots=True)
class _Connection:
    """A carrier of the core's: what waits to be sent, and whether it is to end after that."""

    unsent: bytearray = field(default_factory=bytearray)
    spoken: bool = False  # whether anything was ever sent
    ending: bool = False
    wake: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


class Node:
    """One running node, made by `open_node`. Its core may be read between two awaits, never changed."""

    def __init__(self, core: NodeCore, store: PeerStore, on_event: Callable[[Event], None]) -> None:
        self.core = core
        self.addresses: tuple[Address, ...] = ()
        self._store = store
        self._on_event = on_event
        self._send, self._receive = trio.open_memory_channel[io.Input](QUEUE)
        self._own: deque[io.Input] = deque()  # inputs that carrying out effects led to
        self._connections: dict[io.ConnectionId, _Connection] = {}
        self._serving: set[io.ConnectionId] = set()  # connections whose last bytes may still be on their way
        self.failure: P2PNoiseError | None = None  # why the node had to stop by itself
        self._idle = trio.Event()  # set when the last link has ended after a Stop
        self._stopping = False

    async def offer(self, given: io.Input) -> None:
        """Hand the core an input: a list, a policy, a new card of our own. Waits while the core is busy.

        Raises `trio.BrokenResourceError` when the node has ended.
        """
        await self._send.send(given)

    @asynccontextmanager
    async def running(
        self,
        listen: Sequence[Address],
        advertise: Sequence[Address],
        facts: Sequence[Fact],
        pins: Mapping[str, IdentityId],
    ) -> AsyncIterator["Node"]:
        """The life of the node; `open_node` says the rest."""
        rows = await self._load(facts, pins)
        listeners = await _listen_at(listen)
        self.addresses = tuple(_address(listener.socket.getsockname()) for listener in listeners)
        try:
            async with trio.open_nursery() as self._block:
                await self._block.start(self._work, advertise, rows, listeners)
                if self.failure is not None:
                    raise self.failure
                try:
                    yield self
                finally:
                    with trio.CancelScope(shield=True):
                        await self._stop()
                    self._nursery.cancel_scope.cancel()
        finally:
            for listener in listeners:
                listener.socket.close()

    async def _work(
        self,
        advertise: Sequence[Address],
        rows: Sequence[io.StoredPeer],
        listeners: list[trio.SocketListener],
        *,
        task_status: trio.TaskStatus[None],
    ) -> None:
        """Everything that goes on while the block runs. Shielded: a block that is cancelled has to say goodbye, too."""
        # A wildcard is no address that others could dial.
        dialable = tuple(address for address in self.addresses if address.host not in ("0.0.0.0", "::"))  # noqa: S104
        try:
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as self._nursery:
                    self._own.append(io.ListeningOn(self.addresses, tuple(advertise) or dialable))
                    await self._nursery.start(self._run_core)
                    self._nursery.start_soon(self._restore, rows)
                    if listeners:
                        self._nursery.start_soon(trio.serve_listeners, self._accept, listeners)
                    task_status.started()
        finally:
            self._idle.set()
            self._receive.close()

    # Starting

    async def _load(self, facts: Sequence[Fact], pins: Mapping[str, IdentityId]) -> Sequence[io.StoredPeer]:
        """Take back what was stored, trust before peers; the rows that are left for later."""

        def read() -> tuple[io.TrustRestored, list[io.StoredPeer]]:
            trust = io.TrustRestored(
                (*self._store.lists(), *self._store.statements()), self._store.marks(), self._store.pins()
            )
            return trust, [_stored(row) for row in self._store.rows()]

        trust, rows = await trio.to_thread.run_sync(read)
        await self._carry_out(self._handle(trust))
        await self._carry_out(self._handle(io.PinsChanged(pins)))
        for fact in facts:
            file = "revocations.pem" if isinstance(fact, RevocationList) else "statements.pem"
            await self._carry_out(self._handle(io.FactOffered(fact, file)))
        await self._carry_out(self._handle(io.PeersRestored(tuple(rows[:RESTORED_AT_ONCE]))))
        return rows[RESTORED_AT_ONCE:]

    async def _restore(self, rows: Sequence[io.StoredPeer]) -> None:
        """The rest of a large table, in portions, while the node is already at work."""
        waiting = iter(rows)
        while portion := tuple(islice(waiting, RESTORED_AT_ONCE)):
            await self.offer(io.PeersRestored(portion))

    # The core's task

    async def _run_core(self, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            while True:
                await self._take_in(await self._next_inputs())
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
                self._note_idle()
        except P2PNoiseError as error:  # the store failed: what we would say next could not be remembered
            self.failure = error
            task_status.started()
            self._nursery.cancel_scope.cancel()
            self._block.cancel_scope.cancel()

    async def _take_in(self, inputs: list[io.Input]) -> None:
        """Hand the core what waits and carry out what follows: many inputs share one commit, few bytes wait for it."""
        effects: list[io.Effect] = []
        waiting = 0
        for given in inputs:
            new = self._handle(given)
            effects += new
            waiting += sum(len(effect.data) for effect in new if isinstance(effect, io.SendBytes))
            if waiting > MAX_GATHERED:
                await self._carry_out(effects)
                effects, waiting = [], 0
        await self._carry_out(effects)

    async def _next_inputs(self) -> list[io.Input]:
        """Everything that waits, or a tick when the core's deadline comes first."""
        if self._own:
            await trio.lowlevel.checkpoint()
            waiting, self._own = list(self._own), deque()
            return waiting
        due = self.core.deadline()
        with trio.move_on_at(due / SECOND if due is not None else float("inf")):
            inputs = [await self._receive.receive()]
            while len(inputs) < QUEUE:
                try:
                    inputs.append(self._receive.receive_nowait())
                except trio.WouldBlock:
                    break
            return inputs
        return [io.Tick()]

    def _handle(self, given: io.Input) -> list[io.Effect]:
        return self.core.handle(given, Instant(int(trio.current_time() * SECOND), int(time.time())))

    async def _carry_out(self, effects: list[io.Effect]) -> None:
        changes = [_change(effect) for effect in effects if isinstance(effect, Store)]
        if changes:
            # Shielded: a batch is kept whole or not at all, and nobody waits for less than the truth.
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._store.commit, changes)
        for effect in effects:
            match effect:
                case io.SendBytes(connection, data):
                    self._queue(connection, data)
                case io.Emit(event):
                    self._on_event(event)
                case io.Dial(connection, address):
                    self._nursery.start_soon(self._dial, connection, address)
                case io.Disconnect(connection):
                    self._end(connection)
                case StorePeer() | StoreRevocations() | StoreStatement() | StorePin():
                    pass

    def _queue(self, number: io.ConnectionId, data: bytes) -> None:
        connection = self._connections.get(number)
        if connection is None or connection.ending:
            return
        if len(connection.unsent) + len(data) > MAX_UNSENT:
            connection.scope.cancel()
            self._own.append(io.ConnectFailed(number, f"it does not read: {MAX_UNSENT} bytes wait for it"))
            return
        connection.unsent += data
        connection.spoken = True
        connection.wake.set()

    def _end(self, number: io.ConnectionId) -> None:
        connection = self._connections.pop(number, None)
        if connection is not None:
            connection.ending = True
            connection.wake.set()
            # A peer that does not read must not keep its socket for ever.
            connection.scope.deadline = trio.current_time() + LINGER

    # Connections

    async def _accept(self, stream: trio.SocketStream) -> None:
        try:
            address = _address(stream.socket.getpeername())
        except OSError:
            return  # it has gone already
        number = self.core.new_connection()
        await self._serve(number, stream, io.Accepted(number, address))

    async def _dial(self, number: io.ConnectionId, address: Address) -> None:
        try:
            with trio.fail_after(CONNECT_TIMEOUT):
                stream = await trio.open_tcp_stream(address.host, address.port)
        except (OSError, trio.TooSlowError) as error:
            await self.offer(io.ConnectFailed(number, _why(error)))
            return
        await self._serve(number, stream, io.Connected(number))

    async def _serve(self, number: io.ConnectionId, stream: trio.SocketStream, opened: io.Input) -> None:
        connection = self._connections[number] = _Connection()
        self._serving.add(number)
        try:
            with connection.scope:
                await self.offer(opened)
                await self._exchange(number, connection, stream)
        finally:
            self._connections.pop(number, None)
            self._serving.discard(number)
            self._note_idle()
            await trio.aclose_forcefully(stream)

    async def _exchange(self, number: io.ConnectionId, connection: _Connection, stream: trio.SocketStream) -> None:
        """Read and write until the core ends the connection and the peer has had `LINGER` to take our last bytes."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, number, connection, stream, nursery.cancel_scope)
                await self._write(connection, stream)
                if not connection.spoken:
                    nursery.cancel_scope.cancel()  # no last bytes that closing at once could destroy
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            if not connection.ending:
                await self.offer(io.ConnectFailed(number, "connection reset"))

    async def _read(
        self, number: io.ConnectionId, connection: _Connection, stream: trio.SocketStream, scope: trio.CancelScope
    ) -> None:
        while data := await stream.receive_some(RECEIVE_SIZE):
            if not connection.ending:
                await self.offer(io.BytesReceived(number, data))
        if connection.ending:
            scope.cancel()  # both directions are ended: nothing to linger for
        else:
            await self.offer(io.BytesReceived(number, b""))

    async def _write(self, connection: _Connection, stream: trio.SocketStream) -> None:
        """Send what is queued until the core ends the connection; then end our direction, so that all arrives."""
        while connection.unsent or not connection.ending:
            if not connection.unsent:
                connection.wake = trio.Event()
                await connection.wake.wait()
                continue
            data, connection.unsent = connection.unsent, bytearray()
            await stream.send_all(data)
        await stream.send_eof()

    # Stopping

    async def _stop(self) -> None:
        """Say goodbye on all links, and give them the time that the configuration allows."""
        self._stopping = True
        with trio.move_on_after(self.core.config.close_timeout), suppress(trio.BrokenResourceError):
            await self.offer(io.Stop())
            await self._idle.wait()

    def _note_idle(self) -> None:
        if self._stopping and not self.core.links.all and not self._serving:
            self._idle.set()


@asynccontextmanager
async def open_node(
    *,
    key: NodeKey,
    card: Card,
    policy: Policy,
    database: Path,
    listen: Sequence[Address],
    advertise: Sequence[Address] = (),
    facts: Sequence[Fact] = (),
    pins: Mapping[str, IdentityId] | None = None,
    config: NodeConfig | None = None,
    on_event: Callable[[Event], None] = lambda _event: None,
) -> AsyncIterator[Node]:
    """Run a node for as long as the block lasts; leaving it ends all links, and nothing outlives it.

    It listens at `listen` (port 0 lets the system choose) and lets others know `advertise`, or else where it listens.
    `facts` are revocation lists and statements held in files, `pins` identities by the names that belong to them.
    `on_event` is called for every event, in order, between two inputs: it must not block. Raises `StoreError` and
    `ListenError`, before the block or, where the disk fails later, from it.
    """
    store = await trio.to_thread.run_sync(lambda: PeerStore(database, network=policy.network, node_id=key.public))
    node = None
    try:
        core = NodeCore(
            config or NodeConfig(),
            key=key,
            card=card,
            policy=policy,
            random=random.Random(os.urandom(32)),  # noqa: S311 - choices and jitter; keys come from entropy
            entropy=os.urandom,
        )
        node = Node(core, store, on_event)
        async with node.running(listen, advertise, facts, pins or {}):
            yield node
    finally:
        store.close()
        if node is not None and node.addresses:
            on_event(Stopped(node_id=key.public))
        if node is not None and node.failure is not None:
            raise node.failure from None


async def _listen_at(addresses: Sequence[Address]) -> list[trio.SocketListener]:
    """Listeners at all of these, or none."""
    listeners: list[trio.SocketListener] = []
    try:
        for address in addresses:
            listeners += await _listen(address)
    except BaseException:
        for listener in listeners:
            listener.socket.close()
        raise
    return listeners


async def _listen(address: Address) -> list[trio.SocketListener]:
    try:
        return await trio.open_tcp_listeners(address.port, host=address.host)
    except OSError as error:
        hint = "choose another port, or 0 for any free one" if address.port else "check the address with: ip address"
        raise ListenError(f"cannot listen on {address}: {_why(error)}", hint) from None


def _address(name: tuple[str, int] | tuple[str, int, int, int]) -> Address:
    return Address(name[0], name[1])


def _why(error: BaseException) -> str:
    if isinstance(error, trio.TooSlowError):
        return f"no answer within {CONNECT_TIMEOUT:g} s"
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):  # trio tried several addresses; the first failure speaks for all
        return _why(cause.exceptions[0])
    if isinstance(cause, OSError):
        return _why(cause)
    number = getattr(error, "errno", None)
    return (os.strerror(number) if isinstance(number, int) and number > 0 else str(error)).lower()


def _change(effect: Store) -> Change:
    match effect:
        case StoreRevocations(revocations):
            return revocations
        case StoreStatement(statement):
            return statement
        case StorePin(pin):
            return pin
    peer = effect.peer
    errors = peer.verdict.errors
    return PeerChange(
        verified=peer.verified,
        record=peer.record,
        standing=errors[0].code if errors else peer.verdict.level,
        provenance=peer.provenance,
        first_seen=peer.first_seen,
        changed=int(time.time()),
        learned_from=peer.learned_from,
    )


def _stored(row: Row) -> io.StoredPeer:
    return io.StoredPeer(row.card, row.record, row.provenance, row.first_seen, row.learned_from)
