"""Switchboard: all streams of a node's application, between the core, which numbers them, and those who hold them."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import trio

from cards import Address, NodeId
from p2pnoise.errors import LocalProtocolError
from p2pnoise.node import effects as io
from p2pnoise.node.stream_events import End, StreamCode, StreamOffered
from p2pnoise.node.streams import is_protocol

from .errors import StreamNotOpened, not_opened
from .failures import Failures, split
from .peer_stream import PeerStream, ended_by
from .peers import Peer

__all__ = ["Handler", "Switchboard"]

Handler: TypeAlias = Callable[[PeerStream], Awaitable[object]]
"""What serves a stream that a peer opened; the stream is closed when it returns."""


@dataclass(slots=True)
class _Wish:
    """A stream that is wanted, and what became of it."""

    protocol: str
    answered: trio.Event = field(default_factory=trio.Event)
    stream: PeerStream | None = None
    refusal: StreamNotOpened | None = None


class Switchboard:
    """Opens streams, hands those that are offered to their handlers, and brings each what the core says of it."""

    def __init__(
        self,
        post: Callable[[io.Input], None],
        peer_of: Callable[[NodeId], Peer | None],
        nursery: trio.Nursery,
        failures: Failures,
        *,
        most: Callable[[], int],
        tickets: Iterator[io.Ticket],
    ) -> None:
        """As many as `most` says handlers run for one peer at a time, also of links that have ended."""
        self._post = post
        self._peer_of = peer_of
        self._nursery = nursery
        self._failures = failures
        self._most = most
        self._running: Counter[NodeId] = Counter()  # handlers by the peer that they serve
        self._handlers: dict[str, Handler] = {}
        self._streams: dict[io.ConnectionId, dict[int, PeerStream]] = {}
        self._wishes: dict[io.Ticket, _Wish] = {}
        self._tickets = tickets
        self._serves = True
        self._idle = trio.Event()  # no handler runs, and none will
        self._ended = False

    # What the application does

    def handle(self, protocol: str, handler: Handler) -> None:
        """Have `handler` serve the streams that peers open for `protocol` from now on."""
        _check_protocol(protocol)
        if protocol in self._handlers:
            raise LocalProtocolError(f"{protocol} has a handler already")
        self._handlers[protocol] = handler

    def unhandle(self, protocol: str) -> None:
        """Hand no further streams for `protocol` to anybody; those that are being served go on."""
        if self._handlers.pop(protocol, None) is None:
            raise LocalProtocolError(f"{protocol[:80]!r} has no handler")

    async def open(self, node_id: NodeId, address: Address | None, protocol: str) -> PeerStream:
        """A new stream, however long that takes. Raises StreamNotOpened."""
        _check_protocol(protocol)
        if self._ended:
            raise not_opened(io.Refusal.STOPPING, "this node has stopped")
        ticket, wish = next(self._tickets), _Wish(protocol)
        self._wishes[ticket] = wish
        self._post(io.StreamWanted(ticket, node_id, protocol, address))
        try:
            await wish.answered.wait()
        except BaseException:
            if wish.stream is not None:
                wish.stream.abort()
            elif self._wishes.pop(ticket, None) is not None:
                self._post(io.StreamUnwanted(ticket))
            raise
        if wish.stream is None:
            raise wish.refusal or not_opened(io.Refusal.STOPPING, "this node has stopped")
        return wish.stream

    # What the core says

    def opened(self, ticket: io.Ticket, connection: io.ConnectionId, number: int, node_id: NodeId) -> None:
        """A stream that was wanted is there."""
        wish = self._wishes.pop(ticket, None)
        peer = self._peer_of(node_id)
        if wish is None or peer is None:  # nobody waits any longer, or for somebody who does not count any longer
            self._post(io.StreamEnded(connection, number, End.ABORT))
        if wish is not None:
            if peer is not None:
                wish.stream = self._begin(connection, number, peer, wish.protocol)
            else:
                wish.refusal = not_opened(io.Refusal.NOT_TRUSTED, "its card does not count any longer")
            wish.answered.set()

    def refused(self, ticket: io.Ticket, refusal: io.Refusal, reason: str) -> None:
        """A stream that was wanted will not come."""
        wish = self._wishes.pop(ticket, None)
        if wish is not None:
            wish.refusal = not_opened(refusal, reason)
            wish.answered.set()

    def happened(self, effect: io.OnStream) -> None:
        """Something happened on a stream, or a peer opened one."""
        connection, event = effect.connection, effect.event
        if isinstance(event, StreamOffered):
            self._offered(connection, event.stream, effect.node_id, event.protocol)
            return
        stream = self._streams.get(connection, {}).get(event.stream)
        if stream is not None:  # or it was closed meanwhile
            stream.hear(event)

    def lost(self, connection: io.ConnectionId, reason: str) -> None:
        """The link of all streams of a connection has ended."""
        for stream in self._streams.pop(connection, {}).values():
            stream.lose(reason)

    def stop_serving(self) -> None:
        """Hand no more streams to handlers."""
        self._serves = False
        self._note_idle()

    async def wait_until_idle(self) -> None:
        """Wait until no stream is served any more, and none will be."""
        await self._idle.wait()

    def hurry(self) -> None:
        """Have `wait_until_idle` wait for nobody."""
        self._idle.set()

    def _note_idle(self) -> None:
        if not self._serves and not self._running:
            self._idle.set()

    def end(self) -> None:
        """The core says nothing more."""
        self._ended, self._serves = True, False
        for connection in list(self._streams):
            self.lost(connection, "this node has stopped")
        for ticket in list(self._wishes):
            self.refused(ticket, io.Refusal.STOPPING, "this node has stopped")

    # Serving

    def _offered(self, connection: io.ConnectionId, number: int, node_id: NodeId, protocol: str) -> None:
        handler = self._handlers.get(protocol)
        peer = self._peer_of(node_id)
        if handler is None or peer is None or not self._serves:
            code = StreamCode.UNKNOWN_PROTOCOL if handler is None else StreamCode.CANCELLED
            self._post(io.StreamEnded(connection, number, End.ABORT, code))
        elif self._running[node_id] >= self._most():
            # A handler may outlive its link: or whoever comes back again and again would pile them up.
            self._post(io.StreamEnded(connection, number, End.ABORT, StreamCode.BUSY))
        else:
            self._running[node_id] += 1
            self._nursery.start_soon(self._serve, handler, self._begin(connection, number, peer, protocol))

    async def _serve(self, handler: Handler, stream: PeerStream) -> None:
        """Run a handler. What goes wrong in it comes out of the node's block, but the end of its own stream."""
        node_id = stream.peer.node_id
        try:
            await handler(stream)
            await stream.aclose()
        except BaseException as error:  # noqa: BLE001 - told apart, and none is lost
            cancelled, failed = split(error)
            stream.abort(StreamCode.FAILED if failed is not None else StreamCode.CANCELLED)
            if failed is not None and not ended_by(failed, stream):
                self._failures.add(failed)
            if cancelled is not None:
                raise cancelled from None
        finally:
            self._running[node_id] -= 1
            if not self._running[node_id]:
                del self._running[node_id]
                self._note_idle()

    def _begin(self, connection: io.ConnectionId, number: int, peer: Peer, protocol: str) -> PeerStream:
        stream = PeerStream(
            self._post,
            connection,
            number,
            peer=peer,
            protocol=protocol,
            on_close=lambda: self._forget(connection, number),
        )
        self._streams.setdefault(connection, {})[number] = stream
        return stream

    def _forget(self, connection: io.ConnectionId, number: int) -> None:
        streams = self._streams.get(connection, {})
        streams.pop(number, None)
        if not streams:
            self._streams.pop(connection, None)


def _check_protocol(protocol: str) -> None:
    if not is_protocol(protocol):
        raise LocalProtocolError(f"{protocol[:80]!r} is no protocol: 1 to 64 characters of a-z 0-9 . _ / - expected")
