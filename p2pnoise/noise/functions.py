"""The crypto functions of Noise: DH 25519, two ciphers, four hashes with HKDF (spec, sections 4 and 12).

Primitives come from `cryptography` and `hashlib`; entropy is handed in. Nothing here knows a handshake.
"""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol as Interface
from typing import Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise.errors import InvalidPublicKey

__all__ = [
    "CIPHERS",
    "DHLEN",
    "DH_NAME",
    "HASHES",
    "MAX_NONCE",
    "TAGLEN",
    "CipherFunction",
    "Entropy",
    "HashFunction",
    "KeyPair",
    "dh",
]

DH_NAME = "25519"
DHLEN = 32
"""Bytes of a public key and of a shared secret; spec, section 12.1."""
TAGLEN = 16
"""Bytes that authentication adds to a plaintext; spec, section 4.2."""
MAX_NONCE = 2**64 - 1
"""Reserved for rekey; spec, sections 4.2 and 5.1."""

Entropy = Callable[[int], bytes]
"""Asked for n, returns n unpredictable bytes."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A Curve25519 key pair, kept with its parsed form so that no DH parses it again. Spec, section 4.1.

    Raises LocalProtocolError if the private key is not 32 bytes.
    """

    private: bytes = field(repr=False)
    public: bytes = field(init=False)
    x25519: X25519PrivateKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.private) != DHLEN:
            raise LocalProtocolError(f"private key of {len(self.private)} bytes, {DHLEN} needed")
        x25519 = X25519PrivateKey.from_private_bytes(self.private)
        object.__setattr__(self, "x25519", x25519)
        object.__setattr__(self, "public", x25519.public_key().public_bytes_raw())

    @classmethod
    def from_private(cls, private: bytes) -> Self:
        """The pair of these 32 private bytes."""
        return cls(private)

    @classmethod
    def generate(cls, entropy: Entropy) -> Self:
        """GENERATE_KEYPAIR(): a new pair from 32 bytes of `entropy`."""
        return cls(entropy(DHLEN))


def dh(key_pair: KeyPair, public_key: X25519PublicKey) -> bytes:
    """DH(key_pair, public_key): 32 bytes of shared secret.

    Raises InvalidPublicKey for a point of low order, which section 12.1 lets us refuse: its all-zero secret
    is known to everybody.
    """
    try:
        return key_pair.x25519.exchange(public_key)
    except ValueError as error:
        raise InvalidPublicKey(f"public key {public_key.public_bytes_raw().hex()} is of low order") from error


class Aead(Interface):
    """One AEAD under one key, as `cryptography` offers it."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...
    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...


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
    """A finished hash of `hashlib`."""

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
        """HKDF(chaining_key, input_key_material, 2); spec, section 4.3."""
        # Sets temp_key = HMAC-HASH(chaining_key, input_key_material).
        temp_key = self.hmac(chaining_key, input_key_material)
        # Sets output1 = HMAC-HASH(temp_key, byte(0x01)).
        output1 = self.hmac(temp_key, b"\x01")
        # Sets output2 = HMAC-HASH(temp_key, output1 || byte(0x02)).
        return output1, self.hmac(temp_key, output1 + b"\x02")


HASHES = {
    function.name: function
    for function in (
        HashFunction("SHA256", hashlib.sha256, 32, 64),
        HashFunction("SHA512", hashlib.sha512, 64, 128),
        HashFunction("BLAKE2s", hashlib.blake2s, 32, 64),
        HashFunction("BLAKE2b", hashlib.blake2b, 64, 128),
    )
}
