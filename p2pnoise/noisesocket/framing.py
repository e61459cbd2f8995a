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
    "Padding",
    "ReceiveBuffer",
    "decode_go_payload",
    "decode_payload",
    "encode_field",
    "encode_go_payload",
    "encode_payload",
]

_PREFIX = 2
MAX_FIELD = 65535
MAX_PACKET = 2 * (_PREFIX + MAX_FIELD)
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
    return len(data).to_bytes(_PREFIX, "big") + data


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
    if len(plaintext) < BODY_LEN:
        raise FramingError(f"payload of {len(plaintext)} bytes, at least the {BODY_LEN} of body_len")
    body_len = int.from_bytes(plaintext[:BODY_LEN], "big")
    if body_len > len(plaintext) - BODY_LEN:
        raise FramingError(f"body_len {body_len}, at most the {len(plaintext) - BODY_LEN} bytes that follow it")
    return plaintext[BODY_LEN : BODY_LEN + body_len]


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

    It never holds more than one packet of MAX_PACKET bytes plus what one call of `feed` brought. Taking a
    field costs its own length, however much lies behind it.
    """

    __slots__ = ("_data", "_offset", "at_eof")

    def __init__(self) -> None:
        self._data = bytearray()
        self._offset = 0
        self.at_eof = False

    def __len__(self) -> int:
        return len(self._data) - self._offset

    def feed(self, data: bytes) -> None:
        """Append what the carrier brought; b"" is its end.

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
        del self._data[: self._offset]
        self._offset = 0
        self._data += data

    def peek_length(self) -> int | None:
        """The length of the next field, or None until it is there."""
        if len(self) < _PREFIX:
            return None
        return int.from_bytes(self._data[self._offset : self._offset + _PREFIX], "big")

    def take_field(self) -> bytes | None:
        """The next field without its length, or None until all of it is there."""
        length = self.peek_length()
        if length is None or len(self) < _PREFIX + length:
            return None
        start = self._offset + _PREFIX
        self._offset = start + length
        # Through a memoryview, so that the bytes are copied once.
        return bytes(memoryview(self._data)[start : self._offset])

    def clear(self) -> None:
        """Forget what is unread."""
        self._data.clear()
        self._offset = 0
