"""Opening, accepting and serving NoiseStreams, as trio does TLS."""

import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, NoReturn

import trio

from p2pnoise.noise import KeyPair, Protocol
from p2pnoise.noisesocket.connection import NoiseSocketConnection
from p2pnoise.noisesocket.framing import Padding
from p2pnoise.noisesocket.introduction import check_payload
from p2pnoise.noisesocket.padding import no_padding
from p2pnoise.noisesocket.profile import P2PNOISE, Profile
from p2pnoise.noisesocket.stream.half_open import (
    HANDSHAKE_TIMEOUT,
    MAX_HANDSHAKES,
    MAX_HANDSHAKES_PER_HOST,
    HalfOpen,
    host_of,
)
from p2pnoise.noisesocket.stream.handshake import EarlyData, PskOf, Verify
from p2pnoise.noisesocket.stream.noise_stream import NoiseStream

__all__ = ["NoiseListener", "open_noise_stream", "serve_noise"]


async def open_noise_stream(
    host: str | bytes,
    port: int,
    *,
    s: KeyPair | None,
    application_prologue: bytes = b"",
    rs: bytes | None = None,
    verify: Verify | None = None,
    payload: bytes = b"",
    early_data: bytes = b"",
    protocol: Protocol | None = None,
    psks: Mapping[int, bytes] | None = None,
    padding: Padding = no_padding,
    profile: Profile = P2PNOISE,
    handshake_timeout: float = HANDSHAKE_TIMEOUT,
) -> NoiseStream:
    """A stream to host and port over TCP, its handshake done.

    `rs` is the static public key that the peer must have, `verify(rs, payload)` says whether we want whoever is there;
    one of them must be given. Without `protocol` it is IK if `rs` is given and XX if not. `s` may be None where the
    pattern needs none. `application_prologue` must be the same on both sides. For `payload` and `early_data` see
    NoiseStream, for `psks` and `padding` NoiseSocketConnection.

    Raises OSError if nobody answers there, what NoiseStream.do_handshake raises, and LocalProtocolError if the keys do
    not fit the protocol.
    """
    knows_rs = protocol is None or "s" in protocol.pattern.pre_messages[1]
    connection = NoiseSocketConnection(
        initiator=True,
        s=s,
        rs=rs if knows_rs else None,
        protocol=protocol,
        psks=psks,
        application_prologue=application_prologue,
        padding=padding,
        profile=profile,
        entropy=os.urandom,
    )
    transport_stream = await _dial(host, port)
    try:
        stream = NoiseStream(
            transport_stream,
            connection,
            verify=verify,
            rs=rs,
            payload=payload,
            early_data=early_data,
            handshake_timeout=handshake_timeout,
        )
        await stream.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(transport_stream)
        raise
    return stream


async def _dial(host: str | bytes, port: int) -> trio.SocketStream:
    family = _family(host)
    if family is None:
        return await trio.open_tcp_stream(host, port)
    # A literal address leaves nothing to race. trio's racing of one takes 75 us, a tenth of a new connection.
    socket = trio.socket.socket(family)
    try:
        await socket.connect((host, port))
    except BaseException:
        socket.close()
        raise
    return trio.SocketStream(socket)


def _family(host: str | bytes) -> int | None:
    """The family of a literal address; None for a name."""
    for family in (trio.socket.AF_INET, trio.socket.AF_INET6):
        try:
            trio.socket.inet_pton(family, str(host))
        except OSError:
            continue
        return family
    return None


class NoiseListener(trio.abc.Listener[NoiseStream]):
    """Accepts NoiseStreams over any trio listener, each with its handshake still to be done by whoever takes it."""

    __slots__ = ("_half_open", "_host_of", "_new_connection", "_new_stream", "transport_listener")

    def __init__(
        self,
        transport_listener: trio.abc.Listener[Any],
        *,
        s: KeyPair | None,
        verify: Verify,
        application_prologue: bytes = b"",
        payload: bytes = b"",
        accepts: tuple[Protocol, ...] | None = None,
        psks: Mapping[int, bytes | None] | None = None,
        psk_of: PskOf | None = None,
        padding: Padding = no_padding,
        profile: Profile = P2PNOISE,
        early_data: EarlyData | None = None,
        half_open: HalfOpen | None = None,
        host_of: Callable[[trio.abc.Stream], bytes | str | None] = host_of,
    ) -> None:
        """`transport_listener` is taken over. `verify(rs, payload)` says which peers we want; `anyone` is one.

        `accepts` are the protocols that we speak, XX and IK by default. `early_data` says that they are taken, and
        listeners of one static key share it, as they should `half_open`, the handshakes under way. `host_of` names the
        host that a stream comes from, None where it has none. `psk_of` as in NoiseStream.

        Raises LocalProtocolError if the keys do not fit a protocol, or `payload` is too long.
        """
        self.transport_listener = transport_listener
        self._half_open = HalfOpen() if half_open is None else half_open
        self._host_of = host_of
        self._new_connection = partial(
            NoiseSocketConnection,
            initiator=False,
            s=s,
            accepts=accepts,
            psks=psks,
            application_prologue=application_prologue,
            padding=padding,
            profile=profile,
            entropy=os.urandom,
        )
        # Now, or the first peer would find out what is missing or too long, and end the server.
        check_payload(payload)
        self._new_connection()
        self._new_stream = partial(
            NoiseStream, verify=verify, payload=payload, take_early_data=early_data, psk_of=psk_of
        )

    async def accept(self) -> NoiseStream:
        """The next connection. Raises what the transport listener's `accept` does."""
        transport_stream = await self.transport_listener.accept()
        place = self._half_open.take_place(self._host_of(transport_stream))
        return self._new_stream(transport_stream, self._new_connection(), handshake_place=place)

    async def aclose(self) -> None:
        """Close the transport listener."""
        await self.transport_listener.aclose()


async def serve_noise(
    handler: Callable[[NoiseStream], Awaitable[object]],
    port: int,
    *,
    s: KeyPair | None,
    verify: Verify,
    application_prologue: bytes = b"",
    host: str | bytes | None = None,
    payload: bytes = b"",
    accepts: tuple[Protocol, ...] | None = None,
    psks: Mapping[int, bytes | None] | None = None,
    psk_of: PskOf | None = None,
    padding: Padding = no_padding,
    profile: Profile = P2PNOISE,
    early_data: EarlyData | None = None,
    handshake_timeout: float = HANDSHAKE_TIMEOUT,
    max_handshakes: int = MAX_HANDSHAKES,
    max_handshakes_per_host: int = MAX_HANDSHAKES_PER_HOST,
    backlog: int | None = None,
    handler_nursery: trio.Nursery | None = None,
    task_status: trio.TaskStatus[list[NoiseListener]] = trio.TASK_STATUS_IGNORED,
) -> NoReturn:
    """Listen on a TCP port, and run `handler(stream)` for each peer that `verify` wants, its handshake done.

    A peer whose handshake fails, for whatever reason, is closed without a word and goes unmentioned: a `verify` that
    counts or logs sees those that got so far. All else is as in trio.serve_tcp. In particular an exception of the
    handler or of `verify`, also one that the peer caused, ends the server unless they or a `handler_nursery` of yours
    catch it; and a stream that the handler leaves open is closed forcefully, which its peer sees as a truncation.

    `handshake_timeout` in seconds, from the accepting. For the other arguments see NoiseListener and trio.serve_tcp.
    """
    half_open = HalfOpen(handshake_timeout, max_handshakes, max_handshakes_per_host)

    async def shake_hands_and_handle(stream: NoiseStream) -> None:
        try:
            await stream.do_handshake()
        except trio.BrokenResourceError:
            return
        await handler(stream)

    listeners = [
        NoiseListener(
            listener,
            s=s,
            verify=verify,
            application_prologue=application_prologue,
            payload=payload,
            accepts=accepts,
            psks=psks,
            psk_of=psk_of,
            padding=padding,
            profile=profile,
            early_data=early_data,
            half_open=half_open,
        )
        for listener in await trio.open_tcp_listeners(port, host=host, backlog=backlog)
    ]
    await trio.serve_listeners(
        shake_hands_and_handle, listeners, handler_nursery=handler_nursery, task_status=task_status
    )
