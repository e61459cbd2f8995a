"""Streams: the byte streams of one link, many at a time; frames and the application's wishes in, events out. No I/O.

The windows are yamux's (hashicorp/yamux, spec.md): a stream may be sent `window` bytes, and as many more as its reader
has read and granted. No window spans a link, which lets one reader who stops reading stop all streams (HTTP/2 has it);
instead a link holds at most `most` streams of either side, so at most 2 * `most` * `window` bytes of it lie unread.

A direction ends by FIN, or by RESET, which loses what is on its way and ends the other direction, too. STOP says that
nobody reads any more. The ids of the dialler's streams are odd, the others even, each higher than the one before.
"""

import re
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .frames import MAX_PAYLOAD, FrameError, Kind, encode_frame
from .stream_events import (
    End,
    StreamCode,
    StreamEvent,
    StreamFinished,
    StreamOffered,
    StreamReceived,
    StreamReset,
    StreamSent,
    StreamStopped,
)

WINDOW = 256 * 1024  # bytes; what a stream may be sent before anything is granted: yamux's initial window
QUANTUM = 16 * 1024  # bytes that a stream sends in its turn while others wait: with ten of them 0.2 ms at 1 GB/s
MAX_PROTOCOL = 64  # characters
_ID = 4  # bytes
_MAX_DATA = MAX_PAYLOAD - _ID
_MAX_ID = 2**32 - 1
_MAX_CREDIT = 2**32 - 1
_SIZES: dict[int, tuple[int, int]] = {  # bytes behind the stream's id, at least and at most
    Kind.STREAM_DATA: (1, _MAX_DATA),
    Kind.STREAM_WINDOW: (4, 4),
    Kind.STREAM_FIN: (0, 0),
    Kind.STREAM_STOP: (1, 1),
    Kind.STREAM_RESET: (1, 1),
}

_PROTOCOL = re.compile(rb"[a-z0-9._/-]{1,%d}" % MAX_PROTOCOL)


@dataclass(slots=True)
class _Stream:
    """One stream. Our direction is open, then `finishing` until the last byte has left, then `sent_end`."""

    credit: int = WINDOW  # bytes that we may send
    granted: int = WINDOW  # bytes that the peer may send
    read: int = 0  # bytes that were read and not granted again yet
    queue: deque[memoryview] = field(default_factory=deque)
    queued: int = 0
    finishing: bool = False
    sent_end: bool = False
    received_end: bool = False
    stopped: bool = False  # we read no more
    released: bool = False  # the application has let go of it

    @property
    def ready(self) -> bool:
        """Whether it has something to send that it may send."""
        return (self.queued > 0 and self.credit > 0) or (self.finishing and not self.queued)

    def pull(self, size: int) -> bytes:
        """The next `size` bytes, of which there must be so many."""
        self.queued -= size
        self.credit -= size
        parts = []
        while size:
            part = self.queue[0]
            if len(part) <= size:
                self.queue.popleft()
            else:
                part, self.queue[0] = part[:size], part[size:]
            size -= len(part)
            parts.append(part)
        return b"".join(parts)

    def drop_queue(self) -> None:
        self.queue.clear()
        self.queued = 0


class Streams:
    """All streams of one link. `send` takes each frame that may leave at once; `take` gives those that wait their turn.

    What the application asks of a stream that is gone is ignored: the news was on its way.
    """

    def __init__(self, *, initiator: bool, send: Callable[[bytes], None], most: int, window: int = WINDOW) -> None:
        """`most` streams of either side; `window` bytes, at least `WINDOW`, may be unread on each that comes in."""
        self.skipped = 0  # frames for streams that are gone
        self._send = send
        self._most = most
        self._window = window
        self._all: dict[int, _Stream] = {}
        self._counts = [0, 0]  # of those with even and with odd ids
        self._ready: OrderedDict[int, _Stream] = OrderedDict()  # whose turn it is next, first
        self._own_parity = 1 if initiator else 0
        self._next = 1 if initiator else 2
        self._highest = 0  # id that the peer has used

    def __len__(self) -> int:
        """How many streams there are that neither side's application has let go of."""
        return len(self._all)

    @property
    def can_open(self) -> bool:
        """Whether one more stream of ours has a place, and an id."""
        return self._count(ours=True) < self._most and self._next <= _MAX_ID

    @property
    def waiting(self) -> bool:
        """Whether `take` has something to give."""
        return bool(self._ready)

    @property
    def windows(self) -> int:
        """Bytes that all streams together may send now."""
        return sum(stream.credit for stream in self._all.values())

    def clear(self) -> bool:
        """The link is gone, and with it all its streams; whether there were any."""
        had = bool(self._all)
        self._all.clear()
        self._counts = [0, 0]
        self._ready.clear()
        return had

    # The application's side

    def open(self, protocol: str) -> int:
        """The id of a new stream for `protocol`. Only while `can_open`."""
        number, self._next = self._next, self._next + 2
        self._begin(number, protocol=protocol)
        return number

    def write(self, number: int, data: bytes | memoryview) -> None:
        """Queue data, which must not change any more; the owner bounds it by what `StreamSent` says."""
        stream = self._all.get(number)
        if stream is not None and not (stream.finishing or stream.sent_end) and data:
            stream.queue.append(memoryview(data))
            stream.queued += len(data)
            self._turn(number, stream)

    def read(self, number: int, size: int) -> None:
        """The application took `size` bytes: grant as many once they are half of a window."""
        stream = self._all.get(number)
        if stream is None or stream.received_end or stream.stopped:
            return
        stream.read += size
        if stream.read >= self._window // 2:
            self._grant(number, stream, stream.read)
            stream.read = 0

    def end(self, number: int, how: End, code: StreamCode = StreamCode.CANCELLED) -> None:
        """The application ends the stream; after CLOSE and ABORT it has let go of it."""
        stream = self._all.get(number)
        if stream is None:
            return
        breaks_off = how is End.ABORT and not stream.sent_end
        if breaks_off:
            self._send(_frame(Kind.STREAM_RESET, number, bytes([code])))
            self._ended(number, stream)
        elif not (stream.finishing or stream.sent_end):
            stream.finishing = True
            self._turn(number, stream)
        if how is End.FINISH:
            return
        if not (stream.received_end or stream.stopped or breaks_off):
            self._send(_frame(Kind.STREAM_STOP, number, bytes([code])))
        stream.stopped = stream.released = True
        self._forget(number, stream)

    def take(self, room: int) -> Iterator[tuple[bytes, StreamSent | None]]:
        """Frames of streams by turns, until about `room` bytes are taken, and what the application is told of each."""
        while room > 0 and self._ready:
            number, stream = self._ready.popitem(last=False)
            # Alone it may fill a message; beside others it may not keep them waiting.
            size = min(stream.queued, stream.credit, QUANTUM if self._ready else _MAX_DATA)
            if size:
                yield _frame(Kind.STREAM_DATA, number, stream.pull(size)), StreamSent(number, size)
                room -= size
            if stream.finishing and not stream.queued:
                self._ended(number, stream)
                yield _frame(Kind.STREAM_FIN, number), None
                self._forget(number, stream)
            self._turn(number, stream)

    # The peer's side

    def receive(self, kind: int, payload: bytes) -> Iterator[StreamEvent]:
        """What a frame of one of the kinds of streams brings. Raises `FrameError` for what no honest peer sends."""
        if len(payload) < _ID:
            raise FrameError(f"a stream's frame of {len(payload)} bytes, at least {_ID}")
        number, rest = int.from_bytes(payload[:_ID], "big"), payload[_ID:]
        if kind == Kind.STREAM_OPEN:
            yield from self._offered(number, rest)
            return
        least, most = _SIZES[kind]
        if not least <= len(rest) <= most:
            raise FrameError(
                f"a frame of type {kind} with {len(rest)} bytes behind its stream, {least} to {most} allowed"
            )
        stream = self._all.get(number)
        if stream is None:
            self._check_is_past(number)
            self.skipped += 1
            return
        match kind:
            case Kind.STREAM_DATA:
                yield from self._data(number, stream, rest)
            case Kind.STREAM_FIN:
                yield from self._fin(number, stream)
            case Kind.STREAM_STOP:
                yield from self._stop(number, stream, rest[0])
            case Kind.STREAM_RESET:
                yield from self._reset(number, stream, rest[0])
            case Kind.STREAM_WINDOW:
                self._credit(number, stream, int.from_bytes(rest, "big"))

    def _data(self, number: int, stream: _Stream, data: bytes) -> Iterator[StreamEvent]:
        _check_open(number, stream)
        if len(data) > stream.granted:
            raise FrameError(f"{len(data)} bytes on stream {number}, at most {stream.granted} granted")
        stream.granted -= len(data)
        if not stream.stopped:
            yield StreamReceived(number, data)

    def _fin(self, number: int, stream: _Stream) -> Iterator[StreamEvent]:
        _check_open(number, stream)
        stream.received_end = True
        if not stream.stopped:
            yield StreamFinished(number)

    def _stop(self, number: int, stream: _Stream, code: int) -> Iterator[StreamEvent]:
        if not stream.sent_end:
            self._send(_frame(Kind.STREAM_FIN, number))
            self._ended(number, stream)
            if not stream.released:
                yield StreamStopped(number, StreamCode(code))
        self._forget(number, stream)

    def _reset(self, number: int, stream: _Stream, code: int) -> Iterator[StreamEvent]:
        _check_open(number, stream)
        stream.received_end = True
        self._ended(number, stream)
        if not stream.released:
            yield StreamReset(number, StreamCode(code))
        self._forget(number, stream)

    def _credit(self, number: int, stream: _Stream, size: int) -> None:
        if not size or stream.credit + size > _MAX_CREDIT:
            raise FrameError(f"{size} bytes granted to {stream.credit}, 1 to {_MAX_CREDIT} in all allowed")
        stream.credit += size
        self._turn(number, stream)

    def _offered(self, number: int, name: bytes) -> Iterator[StreamEvent]:
        if number % 2 == self._own_parity or number <= self._highest:
            raise FrameError(f"stream {number} opened after {self._highest}, ours are the others")
        if not _PROTOCOL.fullmatch(name):
            raise FrameError(f"a protocol of {len(name)} bytes: 1 to {MAX_PROTOCOL} of a-z 0-9 . _ / - expected")
        self._highest = number
        if self._count(ours=False) >= self._most:
            self._send(_frame(Kind.STREAM_RESET, number, bytes([StreamCode.BUSY])))
            return
        self._begin(number)
        yield StreamOffered(number, name.decode())

    # Both

    def _begin(self, number: int, protocol: str | None = None) -> None:
        stream = self._all[number] = _Stream()
        self._counts[number % 2] += 1
        if protocol is not None:
            self._send(_frame(Kind.STREAM_OPEN, number, protocol.encode()))
        if self._window > WINDOW:
            self._grant(number, stream, self._window - WINDOW)

    def _grant(self, number: int, stream: _Stream, size: int) -> None:
        stream.granted += size
        self._send(_frame(Kind.STREAM_WINDOW, number, size.to_bytes(4, "big")))

    def _turn(self, number: int, stream: _Stream) -> None:
        """Line up for `take`, if there is something to send."""
        if stream.ready:
            self._ready.setdefault(number, stream)

    def _ended(self, number: int, stream: _Stream) -> None:
        """Our direction has ended."""
        stream.sent_end, stream.finishing = True, False
        stream.drop_queue()
        self._ready.pop(number, None)

    def _forget(self, number: int, stream: _Stream) -> None:
        # Kept while the application holds it, whatever the peer did: or opening and resetting at speed would start
        # handlers without end (HTTP/2's rapid reset, CVE-2023-44487).
        if stream.released and stream.sent_end and self._all.pop(number, None) is not None:
            self._counts[number % 2] -= 1

    def _count(self, *, ours: bool) -> int:
        return self._counts[self._own_parity if ours else 1 - self._own_parity]

    def _check_is_past(self, number: int) -> None:
        ours = number % 2 == self._own_parity
        if not 0 < number < self._next if ours else not 0 < number <= self._highest:
            raise FrameError(f"a frame for stream {number}, which was never opened")


def is_protocol(name: str) -> bool:
    """Whether a stream can be opened by this name."""
    return name.isascii() and _PROTOCOL.fullmatch(name.encode()) is not None


def _frame(kind: Kind, number: int, rest: bytes = b"") -> bytes:
    return encode_frame(kind, number.to_bytes(_ID, "big") + rest)


def _check_open(number: int, stream: _Stream) -> None:
    if stream.received_end:
        raise FrameError(f"more of stream {number} after its end")
