"""Services: the TCP services that a running node exposes to its peers and forwards from them, changed while it runs.

    an application here -> listener of a forward -> stream tcp/SERVICE -> an exposed service -> its application there

Whoever may connect to the listener may use the service: a forward listens for this machine unless told otherwise.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import trio

from cards import Address, CardError, NodeId
from cli.daemon.relay import Traffic, relay, reset
from cli.daemon.service import Exposed, Forwarded
from cli.output import Fault
from p2pnoise import Node, PeerStream, PeerTimeout, StreamBroken, StreamCode, StreamNotOpened, StreamReset
from p2pnoise.events import ServiceFailed
from p2pnoise.node.driver.peers import peer_value
from p2pnoise.node.driver.real_world import reason_of

__all__ = ["Services"]

MAX_CONNECTIONS = 256  # of a service at once; a guess: each may hold a stream's window and a read, 0.75 MiB
MAX_OF_PEER = 64  # of those to a service of ours, of one peer; a guess: three more are served besides it
LISTEN_TRIES = 8  # to have one port for all addresses of a name; a guess: others take a free port seldom
CONNECT_TIMEOUT = 10.0  # seconds, as of the node's own dials
OPEN_TIMEOUT = 30.0  # seconds for a stream, as `Node.open_stream` has it
CHECK = 1.0  # seconds between two looks at whether a peer still is of a group, which nothing tells of

_REFUSED = {
    StreamCode.UNKNOWN_PROTOCOL: "it exposes no such service",
    StreamCode.NOT_ALLOWED: "we are of no group that may use it",
    StreamCode.BUSY: "too many connections to it are open",
    StreamCode.FAILED: "it does not answer there",
}

_CONFIGURED = object()
"""Who asked for what `set` names."""


class _Connections:
    """Those of one service, and what was told of it. Each has a cancel scope, by which it is ended."""

    def __init__(self, node: Node, owner: object) -> None:
        self.owner = owner
        self.most = MAX_CONNECTIONS
        self._node = node
        self.most_of_peer = MAX_OF_PEER
        self._scopes: dict[trio.CancelScope, NodeId | None] = {}
        self._traffic = Traffic()
        self._told: set[str] = set()

    @property
    def full(self) -> bool:
        return len(self._scopes) >= self.most

    def full_for(self, peer: NodeId) -> bool:
        return self.full or list(self._scopes.values()).count(peer) >= self.most_of_peer

    @contextmanager
    def one(self, peer: NodeId | None = None) -> Iterator[trio.CancelScope]:
        """One more, as long as the block lasts; `peer` has asked for it."""
        with trio.CancelScope() as scope:
            self._scopes[scope] = peer
            try:
                yield scope
            finally:
                del self._scopes[scope]

    def end_all(self) -> None:
        for scope in self._scopes:
            scope.cancel()

    async def relay(self, stream: PeerStream, local: trio.SocketStream) -> StreamBroken | None:
        return await relay(stream, local, self._traffic)

    def worked(self) -> None:
        self._told.clear()

    def failed(self, cause: str, event: ServiceFailed) -> None:
        if cause not in self._told:
            self._told.add(cause)
            self._node.tell(event)

    def status(self) -> dict[str, Any]:
        return {
            "connections": len(self._scopes),
            "bytes_received": self._traffic.received,
            "bytes_sent": self._traffic.sent,
            "configured": self.owner is _CONFIGURED,
        }


class _Exposing:
    """A service of ours, served."""

    def __init__(self, node: Node, owner: object, what: Exposed) -> None:
        self.what = what
        self.connections = _Connections(node, owner)
        self._node = node

    async def serve(self, stream: PeerStream) -> None:
        """The handler of its protocol."""
        if not self.what.allows(stream.peer.groups):
            stream.abort(StreamCode.NOT_ALLOWED)
            return
        if self.connections.full_for(stream.peer.node_id):
            stream.abort(StreamCode.BUSY)
            return
        with self.connections.one(stream.peer.node_id) as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, stream, scope)
                local = await self._connect()
                if local is None:
                    stream.abort(StreamCode.FAILED)
                else:
                    await self.connections.relay(stream, local)
                nursery.cancel_scope.cancel()
        stream.abort()

    async def _connect(self) -> trio.SocketStream | None:
        host, port = self.what.to
        try:
            with trio.fail_after(CONNECT_TIMEOUT):
                local = await trio.open_tcp_stream(host, port)
        except OSError as error:
            self._failed(reason_of(error))
        except trio.TooSlowError:
            self._failed(f"no answer within {CONNECT_TIMEOUT:g} s")
        else:
            self.connections.worked()
            return local
        return None

    async def _watch(self, stream: PeerStream, scope: trio.CancelScope) -> None:
        """End a connection whose peer may not use the service any longer. Links end by themselves with all trust."""
        while True:
            await trio.sleep(CHECK)
            peer = peer_value(self._node.core, stream.peer.node_id)
            if peer is None or not self.what.allows(peer.groups):
                stream.abort(StreamCode.NOT_ALLOWED)
                scope.cancel()

    def _failed(self, reason: str) -> None:
        what = self.what
        event = ServiceFailed(service=what.service, peer=None, address=what.to, reason=reason)
        self.connections.failed(reason, event)

    def status(self) -> dict[str, Any]:
        what = self.what
        return {
            "service": what.service,
            "to": str(what.to),
            "groups": list(what.groups),
            **self.connections.status(),
        }


class _Forwarding:
    """A service of a peer, behind a listener here."""

    def __init__(self, node: Node, owner: object, what: Forwarded, listeners: list[trio.SocketListener]) -> None:
        self.what = what
        self.connections = _Connections(node, owner)
        self._node = node
        self._scope = trio.CancelScope()
        self._begins = trio.Event()
        self.listen_on(listeners)

    def listen_on(self, listeners: list[trio.SocketListener]) -> None:
        """Take connections from these, at first or after `release`."""
        self._listeners = listeners
        self._taking = trio.CancelScope()
        self._begins.set()
        self.address = Address(*listeners[0].socket.getsockname()[:2])

    async def run(self) -> None:
        """Serve until closed."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    while True:
                        await self._begins.wait()
                        self._begins = trio.Event()
                        with self._taking:
                            await trio.serve_listeners(self._serve, self._listeners, handler_nursery=nursery)
        finally:
            self.release()

    def release(self) -> None:
        """Take no more connections; those that stand go on."""
        self._taking.cancel()
        for listener in self._listeners:
            listener.socket.close()

    def close(self) -> None:
        """End all connections, and listen no more."""
        self._scope.cancel()
        self.release()

    async def _serve(self, local: trio.SocketStream) -> None:
        try:
            if self.connections.full:
                self._failed("full", f"{self.connections.most} connections to it are open here")
                return
            with self.connections.one():
                stream = await self._open()
                if stream is not None:
                    self._ended(await self.connections.relay(stream, local))
        finally:
            reset(local)

    async def _open(self) -> PeerStream | None:
        try:
            return await self._node.open_stream(self.what.peer, self.what.protocol, timeout=OPEN_TIMEOUT)
        except (StreamNotOpened, PeerTimeout, CardError) as error:
            self._failed(type(error).__name__, str(error))
        return None

    def _ended(self, broken: StreamBroken | None) -> None:
        code = broken.code if isinstance(broken, StreamReset) else StreamCode.CANCELLED
        if code in _REFUSED:
            self._failed(code.label, _REFUSED[code])
        elif broken is None:
            self.connections.worked()

    def _failed(self, cause: str, reason: str) -> None:
        what = self.what
        event = ServiceFailed(service=what.service, peer=what.peer, address=self.address, reason=reason)
        self.connections.failed(cause, event)

    def status(self) -> dict[str, Any]:
        what = self.what
        return {
            "service": what.service,
            "peer": what.peer,
            "listen": str(self.address),
            **self.connections.status(),
        }


class Services:
    """What one node exposes and forwards at present. For the tasks of its trio run; it ends with the node's block."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._exposed: dict[str, _Exposing] = {}
        self._forwarded: list[_Forwarding] = []
        self._changing = trio.Lock()

    async def set(self, exposed: Iterable[Exposed], forwarded: Iterable[Forwarded]) -> None:
        """Have these, in place of those of the last call; what stands in both goes on, its connections too.

        Connections end of what is exposed at another address or forwarded to another peer, and of peers that are of
        none of the new groups, within a second. Raises Fault where it cannot be done, and then nothing is changed.
        """
        await self._change(_CONFIGURED, list(exposed), list(forwarded))

    @asynccontextmanager
    async def adding(
        self, *, exposed: Iterable[Exposed] = (), forwarded: Iterable[Forwarded] = ()
    ) -> AsyncIterator[tuple[Address, ...]]:
        """Have these too, as long as the block lasts; where it listens for each of `forwarded`. Raises Fault."""
        owner = object()
        try:
            yield await self._change(owner, list(exposed), list(forwarded))
        finally:
            with trio.CancelScope(shield=True):
                await self._change(owner, [], [])

    def status(self) -> dict[str, Any]:
        """For JSON: of each service what it is, how many connections it has, and the bytes that all have carried."""
        return {
            "exposed": [one.status() for one in self._exposed.values()],
            "forwarded": [one.status() for one in self._forwarded],
        }

    async def _change(self, owner: object, exposed: list[Exposed], forwarded: list[Forwarded]) -> tuple[Address, ...]:
        async with self._changing:
            self._check(owner, exposed, forwarded)
            old = {one.what.place: one for one in self._forwarded if one.connections.owner is owner}
            new = {one.place: one for one in forwarded}
            ending = [one for place, one in old.items() if place not in new]
            opened = await self._listen_for(owner, [one for place, one in new.items() if place not in old], ending)
            # From here on nothing fails.
            for place, one in old.items():
                if place in new:
                    self._forward_to(one, new[place])
                else:
                    one.close()
                    self._forwarded.remove(one)
            for one in opened:
                self._forwarded.append(one)
                self._node.start_soon(one.run)
            self._expose(owner, {one.service: one for one in exposed})
            return tuple(one.address for one in self._forwarded if one.connections.owner is owner)

    def _check(self, owner: object, exposed: list[Exposed], forwarded: list[Forwarded]) -> None:
        names = [one.service for one in exposed]
        places = [one.place for one in forwarded]
        for name in names:
            if names.count(name) > 1:
                raise Fault(f"{name} is exposed twice", "give each service a name of its own")
            if name in self._exposed and self._exposed[name].connections.owner is not owner:
                text = f"{name} is exposed already, at {self._exposed[name].what.to}"
                raise Fault(text, "choose another name, or end the other: p2pnoise status shows it")
        for one in forwarded:
            if places.count(one.place) > 1:
                raise Fault(f"two forwards listen at {one.listen}", "give each a place of its own")

    async def _listen_for(
        self, owner: object, forwarded: list[Forwarded], ending: list[_Forwarding]
    ) -> list[_Forwarding]:
        """Listen for these; one that ends makes way for another at its port, which its address may include."""
        ports = {one.listen.port for one in forwarded}
        in_the_way = [one for one in ending if one.address.port in ports]
        held = {one.address.port for one in in_the_way}
        opened = await self._listen(owner, [one for one in forwarded if one.listen.port not in held])
        for each in in_the_way:
            each.release()
        try:
            return opened + await self._listen(owner, [one for one in forwarded if one.listen.port in held])
        except BaseException:
            for each in opened:
                each.close()
            with trio.CancelScope(shield=True):
                for each in in_the_way:
                    await self._listen_again(each)
            raise

    async def _listen_again(self, one: _Forwarding) -> None:
        try:
            one.listen_on(await _listeners(Address(one.what.listen.host, one.address.port)))
        except OSError:  # somebody was faster
            one.close()
            self._forwarded.remove(one)

    async def _listen(self, owner: object, forwarded: list[Forwarded]) -> list[_Forwarding]:
        opened: list[_Forwarding] = []
        try:
            for one in forwarded:
                opened.append(_Forwarding(self._node, owner, one, await _listeners(one.listen)))
        except BaseException as error:
            for each in opened:
                each.close()
            if not isinstance(error, OSError):
                raise
            text = f"cannot listen on {one.listen} for {one.target}: {reason_of(error)}"
            raise Fault(text, "choose another port, or end what listens there") from None
        return opened

    def _forward_to(self, one: _Forwarding, what: Forwarded) -> None:
        if one.what != what:
            one.what = what
            one.connections.end_all()
            one.connections.worked()

    def _expose(self, owner: object, wanted: dict[str, Exposed]) -> None:
        for name, one in list(self._exposed.items()):
            if one.connections.owner is not owner:
                continue
            what = wanted.pop(name, None)
            if what is None:
                self._node.unhandle(one.what.protocol)
                del self._exposed[name]
            if what is None or what.to != one.what.to:
                one.connections.end_all()
                one.connections.worked()
            if what is not None:
                one.what = what
        for name, what in wanted.items():
            self._exposed[name] = _Exposing(self._node, owner, what)
            self._node.handle(what.protocol, self._exposed[name].serve)


async def _listeners(address: Address) -> list[trio.SocketListener]:
    """Those of all addresses that a host stands for, at one port, also where any will do. Raises OSError."""
    tries = LISTEN_TRIES
    while True:
        found = await trio.open_tcp_listeners(address.port, host=address.host)
        ports = {one.socket.getsockname()[1] for one in found}
        if len(ports) == 1:
            return found
        for one in found:
            one.socket.close()
        tries -= 1
        try:
            return await trio.open_tcp_listeners(min(ports), host=address.host)
        except OSError:
            if not tries:
                raise
