"""The three prologues of NoiseSocket, revision 2: whoever changes a byte of the negotiation is found out.

Each is what both sides saw of the negotiation in clear, and the application prologue behind it.
"""

from typing import NamedTuple

from p2pnoise.noisesocket.framing import encode_field

__all__ = ["Packet", "accept_prologue", "retry_prologue", "switch_prologue"]


class Packet(NamedTuple):
    """One handshake packet."""

    negotiation_data: bytes
    noise_message: bytes

    def encode(self) -> bytes:
        """Its bytes on the wire. Raises LocalProtocolError where a field is above 65535 bytes."""
        return encode_field(self.negotiation_data) + encode_field(self.noise_message)


def accept_prologue(negotiation_data: bytes, application_prologue: bytes) -> bytes:
    """Of the initial protocol, whose negotiation data are given."""
    return b"NoiseSocketInit1" + encode_field(negotiation_data) + application_prologue


def switch_prologue(opening: Packet, negotiation_data: bytes, application_prologue: bytes) -> bytes:
    """Of the protocol that an answer with this negotiation data switched to."""
    return b"NoiseSocketInit2" + opening.encode() + encode_field(negotiation_data) + application_prologue


def retry_prologue(opening: Packet, request: Packet, application_prologue: bytes) -> bytes:
    """Of the protocol that a request retry asked for.

    The retry's own negotiation data are empty, as in the published vectors: it does as it was asked.
    """
    return b"NoiseSocketInit3" + opening.encode() + request.encode() + encode_field(b"") + application_prologue
