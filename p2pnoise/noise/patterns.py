"""Handshake patterns as data, and protocol names (spec, sections 7 and 8).

A new pattern is a new row of PATTERNS; the engine in `handshake_state` reads the tokens and knows no pattern
by name.
"""

from dataclasses import dataclass
from typing import Literal, Self

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise.functions import CIPHERS, DH_NAME, HASHES, CipherFunction, HashFunction

__all__ = ["PATTERNS", "Pattern", "Protocol", "Token"]

Token = Literal["e", "s", "ee", "es", "se", "ss"]
"""A DH token names the initiator's key first, then the responder's."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What each message of a handshake carries. The initiator writes the first and every other one."""

    name: str
    pre_messages: tuple[tuple[Token, ...], tuple[Token, ...]]
    """The public keys known beforehand: the initiator's, the responder's."""
    messages: tuple[tuple[Token, ...], ...]


PATTERNS = {
    pattern.name: pattern
    for pattern in (
        Pattern("XX", ((), ()), (("e",), ("e", "ee", "s", "es"), ("s", "se"))),
        Pattern("IK", ((), ("s",)), (("e", "es", "s", "ss"), ("e", "ee", "se"))),
    )
}


@dataclass(frozen=True, slots=True, repr=False)
class Protocol:
    """A pattern and the functions it runs on; its name reads like Noise_XX_25519_ChaChaPoly_BLAKE2s."""

    pattern: Pattern
    cipher: CipherFunction
    hash: HashFunction

    @classmethod
    def parse(cls, name: str) -> Self:
        """The protocol of this name; spec, section 8.

        Raises LocalProtocolError saying which part of the name is wrong and what could stand there.
        """
        parts = name.split("_")
        if len(parts) != 5 or parts[0] != "Noise":
            raise LocalProtocolError(f"{name!r} is not of the form Noise_pattern_DH_cipher_hash")
        _, pattern, dh, cipher, hash_name = parts
        for what, word, known in (
            ("pattern", pattern, PATTERNS),
            ("DH", dh, (DH_NAME,)),
            ("cipher", cipher, CIPHERS),
            ("hash", hash_name, HASHES),
        ):
            if word not in known:
                raise LocalProtocolError(f"{what} {word!r} in {name!r}, one of {', '.join(known)} expected")
        return cls(PATTERNS[pattern], CIPHERS[cipher], HASHES[hash_name])

    @property
    def name(self) -> str:
        """The protocol name, at most 255 ASCII characters."""
        return f"Noise_{self.pattern.name}_{DH_NAME}_{self.cipher.name}_{self.hash.name}"

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Protocol.parse({self.name!r})"
