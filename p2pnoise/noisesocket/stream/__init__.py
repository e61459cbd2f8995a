"""NoiseStream and what opens, accepts and serves it: NoiseSocket for programs that use trio."""

from p2pnoise.noisesocket.stream.errors import (
    HandshakeRejected,
    HandshakeTimeout,
    NoiseStreamError,
    PeerProtocolError,
    PeerRefused,
    TruncatedError,
)
from p2pnoise.noisesocket.stream.half_open import HalfOpen
from p2pnoise.noisesocket.stream.handshake import EarlyData, PskOf, Verify, anyone
from p2pnoise.noisesocket.stream.noise_stream import NoiseStream
from p2pnoise.noisesocket.stream.serving import NoiseListener, open_noise_stream, serve_noise

__all__ = [
    "EarlyData",
    "HalfOpen",
    "HandshakeRejected",
    "HandshakeTimeout",
    "NoiseListener",
    "NoiseStream",
    "NoiseStreamError",
    "PeerProtocolError",
    "PeerRefused",
    "PskOf",
    "TruncatedError",
    "Verify",
    "anyone",
    "open_noise_stream",
    "serve_noise",
]
