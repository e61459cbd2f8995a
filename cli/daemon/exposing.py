"""Exposing: a TCP service of this machine, served to peers of the groups that may use it."""

from typing import Any

import trio

from cli.daemon.connections import Connections
from cli.daemon.service import Exposed
from p2pnoise import Node, PeerStream, StreamCode
from p2pnoise.events import ServiceFailed
from p2pnoise.node.driver.peers import peer_value
from p2pnoise.node.driver.real_world import reason_of

__all__ = ["Exposing"]

CONNECT_TIMEOUT = 10.0  # seconds, as of the node's own dials
CHECK = 1.0  # seconds between two looks at whether a peer still is of a group, which nothing tells of


class Exposing:
    """A service of ours, served."""

    def __init__(self, node: Node, owner: object, what: Exposed) -> None:
        self.what = what
        self.connections = Connections(node, owner)
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
