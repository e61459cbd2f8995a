"""PeerStream: one stream to a peer, as a trio stream, so that any trio code runs over it."""

import operator
from collections import deque
from collections.abc import Callable
from types import TracebackType

import trio

from p2pnoise.node import effects as io
from p2pnoise.node import stream_events as core
from p2pnoise.node.frames import MAX_PAYLOAD
from p2pnoise.node.stream_events import End, StreamCode
from p2pnoise.node.streams import WINDOW
from p2pnoise.noisesocket.stream.one_task import OneTask

from .errors import PeerGone, StreamBroken, StreamReset
from .peers import Peer

__all__ = ["PeerStream", "ended_by"]

MAX_WRITTEN = 128 * 1024  # bytes that were written and have not left; what the core asks for
PIECE = MAX_PAYLOAD - 4  # bytes; what one frame carries, and so one transport message
SLICE = MAX_WRITTEN // PIECE * PIECE  # bytes written at once of more: whole frames, or every third had 52 bytes
SMALL = 4096  # bytes of a piece that the next one joins: a window of 2-byte frames took 5 MiB by itself, piece by piece
READ_AT_ONCE = WINDOW // 2  # bytes read that are reported together: what the least of windows grants at once


class _Closed(trio.ClosedResourceError):
    """As trio's, and of this stream."""

    def __init__(self, message: str, stream: "PeerStream") -> None:
        super().__init__(message)
        self.stream = stream


class PeerStream(trio.abc.HalfCloseableStream):
    """A trio.abc.HalfCloseableStream to the node `peer`, for `protocol`; made by `Node.open_stream` and for handlers.

    The peer's end of the data is one of three: `receive_some` returns b"", for it said that it sends no more; it raises
    StreamReset, for it broke the stream off; it raises PeerGone, for the link ended. What came before a PeerGone is
    handed out first. The last two are trio.BrokenResourceError and P2PNoiseError.

    A stream whose peer reads slowly holds at most 128 KiB of what was sent; then `send_all` waits. It holds as much
    unread as the `stream_window` of the configuration; then the peer waits. Other streams of the link go on.

    Cancelling is safe at any await: `receive_some` loses nothing; `send_all` of at most 65,510 bytes has sent all or
    nothing, of more an unknown part, so that no more can be sent (it raises trio.BrokenResourceError) and closing
    breaks the stream off: no peer takes a part for the whole. For the same reason a block that is left by an error
    breaks it off.
    """

    def __init__(
        self,
        post: Callable[[io.Input], None],
        connection: io.ConnectionId,
        number: int,
        *,
        peer: Peer,
        protocol: str,
        on_close: Callable[[], None],
    ) -> None:
        """For `Node`; `number` is the stream of this connection, `on_close` is called once."""
        self.peer = peer
        self.protocol = protocol
        self._post = post
        self._at = (connection, number)
        self._on_close = on_close
        self._closed = False
        # Sending
        self._written = 0  # bytes that have not left
        self._sent_end = False
        self._send_failure: trio.BrokenResourceError | None = None
        self._room = trio.lowlevel.ParkingLot()
        self._sending = OneTask("sending on")
        # Receiving
        self._arrived: deque[bytes] = deque()
        self._read = 0  # bytes not reported yet
        self._received_end = False
        self._receive_failure: StreamBroken | None = None
        self._news = trio.lowlevel.ParkingLot()
        self._receiving = OneTask("receiving on")

    def __repr__(self) -> str:
        return f"<PeerStream {self.protocol} with {self.peer}>"

    # Sending

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data` of any length, which is the caller's again once this returns. It may not have left yet.

        Raises trio.ClosedResourceError after `send_eof` or `aclose`, StreamReset or PeerGone, trio.BrokenResourceError
        if an earlier call was cancelled midway, trio.BusyResourceError while another task sends.
        """
        with self._sending:
            self._check_may_send()
            await trio.lowlevel.checkpoint_if_cancelled()
            if isinstance(data, bytes) and len(data) <= PIECE and self._written + len(data) <= MAX_WRITTEN:
                self._write(data)  # the short way for what is most frequent
            else:
                await self._send_pieces(memoryview(data).cast("B"), frozen=isinstance(data, bytes))
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def _send_pieces(self, data: memoryview, *, frozen: bool) -> None:
        at = 0
        try:
            while at < len(data):
                piece = data[at : at + SLICE]
                if at:
                    await trio.lowlevel.checkpoint()  # whatever else there is gets its turn
                await self._wait_for_room(len(piece))
                self._write(piece if frozen else bytes(piece))
                at += len(piece)
        except StreamBroken:
            raise
        except BaseException:
            if at:
                self._send_failure = trio.BrokenResourceError(
                    "an earlier call sent a part of its data and was cut short"
                )
            raise

    def _write(self, data: bytes | memoryview) -> None:
        if data:
            self._written += len(data)
            self._post(io.StreamWritten(*self._at, data))

    async def _wait_for_room(self, size: int) -> None:
        while self._written + size > MAX_WRITTEN and self._send_failure is None and not self._closed:
            await self._room.park()
        self._check_may_send()

    async def wait_send_all_might_not_block(self) -> None:
        """As trio.abc.SendStream says. Raises as `send_all` does."""
        with self._sending:
            self._check_may_send()
            await trio.lowlevel.checkpoint()
            await self._wait_for_room(PIECE)

    async def send_eof(self) -> None:
        """Tell the peer that we send no more. We still receive. The second time does nothing.

        Raises as `send_all` does.
        """
        with self._sending:
            await trio.lowlevel.checkpoint_if_cancelled()
            if not self._sent_end or self._closed:
                self._check_may_send()
                self._sent_end = True
                self._post(io.StreamEnded(*self._at, End.FINISH))
            await trio.lowlevel.cancel_shielded_checkpoint()

    def _check_may_send(self) -> None:
        self._check_open()
        if self._send_failure is not None:
            raise self._send_failure.with_traceback(None)
        if self._sent_end:
            raise _Closed("we have ended our direction", self)

    # Receiving

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """At least one byte and at most `max_bytes`, or whatever is there; b"" once the peer has said that it ends.

        Raises StreamReset, PeerGone, trio.ClosedResourceError, trio.BusyResourceError while another task receives.
        """
        if max_bytes is not None and operator.index(max_bytes) < 1:
            raise ValueError(f"max_bytes is {max_bytes}, at least 1")
        with self._receiving:
            self._check_open()
            if self._has_news:
                await trio.lowlevel.checkpoint()
            while not (self._has_news or self._closed):
                await self._news.park()
            self._check_open()
            if self._arrived:
                return self._take(max_bytes)
            if self._receive_failure is not None:
                raise self._receive_failure.with_traceback(None)
            return b""

    @property
    def _has_news(self) -> bool:
        return bool(self._arrived) or self._received_end or self._receive_failure is not None

    def _take(self, max_bytes: int | None) -> bytes:
        data = self._arrived.popleft() if len(self._arrived) == 1 or max_bytes is not None else b"".join(self._arrived)
        if max_bytes is None:
            self._arrived.clear()
        elif len(data) > max_bytes:
            self._arrived.appendleft(data[max_bytes:])
            data = data[:max_bytes]
        self._read += len(data)
        if self._read >= READ_AT_ONCE:
            self._post(io.StreamRead(*self._at, self._read))
            self._read = 0
        return data

    # Ending

    async def aclose(self) -> None:
        """Send and read no more; what was sent arrives. Never waits for the peer.

        Where a `send_all` was cut short, or this call is cancelled (`trio.aclose_forcefully`), the stream is broken
        off: the peer gets StreamReset.
        """
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
        except BaseException:
            self.abort()
            raise
        cut = self._sending.busy or self._send_failure is not None
        self._close(End.ABORT if cut else End.CLOSE, StreamCode.CANCELLED)
        await trio.lowlevel.cancel_shielded_checkpoint()

    def abort(self, code: StreamCode = StreamCode.CANCELLED) -> None:
        """Break the stream off: what is on its way in either direction is lost, and the peer gets StreamReset(code)."""
        self._close(End.ABORT, code)

    def _close(self, how: End, code: StreamCode) -> None:
        if self._closed:
            return
        self._closed = True
        self._arrived.clear()
        self._post(io.StreamEnded(*self._at, how, code))
        self._room.unpark_all()
        self._news.unpark_all()
        self._on_close()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is not None:
            self.abort()
        await self.aclose()

    def _check_open(self) -> None:
        if self._closed:
            raise _Closed("this stream was already closed", self)

    @property
    def broken(self) -> bool:
        """Whether nothing can be sent any more, whoever's doing that is."""
        return self._closed or self._send_failure is not None

    # What the core says

    def hear(self, event: core.StreamEvent) -> None:
        """Something happened on this stream. For `Node`."""
        match event:
            case core.StreamReceived(_, data):
                if self._arrived and len(self._arrived[-1]) < SMALL:
                    self._arrived[-1] += data
                else:
                    self._arrived.append(data)
                self._news.unpark()
            case core.StreamSent(_, size):
                self._written -= size
                self._room.unpark()
            case core.StreamFinished():
                self._received_end = True
                self._news.unpark()
            case core.StreamStopped(_, code):
                self._fail(StreamReset(f"the peer reads no more of this stream: {code.label}", code), receiving=False)
            case core.StreamReset(_, code):
                self._arrived.clear()
                self._fail(StreamReset(f"the peer broke this stream off: {code.label}", code))
            case core.StreamOffered():
                pass

    def lose(self, reason: str) -> None:
        """The link has ended. For `Node`."""
        self._fail(PeerGone(reason))

    def _fail(self, failure: StreamBroken, *, receiving: bool = True) -> None:
        failure.stream = self
        if self._send_failure is None:
            self._send_failure = failure
            self._room.unpark()
        if receiving and not self._received_end and self._receive_failure is None:
            self._receive_failure = failure
            self._news.unpark()


def ended_by(error: BaseException, stream: PeerStream) -> bool:
    """Whether all of `error` is the end of this very stream, which a peer can cause."""
    if isinstance(error, BaseExceptionGroup):
        return all(ended_by(one, stream) for one in error.exceptions)
    return isinstance(error, StreamBroken | _Closed) and error.stream is stream
