"""Protocol names: a pattern and the functions it runs on (spec, section 8)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self, TypeVar

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise.dh import DH_FUNCTIONS, DhFunction
from p2pnoise.noise.functions import CIPHERS, HASHES, TAGLEN, CipherFunction, HashFunction
from p2pnoise.noise.patterns import Pattern, parse_pattern

__all__ = ["MAX_MESSAGE", "Protocol"]

MAX_MESSAGE = 65535
"""Bytes of a Noise message, at most; spec, section 3."""

_Function = TypeVar("_Function")


@dataclass(frozen=True, slots=True, repr=False)
class Protocol:
    """A pattern and the functions it runs on; its name reads like Noise_XX_25519_ChaChaPoly_BLAKE2s."""

    pattern: Pattern
    dh: DhFunction
    cipher: CipherFunction
    hash: HashFunction
    name: str = field(init=False)
    """The protocol name, at most 255 ASCII characters."""
    initial_h: bytes = field(init=False, compare=False)
    """The h with which every handshake begins."""
    max_payloads: tuple[int, ...] = field(init=False, compare=False)
    """Bytes of payload that each message holds, at most, and then those of the transport."""

    def __post_init__(self) -> None:
        name = f"Noise_{self.pattern.name}_{self.dh.name}_{self.cipher.name}_{self.hash.name}"
        # 5.2: if protocol_name is less than or equal to HASHLEN bytes in length, sets h equal to protocol_name
        # with zero bytes appended to make HASHLEN bytes. Otherwise sets h = HASH(protocol_name).
        h = name.encode().ljust(self.hash.hash_len, b"\0")
        max_payloads = tuple(
            MAX_MESSAGE - layout.public_keys * self.dh.dh_len - layout.tags * TAGLEN for layout in self.pattern.layouts
        )
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "initial_h", h if len(h) == self.hash.hash_len else self.hash.hash(h))
        object.__setattr__(self, "max_payloads", max_payloads)

    @classmethod
    def parse(cls, name: str) -> Self:
        """The protocol of this name; spec, section 8.

        Raises LocalProtocolError saying which part of the name is wrong and what could stand there.
        """
        parts = name.split("_")
        if len(parts) != 5 or parts[0] != "Noise":
            raise LocalProtocolError(f"{name!r} is not of the form Noise_pattern_DH_cipher_hash")
        _, pattern, dh, cipher, hash_name = parts
        return cls(
            parse_pattern(pattern),
            _named("DH", dh, DH_FUNCTIONS, name),
            _named("cipher", cipher, CIPHERS, name),
            _named("hash", hash_name, HASHES, name),
        )

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Protocol.parse({self.name!r})"


def _named(what: str, word: str, known: Mapping[str, _Function], name: str) -> _Function:
    if word not in known:
        raise LocalProtocolError(f"{what} {word!r} in {name!r}, one of {', '.join(known)} expected")
    return known[word]
