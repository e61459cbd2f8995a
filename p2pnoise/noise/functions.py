"""The ciphers and hashes of Noise, and HKDF over the hashes (spec, sections 4.2, 4.3 and 12).

Primitives come from `cryptography` and `hashlib`. Nothing here knows a handshake.
"""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol as Interface
from typing import Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

__all__ = ["CIPHERS", "HASHES", "MAX_NONCE", "TAGLEN", "CipherFunction", "HashFunction"]

TAGLEN = 16
"""Bytes that authentication adds to a plaintext; spec, section 4.2."""
MAX_NONCE = 2**64 - 1
"""Reserved for rekey; spec, sections 4.2 and 5.1."""


class Aead(Interface):
    """One AEAD under one key, as `cryptography` offers it."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...
    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...
    def encrypt_into(self, nonce: bytes, data: memoryview, associated_data: bytes | None, buf: memoryview) -> int: ...
    def decrypt_into(self, nonce: bytes, data: memoryview, associated_data: bytes | None, buf: memoryview) -> int: ...


@dataclass(frozen=True, slots=True)
class CipherFunction:
    """A cipher of section 12: its AEAD under a key, and how it writes the 64-bit n as a 96-bit nonce."""

    name: str
    aead: Callable[[bytes], Aead]
    nonce: Callable[[int], bytes]


# 12.3: "The 96-bit nonce is formed by encoding 32 bits of zeros followed by little-endian encoding of n."
# 12.4: the same for AES-GCM with big-endian encoding.
CIPHERS = {
    cipher.name: cipher
    for cipher in (
        CipherFunction("ChaChaPoly", ChaCha20Poly1305, struct.Struct("<4xQ").pack),
        CipherFunction("AESGCM", AESGCM, struct.Struct(">4xQ").pack),
    )
}


class Digest(Interface):
    """A hash of `hashlib`, which goes on or is read."""

    def update(self, data: bytes, /) -> None: ...
    def copy(self) -> Self: ...
    def digest(self) -> bytes: ...


_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))


@dataclass(frozen=True, slots=True)
class HashFunction:
    """A hash of section 12 with its lengths in bytes, and the HMAC and HKDF over it."""

    name: str
    new: Callable[[bytes], Digest]
    hash_len: int
    block_len: int

    def hash(self, data: bytes) -> bytes:
        """HASH(data)."""
        return self.new(data).digest()

    def hmac(self, key: bytes, data: bytes) -> bytes:
        """HMAC-HASH(key, data) for a key of at most `block_len` bytes; RFC 2104.

        Written out because `hmac.digest` takes twice as long, and a handshake is made of these.
        """
        block = key.ljust(self.block_len, b"\0")
        inner = self.new(block.translate(_INNER_PAD) + data).digest()
        return self.new(block.translate(_OUTER_PAD) + inner).digest()

    def hkdf(self, chaining_key: bytes, input_key_material: bytes) -> tuple[bytes, bytes]:
        """HKDF(chaining_key, input_key_material, 2); spec, section 4.3.

        Both outputs are HMACs under one key, whose pads are hashed once and copied: a fifth less time than three
        calls of `hmac`, and a handshake has eight of these.
        """
        new, fill = self.new, self.block_len
        # Sets temp_key = HMAC-HASH(chaining_key, input_key_material).
        block = chaining_key.ljust(fill, b"\0")
        digest = new(block.translate(_INNER_PAD) + input_key_material).digest()
        block = new(block.translate(_OUTER_PAD) + digest).digest().ljust(fill, b"\0")
        inner, outer = new(block.translate(_INNER_PAD)), new(block.translate(_OUTER_PAD))
        # Sets output1 = HMAC-HASH(temp_key, byte(0x01)).
        inner1, outer1 = inner.copy(), outer.copy()
        inner1.update(b"\x01")
        outer1.update(inner1.digest())
        output1 = outer1.digest()
        # Sets output2 = HMAC-HASH(temp_key, output1 || byte(0x02)).
        inner.update(output1 + b"\x02")
        outer.update(inner.digest())
        return output1, outer.digest()

    def hkdf3(self, chaining_key: bytes, input_key_material: bytes) -> tuple[bytes, bytes, bytes]:
        """HKDF(chaining_key, input_key_material, 3); spec, section 4.3."""
        temp_key = self.hmac(chaining_key, input_key_material)
        output1 = self.hmac(temp_key, b"\x01")
        output2 = self.hmac(temp_key, output1 + b"\x02")
        # Sets output3 = HMAC-HASH(temp_key, output2 || byte(0x03)).
        return output1, output2, self.hmac(temp_key, output2 + b"\x03")


HASHES = {
    function.name: function
    for function in (
        HashFunction("SHA256", hashlib.sha256, 32, 64),
        HashFunction("SHA512", hashlib.sha512, 64, 128),
        HashFunction("BLAKE2s", hashlib.blake2s, 32, 64),
        HashFunction("BLAKE2b", hashlib.blake2b, 64, 128),
    )
}
