"""Introduction: what one side of a NoiseStream writes into its handshake messages, and reads in the peer's.

Each side has one payload for the other, and the initiator may have early data (0-RTT). A payload rides in its
sender's last handshake message, always encrypted; all other bodies are empty. In a protocol whose first message is
the initiator's last and encrypted (IK, NK, KK and so on) the bodies are

    message 1   payload_len u16 | payload | (sent_at u64 | early_data)
    message 2   early_data_taken u8 | payload

where what is in brackets is there with early data alone, which then are 1 byte or more; sent_at is in Unix
milliseconds, early_data_taken is 0 or 1, and all numbers are big-endian. In every other protocol the body is the
payload.
"""

from typing import NamedTuple

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import Protocol
from p2pnoise.noisesocket.errors import FramingError

__all__ = [
    "MAX_PAYLOAD",
    "Answer",
    "Opening",
    "body_of_answer",
    "body_of_opening",
    "carries_early_data",
    "check_payload",
    "parse_answer",
    "parse_opening",
]

MAX_PAYLOAD = 65_000
"""Bytes of a payload: what the last message of either side holds in every protocol, whichever the peer chooses."""
_LEN = 2
_TIME = 8


class Opening(NamedTuple):
    """What message 1 carries."""

    payload: bytes
    sent_at: int = 0
    """Unix milliseconds, by the sender's clock; 0 without early data."""
    early_data: bytes = b""


class Answer(NamedTuple):
    """What message 2 carries."""

    payload: bytes
    early_data_taken: bool


def carries_early_data(protocol: Protocol) -> bool:
    """Whether message 1 is encrypted and the initiator's last, so that early data has a place in it."""
    pattern = protocol.pattern
    return len(pattern.messages) <= len(("message 1", "message 2")) and pattern.layouts[0].payload_encrypted


def check_payload(payload: bytes) -> None:
    """Raises LocalProtocolError above MAX_PAYLOAD bytes."""
    if len(payload) > MAX_PAYLOAD:
        raise LocalProtocolError(f"payload of {len(payload)} bytes, at most {MAX_PAYLOAD}")


def body_of_opening(opening: Opening) -> bytes:
    """The body of message 1. Raises as `check_payload` does."""
    check_payload(opening.payload)
    body = len(opening.payload).to_bytes(_LEN, "big") + opening.payload
    if opening.early_data:
        body += opening.sent_at.to_bytes(_TIME, "big") + opening.early_data
    return body


def parse_opening(body: bytes) -> Opening:
    """What message 1 carries. Raises FramingError."""
    end = _LEN + int.from_bytes(body[:_LEN], "big")
    if len(body) < _LEN or len(body) < end:
        raise FramingError(f"opening of {len(body)} bytes, at least {max(_LEN, end)} needed")
    payload, early = body[_LEN:end], body[end:]
    if not early:
        return Opening(payload)
    if len(early) <= _TIME:
        raise FramingError(f"early data of {len(early)} bytes with its time, at least {_TIME + 1} needed")
    return Opening(payload, int.from_bytes(early[:_TIME], "big"), early[_TIME:])


def body_of_answer(answer: Answer) -> bytes:
    """The body of message 2."""
    return bytes([answer.early_data_taken]) + answer.payload


def parse_answer(body: bytes) -> Answer:
    """What message 2 carries. Raises FramingError."""
    if body[:1] not in {b"\0", b"\1"}:
        raise FramingError(f"early_data_taken is {body[:1].hex() or 'missing'}, 00 or 01 expected")
    return Answer(body[1:], early_data_taken=body[0] == 1)
