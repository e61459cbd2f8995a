"""NoiseStream: a NoiseSocketConnection over any trio stream, as a trio stream.

It is to a trio.SocketStream what trio.SSLStream is, with three differences: it can be half-closed, the end of the
data is always authenticated, and who the peer may be is judged in the handshake.
"""

import operator
from collections.abc import Iterator

import trio

from p2pnoise.errors import LocalProtocolError, RemoteProtocolError
from p2pnoise.noise import Protocol
from p2pnoise.noisesocket.connection import NoiseSocketConnection
from p2pnoise.noisesocket.events import EndOfStream, Truncated
from p2pnoise.noisesocket.framing import MAX_BODY
from p2pnoise.noisesocket.stream.carrier import Sendable, carrier_for
from p2pnoise.noisesocket.stream.errors import (
    HandshakeTimeout,
    NoiseStreamError,
    PeerProtocolError,
    TruncatedError,
)
from p2pnoise.noisesocket.stream.half_open import HANDSHAKE_TIMEOUT, Place
from p2pnoise.noisesocket.stream.handshake import Acquaintance, EarlyData, Handshake, PskOf, Verify
from p2pnoise.noisesocket.stream.one_task import OneTask

__all__ = ["NoiseStream"]

_SEND_AT_ONCE = 8 * MAX_BODY
"""Bytes sealed before they are sent: the eight messages beyond which more gained nothing."""


class NoiseStream(trio.abc.HalfCloseableStream):
    """A trio.abc.HalfCloseableStream.

    The peer's end of the data is one of three: `receive_some` returns b"", for it said so; it raises TruncatedError,
    for the carrier just ended; it raises PeerProtocolError, for something wrong came. After an error the stream is
    closed, and every call but `aclose` raises it again.

    Cancelling is safe at any await, and leaves the stream as follows: `receive_some` loses nothing; `send_all` has
    sent nothing if it had not to wait, and otherwise an unknown part, so that no more can be sent (it raises
    trio.BrokenResourceError) while receiving goes on; `do_handshake` has closed it.

    After IK a responder has heard nothing yet that is not possibly a recording: what `receive_some` returns first
    proves that the peer is there.
    """

    __slots__ = (
        "_acquaintance",
        "_carrier",
        "_closed",
        "_ended",
        "_failure",
        "_handshake",
        "_receiving",
        "_send_broken",
        "_sending",
        "_sent_end",
        "_unread",
        "transport_stream",
    )

    def __init__(
        self,
        transport_stream: trio.abc.Stream,
        connection: NoiseSocketConnection,
        *,
        verify: Verify | None = None,
        rs: bytes | None = None,
        payload: bytes = b"",
        early_data: bytes = b"",
        take_early_data: EarlyData | None = None,
        psk_of: PskOf | None = None,
        handshake_place: Place | None = None,
        handshake_timeout: float = HANDSHAKE_TIMEOUT,
    ) -> None:
        """A stream over `transport_stream`, which it takes over. `connection` is new: it has said nothing.

        `verify(rs, payload)` is asked once, in the handshake, whether we want the peer; so is whether it has the static
        key `rs`, or the one that `connection` was given. One of them must be there. `payload`, at most 65,000 bytes,
        goes to the peer, encrypted, for its `verify`. `early_data` go with the first message of an initiator that uses
        IK; `take_early_data` is for responders. So is `psk_of(rs, payload)`, awaited once `verify` wants the
        initiator, for the psk of message 2, where that answers an encrypted first message and `connection` was given
        None in its place. `handshake_timeout` in seconds from the beginning of the handshake, unless it has a place
        among those of a listener, which has a deadline of its own.

        Raises LocalProtocolError if nothing says whom we want, `payload` is too long, or early data have no place.
        """
        self.transport_stream = transport_stream
        self._carrier = carrier_for(transport_stream)
        self._handshake: Handshake | None = Handshake(
            connection,
            place=handshake_place or Place(trio.CancelScope(relative_deadline=handshake_timeout), _nothing),
            verify=verify,
            rs=rs,
            payload=payload,
            early_data=early_data,
            early=take_early_data,
            psk_of=psk_of,
        )
        self._acquaintance: Acquaintance | None = None
        self._unread = bytearray()
        self._ended = False  # by the peer
        self._sent_end = False
        self._send_broken = False
        self._closed = False
        self._failure: NoiseStreamError | None = None
        self._sending = OneTask("sending on")
        self._receiving = OneTask("receiving on")

    @property
    def protocol(self) -> Protocol:
        """The Noise protocol in use. Raises LocalProtocolError before the handshake is done, as all of these do."""
        return self._met().protocol

    @property
    def rs(self) -> bytes | None:
        """The peer's static public key; None where the pattern has none."""
        return self._met().rs

    @property
    def handshake_hash(self) -> bytes:
        """What both sides of this connection share and no other has, to bind what comes from elsewhere to it."""
        return self._met().handshake_hash

    @property
    def peer_payload(self) -> bytes:
        """What the peer gave as its `payload`."""
        return self._met().payload

    @property
    def early_data(self) -> bytes:
        """The initiator's early data, where we take them: at most once, and no older than their window."""
        return self._met().early_data

    @property
    def early_data_taken(self) -> bool:
        """Whether the responder has taken early data. If not, it is for the initiator to send them again, or not."""
        return self._met().early_data_taken

    async def do_handshake(self) -> None:
        """Have the handshake done. The first use of the stream does it too; here it can be waited for by itself.

        Raises PeerRefused, HandshakeRejected, HandshakeTimeout, TruncatedError or PeerProtocolError. A handshake that
        fails or is cancelled closes the stream.
        """
        self._check_usable()
        handshake = self._handshake
        if handshake is None:
            await trio.lowlevel.checkpoint()
            return
        if handshake.done is not None:
            await handshake.done.wait()
            self._check_usable()
            return
        handshake.done = trio.Event()
        try:
            self._acquaintance = await self._shake_hands(handshake)
        except NoiseStreamError as error:
            await self._give_up(error)
            raise
        except BaseException:
            await self._give_up(NoiseStreamError("the handshake was cut short"))
            raise
        finally:
            self._handshake = None
            handshake.done.set()

    async def send_all(self, data: Sendable) -> None:
        """Send `data` of any length.

        Raises trio.ClosedResourceError after `send_eof` or `aclose`, trio.BrokenResourceError if the carrier broke or
        an earlier call was cancelled midway, trio.BusyResourceError while another task sends, what `do_handshake`
        raises, and what made the stream fail.
        """
        with self._sending:
            self._check_may_send()
            if self._handshake is not None:
                await self.do_handshake()
            transport = self._met().transport
            if isinstance(data, memoryview):
                data = data.cast("B")
            if not data:
                await trio.lowlevel.checkpoint()
                return
            pieces = (data,) if len(data) <= _SEND_AT_ONCE else _pieces(memoryview(data))
            for piece in pieces:
                # Before a message is sealed: from there on it is sent, or the stream sends no more.
                await trio.lowlevel.checkpoint_if_cancelled()
                await self._send(transport.send_data(piece))

    async def wait_send_all_might_not_block(self) -> None:
        """As trio.abc.SendStream says. Raises as `send_all` does."""
        with self._sending:
            self._check_usable()
            await self.transport_stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Tell the peer, authenticated, that we send no more. We still receive. The second time does nothing.

        In a profile without an authenticated end the carrier's direction is ended, which needs a half-closeable one.
        Raises as `send_all` does.
        """
        with self._sending:
            self._check_usable()
            if self._sent_end and not self._send_broken:
                await trio.lowlevel.checkpoint()
                return
            self._check_may_send()
            if self._handshake is not None:
                await self.do_handshake()
            await trio.lowlevel.checkpoint_if_cancelled()
            transport = self._met().transport
            if transport.says_end:
                self._sent_end = True
                await self._send(transport.send_end())
            elif isinstance(self.transport_stream, trio.abc.HalfCloseableStream):
                await self.transport_stream.send_eof()
                self._sent_end = True  # not before: where it is cancelled, it can be asked again
            else:
                raise LocalProtocolError("this profile ends by the carrier's end, and the carrier has no half-close")

    async def receive_some(self, max_bytes: int | None = None) -> bytearray:
        """At least one byte and at most `max_bytes`, or whatever is there; b"" once the peer has said that it ends.

        Raises TruncatedError, PeerProtocolError, trio.ClosedResourceError, trio.BusyResourceError while another task
        receives, and what `do_handshake` raises.
        """
        if max_bytes is not None and operator.index(max_bytes) < 1:
            raise ValueError(f"max_bytes is {max_bytes}, at least 1")
        with self._receiving:
            self._check_usable()
            if self._handshake is not None:
                await self.do_handshake()
            if self._unread or self._ended:
                await trio.lowlevel.checkpoint()
            else:
                await self._receive()
            return self._take(max_bytes or len(self._unread))

    async def aclose(self) -> None:
        """Say that we send no more, unless we have or cannot, and close the carrier. Cancelled, it closes at once."""
        closed, self._closed = self._closed, True
        cannot_send = closed or self._sent_end or self._send_broken or self._failure or self._sending.busy
        try:
            if self._acquaintance is not None and not cannot_send:
                await trio.lowlevel.checkpoint_if_cancelled()
                await self._send(self._acquaintance.transport.send_end())
        except trio.BrokenResourceError:
            pass  # the peer has left already
        finally:
            self._unread = bytearray()
            if self._handshake is not None:
                self._handshake.place.leave()
            await self.transport_stream.aclose()

    def _met(self) -> Acquaintance:
        if self._acquaintance is None:
            raise LocalProtocolError("the handshake is not done")
        return self._acquaintance

    def _check_usable(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this stream was already closed")
        if self._failure is not None:
            # Without the traceback of earlier raises, which would grow with each.
            raise self._failure.with_traceback(None)

    async def _give_up(self, failure: NoiseStreamError) -> NoiseStreamError:
        self._failure = failure
        self._handshake = None
        self._unread = bytearray()
        await trio.aclose_forcefully(self.transport_stream)
        return failure

    async def _shake_hands(self, handshake: Handshake) -> Acquaintance:
        try:
            with handshake.place.scope:
                return await handshake.run(self._carrier)
        finally:
            handshake.place.leave()
        raise HandshakeTimeout("the handshake was not finished in time")

    def _check_may_send(self) -> None:
        self._check_usable()
        if self._send_broken:
            raise trio.BrokenResourceError("an earlier call sent a part of its data and was cut short")
        if self._sent_end:
            raise trio.ClosedResourceError("we have ended our direction")

    async def _send(self, sealed: Sendable) -> None:
        try:
            await self._carrier.send_all(sealed)
        except BaseException:
            self._send_broken = True
            raise

    async def _receive(self) -> None:
        """Have something in `_unread`, or the peer's end."""
        try:
            self._read_on()  # what came behind the handshake, or the end that came behind data
            if self._unread or self._ended:
                await trio.lowlevel.checkpoint()
            while not (self._unread or self._ended):
                self._met().transport.rest()  # 6 KiB an idle connection, not 11
                await self._carrier.receive(self._hear)
        except RemoteProtocolError as error:
            raise await self._give_up(PeerProtocolError(str(error))) from error
        except TruncatedError as error:
            await self._give_up(error)
            raise
        except trio.BrokenResourceError as error:
            raise await self._give_up(TruncatedError(f"the carrier broke: {error}")) from error

    def _hear(self, data: bytes | memoryview) -> None:
        self._met().transport.receive_data(data)
        self._read_on()

    def _read_on(self) -> None:
        match self._met().transport.next_data():
            case bytearray() as data:
                self._unread = data
            case EndOfStream():
                self._ended = True
            case Truncated():
                raise TruncatedError("the carrier ended before the peer's data did")

    def _take(self, max_bytes: int) -> bytearray:
        if max_bytes >= len(self._unread):
            data, self._unread = self._unread, bytearray()
            return data
        data = self._unread[:max_bytes]
        del self._unread[:max_bytes]
        return data


def _pieces(data: memoryview) -> Iterator[memoryview]:
    for start in range(0, len(data), _SEND_AT_ONCE):
        yield data[start : start + _SEND_AT_ONCE]


def _nothing() -> None:
    """The leaving of a place that is none of a listener's."""
