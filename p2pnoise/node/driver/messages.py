"""Messages: short runs of bytes to a peer, in order, on one stream for each peer and protocol that is kept open.

    OPEN protocol, then for each message: length u32be | message

What `send` promises: each message is received at most once, and after all that were sent before it to the same peer by
the same protocol. Not that it is received: there is no receipt, and what was on its way when a link ended is lost.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from cards import Address, NodeId
from p2pnoise.errors import LocalProtocolError
from p2pnoise.node.stream_events import StreamCode

from .errors import StreamBroken, StreamReset
from .peer_stream import PeerStream
from .peers import Peer
from .switchboard import Handler

__all__ = ["MAX_MESSAGE", "Message", "Outbox", "deliver", "receiving"]

MAX_MESSAGE = 64 * 1024  # bytes; what a receiver takes unless it says otherwise
IDLE = 30.0  # seconds without a message after which the stream is closed, so that an idle link may end; a guess
_LENGTH = 4  # bytes
_LONGEST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Message:
    """What a peer sent: `data`, for `protocol`. `peer` is as known when its stream was opened."""

    peer: Peer
    protocol: str
    data: bytes


def receiving(function: Callable[[Message], Awaitable[object]], *, max_message: int = MAX_MESSAGE) -> Handler:
    """A handler that calls `function` with each message, one after the other in the order in which they were sent.

    While it runs, at most a window (`stream_window`) of further messages waits; then `send` does, on the other side. A
    message of more than `max_message` bytes breaks the stream off as too large. What `function` raises comes out of the
    node's block.
    """

    async def handle(stream: PeerStream) -> None:
        unread = bytearray()
        while True:
            while len(unread) >= _LENGTH:
                size = int.from_bytes(unread[:_LENGTH], "big")
                if size > max_message:
                    stream.abort(StreamCode.TOO_LARGE)
                    return
                if len(unread) < _LENGTH + size:
                    break
                data = bytes(unread[_LENGTH : _LENGTH + size])
                del unread[: _LENGTH + size]
                await function(Message(stream.peer, stream.protocol, data))
            more = await stream.receive_some()
            if not more:
                return
            unread += more

    return handle


async def deliver(stream: PeerStream, message: bytes) -> None:
    """Send one message on a new stream, which is closed after it; returns once the peer's handler has returned from it.

    Raises StreamReset where the peer takes none, or not this one, and PeerGone, after which nobody knows.
    """
    async with stream:
        await stream.send_all(len(message).to_bytes(_LENGTH, "big") + message)
        await stream.send_eof()
        while await stream.receive_some():
            pass  # a receiver has nothing to say


@dataclass(slots=True)
class _Line:
    """The stream for one peer and protocol, as long as there is one, and those who wait to write on it."""

    lock: trio.Lock = field(default_factory=trio.Lock)  # first come, first served
    stream: PeerStream | None = None
    idle: trio.CancelScope = field(default_factory=trio.CancelScope)
    users: int = 0
    reset: StreamReset | None = None  # of the last stream; the next message is told of it

    @property
    def stands(self) -> bool:
        return self.stream is not None and not self.stream.broken and not self.idle.cancel_called


class Outbox:
    """The streams that messages leave on."""

    def __init__(
        self,
        open_stream: Callable[[NodeId, Address | None, str], Awaitable[PeerStream]],
        nursery: trio.Nursery,
    ) -> None:
        self._open = open_stream
        self._nursery = nursery
        self._lines: dict[tuple[NodeId, str], _Line] = {}

    async def send(self, node_id: NodeId, address: Address | None, protocol: str, message: bytes) -> None:
        """As `Node.send`, however long it takes."""
        if len(message) > _LONGEST:
            raise LocalProtocolError(f"a message of {len(message)} bytes, at most {_LONGEST}")
        line = self._lines.setdefault((node_id, protocol), _Line())
        line.users += 1
        try:
            async with line.lock:
                await self._write(line, node_id, address, protocol, message)
        finally:
            line.users -= 1
            self._forget(node_id, protocol, line)

    async def _write(
        self, line: _Line, node_id: NodeId, address: Address | None, protocol: str, message: bytes
    ) -> None:
        if line.reset is not None:
            reset, line.reset = line.reset, None
            raise reset
        if line.stream is None or not line.stands:
            line.stream = await self._open(node_id, address, protocol)
            line.idle = trio.CancelScope()
            self._nursery.start_soon(self._watch, node_id, protocol, line, line.stream)
        line.idle.deadline = float("inf")
        try:
            await line.stream.send_all(len(message).to_bytes(_LENGTH, "big") + message)
        finally:
            line.idle.deadline = trio.current_time() + IDLE

    async def _watch(self, node_id: NodeId, protocol: str, line: _Line, stream: PeerStream) -> None:
        """Wait until the stream ends or nobody has written for long; a later message opens another."""
        try:
            with line.idle:
                while await stream.receive_some():
                    pass  # a receiver has nothing to say
        except StreamReset as reset:
            line.reset = reset
        except (StreamBroken, trio.ClosedResourceError):
            pass
        finally:
            with trio.CancelScope(shield=True):
                await stream.aclose()  # what was written arrives, also where the node is left
            if line.stream is stream:
                line.stream = None
            self._forget(node_id, protocol, line)

    def _forget(self, node_id: NodeId, protocol: str, line: _Line) -> None:
        if line.stream is None and not line.users and line.reset is None:
            self._lines.pop((node_id, protocol), None)
