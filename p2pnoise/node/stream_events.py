"""What happens on a stream, how it is ended and why it is broken off, as values."""

from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from typing import TypeAlias


class StreamCode(IntEnum):
    """Why a stream was broken off; whoever hears a number that it does not know takes it for CANCELLED."""

    CANCELLED = 0
    UNKNOWN_PROTOCOL = 1
    BUSY = 2  # too many streams
    FAILED = 3  # the handler did
    TOO_LARGE = 4
    NOT_ALLOWED = 5

    @property
    def label(self) -> str:
        """The reason in words, as messages and JSON have it."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def _missing_(cls, _value: object) -> "StreamCode":
        return cls.CANCELLED


class End(Enum):
    """The ways in which an application ends a stream."""

    FINISH = auto()  # nothing more is sent; reading goes on
    CLOSE = auto()  # nothing more is sent or read; what was sent arrives
    ABORT = auto()  # nothing more is sent or read; what is on its way is lost


@dataclass(frozen=True, slots=True)
class StreamOffered:
    """The peer opened a stream for `protocol`."""

    stream: int
    protocol: str


@dataclass(frozen=True, slots=True)
class StreamReceived:
    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class StreamSent:
    """`size` bytes that were written have left; so many more may be written."""

    stream: int
    size: int


@dataclass(frozen=True, slots=True)
class StreamFinished:
    """The peer sends no more; everything that it sent has come before."""

    stream: int


@dataclass(frozen=True, slots=True)
class StreamStopped:
    """The peer reads no more."""

    stream: int
    code: StreamCode


@dataclass(frozen=True, slots=True)
class StreamReset:
    """The peer broke the stream off."""

    stream: int
    code: StreamCode


StreamEvent: TypeAlias = StreamOffered | StreamReceived | StreamSent | StreamFinished | StreamStopped | StreamReset
