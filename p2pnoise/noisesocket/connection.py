"""NoiseSocketConnection: one side of one connection, from the first handshake byte to the end; bytes in, events out.

It joins a HandshakeExchange and a Transport (NoiseSocket, revision 2). It knows no sockets, no clock and no
cards: whoever owns it evaluates what a handshake message carried before answering.
"""

from collections.abc import Mapping

from p2pnoise.errors import LocalProtocolError, RemoteProtocolError
from p2pnoise.noise import Entropy, KeyPair, Protocol
from p2pnoise.noisesocket.errors import FramingError
from p2pnoise.noisesocket.events import NEED_DATA, HandshakeCompleted, NextEvent, Rejected, Truncated
from p2pnoise.noisesocket.framing import MIN_TRANSPORT, Padding, ReceiveBuffer
from p2pnoise.noisesocket.handshake import HandshakeExchange
from p2pnoise.noisesocket.keys import Keys
from p2pnoise.noisesocket.negotiation import GO_REJECT
from p2pnoise.noisesocket.padding import no_padding
from p2pnoise.noisesocket.profile import P2PNOISE, Profile
from p2pnoise.noisesocket.transport import Transport

__all__ = ["NoiseSocketConnection"]


class NoiseSocketConnection:
    """Feed `receive_data`, then ask `next_event` until it returns NEED_DATA.

    While `my_turn` is true the handshake waits for `send_handshake`. The peer has nothing to say then, and
    bytes that come all the same are refused.

    After a LocalProtocolError the object is unchanged. After a RemoteProtocolError it is finished: every
    later call raises the same error. One thing is left to a responder that could not agree to the first message, or
    not read it: to `reject` it, or to go on with another protocol by `switch` or `request_retry`, while `may_switch`.
    To close without a word is the silent reject.
    """

    def __init__(
        self,
        *,
        initiator: bool,
        s: KeyPair | None,
        entropy: Entropy,
        application_prologue: bytes,
        rs: bytes | None = None,
        psks: Mapping[int, bytes | None] | None = None,
        protocol: Protocol | None = None,
        accepts: tuple[Protocol, ...] | None = None,
        padding: Padding = no_padding,
        profile: Profile = P2PNOISE,
    ) -> None:
        """`protocol` is the initiator's to choose: without it, it is IK if `rs` is given and XX if not.

        `accepts` are the protocols that a responder speaks, XX and IK by default, or to which an initiator lets the
        responder switch or ask it to retry with, none by default. All defaults are of 25519, ChaChaPoly and BLAKE2s.
        `s` may be None where no pattern needs it; `psks` go by their modifiers, with None for one of a message of ours
        that `set_psk` will give. `padding` applies to every encrypted
        payload; what it asks for beyond the longest message is left out.

        Raises LocalProtocolError if the keys do not fit a protocol, or a responder is given one.
        """
        self._exchange = HandshakeExchange(
            initiator=initiator,
            keys=Keys(s, rs, psks),
            entropy=entropy,
            application_prologue=application_prologue,
            protocol=protocol,
            accepts=accepts,
            padding=padding,
            profile=profile,
        )
        self._s = s
        self.profile = profile
        self._padding = padding
        self._buffer = ReceiveBuffer()
        self._failure: RemoteProtocolError | None = None
        self._completed: HandshakeCompleted | None = None  # to be told by next_event
        self._transport: Transport | None = None
        self._nothing_follows = False  # from the peer, after the end of a handshake that failed
        self._may_be_refused = initiator and profile.go_form

    @property
    def my_turn(self) -> bool:
        """Whether a handshake message is ours to write."""
        return self._exchange.my_turn and not self._nothing_follows

    @property
    def may_switch(self) -> bool:
        """Whether this is a responder that has the whole first message and has not answered it."""
        return self._exchange.may_switch and not self._nothing_follows

    @property
    def may_reject(self) -> bool:
        """Whether a reject is ours to write."""
        may_answer = self._failure is not None or self.my_turn
        return may_answer and self._exchange.may_reject and not self._nothing_follows

    @property
    def finished(self) -> bool:
        """Whether the handshake is finished, so that messages may be sent."""
        return self._transport is not None

    @property
    def transport(self) -> Transport:
        """What follows the handshake. Raises LocalProtocolError before its end."""
        if self._transport is None:
            raise LocalProtocolError("the handshake is not finished")
        return self._transport

    @property
    def rs(self) -> bytes | None:
        """The peer's static public key, 32 bytes or 56 for 448, where it is known."""
        return self._exchange.rs

    @property
    def protocol(self) -> Protocol | None:
        """The protocol in use; None to a responder that has not agreed to one."""
        return self._exchange.protocol

    @property
    def handshake_hash(self) -> bytes:
        """What both sides of this connection share and no other has. Raises LocalProtocolError before the end."""
        if self._exchange.outcome is None:
            raise LocalProtocolError("the handshake is not finished")
        return self._exchange.outcome.completed.handshake_hash

    def receive_data(self, data: bytes) -> None:
        """Take what the carrier brought; b"" is its end.

        Memory is bounded: at most one packet of 131074 bytes and `data` are held. Raises LocalProtocolError,
        taking nothing, after the end or while a whole packet lies unread.
        """
        self._raise_failure()
        self._buffer.feed(data)

    def next_event(self) -> NextEvent:
        """What happened next, or NEED_DATA.

        Raises NegotiationError, FramingError or a NoiseError for what no honest peer sends.
        """
        self._raise_failure()
        try:
            return self._next_event()
        except RemoteProtocolError as error:
            self._failure = error
            raise

    def set_psk(self, number: int, psk: bytes) -> None:
        """The 32 bytes for the modifier psk`number`, for a handshake message of ours still to be written.

        So a responder can choose by what the first message carried. Raises LocalProtocolError if it is not `my_turn`,
        the pattern has no such modifier, its message has passed, or the length is another.
        """
        self._raise_failure()
        self._exchange.set_psk(number, psk)

    def send_handshake(self, body: bytes = b"") -> bytes:
        """The bytes of our handshake message with this body.

        Raises LocalProtocolError if it is not `my_turn`, the body is too long or a psk is missing;
        InvalidPublicKey if the peer's key is of low order.
        """
        self._raise_failure()
        if not self.my_turn:
            raise LocalProtocolError("no handshake message is ours to write")
        try:
            packet = self._exchange.write(body)
        except RemoteProtocolError as error:
            self._failure = error
            raise
        self._note_completion()
        return packet

    def send_message(self, body: bytes) -> bytes:
        """The bytes of a transport message, 1 to 65517 bytes of body.

        Raises LocalProtocolError for another length, before the handshake is finished and after `send_end`;
        NonceExhausted after 2**64 - 1 messages.
        """
        self._raise_failure()
        return self.transport.send_message(body)

    def send_data(self, data: bytes | bytearray | memoryview) -> bytes | bytearray:
        """The bytes of as many transport messages as `data` of any length needs. Raises as `send_message` does."""
        self._raise_failure()
        return self.transport.send_data(data)

    def send_end(self) -> bytes:
        """The bytes that say, authenticated, that we send no more. We still receive.

        Raises LocalProtocolError before the handshake is finished and the second time.
        """
        self._raise_failure()
        return self.transport.send_end()

    def reject(self) -> bytes:
        """The bytes of an explicit reject, which lists what we accept; the same for every reason. Close after it.

        Only a responder's first answer may be one (any, with the Go profile): after a RemoteProtocolError, or instead
        of `send_handshake`. Raises LocalProtocolError otherwise and the second time.
        """
        if not self.may_reject:
            raise LocalProtocolError("only a responder's first answer may be a reject")
        self._nothing_follows = True
        return self._exchange.reject()

    def switch(
        self,
        protocol: Protocol,
        *,
        s: KeyPair | None = None,
        rs: bytes | None = None,
        psks: Mapping[int, bytes | None] | None = None,
    ) -> None:
        """As a responder, answer with the first message of another protocol, whose initiator we are.

        `send_handshake` writes it. A fallback pattern takes over the ephemeral key of the message that we answer.
        `s` is by default the one of this connection. Raises LocalProtocolError unless `may_switch` and the keys fit;
        MessageSizeError where a fallback pattern finds no ephemeral key.
        """
        try:
            self._exchange.switch(protocol, Keys(s or self._s, rs, psks))
        except RemoteProtocolError as error:
            self._failure = error
            raise
        self._failure = None

    def request_retry(
        self,
        protocol: Protocol,
        *,
        s: KeyPair | None = None,
        rs: bytes | None = None,
        psks: Mapping[int, bytes | None] | None = None,
    ) -> bytes:
        """As a responder, the bytes that ask the initiator to begin again with this protocol; then read on.

        `s` is by default the one of this connection. Raises LocalProtocolError unless `may_switch` and the keys fit.
        """
        request = self._exchange.request_retry(protocol, Keys(s or self._s, rs, psks))
        self._failure = None
        return request

    def follow(
        self, *, s: KeyPair | None = None, rs: bytes | None = None, psks: Mapping[int, bytes | None] | None = None
    ) -> None:
        """As an initiator, do as SwitchRequested or RetryRequested asks: ask `next_event`, or `send_handshake`.

        `s` is by default the one of this connection. Raises LocalProtocolError if nothing was asked or the keys do
        not fit.
        """
        self._raise_failure()
        self._exchange.follow(Keys(s or self._s, rs, psks))

    def _raise_failure(self) -> None:
        if self._failure is not None:
            # Without the traceback of earlier raises, which would grow with each.
            raise self._failure.with_traceback(None)

    def _next_event(self) -> NextEvent:
        if self._completed is not None:
            completed, self._completed = self._completed, None
            return completed
        if self._nothing_follows:
            if self._buffer:
                raise FramingError(f"{len(self._buffer)} bytes after the end, nothing follows")
            return NEED_DATA
        if self._transport is not None:
            return self._read_go_refusal() or self._transport.next_event()
        event = self._read_handshake()
        if event is NEED_DATA and self._buffer.at_eof:
            self._buffer.clear()
            self._nothing_follows = True
            return Truncated()
        return event

    def _read_handshake(self) -> NextEvent:
        if self.my_turn:
            if self._buffer:
                raise FramingError(f"{len(self._buffer)} bytes while the handshake message is ours to write")
            return NEED_DATA
        event = self._exchange.read(self._buffer)
        self._note_completion()
        self._nothing_follows = isinstance(event, Rejected)
        return event or NEED_DATA

    def _read_go_refusal(self) -> NextEvent | None:
        """A Go responder refuses our last handshake message where its first transport message should be."""
        length = self._buffer.peek_length() if self._may_be_refused else None
        if length is None:
            return None
        self._may_be_refused = length == len(GO_REJECT)
        if not self._may_be_refused:
            return None
        refusal = self._buffer.take_field()
        if refusal is None:
            return NEED_DATA
        if refusal != GO_REJECT:
            raise FramingError(f"transport message of {length} bytes, at least {MIN_TRANSPORT}")
        self._nothing_follows = True
        return Rejected(())

    def _note_completion(self) -> None:
        outcome = self._exchange.outcome
        if outcome is not None:
            self._completed = outcome.completed
            self._transport = Transport(
                outcome.send,
                outcome.receive,
                buffer=self._buffer,
                padding=self._padding,
                authenticated_end=self.profile.authenticated_end,
            )
