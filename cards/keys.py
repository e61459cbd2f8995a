"""Keys: identity, issuer and node. Public ones are checked values that print with a checksum; secrets hide in repr.

Three keys, three jobs. The *identity key* (Ed25519, may live offline) signs a node's card. The *issuer key* (Ed25519)
grants membership. The *node key* is an Ed25519 seed whose X25519 form is the node's Noise static key, so that it can
both hold a handshake and sign; its X25519 public key is the Node ID.

Using one key for Diffie-Hellman and signing: joint security of Ed25519 with an X25519 KEM is proven in the random
oracle model (Thormarker, eprint 2021/509); for Noise's mix of static and ephemeral exchanges there is no known attack
and no exact proof. So a node key signs nothing but the two statements below, never a message that another chooses.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import ClassVar, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from . import keyfile
from .edwards import edwards_image, is_sound_point, is_sound_u
from .findings import CardError
from .statements import CARD_NODE, RECORD, frame
from .text import from_bech32m, to_bech32m

Entropy = Callable[[int], bytes]  # n -> n unpredictable bytes; os.urandom outside simulations


class PublicId(bytes):
    """32 public bytes of a known kind: checked when made, compared as bytes, printed as bech32m."""

    __slots__ = ()
    prefix: ClassVar[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `node1…`, `id1…` or `issuer1…`. Raises `CardError` text-invalid, or as the constructor does."""
        return cls(from_bech32m(cls.prefix, text, size=32))

    @property
    def short(self) -> str:
        """For people's eyes beside a name; never accepted as input."""
        text = str(self)
        return f"{text[: len(self.prefix) + 9]}…{text[-4:]}"

    def __str__(self) -> str:
        return to_bech32m(self.prefix, self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.short}>"


class NodeId(PublicId):
    """A node's X25519 public key, which is its address. Raises `CardError` bad-node-id for aliases and low order."""

    __slots__ = ()
    prefix = "node"

    def __new__(cls, raw: bytes) -> Self:
        if not is_sound_u(raw):
            raise CardError("bad-node-id", f"{bytes(raw[:32]).hex()} is not a canonical X25519 key of high order")
        return super().__new__(cls, raw)

    @property
    def signing_key(self) -> bytes:
        """The Ed25519 public key, sign bit 0, under which this node's signatures verify."""
        return edwards_image(self)


class _Ed25519Id(PublicId):
    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        if not is_sound_point(raw):
            raise CardError("weak-key", f"{cls.prefix} key {bytes(raw[:32]).hex()} is not a key that somebody can own")
        return super().__new__(cls, raw)


class IdentityId(_Ed25519Id):
    """An identity's Ed25519 public key. Raises `CardError` weak-key for low-order and non-canonical points."""

    __slots__ = ()
    prefix = "id"


class IssuerId(_Ed25519Id):
    """An issuer's Ed25519 public key. Raises `CardError` weak-key for low-order and non-canonical points."""

    __slots__ = ()
    prefix = "issuer"

    @property
    def hint(self) -> bytes:
        """8 bytes that name the key beside a signature; a hint only, nothing is decided on it."""
        return _hint(self)


@lru_cache(maxsize=1024)  # every card asks for those of the same few issuers
def _hint(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:8]


class _SecretKey:
    """An Ed25519 seed of 32 bytes. The object owns it; nothing prints it."""

    __slots__ = ("_ed25519", "_key", "_seed")

    def __init__(self, seed: bytes) -> None:
        self._seed = bytes(seed)
        self._key = Ed25519PrivateKey.from_private_bytes(self._seed)
        self._ed25519 = self._key.public_key().public_bytes_raw()

    @classmethod
    def generate(cls, entropy: Entropy) -> Self:
        return cls(entropy(32))

    @classmethod
    def from_pem(cls, pem: bytes, passphrase: bytes | None = None) -> Self:
        """From PKCS#8 PEM, locked or not. Raises `CardError` locked or malformed; it repeats nothing of the file."""
        return cls(keyfile.read_seed(pem, passphrase))

    def to_pem(self) -> bytes:
        """Unencrypted PKCS#8 PEM, which openssl reads too. A secret: the caller keeps it in a 0600 file."""
        return keyfile.plain(self._seed)

    def to_locked_pem(self, passphrase: bytes, entropy: Entropy) -> bytes:
        """Encrypted PKCS#8 PEM: scrypt and AES-256. Raises `CardError` locked for an empty passphrase."""
        return keyfile.locked(self._seed, passphrase, entropy)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} hidden>"


class _SigningKey(_SecretKey):
    __slots__ = ()

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature, 64 bytes."""
        return self._key.sign(message)


class IdentityKey(_SigningKey):
    """The secret of an identity: signs card bodies."""

    __slots__ = ()

    @property
    def public(self) -> IdentityId:
        """The public key: who this is, in cards and policies."""
        return IdentityId(self._ed25519)


class IssuerKey(_SigningKey):
    """The secret of an issuer: signs grants and revocation lists."""

    __slots__ = ()

    @property
    def public(self) -> IssuerId:
        """The public key: all that nodes need to know of an issuer."""
        return IssuerId(self._ed25519)


class NodeKey(_SecretKey):
    """The secret of a node. Raises `CardError` malformed for a seed whose Ed25519 public key has sign bit 1."""

    __slots__ = ("public",)

    def __init__(self, seed: bytes) -> None:
        super().__init__(seed)
        if self._ed25519[31] >> 7:
            raise CardError("malformed", "not a node key: its Ed25519 public key has sign bit 1")
        self.public = NodeId(X25519PrivateKey.from_private_bytes(self.static).public_key().public_bytes_raw())

    @classmethod
    def generate(cls, entropy: Entropy) -> Self:
        """Draws seeds until the sign bit is 0: two on average."""
        while True:
            seed = entropy(32)
            if not Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()[31] >> 7:
                return cls(seed)

    @property
    def static(self) -> bytes:
        """The Noise static private key, 32 bytes: the first half of SHA-512(seed), which X25519 clamps."""
        return hashlib.sha512(self._seed).digest()[:32]

    def sign_binding(self, network: str, identity: IdentityId) -> bytes:
        """The node signature of a card: that this node belongs to `identity` in `network`. 64 bytes."""
        return self._key.sign(frame(CARD_NODE, network.encode(), identity, self.public))

    def sign_record(self, body: bytes) -> bytes:
        """The signature of an address record, 64 bytes."""
        return self._key.sign(frame(RECORD, body))
