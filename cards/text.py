"""Text forms: bech32m identifiers with a checksum, PEM-like blocks, and objects on one line, `card1:` and, for QR
codes, `CARD1:`. All strict.

Sources: BIP-350 for bech32m; RFC 7468, strict form, for the blocks.
"""

import base64
import binascii
import hashlib
import re
from functools import lru_cache, reduce
from operator import xor

from .findings import CardError

_ALPHABET = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BASE32 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_WORDS = bytes(range(32))  # what either alphabet stands for
_BECH32M = 0x2BC830A3
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
# What the five highest bits of the checksum change, for each of their 32 values.
_TOP = [reduce(xor, (each for bit, each in enumerate(_GENERATORS) if top >> bit & 1), 0) for top in range(32)]

MAX_ARMOR = 4 * 1024 * 1024  # bytes of text looked at: three revocation lists as full as can be
_BLOCK = re.compile(
    r"-----BEGIN P2PNOISE ([A-Z][A-Z -]{0,30}[A-Z])-----\n((?:[A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/]{1,64}={0,2}\n)"
    r"-----END P2PNOISE \1-----\n?"
)


@lru_cache(maxsize=4096)  # about 1 MB; a registry and a table name the same few keys again and again
def to_bech32m(prefix: str, data: bytes) -> str:
    """`data` as lower-case bech32m with the human-readable `prefix`."""
    words = _words(data)
    polymod = _polymod(_expand(prefix) + words + bytes(6)) ^ _BECH32M
    checksum = bytes(polymod >> 5 * (5 - i) & 31 for i in range(6))
    return f"{prefix}1{_letters(words + checksum)}"


def from_bech32m(prefix: str, text: str, *, size: int) -> bytes:
    """The `size` bytes that `text` writes. Raises `CardError` text-invalid; a typing mistake is named as one."""
    found, separator, rest = text.rpartition("1")
    if not separator or found != prefix:
        raise CardError("text-invalid", f"{_short(text)!r} does not begin with {prefix}1")
    letters = rest.encode("ascii", "replace")
    if len(letters) != (size * 8 + 4) // 5 + 6 or letters.strip(_ALPHABET):
        raise CardError("text-invalid", f"{_short(text)!r} is not a whole {prefix}1 identifier")
    words = letters.translate(bytes.maketrans(_ALPHABET, _WORDS))
    if _polymod(_expand(prefix) + words) != _BECH32M:
        raise CardError("text-invalid", f"{_short(text)!r} is mistyped: its checksum does not fit")
    base32 = words[:-6].translate(bytes.maketrans(_WORDS, _BASE32))
    data = base64.b32decode(base32 + b"=" * (-len(base32) % 8))
    if _words(data) != words[:-6]:
        raise CardError("text-invalid", f"{_short(text)!r} ends in bits that no encoder writes")
    return data


def fingerprint(identifier: str) -> str:
    """A key for labels and the telephone: five groups of five characters, 125 bits of SHA-256 of its text form.

    Enough to tell keys apart that others made, and nothing to make a key from.
    """
    text = _letters(_words(hashlib.sha256(identifier.encode()).digest())[:25])
    return "-".join(text[i : i + 5] for i in range(0, 25, 5))


def to_armor(label: str, data: bytes) -> str:
    """A PEM-like block, base64 in 64 columns, ending in a newline."""
    text = base64.b64encode(data).decode()
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN P2PNOISE {label}-----", *lines, f"-----END P2PNOISE {label}-----", ""])


def from_armor(text: str) -> list[tuple[str, bytes]]:
    """The (label, bytes) of each block in `text`, in order; CRLF is accepted, anything between blocks is not.

    Raises `CardError` too-large or armor-invalid.
    """
    if len(text) > MAX_ARMOR:
        raise CardError("too-large", f"text of {len(text)} bytes, limit {MAX_ARMOR}")
    text = text.replace("\r\n", "\n")
    if not text.endswith("\n"):
        text += "\n"
    blocks: list[tuple[str, bytes]] = []
    at = 0
    while at < len(text):
        block = _BLOCK.match(text, at)
        if block is None:
            line = text.count("\n", 0, at) + 1
            raise CardError("armor-invalid", f"the block at line {line} is not a whole P2PNOISE block")
        encoded = block[2].replace("\n", "")
        try:
            data = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            data = b""
        if base64.b64encode(data).decode() != encoded or to_armor(block[1], data) != block[0]:
            raise CardError("armor-invalid", f"the {block[1]} block is not written in its one accepted form")
        blocks.append((block[1], data))
        at = block.end()
    if not blocks:
        raise CardError("armor-invalid", "no P2PNOISE block")
    return blocks


def to_line(prefix: str, data: bytes) -> str:
    """`prefix:` and base64url without padding: one word that survives chat and mail."""
    return f"{prefix}:{base64.urlsafe_b64encode(data).rstrip(b'=').decode()}"


def from_line(prefix: str, text: str) -> bytes:
    """The bytes of a `prefix:` line. Raises `CardError` too-large or text-invalid."""
    if len(text) > MAX_ARMOR:
        raise CardError("too-large", f"text of {len(text)} bytes, limit {MAX_ARMOR}")
    encoded = text.removeprefix(f"{prefix}:")
    try:
        data = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or to_line(prefix, data) != text:
        raise CardError("text-invalid", f"{_short(text)!r} is not a whole {prefix}: line")
    return data


def to_base32(prefix: str, data: bytes) -> str:
    """`PREFIX:` and base32 without padding, in upper case: QR codes hold such text in 5.5 bits a character, not 8."""
    return f"{prefix}:{base64.b32encode(data).rstrip(b'=').decode()}"


def from_base32(prefix: str, text: str) -> bytes:
    """The bytes of a `PREFIX:` line in base32. Raises `CardError` too-large or text-invalid."""
    if len(text) > MAX_ARMOR:
        raise CardError("too-large", f"text of {len(text)} bytes, limit {MAX_ARMOR}")
    encoded = text.removeprefix(f"{prefix}:")
    try:
        data = base64.b32decode(encoded + "=" * (-len(encoded) % 8))
    except (binascii.Error, ValueError):
        data = b""
    if not data or to_base32(prefix, data) != text:
        raise CardError("text-invalid", f"{_short(text)!r} is not a whole {prefix}: text")
    return data


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:20]}..."


def _words(data: bytes) -> bytes:
    """`data` five bits at a time, each a byte; the last ones are padded with zeros."""
    return base64.b32encode(data).rstrip(b"=").translate(bytes.maketrans(_BASE32, _WORDS))


def _letters(words: bytes) -> str:
    return words.translate(bytes.maketrans(_WORDS, _ALPHABET)).decode()


def _expand(prefix: str) -> bytes:
    return bytes([*(ord(letter) >> 5 for letter in prefix), 0, *(ord(letter) & 31 for letter in prefix)])


def _polymod(words: bytes) -> int:
    checksum = 1
    for word in words:
        checksum = (checksum & 0x1FFFFFF) << 5 ^ word ^ _TOP[checksum >> 25]
    return checksum
