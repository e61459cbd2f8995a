"""Profiles: what peers must agree on beforehand because NoiseSocket leaves it to the application."""

from dataclasses import dataclass

from p2pnoise.noisesocket.negotiation import SIX_BYTES, Negotiation

__all__ = ["GO", "P2PNOISE", "PLAIN", "Profile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How a connection negotiates, writes handshake payloads and ends."""

    negotiation: Negotiation = SIX_BYTES
    authenticated_end: bool = False
    """Whether a body_len of 0 ends a direction and nothing else does. If not, the carrier's end is the end."""
    go_form: bool = False
    """Whether every handshake payload is two zero bytes and the body, and a refusal the bare 0001ff."""


P2PNOISE = Profile(authenticated_end=True)
"""Our own: whoever cuts the carrier cannot make it look like the peer's end."""
PLAIN = Profile()
"""The spec and nothing beside it, with the Go reference's negotiation data."""
GO = Profile(go_form=True)
"""The Go reference go-noisesocket, byte for byte: XX and IK over 25519, and no application prologue."""
