"""Connections: those that one service carries at present, whoever exposes or forwards it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio

from cards import NodeId
from cli.daemon.relay import Traffic, relay
from p2pnoise import Node, PeerStream, StreamBroken
from p2pnoise.events import ServiceFailed

__all__ = ["CONFIGURED", "Connections"]

MAX_CONNECTIONS = 256  # of a service at once; a guess: each may hold a stream's window and a read, 0.75 MiB
MAX_OF_PEER = 64  # of those to a service of ours, of one peer; a guess: three more are served besides it

CONFIGURED = object()
"""The owner of what node.toml names."""


class Connections:
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
            "configured": self.owner is CONFIGURED,
        }
