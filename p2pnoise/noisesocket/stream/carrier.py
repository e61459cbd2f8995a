"""Carriers: what a NoiseStream moves its bytes over; any trio stream, and the shorter way to a socket's.

`receive` is one checkpoint, as every trio operation is. `send_all` is a schedule point and leaves asking for
cancellation to its caller, who asks before it seals a message: a sealed message that is not sent is a gap in the
nonces.
"""

import os
import sys
from collections.abc import Callable
from typing import Protocol as Interface

import trio

from p2pnoise.noisesocket.framing import MAX_FIELD, PREFIX

__all__ = ["Carrier", "SocketCarrier", "StreamCarrier", "carrier_for"]

_LONGEST_RECEIVE = 8 * (PREFIX + MAX_FIELD)
"""Eight of the longest messages, which is what one `send_all` of the peer hands its kernel."""
Sendable = bytes | bytearray | memoryview
Take = Callable[[bytes | memoryview], object]


_buffers: list[bytearray] = []


class Carrier(Interface):
    """Bytes there and back."""

    async def send_all(self, data: Sendable) -> None:
        """Send all of `data`. If it is cancelled, an unknown part is on its way."""
        ...

    async def send_flight(self, data: Sendable) -> object:
        """As `send_all`, but no schedule point where it need not wait: for who waits for the answer next."""
        ...

    async def receive(self, take: Take) -> None:
        """Hand what is there to `take`, or else wait for it; b"" at the carrier's end.

        If it is cancelled, nothing is lost. What `take` is handed is overwritten once it returns.
        """
        ...


class StreamCarrier:
    """Over any trio stream."""

    __slots__ = ("_stream",)

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def send_all(self, data: Sendable) -> None:
        """As Carrier says."""
        await self._stream.send_all(data)

    send_flight = send_all

    async def receive(self, take: Take) -> None:
        """As Carrier says."""
        take(bytes(await self._stream.receive_some()))


class SocketCarrier:
    """Over the descriptor of a SocketStream: the system call first, and trio where it would block.

    trio's own way to the same call goes through six functions and two context managers. What it promises is kept: a
    call that need not wait still lets other tasks run, once.
    """

    __slots__ = ("_socket",)

    def __init__(self, stream: trio.SocketStream) -> None:
        self._socket = stream.socket

    async def send_all(self, data: Sendable) -> None:
        """As Carrier says."""
        if await self.send_flight(data):
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def send_flight(self, data: Sendable) -> bool:
        """As Carrier says; whether it need not wait."""
        try:
            sent = os.write(self._descriptor(), data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise trio.BrokenResourceError(f"socket connection broken: {error}") from error
        if sent != len(data):
            await self._send_rest(memoryview(data)[sent:])
        return sent == len(data)

    async def receive(self, take: Take) -> None:
        """As Carrier says."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._received(take):
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        while True:
            await trio.lowlevel.wait_readable(self._descriptor())
            if self._received(take):
                return

    def _received(self, take: Take) -> bool:
        # One buffer serves all streams of a thread, since nothing is awaited while it is in use; an idle one has none.
        # A new one for each call, in glibc's hands, costs as much as decrypting what is in it: its pages go back to the
        # system and come again, 128 of them.
        try:
            buffer = _buffers.pop()
        except IndexError:  # not asked beforehand: between the question and the answer another thread may take it
            buffer = bytearray(_LONGEST_RECEIVE)
        try:
            length = os.readv(self._descriptor(), [buffer])
            take(memoryview(buffer)[:length])
        except BlockingIOError:
            return False
        except OSError as error:
            raise trio.BrokenResourceError(f"socket connection broken: {error}") from error
        finally:
            _buffers.append(buffer)
        return True

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
