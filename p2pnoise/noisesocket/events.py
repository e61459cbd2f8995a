"""What a NoiseSocketConnection tells its owner: nouns with fields, in the order they happened."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from p2pnoise.noise import Protocol

__all__ = [
    "NEED_DATA",
    "EndOfStream",
    "Event",
    "HandshakeCompleted",
    "HandshakePayload",
    "MessageReceived",
    "NeedData",
    "Rejected",
    "RetryRequested",
    "SwitchRequested",
    "Truncated",
]


class NeedData(Enum):
    """The type of NEED_DATA."""

    NEED_DATA = "NEED_DATA"


NEED_DATA: Final = NeedData.NEED_DATA
"""Nothing to tell: feed more bytes, or write the handshake message if it is `my_turn`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakePayload:
    """The peer's handshake message is read; this is what it carried."""

    body: bytes
    encrypted: bool
    """Whether the body came encrypted and authenticated. If not, anybody may have written it."""
    replayable: bool
    """Whether a recording of it would be read as well: it is the first message, so nothing of ours went into it."""
    ephemeral: bytes
    """The peer's ephemeral public key where it is replayable, else empty: it tells a message from its recording."""
    rs: bytes | None
    """The peer's static public key, 32 bytes or 56 for 448, where it is known by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeCompleted:
    """All handshake messages are written and read.

    A responder whose own message was the last one (IK) has not heard from a live initiator yet: its first
    MessageReceived or EndOfStream proves one.
    """

    handshake_hash: bytes
    rs: bytes | None
    """The peer's static public key, 32 bytes or 56 for 448; None where the pattern has none."""


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """One transport message, 1 to 65517 bytes of body."""

    body: bytes


@dataclass(frozen=True, slots=True)
class EndOfStream:
    """The peer has said, authenticated, that it sends no more. We still may."""


@dataclass(frozen=True, slots=True)
class Truncated:
    """The carrier ended and the peer had not said so. Whoever cuts cables can cause it, at any byte."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The responder's explicit reject, in clear: whoever is on the path can write it, so conclude nothing from it."""

    speaks: tuple[Protocol, ...]
    """What the responder says it accepts, as far as we know it."""


@dataclass(frozen=True, slots=True)
class SwitchRequested:
    """The responder's answer begins another handshake, of which it is the initiator: `follow` it, or close.

    Nothing is authenticated yet. Following it may tell our static key to somebody else than we wanted: compare.
    """

    protocol: Protocol


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """The responder asks us, in clear, to begin again with this protocol: `follow` it, or close."""

    protocol: Protocol


Event = (
    HandshakePayload
    | HandshakeCompleted
    | MessageReceived
    | EndOfStream
    | Truncated
    | Rejected
    | SwitchRequested
    | RetryRequested
)
NextEvent = Event | Literal[NeedData.NEED_DATA]
