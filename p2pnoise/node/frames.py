"""Frames: what two linked nodes say inside transport messages, and what they say in handshake payloads.

    message body       frame, frame, ...                  as many as fit 65,517 bytes
    frame              type u8 | length u16be | payload
    handshake payload  [1, card] or [1, code]             deterministic msgpack; empty where nothing may be said yet

Frames of an unknown type are skipped and counted, so that newer nodes can say more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from cards import Address
from cards.codec import decode, encode
from cards.findings import CardError, Finding

HEADER = 3
MAX_BODY = 65_517  # NoiseSocket: 65,535 less the tag and body_len
MAX_PAYLOAD = MAX_BODY - HEADER
MAX_HANDSHAKE = 4_096  # bytes of a handshake payload; a card is at most 1,024
MAX_HELLO = 1_024
MAX_FEATURES = 32
MAX_NOTICE = 512
KEY_ELSEWHERE = 1  # the one notice that there is


class FrameError(ValueError):
    """A peer sent frames or a payload that no honest node sends. The link is finished."""


class Kind(IntEnum):
    """The types of frames."""

    HELLO = 1
    PING = 2
    PONG = 3
    GOSSIP = 4
    CLOSE = 5
    STREAM_OPEN = 6
    STREAM_DATA = 7
    STREAM_WINDOW = 8
    STREAM_FIN = 9
    STREAM_STOP = 10
    STREAM_RESET = 11
    REKEY_REQUEST = 12
    REKEY = 13
    READY = 14
    NOTICE = 15


STREAM_KINDS = frozenset(range(Kind.STREAM_OPEN, Kind.STREAM_RESET + 1))


class Code(IntEnum):
    """The reasons that a peer may hear. A small set: more would tell strangers what we know."""

    GOODBYE = 0
    REVOKED = 1
    EXPIRED = 2
    WRONG_NETWORK = 3
    NOT_TRUSTED = 4
    DUPLICATE_NODE = 5
    BUSY = 6

    @property
    def label(self) -> str:
        return self.name.lower().replace("_", "-")

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> "Code":
        """The reason that stands for these findings."""
        codes = {finding.code for finding in findings}
        for code, reason in (
            ("wrong-network", cls.WRONG_NETWORK),
            ("revoked", cls.REVOKED),
            ("expired", cls.EXPIRED),
            ("expired-app", cls.EXPIRED),
        ):
            if code in codes:
                return reason
        return cls.NOT_TRUSTED


VISIT = "visit"  # a feature of a HELLO: the sender dialled to compare tables, and leaves when that is done


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame each way: which start of the node this is, which older link of ours this one replaces."""

    boot_id: bytes  # 16 random bytes per start
    replaces: bytes  # handshake hash of an older link, 32 bytes, or empty
    features: tuple[str, ...] = ()

    def encode(self) -> bytes:
        return encode([1, self.boot_id, self.replaces, list(self.features)])

    @classmethod
    def decode(cls, data: bytes) -> "Hello":
        """Raises `FrameError`. Parts after the known ones are for newer nodes and are skipped."""
        try:
            value = decode(data, limit=MAX_HELLO, what="HELLO")
        except CardError as error:
            raise FrameError(str(error)) from None
        match value:
            case [int(version), bytes(boot_id), bytes(replaces), list(features), *_] if (
                type(version) is int
                and version >= 1
                and len(boot_id) == 16
                and len(replaces) in (0, 32)
                and len(features) <= MAX_FEATURES
            ):
                if all(isinstance(feature, str) for feature in features):
                    return cls(boot_id, replaces, tuple(features))
        raise FrameError("HELLO with parts that it does not have")


def encode_frame(kind: int, payload: bytes) -> bytes:
    return bytes([kind]) + len(payload).to_bytes(2, "big") + payload


def split_frames(body: bytes) -> list[tuple[int, bytes]]:
    """The (type, payload) of each frame in a message body. Raises `FrameError`; a frame never spans two messages."""
    frames = []
    at = 0
    while at < len(body):
        end = at + HEADER + int.from_bytes(body[at + 1 : at + HEADER], "big")
        if at + HEADER > len(body) or end > len(body):
            raise FrameError(f"a frame that ends {end - len(body)} bytes behind its message")
        frames.append((body[at], body[at + HEADER : end]))
        at = end
    return frames


def encode_card(card: bytes) -> bytes:
    return encode([1, card])


def encode_refusal(code: Code) -> bytes:
    return encode([1, int(code)])


def decode_handshake(body: bytes) -> bytes | Code:
    """The card or the refusal in a handshake payload. Raises `FrameError`."""
    try:
        value = decode(body, limit=MAX_HANDSHAKE, what="handshake payload")
    except CardError as error:
        raise FrameError(str(error)) from None
    match value:
        case [bool(), *_]:
            pass  # to Python True is 1, and one meaning would have two forms
        case [1, bytes(card)]:
            return card
        case [1, int(code)] if type(code) is int:
            return decode_code(code)
    raise FrameError("a handshake payload that is neither a card nor a refusal")


def encode_notice(address: Address) -> bytes:
    """Another node that lives proved the receiver's key; it was seen at `address`."""
    without_zone = Address(address.host.partition("%")[0], address.port)  # which means nothing on another machine
    return encode([KEY_ELSEWHERE, str(without_zone)])


def decode_notice(data: bytes) -> Address | None:
    """Where another node with our key was seen; None for a notice of a newer node. Raises `FrameError`."""
    try:
        value = decode(data, limit=MAX_NOTICE, what="NOTICE")
        match value:
            case [bool(), *_]:
                pass
            case [1, str(address), *_]:
                return Address.parse(address)
            case [int(), *_]:
                return None
    except CardError as error:
        raise FrameError(str(error)) from None
    raise FrameError("a NOTICE without a number")


def decode_code(code: int) -> Code:
    """A code that we do not know means: not trusted."""
    try:
        return Code(code)
    except ValueError:
        return Code.NOT_TRUSTED
