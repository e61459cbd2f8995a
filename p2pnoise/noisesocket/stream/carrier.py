"""Carriers: what a NoiseStream moves its bytes over; any trio stream, and the shorter way to a socket's.

`receive` is one checkpoint, as every trio operation is. `send_all` is a schedule point and leaves asking for
cancellation to its caller, who asks before it seals a message: a sealed message that is not sent is a gap in the
nonces.
"""

import os
import sys
from typing import Protocol as Interface

import trio

__all__ = ["Carrier", "SocketCarrier", "StreamCarrier", "carrier_for"]

_FIRST_RECEIVE = 4096
_LONGEST_RECEIVE = 1 << 19
"""Eight of the longest messages, which is what one `send_all` of the peer hands its kernel."""

Sendable = bytes | bytearray | memoryview


class Carrier(Interface):
    """Bytes there and back."""

    async def send_all(self, data: Sendable) -> None:
        """Send all of `data`. If it is cancelled, an unknown part is on its way."""
        ...

    async def receive(self) -> bytes:
        """At least one byte; b"" at the carrier's end. If it is cancelled, nothing is lost."""
        ...


class StreamCarrier:
    """Over any trio stream."""

    __slots__ = ("_stream",)

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def send_all(self, data: Sendable) -> None:
        """As Carrier says."""
        await self._stream.send_all(data)

    async def receive(self) -> bytes:
        """As Carrier says."""
        return bytes(await self._stream.receive_some())


class SocketCarrier:
    """Over the descriptor of a SocketStream: the system call first, and trio where it would block.

    trio's own way to the same call goes through six functions and two context managers. What it promises is kept: a
    call that need not wait still lets other tasks run, once.
    """

    __slots__ = ("_receive_size", "_socket")

    def __init__(self, stream: trio.SocketStream) -> None:
        self._socket = stream.socket
        self._receive_size = _FIRST_RECEIVE

    async def send_all(self, data: Sendable) -> None:
        """As Carrier says."""
        try:
            sent = os.write(self._descriptor(), data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise trio.BrokenResourceError(f"socket connection broken: {error}") from error
        if sent == len(data):
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            await self._send_rest(memoryview(data)[sent:])

    async def receive(self) -> bytes:
        """As Carrier says."""
        await trio.lowlevel.checkpoint_if_cancelled()
        data = self._read()
        if data is not None:
            await trio.lowlevel.cancel_shielded_checkpoint()
        while data is None:
            await trio.lowlevel.wait_readable(self._descriptor())
            data = self._read()
        # Twice as much next time if this was full, so that bulk comes in big pieces and idle links cost nothing.
        full = len(data) == self._receive_size
        self._receive_size = min(2 * self._receive_size, _LONGEST_RECEIVE) if full else _FIRST_RECEIVE
        return data

    def _read(self) -> bytes | None:
        try:
            return os.read(self._descriptor(), self._receive_size)
        except BlockingIOError:
            return None
        except OSError as error:
            raise trio.BrokenResourceError(f"socket connection broken: {error}") from error

    async def _send_rest(self, rest: memoryview) -> None:
        while rest:
            await trio.lowlevel.wait_writable(self._descriptor())
            try:
                rest = rest[os.write(self._descriptor(), rest) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise trio.BrokenResourceError(f"socket connection broken: {error}") from error

    def _descriptor(self) -> int:
        # Asked each time: whoever closes the SocketStream frees the number, and the next connection may have it.
        descriptor = self._socket.fileno()
        if descriptor < 0:
            raise trio.ClosedResourceError("this socket was already closed")
        return descriptor


def carrier_for(stream: trio.abc.Stream) -> Carrier:
    """The shortest way to move bytes over this stream."""
    # On Windows a socket is no file descriptor; nor is one of trio.testing's pretended networks.
    if sys.platform != "win32" and isinstance(stream, trio.SocketStream) and _has_descriptor(stream.socket):
        return SocketCarrier(stream)
    return StreamCarrier(stream)


def _has_descriptor(socket: trio.socket.SocketType) -> bool:
    try:
        socket.fileno()
    except NotImplementedError:
        return False
    return True
