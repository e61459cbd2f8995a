"""How a peer can break the rules of NoiseSocket.

After any of these, and after a NoiseError, the connection is finished: every later call raises the same
error. The one thing left is `reject()`, where a responder could not agree to what the first message asked
for.
"""

from p2pnoise.errors import RemoteProtocolError

__all__ = ["FramingError", "NegotiationError", "NoiseSocketError"]


class NoiseSocketError(RemoteProtocolError):
    """The root of the errors of `p2pnoise.noisesocket`."""


class FramingError(NoiseSocketError):
    """A length that cannot be, or bytes where none may follow."""


class NegotiationError(NoiseSocketError):
    """Negotiation data that we do not understand or do not agree to."""
