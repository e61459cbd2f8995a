"""Negotiation data: which Noise protocol a message speaks, and the explicit reject that names those we accept.

NoiseSocket leaves the contents to the application. Ours are the six bytes of the Go reference: version 0001, DH,
cipher, hash, pattern. The numbers are those of noise-c.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Generic, TypeVar
from typing import Protocol as Interface

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import Protocol
from p2pnoise.noise.dh import DH_448, DH_25519
from p2pnoise.noise.functions import CIPHERS, HASHES
from p2pnoise.noise.patterns import Pattern, parse_pattern
from p2pnoise.noisesocket.errors import NegotiationError

__all__ = ["GO_REJECT", "SIX_BYTES", "Negotiation", "SixBytes"]

GO_REJECT = b"\xff"
"""The negotiation data of the Go reference's refusal. No noise_message_len follows them: its whole packet is 0001ff."""


class Negotiation(Interface):
    """How an application writes what NoiseSocket leaves to it.

    Negotiation data of a first message name its protocol. Those of an answer name the protocol of a switch, where a
    noise_message follows them, or of a request retry, where none does; or they are an explicit reject.
    """

    longest: int
    """Bytes of negotiation data that name a protocol, at most."""
    longest_answer: int
    """Bytes of negotiation data in an answer, at most: a protocol or a reject."""

    def encode(self, protocol: Protocol) -> bytes:
        """The negotiation data for this protocol. Raises LocalProtocolError if there are none."""
        ...

    def decode(self, data: bytes) -> Protocol:
        """The protocol that `data` name. Raises NegotiationError."""
        ...

    def encode_reject(self, accepts: Iterable[Protocol]) -> bytes:
        """The negotiation data of an explicit reject by somebody who accepts these."""
        ...

    def decode_reject(self, data: bytes) -> tuple[Protocol, ...] | None:
        """The protocols that an explicit reject names, as far as we know them; None if `data` are no reject."""
        ...


_VERSION = bytes.fromhex("0001")
_REJECT = _VERSION + b"\xff"
_SUITE_LEN = 4
_NUMBERED = ["N", "X", "K", "NN", "NK", "NX", "XN", "XK", "XX", "KN", "KK", "KX", "IN", "IK", "IX"]


def _patterns() -> dict[int, Pattern]:
    """By code. A psk modifier k, of 0 to 3, adds 0x40 + 0x10 * k: ours, where noise-c's numbers end."""
    patterns = {16: parse_pattern("XXfallback")}
    for code, name in enumerate(_NUMBERED, 1):
        patterns[code] = parse_pattern(name)
        for k in range(min(len(patterns[code].messages), 3) + 1):
            patterns[code + 0x40 + 0x10 * k] = parse_pattern(f"{name}psk{k}")
    return patterns


class _Named(Interface):
    @property
    def name(self) -> str: ...


_What = TypeVar("_What", bound=_Named)


class _Codes(Generic[_What]):
    """One of the four codes of a suite, both ways."""

    def __init__(self, what: str, known: Mapping[int, _What]) -> None:
        self._what = what
        self._known = known
        self._by_name = {meant.name: code for code, meant in known.items()}

    def __contains__(self, meant: _What) -> bool:
        return meant.name in self._by_name

    def encode(self, meant: _What) -> int:
        return self._by_name[meant.name]

    def decode(self, code: int) -> _What:
        if code not in self._known:
            raise NegotiationError(
                f"{self._what} {code} in the negotiation data, one of {sorted(self._known)} expected"
            )
        return self._known[code]


_DH = _Codes("DH", {1: DH_25519, 2: DH_448})
_CIPHER = _Codes("cipher", {1: CIPHERS["ChaChaPoly"], 2: CIPHERS["AESGCM"]})
_HASH = _Codes("hash", {1: HASHES["BLAKE2s"], 2: HASHES["BLAKE2b"], 3: HASHES["SHA256"], 4: HASHES["SHA512"]})
_PATTERN = _Codes("pattern", _patterns())


class SixBytes:
    """The negotiation data of the Go reference, with the codes of noise-c; PROTOCOL.md has the table."""

    longest = len(_VERSION) + _SUITE_LEN
    # 64 protocols, a guess. Whoever is on the path can write a reject, and one of 65535 bytes took 100 ms to read.
    longest_answer = len(_REJECT) + 64 * _SUITE_LEN

    def encode(self, protocol: Protocol) -> bytes:
        """The six bytes for this protocol. Raises LocalProtocolError if they cannot name it."""
        if protocol.pattern not in _PATTERN:
            raise LocalProtocolError(f"{protocol.name} has no negotiation data of six bytes")
        return _VERSION + _suite(protocol)

    def decode(self, data: bytes) -> Protocol:
        """The protocol that six bytes name. Raises NegotiationError saying which of them we do not know."""
        if len(data) != self.longest:
            raise NegotiationError(f"negotiation data of {len(data)} bytes, {self.longest} needed")
        if not data.startswith(_VERSION):
            raise NegotiationError(f"negotiation data of version {data[:2].hex()}, we speak {_VERSION.hex()}")
        return _protocol(data[len(_VERSION) :])

    def encode_reject(self, accepts: Iterable[Protocol]) -> bytes:
        """0001ff and four bytes for each of the first 64 protocols that six bytes can name."""
        suites = [_suite(protocol) for protocol in accepts if protocol.pattern in _PATTERN]
        return (_REJECT + b"".join(suites))[: self.longest_answer]

    def decode_reject(self, data: bytes) -> tuple[Protocol, ...] | None:
        """The protocols that follow 0001ff, without those that this version does not know; none in Go's ff."""
        if data == GO_REJECT:
            return ()
        suites = data[len(_REJECT) :]
        if not data.startswith(_REJECT) or len(suites) % _SUITE_LEN:
            return None
        speaks = []
        for start in range(0, len(suites), _SUITE_LEN):
            try:
                speaks.append(_protocol(suites[start : start + _SUITE_LEN]))
            except NegotiationError:
                continue  # of a newer peer; the others are still worth knowing
        return tuple(speaks)


SIX_BYTES = SixBytes()


def _suite(protocol: Protocol) -> bytes:
    return bytes(
        (
            _DH.encode(protocol.dh),
            _CIPHER.encode(protocol.cipher),
            _HASH.encode(protocol.hash),
            _PATTERN.encode(protocol.pattern),
        )
    )


@lru_cache(maxsize=64)  # 2 us and 270 bytes of every connection; only what has four codes gets in
def _protocol(suite: bytes) -> Protocol:
    dh, cipher, hash_code, pattern = suite
    return Protocol(_PATTERN.decode(pattern), _DH.decode(dh), _CIPHER.decode(cipher), _HASH.decode(hash_code))
