"""Scraping: one page over HTTP/1.1, for whoever fetches metrics. Source: RFC 9112.

By trio, so that it needs no thread: an answer is made between two inputs of the node, and neither a slow reader nor
many of them hold anything up.
"""

from collections.abc import Callable
from contextlib import suppress

import trio

from cards import Address
from cli.output import Fault
from p2pnoise.node.driver.real_world import reason_of

__all__ = ["CONTENT_TYPE", "serve"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"  # what prometheus_client.generate_latest writes
MAX_READERS = 16  # at once; a guess: Prometheus takes one connection
MAX_REQUEST = 16 * 1024  # bytes, as most servers allow
PATIENCE = 10.0  # seconds for a whole exchange: the time that Prometheus gives it, too


async def serve(
    address: Address,
    page: Callable[[], bytes],
    *,
    task_status: trio.TaskStatus[tuple[Address, ...]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer `GET /metrics` with `page()` until cancelled; starts with where it listens. Raises `Fault`."""
    try:
        listeners = await trio.open_tcp_listeners(address.port, host=address.host)
    except OSError as error:
        text = f"cannot listen on {address} for metrics: {reason_of(error)}"
        raise Fault(text, "choose another address: listen of [metrics] in node.toml") from None
    slots = trio.CapacityLimiter(MAX_READERS)

    async def talk(stream: trio.SocketStream) -> None:
        with suppress(trio.WouldBlock, trio.BrokenResourceError), trio.move_on_after(PATIENCE):
            slots.acquire_nowait()
            try:
                request = await _request(stream)
                if request is not None:
                    await stream.send_all(_response(request, page))
            finally:
                slots.release()
        await trio.aclose_forcefully(stream)

    names = [listener.socket.getsockname() for listener in listeners]
    task_status.started(tuple(Address(name[0], name[1]) for name in names))
    await trio.serve_listeners(talk, listeners)


async def _request(stream: trio.SocketStream) -> bytes | None:
    """The request line and its headers, or None where no request comes."""
    data = bytearray()
    while b"\r\n\r\n" not in data:
        more = await stream.receive_some(4096)
        if not more or len(data) > MAX_REQUEST:
            return None
        data += more
    return bytes(data)


def _response(request: bytes, page: Callable[[], bytes]) -> bytes:
    method, _, rest = request.partition(b"\r\n")[0].partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    if path != b"/metrics":
        return _message("404 Not Found", b"metrics are at /metrics\n")
    if method != b"GET":
        return _message("405 Method Not Allowed", b"GET is what there is\n", "Allow: GET")
    try:
        return _message("200 OK", page())
    except Exception as error:  # noqa: BLE001 - a number that cannot be had is no reason for the node to end
        return _message("500 Internal Server Error", f"{type(error).__name__}: {error}\n".encode())


def _message(status: str, body: bytes, *headers: str) -> bytes:
    kind = f"Content-Type: {CONTENT_TYPE}"
    lines = (f"HTTP/1.1 {status}", kind, f"Content-Length: {len(body)}", "Connection: close", *headers, "", "")
    return "\r\n".join(lines).encode() + body
