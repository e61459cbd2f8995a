"""The DH functions of Noise, 25519 and 448, and key pairs (spec, sections 4.1, 12.1 and 12.2).

Primitives come from `cryptography`; entropy is handed in. Nothing here knows a handshake.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self
from typing import Protocol as Interface

from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey, X448PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise.errors import InvalidPublicKey

__all__ = ["DH_448", "DH_25519", "DH_FUNCTIONS", "DhFunction", "Entropy", "KeyPair", "PublicKey", "dh"]

Entropy = Callable[[int], bytes]
"""Asked for n, returns n unpredictable bytes."""


class PublicKey(Interface):
    """A public key as `cryptography` parsed it."""

    def public_bytes_raw(self) -> bytes: ...


class PrivateKey(Interface):
    """A private key as `cryptography` parsed it; `exchange` takes a PublicKey of the same curve."""

    def exchange(self, peer_public_key: Any) -> bytes: ...
    def public_key(self) -> PublicKey: ...


_set = object.__setattr__

_STATIC_KEYS = 1024  # parsed keys that are kept, less than a kilobyte each; a guess: the peers of a busy node


@dataclass(frozen=True, slots=True)
class DhFunction:
    """A DH of section 12: the length in bytes of its keys and secrets, and how both kinds of key are parsed."""

    name: str
    dh_len: int
    private_key: Callable[[bytes], PrivateKey] = field(repr=False)
    public_key: Callable[[bytes], PublicKey] = field(repr=False)
    static_public_key: Callable[[bytes], PublicKey] = field(init=False, repr=False, compare=False)
    """The same for the keys of peers, who come back: with both static keys known, an IK handshake takes one part in a
    hundred less. That a key was known, its time could tell; but whoever asks makes it known.
    """

    def __post_init__(self) -> None:
        _set(self, "static_public_key", lru_cache(_STATIC_KEYS)(self.public_key))


DH_25519 = DhFunction("25519", 32, X25519PrivateKey.from_private_bytes, X25519PublicKey.from_public_bytes)
DH_448 = DhFunction("448", 56, X448PrivateKey.from_private_bytes, X448PublicKey.from_public_bytes)
DH_FUNCTIONS = {function.name: function for function in (DH_25519, DH_448)}


@dataclass(frozen=True, slots=True, init=False)
class KeyPair:
    """A key pair of one DH function, kept with its parsed form so that no DH parses it again. Spec, section 4.1.

    Raises LocalProtocolError if the private key is not 32 bytes, or 56 for 448.
    """

    private: bytes = field(repr=False)
    dh: DhFunction
    public: bytes
    parsed: PrivateKey = field(repr=False, compare=False)

    def __init__(self, private: bytes, dh: DhFunction = DH_25519) -> None:
        if len(private) != dh.dh_len:
            raise LocalProtocolError(f"private key of {len(private)} bytes, {dh.dh_len} needed")
        parsed = dh.private_key(private)
        # What a dataclass writes here takes a microsecond longer: with two pairs, one part in a hundred of a handshake.
        _set(self, "private", private)
        _set(self, "dh", dh)
        _set(self, "parsed", parsed)
        _set(self, "public", parsed.public_key().public_bytes_raw())

    @classmethod
    def from_private(cls, private: bytes, dh: DhFunction = DH_25519) -> Self:
        """The pair of these private bytes, 32 of them, or 56 for 448."""
        return cls(private, dh)

    @classmethod
    def generate(cls, entropy: Entropy, dh: DhFunction = DH_25519) -> Self:
        """GENERATE_KEYPAIR(): a new pair from 32 bytes of `entropy`, or 56 for 448."""
        return cls(entropy(dh.dh_len), dh)


def dh(key_pair: KeyPair, public_key: PublicKey) -> bytes:
    """DH(key_pair, public_key): the shared secret, as long as the keys.

    Raises InvalidPublicKey for a point of low order, which section 12.1 lets us refuse: its all-zero secret
    is known to everybody.
    """
    try:
        return key_pair.parsed.exchange(public_key)
    except ValueError as error:
        raise InvalidPublicKey(f"public key {public_key.public_bytes_raw().hex()} is of low order") from error
