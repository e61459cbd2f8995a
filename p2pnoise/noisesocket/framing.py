"""Bytes on the wire: length-prefixed fields, the receive buffer, body and padding inside encrypted payloads.

NoiseSocket, revision 2: every length is 2 bytes, big-endian. Nothing here knows keys or whose turn it is.
"""

from collections.abc import Callable

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noisesocket.errors import FramingError

__all__ = [
    "BODY_LEN",
    "MAX_BODY",
    "MAX_FIELD",
    "MAX_PACKET",
    "MIN_TRANSPORT",
    "PREFIX",
    "Padding",
    "ReceiveBuffer",
    "decode_body_len",
    "decode_go_payload",
    "decode_payload",
    "encode_field",
    "encode_go_payload",
    "encode_payload",
]

PREFIX = 2
"""Bytes of the length in front of every field."""
MAX_FIELD = 65535
MAX_PACKET = 2 * (PREFIX + MAX_FIELD)
"""The longest packet: a handshake message with its negotiation data."""
BODY_LEN = 2
MIN_TRANSPORT = BODY_LEN + 16
"""The shortest noise_message of the transport: body_len and the authentication tag."""
MAX_BODY = MAX_FIELD - MIN_TRANSPORT
"""65517, the longest body of a transport message."""

Padding = Callable[[int], int]
"""From the length of a body to that of body and padding together."""


def encode_field(data: bytes) -> bytes:
    """The data behind its length. Raises LocalProtocolError above 65535 bytes."""
    if len(data) > MAX_FIELD:
        raise LocalProtocolError(f"field of {len(data)} bytes, at most {MAX_FIELD}")
    return len(data).to_bytes(PREFIX, "big") + data


def encode_payload(body: bytes, padded_length: int, limit: int) -> bytes:
    """The plaintext body_len | body | padding of an encrypted payload.

    `padded_length` is that of body and padding together; what is asked for beyond `limit` is left out. Raises
    LocalProtocolError if the body alone is above `limit`.
    """
    if len(body) > limit:
        raise LocalProtocolError(f"body of {len(body)} bytes, at most {limit}")
    padding = bytes(max(0, min(padded_length, limit) - len(body)))
    return b"".join((len(body).to_bytes(BODY_LEN, "big"), body, padding))


def decode_payload(plaintext: bytes) -> bytes:
    """The body of a decrypted payload; padding is ignored whatever it is.

    Raises FramingError if the plaintext has no body_len or less than body_len says.
    """
    return plaintext[BODY_LEN : BODY_LEN + decode_body_len(plaintext)]


def decode_body_len(plaintext: bytes | memoryview) -> int:
    """The length of the body in a decrypted payload. Raises as `decode_payload` does."""
    if len(plaintext) < BODY_LEN:
        raise FramingError(f"payload of {len(plaintext)} bytes, at least the {BODY_LEN} of body_len")
    body_len = int.from_bytes(plaintext[:BODY_LEN], "big")
    if body_len > len(plaintext) - BODY_LEN:
        raise FramingError(f"body_len {body_len}, at most the {len(plaintext) - BODY_LEN} bytes that follow it")
    return body_len


def encode_go_payload(body: bytes) -> bytes:
    """A handshake payload as the Go reference writes it, encrypted or not: two bytes that it never fills in, the body.

    Raises LocalProtocolError if both are above 65535 bytes.
    """
    if len(body) > MAX_FIELD - BODY_LEN:
        raise LocalProtocolError(f"body of {len(body)} bytes, at most {MAX_FIELD - BODY_LEN}")
    return bytes(BODY_LEN) + body


def decode_go_payload(payload: bytes) -> bytes:
    """The body of such a payload. Raises FramingError if it does not begin with two zero bytes."""
    if not payload.startswith(bytes(BODY_LEN)):
        raise FramingError(f"payload of {len(payload)} bytes in Go's form, {BODY_LEN} zero bytes at its front expected")
    return payload[BODY_LEN:]


class ReceiveBuffer:
    """Bytes that arrived and are not parsed yet.

    It never holds more than one packet of MAX_PACKET bytes plus what one call of `feed` brought, and nothing once all
    is parsed. What was fed is not copied, but for a field that began in an earlier piece: half a megabyte of eight
    fields is parsed a third faster so.
    """

    __slots__ = ("_head", "_offset", "_piece", "at_eof")

    def __init__(self) -> None:
        self._head = bytearray()  # the beginning of a field, from earlier pieces
        self._piece: bytes | memoryview = b""  # what follows it, from `_offset` on
        self._offset = 0
        self.at_eof = False

    def __len__(self) -> int:
        return len(self._head) + len(self._piece) - self._offset

    def feed(self, data: bytes | memoryview) -> None:
        """Append what the carrier brought, which does not change until it is taken; b"" is its end.

        Raises LocalProtocolError after the end, or while a whole packet lies unread; nothing is appended
        then.
        """
        if not data:
            self.at_eof = True
            return
        if self.at_eof:
            raise LocalProtocolError(f"{len(data)} bytes after the carrier's end")
        if len(self) >= MAX_PACKET:
            raise LocalProtocolError(f"{len(self)} bytes unread, at most {MAX_PACKET}: read the events first")
        self._piece = b"".join((self._piece[self._offset :], data)) if self._offset < len(self._piece) else data
        self._offset = 0

    def peek_length(self) -> int | None:
        """The length of the next field, or None until it is there."""
        if not self._head and self._offset >= len(self._piece):  # as after every message
            return None
        if self._head or len(self._piece) - self._offset < PREFIX:
            self._move_to_head(PREFIX)
            return int.from_bytes(self._head[:PREFIX], "big") if len(self._head) >= PREFIX else None
        return int.from_bytes(self._piece[self._offset : self._offset + PREFIX], "big")

    def take_field(self) -> bytes | None:
        """The next field without its length, or None until all of it is there."""
        view = self.take_view()
        return None if view is None else bytes(view)

    def take_view(self) -> memoryview | None:
        """As `take_field`, without a copy."""
        length = self.peek_length()
        if length is None:
            return None
        end = self._offset + PREFIX + length
        if not self._head and end <= len(self._piece):
            view = memoryview(self._piece)[self._offset + PREFIX : end]
            self._offset = end
            if end == len(self._piece):
                self._forget_piece()
            return view
        self._move_to_head(PREFIX + length)
        if len(self._head) < PREFIX + length:
            return None
        view, self._head = memoryview(self._head)[PREFIX:], bytearray()
        return view

    def clear(self) -> None:
        """Forget what is unread."""
        self._head = bytearray()
        self._forget_piece()

    def _move_to_head(self, length: int) -> None:
        """Have this many bytes in `_head`, or all there are."""
        missing = length - len(self._head)
        if missing > 0:
            self._head += memoryview(self._piece)[self._offset : self._offset + missing]
            self._offset += missing
            if self._offset >= len(self._piece):
                self._forget_piece()

    def _forget_piece(self) -> None:
        self._piece, self._offset = b"", 0
