"""Signed statements: what exactly is signed, under which context, and how a signature is verified.

A signed message is `context || 0x00 || for each part: u32be length || part`. The context keeps a signature for one
purpose from serving another; the lengths make boundaries exact, so no byte can move from one part to the next.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .edwards import is_sound_point
from .findings import CardError

CARD_KEY: Final = "p2pnoise/v1/card.key"  # (body), by the identity key
CARD_NODE: Final = "p2pnoise/v1/card.node"  # (network, identity key, Node ID), by the node key
CARD_APP: Final = "p2pnoise/v1/card.app"  # (body, attrs), by an issuer key
CARD_ID: Final = "p2pnoise/v1/card.id"  # (body), hashed
RECORD: Final = "p2pnoise/v1/record"  # (address record), by the node key
REVOCATION: Final = "p2pnoise/v1/revocation"  # (head), by an issuer key
REVOCATION_ID: Final = "p2pnoise/v1/revocation.id"  # (head), hashed
DELEGATION: Final = "p2pnoise/v1/delegation"  # (delegation), by the issuer that delegates
SUCCESSION: Final = "p2pnoise/v1/succession"  # (succession), by the old identity key and by the new one
SELF_REVOCATION: Final = "p2pnoise/v1/self-revocation"  # (self-revocation), by the identity key that ends
RETIREMENT: Final = "p2pnoise/v1/retirement"  # (retirement), by the issuer key that ends, or by others of its network
CONFLICT_ID: Final = "p2pnoise/v1/conflict.id"  # (kind, network, subject, number), hashed
MANIFEST: Final = "p2pnoise/v1/manifest"  # (manifest), by as many issuers as it demands


def frame(context: str, *parts: bytes) -> bytes:
    """The message to sign or hash for `parts` under `context`."""
    framed = [context.encode(), b"\x00"]
    for part in parts:
        framed += [len(part).to_bytes(4, "big"), part]
    return b"".join(framed)


def unframe(message: bytes) -> tuple[str, tuple[bytes, ...]]:
    """The context and the parts of a framed message. Raises `CardError` malformed."""
    name, _, rest = message.partition(b"\x00")
    parts = []
    while rest:
        size = int.from_bytes(rest[:4], "big")
        parts.append(rest[4 : 4 + size])
        rest = rest[4 + size :]
    context = name.decode("ascii", "replace")
    if frame(context, *parts) != message:
        raise CardError("malformed", "not a context and parts, each with its length")
    return context, tuple(parts)


def digest(context: str, *parts: bytes) -> bytes:
    """SHA-256 over the framed parts, 32 bytes."""
    return hashlib.sha256(frame(context, *parts)).digest()


class SignatureCache:
    """Signature facts by the digest of the exact bytes, so that no signature is verified twice; at most `limit`.

    False ones are remembered too, or a stranger could make us verify one card for ever. Holding facts and no
    opinions, one cache may serve many nodes of a simulation; of verdicts see `Memo`.
    """

    def __init__(self, limit: int = 100_000) -> None:
        self._facts: OrderedDict[bytes, bool] = OrderedDict()
        self._limit = limit

    def verify(self, key: bytes, signature: bytes, message: bytes) -> bool:
        """Whether `signature` (64 bytes) by the Ed25519 public key `key` (32 bytes) is over `message`."""
        if not self._limit:
            return verify(key, signature, message)
        fact = hashlib.blake2b(key + signature + message, digest_size=32).digest()
        known = self._facts.get(fact)
        if known is None:
            known = self._facts[fact] = verify(key, signature, message)
            if len(self._facts) > self._limit:
                self._facts.popitem(last=False)
        return known


def verify(key: bytes, signature: bytes, message: bytes, engine: str | None = None) -> bool:
    """Whether `signature` by `key` is over `message`; unsound keys and R points verify nothing.

    `engine` is one of `ENGINES`; the one in use if none is named.
    """
    if not is_sound_point(key) or not is_sound_point(signature[:32]):
        return False
    return ENGINES[engine or ENGINE](key, signature, message)


def _cryptography(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


ENGINES: Final[dict[str, Callable[[bytes, bytes, bytes], bool]]] = {"cryptography": _cryptography}
"""Who verifies what the screen has let through; all of them judge every published vector alike."""

try:  # the extra `fast`: libsodium takes two thirds of the time
    from nacl.bindings import crypto_sign_open
    from nacl.exceptions import BadSignatureError
except ImportError:
    pass
else:

    def _libsodium(key: bytes, signature: bytes, message: bytes) -> bool:
        try:
            crypto_sign_open(signature + message, key)
        except (BadSignatureError, ValueError):
            return False
        return True

    ENGINES["libsodium"] = _libsodium

ENGINE = next(reversed(ENGINES))
"""The one in use: the fastest that is installed."""
