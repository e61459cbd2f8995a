"""Forwarding: a service of a peer, for whoever connects to a listener of this machine."""

from typing import Any

import trio

from cards import Address, CardError
from cli.daemon.connections import Connections
from cli.daemon.relay import reset
from cli.daemon.service import Forwarded
from p2pnoise import Node, PeerStream, PeerTimeout, StreamBroken, StreamCode, StreamNotOpened, StreamReset
from p2pnoise.events import ServiceFailed

__all__ = ["Forwarding", "open_listeners"]

OPEN_TIMEOUT = 30.0  # seconds for a stream, as `Node.open_stream` has it
TRIES = 8  # to have one port for all addresses of a name; a guess: others take a free port seldom

_REFUSED = {
    StreamCode.UNKNOWN_PROTOCOL: "it exposes no such service",
    StreamCode.NOT_ALLOWED: "we are of no group that may use it",
    StreamCode.BUSY: "too many connections to it are open",
    StreamCode.FAILED: "it does not answer there",
}


class Forwarding:
    """A service of a peer, behind a listener here."""

    def __init__(self, node: Node, owner: object, what: Forwarded, listeners: list[trio.SocketListener]) -> None:
        self.what = what
        self.connections = Connections(node, owner)
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


async def open_listeners(address: Address) -> list[trio.SocketListener]:
    """Those of all addresses that a host stands for, at one port, also where any will do. Raises OSError."""
    tries = TRIES
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
