"""Relay: a stream to a peer and a TCP connection of this machine joined, so that each end sees what the other does.

one end ends its direction   the other end reads the end, and may go on sending
one end breaks off           the other end's connection is reset: no one takes a part for the whole
one end reads no more        the other end's data is taken no longer; what was sent to it still arrives
"""

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass

import trio

from p2pnoise import PeerStream, StreamBroken
from p2pnoise.noisesocket.stream.carrier import Carrier, carrier_for

__all__ = ["Traffic", "relay", "reset"]

LINGER = 2.0  # seconds that the last bytes have to be read in, as of links; closed at once, the system might drop them
_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Traffic:
    """Bytes that connections have carried."""

    received: int = 0
    """From peers."""
    sent: int = 0
    """To peers."""


async def relay(stream: PeerStream, local: trio.SocketStream, traffic: Traffic) -> StreamBroken | None:
    """Copy both ways until both have ended, then close both. Broken off or cancelled, both are broken off.

    How the peer, or the link to it, broke off; None where it did not.
    """
    broken = None
    carrier = carrier_for(local)  # with trio's way to a socket each end took a sixth more of the processor
    with suppress(OSError):  # some systems refuse it once the other end has gone
        local.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # who has vanished must not be waited for for ever
    whole = False
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_bring, stream, local, carrier, traffic)
            taken = await _fetch(carrier, stream, traffic)
        await stream.aclose()
        if not taken:
            await _linger(local)
        await local.aclose()
        whole = True
    except* StreamBroken as group:
        broken = next(error for error in group.exceptions if isinstance(error, StreamBroken))
    except* trio.BrokenResourceError:
        pass
    finally:
        if not whole:
            stream.abort()
            reset(local)
    return broken


async def _bring(stream: PeerStream, local: trio.SocketStream, carrier: Carrier, traffic: Traffic) -> None:
    """What the peer sends, until it ends. Raises trio.BrokenResourceError where it breaks off."""
    while data := await stream.receive_some():
        traffic.received += len(data)
        try:
            await carrier.send_flight(data)  # no checkpoint beside that of `receive_some`
        except trio.BrokenResourceError:
            return  # it reads no more; whether it has broken off is for who reads from it
    with suppress(trio.BrokenResourceError):
        await local.send_eof()


async def _fetch(carrier: Carrier, stream: PeerStream, traffic: Traffic) -> bool:
    """As above, the other way; whether all of it was taken."""
    read: list[bytes] = []
    while True:
        await carrier.receive(lambda data: read.append(bytes(data)))
        data = read.pop()
        if not data:
            break
        try:
            await stream.send_all(data)
        except trio.BrokenResourceError:
            return False
        traffic.sent += len(data)
    with suppress(trio.BrokenResourceError):
        await stream.send_eof()
    return True


async def _linger(local: trio.SocketStream) -> None:
    """Let what was sent be read: closing a socket that has something unread destroys it."""
    with trio.move_on_after(LINGER), suppress(trio.BrokenResourceError):
        while await local.receive_some():
            pass


def reset(local: trio.SocketStream) -> None:
    """Break a connection off, so that its other end is told so by a reset."""
    with suppress(OSError):  # closed already
        local.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    local.socket.close()
