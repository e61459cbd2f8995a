"""How a NoiseStream ends other than well. Each is a trio.BrokenResourceError too, so that generic trio code behaves.

After any of them the carrier is closed, without a word to the peer: whoever is on the path learns nothing about why.
Every later call on the stream raises the same error, but `aclose`.
"""

import trio

from p2pnoise.errors import P2PNoiseError, RemoteProtocolError

__all__ = [
    "HandshakeRejected",
    "HandshakeTimeout",
    "NoiseStreamError",
    "PeerProtocolError",
    "PeerRefused",
    "TruncatedError",
]


class NoiseStreamError(P2PNoiseError, trio.BrokenResourceError):
    """The root of the errors of a NoiseStream."""


class TruncatedError(NoiseStreamError):
    """The carrier ended before the peer said, authenticated, that it sends no more. Cutting a cable can cause it."""


class PeerProtocolError(NoiseStreamError, RemoteProtocolError):
    """The peer, or somebody on the path, sent what the protocol forbids; the cause says what."""


class PeerRefused(NoiseStreamError):  # noqa: N818 - says what happened
    """The peer is not whom we want: `verify` said no to its static key and payload, or `rs` is another."""


class HandshakeRejected(NoiseStreamError):  # noqa: N818 - says what happened
    """The peer answered that it does not speak our protocol. In clear: whoever is on the path can say so."""


class HandshakeTimeout(NoiseStreamError):  # noqa: N818 - says what happened
    """The handshake was not finished in time, or its place was needed for a newer one."""
