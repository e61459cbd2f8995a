"""Requests: one question and one answer, each a run of bytes, over a stream of their own.

who asks    OPEN protocol, the request, FIN
who answers the response, FIN; or RESET with a code
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from p2pnoise.errors import P2PNoiseError
from p2pnoise.node.stream_events import StreamCode

from .errors import StreamReset
from .peer_stream import PeerStream
from .peers import Peer
from .switchboard import Handler

__all__ = [
    "MAX_REQUEST",
    "MAX_RESPONSE",
    "Request",
    "RequestRefused",
    "ResponseTooLarge",
    "allowing",
    "answering",
    "ask",
]

MAX_REQUEST = 1024 * 1024  # bytes; a guess, and each side may set its own
MAX_RESPONSE = 1024 * 1024  # bytes; a guess


class RequestRefused(P2PNoiseError):  # noqa: N818 - says what happened
    """The peer gave no answer, and `code` says why. Whether it acted on the request it alone knows.

    Raised by a function in `answering`, it refuses the request with this code.
    """

    def __init__(self, code: StreamCode) -> None:
        super().__init__(f"the request was refused: {code.label}")
        self.code = code


class ResponseTooLarge(P2PNoiseError):  # noqa: N818
    """The peer's answer is longer than the caller takes, and was broken off. The peer has acted on the request."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a peer asks: `data`, for `protocol`. `peer` is as known when it asked."""

    peer: Peer
    protocol: str
    data: bytes


async def ask(stream: PeerStream, data: bytes, max_response: int) -> bytes:
    """Ask on a new stream, which is closed after it. Raises RequestRefused, ResponseTooLarge and PeerGone."""
    async with stream:
        try:
            await stream.send_all(data)
            await stream.send_eof()
            response = await _read_all(stream, max_response)
        except StreamReset as reset:
            raise RequestRefused(reset.code) from reset
    if response is None:
        raise ResponseTooLarge(f"an answer of more than {max_response} bytes to {stream.protocol}")
    return response


def answering(
    function: Callable[[Request], Awaitable[bytes]], *, max_request: int = MAX_REQUEST, timeout: float = 30.0
) -> Handler:
    """A handler that answers each request by what `function` returns for it.

    A request of more than `max_request` bytes is refused as too large. One that takes longer than `timeout` seconds to
    come is broken off, and so is an answer that takes as long to be taken. What `function` raises comes out of the
    node's block, but RequestRefused, which refuses the request with its code.
    """

    async def handle(stream: PeerStream) -> None:
        with trio.move_on_after(timeout) as late:
            data = await _read_all(stream, max_request)
        if late.cancelled_caught:
            stream.abort(StreamCode.CANCELLED)
        elif data is None:
            stream.abort(StreamCode.TOO_LARGE)
        else:
            await _answer(stream, function, Request(stream.peer, stream.protocol, data), timeout)

    return handle


async def _answer(
    stream: PeerStream,
    function: Callable[[Request], Awaitable[bytes]],
    request: Request,
    timeout: float,  # noqa: ASYNC109
) -> None:
    try:
        response = await function(request)
    except RequestRefused as refused:
        stream.abort(refused.code)
        return
    with trio.move_on_after(timeout) as late:
        await stream.send_all(response)
    if late.cancelled_caught:
        stream.abort(StreamCode.CANCELLED)


def allowing(handler: Handler, *, groups: tuple[str, ...]) -> Handler:
    """`handler` for peers of one of `groups` alone; for others the stream is broken off as not allowed.

    It is asked when the stream is opened; who leaves the group keeps the streams that it has.
    """

    async def handle(stream: PeerStream) -> None:
        if set(groups).isdisjoint(stream.peer.groups):
            stream.abort(StreamCode.NOT_ALLOWED)
        else:
            await handler(stream)

    return handle


async def _read_all(stream: PeerStream, most: int) -> bytes | None:
    """Everything that the peer sends; None if it is more than `most` bytes."""
    parts: list[bytes] = []
    size = 0
    while part := await stream.receive_some():
        size += len(part)
        if size > most:
            return None
        parts.append(part)
    return b"".join(parts)
