"""The sides of the benches over sockets: each listens and connects its own way, and what runs on it is the same.

Verification is on wherever a side says that it is: each end knows whom it wants to see, and refuses everybody else.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Self

import trio

from cli.bench.certificates import (
    CLIENT,
    HOST,
    SERVER,
    Certificates,
    client_context,
    make_certificates,
    server_context,
)
from cli.bench.child import Handler, Side
from p2pnoise.noise import KeyPair, Protocol
from p2pnoise.noisesocket.stream import NoiseStream, open_noise_stream, serve_noise

__all__ = [
    "IK",
    "IK_AESGCM",
    "PLAIN",
    "TLS",
    "TLS_RSA",
    "TLS_SERVER_ONLY",
    "XX",
    "Secrets",
    "make_side",
]

XX, IK, IK_AESGCM, PLAIN = "XX", "IK", "IK AESGCM", "plain"
TLS, TLS_RSA, TLS_SERVER_ONLY = "TLS mutual ECDSA", "TLS mutual RSA", "TLS server-only ECDSA"

_NOBODY = ""
_BACKLOG = 1024  # connections waiting to be accepted, on every side


@dataclass(frozen=True, slots=True)
class Secrets:
    """What both ends of one run hold: the keys of all that they will play, new for it."""

    noise: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Private keys by end, in hex."""
    certificates: Mapping[str, Certificates] = field(default_factory=dict, repr=False)
    """By kind of key."""
    began: int = 0
    """When the run did, in seconds since 1970: what both ends sign of one issuer must be the same."""

    @classmethod
    def generate(cls, sides: Sequence[str]) -> Self:
        """New ones for these sides."""
        kinds = {kind for kind, _ in (_TLS[name] for name in sides if name in _TLS)}
        noise = {end: os.urandom(32).hex() for end in (SERVER, CLIENT)}
        return cls(noise, {kind: make_certificates(kind) for kind in sorted(kinds)}, int(time.time()))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        certificates = {kind: Certificates(**one) for kind, one in value["certificates"].items()}
        return cls(value["noise"], certificates, value["began"])


class _Plain:
    """TCP alone: what the kernel and trio cost."""

    async def listen(self, nursery: trio.Nursery, handler: Handler) -> int:
        serve = partial(trio.serve_tcp, handler, 0, host=HOST, backlog=_BACKLOG)
        return _port((await nursery.start(serve))[0].socket)

    async def connect(self, _nursery: trio.Nursery, port: int) -> trio.abc.Stream:
        return await trio.open_tcp_stream(HOST, port)

    def peer(self, stream: Any) -> str:  # noqa: ARG002 - nobody proves anything here
        return _NOBODY


class _Tls:
    """TLS 1.3 of the standard library through trio, no tickets, cipher and group as OpenSSL prefers them."""

    def __init__(self, certificates: Certificates, *, mutual: bool) -> None:
        self._server = server_context(certificates, mutual=mutual)
        self._client = client_context(certificates, mutual=mutual)

    async def listen(self, nursery: trio.Nursery, handler: Handler) -> int:
        serve = partial(trio.serve_ssl_over_tcp, handler, 0, self._server, host=HOST, backlog=_BACKLOG)
        return _port((await nursery.start(serve))[0].transport_listener.socket)

    async def connect(self, _nursery: trio.Nursery, port: int) -> trio.abc.Stream:
        stream = await trio.open_ssl_over_tcp_stream(HOST, port, ssl_context=self._client)
        await stream.do_handshake()
        return stream

    def peer(self, stream: Any) -> str:
        names = (stream.getpeercert() or {}).get("subject", ())
        return next((str(value) for name in names for key, value in name if key == "commonName"), _NOBODY)


class _Noise:
    """Ours, with every default of `open_noise_stream` and `serve_noise` but the cipher where another is named."""

    def __init__(self, keys: Mapping[str, str], *, server_known: bool, protocol: str = "") -> None:
        self._server, self._client = (KeyPair.from_private(bytes.fromhex(keys[end])) for end in (SERVER, CLIENT))
        self._names = {self._server.public: SERVER, self._client.public: CLIENT}
        self._rs = self._server.public if server_known else None
        self._protocol = Protocol.parse(protocol) if protocol else None

    async def listen(self, nursery: trio.Nursery, handler: Handler) -> int:
        verify = self._is(self._client)
        accepts = (self._protocol,) if self._protocol is not None else None
        serve = partial(
            serve_noise, handler, 0, host=HOST, backlog=_BACKLOG, s=self._server, verify=verify, accepts=accepts
        )
        return _port((await nursery.start(serve))[0].transport_listener.socket)

    async def connect(self, _nursery: trio.Nursery, port: int) -> NoiseStream:
        verify = self._is(self._server)
        return await open_noise_stream(HOST, port, s=self._client, rs=self._rs, verify=verify, protocol=self._protocol)

    def peer(self, stream: Any) -> str:
        return self._names.get(stream.rs, _NOBODY)

    @staticmethod
    def _is(pair: KeyPair) -> Callable[[bytes, bytes], bool]:
        return lambda rs, _payload: rs == pair.public


_TLS = {TLS: ("ecdsa", True), TLS_RSA: ("rsa", True), TLS_SERVER_ONLY: ("ecdsa", False)}
"""Kind of key, mutual."""


def make_side(name: str, secrets: Secrets) -> Side:
    """The side of this name."""
    match name:
        case "plain":
            return _Plain()
        case "XX" | "IK":
            return _Noise(secrets.noise, server_known=name == IK)
        case "IK AESGCM":
            return _Noise(secrets.noise, server_known=True, protocol="Noise_IK_25519_AESGCM_BLAKE2s")
        case _:
            kind, mutual = _TLS[name]
            return _Tls(secrets.certificates[kind], mutual=mutual)


def _port(socket: trio.socket.SocketType) -> int:
    port: int = socket.getsockname()[1]
    return port
