"""NoiseSocket, revision 2, without I/O: framing, negotiation and the connection.

alice = NoiseSocketConnection(initiator=True, s=pair, rs=bob, application_prologue=b"",
entropy=os.urandom) carrier.send(alice.send_handshake(b"hello")) alice.receive_data(carrier.receive())
event = alice.next_event()
"""

from p2pnoise.noisesocket.connection import NoiseSocketConnection, no_padding
from p2pnoise.noisesocket.errors import FramingError, NegotiationError, NoiseSocketError
from p2pnoise.noisesocket.events import (
    NEED_DATA,
    EndOfStream,
    Event,
    HandshakeCompleted,
    HandshakePayload,
    MessageReceived,
    NeedData,
    NextEvent,
    Rejected,
    Truncated,
)
from p2pnoise.noisesocket.framing import MAX_BODY, Padding
from p2pnoise.noisesocket.handshake import DEFAULT_ACCEPTS
from p2pnoise.noisesocket.transport import Transport

__all__ = [
    "DEFAULT_ACCEPTS",
    "MAX_BODY",
    "NEED_DATA",
    "EndOfStream",
    "Event",
    "FramingError",
    "HandshakeCompleted",
    "HandshakePayload",
    "MessageReceived",
    "NeedData",
    "NegotiationError",
    "NextEvent",
    "NoiseSocketConnection",
    "NoiseSocketError",
    "Padding",
    "Rejected",
    "Transport",
    "Truncated",
    "no_padding",
]
