"""NoiseSocket, revision 2, without I/O: framing, negotiation and the connection.

alice = NoiseSocketConnection(initiator=True, s=pair, rs=bob, application_prologue=b"", entropy=os.urandom)
carrier.send(alice.send_handshake(b"hello"))
alice.receive_data(carrier.receive())
event = alice.next_event()
"""

from p2pnoise.noisesocket.connection import NoiseSocketConnection
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
    RetryRequested,
    SwitchRequested,
    Truncated,
)
from p2pnoise.noisesocket.framing import MAX_BODY, Padding
from p2pnoise.noisesocket.handshake import DEFAULT_ACCEPTS, DEFAULT_FALLBACK, DEFAULT_IK, DEFAULT_XX
from p2pnoise.noisesocket.padding import buckets, no_padding, padded_len
from p2pnoise.noisesocket.profile import GO, P2PNOISE, PLAIN, Profile
from p2pnoise.noisesocket.transport import Transport

__all__ = [
    "DEFAULT_ACCEPTS",
    "DEFAULT_FALLBACK",
    "DEFAULT_IK",
    "DEFAULT_XX",
    "GO",
    "MAX_BODY",
    "NEED_DATA",
    "P2PNOISE",
    "PLAIN",
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
    "Profile",
    "Rejected",
    "RetryRequested",
    "SwitchRequested",
    "Transport",
    "Truncated",
    "buckets",
    "no_padding",
    "padded_len",
]
