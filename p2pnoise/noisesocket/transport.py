"""Transport: what follows the handshake of one connection: messages, the data they carry, the end of each direction.

It is made of the two CipherStates of a completed handshake and knows neither how they came to be nor what carries the
bytes.
"""

from typing import Literal

from p2pnoise.errors import LocalProtocolError, RemoteProtocolError
from p2pnoise.noise import CipherState
from p2pnoise.noise.cipher_state import SilentDirection
from p2pnoise.noise.functions import TAGLEN
from p2pnoise.noisesocket.errors import FramingError
from p2pnoise.noisesocket.events import NEED_DATA, EndOfStream, MessageReceived, NeedData, Truncated
from p2pnoise.noisesocket.framing import (
    BODY_LEN,
    MAX_BODY,
    MIN_TRANSPORT,
    PREFIX,
    Padding,
    ReceiveBuffer,
    decode_body_len,
    decode_payload,
    encode_field,
    encode_payload,
)

__all__ = ["Transport", "TransportEvent"]

TransportEvent = MessageReceived | EndOfStream | Truncated | Literal[NeedData.NEED_DATA]


class Transport:
    """Feed `receive_data`, then ask `next_event` until it returns NEED_DATA.

    After a LocalProtocolError the object is unchanged. After a RemoteProtocolError nothing more can be received; its
    owner closes the connection.
    """

    __slots__ = (
        "_authenticated_end",
        "_buffer",
        "_end",
        "_failure",
        "_nothing_follows",
        "_padding",
        "_receive",
        "_send",
        "_sent_end",
        "says_end",
    )

    def __init__(
        self,
        send: CipherState,
        receive: CipherState,
        *,
        buffer: ReceiveBuffer,
        padding: Padding,
        authenticated_end: bool = True,
    ) -> None:
        """`buffer` may hold what the carrier brought behind the handshake.

        With `authenticated_end` a message with an empty body ends its direction, and the carrier's end without one is
        a truncation: our profile. Without it an empty body is a message like any other, and the carrier's end
        between two messages is the end: plain NoiseSocket, revision 2, where whoever cuts cables can feign it.

        After a one-way handshake the responder's direction has ended before it began, for both sides.
        """
        self._send = send
        self._receive = receive
        self._buffer = buffer
        self._padding = padding
        self._authenticated_end = authenticated_end
        self._nothing_follows = False  # from the peer
        self._end: EndOfStream | Truncated | None = None  # to be told
        self._failure: RemoteProtocolError | None = None  # to be raised
        self._sent_end = False
        self.says_end = authenticated_end and not isinstance(send, SilentDirection)
        """Whether `send_end` is a message; if not, the carrier's end must do."""
        if isinstance(receive, SilentDirection):
            self._end = self._peer_ends()

    def receive_data(self, data: bytes | memoryview) -> None:
        """Take what the carrier brought; b"" is its end. It is not copied: `data` must stay until it is read.

        Raises LocalProtocolError, taking nothing, after the end or while a whole packet lies unread.
        """
        self._buffer.feed(data)

    def next_event(self) -> TransportEvent:
        """What happened next, or NEED_DATA. Raises FramingError or DecryptError for what no honest peer sends."""
        noise_message = self._next_noise_message()
        if noise_message is None:
            return self._next_end()
        body = decode_payload(self._receive.decrypt_with_ad(b"", bytes(noise_message)))
        return MessageReceived(body) if body or not self._authenticated_end else self._peer_ends()

    def next_data(self) -> bytearray | EndOfStream | Truncated | Literal[NeedData.NEED_DATA]:
        """The bodies of all messages that are there, joined; what `next_event` says where there are none.

        Raises as `next_event` does, once all that came before the fault is handed over.
        """
        data = bytearray(BODY_LEN + len(self._buffer))
        end = BODY_LEN
        with memoryview(data) as view:
            try:
                while (noise_message := self._next_noise_message()) is not None:
                    body_len = self._decrypt_behind(noise_message, view, end)
                    if not body_len and self._authenticated_end:
                        self._end = self._peer_ends()
                        break
                    end += body_len
            except RemoteProtocolError as error:
                if end == BODY_LEN:
                    raise
                self._failure = error.with_traceback(None)
        if end == BODY_LEN:
            return self._next_end()
        del data[end:], data[:BODY_LEN]
        return data

    def send_under(self, send: CipherState) -> None:
        """What is sent from here on is encrypted under this; the key before is let go of. Not after `send_end`."""
        self._send = send

    def receive_under(self, receive: CipherState) -> None:
        """What has not been read by now is decrypted under this; the key before is let go of."""
        self._receive = receive

    def rest(self) -> None:
        """Hold as little as can be until more comes or goes; for whoever is about to wait."""
        self._send.rest()
        self._receive.rest()

    def send_message(self, body: bytes) -> bytes:
        """The bytes of one message, 1 to 65517 bytes of body; an empty one only without `authenticated_end`.

        Raises LocalProtocolError for another length and after `send_end`; NonceExhausted after 2**64 - 1 messages.
        """
        if not body and self._authenticated_end:
            raise LocalProtocolError("body of 0 bytes, at least 1: an empty one ends the stream, see send_end")
        return self._message(body)

    def send_data(self, data: bytes | bytearray | memoryview) -> bytes | bytearray:
        """The bytes of as many messages as `data` of any length needs; none for no data.

        Raises LocalProtocolError after `send_end`; NonceExhausted after 2**64 - 1 messages.
        """
        if isinstance(data, bytes) and 0 < len(data) <= MAX_BODY:
            return self._message(data)  # half the time of what follows, for 64 bytes
        self._check_may_send()
        with memoryview(data).cast("B") as view:
            bodies = [view[start : start + MAX_BODY] for start in range(0, len(view), MAX_BODY)]
            padded = [max(len(body), min(self._padding(len(body)), MAX_BODY)) for body in bodies]
            messages = bytearray(sum(padded) + len(bodies) * (PREFIX + MIN_TRANSPORT))
            with memoryview(messages) as out:
                end = 0
                for body, padded_len in zip(bodies, padded, strict=True):
                    end += self._encrypt_to(body, padded_len, out[end:])
        return messages

    def send_end(self) -> bytes:
        """The bytes that say, authenticated, that we send no more; none unless `says_end`. We still receive.

        Raises LocalProtocolError the second time.
        """
        end = self._message(b"") if self.says_end else b""
        self._sent_end = True
        return end

    def _check_may_send(self) -> None:
        if self._sent_end:
            raise LocalProtocolError("we have ended our direction, nothing follows")

    def _message(self, body: bytes) -> bytes:
        self._check_may_send()
        payload = encode_payload(body, self._padding(len(body)), MAX_BODY)
        return encode_field(self._send.encrypt_with_ad(b"", payload))

    def _encrypt_to(self, body: memoryview, padded_len: int, message: memoryview) -> int:
        """Write the message of this body to the front of `message`, which is all zeros; its length."""
        # noise_message_len | body_len | body | padding, and encrypted where it lies: one copy of the data. Joining
        # half a megabyte of messages instead takes four times as long as encrypting it.
        end = PREFIX + BODY_LEN + padded_len
        message[:PREFIX] = (end - PREFIX + TAGLEN).to_bytes(PREFIX, "big")
        message[PREFIX : PREFIX + BODY_LEN] = len(body).to_bytes(BODY_LEN, "big")
        message[PREFIX + BODY_LEN : PREFIX + BODY_LEN + len(body)] = body
        self._send.encrypt_into(message[PREFIX:end], message[PREFIX : end + TAGLEN])
        return end + TAGLEN

    def _next_noise_message(self) -> memoryview | None:
        """The next message, or None: for now, or because the end was there."""
        if self._failure is not None:
            # Without the traceback of earlier raises, which would grow with each.
            raise self._failure.with_traceback(None)
        if self._end is not None:
            return None
        if self._nothing_follows:
            if self._buffer:
                raise FramingError(f"{len(self._buffer)} bytes after the end, nothing follows")
            return None
        length = self._buffer.peek_length()
        if length is not None and length < MIN_TRANSPORT:
            raise FramingError(f"transport message of {length} bytes, at least {MIN_TRANSPORT}")
        return self._buffer.take_view()

    def _decrypt_behind(self, noise_message: memoryview, data: memoryview, end: int) -> int:
        """Decrypt so that the body begins at `end` of `data`; its length."""
        # The payload's own first two bytes, its body_len, lie meanwhile over the end of the body before. So the bodies
        # need not be joined, which for half a megabyte takes three times as long as decrypting it.
        start = end - BODY_LEN
        before = bytes(data[start:end])
        with data[start : start + len(noise_message) - TAGLEN] as payload:
            try:
                self._receive.decrypt_into(noise_message, payload)
                return decode_body_len(payload)
            finally:
                payload[:BODY_LEN] = before

    def _peer_ends(self) -> EndOfStream:
        self._nothing_follows = True
        return EndOfStream()

    def _next_end(self) -> EndOfStream | Truncated | Literal[NeedData.NEED_DATA]:
        """The end of the peer's direction, told once."""
        if self._end is None and self._buffer.at_eof and not self._nothing_follows:
            cut = bool(self._buffer) or self._authenticated_end
            self._buffer.clear()
            self._end = self._peer_ends() if not cut else Truncated()
            self._nothing_follows = True
        end, self._end = self._end, None
        return end or NEED_DATA
