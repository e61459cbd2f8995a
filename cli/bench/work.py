"""What runs over a stream, whichever side it is of: the server's one handler, and the clients' loads.

It knows trio and nothing of ours, so that the same work runs in another library's interpreter.
"""

import time
from collections.abc import Awaitable, Callable

import trio

__all__ = ["CONCURRENT", "REQUEST", "ask_who", "connects", "echoes", "hold", "meet", "requests", "serve", "transfer"]

REQUEST = 64
"""Bytes of a request and of its answer."""
CONCURRENT = 8
"""Clients that ask at once, so that neither process waits for the other."""

Connect = Callable[[], Awaitable[trio.abc.Stream]]

_ECHO, _WHO, _SINK = b"E", b"W", b"S"
_NUMBER = slice(1, 9)


async def serve(stream: trio.abc.Stream, peer: Callable[[trio.abc.Stream], str]) -> None:
    """Answer requests until the stream ends; `peer` says whom it is with."""
    async with stream:
        while request := await _receive(stream):
            if request[:1] == _WHO:
                await stream.send_all(peer(stream).encode().ljust(REQUEST, b"\0"))
                continue
            if request[:1] == _SINK:
                await _swallow(stream, int.from_bytes(request[_NUMBER], "big"))
            await stream.send_all(request)


async def _swallow(stream: trio.abc.Stream, length: int) -> None:
    """Take so many bytes as they come. Raises EOFError if they end before."""
    while length > 0:
        data = await stream.receive_some()
        if not data:
            raise EOFError(f"the stream ends {length} bytes early")
        length -= len(data)


async def ask_who(connect: Connect) -> str:
    """Whom the server sees in us."""
    async with await connect() as stream:
        await stream.send_all(_request(_WHO))
        return (await _receive(stream)).rstrip(b"\0").decode()


async def requests(connect: Connect, *, seconds: float) -> float:
    """Requests a second, each over a connection of its own: connect, ask, be answered, close."""
    request, begun, done = _request(_ECHO), time.perf_counter(), 0

    async def client() -> None:
        nonlocal done
        while not done or time.perf_counter() - begun < seconds:
            async with await connect() as stream:
                await stream.send_all(request)
                if await _receive(stream) != request:
                    raise EOFError("the answer is not the request")
            done += 1

    async with trio.open_nursery() as nursery:
        for _ in range(CONCURRENT):
            nursery.start_soon(client)
    return done / (time.perf_counter() - begun)


async def hold(connect: Connect) -> trio.abc.Stream:
    """A connection that has done what connections do, and is idle now."""
    stream, request = await connect(), _request(_ECHO)
    await stream.send_all(request)
    if await _receive(stream) != request:
        raise EOFError("the answer is not the request")
    return stream


async def meet(connect: Connect, *, count: int) -> None:
    """So many connections that have done what connections do, and closed."""
    left = count

    async def client() -> None:
        nonlocal left
        while left:
            left -= 1
            async with await hold(connect):
                pass

    async with trio.open_nursery() as nursery:
        for _ in range(CONCURRENT):
            nursery.start_soon(client)


async def connects(connect: Connect, *, seconds: float) -> list[float]:
    """Seconds until the first answer over a connection of its own, one after another; closing is not in them."""
    took: list[float] = []
    begun = time.perf_counter()
    while not took or time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        async with await hold(connect):
            took.append(time.perf_counter() - start)
    return took


async def echoes(connect: Connect, *, seconds: float) -> list[float]:
    """Seconds of one request and its echo, one after another over one connection."""
    request, took = _request(_ECHO), list[float]()
    async with await hold(connect) as stream:
        begun = time.perf_counter()
        while not took or time.perf_counter() - begun < seconds:
            start = time.perf_counter()
            await stream.send_all(request)
            if await _receive(stream) != request:
                raise EOFError("the answer is not the request")
            took.append(time.perf_counter() - start)
    return took


async def transfer(
    connect: Connect, *, seconds: float, message: int, batch: int, writes: int, streams: int = 1
) -> float:
    """Bytes a second, one way over so many connections at once, in writes of `batch` messages of `message` bytes each.

    After so many `writes` the receiver says that it has all: what lies in buffers is not counted. To put the
    messages of a batch together is part of the work.
    """
    messages = [bytes([number % 256]) * message for number in range(batch)]
    total, sent = writes * batch * message, 0
    request = _request(_SINK, total)
    held = [await hold(connect) for _ in range(streams)]
    begun = time.perf_counter()

    async def send(stream: trio.abc.Stream) -> None:
        nonlocal sent
        async with stream:
            while time.perf_counter() - begun < seconds:
                await stream.send_all(request)
                for _ in range(writes):
                    await stream.send_all(b"".join(messages) if batch > 1 else messages[0])
                if await _receive(stream) != request:
                    raise EOFError("the receiver counts other bytes")
                sent += total

    async with trio.open_nursery() as nursery:
        for stream in held:
            nursery.start_soon(send, stream)
    return sent / (time.perf_counter() - begun)


def _request(kind: bytes, number: int = 0) -> bytes:
    return (kind + number.to_bytes(8, "big")).ljust(REQUEST, b"\0")


async def _receive(stream: trio.abc.Stream) -> bytes:
    """One request or answer; empty at the end of the stream."""
    data = b""
    while len(data) < REQUEST:
        more = await stream.receive_some(REQUEST - len(data))
        if not more:
            return b""
        data += more
    return data
